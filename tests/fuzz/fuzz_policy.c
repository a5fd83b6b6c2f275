/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the packet policy. An input that begins with '(' is a text of elements, which are made
 * rules of; any other is a dialogue: for each packet a byte that says who sends it and how much
 * time passes, a length of two bytes, and the packet. What is decided must agree with what a trace
 * says, must not depend on bytes behind the packet, and nobody without rights may say anything that
 * answers nothing. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "network/policy_internal.h"

/* What must hold for any input, in every build. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { ELEMENTS_MAX = 16, PACKETS_MAX = 64, ENTRIES = 8 };

struct dialogue {
    struct wrn_policy policy;
    struct wrn_policy_rules rules[2];
    struct wrn_policy_pair pair;
    struct wrn_policy_counts counts;
    wrn_mono now;
};

static size_t compile(wrn_span text, struct wrn_policy_rules *rules);
static void check_rules(const struct wrn_policy_rules *rules);
static void start(struct dialogue *dialogue);
static void say(struct dialogue *dialogue, enum wrn_policy_direction direction, wrn_span bytes);
static void compare_with_trace(const struct dialogue *dialogue, enum wrn_policy_direction direction,
                               const struct wrn_policy_packet *packet,
                               struct wrn_policy_verdict verdict);
static void write_address(const uint64_t number[2], uint8_t family, struct wrn_ip *ip);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct dialogue dialogue;
    if (size > 0 && data[0] == '(') {
        struct wrn_policy_rules rules;
        compile((wrn_span){data, size}, &rules);
        check_rules(&rules);
        return 0;
    }
    start(&dialogue);
    for (int i = 0; i < PACKETS_MAX && size >= 3; i++) {
        enum wrn_policy_direction direction = data[0] & 1 ? WRN_POLICY_IN : WRN_POLICY_OUT;
        size_t length = wrn_load_be16(data + 1);
        dialogue.now = wrn_mono_add(dialogue.now, WRN_S(data[0] >> 1));
        data += 3;
        size -= 3;
        length = length < size ? length : size;
        say(&dialogue, direction, (wrn_span){data, length});
        data += length;
        size -= length;
    }
    return 0;
}

static size_t compile(wrn_span text, struct wrn_policy_rules *rules) {
    struct wrn_sexp elements[ELEMENTS_MAX];
    size_t capacity = wrn_sexp_capacity(text.size), count = 0, used = 0, at = SIZE_MAX;
    uint8_t *memory = malloc(ELEMENTS_MAX * capacity);
    HOLDS(memory != NULL);
    while (count < ELEMENTS_MAX && wrn_sexp_read(WRN_SEXP_ADVANCED, text, memory + count * capacity,
                                                 capacity, &elements[count], &used, NULL) == 0) {
        count++;
        text = (wrn_span){text.data + used, text.size - used};
    }
    enum wrn_policy_fault fault = wrn_policy_compile(elements, count, rules, &at);
    HOLDS((fault == WRN_POLICY_FAULT_OK) == (at == SIZE_MAX));
    HOLDS(fault == WRN_POLICY_FAULT_OK || at < count);
    free(memory);
    return count;
}

static void check_rules(const struct wrn_policy_rules *rules) {
    HOLDS(rules->count <= WRN_POLICY_RULES_MAX);
    HOLDS(!rules->is_everything || rules->count == 1);
    HOLDS(wrn_policy_rules_equal(rules, rules));
    for (size_t i = 0; i < rules->count; i++) {
        const struct wrn_policy_rule *rule = &rules->rules[i];
        HOLDS(rule->protocol_low <= rule->protocol_high);
        HOLDS(rule->protocol_high <= WRN_POLICY_PROTOCOL_MAX);
        HOLDS(rule->port_low <= rule->port_high && rule->port_high <= WRN_POLICY_PORT_NONE);
        HOLDS(rule->low[0] < rule->high[0] ||
              (rule->low[0] == rule->high[0] && rule->low[1] <= rule->high[1]));
    }
}

/* We may ask for names and echo; the member may open TCP to port 22. */
static void start(struct dialogue *dialogue) {
    static const char *const texts[] = {"(allow udp \"53\") (allow icmp (* set \"8\" \"128\"))",
                                        "(allow tcp \"22\" (ip6)) (allow \"47\")"};
    static _Alignas(64) uint8_t memory[2 * ENTRIES * sizeof(struct wrn_policy_entry)];
    struct wrn_policy_options options = {ENTRIES, ENTRIES};
    struct wrn_arena arena;
    struct wrn_prng prng;
    memset(dialogue, 0, sizeof *dialogue);
    memset(memory, 0, sizeof memory);
    wrn_prng_init(&prng, 1, 1);
    wrn_arena_init(&arena, memory, sizeof memory);
    wrn_policy_init(&dialogue->policy, &arena, &options, wrn_prng_rand(&prng), dialogue->now);
    for (size_t i = 0; i < 2; i++) {
        wrn_span text = {(const uint8_t *)texts[i], strlen(texts[i])};
        HOLDS(compile(text, &dialogue->rules[i]) == 2 && dialogue->rules[i].count >= 2);
    }
    wrn_policy_pair_init(&dialogue->pair, 1, &dialogue->rules[0], &dialogue->rules[1], false);
}

static void say(struct dialogue *dialogue, enum wrn_policy_direction direction, wrn_span bytes) {
    struct wrn_policy_packet packet, padded;
    uint8_t *copy = malloc(bytes.size + 1); /* a read beyond is seen */
    uint8_t *longer = malloc(bytes.size + 8);
    HOLDS(copy != NULL && longer != NULL);
    memcpy(copy, bytes.data, bytes.size);
    memcpy(longer, bytes.data, bytes.size);
    memset(longer + bytes.size, 6, 8);
    enum wrn_policy_refusal refusal = wrn_policy_read((wrn_span){copy, bytes.size}, false, &packet);
    HOLDS(refusal < WRN_POLICY_REFUSAL_COUNT);
    if (refusal == WRN_POLICY_NONE) {
        HOLDS(wrn_policy_read((wrn_span){longer, bytes.size + 8}, false, &padded) ==
              WRN_POLICY_NONE);
        HOLDS(padded.port == packet.port && padded.protocol == packet.protocol &&
              padded.fragment == packet.fragment && padded.quote.size == packet.quote.size);
    }
    uint32_t had = wrn_policy_conversations(&dialogue->policy, dialogue->now);
    bool is_plain = refusal == WRN_POLICY_NONE && packet.fragment == WRN_POLICY_WHOLE &&
                    packet.quote.data == NULL &&
                    (packet.protocol != WRN_POLICY_TCP || (packet.tcp_flags & ~0x08) == 0x10);
    struct wrn_policy_verdict verdict =
        wrn_policy_check(&dialogue->policy, &dialogue->pair, direction, dialogue->now,
                         (wrn_span){copy, bytes.size}, &dialogue->counts);
    HOLDS(refusal == WRN_POLICY_NONE || verdict.refusal == refusal);
    HOLDS(verdict.refusal != WRN_POLICY_NONE || verdict.ground != WRN_POLICY_BY_ANSWER || had > 0);
    HOLDS(wrn_policy_conversations(&dialogue->policy, dialogue->now) <= ENTRIES);
    if (is_plain) {
        compare_with_trace(dialogue, direction, &packet, verdict);
    }
    free(copy);
    free(longer);
}

/* What was said does not change what a packet like it meets, as long as nothing was pushed out: a
 * trace afterwards says the same. */
static void compare_with_trace(const struct dialogue *dialogue, enum wrn_policy_direction direction,
                               const struct wrn_policy_packet *packet,
                               struct wrn_policy_verdict verdict) {
    struct wrn_policy_question question = {
        .source_port = packet->source_port,
        .destination_port = (uint16_t)packet->port,
        .protocol = packet->protocol == WRN_POLICY_TCP    ? 6
                    : packet->protocol == WRN_POLICY_UDP  ? 17
                    : packet->protocol != WRN_POLICY_ICMP ? (uint8_t)packet->protocol
                    : packet->family == WRN_FAMILY_IPV4   ? 1
                                                          : 58,
    };
    write_address(packet->source, packet->family, &question.source);
    write_address(packet->destination, packet->family, &question.destination);
    struct wrn_policy_verdict traced =
        wrn_policy_trace(&dialogue->policy, &dialogue->pair, direction, dialogue->now, &question);
    HOLDS(traced.refusal == verdict.refusal && traced.element == verdict.element);
    HOLDS(verdict.refusal != WRN_POLICY_NONE || traced.ground == verdict.ground);
}

static void write_address(const uint64_t number[2], uint8_t family, struct wrn_ip *ip) {
    ip->family = family;
    if (family == WRN_FAMILY_IPV4) {
        wrn_store_be32(ip->bytes, (uint32_t)number[1]);
    } else {
        wrn_store_be64(ip->bytes, number[0]);
        wrn_store_be64(ip->bytes + 8, number[1]);
    }
}
