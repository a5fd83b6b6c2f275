/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: copies are where they belong, whatever happens to the nodes, and none is lost while one is
 * left. Method: rings of machines in virtual time; deaths, births, partitions, masses of both. */
#include <stdio.h>

#include "overlay/dht_internal.h"
#include "unit/base/check.h"
#include "unit/overlay/dht_world.h"

static struct dworld w;

static void begin(uint32_t nodes, uint64_t seed) {
    struct wrn_dht_options options = dworld_options();
    dworld_init(&w, seed, nodes, &options);
    dworld_run(&w, WRN_S(30));
}

static struct dworld_record store(uint32_t owner, const char *key) {
    struct dworld_record record = dworld_make(&w, owner, WRN_RECORD_CREATE, key, "value", 1, 36000);
    assert_int_equal(dworld_store(&w, owner, &record), WRN_REASON_NONE);
    dworld_run(&w, WRN_S(1));
    return record;
}

/* Fails the test unless the live nodes nearest to the key all hold the record. */
static void check_holders(const char *key, const struct dworld_record *record, uint32_t number) {
    for (uint32_t rank = 0; rank < WRN_DHT_COPIES; rank++) {
        CHECK(dworld_holds(&w, dworld_ranked(&w, key, rank), record), "case %u, rank %u: ", number,
              rank);
    }
}

static uint64_t sent(uint8_t kind) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < w.count; i++) {
        sum += w.nodes[i].sent[kind & 15];
    }
    return sum;
}

/* The nearest node dies: within seconds there are four copies again, each get in between is
 * answered. */
static void nearest_dies(void **state) {
    (void)state;
    begin(24, check_seed());
    const char *key = "name/root";
    struct dworld_record record = store(0, key);
    for (uint32_t i = 0; i < 8; i++) {
        dworld_kill(&w, dworld_ranked(&w, key, 0));
        uint32_t asker = dworld_far(&w, key, 8);
        assert_int_equal(dworld_get(&w, asker, key), WRN_REASON_NONE);
        dworld_relink(&w);
        assert_int_equal(dworld_get(&w, asker, key), WRN_REASON_NONE);
        dworld_run(&w, WRN_S(10));
        check_holders(key, &record, i);
    }
    dworld_finish(&w);
}

/* All holders but one die at once. */
static void one_is_left(void **state) {
    (void)state;
    for (uint32_t left = 0; left < WRN_DHT_COPIES; left++) {
        begin(30, check_seed());
        const char *key = "name/last";
        struct dworld_record record = store(5, key);
        uint32_t holders[WRN_DHT_COPIES];
        for (uint32_t rank = 0; rank < WRN_DHT_COPIES; rank++) {
            holders[rank] = dworld_ranked(&w, key, rank);
        }
        for (uint32_t rank = 0; rank < WRN_DHT_COPIES; rank++) {
            if (rank != left) {
                dworld_kill(&w, holders[rank]);
            }
        }
        dworld_relink(&w);
        assert_int_equal(dworld_copies(&w, &record), 1);
        dworld_run(&w, WRN_S(15));
        assert_true(dworld_copies(&w, &record) >= WRN_DHT_COPIES);
        assert_int_equal(dworld_get(&w, dworld_far(&w, key, 8), key), WRN_REASON_NONE);
        dworld_finish(&w);
    }
}

/* Stores a record while the nodes nearest to its key are dead, and tells which these were. */
static struct dworld_record store_without(uint32_t *ret_nearest, uint32_t count, const char *key) {
    for (uint32_t i = 0; i < count; i++) {
        ret_nearest[i] = dworld_ranked(&w, key, 0);
        dworld_kill(&w, ret_nearest[i]);
    }
    dworld_relink(&w);
    dworld_run(&w, WRN_S(30));
    return store(dworld_far(&w, key, 8), key);
}

/* New nodes come between: they get the copies, are not sent what they have, and those that are far
 * now let go when they are sure. */
static void newcomers(void **state) {
    (void)state;
    begin(40, check_seed());
    const char *key = "name/moved";
    uint32_t late[16]; /* the nearest first */
    struct dworld_record record = store_without(late, WRN_COUNT(late), key);
    for (uint32_t i = 0; i < WRN_COUNT(late); i++) {
        dworld_spawn(&w, late[WRN_COUNT(late) - 1 - i]);
        dworld_relink(&w);
        assert_int_equal(dworld_get(&w, dworld_far(&w, key, 8), key), WRN_REASON_NONE);
        dworld_run(&w, WRN_S(15));
        CHECK(dworld_holds(&w, dworld_ranked(&w, key, 0), &record), "newcomer %u: ", i);
    }
    dworld_run(&w, WRN_S(200));
    check_holders(key, &record, 0);
    CHECK(dworld_copies(&w, &record) <= 10, "%u copies: ", dworld_copies(&w, &record));
    dworld_finish(&w);
}

/* All the nodes near the key are new at once: the old holders, far now, still hand it over. */
static void overrun(void **state) {
    (void)state;
    begin(48, check_seed());
    const char *key = "name/overrun";
    uint32_t late[24]; /* the nearest first */
    struct dworld_record record = store_without(late, WRN_COUNT(late), key);
    for (uint32_t i = 0; i < WRN_COUNT(late); i++) {
        dworld_spawn(&w, late[i]);
    }
    dworld_relink(&w);
    dworld_run(&w, WRN_S(60));
    check_holders(key, &record, 0);
    dworld_run(&w, WRN_S(120));
    CHECK(dworld_copies(&w, &record) <= 10, "%u copies: ", dworld_copies(&w, &record));
    dworld_finish(&w);
}

/* Half of the nodes die, one after the other within a minute or all at once, with messages lost;
 * ten minutes later everything of which a copy was left at any time is there, four times. */
static void massacre(bool at_once) {
    begin(48, check_seed());
    w.loss_percent = 2;
    struct dworld_record records[60];
    bool is_lost[60] = {false};
    char keys[60][20];
    for (uint32_t i = 0; i < WRN_COUNT(records); i++) {
        snprintf(keys[i], sizeof(keys[i]), "addr/10.0.0.%u", i);
        records[i] = store(i % 40, keys[i]);
    }
    for (uint32_t dead = 0; dead < 24; dead++) {
        uint32_t victim = wrn_rand_below(wrn_prng_rand(&w.prng), w.count);
        while (!w.nodes[victim].is_live) {
            victim = (victim + 1) % w.count;
        }
        dworld_kill(&w, victim);
        for (uint32_t i = 0; i < WRN_COUNT(records); i++) {
            is_lost[i] = is_lost[i] || dworld_copies(&w, &records[i]) == 0;
        }
        dworld_run(&w, at_once ? 0 : WRN_MS(2500));
        if (dead % 3 == 2 && !at_once) {
            dworld_relink(&w); /* what the ring needs to notice */
        }
    }
    dworld_relink(&w);
    dworld_run(&w, WRN_S(600));
    uint32_t lost = 0;
    for (uint32_t i = 0; i < WRN_COUNT(records); i++) {
        if (is_lost[i]) {
            lost++;
            continue;
        }
        check_holders(keys[i], &records[i], i);
    }
    print_message("# of 60 records %u had no copy left\n", lost);
    assert_true(lost <= 20); /* one in sixteen is what chance takes, at once */
    dworld_finish(&w);
}

static void massacre_in_a_minute(void **state) {
    (void)state;
    massacre(false);
}

static void massacre_at_once(void **state) {
    (void)state;
    massacre(true);
}

/* Two parts of a ring give the same key to different owners. When they meet there is one winner,
 * the same everywhere, as a rule that of the older claim. The other owner is told, and what it kept
 * is kept no more. */
static void partition(void **state) {
    (void)state;
    for (uint32_t turn = 0; turn < 2; turn++) {
        begin(32, check_seed());
        const char *key = "addr/10.1.2.3";
        uint32_t owners[2] = {0, 1};
        struct dworld_record records[2];
        for (uint32_t i = 0; i < w.count; i++) {
            w.nodes[i].part = i % 2;
        }
        dworld_relink(&w);
        dworld_run(&w, WRN_S(60));
        for (uint32_t i = 0; i < 2; i++) {
            uint32_t who = owners[(i + turn) % 2];
            records[who] = store(who, key);
            assert_int_equal(
                wrn_dht_keep(w.nodes[who].dht, dworld_now(&w, who), dworld_span(&records[who])),
                WRN_REASON_NONE);
            dworld_run(&w, WRN_S(40));
        }
        for (uint32_t i = 0; i < w.count; i++) {
            w.nodes[i].part = 0;
        }
        dworld_relink(&w);
        dworld_run(&w, WRN_S(60));
        /* the older one, as a rule: test_dht_claims asks how often */
        uint32_t winner = dworld_holds(&w, dworld_ranked(&w, key, 0), &records[1]);
        uint32_t loser = 1 - winner;
        check_holders(key, &records[winner], turn);
        dworld_run(&w, WRN_S(200)); /* its owner asks on while holders may still compare */
        assert_int_equal(w.nodes[loser].lost_count, 1);
        assert_int_equal(w.nodes[loser].lost_reason, WRN_REASON_KEY_TAKEN);
        assert_int_equal(w.nodes[winner].lost_count, 0);
        for (uint32_t i = 0; i < w.count; i++) {
            assert_int_equal(dworld_get(&w, i, key), WRN_REASON_NONE);
            assert_memory_equal(w.result.records[0], records[winner].bytes, records[winner].size);
        }
        assert_int_equal(dworld_store(&w, loser, &records[loser]), WRN_REASON_KEY_TAKEN);
        dworld_run(&w, WRN_S(8000)); /* a former holder may have it until it is compared */
        assert_int_equal(dworld_copies(&w, &records[loser]), 0);
        assert_int_equal(w.nodes[winner].lost_count, 0);
        dworld_finish(&w);
    }
}

/* A holder that was away while a record changed or was deleted gives out the old one at most until
 * it is asked: then it is compared with the others. */
static void read_repair(void **state) {
    (void)state;
    begin(24, check_seed());
    const char *key = "name/repair";
    struct dworld_record first = store(2, key);
    uint32_t sleeper = dworld_ranked(&w, key, 0);
    w.nodes[sleeper].part = 1; /* nothing reaches it, its links are as before */
    struct dworld_record second = dworld_make(&w, 2, WRN_RECORD_CREATE, key, "newer", 2, 36000);
    assert_int_equal(dworld_store(&w, dworld_far(&w, key, 8), &second), WRN_REASON_NONE);
    dworld_run(&w, WRN_S(60));
    w.nodes[sleeper].part = 0;
    assert_true(dworld_holds(&w, sleeper, &first));
    uint32_t asker = dworld_far(&w, key, 8);
    assert_int_equal(dworld_get(&w, asker, key), WRN_REASON_NONE);
    dworld_run(&w, WRN_S(3));
    assert_true(dworld_holds(&w, sleeper, &second));
    assert_false(dworld_holds(&w, sleeper, &first));
    dworld_finish(&w);
}

/* Who has seen the newer version does not take the older one from a holder that lags behind, but
 * asks on. */
static void stale_answer(void **state) {
    (void)state;
    begin(24, check_seed());
    const char *key = "name/stale";
    struct dworld_record first = store(2, key);
    uint32_t sleeper = dworld_ranked(&w, key, 0), asker = dworld_far(&w, key, 8);
    w.nodes[sleeper].part = 1;
    struct dworld_record second = dworld_make(&w, 2, WRN_RECORD_CREATE, key, "newer", 2, 36000);
    assert_int_equal(dworld_store(&w, asker, &second), WRN_REASON_NONE);
    assert_int_equal(dworld_get(&w, asker, key), WRN_REASON_NONE);
    dworld_run(&w, WRN_S(8)); /* nobody tries to copy it for a while */
    w.nodes[sleeper].part = 0;
    assert_true(dworld_holds(&w, sleeper, &first));
    assert_int_equal(dworld_get(&w, asker, key), WRN_REASON_NONE);
    assert_int_equal(w.result.count, 1);
    assert_memory_equal(w.result.records[0], second.bytes, second.size);
    assert_true(wrn_dht_count(w.nodes[asker].dht, WRN_DHT_COUNT_STALE_ANSWERS) > 0);
    dworld_finish(&w);
}

/* What a neighbour has already is asked for by digests, not sent: a change in the ring costs few
 * bytes. */
static void known_copies(void **state) {
    (void)state;
    begin(24, check_seed());
    for (uint32_t i = 0; i < 40; i++) {
        char key[20];
        snprintf(key, sizeof(key), "node/%u", i);
        (void)store(i % 24, key);
    }
    dworld_run(&w, WRN_S(60));
    uint64_t copies = sent(0x11), digests = sent(0x13);
    for (uint32_t i = 0; i < 10; i++) {
        for (uint32_t j = 0; j < w.count; j++) {
            wrn_dht_on_neighbours(w.nodes[j].dht, dworld_now(&w, j));
        }
        dworld_run(&w, WRN_S(5));
    }
    assert_int_equal(sent(0x11), copies);
    CHECK(sent(0x13) - digests <= 24 * 8,
          "%llu digests: ", (unsigned long long)(sent(0x13) - digests));
    dworld_kill(&w, 7);
    dworld_relink(&w);
    dworld_run(&w, WRN_S(30));
    CHECK(sent(0x11) - copies <= 40,
          "%llu copies for one death: ", (unsigned long long)(sent(0x11) - copies));
    dworld_finish(&w);
}

/* From now on a node has room for nothing more. */
static void fill(uint32_t node) {
    struct wrn_dht_store *held = &w.nodes[node].dht->store;
    held->records_max = held->count;
}

/* Two of the four holders are full: that says nothing of the others, which have it then. */
static void full_holders(void **state) {
    (void)state;
    for (uint32_t pair = 0; pair < 6; pair++) {
        static const uint8_t pairs[][2] = {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}};
        const char *key = "name/tight";
        begin(30, check_seed() + pair);
        fill(dworld_ranked(&w, key, pairs[pair][0]));
        fill(dworld_ranked(&w, key, pairs[pair][1]));
        struct dworld_record record = store(dworld_far(&w, key, 8), key);
        CHECK(dworld_copies(&w, &record) >= 2, "pair %u: ", pair);
        assert_int_equal(dworld_get(&w, dworld_far(&w, key, 8), key), WRN_REASON_NONE);
        dworld_finish(&w);
    }
}

/* All of them are full: then that is said. */
static void nothing_but_full_holders(void **state) {
    (void)state;
    const char *key = "name/noroom";
    begin(30, check_seed());
    for (uint32_t rank = 0; rank < WRN_DHT_HOLDERS_MAX; rank++) {
        fill(dworld_ranked(&w, key, rank));
    }
    uint32_t asker = dworld_far(&w, key, 12);
    struct dworld_record record = dworld_make(&w, asker, WRN_RECORD_CREATE, key, "v", 1, 3600);
    assert_int_equal(dworld_store(&w, asker, &record), WRN_REASON_FULL);
    dworld_finish(&w);
}

/* What a full node was a holder of once, and others hold now, gives way to what is its own; what
 * it holds itself does not. */
static void spare_copies_give_way(void **state) {
    (void)state;
    const char *key = "name/once";
    begin(40, check_seed());
    uint32_t late[4];
    for (uint32_t i = 0; i < WRN_COUNT(late); i++) {
        late[i] = dworld_ranked(&w, key, 0);
        dworld_kill(&w, late[i]);
    }
    dworld_relink(&w);
    dworld_run(&w, WRN_S(30));
    struct dworld_record record = store(dworld_far(&w, key, 8), key);
    uint32_t former = dworld_ranked(&w, key, 1);
    assert_true(dworld_holds(&w, former, &record));
    for (uint32_t i = 0; i < WRN_COUNT(late); i++) {
        dworld_spawn(&w, late[i]);
    }
    dworld_relink(&w);
    dworld_run(&w, WRN_S(30));
    assert_true(dworld_holds(&w, former, &record));
    fill(former);
    char own[24];
    uint32_t tries = 0;
    do { /* a key for which it is the nearest one */
        snprintf(own, sizeof(own), "name/own%u", tries++);
    } while (dworld_ranked(&w, own, 0) != former);
    struct dworld_record second = store(dworld_far(&w, own, 8), own);
    assert_true(dworld_holds(&w, former, &second));
    assert_false(dworld_holds(&w, former, &record));
    for (uint32_t rank = 0; rank < WRN_DHT_COPIES; rank++) {
        assert_true(dworld_holds(&w, dworld_ranked(&w, key, rank), &record));
    }
    do {
        snprintf(own, sizeof(own), "name/own%u", tries++);
    } while (dworld_ranked(&w, own, 0) != former);
    (void)store(dworld_far(&w, own, 8), own);
    assert_true(dworld_holds(&w, former, &second));
    dworld_finish(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_dies),
        cmocka_unit_test(one_is_left),
        cmocka_unit_test(newcomers),
        cmocka_unit_test(overrun),
        cmocka_unit_test(massacre_in_a_minute),
        cmocka_unit_test(massacre_at_once),
        cmocka_unit_test(partition),
        cmocka_unit_test(read_repair),
        cmocka_unit_test(stale_answer),
        cmocka_unit_test(known_copies),
        cmocka_unit_test(full_holders),
        cmocka_unit_test(nothing_but_full_holders),
        cmocka_unit_test(spare_copies_give_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
