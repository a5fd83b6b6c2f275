/* SPDX-License-Identifier: Apache-2.0 */
/* Switches of a layer-2 network among themselves: stations that move and one that steals, a network
 * that falls into two parts, wires with two gateways of which one is killed. A station reaches
 * every other, and each broadcast arrives once. */
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

static void play_moves(struct sim_run *run);
static void play_parts(struct sim_run *run);
static void play_gateways(struct sim_run *run);
static struct sim_sites *build(struct sim_run *run, uint32_t gateways_each);
static void expect_answers(struct sim_run *run, struct sim_sites *sites, const char *when);
static void expect_no_copies(struct sim_run *run, struct sim_sites *sites, const char *when);
static uint32_t active_on(struct sim_sites *sites, uint32_t wire, uint32_t *ret_gateway);

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
