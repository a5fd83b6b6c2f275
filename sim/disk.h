/* SPDX-License-Identifier: Apache-2.0 */
/* What a node's program would have on its disk: locators of peers to come back by, and the records
 * that it keeps stored. Outlives the node's runs; decides nothing. */
#pragma once
#include "overlay/overlay.h"

enum { SIM_DISK_LOCATORS_MAX = 16 };

/* The locator of a peer. Size 0: none. */
struct sim_cached {
    wrn_id id;
    uint32_t size;
    uint8_t bytes[WRN_LOCATOR_MAX];
};

/* A record that the node keeps stored. */
struct sim_kept {
    enum wrn_record_kind kind;
    uint8_t key[WRN_RECORD_KEY_MAX];
    uint32_t key_size;
    uint8_t value[WRN_RECORD_VALUE_MAX];
    uint32_t value_size;
    uint32_t ttl_s;
};

struct sim_disk {
    struct sim_cached cached[SIM_DISK_LOCATORS_MAX];
    uint32_t cached_next; /* the place that is written next */
    struct sim_kept *kept;
    uint32_t kept_count, kept_capacity;
};

/* Makes an empty disk; the caller destroys it. */
struct sim_disk *sim_disk_create(void);

/* Frees it and what is on it. NULL is fine. */
void sim_disk_destroy(struct sim_disk *disk);

/* Writes a peer's locator in place of its former one; where there is none and no room, in place of
 * one that was written long ago. */
void sim_disk_cache(struct sim_disk *disk, wrn_id id, wrn_span locator);

/* Writes a record in place of the one with the same key and value. */
void sim_disk_keep(struct sim_disk *disk, enum wrn_record_kind kind, wrn_span key, wrn_span value,
                   uint32_t ttl_s);

/* Takes all records under a key off the disk. */
void sim_disk_forget(struct sim_disk *disk, wrn_span key);
