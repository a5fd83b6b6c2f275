/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the arithmetic of the circle, and shortcuts of the right density. Method: 128-bit integers
 * as the model; the harmonic draw is counted by octave. */
#include "overlay/id.h"
#include "unit/base/check.h"

typedef unsigned __int128 wide;

static const wide circle = (wide)1 << 96;

static wide wide_of(wrn_id id) {
    return (wide)id.high << 32 | id.low;
}

static wrn_id draw(struct wrn_rand rand) {
    wrn_id id;
    wrn_rand_fill(rand, &id.high, sizeof(id.high));
    wrn_rand_fill(rand, &id.low, sizeof(id.low));
    /* near an edge now and then */
    switch (wrn_rand_below(rand, 6)) {
    case 0:
        id.high = 0;
        break;
    case 1:
        id.high = UINT64_MAX;
        break;
    case 2:
        id.low = UINT32_MAX;
        break;
    default:
        break;
    }
    return id;
}

static void agrees_with_wide_integers(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (size_t i = 0; i < 100000; i++) {
        wrn_id a = draw(rand);
        wrn_id b = wrn_rand_below(rand, 8) == 0 ? a : draw(rand);
        wrn_id c = wrn_rand_below(rand, 8) == 0 ? b : draw(rand);
        wide x = wide_of(a), y = wide_of(b), z = wide_of(c);
        wide way = (y + circle - x) % circle, back = (x + circle - y) % circle;
        assert_true(wide_of(wrn_id_add(a, b)) == (x + y) % circle);
        assert_true(wide_of(wrn_id_subtract(b, a)) == way);
        assert_true(wide_of(wrn_id_distance(a, b)) == (way < back ? way : back));
        assert_int_equal(wrn_id_less(a, b), x < y);
        wide to_z = (z + circle - x) % circle;
        bool between = z != x && z != y && (x == y || to_z < way);
        assert_int_equal(wrn_id_is_between(a, c, b), between);
        assert_true(wide_of(wrn_id_middle(a, b)) == (x + way / 2) % circle);
        assert_false(wrn_id_is_nearer(c, a, a));
        if (x != y) {
            assert_int_equal(wrn_id_is_nearer(c, a, b), !wrn_id_is_nearer(c, b, a));
        }
        uint8_t bytes[WRN_ID_SIZE], hit[16];
        wrn_id_store(a, bytes);
        assert_true(wrn_id_equal(wrn_id_load(bytes), a));
        wrn_id_hit(a, hit);
        assert_true(wrn_id_equal(wrn_id_of_hit(hit), a));
    }
}

static void equally_near(void **state) {
    (void)state;
    wrn_id target = {7, 100}, above = {7, 105}, below = {7, 95};
    assert_true(wrn_id_is_nearer(target, above, below));
    assert_false(wrn_id_is_nearer(target, below, above));
}

static void harmonic_density(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 1);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    enum { DRAWS = 100000 };
    uint32_t octaves[96] = {0};
    for (size_t i = 0; i < DRAWS; i++) {
        octaves[wrn_id_log2(wrn_id_harmonic(1024, rand))]++;
    }
    for (size_t octave = 0; octave < 96; octave++) {
        if (octave < 86) {
            assert_int_equal(octaves[octave], 0); /* below the mean gap */
        } else if (octave < 95) {
            CHECK(octaves[octave] > 9500 && octaves[octave] < 10500, "octave %zu: ", octave);
        }
    }
    assert_true(octaves[95] > 9500 && octaves[95] < 10500);
}

static void estimates(void **state) {
    (void)state;
    assert_int_equal(wrn_id_estimate((wrn_id){(uint64_t)1 << 54, 0}, 6), 6 << 10);
    assert_int_equal(wrn_id_estimate((wrn_id){UINT64_MAX, 0}, 5), 5);
    assert_true(wrn_id_estimate((wrn_id){0, 0}, 1) == UINT64_MAX);
    assert_int_equal(wrn_ceil_log2(1), 0);
    assert_int_equal(wrn_ceil_log2(1000), 10);
    assert_int_equal(wrn_ceil_log2(1024), 10);
    assert_int_equal(wrn_ceil_log2(1025), 11);
    assert_int_equal(wrn_id_log2((wrn_id){0, 0}), 0);
    assert_int_equal(wrn_id_log2((wrn_id){1, 0}), 32);
    char text[WRN_ID_TEXT_SIZE];
    wrn_id_print((wrn_id){0x0123456789abcdef, 0x02468ace}, text);
    assert_string_equal(text, "0123456789abcdef02468ace");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_wide_integers),
        cmocka_unit_test(equally_near),
        cmocka_unit_test(harmonic_density),
        cmocka_unit_test(estimates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
