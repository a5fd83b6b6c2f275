/* SPDX-License-Identifier: Apache-2.0 */
/* Extra sockets, and what they tell of our NAT: a ping from a new socket makes a new mapping, and a
 * peer that is reached directly says which port that got. */
#include "overlay/paths_internal.h"

enum { TRIES = 3, TRY_MS = 700 };

static uint32_t next_helper(const struct wrn_paths *paths, uint32_t after);
static bool can_help(const struct wrn_paths *paths, const struct wrn_paths_peer *p,
                     bool wants_public);
static bool ask(struct wrn_paths *paths, wrn_mono now);
static void close_all(struct wrn_paths *paths);
static bool is_enough(const struct wrn_paths_measure *measure);
static void finish(struct wrn_paths *paths, wrn_mono now);
static void put_in_order(const struct wrn_paths *paths, uint16_t *ports, size_t count);

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
        .is_active = true, .is_for_guess = is_for_guess, .helper = helper};
    if (!ask(paths, now)) {
        measure->is_active = false;
        return false;
    }
    return true;
}

void wrn_paths_measure_end(struct wrn_paths *paths) {
    close_all(paths);
    paths->measure.is_active = false;
}

void wrn_paths_measure_on_time(struct wrn_paths *paths, wrn_mono now) {
    struct wrn_paths_measure *measure = &paths->measure;
    if (!measure->is_active || !wrn_mono_reached(now, measure->next)) {
        return;
    }
    uint32_t helper = next_helper(paths, measure->helper);
    if (!is_enough(measure) && measure->tries < TRIES && helper != PATHS_NOBODY) {
        measure->helper = helper;
        if (ask(paths, now)) {
            return;
        }
    }
    finish(paths, now);
}

bool wrn_paths_measure_on_pong(struct wrn_paths *paths, wrn_mono now,
                               const struct wrn_paths_peer *p, const struct wrn_way *way,
                               const struct wrn_paths_ping *pong) {
    struct wrn_paths_measure *measure = &paths->measure;
    uint32_t place = (uint32_t)way->socket - measure->socket;
    if (!measure->is_active || way->kind != WRN_WAY_DIRECT || measure->socket == 0 ||
        place >= measure->count || p->handle.index != measure->helper) {
        return false;
    }
    if (pong->observed.ip.family == WRN_FAMILY_IPV4) {
        measure->ports[place] = pong->observed.port;
    }
    bool is_whole = true;
    for (size_t i = 0; i < measure->count; i++) {
        is_whole = is_whole && measure->ports[i] != 0;
    }
    if (is_whole) {
        finish(paths, now);
    }
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

bool wrn_paths_has_socket(const struct wrn_paths *paths, uint16_t socket) {
    if (wrn_socket_is_stream(socket)) {
        return paths->options.has_streams;
    }
    return socket == 0 || (socket < WRN_SOCKETS_MAX &&
                           (paths->sockets_used[socket / 64] >> (socket % 64) & 1) != 0);
}

void wrn_paths_socket_drop(struct wrn_paths *paths, const struct wrn_paths_peer *p,
                           uint16_t socket) {
    const struct wrn_paths_guess *guess = &paths->guess;
    bool is_guessing = guess->phase != PHASE_NONE && socket >= guess->socket_first &&
                       socket < guess->socket_first + guess->socket_count;
    if (socket == 0 || wrn_socket_is_stream(socket) || is_guessing ||
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

/* Asks from sockets that are new each time, all at once. */
static bool ask(struct wrn_paths *paths, wrn_mono now) {
    struct wrn_paths_measure *measure = &paths->measure;
    struct wrn_paths_peer *p = &paths->peers[measure->helper];
    uint8_t count = measure->is_for_guess ? 1 : PATHS_FRESH;
    uint16_t first = wrn_paths_sockets_open(paths, count); /* before the old ones are free */
    close_all(paths);
    if (first == 0) {
        return false;
    }
    measure->socket = first;
    measure->count = count;
    memset(measure->ports, 0, sizeof measure->ports);
    measure->tries++;
    measure->next = wrn_mono_add(now, WRN_MS(TRY_MS));
    for (uint16_t i = 0; i < count; i++) {
        struct wrn_way way = {
            .kind = WRN_WAY_DIRECT, .socket = (uint16_t)(first + i), .remote = p->way.remote};
        paths->flows++;
        wrn_paths_send_ping(paths, now, p, &way, PATHS_FLAG_REFLECT, false);
    }
    return true;
}

static void close_all(struct wrn_paths *paths) {
    struct wrn_paths_measure *measure = &paths->measure;
    uint16_t first = measure->socket, count = measure->socket != 0 ? measure->count : 0;
    measure->socket = 0;
    measure->count = 0;
    for (uint16_t i = 0; i < count; i++) {
        wrn_paths_socket_drop(paths, NULL, (uint16_t)(first + i));
    }
}

/* Tells whether what is known by now will do. */
static bool is_enough(const struct wrn_paths_measure *measure) {
    size_t told = 0;
    for (size_t i = 0; i < measure->count; i++) {
        told += measure->ports[i] != 0;
    }
    return told >= (measure->is_for_guess ? 1 : (size_t)WRN_NAT_SIGHTS_MIN_HARD);
}

/* Hands over what was told, if anything was. */
static void finish(struct wrn_paths *paths, wrn_mono now) {
    struct wrn_paths_measure measure = paths->measure;
    wrn_paths_measure_end(paths);
    if (measure.is_for_guess) {
        paths->view.port_last = measure.ports[0] != 0 ? measure.ports[0] : paths->view.port_last;
        wrn_paths_guess_measured(paths, now, measure.ports[0]);
    } else if (is_enough(&measure)) {
        paths->fresh_count = 0;
        for (size_t i = 0; i < measure.count; i++) {
            if (measure.ports[i] != 0) {
                paths->fresh[paths->fresh_count++] = measure.ports[i];
            }
        }
        put_in_order(paths, paths->fresh, paths->fresh_count);
        paths->fresh_at = now;
        wrn_paths_judge(paths, now);
    }
}

/* What was sent in one moment may pass the NAT in another order, so that this tells nothing of the
 * direction in which the ports go; what peers saw before does. */
static void put_in_order(const struct wrn_paths *paths, uint16_t *ports, size_t count) {
    const struct wrn_nat_sight *last = NULL;
    for (size_t i = 0; i < paths->sight_count; i++) {
        const struct wrn_nat_sight *seen = &paths->sights[i].seen;
        if (seen->outer.ip.family == WRN_FAMILY_IPV4 &&
            (last == NULL || seen->order > last->order)) {
            last = seen;
        }
    }
    bool is_rising = last == NULL || wrn_nat_port_distance(last->outer.port, ports[0]) > 0;
    for (size_t i = 1; i < count; i++) {
        for (size_t j = i; j > 0; j--) {
            int32_t way = wrn_nat_port_distance(ports[j - 1], ports[j]);
            if ((way > 0) == is_rising) {
                break;
            }
            uint16_t port = ports[j];
            ports[j] = ports[j - 1];
            ports[j - 1] = port;
        }
    }
}
