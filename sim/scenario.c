/* SPDX-License-Identifier: Apache-2.0 */
/* The list of scenarios, and what surrounds each of them. A new one is declared and listed here. */
#include "sim/scenario.h"

#include "sim/scenarios/scenarios.h"

const struct sim_scenario *const sim_scenarios[] = {
    &sim_links,
    &sim_nat_zoo_probe,
    &sim_laptops,
    &sim_chatter,
    &sim_split,
    &sim_join,
    &sim_flash_crowd,
    &sim_idle,
    &sim_bootstrap_death,
    &sim_massacre,
    &sim_massacre_data,
    &sim_churn,
    &sim_lookups,
    &sim_broadcast,
    &sim_sums,
    &sim_crawl,
    &sim_nat_zoo,
    &sim_user_traffic,
    &sim_relay_death,
    &sim_partition_heal,
    &sim_two_rings,
    &sim_lan,
    &sim_lossy,
    &sim_clock_skew,
    &sim_sleepers,
    &sim_sybil,
    &sim_flood,
    &sim_hostile,
    &sim_thieves,
    &sim_mixed,
    &sim_networks,
    &sim_networks_mixed,
    &sim_leases,
    &sim_leases_parted,
    &sim_revoke,
    &sim_asleep,
    &sim_owner_gone,
    &sim_wrong_clock,
    &sim_wrong_clock_join,
    &sim_switch_learning,
    &sim_switch_moves,
    &sim_switch_parts,
    &sim_switch_gateways,
    &sim_switch_pieces,
    NULL,
};

const struct sim_scenario *sim_scenario_find(const char *name) {
    const struct sim_scenario *const *scenario = sim_scenarios;
    while (*scenario != NULL && strcmp((*scenario)->name, name) != 0) {
        scenario++;
    }
    return *scenario;
}

void sim_phase(const struct sim_run *run, const char *name) {
    if (run->options.on_phase != NULL) {
        run->options.on_phase(run->options.phase_ctx, name, sim_now(run->world).mono);
    }
}

void sim_play(const struct sim_scenario *scenario, struct sim_options options,
              sim_watch_trace *watch, void *ctx, struct sim_outcome *ret_outcome) {
    struct sim_run run = {.options = options};
    if (run.options.nodes == 0) {
        run.options.nodes = scenario->nodes;
    }
    if (run.options.minutes == 0) {
        run.options.minutes = scenario->minutes;
    }
    WRN_ASSERT(run.options.nodes <= scenario->nodes_max);
    run.world = sim_world_create(options.seed);
    sim_world_watch(run.world, watch, ctx);
    uint64_t began_ns = sim_now(run.world).mono.ns;
    sim_trace(run.world, scenario->name, options.seed, run.options.nodes, run.options.minutes);
    scenario->play(&run);
    *ret_outcome = (struct sim_outcome){
        .options = run.options,
        .report = run.report,
        .hash = sim_trace_hash(run.world),
        .events = sim_event_count(run.world),
        .passed_ns = sim_now(run.world).mono.ns - began_ns,
    };
    sim_world_destroy(run.world);
}
