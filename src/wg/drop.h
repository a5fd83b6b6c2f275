/* SPDX-License-Identifier: Apache-2.0 */
/* Why a packet was refused. Every refusal of the tunnel has one of these names and a counter. */
#pragma once
#include "base/base.h"

/* X(NAME, "text"): the text names the counter in `warren-wg --drops` and the UAPI's `stats=1`. */
#define WRN_DROP_LIST(X)                                                                           \
    X(NONE, "none")                                                                                \
    /* datagrams from the network, before anything is proven */                                    \
    X(BAD_LENGTH, "bad_length")           /* no message type has this size */                      \
    X(BAD_TYPE, "bad_type")               /* unknown type, or reserved bytes not zero */           \
    X(NO_PRIVATE_KEY, "no_private_key")   /* the interface has no key yet */                       \
    X(BAD_MAC1, "bad_mac1")               /* not meant for our public key */                       \
    X(COOKIE_DEMANDED, "cookie_demanded") /* under load: a cookie reply was sent instead */        \
    X(CONTROL_BUSY, "control_busy")       /* no room on its way to the control thread */           \
    X(RATE_LIMITED, "rate_limited")       /* too many handshakes from this address */              \
    X(RATE_TABLE_FULL, "rate_table_full") /* too many addresses at once under load */              \
    /* handshake contents */                                                                       \
    X(UNKNOWN_SUITE, "unknown_suite")           /* made in a cipher suite that we do not have */   \
    X(WRONG_SUITE, "wrong_suite")               /* made in another suite than the peer's */        \
    X(BAD_HANDSHAKE, "bad_handshake")           /* did not decrypt, or a low-order point */        \
    X(UNKNOWN_PEER, "unknown_peer")             /* initiator's key is not configured */            \
    X(REPLAYED_HANDSHAKE, "replayed_handshake") /* timestamp not newer than the last one */        \
    X(INITIATION_FLOOD, "initiation_flood") /* this peer initiates more than 50 times a second */  \
    X(UNEXPECTED_RESPONSE, "unexpected_response") /* no handshake of ours waits for it */          \
    X(UNEXPECTED_COOKIE, "unexpected_cookie")     /* no handshake message of ours waits for it */  \
    X(BAD_COOKIE, "bad_cookie")                   /* cookie reply did not decrypt */               \
    /* data packets from the network */                                                            \
    X(NO_SESSION, "no_session")             /* receiver index names no session of ours */          \
    X(SESSION_EXPIRED, "session_expired")   /* keys too old or used too often */                   \
    X(BAD_TAG, "bad_tag")                   /* forged or damaged */                                \
    X(REPLAY, "replay")                     /* counter seen before, or too old */                  \
    X(BAD_INNER_PACKET, "bad_inner_packet") /* neither IPv4 nor IPv6, or cut short */              \
    X(WRONG_SOURCE, "wrong_source")         /* inner source not in the sender's allowed IPs */     \
    X(CONGESTION, "congestion")             /* marked CE outside, not ECN-capable inside */        \
    /* in both directions */                                                                       \
    X(POLICY, "policy") /* the network's rules do not permit it */                                 \
    X(CLOSED, "closed") /* nothing passes to or from the peer now */                               \
    /* packets from the host */                                                                    \
    X(BAD_HOST_PACKET, "bad_host_packet")   /* neither IPv4 nor IPv6, or too large */              \
    X(NO_ROUTE, "no_route")                 /* destination in nobody's allowed IPs */              \
    X(NO_ENDPOINT, "no_endpoint")           /* the peer's address is not known */                  \
    X(PATH_TOO_SMALL, "path_too_small")     /* larger than its path, or the relay, takes */        \
    X(QUEUE_FULL, "queue_full")             /* waited for a handshake and was pushed out */        \
    X(HANDSHAKE_FAILED, "handshake_failed") /* waited for a handshake that never completed */      \
    X(PEER_REMOVED, "peer_removed")         /* waited for a peer that was removed */               \
    X(INTERFACE_DOWN, "interface_down")                                                            \
    /* refusals of the operating system, counted by the driver */                                  \
    X(SEND_REFUSED, "send_refused") /* the kernel would not send the datagram */                   \
    X(TUN_REFUSED, "tun_refused")   /* the kernel would not take the inner packet */               \
    X(TRUNCATED, "truncated")       /* datagram larger than any packet buffer */

enum wrn_drop {
#define WRN_DROP_ENUM(name, text) WRN_DROP_##name,
    WRN_DROP_LIST(WRN_DROP_ENUM)
#undef WRN_DROP_ENUM
        WRN_DROP_COUNT
};

/* Returns the counter name of a reason: lower case, no spaces, static. */
const char *wrn_drop_name(enum wrn_drop reason);
