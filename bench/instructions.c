/* SPDX-License-Identifier: Apache-2.0 */
/* Sends a fixed number of packets through each stage of the packet path, the same ones each time,
 * for valgrind's callgrind to count instructions (bench/instructions runs it so and compares with
 * the recorded counts). Nothing in it is random, timed or depends on the processor; packets are
 * sealed by libcrypto, which is not counted.
 *
 *     instructions            prints a line "name packets" for each case, in order */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "packet/coalesce.h"
#include "packet/split.h"
#include "wg/allowed_ips.h"
#include "wg/lane.h"

enum {
    PACKETS = 1280, /* of a case; a multiple of the batch */
    BATCH = WRN_WG_BATCH_MAX,
    ROOM = 2048,
    PREFIXES = 10000,
    OWNERS = 1000,
    HEADERS = 40, /* IPv4 and TCP, without options */
    MSS = 1380,
    SEGMENTS = 44, /* of a large packet */
    LARGE = HEADERS + SEGMENTS * MSS,
};

struct side {
    struct wrn_wg *wg;
    struct wrn_wg_lane *lane;
    uint8_t private_key[WRN_KEY_SIZE];
    uint8_t public_key[WRN_KEY_SIZE];
};

struct bench {
    struct wrn_crypto *crypto;
    struct wrn_prng prng;
    struct wrn_now now;
    struct side side[2]; /* 0 seals, 1 opens */
    struct wrn_wg_out out;
    struct wrn_wg_asks asks;
    struct wrn_wg_packet packets[BATCH];
    struct wrn_wg_datagram datagrams[BATCH];
    uint8_t buffers[BATCH][ROOM];
    struct wrn_allowed_ips ips;
    uint8_t large[LARGE];
    struct wrn_virtio virtio;
    struct wrn_coalescer coalescer;
    struct iovec segments[SEGMENTS];
};

struct work {
    const char *name;
    void (*prepare)(struct bench *bench, const struct work *work); /* before each batch */
    void (*run)(struct bench *bench, const struct work *work);     /* what is counted */
    size_t size;                                                   /* bytes of the inner packet */
    size_t batch;                                                  /* packets a call */
    size_t count; /* packets that each run() handles */
};

static void prepare_packets(struct bench *bench, const struct work *work);
static void prepare_datagrams(struct bench *bench, const struct work *work);
static void prepare_large(struct bench *bench, const struct work *work);
static void prepare_segments(struct bench *bench, const struct work *work);
static void prepare_nothing(struct bench *bench, const struct work *work);
static void seal(struct bench *bench, const struct work *work);
static void open_sealed(struct bench *bench, const struct work *work);
static void find(struct bench *bench, const struct work *work);
static void split(struct bench *bench, const struct work *work);
static void coalesce(struct bench *bench, const struct work *work);
void measured(struct bench *bench, const struct work *work);
void end_of_case(void);
static void create_sides(struct bench *bench);
static void shake_hands(struct bench *bench);
static void carry_message(struct bench *bench, size_t to);
static struct wrn_endpoint outer(size_t index);
static void fill_table(struct bench *bench);
static void make_address(uint32_t number, size_t size, uint8_t *ret_address);
static void *allocate(size_t size);
static void need(bool good, const char *what);

static const struct work works[] = {
    {"seal-64", prepare_packets, seal, 64, BATCH, BATCH},
    {"seal-1420", prepare_packets, seal, 1420, BATCH, BATCH},
    {"seal-64-alone", prepare_packets, seal, 64, 1, BATCH},
    {"open-64", prepare_datagrams, open_sealed, 64, BATCH, BATCH},
    {"open-1420", prepare_datagrams, open_sealed, 1420, BATCH, BATCH},
    {"open-64-alone", prepare_datagrams, open_sealed, 64, 1, BATCH},
    {"lookup-ipv4", prepare_nothing, find, 4, 1, BATCH},
    {"lookup-ipv6", prepare_nothing, find, 16, 1, BATCH},
    {"split-tcp4", prepare_large, split, MSS, SEGMENTS, SEGMENTS},
    {"coalesce-tcp4", prepare_segments, coalesce, MSS, SEGMENTS, SEGMENTS},
};

int main(void) {
    static struct bench bench;
    need(wrn_crypto_create(WRN_CRYPTO_OPENSSL, &bench.crypto) == 0, "use libcrypto");
    wrn_prng_init(&bench.prng, 1, 0);
    bench.now = (struct wrn_now){.mono = {WRN_S(1000)}, .wall = {1700000000, 0}};
    create_sides(&bench);
    shake_hands(&bench);
    fill_table(&bench);
    for (size_t i = 0; i < WRN_COUNT(works); i++) {
        works[i].prepare(&bench, &works[i]);
        works[i].run(&bench, &works[i]); /* what is only done once is not counted */
        size_t done = 0;
        for (; done < PACKETS; done += works[i].count) {
            works[i].prepare(&bench, &works[i]);
            measured(&bench, &works[i]);
        }
        printf("%s %zu\n", works[i].name, done);
        end_of_case();
    }
    for (size_t i = 0; i < 2; i++) {
        wrn_wg_finish(bench.side[i].wg);
    }
    wrn_crypto_destroy(bench.crypto);
    return 0;
}

/* What callgrind counts: this function with all that it calls. */
__attribute__((noinline)) void measured(struct bench *bench, const struct work *work) {
    work->run(bench, work);
    __asm__ volatile("" ::: "memory"); /* no tail call: callgrind watches it return */
}

/* Where callgrind writes down what it has counted, and begins at 0 again. */
__attribute__((noinline)) void end_of_case(void) {
    __asm__ volatile("" ::: "memory");
}

static void prepare_nothing(struct bench *bench, const struct work *work) {
    (void)bench;
    (void)work;
}

/* They are sealed and opened in place, so the buffers hold the same packets again afterwards. */
static void prepare_packets(struct bench *bench, const struct work *work) {
    for (size_t i = 0; i < BATCH; i++) {
        uint8_t *packet = bench->buffers[i] + WRN_WG_HEADROOM;
        packet[0] = 0x45;
        wrn_store_be16(packet + 2, (uint16_t)work->size);
        memcpy(packet + 12, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
        bench->packets[i] = (struct wrn_wg_packet){.bytes = packet, .size = work->size};
    }
    bench->now.mono.ns += 100000;
}

static void seal(struct bench *bench, const struct work *work) {
    for (size_t i = 0; i < BATCH; i += work->batch) {
        wrn_wg_lane_packets(bench->side[0].lane, bench->now.mono, &bench->packets[i], work->batch,
                            &bench->asks);
    }
    need(bench->packets[BATCH - 1].datagram_size > 0, "seal a packet");
}

static void prepare_datagrams(struct bench *bench, const struct work *work) {
    prepare_packets(bench, work);
    seal(bench, &(struct work){.batch = BATCH});
    for (size_t i = 0; i < BATCH; i++) {
        bench->datagrams[i] = (struct wrn_wg_datagram){.bytes = bench->packets[i].datagram,
                                                       .size = bench->packets[i].datagram_size,
                                                       .path.remote = outer(0)};
    }
}

static void open_sealed(struct bench *bench, const struct work *work) {
    for (size_t i = 0; i < BATCH; i += work->batch) {
        wrn_wg_lane_datagrams(bench->side[1].lane, bench->now.mono, &bench->datagrams[i],
                              work->batch, &bench->asks);
    }
    need(bench->datagrams[BATCH - 1].packet_size == work->size, "open a packet");
}

/* 'size' is that of an address. */
static void find(struct bench *bench, const struct work *work) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < BATCH; i++) {
        uint8_t address[16];
        make_address(i * (PREFIXES / BATCH), work->size, address);
        uint32_t owner = work->size == 4 ? wrn_allowed_ips_find4(&bench->ips, address)
                                         : wrn_allowed_ips_find6(&bench->ips, address);
        found += owner != WRN_ALLOWED_IPS_NOBODY;
    }
    need(found == BATCH, "find an address");
}

/* A large TCP packet as the host hands it over: with the sum of the pseudo header only. */
static void prepare_large(struct bench *bench, const struct work *work) {
    uint8_t *packet = bench->large;
    memset(packet, 0, HEADERS);
    packet[0] = 0x45;
    wrn_store_be16(packet + 2, LARGE);
    packet[8] = 64;
    packet[9] = 6;
    memcpy(packet + 12, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
    packet[20 + 12] = 5 << 4; /* header size; then the flags: ACK */
    packet[20 + 13] = 1 << 4;
    uint32_t sum = 2 * 0x0a00 + 1 + 2 + 6 + LARGE - 20; /* addresses, protocol, size */
    wrn_store_be16(packet + 20 + 16, (uint16_t)(sum + (sum >> 16)));
    bench->virtio = (struct wrn_virtio){.flags = WRN_VIRTIO_NEEDS_CHECKSUM,
                                        .gso_type = WRN_VIRTIO_GSO_TCP4,
                                        .header_size = HEADERS,
                                        .gso_size = (uint16_t)work->size,
                                        .checksum_start = 20,
                                        .checksum_offset = 16};
}

static void split(struct bench *bench, const struct work *work) {
    struct wrn_split state;
    need(wrn_split_begin(&state, &bench->virtio, bench->large, LARGE) == 0 &&
             state.count == work->count,
         "cut a packet up");
    for (uint32_t i = 0; i < state.count; i++) {
        wrn_split_write(&state, i, bench->buffers[i]);
    }
}

static void prepare_segments(struct bench *bench, const struct work *work) {
    prepare_large(bench, work);
    split(bench, work);
    for (size_t i = 0; i < SEGMENTS; i++) {
        bench->segments[i] = (struct iovec){bench->buffers[i], HEADERS + MSS};
    }
}

static void coalesce(struct bench *bench, const struct work *work) {
    wrn_coalesce(&bench->coalescer, bench->segments, work->count, WRN_COALESCE_ALL);
    need(bench->coalescer.count == 1, "join all segments");
}

static void create_sides(struct bench *bench) {
    static const struct wrn_wg_options options = {.peers_max = 16,
                                                  .prefixes_max = 64,
                                                  .staged_max_bytes = 1 << 20,
                                                  .handshakes_per_s = 1000000};
    for (size_t i = 0; i < 2; i++) {
        struct side *side = &bench->side[i];
        side->wg = wrn_wg_init(allocate(wrn_wg_memory_size(&options)), &options, bench->crypto,
                               wrn_prng_rand(&bench->prng));
        wrn_rand_fill(wrn_prng_rand(&bench->prng), side->private_key, WRN_KEY_SIZE);
        wrn_x25519_clamp(side->private_key);
        need(wrn_x25519_public(bench->crypto, side->private_key, side->public_key) &&
                 wrn_wg_set_private_key(side->wg, bench->now, side->private_key) == 0,
             "set a key");
        wrn_wg_set_up(side->wg, bench->now, true, &bench->out);
        side->lane = wrn_wg_lane_init(allocate(wrn_wg_lane_size()), side->wg, bench->crypto);
    }
    for (uint8_t i = 0; i < 2; i++) {
        struct wrn_wg *wg = bench->side[i].wg;
        struct wrn_prefix prefix = {
            {.bytes = {10, 0, 0, (uint8_t)(2 - i)}, .family = WRN_FAMILY_IPV4}, 32};
        struct wrn_endpoint endpoint = outer(1 - i);
        wrn_handle peer;
        need(wrn_wg_peer_add(wg, bench->now, bench->side[1 - i].public_key, &peer) == 0 &&
                 wrn_wg_peer_allow(wg, peer, &prefix) == 0,
             "add a peer");
        wrn_wg_peer_set_endpoint(wg, peer, &endpoint);
    }
}

/* A packet without session, initiation, response, and the packet, which confirms the session. */
static void shake_hands(struct bench *bench) {
    prepare_packets(bench, &(struct work){.size = 64});
    bench->out.message_count = 0;
    wrn_wg_on_packets(bench->side[0].wg, bench->now, &bench->packets[0], 1, &bench->out);
    carry_message(bench, 1);
    carry_message(bench, 0);
    struct wrn_wg_packet *packet = &bench->packets[0];
    packet->size = ROOM - WRN_WG_HEADROOM - WRN_WG_TAILROOM;
    need(wrn_wg_pull_staged(bench->side[0].wg, bench->now, packet, 1, &bench->out) == 1,
         "get the packet that waited");
    struct wrn_wg_datagram datagram = {
        .bytes = packet->datagram, .size = packet->datagram_size, .path.remote = outer(0)};
    need(wrn_wg_pull_staged(bench->side[0].wg, bench->now, packet, 1, &bench->out) == 0,
         "get all packets that waited");
    wrn_wg_on_datagrams(bench->side[1].wg, bench->now, &datagram, 1, &bench->out);
    need(datagram.packet_size == 64, "confirm the session");
}

static void carry_message(struct bench *bench, size_t to) {
    need(bench->out.message_count == 1, "get a handshake message");
    struct wrn_wg_message message = bench->out.messages[0];
    struct wrn_wg_datagram datagram = {
        .bytes = message.bytes, .size = message.size, .path.remote = outer(1 - to)};
    bench->out.message_count = 0;
    wrn_wg_on_datagrams(bench->side[to].wg, bench->now, &datagram, 1, &bench->out);
    need(datagram.drop == WRN_DROP_NONE, "have a handshake message accepted");
}

/* Where side 'index' is reached. */
static struct wrn_endpoint outer(size_t index) {
    return (struct wrn_endpoint){
        .ip = {.bytes = {192, 0, 2, (uint8_t)(index + 1)}, .family = WRN_FAMILY_IPV4},
        .port = 51820};
}

static void fill_table(struct bench *bench) {
    struct wrn_arena arena;
    wrn_arena_init(&arena, NULL, 0);
    wrn_allowed_ips_init(&bench->ips, &arena, PREFIXES, OWNERS);
    size_t size = arena.used;
    wrn_arena_init(&arena, allocate(size), size);
    wrn_allowed_ips_init(&bench->ips, &arena, PREFIXES, OWNERS);
    for (uint32_t i = 0; i < PREFIXES; i++) {
        struct wrn_prefix prefix = {.ip.family = WRN_FAMILY_IPV4, .length_bits = 32};
        make_address(i, 4, prefix.ip.bytes);
        need(wrn_allowed_ips_set(&bench->ips, &prefix, i % OWNERS) == 0, "add a prefix");
        make_address(i, 16, prefix.ip.bytes);
        prefix.ip.family = WRN_FAMILY_IPV6;
        prefix.length_bits = 128;
        need(wrn_allowed_ips_set(&bench->ips, &prefix, i % OWNERS) == 0, "add a prefix");
    }
}

/* Scattered over the address space, and all different: the factor is odd. */
static void make_address(uint32_t number, size_t size, uint8_t *ret_address) {
    for (size_t i = 0; i < size; i += 4) {
        wrn_store_be32(ret_address + i, number * 2654435761u);
    }
}

/* Zeroed, for the rest of the run. */
static void *allocate(size_t size) {
    void *memory = NULL;
    size = (size + 63) / 64 * 64;
    need(posix_memalign(&memory, 64, size) == 0, "allocate memory");
    return memset(memory, 0, size);
}

static void need(bool good, const char *what) {
    if (!good) {
        fprintf(stderr, "instructions: could not %s\n", what);
        exit(1);
    }
}
