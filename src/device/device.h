/* SPDX-License-Identifier: Apache-2.0 */
/* One running interface: the machine, its workers, its clock, in one event loop. Everything in here
 * belongs to the control thread. Knows nothing of the UAPI's text. */
#pragma once
#include "crypto/crypto.h"
#include "io/log.h"
#include "io/tun.h"
#include "wg/uapi.h"

typedef struct uv_loop_s uv_loop_t;
struct wrn_device;

struct wrn_device_options {
    uint32_t workers;  /* 1..WRN_UAPI_WORKERS_MAX */
    uint32_t offloads; /* WRN_UAPI_OFFLOAD_*: those that the kernel has not are left out */
    enum wrn_crypto_provider provider;
};

/* Makes the device around 'tun', which it owns from here on, also if this fails. 'loop' and 'log'
 * must outlive it. The loop is stopped when the interface is deleted. Returns 0, or -ENOMEM,
 * -ENOTSUP (libcrypto lacks an algorithm, or the provider cannot work here), -ENODEV (deleted
 * already), or another -errno. Where the TUN device has a single queue, one worker serves it. */
WRN_NODISCARD int wrn_device_create(uv_loop_t *loop, struct wrn_tun tun, struct wrn_log *log,
                                    const struct wrn_device_options *options,
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

/* Changes the number of workers, 1..WRN_UAPI_WORKERS_MAX. Returns 0, -EOPNOTSUPP (the TUN device
 * has a single queue) or another -errno; then the number is as it was. */
WRN_NODISCARD int wrn_device_set_workers(struct wrn_device *device, uint32_t count);

/* Switches offloads (WRN_UAPI_OFFLOAD_*) on, as far as the kernel has them, and all others off. */
void wrn_device_set_offloads(struct wrn_device *device, uint32_t offloads);

/* Tells port, mark, workers, offloads and AEAD as a `get` reports them. */
struct wrn_uapi_interface wrn_device_interface(const struct wrn_device *device);
