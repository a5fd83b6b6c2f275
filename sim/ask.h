/* SPDX-License-Identifier: Apache-2.0 */
/* Commands to simulated nodes: each is one input to the node's overlay, whose actions are performed
 * before it returns. The node must run. What they mean stands in overlay/overlay.h. */
#pragma once
#include "sim/node.h"

/* Each returns what the overlay says. */
void sim_ask_connect(struct sim_node *node, wrn_id id);
enum wrn_reason sim_ask_carry(struct sim_node *node, wrn_handle peer, wrn_span datagram);
enum wrn_reason sim_ask_send(struct sim_node *node, wrn_handle peer, wrn_span message);
enum wrn_reason sim_ask_route(struct sim_node *node, enum wrn_route_mode mode, wrn_id target,
                              wrn_span message);
enum wrn_reason sim_ask_broadcast(struct sim_node *node, wrn_span message);
enum wrn_reason sim_ask_sum(struct sim_node *node, uint32_t tag, wrn_span question);
enum wrn_reason sim_ask_crawl(struct sim_node *node, uint32_t tag, uint32_t limit);
enum wrn_reason sim_ask_get(struct sim_node *node, uint32_t tag, wrn_span key);

/* Stores a record without proof. One that is to be kept is written to the node's disk too. */
enum wrn_reason sim_ask_store(struct sim_node *node, uint32_t tag, enum wrn_record_kind kind,
                              wrn_span key, wrn_span value, uint32_t ttl_s, bool keep);

/* Takes what the node kept under a key off its disk. */
void sim_ask_forget(struct sim_node *node, wrn_span key);

/* Has the node look again at whom it admits. */
void sim_ask_admit_again(struct sim_node *node);
