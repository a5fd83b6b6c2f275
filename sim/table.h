/* SPDX-License-Identifier: Apache-2.0 */
/* Hash table from keys of five words to numbers, growing. The same operations give the same table
 * in every run: nothing depends on addresses in memory. */
#pragma once
#include "base/address.h"

struct sim_key {
    uint64_t words[5];
};

struct sim_table {
    struct sim_table_slot *slots; /* NULL: empty */
    uint32_t mask;                /* slots - 1 */
    uint32_t count;
};

/* Returns the key of a number and up to two endpoints (NULL: none). Scopes do not count. */
struct sim_key sim_key(uint32_t number, const struct wrn_endpoint *a, const struct wrn_endpoint *b);

/* Returns the key of a number and an address. */
struct sim_key sim_key_of_ip(uint32_t number, const struct wrn_ip *ip);

/* Returns the key of two numbers. */
struct sim_key sim_key_of_pair(uint64_t a, uint64_t b);

/* Frees the slots; the table is empty then and can be used again. A zeroed table is empty. */
void sim_table_finish(struct sim_table *table);

/* Finds 'key' and sets 'ret_value'. Returns false and leaves it alone if absent. O(1) expected. */
bool sim_table_find(const struct sim_table *table, const struct sim_key *key, uint32_t *ret_value);

/* Adds 'key', which must not be there. O(1) amortised. */
void sim_table_add(struct sim_table *table, const struct sim_key *key, uint32_t value);

/* Removes 'key'; nothing happens if it is absent. */
void sim_table_remove(struct sim_table *table, const struct sim_key *key);
