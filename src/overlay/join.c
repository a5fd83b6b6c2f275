/* SPDX-License-Identifier: Apache-2.0 */
/* When and whom a node asks to let it in, and the frames that it exchanges with strangers before
 * they are peers. Layouts: docs/ring/linking.md. */
#include "overlay/join.h"

#include "overlay/join_internal.h"
#include "overlay/overlay_internal.h"

enum {
    FIRST_WAIT_S = 1, /* between rounds while we have no link; doubled up to the longest */
    LONGEST_WAIT_S = 60,
    JOINING_WAIT_S = 20, /* ... while we have one, and no place yet */
    HEAL_S = 300,        /* between looks for other parts of the ring, in a small ring */
    HEAL_MANY = 64,      /* ... where so many look, each need not look as often ... */
    HEAL_TIMES = 8,      /* ... but at most so many times less often */
    HEAL_SOON_S = 10,    /* ... at first, and after many links were lost; doubled up to HEAL_S */
    HEAL_FEW = 16,       /* ... where so few look, once all sources were looked at */
    REDIRECT_WAIT_MS = 200,
    REDIRECTS_MAX = 6, /* between two rounds */
    PROBE_S = 8,
    AT_ONCE_MAX = 2, /* strangers that are tried in one round */
    /* Replies, two hashes and a datagram each, no larger than the question: as many as the shares
     * of the addresses that ask let through together (decision 0026): no flood takes them. */
    WHO_PER_S = 2400,
    WHO_BURST = 400,
    ANNOUNCE_ALONE_S = 40,
    ANNOUNCE_S = 300,
    LAN_PER_MINUTE = 10, /* announcements that are looked into */
};

static void next_round(struct wrn_overlay *overlay);
static bool try_next(struct wrn_overlay *overlay);
static void heal(struct wrn_overlay *overlay);
static void heal_soon(struct wrn_overlay *overlay, uint64_t wait_ns);
static bool are_few(const struct wrn_overlay *overlay);
static uint64_t heal_times(const struct wrn_overlay *overlay);
static void probe_failed(struct wrn_overlay *overlay);
static bool source_at(const struct wrn_overlay *overlay, uint32_t turn, struct wrn_source *ret);
static void announce(struct wrn_overlay *overlay);
static void on_announce(struct wrn_overlay *overlay, const struct wrn_endpoint *from,
                        wrn_span frame);
static void ask_found(struct wrn_overlay *overlay, uint32_t index);
static void forget_bootstrap(struct wrn_join *join, uint32_t index);
static void set_due(struct wrn_overlay *overlay);

void wrn_join_init(struct wrn_join *join, struct wrn_arena *arena,
                   const struct wrn_overlay_options *options) {
    join->bootstraps =
        wrn_arena_take(arena, WRN_BOOTSTRAPS_MAX + options->found_max, sizeof(*join->bootstraps));
    join->found_max = (uint8_t)options->found_max;
    join->whos = wrn_arena_take(arena, WRN_WHO_MAX, sizeof(*join->whos));
    join->strangers = wrn_arena_take(arena, WRN_STRANGERS_MAX, sizeof(*join->strangers));
    join->cached = wrn_arena_take(arena, options->cached_max, sizeof(*join->cached));
    uint32_t all = options->cached_max * WRN_LOCATOR_MAX;
    wrn_room_init(&join->room, arena, options->cached_bytes != 0 ? options->cached_bytes : all);
    join->cached_max = options->cached_max;
    join->announces = options->announces;
    join->port = options->port;
    join->try_due = join->heal_due = join->announce_due = join->probe_due = WRN_MONO_NEVER;
    join->redirect_due = join->due = WRN_MONO_NEVER;
}

void wrn_join_start(struct wrn_overlay *overlay) {
    struct wrn_join *join = &overlay->join;
    join->delay_ns = WRN_S(FIRST_WAIT_S);
    join->heal_ns = WRN_S(HEAL_SOON_S);
    if (join->announces && join->port != 0) {
        announce(overlay);
    }
    next_round(overlay);
    set_due(overlay);
}

void wrn_join_finish(struct wrn_overlay *overlay) {
    wrn_cookies_finish(&overlay->join.cookies);
}

void wrn_join_stop(struct wrn_overlay *overlay) {
    struct wrn_join *join = &overlay->join;
    memset(join->whos, 0, WRN_WHO_MAX * sizeof(*join->whos));
    join->probe = 0;
    join->try_due = join->heal_due = join->announce_due = join->probe_due = WRN_MONO_NEVER;
    join->redirect_due = WRN_MONO_NEVER;
    set_due(overlay);
}

enum wrn_reason wrn_join_add_bootstrap(struct wrn_overlay *overlay,
                                       const struct wrn_endpoint *endpoint) {
    struct wrn_join *join = &overlay->join;
    for (uint32_t i = 0; i < join->bootstrap_count; i++) {
        if (wrn_endpoint_equal(&join->bootstraps[i].endpoint, endpoint)) {
            return WRN_REASON_NONE;
        }
    }
    if (join->given_count == WRN_BOOTSTRAPS_MAX) {
        return WRN_REASON_FULL;
    }
    while (join->bootstrap_count > join->given_count) { /* what was found is found again */
        forget_bootstrap(join, --join->bootstrap_count);
    }
    join->bootstraps[join->bootstrap_count++] = (struct wrn_bootstrap){.endpoint = *endpoint};
    join->given_count = (uint8_t)join->bootstrap_count;
    return WRN_REASON_NONE;
}

enum wrn_reason wrn_join_found(struct wrn_overlay *overlay, wrn_id id,
                               const struct wrn_endpoint *endpoint) {
    struct wrn_join *join = &overlay->join;
    if (wrn_id_equal(id, overlay->id)) {
        return WRN_REASON_SELF;
    }
    uint32_t at = 0;
    while (at < join->bootstrap_count &&
           !wrn_endpoint_equal(&join->bootstraps[at].endpoint, endpoint)) {
        at++;
    }
    if (at == join->bootstrap_count && join->found_max == 0) {
        return WRN_REASON_FULL;
    }
    if (at == join->bootstrap_count && at == join->given_count + join->found_max) {
        at = join->given_count + join->found_next++ % join->found_max;
        forget_bootstrap(join, at);
    } else if (at == join->bootstrap_count) {
        join->bootstrap_count++;
    }
    struct wrn_bootstrap *found = &join->bootstraps[at];
    if (found->endpoint.port == 0 || !found->is_known) {
        *found = (struct wrn_bootstrap){.endpoint = *endpoint, .id = id, .is_known = true};
    }
    ask_found(overlay, at);
    set_due(overlay);
    return WRN_REASON_NONE;
}

/* Alone, the rounds begin anew behind it, so that its other addresses come next. */
static void ask_found(struct wrn_overlay *overlay, uint32_t index) {
    struct wrn_join *join = &overlay->join;
    struct wrn_source source;
    if (!overlay->is_started || !source_at(overlay, index, &source)) {
        return;
    }
    if (overlay->links.count > 0) {
        if (join->probe == 0) {
            wrn_join_look_at(overlay, &source);
        }
        return;
    }
    if (wrn_join_ask_who(overlay, &source, false)) {
        join->turn = index + 1;
    }
    wrn_mono soon =
        wrn_mono_add(overlay->now.mono, wrn_overlay_jitter(overlay, WRN_S(FIRST_WAIT_S)));
    join->delay_ns = WRN_S(FIRST_WAIT_S);
    join->try_due = wrn_mono_min(join->try_due, soon);
}

/* What is under way about it is nobody's any more. */
static void forget_bootstrap(struct wrn_join *join, uint32_t index) {
    for (size_t i = 0; i < WRN_WHO_MAX; i++) {
        if (join->whos[i].bootstrap == (int8_t)index) {
            join->whos[i].bootstrap = -1;
        }
    }
    join->bootstraps[index] = (struct wrn_bootstrap){.is_known = false};
}

void wrn_join_on_up(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer) {
    struct wrn_join *join = &overlay->join;
    wrn_cache_on_up(overlay, peer->id);
    if (overlay->links.count > join->links) {
        join->links = overlay->links.count;
    }
    join->delay_ns = WRN_S(FIRST_WAIT_S);
    if (peer->look_through) {
        peer->look_through = false;
        wrn_ring_look_through(overlay->ring, overlay->now.mono, peer->handle);
    }
}

/* A great loss may be a partition: then others are looked for sooner. Among few nodes each one that
 * goes counts, whatever it says: when it comes back it may find none of us who can be reached
 * unasked, so we look for it. */
void wrn_join_on_down(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                      enum wrn_reason reason) {
    struct wrn_join *join = &overlay->join;
    bool was_up = peer->state == WRN_PEER_STATE_UP;
    wrn_cache_on_down(overlay, peer->id, was_up);
    if (!overlay->is_started || reason == WRN_REASON_NOT_NEEDED) {
        return;
    }
    if (reason != WRN_REASON_LEAVING && join->links >= 2 &&
        overlay->links.count < (join->links + 1) / 2) {
        join->links = overlay->links.count;
        heal_soon(overlay, WRN_S(FIRST_WAIT_S));
    } else if (was_up && overlay->links.count > 0 && are_few(overlay)) {
        heal_soon(overlay, WRN_S(HEAL_SOON_S));
    }
}

/* Bounded, since whoever refuses us may name whom it likes. */
void wrn_join_on_redirect(struct wrn_overlay *overlay, const struct wrn_endpoint *at) {
    struct wrn_join *join = &overlay->join;
    if (!overlay->is_started || overlay->links.count > 0 || join->redirects >= REDIRECTS_MAX) {
        return;
    }
    join->redirects++;
    join->redirect = *at;
    join->redirect_due =
        wrn_mono_add(overlay->now.mono, wrn_overlay_jitter(overlay, WRN_MS(REDIRECT_WAIT_MS)));
    set_due(overlay);
}

void wrn_join_on_state(struct wrn_overlay *overlay, enum wrn_ring_state state) {
    struct wrn_join *join = &overlay->join;
    wrn_mono now = overlay->now.mono;
    if (!overlay->is_started) {
        return;
    }
    switch (state) {
    case WRN_RING_STATE_ALONE:
        join->delay_ns = WRN_S(FIRST_WAIT_S);
        join->try_due = wrn_mono_add(now, wrn_overlay_jitter(overlay, join->delay_ns));
        join->heal_due = WRN_MONO_NEVER;
        join->heal_ns = WRN_S(HEAL_SOON_S);
        join->healed = 0;
        if (join->announces && join->port != 0) {
            wrn_mono soon = wrn_mono_add(now, wrn_overlay_jitter(overlay, WRN_S(2)));
            join->announce_due = wrn_mono_min(join->announce_due, soon);
        }
        break;
    case WRN_RING_STATE_JOINING:
        join->try_due = wrn_mono_add(now, wrn_overlay_jitter(overlay, WRN_S(JOINING_WAIT_S)));
        break;
    default:
        join->try_due = WRN_MONO_NEVER;
        break;
    }
    if (state != WRN_RING_STATE_ALONE && join->heal_due.ns == UINT64_MAX) {
        join->heal_due = wrn_mono_add(now, wrn_overlay_jitter(overlay, join->heal_ns));
    }
    set_due(overlay);
}

void wrn_join_on_frame(struct wrn_overlay *overlay, uint16_t socket,
                       const struct wrn_endpoint *from, wrn_span frame) {
    if (frame.data[0] == WRN_FRAME_WHO) {
        wrn_join_answer_who(overlay, socket, from, frame);
    } else if (frame.data[0] == WRN_FRAME_WHO_REPLY) {
        wrn_join_on_who_reply(overlay, socket, from, frame);
    } else {
        on_announce(overlay, from, frame);
    }
    set_due(overlay);
}

/* Whoever asks is sent no more than it sent, and gets no more of our time than one hash. */
void wrn_join_answer_who(struct wrn_overlay *overlay, uint16_t socket,
                         const struct wrn_endpoint *from, wrn_span frame) {
    uint8_t reply[WRN_WHO_REPLY_OVERHEAD + WRN_LOCATOR_MAX];
    uint8_t cookie[WRN_COOKIE_SIZE];
    uint64_t nonce = 0;
    wrn_mono now = overlay->now.mono;
    enum wrn_reason reason = wrn_who_read(frame, overlay->primitives, overlay->ring_hash, &nonce);
    if (reason == WRN_REASON_NONE &&
        !wrn_overlay_bucket_take(&overlay->who_bucket, now, WHO_PER_S, WHO_BURST)) {
        reason = WRN_REASON_RATE;
    }
    if (reason != WRN_REASON_NONE) {
        wrn_overlay_refuse(overlay, reason);
        return;
    }
    wrn_cookie_make(&overlay->join.cookies, overlay->primitives, now, overlay->rand, from, cookie);
    size_t size = wrn_who_reply_write(nonce, cookie, wrn_overlay_own_locator(overlay), reply);
    wrn_overlay_send_datagram(overlay, socket, from, (wrn_span){reply, size});
}

void wrn_join_on_probe(struct wrn_overlay *overlay, uint64_t number, bool is_there) {
    struct wrn_join *join = &overlay->join;
    if (number == 0 || number != join->probe) {
        return;
    }
    join->probe = 0;
    join->probe_due = WRN_MONO_NEVER;
    if (!is_there) {
        probe_failed(overlay);
    }
    set_due(overlay);
}

void wrn_join_on_time(struct wrn_overlay *overlay) {
    struct wrn_join *join = &overlay->join;
    wrn_mono now = overlay->now.mono;
    if (!overlay->is_started || !wrn_mono_reached(now, join->due)) {
        return;
    }
    wrn_join_strangers_on_time(overlay);
    if (wrn_mono_reached(now, join->probe_due)) {
        wrn_join_on_probe(overlay, join->probe, false);
    }
    if (wrn_mono_reached(now, join->try_due)) {
        next_round(overlay);
    }
    if (wrn_mono_reached(now, join->redirect_due)) {
        struct wrn_source source = {.to = join->redirect, .bootstrap = -1, .cached = -1};
        join->redirect_due = WRN_MONO_NEVER;
        if (overlay->links.count == 0) {
            wrn_join_ask_who(overlay, &source, false);
        }
    }
    if (wrn_mono_reached(now, join->heal_due)) {
        heal(overlay);
    }
    if (wrn_mono_reached(now, join->announce_due)) {
        announce(overlay);
    }
    set_due(overlay);
}

/* ---- whom to ask ---- */

/* One round of tries while we have no place on the ring. */
static void next_round(struct wrn_overlay *overlay) {
    struct wrn_join *join = &overlay->join;
    bool is_alone = overlay->links.count == 0;
    int tried = 0;
    uint32_t sources = join->bootstrap_count + join->cached_max;
    for (uint32_t i = 0; i < sources && tried < (is_alone ? AT_ONCE_MAX : 1); i++) {
        tried += try_next(overlay);
    }
    join->redirects = 0;
    uint64_t wait_ns = is_alone ? join->delay_ns : WRN_S(JOINING_WAIT_S);
    join->try_due = wrn_mono_add(overlay->now.mono, wrn_overlay_jitter(overlay, wait_ns));
    join->delay_ns =
        join->delay_ns * 2 < WRN_S(LONGEST_WAIT_S) ? join->delay_ns * 2 : WRN_S(LONGEST_WAIT_S);
}

/* Asks the source whose turn it is; false if that is not worth it. */
static bool try_next(struct wrn_overlay *overlay) {
    struct wrn_source source;
    return source_at(overlay, overlay->join.turn++, &source) &&
           wrn_join_ask_who(overlay, &source, false);
}

/* Finds the source of a turn: endpoints and cached locators, each once a cycle. False if there is
 * none, it was silent lately, or it is a peer already. */
static bool source_at(const struct wrn_overlay *overlay, uint32_t turn, struct wrn_source *ret) {
    const struct wrn_join *join = &overlay->join;
    uint32_t count = join->bootstrap_count + join->cached_max;
    if (count == 0) {
        return false;
    }
    uint32_t index = turn % count;
    *ret = (struct wrn_source){.bootstrap = -1, .cached = -1};
    if (index < join->bootstrap_count) {
        const struct wrn_bootstrap *bootstrap = &join->bootstraps[index];
        ret->bootstrap = (int8_t)index;
        ret->to = bootstrap->endpoint;
        ret->id = bootstrap->id;
        ret->has_id = bootstrap->is_known;
        ret->tcp_port = bootstrap->endpoint.port; /* the same, unless its owner chose another one */
        ret->tls_port = WRN_SOCKET_TLS_PORT;
        if (bootstrap->is_self || !wrn_patience_is_over(&bootstrap->patience, overlay->now.mono)) {
            return false;
        }
    } else if (!wrn_cache_source(overlay, index - join->bootstrap_count, ret)) {
        return false;
    }
    return !ret->has_id || (!wrn_peers_at(overlay, ret->id) &&
                            wrn_peers_shunned(overlay, ret->id) == WRN_REASON_NONE);
}

/* Looks whether one of those that we know of is part of another ring: first by asking our own for
 * it, which costs a few small messages; directly only if it is not there. */
static void heal(struct wrn_overlay *overlay) {
    struct wrn_join *join = &overlay->join;
    wrn_mono now = overlay->now.mono;
    struct wrn_source source;
    uint32_t sources = join->bootstrap_count + join->cached_max;
    join->links = overlay->links.count;
    join->heal_due =
        wrn_mono_add(now, wrn_overlay_jitter(overlay, join->heal_ns * heal_times(overlay)));
    bool is_found = false;
    for (uint32_t i = 0; i < sources && !is_found && join->probe == 0; i++) {
        is_found = source_at(overlay, join->turn++, &source);
        join->healed++;
    }
    if (join->healed >= sources || !are_few(overlay)) {
        join->heal_ns = join->heal_ns * 2 < WRN_S(HEAL_S) ? join->heal_ns * 2 : WRN_S(HEAL_S);
        join->healed = 0;
    }
    if (is_found) {
        wrn_join_look_at(overlay, &source);
    }
}

/* Begins to look for other parts anew, often. */
static void heal_soon(struct wrn_overlay *overlay, uint64_t wait_ns) {
    struct wrn_join *join = &overlay->join;
    wrn_mono soon = wrn_mono_add(overlay->now.mono, wrn_overlay_jitter(overlay, wait_ns));
    join->heal_ns = WRN_S(HEAL_SOON_S);
    join->healed = 0;
    join->heal_due = wrn_mono_min(join->heal_due, soon);
    set_due(overlay);
}

/* In a small part of a ring nobody else may look, or be reached unasked. */
static bool are_few(const struct wrn_overlay *overlay) {
    return wrn_overlay_size(overlay) <= HEAL_FEW;
}

/* One that finds the other part is enough for all, and the smaller part looks more often. */
static uint64_t heal_times(const struct wrn_overlay *overlay) {
    uint64_t times = wrn_overlay_size(overlay) / HEAL_MANY;
    if (overlay->join.heal_ns < WRN_S(HEAL_S) || times < 1) {
        return 1; /* something happened lately */
    }
    return times < HEAL_TIMES ? times : HEAL_TIMES;
}

void wrn_join_look_at(struct wrn_overlay *overlay, const struct wrn_source *source) {
    struct wrn_join *join = &overlay->join;
    join->probed = *source;
    if (!source->has_id) {
        wrn_join_ask_who(overlay, source, true);
        return;
    }
    join->probe = wrn_overlay_draw(overlay);
    join->probe_due = wrn_mono_add(overlay->now.mono, WRN_S(PROBE_S));
    wrn_linker_probe(overlay, source->id, join->probe);
}

/* Nobody in our ring has that place. */
static void probe_failed(struct wrn_overlay *overlay) {
    const struct wrn_source *source = &overlay->join.probed;
    if (!wrn_peers_at(overlay, source->id)) {
        wrn_join_ask_who(overlay, source, true);
    }
}

/* ---- the LAN ---- */

static void announce(struct wrn_overlay *overlay) {
    struct wrn_join *join = &overlay->join;
    uint8_t frame[WRN_ANNOUNCE_SIZE];
    bool is_alone = wrn_ring_state(overlay->ring) == WRN_RING_STATE_ALONE;
    size_t size = wrn_announce_write(overlay->ring_hash, overlay->id, join->port, frame);
    uint64_t wait_ns = WRN_S(is_alone ? ANNOUNCE_ALONE_S : ANNOUNCE_S);
    wrn_overlay_act_bytes(overlay, WRN_OVERLAY_MULTICAST, (wrn_span){frame, size});
    join->announce_due = wrn_mono_add(overlay->now.mono, wrn_overlay_jitter(overlay, wait_ns));
}

/* A hint that nobody signed: good for a question, no more. */
static void on_announce(struct wrn_overlay *overlay, const struct wrn_endpoint *from,
                        wrn_span frame) {
    struct wrn_join *join = &overlay->join;
    struct wrn_source source = {.bootstrap = -1, .cached = -1, .has_id = true};
    uint8_t ring[8];
    uint16_t port = 0;
    enum wrn_reason reason = wrn_announce_read(frame, ring, &source.id, &port);
    if (reason == WRN_REASON_NONE && memcmp(ring, overlay->ring_hash, sizeof(ring)) != 0) {
        reason = WRN_REASON_OTHER_RING;
    }
    if (reason != WRN_REASON_NONE) {
        wrn_overlay_refuse(overlay, reason);
        return;
    }
    if (wrn_id_equal(source.id, overlay->id) || wrn_peers_at(overlay, source.id) ||
        !join->announces || wrn_peers_shunned(overlay, source.id) != WRN_REASON_NONE) {
        return;
    }
    if (join->lan_left == 0 && wrn_mono_since(overlay->now.mono, join->lan_since) < WRN_S(60)) {
        wrn_overlay_refuse(overlay, WRN_REASON_RATE);
        return;
    }
    if (wrn_mono_since(overlay->now.mono, join->lan_since) >= WRN_S(60) ||
        join->lan_since.ns == 0) {
        join->lan_since = overlay->now.mono;
        join->lan_left = LAN_PER_MINUTE;
    }
    join->lan_left--;
    source.to = *from;
    source.to.port = port;
    if (wrn_ring_state(overlay->ring) != WRN_RING_STATE_CONNECTED) {
        wrn_join_ask_who(overlay, &source, false);
    } else if (join->probe == 0) {
        wrn_join_look_at(overlay, &source);
    }
}

static void set_due(struct wrn_overlay *overlay) {
    struct wrn_join *join = &overlay->join;
    wrn_mono due = wrn_mono_min(wrn_mono_min(join->try_due, join->redirect_due), join->heal_due);
    due = wrn_mono_min(due, wrn_mono_min(join->announce_due, join->probe_due));
    join->due = wrn_mono_min(due, wrn_join_strangers_due(overlay));
}
