/* SPDX-License-Identifier: Apache-2.0 */
/* When a peer has to act without being asked. The five deadlines of struct wrn_wg_peer are set by
 * facts; the heap holds one node a peer that is never later than its earliest deadline: moving a
 * deadline back, as each packet does, costs nothing, and an early wake-up finds the true one. */
#include "wg/machine.h"

static uint64_t jitter(struct wrn_wg *wg);
static void on_peer_time(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                         struct wrn_wg_out *out);
static void on_retry(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                     struct wrn_wg_out *out);
static void on_keepalive(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                         struct wrn_wg_out *out);
static void on_new_handshake(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                             struct wrn_wg_out *out);
static void on_zero_keys(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                         struct wrn_wg_out *out);
static void on_persistent(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                          struct wrn_wg_out *out);
static wrn_mono earliest(const struct wrn_wg_peer *peer);

enum { MESSAGES_PER_PEER = WRN_WG_TIMERS, EVENTS_PER_PEER = 2 * WRN_WG_TIMERS };

wrn_mono wrn_wg_due(const struct wrn_wg *wg) {
    const struct wrn_heap_node *first = wrn_heap_first(&wg->timers);
    return first == NULL ? WRN_MONO_NEVER : first->due;
}

void wrn_wg_on_time(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_out *out) {
    for (;;) {
        struct wrn_heap_node *first = wrn_heap_first(&wg->timers);
        if (first == NULL || !wrn_mono_reached(now.mono, first->due)) {
            return;
        }
        if (out->message_count + MESSAGES_PER_PEER > WRN_WG_MESSAGES_MAX ||
            out->event_count + EVENTS_PER_PEER > WRN_WG_EVENTS_MAX) {
            return; /* the driver empties 'out' and finds us due still */
        }
        struct wrn_wg_peer *peer = WRN_CONTAINER(first, struct wrn_wg_peer, timer);
        on_peer_time(wg, now, peer, out);
        wrn_heap_set(&wg->timers, &peer->timer, earliest(peer));
    }
}

void wrn_wg_timer_set(struct wrn_wg *wg, struct wrn_wg_peer *peer, enum wrn_wg_timer timer,
                      wrn_mono deadline) {
    peer->deadline[timer] = deadline;
    if (peer->timer.place == 0 ? deadline.ns != WRN_MONO_NEVER.ns
                               : wrn_mono_before(deadline, peer->timer.due)) {
        wrn_heap_set(&wg->timers, &peer->timer, deadline);
    }
}

void wrn_wg_timers_stop(struct wrn_wg *wg, struct wrn_wg_peer *peer) {
    for (int i = 0; i < WRN_WG_TIMERS; i++) {
        peer->deadline[i] = WRN_MONO_NEVER;
    }
    peer->another_keepalive = false;
    wrn_heap_remove(&wg->timers, &peer->timer);
}

void wrn_wg_timers_data_sent(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer) {
    if (peer->deadline[WRN_WG_TIMER_NEW_HANDSHAKE].ns == WRN_MONO_NEVER.ns) {
        uint64_t wait = WRN_WG_KEEPALIVE_NS + WRN_WG_REKEY_TIMEOUT_NS + jitter(wg);
        wrn_wg_timer_set(wg, peer, WRN_WG_TIMER_NEW_HANDSHAKE, wrn_mono_add(now.mono, wait));
    }
}

void wrn_wg_timers_data_received(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer) {
    if (peer->deadline[WRN_WG_TIMER_KEEPALIVE].ns == WRN_MONO_NEVER.ns) {
        wrn_wg_timer_set(wg, peer, WRN_WG_TIMER_KEEPALIVE,
                         wrn_mono_add(now.mono, WRN_WG_KEEPALIVE_NS));
    } else {
        peer->another_keepalive = true;
    }
}

void wrn_wg_timers_any_sent(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer) {
    peer->deadline[WRN_WG_TIMER_KEEPALIVE] = WRN_MONO_NEVER;
    if (peer->keepalive_s != 0) {
        wrn_wg_timer_set(wg, peer, WRN_WG_TIMER_PERSISTENT,
                         wrn_mono_add(now.mono, WRN_S(peer->keepalive_s)));
    }
}

void wrn_wg_timers_any_received(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer) {
    peer->deadline[WRN_WG_TIMER_NEW_HANDSHAKE] = WRN_MONO_NEVER;
    if (peer->keepalive_s != 0) {
        wrn_wg_timer_set(wg, peer, WRN_WG_TIMER_PERSISTENT,
                         wrn_mono_add(now.mono, WRN_S(peer->keepalive_s)));
    }
}

void wrn_wg_timers_initiation_sent(struct wrn_wg *wg, struct wrn_now now,
                                   struct wrn_wg_peer *peer) {
    uint64_t wait = WRN_WG_REKEY_TIMEOUT_NS + jitter(wg);
    wrn_mono retry = wrn_mono_min(wrn_mono_add(now.mono, wait), peer->give_up);
    wrn_wg_timer_set(wg, peer, WRN_WG_TIMER_RETRY, retry);
}

void wrn_wg_timers_session_derived(struct wrn_wg *wg, struct wrn_now now,
                                   struct wrn_wg_peer *peer) {
    wrn_wg_timer_set(wg, peer, WRN_WG_TIMER_ZERO_KEYS,
                     wrn_mono_add(now.mono, 3 * WRN_WG_REJECT_AFTER_NS));
}

/* Up to a third of a second, so that two sides that began together do not go on together. */
static uint64_t jitter(struct wrn_wg *wg) {
    return wrn_rand_below(wg->rand, (uint32_t)WRN_WG_JITTER_NS);
}

static void on_peer_time(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                         struct wrn_wg_out *out) {
    static void (*const handler[WRN_WG_TIMERS])(struct wrn_wg *, struct wrn_now,
                                                struct wrn_wg_peer *, struct wrn_wg_out *) = {
        [WRN_WG_TIMER_RETRY] = on_retry,
        [WRN_WG_TIMER_KEEPALIVE] = on_keepalive,
        [WRN_WG_TIMER_NEW_HANDSHAKE] = on_new_handshake,
        [WRN_WG_TIMER_ZERO_KEYS] = on_zero_keys,
        [WRN_WG_TIMER_PERSISTENT] = on_persistent,
    };
    for (int i = 0; i < WRN_WG_TIMERS; i++) {
        if (wrn_mono_reached(now.mono, peer->deadline[i])) {
            peer->deadline[i] = WRN_MONO_NEVER;
            handler[i](wg, now, peer, out);
        }
    }
}

static void on_retry(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                     struct wrn_wg_out *out) {
    if (peer->state != WRN_WG_STATE_WAITING) {
        wrn_wg_release_staged(wg, now, peer, out); /* an initiation that had to wait for its turn */
        return;
    }
    if (wrn_mono_reached(now.mono, peer->give_up)) {
        wrn_wg_push_event(out, WRN_WG_EVENT_HANDSHAKE_GAVE_UP, peer->self, peer->attempts);
        wrn_wg_forget_pending(wg, peer, out);
        peer->deadline[WRN_WG_TIMER_KEEPALIVE] = WRN_MONO_NEVER;
        wrn_wg_purge_staged(wg, peer, WRN_DROP_HANDSHAKE_FAILED);
        if (peer->deadline[WRN_WG_TIMER_ZERO_KEYS].ns == WRN_MONO_NEVER.ns) {
            wrn_wg_timers_session_derived(wg, now, peer);
        }
        return;
    }
    peer->path.local.family = WRN_FAMILY_NONE; /* maybe our own address is why nobody answers */
    wrn_wg_initiate(wg, now, peer, true, out);
}

static void on_keepalive(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                         struct wrn_wg_out *out) {
    wrn_wg_send_keepalive(wg, now, peer, out);
    if (peer->another_keepalive) {
        peer->another_keepalive = false;
        wrn_wg_timer_set(wg, peer, WRN_WG_TIMER_KEEPALIVE,
                         wrn_mono_add(now.mono, WRN_WG_KEEPALIVE_NS));
    }
}

static void on_new_handshake(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                             struct wrn_wg_out *out) {
    peer->path.local.family = WRN_FAMILY_NONE;
    wrn_wg_initiate(wg, now, peer, false, out);
}

static void on_zero_keys(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                         struct wrn_wg_out *out) {
    (void)now;
    wrn_wg_push_event(out, WRN_WG_EVENT_KEYS_ZEROED, peer->self, 0);
    wrn_session_set_clear(&wg->sessions, &peer->sessions);
}

static void on_persistent(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                          struct wrn_wg_out *out) {
    if (peer->keepalive_s != 0 && wg->up) {
        wrn_wg_send_keepalive(wg, now, peer, out);
        if (peer->deadline[WRN_WG_TIMER_PERSISTENT].ns == WRN_MONO_NEVER.ns) {
            /* Nothing could be sent now; the interval goes on all the same. */
            wrn_wg_timer_set(wg, peer, WRN_WG_TIMER_PERSISTENT,
                             wrn_mono_add(now.mono, WRN_S(peer->keepalive_s)));
        }
    }
}

static wrn_mono earliest(const struct wrn_wg_peer *peer) {
    wrn_mono first = WRN_MONO_NEVER;
    for (int i = 0; i < WRN_WG_TIMERS; i++) {
        first = wrn_mono_min(first, peer->deadline[i]);
    }
    return first;
}
