/* SPDX-License-Identifier: Apache-2.0 */
/* Bridges, their ports and VLAN interfaces of the caller's network namespace, through rtnetlink.
 * Remembers nothing of what it made: an interface of ours is known again by its alias. */
#pragma once
#include "base/base.h"

struct nl_sock;

enum {
    WRN_BRIDGE_NAME_SIZE = 16, /* with the terminating zero: the kernel's IFNAMSIZ */
    WRN_BRIDGE_KIND_SIZE = 16,
    WRN_BRIDGE_ALIAS_SIZE = 256, /* the kernel's IFALIASZ */
};

/* An interface, as far as bridging is concerned. */
struct wrn_bridge_link {
    uint32_t index;
    char name[WRN_BRIDGE_NAME_SIZE];
    char kind[WRN_BRIDGE_KIND_SIZE];   /* "bridge", "vlan", "veth", "tun" …; "": a device */
    char alias[WRN_BRIDGE_ALIAS_SIZE]; /* "": none */
    uint8_t mac[6];
    uint32_t master; /* index of the interface that it is a port of; 0: of none */
    uint32_t lower;  /* ... that it is made upon: a VLAN's; 0: of none */
    uint16_t vlan;   /* of a VLAN interface */
    uint32_t mtu_bytes;
    bool is_up, has_carrier, is_loopback;
    bool is_ethernet; /* its frames are Ethernet's */
};

/* Finds an interface by its name, or by its index. Returns 0, -ENODEV or another -errno. */
WRN_NODISCARD int wrn_bridge_find(struct nl_sock *queries, const char *name,
                                  struct wrn_bridge_link *ret_link);
WRN_NODISCARD int wrn_bridge_look(struct nl_sock *queries, uint32_t index,
                                  struct wrn_bridge_link *ret_link);

/* Calls 'on_link' for every interface; it must not use 'queries'. Returns 0 or -errno. */
typedef void (*wrn_bridge_fn)(void *ctx, const struct wrn_bridge_link *link);
WRN_NODISCARD int wrn_bridge_walk(struct nl_sock *queries, wrn_bridge_fn on_link, void *ctx);

/* Makes a bridge with the address 'mac', down, without spanning tree and without multicast snooping
 * of its own, that gives its ports no delay. Returns 0 and its index, -EEXIST, -EPERM, -EOPNOTSUPP
 * (a kernel without bridges) or another -errno. */
WRN_NODISCARD int wrn_bridge_create(struct nl_sock *queries, const char *name, const char *alias,
                                    const uint8_t mac[6], uint32_t *ret_index);

/* Makes the interface of VLAN 'vlan' (1..4094) upon the interface 'lower', down. Returns 0 and its
 * index, -EEXIST (the name is taken, or that VLAN has an interface already), -EPERM, -EOPNOTSUPP
 * (a kernel without VLANs) or another -errno. */
WRN_NODISCARD int wrn_bridge_create_vlan(struct nl_sock *queries, const char *name,
                                         const char *alias, uint32_t lower, uint16_t vlan,
                                         uint32_t *ret_index);

/* Removes an interface that can be removed. One that is not there is fine. Returns 0 or -errno. */
WRN_NODISCARD int wrn_bridge_remove(struct nl_sock *queries, uint32_t index);

/* Makes the interface a port of 'master'; 0: of none. Returns 0 or -errno: -EBUSY, -ELOOP or
 * -EINVAL for what cannot be one. */
WRN_NODISCARD int wrn_bridge_set_master(struct nl_sock *queries, uint32_t index, uint32_t master);

/* Brings an interface up or down. Returns 0 or -errno. */
WRN_NODISCARD int wrn_bridge_set_up(struct nl_sock *queries, uint32_t index, bool is_up);

/* Sets the largest packet, without Ethernet's header, that an interface carries. Returns 0 or
 * -errno. */
WRN_NODISCARD int wrn_bridge_set_mtu(struct nl_sock *queries, uint32_t index, uint32_t mtu_bytes);

/* Sets the text that people see as the interface's alias. Returns 0 or -errno. */
WRN_NODISCARD int wrn_bridge_set_alias(struct nl_sock *queries, uint32_t index, const char *alias);

/* Tells whether the default route of either family leads through this interface. */
bool wrn_bridge_is_default_route(struct nl_sock *queries, uint32_t index);

/* Tells whether an interface is one of a wireless network's stations, whose frames may have the
 * address of the station alone. */
bool wrn_bridge_is_wireless(const char *name);
