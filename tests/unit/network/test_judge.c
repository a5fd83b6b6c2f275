/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a chain gives what its certificates pass on from the network's owner, from the second to
 * the second, and nothing else does: narrowed, forged, foreign and replayed ones, and ones of which
 * a certificate has been revoked. Method: chains of keys made from letters; what is said of a span
 * of time is compared with what is said in it. */
#include "network/judge.h"

#include <stdio.h>
#include <stdlib.h>

#include "overlay/record.h"
#include "unit/base/check.h"
#include "unit/network/chain.h"

static struct wrn_pack_frame frame;
static struct wrn_judge *judge;
static void *memory;
static struct wrn_rights rights;
static struct wrn_judge_verdict verdict;
static uint8_t revoked_hashes[4][WRN_SHA256_SIZE];
static size_t revoked_count;
static uint64_t revoked_version;

static const char noon[] = "2026-11-22_12:00:00";

static bool is_cancelled(void *ctx, const uint8_t *hash, const uint8_t *issuer, uint8_t *ret_by) {
    (void)ctx;
    for (size_t i = 0; i < revoked_count; i++) {
        if (memcmp(hash, revoked_hashes[i], WRN_SHA256_SIZE) == 0) {
            memcpy(ret_by, issuer, WRN_SIGN_PUBLIC_SIZE);
            return true;
        }
    }
    return false;
}

static int set_up(void **state) {
    (void)state;
    const uint64_t seed[2] = {1, 2};
    struct wrn_arena arena;
    frame = chain_frame('O');
    wrn_arena_init(&arena, NULL, 0);
    assert_null(wrn_judge_init(&arena, &frame, seed));
    size_t size = wrn_align_up(arena.used, 64);
    memory = aligned_alloc(64, size);
    assert_non_null(memory);
    memset(memory, 0, size);
    wrn_arena_init(&arena, memory, size);
    judge = wrn_judge_init(&arena, &frame, seed);
    revoked_count = 0;
    revoked_version = 1;
    chain_begin('O');
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    free(memory);
    return 0;
}

static enum wrn_reason ask(char letter, wrn_span chain, const char *date) {
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    chain_public(letter, public_key);
    const struct wrn_judge_question question = {
        .chain = chain,
        .public_key = public_key,
        .now_s = chain_date(date),
        .cancelled = {is_cancelled, NULL, revoked_version},
    };
    wrn_judge(judge, &question, &rights, &verdict);
    assert_true(question.now_s >= verdict.from_s && question.now_s < verdict.until_s);
    assert_true((verdict.reason == WRN_REASON_NONE) == (verdict.why[0] == '\0'));
    assert_true((verdict.reason == WRN_REASON_NONE) ==
                (rights.grant_count > 0 || (rights.flags & WRN_RIGHT_OWNER) != 0));
    return verdict.reason;
}

static void three_lead_to_a_member(void **state) {
    (void)state;
    chain_add('O', 'A', "(* set (admin) (invite) (member))", true, NULL, NULL);
    chain_add('A', 'B', "(* set (invite) (member))", true, "2026-01-01_00:00:00", NULL);
    chain_add('B', 'C', "(member)", false, "2026-02-01_00:00:00", "2026-12-31_23:59:59");
    wrn_span chain = chain_pack();
    uint8_t hash[WRN_SHA256_SIZE];
    assert_int_equal(ask('C', chain, noon), WRN_REASON_NONE);
    assert_int_equal(rights.flags, WRN_RIGHT_MEMBER);
    assert_int_equal(rights.not_before_s, chain_date("2026-02-01_00:00:00"));
    assert_int_equal(rights.until_s, chain_date("2027-01-01_00:00:00"));
    assert_int_equal(rights.changes_s, rights.until_s);
    assert_int_equal(rights.grant_count, 1);
    assert_int_equal(rights.grants[0], 7);
    assert_int_equal(rights.cert_count, 3);
    for (size_t i = 0; i < 3; i++) {
        chain_hash(i, hash);
        assert_memory_equal(hash, rights.certs[i].hash, sizeof hash);
    }
    assert_true(rights.any_address && rights.any_name && rights.rules.is_everything);
    assert_int_equal(wrn_judge_verified(judge), 3);
    assert_int_equal(ask('B', chain, noon), WRN_REASON_NONE);
    assert_int_equal(rights.flags, WRN_RIGHT_MEMBER | WRN_RIGHT_INVITE);
    assert_int_equal(rights.grants[0], 3);
    assert_int_equal(ask('A', chain, noon), WRN_REASON_NONE);
    assert_int_equal(rights.flags, WRN_RIGHT_MEMBER | WRN_RIGHT_INVITE | WRN_RIGHT_ADMIN);
    assert_int_equal(wrn_judge_verified(judge), 3); /* the same chain */
}

static void the_owner_needs_none(void **state) {
    (void)state;
    assert_int_equal(ask('O', (wrn_span){NULL, 0}, noon), WRN_REASON_NONE);
    assert_true((rights.flags & WRN_RIGHT_OWNER) != 0);
    assert_int_equal(verdict.until_s, WRN_RECORD_TIME_MAX_S);
    assert_int_equal(ask('A', (wrn_span){NULL, 0}, noon), WRN_REASON_NOT_ADMITTED);
    assert_string_equal(verdict.why, "It shows no certificates.");
}

static void to_the_second(void **state) {
    (void)state;
    chain_add('O', 'A', "(*)", true, "2026-11-22_10:00:00", "2026-11-22_13:00:00");
    chain_add('A', 'C', "(member)", false, "2026-11-22_11:00:00", "2026-11-22_12:30:00");
    wrn_span chain = chain_pack();
    assert_int_equal(ask('C', chain, "2026-11-22_09:59:59"), WRN_REASON_NOT_ADMITTED);
    assert_int_equal(ask('C', chain, "2026-11-22_10:59:59"), WRN_REASON_NOT_ADMITTED);
    assert_int_equal(verdict.until_s, chain_date("2026-11-22_11:00:00"));
    assert_int_equal(ask('C', chain, "2026-11-22_11:00:00"), WRN_REASON_NONE);
    assert_int_equal(rights.until_s, chain_date("2026-11-22_12:30:01"));
    assert_int_equal(ask('C', chain, "2026-11-22_12:30:00"), WRN_REASON_NONE);
    assert_int_equal(ask('C', chain, "2026-11-22_12:30:01"), WRN_REASON_EXPIRED);
    assert_int_equal(verdict.until_s, chain_date("2026-11-22_13:00:01"));
    assert_int_equal(ask('C', chain, "2026-11-22_13:00:01"), WRN_REASON_EXPIRED);
    assert_non_null(strstr(verdict.why, "2026-11-22"));
    assert_int_equal(ask('A', chain, "2026-11-22_13:00:00"), WRN_REASON_NONE);
    assert_int_equal(rights.until_s, chain_date("2026-11-22_13:00:01"));
}

static void the_longer_membership_counts(void **state) {
    (void)state;
    chain_add('O', 'C', "(member)", false, NULL, "2026-11-22_13:00:00");
    chain_add('O', 'C', "(* set (member) (relay))", false, "2026-11-22_11:00:00",
              "2026-11-22_12:30:00");
    wrn_span chain = chain_pack();
    assert_int_equal(ask('C', chain, noon), WRN_REASON_NONE);
    assert_int_equal(rights.flags, WRN_RIGHT_MEMBER | WRN_RIGHT_RELAY);
    assert_int_equal(rights.until_s, chain_date("2026-11-22_13:00:01"));
    assert_int_equal(rights.changes_s, chain_date("2026-11-22_12:30:01"));
    assert_int_equal(ask('C', chain, "2026-11-22_12:30:01"), WRN_REASON_NONE);
    assert_int_equal(rights.flags, WRN_RIGHT_MEMBER);
    assert_int_equal(ask('C', chain, "2026-11-22_10:00:00"), WRN_REASON_NONE);
    assert_int_equal(rights.changes_s, chain_date("2026-11-22_11:00:00"));
}

static void passing_on_gives_no_more_than_there_is(void **state) {
    (void)state;
    static const struct {
        const char *first, *second;
        bool may_pass_on;
        enum wrn_reason reason;
        uint8_t flags;
    } cases[] = {
        {"(* set (invite) (member))", "(*)", true, 0, WRN_RIGHT_INVITE | WRN_RIGHT_MEMBER},
        {"(* set (invite) (member))", "(admin)", true, WRN_REASON_NOT_ADMITTED, 0},
        {"(*)", "(member)", false, WRN_REASON_NOT_ADMITTED, 0},
        {"(invite (* range numeric (le '3')))", "(invite)", true, 0, 0},
        {"(relay)", "(* set (member) (relay))", true, 0, WRN_RIGHT_RELAY},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        chain_begin('O');
        chain_add('O', 'A', cases[i].first, cases[i].may_pass_on, NULL, NULL);
        chain_add('A', 'C', cases[i].second, false, NULL, NULL);
        enum wrn_reason reason = ask('C', chain_pack(), noon);
        CHECK(reason == cases[i].reason && rights.flags == cases[i].flags,
              "%s %s: %s: ", cases[i].first, cases[i].second, verdict.why);
    }
    assert_true(wrn_judge_verified(judge) > 0);
}

/* A key whose memberships are counted makes members that invite nobody; else it could make one that
 * makes others, whom nobody counts. */
static void counted_invitations_make_members_and_no_more(void **state) {
    (void)state;
    static const struct {
        const char *invitation, *first, *second; /* O gives A (invite), A gives I, I gives C or X,
                                                  * X gives C if there is a second */
        enum wrn_reason reason;
        uint8_t flags;
    } cases[] = {
        {"(* set (member) (invite (* range numeric (le '2'))))", "(member)", NULL, 0,
         WRN_RIGHT_MEMBER},
        {"(* set (member) (invite (* range numeric (le '2'))))", "(* set (member) (invite))", NULL,
         0, WRN_RIGHT_MEMBER},
        {"(* set (member) (invite '1'))", "(* set (member) (invite '1'))", NULL, 0,
         WRN_RIGHT_MEMBER},
        {"(* set (member) (invite (* range numeric (le '2'))))", "(member)", "(member)",
         WRN_REASON_NOT_ADMITTED, 0},
        {"(* set (member) (invite (* range numeric (le '2'))))", "(* set (member) (invite))",
         "(member)", WRN_REASON_NOT_ADMITTED, 0},
        {"(* set (member) (invite))", "(* set (member) (invite))", "(* set (member) (invite))", 0,
         WRN_RIGHT_MEMBER | WRN_RIGHT_INVITE},
        {"(* set (member) (invite))", "(* set (member) (invite '1'))", "(* set (member) (invite))",
         0, WRN_RIGHT_MEMBER},
        {"(* set (member) (invite (* range numeric (ge '1'))))", "(member)", "(member)",
         WRN_REASON_NOT_ADMITTED, 0}, /* 65,535 of them */
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        bool has_second = cases[i].second != NULL;
        chain_begin('O');
        chain_add('O', 'A', "(* set (member) (invite))", true, NULL, NULL);
        chain_add('A', 'I', cases[i].invitation, true, NULL, NULL);
        chain_add('I', has_second ? 'X' : 'C', cases[i].first, true, NULL, NULL);
        if (has_second) {
            chain_add('X', 'C', cases[i].second, false, NULL, NULL);
        }
        enum wrn_reason reason = ask('C', chain_pack(), noon);
        CHECK(reason == cases[i].reason && rights.flags == cases[i].flags,
              "%s %s: %u, %s: ", cases[i].invitation, cases[i].first, rights.flags, verdict.why);
    }
}

/* The holder of a part may not leave out what limits him. */
static void silence_gives_no_more_than_there_is(void **state) {
    (void)state;
    static const struct {
        const char *first, *second;
        bool any_address;
        uint8_t address_count;
    } cases[] = {
        {"(*)", "(member)", true, 0},
        {"(* set (invite) (member))", "(member)", true, 0},
        {"(* set (member) (address (ip4 (* prefix #0a#))))", "(member)", false, 0},
        {"(* set (member) (address (ip4 (* prefix #0a#))))", "(*)", false, 1},
        {"(* set (member) (address (ip4 (* prefix #0a#))))", "(* set (member) (address))", false,
         1},
        {"(* set (member) (address (ip4 (* prefix #0a#))))",
         "(* set (member) (address (ip4 (* prefix #0a01#))))", false, 1},
        {"(* set (member) (address (ip4 (* prefix #0a#))))",
         "(* set (member) (address (ip4 (* prefix #0b#))))", false, 0},
        {"(*)", "(* set (member) (address (ip4 #0a000001#)))", false, 1},
        {"(*)", "(* set (member) (address))", true, 0},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        chain_begin('O');
        chain_add('O', 'A', cases[i].first, true, NULL, NULL);
        chain_add('A', 'C', cases[i].second, false, NULL, NULL);
        assert_int_equal(ask('C', chain_pack(), noon), WRN_REASON_NONE);
        CHECK(rights.flags == WRN_RIGHT_MEMBER && rights.any_address == cases[i].any_address &&
                  rights.address_count == cases[i].address_count,
              "%s %s: ", cases[i].first, cases[i].second);
    }
}

static void each_grant_has_its_certificates(void **state) {
    (void)state;
    chain_add('O', 'A', "(*)", true, NULL, NULL);
    chain_add('A', 'C', "(* set (member) (allow tcp '80'))", false, NULL, NULL);
    chain_add('O', 'C', "(allow udp '53')", false, NULL, NULL);
    assert_int_equal(ask('C', chain_pack(), noon), WRN_REASON_NONE);
    assert_int_equal(rights.grant_count, 2);
    assert_int_equal(rights.rules.count, 2);
    uint16_t web = rights.grants[rights.rules.rules[0].element];
    uint16_t dns = rights.grants[rights.rules.rules[1].element];
    assert_true((web | dns) == 7 && (web & dns) == 0 && (web == 4 || dns == 4));
}

static void chains_of_others_are_none(void **state) {
    (void)state;
    chain_add('O', 'A', "(*)", true, NULL, NULL);
    chain_add('A', 'C', "(member)", false, NULL, NULL);
    wrn_span chain = chain_pack();
    assert_int_equal(ask('D', chain, noon), WRN_REASON_NOT_ADMITTED); /* replayed */
    chain_begin('P');                                                 /* a foreign network */
    chain_add('P', 'C', "(member)", false, NULL, NULL);
    assert_int_equal(ask('C', chain_pack(), noon), WRN_REASON_NOT_ADMITTED);
}

static void changed_bytes_are_refused(void **state) {
    (void)state;
    chain_add('O', 'A', "(* set (invite) (member))", true, NULL, NULL);
    chain_add('A', 'C', "(member)", false, "2026-01-01_00:00:00", "2026-12-31_23:59:59");
    wrn_span chain = chain_pack();
    uint8_t copy[512];
    assert_in_range(chain.size, 1, sizeof copy);
    memcpy(copy, chain.data, chain.size);
    for (size_t at = 0; at < chain.size; at++) {
        copy[at] ^= 0x40;
        CHECK(ask('C', (wrn_span){copy, chain.size}, noon) == WRN_REASON_NOT_ADMITTED,
              "byte %zu: %s: ", at, verdict.why);
        copy[at] ^= 0x40;
        assert_int_not_equal(ask('C', (wrn_span){copy, at}, noon), WRN_REASON_NONE);
    }
    assert_int_equal(ask('C', (wrn_span){copy, chain.size}, noon), WRN_REASON_NONE);
}

static void revoked_ones_give_nothing(void **state) {
    (void)state;
    chain_add('O', 'A', "(*)", true, NULL, NULL);
    chain_add('A', 'C', "(member)", false, NULL, NULL);
    chain_add('O', 'C', "(relay)", false, NULL, NULL);
    wrn_span chain = chain_pack();
    for (size_t i = 0; i < 3; i++) {
        chain_hash(i, revoked_hashes[0]);
        revoked_count = 0;
        revoked_version++;
        assert_int_equal(ask('C', chain, noon), WRN_REASON_NONE);
        assert_int_equal(rights.flags, WRN_RIGHT_MEMBER | WRN_RIGHT_RELAY);
        assert_false(verdict.has_revoked);
        revoked_count = 1;
        revoked_version++;
        assert_int_equal(ask('C', chain, noon), WRN_REASON_NONE);
        assert_int_equal(rights.flags, i == 2 ? WRN_RIGHT_MEMBER : WRN_RIGHT_RELAY);
        assert_true(verdict.has_revoked);
    }
    chain_hash(0, revoked_hashes[1]);
    revoked_count = 2;
    revoked_version++;
    enum wrn_reason reason = ask('C', chain, noon);
    CHECK(reason == WRN_REASON_EXCLUDED, "%s: ", verdict.why);
    assert_non_null(strstr(verdict.why, "revoked by"));
}

/* Each certificate costs one verification, however they stand together. */
static void each_costs_one_verification(void **state) {
    (void)state;
    char at = 'O';
    for (int level = 0; level < 3; level++) { /* 27 ways */
        char next = (char)('a' + level);
        chain_add(at, next, "(*)", true, NULL, "2026-12-31_23:59:59");
        chain_add(at, next, "(relay)", true, NULL, NULL);
        chain_add(at, next, "(member)", true, NULL, NULL);
        at = next;
    }
    wrn_span chain = chain_pack();
    assert_int_equal(ask('c', chain, noon), WRN_REASON_NONE);
    assert_int_equal(rights.flags & (WRN_RIGHT_MEMBER | WRN_RIGHT_ADMIN),
                     WRN_RIGHT_MEMBER | WRN_RIGHT_ADMIN);
    assert_int_equal(wrn_judge_verified(judge), 9);
    for (char letter = 'a'; letter < 'd'; letter++) {
        (void)ask(letter, chain, noon);
    }
    assert_int_equal(wrn_judge_verified(judge), 9);
    chain_begin('O');
    for (int i = 0; i < 10; i++) { /* round and round */
        chain_add(i == 0 ? 'O' : (char)('a' + (i - 1) % 4), (char)('a' + i % 4), "(*)", true, NULL,
                  NULL);
    }
    assert_int_equal(ask('d', chain_pack(), noon), WRN_REASON_NONE);
    assert_int_equal(wrn_judge_verified(judge), 9 + 5); /* the others are there twice */
}

static void what_is_too_long_is_not_looked_at(void **state) {
    (void)state;
    for (int count = 1; count <= 12; count++) {
        chain_begin('O');
        for (int i = 0; i < count; i++) {
            chain_add('O', 'C', i == 0 ? "(member)" : "(relay)", true, NULL, "2026-12-31_23:59:59");
        }
        wrn_span chain = chain_pack();
        uint64_t verified = wrn_judge_verified(judge);
        bool is_short = chain.size <= 1100;
        assert_int_equal(ask('C', chain, noon),
                         is_short ? WRN_REASON_NONE : WRN_REASON_NOT_ADMITTED);
        assert_true(is_short || wrn_judge_verified(judge) == verified);
    }
    assert_string_equal(verdict.why, "It shows more certificates than anybody may.");
}

static void too_many_ways_are_refused(void **state) {
    (void)state;
    chain_add('O', 'A', "(*)", true, NULL, NULL);
    for (int i = 0; i < 9; i++) {
        char element[32];
        snprintf(element, sizeof element, "('%d')", i);
        chain_add('A', 'C', element, false, NULL, NULL);
    }
    assert_int_equal(ask('C', chain_pack(), noon), WRN_REASON_NOT_ADMITTED);
    assert_string_equal(verdict.why, wrn_rights_fault_text(WRN_RIGHTS_MANY_GRANTS));
}

/* What is said to hold for a span of time is said at every moment in it. */
static void windows_hold(void **state) {
    (void)state;
    static const char *const dates[] = {"2026-11-22_00:00:10", "2026-11-22_00:00:20",
                                        "2026-11-22_00:00:30", "2026-11-22_00:00:40"};
    int64_t start_s = chain_date("2026-11-22_00:00:00");
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    chain_public('C', public_key);
    chain_add('O', 'A', "(*)", true, dates[0], dates[3]);
    chain_add('A', 'C', "(member)", false, dates[1], dates[2]);
    chain_add('A', 'C', "(relay)", false, dates[0], dates[1]);
    wrn_span chain = chain_pack();
    struct wrn_judge_verdict before = {.until_s = INT64_MIN};
    struct wrn_rights rights_before = {0};
    for (int64_t s = start_s; s < start_s + 60; s++) {
        const struct wrn_judge_question question = {chain, public_key, s, {NULL, NULL, 0}};
        wrn_judge(judge, &question, &rights, &verdict);
        if (s < before.until_s) {
            assert_int_equal(verdict.from_s, before.from_s);
            assert_int_equal(verdict.until_s, before.until_s);
            assert_int_equal(verdict.reason, before.reason);
            assert_memory_equal(&rights, &rights_before, sizeof rights);
        } else {
            assert_true(before.until_s == INT64_MIN || s == before.until_s);
        }
        before = verdict;
        rights_before = rights;
    }
    assert_int_equal(verdict.reason, WRN_REASON_EXPIRED);
}

/* The room of the judge may be used by others in between. */
static void the_room_is_lent(void **state) {
    (void)state;
    chain_add('O', 'C', "(member)", false, NULL, NULL);
    wrn_span chain = chain_pack();
    assert_int_equal(ask('C', chain, noon), WRN_REASON_NONE);
    memset(wrn_judge_room(judge), 0xff, WRN_PACK_EXPANDED_MAX);
    assert_int_equal(ask('C', chain, noon), WRN_REASON_NONE);
    assert_int_equal(wrn_judge_verified(judge), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(three_lead_to_a_member, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_owner_needs_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(to_the_second, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_longer_membership_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(passing_on_gives_no_more_than_there_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counted_invitations_make_members_and_no_more, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(silence_gives_no_more_than_there_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_grant_has_its_certificates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(chains_of_others_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changed_bytes_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(revoked_ones_give_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_costs_one_verification, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_too_long_is_not_looked_at, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_ways_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(windows_hold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_room_is_lent, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
