/* SPDX-License-Identifier: Apache-2.0 */
/* Commands to simulated nodes. */
#include "sim/ask.h"

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
                          ttl_s, 0, is_kept, sim_node_begin(node));
    if (is_kept && reason == WRN_REASON_NONE) {
        sim_disk_keep(sim_node_disk(node), kind, key, value, ttl_s);
    }
    return ended(node, reason);
}

void sim_ask_forget(struct sim_node *node, wrn_span key) {
    if (node->disk != NULL) {
        sim_disk_forget(node->disk, key);
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
