/* SPDX-License-Identifier: Apache-2.0 */
/* Fast stand-ins for cryptography. Protects nothing. */
#include "sim/cheap.h"

#include "base/bytes.h"
#include "overlay/id.h"

enum { LANES = 4, WORD = 8 };

/* A hash that takes its input in pieces: as if they were one. */
struct mix {
    uint64_t lanes[LANES];
    uint8_t rest[WORD];
    uint32_t rest_size;
    uint64_t size;
};

static const uint64_t prime = ((uint64_t)1 << 61) - 1; /* Mersenne's */

static uint64_t multiply(uint64_t a, uint64_t b);
static uint64_t power(uint64_t base, uint64_t exponent);
static uint64_t scramble(uint64_t word);
static struct mix begin(uint64_t purpose);
static void add(struct mix *mix, const void *bytes, size_t size);
static void add_word(struct mix *mix, uint64_t word);
static void end(struct mix *mix, uint8_t *out, size_t size);

/* A Diffie-Hellman exchange in a group so small that anybody takes logarithms in it. */
static bool public_key(void *ctx, const uint8_t private_key[WRN_KEY_SIZE],
                       uint8_t ret_public[WRN_KEY_SIZE]) {
    (void)ctx;
    wrn_store_le64(ret_public, power(3, wrn_load_le64(private_key)));
    struct mix mix = begin(1);
    add(&mix, private_key, WRN_KEY_SIZE);
    end(&mix, ret_public + WORD, WRN_KEY_SIZE - WORD);
    return true;
}

static bool agree(void *ctx, const uint8_t private_key[WRN_KEY_SIZE],
                  const uint8_t their_public[WRN_KEY_SIZE], uint8_t ret_shared[WRN_KEY_SIZE]) {
    (void)ctx;
    uint64_t point = wrn_load_le64(their_public) % prime;
    struct mix mix = begin(2);
    add_word(&mix, power(point, wrn_load_le64(private_key)));
    end(&mix, ret_shared, WRN_KEY_SIZE);
    return point > 1;
}

static void derive(void *ctx, const uint8_t key[WRN_KEY_SIZE], wrn_span input,
                   uint8_t ret_first[WRN_KEY_SIZE], uint8_t ret_second[WRN_KEY_SIZE]) {
    (void)ctx;
    uint8_t keys[2 * WRN_KEY_SIZE];
    struct mix mix = begin(3);
    add(&mix, key, WRN_KEY_SIZE);
    add(&mix, input.data, input.size);
    end(&mix, keys, sizeof keys);
    memcpy(ret_first, keys, WRN_KEY_SIZE);
    if (ret_second != NULL) {
        memcpy(ret_second, keys + WRN_KEY_SIZE, WRN_KEY_SIZE);
    }
}

static void tag_of(const uint8_t key[WRN_KEY_SIZE], const uint8_t nonce[WRN_XNONCE_SIZE],
                   wrn_span aad, const uint8_t *bytes, size_t size, uint8_t ret_tag[WRN_TAG_SIZE]) {
    struct mix mix = begin(4);
    add(&mix, key, WRN_KEY_SIZE);
    add(&mix, nonce, WRN_XNONCE_SIZE);
    add_word(&mix, aad.size);
    add(&mix, aad.data, aad.size);
    add(&mix, bytes, size);
    end(&mix, ret_tag, WRN_TAG_SIZE);
}

/* Readable by all, and with a tag. */
static void seal(void *ctx, const uint8_t key[WRN_KEY_SIZE], const uint8_t nonce[WRN_XNONCE_SIZE],
                 wrn_span aad, const uint8_t *in, size_t size, uint8_t *out) {
    (void)ctx;
    memmove(out, in, size);
    tag_of(key, nonce, aad, out, size, out + size);
}

/* 'size' counts the text, as for wrn_xaead_open; the tag follows it. */
static bool open(void *ctx, const uint8_t key[WRN_KEY_SIZE], const uint8_t nonce[WRN_XNONCE_SIZE],
                 wrn_span aad, const uint8_t *in, size_t size, uint8_t *out) {
    (void)ctx;
    uint8_t tag[WRN_TAG_SIZE];
    tag_of(key, nonce, aad, in, size, tag);
    bool is_good = memcmp(tag, in + size, sizeof tag) == 0;
    if (is_good) {
        memmove(out, in, size);
    } else {
        memset(out, 0, size);
    }
    return is_good;
}

static void tunnel_key(void *ctx, const uint8_t seed[WRN_SEED_SIZE], wrn_span context,
                       uint8_t ret_private[WRN_KEY_SIZE]) {
    (void)ctx;
    struct mix mix = begin(10);
    add(&mix, seed, WRN_SEED_SIZE);
    add(&mix, context.data, context.size);
    end(&mix, ret_private, WRN_KEY_SIZE);
}

static bool sign_public(void *ctx, const uint8_t seed[WRN_SEED_SIZE],
                        uint8_t ret_public[WRN_SIGN_PUBLIC_SIZE]) {
    (void)ctx;
    struct mix mix = begin(5);
    add(&mix, seed, WRN_SEED_SIZE);
    end(&mix, ret_public, WRN_SIGN_PUBLIC_SIZE);
    return true;
}

static void signature_of(const uint8_t public_key_[WRN_SIGN_PUBLIC_SIZE], const char *label,
                         wrn_span message, uint8_t ret_signature[WRN_SIGNATURE_SIZE]) {
    struct mix mix = begin(6);
    add(&mix, public_key_, WRN_SIGN_PUBLIC_SIZE);
    add(&mix, label, strlen(label) + 1);
    add(&mix, message.data, message.size);
    end(&mix, ret_signature, WRN_SIGNATURE_SIZE);
}

static bool sign(void *ctx, const uint8_t seed[WRN_SEED_SIZE], const char *label, wrn_span message,
                 uint8_t ret_signature[WRN_SIGNATURE_SIZE]) {
    uint8_t own[WRN_SIGN_PUBLIC_SIZE];
    (void)sign_public(ctx, seed, own);
    signature_of(own, label, message, ret_signature);
    return true;
}

static bool verify(void *ctx, const uint8_t public_key_[WRN_SIGN_PUBLIC_SIZE], const char *label,
                   wrn_span message, const uint8_t signature[WRN_SIGNATURE_SIZE]) {
    (void)ctx;
    uint8_t expected[WRN_SIGNATURE_SIZE];
    signature_of(public_key_, label, message, expected);
    return memcmp(expected, signature, sizeof expected) == 0;
}

static void mac(void *ctx, wrn_span key, wrn_span data, uint8_t ret_mac[WRN_MAC_SIZE]) {
    (void)ctx;
    struct mix mix = begin(7);
    add_word(&mix, key.size);
    add(&mix, key.data, key.size);
    add(&mix, data.data, data.size);
    end(&mix, ret_mac, WRN_MAC_SIZE);
}

static void hash(void *ctx, wrn_span first, wrn_span second, uint8_t ret_hash[WRN_HASH_SIZE]) {
    (void)ctx;
    struct mix mix = begin(8);
    add(&mix, first.data, first.size);
    add(&mix, second.data, second.size);
    end(&mix, ret_hash, WRN_HASH_SIZE);
}

static void hit(void *ctx, const uint8_t public_key_[WRN_SIGN_PUBLIC_SIZE],
                uint8_t ret_hit[WRN_HIT_SIZE]) {
    (void)ctx;
    uint8_t id[WRN_ID_SIZE];
    struct mix mix = begin(9);
    add(&mix, public_key_, WRN_SIGN_PUBLIC_SIZE);
    end(&mix, id, sizeof id);
    wrn_id_hit(wrn_id_load(id), ret_hit);
}

struct wrn_primitives sim_cheap_primitives(void) {
    return (struct wrn_primitives){
        .agree = agree,
        .public_key = public_key,
        .derive = derive,
        .seal = seal,
        .open = open,
        .tunnel_key = tunnel_key,
        .sign_public = sign_public,
        .sign = sign,
        .verify = verify,
        .mac = mac,
        .hash = hash,
        .hit = hit,
    };
}

/* Modulo the prime. */
static uint64_t multiply(uint64_t a, uint64_t b) {
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    uint64_t sum = (uint64_t)(product & prime) + (uint64_t)(product >> 61);
    return sum >= prime ? sum - prime : sum;
}

static uint64_t power(uint64_t base, uint64_t exponent) {
    uint64_t result = 1;
    for (; exponent != 0; exponent >>= 1) {
        if ((exponent & 1) != 0) {
            result = multiply(result, base);
        }
        base = multiply(base, base);
    }
    return result;
}

/* Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators": SplitMix64. */
static uint64_t scramble(uint64_t word) {
    word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
    return word ^ (word >> 31);
}

static struct mix begin(uint64_t purpose) {
    struct mix mix = {0};
    for (uint32_t i = 0; i < LANES; i++) {
        mix.lanes[i] = scramble(purpose * LANES + i + 1);
    }
    return mix;
}

static void add(struct mix *mix, const void *bytes, size_t size) {
    const uint8_t *next = bytes;
    mix->size += size;
    while (size > 0) {
        if (mix->rest_size == 0 && size >= WORD) {
            add_word(mix, wrn_load_le64(next));
            next += WORD;
            size -= WORD;
        } else {
            mix->rest[mix->rest_size++] = *next++;
            size--;
            if (mix->rest_size == WORD) {
                mix->rest_size = 0;
                add_word(mix, wrn_load_le64(mix->rest));
            }
        }
    }
}

/* Each word changes one lane, and the next one by it. */
static void add_word(struct mix *mix, uint64_t word) {
    uint64_t first = (mix->lanes[0] ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    mix->lanes[0] = mix->lanes[1] + (first >> 32 | first << 32);
    mix->lanes[1] = mix->lanes[2] ^ first;
    mix->lanes[2] = mix->lanes[3] + (first >> 29 | first << 35);
    mix->lanes[3] = first;
}

static void end(struct mix *mix, uint8_t *out, size_t size) {
    memset(mix->rest + mix->rest_size, 0, WORD - mix->rest_size);
    add_word(mix, wrn_load_le64(mix->rest));
    add_word(mix, mix->size);
    for (uint32_t i = 0; i < LANES; i++) {
        add_word(mix, i);
    }
    uint64_t state = mix->lanes[0] ^ mix->lanes[1] ^ mix->lanes[2] ^ mix->lanes[3];
    for (size_t i = 0; i < size; i++) {
        if (i % WORD == 0) {
            state += UINT64_C(0x9e3779b97f4a7c15);
        }
        uint64_t word = scramble(state ^ mix->lanes[i / WORD % LANES]);
        out[i] = (uint8_t)(word >> (8 * (i % WORD)));
    }
}
