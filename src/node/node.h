/* SPDX-License-Identifier: Apache-2.0 */
/* One host in all its networks, without I/O: for each network a WireGuard machine, a ring, and what
 * decides who is a member, has which address and name, and may send what. Datagrams, packets,
 * commands and time go in; actions come out. One thread owns it; others move packets through lanes
 * of its WireGuard machines (wg/lane.h), which it tells where to and whom to believe. */
#pragma once
#include "network/descriptor.h"
#include "network/invitation.h"
#include "network/lease.h"
#include "network/members.h"
#include "network/names.h"
#include "network/policy.h"
#include "node/event.h"
#include "overlay/overlay.h"
#include "switch/switch.h"
#include "wg/wg.h"

struct wrn_node;

enum {
    WRN_NODE_NETWORKS_MAX = 64,
    WRN_NODE_MTU_MIN = 1280,     /* of the networks' interfaces: IPv6 wants that, */
    WRN_NODE_MTU_MAX = 1420,     /* and this is what Ethernet leaves, by IPv4 and by IPv6 */
    WRN_NODE_HELD_PACKETS = 256, /* packets that wait for their peer, of a network */
    WRN_NODE_HELD_BYTES = 256 << 10,
    WRN_NODE_HELD_S = 15, /* ... so long at most */
    WRN_NODE_ACTIONS_MAX = 2048,
    WRN_NODE_BYTES_MAX = 1 << 20,
    WRN_NODE_SOCKETS_MAX = WRN_SOCKETS_MAX,
};

struct wrn_node_options {
    uint8_t seed[WRN_SEED_SIZE]; /* the host identity; copied, wiped at finish */
    wrn_span host;               /* its name, as it is; copied (255 bytes at most) */
    uint16_t port;               /* of UDP socket 0, for announcements; wrn_node_set_port */
    bool announces;              /* on the LAN, by multicast */
    bool speaks_aes;             /* AES-256-GCM with members that do, too: it is fast here */
    bool has_streams;            /* the driver has streams (WRN_SOCKET_TCP and its like) */
    uint16_t mtu_bytes;          /* of the networks' interfaces, WRN_NODE_MTU_MIN to _MAX; 0: what
                                  * relays carry, too (WRN_WG_RELAYED_PACKET_MAX) */
    uint16_t tcp_port, tls_port; /* where it takes them, 0: nowhere; wrn_node_set_streams */
    struct wrn_crypto *crypto;   /* outlives the node, as 'primitives' */
    const struct wrn_primitives *primitives;
    struct wrn_rand rand;
    void (*quiesce)(void *ctx); /* see struct wrn_wg_options; NULL: no lanes but its own */
    void *quiesce_ctx;
};

/* ---- what comes out ---- */

enum wrn_node_action_kind {
    WRN_NODE_DATAGRAM,  /* send 'bytes' from 'socket' to 'to'. 0: the socket of all networks, and
                         * so are streams (overlay/limits.h) */
    WRN_NODE_MULTICAST, /* send 'bytes' to the LAN's announcement group, from socket 0 */
    WRN_NODE_SOCKETS,   /* open (is_open) or close the sockets first 'socket', 'count' of them, of
                         * this network: numbers of two networks are not the same sockets */
    WRN_NODE_INJECT,    /* 'bytes', a WireGuard datagram, came for the network's machine by 'path':
                         * wrn_crew_inject, or wrn_wg_on_datagrams */
    WRN_NODE_TO_HOST,   /* 'bytes', a packet to write to the interface (an ICMP error) */
    WRN_NODE_FRAME,   /* 'bytes', an Ethernet frame of an l2 network: to the host ('is_open') or to
                         * 'members', past the switch: wrn_crew_send_frame; or, in an l3 network,
                         * what this node says to one of theirs in the tunnel, 'is_whole' */
    WRN_NODE_ADDRESS, /* the interface gets ('is_open') or loses 'prefix' */
    WRN_NODE_ROUTE,   /* the same of a route to 'prefix' through the interface */
    WRN_NODE_SAVE,    /* the network's state has changed: wrn_node_save soon; 'is_urgent': before
                         * anybody is told that something was done */
    WRN_NODE_EVENT,   /* 'event': for the log, for subscribers, for hooks */
    WRN_NODE_ANSWER,  /* to the question 'tag' of the caller: 'answer' */
    WRN_NODE_GONE,    /* the network has left: wrn_node_remove it */
};

/* What a question of the caller led to; spans are in the out's buffer. */
struct wrn_node_answer {
    uint32_t tag;
    bool is_last;
    enum wrn_reason reason;                   /* NONE, or why not */
    enum wrn_names_found found;               /* wrn_node_resolve */
    struct wrn_names_answer name;             /* ... */
    uint8_t hit[WRN_HIT_SIZE];                /* whom it is about: connect, members */
    wrn_span record;                          /* DHT: a record; may be empty */
    uint8_t copies;                           /* DHT: holders that have it */
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE]; /* members */
    char label[WRN_LABEL_SIZE];               /* members: what it says that it is called */
    struct wrn_ip ipv4;                       /* members: what it says that it has leased */
    bool is_proven;                           /* members: ... and the table said so, too */
    uint8_t rights;                           /* members: enum wrn_right bits, verified */
    int64_t until_s;                          /* members: when its membership ends */
};

struct wrn_node_action {
    enum wrn_node_action_kind kind;
    wrn_handle network;
    uint16_t socket, count;
    bool is_open, is_urgent;
    bool is_whole; /* FRAME: in one datagram that may not be fragmented, or not at all */
    struct wrn_endpoint to;
    struct wrn_path path;
    struct wrn_prefix prefix;
    wrn_span bytes;
    wrn_span members; /* FRAME: array of wrn_handle, unaligned: peers of the machine */
    union {
        struct wrn_node_event event;
        struct wrn_node_answer answer;
    };
};

/* What an input led to. The caller empties it (wrn_node_out_reset), calls, and performs: first what
 * is in 'wg', which is of the machine of 'network' (NONE: untouched), by wrn_settle_run or as it
 * does with wrn_wg; then the actions in order. What does not fit is dropped and counted. */
struct wrn_node_out {
    wrn_handle network;
    struct wrn_wg_out *wg;           /* the caller's, and stays; empty before each input */
    struct wrn_overlay_out *overlay; /* the caller's scratch memory, zeroed once */
    uint32_t count;
    uint32_t used;
    uint64_t lost;
    struct wrn_node_action actions[WRN_NODE_ACTIONS_MAX];
    uint8_t bytes[WRN_NODE_BYTES_MAX];
};

/* Empties it. */
void wrn_node_out_reset(struct wrn_node_out *out);

/* ---- life ---- */

/* Builds a node without networks in zeroed 64-byte aligned memory. NULL: the seed gives no key. */
size_t wrn_node_memory_size(const struct wrn_node_options *options);
struct wrn_node *wrn_node_init(void *memory, const struct wrn_node_options *options,
                               struct wrn_now now);

/* Wipes all secrets, of its networks too. NULL is fine. */
void wrn_node_finish(struct wrn_node *node);

/* The MTU of the interfaces of l3 networks, bytes. */
uint32_t wrn_node_mtu(const struct wrn_node *node);

/* The host's key, and its HIT. */
const uint8_t *wrn_node_public_key(const struct wrn_node *node);
const uint8_t *wrn_node_hit(const struct wrn_node *node);

/* Adds a network from its state (node/state.h: made by creating or joining one, or from the disk)
 * and starts it. 'memory' is zeroed, 64-byte aligned and maps lazily (most is never touched).
 * Returns NONE and its handle; MALFORMED (the state), FULL (WRN_NODE_NETWORKS_MAX),
 * REPLAYED (this node is in it already). */
size_t wrn_node_network_size(const struct wrn_node *node);
enum wrn_reason wrn_node_add(struct wrn_node *node, struct wrn_now now, void *memory,
                             wrn_span state, struct wrn_node_out *out, wrn_handle *ret_network);

/* Begins to leave: gives address and name back, says goodbye; WRN_NODE_GONE follows within 20 s.
 * 'release' false: at once, and leaves the lease for when it comes back (the program ends). */
void wrn_node_leave(struct wrn_node *node, struct wrn_now now, wrn_handle network, bool release,
                    struct wrn_node_out *out);

/* Takes a network out and wipes it: its machine must have no lanes any more. The memory is the
 * caller's again. */
void wrn_node_remove(struct wrn_node *node, wrn_handle network);

/* Writes the network's state, canonical (node/state.h). Returns its size; 0: does not fit, which
 * WRN_STATE_MAX bytes rule out. */
size_t wrn_node_save(const struct wrn_node *node, wrn_handle network, uint8_t *out,
                     size_t capacity);

/* ---- inputs ---- */

/* A datagram came that is no worker's business: to socket 0 ('network' NONE) a frame of some ring;
 * by a stream (NONE, too) and to other sockets anything. Opened in place. */
void wrn_node_on_datagram(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                          uint16_t socket, const struct wrn_endpoint *from, uint8_t *bytes,
                          size_t size, struct wrn_node_out *out);

/* A sealed datagram of the network's machine whose path is CONTROL (wrn_settle_port.carry). */
void wrn_node_on_carry(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                       const struct wrn_path *path, wrn_span datagram, struct wrn_node_out *out);

/* The host sent a packet to an address that no peer has: it is held until somebody is found who
 * has, and sent then; or answered with an ICMP error. */
void wrn_node_on_packet(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                        wrn_span packet, struct wrn_node_out *out);

/* A verdict of an l2 network's switch has told of a frame ('peer' of the machine; NONE: from the
 * host's side), see wrn_switch_on_frame; or the node at the other end of an l3 network's tunnel
 * says something to this one (WRN_WG_OWN). */
void wrn_node_on_frame(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                       wrn_handle peer, wrn_span frame, struct wrn_node_out *out);

/* Does what is due in one network (the one that has waited longest): call it until wrn_node_due
 * lies ahead, and perform 'out' each time. */
void wrn_node_on_time(struct wrn_node *node, struct wrn_now now, struct wrn_node_out *out);
wrn_mono wrn_node_due(const struct wrn_node *node);

/* The host's addresses, and what routers mapped for us, are these from now on (all networks). One
 * network a call: true while there are more. */
bool wrn_node_set_local(struct wrn_node *node, struct wrn_now now,
                        const struct wrn_locator_endpoint *endpoints, size_t count,
                        uint32_t *cursor, struct wrn_node_out *out);

/* This host takes streams at other ports, of all its addresses; 0: at none. */
void wrn_node_set_streams(struct wrn_node *node, uint16_t tcp_port, uint16_t tls_port);

/* UDP socket 0 has another port, which announcements on the LAN say from now on. Others hear of it
 * by what comes from there. */
void wrn_node_set_port(struct wrn_node *node, uint16_t port);

/* ---- commands; 'tag' (1..2^24-1) is the caller's and comes back in ANSWERs ---- */

/* Finds out who has a name or an address: the answer at once, or PENDING and an ANSWER later. */
void wrn_node_resolve(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                      const struct wrn_names_question *question, uint32_t tag,
                      struct wrn_names_answer *ret_answer, struct wrn_node_out *out);

/* Opens a path to a node; one ANSWER: NONE, or why not. */
void wrn_node_connect(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                      const uint8_t hit[WRN_HIT_SIZE], uint32_t tag, struct wrn_node_out *out);

/* Asks a node for a sign of life, on the path that there is or through the ring; one ANSWER, NONE
 * as soon as it has come, or why not (TIMEOUT after 3 s). */
void wrn_node_probe(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                    const uint8_t hit[WRN_HIT_SIZE], uint32_t tag, struct wrn_node_out *out);

/* Lists who is on the ring now, by walking it and asking each; ANSWERs, the last one is_last. */
void wrn_node_members(struct wrn_node *node, struct wrn_now now, wrn_handle network, uint32_t tag,
                      struct wrn_node_out *out);

/* Gives up such a question, if it is open: it is answered no more, and there is room for another
 * one (a network answers one at a time; the others get FULL). */
void wrn_node_members_stop(struct wrn_node *node, wrn_handle network, uint32_t tag);

/* Records of the table. The value is at most some 480 bytes; families: docs/networks.md. With
 * 'keep' what could be stored is renewed, and stored again after a restart, until it is deleted
 * (SAVE before the ANSWER); FULL: WRN_STATE_KEPT_MAX are kept. DELETE ends that in any case. */
void wrn_node_get(struct wrn_node *node, struct wrn_now now, wrn_handle network, uint32_t tag,
                  wrn_span key, struct wrn_node_out *out);
void wrn_node_store(struct wrn_node *node, struct wrn_now now, wrn_handle network, uint32_t tag,
                    enum wrn_record_kind kind, wrn_span key, wrn_span value, uint32_t ttl_s,
                    bool keep, struct wrn_node_out *out);

/* Walks the records that are kept: start with *cursor = 0; false at the end. Spans are valid until
 * the next input. */
struct wrn_node_kept {
    enum wrn_record_kind kind;
    wrn_span key, value;
    uint32_t ttl_s;
    bool is_stored;         /* holders had it when they were asked last; else: */
    enum wrn_reason reason; /* why not. NONE: it is under way */
};
bool wrn_node_next_kept(const struct wrn_node *node, wrn_handle network, uint32_t *cursor,
                        struct wrn_node_kept *ret_kept);

/* ---- routes: prefixes that lie behind a node, which members reach through it ---- */

/* Offers a prefix that lies behind this host to all members, or no more; kept. Whether this host
 * forwards packets there is its own affair (ip_forward). NONE; NOT_ADMITTED: our certificates give
 * no (route) to it; MALFORMED: bits behind its length; RULE: it meets the network's own addresses,
 * or has fewer than 8 bits, so that it would lead tunnels into themselves; FULL
 * (WRN_STATE_ROUTES_MAX); NOT_FOUND: it was not offered. */
enum wrn_reason wrn_node_offer_route(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                                     const struct wrn_prefix *prefix, bool is_offered,
                                     struct wrn_node_out *out);

/* Whether what members offer, as far as their certificates permit, becomes a route of this host.
 * Off at first; kept. */
void wrn_node_accept_routes(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                            bool accepts, struct wrn_node_out *out);
bool wrn_node_accepts_routes(const struct wrn_node *node, wrn_handle network);

struct wrn_node_route {
    struct wrn_prefix prefix;
    bool is_ours;              /* we offer it; else: */
    uint8_t hit[WRN_HIT_SIZE]; /* who does */
    char label[WRN_LABEL_SIZE];
    bool is_used; /* it is a route of this host now: accepted, permitted, nobody else's before */
};

/* Walks the routes: ours, then those of peers that are up: start with *cursor = 0; false at the
 * end. */
bool wrn_node_next_route(const struct wrn_node *node, wrn_handle network, uint32_t *cursor,
                         struct wrn_node_route *ret_route);

/* ---- members that are found through an open network ---- */

/* Members of 'network' whose known peers are all out of reach are looked for in the table of
 * another network of this host, 'through', from now on, and find this host there; NONE: no more.
 * Kept. NONE; NOT_FOUND: there is no such network; SELF: it is the same one; RULE: it is not an
 * open one. */
enum wrn_reason wrn_node_meet(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                              wrn_handle through, struct wrn_node_out *out);

struct wrn_node_meeting {
    uint8_t through[WRN_NETWORK_ID_SIZE];
    const char *name; /* of that network; NULL: this host is in it no more */
    bool is_said;     /* this host's addresses lie there */
    uint32_t known;   /* other members that were found there when it was last looked */
};

/* Tells how it stands; false: no such thing is set. */
bool wrn_node_meeting(const struct wrn_node *node, wrn_handle network,
                      struct wrn_node_meeting *ret_meeting);

/* ---- l2 networks ---- */

/* The switch of an l2 network, for lanes and for questions; NULL: an l3 network, or no such one. */
struct wrn_switch *wrn_node_switch(const struct wrn_node *node, wrn_handle network);

/* Writes the address of the host's own interface in the l2 network whose id begins so (6 bytes are
 * looked at): what the driver gives its bridge, and whose DHCP client is answered. */
void wrn_node_bridge_mac(const struct wrn_node *node, const uint8_t *network_id,
                         uint8_t ret_mac[WRN_MAC_ADDRESS_SIZE]);

/* Changes how it switches, from now on; kept. Its present settings: wrn_switch_settings. False: it
 * is no l2 network. */
bool wrn_node_set_bridge(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                         const struct wrn_switch_settings *settings, struct wrn_node_out *out);

/* ---- questions ---- */

/* Walks the networks: start with *cursor = 0; WRN_HANDLE_NONE at the end. Finds one by its name or
 * the first digits of its id (hexadecimal, 8 at least); NONE: none, or several ('ret_many'). */
wrn_handle wrn_node_next(const struct wrn_node *node, uint32_t *cursor);
wrn_handle wrn_node_find(const struct wrn_node *node, wrn_span text, bool *ret_many);

/* Parts of a network, for drivers and for questions; NULL if the handle is dead. */
struct wrn_wg *wrn_node_wg(const struct wrn_node *node, wrn_handle network);
const struct wrn_overlay *wrn_node_overlay(const struct wrn_node *node, wrn_handle network);
const struct wrn_descriptor *wrn_node_descriptor(const struct wrn_node *node, wrn_handle network);
const struct wrn_policy *wrn_node_policy(const struct wrn_node *node, wrn_handle network);

/* The tag of the network's machine (crew.h), which has WRN_NODE_TAG_BITS bits. */
enum { WRN_NODE_TAG_BITS = 6 };
uint32_t wrn_node_tag(const struct wrn_node *node, wrn_handle network);

struct wrn_node_network_info {
    const struct wrn_descriptor *descriptor;
    enum wrn_ring_state ring;
    uint64_t size; /* estimated nodes on the ring */
    enum wrn_nat_class nat_class;
    uint32_t peers, links;
    struct wrn_ip ipv4, ipv6, resolver; /* family NONE: none (yet) */
    enum wrn_claim_state lease, name;
    bool wants_address, wants_name; /* false: it was told to be without, or there are none */
    const char *label;              /* ours, or "" */
    uint8_t rights;                 /* enum wrn_right */
    int64_t until_s;                /* our membership's end; WRN_RECORD_TIME_MAX_S: none */
    uint32_t renewals;              /* asked for in vain, for a later end */
    enum wrn_reason standing;       /* NONE: a member; or why not */
    int64_t ended_s;                /* when its owner ended it (then EXCLUDED); 0: he has not */
    bool
        is_spent; /* others have all uses of the invitation by which we came: nobody lets us send */
    const char *trouble; /* why there is no address, no ring, ...: a sentence; "" if all is well */
    uint32_t revoked_lists;
    uint64_t held_packets, held_lost;
};

/* Describes a network; false if the handle is dead. */
bool wrn_node_network_info(const struct wrn_node *node, wrn_handle network,
                           struct wrn_node_network_info *ret_info);

/* What a network has refused: frames of the ring by reason, and packets by the gate (gate.h). Zero
 * if the handle is dead. */
struct wrn_gate_counts;
uint64_t wrn_node_refused(const struct wrn_node *node, wrn_handle network, enum wrn_reason reason);
void wrn_node_blocked(const struct wrn_node *node, wrn_handle network,
                      struct wrn_gate_counts *ret_counts);

/* Frames that came and were of no network: of strangers, for peers that are gone, forged. */
uint64_t wrn_node_strays(const struct wrn_node *node);

/* One peer: who, how it is reached and why not better. */
struct wrn_node_peer_info {
    struct wrn_overlay_peer_info overlay;
    uint8_t hit[WRN_HIT_SIZE];
    char label[WRN_LABEL_SIZE]; /* "": not said */
    struct wrn_ip ipv4, ipv6;   /* that it may send from */
    uint8_t rights;
    int64_t until_s;
    struct wrn_rights_cert cert;  /* by which it is a member, the last of its chain; zero: none is
                                   * needed, it is the owner */
    struct wrn_endpoint endpoint; /* DIRECT */
    uint8_t relay[WRN_HIT_SIZE];  /* RELAYED: through whom; zero: nobody */
    char relay_label[WRN_LABEL_SIZE];
    bool is_open;    /* the policy has no limits */
    bool is_waiting; /* revocations are still being compared, or it does not know our address yet */
    uint64_t tx_bytes, rx_bytes;
    wrn_wall last_handshake;
    enum wrn_cipher cipher;
    uint32_t mtu;
};

/* Walks the peers of a network: start with *cursor = 0; false at the end. */
bool wrn_node_next_peer(const struct wrn_node *node, wrn_handle network, uint32_t *cursor,
                        struct wrn_node_peer_info *ret_info);

/* Which rule or certificate decides about such a packet between this node and the peer with the
 * other address. Says it in words, too. False: no such peer, or not between us and somebody. */
struct wrn_node_trace {
    enum wrn_policy_direction direction;
    struct wrn_policy_verdict verdict;
    uint8_t hit[WRN_HIT_SIZE];   /* the peer */
    struct wrn_rights_cert cert; /* that decides; zero: none does */
    char text[512];
};
bool wrn_node_trace(const struct wrn_node *node, struct wrn_now now, wrn_handle network,
                    const struct wrn_policy_question *question, struct wrn_node_trace *ret_trace);
