/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a node asks of the DHT is done, right, in time and for as long as it should be.
 * Method: rings of machines in virtual time, with a model of links and routing; every verb, rings
 * of every size, loss, wrong clocks, full stores. */
#include <stdio.h>

#include "unit/base/check.h"
#include "unit/overlay/dht_world.h"

static struct dworld w;

static void begin(uint32_t nodes) {
    struct wrn_dht_options options = dworld_options();
    dworld_init(&w, check_seed(), nodes, &options);
    dworld_run(&w, WRN_S(30));
}

static uint64_t total(enum wrn_dht_count count) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < w.count; i++) {
        sum += w.nodes[i].is_live ? wrn_dht_count(w.nodes[i].dht, count) : 0;
    }
    return sum;
}

static bool is_result(uint32_t index, const struct dworld_record *record) {
    return w.result.count > index && w.result.sizes[index] == record->size &&
           memcmp(w.result.records[index], record->bytes, record->size) == 0;
}

/* Each verb, from nodes near and far, in rings of 1 to 40 nodes. */
static void verbs(void **state) {
    (void)state;
    static const uint32_t sizes[] = {1, 2, 3, 4, 5, 9, 40};
    for (uint32_t i = 0; i < WRN_COUNT(sizes); i++) {
        uint32_t n = sizes[i], copies = n < WRN_DHT_COPIES ? n : WRN_DHT_COPIES;
        begin(n);
        for (uint32_t k = 0; k < 6; k++) {
            char key[32];
            snprintf(key, sizeof(key), "name/%u", k);
            uint32_t owner = k % n, other = (k + 3) % n;
            struct dworld_record first =
                dworld_make(&w, owner, WRN_RECORD_CREATE, key, "one", 1, 3600);
            assert_int_equal(dworld_get(&w, other, key), WRN_REASON_NOT_FOUND);
            assert_int_equal(dworld_store(&w, owner, &first), WRN_REASON_NONE);
            CHECK(w.result.copies == copies, "%u nodes, %u copies: ", n, w.result.copies);
            CHECK(dworld_copies(&w, &first) == copies, "%u nodes: ", n);
            assert_int_equal(dworld_get(&w, other, key), WRN_REASON_NONE);
            assert_int_equal(w.result.count, 1);
            assert_true(is_result(0, &first));
            struct dworld_record second =
                dworld_make(&w, owner, WRN_RECORD_CREATE, key, "two", 2, 3600);
            assert_int_equal(dworld_store(&w, owner, &second), WRN_REASON_NONE);
            dworld_run(&w, WRN_S(5));
            assert_int_equal(dworld_copies(&w, &second), copies);
            assert_int_equal(dworld_copies(&w, &first), 0);
            assert_int_equal(dworld_store(&w, other, &first), WRN_REASON_STALE);
            assert_true(is_result(0, &second));
            struct dworld_record gone = dworld_make(&w, owner, WRN_RECORD_DELETE, key, "", 2, 3600);
            assert_int_equal(dworld_store(&w, owner, &gone), WRN_REASON_NONE);
            dworld_run(&w, WRN_S(5));
            assert_int_equal(dworld_copies(&w, &second), 0);
            assert_int_equal(dworld_get(&w, other, key), WRN_REASON_NOT_FOUND);
            assert_int_equal(dworld_store(&w, other, &second), WRN_REASON_STALE);
        }
        dworld_finish(&w);
    }
}

/* One owner a key; the loser sees who has it. After the record's time anybody may have the key. */
static void one_owner(void **state) {
    (void)state;
    begin(20);
    struct dworld_record mine = dworld_make(&w, 1, WRN_RECORD_CREATE, "addr/10.0.0.1", "a", 1, 600);
    struct dworld_record theirs =
        dworld_make(&w, 2, WRN_RECORD_CREATE, "addr/10.0.0.1", "b", 9, 600);
    assert_int_equal(dworld_store(&w, 1, &mine), WRN_REASON_NONE);
    assert_int_equal(dworld_store(&w, 2, &theirs), WRN_REASON_KEY_TAKEN);
    assert_true(is_result(0, &mine));
    /* an older claim does not take a key that somebody holds */
    struct wrn_record old = {.kind = WRN_RECORD_CREATE,
                             .key = {(const uint8_t *)"addr/10.0.0.1", 13},
                             .sequence = 1,
                             .claimed_s = 1,
                             .made_s = dworld_now(&w, 0).wall.s,
                             .ttl_s = 600};
    struct dworld_record claim = dworld_sign(&w, 3, old);
    assert_int_equal(dworld_store(&w, 3, &claim), WRN_REASON_KEY_TAKEN);
    struct dworld_record deleted =
        dworld_make(&w, 2, WRN_RECORD_DELETE, "addr/10.0.0.1", "", 99, 600);
    assert_int_equal(dworld_store(&w, 2, &deleted), WRN_REASON_NONE); /* of its own: nothing */
    assert_int_equal(dworld_get(&w, 7, "addr/10.0.0.1"), WRN_REASON_NONE);
    assert_true(is_result(0, &mine));
    dworld_run(&w, WRN_S(610));
    assert_int_equal(dworld_get(&w, 7, "addr/10.0.0.1"), WRN_REASON_NOT_FOUND);
    theirs = dworld_make(&w, 4, WRN_RECORD_CREATE, "addr/10.0.0.1", "b", 1, 600);
    assert_int_equal(dworld_store(&w, 4, &theirs), WRN_REASON_NONE);
    assert_int_equal(dworld_copies(&w, &theirs), WRN_DHT_COPIES);
    dworld_finish(&w);
}

/* Fifty values under one key come in pages, each once; an owner may have sixteen. */
static void many_values(void **state) {
    (void)state;
    begin(20);
    for (uint32_t i = 0; i < 50; i++) {
        char value[600];
        memset(value, 'x', sizeof(value) - 1);
        value[sizeof(value) - 1] = '\0';
        snprintf(value, 20, "value %u", i);
        value[strlen(value)] = ' ';
        struct dworld_record record =
            dworld_make(&w, i % 5, WRN_RECORD_PUT, "svc/print", value, 1, 3600);
        assert_int_equal(dworld_store(&w, i % 20, &record), WRN_REASON_NONE);
    }
    for (uint32_t node = 0; node < w.count; node++) {
        assert_int_equal(dworld_get(&w, node, "svc/print"), WRN_REASON_NONE);
        CHECK(w.result.count == 50, "node %u: %u records: ", node, w.result.count);
        for (uint32_t i = 0; i < 50; i++) {
            for (uint32_t j = 0; j < i; j++) {
                assert_memory_not_equal(w.result.records[i], w.result.records[j],
                                        w.result.sizes[i]);
            }
        }
    }
    enum wrn_reason reason = WRN_REASON_NONE;
    for (uint32_t i = 0; i < 7; i++) {
        char value[20];
        snprintf(value, sizeof(value), "more %u", i);
        struct dworld_record record =
            dworld_make(&w, 0, WRN_RECORD_PUT, "svc/print", value, 1, 3600);
        reason = dworld_store(&w, 0, &record);
        assert_int_equal(reason, i < 6 ? WRN_REASON_NONE : WRN_REASON_QUOTA);
    }
    struct dworld_record gone = dworld_make(&w, 0, WRN_RECORD_DELETE, "svc/print", "", 1, 3600);
    assert_int_equal(dworld_store(&w, 3, &gone), WRN_REASON_NONE);
    dworld_run(&w, WRN_S(5));
    assert_int_equal(dworld_get(&w, 9, "svc/print"), WRN_REASON_NONE);
    assert_int_equal(w.result.count, 40);
    dworld_finish(&w);
}

/* With one message of ten lost end to end every request is answered, and in the end all copies are
 * there. */
static void loss(void **state) {
    (void)state;
    begin(30);
    w.loss_percent = 10;
    struct dworld_record records[20];
    for (uint32_t i = 0; i < WRN_COUNT(records); i++) {
        char key[32];
        snprintf(key, sizeof(key), "node/%u", i);
        records[i] = dworld_make(&w, i, WRN_RECORD_CREATE, key, "here", 1, 7200);
        assert_int_equal(dworld_store(&w, i, &records[i]), WRN_REASON_NONE);
        assert_true(dworld_copies(&w, &records[i]) >= 2);
        assert_int_equal(dworld_get(&w, (i + 11) % w.count, key), WRN_REASON_NONE);
        assert_true(is_result(0, &records[i]));
    }
    dworld_run(&w, WRN_S(120));
    for (uint32_t i = 0; i < WRN_COUNT(records); i++) {
        uint32_t copies = dworld_copies(&w, &records[i]);
        CHECK(copies >= WRN_DHT_COPIES && copies <= 8, "record %u: %u copies: ", i, copies);
    }
    dworld_finish(&w);
}

/* Records end with their time, also at holders whose clocks are wrong, and a clock that jumps takes
 * nothing away. */
static void clocks(void **state) {
    (void)state;
    begin(20);
    const char *key = "name/clock";
    struct dworld_record record = dworld_make(&w, 1, WRN_RECORD_CREATE, key, "tick", 1, 1800);
    assert_int_equal(dworld_store(&w, 1, &record), WRN_REASON_NONE);
    assert_int_equal(dworld_copies(&w, &record), 4);
    uint32_t jumper = dworld_ranked(&w, key, 0), asker = dworld_far(&w, key, 8);
    w.nodes[jumper].clock_s = 3600;
    dworld_run(&w, WRN_S(60));
    assert_int_equal(dworld_copies(&w, &record), 4);
    assert_int_equal(dworld_get(&w, asker, key), WRN_REASON_NONE);
    /* it refuses what it thinks is over; the others take it */
    struct dworld_record next = dworld_make(&w, 1, WRN_RECORD_CREATE, key, "tock", 2, 1800);
    assert_int_equal(dworld_store(&w, asker, &next), WRN_REASON_NONE);
    assert_true(wrn_dht_count(w.nodes[jumper].dht, WRN_DHT_COUNT_REFUSED_TIME) > 0);
    assert_true(dworld_copies(&w, &next) >= 3);
    w.nodes[jumper].clock_s = 0;
    dworld_run(&w, WRN_S(1900));
    assert_int_equal(dworld_copies(&w, &next), 0);
    assert_int_equal(dworld_copies(&w, &record), 0);
    /* an asker with a wrong clock is told so */
    record = dworld_make(&w, 1, WRN_RECORD_CREATE, key, "tick", 3, 1800);
    assert_int_equal(dworld_store(&w, 1, &record), WRN_REASON_NONE);
    w.nodes[asker].clock_s = -7200;
    enum wrn_reason reason = dworld_get(&w, asker, key);
    CHECK(reason == WRN_REASON_NOT_YET, "%s: ", wrn_reason_name(reason));
    dworld_finish(&w);
}

/* What no holder takes is refused before it is sent; requests and kept records have their
 * number. */
static void refused_here(void **state) {
    (void)state;
    begin(5);
    struct wrn_now now = dworld_now(&w, 0);
    struct wrn_dht *dht = w.nodes[0].dht;
    struct dworld_record good = dworld_make(&w, 0, WRN_RECORD_PUT, "svc/a", "b", 1, 60);
    struct dworld_record bad = good;
    bad.bytes[bad.size - 10] ^= 1;
    assert_int_equal(wrn_dht_store(dht, now, 1, dworld_span(&bad)), WRN_REASON_BAD_SIGNATURE);
    assert_int_equal(wrn_dht_store(dht, now, 1, (wrn_span){good.bytes, 9}), WRN_REASON_MALFORMED);
    w.nodes[0].clock_s = 100;
    assert_int_equal(wrn_dht_store(dht, dworld_now(&w, 0), 1, dworld_span(&good)),
                     WRN_REASON_EXPIRED);
    w.nodes[0].clock_s = -(WRN_CLOCK_TOLERANCE_S + 1);
    assert_int_equal(wrn_dht_store(dht, dworld_now(&w, 0), 1, dworld_span(&good)),
                     WRN_REASON_NOT_YET);
    w.nodes[0].clock_s = 0;
    uint8_t key[WRN_RECORD_KEY_MAX + 1] = {'a'};
    assert_int_equal(wrn_dht_get(dht, now, 1, (wrn_span){key, sizeof(key)}), WRN_REASON_TOO_LARGE);
    assert_int_equal(wrn_dht_get(dht, now, 1, (wrn_span){0}), WRN_REASON_TOO_LARGE);
    for (uint32_t i = 0; i < w.options.requests_max; i++) {
        assert_int_equal(wrn_dht_get(dht, now, 1, (wrn_span){key, 1}), WRN_REASON_NONE);
    }
    assert_int_equal(wrn_dht_get(dht, now, 1, (wrn_span){key, 1}), WRN_REASON_FULL);
    for (uint32_t i = 0; i < w.options.kept_max; i++) {
        char text[20];
        snprintf(text, sizeof(text), "svc/%u", i);
        good = dworld_make(&w, 0, WRN_RECORD_PUT, text, "b", 1, 60);
        assert_int_equal(wrn_dht_keep(dht, now, dworld_span(&good)), WRN_REASON_NONE);
        assert_int_equal(wrn_dht_keep(dht, now, dworld_span(&good)), WRN_REASON_NONE);
    }
    good = dworld_make(&w, 0, WRN_RECORD_PUT, "svc/z", "b", 1, 60);
    assert_int_equal(wrn_dht_keep(dht, now, dworld_span(&good)), WRN_REASON_FULL);
    wrn_dht_keep_no_more(dht, (wrn_span){(const uint8_t *)"svc/0", 5});
    assert_int_equal(wrn_dht_keep(dht, now, dworld_span(&good)), WRN_REASON_NONE);
    dworld_run(&w, WRN_S(20));
    assert_int_equal(wrn_dht_get(dht, now, 1, (wrn_span){key, 1}), WRN_REASON_NONE);
    dworld_finish(&w);
}

/* A kept record survives the death of all of its holders, is due for renewal at half of its life,
 * and is given up when it ends or when its owner has a newer one with another value. */
static void kept(void **state) {
    (void)state;
    begin(24);
    const char *key = "node/kept";
    uint32_t owner = dworld_far(&w, key, 8);
    struct dworld_record record = dworld_make(&w, owner, WRN_RECORD_CREATE, key, "k", 1, 2000);
    assert_int_equal(dworld_store(&w, owner, &record), WRN_REASON_NONE);
    struct wrn_dht *dht = w.nodes[owner].dht;
    assert_int_equal(wrn_dht_keep(dht, dworld_now(&w, owner), dworld_span(&record)),
                     WRN_REASON_NONE);
    for (uint32_t i = 0; i < WRN_DHT_COPIES; i++) {
        dworld_kill(&w, dworld_ranked(&w, key, 0));
    }
    dworld_relink(&w);
    assert_int_equal(dworld_copies(&w, &record), 0);
    dworld_run(&w, WRN_S(700));
    assert_int_equal(dworld_copies(&w, &record), WRN_DHT_COPIES);
    assert_int_equal(wrn_dht_due_renewal(dht, dworld_now(&w, owner)).size, 0);
    dworld_run(&w, WRN_S(310));
    assert_int_equal(wrn_dht_due_renewal(dht, dworld_now(&w, owner)).size, record.size);
    struct wrn_record renewed;
    assert_int_equal(wrn_record_read(dworld_span(&record), &w.primitives, &renewed),
                     WRN_REASON_NONE);
    renewed.sequence++;
    renewed.made_s = dworld_now(&w, owner).wall.s;
    struct dworld_record second = dworld_sign(&w, owner, renewed);
    assert_int_equal(dworld_store(&w, owner, &second), WRN_REASON_NONE);
    assert_int_equal(wrn_dht_keep(dht, dworld_now(&w, owner), dworld_span(&second)),
                     WRN_REASON_NONE);
    assert_int_equal(wrn_dht_due_renewal(dht, dworld_now(&w, owner)).size, 0);
    dworld_run(&w, WRN_S(1200));
    assert_int_equal(dworld_copies(&w, &second), WRN_DHT_COPIES);
    assert_int_equal(w.nodes[owner].lost_count, 0);
    renewed.sequence += 5;
    renewed.value = (wrn_span){(const uint8_t *)"another", 7};
    renewed.made_s = dworld_now(&w, owner).wall.s;
    struct dworld_record third = dworld_sign(&w, owner, renewed);
    assert_int_equal(dworld_store(&w, dworld_ranked(&w, key, 5), &third), WRN_REASON_NONE);
    dworld_run(&w, WRN_S(790));
    assert_int_equal(w.nodes[owner].lost_count, 1);
    assert_int_equal(w.nodes[owner].lost_reason, WRN_REASON_STALE);
    assert_int_equal(wrn_dht_keep(dht, dworld_now(&w, owner), dworld_span(&third)),
                     WRN_REASON_NONE);
    dworld_run(&w, WRN_S(2000));
    assert_int_equal(w.nodes[owner].lost_count, 2);
    assert_int_equal(w.nodes[owner].lost_reason, WRN_REASON_EXPIRED);
    dworld_finish(&w);
}

/* A full store refuses; nothing live gives way, and a place that gets free is used. */
static void full(void **state) {
    (void)state;
    struct wrn_dht_options options = dworld_options();
    options.records_max = 8;
    options.bytes_max = 8 * 1200;
    options.writer_bytes_max = 1500;
    dworld_init(&w, check_seed(), 4, &options);
    dworld_run(&w, WRN_S(30));
    struct dworld_record records[40];
    uint32_t stored = 0, refused = 0;
    for (uint32_t i = 0; i < WRN_COUNT(records); i++) {
        char key[20];
        snprintf(key, sizeof(key), "svc/%u", i);
        records[stored] = dworld_make(&w, i % 4, WRN_RECORD_PUT, key, "v", 1, i < 3 ? 300 : 3000);
        enum wrn_reason reason = dworld_store(&w, (i + 1) % 4, &records[stored]);
        if (reason == WRN_REASON_NONE) {
            stored++;
        } else {
            refused++;
            CHECK(reason == WRN_REASON_FULL || reason == WRN_REASON_QUOTA,
                  "%s: ", wrn_reason_name(reason));
        }
    }
    assert_int_equal(stored, 8);
    assert_int_equal(refused, 32);
    assert_true(total(WRN_DHT_COUNT_REFUSED_FULL) > 0);
    for (uint32_t i = 0; i < stored; i++) {
        assert_int_equal(dworld_copies(&w, &records[i]), 4);
    }
    dworld_run(&w, WRN_S(301));
    for (uint32_t i = 0; i < 3; i++) {
        char key[20];
        snprintf(key, sizeof(key), "name/%u", i);
        struct dworld_record record = dworld_make(&w, i, WRN_RECORD_CREATE, key, "v", 1, 3000);
        assert_int_equal(dworld_store(&w, 3, &record), WRN_REASON_NONE);
        assert_int_equal(dworld_copies(&w, &record), 4);
    }
    dworld_finish(&w);
}

/* A plain get costs its way there and back, nothing more; an idle ring is nearly silent. */
static void cost(void **state) {
    (void)state;
    begin(40);
    const char *key = "name/cost";
    struct dworld_record record = dworld_make(&w, 5, WRN_RECORD_CREATE, key, "v", 1, 36000);
    assert_int_equal(dworld_store(&w, 5, &record), WRN_REASON_NONE);
    dworld_run(&w, WRN_S(5));
    uint32_t far = dworld_far(&w, key, 8);
    for (uint32_t i = 0; i < 20; i++) {
        uint64_t routed = w.nodes[far].routed;
        assert_int_equal(dworld_get(&w, far, key), WRN_REASON_NONE);
        assert_int_equal(w.nodes[far].routed, routed + 1);
        CHECK(w.result.took_ms <= 2 * 5 * 25 + 20, "%u ms: ", w.result.took_ms);
    }
    dworld_run(&w, WRN_S(1200));
    uint64_t before = 0, after = 0;
    for (uint32_t i = 0; i < w.count; i++) {
        before += w.nodes[i].bytes;
    }
    dworld_run(&w, WRN_S(3600));
    for (uint32_t i = 0; i < w.count; i++) {
        after += w.nodes[i].bytes;
    }
    print_message("# idle: %llu bytes a node and hour\n",
                  (unsigned long long)((after - before) / w.count));
    assert_true((after - before) / w.count < 3600 * 2);
    dworld_finish(&w);
}

/* One seed, one history. */
static void determinism(void **state) {
    (void)state;
    uint64_t seed = check_seed(), traces[2];
    for (uint32_t run = 0; run < 2; run++) {
        struct wrn_dht_options options = dworld_options();
        dworld_init(&w, seed, 16, &options);
        w.loss_percent = 5;
        for (uint32_t i = 0; i < 10; i++) {
            char key[20];
            snprintf(key, sizeof(key), "name/%u", i % 4);
            struct dworld_record record = dworld_make(&w, i, WRN_RECORD_CREATE, key, "v", 1, 3600);
            (void)dworld_store(&w, i, &record);
            (void)dworld_get(&w, 15 - i, key);
        }
        dworld_kill(&w, 3);
        dworld_relink(&w);
        dworld_run(&w, WRN_S(60));
        traces[run] = w.trace;
        dworld_finish(&w);
    }
    assert_true(traces[0] == traces[1]);
}

/* What requests and kept records hold shares one small room: large ones are refused by name when it
 * is full, small ones find room, and a record that could not be replaced is still kept. */
static void a_full_room_refuses_and_forgets_nothing(void **state) {
    (void)state;
    struct wrn_dht_options options = dworld_options();
    char value[800];
    uint8_t key[WRN_RECORD_KEY_MAX] = {'a'};
    options.own_bytes = 2048;
    memset(value, 'v', sizeof(value) - 1);
    value[700] = 0;
    dworld_init(&w, check_seed(), 5, &options);
    struct wrn_dht *dht = w.nodes[0].dht;
    struct wrn_now now = dworld_now(&w, 0);
    struct dworld_record large = dworld_make(&w, 0, WRN_RECORD_CREATE, "svc/a", value, 1, 60);
    struct dworld_record small = dworld_make(&w, 0, WRN_RECORD_PUT, "svc/b", "b", 1, 60);
    assert_true(large.size > 800 && large.size < 1024 && small.size < 384);
    assert_int_equal(wrn_dht_keep(dht, now, dworld_span(&small)), WRN_REASON_NONE);
    assert_int_equal(wrn_dht_keep(dht, now, dworld_span(&large)), WRN_REASON_NONE);
    assert_int_equal(wrn_dht_store(dht, now, 1, dworld_span(&large)), WRN_REASON_FULL);
    assert_int_equal(wrn_dht_get(dht, now, 2, (wrn_span){key, 30}), WRN_REASON_NONE);
    value[300] = 0;
    large = dworld_make(&w, 0, WRN_RECORD_CREATE, "svc/a", value, 2, 60); /* instead of the first */
    assert_int_equal(wrn_dht_keep(dht, now, dworld_span(&large)), WRN_REASON_NONE);
    struct dworld_record other = large;
    assert_int_equal(wrn_dht_store(dht, now, 3, dworld_span(&large)), WRN_REASON_NONE);
    value[300] = value[700] = 'v';
    value[799] = 0;
    large = dworld_make(&w, 0, WRN_RECORD_CREATE, "svc/a", value, 3, 60);
    assert_int_equal(wrn_dht_keep(dht, now, dworld_span(&large)), WRN_REASON_FULL);
    dworld_run(&w, WRN_S(30)); /* the second one was still kept: it is stored */
    assert_true(dworld_copies(&w, &other) >= WRN_DHT_COPIES);
    dworld_finish(&w);
}

static void make_links(uint32_t node, uint8_t kinds) {
    for (uint32_t i = 0; i < w.nodes[node].links.count; i++) {
        w.nodes[node].links.links[i].mine = kinds;
    }
}

static void links_are(uint32_t node, uint8_t kinds) {
    make_links(node, kinds);
    wrn_dht_on_neighbours(w.nodes[node].dht, dworld_now(&w, node));
}

/* Who has a link and no neighbour yet is about to join: his question waits for the ring, whether
 * the answer is a record or that there is none; in vain no longer than any other. */
static void who_is_about_to_join_waits(void **state) {
    (void)state;
    static const char *const keys[] = {"name/a", "name/b"};
    static const enum wrn_reason reasons[] = {WRN_REASON_NONE, WRN_REASON_NOT_FOUND};
    begin(2);
    struct dworld_record record = dworld_make(&w, 0, WRN_RECORD_CREATE, keys[0], "x", 1, 3600);
    dworld_kill(&w, 1); /* it holds nothing itself */
    dworld_relink(&w);
    assert_int_equal(dworld_store(&w, 0, &record), WRN_REASON_NONE);
    for (uint32_t i = 0; i < WRN_COUNT(keys); i++) {
        dworld_spawn(&w, 1);
        dworld_relink(&w);
        links_are(1, WRN_LINK_LEAF);
        memset(&w.result, 0, sizeof(w.result));
        wrn_span key = {(const uint8_t *)keys[i], strlen(keys[i])};
        assert_int_equal(wrn_dht_get(w.nodes[1].dht, dworld_now(&w, 1), ++w.tag, key),
                         WRN_REASON_NONE);
        w.nodes[0].is_silent = true; /* or its copy is the answer */
        dworld_run(&w, WRN_MS(900));
        w.nodes[0].is_silent = false;
        assert_false(w.result.is_done);
        links_are(1, WRN_LINK_NEAR);
        dworld_run(&w, WRN_S(2));
        assert_true(w.result.is_done);
        assert_int_equal(w.result.reason, reasons[i]);
        dworld_kill(&w, 1);
    }
    dworld_spawn(&w, 1);
    dworld_relink(&w);
    links_are(1, WRN_LINK_LEAF);
    assert_int_equal(dworld_get(&w, 1, keys[1]), WRN_REASON_NOT_CONNECTED);
    assert_in_range(w.result.took_ms, 15000, 15100);
    dworld_finish(&w);
}

/* A question that was asked just before the link became one of the ring does not wait until it is
 * time to look at the neighbours anew: who is alone looks each time. */
static void who_has_joined_asks_at_once(void **state) {
    (void)state;
    begin(2);
    struct dworld_record record = dworld_make(&w, 0, WRN_RECORD_CREATE, "name/a", "x", 1, 3600);
    dworld_kill(&w, 1);
    dworld_relink(&w);
    assert_int_equal(dworld_store(&w, 0, &record), WRN_REASON_NONE);
    dworld_spawn(&w, 1);
    dworld_relink(&w);
    links_are(1, WRN_LINK_LEAF);
    w.nodes[0].is_silent = true; /* or its copy is the answer */
    wrn_span key = {(const uint8_t *)"name/a", 6};
    assert_int_equal(wrn_dht_get(w.nodes[1].dht, dworld_now(&w, 1), 1000, key), WRN_REASON_NONE);
    dworld_run(&w, WRN_MS(10));
    w.nodes[0].is_silent = false;
    make_links(1, WRN_LINK_NEAR);
    assert_int_equal(dworld_get(&w, 1, "name/a"), WRN_REASON_NONE);
    assert_in_range(w.result.took_ms, 0, 400);
    dworld_finish(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verbs),
        cmocka_unit_test(one_owner),
        cmocka_unit_test(many_values),
        cmocka_unit_test(loss),
        cmocka_unit_test(clocks),
        cmocka_unit_test(refused_here),
        cmocka_unit_test(kept),
        cmocka_unit_test(full),
        cmocka_unit_test(cost),
        cmocka_unit_test(determinism),
        cmocka_unit_test(a_full_room_refuses_and_forgets_nothing),
        cmocka_unit_test(who_is_about_to_join_waits),
        cmocka_unit_test(who_has_joined_asks_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
