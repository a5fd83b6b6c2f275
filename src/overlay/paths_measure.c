/* SPDX-License-Identifier: Apache-2.0 */
/* Extra sockets, and what they tell of our NAT: a ping from a new socket makes a new mapping, and a
 * peer that is reached directly says which port that got. */
#include "overlay/paths_internal.h"

enum { TRIES = 3, TRY_MS = 700 };

static uint32_t next_helper(const struct wrn_paths *paths, uint32_t after);
static bool can_help(const struct wrn_paths *paths, const struct wrn_paths_peer *p,
                     bool wants_public);
static bool ask(struct wrn_paths *paths, wrn_mono now);
static void answered(struct wrn_paths *paths, wrn_mono now, uint16_t port);

bool wrn_paths_measure_begin(struct wrn_paths *paths, wrn_mono now, bool is_for_guess) {
    struct wrn_paths_measure *measure = &paths->measure;
    if (!paths->options.may_open_sockets || (measure->is_active && !is_for_guess)) {
        return false;
    }
    wrn_paths_measure_end(paths);
    uint32_t helper = next_helper(paths, PATHS_NOBODY);
    if (helper == PATHS_NOBODY) {
        return false;
    }
    *measure = (struct wrn_paths_measure){
        .is_active = true, .is_for_guess = is_for_guess, .helper = helper, .first_helper = helper};
    if (!ask(paths, now)) {
        measure->is_active = false;
        return false;
    }
    return true;
}

void wrn_paths_measure_end(struct wrn_paths *paths) {
    struct wrn_paths_measure *measure = &paths->measure;
    if (measure->is_active && measure->socket != 0) {
        wrn_paths_socket_drop(paths, NULL, measure->socket);
    }
    measure->is_active = false;
    measure->socket = 0;
}

void wrn_paths_measure_on_time(struct wrn_paths *paths, wrn_mono now) {
    struct wrn_paths_measure *measure = &paths->measure;
    if (!measure->is_active || !wrn_mono_reached(now, measure->next)) {
        return;
    }
    uint32_t helper = next_helper(paths, measure->helper);
    if (measure->tries < TRIES && helper != PATHS_NOBODY) {
        measure->helper = helper;
        if (ask(paths, now)) {
            return;
        }
    }
    answered(paths, now, 0);
}

bool wrn_paths_measure_on_pong(struct wrn_paths *paths, wrn_mono now,
                               const struct wrn_paths_peer *p, const struct wrn_way *way,
                               const struct wrn_paths_ping *pong) {
    struct wrn_paths_measure *measure = &paths->measure;
    if (!measure->is_active || way->kind != WRN_WAY_DIRECT || way->socket == 0 ||
        way->socket != measure->socket || p->handle.index != measure->helper) {
        return false;
    }
    answered(paths, now,
             pong->observed.ip.family == WRN_FAMILY_IPV4 ? pong->observed.port : (uint16_t)0);
    return true;
}

uint16_t wrn_paths_sockets_open(struct wrn_paths *paths, uint16_t count) {
    uint16_t first = 1, run = 0;
    for (uint16_t i = 1; i < WRN_SOCKETS_MAX && run < count; i++) {
        bool is_used = (paths->sockets_used[i / 64] >> (i % 64) & 1) != 0;
        run = is_used ? 0 : (uint16_t)(run + 1);
        first = run == 1 ? i : first;
    }
    if (run < count || !paths->options.may_open_sockets) {
        return 0;
    }
    for (uint16_t i = first; i < first + count; i++) {
        paths->sockets_used[i / 64] |= (uint64_t)1 << (i % 64);
    }
    paths->port.sockets(paths->port.ctx, first, count, true);
    return first;
}

void wrn_paths_socket_drop(struct wrn_paths *paths, const struct wrn_paths_peer *p,
                           uint16_t socket) {
    const struct wrn_paths_guess *guess = &paths->guess;
    bool is_guessing = guess->phase != PHASE_NONE && socket >= guess->socket_first &&
                       socket < guess->socket_first + guess->socket_count;
    if (socket == 0 || is_guessing ||
        (p != NULL && p->way.kind == WRN_WAY_DIRECT && p->way.socket == socket)) {
        return;
    }
    WRN_ASSERT((paths->sockets_used[socket / 64] >> (socket % 64) & 1) != 0);
    paths->sockets_used[socket / 64] &= ~((uint64_t)1 << (socket % 64));
    paths->port.sockets(paths->port.ctx, socket, 1, false);
}

/* The next peer that is likely to answer a datagram from a port that it does not know: one without
 * a NAT, else any. */
static uint32_t next_helper(const struct wrn_paths *paths, uint32_t after) {
    uint32_t max = paths->options.peers_max;
    for (uint32_t turn = 0; turn < 2; turn++) {
        for (uint32_t i = 0; i < max; i++) {
            uint32_t index = (uint32_t)(((uint64_t)after + 1 + i) % max);
            if (after == PATHS_NOBODY) {
                index = i;
            }
            if (can_help(paths, &paths->peers[index], turn == 0)) {
                return index;
            }
        }
    }
    return PATHS_NOBODY;
}

static bool can_help(const struct wrn_paths *paths, const struct wrn_paths_peer *p,
                     bool wants_public) {
    bool is_guessed = paths->guess.phase != PHASE_NONE && paths->guess.peer == p->handle.index;
    return p->handle.generation != 0 && !is_guessed && wrn_paths_is_direct(p) &&
           p->way.socket == 0 && p->way.remote.ip.family == WRN_FAMILY_IPV4 &&
           !wrn_nat_is_private(&p->way.remote.ip) &&
           (!wants_public || p->nat_class == WRN_NAT_CLASS_NONE);
}

/* Asks from a socket that is new each time. */
static bool ask(struct wrn_paths *paths, wrn_mono now) {
    struct wrn_paths_measure *measure = &paths->measure;
    struct wrn_paths_peer *p = &paths->peers[measure->helper];
    uint16_t old = measure->socket;
    measure->socket = wrn_paths_sockets_open(paths, 1);
    if (old != 0) {
        wrn_paths_socket_drop(paths, NULL, old);
    }
    if (measure->socket == 0) {
        return false;
    }
    struct wrn_way way = {
        .kind = WRN_WAY_DIRECT, .socket = measure->socket, .remote = p->way.remote};
    measure->tries++;
    measure->next = wrn_mono_add(now, WRN_MS(TRY_MS));
    paths->flows++;
    wrn_paths_send_ping(paths, now, p, &way, PATHS_FLAG_REFLECT, false);
    return true;
}

/* One port more, 0: nobody told. */
static void answered(struct wrn_paths *paths, wrn_mono now, uint16_t port) {
    struct wrn_paths_measure *measure = &paths->measure;
    if (measure->is_for_guess) {
        wrn_paths_measure_end(paths);
        if (port != 0) {
            paths->view.port_last = port;
        }
        wrn_paths_guess_measured(paths, now, port);
        return;
    }
    if (port == 0) {
        wrn_paths_measure_end(paths);
        return;
    }
    measure->ports[measure->count++] = port;
    measure->tries = 0;
    if (measure->count < PATHS_FRESH && ask(paths, now)) {
        return;
    }
    wrn_paths_measure_end(paths);
    memcpy(paths->fresh, measure->ports, sizeof paths->fresh);
    paths->fresh_count = measure->count;
    paths->fresh_at = now;
    wrn_paths_judge(paths, now);
}
