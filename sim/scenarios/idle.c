/* SPDX-License-Identifier: Apache-2.0 */
/* What a ring costs that is left alone, and what is said in it. */
#include "sim/scenarios/scenarios.h"
#include "sim/share.h"
#include "sim/stage.h"

enum {
    CROWD_S = 60,
    LIMIT_S = 120,
    CALM_STEP_S = 60,    /* the ring is looked at so often until it is calm ... */
    CALM_STEPS_MAX = 30, /* ... at most so often */
    CALM_PPM = 5000,     /* calm: of the links no more than so many came or went in a step */
    BYTES_PER_S_MAX = 100,
};

/* What nodes did up to a moment. */
struct tally {
    uint64_t bytes, datagrams, changes;
    uint64_t said[WRN_OVERLAY_SAID_KINDS];
    uint64_t said_bytes[WRN_OVERLAY_SAID_KINDS];
};

static void play_idle(struct sim_run *run);
static void on_event(struct sim_stage *stage, struct sim_node *node,
                     const struct wrn_overlay_action *action);
static uint64_t calm_down(struct sim_stage *stage, const uint64_t *changes);
static struct tally tally_now(const struct sim_nodes *nodes, uint64_t changes);
static void report_said(struct sim_stage *stage, const struct tally *before,
                        const struct tally *after, uint64_t node_seconds);

const struct sim_scenario sim_idle = {
    .name = "idle",
    .sentence = "nobody does anything; what the ring costs when it is left alone",
    .nodes_are = "nodes, six of ten behind NAT",
    .nodes = 40,
    .nodes_max = 20000,
    .minutes = 10,
    .play = play_idle,
};

static void play_idle(struct sim_run *run) {
    struct sim_mixture mixture = sim_mixture_usual();
    struct sim_stage stage;
    uint64_t changes = 0;
    sim_stage_begin(&stage, run, run->options.nodes, &mixture);
    stage.on_event = on_event;
    stage.ctx = &changes;
    (void)sim_stage_start(&stage, WRN_S(CROWD_S), WRN_S(LIMIT_S));
    sim_report_figure(stage.report, "calm_after_s", calm_down(&stage, &changes));
    struct tally before = tally_now(stage.nodes, changes);
    sim_phase(run, "idle");
    sim_pass(stage.nodes, run->options.minutes * WRN_S(60));
    sim_phase(run, NULL);
    struct tally after = tally_now(stage.nodes, changes);
    uint64_t node_seconds = (uint64_t)run->options.minutes * 60 * stage.nodes->count;
    node_seconds = node_seconds > 0 ? node_seconds : 1;
    uint64_t milli = (after.bytes - before.bytes) * 1000 / node_seconds;
    sim_report_figure(stage.report, "idle_bytes_per_node_s", (milli + 500) / 1000);
    sim_report_figure(stage.report, "idle_millidatagrams_per_node_s",
                      (after.datagrams - before.datagrams) * 1000 / node_seconds);
    sim_report_figure(stage.report, "idle_link_changes", after.changes - before.changes);
    report_said(&stage, &before, &after, node_seconds);
    sim_report_expect(stage.report, milli <= (uint64_t)BYTES_PER_S_MAX * 1000,
                      "an idle node sends and receives %llu.%03llu bytes a second, at most %d",
                      (unsigned long long)milli / 1000, (unsigned long long)milli % 1000,
                      BYTES_PER_S_MAX);
    struct sim_view view = sim_look(stage.nodes, SIM_ALL);
    sim_report_expect(stage.report, view.consistent == view.live,
                      "it did not last: %u of %u nodes are consistent", view.consistent, view.live);
    sim_report_nodes(stage.nodes, SIM_ALL);
    sim_stage_end(&stage);
}

static void on_event(struct sim_stage *stage, struct sim_node *node,
                     const struct wrn_overlay_action *action) {
    uint64_t *changes = stage->ctx;
    (void)node;
    *changes += action->kind == WRN_OVERLAY_PEER_UP || action->kind == WRN_OVERLAY_PEER_DOWN;
}

/* Lets time pass until hardly any link comes or goes. Returns how many seconds that took. */
static uint64_t calm_down(struct sim_stage *stage, const uint64_t *changes) {
    for (uint64_t step = 1; step <= CALM_STEPS_MAX; step++) {
        uint64_t before = *changes;
        sim_pass(stage->nodes, WRN_S(CALM_STEP_S));
        struct sim_view view = sim_look(stage->nodes, SIM_ALL);
        if ((*changes - before) * SIM_PPM <= view.links * CALM_PPM) {
            return step * CALM_STEP_S;
        }
    }
    return (uint64_t)CALM_STEPS_MAX * CALM_STEP_S;
}

static struct tally tally_now(const struct sim_nodes *nodes, uint64_t changes) {
    struct tally tally = {.changes = changes,
                          .datagrams = sim_net_count(nodes->net, SIM_COUNT_SENT)};
    for (uint32_t i = 0; i < nodes->count; i++) {
        struct sim_traffic traffic = sim_host_traffic(nodes->net, nodes->all[i]->host);
        tally.bytes += traffic.sent_bytes + traffic.received_bytes;
        for (uint32_t kind = 0; kind < WRN_OVERLAY_SAID_KINDS; kind++) {
            uint64_t count, bytes;
            wrn_overlay_said(nodes->all[i]->overlay, kind, &count, &bytes);
            tally.said[kind] += count;
            tally.said_bytes[kind] += bytes;
        }
    }
    return tally;
}

/* By kind, both ways together as if nothing was lost, with the headers of IPv4. */
static void report_said(struct sim_stage *stage, const struct tally *before,
                        const struct tally *after, uint64_t node_seconds) {
    static const char *const names[] = {
#define X(upper, lower) #lower,
        WRN_OVERLAY_SAID_LIST(X)
#undef X
    };
    for (uint32_t kind = 0; kind < WRN_OVERLAY_SAID_KINDS; kind++) {
        uint64_t count = after->said[kind] - before->said[kind];
        uint64_t bytes =
            after->said_bytes[kind] - before->said_bytes[kind] + count * SIM_HEADERS_IPV4;
        uint64_t milli = 2 * bytes * 1000 / node_seconds;
        if (count > 0) {
            sim_report_line(stage->report,
                            "%s: %llu datagrams, %llu.%03llu bytes a second and node, both ways",
                            names[kind], (unsigned long long)count,
                            (unsigned long long)milli / 1000, (unsigned long long)milli % 1000);
        }
    }
}
