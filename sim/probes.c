/* SPDX-License-Identifier: Apache-2.0 */
/* Routed messages that are looked after. */
#include "sim/probes.h"

#include "base/bytes.h"
#include "sim/ask.h"
#include "sim/memory.h"
#include "sim/share.h"

enum { SIZE = 9, MARK = 'P' };

static struct sim_node *draw_connected(struct sim_probes *probes, uint32_t group);

void sim_probes_init(struct sim_probes *probes, struct sim_nodes *nodes) {
    *probes = (struct sim_probes){
        .nodes = nodes,
        .rand = sim_rand(nodes->run->world, SIM_STREAM_WORLD, 2000),
    };
}

void sim_probes_send(struct sim_probes *probes, uint32_t group, bool is_exact) {
    struct sim_node *from = draw_connected(probes, group);
    struct sim_node *to = sim_draw_live(probes->nodes, group, probes->rand);
    uint8_t id[WRN_ID_SIZE];
    uint8_t message[SIZE] = {MARK};
    wrn_rand_fill(probes->rand, id, sizeof id);
    if (from == NULL || to == NULL || (is_exact && to == from)) {
        return;
    }
    wrn_id target = is_exact ? to->id : wrn_id_load(id);
    probes->all = sim_grow(probes->all, probes->count, &probes->capacity, sizeof *probes->all);
    probes->all[probes->count] = (struct sim_probe){
        .from = from,
        .target = target,
        .sent = sim_now(probes->nodes->run->world).mono,
        .group = group,
        .is_exact = is_exact,
    };
    wrn_store_be64(message + 1, probes->count++);
    enum wrn_reason reason = sim_ask_route(from, is_exact ? WRN_ROUTE_EXACT : WRN_ROUTE_NEAREST,
                                           target, (wrn_span){message, sizeof message});
    probes->refused += reason != WRN_REASON_NONE;
}

void sim_probes_send_many(struct sim_probes *probes, uint32_t group, uint32_t count,
                          uint64_t gap_ns) {
    for (uint32_t i = 0; i < count; i++) {
        sim_probes_send(probes, group, true);
        sim_probes_send(probes, group, false);
        sim_pass(probes->nodes, gap_ns);
    }
    sim_pass(probes->nodes, WRN_S(SIM_PROBE_TIMEOUT_S));
    sim_probes_judge(probes);
}

/* Who is right is decided when it comes: the ring may have changed on the way. */
bool sim_probes_on_event(struct sim_probes *probes, struct sim_node *node,
                         const struct wrn_overlay_action *action) {
    if (action->kind != WRN_OVERLAY_MESSAGE || action->bytes.size != SIZE ||
        action->bytes.data[0] != MARK) {
        return false;
    }
    uint64_t serial = wrn_load_be64(action->bytes.data + 1);
    if (serial >= probes->count) { /* somebody changed it */
        return true;
    }
    struct sim_probe *probe = &probes->all[serial];
    struct sim_plot *plot = probes->nodes->run->options.plot;
    uint64_t took_us = wrn_mono_since(sim_now(probes->nodes->run->world).mono, probe->sent) / 1000;
    if (probe->has_come) {
        probes->twice++;
        return true;
    }
    const struct sim_node *expected = probe->is_exact
                                          ? sim_node_of(probes->nodes, probe->target)
                                          : sim_nearest(probes->nodes, probe->group, probe->target);
    probe->has_come = true;
    probe->is_wrong = node != expected;
    sim_report_expect(&probes->nodes->run->report,
                      !probe->is_exact || !probe->is_wrong || probes->has_liars,
                      "a message for exactly one node came to node %u", node->number);
    sim_sample_add(&probes->hops, action->number);
    sim_sample_add(&probes->latency_us, took_us);
    if (plot != NULL) {
        sim_plot_add_lookup(plot, (uint32_t)action->number, (uint32_t)took_us);
    }
    return true;
}

void sim_probes_judge(struct sim_probes *probes) {
    wrn_mono now = sim_now(probes->nodes->run->world).mono;
    for (; probes->first < probes->count; probes->first++) {
        const struct sim_probe *probe = &probes->all[probes->first];
        if (wrn_mono_since(now, probe->sent) < WRN_S(SIM_PROBE_TIMEOUT_S)) {
            break;
        }
        probes->right += probe->has_come && !probe->is_wrong;
        probes->wrong += probe->has_come && probe->is_wrong;
        probes->late += !probe->has_come;
    }
}

void sim_probes_reset(struct sim_probes *probes) {
    probes->first = probes->count;
    probes->refused = probes->right = probes->wrong = probes->late = probes->twice = 0;
    probes->hops.count = probes->latency_us.count = 0;
}

void sim_probes_report(struct sim_probes *probes) {
    struct sim_report *report = &probes->nodes->run->report;
    uint64_t all = probes->right + probes->wrong + probes->late;
    sim_report_figure(report, "routed_messages", all);
    sim_report_figure(report, "routed_right_ppm", sim_ppm(probes->right, all));
    sim_report_figure(report, "routed_wrong", probes->wrong);
    sim_report_figure(report, "routed_lost", probes->late);
    sim_report_figure(report, "mean_hops_milli", sim_sample_mean_milli(&probes->hops));
    sim_report_figure(report, "max_hops", sim_sample_percentile(&probes->hops, 100));
    sim_report_figure(report, "route_p50_us", sim_sample_percentile(&probes->latency_us, 50));
    sim_report_figure(report, "route_p95_us", sim_sample_percentile(&probes->latency_us, 95));
}

void sim_probes_finish(struct sim_probes *probes) {
    free(probes->all);
    sim_sample_finish(&probes->hops);
    sim_sample_finish(&probes->latency_us);
}

static struct sim_node *draw_connected(struct sim_probes *probes, uint32_t group) {
    for (int tries = 0; tries < 20; tries++) {
        struct sim_node *node = sim_draw_live(probes->nodes, group, probes->rand);
        if (node != NULL && wrn_overlay_state(node->overlay) == WRN_RING_STATE_CONNECTED) {
            return node;
        }
    }
    return NULL;
}
