/* SPDX-License-Identifier: Apache-2.0 */
/* Follows one network interface through rtnetlink: up or down, MTU, name, deletion, and its move to
 * another network namespace, where it is followed from here without entering it. Changes nothing.
 * */
#pragma once
#include "io/tun.h"

struct nl_sock;

struct wrn_link {
    struct nl_sock *events;  /* subscribed to changes of links */
    struct nl_sock *queries; /* for questions, answered at once */
    uint32_t index;          /* of the interface when it was last looked at, 0: never */
    bool listens_everywhere; /* 'events' hears of other namespaces too */
};

struct wrn_link_state {
    char name[WRN_TUN_NAME_SIZE];
    uint32_t mtu_bytes;
    bool up;
    bool elsewhere; /* lives in another network namespace than we do */
    bool hidden;    /* elsewhere, and we may not look there: 'mtu_bytes' and 'up' say nothing */
};

/* Opens the sockets in the network namespace of the caller. Returns 0 or -errno. */
WRN_NODISCARD int wrn_link_open(struct wrn_link *ret_link);

/* Closes them. A zeroed link is fine. */
void wrn_link_close(struct wrn_link *link);

/* Returns the descriptor that becomes readable when an interface changed. */
int wrn_link_fd(const struct wrn_link *link);

/* Takes the news in. Returns true if they may concern our interface (or some were lost): ask
 * wrn_link_query then. */
bool wrn_link_read_events(struct wrn_link *link);

/* Finds out how the interface of 'tun' is, wherever it lives now. Returns 0, or -ENODEV once it was
 * deleted, or another -errno. */
WRN_NODISCARD int wrn_link_query(struct wrn_link *link, const struct wrn_tun *tun,
                                 struct wrn_link_state *ret_state);
