/* SPDX-License-Identifier: Apache-2.0 */
/* Places on the ring. Pure arithmetic. */
#include "overlay/id.h"

#include "base/hex.h"

static wrn_id shift_left(wrn_id id, uint32_t bits);

wrn_id wrn_id_of_hit(const uint8_t hit[16]) {
    return wrn_id_load(hit + 4);
}

void wrn_id_hit(wrn_id id, uint8_t ret_hit[16]) {
    wrn_store_be32(ret_hit, 0x20010025); /* 2001:20::/28 and suite 5 */
    wrn_id_store(id, ret_hit + 4);
}

wrn_id wrn_id_load(const uint8_t bytes[WRN_ID_SIZE]) {
    return (wrn_id){wrn_load_be64(bytes), wrn_load_be32(bytes + 8)};
}

void wrn_id_store(wrn_id id, uint8_t ret_bytes[WRN_ID_SIZE]) {
    wrn_store_be64(ret_bytes, id.high);
    wrn_store_be32(ret_bytes + 8, id.low);
}

wrn_id wrn_read_id(struct wrn_reader *reader) {
    uint8_t bytes[WRN_ID_SIZE];
    wrn_read_bytes(reader, bytes, sizeof(bytes));
    return wrn_id_load(bytes);
}

void wrn_write_id(struct wrn_writer *writer, wrn_id id) {
    wrn_write_u64(writer, id.high);
    wrn_write_u32(writer, id.low);
}

void wrn_id_print(wrn_id id, char ret_text[WRN_ID_TEXT_SIZE]) {
    uint8_t bytes[WRN_ID_SIZE];
    wrn_id_store(id, bytes);
    wrn_hex_write(bytes, sizeof(bytes), ret_text);
    ret_text[2 * sizeof(bytes)] = '\0';
}

wrn_id wrn_id_add(wrn_id a, wrn_id b) {
    uint64_t low = (uint64_t)a.low + b.low;
    return (wrn_id){a.high + b.high + (low >> 32), (uint32_t)low};
}

wrn_id wrn_id_subtract(wrn_id b, wrn_id a) {
    return (wrn_id){b.high - a.high - (b.low < a.low), b.low - a.low};
}

wrn_id wrn_id_distance(wrn_id a, wrn_id b) {
    wrn_id clockwise = wrn_id_subtract(b, a);
    wrn_id back = wrn_id_subtract(a, b);
    return wrn_id_less(back, clockwise) ? back : clockwise;
}

bool wrn_id_is_between(wrn_id from, wrn_id x, wrn_id to) {
    if (wrn_id_equal(x, from) || wrn_id_equal(x, to)) {
        return false;
    }
    return wrn_id_equal(from, to) ||
           wrn_id_less(wrn_id_subtract(x, from), wrn_id_subtract(to, from));
}

bool wrn_id_is_nearer(wrn_id target, wrn_id a, wrn_id b) {
    wrn_id of_a = wrn_id_distance(a, target);
    wrn_id of_b = wrn_id_distance(b, target);
    if (!wrn_id_equal(of_a, of_b)) {
        return wrn_id_less(of_a, of_b);
    }
    return !wrn_id_equal(a, b) && wrn_id_equal(wrn_id_subtract(a, target), of_a);
}

wrn_id wrn_id_middle(wrn_id a, wrn_id b) {
    wrn_id way = wrn_id_subtract(b, a);
    wrn_id half = {way.high >> 1, (uint32_t)((way.high & 1) << 31) | way.low >> 1};
    return wrn_id_add(a, half);
}

uint32_t wrn_id_log2(wrn_id id) {
    if (id.high != 0) {
        return 95 - (uint32_t)__builtin_clzll(id.high);
    }
    return id.low != 0 ? 31 - (uint32_t)__builtin_clz(id.low) : 0;
}

uint32_t wrn_ceil_log2(uint64_t n) {
    return n <= 1 ? 0 : 64 - (uint32_t)__builtin_clzll(n - 1);
}

/* log2 n with 16 bits after the point, rounded down: the fraction by squaring, bit by bit. */
static uint32_t log2_fixed(uint64_t n) {
    uint32_t whole = 63 - (uint32_t)__builtin_clzll(n);
    uint64_t x = whole >= 31 ? n >> (whole - 31) : n << (31 - whole); /* in [2^31, 2^32) */
    uint32_t result = whole;
    for (uint32_t i = 0; i < 16; i++) {
        x = x * x >> 31; /* in [2^31, 2^33) */
        result <<= 1;
        if (x >> 32 != 0) {
            x >>= 1;
            result |= 1;
        }
    }
    return result;
}

/* 2^(fraction / 2^16) with 31 bits after the point: a root for each bit of the fraction. */
static uint64_t exp2_fixed(uint32_t fraction) {
    /* 2^(2^-k) for k from 1 to 16, 31 bits after the point. */
    static const uint32_t roots[16] = {
        0xb504f333, 0x9837f051, 0x8b95c1e3, 0x85aac367, 0x82cd8698, 0x8164d1f3,
        0x80b1ed4f, 0x8058d7d2, 0x802c6436, 0x8016302f, 0x800b179c, 0x80058baf,
        0x8002c5d0, 0x800162e6, 0x8000b172, 0x800058b9,
    };
    uint64_t x = (uint64_t)1 << 31;
    for (uint32_t i = 0; i < 16; i++) {
        if ((fraction >> (15 - i) & 1) != 0) {
            x = x * roots[i] >> 31;
        }
    }
    return x;
}

wrn_id wrn_id_harmonic(uint64_t nodes, struct wrn_rand rand) {
    uint64_t span = log2_fixed(nodes < 2 ? 2 : nodes);
    uint64_t below = span * wrn_rand_below(rand, 1u << 16) >> 16; /* p * log2 n */
    uint64_t exponent = ((uint64_t)WRN_ID_BITS << 16) - span + below;
    uint64_t mantissa = exp2_fixed((uint32_t)exponent & 0xffff); /* in [2^31, 2^32) */
    uint32_t power = (uint32_t)(exponent >> 16);
    wrn_id half = {(uint64_t)1 << 63, 0};
    if (power >= WRN_ID_BITS - 1) {
        return half;
    }
    wrn_id distance = {mantissa >> 32, (uint32_t)mantissa};
    if (power >= 31) {
        return shift_left(distance, power - 31);
    }
    return (wrn_id){0, (uint32_t)(mantissa >> (31 - power))};
}

uint64_t wrn_id_estimate(wrn_id span, uint32_t count) {
    /* 2^96 * count / span with the upper 64 bits of both: their error is far below chance. */
    uint64_t high = span.high == 0 ? 1 : span.high;
    unsigned __int128 estimate = ((unsigned __int128)count << 64) / high;
    uint64_t nodes = estimate >> 64 != 0 ? UINT64_MAX : (uint64_t)estimate;
    return nodes < count ? count : nodes;
}

static wrn_id shift_left(wrn_id id, uint32_t bits) {
    while (bits >= 32) {
        id = (wrn_id){id.high << 32 | id.low, 0};
        bits -= 32;
    }
    if (bits > 0) {
        id = (wrn_id){id.high << bits | id.low >> (32 - bits), id.low << bits};
    }
    return id;
}
