/* SPDX-License-Identifier: Apache-2.0 */
/* A swarm: the seed decides first which faults there are and what the nodes are like, then what
 * happens. While it happens nothing may be unsafe; when it is over the ring must come back, and
 * what was stored by those who keep it. */
#include "sim/faults.h"
#include "sim/scenarios/scenarios.h"
#include "sim/share.h"
#include "sim/stage.h"

enum { NODES_MIN = 8, CROWD_S = 20, START_LIMIT_S = 180, HEAL_LIMIT_S = 240, TTL_S = 240 };
enum { RECORDS = 6, PROBES = 20, TICK_S = 2 };

static void play(struct sim_run *run);
static struct sim_mixture draw_mixture(struct wrn_rand rand);
static void trouble(struct sim_stage *stage, struct wrn_rand rand);
static struct sim_victims victims_of(struct sim_stage *stage);
static void expect_well(struct sim_stage *stage);

const struct sim_scenario sim_mixed = {
    .name = "mixed",
    .sentence = "the seed decides what goes wrong; then all heals and must come back",
    .nodes_are = "nodes at most; the seed says how many, from 8 on",
    .nodes = 16,
    .nodes_max = 5000,
    .minutes = 4,
    .play = play,
};

static void play(struct sim_run *run) {
    struct wrn_rand rand = sim_rand(run->world, SIM_STREAM_WORLD, 3000);
    uint32_t nodes = run->options.nodes;
    struct sim_mixture mixture = draw_mixture(rand);
    struct sim_stage stage;
    if (nodes > NODES_MIN) {
        nodes = NODES_MIN + wrn_rand_below(rand, nodes - NODES_MIN + 1);
    }
    sim_stage_begin(&stage, run, nodes, &mixture);
    sim_report_line(stage.report, "%u nodes, %llu %% behind NAT", nodes,
                    (unsigned long long)mixture.natted_ppm / 10000);
    sim_start_all(stage.nodes, 0, WRN_S(CROWD_S));
    sim_pass(stage.nodes, WRN_S(CROWD_S));
    if (mixture.link.loss_ppm == 0) { /* with good lines it forms at once */
        (void)sim_expect_settled(stage.nodes, SIM_ALL, WRN_S(START_LIMIT_S), "after the start");
    } else {
        sim_pass(stage.nodes, WRN_S(START_LIMIT_S / 2));
    }
    for (uint32_t i = 0; i < RECORDS; i++) { /* by those who never get another key */
        struct sim_node *owner =
            stage.nodes->all[i % (mixture.bootstraps < nodes ? mixture.bootstraps : nodes)];
        (void)sim_records_store(&stage.records, owner, WRN_RECORD_CREATE, TTL_S, true);
    }
    trouble(&stage, rand);
    expect_well(&stage);
    sim_stage_end(&stage);
}

static struct sim_mixture draw_mixture(struct wrn_rand rand) {
    struct sim_mixture mixture = sim_mixture_usual();
    mixture.bootstraps = 1 + wrn_rand_below(rand, 3);
    mixture.natted_ppm = wrn_rand_below(rand, 3) * 300000;
    mixture.shared_ppm = wrn_rand_below(rand, 3) * 100000;
    mixture.hard_ppm = wrn_rand_below(rand, 2) * 300000;
    mixture.ipv6_ppm = wrn_rand_below(rand, 3) * 250000;
    mixture.delay_max_ns = WRN_MS(6 + wrn_rand_below(rand, 150));
    if (wrn_rand_below(rand, 3) == 0) {
        mixture.link.loss_ppm = wrn_rand_below(rand, 50000);
        mixture.link.jitter_ns = WRN_MS(wrn_rand_below(rand, 40));
        mixture.link.duplicate_ppm = wrn_rand_below(rand, 20000);
    }
    return mixture;
}

static void trouble(struct sim_stage *stage, struct wrn_rand rand) {
    struct sim_faults faults;
    uint32_t gap_s = 5 + wrn_rand_below(rand, 40);
    struct sim_victims victims = victims_of(stage);
    sim_faults_begin(&faults, &victims, sim_faults_draw(rand), WRN_S(gap_s));
    for (uint32_t s = 0; s < stage->run->options.minutes * 60; s += TICK_S) {
        sim_probes_send(&stage->probes, SIM_ALL, (s / TICK_S & 1) != 0);
        sim_records_get_drawn(&stage->records, SIM_ALL);
        sim_pass(stage->nodes, WRN_S(TICK_S));
    }
    sim_faults_heal(&faults);
    stage->mixture.link = (struct sim_link){0};
    sim_calm_links(stage->nodes, &stage->mixture);
    sim_faults_report(&faults);
    sim_pass(stage->nodes, 0);
}

/* ---- what faults do to nodes ---- */

static sim_host host_of(void *ctx, uint32_t number) {
    const struct sim_stage *stage = ctx;
    return stage->nodes->all[number]->host;
}

/* The first one stays, so that somebody can be found. */
static uint32_t draw_victim(void *ctx, struct wrn_rand rand) {
    const struct sim_stage *stage = ctx;
    const struct sim_node *node = sim_draw_live(stage->nodes, SIM_ALL, rand);
    return node != NULL && node->number > 0 ? node->number : SIM_FAULT_NOBODY;
}

static void leave(void *ctx, uint32_t number) {
    struct sim_stage *stage = ctx;
    sim_stage_leave(stage, stage->nodes->all[number]);
}

static bool can_sleep(void *ctx, uint32_t number) {
    const struct sim_stage *stage = ctx;
    return !sim_is_set(&stage->nodes->all[number]->turn);
}

static void let_sleep(void *ctx, uint32_t number, uint64_t ns) {
    struct sim_stage *stage = ctx;
    struct sim_node *node = stage->nodes->all[number];
    wrn_mono now = sim_now(stage->run->world).mono;
    sim_node_sleep(node);
    sim_node_plan(node, wrn_mono_add(now, ns), SIM_TURN_WAKE, SIM_SAME_STATE);
}

static void move(void *ctx, uint32_t number) {
    struct sim_stage *stage = ctx;
    sim_node_move_within(stage->nodes->all[number]);
}

static void calm(void *ctx) {
    struct sim_stage *stage = ctx;
    sim_calm_links(stage->nodes, &stage->mixture);
}

static void revive(void *ctx) {
    sim_stage_revive(ctx);
}

static struct sim_victims victims_of(struct sim_stage *stage) {
    return (struct sim_victims){
        .net = stage->nodes->net,
        .report = stage->report,
        .nats = stage->nodes->nats,
        .nat_count = stage->nodes->nat_count,
        .count = stage->nodes->count,
        .ctx = stage,
        .host = host_of,
        .draw = draw_victim,
        .leave = leave,
        .can_sleep = can_sleep,
        .sleep = let_sleep,
        .move = move,
        .calm = calm,
        .revive = revive,
    };
}

/* The ring is whole in time; then every message arrives, and the records are there. */
static void expect_well(struct sim_stage *stage) {
    struct sim_probes *probes = &stage->probes;
    struct sim_records *records = &stage->records;
    uint64_t took_ms =
        sim_expect_settled(stage->nodes, SIM_ALL, WRN_S(HEAL_LIMIT_S), "after all was healed");
    sim_pass(stage->nodes, WRN_S(SIM_GET_TIMEOUT_S));
    sim_probes_judge(probes);
    sim_records_judge(records);
    sim_report_figure(stage->report, "routed_right_in_trouble_ppm",
                      sim_ppm(probes->right, probes->right + probes->wrong + probes->late));
    sim_report_expect(stage->report, records->wrong == 0, "%llu gets brought a false record",
                      (unsigned long long)records->wrong);
    sim_pass(stage->nodes, WRN_S(TTL_S - SIM_GET_TIMEOUT_S));
    sim_probes_reset(probes);
    sim_records_reset(records);
    sim_probes_send_many(probes, SIM_ALL, PROBES, WRN_MS(100));
    sim_records_get_all(records, SIM_ALL, false, WRN_MS(100));
    sim_report_expect(stage->report, probes->wrong + probes->late + probes->refused == 0,
                      "healed: %llu messages came to the wrong node, %llu not at all, %llu were "
                      "refused",
                      (unsigned long long)probes->wrong, (unsigned long long)probes->late,
                      (unsigned long long)probes->refused);
    sim_report_expect(stage->report,
                      records->wrong + records->missed + records->timeouts + records->unanswered ==
                          0,
                      "healed: %llu gets found nothing, %llu timed out, %llu were wrong",
                      (unsigned long long)records->missed,
                      (unsigned long long)records->timeouts + records->unanswered,
                      (unsigned long long)records->wrong);
    sim_report_figure(stage->report, "mended_after_ms", took_ms);
    sim_report_nodes(stage->nodes, SIM_ALL);
    sim_probes_report(probes);
    sim_records_report(records);
}
