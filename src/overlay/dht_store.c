/* SPDX-License-Identifier: Apache-2.0 */
/* The records that a node holds, in fixed memory. Decides what may stand beside what. */
#include "overlay/dht_store.h"

/* How an entry and a candidate under one key stand to one another. */
enum relation {
    APART,     /* both may be */
    HELD,      /* they are the same */
    STALE,     /* the entry is newer */
    TAKEN,     /* the entry is another owner's and stays */
    GIVES_WAY, /* the candidate replaces it */
    LOSES,     /* ... though it is another owner's */
};

/* What is beside a candidate under its key, and what would give way to it. */
struct sums {
    uint32_t of_key;
    uint32_t of_owner;
    uint32_t freed; /* bytes */
    uint32_t freed_own;
    uint32_t freed_count;
};

/* Before the bytes of each record in the block. */
enum { HEAD_SIZE = 8 };
struct head {
    uint32_t index; /* of the entry; NO_ENTRY: a hole */
    uint32_t room;  /* bytes to the next head, this one included */
};

static bool is_claim(const struct wrn_dht_entry *entry);
static enum relation relate(const struct wrn_dht_store *store, const struct wrn_dht_entry *entry,
                            const struct wrn_dht_candidate *candidate, bool is_strict);
static enum relation relate_own(const struct wrn_dht_entry *entry,
                                const struct wrn_dht_candidate *candidate);
static void count_beside(struct sums *sums, const struct wrn_dht_entry *entry, bool own);
static enum wrn_reason find_room(const struct wrn_dht_store *store,
                                 const struct wrn_dht_candidate *candidate,
                                 const struct sums *sums);
static bool is_newer(const struct wrn_dht_candidate *candidate, const struct wrn_dht_entry *entry);
static bool is_own(const struct wrn_dht_store *store, const struct wrn_dht_entry *entry,
                   const struct wrn_dht_candidate *candidate);
static bool is_of_key(const struct wrn_dht_store *store, const struct wrn_dht_entry *entry,
                      wrn_id place, wrn_span key);
static uint32_t *key_chain(const struct wrn_dht_store *store, uint64_t high);
static uint32_t *owner_chain(const struct wrn_dht_store *store, const uint8_t *key);
static uint32_t find_owner(const struct wrn_dht_store *store, const uint8_t *key);
static uint32_t take_owner(struct wrn_dht_store *store, const uint8_t *key);
static void give_owner(struct wrn_dht_store *store, uint32_t index);
static uint32_t take_entry(struct wrn_dht_store *store);
static uint32_t append(struct wrn_dht_store *store, uint32_t index, wrn_span bytes);
static void compact(struct wrn_dht_store *store);
static uint32_t room_of(size_t size);

void wrn_dht_store_init(struct wrn_dht_store *store, struct wrn_arena *arena, uint32_t records_max,
                        uint32_t bytes_max, uint32_t writer_bytes_max,
                        const struct wrn_primitives *primitives, uint64_t seed) {
    WRN_ASSERT(records_max >= 1 && records_max < WRN_DHT_NO_ENTRY / 2 && bytes_max >= 1);
    WRN_ASSERT(bytes_max <= UINT32_MAX / 2 && records_max <= UINT32_MAX / 64);
    uint32_t bits = 1;
    while ((1u << bits) < records_max) {
        bits++;
    }
    store->primitives = primitives;
    store->records_max = records_max;
    store->bytes_max = bytes_max;
    store->writer_bytes_max = writer_bytes_max;
    store->block_size = bytes_max + records_max * WRN_DHT_ROOM_FOR_HEAD;
    store->block = wrn_arena_take(arena, store->block_size, 1);
    store->entries = wrn_arena_take(arena, records_max, sizeof(*store->entries));
    store->owners = wrn_arena_take(arena, records_max, sizeof(*store->owners));
    store->key_chains = wrn_arena_take(arena, (size_t)1 << bits, sizeof(uint32_t));
    store->owner_chains = wrn_arena_take(arena, (size_t)1 << bits, sizeof(uint32_t));
    wrn_heap_init(&store->ends, arena, records_max);
    store->chain_bits = bits;
    store->seed = seed | 1;
    store->free_entry = store->free_owner = WRN_DHT_NO_ENTRY;
    if (store->key_chains != NULL) {
        memset(store->key_chains, 0xff, sizeof(uint32_t) << bits);
        memset(store->owner_chains, 0xff, sizeof(uint32_t) << bits);
    }
}

enum wrn_reason wrn_dht_candidate_read(struct wrn_dht_candidate *candidate, wrn_span bytes,
                                       const struct wrn_primitives *primitives) {
    uint8_t hash[WRN_HASH_SIZE];
    enum wrn_reason reason = wrn_record_read(bytes, primitives, &candidate->record);
    if (reason != WRN_REASON_NONE) {
        return reason;
    }
    primitives->hash(primitives->ctx, bytes, (wrn_span){0}, hash);
    candidate->bytes = bytes;
    candidate->version = wrn_load_be64(hash);
    candidate->place = wrn_record_place(candidate->record.key, primitives);
    uint64_t id = wrn_load_be64(candidate->record.hash);
    candidate->value_id = candidate->record.kind == WRN_RECORD_CREATE ? 1 : id < 2 ? 2 : id;
    candidate->claim_s = candidate->record.claimed_s;
    return WRN_REASON_NONE;
}

struct wrn_dht_verdict wrn_dht_store_judge(const struct wrn_dht_store *store,
                                           const struct wrn_dht_candidate *candidate,
                                           bool is_strict) {
    struct wrn_dht_verdict verdict = {.reason = WRN_REASON_NONE, .existing = WRN_DHT_NO_ENTRY};
    struct sums sums = {0};
    uint32_t index = *key_chain(store, candidate->place.high);
    for (; index != WRN_DHT_NO_ENTRY; index = store->entries[index].next) {
        const struct wrn_dht_entry *entry = &store->entries[index];
        if (!is_of_key(store, entry, candidate->place, candidate->record.key)) {
            continue;
        }
        enum relation relation = relate(store, entry, candidate, is_strict);
        if (relation == APART) {
            count_beside(&sums, entry, is_own(store, entry, candidate));
            continue;
        }
        if (relation < GIVES_WAY) {
            verdict.is_held = relation == HELD;
            verdict.is_conflict = false;
            verdict.existing = index;
            verdict.reason = relation == TAKEN   ? WRN_REASON_KEY_TAKEN
                             : relation == STALE ? WRN_REASON_STALE
                                                 : WRN_REASON_NONE;
            return verdict;
        }
        sums.freed += entry->size;
        sums.freed_own += relation == LOSES ? 0 : entry->size;
        sums.freed_count++;
        if (!verdict.is_conflict) { /* else the loser is named, not an older version of ours */
            verdict.existing = index;
            verdict.is_conflict = relation == LOSES;
        }
    }
    verdict.reason = find_room(store, candidate, &sums);
    return verdict;
}

uint32_t wrn_dht_store_add(struct wrn_dht_store *store, wrn_mono now,
                           const struct wrn_dht_candidate *candidate, uint64_t life_ns) {
    wrn_mono guard = {0};
    int64_t claim_s = candidate->claim_s;
    uint32_t index = *key_chain(store, candidate->place.high);
    while (index != WRN_DHT_NO_ENTRY) {
        const struct wrn_dht_entry *entry = &store->entries[index];
        uint32_t next = entry->next;
        if (is_of_key(store, entry, candidate->place, candidate->record.key) &&
            relate(store, entry, candidate, false) >= GIVES_WAY) {
            if (is_own(store, entry, candidate)) {
                wrn_mono end =
                    wrn_mono_before(entry->end.due, entry->guard) ? entry->guard : entry->end.due;
                guard = wrn_mono_before(guard, end) ? end : guard;
                int64_t own_s = is_claim(entry) ? wrn_dht_claim_of(entry) : claim_s;
                claim_s = own_s < claim_s ? own_s : claim_s;
            }
            wrn_dht_store_remove(store, index);
        }
        index = next;
    }
    index = take_entry(store);
    struct wrn_dht_entry *entry = &store->entries[index];
    wrn_mono end = wrn_mono_add(now, life_ns);
    entry->guard = guard;
    if (candidate->record.kind == WRN_RECORD_DELETE && wrn_mono_before(end, guard)) {
        end = guard; /* as long as what it deletes could have come again */
    }
    entry->place = candidate->place;
    entry->version = candidate->version;
    entry->value_id = candidate->value_id;
    entry->sequence = candidate->record.sequence;
    entry->until_s = candidate->record.made_s + candidate->record.ttl_s;
    wrn_dht_set_claim(entry, claim_s);
    entry->size = (uint16_t)candidate->bytes.size;
    entry->key_from = (uint16_t)(candidate->record.key.data - candidate->bytes.data);
    entry->key_size = (uint8_t)candidate->record.key.size;
    entry->kind = (uint8_t)candidate->record.kind & 3u;
    entry->owner = take_owner(store, candidate->record.owner);
    entry->offset = append(store, index, candidate->bytes);
    store->owners[entry->owner].bytes += entry->size;
    store->owners[entry->owner].records++;
    store->bytes += entry->size;
    uint32_t *chain = key_chain(store, entry->place.high);
    entry->next = *chain;
    *chain = index;
    wrn_heap_set(&store->ends, &entry->end, end);
    return index;
}

void wrn_dht_store_remove(struct wrn_dht_store *store, uint32_t index) {
    struct wrn_dht_entry *entry = &store->entries[index];
    WRN_ASSERT(index < store->touched && entry->size > 0);
    uint32_t *link = key_chain(store, entry->place.high);
    while (*link != index) {
        link = &store->entries[*link].next;
    }
    *link = entry->next;
    struct head hole = {WRN_DHT_NO_ENTRY, room_of(entry->size)};
    memcpy(store->block + entry->offset - HEAD_SIZE, &hole, sizeof(hole));
    store->bytes -= entry->size;
    store->owners[entry->owner].bytes -= entry->size;
    if (--store->owners[entry->owner].records == 0) {
        give_owner(store, entry->owner);
    }
    wrn_heap_remove(&store->ends, &entry->end);
    store->count--;
    store->ghosts -= entry->is_ghost;
    if (store->count == 0) {
        store->block_top = 0;
    }
    memset(entry, 0, sizeof(*entry));
    entry->next = store->free_entry;
    store->free_entry = index;
}

uint32_t wrn_dht_store_forget_ghosts(struct wrn_dht_store *store, const uint8_t *owner) {
    uint32_t forgotten = 0;
    uint32_t of = owner != NULL ? find_owner(store, owner) : WRN_DHT_NO_ENTRY;
    for (uint32_t i = 0; i < store->touched && store->ghosts > 0; i++) {
        const struct wrn_dht_entry *entry = &store->entries[i];
        if (entry->size > 0 && entry->is_ghost && (owner == NULL || entry->owner == of)) {
            wrn_dht_store_remove(store, i);
            forgotten++;
        }
    }
    return forgotten;
}

uint32_t wrn_dht_store_expire(struct wrn_dht_store *store, wrn_mono now) {
    uint32_t expired = 0;
    for (;;) {
        struct wrn_heap_node *node = wrn_heap_first(&store->ends);
        if (node == NULL || !wrn_mono_reached(now, node->due)) {
            return expired;
        }
        struct wrn_dht_entry *entry = WRN_CONTAINER(node, struct wrn_dht_entry, end);
        expired += !entry->is_ghost;
        if (wrn_mono_before(now, entry->guard)) {
            store->ghosts += !entry->is_ghost;
            entry->is_ghost = true;
            wrn_heap_set(&store->ends, node, entry->guard);
        } else {
            wrn_dht_store_remove(store, (uint32_t)(entry - store->entries));
        }
    }
}

wrn_mono wrn_dht_store_due(const struct wrn_dht_store *store) {
    const struct wrn_heap_node *node = wrn_heap_first(&store->ends);
    return node != NULL ? node->due : WRN_MONO_NEVER;
}

void wrn_dht_set_claim(struct wrn_dht_entry *entry, int64_t claim_s) {
    int64_t age_s = entry->until_s - claim_s;
    entry->claim_age_s = age_s < 0 ? 0 : age_s > UINT32_MAX ? UINT32_MAX : (uint32_t)age_s;
}

struct wrn_dht_entry *wrn_dht_store_at(const struct wrn_dht_store *store, uint32_t index) {
    if (index >= store->touched || store->entries[index].size == 0 ||
        store->entries[index].is_ghost) {
        return NULL;
    }
    return &store->entries[index];
}

wrn_span wrn_dht_store_bytes(const struct wrn_dht_store *store, const struct wrn_dht_entry *entry) {
    return (wrn_span){store->block + entry->offset, entry->size};
}

wrn_span wrn_dht_store_key(const struct wrn_dht_store *store, const struct wrn_dht_entry *entry) {
    return (wrn_span){store->block + entry->offset + entry->key_from, entry->key_size};
}

const uint8_t *wrn_dht_store_owner(const struct wrn_dht_store *store,
                                   const struct wrn_dht_entry *entry) {
    return store->owners[entry->owner].key;
}

uint32_t wrn_dht_store_next_of_key(const struct wrn_dht_store *store, wrn_id place, wrn_span key,
                                   uint64_t token, bool tombstones) {
    uint32_t best = WRN_DHT_NO_ENTRY;
    uint32_t index = *key_chain(store, place.high);
    for (; index != WRN_DHT_NO_ENTRY; index = store->entries[index].next) {
        const struct wrn_dht_entry *entry = &store->entries[index];
        if (entry->is_ghost || (entry->kind == WRN_RECORD_DELETE) != tombstones ||
            entry->value_id <= token || !is_of_key(store, entry, place, key)) {
            continue;
        }
        if (best == WRN_DHT_NO_ENTRY || entry->value_id < store->entries[best].value_id) {
            best = index;
        }
    }
    return best;
}

uint32_t wrn_dht_store_next_at(const struct wrn_dht_store *store, uint64_t high, uint32_t after) {
    uint32_t index =
        after == WRN_DHT_NO_ENTRY ? *key_chain(store, high) : store->entries[after].next;
    while (index != WRN_DHT_NO_ENTRY &&
           (store->entries[index].is_ghost || store->entries[index].place.high != high)) {
        index = store->entries[index].next;
    }
    return index;
}

uint32_t wrn_dht_store_next(const struct wrn_dht_store *store, uint32_t *cursor) {
    while (*cursor < store->touched) {
        uint32_t index = (*cursor)++;
        if (wrn_dht_store_at(store, index) != NULL) {
            return index;
        }
    }
    return WRN_DHT_NO_ENTRY;
}

static bool is_claim(const struct wrn_dht_entry *entry) {
    return !entry->is_ghost && entry->kind == WRN_RECORD_CREATE;
}

static enum relation relate(const struct wrn_dht_store *store, const struct wrn_dht_entry *entry,
                            const struct wrn_dht_candidate *candidate, bool is_strict) {
    if (is_own(store, entry, candidate)) {
        return relate_own(entry, candidate);
    }
    if (!is_claim(entry) || candidate->record.kind != WRN_RECORD_CREATE) {
        return APART;
    }
    return is_strict ? TAKEN : LOSES;
}

static enum relation relate_own(const struct wrn_dht_entry *entry,
                                const struct wrn_dht_candidate *candidate) {
    enum wrn_record_kind kind = candidate->record.kind;
    if (entry->version == candidate->version) {
        return entry->is_ghost ? STALE : HELD;
    }
    if (entry->kind == WRN_RECORD_DELETE) {
        if (kind == WRN_RECORD_DELETE) {
            return is_newer(candidate, entry) ? GIVES_WAY : STALE;
        }
        return candidate->record.sequence <= entry->sequence ? STALE : APART;
    }
    if (kind == WRN_RECORD_DELETE) {
        return entry->sequence <= candidate->record.sequence ? GIVES_WAY
               : entry->kind == WRN_RECORD_CREATE            ? STALE
                                                             : APART;
    }
    if (entry->kind != kind || entry->value_id != candidate->value_id) {
        return APART;
    }
    return is_newer(candidate, entry) ? GIVES_WAY : STALE;
}

static void count_beside(struct sums *sums, const struct wrn_dht_entry *entry, bool own) {
    if (!entry->is_ghost) {
        sums->of_key += entry->kind != WRN_RECORD_CREATE;
        sums->of_owner += own && entry->kind == WRN_RECORD_PUT;
    }
}

/* An owner may always delete what it has. */
static enum wrn_reason find_room(const struct wrn_dht_store *store,
                                 const struct wrn_dht_candidate *candidate,
                                 const struct sums *sums) {
    enum wrn_record_kind kind = candidate->record.kind;
    uint32_t owner = find_owner(store, candidate->record.owner);
    uint64_t owned = owner == WRN_DHT_NO_ENTRY ? 0 : store->owners[owner].bytes;
    uint64_t size = candidate->bytes.size;
    bool is_over = owned - sums->freed_own + size > store->writer_bytes_max ||
                   (kind == WRN_RECORD_PUT && sums->of_owner >= WRN_DHT_VALUES_PER_OWNER);
    if (is_over && !(kind == WRN_RECORD_DELETE && sums->freed_own > 0)) {
        return WRN_REASON_QUOTA;
    }
    bool is_full = store->count - sums->freed_count >= store->records_max ||
                   store->bytes - sums->freed + size > store->bytes_max ||
                   (kind != WRN_RECORD_CREATE && sums->of_key >= WRN_DHT_VALUES_PER_KEY);
    return is_full ? WRN_REASON_FULL : WRN_REASON_NONE;
}

/* Of two versions with one sequence number (their owner is at fault) the same one stays
 * everywhere. */
static bool is_newer(const struct wrn_dht_candidate *candidate, const struct wrn_dht_entry *entry) {
    return candidate->record.sequence != entry->sequence
               ? candidate->record.sequence > entry->sequence
               : candidate->version > entry->version;
}

static bool is_own(const struct wrn_dht_store *store, const struct wrn_dht_entry *entry,
                   const struct wrn_dht_candidate *candidate) {
    return memcmp(store->owners[entry->owner].key, candidate->record.owner, WRN_SIGN_PUBLIC_SIZE) ==
           0;
}

static bool is_of_key(const struct wrn_dht_store *store, const struct wrn_dht_entry *entry,
                      wrn_id place, wrn_span key) {
    return wrn_id_equal(entry->place, place) && entry->key_size == key.size &&
           memcmp(wrn_dht_store_key(store, entry).data, key.data, key.size) == 0;
}

/* Multiplying by a secret odd number: others cannot choose places or keys that share a chain. */
static uint32_t *key_chain(const struct wrn_dht_store *store, uint64_t high) {
    return &store->key_chains[(high * store->seed) >> (64 - store->chain_bits)];
}

static uint32_t *owner_chain(const struct wrn_dht_store *store, const uint8_t *key) {
    return &store->owner_chains[(wrn_load_be64(key) * store->seed) >> (64 - store->chain_bits)];
}

static uint32_t find_owner(const struct wrn_dht_store *store, const uint8_t *key) {
    uint32_t index = *owner_chain(store, key);
    while (index != WRN_DHT_NO_ENTRY &&
           memcmp(store->owners[index].key, key, WRN_SIGN_PUBLIC_SIZE) != 0) {
        index = store->owners[index].next;
    }
    return index;
}

static uint32_t take_owner(struct wrn_dht_store *store, const uint8_t *key) {
    uint32_t index = find_owner(store, key);
    if (index != WRN_DHT_NO_ENTRY) {
        return index;
    }
    index = store->free_owner;
    if (index != WRN_DHT_NO_ENTRY) {
        store->free_owner = store->owners[index].next;
    } else {
        index = store->touched_owners++;
    }
    WRN_ASSERT(index < store->records_max); /* each has a record */
    uint32_t *chain = owner_chain(store, key);
    memcpy(store->owners[index].key, key, WRN_SIGN_PUBLIC_SIZE);
    store->owners[index].next = *chain;
    *chain = index;
    return index;
}

static void give_owner(struct wrn_dht_store *store, uint32_t index) {
    uint32_t *link = owner_chain(store, store->owners[index].key);
    while (*link != index) {
        link = &store->owners[*link].next;
    }
    *link = store->owners[index].next;
    memset(&store->owners[index], 0, sizeof(store->owners[index]));
    store->owners[index].next = store->free_owner;
    store->free_owner = index;
}

static uint32_t take_entry(struct wrn_dht_store *store) {
    uint32_t index = store->free_entry;
    if (index != WRN_DHT_NO_ENTRY) {
        store->free_entry = store->entries[index].next;
    } else {
        index = store->touched++;
    }
    WRN_ASSERT(index < store->records_max);
    memset(&store->entries[index], 0, sizeof(store->entries[index]));
    store->count++;
    return index;
}

/* Puts bytes at the top of the block. Holes below are closed when the top is reached: then all that
 * is live moves. */
static uint32_t append(struct wrn_dht_store *store, uint32_t index, wrn_span bytes) {
    struct head head = {index, room_of(bytes.size)};
    if (store->block_size - store->block_top < head.room) {
        compact(store);
    }
    WRN_ASSERT(store->block_size - store->block_top >= head.room);
    uint8_t *at = store->block + store->block_top;
    memcpy(at, &head, sizeof(head));
    memcpy(at + HEAD_SIZE, bytes.data, bytes.size);
    store->block_top += head.room;
    return store->block_top - head.room + HEAD_SIZE;
}

static void compact(struct wrn_dht_store *store) {
    uint32_t from = 0, to = 0;
    while (from < store->block_top) {
        struct head head;
        memcpy(&head, store->block + from, sizeof(head));
        if (head.index != WRN_DHT_NO_ENTRY) {
            memmove(store->block + to, store->block + from, head.room);
            store->entries[head.index].offset = to + HEAD_SIZE;
            to += head.room;
        }
        from += head.room;
    }
    store->block_top = to;
}

/* The head, the bytes, and what aligns the next head: at most WRN_DHT_ROOM_FOR_HEAD - 1 more than
 * the bytes. */
static uint32_t room_of(size_t size) {
    return HEAD_SIZE + (uint32_t)wrn_align_up(size, 4);
}
