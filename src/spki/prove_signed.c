/* SPDX-License-Identifier: Apache-2.0 */
/* What a single certificate is worth at a date: its signature, its time, what CRLs and
 * revalidations say of it. Knows nothing of chains. */
#include "spki/prove_internal.h"

static void join_keys(struct wrn_spki *spki);
static void note_announced(const struct wrn_spki *spki, struct wrn_prove_item *item, uint64_t now);
static uint32_t root_of(const struct wrn_spki *spki, uint32_t key);
static void attach_signatures(struct wrn_spki *spki);
static void list_certs(struct wrn_spki *spki);
static void list_notices(struct wrn_spki *spki);
static void sort_notices(struct wrn_spki *spki);
static void settle_key(struct wrn_spki *spki, uint32_t key);
static void apply(struct wrn_spki *spki, uint32_t notice);
static bool covers_list(const struct wrn_prove_notice *later,
                        const struct wrn_prove_notice *earlier);
static bool is_counted(const struct wrn_prove_item *item, const struct wrn_prove_notice *notice,
                       uint64_t now);
static uint32_t time_faults(const struct wrn_spki *spki, const struct wrn_prove_item *item);
static uint32_t standing_faults(struct wrn_spki *spki, uint32_t index);
static uint32_t tag_faults(struct wrn_spki *spki, uint32_t index);

void wrn_prove_prepare(struct wrn_spki *spki) {
    if (!spki->is_dirty) {
        return;
    }
    spki->is_dirty = false;
    join_keys(spki);
    for (uint32_t i = 0; i < spki->key_count; i++) {
        spki->keys[i].certs = WRN_PROVE_NONE;
        spki->keys[i].notices = WRN_PROVE_NONE;
        spki->keys[i].is_settled = false;
    }
    attach_signatures(spki);
    list_certs(spki);
    list_notices(spki);
}

void wrn_prove_next_query(struct wrn_spki *spki) {
    spki->query++;
    if (spki->query == 0) { /* what was found out 2^32 queries ago must not count */
        for (uint32_t i = 0; i < spki->cert_count; i++) {
            spki->items[i].query = 0;
        }
        spki->query = 1;
    }
}

uint32_t wrn_prove_head(const struct wrn_spki *spki, uint32_t key, uint32_t name) {
    return wrn_prove_map_get(&spki->heads, (uint64_t)key << 32 | name);
}

enum wrn_prove_proof wrn_prove_proof_so_far(struct wrn_spki *spki,
                                            struct wrn_prove_signed *object) {
    if (object->issuer == WRN_PROVE_NONE) {
        return WRN_PROVE_GOOD;
    }
    if (object->proof != WRN_PROVE_UNPROVED) {
        return object->proof;
    }
    const uint8_t *key = spki->keys[object->issuer].as.ed25519;
    bool is_signed = false, is_open = false, is_good = false;
    for (uint32_t i = object->signatures; i != WRN_PROVE_NONE; i = spki->signatures[i].next) {
        const struct wrn_prove_signature *signature = &spki->signatures[i];
        if (signature->signer == object->issuer) {
            is_signed = true;
            is_open = is_open || signature->proof == WRN_PROVE_UNPROVED;
            is_good = is_good || signature->proof == WRN_PROVE_GOOD;
        }
    }
    if (is_good) {
        object->proof = WRN_PROVE_GOOD;
    } else if (is_open && key) {
        return WRN_PROVE_UNPROVED;
    } else if ((is_signed && key) || object->mismatch == object->issuer) {
        object->proof = WRN_PROVE_BAD;
    } else {
        object->proof =
            spki->mode == WRN_SPKI_STUDY && !is_signed ? WRN_PROVE_GOOD : WRN_PROVE_UNSIGNED;
    }
    return object->proof;
}

enum wrn_prove_proof wrn_prove_proof(struct wrn_spki *spki, struct wrn_prove_signed *object) {
    enum wrn_prove_proof proof = wrn_prove_proof_so_far(spki, object);
    if (proof != WRN_PROVE_UNPROVED) {
        return proof;
    }
    const uint8_t *key = spki->keys[object->issuer].as.ed25519;
    object->proof = WRN_PROVE_BAD;
    for (uint32_t i = object->signatures; i != WRN_PROVE_NONE; i = spki->signatures[i].next) {
        struct wrn_prove_signature *signature = &spki->signatures[i];
        if (signature->signer != object->issuer) {
            continue;
        }
        if (signature->proof == WRN_PROVE_UNPROVED) {
            signature->proof =
                wrn_spki_verify(&signature->as, object->sexp, key) ? WRN_PROVE_GOOD : WRN_PROVE_BAD;
        }
        if (signature->proof == WRN_PROVE_GOOD) {
            object->proof = WRN_PROVE_GOOD;
            break;
        }
    }
    return object->proof;
}

uint32_t wrn_prove_faults(struct wrn_spki *spki, uint32_t index, bool is_complete) {
    struct wrn_prove_item *item = &spki->items[index];
    if (item->query == spki->query && (item->is_complete || (item->faults && !is_complete))) {
        return item->faults;
    }
    item->query = spki->query;
    item->is_complete = true;
    item->from = item->start;
    item->until = item->end;
    item->fresh = WRN_PROVE_NONE;
    item->is_announced = false;
    item->faults = time_faults(spki, item);
    for (size_t i = 0; i < 2; i++) {
        if (item->faults && !is_complete) {
            item->is_complete = false;
            return item->faults;
        }
        item->faults |= i == 0 ? standing_faults(spki, index) : tag_faults(spki, index);
    }
    return item->faults;
}

void wrn_prove_settle(struct wrn_spki *spki, uint32_t index) {
    const struct wrn_prove_item *item = &spki->items[index];
    if (item->object.issuer != WRN_PROVE_NONE) {
        settle_key(spki, item->object.issuer);
    }
    if (item->online != WRN_PROVE_NONE) {
        settle_key(spki, item->online);
    }
}

bool wrn_prove_refresh(struct wrn_spki *spki, uint32_t index, uint64_t now) {
    struct wrn_prove_item *item = &spki->items[index];
    item->from = item->start;
    item->until = item->end;
    item->fresh = WRN_PROVE_NONE;
    note_announced(spki, item, now);
    if (item->online == WRN_PROVE_NONE) {
        return true;
    }
    bool is_crl = item->online_kind == WRN_SPKI_ONLINE_CRL;
    uint32_t next = is_crl ? spki->keys[item->online].notices : item->revalidated;
    if (item->online_kind == WRN_SPKI_ONLINE_ONE_TIME) {
        next = WRN_PROVE_NONE;
    }
    for (; next != WRN_PROVE_NONE; next = spki->notices[next].next) {
        struct wrn_prove_notice *notice = &spki->notices[next];
        if (is_counted(item, notice, now) &&
            (item->fresh == WRN_PROVE_NONE || notice->end > spki->notices[item->fresh].end) &&
            wrn_prove_proof(spki, &notice->object) == WRN_PROVE_GOOD) {
            item->fresh = next;
        }
    }
    if (item->fresh == WRN_PROVE_NONE) {
        return false;
    }
    const struct wrn_prove_notice *fresh = &spki->notices[item->fresh];
    item->from = fresh->start > item->from ? fresh->start : item->from;
    item->until = fresh->end < item->until ? fresh->end : item->until;
    return true;
}

struct wrn_spki_validity wrn_prove_eve(const struct wrn_prove_notice *notice) {
    return (struct wrn_spki_validity){
        .not_after = {(const uint8_t *)notice->eve, sizeof notice->eve}};
}

/* A CRL may say today what it revokes tomorrow: until then the right holds, and no longer. */
static void note_announced(const struct wrn_spki *spki, struct wrn_prove_item *item, uint64_t now) {
    const struct wrn_prove_notice *notice =
        item->revoked == WRN_PROVE_NONE ? NULL : &spki->notices[item->revoked];
    item->is_announced = notice && notice->start > now && notice->has_eve;
    if (item->is_announced) {
        uint64_t eve = wrn_prove_date(wrn_prove_eve(notice).not_after);
        item->until = eve < item->until ? eve : item->until;
    }
}

/* Writes one number for each principal everywhere, also where it was known by several. */
static void join_keys(struct wrn_spki *spki) {
    for (uint32_t i = 0; i < spki->key_count; i++) {
        spki->keys[i].same = root_of(spki, i);
    }
    for (uint32_t i = 0; i < spki->cert_count; i++) {
        struct wrn_prove_item *item = &spki->items[i];
        item->object.issuer = root_of(spki, item->object.issuer);
        item->object.mismatch = root_of(spki, item->object.mismatch);
        item->online = root_of(spki, item->online);
        if (item->subject.list != WRN_PROVE_THRESHOLD) {
            item->subject.key = root_of(spki, item->subject.key);
        }
    }
    for (uint32_t i = 0; i < spki->part_count; i++) {
        if (spki->parts[i].list != WRN_PROVE_THRESHOLD) {
            spki->parts[i].key = root_of(spki, spki->parts[i].key);
        }
    }
    for (uint32_t i = 0; i < spki->only_count; i++) {
        spki->only[i] = root_of(spki, spki->only[i]);
    }
    for (uint32_t i = 0; i < spki->notice_count; i++) {
        struct wrn_prove_signed *object = &spki->notices[i].object;
        object->issuer = root_of(spki, object->issuer);
        object->mismatch = root_of(spki, object->mismatch);
    }
    for (uint32_t i = 0; i < spki->signature_count; i++) {
        spki->signatures[i].signer = root_of(spki, spki->signatures[i].signer);
    }
}

static uint32_t root_of(const struct wrn_spki *spki, uint32_t key) {
    while (key != WRN_PROVE_NONE && spki->keys[key].same != key) {
        key = spki->keys[key].same;
    }
    return key;
}

static void attach_signatures(struct wrn_spki *spki) {
    for (uint32_t i = 0; i < spki->signature_count; i++) {
        struct wrn_prove_signature *signature = &spki->signatures[i];
        uint32_t index;
        if (signature->is_attached ||
            !wrn_keymap_find(&spki->objects, signature->as.object_hash, &index)) {
            continue;
        }
        struct wrn_prove_signed *object =
            index < spki->limits.certs_max ? &spki->items[index].object
                                           : &spki->notices[index - spki->limits.certs_max].object;
        signature->next = object->signatures;
        signature->is_attached = true;
        object->signatures = i;
    }
}

/* Backwards, so that each list has the order of adding. */
static void list_certs(struct wrn_spki *spki) {
    wrn_prove_map_clear(&spki->heads);
    spki->entries = WRN_PROVE_NONE;
    for (uint32_t i = spki->cert_count; i-- > 0;) {
        struct wrn_prove_item *item = &spki->items[i];
        item->object.proof = WRN_PROVE_UNPROVED; /* what was added may prove more */
        item->query = 0;
        item->revoked = WRN_PROVE_NONE;
        item->revalidated = WRN_PROVE_NONE;
        uint32_t *first;
        if (item->object.issuer == WRN_PROVE_NONE) {
            first = &spki->entries;
        } else if (item->name == WRN_PROVE_NONE) {
            first = &spki->keys[item->object.issuer].certs;
        } else {
            first =
                wrn_prove_map_place(&spki->heads, (uint64_t)item->object.issuer << 32 | item->name);
            WRN_ASSERT(first); /* at most one a certificate */
        }
        item->next = *first;
        *first = i;
    }
}

static void list_notices(struct wrn_spki *spki) {
    sort_notices(spki);
    for (uint32_t i = spki->notice_count; i-- > 0;) {
        struct wrn_prove_notice *notice = &spki->notices[spki->notice_order[i]];
        uint32_t index;
        notice->object.proof = WRN_PROVE_UNPROVED;
        notice->is_rollback = false;
        uint32_t *first = &spki->keys[notice->object.issuer].notices;
        if (notice->cert_hash) {
            if (!wrn_keymap_find(&spki->objects, notice->cert_hash, &index) ||
                index >= spki->limits.certs_max) {
                continue;
            }
            first = &spki->items[index].revalidated;
        }
        notice->next = *first;
        *first = spki->notice_order[i];
    }
}

/* Merge sort by the date from which they count; of equal ones the first added stays first. */
static void sort_notices(struct wrn_spki *spki) {
    uint32_t count = spki->notice_count;
    uint32_t *from = spki->notice_order, *to = spki->notice_order + spki->limits.crls_max;
    for (uint32_t i = 0; i < count; i++) {
        from[i] = i;
    }
    for (uint32_t width = 1; width < count; width *= 2) {
        for (uint32_t low = 0; low < count; low += 2 * width) {
            uint32_t middle = low + width < count ? low + width : count;
            uint32_t high = middle + width < count ? middle + width : count;
            uint32_t a = low, b = middle;
            for (uint32_t i = low; i < high; i++) {
                bool takes_a = b == high || (a < middle && spki->notices[from[a]].start <=
                                                               spki->notices[from[b]].start);
                to[i] = takes_a ? from[a++] : from[b++];
            }
        }
        memcpy(from, to, count * sizeof(*from));
    }
}

/* Verifies the CRLs of a principal and marks what they cancel. Each counts from its beginning on
 * and for ever after: what one of them names stays revoked, whatever later ones say. One that names
 * less than one before it is an old one under a new date, or a mistake; what it names is revoked
 * too, but nobody takes it for the state of today. */
static void settle_key(struct wrn_spki *spki, uint32_t key) {
    const struct wrn_prove_notice *before = NULL;
    if (spki->keys[key].is_settled) {
        return;
    }
    spki->keys[key].is_settled = true;
    for (uint32_t i = spki->keys[key].notices; i != WRN_PROVE_NONE; i = spki->notices[i].next) {
        struct wrn_prove_notice *notice = &spki->notices[i];
        if (wrn_prove_proof(spki, &notice->object) != WRN_PROVE_GOOD) {
            continue;
        }
        apply(spki, i);
        notice->is_rollback = before && !covers_list(notice, before);
        if (!notice->is_rollback) {
            before = notice;
        }
    }
}

static void apply(struct wrn_spki *spki, uint32_t index) {
    const struct wrn_prove_notice *notice = &spki->notices[index];
    struct wrn_spki_crl crl = notice->crl;
    const uint8_t *hash;
    uint32_t object;
    while (wrn_spki_next_canceled(&crl, &hash)) {
        if (!wrn_keymap_find(&spki->objects, hash, &object) || object >= spki->limits.certs_max) {
            continue;
        }
        struct wrn_prove_item *item = &spki->items[object];
        bool may_revoke =
            notice->object.issuer == item->object.issuer || notice->object.issuer == item->online;
        if (may_revoke && (item->revoked == WRN_PROVE_NONE ||
                           notice->start < spki->notices[item->revoked].start)) {
            item->revoked = index;
        }
    }
}

/* Tells whether a CRL names all that an earlier one names. Lists that keep their order are compared
 * in one pass, whatever came in between; of others STEPS_MORE are tried, enough for 256 entries in
 * any order, and what is not known by then counts as a rollback. So lists cost what they weigh. */
static bool covers_list(const struct wrn_prove_notice *later,
                        const struct wrn_prove_notice *earlier) {
    enum { STEPS_MORE = 1 << 16 };
    struct wrn_spki_crl wanted = earlier->crl, offered = later->crl;
    const uint8_t *want, *offer;
    size_t steps_max = STEPS_MORE + earlier->crl.count + later->crl.count;
    size_t steps = 0;
    while (wrn_spki_next_canceled(&wanted, &want)) {
        size_t tried = 0;
        for (;; tried++, steps++) {
            if (tried > later->crl.count || steps > steps_max) {
                return false;
            }
            if (!wrn_spki_next_canceled(&offered, &offer)) {
                offered = later->crl;
                continue;
            }
            if (memcmp(want, offer, WRN_SHA256_SIZE) == 0) {
                break;
            }
        }
    }
    return true;
}

/* Tells whether a CRL or revalidation is one that a certificate asks for and that counts at 'now'
 * (0: at any time). Its signature is not looked at. */
static bool is_counted(const struct wrn_prove_item *item, const struct wrn_prove_notice *notice,
                       uint64_t now) {
    bool is_now = now == 0 || (notice->start <= now && now <= notice->end);
    return is_now && notice->object.issuer == item->online && !notice->is_rollback;
}

static uint32_t time_faults(const struct wrn_spki *spki, const struct wrn_prove_item *item) {
    if (spki->now < item->start) {
        return 1U << WRN_SPKI_NOT_YET_VALID;
    }
    return spki->now > item->end ? 1U << WRN_SPKI_EXPIRED : 0;
}

/* Whether it is signed, not revoked, and as fresh as it demands. */
static uint32_t standing_faults(struct wrn_spki *spki, uint32_t index) {
    struct wrn_prove_item *item = &spki->items[index];
    uint32_t faults = 0;
    enum wrn_prove_proof proof = wrn_prove_proof_so_far(spki, &item->object);
    if (proof == WRN_PROVE_UNSIGNED) {
        faults |= 1U << WRN_SPKI_NOT_SIGNED;
    } else if (proof == WRN_PROVE_BAD) {
        faults |= 1U << WRN_SPKI_BAD_SIGNATURE;
    }
    wrn_prove_settle(spki, index);
    if (item->revoked != WRN_PROVE_NONE && spki->notices[item->revoked].start <= spki->now) {
        faults |= 1U << WRN_SPKI_REVOKED;
    }
    if (!wrn_prove_refresh(spki, index, spki->now)) {
        faults |= 1U << WRN_SPKI_NO_FRESH_CRL;
    }
    return faults;
}

static uint32_t tag_faults(struct wrn_spki *spki, uint32_t index) {
    if (spki->items[index].name != WRN_PROVE_NONE) {
        return 0; /* a name certificate gives no right, so it limits none */
    }
    int covers =
        wrn_tag_covers(spki->certs[index].tag, spki->request, spki->scratch, WRN_TAG_SIZE_MAX);
    if (covers < 0) {
        return 1U << WRN_SPKI_TOO_LARGE;
    }
    return covers ? 0 : 1U << WRN_SPKI_TAG;
}
