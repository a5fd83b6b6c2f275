/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a machine, shared by the files that make it up; nobody outside src/wg includes it.
 * */
#pragma once
#include "base/heap.h"
#include "base/keymap.h"
#include "crypto/crypto.h"
#include "wg/allowed_ips.h"
#include "wg/cookie.h"
#include "wg/noise.h"
#include "wg/rate_limit.h"
#include "wg/session.h"
#include "wg/staged.h"
#include "wg/wg.h"

/* Deadlines of a peer, named after what happens when they pass. */
enum wrn_wg_timer {
    WRN_WG_TIMER_RETRY,         /* no response to our initiation: try again, or give up;
                                 * IDLE: the next initiation is allowed */
    WRN_WG_TIMER_KEEPALIVE,     /* we received and had nothing to say for 10 s */
    WRN_WG_TIMER_NEW_HANDSHAKE, /* we sent and heard nothing for 15 s */
    WRN_WG_TIMER_ZERO_KEYS,     /* no new session for 540 s */
    WRN_WG_TIMER_PERSISTENT,    /* the configured interval passed without a packet */
    WRN_WG_TIMERS
};

/* State of the handshake that we began (as responder there is nothing to wait for):
 *
 *   IDLE --initiate--> WAITING --response, or the peer's own handshake confirmed--> IDLE
 *                        | ^ `--90 s, interface down, key changed--> IDLE
 *                        `-' retry: a new initiation every 5 s and jitter
 */
#define WRN_WG_STATE_LIST(X)                                                                       \
    X(IDLE, "idle")                                                                                \
    X(WAITING, "waiting for a response")

enum wrn_wg_state {
#define WRN_WG_STATE_ENUM(name, text) WRN_WG_STATE_##name,
    WRN_WG_STATE_LIST(WRN_WG_STATE_ENUM)
#undef WRN_WG_STATE_ENUM
};

struct wrn_wg_peer {
    wrn_handle self;
    /* who */
    uint8_t public_key[WRN_WG_KEY_SIZE];
    uint8_t psk[WRN_WG_KEY_SIZE];
    uint8_t static_static[WRN_WG_KEY_SIZE]; /* X25519 of both static keys, made when first needed */
    bool has_static_static;
    /* where */
    struct wrn_path path; /* remote family NONE: unknown */
    /* handshake */
    enum wrn_wg_state state;
    struct wrn_noise_pending pending; /* WAITING: our initiation */
    wrn_handle pending_session;       /* WAITING: the slot whose index it names */
    struct wrn_cookie_jar cookie_jar;
    uint8_t last_timestamp[WRN_WG_TIMESTAMP_SIZE]; /* greatest of the peer's initiations */
    uint8_t sent_timestamp[WRN_WG_TIMESTAMP_SIZE]; /* of our latest initiation */
    wrn_mono next_initiation_read;                 /* earlier ones are a flood */
    wrn_mono next_initiation_sent;                 /* at most one each REKEY-TIMEOUT */
    wrn_mono give_up;                              /* WAITING: when to stop trying */
    uint32_t attempts;                             /* initiations sent for this handshake */
    bool cookie_retry_used; /* one immediate retry with a fresh cookie, until the next timed one */
    bool last_minute_sent;  /* renewed because the receiving key is about to expire */
    bool another_keepalive; /* received again while a keepalive was due */
    /* sessions and packets */
    struct wrn_session_set sessions;
    struct wrn_staged_queue staged;
    struct wrn_wg_peer *ready_next; /* list of peers with packets for wrn_wg_pull_staged */
    bool ready;
    /* time */
    struct wrn_heap_node timer; /* not later than the earliest deadline */
    wrn_mono deadline[WRN_WG_TIMERS];
    uint16_t keepalive_s;
    /* accounts */
    uint64_t tx_bytes;
    uint64_t rx_bytes;
    wrn_wall last_handshake;
};

struct wrn_wg {
    struct wrn_crypto *crypto;
    struct wrn_rand rand;
    struct wrn_pool peers;
    struct wrn_keymap peer_by_key; /* public key → index in the pool */
    struct wrn_session_table sessions;
    struct wrn_allowed_ips allowed;
    struct wrn_staged_pool staged;
    struct wrn_heap timers;
    struct wrn_wg_peer *ready_head;
    struct wrn_wg_peer *ready_tail;

    struct wrn_noise_identity identity;
    bool has_identity;
    bool up;
    uint32_t mtu_bytes;

    struct wrn_cookie_checker cookie_checker;
    struct wrn_bucket handshake_bucket;
    struct wrn_rate_table handshake_rates; /* per address, with a valid cookie */
    wrn_mono load_until;                   /* under load, cookies are demanded, until then */
    uint32_t handshakes_per_s;

    uint64_t drops[WRN_DROP_COUNT];

    /* Scratch of one call: what is sealed or opened together. */
    struct wrn_aead_job jobs[WRN_WG_BATCH_MAX];
    struct wrn_wg_job_owner {
        wrn_handle session;
        uint32_t packet; /* index in the batch */
    } job_owners[WRN_WG_BATCH_MAX];
    uint32_t job_count;
};

/* ---- wg.c ---- */

/* Counts a refusal and returns its reason. */
enum wrn_drop wrn_wg_drop(struct wrn_wg *wg, enum wrn_drop reason);

/* Appends a message with the peer's path and returns it; 'out' must have room, as the limits
 * promise. */
struct wrn_wg_message *wrn_wg_push_message(struct wrn_wg_out *out, const struct wrn_path *path,
                                           wrn_handle peer, size_t size);

/* Appends an event, or counts it as lost. */
void wrn_wg_push_event(struct wrn_wg_out *out, enum wrn_wg_event_kind kind, wrn_handle peer,
                       uint32_t detail);

/* Returns the live peer of a handle, or NULL. */
struct wrn_wg_peer *wrn_wg_peer_get(const struct wrn_wg *wg, wrn_handle peer);

/* ---- handshake.c ---- */

/* Sends an initiation to the peer, unless the endpoint is not known or we have no key; if a
 * handshake message went out less than REKEY-TIMEOUT ago, as soon as that has passed and packets
 * still wait. A fresh start ('retry' false) resets the count of attempts. */
void wrn_wg_initiate(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer, bool retry,
                     struct wrn_wg_out *out);

/* Forgets our pending initiation, if there is one. */
void wrn_wg_forget_pending(struct wrn_wg *wg, struct wrn_wg_peer *peer, struct wrn_wg_out *out);

/* Notes that a handshake, whoever began it, led to a session that both sides have. */
void wrn_wg_handshake_complete(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                               struct wrn_wg_out *out);

/* Takes the place that an authentic datagram came from as the peer's (roaming). */
void wrn_wg_learn_path(struct wrn_wg_peer *peer, const struct wrn_path *path,
                       struct wrn_wg_out *out);

/* Takes a datagram whose type is not data. Returns why it was refused, already counted. */
enum wrn_drop wrn_wg_on_handshake(struct wrn_wg *wg, struct wrn_now now,
                                  const struct wrn_wg_datagram *datagram, struct wrn_wg_out *out);

/* ---- send.c ---- */

/* Sends an empty packet, or lets one wait for the handshake that it starts. */
void wrn_wg_send_keepalive(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                           struct wrn_wg_out *out);

/* Lets the peer's staged packets go: marks it ready if its session is, else starts a handshake.
 * Nothing happens if no packet waits. */
void wrn_wg_release_staged(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                           struct wrn_wg_out *out);

/* Throws staged packets away, counted under 'reason'. */
void wrn_wg_purge_staged(struct wrn_wg *wg, struct wrn_wg_peer *peer, enum wrn_drop reason);

/* Renews the session if we began it and it is due for its age or use. */
void wrn_wg_renew_sending(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                          struct wrn_wg_out *out);

/* ---- timers.c: facts, not actions. Source: paper, section 6. ---- */

/* Data (not a keepalive) was sent; data was received. */
void wrn_wg_timers_data_sent(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer);
void wrn_wg_timers_data_received(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer);

/* Anything that proves us to the peer was sent; anything that proves the peer was received. */
void wrn_wg_timers_any_sent(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer);
void wrn_wg_timers_any_received(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer);

/* An initiation was sent; new session keys exist. */
void wrn_wg_timers_initiation_sent(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer);
void wrn_wg_timers_session_derived(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer);

/* Sets one deadline (WRN_MONO_NEVER: none). */
void wrn_wg_timer_set(struct wrn_wg *wg, struct wrn_wg_peer *peer, enum wrn_wg_timer timer,
                      wrn_mono deadline);

/* Clears all deadlines. */
void wrn_wg_timers_stop(struct wrn_wg *wg, struct wrn_wg_peer *peer);

/* Forgets sessions, handshake and deadlines of a peer (not its packets). */
void wrn_wg_peer_reset(struct wrn_wg *wg, struct wrn_wg_peer *peer, struct wrn_wg_out *out);
