/* SPDX-License-Identifier: Apache-2.0 */
/* Disks of simulated nodes: memory that a crash leaves alone. */
#include "sim/disk.h"

#include "sim/memory.h"

static bool holds(const uint8_t *bytes, uint32_t size, wrn_span span);

struct sim_disk *sim_disk_create(void) {
    return sim_take(1, sizeof(struct sim_disk));
}

void sim_disk_destroy(struct sim_disk *disk) {
    if (disk != NULL) {
        free(disk->kept);
        free(disk);
    }
}

void sim_disk_cache(struct sim_disk *disk, wrn_id id, wrn_span locator) {
    WRN_ASSERT(locator.size > 0 && locator.size <= WRN_LOCATOR_MAX);
    uint32_t at = disk->cached_next;
    for (uint32_t i = 0; i < SIM_DISK_LOCATORS_MAX; i++) {
        if (disk->cached[i].size > 0 && wrn_id_equal(disk->cached[i].id, id)) {
            at = i;
        }
    }
    if (at == disk->cached_next) { /* what was just written is not the next to go */
        disk->cached_next = (disk->cached_next + 1) % SIM_DISK_LOCATORS_MAX;
    }
    struct sim_cached *cached = &disk->cached[at];
    cached->id = id;
    cached->size = (uint32_t)locator.size;
    memcpy(cached->bytes, locator.data, locator.size);
}

void sim_disk_keep(struct sim_disk *disk, enum wrn_record_kind kind, wrn_span key, wrn_span value,
                   uint32_t ttl_s) {
    struct sim_kept *kept = disk->kept;
    const struct sim_kept *end = kept == NULL ? NULL : kept + disk->kept_count;
    WRN_ASSERT(key.size <= sizeof kept->key && value.size <= sizeof kept->value);
    while (kept != end && !(holds(kept->key, kept->key_size, key) &&
                            holds(kept->value, kept->value_size, value))) {
        kept++;
    }
    if (kept == end) {
        disk->kept =
            sim_grow(disk->kept, disk->kept_count, &disk->kept_capacity, sizeof *disk->kept);
        kept = &disk->kept[disk->kept_count++];
    }
    *kept = (struct sim_kept){.kind = kind,
                              .key_size = (uint32_t)key.size,
                              .value_size = (uint32_t)value.size,
                              .ttl_s = ttl_s};
    memcpy(kept->key, key.data, key.size);
    memcpy(kept->value, value.data, value.size);
}

void sim_disk_forget(struct sim_disk *disk, wrn_span key) {
    for (uint32_t i = disk->kept_count; i-- > 0;) {
        if (holds(disk->kept[i].key, disk->kept[i].key_size, key)) {
            disk->kept[i] = disk->kept[--disk->kept_count];
        }
    }
}

static bool holds(const uint8_t *bytes, uint32_t size, wrn_span span) {
    return size == span.size && memcmp(bytes, span.data, size) == 0;
}
