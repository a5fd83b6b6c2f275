/* SPDX-License-Identifier: Apache-2.0 */
/* Switches of a layer-2 network among themselves: who is where is learned and forgotten, stations
 * that move and one that steals, a network that falls into two parts, wires with two gateways of
 * which one is killed, frames in pieces. A station reaches every other, and each broadcast arrives
 * once. */
#include "sim/scenarios/scenarios.h"
#include "sim/sites.h"

enum {
    STATIONS = 4, /* a wire */
    LOSS_PPM = 10000,
    AGE_S = 10,
    WIRES_MAX = 60,
    ANSWERED_PPM = 900000, /* of what is asked; two ways lose one in a hundred each */
    FORGERIES = 5,
};

static void play_learning(struct sim_run *run);
static void play_moves(struct sim_run *run);
static void play_parts(struct sim_run *run);
static void play_gateways(struct sim_run *run);
static void play_pieces(struct sim_run *run);
static void count_pieces(const struct sim_sites *sites,
                         uint64_t ret_counts[WRN_PIECES_REFUSAL_COUNT]);
static struct sim_sites *build(struct sim_run *run, uint32_t gateways_each);
static void expect_answers(struct sim_run *run, struct sim_sites *sites, const char *when);
static void expect_no_copies(struct sim_run *run, struct sim_sites *sites, const char *when);
static uint64_t floods(const struct sim_sites *sites);
static uint32_t active_on(struct sim_sites *sites, uint32_t wire, uint32_t *ret_gateway);

const struct sim_scenario sim_switch_learning = {
    .name = "switch-learning",
    .sentence = "switches learn where stations are, send what is for one to one wire, and forget "
                "who falls silent",
    .nodes_are = "wires",
    .nodes = 6,
    .nodes_max = WIRES_MAX,
    .minutes = 2,
    .play = play_learning,
};

const struct sim_scenario sim_switch_moves = {
    .name = "switch-moves",
    .sentence = "stations move between the wires of a layer-2 network, and one wants another's "
                "address and never gets it",
    .nodes_are = "wires",
    .nodes = 6,
    .nodes_max = WIRES_MAX,
    .minutes = 5,
    .play = play_moves,
};

const struct sim_scenario sim_switch_parts = {
    .name = "switch-parts",
    .sentence = "a layer-2 network falls into two parts, stations move meanwhile, and it heals",
    .nodes_are = "wires",
    .nodes = 6,
    .nodes_max = WIRES_MAX,
    .minutes = 3,
    .play = play_parts,
};

const struct sim_scenario sim_switch_gateways = {
    .name = "switch-gateways",
    .sentence = "two gateways on each wire: one forwards; killed, the other takes over in seconds",
    .nodes_are = "wires",
    .nodes = 4,
    .nodes_max = WIRES_MAX / 2,
    .minutes = 5,
    .play = play_gateways,
};

const struct sim_scenario sim_switch_pieces = {
    .name = "switch-pieces",
    .sentence =
        "large frames go in pieces over ways that lose and overtake: each arrives as it was "
        "or not at all",
    .nodes_are = "wires",
    .nodes = 5,
    .nodes_max = WIRES_MAX / 2,
    .minutes = 3,
    .play = play_pieces,
};

/* Half of the time all talk; when all are known, nothing is flooded but broadcasts. Then every
 * other one is silent, and only the others stay known. */
static void play_learning(struct sim_run *run) {
    struct sim_sites *sites = build(run, 1);
    uint64_t part = run->options.minutes * WRN_S(30);
    sim_sites_pass(sites, WRN_S(AGE_S)); /* each has said something */
    uint64_t flooded = floods(sites), broadcasts = sites->broadcasts;
    sim_sites_pass(sites, part - WRN_S(AGE_S));
    flooded = floods(sites) - flooded;
    broadcasts = sites->broadcasts - broadcasts;
    sim_report_line(&run->report, "%llu broadcasts, %llu frames flooded",
                    (unsigned long long)broadcasts, (unsigned long long)flooded);
    sim_report_expect(&run->report, flooded > 0 && flooded <= broadcasts + sites->station_count,
                      "%llu frames were flooded for %llu broadcasts", (unsigned long long)flooded,
                      (unsigned long long)broadcasts);
    for (uint32_t i = 1; i < sites->station_count; i += 2) {
        sites->stations[i].is_silent = true;
    }
    sim_sites_pass(sites, part);
    for (uint32_t i = 0; i < sites->gateway_count; i++) {
        for (uint32_t station = 0; station < sites->station_count; station++) {
            uint32_t where = sim_sites_where(sites, i, station);
            uint32_t expected = station % 2 == 1 ? UINT32_MAX : sites->stations[station].wire;
            sim_report_expect(&run->report, where == expected,
                              "gateway %u believes station %u on wire %d, not %d", i, station,
                              (int)where, (int)expected);
        }
    }
    expect_answers(run, sites, "all the time");
    expect_no_copies(run, sites, "all the time");
    sim_sites_destroy(sites);
}

/* Rounds of five seconds. In each, one that may moves at once; every fourth, another falls silent,
 * and comes up elsewhere when its address is forgotten. */
static void play_moves(struct sim_run *run) {
    struct sim_sites *sites = build(run, 1);
    struct wrn_rand rand = sim_rand(run->world, SIM_STREAM_WORLD, 0);
    uint32_t wires = sites->options.wires, thief = wires * 3, victim = wires * 3 + 1, quiet = 0;
    uint32_t stolen = 0;
    while (sim_sites_may_move(sites, thief)) {
        thief++;
    }
    while (sim_sites_may_move(sites, victim) || victim == thief) {
        victim++;
    }
    for (uint32_t round = 0; round < run->options.minutes * 12; round++) {
        uint32_t mover = 4 * wrn_rand_below(rand, sites->station_count / 4);
        sim_sites_move(sites, mover, wrn_rand_below(rand, wires));
        if (round % 4 == 0) {
            do {
                quiet = wrn_rand_below(rand, sites->station_count);
            } while (quiet == victim || quiet == thief || sim_sites_may_move(sites, quiet));
            sites->stations[quiet].is_silent = true;
        } else if (round % 4 == 3) {
            sites->stations[quiet].is_silent = false;
            sim_sites_move(sites, quiet, wrn_rand_below(rand, wires));
        }
        for (int i = 0; i < FORGERIES && round > 0; i++) {
            sim_sites_forge(sites, thief, victim);
        }
        sim_sites_pass(sites, WRN_MS(4500));
        for (uint32_t i = 0; i < sites->gateway_count; i++) {
            uint32_t where = sim_sites_where(sites, i, victim);
            sim_report_expect(
                &run->report, where == sites->stations[victim].wire || where == UINT32_MAX,
                "round %u: gateway %u believes that the victim is on wire %u", round, i, where);
        }
    }
    for (uint32_t i = 0; i < sites->gateway_count; i++) {
        stolen += sites->gateways[i].events[WRN_SWITCH_EVENT_STOLEN];
    }
    sim_report_expect(&run->report, stolen > 0, "nobody was told of the thief");
    sim_report_figure(&run->report, "theft_events", stolen);
    expect_answers(run, sites, "with moves");
    expect_no_copies(run, sites, "with moves");
    sim_sites_destroy(sites);
}

/* A sixth of the time whole, a third cut, then healed; what is asked about is its last third. */
static void play_parts(struct sim_run *run) {
    struct sim_sites *sites = build(run, 1);
    uint64_t part = run->options.minutes * WRN_S(10);
    for (uint32_t i = 0; i < sites->gateway_count; i++) {
        sites->gateways[i].group = i % 2;
    }
    sim_sites_pass(sites, part);
    expect_answers(run, sites, "whole");
    sites->is_cut = true;
    sim_sites_pass(sites, WRN_S(2)); /* nobody has noticed */
    sim_sites_notice(sites);
    sites->asked = sites->answered = 0;
    sim_sites_move(sites, 0, 1); /* its address is named, */
    sim_sites_move(sites, 2, 1); /* and this one's is not */
    sim_sites_pass(sites, 2 * part - WRN_S(3));
    expect_answers(run, sites, "in two parts");
    for (uint32_t i = 0; i < sites->gateway_count; i++) {
        for (uint32_t station = 0; station < sites->station_count; station++) {
            uint32_t where = sim_sites_where(sites, i, station);
            sim_report_expect(&run->report, where == UINT32_MAX || where % 2 == i % 2,
                              "gateway %u knows station %u of the other part", i, station);
        }
    }
    sites->is_cut = false;
    sim_sites_notice(sites);
    sim_sites_pass(sites, part + WRN_S(AGE_S / 2));
    sites->asked = sites->answered = 0;
    sim_sites_pass(sites, 2 * part - WRN_S(AGE_S / 2));
    expect_answers(run, sites, "healed");
    expect_no_copies(run, sites, "all the time");
    sim_sites_destroy(sites);
}

/* Rounds of half a minute: the gateway that forwards for a wire dies, comes back. */
static void play_gateways(struct sim_run *run) {
    struct sim_sites *sites = build(run, 2);
    struct wrn_rand rand = sim_rand(run->world, SIM_STREAM_WORLD, 0);
    uint64_t in_change = 0;
    uint32_t gateway = 0;
    sim_sites_pass(sites, WRN_S(3));
    for (uint32_t round = 0; round < run->options.minutes * 2; round++) {
        uint32_t wire = wrn_rand_below(rand, sites->options.wires);
        (void)active_on(sites, wire, &gateway);
        sim_sites_kill(sites, gateway);
        sim_sites_pass(sites, WRN_S(6));
        in_change += sites->copies;
        sites->asked = sites->answered = sites->copies = 0;
        sim_sites_pass(sites, WRN_S(6));
        expect_answers(run, sites, "one killed, and nobody has noticed");
        expect_no_copies(run, sites, "one killed");
        sim_sites_notice(sites);
        sim_sites_pass(sites, WRN_S(3));
        sim_sites_revive(sites, gateway);
        sim_sites_notice(sites);
        sim_sites_pass(sites, WRN_S(4));
        in_change += sites->copies;
        sites->asked = sites->answered = sites->copies = 0;
        sim_sites_pass(sites, WRN_MS(8500));
        expect_answers(run, sites, "all there");
        expect_no_copies(run, sites, "all there");
        for (wire = 0; wire < sites->options.wires; wire++) {
            uint32_t active = active_on(sites, wire, &gateway);
            sim_report_expect(&run->report, active == 1, "%u gateways forward for wire %u", active,
                              wire);
        }
    }
    sim_report_figure(&run->report, "copies_in_changes", in_change);
    sim_sites_destroy(sites);
}

/* A question and its answer are four pieces each, of which one in a hundred is lost: 92 of 100 come
 * back. What waits for a lost piece is given up within a second, and never filled with another's.
 */
static void play_pieces(struct sim_run *run) {
    enum { SIZE = 4000, PAYLOAD = 1280, EACH = 4, WHOLE_PPM = 890000 };
    struct sim_sites_options options = {
        .wires = run->options.nodes > 1 ? run->options.nodes : 2,
        .gateways_each = 1,
        .stations_each = STATIONS,
        .age_s = 300,
        .frame_size = SIZE,
        .payload_max = PAYLOAD,
        .link = {.delay_ns = WRN_MS(5),
                 .jitter_ns = WRN_MS(50),
                 .loss_ppm = LOSS_PPM,
                 .reorder_ppm = LOSS_PPM,
                 .reorder_ns = WRN_MS(30)}, /* an answer comes before the next question */
    };
    struct sim_sites *sites = sim_sites_create(run->world, &options);
    uint64_t counts[WRN_PIECES_REFUSAL_COUNT] = {0};
    sim_sites_pass(sites, WRN_S(5)); /* who is where is known then */
    sites->asked = sites->answered = 0;
    sim_sites_pass(sites, run->options.minutes * WRN_S(60));
    sites->is_asking = false;
    for (uint32_t i = 0; i < sites->station_count; i++) {
        sites->stations[i].is_silent = true;
    }
    sim_sites_pass(sites, WRN_S(3));
    count_pieces(sites, counts);
    sim_report_line(&run->report, "%llu frames of %d pieces put together, %llu given up",
                    (unsigned long long)counts[WRN_PIECES_NONE], EACH,
                    (unsigned long long)counts[WRN_PIECES_LATE]);
    sim_report_expect(&run->report,
                      sites->asked > 0 && sites->answered * 1000000 >= sites->asked * WHOLE_PPM,
                      "%llu of %llu questions were answered", (unsigned long long)sites->answered,
                      (unsigned long long)sites->asked);
    sim_report_expect(&run->report, sites->garbled == 0, "%llu frames were not as they were sent",
                      (unsigned long long)sites->garbled);
    sim_report_expect(&run->report, counts[WRN_PIECES_NONE] > 0 && counts[WRN_PIECES_LATE] > 0,
                      "nothing went in pieces, or nothing was given up");
    for (int i = WRN_PIECES_NONE + 1; i < WRN_PIECES_REFUSAL_COUNT; i++) {
        sim_report_expect(&run->report, i == WRN_PIECES_LATE || counts[i] == 0, "%s: %llu",
                          wrn_pieces_refusal_name((enum wrn_pieces_refusal)i),
                          (unsigned long long)counts[i]);
    }
    for (uint32_t i = 0; i < sites->gateway_count; i++) {
        uint32_t waiting = wrn_pieces_waiting(sites->gateways[i].pieces);
        sim_report_expect(&run->report, waiting <= WRN_PIECES_FRAMES_MAX,
                          "gateway %u has %u frames waiting", i, waiting);
    }
    sim_sites_destroy(sites);
}

static void count_pieces(const struct sim_sites *sites,
                         uint64_t ret_counts[WRN_PIECES_REFUSAL_COUNT]) {
    for (uint32_t i = 0; i < sites->gateway_count; i++) {
        wrn_pieces_add_counts(sites->gateways[i].pieces, ret_counts);
    }
}

static struct sim_sites *build(struct sim_run *run, uint32_t gateways_each) {
    struct sim_sites_options options = {
        .wires = run->options.nodes > 1 ? run->options.nodes : 2,
        .gateways_each = gateways_each,
        .stations_each = STATIONS,
        .age_s = AGE_S,
        .link = {.delay_ns = WRN_MS(5),
                 .jitter_ns = WRN_MS(20),
                 .keeps_order = true,
                 .loss_ppm = LOSS_PPM},
    };
    return sim_sites_create(run->world, &options);
}

static void expect_answers(struct sim_run *run, struct sim_sites *sites, const char *when) {
    sim_report_line(&run->report, "%-40s %10llu asked %10llu answered", when,
                    (unsigned long long)sites->asked, (unsigned long long)sites->answered);
    sim_report_expect(&run->report,
                      sites->asked > 0 && sites->answered * 1000000 >= sites->asked * ANSWERED_PPM,
                      "%s: %llu of %llu questions were answered", when,
                      (unsigned long long)sites->answered, (unsigned long long)sites->asked);
}

static void expect_no_copies(struct sim_run *run, struct sim_sites *sites, const char *when) {
    sim_report_expect(&run->report, sites->heard > 0 && sites->copies == 0,
                      "%s: %llu broadcasts arrived again", when, (unsigned long long)sites->copies);
}

/* Frames of their own wires that gateways sent to all members. */
static uint64_t floods(const struct sim_sites *sites) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < sites->gateway_count; i++) {
        struct wrn_switch_port_info info;
        uint32_t cursor = 0;
        sum += wrn_switch_next_port(sites->gateways[i].sw, &cursor, &info) ? info.floods_in : 0;
    }
    return sum;
}

/* Counts the gateways that forward for a wire, and names the last. */
static uint32_t active_on(struct sim_sites *sites, uint32_t wire, uint32_t *ret_gateway) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < sites->gateway_count; i++) {
        struct wrn_switch_port_info info;
        uint32_t cursor = 0;
        if (sites->gateways[i].wire == wire && sites->gateways[i].is_up &&
            wrn_switch_next_port(sites->gateways[i].sw, &cursor, &info) && !info.stands_by) {
            count++;
            *ret_gateway = i;
        }
    }
    return count;
}
