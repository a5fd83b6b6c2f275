/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: who is admitted to a network, and which records it stores: by certificates alone, to the
 * second, until they are revoked; asking again costs no verification; hostile chains cost what they
 * cost once. Method: chains of keys made from letters; a table of records for each family; the
 * cache against a machine that keeps nothing. */
#include "network/members.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rand.h"
#include "overlay/locator.h"
#include "unit/base/check.h"
#include "unit/network/chain.h"

enum { ENTRIES = 16 };

static struct wrn_crypto *crypto;
static struct wrn_primitives primitives;
static struct wrn_descriptor descriptor;
static struct wrn_judge *judge;
static struct wrn_revoked *revoked;
static struct wrn_members *members;
static void *memory;

static const char noon[] = "2026-11-22_12:00:00";

static void make(bool is_open) {
    const uint64_t seed[2] = {1, 2};
    const struct wrn_revoked_options revoked_options = {16, 4 * WRN_REVOKED_LIST_MAX};
    struct wrn_members_options options = {&descriptor, ENTRIES, {3, 4}};
    struct wrn_pack_frame frame = chain_frame('O');
    struct wrn_arena arena;
    size_t size = 0;
    memset(&descriptor, 0, sizeof descriptor);
    memcpy(descriptor.id, frame.network, sizeof descriptor.id);
    memcpy(descriptor.owner, frame.owner, sizeof descriptor.owner);
    descriptor.is_open = is_open;
    assert_int_equal(
        wrn_prefix_parse((wrn_span){(const uint8_t *)"10.77.0.0/29", 12}, &descriptor.ipv4), 0);
    assert_int_equal(
        wrn_prefix_parse((wrn_span){(const uint8_t *)"fd12::/64", 9}, &descriptor.ipv6), 0);
    free(memory);
    memory = NULL;
    for (int pass = 0; pass < 2; pass++) {
        wrn_arena_init(&arena, memory, size);
        judge = wrn_judge_init(&arena, &frame, seed);
        revoked = wrn_revoked_init(&arena, &revoked_options, judge);
        members = wrn_members_init(&arena, &options, judge, revoked, &primitives);
        if (pass == 0) {
            size = wrn_align_up(arena.used, 64);
            memory = aligned_alloc(64, size);
            assert_non_null(memory);
            memset(memory, 0, size);
        }
    }
    chain_begin('O');
}

static int set_up(void **state) {
    (void)state;
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_OPENSSL, &crypto), 0);
    primitives = wrn_primitives(crypto);
    make(false);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    free(memory);
    memory = NULL;
    wrn_crypto_destroy(crypto);
    return 0;
}

static wrn_wall at(const char *date) {
    return (wrn_wall){.s = chain_date(date), .ns = 0};
}

static enum wrn_reason admit(char letter, wrn_span chain, const char *date, int64_t *ret_until_s) {
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    wrn_wall until = {0, 0};
    chain_public(letter, public_key);
    enum wrn_reason reason = wrn_members_admit(members, at(date), public_key, chain, &until);
    *ret_until_s = until.s;
    return reason;
}

static enum wrn_reason admits(char letter, wrn_span chain) {
    int64_t until_s;
    return admit(letter, chain, noon, &until_s);
}

/* The owner, or 'issuer' with a chain, takes back the certificate 'number' of the sequence. */
static void take_back(char issuer, size_t number, wrn_span chain) {
    uint8_t hash[WRN_SHA256_SIZE], seed[WRN_SEED_SIZE], list[4096];
    bool is_new;
    chain_hash(number, hash);
    chain_seed(issuer, seed);
    size_t size = wrn_revoked_write(revoked, seed, chain_date("2026-11-22_11:59:00"), hash, 1,
                                    chain, list, sizeof list);
    assert_int_equal(wrn_revoked_add(revoked, chain_date(noon), (wrn_span){list, size}, &is_new),
                     WRN_REASON_NONE);
    assert_true(is_new);
}

static wrn_span chain_of_three(void) {
    chain_begin('O');
    chain_add('O', 'A', "(* set (admin) (invite) (member))", true, NULL, NULL);
    chain_add('A', 'B', "(* set (invite) (member))", true, NULL, "2026-11-22_13:00:00");
    chain_add('B', 'C', "(member)", false, NULL, "2026-12-31_23:59:59");
    return chain_pack();
}

static void members_are_admitted_until_their_second(void **state) {
    (void)state;
    int64_t until_s;
    wrn_span chain = chain_of_three();
    assert_int_equal(admit('C', chain, noon, &until_s), WRN_REASON_NONE);
    assert_int_equal(until_s, chain_date("2026-11-22_13:00:01"));
    assert_int_equal(admit('C', chain, "2026-11-22_13:00:00", &until_s), WRN_REASON_NONE);
    assert_int_equal(admit('C', chain, "2026-11-22_13:00:01", &until_s), WRN_REASON_EXPIRED);
    assert_int_equal(admit('C', chain, noon, &until_s), WRN_REASON_NONE); /* clocks go back */
    assert_int_equal(admits('D', chain), WRN_REASON_NOT_ADMITTED);
    assert_int_equal(admits('C', (wrn_span){NULL, 0}), WRN_REASON_NONE); /* it showed its chain */
    assert_int_equal(admits('D', (wrn_span){NULL, 0}), WRN_REASON_NOT_ADMITTED);
    assert_int_equal(admits('O', (wrn_span){NULL, 0}), WRN_REASON_NONE);
    chain_begin('O');
    chain_add('O', 'E', "(relay)", false, NULL, NULL);
    assert_int_equal(admits('E', chain_pack()), WRN_REASON_NOT_ADMITTED);
}

static void asking_again_costs_nothing(void **state) {
    (void)state;
    wrn_span chain = chain_of_three();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(admits('C', chain), WRN_REASON_NONE);
        assert_int_equal(wrn_judge_verified(judge), 3);
        assert_int_equal(wrn_members_count(members, WRN_MEMBERS_COUNT_KEPT), i);
    }
    uint8_t bad[1100];
    memcpy(bad, chain.data, chain.size);
    bad[chain.size - 1] ^= 1; /* its last signature */
    for (int i = 0; i < 10; i++) {
        assert_int_equal(admits('C', (wrn_span){bad, chain.size}), WRN_REASON_NOT_ADMITTED);
        assert_int_equal(wrn_judge_verified(judge), 6);
    }
    chain_begin('O');
    chain_add('O', 'Z', "(member)", false, NULL, NULL);
    take_back('O', 0, (wrn_span){NULL, 0}); /* of somebody else */
    assert_int_equal(admits('C', chain), WRN_REASON_NONE);
    assert_int_equal(wrn_judge_verified(judge), 6);
    assert_string_equal(wrn_members_count_name(WRN_MEMBERS_COUNT_KEPT), "kept");
}

static void revoked_members_are_excluded_at_once(void **state) {
    (void)state;
    static const struct {
        char issuer;
        size_t number;
        bool is_excluded;
    } cases[] = {
        {'O', 0, true}, {'O', 1, true}, {'O', 2, true},  {'A', 1, true},
        {'A', 2, true}, {'B', 2, true}, {'B', 1, false}, {'B', 0, false},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        make(false);
        wrn_span chain = chain_of_three();
        uint8_t copy[1100], issuers[1100];
        memcpy(copy, chain.data, chain.size);
        assert_int_equal(admits('C', chain), WRN_REASON_NONE);
        chain_begin('O');
        chain_add('O', 'A', "(* set (admin) (invite) (member))", true, NULL, NULL);
        if (cases[i].issuer == 'B') {
            chain_add('A', 'B', "(* set (invite) (member))", true, NULL, "2026-11-22_13:00:00");
        }
        wrn_span own = chain_pack();
        size_t own_size = cases[i].issuer == 'O' ? 0 : own.size;
        memcpy(issuers, own.data, own.size);
        (void)chain_of_three();
        take_back(cases[i].issuer, cases[i].number, (wrn_span){issuers, own_size});
        enum wrn_reason wanted = cases[i].is_excluded ? WRN_REASON_EXCLUDED : WRN_REASON_NONE;
        CHECK(admits('C', (wrn_span){NULL, 0}) == wanted,
              "%c takes back %zu, by key: ", cases[i].issuer, cases[i].number);
        CHECK(admits('C', (wrn_span){copy, chain.size}) == wanted,
              "%c takes back %zu: ", cases[i].issuer, cases[i].number);
        CHECK(admits('C', (wrn_span){NULL, 0}) == wanted,
              "%c takes back %zu, by key: ", cases[i].issuer, cases[i].number);
    }
}

static void another_chain_brings_them_back(void **state) {
    (void)state;
    wrn_span chain = chain_of_three();
    assert_int_equal(admits('C', chain), WRN_REASON_NONE);
    take_back('O', 2, (wrn_span){NULL, 0});
    assert_int_equal(admits('C', chain), WRN_REASON_EXCLUDED);
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    chain_public('C', public_key);
    struct wrn_members_answer answer = wrn_members_judge(members, at(noon), public_key, chain);
    assert_non_null(strstr(answer.why, "revoked by"));
    assert_null(answer.rights);
    chain_begin('O');
    chain_add('O', 'C', "(member)", false, NULL, NULL);
    assert_int_equal(admits('C', chain_pack()), WRN_REASON_NONE);
    assert_int_equal(admits('C', (wrn_span){NULL, 0}), WRN_REASON_NONE);
    assert_int_equal(admits('C', chain), WRN_REASON_EXCLUDED);
}

/* Who lost membership and has a right left is excluded, not just unknown. */
static void what_is_left_is_no_membership(void **state) {
    (void)state;
    chain_add('O', 'C', "(member)", false, NULL, NULL);
    chain_add('O', 'C', "(relay)", false, NULL, NULL);
    wrn_span chain = chain_pack();
    assert_int_equal(admits('C', chain), WRN_REASON_NONE);
    take_back('O', 0, (wrn_span){NULL, 0});
    assert_int_equal(admits('C', (wrn_span){NULL, 0}), WRN_REASON_EXCLUDED);
    assert_int_equal(admits('C', chain), WRN_REASON_EXCLUDED);
    assert_int_equal(admits('C', (wrn_span){NULL, 0}), WRN_REASON_EXCLUDED);
}

static void open_networks_admit_who_is_not_excluded(void **state) {
    (void)state;
    make(true);
    int64_t until_s;
    uint8_t rubbish[40] = {9};
    assert_int_equal(admit('C', (wrn_span){NULL, 0}, noon, &until_s), WRN_REASON_NONE);
    assert_int_equal(until_s, WRN_RECORD_TIME_MAX_S);
    assert_int_equal(admits('C', (wrn_span){rubbish, sizeof rubbish}), WRN_REASON_NONE);
    wrn_span chain = chain_of_three();
    assert_int_equal(admits('C', chain), WRN_REASON_NONE);
    take_back('O', 2, (wrn_span){NULL, 0});
    assert_int_equal(admits('C', chain), WRN_REASON_EXCLUDED);
    assert_int_equal(admits('C', (wrn_span){NULL, 0}), WRN_REASON_EXCLUDED);
}

/* Bad chains drive out bad chains. */
static void hostile_chains_leave_the_good_ones(void **state) {
    (void)state;
    uint8_t bad[1100];
    wrn_span chain = chain_of_three();
    assert_int_equal(admits('C', chain), WRN_REASON_NONE);
    memcpy(bad, chain.data, chain.size);
    for (uint8_t i = 0; i < 10 * ENTRIES; i++) {
        bad[chain.size - 1] = (uint8_t)(chain.data[chain.size - 1] + 1 + i);
        assert_int_equal(admits('C', (wrn_span){bad, chain.size}), WRN_REASON_NOT_ADMITTED);
    }
    assert_true(wrn_members_count(members, WRN_MEMBERS_COUNT_EVICTED) > 8 * ENTRIES);
    uint64_t judged = wrn_members_count(members, WRN_MEMBERS_COUNT_JUDGED);
    assert_int_equal(admits('C', chain), WRN_REASON_NONE);
    assert_int_equal(wrn_members_count(members, WRN_MEMBERS_COUNT_JUDGED), judged);
}

/* ---- Records */

struct test_record {
    char owner;
    enum wrn_record_kind kind;
    const char *key;
    wrn_span value;
};

static enum wrn_reason rule(const struct test_record *test, wrn_span proof) {
    struct wrn_record record = {
        .kind = test->kind,
        .key = {(const uint8_t *)test->key, strlen(test->key)},
        .value = test->value,
        .proof = proof,
        .made_s = chain_date(noon),
        .ttl_s = 3600,
    };
    chain_public(test->owner, record.owner);
    return wrn_members_rule(members, &record, at(noon));
}

static void families_have_their_rules(void **state) {
    (void)state;
    static const struct {
        enum wrn_record_kind kind;
        const char *key;
        enum wrn_reason reason;
    } cases[] = {
        {WRN_RECORD_CREATE, "addr/10.77.0.2", WRN_REASON_NONE},
        {WRN_RECORD_CREATE, "addr/10.77.0.6", WRN_REASON_NONE},
        {WRN_RECORD_DELETE, "addr/10.77.0.2", WRN_REASON_NONE},
        {WRN_RECORD_PUT, "addr/10.77.0.2", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "addr/10.77.0.0", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "addr/10.77.0.1", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "addr/10.77.0.7", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "addr/10.77.0.8", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "addr/10.76.255.255", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "addr/10.77.0.02", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "addr/10.77.2", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "addr/10.77.0.2/32", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "addr/", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "addr", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "addr/fd12::2", WRN_REASON_NONE},
        {WRN_RECORD_CREATE, "addr/fd12::ffff:ffff:ffff:ffff", WRN_REASON_NONE},
        {WRN_RECORD_CREATE, "addr/fd12::", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "addr/fd12::1", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "addr/FD12::2", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "addr/fd12:0::2", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "addr/fd12:0:0:1::2", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "name/web", WRN_REASON_NONE},
        {WRN_RECORD_DELETE, "name/web", WRN_REASON_NONE},
        {WRN_RECORD_PUT, "name/web", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "name/Web", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "name/-web", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "name/web.lab", WRN_REASON_RULE},
        {WRN_RECORD_PUT, "svc/printer", WRN_REASON_NONE},
        {WRN_RECORD_PUT, "svc/_ipp._tcp", WRN_REASON_NONE},
        {WRN_RECORD_DELETE, "svc/printer", WRN_REASON_NONE},
        {WRN_RECORD_CREATE, "svc/printer", WRN_REASON_RULE},
        {WRN_RECORD_PUT, "svc/_", WRN_REASON_RULE},
        {WRN_RECORD_PUT, "svc/.a", WRN_REASON_RULE},
        {WRN_RECORD_PUT, "svc/a.", WRN_REASON_RULE},
        {WRN_RECORD_PUT, "svc/a/b", WRN_REASON_RULE},
        {WRN_RECORD_PUT, "file/a", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "node/2001:20::1", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "crl/00", WRN_REASON_RULE},
        {WRN_RECORD_CREATE, "use/00/1", WRN_REASON_RULE},
    };
    wrn_span chain = chain_of_three();
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct test_record test = {'C', cases[i].kind, cases[i].key, {NULL, 0}};
        enum wrn_reason reason = rule(&test, chain);
        CHECK(reason == cases[i].reason, "%s: %s: ", cases[i].key, wrn_reason_name(reason));
        test.owner = 'D'; /* a record of somebody else with this chain */
        reason = rule(&test, chain);
        CHECK(reason ==
                  (cases[i].reason == WRN_REASON_NONE ? WRN_REASON_NOT_ADMITTED : WRN_REASON_RULE),
              "%s: %s: ", cases[i].key, wrn_reason_name(reason));
        test.owner = 'O';
        reason = rule(&test, (wrn_span){NULL, 0});
        CHECK(reason == cases[i].reason, "%s: %s: ", cases[i].key, wrn_reason_name(reason));
    }
}

static void who_is_no_member_stores_nothing(void **state) {
    (void)state;
    struct test_record test = {'C', WRN_RECORD_PUT, "svc/printer", {NULL, 0}};
    chain_add('O', 'C', "(relay)", false, NULL, NULL);
    chain_add('O', 'C', "(member)", false, NULL, "2026-11-22_11:00:00");
    wrn_span chain = chain_pack();
    assert_int_equal(rule(&test, chain), WRN_REASON_NOT_ADMITTED);
    take_back('O', 1, (wrn_span){NULL, 0});
    assert_int_equal(rule(&test, chain), WRN_REASON_EXCLUDED);
    assert_int_equal(rule(&test, (wrn_span){NULL, 0}), WRN_REASON_NOT_ADMITTED);
}

static void rights_bound_addresses_and_names(void **state) {
    (void)state;
    chain_add('O', 'A', "(* set (member) (address (ip4 (* prefix #0a4d00#))) (name (* prefix a)))",
              true, NULL, NULL);
    chain_add('A', 'C', "(* set (member) (address (ip4 #0a4d0003#)) (name ada))", false, NULL,
              "2026-12-31_00:00:00");
    wrn_span chain = chain_pack();
    static const struct {
        char owner;
        const char *key;
        enum wrn_reason reason;
    } cases[] = {
        {'C', "addr/10.77.0.3", WRN_REASON_NONE}, {'C', "addr/10.77.0.2", WRN_REASON_RULE},
        {'C', "addr/fd12::2", WRN_REASON_RULE},   {'C', "name/ada", WRN_REASON_NONE},
        {'C', "name/ad", WRN_REASON_RULE},        {'A', "addr/10.77.0.2", WRN_REASON_NONE},
        {'A', "name/ad", WRN_REASON_NONE},        {'A', "name/bob", WRN_REASON_RULE},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct test_record test = {cases[i].owner, WRN_RECORD_CREATE, cases[i].key, {NULL, 0}};
        CHECK(rule(&test, chain) == cases[i].reason, "%s: ", cases[i].key);
    }
    struct test_record test = {'C', WRN_RECORD_CREATE, "name/ada", {NULL, 0}};
    take_back('O', 1, (wrn_span){NULL, 0});
    assert_int_equal(rule(&test, chain), WRN_REASON_EXCLUDED);
}

static void nodes_have_their_own_locator(void **state) {
    (void)state;
    uint8_t seed[WRN_SEED_SIZE], public_key[WRN_SIGN_PUBLIC_SIZE], hit[WRN_HIT_SIZE];
    uint8_t bytes[2][WRN_LOCATOR_MAX];
    char key[64] = "node/";
    struct wrn_locator locator = {.sequence = 1};
    chain_public('C', public_key);
    primitives.hit(primitives.ctx, public_key, hit);
    assert_non_null(inet_ntop(AF_INET6, hit, key + 5, sizeof key - 5));
    chain_seed('C', seed);
    size_t size = wrn_locator_write(&locator, &primitives, seed, NULL, bytes[0], sizeof bytes[0]);
    chain_seed('D', seed);
    size_t others = wrn_locator_write(&locator, &primitives, seed, NULL, bytes[1], sizeof bytes[1]);
    assert_true(size > 0 && others > 0);
    struct test_record test = {'C', WRN_RECORD_CREATE, key, {bytes[0], size}};
    for (int is_open = 0; is_open < 2; is_open++) {
        make(is_open == 1);
        wrn_span chain = chain_of_three();
        test.value = (wrn_span){bytes[0], size};
        test.owner = 'C';
        test.kind = WRN_RECORD_CREATE;
        assert_int_equal(rule(&test, chain), WRN_REASON_NONE);
        assert_int_equal(rule(&test, (wrn_span){NULL, 0}),
                         is_open ? WRN_REASON_NONE : WRN_REASON_NOT_ADMITTED);
        test.value = (wrn_span){bytes[1], others};
        assert_int_equal(rule(&test, chain), WRN_REASON_RULE);
        test.value = (wrn_span){NULL, 0};
        assert_int_equal(rule(&test, chain), WRN_REASON_RULE);
        test.kind = WRN_RECORD_DELETE;
        assert_int_equal(rule(&test, chain), WRN_REASON_NONE);
        test.owner = 'B'; /* a member, too, and another node */
        assert_int_equal(rule(&test, chain), WRN_REASON_RULE);
        take_back('O', 2, (wrn_span){NULL, 0});
        test.owner = 'C';
        assert_int_equal(rule(&test, chain), WRN_REASON_EXCLUDED);
    }
}

static void put_hex(char *out, const uint8_t bytes[32]) {
    for (size_t i = 0; i < 32; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
}

static void lists_stand_under_their_issuers_key(void **state) {
    (void)state;
    char key[80] = "crl/";
    uint8_t seed[WRN_SEED_SIZE], public_key[WRN_SIGN_PUBLIC_SIZE], room[WRN_SPKI_KEY_SEXP_SIZE];
    uint8_t hash[WRN_SHA256_SIZE] = {7}, key_hash[WRN_SHA256_SIZE], list[512];
    wrn_span chain = chain_of_three();
    chain_seed('A', seed);
    chain_public('A', public_key);
    wrn_spki_hash(wrn_spki_key_sexp(public_key, room), key_hash);
    put_hex(key + 4, key_hash);
    size_t size = wrn_revoked_write(revoked, seed, chain_date(noon), hash, 1, (wrn_span){NULL, 0},
                                    list, sizeof list);
    struct test_record test = {'A', WRN_RECORD_PUT, key, {list, size}};
    assert_int_equal(rule(&test, chain), WRN_REASON_NONE);
    test.kind = WRN_RECORD_CREATE;
    assert_int_equal(rule(&test, chain), WRN_REASON_NONE);
    assert_int_equal(rule(&test, (wrn_span){NULL, 0}), WRN_REASON_NOT_ADMITTED);
    test.kind = WRN_RECORD_DELETE;
    assert_int_equal(rule(&test, chain), WRN_REASON_RULE);
    test.kind = WRN_RECORD_PUT;
    test.owner = 'B'; /* may invite, and this is not his key */
    assert_int_equal(rule(&test, chain), WRN_REASON_RULE);
    test.owner = 'A';
    list[60] ^= 1;
    assert_int_equal(rule(&test, chain), WRN_REASON_BAD_SIGNATURE);
    test.value.size--;
    assert_int_equal(rule(&test, chain), WRN_REASON_MALFORMED);
}

static void invitations_are_used_so_often(void **state) {
    (void)state;
    char invitation[65], key[96];
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    static const struct {
        const char *uses;
        char owner;
        const char *k;
        enum wrn_reason reason;
    } cases[] = {
        {"(invite (* range numeric (le '3')))", 'C', "1", WRN_REASON_NONE},
        {"(invite (* range numeric (le '3')))", 'C', "3", WRN_REASON_NONE},
        {"(invite (* range numeric (le '3')))", 'C', "4", WRN_REASON_RULE},
        {"(invite (* range numeric (le '3')))", 'C', "0", WRN_REASON_RULE},
        {"(invite (* range numeric (le '3')))", 'C', "01", WRN_REASON_RULE},
        {"(invite (* range numeric (le '3')))", 'C', "1x", WRN_REASON_RULE},
        {"(invite (* range numeric (le '3')))", 'C', "", WRN_REASON_RULE},
        {"(invite (* range numeric (le '3')))", 'A', "1", WRN_REASON_RULE},
        {"(invite (* range numeric (le '3')))", 'K', "1", WRN_REASON_RULE},
        {"(invite (* range numeric (le '3')))", 'D', "1", WRN_REASON_NOT_ADMITTED},
        {"(invite)", 'C', "100000", WRN_REASON_NONE},
        {"(invite)", 'C', "9999999999", WRN_REASON_RULE},
        {"(relay)", 'C', "1", WRN_REASON_RULE},
    };
    chain_public('K', public_key);
    put_hex(invitation, public_key);
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        char element[128];
        chain_begin('O');
        (void)snprintf(element, sizeof element, "(* set (member) %s)", cases[i].uses);
        chain_add('O', 'A', "(*)", true, NULL, NULL);
        chain_add('A', 'K', element, true, NULL, "2026-11-23_00:00:00");
        chain_add('K', 'C', "(member)", false, NULL, NULL);
        (void)snprintf(key, sizeof key, "use/%s/%s", invitation, cases[i].k);
        struct test_record test = {cases[i].owner, WRN_RECORD_CREATE, key, {NULL, 0}};
        wrn_span chain = chain_pack();
        enum wrn_reason reason = rule(&test, chain);
        CHECK(reason == cases[i].reason, "%s %c %s: %s: ", cases[i].uses, cases[i].owner,
              cases[i].k, wrn_reason_name(reason));
        test.kind = WRN_RECORD_DELETE;
        assert_int_equal(rule(&test, chain), WRN_REASON_RULE);
    }
    assert_true(wrn_judge_verified(judge) <= 3 * WRN_COUNT(cases));
}

/* What is kept says what would be found out anew: random moments, chains and revocations. */
static void what_is_kept_is_what_would_be_found(void **state) {
    (void)state;
    static const char *const dates[] = {"2026-11-22_00:00:05", "2026-11-22_00:00:10",
                                        "2026-11-22_00:00:15", "2026-11-22_00:00:20", NULL};
    static const char *const elements[] = {"(member)", "(*)", "(* set (member) (relay))",
                                           "(relay)"};
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 1);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (int world = 0; world < 20; world++) {
        static uint8_t chains[6][1100];
        size_t sizes[6];
        struct wrn_rights rights;
        make(false);
        for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
            chain_begin('O');
            chain_add('O', 'A', "(*)", true, dates[wrn_rand_below(rand, 2)], NULL);
            chain_add('A', 'C', elements[wrn_rand_below(rand, 4)], false,
                      dates[wrn_rand_below(rand, 2)], dates[2 + wrn_rand_below(rand, 3)]);
            chain_add('O', 'C', elements[wrn_rand_below(rand, 4)], false,
                      dates[wrn_rand_below(rand, 2)], dates[2 + wrn_rand_below(rand, 3)]);
            wrn_span chain = chain_pack();
            memcpy(chains[i], chain.data, chain.size);
            sizes[i] = chain.size;
            if (wrn_rand_below(rand, 3) == 0) {
                take_back('O', 1 + wrn_rand_below(rand, 2), (wrn_span){NULL, 0});
            }
        }
        for (int step = 0; step < 100; step++) {
            size_t which = wrn_rand_below(rand, WRN_COUNT(sizes));
            uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
            struct wrn_judge_verdict verdict;
            chain_public('C', public_key);
            struct wrn_judge_question question = {
                .chain = {chains[which], sizes[which]},
                .public_key = public_key,
                .now_s = chain_date("2026-11-22_00:00:00") + wrn_rand_below(rand, 25),
                .cancelled = wrn_revoked_cancelled(revoked),
            };
            wrn_wall now = {.s = question.now_s, .ns = 0};
            struct wrn_members_answer answer =
                wrn_members_judge(members, now, public_key, question.chain);
            wrn_judge(judge, &question, &rights, &verdict);
            assert_int_equal(answer.reason, verdict.reason);
            if (answer.reason == WRN_REASON_NONE) {
                assert_int_equal(answer.rights->flags, rights.flags);
                assert_int_equal(answer.rights->until_s, rights.until_s);
                assert_int_equal(answer.rights->changes_s, rights.changes_s);
            } else {
                assert_string_equal(answer.why, verdict.why);
            }
            if (step == 50) {
                chain_begin('O');
                chain_add('O', 'A', "(*)", true, dates[wrn_rand_below(rand, 2)], NULL);
                take_back('O', 0, (wrn_span){NULL, 0});
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(members_are_admitted_until_their_second, set_up, tear_down),
        cmocka_unit_test_setup_teardown(asking_again_costs_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(revoked_members_are_excluded_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_chain_brings_them_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_left_is_no_membership, set_up, tear_down),
        cmocka_unit_test_setup_teardown(open_networks_admit_who_is_not_excluded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hostile_chains_leave_the_good_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(families_have_their_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_no_member_stores_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rights_bound_addresses_and_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nodes_have_their_own_locator, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_stand_under_their_issuers_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(invitations_are_used_so_often, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_kept_is_what_would_be_found, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
