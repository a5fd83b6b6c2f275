/* SPDX-License-Identifier: Apache-2.0 */
/* The switch of an l2 network: members that may send get a port, stay connected, and what the
 * switch wants sent or said is passed on. */
#include "node/network_internal.h"

struct wrn_switch *wrn_node_switch(const struct wrn_node *node, wrn_handle handle) {
    (void)node;
    (void)handle;
    return NULL;
}

bool wrn_node_set_bridge(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                         const struct wrn_switch_settings *settings, struct wrn_node_out *out) {
    (void)node;
    (void)now;
    (void)handle;
    (void)settings;
    (void)out;
    return false;
}

void wrn_node_on_frame(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                       wrn_handle peer, wrn_span frame, struct wrn_node_out *out) {
    (void)node;
    (void)now;
    (void)handle;
    (void)peer;
    (void)frame;
    (void)out;
}
