/* SPDX-License-Identifier: Apache-2.0 */
/* Many hosts that greet one another at random and answer: how fast the simulator is (chatter), and
 * partitions one way, both ways and healed (split). */
#include "base/bytes.h"
#include "sim/memory.h"
#include "sim/net.h"
#include "sim/scenarios/scenarios.h"
#include "sim/share.h"

enum { PORT = 5, SIZE = 100, GREETING = 1, ANSWER = 2, GROUPS = 2, LOSS_PPM = 10000 };

struct talker {
    struct crowd *crowd;
    sim_host host;
    struct sim_alarm alarm;
    struct wrn_rand rand;
};

struct crowd {
    struct sim_run *run;
    struct sim_net *net;
    struct talker *talkers;
    uint64_t greetings;
    uint64_t answers;
    uint64_t arrived[GROUPS][GROUPS]; /* from, to: both kinds */
};

static void play_chatter(struct sim_run *run);
static void play_split(struct sim_run *run);
static struct crowd *gather(struct sim_run *run);
static void disperse(struct crowd *crowd);
static void on_alarm(struct sim_alarm *alarm);
static void on_datagram(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                        wrn_span bytes, bool was_multicast);
static void say(struct talker *talker, const struct wrn_endpoint *to, uint8_t what);
static void rest(struct talker *talker);
static uint32_t group_of(const struct talker *talker);

const struct sim_scenario sim_chatter = {
    .name = "chatter",
    .sentence = "hosts greet one another at random, once a second each: how fast the simulator is",
    .nodes_are = "hosts",
    .nodes = 1000,
    .nodes_max = 1000000,
    .minutes = 10,
    .play = play_chatter,
};

const struct sim_scenario sim_split = {
    .name = "split",
    .sentence =
        "the network is cut one way, then both ways, then whole again; nothing crosses a cut",
    .nodes_are = "hosts",
    .nodes = 100,
    .nodes_max = 100000,
    .minutes = 8,
    .play = play_split,
};

static void play_chatter(struct sim_run *run) {
    struct crowd *crowd = gather(run);
    wrn_mono begin = sim_now(run->world).mono;
    sim_run(run->world, wrn_mono_add(begin, run->options.minutes * WRN_S(60)));
    uint64_t sent = sim_net_count(crowd->net, SIM_COUNT_SENT);
    uint64_t lost = sim_net_count(crowd->net, SIM_COUNT_LOST);
    uint64_t delivered = sim_net_count(crowd->net, SIM_COUNT_DELIVERED);
    uint64_t under_way = sim_net_under_way(crowd->net);
    sim_report_figure(&run->report, "sent_datagrams", sent);
    sim_report_figure(&run->report, "delivered_datagrams", delivered);
    sim_report_figure(&run->report, "lost_datagrams", lost);
    sim_report_expect(&run->report, sent == lost + delivered + under_way,
                      "%llu were sent, but %llu lost, %llu delivered and %llu are under way",
                      (unsigned long long)sent, (unsigned long long)lost,
                      (unsigned long long)delivered, (unsigned long long)under_way);
    sim_report_expect(&run->report, sim_is_share(lost, lost + delivered, LOSS_PPM),
                      "%llu of %llu were lost, expected one in a hundred", (unsigned long long)lost,
                      (unsigned long long)sent);
    disperse(crowd);
}

/* A quarter of the time each: whole, the second half deaf to the first, cut both ways, healed. */
static void play_split(struct sim_run *run) {
    static const struct {
        const char *name;
        bool cut[GROUPS][GROUPS];
    } phases[] = {
        {"whole", {{0}}},
        {"one way", {{false, true}, {false, false}}},
        {"both ways", {{false, true}, {true, false}}},
        {"healed", {{0}}},
    };
    struct crowd *crowd = gather(run);
    sim_report_line(&run->report, "%-12s %10s %10s %10s %10s", "", "a to a", "a to b", "b to a",
                    "b to b");
    for (size_t p = 0; p < WRN_COUNT(phases); p++) {
        for (uint32_t from = 0; from < GROUPS; from++) {
            for (uint32_t to = 0; to < GROUPS; to++) {
                sim_net_cut_groups(crowd->net, from, to, phases[p].cut[from][to]);
            }
        }
        memset(crowd->arrived, 0, sizeof crowd->arrived);
        sim_run(run->world,
                wrn_mono_add(sim_now(run->world).mono, run->options.minutes * WRN_S(15)));
        sim_report_line(
            &run->report, "%-12s %10llu %10llu %10llu %10llu", phases[p].name,
            (unsigned long long)crowd->arrived[0][0], (unsigned long long)crowd->arrived[0][1],
            (unsigned long long)crowd->arrived[1][0], (unsigned long long)crowd->arrived[1][1]);
        for (uint32_t i = 0; i < GROUPS * GROUPS; i++) {
            uint64_t count = crowd->arrived[i / GROUPS][i % GROUPS];
            bool is_cut = phases[p].cut[i / GROUPS][i % GROUPS];
            sim_report_expect(&run->report, is_cut == (count == 0),
                              "%s: %llu datagrams went from group %u to group %u", phases[p].name,
                              (unsigned long long)count, i / GROUPS, i % GROUPS);
        }
    }
    sim_report_figure(&run->report, "cut_datagrams", sim_net_count(crowd->net, SIM_COUNT_CUT));
    disperse(crowd);
}

/* Puts the hosts on the internet, the odd ones in group 1. */
static struct crowd *gather(struct sim_run *run) {
    struct crowd *crowd = sim_take(1, sizeof *crowd);
    struct sim_link up = {.delay_ns = WRN_MS(5), .jitter_ns = WRN_MS(20), .loss_ppm = LOSS_PPM};
    struct sim_link down = {.delay_ns = WRN_MS(5)};
    crowd->run = run;
    crowd->net = sim_net_create(run->world);
    crowd->talkers = sim_take(run->options.nodes, sizeof *crowd->talkers);
    for (uint32_t i = 0; i < run->options.nodes; i++) {
        struct talker *talker = &crowd->talkers[i];
        talker->crowd = crowd;
        talker->alarm.ring = on_alarm;
        talker->rand = sim_rand(run->world, SIM_STREAM_HOST, i);
        talker->host =
            sim_net_add_host(crowd->net, SIM_SEGMENT_INTERNET, &up, &down, on_datagram, talker);
        sim_host_set_group(crowd->net, talker->host, group_of(talker));
        rest(talker);
    }
    return crowd;
}

static void disperse(struct crowd *crowd) {
    sim_net_destroy(crowd->net);
    free(crowd->talkers);
    free(crowd);
}

static void on_alarm(struct sim_alarm *alarm) {
    struct talker *talker = WRN_CONTAINER(alarm, struct talker, alarm);
    struct crowd *crowd = talker->crowd;
    struct wrn_ip ips[2];
    sim_host other = wrn_rand_below(talker->rand, crowd->run->options.nodes);
    (void)sim_host_addresses(crowd->net, other, ips);
    struct wrn_endpoint to = {.ip = ips[wrn_rand_below(talker->rand, 2)], .port = PORT};
    say(talker, &to, GREETING);
    crowd->greetings++;
    rest(talker);
}

static void on_datagram(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                        wrn_span bytes, bool was_multicast) {
    struct talker *talker = owner;
    struct crowd *crowd = talker->crowd;
    (void)to;
    (void)was_multicast;
    const struct talker *other = &crowd->talkers[wrn_load_be32(bytes.data + 4)];
    crowd->arrived[group_of(other)][group_of(talker)]++;
    if (bytes.data[0] == GREETING) {
        say(talker, &from, ANSWER);
    } else {
        crowd->answers++;
    }
}

static void say(struct talker *talker, const struct wrn_endpoint *to, uint8_t what) {
    uint8_t bytes[SIZE] = {what};
    struct wrn_endpoint from = {.port = PORT};
    wrn_store_be32(bytes + 4, (uint32_t)(talker - talker->crowd->talkers));
    int error =
        sim_send(talker->crowd->net, talker->host, &from, to, (wrn_span){bytes, sizeof bytes});
    WRN_ASSERT(error == 0);
}

/* Until the next greeting: half a second to one and a half. */
static void rest(struct talker *talker) {
    struct sim_clock *clock = sim_host_clock(talker->crowd->net, talker->host);
    uint64_t ns = WRN_MS(500) + WRN_MS(1) * wrn_rand_below(talker->rand, 1000);
    sim_alarm_set(clock, &talker->alarm, wrn_mono_add(sim_clock_now(clock).mono, ns));
}

static uint32_t group_of(const struct talker *talker) {
    return (uint32_t)(talker - talker->crowd->talkers) % GROUPS;
}
