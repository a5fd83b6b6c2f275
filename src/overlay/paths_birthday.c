/* SPDX-License-Identifier: Apache-2.0 */
/* Guesses ports: of a NAT that gives another port to each destination. The peer that has it is the
 * opener, the other one the guesser, who sends first: then no router on the guesser's side takes
 * the opener's datagrams for strays. One pair at a time.
 *
 *   opener   --- READY: my last port, its step, or "at random" --->   guesser
 *            <-- pings to the ports that come next, or 850 random ones
 *            <-- GUESSED ---
 *            --- pings from new sockets, whose mappings get just these ports (or 256 of 64,512) -->
 */
#include "overlay/paths_internal.h"

enum {
    SOCKETS_RANDOM = 256,
    SOCKETS_STEPS = 8,
    GUESSES_FIRST = 850, /* hit one of 256 ports with 1 - exp(-256 * 850 / 64512) = 97 % */
    GUESSES_ALL = 1180,  /* ... 99 % */
    GUESSES_STEPS = 32,
    GUESSES_DIAGONAL = 24,
    PACE_MS = 30,   /* where the order in which they pass the NAT counts */
    CALL_MS = 1000, /* between READY and the next */
    CALLS = 14,
    PAUSE_MS = 2500, /* the guesser lets the opener fire */
    WAIT_MS = 3000,  /* after the last one */
    ENDS_S = 18,
    BIRTHDAY_S = 600, /* before the same address is guessed at again */
};

static bool make_room(struct wrn_paths *paths, wrn_mono now, const struct wrn_paths_peer *p);
static void measure(struct wrn_paths *paths, wrn_mono now);
static bool is_steps(uint8_t nat_class);
static bool is_hard(uint8_t nat_class);
static bool is_opener(const struct wrn_paths *paths, const struct wrn_paths_peer *p);
static struct wrn_paths_guess *take(struct wrn_paths *paths, wrn_mono now,
                                    const struct wrn_paths_peer *p,
                                    enum wrn_paths_guess_phase phase);
static void on_ready(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                     const struct wrn_paths_call_body *body);
static void on_guessed(struct wrn_paths *paths, wrn_mono now,
                       const struct wrn_paths_call_body *body);
static bool find_target(const struct wrn_paths *paths, const struct wrn_paths_call_body *body,
                        struct wrn_endpoint *ret_at);
static bool may_guess_at(struct wrn_paths *paths, wrn_mono now, const struct wrn_ip *ip);
static void tell(struct wrn_paths *paths);
static void fire(struct wrn_paths *paths, wrn_mono now);
static void begin_to_guess(struct wrn_paths *paths, wrn_mono now);
static void guess(struct wrn_paths *paths, wrn_mono now, int32_t until);
static void step(struct wrn_paths *paths, wrn_mono now);
static void begin_to_fire(struct wrn_paths *paths, wrn_mono now, uint16_t sockets);

bool wrn_paths_guess_fits(const struct wrn_paths *paths, const struct wrn_paths_peer *p) {
    uint8_t ours = (uint8_t)paths->view.nat_class, theirs = p->nat_class;
    if (ours == WRN_NAT_CLASS_BLOCKED || theirs == WRN_NAT_CLASS_BLOCKED ||
        (is_hard(ours) && !paths->options.may_open_sockets)) {
        return false;
    }
    if (is_hard(ours) && is_hard(theirs)) {
        return is_steps(ours) && is_steps(theirs);
    }
    if ((p->flags & PEER_IS_MODEST) != 0 &&
        (wrn_paths_is_random(ours) || wrn_paths_is_random(theirs))) {
        return false;
    }
    return is_hard(ours) || is_hard(theirs);
}

bool wrn_paths_guess_begin(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p) {
    if (!is_opener(paths, p)) {
        return true; /* it calls us */
    }
    if (!make_room(paths, now, p)) {
        return false;
    }
    struct wrn_paths_guess *guess = take(paths, now, p, PHASE_OPENER_MEASURES);
    uint8_t run;
    wrn_rand_fill(paths->rand, &run, sizeof run);
    guess->run = run;
    guess->is_random = !is_steps((uint8_t)paths->view.nat_class);
    guess->step = paths->view.port_step;
    guess->is_diagonal = !guess->is_random && is_steps(p->nat_class);
    measure(paths, now);
    return true;
}

void wrn_paths_guess_on_call(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                             const struct wrn_paths_call_body *body) {
    if (body->what == PATHS_CALL_READY) {
        on_ready(paths, now, p, body);
        return;
    }
    const struct wrn_paths_guess *guess = &paths->guess;
    uint8_t ago = (uint8_t)(guess->run - body->run);
    bool is_waiting = guess->phase == PHASE_OPENER_READY || guess->phase == PHASE_OPENER_MEASURES;
    if (is_waiting && guess->peer == p->handle.index && ago <= guess->calls && ago < PATHS_RUNS) {
        on_guessed(paths, now, body);
    }
}

void wrn_paths_guess_end(struct wrn_paths *paths, wrn_mono now) {
    struct wrn_paths_guess *guess = &paths->guess;
    struct wrn_paths_peer *p = &paths->peers[guess->peer];
    uint16_t first = guess->socket_first, count = guess->socket_count;
    (void)now;
    if (paths->measure.is_active && paths->measure.is_for_guess) {
        wrn_paths_measure_end(paths);
    }
    *guess = (struct wrn_paths_guess){0};
    for (uint16_t i = 0; i < count; i++) {
        wrn_paths_socket_drop(paths, p, (uint16_t)(first + i));
    }
    if (p->search != PATHS_NO_SEARCH) {
        paths->searches[p->search].guess = GUESS_DONE;
    }
}

bool wrn_paths_guess_needs_quiet(const struct wrn_paths *paths) {
    const struct wrn_paths_guess *guess = &paths->guess;
    return guess->is_diagonal &&
           (guess->phase == PHASE_OPENER_MEASURES_AGAIN || guess->phase == PHASE_OPENER_FIRES ||
            guess->phase == PHASE_GUESSER_MEASURES || guess->phase == PHASE_GUESSES);
}

void wrn_paths_guess_on_time(struct wrn_paths *paths, wrn_mono now) {
    struct wrn_paths_guess *guess = &paths->guess;
    while (guess->phase != PHASE_NONE && wrn_mono_reached(now, wrn_paths_guess_due(paths))) {
        struct wrn_paths_peer *p = &paths->peers[guess->peer];
        if (wrn_paths_is_udp(p) || wrn_mono_reached(now, guess->ends)) {
            bool is_vain = !wrn_paths_is_udp(p);
            wrn_paths_guess_end(paths, now);
            if (is_vain && p->search != PATHS_NO_SEARCH) {
                paths->searches[p->search].ends = now;
                paths->searches[p->search].next = now;
                wrn_paths_arm(paths, p);
            }
            return;
        }
        step(paths, now);
    }
}

wrn_mono wrn_paths_guess_due(const struct wrn_paths *paths) {
    const struct wrn_paths_guess *guess = &paths->guess;
    return guess->phase == PHASE_NONE ? WRN_MONO_NEVER : wrn_mono_min(guess->next, guess->ends);
}

void wrn_paths_guess_measured(struct wrn_paths *paths, wrn_mono now, uint16_t port) {
    struct wrn_paths_guess *guess = &paths->guess;
    switch (guess->phase) {
    case PHASE_OPENER_MEASURES:
        guess->base_port = port != 0 || guess->is_random ? port : paths->view.port_last;
        guess->bases[guess->run % PATHS_RUNS] = guess->base_port;
        guess->phase = PHASE_OPENER_READY;
        guess->next = now;
        break;
    case PHASE_OPENER_MEASURES_AGAIN: { /* how many of our ports were given since? */
        int32_t gone = guess->step != 0 && port != 0
                           ? wrn_nat_port_distance(guess->base_port, port) / guess->step
                           : 1;
        guess->done = gone > 0 ? gone : 1;
        begin_to_fire(paths, now, 1);
        break;
    }
    case PHASE_GUESSER_MEASURES:
        guess->mine_port = port != 0 ? port : paths->view.port_last;
        begin_to_guess(paths, now);
        break;
    default:
        break;
    }
}

/* One pair at a time, but users come before the ring. */
static bool make_room(struct wrn_paths *paths, wrn_mono now, const struct wrn_paths_peer *p) {
    struct wrn_paths_guess *guess = &paths->guess;
    const struct wrn_paths_peer *other = &paths->peers[guess->peer];
    if (guess->phase != PHASE_NONE && (p->flags & PEER_IS_MODEST) == 0 &&
        (other->flags & PEER_IS_MODEST) != 0 && other->handle.index != p->handle.index) {
        wrn_paths_guess_end(paths, now);
    }
    return guess->phase == PHASE_NONE;
}

/* Finds out what the next READY is to say. */
static void measure(struct wrn_paths *paths, wrn_mono now) {
    paths->guess.phase = PHASE_OPENER_MEASURES;
    paths->guess.next = WRN_MONO_NEVER;
    if (paths->guess.is_random) {
        wrn_paths_guess_measured(paths, now, 0);
    } else if (!wrn_paths_measure_begin(paths, now, true)) {
        wrn_paths_guess_measured(paths, now, paths->view.port_last);
    }
}

static bool is_steps(uint8_t nat_class) {
    return nat_class == WRN_NAT_CLASS_PORT_PREDICTABLE;
}

bool wrn_paths_is_random(uint8_t nat_class) {
    return nat_class == WRN_NAT_CLASS_PORT_RANDOM || nat_class == WRN_NAT_CLASS_ADDRESS_DEPENDENT;
}

static bool is_hard(uint8_t nat_class) {
    return wrn_paths_is_random(nat_class) || is_steps(nat_class);
}

static bool is_opener(const struct wrn_paths *paths, const struct wrn_paths_peer *p) {
    bool is_both = is_hard((uint8_t)paths->view.nat_class) && is_hard(p->nat_class);
    return is_both ? (p->flags & PEER_WE_ASKED) != 0 : is_hard((uint8_t)paths->view.nat_class);
}

static struct wrn_paths_guess *take(struct wrn_paths *paths, wrn_mono now,
                                    const struct wrn_paths_peer *p,
                                    enum wrn_paths_guess_phase phase) {
    struct wrn_paths_guess *guess = &paths->guess;
    *guess = (struct wrn_paths_guess){
        .phase = (uint8_t)phase,
        .peer = p->handle.index,
        .next = WRN_MONO_NEVER,
        .ends = wrn_mono_add(now, WRN_S(ENDS_S)),
    };
    if (p->search != PATHS_NO_SEARCH) { /* it lasts as long */
        struct wrn_paths_search *search = &paths->searches[p->search];
        search->guess = GUESS_UNDER_WAY;
        search->ends = wrn_mono_add(guess->ends, WRN_MS(1));
    }
    if (p->gone_at.ns != UINT64_MAX) {
        paths->peers[p->handle.index].gone_at = wrn_mono_add(guess->ends, WRN_S(2));
    }
    return guess;
}

/* The peer is ready to be guessed at. */
static void on_ready(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                     const struct wrn_paths_call_body *body) {
    struct wrn_paths_guess *guess = &paths->guess;
    struct wrn_endpoint at;
    bool is_again = guess->phase != PHASE_NONE && guess->peer == p->handle.index;
    uint8_t ago = (uint8_t)(body->run - guess->run);
    if (is_again && guess->phase >= PHASE_GUESSES_ON && ago < PATHS_RUNS) {
        tell(paths); /* what we told was lost */
        return;
    }
    bool is_stepping = is_steps(body->nat_class) && body->port_step != 0;
    if (wrn_paths_is_udp(p) || p->search == PATHS_NO_SEARCH || !is_hard(body->nat_class) ||
        is_opener(paths, p) || !wrn_paths_guess_fits(paths, p) || !find_target(paths, body, &at)) {
        return;
    }
    struct wrn_paths_search *search = &paths->searches[p->search];
    if ((is_stepping && search->guess == GUESS_DONE) || /* once a search */
        !make_room(paths, now, p) || (!is_stepping && !may_guess_at(paths, now, &at.ip))) {
        return;
    }
    guess = take(paths, now, p, PHASE_GUESSER_MEASURES);
    search->guess_runs++;
    guess->run = body->run;
    guess->at = at;
    guess->is_random = !is_stepping;
    guess->is_diagonal = is_stepping && is_hard((uint8_t)paths->view.nat_class);
    guess->base_port = body->port_last;
    guess->step = body->port_step;
    if (!guess->is_diagonal) {
        begin_to_guess(paths, now);
    } else if (!wrn_paths_measure_begin(paths, now, true)) {
        wrn_paths_guess_measured(paths, now, paths->view.port_last);
    }
}

/* The peer has guessed: now from new sockets, so that the mappings are new. */
static void on_guessed(struct wrn_paths *paths, wrn_mono now,
                       const struct wrn_paths_call_body *body) {
    struct wrn_paths_guess *guess = &paths->guess;
    if (!find_target(paths, body, &guess->at)) {
        return;
    }
    if (paths->measure.is_active && paths->measure.is_for_guess) {
        wrn_paths_measure_end(paths);
    }
    guess->run = body->run;
    guess->base_port = guess->bases[guess->run % PATHS_RUNS];
    if (guess->is_diagonal) {
        guess->far_port = body->port_last;
        guess->far_step = body->port_step;
        guess->all = body->count < GUESSES_DIAGONAL ? body->count : GUESSES_DIAGONAL;
        guess->phase = PHASE_OPENER_MEASURES_AGAIN;
        guess->next = WRN_MONO_NEVER;
        if (!wrn_paths_measure_begin(paths, now, true)) {
            wrn_paths_guess_measured(paths, now, 0);
        }
        return;
    }
    begin_to_fire(paths, now, guess->is_random ? SOCKETS_RANDOM : SOCKETS_STEPS);
}

static void begin_to_fire(struct wrn_paths *paths, wrn_mono now, uint16_t sockets) {
    struct wrn_paths_guess *guess = &paths->guess;
    uint16_t first = 0;
    for (; sockets > 0 && first == 0; sockets /= 2) {
        first = wrn_paths_sockets_open(paths, sockets);
        if (first != 0) {
            break;
        }
    }
    guess->socket_first = first;
    guess->socket_count = first != 0 ? sockets : 0;
    guess->phase = PHASE_OPENER_FIRES;
    guess->next = now;
    if (!guess->is_diagonal) {
        guess->done = 0;
        guess->all = guess->socket_count;
    }
}

/* Where the peer is from outside: what it lists first that is IPv4 and not private. */
static bool find_target(const struct wrn_paths *paths, const struct wrn_paths_call_body *body,
                        struct wrn_endpoint *ret_at) {
    for (size_t i = 0; i < body->endpoint_count; i++) {
        const struct wrn_endpoint *at = &body->endpoints[i].at;
        if (at->ip.family == WRN_FAMILY_IPV4 && !wrn_nat_is_private(&at->ip) &&
            wrn_paths_may_probe(paths, at)) {
            *ret_at = *at;
            return true;
        }
    }
    return false;
}

/* Once in ten minutes for each address; when too many are remembered, none. */
static bool may_guess_at(struct wrn_paths *paths, wrn_mono now, const struct wrn_ip *ip) {
    size_t place = PATHS_BIRTHDAYS;
    for (size_t i = 0; i < PATHS_BIRTHDAYS; i++) {
        bool is_over =
            wrn_mono_reached(now, paths->birthdays[i].until) || paths->birthdays[i].until.ns == 0;
        if (!is_over && wrn_ip_equal(&paths->birthdays[i].ip, ip)) {
            return false;
        }
        place = is_over ? i : place;
    }
    if (place == PATHS_BIRTHDAYS) {
        return false;
    }
    paths->birthdays[place].ip = *ip;
    paths->birthdays[place].until = wrn_mono_add(now, WRN_S(BIRTHDAY_S));
    return true;
}

/* READY or GUESSED. */
static void tell(struct wrn_paths *paths) {
    struct wrn_paths_guess *guess = &paths->guess;
    bool is_ready = guess->phase == PHASE_OPENER_READY;
    struct wrn_paths_call_body body = {
        .what = is_ready ? PATHS_CALL_READY : PATHS_CALL_GUESSED,
        .run = guess->run,
        .port_step = (int16_t)paths->view.port_step,
        .port_last = is_ready ? guess->base_port : guess->mine_port,
        .count = (uint16_t)guess->done,
    };
    wrn_paths_send_call(paths, &paths->peers[guess->peer], &body);
}

static void begin_to_guess(struct wrn_paths *paths, wrn_mono now) {
    struct wrn_paths_guess *guess = &paths->guess;
    /* All ports once: the stride shares no divisor with 64,512 = 2^10 * 3^2 * 7. */
    guess->stride = (uint16_t)(1 + 42 * wrn_rand_below(paths->rand, WRN_NAT_PORTS / 42));
    if (guess->is_random) {
        guess->base_port =
            (uint16_t)(WRN_NAT_PORT_FIRST + wrn_rand_below(paths->rand, WRN_NAT_PORTS));
    }
    guess->first_part = guess->is_random     ? GUESSES_FIRST
                        : guess->is_diagonal ? GUESSES_DIAGONAL
                                             : GUESSES_STEPS;
    guess->all = guess->is_random ? GUESSES_ALL : guess->first_part;
    guess->phase = PHASE_GUESSES;
    guess->next = now;
}

/* Sends guesses as far as the bucket, or the pace, lets it. */
static void guess(struct wrn_paths *paths, wrn_mono now, int32_t until) {
    struct wrn_paths_guess *g = &paths->guess;
    struct wrn_paths_peer *p = &paths->peers[g->peer];
    struct wrn_way way = {.kind = WRN_WAY_DIRECT, .remote = g->at};
    while (g->done < until) {
        if (!wrn_paths_may_send(paths, now, &g->next)) {
            return;
        }
        g->done++;
        int32_t by = g->is_random ? (int32_t)g->stride : g->step;
        way.remote.port = wrn_nat_port_after(g->base_port, by, g->done);
        paths->flows++;
        wrn_paths_send_ping(paths, now, p, &way, 0, false);
        if (g->is_diagonal) {
            g->next = wrn_mono_add(now, WRN_MS(PACE_MS));
            return;
        }
    }
}

/* One shot from each socket, or on the diagonal one to each of the ports that belong together. */
static void fire(struct wrn_paths *paths, wrn_mono now) {
    struct wrn_paths_guess *guess = &paths->guess;
    struct wrn_paths_peer *p = &paths->peers[guess->peer];
    struct wrn_way way = {.kind = WRN_WAY_DIRECT, .remote = guess->at};
    while (guess->done < guess->all) {
        if (guess->socket_count == 0) {
            guess->done = guess->all;
            break;
        }
        if (!wrn_paths_may_send(paths, now, &guess->next)) {
            return;
        }
        way.socket = (uint16_t)(guess->socket_first + (guess->is_diagonal ? 0 : guess->done));
        guess->done++;
        if (guess->is_diagonal) {
            way.remote.port = wrn_nat_port_after(guess->far_port, guess->far_step, guess->done);
        }
        paths->flows++;
        wrn_paths_send_ping(paths, now, p, &way, 0, false);
        if (guess->is_diagonal) {
            guess->next = wrn_mono_add(now, WRN_MS(PACE_MS));
            return;
        }
    }
}

static void step(struct wrn_paths *paths, wrn_mono now) {
    struct wrn_paths_guess *g = &paths->guess;
    switch (g->phase) {
    case PHASE_OPENER_READY: /* until the peer has guessed */
        if (g->has_called) { /* others got ports meanwhile */
            g->has_called = false;
            g->run++;
            measure(paths, now);
            break;
        }
        tell(paths);
        g->calls++;
        g->has_called = !g->is_random;
        g->next = g->calls < CALLS ? wrn_mono_add(now, WRN_MS(CALL_MS)) : WRN_MONO_NEVER;
        break;
    case PHASE_OPENER_FIRES:
        fire(paths, now);
        if (g->done >= g->all) {
            g->phase = PHASE_OPENER_WAITS;
            g->next = WRN_MONO_NEVER;
            wrn_mono ends = wrn_mono_add(now, WRN_MS(WAIT_MS));
            g->ends = g->is_random ? g->ends : wrn_mono_min(g->ends, ends);
        }
        break;
    case PHASE_GUESSES:
        guess(paths, now, g->first_part);
        if (g->done >= g->first_part) {
            g->phase = PHASE_GUESSER_TELLS;
            g->next = now;
        }
        break;
    case PHASE_GUESSER_TELLS:
        tell(paths);
        g->phase = PHASE_GUESSES_ON;
        g->next = wrn_mono_add(now, WRN_MS(PAUSE_MS));
        break;
    case PHASE_GUESSES_ON:
        guess(paths, now, g->all);
        if (g->done >= g->all) {
            g->phase = PHASE_GUESSER_WAITS;
            g->next = WRN_MONO_NEVER;
            g->ends = wrn_mono_min(g->ends, wrn_mono_add(now, WRN_MS(WAIT_MS)));
        }
        break;
    default:
        g->next = WRN_MONO_NEVER;
        break;
    }
}
