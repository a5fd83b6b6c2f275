/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: after a call no key, nothing made from one and no key stream is left in memory.
 * Method: the stack below the caller, and all that libcrypto's allocator gave, are searched. */
#include <stdalign.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "unit/crypto/implementations.h"

/* AddressSanitizer moves variables to a stack of its own and watches who reads there; what
 * ThreadSanitizer runs below our calls leaves copies of what passes through. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_STACK_SEARCHED 0
#elif defined(__has_feature)
#define IS_STACK_SEARCHED (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define IS_STACK_SEARCHED 1
#endif

enum {
    PIECE = 16, /* bytes that count as a find */
    SIZE_MAX_TESTED = 2500,
    SEARCHED = 32 * 1024, /* of the stack */
};

/* Stands before each allocated block. */
struct block {
    struct block *previous, *next;
    size_t size;
    alignas(max_align_t) uint8_t bytes[];
};

static struct block ends = {&ends, &ends, 0};

static void *note_malloc(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    struct block *block = malloc(sizeof(*block) + size);
    if (!block) {
        return NULL;
    }
    *block = (struct block){ends.previous, &ends, size};
    ends.previous->next = block;
    ends.previous = block;
    return block->bytes;
}

static void note_free(void *memory, const char *file, int line) {
    (void)file;
    (void)line;
    if (memory) {
        struct block *block = (struct block *)((uint8_t *)memory - offsetof(struct block, bytes));
        block->previous->next = block->next;
        block->next->previous = block->previous;
        free(block);
    }
}

static void *note_realloc(void *memory, size_t size, const char *file, int line) {
    uint8_t *bytes = note_malloc(size, file, line);
    if (bytes && memory) {
        const struct block *old =
            (struct block *)((uint8_t *)memory - offsetof(struct block, bytes));
        memcpy(bytes, memory, old->size < size ? old->size : size);
        note_free(memory, file, line);
    }
    return bytes;
}

/* Secrets of one packet, in pieces. */
struct secrets {
    uint8_t bytes[2 * WRN_KEY_SIZE + WRN_AEAD_EXPANDED_MAX + SIZE_MAX_TESTED + WRN_TAG_SIZE];
    size_t size;
    bool starts[UINT16_MAX + 1]; /* whether a piece starts with these two bytes */
};

static size_t start_of(const uint8_t *bytes) {
    return (size_t)bytes[0] << 8 | bytes[1];
}

static void add_secret(struct secrets *secrets, const uint8_t *bytes, size_t size) {
    size = size / PIECE * PIECE;
    assert_true(secrets->size + size <= sizeof(secrets->bytes));
    for (size_t at = 0; at < size; at += PIECE) {
        if (!check_filled(bytes + at, PIECE, 0)) { /* as unused room of an expanded key is */
            memcpy(secrets->bytes + secrets->size, bytes + at, PIECE);
            secrets->starts[start_of(bytes + at)] = true;
            secrets->size += PIECE;
        }
    }
}

static bool holds_secret(const uint8_t *bytes, size_t size, const struct secrets *secrets) {
    for (size_t at = 0; at + PIECE <= size; at++) {
        if (secrets->starts[start_of(bytes + at)]) {
            for (size_t i = 0; i < secrets->size; i += PIECE) {
                if (memcmp(bytes + at, secrets->bytes + i, PIECE) == 0) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* Searches the stack as it was found: below its caller's frame. */
__attribute__((noinline)) static bool is_on_stack(const struct secrets *secrets) {
    uint8_t below[SEARCHED];
    __asm__ volatile("" : "=m"(below));
    return holds_secret(below, sizeof(below), secrets);
}

static bool is_allocated(const struct secrets *secrets) {
    for (const struct block *block = ends.next; block != &ends; block = block->next) {
        if (holds_secret(block->bytes, block->size, secrets)) {
            return true;
        }
    }
    return false;
}

__attribute__((noinline)) static void leave_on_stack(const uint8_t *piece) {
    uint8_t below[8 * PIECE];
    for (size_t i = 0; i < sizeof(below); i += PIECE) {
        memcpy(below + i, piece, PIECE);
    }
    __asm__ volatile("" : : "m"(below) : "memory");
}

/* The stack first: what runs afterwards may cover it. */
static void check_no_secret(const struct secrets *secrets, const char *when) {
    CHECK(!IS_STACK_SEARCHED || !is_on_stack(secrets), "%s: on the stack: ", when);
    CHECK(!is_allocated(secrets), "%s: allocated: ", when);
}

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
    if (CRYPTO_set_mem_functions(note_malloc, note_realloc, note_free) != 1) {
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
