/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: after a call no key, nothing made from one and no key stream is left in memory.
 * Method: the stack below the caller, and all that libcrypto's allocator gave, are searched. */
#include <stdalign.h>

#include "unit/crypto/implementations.h"
#include "unit/crypto/residue.h"

/* Poly1305's key of a packet: the start of the key stream. Source: RFC 8439, section 2.6. */
static void add_poly1305_key(struct secrets *secrets, const struct wrn_aead_job *job) {
    static const uint8_t zeros[WRN_KEY_SIZE];
    uint8_t counter_and_nonce[16] = {0};
    static uint8_t poly1305_key[WRN_KEY_SIZE]; /* not on the stack, which is searched */
    int written;
    for (size_t i = 0; i < 8; i++) {
        counter_and_nonce[8 + i] = (uint8_t)(job->counter >> (8 * i));
    }
    EVP_CIPHER_CTX *stream = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex2(stream, EVP_chacha20(), job->key, counter_and_nonce, NULL),
                     1);
    assert_int_equal(EVP_EncryptUpdate(stream, poly1305_key, &written, zeros, sizeof(poly1305_key)),
                     1);
    EVP_CIPHER_CTX_free(stream);
    wrn_crypto_wipe_stack(); /* what this call has left is not the tested one's */
    add_secret(secrets, poly1305_key, sizeof(poly1305_key));
}

/* Seals, opens and refuses a packet of 'size' bytes. 'is_single_use': without an expanded key. */
static void leaves_no_secret_of(struct wrn_crypto *crypto, enum wrn_cipher cipher, size_t size,
                                bool is_single_use) {
    static alignas(WRN_AEAD_EXPANDED_ALIGNMENT) uint8_t expanded[WRN_AEAD_EXPANDED_MAX];
    static uint8_t text[SIZE_MAX_TESTED];
    static uint8_t sealed[SIZE_MAX_TESTED + WRN_TAG_SIZE];
    static uint8_t opened[SIZE_MAX_TESTED];
    static uint8_t key[WRN_KEY_SIZE];
    static struct secrets secrets;
    static struct wrn_aead_job job;
    bool is_libcrypto = !crypto->ipsec_mb; /* keeps what is good for one packet that is over */
    check_pattern(text, size, 1);
    check_pattern(key, sizeof(key), 40 + (unsigned)size);
    memset(expanded, 0, sizeof(expanded));
    job = (struct wrn_aead_job){
        .key = key, .cipher = cipher, .counter = size, .in = text, .out = sealed, .size = size};
    if (wrn_aead_expanded_size(crypto, cipher) > 0 && !is_single_use) {
        job.expanded = expanded;
    }
    memset(&secrets, 0, sizeof(secrets));
    wrn_aead_expand(crypto, cipher, key, expanded);
    add_secret(&secrets, key, sizeof(key));
    add_secret(&secrets, expanded, wrn_aead_expanded_size(crypto, cipher));
    check_no_secret(&secrets, "expand");
    if (cipher == WRN_CIPHER_CHACHA20_POLY1305 && !is_libcrypto) {
        add_poly1305_key(&secrets, &job);
    }
    wrn_aead_seal_batch(crypto, &job, 1);
    for (size_t i = 0; i < size; i++) {
        opened[i] = text[i] ^ sealed[i];
    }
    if (!is_libcrypto) {
        add_secret(&secrets, opened, size);
    }
    check_no_secret(&secrets, "seal");
    job.in = sealed;
    job.out = opened;
    wrn_aead_open_batch(crypto, &job, 1);
    check_no_secret(&secrets, "open");
    sealed[size] ^= 1;
    wrn_aead_open_batch(crypto, &job, 1);
    assert_false(job.ok);
    sealed[size] ^= 1;
    if (!is_libcrypto) {
        add_secret(&secrets, sealed + size, WRN_TAG_SIZE); /* what a forger would like to know */
    }
    sealed[size] ^= 1;
    check_no_secret(&secrets, "refuse");
}

static void leaves_no_secret(struct wrn_crypto *crypto) {
    static const size_t sizes[] = {0,   12,  16,  64,   100,  300,  576,
                                   900, 960, 970, 1024, 1040, 1420, SIZE_MAX_TESTED};
    for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
        leaves_no_secret_of(crypto, WRN_CIPHER_CHACHA20_POLY1305, sizes[i], true);
        leaves_no_secret_of(crypto, WRN_CIPHER_AES_256_GCM, sizes[i], true);
        leaves_no_secret_of(crypto, WRN_CIPHER_AES_256_GCM, sizes[i], false);
    }
}

__attribute__((noinline)) static void leave_on_stack(const uint8_t *piece) {
    uint8_t below[8 * PIECE];
    for (size_t i = 0; i < sizeof(below); i += PIECE) {
        memcpy(below + i, piece, PIECE);
    }
    __asm__ volatile("" : : "m"(below) : "memory");
}

/* The search itself: it must find what is there. */
static void finds_what_is_left(struct wrn_crypto *crypto) {
    static struct secrets secrets;
    static uint8_t piece[PIECE];
    memset(&secrets, 0, sizeof(secrets));
    check_pattern(piece, sizeof(piece), 200);
    add_secret(&secrets, piece, sizeof(piece));
    assert_false(is_allocated(&secrets));
    uint8_t *copy = OPENSSL_malloc(100);
    assert_non_null(copy);
    memset(copy, 0, 100);
    memcpy(copy + 100 - PIECE, piece, PIECE);
    assert_true(is_allocated(&secrets));
    OPENSSL_clear_free(copy, 100);
    assert_false(is_allocated(&secrets));
    leave_on_stack(piece);
    assert_true(!IS_STACK_SEARCHED || is_on_stack(&secrets));
    (void)crypto;
}

int main(void) {
    if (!residue_watch()) {
        return 1;
    }
    static const struct implementation_list list[] = {
        {"finds what is left", finds_what_is_left},
        {"leaves no secret", leaves_no_secret},
    };
    static struct CMUnitTest tests[WRN_COUNT(list) * IMPLEMENTATIONS];
    static struct implementation_case cases[WRN_COUNT(tests)];
    implementation_fill(tests, cases, list, WRN_COUNT(list));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
