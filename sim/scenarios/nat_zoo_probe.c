/* SPDX-License-Identifier: Apache-2.0 */
/* All pairs of NAT classes: two hosts learn from a third how they are seen, are told of each other,
 * and probe at once. Which pairs get through by that alone is known beforehand (RFC 5128, section
 * 3.3, by the properties of RFC 4787); the boxes must agree. */
#include "base/bytes.h"
#include "sim/home.h"
#include "sim/memory.h"
#include "sim/scenarios/scenarios.h"

enum { PORT = 5, SERVER_PORT = 9, PROBES = 10, PROBE_GAP_MS = 500, MESSAGE_SIZE = 27 };

/* What datagrams say in their first byte. */
enum { HELLO = 1, SEEN, PEER, PROBE, PROBE_ANSWER };

struct end {
    struct pair *pair;
    const struct sim_home_class *class;
    sim_host host;
    struct wrn_endpoint peer; /* as the server told */
    struct sim_alarm alarm;
    uint32_t probes_left;
    bool is_answered; /* one of its probes was */
};

struct pair {
    struct zoo *zoo;
    struct end ends[2];
    struct wrn_endpoint seen[2]; /* by the server; port 0: not yet */
};

struct zoo {
    struct sim_run *run;
    struct sim_net *net;
    struct pair *pairs;
    uint32_t pair_count;
    sim_host server;
    struct wrn_endpoint at_server;
    uint64_t probes;
};

static void play(struct sim_run *run);
static void add_pair(struct zoo *zoo, const struct sim_home_class *a,
                     const struct sim_home_class *b);
static void add_end(struct zoo *zoo, struct pair *pair, size_t which,
                    const struct sim_home_class *class);
static void on_alarm(struct sim_alarm *alarm);
static void at_server(void *owner, struct wrn_endpoint from, struct wrn_endpoint to, wrn_span bytes,
                      bool was_multicast);
static void at_end(void *owner, struct wrn_endpoint from, struct wrn_endpoint to, wrn_span bytes,
                   bool was_multicast);
static void say(struct zoo *zoo, sim_host host, const struct wrn_endpoint *to, uint8_t what,
                const struct end *about, const struct wrn_endpoint *endpoint);
static struct wrn_endpoint endpoint_in(wrn_span bytes);
static bool is_direct(const struct pair *pair);
static bool is_steady(const struct sim_home_class *class);
static bool is_blocked(const struct sim_home_class *class);
static bool gets_through(const struct sim_home_class *from, const struct sim_home_class *to);
static bool is_expected(const struct sim_home_class *a, const struct sim_home_class *b);
static void judge(struct zoo *zoo);
static char judge_pair(void *ctx, uint32_t number, uint32_t a, uint32_t b);

const struct sim_scenario sim_nat_zoo_probe = {
    .name = "nat-zoo-probe",
    .sentence =
        "all pairs of NAT classes probe each other at once; who gets through was known before",
    .nodes_are = "hosts, two a pair; the pairs are repeated as often as there are hosts for",
    .nodes = 0,
    .nodes_max = 100000,
    .minutes = 1,
    .play = play,
};

enum { CLASSES = SIM_HOME_CLASSES, PAIRS = CLASSES * (CLASSES + 1) / 2 };

static void play(struct sim_run *run) {
    struct zoo zoo = {.run = run, .net = sim_net_create(run->world)};
    struct wrn_ip ips[2];
    uint32_t rounds = run->options.nodes / (2 * PAIRS) > 0 ? run->options.nodes / (2 * PAIRS) : 1;
    run->options.nodes = 2 * PAIRS * rounds;
    zoo.pairs = sim_take((size_t)PAIRS * rounds, sizeof *zoo.pairs);
    zoo.server = sim_net_add_host(zoo.net, SIM_SEGMENT_INTERNET, NULL, NULL, at_server, &zoo);
    (void)sim_host_addresses(zoo.net, zoo.server, ips);
    zoo.at_server = (struct wrn_endpoint){.ip = ips[0], .port = SERVER_PORT};
    for (uint32_t round = 0; round < rounds; round++) {
        for (size_t a = 0; a < CLASSES; a++) {
            for (size_t b = a; b < CLASSES; b++) {
                add_pair(&zoo, &sim_home_classes[a], &sim_home_classes[b]);
            }
        }
    }
    sim_run(run->world, wrn_mono_add(sim_now(run->world).mono, run->options.minutes * WRN_S(60)));
    judge(&zoo);
    free(zoo.pairs);
    sim_net_destroy(zoo.net);
}

static void add_pair(struct zoo *zoo, const struct sim_home_class *a,
                     const struct sim_home_class *b) {
    struct pair *pair = &zoo->pairs[zoo->pair_count++];
    pair->zoo = zoo;
    add_end(zoo, pair, 0, a);
    add_end(zoo, pair, 1, b);
}

/* A home with its box, if the class has one, and a host in it that says hello to the server. */
static void add_end(struct zoo *zoo, struct pair *pair, size_t which,
                    const struct sim_home_class *class) {
    static const struct sim_link line = {.delay_ns = WRN_MS(5), .jitter_ns = WRN_MS(20)};
    struct end *end = &pair->ends[which];
    sim_segment segment = sim_home_add(zoo->net, class, 0, NULL, NULL).segment;
    end->pair = pair;
    end->class = class;
    end->alarm.ring = on_alarm;
    end->host = sim_net_add_host(zoo->net, segment, &line, &line, at_end, end);
    say(zoo, end->host, &zoo->at_server, HELLO, end, NULL);
}

static void on_alarm(struct sim_alarm *alarm) {
    struct end *end = WRN_CONTAINER(alarm, struct end, alarm);
    struct zoo *zoo = end->pair->zoo;
    struct sim_clock *clock = sim_host_clock(zoo->net, end->host);
    say(zoo, end->host, &end->peer, PROBE, end, NULL);
    zoo->probes++;
    if (--end->probes_left > 0) {
        sim_alarm_set(clock, alarm, wrn_mono_add(sim_clock_now(clock).mono, WRN_MS(PROBE_GAP_MS)));
    }
}

/* Notes how an end is seen, and tells both of each other when it has seen both. */
static void at_server(void *owner, struct wrn_endpoint from, struct wrn_endpoint to, wrn_span bytes,
                      bool was_multicast) {
    struct zoo *zoo = owner;
    struct pair *pair = &zoo->pairs[wrn_load_be32(bytes.data + 1)];
    (void)to;
    (void)was_multicast;
    pair->seen[bytes.data[5]] = from;
    if (pair->seen[0].port != 0 && pair->seen[1].port != 0) {
        for (size_t i = 0; i < 2; i++) {
            say(zoo, zoo->server, &pair->seen[i], PEER, &pair->ends[i], &pair->seen[1 - i]);
        }
    }
}

static void at_end(void *owner, struct wrn_endpoint from, struct wrn_endpoint to, wrn_span bytes,
                   bool was_multicast) {
    struct end *end = owner;
    struct zoo *zoo = end->pair->zoo;
    (void)to;
    (void)was_multicast;
    switch (bytes.data[0]) {
    case PEER:
        end->peer = endpoint_in(bytes);
        end->probes_left = PROBES;
        on_alarm(&end->alarm);
        break;
    case PROBE: /* answered to where it came from, whatever the server said */
        say(zoo, end->host, &from, PROBE_ANSWER, end, NULL);
        break;
    case PROBE_ANSWER:
        end->is_answered = true;
        break;
    default:
        break;
    }
}

/* Sends a kind, the pair, the end, and an endpoint if there is one to tell. */
static void say(struct zoo *zoo, sim_host host, const struct wrn_endpoint *to, uint8_t what,
                const struct end *about, const struct wrn_endpoint *endpoint) {
    uint8_t bytes[MESSAGE_SIZE] = {what};
    wrn_store_be32(bytes + 1, (uint32_t)(about->pair - zoo->pairs));
    bytes[5] = (uint8_t)(about - about->pair->ends);
    if (endpoint != NULL) {
        bytes[6] = endpoint->ip.family;
        wrn_store_be16(bytes + 7, endpoint->port);
        memcpy(bytes + 9, endpoint->ip.bytes, 16);
    }
    struct wrn_endpoint from = {.port = host == zoo->server ? SERVER_PORT : PORT};
    int error = sim_send(zoo->net, host, &from, to, (wrn_span){bytes, sizeof bytes});
    WRN_ASSERT(error == 0);
}

static struct wrn_endpoint endpoint_in(wrn_span bytes) {
    struct wrn_endpoint endpoint = {.port = wrn_load_be16(bytes.data + 7)};
    endpoint.ip.family = bytes.data[6];
    memcpy(endpoint.ip.bytes, bytes.data + 9, 16);
    return endpoint;
}

/* A probe that was answered proves both directions between two endpoints. */
static bool is_direct(const struct pair *pair) {
    return pair->ends[0].is_answered || pair->ends[1].is_answered;
}

static bool is_steady(const struct sim_home_class *class) {
    return class->outside == SIM_OUTSIDE_STEADY;
}

static bool is_blocked(const struct sim_home_class *class) {
    return class->outside == SIM_OUTSIDE_BLOCKED;
}

/* A probe from one to where the server saw the other comes in, and its answer comes back.
 *
 * In: the mapping that the server saw lets it in if it lets in everybody; else only if the other's
 * own probes went through that same mapping, and then by address, or by port if the probe comes
 * from the port that they went to. Back: from the mapping that the probe was sent to, which is
 * always let in, or from another one at the same address. */
static bool gets_through(const struct sim_home_class *from, const struct sim_home_class *to) {
    bool comes_in = to->filtering == SIM_INDEPENDENT ||
                    (is_steady(to) && (to->filtering == SIM_ADDRESS || is_steady(from)));
    bool comes_back = is_steady(to) || from->filtering != SIM_ADDRESS_AND_PORT;
    return comes_in && comes_back;
}

static bool is_expected(const struct sim_home_class *a, const struct sim_home_class *b) {
    return !is_blocked(a) && !is_blocked(b) && (gets_through(a, b) || gets_through(b, a));
}

static void judge(struct zoo *zoo) {
    struct sim_report *report = &zoo->run->report;
    uint64_t direct = 0;
    sim_home_report_pairs(report, judge_pair, zoo);
    sim_report_line(report, "+ direct, - not, as expected; ~ some of them: a race; ! unexpected");
    for (uint32_t i = 0; i < zoo->pair_count; i++) {
        direct += is_direct(&zoo->pairs[i]);
    }
    sim_report_figure(report, "pairs", zoo->pair_count);
    sim_report_figure(report, "direct_pairs", direct);
    sim_report_figure(report, "probes", zoo->probes);
}

/* Looks at the pair in all rounds; returns the sign for the table. */
static char judge_pair(void *ctx, uint32_t number, uint32_t a, uint32_t b) {
    struct zoo *zoo = ctx;
    uint32_t direct = 0;
    uint32_t rounds = zoo->pair_count / PAIRS;
    for (uint32_t round = 0; round < rounds; round++) {
        direct += is_direct(&zoo->pairs[round * PAIRS + number]);
    }
    const struct sim_home_class *classes = sim_home_classes;
    bool is_race = (classes[a].is_race || classes[b].is_race) && !is_blocked(&classes[a]) &&
                   !is_blocked(&classes[b]);
    if (is_race) {
        return direct == rounds ? '+' : direct == 0 ? '-' : '~';
    }
    bool expected = is_expected(&classes[a], &classes[b]);
    bool is_right = direct == (expected ? rounds : 0);
    sim_report_expect(&zoo->run->report, is_right, "%s and %s: %u of %u direct, expected %s",
                      classes[a].name, classes[b].name, direct, rounds, expected ? "all" : "none");
    return !is_right ? '!' : expected ? '+' : '-';
}
