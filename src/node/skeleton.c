/* SPDX-License-Identifier: Apache-2.0 */
/* What is declared and not there yet: it refuses. */
#include "node/network_internal.h"
#include "node/node.h"

size_t wrn_node_network_size(const struct wrn_node *node) {
    (void)node;
    return sizeof(struct wrn_network);
}

enum wrn_reason wrn_node_add(struct wrn_node *node, struct wrn_now now, void *memory,
                             wrn_span state, struct wrn_node_out *out, wrn_handle *ret_network) {
    (void)node;
    (void)now;
    (void)memory;
    (void)state;
    (void)out;
    *ret_network = WRN_HANDLE_NONE;
    return WRN_REASON_FULL;
}

void wrn_network_finish(struct wrn_network *network) {
    (void)network;
}

void wrn_node_leave(struct wrn_node *node, struct wrn_now now, wrn_handle network, bool release,
                    struct wrn_node_out *out) {
    (void)node;
    (void)now;
    (void)network;
    (void)release;
    (void)out;
}

size_t wrn_node_save(const struct wrn_node *node, wrn_handle network, uint8_t *out,
                     size_t capacity) {
    (void)node;
    (void)network;
    (void)out;
    (void)capacity;
    return 0;
}

void wrn_node_on_datagram(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                          uint16_t socket, const struct wrn_endpoint *from, uint8_t *bytes,
                          size_t size, struct wrn_node_out *out) {
    (void)node;
    (void)now;
    (void)network;
    (void)socket;
    (void)from;
    (void)bytes;
    (void)size;
    (void)out;
}

void wrn_node_on_carry(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                       const struct wrn_path *path, wrn_span datagram, struct wrn_node_out *out) {
    (void)node;
    (void)now;
    (void)network;
    (void)path;
    (void)datagram;
    (void)out;
}

void wrn_node_on_packet(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                        wrn_span packet, struct wrn_node_out *out) {
    (void)node;
    (void)now;
    (void)network;
    (void)packet;
    (void)out;
}

void wrn_node_on_time(struct wrn_node *node, struct wrn_now now, struct wrn_node_out *out) {
    (void)node;
    (void)now;
    (void)out;
}

wrn_mono wrn_node_due(const struct wrn_node *node) {
    (void)node;
    return WRN_MONO_NEVER;
}

bool wrn_node_set_local(struct wrn_node *node, struct wrn_now now,
                        const struct wrn_locator_endpoint *endpoints, size_t count,
                        uint32_t *cursor, struct wrn_node_out *out) {
    (void)node;
    (void)now;
    (void)endpoints;
    (void)count;
    (void)cursor;
    (void)out;
    return false;
}

void wrn_node_resolve(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                      const struct wrn_names_question *question, uint32_t tag,
                      struct wrn_names_answer *ret_answer, struct wrn_node_out *out) {
    (void)node;
    (void)now;
    (void)network;
    (void)question;
    (void)tag;
    (void)out;
    *ret_answer = (struct wrn_names_answer){.found = WRN_NAMES_UNKNOWN};
}

void wrn_node_connect(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                      const uint8_t hit[WRN_HIT_SIZE], uint32_t tag, struct wrn_node_out *out) {
    (void)node;
    (void)now;
    (void)network;
    (void)hit;
    (void)tag;
    (void)out;
}

void wrn_node_members(struct wrn_node *node, struct wrn_now now, wrn_handle network, uint32_t tag,
                      struct wrn_node_out *out) {
    (void)node;
    (void)now;
    (void)network;
    (void)tag;
    (void)out;
}

void wrn_node_get(struct wrn_node *node, struct wrn_now now, wrn_handle network, uint32_t tag,
                  wrn_span key, struct wrn_node_out *out) {
    (void)node;
    (void)now;
    (void)network;
    (void)tag;
    (void)key;
    (void)out;
}

void wrn_node_store(struct wrn_node *node, struct wrn_now now, wrn_handle network, uint32_t tag,
                    enum wrn_record_kind kind, wrn_span key, wrn_span value, uint32_t ttl_s,
                    bool keep, struct wrn_node_out *out) {
    (void)node;
    (void)now;
    (void)network;
    (void)tag;
    (void)kind;
    (void)key;
    (void)value;
    (void)ttl_s;
    (void)keep;
    (void)out;
}

const struct wrn_policy *wrn_node_policy(const struct wrn_node *node, wrn_handle network) {
    (void)node;
    (void)network;
    return NULL;
}

bool wrn_node_network_info(const struct wrn_node *node, wrn_handle network,
                           struct wrn_node_network_info *ret_info) {
    (void)node;
    (void)network;
    (void)ret_info;
    return false;
}

bool wrn_node_next_peer(const struct wrn_node *node, wrn_handle network, uint32_t *cursor,
                        struct wrn_node_peer_info *ret_info) {
    (void)node;
    (void)network;
    (void)cursor;
    (void)ret_info;
    return false;
}

bool wrn_node_trace(const struct wrn_node *node, struct wrn_now now, wrn_handle network,
                    const struct wrn_policy_question *question, struct wrn_node_trace *ret_trace) {
    (void)node;
    (void)now;
    (void)network;
    (void)question;
    (void)ret_trace;
    return false;
}
