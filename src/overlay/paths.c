/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's inputs and its table of peers: which way to a peer is the best, and when it is
 * looked at again. The other files keep ways alive, search for them, and class the NAT. */
#include "overlay/paths.h"

#include "overlay/paths_internal.h"

enum {
    PROBES_PER_S = 200,
    KEEPALIVE_S = 60,
    SEARCHES = 8,
    SWITCH_PERCENT = 20,      /* a way of the same kind must be so much faster */
    SWITCH_US = 5000,         /* ... and at least so much */
    MOVED_S = 10,             /* pings say that we moved for so long */
    FIRST_RELAY_MS = 300,     /* before a relay is asked for */
    GONE_S = 20,              /* without any way */
    TRAFFIC_SEARCH_S = 30,    /* traffic asks for a search not oftener */
    TRAFFIC_HOPELESS_S = 300, /* ... between NATs that hardly let one through */
    TRAFFIC_QUIET_MS = 2500,  /* traffic on a path that was silent for so long: is it alive? */
    OTHER_QUIET_MS = 1000,    /* the peer takes another relay, and ours was silent for so long */
    SETTLE_MS = 700,          /* a search looks for better ways for so long */
};

static void become(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                   const struct wrn_way *way, uint32_t rtt_us);
static void add(struct wrn_paths *paths, wrn_mono now, wrn_handle peer, bool we_asked);
static void renew(struct wrn_paths_peer *p, wrn_mono now);
static void on_ping(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                    const struct wrn_way *way, uint64_t incarnation, wrn_span message);
static void on_pong(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                    const struct wrn_way *way, uint64_t incarnation, wrn_span message);
static void begin_at(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                     const struct wrn_way *way);
static void follow(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                   const struct wrn_way *way);
static void note_way(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                     const struct wrn_way *way);
static bool has_moved(const struct wrn_paths_peer *p, const struct wrn_way *way,
                      const struct wrn_paths_ping *pong);
static bool has_working_relay(const struct wrn_paths_peer *p);
static bool is_quiet(const struct wrn_paths_peer *p, wrn_mono now);
static void confirm_relay(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                          const struct wrn_way *way, bool has_rtt, uint32_t rtt_us);
static bool is_better(const struct wrn_paths_peer *p, const struct wrn_way *way, bool has_rtt,
                      uint32_t rtt_us);
static void keep_alt(struct wrn_paths_peer *p, wrn_mono now, const struct wrn_way *way);
static uint32_t smoothed(uint32_t old_us, uint32_t new_us);
static void step(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p);
static void give_up(struct wrn_paths *paths, struct wrn_paths_peer *p);

bool wrn_way_equal(const struct wrn_way *a, const struct wrn_way *b) {
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case WRN_WAY_DIRECT:
        return a->socket == b->socket && wrn_endpoint_equal(&a->remote, &b->remote);
    case WRN_WAY_RELAY:
        return a->slot == b->slot && wrn_handle_equal(a->relay, b->relay);
    default:
        return true;
    }
}

struct wrn_paths *wrn_paths_init(struct wrn_arena *arena, const struct wrn_paths_options *options,
                                 struct wrn_paths_port port, struct wrn_rand rand) {
    uint32_t searches = options->searches_max == 0 ? SEARCHES : options->searches_max;
    WRN_ASSERT(options->peers_max > 0 && searches < PATHS_NO_SEARCH);
    struct wrn_paths *paths = wrn_arena_take(arena, 1, sizeof *paths);
    struct wrn_dues dues;
    wrn_dues_init(&dues, arena, options->peers_max);
    struct wrn_paths_peer *peers = wrn_arena_take(arena, options->peers_max, sizeof *peers);
    struct wrn_paths_search *table = wrn_arena_take(arena, searches, sizeof *table);
    if (paths == NULL) {
        return NULL;
    }
    paths->options = *options;
    paths->options.searches_max = searches;
    if (paths->options.probes_per_s == 0) {
        paths->options.probes_per_s = PROBES_PER_S;
    }
    if (paths->options.keepalive_max_s == 0) {
        paths->options.keepalive_max_s = KEEPALIVE_S;
    }
    if (paths->options.keepalive_max_s > UINT8_MAX) {
        paths->options.keepalive_max_s = UINT8_MAX;
    }
    paths->port = port;
    paths->rand = rand;
    wrn_rand_fill(rand, paths->secret, sizeof paths->secret);
    paths->dues = dues;
    paths->peers = peers;
    paths->searches = table;
    paths->wait_first = paths->wait_last = PATHS_NOBODY;
    paths->period.peer = PATHS_NOBODY;
    paths->period.due = WRN_MONO_NEVER;
    return paths;
}

void wrn_paths_set_local(struct wrn_paths *paths, wrn_mono now,
                         const struct wrn_locator_endpoint *endpoints, size_t count) {
    bool is_first = paths->local_count == 0;
    paths->local_count = count < PATHS_LOCALS ? count : PATHS_LOCALS;
    for (size_t i = 0; i < paths->local_count; i++) {
        paths->locals[i] = endpoints[i];
    }
    /* Equal addresses tell nothing: many homes use the same ones. */
    paths->sight_count = 0;
    paths->fresh_count = 0;
    paths->tried_count = 0;
    paths->probes = paths->answers = 0;
    paths->vain = paths->stream_answers = 0;
    paths->view = (struct wrn_nat_view){0};
    if (!is_first) {
        paths->moved_until = wrn_mono_add(now, WRN_S(MOVED_S));
    }
    paths->port.locator(paths->port.ctx);
    for (uint32_t i = 0; !is_first && i < paths->options.peers_max; i++) {
        struct wrn_paths_peer *p = &paths->peers[i];
        if (p->handle.generation == 0 || p->way.kind == WRN_WAY_NONE) {
            continue;
        }
        if (p->way.kind == WRN_WAY_DIRECT) { /* a firewall on the other side knows us no more */
            p->flags &= (uint16_t)~PEER_RELAY_PROVEN;
        }
        p->tries = 1; /* at once, however lately it was heard */
        p->ping_at = now;
        p->retry_at = p->way.kind == WRN_WAY_RELAY ? now : p->retry_at;
        wrn_paths_arm(paths, p);
    }
}

void wrn_paths_describe(const struct wrn_paths *paths, struct wrn_locator *locator) {
    locator->nat_class = (uint8_t)paths->view.nat_class;
    locator->port_step = paths->view.port_step;
    locator->port_last = paths->view.port_last;
    locator->tcp_port = paths->tcp_port;
    locator->tls_port = paths->tls_port;
    locator->endpoint_count = (uint8_t)wrn_paths_endpoints(paths, locator->endpoints);
}

void wrn_paths_set_epoch(struct wrn_paths *paths, uint32_t epoch) {
    paths->epoch = epoch;
}

enum wrn_reason wrn_paths_search(struct wrn_paths *paths, wrn_mono now, wrn_handle peer,
                                 const struct wrn_locator *locator, bool we_asked) {
    if (peer.index >= paths->options.peers_max) {
        return WRN_REASON_FULL;
    }
    if (wrn_paths_peer_of(paths, peer) == NULL) {
        add(paths, now, peer, we_asked);
    }
    struct wrn_paths_peer *p = &paths->peers[peer.index];
    renew(p, now);
    p->nat_class = locator->nat_class < WRN_NAT_CLASSES ? locator->nat_class : 0;
    p->port_last = locator->port_last;
    p->tcp_port = locator->tcp_port;
    p->tls_port = locator->tls_port;
    p->port_step =
        (int16_t)(locator->port_step >= -WRN_NAT_STEP_MAX && locator->port_step <= WRN_NAT_STEP_MAX
                      ? locator->port_step
                      : 0);
    size_t count = locator->endpoint_count;
    wrn_paths_search_begin(paths, now, p, locator->endpoints,
                           count < WRN_ENDPOINTS_MAX ? count : WRN_ENDPOINTS_MAX, 0);
    if (p->way.kind == WRN_WAY_NONE && p->relay.generation == 0 && p->relay_tries == 0 &&
        wrn_paths_hopeless((uint8_t)paths->view.nat_class, p->nat_class) != WRN_REASON_NONE) {
        p->relay_at = now; /* the probes will hardly do it */
    }
    wrn_paths_arm(paths, p);
    return WRN_REASON_NONE;
}

void wrn_paths_set_eager(struct wrn_paths *paths, wrn_mono now, wrn_handle peer, bool is_eager) {
    struct wrn_paths_peer *p = wrn_paths_peer_of(paths, peer);
    if (p == NULL || is_eager == ((p->flags & PEER_IS_MODEST) == 0)) {
        return;
    }
    p->flags ^= PEER_IS_MODEST;
    if (p->search != PATHS_NO_SEARCH) {
        wrn_paths_search_pace(paths, now, p);
    }
    if (!is_eager || wrn_paths_is_direct(p)) {
        wrn_paths_arm(paths, p);
        return;
    }
    renew(p, now);
    p->retries = 0; /* the peer may call us, too, however lately we searched */
    if (p->search != PATHS_NO_SEARCH) {
        paths->searches[p->search].next = now;
    } else if ((p->flags & PEER_WAITS) == 0 && p->way.kind == WRN_WAY_RELAY) {
        p->retry_at = now;
    }
    wrn_paths_arm(paths, p);
}

enum wrn_reason wrn_paths_hopeless(uint8_t one, uint8_t other) {
    bool is_one = wrn_paths_is_random(one), is_other = wrn_paths_is_random(other);
    if (is_one && is_other) {
        return WRN_REASON_BOTH_RANDOM;
    }
    return (is_one && other == WRN_NAT_CLASS_PORT_PREDICTABLE) ||
                   (is_other && one == WRN_NAT_CLASS_PORT_PREDICTABLE)
               ? WRN_REASON_RANDOM_AND_STEPS
               : WRN_REASON_NONE;
}

void wrn_paths_begin_with(struct wrn_paths *paths, wrn_mono now, wrn_handle peer,
                          const struct wrn_way *way) {
    if (peer.index >= paths->options.peers_max) {
        return;
    }
    if (wrn_paths_peer_of(paths, peer) == NULL) {
        add(paths, now, peer, false);
    }
    struct wrn_paths_peer *p = &paths->peers[peer.index];
    if (way->kind == WRN_WAY_DIRECT && (!wrn_paths_is_direct(p) || is_better(p, way, false, 0))) {
        begin_at(paths, now, p, way);
    }
    wrn_paths_arm(paths, p);
}

void wrn_paths_restarted(struct wrn_paths *paths, wrn_mono now, wrn_handle peer,
                         const struct wrn_way *way) {
    struct wrn_paths_peer *p = wrn_paths_peer_of(paths, peer);
    if (p == NULL || way->kind != WRN_WAY_DIRECT || wrn_way_equal(way, &p->way)) {
        return;
    }
    begin_at(paths, now, p, way);
    p->alt = (struct wrn_endpoint){0};
    wrn_paths_arm(paths, p);
}

void wrn_paths_forget(struct wrn_paths *paths, wrn_handle peer) {
    struct wrn_paths_peer *p = wrn_paths_peer_of(paths, peer);
    if (p != NULL) {
        give_up(paths, p);
    }
}

void wrn_paths_on_relay(struct wrn_paths *paths, wrn_mono now, wrn_handle peer,
                        const struct wrn_way *way) {
    struct wrn_paths_peer *p = wrn_paths_peer_of(paths, peer);
    if (p == NULL || way->kind != WRN_WAY_RELAY) {
        return;
    }
    struct wrn_way old = wrn_paths_relay_way(p);
    bool is_known = p->relay.generation != 0 && wrn_way_equal(&old, way);
    if (is_known || has_working_relay(p)) {
        return;
    }
    p->relay = way->relay;
    p->slot = way->slot;
    p->flags &= (uint16_t)~PEER_RELAY_PROVEN;
    p->relay_tries = 0;
    p->relay_at = now;
    wrn_paths_relay_step(paths, now, p);
    wrn_paths_arm(paths, p);
}

void wrn_paths_on_relay_lost(struct wrn_paths *paths, wrn_mono now, wrn_handle peer,
                             const struct wrn_way *way) {
    struct wrn_paths_peer *p = wrn_paths_peer_of(paths, peer);
    if (p == NULL) {
        return;
    }
    struct wrn_way old = wrn_paths_relay_way(p);
    if (wrn_way_equal(&old, way)) {
        p->relay = WRN_HANDLE_NONE;
        p->flags &= (uint16_t)~PEER_RELAY_PROVEN;
        p->relay_at = wrn_paths_is_direct(p) ? WRN_MONO_NEVER : now; /* perhaps others are ready */
        p->relay_tries = 0;
    }
    if (wrn_way_equal(&p->way, way)) {
        wrn_paths_lose(paths, now, p);
    }
    wrn_paths_arm(paths, p);
}

void wrn_paths_on_message(struct wrn_paths *paths, wrn_mono now, wrn_handle peer,
                          const struct wrn_way *way, uint64_t incarnation, wrn_span message) {
    struct wrn_paths_peer *p = wrn_paths_peer_of(paths, peer);
    if (p == NULL || message.size == 0) {
        return;
    }
    struct wrn_paths_call_body body;
    switch (message.data[0]) {
    case WRN_MESSAGE_PING:
        on_ping(paths, now, p, way, incarnation, message);
        break;
    case WRN_MESSAGE_PONG:
        on_pong(paths, now, p, way, incarnation, message);
        break;
    case WRN_MESSAGE_CALL:
        if (wrn_paths_read_call(message, &body)) {
            wrn_paths_on_call(paths, now, p, &body);
        }
        break;
    default:
        break;
    }
    if (wrn_paths_peer_of(paths, peer) != NULL) {
        wrn_paths_arm(paths, p);
    }
}

void wrn_paths_on_heard(struct wrn_paths *paths, wrn_mono now, wrn_handle peer,
                        const struct wrn_way *way) {
    struct wrn_paths_peer *p = wrn_paths_peer_of(paths, peer);
    if (p == NULL) {
        return;
    }
    if (wrn_way_equal(way, &p->way)) {
        wrn_paths_period_heard(paths, now, p, false);
        if ((p->flags & PEER_LOST) == 0) {
            p->heard_at = now; /* the deadline follows when it comes: cheap for busy paths */
            if (p->tries > 0) {
                p->tries = 0;
                wrn_paths_keep_alive(paths, now, p);
                wrn_paths_arm(paths, p);
            }
        }
        return;
    }
    note_way(paths, now, p, way);
    wrn_paths_arm(paths, p);
}

void wrn_paths_check(struct wrn_paths *paths, wrn_mono now, wrn_handle peer) {
    struct wrn_paths_peer *p = wrn_paths_peer_of(paths, peer);
    if (p != NULL && p->tries == 0 && p->way.kind != WRN_WAY_NONE) {
        p->tries = 1;
        p->ping_at = now;
        wrn_paths_ping_best(paths, now, p);
        wrn_paths_arm(paths, p);
    }
}

void wrn_paths_set_period(struct wrn_paths *paths, wrn_mono now, wrn_handle peer, uint8_t most_s) {
    struct wrn_paths_peer *p = wrn_paths_peer_of(paths, peer);
    if (p != NULL && p->most_s != most_s) {
        p->most_s = most_s;
        if (p->tries == 0 && p->way.kind != WRN_WAY_NONE && (p->flags & PEER_LOST) == 0) {
            wrn_paths_keep_alive(paths, now, p);
            wrn_paths_arm(paths, p);
        }
    }
}

void wrn_paths_on_traffic(struct wrn_paths *paths, wrn_mono now, wrn_handle peer) {
    struct wrn_paths_peer *p = wrn_paths_peer_of(paths, peer);
    if (p == NULL || p->way.kind == WRN_WAY_NONE) {
        return;
    }
    if (wrn_mono_since(now, p->heard_at) >= WRN_MS(TRAFFIC_QUIET_MS)) {
        wrn_paths_check(paths, now, peer); /* what the user sends may go nowhere */
    }
    if (wrn_way_is_stream(&p->way)) {
        wrn_paths_stream_hurry(p, now);
        wrn_paths_arm(paths, p);
    }
    if (p->way.kind != WRN_WAY_RELAY || p->search != PATHS_NO_SEARCH) {
        return;
    }
    bool is_hopeless =
        wrn_paths_hopeless((uint8_t)paths->view.nat_class, p->nat_class) != WRN_REASON_NONE;
    uint32_t wait_s = is_hopeless ? TRAFFIC_HOPELESS_S : TRAFFIC_SEARCH_S;
    wrn_mono at = wrn_mono_add(p->searched_at, WRN_S(wait_s));
    at = wrn_mono_before(at, now) ? now : at;
    if (wrn_mono_before(at, p->retry_at)) {
        p->retry_at = at;
        wrn_paths_arm(paths, p);
    }
}

void wrn_paths_on_time(struct wrn_paths *paths, wrn_mono now) {
    while (wrn_mono_reached(now, wrn_paths_due(paths))) {
        wrn_paths_measure_on_time(paths, now);
        wrn_paths_guess_on_time(paths, now);
        wrn_paths_period_on_time(paths, now);
        if (wrn_mono_reached(now, wrn_dues_first(&paths->dues))) {
            step(paths, now, &paths->peers[paths->dues.first]);
        }
    }
}

wrn_mono wrn_paths_due(const struct wrn_paths *paths) {
    wrn_mono due = wrn_dues_first(&paths->dues);
    due = wrn_mono_min(due, paths->measure.is_active ? paths->measure.next : WRN_MONO_NEVER);
    due = wrn_mono_min(due, paths->period.due);
    return wrn_mono_min(due, wrn_paths_guess_due(paths));
}

const struct wrn_way *wrn_paths_way(const struct wrn_paths *paths, wrn_handle peer) {
    static const struct wrn_way none = {.kind = WRN_WAY_NONE};
    const struct wrn_paths_peer *p = wrn_paths_peer_of(paths, peer);
    return p != NULL ? &p->way : &none;
}

enum wrn_path_state wrn_paths_state(const struct wrn_paths *paths, wrn_handle peer,
                                    enum wrn_reason *ret_reason, uint32_t *ret_rtt_us) {
    const struct wrn_paths_peer *p = wrn_paths_peer_of(paths, peer);
    *ret_reason = WRN_REASON_NONE;
    *ret_rtt_us = 0;
    if (p == NULL) {
        return WRN_PATH_STATE_LOST;
    }
    *ret_rtt_us = p->way.kind == WRN_WAY_RELAY ? p->relay_rtt_us : p->rtt_us;
    if (p->way.kind == WRN_WAY_NONE) {
        return WRN_PATH_STATE_SEARCHING;
    }
    if ((p->flags & PEER_LOST) != 0) {
        *ret_reason = WRN_REASON_TIMEOUT;
        return WRN_PATH_STATE_LOST;
    }
    if (p->way.kind == WRN_WAY_DIRECT && !wrn_way_is_stream(&p->way)) {
        return WRN_PATH_STATE_DIRECT;
    }
    *ret_reason = (enum wrn_reason)p->reason;
    if (p->way.kind == WRN_WAY_DIRECT) {
        *ret_reason = wrn_paths_why(paths, p, false);
        return WRN_PATH_STATE_STREAM;
    }
    return p->search != PATHS_NO_SEARCH || (p->flags & PEER_WAITS) != 0
               ? WRN_PATH_STATE_RELAYED_SEARCHING
               : WRN_PATH_STATE_RELAYED;
}

enum wrn_nat_class wrn_paths_nat_class(const struct wrn_paths *paths) {
    return paths->view.nat_class;
}

uint64_t wrn_paths_probes_sent(const struct wrn_paths *paths, wrn_handle peer) {
    const struct wrn_paths_peer *p = wrn_paths_peer_of(paths, peer);
    return p != NULL ? p->probes : 0;
}

struct wrn_paths_peer *wrn_paths_peer_of(const struct wrn_paths *paths, wrn_handle peer) {
    if (peer.generation == 0 || peer.index >= paths->options.peers_max) {
        return NULL;
    }
    struct wrn_paths_peer *p = &paths->peers[peer.index];
    return wrn_handle_equal(p->handle, peer) ? p : NULL;
}

void wrn_paths_arm(struct wrn_paths *paths, struct wrn_paths_peer *p) {
    wrn_mono due =
        wrn_mono_min(wrn_mono_min(p->ping_at, p->relay_at), wrn_mono_min(p->retry_at, p->gone_at));
    due = wrn_mono_min(due, p->look_at);
    if (p->search != PATHS_NO_SEARCH) {
        due = wrn_mono_min(due, paths->searches[p->search].next);
    }
    wrn_dues_set(&paths->dues, p->handle.index, due);
}

void wrn_paths_on_answer(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                         const struct wrn_way *way, bool has_rtt, uint32_t rtt_us,
                         const struct wrn_paths_ping *pong) {
    bool is_best = wrn_way_equal(way, &p->way);
    p->their_period = pong->period_s;
    if (way->kind == WRN_WAY_RELAY) {
        confirm_relay(paths, now, p, way, has_rtt, rtt_us);
    } else if (!is_best && (is_better(p, way, has_rtt, rtt_us) || has_moved(p, way, pong))) {
        become(paths, now, p, way, rtt_us);
    } else if (!is_best) {
        keep_alt(p, now, way);
    }
    if (!wrn_way_equal(way, &p->way)) {
        /* Proven, but how fast? Not at once: two that ask one another so would never end. */
        if (!has_rtt && way->kind == WRN_WAY_DIRECT && is_quiet(p, now)) {
            wrn_paths_new_round(p, now);
            wrn_paths_send_ping(paths, now, p, way, 0, true);
        }
        return;
    }
    if (way->kind == WRN_WAY_DIRECT) {
        p->flags &= (uint16_t)~PEER_HAS_MOVED;
        p->rtt_us = has_rtt ? smoothed(is_best ? p->rtt_us : 0, rtt_us) : p->rtt_us;
    }
    p->flags &= (uint16_t)~PEER_LOST;
    p->gone_at = WRN_MONO_NEVER;
    p->tries = 0;
    p->heard_at = now;
    wrn_paths_period_heard(paths, now, p, false);
    wrn_paths_keep_alive(paths, now, p);
    if (!has_rtt) {
        /* How fast? Asked at once, but not while a round is under way: answers to older ones are
         * not timed any more, so that two would ask one another ever more often. */
        p->tries = is_quiet(p, now) ? 1 : 0;
        p->ping_at = p->tries == 1 ? now : p->ping_at;
    } else {
        paths->port.heard(paths->port.ctx, p->handle,
                          way->kind == WRN_WAY_RELAY ? p->relay_rtt_us : p->rtt_us, pong->epoch);
    }
}

uint32_t wrn_paths_rank(const struct wrn_way *way) {
    if (way->kind != WRN_WAY_DIRECT) {
        return way->kind == WRN_WAY_RELAY ? 4 : 5;
    }
    if (wrn_way_is_stream(way)) { /* fewer hops than a relay that the one or the other end reaches
                                   * by a stream, too */
        return 3;
    }
    return wrn_nat_is_private(&way->remote.ip) ? 0 : way->socket == 0 ? 1 : 2;
}

struct wrn_way wrn_paths_relay_way(const struct wrn_paths_peer *p) {
    return (struct wrn_way){.kind = WRN_WAY_RELAY, .relay = p->relay, .slot = p->slot};
}

bool wrn_paths_is_direct(const struct wrn_paths_peer *p) {
    return p->way.kind == WRN_WAY_DIRECT && (p->flags & PEER_LOST) == 0;
}

/* Makes 'way' the best one. */
static void become(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                   const struct wrn_way *way, uint32_t rtt_us) {
    struct wrn_way old = p->way;
    bool was_lost = (p->flags & PEER_LOST) != 0;
    p->way = *way;
    p->since_s = (uint32_t)(now.ns / WRN_S(1));
    p->flags |= PEER_WAS_UP;
    p->flags &= (uint16_t) ~(PEER_LOST | PEER_WANTS_ME | PEER_IS_SHORT);
    p->tries = 0;
    p->heard_at = now;
    p->gone_at = WRN_MONO_NEVER;
    if (way->kind == WRN_WAY_DIRECT) {
        struct wrn_way alt = {.kind = WRN_WAY_DIRECT, .remote = p->alt};
        p->rtt_us = rtt_us;
        p->reason = WRN_REASON_NONE;
        p->retry_at = WRN_MONO_NEVER;
        p->retries = 0;
        if (old.kind == WRN_WAY_DIRECT && old.socket == 0 && !was_lost) {
            p->alt = old.remote;
            p->alt_at_us = wrn_paths_us(now);
        } else if (wrn_way_equal(&alt, way)) {
            p->alt = (struct wrn_endpoint){0};
        }
        if (p->search != PATHS_NO_SEARCH &&
            !wrn_way_is_stream(way)) { /* a little longer, for something better yet */
            struct wrn_paths_search *search = &paths->searches[p->search];
            search->ends = wrn_mono_min(search->ends, wrn_mono_add(now, WRN_MS(SETTLE_MS)));
            search->next = wrn_mono_min(search->next, search->ends);
        }
        p->relay = WRN_HANDLE_NONE; /* it is let go by who owns it */
        p->relay_at = WRN_MONO_NEVER;
        p->relay_tries = 0;
        p->flags &= (uint16_t)~PEER_RELAY_PROVEN;
    }
    if (wrn_way_is_stream(way)) {
        wrn_paths_stream_begin(paths, now, p);
    } else {
        wrn_paths_stream_end(p);
    }
    if (old.kind == WRN_WAY_DIRECT) {
        wrn_paths_socket_drop(paths, p, old.socket);
    }
    wrn_paths_keep_alive(paths, now, p);
    if (!wrn_way_equal(&old, way)) {
        paths->port.way(paths->port.ctx, p->handle, &p->way, (enum wrn_reason)p->reason);
    }
}

static void add(struct wrn_paths *paths, wrn_mono now, wrn_handle peer, bool we_asked) {
    struct wrn_paths_peer *p = &paths->peers[peer.index];
    WRN_ASSERT(peer.generation != 0);
    if (p->handle.generation != 0) {
        give_up(paths, p);
    }
    *p = (struct wrn_paths_peer){
        .handle = peer,
        .search = PATHS_NO_SEARCH,
        .next_wait = PATHS_NOBODY,
        .flags = we_asked ? PEER_WE_ASKED : 0,
        .ping_at = WRN_MONO_NEVER,
        .retry_at = WRN_MONO_NEVER,
        .look_at = WRN_MONO_NEVER,
        .relay_at = wrn_mono_add(now, WRN_MS(FIRST_RELAY_MS)),
        .gone_at = wrn_mono_add(now, WRN_S(GONE_S)),
    };
}

/* Somebody wants the peer anew, or more: what an earlier wish waited for in vain is no answer to
 * this one. */
static void renew(struct wrn_paths_peer *p, wrn_mono now) {
    if (p->way.kind != WRN_WAY_NONE) {
        return;
    }
    wrn_mono gone_at = wrn_mono_add(now, WRN_S(GONE_S));
    p->gone_at = wrn_mono_before(p->gone_at, gone_at) ? gone_at : p->gone_at;
    if (p->relay.generation == 0) {
        p->relay_tries = 0;
        p->relay_at = wrn_mono_min(p->relay_at, wrn_mono_add(now, WRN_MS(FIRST_RELAY_MS)));
    }
}

static void on_ping(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                    const struct wrn_way *way, uint64_t incarnation, wrn_span message) {
    struct wrn_paths_ping ping;
    if (!wrn_paths_read_ping(message, &ping)) {
        return;
    }
    bool is_fresh = incarnation == p->incarnation;
    bool is_best = wrn_way_equal(way, &p->way);
    bool is_reflect = (ping.flags & PATHS_FLAG_REFLECT) != 0;
    bool is_known = is_fresh && is_best && (p->flags & PEER_LOST) == 0;
    struct wrn_way relay = wrn_paths_relay_way(p);
    if (is_fresh && (((p->flags & PEER_RELAY_PROVEN) != 0 && wrn_way_equal(way, &relay)) ||
                     (way->kind == WRN_WAY_DIRECT && way->socket == 0 &&
                      wrn_endpoint_equal(&way->remote, &p->alt)))) {
        is_known = true;
    }
    wrn_paths_send_pong(paths, now, p, way, ping.question,
                        is_known || is_reflect ? 0 : PATHS_FLAG_QUESTION, message.size);
    if (is_fresh && is_best) {
        p->their_period = ping.period_s;
        p->flags &= (uint16_t)~PEER_WANTS_ME;
        p->flags |= (ping.flags & PATHS_FLAG_YOU_PING) != 0 ? PEER_WANTS_ME : 0;
        wrn_paths_period_heard(paths, now, p, true);
        if ((p->flags & PEER_LOST) == 0) {
            p->heard_at = now;
            p->tries = 0;
            wrn_paths_keep_alive(paths, now, p);
        }
    } else if (is_fresh && (ping.flags & PATHS_FLAG_MOVED) != 0 && !is_reflect) {
        p->flags |= PEER_HAS_MOVED;
    } else if (is_fresh && (ping.flags & PATHS_FLAG_BEST) != 0) {
        if (is_known) {
            follow(paths, now, p, way);
        }
        if (way->kind == WRN_WAY_RELAY && !wrn_way_equal(way, &p->way) &&
            wrn_mono_since(now, p->heard_at) >= WRN_MS(OTHER_QUIET_MS)) {
            wrn_paths_check(paths, now, p->handle); /* the way that we use may be dead */
        }
    }
}

/* Who asked for the link chooses among equal ways, so that both use the same. */
static void follow(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                   const struct wrn_way *way) {
    if ((p->flags & PEER_WE_ASKED) == 0 && way->kind == WRN_WAY_DIRECT && wrn_paths_is_direct(p) &&
        wrn_paths_rank(way) <= wrn_paths_rank(&p->way)) {
        become(paths, now, p, way, p->rtt_us);
    }
}

static void on_pong(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                    const struct wrn_way *way, uint64_t incarnation, wrn_span message) {
    struct wrn_paths_ping pong;
    bool is_timed = false;
    uint32_t rtt_us = 0;
    if (!wrn_paths_read_pong(message, &pong)) {
        return;
    }
    bool is_ours = wrn_paths_is_ours(paths, now, p, way, pong.answer, &is_timed, &rtt_us);
    if (is_ours) {
        wrn_paths_stream_answered(paths, now, way);
        if (incarnation != p->incarnation) {
            p->incarnation = incarnation;
            paths->port.proven(paths->port.ctx, p->handle, incarnation);
        }
        if (wrn_paths_measure_on_pong(paths, now, p, way, &pong)) {
            return; /* from a socket that no peer shall use */
        }
        wrn_paths_on_answer(paths, now, p, way, is_timed, rtt_us, &pong);
        if (way->kind == WRN_WAY_DIRECT && way->socket == 0) {
            wrn_paths_see(paths, now, p, way, &pong.observed);
        }
    }
    if ((pong.flags & PATHS_FLAG_QUESTION) != 0) {
        /* Behind some NATs each answer comes from another port: that must end. */
        bool may_ask = !is_ours && (pong.flags & PATHS_FLAG_LAST) == 0;
        wrn_paths_send_pong(paths, now, p, way, pong.question,
                            may_ask ? PATHS_FLAG_QUESTION | PATHS_FLAG_LAST : 0, message.size);
    }
}

/* A fresh frame came by another way than the best one: perhaps the peer moved. */
static void note_way(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                     const struct wrn_way *way) {
    if (way->kind != WRN_WAY_DIRECT || !is_quiet(p, now) || p->search != PATHS_NO_SEARCH ||
        !wrn_paths_may_probe(paths, &way->remote)) {
        return;
    }
    wrn_paths_new_round(p, now);
    wrn_paths_send_ping(paths, now, p, way, 0, true);
    if (wrn_paths_is_direct(p)) { /* and is it still where it was? */
        wrn_paths_send_ping(paths, now, p, &p->way, 0, true);
        p->tries = p->tries == 0 ? 1 : p->tries;
        p->ping_at = wrn_mono_min(p->ping_at, wrn_mono_add(now, WRN_S(1)));
    }
}

/* Tells whether the peer left the best way for this one: it says so, or its NAT gave it another
 * port. */
static bool has_moved(const struct wrn_paths_peer *p, const struct wrn_way *way,
                      const struct wrn_paths_ping *pong) {
    if ((pong->flags & PATHS_FLAG_MOVED) != 0 || (p->flags & PEER_HAS_MOVED) != 0) {
        return true;
    }
    return (pong->flags & PATHS_FLAG_BEST) != 0 &&
           ((p->flags & PEER_WE_ASKED) == 0 || wrn_ip_equal(&way->remote.ip, &p->way.remote.ip)) &&
           wrn_paths_rank(way) <= wrn_paths_rank(&p->way);
}

/* What was proven before the best way died has to be proven again. */
static bool has_working_relay(const struct wrn_paths_peer *p) {
    return p->relay.generation != 0 && (p->flags & PEER_RELAY_PROVEN) != 0 &&
           (p->flags & PEER_LOST) == 0;
}

/* Nothing was asked of the peer lately. */
static bool is_quiet(const struct wrn_paths_peer *p, wrn_mono now) {
    enum { QUIET_MS = 500 };
    return wrn_paths_us(now) - p->round_us[p->serial % PATHS_TIMED] >= QUIET_MS * 1000;
}

/* Of several relays that are tried the first that answers is taken. */
static void confirm_relay(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                          const struct wrn_way *way, bool has_rtt, uint32_t rtt_us) {
    struct wrn_way mine = wrn_paths_relay_way(p);
    bool is_mine = p->relay.generation != 0 && wrn_way_equal(&mine, way);
    bool was_proven = is_mine && (p->flags & PEER_RELAY_PROVEN) != 0;
    if (!is_mine && (has_working_relay(p) || wrn_paths_is_direct(p))) {
        return;
    }
    p->relay = way->relay;
    p->slot = way->slot;
    if (has_rtt) {
        p->relay_rtt_us = smoothed(was_proven ? p->relay_rtt_us : 0, rtt_us);
    }
    p->flags |= PEER_RELAY_PROVEN;
    p->relay_at = WRN_MONO_NEVER;
    p->relay_tries = 0;
    if (wrn_paths_is_direct(p) || wrn_way_equal(&p->way, way)) {
        return;
    }
    if (p->reason == WRN_REASON_NONE) {
        p->reason = (uint8_t)wrn_paths_why(paths, p, false);
    }
    become(paths, now, p, way, 0);
    if (p->search == PATHS_NO_SEARCH && (p->flags & PEER_WAITS) == 0) {
        p->retry_at = wrn_mono_min(p->retry_at, now);
    }
}

/* Better by kind, or clearly faster, which is for who asked for the link to judge. */
static bool is_better(const struct wrn_paths_peer *p, const struct wrn_way *way, bool has_rtt,
                      uint32_t rtt_us) {
    if (!wrn_paths_is_direct(p)) {
        return true;
    }
    uint32_t mine = wrn_paths_rank(way), best = wrn_paths_rank(&p->way);
    if (mine != best) {
        return mine < best;
    }
    return (p->flags & PEER_WE_ASKED) != 0 && has_rtt && p->rtt_us > 0 &&
           rtt_us + SWITCH_US <= p->rtt_us &&
           (uint64_t)rtt_us * 100 <= (uint64_t)p->rtt_us * (100 - SWITCH_PERCENT);
}

/* Goes on by a way that something else than a ping has proven. */
static void begin_at(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                     const struct wrn_way *way) {
    become(paths, now, p, way, 0);
    wrn_paths_new_round(p, now);
    wrn_paths_send_ping(paths, now, p, way, 0, true);
    p->ping_at = wrn_mono_add(now, WRN_S(1));
    p->tries = 1;
}

/* Another proven way: it takes over when the best one dies. */
static void keep_alt(struct wrn_paths_peer *p, wrn_mono now, const struct wrn_way *way) {
    if (way->socket == 0) { /* others are closed soon */
        p->alt = way->remote;
        p->alt_at_us = wrn_paths_us(now);
    }
}

static uint32_t smoothed(uint32_t old_us, uint32_t new_us) {
    return old_us == 0 ? new_us : old_us - old_us / 8 + new_us / 8;
}

/* Does what is due with a peer. */
static void step(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p) {
    if (wrn_mono_reached(now, p->gone_at)) {
        struct wrn_way none = {.kind = WRN_WAY_NONE};
        bool was_up = (p->flags & PEER_WAS_UP) != 0;
        enum wrn_reason reason = was_up ? WRN_REASON_TIMEOUT : wrn_paths_why(paths, p, false);
        wrn_handle handle = p->handle;
        give_up(paths, p);
        paths->port.way(paths->port.ctx, handle, &none, reason);
        return;
    }
    if (p->search != PATHS_NO_SEARCH && wrn_mono_reached(now, paths->searches[p->search].next)) {
        wrn_paths_search_step(paths, now, p);
    }
    if (wrn_mono_reached(now, p->ping_at)) {
        wrn_paths_ping_best(paths, now, p);
    }
    if (wrn_mono_reached(now, p->look_at)) {
        wrn_paths_stream_look(paths, now, p);
    }
    if (wrn_mono_reached(now, p->relay_at)) {
        wrn_paths_relay_step(paths, now, p);
    }
    if (wrn_mono_reached(now, p->retry_at)) {
        wrn_paths_retry(paths, now, p);
    }
    wrn_paths_arm(paths, p);
}

/* Forgets the peer, with all that it holds. */
static void give_up(struct wrn_paths *paths, struct wrn_paths_peer *p) {
    uint16_t socket = p->way.kind == WRN_WAY_DIRECT ? p->way.socket : 0;
    wrn_mono now = p->searched_at; /* nothing that follows looks at the clock */
    if (paths->guess.phase != PHASE_NONE && paths->guess.peer == p->handle.index) {
        wrn_paths_guess_end(paths, now);
    }
    if (paths->period.peer == p->handle.index) {
        paths->period.peer = PATHS_NOBODY;
        paths->period.due = WRN_MONO_NEVER;
    }
    wrn_paths_leave_line(paths, p);
    if (p->search != PATHS_NO_SEARCH) {
        paths->searches[p->search].is_used = false;
    }
    wrn_paths_forget_sight(paths, p->handle.index);
    p->way = (struct wrn_way){0};
    wrn_paths_socket_drop(paths, p, socket);
    wrn_dues_set(&paths->dues, p->handle.index, WRN_MONO_NEVER);
    *p = (struct wrn_paths_peer){.search = PATHS_NO_SEARCH, .next_wait = PATHS_NOBODY};
}
