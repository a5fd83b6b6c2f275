/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps copies where they belong: compares what this node holds with its linked neighbours, one
 * digest at a time, sends what they lack, and hands over what it is too far from. */
#include "overlay/dht_internal.h"

enum {
    COPY_RATE = 20, /* records a second, to all partners */
    COPY_BURST = 20,
    CHECK_RATE = 2, /* keys a second that are compared because they were asked for */
    CHECK_BURST = 5,
    CHECK_S = 60, /* a key is compared no more often */
    ANSWER_MS = 1000,
    TRIES = 3,
    AGAIN_MS = 30000,  /* after a partner did not answer */
    WEIGH_MS = 1500,   /* after two claims were found to be compared */
    SOON_MS = 500,     /* after a change, to see it whole */
    STAGGER_MS = 1500, /* each neighbour further away later: it has most by then */
    WHOLE_S = 600,     /* between walks that list all */
    SETTLE_MS = 12000, /* after a change, before strays are looked for */
    STRAY_MS = 250,    /* between two that are handed over */
    STRAYS_S = 60,     /* between rounds while there are any */
    STRAYS_STEP = 256, /* entries looked at in one go */
    DIGEST_RATE = 20,  /* a second, of one peer */
    DIGEST_BURST = 60,
};

static void assign(struct wrn_dht *dht, wrn_mono now);
static bool is_wanted(const struct wrn_dht *dht, const struct wrn_dht_neighbour *node,
                      uint32_t *ret_rank);
static struct wrn_dht_partner *find(struct wrn_dht *dht, wrn_handle peer);
static uint16_t bit_of(const struct wrn_dht *dht, const struct wrn_dht_partner *partner);
static void forget(struct wrn_dht *dht, struct wrn_dht_partner *partner);
static void wake(struct wrn_dht_partner *partner, wrn_mono due);
static void rest(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_partner *partner);
static void on_due(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_partner *partner);
static void walk(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_partner *partner);
static void send_digest(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_partner *partner,
                        bool is_whole_place, uint64_t place);
static void add_to_batch(struct wrn_dht_partner *partner, uint32_t index,
                         const struct wrn_dht_entry *entry);
static struct wrn_dht_entry *in_batch(const struct wrn_dht *dht,
                                      const struct wrn_dht_partner *partner, uint32_t item);
static void send_wanted(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_partner *partner);
static void skip_wanted(struct wrn_dht_partner *partner);
static void take_others(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_partner *partner,
                        const struct wrn_dht_fields *copied);
static void drop_lost(struct wrn_dht *dht, struct wrn_now now, uint32_t index, wrn_span winner);
static void offer_missing(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_partner *partner,
                          const struct wrn_dht_fields *digest);
static void look_later(struct wrn_dht *dht, wrn_mono now);
static void look_for_strays(struct wrn_dht *dht, struct wrn_now now);
static bool handle_stray(struct wrn_dht *dht, struct wrn_now now, uint32_t index);
static uint32_t next_number(struct wrn_dht *dht);
static uint64_t jitter(struct wrn_dht *dht, uint32_t ms);

void wrn_dht_copies_on_neighbours(struct wrn_dht *dht, wrn_mono now) {
    assign(dht, now);
    if (dht->store.count > 0) {
        look_later(dht, now);
    }
}

void wrn_dht_copies_soon(struct wrn_dht *dht, wrn_mono now) {
    for (uint32_t i = 0; i < WRN_DHT_PARTNERS; i++) {
        if (dht->partners[i].peer.generation != 0) {
            wake(&dht->partners[i], wrn_mono_add(now, WRN_MS(STAGGER_MS) + jitter(dht, SOON_MS)));
        }
    }
}

void wrn_dht_copies_check(struct wrn_dht *dht, wrn_mono now, wrn_id place) {
    uint32_t now_s = (uint32_t)(now.ns / WRN_S(1)) + CHECK_S + 1;
    uint32_t first = wrn_dht_store_next_at(&dht->store, place.high, WRN_DHT_NO_ENTRY);
    struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, first);
    if ((entry != NULL && entry->seen_s + CHECK_S > now_s) ||
        !wrn_dht_take(&dht->checking, now, CHECK_RATE, CHECK_BURST)) {
        return;
    }
    if (entry != NULL) {
        entry->seen_s = now_s;
    }
    for (uint32_t i = 0; i < WRN_DHT_PARTNERS; i++) {
        struct wrn_dht_partner *partner = &dht->partners[i];
        if (partner->peer.generation == 0 || partner->phase != WRN_DHT_IDLE ||
            wrn_dht_rank(dht, place, partner->id) >= WRN_DHT_COPIES) {
            continue;
        }
        partner->count = 0;
        uint32_t index = first;
        while (index != WRN_DHT_NO_ENTRY && partner->count < WRN_DHT_BATCH) {
            add_to_batch(partner, index, wrn_dht_store_at(&dht->store, index));
            index = wrn_dht_store_next_at(&dht->store, place.high, index);
        }
        partner->is_check = true;
        partner->is_again |= wrn_mono_before(partner->due, partner->whole);
        partner->tries = 0;
        send_digest(dht, now, partner, index == WRN_DHT_NO_ENTRY, place.high);
    }
}

void wrn_dht_copies_on_copy(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                            const struct wrn_dht_fields *copy) {
    struct wrn_dht_candidate candidate;
    struct wrn_dht_fields copied = {.type = WRN_DHT_MESSAGE_COPIED, .number = copy->number};
    uint32_t index = WRN_DHT_NO_ENTRY;
    copied.reason = wrn_dht_candidate_read(&candidate, copy->record, dht->primitives);
    if (copied.reason != WRN_REASON_NONE) {
        wrn_dht_add(dht, WRN_DHT_COUNT_MALFORMED);
    } else {
        copied.reason = wrn_dht_admit_copy(dht, now, peer, &candidate, copy->claim_s,
                                           (copy->flags & WRN_DHT_COPY_STRICT) != 0, &index);
    }
    struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, index);
    if (entry != NULL && copied.reason == WRN_REASON_NONE) {
        wrn_dht_copies_note(dht, peer, entry);
        if (wrn_dht_rank(dht, entry->place, dht->links->self) >= WRN_DHT_COPIES) {
            look_later(dht, now.mono); /* it is not ours to hold, the sender thinks */
        }
    } else if (entry != NULL) {
        copied.record = wrn_dht_store_bytes(&dht->store, entry);
        copied.claim_s = wrn_dht_claim_of(entry);
    }
    wrn_dht_send(dht, peer, &copied);
}

void wrn_dht_copies_on_copied(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                              const struct wrn_dht_fields *copied) {
    struct wrn_dht_partner *partner = find(dht, peer);
    if (partner == NULL || partner->phase != WRN_DHT_SENT || partner->number != copied->number) {
        return; /* late, or not asked for */
    }
    struct wrn_dht_entry *entry = in_batch(dht, partner, (uint32_t)__builtin_ctz(partner->wanted));
    if (copied->reason == WRN_REASON_RATE && partner->tries < TRIES) {
        partner->tries++;
        partner->phase = WRN_DHT_SEND;
        partner->due = wrn_mono_add(now.mono, WRN_MS(ANSWER_MS));
        return;
    }
    if (copied->reason == WRN_REASON_NONE && entry != NULL) {
        entry->known |= bit_of(dht, partner);
        bool is_ours = wrn_dht_rank(dht, entry->place, dht->links->self) < WRN_DHT_COPIES;
        wrn_dht_add(dht, is_ours ? WRN_DHT_COUNT_REPAIRED : WRN_DHT_COUNT_HANDED_OVER);
    }
    skip_wanted(partner);
    partner->phase = WRN_DHT_SEND;
    if (copied->reason == WRN_REASON_KEY_TAKEN || copied->reason == WRN_REASON_STALE) {
        take_others(dht, now, partner, copied);
    }
    send_wanted(dht, now.mono, partner);
}

void wrn_dht_copies_on_digest(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                              const struct wrn_dht_fields *digest) {
    struct wrn_drip *bucket = &dht->digests_of_peer[peer.index % WRN_DHT_PEER_BUCKETS];
    if (!wrn_dht_take(bucket, now.mono, DIGEST_RATE, DIGEST_BURST)) {
        wrn_dht_add(dht, WRN_DHT_COUNT_REFUSED_RATE);
        return;
    }
    struct wrn_reader reader = wrn_reader(digest->items);
    struct wrn_dht_fields want = {.type = WRN_DHT_MESSAGE_WANT, .number = digest->number};
    for (uint32_t i = 0; i < digest->count; i++) {
        uint64_t place = wrn_read_u64(&reader);
        uint64_t version = wrn_read_u64(&reader);
        uint32_t index = wrn_dht_store_next_at(&dht->store, place, WRN_DHT_NO_ENTRY);
        while (index != WRN_DHT_NO_ENTRY && dht->store.entries[index].version != version) {
            index = wrn_dht_store_next_at(&dht->store, place, index);
        }
        struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, index);
        if (entry != NULL) {
            want.have |= 1u << i;
            wrn_dht_copies_note(dht, peer, entry);
        } else if (wrn_dht_copies_has_room(dht, place) &&
                   wrn_dht_rank(dht, (wrn_id){place, 0}, dht->links->self) < WRN_DHT_HOLDERS_MAX) {
            want.want |= 1u << i;
        }
    }
    wrn_dht_send(dht, peer, &want);
    struct wrn_dht_partner *partner = find(dht, peer);
    if ((digest->flags & WRN_DHT_DIGEST_WHOLE) != 0 && partner != NULL) {
        offer_missing(dht, now.mono, partner, digest);
    }
}

void wrn_dht_copies_on_want(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                            const struct wrn_dht_fields *want) {
    struct wrn_dht_partner *partner = find(dht, peer);
    if (partner == NULL || partner->phase != WRN_DHT_ASKED || partner->number != want->number) {
        return;
    }
    partner->wanted = 0;
    for (uint32_t i = 0; i < partner->count; i++) {
        struct wrn_dht_entry *entry = in_batch(dht, partner, i);
        if (entry != NULL && (want->have >> i & 1) != 0) {
            entry->known |= bit_of(dht, partner);
        } else if (entry != NULL) {
            entry->known &= (uint16_t)~bit_of(dht, partner); /* it has let it go */
            partner->wanted |= want->want & 1u << i;
        }
    }
    partner->phase = WRN_DHT_SEND;
    partner->tries = 0;
    send_wanted(dht, now.mono, partner);
}

void wrn_dht_copies_on_handed(struct wrn_dht *dht, struct wrn_now now, uint32_t index,
                              uint64_t version, enum wrn_reason reason,
                              const struct wrn_dht_candidate *winner) {
    struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, index);
    if (dht->strays_due.ns == UINT64_MAX ||
        wrn_mono_before(wrn_mono_add(now.mono, WRN_MS(STRAY_MS)), dht->strays_due)) {
        dht->strays_due = wrn_mono_add(now.mono, WRN_MS(STRAY_MS));
    }
    if (entry == NULL || entry->version != version) {
        return;
    }
    uint32_t rank = wrn_dht_rank(dht, entry->place, dht->links->self);
    /* What lost where it is to be held should not be found here any more. */
    bool has_lost = winner != NULL && rank >= WRN_DHT_COPIES;
    if (reason == WRN_REASON_NONE) {
        entry->is_handed = true;
        wrn_dht_add(dht, WRN_DHT_COUNT_HANDED_OVER);
    }
    if (has_lost && reason == WRN_REASON_KEY_TAKEN) { /* the holders never saw what it lost to */
        drop_lost(dht, now, index, winner->bytes);
    } else if (has_lost || (rank >= WRN_DHT_HOLDERS_MAX && entry->is_handed)) {
        wrn_dht_store_remove(&dht->store, index);
        wrn_dht_add(dht, WRN_DHT_COUNT_DROPPED);
    }
}

void wrn_dht_copies_note(struct wrn_dht *dht, wrn_handle peer, struct wrn_dht_entry *entry) {
    const struct wrn_dht_partner *partner = find(dht, peer);
    if (partner != NULL && peer.generation != 0) {
        entry->known |= bit_of(dht, partner);
    }
}

bool wrn_dht_copies_is_known(const struct wrn_dht *dht, wrn_handle peer,
                             const struct wrn_dht_entry *entry) {
    for (uint32_t i = 0; i < WRN_DHT_PARTNERS; i++) {
        if (wrn_handle_equal(dht->partners[i].peer, peer)) {
            return (entry->known & bit_of(dht, &dht->partners[i])) != 0;
        }
    }
    return false;
}

uint32_t wrn_dht_copies_known(const struct wrn_dht *dht, const struct wrn_dht_entry *entry) {
    uint32_t known = 0;
    for (uint32_t i = 0; i < WRN_DHT_PARTNERS; i++) {
        const struct wrn_dht_partner *partner = &dht->partners[i];
        known += partner->peer.generation != 0 && (entry->known & bit_of(dht, partner)) != 0 &&
                 wrn_dht_rank(dht, entry->place, partner->id) < WRN_DHT_COPIES;
    }
    return known;
}

/* What is there may be replaced even if the store is full; so may what others hold. */
bool wrn_dht_copies_has_room(const struct wrn_dht *dht, uint64_t place) {
    const struct wrn_dht_store *store = &dht->store;
    uint32_t mean = store->count > 0 ? store->bytes / store->count : 0;
    return (store->count - store->ghosts < store->records_max &&
            store->bytes + mean <= store->bytes_max) ||
           wrn_dht_store_next_at(store, place, WRN_DHT_NO_ENTRY) != WRN_DHT_NO_ENTRY ||
           (wrn_dht_rank(dht, (wrn_id){place, 0}, dht->links->self) < WRN_DHT_COPIES &&
            wrn_dht_copies_find_spare(dht) != WRN_DHT_NO_ENTRY);
}

uint32_t wrn_dht_copies_find_spare(const struct wrn_dht *dht) {
    uint32_t cursor = 0;
    for (;;) {
        uint32_t index = wrn_dht_store_next(&dht->store, &cursor);
        const struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, index);
        if (entry == NULL ||
            (wrn_dht_copies_known(dht, entry) >= 2 &&
             wrn_dht_rank(dht, entry->place, dht->links->self) >= WRN_DHT_COPIES)) {
            return index;
        }
    }
}

bool wrn_dht_copies_drop_spare(struct wrn_dht *dht) {
    uint32_t index = wrn_dht_copies_find_spare(dht);
    if (index == WRN_DHT_NO_ENTRY) {
        return false;
    }
    wrn_dht_store_remove(&dht->store, index);
    wrn_dht_add(dht, WRN_DHT_COUNT_DROPPED);
    return true;
}

void wrn_dht_copies_on_time(struct wrn_dht *dht, struct wrn_now now) {
    for (uint32_t i = 0; i < WRN_DHT_PARTNERS; i++) {
        struct wrn_dht_partner *partner = &dht->partners[i];
        if (partner->peer.generation != 0 && wrn_mono_reached(now.mono, partner->due)) {
            on_due(dht, now, partner);
        }
    }
    if (wrn_mono_reached(now.mono, dht->strays_due)) {
        look_for_strays(dht, now);
    }
}

wrn_mono wrn_dht_copies_due(const struct wrn_dht *dht) {
    wrn_mono due = dht->strays_due;
    for (uint32_t i = 0; i < WRN_DHT_PARTNERS; i++) {
        if (dht->partners[i].peer.generation != 0) {
            due = wrn_mono_min(due, dht->partners[i].due);
        }
    }
    return due;
}

/* Makes the linked nodes nearest to us our partners, and has each of them compared soon. */
static void assign(struct wrn_dht *dht, wrn_mono now) {
    for (uint32_t i = 0; i < WRN_DHT_PARTNERS; i++) {
        struct wrn_dht_partner *partner = &dht->partners[i];
        struct wrn_dht_neighbour node = {partner->id, partner->peer};
        uint32_t rank;
        if (partner->peer.generation != 0 && !is_wanted(dht, &node, &rank)) {
            forget(dht, partner);
        }
    }
    for (uint32_t i = 0; i < dht->near_count; i++) {
        const struct wrn_dht_neighbour *node = &dht->near[i];
        uint32_t rank;
        if (!is_wanted(dht, node, &rank)) {
            continue;
        }
        struct wrn_dht_partner *partner = find(dht, node->peer);
        wrn_mono due = wrn_mono_add(now, WRN_MS(SOON_MS) + jitter(dht, SOON_MS) +
                                             rank / 2 * WRN_MS(STAGGER_MS));
        if (partner == NULL) {
            partner = find(dht, WRN_HANDLE_NONE);
            WRN_ASSERT(partner != NULL); /* there are no more wanted than there is room */
            *partner = (struct wrn_dht_partner){
                .peer = node->peer,
                .id = node->id,
                .due = WRN_MONO_NEVER,
                .whole = wrn_mono_add(now, WRN_S(WHOLE_S) + jitter(dht, 200000))};
        }
        wake(partner, due);
    }
}

/* Tells whether a near node is to be a partner, and how many others are nearer to us. */
static bool is_wanted(const struct wrn_dht *dht, const struct wrn_dht_neighbour *node,
                      uint32_t *ret_rank) {
    bool is_there = false;
    uint32_t rank = 0;
    for (uint32_t i = 0; i < dht->near_count; i++) {
        const struct wrn_dht_neighbour *other = &dht->near[i];
        is_there = is_there || wrn_handle_equal(other->peer, node->peer);
        rank +=
            other->peer.generation != 0 && wrn_id_is_nearer(dht->links->self, other->id, node->id);
    }
    *ret_rank = rank;
    return node->peer.generation != 0 && is_there && rank < WRN_DHT_PARTNERS;
}

/* Finds the partner, or with WRN_HANDLE_NONE a free slot. */
static struct wrn_dht_partner *find(struct wrn_dht *dht, wrn_handle peer) {
    for (uint32_t i = 0; i < WRN_DHT_PARTNERS; i++) {
        if (wrn_handle_equal(dht->partners[i].peer, peer)) {
            return &dht->partners[i];
        }
    }
    return NULL;
}

static uint16_t bit_of(const struct wrn_dht *dht, const struct wrn_dht_partner *partner) {
    return (uint16_t)(1u << (partner - dht->partners));
}

static void forget(struct wrn_dht *dht, struct wrn_dht_partner *partner) {
    uint16_t bit = bit_of(dht, partner);
    for (uint32_t i = 0; i < dht->store.touched; i++) {
        dht->store.entries[i].known &= (uint16_t)~bit;
    }
    memset(partner, 0, sizeof(*partner));
}

/* Has a partner compared at 'due', or, while that goes on, once more. */
static void wake(struct wrn_dht_partner *partner, wrn_mono due) {
    if (partner->phase == WRN_DHT_IDLE) {
        partner->due = wrn_mono_min(partner->due, due);
    } else {
        partner->is_again = true;
    }
}

/* Nothing is left to do with a partner for now. */
static void rest(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_partner *partner) {
    partner->phase = WRN_DHT_IDLE;
    partner->tries = 0;
    partner->due = wrn_mono_before(partner->whole, now) ? now : partner->whole;
    if (partner->is_again) {
        partner->due = wrn_mono_add(now, WRN_MS(SOON_MS) + jitter(dht, SOON_MS));
    }
    partner->is_check = false;
    partner->is_again = false;
}

static void on_due(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_partner *partner) {
    switch (partner->phase) {
    case WRN_DHT_IDLE:
        partner->is_whole = wrn_mono_reached(now.mono, partner->whole);
        if (partner->is_whole) {
            partner->whole = wrn_mono_add(now.mono, WRN_S(WHOLE_S) + jitter(dht, 200000));
        }
        partner->cursor = 0;
        partner->phase = WRN_DHT_WALK;
        walk(dht, now, partner);
        return;
    case WRN_DHT_WALK:
        walk(dht, now, partner);
        return;
    case WRN_DHT_ASKED:
        if (++partner->tries < TRIES && !partner->is_check) {
            send_digest(dht, now.mono, partner, false, 0);
            return;
        }
        rest(dht, now.mono, partner);
        partner->due = wrn_mono_min(
            partner->due, wrn_mono_add(now.mono, WRN_MS(AGAIN_MS) + jitter(dht, AGAIN_MS / 2)));
        return;
    case WRN_DHT_SENT:
        if (++partner->tries >= TRIES) {
            skip_wanted(partner);
        }
        partner->phase = WRN_DHT_SEND;
        send_wanted(dht, now.mono, partner);
        return;
    case WRN_DHT_SEND:
        send_wanted(dht, now.mono, partner);
        return;
    }
}

/* Puts the next records that the partner should have, and is not known to have, into a digest. */
static void walk(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_partner *partner) {
    uint16_t bit = bit_of(dht, partner);
    partner->count = 0;
    partner->tries = 0;
    while (partner->count < WRN_DHT_BATCH) {
        uint32_t index = wrn_dht_store_next(&dht->store, &partner->cursor);
        const struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, index);
        if (entry == NULL) {
            break;
        }
        if ((partner->is_whole || (entry->known & bit) == 0) && entry->until_s > now.wall.s &&
            wrn_dht_rank(dht, entry->place, partner->id) < WRN_DHT_COPIES) {
            add_to_batch(partner, index, entry);
        }
    }
    if (partner->count == 0) {
        rest(dht, now.mono, partner);
        return;
    }
    send_digest(dht, now.mono, partner, false, 0);
}

static void send_digest(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_partner *partner,
                        bool is_whole_place, uint64_t place) {
    uint8_t items[16 * WRN_DHT_BATCH];
    struct wrn_writer writer = wrn_writer(items, sizeof(items));
    for (uint32_t i = 0; i < partner->count; i++) {
        const struct wrn_dht_entry *entry = in_batch(dht, partner, i);
        wrn_write_u64(&writer, entry != NULL ? entry->place.high : 0); /* gone meanwhile */
        wrn_write_u64(&writer, entry != NULL ? entry->version : 0);
    }
    partner->number = next_number(dht);
    partner->phase = WRN_DHT_ASKED;
    partner->due = wrn_mono_add(now, WRN_MS(ANSWER_MS));
    struct wrn_dht_fields digest = {.type = WRN_DHT_MESSAGE_DIGEST,
                                    .number = partner->number,
                                    .flags = is_whole_place ? WRN_DHT_DIGEST_WHOLE : 0,
                                    .place = is_whole_place ? place : 0,
                                    .count = partner->count,
                                    .items = wrn_written(&writer)};
    wrn_dht_send(dht, partner->peer, &digest);
}

static void add_to_batch(struct wrn_dht_partner *partner, uint32_t index,
                         const struct wrn_dht_entry *entry) {
    partner->batch[partner->count] = index;
    partner->versions[partner->count] = (uint32_t)entry->version;
    partner->count++;
}

/* Returns an entry of the batch, NULL if it is gone or is another one by now. */
static struct wrn_dht_entry *in_batch(const struct wrn_dht *dht,
                                      const struct wrn_dht_partner *partner, uint32_t item) {
    struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, partner->batch[item]);
    return entry != NULL && (uint32_t)entry->version == partner->versions[item] ? entry : NULL;
}

/* Sends the next record that the partner wants, at a bounded pace, or goes on with the walk. */
static void send_wanted(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_partner *partner) {
    const struct wrn_dht_entry *entry = NULL;
    while (partner->wanted != 0 && entry == NULL) {
        entry = in_batch(dht, partner, (uint32_t)__builtin_ctz(partner->wanted));
        if (entry == NULL) {
            skip_wanted(partner);
        }
    }
    if (entry == NULL && partner->is_check) {
        rest(dht, now, partner);
        return;
    }
    if (entry == NULL) {
        partner->phase = WRN_DHT_WALK;
        partner->due = now;
        return;
    }
    if (!wrn_dht_take(&dht->copying, now, COPY_RATE, COPY_BURST)) {
        partner->due = wrn_mono_add(now, WRN_S(1) / COPY_RATE);
        return;
    }
    partner->number = next_number(dht);
    partner->phase = WRN_DHT_SENT;
    partner->due = wrn_mono_add(now, WRN_MS(ANSWER_MS));
    struct wrn_dht_fields copy = {.type = WRN_DHT_MESSAGE_COPY,
                                  .number = partner->number,
                                  .claim_s = wrn_dht_claim_of(entry),
                                  .record = wrn_dht_store_bytes(&dht->store, entry)};
    wrn_dht_send(dht, partner->peer, &copy);
}

static void skip_wanted(struct wrn_dht_partner *partner) {
    partner->wanted &= partner->wanted - 1;
    partner->tries = 0;
}

/* A partner refused our copy and showed what it has instead. While the two are being weighed, here
 * or there, they are compared again. */
static void take_others(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_partner *partner,
                        const struct wrn_dht_fields *copied) {
    struct wrn_dht_candidate candidate;
    uint32_t index;
    if (wrn_dht_candidate_read(&candidate, copied->record, dht->primitives) != WRN_REASON_NONE) {
        wrn_dht_add(dht, WRN_DHT_COUNT_MALFORMED);
        return;
    }
    enum wrn_reason reason =
        wrn_dht_admit_copy(dht, now, partner->peer, &candidate, copied->claim_s, false, &index);
    if (reason == WRN_REASON_NONE && wrn_dht_store_at(&dht->store, index) != NULL) {
        wrn_dht_copies_note(dht, partner->peer, wrn_dht_store_at(&dht->store, index));
        wrn_dht_copies_soon(dht, now.mono);
    } else if (wrn_dht_weigh_goes_on(dht, candidate.place)) {
        wake(partner, wrn_mono_add(now.mono, WRN_MS(WEIGH_MS)));
    } else if (copied->reason == WRN_REASON_KEY_TAKEN &&
               (reason == WRN_REASON_KEY_TAKEN || reason == WRN_REASON_RATE) &&
               wrn_dht_rank(dht, candidate.place, partner->id) < WRN_DHT_COPIES &&
               wrn_dht_rank(dht, candidate.place, dht->links->self) >= WRN_DHT_COPIES) {
        /* However often it was weighed, we see it in another way; but ours is a spare. */
        index =
            wrn_dht_store_next_of_key(&dht->store, candidate.place, candidate.record.key, 0, false);
        drop_lost(dht, now, index, candidate.bytes);
    }
}

/* Lets go of a copy that is not ours to hold, and lost to 'winner' where it is to be held. */
static void drop_lost(struct wrn_dht *dht, struct wrn_now now, uint32_t index, wrn_span winner) {
    uint8_t owner[WRN_SIGN_PUBLIC_SIZE];
    const struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, index);
    if (entry == NULL || entry->kind != WRN_RECORD_CREATE) {
        return;
    }
    memcpy(owner, wrn_dht_store_owner(&dht->store, entry), sizeof(owner));
    wrn_dht_tell_loser(dht, now, owner, winner);
    wrn_dht_store_remove(&dht->store, index);
    wrn_dht_add(dht, WRN_DHT_COUNT_DROPPED);
}

/* The partner listed all that it has under a place: it is offered what is not in the list. */
static void offer_missing(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_partner *partner,
                          const struct wrn_dht_fields *digest) {
    uint32_t index = wrn_dht_store_next_at(&dht->store, digest->place, WRN_DHT_NO_ENTRY);
    bool is_missing = false;
    for (; index != WRN_DHT_NO_ENTRY;
         index = wrn_dht_store_next_at(&dht->store, digest->place, index)) {
        struct wrn_dht_entry *entry = &dht->store.entries[index];
        struct wrn_reader reader = wrn_reader(digest->items);
        bool is_listed = false;
        for (uint32_t i = 0; i < digest->count; i++) {
            bool is_place = wrn_read_u64(&reader) == digest->place;
            is_listed = (wrn_read_u64(&reader) == entry->version && is_place) || is_listed;
        }
        if (!is_listed && wrn_dht_rank(dht, entry->place, partner->id) < WRN_DHT_COPIES) {
            entry->known &= (uint16_t)~bit_of(dht, partner);
            is_missing = true;
        }
    }
    if (is_missing) {
        wake(partner, wrn_mono_add(now, WRN_MS(100) + jitter(dht, SOON_MS)));
    }
}

/* Has strays looked for when all has settled. */
static void look_later(struct wrn_dht *dht, wrn_mono now) {
    wrn_mono settled = wrn_mono_add(now, WRN_MS(SETTLE_MS) + jitter(dht, SETTLE_MS / 2));
    if (wrn_mono_before(settled, dht->strays_due)) {
        dht->strays_due = settled;
        dht->strays_cursor = 0;
    }
}

/* Records that we are too far from by now. They go the way of a writer's store, so that no link to
 * a holder is needed, one after the other. */
static void look_for_strays(struct wrn_dht *dht, struct wrn_now now) {
    for (uint32_t i = 0; i < STRAYS_STEP; i++) {
        uint32_t index = wrn_dht_store_next(&dht->store, &dht->strays_cursor);
        if (index == WRN_DHT_NO_ENTRY) {
            dht->strays_due = dht->strays_left
                                  ? wrn_mono_add(now.mono, WRN_S(STRAYS_S) + jitter(dht, 10000))
                                  : WRN_MONO_NEVER;
            dht->strays_cursor = 0;
            dht->strays_left = false;
            return;
        }
        if (handle_stray(dht, now, index)) {
            dht->strays_due = wrn_mono_add(now.mono, WRN_MS(WRN_DHT_REQUEST_MS));
            return;
        }
    }
    dht->strays_due = wrn_mono_add(now.mono, WRN_MS(10));
}

/* Returns true if it is being handed over: the next one waits for that. */
static bool handle_stray(struct wrn_dht *dht, struct wrn_now now, uint32_t index) {
    struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, index);
    uint32_t rank = wrn_dht_rank(dht, entry->place, dht->links->self);
    if (rank < WRN_DHT_COPIES || entry->until_s <= now.wall.s) {
        return false;
    }
    bool is_far = rank >= WRN_DHT_HOLDERS_MAX;
    if (is_far && (entry->is_handed || wrn_dht_copies_known(dht, entry) >= 2)) {
        wrn_dht_store_remove(&dht->store, index);
        wrn_dht_add(dht, WRN_DHT_COUNT_DROPPED);
        return false;
    }
    if (entry->is_handed || (!is_far && wrn_dht_copies_known(dht, entry) >= 2)) {
        return false;
    }
    uint8_t copy[WRN_RECORD_MAX];
    struct wrn_dht_candidate candidate;
    wrn_span bytes = {copy, entry->size};
    memcpy(copy, wrn_dht_store_bytes(&dht->store, entry).data, entry->size);
    enum wrn_reason reason = wrn_dht_candidate_read(&candidate, bytes, dht->primitives);
    WRN_ASSERT(reason == WRN_REASON_NONE); /* it was read before it was stored */
    dht->strays_left = true;
    return wrn_dht_request_inner(dht, now, WRN_DHT_OF_HANDOVER, index, &candidate, true);
}

static uint32_t next_number(struct wrn_dht *dht) {
    dht->last_number++;
    dht->last_number += dht->last_number == 0;
    return dht->last_number;
}

/* Up to 'ms' milliseconds, in nanoseconds. */
static uint64_t jitter(struct wrn_dht *dht, uint32_t ms) {
    return WRN_MS(wrn_rand_below(dht->rand, ms + 1));
}
