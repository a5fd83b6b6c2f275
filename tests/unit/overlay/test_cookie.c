/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a cookie is good at its address for two to four minutes, and nowhere else and never after.
 * Method: vectors of a second implementation, each part of an address altered, random times. */
#include "overlay/pair.h"
#include "unit/base/check.h"
#include "unit/overlay/real_primitives.h"
#include "vectors/ring.h"

static const struct wrn_endpoint here = {{{198, 51, 100, 7}, WRN_FAMILY_IPV4}, 4000, 0};

static void makes_the_cookies_of_the_vectors(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, 1, 0);
    for (size_t i = 0; i < WRN_COUNT(vector_cookie); i++) {
        struct wrn_cookies cookies = {.renewed = {WRN_S(1000)}};
        struct wrn_endpoint from = {.ip.family = (uint8_t)vector_cookie[i].family,
                                    .port = (uint16_t)vector_cookie[i].port,
                                    .scope_id = vector_cookie[i].scope};
        uint8_t cookie[WRN_COOKIE_SIZE];
        uint8_t expected[WRN_COOKIE_SIZE];
        check_pattern(cookies.secrets[0], WRN_KEY_SIZE, 33);
        check_hex(vector_cookie[i].ip, from.ip.bytes, sizeof(from.ip.bytes));
        check_hex(vector_cookie[i].cookie, expected, sizeof(expected));
        wrn_cookie_make(&cookies, &primitives, (wrn_mono){WRN_S(1001)}, wrn_prng_rand(&prng), &from,
                        cookie);
        assert_memory_equal(cookie, expected, sizeof(cookie));
    }
}

static void is_good_at_its_address_only(void **state) {
    (void)state;
    struct wrn_prng prng;
    struct wrn_cookies cookies;
    struct wrn_cookies others;
    const wrn_mono now = {WRN_S(5)};
    uint8_t cookie[WRN_COOKIE_SIZE];
    wrn_prng_init(&prng, check_seed(), 0);
    wrn_cookies_init(&cookies, now, wrn_prng_rand(&prng));
    wrn_cookies_init(&others, now, wrn_prng_rand(&prng));
    wrn_cookie_make(&cookies, &primitives, now, wrn_prng_rand(&prng), &here, cookie);
    assert_true(wrn_cookie_check(&cookies, &primitives, now, &here, cookie));
    assert_false(wrn_cookie_check(&others, &primitives, now, &here, cookie));
    for (size_t i = 0; i < sizeof(here.ip.bytes) + 4; i++) {
        struct wrn_endpoint there = here;
        there.ip.bytes[i % sizeof(here.ip.bytes)] ^= i < sizeof(here.ip.bytes);
        there.port ^= (uint16_t)(i == 16 ? 1 : i == 17 ? 256 : 0);
        there.scope_id += i == 18;
        there.ip.family = i == 19 ? WRN_FAMILY_IPV6 : WRN_FAMILY_IPV4;
        CHECK(!wrn_cookie_check(&cookies, &primitives, now, &there, cookie), "part %zu: ", i);
    }
    for (size_t bit = 0; bit < 8 * sizeof(cookie); bit++) {
        cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(wrn_cookie_check(&cookies, &primitives, now, &here, cookie));
        cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    wrn_cookies_finish(&cookies);
    assert_true(check_filled(&cookies, sizeof(cookies), 0));
}

static void lives_for_two_to_four_minutes(void **state) {
    (void)state;
    enum { MADE_MAX = 64 };
    struct {
        uint8_t cookie[WRN_COOKIE_SIZE];
        wrn_mono made;
    } made[MADE_MAX] = {0};
    struct wrn_prng prng;
    struct wrn_cookies cookies;
    wrn_mono now = {WRN_S(100)};
    size_t count = 0, refused = 0, taken_late = 0;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    wrn_cookies_init(&cookies, now, rand);
    for (size_t i = 0; i < 2000; i++) {
        /* seconds mostly, now and then a node that nobody asks for minutes */
        uint32_t wait = wrn_rand_below(rand, 10) == 0 ? 400000 : 20000;
        now = wrn_mono_add(now, WRN_MS(wrn_rand_below(rand, wait)));
        if (wrn_rand_below(rand, 2) == 0) {
            size_t at = count++ % MADE_MAX;
            made[at].made = now;
            wrn_cookie_make(&cookies, &primitives, now, rand, &here, made[at].cookie);
        }
        for (size_t at = 0; at < count && at < MADE_MAX; at++) {
            uint64_t age = wrn_mono_since(now, made[at].made);
            bool ok = wrn_cookie_check(&cookies, &primitives, now, &here, made[at].cookie);
            CHECK(ok || age >= WRN_S(120), "age %llu ms: ", (unsigned long long)age / 1000000);
            CHECK(!ok || age < WRN_S(240), "age %llu ms: ", (unsigned long long)age / 1000000);
            refused += !ok;
            taken_late += ok && age >= WRN_S(120);
        }
    }
    assert_true(refused > 100 && taken_late > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_the_cookies_of_the_vectors),
        cmocka_unit_test(is_good_at_its_address_only),
        cmocka_unit_test(lives_for_two_to_four_minutes),
    };
    return cmocka_run_group_tests(tests, real_primitives_set_up, real_primitives_tear_down);
}
