/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: handshake messages, keys, MACs and cookies are right to the byte.
 * Method: transcripts made by an independent implementation (tests/vectors/handshake.txt) are
 * written and read by ours with the same ephemeral keys; then every byte is damaged once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "transcript.h"
#include "wg/cookie.h"
#include "wg/noise.h"

static const char *const sections[] = {"no-psk",     "psk",     "cookie",
                                       "aes-no-psk", "aes-psk", "aes-cookie"};

static struct wrn_crypto *crypto;

struct transcript {
    enum wrn_cipher cipher;
    struct wrn_noise_identity initiator, responder;
    uint8_t psk[32], static_static[32];
    uint8_t i_ephemeral[32], r_ephemeral[32];
    uint8_t i_index[4], r_index[4];
    uint8_t timestamp[12];
    uint8_t initiation[148], response[92];
};

static void get(const char *section, const char *field, void *bytes, size_t size) {
    uint8_t buffer[TRANSCRIPT_FIELD_MAX];
    assert_int_equal(transcript_get(section, field, buffer), size);
    memcpy(bytes, buffer, size);
}

static struct transcript load(const char *section) {
    struct transcript t;
    t.cipher =
        strncmp(section, "aes-", 4) == 0 ? WRN_CIPHER_AES_256_GCM : WRN_CIPHER_CHACHA20_POLY1305;
    get(section, "i_static_private", t.initiator.private_key, 32);
    get(section, "i_static_public", t.initiator.public_key, 32);
    get(section, "r_static_private", t.responder.private_key, 32);
    get(section, "r_static_public", t.responder.public_key, 32);
    get(section, "psk", t.psk, 32);
    get(section, "i_ephemeral_private", t.i_ephemeral, 32);
    get(section, "r_ephemeral_private", t.r_ephemeral, 32);
    get(section, "i_index", t.i_index, 4);
    get(section, "r_index", t.r_index, 4);
    get(section, "timestamp", t.timestamp, 12);
    get(section, "initiation", t.initiation, 148);
    get(section, "response", t.response, 92);
    assert_true(
        wrn_x25519(crypto, t.initiator.private_key, t.responder.public_key, t.static_static));
    return t;
}

static int setup(void **state) {
    (void)state;
    return wrn_crypto_create(WRN_CRYPTO_AUTO, &crypto);
}

static int teardown(void **state) {
    (void)state;
    wrn_crypto_destroy(crypto);
    return 0;
}

static void timestamps_are_tai64n_rounded_down(void **state) {
    (void)state;
    uint8_t seconds[8], ns[4], stamp[12], expected[12];
    get("psk", "timestamp_s", seconds, 8);
    get("psk", "timestamp_ns", ns, 4);
    get("psk", "timestamp", expected, 12);
    wrn_wall wall = {(int64_t)wrn_load_be64(seconds), wrn_load_be32(ns)};
    wrn_noise_timestamp(wall, stamp);
    assert_memory_equal(stamp, expected, 12);
    wall.ns += 0xffffff;
    wrn_noise_timestamp(wall, stamp);
    assert_memory_equal(stamp, expected, 12);
}

static void both_sides_agree_with_the_transcript(void **state) {
    (void)state;
    for (size_t s = 0; s < WRN_COUNT(sections); s++) {
        struct transcript t = load(sections[s]);
        struct wrn_noise_pending pending;
        struct wrn_noise_received received;
        struct wrn_noise_keys i_keys, r_keys;
        uint8_t message[148], expected[32];

        assert_true(wrn_noise_write_initiation(
            crypto, t.cipher, &t.initiator, t.responder.public_key, t.static_static, t.i_ephemeral,
            t.timestamp, wrn_load_le32(t.i_index), message, &pending));
        assert_memory_equal(message, t.initiation, 116);
        get(sections[s], "chain_initiation", expected, 32);
        assert_memory_equal(pending.transcript.chaining_key, expected, 32);
        get(sections[s], "hash_initiation", expected, 32);
        assert_memory_equal(pending.transcript.hash, expected, 32);

        assert_int_equal(wrn_noise_read_initiation(crypto, &t.responder, t.initiation, &received),
                         WRN_DROP_NONE);
        assert_memory_equal(received.remote_static, t.initiator.public_key, 32);
        assert_int_equal(
            wrn_noise_check_initiation(crypto, t.initiation, t.static_static, &received),
            WRN_DROP_NONE);
        assert_memory_equal(received.timestamp, t.timestamp, 12);
        assert_int_equal(received.remote_index, wrn_load_le32(t.i_index));

        assert_true(wrn_noise_write_response(crypto, &received, t.psk, t.r_ephemeral,
                                             wrn_load_le32(t.r_index), message, &r_keys));
        assert_memory_equal(message, t.response, 60);
        assert_int_equal(
            wrn_noise_read_response(crypto, &t.initiator, &pending, t.psk, t.response, &i_keys),
            WRN_DROP_NONE);
        get(sections[s], "key_i2r", expected, 32);
        assert_memory_equal(i_keys.send, expected, 32);
        assert_memory_equal(r_keys.receive, expected, 32);
        get(sections[s], "key_r2i", expected, 32);
        assert_memory_equal(i_keys.receive, expected, 32);
        assert_memory_equal(r_keys.send, expected, 32);
    }
}

/* Opens a data message of the transcript and seals its content again. */
static void check_data(const char *section, const char *field, enum wrn_cipher cipher,
                       const uint8_t key[32], const uint8_t index[4], const char *packet_field) {
    uint8_t message[TRANSCRIPT_FIELD_MAX], packet[TRANSCRIPT_FIELD_MAX] = {0};
    uint8_t out[TRANSCRIPT_FIELD_MAX];
    size_t size = transcript_get(section, field, message);
    size_t packet_size = packet_field == NULL ? 0 : transcript_get(section, packet_field, packet);
    assert_int_equal(size, WRN_WG_KEEPALIVE_SIZE + wrn_align_up(packet_size, WRN_WG_PADDING));
    assert_memory_equal(message, "\4\0\0\0", 4);
    assert_memory_equal(message + WRN_WG_RECEIVER_AT, index, 4);
    struct wrn_aead_job job = {
        .key = key,
        .cipher = cipher,
        .counter = wrn_load_le64(message + WRN_WG_COUNTER_AT),
        .in = message + WRN_WG_DATA_HEADER_SIZE,
        .out = out,
        .size = size - WRN_WG_KEEPALIVE_SIZE,
    };
    wrn_aead_open_batch(crypto, &job, 1);
    assert_true(job.ok);
    assert_memory_equal(out, packet, job.size); /* the padding is zero */
    job.in = out;
    wrn_aead_seal_batch(crypto, &job, 1);
    assert_memory_equal(out, message + WRN_WG_DATA_HEADER_SIZE, job.size + WRN_WG_TAG_SIZE);
}

static void data_messages_agree_with_the_transcript(void **state) {
    (void)state;
    for (size_t s = 0; s < WRN_COUNT(sections); s++) {
        struct transcript t = load(sections[s]);
        uint8_t i2r[32], r2i[32];
        get(sections[s], "key_i2r", i2r, 32);
        get(sections[s], "key_r2i", r2i, 32);
        check_data(sections[s], "data_i2r", t.cipher, i2r, t.r_index, "packet_i2r");
        check_data(sections[s], "keepalive_i2r", t.cipher, i2r, t.r_index, NULL);
        check_data(sections[s], "late_i2r", t.cipher, i2r, t.r_index, NULL);
        check_data(sections[s], "data_r2i", t.cipher, r2i, t.i_index, "packet_r2i");
    }
}

static void check_macs_and_cookies(const char *section) {
    struct transcript t = load(section);
    struct wrn_cookie_checker checker;
    struct wrn_cookie_jar jar = {.has_cookie = false};
    struct wrn_prng prng;
    uint8_t refused[148], reply[64], source[6], message[148];
    struct wrn_endpoint from = {.ip = {.family = WRN_FAMILY_IPV4}};
    wrn_mono now = {WRN_S(1)};

    wrn_prng_init(&prng, 1, 1);
    get(section, "refused_initiation", refused, 148);
    get(section, "source", source, 6);
    memcpy(from.ip.bytes, source, 4);
    from.port = wrn_load_be16(source + 4);
    wrn_cookie_checker_set_key(crypto, &checker, t.responder.public_key);
    get(section, "cookie_secret", checker.secret, 32);
    checker.secret_born = now;
    checker.has_secret = true;

    assert_true(wrn_cookie_check_mac1(crypto, checker.mac1_key, refused, 148));
    assert_false(
        wrn_cookie_check_mac2(crypto, &checker, now, wrn_prng_rand(&prng), &from, refused, 148));
    memcpy(message, refused, 116);
    wrn_cookie_add_macs(crypto, &jar, now, t.responder.public_key, message, 148);
    assert_memory_equal(message, refused, 148);

    get(section, "cookie_reply", reply, 64);
    assert_int_equal(wrn_cookie_read_reply(crypto, &jar, now, t.responder.public_key, reply),
                     WRN_DROP_NONE);
    memcpy(message, t.initiation, 116);
    wrn_cookie_add_macs(crypto, &jar, now, t.responder.public_key, message, 148);
    assert_memory_equal(message, t.initiation, 148);
    assert_true(
        wrn_cookie_check_mac2(crypto, &checker, now, wrn_prng_rand(&prng), &from, message, 148));
    from.port++;
    assert_false(
        wrn_cookie_check_mac2(crypto, &checker, now, wrn_prng_rand(&prng), &from, message, 148));
}

static void macs_and_cookies_agree_with_the_transcript(void **state) {
    (void)state;
    check_macs_and_cookies("cookie");
    check_macs_and_cookies("aes-cookie");
}

/* Our reply has a nonce of its own, so it is compared by what a jar makes of it. */
static void our_cookie_replies_are_understood_once(void **state) {
    (void)state;
    struct transcript t = load("cookie");
    struct wrn_cookie_checker checker;
    struct wrn_cookie_jar jar = {.has_cookie = false};
    struct wrn_prng prng;
    uint8_t reply[64], message[148];
    struct wrn_endpoint from = {.ip = {.family = WRN_FAMILY_IPV6, .bytes = {0xfd, 1}}, .port = 9};
    wrn_mono now = {WRN_S(1)};

    wrn_prng_init(&prng, 1, 1);
    wrn_cookie_checker_set_key(crypto, &checker, t.responder.public_key);
    memcpy(message, t.initiation, 148);
    wrn_cookie_add_macs(crypto, &jar, now, t.responder.public_key, message, 148);
    wrn_cookie_write_reply(crypto, &checker, now, wrn_prng_rand(&prng), &from, message, 148, reply);
    assert_memory_equal(reply + 4, message + 4, 4);
    reply[40] ^= 1;
    assert_int_equal(wrn_cookie_read_reply(crypto, &jar, now, t.responder.public_key, reply),
                     WRN_DROP_BAD_COOKIE);
    reply[40] ^= 1;
    assert_int_equal(wrn_cookie_read_reply(crypto, &jar, now, t.responder.public_key, reply),
                     WRN_DROP_NONE);
    assert_int_equal(wrn_cookie_read_reply(crypto, &jar, now, t.responder.public_key, reply),
                     WRN_DROP_UNEXPECTED_COOKIE);
    wrn_cookie_add_macs(crypto, &jar, now, t.responder.public_key, message, 148);
    assert_true(
        wrn_cookie_check_mac2(crypto, &checker, now, wrn_prng_rand(&prng), &from, message, 148));
    /* The secret lives two minutes; the jar stops using its cookie before that. */
    wrn_mono later = wrn_mono_add(now, WRN_WG_COOKIE_LIFE_NS);
    assert_false(
        wrn_cookie_check_mac2(crypto, &checker, later, wrn_prng_rand(&prng), &from, message, 148));
    wrn_cookie_add_macs(crypto, &jar, wrn_mono_add(now, WRN_S(115)), t.responder.public_key,
                        message, 148);
    assert_true(wrn_is_zero_secret(message + 132, 16));
}

static void damage_initiation(const char *section) {
    struct transcript t = load(section);
    for (size_t i = 8; i < 116; i++) {
        struct wrn_noise_received received;
        t.initiation[i] ^= 0x10;
        enum wrn_drop drop =
            wrn_noise_read_initiation(crypto, &t.responder, t.initiation, &received);
        if (drop == WRN_DROP_NONE) {
            drop = wrn_noise_check_initiation(crypto, t.initiation, t.static_static, &received);
        } else {
            assert_true(wrn_is_zero_secret(&received, sizeof received));
        }
        assert_int_equal(drop, WRN_DROP_BAD_HANDSHAKE);
        t.initiation[i] ^= 0x10;
    }
}

static void every_damaged_byte_of_an_initiation_is_noticed(void **state) {
    (void)state;
    damage_initiation("psk");
    damage_initiation("aes-psk");
}

static void damage_response(const char *section) {
    struct transcript t = load(section);
    struct wrn_noise_pending pending;
    struct wrn_noise_keys keys;
    uint8_t message[148];
    assert_true(wrn_noise_write_initiation(crypto, t.cipher, &t.initiator, t.responder.public_key,
                                           t.static_static, t.i_ephemeral, t.timestamp,
                                           wrn_load_le32(t.i_index), message, &pending));
    for (size_t i = WRN_WG_RESP_EPHEMERAL_AT; i < 60; i++) {
        t.response[i] ^= 0x10;
        assert_int_equal(
            wrn_noise_read_response(crypto, &t.initiator, &pending, t.psk, t.response, &keys),
            WRN_DROP_BAD_HANDSHAKE);
        assert_true(wrn_is_zero_secret(&keys, sizeof keys));
        t.response[i] ^= 0x10;
    }
    t.psk[31] ^= 1;
    assert_int_equal(
        wrn_noise_read_response(crypto, &t.initiator, &pending, t.psk, t.response, &keys),
        WRN_DROP_BAD_HANDSHAKE);
}

static void every_damaged_byte_of_a_response_is_noticed(void **state) {
    (void)state;
    damage_response("psk");
    damage_response("aes-psk");
}

/* The suite byte of a handshake message decides how it is read; any other value than the one that
 * it was written with leads nowhere, also where mac1 is not looked at. */
static void a_message_is_read_in_its_own_suite_only(void **state) {
    (void)state;
    static const struct {
        const char *section;
        uint8_t suite;
        enum wrn_drop initiation, response;
    } table[] = {
        {"psk", 0, WRN_DROP_NONE, WRN_DROP_NONE},
        {"psk", 1, WRN_DROP_BAD_HANDSHAKE, WRN_DROP_WRONG_SUITE},
        {"psk", 2, WRN_DROP_UNKNOWN_SUITE, WRN_DROP_UNKNOWN_SUITE},
        {"aes-psk", 0, WRN_DROP_BAD_HANDSHAKE, WRN_DROP_WRONG_SUITE},
        {"aes-psk", 1, WRN_DROP_NONE, WRN_DROP_NONE},
        {"aes-psk", 255, WRN_DROP_UNKNOWN_SUITE, WRN_DROP_UNKNOWN_SUITE},
    };
    for (size_t i = 0; i < WRN_COUNT(table); i++) {
        struct transcript t = load(table[i].section);
        struct wrn_noise_pending pending;
        struct wrn_noise_received received;
        struct wrn_noise_keys keys;
        uint8_t message[148];
        t.initiation[WRN_WG_SUITE_AT] = t.response[WRN_WG_SUITE_AT] = table[i].suite;
        assert_int_equal(wrn_noise_read_initiation(crypto, &t.responder, t.initiation, &received),
                         table[i].initiation);
        assert_true(wrn_noise_write_initiation(
            crypto, t.cipher, &t.initiator, t.responder.public_key, t.static_static, t.i_ephemeral,
            t.timestamp, wrn_load_le32(t.i_index), message, &pending));
        assert_int_equal(
            wrn_noise_read_response(crypto, &t.initiator, &pending, t.psk, t.response, &keys),
            table[i].response);
        if (table[i].response == WRN_DROP_NONE) {
            assert_int_equal(keys.cipher, t.cipher);
        } else {
            assert_true(wrn_is_zero_secret(&keys, sizeof keys));
        }
    }
}

static void low_order_points_are_refused(void **state) {
    (void)state;
    struct transcript t = load("psk");
    static const uint8_t zero[32];
    struct wrn_noise_pending pending;
    struct wrn_noise_received received;
    struct wrn_noise_keys keys;
    uint8_t message[148];
    assert_false(wrn_noise_write_initiation(crypto, t.cipher, &t.initiator, zero, t.static_static,
                                            t.i_ephemeral, t.timestamp, 1, message, &pending));
    assert_true(wrn_is_zero_secret(&pending, sizeof pending));
    assert_false(wrn_noise_write_initiation(crypto, t.cipher, &t.initiator, t.responder.public_key,
                                            zero, t.i_ephemeral, t.timestamp, 1, message,
                                            &pending));
    memset(t.initiation + WRN_WG_INIT_EPHEMERAL_AT, 0, 32);
    assert_int_equal(wrn_noise_read_initiation(crypto, &t.responder, t.initiation, &received),
                     WRN_DROP_BAD_HANDSHAKE);
    t = load("psk");
    assert_int_equal(wrn_noise_read_initiation(crypto, &t.responder, t.initiation, &received),
                     WRN_DROP_NONE);
    memset(received.remote_ephemeral, 0, 32);
    assert_false(
        wrn_noise_write_response(crypto, &received, t.psk, t.r_ephemeral, 1, message, &keys));
    assert_true(wrn_is_zero_secret(&keys, sizeof keys));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timestamps_are_tai64n_rounded_down),
        cmocka_unit_test(both_sides_agree_with_the_transcript),
        cmocka_unit_test(data_messages_agree_with_the_transcript),
        cmocka_unit_test(macs_and_cookies_agree_with_the_transcript),
        cmocka_unit_test(our_cookie_replies_are_understood_once),
        cmocka_unit_test(every_damaged_byte_of_an_initiation_is_noticed),
        cmocka_unit_test(every_damaged_byte_of_a_response_is_noticed),
        cmocka_unit_test(a_message_is_read_in_its_own_suite_only),
        cmocka_unit_test(low_order_points_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
