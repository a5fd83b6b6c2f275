/* SPDX-License-Identifier: Apache-2.0 */
/* The conversations and fragments under way, in tables of atomics that all threads share. policy.h
 * says why no thread can be made to believe what is not so. Decides nothing. */
#include "base/bytes.h"
#include "base/keymap.h"
#include "network/policy_internal.h"

enum { WAYS = 4, CLAIMS_MAX = 2 * WAYS };
static_assert(sizeof(struct wrn_policy_entry) * WAYS == 64, "a bucket is a cache line");

/* State: what is kept exactly, the second in which it ends, the kind. */
enum { KIND_BITS = 4, END_BITS = 28, EXACT_SHIFT = KIND_BITS + END_BITS };
#define END_MAX ((UINT32_C(1) << END_BITS) - 1)

/* What a name is made of: one word for each of these, then the addresses. */
enum { NAME_PEER, NAME_WHAT, NAME_ADDRESSES, NAME_WORDS = NAME_ADDRESSES + 4 };
enum { DOMAIN_CONVERSATION, DOMAIN_FRAGMENT };

static const uint32_t lifetimes_s[] = {
    [WRN_POLICY_KIND_FRAGMENT] = WRN_POLICY_FRAGMENTS_S,
    [WRN_POLICY_KIND_UNANSWERED] = WRN_POLICY_UNANSWERED_S,
    [WRN_POLICY_KIND_TCP_OPENING] = WRN_POLICY_TCP_OPENING_S,
    [WRN_POLICY_KIND_ICMP] = WRN_POLICY_ICMP_S,
    [WRN_POLICY_KIND_TCP_CLOSED] = WRN_POLICY_TCP_CLOSED_S,
    [WRN_POLICY_KIND_ANSWERED] = WRN_POLICY_ANSWERED_S,
    [WRN_POLICY_KIND_TCP_ANSWERED] = WRN_POLICY_TCP_OPENING_S,
    [WRN_POLICY_KIND_TCP_ESTABLISHED] = WRN_POLICY_TCP_ESTABLISHED_S,
    [WRN_POLICY_KIND_TCP_BEGINNER_DONE] = WRN_POLICY_TCP_CLOSING_S,
    [WRN_POLICY_KIND_TCP_ANSWERER_DONE] = WRN_POLICY_TCP_CLOSING_S,
};

static void init_table(struct wrn_policy_table *table, struct wrn_arena *arena, uint32_t entries);
static uint64_t name_of(const struct wrn_policy *policy, uint64_t peer, uint64_t what,
                        const struct wrn_policy_packet *packet);
static struct wrn_policy_entry *bucket_of(const struct wrn_policy_table *table,
                                          struct wrn_policy_key key);
static uint64_t make_state(uint32_t exact, uint32_t now_s, enum wrn_policy_kind kind);
static uint32_t end_of(uint64_t state);
static bool is_live(uint64_t state, uint32_t now_s);
static uint64_t worth(uint64_t state, uint32_t now_s);

void wrn_policy_init(struct wrn_policy *policy, struct wrn_arena *arena,
                     const struct wrn_policy_options *options, struct wrn_rand rand, wrn_mono now) {
    memset(policy, 0, sizeof *policy);
    init_table(&policy->conversations, arena, options->conversations_max);
    init_table(&policy->fragments, arena, options->fragments_max);
    if (policy->conversations.entries != NULL) { /* not while the arena measures */
        wrn_rand_fill(rand, policy->seed, sizeof policy->seed);
    }
    policy->start = now;
}

uint32_t wrn_policy_conversations(const struct wrn_policy *policy, wrn_mono now) {
    const struct wrn_policy_table *table = &policy->conversations;
    uint32_t now_s = wrn_policy_seconds(policy, now);
    uint32_t count = 0;
    for (size_t i = 0; i < ((size_t)table->mask + 1) * WAYS; i++) {
        uint64_t state = atomic_load_explicit(&table->entries[i].state, memory_order_relaxed);
        count += is_live(state, now_s);
    }
    return count;
}

struct wrn_policy_key wrn_policy_key(const struct wrn_policy *policy, uint64_t peer,
                                     enum wrn_policy_direction began,
                                     const struct wrn_policy_packet *packet) {
    uint32_t exact = (uint32_t)packet->source_port << 16 | packet->destination_port;
    uint64_t type = packet->protocol == WRN_POLICY_ICMP ? packet->port : 0;
    uint64_t what = (uint64_t)exact << 32 | type << 16 | (uint64_t)packet->protocol << 2 |
                    (uint64_t)began << 1 | DOMAIN_CONVERSATION;
    return (struct wrn_policy_key){name_of(policy, peer, what, packet), exact};
}

struct wrn_policy_key wrn_policy_fragment_key(const struct wrn_policy *policy, uint64_t peer,
                                              enum wrn_policy_direction direction,
                                              const struct wrn_policy_packet *packet) {
    uint64_t what = (uint64_t)packet->fragment_id << 32 |
                    (uint64_t)packet->fragmented_protocol << 2 | (uint64_t)direction << 1 |
                    DOMAIN_FRAGMENT;
    return (struct wrn_policy_key){name_of(policy, peer, what, packet), packet->fragment_id};
}

uint32_t wrn_policy_seconds(const struct wrn_policy *policy, wrn_mono now) {
    /* After eight years nothing is noted any more as live: refusing is the safe side. */
    uint64_t seconds = wrn_mono_since(now, policy->start) / WRN_S(1);
    return seconds < END_MAX ? (uint32_t)seconds : END_MAX + 1;
}

bool wrn_policy_find(const struct wrn_policy_table *table, struct wrn_policy_key key,
                     uint32_t now_s, struct wrn_policy_found *ret_found) {
    struct wrn_policy_entry *bucket = bucket_of(table, key);
    for (size_t i = 0; i < WAYS; i++) {
        struct wrn_policy_entry *entry = &bucket[i];
        if (atomic_load_explicit(&entry->name, memory_order_acquire) != key.name) {
            continue;
        }
        uint64_t state = atomic_load_explicit(&entry->state, memory_order_acquire);
        if (!is_live(state, now_s) || state >> EXACT_SHIFT != key.exact ||
            atomic_load_explicit(&entry->name, memory_order_relaxed) != key.name) {
            continue;
        }
        *ret_found = (struct wrn_policy_found){entry, state};
        return true;
    }
    return false;
}

bool wrn_policy_note(struct wrn_policy_table *table, struct wrn_policy_key key, uint32_t now_s,
                     enum wrn_policy_kind kind, struct wrn_policy_counts *counts) {
    struct wrn_policy_entry *bucket = bucket_of(table, key);
    for (size_t tries = 0; tries < CLAIMS_MAX; tries++) {
        struct wrn_policy_entry *least = NULL;
        uint64_t before = 0, least_worth = UINT64_MAX;
        for (size_t i = 0; i < WAYS; i++) {
            uint64_t state = atomic_load_explicit(&bucket[i].state, memory_order_relaxed);
            uint64_t its_worth = worth(state, now_s);
            if (its_worth < least_worth) {
                least = &bucket[i];
                before = state;
                least_worth = its_worth;
            }
        }
        if (least == NULL) {
            break; /* others are writing everywhere */
        }
        if (atomic_compare_exchange_strong_explicit(&least->state, &before, WRN_POLICY_KIND_TAKEN,
                                                    memory_order_acq_rel, memory_order_relaxed)) {
            atomic_store_explicit(&least->name, key.name, memory_order_release);
            atomic_store_explicit(&least->state, make_state(key.exact, now_s, kind),
                                  memory_order_release);
            if (is_live(before, now_s)) {
                wrn_policy_count(&counts->evicted);
            }
            return true;
        }
    }
    wrn_policy_count(&counts->unnoted);
    return false;
}

enum wrn_policy_kind wrn_policy_kind_of(uint64_t state) {
    return (enum wrn_policy_kind)(state & WRN_POLICY_KIND_TAKEN);
}

void wrn_policy_go_on(const struct wrn_policy_found *found, uint32_t now_s,
                      enum wrn_policy_kind kind) {
    uint64_t before = found->state;
    bool is_over = kind == WRN_POLICY_KIND_TCP_CLOSED && wrn_policy_kind_of(before) == kind;
    uint64_t after = make_state((uint32_t)(before >> EXACT_SHIFT), now_s, kind);
    /* Threads see the clock a little apart; none takes back what another has said. */
    bool is_late = wrn_policy_kind_of(before) == kind && end_of(after) <= end_of(before);
    if (is_over || is_late) {
        return;
    }
    (void)atomic_compare_exchange_strong_explicit(&found->entry->state, &before, after,
                                                  memory_order_acq_rel, memory_order_relaxed);
}

static void init_table(struct wrn_policy_table *table, struct wrn_arena *arena, uint32_t entries) {
    WRN_ASSERT(entries >= WAYS && entries <= UINT32_C(1) << 24 && (entries & (entries - 1)) == 0);
    table->entries = wrn_arena_take(arena, entries, sizeof table->entries[0]);
    table->mask = entries / WAYS - 1;
}

static uint64_t name_of(const struct wrn_policy *policy, uint64_t peer, uint64_t what,
                        const struct wrn_policy_packet *packet) {
    uint64_t words[NAME_WORDS] = {[NAME_PEER] = peer, [NAME_WHAT] = what};
    size_t count = NAME_ADDRESSES;
    if (packet->family == WRN_FAMILY_IPV4) { /* the families differ by the number of words */
        words[count++] = packet->source[1] << 32 | packet->destination[1];
    } else {
        words[count++] = packet->source[0];
        words[count++] = packet->source[1];
        words[count++] = packet->destination[0];
        words[count++] = packet->destination[1];
    }
    return wrn_siphash(policy->seed, words, count * sizeof words[0]);
}

static struct wrn_policy_entry *bucket_of(const struct wrn_policy_table *table,
                                          struct wrn_policy_key key) {
    return &table->entries[(size_t)(key.name & table->mask) * WAYS];
}

static uint64_t make_state(uint32_t exact, uint32_t now_s, enum wrn_policy_kind kind) {
    uint32_t end_s = now_s + lifetimes_s[kind];
    end_s = end_s < END_MAX ? end_s : END_MAX;
    return (uint64_t)exact << EXACT_SHIFT | (uint64_t)end_s << KIND_BITS | kind;
}

static uint32_t end_of(uint64_t state) {
    return (uint32_t)(state >> KIND_BITS) & END_MAX;
}

/* Ended: when the seconds of its end have begun. */
static bool is_live(uint64_t state, uint32_t now_s) {
    enum wrn_policy_kind kind = wrn_policy_kind_of(state);
    return kind != WRN_POLICY_KIND_FREE && kind != WRN_POLICY_KIND_TAKEN && now_s <= end_of(state);
}

/* The least gives way: what has ended, then what was never answered, then what ends soonest. What
 * somebody is writing to is worth the most. */
static uint64_t worth(uint64_t state, uint32_t now_s) {
    enum wrn_policy_kind kind = wrn_policy_kind_of(state);
    if (kind == WRN_POLICY_KIND_TAKEN) {
        return UINT64_MAX;
    }
    if (!is_live(state, now_s)) {
        return 0;
    }
    uint64_t is_answered = kind > WRN_POLICY_KIND_LAST_ONE_SIDED;
    return is_answered << END_BITS | end_of(state);
}
