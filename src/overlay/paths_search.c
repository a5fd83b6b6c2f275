/* SPDX-License-Identifier: Apache-2.0 */
/* The ladder: which endpoints of a peer are probed when, when it is called, when a relay is asked
 * for, when all is tried again. docs/ring/paths.md has it as a table. */
#include "overlay/paths_internal.h"

enum {
    ROUNDS = 8,             /* probes to one endpoint in a search, at most */
    ROUNDS_FAR_PRIVATE = 3, /* ... to a private address that hardly is one of our own LAN */
    PLAIN_MS = 11000,       /* probing of endpoints alone is over */
    MODEST_MS = 6000,       /* ... of those of links of the ring */
    MODEST_HOPELESS_MS = 2000,
    ROUNDS_MODEST = 4,    /* so many they have before they may be broken off */
    GUESS_MS = 1800,      /* what is not direct by now takes guessing */
    GUESS_AGAIN_MS = 500, /* somebody else is being guessed at */
    GUESS_RUNS = 2,
    QUIET_MS = 100,     /* while somebody's ports are predicted from the last one */
    GONE_S = 20,        /* who was in the line gets the whole time */
    RETRY_FIRST_S = 35, /* after the 30 s of a Linux router that holds strays */
    RETRY_MAX_S = 600,
    RETRY_LATER_S = 15, /* who did not ask for the link */
    RETRY_HOPELESS_S = 300,
    ORDER_GAP_MS = 300,
    CALL_GAP_MS = 1000,   /* a call begins a new search not oftener */
    CALL_GAP_VAIN_S = 20, /* ... after one that found nothing */
    RELAY_TRIES = 3,
    RELAY_TRY_MS = 250, /* doubled each time, before the next ping */
    WANT_RELAY_MS = 2000,
    WANT_RELAY_MAX_S = 60,
};

static const uint16_t round_ms[ROUNDS] = {0, 100, 300, 700, 1500, 3000, 5500, 9000};

static void renew(struct wrn_paths *paths, struct wrn_paths_search *search,
                  const struct wrn_locator_endpoint *endpoints, size_t count);
static void start(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p, uint32_t index,
                  uint64_t delay_ns);
static uint32_t free_search(const struct wrn_paths *paths);
static uint32_t take_from_modest(struct wrn_paths *paths, wrn_mono now);
static uint64_t length_of(const struct wrn_paths *paths, const struct wrn_paths_peer *p);
static void join_line(struct wrn_paths *paths, struct wrn_paths_peer *p);
static void serve_line(struct wrn_paths *paths, wrn_mono now);
static bool probe_round(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                        struct wrn_paths_search *search);
static void consider_guess(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                           struct wrn_paths_search *search);
static uint64_t retry_ns(const struct wrn_paths *paths, const struct wrn_paths_peer *p);
static uint64_t wait_of_order(const struct wrn_paths_peer *p, uint8_t order, bool is_called);
static bool same_network(const struct wrn_ip *a, const struct wrn_ip *b);

void wrn_paths_search_begin(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                            const struct wrn_locator_endpoint *endpoints, size_t count,
                            uint64_t delay_ns) {
    if (p->search == PATHS_NO_SEARCH) {
        uint32_t index = free_search(paths);
        if (index == PATHS_NO_SEARCH && (p->flags & PEER_IS_MODEST) == 0) {
            index = take_from_modest(paths, now);
        }
        if (index == PATHS_NO_SEARCH) {
            join_line(paths, p);
            return;
        }
        start(paths, now, p, index, delay_ns);
    } else if (paths->searches[p->search].round > 2 &&
               wrn_mono_since(now, p->searched_at) > WRN_MS(CALL_GAP_MS)) {
        struct wrn_paths_search *search = &paths->searches[p->search];
        uint8_t guess = search->guess;
        uint8_t runs = search->guess_runs;
        start(paths, now, p, p->search, delay_ns); /* from the first round on */
        search->guess = guess;
        search->guess_runs = runs;
    }
    renew(paths, &paths->searches[p->search], endpoints, count);
    wrn_paths_stream_note(paths, p);
}

void wrn_paths_search_step(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p) {
    struct wrn_paths_search *search = &paths->searches[p->search];
    if (wrn_mono_reached(now, search->ends)) {
        wrn_paths_search_end(paths, now, p);
        return;
    }
    if (wrn_paths_guess_needs_quiet(paths)) {
        search->next = wrn_mono_add(now, WRN_MS(QUIET_MS));
        return;
    }
    if (!wrn_paths_is_udp(p)) {
        consider_guess(paths, now, p, search);
    }
    if (search->round < ROUNDS &&
        wrn_mono_reached(now, wrn_mono_add(search->started, WRN_MS(round_ms[search->round])))) {
        if (!probe_round(paths, now, p, search)) {
            return;
        }
        search->round++;
    }
    search->next = search->ends;
    if (search->round < ROUNDS) {
        search->next = wrn_mono_min(search->next,
                                    wrn_mono_add(search->started, WRN_MS(round_ms[search->round])));
    }
    if (search->guess == GUESS_NOT_YET && wrn_paths_guess_fits(paths, p)) {
        wrn_mono at = wrn_mono_add(search->started, WRN_MS(GUESS_MS));
        if (wrn_mono_reached(now, at)) {
            at = wrn_mono_add(now, WRN_MS(GUESS_AGAIN_MS));
        }
        search->next = wrn_mono_min(search->next, at);
    }
    wrn_paths_stream_step(paths, now, p, search);
}

void wrn_paths_search_pace(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p) {
    struct wrn_paths_search *search = &paths->searches[p->search];
    if (search->guess != GUESS_UNDER_WAY && !wrn_paths_is_udp(p)) {
        search->ends = wrn_mono_add(search->started, length_of(paths, p));
        search->ends = wrn_mono_before(search->ends, now) ? now : search->ends;
        search->next = wrn_mono_min(search->next, search->ends);
    }
}

void wrn_paths_search_end(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p) {
    struct wrn_paths_search *search = &paths->searches[p->search];
    bool guessed = search->guess_runs > 0;
    if (paths->guess.phase != PHASE_NONE && paths->guess.peer == p->handle.index) {
        wrn_paths_guess_end(paths, now);
    }
    search->is_used = false;
    p->search = PATHS_NO_SEARCH;
    if (wrn_paths_is_udp(p)) {
        p->retries = 0;
    } else {
        p->reason = (uint8_t)wrn_paths_why(paths, p, guessed);
        p->retries = p->retries < UINT8_MAX ? p->retries + 1 : p->retries;
        p->retry_at = (p->flags & PEER_IS_ANEW) != 0 ? now : wrn_mono_add(now, retry_ns(paths, p));
    }
    wrn_paths_judge(paths, now);
    serve_line(paths, now);
}

void wrn_paths_leave_line(struct wrn_paths *paths, struct wrn_paths_peer *p) {
    if ((p->flags & PEER_WAITS) == 0) {
        return;
    }
    uint32_t *link = &paths->wait_first;
    uint32_t previous = PATHS_NOBODY;
    while (*link != p->handle.index) {
        previous = *link;
        link = &paths->peers[*link].next_wait;
    }
    *link = p->next_wait;
    if (paths->wait_last == p->handle.index) {
        paths->wait_last = previous;
    }
    p->next_wait = PATHS_NOBODY;
    p->flags &= (uint16_t)~PEER_WAITS;
}

void wrn_paths_on_call(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                       const struct wrn_paths_call_body *body) {
    p->nat_class = body->nat_class;
    p->port_step = body->port_step;
    if (body->what != PATHS_CALL_PROBE) {
        if (p->search == PATHS_NO_SEARCH && !wrn_paths_is_udp(p)) {
            wrn_paths_search_begin(paths, now, p, body->endpoints, body->endpoint_count, 0);
        }
        wrn_paths_guess_on_call(paths, now, p, body);
        return;
    }
    p->port_last = body->port_last;
    bool wants_reply = (body->flags & PATHS_CALL_WANTS_REPLY) != 0;
    bool is_anew = (body->flags & PATHS_CALL_ANEW) != 0;
    uint64_t gap_ns = p->retries > 0 && !is_anew ? WRN_S(CALL_GAP_VAIN_S) : WRN_MS(CALL_GAP_MS);
    bool is_soon = p->searched_at.ns != 0 && p->search == PATHS_NO_SEARCH &&
                   wrn_mono_since(now, p->searched_at) < gap_ns;
    if (is_soon) {
        return;
    }
    if (wants_reply) {
        wrn_paths_call_probe(paths, p, false, body->run);
    }
    if (wrn_paths_is_udp(p) && p->tries == 0) { /* the peer seems not to hear us there */
        p->tries = 1;
        p->ping_at = now;
    }
    wrn_paths_search_begin(paths, now, p, body->endpoints, body->endpoint_count,
                           wait_of_order(p, body->run, wants_reply));
}

void wrn_paths_call_probe(struct wrn_paths *paths, struct wrn_paths_peer *p, bool wants_reply,
                          uint8_t order) {
    struct wrn_paths_call_body body = {
        .what = PATHS_CALL_PROBE,
        .flags = (uint8_t)((wants_reply ? PATHS_CALL_WANTS_REPLY : 0) |
                           ((p->flags & PEER_IS_ANEW) != 0 ? PATHS_CALL_ANEW : 0)),
        .run = order,
        .port_step = (int16_t)paths->view.port_step,
        .port_last = paths->view.port_last,
    };
    p->flags &= (uint16_t)~PEER_IS_ANEW;
    wrn_paths_send_call(paths, p, &body);
}

void wrn_paths_relay_step(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p) {
    p->relay_at = WRN_MONO_NEVER;
    if (p->relay.generation != 0) {
        if ((p->flags & PEER_RELAY_PROVEN) != 0 && (p->flags & PEER_LOST) == 0) {
            return;
        }
        if (p->relay_tries < RELAY_TRIES) {
            struct wrn_way way = wrn_paths_relay_way(p);
            p->relay_tries++;
            wrn_paths_new_round(p, now);
            wrn_paths_send_ping(paths, now, p, &way, 0, true);
            p->relay_at = wrn_mono_add(now, WRN_MS(RELAY_TRY_MS) << p->relay_tries);
            return;
        }
        wrn_paths_relay_drop(paths, p);
    }
    if (wrn_paths_is_direct(p)) {
        return;
    }
    uint64_t wait_ns = WRN_MS(WANT_RELAY_MS) << (p->relay_tries < 5 ? p->relay_tries : 5);
    p->relay_tries = p->relay_tries < UINT8_MAX ? p->relay_tries + 1 : p->relay_tries;
    p->relay_at =
        wrn_mono_add(now, wait_ns < WRN_S(WANT_RELAY_MAX_S) ? wait_ns : WRN_S(WANT_RELAY_MAX_S));
    paths->port.want_relay(paths->port.ctx, p->handle);
}

void wrn_paths_relay_drop(struct wrn_paths *paths, struct wrn_paths_peer *p) {
    struct wrn_way way = wrn_paths_relay_way(p);
    p->relay = WRN_HANDLE_NONE;
    p->flags &= (uint16_t)~PEER_RELAY_PROVEN;
    p->relay_tries = 0;
    paths->port.relay_bad(paths->port.ctx, p->handle, &way);
}

/* The peer's answer to the call begins the search, or the line's turn does. */
void wrn_paths_retry(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p) {
    p->retry_at = WRN_MONO_NEVER;
    bool is_udp = p->way.kind == WRN_WAY_DIRECT && !wrn_way_is_stream(&p->way);
    if (is_udp || p->search != PATHS_NO_SEARCH) {
        return;
    }
    p->retries = (p->flags & PEER_IS_ANEW) != 0 ? 0 : p->retries; /* the answer is listened to */
    p->retry_at = wrn_mono_add(now, retry_ns(paths, p));          /* if no answer comes */
    wrn_paths_call_probe(paths, p, true, p->retries % ORDERS);
}

enum wrn_reason wrn_paths_why(const struct wrn_paths *paths, const struct wrn_paths_peer *p,
                              bool guessed) {
    uint8_t ours = (uint8_t)paths->view.nat_class, theirs = p->nat_class;
    if (ours == WRN_NAT_CLASS_BLOCKED) {
        return WRN_REASON_UDP_BLOCKED;
    }
    if (theirs == WRN_NAT_CLASS_BLOCKED) {
        return WRN_REASON_PEER_UDP_BLOCKED;
    }
    enum wrn_reason hopeless = wrn_paths_hopeless(ours, theirs);
    return hopeless != WRN_REASON_NONE ? hopeless
           : guessed                   ? WRN_REASON_GUESSES_MISSED
                                       : WRN_REASON_UNREACHABLE;
}

/* Adds endpoints that may be probed; those that are there already stay as they are. */
static void renew(struct wrn_paths *paths, struct wrn_paths_search *search,
                  const struct wrn_locator_endpoint *endpoints, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bool is_there = !wrn_paths_may_probe(paths, &endpoints[i].at);
        for (size_t j = 0; j < search->count && !is_there; j++) {
            is_there = wrn_endpoint_equal(&search->candidates[j].at, &endpoints[i].at);
        }
        if (is_there || search->count == PATHS_CANDIDATES) {
            continue;
        }
        search->candidates[search->count++] = (struct wrn_paths_candidate){
            .at = endpoints[i].at, .kind = endpoints[i].kind, .limit = ROUNDS};
        paths->flows++;
    }
    for (size_t i = 0; i < search->count; i++) {
        struct wrn_paths_candidate *candidate = &search->candidates[i];
        candidate->limit = wrn_nat_is_private(&candidate->at.ip) &&
                                   !wrn_paths_is_near(paths, search, &candidate->at)
                               ? ROUNDS_FAR_PRIVATE
                               : ROUNDS;
    }
}

static void start(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p, uint32_t index,
                  uint64_t delay_ns) {
    enum { DELAY_MAX_MS = 1000 };
    struct wrn_paths_search *search = &paths->searches[index];
    bool is_new = p->search == PATHS_NO_SEARCH;
    if (delay_ns > WRN_MS(DELAY_MAX_MS)) {
        delay_ns = WRN_MS(DELAY_MAX_MS);
    }
    wrn_mono at = wrn_mono_add(now, delay_ns);
    if (is_new) {
        *search = (struct wrn_paths_search){.is_used = true, .peer = p->handle.index};
        p->probes = 0;
    }
    search->round = 0;
    search->cursor = 0;
    search->started = at;
    search->next = at;
    search->ends = wrn_mono_add(at, length_of(paths, p));
    p->search = (uint16_t)index;
    p->searched_at = now;
    p->retry_at = WRN_MONO_NEVER;
    wrn_paths_leave_line(paths, p);
}

static uint32_t free_search(const struct wrn_paths *paths) {
    for (uint32_t i = 0; i < paths->options.searches_max; i++) {
        if (!paths->searches[i].is_used) {
            return i;
        }
    }
    return PATHS_NO_SEARCH;
}

/* What users wait for comes before links of the ring: the search for one of these that had its
 * first rounds is broken off, and begun again later. */
static uint32_t take_from_modest(struct wrn_paths *paths, wrn_mono now) {
    uint32_t found = PATHS_NO_SEARCH;
    for (uint32_t i = 0; i < paths->options.searches_max; i++) {
        const struct wrn_paths_search *search = &paths->searches[i];
        const struct wrn_paths_peer *p = &paths->peers[search->peer];
        bool is_modest = (p->flags & PEER_IS_MODEST) != 0 && search->guess != GUESS_UNDER_WAY;
        if (is_modest && search->round >= ROUNDS_MODEST &&
            (found == PATHS_NO_SEARCH ||
             wrn_mono_before(search->started, paths->searches[found].started))) {
            found = i;
        }
    }
    if (found != PATHS_NO_SEARCH) {
        struct wrn_paths_peer *p = &paths->peers[paths->searches[found].peer];
        paths->searches[found].is_used = false;
        p->search = PATHS_NO_SEARCH;
        p->retry_at = wrn_mono_add(now, retry_ns(paths, p));
        wrn_paths_arm(paths, p);
    }
    return found;
}

static uint64_t length_of(const struct wrn_paths *paths, const struct wrn_paths_peer *p) {
    if ((p->flags & PEER_IS_MODEST) == 0) {
        return WRN_MS(PLAIN_MS);
    }
    bool is_hopeless =
        wrn_paths_hopeless((uint8_t)paths->view.nat_class, p->nat_class) != WRN_REASON_NONE;
    return is_hopeless ? WRN_MS(MODEST_HOPELESS_MS) : WRN_MS(MODEST_MS);
}

static void join_line(struct wrn_paths *paths, struct wrn_paths_peer *p) {
    if ((p->flags & PEER_WAITS) != 0) {
        return;
    }
    p->flags |= PEER_WAITS;
    p->next_wait = PATHS_NOBODY;
    if (paths->wait_last == PATHS_NOBODY) {
        paths->wait_first = p->handle.index;
    } else {
        paths->peers[paths->wait_last].next_wait = p->handle.index;
    }
    paths->wait_last = p->handle.index;
}

/* Its endpoints were not kept meanwhile: the peer is asked for them. */
static void serve_line(struct wrn_paths *paths, wrn_mono now) {
    while (paths->wait_first != PATHS_NOBODY) {
        struct wrn_paths_peer *p = &paths->peers[paths->wait_first];
        uint32_t index = free_search(paths);
        if (index == PATHS_NO_SEARCH) {
            return;
        }
        if (wrn_paths_is_udp(p)) {
            wrn_paths_leave_line(paths, p);
            continue;
        }
        start(paths, now, p, index, 0);
        if (p->gone_at.ns != WRN_MONO_NEVER.ns) { /* its time begins now */
            p->gone_at = wrn_mono_add(now, WRN_S(GONE_S));
        }
        wrn_paths_call_probe(paths, p, true, ORDER_TOGETHER);
        wrn_paths_arm(paths, p);
    }
}

/* Sends to all endpoints that may have one more; false if the bucket was empty before the end. */
static bool probe_round(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                        struct wrn_paths_search *search) {
    bool is_begun = false;
    for (; search->cursor < search->count; search->cursor++) {
        struct wrn_paths_candidate *candidate = &search->candidates[search->cursor];
        struct wrn_way way = {.kind = WRN_WAY_DIRECT, .remote = candidate->at};
        bool is_best = wrn_paths_is_direct(p) && wrn_way_equal(&way, &p->way);
        if (candidate->sent >= candidate->limit || is_best) {
            continue;
        }
        if (!wrn_paths_may_send(paths, now, &search->next)) {
            return false;
        }
        if (!is_begun) {
            wrn_paths_new_round(p, now);
            is_begun = true;
        }
        candidate->sent++;
        wrn_paths_send_ping(paths, now, p, &way, 0, true);
    }
    search->cursor = 0;
    return true;
}

static void consider_guess(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                           struct wrn_paths_search *search) {
    if (search->guess != GUESS_NOT_YET || search->guess_runs >= GUESS_RUNS ||
        !wrn_mono_reached(now, wrn_mono_add(search->started, WRN_MS(GUESS_MS))) ||
        !wrn_paths_guess_fits(paths, p)) {
        return;
    }
    if (wrn_paths_guess_begin(paths, now, p)) {
        search->guess = GUESS_UNDER_WAY;
        search->guess_runs++;
    }
}

/* Who asked for the link calls; the other one only when that does not come. */
static uint64_t retry_ns(const struct wrn_paths *paths, const struct wrn_paths_peer *p) {
    uint32_t doublings = p->retries > ORDERS ? p->retries - ORDERS : 0;
    uint64_t wait_s = (uint64_t)RETRY_FIRST_S << (doublings < 5 ? doublings : 5);
    if (wrn_paths_hopeless((uint8_t)paths->view.nat_class, p->nat_class) != WRN_REASON_NONE) {
        wait_s = RETRY_HOPELESS_S;
    }
    if ((p->flags & PEER_WE_ASKED) == 0) {
        wait_s += wait_s / 2 + RETRY_LATER_S;
    }
    return WRN_S(wait_s < RETRY_MAX_S ? wait_s : RETRY_MAX_S);
}

/* How long to wait with the first probe after a call, or the answer to one, came. Together means:
 * who called begins when the answer is there, so who was called waits as long as that takes. */
static uint64_t wait_of_order(const struct wrn_paths_peer *p, uint8_t order, bool is_called) {
    uint64_t rtt_ns = (p->flags & PEER_RELAY_PROVEN) != 0 ? (uint64_t)p->relay_rtt_us * 1000 : 0;
    switch (order) {
    case ORDER_CALLED_FIRST:
        return is_called ? 0 : WRN_MS(ORDER_GAP_MS);
    case ORDER_CALLER_FIRST:
        return is_called ? rtt_ns + WRN_MS(ORDER_GAP_MS) : 0;
    default:
        return is_called ? rtt_ns / 2 : 0;
    }
}

/* Do we have an address in the same network, or come from the same outer address? */
bool wrn_paths_is_near(const struct wrn_paths *paths, const struct wrn_paths_search *search,
                       const struct wrn_endpoint *endpoint) {
    for (size_t i = 0; i < paths->local_count; i++) {
        if (same_network(&paths->locals[i].at.ip, &endpoint->ip)) {
            return true;
        }
    }
    for (size_t i = 0; i < search->count; i++) {
        if (search->candidates[i].kind == WRN_ENDPOINT_REFLECTED &&
            wrn_ip_equal(&search->candidates[i].at.ip, &paths->view.outer.ip)) {
            return true;
        }
    }
    return false;
}

static bool same_network(const struct wrn_ip *a, const struct wrn_ip *b) {
    return a->family == b->family &&
           memcmp(a->bytes, b->bytes, a->family == WRN_FAMILY_IPV6 ? 8 : 3) == 0;
}
