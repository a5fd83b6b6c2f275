/* SPDX-License-Identifier: Apache-2.0 */
/* The last rung of the ladder: streams, where no datagram gets through, and the way back from them
 * when UDP works again. To this machine a stream is one more socket number. */
#include "overlay/paths_internal.h"

enum {
    AFTER_MS = 1500,   /* of probing by UDP in vain, unless it is known to be blocked */
    AGAIN_MS = 2500,   /* between the ways to open one */
    TRIES = 3,         /* in a search */
    ADDRESSES_MAX = 3, /* that are tried at once */
    LOOK_FIRST_S = 3,  /* until UDP is tried again, doubled up to ... */
    LOOK_MAX_S = 48,
    LOOK_TRAFFIC_S = 5, /* ... and while traffic flows */
    ASK_S = 2,          /* a peer whose UDP endpoint is not known is asked for it */
    RETRY_S = 35,
    ANEW_MS = 1500,   /* UDP works again: until peers are called who are reached by relays */
    ALONE_PROBES = 8, /* by UDP without an answer while streams are answered */
};

static bool is_worth_it(const struct wrn_paths *paths, const struct wrn_paths_peer *p);
static void begin_anew(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p);
static uint16_t choose(const struct wrn_paths *paths, const struct wrn_paths_peer *p, uint8_t turn);
static void open_streams(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                         struct wrn_paths_search *search);

void wrn_paths_set_streams(struct wrn_paths *paths, uint16_t tcp_port, uint16_t tls_port) {
    if (paths->tcp_port != tcp_port || paths->tls_port != tls_port) {
        paths->tcp_port = tcp_port;
        paths->tls_port = tls_port;
        paths->port.locator(paths->port.ctx);
    }
}

bool wrn_paths_is_udp(const struct wrn_paths_peer *p) {
    return wrn_paths_is_direct(p) && !wrn_way_is_stream(&p->way);
}

bool wrn_paths_comes_by_udp(const struct wrn_paths *paths, const struct wrn_way *way) {
    if (way->kind == WRN_WAY_RELAY) {
        const struct wrn_paths_peer *relay = wrn_paths_peer_of(paths, way->relay);
        return relay != NULL && wrn_paths_is_udp(relay);
    }
    return !wrn_way_is_stream(way);
}

void wrn_paths_stream_step(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                           struct wrn_paths_search *search) {
    bool is_blocked = paths->view.nat_class == WRN_NAT_CLASS_BLOCKED;
    if (search->streams >= TRIES || wrn_paths_is_direct(p) || !is_worth_it(paths, p)) {
        return;
    }
    uint64_t wait_ns = (is_blocked ? 0 : WRN_MS(AFTER_MS)) + WRN_MS(AGAIN_MS) * search->streams;
    wrn_mono at = wrn_mono_add(search->started, wait_ns);
    if (wrn_mono_reached(now, at)) {
        open_streams(paths, now, p, search);
        search->streams++;
        at = search->streams < TRIES ? wrn_mono_add(now, WRN_MS(AGAIN_MS)) : WRN_MONO_NEVER;
    }
    search->next = wrn_mono_min(search->next, at);
}

void wrn_paths_stream_begin(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p) {
    bool is_known = p->udp.ip.family != WRN_FAMILY_NONE;
    if (p->way.socket == WRN_SOCKET_TCP) {
        p->tcp_port = p->way.remote.port;
    } else if (p->way.socket == WRN_SOCKET_TLS) {
        p->tls_port = p->way.remote.port;
    }
    if (p->way.socket != WRN_SOCKET_TAKEN) {
        paths->stream_socket = p->way.socket; /* what got through once is tried first */
    }
    p->reason = (uint8_t)wrn_paths_why(paths, p, false);
    p->looks = 0;
    p->look_at = wrn_mono_add(now, WRN_S(LOOK_FIRST_S));
    if (p->search == PATHS_NO_SEARCH && (p->flags & PEER_WAITS) == 0) {
        p->retry_at = wrn_mono_add(now, WRN_S(is_known ? RETRY_S : ASK_S));
    }
}

void wrn_paths_stream_end(struct wrn_paths_peer *p) {
    p->look_at = WRN_MONO_NEVER;
    p->looks = 0;
}

void wrn_paths_stream_hurry(struct wrn_paths_peer *p, wrn_mono now) {
    p->look_at = wrn_mono_min(p->look_at, wrn_mono_add(now, WRN_S(LOOK_TRAFFIC_S)));
}

void wrn_paths_stream_look(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p) {
    struct wrn_way way = {.kind = WRN_WAY_DIRECT, .remote = p->udp};
    p->look_at = WRN_MONO_NEVER;
    if (!wrn_way_is_stream(&p->way)) {
        return;
    }
    uint64_t wait_s = (uint64_t)LOOK_FIRST_S << (p->looks < 4 ? p->looks : 4);
    p->looks = p->looks < UINT8_MAX ? p->looks + 1 : p->looks;
    p->look_at = wrn_mono_add(now, WRN_S(wait_s < LOOK_MAX_S ? wait_s : LOOK_MAX_S));
    if (p->udp.ip.family != WRN_FAMILY_NONE && wrn_paths_may_probe(paths, &p->udp)) {
        wrn_paths_send_ping(paths, now, p, &way, 0, false);
    }
}

void wrn_paths_stream_note(const struct wrn_paths *paths, struct wrn_paths_peer *p) {
    const struct wrn_paths_search *search = &paths->searches[p->search];
    for (size_t i = 0; i < search->count; i++) {
        const struct wrn_endpoint *at = &search->candidates[i].at;
        if (!wrn_nat_is_private(&at->ip) || wrn_paths_is_near(paths, search, at)) {
            p->udp = *at; /* the best one stands first */
            return;
        }
    }
}

void wrn_paths_stream_answered(struct wrn_paths *paths, wrn_mono now, const struct wrn_way *way) {
    if (!wrn_paths_comes_by_udp(paths, way)) {
        /* One that the peer opened says more of its UDP than of ours. */
        paths->stream_answers += way->kind == WRN_WAY_DIRECT && way->socket != WRN_SOCKET_TAKEN;
        if (paths->view.nat_class != WRN_NAT_CLASS_BLOCKED && wrn_paths_streams_alone(paths)) {
            wrn_paths_judge(paths, now);
        }
        return;
    }
    bool was_blocked = paths->view.nat_class == WRN_NAT_CLASS_BLOCKED && paths->stream_answers > 0;
    paths->answers++;
    paths->vain = 0;
    paths->stream_answers = 0;
    for (uint32_t i = 0; was_blocked && i < paths->options.peers_max; i++) {
        struct wrn_paths_peer *p = &paths->peers[i];
        if (p->handle.generation != 0 && p->way.kind != WRN_WAY_NONE && !wrn_paths_is_udp(p)) {
            begin_anew(paths, now, p);
        }
    }
}

/* Streams first, whose peers tell how we look from outside; then others are called with that. */
static void begin_anew(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p) {
    wrn_mono soon = wrn_mono_add(now, WRN_MS(ANEW_MS));
    if (wrn_way_is_stream(&p->way)) {
        p->look_at = now;
        p->looks = 0;
    }
    p->flags |= PEER_IS_ANEW;
    p->retries = 0;
    if (p->search != PATHS_NO_SEARCH) { /* its end leads to the call */
        struct wrn_paths_search *search = &paths->searches[p->search];
        search->ends = wrn_mono_min(search->ends, soon);
        search->next = wrn_mono_min(search->next, search->ends);
    } else if ((p->flags & PEER_WAITS) == 0) {
        p->retry_at = soon;
    }
    wrn_paths_arm(paths, p);
}

bool wrn_paths_streams_alone(const struct wrn_paths *paths) {
    if (!paths->options.has_streams || paths->stream_answers == 0 || paths->vain < ALONE_PROBES) {
        return false;
    }
    for (uint32_t i = 0; i < paths->options.peers_max; i++) {
        if (paths->peers[i].handle.generation != 0 && wrn_paths_is_udp(&paths->peers[i])) {
            return false;
        }
    }
    return true;
}

/* Where UDP works on both sides, and a NAT is what is between, streams do not get in either. */
static bool is_worth_it(const struct wrn_paths *paths, const struct wrn_paths_peer *p) {
    bool is_blocked = paths->view.nat_class == WRN_NAT_CLASS_BLOCKED;
    bool has_nat = p->nat_class != WRN_NAT_CLASS_UNKNOWN && p->nat_class != WRN_NAT_CLASS_NONE &&
                   p->nat_class != WRN_NAT_CLASS_BLOCKED;
    return paths->options.has_streams && (p->tcp_port != 0 || p->tls_port != 0) &&
           (is_blocked || !has_nat);
}

/* By turns, beginning with what got through last. */
static uint16_t choose(const struct wrn_paths *paths, const struct wrn_paths_peer *p,
                       uint8_t turn) {
    bool is_tls = (paths->stream_socket == WRN_SOCKET_TLS) != (turn % 2 == 1);
    is_tls = p->tls_port != 0 && (is_tls || p->tcp_port == 0);
    return is_tls ? WRN_SOCKET_TLS : WRN_SOCKET_TCP;
}

/* Whoever has the sockets connects, and sends the ping when it is through. */
static void open_streams(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                         struct wrn_paths_search *search) {
    uint16_t socket = choose(paths, p, search->streams);
    uint32_t opened = 0;
    for (size_t i = 0; i < search->count && opened < ADDRESSES_MAX; i++) {
        const struct wrn_endpoint *at = &search->candidates[i].at;
        struct wrn_way way = {.kind = WRN_WAY_DIRECT, .socket = socket, .remote = *at};
        bool is_usable = !wrn_nat_is_private(&at->ip) || wrn_paths_is_near(paths, search, at);
        for (size_t j = 0; j < i; j++) { /* several ports of one address */
            is_usable = is_usable && !wrn_ip_equal(&search->candidates[j].at.ip, &at->ip);
        }
        way.remote.port = socket == WRN_SOCKET_TLS ? p->tls_port : p->tcp_port;
        if (is_usable && wrn_paths_may_send(paths, now, &search->next)) {
            wrn_paths_send_ping(paths, now, p, &way, 0, false);
            opened++;
        }
    }
}
