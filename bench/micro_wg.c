/* SPDX-License-Identifier: Apache-2.0 */
/* Measures the WireGuard machine alone, on one core, in virtual time: complete handshakes, data
 * packets in batches, and what a great number of idle peers costs. Prints JSON lines, then a table.
 * Times are CPU time; the median of interleaved runs counts. Sends nothing anywhere.
 *
 *     micro_wg [RUNS [MILLISECONDS_A_RUN [PEERS]]] */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "wg/wg.h"
#include "figures.h"

enum {
    PEERS_MAX = 1 << 18,
    PREFIXES_A_PEER = 10,
    BATCH = WRN_WG_BATCH_MAX,
    BUFFER_SIZE = 2048,
    IPV4_HEADER_SIZE = 20,
};

struct side {
    struct wrn_wg *wg;
    void *memory;
    size_t memory_size;
    uint8_t private_key[WRN_KEY_SIZE];
    uint8_t public_key[WRN_KEY_SIZE];
};

struct bench {
    struct wrn_crypto *crypto;
    struct wrn_prng prng;
    struct wrn_now now;
    struct side side[2]; /* 0 initiates and seals, 1 responds and opens */
    struct wrn_wg_out out;
    struct wrn_wg_packet packets[BATCH];
    struct wrn_wg_datagram datagrams[BATCH];
    uint8_t buffers[BATCH][BUFFER_SIZE];
};

struct work {
    size_t size;                     /* bytes of the inner packet; 0: handshakes */
    size_t batch;                    /* packets a call */
    double first[FIGURES_RUNS_MAX];  /* ns: seal, or initiator */
    double second[FIGURES_RUNS_MAX]; /* open, or responder */
    double first_median, second_median;
};

struct memory_result {
    uint32_t peers, prefixes;
    double bytes_peer, configure_s, find_ns;
};

static void create_side(struct bench *bench, struct side *side,
                        const struct wrn_wg_options *options);
static void destroy_side(struct side *side);
static void introduce(struct bench *bench);
static void measure(struct bench *bench, struct work *work, size_t run, double run_ns);
static void seal_and_open(struct bench *bench, const struct work *work, double *seal_ns,
                          double *open_ns);
static void shake_hands(struct bench *bench, double *initiator_ns, double *responder_ns);
static void measure_memory(struct bench *bench, uint32_t peers, struct memory_result *ret_result);
static void configure_peers(struct bench *bench, struct wrn_wg *wg, uint32_t peers);
static void print_json(const struct memory_result *memory, size_t runs);
static void print_table(const struct memory_result *memory);
static void need(bool good, const char *what);
static double resident_bytes(void);

static struct work works[] = {
    {.size = 64, .batch = 1},       {.size = 64, .batch = BATCH}, {.size = 1420, .batch = 1},
    {.size = 1420, .batch = BATCH}, {.size = 0, .batch = 1},
};

int main(int argc, char **argv) {
    static struct bench bench;
    struct memory_result memory;
    static const uint64_t limits[] = {FIGURES_RUNS_MAX, 10000, PEERS_MAX};
    uint64_t values[] = {9, 20, 100000};
    if (figures_read(argc, argv, limits, values, WRN_COUNT(values)) != 0) {
        fprintf(stderr,
                "usage: micro_wg [RUNS 1..%d [MILLISECONDS_A_RUN 1..10000 [PEERS 1..%d]]]\n",
                FIGURES_RUNS_MAX, PEERS_MAX);
        return 2;
    }
    int error = wrn_crypto_create(WRN_CRYPTO_AUTO, &bench.crypto);
    if (error) {
        fprintf(stderr, "micro_wg: libcrypto cannot be used: %s\n", strerror(-error));
        return 1;
    }
    wrn_prng_init(&bench.prng, 1, 0);
    bench.now = (struct wrn_now){.mono = {WRN_S(1000)}, .wall = {1700000000, 0}};
    measure_memory(&bench, (uint32_t)values[2], &memory);
    introduce(&bench);
    for (size_t run = 0; run < values[0]; run++) {
        for (size_t i = 0; i < WRN_COUNT(works); i++) {
            measure(&bench, &works[i], run, (double)values[1] * 1e6);
        }
    }
    for (size_t i = 0; i < WRN_COUNT(works); i++) {
        works[i].first_median = figures_median(works[i].first, values[0]);
        works[i].second_median = figures_median(works[i].second, values[0]);
    }
    print_json(&memory, values[0]);
    print_table(&memory);
    destroy_side(&bench.side[0]);
    destroy_side(&bench.side[1]);
    wrn_crypto_destroy(bench.crypto);
    return 0;
}

/* Maps memory as the device does: pages cost nothing until they are touched. */
static void create_side(struct bench *bench, struct side *side,
                        const struct wrn_wg_options *options) {
    side->memory_size = wrn_wg_memory_size(options);
    side->memory = mmap(NULL, side->memory_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    need(side->memory != MAP_FAILED, "map memory");
    (void)madvise(side->memory, side->memory_size, MADV_NOHUGEPAGE);
    side->wg = wrn_wg_init(side->memory, options, bench->crypto, wrn_prng_rand(&bench->prng));
    wrn_rand_fill(wrn_prng_rand(&bench->prng), side->private_key, WRN_KEY_SIZE);
    wrn_x25519_clamp(side->private_key);
    need(wrn_x25519_public(bench->crypto, side->private_key, side->public_key), "derive a key");
    need(wrn_wg_set_private_key(side->wg, bench->now, side->private_key) == 0, "set a key");
    wrn_wg_set_up(side->wg, bench->now, true, &bench->out);
}

static void destroy_side(struct side *side) {
    wrn_wg_finish(side->wg);
    (void)munmap(side->memory, side->memory_size);
}

/* Makes two machines that know each other; side n has 10.0.0.n+1 inside and 192.0.2.n+1 outside. */
static void introduce(struct bench *bench) {
    static const struct wrn_wg_options options = {.peers_max = 16,
                                                  .prefixes_max = 64,
                                                  .staged_max_bytes = 1 << 20,
                                                  .handshakes_per_s = 1000000};
    create_side(bench, &bench->side[0], &options);
    create_side(bench, &bench->side[1], &options);
    for (uint8_t i = 0; i < 2; i++) {
        struct wrn_wg *wg = bench->side[i].wg;
        uint8_t other = (uint8_t)(2 - i);
        struct wrn_ip inner = {.bytes = {10, 0, 0, other}, .family = WRN_FAMILY_IPV4};
        struct wrn_ip outer = {.bytes = {192, 0, 2, other}, .family = WRN_FAMILY_IPV4};
        struct wrn_prefix prefix = {inner, 32};
        struct wrn_endpoint endpoint = {.ip = outer, .port = 51820};
        wrn_handle peer;
        need(wrn_wg_peer_add(wg, bench->now, bench->side[1 - i].public_key, &peer) == 0 &&
                 wrn_wg_peer_allow(wg, peer, &prefix) == 0,
             "add a peer");
        wrn_wg_peer_set_endpoint(wg, peer, &endpoint);
    }
    double ignored = 0;
    shake_hands(bench, &ignored, &ignored);
}

/* One run: repeats until the CPU time is used up, and notes nanoseconds a packet or handshake. */
static void measure(struct bench *bench, struct work *work, size_t run, double run_ns) {
    double first = 0;
    double second = 0;
    size_t count = 0;
    while (first + second < run_ns) {
        if (work->size > 0) {
            seal_and_open(bench, work, &first, &second);
            count += BATCH;
        } else {
            shake_hands(bench, &first, &second);
            count++;
        }
    }
    work->first[run] = first / (double)count;
    work->second[run] = second / (double)count;
}

/* Sends BATCH packets through both machines, 'batch' of them a call. They are sealed and opened in
 * place, so the buffers hold the same packets again afterwards. */
static void seal_and_open(struct bench *bench, const struct work *work, double *seal_ns,
                          double *open_ns) {
    struct wrn_path from_first = {
        .remote = {.ip = {.bytes = {192, 0, 2, 1}, .family = WRN_FAMILY_IPV4}, .port = 51820}};
    for (size_t i = 0; i < BATCH; i++) {
        uint8_t *packet = bench->buffers[i] + WRN_WG_HEADROOM;
        packet[0] = 0x45;
        wrn_store_be16(packet + 2, (uint16_t)work->size);
        memcpy(packet + 12, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
        bench->packets[i] = (struct wrn_wg_packet){.bytes = packet, .size = work->size};
    }
    bench->now.mono.ns += 100000;
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < BATCH; i += work->batch) {
        bench->out.message_count = 0;
        bench->out.event_count = 0;
        wrn_wg_on_packets(bench->side[0].wg, bench->now, &bench->packets[i], work->batch,
                          &bench->out);
    }
    *seal_ns += figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
    for (size_t i = 0; i < BATCH; i++) {
        need(bench->packets[i].datagram_size > 0, "seal a packet");
        bench->datagrams[i] = (struct wrn_wg_datagram){.bytes = bench->packets[i].datagram,
                                                       .size = bench->packets[i].datagram_size,
                                                       .path = from_first};
    }
    start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < BATCH; i += work->batch) {
        bench->out.message_count = 0;
        bench->out.event_count = 0;
        wrn_wg_on_datagrams(bench->side[1].wg, bench->now, &bench->datagrams[i], work->batch,
                            &bench->out);
    }
    *open_ns += figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
    for (size_t i = 0; i < BATCH; i++) {
        need(bench->datagrams[i].packet_size == work->size, "open a packet");
    }
}

/* Hands the one message in 'out' to a side, and adds the time that it takes to 'ns'. */
static void carry_message(struct bench *bench, int to, double *ns) {
    need(bench->out.message_count == 1, "get a handshake message");
    struct wrn_wg_message message = bench->out.messages[0];
    struct wrn_wg_datagram datagram = {.bytes = message.bytes, .size = message.size};
    datagram.path.remote.ip =
        (struct wrn_ip){.bytes = {192, 0, 2, (uint8_t)(2 - to)}, .family = WRN_FAMILY_IPV4};
    datagram.path.remote.port = 51820;
    bench->out.message_count = 0;
    bench->out.event_count = 0;
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    wrn_wg_on_datagrams(bench->side[to].wg, bench->now, &datagram, 1, &bench->out);
    *ns += figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
    need(datagram.drop == WRN_DROP_NONE, "have a handshake message accepted");
}

/* One complete handshake: a packet that waits, initiation, response, the packet that confirms. The
 * initiator forgets the session before; ten seconds pass, so that no limit is met. */
static void shake_hands(struct bench *bench, double *initiator_ns, double *responder_ns) {
    struct wrn_wg *initiator = bench->side[0].wg;
    uint8_t *bytes = bench->buffers[0] + WRN_WG_HEADROOM;
    struct wrn_wg_packet packet = {.bytes = bytes, .size = IPV4_HEADER_SIZE};
    memset(bytes, 0, IPV4_HEADER_SIZE);
    bytes[0] = 0x45;
    wrn_store_be16(bytes + 2, IPV4_HEADER_SIZE);
    memcpy(bytes + 12, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
    bench->now.mono.ns += WRN_S(10);
    bench->now.wall.s += 10;
    wrn_wg_set_up(initiator, bench->now, false, &bench->out);
    wrn_wg_set_up(initiator, bench->now, true, &bench->out);
    bench->out.message_count = 0;
    bench->out.event_count = 0;

    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    wrn_wg_on_packets(initiator, bench->now, &packet, 1, &bench->out);
    *initiator_ns += figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
    need(packet.datagram_size == 0, "keep a packet for the handshake");
    carry_message(bench, 1, responder_ns);
    carry_message(bench, 0, initiator_ns);
    packet = (struct wrn_wg_packet){.bytes = bytes, .size = BUFFER_SIZE - 64};
    start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    size_t pulled = wrn_wg_pull_staged(initiator, bench->now, &packet, 1, &bench->out);
    *initiator_ns += figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
    need(pulled == 1, "get the kept packet");
    struct wrn_wg_datagram datagram = {.bytes = packet.datagram, .size = packet.datagram_size};
    packet = (struct wrn_wg_packet){.bytes = bytes, .size = BUFFER_SIZE - 64};
    pulled = wrn_wg_pull_staged(initiator, bench->now, &packet, 1, &bench->out);
    need(pulled == 0, "have kept one packet only");
    datagram.path.remote.ip = (struct wrn_ip){.bytes = {192, 0, 2, 1}, .family = WRN_FAMILY_IPV4};
    datagram.path.remote.port = 51820;
    start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    wrn_wg_on_datagrams(bench->side[1].wg, bench->now, &datagram, 1, &bench->out);
    *responder_ns += figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
    need(datagram.packet_size == IPV4_HEADER_SIZE, "confirm the session");
}

static void measure_memory(struct bench *bench, uint32_t peers, struct memory_result *ret_result) {
    struct wrn_wg_options options = {.peers_max = peers,
                                     .prefixes_max = peers * PREFIXES_A_PEER / 2 + 1,
                                     .staged_max_bytes = 1 << 20,
                                     .handshakes_per_s = 1000000};
    double resident = resident_bytes();
    struct side side;
    create_side(bench, &side, &options);
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    configure_peers(bench, side.wg, peers);
    double configure_ns = figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
    *ret_result = (struct memory_result){.peers = wrn_wg_peer_count(side.wg),
                                         .prefixes = peers * PREFIXES_A_PEER,
                                         .bytes_peer = (resident_bytes() - resident) / peers,
                                         .configure_s = configure_ns / 1e9};
    need(ret_result->peers == peers, "configure all peers");

    uint32_t found = 0;
    wrn_prng_init(&bench->prng, 2, 0);
    start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (uint32_t i = 0; i < peers; i++) {
        uint8_t key[WRN_KEY_SIZE];
        wrn_rand_fill(wrn_prng_rand(&bench->prng), key, sizeof key);
        found += !wrn_handle_equal(wrn_wg_peer_find(side.wg, key), WRN_HANDLE_NONE);
    }
    ret_result->find_ns = (figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start) / peers;
    need(found == peers, "find all peers");
    destroy_side(&side);
}

/* Adds peers with an endpoint, five IPv4 and five IPv6 prefixes each, scattered over the address
 * space and all different. */
static void configure_peers(struct bench *bench, struct wrn_wg *wg, uint32_t peers) {
    wrn_prng_init(&bench->prng, 2, 0);
    for (uint32_t i = 0; i < peers; i++) {
        uint8_t key[WRN_KEY_SIZE];
        wrn_handle peer;
        struct wrn_endpoint endpoint = {.ip.family = WRN_FAMILY_IPV4, .port = 51820};
        wrn_rand_fill(wrn_prng_rand(&bench->prng), key, sizeof key);
        need(wrn_wg_peer_add(wg, bench->now, key, &peer) == 0, "add a peer");
        wrn_store_be32(endpoint.ip.bytes, 0xc0000000u + i);
        wrn_wg_peer_set_endpoint(wg, peer, &endpoint);
        for (uint32_t k = 0; k < PREFIXES_A_PEER; k++) {
            uint32_t number = i * (PREFIXES_A_PEER / 2) + k / 2;
            uint32_t scattered = number * 2654435761u; /* odd, so no two numbers give the same */
            struct wrn_prefix prefix = {.ip.family = WRN_FAMILY_IPV4, .length_bits = 32};
            if (k % 2 != 0) {
                prefix.ip.family = WRN_FAMILY_IPV6;
                prefix.ip.bytes[0] = 0xfd;
                prefix.length_bits = 64;
            }
            wrn_store_be32(prefix.ip.bytes + (k % 2 != 0 ? 4 : 0), scattered);
            need(wrn_wg_peer_allow(wg, peer, &prefix) == 0, "add a prefix");
        }
    }
}

static void print_json(const struct memory_result *memory, size_t runs) {
    for (size_t i = 0; i < WRN_COUNT(works); i++) {
        const struct work *w = &works[i];
        if (w->size > 0) {
            printf("{\"bench\":\"micro_wg\",\"case\":\"packet\",\"size\":%zu,\"batch\":%zu,"
                   "\"runs\":%zu,\"seal_ns\":%.1f,\"open_ns\":%.1f}\n",
                   w->size, w->batch, runs, w->first_median, w->second_median);
        } else {
            printf("{\"bench\":\"micro_wg\",\"case\":\"handshake\",\"runs\":%zu,"
                   "\"initiator_ns\":%.0f,\"responder_ns\":%.0f,\"initiator_per_s\":%.0f,"
                   "\"responder_per_s\":%.0f,\"both_per_s\":%.0f}\n",
                   runs, w->first_median, w->second_median, 1e9 / w->first_median,
                   1e9 / w->second_median, 1e9 / (w->first_median + w->second_median));
        }
    }
    printf("{\"bench\":\"micro_wg\",\"case\":\"peers\",\"peers\":%u,\"prefixes\":%u,"
           "\"bytes_peer\":%.0f,\"configure_s\":%.3f,\"find_ns\":%.0f}\n",
           memory->peers, memory->prefixes, memory->bytes_peer, memory->configure_s,
           memory->find_ns);
}

static void print_table(const struct memory_result *memory) {
    printf("\n%-10s %6s %6s %10s %10s\n", "packets", "bytes", "batch", "seal ns", "open ns");
    for (size_t i = 0; i < WRN_COUNT(works); i++) {
        const struct work *w = &works[i];
        if (w->size > 0) {
            printf("%-10s %6zu %6zu %10.0f %10.0f\n", "", w->size, w->batch, w->first_median,
                   w->second_median);
        } else {
            printf("handshakes a second and core: as initiator %.0f, as responder %.0f, both "
                   "sides together %.0f\n",
                   1e9 / w->first_median, 1e9 / w->second_median,
                   1e9 / (w->first_median + w->second_median));
        }
    }
    printf("%u idle peers with %d prefixes each: %.0f bytes a peer, configured in %.3f s, a peer "
           "found by its key in %.0f ns\n",
           memory->peers, PREFIXES_A_PEER, memory->bytes_peer, memory->configure_s,
           memory->find_ns);
}

static void need(bool good, const char *what) {
    if (!good) {
        fprintf(stderr, "micro_wg: could not %s\n", what);
        exit(1);
    }
}

static double resident_bytes(void) {
    char line[256] = "";
    char *end = line;
    FILE *file = fopen("/proc/self/statm", "re");
    need(file != NULL && fgets(line, sizeof line, file) != NULL, "read its own memory");
    fclose(file);
    (void)strtoull(line, &end, 10); /* the second number is the resident pages */
    return (double)strtoull(end, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}
