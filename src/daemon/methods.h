/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of the daemon: one method a command, thin over the node. docs/control.md
 * documents each. */
#pragma once
#include "daemon/control.h"

struct wrn_methods;

/* The version of the protocol: grows when something that was there changes its meaning. */
enum { WRN_METHODS_PROTOCOL = 1 };

/* Makes the state of the methods ('service' may be NULL: then there is none) and fills in
 * 'ret_host', which stays the caller's and outlives it. NULL for want of memory. */
struct wrn_methods *wrn_methods_create(struct wrn_daemon *daemon, struct wrn_service *service,
                                       struct wrn_control *control, struct wrn_rpc_host *ret_host);

/* Ends all calls that are under way. Sessions are gone by then. NULL is fine. */
void wrn_methods_destroy(struct wrn_methods *methods);

/* A session has ended: what it asked for only to look goes on no longer. */
void wrn_methods_on_gone(struct wrn_methods *methods);

/* An event as subscribers see it; NULL for want of memory. */
json_t *wrn_methods_event_json(struct wrn_daemon *daemon, wrn_handle network,
                               const struct wrn_node_event *event, int64_t now_s);
