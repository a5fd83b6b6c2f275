/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what comes to a port that several machines share can be told apart before it is opened: by
 * the tag in every index that a machine draws, and initiations by their mac1. */
#include "wg/receiver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wg/session.h"
#include "world.h"

enum { SIDES = 3, SIZE = 100, HANDSHAKES_PER_S = 500 };

/* Which side a datagram under way is for. */
static int addressee(const struct world *w, const struct world_datagram *datagram) {
    for (int i = 0; i < SIDES; i++) {
        if (wrn_endpoint_equal(&w->side[i].endpoint, &datagram->path.remote)) {
            return i;
        }
    }
    return -1;
}

static uint32_t tag_of(const struct world_datagram *datagram, uint32_t bits) {
    uint32_t tag = UINT32_MAX;
    enum wrn_wg_receiver receiver = wrn_wg_receiver(datagram->bytes, datagram->size, bits, &tag);
    assert_int_equal(receiver, WRN_WG_RECEIVER_TAGGED);
    return tag;
}

/* Every datagram of a lively world says whom it is for. */
static bool check_tag(struct world *w, struct world_datagram *datagram) {
    uint32_t bits = w->filter_arg;
    int to = addressee(w, datagram);
    uint32_t tag = UINT32_MAX;
    assert_true(to >= 0);
    if (datagram->bytes[0] == WRN_WG_TYPE_INITIATION) {
        wrn_span span = {datagram->bytes, datagram->size};
        assert_int_equal(wrn_wg_receiver(datagram->bytes, datagram->size, bits, &tag),
                         WRN_WG_RECEIVER_INITIATION);
        assert_int_equal(tag, UINT32_MAX);
        for (int i = 0; i < SIDES; i++) {
            assert_int_equal(wrn_wg_is_initiation_for(w->side[i].wg, w->crypto, span), i == to);
        }
    } else {
        assert_int_equal(tag_of(datagram, bits), (1u << bits) - 1 - (unsigned)to);
    }
    return true;
}

static void indices_begin_with_the_tag(void **state) {
    static const uint32_t bits[] = {2, 6, WRN_WG_INDEX_TAG_BITS_MAX};
    (void)state;
    for (size_t b = 0; b < WRN_COUNT(bits); b++) {
        /* one handshake a second without a cookie: so there are cookie replies, too */
        struct world *w = world_create_tagged(7 + b, SIDES, 1, bits[b]);
        w->filter = check_tag;
        w->filter_arg = bits[b];
        for (int round = 0; round < 20; round++) {
            for (int from = 0; from < SIDES; from++) {
                world_send(w, from, (from + 1 + round % 2) % SIDES, SIZE, 0);
            }
            world_advance(w, WRN_S(31));
        }
        for (int i = 0; i < SIDES; i++) {
            assert_true(w->side[i].delivered >= 20);
            for (int type = WRN_WG_TYPE_INITIATION; type <= WRN_WG_TYPE_DATA; type++) {
                bool was_sent = w->side[i].sent[type] > 0;
                assert_true(was_sent || type == WRN_WG_TYPE_COOKIE);
            }
        }
        assert_true(w->side[0].sent[3] + w->side[1].sent[3] + w->side[2].sent[3] > 0);
        world_destroy(w);
    }
}

/* The bits between tag and place stay random, and without a tag all of them. */
static void other_bits_are_random(void **state) {
    (void)state;
    for (uint32_t bits = 0; bits <= WRN_WG_INDEX_TAG_BITS_MAX; bits += 4) {
        struct world *w = world_create_tagged(11, 2, HANDSHAKES_PER_S, bits);
        uint32_t all_or = 0;
        uint32_t all_and = UINT32_MAX;
        for (int round = 0; round < 200; round++) {
            world_send(w, 0, 1, SIZE, 0);
            uint32_t index = wrn_load_le32(w->last_by_type[1].bytes + WRN_WG_SENDER_AT);
            all_or |= index;
            all_and &= index;
            world_advance(w, WRN_S(600)); /* keys are zeroed: the next one needs new ones */
        }
        uint32_t random = (UINT32_MAX >> bits) & ~(UINT32_MAX >> (32 - WRN_SESSION_INDEX_BITS));
        uint32_t tag = ~(UINT32_MAX >> bits);
        assert_int_equal(all_or & random, random);
        assert_int_equal(all_and & random, 0);
        assert_int_equal(all_and & tag, tag); /* of side 0: all ones */
        world_destroy(w);
    }
}

static void garbage_is_for_nobody(void **state) {
    static const struct {
        uint8_t type;
        size_t size;
        enum wrn_wg_receiver receiver;
    } cases[] = {
        {0, 32, WRN_WG_RECEIVER_NONE},
        {5, 32, WRN_WG_RECEIVER_NONE},
        {0x20, 64, WRN_WG_RECEIVER_NONE},
        {0xff, 148, WRN_WG_RECEIVER_NONE},
        {WRN_WG_TYPE_INITIATION, 7, WRN_WG_RECEIVER_NONE},
        {WRN_WG_TYPE_INITIATION, 8, WRN_WG_RECEIVER_INITIATION},
        {WRN_WG_TYPE_RESPONSE, 11, WRN_WG_RECEIVER_NONE},
        {WRN_WG_TYPE_RESPONSE, 12, WRN_WG_RECEIVER_TAGGED},
        {WRN_WG_TYPE_COOKIE, 7, WRN_WG_RECEIVER_NONE},
        {WRN_WG_TYPE_COOKIE, 8, WRN_WG_RECEIVER_TAGGED},
        {WRN_WG_TYPE_DATA, 7, WRN_WG_RECEIVER_NONE},
        {WRN_WG_TYPE_DATA, 8, WRN_WG_RECEIVER_TAGGED},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        uint8_t bytes[148] = {cases[i].type};
        uint32_t tag = 99;
        enum wrn_wg_receiver receiver = wrn_wg_receiver(bytes, cases[i].size, 6, &tag);
        assert_int_equal(receiver, cases[i].receiver);
        assert_int_equal(tag, receiver == WRN_WG_RECEIVER_TAGGED ? 0 : 99);
    }
    assert_int_equal(wrn_wg_receiver(NULL, 0, 6, &(uint32_t){0}), WRN_WG_RECEIVER_NONE);
}

static void a_changed_initiation_is_for_nobody(void **state) {
    (void)state;
    struct world *w = world_create_tagged(13, 2, HANDSHAKES_PER_S, 6);
    world_send(w, 0, 1, SIZE, 0);
    struct world_datagram *made = &w->last_by_type[WRN_WG_TYPE_INITIATION];
    struct wrn_wg *wg = w->side[1].wg;
    wrn_span span = {made->bytes, made->size};
    assert_true(wrn_wg_is_initiation_for(wg, w->crypto, span));
    /* mac1 covers all before it; mac2 behind it may be anything */
    for (size_t i = 0; i < WRN_WG_INITIATION_SIZE; i++) {
        made->bytes[i] ^= 0x10;
        bool covered = i < WRN_WG_INITIATION_SIZE - WRN_WG_MAC_SIZE;
        assert_int_equal(wrn_wg_is_initiation_for(wg, w->crypto, span), !covered);
        made->bytes[i] ^= 0x10;
    }
    for (size_t size = 0; size < WRN_WG_INITIATION_SIZE; size++) {
        assert_false(wrn_wg_is_initiation_for(wg, w->crypto, (wrn_span){made->bytes, size}));
    }
    assert_int_equal(wrn_wg_set_private_key(wg, w->now, (const uint8_t[32]){0}), 0);
    assert_false(wrn_wg_is_initiation_for(wg, w->crypto, span));
    world_destroy(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indices_begin_with_the_tag),
        cmocka_unit_test(other_bits_are_random),
        cmocka_unit_test(garbage_is_for_nobody),
        cmocka_unit_test(a_changed_initiation_is_for_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
