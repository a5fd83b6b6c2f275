/* SPDX-License-Identifier: Apache-2.0 */
/* One running interface: the machine, its TUN device, its UDP sockets, its clock, in one event
 * loop. Knows nothing of the UAPI's text. */
#pragma once
#include "io/log.h"
#include "io/tun.h"
#include "wg/uapi.h"

typedef struct uv_loop_s uv_loop_t;
struct wrn_device;

/* Makes the device around 'tun', which it owns from here on, also if this fails. 'loop' and 'log'
 * must outlive it. The loop is stopped when the interface is deleted. Returns 0, or -ENOMEM,
 * -ENOTSUP (libcrypto lacks an algorithm), -ENODEV (deleted already), or another -errno. */
WRN_NODISCARD int wrn_device_create(uv_loop_t *loop, struct wrn_tun tun, struct wrn_log *log,
                                    struct wrn_device **ret_device);

/* Closes and wipes everything. The loop must run once more before it can be closed. NULL is fine.
 * */
void wrn_device_destroy(struct wrn_device *device);

/* Returns the machine and the room for what commands lead to, both owned by the device. */
struct wrn_wg *wrn_device_wg(struct wrn_device *device);
struct wrn_wg_out *wrn_device_out(struct wrn_device *device);

/* Performs what commands given to the machine directly have led to, and sets the clock. */
void wrn_device_settle(struct wrn_device *device, struct wrn_now now);

/* Changes the UDP port, 0 for any free one, without losing the old one if that fails. While the
 * link is down the port is only tried and remembered. Returns 0, -EADDRINUSE, -EACCES or another
 * -errno. */
WRN_NODISCARD int wrn_device_set_listen_port(struct wrn_device *device, uint16_t port);

/* Changes the firewall mark of what is sent, 0 for none. Returns 0 or -EPERM. */
WRN_NODISCARD int wrn_device_set_fwmark(struct wrn_device *device, uint32_t mark);

/* Tells port and mark as a `get` reports them. */
struct wrn_uapi_interface wrn_device_interface(const struct wrn_device *device);
