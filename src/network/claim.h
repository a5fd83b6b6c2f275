/* SPDX-License-Identifier: Apache-2.0 */
/* Owns one key of the DHT out of a list of candidates: creates the first that is free, keeps it,
 * is told when somebody has an older claim, and takes the next. Addresses (lease.h) and names
 * (names.h) are its users. A machine without I/O: what it wants done goes through its port. */
#pragma once
#include "base/clock.h"
#include "base/rand.h"
#include "overlay/dht.h"

enum {
    WRN_CLAIM_VALUE_MAX = 160, /* bytes of a value */
    WRN_CLAIM_TTL_S = 7200,    /* of the records; the DHT signs them anew at half of it */
    /* Of a record that is not ours yet. A holder may have it although another one refused it to us:
     * then it bars whom the key belongs to, but no longer than this. */
    WRN_CLAIM_TRIAL_S = 300,
};

/* OFF -> TRYING: start. TRYING -> HELD, WAITING, FULL. WAITING, FULL -> TRYING: time. HELD ->
 * TRYING: lost. All -> LEAVING, OFF: stop. LEAVING -> OFF: deleted, or not within 20 s. */
#define WRN_CLAIM_STATE_LIST(X)                                                                    \
    X(OFF, "off")                                                                                  \
    X(TRYING, "trying")   /* a candidate is being stored */                                        \
    X(WAITING, "waiting") /* no answer, or no right to it: the same candidate again, later */      \
    X(FULL, "full")       /* all candidates of a round are taken: another round, later */          \
    X(HELD, "held")                                                                                \
    X(LEAVING, "leaving") /* it is being deleted */

enum wrn_claim_state {
#define WRN_CLAIM_STATE_ENUM(name, text) WRN_CLAIM_##name,
    WRN_CLAIM_STATE_LIST(WRN_CLAIM_STATE_ENUM)
#undef WRN_CLAIM_STATE_ENUM
        WRN_CLAIM_STATES
};

/* Returns the state's name; static text. */
const char *wrn_claim_state_name(enum wrn_claim_state state);

/* What is to be stored. Bytes are valid during the call. */
struct wrn_claim_request {
    uint32_t tag;
    enum wrn_record_kind kind; /* CREATE or DELETE */
    bool keep;                 /* CREATE: see to its being renewed, too (wrn_dht_keep) */
    wrn_span key;
    wrn_span value;
    uint32_t ttl_s; /* CREATE that is not kept: short, if holders take that */
    /* CREATE: since when we claim it; to be kept where a record is made anew, so that a renewed
     * proof does not make the claim younger. */
    int64_t claimed_s;
};

enum wrn_claim_event_kind {
    WRN_CLAIM_EVENT_HELD,     /* we have 'key'; 'previous' is what we had before, or empty */
    WRN_CLAIM_EVENT_TAKEN,    /* a candidate is somebody else's; the next is tried */
    WRN_CLAIM_EVENT_LOST,     /* 'key' was ours, 'reason' says why not any more */
    WRN_CLAIM_EVENT_FULL,     /* all that were tried are taken: 'taken', 'refused', 'retry_s' */
    WRN_CLAIM_EVENT_WAITING,  /* nothing can be claimed now: 'reason', 'retry_s'. Said once for
                               * each reason until something changes */
    WRN_CLAIM_EVENT_RELEASED, /* by stop */
};

/* Spans are valid during the call. */
struct wrn_claim_event {
    enum wrn_claim_event_kind kind;
    enum wrn_reason reason;
    wrn_span key, previous;
    bool has_holder;                      /* TAKEN, LOST, HELD with 'previous' */
    uint8_t holder[WRN_SIGN_PUBLIC_SIZE]; /* whose claim is older, verified by the DHT */
    int64_t holder_since_s;
    uint32_t taken, refused; /* in this round */
    uint32_t retry_s;
};

struct wrn_claim_port {
    void *ctx;
    /* Names the candidate 'index' of this round, counted from 0: its key (into 'ret_key',
     * WRN_RECORD_KEY_MAX bytes) and its size. 0: there are no more. Must give the same until
     * 'round' is called. */
    size_t (*candidate)(void *ctx, uint32_t index, char *ret_key);
    /* A new round of candidates begins: the list may be another one. */
    void (*round)(void *ctx);
    /* Writes the value for a key; returns its size, at most WRN_CLAIM_VALUE_MAX. */
    size_t (*value)(void *ctx, wrn_span key, uint8_t *ret_value);
    /* Stores. NONE: an answer with this tag follows, after the call. Else why not. */
    enum wrn_reason (*store)(void *ctx, const struct wrn_claim_request *request);
    /* Tells the user. Must not call back. */
    void (*event)(void *ctx, const struct wrn_claim_event *event);
};

/* Fields are the machine's own; embed it and read through the functions below. */
struct wrn_claim {
    struct wrn_claim_port port;
    const struct wrn_primitives *primitives;
    struct wrn_rand rand;
    enum wrn_claim_state state;
    enum wrn_reason waiting_for; /* WAITING: what was said last */
    wrn_mono due;
    wrn_mono refresh_from; /* HELD: when it may be stored again at the earliest */
    uint32_t tag, tag_top; /* of the request under way, 0: none; the bits that all tags have */
    uint32_t serial;
    uint32_t index; /* of the candidate */
    uint32_t taken, refused;
    uint32_t rounds, failures; /* in a row, for back-off */
    int64_t claimed_s;
    bool wants_refresh; /* HELD: it is to be stored again */
    bool is_behind;     /* our clock: what lives as short has ended by others' */
    bool has_holder;
    uint8_t holder[WRN_SIGN_PUBLIC_SIZE]; /* who took 'previous' */
    int64_t holder_since_s;
    uint8_t own[WRN_SIGN_PUBLIC_SIZE];
    uint8_t key_size, previous_size;
    char key[WRN_RECORD_KEY_MAX], previous[WRN_RECORD_KEY_MAX];
};

/* Prepares it; OFF. 'own' is this node's key. 'tag_top' (0..0x7ffe) is in the upper 16 bits of all
 * tags, so that the driver knows whose answer it has. */
void wrn_claim_init(struct wrn_claim *claim, const struct wrn_claim_port *port,
                    const struct wrn_primitives *primitives, struct wrn_rand rand,
                    const uint8_t own[WRN_SIGN_PUBLIC_SIZE], uint16_t tag_top);

/* Begins; nothing unless OFF or LEAVING. */
void wrn_claim_start(struct wrn_claim *claim, struct wrn_now now);

/* Ends. 'release': deletes the record, RELEASED follows; else it stays until its time is over, so
 * that this node finds it again when it comes back. */
void wrn_claim_stop(struct wrn_claim *claim, struct wrn_now now, bool release);

/* The value, or the proof, has changed, or a peer says that the record is missing: stores it again,
 * at most every 10 s. Nothing unless HELD. */
void wrn_claim_refresh(struct wrn_claim *claim, struct wrn_now now);

/* The list of candidates has changed (rights): begins anew if the held key is not in it any more
 * ('still_good' false; LOST and RULE are said), or if none is held. */
void wrn_claim_changed(struct wrn_claim *claim, struct wrn_now now, bool still_good);

/* The answer to a request. Tags that are not under way are passed over. */
void wrn_claim_on_answer(struct wrn_claim *claim, struct wrn_now now,
                         const struct wrn_dht_answer *answer);

/* The DHT keeps a record no longer (port.lost of dht.h): 'record' is ours; 'winner' may be empty.
 * Passed over unless it is the one that is held. */
void wrn_claim_on_lost(struct wrn_claim *claim, struct wrn_now now, wrn_span record,
                       wrn_span winner, enum wrn_reason reason);

/* This node has found the ring: what waits for that is tried at once, and what is held and could
 * not be stored again. */
void wrn_claim_on_connected(struct wrn_claim *claim, struct wrn_now now);

/* Time. Never due in the past after on_time. */
void wrn_claim_on_time(struct wrn_claim *claim, struct wrn_now now);
wrn_mono wrn_claim_due(const struct wrn_claim *claim);

/* Returns the key that is held; empty if none is. Borrowed. */
wrn_span wrn_claim_key(const struct wrn_claim *claim);
