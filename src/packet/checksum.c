/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum. Sums words in the machine's byte order and swaps once, at the end, which
 * gives the same (RFC 1071, section 2 (B)). Keeps no state. */
#include "packet/checksum.h"

#include "packet/internal.h"

/* Long inputs are summed in blocks, as vectors of 64-bit lanes. The compiler makes of a vector what
 * its target has: two 16-byte registers, one of 32 bytes, or plain words. */
typedef uint64_t lanes __attribute__((vector_size(32)));

enum { BLOCK = 2 * sizeof(lanes), WORD = sizeof(uint64_t) };

#if defined(__x86_64__)
#define HAVE_AVX2      1
/* Reads what the compiler's start-up code has found out by the CPUID instruction. */
#define CPU_HAS_AVX2() __builtin_cpu_supports("avx2")
#define TARGET_AVX2    __attribute__((target("avx2")))
#else
#define HAVE_AVX2 0
#endif

#define ALWAYS_INLINE inline __attribute__((always_inline))

static uint64_t add_carry(uint64_t a, uint64_t b);
static uint64_t sum_tail(const uint8_t *bytes, size_t size);

/* Sums the whole blocks of 'size' bytes and, with 'to' not NULL, copies them. The halves of each
 * word go into lanes of their own, so that nothing overflows in 2^32 blocks. */
static ALWAYS_INLINE uint64_t sum_blocks(uint8_t *to, const uint8_t *bytes, size_t size) {
    const lanes mask = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    lanes low = {0}, high = {0};
    for (size_t at = 0; at + BLOCK <= size; at += BLOCK) {
        lanes a, b;
        memcpy(&a, bytes + at, sizeof a);
        memcpy(&b, bytes + at + sizeof a, sizeof b);
        if (to != NULL) {
            memcpy(to + at, &a, sizeof a);
            memcpy(to + at + sizeof a, &b, sizeof b);
        }
        low += (a & mask) + (b & mask);
        high += (a >> 32) + (b >> 32);
    }
    low += high;
    return low[0] + low[1] + low[2] + low[3];
}

wrn_sum wrn_sum_add_portable(wrn_sum sum, const uint8_t *bytes, size_t size) {
    size_t whole = size / BLOCK * BLOCK;
    uint64_t total = sum_blocks(NULL, bytes, whole) + sum_tail(bytes + whole, size - whole);
    return (wrn_sum){add_carry(sum.value, total)};
}

wrn_sum wrn_sum_copy_portable(wrn_sum sum, uint8_t *to, const uint8_t *bytes, size_t size) {
    size_t whole = size / BLOCK * BLOCK;
    uint64_t total = sum_blocks(to, bytes, whole) + sum_tail(bytes + whole, size - whole);
    memcpy(to + whole, bytes + whole, size - whole);
    return (wrn_sum){add_carry(sum.value, total)};
}

#if HAVE_AVX2
TARGET_AVX2 static uint64_t sum_blocks_avx2(const uint8_t *bytes, size_t size) {
    return sum_blocks(NULL, bytes, size);
}

TARGET_AVX2 static uint64_t copy_blocks_avx2(uint8_t *to, const uint8_t *bytes, size_t size) {
    return sum_blocks(to, bytes, size);
}
#endif

wrn_sum wrn_sum_add(wrn_sum sum, const uint8_t *bytes, size_t size) {
    if (size < BLOCK) {
        return (wrn_sum){add_carry(sum.value, sum_tail(bytes, size))};
    }
#if HAVE_AVX2
    if (CPU_HAS_AVX2()) {
        size_t whole = size / BLOCK * BLOCK;
        uint64_t total = sum_blocks_avx2(bytes, whole) + sum_tail(bytes + whole, size - whole);
        return (wrn_sum){add_carry(sum.value, total)};
    }
#endif
    return wrn_sum_add_portable(sum, bytes, size);
}

wrn_sum wrn_sum_copy(wrn_sum sum, uint8_t *to, const uint8_t *bytes, size_t size) {
#if HAVE_AVX2
    if (size >= BLOCK && CPU_HAS_AVX2()) {
        size_t whole = size / BLOCK * BLOCK;
        uint64_t total = copy_blocks_avx2(to, bytes, whole) + sum_tail(bytes + whole, size - whole);
        memcpy(to + whole, bytes + whole, size - whole);
        return (wrn_sum){add_carry(sum.value, total)};
    }
#endif
    return wrn_sum_copy_portable(sum, to, bytes, size);
}

wrn_sum wrn_sum_add_pseudo(wrn_sum sum, const uint8_t *ip, uint8_t protocol, uint32_t l4_size) {
    if (ip[0] >> 4 == 6) {
        sum = wrn_sum_add(sum, ip + V6_SOURCE, V6_ADDRESSES_SIZE);
    } else {
        sum = wrn_sum_add(sum, ip + V4_SOURCE, V4_ADDRESSES_SIZE);
    }
    sum = sum_word(sum, (uint16_t)(l4_size >> 16));
    sum = sum_word(sum, (uint16_t)l4_size);
    return sum_word(sum, protocol);
}

uint16_t wrn_sum_finish(wrn_sum sum) {
    uint64_t folded = (sum.value & UINT32_MAX) + (sum.value >> 32);
    for (int i = 0; i < 3; i++) { /* 33 bits, 18, 17, 16 */
        folded = (folded & UINT16_MAX) + (folded >> 16);
    }
    uint16_t word = (uint16_t)~folded;
    uint8_t bytes[2];
    memcpy(bytes, &word, sizeof word);
    return wrn_load_be16(bytes);
}

/* 2^64 - 1 is a multiple of 2^16 - 1, so what is carried out comes in again at the other end. */
static uint64_t add_carry(uint64_t a, uint64_t b) {
    uint64_t sum = a + b;
    return sum + (sum < b);
}

/* Sums fewer bytes than a block, whose last word is filled up with zeros. */
static uint64_t sum_tail(const uint8_t *bytes, size_t size) {
    uint64_t total = 0;
    uint64_t word;
    for (; size >= WORD; size -= WORD, bytes += WORD) {
        memcpy(&word, bytes, sizeof word);
        total += (word & UINT32_MAX) + (word >> 32);
    }
    word = 0;
    if (size > 0) {
        memcpy(&word, bytes, size);
    }
    return total + (word & UINT32_MAX) + (word >> 32);
}
