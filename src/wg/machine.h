/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a machine, shared by the files that make it up; nobody outside src/wg includes it.
 * The control thread owns everything; lanes read, without locks, what is marked so, and write only
 * atomics. */
#pragma once
#include "base/heap.h"
#include "base/keymap.h"
#include "crypto/crypto.h"
#include "wg/allowed_ips.h"
#include "wg/cookie.h"
#include "wg/lane.h"
#include "wg/noise.h"
#include "wg/path_cell.h"
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
    enum wrn_cipher cipher;        /* the only one that we speak with this peer */
    enum wrn_cipher remote_cipher; /* of the peer's latest handshake, if that was refused for it */
    /* where */
    struct wrn_path_cell path; /* leads nowhere: unknown. Lanes write it too */
    _Atomic bool is_pinned;    /* nobody but the control thread, by command, changes the path */
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
    uint32_t unanswered; /* initiations sent since there was a handshake, or a change of cipher */
    bool cookie_retry_used; /* one immediate retry with a fresh cookie, until the next timed one */
    bool last_minute_sent;  /* renewed because the receiving key is about to expire */
    wrn_mono next_suite_event; /* WRONG_SUITE events are not more frequent than attempts end */
    /* sessions and packets */
    struct wrn_session_set sessions; /* lanes read wrn_session_set_sending */
    struct wrn_staged_queue staged;
    /* Packets that lanes gave up to the control thread and that have not left yet. While there are
     * any, later ones go the same way, so that none overtakes another. */
    _Atomic uint32_t held;
    bool is_paused;                 /* ... which counts as one more, so that lanes see it */
    struct wrn_wg_peer *ready_next; /* list of peers with packets for wrn_wg_pull_staged */
    bool ready;
    /* time */
    struct wrn_heap_node timer; /* not later than the earliest deadline */
    _Atomic uint64_t wake_ns;   /* its deadline, for lanes; WRN_MONO_NEVER: not in the heap */
    _Atomic uint64_t deadline_ns[WRN_WG_TIMERS]; /* lanes set and clear them too */
    _Atomic uint32_t jitter_ns;                  /* of the next NEW_HANDSHAKE */
    _Atomic uint16_t keepalive_s;
    _Atomic uint16_t packet_max;    /* of the host's packets to it, bytes */
    _Atomic bool another_keepalive; /* received again while a keepalive was due */
    /* accounts; lanes add */
    _Atomic uint64_t tx_bytes;
    _Atomic uint64_t rx_bytes;
    wrn_wall last_handshake;
};

struct wrn_wg_lane {
    struct wrn_wg *wg;
    struct wrn_crypto *crypto;
    uint32_t number;
    struct wrn_bucket unrouted; /* packets to nobody's address that may be handed over */
    struct wrn_wg_lane *next;   /* in the machine's list */
    _Atomic uint64_t drops[WRN_DROP_COUNT]; /* written by the lane's thread alone */
    /* Scratch of one call: what is sealed or opened together. */
    struct wrn_aead_job jobs[WRN_WG_BATCH_MAX];
    struct wrn_session *job_sessions[WRN_WG_BATCH_MAX];
    uint32_t job_packets[WRN_WG_BATCH_MAX]; /* index in the batch */
    uint32_t job_count;
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
    wrn_mono look_at;        /* at all peers, because lanes could not ask; NEVER: no need */
    wrn_mono may_look_again; /* not before */
    struct wrn_wg_peer *ready_head;
    struct wrn_wg_peer *ready_tail;

    struct wrn_noise_identity identity;
    bool has_identity;
    _Atomic bool up;            /* lanes read it */
    _Atomic uint32_t mtu_bytes; /* ditto */
    /* Of handshake messages to us, for lanes; NULL: we have no key. In one of two places: the other
     * is not written to before all lanes have left it. */
    _Atomic(const uint8_t *) mac1_key;
    uint8_t mac1_keys[2][WRN_WG_KEY_SIZE];

    struct wrn_cookie_checker cookie_checker;
    struct wrn_bucket handshake_bucket;
    struct wrn_rate_table handshake_rates; /* per address, with a valid cookie */
    wrn_mono load_until;                   /* under load, cookies are demanded, until then */
    uint32_t handshakes_per_s;

    uint64_t drops[WRN_DROP_COUNT]; /* of the control thread, and of lanes that have ended */
    struct wrn_wg_lane *lanes;
    struct wrn_wg_lane own_lane;         /* for the control thread's own packets */
    struct wrn_wg_asks asks;             /* scratch of wrn_wg_on_packets and wrn_wg_on_datagrams */
    wrn_handle pulled[WRN_WG_BATCH_MAX]; /* owners of the packets that were pulled last */
    uint32_t pulled_count;
    void (*quiesce)(void *ctx);
    void *quiesce_ctx;
    struct wrn_wg_filter filter; /* set once, lanes read it */
    bool asks_for_unrouted;      /* ditto */
    bool is_bridged;             /* ditto */
};

/* Asks the filter, if there is one, whether an inner packet from the peer, or to it, may pass.
 * Returns NONE or why not, not counted. Any thread. */
static inline enum wrn_drop wrn_wg_lane_check(const struct wrn_wg_lane *lane, wrn_handle peer,
                                              bool is_out, wrn_mono now, const uint8_t *packet,
                                              size_t size) {
    const struct wrn_wg_filter *filter = &lane->wg->filter;
    return __builtin_expect(filter->check == NULL, 1)
               ? WRN_DROP_NONE
               : filter->check(filter->ctx, lane->number, peer, is_out, now,
                               (wrn_span){packet, size});
}

/* Returns the bytes of the largest packet that this path takes to the peer. lane.c; any thread. */
size_t wrn_wg_packet_max(const struct wrn_wg_peer *peer, const struct wrn_path *path);

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

/* Takes a slot for a session of the peer; reclaims first if need be. */
struct wrn_session *wrn_wg_take_session(struct wrn_wg *wg, const struct wrn_wg_peer *peer);

/* Reclaims at once where nothing runs beside the machine. */
void wrn_wg_settle(struct wrn_wg *wg);

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

/* Tells whether a datagram that is no data message may be a handshake message to us: by its size,
 * its mac1, or the session that a cookie reply names. What is not is refused where it arrives, or a
 * flood of it would keep the control thread from what is. Returns WRN_DROP_NONE, BAD_TYPE,
 * BAD_LENGTH, NO_PRIVATE_KEY, BAD_MAC1 or UNEXPECTED_COOKIE, not counted. Any thread, with a
 * 'crypto' of its own. Cost: one keyed hash. Source: paper, section 5.3. */
enum wrn_drop wrn_wg_screen(const struct wrn_wg *wg, struct wrn_crypto *crypto,
                            const struct wrn_wg_datagram *datagram);

/* Takes a datagram whose type is not data. Returns why it was refused, already counted. */
enum wrn_drop wrn_wg_on_handshake(struct wrn_wg *wg, struct wrn_now now,
                                  const struct wrn_wg_datagram *datagram, struct wrn_wg_out *out);

/* ---- receive.c ---- */

/* Catches up with a lane that has confirmed the session that waited as NEXT, if one has: from then
 * on lanes send on it already. Whatever depends on the peer's places calls this first. */
void wrn_wg_take_confirmed(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                           struct wrn_wg_out *out);

/* What follows from a confirmed session: the handshake has led somewhere, packets may go. */
void wrn_wg_session_confirmed(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                              struct wrn_wg_out *out);

/* ---- lane.c: any thread ---- */

/* Returns the session to send on, or NULL if there is none that may. */
struct wrn_session *wrn_wg_sending_session(const struct wrn_wg *wg, const struct wrn_wg_peer *peer,
                                           wrn_mono now);

/* Prepares one packet for sealing: header, padding, ECN and a job in the lane. */
void wrn_wg_lane_add_seal(struct wrn_wg_lane *lane, struct wrn_wg_packet *batch, uint32_t index,
                          const struct wrn_wg_peer *peer, const struct wrn_path *path, size_t max,
                          struct wrn_session *session, uint64_t counter);

/* Writes the header of a data message. */
void wrn_wg_write_data_header(uint8_t *header, const struct wrn_session *session, uint64_t counter);

/* Takes the next 'count' counters of a session, for packets of up to 'largest' bytes. Returns false
 * if the key may not seal so many more: then it seals nothing any more. */
WRN_NODISCARD bool wrn_wg_take_counters(const struct wrn_wg *wg, struct wrn_session *session,
                                        uint32_t count, size_t largest, uint64_t *ret_first);

/* Tells whether a session is due for renewal by whoever sends on it. */
bool wrn_wg_is_renewal_due(const struct wrn_wg *wg, const struct wrn_session *session,
                           wrn_mono now);

/* Tells whether we, who began the session, have to renew it although we only receive. */
bool wrn_wg_is_receiving_renewal_due(const struct wrn_session *session, wrn_mono now);

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

/* Something that proves us to the peer was sent, of which 'data' packets were not empty; something
 * that proves the peer was received. Any thread. Return whether the control thread has to look at
 * the peer's deadlines (wrn_wg_plan), because one is earlier than what it knows of. */
WRN_NODISCARD bool wrn_wg_note_sent(struct wrn_wg_peer *peer, wrn_mono now, uint32_t data);
WRN_NODISCARD bool wrn_wg_note_received(struct wrn_wg_peer *peer, wrn_mono now, uint32_t data);

/* Plans the peer's next wake-up after its earliest deadline. */
void wrn_wg_plan(struct wrn_wg *wg, struct wrn_wg_peer *peer);

/* The control thread sent or received something that was no data. */
void wrn_wg_timers_any_sent(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer);
void wrn_wg_timers_any_received(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer);

/* An initiation was sent; new session keys exist. */
void wrn_wg_timers_initiation_sent(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer);
void wrn_wg_timers_session_derived(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer);

/* Returns one deadline, WRN_MONO_NEVER if it is not set. Any thread. */
wrn_mono wrn_wg_timer(const struct wrn_wg_peer *peer, enum wrn_wg_timer timer);

/* Clears one deadline. Any thread. */
void wrn_wg_timer_clear(struct wrn_wg_peer *peer, enum wrn_wg_timer timer);

/* Sets one deadline (WRN_MONO_NEVER: none). */
void wrn_wg_timer_set(struct wrn_wg *wg, struct wrn_wg_peer *peer, enum wrn_wg_timer timer,
                      wrn_mono deadline);

/* Clears all deadlines. */
void wrn_wg_timers_stop(struct wrn_wg *wg, struct wrn_wg_peer *peer);

/* Forgets sessions, handshake and deadlines of a peer (not its packets). */
void wrn_wg_peer_reset(struct wrn_wg *wg, struct wrn_wg_peer *peer, struct wrn_wg_out *out);
