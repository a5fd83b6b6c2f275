/* SPDX-License-Identifier: Apache-2.0 */
/* Two claims to one key: since when does each count? Asks the linked nodes near the place what they
 * vouch for, takes no node's word alone, and none for its own record. docs/ring/dht.md, Claims. */
#include "overlay/dht_internal.h"

enum {
    ROUND_MS = 700,     /* for the answers of one round */
    PACE_MS = 20,       /* between rounds that are due at once */
    AGAIN_MS = 250,     /* between two rounds: what nodes found out in the first one counts */
    ROUNDS = 2,         /* of one weighing */
    FRESH_MS = 3000,    /* so long a result stands; then everybody is asked anew */
    SOON_MS = 1000,     /* after a copy came: by then others have it, too */
    FEW = 5,            /* weighings, after which the holders alone are asked */
    MANY = 12,          /* ... after which it is left until something changes */
    ENOUGH = 2,         /* nodes that must vouch for a date */
    SMALL = 3,          /* nodes of a ring in which each word is needed */
    NOT_CONFLICTS = 2,  /* slots */
    REMEMBERED_S = 600, /* our word of what is not here any more */
    WEIGH_RATE = 50,    /* a second, of one peer */
    WEIGH_BURST = 200,
};

/* What is known of one claim, by those who vouch for it. */
struct standing {
    uint32_t count; /* 0, 1, or ENOUGH for all more */
    int64_t since_s;
};

static struct wrn_dht_weighing *find(struct wrn_dht *dht, wrn_id place, const uint8_t *owner,
                                     const uint8_t *other);
static struct wrn_dht_weighing *take(struct wrn_dht *dht, wrn_id place, bool is_conflict);
static void begin_round(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_weighing *weighing);
static void end_round(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_weighing *weighing);
static void learn(struct wrn_dht *dht, struct wrn_dht_weighing *weighing, uint32_t claim);
static bool decide(const struct wrn_dht *dht, struct wrn_dht_weighing *weighing, uint32_t held,
                   const struct wrn_record *theirs);
static struct standing stand(const struct wrn_dht *dht, const struct wrn_dht_weighing *weighing,
                             uint32_t claim, bool with_own);
static bool is_word_of(const struct wrn_dht *dht, const struct wrn_dht_weighing *weighing,
                       uint32_t claim, wrn_id id);
static int64_t word_on(const struct wrn_dht *dht, wrn_mono now, wrn_id place, const uint8_t *owner);
static void weigh_next(struct wrn_dht *dht, wrn_mono now);

void wrn_dht_weigh_later(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_entry *entry) {
    entry->is_unweighed = true;
    dht->weigh_due = wrn_mono_min(dht->weigh_due, wrn_mono_add(now, WRN_MS(SOON_MS)));
}

enum wrn_dht_weight wrn_dht_weigh(struct wrn_dht *dht, struct wrn_now now,
                                  const struct wrn_dht_candidate *candidate, uint32_t existing,
                                  int64_t *ret_claim_s) {
    const struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, existing);
    const uint8_t *theirs = candidate->record.owner;
    uint8_t ours[WRN_SIGN_PUBLIC_SIZE];
    memcpy(ours, wrn_dht_store_owner(&dht->store, entry), sizeof(ours));
    struct wrn_dht_weighing *weighing = find(dht, candidate->place, ours, theirs);
    if (weighing == NULL) {
        weighing = take(dht, candidate->place, true);
        if (weighing == NULL) {
            return WRN_DHT_WEIGHT_UNKNOWN;
        }
        memcpy(weighing->owners[0], ours, sizeof(ours));
        memcpy(weighing->owners[1], theirs, sizeof(ours));
    }
    bool is_old =
        weighing->rounds == 0 || wrn_mono_since(now.mono, weighing->ended) >= WRN_MS(FRESH_MS);
    if (weighing->is_running || is_old) {
        if (!weighing->is_running) {
            weighing->rounds = 0;
            weighing->times = weighing->times < MANY ? (uint8_t)(weighing->times + 1) : MANY;
            begin_round(dht, now.mono, weighing);
        }
        return WRN_DHT_WEIGHT_UNKNOWN;
    }
    uint32_t held = memcmp(weighing->owners[0], ours, sizeof(ours)) == 0 ? 0 : 1;
    if (!decide(dht, weighing, held, &candidate->record)) {
        return WRN_DHT_WEIGHT_STAYS;
    }
    int64_t own_s = weighing->own_s[1 - held];
    *ret_claim_s = own_s != 0 && own_s < now.wall.s ? own_s : now.wall.s;
    return WRN_DHT_WEIGHT_YIELDS;
}

struct wrn_dht_entry *wrn_dht_claim_held(const struct wrn_dht *dht, wrn_id place,
                                         const uint8_t *owner) {
    const struct wrn_dht_store *store = &dht->store;
    uint32_t index = wrn_dht_store_next_at(store, place.high, WRN_DHT_NO_ENTRY);
    for (; index != WRN_DHT_NO_ENTRY; index = wrn_dht_store_next_at(store, place.high, index)) {
        struct wrn_dht_entry *entry = &store->entries[index];
        if (entry->kind == WRN_RECORD_CREATE && wrn_id_equal(entry->place, place) &&
            memcmp(wrn_dht_store_owner(store, entry), owner, WRN_SIGN_PUBLIC_SIZE) == 0) {
            return entry;
        }
    }
    return NULL;
}

bool wrn_dht_weigh_goes_on(const struct wrn_dht *dht, wrn_id place) {
    for (uint32_t i = NOT_CONFLICTS; i < WRN_DHT_WEIGHINGS; i++) {
        const struct wrn_dht_weighing *weighing = &dht->weighings[i];
        if (weighing->rounds > 0 && wrn_id_equal(weighing->place, place) &&
            weighing->times < MANY) {
            return true;
        }
    }
    return false;
}

void wrn_dht_weigh_on_weigh(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                            const struct wrn_dht_fields *weigh) {
    struct wrn_drip *bucket = &dht->weighs_of_peer[peer.index % WRN_DHT_PEER_BUCKETS];
    if (!wrn_dht_take(bucket, now.mono, WEIGH_RATE, WEIGH_BURST)) {
        wrn_dht_add(dht, WRN_DHT_COUNT_REFUSED_RATE);
        return;
    }
    struct wrn_dht_fields words = {.type = WRN_DHT_MESSAGE_WEIGHED, .number = weigh->number};
    for (uint32_t i = 0; i < WRN_COUNT(weigh->owners); i++) {
        words.words_s[i] = word_on(dht, now.mono, weigh->at, weigh->owners[i]);
    }
    wrn_dht_send(dht, peer, &words);
}

void wrn_dht_weigh_on_weighed(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                              const struct wrn_dht_fields *words) {
    for (uint32_t i = 0; i < WRN_DHT_WEIGHINGS; i++) {
        struct wrn_dht_weighing *weighing = &dht->weighings[i];
        if (!weighing->is_running || weighing->number != words->number) {
            continue;
        }
        for (uint32_t j = 0; j < weighing->count; j++) {
            if (wrn_handle_equal(weighing->peers[j].peer, peer)) {
                weighing->peers[j].words_s[0] = words->words_s[0];
                weighing->peers[j].words_s[1] = words->words_s[1];
                weighing->answered |= (uint8_t)(1u << j);
            }
        }
        if (weighing->answered == (1u << weighing->count) - 1) {
            end_round(dht, now.mono, weighing);
        }
        return;
    }
}

void wrn_dht_weigh_on_time(struct wrn_dht *dht, struct wrn_now now) {
    bool has_asked = false;
    for (uint32_t i = 0; i < WRN_DHT_WEIGHINGS; i++) {
        struct wrn_dht_weighing *weighing = &dht->weighings[i];
        if (!weighing->is_running || !wrn_mono_reached(now.mono, weighing->due)) {
            continue;
        }
        if (weighing->is_asked) {
            end_round(dht, now.mono, weighing);
        } else if (!has_asked) {
            begin_round(dht, now.mono, weighing);
            has_asked = true;
        } else {
            weighing->due = wrn_mono_add(now.mono, WRN_MS(PACE_MS));
        }
    }
    if (!wrn_mono_reached(now.mono, dht->weigh_due)) {
        return;
    }
    if (has_asked) {
        dht->weigh_due = wrn_mono_add(now.mono, WRN_MS(PACE_MS));
    } else {
        weigh_next(dht, now.mono);
    }
}

wrn_mono wrn_dht_weigh_due(const struct wrn_dht *dht) {
    wrn_mono due = dht->weigh_due;
    for (uint32_t i = 0; i < WRN_DHT_WEIGHINGS; i++) {
        if (dht->weighings[i].is_running) {
            due = wrn_mono_min(due, dht->weighings[i].due);
        }
    }
    return due;
}

/* The weighing of these two, whichever is named first. */
static struct wrn_dht_weighing *find(struct wrn_dht *dht, wrn_id place, const uint8_t *owner,
                                     const uint8_t *other) {
    for (uint32_t i = 0; i < WRN_DHT_WEIGHINGS; i++) {
        struct wrn_dht_weighing *weighing = &dht->weighings[i];
        if (!weighing->is_conflict || !wrn_id_equal(weighing->place, place)) {
            continue;
        }
        uint32_t first = memcmp(weighing->owners[0], owner, WRN_SIGN_PUBLIC_SIZE) == 0 ? 0 : 1;
        if (memcmp(weighing->owners[first], owner, WRN_SIGN_PUBLIC_SIZE) == 0 &&
            memcmp(weighing->owners[1 - first], other, WRN_SIGN_PUBLIC_SIZE) == 0) {
            return weighing;
        }
    }
    return NULL;
}

/* Takes a slot that is not at work, the one that has been idle for longest. NULL: there is none. */
static struct wrn_dht_weighing *take(struct wrn_dht *dht, wrn_id place, bool is_conflict) {
    struct wrn_dht_weighing *taken = NULL;
    uint32_t from = is_conflict ? NOT_CONFLICTS : 0;
    uint32_t to = is_conflict ? WRN_DHT_WEIGHINGS : NOT_CONFLICTS;
    for (uint32_t i = from; i < to; i++) {
        struct wrn_dht_weighing *weighing = &dht->weighings[i];
        if (!weighing->is_running &&
            (taken == NULL || wrn_mono_before(weighing->ended, taken->ended))) {
            taken = weighing;
        }
    }
    if (taken != NULL) {
        *taken = (struct wrn_dht_weighing){.place = place, .is_conflict = is_conflict};
    }
    return taken;
}

/* Asks all linked nodes among the nearest that are known. */
static void begin_round(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_weighing *weighing) {
    struct wrn_dht_fields weigh = {.type = WRN_DHT_MESSAGE_WEIGH, .at = weighing->place};
    memcpy(weigh.owners, weighing->owners, sizeof(weigh.owners));
    weighing->is_running = weighing->is_asked = true;
    weighing->rounds++;
    weighing->count = weighing->answered = 0;
    dht->last_number += dht->last_number == UINT32_MAX ? 2 : 1;
    weighing->number = weigh.number = dht->last_number;
    weighing->due = wrn_mono_add(now, WRN_MS(ROUND_MS));
    for (uint32_t i = 0; i < 2; i++) {
        const struct wrn_dht_entry *entry =
            wrn_dht_claim_held(dht, weighing->place, weighing->owners[i]);
        int64_t since_s = entry != NULL ? wrn_dht_claim_of(entry) : 0;
        if (since_s != 0 && (weighing->own_s[i] == 0 || since_s < weighing->own_s[i])) {
            weighing->own_s[i] = since_s;
        }
    }
    for (uint32_t i = 0; i < dht->near_count && weighing->count < WRN_DHT_HOLDERS_MAX; i++) {
        const struct wrn_dht_neighbour *node = &dht->near[i];
        if (node->peer.generation != 0 &&
            wrn_dht_rank(dht, weighing->place, node->id) < WRN_DHT_HOLDERS_MAX) {
            weighing->peers[weighing->count++] = (struct wrn_dht_voucher){.peer = node->peer};
            wrn_dht_send(dht, node->peer, &weigh);
        }
    }
    if (weighing->count == 0) {
        end_round(dht, now, weighing);
    }
}

static void end_round(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_weighing *weighing) {
    learn(dht, weighing, 0);
    learn(dht, weighing, 1);
    weighing->is_asked = false;
    weighing->is_running = weighing->rounds < ROUNDS && weighing->is_conflict;
    weighing->due = wrn_mono_add(now, WRN_MS(AGAIN_MS));
    weighing->ended = now;
}

/* What two others say, we may say, too: so it comes to those who are linked to one of the two
 * only. */
static void learn(struct wrn_dht *dht, struct wrn_dht_weighing *weighing, uint32_t claim) {
    struct standing standing = stand(dht, weighing, claim, false);
    if (standing.count < ENOUGH ||
        (weighing->own_s[claim] != 0 && weighing->own_s[claim] <= standing.since_s)) {
        return;
    }
    weighing->own_s[claim] = standing.since_s;
    struct wrn_dht_entry *entry = wrn_dht_claim_held(dht, weighing->place, weighing->owners[claim]);
    if (entry != NULL) {
        wrn_dht_set_claim(entry, standing.since_s);
    }
}

/* Tells whether the claim that is not held takes the key: more vouch for it, or since earlier. The
 * same numbers lead to the same on every node; what still differs has a last word in the hash. */
static bool decide(const struct wrn_dht *dht, struct wrn_dht_weighing *weighing, uint32_t held,
                   const struct wrn_record *theirs) {
    struct standing us = stand(dht, weighing, held, true);
    struct standing them = stand(dht, weighing, 1 - held, true);
    const struct wrn_dht_entry *entry =
        wrn_dht_claim_held(dht, weighing->place, weighing->owners[held]);
    struct wrn_record ours;
    if (entry == NULL || wrn_record_read(wrn_dht_store_bytes(&dht->store, entry), dht->primitives,
                                         &ours) != WRN_REASON_NONE) {
        return true;
    }
    if (us.count != them.count) {
        return them.count > us.count;
    }
    if (us.count > 0 && us.since_s != them.since_s) {
        return them.since_s < us.since_s;
    }
    if (us.count > 0) {
        ours.claimed_s = theirs->claimed_s; /* of the same second */
    }
    return wrn_record_wins(theirs, &ours);
}

/* The second oldest date that is vouched for, or the only one. */
static struct standing stand(const struct wrn_dht *dht, const struct wrn_dht_weighing *weighing,
                             uint32_t claim, bool with_own) {
    struct standing standing = {0};
    int64_t first_s = INT64_MAX, second_s = INT64_MAX;
    const struct wrn_dht_entry *entry =
        wrn_dht_claim_held(dht, weighing->place, weighing->owners[claim]);
    for (uint32_t i = 0; i <= weighing->count; i++) {
        bool is_own = i == weighing->count;
        const struct wrn_link *link =
            is_own ? NULL : wrn_links_of(dht->links, weighing->peers[i].peer);
        if (!is_own && link == NULL) {
            continue; /* it has gone */
        }
        wrn_id id = is_own ? dht->links->self : link->id;
        int64_t word_s = is_own ? weighing->own_s[claim] : weighing->peers[i].words_s[claim];
        if (!is_own && word_s == 0 && entry != NULL && dht->near_count <= SMALL &&
            wrn_dht_copies_is_known(dht, weighing->peers[i].peer, entry)) {
            word_s = weighing->own_s[claim]; /* it had it: with so few, no going back on that */
        }
        if (word_s == 0 || (is_own && !with_own) || !is_word_of(dht, weighing, claim, id)) {
            continue;
        }
        standing.count += standing.count < ENOUGH;
        second_s = word_s < first_s ? first_s : word_s < second_s ? word_s : second_s;
        first_s = word_s < first_s ? word_s : first_s;
    }
    standing.since_s = standing.count == ENOUGH ? second_s : first_s;
    return standing;
}

/* Nobody vouches for himself. If the nodes cannot agree since they know different ones, the four
 * holders, who all know one another, do it alone. */
static bool is_word_of(const struct wrn_dht *dht, const struct wrn_dht_weighing *weighing,
                       uint32_t claim, wrn_id id) {
    uint8_t hit[WRN_HIT_SIZE];
    dht->primitives->hit(dht->primitives->ctx, weighing->owners[claim], hit);
    return !wrn_id_equal(wrn_id_of_hit(hit), id) &&
           (weighing->times <= FEW || wrn_dht_rank(dht, weighing->place, id) < WRN_DHT_COPIES);
}

/* Since when we vouch for an owner's claim; 0: we do not. */
static int64_t word_on(const struct wrn_dht *dht, wrn_mono now, wrn_id place,
                       const uint8_t *owner) {
    const struct wrn_dht_entry *entry = wrn_dht_claim_held(dht, place, owner);
    int64_t word_s = entry != NULL ? wrn_dht_claim_of(entry) : 0;
    for (uint32_t i = 0; i < WRN_DHT_WEIGHINGS; i++) {
        const struct wrn_dht_weighing *weighing = &dht->weighings[i];
        for (uint32_t j = 0; j < 2; j++) {
            int64_t own_s = weighing->own_s[j];
            if (own_s != 0 && (word_s == 0 || own_s < word_s) &&
                (weighing->is_running ||
                 wrn_mono_since(now, weighing->ended) < WRN_S(REMEMBERED_S)) &&
                wrn_id_equal(weighing->place, place) &&
                memcmp(weighing->owners[j], owner, WRN_SIGN_PUBLIC_SIZE) == 0) {
                word_s = own_s;
            }
        }
    }
    return word_s;
}

/* Asks about the next record that came as a copy: what two others say of it, we say from then on,
 * so that a claim stays as old as it is while holders come and go. */
static void weigh_next(struct wrn_dht *dht, wrn_mono now) {
    uint32_t cursor = 0;
    dht->weigh_due = WRN_MONO_NEVER;
    for (;;) {
        struct wrn_dht_entry *entry =
            wrn_dht_store_at(&dht->store, wrn_dht_store_next(&dht->store, &cursor));
        if (entry == NULL) {
            return;
        }
        if (!entry->is_unweighed) {
            continue;
        }
        struct wrn_dht_weighing *weighing = take(dht, entry->place, false);
        dht->weigh_due = wrn_mono_add(now, WRN_MS(AGAIN_MS));
        if (weighing == NULL) {
            return;
        }
        entry->is_unweighed = false;
        memcpy(weighing->owners[0], wrn_dht_store_owner(&dht->store, entry),
               sizeof(weighing->owners[0]));
        begin_round(dht, now, weighing);
        return;
    }
}
