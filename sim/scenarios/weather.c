/* SPDX-License-Identifier: Apache-2.0 */
/* Bad lines, wrong clocks, laptops that are closed and opened. */
#include "sim/scenarios/scenarios.h"
#include "sim/share.h"
#include "sim/stage.h"

enum { CROWD_S = 30, LIMIT_S = 120, LOSSY_LIMIT_S = 300, WAKE_LIMIT_S = 180, TTL_S = 86400 };
enum { ROUTED_PPM_MIN = 990000, AWAKE_MAX_S = 900, ASLEEP_MAX_S = 3600 };

static void play_lossy(struct sim_run *run);
static void play_clock_skew(struct sim_run *run);
static void play_sleepers(struct sim_run *run);
static void expect_routing(struct sim_stage *stage, uint32_t count, uint64_t right_ppm_min,
                           const char *when);
static void set_clock(struct sim_stage *stage, uint32_t number);

const struct sim_scenario sim_lossy = {
    .name = "lossy",
    .sentence = "all lines lose 5 %, repeat, overtake and change what they carry; the ring forms",
    .nodes_are = "nodes, half of them behind NAT",
    .nodes = 32,
    .nodes_max = 20000,
    .minutes = 3,
    .play = play_lossy,
};

const struct sim_scenario sim_clock_skew = {
    .name = "clock-skew",
    .sentence =
        "wall clocks are hours off, drift and jump; the ring forms, right ones find records",
    .nodes_are = "nodes, a third of them with wrong clocks",
    .nodes = 32,
    .nodes_max = 20000,
    .minutes = 3,
    .play = play_clock_skew,
};

const struct sim_scenario sim_sleepers = {
    .name = "sleepers",
    .sentence = "half of the nodes sleep for up to an hour, now and then; all are back when awake",
    .nodes_are = "nodes, half of them laptops",
    .nodes = 32,
    .nodes_max = 20000,
    .minutes = 90,
    .play = play_sleepers,
};

static void play_lossy(struct sim_run *run) {
    struct sim_mixture mixture = sim_mixture_usual();
    struct sim_stage stage;
    mixture.link = (struct sim_link){
        .loss_ppm = 25000, /* of a line; two are crossed */
        .jitter_ns = WRN_MS(20),
        .duplicate_ppm = 10000,
        .reorder_ppm = 20000,
        .reorder_ns = WRN_MS(150),
        .corrupt_ppm = 5000,
    };
    sim_stage_begin(&stage, run, run->options.nodes, &mixture);
    uint64_t took_ms = sim_stage_start(&stage, WRN_S(CROWD_S), WRN_S(LOSSY_LIMIT_S));
    sim_report_figure(stage.report, "consistent_after_ms", took_ms);
    sim_pass(stage.nodes, run->options.minutes * WRN_S(60));
    expect_routing(&stage, 200, ROUTED_PPM_MIN, "with losses");
    mixture.link = (struct sim_link){0};
    stage.mixture = mixture;
    sim_calm_links(stage.nodes, &mixture);
    (void)sim_expect_settled(stage.nodes, SIM_ALL, WRN_S(LIMIT_S), "with good lines");
    sim_pass(stage.nodes, WRN_S(60));
    sim_probes_reset(&stage.probes);
    expect_routing(&stage, 100, SIM_PPM, "with good lines");
    sim_report_nodes(stage.nodes, SIM_ALL);
    sim_stage_end(&stage);
}

static void play_clock_skew(struct sim_run *run) {
    struct sim_mixture mixture = sim_mixture_usual();
    struct sim_stage stage;
    sim_stage_begin(&stage, run, run->options.nodes, &mixture);
    for (uint32_t i = 0; i < stage.nodes->count; i++) {
        set_clock(&stage, i);
    }
    (void)sim_stage_start(&stage, WRN_S(CROWD_S), WRN_S(LIMIT_S));
    sim_pass(stage.nodes, WRN_S(30));
    /* Who is right can store where the holders are right; with a third of them wrong one of four
     * copies is enough. */
    for (uint32_t i = 0; i < stage.nodes->count; i++) {
        if (i % 3 != 2) {
            (void)sim_records_store(&stage.records, stage.nodes->all[i], WRN_RECORD_CREATE, TTL_S,
                                    true);
            sim_pass(stage.nodes, WRN_MS(200));
        }
    }
    for (uint32_t minute = 0; minute < run->options.minutes; minute++) {
        for (uint32_t i = 2; i < stage.nodes->count; i += 3) {
            set_clock(&stage, i);
        }
        sim_pass(stage.nodes, WRN_S(60));
    }
    (void)sim_expect_settled(stage.nodes, SIM_ALL, WRN_S(LIMIT_S), "while clocks jump");
    expect_routing(&stage, 100, SIM_PPM, "while clocks are wrong");
    for (uint32_t i = 0; i < stage.records.count; i++) {
        sim_records_get(&stage.records, stage.nodes->all[i % 2 == 0 ? 0 : 1 % stage.nodes->count],
                        i);
        sim_pass(stage.nodes, WRN_MS(200));
    }
    sim_pass(stage.nodes, WRN_S(SIM_GET_TIMEOUT_S));
    sim_records_judge(&stage.records);
    sim_report_expect(stage.report, stage.records.wrong == 0, "%llu gets brought a false record",
                      (unsigned long long)stage.records.wrong);
    sim_report_expect(stage.report, sim_ppm(stage.records.right, stage.records.get_count) >= 900000,
                      "right clocks got %llu of %u records of right clocks",
                      (unsigned long long)stage.records.right, stage.records.get_count);
    sim_report_nodes(stage.nodes, SIM_ALL);
    sim_records_report(&stage.records);
    sim_stage_end(&stage);
}

/* Every third one is up to a day wrong and up to 2 % too fast or slow; the others a little. */
static void set_clock(struct sim_stage *stage, uint32_t number) {
    struct sim_clock *clock = sim_host_clock(stage->nodes->net, stage->nodes->all[number]->host);
    uint32_t span_s = number % 3 == 2 ? 172800 : 60;
    int64_t off_s = (int64_t)wrn_rand_below(stage->rand, span_s) - span_s / 2;
    sim_clock_set_offset(clock, off_s * (int64_t)WRN_S(1));
    sim_clock_set_drift(
        clock, number % 3 == 2 ? (int64_t)wrn_rand_below(stage->rand, 40000000) - 20000000 : 0);
}

/* Each laptop sleeps and wakes by turns; in the end all are awake. */
static void play_sleepers(struct sim_run *run) {
    struct sim_mixture mixture = sim_mixture_usual();
    struct sim_stage stage;
    sim_stage_begin(&stage, run, run->options.nodes, &mixture);
    (void)sim_stage_start(&stage, WRN_S(CROWD_S), WRN_S(LIMIT_S));
    uint64_t sleeps = 0;
    wrn_mono began = sim_now(run->world).mono;
    wrn_mono end = wrn_mono_add(began, run->options.minutes * WRN_S(60));
    while (wrn_mono_before(sim_now(run->world).mono, end)) {
        for (uint32_t i = 1; i < stage.nodes->count; i += 2) {
            struct sim_node *node = stage.nodes->all[i];
            wrn_mono now = sim_now(run->world).mono;
            if (!sim_is_set(&node->turn)) {
                bool is_awake = sim_node_is_live(node);
                uint32_t wait_s =
                    1 + wrn_rand_below(stage.rand, is_awake ? AWAKE_MAX_S : ASLEEP_MAX_S);
                sleeps += is_awake;
                sim_node_plan(node, wrn_mono_add(now, WRN_S(wait_s)),
                              is_awake ? SIM_TURN_SLEEP : SIM_TURN_WAKE, SIM_SAME_STATE);
            }
        }
        sim_probes_send(&stage.probes, SIM_ALL, false);
        sim_pass(stage.nodes, WRN_S(10));
    }
    sim_stage_revive(&stage);
    uint64_t took_ms =
        sim_expect_settled(stage.nodes, SIM_ALL, WRN_S(WAKE_LIMIT_S), "after the last one woke");
    sim_pass(stage.nodes, WRN_S(60));
    sim_probes_judge(&stage.probes);
    sim_report_figure(stage.report, "sleeps", sleeps);
    sim_report_figure(stage.report, "back_after_ms", took_ms);
    sim_probes_report(&stage.probes);
    sim_probes_reset(&stage.probes);
    expect_routing(&stage, 100, SIM_PPM, "when all are awake");
    sim_report_nodes(stage.nodes, SIM_ALL);
    sim_stage_end(&stage);
}

static void expect_routing(struct sim_stage *stage, uint32_t count, uint64_t right_ppm_min,
                           const char *when) {
    struct sim_probes *probes = &stage->probes;
    sim_probes_send_many(probes, SIM_ALL, count, WRN_MS(50));
    uint64_t all = probes->right + probes->wrong + probes->late;
    sim_report_expect(stage->report, sim_ppm(probes->right, all) >= right_ppm_min,
                      "%s: of %llu messages %llu came to the wrong node, %llu not at all", when,
                      (unsigned long long)all, (unsigned long long)probes->wrong,
                      (unsigned long long)probes->late);
}
