/* SPDX-License-Identifier: Apache-2.0 */
/* What a node of the ring holds for others: signed records in a fixed block of memory, each with
 * the time when it ends, and an account for each owner. Decides what may stand beside what;
 * verifies no signature and sends nothing. */
#pragma once
#include "base/heap.h"
#include "overlay/record.h"

enum {
    WRN_DHT_VALUES_PER_OWNER = 16, /* PUT values of one owner under one key */
    WRN_DHT_VALUES_PER_KEY = 64,   /* ... of all owners, with their tombstones */
    WRN_DHT_ROOM_FOR_HEAD = 12,    /* bytes a record that do not count against bytes_max */
};

/* An index that is none. */
#define WRN_DHT_NO_ENTRY UINT32_MAX

/* A record that is held, or that may be. */
struct wrn_dht_candidate {
    wrn_span bytes;           /* as signed */
    struct wrn_record record; /* borrows 'bytes' */
    wrn_id place;
    uint64_t version;  /* hash of 'bytes': one signed version of one record */
    uint64_t value_id; /* order within a key: 1 for CREATE, else from the record's hash */
    int64_t claim_s;   /* CREATE: since when we vouch for its claim; as it says itself when it is
                        * read */
};

struct wrn_dht_entry {
    struct wrn_heap_node end; /* when it ends, or, as a ghost, is forgotten */
    wrn_mono guard;           /* until when older versions could still be replayed */
    uint64_t version;
    uint64_t value_id;
    uint64_t sequence;
    int64_t until_s; /* made_s + ttl_s, by the writer's clock */
    wrn_id place;
    uint32_t offset;      /* of the bytes in the block */
    uint32_t owner;       /* index */
    uint32_t next;        /* in the chain of the key, or of free entries */
    uint32_t seen_s;      /* for the caller: when its copies were last compared, 0: never */
    uint32_t claim_age_s; /* CREATE: we vouch for it from so long before 'until_s' on */
    uint16_t known;       /* for the caller: bits of the partners that have this version */
    uint16_t size;        /* of the bytes; 0: free */
    uint16_t key_from;    /* where in the bytes the key is */
    uint8_t key_size;
    uint8_t kind : 2;      /* enum wrn_record_kind */
    bool is_ghost : 1;     /* its time is over; it only keeps older versions out */
    bool is_handed : 1;    /* for the caller: who is to hold it has been given it */
    bool is_unweighed : 1; /* for the caller: others may vouch for it since earlier */
};

struct wrn_dht_owner {
    uint8_t key[WRN_SIGN_PUBLIC_SIZE];
    uint32_t bytes;
    uint32_t records; /* 0: free */
    uint32_t next;
};

struct wrn_dht_store {
    const struct wrn_primitives *primitives;
    uint8_t *block;
    struct wrn_dht_entry *entries;
    struct wrn_dht_owner *owners;
    uint32_t *key_chains;   /* heads, by place */
    uint32_t *owner_chains; /* heads, by owner */
    struct wrn_heap ends;
    uint64_t seed; /* odd: makes chains that nobody outside can aim at */
    uint32_t chain_bits;
    uint32_t block_size;
    uint32_t block_top; /* bytes of the block that were given out, holes included */
    uint32_t bytes;     /* of all records */
    uint32_t count;
    uint32_t ghosts; /* of 'count' */
    uint32_t touched;
    uint32_t free_entry;
    uint32_t free_owner;
    uint32_t touched_owners;
    uint32_t records_max;
    uint32_t bytes_max;
    uint32_t writer_bytes_max;
};

/* What storing a candidate would meet. */
struct wrn_dht_verdict {
    enum wrn_reason reason; /* NONE; STALE, KEY_TAKEN ('existing' says by whom), QUOTA, FULL */
    bool is_held;           /* reason NONE: this very version is there ('existing') */
    bool is_conflict;       /* reason NONE: 'existing' is another owner's and gives way */
    uint32_t existing;      /* index, or NO_ENTRY */
};

/* Takes its memory from 'arena'. All limits >= 1. 'seed' is random. */
void wrn_dht_store_init(struct wrn_dht_store *store, struct wrn_arena *arena, uint32_t records_max,
                        uint32_t bytes_max, uint32_t writer_bytes_max,
                        const struct wrn_primitives *primitives, uint64_t seed);

/* Reads a record and fills in the rest. NONE, MALFORMED, TOO_LARGE. Does not verify. */
enum wrn_reason wrn_dht_candidate_read(struct wrn_dht_candidate *candidate, wrn_span bytes,
                                       const struct wrn_primitives *primitives);

/* Judges whether a verified candidate may be stored. 'is_strict': a live CREATE of another owner
 * stays; else it gives way: the two have been weighed (dht_weigh.c). O(records of the key). */
struct wrn_dht_verdict wrn_dht_store_judge(const struct wrn_dht_store *store,
                                           const struct wrn_dht_candidate *candidate,
                                           bool is_strict);

/* Stores a candidate that was judged NONE and is not held, and removes what gives way to it. It
 * ends after 'life_ns'. Returns its index. O(records of the key), at times O(bytes). */
uint32_t wrn_dht_store_add(struct wrn_dht_store *store, wrn_mono now,
                           const struct wrn_dht_candidate *candidate, uint64_t life_ns);

/* Removes an entry. */
void wrn_dht_store_remove(struct wrn_dht_store *store, uint32_t index);

/* Forgets ghosts: of one owner (32 bytes), or all of them (NULL). They give way to live records.
 * Returns how many. O(records). */
uint32_t wrn_dht_store_forget_ghosts(struct wrn_dht_store *store, const uint8_t *owner);

/* Ends what has come to its end; returns how many records. Ghosts are forgotten in passing. */
uint32_t wrn_dht_store_expire(struct wrn_dht_store *store, wrn_mono now);
wrn_mono wrn_dht_store_due(const struct wrn_dht_store *store);

/* Returns since when we vouch for the claim of a CREATE; sets it, at most 136 years before its
 * end. */
static inline int64_t wrn_dht_claim_of(const struct wrn_dht_entry *entry) {
    return entry->until_s - entry->claim_age_s;
}
void wrn_dht_set_claim(struct wrn_dht_entry *entry, int64_t claim_s);

/* Returns the entry at an index, NULL if there is none or it is a ghost. */
struct wrn_dht_entry *wrn_dht_store_at(const struct wrn_dht_store *store, uint32_t index);

/* Its bytes, its key, its owner's key: valid until the store changes. */
wrn_span wrn_dht_store_bytes(const struct wrn_dht_store *store, const struct wrn_dht_entry *entry);
wrn_span wrn_dht_store_key(const struct wrn_dht_store *store, const struct wrn_dht_entry *entry);
const uint8_t *wrn_dht_store_owner(const struct wrn_dht_store *store,
                                   const struct wrn_dht_entry *entry);

/* Returns the entry of a key with the smallest value_id above 'token', tombstones or the others;
 * NO_ENTRY: no more. O(records of the key). */
uint32_t wrn_dht_store_next_of_key(const struct wrn_dht_store *store, wrn_id place, wrn_span key,
                                   uint64_t token, bool tombstones);

/* Returns the next entry under a place that begins with 'high', tombstones too, after entry 'after'
 * (NO_ENTRY: the first); NO_ENTRY: no more. */
uint32_t wrn_dht_store_next_at(const struct wrn_dht_store *store, uint64_t high, uint32_t after);

/* Walks all entries but ghosts: start with *cursor = 0. NO_ENTRY at the end. */
uint32_t wrn_dht_store_next(const struct wrn_dht_store *store, uint32_t *cursor);
