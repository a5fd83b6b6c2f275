/* SPDX-License-Identifier: Apache-2.0 */
/* Writes opened packets to the host, those joined that belong together. Belongs to one thread;
 * counts nothing: its owner is told. */
#pragma once
#include "io/tun.h"
#include "packet/coalesce.h"
#include "wg/wg.h"

enum { WRN_DELIVER_MAX = WRN_WG_BATCH_MAX };

/* Room for one call. */
struct wrn_delivery {
    struct iovec packets[WRN_DELIVER_MAX];
    struct wrn_coalescer coalescer;
};

/* What became of a batch besides packets with the host. */
struct wrn_delivered {
    uint64_t refused; /* packets that the kernel did not take */
    uint32_t lost;    /* WRN_UAPI_OFFLOAD_* that it refused in mid-stream */
};

/* Writes the inner packets of 'count' (1..WRN_DELIVER_MAX) datagrams to a queue, in order. Joins
 * what '*joinable' (WRN_COALESCE_*) allows and takes out of that what the kernel refuses. Returns 0
 * or -ENODEV once the device was deleted; 'ret_delivered' is written in either case. */
WRN_NODISCARD int wrn_deliver(struct wrn_delivery *delivery, const struct wrn_tun *tun,
                              uint32_t *joinable, const struct wrn_wg_datagram *batch, size_t count,
                              struct wrn_delivered *ret_delivered);

/* The same with the first 'count' (0..WRN_DELIVER_MAX) Ethernet frames that the caller has put into
 * delivery->packets, for a TAP device. */
WRN_NODISCARD int wrn_deliver_frames(struct wrn_delivery *delivery, const struct wrn_tun *tun,
                                     uint32_t *joinable, size_t count,
                                     struct wrn_delivered *ret_delivered);
