/* SPDX-License-Identifier: Apache-2.0 */
/* One node on one ring, without I/O: composes pairs, paths, relays, links, routing, ring and DHT.
 * Datagrams, commands and time go in; actions come out, in the order in which they are to be
 * performed. One thread owns it. The caller's own datagrams (WireGuard's) go where it says. */
#pragma once
#include "base/address.h"
#include "base/clock.h"
#include "base/pool.h"
#include "base/rand.h"
#include "overlay/dht.h"
#include "overlay/locator.h"
#include "overlay/paths.h"
#include "overlay/primitives.h"
#include "overlay/reason.h"
#include "overlay/relay.h"
#include "overlay/ring.h"
#include "overlay/route.h"

struct wrn_overlay;

/* Decides whether a node may be on this ring by what it shows (nothing, if only the key is in
 * question). Returns NONE and until when (a wall
 * time; it is asked again before that), or NOT_ADMITTED, EXPIRED, EXCLUDED. A function of its
 * arguments and of what the ring's owner published; must not call back. */
typedef enum wrn_reason wrn_overlay_admit(void *ctx, wrn_wall now,
                                          const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE],
                                          wrn_span credential, wrn_wall *ret_until);

struct wrn_overlay_options {
    uint8_t seed[WRN_SEED_SIZE]; /* the host identity; copied, wiped at finish */
    uint8_t ring[8];             /* hash of the ring's name: others are refused */
    wrn_span tunnel_context;     /* mixed into the tunnel key, wrn_tunnel_key; empty: nothing is */
    wrn_span credential;         /* ours, at most WRN_CREDENTIAL_MAX bytes; copied */
    uint32_t credential_max;     /* room for it and for later ones; 0: WRN_CREDENTIAL_MAX */
    wrn_overlay_admit *admit;    /* NULL: everybody */
    void *admit_ctx;
    bool relays;           /* forward for others: at first, see wrn_overlay_set_relays */
    bool speaks_aes;       /* said in our locator: WireGuard's second suite, docs/protocol.md */
    bool announces;        /* on the LAN, by multicast */
    uint16_t port;         /* of UDP socket 0, for announcements */
    uint32_t peers_max;    /* 8..4096 */
    uint32_t found_max;    /* endpoints of wrn_overlay_found, 0..16 */
    uint32_t cached_max;   /* locators of former peers that are tried again, 0..64 */
    uint32_t cached_bytes; /* ... all together, 0: enough for the largest ones */
    struct wrn_route_options route;
    struct wrn_ring_options ring_options;
    struct wrn_paths_options paths; /* peers_max is filled in */
    struct wrn_relay_options relay; /* relays is filled in */
    struct wrn_dht_options dht;
};

/* Fills in what suits a node of a ring of thousands; the caller changes what it wants else. */
void wrn_overlay_defaults(struct wrn_overlay_options *options);

enum wrn_overlay_action_kind {
    WRN_OVERLAY_DATAGRAM,  /* send 'bytes' from socket 'socket' to 'to'; WRN_SOCKET_TCP, TLS and
                            * TAKEN are streams, only with paths.has_streams */
    WRN_OVERLAY_MULTICAST, /* send 'bytes' to the LAN's announcement group, from socket 0 */
    WRN_OVERLAY_SOCKETS,   /* open (is_open) or close the sockets first 'socket', 'count' of them;
                            * each on a port that it did not have before, else the NAT takes it
                            * for the old one */
    WRN_OVERLAY_CARRIED,   /* 'bytes' that the peer's wrn_overlay_carry sent, through a relay */
    WRN_OVERLAY_MESSAGE,   /* user message of a peer with a link ('peer'); or routed: 'peer' is
                            * NONE, 'id' the source, 'number' how many links it took */
    WRN_OVERLAY_BROADCAST, /* user broadcast of 'id' */
    WRN_OVERLAY_STATE,     /* the ring's state: 'number' is enum wrn_ring_state */
    WRN_OVERLAY_PEER_UP,   /* a peer was admitted and has a path */
    WRN_OVERLAY_PEER_WAY,  /* its path changed: wrn_overlay_peer_info */
    WRN_OVERLAY_PEER_DOWN, /* it is gone, 'reason' says why; the handle is dead, but after
                            * RESTARTED, when PEER_UP or PEER_DOWN follows for the same handle */
    WRN_OVERLAY_CONNECT_FAILED, /* a wrn_overlay_connect gave up: 'id', 'reason' */
    WRN_OVERLAY_ANSWER,         /* of the DHT: 'answer'; its record is in 'bytes' */
    WRN_OVERLAY_RECORD_LOST,    /* a kept record is kept no more: 'bytes', 'reason' as in dht.h;
                                 * answer.record: the one that has the key now, if one is known */
    WRN_OVERLAY_FOUND,          /* a node of a crawl: 'id', 'tag', 'is_last', 'reason' */
    WRN_OVERLAY_SUM,   /* of wrn_overlay_sum: 'tag', 'values', 'number' nodes, 'is_last': whole */
    WRN_OVERLAY_CACHE, /* 'bytes' is the locator of a peer worth keeping on disk */
};

struct wrn_overlay_action {
    enum wrn_overlay_action_kind kind;
    enum wrn_reason reason;
    wrn_handle peer;
    wrn_id id;
    uint32_t tag;
    uint64_t number;
    uint64_t values[4];
    bool is_open;
    bool is_last;
    uint16_t socket;
    uint16_t count;
    struct wrn_endpoint to;
    struct wrn_dht_answer answer;
    wrn_span bytes; /* in the out's buffer */
};

enum { WRN_OVERLAY_ACTIONS_MAX = 1024, WRN_OVERLAY_BYTES_MAX = 512 * 1024 };

/* What one part of the overlay wants of another, until the input that led to it is over. */
struct wrn_overlay_work {
    uint8_t kind; /* the overlay's own */
    uint8_t reason;
    bool flag;
    wrn_handle peer;
    uint32_t number;
    uint32_t tag;
    wrn_id id;
    struct wrn_way way;
    struct wrn_want want;
    struct wrn_route_header header;
    wrn_span bytes;
};

enum { WRN_OVERLAY_WORK_MAX = 512 };

/* What an input led to. The caller empties it (wrn_overlay_out_reset) and performs the actions in
 * order. Shared by as many nodes as one thread drives. What does not fit is dropped and counted.
 * 'work' is the overlay's alone, and empty between inputs. */
struct wrn_overlay_out {
    uint32_t work_first;
    uint32_t work_count;
    struct wrn_overlay_work work[WRN_OVERLAY_WORK_MAX];
    uint32_t count;
    uint32_t used; /* bytes */
    uint64_t lost; /* actions that found no room, since the beginning */
    struct wrn_overlay_action actions[WRN_OVERLAY_ACTIONS_MAX];
    uint8_t bytes[WRN_OVERLAY_BYTES_MAX];
};

/* Empties it; memory for it starts zeroed. */
void wrn_overlay_out_reset(struct wrn_overlay_out *out);

/* ---- life ---- */

/* Bytes that init needs. */
size_t wrn_overlay_memory_size(const struct wrn_overlay_options *options);

/* Builds a node in zeroed 64-byte aligned memory. 'primitives' outlive it.
 * NULL only if the seed gives no key (want of memory). It does nothing before start. */
struct wrn_overlay *wrn_overlay_init(void *memory, const struct wrn_overlay_options *options,
                                     const struct wrn_primitives *primitives, struct wrn_rand rand,
                                     struct wrn_now now);

/* Wipes secrets. NULL is fine. */
void wrn_overlay_finish(struct wrn_overlay *overlay);

/* ---- inputs; each appends to 'out' ---- */

/* Begins to look for the ring: bootstrap endpoints, cached locators, the LAN. */
void wrn_overlay_start(struct wrn_overlay *overlay, struct wrn_now now,
                       struct wrn_overlay_out *out);

/* Says goodbye to all peers. */
void wrn_overlay_stop(struct wrn_overlay *overlay, struct wrn_now now, struct wrn_overlay_out *out);

/* Tells whether a datagram whose first byte is 0x20 to 0x2f, which came to socket 0 or by a stream,
 * is for this ring and not for another one that has the socket, too. Cheap, and changes nothing: it
 * looks up what we gave out (receiver numbers, cookies, slots, nonces) or compares the ring's name.
 * False for what would be refused anyway. Other sockets are one ring's. */
bool wrn_overlay_owns(const struct wrn_overlay *overlay, struct wrn_now now,
                      const struct wrn_endpoint *from, wrn_span datagram);

/* Tells whether a datagram that no ring owns may be of use to this one: a RELAYED frame of a peer
 * of ours, which may have told us of its slot in vain. If it is given to us we ask the peer. Where
 * it may be of use to several, another one should get it each time. */
bool wrn_overlay_may_own(const struct wrn_overlay *overlay, const struct wrn_endpoint *from,
                         wrn_span datagram);

/* A datagram whose first byte is 0x20 to 0x2f came to our socket. Opened in place. */
void wrn_overlay_on_datagram(struct wrn_overlay *overlay, struct wrn_now now, uint16_t socket,
                             const struct wrn_endpoint *from, uint8_t *bytes, size_t size,
                             struct wrn_overlay_out *out);

/* Does what is due. */
void wrn_overlay_on_time(struct wrn_overlay *overlay, struct wrn_now now,
                         struct wrn_overlay_out *out);
wrn_mono wrn_overlay_due(const struct wrn_overlay *overlay);

/* ---- commands ---- */

/* Adds an endpoint where a node of the ring may answer (at most 16). NONE or FULL. */
enum wrn_reason wrn_overlay_add_bootstrap(struct wrn_overlay *overlay,
                                          const struct wrn_endpoint *endpoint);

/* A node of this ring is said to be there, by somebody who is not on it: it is asked, and has to
 * show what all show. NONE, SELF, or FULL ('found_max' is 0). */
enum wrn_reason wrn_overlay_found(struct wrn_overlay *overlay, struct wrn_now now, wrn_id id,
                                  const struct wrn_endpoint *endpoint, struct wrn_overlay_out *out);

/* Adds the locator of a node that was a peer before. */
enum wrn_reason wrn_overlay_add_cached(struct wrn_overlay *overlay, wrn_span locator);

/* Sets the endpoints of the node's interfaces and mapped ones; see wrn_paths_set_local. */
void wrn_overlay_set_local(struct wrn_overlay *overlay, struct wrn_now now,
                           const struct wrn_locator_endpoint *endpoints, size_t count,
                           struct wrn_overlay_out *out);

/* Sets our credential anew (renewed). NONE; TOO_LARGE for 'credential_max' and the first one: the
 * old one stays. */
enum wrn_reason wrn_overlay_set_credential(struct wrn_overlay *overlay, wrn_span credential);

/* Cuts every peer that 'admit' does not admit any more (the rules changed). It is called without a
 * credential first: EXCLUDED cuts the peer at once. All others are asked to show theirs again, and
 * are cut if it is not admitted any more, or not shown within 10 s. */
void wrn_overlay_admit_again(struct wrn_overlay *overlay, struct wrn_now now,
                             struct wrn_overlay_out *out);

/* Whether this node forwards for others from now on: said to them, and kept. */
void wrn_overlay_set_relays(struct wrn_overlay *overlay, struct wrn_now now, bool relays,
                            struct wrn_overlay_out *out);

/* Where this host takes streams, at all of its addresses; 0: nowhere. Said in the locator. */
void wrn_overlay_set_streams(struct wrn_overlay *overlay, uint16_t tcp_port, uint16_t tls_port);

/* UDP socket 0 has another port: announcements say so from the next one on. */
void wrn_overlay_set_port(struct wrn_overlay *overlay, uint16_t port);

/* Whether a peer that is up may forward for us, where relay.asks_right is set: nobody may before it
 * is said. See wrn_relay_set_right. */
void wrn_overlay_peer_relays(struct wrn_overlay *overlay, struct wrn_now now, wrn_handle peer,
                             bool may_relay, struct wrn_overlay_out *out);

/* Makes an on-demand link to the node with this place; PEER_UP or CONNECT_FAILED follows, PEER_UP
 * at once if there is one. */
void wrn_overlay_connect(struct wrn_overlay *overlay, struct wrn_now now, wrn_id id,
                         struct wrn_overlay_out *out);

/* Carries a datagram of the caller's (first byte 1 to 4) to a peer: by its direct path as it is, or
 * through its relay. NONE, UNREACHABLE, TOO_LARGE. */
enum wrn_reason wrn_overlay_carry(struct wrn_overlay *overlay, struct wrn_now now, wrn_handle peer,
                                  wrn_span datagram, struct wrn_overlay_out *out);

/* Traffic of the user's flows beside us, by wrn_overlay_path, to this peer or from it: keeps the
 * link as wrn_overlay_carry does, and looks after its path if that has fallen silent. Once a second
 * a peer is enough; called more often it costs nothing. */
void wrn_overlay_on_traffic(struct wrn_overlay *overlay, struct wrn_now now, wrn_handle peer,
                            struct wrn_overlay_out *out);

/* Sends a user message to a peer, sealed; routes one to a place; broadcasts; adds up; crawls. */
enum wrn_reason wrn_overlay_send(struct wrn_overlay *overlay, struct wrn_now now, wrn_handle peer,
                                 wrn_span message, struct wrn_overlay_out *out);
enum wrn_reason wrn_overlay_route(struct wrn_overlay *overlay, struct wrn_now now,
                                  enum wrn_route_mode mode, wrn_id target, wrn_span message,
                                  struct wrn_overlay_out *out);
enum wrn_reason wrn_overlay_broadcast(struct wrn_overlay *overlay, struct wrn_now now,
                                      wrn_span message, struct wrn_overlay_out *out);
enum wrn_reason wrn_overlay_sum(struct wrn_overlay *overlay, struct wrn_now now, uint32_t tag,
                                wrn_span question, struct wrn_overlay_out *out);
enum wrn_reason wrn_overlay_crawl(struct wrn_overlay *overlay, struct wrn_now now, uint32_t tag,
                                  uint32_t limit, struct wrn_overlay_out *out);

/* Gives up the crawls with this tag: nothing is found for them any more. */
void wrn_overlay_crawl_stop(struct wrn_overlay *overlay, uint32_t tag);

/* What this node contributes to sums: {1, links, bytes held, user's number}. */
void wrn_overlay_set_number(struct wrn_overlay *overlay, uint64_t number);

enum { WRN_OVERLAY_TAG_OWN = 0x7fffffff }; /* of the overlay's own requests: not for callers */

/* The DHT; see dht.h. put, create and remove sign with the identity; ANSWER follows. 'claimed_s' is
 * since when a CREATE claims its key, wall time, as its owner has saved it; 0 or a time to come:
 * since now. Who creates anew what it keeps keeps its claim if that is older. */
enum wrn_reason wrn_overlay_get(struct wrn_overlay *overlay, struct wrn_now now, uint32_t tag,
                                wrn_span key, struct wrn_overlay_out *out);
enum wrn_reason wrn_overlay_store(struct wrn_overlay *overlay, struct wrn_now now, uint32_t tag,
                                  enum wrn_record_kind kind, wrn_span key, wrn_span value,
                                  wrn_span proof, uint32_t ttl_s, int64_t claimed_s, bool keep,
                                  struct wrn_overlay_out *out);

/* ---- questions ---- */

/* X(NAME, name): what a node says, by what it is for; each datagram counts once. */
#define WRN_OVERLAY_SAID_LIST(X)                                                                   \
    X(PING, ping)                                                                                  \
    X(PONG, pong)                                                                                  \
    X(CALL, call)                                                                                  \
    X(GREETING, greeting) /* HELLO, WELCOME, BYE, also to strangers */                             \
    X(WANTS, wants)       /* KINDS */                                                              \
    X(CONNECT, connect)   /* routed, begun here or passed on, as the next ones */                  \
    X(FIND, find)                                                                                  \
    X(RECORDS, records)                                                                            \
    X(ROUTED_USER, routed_user)                                                                    \
    X(HOP_ACK, hop_ack)                                                                            \
    X(BROADCAST, broadcast) /* and sums */                                                         \
    X(STATUS, status)                                                                              \
    X(STATUS_ASK, status_ask) /* and confirmations */                                              \
    X(RELAY, relay)           /* about relays */                                                   \
    X(FORWARDED, forwarded)   /* for others, or carried */                                         \
    X(COPIES, copies)         /* of records, between those that hold them */                       \
    X(USER, user)                                                                                  \
    X(WHO, who) /* and replies */                                                                  \
    X(ANNOUNCE, announce)

enum wrn_overlay_said {
#define X(upper, lower) WRN_OVERLAY_SAID_##upper,
    WRN_OVERLAY_SAID_LIST(X)
#undef X
        WRN_OVERLAY_SAID_KINDS
};

struct wrn_overlay_peer_info {
    wrn_id id;
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t tunnel_key[WRN_KEY_SIZE];
    struct wrn_way way;
    enum wrn_path_state path;
    enum wrn_reason why_relayed;
    enum wrn_nat_class nat_class; /* the peer's, as it says */
    bool speaks_aes;              /* ... it, too, by the newest of its locators that was seen */
    uint32_t rtt_us;
    uint8_t mine, theirs; /* enum wrn_link_kind bits */
    bool is_admitted;
    wrn_wall admitted_until;
};

/* Our place, our state on the ring, the estimated number of nodes on it, our NAT's class, our
 * links; all O(1). */
wrn_id wrn_overlay_id(const struct wrn_overlay *overlay);
enum wrn_ring_state wrn_overlay_state(const struct wrn_overlay *overlay);
uint64_t wrn_overlay_size(const struct wrn_overlay *overlay);
enum wrn_nat_class wrn_overlay_nat_class(const struct wrn_overlay *overlay);
const struct wrn_links *wrn_overlay_links(const struct wrn_overlay *overlay);
/* The peer with this place, WRN_HANDLE_NONE if there is none; what is known of a peer, false if
 * the handle is dead. */
wrn_handle wrn_overlay_find(const struct wrn_overlay *overlay, wrn_id id);
bool wrn_overlay_peer_info(const struct wrn_overlay *overlay, wrn_handle peer,
                           struct wrn_overlay_peer_info *ret_info);
/* The path by which the caller's own datagrams (WireGuard's) go to a peer that is up: DIRECT, or
 * RELAY with its slot, both from socket 0 and without our help; else CONTROL, its slot the handle
 * (index | generation << 32): hand them to wrn_overlay_carry. False: it is not up. Good until
 * PEER_WAY or PEER_DOWN of the peer; of a RELAY path also of the relay. */
bool wrn_overlay_path(const struct wrn_overlay *overlay, wrn_handle peer,
                      struct wrn_path *ret_path);
/* The peer that the slot of such a CONTROL path names; it may be dead. */
static inline wrn_handle wrn_overlay_of_slot(uint64_t slot) {
    return (wrn_handle){.index = (uint32_t)slot, .generation = (uint32_t)(slot >> 32)};
}
/* Our own signed record that is kept under a key: the CREATE, else any, an empty span if there is
 * none. Good until the next input. */
wrn_span wrn_overlay_kept(const struct wrn_overlay *overlay, wrn_span key);
/* Our own records under a key are renewed no longer; they end with their time. */
void wrn_overlay_keep_no_more(struct wrn_overlay *overlay, wrn_span key);
/* Walks the peers: start with *cursor = 0; WRN_HANDLE_NONE at the end. */
wrn_handle wrn_overlay_peer_next(const struct wrn_overlay *overlay, uint32_t *cursor);
/* Writes our own signed locator; returns its size. */
size_t wrn_overlay_locator(struct wrn_overlay *overlay, struct wrn_now now, uint8_t *out,
                           size_t capacity);
/* What was sent as one kind of message: how often, and with how many bytes of UDP payload. */
void wrn_overlay_said(const struct wrn_overlay *overlay, enum wrn_overlay_said kind,
                      uint64_t *ret_count, uint64_t *ret_bytes);
/* Who was the last to tell us that we are not admitted, and why; NONE: nobody that we remember. */
enum wrn_reason wrn_overlay_turned_away(const struct wrn_overlay *overlay, wrn_id *ret_by);

/* Counters: refusals of frames and strangers by reason; those of the parts. */
uint64_t wrn_overlay_refused(const struct wrn_overlay *overlay, enum wrn_reason reason);
const struct wrn_route *wrn_overlay_routing(const struct wrn_overlay *overlay);
const struct wrn_dht *wrn_overlay_dht(const struct wrn_overlay *overlay);
const struct wrn_relay *wrn_overlay_relay(const struct wrn_overlay *overlay);
const struct wrn_paths *wrn_overlay_paths(const struct wrn_overlay *overlay);
