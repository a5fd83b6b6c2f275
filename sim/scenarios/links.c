/* SPDX-License-Identifier: Apache-2.0 */
/* Links do what they were asked to do: streams of datagrams over links with one fault each, and
 * what arrived against what had to. */
#include "base/bytes.h"
#include "sim/memory.h"
#include "sim/net.h"
#include "sim/scenarios/scenarios.h"
#include "sim/share.h"

enum { PPM = SIM_PPM, GAP_MS = 10, SIZE = 1000, PORT = 5 };
enum { ANY = UINT32_MAX }; /* a share that nothing is expected of */

/* One link, and the shares that are to be seen by the receiver, in millionths. */
struct fault {
    const char *name;
    struct sim_link link;
    uint32_t arrive_ppm;
    uint32_t late_ppm; /* come after one that was sent later */
    uint64_t delay_max_ns;
    bool is_by_chance; /* else the share that arrives is right to one in a hundred */
};

struct sender {
    struct stream *stream;
    sim_host host;
    struct sim_alarm alarm;
    uint64_t sent;
    uint64_t newest; /* number of the newest that arrived, + 1 */
};

/* All senders over one kind of link, with the receiver's counts. */
struct stream {
    const struct fault *fault;
    struct sim_net *net;
    struct sender *senders;
    struct wrn_endpoint to;
    wrn_mono end;
    uint64_t sent, arrived, distinct, corrupted, late;
    uint64_t least_ns, most_ns, sum_ns; /* under way */
};

static void play(struct sim_run *run);
static void play_fault(struct sim_run *run, const struct fault *fault);
static void on_alarm(struct sim_alarm *alarm);
static void on_datagram(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                        wrn_span bytes, bool was_multicast);
static void judge(struct sim_run *run, const struct stream *stream);

const struct sim_scenario sim_links = {
    .name = "links",
    .sentence = "streams over links with one fault each: what arrives is what was asked for",
    .nodes_are = "senders a link",
    .nodes = 10,
    .nodes_max = 1000,
    .minutes = 1,
    .play = play,
};

#define MS_20 .delay_ns = WRN_MS(20)

static const struct fault faults[] = {
    {"clean", {MS_20}, PPM, 0, WRN_MS(20), true},
    {"loss 1 %", {MS_20, .loss_ppm = 10000}, 990000, 0, WRN_MS(20), true},
    {"loss 30 %", {MS_20, .loss_ppm = 300000}, 700000, 0, WRN_MS(20), true},
    {"duplicates 5 %", {MS_20, .duplicate_ppm = 50000}, PPM, 0, WRN_MS(20), true},
    {"corruption 2 %", {MS_20, .corrupt_ppm = 20000}, PPM, 0, WRN_MS(20), true},
    /* Late is who was held back, unless the next one was too. */
    {"reordering 3 %",
     {MS_20, .reorder_ppm = 30000, .reorder_ns = WRN_MS(15)},
     PPM,
     29100,
     WRN_MS(35),
     true},
    {"jitter 40 ms", {MS_20, .jitter_ns = WRN_MS(40)}, PPM, ANY, WRN_MS(60), true},
    {"jitter in order",
     {MS_20, .jitter_ns = WRN_MS(40), .keeps_order = true},
     PPM,
     0,
     WRN_MS(60),
     true},
    /* 822,400 bit/s are offered. */
    {"rate 500 kbit/s",
     {MS_20, .rate_bps = 500000, .queue_bytes = 20000},
     607976,
     0,
     WRN_MS(340),
     false},
    {"MTU 1028", {MS_20, .mtu_bytes = SIZE + SIM_HEADERS_IPV4}, PPM, 0, WRN_MS(20), true},
    {"MTU 1027", {MS_20, .mtu_bytes = SIZE + SIM_HEADERS_IPV4 - 1}, 0, 0, 0, true},
};

static void play(struct sim_run *run) {
    sim_report_line(&run->report, "%-16s %9s %9s %9s %9s %9s %6s %6s %6s", "link", "sent",
                    "arrived", "twice", "corrupt", "late", "least", "mean", "most");
    sim_report_line(&run->report, "%-16s %9s %9s %9s %9s %9s %6s %6s %6s", "", "", "ppm", "ppm",
                    "ppm", "ppm", "ms", "ms", "ms");
    for (size_t i = 0; i < WRN_COUNT(faults); i++) {
        play_fault(run, &faults[i]);
    }
}

static void play_fault(struct sim_run *run, const struct fault *fault) {
    struct stream stream = {.fault = fault, .least_ns = UINT64_MAX};
    struct wrn_ip ips[2];
    stream.net = sim_net_create(run->world);
    stream.senders = sim_take(run->options.nodes, sizeof *stream.senders);
    wrn_mono begin = sim_now(run->world).mono;
    stream.end = wrn_mono_add(begin, run->options.minutes * WRN_S(60));
    sim_host receiver =
        sim_net_add_host(stream.net, SIM_SEGMENT_INTERNET, NULL, NULL, on_datagram, &stream);
    (void)sim_host_addresses(stream.net, receiver, ips);
    stream.to = (struct wrn_endpoint){.ip = ips[0], .port = PORT};
    for (uint32_t i = 0; i < run->options.nodes; i++) {
        struct sender *sender = &stream.senders[i];
        sender->stream = &stream;
        sender->alarm.ring = on_alarm;
        sender->host =
            sim_net_add_host(stream.net, SIM_SEGMENT_INTERNET, &fault->link, NULL, NULL, NULL);
        sim_alarm_set(sim_host_clock(stream.net, sender->host), &sender->alarm, begin);
    }
    sim_run(run->world, wrn_mono_add(stream.end, WRN_S(10))); /* the last ones arrive */
    judge(run, &stream);
    free(stream.senders);
    sim_net_destroy(stream.net);
}

static void on_alarm(struct sim_alarm *alarm) {
    struct sender *sender = WRN_CONTAINER(alarm, struct sender, alarm);
    struct stream *stream = sender->stream;
    struct sim_clock *clock = sim_host_clock(stream->net, sender->host);
    wrn_mono now = sim_clock_now(clock).mono;
    uint8_t bytes[SIZE] = {0};
    wrn_store_be64(bytes, sender->sent++);
    wrn_store_be64(bytes + 8, now.ns);
    wrn_store_be32(bytes + 16, (uint32_t)(sender - stream->senders));
    /* A second time, so that a turned bit is seen wherever it is. */
    memcpy(bytes + 20, bytes, 20);
    struct wrn_endpoint from = {.port = PORT};
    int error =
        sim_send(stream->net, sender->host, &from, &stream->to, (wrn_span){bytes, sizeof bytes});
    WRN_ASSERT(error == 0);
    stream->sent++;
    wrn_mono next = wrn_mono_add(now, WRN_MS(GAP_MS));
    if (wrn_mono_before(next, stream->end)) {
        sim_alarm_set(clock, alarm, next);
    }
}

static void on_datagram(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                        wrn_span bytes, bool was_multicast) {
    struct stream *stream = owner;
    static const uint8_t zeroes[SIZE];
    (void)from;
    (void)to;
    (void)was_multicast;
    stream->arrived++;
    if (memcmp(bytes.data, bytes.data + 20, 20) != 0 ||
        memcmp(bytes.data + 40, zeroes, bytes.size - 40) != 0) {
        stream->corrupted++;
        stream->distinct++; /* duplicates are another link's */
        return;
    }
    uint64_t number = wrn_load_be64(bytes.data);
    uint64_t took_ns = sim_now(sim_net_world(stream->net)).mono.ns - wrn_load_be64(bytes.data + 8);
    struct sender *sender = &stream->senders[wrn_load_be32(bytes.data + 16)];
    if (number + 1 == sender->newest && stream->fault->link.duplicate_ppm > 0) {
        return; /* without jitter the second comes right after the first */
    }
    stream->distinct++;
    if (number + 1 > sender->newest) {
        sender->newest = number + 1;
    } else {
        stream->late++;
    }
    stream->sum_ns += took_ns;
    stream->least_ns = took_ns < stream->least_ns ? took_ns : stream->least_ns;
    stream->most_ns = took_ns > stream->most_ns ? took_ns : stream->most_ns;
}

static void judge(struct sim_run *run, const struct stream *stream) {
    const struct fault *fault = stream->fault;
    const struct sim_link *link = &fault->link;
    struct sim_report *report = &run->report;
    uint64_t twice = stream->arrived - stream->distinct;
    uint64_t least_ns = stream->distinct > 0 ? stream->least_ns : 0;
    uint64_t mean_ns = stream->distinct > stream->corrupted
                           ? stream->sum_ns / (stream->distinct - stream->corrupted)
                           : 0;
    sim_report_line(report, "%-16s %9llu %9llu %9llu %9llu %9llu %6llu %6llu %6llu", fault->name,
                    (unsigned long long)stream->sent,
                    (unsigned long long)sim_ppm(stream->distinct, stream->sent),
                    (unsigned long long)sim_ppm(twice, stream->sent),
                    (unsigned long long)sim_ppm(stream->corrupted, stream->sent),
                    (unsigned long long)sim_ppm(stream->late, stream->sent),
                    (unsigned long long)(least_ns / WRN_MS(1)),
                    (unsigned long long)(mean_ns / WRN_MS(1)),
                    (unsigned long long)(stream->most_ns / WRN_MS(1)));
    uint64_t share = sim_ppm(stream->distinct, stream->sent);
    bool is_right = fault->is_by_chance
                        ? sim_is_share(stream->distinct, stream->sent, fault->arrive_ppm)
                        : share * 100 > fault->arrive_ppm * (uint64_t)99 &&
                              share * 100 < fault->arrive_ppm * (uint64_t)101;
    sim_report_expect(report, is_right, "%s: %llu ppm arrive, expected %u", fault->name,
                      (unsigned long long)share, fault->arrive_ppm);
    sim_report_expect(report, sim_is_share(twice, stream->sent, link->duplicate_ppm),
                      "%s: %llu ppm come twice, expected %u", fault->name,
                      (unsigned long long)sim_ppm(twice, stream->sent), link->duplicate_ppm);
    sim_report_expect(report, sim_is_share(stream->corrupted, stream->sent, link->corrupt_ppm),
                      "%s: %llu ppm are corrupt, expected %u", fault->name,
                      (unsigned long long)sim_ppm(stream->corrupted, stream->sent),
                      link->corrupt_ppm);
    sim_report_expect(report,
                      fault->late_ppm == ANY
                          ? stream->late > stream->sent / 10
                          : sim_is_share(stream->late, stream->sent, fault->late_ppm),
                      "%s: %llu ppm are late, expected %u", fault->name,
                      (unsigned long long)sim_ppm(stream->late, stream->sent), fault->late_ppm);
    sim_report_expect(report,
                      stream->distinct == 0 ||
                          (least_ns >= link->delay_ns && stream->most_ns <= fault->delay_max_ns),
                      "%s: %llu to %llu ns under way, expected %llu to %llu", fault->name,
                      (unsigned long long)least_ns, (unsigned long long)stream->most_ns,
                      (unsigned long long)link->delay_ns, (unsigned long long)fault->delay_max_ns);
}
