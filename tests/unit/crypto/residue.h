/* SPDX-License-Identifier: Apache-2.0 */
/* Searches memory for secrets after a call: the stack below the caller, and all that libcrypto's
 * allocator gave. The allocator can also be told to fail. Included by one file of a program, which
 * calls residue_watch before anything else. */
#pragma once
#include <stdalign.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "crypto/crypto.h"
#include "unit/base/check.h"

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

struct secrets;

static struct block ends = {&ends, &ends, 0};
static size_t residue_allocations = SIZE_MAX; /* those that succeed before all others fail */
static const struct secrets *residue_watched; /* not to be in what is freed; NULL: nothing */
static bool residue_freed;                    /* but it was */

static inline bool holds_secret(const uint8_t *bytes, size_t size, const struct secrets *secrets);

static inline void *note_malloc(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    struct block *block = residue_allocations > 0 ? malloc(sizeof(*block) + size) : NULL;
    if (!block) {
        return NULL;
    }
    residue_allocations -= residue_allocations != SIZE_MAX;
    *block = (struct block){ends.previous, &ends, size};
    ends.previous->next = block;
    ends.previous = block;
    return block->bytes;
}

static inline void note_free(void *memory, const char *file, int line) {
    (void)file;
    (void)line;
    if (memory) {
        struct block *block = (struct block *)((uint8_t *)memory - offsetof(struct block, bytes));
        block->previous->next = block->next;
        block->next->previous = block->previous;
        residue_freed = residue_freed || (residue_watched &&
                                          holds_secret(block->bytes, block->size, residue_watched));
        free(block);
    }
}

static inline void *note_realloc(void *memory, size_t size, const char *file, int line) {
    uint8_t *bytes = note_malloc(size, file, line);
    if (bytes && memory) {
        const struct block *old =
            (struct block *)((uint8_t *)memory - offsetof(struct block, bytes));
        memcpy(bytes, memory, old->size < size ? old->size : size);
        note_free(memory, file, line);
    }
    return bytes;
}

/* Has libcrypto allocate by the functions above. False if it has allocated before. */
WRN_NODISCARD static inline bool residue_watch(void) {
    return CRYPTO_set_mem_functions(note_malloc, note_realloc, note_free) == 1;
}

/* Secrets of one call, in pieces. */
struct secrets {
    uint8_t bytes[2 * WRN_KEY_SIZE + WRN_AEAD_EXPANDED_MAX + SIZE_MAX_TESTED + WRN_TAG_SIZE];
    size_t size;
    bool starts[UINT16_MAX + 1]; /* whether a piece starts with these two bytes */
};

static inline size_t start_of(const uint8_t *bytes) {
    return (size_t)bytes[0] << 8 | bytes[1];
}

static inline void add_secret(struct secrets *secrets, const uint8_t *bytes, size_t size) {
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

static inline bool holds_secret(const uint8_t *bytes, size_t size, const struct secrets *secrets) {
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

static inline bool is_allocated(const struct secrets *secrets) {
    for (const struct block *block = ends.next; block != &ends; block = block->next) {
        if (holds_secret(block->bytes, block->size, secrets)) {
            return true;
        }
    }
    return false;
}

/* The stack first: what runs afterwards may cover it. */
static inline void check_no_secret(const struct secrets *secrets, const char *when) {
    CHECK(!IS_STACK_SEARCHED || !is_on_stack(secrets), "%s: on the stack: ", when);
    CHECK(!is_allocated(secrets), "%s: allocated: ", when);
}
