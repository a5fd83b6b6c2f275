/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: segments are what the host would have sent one by one, and what does not fit is refused.
 * Method: one packet cut by hand, byte for byte; comparison with a slow version over a table of
 * sizes, flags and headers; a table of damage. Packets lie in memory of their own size. */
#include "packet/split.h"

#include <stdio.h>

#include "base/bytes.h"
#include "unit/base/check.h"
#include "unit/packet/model.h"

static uint8_t large[MODEL_SIZE_MAX], expected[MODEL_SIZE_MAX];

static void *exact_copy(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    return copy;
}

/* Cuts 'large' both ways and compares. */
static void check_cut(const struct wrn_virtio *header, size_t size, const char *name) {
    struct wrn_split split;
    uint8_t *packet = exact_copy(large, size);
    int error = wrn_split_begin(&split, header, packet, size);
    CHECK(error == 0, "%s, %zu bytes at %u: %d: ", name, size, header->gso_size, error);
    CHECK(split.packet == packet && split.size == size && split.count > 1, "%s: ", name);
    CHECK(split.mss == header->gso_size && split.header_size == header->header_size, "%s: ", name);
    for (uint32_t i = 0; i < split.count; i++) {
        size_t expected_size = model_cut(header, large, size, i, expected);
        size_t segment_size = wrn_split_size(&split, i);
        CHECK(segment_size == expected_size, "%s: segment %u has %zu bytes, not %zu: ", name, i,
              segment_size, expected_size);
        uint8_t *segment = malloc(segment_size);
        assert_non_null(segment);
        wrn_split_write(&split, i, segment);
        CHECK(memcmp(segment, expected, segment_size) == 0, "%s: segment %u: ", name, i);
        CHECK(model_is_sealed(segment, segment_size, header->checksum_start), "%s: ", name);
        free(segment);
    }
    CHECK(model_cut(header, large, size, split.count, expected) == 0, "%s: too few: ", name);
    free(packet);
}

/* Five bytes of payload, cut at two; the words that the checksums sum stand in the comment. */
static void by_hand(void **state) {
    (void)state;
    uint8_t packet[] = {
        0x45, 0, 0,    45,   0xff, 0xff, 0x40, 0,    64, 6,
        0,    0, 1,    0,    0,    1,    2,    0,    0,  2, /* IPv4 */
        0,    1, 0,    2,    0,    0,    0,    9,    0,  0,
        0,    7, 0x50, 0x99, 0,    3,    0x03, 0x22, 0,  0, /* TCP */
        1,    2, 3,    4,    5,
    };
    static const uint8_t segments[3][42] = {
        /* 4500 002a ffff 4000 4006 0100 0001 0200 0002: c833, complement 37cc. Pseudo header
         * 0100 0001 0200 0002 0006 0016; 0001 0002 0000 0009 0000 0007 5090 0003 0000; 0102:
         * 54c7, complement ab38. */
        {0x45, 0, 0, 42, 0xff, 0xff, 0x40, 0, 64, 6, 0x37, 0xcc, 1, 0, 0,    1,    2, 0, 0, 2, 0, 1,
         0,    2, 0, 0,  0,    9,    0,    0, 0,  7, 0x50, 0x90, 0, 3, 0xab, 0x38, 0, 0, 1, 2},
        {0x45, 0, 0, 42, 0x00, 0x00, 0x40, 0, 64, 6, 0x37, 0xcc, 1, 0, 0,    1,    2, 0, 0, 2, 0, 1,
         0,    2, 0, 0,  0,    11,   0,    0, 0,  7, 0x50, 0x10, 0, 3, 0xa9, 0xb4, 0, 0, 3, 4},
        {0x45, 0, 0, 41, 0x00, 0x01, 0x40, 0, 64, 6, 0x37, 0xcc, 1,    0, 0, 1,    2,    0, 0, 2, 0,
         1,    0, 2, 0,  0,    0,    13,   0, 0,  0, 7,    0x50, 0x19, 0, 3, 0xa7, 0xae, 0, 0, 5},
    };
    const struct wrn_virtio header = {
        .flags = WRN_VIRTIO_NEEDS_CHECKSUM,
        .gso_type = WRN_VIRTIO_GSO_TCP4 | WRN_VIRTIO_GSO_ECN,
        .header_size = 40,
        .gso_size = 2,
        .checksum_start = 20,
        .checksum_offset = 16,
    };
    struct wrn_split split;
    assert_int_equal(wrn_split_begin(&split, &header, packet, sizeof packet), 0);
    assert_int_equal(split.count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        uint8_t out[42] = {0};
        assert_int_equal(wrn_split_size(&split, i), i < 2 ? 42 : 41);
        wrn_split_write(&split, i, out);
        for (size_t at = 0; at < wrn_split_size(&split, i); at++) {
            CHECK(out[at] == segments[i][at], "segment %u, byte %zu is %02x: ", i, at, out[at]);
        }
    }
}

/* Header kinds, payloads and sizes; every flag that a host may hand over. */
static void like_the_slow_version(void **state) {
    (void)state;
    static const uint8_t options[40] = {1, 1, 8, 10, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde};
    static const size_t sizes[][2] = {{2, 1},       {3, 2},       {5, 2},          {64, 7},
                                      {2896, 1448}, {2897, 1448}, {10000, 1401},   {65000, 1448},
                                      {30000, 1},   {65000, 536}, {65535 - 100, 8}};
    static const uint8_t flags[] = {
        MODEL_ACK,
        MODEL_ACK | MODEL_PSH,
        MODEL_ACK | MODEL_PSH | MODEL_FIN,
        MODEL_ACK | MODEL_CWR,
        MODEL_ACK | MODEL_CWR | MODEL_ECE | MODEL_FIN | MODEL_URG,
    };
    for (unsigned i = 0; i < 4 * WRN_COUNT(sizes); i++) {
        struct model_packet p = {
            .is_v6 = i & 1,
            .is_udp = i & 2,
            .flow = (uint8_t)i,
            .tos = (uint8_t)(i * 5),
            .ttl = (uint8_t)(1 + i),
            .flags = flags[i % WRN_COUNT(flags)],
            .id = (uint16_t)(65530 + i),
            .fragment = i % 4 < 2 ? 0x4000 : 0,
            .window = (uint16_t)(i * 77),
            .urgent = (uint16_t)i,
            .label = 0xabcde + i,
            .sequence = 0xffffff00u + i,
            .acknowledged = i << 24,
            .options = options,
            .options_size = i % 11 * 4,
            .payload_size = sizes[i / 4][0],
            .salt = i,
        };
        char name[32];
        snprintf(name, sizeof name, "case %u", i);
        size_t size = model_build(&p, large);
        struct wrn_virtio header;
        model_enlarge(large, size, (uint16_t)sizes[i / 4][1], &header);
        check_cut(&header, size, name);
    }
}

/* Options of IPv4 and extension headers of IPv6 stand in every segment. */
static void longer_ip_headers(void **state) {
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct model_packet p = {
            .is_v6 = i & 1,
            .is_udp = i & 2,
            .flags = MODEL_ACK,
            .ttl = 64,
            .payload_size = 5000,
        };
        size_t size = model_build(&p, large);
        size_t at = model_l4_at(large), more = p.is_v6 ? 8 + 16 + 24 : 12;
        /* The host sums the pseudo header without options and extensions. */
        struct wrn_virtio header;
        model_enlarge(large, size, 1400, &header);
        header.header_size += (uint16_t)more;
        header.checksum_start += (uint16_t)more;
        memmove(large + at + more, large + at, size - at);
        memset(large + at, 1, more);
        size += more;
        if (p.is_v6) { /* hop by hop, destination, routing with no segments left */
            large[40] = 60;
            large[41] = 0;
            large[48] = 43;
            large[49] = 1;
            large[64] = large[6];
            large[65] = 2;
            large[6] = 0;
            wrn_store_be16(large + 4, (uint16_t)(size - 40));
        } else {
            large[0] = 0x48;
            wrn_store_be16(large + 2, (uint16_t)size);
        }
        check_cut(&header, size, i & 1 ? "IPv6 extensions" : "IPv4 options");
        uint8_t *packet = exact_copy(large, size);
        struct wrn_split split;
        header.checksum_start -= 4;
        assert_int_equal(wrn_split_begin(&split, &header, packet, size), WRN_ERR_MALFORMED);
        free(packet);
    }
}

/* A device joined the packet and verified it: its checksum field is not the pseudo header's sum. */
static void without_partial_sum(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct model_packet p = {
            .is_v6 = i == 1, .flags = MODEL_ACK, .ttl = 64, .payload_size = 5000};
        size_t size = model_build(&p, large);
        struct wrn_virtio header;
        model_enlarge(large, size, 1400, &header);
        header.flags = WRN_VIRTIO_CHECKSUM_VALID;
        memset(large + header.checksum_start + 16, 0x77, 2);
        check_cut(&header, size, i == 1 ? "TCP6" : "TCP4");
    }
}

/* What needs no cutting: the packet as built, its field emptied, comes out as built. */
static void single_packets(void **state) {
    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        struct model_packet p = {
            .is_v6 = i & 1,
            .is_udp = i & 2,
            .flags = MODEL_SYN,
            .ttl = 64,
            .payload_size = (i & 4) != 0 ? 0 : 101,
            .salt = i,
        };
        size_t size = model_build(&p, expected);
        struct wrn_virtio header;
        memcpy(large, expected, size);
        model_enlarge(large, size, 101, &header);
        if ((i & 8) != 0) {
            header.gso_type = WRN_VIRTIO_GSO_NONE;
        }
        struct wrn_split split;
        uint8_t *packet = exact_copy(large, size);
        CHECK(wrn_split_begin(&split, &header, packet, size) == 0, "case %u: ", i);
        CHECK(split.count == 1 && wrn_split_size(&split, 0) == size, "case %u: ", i);
        CHECK(memcmp(packet, expected, size) == 0, "case %u: ", i);

        /* Asked for nothing, it does nothing. */
        header.flags = 0;
        if (header.gso_type != WRN_VIRTIO_GSO_UDP) {
            memset(large + header.checksum_start + header.checksum_offset, 0x77, 2);
            memcpy(packet, large, size);
            CHECK(wrn_split_begin(&split, &header, packet, size) == 0, "case %u: ", i);
            CHECK(split.count == 1 && wrn_split_size(&split, 0) == size, "case %u: ", i);
            CHECK(memcmp(packet, large, size) == 0, "case %u: ", i);
        }
        free(packet);
    }
}

/* A sum of 0 is sent as ffff: of a segment of UDP, and of a single packet, whose protocol is not
 * looked at; but not of a segment of TCP. */
static void zero_sums(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct model_packet p = {
            .is_udp = i == 0, .flags = MODEL_ACK, .ttl = 64, .payload_size = 40};
        size_t size = model_build(&p, large);
        size_t at = model_l4_at(large), payload_at = at + (p.is_udp ? 8 : 20);
        struct wrn_virtio header;
        model_enlarge(large, size, 20, &header);
        size_t segment_size = model_cut(&header, large, size, 0, expected);
        /* The sum that lacks nothing but this word becomes ffff with it. */
        size_t field = at + header.checksum_offset;
        uint32_t word =
            (uint32_t)wrn_load_be16(large + payload_at) + wrn_load_be16(expected + field);
        wrn_store_be16(large + payload_at, (uint16_t)(word > 0xffff ? word - 0xffff : word));
        struct wrn_split split;
        uint8_t *packet = exact_copy(large, size);
        assert_int_equal(wrn_split_begin(&split, &header, packet, size), 0);
        wrn_split_write(&split, 0, expected);
        assert_true(model_is_sealed(expected, segment_size, at));
        assert_int_equal(wrn_load_be16(expected + field), p.is_udp ? 0xffff : 0);
        free(packet);
    }
    /* A protocol of its own: 20 bytes that nobody reads, words that sum to ffff. */
    uint8_t other[28] = {[20] = 0x12, 0x34, 0, 0, 0xed, 0xcb, 0, 0};
    struct wrn_virtio header = {
        .flags = WRN_VIRTIO_NEEDS_CHECKSUM, .checksum_start = 20, .checksum_offset = 6};
    struct wrn_split split;
    assert_int_equal(wrn_split_begin(&split, &header, other, sizeof other), 0);
    assert_int_equal(wrn_load_be16(other + 26), 0xffff);
    other[27] = 0;
    other[26] = 0;
    other[21] = 0x33;
    assert_int_equal(wrn_split_begin(&split, &header, other, sizeof other), 0);
    assert_int_equal(wrn_load_be16(other + 26), 1);
}

/* A packet and its header, of which one thing is changed. */
static const struct damage {
    const char *name;
    bool is_v6, is_udp;
    size_t size;            /* 0: as it was */
    uint16_t at;            /* in the packet */
    uint8_t value;          /* written there; at 0, the first byte stays */
    struct wrn_virtio less; /* subtracted from the header, modulo the fields' size */
    bool is_fine;
} damages[] = {
    {.name = "nothing TCP4", .is_fine = true},
    {.name = "nothing UDP6", .is_v6 = true, .is_udp = true, .is_fine = true},
    {.name = "another header size", .less = {.header_size = 9}, .is_fine = true},
    {.name = "gso_size 0", .less = {.gso_size = 1000}},
    {.name = "UFO", .less = {.gso_type = (uint8_t)-2}},
    {.name = "unknown type", .less = {.gso_type = (uint8_t)-6}},
    {.name = "TCP4 that is called TCP6", .less = {.gso_type = (uint8_t)-3}},
    {.name = "TCP6 that is called TCP4", .is_v6 = true, .less = {.gso_type = 3}},
    {.name = "TCP4 that is called UDP", .less = {.gso_type = (uint8_t)-4}},
    {.name = "UDP4 that is called TCP", .is_udp = true, .less = {.gso_type = 4}},
    {.name = "UDP with ECN", .is_udp = true, .less = {.gso_type = 0x80}},
    {.name = "UDP whose sum is not wanted", .is_udp = true, .less = {.flags = 1}},
    {.name = "sum starts elsewhere", .less = {.checksum_start = 2}},
    {.name = "sum lies elsewhere", .less = {.checksum_offset = 2}},
    {.name = "UDP sum starts elsewhere", .is_udp = true, .less = {.checksum_start = 2}},
    {.name = "UDP sum lies elsewhere", .is_udp = true, .less = {.checksum_offset = 2}},
    {.name = "empty", .size = SIZE_MAX},
    {.name = "one byte", .size = 1},
    {.name = "shorter than an IPv4 header", .size = 19},
    {.name = "shorter than an IPv6 header", .is_v6 = true, .size = 39},
    {.name = "shorter than its length", .size = 2000},
    {.name = "IPv6 shorter than its length", .is_v6 = true, .size = 2000},
    {.name = "version 5", .at = 0, .value = 0x55},
    {.name = "IPv4 header of 16 bytes", .at = 0, .value = 0x44},
    {.name = "IPv4 header with other TCP", .at = 0, .value = 0x4f},
    {.name = "IPv4 length", .at = 3, .value = 7},
    {.name = "IPv6 length", .is_v6 = true, .at = 5, .value = 7},
    {.name = "more fragments", .at = 6, .value = 0x20},
    {.name = "a later fragment", .at = 7, .value = 1},
    {.name = "IPv4 protocol", .at = 9, .value = 50},
    {.name = "UDP-Lite", .is_udp = true, .at = 9, .value = 136},
    {.name = "UDP-Lite over IPv6", .is_v6 = true, .is_udp = true, .at = 6, .value = 136},
    {.name = "IPv6 fragment", .is_v6 = true, .at = 6, .value = 44},
    {.name = "IPv6 extensions without end", .is_v6 = true, .at = 6, .value = 60},
    {.name = "TCP header of 16 bytes", .at = 32, .value = 0x40},
    {.name = "UDP length", .is_udp = true, .at = 25, .value = 0},
};

static void damaged(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(damages); i++) {
        const struct damage *d = &damages[i];
        struct model_packet p = {.is_v6 = d->is_v6,
                                 .is_udp = d->is_udp,
                                 .flags = MODEL_ACK,
                                 .ttl = 64,
                                 .payload_size = 3000};
        size_t size = model_build(&p, large);
        struct wrn_virtio header;
        model_enlarge(large, size, 1000, &header);
        header.flags = (uint8_t)(header.flags - d->less.flags);
        header.gso_type = (uint8_t)(header.gso_type - d->less.gso_type);
        header.header_size = (uint16_t)(header.header_size - d->less.header_size);
        header.gso_size = (uint16_t)(header.gso_size - d->less.gso_size);
        header.checksum_start = (uint16_t)(header.checksum_start - d->less.checksum_start);
        header.checksum_offset = (uint16_t)(header.checksum_offset - d->less.checksum_offset);
        large[d->at] = d->at > 0 || d->value > 0 ? d->value : large[0];
        size = d->size == SIZE_MAX ? 0 : d->size > 0 ? d->size : size;
        uint8_t *packet = exact_copy(large, size);
        struct wrn_split split;
        int error = wrn_split_begin(&split, &header, packet, size);
        CHECK(error == (d->is_fine ? 0 : WRN_ERR_MALFORMED), "%s: %d: ", d->name, error);
        free(packet);
    }
}

/* A TCP header that would end behind the packet, with all lengths right; and an empty payload. */
static void header_and_no_more(void **state) {
    (void)state;
    struct model_packet p = {.flags = MODEL_ACK, .ttl = 64, .payload_size = 8};
    size_t size = model_build(&p, large);
    struct wrn_virtio header;
    struct wrn_split split;
    model_enlarge(large, size, 1, &header);
    for (unsigned words = 5; words < 16; words++) {
        large[32] = (uint8_t)(words << 4);
        uint8_t *packet = exact_copy(large, size);
        int error = wrn_split_begin(&split, &header, packet, size);
        CHECK(error == (words <= 7 ? 0 : WRN_ERR_MALFORMED), "%u words: %d: ", words, error);
        CHECK(error != 0 || split.count == (words < 7 ? 28 - words * 4 : 1), "%u words: ", words);
        free(packet);
    }
}

/* Packets that end in or right behind a header, with lengths and offsets that agree. */
static void too_short(void **state) {
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct model_packet p = {
            .is_v6 = i & 1, .is_udp = i & 2, .flags = MODEL_ACK, .ttl = 64, .payload_size = 99};
        struct wrn_virtio header;
        struct wrn_split split;
        size_t least = (p.is_v6 ? 40u : 20u) + (p.is_udp ? 8u : 20u);
        model_enlarge(large, model_build(&p, large), 1, &header);
        for (size_t size = p.is_v6 ? 40 : 20; size <= least; size++) {
            size_t l4_at = header.checksum_start;
            wrn_store_be16(large + (p.is_v6 ? 4 : 2), (uint16_t)(size - (p.is_v6 ? 40 : 0)));
            if (p.is_udp) {
                wrn_store_be16(large + l4_at + 4, (uint16_t)(size - l4_at));
            }
            uint8_t *packet = exact_copy(large, size);
            int error = wrn_split_begin(&split, &header, packet, size);
            CHECK(error == (size == least ? 0 : WRN_ERR_MALFORMED), "%zu bytes: %d: ", size, error);
            free(packet);
        }
    }
}

/* Extension headers that end behind the packet. */
static void extensions_too_short(void **state) {
    (void)state;
    static const uint8_t nexts[] = {0, 43, 60};
    for (size_t size = 40; size < 60; size++) {
        for (unsigned i = 0; i < 2 * WRN_COUNT(nexts); i++) {
            struct wrn_virtio header = {.flags = WRN_VIRTIO_NEEDS_CHECKSUM,
                                        .gso_type = WRN_VIRTIO_GSO_TCP6,
                                        .gso_size = 1,
                                        .checksum_offset = 16};
            struct wrn_split split;
            memset(large, 0x50, 60);
            large[0] = 0x60;
            wrn_store_be16(large + 4, (uint16_t)(size - 40));
            large[6] = nexts[i / 2];
            large[40] = 6;
            large[41] = i % 2 == 0 ? 0 : 255;
            header.checksum_start = (uint16_t)(48 + 8 * large[41]);
            uint8_t *packet = exact_copy(large, size);
            int error = wrn_split_begin(&split, &header, packet, size);
            CHECK(error == WRN_ERR_MALFORMED, "%zu bytes, case %u: %d: ", size, i, error);
            free(packet);
        }
    }
}

/* An IPv4 header of four words, behind which everything would fit; and some that end behind the
 * packet. */
static void words_of_ipv4(void **state) {
    (void)state;
    struct model_packet p = {.flags = MODEL_ACK, .ttl = 64, .payload_size = 99};
    struct wrn_virtio header;
    struct wrn_split split;
    size_t size = model_build(&p, large);
    model_enlarge(large, size, 1, &header);
    memmove(large + 16, large + 20, size - 20);
    for (unsigned words = 4; words < 16; words++) {
        size = words == 4 ? size - 4 : 20;
        wrn_store_be16(large + 2, (uint16_t)size);
        large[0] = (uint8_t)(0x40 + words);
        header.checksum_start = (uint16_t)(words * 4);
        uint8_t *packet = exact_copy(large, size);
        int error = wrn_split_begin(&split, &header, packet, size);
        CHECK(error == WRN_ERR_MALFORMED, "%u words: %d: ", words, error);
        free(packet);
    }
}

/* A single packet whose field would lie outside of it, or in the IP header. */
static void single_out_of_bounds(void **state) {
    (void)state;
    static const struct {
        uint16_t start, offset, size;
        bool is_fine;
    } cases[] = {
        {20, 16, 38, true},          {20, 16, 37, false},     {20, 0, 22, true},
        {20, 0, 21, false},          {19, 0, 40, false},      {0, 10, 40, false},
        {0xffff, 0xffff, 40, false}, {40, 0xffff, 40, false}, {39, 0, 40, false},
        {38, 0, 40, true},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_virtio header = {.flags = WRN_VIRTIO_NEEDS_CHECKSUM,
                                    .checksum_start = cases[i].start,
                                    .checksum_offset = cases[i].offset};
        struct wrn_split split;
        memset(large, 0x45, 40);
        uint8_t *packet = exact_copy(large, cases[i].size);
        int error = wrn_split_begin(&split, &header, packet, cases[i].size);
        CHECK(error == (cases[i].is_fine ? 0 : WRN_ERR_MALFORMED), "case %zu: %d: ", i, error);
        bool changed = memcmp(packet, large, cases[i].size) != 0;
        CHECK(changed == cases[i].is_fine, "case %zu: ", i);
        free(packet);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),           cmocka_unit_test(like_the_slow_version),
        cmocka_unit_test(longer_ip_headers), cmocka_unit_test(without_partial_sum),
        cmocka_unit_test(single_packets),    cmocka_unit_test(zero_sums),
        cmocka_unit_test(damaged),           cmocka_unit_test(header_and_no_more),
        cmocka_unit_test(too_short),         cmocka_unit_test(extensions_too_short),
        cmocka_unit_test(words_of_ipv4),     cmocka_unit_test(single_out_of_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
