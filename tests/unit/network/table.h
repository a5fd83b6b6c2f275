/* SPDX-License-Identifier: Apache-2.0 */
/* A DHT for tests in virtual time: tables of signed records, one for each part of a network,
 * answers that take a while, and nodes that are told when a record that they keep loses. */
#pragma once
#include "network/claim.h"

enum { TABLE_NODES_MAX = 16 };

/* A machine under test. */
struct table_machine {
    void *it;
    void (*on_answer)(void *it, struct wrn_now now, const struct wrn_dht_answer *answer);
    void (*on_lost)(void *it, struct wrn_now now, wrn_span record, wrn_span winner,
                    enum wrn_reason reason);
    void (*on_time)(void *it, struct wrn_now now);
    wrn_mono (*due)(const void *it);
};

/* Begins: no nodes, no records, at some moment in 2026. */
void table_begin(uint64_t seed);
void table_end(void);

/* Adds the node number 0, 1, ...; its public key. */
unsigned table_add(struct table_machine machine);
const uint8_t *table_public(unsigned node);

const struct wrn_primitives *table_primitives(void);
struct wrn_rand table_rand(void);
struct wrn_now table_now(void);

/* What machines' ports call. */
enum wrn_reason table_store(unsigned node, const struct wrn_claim_request *request);
enum wrn_reason table_get(unsigned node, uint32_t tag, wrn_span key);

/* Puts a node into a part of the network; parts are one again, and conflicts are resolved. */
void table_part(unsigned node, unsigned part);
void table_heal(void);

/* From now on the node gets this for an answer to each request (NONE: the truth), or TIMEOUT for
 * silence; its port refuses with this; who answers cannot be read. */
void table_force(unsigned node, enum wrn_reason reason);
void table_refuse(unsigned node, enum wrn_reason reason);
void table_garble(unsigned node, bool is_garbled);

/* Somebody who is no node of the test has a key since the year 2001, or another time. */
void table_squat(const char *key, wrn_span value);

/* A kept record is gone, or ends for this reason. */
void table_forget(unsigned node, const char *key, enum wrn_reason reason);

/* How many records there are; whose a key is (-1: nobody's, -2: a squatter's); requests so far. */
unsigned table_count(void);
int table_owner(const char *key);
unsigned table_requests(unsigned node);

/* Lets time pass. Asserts that no machine is due in the past after its on_time. */
void table_run(uint32_t s);
