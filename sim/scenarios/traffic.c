/* SPDX-License-Identifier: Apache-2.0 */
/* What the members say to one another beside the ring: datagrams from pair to pair, at once through
 * a relay, then directly; and when the relay dies. */
#include "base/bytes.h"
#include "sim/memory.h"
#include "sim/scenarios/scenarios.h"
#include "sim/stage.h"

enum { CROWD_S = 30, LIMIT_S = 180, GAP_MS = 20, SIZE = 64, DATA = 4, DRAIN_S = 5 };
enum { OVERTAKEN_MAX = 25, DEATH_GAP_LIMIT_S = 30 };

/* One direction of one pair. */
struct stream {
    struct traffic *traffic;
    struct sim_node *from, *to;
    struct sim_event event;
    wrn_handle peer;
    bool is_up;
    uint64_t sent, refused, received, twice, overtaken;
    uint64_t next; /* the number that should come next */
    uint64_t most_overtaken;
    uint64_t changes;        /* of the way */
    wrn_mono heard;          /* the last one */
    uint64_t longest_gap_ns; /* between two that came */
    bool was_relayed, was_direct;
    uint8_t *seen; /* a bit a number */
    uint32_t seen_capacity;
};

struct traffic {
    struct sim_stage stage;
    struct stream *streams;
    uint32_t count;
    bool is_sending;
};

static void play_user_traffic(struct sim_run *run);
static void play_relay_death(struct sim_run *run);
static void begin(struct traffic *traffic, struct sim_run *run, const struct sim_mixture *mixture);
static void connect_pairs(struct traffic *traffic, uint32_t first);
static void on_tick(struct sim_event *event);
static void on_event(struct sim_stage *stage, struct sim_node *node,
                     const struct wrn_overlay_action *action);
static void on_carried(struct traffic *traffic, const struct sim_node *node, wrn_span bytes);
static void look(struct stream *stream);
static bool mark(struct stream *stream, uint64_t number);
static void report(struct traffic *traffic);
static void finish(struct traffic *traffic);
static uint32_t kill_relays(struct traffic *traffic);

const struct sim_scenario sim_user_traffic = {
    .name = "user-traffic",
    .sentence = "pairs speak at once, by relay first; nothing is lost when they become direct",
    .nodes_are = "nodes; those behind NAT speak in pairs",
    .nodes = 24,
    .nodes_max = 2000,
    .minutes = 2,
    .play = play_user_traffic,
};

const struct sim_scenario sim_relay_death = {
    .name = "relay-death",
    .sentence = "pairs that only a relay joins go on when it dies, by another one",
    .nodes_are = "nodes; those behind hard NATs speak in pairs",
    .nodes = 24,
    .nodes_max = 2000,
    .minutes = 1,
    .play = play_relay_death,
};

static void play_user_traffic(struct sim_run *run) {
    struct sim_mixture mixture = sim_mixture_usual();
    struct traffic traffic = {0};
    mixture.natted_ppm = 1000000;
    mixture.shared_ppm = 0;
    mixture.ipv6_ppm = 0;
    begin(&traffic, run, &mixture);
    sim_pass(traffic.stage.nodes, run->options.minutes * WRN_S(60));
    traffic.is_sending = false;
    sim_pass(traffic.stage.nodes, WRN_S(DRAIN_S));
    for (uint32_t i = 0; i < traffic.count; i++) {
        const struct stream *stream = &traffic.streams[i];
        sim_report_expect(traffic.stage.report,
                          stream->is_up && stream->received == stream->sent && stream->twice == 0,
                          "from node %u to %u: %llu sent, %llu came, %llu twice, %llu changes of "
                          "the way",
                          stream->from->number, stream->to->number,
                          (unsigned long long)stream->sent, (unsigned long long)stream->received,
                          (unsigned long long)stream->twice, (unsigned long long)stream->changes);
        sim_report_expect(traffic.stage.report, stream->most_overtaken <= OVERTAKEN_MAX,
                          "from node %u to %u: one was overtaken by %llu others",
                          stream->from->number, stream->to->number,
                          (unsigned long long)stream->most_overtaken);
    }
    report(&traffic);
    finish(&traffic);
}

static void play_relay_death(struct sim_run *run) {
    struct sim_mixture mixture = sim_mixture_public(WRN_MS(15));
    struct traffic traffic = {0};
    struct sim_nodes *nodes = sim_nodes_create(run);
    static const struct sim_link line = {.delay_ns = WRN_MS(15)};
    uint32_t count = run->options.nodes < 12 ? 12 : run->options.nodes;
    run->options.nodes = count;
    for (uint32_t i = 0; i < count; i++) { /* half of them public: they may relay */
        sim_segment segment =
            i < count / 2 ? SIM_SEGMENT_INTERNET
                          : sim_home_add(nodes->net, sim_home_class("sr"), 0, NULL, NULL).segment;
        struct sim_node *node = sim_node_add(nodes, segment, &line, &line);
        if (i < mixture.bootstraps) {
            sim_node_make_bootstrap(node);
        }
    }
    sim_stage_begin_with(&traffic.stage, run, nodes, &mixture);
    traffic.stage.on_event = on_event;
    (void)sim_stage_start(&traffic.stage, WRN_S(CROWD_S), WRN_S(LIMIT_S));
    connect_pairs(&traffic, count / 2);
    sim_pass(nodes, run->options.minutes * WRN_S(60));
    uint32_t killed = kill_relays(&traffic);
    sim_pass(nodes, WRN_S(2 * DEATH_GAP_LIMIT_S));
    uint32_t relayed = 0;
    for (uint32_t i = 0; i < traffic.count; i++) {
        const struct stream *stream = &traffic.streams[i];
        uint64_t gap_ms = wrn_mono_since(sim_now(run->world).mono, stream->heard) / WRN_MS(1);
        relayed += stream->was_relayed;
        sim_report_expect(
            traffic.stage.report,
            stream->is_up && stream->longest_gap_ns <= WRN_S(DEATH_GAP_LIMIT_S) && gap_ms < 1000,
            "from node %u to %u: silence of %llu ms, %llu ms now", stream->from->number,
            stream->to->number, (unsigned long long)stream->longest_gap_ns / WRN_MS(1),
            (unsigned long long)gap_ms);
    }
    sim_report_expect(traffic.stage.report, relayed > 0 && killed > 0,
                      "%u streams were relayed, %u relays died", relayed, killed);
    sim_report_figure(traffic.stage.report, "relays_killed", killed);
    traffic.is_sending = false;
    report(&traffic);
    finish(&traffic);
}

static void begin(struct traffic *traffic, struct sim_run *run, const struct sim_mixture *mixture) {
    uint32_t count = run->options.nodes < 6 ? 6 : run->options.nodes;
    run->options.nodes = count;
    sim_stage_begin(&traffic->stage, run, count, mixture);
    traffic->stage.on_event = on_event;
    (void)sim_stage_start(&traffic->stage, WRN_S(CROWD_S), WRN_S(LIMIT_S));
    sim_pass(traffic->stage.nodes, WRN_S(30));
    connect_pairs(traffic, mixture->bootstraps);
}

/* Two streams a pair, of nodes that come one after the other. */
static void connect_pairs(struct traffic *traffic, uint32_t first) {
    struct sim_nodes *nodes = traffic->stage.nodes;
    uint32_t pairs = (nodes->count - first) / 2;
    traffic->streams = sim_take((size_t)pairs * 2, sizeof *traffic->streams);
    traffic->is_sending = true;
    for (uint32_t i = 0; i < pairs; i++) {
        struct sim_node *a = nodes->all[first + 2 * i];
        struct sim_node *b = nodes->all[first + 2 * i + 1];
        for (uint32_t k = 0; k < 2; k++) {
            struct stream *stream = &traffic->streams[traffic->count++];
            *stream = (struct stream){
                .traffic = traffic,
                .from = k == 0 ? a : b,
                .to = k == 0 ? b : a,
                .event.happen = on_tick,
            };
            stream->from->number_of = traffic->count;
        }
        sim_ask_connect(a, b->id);
        for (uint32_t k = 2; k > 0; k--) { /* there may have been a link before */
            look(&traffic->streams[traffic->count - k]);
        }
        sim_pass(nodes, WRN_MS(200));
    }
}

static void on_tick(struct sim_event *event) {
    struct stream *stream = WRN_CONTAINER(event, struct stream, event);
    uint8_t bytes[SIZE] = {DATA};
    if (!stream->traffic->is_sending || stream->from->overlay == NULL) {
        return;
    }
    wrn_store_be32(bytes + 4, (uint32_t)(stream - stream->traffic->streams));
    wrn_store_be64(bytes + 8, stream->sent);
    enum wrn_reason reason =
        sim_ask_carry(stream->from, stream->peer, (wrn_span){bytes, sizeof bytes});
    stream->sent += reason == WRN_REASON_NONE;
    stream->refused += reason != WRN_REASON_NONE;
    struct sim_world *world = stream->traffic->stage.run->world;
    sim_at(world, event, wrn_mono_add(sim_now(world).mono, WRN_MS(GAP_MS)));
}

static void on_event(struct sim_stage *stage, struct sim_node *node,
                     const struct wrn_overlay_action *action) {
    struct traffic *traffic = WRN_CONTAINER(stage, struct traffic, stage);
    if (action->kind == WRN_OVERLAY_CARRIED) {
        on_carried(traffic, node, action->bytes);
    } else if ((action->kind == WRN_OVERLAY_PEER_UP || action->kind == WRN_OVERLAY_PEER_WAY) &&
               node->number_of > 0) {
        look(&traffic->streams[node->number_of - 1]);
    }
}

static void on_carried(struct traffic *traffic, const struct sim_node *node, wrn_span bytes) {
    wrn_mono now = sim_now(traffic->stage.run->world).mono;
    uint32_t number = bytes.size == SIZE ? wrn_load_be32(bytes.data + 4) : UINT32_MAX;
    if (number >= traffic->count) {
        return;
    }
    struct stream *stream = &traffic->streams[number];
    uint64_t serial = wrn_load_be64(bytes.data + 8);
    sim_report_expect(traffic->stage.report, stream->to == node,
                      "a datagram for node %u came to node %u", stream->to->number, node->number);
    uint64_t gap_ns = wrn_mono_since(now, stream->heard);
    if (stream->received > 0 && gap_ns > stream->longest_gap_ns) {
        stream->longest_gap_ns = gap_ns;
    }
    stream->heard = now;
    if (!mark(stream, serial)) {
        stream->twice++;
        return;
    }
    stream->received++;
    if (serial >= stream->next) {
        stream->next = serial + 1;
    } else {
        uint64_t by = stream->next - serial;
        stream->overtaken++;
        stream->most_overtaken = by > stream->most_overtaken ? by : stream->most_overtaken;
    }
}

/* Speaks as soon as there is a way. */
static void look(struct stream *stream) {
    struct wrn_overlay_peer_info info;
    struct wrn_overlay *overlay = stream->from->overlay;
    wrn_handle peer = wrn_overlay_find(overlay, stream->to->id);
    if (!wrn_overlay_peer_info(overlay, peer, &info) || info.way.kind == WRN_WAY_NONE) {
        return;
    }
    stream->changes += stream->is_up;
    stream->peer = peer;
    stream->was_relayed = stream->was_relayed || info.way.kind == WRN_WAY_RELAY;
    stream->was_direct = stream->was_direct || info.way.kind == WRN_WAY_DIRECT;
    if (!stream->is_up) {
        stream->is_up = true;
        sim_at(stream->traffic->stage.run->world, &stream->event,
               sim_now(stream->traffic->stage.run->world).mono);
    }
}

/* Returns false if it came before. */
static bool mark(struct stream *stream, uint64_t number) {
    while (number / 8 >= stream->seen_capacity) {
        stream->seen = sim_grow(stream->seen, stream->seen_capacity, &stream->seen_capacity, 1);
    }
    uint8_t bit = (uint8_t)(1 << number % 8);
    bool is_new = (stream->seen[number / 8] & bit) == 0;
    stream->seen[number / 8] |= bit;
    return is_new;
}

/* Whoever relays for one of the streams at this moment. */
static uint32_t kill_relays(struct traffic *traffic) {
    uint32_t killed = 0;
    for (uint32_t i = 0; i < traffic->count && killed < 2; i++) {
        struct stream *stream = &traffic->streams[i];
        struct wrn_overlay_peer_info info;
        struct wrn_overlay_peer_info relay;
        const struct wrn_overlay *overlay = stream->from->overlay;
        if (overlay != NULL && wrn_overlay_peer_info(overlay, stream->peer, &info) &&
            info.way.kind == WRN_WAY_RELAY &&
            wrn_overlay_peer_info(overlay, info.way.relay, &relay)) {
            struct sim_node *node = sim_node_of(traffic->stage.nodes, relay.id);
            if (node != NULL && node->overlay != NULL) {
                sim_node_crash(node);
                killed++;
            }
        }
    }
    return killed;
}

static void report(struct traffic *traffic) {
    struct sim_report *to = traffic->stage.report;
    uint64_t sent = 0;
    uint64_t received = 0;
    uint64_t overtaken = 0;
    uint64_t changes = 0;
    uint64_t refused = 0;
    uint32_t relayed = 0;
    uint32_t direct = 0;
    for (uint32_t i = 0; i < traffic->count; i++) {
        const struct stream *stream = &traffic->streams[i];
        sent += stream->sent;
        received += stream->received;
        overtaken += stream->overtaken;
        changes += stream->changes;
        refused += stream->refused;
        relayed += stream->was_relayed;
        direct += stream->was_direct;
    }
    sim_report_figure(to, "streams", traffic->count);
    sim_report_figure(to, "streams_that_were_relayed", relayed);
    sim_report_figure(to, "streams_that_were_direct", direct);
    sim_report_figure(to, "changes_of_way", changes);
    sim_report_figure(to, "sent_by_users", sent);
    sim_report_figure(to, "received_by_users", received);
    sim_report_figure(to, "refused_to_users", refused);
    sim_report_figure(to, "overtaken", overtaken);
    sim_report_nodes(traffic->stage.nodes, SIM_ALL);
}

static void finish(struct traffic *traffic) {
    sim_stage_end(&traffic->stage); /* the streams' events are set until then */
    for (uint32_t i = 0; i < traffic->count; i++) {
        free(traffic->streams[i].seen);
    }
    free(traffic->streams);
}
