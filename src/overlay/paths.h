/* SPDX-License-Identifier: Apache-2.0 */
/* Finds, proves and keeps the paths to peers: probes their addresses, learns from their pongs how
 * this node looks from outside, classes its NAT, climbs the ladder up to birthday probing, falls
 * back to relays, notices when a path dies, moves to better ones. Makes the bodies of pings and
 * pongs; others seal and send them. */
#pragma once
#include "base/address.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/pool.h"
#include "base/rand.h"
#include "overlay/limits.h"
#include "overlay/locator.h"
#include "overlay/reason.h"

enum wrn_way_kind { WRN_WAY_NONE, WRN_WAY_DIRECT, WRN_WAY_RELAY };

/* One way to reach a peer. */
struct wrn_way {
    uint8_t kind;    /* enum wrn_way_kind */
    uint16_t socket; /* DIRECT: ours; 0 is the node's own */
    union {
        struct wrn_endpoint remote; /* DIRECT */
        struct {
            wrn_handle relay; /* RELAY: the peer that forwards */
            uint64_t slot;    /* ... the number of this pair at that peer */
        };
    };
};

/* Tells whether two ways are the same. */
bool wrn_way_equal(const struct wrn_way *a, const struct wrn_way *b);

/* X(NAME, "text"): how far the search for a direct path to a peer is. */
#define WRN_PATH_STATE_LIST(X)                                                                     \
    X(SEARCHING, "looking for a path")                                                             \
    X(DIRECT, "direct")                                                                            \
    X(STREAM, "direct, by a stream, as UDP does not get through")                                  \
    X(RELAYED, "relayed")                                                                          \
    X(RELAYED_SEARCHING, "relayed, looking for a direct path")                                     \
    X(LOST, "no path")

enum wrn_path_state {
#define X(name, text) WRN_PATH_STATE_##name,
    WRN_PATH_STATE_LIST(X)
#undef X
};

/* What the machine calls; none may call back into it. */
struct wrn_paths_port {
    void *ctx;
    /* Seals 'message' (PING, PONG or CALL) for 'peer' and sends it on this way. */
    void (*send)(void *ctx, wrn_handle peer, const struct wrn_way *way, wrn_span message);
    /* Sends a message (CALL) to a peer that no way is proven to: over the ring. */
    void (*send_around)(void *ctx, wrn_handle peer, wrn_span message);
    /* Opens or closes the UDP sockets first .. first+count-1 (never 0). */
    void (*sockets)(void *ctx, uint16_t first, uint16_t count, bool open);
    /* The best way to the peer changed: use it from now on. NONE: there is none any more, and
     * 'reason' says why; the peer is gone unless somebody finds it anew. */
    void (*way)(void *ctx, wrn_handle peer, const struct wrn_way *way, enum wrn_reason reason);
    /* A round trip was measured on the best way; 'epoch' and 'flags' came with it. */
    void (*heard)(void *ctx, wrn_handle peer, uint32_t rtt_us, uint32_t epoch);
    /* The peer answered a random number of ours in a frame of this incarnation. */
    void (*proven)(void *ctx, wrn_handle peer, uint64_t incarnation);
    /* There is no direct way yet, or no more: find a relay to the peer. Repeated, with back-off, as
     * long as it holds. */
    void (*want_relay)(void *ctx, wrn_handle peer);
    /* This relay does not lead to the peer, or no more: find another one when it is wanted. */
    void (*relay_bad)(void *ctx, wrn_handle peer, const struct wrn_way *way);
    /* Our own endpoints or class changed: the locator is to be made anew. */
    void (*locator)(void *ctx);
};

struct wrn_paths_options {
    uint32_t peers_max;
    uint32_t searches_max;    /* peers that are searched for at the same time */
    uint32_t probes_per_s;    /* all searches together; 0: 200 */
    uint32_t keepalive_max_s; /* longest time between pings on an idle path; 0: 60 */
    bool may_open_sockets;    /* for birthday probing */
    bool has_streams;         /* sockets WRN_SOCKET_TCP to _TAKEN can be sent to */
    /* Tells whether an endpoint may be probed at all: not one inside a virtual range of ours.
     * NULL: all. */
    bool (*may_probe)(void *ctx, const struct wrn_endpoint *endpoint);
    void *may_probe_ctx;
};

struct wrn_paths;

/* Builds the machine; NULL while the arena measures. */
struct wrn_paths *wrn_paths_init(struct wrn_arena *arena, const struct wrn_paths_options *options,
                                 struct wrn_paths_port port, struct wrn_rand rand);

/* Sets the addresses of the node's interfaces with the port of socket 0 (at most 8; more are
 * ignored), and those mapped by PCP and the like. Called again when they change: paths are checked
 * at once, as after a change of network. */
void wrn_paths_set_local(struct wrn_paths *paths, wrn_mono now,
                         const struct wrn_locator_endpoint *endpoints, size_t count);

/* Sets the ports where we take streams, at all of our addresses; 0: at none. */
void wrn_paths_set_streams(struct wrn_paths *paths, uint16_t tcp_port, uint16_t tls_port);

/* Fills in what a locator says of our endpoints, class and ports. */
void wrn_paths_describe(const struct wrn_paths *paths, struct wrn_locator *locator);

/* Sets the number that goes with pings. */
void wrn_paths_set_epoch(struct wrn_paths *paths, uint32_t epoch);

/* Starts to search for paths to a peer ('peer.index' < peers_max), whose locator is known. Calling
 * it for a peer that is known renews its endpoints. 'we_asked' breaks ties between two nodes that
 * search for one another. Returns NONE or FULL. */
enum wrn_reason wrn_paths_search(struct wrn_paths *paths, wrn_mono now, wrn_handle peer,
                                 const struct wrn_locator *locator, bool we_asked);

/* Tells whether ports may be guessed at at random (which takes some 1,400 probes) for a direct way
 * to the peer; at first they may. If that begins to hold for a relayed peer, it is searched for at
 * once. Not for links that are the ring's alone: those do as well by a relay. */
void wrn_paths_set_eager(struct wrn_paths *paths, wrn_mono now, wrn_handle peer, bool is_eager);

/* Tells whether there can be no direct way between nodes behind such NATs (enum wrn_nat_class),
 * unless one of them lets anybody in. NONE, or why: BOTH_RANDOM, RANDOM_AND_STEPS. */
enum wrn_reason wrn_paths_hopeless(uint8_t one, uint8_t other);

/* Tells whether a way is a stream. */
static inline bool wrn_way_is_stream(const struct wrn_way *way) {
    return way->kind == WRN_WAY_DIRECT && wrn_socket_is_stream(way->socket);
}

/* Tells whether a socket of ours is open; 0 always is, streams are where there are any. */
bool wrn_paths_has_socket(const struct wrn_paths *paths, uint16_t socket);

/* The peer proved itself on this way otherwise (a stranger's HELLO with a cookie): begin there. */
void wrn_paths_begin_with(struct wrn_paths *paths, wrn_mono now, wrn_handle peer,
                          const struct wrn_way *way);

/* The peer was started anew, and proved itself on this way: it is there now, and no more where it
 * was before. */
void wrn_paths_restarted(struct wrn_paths *paths, wrn_mono now, wrn_handle peer,
                         const struct wrn_way *way);

/* Forgets a peer. */
void wrn_paths_forget(struct wrn_paths *paths, wrn_handle peer);

/* A relay to the peer is ready; or gone. It is proven by a ping before it is used; while another
 * relay works it is not even looked at. */
void wrn_paths_on_relay(struct wrn_paths *paths, wrn_mono now, wrn_handle peer,
                        const struct wrn_way *way);
void wrn_paths_on_relay_lost(struct wrn_paths *paths, wrn_mono now, wrn_handle peer,
                             const struct wrn_way *way);

/* Takes a PING, PONG or CALL of the peer that came by this way (for DIRECT, 'remote' is where it
 * came from), in a frame of this incarnation. */
void wrn_paths_on_message(struct wrn_paths *paths, wrn_mono now, wrn_handle peer,
                          const struct wrn_way *way, uint64_t incarnation, wrn_span message);

/* Any other sealed frame of the proven incarnation came by this way: saves a keepalive, and tells
 * that the peer moved. Not for what was sent. */
void wrn_paths_on_heard(struct wrn_paths *paths, wrn_mono now, wrn_handle peer,
                        const struct wrn_way *way);

/* Something was not answered: check the path now, in seconds rather than in a minute. */
void wrn_paths_check(struct wrn_paths *paths, wrn_mono now, wrn_handle peer);

/* Sets the longest time between pings to a peer, where that is less than the options' (0: theirs):
 * how soon its end is noticed when nothing is sent to it. */
void wrn_paths_set_period(struct wrn_paths *paths, wrn_mono now, wrn_handle peer, uint8_t most_s);

/* User traffic flows (told once a second at most): a path that was silent meanwhile is checked, and
 * a relayed one is worth another search. */
void wrn_paths_on_traffic(struct wrn_paths *paths, wrn_mono now, wrn_handle peer);

/* Time. */
void wrn_paths_on_time(struct wrn_paths *paths, wrn_mono now);
wrn_mono wrn_paths_due(const struct wrn_paths *paths);

/* Tells whether an endpoint can be anybody's but ours, and may be probed. */
bool wrn_paths_may_probe(const struct wrn_paths *paths, const struct wrn_endpoint *endpoint);

/* Questions. The way is the best one (kind NONE: none). The reason says why a relayed peer is. */
const struct wrn_way *wrn_paths_way(const struct wrn_paths *paths, wrn_handle peer);
enum wrn_path_state wrn_paths_state(const struct wrn_paths *paths, wrn_handle peer,
                                    enum wrn_reason *ret_reason, uint32_t *ret_rtt_us);
enum wrn_nat_class wrn_paths_nat_class(const struct wrn_paths *paths);
uint64_t wrn_paths_probes_sent(const struct wrn_paths *paths, wrn_handle peer); /* this search */
