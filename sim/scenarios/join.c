/* SPDX-License-Identifier: Apache-2.0 */
/* How a ring comes to be: one node after the other, all at once, without the nodes that everybody
 * began with. */
#include "sim/scenarios/scenarios.h"
#include "sim/stage.h"

enum { GAP_MS = 500, LIMIT_S = 60, CROWD_S = 60, PROBES_MAX = 2000 };
enum { REJOIN_LIMIT_S = 120 };

static void play_join(struct sim_run *run);
static void play_flash_crowd(struct sim_run *run);
static void play_bootstrap_death(struct sim_run *run);
static void expect_lasting(struct sim_stage *stage);
static void expect_hops(struct sim_stage *stage);

const struct sim_scenario sim_join = {
    .name = "join",
    .sentence = "nodes come one after the other; each finds its place on the ring",
    .nodes_are = "nodes, half of them behind NAT",
    .nodes = 40,
    .nodes_max = 20000,
    .minutes = 2,
    .draws = true,
    .play = play_join,
};

const struct sim_scenario sim_flash_crowd = {
    .name = "flash-crowd",
    .sentence = "all nodes come within 60 s; a minute later the ring is whole and routes",
    .nodes_are = "nodes, half of them behind NAT",
    .nodes = 40,
    .nodes_max = 20000,
    .minutes = 1,
    .draws = true,
    .play = play_flash_crowd,
};

const struct sim_scenario sim_bootstrap_death = {
    .name = "bootstrap-death",
    .sentence =
        "the nodes that all began with die; the others stay, and come back from cached peers",
    .nodes_are = "nodes, half of them behind NAT",
    .nodes = 30,
    .nodes_max = 20000,
    .minutes = 5,
    .play = play_bootstrap_death,
};

static void play_join(struct sim_run *run) {
    struct sim_mixture mixture = sim_mixture_usual();
    struct sim_stage stage;
    sim_stage_begin(&stage, run, run->options.nodes, &mixture);
    for (uint32_t i = 0; i < stage.nodes->count; i++) {
        sim_node_start(stage.nodes->all[i], SIM_SAME_STATE);
        sim_pass(stage.nodes, WRN_MS(GAP_MS));
    }
    uint64_t took_ms =
        sim_expect_settled(stage.nodes, SIM_ALL, WRN_S(LIMIT_S), "after the last start");
    sim_report_figure(stage.report, "consistent_after_ms", took_ms);
    sim_pass(stage.nodes, run->options.minutes * WRN_S(60));
    sim_draw_nodes(stage.nodes);
    expect_lasting(&stage);
    sim_report_nodes(stage.nodes, SIM_ALL);
    sim_stage_end(&stage);
}

static void play_flash_crowd(struct sim_run *run) {
    struct sim_mixture mixture = sim_mixture_usual();
    struct sim_stage stage;
    uint32_t probes = run->options.nodes * 5;
    sim_stage_begin(&stage, run, run->options.nodes, &mixture);
    uint64_t took_ms = sim_stage_start(&stage, WRN_S(CROWD_S), WRN_S(LIMIT_S));
    sim_report_figure(stage.report, "consistent_after_ms", took_ms);
    sim_pass(stage.nodes, run->options.minutes * WRN_S(60)); /* shortcuts come */
    sim_probes_send_many(&stage.probes, SIM_ALL, probes < PROBES_MAX ? probes : PROBES_MAX,
                         WRN_MS(20));
    expect_hops(&stage);
    sim_draw_nodes(stage.nodes);
    expect_lasting(&stage);
    sim_report_nodes(stage.nodes, SIM_ALL);
    sim_probes_report(&stage.probes);
    sim_stage_end(&stage);
}

static void play_bootstrap_death(struct sim_run *run) {
    struct sim_mixture mixture = sim_mixture_usual();
    struct sim_stage stage;
    uint32_t count = run->options.nodes < 8 ? 8 : run->options.nodes;
    run->options.nodes = count;
    sim_stage_begin(&stage, run, count, &mixture);
    (void)sim_stage_start(&stage, WRN_S(CROWD_S), WRN_S(2 * LIMIT_S));
    sim_pass(stage.nodes, WRN_S(60));
    for (uint32_t i = 0; i < mixture.bootstraps; i++) {
        sim_node_crash(stage.nodes->all[i]);
    }
    uint64_t took_ms = sim_expect_settled(stage.nodes, SIM_ALL, WRN_S(REJOIN_LIMIT_S),
                                          "after the death of the bootstrap nodes");
    sim_report_figure(stage.report, "mended_after_ms", took_ms);
    sim_pass(stage.nodes, run->options.minutes * WRN_S(60));
    uint32_t back = count - count / 4; /* these go, and find the others again without help */
    for (uint32_t i = back; i < count; i++) {
        sim_node_stop(stage.nodes->all[i]);
    }
    sim_pass(stage.nodes, WRN_S(30));
    for (uint32_t i = back; i < count; i++) {
        sim_node_start(stage.nodes->all[i], SIM_SAME_STATE);
    }
    took_ms = sim_expect_settled(stage.nodes, SIM_ALL, WRN_S(REJOIN_LIMIT_S),
                                 "after the restart of a quarter, from cached peers");
    sim_report_figure(stage.report, "back_after_ms", took_ms);
    sim_report_nodes(stage.nodes, SIM_ALL);
    sim_stage_end(&stage);
}

static void expect_lasting(struct sim_stage *stage) {
    struct sim_view view = sim_look(stage->nodes, SIM_ALL);
    sim_report_expect(stage->report, view.consistent == view.live,
                      "it did not last: %u of %u nodes are consistent", view.consistent, view.live);
}

/* Mean hops at most half of log2 N and one more; at most two log2 N. */
static void expect_hops(struct sim_stage *stage) {
    struct sim_probes *probes = &stage->probes;
    uint32_t log2 = wrn_ceil_log2(stage->nodes->count);
    uint64_t mean_milli = sim_sample_mean_milli(&probes->hops);
    uint32_t most = sim_sample_percentile(&probes->hops, 100);
    sim_report_expect(stage->report, mean_milli <= log2 * 500 + 1000,
                      "messages took %llu.%03llu links on average in a ring of %u",
                      (unsigned long long)mean_milli / 1000, (unsigned long long)mean_milli % 1000,
                      stage->nodes->count);
    sim_report_expect(stage->report, most <= 2 * log2 || most <= 3,
                      "a message took %u links in a ring of %u", most, stage->nodes->count);
    sim_report_expect(stage->report,
                      probes->wrong + probes->late + probes->refused + probes->twice == 0,
                      "of %u messages %llu came to the wrong node, %llu not at all, %llu twice",
                      probes->count, (unsigned long long)probes->wrong,
                      (unsigned long long)probes->late, (unsigned long long)probes->twice);
}
