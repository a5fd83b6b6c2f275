/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps ways alive with as few pings as the NATs allow, and notices when one is dead. */
#include "overlay/paths_internal.h"

enum {
    TRIES = 4,            /* pings without an answer that make a way dead */
    CALL_AFTER_TRIES = 2, /* ... and that make us call the peer */
    GONE_S = 18,          /* a peer without a way is looked for so long */
    ALT_S = 60,           /* how long another proven way is worth trying */
    PERIOD_FIRST_S = 25,  /* behind a NAT of which nothing is known */
    PERIOD_LEAST_S = 10,
    YOUNG_S = 3,       /* a new direct way is first pinged so soon, then ever later; see wish_for */
    GUARD_S = 3,       /* how much later than asked for a ping may come */
    TOLD_S = 300,      /* after so long all peers know what was learned */
    FAILED_TIMES = 20, /* a time that proved too long is tried again after so many times that */
    TEST_AGE_S = 30,   /* a way that is younger says little of others */
};

static uint32_t wish(const struct wrn_paths *paths);
static uint32_t wish_for(const struct wrn_paths *paths, const struct wrn_paths_peer *p);
static uint32_t age_s(const struct wrn_paths_peer *p, wrn_mono now);
static bool is_short(const struct wrn_paths *paths, wrn_mono now, const struct wrn_paths_peer *p);
static uint32_t step_up(const struct wrn_paths *paths, uint32_t period_s);
static uint32_t step_down(uint32_t period_s);
static bool is_pinger(const struct wrn_paths *paths, const struct wrn_paths_peer *p);
static void begin_test(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p);
static void end_test(struct wrn_paths *paths);

void wrn_paths_keep_alive(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p) {
    uint32_t period_s = wish_for(paths, p);
    bool is_test = paths->period.peer == p->handle.index;
    if (p->their_period != 0 && p->their_period < period_s) {
        period_s = p->their_period < PERIOD_LEAST_S ? PERIOD_LEAST_S : p->their_period;
    }
    if (p->their_period == 0 && period_s > PERIOD_FIRST_S) {
        period_s = PERIOD_FIRST_S;
    }
    uint32_t grown_s = age_s(p, p->heard_at) + YOUNG_S;
    if (p->way.kind == WRN_WAY_DIRECT && period_s > grown_s) {
        period_s = grown_s;
    }
    if (is_test) {
        period_s = paths->period.test_s + GUARD_S;
    }
    uint64_t ns = WRN_S(period_s);
    if (!is_test && !is_pinger(paths, p)) {
        ns += ns / 2;
    }
    p->ping_at = wrn_mono_add(p->heard_at, ns);
    if (wrn_mono_before(p->ping_at, now)) {
        p->ping_at = now;
    }
}

void wrn_paths_ping_best(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p) {
    enum { RETRY_MS = 1000, RETRY_RELAY_MS = 600 };
    if (p->way.kind == WRN_WAY_NONE || (p->flags & PEER_LOST) != 0) {
        p->ping_at = WRN_MONO_NEVER;
        return;
    }
    if (p->tries == 0) { /* was it heard since the deadline was set? */
        wrn_paths_keep_alive(paths, now, p);
        if (!wrn_mono_reached(now, p->ping_at)) {
            return;
        }
        if (!is_pinger(paths, p) && is_short(paths, now, p)) {
            p->flags |= PEER_IS_SHORT;
        }
    }
    if (p->tries >= TRIES) {
        wrn_paths_lose(paths, now, p);
        return;
    }
    uint32_t rtt_us = p->way.kind == WRN_WAY_RELAY ? p->relay_rtt_us : p->rtt_us;
    uint64_t wait_ns = (uint64_t)rtt_us * 3000;
    uint64_t least_ns =
        p->way.kind == WRN_WAY_RELAY && rtt_us != 0 ? WRN_MS(RETRY_RELAY_MS) : WRN_MS(RETRY_MS);
    wrn_paths_new_round(p, now);
    wrn_paths_send_ping(paths, now, p, &p->way, 0, true);
    if (p->tries == CALL_AFTER_TRIES && p->way.kind == WRN_WAY_DIRECT) {
        struct wrn_way alt = {.kind = WRN_WAY_DIRECT, .remote = p->alt};
        if (p->alt.ip.family != WRN_FAMILY_NONE) {
            wrn_paths_send_ping(paths, now, p, &alt, 0, true);
        }
    }
    p->tries++;
    p->ping_at = wrn_mono_add(now, wait_ns > least_ns ? wait_ns : least_ns);
}

void wrn_paths_lose(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p) {
    struct wrn_way relay = wrn_paths_relay_way(p);
    bool was_relay = p->way.kind == WRN_WAY_RELAY;
    bool was_stream = wrn_way_is_stream(&p->way);
    bool has_last = was_stream ? p->udp.ip.family != WRN_FAMILY_NONE : !was_relay;
    if (was_relay && p->relay.generation != 0 && wrn_way_equal(&p->way, &relay)) {
        wrn_paths_relay_drop(paths, p);
    }
    if (paths->period.peer == p->handle.index) {
        end_test(paths);
    }
    p->flags |= PEER_LOST;
    p->ping_at = WRN_MONO_NEVER;
    p->gone_at = wrn_mono_add(now, WRN_S(GONE_S));
    p->relay_at = now; /* a ping by the relay of before, or the wish for one */
    p->relay_tries = 0;
    p->flags &= (uint16_t)~PEER_RELAY_PROVEN;
    if (p->relay.generation != 0) { /* it may be long gone */
        paths->port.want_relay(paths->port.ctx, p->handle);
    }
    struct wrn_locator_endpoint last[2] = {
        {.at = was_stream ? p->udp : p->way.remote, .kind = WRN_ENDPOINT_REFLECTED},
        {.at = p->alt, .kind = WRN_ENDPOINT_REFLECTED},
    };
    bool has_alt =
        p->alt.ip.family != WRN_FAMILY_NONE && wrn_paths_us(now) - p->alt_at_us < ALT_S * 1000000u;
    wrn_paths_call_probe(paths, p, true, ORDER_TOGETHER);
    wrn_paths_stream_end(p);
    wrn_paths_search_begin(paths, now, p, has_last ? last : last + 1,
                           (size_t)has_last + (size_t)has_alt, 0);
}

uint8_t wrn_paths_period_told(const struct wrn_paths *paths, const struct wrn_paths_peer *p,
                              bool *ret_you_ping) {
    bool is_test = paths->period.peer == p->handle.index;
    *ret_you_ping = is_test;
    return (uint8_t)(is_test ? paths->period.test_s : wish_for(paths, p));
}

void wrn_paths_period_heard(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                            bool is_ping) {
    struct wrn_paths_period *period = &paths->period;
    if (period->peer == p->handle.index &&
        ((p->flags & PEER_WANTS_ME) != 0 || p->their_period < period->test_s)) {
        end_test(paths); /* both keep silent, or the peer may not: that would teach nothing */
    }
    if (period->peer == p->handle.index) {
        uint64_t silent_ns = wrn_mono_since(now, period->silent_since);
        if (is_ping && silent_ns + WRN_S(1) >= WRN_S(period->test_s)) {
            period->learned_s = period->test_s; /* it came in though nothing went out */
            period->learned_at = now;
            end_test(paths);
        } else {
            period->silent_since = now;
            period->due = wrn_mono_add(now, WRN_S(period->test_s + GUARD_S));
        }
    } else if (period->peer == PATHS_NOBODY && !is_ping) {
        begin_test(paths, now, p);
    }
    if ((p->flags & PEER_IS_SHORT) != 0) {
        p->flags &= (uint16_t)~PEER_IS_SHORT;
        if (!is_ping && wish(paths) < paths->options.keepalive_max_s) {
            period->learned_s = (uint8_t)step_down(wish(paths));
            period->learned_at = now;
        }
    }
}

void wrn_paths_period_on_time(struct wrn_paths *paths, wrn_mono now) {
    struct wrn_paths_period *period = &paths->period;
    if (!wrn_mono_reached(now, period->due)) {
        return;
    }
    struct wrn_paths_peer *p = &paths->peers[period->peer];
    period->failed_s = period->test_s;
    period->failed_at = now;
    end_test(paths);
    p->tries = 1;
    p->ping_at = now;
    wrn_paths_arm(paths, p);
}

/* How many seconds may pass between pings as far as our own NAT goes. */
static uint32_t wish(const struct wrn_paths *paths) {
    uint32_t max = paths->options.keepalive_max_s;
    if (paths->view.nat_class == WRN_NAT_CLASS_NONE) {
        return max;
    }
    uint32_t learned = paths->period.learned_s == 0 ? PERIOD_FIRST_S : paths->period.learned_s;
    return learned < max ? learned : max;
}

/* The same for one peer. Linux keeps a flow for 30 s only until something passes that is more than
 * 2 s younger than the flow, and 120 s from then on; so what is true of old ways is not of new
 * ones. */
static uint32_t wish_for(const struct wrn_paths *paths, const struct wrn_paths_peer *p) {
    uint32_t period_s = wish(paths);
    return p->most_s != 0 && p->most_s < period_s ? p->most_s : period_s;
}

static uint32_t age_s(const struct wrn_paths_peer *p, wrn_mono now) {
    return (uint32_t)(now.ns / WRN_S(1)) - p->since_s;
}

/* Has the peer, which is to ping, been silent for longer than our NAT allows for? Only when it was
 * told of that, so not soon after the time was changed, else one change would lead to the next. */
static bool is_short(const struct wrn_paths *paths, wrn_mono now, const struct wrn_paths_peer *p) {
    uint64_t patience_ns = WRN_S(wish(paths)) + WRN_S(wish(paths)) / 2;
    return p->way.kind == WRN_WAY_DIRECT && !wrn_way_is_stream(&p->way) &&
           p->their_period >= wish(paths) && wrn_mono_since(now, p->heard_at) >= patience_ns &&
           wrn_mono_since(now, paths->period.learned_at) >= WRN_S(TOLD_S);
}

static uint32_t step_up(const struct wrn_paths *paths, uint32_t period_s) {
    uint32_t next = period_s + period_s / 2 + (period_s < 30 ? 3 : 0); /* 25, 40, 60, 90, ... */
    return next < paths->options.keepalive_max_s ? next : paths->options.keepalive_max_s;
}

static uint32_t step_down(uint32_t period_s) {
    uint32_t next = period_s * 2 / 3;
    return next > PERIOD_LEAST_S ? next : PERIOD_LEAST_S;
}

/* One of the two does the pinging, as the other's pong tells both that the path lives. */
static bool is_pinger(const struct wrn_paths *paths, const struct wrn_paths_peer *p) {
    if (paths->period.peer == p->handle.index) {
        return false;
    }
    return (p->flags & (PEER_WE_ASKED | PEER_WANTS_ME)) != 0;
}

/* The peer is asked to ping us after a longer silence: if that comes in, our mapping lived. Only
 * with peers whose own NAT allows for it. */
static void begin_test(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p) {
    uint32_t now_s = wish(paths), next_s = step_up(paths, now_s);
    struct wrn_paths_period *period = &paths->period;
    bool is_too_long =
        period->failed_s != 0 && next_s >= period->failed_s &&
        wrn_mono_since(now, period->failed_at) < WRN_S((uint64_t)period->failed_s * FAILED_TIMES);
    if (next_s <= now_s || is_too_long || p->their_period < next_s ||
        p->way.kind != WRN_WAY_DIRECT || p->way.socket != 0 || age_s(p, now) < TEST_AGE_S ||
        p->search != PATHS_NO_SEARCH || (p->flags & PEER_WANTS_ME) != 0 ||
        paths->view.nat_class == WRN_NAT_CLASS_UNKNOWN) {
        return;
    }
    period->peer = p->handle.index;
    period->test_s = (uint8_t)next_s;
    period->silent_since = now;
    period->due = wrn_mono_add(now, WRN_S(next_s + GUARD_S));
    wrn_paths_new_round(p, now);
    wrn_paths_send_ping(paths, now, p, &p->way, 0, true); /* it carries the wish */
}

static void end_test(struct wrn_paths *paths) {
    paths->period.peer = PATHS_NOBODY;
    paths->period.due = WRN_MONO_NEVER;
}
