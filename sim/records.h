/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the table that are looked after: who stored what, and whether others get it. */
#pragma once
#include "sim/population.h"
#include "sim/sample.h"

/* One key. */
struct sim_stored {
    struct sim_node *owner;
    uint64_t forgot; /* as the owner's then: differs, then nobody renews it any more */
    enum wrn_record_kind kind;
    uint32_t version; /* in the value; the newest that was stored */
    enum wrn_reason reason;
    uint8_t copies;
    bool is_stored;  /* an answer said so */
    bool is_lost;    /* RECORD_LOST told the owner */
    bool was_copied; /* somebody live held it when sim_records_find_copies looked */
};

/* One request. */
struct sim_get {
    struct sim_node *from;
    uint64_t life;
    uint32_t record;
    wrn_mono asked;
    bool is_right, is_wrong, is_done;
    enum wrn_reason reason;
};

struct sim_records {
    struct sim_nodes *nodes;
    struct wrn_rand rand;
    struct sim_stored *all;
    uint32_t count, capacity;
    struct sim_get *gets;
    uint32_t get_count, get_capacity;
    uint32_t first; /* of the gets that were not judged */
    uint64_t right, wrong, missed, timeouts, unanswered, interrupted;
    uint64_t stored, refused;
    struct sim_sample took_ms;
};

enum { SIM_GET_TIMEOUT_S = 60 };

/* Begins without records. */
void sim_records_init(struct sim_records *records, struct sim_nodes *nodes);

/* Has the node store a new record under a key of its own. Returns its number. */
uint32_t sim_records_store(struct sim_records *records, struct sim_node *owner,
                           enum wrn_record_kind kind, uint32_t ttl_s, bool keep);

/* Stores a number of records, one every 'gap_ns', by drawn nodes of the group, and waits. */
void sim_records_store_many(struct sim_records *records, uint32_t group, uint32_t count,
                            enum wrn_record_kind kind, uint32_t ttl_s, bool keep, uint64_t gap_ns);

/* Fails the run if one was not stored, and says of the first ones whose they are and why. */
void sim_records_expect_stored(struct sim_records *records);

/* Returns the place of its key. */
wrn_id sim_records_place(const struct sim_records *records, uint32_t number);

/* Has a node ask for a record; sim_records_get_drawn draws both, among what was stored and whose
 * owner did not lose it. */
void sim_records_get(struct sim_records *records, struct sim_node *from, uint32_t record);
void sim_records_get_drawn(struct sim_records *records, uint32_t group);

/* Asks once for each stored one whose owner still knows of it, one every 'gap_ns' from drawn nodes,
 * and waits. With 'only_copied' those that somebody held at sim_records_find_copies. */
void sim_records_get_all(struct sim_records *records, uint32_t group, bool only_copied,
                         uint64_t gap_ns);

/* Takes answers; tells whether it was one for these records. */
bool sim_records_on_event(struct sim_records *records, struct sim_node *node,
                          const struct wrn_overlay_action *action);

/* Looks at what live nodes hold: notes which records have a copy. Returns how many have. */
uint32_t sim_records_find_copies(struct sim_records *records);

/* Counts what has become of gets that are old enough. */
void sim_records_judge(struct sim_records *records);

/* Forgets what was counted. */
void sim_records_reset(struct sim_records *records);

/* Reports times and shares. */
void sim_records_report(struct sim_records *records);

/* Frees them. */
void sim_records_finish(struct sim_records *records);
