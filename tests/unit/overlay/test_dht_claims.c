/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: nobody takes a key from its holder by saying that its own claim is older, and parts of a
 * ring that meet still come to one owner, the same everywhere. Method: rings of machines in virtual
 * time, back-dated claims by every way that a writer has, partitions of all shapes. */
#include <stdio.h>

#include "overlay/dht_internal.h"
#include "unit/base/check.h"
#include "unit/overlay/dht_world.h"

enum { LONG_AGO = 5 };

static struct dworld w;

static void begin(uint32_t nodes, uint64_t seed) {
    struct wrn_dht_options options = dworld_options();
    dworld_init(&w, seed, nodes, &options);
    dworld_run(&w, WRN_S(30));
}

static struct dworld_record claim(uint32_t owner, const char *key, int64_t claimed_s,
                                  uint64_t sequence) {
    int64_t now_s = dworld_now(&w, owner).wall.s;
    struct wrn_record fields = {.kind = WRN_RECORD_CREATE,
                                .key = {(const uint8_t *)key, strlen(key)},
                                .value = {(const uint8_t *)"value", 5},
                                .sequence = sequence,
                                .claimed_s = claimed_s > 0 ? claimed_s : now_s,
                                .made_s = now_s,
                                .ttl_s = 36000};
    return dworld_sign(&w, owner, fields);
}

static void keep(uint32_t owner, const struct dworld_record *record) {
    assert_int_equal(wrn_dht_keep(w.nodes[owner].dht, dworld_now(&w, owner), dworld_span(record)),
                     WRN_REASON_NONE);
}

static void store_and_keep(uint32_t owner, const struct dworld_record *record) {
    assert_int_equal(dworld_store(&w, owner, record), WRN_REASON_NONE);
    keep(owner, record);
}

static void inject_store(uint32_t to, uint32_t source, const struct dworld_record *record,
                         uint8_t flags) {
    uint8_t bytes[WRN_MESSAGE_MAX];
    struct wrn_dht_fields store = {
        .type = WRN_DHT_MESSAGE_STORE, .nonce = 77, .flags = flags, .record = dworld_span(record)};
    dworld_inject_routed(&w, to, source, wrn_dht_message_write(&store, bytes));
}

static void inject_copy(uint32_t to, uint32_t from, const struct dworld_record *record,
                        int64_t claim_s) {
    uint8_t bytes[WRN_MESSAGE_MAX];
    struct wrn_dht_fields copy = {.type = WRN_DHT_MESSAGE_COPY,
                                  .number = 77,
                                  .claim_s = claim_s,
                                  .record = dworld_span(record)};
    dworld_inject(&w, to, from, wrn_dht_message_write(&copy, bytes));
}

/* Since when a claim counts at a node; -1 if it holds none under the key. */
static int64_t claim_at(uint32_t node, const char *key) {
    const struct wrn_dht_store *store = &w.nodes[node].dht->store;
    wrn_span name = {(const uint8_t *)key, strlen(key)};
    wrn_id place = wrn_record_place(name, &w.primitives);
    const struct wrn_dht_entry *entry =
        wrn_dht_store_at(store, wrn_dht_store_next_of_key(store, place, name, 0, false));
    return entry != NULL ? wrn_dht_claim_of(entry) : -1;
}

/* The four holders have it, nobody has the other one, and everybody is told so. */
static void expect_owner(const char *key, const struct dworld_record *record,
                         const struct dworld_record *other) {
    for (uint32_t rank = 0; rank < WRN_DHT_COPIES; rank++) {
        CHECK(dworld_holds(&w, dworld_ranked(&w, key, rank), record), "rank %u: ", rank);
    }
    assert_int_equal(dworld_copies(&w, other), 0);
    for (uint32_t i = 0; i < w.count; i += 3) {
        assert_int_equal(dworld_get(&w, i, key), WRN_REASON_NONE);
        assert_int_equal(w.result.count, 1);
        assert_int_equal(w.result.sizes[0], record->size);
        assert_memory_equal(w.result.records[0], record->bytes, record->size);
    }
}

/* By each node, as new and as stored before, as the writer and as a node that is no holder: the key
 * stays with its owner, who is not disturbed. */
static void a_back_dated_claim_takes_nothing(void **state) {
    (void)state;
    begin(24, check_seed());
    const char *key = "addr/10.7.7.7";
    struct dworld_record mine = claim(1, key, 0, 1);
    store_and_keep(1, &mine);
    dworld_run(&w, WRN_S(WRN_RECORD_CLAIM_SLACK_S + 1));
    struct dworld_record theft = claim(2, key, LONG_AGO, 1);
    for (uint32_t i = 0; i < w.count; i++) {
        inject_store(i, 2, &theft, 0);
        inject_store(i, 2, &theft, WRN_DHT_AGAIN);
        inject_store(i, 2, &theft, WRN_DHT_AGAIN | WRN_DHT_ASIDE);
    }
    dworld_run(&w, WRN_S(5));
    assert_int_equal(dworld_copies(&w, &theft), 0);
    uint32_t far = dworld_far(&w, key, WRN_DHT_HOLDERS_MAX + 2);
    for (uint32_t rank = 0; rank < WRN_DHT_COPIES; rank++) {
        inject_copy(dworld_ranked(&w, key, rank), far, &theft, LONG_AGO);
    }
    dworld_run(&w, WRN_S(5));
    assert_int_equal(dworld_store(&w, 2, &theft), WRN_REASON_KEY_TAKEN);
    dworld_run(&w, WRN_S(8000));
    assert_int_equal(w.nodes[1].lost_count, 0);
    expect_owner(key, &mine, &theft);
    dworld_finish(&w);
}

/* A holder that has just come back has nothing yet and may take the theft, from now on: it gives
 * way when the others tell it what they have. */
static void an_empty_holder_gives_no_way_in(void **state) {
    (void)state;
    for (uint32_t rank = 0; rank < WRN_DHT_COPIES; rank++) {
        begin(24, check_seed() + rank);
        const char *key = "addr/10.7.7.8";
        struct dworld_record mine = claim(1, key, 0, 1);
        store_and_keep(1, &mine);
        dworld_run(&w, WRN_S(WRN_RECORD_CLAIM_SLACK_S + 100));
        struct dworld_record theft = claim(2, key, LONG_AGO, 1);
        uint32_t holder = dworld_ranked(&w, key, rank);
        dworld_kill(&w, holder);
        dworld_spawn(&w, holder);
        dworld_relink(&w);
        inject_store(holder, 2, &theft, WRN_DHT_AGAIN);
        dworld_run(&w, WRN_S(700));
        assert_int_equal(w.nodes[1].lost_count, 0);
        expect_owner(key, &mine, &theft);
        dworld_finish(&w);
    }
}

/* What holders tell one another counts, but not from before the record's own date; what the same
 * owner stores anew counts from as early as before. */
static void holders_pass_claims_on(void **state) {
    (void)state;
    begin(24, check_seed());
    const char *key = "addr/10.7.7.9";
    int64_t now_s = dworld_now(&w, 1).wall.s;
    uint32_t holders[2] = {dworld_ranked(&w, key, 0), dworld_ranked(&w, key, 1)};
    struct dworld_record first = claim(1, key, 0, 1);
    store_and_keep(1, &first);
    dworld_run(&w, WRN_S(2000));
    struct dworld_record second = claim(1, key, 0, 2);
    assert_int_equal(dworld_store(&w, 1, &second), WRN_REASON_NONE);
    dworld_run(&w, WRN_S(5));
    for (uint32_t rank = 0; rank < WRN_DHT_COPIES; rank++) {
        assert_int_equal(claim_at(dworld_ranked(&w, key, rank), key), now_s);
    }
    struct dworld_record rival = claim(2, key, now_s - 50, 1);
    inject_copy(holders[0], holders[1], &rival, now_s + 1);
    assert_int_equal(claim_at(holders[0], key), now_s); /* younger: not even with its own date */
    inject_copy(holders[0], holders[1], &rival, LONG_AGO);
    assert_int_equal(claim_at(holders[0], key), now_s - 50);
    assert_true(dworld_holds(&w, holders[0], &rival));
    struct dworld_record again = claim(2, key, now_s - 50, 2);
    inject_copy(holders[0], holders[1], &again, now_s + 70);
    assert_true(dworld_holds(&w, holders[0], &again));
    assert_int_equal(claim_at(holders[0], key), now_s - 50);
    dworld_finish(&w);
}

/* The key was free in that part of the ring, so the claim was taken there: from then on. Its owner
 * is told that it lost, though its record says otherwise. */
static void a_back_dated_claim_of_another_part_loses(void **state) {
    (void)state;
    begin(32, check_seed());
    const char *key = "addr/10.7.8.1";
    for (uint32_t i = 0; i < w.count; i++) {
        w.nodes[i].part = i % 2;
    }
    dworld_relink(&w);
    dworld_run(&w, WRN_S(60));
    struct dworld_record mine = claim(0, key, 0, 1);
    store_and_keep(0, &mine);
    dworld_run(&w, WRN_S(60));
    struct dworld_record theft = claim(1, key, LONG_AGO, 1);
    store_and_keep(1, &theft);
    dworld_run(&w, WRN_S(40));
    for (uint32_t i = 0; i < w.count; i++) {
        w.nodes[i].part = 0;
    }
    dworld_relink(&w);
    dworld_run(&w, WRN_S(60));
    for (uint32_t rank = 0; rank < WRN_DHT_COPIES; rank++) {
        assert_true(dworld_holds(&w, dworld_ranked(&w, key, rank), &mine));
    }
    dworld_run(&w, WRN_S(8000));
    assert_int_equal(w.nodes[0].lost_count, 0);
    assert_int_equal(w.nodes[1].lost_count, 1);
    assert_int_equal(w.nodes[1].lost_reason, WRN_REASON_KEY_TAKEN);
    expect_owner(key, &mine, &theft);
    dworld_finish(&w);
}

static uint32_t draw(uint32_t below) {
    return wrn_rand_below(wrn_prng_rand(&w.prng), below);
}

/* Parts of any size, claims of any age, clocks that differ: one owner is left at all nodes, the
 * other one is told. */
static void parts_come_to_one_owner(void **state) {
    (void)state;
    uint64_t seed = check_seed();
    for (uint32_t turn = 0; turn < 12; turn++) {
        begin(24 + turn, seed + turn);
        char key[32];
        (void)snprintf(key, sizeof(key), "addr/10.8.%u.1", turn);
        uint32_t share = 1 + draw(9);
        for (uint32_t i = 2; i < w.count; i++) {
            w.nodes[i].part = draw(10) < share;
            w.nodes[i].clock_s = (int64_t)draw(121) - 60;
        }
        w.nodes[0].part = 0;
        w.nodes[1].part = 1;
        dworld_relink(&w);
        dworld_run(&w, WRN_S(60));
        struct dworld_record records[2];
        uint32_t first = draw(2);
        for (uint32_t i = 0; i < 2; i++) {
            uint32_t owner = (first + i) % 2;
            records[owner] =
                claim(owner, key, draw(2) == 0 ? 0 : dworld_now(&w, owner).wall.s - draw(900), 1);
            store_and_keep(owner, &records[owner]);
            dworld_run(&w, WRN_S(draw(600)));
        }
        for (uint32_t i = 0; i < w.count; i++) {
            w.nodes[i].part = 0;
        }
        dworld_relink(&w);
        dworld_run(&w, WRN_S(8000));
        uint32_t winner = dworld_holds(&w, dworld_ranked(&w, key, 0), &records[1]);
        CHECK(w.nodes[1 - winner].lost_count == 1 && w.nodes[winner].lost_count == 0,
              "turn %u, share %u, %u wins, lost %u and %u: ", turn, share, winner,
              w.nodes[0].lost_count, w.nodes[1].lost_count);
        expect_owner(key, &records[winner], &records[1 - winner]);
        dworld_finish(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_back_dated_claim_takes_nothing),
        cmocka_unit_test(an_empty_holder_gives_no_way_in),
        cmocka_unit_test(holders_pass_claims_on),
        cmocka_unit_test(a_back_dated_claim_of_another_part_loses),
        cmocka_unit_test(parts_come_to_one_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
