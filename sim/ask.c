/* SPDX-License-Identifier: Apache-2.0 */
/* Commands to simulated nodes. */
#include "sim/ask.h"

#include "sim/memory.h"

static void keep(struct sim_node *node, enum wrn_record_kind kind, wrn_span key, wrn_span value,
                 uint32_t ttl_s);
static enum wrn_reason ended(struct sim_node *node, enum wrn_reason reason);

void sim_ask_connect(struct sim_node *node, wrn_id id) {
    wrn_overlay_connect(node->overlay, sim_node_now(node), id, sim_node_begin(node));
    sim_node_end(node);
}

enum wrn_reason sim_ask_carry(struct sim_node *node, wrn_handle peer, wrn_span datagram) {
    return ended(node, wrn_overlay_carry(node->overlay, sim_node_now(node), peer, datagram,
                                         sim_node_begin(node)));
}

enum wrn_reason sim_ask_send(struct sim_node *node, wrn_handle peer, wrn_span message) {
    return ended(node, wrn_overlay_send(node->overlay, sim_node_now(node), peer, message,
                                        sim_node_begin(node)));
}

enum wrn_reason sim_ask_route(struct sim_node *node, enum wrn_route_mode mode, wrn_id target,
                              wrn_span message) {
    return ended(node, wrn_overlay_route(node->overlay, sim_node_now(node), mode, target, message,
                                         sim_node_begin(node)));
}

enum wrn_reason sim_ask_broadcast(struct sim_node *node, wrn_span message) {
    return ended(node, wrn_overlay_broadcast(node->overlay, sim_node_now(node), message,
                                             sim_node_begin(node)));
}

enum wrn_reason sim_ask_sum(struct sim_node *node, uint32_t tag, wrn_span question) {
    return ended(node, wrn_overlay_sum(node->overlay, sim_node_now(node), tag, question,
                                       sim_node_begin(node)));
}

enum wrn_reason sim_ask_crawl(struct sim_node *node, uint32_t tag, uint32_t limit) {
    return ended(node, wrn_overlay_crawl(node->overlay, sim_node_now(node), tag, limit,
                                         sim_node_begin(node)));
}

enum wrn_reason sim_ask_get(struct sim_node *node, uint32_t tag, wrn_span key) {
    return ended(
        node, wrn_overlay_get(node->overlay, sim_node_now(node), tag, key, sim_node_begin(node)));
}

enum wrn_reason sim_ask_store(struct sim_node *node, uint32_t tag, enum wrn_record_kind kind,
                              wrn_span key, wrn_span value, uint32_t ttl_s, bool is_kept) {
    enum wrn_reason reason =
        wrn_overlay_store(node->overlay, sim_node_now(node), tag, kind, key, value, (wrn_span){0},
                          ttl_s, is_kept, sim_node_begin(node));
    if (is_kept && reason == WRN_REASON_NONE) {
        keep(node, kind, key, value, ttl_s);
    }
    sim_node_end(node);
    return reason;
}

void sim_ask_forget(struct sim_node *node, wrn_span key) {
    if (node->disk == NULL) {
        return;
    }
    for (uint32_t i = node->disk->kept_count; i-- > 0;) {
        struct sim_kept *kept = &node->disk->kept[i];
        if (kept->key_size == key.size && memcmp(kept->key, key.data, key.size) == 0) {
            *kept = node->disk->kept[--node->disk->kept_count];
        }
    }
}

void sim_ask_admit_again(struct sim_node *node) {
    wrn_overlay_admit_again(node->overlay, sim_node_now(node), sim_node_begin(node));
    sim_node_end(node);
}

/* Ends the input that 'reason' is the answer to. */
static enum wrn_reason ended(struct sim_node *node, enum wrn_reason reason) {
    sim_node_end(node);
    return reason;
}

/* In place of what it kept under the same key with the same value. */
static void keep(struct sim_node *node, enum wrn_record_kind kind, wrn_span key, wrn_span value,
                 uint32_t ttl_s) {
    if (node->disk == NULL) {
        node->disk = sim_take(1, sizeof *node->disk);
    }
    struct sim_disk *disk = node->disk;
    struct sim_kept *kept = NULL;
    WRN_ASSERT(key.size <= sizeof kept->key && value.size <= sizeof kept->value);
    for (uint32_t i = 0; i < disk->kept_count && kept == NULL; i++) {
        struct sim_kept *old = &disk->kept[i];
        bool is_same = old->key_size == key.size && memcmp(old->key, key.data, key.size) == 0 &&
                       old->value_size == value.size &&
                       memcmp(old->value, value.data, value.size) == 0;
        kept = is_same ? old : NULL;
    }
    if (kept == NULL) {
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
