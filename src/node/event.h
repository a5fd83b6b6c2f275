/* SPDX-License-Identifier: Apache-2.0 */
/* What happens in a network that somebody may want to know: for logs, subscribers and hooks. */
#pragma once
#include "base/address.h"
#include "network/descriptor.h"
#include "overlay/reason.h"

/* X(NAME, "name"): names are stable; they are what subscribers and hooks see. */
#define WRN_NODE_EVENT_LIST(X)                                                                     \
    X(CONNECTED, "network.connected")       /* this node is part of the ring */                    \
    X(DISCONNECTED, "network.disconnected") /* it has lost the ring and looks for it */            \
    X(ENDED, "network.ended")  /* by its owner, at until_s: nothing passes any more */             \
    X(MET, "network.met")      /* a member was found through an open network: 'hit' */             \
    X(ADDRESS, "address.held") /* 'ip' is ours */                                                  \
    X(ADDRESS_LOST, "address.lost")                                                                \
    X(ADDRESS_TROUBLE, "address.trouble") /* none is free, or none can be had now: 'text' */       \
    X(NAME, "name.held")                                                                           \
    X(NAME_TROUBLE, "name.trouble")                                                                \
    X(PEER_UP, "peer.up")         /* 'hit', 'label', 'is_direct' */                                \
    X(PEER_PATH, "peer.path")     /* the same: another path */                                     \
    X(PEER_CIPHER, "peer.cipher") /* its locator and its own word differ about ciphers */          \
    X(PEER_DOWN, "peer.down")     /* 'reason' */                                                   \
    X(PEER_REFUSED, "peer.refused")                                                                \
    X(REVOKED, "member.revoked")       /* 'hit' was revoked by 'by' */                             \
    X(SELF_REVOKED, "self.revoked")    /* we were: nobody admits us any more */                    \
    X(RENEWED, "membership.renewed")   /* ours; until_s */                                         \
    X(EXPIRING, "membership.expiring") /* ours ends at until_s, and nobody has renewed it */       \
    X(EXPIRED, "membership.expired")                                                               \
    X(GRANTED, "rights.changed") /* ours */                                                        \
    X(INVITATION_SPENT, "invitation.spent")                                                        \
    X(RECORD_LOST, "record.lost") /* one that this node kept in the table: 'reason' */             \
    /* of l2 networks' switches (switch/switch.h): 'label' is who */                               \
    X(MAC_REFUSED, "mac.refused")                                                                  \
    X(MAC_MOVED, "mac.moved")                                                                      \
    X(MAC_QUOTA, "mac.quota")                                                                      \
    X(STORM, "bridge.storm")                                                                       \
    X(IP_DUPLICATE, "ip.duplicate")                                                                \
    X(IP_REFUSED, "ip.refused")                                                                    \
    X(DHCP_REFUSED, "dhcp.refused")                                                                \
    X(LOOP, "bridge.loop")                                                                         \
    X(LOOP_ENDED, "bridge.loop_ended")

enum wrn_node_event_kind {
#define WRN_NODE_EVENT_ENUM(name, text) WRN_NODE_EVENT_##name##_KIND,
    WRN_NODE_EVENT_LIST(WRN_NODE_EVENT_ENUM)
#undef WRN_NODE_EVENT_ENUM
        WRN_NODE_EVENT_KINDS
};

struct wrn_node_event {
    enum wrn_node_event_kind kind;
    enum wrn_reason reason;
    uint8_t hit[16], by[16]; /* zero: nobody */
    char label[WRN_LABEL_SIZE];
    struct wrn_ip ip;
    bool is_direct;
    int64_t until_s;
    char text[320]; /* all that as a sentence or two for people, with the next step if one is due */
};

/* Returns the stable name; static text. */
const char *wrn_node_event_name(enum wrn_node_event_kind kind);
