/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the hashes give the published values, at every size and from any thread. Method: the
 * standards' examples, vectors of a second implementation around the ends of blocks, libcrypto's
 * general interface on random input, threads that hash at once. */
#include <openssl/evp.h>
#include <pthread.h>

#include "base/rand.h"
#include "crypto/identity.h"
#include "unit/base/check.h"
#include "vectors/identity.h"

enum { INPUT_MAX = 10000, THREADS = 4, ROUNDS = 500 };

static void check_bytes(const uint8_t *bytes, size_t size, const char *hex, const char *what) {
    uint8_t expected[600];
    CHECK(check_hex(hex, expected, sizeof(expected)) == size, "%s, size: ", what);
    CHECK(memcmp(bytes, expected, size) == 0, "%s: ", what);
}

static wrn_span text(const char *string) {
    return (wrn_span){(const uint8_t *)string, strlen(string)};
}

/* FIPS 180-4's examples (SHA-256, SHA-1); RFC 1321, appendix A.5 (MD5). */
static void hashes_abc(void **state) {
    (void)state;
    uint8_t hash[WRN_SHA256_SIZE];
    wrn_sha256(text("abc"), (wrn_span){0}, hash);
    check_bytes(hash, WRN_SHA256_SIZE,
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "SHA-256");
    wrn_sha1(text("abc"), hash);
    check_bytes(hash, WRN_SHA1_SIZE, "a9993e364706816aba3e25717850c26c9cd0d89d", "SHA-1");
    wrn_md5(text("abc"), hash);
    check_bytes(hash, WRN_MD5_SIZE, "900150983cd24fb0d6963f7d28e17f72", "MD5");
}

static void agrees_with_a_second_implementation(void **state) {
    (void)state;
    uint8_t input[INPUT_MAX];
    uint8_t hash[WRN_SHA256_SIZE];
    check_pattern(input, sizeof(input), 18);
    for (size_t row = 0; row < WRN_COUNT(vector_digests); row++) {
        size_t size = vector_digests[row].size;
        for (size_t split = 0; split <= size; split++) {
            wrn_span first = {split > 0 ? input : NULL, split};
            wrn_span second = {split < size ? input + split : NULL, size - split};
            wrn_sha256(first, second, hash);
            check_bytes(hash, WRN_SHA256_SIZE, vector_digests[row].sha256, "SHA-256");
        }
        wrn_sha1((wrn_span){size > 0 ? input : NULL, size}, hash);
        check_bytes(hash, WRN_SHA1_SIZE, vector_digests[row].sha1, "SHA-1");
        wrn_md5((wrn_span){size > 0 ? input : NULL, size}, hash);
        check_bytes(hash, WRN_MD5_SIZE, vector_digests[row].md5, "MD5");
    }
}

/* NIST, "cSHAKE_samples.pdf" (2017), samples 1 and 2; FIPS 202's SHAKE128 of nothing. */
static void agrees_with_the_samples(void **state) {
    (void)state;
    uint8_t input[200];
    uint8_t out[32];
    for (size_t i = 0; i < sizeof(input); i++) {
        input[i] = (uint8_t)i;
    }
    wrn_cshake128((wrn_span){input, 4}, (wrn_span){0}, text("Email Signature"), out, sizeof(out));
    check_bytes(out, sizeof(out),
                "c1c36925b6409a04f1b504fcbca9d82b4017277cb5ed2b2065fc1d3814d5aaf5", "sample 1");
    wrn_cshake128((wrn_span){input, 200}, (wrn_span){0}, text("Email Signature"), out, sizeof(out));
    check_bytes(out, sizeof(out),
                "c5221d50e4f822d96a2e8881a961420f294b7b24fe3d2094baed2c6524cc166b", "sample 2");
    wrn_cshake128((wrn_span){0}, (wrn_span){0}, (wrn_span){0}, out, sizeof(out));
    check_bytes(out, sizeof(out),
                "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26", "SHAKE128");
}

static void customises(void **state) {
    (void)state;
    uint8_t input[500];
    uint8_t name[300];
    uint8_t customisation[9000];
    uint8_t out[500 + 1];
    check_pattern(input, sizeof(input), 19);
    check_pattern(name, sizeof(name), 20);
    check_pattern(customisation, sizeof(customisation), 21);
    for (size_t row = 0; row < WRN_COUNT(vector_cshake); row++) {
        size_t size = vector_cshake[row].out_size;
        out[size] = 0xa5;
        wrn_cshake128((wrn_span){input, vector_cshake[row].size},
                      (wrn_span){name, vector_cshake[row].name_size},
                      (wrn_span){customisation, vector_cshake[row].customisation_size}, out, size);
        check_bytes(out, size, vector_cshake[row].out, "cSHAKE128");
        assert_int_equal(out[size], 0xa5);
    }
}

/* A DET of RFC 9374: the hash part of its 16 bytes. */
static void makes_the_hash_of_a_det(void **state) {
    (void)state;
    uint8_t input[100];
    uint8_t customisation[16];
    uint8_t out[8];
    size_t size = check_hex(vector_det[0].input, input, sizeof(input));
    check_hex(vector_det[0].customisation, customisation, sizeof(customisation));
    wrn_cshake128((wrn_span){input, size}, (wrn_span){0},
                  (wrn_span){customisation, sizeof(customisation)}, out, sizeof(out));
    check_bytes(out, sizeof(out), vector_det[0].hash, "DET");
    check_bytes(out, sizeof(out), "31e01aed4e7ecf5c", "DET"); /* the end of the published one */
}

/* Random sizes and bytes, against libcrypto's general interface. */
static void agrees_with_libcrypto(void **state) {
    (void)state;
    static const char *const names[] = {"SHA2-256", "SHA1", "MD5"};
    static const size_t sizes[] = {WRN_SHA256_SIZE, WRN_SHA1_SIZE, WRN_MD5_SIZE};
    uint8_t input[INPUT_MAX];
    uint8_t hashes[3][WRN_SHA256_SIZE];
    uint8_t expected[WRN_SHA256_SIZE];
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (unsigned round = 0; round < 300; round++) {
        size_t size = (size_t)(wrn_prng_next(&prng) % sizeof(input));
        size_t split = (size_t)(wrn_prng_next(&prng) % (size + 1));
        wrn_rand_fill(rand, input, size);
        wrn_sha256((wrn_span){input, split}, (wrn_span){input + split, size - split}, hashes[0]);
        wrn_sha1((wrn_span){input, size}, hashes[1]);
        wrn_md5((wrn_span){input, size}, hashes[2]);
        for (size_t i = 0; i < WRN_COUNT(names); i++) {
            size_t written = 0;
            assert_int_equal(EVP_Q_digest(NULL, names[i], NULL, input, size, expected, &written),
                             1);
            CHECK(written == sizes[i] && memcmp(hashes[i], expected, written) == 0,
                  "%s of %zu bytes: ", names[i], size);
        }
    }
}

static void *hash_many_times(void *argument) {
    unsigned *differ = argument;
    uint8_t input[80];
    uint8_t first[2][32];
    uint8_t again[2][32];
    check_pattern(input, sizeof(input), *differ);
    *differ = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint8_t(*to)[32] = round == 0 ? first : again;
        wrn_sha256((wrn_span){input, sizeof(input)}, (wrn_span){0}, to[0]);
        wrn_cshake128((wrn_span){input, sizeof(input)}, (wrn_span){0}, text("thread"), to[1], 32);
        *differ += round > 0 && memcmp(first, again, sizeof(first)) != 0;
    }
    return NULL;
}

static void hashes_in_threads(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    unsigned differ[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        differ[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, hash_many_times, &differ[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(differ[i], 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_abc),
        cmocka_unit_test(agrees_with_a_second_implementation),
        cmocka_unit_test(agrees_with_the_samples),
        cmocka_unit_test(customises),
        cmocka_unit_test(makes_the_hash_of_a_det),
        cmocka_unit_test(agrees_with_libcrypto),
        cmocka_unit_test(hashes_in_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
