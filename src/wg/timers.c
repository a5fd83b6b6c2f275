/* SPDX-License-Identifier: Apache-2.0 */
/* When a peer has to act without being asked. The five deadlines of struct wrn_wg_peer are set by
 * facts; the heap holds one node a peer that is never later than its earliest deadline: moving a
 * deadline back, as each packet does, costs nothing, and an early wake-up finds the true one.
 *
 * Lanes set and clear deadlines too. Two of them, or one and the control thread, may do so at once:
 * then one of two deadlines a moment apart holds, which is as good. What must not happen is that a
 * deadline is set that nobody wakes up for: whoever sets one looks afterwards whether the planned
 * wake-up is early enough, and whoever plans a wake-up looks afterwards for an earlier deadline.
 * The order of both is total (sequentially consistent), so one of the two sees the other. */
#include "wg/machine.h"

static void look_at_all(struct wrn_wg *wg, wrn_mono now);
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
static bool set_deadline(struct wrn_wg_peer *peer, enum wrn_wg_timer timer, wrn_mono deadline);
static bool put_off_persistent(struct wrn_wg_peer *peer, wrn_mono now);
static void replan(struct wrn_wg *wg, struct wrn_wg_peer *peer);
static wrn_mono earliest(const struct wrn_wg_peer *peer);

#define LOOK_AGAIN_NS WRN_MS(500)

enum { MESSAGES_PER_PEER = WRN_WG_TIMERS, EVENTS_PER_PEER = 2 * WRN_WG_TIMERS };

wrn_mono wrn_wg_due(const struct wrn_wg *wg) {
    const struct wrn_heap_node *first = wrn_heap_first(&wg->timers);
    return first == NULL ? wg->look_at : wrn_mono_min(first->due, wg->look_at);
}

void wrn_wg_on_time(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_out *out) {
    if (wrn_mono_reached(now.mono, wg->look_at)) {
        wg->look_at = WRN_MONO_NEVER;
        wg->may_look_again = wrn_mono_add(now.mono, LOOK_AGAIN_NS);
        look_at_all(wg, now.mono);
    }
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
        replan(wg, peer);
    }
}

void wrn_wg_timer_set(struct wrn_wg *wg, struct wrn_wg_peer *peer, enum wrn_wg_timer timer,
                      wrn_mono deadline) {
    if (set_deadline(peer, timer, deadline)) {
        replan(wg, peer);
    }
}

void wrn_wg_timers_stop(struct wrn_wg *wg, struct wrn_wg_peer *peer) {
    for (enum wrn_wg_timer i = 0; i < WRN_WG_TIMERS; i++) {
        wrn_wg_timer_clear(peer, i);
    }
    peer->another_keepalive = false;
    replan(wg, peer); /* a lane may have set one just now */
}

bool wrn_wg_note_sent(struct wrn_wg_peer *peer, wrn_mono now, uint32_t data) {
    bool earlier = false;
    if (wrn_wg_timer(peer, WRN_WG_TIMER_KEEPALIVE).ns != WRN_MONO_NEVER.ns) {
        wrn_wg_timer_clear(peer, WRN_WG_TIMER_KEEPALIVE);
    }
    if (data > 0 && wrn_wg_timer(peer, WRN_WG_TIMER_NEW_HANDSHAKE).ns == WRN_MONO_NEVER.ns) {
        uint64_t wait = WRN_WG_KEEPALIVE_NS + WRN_WG_REKEY_TIMEOUT_NS +
                        atomic_load_explicit(&peer->jitter_ns, memory_order_relaxed);
        earlier = set_deadline(peer, WRN_WG_TIMER_NEW_HANDSHAKE, wrn_mono_add(now, wait));
    }
    return put_off_persistent(peer, now) || earlier;
}

bool wrn_wg_note_received(struct wrn_wg_peer *peer, wrn_mono now, uint32_t data) {
    bool earlier = false;
    if (wrn_wg_timer(peer, WRN_WG_TIMER_NEW_HANDSHAKE).ns != WRN_MONO_NEVER.ns) {
        wrn_wg_timer_clear(peer, WRN_WG_TIMER_NEW_HANDSHAKE);
    }
    if (data > 0 && wrn_wg_timer(peer, WRN_WG_TIMER_KEEPALIVE).ns == WRN_MONO_NEVER.ns) {
        earlier =
            set_deadline(peer, WRN_WG_TIMER_KEEPALIVE, wrn_mono_add(now, WRN_WG_KEEPALIVE_NS));
        data--;
    }
    if (data > 0 && !atomic_load_explicit(&peer->another_keepalive, memory_order_relaxed)) {
        atomic_store_explicit(&peer->another_keepalive, true, memory_order_relaxed);
    }
    return put_off_persistent(peer, now) || earlier;
}

void wrn_wg_plan(struct wrn_wg *wg, struct wrn_wg_peer *peer) {
    if (earliest(peer).ns < peer->wake_ns) {
        replan(wg, peer);
    }
}

void wrn_wg_asks_lost(struct wrn_wg *wg, struct wrn_now now) {
    if (wg->look_at.ns == WRN_MONO_NEVER.ns) {
        wg->look_at =
            wrn_mono_reached(now.mono, wg->may_look_again) ? now.mono : wg->may_look_again;
    }
}

void wrn_wg_timers_any_sent(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer) {
    if (wrn_wg_note_sent(peer, now.mono, 0)) {
        replan(wg, peer);
    }
}

void wrn_wg_timers_any_received(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer) {
    if (wrn_wg_note_received(peer, now.mono, 0)) {
        replan(wg, peer);
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
    peer->jitter_ns = (uint32_t)jitter(wg);
    wrn_wg_timer_set(wg, peer, WRN_WG_TIMER_ZERO_KEYS,
                     wrn_mono_add(now.mono, 3 * WRN_WG_REJECT_AFTER_NS));
}

wrn_mono wrn_wg_timer(const struct wrn_wg_peer *peer, enum wrn_wg_timer timer) {
    return (wrn_mono){atomic_load_explicit(&peer->deadline_ns[timer], memory_order_relaxed)};
}

void wrn_wg_timer_clear(struct wrn_wg_peer *peer, enum wrn_wg_timer timer) {
    atomic_store_explicit(&peer->deadline_ns[timer], WRN_MONO_NEVER.ns, memory_order_relaxed);
}

/* Finds what lanes would have asked for. There may be more peers than room for what follows, so
 * those that have to be seen to become due. */
static void look_at_all(struct wrn_wg *wg, wrn_mono now) {
    for (uint32_t i = 0; i < wg->peers.touched; i++) {
        struct wrn_wg_peer *peer = wrn_pool_at(&wg->peers, i, NULL);
        if (peer != NULL && wrn_session_set_is_confirmed(&peer->sessions)) {
            atomic_store(&peer->wake_ns, now.ns);
            wrn_heap_set(&wg->timers, &peer->timer, now);
        } else if (peer != NULL) {
            wrn_wg_plan(wg, peer);
        }
    }
}

/* Sets a deadline. Returns whether nobody would wake up for it. */
static bool set_deadline(struct wrn_wg_peer *peer, enum wrn_wg_timer timer, wrn_mono deadline) {
    atomic_store(&peer->deadline_ns[timer], deadline.ns);
    return deadline.ns < atomic_load(&peer->wake_ns);
}

/* Any packet puts the persistent keepalive off by its interval. */
static bool put_off_persistent(struct wrn_wg_peer *peer, wrn_mono now) {
    uint64_t interval_ns = WRN_S(atomic_load_explicit(&peer->keepalive_s, memory_order_relaxed));
    if (interval_ns == 0) {
        return false;
    }
    return set_deadline(peer, WRN_WG_TIMER_PERSISTENT, wrn_mono_add(now, interval_ns));
}

/* Plans the wake-up for the earliest deadline, also if that is later than planned. */
static void replan(struct wrn_wg *wg, struct wrn_wg_peer *peer) {
    wrn_mono first;
    do {
        first = earliest(peer);
        atomic_store(&peer->wake_ns, first.ns);
    } while (earliest(peer).ns < first.ns);
    wrn_heap_set(&wg->timers, &peer->timer, first);
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
    wrn_wg_take_confirmed(wg, now, peer, out);
    for (enum wrn_wg_timer i = 0; i < WRN_WG_TIMERS; i++) {
        uint64_t deadline_ns = wrn_wg_timer(peer, i).ns;
        /* not if a lane has put it off meanwhile */
        if (wrn_mono_reached(now.mono, (wrn_mono){deadline_ns}) &&
            atomic_compare_exchange_strong(&peer->deadline_ns[i], &deadline_ns,
                                           WRN_MONO_NEVER.ns)) {
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
        wrn_wg_timer_clear(peer, WRN_WG_TIMER_KEEPALIVE);
        wrn_wg_purge_staged(wg, peer, WRN_DROP_HANDSHAKE_FAILED);
        if (wrn_wg_timer(peer, WRN_WG_TIMER_ZERO_KEYS).ns == WRN_MONO_NEVER.ns) {
            wrn_wg_timers_session_derived(wg, now, peer);
        }
        return;
    }
    wrn_path_cell_clear_source(&peer->path); /* maybe our own address is why nobody answers */
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
    wrn_path_cell_clear_source(&peer->path);
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
        if (wrn_wg_timer(peer, WRN_WG_TIMER_PERSISTENT).ns == WRN_MONO_NEVER.ns) {
            /* Nothing could be sent now; the interval goes on all the same. */
            wrn_wg_timer_set(wg, peer, WRN_WG_TIMER_PERSISTENT,
                             wrn_mono_add(now.mono, WRN_S(peer->keepalive_s)));
        }
    }
}

static wrn_mono earliest(const struct wrn_wg_peer *peer) {
    wrn_mono first = WRN_MONO_NEVER;
    for (size_t i = 0; i < WRN_WG_TIMERS; i++) {
        first = wrn_mono_min(first, (wrn_mono){atomic_load(&peer->deadline_ns[i])});
    }
    return first;
}
