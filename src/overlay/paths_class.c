/* SPDX-License-Identifier: Apache-2.0 */
/* What peers say of how we look from outside: kept for a while, judged together, told to others. */
#include "overlay/paths_internal.h"

enum {
    SIGHT_S = 600,       /* how long what a peer said counts */
    STALE_S = 20,        /* what others said before one changed its mind */
    BLOCKED_PROBES = 24, /* without any answer, to ... */
    BLOCKED_ADDRESSES = 3,
    MEASURE_S = 600, /* how long measured ports count */
};

static struct wrn_paths_sight *sight_of(struct wrn_paths *paths, uint32_t peer);
static void age(struct wrn_paths *paths, wrn_mono now, uint64_t older_ns, uint32_t except);
static bool is_hard(enum wrn_nat_class nat_class);
static size_t append(struct wrn_locator_endpoint *endpoints, size_t count,
                     const struct wrn_endpoint *at, uint8_t kind);
static bool outer6(const struct wrn_paths *paths, struct wrn_endpoint *ret_outer);

void wrn_paths_see(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                   const struct wrn_way *way, const struct wrn_endpoint *outer) {
    if (outer->ip.family != way->remote.ip.family || outer->port == 0) {
        return;
    }
    if (wrn_nat_is_private(&way->remote.ip) && !wrn_nat_is_private(&outer->ip)) {
        return; /* who is that near cannot know */
    }
    if (wrn_nat_is_private(&way->remote.ip)) {
        return; /* seen from our own side of the NAT */
    }
    struct wrn_paths_sight *sight = sight_of(paths, p->handle.index);
    bool is_new = sight == NULL;
    if (is_new) {
        if (paths->sight_count == PATHS_SIGHTS) {
            sight = &paths->sights[0]; /* the oldest makes room */
            for (size_t i = 1; i < PATHS_SIGHTS; i++) {
                if (wrn_mono_before(paths->sights[i].at, sight->at)) {
                    sight = &paths->sights[i];
                }
            }
        } else {
            sight = &paths->sights[paths->sight_count++];
        }
        *sight = (struct wrn_paths_sight){.peer = p->handle.index};
    }
    bool is_same = !is_new && wrn_endpoint_equal(&sight->seen.outer, outer) &&
                   wrn_endpoint_equal(&sight->seen.observer, &way->remote);
    bool is_changed =
        !is_new && !is_same && wrn_endpoint_equal(&sight->seen.observer, &way->remote);
    sight->at = now;
    if (is_same) {
        return;
    }
    sight->seen = (struct wrn_nat_sight){way->remote, *outer, ++paths->flows};
    if (is_changed) { /* our mapping is another one: so are the others, perhaps */
        age(paths, now, WRN_S(STALE_S), p->handle.index);
    }
    wrn_paths_judge(paths, now);
}

void wrn_paths_forget_sight(struct wrn_paths *paths, uint32_t peer) {
    struct wrn_paths_sight *sight = sight_of(paths, peer);
    (void)sight; /* what it said stays true for a while; only the name is free for another */
    if (sight != NULL) {
        sight->peer = PATHS_NOBODY;
    }
}

void wrn_paths_judge(struct wrn_paths *paths, wrn_mono now) {
    struct wrn_nat_sight seen[PATHS_SIGHTS];
    struct wrn_nat_view old = paths->view;
    age(paths, now, WRN_S(SIGHT_S), PATHS_NOBODY);
    for (size_t i = 0; i < paths->sight_count; i++) {
        seen[i] = paths->sights[i].seen;
    }
    if (paths->fresh_count > 0 && wrn_mono_since(now, paths->fresh_at) > WRN_S(MEASURE_S)) {
        paths->fresh_count = 0;
    }
    struct wrn_nat_view view =
        wrn_nat_classify(seen, paths->sight_count, paths->fresh, paths->fresh_count, paths->locals,
                         paths->local_count);
    if (view.nat_class == WRN_NAT_CLASS_UNKNOWN && old.nat_class != WRN_NAT_CLASS_BLOCKED) {
        view.nat_class = old.nat_class; /* too few for a new verdict */
        view.port_step = old.port_step;
        view.port_last = old.port_last;
    }
    if (view.nat_class == WRN_NAT_CLASS_UNKNOWN && paths->answers == 0 &&
        paths->probes >= BLOCKED_PROBES && paths->tried_count >= BLOCKED_ADDRESSES) {
        view.nat_class = WRN_NAT_CLASS_BLOCKED;
    }
    if (wrn_paths_streams_alone(paths)) { /* what was seen before is over */
        view = (struct wrn_nat_view){.nat_class = WRN_NAT_CLASS_BLOCKED};
        paths->sight_count = 0;
    }
    paths->view = view;
    if (is_hard(view.nat_class) && paths->fresh_count == 0 && paths->options.may_open_sockets) {
        (void)wrn_paths_measure_begin(paths, now, false);
    }
    if (view.nat_class != old.nat_class || !wrn_endpoint_equal(&view.outer, &old.outer) ||
        view.port_step != old.port_step) {
        paths->port.locator(paths->port.ctx);
    }
}

size_t wrn_paths_endpoints(const struct wrn_paths *paths,
                           struct wrn_locator_endpoint *ret_endpoints) {
    struct wrn_endpoint outer;
    size_t count = 0;
    for (size_t i = 0; i < paths->local_count; i++) {
        if (!wrn_nat_is_private(&paths->locals[i].at.ip) ||
            paths->locals[i].kind == WRN_ENDPOINT_MAPPED) {
            count = append(ret_endpoints, count, &paths->locals[i].at, paths->locals[i].kind);
        }
    }
    if (paths->view.outer.ip.family != WRN_FAMILY_NONE) {
        count = append(ret_endpoints, count, &paths->view.outer, WRN_ENDPOINT_REFLECTED);
    }
    if (outer6(paths, &outer)) {
        count = append(ret_endpoints, count, &outer, WRN_ENDPOINT_REFLECTED);
    }
    for (size_t i = 0; i < paths->local_count; i++) {
        count = append(ret_endpoints, count, &paths->locals[i].at, paths->locals[i].kind);
    }
    return count;
}

static struct wrn_paths_sight *sight_of(struct wrn_paths *paths, uint32_t peer) {
    for (size_t i = 0; i < paths->sight_count; i++) {
        if (paths->sights[i].peer == peer) {
            return &paths->sights[i];
        }
    }
    return NULL;
}

/* Removes what is older, but not what 'except' said. */
static void age(struct wrn_paths *paths, wrn_mono now, uint64_t older_ns, uint32_t except) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < paths->sight_count; i++) {
        if (wrn_mono_since(now, paths->sights[i].at) <= older_ns ||
            (except != PATHS_NOBODY && paths->sights[i].peer == except)) {
            paths->sights[kept++] = paths->sights[i];
        }
    }
    paths->sight_count = kept;
}

static bool is_hard(enum wrn_nat_class nat_class) {
    return nat_class == WRN_NAT_CLASS_PORT_RANDOM || nat_class == WRN_NAT_CLASS_PORT_PREDICTABLE;
}

static size_t append(struct wrn_locator_endpoint *endpoints, size_t count,
                     const struct wrn_endpoint *at, uint8_t kind) {
    for (size_t i = 0; i < count; i++) {
        if (wrn_endpoint_equal(&endpoints[i].at, at)) {
            return count;
        }
    }
    if (count < WRN_ENDPOINTS_MAX) {
        endpoints[count++] = (struct wrn_locator_endpoint){.at = *at, .kind = kind};
    }
    return count;
}

/* IPv6 is translated hardly anywhere: what two say who are not the same is believed. */
static bool outer6(const struct wrn_paths *paths, struct wrn_endpoint *ret_outer) {
    for (size_t i = 0; i < paths->sight_count; i++) {
        const struct wrn_nat_sight *a = &paths->sights[i].seen;
        for (size_t j = i + 1; j < paths->sight_count; j++) {
            const struct wrn_nat_sight *b = &paths->sights[j].seen;
            if (a->outer.ip.family == WRN_FAMILY_IPV6 && wrn_endpoint_equal(&a->outer, &b->outer)) {
                *ret_outer = a->outer;
                return true;
            }
        }
    }
    return false;
}
