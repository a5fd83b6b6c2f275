/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: verdicts are those of a model that knows nothing of tables, intervals and atomics. Method:
 * random dialogues of a few members with few addresses, ports and much chance to meet; the model
 * reads a packet by walking over it anew, asks the tag algebra whether an element covers it, and
 * keeps what was said in a list. Every verdict is compared, and now and then rights change. */
#include <stdio.h>

#include "base/bytes.h"
#include "network/policy_internal.h"
#include "spki/tag.h"
#include "unit/base/check.h"

enum { SAID_MAX = 1 << 14, ELEMENTS_MAX = 4, DIALOGUES = 400, PACKETS = 400, ENTRIES = 1 << 12 };

/* What the model sees in a packet. */
struct seen {
    bool is_readable, is_later, is_first;
    uint8_t family, protocol, flags;
    uint8_t source[16], destination[16];
    unsigned source_port, destination_port; /* ICMP: identifier, type */
    uint32_t id;
    const uint8_t *quote;
    size_t quote_size;
};

/* Something said or a fragment let through, as bytes that are compared whole. */
struct said {
    uint8_t what[64];
    uint64_t end_s;
    int stage; /* UDP and others: 0 asked, 1 answered; TCP: as the model numbers it */
};

struct side {
    struct wrn_sexp elements[ELEMENTS_MAX];
    size_t count;
    struct wrn_policy_rules rules;
};

struct model {
    struct wrn_prng prng;
    struct wrn_policy policy;
    struct wrn_policy_pair pair;
    struct wrn_policy_counts counts;
    struct side sides[2];
    struct said said[SAID_MAX];
    size_t said_count;
    uint64_t now_s;
};

static uint8_t element_bytes[2][ELEMENTS_MAX][512];

static uint64_t draw(struct model *model, uint64_t below) {
    return below > 0 ? wrn_prng_next(&model->prng) % below : 0;
}

/* ---- The model's reader: no bounds of fragments but those of the packets that are made here */

static bool see_transport(const uint8_t *at, size_t size, bool is_quote, struct seen *seen) {
    if (seen->protocol == 6) {
        if (size < (is_quote ? 8u : 20u)) {
            return false;
        }
        seen->flags = is_quote ? 0 : at[13];
    } else if (seen->protocol == 17 || seen->protocol == (seen->family == 4 ? 1 : 58)) {
        if (size < 8) {
            return false;
        }
    } else {
        return true;
    }
    if (seen->protocol == 6 || seen->protocol == 17) {
        seen->source_port = at[0] * 256u + at[1];
        seen->destination_port = at[2] * 256u + at[3];
        return true;
    }
    seen->source_port = at[4] * 256u + at[5];
    seen->destination_port = at[0];
    if (!is_quote && (seen->family == 4 ? at[0] == 3 || at[0] == 11 : at[0] >= 1 && at[0] <= 4)) {
        seen->quote = at + 8;
        seen->quote_size = size - 8;
    }
    return true;
}

static struct seen see(const uint8_t *bytes, size_t size, bool is_quote) {
    struct seen seen = {.family = size > 0 ? bytes[0] >> 4 : 0};
    size_t at = seen.family == 4 ? 20 : 40;
    if ((seen.family != 4 && seen.family != 6) || size < at) {
        return seen;
    }
    size_t end = seen.family == 4 ? bytes[2] * 256u + bytes[3] : 40 + bytes[4] * 256u + bytes[5];
    end = is_quote ? size : end;
    if (end > size) {
        return seen;
    }
    if (seen.family == 4) {
        memcpy(seen.source, bytes + 12, 4);
        memcpy(seen.destination, bytes + 16, 4);
        seen.protocol = bytes[9];
        seen.id = bytes[4] * 256u + bytes[5];
        seen.is_later = (bytes[6] & 0x1f) != 0 || bytes[7] != 0;
        seen.is_first = !seen.is_later && (bytes[6] & 0x20) != 0;
    } else {
        memcpy(seen.source, bytes + 8, 16);
        memcpy(seen.destination, bytes + 24, 16);
        seen.protocol = bytes[6];
        while (seen.protocol == 0 || seen.protocol == 60 || seen.protocol == 44) {
            if (end - at < 8 || (seen.protocol != 44 && end - at < bytes[at + 1] * 8u + 8)) {
                return seen;
            }
            size_t step = 8;
            if (seen.protocol == 44) {
                seen.id = wrn_load_be32(bytes + at + 4);
                seen.is_later = (wrn_load_be16(bytes + at + 2) & 0xfff8) != 0;
                seen.is_first = !seen.is_later && (bytes[at + 3] & 1) != 0;
            } else {
                step += bytes[at + 1] * 8u;
            }
            seen.protocol = bytes[at];
            at += step;
            if (seen.is_later) {
                break;
            }
        }
    }
    seen.is_readable = seen.is_later || see_transport(bytes + at, end - at, is_quote, &seen);
    return seen;
}

/* ---- The model's rules: does an element cover the packet as a request? */

static bool has_ports(const struct seen *seen) {
    return seen->protocol == 6 || seen->protocol == 17;
}

static bool is_icmp(const struct seen *seen) {
    return seen->protocol == (seen->family == 4 ? 1 : 58);
}

/* Returns the first element that does, or -1. */
static int covering(const struct side *side, const struct seen *seen) {
    static uint8_t scratch[WRN_TAG_SIZE_MAX];
    uint8_t out[128];
    char protocol[8], port[8] = "none";
    struct wrn_sexp request;
    snprintf(protocol, sizeof protocol, "%u", seen->protocol);
    if (has_ports(seen) || is_icmp(seen)) {
        snprintf(protocol, sizeof protocol, "%s",
                 is_icmp(seen)         ? "icmp"
                 : seen->protocol == 6 ? "tcp"
                                       : "udp");
        snprintf(port, sizeof port, "%u", seen->destination_port);
    }
    struct wrn_sexp_writer w = wrn_sexp_writer(out, sizeof out);
    wrn_sexp_open(&w, "allow");
    wrn_sexp_put_word(&w, protocol);
    wrn_sexp_put_word(&w, port);
    wrn_sexp_open(&w, seen->family == 4 ? "ip4" : "ip6");
    wrn_sexp_put_bytes(&w, (wrn_span){seen->destination, seen->family == 4 ? 4 : 16});
    wrn_sexp_close(&w);
    wrn_sexp_close(&w);
    assert_int_equal(wrn_sexp_finish(&w, &request), 0);
    for (size_t i = 0; i < side->count; i++) {
        int covers = wrn_tag_covers(side->elements[i], request, scratch, sizeof scratch);
        assert_true(covers >= 0);
        if (covers == 1) {
            return (int)i;
        }
    }
    return -1;
}

/* An element that permits everything, so that packets are not looked at. */
static bool permits_all(const struct side *side) {
    for (size_t i = 0; i < side->count; i++) {
        if (side->elements[i].bytes.size == strlen("(5:allow)")) {
            return true;
        }
    }
    return false;
}

/* ---- The model's memory */

static bool turned(const struct seen *seen, bool is_answer, struct seen *ret_other) {
    static const unsigned queries[][3] = {{4, 8, 0}, {4, 13, 14}, {6, 128, 129}};
    *ret_other = *seen;
    memcpy(ret_other->source, seen->destination, 16);
    memcpy(ret_other->destination, seen->source, 16);
    if (is_icmp(seen)) {
        for (size_t i = 0; i < WRN_COUNT(queries); i++) {
            if (queries[i][0] == seen->family &&
                queries[i][is_answer ? 2 : 1] == seen->destination_port) {
                ret_other->destination_port = queries[i][is_answer ? 1 : 2];
                return true;
            }
        }
        return false;
    }
    ret_other->source_port = seen->destination_port;
    ret_other->destination_port = seen->source_port;
    return !is_answer || seen->protocol != 6 || (seen->flags & 0x12) != 2;
}

static void write_said(const struct seen *seen, int began, bool is_fragment, uint8_t what[64]) {
    memset(what, 0, 64);
    what[0] = (uint8_t)began;
    what[1] = is_fragment;
    what[2] = seen->family;
    what[3] = is_fragment && seen->family == 6 ? 0 : seen->protocol;
    memcpy(what + 4, seen->source, 16);
    memcpy(what + 20, seen->destination, 16);
    if (is_fragment) {
        wrn_store_be32(what + 36, seen->id);
    } else if (has_ports(seen) || is_icmp(seen)) {
        wrn_store_be32(what + 36, seen->source_port);
        wrn_store_be32(what + 40, seen->destination_port);
    }
}

static struct said *recall(struct model *model, const struct seen *seen, int began,
                           bool is_fragment) {
    uint8_t what[64];
    write_said(seen, began, is_fragment, what);
    for (size_t i = 0; i < model->said_count; i++) {
        struct said *said = &model->said[i];
        if (memcmp(said->what, what, sizeof what) == 0 && model->now_s <= said->end_s) {
            return said;
        }
    }
    return NULL;
}

static struct said *remember(struct model *model, const struct seen *seen, int began,
                             bool is_fragment) {
    assert_true(model->said_count < SAID_MAX);
    struct said *said = &model->said[model->said_count++];
    write_said(seen, began, is_fragment, said->what);
    said->stage = 0;
    return said;
}

/* TCP: 0 asked, 1 answered, 2 established, 3 the beginner is done, 4 the other, 5 over. */
static void move_tcp(struct model *model, struct said *said, bool by_beginner, uint8_t flags,
                     bool is_new) {
    static const uint64_t lives[] = {60, 60, 7440, 240, 240, 30};
    int before = said->stage, stage = before;
    bool is_syn = (flags & 0x12) == 2;
    if (is_new) {
        stage = 0;
    } else if (flags & 4) {
        stage = 5;
    } else if (before >= 3 && by_beginner && is_syn) {
        stage = 0;
    } else if ((flags & 1) && before <= 2) {
        stage = by_beginner ? 3 : 4;
    } else if ((flags & 1) && before == (by_beginner ? 4 : 3)) {
        stage = 5;
    } else if (before == 0 && !by_beginner) {
        stage = 1;
    } else if (before == 1 && by_beginner) {
        stage = 2;
    }
    said->stage = stage;
    if (is_new || stage != before || stage != 5) {
        said->end_s = model->now_s + lives[stage];
    }
}

static void move(struct model *model, const struct seen *seen, struct said *said, bool by_beginner,
                 bool is_new) {
    if (seen->protocol == 6) {
        move_tcp(model, said, by_beginner, seen->flags, is_new);
        return;
    }
    said->stage = said->stage || !by_beginner;
    said->end_s = model->now_s + (is_icmp(seen) || !said->stage ? 30 : 180);
}

/* ---- The model's verdict */

struct opinion {
    bool passes;
    int ground, element, whose;
};

static struct opinion error_opinion(struct model *model, const struct seen *seen, int direction) {
    struct seen quoted = see(seen->quote, seen->quote_size, true), asked, answer;
    if (!quoted.is_readable || quoted.is_later || quoted.family != seen->family ||
        memcmp(quoted.source, seen->destination, 16) != 0) {
        return (struct opinion){.passes = false};
    }
    int element = covering(&model->sides[1 - direction], &quoted);
    if (element >= 0 &&
        (recall(model, &quoted, 1 - direction, false) ||
         (turned(&quoted, false, &answer) && covering(&model->sides[direction], &answer) >= 0))) {
        return (struct opinion){true, WRN_POLICY_BY_ICMP_ERROR, element, 1 - direction};
    }
    if (turned(&quoted, true, &asked)) {
        element = covering(&model->sides[direction], &asked);
        if (element >= 0 && recall(model, &asked, direction, false)) {
            return (struct opinion){true, WRN_POLICY_BY_ICMP_ERROR, element, direction};
        }
    }
    return (struct opinion){.passes = false};
}

static struct opinion opinion(struct model *model, const uint8_t *bytes, size_t size,
                              int direction) {
    struct side *side = &model->sides[direction], *other = &model->sides[1 - direction];
    struct seen seen = see(bytes, size, false), turn;
    struct opinion opinion = {.passes = false};
    if (!seen.is_readable || seen.is_later) {
        bool is_known = seen.is_readable && recall(model, &seen, direction, true) != NULL;
        bool is_all = permits_all(side);
        opinion.passes = is_all || is_known;
        opinion.ground = is_all ? WRN_POLICY_BY_RULE : WRN_POLICY_BY_FRAGMENT;
        opinion.element = is_all ? (int)side->rules.rules[0].element : WRN_POLICY_NO_ELEMENT;
        opinion.whose = direction;
        return opinion;
    }
    int element = covering(side, &seen);
    if (element >= 0) {
        opinion = (struct opinion){true, WRN_POLICY_BY_RULE, element, direction};
        bool needs_note = turned(&seen, false, &turn) && covering(other, &turn) < 0;
        struct said *said = needs_note ? recall(model, &seen, direction, false) : NULL;
        bool begins = seen.protocol != 6 || ((seen.flags & 4) == 0 &&
                                             ((seen.flags & 0x12) == 2 || !model->pair.is_strict));
        if (said != NULL) {
            move(model, &seen, said, true, false);
        } else if (needs_note && begins) {
            move(model, &seen, remember(model, &seen, direction, false), true, true);
        }
    } else if (turned(&seen, true, &turn) && (element = covering(other, &turn)) >= 0 &&
               recall(model, &turn, 1 - direction, false) != NULL) {
        opinion = (struct opinion){true, WRN_POLICY_BY_ANSWER, element, 1 - direction};
        move(model, &seen, recall(model, &turn, 1 - direction, false), false, false);
    } else if (seen.quote != NULL) {
        opinion = error_opinion(model, &seen, direction);
    }
    if (opinion.passes && seen.is_first && !permits_all(side)) {
        struct said *said = recall(model, &seen, direction, true);
        said = said != NULL ? said : remember(model, &seen, direction, true);
        said->end_s = model->now_s + 30;
    }
    return opinion;
}

/* ---- Drawing */

static const char *const element_texts[] = {
    "(allow)",
    "(allow tcp)",
    "(allow udp)",
    "(allow icmp)",
    "(allow \"47\")",
    "(allow tcp \"22\")",
    "(allow udp (* range numeric (ge \"1\") (le \"53\")))",
    "(allow (* set tcp udp) (* set \"22\" \"80\"))",
    "(allow (*) (*) (ip4))",
    "(allow (*) (*) (ip6))",
    "(allow tcp (*) (ip4 (* range alpha (ge #0a010002#))))",
    "(allow (*) (*) (ip4 (* prefix #0a0100#)))",
    "(allow icmp (* set \"8\" \"128\"))",
    "(allow (* range numeric))",
    "(member)",
};

static void draw_rights(struct model *model, int direction) {
    struct side *side = &model->sides[direction];
    side->count = draw(model, 4);
    for (size_t i = 0; i < side->count; i++) {
        const char *text = element_texts[draw(model, WRN_COUNT(element_texts))];
        int result =
            wrn_sexp_read(WRN_SEXP_ADVANCED, (wrn_span){(const uint8_t *)text, strlen(text)},
                          element_bytes[direction][i], sizeof element_bytes[0][0],
                          &side->elements[i], NULL, NULL);
        CHECK(result == 0, "%s: ", text);
    }
    assert_int_equal(wrn_policy_compile(side->elements, side->count, &side->rules, NULL),
                     WRN_POLICY_FAULT_OK);
}

static size_t put_transport(struct model *model, uint8_t protocol, uint8_t *at) {
    static const uint8_t flags[] = {2, 2, 18, 16, 16, 16, 17, 4, 20};
    static const uint16_t ports[] = {22, 53, 80, 22, 1000};
    static const uint8_t types[] = {0, 8, 13, 14, 128, 129, 5};
    memset(at, 0, 64);
    if (protocol == 1 || protocol == 58) {
        at[0] = types[draw(model, sizeof types)];
        at[5] = (uint8_t)draw(model, 2);
        return 64;
    }
    if (protocol == 6 || protocol == 17) {
        wrn_store_be16(at, ports[draw(model, WRN_COUNT(ports))]);
        wrn_store_be16(at + 2, ports[draw(model, WRN_COUNT(ports))]);
    }
    if (protocol == 6) {
        at[12] = 0x50;
        at[13] = flags[draw(model, sizeof flags)];
    }
    return 64;
}

/* Begins with the IP header; returns where the rest goes, and in 'ret_next' its number. */
static size_t put_ip(struct model *model, bool is_four, int direction, uint8_t *out,
                     size_t *ret_next) {
    uint8_t from = (uint8_t)(1 + direction), to = (uint8_t)(2 - direction);
    memset(out, 0, 40);
    if (draw(model, 20) == 0) {
        from = (uint8_t)(1 + draw(model, 3));
    }
    if (is_four) {
        out[0] = 0x45;
        wrn_store_be32(out + 12, 0x0a010000u + from);
        wrn_store_be32(out + 16, 0x0a010000u + to);
        *ret_next = 9;
        return 20;
    }
    out[0] = 0x60;
    out[8] = out[24] = 0xfd;
    out[23] = from;
    out[39] = to;
    *ret_next = 6;
    return 40;
}

static void set_length(uint8_t *packet, size_t size) {
    if (packet[0] >> 4 == 4) {
        wrn_store_be16(packet + 2, (uint16_t)size);
    } else {
        wrn_store_be16(packet + 4, (uint16_t)(size - 40));
    }
}

static size_t put_extensions(struct model *model, uint8_t *out, size_t at, size_t *next) {
    static const uint8_t chains[][3] = {{0}, {60}, {0, 60}, {60, 60}};
    size_t which = draw(model, 5 * WRN_COUNT(chains));
    if (which >= WRN_COUNT(chains)) {
        return at;
    }
    for (size_t i = 0; i < 2 && (i == 0 || chains[which][i] != 0); i++) {
        size_t units = draw(model, 2);
        memset(out + at, 0, 16);
        out[*next] = chains[which][i];
        out[at + 1] = (uint8_t)units;
        *next = at;
        at += 8 + units * 8;
    }
    return at;
}

/* Fragments: a first one holds all headers, a later one begins behind 256 bytes. */
static size_t put_fragment(struct model *model, bool is_four, uint8_t *out, size_t at,
                           size_t *next) {
    uint64_t which = draw(model, 5); /* 0: first, 1: later, 2: atomic; else none */
    uint32_t id = (uint32_t)draw(model, 2);
    unsigned offset = which == 1 ? 256 : 0, more = which == 0;
    if (which > 2) {
        return at;
    }
    if (is_four) {
        wrn_store_be16(out + 4, (uint16_t)id);
        wrn_store_be16(out + 6, (uint16_t)(offset / 8 | more << 13));
        return at;
    }
    out[*next] = 44;
    *next = at;
    memset(out + at, 0, 8);
    wrn_store_be16(out + at + 2, (uint16_t)(offset | more));
    wrn_store_be32(out + at + 4, id);
    return at + 8;
}

static size_t draw_packet(struct model *model, int direction, uint8_t *out, bool may_quote) {
    static const uint8_t protocols[] = {6, 6, 6, 17, 17, 1, 58, 47, 50};
    size_t next;
    bool is_four = draw(model, 2) == 0;
    uint8_t protocol = protocols[draw(model, sizeof protocols)];
    size_t at = put_ip(model, is_four, direction, out, &next);
    if (!is_four) {
        at = put_extensions(model, out, at, &next);
    }
    if (may_quote && draw(model, 6) == 0) {
        out[next] = is_four ? 1 : 58;
        memset(out + at, 0, 8);
        out[at] = is_four ? 3 : 1;
        size_t size = draw_packet(model, draw(model, 8) == 0 ? direction : 1 - direction,
                                  out + at + 8, false);
        size -= draw(model, 3) == 0 ? draw(model, size) : 0;
        at += 8 + size;
    } else {
        at = put_fragment(model, is_four, out, at, &next);
        out[next] = protocol;
        at += put_transport(model, protocol, out + at);
    }
    set_length(out, at);
    return draw(model, 50) == 0 ? draw(model, at) : at; /* cut, now and then */
}

static void play(struct model *model, uint64_t *ret_passed) {
    uint8_t packet[1024];
    for (int i = 0; i < PACKETS; i++) {
        int direction = (int)draw(model, 2);
        model->now_s += draw(model, 4) == 0 ? draw(model, 40) : 0;
        if (draw(model, 100) == 0) {
            draw_rights(model, (int)draw(model, 2));
            wrn_policy_pair_init(&model->pair, 1, &model->sides[0].rules, &model->sides[1].rules,
                                 draw(model, 2) == 0);
        }
        size_t size = draw_packet(model, direction, packet, true);
        struct wrn_policy_verdict got = wrn_policy_check(
            &model->policy, &model->pair, (enum wrn_policy_direction)direction,
            (wrn_mono){WRN_S(model->now_s)}, (wrn_span){packet, size}, &model->counts);
        if (wrn_policy_is_open(&model->pair)) {
            assert_int_equal(got.refusal, WRN_POLICY_NONE);
            continue;
        }
        struct opinion right = opinion(model, packet, size, direction);
        CHECK(right.passes == (got.refusal == WRN_POLICY_NONE),
              "packet %d: %s, the model says %d: ", i, wrn_policy_refusal_name(got.refusal),
              right.passes);
        if (right.passes) {
            CHECK(got.ground == right.ground && got.whose == right.whose,
                  "packet %d: %s of %d, not %d of %d: ", i, wrn_policy_ground_name(got.ground),
                  got.whose, right.ground, right.whose);
            (*ret_passed)++;
        }
    }
}

static void verdicts_are_those_of_the_model(void **state) {
    static struct model model;
    static _Alignas(64) uint8_t memory[2 * ENTRIES * sizeof(struct wrn_policy_entry)];
    static const struct wrn_policy_options options = {ENTRIES, ENTRIES};
    uint64_t seed = check_seed(), passed = 0, evicted = 0, grounds[WRN_POLICY_GROUND_COUNT] = {0};
    (void)state;
    for (uint64_t i = 0; i < DIALOGUES; i++) {
        struct wrn_arena arena;
        memset(&model, 0, sizeof model);
        memset(memory, 0, sizeof memory);
        wrn_prng_init(&model.prng, seed, i);
        wrn_arena_init(&arena, memory, sizeof memory);
        wrn_policy_init(&model.policy, &arena, &options, wrn_prng_rand(&model.prng), (wrn_mono){0});
        draw_rights(&model, 0);
        draw_rights(&model, 1);
        wrn_policy_pair_init(&model.pair, 1, &model.sides[0].rules, &model.sides[1].rules,
                             draw(&model, 2) == 0);
        play(&model, &passed);
        evicted += atomic_load(&model.counts.evicted);
        for (size_t j = 0; j < WRN_POLICY_GROUND_COUNT; j++) {
            grounds[j] += atomic_load(&model.counts.passed[j]);
        }
    }
    print_message("# %llu of %d passed; by rule, answer, error, fragment: %llu %llu %llu %llu\n",
                  (unsigned long long)passed, DIALOGUES * PACKETS, (unsigned long long)grounds[0],
                  (unsigned long long)grounds[1], (unsigned long long)grounds[2],
                  (unsigned long long)grounds[3]);
    assert_int_equal(evicted, 0); /* the model forgets nothing, so there must be room */
    for (size_t j = 0; j < WRN_POLICY_GROUND_COUNT; j++) {
        assert_true(grounds[j] > 100); /* each way was gone */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_are_those_of_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
