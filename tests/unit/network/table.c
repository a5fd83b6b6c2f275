/* SPDX-License-Identifier: Apache-2.0 */
/* Decides as holders do: by wrn_record_wins between owners, by the sequence for one of them. */
#include "unit/network/table.h"

#include "unit/base/check.h"

enum { RECORDS_MAX = 512, PENDING_MAX = 64, SQUATTER = 255, PARTS_MAX = 4 };

struct entry {
    bool is_used;
    bool is_kept;
    uint8_t part;
    unsigned owner;
    uint32_t size;
    uint8_t bytes[WRN_RECORD_MAX];
};

struct pending {
    bool is_used;
    wrn_mono at;
    uint64_t order;
    unsigned node;
    uint32_t tag;
    enum wrn_dht_verb verb;
    bool keep;
    uint32_t size; /* STORE: a record; GET: a key */
    uint8_t bytes[WRN_RECORD_MAX];
};

struct node {
    struct table_machine machine;
    uint8_t seed[WRN_SEED_SIZE], public_key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t part;
    enum wrn_reason forced, refused;
    bool is_garbled;
    unsigned requests;
};

static struct {
    struct wrn_crypto *crypto;
    struct wrn_primitives primitives;
    struct wrn_prng prng;
    struct wrn_now now;
    uint64_t order, sequence;
    unsigned node_count;
    struct node nodes[TABLE_NODES_MAX];
    struct entry entries[RECORDS_MAX];
    struct pending pending[PENDING_MAX];
} table;

static struct pending *add_pending(unsigned node, uint32_t tag, enum wrn_dht_verb verb);
static void perform(struct pending *pending);
static void answer(const struct pending *pending, enum wrn_reason reason, wrn_span record);
static enum wrn_reason place(const struct pending *pending, const struct entry **ret_winner);
static struct entry *find(unsigned part, wrn_span key);
static struct wrn_record read_record(wrn_span bytes);
static struct entry *add_entry(unsigned part, unsigned owner, wrn_span bytes, bool is_kept);
static void lose(struct entry *entry, wrn_span winner, enum wrn_reason reason);
static wrn_span key_of(const char *key);

void table_begin(uint64_t seed) {
    memset(&table, 0, sizeof table);
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_AUTO, &table.crypto), 0);
    table.primitives = wrn_primitives(table.crypto);
    wrn_prng_init(&table.prng, seed, 1);
    table.now = (struct wrn_now){.mono = {WRN_S(1000)}, .wall = {.s = 1795000000}};
}

void table_end(void) {
    wrn_crypto_destroy(table.crypto);
}

unsigned table_add(struct table_machine machine) {
    unsigned number = table.node_count++;
    assert_true(number < TABLE_NODES_MAX);
    struct node *node = &table.nodes[number];
    node->machine = machine;
    memset(node->seed, (int)number + 1, sizeof node->seed);
    assert_true(wrn_sign_public(node->seed, node->public_key));
    return number;
}

const uint8_t *table_public(unsigned node) {
    return table.nodes[node].public_key;
}

const struct wrn_primitives *table_primitives(void) {
    return &table.primitives;
}

struct wrn_rand table_rand(void) {
    return wrn_prng_rand(&table.prng);
}

struct wrn_now table_now(void) {
    return table.now;
}

enum wrn_reason table_store(unsigned number, const struct wrn_claim_request *request) {
    struct node *node = &table.nodes[number];
    struct wrn_record record = {.kind = request->kind,
                                .key = request->key,
                                .value = request->value,
                                .sequence = ++table.sequence,
                                .claimed_s = request->claimed_s,
                                .made_s = table.now.wall.s,
                                .ttl_s = request->ttl_s};
    node->requests++;
    if (node->refused != WRN_REASON_NONE) {
        return node->refused;
    }
    struct pending *pending = add_pending(number, request->tag, WRN_DHT_STORE);
    pending->keep = request->keep;
    pending->size = (uint32_t)wrn_record_write(&record, &table.primitives, node->seed,
                                               pending->bytes, sizeof pending->bytes);
    assert_true(pending->size > 0);
    return WRN_REASON_NONE;
}

enum wrn_reason table_get(unsigned number, uint32_t tag, wrn_span key) {
    struct node *node = &table.nodes[number];
    node->requests++;
    if (node->refused != WRN_REASON_NONE) {
        return node->refused;
    }
    struct pending *pending = add_pending(number, tag, WRN_DHT_GET);
    pending->size = (uint32_t)key.size;
    memcpy(pending->bytes, key.data, key.size);
    return WRN_REASON_NONE;
}

void table_part(unsigned node, unsigned part) {
    table.nodes[node].part = (uint8_t)part;
    for (size_t i = 0; i < RECORDS_MAX; i++) { /* its records go with it */
        if (table.entries[i].is_used && table.entries[i].owner == node) {
            table.entries[i].part = (uint8_t)part;
        }
    }
}

void table_heal(void) {
    for (unsigned node = 0; node < table.node_count; node++) {
        table.nodes[node].part = 0;
    }
    for (size_t i = 0; i < RECORDS_MAX; i++) {
        struct entry *a = &table.entries[i];
        a->part = 0;
        for (size_t j = 0; a->is_used && j < i; j++) {
            struct entry *b = &table.entries[j];
            struct wrn_record mine, theirs;
            if (!b->is_used) {
                continue;
            }
            mine = read_record((wrn_span){a->bytes, a->size});
            theirs = read_record((wrn_span){b->bytes, b->size});
            if (mine.key.size != theirs.key.size ||
                memcmp(mine.key.data, theirs.key.data, mine.key.size) != 0) {
                continue;
            }
            bool stays = wrn_record_wins(&mine, &theirs);
            struct entry *winner = stays ? a : b;
            lose(stays ? b : a, (wrn_span){winner->bytes, winner->size}, WRN_REASON_KEY_TAKEN);
        }
    }
}

void table_force(unsigned node, enum wrn_reason reason) {
    table.nodes[node].forced = reason;
}

void table_refuse(unsigned node, enum wrn_reason reason) {
    table.nodes[node].refused = reason;
}

void table_garble(unsigned node, bool is_garbled) {
    table.nodes[node].is_garbled = is_garbled;
}

void table_squat(const char *key, wrn_span value) {
    uint8_t bytes[WRN_RECORD_MAX];
    uint8_t seed[WRN_SEED_SIZE];
    struct wrn_record record = {.kind = WRN_RECORD_CREATE,
                                .key = key_of(key),
                                .value = value,
                                .sequence = 1,
                                .claimed_s = 1000000000,
                                .made_s = table.now.wall.s,
                                .ttl_s = WRN_RECORD_TTL_MAX_S};
    memset(seed, SQUATTER, sizeof seed);
    size_t size = wrn_record_write(&record, &table.primitives, seed, bytes, sizeof bytes);
    assert_true(size > 0);
    (void)add_entry(0, SQUATTER, (wrn_span){bytes, size}, false);
}

void table_forget(unsigned node, const char *key, enum wrn_reason reason) {
    struct entry *entry = find(table.nodes[node].part, key_of(key));
    assert_non_null(entry);
    assert_int_equal(entry->owner, node);
    lose(entry, (wrn_span){NULL, 0}, reason);
}

unsigned table_count(void) {
    unsigned count = 0;
    for (size_t i = 0; i < RECORDS_MAX; i++) {
        count += table.entries[i].is_used ? 1 : 0;
    }
    return count;
}

int table_owner(const char *key) {
    for (unsigned part = 0; part < PARTS_MAX; part++) {
        const struct entry *entry = find(part, key_of(key));
        if (entry != NULL) {
            return entry->owner == SQUATTER ? -2 : (int)entry->owner;
        }
    }
    return -1;
}

unsigned table_requests(unsigned node) {
    return table.nodes[node].requests;
}

void table_run(uint32_t s) {
    wrn_mono end = wrn_mono_add(table.now.mono, WRN_S(s));
    for (uint32_t steps = 0;; steps++) {
        struct pending *first = NULL;
        wrn_mono next = end;
        assert_true(steps < 1000000); /* a machine that asks without end */
        for (size_t i = 0; i < PENDING_MAX; i++) {
            struct pending *pending = &table.pending[i];
            if (pending->is_used && pending->at.ns <= next.ns &&
                (first == NULL || pending->at.ns < first->at.ns ||
                 (pending->at.ns == first->at.ns && pending->order < first->order))) {
                first = pending;
                next = pending->at;
            }
        }
        struct node *timer = NULL;
        for (unsigned i = 0; i < table.node_count; i++) {
            struct node *node = &table.nodes[i];
            if (node->machine.due(node->machine.it).ns < next.ns) {
                next = node->machine.due(node->machine.it);
                timer = node;
            }
        }
        if (next.ns > table.now.mono.ns) {
            int64_t whole = (int64_t)(next.ns / WRN_S(1)) - (int64_t)(table.now.mono.ns / WRN_S(1));
            table.now.wall.s += whole;
            table.now.mono = next;
        }
        if (timer != NULL) {
            timer->machine.on_time(timer->machine.it, table.now);
            assert_true(timer->machine.due(timer->machine.it).ns > table.now.mono.ns);
        } else if (first != NULL) {
            perform(first);
        } else {
            return;
        }
    }
}

static struct pending *add_pending(unsigned node, uint32_t tag, enum wrn_dht_verb verb) {
    for (size_t i = 0; i < PENDING_MAX; i++) {
        struct pending *pending = &table.pending[i];
        if (!pending->is_used) {
            uint64_t took = WRN_MS(50 + wrn_rand_below(table_rand(), 400));
            *pending = (struct pending){.is_used = true,
                                        .at = wrn_mono_add(table.now.mono, took),
                                        .order = table.order++,
                                        .node = node,
                                        .tag = tag,
                                        .verb = verb};
            return pending;
        }
    }
    fail_msg("%s", "more requests than a node may have");
    return NULL;
}

static void perform(struct pending *from) {
    struct pending pending = *from; /* the answer may begin others */
    const struct node *node = &table.nodes[pending.node];
    const struct entry *entry = NULL;
    from->is_used = false;
    if (node->forced == WRN_REASON_TIMEOUT) {
        return; /* worse than the DHT, which always says so */
    }
    if (node->forced != WRN_REASON_NONE && node->forced != WRN_REASON_KEY_TAKEN) {
        answer(&pending, node->forced, (wrn_span){NULL, 0});
        return;
    }
    enum wrn_reason reason = WRN_REASON_NONE;
    if (node->forced == WRN_REASON_KEY_TAKEN) {
        entry = find(node->part, read_record((wrn_span){pending.bytes, pending.size}).key);
    } else if (pending.verb == WRN_DHT_STORE) {
        reason = place(&pending, &entry);
    } else {
        entry = find(node->part, (wrn_span){pending.bytes, pending.size});
        reason = entry != NULL ? WRN_REASON_NONE : WRN_REASON_NOT_FOUND;
    }
    if (node->forced == WRN_REASON_KEY_TAKEN) {
        reason = WRN_REASON_KEY_TAKEN;
    }
    answer(&pending, reason,
           entry != NULL ? (wrn_span){entry->bytes, entry->size} : (wrn_span){NULL, 0});
}

static void answer(const struct pending *pending, enum wrn_reason reason, wrn_span record) {
    static const uint8_t garbage[] = "(signed (record (version 1)))";
    const struct node *node = &table.nodes[pending->node];
    struct wrn_dht_answer answer = {.tag = pending->tag,
                                    .verb = pending->verb,
                                    .reason = reason,
                                    .record = record,
                                    .is_last = true,
                                    .copies = 2};
    if (node->is_garbled && record.size > 0) {
        answer.record = (wrn_span){garbage, sizeof garbage - 1};
    }
    node->machine.on_answer(node->machine.it, table.now, &answer);
}

static enum wrn_reason place(const struct pending *pending, const struct entry **ret_winner) {
    const struct node *node = &table.nodes[pending->node];
    wrn_span bytes = {pending->bytes, pending->size};
    struct wrn_record record = read_record(bytes);
    struct entry *entry = find(node->part, record.key);
    if (record.kind == WRN_RECORD_DELETE) {
        if (entry != NULL && entry->owner == pending->node) {
            entry->is_used = false;
        }
        return WRN_REASON_NONE;
    }
    if (entry == NULL) {
        (void)add_entry(node->part, pending->node, bytes, pending->keep);
        return WRN_REASON_NONE;
    }
    struct wrn_record there = read_record((wrn_span){entry->bytes, entry->size});
    if (entry->owner != pending->node && !wrn_record_wins(&record, &there)) {
        *ret_winner = entry;
        return WRN_REASON_KEY_TAKEN;
    }
    bool was_others = entry->owner != pending->node;
    struct entry old = *entry;
    entry->is_used = false;
    (void)add_entry(node->part, pending->node, bytes, pending->keep);
    if (was_others) {
        lose(&old, bytes, WRN_REASON_KEY_TAKEN);
    }
    return WRN_REASON_NONE;
}

static struct entry *find(unsigned part, wrn_span key) {
    for (size_t i = 0; i < RECORDS_MAX; i++) {
        struct entry *entry = &table.entries[i];
        if (entry->is_used && entry->part == part) {
            struct wrn_record record = read_record((wrn_span){entry->bytes, entry->size});
            if (record.key.size == key.size && memcmp(record.key.data, key.data, key.size) == 0) {
                return entry;
            }
        }
    }
    return NULL;
}

static struct wrn_record read_record(wrn_span bytes) {
    struct wrn_record record;
    assert_int_equal(wrn_record_read(bytes, &table.primitives, &record), WRN_REASON_NONE);
    return record;
}

static struct entry *add_entry(unsigned part, unsigned owner, wrn_span bytes, bool is_kept) {
    for (size_t i = 0; i < RECORDS_MAX; i++) {
        struct entry *entry = &table.entries[i];
        if (!entry->is_used) {
            *entry = (struct entry){.is_used = true,
                                    .is_kept = is_kept,
                                    .part = (uint8_t)part,
                                    .owner = owner,
                                    .size = (uint32_t)bytes.size};
            memcpy(entry->bytes, bytes.data, bytes.size);
            return entry;
        }
    }
    fail_msg("%s", "the table of the test is full");
    return NULL;
}

/* Takes a record away and tells who kept it. */
static void lose(struct entry *entry, wrn_span winner, enum wrn_reason reason) {
    struct entry old = *entry;
    uint8_t copy[WRN_RECORD_MAX];
    memcpy(copy, winner.data != NULL ? winner.data : old.bytes, winner.size);
    entry->is_used = false;
    if (old.is_kept && old.owner != SQUATTER) {
        const struct table_machine *machine = &table.nodes[old.owner].machine;
        machine->on_lost(machine->it, table.now, (wrn_span){old.bytes, old.size},
                         (wrn_span){copy, winner.size}, reason);
    }
}

static wrn_span key_of(const char *key) {
    return (wrn_span){(const uint8_t *)key, strlen(key)};
}
