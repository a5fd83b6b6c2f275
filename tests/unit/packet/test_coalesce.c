/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is joined is what may be joined, what comes out is in order, and undoing restores
 * every byte. Method: a table of pairs, of which the second differs from what would follow in one
 * thing; runs with a known result; cutting up with the slow version. */
#include "packet/coalesce.h"

#include <stdio.h>

#include "base/bytes.h"
#include "unit/base/check.h"
#include "unit/packet/model.h"

enum { ROOM = 2048 };
enum { TCP4, TCP6, UDP4, UDP6, KINDS };

static struct wrn_coalescer coalescer;
static uint8_t packets[WRN_COALESCE_MAX][ROOM], originals[WRN_COALESCE_MAX][ROOM];
static struct iovec list[WRN_COALESCE_MAX];
static size_t list_count;
static uint8_t joined[MODEL_SIZE_MAX], segment[MODEL_SIZE_MAX];

static const uint8_t options[12] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};

static struct model_packet kind_of(unsigned kind) {
    return (struct model_packet){
        .is_v6 = kind == TCP6 || kind == UDP6,
        .is_udp = kind == UDP4 || kind == UDP6,
        .flow = 1,
        .tos = 2,
        .ttl = 64,
        .flags = MODEL_ACK,
        .id = 0xffff,
        .fragment = 0x4000,
        .window = 500,
        .label = 0x12345,
        .sequence = 0xfffffff0u,
        .acknowledged = 77,
        .options = options,
        .options_size = sizeof options,
        .payload_size = 100,
    };
}

static void reset(void) {
    list_count = 0;
}

static void add_bytes(const uint8_t *bytes, size_t size) {
    CHECK(list_count < WRN_COALESCE_MAX && size <= ROOM, "%zu, %zu: ", list_count, size);
    memmove(packets[list_count], bytes, size);
    memmove(originals[list_count], bytes, size);
    list[list_count] = (struct iovec){packets[list_count], size};
    list_count++;
}

/* Adds the packet, and makes of it the one that would follow. */
static void add(struct model_packet *p) {
    size_t size = model_build(p, segment);
    add_bytes(segment, size);
    p->sequence += (uint32_t)p->payload_size;
    p->id++;
    p->salt++;
}

static void run(uint32_t allowed) {
    memset(&coalescer, 0xa5, sizeof coalescer);
    wrn_coalesce(&coalescer, list, list_count, allowed);
}

/* Puts the parts of an out together; returns the size. */
static size_t gather(uint32_t out) {
    const struct wrn_coalesced *o = &coalescer.out[out];
    size_t size = 0;
    for (uint32_t i = 0; i < o->part_count; i++) {
        const struct iovec *part = &coalescer.parts[o->first_part + i];
        memcpy(joined + size, part->iov_base, part->iov_len);
        size += part->iov_len;
    }
    return size;
}

/* Checks that an out, cut up, yields the packets 'from', 'from' + 'step' ..., 'count' of them; then
 * undoes it. */
static void check_out(uint32_t out, size_t from, size_t step, size_t count, const char *name) {
    const struct wrn_coalesced *o = &coalescer.out[out];
    CHECK(out < coalescer.count, "%s: %u outs, not %u: ", name, coalescer.count, out);
    CHECK(o->packet_count == count && o->part_count == count, "%s: out %u holds %u packets: ", name,
          out, o->packet_count);
    struct wrn_virtio header;
    wrn_virtio_read(o->header, &header);
    size_t size = gather(out);
    if (count == 1) {
        CHECK(check_filled(o->header, WRN_VIRTIO_SIZE, 0), "%s: out %u: ", name, out);
        CHECK(size == list[from].iov_len && memcmp(joined, originals[from], size) == 0,
              "%s: out %u was changed: ", name, out);
    } else {
        struct wrn_virtio expected;
        memcpy(segment, joined, size);
        model_enlarge(segment, size, header.gso_size, &expected);
        CHECK(memcmp(segment, joined, size) == 0, "%s: the partial sum of out %u: ", name, out);
        CHECK(memcmp(&expected, &header, sizeof header) == 0, "%s: header of out %u: ", name, out);
        CHECK(joined[0] >> 4 == 6 || model_checksum(joined, 20, 0) == 0, "%s: out %u: ", name, out);
        for (size_t i = 0; i < count; i++) {
            size_t at = from + i * step;
            size_t segment_size = model_cut(&header, joined, size, (uint32_t)i, segment);
            CHECK(segment_size == list[at].iov_len &&
                      memcmp(segment, originals[at], segment_size) == 0,
                  "%s: out %u, packet %zu: ", name, out, at);
        }
        CHECK(model_cut(&header, joined, size, (uint32_t)count, segment) == 0, "%s: ", name);
    }
    struct iovec undone[WRN_COALESCE_MAX];
    CHECK(wrn_coalesce_undo(&coalescer, out, undone) == count, "%s: undo of %u: ", name, out);
    for (size_t i = 0; i < count; i++) {
        size_t at = from + i * step;
        CHECK(undone[i].iov_base == list[at].iov_base && undone[i].iov_len == list[at].iov_len,
              "%s: undo of %u, packet %zu: ", name, out, at);
        CHECK(memcmp(packets[at], originals[at], list[at].iov_len) == 0,
              "%s: undo of %u, packet %zu differs: ", name, out, at);
    }
}

static void nothing(void **state) {
    (void)state;
    reset();
    run(WRN_COALESCE_ALL);
    assert_int_equal(coalescer.count, 0);
}

static void a_run_of_each_kind(void **state) {
    (void)state;
    for (unsigned kind = TCP4; kind < KINDS; kind++) {
        char name[16];
        snprintf(name, sizeof name, "kind %u", kind);
        struct model_packet p = kind_of(kind);
        reset();
        for (int i = 0; i < 5; i++) {
            p.payload_size = i < 4 ? 100 : 33;
            add(&p);
        }
        run(WRN_COALESCE_ALL);
        CHECK(coalescer.count == 1 && coalescer.out[0].first_part == 1, "%s: ", name);
        check_out(0, 0, 1, 5, name);
    }
}

/* Each kind alone is joined only if it is allowed. */
static void only_what_is_allowed(void **state) {
    (void)state;
    static const uint32_t needs[KINDS] = {[TCP4] = WRN_COALESCE_TCP4,
                                          [TCP6] = WRN_COALESCE_TCP6,
                                          [UDP4] = WRN_COALESCE_UDP,
                                          [UDP6] = WRN_COALESCE_UDP};
    for (unsigned kind = TCP4; kind < KINDS; kind++) {
        for (uint32_t allowed = 0; allowed <= WRN_COALESCE_ALL; allowed++) {
            struct model_packet p = kind_of(kind);
            reset();
            add(&p);
            add(&p);
            run(allowed);
            CHECK(coalescer.count == ((allowed & needs[kind]) != 0 ? 1 : 2), "kind %u, %u: ", kind,
                  allowed);
        }
    }
}

enum { V4 = 1 << TCP4 | 1 << UDP4, V6 = 1 << TCP6 | 1 << UDP6, ALL = V4 | V6 };
enum { TCP = 1 << TCP4 | 1 << TCP6, UDP = 1 << UDP4 | 1 << UDP6 };
enum { FIRST = 1, SECOND = 2, BOTH = 3 };

/* Two packets, of which the second follows but for bits that are turned over. */
static const struct pair {
    const char *name;
    uint8_t kinds; /* bits: which it concerns */
    uint8_t which; /* of the two */
    bool in_l4;
    uint8_t at; /* offset in its IP or upper header */
    uint8_t bits;
    bool is_sealed; /* checksums are made right again */
    bool joins;
} pairs[] = {
    {"nothing", ALL, SECOND, false, 0, 0, true, true},
    {"TOS", V4, SECOND, false, 1, 0x10, true, false},
    {"congestion mark", V4, SECOND, false, 1, 0x01, true, false},
    {"congestion mark of both", V4, BOTH, false, 1, 0x01, true, true},
    {"congestion mark of the first", V4, FIRST, false, 1, 0x01, true, false},
    {"traffic class", V6, SECOND, false, 0, 0x01, true, false},
    {"congestion mark", V6, SECOND, false, 1, 0x10, true, false},
    {"flow label", V6, SECOND, false, 3, 0x80, true, false},
    {"flow label of both", V6, BOTH, false, 3, 0x80, true, true},
    {"version", V6, SECOND, false, 0, 0x10, true, false},
    {"id of before", V4, SECOND, false, 5, 0x01, true, false},
    {"id far away", V4, SECOND, false, 4, 0x80, true, false},
    {"may be fragmented", V4, SECOND, false, 6, 0x40, true, false},
    {"both may be fragmented", V4, BOTH, false, 6, 0x40, true, true},
    {"reserved bit", V4, SECOND, false, 6, 0x80, true, false},
    {"reserved bit of both", V4, BOTH, false, 6, 0x80, true, true},
    {"first fragments", V4, BOTH, false, 6, 0x20, true, false},
    {"first fragment", V4, FIRST, false, 6, 0x20, true, false},
    {"later fragments", V4, BOTH, false, 7, 0x01, true, false},
    {"later fragment", V4, SECOND, false, 7, 0x01, true, false},
    {"TTL", V4, SECOND, false, 8, 0x01, true, false},
    {"hop limit", V6, SECOND, false, 7, 0x01, true, false},
    {"IPv4 protocol", V4, SECOND, false, 9, 0x40, false, false},
    {"both of a strange protocol", V4, BOTH, false, 9, 0x40, false, false},
    {"both of a strange protocol", V6, BOTH, false, 6, 0x40, false, false},
    {"IPv4 header checksum", V4, SECOND, false, 10, 0x01, false, false},
    {"IPv4 header checksum of the first", V4, FIRST, false, 11, 0x01, false, false},
    {"source", V4, SECOND, false, 15, 0x01, true, false},
    {"destination", V4, SECOND, false, 16, 0x80, true, false},
    {"source", V6, SECOND, false, 8, 0x01, true, false},
    {"destination", V6, SECOND, false, 39, 0x80, true, false},
    {"IPv4 length", V4, SECOND, false, 3, 0x01, true, false},
    {"IPv4 length of the first", V4, FIRST, false, 3, 0x01, true, false},
    {"IPv6 length", V6, SECOND, false, 5, 0x01, true, false},
    {"IPv6 length of the first", V6, FIRST, false, 5, 0x01, true, false},
    {"source port", ALL, SECOND, true, 1, 0x01, true, false},
    {"destination port", ALL, SECOND, true, 2, 0x80, true, false},
    {"sequence before", TCP, SECOND, true, 7, 0x04, true, false},
    {"sequence far away", TCP, SECOND, true, 4, 0x80, true, false},
    {"acknowledged", TCP, SECOND, true, 8, 0x80, true, false},
    {"acknowledged", TCP, SECOND, true, 11, 0x01, true, false},
    {"header size", TCP, SECOND, true, 12, 0x10, true, false},
    {"header size of both", TCP, BOTH, true, 12, 0x10, true, false}, /* shifts the sequence */
    {"reserved bits of both", TCP, BOTH, true, 12, 0x02, true, false},
    {"accurate ECN of both", TCP, BOTH, true, 12, 0x01, true, false},
    {"FIN", TCP, SECOND, true, 13, MODEL_FIN, true, true},
    {"FIN of the first", TCP, FIRST, true, 13, MODEL_FIN, true, false},
    {"SYN", TCP, SECOND, true, 13, MODEL_SYN, true, false},
    {"SYN of both", TCP, BOTH, true, 13, MODEL_SYN, true, false},
    {"RST", TCP, SECOND, true, 13, MODEL_RST, true, false},
    {"RST of both", TCP, BOTH, true, 13, MODEL_RST, true, false},
    {"PSH", TCP, SECOND, true, 13, MODEL_PSH, true, true},
    {"PSH and FIN", TCP, SECOND, true, 13, MODEL_PSH | MODEL_FIN, true, true},
    {"PSH of the first", TCP, FIRST, true, 13, MODEL_PSH, true, false},
    {"PSH of both", TCP, BOTH, true, 13, MODEL_PSH, true, false},
    {"no ACK", TCP, SECOND, true, 13, MODEL_ACK, true, false},
    {"no ACK in both", TCP, BOTH, true, 13, MODEL_ACK, true, false},
    {"URG", TCP, SECOND, true, 13, MODEL_URG, true, false},
    {"URG of both", TCP, BOTH, true, 13, MODEL_URG, true, false},
    {"ECE", TCP, SECOND, true, 13, MODEL_ECE, true, false},
    {"ECE of both", TCP, BOTH, true, 13, MODEL_ECE, true, false},
    {"CWR", TCP, SECOND, true, 13, MODEL_CWR, true, false},
    {"CWR of the first", TCP, FIRST, true, 13, MODEL_CWR, true, false},
    {"window", TCP, SECOND, true, 14, 0x80, true, false},
    {"window of both", TCP, BOTH, true, 15, 0x01, true, true},
    {"checksum", ALL, SECOND, true, 60, 0x01, false, false},
    {"checksum of the first", ALL, FIRST, true, 60, 0x01, false, false},
    {"checksum of both", ALL, BOTH, true, 60, 0x01, false, false},
    {"urgent pointer", TCP, SECOND, true, 19, 0x01, true, false},
    {"urgent pointer of both", TCP, BOTH, true, 19, 0x01, true, true},
    {"first option", TCP, SECOND, true, 20, 0x01, true, false},
    {"last option", TCP, SECOND, true, 31, 0x01, true, false},
    {"timestamps of both", TCP, BOTH, true, 27, 0x01, true, true},
    {"payload", ALL, SECOND, true, 61, 0xff, true, true},
    {"UDP length", UDP, SECOND, true, 5, 0x01, true, false},
    {"UDP length of the first", UDP, FIRST, true, 5, 0x01, true, false},
};

static void check_pair(const struct pair *pair, unsigned kind) {
    char name[64];
    snprintf(name, sizeof name, "%s, kind %u", pair->name, kind);
    struct model_packet p = kind_of(kind);
    reset();
    for (unsigned which = FIRST; which <= SECOND; which++) {
        size_t size = model_build(&p, segment);
        size_t l4_at = model_l4_at(segment);
        if ((pair->which & which) != 0) {
            segment[(pair->in_l4 ? l4_at : 0) + pair->at] ^= pair->bits;
            if (pair->is_sealed) {
                model_seal(segment, size, l4_at);
            }
        }
        add_bytes(segment, size);
        p.sequence += (uint32_t)p.payload_size;
        p.id++;
        p.salt++;
    }
    run(WRN_COALESCE_ALL);
    CHECK(coalescer.count == (pair->joins ? 1 : 2), "%s: ", name);
    for (uint32_t out = 0; out < coalescer.count; out++) {
        check_out(out, out, 1, pair->joins ? 2 : 1, name);
    }
}

static void pairs_that_differ(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(pairs); i++) {
        for (unsigned kind = TCP4; kind < KINDS; kind++) {
            if ((pairs[i].kinds >> kind & 1) != 0) {
                check_pair(&pairs[i], kind);
            }
        }
    }
}

/* Packets of these payloads, one after another, become outs of these counts. */
static void sizes(void **state) {
    (void)state;
    static const struct {
        uint16_t payloads[6];
        uint8_t outs[6];
    } cases[] = {
        {{100, 100, 100, 50, 50, 50}, {4, 2}},
        {{100, 101, 101, 101, 1, 1}, {1, 4, 1}},
        {{1, 1, 1, 1, 1, 1}, {6}},
        {{100, 1, 100, 99, 99, 100}, {2, 2, 1, 1}},
        {{9, 0, 9, 9, 0, 9}, {1, 1, 2, 1, 1}},
        {{0, 0, 0, 0, 0, 0}, {1, 1, 1, 1, 1, 1}},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        for (unsigned kind = TCP4; kind < KINDS; kind++) {
            char name[32];
            snprintf(name, sizeof name, "case %zu, kind %u", i, kind);
            struct model_packet p = kind_of(kind);
            reset();
            for (size_t k = 0; k < 6; k++) {
                p.payload_size = cases[i].payloads[k];
                add(&p);
            }
            run(WRN_COALESCE_ALL);
            size_t at = 0;
            for (uint32_t out = 0; at < 6; at += cases[i].outs[out++]) {
                check_out(out, at, 1, cases[i].outs[out], name);
            }
        }
    }
}

/* PSH ends a run; the next packet begins another. */
static void pushed(void **state) {
    (void)state;
    struct model_packet p = kind_of(TCP4);
    reset();
    for (int i = 0; i < 9; i++) {
        p.flags = i % 3 == 2 ? MODEL_ACK | MODEL_PSH : MODEL_ACK;
        add(&p);
    }
    run(WRN_COALESCE_ALL);
    assert_int_equal(coalescer.count, 3);
    for (uint32_t out = 0; out < 3; out++) {
        check_out(out, out * 3, 1, 3, "pushed");
    }
}

/* No more bytes than a length can say, no more datagrams than Linux takes. */
static void limits(void **state) {
    (void)state;
    for (unsigned kind = TCP4; kind < KINDS; kind++) {
        struct model_packet p = kind_of(kind);
        p.payload_size = 1400;
        reset();
        for (int i = 0; i < WRN_COALESCE_MAX; i++) {
            add(&p);
        }
        run(WRN_COALESCE_ALL);
        assert_int_equal(coalescer.count, 3); /* of 46, 46 and 36 */
        check_out(0, 0, 1, 46, "large");
        check_out(1, 46, 1, 46, "large");
        check_out(2, 92, 1, 36, "large");

        p.payload_size = 20;
        reset();
        for (int i = 0; i < WRN_COALESCE_MAX; i++) {
            add(&p);
        }
        run(WRN_COALESCE_ALL);
        if (p.is_udp) {
            check_out(0, 0, 1, 64, "many");
            check_out(1, 64, 1, 64, "many");
        } else {
            check_out(0, 0, 1, WRN_COALESCE_MAX, "many");
        }
    }
    /* 65,535 bytes exactly are joined, one more is not. */
    for (unsigned more = 0; more < 2; more++) {
        struct model_packet p = kind_of(TCP4);
        p.payload_size = 1000;
        reset();
        for (int i = 0; i < 65; i++) {
            add(&p);
        }
        p.payload_size = 65535 - 52 - 65000 + more;
        add(&p);
        run(WRN_COALESCE_ALL);
        check_out(0, 0, 1, 66 - more, "65,535 bytes");
    }
}

/* Flows that alternate are joined each for itself, in the order of their first packets. */
static void interleaved(void **state) {
    (void)state;
    struct model_packet p[8];
    for (unsigned i = 0; i < 8; i++) {
        p[i] = kind_of(i % 4);
        p[i].flow = (uint8_t)(i / 4); /* which differ in the port */
    }
    reset();
    for (unsigned i = 0; i < WRN_COALESCE_MAX; i++) {
        add(&p[i % 8]);
    }
    run(WRN_COALESCE_ALL);
    assert_int_equal(coalescer.count, 8);
    for (uint32_t out = 0; out < 8; out++) {
        check_out(out, out, 8, WRN_COALESCE_MAX / 8, "interleaved");
    }
}

/* As many flows as packets, and each twice. */
static void many_flows(void **state) {
    (void)state;
    for (unsigned kind = TCP4; kind < KINDS; kind++) {
        struct model_packet p[WRN_COALESCE_MAX];
        for (unsigned i = 0; i < WRN_COALESCE_MAX; i++) {
            p[i] = kind_of(kind);
            p[i].flow = (uint8_t)i;
        }
        reset();
        for (unsigned i = 0; i < WRN_COALESCE_MAX; i++) {
            add(&p[i]);
        }
        run(WRN_COALESCE_ALL);
        assert_int_equal(coalescer.count, WRN_COALESCE_MAX);
        for (unsigned i = 0; i < WRN_COALESCE_MAX; i++) {
            check_out(i, i, 1, 1, "many flows");
        }
        for (unsigned i = 0; i < WRN_COALESCE_MAX; i++) {
            p[i] = kind_of(kind);
            p[i].flow = (uint8_t)i;
        }
        reset();
        for (unsigned i = 0; i < WRN_COALESCE_MAX; i++) {
            add(&p[i % 64]);
        }
        run(WRN_COALESCE_ALL);
        assert_int_equal(coalescer.count, 64);
        for (unsigned i = 0; i < 64; i++) {
            check_out(i, i, 64, 2, "many flows twice");
        }
    }
}

/* A packet between two that would be joined. */
static const struct between {
    const char *name;
    uint8_t kinds;
    uint8_t flow;      /* 1: that of the others; 0: only the port differs; 4: the address */
    uint16_t fragment; /* flags and offset of IPv4 */
    uint16_t next;     /* protocol or next header in place of its own; 0: stays */
    uint8_t first;     /* first byte of the packet; 0: stays */
    uint16_t size;     /* 0: whole */
    uint8_t flags;     /* of TCP; 0: ACK */
    bool is_bad;       /* its checksum */
    bool separates;
} betweens[] = {
    {.name = "of another port", .kinds = ALL, .flow = 0},
    {.name = "of another address", .kinds = ALL, .flow = 4},
    {.name = "bad of another port", .kinds = ALL, .flow = 0, .is_bad = true},
    {.name = "bad of the flow", .kinds = ALL, .flow = 1, .is_bad = true, .separates = true},
    {.name = "reset of the flow", .kinds = TCP, .flow = 1, .flags = MODEL_RST, .separates = true},
    {.name = "reset of another flow", .kinds = TCP, .flow = 4, .flags = MODEL_RST},
    {.name = "fragment between the hosts", .kinds = V4, .fragment = 0x0010, .separates = true},
    {.name = "fragment elsewhere", .kinds = V4, .flow = 4, .fragment = 0x0010},
    {.name = "first fragment", .kinds = V4, .flow = 1, .fragment = 0x2000, .separates = true},
    {.name = "first fragment of others", .kinds = V4, .flow = 0, .fragment = 0x2000},
    {.name = "IPv4 options", .kinds = V4, .flow = 1, .first = 0x46, .separates = true},
    {.name = "no IPv4 header", .kinds = V4, .flow = 1, .first = 0x44, .separates = true},
    {.name = "cut off in the ports", .kinds = V4, .flow = 1, .size = 23, .separates = true},
    {.name = "cut off in the ports", .kinds = V6, .flow = 1, .size = 43, .separates = true},
    {.name = "cut off after the ports", .kinds = V4, .flow = 1, .size = 24, .separates = true},
    {.name = "cut off after the ports", .kinds = V6, .flow = 1, .size = 44, .separates = true},
    {.name = "cut off in IP", .kinds = V4, .flow = 1, .size = 19},
    {.name = "cut off in IP", .kinds = V6, .flow = 1, .size = 39},
    {.name = "empty", .kinds = ALL, .flow = 1, .size = UINT16_MAX},
    {.name = "no IP", .kinds = ALL, .flow = 1, .first = 0x55},
    {.name = "ICMP", .kinds = V4, .flow = 1, .next = 1},
    {.name = "ICMPv6", .kinds = V6, .flow = 1, .next = 58},
    {.name = "IPv6 fragment", .kinds = V6, .flow = 1, .next = 44, .separates = true},
    {.name = "IPv6 fragment elsewhere", .kinds = V6, .flow = 4, .next = 44},
    {.name = "hop by hop", .kinds = V6, .flow = 1, .next = 0x100, .separates = true},
    {.name = "routing header", .kinds = V6, .flow = 1, .next = 43, .separates = true},
    {.name = "authentication header", .kinds = V6, .flow = 1, .next = 51, .separates = true},
    {.name = "destination options", .kinds = V6, .flow = 1, .next = 60, .separates = true},
};

static void check_between(const struct between *b, unsigned kind) {
    char name[64];
    snprintf(name, sizeof name, "%s, kind %u", b->name, kind);
    struct model_packet p = kind_of(kind), other = kind_of(kind);
    other.flow = b->flow;
    other.fragment = b->fragment;
    other.flags = b->flags != 0 ? b->flags : MODEL_ACK;
    other.sequence += 100;
    other.id++;
    reset();
    add(&p);
    size_t size = model_build(&other, segment);
    if (b->next != 0) {
        segment[other.is_v6 ? 6 : 9] = (uint8_t)b->next;
    }
    if (b->first == 0x46) { /* four more bytes of header, and the ports where they belong */
        memmove(segment + 24, segment + 20, size - 20);
        size += 4;
    }
    if (b->first != 0) {
        segment[0] = b->first;
    }
    segment[size - 1] ^= b->is_bad ? 1 : 0;
    size = b->size == UINT16_MAX ? 0 : b->size != 0 ? b->size : size;
    uint8_t *exact = malloc(size > 0 ? size : 1); /* so that a read past the end is seen */
    assert_non_null(exact);
    memcpy(exact, segment, size);
    add_bytes(segment, size);
    list[1].iov_base = exact;
    memcpy(packets[1], exact, size);
    add(&p);
    run(WRN_COALESCE_ALL);
    CHECK(coalescer.count == (b->separates ? 3 : 2), "%s: ", name);
    if (b->separates) {
        check_out(0, 0, 1, 1, name);
        check_out(1, 1, 1, 1, name);
        check_out(2, 2, 1, 1, name);
    } else {
        check_out(0, 0, 2, 2, name);
        check_out(1, 1, 1, 1, name);
    }
    free(exact);
}

static void packets_between(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(betweens); i++) {
        for (unsigned kind = TCP4; kind < KINDS; kind++) {
            if ((betweens[i].kinds >> kind & 1) != 0) {
                check_between(&betweens[i], kind);
            }
        }
    }
}

/* After a packet that had to stay alone its flow is joined again; a bad first packet does not keep
 * the second from beginning a run. */
static void begins_again(void **state) {
    (void)state;
    static const uint8_t outs[6][4] = {{1, 5}, {1, 1, 4}, {2, 1, 3}, {3, 1, 2}, {4, 1, 1}, {5, 1}};
    for (unsigned kind = TCP4; kind < KINDS; kind++) {
        for (size_t bad = 0; bad < 6; bad++) {
            struct model_packet p = kind_of(kind);
            reset();
            for (size_t i = 0; i < 6; i++) {
                add(&p);
            }
            packets[bad][list[bad].iov_len - 1] ^= 1;
            originals[bad][list[bad].iov_len - 1] ^= 1;
            run(WRN_COALESCE_ALL);
            size_t at = 0;
            for (uint32_t out = 0; at < 6; at += outs[bad][out++]) {
                check_out(out, at, 1, outs[bad][out], "begins again");
            }
        }
    }
}

/* A checksum in a form that cutting up would not write: ffff for 0; and UDP's that is missing. */
static void unusual_checksums(void **state) {
    (void)state;
    for (unsigned kind = TCP4; kind < KINDS; kind++) {
        for (unsigned form = 0; form < 3; form++) {
            struct model_packet p = kind_of(kind);
            reset();
            for (int i = 0; i < 2; i++) {
                size_t size = model_build(&p, segment);
                size_t at = model_l4_at(segment), field = at + (p.is_udp ? 6 : 16);
                /* Make the sum 0 by the first word of the payload. */
                size_t word_at = at + (p.is_udp ? 8 : 32);
                uint32_t word =
                    (uint32_t)wrn_load_be16(segment + word_at) + wrn_load_be16(segment + field);
                wrn_store_be16(segment + word_at, (uint16_t)(word > 0xffff ? word - 0xffff : word));
                static const uint16_t values[] = {0, 0xffff, 0};
                wrn_store_be16(segment + field, values[form]);
                segment[size - 1] ^= form == 2 ? 1 : 0; /* neither form is right */
                add_bytes(segment, size);
                p.sequence += (uint32_t)p.payload_size;
                p.id++;
            }
            run(WRN_COALESCE_ALL);
            bool joins = form == (p.is_udp ? 1 : 0);
            CHECK(coalescer.count == (joins ? 1 : 2), "kind %u, form %u: ", kind, form);
            for (uint32_t out = 0; out < coalescer.count; out++) {
                check_out(out, out, 1, joins ? 2 : 1, "unusual checksum");
            }
        }
    }
    /* The same of an IPv4 header: its id makes the sum 0. */
    for (unsigned form = 0; form < 2; form++) {
        struct model_packet p = kind_of(UDP4);
        p.id = 0;
        size_t size = model_build(&p, segment);
        p.id = wrn_load_be16(segment + 10);
        reset();
        for (int i = 0; i < 2; i++) {
            p.id = (uint16_t)(p.id - (i == 0 ? 1 : 0));
            (void)model_build(&p, segment);
            p.id++;
            if (i == 1) {
                assert_int_equal(wrn_load_be16(segment + 10), 0);
                wrn_store_be16(segment + 10, form == 0 ? 0 : 0xffff);
            }
            add_bytes(segment, size);
        }
        run(WRN_COALESCE_ALL);
        assert_int_equal(coalescer.count, 1 + form);
        for (uint32_t out = 0; out < coalescer.count; out++) {
            check_out(out, out, 1, 2 - form, "IPv4 header checksum");
        }
    }
}

/* Options of IPv4 are not joined, even if they are equal. */
static void options_of_ipv4(void **state) {
    (void)state;
    for (unsigned kind = TCP4; kind < KINDS; kind += 2) {
        struct model_packet p = kind_of(kind);
        reset();
        for (int i = 0; i < 2; i++) {
            size_t size = model_build(&p, segment) + 4;
            memmove(segment + 24, segment + 20, size - 24);
            memset(segment + 20, 0, 4); /* they do not even change a sum */
            segment[0] = 0x46;
            wrn_store_be16(segment + 2, (uint16_t)size);
            model_seal(segment, size, 24);
            add_bytes(segment, size);
            p.sequence += (uint32_t)p.payload_size;
            p.id++;
        }
        run(WRN_COALESCE_ALL);
        assert_int_equal(coalescer.count, 2);
        check_out(0, 0, 1, 1, "options");
        check_out(1, 1, 1, 1, "options");
    }
}

/* Two flows that look alike to the table: the kind of one makes up for the ports of the other. */
static void flows_of_one_hash(void **state) {
    (void)state;
    reset();
    for (int i = 0; i < 20; i++) {
        struct model_packet p = kind_of(i % 2 == 0 ? UDP4 : TCP4);
        p.sequence += (uint32_t)(i / 2 * 100);
        p.id = (uint16_t)(i / 2);
        size_t size = model_build(&p, segment);
        segment[20] = (uint8_t)(segment[20] + (i % 2 == 0 ? 0 : 2));
        model_seal(segment, size, 20);
        add_bytes(segment, size);
    }
    run(WRN_COALESCE_ALL);
    assert_int_equal(coalescer.count, 2);
    check_out(0, 0, 2, 10, "one hash");
    check_out(1, 1, 2, 10, "one hash");
}

/* Before each out's parts there is an entry that belongs to nobody else. */
static void room_for_headers(void **state) {
    (void)state;
    reset();
    for (unsigned i = 0; i < WRN_COALESCE_MAX; i++) {
        struct model_packet p = kind_of(i % 4);
        p.flow = (uint8_t)(i / 3);
        add(&p);
    }
    run(WRN_COALESCE_ALL);
    bool used[2 * WRN_COALESCE_MAX] = {false};
    for (uint32_t out = 0; out < coalescer.count; out++) {
        const struct wrn_coalesced *o = &coalescer.out[out];
        for (uint32_t at = o->first_part - 1u; at < (uint32_t)o->first_part + o->part_count; at++) {
            CHECK(at < WRN_COUNT(used) && !used[at], "out %u, part %u: ", out, at);
            used[at] = true;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing),
        cmocka_unit_test(a_run_of_each_kind),
        cmocka_unit_test(only_what_is_allowed),
        cmocka_unit_test(pairs_that_differ),
        cmocka_unit_test(sizes),
        cmocka_unit_test(pushed),
        cmocka_unit_test(limits),
        cmocka_unit_test(interleaved),
        cmocka_unit_test(many_flows),
        cmocka_unit_test(packets_between),
        cmocka_unit_test(begins_again),
        cmocka_unit_test(unusual_checksums),
        cmocka_unit_test(options_of_ipv4),
        cmocka_unit_test(flows_of_one_hash),
        cmocka_unit_test(room_for_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
