/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a member may not send does not pass, answers do and only they, and both follow the
 * rights at once when these change. Method: one policy in virtual time; each test is a dialogue
 * between this node (A) and a member (B). */
#include "base/bytes.h"
#include "network/policy_internal.h"
#include "unit/network/packets.h"

#define A  "10.1.0.1"
#define B  "10.1.0.2"
#define A6 "fd00::1"
#define B6 "fd00::2"

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

struct fixture {
    struct wrn_policy policy;
    struct wrn_policy_rules ours, theirs;
    struct wrn_policy_pair pair;
    struct wrn_policy_counts counts;
    struct wrn_prng prng;
    wrn_mono now;
    void *memory;
};

static struct fixture start(uint32_t entries, const char *ours, const char *theirs) {
    struct fixture f = {.now = {WRN_S(1000)}};
    struct wrn_policy_options options = {entries, entries};
    struct wrn_arena arena;
    wrn_prng_init(&f.prng, 1, 1);
    wrn_arena_init(&arena, NULL, 0);
    wrn_policy_init(&f.policy, &arena, &options, wrn_prng_rand(&f.prng), f.now);
    f.memory = aligned_alloc(64, arena.used);
    assert_non_null(f.memory);
    memset(f.memory, 0, arena.used);
    wrn_arena_init(&arena, f.memory, arena.used);
    wrn_policy_init(&f.policy, &arena, &options, wrn_prng_rand(&f.prng), f.now);
    f.ours = packet_rules(ours);
    f.theirs = packet_rules(theirs);
    return f;
}

/* What a fixture points to is its own, so this comes after it has its place. */
static void pair_up(struct fixture *f, bool is_strict) {
    wrn_policy_pair_init(&f->pair, 7, &f->ours, &f->theirs, is_strict);
}

static void finish(struct fixture *f) {
    free(f->memory);
}

static void pass_s(struct fixture *f, uint64_t seconds) {
    f->now = wrn_mono_add(f->now, WRN_S(seconds));
}

static struct wrn_policy_verdict check(struct fixture *f, enum wrn_policy_direction direction,
                                       const struct packet *packet) {
    return wrn_policy_check(&f->policy, &f->pair, direction, f->now, packet_span(packet),
                            &f->counts);
}

#define OUT WRN_POLICY_OUT
#define IN  WRN_POLICY_IN

static void expect(struct fixture *f, enum wrn_policy_direction direction, struct packet packet,
                   enum wrn_policy_refusal refusal, int line) {
    struct wrn_policy_verdict verdict = check(f, direction, &packet);
    CHECK(verdict.refusal == refusal, "line %d: %s, not %s: ", line,
          wrn_policy_refusal_name(verdict.refusal), wrn_policy_refusal_name(refusal));
}

/* A packet from A to B, or from B to A, and what becomes of it. */
#define PASSES(direction, ...)       expect(&f, direction, __VA_ARGS__, WRN_POLICY_NONE, __LINE__)
#define REFUSED(why, direction, ...) expect(&f, direction, __VA_ARGS__, WRN_POLICY_##why, __LINE__)

static void rules_of_the_sender_decide(void **state) {
    (void)state;
    struct fixture f = start(64, "(allow udp '53') (allow tcp (*) (ip4 (* prefix #0a0100#)))",
                             "(member) (allow tcp '22') (allow icmp)");
    pair_up(&f, false);
    PASSES(OUT, packet_udp(A, 1, B, 53));
    PASSES(OUT, packet_tcp(A, 1, B, 80, SYN));
    REFUSED(NO_PORT, OUT, packet_udp(A, 1, B, 54));
    REFUSED(NO_DESTINATION, OUT, packet_tcp(A, 1, "10.1.1.2", 80, SYN));
    REFUSED(NO_DESTINATION, OUT, packet_tcp(A6, 1, B6, 80, SYN));
    REFUSED(NO_PROTOCOL, OUT, packet_icmp(A, B, 8, 1));
    PASSES(IN, packet_tcp(B, 1, A, 22, SYN));
    PASSES(IN, packet_tcp(B6, 1, A6, 22, SYN));
    PASSES(IN, packet_icmp(B, A, 8, 1));
    PASSES(IN, packet_icmp(B6, A6, 128, 1));
    REFUSED(NO_PORT, IN, packet_tcp(B, 1, A, 23, SYN));
    REFUSED(NO_PROTOCOL, IN, packet_udp(B, 1, A, 53));
    /* the verdict names the element, the counters the reason */
    struct packet packet = packet_icmp(B, A, 8, 1);
    struct wrn_policy_verdict verdict = check(&f, IN, &packet);
    assert_int_equal(verdict.element, 2);
    assert_int_equal(verdict.whose, WRN_POLICY_IN);
    assert_int_equal(verdict.ground, WRN_POLICY_BY_RULE);
    assert_int_equal(atomic_load(&f.counts.refused[WRN_POLICY_NO_PORT]), 2);
    assert_int_equal(atomic_load(&f.counts.refused[WRN_POLICY_NO_PROTOCOL]), 2);
    assert_int_equal(atomic_load(&f.counts.passed[WRN_POLICY_BY_RULE]), 7);
    finish(&f);
}

static void nobody_without_rights_sends_anything(void **state) {
    (void)state;
    struct fixture f = start(64, "", "");
    pair_up(&f, false);
    for (int direction = 0; direction < 2; direction++) {
        REFUSED(NO_PROTOCOL, (enum wrn_policy_direction)direction, packet_udp(A, 1, B, 53));
        REFUSED(NO_PROTOCOL, (enum wrn_policy_direction)direction, packet_tcp(A, 1, B, 53, ACK));
        REFUSED(NO_PROTOCOL, (enum wrn_policy_direction)direction, packet_icmp(A, B, 0, 1));
        REFUSED(NO_PROTOCOL, (enum wrn_policy_direction)direction, packet_start(A6, B6));
    }
    finish(&f);
}

static void answers_pass_and_nothing_else(void **state) {
    (void)state;
    struct fixture f = start(64, "(allow)", "");
    pair_up(&f, false);
    REFUSED(NO_PROTOCOL, IN, packet_udp(B, 53, A, 1000));
    PASSES(OUT, packet_udp(A, 1000, B, 53));
    PASSES(IN, packet_udp(B, 53, A, 1000));
    REFUSED(NO_PROTOCOL, IN, packet_udp(B, 53, A, 1001));
    REFUSED(NO_PROTOCOL, IN, packet_udp(B, 54, A, 1000));
    REFUSED(NO_PROTOCOL, IN, packet_udp("10.1.0.3", 53, A, 1000));
    REFUSED(NO_PROTOCOL, IN, packet_udp(B, 53, "10.1.0.3", 1000));
    REFUSED(NO_PROTOCOL, IN, packet_udp(B, 1000, A, 53));
    REFUSED(NO_PROTOCOL, IN, packet_tcp(B, 53, A, 1000, ACK));
    PASSES(OUT, packet_tcp(A6, 1000, B6, 22, SYN));
    PASSES(IN, packet_tcp(B6, 22, A6, 1000, SYN | ACK));
    REFUSED(NO_PROTOCOL, IN, packet_tcp(B6, 22, A6, 1000, SYN)); /* that would be his own */
    PASSES(OUT, packet_icmp(A, B, 8, 5));
    PASSES(IN, packet_icmp(B, A, 0, 5));
    REFUSED(NO_PROTOCOL, IN, packet_icmp(B, A, 0, 6));
    REFUSED(NO_PROTOCOL, IN, packet_icmp(B, A, 8, 5));
    REFUSED(NO_PROTOCOL, IN, packet_icmp(B, A, 14, 5));
    PASSES(OUT, packet_icmp(A6, B6, 128, 5));
    PASSES(IN, packet_icmp(B6, A6, 129, 5));
    /* other protocols: by their number alone */
    struct packet gre = packet_start(A, B), back = packet_start(B, A);
    packet_put(&gre, 47, "gre", 3);
    packet_put(&back, 47, "gre", 3);
    REFUSED(NO_PROTOCOL, IN, back);
    PASSES(OUT, gre);
    PASSES(IN, back);
    assert_int_equal(wrn_policy_conversations(&f.policy, f.now), 5);
    assert_int_equal(atomic_load(&f.counts.begun), 5);
    finish(&f);
}

/* What B may say to A opens the way back at B's side and at A's alike. */
static void our_answers_pass_too(void **state) {
    (void)state;
    struct fixture f = start(64, "", "(allow tcp '22')");
    pair_up(&f, false);
    REFUSED(NO_PROTOCOL, OUT, packet_tcp(A, 22, B, 40000, SYN | ACK));
    PASSES(IN, packet_tcp(B, 40000, A, 22, SYN));
    PASSES(OUT, packet_tcp(A, 22, B, 40000, SYN | ACK));
    struct packet packet = packet_tcp(A, 22, B, 40000, ACK);
    struct wrn_policy_verdict verdict = check(&f, OUT, &packet);
    assert_int_equal(verdict.ground, WRN_POLICY_BY_ANSWER);
    assert_int_equal(verdict.whose, WRN_POLICY_IN); /* by B's right */
    assert_int_equal(verdict.element, 0);
    finish(&f);
}

static void other_peers_do_not_answer(void **state) {
    (void)state;
    struct fixture f = start(64, "(allow)", "");
    pair_up(&f, false);
    PASSES(OUT, packet_udp(A, 1000, B, 53));
    f.pair.peer = 8;
    REFUSED(NO_PROTOCOL, IN, packet_udp(B, 53, A, 1000));
    f.pair.peer = 7;
    PASSES(IN, packet_udp(B, 53, A, 1000));
    finish(&f);
}

/* B asks itself in A's name, and answers. That A asked is known of what A sent only. */
static void nobody_asks_for_another(void **state) {
    (void)state;
    struct fixture f = start(64, "(allow udp '53')", "(allow udp '53')");
    pair_up(&f, false);
    PASSES(IN, packet_udp(A, 1000, B, 53));
    assert_int_equal(atomic_load(&f.counts.begun), 1);
    REFUSED(NO_PORT, IN, packet_udp(B, 53, A, 1000));
    PASSES(OUT, packet_udp(A, 1000, B, 53));
    PASSES(IN, packet_udp(B, 53, A, 1000));
    finish(&f);
}

static void silence_ends_conversations(void **state) {
    (void)state;
    struct fixture f = start(64, "(allow)", "");
    pair_up(&f, false);
    PASSES(OUT, packet_udp(A, 1000, B, 53));
    pass_s(&f, WRN_POLICY_UNANSWERED_S + 1);
    REFUSED(NO_PROTOCOL, IN, packet_udp(B, 53, A, 1000));
    PASSES(OUT, packet_udp(A, 1000, B, 53));
    pass_s(&f, WRN_POLICY_UNANSWERED_S);
    PASSES(IN, packet_udp(B, 53, A, 1000));
    for (int i = 0; i < 5; i++) { /* each side keeps it alive */
        pass_s(&f, WRN_POLICY_ANSWERED_S);
        if (i % 2 == 0) {
            PASSES(IN, packet_udp(B, 53, A, 1000));
        } else {
            PASSES(OUT, packet_udp(A, 1000, B, 53));
        }
    }
    pass_s(&f, WRN_POLICY_ANSWERED_S + 1);
    REFUSED(NO_PROTOCOL, IN, packet_udp(B, 53, A, 1000));
    PASSES(OUT, packet_icmp(A, B, 8, 1));
    pass_s(&f, WRN_POLICY_ICMP_S);
    PASSES(IN, packet_icmp(B, A, 0, 1));
    pass_s(&f, WRN_POLICY_ICMP_S + 1);
    REFUSED(NO_PROTOCOL, IN, packet_icmp(B, A, 0, 1));
    assert_int_equal(wrn_policy_conversations(&f.policy, f.now), 0);
    finish(&f);
}

/* An endless uptime ends what is noted instead of making it eternal. */
static void nothing_lives_for_ever(void **state) {
    (void)state;
    struct fixture f = start(64, "(allow)", "");
    pair_up(&f, false);
    pass_s(&f, UINT64_C(9) * 365 * 86400);
    PASSES(OUT, packet_udp(A, 1000, B, 53));
    REFUSED(NO_PROTOCOL, IN, packet_udp(B, 53, A, 1000));
    finish(&f);
}

/* One step of a TCP connection that A begins. */
struct step {
    enum wrn_policy_direction direction;
    uint8_t flags;
};

/* Says how long after these steps B is still heard: to the second, by trying. */
static uint32_t heard_s(const struct step *steps, size_t count, bool is_strict) {
    uint32_t low = 0, high = 100000; /* heard at low, not at high */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        struct fixture f = start(64, "(allow)", "");
        pair_up(&f, is_strict);
        for (size_t i = 0; i < count; i++) {
            struct packet packet = steps[i].direction == OUT
                                       ? packet_tcp(A, 40000, B, 22, steps[i].flags)
                                       : packet_tcp(B, 22, A, 40000, steps[i].flags);
            (void)check(&f, steps[i].direction, &packet);
        }
        pass_s(&f, middle);
        struct packet packet = packet_tcp(B, 22, A, 40000, ACK);
        bool is_heard = check(&f, IN, &packet).refusal == WRN_POLICY_NONE;
        low = is_heard ? middle : low;
        high = is_heard ? high : middle;
        finish(&f);
    }
    return low;
}

static void tcp_is_followed_to_its_end(void **state) {
    static const struct {
        size_t count;
        struct step steps[6];
        uint32_t loose_s, strict_s; /* 0: not heard */
    } cases[] = {
        {1, {{OUT, SYN}}, 60, 60},
        {2, {{OUT, SYN}, {IN, SYN | ACK}}, 60, 60},
        {3, {{OUT, SYN}, {IN, SYN | ACK}, {IN, ACK}}, 60, 60},
        {3, {{OUT, SYN}, {IN, SYN | ACK}, {OUT, ACK}}, 7440, 7440},
        {3, {{OUT, SYN}, {IN, SYN | ACK}, {OUT, SYN}}, 7440, 7440},
        {2, {{OUT, SYN}, {IN, RST | ACK}}, 30, 30},
        {4, {{OUT, SYN}, {IN, SYN | ACK}, {OUT, ACK}, {OUT, FIN | ACK}}, 240, 240},
        {4, {{OUT, SYN}, {IN, SYN | ACK}, {OUT, ACK}, {IN, FIN | ACK}}, 240, 240},
        {5, {{OUT, SYN}, {IN, SYN | ACK}, {OUT, ACK}, {IN, FIN | ACK}, {OUT, FIN | ACK}}, 30, 30},
        {5, {{OUT, SYN}, {IN, SYN | ACK}, {OUT, ACK}, {IN, FIN | ACK}, {IN, FIN | ACK}}, 240, 240},
        {6, {{OUT, SYN}, {IN, SYN | ACK}, {OUT, ACK}, {IN, FIN}, {OUT, FIN}, {OUT, SYN}}, 60, 60},
        {4, {{OUT, SYN}, {IN, SYN | ACK}, {OUT, ACK}, {OUT, RST}}, 30, 30},
        {5, {{OUT, SYN}, {IN, SYN | ACK}, {OUT, ACK}, {OUT, RST}, {OUT, ACK}}, 30, 30},
        /* a connection from before this program started, or from under wider rights */
        {1, {{OUT, ACK}}, 60, 0},
        {1, {{OUT, SYN | ACK}}, 60, 0},
        {3, {{OUT, ACK}, {IN, ACK}, {OUT, ACK}}, 7440, 0},
        {1, {{OUT, RST}}, 0, 0},
        {1, {{OUT, SYN | RST}}, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        uint32_t loose_s = heard_s(cases[i].steps, cases[i].count, false);
        uint32_t strict_s = heard_s(cases[i].steps, cases[i].count, true);
        CHECK(loose_s == cases[i].loose_s && strict_s == cases[i].strict_s, "case %zu: %u, %u: ", i,
              loose_s, strict_s);
    }
}

static void packets_do_not_prolong_the_end(void **state) {
    (void)state;
    struct fixture f = start(64, "(allow)", "");
    pair_up(&f, false);
    PASSES(OUT, packet_tcp(A, 40000, B, 22, SYN));
    PASSES(IN, packet_tcp(B, 22, A, 40000, RST));
    for (int i = 0; i < WRN_POLICY_TCP_CLOSED_S; i++) {
        pass_s(&f, 1);
        PASSES(IN, packet_tcp(B, 22, A, 40000, ACK));
    }
    pass_s(&f, 1);
    REFUSED(NO_PROTOCOL, IN, packet_tcp(B, 22, A, 40000, ACK));
    finish(&f);
}

/* ---- Rights that change */

static void no_note_is_taken_where_none_is_needed(void **state) {
    (void)state;
    struct fixture f = start(64, "(allow udp) (allow tcp '22')", "(allow udp) (allow tcp '22')");
    pair_up(&f, false);
    PASSES(OUT, packet_udp(A, 1, B, 2));
    PASSES(IN, packet_udp(B, 2, A, 1));
    PASSES(OUT, packet_tcp(A, 22, B, 22, SYN));
    assert_int_equal(atomic_load(&f.counts.begun), 0);
    PASSES(OUT, packet_tcp(A, 23, B, 22, SYN));
    assert_int_equal(atomic_load(&f.counts.begun), 1);
    f.ours = f.theirs = packet_rules("(allow)");
    pair_up(&f, false);
    assert_true(wrn_policy_is_open(&f.pair));
    PASSES(OUT, packet_tcp(A, 24, B, 22, SYN));
    PASSES(OUT, (struct packet){.size = 0});
    assert_int_equal(atomic_load(&f.counts.begun), 1);
    finish(&f);
}

/* While both may send everything nothing is noted. Then B's right is taken: what B has under way
 * ends at once, and TCP of before does not come back by what A still sends on it. */
static void narrowed_rights_cut_at_once(void **state) {
    (void)state;
    struct fixture f = start(64, "(allow)", "(allow)");
    pair_up(&f, false);
    PASSES(IN, packet_tcp(B, 40000, A, 22, SYN));
    PASSES(OUT, packet_tcp(A, 22, B, 40000, SYN | ACK));
    PASSES(IN, packet_tcp(B, 40000, A, 22, ACK));
    f.theirs = packet_rules("(allow udp '53')");
    pair_up(&f, true);
    REFUSED(NO_PROTOCOL, IN, packet_tcp(B, 40000, A, 22, ACK));
    PASSES(OUT, packet_tcp(A, 22, B, 40000, ACK)); /* A's own right */
    REFUSED(NO_PROTOCOL, IN, packet_tcp(B, 40000, A, 22, ACK));
    /* what A begins from now on is answered */
    PASSES(OUT, packet_tcp(A, 40001, B, 80, SYN));
    PASSES(IN, packet_tcp(B, 80, A, 40001, SYN | ACK));
    finish(&f);
}

/* An answer needs the right of the one that it answers, now. */
static void answers_end_with_the_right_to_ask(void **state) {
    (void)state;
    struct fixture f = start(64, "(allow tcp)", "");
    pair_up(&f, false);
    PASSES(OUT, packet_tcp(A, 40000, B, 80, SYN));
    PASSES(IN, packet_tcp(B, 80, A, 40000, SYN | ACK));
    PASSES(OUT, packet_tcp(A, 40001, B, 22, SYN));
    f.ours = packet_rules("(allow tcp '22')");
    pair_up(&f, true);
    REFUSED(NO_PROTOCOL, IN, packet_tcp(B, 80, A, 40000, ACK));
    REFUSED(NO_PORT, OUT, packet_tcp(A, 40000, B, 80, ACK));
    PASSES(IN, packet_tcp(B, 22, A, 40001, SYN | ACK));
    /* and goes on with it, if it comes back */
    f.ours = packet_rules("(allow)");
    pair_up(&f, false);
    PASSES(IN, packet_tcp(B, 80, A, 40000, ACK));
    finish(&f);
}

/* ---- ICMP errors */

static void errors_belong_to_conversations(void **state) {
    static const struct {
        const char *a, *b;
        uint8_t unreachable, redirect;
    } ends[] = {{A, B, 3, 5}, {A6, B6, 1, 137}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const char *a = ends[i].a, *b = ends[i].b;
        uint8_t type = ends[i].unreachable;
        size_t header = i == 0 ? 20 : 40;
        struct fixture f = start(64, "(allow)", "(allow udp '53')");
        pair_up(&f, false);
        struct packet asked = packet_udp(a, 1000, b, 123), other = packet_udp(a, 1000, b, 124);
        REFUSED(UNKNOWN_QUOTE, IN, packet_error(b, a, type, &asked, 999));
        PASSES(OUT, asked);
        PASSES(IN, packet_error(b, a, type, &asked, 999));
        PASSES(IN, packet_error(b, a, type, &asked, header + 8));
        /* a router behind B says it */
        PASSES(IN, packet_error(i == 0 ? "10.9.9.9" : "fd00::99", a, type, &asked, 999));
        REFUSED(BAD_QUOTE, IN, packet_error(b, a, type, &asked, header + 7));
        REFUSED(BAD_QUOTE, IN, packet_error(b, a, type, &asked, 0));
        REFUSED(UNKNOWN_QUOTE, IN, packet_error(b, a, type, &other, 999));
        REFUSED(NO_PROTOCOL, IN, packet_error(b, a, ends[i].redirect, &asked, 999));
        /* it must be for the one that sent what is quoted */
        REFUSED(BAD_QUOTE, IN, packet_error(b, i == 0 ? "10.1.0.3" : "fd00::3", type, &asked, 999));
        struct packet swapped = packet_udp(b, 123, a, 1000);
        REFUSED(BAD_QUOTE, IN, packet_error(b, a, type, &swapped, 999));
        /* about what A answered to B, who had begun */
        struct packet answer = packet_udp(a, 53, b, 2000);
        PASSES(IN, packet_udp(b, 2000, a, 53));
        PASSES(IN, packet_error(b, a, type, &answer, 999));
        /* an echo, and never an error about an error */
        struct packet echo = packet_icmp(a, b, i == 0 ? 8 : 128, 9);
        PASSES(OUT, echo);
        PASSES(IN, packet_error(b, a, type, &echo, 999));
        struct packet error = packet_error(a, b, type, &swapped, 200);
        REFUSED(UNKNOWN_QUOTE, IN, packet_error(b, a, type, &error, 999));
        /* the conversation ends, and errors about it */
        pass_s(&f, 31);
        REFUSED(UNKNOWN_QUOTE, IN, packet_error(b, a, type, &asked, 999));
        finish(&f);
    }
}

/* Both may send UDP, so no note is taken; errors pass all the same. */
static void errors_need_no_note_where_packets_need_none(void **state) {
    (void)state;
    struct fixture f = start(64, "(allow udp)", "(allow udp)");
    pair_up(&f, false);
    struct packet asked = packet_udp(A, 1000, B, 123);
    PASSES(OUT, asked);
    PASSES(IN, packet_error(B, A, 3, &asked, 999));
    struct packet tcp = packet_tcp(A, 1000, B, 123, SYN);
    REFUSED(UNKNOWN_QUOTE, IN, packet_error(B, A, 3, &tcp, 999));
    finish(&f);
}

static void errors_do_not_prolong(void **state) {
    (void)state;
    struct fixture f = start(64, "(allow)", "");
    pair_up(&f, false);
    struct packet asked = packet_udp(A, 1000, B, 123);
    PASSES(OUT, asked);
    pass_s(&f, 20);
    PASSES(IN, packet_error(B, A, 3, &asked, 999));
    pass_s(&f, 20);
    REFUSED(NO_PROTOCOL, IN, packet_udp(B, 123, A, 1000));
    finish(&f);
}

/* ---- Fragments */

static void later_fragments_follow_the_first(void **state) {
    static const char *const ends[][2] = {{A, B}, {A6, B6}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct fixture f = start(64, "", "(allow udp '53')");
        pair_up(&f, false);
        struct packet whole = packet_udp(ends[i][1], 1, ends[i][0], 53);
        struct packet forbidden = packet_udp(ends[i][1], 1, ends[i][0], 54);
        uint8_t more[512] = {0};
        packet_put(&whole, 17, more, sizeof more);
        packet_put(&forbidden, 17, more, sizeof more);
        /* packet_put has written where the payload is; the header says UDP again */
        whole.bytes[i == 0 ? 9 : 6] = forbidden.bytes[i == 0 ? 9 : 6] = 17;
        struct packet first = packet_fragment(&whole, 0, 256, 77);
        struct packet later = packet_fragment(&whole, 256, 256, 77);
        struct packet last = packet_fragment(&whole, 512, PACKET_ALL, 77);
        REFUSED(UNKNOWN_FRAGMENT, IN, later);
        REFUSED(NO_PORT, IN, packet_fragment(&forbidden, 0, 256, 77));
        REFUSED(UNKNOWN_FRAGMENT, IN, later);
        PASSES(IN, first);
        PASSES(IN, last);
        PASSES(IN, later);
        REFUSED(UNKNOWN_FRAGMENT, IN, packet_fragment(&whole, 256, 256, 78));
        REFUSED(UNKNOWN_FRAGMENT, OUT, later);
        pass_s(&f, WRN_POLICY_FRAGMENTS_S + 1);
        REFUSED(UNKNOWN_FRAGMENT, IN, later);
        finish(&f);
    }
}

static void fragments_of_answers_pass(void **state) {
    (void)state;
    struct fixture f = start(64, "(allow udp)", "");
    pair_up(&f, false);
    struct packet answer = packet_udp(B, 53, A, 1000);
    struct packet first = packet_fragment(&answer, 0, 64, 5);
    struct packet later = packet_fragment(&answer, 64, PACKET_ALL, 5);
    REFUSED(NO_PROTOCOL, IN, first);
    REFUSED(UNKNOWN_FRAGMENT, IN, later);
    PASSES(OUT, packet_udp(A, 1000, B, 53));
    PASSES(IN, first);
    PASSES(IN, later);
    finish(&f);
}

/* Our predecessors let everything through behind an extension header. */
static void extension_headers_are_no_way_round(void **state) {
    static const uint8_t kinds[] = {0, 43, 44, 60};
    (void)state;
    struct fixture f = start(64, "", "(allow tcp '22') (allow '59') (allow '60') (allow '44')");
    pair_up(&f, false);
    for (size_t i = 0; i < WRN_COUNT(kinds); i++) {
        for (unsigned port = 22; port <= 23; port++) {
            struct packet packet = packet_start(B6, A6);
            uint8_t extension[8] = {6, 0, kinds[i] == 43 ? 1 : 0},
                    tcp[20] = {[12] = 0x50, [13] = 2};
            wrn_store_be16(tcp + 2, (uint16_t)port);
            packet_put(&packet, kinds[i], extension, sizeof extension);
            packet_put(&packet, 6, tcp, sizeof tcp);
            if (port == 22) {
                PASSES(IN, packet);
            } else {
                REFUSED(NO_PORT, IN, packet);
            }
        }
    }
    finish(&f);
}

/* ---- Full tables */

static void full_buckets_forget_the_least(void **state) {
    (void)state;
    struct fixture f = start(4, "(allow)", "(allow tcp '1')");
    pair_up(&f, false);
    /* two that are answered, one of which ends sooner, and two that are not */
    PASSES(OUT, packet_udp(A, 1, B, 10));
    PASSES(IN, packet_udp(B, 10, A, 1));
    pass_s(&f, 1);
    PASSES(OUT, packet_udp(A, 2, B, 10));
    PASSES(IN, packet_udp(B, 10, A, 2));
    PASSES(OUT, packet_udp(A, 3, B, 10));
    pass_s(&f, 1);
    PASSES(OUT, packet_tcp(A, 4, B, 10, SYN));
    assert_int_equal(wrn_policy_conversations(&f.policy, f.now), 4);
    assert_int_equal(atomic_load(&f.counts.evicted), 0);
    PASSES(OUT, packet_udp(A, 5, B, 10)); /* takes 3's place: no answer, and ends first */
    assert_int_equal(atomic_load(&f.counts.evicted), 1);
    REFUSED(NO_PROTOCOL, IN, packet_udp(B, 10, A, 3));
    PASSES(IN, packet_udp(B, 10, A, 5));
    PASSES(IN, packet_tcp(B, 10, A, 4, SYN | ACK));
    PASSES(IN, packet_udp(B, 10, A, 1));
    PASSES(IN, packet_udp(B, 10, A, 2));
    /* all answered: what ends soonest goes, TCP that is opening */
    PASSES(OUT, packet_udp(A, 6, B, 10));
    assert_int_equal(atomic_load(&f.counts.evicted), 2);
    REFUSED(NO_PORT, IN, packet_tcp(B, 10, A, 4, SYN | ACK));
    /* what has ended gives way to all, and is not counted */
    pass_s(&f, 31);
    PASSES(OUT, packet_udp(A, 7, B, 10));
    assert_int_equal(atomic_load(&f.counts.evicted), 2);
    assert_int_equal(wrn_policy_conversations(&f.policy, f.now), 4);
    finish(&f);
}

/* A flood of beginnings drives out beginnings, not what is answered, though that ends sooner. */
static void floods_do_not_end_what_is_answered(void **state) {
    (void)state;
    struct fixture f = start(64, "(allow)", "");
    pair_up(&f, false);
    PASSES(OUT, packet_udp(A, 1, B, 10));
    PASSES(IN, packet_udp(B, 10, A, 1));
    pass_s(&f, WRN_POLICY_ANSWERED_S - 30);
    for (unsigned i = 0; i < 10000; i++) {
        PASSES(OUT, packet_tcp(A, 2 + i, B, 80, SYN));
    }
    assert_true(atomic_load(&f.counts.evicted) > 9900);
    assert_int_equal(wrn_policy_conversations(&f.policy, f.now), 64);
    PASSES(IN, packet_udp(B, 10, A, 1));
    finish(&f);
}

/* ---- Trace */

static struct wrn_policy_verdict ask(const struct fixture *f, enum wrn_policy_direction direction,
                                     const char *from, uint16_t source_port, const char *to,
                                     uint16_t destination_port, uint8_t protocol) {
    struct wrn_prefix source, destination;
    assert_int_equal(wrn_prefix_parse((wrn_span){(const uint8_t *)from, strlen(from)}, &source), 0);
    assert_int_equal(wrn_prefix_parse((wrn_span){(const uint8_t *)to, strlen(to)}, &destination),
                     0);
    struct wrn_policy_question question = {source.ip, destination.ip, protocol, source_port,
                                           destination_port};
    return wrn_policy_trace(&f->policy, &f->pair, direction, f->now, &question);
}

static void trace_names_what_decides(void **state) {
    (void)state;
    struct fixture f = start(64, "(allow icmp) (allow tcp '22')", "(allow udp '53')");
    pair_up(&f, false);
    struct wrn_policy_verdict verdict = ask(&f, OUT, A, 1000, B, 22, 6);
    assert_int_equal(verdict.refusal, WRN_POLICY_NONE);
    assert_int_equal(verdict.ground, WRN_POLICY_BY_RULE);
    assert_int_equal(verdict.whose, WRN_POLICY_OUT);
    assert_int_equal(verdict.element, 1);
    assert_int_equal(ask(&f, OUT, A, 1, B, 23, 6).refusal, WRN_POLICY_NO_PORT);
    assert_int_equal(ask(&f, OUT, A, 1, B, 23, 17).refusal, WRN_POLICY_NO_PROTOCOL);
    assert_int_equal(ask(&f, OUT, A, 1, B6, 22, 6).refusal, WRN_POLICY_NOT_IP);
    assert_int_equal(ask(&f, OUT, A, 0, B, 8, 1).element, 0);
    assert_int_equal(ask(&f, OUT, A, 0, B, 0, 47).refusal, WRN_POLICY_NO_PROTOCOL);
    /* asking begins nothing */
    assert_int_equal(wrn_policy_conversations(&f.policy, f.now), 0);
    assert_int_equal(ask(&f, IN, B, 22, A, 1000, 6).refusal, WRN_POLICY_NO_PROTOCOL);
    PASSES(OUT, packet_tcp(A, 1000, B, 22, SYN));
    verdict = ask(&f, IN, B, 22, A, 1000, 6);
    assert_int_equal(verdict.refusal, WRN_POLICY_NONE);
    assert_int_equal(verdict.ground, WRN_POLICY_BY_ANSWER);
    assert_int_equal(verdict.whose, WRN_POLICY_OUT);
    assert_int_equal(verdict.element, 1);
    pass_s(&f, WRN_POLICY_TCP_OPENING_S + 1); /* and prolongs nothing */
    assert_int_equal(ask(&f, IN, B, 22, A, 1000, 6).refusal, WRN_POLICY_NO_PROTOCOL);
    finish(&f);
}

static void who_may_everything_may_it_unread(void **state) {
    (void)state;
    struct fixture f = start(64, "(allow)", "(allow udp '53')");
    pair_up(&f, false);
    struct packet bad = packet_tcp(A, 1, B, 2, SYN);
    bad.size = 30;
    PASSES(OUT, bad);
    REFUSED(CUT_SHORT, IN, bad);
    struct packet whole = packet_udp(A, 1, B, 2);
    PASSES(OUT, packet_fragment(&whole, 64, PACKET_ALL, 1));
    REFUSED(UNKNOWN_FRAGMENT, IN, packet_fragment(&whole, 64, PACKET_ALL, 1));
    finish(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_of_the_sender_decide),
        cmocka_unit_test(nobody_without_rights_sends_anything),
        cmocka_unit_test(answers_pass_and_nothing_else),
        cmocka_unit_test(our_answers_pass_too),
        cmocka_unit_test(other_peers_do_not_answer),
        cmocka_unit_test(nobody_asks_for_another),
        cmocka_unit_test(silence_ends_conversations),
        cmocka_unit_test(nothing_lives_for_ever),
        cmocka_unit_test(tcp_is_followed_to_its_end),
        cmocka_unit_test(packets_do_not_prolong_the_end),
        cmocka_unit_test(no_note_is_taken_where_none_is_needed),
        cmocka_unit_test(narrowed_rights_cut_at_once),
        cmocka_unit_test(answers_end_with_the_right_to_ask),
        cmocka_unit_test(errors_belong_to_conversations),
        cmocka_unit_test(errors_need_no_note_where_packets_need_none),
        cmocka_unit_test(errors_do_not_prolong),
        cmocka_unit_test(later_fragments_follow_the_first),
        cmocka_unit_test(fragments_of_answers_pass),
        cmocka_unit_test(extension_headers_are_no_way_round),
        cmocka_unit_test(full_buckets_forget_the_least),
        cmocka_unit_test(floods_do_not_end_what_is_answered),
        cmocka_unit_test(trace_names_what_decides),
        cmocka_unit_test(who_may_everything_may_it_unread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
