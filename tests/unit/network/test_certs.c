/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: chains are read as they were issued, one more certificate makes the chain that the judge
 * admits, and of two chains comes one that gives what both gave. Method: chains of letters, judged.
 */
#include "network/certs.h"

#include "base/bytes.h"
#include "network/judge.h"
#include "unit/base/check.h"
#include "unit/network/chain.h"

enum { CREDENTIAL_MAX = 1100 };

static struct wrn_judge *judge;
static struct wrn_rights rights;
static uint8_t bytes[4][CREDENTIAL_MAX];
static int64_t noon_s;

static int set_up(void **state) {
    struct wrn_arena arena;
    const uint64_t seed[2] = {1, 2};
    struct wrn_pack_frame frame = chain_frame('O');
    wrn_arena_init(&arena, NULL, 0);
    (void)wrn_judge_init(&arena, &frame, seed);
    size_t size = wrn_align_up(arena.used, 64);
    void *memory = aligned_alloc(64, size);
    assert_non_null(memory);
    memset(memory, 0, size);
    wrn_arena_init(&arena, memory, size);
    judge = wrn_judge_init(&arena, &frame, seed);
    *state = memory;
    noon_s = chain_date("2026-11-22_12:00:00");
    return 0;
}

static int tear_down(void **state) {
    free(*state);
    return 0;
}

static enum wrn_reason ask(char subject, wrn_span chain) {
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    struct wrn_judge_verdict verdict;
    chain_public(subject, public_key);
    const struct wrn_judge_question question = {
        .chain = chain, .public_key = public_key, .now_s = noon_s};
    wrn_judge(judge, &question, &rights, &verdict);
    return verdict.reason;
}

/* Issues to a letter, until some hours after noon. */
static wrn_span issue(char issuer, wrn_span chain, char subject, const char *element,
                      bool may_pass_on, unsigned hours, unsigned place) {
    struct wrn_pack_frame frame = chain_frame('O');
    uint8_t seed[WRN_SEED_SIZE], public_key[WRN_SIGN_PUBLIC_SIZE], hash[WRN_SHA256_SIZE];
    size_t size;
    chain_seed(issuer, seed);
    chain_public(subject, public_key);
    const struct wrn_certs_issue issue = {.seed = seed,
                                          .chain = chain,
                                          .subject = public_key,
                                          .element = chain_read(element),
                                          .may_pass_on = may_pass_on,
                                          .from_s = noon_s - 60,
                                          .until_s = noon_s + (int64_t)hours * 3600};
    assert_int_equal(
        wrn_certs_issue(&frame, &issue, bytes[place], sizeof bytes[place], &size, hash), 0);
    return (wrn_span){bytes[place], size};
}

static wrn_span merge(char subject, wrn_span first, wrn_span second, unsigned place) {
    struct wrn_pack_frame frame = chain_frame('O');
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    size_t size;
    chain_public(subject, public_key);
    assert_int_equal(wrn_certs_merge(&frame, noon_s, public_key, first, second, bytes[place],
                                     sizeof bytes[place], &size),
                     0);
    return (wrn_span){bytes[place], size};
}

static const wrn_span none = {NULL, 0};

static void issued_ones_are_admitted(void **state) {
    (void)state;
    static struct wrn_certs chain;
    struct wrn_pack_frame frame = chain_frame('O');
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    wrn_span first = issue('O', none, 'A', "(* set (invite) (member))", true, 5, 0);
    wrn_span second = issue('A', first, 'C', "(member)", false, 2, 1);
    assert_int_equal(ask('C', second), WRN_REASON_NONE);
    assert_int_equal(rights.flags, WRN_RIGHT_MEMBER);
    assert_int_equal(rights.until_s, noon_s + 2 * 3600);
    assert_true(wrn_certs_read(&frame, second, &chain));
    assert_int_equal(chain.count, 2);
    chain_public('C', public_key);
    assert_memory_equal(chain.certs[1].subject, public_key, sizeof public_key);
    assert_memory_equal(chain.certs[1].issuer, chain.certs[0].subject, sizeof public_key);
    assert_true(chain.certs[0].may_pass_on && !chain.certs[1].may_pass_on);
    assert_int_equal(chain.certs[1].from_s, noon_s - 60);
    assert_int_equal(chain.certs[1].until_s, noon_s + 2 * 3600);
    assert_true(wrn_sexp_equal(chain.certs[1].element, chain_read("(member)")));
    assert_int_equal(chain.certs[0].until_s, noon_s + 5 * 3600);
}

static void foreign_bytes_are_no_chain(void **state) {
    (void)state;
    static struct wrn_certs chain;
    struct wrn_pack_frame frame = chain_frame('O');
    wrn_span first = issue('O', none, 'A', "(member)", true, 5, 0);
    assert_true(wrn_certs_read(&frame, none, &chain));
    assert_int_equal(chain.count, 0);
    assert_false(wrn_certs_read(&frame, (wrn_span){first.data, first.size - 1}, &chain));
    assert_false(wrn_certs_read(&frame, (wrn_span){(const uint8_t *)"\1\0", 2}, &chain));
}

static void both_give_what_each_gave(void **state) {
    (void)state;
    static struct wrn_certs chain;
    struct wrn_pack_frame frame = chain_frame('O');
    wrn_span admin = issue('O', none, 'A', "(*)", true, 9, 0);
    wrn_span member = issue('A', admin, 'C', "(member)", false, 2, 1);
    wrn_span relay = issue('O', none, 'C', "(relay)", false, 2, 2);
    wrn_span both = merge('C', member, relay, 3);
    assert_int_equal(ask('C', both), WRN_REASON_NONE);
    assert_int_equal(rights.flags, WRN_RIGHT_MEMBER | WRN_RIGHT_RELAY);
    assert_true(wrn_certs_read(&frame, both, &chain));
    assert_int_equal(chain.count, 3);
}

/* A renewed membership takes the place of the old one; what has ended goes, and with it what led
 * there alone. */
static void what_is_replaced_or_over_goes(void **state) {
    (void)state;
    static struct wrn_certs chain;
    struct wrn_pack_frame frame = chain_frame('O');
    wrn_span admin = issue('O', none, 'A', "(*)", true, 9, 0);
    wrn_span old = issue('A', admin, 'C', "(member)", false, 2, 1);
    wrn_span new = issue('A', admin, 'C', "(member)", false, 4, 2);
    wrn_span both = merge('C', old, new, 3);
    assert_true(wrn_certs_read(&frame, both, &chain));
    assert_int_equal(chain.count, 2);
    assert_int_equal(ask('C', both), WRN_REASON_NONE);
    assert_int_equal(rights.until_s, noon_s + 4 * 3600);
    new = issue('O', none, 'C', "(member)", false, 6, 2);
    noon_s += 3 * 3600;
    both = merge('C', new, old, 3);
    assert_true(wrn_certs_read(&frame, both, &chain));
    assert_int_equal(chain.count, 1);
    noon_s += 4 * 3600;
    assert_int_equal(merge('C', new, old, 3).size, 0);
}

static void what_does_not_fit_is_said(void **state) {
    (void)state;
    struct wrn_pack_frame frame = chain_frame('O');
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    size_t size;
    wrn_span first = issue('O', none, 'C', "(member)", false, 2, 0);
    wrn_span second = issue('O', none, 'C', "(relay)", false, 2, 1);
    chain_public('C', public_key);
    assert_int_equal(wrn_certs_merge(&frame, noon_s, public_key, first, second, bytes[3],
                                     first.size + second.size - 10, &size),
                     -ENOBUFS);
    assert_int_equal(wrn_certs_merge(&frame, noon_s, public_key, (wrn_span){first.data, 7}, second,
                                     bytes[3], sizeof bytes[3], &size),
                     WRN_ERR_MALFORMED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(issued_ones_are_admitted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(foreign_bytes_are_no_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(both_give_what_each_gave, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_replaced_or_over_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
