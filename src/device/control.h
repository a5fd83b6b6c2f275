/* SPDX-License-Identifier: Apache-2.0 */
/* Serves the UAPI socket: connections, their requests one after another, answers no faster than
 * they are read. Large requests are worked on in slices, so that packets keep moving. */
#pragma once
#include "device/device.h"
#include "io/uapi_socket.h"

struct wrn_control;

/* Starts to serve 'socket', which it owns from here on, also if this fails. 'loop', 'device' and
 * 'log' must outlive it. The loop is stopped when the socket's file is removed. Returns 0 or -errno
 * (-EMFILE,
 * -ENOSPC: no more inotify watches to be had). */
WRN_NODISCARD int wrn_control_create(uv_loop_t *loop, struct wrn_uapi_socket socket,
                                     struct wrn_device *device, struct wrn_log *log,
                                     struct wrn_control **ret_control);

/* Closes all connections and the socket, and removes its file if it is still ours. The loop must
 * run once more before it can be closed. NULL is fine. */
void wrn_control_destroy(struct wrn_control *control);
