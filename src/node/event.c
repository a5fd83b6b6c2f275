/* SPDX-License-Identifier: Apache-2.0 */
/* Names of events. Pure. */
#include "node/event.h"

const char *wrn_node_event_name(enum wrn_node_event_kind kind) {
    static const char *const names[] = {
#define WRN_NODE_EVENT_NAME(name, text) text,
        WRN_NODE_EVENT_LIST(WRN_NODE_EVENT_NAME)
#undef WRN_NODE_EVENT_NAME
    };
    return kind < WRN_NODE_EVENT_KINDS ? names[kind] : "unknown";
}
