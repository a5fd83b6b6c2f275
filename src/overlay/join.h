/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the ring: by endpoints that were given, by the locators of former peers, by announcements
 * on the LAN; and, as long as the node runs, looks now and then whether a former peer or one of the
 * endpoints has become part of another ring, so that the two grow together. Speaks to strangers;
 * keeps the cache of locators. docs/ring/linking.md. */
#pragma once
#include "base/address.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/tick.h"
#include "overlay/id.h"
#include "overlay/locator.h"
#include "overlay/pair.h"
#include "overlay/paths.h"
#include "overlay/ring.h"
#include "overlay/room.h"

struct wrn_overlay;
struct wrn_overlay_peer;
struct wrn_overlay_options;

enum {
    WRN_BOOTSTRAPS_MAX = 16,
    WRN_WHO_MAX = 4,       /* questions to strangers that are not answered yet */
    WRN_STRANGERS_MAX = 4, /* strangers that answered, and were sent a HELLO */
    WRN_REDIRECTS_MAX = 4, /* other nodes that one without room names */
    WRN_HEARD_MAX = 16,    /* frames of strangers that are remembered, so as to be taken once */
};

/* Whoever is silent is asked ever more seldom: nobody shall be sent much that never answered.
 * Packed, for it stands beside small fields. */
struct __attribute__((packed)) wrn_patience {
    wrn_tick again; /* not before; NEVER: at any time */
    uint8_t silent; /* questions in a row without an answer, as far as they count */
};

/* An address where a node of the ring may answer. */
struct wrn_bootstrap {
    struct wrn_endpoint endpoint;
    wrn_id id;     /* who answered last */
    bool is_known; /* ... if anybody did */
    bool is_self;  /* it was this very node */
    struct wrn_patience patience;
};

/* The locator of a node that is or was a peer. */
struct wrn_cached {
    uint8_t *bytes; /* in the room; NULL: free */
    wrn_id id;
    uint16_t size;
    uint8_t failed; /* tries in a row that led nowhere */
    bool is_good;   /* it was admitted once, or came from the user's disk */
    struct wrn_patience patience;
};

/* Where a node may be that lets us in, or is part of another ring. */
struct wrn_source {
    struct wrn_endpoint to;
    wrn_id id;
    bool has_id;
    int8_t bootstrap;            /* index, -1: another source */
    int8_t cached;               /* index, -1: another source */
    uint8_t choices;             /* addresses that it has; 0: as one */
    uint16_t tcp_port, tls_port; /* where it takes streams, 0: nowhere, as far as we know */
};

struct wrn_who {
    struct wrn_endpoint to;
    uint64_t nonce; /* 0: free */
    wrn_tick due;
    uint8_t tries;
    uint16_t tcp_port, tls_port; /* as in the source */
    int8_t bootstrap, cached;    /* ... and these */
    bool look_through : 1;
    bool was_alone : 1; /* when it was asked */
};

/* A peer in state STRANGER. */
struct wrn_stranger {
    wrn_handle peer; /* NONE: free */
    struct wrn_endpoint at;
    uint8_t cookie[WRN_COOKIE_SIZE];
    wrn_tick due;
    uint8_t tries;
    uint16_t socket;
};

struct wrn_join {
    struct wrn_cookies cookies;
    struct wrn_bootstrap *bootstraps;
    struct wrn_cached *cached;
    struct wrn_room room; /* for the locators of 'cached' */
    struct wrn_who *whos;
    struct wrn_stranger *strangers;
    uint32_t bootstrap_count; /* those that were given, and behind them those that were found */
    uint32_t cached_max;
    uint32_t turn;  /* which source is next */
    uint32_t links; /* most links since the last loss, to notice a great one */
    uint64_t probe; /* number of a probe over the ring, 0: none */
    wrn_mono probe_due;
    struct wrn_source probed;
    wrn_mono lan_since; /* announcements are counted since then */
    uint32_t lan_left;  /* ... and as many more are looked into */
    uint64_t delay_ns;  /* between tries while we are alone */
    uint64_t heal_ns;   /* ... while we are not */
    wrn_mono try_due;
    struct wrn_endpoint redirect; /* one without room named it; asked at 'redirect_due' */
    wrn_mono redirect_due;
    wrn_mono heal_due;
    wrn_mono announce_due;
    wrn_mono due;
    uint16_t port;
    uint16_t heard[WRN_HEARD_MAX]; /* hashes of strangers' frames that opened, 0: none */
    uint8_t heard_next;
    uint8_t redirects; /* addresses that were taken up since the last round */
    bool announces;
    uint8_t given_count; /* of bootstraps */
    uint8_t found_max;   /* ... so many more may be found, 0: none */
    uint8_t found_next;  /* ... and this one gives way */
    uint32_t healed;     /* sources that were looked at since 'heal_ns' was changed */
};

/* Takes its memory. */
void wrn_join_init(struct wrn_join *join, struct wrn_arena *arena,
                   const struct wrn_overlay_options *options);

/* Begins. */
void wrn_join_start(struct wrn_overlay *overlay);

/* Ends all that is under way. */
void wrn_join_stop(struct wrn_overlay *overlay);

/* Wipes secrets. */
void wrn_join_finish(struct wrn_overlay *overlay);

/* Adds an endpoint to ask at. NONE or FULL. */
enum wrn_reason wrn_join_add_bootstrap(struct wrn_overlay *overlay,
                                       const struct wrn_endpoint *endpoint);
/* Somebody says that this node, of our ring, is there: it is asked at once while we are alone, else
 * looked for if it is not on our ring. The oldest of those that were found so gives way. NONE, SELF
 * or FULL (found_max is 0). */
enum wrn_reason wrn_join_found(struct wrn_overlay *overlay, wrn_id id,
                               const struct wrn_endpoint *endpoint);
/* Adds the locator of a former peer, which is copied. NONE, FULL, SELF, or why it is not good. */
enum wrn_reason wrn_join_add_cached(struct wrn_overlay *overlay, wrn_span locator);

/* A verified locator of a peer was seen; the peer came up: its locator is worth keeping. */
void wrn_join_on_locator(struct wrn_overlay *overlay, const struct wrn_locator *locator,
                         wrn_span bytes);
void wrn_join_on_up(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer);
void wrn_join_on_down(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                      enum wrn_reason reason);

/* A node that had no room for us named this one. */
void wrn_join_on_redirect(struct wrn_overlay *overlay, const struct wrn_endpoint *at);

/* The state of the ring changed. */
void wrn_join_on_state(struct wrn_overlay *overlay, enum wrn_ring_state state);

/* WHO, WHO_REPLY, ANNOUNCE. */
void wrn_join_on_frame(struct wrn_overlay *overlay, uint16_t socket,
                       const struct wrn_endpoint *from, wrn_span frame);

/* Tells whether a WHO_REPLY from there answers a question of ours. */
bool wrn_join_owns_reply(const struct wrn_overlay *overlay, const struct wrn_endpoint *from,
                         wrn_span frame);

/* A node that was probed is part of our ring; or is not. */
void wrn_join_on_probe(struct wrn_overlay *overlay, uint64_t number, bool is_there);

/* Tells whether the way leads to the address at which a peer in state STRANGER answered. */
bool wrn_join_is_stranger_at(const struct wrn_overlay *overlay, const struct wrn_overlay_peer *peer,
                             const struct wrn_way *way);

/* The peer is a stranger no more, or is gone. */
void wrn_join_forget_stranger(struct wrn_overlay *overlay, wrn_handle peer);

/* Time. */
void wrn_join_on_time(struct wrn_overlay *overlay);
