/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a locator is read as it was written, in one encoding, from who signed it; anything else is
 * refused. Method: vectors of a second implementation, random locators, every truncation and
 * flipped bit, and tables of locators that are well signed and wrong. */
#include "overlay/locator.h"

#include <stdio.h>

#include "unit/base/check.h"
#include "unit/overlay/real_primitives.h"
#include "unit/overlay/sign.h"
#include "vectors/ring.h"

static uint8_t seed[WRN_SEED_SIZE];
static const char label[] = "warren locator 1";

static int set_up(void **state) {
    check_pattern(seed, sizeof(seed), SIGN_VECTORS_SEED);
    return real_primitives_set_up(state);
}

/* Reads from memory of its own size; a locator that is refused is zeroed. */
static enum wrn_reason read_bytes(const uint8_t *bytes, size_t size, struct wrn_locator *locator) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    memset(locator, 0x55, sizeof(*locator));
    enum wrn_reason reason = wrn_locator_read((wrn_span){copy, size}, &primitives, NULL, locator);
    free(copy);
    if (reason != WRN_REASON_NONE) {
        assert_true(check_filled(locator, sizeof(*locator), 0));
    }
    return reason;
}

static void check_same(const struct wrn_locator *a, const struct wrn_locator *b) {
    assert_memory_equal(a->public_key, b->public_key, sizeof(a->public_key));
    assert_memory_equal(a->tunnel_key, b->tunnel_key, sizeof(a->tunnel_key));
    assert_true(wrn_id_equal(a->id, b->id) && a->sequence == b->sequence);
    assert_true(a->nat_class == b->nat_class && a->relays == b->relays);
    assert_int_equal(a->speaks_aes, b->speaks_aes);
    assert_true(a->port_step == b->port_step && a->port_last == b->port_last);
    assert_true(a->tcp_port == b->tcp_port && a->tls_port == b->tls_port);
    assert_int_equal(a->endpoint_count, b->endpoint_count);
    assert_int_equal(a->relay_count, b->relay_count);
    for (size_t i = 0; i < a->endpoint_count; i++) {
        assert_true(wrn_endpoint_equal(&a->endpoints[i].at, &b->endpoints[i].at));
        assert_int_equal(a->endpoints[i].kind, b->endpoints[i].kind);
    }
    for (size_t i = 0; i < a->relay_count; i++) {
        assert_true(wrn_id_equal(a->relay_ids[i], b->relay_ids[i]));
    }
}

static struct wrn_locator_endpoint endpoint(const char *text, enum wrn_endpoint_kind kind) {
    struct wrn_locator_endpoint entry = {.kind = (uint8_t)kind};
    wrn_span span = {(const uint8_t *)text, strlen(text)};
    CHECK(wrn_endpoint_parse(span, &entry.at) == 0, "%s: ", text);
    return entry;
}

/* That of the first vector. */
static struct wrn_locator full_locator(void) {
    struct wrn_locator locator = {
        .sequence = 1795000000123,
        .nat_class = WRN_NAT_CLASS_PORT_PREDICTABLE,
        .relays = true,
        .port_step = -7,
        .port_last = 40000,
        .endpoint_count = 3,
        .relay_count = 2,
        .endpoints = {endpoint("10.0.0.7:51820", WRN_ENDPOINT_LOCAL),
                      endpoint("[2001:db8::9]:65535", WRN_ENDPOINT_REFLECTED),
                      endpoint("192.0.2.9:1", WRN_ENDPOINT_MAPPED)},
    };
    uint8_t id[WRN_ID_SIZE];
    check_pattern(locator.tunnel_key, sizeof(locator.tunnel_key), 35);
    check_pattern(id, sizeof(id), 36);
    locator.relay_ids[0] = wrn_id_load(id);
    check_pattern(id, sizeof(id), 37);
    locator.relay_ids[1] = wrn_id_load(id);
    return locator;
}

static void writes_and_reads_the_vectors(void **state) {
    (void)state;
    struct wrn_locator expected[3] = {0};
    uint8_t ring[WRN_RING_SIZE];
    check_pattern(ring, sizeof(ring), 40);
    expected[0] = full_locator();
    memcpy(expected[1].tunnel_key, expected[0].tunnel_key, WRN_KEY_SIZE);
    expected[2] = expected[1];
    assert_int_equal(WRN_COUNT(expected), WRN_COUNT(vector_locator));
    for (size_t i = 0; i < WRN_COUNT(expected); i++) {
        uint8_t bytes[WRN_LOCATOR_MAX];
        uint8_t written[WRN_LOCATOR_MAX];
        uint8_t id[WRN_ID_SIZE];
        struct wrn_locator locator;
        size_t size = check_hex(vector_locator[i].bytes, bytes, sizeof(bytes));
        assert_int_equal(wrn_locator_write(&expected[i], &primitives, seed, i == 2 ? ring : NULL,
                                           written, sizeof(written)),
                         size);
        assert_memory_equal(written, bytes, size);
        assert_int_equal(
            wrn_locator_read((wrn_span){bytes, size}, &primitives, i == 2 ? ring : NULL, &locator),
            WRN_REASON_NONE);
        check_same(&locator, &expected[i]);
        check_hex(vector_locator_id, id, sizeof(id));
        assert_true(wrn_id_equal(locator.id, wrn_id_load(id)));
    }
}

/* A host is another node on each of its rings: where it is on one is no word about another. */
static void is_good_for_its_ring_only(void **state) {
    (void)state;
    uint8_t bytes[WRN_LOCATOR_MAX];
    struct wrn_locator locator = full_locator();
    struct wrn_locator again;
    static const uint8_t rings[2][WRN_RING_SIZE] = {"ring one", "ring two"};
    size_t size = wrn_locator_write(&locator, &primitives, seed, rings[0], bytes, sizeof(bytes));
    wrn_span span = {bytes, size};
    assert_int_equal(wrn_locator_read(span, &primitives, rings[0], &again), WRN_REASON_NONE);
    check_same(&again, &locator);
    assert_int_equal(wrn_locator_read(span, &primitives, rings[1], &again),
                     WRN_REASON_BAD_SIGNATURE);
    assert_true(check_filled(&again, sizeof(again), 0));
    assert_int_equal(read_bytes(bytes, size, &again), WRN_REASON_BAD_SIGNATURE);
    assert_int_equal(wrn_locator_parse(span, &primitives, &again), WRN_REASON_NONE);
    check_same(&again, &locator);
    size = wrn_locator_write(&locator, &primitives, seed, NULL, bytes, sizeof(bytes));
    assert_int_equal(wrn_locator_read(span, &primitives, rings[0], &again),
                     WRN_REASON_BAD_SIGNATURE);
    assert_int_equal(size, span.size);
}

static struct wrn_locator draw(struct wrn_rand rand) {
    struct wrn_locator locator = {
        .nat_class = (uint8_t)wrn_rand_below(rand, WRN_NAT_CLASSES),
        .relays = wrn_rand_below(rand, 2) == 1,
        .speaks_aes = wrn_rand_below(rand, 2) == 1,
        .endpoint_count = (uint8_t)wrn_rand_below(rand, WRN_ENDPOINTS_MAX + 1),
        .relay_count = (uint8_t)wrn_rand_below(rand, WRN_LOCATOR_RELAYS_MAX + 1),
    };
    wrn_rand_fill(rand, locator.tunnel_key, sizeof(locator.tunnel_key));
    wrn_rand_fill(rand, &locator.sequence, sizeof(locator.sequence));
    locator.sequence >>= wrn_rand_below(rand, 64);
    if (locator.nat_class == WRN_NAT_CLASS_PORT_PREDICTABLE) {
        locator.port_step =
            (int32_t)wrn_rand_below(rand, 2 * WRN_LOCATOR_STEP_MAX + 1) - WRN_LOCATOR_STEP_MAX;
        locator.port_last = (uint16_t)wrn_rand_below(rand, 65536);
    }
    if (locator.endpoint_count < WRN_ENDPOINTS_MAX && wrn_rand_below(rand, 2) == 1) {
        locator.tcp_port = (uint16_t)wrn_rand_below(rand, 65536);
        locator.tls_port = (uint16_t)wrn_rand_below(rand, 65536);
    }
    for (size_t i = 0; i < locator.endpoint_count; i++) {
        struct wrn_locator_endpoint *entry = &locator.endpoints[i];
        bool is_ipv4 = wrn_rand_below(rand, 2) == 0;
        wrn_rand_fill(rand, entry->at.ip.bytes, is_ipv4 ? 4 : 16);
        entry->at.ip.bytes[0] = (uint8_t)(0x20 + wrn_rand_below(rand, 0x50));
        entry->at.ip.family = is_ipv4 ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6;
        entry->at.port = (uint16_t)(1 + wrn_rand_below(rand, 65535));
        entry->kind = (uint8_t)wrn_rand_below(rand, WRN_ENDPOINT_MAPPED + 1);
    }
    for (size_t i = 0; i < locator.relay_count; i++) {
        wrn_rand_fill(rand, &locator.relay_ids[i].high, sizeof(locator.relay_ids[i].high));
        wrn_rand_fill(rand, &locator.relay_ids[i].low, sizeof(locator.relay_ids[i].low));
    }
    return locator;
}

static void reads_what_was_written(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    for (size_t i = 0; i < 300; i++) {
        uint8_t bytes[WRN_LOCATOR_MAX];
        struct wrn_locator locator = draw(wrn_prng_rand(&prng));
        struct wrn_locator again;
        size_t size = wrn_locator_write(&locator, &primitives, seed, NULL, bytes, sizeof(bytes));
        assert_true(size > 0);
        assert_int_equal(read_bytes(bytes, size, &again), WRN_REASON_NONE);
        check_same(&locator, &again);
    }
}

static void the_largest_fits(void **state) {
    (void)state;
    uint8_t bytes[WRN_LOCATOR_MAX];
    struct wrn_locator again;
    struct wrn_locator locator = full_locator();
    locator.sequence = UINT64_MAX;
    locator.speaks_aes = true;
    locator.port_step = -WRN_LOCATOR_STEP_MAX;
    locator.port_last = 65535;
    locator.endpoint_count = WRN_ENDPOINTS_MAX;
    locator.relay_count = WRN_LOCATOR_RELAYS_MAX;
    for (size_t i = 0; i < WRN_ENDPOINTS_MAX; i++) {
        locator.endpoints[i] = endpoint("[2001:db8::9]:65535", WRN_ENDPOINT_MAPPED);
    }
    size_t size = wrn_locator_write(&locator, &primitives, seed, NULL, bytes, sizeof(bytes));
    print_message("# the largest locator has %zu bytes\n", size);
    assert_int_equal(read_bytes(bytes, size, &again), WRN_REASON_NONE);
    check_same(&locator, &again);
    /* With streams the last endpoint makes room. */
    locator.tcp_port = locator.tls_port = 65535;
    uint8_t with[WRN_LOCATOR_MAX];
    assert_true(wrn_locator_write(&locator, &primitives, seed, NULL, with, sizeof(with)) > 0);
    assert_int_equal(
        read_bytes(with, wrn_locator_write(&locator, &primitives, seed, NULL, with, sizeof(with)),
                   &again),
        WRN_REASON_NONE);
    assert_int_equal(again.endpoint_count, WRN_ENDPOINTS_MAX - 1);
    assert_int_equal(again.tls_port, 65535);
    locator.tcp_port = locator.tls_port = 0;
    for (size_t capacity = 0; capacity < size; capacity += 13) {
        uint8_t small[WRN_LOCATOR_MAX];
        memset(small, 0x77, sizeof(small));
        assert_int_equal(wrn_locator_write(&locator, &primitives, seed, NULL, small, capacity), 0);
        assert_true(check_filled(small + capacity, sizeof(small) - capacity, 0x77));
    }
}

static void refuses_every_truncation_and_flipped_bit(void **state) {
    (void)state;
    uint8_t bytes[WRN_LOCATOR_MAX + 1] = {0};
    struct wrn_locator locator = full_locator();
    size_t size = wrn_locator_write(&locator, &primitives, seed, NULL, bytes, sizeof(bytes));
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(read_bytes(bytes, cut, &locator), WRN_REASON_MALFORMED);
    }
    assert_int_equal(read_bytes(bytes, size + 1, &locator), WRN_REASON_MALFORMED);
    assert_int_equal(read_bytes(bytes, sizeof(bytes), &locator), WRN_REASON_TOO_LARGE);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum wrn_reason reason = read_bytes(bytes, size, &locator);
        CHECK(reason == WRN_REASON_MALFORMED || reason == WRN_REASON_BAD_SIGNATURE,
              "bit %zu: ", bit);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(read_bytes(bytes, size, &locator), WRN_REASON_NONE);
}

/* Whoever takes the offer of a cipher out on the way breaks the signature. */
static void a_stripped_offer_is_noticed(void **state) {
    (void)state;
    static const char offer[] = "(3:aes)";
    uint8_t bytes[WRN_LOCATOR_MAX];
    struct wrn_locator locator = full_locator();
    locator.speaks_aes = true;
    size_t size = wrn_locator_write(&locator, &primitives, seed, NULL, bytes, sizeof(bytes));
    size_t before = 0;
    while (before + strlen(offer) < size && memcmp(bytes + before, offer, strlen(offer)) != 0) {
        before++;
    }
    assert_true(before + strlen(offer) < size);
    assert_int_equal(read_bytes(bytes, size, &locator), WRN_REASON_NONE);
    assert_true(locator.speaks_aes);
    memmove(bytes + before, bytes + before + strlen(offer), size - before - strlen(offer));
    assert_int_equal(read_bytes(bytes, size - strlen(offer), &locator), WRN_REASON_BAD_SIGNATURE);
}

#define BEGIN "(locator (version 1) (key @K) (tunnel @B) "
#define LEAST BEGIN "(seq 7) (nat none) "

static const struct {
    const char *text;
    enum wrn_reason reason;
} forms[] = {
    {LEAST ")", WRN_REASON_NONE},
    {LEAST "(aes))", WRN_REASON_NONE},
    {LEAST "(relays) (aes) (local #0a000001# 9) (via \"twelve bytes\"))", WRN_REASON_NONE},
    {BEGIN "(seq 18446744073709551615) (nat blocked))", WRN_REASON_NONE},
    {BEGIN "(seq 7) (nat port-predictable) (ports 0 0))", WRN_REASON_NONE},
    {BEGIN "(seq 7) (nat port-predictable) (ports \"-65535\" 65535))", WRN_REASON_NONE},
    /* the envelope */
    {"(lokator (version 1) (key @K) (tunnel @B) (seq 7) (nat none))", WRN_REASON_MALFORMED},
    {"locator", WRN_REASON_MALFORMED},
    {"()", WRN_REASON_MALFORMED},
    {"(locator)", WRN_REASON_MALFORMED},
    {"(locator (key @K) (tunnel @B) (seq 7) (nat none))", WRN_REASON_MALFORMED},
    {"(locator (version 2) (key @K) (tunnel @B) (seq 7) (nat none))", WRN_REASON_MALFORMED},
    {"(locator (version 1 1) (key @K) (tunnel @B) (seq 7) (nat none))", WRN_REASON_MALFORMED},
    {"(locator (version) (key @K) (tunnel @B) (seq 7) (nat none))", WRN_REASON_MALFORMED},
    /* order, missing, doubled, unknown */
    {"(locator (version 1) (tunnel @B) (key @K) (seq 7) (nat none))", WRN_REASON_MALFORMED},
    {"(locator (version 1) (key @K) (seq 7) (nat none))", WRN_REASON_MALFORMED},
    {BEGIN "(nat none))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 7))", WRN_REASON_MALFORMED},
    {BEGIN "(nat none) (seq 7))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 7) (seq 7) (nat none))", WRN_REASON_MALFORMED},
    {LEAST "(relays) (relays))", WRN_REASON_MALFORMED},
    {LEAST "(aes) (relays))", WRN_REASON_MALFORMED},
    {LEAST "(aes) (aes))", WRN_REASON_MALFORMED},
    {LEAST "(aes yes))", WRN_REASON_MALFORMED},
    {LEAST "later)", WRN_REASON_MALFORMED},
    {LEAST "())", WRN_REASON_MALFORMED},
    {LEAST "(local #0a000001# 9) (relays))", WRN_REASON_MALFORMED},
    {LEAST "(via \"twelve bytes\") (local #0a000001# 9))", WRN_REASON_MALFORMED},
    {LEAST "(via \"twelve bytes\") (via \"twelve bytes\"))", WRN_REASON_MALFORMED},
    /* sizes and hints */
    {"(locator (version 1) (key #00#) (tunnel @B) (seq 7) (nat none))", WRN_REASON_MALFORMED},
    {"(locator (version 1) (key @K) (tunnel #00#) (seq 7) (nat none))", WRN_REASON_MALFORMED},
    {"(locator (version 1) (key [x]@K) (tunnel @B) (seq 7) (nat none))", WRN_REASON_MALFORMED},
    {"(locator (version 1) (key (@K)) (tunnel @B) (seq 7) (nat none))", WRN_REASON_MALFORMED},
    /* numbers */
    {BEGIN "(seq \"07\") (nat none))", WRN_REASON_MALFORMED},
    {BEGIN "(seq \"\") (nat none))", WRN_REASON_MALFORMED},
    {BEGIN "(seq \"-1\") (nat none))", WRN_REASON_MALFORMED},
    {BEGIN "(seq \"+1\") (nat none))", WRN_REASON_MALFORMED},
    {BEGIN "(seq \"1 \") (nat none))", WRN_REASON_MALFORMED},
    {BEGIN "(seq \"1:\") (nat none))", WRN_REASON_MALFORMED},
    {BEGIN "(seq \"1/\") (nat none))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 18446744073709551616) (nat none))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 99999999999999999999) (nat none))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 100000000000000000000) (nat none))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 7 7) (nat none))", WRN_REASON_MALFORMED},
    /* NAT and ports */
    {BEGIN "(seq 7) (nat other))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 7) (nat))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 7) (nat none none))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 7) (nat port-predictable))", WRN_REASON_MALFORMED},
    {LEAST "(ports 1 1))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 7) (nat port-predictable) (ports 1))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 7) (nat port-predictable) (ports 1 1 1))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 7) (nat port-predictable) (ports \"-0\" 1))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 7) (nat port-predictable) (ports \"-\" 1))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 7) (nat port-predictable) (ports \"--1\" 1))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 7) (nat port-predictable) (ports 65536 1))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 7) (nat port-predictable) (ports \"-65536\" 1))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 7) (nat port-predictable) (ports 1 65536))", WRN_REASON_MALFORMED},
    {BEGIN "(seq 7) (nat port-predictable) (ports 1 \"-1\"))", WRN_REASON_MALFORMED},
    {LEAST "(relays yes))", WRN_REASON_MALFORMED},
    /* endpoints and relays */
    {LEAST "(local #0a0000# 9))", WRN_REASON_MALFORMED},
    {LEAST "(local #0a00000102# 9))", WRN_REASON_MALFORMED},
    {LEAST "(local #0a000001#))", WRN_REASON_MALFORMED},
    {LEAST "(local #0a000001# 65536))", WRN_REASON_MALFORMED},
    {LEAST "(local #0a000001# 9 9))", WRN_REASON_MALFORMED},
    {LEAST "(local #0a000001# (9)))", WRN_REASON_MALFORMED},
    {LEAST "(remote #0a000001# 9) (local #0a000001# 9))", WRN_REASON_MALFORMED},
    {LEAST "(via))", WRN_REASON_MALFORMED},
    {LEAST "(via \"eleven byte\"))", WRN_REASON_MALFORMED},
    {LEAST "(via \"twelve bytes\" x))", WRN_REASON_MALFORMED},
    {LEAST "(via aaaaaaaaaaaa aaaaaaaaaaaa aaaaaaaaaaaa aaaaaaaaaaaa))", WRN_REASON_NONE},
    {LEAST "(via aaaaaaaaaaaa aaaaaaaaaaaa aaaaaaaaaaaa aaaaaaaaaaaa aaaaaaaaaaaa))",
     WRN_REASON_MALFORMED},
    /* streams */
    {LEAST "(streams 1 65535))", WRN_REASON_NONE},
    {LEAST "(streams 0 443))", WRN_REASON_NONE},
    {LEAST "(local #0a000001# 9) (via aaaaaaaaaaaa) (streams 9 0))", WRN_REASON_NONE},
    {LEAST "(streams \"0\" \"0\"))", WRN_REASON_MALFORMED},
    {LEAST "(streams 9))", WRN_REASON_MALFORMED},
    {LEAST "(streams 9 443 1))", WRN_REASON_MALFORMED},
    {LEAST "(streams 65536 0))", WRN_REASON_MALFORMED},
    {LEAST "(streams \"09\" 0))", WRN_REASON_MALFORMED},
    {LEAST "(streams 9 0) (streams 9 0))", WRN_REASON_MALFORMED},
    {LEAST "(streams 9 0) (via aaaaaaaaaaaa))", WRN_REASON_MALFORMED},
    {LEAST "(streams 9 0) (local #0a000001# 9))", WRN_REASON_MALFORMED},
    {LEAST "(later) (relays))", WRN_REASON_MALFORMED},
    {LEAST "(later) atom)", WRN_REASON_MALFORMED},
};

/* What newer nodes say behind all that is known here is passed over. */
static void skips_what_comes_later(void **state) {
    static const char *const texts[] = {LEAST "(later))",
                                        LEAST "(streams 9 443) (later (a b)) (c))",
                                        LEAST "(via aaaaaaaaaaaa) (remote #0a000001# 9))"};
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(texts); i++) {
        uint8_t bytes[SIGN_CAPACITY];
        struct wrn_locator locator;
        size_t size = sign_text(&primitives, seed, label, texts[i], bytes);
        CHECK(read_bytes(bytes, size, &locator) == WRN_REASON_NONE, "%s: ", texts[i]);
        assert_int_equal(locator.tcp_port, i == 1 ? 9 : 0);
        assert_int_equal(locator.tls_port, i == 1 ? 443 : 0);
        assert_int_equal(locator.relay_count, i == 2);
        assert_int_equal(locator.endpoint_count, 0);
    }
}

static void reads_one_form_only(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(forms); i++) {
        uint8_t bytes[SIGN_CAPACITY];
        struct wrn_locator locator;
        size_t size = sign_text(&primitives, seed, label, forms[i].text, bytes);
        CHECK(read_bytes(bytes, size, &locator) == forms[i].reason, "%s: ", forms[i].text);
        if (forms[i].reason == WRN_REASON_NONE) {
            uint8_t again[WRN_LOCATOR_MAX];
            assert_int_equal(
                wrn_locator_write(&locator, &primitives, seed, NULL, again, sizeof(again)), size);
            assert_memory_equal(again, bytes, size);
        }
    }
}

static void counts_all_endpoints(void **state) {
    (void)state;
    char text[2048] = LEAST;
    uint8_t bytes[SIGN_CAPACITY];
    struct wrn_locator locator;
    for (size_t i = 1; i <= WRN_ENDPOINTS_MAX + 1; i++) {
        /* alternately a good one and one that is left out */
        size_t size = strlen(text);
        snprintf(text + size, sizeof(text) - size, "(seen #%s# 9)",
                 i % 2 ? "0a000001" : "7f000001");
        size_t whole = strlen(text);
        snprintf(text + whole, sizeof(text) - whole, ")");
        size_t signed_size = sign_text(&primitives, seed, label, text, bytes);
        text[whole] = '\0';
        enum wrn_reason reason = read_bytes(bytes, signed_size, &locator);
        if (i <= WRN_ENDPOINTS_MAX) {
            assert_int_equal(reason, WRN_REASON_NONE);
            assert_int_equal(locator.endpoint_count, (i + 1) / 2);
        } else {
            assert_int_equal(reason, WRN_REASON_MALFORMED);
        }
    }
}

static void leaves_out_what_is_nobodys(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is_usable;
    } cases[] = {
        {"10.0.0.1:9", true},         {"10.0.0.1:0", false},        {"0.0.0.0:9", false},
        {"0.255.255.255:9", false},   {"1.0.0.0:9", true},          {"126.255.255.255:9", true},
        {"127.0.0.1:9", false},       {"127.255.255.255:9", false}, {"128.0.0.1:9", true},
        {"169.254.1.1:9", true},      {"223.255.255.255:9", true},  {"224.0.0.1:9", false},
        {"239.255.255.255:9", false}, {"240.0.0.1:9", false},       {"255.255.255.255:9", false},
        {"[2001:db8::1]:9", true},    {"[2001:db8::1]:0", false},   {"[::]:9", false},
        {"[::1]:9", false},           {"[::102:304]:9", false},     {"[::1:102:304]:9", true},
        {"[ff02::1]:9", false},       {"[ff0e::1]:9", false},       {"[fe80::1]:9", true},
        {"[fd00::1]:9", true},        {"[64:ff9b::a00:1]:9", true},
    };
    for (size_t i = 0; i <= WRN_COUNT(cases); i++) {
        bool is_mapped = i == WRN_COUNT(cases); /* which the text form cannot name */
        struct wrn_locator locator = {.endpoint_count = 1};
        struct wrn_locator again;
        uint8_t bytes[SIGN_CAPACITY];
        locator.endpoints[0] = endpoint(is_mapped ? "[::1]:9" : cases[i].text, WRN_ENDPOINT_LOCAL);
        if (is_mapped) {
            memcpy(locator.endpoints[0].at.ip.bytes + 10, "\xff\xff\x0a\0\0\1", 6);
        }
        bool is_usable = !is_mapped && cases[i].is_usable;
        const char *name = is_mapped ? "mapped" : cases[i].text;
        size_t size = wrn_locator_write(&locator, &primitives, seed, NULL, bytes, WRN_LOCATOR_MAX);
        assert_int_equal(read_bytes(bytes, size, &again), WRN_REASON_NONE);
        CHECK(again.endpoint_count == is_usable, "%s, written: ", name);

        /* And when somebody else writes it. */
        char text[256];
        char hex[33];
        size_t ip_size = locator.endpoints[0].at.ip.family == WRN_FAMILY_IPV4 ? 4 : 16;
        for (size_t k = 0; k < ip_size; k++) {
            snprintf(hex + 2 * k, 3, "%02x", locator.endpoints[0].at.ip.bytes[k]);
        }
        snprintf(text, sizeof(text), LEAST "(local #%s# %u))", hex, locator.endpoints[0].at.port);
        size = sign_text(&primitives, seed, label, text, bytes);
        assert_int_equal(read_bytes(bytes, size, &again), WRN_REASON_NONE);
        CHECK(again.endpoint_count == is_usable, "%s, read: ", name);
    }
}

static void believes_the_key_that_signed(void **state) {
    (void)state;
    uint8_t bytes[SIGN_CAPACITY];
    struct wrn_locator locator;
    uint8_t other[WRN_SEED_SIZE] = {1};
    char text[512];
    char hex[65] = "";
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    size_t size = sign_text(&primitives, seed, "warren record 1", LEAST ")", bytes);
    assert_int_equal(read_bytes(bytes, size, &locator), WRN_REASON_BAD_SIGNATURE);

    /* Somebody signs for another's key; then for keys of small order. */
    assert_true(primitives.sign_public(primitives.ctx, seed, public_key));
    for (size_t i = 0; i < sizeof(public_key); i++) {
        snprintf(hex + 2 * i, 3, "%02x", public_key[i]);
    }
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof(text),
                 "(locator (version 1) (key #%s#) (tunnel @B) (seq 7) (nat none))", hex);
        size = sign_text(&primitives, other, label, text, bytes);
        assert_int_equal(read_bytes(bytes, size, &locator), WRN_REASON_BAD_SIGNATURE);
        memset(hex, '0', 64);
        hex[1] = (char)('0' + i);
    }
}

static void every_class_has_a_sentence(void **state) {
    (void)state;
    assert_string_equal(wrn_nat_class_text(WRN_NAT_CLASS_NONE), "no NAT");
    assert_string_equal(wrn_nat_class_text((enum wrn_nat_class)WRN_NAT_CLASSES),
                        "an unknown class");
    for (uint32_t i = 0; i < WRN_NAT_CLASSES; i++) {
        assert_true(strlen(wrn_nat_class_text((enum wrn_nat_class)i)) > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_reads_the_vectors),
        cmocka_unit_test(is_good_for_its_ring_only),
        cmocka_unit_test(reads_what_was_written),
        cmocka_unit_test(the_largest_fits),
        cmocka_unit_test(a_stripped_offer_is_noticed),
        cmocka_unit_test(refuses_every_truncation_and_flipped_bit),
        cmocka_unit_test(reads_one_form_only),
        cmocka_unit_test(skips_what_comes_later),
        cmocka_unit_test(counts_all_endpoints),
        cmocka_unit_test(leaves_out_what_is_nobodys),
        cmocka_unit_test(believes_the_key_that_signed),
        cmocka_unit_test(every_class_has_a_sentence),
    };
    return cmocka_run_group_tests(tests, set_up, real_primitives_tear_down);
}
