/* SPDX-License-Identifier: Apache-2.0 */
/* Rings that come apart and rings that meet: two halves live on by themselves and become one again;
 * two rings that never knew of each other do; a LAN finds itself without any help. */
#include <stdio.h>

#include "sim/scenarios/scenarios.h"
#include "sim/stage.h"

enum {
    CROWD_S = 30,
    LIMIT_S = 120,
    HALF_LIMIT_S = 180,
    MERGE_LIMIT_S = 300,
    TTL_S = 600,
    TOLD_S = 400
};
enum { CONFLICTS = 8, CONFLICT_TAG = 5000, ASKERS = 3, KEY_SIZE = 32 };

/* A key that is created on both sides. */
struct conflict {
    struct sim_node *owners[2];
    bool is_stored[2];
    uint32_t told[2];       /* how often an owner heard that it lost */
    uint32_t answers[2];    /* how many askers got whose value */
    uint32_t other_answers; /* anything else */
};

struct split {
    struct sim_stage stage;
    struct conflict conflicts[CONFLICTS];
};

static void play_partition_heal(struct sim_run *run);
static void play_two_rings(struct sim_run *run);
static void play_lan(struct sim_run *run);
static void set_groups(struct sim_stage *stage);
static void cut(struct sim_stage *stage, bool is_cut);
static wrn_span key_of(uint32_t number, char text[KEY_SIZE]);
static void create_on_both_sides(struct split *split);
static void ask_everybody(struct split *split);
static void judge(struct split *split);
static void on_event(struct sim_stage *stage, struct sim_node *node,
                     const struct wrn_overlay_action *action);
static void on_answer(struct split *split, const struct wrn_overlay_action *action);

const struct sim_scenario sim_partition_heal = {
    .name = "partition-heal",
    .sentence = "two halves live on without each other, create the same keys, and become one again",
    .nodes_are = "nodes, half of them behind NAT",
    .nodes = 32,
    .nodes_max = 20000,
    .minutes = 5,
    .draws = true,
    .play = play_partition_heal,
};

const struct sim_scenario sim_two_rings = {
    .name = "two-rings",
    .sentence = "two rings of one name that never met become one when one node knows both",
    .nodes_are = "nodes, half of them on each ring",
    .nodes = 32,
    .nodes_max = 20000,
    .minutes = 2,
    .draws = true,
    .play = play_two_rings,
};

const struct sim_scenario sim_lan = {
    .name = "lan",
    .sentence = "hosts on one LAN, without the internet and without any address, find each other",
    .nodes_are = "nodes",
    .nodes = 12,
    .nodes_max = 200,
    .minutes = 2,
    .play = play_lan,
};

static void play_partition_heal(struct sim_run *run) {
    struct split split = {0};
    struct sim_stage *stage = &split.stage;
    struct sim_mixture mixture = sim_mixture_usual();
    uint32_t count = run->options.nodes < 8 ? 8 : run->options.nodes;
    run->options.nodes = count;
    mixture.bootstraps = 4;
    sim_stage_begin(stage, run, count, &mixture);
    stage->on_event = on_event;
    set_groups(stage);
    (void)sim_stage_start(stage, WRN_S(CROWD_S), WRN_S(LIMIT_S));
    sim_pass(stage->nodes, WRN_S(60));
    cut(stage, true);
    uint64_t left_ms =
        sim_expect_settled(stage->nodes, 0, WRN_S(HALF_LIMIT_S), "the left half by itself");
    uint64_t right_ms =
        sim_expect_settled(stage->nodes, 1, WRN_S(HALF_LIMIT_S), "the right half by itself");
    create_on_both_sides(&split);
    sim_pass(stage->nodes, run->options.minutes * WRN_S(60));
    cut(stage, false);
    uint64_t merged_ms =
        sim_expect_settled(stage->nodes, SIM_ALL, WRN_S(MERGE_LIMIT_S), "after the halves met");
    sim_pass(stage->nodes, WRN_S(TOLD_S)); /* who keeps a record looks after half of its life */
    ask_everybody(&split);
    judge(&split);
    sim_draw_nodes(stage->nodes);
    sim_report_figure(stage->report, "halves_after_ms", left_ms + right_ms);
    sim_report_figure(stage->report, "merged_after_ms", merged_ms);
    sim_report_nodes(stage->nodes, SIM_ALL);
    sim_stage_end(stage);
}

static void play_two_rings(struct sim_run *run) {
    struct sim_stage stage;
    struct sim_mixture mixture = sim_mixture_usual();
    uint32_t count = run->options.nodes < 6 ? 6 : run->options.nodes;
    run->options.nodes = count;
    mixture.bootstraps = 2;
    mixture.shared_ppm = 0; /* on a LAN they would hear of each other */
    sim_stage_begin(&stage, run, count, &mixture);
    set_groups(&stage);
    struct sim_nodes *nodes = stage.nodes;
    const struct wrn_endpoint both[2] = {nodes->bootstraps[0], nodes->bootstraps[1]};
    for (uint32_t i = 0; i < count; i++) { /* each knows one, by turns */
        nodes->bootstraps[0] = both[i % 2];
        nodes->bootstrap_count = 1;
        sim_node_start(nodes->all[i], SIM_SAME_STATE);
        sim_pass(nodes, WRN_MS(500));
    }
    (void)sim_expect_settled(nodes, 0, WRN_S(LIMIT_S), "the first ring");
    (void)sim_expect_settled(nodes, 1, WRN_S(LIMIT_S), "the second ring");
    sim_pass(nodes, run->options.minutes * WRN_S(60));
    nodes->bootstraps[0] = both[0];
    nodes->bootstraps[1] = both[1];
    nodes->bootstrap_count = 2;
    sim_node_stop(nodes->all[count - 1]);
    sim_pass(nodes, WRN_S(10));
    sim_node_start(nodes->all[count - 1], SIM_SAME_KEY);
    uint64_t merged_ms =
        sim_expect_settled(nodes, SIM_ALL, WRN_S(MERGE_LIMIT_S), "after one node knew both rings");
    sim_draw_nodes(nodes);
    sim_report_figure(stage.report, "merged_after_ms", merged_ms);
    sim_report_nodes(nodes, SIM_ALL);
    sim_stage_end(&stage);
}

static void play_lan(struct sim_run *run) {
    static const struct wrn_prefix lan4 = {{{192, 168, 7}, WRN_FAMILY_IPV4}, 24};
    static const struct wrn_prefix none;
    static const struct sim_link cable = {.delay_ns = WRN_MS(1) / 4};
    struct sim_mixture mixture = {.bootstraps = 0};
    struct sim_stage stage;
    struct sim_nodes *nodes = sim_nodes_create(run);
    sim_segment lan = sim_net_add_segment(nodes->net, &lan4, &none);
    nodes->defaults.announces = true;
    for (uint32_t i = 0; i < run->options.nodes; i++) {
        (void)sim_node_add(nodes, lan, &cable, &cable);
    }
    sim_stage_begin_with(&stage, run, nodes, &mixture);
    uint64_t took_ms = sim_stage_start(&stage, WRN_S(CROWD_S), WRN_S(LIMIT_S));
    sim_pass(nodes, run->options.minutes * WRN_S(60));
    struct sim_view view = sim_look(nodes, SIM_ALL);
    sim_report_expect(stage.report, view.consistent == view.live && view.relayed_links == 0,
                      "%u of %u nodes are consistent, %llu links are relayed", view.consistent,
                      view.live, (unsigned long long)view.relayed_links);
    sim_report_figure(stage.report, "consistent_after_ms", took_ms);
    sim_report_nodes(nodes, SIM_ALL);
    sim_stage_end(&stage);
}

/* By turns, so that both have bootstrap nodes. */
static void set_groups(struct sim_stage *stage) {
    for (uint32_t i = 0; i < stage->nodes->count; i++) {
        struct sim_node *node = stage->nodes->all[i];
        node->group = i % 2;
        sim_host_set_group(stage->nodes->net, node->host, node->group);
    }
}

static void cut(struct sim_stage *stage, bool is_cut) {
    sim_net_cut_groups(stage->nodes->net, 0, 1, is_cut);
    sim_net_cut_groups(stage->nodes->net, 1, 0, is_cut);
}

static wrn_span key_of(uint32_t number, char text[KEY_SIZE]) {
    int length = snprintf(text, KEY_SIZE, "both/%u", number);
    return (wrn_span){(const uint8_t *)text, (size_t)length};
}

/* The left one two seconds earlier: its claim is the older one. */
static void create_on_both_sides(struct split *split) {
    struct sim_nodes *nodes = split->stage.nodes;
    char key[KEY_SIZE];
    for (uint32_t i = 0; i < CONFLICTS; i++) {
        for (uint32_t side = 0; side < 2; side++) {
            struct conflict *conflict = &split->conflicts[i];
            const char *value = side == 0 ? "left" : "right";
            conflict->owners[side] = sim_draw_live(nodes, side, split->stage.rand);
            (void)sim_ask_store(conflict->owners[side], CONFLICT_TAG + 2 * i + side,
                                WRN_RECORD_CREATE, key_of(i, key),
                                (wrn_span){(const uint8_t *)value, strlen(value)}, TTL_S, true);
            sim_pass(nodes, WRN_S(2));
        }
    }
}

static void ask_everybody(struct split *split) {
    char key[KEY_SIZE];
    for (uint32_t i = 0; i < CONFLICTS; i++) {
        for (uint32_t k = 0; k < ASKERS; k++) {
            struct sim_node *asker = sim_draw_live(split->stage.nodes, SIM_ALL, split->stage.rand);
            (void)sim_ask_get(asker, CONFLICT_TAG + 2 * CONFLICTS + i, key_of(i, key));
            sim_pass(split->stage.nodes, WRN_S(1));
        }
    }
    sim_pass(split->stage.nodes, WRN_S(30));
}

/* One of the two has the key, for all, and the other one is told: the older claim, unless of those
 * who know it fewer than two are near the key's place in the whole ring. */
static void judge(struct split *split) {
    uint32_t older = 0;
    for (uint32_t i = 0; i < CONFLICTS; i++) {
        const struct conflict *conflict = &split->conflicts[i];
        sim_report_expect(split->stage.report, conflict->is_stored[0] && conflict->is_stored[1],
                          "key %u was not stored on both sides", i);
        uint32_t winner = conflict->answers[1] > 0;
        older += winner == 0;
        sim_report_expect(split->stage.report,
                          conflict->answers[winner] == ASKERS &&
                              conflict->answers[1 - winner] == 0 && conflict->other_answers == 0,
                          "key %u: %u get the older claim, %u the younger one, %u neither", i,
                          conflict->answers[0], conflict->answers[1], conflict->other_answers);
        sim_report_expect(split->stage.report,
                          conflict->told[winner] == 0 && conflict->told[1 - winner] == 1,
                          "key %u: its owner was told %u times that it lost, the loser %u times", i,
                          conflict->told[winner], conflict->told[1 - winner]);
    }
    sim_report_expect(split->stage.report, 2 * older > CONFLICTS, "of %d older claims %u stay",
                      CONFLICTS, older);
    sim_report_figure(split->stage.report, "older_claims_stay", older);
}

static void on_event(struct sim_stage *stage, struct sim_node *node,
                     const struct wrn_overlay_action *action) {
    struct split *split = WRN_CONTAINER(stage, struct split, stage);
    struct wrn_record record;
    char key[KEY_SIZE];
    if (action->kind == WRN_OVERLAY_ANSWER) {
        on_answer(split, action);
    } else if (action->kind == WRN_OVERLAY_RECORD_LOST &&
               wrn_record_read(action->bytes, &stage->nodes->primitives, &record) ==
                   WRN_REASON_NONE) {
        for (uint32_t i = 0; i < CONFLICTS; i++) {
            wrn_span expected = key_of(i, key);
            bool is_this = expected.size == record.key.size &&
                           memcmp(expected.data, record.key.data, expected.size) == 0;
            for (uint32_t side = 0; side < 2; side++) {
                bool is_loser = is_this && split->conflicts[i].owners[side] == node &&
                                record.value.size == (side == 0 ? 4 : 5);
                split->conflicts[i].told[side] += is_loser;
            }
        }
    }
}

static void on_answer(struct split *split, const struct wrn_overlay_action *action) {
    uint32_t number = action->answer.tag - CONFLICT_TAG;
    struct wrn_record record;
    if (number < 2 * CONFLICTS) {
        if (action->answer.reason == WRN_REASON_NONE) {
            split->conflicts[number / 2].is_stored[number % 2] = true;
        }
    } else if (number < 3 * CONFLICTS) {
        struct conflict *conflict = &split->conflicts[number - 2 * CONFLICTS];
        if (action->bytes.size > 0 &&
            wrn_record_read(action->bytes, &split->stage.nodes->primitives, &record) ==
                WRN_REASON_NONE) {
            conflict->answers[record.value.size == 4 ? 0 : 1]++;
        } else if (action->answer.reason != WRN_REASON_NONE) {
            conflict->other_answers++;
        }
    }
}
