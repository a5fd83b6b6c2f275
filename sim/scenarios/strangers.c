/* SPDX-License-Identifier: Apache-2.0 */
/* Those who do not belong: nodes without a credential that try to join, to answer and to store, and
 * hosts that send floods of everything. Members do not notice; nobody is used against others. */
#include "base/bytes.h"
#include "overlay/pair.h"
#include "sim/memory.h"
#include "sim/scenarios/scenarios.h"
#include "sim/share.h"
#include "sim/stage.h"

enum { CROWD_S = 30, LIMIT_S = 180, TTL_S = 86400, CREDENTIAL_SIZE = 72, LIFE_S = 7 * 86400 };
enum { ATTACKERS = 3, FLOOD_GAP_MS = 4, PORT = 4000, ROUTED_PPM_MIN = 990000, FRAME_MAX = 1300 };
enum { COOKIE_AT = 12, STRANGER_COOKIE_AT = 36 };

/* A ring that only those are on whose key its owner signed. */
struct closed {
    struct sim_stage stage;
    uint8_t owner_seed[WRN_SEED_SIZE];
    uint8_t owner_public[WRN_SIGN_PUBLIC_SIZE];
};

struct flood;

struct attacker {
    struct flood *flood;
    sim_host host;
    struct sim_event event;
    struct wrn_rand rand;
    uint8_t cookie[WRN_COOKIE_SIZE]; /* the last one that was given to it */
    uint64_t sent, sent_bytes, received_bytes;
};

struct flood {
    struct sim_stage stage;
    struct attacker attackers[ATTACKERS];
    sim_host victim; /* in whose name it is sent, too */
    uint64_t victim_bytes;
    uint64_t in_victims_name_bytes;
    bool is_on;
};

static void play_sybil(struct sim_run *run);
static void play_flood(struct sim_run *run);
static void give_credentials(struct closed *closed);
static void sign(struct closed *closed, const uint8_t seed[WRN_SEED_SIZE], struct sim_node *node,
                 int64_t until_s);
static void prepare(void *ctx, struct sim_node *node, struct wrn_overlay_options *options);
static enum wrn_reason admit(void *ctx, wrn_wall now,
                             const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], wrn_span credential,
                             wrn_wall *ret_until);
static void trouble_members(struct closed *closed);
static uint64_t foreign_records(struct closed *closed);
static void add_attackers(struct flood *flood);
static void on_flood(struct sim_event *event);
static size_t write_frame(struct attacker *attacker, const struct sim_nodes *nodes, uint8_t *out);
static void at_attacker(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                        wrn_span bytes, bool was_multicast);
static void at_victim(void *owner, struct wrn_endpoint from, struct wrn_endpoint to, wrn_span bytes,
                      bool was_multicast);

const struct sim_scenario sim_sybil = {
    .name = "sybil",
    .sentence = "half of the nodes have no credential, a forged, a borrowed or an old one",
    .nodes_are = "nodes, every second one a stranger",
    .nodes = 32,
    .nodes_max = 5000,
    .minutes = 3,
    .draws = true,
    .play = play_sybil,
};

const struct sim_scenario sim_flood = {
    .name = "flood",
    .sentence = "strangers flood the nodes with questions, greetings and noise; members go on",
    .nodes_are = "nodes, half of them behind NAT",
    .nodes = 24,
    .nodes_max = 5000,
    .minutes = 1,
    .play = play_flood,
};

static void play_sybil(struct sim_run *run) {
    struct closed closed = {0};
    struct sim_stage *stage = &closed.stage;
    struct sim_mixture mixture = sim_mixture_usual();
    uint32_t count = run->options.nodes < 8 ? 8 : run->options.nodes;
    run->options.nodes = count;
    sim_stage_begin(stage, run, count, &mixture);
    give_credentials(&closed);
    (void)sim_stage_start(stage, WRN_S(CROWD_S), WRN_S(LIMIT_S));
    for (uint32_t i = 0; i < count; i++) {
        if (!stage->nodes->all[i]->is_stranger) {
            (void)sim_records_store(&stage->records, stage->nodes->all[i], WRN_RECORD_CREATE, TTL_S,
                                    false);
        }
    }
    for (uint32_t s = 0; s < run->options.minutes * 60; s += 5) {
        trouble_members(&closed);
        sim_probes_send(&stage->probes, SIM_ALL, (s & 1) != 0);
        sim_records_get_drawn(&stage->records, SIM_ALL);
        sim_pass(stage->nodes, WRN_S(5));
    }
    sim_pass(stage->nodes, WRN_S(SIM_GET_TIMEOUT_S));
    sim_probes_judge(&stage->probes);
    sim_records_judge(&stage->records);
    struct sim_view view = sim_look(stage->nodes, SIM_ALL);
    sim_report_expect(stage->report, view.consistent == view.live,
                      "%u of %u members are consistent", view.consistent, view.live);
    sim_report_expect(stage->report, stage->probes.wrong + stage->probes.late == 0,
                      "%llu messages came to the wrong node, %llu not at all",
                      (unsigned long long)stage->probes.wrong,
                      (unsigned long long)stage->probes.late);
    sim_report_expect(
        stage->report, stage->records.wrong + stage->records.missed + stage->records.timeouts == 0,
        "%llu gets were wrong, %llu found nothing, %llu timed out",
        (unsigned long long)stage->records.wrong, (unsigned long long)stage->records.missed,
        (unsigned long long)stage->records.timeouts);
    sim_report_expect(stage->report, foreign_records(&closed) == 0,
                      "members hold %llu records of strangers",
                      (unsigned long long)foreign_records(&closed));
    sim_draw_nodes(stage->nodes);
    sim_report_nodes(stage->nodes, SIM_ALL);
    sim_probes_report(&stage->probes);
    sim_records_report(&stage->records);
    sim_stage_end(stage);
}

/* Bootstrap nodes are members. Every second one of the others is a stranger, of four kinds. */
static void give_credentials(struct closed *closed) {
    struct sim_nodes *nodes = closed->stage.nodes;
    const struct wrn_primitives *primitives = &nodes->primitives;
    int64_t now_s = sim_now(closed->stage.run->world).wall.s;
    wrn_rand_fill(closed->stage.rand, closed->owner_seed, sizeof closed->owner_seed);
    bool is_made =
        primitives->sign_public(primitives->ctx, closed->owner_seed, closed->owner_public);
    WRN_ASSERT(is_made);
    nodes->defaults.admit = admit;
    nodes->defaults.admit_ctx = closed;
    nodes->prepare = prepare;
    for (uint32_t i = 0; i < nodes->count; i++) {
        struct sim_node *node = nodes->all[i];
        sim_node_make_key(node);
        node->is_stranger = i >= closed->stage.mixture.bootstraps && i % 2 == 1;
        if (!node->is_stranger) {
            sign(closed, closed->owner_seed, node, now_s + LIFE_S);
        } else if (i / 2 % 4 == 1) { /* by its own word */
            sign(closed, node->seed, node, now_s + LIFE_S);
        } else if (i / 2 % 4 == 2) { /* that of another */
            memcpy(node->credential, nodes->all[0]->credential, CREDENTIAL_SIZE);
            node->credential_size = CREDENTIAL_SIZE;
        } else if (i / 2 % 4 == 3) { /* that was good yesterday */
            sign(closed, closed->owner_seed, node, now_s - 1);
        }
    }
}

/* Until when, and the signature of that and of the node's key. */
static void sign(struct closed *closed, const uint8_t seed[WRN_SEED_SIZE], struct sim_node *node,
                 int64_t until_s) {
    const struct wrn_primitives *primitives = &closed->stage.nodes->primitives;
    uint8_t message[WRN_SIGN_PUBLIC_SIZE + 8];
    bool is_made = primitives->sign_public(primitives->ctx, node->seed, message);
    wrn_store_be64(message + WRN_SIGN_PUBLIC_SIZE, (uint64_t)until_s);
    wrn_store_be64(node->credential, (uint64_t)until_s);
    is_made =
        is_made && primitives->sign(primitives->ctx, seed, "simulated admission",
                                    (wrn_span){message, sizeof message}, node->credential + 8);
    WRN_ASSERT(is_made);
    node->credential_size = CREDENTIAL_SIZE;
}

/* Strangers let everybody in. */
static void prepare(void *ctx, struct sim_node *node, struct wrn_overlay_options *options) {
    (void)ctx;
    if (node->is_stranger) {
        options->admit = NULL;
    }
}

static enum wrn_reason admit(void *ctx, wrn_wall now,
                             const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], wrn_span credential,
                             wrn_wall *ret_until) {
    const struct closed *closed = ctx;
    const struct wrn_primitives *primitives = &closed->stage.nodes->primitives;
    uint8_t message[WRN_SIGN_PUBLIC_SIZE + 8];
    if (credential.size != CREDENTIAL_SIZE) {
        return WRN_REASON_NOT_ADMITTED;
    }
    memcpy(message, public_key, WRN_SIGN_PUBLIC_SIZE);
    memcpy(message + WRN_SIGN_PUBLIC_SIZE, credential.data, 8);
    if (!primitives->verify(primitives->ctx, closed->owner_public, "simulated admission",
                            (wrn_span){message, sizeof message}, credential.data + 8)) {
        return WRN_REASON_NOT_ADMITTED;
    }
    *ret_until = (wrn_wall){.s = (int64_t)wrn_load_be64(credential.data)};
    return now.s < ret_until->s ? WRN_REASON_NONE : WRN_REASON_EXPIRED;
}

/* A stranger asks for a link to a member, and stores something. */
static void trouble_members(struct closed *closed) {
    struct sim_nodes *nodes = closed->stage.nodes;
    struct sim_node *member = sim_draw_live(nodes, SIM_ALL, closed->stage.rand);
    uint32_t drawn = wrn_rand_below(closed->stage.rand, nodes->count);
    for (uint32_t i = 0; i < nodes->count; i++) {
        struct sim_node *stranger = nodes->all[(drawn + i) % nodes->count];
        if (stranger->is_stranger && stranger->overlay != NULL) {
            static const char key[] = "test/1";
            static const char value[] = "false";
            sim_ask_connect(stranger, member->id);
            (void)sim_ask_store(stranger, 1, WRN_RECORD_CREATE,
                                (wrn_span){(const uint8_t *)key, sizeof key - 1},
                                (wrn_span){(const uint8_t *)value, sizeof value - 1}, TTL_S, false);
            break;
        }
    }
}

static uint64_t foreign_records(struct closed *closed) {
    struct sim_nodes *nodes = closed->stage.nodes;
    uint64_t foreign = 0;
    for (uint32_t i = 0; i < nodes->count; i++) {
        uint32_t cursor = 0;
        wrn_span held = {0};
        while (!nodes->all[i]->is_stranger && nodes->all[i]->overlay != NULL &&
               (held = wrn_dht_next_held(wrn_overlay_dht(nodes->all[i]->overlay), &cursor)).size >
                   0) {
            struct wrn_record record;
            if (wrn_record_read(held, &nodes->primitives, &record) == WRN_REASON_NONE) {
                foreign += record.value.size == 5 && memcmp(record.value.data, "false", 5) == 0;
            }
        }
    }
    return foreign;
}

static void play_flood(struct sim_run *run) {
    struct flood flood = {0};
    struct sim_stage *stage = &flood.stage;
    struct sim_mixture mixture = sim_mixture_usual();
    uint64_t inconsistent = 0;
    sim_stage_begin(stage, run, run->options.nodes, &mixture);
    (void)sim_stage_start(stage, WRN_S(CROWD_S), WRN_S(LIMIT_S));
    add_attackers(&flood);
    for (uint32_t s = 0; s < run->options.minutes * 60; s += 1) {
        sim_probes_send(&stage->probes, SIM_ALL, (s & 1) != 0);
        sim_pass(stage->nodes, WRN_S(1));
        inconsistent += !sim_is_consistent(stage->nodes, SIM_ALL);
    }
    flood.is_on = false;
    sim_pass(stage->nodes, WRN_S(SIM_PROBE_TIMEOUT_S));
    sim_probes_judge(&stage->probes);
    uint64_t all = stage->probes.right + stage->probes.wrong + stage->probes.late;
    sim_report_expect(stage->report, sim_ppm(stage->probes.right, all) >= ROUTED_PPM_MIN,
                      "in the flood %llu of %llu messages arrived",
                      (unsigned long long)stage->probes.right, (unsigned long long)all);
    sim_report_expect(stage->report, inconsistent == 0,
                      "in the flood the ring was not consistent for %llu s",
                      (unsigned long long)inconsistent);
    sim_report_expect(stage->report, flood.victim_bytes <= flood.in_victims_name_bytes,
                      "a third host got %llu bytes for %llu that were sent in its name",
                      (unsigned long long)flood.victim_bytes,
                      (unsigned long long)flood.in_victims_name_bytes);
    uint64_t sent = 0;
    for (uint32_t i = 0; i < ATTACKERS; i++) {
        const struct attacker *attacker = &flood.attackers[i];
        sent += attacker->sent;
        sim_report_expect(stage->report, attacker->received_bytes <= attacker->sent_bytes,
                          "an attacker got %llu bytes for %llu",
                          (unsigned long long)attacker->received_bytes,
                          (unsigned long long)attacker->sent_bytes);
    }
    sim_report_figure(stage->report, "flood_datagrams", sent);
    sim_report_figure(stage->report, "victim_received_bytes", flood.victim_bytes);
    sim_report_nodes(stage->nodes, SIM_ALL);
    sim_probes_report(&stage->probes);
    sim_stage_end(stage);
}

static void add_attackers(struct flood *flood) {
    struct sim_net *net = flood->stage.nodes->net;
    struct sim_world *world = flood->stage.run->world;
    flood->is_on = true;
    flood->victim = sim_net_add_host(net, SIM_SEGMENT_INTERNET, NULL, NULL, at_victim, flood);
    for (uint32_t i = 0; i < ATTACKERS; i++) {
        struct attacker *attacker = &flood->attackers[i];
        attacker->flood = flood;
        attacker->event.happen = on_flood;
        attacker->rand = sim_rand(world, SIM_STREAM_FAULT, 100 + i);
        attacker->host =
            sim_net_add_host(net, SIM_SEGMENT_INTERNET, NULL, NULL, at_attacker, attacker);
        sim_host_let_spoof(net, attacker->host, true);
        sim_at(world, &attacker->event, sim_now(world).mono);
    }
}

/* One in four in the victim's name. All go to bootstrap nodes, which everybody knows. */
static void on_flood(struct sim_event *event) {
    struct attacker *attacker = WRN_CONTAINER(event, struct attacker, event);
    struct flood *flood = attacker->flood;
    const struct sim_nodes *nodes = flood->stage.nodes;
    struct wrn_endpoint from = {.port = PORT};
    uint8_t frame[FRAME_MAX];
    if (!flood->is_on) {
        return;
    }
    size_t size = write_frame(attacker, nodes, frame);
    bool is_spoofed = wrn_rand_below(attacker->rand, 4) == 0;
    if (is_spoofed) {
        struct wrn_ip ips[2];
        (void)sim_host_addresses(nodes->net, flood->victim, ips);
        from.ip = ips[0];
        flood->in_victims_name_bytes += size;
    } else {
        attacker->sent_bytes += size;
    }
    attacker->sent++;
    uint32_t to = wrn_rand_below(attacker->rand, nodes->bootstrap_count);
    int error = sim_send(nodes->net, attacker->host, &from, &nodes->bootstraps[to],
                         (wrn_span){frame, size});
    WRN_ASSERT(error == 0);
    struct sim_world *world = flood->stage.run->world;
    sim_at(world, event, wrn_mono_add(sim_now(world).mono, WRN_MS(FLOOD_GAP_MS)));
}

/* Questions, greetings with a cookie that is right for this address or made up, sealed and relayed
 * frames that nobody sealed, noise. */
static size_t write_frame(struct attacker *attacker, const struct sim_nodes *nodes, uint8_t *out) {
    uint32_t drawn = wrn_rand_below(attacker->rand, 6);
    size_t size = 40 + wrn_rand_below(attacker->rand, 1200);
    wrn_rand_fill(attacker->rand, out, FRAME_MAX);
    switch (drawn) {
    case 0:
        size = wrn_who_write(&nodes->primitives, nodes->defaults.ring, wrn_load_be64(out), out);
        break;
    case 1:
    case 2:
        size = size < WRN_STRANGER_OVERHEAD ? WRN_STRANGER_OVERHEAD : size;
        wrn_store_be32(out, (uint32_t)WRN_FRAME_STRANGER << 24 | 1 << 16);
        if (drawn == 1) {
            memcpy(out + STRANGER_COOKIE_AT, attacker->cookie, WRN_COOKIE_SIZE);
        }
        break;
    case 3:
        wrn_store_be32(out, (uint32_t)WRN_FRAME_SEALED << 24 | 1 << 16);
        break;
    case 4:
        wrn_store_be32(out, (uint32_t)WRN_FRAME_RELAYED << 24 | 1 << 16);
        break;
    default:
        out[0] = (uint8_t)(0x20 | (out[0] & 0x0f));
        break;
    }
    return size;
}

static void at_attacker(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                        wrn_span bytes, bool was_multicast) {
    struct attacker *attacker = owner;
    (void)from;
    (void)to;
    (void)was_multicast;
    attacker->received_bytes += bytes.size;
    if (bytes.size >= COOKIE_AT + WRN_COOKIE_SIZE && bytes.data[0] == WRN_FRAME_WHO_REPLY) {
        memcpy(attacker->cookie, bytes.data + COOKIE_AT, WRN_COOKIE_SIZE);
    }
}

static void at_victim(void *owner, struct wrn_endpoint from, struct wrn_endpoint to, wrn_span bytes,
                      bool was_multicast) {
    struct flood *flood = owner;
    (void)from;
    (void)to;
    (void)was_multicast;
    flood->victim_bytes += bytes.size;
}
