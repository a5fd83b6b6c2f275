/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: on any traffic, cutting up and joining undo one another, and no flow is reordered. Method:
 * random streams of several flows, with everything that networks and hosts do to them; each round
 * is checked by slow rules (identity.c). */
#include "base/bytes.h"
#include "base/rand.h"
#include "packet/coalesce.h"
#include "packet/split.h"
#include "unit/base/check.h"
#include "unit/packet/identity.h"
#include "unit/packet/model.h"

enum { ROUNDS = 600, FLOWS_MAX = 8, ROOM = 66000 };

static struct wrn_prng prng;
static uint8_t *packets[2 * WRN_COALESCE_MAX]; /* of ROOM bytes */
static struct iovec list[2 * WRN_COALESCE_MAX];
static size_t list_count;
static uint8_t options[40];

static uint32_t below(uint32_t bound) {
    return wrn_rand_below(wrn_prng_rand(&prng), bound);
}

static bool one_in(uint32_t times) {
    return below(times) == 0;
}

static int start(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(packets); i++) {
        packets[i] = malloc(ROOM);
        if (packets[i] == NULL) {
            return -1;
        }
    }
    wrn_prng_init(&prng, check_seed(), 0);
    wrn_rand_fill(wrn_prng_rand(&prng), options, sizeof options);
    return 0;
}

static int stop(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(packets); i++) {
        free(packets[i]);
    }
    return 0;
}

/* A flow; its packets follow one another. Few numbers, so that flows meet. */
static struct model_packet random_flow(void) {
    static const uint16_t ids[] = {0, 1, 0x7fff, 0xfff0, 0xffff};
    return (struct model_packet){
        .is_v6 = one_in(2),
        .is_udp = one_in(3),
        .flow = (uint8_t)below(6),
        .tos = (uint8_t)below(3),
        .ttl = (uint8_t)(63 + below(2)),
        .flags = MODEL_ACK,
        .id = ids[below(WRN_COUNT(ids))],
        .fragment = one_in(2) ? 0x4000 : 0,
        .window = (uint16_t)below(2),
        .label = below(2),
        .sequence = one_in(2) ? UINT32_MAX - below(5000) : below(5000),
        .acknowledged = below(2),
        .options = options,
        .options_size = 4 * below(4) * below(4),
    };
}

/* The size that most packets of a stream have. */
static size_t random_mss(void) {
    static const uint16_t sizes[] = {1, 2, 3, 7, 8, 63, 64, 65, 100, 536, 1399, 1400, 1448, 9000};
    return sizes[below(WRN_COUNT(sizes) - (one_in(10) ? 0 : 1))];
}

/* Something that a sender may do, to this packet or from now on. */
static void perturb(struct model_packet *p) {
    switch (below(12)) {
    case 0:
        p->sequence += below(3) - 1u;
        break;
    case 1:
        p->id = (uint16_t)(p->id + below(3) - 1);
        break;
    case 2:
        p->acknowledged++;
        break;
    case 3:
        p->window++;
        break;
    case 4:
        p->tos ^= (uint8_t)(1u << below(8));
        break;
    case 5:
        p->ttl ^= 1;
        break;
    case 6:
        p->label ^= 1u << below(20);
        break;
    case 7:
        p->fragment ^= (uint16_t)(1u << below(16));
        break;
    case 8:
        p->options_size = 4 * below(11);
        break;
    case 9:
        p->urgent ^= 1;
        break;
    default:
        p->flags ^= (uint8_t)(1u << below(8));
        break;
    }
}

/* Something that happens to a packet's bytes. */
static size_t damage(uint8_t *packet, size_t size) {
    size_t l4_at = model_l4_at(packet);
    uint32_t region = one_in(2) ? 64 : (uint32_t)size;
    switch (below(8)) {
    case 0:
        return below((uint32_t)size + 1); /* cut off */
    case 1:
        memset(packet + size, (int)below(256), 8);
        return size + 1 + below(8); /* padded */
    case 2:
        packet[packet[0] >> 4 == 6 ? 6 : 9] = (uint8_t)below(64); /* another protocol */
        return size;
    case 3:
        if (size > l4_at + 8) {
            memset(packet + l4_at + (packet[l4_at + 3] % 2 == 0 ? 6 : 16), (int)below(2) * 255, 2);
        }
        return size;
    case 4:
    case 5:
        packet[below(region < size ? region : (uint32_t)size)] ^= (uint8_t)(1u << below(8));
        return size;
    default:
        packet[l4_at + below(8)] ^= (uint8_t)(1u << below(8));
        model_seal(packet, size, l4_at); /* differs, and is right */
        return size;
    }
}

/* Exchanges, repeats and loses packets, as paths do. */
static void disturb_order(void) {
    for (uint32_t i = below(8); i > 0 && list_count > 2; i--) {
        size_t at = below((uint32_t)list_count - 1);
        struct iovec kept = list[at];
        switch (below(3)) {
        case 0:
            list[at] = list[at + 1];
            list[at + 1] = kept;
            break;
        case 1: /* in place of its neighbour, which is lost */
            list[at + 1].iov_len = kept.iov_len;
            memcpy(list[at + 1].iov_base, kept.iov_base, kept.iov_len);
            break;
        default:
            memmove(&list[at], &list[at + 1], (list_count - at - 1) * sizeof list[0]);
            list[list_count - 1] = kept; /* its memory is used again */
            list_count--;
            break;
        }
    }
}

static void reset_list(void) {
    list_count = 0;
    for (size_t i = 0; i < WRN_COUNT(packets); i++) {
        list[i] = (struct iovec){packets[i], 0};
    }
}

/* Fills the list by flows that take turns. 'trouble': one in so many packets. */
static void random_stream(uint32_t trouble) {
    struct model_packet flows[FLOWS_MAX];
    size_t mss[FLOWS_MAX];
    uint32_t flow_count = 1 + below(FLOWS_MAX), flow = 0;
    size_t wanted = below(WRN_COALESCE_MAX + 1);
    for (uint32_t i = 0; i < flow_count; i++) {
        flows[i] = random_flow();
        mss[i] = random_mss();
    }
    reset_list();
    while (list_count < wanted) {
        flow = one_in(4) ? below(flow_count) : flow;
        struct model_packet *p = &flows[flow];
        p->payload_size = one_in(20) ? below(2 * (uint32_t)mss[flow] + 1) : mss[flow];
        p->flags = one_in(20) ? MODEL_ACK | MODEL_PSH : MODEL_ACK;
        struct model_packet built = *p;
        if (one_in(trouble)) {
            perturb(one_in(2) ? p : &built);
        }
        uint8_t *bytes = list[list_count].iov_base;
        size_t size = model_build(one_in(2) ? &built : p, bytes);
        p->sequence += (uint32_t)p->payload_size;
        p->id++;
        p->salt++;
        list[list_count].iov_len = one_in(trouble * 2) ? damage(bytes, size) : size;
        list_count++;
    }
}

static void check_list(const char *what, int round, size_t *joined) {
    size_t count = 0;
    uint32_t allowed = one_in(8) ? below(WRN_COALESCE_ALL + 1) : WRN_COALESCE_ALL;
    const char *wrong = identity_check(list, list_count, allowed, &count);
    CHECK(wrong == NULL, "%s, round %d: does not hold: %s: ", what, round, wrong);
    *joined += count;
}

static void streams(void **state) {
    (void)state;
    static const uint32_t troubles[] = {1000, 20, 5, 2};
    for (size_t i = 0; i < WRN_COUNT(troubles); i++) {
        size_t joined = 0, all = 0;
        for (int round = 0; round < ROUNDS / 4; round++) {
            random_stream(troubles[i]);
            if (one_in(2)) {
                disturb_order();
            }
            all += list_count;
            check_list("streams", round, &joined);
        }
        print_message("# trouble in one of %u: %zu of %zu packets were appended\n", troubles[i],
                      joined, all);
        assert_true(joined > all / (i < 2 ? 4 : 20)); /* or the test would test nothing */
    }
}

/* A large packet of the host, as it comes from TUN; returns its size. */
static size_t random_large(struct model_packet *p, uint8_t *packet, struct wrn_virtio *ret_header) {
    uint16_t mss = (uint16_t)random_mss();
    uint32_t segments = 1 + below(p->is_udp ? 64 : WRN_COALESCE_MAX);
    size_t size = (segments - 1) * (size_t)mss + 1 + below(mss);
    p->payload_size = size < 65000 ? size : 65000;
    p->flags = (uint8_t)(MODEL_ACK | (one_in(2) ? MODEL_PSH : 0) | (one_in(9) ? MODEL_FIN : 0));
    p->salt++;
    size = model_build(p, packet);
    model_enlarge(packet, size, mss, ret_header);
    p->sequence += (uint32_t)p->payload_size;
    p->id = (uint16_t)(p->id + (p->payload_size + mss - 1) / mss);
    return size;
}

/* A large packet, cut up and joined, is the same packet with the same header. */
static void large_packets(void **state) {
    (void)state;
    static struct wrn_coalescer coalescer;
    static uint8_t large[MODEL_SIZE_MAX], copy[MODEL_SIZE_MAX];
    int rounds = 0;
    while (rounds < ROUNDS) {
        struct model_packet p = random_flow();
        struct wrn_virtio header, again;
        struct wrn_split split;
        size_t size = random_large(&p, large, &header);
        memcpy(copy, large, size);
        assert_int_equal(wrn_split_begin(&split, &header, copy, size), 0);
        if (split.count == 1 || split.count > WRN_COALESCE_MAX) {
            continue; /* one packet alone; or more than a call takes */
        }
        rounds++;
        reset_list();
        for (uint32_t i = 0; i < split.count; i++) {
            list[i].iov_len = wrn_split_size(&split, i);
            wrn_split_write(&split, i, list[i].iov_base);
        }
        wrn_coalesce(&coalescer, list, split.count, WRN_COALESCE_ALL);
        CHECK(coalescer.count == 1, "round %d: %u of %u: ", rounds, coalescer.count, split.count);
        wrn_virtio_read(coalescer.out[0].header, &again);
        CHECK(memcmp(&header, &again, sizeof header) == 0, "round %d: ", rounds);
        size_t at = 0;
        for (uint32_t i = 0; i < split.count; i++) {
            const struct iovec *part = &coalescer.parts[coalescer.out[0].first_part + i];
            CHECK(at + part->iov_len <= size &&
                      memcmp(large + at, part->iov_base, part->iov_len) == 0,
                  "round %d, segment %u: ", rounds, i);
            at += part->iov_len;
        }
        CHECK(at == size, "round %d: ", rounds);
    }
}

/* Appends the segments of a large packet to the list. */
static void add_segments(struct model_packet *p, int round) {
    static uint8_t large[MODEL_SIZE_MAX], expected[MODEL_SIZE_MAX];
    struct wrn_virtio header;
    struct wrn_split split;
    size_t size = random_large(p, large, &header);
    uint8_t *exact = malloc(size);
    assert_non_null(exact);
    memcpy(exact, large, size);
    assert_int_equal(wrn_split_begin(&split, &header, exact, size), 0);
    for (uint32_t i = 0; i < split.count && list_count < WRN_COUNT(list); i++) {
        struct iovec *to = &list[list_count++];
        size_t expected_size = model_cut(&header, large, size, i, expected);
        to->iov_len = wrn_split_size(&split, i);
        if (split.count > 1) {
            wrn_split_write(&split, i, to->iov_base);
        } else {
            memcpy(to->iov_base, exact, size);
        }
        CHECK(to->iov_len == expected_size && memcmp(to->iov_base, expected, expected_size) == 0,
              "round %d, segment %u of %u: ", round, i, split.count);
    }
    free(exact);
}

/* Neighbours of different ports change places: flows mix, and each stays in order. */
static void mix_flows(void) {
    for (uint32_t i = below(3000); i > 0 && list_count > 1; i--) {
        size_t at = below((uint32_t)list_count - 1);
        const uint8_t *a = list[at].iov_base, *b = list[at + 1].iov_base;
        if (memcmp(a + model_l4_at(a), b + model_l4_at(b), 4) != 0) {
            struct iovec kept = list[at];
            list[at] = list[at + 1];
            list[at + 1] = kept;
        }
    }
}

/* The whole way: hosts hand over large packets, the path loses, repeats and exchanges segments of
 * several flows and damages some, the other end joins them. */
static void through_a_path(void **state) {
    (void)state;
    size_t joined = 0, all = 0;
    for (int round = 0; round < ROUNDS / 4; round++) {
        struct model_packet flows[FLOWS_MAX];
        uint32_t flow_count = 1 + below(FLOWS_MAX);
        reset_list();
        for (uint32_t i = 0; i < flow_count; i++) {
            flows[i] = random_flow();
        }
        for (uint32_t i = 0; i < 4 && list_count < WRN_COALESCE_MAX; i++) {
            add_segments(&flows[below(flow_count)], round);
        }
        mix_flows();
        if (one_in(2)) {
            disturb_order();
        }
        list_count = list_count < WRN_COALESCE_MAX ? list_count : WRN_COALESCE_MAX;
        for (size_t i = 0; i < list_count; i++) {
            if (one_in(200)) {
                list[i].iov_len = damage(list[i].iov_base, list[i].iov_len);
            }
        }
        all += list_count;
        check_list("path", round, &joined);
    }
    print_message("# %zu of %zu segments were appended\n", joined, all);
    assert_true(joined > all / 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(streams, start, stop),
        cmocka_unit_test_setup_teardown(large_packets, start, stop),
        cmocka_unit_test_setup_teardown(through_a_path, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
