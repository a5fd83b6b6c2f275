/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing with linear probing; removal moves later entries back. */
#include "sim/table.h"

#include "base/bytes.h"
#include "sim/memory.h"

struct sim_table_slot {
    struct sim_key key;
    uint32_t value;
    bool is_used;
};

static uint32_t home(const struct sim_table *table, const struct sim_key *key);
static bool is_equal(const struct sim_key *a, const struct sim_key *b);
static void place(struct sim_table *table, const struct sim_key *key, uint32_t value);
static void grow(struct sim_table *table);
static void pack(const struct wrn_ip *ip, uint64_t ret_words[2]);

struct sim_key sim_key(uint32_t number, const struct wrn_endpoint *a,
                       const struct wrn_endpoint *b) {
    struct sim_key key = {{(uint64_t)number << 32}};
    if (a != NULL) {
        pack(&a->ip, &key.words[1]);
        key.words[0] |= (uint64_t)a->port << 16;
    }
    if (b != NULL) {
        pack(&b->ip, &key.words[3]);
        key.words[0] |= b->port;
    }
    return key;
}

struct sim_key sim_key_of_ip(uint32_t number, const struct wrn_ip *ip) {
    struct sim_key key = {{number}};
    pack(ip, &key.words[1]);
    return key;
}

struct sim_key sim_key_of_pair(uint64_t a, uint64_t b) {
    return (struct sim_key){{a, b}};
}

void sim_table_finish(struct sim_table *table) {
    free(table->slots);
    *table = (struct sim_table){0};
}

bool sim_table_find(const struct sim_table *table, const struct sim_key *key, uint32_t *ret_value) {
    if (table->count == 0) {
        return false;
    }
    for (uint32_t i = home(table, key); table->slots[i].is_used; i = (i + 1) & table->mask) {
        if (is_equal(&table->slots[i].key, key)) {
            *ret_value = table->slots[i].value;
            return true;
        }
    }
    return false;
}

void sim_table_add(struct sim_table *table, const struct sim_key *key, uint32_t value) {
    if (table->slots == NULL || 2 * (table->count + 1) > table->mask + 1) {
        grow(table);
    }
    place(table, key, value);
}

void sim_table_remove(struct sim_table *table, const struct sim_key *key) {
    if (table->count == 0) {
        return;
    }
    uint32_t hole = home(table, key);
    for (; !is_equal(&table->slots[hole].key, key); hole = (hole + 1) & table->mask) {
        if (!table->slots[hole].is_used) {
            return;
        }
    }
    if (!table->slots[hole].is_used) {
        return;
    }
    /* An entry may fill the hole if the hole lies between its home and its place. */
    for (uint32_t i = (hole + 1) & table->mask; table->slots[i].is_used;
         i = (i + 1) & table->mask) {
        uint32_t from_home = (i - home(table, &table->slots[i].key)) & table->mask;
        if (from_home >= ((i - hole) & table->mask)) {
            table->slots[hole] = table->slots[i];
            hole = i;
        }
    }
    table->slots[hole] = (struct sim_table_slot){0};
    table->count--;
}

/* Multiply and fold, word by word; the finish is that of splitmix64. */
static uint32_t home(const struct sim_table *table, const struct sim_key *key) {
    uint64_t hash = 0;
    for (size_t i = 0; i < WRN_COUNT(key->words); i++) {
        hash = (hash ^ key->words[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)(hash >> 32) & table->mask;
}

static bool is_equal(const struct sim_key *a, const struct sim_key *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

/* Adds where there is room. */
static void place(struct sim_table *table, const struct sim_key *key, uint32_t value) {
    uint32_t i = home(table, key);
    for (; table->slots[i].is_used; i = (i + 1) & table->mask) {
        WRN_ASSERT(!is_equal(&table->slots[i].key, key));
    }
    table->slots[i] = (struct sim_table_slot){*key, value, true};
    table->count++;
}

static void grow(struct sim_table *table) {
    struct sim_table old = *table;
    uint32_t slots = old.slots == NULL ? 8 : 2 * (old.mask + 1);
    WRN_ASSERT(slots > 0);
    table->slots = sim_take(slots, sizeof *table->slots);
    table->mask = slots - 1;
    table->count = 0;
    for (uint32_t i = 0; old.slots != NULL && i <= old.mask; i++) {
        if (old.slots[i].is_used) {
            place(table, &old.slots[i].key, old.slots[i].value);
        }
    }
    free(old.slots);
}

/* IPv4 in the range that IPv6 sets aside for it, so that no two addresses look alike. */
static void pack(const struct wrn_ip *ip, uint64_t ret_words[2]) {
    bool is_ipv4 = ip->family == WRN_FAMILY_IPV4;
    ret_words[0] = is_ipv4 ? 0 : wrn_load_be64(ip->bytes);
    ret_words[1] =
        is_ipv4 ? (uint64_t)0xffff << 32 | wrn_load_be32(ip->bytes) : wrn_load_be64(ip->bytes + 8);
}
