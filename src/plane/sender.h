/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers datagrams and sends them together, each from a source address that still makes sense.
 * Belongs to one thread; counts and logs nothing: its owner looks at the outcome. */
#pragma once
#include "io/route.h"
#include "io/udp.h"
#include "wg/wg.h"

struct wrn_sender {
    struct wrn_route *route;
    struct wrn_udp_scratch *scratch;
    size_t count;
    struct wrn_udp_sending batch[WRN_UDP_BATCH_MAX];
    wrn_handle receivers[WRN_UDP_BATCH_MAX]; /* whose datagram it is */
    bool moved[WRN_UDP_BATCH_MAX];           /* its source was given up before it was sent */
};

/* Starts a sender. Returns 0, or -ENOMEM or -errno of the route watch. */
WRN_NODISCARD int wrn_sender_init(struct wrn_sender *sender);

/* Ends it. A zeroed one is fine. */
void wrn_sender_finish(struct wrn_sender *sender);

/* Adds a datagram, at most WRN_UDP_BATCH_MAX: the caller fills in bytes (which must stay until they
 * were sent), size, path and DS field of what is returned. 'receiver' is WRN_HANDLE_NONE where no
 * peer is known. */
static inline struct wrn_udp_sending *wrn_sender_add(struct wrn_sender *sender,
                                                     wrn_handle receiver) {
    sender->receivers[sender->count] = receiver;
    return &sender->batch[sender->count++];
}

/* Sends what was added, by 'udp'. The outcome stands in 'batch': 'error', and 'source_refused'
 * where the peer's source address is to be forgotten. The owner sets 'count' to 0 once it has
 * looked. */
void wrn_sender_send(struct wrn_sender *sender, wrn_mono now, struct wrn_udp *udp);
