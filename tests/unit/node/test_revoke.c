/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: taking rights back takes what it should, whatever the member shows, and nothing else.
 * Method: whole nodes in virtual time; the owner gives, the member shows more than it was given. */
#include "node/authority.h"

#include <stdio.h>

#include "network/certs.h"
#include "unit/node/hosts.h"

enum { ALICE, CAROL, DAY_S = 86400, ELEMENT_SIZE = 900 };

static uint32_t numbers[2];
static char why[WRN_JUDGE_WHY_SIZE];

static bool carol_passes(void) {
    struct wrn_node_peer_info info;
    return hosts_peer(ALICE, numbers[ALICE], CAROL, &info) && info.rights != 0 && !info.is_waiting;
}

static void begin(void) {
    assert_int_equal(hosts_add('a'), ALICE);
    assert_int_equal(hosts_add('c'), CAROL);
    numbers[ALICE] = hosts_create(ALICE, "lab", "10.77.0.0/24");
    numbers[CAROL] =
        hosts_join(CAROL, ALICE, numbers[ALICE], "(member)", hosts_now.wall.s + 100 * DAY_S);
    hosts_until(carol_passes, 60, "she is in");
    hosts_run(10000);
}

/* Gives her rights and so many rules of packets, which makes the certificate longer. */
static void give(const char *rights, uint32_t first_port, uint32_t rules) {
    char element[ELEMENT_SIZE];
    uint8_t subject[WRN_SIGN_PUBLIC_SIZE], hash[WRN_SHA256_SIZE];
    int at = snprintf(element, sizeof element, "(1:*3:set(6:member)%s", rights);
    for (uint32_t i = 0; i < rules; i++) {
        at += snprintf(element + at, sizeof element - (size_t)at, "(5:allow3:tcp5:%05u)",
                       first_port + i);
    }
    at += snprintf(element + at, sizeof element - (size_t)at, ")");
    assert_in_range(at, 1, sizeof element - 1);
    hosts_public(hosts[CAROL].letter, subject);
    hosts_before();
    assert_int_equal(wrn_node_grant(hosts[ALICE].node, hosts_now,
                                    hosts[ALICE].networks[numbers[ALICE]], subject,
                                    (wrn_span){(const uint8_t *)element, (size_t)at}, false,
                                    hosts_now.wall.s + 400 * DAY_S, hosts_out, hash, why),
                     WRN_REASON_NONE);
    hosts_perform(ALICE);
}

static enum wrn_reason take_back(enum wrn_node_revoke_what what, uint32_t *ret_count) {
    uint8_t subject[WRN_SIGN_PUBLIC_SIZE];
    hosts_public(hosts[CAROL].letter, subject);
    hosts_before();
    enum wrn_reason reason =
        wrn_node_revoke(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[numbers[ALICE]], what,
                        subject, (wrn_span){NULL, 0}, hosts_out, ret_count, why);
    hosts_perform(ALICE);
    return reason;
}

/* The chain that she has now, borrowed until the next call. */
static wrn_span chain_of_carol(struct wrn_state *state) {
    static uint8_t saved[WRN_STATE_MAX];
    size_t size = wrn_node_save(hosts[CAROL].node, hosts[CAROL].networks[numbers[CAROL]], saved,
                                sizeof saved);
    assert_int_equal(wrn_state_read((wrn_span){saved, size}, state), WRN_STATE_OK);
    return state->chain;
}

/* What she was given first and what she was given last are too much for one chain: she kept the
 * last one alone. When it is taken back, what the owner still knows of the first ones does not make
 * her a member; and what makes her one is too much beside the last one again. */
static void demote(uint32_t first_rules, uint32_t last_rules) {
    static struct wrn_state carols;
    struct wrn_certs certs;
    uint32_t count = 0;
    begin();
    give("(5:relay)", 20000, first_rules);
    hosts_run(30000);
    give("(5:relay)(5:admin)", 10000, last_rules);
    hosts_run(30000);
    wrn_span chain = chain_of_carol(&carols);
    struct wrn_pack_frame frame = wrn_descriptor_frame(&carols.descriptor);
    assert_true(wrn_certs_read(&frame, chain, &certs));
    assert_int_equal(certs.count, 1);
    assert_int_equal(take_back(WRN_NODE_REVOKE_EXTRA, &count), WRN_REASON_NONE);
    hosts_until(carol_passes, 600, "she is let in as a member"); /* who asks in vain waits */
    assert_int_equal(hosts_info(CAROL, numbers[CAROL]).rights, WRN_RIGHT_MEMBER);
}

static void who_is_demoted_stays_a_member(void **state) {
    (void)state;
    demote(28, 8);
}

static void who_is_demoted_with_many_rules_stays_a_member(void **state) {
    (void)state;
    demote(24, 24);
}

/* Before each thing that she is given she shows other certificates about herself, which she made
 * herself: they neither fill the list of what is revoked, nor keep anything out of it. */
static void inventions_hide_nothing(void **state) {
    enum { ROUNDS = 12 };
    (void)state;
    static struct wrn_state carols;
    static uint8_t rooms[2][WRN_CREDENTIAL_MAX], saved[WRN_STATE_MAX];
    uint8_t seed[WRN_SEED_SIZE], key[WRN_SIGN_PUBLIC_SIZE], hash[WRN_SHA256_SIZE];
    struct wrn_sexp element;
    uint32_t count = 0;
    begin();
    const wrn_span base = chain_of_carol(&carols);
    struct wrn_pack_frame frame = wrn_descriptor_frame(&carols.descriptor);
    static const uint8_t nothing[] = {'(', '1', ':', 'x', ')'};
    assert_int_equal(wrn_sexp_check((wrn_span){nothing, sizeof nothing}, &element, NULL), 0);
    memset(seed, 'c', sizeof seed);
    hosts_public('c', key);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        wrn_span chain = base;
        for (uint32_t junk = 0;; junk++) {
            struct wrn_certs_issue issue = {.seed = seed,
                                            .chain = chain,
                                            .subject = key,
                                            .element = element,
                                            .until_s = hosts_now.wall.s + 1000 * DAY_S +
                                                       100 * round + junk};
            size_t size = 0;
            if (wrn_certs_issue(&frame, &issue, rooms[junk % 2], WRN_CREDENTIAL_MAX, &size, hash)) {
                assert_true(junk > 2);
                break;
            }
            chain = (wrn_span){rooms[junk % 2], size};
        }
        struct wrn_state shown = carols;
        shown.chain = chain;
        size_t size = wrn_state_write(&shown, saved, sizeof saved);
        assert_true(size > 0);
        hosts_stop(CAROL);
        hosts_start_again(CAROL);
        numbers[CAROL] = hosts_load(CAROL, (wrn_span){saved, size});
        hosts_until(carol_passes, 90, "she is let in");
        give("", 20000 + round, 1);
        hosts_run(2000);
    }
    assert_int_equal(take_back(WRN_NODE_REVOKE_MEMBER, &count), WRN_REASON_NONE);
    assert_int_equal(count, ROUNDS + 1);
    hosts_run(5000);
    assert_false(carol_passes());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_is_demoted_stays_a_member, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(who_is_demoted_with_many_rules_stays_a_member, hosts_begin,
                                        hosts_end),
        cmocka_unit_test_setup_teardown(inventions_hide_nothing, hosts_begin, hosts_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
