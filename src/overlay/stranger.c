/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that do not know us yet: WHO is sent until it is answered, then HELLO with their cookie
 * until they welcome us or say why not. */
#include "overlay/join_internal.h"
#include "overlay/overlay_internal.h"

enum {
    WHO_FIRST_MS = 1000, /* then twice as long each time */
    WHO_TRIES_MAX = 3,
    WHO_ALL_MS = 7000,  /* all tries together */
    SILENT_FIRST_S = 8, /* until one that was silent is asked again, doubled up to ... */
    SILENT_MOST_S = 48,
    HELLO_FIRST_MS = 1500,
    HELLO_TRIES_MAX = 3,
};

static struct wrn_patience *patience_of(struct wrn_overlay *overlay, int8_t bootstrap,
                                        int8_t cached);
static void expect_silence(struct wrn_overlay *overlay, const struct wrn_source *source);
static void send_who(struct wrn_overlay *overlay, struct wrn_who *who);
static void send_hello(struct wrn_overlay *overlay, struct wrn_stranger *stranger);
static enum wrn_reason meet(struct wrn_overlay *overlay, const struct wrn_who *who, uint16_t socket,
                            const uint8_t cookie[WRN_COOKIE_SIZE], wrn_span bytes);
static bool is_asked(const struct wrn_who *who, const struct wrn_endpoint *from);
static bool is_too_many(const struct wrn_overlay *overlay, const struct wrn_who *who);
static struct wrn_stranger *stranger_of(const struct wrn_overlay *overlay, wrn_handle peer);

bool wrn_join_ask_who(struct wrn_overlay *overlay, const struct wrn_source *source,
                      bool look_through) {
    struct wrn_join *join = &overlay->join;
    struct wrn_who *free = NULL;
    for (size_t i = 0; i < WRN_WHO_MAX; i++) {
        struct wrn_who *who = &join->whos[i];
        if (who->nonce == 0) {
            free = who;
        } else if (wrn_endpoint_equal(&who->to, &source->to)) {
            return false;
        }
    }
    if (!free || source->to.port == 0) {
        return false;
    }
    *free = (struct wrn_who){.to = source->to,
                             .nonce = wrn_overlay_draw(overlay),
                             .tcp_port = source->tcp_port,
                             .tls_port = source->tls_port,
                             .bootstrap = source->bootstrap,
                             .cached = source->cached,
                             .look_through = look_through,
                             .was_alone = overlay->links.count == 0};
    expect_silence(overlay, source);
    send_who(overlay, free);
    return true;
}

void wrn_join_on_who_reply(struct wrn_overlay *overlay, uint16_t socket,
                           const struct wrn_endpoint *from, wrn_span frame) {
    struct wrn_join *join = &overlay->join;
    uint8_t cookie[WRN_COOKIE_SIZE];
    wrn_span locator = {0};
    uint64_t nonce = 0;
    enum wrn_reason reason = wrn_who_reply_read(frame, &nonce, cookie, &locator);
    if (reason != WRN_REASON_NONE) {
        wrn_overlay_refuse(overlay, reason);
        return;
    }
    for (size_t i = 0; i < WRN_WHO_MAX; i++) {
        struct wrn_who who = join->whos[i];
        /* From another address than we asked, the cookie would be for that one. */
        if (who.nonce == nonce && nonce != 0 && is_asked(&who, from)) {
            struct wrn_patience *patience = patience_of(overlay, who.bootstrap, who.cached);
            if (patience) {
                *patience = (struct wrn_patience){.silent = 0};
            }
            join->whos[i].nonce = 0;
            who.to = *from; /* by a stream, that is another port */
            reason = meet(overlay, &who, socket, cookie, locator);
            if (reason != WRN_REASON_NONE) {
                wrn_overlay_refuse(overlay, reason);
            }
            return;
        }
    }
    wrn_overlay_refuse(overlay, WRN_REASON_STALE);
}

bool wrn_join_owns_reply(const struct wrn_overlay *overlay, const struct wrn_endpoint *from,
                         wrn_span frame) {
    uint8_t cookie[WRN_COOKIE_SIZE];
    wrn_span locator;
    uint64_t nonce;
    bool is_ours = false;
    if (wrn_who_reply_read(frame, &nonce, cookie, &locator) != WRN_REASON_NONE || nonce == 0) {
        return false;
    }
    for (size_t i = 0; i < WRN_WHO_MAX; i++) {
        const struct wrn_who *who = &overlay->join.whos[i];
        is_ours = is_ours || (who->nonce == nonce && is_asked(who, from));
    }
    return is_ours;
}

void wrn_join_strangers_on_time(struct wrn_overlay *overlay) {
    struct wrn_join *join = &overlay->join;
    wrn_mono now = overlay->now.mono;
    for (size_t i = 0; i < WRN_WHO_MAX; i++) {
        struct wrn_who *who = &join->whos[i];
        if (who->nonce != 0 && wrn_tick_reached(now, who->due)) {
            if (who->tries < WHO_TRIES_MAX) {
                send_who(overlay, who);
            } else {
                who->nonce = 0;
                wrn_overlay_refuse(overlay, WRN_REASON_TIMEOUT);
            }
        }
    }
    for (size_t i = 0; i < WRN_STRANGERS_MAX; i++) {
        struct wrn_stranger *stranger = &join->strangers[i];
        if (stranger->peer.generation != 0 && wrn_tick_reached(now, stranger->due)) {
            if (stranger->tries < HELLO_TRIES_MAX) {
                send_hello(overlay, stranger);
            } else {
                stranger->due = WRN_TICK_NEVER; /* the peer has a deadline */
            }
        }
    }
}

wrn_mono wrn_join_strangers_due(const struct wrn_overlay *overlay) {
    const struct wrn_join *join = &overlay->join;
    wrn_mono due = WRN_MONO_NEVER;
    for (size_t i = 0; i < WRN_WHO_MAX; i++) {
        wrn_mono at = wrn_tick_mono(join->whos[i].due, overlay->now.mono);
        due = join->whos[i].nonce ? wrn_mono_min(due, at) : due;
    }
    for (size_t i = 0; i < WRN_STRANGERS_MAX; i++) {
        const struct wrn_stranger *stranger = &join->strangers[i];
        wrn_mono at = wrn_tick_mono(stranger->due, overlay->now.mono);
        due = stranger->peer.generation ? wrn_mono_min(due, at) : due;
    }
    return due;
}

bool wrn_join_is_stranger_at(const struct wrn_overlay *overlay, const struct wrn_overlay_peer *peer,
                             const struct wrn_way *way) {
    const struct wrn_stranger *stranger = stranger_of(overlay, peer->handle);
    return stranger && way->kind == WRN_WAY_DIRECT &&
           wrn_endpoint_equal(&stranger->at, &way->remote);
}

void wrn_join_forget_stranger(struct wrn_overlay *overlay, wrn_handle peer) {
    struct wrn_stranger *stranger = stranger_of(overlay, peer);
    if (stranger) {
        memset(stranger, 0, sizeof(*stranger));
    }
}

static struct wrn_patience *patience_of(struct wrn_overlay *overlay, int8_t bootstrap,
                                        int8_t cached) {
    struct wrn_join *join = &overlay->join;
    return bootstrap >= 0 ? &join->bootstraps[bootstrap].patience
           : cached >= 0  ? &join->cached[cached].patience
                          : NULL;
}

/* Until it answers. All of its addresses are tried before that counts against it. */
static void expect_silence(struct wrn_overlay *overlay, const struct wrn_source *source) {
    struct wrn_patience *patience = patience_of(overlay, source->bootstrap, source->cached);
    if (patience) {
        uint32_t rounds = patience->silent / (source->choices > 0 ? source->choices : 1u);
        uint64_t wait_ns = WRN_S(SILENT_FIRST_S) << (rounds < 4 ? rounds : 4);
        wait_ns = wait_ns < WRN_S(SILENT_MOST_S) ? wait_ns : WRN_S(SILENT_MOST_S);
        patience->silent = patience->silent < UINT8_MAX ? patience->silent + 1 : UINT8_MAX;
        patience->again = wrn_tick_in(overlay->now.mono, WRN_MS(WHO_ALL_MS) + wait_ns);
    }
}

static void send_who(struct wrn_overlay *overlay, struct wrn_who *who) {
    uint8_t frame[WRN_WHO_SIZE];
    size_t size = wrn_who_write(overlay->primitives, overlay->ring_hash, who->nonce, frame);
    uint64_t wait_ns = WRN_MS(WHO_FIRST_MS) << who->tries;
    wrn_overlay_send_datagram(overlay, 0, &who->to, (wrn_span){frame, size});
    if (overlay->has_streams && who->tries > 0) { /* UDP may be blocked */
        bool is_tls = who->tries > 1 && who->tls_port != 0;
        struct wrn_endpoint to = who->to;
        to.port = is_tls ? who->tls_port : who->tcp_port;
        if (to.port != 0) {
            wrn_overlay_send_datagram(overlay, is_tls ? WRN_SOCKET_TLS : WRN_SOCKET_TCP, &to,
                                      (wrn_span){frame, size});
        }
    }
    who->tries++;
    who->due = wrn_tick_in(overlay->now.mono, wrn_overlay_jitter(overlay, wait_ns));
}

static void send_hello(struct wrn_overlay *overlay, struct wrn_stranger *stranger) {
    struct wrn_overlay_peer *peer = wrn_peers_get(overlay, stranger->peer);
    uint8_t message[WRN_STRANGER_MESSAGE_MAX];
    uint8_t frame[WRN_DATAGRAM_MAX];
    WRN_ASSERT(peer);
    size_t size = wrn_greet_write_stranger(overlay, peer, message, sizeof(message));
    size = wrn_stranger_seal(&peer->pair, overlay->primitives, overlay->tunnel_public,
                             stranger->cookie, (wrn_span){message, size}, frame);
    uint64_t wait_ns = WRN_MS(HELLO_FIRST_MS) << stranger->tries;
    wrn_overlay_send_datagram(overlay, stranger->socket, &stranger->at, (wrn_span){frame, size});
    stranger->tries++;
    stranger->due = wrn_tick_in(overlay->now.mono, wrn_overlay_jitter(overlay, wait_ns));
}

/* Somebody answered: makes the peer and says HELLO, if it is somebody new. */
static enum wrn_reason meet(struct wrn_overlay *overlay, const struct wrn_who *who, uint16_t socket,
                            const uint8_t cookie[WRN_COOKIE_SIZE], wrn_span bytes) {
    struct wrn_join *join = &overlay->join;
    struct wrn_locator locator;
    struct wrn_stranger *stranger = stranger_of(overlay, WRN_HANDLE_NONE);
    enum wrn_reason reason =
        wrn_locator_read(bytes, overlay->primitives, overlay->ring_hash, &locator);
    if (reason != WRN_REASON_NONE) {
        return reason;
    }
    if (who->bootstrap >= 0) {
        struct wrn_bootstrap *bootstrap = &join->bootstraps[who->bootstrap];
        bootstrap->id = locator.id;
        bootstrap->is_known = true;
        bootstrap->is_self = wrn_id_equal(locator.id, overlay->id);
        if (bootstrap->is_self) {
            return WRN_REASON_NONE; /* its endpoint stands in the list of all nodes */
        }
    }
    if (wrn_peers_at(overlay, locator.id)) {
        return WRN_REASON_NONE;
    }
    reason = wrn_peers_shunned(overlay, locator.id);
    if (reason == WRN_REASON_NONE && !stranger) {
        reason = WRN_REASON_FULL;
    }
    if (reason == WRN_REASON_NONE && is_too_many(overlay, who)) {
        return WRN_REASON_NONE;
    }
    struct wrn_overlay_peer *peer = NULL;
    if (reason == WRN_REASON_NONE) {
        peer = wrn_peers_add(overlay, &locator, NULL, 0, WRN_LINK_LEAF, &reason);
    }
    if (!peer) {
        return reason;
    }
    peer->held = WRN_LINK_LEAF;
    peer->look_through = who->look_through;
    wrn_join_on_locator(overlay, &locator, bytes);
    wrn_peers_set_state(overlay, peer, WRN_PEER_STATE_STRANGER);
    *stranger = (struct wrn_stranger){.peer = peer->handle, .at = who->to, .socket = socket};
    memcpy(stranger->cookie, cookie, WRN_COOKIE_SIZE);
    send_hello(overlay, stranger);
    return WRN_REASON_NONE;
}

/* Does an answer come from where we asked, by UDP or by a stream? */
static bool is_asked(const struct wrn_who *who, const struct wrn_endpoint *from) {
    bool is_port = from->port == who->to.port ||
                   (who->tcp_port != 0 && from->port == who->tcp_port) ||
                   (who->tls_port != 0 && from->port == who->tls_port);
    return is_port && wrn_ip_equal(&who->to.ip, &from->ip) && who->to.scope_id == from->scope_id;
}

/* One of those that were asked at once is enough to be let in: each takes a place at another node,
 * which others need, too. A second one is greeted when the first does not answer soon. */
static bool is_too_many(const struct wrn_overlay *overlay, const struct wrn_who *who) {
    bool is_greeting = false;
    for (size_t i = 0; i < WRN_STRANGERS_MAX; i++) {
        const struct wrn_stranger *stranger = &overlay->join.strangers[i];
        is_greeting = is_greeting || (stranger->peer.generation != 0 && stranger->tries == 1);
    }
    return !who->look_through && who->was_alone && (overlay->links.count > 0 || is_greeting);
}

static struct wrn_stranger *stranger_of(const struct wrn_overlay *overlay, wrn_handle peer) {
    for (size_t i = 0; i < WRN_STRANGERS_MAX; i++) {
        if (wrn_handle_equal(overlay->join.strangers[i].peer, peer)) {
            return &overlay->join.strangers[i];
        }
    }
    return NULL;
}
