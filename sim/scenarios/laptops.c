/* SPDX-License-Identifier: Apache-2.0 */
/* Laptops behind NAT boxes that sleep for minutes or hours, with wall clocks that are wrong: alarms
 * and datagrams stop and go on as on real machines, and boxes have forgotten them meanwhile. */
#include "base/bytes.h"
#include "sim/memory.h"
#include "sim/net.h"
#include "sim/scenarios/scenarios.h"

enum { PORT = 5, SECONDS_KEEPALIVE = 20, SECONDS_AWAKE_MAX = 1800, SECONDS_ASLEEP_MAX = 14400 };

struct sleeper {
    struct dormitory *dormitory;
    sim_host host;
    struct sim_alarm tick;  /* every second by the machine's own clock */
    struct sim_event turns; /* to sleep or awake */
    struct wrn_rand rand;
    struct wrn_endpoint seen; /* by the server */
    uint64_t ticks;
    uint64_t sleeps;
    uint64_t slept_ns;
    uint64_t heard;
    wrn_mono asleep_since;
    int64_t offset_ns;
    bool is_asleep;
};

struct dormitory {
    struct sim_run *run;
    struct sim_net *net;
    struct sleeper *sleepers;
    sim_host server;
    struct wrn_endpoint at_server;
};

static void play(struct sim_run *run);
static void add_sleeper(struct dormitory *dormitory, uint32_t number);
static void on_tick(struct sim_alarm *alarm);
static void on_turn(struct sim_event *event);
static void on_datagram(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                        wrn_span bytes, bool was_multicast);
static void at_server(void *owner, struct wrn_endpoint from, struct wrn_endpoint to, wrn_span bytes,
                      bool was_multicast);
static void send_number(struct dormitory *dormitory, sim_host host, const struct wrn_endpoint *to,
                        uint32_t number);
static void set_turn(struct sleeper *sleeper, uint32_t seconds_max);
static void judge(struct dormitory *dormitory, const struct sleeper *sleeper, wrn_mono began);

const struct sim_scenario sim_laptops = {
    .name = "laptops",
    .sentence =
        "laptops behind NAT sleep for hours; clocks, alarms and mappings are as they should",
    .nodes_are = "laptops",
    .nodes = 50,
    .nodes_max = 10000,
    .minutes = 720,
    .play = play,
};

static void play(struct sim_run *run) {
    struct dormitory dormitory = {.run = run, .net = sim_net_create(run->world)};
    struct wrn_ip ips[2];
    uint64_t sleeps = 0;
    uint64_t slept_s = 0;
    wrn_mono began = sim_now(run->world).mono;
    dormitory.sleepers = sim_take(run->options.nodes, sizeof *dormitory.sleepers);
    dormitory.server =
        sim_net_add_host(dormitory.net, SIM_SEGMENT_INTERNET, NULL, NULL, at_server, &dormitory);
    (void)sim_host_addresses(dormitory.net, dormitory.server, ips);
    dormitory.at_server = (struct wrn_endpoint){.ip = ips[0], .port = PORT};
    for (uint32_t i = 0; i < run->options.nodes; i++) {
        add_sleeper(&dormitory, i);
    }
    sim_run(run->world, wrn_mono_add(began, run->options.minutes * WRN_S(60)));
    for (uint32_t i = 0; i < run->options.nodes; i++) {
        struct sleeper *sleeper = &dormitory.sleepers[i];
        judge(&dormitory, sleeper, began);
        sleeps += sleeper->sleeps;
        slept_s += sleeper->slept_ns / WRN_S(1);
    }
    sim_report_figure(&run->report, "sleeps", sleeps);
    sim_report_figure(&run->report, "slept_s", slept_s);
    sim_report_figure(&run->report, "lost_asleep_datagrams",
                      sim_net_count(dormitory.net, SIM_COUNT_HOST_ASLEEP));
    sim_report_figure(&run->report, "forgotten_by_nat_datagrams",
                      sim_net_count(dormitory.net, SIM_COUNT_NAT_NO_MAPPING));
    free(dormitory.sleepers);
    sim_net_destroy(dormitory.net);
}

static void add_sleeper(struct dormitory *dormitory, uint32_t number) {
    static const struct wrn_prefix lan4 = {{{192, 168, 1}, WRN_FAMILY_IPV4}, 24};
    static const struct wrn_prefix none;
    static const struct sim_link up = {.delay_ns = WRN_MS(10), .jitter_ns = WRN_MS(10)};
    struct sim_nat_options options = sim_nat_linux();
    struct sleeper *sleeper = &dormitory->sleepers[number];
    struct sim_world *world = dormitory->run->world;
    sim_segment lan = sim_net_add_segment(dormitory->net, &lan4, &none);
    (void)sim_net_add_nat(dormitory->net, lan, SIM_SEGMENT_INTERNET, &options, &up, &up);
    sleeper->dormitory = dormitory;
    sleeper->host = sim_net_add_host(dormitory->net, lan, NULL, NULL, on_datagram, sleeper);
    sleeper->rand = sim_rand(world, SIM_STREAM_FAULT, number);
    sleeper->tick.ring = on_tick;
    sleeper->turns.happen = on_turn;
    struct sim_clock *clock = sim_host_clock(dormitory->net, sleeper->host);
    /* Up to half a year wrong either way, to the second. */
    sleeper->offset_ns =
        ((int64_t)wrn_rand_below(sleeper->rand, 31536000) - 15768000) * (int64_t)WRN_S(1);
    sim_clock_set_offset(clock, sleeper->offset_ns);
    sim_alarm_set(clock, &sleeper->tick, wrn_mono_add(sim_clock_now(clock).mono, WRN_S(1)));
    set_turn(sleeper, SECONDS_AWAKE_MAX);
}

static void on_tick(struct sim_alarm *alarm) {
    struct sleeper *sleeper = WRN_CONTAINER(alarm, struct sleeper, tick);
    struct dormitory *dormitory = sleeper->dormitory;
    struct sim_clock *clock = sim_host_clock(dormitory->net, sleeper->host);
    sim_report_expect(&dormitory->run->report, !sleeper->is_asleep, "host %u: an alarm in sleep",
                      sleeper->host);
    if (sleeper->ticks++ % SECONDS_KEEPALIVE == 0) {
        send_number(dormitory, sleeper->host, &dormitory->at_server,
                    (uint32_t)(sleeper - dormitory->sleepers));
    }
    sim_alarm_set(clock, alarm, wrn_mono_add(sim_clock_now(clock).mono, WRN_S(1)));
}

/* The server calls each time: what it says to a laptop that falls asleep comes too late, what it
 * says to one that wakes finds no mapping any more if the sleep was long. */
static void on_turn(struct sim_event *event) {
    struct sleeper *sleeper = WRN_CONTAINER(event, struct sleeper, turns);
    struct dormitory *dormitory = sleeper->dormitory;
    wrn_mono now = sim_now(dormitory->run->world).mono;
    if (sleeper->seen.port != 0) {
        send_number(dormitory, dormitory->server, &sleeper->seen, 0);
    }
    sleeper->is_asleep = !sleeper->is_asleep;
    if (sleeper->is_asleep) {
        sleeper->asleep_since = now;
        sleeper->sleeps++;
        sim_host_sleep(dormitory->net, sleeper->host);
        set_turn(sleeper, SECONDS_ASLEEP_MAX);
    } else {
        sleeper->slept_ns += wrn_mono_since(now, sleeper->asleep_since);
        sim_host_wake(dormitory->net, sleeper->host);
        set_turn(sleeper, SECONDS_AWAKE_MAX);
    }
}

static void on_datagram(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                        wrn_span bytes, bool was_multicast) {
    struct sleeper *sleeper = owner;
    (void)from;
    (void)to;
    (void)bytes;
    (void)was_multicast;
    sim_report_expect(&sleeper->dormitory->run->report, !sleeper->is_asleep,
                      "host %u: a datagram in sleep", sleeper->host);
    sleeper->heard++;
}

static void at_server(void *owner, struct wrn_endpoint from, struct wrn_endpoint to, wrn_span bytes,
                      bool was_multicast) {
    struct dormitory *dormitory = owner;
    (void)to;
    (void)was_multicast;
    uint32_t number = wrn_load_be32(bytes.data);
    dormitory->sleepers[number].seen = from;
    send_number(dormitory, dormitory->server, &from, 0);
}

static void send_number(struct dormitory *dormitory, sim_host host, const struct wrn_endpoint *to,
                        uint32_t number) {
    struct wrn_endpoint from = {.port = PORT};
    uint8_t bytes[sizeof number];
    wrn_store_be32(bytes, number);
    int error = sim_send(dormitory->net, host, &from, to, (wrn_span){bytes, sizeof bytes});
    WRN_ASSERT(error == 0);
}

static void set_turn(struct sleeper *sleeper, uint32_t seconds_max) {
    struct sim_world *world = sleeper->dormitory->run->world;
    uint64_t ns = WRN_MS(1) * wrn_rand_below(sleeper->rand, seconds_max * 1000);
    sim_at(world, &sleeper->turns, wrn_mono_add(sim_now(world).mono, ns));
}

/* By its own clock it ticked every second; by the wall it is as wrong as it was. */
static void judge(struct dormitory *dormitory, const struct sleeper *sleeper, wrn_mono began) {
    struct sim_report *report = &dormitory->run->report;
    const struct sim_clock *clock = sim_host_clock(dormitory->net, sleeper->host);
    uint64_t lived_ns = sim_clock_now(clock).mono.ns - began.ns;
    wrn_mono now = sim_now(dormitory->run->world).mono;
    uint64_t slept_ns = sleeper->slept_ns;
    if (sleeper->is_asleep) {
        slept_ns += wrn_mono_since(now, sleeper->asleep_since);
    }
    /* It may have fallen asleep in the moment of a tick, before it. */
    bool owes_one = sleeper->is_asleep && lived_ns % WRN_S(1) == 0;
    sim_report_expect(report,
                      sleeper->ticks == lived_ns / WRN_S(1) ||
                          (owes_one && sleeper->ticks + 1 == lived_ns / WRN_S(1)),
                      "host %u: %llu ticks in %llu ns awake", sleeper->host,
                      (unsigned long long)sleeper->ticks, (unsigned long long)lived_ns);
    sim_report_expect(report, lived_ns + slept_ns == wrn_mono_since(now, began),
                      "host %u: awake %llu ns and asleep %llu ns are not all of the time",
                      sleeper->host, (unsigned long long)lived_ns, (unsigned long long)slept_ns);
    sim_report_expect(report, sim_clock_error(clock) == sleeper->offset_ns,
                      "host %u: the wall clock is %lld ns wrong, expected %lld", sleeper->host,
                      (long long)sim_clock_error(clock), (long long)sleeper->offset_ns);
    sim_report_expect(report, sleeper->ticks < 60 || sleeper->heard > 0,
                      "host %u: heard nothing from the server", sleeper->host);
}
