/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces of this host that are ports of an l2 network's bridge, and VTEPs: attached by command,
 * kept in the network's folder (file "ports"), attached again whenever they appear, and given back
 * as they were. Watches interfaces; looks into no frame. */
#pragma once
#include "daemon/daemon.h"
#include "daemon/rpc.h"
#include "daemon/vtep.h"

struct wrn_attach;

enum { WRN_ATTACH_PORTS_MAX = 256, WRN_ATTACH_NAME_SIZE = 16, WRN_ATTACH_VLAN_MAX = 4094 };

/* Makes the list of ports of all networks of a daemon, which outlives it. Returns 0 or -errno. */
WRN_NODISCARD int wrn_attach_create(struct wrn_daemon *daemon, struct wrn_attach **ret_attach);

/* Gives all interfaces back; what was attached stays written down. NULL is fine. */
void wrn_attach_destroy(struct wrn_attach *attach);

/* What is to be attached, or to be let go of: an interface or, with 'is_vtep', a VTEP. */
struct wrn_attach_wish {
    const char *interface; /* NULL: a VTEP */
    uint16_t vlan;         /* 0: all that comes, tagged or not, as it is */
    bool is_forced;        /* also if the host itself uses it */
    bool may_come_later;   /* it need not be there yet */
    struct wrn_vtep_options vtep;
};

/* Why not. */
struct wrn_attach_refusal {
    enum wrn_rpc_code code;
    const char *reason; /* static */
    char why[WRN_DAEMON_WHY_SIZE];
};

enum wrn_attach_state {
    WRN_ATTACH_WAITING, /* the interface is not there */
    WRN_ATTACH_ATTACHED,
    WRN_ATTACH_TAKEN, /* somebody made it a port of another bridge */
    WRN_ATTACH_FAILED,
};

struct wrn_attach_port {
    wrn_handle network;
    bool is_vtep, is_forced;
    char interface[WRN_ATTACH_NAME_SIZE]; /* "" of a VTEP */
    uint16_t vlan;
    struct wrn_vtep_options vtep;
    enum wrn_attach_state state;
    char port[WRN_ATTACH_NAME_SIZE]; /* the bridge's port: the interface, its VLAN's, the VTEP's */
    uint32_t index;                  /* of that; 0: not there */
    uint32_t mtu_bytes;
    bool has_carrier;
    char why[WRN_DAEMON_WHY_SIZE]; /* it is not attached; or what to know of it: a sentence or "" */
    struct wrn_vtep_counters counters;
    struct wrn_endpoint remote;
};

/* Attaches, and writes that down durably. What is attached to this network already is fine: then
 * 'ret_is_new' is false. False: refused, nothing has changed. */
bool wrn_attach_add(struct wrn_attach *attach, wrn_handle network,
                    const struct wrn_attach_wish *wish, struct wrn_attach_port *ret_port,
                    bool *ret_is_new, struct wrn_attach_refusal *ret_refusal);

/* Gives an interface back, or ends a VTEP (of which only 'listen' counts). False: refused. */
bool wrn_attach_remove(struct wrn_attach *attach, wrn_handle network,
                       const struct wrn_attach_wish *wish, struct wrn_attach_port *ret_port,
                       struct wrn_attach_refusal *ret_refusal);

/* Walks the ports of a network: start with *cursor = 0; false at the end. */
bool wrn_attach_next(const struct wrn_attach *attach, wrn_handle network, uint32_t *cursor,
                     struct wrn_attach_port *ret_port);

/* The stable name of a state; static text. */
const char *wrn_attach_state_name(enum wrn_attach_state state);
