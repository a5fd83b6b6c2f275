/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: one set of transport keys each, found by the index that the other side puts on its
 * packets. A slot is taken when we name an index in a handshake and keeps it for the session's
 * life. No I/O. */
#pragma once
#include <stdatomic.h>

#include "base/clock.h"
#include "base/pool.h"
#include "base/rand.h"
#include "wg/messages.h"
#include "wg/noise.h"
#include "wg/replay.h"

/* What lanes ask the control thread about a session, not more often than needed. */
enum wrn_session_ask {
    WRN_SESSION_ASK_CONFIRM,
    WRN_SESSION_ASK_RENEW,
    WRN_SESSION_ASK_RENEW_RECEIVING,
    WRN_SESSION_ASK_ROAMED,
    WRN_SESSION_ASK_KEEPALIVE,
    WRN_SESSION_ASK_OWN,
    WRN_SESSION_ASKS
};

/* FREE --take--> HANDSHAKE --keys--> READY --drop--> DEAD --reclaim--> FREE
 *
 * A slot of an initiation waits without keys; a responder's slot and an answered initiation have
 * them. What is not atomic is written before READY and stays until the table is reclaimed, so that
 * lanes may use a READY session for as long as one call of theirs lasts. */
enum wrn_session_state {
    WRN_SESSION_FREE, /* of an empty slot */
    WRN_SESSION_HANDSHAKE,
    WRN_SESSION_READY,
    WRN_SESSION_DEAD
};

/* Whether a session that we made as responder, and that waits as NEXT, may be sent on.
 *
 *   SETTLED --set_add--> UNCONFIRMED --first packet--> CONFIRMED --set_settle--> SETTLED (CURRENT)
 *                             `--another one takes its turn--> SETTLED (receives only)
 *
 * A lane makes it CONFIRMED, and from that moment on all lanes send on it, whatever the control
 * thread is about: it either finds it confirmed, or had it barred before. */
enum wrn_session_confirmation {
    WRN_SESSION_SETTLED,
    WRN_SESSION_UNCONFIRMED,
    WRN_SESSION_CONFIRMED
};

struct wrn_session {
    _Atomic uint32_t state;        /* enum wrn_session_state */
    uint32_t local_index;          /* on packets to us */
    uint32_t remote_index;         /* on packets from us */
    bool initiator;                /* we began the handshake: it is on us to renew */
    _Atomic bool window_taken;     /* by the lane that uses 'replay' */
    _Atomic uint32_t confirmation; /* enum wrn_session_confirmation */
    wrn_handle self;
    wrn_handle peer;
    wrn_mono born;
    _Atomic uint64_t send_counter;               /* of the next packet */
    _Atomic uint32_t largest_bytes;              /* of the packets that it seals; AES only */
    _Atomic uint64_t next_ask[WRN_SESSION_ASKS]; /* when a lane may ask again for the same thing */
    struct wrn_noise_keys keys;
    const void *expanded_send; /* made from the keys; NULL: not needed, or no room was left */
    const void *expanded_receive;
    wrn_handle expanded; /* the slot that has both */
    struct wrn_replay replay;
};

struct wrn_session_table {
    struct wrn_pool pool;
    uint32_t tag; /* the first bits of all indices */
    uint32_t tag_mask;
    uint64_t *windows;        /* a wide one for each slot of the pool, on pages of its own */
    struct wrn_pool expanded; /* prepared keys of sessions whose cipher gains by them */
};

/* The sessions that a peer may have. CURRENT sends and receives. NEXT is a responder's new session,
 * which sends only after the initiator proved that it has the keys. PREVIOUS and OLDER still
 * receive what was on its way when they were replaced. */
enum wrn_session_place {
    WRN_SESSION_OLDER, /* only while younger than REJECT-AFTER-TIME, so rarely used */
    WRN_SESSION_PREVIOUS,
    WRN_SESSION_CURRENT,
    WRN_SESSION_NEXT,
    WRN_SESSION_PLACES
};

struct wrn_session_set {
    wrn_handle at[WRN_SESSION_PLACES];
    /* For lanes: */
    _Atomic(struct wrn_session *) current; /* the one at CURRENT */
    _Atomic(struct wrn_session *) next;    /* the one at NEXT, if it may become CURRENT */
};

enum { WRN_SESSION_INDEX_BITS = 21, WRN_SESSIONS_MAX = 1 << WRN_SESSION_INDEX_BITS };

/* Takes room for 'capacity' sessions, 1..WRN_SESSIONS_MAX. */
void wrn_session_table_init(struct wrn_session_table *table, struct wrn_arena *arena,
                            uint32_t capacity);

/* Has all indices from now on begin with the 'bits' (0..WRN_WG_INDEX_TAG_BITS_MAX) bits of
 * 'tag'. */
void wrn_session_table_set_tag(struct wrn_session_table *table, uint32_t tag, uint32_t bits);

/* Takes a slot in state HANDSHAKE for 'peer' and gives it an index: the tag, random bits that make
 * a late packet for an earlier session miss, its place. Returns NULL if only dropped slots are
 * left: then the table is to be reclaimed (it is sized so that it cannot be full: six slots a
 * peer). */
struct wrn_session *wrn_session_take(struct wrn_session_table *table, wrn_handle peer,
                                     struct wrn_rand rand);

/* Makes a session DEAD; its slot is wiped and free after wrn_session_table_reclaim. Not being live
 * is fine. */
void wrn_session_drop(struct wrn_session_table *table, wrn_handle session);

/* Wipes and frees the slots of dropped sessions. No lane may be in a call that began before they
 * were dropped. */
void wrn_session_table_reclaim(struct wrn_session_table *table);

/* Tells whether there are dropped slots. */
bool wrn_session_table_has_dropped(const struct wrn_session_table *table);

/* Returns the live session of a handle, or NULL. */
struct wrn_session *wrn_session_get(const struct wrn_session_table *table, wrn_handle session);

/* Returns the live session with this local index, or NULL. O(1). */
struct wrn_session *wrn_session_find(const struct wrn_session_table *table, uint32_t local_index);

/* Returns the READY session with this local index, or NULL. O(1). Any thread. */
struct wrn_session *wrn_session_find_ready(const struct wrn_session_table *table,
                                           uint32_t local_index);

/* Tells whether a session with this local index, with or without keys, exists. O(1). Any thread. */
bool wrn_session_is_named(const struct wrn_session_table *table, uint32_t local_index);

/* Gives a slot its keys, prepared for 'crypto' if that gains: it is READY from 'now' on. */
void wrn_session_start(struct wrn_session_table *table, struct wrn_crypto *crypto,
                       struct wrn_session *session, wrn_mono now, bool initiator,
                       uint32_t remote_index, const struct wrn_noise_keys *keys);

/* Tells whether a session may still send or receive: it is ready, younger than REJECT-AFTER-TIME
 * and has counters left. Any thread. */
bool wrn_session_usable(const struct wrn_session *session, wrn_mono now);

/* Puts a new READY session in its place. As initiator it is CURRENT at once; as responder it is
 * NEXT. 'yield' decides a crossing, when both sides began at once and a session made by the other
 * waits as NEXT: true lets that one take over when it is confirmed; false keeps it for receiving
 * only. Both sides must decide opposite ways (see handshake.c). Returns true if the session that
 * waited as NEXT had been confirmed: it was CURRENT for a moment, and what follows from that is to
 * be done. */
bool wrn_session_set_add(struct wrn_session_table *table, struct wrn_session_set *set,
                         struct wrn_session *session, bool yield);

/* Notes that an authentic packet came in on a session: all threads send on it from now, if it is
 * NEXT. Returns whether the control thread has still to learn of it. Any thread. */
bool wrn_session_confirm(struct wrn_session *session);

/* Tells whether NEXT was confirmed, so that wrn_session_set_settle has something to do. */
bool wrn_session_set_is_confirmed(const struct wrn_session_set *set);

/* Makes NEXT CURRENT if it was confirmed; returns whether. */
bool wrn_session_set_settle(struct wrn_session_table *table, struct wrn_session_set *set,
                            wrn_mono now);

/* Returns the session to send on: NEXT if it was confirmed, else CURRENT; NULL: none. Any thread.
 * (NEXT is read first: who finds it gone finds it at CURRENT.) */
static inline struct wrn_session *wrn_session_set_sending(const struct wrn_session_set *set) {
    struct wrn_session *next = atomic_load_explicit(&set->next, memory_order_acquire);
    bool confirmed =
        next != NULL &&
        atomic_load_explicit(&next->confirmation, memory_order_acquire) == WRN_SESSION_CONFIRMED;
    return confirmed ? next : atomic_load_explicit(&set->current, memory_order_acquire);
}

/* Drops all of them. */
void wrn_session_set_clear(struct wrn_session_table *table, struct wrn_session_set *set);
