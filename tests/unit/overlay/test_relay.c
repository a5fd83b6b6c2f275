/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a relay is found at once where there is one, mended when it dies, and serves nobody more
 * than it should. Method: small worlds of relay machines in virtual time (relay_world.c); who has a
 * link to whom, what gets lost and who misbehaves is each test's. */
#include "overlay/relay.h"
#include "unit/base/check.h"
#include "unit/overlay/relay_world.h"

enum { A, B, R, S, T, U, V };
enum { ASK = 1, OFFER, GRANT, REFUSE, CLOSE, KEEP, UNKNOWN };

static const struct wrn_relay_options plain = {.relays = true, .forwards_max = 16, .uses_max = 8};
static const int nobody[] = {-1};

static struct rworld w;

static struct rworld_told *told(uint8_t who, uint8_t of) {
    return &w.nodes[who].told[of];
}

static uint64_t counted(uint8_t node, enum wrn_relay_count count) {
    return wrn_relay_count(w.nodes[node].relay, count);
}

/* Sends a frame and tells whether it came, by the way that the receiver was told or not. */
static bool carries(uint8_t from, uint8_t to) {
    uint8_t inside[40] = {4, from, to};
    uint32_t before = told(to, from)->frames;
    if (told(from, to)->way.kind != WRN_WAY_RELAY) {
        return false;
    }
    rworld_say(&w, from, to, inside, sizeof inside);
    rworld_run(&w, WRN_S(1));
    return told(to, from)->frames == before + 1 && told(to, from)->inside_size == sizeof inside &&
           memcmp(told(to, from)->inside, inside, sizeof inside) == 0;
}

/* A and B each have a direct link to 'relay', 20 ms away. */
static void link_both(uint8_t relay) {
    rworld_link(&w, A, relay, WORLD_DIRECT, 20);
    rworld_link(&w, B, relay, WORLD_DIRECT, 20);
}

/* A and B, each linked to R and S; R is the nearer one for A. */
static void link_to_two(uint64_t seed) {
    rworld_init(&w, check_seed() + seed, &plain);
    link_both(R);
    link_both(S);
    rworld_link(&w, A, R, WORLD_DIRECT, 10);
}

/* A and B, relayed by R for a moment already, their one common neighbour. */
static void relay_by_one(uint64_t seed) {
    rworld_init(&w, check_seed() + seed, &plain);
    link_both(R);
    rworld_search(&w, A, B, (int[]){R, -1});
    rworld_run(&w, WRN_S(1));
}

static void inject_close(uint8_t from, uint8_t to, uint64_t slot) {
    uint8_t close[11] = {WRN_MESSAGE_RELAY, CLOSE};
    wrn_store_be64(close + 2, slot);
    rworld_inject(&w, from, to, false, (wrn_span){close, sizeof close});
}

/* 'relay' tells 'to' that 'peer' wants to be relayed to it. */
static void inject_offer(uint8_t relay, uint8_t to, uint64_t slot, uint8_t peer) {
    uint8_t offer[22] = {WRN_MESSAGE_RELAY, OFFER};
    wrn_store_be64(offer + 2, slot);
    wrn_id_store(w.nodes[peer].id, offer + 10);
    rworld_inject(&w, relay, to, false, (wrn_span){offer, sizeof offer});
}

static void common_neighbour_is_ready_at_once(void **state) {
    (void)state;
    rworld_init(&w, check_seed() + 1, &plain);
    link_both(R);
    wrn_mono began = w.now;
    rworld_search(&w, A, B, (int[]){R, -1});
    rworld_run(&w, WRN_S(1));
    assert_int_equal(told(A, B)->ready, 1);
    assert_int_equal(told(B, A)->ready, 1);
    assert_int_equal(wrn_mono_since(told(A, B)->at, began), WRN_MS(20)); /* one round trip */
    assert_int_equal(wrn_mono_since(told(B, A)->at, began), WRN_MS(20));
    assert_true(told(A, B)->way.slot != told(B, A)->way.slot);
    assert_true(carries(A, B) && carries(B, A));
    assert_true(told(B, A)->came.slot == told(B, A)->way.slot);
    assert_true(told(A, B)->came.slot == told(A, B)->way.slot);
    assert_int_equal(counted(R, WRN_RELAY_COUNT_FORWARDED), 2);
    assert_int_equal(counted(R, WRN_RELAY_COUNT_FORWARDED_BYTES), 2 * (40 + 12));
    assert_int_equal(w.nodes[A].kept[R], 1);
    assert_int_equal(w.nodes[B].kept[R], 1);
}

static void both_may_ask_at_once(void **state) {
    (void)state;
    rworld_init(&w, check_seed() + 2, &plain);
    link_both(R);
    rworld_search(&w, A, B, (int[]){R, -1});
    rworld_search(&w, B, A, (int[]){R, -1});
    rworld_run(&w, WRN_S(1));
    assert_true(carries(A, B) && carries(B, A));
    assert_int_equal(w.nodes[R].sent_messages[REFUSE], 0);
    link_to_two(2); /* by two relays: both are valid */
    rworld_link(&w, B, S, WORLD_DIRECT, 10);
    rworld_search(&w, A, B, (int[]){R, S, -1});
    rworld_search(&w, B, A, (int[]){R, S, -1});
    rworld_run(&w, WRN_S(1));
    assert_int_equal(told(A, B)->ready, 2);
    assert_int_equal(told(B, A)->ready, 2);
    assert_true(carries(A, B) && carries(B, A));
}

static bool drops_to_s(struct rworld *world, const struct rworld_datagram *datagram) {
    (void)world;
    return datagram->to == S;
}

/* Nodes that A asks without knowing whether they know B: two at a time, but one slot will do. */
static void of_two_grants_one_is_given_back(void **state) {
    (void)state;
    rworld_init(&w, check_seed() + 31, &plain);
    link_both(R);
    link_both(S);
    rworld_search(&w, A, B, nobody);
    rworld_run(&w, WRN_S(1));
    assert_int_equal(w.nodes[R].sent_messages[GRANT] + w.nodes[S].sent_messages[GRANT], 2);
    assert_int_equal(w.nodes[A].sent_messages[CLOSE], 1);
    assert_int_equal(told(A, B)->ready, 1);
    assert_true(carries(A, B));
    told(B, A)->way = told(B, A)->came; /* it was told of both, and of one that it is lost */
    assert_true(carries(B, A));
}

/* Both ends asked another relay, and one of the two is used: the other one is not kept for ever. */
static void a_slot_that_nobody_uses_ends(void **state) {
    (void)state;
    link_to_two(32);
    rworld_link(&w, B, S, WORLD_DIRECT, 10);
    rworld_search(&w, A, B, (int[]){R, S, -1});
    rworld_search(&w, B, A, (int[]){R, S, -1});
    rworld_run(&w, WRN_S(1));
    assert_int_equal(w.nodes[A].sent_messages[CLOSE] + w.nodes[B].sent_messages[CLOSE], 0);
    for (uint32_t i = 0; i < 20; i++) { /* by whichever both know last */
        assert_true(carries(A, B));
        assert_true(carries(B, A));
        told(B, A)->way = told(B, A)->came;
        rworld_run(&w, WRN_S(10));
    }
    assert_int_equal(w.nodes[A].sent_messages[CLOSE] + w.nodes[B].sent_messages[CLOSE], 1);
    assert_true(carries(A, B) && carries(B, A));
}

/* The nodes near A do not know B: while the others are asked, a link to one of B's is made. */
static void a_link_to_theirs_is_made_beside(void **state) {
    (void)state;
    rworld_init(&w, check_seed() + 33, &plain);
    rworld_link(&w, A, S, WORLD_DIRECT, 20);
    rworld_link(&w, A, T, WORLD_DIRECT, 20);
    rworld_link(&w, A, U, WORLD_DIRECT, 20);
    rworld_link(&w, B, R, WORLD_DIRECT, 20);
    w.drops = drops_to_s;
    rworld_search(&w, A, B, (int[]){R, -1});
    rworld_run(&w, WRN_MS(100));
    assert_int_equal(w.nodes[A].want_count, 1);
    rworld_link(&w, A, R, WORLD_DIRECT, 20);
    wrn_relay_on_want_done(w.nodes[A].relay, w.now, w.nodes[A].wants[0].tag, rworld_peer(R),
                           WRN_REASON_NONE);
    rworld_run(&w, WRN_MS(300));
    assert_int_equal(told(A, B)->way.relay.index, R);
    assert_true(carries(A, B));
}

static void nearest_relay_first_then_the_next(void **state) {
    (void)state;
    struct wrn_relay_options unwilling = plain;
    unwilling.relays = false;
    rworld_init(&w, check_seed() + 3, &plain);
    link_both(R);
    link_both(S);
    link_both(T);
    rworld_link(&w, A, S, WORLD_DIRECT, 10);
    rworld_link(&w, A, T, WORLD_DIRECT, 14);
    rworld_restart(&w, S, &unwilling);
    wrn_mono began = w.now;
    rworld_search(&w, A, B, (int[]){R, S, T, -1});
    rworld_run(&w, WRN_S(1));
    assert_int_equal(w.nodes[S].sent_messages[REFUSE], 1);
    assert_int_equal(told(A, B)->way.relay.index, T);
    assert_int_equal(wrn_mono_since(told(A, B)->at, began), WRN_MS(24));
    assert_int_equal(w.nodes[R].sent_messages[GRANT], 0);
}

static void silent_relay_costs_little(void **state) {
    (void)state;
    rworld_init(&w, check_seed() + 4, &plain);
    link_both(R);
    link_both(S);
    rworld_link(&w, A, S, WORLD_DIRECT, 10);
    w.drops = drops_to_s;
    wrn_mono began = w.now;
    rworld_search(&w, A, B, (int[]){R, S, -1});
    rworld_run(&w, WRN_S(3));
    assert_int_equal(told(A, B)->way.relay.index, R);
    assert_int_equal(wrn_mono_since(told(A, B)->at, began), WRN_MS(220)); /* patience, round trip */
    assert_int_equal(told(A, B)->none, 0);
}

static void relay_that_goes_while_it_is_asked(void **state) {
    (void)state;
    rworld_init(&w, check_seed() + 26, &plain);
    link_both(R);
    link_both(S);
    rworld_link(&w, A, S, WORLD_DIRECT, 10);
    w.drops = drops_to_s;
    rworld_search(&w, A, B, (int[]){R, S, -1});
    rworld_run(&w, WRN_MS(50));
    wrn_mono gone = w.now;
    rworld_link(&w, A, S, WORLD_NONE, 0);
    rworld_run(&w, WRN_S(1));
    assert_int_equal(told(A, B)->way.relay.index, R);
    assert_int_equal(wrn_mono_since(told(A, B)->at, gone), WRN_MS(20));
    /* A refusal with a reason that is not known yet is one all the same. */
    rworld_init(&w, check_seed() + 27, &plain);
    rworld_link(&w, A, S, WORLD_DIRECT, 10);
    w.drops = drops_to_s;
    rworld_search(&w, A, B, (int[]){S, -1});
    uint8_t refuse[7] = {WRN_MESSAGE_RELAY, REFUSE, 0, 1, 0, 0, 255};
    rworld_inject(&w, S, A, false, (wrn_span){refuse, sizeof refuse});
    rworld_run(&w, WRN_MS(1));
    assert_int_equal(told(A, B)->none, 1);
    assert_int_equal(told(A, B)->why, WRN_REASON_NO_RELAY);
}

static void who_was_not_named_is_asked_too(void **state) {
    (void)state;
    rworld_init(&w, check_seed() + 5, &plain);
    rworld_link(&w, A, S, WORLD_DIRECT, 10);
    rworld_link(&w, A, T, WORLD_DIRECT, 12);
    rworld_link(&w, A, R, WORLD_DIRECT, 14);
    rworld_link(&w, B, R, WORLD_DIRECT, 14);
    wrn_mono began = w.now;
    rworld_search(&w, A, B, nobody);
    assert_int_equal(w.nodes[A].sent_messages[ASK], 2); /* at once, no more */
    rworld_run(&w, WRN_S(1));
    assert_int_equal(told(A, B)->way.relay.index, R);
    assert_true(wrn_mono_since(told(A, B)->at, began) <= WRN_MS(30));
    assert_true(carries(A, B) && carries(B, A));
}

/* No common neighbour: links to B's relays are asked for one after the other, then a pause. */
static void links_to_their_relays_are_wanted_in_turn(void **state) {
    (void)state;
    struct rworld_node *a = &w.nodes[A];
    rworld_init(&w, check_seed() + 6, &plain);
    rworld_link(&w, A, U, WORLD_DIRECT, 20);
    rworld_link(&w, B, R, WORLD_DIRECT, 20);
    rworld_link(&w, B, S, WORLD_DIRECT, 20);
    rworld_search(&w, A, B, (int[]){S, R, -1});
    rworld_run(&w, WRN_S(1));
    assert_int_equal(a->want_count, 1);
    assert_true(wrn_id_equal(a->wants[0].id, w.nodes[S].id));
    wrn_relay_on_want_done(a->relay, w.now, a->wants[0].tag, WRN_HANDLE_NONE, WRN_REASON_FULL);
    assert_int_equal(a->want_count, 2);
    assert_true(wrn_id_equal(a->wants[1].id, w.nodes[R].id));
    rworld_link(&w, A, R, WORLD_DIRECT, 20);
    wrn_relay_on_want_done(a->relay, w.now, a->wants[1].tag, rworld_peer(R), WRN_REASON_NONE);
    wrn_relay_on_want_done(a->relay, w.now, a->wants[1].tag, rworld_peer(R), WRN_REASON_NONE);
    rworld_run(&w, WRN_S(1));
    assert_int_equal(told(A, B)->way.relay.index, R);
    assert_true(carries(A, B) && carries(B, A));
}

static void search_goes_on_with_pauses(void **state) {
    (void)state;
    struct rworld_node *a = &w.nodes[A];
    wrn_mono rounds[12];
    uint32_t count = 0;
    rworld_init(&w, check_seed() + 7, &plain);
    rworld_search(&w, A, B, (int[]){R, -1});
    while (count < WRN_COUNT(rounds)) {
        if (a->want_count > count) {
            rounds[count] = w.now;
            wrn_relay_on_want_done(a->relay, w.now, a->wants[count % WORLD_WANTS].tag,
                                   WRN_HANDLE_NONE, WRN_REASON_TIMEOUT);
            count++;
        }
        rworld_run(&w, WRN_MS(100));
        assert_true(w.now.ns < WRN_S(3000));
    }
    assert_int_equal(told(A, B)->none, count);
    assert_int_equal(told(A, B)->why, WRN_REASON_NO_RELAY);
    for (uint32_t i = 1; i < count; i++) {
        uint64_t least = i < 6 ? WRN_S(1) << i : WRN_S(60);
        uint64_t pause = wrn_mono_since(rounds[i], rounds[i - 1]);
        CHECK(pause >= least && pause <= least + least / 4 + WRN_MS(200), "pause %u: %llu: ", i,
              (unsigned long long)pause);
    }
    link_both(S); /* a common neighbour at last: it is not waited for the next round */
    rworld_search(&w, A, B, (int[]){S, -1});
    rworld_run(&w, WRN_S(1));
    assert_int_equal(told(A, B)->way.relay.index, S);
    assert_true(carries(A, B));
    uint32_t none = told(A, B)->none;
    rworld_run(&w, WRN_S(300));
    assert_int_equal(told(A, B)->none, none);
}

/* A wanted link that is never answered does not hold up the search. */
static void every_wait_has_an_end(void **state) {
    (void)state;
    rworld_init(&w, check_seed() + 8, &plain);
    rworld_search(&w, A, B, (int[]){R, -1});
    rworld_run(&w, WRN_S(6));
    assert_int_equal(told(A, B)->none, 1);
    /* It comes up too late: held for nobody, it is let go again. */
    rworld_link(&w, A, R, WORLD_DIRECT, 20);
    wrn_relay_forget(w.nodes[A].relay, w.now, rworld_peer(B));
    wrn_relay_on_want_done(w.nodes[A].relay, w.now, w.nodes[A].wants[0].tag, rworld_peer(R),
                           WRN_REASON_NONE);
    rworld_run(&w, WRN_S(301));
    assert_int_equal(w.nodes[A].kept[R], -1);
    assert_true(wrn_relay_due(w.nodes[A].relay).ns == WRN_MONO_NEVER.ns);
}

static uint8_t last_refusal;

/* A grant that A did not ask for would be given back: it is swallowed. */
static bool sees_refusal(struct rworld *world, const struct rworld_datagram *datagram) {
    (void)world;
    if (!datagram->is_frame && datagram->bytes[1] == REFUSE) {
        last_refusal = datagram->bytes[6];
    }
    return !datagram->is_frame && datagram->bytes[1] == GRANT;
}

static enum wrn_reason answer_to_ask(uint8_t target) {
    uint8_t ask[18] = {WRN_MESSAGE_RELAY, ASK, 0, 0, 0, 9};
    wrn_id_store(w.nodes[target].id, ask + 6);
    last_refusal = WRN_REASON_NONE;
    w.drops = sees_refusal;
    rworld_inject(&w, A, R, false, (wrn_span){ask, sizeof ask});
    rworld_run(&w, WRN_MS(500));
    return last_refusal;
}

static void refusals_have_reasons(void **state) {
    (void)state;
    struct wrn_relay_options unwilling = plain;
    unwilling.relays = false;
    rworld_init(&w, check_seed() + 9, &plain);
    rworld_link(&w, A, R, WORLD_DIRECT, 20);
    assert_int_equal(answer_to_ask(B), WRN_REASON_NOBODY_THERE);
    w.nodes[R].is_peer[B] = true; /* known, but no link */
    assert_int_equal(answer_to_ask(B), WRN_REASON_NOBODY_THERE);
    assert_int_equal(answer_to_ask(R), WRN_REASON_SELF);
    assert_int_equal(answer_to_ask(A), WRN_REASON_SELF);
    rworld_link(&w, B, R, WORLD_RELAYED, 20);
    assert_int_equal(answer_to_ask(B), WRN_REASON_RELAY_CHAIN);
    rworld_link(&w, B, R, WORLD_DIRECT, 20);
    wrn_links_of(&w.nodes[R].links, rworld_peer(A))->is_relayed = true;
    uint8_t chained[18] = {WRN_MESSAGE_RELAY, ASK};
    wrn_id_store(w.nodes[B].id, chained + 6);
    rworld_inject(&w, A, R, false, (wrn_span){chained, sizeof chained});
    assert_int_equal(w.nodes[R].sent_messages[GRANT], 0);
    assert_int_equal(w.nodes[R].sent_messages[REFUSE], 6);
    wrn_links_of(&w.nodes[R].links, rworld_peer(A))->is_relayed = false;
    rworld_run(&w, WRN_S(1));
    assert_int_equal(answer_to_ask(B), WRN_REASON_NONE);
    rworld_restart(&w, R, &unwilling);
    assert_int_equal(answer_to_ask(B), WRN_REASON_RELAY_REFUSED);
    assert_int_equal(counted(R, WRN_RELAY_COUNT_REFUSED), 1);
    rworld_run(&w, WRN_S(10));
    for (int i = 0; i < 7; i++) {
        (void)answer_to_ask(B); /* half a second each, two a second are allowed */
    }
    uint8_t ask[18] = {WRN_MESSAGE_RELAY, ASK};
    uint64_t refused = counted(R, WRN_RELAY_COUNT_RATE);
    for (int i = 0; i < 100; i++) {
        rworld_inject(&w, A, R, false, (wrn_span){ask, sizeof ask});
    }
    assert_int_equal(counted(R, WRN_RELAY_COUNT_RATE) - refused, 92);
}

static void one_member_cannot_take_all(void **state) {
    (void)state;
    struct wrn_relay_options few = plain;
    few.forwards_max = 3;
    rworld_init(&w, check_seed() + 10, &few);
    for (uint8_t i = 0; i < WORLD_NODES; i++) {
        if (i != R) {
            rworld_link(&w, i, R, WORLD_DIRECT, 20);
        }
    }
    assert_int_equal(answer_to_ask(B), WRN_REASON_NONE);
    assert_int_equal(answer_to_ask(S), WRN_REASON_NONE);
    assert_int_equal(answer_to_ask(T), WRN_REASON_FULL);
    assert_int_equal(answer_to_ask(B), WRN_REASON_NONE); /* the same pair again */
    w.drops = NULL;
    rworld_search(&w, T, U, (int[]){R, -1}); /* others may */
    rworld_run(&w, WRN_S(1));
    assert_true(carries(T, U));
    rworld_search(&w, U, V, (int[]){R, -1}); /* now it is full for everybody */
    rworld_run(&w, WRN_S(1));
    assert_int_equal(told(U, V)->none, 1);
    assert_int_equal(told(U, V)->why, WRN_REASON_FULL);
}

/* A frame on a slot of somebody else, on none, or of a kind that is not carried. */
static void only_the_owner_of_a_slot_may_use_it(void **state) {
    (void)state;
    uint8_t frame[WRN_DATAGRAM_MAX + 1] = {0};
    wrn_span span = {frame, 40};
    rworld_init(&w, check_seed() + 11, &plain);
    link_both(R);
    rworld_link(&w, S, R, WORLD_DIRECT, 20);
    rworld_search(&w, A, B, (int[]){R, -1});
    rworld_run(&w, WRN_S(1));
    wrn_relayed_write(told(A, B)->way.slot, frame);
    frame[WRN_RELAYED_OVERHEAD] = WRN_FRAME_SEALED;
    rworld_inject(&w, S, R, true, span);
    rworld_inject(&w, B, R, true, span);
    assert_int_equal(counted(R, WRN_RELAY_COUNT_WRONG_PEER), 2);
    rworld_inject(&w, T, R, true, span); /* no link */
    assert_int_equal(counted(R, WRN_RELAY_COUNT_STRANGER), 1);
    for (unsigned kind = 0; kind < 256; kind++) {
        bool is_fine = (kind >= 1 && kind <= 4) || kind == 0x20;
        uint64_t before = counted(R, WRN_RELAY_COUNT_FORWARDED);
        frame[WRN_RELAYED_OVERHEAD] = (uint8_t)kind;
        rworld_inject(&w, A, R, true, span);
        assert_int_equal(counted(R, WRN_RELAY_COUNT_FORWARDED) - before, is_fine ? 1 : 0);
    }
    assert_int_equal(counted(R, WRN_RELAY_COUNT_NOT_FOR_RELAYS), 251);
    frame[WRN_RELAYED_OVERHEAD] = 4;
    rworld_inject(&w, A, R, true, (wrn_span){frame, WRN_DATAGRAM_MAX});
    assert_int_equal(counted(R, WRN_RELAY_COUNT_FORWARDED), 6);
    struct wrn_way way;
    wrn_span inside;
    (void)wrn_relay_on_frame(w.nodes[R].relay, w.now, rworld_peer(A),
                             (wrn_span){frame, WRN_DATAGRAM_MAX + 1}, &inside, &way);
    for (size_t size = 0; size <= WRN_RELAYED_OVERHEAD; size++) {
        rworld_inject(&w, A, R, true, (wrn_span){frame, size});
    }
    assert_int_equal(counted(R, WRN_RELAY_COUNT_MALFORMED), WRN_RELAYED_OVERHEAD + 2);
    assert_int_equal(w.nodes[S].sent_messages[UNKNOWN], 0);
    /* To A a slot from somebody else than its relay means nothing either. */
    rworld_link(&w, S, A, WORLD_DIRECT, 20);
    rworld_inject(&w, S, A, true, span);
    assert_int_equal(told(A, B)->frames, 0);
    assert_int_equal(counted(A, WRN_RELAY_COUNT_WRONG_PEER), 1);
}

static void malformed_messages_are_counted(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 18, 22, 14, 7, 11, 10, 10};
    uint64_t expected = 0;
    rworld_init(&w, check_seed() + 12, &plain);
    link_both(R);
    for (unsigned op = 0; op < 256; op++) {
        for (size_t size = 0; size < 30; size++) {
            uint8_t bytes[30] = {WRN_MESSAGE_RELAY, (uint8_t)op};
            memset(bytes + 2, 1, sizeof bytes - 2);
            expected += op == 0 || op >= WRN_COUNT(sizes) || size != sizes[op] ? 1 : 0;
            rworld_inject(&w, A, R, false, (wrn_span){bytes, size});
        }
    }
    uint8_t no_slot[10] = {WRN_MESSAGE_RELAY, KEEP}, other_kind[10] = {WRN_MESSAGE_PING, KEEP, 1};
    rworld_inject(&w, A, R, false, (wrn_span){no_slot, sizeof no_slot});
    rworld_inject(&w, A, R, false, (wrn_span){other_kind, sizeof other_kind});
    assert_int_equal(counted(R, WRN_RELAY_COUNT_MALFORMED), expected + 2);
}

static void idle_slots_are_kept_and_dead_ends_expire(void **state) {
    (void)state;
    relay_by_one(13);
    for (int i = 0; i < 60; i++) { /* B receives frames, which keeps A's slot, not B's own */
        assert_true(carries(A, B));
        rworld_run(&w, WRN_S(9));
    }
    assert_int_equal(w.nodes[A].sent_messages[KEEP], 0);
    assert_true(w.nodes[B].sent_messages[KEEP] >= 23 && w.nodes[B].sent_messages[KEEP] <= 25);
    rworld_run(&w, WRN_S(600));
    assert_true(carries(A, B) && carries(B, A));
    assert_int_equal(told(A, B)->lost + told(B, A)->lost, 0);
    /* B dies without a word, and R does not notice otherwise. */
    rworld_restart(&w, B, &plain);
    rworld_run(&w, WRN_S(60));
    assert_int_equal(told(A, B)->lost, 0);
    rworld_run(&w, WRN_S(31));
    assert_int_equal(told(A, B)->lost, 1);
}

static void end_that_goes_is_told_to_the_other(void **state) {
    (void)state;
    rworld_init(&w, check_seed() + 14, &plain);
    link_both(R);
    rworld_search(&w, A, B, (int[]){R, -1});
    rworld_run(&w, WRN_S(20));
    struct wrn_way way = told(A, B)->way;
    rworld_link(&w, B, R, WORLD_NONE, 0);
    rworld_run(&w, WRN_S(1));
    assert_int_equal(told(A, B)->lost, 1);
    assert_int_equal(told(A, B)->gone.slot, way.slot);
    assert_int_equal(told(B, A)->lost, 1); /* its own loss of R */
    assert_int_equal(w.nodes[A].sent_messages[CLOSE] + w.nodes[B].sent_messages[CLOSE], 0);
}

/* The relay dies: another common neighbour carries a round trip later. */
static void death_of_a_relay_is_mended_at_once(void **state) {
    (void)state;
    link_to_two(15);
    rworld_search(&w, A, B, (int[]){R, S, -1});
    rworld_run(&w, WRN_S(1));
    assert_true(carries(A, B));
    rworld_run(&w, WRN_S(100));
    assert_int_equal(told(A, B)->way.relay.index, R);
    assert_int_equal(w.nodes[A].want_count, 0); /* S is the spare already */
    wrn_mono died = w.now;
    rworld_link(&w, B, R, WORLD_NONE, 0);
    rworld_link(&w, A, R, WORLD_NONE, 0);
    rworld_run(&w, WRN_S(1));
    assert_int_equal(told(A, B)->lost, 1);
    assert_int_equal(told(A, B)->way.relay.index, S);
    assert_int_equal(wrn_mono_since(told(A, B)->at, died), WRN_MS(20));
    assert_true(carries(A, B) && carries(B, A));
}

/* With one common neighbour a link to another of the peer's relays is made and held. */
static void spare_is_looked_for(void **state) {
    (void)state;
    struct rworld_node *a = &w.nodes[A];
    rworld_init(&w, check_seed() + 16, &plain);
    link_both(R);
    rworld_link(&w, B, S, WORLD_DIRECT, 20);
    rworld_search(&w, A, B, (int[]){R, S, -1});
    rworld_run(&w, WRN_S(10));
    assert_int_equal(a->want_count, 0); /* not for a relay that is needed for a moment */
    rworld_run(&w, WRN_S(10));
    assert_int_equal(a->want_count, 1);
    assert_true(wrn_id_equal(a->wants[0].id, w.nodes[S].id));
    rworld_link(&w, A, S, WORLD_DIRECT, 20);
    wrn_relay_on_want_done(a->relay, w.now, a->wants[0].tag, rworld_peer(S), WRN_REASON_NONE);
    rworld_run(&w, WRN_S(2000));
    assert_int_equal(a->want_count, 1);
    assert_int_not_equal(a->kept[S], -1);     /* held all the time */
    rworld_link(&w, A, R, WORLD_RELAYED, 20); /* not direct any more: no relay any more */
    rworld_run(&w, WRN_MS(100));
    assert_int_equal(told(A, B)->way.relay.index, S);
    wrn_relay_forget(a->relay, w.now, rworld_peer(B));
    rworld_run(&w, WRN_S(310));
    assert_int_equal(a->kept[S], -1);
    assert_int_equal(a->kept[R], -1);
    assert_true(wrn_relay_due(a->relay).ns == WRN_MONO_NEVER.ns);
}

/* It grants and forwards nothing: the ways' pings fail, and it is not asked again for a while. */
static void relay_that_forwards_nothing_is_avoided(void **state) {
    (void)state;
    link_to_two(17);
    rworld_search(&w, A, B, (int[]){R, S, -1});
    rworld_run(&w, WRN_S(1));
    struct wrn_way way = told(A, B)->way;
    assert_int_equal(way.relay.index, R);
    wrn_relay_on_bad(w.nodes[A].relay, w.now, rworld_peer(B), &way);
    wrn_relay_on_bad(w.nodes[A].relay, w.now, rworld_peer(B), &way);
    rworld_run(&w, WRN_S(1));
    assert_int_equal(told(A, B)->lost, 0);
    assert_int_equal(told(B, A)->lost, 1); /* the other end is told */
    assert_int_equal(told(A, B)->way.relay.index, S);
    rworld_search(&w, A, T, (int[]){R, S, -1}); /* for others R comes last, though it is nearer */
    assert_int_equal(w.nodes[A].sent_messages[ASK], 3);
    rworld_run(&w, WRN_MS(15));
    assert_int_equal(w.nodes[R].sent_messages[REFUSE], 0);
    rworld_run(&w, WRN_MS(100));
    assert_int_equal(w.nodes[S].sent_messages[REFUSE], 1);
    assert_int_equal(w.nodes[R].sent_messages[REFUSE], 1);
    rworld_link(&w, A, S, WORLD_NONE, 0); /* R is not asked before a pause: maybe B was away */
    assert_int_equal(w.nodes[R].sent_messages[GRANT], 1);
    rworld_run(&w, WRN_S(10));
    assert_int_equal(w.nodes[R].sent_messages[GRANT], 2);
    assert_int_equal(told(A, B)->way.relay.index, R);
    assert_true(carries(A, B));
}

/* Who searches again though a relay is ready has tried it: so too without being told in words. */
static void searching_again_calls_a_quiet_relay_bad(void **state) {
    (void)state;
    const int relays[] = {R, S, -1};
    link_to_two(28);
    rworld_search(&w, A, B, relays);
    rworld_run(&w, WRN_S(1));
    rworld_search(&w, A, B, relays); /* too early to know */
    rworld_run(&w, WRN_S(1));
    assert_int_equal(told(A, B)->ready, 2);
    assert_int_equal(told(A, B)->way.relay.index, R);
    rworld_run(&w, WRN_S(2));
    rworld_search(&w, A, B, relays);
    rworld_run(&w, WRN_S(1));
    assert_int_equal(told(A, B)->way.relay.index, S);
    assert_true(carries(A, B) && carries(B, A));
    rworld_run(&w, WRN_S(100));
    assert_true(carries(B, A));
    rworld_search(&w, A, B, relays); /* heard just now */
    rworld_run(&w, WRN_S(1));
    assert_int_equal(told(A, B)->way.relay.index, S);
    /* A peer that is away: no relay helps; who asks for one is asked in longer and longer pauses */
    rworld_init(&w, check_seed() + 29, &plain);
    link_both(R);
    for (int i = 0; i < 200; i++) {
        rworld_search(&w, A, B, (int[]){R, -1});
        rworld_run(&w, WRN_S(3));
    }
    assert_in_range(w.nodes[A].sent_messages[ASK], 8, 20);
    bool is_back = false; /* it is back: soon it is relayed */
    for (int i = 0; i < 30 && !is_back; i++) {
        rworld_search(&w, A, B, (int[]){R, -1});
        rworld_run(&w, WRN_S(3));
        is_back = carries(B, A);
    }
    assert_true(carries(B, A) && carries(A, B));
}

/* One that closes what it just granted is not asked again at once: no storm of requests. */
static void hasty_relay_makes_no_storm(void **state) {
    (void)state;
    rworld_init(&w, check_seed() + 18, &plain);
    link_both(R);
    rworld_search(&w, A, B, (int[]){R, -1});
    for (int i = 0; i < 600; i++) {
        rworld_run(&w, WRN_MS(100));
        if (told(A, B)->way.kind == WRN_WAY_RELAY) {
            inject_close(R, A, told(A, B)->way.slot);
        }
    }
    assert_true(w.nodes[A].sent_messages[ASK] <= 5);
    link_to_two(30); /* with another one beside it that goes soon after */
    rworld_search(&w, A, B, (int[]){R, S, -1});
    rworld_run(&w, WRN_MS(100));
    inject_close(R, A, told(A, B)->way.slot);
    rworld_run(&w, WRN_S(6));
    assert_int_equal(told(A, B)->way.relay.index, S);
    rworld_link(&w, A, S, WORLD_NONE, 0);
    rworld_run(&w, WRN_S(1));
    assert_int_equal(w.nodes[R].sent_messages[GRANT], 1);
}

static void forgotten_peer_is_heard_for_a_while(void **state) {
    (void)state;
    relay_by_one(19);
    wrn_relay_forget(w.nodes[A].relay, w.now, rworld_peer(B));
    rworld_run(&w, WRN_S(2));
    for (int i = 0; i < 8; i++) { /* B still uses it: wait */
        assert_true(carries(B, A));
        rworld_run(&w, WRN_S(2));
    }
    assert_int_equal(told(B, A)->lost, 0);
    rworld_run(&w, WRN_S(12));
    assert_int_equal(told(B, A)->lost, 1);
    assert_int_equal(told(A, B)->lost, 0); /* who forgets is told nothing */
    rworld_search(&w, A, B, (int[]){R, -1});
    rworld_run(&w, WRN_S(1));
    assert_true(carries(B, A) && carries(A, B));
    wrn_relay_forget(w.nodes[A].relay, w.now, rworld_peer(B));
    for (int i = 0; i < 70 && told(B, A)->lost == 1; i++) { /* but not for ever */
        (void)carries(B, A);
    }
    assert_int_equal(told(B, A)->lost, 2);
    rworld_search(&w, A, B, (int[]){R, -1});
    rworld_run(&w, WRN_S(1));
    wrn_relay_forget(w.nodes[A].relay, w.now, rworld_peer(B));
    w.nodes[A].is_peer[B] = false; /* gone: what still comes is nobody's */
    assert_false(carries(B, A));
    assert_int_equal(w.nodes[A].kept[R], 1);
    rworld_run(&w, WRN_S(400));
    assert_int_equal(w.nodes[A].kept[R], -1);
}

/* The offer comes before its target knows who asks: the first frame brings it again. */
static void early_offer_comes_again(void **state) {
    (void)state;
    rworld_init(&w, check_seed() + 20, &plain);
    link_both(R);
    rworld_search(&w, A, B, (int[]){R, -1});
    w.nodes[B].is_peer[A] = false;
    rworld_run(&w, WRN_S(1));
    assert_int_equal(told(B, A)->ready, 0);
    assert_int_equal(counted(B, WRN_RELAY_COUNT_IGNORED_OFFER), 1);
    w.nodes[B].is_peer[A] = true;
    assert_false(carries(A, B)); /* this one is lost */
    assert_int_equal(told(B, A)->ready, 1);
    assert_true(carries(A, B) && carries(B, A));
}

static uint8_t lost_op;

static bool drops_one_op(struct rworld *world, const struct rworld_datagram *datagram) {
    (void)world;
    bool is_it = lost_op != 0 && !datagram->is_frame && datagram->bytes[1] == lost_op;
    lost_op = is_it ? 0 : lost_op;
    return is_it;
}

static void any_message_may_get_lost(void **state) {
    (void)state;
    for (uint8_t op = ASK; op <= UNKNOWN; op++) {
        rworld_init(&w, check_seed() + 21, &plain);
        link_both(R);
        w.drops = drops_one_op;
        lost_op = op;
        rworld_search(&w, A, B, (int[]){R, -1});
        rworld_run(&w, WRN_S(5)); /* a lost request costs a pause */
        (void)carries(A, B);
        CHECK(carries(A, B) && carries(B, A), "message %u: ", op);
        rworld_restart(&w, R, &plain); /* forgets its pairs; frames find that out */
        for (int i = 0; i < 100 && !(carries(A, B) && carries(B, A)); i++) {
            rworld_run(&w, WRN_S(1));
        }
        CHECK(carries(A, B) && carries(B, A), "message %u, afterwards: ", op);
        wrn_relay_forget(w.nodes[A].relay, w.now, rworld_peer(B));
        rworld_run(&w, WRN_S(200));
        CHECK(told(B, A)->way.kind == WRN_WAY_NONE, "message %u, at the end: ", op);
    }
}

/* A relay cannot fill our table with offers; what we look for ourselves goes before. */
static void offers_do_not_keep_out_searches(void **state) {
    (void)state;
    struct wrn_relay_options few = plain;
    few.uses_max = 4;
    rworld_init(&w, check_seed() + 22, &few);
    link_both(R);
    for (uint8_t i = S; i < WORLD_NODES; i++) {
        w.nodes[A].is_peer[i] = true;
        for (uint64_t n = 1; n <= 8; n++) {
            inject_offer(R, A, i * 100 + n, i);
        }
    }
    uint32_t taken = 0;
    for (uint8_t i = 0; i < WORLD_NODES; i++) {
        taken += told(A, i)->ready;
    }
    assert_int_equal(taken, 4);
    rworld_search(&w, A, B, (int[]){R, -1});
    rworld_run(&w, WRN_S(1));
    assert_true(carries(A, B));
    rworld_run(&w, WRN_S(70)); /* the unused ones are given back */
    for (uint8_t i = S; i < WORLD_NODES; i++) {
        assert_int_equal(told(A, i)->way.kind, WRN_WAY_NONE);
    }
    const int relays[] = {R, -1};
    for (uint8_t i = S; i < S + 3; i++) {
        rworld_search(&w, A, i, relays);
    }
    assert_int_equal(
        wrn_relay_search(w.nodes[A].relay, w.now, rworld_peer(V + 1), w.nodes[V + 1].id, NULL, 0),
        WRN_REASON_FULL);
    wrn_relay_forget(w.nodes[A].relay, w.now, rworld_peer(S)); /* makes room at once */
    assert_int_equal(
        wrn_relay_search(w.nodes[A].relay, w.now, rworld_peer(V + 1), w.nodes[V + 1].id, NULL, 0),
        WRN_REASON_NONE);
}

/* A link that neither side wants any more gives its room to one that somebody looks for. */
static void unwanted_links_do_not_keep_out_searches(void **state) {
    (void)state;
    struct wrn_relay_options few = plain;
    few.uses_max = 4;
    rworld_init(&w, check_seed() + 24, &few);
    link_both(R);
    for (uint8_t i = S; i < S + 4; i++) {
        rworld_link(&w, A, i, WORLD_RELAYED, 20);
        struct wrn_link *link = wrn_links_of(&w.nodes[A].links, rworld_peer(i));
        link->mine = i == S + 2 ? WRN_LINK_NEAR : 0;
        link->theirs = i != S + 2 ? WRN_LINK_NEAR : 0;
        rworld_search(&w, A, i, (int[]){R, -1});
    }
    w.nodes[A].is_peer[B] = true;
    const wrn_id *to = &w.nodes[B].id;
    assert_int_equal(
        wrn_relay_search(w.nodes[A].relay, w.now, rworld_peer(B), *to, &w.nodes[R].id, 1),
        WRN_REASON_FULL);
    wrn_links_of(&w.nodes[A].links, rworld_peer(S + 2))->mine = 0;
    assert_int_equal(
        wrn_relay_search(w.nodes[A].relay, w.now, rworld_peer(B), *to, &w.nodes[R].id, 1),
        WRN_REASON_NONE);
    assert_int_equal(wrn_relay_search(w.nodes[A].relay, w.now, rworld_peer(S + 2),
                                      w.nodes[S + 2].id, &w.nodes[R].id, 1),
                     WRN_REASON_FULL);
}

static void lying_relay_cannot_mix_up_slots(void **state) {
    (void)state;
    rworld_init(&w, check_seed() + 23, &plain);
    link_both(R);
    rworld_link(&w, A, S, WORLD_DIRECT, 20);
    rworld_search(&w, A, B, (int[]){R, -1});
    rworld_run(&w, WRN_S(1));
    w.nodes[A].is_peer[T] = true;
    inject_offer(R, A, told(A, B)->way.slot, T); /* the same slot for T */
    assert_int_equal(told(A, T)->ready, 0);
    inject_offer(S, A, told(A, B)->way.slot, T); /* from S it is another one */
    assert_int_equal(told(A, T)->ready, 1);
    assert_int_equal(told(A, T)->way.relay.index, S);
    assert_true(carries(B, A));
    inject_close(S, A, told(A, B)->way.slot);
    assert_int_equal(told(A, T)->lost, 1);
    assert_int_equal(told(A, B)->lost, 0);
    /* The relay itself is no peer to be offered, nor are we. */
    inject_offer(R, A, 77, R);
    inject_offer(R, A, 77, A);
    assert_int_equal(counted(A, WRN_RELAY_COUNT_IGNORED_OFFER), 3);
    /* A grant that nobody asked for is given back. */
    uint8_t grant[14] = {WRN_MESSAGE_RELAY, GRANT, 0, 0, 0, 0, 9, 9};
    uint32_t closed = w.nodes[A].sent_messages[CLOSE];
    rworld_inject(&w, R, A, false, (wrn_span){grant, sizeof grant});
    assert_int_equal(w.nodes[A].sent_messages[CLOSE], closed + 1);
}

static void bytes_of_a_pair_are_limited(void **state) {
    (void)state;
    struct wrn_relay_options slow = plain;
    slow.bytes_per_s = 10000;
    uint8_t inside[988] = {4};
    rworld_init(&w, check_seed() + 24, &slow);
    link_both(R);
    rworld_link(&w, S, R, WORLD_DIRECT, 20);
    rworld_search(&w, A, B, (int[]){R, -1});
    rworld_search(&w, A, S, (int[]){R, -1});
    rworld_run(&w, WRN_S(1));
    for (int i = 0; i < 100; i++) {
        rworld_say(&w, A, B, inside, sizeof inside);
        rworld_run(&w, WRN_MS(10));
    }
    rworld_run(&w, WRN_S(1));
    assert_in_range(told(B, A)->frames, 19, 20); /* a second's worth at once, and one as it goes */
    assert_int_equal(counted(R, WRN_RELAY_COUNT_RATE), 100 - told(B, A)->frames);
    assert_true(carries(A, S)); /* another pair has its own */
    slow.bytes_per_s = 100;     /* less than a frame: now and then one passes */
    rworld_restart(&w, R, &slow);
    bool is_carried = false;
    for (int i = 0; i < 60 && !is_carried; i++) {
        rworld_run(&w, WRN_S(1));
        is_carried = carries(A, B);
    }
    assert_true(is_carried);
    rworld_say(&w, A, B, inside, sizeof inside); /* takes ten seconds' worth */
    rworld_run(&w, WRN_S(2));
    assert_false(carries(A, B));
}

static void lists_the_nearest_relays(void **state) {
    (void)state;
    wrn_id ids[WORLD_NODES];
    struct wrn_relay *relay;
    rworld_init(&w, check_seed() + 25, &plain);
    relay = w.nodes[A].relay;
    assert_int_equal(wrn_relay_list(relay, ids, 4), 0);
    static const uint32_t rtts[] = {0, 0, 40, 10, 30, 5, 20, 0, 50, 1};
    for (uint8_t i = R; i < WORLD_NODES; i++) {
        rworld_link(&w, A, i, i == U ? WORLD_RELAYED : WORLD_DIRECT, rtts[i]);
    }
    wrn_relay_set_willing(relay, rworld_peer(9), false);
    wrn_links_of(&w.nodes[A].links, rworld_peer(S))->is_suspect = true;
    wrn_relay_set_effort(relay, rworld_peer(T), 1); /* before latency */
    wrn_relay_set_effort(relay, rworld_peer(R), 2);
    assert_int_equal(wrn_relay_list(relay, ids, 0), 0);
    static const uint8_t expected[] = {V, 8, 7, T};
    for (size_t room = 1; room <= WRN_COUNT(expected); room++) {
        assert_int_equal(wrn_relay_list(relay, ids, room), room);
        for (size_t i = 0; i < room; i++) {
            assert_true(wrn_id_equal(ids[i], w.nodes[expected[i]].id));
        }
    }
}

/* Whatever comes and goes, with losses: nothing is stuck, and in a healed world the pair is
 * relayed. */
static void random_lives_heal(void **state) {
    (void)state;
    uint64_t seed = check_seed();
    struct wrn_prng prng;
    wrn_prng_init(&prng, seed, 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    const int all[] = {R, S, T, U, -1};
    for (int life = 0; life < 40; life++) {
        rworld_init(&w, wrn_prng_next(&prng), &plain);
        w.loss_percent = wrn_rand_below(rand, 30);
        for (int step = 0; step < 150; step++) {
            uint8_t a = (uint8_t)wrn_rand_below(rand, WORLD_NODES);
            uint8_t b = (uint8_t)((a + 1 + wrn_rand_below(rand, WORLD_NODES - 1)) % WORLD_NODES);
            switch (wrn_rand_below(rand, 8)) {
            case 0:
            case 1:
                if (a >= R || b >= R) {
                    rworld_link(&w, a, b, WORLD_DIRECT, 2 + wrn_rand_below(rand, 100));
                }
                break;
            case 2:
                rworld_link(&w, a, b, WORLD_NONE, 0);
                break;
            case 3:
                wrn_relay_forget(w.nodes[a].relay, w.now, rworld_peer(b));
                break;
            case 4:
                if (told(a, b)->way.kind == WRN_WAY_RELAY) {
                    wrn_relay_on_bad(w.nodes[a].relay, w.now, rworld_peer(b), &told(a, b)->way);
                }
                break;
            case 5:
                (void)carries(a, b);
                break;
            default:
                rworld_search(&w, A, B, all);
                break;
            }
            rworld_run(&w, WRN_MS(1) * wrn_rand_below(rand, 20000));
            uint32_t used = w.nodes[a].want_count;
            if (used > 0 && wrn_rand_below(rand, 2) == 0) {
                wrn_relay_on_want_done(w.nodes[a].relay, w.now,
                                       w.nodes[a].wants[(used - 1) % WORLD_WANTS].tag,
                                       WRN_HANDLE_NONE, WRN_REASON_TIMEOUT);
            }
        }
        w.loss_percent = 0;
        link_both(V);
        rworld_search(&w, A, B, (int[]){V, -1});
        bool is_fine = false; /* V may be avoided for 5 minutes, and a pause follow */
        for (int i = 0; i < 450 && !is_fine; i++) {
            if (told(A, B)->way.kind == WRN_WAY_NONE) {
                rworld_run(&w, WRN_S(1));
            } else if (!carries(A, B)) {
                wrn_relay_on_bad(w.nodes[A].relay, w.now, rworld_peer(B), &told(A, B)->way);
                told(A, B)->way = (struct wrn_way){0};
            } else {
                is_fine = true;
            }
        }
        CHECK(is_fine, "life %d: ", life);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_neighbour_is_ready_at_once),
        cmocka_unit_test(both_may_ask_at_once),
        cmocka_unit_test(of_two_grants_one_is_given_back),
        cmocka_unit_test(a_slot_that_nobody_uses_ends),
        cmocka_unit_test(a_link_to_theirs_is_made_beside),
        cmocka_unit_test(nearest_relay_first_then_the_next),
        cmocka_unit_test(silent_relay_costs_little),
        cmocka_unit_test(relay_that_goes_while_it_is_asked),
        cmocka_unit_test(who_was_not_named_is_asked_too),
        cmocka_unit_test(links_to_their_relays_are_wanted_in_turn),
        cmocka_unit_test(search_goes_on_with_pauses),
        cmocka_unit_test(every_wait_has_an_end),
        cmocka_unit_test(refusals_have_reasons),
        cmocka_unit_test(one_member_cannot_take_all),
        cmocka_unit_test(only_the_owner_of_a_slot_may_use_it),
        cmocka_unit_test(malformed_messages_are_counted),
        cmocka_unit_test(idle_slots_are_kept_and_dead_ends_expire),
        cmocka_unit_test(end_that_goes_is_told_to_the_other),
        cmocka_unit_test(death_of_a_relay_is_mended_at_once),
        cmocka_unit_test(spare_is_looked_for),
        cmocka_unit_test(relay_that_forwards_nothing_is_avoided),
        cmocka_unit_test(searching_again_calls_a_quiet_relay_bad),
        cmocka_unit_test(hasty_relay_makes_no_storm),
        cmocka_unit_test(forgotten_peer_is_heard_for_a_while),
        cmocka_unit_test(early_offer_comes_again),
        cmocka_unit_test(any_message_may_get_lost),
        cmocka_unit_test(offers_do_not_keep_out_searches),
        cmocka_unit_test(unwanted_links_do_not_keep_out_searches),
        cmocka_unit_test(lying_relay_cannot_mix_up_slots),
        cmocka_unit_test(bytes_of_a_pair_are_limited),
        cmocka_unit_test(lists_the_nearest_relays),
        cmocka_unit_test(random_lives_heal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
