/* SPDX-License-Identifier: Apache-2.0 */
/* Cryptokey routing compared with a deliberately naive model: a list that is searched from end to
 * end, bit by bit. Random tables of nested prefixes, and small tables enumerated. */
#include "wg/allowed_ips.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/rand.h"

enum {
    PREFIXES_MAX = 400,
    OWNERS = 24,
    CLUSTERS = 5,
    OPERATIONS = 30000, /* a run */
    MEMORY_SIZE = 1 << 17,
};

/* ---- the model ---- */

struct model_entry {
    struct wrn_prefix prefix;
    uint32_t owner;
    uint64_t order; /* when it was given to its owner */
};

struct model {
    struct model_entry entries[2 * PREFIXES_MAX]; /* both families */
    uint32_t count;
    uint32_t family_count[2];
    uint32_t prefixes_max;
    uint64_t next_order;
};

static size_t table_index(const struct wrn_ip *ip) {
    return ip->family == WRN_FAMILY_IPV4 ? 0 : 1;
}

static uint32_t bit(const struct wrn_ip *ip, uint32_t index) {
    return (uint32_t)ip->bytes[index / 8] >> (7 - index % 8) & 1;
}

static bool contains(const struct wrn_prefix *prefix, const struct wrn_ip *ip) {
    if (prefix->ip.family != ip->family) {
        return false;
    }
    for (uint32_t i = 0; i < prefix->length_bits; i++) {
        if (bit(&prefix->ip, i) != bit(ip, i)) {
            return false;
        }
    }
    return true;
}

static struct model_entry *model_entry(struct model *model, const struct wrn_prefix *prefix) {
    for (uint32_t i = 0; i < model->count; i++) {
        struct model_entry *entry = &model->entries[i];
        if (entry->prefix.length_bits == prefix->length_bits &&
            wrn_ip_equal(&entry->prefix.ip, &prefix->ip)) {
            return entry;
        }
    }
    return NULL;
}

static int model_set(struct model *model, const struct wrn_prefix *prefix, uint32_t owner) {
    struct model_entry *entry = model_entry(model, prefix);
    if (entry != NULL && entry->owner == owner) {
        return 0;
    }
    if (entry == NULL) {
        uint32_t *family_count = &model->family_count[table_index(&prefix->ip)];
        if (*family_count == model->prefixes_max) {
            return WRN_ERR_FULL;
        }
        ++*family_count;
        entry = &model->entries[model->count++];
    }
    *entry = (struct model_entry){*prefix, owner, model->next_order++};
    return 0;
}

static void model_remove(struct model *model, struct model_entry *entry) {
    model->family_count[table_index(&entry->prefix.ip)]--;
    *entry = model->entries[--model->count];
}

static bool model_unset(struct model *model, const struct wrn_prefix *prefix, uint32_t owner) {
    struct model_entry *entry = model_entry(model, prefix);
    if (entry == NULL || entry->owner != owner) {
        return false;
    }
    model_remove(model, entry);
    return true;
}

static void model_unset_all(struct model *model, uint32_t owner) {
    for (uint32_t i = model->count; i-- > 0;) {
        if (model->entries[i].owner == owner) {
            model_remove(model, &model->entries[i]);
        }
    }
}

static uint32_t model_find(const struct model *model, const struct wrn_ip *ip) {
    uint32_t owner = WRN_ALLOWED_IPS_NOBODY;
    int longest = -1;
    for (uint32_t i = 0; i < model->count; i++) {
        const struct model_entry *entry = &model->entries[i];
        if (entry->prefix.length_bits > longest && contains(&entry->prefix, ip)) {
            longest = entry->prefix.length_bits;
            owner = entry->owner;
        }
    }
    return owner;
}

/* Returns the owner's next entry of a family that was given later than 'after', or NULL. */
static const struct model_entry *model_next(const struct model *model, uint32_t owner,
                                            size_t family, uint64_t after) {
    const struct model_entry *first = NULL;
    for (uint32_t i = 0; i < model->count; i++) {
        const struct model_entry *entry = &model->entries[i];
        if (entry->owner == owner && table_index(&entry->prefix.ip) == family &&
            entry->order >= after && (first == NULL || entry->order < first->order)) {
            first = entry;
        }
    }
    return first;
}

/* ---- random tables ---- */

struct run {
    struct wrn_prng prng;
    struct wrn_allowed_ips ips;
    struct model model;
    struct wrn_ip clusters[2][CLUSTERS];
};

/* Draws an address near a cluster: equal to it up to a random bit, different or random behind. */
static struct wrn_ip draw_address(struct run *run) {
    uint64_t r = wrn_prng_next(&run->prng);
    size_t family = r & 1;
    uint32_t bits = family == 0 ? 32 : 128;
    struct wrn_ip ip = run->clusters[family][(r >> 8) % CLUSTERS];
    uint32_t same = (uint32_t)(r >> 16) % (bits + 1);
    for (uint32_t i = same; i < bits; i++) {
        if (((r & 6) == 0 ? wrn_prng_next(&run->prng) & 1 : i == same) != 0) {
            ip.bytes[i / 8] ^= (uint8_t)(0x80u >> i % 8);
        }
    }
    return ip;
}

static struct wrn_prefix draw_prefix(struct run *run) {
    uint64_t r = wrn_prng_next(&run->prng);
    if (run->model.count > 0 && r % 4 == 0) { /* one that is there */
        return run->model.entries[(r >> 8) % run->model.count].prefix;
    }
    struct wrn_prefix prefix = {.ip = draw_address(run)};
    uint32_t bits = prefix.ip.family == WRN_FAMILY_IPV4 ? 32 : 128;
    uint32_t length = (uint32_t)(r >> 16) % (bits + 1);
    if (r % 4 == 1) {
        length = (r & 64) != 0 ? bits : 0; /* hosts and default routes more often than by chance */
    }
    for (uint32_t i = length; i < bits; i++) {
        prefix.ip.bytes[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
    }
    prefix.length_bits = (uint8_t)length;
    return prefix;
}

static void assert_same_list(const struct run *run, uint32_t owner, uint32_t step) {
    uint64_t cursor = 0;
    struct wrn_prefix prefix;
    for (size_t family = 0; family < 2; family++) {
        uint64_t after = 0;
        const struct model_entry *entry;
        while ((entry = model_next(&run->model, owner, family, after)) != NULL) {
            if (!wrn_allowed_ips_next(&run->ips, owner, &cursor, &prefix) ||
                prefix.length_bits != entry->prefix.length_bits ||
                !wrn_ip_equal(&prefix.ip, &entry->prefix.ip)) {
                fail_msg("step %u: list of owner %u differs", step, owner);
            }
            after = entry->order + 1;
        }
    }
    if (wrn_allowed_ips_next(&run->ips, owner, &cursor, &prefix)) {
        fail_msg("step %u: list of owner %u is too long", step, owner);
    }
}

static void assert_same_answer(const struct run *run, const struct wrn_ip *ip, uint32_t step) {
    uint32_t owner = ip->family == WRN_FAMILY_IPV4 ? wrn_allowed_ips_find4(&run->ips, ip->bytes)
                                                   : wrn_allowed_ips_find6(&run->ips, ip->bytes);
    uint32_t expected = model_find(&run->model, ip);
    if (owner != expected) {
        fail_msg("step %u: found %u instead of %u", step, owner, expected);
    }
}

/* Counts agree, and no node is left that nothing needs: n prefixes explain n - 1 branches. */
static void assert_same_counts(const struct run *run, uint32_t step) {
    for (size_t i = 0; i < 2; i++) {
        const struct wrn_allowed_ips_table *table = &run->ips.table[i];
        uint32_t count = run->model.family_count[i];
        uint32_t nodes_most = count == 0 ? 0 : 2 * count - 1;
        if (table->prefix_count != count || table->node_count < count ||
            table->node_count > nodes_most) {
            fail_msg("step %u: %u prefixes and %u nodes for %u prefixes", step, table->prefix_count,
                     table->node_count, count);
        }
    }
}

/* Does one random operation on both, 'fill' of 16 times a set, and compares what it returns. */
static void do_operation(struct run *run, uint32_t fill, uint32_t step) {
    uint64_t r = wrn_prng_next(&run->prng);
    uint32_t owner = (uint32_t)(r >> 32) % OWNERS;
    if (r % 16 < fill) {
        struct wrn_prefix prefix = draw_prefix(run);
        int expected = model_set(&run->model, &prefix, owner);
        int got = wrn_allowed_ips_set(&run->ips, &prefix, owner);
        if (got == -EBUSY) {
            assert_true(wrn_allowed_ips_has_retired(&run->ips));
            wrn_allowed_ips_reclaim(&run->ips);
            got = wrn_allowed_ips_set(&run->ips, &prefix, owner);
        }
        if (got != expected) {
            fail_msg("step %u: set did not return %d", step, expected);
        }
    } else if (r % 512 == 15) {
        model_unset_all(&run->model, owner);
        wrn_allowed_ips_unset_all(&run->ips, owner);
    } else {
        struct wrn_prefix prefix = draw_prefix(run);
        struct model_entry *entry = model_entry(&run->model, &prefix);
        if (entry != NULL && (r >> 8) % 8 != 0) {
            owner = entry->owner; /* else mostly refused */
        }
        bool expected = model_unset(&run->model, &prefix, owner);
        if (wrn_allowed_ips_unset(&run->ips, &prefix, owner) != expected) {
            fail_msg("step %u: unset did not return %d", step, expected);
        }
    }
}

static void start_run(struct run *run, uint32_t seed, uint32_t prefixes_max) {
    static _Alignas(64) uint8_t memory[MEMORY_SIZE];
    memset(memory, 0, sizeof(memory));
    memset(run, 0, sizeof(*run));
    struct wrn_arena arena;
    wrn_arena_init(&arena, memory, sizeof(memory));
    wrn_allowed_ips_init(&run->ips, &arena, prefixes_max, OWNERS);
    run->model.prefixes_max = prefixes_max;
    wrn_prng_init(&run->prng, seed, 0);
    for (size_t family = 0; family < 2; family++) {
        for (size_t i = 0; i < CLUSTERS; i++) {
            struct wrn_ip *ip = &run->clusters[family][i];
            ip->family = family == 0 ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6;
            wrn_rand_fill(wrn_prng_rand(&run->prng), ip->bytes, family == 0 ? 4 : 16);
        }
    }
}

/* Goal: every operation answers like the model on tables of all sizes, and nothing leaks.
 * Method: 270,000 random operations over nine seeds, the table growing and shrinking by turns;
 * after each a look-up, the counts and the list of an owner. At last all is removed and no node may
 * be in use. */
static void random_tables_agree_with_the_model(void **state) {
    (void)state;
    static const uint32_t prefixes_max[] = {1, 2, 3, 7, 20, 64, 150, 400, 400};
    static struct run run;
    uint32_t refused_runs = 0;
    for (uint32_t seed = 0; seed < WRN_COUNT(prefixes_max); seed++) {
        printf("# seed %u, room for %u prefixes\n", seed, prefixes_max[seed]);
        start_run(&run, seed, prefixes_max[seed]);
        bool was_full = false;
        for (uint32_t step = 0; step < OPERATIONS; step++) {
            do_operation(&run, step / 2500 % 3 == 2 ? 5 : 12, step);
            struct wrn_ip ip = draw_address(&run);
            assert_same_answer(&run, &ip, step);
            assert_same_counts(&run, step);
            assert_same_list(&run, step % OWNERS, step);
            was_full = was_full || run.model.family_count[0] == prefixes_max[seed];
        }
        refused_runs += was_full ? 1 : 0;
        for (uint32_t owner = 0; owner < OWNERS; owner++) {
            model_unset_all(&run.model, owner);
            wrn_allowed_ips_unset_all(&run.ips, owner);
            assert_same_counts(&run, OPERATIONS + owner);
        }
        assert_int_equal(run.ips.table[0].node_count + run.ips.table[1].node_count, 0);
        assert_int_equal(run.ips.table[0].root + run.ips.table[1].root, 0);
    }
    assert_true(refused_runs >= 5); /* full tables were part of it */
}

/* ---- small tables, all of them ---- */

enum { TREE_BITS = 3, TREE_PREFIXES = (2 << TREE_BITS) - 1 };

/* Number 0 is the prefix of 'offset' bits, numbers 2k+1 and 2k+2 are the halves of number k. */
static struct wrn_prefix tree_prefix(uint8_t family, uint32_t offset, uint32_t number) {
    struct wrn_prefix prefix = {.ip.family = family, .length_bits = (uint8_t)offset};
    for (uint32_t i = 0; i < offset; i++) {
        prefix.ip.bytes[i / 8] |= (uint8_t)((i % 3 == 0 ? 0x80u : 0) >> i % 8);
    }
    uint32_t depth = 31 - (uint32_t)__builtin_clz(number + 1);
    for (uint32_t i = 0; i < depth; i++) {
        uint32_t side = (number + 1) >> (depth - 1 - i) & 1;
        uint32_t at = offset + i;
        prefix.ip.bytes[at / 8] |= (uint8_t)((side << 7) >> at % 8);
    }
    prefix.length_bits = (uint8_t)(offset + depth);
    return prefix;
}

/* Sets the prefixes whose bit is in 'subset', asks for all addresses, removes them again. */
static void check_subset(struct wrn_allowed_ips *ips, const struct wrn_prefix *prefixes,
                         uint32_t subset) {
    bool v4 = prefixes[0].ip.family == WRN_FAMILY_IPV4;
    const struct wrn_allowed_ips_table *table = &ips->table[v4 ? 0 : 1];
    wrn_allowed_ips_reclaim(ips);
    for (uint32_t i = 0; i < TREE_PREFIXES; i++) {
        if ((subset >> i & 1) != 0) {
            assert_int_equal(wrn_allowed_ips_set(ips, &prefixes[i], i), 0);
        }
    }
    for (uint32_t leaf = TREE_PREFIXES / 2; leaf < TREE_PREFIXES; leaf++) {
        uint32_t expected = leaf + 1;
        while (expected != 0 && (subset >> (expected - 1) & 1) == 0) {
            expected /= 2;
        }
        const uint8_t *bytes = prefixes[leaf].ip.bytes;
        uint32_t owner = v4 ? wrn_allowed_ips_find4(ips, bytes) : wrn_allowed_ips_find6(ips, bytes);
        if (owner != expected - 1) { /* 0 - 1: nobody */
            fail_msg("subset %#x, leaf %u: found %u", subset, leaf, owner);
        }
    }
    for (uint32_t k = 0; k < TREE_PREFIXES; k++) {
        uint32_t i = k * 7 % TREE_PREFIXES; /* not in the order of setting */
        assert_int_equal(wrn_allowed_ips_unset(ips, &prefixes[i], i), subset >> i & 1);
    }
    if (table->node_count != 0 || table->root != 0) {
        fail_msg("subset %#x leaves %u nodes", subset, table->node_count);
    }
}

/* Goal: no shape of a small trie is answered or taken apart wrongly, wherever it lies.
 * Method: all 32,768 subsets of the fifteen prefixes of three bits, at the ends of the addresses
 * and across the middle of an IPv6 address. */
static void every_small_table_is_right(void **state) {
    (void)state;
    static const struct {
        uint8_t family;
        uint8_t offset;
    } places[] = {
        {WRN_FAMILY_IPV4, 0},  {WRN_FAMILY_IPV4, 29}, {WRN_FAMILY_IPV6, 0},  {WRN_FAMILY_IPV6, 61},
        {WRN_FAMILY_IPV6, 62}, {WRN_FAMILY_IPV6, 63}, {WRN_FAMILY_IPV6, 64}, {WRN_FAMILY_IPV6, 125},
    };
    static struct run run;
    for (size_t place = 0; place < WRN_COUNT(places); place++) {
        start_run(&run, 0, TREE_PREFIXES);
        struct wrn_prefix prefixes[TREE_PREFIXES];
        for (uint32_t i = 0; i < TREE_PREFIXES; i++) {
            prefixes[i] = tree_prefix(places[place].family, places[place].offset, i);
        }
        for (uint32_t subset = 0; subset < 1u << TREE_PREFIXES; subset++) {
            check_subset(&run.ips, prefixes, subset);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_tables_agree_with_the_model),
        cmocka_unit_test(every_small_table_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
