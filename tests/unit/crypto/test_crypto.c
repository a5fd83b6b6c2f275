/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: contexts come and go cleanly, also without memory or algorithms; nothing allocates but
 * create and X25519; the constant-time helpers say what they should. Method: libcrypto gets an
 * allocator that counts and fails on demand; every position of a difference. */
#include <stdalign.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "crypto/crypto.h"
#include "unit/base/check.h"

static size_t allocations;         /* since the last reset */
static size_t fails_at = SIZE_MAX; /* number of the allocation that fails, from 0 */

static void *count_malloc(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return allocations++ == fails_at ? NULL : malloc(size);
}

static void *count_realloc(void *memory, size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return allocations++ == fails_at ? NULL : realloc(memory, size);
}

static void plain_free(void *memory, const char *file, int line) {
    (void)file;
    (void)line;
    free(memory);
}

static void creates_and_destroys(void **state) {
    (void)state;
    struct wrn_crypto *contexts[4];
    for (size_t i = 0; i < WRN_COUNT(contexts); i++) {
        assert_int_equal(wrn_crypto_create(WRN_CRYPTO_AUTO, &contexts[i]), 0);
    }
    uint8_t first[WRN_HASH_SIZE];
    uint8_t other[WRN_HASH_SIZE];
    wrn_span text = {(const uint8_t *)"text", 4};
    wrn_blake2s(contexts[0], text, (wrn_span){0}, first);
    wrn_crypto_destroy(contexts[0]); /* the others do not share its objects */
    for (size_t i = 1; i < WRN_COUNT(contexts); i++) {
        wrn_blake2s(contexts[i], text, (wrn_span){0}, other);
        assert_memory_equal(other, first, sizeof(first));
        wrn_crypto_destroy(contexts[i]);
    }
    wrn_crypto_destroy(NULL);
}

/* Asks for algorithms that are certified, which the default provider's are not. */
static void names_a_missing_algorithm(void **state) {
    (void)state;
    struct wrn_crypto *crypto = NULL;
    assert_int_equal(EVP_set_default_properties(NULL, "fips=yes"), 1);
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_AUTO, &crypto), -ENOTSUP);
    assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
    assert_null(crypto);
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_AUTO, &crypto), 0);
    wrn_crypto_destroy(crypto);
}

/* Each allocation fails once; AddressSanitizer sees what is lost on the way. */
static void survives_every_failed_allocation(void **state) {
    (void)state;
    struct wrn_crypto *crypto = NULL;
    int error = -1;
    size_t failures = 0;
    for (size_t n = 0; n < 10000 && !crypto; n++) {
        allocations = 0;
        fails_at = n;
        error = wrn_crypto_create(WRN_CRYPTO_AUTO, &crypto);
        fails_at = SIZE_MAX;
        bool has_failed = allocations > n;
        CHECK(error == 0 || has_failed, "allocation %zu: ", n);
        CHECK(error == 0 || error == -ENOMEM || error == -ENOTSUP, "allocation %zu: ", n);
        CHECK(n > 0 || error == -ENOMEM, "allocation %zu: ", n);
        failures += error != 0;
        if (crypto && has_failed) { /* libcrypto got along without it */
            wrn_crypto_destroy(crypto);
            crypto = NULL;
        }
    }
    assert_int_equal(error, 0);
    assert_true(failures > 5);
    uint8_t key[WRN_KEY_SIZE] = {1};
    uint8_t shared[WRN_KEY_SIZE];
    bool ok = false;
    for (size_t n = 0; n < 10000 && !(ok && allocations <= n); n++) {
        memset(shared, 0xa5, sizeof(shared));
        allocations = 0;
        fails_at = n;
        ok = wrn_x25519_public(crypto, key, shared);
        fails_at = SIZE_MAX;
        CHECK(ok != wrn_is_zero_secret(shared, sizeof(shared)), "allocation %zu: ", n);
    }
    assert_true(ok);
    wrn_crypto_destroy(crypto);
}

/* What anybody may send in a flood: packets, macs and cookies. */
static void allocate_nothing(struct wrn_crypto *crypto) {
    static uint8_t packets[200][100 + WRN_TAG_SIZE];
    static struct wrn_aead_job jobs[WRN_COUNT(packets)];
    static alignas(WRN_AEAD_EXPANDED_ALIGNMENT) uint8_t expanded[WRN_AEAD_EXPANDED_MAX];
    uint8_t key[WRN_KEY_SIZE] = {1};
    uint8_t nonce[WRN_XNONCE_SIZE] = {2};
    uint8_t packet[100] = {3};
    wrn_span text = {packet, sizeof(packet)};
    wrn_span short_key = {key, sizeof(key)};
    allocations = 0;
    for (size_t i = 0; i < WRN_COUNT(jobs); i++) {
        jobs[i] = (struct wrn_aead_job){.key = key,
                                        .cipher = (enum wrn_cipher)(i % WRN_CIPHERS),
                                        .in = packets[i],
                                        .out = packets[i],
                                        .size = 100};
    }
    wrn_aead_expand(crypto, WRN_CIPHER_AES_256_GCM, key, expanded);
    wrn_aead_seal_batch(crypto, jobs, WRN_COUNT(jobs));
    wrn_aead_open_batch(crypto, jobs, WRN_COUNT(jobs));
    for (size_t i = 0; i < WRN_COUNT(jobs); i++) {
        assert_true(jobs[i].ok);
    }
    wrn_aead_open_batch(crypto, jobs, WRN_COUNT(jobs));
    assert_false(jobs[0].ok || jobs[1].ok);
    wrn_xaead_seal(crypto, key, nonce, text, packet, 16, packet);
    assert_false(wrn_xaead_open(crypto, key, nonce, text, packet, 16, packet));
    wrn_blake2s_mac(crypto, short_key, text, packet);
    assert_int_equal(allocations, 0);
}

static void allocates_nothing_for_packets(void **state) {
    (void)state;
    static const enum wrn_crypto_provider providers[] = {WRN_CRYPTO_OPENSSL, WRN_CRYPTO_AUTO};
    for (size_t i = 0; i < WRN_COUNT(providers); i++) {
        struct wrn_crypto *crypto = NULL;
        assert_int_equal(wrn_crypto_create(providers[i], &crypto), 0);
        allocate_nothing(crypto);
        wrn_crypto_destroy(crypto);
    }
}

/* The choice is that of the caller, and never silently another one. */
static void obeys_the_choice_of_provider(void **state) {
    (void)state;
    static const char prefix[] = "ipsec-mb (";
    struct wrn_crypto *openssl = NULL;
    struct wrn_crypto *ipsec_mb = NULL;
    struct wrn_crypto *any = NULL;
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_OPENSSL, &openssl), 0);
    assert_string_equal(wrn_crypto_provider_name(openssl), "openssl");
    assert_int_equal(wrn_aead_expanded_size(openssl, WRN_CIPHER_CHACHA20_POLY1305), 0);
    assert_int_equal(wrn_aead_expanded_size(openssl, WRN_CIPHER_AES_256_GCM), 0);
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_AUTO, &any), 0);
    int error = wrn_crypto_create(WRN_CRYPTO_IPSEC_MB, &ipsec_mb);
    if (error) {
        assert_int_equal(error, -ENOTSUP);
        assert_null(ipsec_mb);
        assert_string_equal(wrn_crypto_provider_name(any), "openssl");
    } else {
        const char *name = wrn_crypto_provider_name(ipsec_mb);
        size_t size = wrn_aead_expanded_size(ipsec_mb, WRN_CIPHER_AES_256_GCM);
        assert_memory_equal(name, prefix, sizeof(prefix) - 1);
        assert_string_equal(wrn_crypto_provider_name(any), name);
        assert_int_equal(wrn_aead_expanded_size(ipsec_mb, WRN_CIPHER_CHACHA20_POLY1305), 0);
        assert_true(size > 0 && size <= WRN_AEAD_EXPANDED_MAX);
        assert_int_equal(size % WRN_AEAD_EXPANDED_ALIGNMENT, 0);
    }
    wrn_crypto_destroy(openssl);
    wrn_crypto_destroy(ipsec_mb);
    wrn_crypto_destroy(any);
}

static void compares(void **state) {
    (void)state;
    uint8_t a[33] = {0};
    uint8_t b[33] = {0};
    assert_true(wrn_equal_secret(a, b, 0));
    assert_true(wrn_is_zero_secret(a, 0));
    for (size_t size = 1; size <= sizeof(a); size++) {
        assert_true(wrn_equal_secret(a, b, size));
        assert_true(wrn_is_zero_secret(b, size));
        for (size_t bit = 0; bit < 8 * size; bit++) {
            b[bit / 8] = (uint8_t)(1u << bit % 8);
            CHECK(!wrn_equal_secret(a, b, size), "size %zu, bit %zu: ", size, bit);
            CHECK(!wrn_is_zero_secret(b, size), "size %zu, bit %zu: ", size, bit);
            b[bit / 8] = 0;
        }
    }
    b[32] = 1;
    assert_true(wrn_equal_secret(a, b, 32)); /* the byte behind does not count */
    assert_true(wrn_is_zero_secret(b, 32));
}

static void wipes(void **state) {
    (void)state;
    uint8_t bytes[64];
    uint8_t zeros[64] = {0};
    memset(bytes, 0xa5, sizeof(bytes));
    wrn_wipe(bytes + 1, 62);
    assert_int_equal(bytes[0], 0xa5);
    assert_memory_equal(bytes + 1, zeros, 62);
    assert_int_equal(bytes[63], 0xa5);
}

int main(void) {
    if (CRYPTO_set_mem_functions(count_malloc, count_realloc, plain_free) != 1) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creates_and_destroys),
        cmocka_unit_test(names_a_missing_algorithm),
        cmocka_unit_test(survives_every_failed_allocation),
        cmocka_unit_test(allocates_nothing_for_packets),
        cmocka_unit_test(obeys_the_choice_of_provider),
        cmocka_unit_test(compares),
        cmocka_unit_test(wipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
