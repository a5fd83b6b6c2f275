/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: two ends that are set to AES-256-GCM speak it and nothing else; ends that are set
 * differently never have a session; nobody on the way can change what is spoken.
 * Method: machines in virtual time, with a filter as the man in the middle, who knows both public
 * keys and so can make a mac1. Source: docs/protocol.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wg/limits.h"
#include "wg/machine.h"
#include "world.h"

enum { A, B, C };

static void set_cipher(struct world *w, int side, int other, enum wrn_cipher cipher) {
    wrn_wg_peer_set_cipher(w->side[side].wg, w->now, world_peer(w, side, other), cipher, &w->out);
}

static struct world *aes_world(uint64_t seed) {
    struct world *w = world_create(seed, 3, 1000);
    set_cipher(w, A, B, WRN_CIPHER_AES_256_GCM);
    set_cipher(w, B, A, WRN_CIPHER_AES_256_GCM);
    return w;
}

static int setup(void **state) {
    *state = aes_world(5);
    return 0;
}

static int teardown(void **state) {
    world_destroy(*state);
    return 0;
}

static struct wrn_wg_peer *peer_of(const struct world *w, int side) {
    return wrn_wg_peer_get(w->side[side].wg, world_peer(w, side, 1 - side));
}

static struct wrn_session *current(const struct world *w, int side) {
    struct wrn_session *session = wrn_session_get(
        &w->side[side].wg->sessions, peer_of(w, side)->sessions.at[WRN_SESSION_CURRENT]);
    assert_non_null(session);
    return session;
}

/* Makes the mac1 of a changed message right again, as anybody can. */
static void fix_mac1(struct world *w, int to, uint8_t *message, size_t size) {
    struct wrn_cookie_jar jar = {.has_cookie = false};
    wrn_cookie_add_macs(w->crypto, &jar, w->now.mono, w->side[to].public_key, message, size);
}

static bool opens(struct world *w, const struct world_datagram *data, const uint8_t key[32],
                  enum wrn_cipher cipher) {
    uint8_t out[WORLD_DATAGRAM_MAX];
    struct wrn_aead_job job = {
        .key = key,
        .cipher = cipher,
        .counter = wrn_load_le64(data->bytes + WRN_WG_COUNTER_AT),
        .in = data->bytes + WRN_WG_DATA_HEADER_SIZE,
        .out = out,
        .size = data->size - WRN_WG_KEEPALIVE_SIZE,
    };
    wrn_aead_open_batch(w->crypto, &job, 1);
    return job.ok;
}

static void both_ends_set_to_aes_speak_it(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 100, 1);
    world_send(w, B, A, 200, 2);
    assert_int_equal(w->side[A].delivered, 1);
    assert_int_equal(w->side[B].delivered, 1);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 1);
    assert_int_equal(w->side[B].sent[WRN_WG_TYPE_INITIATION], 0);
    assert_memory_equal(w->last_by_type[WRN_WG_TYPE_INITIATION].bytes, "\1\1\0\0", 4);
    assert_memory_equal(w->last_by_type[WRN_WG_TYPE_RESPONSE].bytes, "\2\1\0\0", 4);
    struct world_datagram *data = &w->last_by_type[WRN_WG_TYPE_DATA];
    assert_memory_equal(data->bytes, "\4\0\0\0", 4);
    const struct wrn_noise_keys *keys = &current(w, A)->keys;
    assert_int_equal(keys->cipher, WRN_CIPHER_AES_256_GCM);
    assert_true(opens(w, data, keys->receive, WRN_CIPHER_AES_256_GCM));
    assert_false(opens(w, data, keys->receive, WRN_CIPHER_CHACHA20_POLY1305));
    assert_int_equal(world_info(w, A, B).cipher, WRN_CIPHER_AES_256_GCM);
}

static void keepalives_too(void **state) {
    struct world *w = *state;
    wrn_wg_peer_set_keepalive(w->side[A].wg, w->now, world_peer(w, A, B), 5);
    world_advance(w, WRN_S(1));
    struct world_datagram *data = &w->last_by_type[WRN_WG_TYPE_DATA];
    assert_int_equal(data->size, WRN_WG_KEEPALIVE_SIZE);
    assert_true(opens(w, data, current(w, A)->keys.send, WRN_CIPHER_AES_256_GCM));
    assert_true(world_events(w, B, WRN_WG_EVENT_KEEPALIVE_RECEIVED) >= 1);
}

/* One interface may have peers of both kinds. */
static void other_peers_keep_their_own_suite(void **state) {
    struct world *w = *state;
    world_send(w, A, C, 64, 1);
    assert_memory_equal(w->last_by_type[WRN_WG_TYPE_INITIATION].bytes, "\1\0\0\0", 4);
    assert_memory_equal(w->last_by_type[WRN_WG_TYPE_RESPONSE].bytes, "\2\0\0\0", 4);
    assert_int_equal(w->side[C].delivered, 1);
    world_send(w, A, B, 64, 1);
    assert_int_equal(w->side[B].delivered, 1);
}

static void a_psk_counts_in_both_suites(void **state) {
    struct world *w = *state;
    static const uint8_t psk[32] = {1, 2, 3};
    wrn_wg_peer_set_psk(w->side[A].wg, world_peer(w, A, B), psk);
    world_send(w, A, B, 64, 1);
    assert_int_equal(w->side[B].delivered, 0);
    assert_int_equal(world_drops(w, A, WRN_DROP_BAD_HANDSHAKE), 1);
    wrn_wg_peer_set_psk(w->side[B].wg, world_peer(w, B, A), psk);
    world_advance(w, WRN_S(6));
    assert_int_equal(w->side[B].delivered, 1);
}

static void renewals_and_crossings_lose_nothing(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct world *w = aes_world(seed);
        uint64_t stamp = 1;
        w->delay_ns = WRN_MS(30);
        w->jitter_ns = seed % 2 == 0 ? 0 : WRN_MS(20);
        w->hold = seed % 3 == 0; /* begin with a crossing */
        world_send(w, A, B, 64, stamp);
        world_send(w, B, A, 64, stamp++);
        w->hold = false;
        for (int i = 0; i < 2500; i++) { /* 500 s: four renewals */
            world_advance(w, WRN_MS(200));
            world_send(w, A, B, 64, stamp);
            world_send(w, B, A, 64, stamp++);
            w->event_count = 0;
        }
        world_advance(w, WRN_S(1));
        assert_int_equal(w->side[A].delivered, stamp - 1);
        assert_int_equal(w->side[B].delivered, stamp - 1);
        assert_int_equal(current(w, A)->keys.cipher, WRN_CIPHER_AES_256_GCM);
        assert_int_equal(current(w, B)->keys.cipher, WRN_CIPHER_AES_256_GCM);
        assert_true(w->side[A].sent[WRN_WG_TYPE_INITIATION] +
                        w->side[B].sent[WRN_WG_TYPE_INITIATION] <=
                    11);
        world_destroy(w);
    }
}

static void a_peer_roams_with_an_authentic_packet(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    w->hold = true;
    world_send(w, A, B, 64, 2);
    w->flight_count = 0;
    struct world_datagram data = w->last_by_type[WRN_WG_TYPE_DATA];
    struct wrn_path elsewhere = {.remote = w->side[C].endpoint};
    assert_int_equal(world_inject(w, B, &elsewhere, data.bytes, data.size), WRN_DROP_NONE);
    struct wrn_wg_peer_info info = world_info(w, B, A);
    assert_true(wrn_endpoint_equal(&info.endpoint, &w->side[C].endpoint));
}

/* Cookie replies have no suite; mac2 covers the suite byte like any other. */
static void a_machine_under_load_gets_its_cookies(void **state) {
    (void)state;
    struct world *w = world_create(4, 3, 1);
    set_cipher(w, A, B, WRN_CIPHER_AES_256_GCM);
    set_cipher(w, B, A, WRN_CIPHER_AES_256_GCM);
    world_send(w, C, B, 64, 1); /* takes what is free */
    w->side[B].wg->load_until = wrn_mono_add(w->now.mono, WRN_S(60));
    world_send(w, A, B, 64, 1);
    assert_true(w->side[B].sent[WRN_WG_TYPE_COOKIE] >= 1);
    assert_memory_equal(w->last_by_type[WRN_WG_TYPE_COOKIE].bytes, "\3\0\0\0", 4);
    world_advance(w, WRN_S(6));
    struct world_datagram *init = &w->last_by_type[WRN_WG_TYPE_INITIATION];
    assert_false(wrn_is_zero_secret(init->bytes + 132, 16));
    assert_int_equal(w->side[B].delivered, 2);
    world_destroy(w);
}

/* Neither side answers the other, however long they try, and no data message leaves. */
static void ends_set_differently_never_have_a_session(void **state) {
    (void)state;
    for (int aes = A; aes <= B; aes++) {
        struct world *w = world_create(6, 2, 1000);
        set_cipher(w, aes, 1 - aes, WRN_CIPHER_AES_256_GCM);
        for (uint64_t i = 0; i < 200; i++) {
            world_send(w, A, B, 64, i);
            world_send(w, B, A, 64, i);
            world_advance(w, WRN_S(1));
        }
        for (int side = A; side <= B; side++) {
            assert_int_equal(w->side[side].delivered, 0);
            assert_true(w->side[side].sent[WRN_WG_TYPE_INITIATION] >= 30);
            assert_int_equal(w->side[side].sent[WRN_WG_TYPE_RESPONSE], 0);
            assert_int_equal(w->side[side].sent[WRN_WG_TYPE_DATA], 0);
            assert_int_equal(world_drops(w, side, WRN_DROP_WRONG_SUITE),
                             w->side[1 - side].sent[WRN_WG_TYPE_INITIATION]);
            assert_int_equal(world_events(w, side, WRN_WG_EVENT_SESSION_STARTED), 0);
            assert_int_equal(world_events(w, side, WRN_WG_EVENT_INITIATION_RECEIVED), 0);
            assert_in_range(world_events(w, side, WRN_WG_EVENT_WRONG_SUITE), 2, 3);
            assert_true(world_info(w, side, 1 - side).rx_bytes == 0);
        }
        /* Only the end that speaks the less known suite asks whether the other one does. */
        assert_in_range(world_events(w, aes, WRN_WG_EVENT_INITIATION_UNANSWERED), 1, 3);
        assert_int_equal(world_events(w, 1 - aes, WRN_WG_EVENT_INITIATION_UNANSWERED), 0);
        world_destroy(w);
    }
}

/* The man in the middle: what he does to the suite byte of one type, and whether he makes the mac1
 * fit. */
static struct {
    uint8_t type;
    uint8_t suite;
    bool fixes_mac1;
} middle;

static bool change_suite(struct world *w, struct world_datagram *d) {
    if (d->bytes[0] == middle.type) {
        d->bytes[WRN_WG_SUITE_AT] = middle.suite;
        if (middle.fixes_mac1) {
            fix_mac1(w, 1 - d->from, d->bytes, d->size);
        }
    }
    return true;
}

static void a_stripped_or_added_suite_byte_is_noticed(void **state) {
    (void)state;
    static const struct {
        enum wrn_cipher cipher;
        uint8_t type, suite;
        bool fixes_mac1;
        int notices;
        enum wrn_drop drop;
    } table[] = {
        {WRN_CIPHER_AES_256_GCM, WRN_WG_TYPE_INITIATION, 0, false, B, WRN_DROP_BAD_MAC1},
        {WRN_CIPHER_AES_256_GCM, WRN_WG_TYPE_INITIATION, 0, true, B, WRN_DROP_BAD_HANDSHAKE},
        {WRN_CIPHER_AES_256_GCM, WRN_WG_TYPE_INITIATION, 2, false, B, WRN_DROP_BAD_MAC1},
        {WRN_CIPHER_AES_256_GCM, WRN_WG_TYPE_INITIATION, 2, true, B, WRN_DROP_UNKNOWN_SUITE},
        {WRN_CIPHER_AES_256_GCM, WRN_WG_TYPE_INITIATION, 255, true, B, WRN_DROP_UNKNOWN_SUITE},
        {WRN_CIPHER_AES_256_GCM, WRN_WG_TYPE_RESPONSE, 0, false, A, WRN_DROP_BAD_MAC1},
        {WRN_CIPHER_AES_256_GCM, WRN_WG_TYPE_RESPONSE, 0, true, A, WRN_DROP_WRONG_SUITE},
        {WRN_CIPHER_AES_256_GCM, WRN_WG_TYPE_RESPONSE, 2, true, A, WRN_DROP_UNKNOWN_SUITE},
        {WRN_CIPHER_CHACHA20_POLY1305, WRN_WG_TYPE_INITIATION, 1, false, B, WRN_DROP_BAD_MAC1},
        {WRN_CIPHER_CHACHA20_POLY1305, WRN_WG_TYPE_INITIATION, 1, true, B, WRN_DROP_BAD_HANDSHAKE},
        {WRN_CIPHER_CHACHA20_POLY1305, WRN_WG_TYPE_RESPONSE, 1, false, A, WRN_DROP_BAD_MAC1},
        {WRN_CIPHER_CHACHA20_POLY1305, WRN_WG_TYPE_RESPONSE, 1, true, A, WRN_DROP_WRONG_SUITE},
    };
    for (size_t i = 0; i < WRN_COUNT(table); i++) {
        struct world *w = world_create(i, 2, 1000);
        set_cipher(w, A, B, table[i].cipher);
        set_cipher(w, B, A, table[i].cipher);
        middle.type = table[i].type;
        middle.suite = table[i].suite;
        middle.fixes_mac1 = table[i].fixes_mac1;
        w->filter = change_suite;
        world_send(w, A, B, 64, 1);
        assert_int_equal(world_drops(w, table[i].notices, table[i].drop), 1);
        assert_int_equal(w->side[A].sent[WRN_WG_TYPE_DATA], 0);
        assert_int_equal(world_events(w, B, WRN_WG_EVENT_WRONG_SUITE),
                         0); /* it was not A's doing */
        w->filter = NULL;    /* he goes: nothing is spoilt for good */
        world_advance(w, WRN_S(6));
        assert_int_equal(w->side[B].delivered, 1);
        assert_int_equal(current(w, A)->keys.cipher, table[i].cipher);
        world_destroy(w);
    }
}

/* A changed response that comes first does not take the place of the right one. */
static void a_changed_response_does_not_spoil_the_handshake(void **state) {
    struct world *w = *state;
    struct wrn_path path = {.remote = w->side[B].endpoint};
    w->hold = true;
    world_send(w, A, B, 64, 1);
    struct wrn_path from_a = {.remote = w->side[A].endpoint};
    struct world_datagram init = w->last_by_type[WRN_WG_TYPE_INITIATION];
    assert_int_equal(world_inject(w, B, &from_a, init.bytes, init.size), WRN_DROP_NONE);
    struct world_datagram right = w->last_by_type[WRN_WG_TYPE_RESPONSE];
    struct world_datagram changed = right;
    changed.bytes[WRN_WG_SUITE_AT] = 0;
    fix_mac1(w, A, changed.bytes, changed.size);
    assert_int_equal(world_inject(w, A, &path, changed.bytes, changed.size), WRN_DROP_WRONG_SUITE);
    assert_int_equal(world_inject(w, A, &path, right.bytes, right.size), WRN_DROP_NONE);
    assert_int_equal(world_events(w, A, WRN_WG_EVENT_SESSION_STARTED), 1);
}

static void only_handshakes_have_a_suite_byte(void **state) {
    struct world *w = *state;
    struct wrn_path path = {.remote = w->side[A].endpoint};
    world_send(w, A, B, 64, 1);
    for (int type = 0; type <= 5; type++) {
        for (int byte = 1; byte <= 3; byte++) {
            uint8_t bytes[WRN_WG_INITIATION_SIZE] = {(uint8_t)type};
            bytes[byte] = 1;
            bool has_suite = byte == WRN_WG_SUITE_AT &&
                             (type == WRN_WG_TYPE_INITIATION || type == WRN_WG_TYPE_RESPONSE);
            size_t size = type == WRN_WG_TYPE_RESPONSE ? WRN_WG_RESPONSE_SIZE
                          : type == WRN_WG_TYPE_COOKIE ? WRN_WG_COOKIE_SIZE
                                                       : WRN_WG_INITIATION_SIZE;
            assert_int_equal(world_inject(w, B, &path, bytes, size),
                             has_suite ? WRN_DROP_BAD_MAC1 : WRN_DROP_BAD_TYPE);
        }
    }
    struct world_datagram data = w->last_by_type[WRN_WG_TYPE_DATA];
    data.bytes[WRN_WG_SUITE_AT] = 1;
    assert_int_equal(world_inject(w, B, &path, data.bytes, data.size), WRN_DROP_BAD_TYPE);
}

/* Even the right key is of no use with the other cipher. */
static void data_of_the_wrong_cipher_is_forged(void **state) {
    struct world *w = *state;
    struct wrn_path path = {.remote = w->side[A].endpoint};
    world_send(w, A, B, 64, 1);
    struct wrn_session *session = current(w, A);
    uint8_t bytes[WRN_WG_KEEPALIVE_SIZE] = {WRN_WG_TYPE_DATA};
    wrn_store_le32(bytes + WRN_WG_RECEIVER_AT, session->remote_index);
    for (int i = 0; i < WRN_CIPHERS; i++) {
        struct wrn_aead_job job = {
            .key = session->keys.send,
            .cipher = (enum wrn_cipher)i,
            .counter = 40,
            .in = bytes + WRN_WG_DATA_HEADER_SIZE,
            .out = bytes + WRN_WG_DATA_HEADER_SIZE,
        };
        wrn_store_le64(bytes + WRN_WG_COUNTER_AT, job.counter);
        wrn_aead_seal_batch(w->crypto, &job, 1);
        assert_int_equal(world_inject(w, B, &path, bytes, sizeof bytes),
                         i == WRN_CIPHER_AES_256_GCM ? WRN_DROP_NONE : WRN_DROP_BAD_TAG);
    }
}

/* Messages of the time before a change mean nothing after it; what waits goes out afterwards. */
static void a_change_forgets_sessions_and_handshakes_of_the_other_suite(void **state) {
    struct world *w = *state;
    struct wrn_path from_a = {.remote = w->side[A].endpoint};
    struct wrn_path from_b = {.remote = w->side[B].endpoint};
    world_send(w, A, B, 64, 1);
    struct world_datagram old_init = w->last_by_type[WRN_WG_TYPE_INITIATION];
    w->hold = true;
    world_send(w, A, B, 64, 2);
    struct world_datagram old_data = w->last_by_type[WRN_WG_TYPE_DATA];
    w->flight_count = 0;
    set_cipher(w, B, A, WRN_CIPHER_AES_256_GCM); /* no change at all */
    assert_int_equal(current(w, B)->keys.cipher, WRN_CIPHER_AES_256_GCM);
    set_cipher(w, B, A, WRN_CIPHER_CHACHA20_POLY1305);
    assert_int_equal(world_inject(w, B, &from_a, old_data.bytes, old_data.size),
                     WRN_DROP_NO_SESSION);
    assert_int_equal(world_inject(w, B, &from_a, old_init.bytes, old_init.size),
                     WRN_DROP_REPLAYED_HANDSHAKE);

    /* A's own handshake is under way when A changes too: its response comes too late. */
    world_advance(w, WRN_S(200));
    w->flight_count = 0;
    world_send(w, A, B, 64, 3);
    struct world_datagram init = w->last_by_type[WRN_WG_TYPE_INITIATION];
    assert_int_equal(init.bytes[WRN_WG_SUITE_AT], 1);
    set_cipher(w, B, A, WRN_CIPHER_AES_256_GCM);
    assert_int_equal(world_inject(w, B, &from_a, init.bytes, init.size), WRN_DROP_NONE);
    struct world_datagram response = w->last_by_type[WRN_WG_TYPE_RESPONSE];
    set_cipher(w, A, B, WRN_CIPHER_CHACHA20_POLY1305);
    set_cipher(w, B, A, WRN_CIPHER_CHACHA20_POLY1305);
    assert_int_equal(world_inject(w, A, &from_b, response.bytes, response.size),
                     WRN_DROP_UNEXPECTED_RESPONSE);
    w->flight_count = 0;
    w->hold = false;
    world_advance(w, WRN_S(1)); /* B takes no two initiations at once */
    wrn_wg_peer_kick(w->side[A].wg, w->now, world_peer(w, A, B), &w->out);
    world_send(w, A, B, 64, 4);
    assert_int_equal(w->side[B].delivered, 3); /* the first, the one that waited, and this */
    assert_int_equal(w->side[B].last_stamp, 4);
    assert_int_equal(w->side[B].out_of_order, 0);
    assert_int_equal(current(w, A)->keys.cipher, WRN_CIPHER_CHACHA20_POLY1305);
    assert_int_equal(current(w, B)->keys.cipher, WRN_CIPHER_CHACHA20_POLY1305);
}

static void a_change_while_traffic_flows_costs_a_handshake(void **state) {
    struct world *w = *state;
    for (uint64_t i = 0; i < 40; i++) {
        enum wrn_cipher cipher = i % 2 == 0 ? WRN_CIPHER_AES_256_GCM : WRN_CIPHER_CHACHA20_POLY1305;
        set_cipher(w, A, B, cipher);
        set_cipher(w, B, A, cipher);
        world_send(w, A, B, 64, i);
        world_send(w, B, A, 64, i);
        world_advance(w, WRN_MS(100));
        assert_int_equal(w->side[A].delivered, i + 1);
        assert_int_equal(w->side[B].delivered, i + 1);
        assert_int_equal(current(w, A)->keys.cipher, cipher);
    }
}

static void a_change_lets_persistent_keepalives_go_on(void **state) {
    struct world *w = *state;
    wrn_wg_peer_set_keepalive(w->side[A].wg, w->now, world_peer(w, A, B), 5);
    world_advance(w, WRN_S(1));
    set_cipher(w, A, B, WRN_CIPHER_CHACHA20_POLY1305);
    set_cipher(w, B, A, WRN_CIPHER_CHACHA20_POLY1305);
    world_advance(w, WRN_S(1));
    assert_int_equal(current(w, A)->keys.cipher, WRN_CIPHER_CHACHA20_POLY1305);
}

/* Renewal begins at half of what a key bears, while the old one still works; if no renewal comes
 * through, nothing is sealed beyond the limit. */
static void keys_are_renewed_long_before_their_limit(void **state) {
    struct world *w = *state;
    struct wrn_wg_limits limits = wrn_wg_limits(WRN_CIPHER_AES_256_GCM, 1420);
    world_send(w, A, B, 64, 1);
    world_advance(w, WRN_S(6));
    current(w, A)->send_counter = limits.rekey_after - 1;
    world_send(w, A, B, 64, 2);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 1);
    world_send(w, A, B, 64, 3); /* the next one asks for new keys */
    world_send(w, A, B, 64, 4);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 2);
    assert_true(current(w, A)->send_counter < 10);
    assert_int_equal(w->side[B].delivered, 4);

    world_advance(w, WRN_S(6));
    current(w, A)->send_counter = limits.reject_after - 1;
    w->hold = true; /* the initiation does not get through for now */
    world_send(w, A, B, 64, 5);
    assert_int_equal(w->last_by_type[WRN_WG_TYPE_DATA].bytes[WRN_WG_COUNTER_AT + 3], 0x0f);
    uint64_t sent = w->side[A].sent[WRN_WG_TYPE_DATA];
    world_send(w, A, B, 64, 6);
    world_send(w, A, B, 64, 7);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_DATA], sent);
    w->hold = false;
    world_pump(w);
    assert_int_equal(w->side[B].delivered, 7);
    assert_int_equal(w->side[B].out_of_order, 0);
}

/* Packets that come together take their counters together: where those do not all exist, none is
 * used, and the packets wait for the new keys. */
static void a_batch_does_not_reach_over_the_limit(void **state) {
    struct world *w = *state;
    enum { COUNT = 4 };
    static uint8_t buffers[COUNT][WRN_WG_HEADROOM + 64 + WRN_WG_TAILROOM];
    struct wrn_wg_packet batch[COUNT];
    uint64_t limit = wrn_wg_limits(WRN_CIPHER_AES_256_GCM, 1420).reject_after;
    world_send(w, A, B, 64, 1);
    world_advance(w, WRN_S(6));
    for (uint32_t i = 0; i < COUNT; i++) {
        uint8_t *bytes = buffers[i] + WRN_WG_HEADROOM;
        memcpy(bytes, (uint8_t[]){0x45, 0, 0, 64}, 4);
        memcpy(bytes + 12, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
        wrn_store_be64(bytes + 20, 2 + i);
        batch[i] = (struct wrn_wg_packet){.bytes = bytes, .size = 64};
    }
    current(w, A)->send_counter = limit - COUNT + 1;
    wrn_wg_on_packets(w->side[A].wg, w->now, batch, COUNT, &w->out);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(batch[i].drop, WRN_DROP_NONE);
        assert_int_equal(batch[i].datagram_size, 0);
    }
    world_send(w, A, B, 64, 2 + COUNT);
    assert_int_equal(w->side[B].delivered, 2 + COUNT);
    assert_int_equal(w->side[B].out_of_order, 0);
    assert_int_equal(world_drops(w, B, WRN_DROP_SESSION_EXPIRED), 0);

    world_advance(w, WRN_S(6));
    current(w, A)->send_counter = limit - COUNT;
    wrn_wg_on_packets(w->side[A].wg, w->now, batch, COUNT, &w->out);
    for (uint32_t i = 0; i < COUNT; i++) { /* they just fit */
        assert_int_equal(wrn_load_le64(batch[i].datagram + WRN_WG_COUNTER_AT), limit - COUNT + i);
    }
}

static void a_larger_mtu_has_lower_limits(void **state) {
    struct world *w = *state;
    wrn_wg_set_mtu(w->side[A].wg, 65535);
    world_send(w, A, B, 64, 1);
    world_advance(w, WRN_S(6));
    current(w, A)->send_counter = (1 << 22) + 1;
    world_send(w, A, B, 64, 2);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 2);
    /* The receiver goes by the smallest packets: it does not know the sender's MTU. */
    world_advance(w, WRN_S(6));
    wrn_wg_set_mtu(w->side[A].wg, 1420);
    wrn_wg_set_mtu(w->side[B].wg, 65535);
    current(w, A)->send_counter = 1 << 24;
    world_send(w, A, B, 64, 3);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 2);
    assert_int_equal(w->side[B].delivered, 3);
}

/* Hands a packet of A's host for B over. Returns whether it was sealed. */
static bool seals(struct world *w, size_t size) {
    static uint8_t buffer[WRN_WG_HEADROOM + WRN_WG_PACKET_MAX + WRN_WG_TAILROOM];
    struct wrn_wg_packet packet = {.bytes = buffer + WRN_WG_HEADROOM, .size = size};
    packet.bytes[0] = 0x45;
    memcpy(packet.bytes + 16, (uint8_t[]){10, 0, 0, 2}, 4);
    wrn_wg_on_packets(w->side[A].wg, w->now, &packet, 1, &w->out);
    return packet.datagram_size > 0;
}

/* What a key has sealed stays as large as it was, whatever the MTU is later: a key never seals more
 * blocks than it bears. A packet that is larger than the MTU counts by its own size. */
static void a_lower_mtu_does_not_raise_the_limit(void **state) {
    (void)state;
    static const struct {
        uint32_t mtu;
        size_t size; /* of the first packet */
        uint32_t mtu_later;
        int limit_bits;
    } table[] = {
        {65535, 60000, 1420, 23}, {8920, 8920, 1420, 25}, {1420, 60000, 1420, 23},
        {1420, 64, 8920, 25},     {65535, 64, 1420, 28}, /* nothing large was sealed */
        {1420, 1420, 576, 28},    {576, 2049, 576, 27},
    };
    for (size_t i = 0; i < WRN_COUNT(table); i++) {
        struct world *w = aes_world(5 + i);
        uint64_t limit = UINT64_C(1) << table[i].limit_bits;
        world_send(w, A, B, 64, 1);
        struct wrn_session *session = current(w, A);
        wrn_wg_set_mtu(w->side[A].wg, table[i].mtu);
        assert_true(seals(w, table[i].size));
        wrn_wg_set_mtu(w->side[A].wg, table[i].mtu_later);
        session->send_counter = limit - 1;
        assert_true(seals(w, 64));
        assert_false(seals(w, 64));
        world_destroy(w);
    }
}

static void counters_beyond_the_limit_are_refused(void **state) {
    struct world *w = *state;
    struct wrn_path path = {.remote = w->side[A].endpoint};
    world_send(w, A, B, 64, 1);
    struct world_datagram data = w->last_by_type[WRN_WG_TYPE_DATA];
    wrn_store_le64(data.bytes + WRN_WG_COUNTER_AT, 1 << 28);
    assert_int_equal(world_inject(w, B, &path, data.bytes, data.size), WRN_DROP_SESSION_EXPIRED);
    wrn_store_le64(data.bytes + WRN_WG_COUNTER_AT, (1 << 28) - 1);
    assert_int_equal(world_inject(w, B, &path, data.bytes, data.size), WRN_DROP_BAD_TAG);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(both_ends_set_to_aes_speak_it),
        CASE(keepalives_too),
        CASE(other_peers_keep_their_own_suite),
        CASE(a_psk_counts_in_both_suites),
        cmocka_unit_test(renewals_and_crossings_lose_nothing),
        CASE(a_peer_roams_with_an_authentic_packet),
        cmocka_unit_test(a_machine_under_load_gets_its_cookies),
        cmocka_unit_test(ends_set_differently_never_have_a_session),
        cmocka_unit_test(a_stripped_or_added_suite_byte_is_noticed),
        CASE(a_changed_response_does_not_spoil_the_handshake),
        CASE(only_handshakes_have_a_suite_byte),
        CASE(data_of_the_wrong_cipher_is_forged),
        CASE(a_change_forgets_sessions_and_handshakes_of_the_other_suite),
        CASE(a_change_while_traffic_flows_costs_a_handshake),
        CASE(a_change_lets_persistent_keepalives_go_on),
        CASE(keys_are_renewed_long_before_their_limit),
        CASE(a_batch_does_not_reach_over_the_limit),
        CASE(a_larger_mtu_has_lower_limits),
        cmocka_unit_test(a_lower_mtu_does_not_raise_the_limit),
        CASE(counters_beyond_the_limit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
