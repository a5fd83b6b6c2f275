/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no node gets stored, deleted, hidden or believed what it is not entitled to, and no flood
 * costs more than it may. Method: rings in virtual time with nodes that lie, neighbours that send
 * what they should not, floods, garbage. */
#include <stdio.h>

#include "overlay/dht_internal.h"
#include "unit/base/check.h"
#include "unit/overlay/dht_world.h"

static struct dworld w;

static void begin(uint32_t nodes) {
    struct wrn_dht_options options = dworld_options();
    dworld_init(&w, check_seed(), nodes, &options);
    dworld_run(&w, WRN_S(30));
}

static void inject_copy(uint32_t to, uint32_t from, wrn_span record) {
    uint8_t bytes[WRN_MESSAGE_MAX];
    struct wrn_dht_fields copy = {.type = WRN_DHT_MESSAGE_COPY, .number = 77, .record = record};
    dworld_inject(&w, to, from, wrn_dht_message_write(&copy, bytes));
}

static void inject_store(uint32_t to, uint32_t source, wrn_span record, uint8_t flags) {
    uint8_t bytes[WRN_MESSAGE_MAX];
    struct wrn_dht_fields store = {
        .type = WRN_DHT_MESSAGE_STORE, .nonce = 77, .flags = flags, .record = record};
    dworld_inject_routed(&w, to, source, wrn_dht_message_write(&store, bytes));
}

static uint64_t count(uint32_t node, enum wrn_dht_count which) {
    return wrn_dht_count(w.nodes[node].dht, which);
}

/* Each way in which a record may be wrong has its refusal, by copies and by stores; nothing of it
 * is held, and what is held stays. */
static void wrong_records(void **state) {
    (void)state;
    begin(24);
    const char *key = "name/wrong";
    uint32_t root = dworld_ranked(&w, key, 0), peer = dworld_ranked(&w, key, 1);
    uint32_t far = dworld_far(&w, key, 8);
    struct dworld_record good = dworld_make(&w, 1, WRN_RECORD_CREATE, key, "mine", 5, 3600);
    assert_int_equal(dworld_store(&w, 1, &good), WRN_REASON_NONE);
    dworld_run(&w, WRN_S(2));

    struct dworld_record forged = dworld_make(&w, 1, WRN_RECORD_CREATE, key, "forged", 6, 3600);
    forged.bytes[forged.size - 20] ^= 1;
    struct dworld_record taken = dworld_make(&w, 2, WRN_RECORD_CREATE, key, "taken", 9, 3600);
    struct dworld_record old = dworld_make(&w, 1, WRN_RECORD_CREATE, key, "old", 4, 3600);
    struct dworld_record other = dworld_make(&w, 2, WRN_RECORD_DELETE, key, "", 99, 3600);
    struct wrn_record fields = {.kind = WRN_RECORD_CREATE,
                                .key = {(const uint8_t *)key, strlen(key)},
                                .sequence = 7,
                                .made_s = dworld_now(&w, root).wall.s - 100,
                                .ttl_s = 99};
    struct dworld_record ended = dworld_sign(&w, 1, fields);
    fields.made_s += WRN_CLOCK_TOLERANCE_S + 200;
    struct dworld_record future = dworld_sign(&w, 1, fields);
    const struct {
        const char *name;
        const struct dworld_record *record;
        enum wrn_dht_count counter;
    } cases[] = {
        {"forged", &forged, WRN_DHT_COUNT_REFUSED_SIGNATURE},
        {"taken", &taken, WRN_DHT_COUNT_REFUSED_TAKEN},
        {"old", &old, WRN_DHT_COUNT_REFUSED_STALE},
        {"ended", &ended, WRN_DHT_COUNT_REFUSED_TIME},
        {"future", &future, WRN_DHT_COUNT_REFUSED_TIME},
    };
    for (uint32_t i = 0; i < WRN_COUNT(cases); i++) {
        uint64_t before = count(root, cases[i].counter);
        inject_copy(root, peer, dworld_span(cases[i].record));
        CHECK(count(root, cases[i].counter) == before + 1, "%s by copy: ", cases[i].name);
        inject_store(root, far, dworld_span(cases[i].record), 0);
        CHECK(count(root, cases[i].counter) == before + 2, "%s by store: ", cases[i].name);
        assert_int_equal(dworld_copies(&w, cases[i].record), 0);
        assert_int_equal(dworld_copies(&w, &good), WRN_DHT_COPIES);
    }
    inject_copy(root, peer, dworld_span(&other)); /* somebody else's word deletes nothing */
    inject_copy(far, root, dworld_span(&good));
    assert_int_equal(count(far, WRN_DHT_COUNT_REFUSED_PLACE), 1);
    assert_false(dworld_holds(&w, far, &good));
    uint64_t malformed = count(root, WRN_DHT_COUNT_MALFORMED);
    inject_copy(root, peer, (wrn_span){(const uint8_t *)"(6:record)", 10});
    assert_int_equal(count(root, WRN_DHT_COUNT_MALFORMED), malformed + 1);
    dworld_run(&w, WRN_S(60));
    assert_int_equal(dworld_copies(&w, &good), WRN_DHT_COPIES);
    dworld_finish(&w);
}

/* An old version that would live longer does not come back when the newer one has ended. */
static void replay_after_end(void **state) {
    (void)state;
    begin(12);
    const char *key = "name/replay";
    struct dworld_record old = dworld_make(&w, 1, WRN_RECORD_CREATE, key, "old", 1, 36000);
    struct dworld_record newer = dworld_make(&w, 1, WRN_RECORD_CREATE, key, "new", 2, 100);
    assert_int_equal(dworld_store(&w, 1, &old), WRN_REASON_NONE);
    assert_int_equal(dworld_store(&w, 1, &newer), WRN_REASON_NONE);
    dworld_run(&w, WRN_S(200));
    assert_int_equal(dworld_copies(&w, &newer), 0);
    for (uint32_t rank = 0; rank < WRN_DHT_COPIES; rank++) {
        inject_copy(dworld_ranked(&w, key, rank), dworld_ranked(&w, key, 5), dworld_span(&old));
    }
    assert_int_equal(dworld_copies(&w, &old), 0);
    assert_int_equal(dworld_get(&w, 3, key), WRN_REASON_NOT_FOUND);
    struct dworld_record next = dworld_make(&w, 2, WRN_RECORD_CREATE, key, "free", 1, 100);
    assert_int_equal(dworld_store(&w, 2, &next), WRN_REASON_NONE); /* but the key is free */
    dworld_finish(&w);
}

static const char *lied_about;
static uint32_t lie;
static struct dworld_record false_record;

/* Answers every question itself: with nothing, with a record that is not what was asked for, with a
 * forged one, or not at all. */
static bool liar(struct dworld_node *node, const struct wrn_route_header *header, wrn_handle from,
                 wrn_span message) {
    struct wrn_dht_fields question;
    uint8_t items[WRN_RECORD_MAX + 2], bytes[WRN_MESSAGE_MAX];
    (void)from;
    if (!wrn_dht_message_read((wrn_span){message.data + 1, message.size - 1}, &question) ||
        (question.type != WRN_DHT_MESSAGE_GET && question.type != WRN_DHT_MESSAGE_ASK)) {
        return false;
    }
    struct wrn_dht_fields answer = {.type = WRN_DHT_MESSAGE_ANSWER,
                                    .nonce = question.nonce,
                                    .reason = lie == 0 ? WRN_REASON_NOT_FOUND : WRN_REASON_NONE};
    if (lie >= 1 && lie <= 2) {
        wrn_store_be16(items, (uint16_t)false_record.size);
        memcpy(items + 2, false_record.bytes, false_record.size);
        answer.items = (wrn_span){items, 2 + false_record.size};
        answer.count = 1;
    }
    wrn_id asker = header != NULL ? header->source : question.source;
    for (uint32_t i = 0; i < w.count && lie != 3; i++) {
        if (wrn_id_equal(w.nodes[i].id, asker)) {
            struct wrn_route_header back = {.source = node->id, .target = asker};
            wrn_dht_on_payload(w.nodes[i].dht, dworld_now(&w, i), &back, dworld_peer(&w, 0),
                               wrn_dht_message_write(&answer, bytes));
        }
    }
    return true;
}

/* A nearest node that lies hides no record, whatever it says. Hardly ever do all ways of somebody
 * lead to it: then there is no answer, but never that there is nothing. */
static void lying_root(void **state) {
    (void)state;
    for (lie = 0; lie <= 3; lie++) {
        begin(40);
        lied_about = "name/hidden";
        struct dworld_record record =
            dworld_make(&w, 1, WRN_RECORD_CREATE, lied_about, "true", 5, 3600);
        assert_int_equal(dworld_store(&w, 1, &record), WRN_REASON_NONE);
        dworld_run(&w, WRN_S(2));
        false_record = dworld_make(&w, 1, WRN_RECORD_CREATE, "name/another", "false", 5, 3600);
        if (lie == 2) {
            false_record = record;
            false_record.bytes[record.size - 5] ^= 4;
        }
        w.nodes[dworld_ranked(&w, lied_about, 0)].hostile = liar;
        uint32_t timeouts = 0;
        for (uint32_t i = 0; i < w.count; i++) {
            if (w.nodes[i].hostile == NULL) {
                enum wrn_reason reason = dworld_get(&w, i, lied_about);
                timeouts += reason == WRN_REASON_TIMEOUT;
                if (reason != WRN_REASON_TIMEOUT || timeouts > 8) {
                    CHECK(reason == WRN_REASON_NONE && w.result.count == 1,
                          "lie %u, node %u: %s: ", lie, i, wrn_reason_name(reason));
                    assert_memory_equal(w.result.records[0], record.bytes, record.size);
                }
            }
        }
        dworld_finish(&w);
    }
}

static bool refuser(struct dworld_node *node, const struct wrn_route_header *header,
                    wrn_handle from, wrn_span message) {
    struct wrn_dht_fields question;
    uint8_t bytes[WRN_MESSAGE_MAX];
    (void)from;
    if (header == NULL ||
        !wrn_dht_message_read((wrn_span){message.data + 1, message.size - 1}, &question) ||
        question.type != WRN_DHT_MESSAGE_STORE) {
        return false;
    }
    struct wrn_dht_fields answer = {
        .type = WRN_DHT_MESSAGE_STORED,
        .nonce = question.nonce,
        .reason = lie == 0   ? WRN_REASON_KEY_TAKEN
                  : lie == 1 ? WRN_REASON_RULE
                             : WRN_REASON_STALE,
        .record = {false_record.bytes, lie != 1 ? false_record.size : 0},
    };
    answer.record = lie == 2 ? question.record : answer.record;
    for (uint32_t i = 0; i < w.count; i++) {
        if (wrn_id_equal(w.nodes[i].id, header->source)) {
            struct wrn_route_header back = {.source = node->id, .target = w.nodes[i].id};
            wrn_dht_on_payload(w.nodes[i].dht, dworld_now(&w, i), &back, dworld_peer(&w, 0),
                               wrn_dht_message_write(&answer, bytes));
        }
    }
    return true;
}

/* Nor does it keep others from storing, with a proof that proves nothing (a record under another
 * key, the very record, one beside it that is newer) or its bare word. */
static void refusing_root(void **state) {
    (void)state;
    for (lie = 0; lie < 4; lie++) {
        begin(40);
        const char *key = "name/refused";
        uint32_t root = dworld_ranked(&w, key, 0);
        false_record = dworld_make(&w, root, WRN_RECORD_CREATE, "name/another", "x", 5, 3600);
        w.nodes[root].hostile = refuser;
        uint32_t owner = root == 1 ? 2 : 1;
        struct dworld_record record =
            dworld_make(&w, owner, WRN_RECORD_CREATE, key, "true", 5, 3600);
        if (lie == 3) {
            false_record = dworld_make(&w, owner, WRN_RECORD_PUT, key, "beside", 9, 3600);
        }
        assert_int_equal(dworld_store(&w, dworld_far(&w, key, 8), &record), WRN_REASON_NONE);
        assert_true(dworld_copies(&w, &record) >= 3);
        dworld_finish(&w);
    }
}

/* Forged signatures cost so many verifications and no more; honest neighbours get through. */
static void flood(void **state) {
    (void)state;
    begin(24);
    const char *key = "name/flood";
    uint32_t root = dworld_ranked(&w, key, 0);
    uint32_t evil = dworld_ranked(&w, key, 1), honest = dworld_ranked(&w, key, 2);
    struct dworld_record record = dworld_make(&w, 1, WRN_RECORD_PUT, key, "v", 1, 3600);
    struct dworld_record forged = record;
    forged.bytes[forged.size - 9] ^= 1;
    for (uint32_t i = 0; i < 5000; i++) {
        inject_copy(root, evil, dworld_span(&forged));
    }
    assert_true(count(root, WRN_DHT_COUNT_REFUSED_SIGNATURE) <= 120);
    assert_true(count(root, WRN_DHT_COUNT_REFUSED_RATE) >= 4800);
    inject_copy(root, honest, dworld_span(&record));
    assert_true(dworld_holds(&w, root, &record));
    /* questions and digests: answered up to a rate, at most two messages each */
    uint8_t bytes[WRN_MESSAGE_MAX];
    struct wrn_dht_fields get = {
        .type = WRN_DHT_MESSAGE_GET, .nonce = 1, .key = {(const uint8_t *)"name/none", 9}};
    wrn_span question = wrn_dht_message_write(&get, bytes);
    uint64_t routed = w.nodes[root].routed;
    for (uint32_t i = 0; i < 2000; i++) {
        dworld_inject_routed(&w, root, evil, question);
    }
    assert_true(w.nodes[root].routed - routed <= 1001);
    struct wrn_dht_fields digest = {.type = WRN_DHT_MESSAGE_DIGEST, .number = 1};
    wrn_span list = wrn_dht_message_write(&digest, bytes);
    uint64_t wants = w.nodes[root].sent[WRN_DHT_MESSAGE_WANT & 15];
    for (uint32_t i = 0; i < 2000; i++) {
        dworld_inject(&w, root, evil, list);
    }
    assert_true(w.nodes[root].sent[WRN_DHT_MESSAGE_WANT & 15] - wants <= 61);
    dworld_finish(&w);
}

/* Whoever says that a kept record lost must show a record that wins. */
static void false_losses(void **state) {
    (void)state;
    begin(12);
    const char *key = "name/kept";
    struct dworld_record mine = dworld_make(&w, 1, WRN_RECORD_CREATE, key, "mine", 5, 3600);
    assert_int_equal(wrn_dht_keep(w.nodes[1].dht, dworld_now(&w, 1), dworld_span(&mine)),
                     WRN_REASON_NONE);
    struct wrn_record fields = {.kind = WRN_RECORD_CREATE,
                                .key = {(const uint8_t *)key, strlen(key)},
                                .sequence = 7,
                                .claimed_s = dworld_now(&w, 1).wall.s + 1,
                                .made_s = dworld_now(&w, 1).wall.s + 1,
                                .ttl_s = 3600};
    struct dworld_record later = dworld_sign(&w, 2, fields);
    fields.claimed_s = 5;
    struct dworld_record earlier = dworld_sign(&w, 2, fields);
    struct dworld_record forged = earlier;
    forged.bytes[forged.size - 9] ^= 1;
    struct dworld_record put = dworld_make(&w, 2, WRN_RECORD_PUT, key, "x", 5, 3600);
    const struct dworld_record *losses[] = {&later, &forged, &put, &earlier};
    for (uint32_t i = 0; i < WRN_COUNT(losses); i++) {
        uint8_t bytes[WRN_MESSAGE_MAX];
        struct wrn_dht_fields loss = {.type = WRN_DHT_MESSAGE_LOSS,
                                      .record = dworld_span(losses[i])};
        dworld_inject_routed(&w, 1, 2, wrn_dht_message_write(&loss, bytes));
        dworld_run(&w, WRN_S(20)); /* the holders are asked, and know of none of them */
        assert_int_equal(w.nodes[1].lost_count, 0);
    }
    assert_int_equal(dworld_get(&w, 5, key), WRN_REASON_NONE);
    assert_int_equal(dworld_copies(&w, &mine), WRN_DHT_COPIES);
    dworld_finish(&w);
}

static enum wrn_reason only_even(void *ctx, const struct wrn_record *record, wrn_wall now) {
    (void)ctx, (void)now;
    return record->sequence % 2 == 0 ? WRN_REASON_NONE : WRN_REASON_RULE;
}

/* The rule of a family decides at once at the writer, at every holder, and in answers. */
static void rule(void **state) {
    (void)state;
    struct wrn_dht_options options = dworld_options();
    options.rule = only_even;
    dworld_init(&w, check_seed(), 20, &options);
    dworld_run(&w, WRN_S(30));
    struct dworld_record even = dworld_make(&w, 1, WRN_RECORD_CREATE, "a/even", "x", 2, 3600);
    struct dworld_record odd = dworld_make(&w, 1, WRN_RECORD_CREATE, "a/odd", "x", 3, 3600);
    assert_int_equal(dworld_store(&w, 1, &even), WRN_REASON_NONE);
    assert_int_equal(dworld_store(&w, 1, &odd), WRN_REASON_RULE);
    assert_true(w.result.took_ms <= 10);
    for (uint32_t i = 0; i < w.count; i++) {
        uint8_t bytes[WRN_MESSAGE_MAX];
        struct wrn_dht_fields store = {
            .type = WRN_DHT_MESSAGE_STORE, .nonce = 77, .record = dworld_span(&odd)};
        dworld_inject_routed(&w, i, 1, wrn_dht_message_write(&store, bytes));
    }
    dworld_run(&w, WRN_S(5));
    assert_int_equal(dworld_copies(&w, &odd), 0);
    assert_int_equal(dworld_get(&w, 5, "a/even"), WRN_REASON_NONE);
    lie = 1;
    false_record = odd;
    uint32_t asker = dworld_far(&w, "a/odd", 8);
    w.nodes[dworld_ranked(&w, "a/odd", 0)].hostile = liar;
    assert_int_not_equal(dworld_get(&w, asker, "a/odd"), WRN_REASON_NONE);
    assert_int_equal(w.result.count, 0);
    dworld_finish(&w);
}

/* More stores at once than a holder can watch: all are answered, all end up stored. */
static void full_pools(void **state) {
    (void)state;
    begin(30);
    struct dworld_record records[60];
    uint32_t root = dworld_ranked(&w, "svc/busy", 0);
    for (uint32_t i = 0; i < WRN_COUNT(records); i++) {
        char value[20];
        snprintf(value, sizeof(value), "%u", i);
        records[i] = dworld_make(&w, i % 30, WRN_RECORD_PUT, "svc/busy", value, 1, 3600);
        inject_store(root, i % 30 == root ? (i + 1) % 30 : i % 30, dworld_span(&records[i]), 0);
    }
    dworld_run(&w, WRN_S(60));
    for (uint32_t i = 0; i < WRN_COUNT(records); i++) {
        assert_true(dworld_copies(&w, &records[i]) >= WRN_DHT_COPIES);
    }
    dworld_finish(&w);
}

/* What is read can be written again, byte for byte; cut or changed messages break nothing. */
static void garbage(void **state) {
    (void)state;
    begin(12);
    struct wrn_rand rand = wrn_prng_rand(&w.prng);
    struct dworld_record record = dworld_make(&w, 1, WRN_RECORD_CREATE, "a/b", "x", 2, 3600);
    for (uint32_t i = 0; i < 100000; i++) {
        static const uint8_t types[] = {1, 2, 3, 4, 5, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16};
        uint8_t bytes[WRN_MESSAGE_MAX], again[WRN_MESSAGE_MAX];
        struct wrn_dht_fields fields;
        uint32_t type = types[wrn_rand_below(rand, WRN_COUNT(types))];
        size_t size = 2 + wrn_rand_below(rand, 60);
        wrn_rand_fill(rand, bytes, size);
        for (size_t j = 2; j < size; j++) {
            bytes[j] = wrn_rand_below(rand, 3) != 0 ? 0 : bytes[j];
        }
        if (wrn_rand_below(rand, 2) == 0) {
            memcpy(bytes + size, record.bytes, record.size);
            size += record.size - wrn_rand_below(rand, 2);
        }
        bool is_routed = type < 0x10;
        bytes[0] = is_routed ? WRN_PAYLOAD_DHT : WRN_MESSAGE_DHT;
        bytes[1] = (uint8_t)type;
        wrn_span message = {bytes, size};
        if (wrn_dht_message_read((wrn_span){bytes + 1, size - 1}, &fields)) {
            wrn_span written = wrn_dht_message_write(&fields, again);
            assert_int_equal(written.size, size);
            assert_memory_equal(written.data, bytes, size);
        }
        if (is_routed) {
            dworld_inject_routed(&w, i % 12, (i + 1) % 12, message);
        } else {
            dworld_inject(&w, i % 12, (i + 1) % 12, message);
        }
        if (i % 16 == 0) {
            dworld_run(&w, WRN_MS(50));
        }
    }
    assert_true(count(0, WRN_DHT_COUNT_MALFORMED) > 1000);
    dworld_finish(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_records), cmocka_unit_test(replay_after_end),
        cmocka_unit_test(lying_root),    cmocka_unit_test(refusing_root),
        cmocka_unit_test(flood),         cmocka_unit_test(false_losses),
        cmocka_unit_test(rule),          cmocka_unit_test(full_pools),
        cmocka_unit_test(garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
