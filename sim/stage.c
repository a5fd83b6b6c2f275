/* SPDX-License-Identifier: Apache-2.0 */
/* What most scenarios of the ring begin with. */
#include "sim/stage.h"

enum { AWAY_MIN_S = 10, AWAY_SPAN_S = 290 };

static void on_event(void *ctx, struct sim_node *node, const struct wrn_overlay_action *action);
static void on_leaving(struct sim_event *event);
static void come_back(struct sim_stage *stage, struct sim_node *node);

void sim_stage_begin(struct sim_stage *stage, struct sim_run *run, uint32_t count,
                     const struct sim_mixture *mixture) {
    sim_stage_begin_with(stage, run, sim_populate(run, count, mixture), mixture);
}

void sim_stage_begin_with(struct sim_stage *stage, struct sim_run *run, struct sim_nodes *nodes,
                          const struct sim_mixture *mixture) {
    *stage = (struct sim_stage){
        .run = run,
        .report = &run->report,
        .mixture = *mixture,
        .nodes = nodes,
        .rand = sim_rand(run->world, SIM_STREAM_FAULT, 0),
        .leaving.happen = on_leaving,
    };
    (void)sim_checks_create(stage->nodes);
    sim_probes_init(&stage->probes, stage->nodes);
    sim_records_init(&stage->records, stage->nodes);
    stage->nodes->on_event = on_event;
    stage->nodes->ctx = stage;
}

uint64_t sim_stage_start(struct sim_stage *stage, uint64_t within_ns, uint64_t limit_ns) {
    sim_start_all(stage->nodes, 0, within_ns);
    sim_pass(stage->nodes, within_ns);
    return sim_expect_settled(stage->nodes, SIM_ALL, limit_ns, "after the last start");
}

void sim_stage_churn(struct sim_stage *stage, uint64_t gap_ns) {
    stage->leaving_gap_ns = gap_ns;
    if (gap_ns == 0) {
        sim_at(stage->run->world, &stage->leaving, WRN_MONO_NEVER);
    } else if (!sim_is_set(&stage->leaving)) {
        sim_at(stage->run->world, &stage->leaving,
               wrn_mono_add(sim_now(stage->run->world).mono, gap_ns));
    }
}

void sim_stage_leave(struct sim_stage *stage, struct sim_node *node) {
    if (sim_is_set(&node->turn)) {
        return;
    }
    stage->left++;
    if (wrn_rand_below(stage->rand, 2) == 0) {
        sim_node_stop(node);
    } else {
        sim_node_crash(node);
    }
    come_back(stage, node);
}

void sim_stage_revive(struct sim_stage *stage) {
    for (uint32_t i = 0; i < stage->nodes->count; i++) {
        struct sim_node *node = stage->nodes->all[i];
        sim_node_plan_nothing(node);
        sim_host_set_up(stage->nodes->net, node->host, true);
        if (sim_host_clock(stage->nodes->net, node->host)->is_asleep) {
            sim_node_wake(node);
        }
        if (node->overlay == NULL) {
            sim_node_start(node, SIM_SAME_STATE);
        }
    }
}

void sim_stage_end(struct sim_stage *stage) {
    sim_probes_finish(&stage->probes);
    sim_records_finish(&stage->records);
    sim_nodes_destroy(stage->nodes);
}

static void on_event(void *ctx, struct sim_node *node, const struct wrn_overlay_action *action) {
    struct sim_stage *stage = ctx;
    if (!sim_probes_on_event(&stage->probes, node, action) &&
        !sim_records_on_event(&stage->records, node, action) && stage->on_event != NULL) {
        stage->on_event(stage, node, action);
    }
}

static void on_leaving(struct sim_event *event) {
    struct sim_stage *stage = WRN_CONTAINER(event, struct sim_stage, leaving);
    uint64_t wait = sim_draw_gap(stage->rand, stage->leaving_gap_ns);
    struct sim_node *node = sim_draw_live(stage->nodes, SIM_ALL, stage->rand);
    if (node != NULL && node->number >= stage->mixture.bootstraps) {
        sim_stage_leave(stage, node);
    }
    sim_at(stage->run->world, event, wrn_mono_add(sim_now(stage->run->world).mono, wait));
}

static void come_back(struct sim_stage *stage, struct sim_node *node) {
    static const enum sim_memory memories[] = {SIM_SAME_STATE, SIM_SAME_STATE, SIM_SAME_KEY,
                                               SIM_NEW_KEY};
    uint64_t away_s = AWAY_MIN_S + wrn_rand_below(stage->rand, AWAY_SPAN_S);
    enum sim_memory memory = memories[wrn_rand_below(stage->rand, WRN_COUNT(memories))];
    sim_node_plan(node, wrn_mono_add(sim_now(stage->run->world).mono, WRN_S(away_s)),
                  SIM_TURN_START, memory);
}
