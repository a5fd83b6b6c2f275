/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the table holds what was added and not removed. Method: an array as the model, few keys so
 * that runs of probing wrap and shrink often; keys of addresses that could be mistaken. */
#include "sim/table.h"

#include "base/rand.h"
#include "unit/base/check.h"

enum { KEYS = 200 };

static void follows_the_model(void **state) {
    (void)state;
    struct sim_table table = {0};
    uint32_t model[KEYS] = {0}; /* 0: absent */
    uint32_t count = 0;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (uint32_t step = 1; step <= 50000; step++) {
        uint32_t i = wrn_rand_below(rand, KEYS);
        struct sim_key key = sim_key_of_pair(i, i / 2);
        uint32_t value = 0;
        CHECK(sim_table_find(&table, &key, &value) == (model[i] != 0), "step %u: ", step);
        CHECK(value == model[i], "step %u: ", step);
        if (wrn_rand_below(rand, 2) == 0) {
            sim_table_remove(&table, &key);
            count -= model[i] != 0;
            model[i] = 0;
        } else if (model[i] == 0) {
            sim_table_add(&table, &key, step);
            model[i] = step;
            count++;
        }
        CHECK(table.count == count, "step %u: ", step);
    }
    sim_table_finish(&table);
    struct sim_key key = sim_key_of_pair(1, 0);
    uint32_t value;
    assert_false(sim_table_find(&table, &key, &value));
}

static void keys_of_endpoints_differ(void **state) {
    (void)state;
    static const char *const texts[] = {"1.2.3.4:5",         "1.2.3.4:6",     "1.2.3.5:5",
                                        "[::1.2.3.4]:5",     "[102:304::]:5", "[102:304::2]:5",
                                        "[::1:0:102:304]:5", "0.0.0.0:5"};
    struct sim_key keys[3 * WRN_COUNT(texts)];
    size_t count = 0;
    for (size_t i = 0; i < WRN_COUNT(texts); i++) {
        struct wrn_endpoint e;
        assert_int_equal(
            wrn_endpoint_parse((wrn_span){(const uint8_t *)texts[i], strlen(texts[i])}, &e), 0);
        keys[count++] = sim_key(0, &e, NULL);
        keys[count++] = sim_key(0, NULL, &e);
        keys[count++] = sim_key(1, &e, NULL);
    }
    for (size_t a = 0; a < count; a++) {
        for (size_t b = 0; b < a; b++) {
            CHECK(memcmp(&keys[a], &keys[b], sizeof keys[a]) != 0, "keys %zu and %zu: ", a, b);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_model),
        cmocka_unit_test(keys_of_endpoints_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
