/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of the host and routes by its interfaces, through rtnetlink: lists and follows those
 * that there are, sets those of an interface of ours. Of the caller's network namespace; remembers
 * nothing that it has set. */
#pragma once
#include <net/if.h>
#include "base/address.h"

struct nl_sock;

struct wrn_addresses {
    struct nl_sock *events;  /* subscribed to changes of addresses and links */
    struct nl_sock *queries; /* for questions and commands, answered at once */
};

/* Opens the sockets. Returns 0 or -errno. */
WRN_NODISCARD int wrn_addresses_open(struct wrn_addresses *ret_addresses);

/* Closes them. A zeroed one is fine. */
void wrn_addresses_close(struct wrn_addresses *addresses);

/* Returns the descriptor that becomes readable when an address or an interface has changed. */
int wrn_addresses_fd(const struct wrn_addresses *addresses);

/* Takes the news in. Returns true if the host's addresses may be others now (or news were lost). */
bool wrn_addresses_read_events(struct wrn_addresses *addresses);

/* One address of an interface. */
struct wrn_host_address {
    struct wrn_prefix prefix; /* the address, all its bits, and the length of its network */
    uint32_t interface;       /* index */
    char name[IF_NAMESIZE];   /* of the interface; "" if it has gone meanwhile */
    bool is_up;               /* the interface is up and has a carrier */
    bool is_loopback;         /* ... is that of loopback */
    bool is_point_to_point;   /* ... is a tunnel or alike: TUN devices are */
    bool is_link_local;       /* fe80::/10, 169.254/16: means nothing elsewhere */
    bool is_temporary;        /* IPv6: replaced before long, RFC 8981 */
    bool is_usable;           /* not tentative, duplicate or deprecated */
};

/* Writes all addresses of all interfaces, 'capacity' at most, and in 'ret_count' how many there
 * are, which may be more. Returns 0 or -errno. */
WRN_NODISCARD int wrn_addresses_list(const struct wrn_addresses *addresses,
                                     struct wrn_host_address *ret_list, size_t capacity,
                                     size_t *ret_count);

/* Gives the interface 'index' an address: all its bits, and the length of its network, to which the
 * kernel then has a route by the interface; one of IPv4 without a network (/32) is for this host
 * alone, and never chosen as a source. What is there already is fine. Returns 0, -EPERM,
 * -ENODEV, or -EACCES or -EOPNOTSUPP where IPv6 is switched off. */
WRN_NODISCARD int wrn_addresses_add(const struct wrn_addresses *addresses, uint32_t index,
                                    const struct wrn_prefix *address);

/* Takes it away. What is not there is fine. Returns 0 or -errno. */
WRN_NODISCARD int wrn_addresses_remove(const struct wrn_addresses *addresses, uint32_t index,
                                       const struct wrn_prefix *address);

/* Adds a route to 'network' by the interface 'index', which must be up, from the source address
 * 'source' (family NONE: let the kernel choose). One that is there by this interface is fine.
 * Returns 0, -EEXIST (another route to just this network, which stays), -ENETDOWN, -EPERM … */
WRN_NODISCARD int wrn_addresses_add_route(const struct wrn_addresses *addresses, uint32_t index,
                                          const struct wrn_prefix *network,
                                          const struct wrn_ip *source);

/* Takes a route by this interface away. One that is not there is fine. Returns 0 or -errno. */
WRN_NODISCARD int wrn_addresses_remove_route(const struct wrn_addresses *addresses, uint32_t index,
                                             const struct wrn_prefix *network);

/* Answers packets to 'network' with "unreachable" where no other route leads to it, or not any
 * more: an unreachable route, behind all others. One that is there is fine, and one that is not.
 * Returns 0 or -errno. */
WRN_NODISCARD int wrn_addresses_block(const struct wrn_addresses *addresses,
                                      const struct wrn_prefix *network, bool is_blocked);

/* Brings the interface 'index' up or down and, if 'mtu_bytes' is not 0, sets its MTU. Returns 0 or
 * -errno. */
WRN_NODISCARD int wrn_addresses_set_link(const struct wrn_addresses *addresses, uint32_t index,
                                         bool is_up, uint32_t mtu_bytes);

/* Has the kernel give the interface 'index', which is still down, no link-local address of its own
 * accord, and so ask for no routers through it. Returns 0 or -errno (-EAFNOSUPPORT: no IPv6). */
WRN_NODISCARD int wrn_addresses_make_quiet(const struct wrn_addresses *addresses, uint32_t index);
