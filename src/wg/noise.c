/* SPDX-License-Identifier: Apache-2.0 */
/* The Noise_IKpsk2 handshake. Every function wipes what it derived on the way, on all paths.
 *
 *   IKpsk2:  <- s                                 the initiator knows the responder's static key
 *            -> e, es, s, ss, {timestamp}         initiation
 *            <- e, ee, se, psk, {}                response
 */
#include "wg/noise.h"

#include "base/bytes.h"

/* What sets a suite apart. The construction is the start of every transcript, so that no byte of
 * one suite's handshake means anything in the other's. */
struct suite {
    const char *cipher_name;
    const char *construction;
    uint8_t on_wire;
};

static const struct suite suites[WRN_CIPHERS] = {
    [WRN_CIPHER_CHACHA20_POLY1305] = {"chacha20-poly1305", "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s",
                                      WRN_WG_SUITE_WIREGUARD},
    [WRN_CIPHER_AES_256_GCM] = {"aes-256-gcm", "Noise_IKpsk2_25519_AESGCM_BLAKE2s",
                                WRN_WG_SUITE_AES_256_GCM},
};

static_assert((int)WRN_WG_KEY_SIZE == (int)WRN_KEY_SIZE, "one key size");
static_assert((int)WRN_WG_KEY_SIZE == (int)WRN_HASH_SIZE, "hashes are as long as keys");
static_assert((int)WRN_WG_TAG_SIZE == (int)WRN_TAG_SIZE, "one tag size");

static wrn_span span(const void *data, size_t size);
static bool read_suite(const uint8_t *message, enum wrn_cipher *ret_cipher);
static void start(struct wrn_crypto *crypto, struct wrn_noise_transcript *t, enum wrn_cipher cipher,
                  const uint8_t responder_static[WRN_WG_KEY_SIZE]);
static void mix_hash(struct wrn_crypto *crypto, struct wrn_noise_transcript *t, wrn_span data);
static void mix_key(struct wrn_crypto *crypto, struct wrn_noise_transcript *t, wrn_span input,
                    uint8_t ret_key[WRN_WG_KEY_SIZE]);
static bool mix_dh(struct wrn_crypto *crypto, struct wrn_noise_transcript *t,
                   const uint8_t private_key[WRN_WG_KEY_SIZE],
                   const uint8_t public_key[WRN_WG_KEY_SIZE], uint8_t ret_key[WRN_WG_KEY_SIZE]);
static void mix_psk(struct wrn_crypto *crypto, struct wrn_noise_transcript *t,
                    const uint8_t psk[WRN_WG_KEY_SIZE], uint8_t ret_key[WRN_WG_KEY_SIZE]);
static void seal_and_hash(struct wrn_crypto *crypto, struct wrn_noise_transcript *t,
                          const uint8_t key[WRN_WG_KEY_SIZE], wrn_span plain, uint8_t *out);
static bool open_and_hash(struct wrn_crypto *crypto, struct wrn_noise_transcript *t,
                          const uint8_t key[WRN_WG_KEY_SIZE], const uint8_t *in, size_t size,
                          uint8_t *out);

const char *wrn_noise_cipher_name(enum wrn_cipher cipher) {
    WRN_ASSERT((size_t)cipher < WRN_COUNT(suites));
    return suites[cipher].cipher_name;
}

void wrn_noise_timestamp(wrn_wall wall, uint8_t ret_stamp[WRN_WG_TIMESTAMP_SIZE]) {
    /* TAI64 labels count from 2^62 and run 10 s ahead of UTC since 1972 (leap seconds are not
     * followed: both ends only compare stamps of one sender). */
    wrn_store_be64(ret_stamp, UINT64_C(0x400000000000000a) + (uint64_t)wall.s);
    wrn_store_be32(ret_stamp + 8, wall.ns & ~UINT32_C(0xffffff));
}

bool wrn_noise_write_initiation(struct wrn_crypto *crypto, enum wrn_cipher cipher,
                                const struct wrn_noise_identity *identity,
                                const uint8_t remote_static[WRN_WG_KEY_SIZE],
                                const uint8_t static_static[WRN_WG_KEY_SIZE],
                                const uint8_t ephemeral_private[WRN_WG_KEY_SIZE],
                                const uint8_t timestamp[WRN_WG_TIMESTAMP_SIZE],
                                uint32_t local_index, uint8_t ret_message[WRN_WG_INITIATION_SIZE],
                                struct wrn_noise_pending *ret_pending) {
    struct wrn_noise_transcript *t = &ret_pending->transcript;
    uint8_t *ephemeral = ret_message + WRN_WG_INIT_EPHEMERAL_AT;
    uint8_t key[WRN_WG_KEY_SIZE];
    bool ok = false;

    memset(ret_message, 0, WRN_WG_INITIATION_SIZE);
    ret_message[0] = WRN_WG_TYPE_INITIATION;
    ret_message[WRN_WG_SUITE_AT] = suites[cipher].on_wire;
    wrn_store_le32(ret_message + WRN_WG_SENDER_AT, local_index);

    memcpy(ret_pending->ephemeral_private, ephemeral_private, WRN_WG_KEY_SIZE);
    wrn_x25519_clamp(ret_pending->ephemeral_private);
    start(crypto, t, cipher, remote_static);
    if (!wrn_x25519_public(crypto, ret_pending->ephemeral_private, ephemeral) ||
        wrn_is_zero_secret(static_static, WRN_WG_KEY_SIZE)) {
        goto done;
    }
    mix_hash(crypto, t, span(ephemeral, WRN_WG_KEY_SIZE));
    mix_key(crypto, t, span(ephemeral, WRN_WG_KEY_SIZE), NULL);
    if (!mix_dh(crypto, t, ret_pending->ephemeral_private, remote_static, key)) {
        goto done;
    }
    seal_and_hash(crypto, t, key, span(identity->public_key, WRN_WG_KEY_SIZE),
                  ret_message + WRN_WG_INIT_STATIC_AT);
    mix_key(crypto, t, span(static_static, WRN_WG_KEY_SIZE), key);
    seal_and_hash(crypto, t, key, span(timestamp, WRN_WG_TIMESTAMP_SIZE),
                  ret_message + WRN_WG_INIT_TIMESTAMP_AT);
    ok = true;
done:
    wrn_wipe(key, sizeof key);
    if (!ok) {
        wrn_wipe(ret_pending, sizeof *ret_pending);
    }
    return ok;
}

enum wrn_drop wrn_noise_read_initiation(struct wrn_crypto *crypto,
                                        const struct wrn_noise_identity *identity,
                                        const uint8_t message[WRN_WG_INITIATION_SIZE],
                                        struct wrn_noise_received *ret_received) {
    struct wrn_noise_transcript *t = &ret_received->transcript;
    uint8_t key[WRN_WG_KEY_SIZE];
    enum wrn_cipher cipher;

    memset(ret_received, 0, sizeof *ret_received);
    if (!read_suite(message, &cipher)) {
        return WRN_DROP_UNKNOWN_SUITE;
    }
    ret_received->remote_index = wrn_load_le32(message + WRN_WG_SENDER_AT);
    memcpy(ret_received->remote_ephemeral, message + WRN_WG_INIT_EPHEMERAL_AT, WRN_WG_KEY_SIZE);
    start(crypto, t, cipher, identity->public_key);
    mix_hash(crypto, t, span(ret_received->remote_ephemeral, WRN_WG_KEY_SIZE));
    mix_key(crypto, t, span(ret_received->remote_ephemeral, WRN_WG_KEY_SIZE), NULL);
    bool ok = mix_dh(crypto, t, identity->private_key, ret_received->remote_ephemeral, key) &&
              open_and_hash(crypto, t, key, message + WRN_WG_INIT_STATIC_AT, WRN_WG_KEY_SIZE,
                            ret_received->remote_static);
    wrn_wipe(key, sizeof key);
    if (!ok) {
        wrn_wipe(ret_received, sizeof *ret_received);
        return WRN_DROP_BAD_HANDSHAKE;
    }
    return WRN_DROP_NONE;
}

enum wrn_drop wrn_noise_check_initiation(struct wrn_crypto *crypto,
                                         const uint8_t message[WRN_WG_INITIATION_SIZE],
                                         const uint8_t static_static[WRN_WG_KEY_SIZE],
                                         struct wrn_noise_received *received) {
    uint8_t key[WRN_WG_KEY_SIZE];
    if (wrn_is_zero_secret(static_static, WRN_WG_KEY_SIZE)) {
        return WRN_DROP_BAD_HANDSHAKE;
    }
    mix_key(crypto, &received->transcript, span(static_static, WRN_WG_KEY_SIZE), key);
    bool ok = open_and_hash(crypto, &received->transcript, key, message + WRN_WG_INIT_TIMESTAMP_AT,
                            WRN_WG_TIMESTAMP_SIZE, received->timestamp);
    wrn_wipe(key, sizeof key);
    return ok ? WRN_DROP_NONE : WRN_DROP_BAD_HANDSHAKE;
}

bool wrn_noise_write_response(struct wrn_crypto *crypto, struct wrn_noise_received *received,
                              const uint8_t psk[WRN_WG_KEY_SIZE],
                              const uint8_t ephemeral_private[WRN_WG_KEY_SIZE],
                              uint32_t local_index, uint8_t ret_message[WRN_WG_RESPONSE_SIZE],
                              struct wrn_noise_keys *ret_keys) {
    struct wrn_noise_transcript *t = &received->transcript;
    uint8_t *ephemeral = ret_message + WRN_WG_RESP_EPHEMERAL_AT;
    uint8_t own[WRN_WG_KEY_SIZE];
    uint8_t key[WRN_WG_KEY_SIZE];

    memset(ret_message, 0, WRN_WG_RESPONSE_SIZE);
    ret_message[0] = WRN_WG_TYPE_RESPONSE;
    ret_message[WRN_WG_SUITE_AT] = suites[t->cipher].on_wire;
    wrn_store_le32(ret_message + WRN_WG_SENDER_AT, local_index);
    wrn_store_le32(ret_message + WRN_WG_RESP_RECEIVER_AT, received->remote_index);

    memcpy(own, ephemeral_private, sizeof own);
    wrn_x25519_clamp(own);
    bool ok = wrn_x25519_public(crypto, own, ephemeral);
    if (ok) {
        mix_hash(crypto, t, span(ephemeral, WRN_WG_KEY_SIZE));
        mix_key(crypto, t, span(ephemeral, WRN_WG_KEY_SIZE), NULL);
        ok = mix_dh(crypto, t, own, received->remote_ephemeral, NULL) &&
             mix_dh(crypto, t, own, received->remote_static, NULL);
    }
    if (ok) {
        mix_psk(crypto, t, psk, key);
        seal_and_hash(crypto, t, key, span(NULL, 0), ret_message + WRN_WG_RESP_EMPTY_AT);
        wrn_kdf(crypto, t->chaining_key, span(NULL, 0), ret_keys->receive, ret_keys->send, NULL);
        ret_keys->cipher = t->cipher;
    } else {
        wrn_wipe(ret_keys, sizeof *ret_keys);
    }
    wrn_wipe(own, sizeof own);
    wrn_wipe(key, sizeof key);
    return ok;
}

enum wrn_drop wrn_noise_read_response(struct wrn_crypto *crypto,
                                      const struct wrn_noise_identity *identity,
                                      const struct wrn_noise_pending *pending,
                                      const uint8_t psk[WRN_WG_KEY_SIZE],
                                      const uint8_t message[WRN_WG_RESPONSE_SIZE],
                                      struct wrn_noise_keys *ret_keys) {
    const uint8_t *ephemeral = message + WRN_WG_RESP_EPHEMERAL_AT;
    struct wrn_noise_transcript t = pending->transcript;
    uint8_t key[WRN_WG_KEY_SIZE];
    uint8_t nothing[1];
    enum wrn_cipher cipher;

    memset(ret_keys, 0, sizeof *ret_keys);
    if (!read_suite(message, &cipher)) {
        wrn_wipe(&t, sizeof t);
        return WRN_DROP_UNKNOWN_SUITE;
    }
    if (cipher != t.cipher) {
        wrn_wipe(&t, sizeof t);
        return WRN_DROP_WRONG_SUITE;
    }
    mix_hash(crypto, &t, span(ephemeral, WRN_WG_KEY_SIZE));
    mix_key(crypto, &t, span(ephemeral, WRN_WG_KEY_SIZE), NULL);
    bool ok = mix_dh(crypto, &t, pending->ephemeral_private, ephemeral, NULL) &&
              mix_dh(crypto, &t, identity->private_key, ephemeral, NULL);
    if (ok) {
        mix_psk(crypto, &t, psk, key);
        ok = open_and_hash(crypto, &t, key, message + WRN_WG_RESP_EMPTY_AT, 0, nothing);
    }
    if (ok) {
        wrn_kdf(crypto, t.chaining_key, span(NULL, 0), ret_keys->send, ret_keys->receive, NULL);
        ret_keys->cipher = t.cipher;
    }
    wrn_wipe(&t, sizeof t);
    wrn_wipe(key, sizeof key);
    return ok ? WRN_DROP_NONE : WRN_DROP_BAD_HANDSHAKE;
}

static wrn_span span(const void *data, size_t size) {
    return (wrn_span){data, size};
}

static bool read_suite(const uint8_t *message, enum wrn_cipher *ret_cipher) {
    for (size_t i = 0; i < WRN_COUNT(suites); i++) {
        if (message[WRN_WG_SUITE_AT] == suites[i].on_wire) {
            *ret_cipher = (enum wrn_cipher)i;
            return true;
        }
    }
    return false;
}

static void start(struct wrn_crypto *crypto, struct wrn_noise_transcript *t, enum wrn_cipher cipher,
                  const uint8_t responder_static[WRN_WG_KEY_SIZE]) {
    static const char identifier[] = "WireGuard v1 zx2c4 Jason@zx2c4.com";
    const char *construction = suites[cipher].construction;

    t->cipher = cipher;
    wrn_blake2s(crypto, span(construction, strlen(construction)), span(NULL, 0), t->chaining_key);
    wrn_blake2s(crypto, span(t->chaining_key, WRN_HASH_SIZE),
                span(identifier, sizeof identifier - 1), t->hash);
    mix_hash(crypto, t, span(responder_static, WRN_WG_KEY_SIZE));
}

static void mix_hash(struct wrn_crypto *crypto, struct wrn_noise_transcript *t, wrn_span data) {
    wrn_blake2s(crypto, span(t->hash, WRN_HASH_SIZE), data, t->hash);
}

static void mix_key(struct wrn_crypto *crypto, struct wrn_noise_transcript *t, wrn_span input,
                    uint8_t ret_key[WRN_WG_KEY_SIZE]) {
    wrn_kdf(crypto, t->chaining_key, input, t->chaining_key, ret_key, NULL);
}

static bool mix_dh(struct wrn_crypto *crypto, struct wrn_noise_transcript *t,
                   const uint8_t private_key[WRN_WG_KEY_SIZE],
                   const uint8_t public_key[WRN_WG_KEY_SIZE], uint8_t ret_key[WRN_WG_KEY_SIZE]) {
    uint8_t shared[WRN_WG_KEY_SIZE];
    bool ok = wrn_x25519(crypto, private_key, public_key, shared);
    if (ok) {
        mix_key(crypto, t, span(shared, sizeof shared), ret_key);
    }
    wrn_wipe(shared, sizeof shared);
    return ok;
}

static void mix_psk(struct wrn_crypto *crypto, struct wrn_noise_transcript *t,
                    const uint8_t psk[WRN_WG_KEY_SIZE], uint8_t ret_key[WRN_WG_KEY_SIZE]) {
    uint8_t binder[WRN_WG_KEY_SIZE];
    wrn_kdf(crypto, t->chaining_key, span(psk, WRN_WG_KEY_SIZE), t->chaining_key, binder, ret_key);
    mix_hash(crypto, t, span(binder, sizeof binder));
    wrn_wipe(binder, sizeof binder);
}

static void seal_and_hash(struct wrn_crypto *crypto, struct wrn_noise_transcript *t,
                          const uint8_t key[WRN_WG_KEY_SIZE], wrn_span plain, uint8_t *out) {
    struct wrn_aead_job job = {
        .key = key,
        .cipher = t->cipher,
        .aad = span(t->hash, WRN_HASH_SIZE),
        .in = plain.data,
        .out = out,
        .size = plain.size,
    };
    wrn_aead_seal_batch(crypto, &job, 1);
    mix_hash(crypto, t, span(out, plain.size + WRN_TAG_SIZE));
}

static bool open_and_hash(struct wrn_crypto *crypto, struct wrn_noise_transcript *t,
                          const uint8_t key[WRN_WG_KEY_SIZE], const uint8_t *in, size_t size,
                          uint8_t *out) {
    struct wrn_aead_job job = {
        .key = key,
        .cipher = t->cipher,
        .aad = span(t->hash, WRN_HASH_SIZE),
        .in = in,
        .out = out,
        .size = size,
    };
    wrn_aead_open_batch(crypto, &job, 1);
    mix_hash(crypto, t, span(in, size + WRN_TAG_SIZE));
    return job.ok;
}
