/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: nobody takes a key from its holder by saying that its own claim is older, and parts of a
 * ring that meet still come to one owner, the same everywhere. Method: rings of machines in virtual
 * time, back-dated claims by every way that a writer has, partitions of all shapes. */
#include <stdio.h>

#include "overlay/dht_internal.h"
#include "unit/base/check.h"
#include "unit/overlay/dht_world.h"

enum { LONG_AGO = 5, LATER_S = 300, PARTS_TRIES = 8 };

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

/* As the overlay does it: what is kept learns that it was granted. */
static void store_and_keep(uint32_t owner, const struct dworld_record *record) {
    keep(owner, record);
    assert_int_equal(dworld_store(&w, owner, record), WRN_REASON_NONE);
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
    for (uint32_t rank = 0; rank < w.count; rank++) {
        CHECK(!dworld_holds(&w, dworld_ranked(&w, key, rank), other),
              "rank %u has the other: ", rank);
    }
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
    dworld_run(&w, WRN_S(LATER_S + 1));
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
        dworld_run(&w, WRN_S(LATER_S + 100));
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

/* What two holders say, a new one says, too: the claim stays as old as it is when all its holders
 * have been replaced, one after the other, and when its owner signs the record anew. */
static void holders_pass_claims_on(void **state) {
    (void)state;
    begin(24, check_seed());
    const char *key = "addr/10.7.7.9";
    uint32_t owner = dworld_far(&w, key, WRN_DHT_HOLDERS_MAX + 2);
    int64_t now_s = dworld_now(&w, owner).wall.s;
    struct dworld_record first = claim(owner, key, 0, 1);
    store_and_keep(owner, &first);
    dworld_run(&w, WRN_S(2000));
    struct dworld_record second = claim(owner, key, 0, 2);
    assert_int_equal(dworld_store(&w, owner, &second), WRN_REASON_NONE);
    for (uint32_t rank = 0; rank < WRN_DHT_COPIES; rank++) {
        uint32_t holder = dworld_ranked(&w, key, rank);
        dworld_kill(&w, holder);
        dworld_spawn(&w, holder);
        dworld_relink(&w);
        dworld_run(&w, WRN_S(60));
    }
    for (uint32_t rank = 0; rank < WRN_DHT_COPIES; rank++) {
        int64_t since_s = claim_at(dworld_ranked(&w, key, rank), key);
        CHECK(since_s >= now_s && since_s <= now_s + 2, "rank %u says %d s: ", rank,
              (int)(since_s - now_s));
    }
    dworld_finish(&w);
}

/* Two parts of a ring of 32 meet; the first owner claimed a key in one part 60 s before the second
 * one did in the other, with a record that says 'claimed_s' before. A minute later all holders have
 * one of the two; its owner is left in peace, the other one is told. Returns whether the first
 * one's claim won. */
static bool parts_meet(uint64_t seed, int64_t claimed_s) {
    begin(32, seed);
    const char *key = "addr/10.7.8.1";
    for (uint32_t i = 0; i < w.count; i++) {
        w.nodes[i].part = i % 2;
    }
    dworld_relink(&w);
    dworld_run(&w, WRN_S(60));
    struct dworld_record records[2];
    for (uint32_t i = 0; i < 2; i++) {
        records[i] = claim(i, key, i == 0 ? 0 : claimed_s, 1);
        store_and_keep(i, &records[i]);
        dworld_run(&w, WRN_S(60));
    }
    for (uint32_t i = 0; i < w.count; i++) {
        w.nodes[i].part = 0;
    }
    dworld_relink(&w);
    dworld_run(&w, WRN_S(60));
    uint32_t winner = dworld_holds(&w, dworld_ranked(&w, key, 0), &records[1]);
    for (uint32_t rank = 0; rank < WRN_DHT_COPIES; rank++) {
        CHECK(dworld_holds(&w, dworld_ranked(&w, key, rank), &records[winner]), "rank %u: ", rank);
    }
    dworld_run(&w, WRN_S(8000));
    assert_int_equal(w.nodes[winner].lost_count, 0);
    assert_int_equal(w.nodes[1 - winner].lost_count, 1);
    assert_int_equal(w.nodes[1 - winner].lost_reason, WRN_REASON_KEY_TAKEN);
    expect_owner(key, &records[winner], &records[1 - winner]);
    dworld_finish(&w);
    return winner == 0;
}

/* The key was free in that part of the ring, so the claim was taken there: from then on, and what
 * its record says is of no use: it wins no more often than a younger claim that does not lie. That
 * one wins where a part's holders are most of those near the key (one in some dozens). */
static void a_back_dated_claim_of_another_part_loses(void **state) {
    (void)state;
    uint64_t seed = check_seed();
    uint32_t won = 0, won_of_liar = 0;
    for (uint32_t i = 0; i < PARTS_TRIES; i++) {
        won += parts_meet(seed + i, 0);
        won_of_liar += parts_meet(seed + i, LONG_AGO);
    }
    CHECK(won >= PARTS_TRIES - 3, "the older claim won %u of %u: ", won, PARTS_TRIES);
    CHECK(won_of_liar >= PARTS_TRIES - 3, "the honest claim won %u of %u: ", won_of_liar,
          PARTS_TRIES);
}

/* What the thief says, and of what. */
static struct dworld_record stolen;
static uint8_t thief_owner[WRN_SIGN_PUBLIC_SIZE];

static void say(uint32_t to, uint32_t from, const struct wrn_dht_fields *fields) {
    uint8_t bytes[WRN_MESSAGE_MAX];
    dworld_inject(&w, to, from, wrn_dht_message_write(fields, bytes));
}

/* A holder that lies in all that holders tell one another: it has never heard of the owner's claim,
 * and that of its own record is the oldest. */
static bool be_a_thief(struct dworld_node *node, const struct wrn_route_header *header,
                       wrn_handle from, wrn_span message) {
    struct wrn_dht_fields fields;
    if (!wrn_dht_message_read((wrn_span){message.data + 1, message.size - 1}, &fields)) {
        return false;
    }
    struct wrn_dht_fields answer = {.number = fields.number, .nonce = fields.nonce};
    if (header != NULL && fields.type == WRN_DHT_MESSAGE_STORE) {
        struct wrn_route_header back = {.target = header->source, .mode = WRN_ROUTE_EXACT};
        answer.type = WRN_DHT_MESSAGE_STORED;
        answer.reason = WRN_REASON_KEY_TAKEN;
        answer.record = dworld_span(&stolen);
        (void)wrn_dht_route(node->dht, &back, &answer);
        return true;
    }
    if (header != NULL) {
        return false;
    }
    if (fields.type == WRN_DHT_MESSAGE_COPY) {
        answer.type = WRN_DHT_MESSAGE_COPIED;
        answer.reason = WRN_REASON_KEY_TAKEN;
        answer.claim_s = LONG_AGO;
        answer.record = dworld_span(&stolen);
    } else if (fields.type == WRN_DHT_MESSAGE_DIGEST) {
        answer.type = WRN_DHT_MESSAGE_WANT;
        answer.want = (1u << fields.count) - 1;
    } else if (fields.type == WRN_DHT_MESSAGE_WEIGH) {
        answer.type = WRN_DHT_MESSAGE_WEIGHED;
        for (uint32_t i = 0; i < 2; i++) {
            bool is_his = memcmp(fields.owners[i], thief_owner, sizeof(thief_owner)) == 0;
            answer.words_s[i] = is_his ? LONG_AGO : 0;
        }
    } else {
        return false;
    }
    say(from.index, node->index, &answer);
    return true;
}

/* Wherever it is among the eight nearest, whoever signed the record that it brings, and whatever it
 * says when it is asked: one node takes no key from its owner. */
static void one_holder_takes_nothing(void **state) {
    (void)state;
    for (uint32_t turn = 0; turn < 2 * WRN_DHT_HOLDERS_MAX; turn++) {
        begin(24, check_seed() + turn);
        const char *key = "addr/10.7.7.6";
        uint32_t thief = dworld_ranked(&w, key, turn / 2);
        uint32_t owner = dworld_far(&w, key, WRN_DHT_HOLDERS_MAX + 2);
        uint32_t friend = dworld_ranked(&w, key, w.count - 2);
        struct dworld_record mine = claim(owner, key, 0, 1);
        store_and_keep(owner, &mine);
        dworld_run(&w, WRN_S(2000));
        uint32_t signer = turn % 2 == 0 ? thief : friend;
        stolen = claim(signer, key, LONG_AGO, 1);
        memcpy(thief_owner, w.nodes[signer].public_key, sizeof(thief_owner));
        w.nodes[thief].hostile = be_a_thief;
        for (uint32_t again = 0; again < 20; again++) {
            for (uint32_t i = 0; i < w.count; i++) {
                if (i != thief && wrn_links_of(&w.nodes[i].links, dworld_peer(&w, thief)) != NULL) {
                    inject_copy(i, thief, &stolen, LONG_AGO);
                }
            }
            dworld_run(&w, WRN_MS(700));
        }
        dworld_run(&w, WRN_S(4000));
        CHECK(w.nodes[owner].lost_count == 0, "turn %u: the owner gave its key up: ", turn);
        for (uint32_t i = 0; i < WRN_DHT_HOLDERS_MAX; i++) { /* others are not asked */
            uint32_t holder = dworld_ranked(&w, key, i);
            CHECK(holder == thief || !dworld_holds(&w, holder, &stolen),
                  "turn %u: rank %u has what was stolen: ", turn, i);
        }
        for (uint32_t rank = 0; rank < WRN_DHT_COPIES; rank++) {
            uint32_t holder = dworld_ranked(&w, key, rank);
            CHECK(holder == thief || dworld_holds(&w, holder, &mine),
                  "turn %u, rank %u has not: ", turn, rank);
        }
        dworld_finish(&w);
    }
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

/* Rings of two to four nodes, parted into one or two on each side: nobody else is there to vouch,
 * and still there is one owner at the end, who is not disturbed. */
static void small_parts_come_to_one_owner(void **state) {
    (void)state;
    uint64_t seed = check_seed();
    for (uint32_t turn = 0; turn < 12; turn++) {
        uint32_t left = 1 + turn % 2, right = 1 + turn / 2 % 2;
        begin(left + right, seed + turn);
        const char *key = "addr/10.8.1.1";
        struct dworld_record records[2];
        uint32_t owners[2] = {0, left};
        for (uint32_t i = 0; i < w.count; i++) {
            w.nodes[i].part = i >= left;
        }
        dworld_relink(&w);
        dworld_run(&w, WRN_S(60));
        for (uint32_t i = 0; i < 2; i++) {
            records[i] = claim(owners[i], key, 0, 1);
            store_and_keep(owners[i], &records[i]);
            dworld_run(&w, WRN_S(draw(100)));
        }
        for (uint32_t i = 0; i < w.count; i++) {
            w.nodes[i].part = 0;
        }
        dworld_relink(&w);
        dworld_run(&w, WRN_S(2000));
        uint32_t winner = dworld_holds(&w, 0, &records[1]);
        for (uint32_t i = 0; i < w.count; i++) {
            CHECK(dworld_holds(&w, i, &records[winner]) &&
                      !dworld_holds(&w, i, &records[1 - winner]),
                  "turn %u, %u and %u nodes, node %u: ", turn, left, right, i);
        }
        CHECK(w.nodes[owners[winner]].lost_count == 0 &&
                  w.nodes[owners[1 - winner]].lost_count == 1,
              "turn %u, %u and %u nodes: ", turn, left, right);
        dworld_finish(&w);
    }
}

/* The one holder that knows of a claim grants it, refuses a second one, and leaves at any moment
 * after that: the first one stays, and the second writer was told the truth. */
static void what_was_refused_does_not_win_later(void **state) {
    (void)state;
    uint64_t seed = check_seed();
    for (uint32_t turn = 0; turn < 24; turn++) {
        begin(3, seed + turn);
        uint32_t number = 0;
        char key[32];
        do {
            (void)snprintf(key, sizeof(key), "addr/10.9.1.%u", number++);
        } while (dworld_ranked(&w, key, 0) != 0);
        dworld_kill(&w, 0);
        dworld_spawn(&w, 0); /* it has no neighbours until all are linked anew */
        struct dworld_record mine = claim(1, key, 0, 1), theirs = claim(2, key, LONG_AGO, 1);
        store_and_keep(1, &mine);
        assert_int_equal(w.result.copies, 1);
        dworld_relink(&w);
        w.tag++;
        memset(&w.result, 0, sizeof(w.result));
        assert_int_equal(
            wrn_dht_store(w.nodes[2].dht, dworld_now(&w, 2), w.tag, dworld_span(&theirs)),
            WRN_REASON_NONE);
        inject_store(1, 2, &theirs, WRN_DHT_ASIDE);
        dworld_run(&w, WRN_MS(20 * turn));
        dworld_kill(&w, 0);
        dworld_relink(&w);
        dworld_run(&w, WRN_S(600));
        CHECK(w.result.is_done && w.result.reason == WRN_REASON_KEY_TAKEN,
              "turn %u: told %s: ", turn, wrn_reason_name(w.result.reason));
        CHECK(w.nodes[1].lost_count == 0, "turn %u: the first one lost: ", turn);
        for (uint32_t i = 1; i < w.count; i++) {
            CHECK(dworld_holds(&w, i, &mine) && !dworld_holds(&w, i, &theirs),
                  "turn %u, node %u: ", turn, i);
        }
        dworld_finish(&w);
    }
}

/* Another value of a claim is no new claim: where the owner is a holder itself, a thief beside it
 * gets nothing from being asked for a copy of that. */
static void one_holder_takes_nothing_from_who_updates(void **state) {
    (void)state;
    uint64_t seed = check_seed();
    for (uint32_t turn = 0; turn < 12; turn++) {
        begin(24, seed + turn);
        const char *key = "addr/10.7.7.6";
        uint32_t rank = turn % WRN_DHT_COPIES;
        uint32_t thief = dworld_ranked(&w, key, rank);
        uint32_t owner = dworld_ranked(&w, key, (rank + 1 + turn / 4) % WRN_DHT_COPIES);
        uint32_t friend = dworld_ranked(&w, key, w.count - 2);
        struct dworld_record mine = claim(owner, key, 0, 1);
        store_and_keep(owner, &mine);
        dworld_run(&w, WRN_S(2000));
        stolen = claim(friend, key, LONG_AGO, 1);
        memcpy(thief_owner, w.nodes[friend].public_key, sizeof(thief_owner));
        w.nodes[thief].hostile = be_a_thief;
        struct dworld_record next = claim(owner, key, 0, 2);
        keep(owner, &next);
        (void)dworld_store(&w, owner, &next); /* the thief may answer this */
        dworld_run(&w, WRN_S(4000));
        CHECK(w.nodes[owner].lost_count == 0, "turn %u: the owner gave its key up: ", turn);
        for (uint32_t i = 0; i < WRN_DHT_COPIES; i++) {
            uint32_t holder = dworld_ranked(&w, key, i);
            CHECK(holder == thief ||
                      (dworld_holds(&w, holder, &next) && !dworld_holds(&w, holder, &stolen)),
                  "turn %u, rank %u: ", turn, i);
        }
        dworld_finish(&w);
    }
}

/* What the liar answers to every STORE, after it has copied the record to its writer if so. */
static struct {
    enum wrn_reason reason;
    bool copies;
    uint32_t writer;
} lie;

static bool be_a_liar(struct dworld_node *node, const struct wrn_route_header *header,
                      wrn_handle from, wrn_span message) {
    struct wrn_dht_fields fields;
    (void)from;
    if (header == NULL) {
        return true;
    }
    if (!wrn_dht_message_read((wrn_span){message.data + 1, message.size - 1}, &fields) ||
        fields.type != WRN_DHT_MESSAGE_STORE) {
        return false;
    }
    struct wrn_dht_fields copy = {
        .type = WRN_DHT_MESSAGE_COPY, .number = 99, .claim_s = LONG_AGO, .record = fields.record};
    if (lie.copies) {
        say(lie.writer, node->index, &copy);
    }
    bool is_refused = lie.reason != WRN_REASON_NONE;
    struct wrn_dht_fields answer = {.type = WRN_DHT_MESSAGE_STORED,
                                    .nonce = fields.nonce,
                                    .reason = lie.reason,
                                    .copies = is_refused ? 0 : WRN_DHT_COPIES,
                                    .record = is_refused ? dworld_span(&stolen) : (wrn_span){0}};
    struct wrn_route_header back = {.target = header->source, .mode = WRN_ROUTE_EXACT};
    (void)wrn_dht_route(node->dht, &back, &answer);
    return true;
}

/* Begins a world in which the nearest node lies to a writer that is a holder, too. */
static uint32_t begin_with_a_liar(const char *key) {
    begin(12, check_seed());
    stolen = claim(dworld_ranked(&w, key, 0), key, LONG_AGO, 1);
    lie.writer = dworld_ranked(&w, key, 2);
    return lie.writer;
}

static void tell_lies(const char *key, enum wrn_reason reason, bool copies) {
    lie.reason = reason;
    lie.copies = copies;
    w.nodes[dworld_ranked(&w, key, 0)].hostile = be_a_liar;
}

/* One node's word that a key is somebody else's undoes nothing of what was granted before: not the
 * claim, and not that it was given back. */
static void what_was_granted_is_not_given_up_for_a_word(void **state) {
    (void)state;
    const char *key = "addr/10.7.7.6";
    uint32_t owner = begin_with_a_liar(key);
    struct dworld_record mine = claim(owner, key, 0, 1), next = claim(owner, key, 0, 2);
    store_and_keep(owner, &mine);
    dworld_run(&w, WRN_S(60));
    assert_true(dworld_holds(&w, owner, &mine));
    tell_lies(key, WRN_REASON_KEY_TAKEN, true);
    keep(owner, &next);
    (void)dworld_store(&w, owner, &next);
    assert_true(dworld_holds(&w, owner, &next));
    dworld_finish(&w);

    owner = begin_with_a_liar(key);
    mine = claim(owner, key, 0, 1);
    assert_int_equal(dworld_store(&w, owner, &mine), WRN_REASON_NONE);
    dworld_run(&w, WRN_S(60));
    struct dworld_record end = dworld_make(&w, owner, WRN_RECORD_DELETE, key, "", 2, 36000);
    tell_lies(key, WRN_REASON_KEY_TAKEN, true);
    (void)dworld_store(&w, owner, &end);
    dworld_run(&w, WRN_S(300));
    assert_false(dworld_holds(&w, owner, &mine));
    dworld_finish(&w);
}

/* What its owner has given back it does not hold, whether a holder tells it so or not. */
static void what_was_given_back_is_not_held(void **state) {
    (void)state;
    const char *key = "addr/10.7.7.6";
    uint32_t owner = begin_with_a_liar(key);
    tell_lies(key, WRN_REASON_NONE, false);
    struct dworld_record mine = claim(owner, key, 0, 1);
    assert_int_equal(dworld_store(&w, owner, &mine), WRN_REASON_NONE);
    struct dworld_record end = dworld_make(&w, owner, WRN_RECORD_DELETE, key, "", 2, 36000);
    assert_int_equal(dworld_store(&w, owner, &end), WRN_REASON_NONE);
    assert_false(dworld_holds(&w, owner, &mine));
    dworld_run(&w, WRN_S(300));
    assert_int_equal(dworld_copies(&w, &mine), 0);
    assert_int_equal(dworld_get(&w, owner, key), WRN_REASON_NOT_FOUND);
    dworld_finish(&w);
}

/* A version is replaced while it is being checked: the answer finds nothing of it any more. */
static void what_is_kept_changes_during_a_check(void **state) {
    (void)state;
    const char *key = "addr/10.7.7.6";
    begin(12, check_seed());
    uint32_t owner = dworld_ranked(&w, key, 1);
    struct dworld_record mine = claim(owner, key, 0, 1), next = claim(owner, key, 0, 2);
    const struct wrn_dht *dht = w.nodes[owner].dht;
    const struct wrn_dht_request *check = &dht->requests[dht->options.requests_max];
    store_and_keep(owner, &mine);
    for (uint32_t ms = 0; ms < 60000 && !check->is_used; ms++) {
        dworld_run(&w, WRN_MS(1));
    }
    assert_true(check->is_used);
    keep(owner, &next);
    dworld_run(&w, WRN_S(120));
    assert_int_equal(w.nodes[owner].lost_count, 0);
    assert_true(dworld_copies(&w, &next) >= WRN_DHT_COPIES);
    dworld_finish(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_back_dated_claim_takes_nothing),
        cmocka_unit_test(an_empty_holder_gives_no_way_in),
        cmocka_unit_test(holders_pass_claims_on),
        cmocka_unit_test(a_back_dated_claim_of_another_part_loses),
        cmocka_unit_test(one_holder_takes_nothing),
        cmocka_unit_test(parts_come_to_one_owner),
        cmocka_unit_test(small_parts_come_to_one_owner),
        cmocka_unit_test(what_was_refused_does_not_win_later),
        cmocka_unit_test(one_holder_takes_nothing_from_who_updates),
        cmocka_unit_test(what_was_granted_is_not_given_up_for_a_word),
        cmocka_unit_test(what_was_given_back_is_not_held),
        cmocka_unit_test(what_is_kept_changes_during_a_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
