/* SPDX-License-Identifier: Apache-2.0 */
/* What the ring is for, on a good day: records are found quickly; a broadcast comes to all once,
 * sums are right, a crawl sees everybody. */
#include "sim/memory.h"
#include "sim/scenarios/scenarios.h"
#include "sim/stage.h"

enum { CROWD_S = 30, LIMIT_S = 120, TTL_S = 86400, LINE_MS = 25, LOSS_PPM = 5000 };
enum { P50_MS_MAX = 400, P95_MS_MAX = 1000, BROADCASTS = 10, ANSWER_LIMIT_S = 60 };
enum { STORING_S = 200 };

static void play_lookups(struct sim_run *run);
static uint64_t limit_ns(uint32_t nodes);
static uint64_t store_gap_ns(uint32_t count);
static void play_broadcast(struct sim_run *run);
static void play_sums(struct sim_run *run);
static void play_crawl(struct sim_run *run);
static void begin(struct sim_stage *stage, struct sim_run *run);
static void on_broadcast(struct sim_stage *stage, struct sim_node *node,
                         const struct wrn_overlay_action *action);
static void on_sum(struct sim_stage *stage, struct sim_node *node,
                   const struct wrn_overlay_action *action);
static void on_found(struct sim_stage *stage, struct sim_node *node,
                     const struct wrn_overlay_action *action);

const struct sim_scenario sim_lookups = {
    .name = "lookups",
    .sentence = "records are put and got; 50 ms and 1 % of loss between any two nodes",
    .nodes_are = "nodes, all public",
    .nodes = 40,
    .nodes_max = 20000,
    .minutes = 2,
    .draws = true,
    .play = play_lookups,
};

const struct sim_scenario sim_broadcast = {
    .name = "broadcast",
    .sentence = "what one node says to all comes to each of them, once",
    .nodes_are = "nodes, half of them behind NAT",
    .nodes = 40,
    .nodes_max = 20000,
    .minutes = 1,
    .play = play_broadcast,
};

const struct sim_scenario sim_sums = {
    .name = "sums",
    .sentence = "the nodes are counted and their numbers added up, through the ring",
    .nodes_are = "nodes, half of them behind NAT",
    .nodes = 40,
    .nodes_max = 20000,
    .minutes = 1,
    .play = play_sums,
};

const struct sim_scenario sim_crawl = {
    .name = "crawl",
    .sentence = "one node walks the ring and sees every other once, in order",
    .nodes_are = "nodes, half of them behind NAT",
    .nodes = 40,
    .nodes_max = 20000,
    .minutes = 1,
    .play = play_crawl,
};

static void play_lookups(struct sim_run *run) {
    struct sim_mixture mixture = sim_mixture_public(WRN_MS(LINE_MS));
    struct sim_stage stage;
    struct sim_records *records = &stage.records;
    mixture.link.loss_ppm = LOSS_PPM; /* of a line; a datagram crosses two */
    sim_stage_begin(&stage, run, run->options.nodes, &mixture);
    uint64_t took_ms = sim_stage_start(&stage, WRN_S(CROWD_S), limit_ns(run->options.nodes));
    sim_report_figure(stage.report, "consistent_after_ms", took_ms);
    sim_pass(stage.nodes, WRN_S(120));
    sim_records_store_many(records, SIM_ALL, run->options.nodes * 2, WRN_RECORD_PUT, TTL_S, false,
                           store_gap_ns(run->options.nodes * 2));
    sim_records_expect_stored(records);
    for (uint64_t t_ms = 0; t_ms < (uint64_t)run->options.minutes * 60000; t_ms += 100) {
        sim_records_get_drawn(records, SIM_ALL);
        sim_pass(stage.nodes, WRN_MS(100));
    }
    sim_pass(stage.nodes, WRN_S(SIM_GET_TIMEOUT_S));
    sim_records_judge(records);
    sim_probes_send_many(&stage.probes, SIM_ALL, 100, WRN_MS(50));
    uint32_t p50 = sim_sample_percentile(&records->took_ms, 50);
    uint32_t p95 = sim_sample_percentile(&records->took_ms, 95);
    sim_report_expect(stage.report, p50 <= P50_MS_MAX && p95 <= P95_MS_MAX,
                      "half of the gets took %u ms and more, a twentieth %u ms and more", p50, p95);
    sim_report_expect(stage.report,
                      records->wrong + records->missed + records->timeouts + records->unanswered ==
                          0,
                      "%llu gets were wrong, %llu found nothing, %llu timed out",
                      (unsigned long long)records->wrong, (unsigned long long)records->missed,
                      (unsigned long long)records->timeouts + records->unanswered);
    sim_draw_nodes(stage.nodes);
    sim_report_nodes(stage.nodes, SIM_ALL);
    sim_records_report(records);
    sim_probes_report(&stage.probes);
    sim_stage_end(&stage);
}

/* Bootstrap nodes let so many newcomers in each second and no more: a crowd of ten thousand waits
 * its turn. */
static uint64_t limit_ns(uint32_t nodes) {
    return WRN_S(LIMIT_S) + WRN_MS(20) * nodes;
}

/* Between two stores: of many nodes each need not wait for all others, so that it ends. */
static uint64_t store_gap_ns(uint32_t count) {
    uint64_t gap_ns = WRN_S(STORING_S) / count;
    return gap_ns < WRN_MS(100) ? gap_ns : WRN_MS(100);
}

/* How often each node heard each broadcast. */
struct heard {
    uint32_t *times; /* of broadcast b at node n: [b * nodes + n] */
    uint32_t nodes;
};

static void play_broadcast(struct sim_run *run) {
    struct sim_stage stage;
    struct heard heard = {0};
    uint64_t reached = 0;
    begin(&stage, run);
    uint32_t count = stage.nodes->count;
    heard.nodes = count;
    heard.times = sim_take((size_t)BROADCASTS * count, sizeof *heard.times);
    stage.ctx = &heard;
    stage.on_event = on_broadcast;
    for (uint32_t i = 0; i < BROADCASTS; i++) {
        struct sim_node *from = sim_draw_live(stage.nodes, SIM_ALL, stage.rand);
        uint8_t message[] = {(uint8_t)i, 'b'};
        enum wrn_reason reason = sim_ask_broadcast(from, (wrn_span){message, sizeof message});
        sim_report_expect(stage.report, reason == WRN_REASON_NONE, "a broadcast was refused: %s",
                          wrn_reason_text(reason));
        heard.times[i * count + from->number]++; /* its own need not come back */
        sim_pass(stage.nodes, WRN_S(2));
    }
    sim_pass(stage.nodes, run->options.minutes * WRN_S(60));
    for (size_t i = 0; i < (size_t)BROADCASTS * count; i++) {
        reached += heard.times[i] > 0;
        sim_report_expect(stage.report, heard.times[i] <= 1, "node %zu heard broadcast %zu twice",
                          i % count, i / count);
    }
    sim_report_expect(stage.report, reached == (uint64_t)BROADCASTS * count,
                      "broadcasts came to %llu of %u nodes", (unsigned long long)reached,
                      BROADCASTS * count);
    sim_report_figure(stage.report, "broadcasts_heard", reached);
    sim_report_nodes(stage.nodes, SIM_ALL);
    free(heard.times);
    sim_stage_end(&stage);
}

static void on_broadcast(struct sim_stage *stage, struct sim_node *node,
                         const struct wrn_overlay_action *action) {
    struct heard *heard = stage->ctx;
    if (action->kind == WRN_OVERLAY_BROADCAST && action->bytes.size == 2 &&
        action->bytes.data[0] < BROADCASTS) {
        heard->times[action->bytes.data[0] * heard->nodes + node->number]++;
    }
}

struct total {
    uint64_t nodes;
    uint64_t sum;
    uint32_t answers;
    bool is_whole;
};

static void play_sums(struct sim_run *run) {
    struct sim_stage stage;
    struct total total = {0};
    uint64_t expected = 0;
    begin(&stage, run);
    stage.ctx = &total;
    stage.on_event = on_sum;
    for (uint32_t i = 0; i < stage.nodes->count; i++) {
        wrn_overlay_set_number(stage.nodes->all[i]->overlay, i + 1);
        expected += i + 1;
    }
    struct sim_node *from = sim_draw_live(stage.nodes, SIM_ALL, stage.rand);
    enum wrn_reason reason = sim_ask_sum(from, 7, (wrn_span){(const uint8_t *)"all", 3});
    sim_report_expect(stage.report, reason == WRN_REASON_NONE, "a sum was refused: %s",
                      wrn_reason_text(reason));
    sim_pass(stage.nodes, run->options.minutes * WRN_S(60));
    sim_report_expect(stage.report,
                      total.answers == 1 && total.is_whole && total.nodes == stage.nodes->count &&
                          total.sum == expected,
                      "%u answers; %llu of %u nodes and a sum of %llu, not %llu%s", total.answers,
                      (unsigned long long)total.nodes, stage.nodes->count,
                      (unsigned long long)total.sum, (unsigned long long)expected,
                      total.is_whole ? "" : "; it is not whole");
    sim_report_figure(stage.report, "counted_nodes", total.nodes);
    sim_report_nodes(stage.nodes, SIM_ALL);
    sim_stage_end(&stage);
}

static void on_sum(struct sim_stage *stage, struct sim_node *node,
                   const struct wrn_overlay_action *action) {
    struct total *total = stage->ctx;
    (void)node;
    if (action->kind == WRN_OVERLAY_SUM && action->tag == 7) {
        total->answers++;
        total->nodes = action->number;
        total->sum = action->values[3];
        total->is_whole = action->is_last;
        sim_report_expect(stage->report, action->values[0] == action->number,
                          "%llu nodes answered, and say that they are %llu",
                          (unsigned long long)action->number,
                          (unsigned long long)action->values[0]);
    }
}

struct walk {
    wrn_id begin, last;
    uint32_t found;
    enum wrn_reason reason;
    bool is_over;
};

static void play_crawl(struct sim_run *run) {
    struct sim_stage stage;
    begin(&stage, run);
    struct sim_node *from = sim_draw_live(stage.nodes, SIM_ALL, stage.rand);
    struct walk walk = {.begin = from->id, .last = from->id};
    stage.ctx = &walk;
    stage.on_event = on_found;
    enum wrn_reason reason = sim_ask_crawl(from, 9, UINT32_MAX);
    sim_report_expect(stage.report, reason == WRN_REASON_NONE, "a crawl was refused: %s",
                      wrn_reason_text(reason));
    sim_pass(stage.nodes, run->options.minutes * WRN_S(60));
    for (uint32_t i = 0; i < ANSWER_LIMIT_S && !walk.is_over; i++) {
        sim_pass(stage.nodes, WRN_S(1));
    }
    sim_report_expect(stage.report, walk.is_over && walk.reason == WRN_REASON_NONE,
                      "the crawl is not over, or ended: %s", wrn_reason_text(walk.reason));
    sim_report_expect(stage.report, walk.found + 1 >= stage.nodes->count, "it saw %u of %u others",
                      walk.found, stage.nodes->count - 1);
    sim_report_figure(stage.report, "found_nodes", walk.found);
    sim_report_nodes(stage.nodes, SIM_ALL);
    sim_stage_end(&stage);
}

/* Each one farther on the way round than the one before; it may end with itself. */
static void on_found(struct sim_stage *stage, struct sim_node *node,
                     const struct wrn_overlay_action *action) {
    struct walk *walk = stage->ctx;
    if (action->kind != WRN_OVERLAY_FOUND || action->tag != 9) {
        return;
    }
    if (!wrn_id_equal(action->id, walk->begin) && sim_node_of(stage->nodes, action->id) != NULL) {
        sim_report_expect(stage->report,
                          wrn_id_less(wrn_id_subtract(walk->last, walk->begin),
                                      wrn_id_subtract(action->id, walk->begin)),
                          "node %u: the crawl goes backwards after %u nodes", node->number,
                          walk->found);
        walk->last = action->id;
        walk->found++;
    }
    walk->is_over = action->is_last;
    walk->reason = action->reason;
}

static void begin(struct sim_stage *stage, struct sim_run *run) {
    struct sim_mixture mixture = sim_mixture_usual();
    sim_stage_begin(stage, run, run->options.nodes, &mixture);
    (void)sim_stage_start(stage, WRN_S(CROWD_S), WRN_S(LIMIT_S));
    sim_pass(stage->nodes, WRN_S(60));
}
