/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: behind an Ethernet header packets are joined and cut up as they are alone, and nothing goes
 * together whose headers differ; segment sizes are clamped, and nothing else is changed. Method:
 * random streams behind random link headers, compared with what happens to the bare packets, and
 * cut up again; SYN packets with all their options, checked with slow sums. */
#include "base/bytes.h"
#include "base/rand.h"
#include "packet/coalesce.h"
#include "packet/frame.h"
#include "packet/split.h"
#include "unit/base/check.h"
#include "unit/packet/model.h"

enum { ROUNDS = 400, ROOM = 2048, FRAMES = 64, LINKS = 4 };

static struct wrn_prng prng;
static uint8_t frames[FRAMES][ROOM], before[FRAMES][ROOM];
static struct iovec list[FRAMES];
static struct wrn_coalescer coalescer;
static uint8_t joined[MODEL_SIZE_MAX], segment[MODEL_SIZE_MAX];

static uint32_t below(uint32_t bound) {
    return wrn_rand_below(wrn_prng_rand(&prng), bound);
}

static int start(void **state) {
    (void)state;
    wrn_prng_init(&prng, check_seed(), 0);
    return 0;
}

/* Writes a link header with 0, 1 or 2 tags. Returns its size. */
static size_t write_link(uint8_t *out, uint8_t number, uint16_t type) {
    size_t tags = number % 3;
    memset(out, 0x10 + number, 12);
    out[0] = 2;
    out[6] = 2;
    size_t at = 12;
    for (size_t i = 0; i < tags; i++, at += 4) {
        wrn_store_be16(out + at, i + 1 < tags ? 0x88a8 : 0x8100);
        wrn_store_be16(out + at + 2, (uint16_t)(100 + number));
    }
    wrn_store_be16(out + at, type);
    return at + 2;
}

/* Streams of up to three flows, each behind a link header that seldom changes. */
static void make_frames(uint32_t links) {
    struct model_packet flows[3];
    size_t sizes[3];
    for (uint32_t i = 0; i < 3; i++) {
        flows[i] = (struct model_packet){
            .is_v6 = below(2) == 0,
            .is_udp = below(3) == 0,
            .flow = (uint8_t)i,
            .ttl = 64,
            .flags = MODEL_ACK,
            .id = (uint16_t)below(65536),
            .window = 100,
            .sequence = below(UINT32_MAX),
        };
        sizes[i] = 1 + below(1400);
    }
    uint8_t link = (uint8_t)below(links);
    for (size_t i = 0; i < FRAMES; i++) {
        uint32_t which = below(4) == 0 ? below(3) : (uint32_t)(i * 3 / FRAMES);
        struct model_packet *p = &flows[which];
        link = below(8) == 0 ? (uint8_t)below(links) : link;
        size_t at = write_link(frames[i], link, p->is_v6 ? 0x86dd : 0x0800);
        p->payload_size = below(10) == 0 ? 1 + below((uint32_t)sizes[which]) : sizes[which];
        p->salt = below(1000);
        p->flags = (uint8_t)(MODEL_ACK | (below(10) == 0 ? MODEL_PSH : 0));
        size_t size = at + model_build(p, frames[i] + at);
        p->sequence += (uint32_t)p->payload_size;
        p->id++;
        switch (below(30)) {
        case 0: /* padded, as short frames are */
            memset(frames[i] + size, 0, 6);
            size += 6;
            break;
        case 1:
            wrn_store_be16(frames[i] + at - 2, 0x88b5); /* something else, that looks like IP */
            break;
        case 2:
            size = below((uint32_t)at + 4); /* cut off */
            break;
        default:
            break;
        }
        list[i] = (struct iovec){frames[i], size};
        memcpy(before[i], frames[i], size);
    }
}

static size_t index_of(const uint8_t *bytes) {
    size_t i = 0;
    while (frames[i] != bytes) {
        i++;
        assert_true(i < FRAMES);
    }
    return i;
}

/* Cuts an out up again: its frames must come out, in order. Then undoes it. */
static void check_out(uint32_t out, bool seen[FRAMES]) {
    const struct wrn_coalesced *o = &coalescer.out[out];
    struct iovec undone[WRN_COALESCE_MAX];
    struct wrn_virtio header;
    struct wrn_split split;
    size_t size = 0;
    for (size_t i = 0; i < o->part_count; i++) {
        const struct iovec *part = &coalescer.parts[o->first_part + i];
        if (part->iov_len > 0) {
            memcpy(joined + size, part->iov_base, part->iov_len);
        }
        size += part->iov_len;
    }
    wrn_virtio_read(o->header, &header);
    assert_int_equal(wrn_coalesce_undo(&coalescer, out, undone), o->packet_count);
    assert_int_equal(wrn_split_begin_frame(&split, &header, joined, size), 0);
    assert_int_equal(split.count, o->packet_count);
    size_t last = 0;
    for (uint32_t i = 0; i < o->packet_count; i++) {
        size_t at = index_of(undone[i].iov_base);
        assert_true(i == 0 || at > last);
        assert_false(seen[at]);
        seen[at] = true;
        last = at;
        assert_int_equal(undone[i].iov_len, list[at].iov_len);
        assert_memory_equal(undone[i].iov_base, before[at], undone[i].iov_len);
        assert_int_equal(wrn_split_frame_size(&split, i), list[at].iov_len);
        if (split.count > 1) {
            wrn_split_write_frame(&split, i, segment);
            assert_memory_equal(segment, before[at], list[at].iov_len);
        } else {
            assert_memory_equal(joined, before[at], list[at].iov_len);
        }
    }
}

static void cut_and_join(void **state) {
    size_t appended = 0;
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        bool seen[FRAMES] = {false};
        make_frames(LINKS);
        wrn_coalesce_frames(&coalescer, list, FRAMES, WRN_COALESCE_ALL);
        for (uint32_t out = 0; out < coalescer.count; out++) {
            appended += coalescer.out[out].packet_count - 1u;
            check_out(out, seen);
        }
        for (size_t i = 0; i < FRAMES; i++) {
            assert_true(seen[i]);
        }
    }
    print_message("# %zu of %d frames were appended to others\n", appended, ROUNDS * FRAMES);
    assert_true(appended > (size_t)ROUNDS * FRAMES / 8);
}

/* Behind one link header exactly those go together that would without. */
static void as_packets_alone(void **state) {
    static struct wrn_coalescer alone;
    struct iovec bare[FRAMES];
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        make_frames(1);
        for (size_t i = 0; i < FRAMES; i++) {
            uint16_t type = 0;
            uint32_t link = wrn_frame_link_size(list[i].iov_base, list[i].iov_len, &type);
            bool is_ip = link > 0 && (type == 0x0800 || type == 0x86dd);
            bare[i] = is_ip ? (struct iovec){frames[i] + link, list[i].iov_len - link}
                            : (struct iovec){frames[i], 0};
        }
        wrn_coalesce(&alone, bare, FRAMES, WRN_COALESCE_ALL);
        uint32_t count = alone.count;
        struct iovec undone[WRN_COALESCE_MAX];
        for (uint32_t out = 0; out < count; out++) {
            (void)wrn_coalesce_undo(&alone, out, undone);
        }
        wrn_coalesce_frames(&coalescer, list, FRAMES, WRN_COALESCE_ALL);
        assert_int_equal(coalescer.count, count);
        for (uint32_t out = 0; out < count; out++) {
            assert_int_equal(coalescer.out[out].packet_count, alone.out[out].packet_count);
        }
    }
}

static void link_sizes(void **state) {
    static const struct {
        uint8_t bytes[26];
        size_t size;
        uint32_t link;
        uint16_t type;
    } cases[] = {
        {{0}, 0, 0, 0},
        {{0}, 13, 0, 0},
        {{[12] = 0x08, [13] = 0}, 14, 14, 0x0800},
        {{[12] = 0x00, [13] = 0x26}, 60, 14, 0x26},
        {{[12] = 0x81, [13] = 0, [16] = 0x86, [17] = 0xdd}, 17, 0, 0},
        {{[12] = 0x81, [13] = 0, [16] = 0x86, [17] = 0xdd}, 18, 18, 0x86dd},
        {{[12] = 0x88, [13] = 0xa8, [16] = 0x81, [17] = 0, [20] = 8, [21] = 6}, 21, 0, 0},
        {{[12] = 0x88, [13] = 0xa8, [16] = 0x81, [17] = 0, [20] = 8, [21] = 6}, 22, 22, 0x0806},
        {{[12] = 0x81, [13] = 0, [16] = 0x81, [17] = 0, [20] = 0x81, [21] = 0}, 60, 22, 0x8100},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        uint8_t frame[60] = {0};
        uint16_t type = 0;
        memcpy(frame, cases[i].bytes, sizeof cases[i].bytes);
        assert_int_equal(wrn_frame_link_size(frame, cases[i].size, &type), cases[i].link);
        assert_int_equal(type, cases[i].type);
    }
}

/* Offsets of what the device leaves to us count from the frame's beginning. */
static void partial_checksums(void **state) {
    (void)state;
    for (uint8_t tags = 0; tags < 3; tags++) {
        struct model_packet p = {.is_udp = true, .flow = 1, .ttl = 64, .payload_size = 33};
        uint8_t *frame = frames[0];
        size_t at = write_link(frame, tags, 0x0800);
        size_t size = at + model_build(&p, frame + at);
        memcpy(before[0], frame, size);
        uint8_t pseudo[12] = {0};
        memcpy(pseudo, frame + at + 12, 8);
        pseudo[9] = 17;
        wrn_store_be16(pseudo + 10, 8 + 33);
        wrn_store_be16(frame + at + 26, (uint16_t)~model_checksum(pseudo, sizeof pseudo, 0));
        struct wrn_virtio header = {.flags = WRN_VIRTIO_NEEDS_CHECKSUM,
                                    .checksum_start = (uint16_t)(at + 20),
                                    .checksum_offset = 6};
        struct wrn_split split;
        assert_int_equal(wrn_split_begin_frame(&split, &header, frame, size), 0);
        assert_int_equal(split.count, 1);
        assert_int_equal(wrn_split_frame_size(&split, 0), size);
        assert_memory_equal(frame, before[0], size);
        header.checksum_start = (uint16_t)(at - 1);
        assert_int_equal(wrn_split_begin_frame(&split, &header, frame, size), WRN_ERR_MALFORMED);
        header.checksum_start = (uint16_t)(at + 20);
        header.gso_type = WRN_VIRTIO_GSO_UDP;
        header.gso_size = 10;
        wrn_store_be16(frame + at - 2, 0x86dd); /* which it is not */
        assert_int_equal(wrn_split_begin_frame(&split, &header, frame, size), WRN_ERR_MALFORMED);
        assert_int_equal(wrn_split_begin_frame(&split, &header, frame, 10), WRN_ERR_MALFORMED);
    }
}

/* A SYN with these options, behind 'tags' tags. Returns its size. */
static size_t make_syn(uint8_t *frame, bool is_v6, uint8_t tags, const uint8_t *options,
                       size_t options_size) {
    struct model_packet p = {
        .is_v6 = is_v6,
        .flow = 2,
        .ttl = 64,
        .flags = MODEL_SYN,
        .sequence = below(UINT32_MAX),
        .options = options,
        .options_size = options_size,
    };
    size_t at = write_link(frame, tags, is_v6 ? 0x86dd : 0x0800);
    return at + model_build(&p, frame + at);
}

static void segment_sizes(void **state) {
    static const struct {
        uint8_t options[12];
        int at; /* of the value; -1: none is changed */
    } cases[] = {
        {{2, 4, 0x23, 0x28, 1, 1, 1, 1}, 2},
        {{1, 2, 4, 0x23, 0x28, 1, 1, 0}, 3}, /* at an odd place */
        {{4, 2, 1, 3, 3, 7, 2, 4, 0xff, 0xff, 0, 0}, 8},
        {{4, 2, 3, 3, 7, 2, 4, 0x12, 0x34, 0, 0, 0}, 7},
        {{2, 4, 0x02, 0x00, 1, 1, 1, 1}, -1},  /* small */
        {{0, 2, 4, 0x23, 0x28, 1, 1, 1}, -1},  /* behind the end of all options */
        {{2, 3, 0x23, 0x28, 1, 1, 1, 1}, -1},  /* no such size */
        {{5, 0, 2, 4, 0x23, 0x28, 1, 1}, -1},  /* a size that leads nowhere */
        {{5, 99, 2, 4, 0x23, 0x28, 1, 1}, -1}, /* ... that leads out */
        {{1, 1, 1, 1, 1, 1, 1, 2}, -1},        /* one that has no size */
        {{1, 1, 1, 1, 1, 1, 2, 4}, -1},        /* one that is cut off */
        {{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, -1},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases) * 6; i++) {
        size_t which = i / 6;
        bool is_v6 = i % 2 == 0;
        uint8_t tags = (uint8_t)(i / 2 % 3);
        size_t link = 14 + 4u * tags;
        size_t tcp = link + (is_v6 ? 40 : 20);
        size_t size = make_syn(frames[0], is_v6, tags, cases[which].options, 12);
        uint32_t frame_max = 1000 + below(500);
        uint16_t largest = (uint16_t)(frame_max - tcp - 20);
        memcpy(before[0], frames[0], size);
        assert_true(wrn_frame_is_syn(frames[0], size));
        assert_int_equal(wrn_frame_clamp_mss(frames[0], size, frame_max), cases[which].at >= 0);
        if (cases[which].at >= 0) {
            wrn_store_be16(before[0] + tcp + 20 + (size_t)cases[which].at, largest);
            model_seal(before[0] + link, size - link, tcp - link);
        }
        assert_memory_equal(frames[0], before[0], size);
        assert_false(wrn_frame_clamp_mss(frames[0], size, frame_max)); /* once is enough */
    }
}

/* Neither fragments nor anything but SYN packets, and none that ends early. */
static void nothing_else_is_clamped(void **state) {
    static const uint8_t options[8] = {2, 4, 0x23, 0x28, 1, 1, 1, 1};
    (void)state;
    for (int is_v6 = 0; is_v6 < 2; is_v6++) {
        size_t tcp = is_v6 ? 54 : 34;
        size_t size = make_syn(frames[0], is_v6, 0, options, sizeof options);
        for (size_t cut = 0; cut < size; cut++) {
            uint8_t *exact = malloc(cut > 0 ? cut : 1);
            assert_non_null(exact);
            memcpy(exact, frames[0], cut);
            assert_false(wrn_frame_clamp_mss(exact, cut, 1000));
            assert_memory_equal(exact, frames[0], cut);
            free(exact);
        }
        frames[0][tcp + 13] = MODEL_ACK;
        assert_false(wrn_frame_is_syn(frames[0], size));
        assert_false(wrn_frame_clamp_mss(frames[0], size, 1000));
        frames[0][tcp + 13] = MODEL_ACK | MODEL_SYN;
        assert_true(wrn_frame_is_syn(frames[0], size));
        frames[0][is_v6 ? 14 + 6 : 14 + 9] = 17;
        assert_false(wrn_frame_is_syn(frames[0], size));
        frames[0][is_v6 ? 14 + 6 : 14 + 9] = 6;
        frames[0][14] ^= 0x10;
        assert_false(wrn_frame_is_syn(frames[0], size));
        frames[0][14] ^= 0x10;
        frames[0][13] ^= 0x01;
        assert_false(wrn_frame_is_syn(frames[0], size));
        frames[0][13] ^= 0x01;
        if (!is_v6) {
            frames[0][14 + 6] = 0x20; /* more to come */
            assert_false(wrn_frame_clamp_mss(frames[0], size, 1000));
            frames[0][14 + 6] = 0x40;
        }
        assert_true(wrn_frame_clamp_mss(frames[0], size, 0)); /* a size has to be left */
        assert_true(wrn_load_be16(frames[0] + tcp + 22) >= 88);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_and_join),  cmocka_unit_test(as_packets_alone),
        cmocka_unit_test(link_sizes),    cmocka_unit_test(partial_checksums),
        cmocka_unit_test(segment_sizes), cmocka_unit_test(nothing_else_is_clamped),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
