/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: after a call nothing of a seed, and nothing secret made from it, is left in memory, nor was
 * it freed unwiped; and each call survives that any of its allocations fails. Method: the stack
 * below the caller, what libcrypto's allocator gave and what it got back are searched; an allocator
 * that fails from the n-th request on, for every n. */
#include <openssl/err.h>

#include "crypto/identity.h"
#include "unit/crypto/implementations.h"
#include "unit/crypto/residue.h"

enum { SHA512_SIZE = 64, MESSAGE_SIZE = 200, ATTEMPTS_MAX = 1000 };

static const char label[] = "warren test 1";

/* Not on the stack, which is searched. */
static struct {
    uint8_t seed[WRN_SEED_SIZE];
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t signature[WRN_SIGNATURE_SIZE];
    uint8_t message[MESSAGE_SIZE];
    uint8_t expanded[SHA512_SIZE]; /* SHA-512 of the seed: the scalar before clamping, the prefix */
    uint8_t nonce[SHA512_SIZE];    /* before it is reduced */
    uint8_t tunnel_key[WRN_KEY_SIZE];
    uint8_t scratch[2 * SHA512_SIZE + sizeof(label) + MESSAGE_SIZE];
} test;

static struct secrets secrets;

static void sha512(const uint8_t *bytes, size_t size, uint8_t ret_hash[SHA512_SIZE]) {
    assert_int_equal(EVP_Q_digest(NULL, "SHA2-512", NULL, bytes, size, ret_hash, NULL), 1);
}

/* As 64-bit numbers in the order of this machine: how SHA-512 holds what it works on. */
static void add_swapped(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        test.scratch[i] = bytes[i / 8 * 8 + 7 - i % 8];
    }
    add_secret(&secrets, test.scratch, size);
}

static void clamp(uint8_t scalar[32]) {
    wrn_x25519_clamp(scalar); /* RFC 8032 fixes the same bits */
}

/* RFC 8032, sections 5.1.5 and 5.1.6. Searching starts after that. */
static void set_up_secrets(unsigned salt) {
    memset(&secrets, 0, sizeof(secrets));
    check_pattern(test.message, 1, salt);
    wrn_sha256((wrn_span){test.message, 1}, (wrn_span){0}, test.seed);
    check_pattern(test.message, sizeof(test.message), salt + 1);
    sha512(test.seed, sizeof(test.seed), test.expanded);
    memcpy(test.scratch, test.expanded + 32, 32);
    memcpy(test.scratch + 32, label, sizeof(label));
    memcpy(test.scratch + 32 + sizeof(label), test.message, sizeof(test.message));
    sha512(test.scratch, 32 + sizeof(label) + sizeof(test.message), test.nonce);
    add_secret(&secrets, test.seed, sizeof(test.seed));
    add_secret(&secrets, test.expanded, sizeof(test.expanded));
    add_secret(&secrets, test.nonce, sizeof(test.nonce));
    add_swapped(test.seed, sizeof(test.seed));
    add_swapped(test.expanded, sizeof(test.expanded));
    add_swapped(test.nonce, sizeof(test.nonce));
    clamp(test.expanded);
    add_secret(&secrets, test.expanded, 32);
    memset(test.scratch, 0, sizeof(test.scratch));
    residue_watched = &secrets;
    residue_freed = false;
}

static void check_no_residue(const char *when) {
    check_no_secret(&secrets, when);
    CHECK(!residue_freed, "%s: freed unwiped: ", when);
}

static void signing_leaves_nothing(void **state) {
    (void)state;
    for (unsigned salt = 1; salt < 20; salt++) {
        set_up_secrets(salt);
        wrn_span message = {test.message, sizeof(test.message)};
        assert_true(wrn_sign_public(test.seed, test.public_key));
        check_no_residue("public key");
        assert_true(wrn_sign(test.seed, label, message, test.signature));
        check_no_residue("sign");
        assert_true(wrn_sign_verify(test.public_key, label, message, test.signature));
        residue_watched = NULL;
    }
}

static void deriving_leaves_nothing(void **state) {
    (void)state;
    struct wrn_crypto *crypto = NULL;
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_AUTO, &crypto), 0);
    for (unsigned salt = 1; salt < 20; salt++) {
        set_up_secrets(salt);
        wrn_tunnel_key(crypto, test.seed, (wrn_span){0}, test.tunnel_key);
        check_no_residue("tunnel key");
        add_secret(&secrets, test.tunnel_key, sizeof(test.tunnel_key));
        memset(test.tunnel_key, 0, sizeof(test.tunnel_key));
        wrn_tunnel_key(crypto, test.seed, (wrn_span){0}, test.tunnel_key);
        check_no_residue("tunnel key, itself");
        uint8_t keys[3][WRN_KEY_SIZE];
        wrn_kdf(crypto, test.seed, (wrn_span){NULL, 0}, keys[0], keys[1], keys[2]);
        for (size_t i = 0; i < WRN_COUNT(keys); i++) {
            add_secret(&secrets, keys[i], sizeof(keys[i]));
        }
        memset(keys, 0, sizeof(keys));
        wrn_kdf(crypto, test.seed, (wrn_span){NULL, 0}, keys[0], keys[1], keys[2]);
        memset(keys, 0, sizeof(keys));
        check_no_residue("keys of a handshake");
        residue_watched = NULL;
    }
    wrn_crypto_destroy(crypto);
}

/* The search must find what is freed unwiped. */
static void finds_what_is_freed(void **state) {
    (void)state;
    set_up_secrets(3);
    uint8_t *copy = OPENSSL_malloc(100);
    assert_non_null(copy);
    memset(copy, 0, 100);
    memcpy(copy + 20, test.seed, sizeof(test.seed));
    OPENSSL_cleanse(copy, 100);
    memcpy(copy + 20, test.seed + 16, 16);
    OPENSSL_free(copy);
    assert_true(residue_freed);
    residue_watched = NULL;
}

static bool run_public(void) {
    return wrn_sign_public(test.seed, test.public_key);
}

static bool run_sign(void) {
    return wrn_sign(test.seed, label, (wrn_span){test.message, MESSAGE_SIZE}, test.signature);
}

static bool run_verify(void) {
    return wrn_sign_verify(test.public_key, label, (wrn_span){test.message, MESSAGE_SIZE},
                           test.signature);
}

/* Fails the first allocation, then the second, …, until the call needs no more than are given. An
 * output that was not made is zeros; libcrypto's queue of errors stays as it was. */
static void survives_every_failure(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool (*run)(void);
        uint8_t *output;
        size_t size;
    } calls[] = {
        {"public key", run_public, test.public_key, sizeof(test.public_key)},
        {"sign", run_sign, test.signature, sizeof(test.signature)},
        {"verify", run_verify, NULL, 0},
    };
    set_up_secrets(5);
    for (size_t i = 0; i < WRN_COUNT(calls); i++) {
        assert_true(run_public() && run_sign() && run_verify()); /* libcrypto's own, once */
        ERR_clear_error();
        size_t allowed = 0;
        bool ok = false;
        for (; !ok && allowed < ATTEMPTS_MAX; allowed++) {
            if (calls[i].output) {
                memset(calls[i].output, 0xa5, calls[i].size);
            }
            residue_allocations = allowed;
            ok = calls[i].run();
            residue_allocations = SIZE_MAX;
            CHECK(ERR_peek_error() == 0, "%s, %zu allocations: ", calls[i].name, allowed);
            CHECK(ok || !calls[i].output || check_filled(calls[i].output, calls[i].size, 0),
                  "%s, %zu allocations: ", calls[i].name, allowed);
            check_no_residue(calls[i].name);
        }
        CHECK(ok && allowed > 3, "%s, %zu allocations: ", calls[i].name, allowed);
    }
    residue_watched = NULL;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signing_leaves_nothing),
        cmocka_unit_test(deriving_leaves_nothing),
        cmocka_unit_test(finds_what_is_freed),
        cmocka_unit_test(survives_every_failure),
    };
    if (!residue_watch()) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
