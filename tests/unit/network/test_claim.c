/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is held is kept, even if the ring is lost in the moment in which it was got; what is
 * not held bars nobody for long. Method: a claim whose requests the test answers. Addresses and
 * names: test_lease.c, test_names.c. */
#include "network/claim.h"
#include "unit/base/check.h"

enum { STEPS_MAX = 200 };

static struct wrn_claim claim;
static struct wrn_now now;
static struct wrn_prng prng;
static uint32_t stores, kept, held, last_tag, last_ttl_s;
static bool is_lost; /* the ring is */

static size_t candidate(void *ctx, uint32_t index, char *ret_key) {
    (void)ctx;
    memcpy(ret_key, "addr/10.1.1.1", 13);
    return index == 0 ? 13 : 0;
}

static void begin_round(void *ctx) {
    (void)ctx;
}

static size_t value(void *ctx, wrn_span key, uint8_t *ret_value) {
    (void)ctx;
    (void)key;
    ret_value[0] = 'v';
    return 1;
}

static enum wrn_reason store(void *ctx, const struct wrn_claim_request *request) {
    (void)ctx;
    stores++;
    last_ttl_s = request->ttl_s;
    if (is_lost) {
        return WRN_REASON_NOT_CONNECTED;
    }
    last_tag = request->tag;
    kept += request->keep;
    return WRN_REASON_NONE;
}

static void event(void *ctx, const struct wrn_claim_event *said) {
    (void)ctx;
    held += said->kind == WRN_CLAIM_EVENT_HELD;
    is_lost = is_lost || said->kind == WRN_CLAIM_EVENT_HELD; /* just now */
}

static void answer_with(enum wrn_reason reason) {
    struct wrn_dht_answer answer = {
        .tag = last_tag, .verb = WRN_DHT_STORE, .is_last = true, .reason = reason};
    wrn_claim_on_answer(&claim, now, &answer);
}

static void start(void) {
    static const uint8_t own[WRN_SIGN_PUBLIC_SIZE] = {1};
    static const struct wrn_primitives primitives;
    struct wrn_claim_port port = {.candidate = candidate,
                                  .round = begin_round,
                                  .value = value,
                                  .store = store,
                                  .event = event};
    wrn_prng_init(&prng, check_seed(), 0);
    stores = kept = held = 0;
    is_lost = false;
    now = (struct wrn_now){.mono = {WRN_S(100)}, .wall = {.s = 1795000000}};
    wrn_claim_init(&claim, &port, &primitives, wrn_prng_rand(&prng), own, 7);
    wrn_claim_start(&claim, now);
    assert_int_equal(stores, 1);
}

static void begin(void) {
    start();
    answer_with(WRN_REASON_NONE);
    assert_int_equal(held, 1);
    assert_int_equal(stores, 2); /* that was refused at once */
    assert_int_equal(kept, 0);
}

static void what_could_not_be_kept_is_soon(void **state) {
    (void)state;
    begin();
    is_lost = false;
    now.mono = wrn_mono_add(now.mono, WRN_S(2));
    assert_true(wrn_mono_reached(now.mono, wrn_claim_due(&claim)));
    wrn_claim_on_time(&claim, now);
    assert_int_equal(kept, 1);
}

static void what_could_not_be_kept_is_when_the_ring_is_found(void **state) {
    (void)state;
    begin();
    for (uint32_t i = 0; i < STEPS_MAX; i++) { /* it is lost for long: seldomer each time */
        now.mono = wrn_mono_add(now.mono, WRN_S(1));
        wrn_claim_on_time(&claim, now);
    }
    assert_true(stores < 14);
    is_lost = false;
    wrn_claim_on_connected(&claim, now);
    wrn_claim_on_time(&claim, now);
    assert_int_equal(kept, 1);
    assert_int_equal(held, 1);
}

/* One holder may have taken what another one refused: that must not bar the key's owner. */
static void what_is_on_trial_ends_soon(void **state) {
    (void)state;
    start();
    assert_int_equal(last_ttl_s, WRN_CLAIM_TRIAL_S);
    answer_with(WRN_REASON_NONE);
    assert_int_equal(held, 1);
    assert_int_equal(last_ttl_s, WRN_CLAIM_TTL_S);
    is_lost = false;
    wrn_claim_stop(&claim, now, true);
    assert_int_equal(last_ttl_s, WRN_CLAIM_TTL_S); /* a DELETE */
}

/* What is made by such a clock has ended already if it lives for minutes. */
static void a_clock_that_is_behind_does_not_matter(void **state) {
    (void)state;
    start();
    answer_with(WRN_REASON_EXPIRED);
    assert_int_equal(stores, 2);
    assert_int_equal(last_ttl_s, WRN_CLAIM_TTL_S);
    answer_with(WRN_REASON_NONE);
    assert_int_equal(held, 1);
    is_lost = false;
    start(); /* far behind: it waits, as before */
    answer_with(WRN_REASON_EXPIRED);
    answer_with(WRN_REASON_EXPIRED);
    assert_int_equal(stores, 2);
    assert_int_equal(claim.state, WRN_CLAIM_WAITING);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_could_not_be_kept_is_soon),
        cmocka_unit_test(what_could_not_be_kept_is_when_the_ring_is_found),
        cmocka_unit_test(what_is_on_trial_ends_soon),
        cmocka_unit_test(a_clock_that_is_behind_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
