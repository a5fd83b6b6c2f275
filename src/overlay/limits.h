/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes, numbers and first bytes that the machines of the overlay share. docs/ring has
 * the layouts. */
#pragma once
#include "base/base.h"
#include "base/relayed.h"

enum {
    WRN_DATAGRAM_MAX = WRN_RELAYED_MAX, /* bytes of UDP payload that the overlay sends: 1,400 */
    WRN_FRAME_OVERHEAD = 44,            /* of a sealed frame */
    WRN_MESSAGE_MAX = 1356,     /* bytes inside a sealed frame: DATAGRAM_MAX - FRAME_OVERHEAD */
    WRN_RING_SIZE = 8,          /* of a ring's hash */
    WRN_ROUTED_OVERHEAD = 56,   /* header of a routed message, at most */
    WRN_PAYLOAD_MAX = 1288,     /* of a routed message, also through a relay */
    WRN_RECORD_MAX = 1200,      /* bytes of a signed record of the DHT */
    WRN_LOCATOR_MAX = 800,      /* bytes of a signed locator record */
    WRN_CREDENTIAL_MAX = 1100,  /* bytes that a node shows to be admitted */
    WRN_ENDPOINTS_MAX = 12,     /* in a locator */
    WRN_LOCATOR_RELAYS_MAX = 4, /* in a locator */
    WRN_NEAR_PER_SIDE = 3,      /* near links on each side */
    WRN_SOCKETS_MAX = 257,      /* the node's UDP socket is 0, those for birthday probing follow */
};

/* Numbers of sockets that stand for streams which carry datagrams (docs/protocol.md, Streams). All
 * rings of a host share them, as they share socket 0; they are opened by sending to them. */
enum {
    WRN_SOCKET_TCP = 0xfff0,   /* opened by us to where the peer listens */
    WRN_SOCKET_TLS = 0xfff1,   /* ... and looking like TLS to whoever is between */
    WRN_SOCKET_TAKEN = 0xfff2, /* opened by the peer: sent on as long as it is there, no longer */
    WRN_SOCKET_TLS_PORT = 443, /* where TLS is looked for if nothing else is known */
};

/* Tells whether a number is one of these. */
static inline bool wrn_socket_is_stream(uint16_t socket) {
    return socket >= WRN_SOCKET_TCP && socket <= WRN_SOCKET_TAKEN;
}

/* First byte of a UDP payload. 1 to 4 are WireGuard's. */
enum wrn_frame_kind {
    WRN_FRAME_SEALED = 0x20,   /* between peers that know one another's receiver numbers */
    WRN_FRAME_STRANGER = 0x21, /* from somebody who does not know ours yet */
    WRN_FRAME_WHO = 0x22,      /* who answers at this address? */
    WRN_FRAME_WHO_REPLY = 0x23,
    WRN_FRAME_RELAYED =
        WRN_RELAYED_KIND,      /* for another node, or from it: WireGuard or sealed inside */
    WRN_FRAME_ANNOUNCE = 0x25, /* multicast on the LAN */
};

/* Tells whether a UDP payload that begins with this byte is the overlay's, known or not. */
static inline bool wrn_frame_is_ours(uint8_t first) {
    return first >= 0x20 && first <= 0x2f;
}

/* First byte inside a sealed frame: whose message it is. */
enum wrn_message_kind {
    WRN_MESSAGE_PING = 0x01, /* paths.h */
    WRN_MESSAGE_PONG = 0x02,
    WRN_MESSAGE_CALL = 0x03,  /* paths.h: probe me, here are my endpoints */
    WRN_MESSAGE_HELLO = 0x08, /* linker.h: credential and locator */
    WRN_MESSAGE_WELCOME = 0x09,
    WRN_MESSAGE_KINDS = 0x0a, /* what the link is wanted for */
    WRN_MESSAGE_BYE = 0x0b,
    WRN_MESSAGE_ROUTED = 0x10, /* route.h */
    WRN_MESSAGE_HOP_ACK = 0x11,
    WRN_MESSAGE_BROADCAST = 0x12,
    WRN_MESSAGE_SUM = 0x13,    /* what a branch of a broadcast adds up to */
    WRN_MESSAGE_STATUS = 0x18, /* ring.h: my neighbours */
    WRN_MESSAGE_STATUS_ASK = 0x19,
    WRN_MESSAGE_RELAY = 0x20, /* relay.h; the second byte says what */
    WRN_MESSAGE_USER = 0x30,  /* for the caller of the overlay */
    WRN_MESSAGE_DHT = 0x38,   /* dht.h, between direct neighbours */
};

/* First byte of a routed message's payload: who is handed it at its target. */
enum wrn_payload_kind {
    WRN_PAYLOAD_CONNECT = 0x01, /* linker.h: request, response, refusal */
    WRN_PAYLOAD_FIND = 0x02,    /* ring.h: who is nearest? crawl */
    WRN_PAYLOAD_DHT = 0x03,     /* dht.h */
    WRN_PAYLOAD_USER = 0x04,    /* for the caller of the overlay */
};

/* What a link is for: bits, each side has its own; the link is kept while either has one. */
enum wrn_link_kind {
    WRN_LINK_NEAR = 1,
    WRN_LINK_SHORTCUT = 2,
    WRN_LINK_LEAF = 4,      /* to a bootstrap node, until the ring carries us; one is kept */
    WRN_LINK_ON_DEMAND = 8, /* traffic flows */
    WRN_LINK_OVERLAP = 16,  /* to a relay between us and somebody */
};
