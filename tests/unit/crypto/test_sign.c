/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: Ed25519 agrees with RFC 8032, refuses what a strict reader must, and leaves nobody a second
 * encoding of something signed. Method: the RFC's vectors, those of a second implementation, the
 * published edge cases, forgeries that lenient readers take, every change of one bit. */
#include "base/rand.h"
#include "crypto/identity.h"
#include "unit/base/check.h"
#include "vectors/identity.h"

enum { MESSAGE_MAX = 5000 };

static const char label[] = "warren certificate 1";

/* Little-endian; L as in RFC 8032, section 5.1. */
static const char group_order[] =
    "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

static uint8_t message_bytes[MESSAGE_MAX];

struct signed_message {
    uint8_t seed[WRN_SEED_SIZE];
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t signature[WRN_SIGNATURE_SIZE];
    wrn_span message;
};

static wrn_span read_message(const char *hex) {
    return (wrn_span){message_bytes, check_hex(hex, message_bytes, sizeof(message_bytes))};
}

static wrn_span make_message(size_t size) {
    check_pattern(message_bytes, size, 16);
    return (wrn_span){message_bytes, size};
}

static void check_bytes(const uint8_t *bytes, size_t size, const char *hex, const char *what,
                        size_t row) {
    uint8_t expected[64];
    CHECK(check_hex(hex, expected, sizeof(expected)) == size, "%s of row %zu, size: ", what, row);
    CHECK(memcmp(bytes, expected, size) == 0, "%s of row %zu: ", what, row);
}

static struct signed_message make_signed(size_t size) {
    struct signed_message made = {.message = make_message(size)};
    check_pattern(made.seed, sizeof(made.seed), (unsigned)size + 1);
    assert_true(wrn_sign_public(made.seed, made.public_key));
    assert_true(wrn_sign(made.seed, label, made.message, made.signature));
    assert_true(wrn_sign_verify(made.public_key, label, made.message, made.signature));
    return made;
}

/* RFC 8032, section 7.1. */
static void agrees_with_the_rfc(void **state) {
    (void)state;
    for (size_t row = 0; row < WRN_COUNT(vector_ed25519_rfc); row++) {
        uint8_t seed[WRN_SEED_SIZE];
        uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
        uint8_t signature[WRN_SIGNATURE_SIZE];
        wrn_span message = read_message(vector_ed25519_rfc[row].message);
        check_hex(vector_ed25519_rfc[row].seed, seed, sizeof(seed));
        assert_true(wrn_sign_public(seed, public_key));
        assert_true(wrn_sign_pure(seed, message, signature));
        check_bytes(public_key, sizeof(public_key), vector_ed25519_rfc[row].public_key, "key", row);
        check_bytes(signature, sizeof(signature), vector_ed25519_rfc[row].signature, "signature",
                    row);
        CHECK(wrn_sign_verify_pure(public_key, message, signature), "row %zu: ", row);
    }
}

static void agrees_with_a_second_implementation(void **state) {
    (void)state;
    for (size_t row = 0; row < WRN_COUNT(vector_ed25519); row++) {
        uint8_t seed[WRN_SEED_SIZE];
        uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
        uint8_t signature[WRN_SIGNATURE_SIZE];
        const char *domain = vector_ed25519[row].label;
        wrn_span message = make_message(vector_ed25519[row].size);
        check_hex(vector_ed25519[row].seed, seed, sizeof(seed));
        assert_true(wrn_sign_public(seed, public_key));
        check_bytes(public_key, sizeof(public_key), vector_ed25519[row].public_key, "key", row);
        assert_true(wrn_sign_pure(seed, message, signature));
        check_bytes(signature, sizeof(signature), vector_ed25519[row].signature, "signature", row);
        CHECK(wrn_sign_verify_pure(public_key, message, signature), "row %zu: ", row);
        assert_true(wrn_sign(seed, domain, message, signature));
        check_bytes(signature, sizeof(signature), vector_ed25519[row].labelled, "labelled", row);
        CHECK(wrn_sign_verify(public_key, domain, message, signature), "row %zu: ", row);
    }
}

/* A message may be no bytes at nowhere. */
static void signs_nothing(void **state) {
    (void)state;
    struct signed_message made = make_signed(0);
    wrn_span nothing = {NULL, 0};
    uint8_t signature[WRN_SIGNATURE_SIZE];
    assert_true(wrn_sign_verify(made.public_key, label, nothing, made.signature));
    assert_true(wrn_sign_pure(made.seed, nothing, signature));
    assert_true(wrn_sign_verify_pure(made.public_key, nothing, signature));
    assert_false(wrn_sign_verify_pure(made.public_key, nothing, made.signature));
}

/* A signature for one purpose is good for no other, wherever the border between label and message
 * is imagined. */
static void keeps_domains_apart(void **state) {
    (void)state;
    struct signed_message made = make_signed(100);
    uint8_t moved[200];
    assert_false(
        wrn_sign_verify(made.public_key, "warren certificate 2", made.message, made.signature));
    assert_false(
        wrn_sign_verify(made.public_key, "warren certificate", made.message, made.signature));
    assert_false(wrn_sign_verify_pure(made.public_key, made.message, made.signature));
    memcpy(moved, " 1", 3); /* with its zero byte */
    memcpy(moved + 3, made.message.data, made.message.size);
    assert_false(wrn_sign_verify(made.public_key, "warren certificate",
                                 (wrn_span){moved, made.message.size + 3}, made.signature));
    memcpy(moved, label, sizeof(label));
    memcpy(moved + sizeof(label), made.message.data, made.message.size);
    assert_true(wrn_sign_verify_pure(made.public_key,
                                     (wrn_span){moved, made.message.size + sizeof(label)},
                                     made.signature)); /* this is what is signed */
}

static void sign_without_label(void) {
    uint8_t seed[WRN_SEED_SIZE] = {1};
    uint8_t signature[WRN_SIGNATURE_SIZE];
    (void)!wrn_sign(seed, "", (wrn_span){0}, signature);
}

static void demands_a_label(void **state) {
    (void)state;
    check_dies(sign_without_label);
}

static void refuses_another_message(void **state) {
    (void)state;
    struct signed_message made = make_signed(70);
    for (size_t bit = 0; bit < made.message.size * 8; bit++) {
        message_bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(!wrn_sign_verify(made.public_key, label, made.message, made.signature),
              "bit %zu: ", bit);
        message_bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    wrn_span shorter = {made.message.data, made.message.size - 1};
    wrn_span longer = {made.message.data, made.message.size + 1};
    message_bytes[made.message.size] = 0;
    assert_false(wrn_sign_verify(made.public_key, label, shorter, made.signature));
    assert_false(wrn_sign_verify(made.public_key, label, longer, made.signature));
}

/* The published edge cases: of those that some implementation accepts, ours takes the fourth alone,
 * which is canonical in all its parts and holds without a cofactor. */
static void judges_the_edge_cases(void **state) {
    (void)state;
    for (size_t row = 0; row < WRN_COUNT(vector_ed25519_edge); row++) {
        uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
        uint8_t signature[WRN_SIGNATURE_SIZE];
        wrn_span message = read_message(vector_ed25519_edge[row].message);
        check_hex(vector_ed25519_edge[row].public_key, public_key, sizeof(public_key));
        check_hex(vector_ed25519_edge[row].signature, signature, sizeof(signature));
        CHECK(vector_ed25519_edge[row].strict == (row == 3), "row %zu: ", row);
        CHECK(wrn_sign_verify_pure(public_key, message, signature) ==
                  vector_ed25519_edge[row].strict,
              "%s: ", vector_ed25519_edge[row].meaning);
    }
}

/* Valid for a reader that looks at the equation only. */
static void refuses_forgeries(void **state) {
    (void)state;
    for (size_t row = 0; row < WRN_COUNT(vector_ed25519_forged); row++) {
        uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
        uint8_t signature[WRN_SIGNATURE_SIZE];
        wrn_span message = read_message(vector_ed25519_forged[row].message);
        check_hex(vector_ed25519_forged[row].public_key, public_key, sizeof(public_key));
        check_hex(vector_ed25519_forged[row].signature, signature, sizeof(signature));
        CHECK(!wrn_sign_verify_pure(public_key, message, signature), "row %zu: ", row);
    }
}

static void tells_sound_keys(void **state) {
    (void)state;
    uint8_t point[WRN_SIGN_PUBLIC_SIZE];
    for (size_t row = 0; row < WRN_COUNT(vector_small_order); row++) {
        check_hex(vector_small_order[row].point, point, sizeof(point));
        CHECK(!wrn_sign_public_is_sound(point), "%s: ", vector_small_order[row].point);
    }
    for (unsigned low = 0; low <= 0xff; low++) { /* y = p - 0xed … p + 18, with both signs */
        bool is_sound = low < 0xec;              /* 0xec is p - 1, of order 2 */
        memset(point, 0xff, sizeof(point));
        point[0] = (uint8_t)low;
        CHECK(wrn_sign_public_is_sound(point) == is_sound, "%x, signed: ", low);
        point[31] = 0x7f;
        CHECK(wrn_sign_public_is_sound(point) == is_sound, "%x: ", low);
    }
    for (size_t row = 0; row < WRN_COUNT(vector_ed25519_rfc); row++) {
        check_hex(vector_ed25519_rfc[row].public_key, point, sizeof(point));
        assert_true(wrn_sign_public_is_sound(point));
    }
}

/* Adds L to S as long as it fits into its 32 bytes: nobody without the key can do more to S. */
static void fingerprint_malleability_of_s(void **state) {
    (void)state;
    uint8_t order[32];
    check_hex(group_order, order, sizeof(order));
    for (size_t size = 0; size < 20; size++) {
        struct signed_message made = make_signed(size);
        uint8_t *s = made.signature + 32;
        unsigned times = 0;
        for (unsigned carry = 0; carry == 0;) {
            for (size_t i = 0; i < 32; i++) {
                carry += (unsigned)s[i] + order[i];
                s[i] = (uint8_t)carry;
                carry >>= 8;
            }
            times++;
            CHECK(!wrn_sign_verify(made.public_key, label, made.message, made.signature),
                  "size %zu, S + %u L: ", size, times);
        }
        CHECK(times >= 15, "size %zu, %u times: ", size, times);
    }
}

/* The order itself as S, its neighbours, and zero: of a key that can make S = 0 nobody knows. */
static void fingerprint_malleability_at_the_order(void **state) {
    (void)state;
    struct signed_message made = make_signed(30);
    for (int change = -1; change <= 1; change++) {
        check_hex(group_order, made.signature + 32, 32);
        made.signature[32] = (uint8_t)(made.signature[32] + change);
        assert_false(wrn_sign_verify(made.public_key, label, made.message, made.signature));
    }
    memset(made.signature + 32, 0, 32);
    assert_false(wrn_sign_verify(made.public_key, label, made.message, made.signature));
    memset(made.signature + 32, 0xff, 32);
    assert_false(wrn_sign_verify(made.public_key, label, made.message, made.signature));
}

/* R and A in every encoding that a lenient reader could take for something else. */
static void fingerprint_malleability_of_points(void **state) {
    (void)state;
    struct signed_message made = make_signed(30);
    uint8_t kept[32];
    uint8_t *const places[] = {made.signature, made.public_key};
    for (size_t place = 0; place < WRN_COUNT(places); place++) {
        memcpy(kept, places[place], sizeof(kept));
        for (unsigned i = 0; i < 2 * 19; i++) { /* y = p … p + 18 */
            memset(places[place], 0xff, 32);
            places[place][0] = (uint8_t)(0xed + i / 2);
            places[place][31] = i % 2 ? 0xff : 0x7f;
            assert_false(wrn_sign_verify(made.public_key, label, made.message, made.signature));
        }
        for (size_t row = 0; row < WRN_COUNT(vector_small_order); row++) {
            check_hex(vector_small_order[row].point, places[place], 32);
            assert_false(wrn_sign_verify(made.public_key, label, made.message, made.signature));
        }
        memcpy(places[place], kept, sizeof(kept));
    }
    assert_true(wrn_sign_verify(made.public_key, label, made.message, made.signature));
}

/* Every change of one bit of signature and key, and any other bytes in place of R or S. */
static void fingerprint_malleability_of_bits(void **state) {
    (void)state;
    struct signed_message made = make_signed(41);
    struct wrn_prng prng;
    for (size_t bit = 0; bit < sizeof(made.signature) * 8; bit++) {
        made.signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(!wrn_sign_verify(made.public_key, label, made.message, made.signature),
              "bit %zu of the signature: ", bit);
        made.signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < sizeof(made.public_key) * 8; bit++) {
        made.public_key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(!wrn_sign_verify(made.public_key, label, made.message, made.signature),
              "bit %zu of the key: ", bit);
        made.public_key[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (unsigned i = 0; i < 200; i++) {
        uint8_t other[WRN_SIGNATURE_SIZE];
        memcpy(other, made.signature, sizeof(other));
        wrn_rand_fill(rand, other + i % 2 * 32, 32);
        CHECK(!wrn_sign_verify(made.public_key, label, made.message, other), "round %u: ", i);
    }
    assert_true(wrn_sign_verify(made.public_key, label, made.message, made.signature));
}

/* What is signed has one signature: signing again gives the same bytes. */
static void fingerprint_malleability_of_signing_twice(void **state) {
    (void)state;
    struct signed_message made = make_signed(300);
    uint8_t again[WRN_SIGNATURE_SIZE];
    for (unsigned i = 0; i < 10; i++) {
        assert_true(wrn_sign(made.seed, label, made.message, again));
        assert_memory_equal(again, made.signature, sizeof(again));
    }
}

/* Half of all y have no point. Such a key is sound to look at, and verifies nothing. */
static void refuses_keys_beside_the_curve(void **state) {
    (void)state;
    struct signed_message made = make_signed(10);
    memset(made.public_key, 0, sizeof(made.public_key));
    made.public_key[0] = 2; /* the smallest y without a point */
    assert_true(wrn_sign_public_is_sound(made.public_key));
    assert_false(wrn_sign_verify(made.public_key, label, made.message, made.signature));
    memcpy(made.signature, made.public_key, 32);
    assert_true(wrn_sign_public(made.seed, made.public_key));
    assert_false(wrn_sign_verify(made.public_key, label, made.message, made.signature));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_rfc),
        cmocka_unit_test(agrees_with_a_second_implementation),
        cmocka_unit_test(signs_nothing),
        cmocka_unit_test(keeps_domains_apart),
        cmocka_unit_test(demands_a_label),
        cmocka_unit_test(refuses_another_message),
        cmocka_unit_test(judges_the_edge_cases),
        cmocka_unit_test(refuses_forgeries),
        cmocka_unit_test(tells_sound_keys),
        cmocka_unit_test(fingerprint_malleability_of_s),
        cmocka_unit_test(fingerprint_malleability_at_the_order),
        cmocka_unit_test(fingerprint_malleability_of_points),
        cmocka_unit_test(fingerprint_malleability_of_bits),
        cmocka_unit_test(fingerprint_malleability_of_signing_twice),
        cmocka_unit_test(refuses_keys_beside_the_curve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
