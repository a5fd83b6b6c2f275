/* SPDX-License-Identifier: Apache-2.0 */
/* Serves the control socket: connections, their lines, answers no faster than they are read, events
 * for those who subscribed. What can be asked is in methods.h; docs/control.md has the protocol. */
#pragma once
#include "daemon/daemon.h"
#include "daemon/rpc.h"
#include "daemon/service.h"

struct wrn_control;

/* Makes the socket that 'options' names and serves it; they and 'daemon' outlive it, and so does
 * 'service', which may be NULL. Returns 0, or -errno with a sentence that has the next step. */
WRN_NODISCARD int wrn_control_start(struct wrn_daemon *daemon, struct wrn_service *service,
                                    const struct wrn_daemon_options *options,
                                    struct wrn_control **ret_control,
                                    char reterr_why[WRN_DAEMON_WHY_SIZE]);

/* Closes all connections and the socket, and removes its file if it is still ours. To be called
 * before wrn_daemon_destroy; the loop must run once more before it can be closed. NULL is fine. */
void wrn_control_stop(struct wrn_control *control);

/* Sends the events whose bits (1 << enum wrn_node_event_kind) are set to the session from now on;
 * 'network' NONE: of all networks. */
void wrn_control_subscribe(struct wrn_control *control, const struct wrn_rpc_session *session,
                           uint64_t kinds, wrn_handle network);
