/* SPDX-License-Identifier: Apache-2.0 */
/* Things that go wrong by themselves. */
#include "sim/faults.h"

#include <stdio.h>

enum { SLEEP_MAX_S = 600, CLOCK_SPAN_S = 1200, CALM_ONE_IN = 3 };

static const char *const names[] = {
#define X(upper, lower) #lower,
    SIM_FAULT_LIST(X)
#undef X
};

static void on_event(struct sim_event *event);
static void happen(struct sim_faults *faults, enum sim_fault fault, struct sim_node *node);
static void happen_to_net(struct sim_faults *faults, enum sim_fault fault, struct sim_node *node);
static void split(struct sim_faults *faults);
static void set_weather(struct sim_faults *faults, struct sim_node *node);
static void calm(struct sim_faults *faults);
static struct sim_node *draw_node(struct sim_faults *faults);

uint32_t sim_faults_draw(struct wrn_rand rand) {
    uint32_t enabled = 0;
    for (uint32_t i = 0; i < SIM_FAULTS; i++) {
        enabled |= wrn_rand_below(rand, 3) == 0 ? (uint32_t)1 << i : 0;
    }
    return enabled;
}

void sim_faults_begin(struct sim_faults *faults, struct sim_stage *stage, uint32_t enabled,
                      uint64_t gap_ns) {
    *faults = (struct sim_faults){
        .stage = stage,
        .event.happen = on_event,
        .gap_ns = gap_ns,
        .enabled = enabled,
        .rand = sim_rand(stage->run->world, SIM_STREAM_FAULT, 1),
    };
    on_event(&faults->event);
}

void sim_faults_heal(struct sim_faults *faults) {
    struct sim_nodes *nodes = faults->stage->nodes;
    sim_at(faults->stage->run->world, &faults->event, WRN_MONO_NEVER);
    calm(faults);
    for (uint32_t i = 0; i < nodes->count; i++) {
        sim_clock_set_offset(sim_host_clock(nodes->net, nodes->all[i]->host), 0);
    }
    sim_stage_revive(faults->stage);
}

void sim_faults_report(const struct sim_faults *faults) {
    char line[SIM_REPORT_LINE_SIZE] = "faults:";
    size_t length = strlen(line);
    for (uint32_t i = 0; i < SIM_FAULTS; i++) {
        if ((faults->enabled >> i & 1) != 0) {
            length += (size_t)snprintf(line + length, sizeof line - length, " %s %llu", names[i],
                                       (unsigned long long)faults->counts[i]);
        }
    }
    sim_report_line(faults->stage->report, "%s%s", line, faults->enabled == 0 ? " none" : "");
}

/* Now and then all that lasts is over. */
static void on_event(struct sim_event *event) {
    struct sim_faults *faults = WRN_CONTAINER(event, struct sim_faults, event);
    struct sim_world *world = faults->stage->run->world;
    uint32_t drawn = wrn_rand_below(faults->rand, SIM_FAULTS);
    uint32_t first = drawn;
    struct sim_node *node = draw_node(faults);
    if (wrn_rand_below(faults->rand, CALM_ONE_IN) == 0) {
        calm(faults);
    }
    while ((faults->enabled >> drawn & 1) == 0 && (drawn + 1) % SIM_FAULTS != first) {
        drawn = (drawn + 1) % SIM_FAULTS;
    }
    if ((faults->enabled >> drawn & 1) != 0 && node != NULL) {
        faults->counts[drawn]++;
        happen(faults, (enum sim_fault)drawn, node);
    }
    uint64_t wait = sim_draw_gap(faults->rand, faults->gap_ns);
    sim_at(world, event, wrn_mono_add(sim_now(world).mono, wait));
}

static void happen(struct sim_faults *faults, enum sim_fault fault, struct sim_node *node) {
    struct sim_nodes *nodes = faults->stage->nodes;
    wrn_mono now = sim_now(faults->stage->run->world).mono;
    switch (fault) {
    case SIM_FAULT_LEAVE:
        sim_stage_leave(faults->stage, node);
        break;
    case SIM_FAULT_SLEEP:
        if (!sim_is_set(&node->turn)) {
            uint32_t asleep_s = 1 + wrn_rand_below(faults->rand, SLEEP_MAX_S);
            sim_node_sleep(node);
            sim_node_plan(node, wrn_mono_add(now, WRN_S(asleep_s)), SIM_TURN_WAKE, SIM_SAME_STATE);
        }
        break;
    case SIM_FAULT_CLOCK: {
        int64_t off_s = (int64_t)wrn_rand_below(faults->rand, CLOCK_SPAN_S) - CLOCK_SPAN_S / 2;
        sim_clock_set_offset(sim_host_clock(nodes->net, node->host), off_s * (int64_t)WRN_S(1));
        break;
    }
    case SIM_FAULT_HOST_MOVE:
        sim_node_move_within(node);
        break;
    default:
        happen_to_net(faults, fault, node);
        break;
    }
}

static void happen_to_net(struct sim_faults *faults, enum sim_fault fault, struct sim_node *node) {
    struct sim_nodes *nodes = faults->stage->nodes;
    uint32_t drawn = wrn_rand_below(faults->rand, UINT32_MAX);
    sim_nat nat = nodes->nat_count > 0 ? nodes->nats[drawn % nodes->nat_count] : 0;
    switch (fault) {
    case SIM_FAULT_NAT_FORGET:
        if (nodes->nat_count > 0) {
            sim_nat_forget(nodes->net, nat);
        }
        break;
    case SIM_FAULT_NAT_MOVE:
        if (nodes->nat_count > 0) {
            sim_nat_renumber(nodes->net, nat);
        }
        break;
    case SIM_FAULT_INTERFACE:
        sim_host_set_up(nodes->net, node->host, false);
        break;
    case SIM_FAULT_CUT:
        sim_net_cut(nodes->net, node->host, nodes->all[drawn % nodes->count]->host, true);
        break;
    case SIM_FAULT_SPLIT:
        split(faults);
        break;
    default:
        set_weather(faults, node);
        break;
    }
}

/* Who is on which side is drawn each time. */
static void split(struct sim_faults *faults) {
    struct sim_nodes *nodes = faults->stage->nodes;
    for (uint32_t i = 0; i < nodes->count; i++) {
        sim_host_set_group(nodes->net, nodes->all[i]->host, wrn_rand_below(faults->rand, 2));
    }
    sim_net_cut_groups(nodes->net, 0, 1, true);
    sim_net_cut_groups(nodes->net, 1, 0, true);
}

static void set_weather(struct sim_faults *faults, struct sim_node *node) {
    struct sim_link line = {
        .delay_ns = WRN_MS(5 + wrn_rand_below(faults->rand, 100)),
        .jitter_ns = WRN_MS(wrn_rand_below(faults->rand, 50)),
        .loss_ppm = wrn_rand_below(faults->rand, 200000),
        .duplicate_ppm = wrn_rand_below(faults->rand, 50000),
        .corrupt_ppm = wrn_rand_below(faults->rand, 20000),
        .reorder_ppm = wrn_rand_below(faults->rand, 50000),
        .reorder_ns = WRN_MS(200),
    };
    sim_host_set_link(faults->stage->nodes->net, node->host, &line, &line);
}

static void calm(struct sim_faults *faults) {
    struct sim_nodes *nodes = faults->stage->nodes;
    sim_net_heal(nodes->net);
    sim_calm_links(nodes, &faults->stage->mixture);
    for (uint32_t i = 0; i < nodes->count; i++) {
        sim_host_set_up(nodes->net, nodes->all[i]->host, true);
    }
}

/* The first one stays, so that somebody can be found. */
static struct sim_node *draw_node(struct sim_faults *faults) {
    struct sim_node *node = sim_draw_live(faults->stage->nodes, SIM_ALL, faults->rand);
    return node != NULL && node->number > 0 ? node : NULL;
}
