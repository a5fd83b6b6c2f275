/* SPDX-License-Identifier: Apache-2.0 */
/* Members that lie, a fifth of all: about their neighbours, in what they forward, about records;
 * they repeat and forge. Others may lose messages by them, and must believe nothing false; when the
 * liars are gone all is well. */
#include "sim/liar.h"
#include "sim/memory.h"
#include "sim/scenarios/scenarios.h"
#include "sim/share.h"
#include "sim/stage.h"

enum { CROWD_S = 30, HEAL_LIMIT_S = 240, TTL_S = 240, LIAR_EVERY = 5, TICK_S = 2 };

static void play(struct sim_run *run);
static void expect_well(struct sim_stage *stage);

const struct sim_scenario sim_hostile = {
    .name = "hostile",
    .sentence = "a fifth of the members lie about neighbours and records, repeat and forge",
    .nodes_are = "nodes, every fifth one a liar",
    .nodes = 30,
    .nodes_max = 5000,
    .minutes = 5,
    .draws = true,
    .play = play,
};

static void play(struct sim_run *run) {
    struct sim_mixture mixture = sim_mixture_usual();
    struct sim_stage stage;
    struct sim_liar **liars = sim_take(run->options.nodes, sizeof(struct sim_liar *));
    uint64_t lies = 0;
    sim_stage_begin(&stage, run, run->options.nodes, &mixture);
    stage.probes.has_liars = true;
    for (uint32_t i = LIAR_EVERY - 1; i < stage.nodes->count; i += LIAR_EVERY) {
        liars[i] = sim_liar_create(stage.nodes->all[i], (enum sim_lie)(i / LIAR_EVERY % SIM_LIES));
    }
    sim_start_all(stage.nodes, 0, WRN_S(CROWD_S));
    sim_pass(stage.nodes, WRN_S(CROWD_S + 60));
    for (uint32_t i = 0; i < stage.nodes->count; i++) {
        if (!stage.nodes->all[i]->is_liar) {
            (void)sim_records_store(&stage.records, stage.nodes->all[i], WRN_RECORD_CREATE, TTL_S,
                                    true);
        }
    }
    for (uint32_t s = 0; s < run->options.minutes * 60; s += TICK_S) {
        sim_probes_send(&stage.probes, SIM_ALL, (s / TICK_S & 1) != 0);
        sim_records_get_drawn(&stage.records, SIM_ALL);
        sim_pass(stage.nodes, WRN_S(TICK_S));
    }
    sim_draw_nodes(stage.nodes);
    struct sim_view view = sim_look(stage.nodes, SIM_ALL);
    sim_report_figure(stage.report, "consistent_among_liars_ppm",
                      sim_ppm(view.consistent, view.live - view.live / LIAR_EVERY));
    sim_pass(stage.nodes, WRN_S(SIM_GET_TIMEOUT_S));
    sim_probes_judge(&stage.probes);
    sim_records_judge(&stage.records);
    uint64_t all = stage.probes.right + stage.probes.wrong + stage.probes.late;
    sim_report_figure(stage.report, "routed_right_among_liars_ppm",
                      sim_ppm(stage.probes.right, all));
    sim_report_expect(stage.report, stage.records.wrong == 0, "%llu gets brought a false record",
                      (unsigned long long)stage.records.wrong);
    for (uint32_t i = LIAR_EVERY - 1; i < stage.nodes->count; i += LIAR_EVERY) {
        lies += sim_liar_count(liars[i]);
        sim_node_crash(stage.nodes->all[i]);
    }
    expect_well(&stage);
    sim_report_figure(stage.report, "lies", lies);
    sim_stage_end(&stage);
    for (uint32_t i = 0; i < run->options.nodes; i++) {
        sim_liar_destroy(liars[i]);
    }
    free(liars);
}

static void expect_well(struct sim_stage *stage) {
    struct sim_probes *probes = &stage->probes;
    struct sim_records *records = &stage->records;
    uint64_t took_ms =
        sim_expect_settled(stage->nodes, SIM_ALL, WRN_S(HEAL_LIMIT_S), "after the liars are gone");
    sim_report_figure(stage->report, "mended_after_ms", took_ms);
    sim_pass(stage->nodes, WRN_S(TTL_S));
    sim_probes_reset(probes);
    sim_records_reset(records);
    probes->has_liars = false;
    sim_probes_send_many(probes, SIM_ALL, 50, WRN_MS(100));
    sim_records_get_all(records, SIM_ALL, false, WRN_MS(100));
    sim_report_expect(stage->report, probes->wrong + probes->late + probes->refused == 0,
                      "then %llu messages came to the wrong node, %llu not at all",
                      (unsigned long long)probes->wrong, (unsigned long long)probes->late);
    sim_report_expect(stage->report,
                      records->wrong + records->missed + records->timeouts + records->unanswered ==
                          0,
                      "then %llu gets found nothing, %llu timed out, %llu were wrong",
                      (unsigned long long)records->missed,
                      (unsigned long long)records->timeouts + records->unanswered,
                      (unsigned long long)records->wrong);
    sim_report_nodes(stage->nodes, SIM_ALL);
    sim_probes_report(probes);
    sim_records_report(records);
}
