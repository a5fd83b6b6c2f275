/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes die: half of all at once, a third in an hour; what they held stays, the ring closes. */
#include "sim/scenarios/scenarios.h"
#include "sim/share.h"
#include "sim/stage.h"

enum { CROWD_S = 30, LIMIT_S = 120, MEND_LIMIT_S = 120, DYING_S = 60, TTL_S = 86400 };
enum { CHURN_PERCENT_AN_HOUR = 30, LOOKUP_GAP_MS = 500, RIGHT_PPM_MIN = 999000 };

static void play_massacre(struct sim_run *run);
static void play_massacre_data(struct sim_run *run);
static void play_churn(struct sim_run *run);
static void begin(struct sim_stage *stage, struct sim_run *run);
static void kill_half(struct sim_stage *stage, uint64_t within_ns);

const struct sim_scenario sim_massacre = {
    .name = "massacre",
    .sentence = "half of the nodes die at once, without a word; the others close the ring",
    .nodes_are = "nodes, half of them behind NAT",
    .nodes = 40,
    .nodes_max = 20000,
    .minutes = 1,
    .draws = true,
    .play = play_massacre,
};

const struct sim_scenario sim_massacre_data = {
    .name = "massacre-data",
    .sentence = "half of the nodes die within a minute; no record is lost that has a copy left",
    .nodes_are = "nodes, half of them behind NAT",
    .nodes = 40,
    .nodes_max = 20000,
    .minutes = 10,
    .play = play_massacre_data,
};

const struct sim_scenario sim_churn = {
    .name = "churn",
    .sentence = "30 % of the nodes leave each hour and others come; lookups are right",
    .nodes_are = "nodes, half of them behind NAT",
    .nodes = 40,
    .nodes_max = 20000,
    .minutes = 20,
    .play = play_churn,
};

static void play_massacre(struct sim_run *run) {
    struct sim_stage stage;
    begin(&stage, run);
    sim_pass(stage.nodes, run->options.minutes * WRN_S(60));
    kill_half(&stage, 0);
    uint64_t took_ms = sim_expect_settled(stage.nodes, SIM_ALL, WRN_S(MEND_LIMIT_S),
                                          "after half of the nodes died");
    sim_report_figure(stage.report, "mended_after_ms", took_ms);
    sim_probes_send_many(&stage.probes, SIM_ALL, 50, WRN_MS(50));
    sim_report_expect(stage.report, stage.probes.wrong + stage.probes.late == 0,
                      "then %llu messages came to the wrong node, %llu not at all",
                      (unsigned long long)stage.probes.wrong,
                      (unsigned long long)stage.probes.late);
    sim_draw_nodes(stage.nodes);
    sim_report_nodes(stage.nodes, SIM_ALL);
    sim_probes_report(&stage.probes);
    sim_stage_end(&stage);
}

static void play_massacre_data(struct sim_run *run) {
    struct sim_stage stage;
    struct sim_records *records = &stage.records;
    begin(&stage, run);
    sim_pass(stage.nodes, WRN_S(60));
    sim_records_store_many(records, SIM_ALL, run->options.nodes * 2, WRN_RECORD_CREATE, TTL_S,
                           false, WRN_MS(100));
    sim_records_expect_stored(records);
    kill_half(&stage, WRN_S(DYING_S));
    uint32_t copied = sim_records_find_copies(records);
    sim_pass(stage.nodes, run->options.minutes * WRN_S(60));
    sim_records_get_all(records, SIM_ALL, true, WRN_MS(100));
    sim_report_figure(stage.report, "records_with_a_copy", copied);
    sim_report_figure(stage.report, "records_without", records->count - copied);
    sim_report_expect(stage.report,
                      records->wrong + records->missed + records->timeouts + records->unanswered ==
                          0,
                      "of %u records with a copy %llu are not found, %llu time out, %llu are wrong",
                      copied, (unsigned long long)records->missed,
                      (unsigned long long)records->timeouts + records->unanswered,
                      (unsigned long long)records->wrong);
    sim_report_nodes(stage.nodes, SIM_ALL);
    sim_records_report(records);
    sim_stage_end(&stage);
}

static void play_churn(struct sim_run *run) {
    struct sim_stage stage;
    struct sim_records *records = &stage.records;
    begin(&stage, run);
    sim_pass(stage.nodes, WRN_S(60));
    sim_records_store_many(records, SIM_ALL, run->options.nodes, WRN_RECORD_CREATE, TTL_S, true,
                           WRN_MS(100));
    uint64_t gap_ns =
        WRN_S(3600) / ((uint64_t)run->options.nodes * CHURN_PERCENT_AN_HOUR / 100 + 1);
    sim_stage_churn(&stage, gap_ns);
    for (uint64_t t_ms = 0; t_ms < (uint64_t)run->options.minutes * 60000; t_ms += LOOKUP_GAP_MS) {
        sim_records_get_drawn(records, SIM_ALL);
        sim_probes_send(&stage.probes, SIM_ALL, false);
        sim_pass(stage.nodes, WRN_MS(LOOKUP_GAP_MS));
    }
    sim_stage_churn(&stage, 0);
    sim_stage_revive(&stage);
    uint64_t took_ms = sim_expect_settled(stage.nodes, SIM_ALL, WRN_S(LIMIT_S),
                                          "after the last one left and came back");
    sim_pass(stage.nodes, WRN_S(SIM_GET_TIMEOUT_S));
    sim_records_judge(records);
    sim_probes_judge(&stage.probes);
    uint64_t all =
        records->right + records->wrong + records->missed + records->timeouts + records->unanswered;
    sim_report_expect(stage.report, sim_ppm(records->right, all) >= RIGHT_PPM_MIN,
                      "of %llu lookups %llu are right", (unsigned long long)all,
                      (unsigned long long)records->right);
    sim_report_figure(stage.report, "nodes_left", stage.left);
    sim_report_figure(stage.report, "mended_after_ms", took_ms);
    sim_report_nodes(stage.nodes, SIM_ALL);
    sim_probes_report(&stage.probes);
    sim_records_report(records);
    sim_stage_end(&stage);
}

static void begin(struct sim_stage *stage, struct sim_run *run) {
    struct sim_mixture mixture = sim_mixture_usual();
    sim_stage_begin(stage, run, run->options.nodes, &mixture);
    (void)sim_stage_start(stage, WRN_S(CROWD_S), WRN_S(LIMIT_S));
}

/* Every second one, whoever it is, drawn in pairs. */
static void kill_half(struct sim_stage *stage, uint64_t within_ns) {
    struct sim_nodes *nodes = stage->nodes;
    wrn_mono now = sim_now(stage->run->world).mono;
    for (uint32_t i = 0; i + 1 < nodes->count; i += 2) {
        struct sim_node *node = nodes->all[i + wrn_rand_below(stage->rand, 2)];
        uint64_t wait = within_ns / 1000000 * wrn_rand_below(stage->rand, 1000000);
        if (within_ns == 0) {
            sim_node_crash(node);
        } else {
            sim_node_plan(node, wrn_mono_add(now, wait), SIM_TURN_CRASH, SIM_SAME_STATE);
        }
    }
    sim_pass(nodes, within_ns);
}
