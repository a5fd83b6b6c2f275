/* SPDX-License-Identifier: Apache-2.0 */
/* Five-tuples without their subjects: what a certificate gives, and what is left of a right when it
 * is passed on. Never more than both sides have. Source: RFC 2693, sections 6.3 and 6.4. */
#include "spki/prove_internal.h"

static bool keep_tag(struct wrn_spki *spki, int result, struct wrn_sexp_writer *writer,
                     uint32_t *ret_tag);
static bool set_pass(struct wrn_spki *spki, uint32_t item, struct wrn_prove_right *right);
static bool set_validity(struct wrn_spki *spki, uint32_t item, struct wrn_prove_right *right);
static bool intersect(const struct wrn_prove_tuples *tuples,
                      const struct wrn_spki_validity *validity, struct wrn_prove_right *right);
static uint32_t make_list(struct wrn_prove_tuples *tuples, uint32_t *keys, size_t count);
static size_t read_list(const struct wrn_prove_tuples *tuples, uint32_t list,
                        uint32_t keys[WRN_SPKI_THRESHOLD_MAX]);

static const struct wrn_sexp everything = {{(const uint8_t *)"(1:*)", 5}};

void wrn_prove_tuples_init(struct wrn_prove_tuples *tuples, struct wrn_arena *arena,
                           const struct wrn_spki_limits *limits) {
    uint32_t max = limits->tuples_max;
    uint64_t seed = limits->seed[1];
    tuples->tuples_max = max;
    tuples->size_max = limits->bytes_max;
    tuples->all = wrn_arena_take(arena, max, sizeof(*tuples->all));
    tuples->tags = wrn_arena_take(arena, max, sizeof(*tuples->tags));
    tuples->lists = wrn_arena_take(arena, (size_t)max + 1, sizeof(*tuples->lists));
    tuples->entries = wrn_arena_take(arena, max, sizeof(*tuples->entries));
    tuples->bytes = wrn_arena_take(arena, 1, limits->bytes_max);
    wrn_prove_map_init(&tuples->known, arena, max, seed);
    wrn_prove_map_init(&tuples->known_tags, arena, max, seed);
    wrn_prove_map_init(&tuples->known_lists, arena, max, seed);
    wrn_prove_map_init(&tuples->joins, arena, max, seed);
}

bool wrn_prove_read_date(const struct wrn_spki *spki, wrn_spki_date date, uint64_t *ret_date) {
    int64_t seconds;
    *ret_date = wrn_prove_date(date);
    return date.size == 0 || (spki->mode == WRN_SPKI_STUDY ? wrn_spki_date_is_loose(date)
                                                           : wrn_spki_date_read(date, &seconds));
}

void wrn_prove_tuples_begin(struct wrn_spki *spki, uint64_t now) {
    struct wrn_prove_tuples *tuples = &spki->tuples;
    wrn_prove_map_clear(&tuples->known);
    wrn_prove_map_clear(&tuples->known_tags);
    wrn_prove_map_clear(&tuples->known_lists);
    wrn_prove_map_clear(&tuples->joins);
    tuples->count = tuples->tag_count = tuples->entry_count = 0;
    tuples->list_count = 1; /* the first is the empty list */
    tuples->size = 0;
    tuples->now = now;
    tuples->is_full = false;
    wrn_prove_prepare(spki);
    wrn_prove_next_query(spki);
}

bool wrn_prove_right_of(struct wrn_spki *spki, uint32_t item, struct wrn_sexp request,
                        struct wrn_prove_right *ret_right) {
    struct wrn_prove_tuples *tuples = &spki->tuples;
    struct wrn_prove_right right = {.end = UINT64_MAX};
    struct wrn_sexp_writer writer =
        wrn_sexp_writer(tuples->bytes + tuples->size, tuples->size_max - tuples->size);
    int result = wrn_tag_intersect(spki->certs[item].tag,
                                   request.bytes.size > 0 ? request : everything, &writer);
    if (!keep_tag(spki, result, &writer, &right.tag) || !set_pass(spki, item, &right) ||
        !set_validity(spki, item, &right)) {
        return false;
    }
    *ret_right = right;
    return true;
}

bool wrn_prove_right_after(struct wrn_spki *spki, const struct wrn_prove_right *had, uint32_t item,
                           struct wrn_prove_right *ret_right) {
    struct wrn_prove_tuples *tuples = &spki->tuples;
    struct wrn_prove_right right = *had;
    if (!set_validity(spki, item, &right)) {
        return false;
    }
    if (spki->items[item].name == WRN_PROVE_NONE) {
        struct wrn_sexp_writer writer =
            wrn_sexp_writer(tuples->bytes + tuples->size, tuples->size_max - tuples->size);
        int result = wrn_tag_intersect(tuples->tags[had->tag].sexp, spki->certs[item].tag, &writer);
        if (!keep_tag(spki, result, &writer, &right.tag)) {
            return false;
        }
        if (had->pass == WRN_PROVE_MAY_ONCE) {
            right.pass = WRN_PROVE_MAY_HOLD;
        } else if (had->pass != WRN_PROVE_MAY_FREELY || !set_pass(spki, item, &right)) {
            return false;
        }
    }
    *ret_right = right;
    return true;
}

bool wrn_prove_right_join(struct wrn_spki *spki, const struct wrn_prove_right *a,
                          const struct wrn_prove_right *b, struct wrn_prove_right *ret_right) {
    struct wrn_prove_tuples *tuples = &spki->tuples;
    struct wrn_prove_right right = *a;
    struct wrn_sexp_writer writer =
        wrn_sexp_writer(tuples->bytes + tuples->size, tuples->size_max - tuples->size);
    if (!intersect(tuples, &b->validity, &right)) {
        return false;
    }
    int result = wrn_tag_intersect(tuples->tags[a->tag].sexp, tuples->tags[b->tag].sexp, &writer);
    if (!keep_tag(spki, result, &writer, &right.tag)) {
        return false;
    }
    /* Both are of principals, so neither is MAY_HOLD. */
    if (a->pass == WRN_PROVE_MAY_NOT || b->pass == WRN_PROVE_MAY_NOT) {
        right.pass = WRN_PROVE_MAY_NOT;
        right.only = WRN_PROVE_NIL;
    } else if (a->pass == WRN_PROVE_MAY_FREELY) {
        right.pass = b->pass;
        right.only = b->only;
    } else if (b->pass == WRN_PROVE_MAY_ONCE) {
        uint32_t of_a[WRN_SPKI_THRESHOLD_MAX], of_b[WRN_SPKI_THRESHOLD_MAX];
        uint32_t both[WRN_SPKI_THRESHOLD_MAX];
        size_t count_a = read_list(tuples, a->only, of_a);
        size_t count_b = read_list(tuples, b->only, of_b), count = 0;
        for (size_t i = 0; i < count_a; i++) {
            for (size_t j = 0; j < count_b; j++) {
                if (of_a[i] == of_b[j]) {
                    both[count++] = of_a[i];
                }
            }
        }
        right.only = make_list(tuples, both, count);
        right.pass = count > 0 ? WRN_PROVE_MAY_ONCE : WRN_PROVE_MAY_NOT;
    }
    *ret_right = right;
    return !tuples->is_full;
}

bool wrn_prove_right_within(const struct wrn_prove_tuples *tuples,
                            const struct wrn_prove_right *had, const struct wrn_prove_right *other,
                            struct wrn_prove_right *ret_right) {
    struct wrn_prove_right right = *had;
    if (!intersect(tuples, &other->validity, &right)) {
        return false;
    }
    *ret_right = right;
    return true;
}

bool wrn_prove_right_reaches(const struct wrn_prove_tuples *tuples, uint32_t key,
                             struct wrn_prove_right *right) {
    if (right->pass != WRN_PROVE_MAY_HOLD) {
        return true;
    }
    uint32_t list = right->only;
    while (list != WRN_PROVE_NIL && tuples->lists[list].name != key) {
        list = tuples->lists[list].rest;
    }
    right->pass = WRN_PROVE_MAY_NOT;
    right->only = WRN_PROVE_NIL;
    return list != WRN_PROVE_NIL;
}

uint32_t wrn_prove_reduce_faults(struct wrn_spki *spki, uint32_t index) {
    struct wrn_prove_item *item = &spki->items[index];
    if (item->query == spki->query) {
        return item->faults;
    }
    uint64_t now = spki->tuples.now;
    enum wrn_prove_proof proof = wrn_prove_proof(spki, &item->object);
    item->query = spki->query;
    item->is_complete = true;
    item->faults = 0;
    if (proof == WRN_PROVE_UNSIGNED) {
        item->faults |= 1U << WRN_SPKI_NOT_SIGNED;
    } else if (proof != WRN_PROVE_GOOD) {
        item->faults |= 1U << WRN_SPKI_BAD_SIGNATURE;
    }
    wrn_prove_settle(spki, index);
    if (item->revoked != WRN_PROVE_NONE &&
        (now == 0 || spki->notices[item->revoked].start <= now)) {
        item->faults |= 1U << WRN_SPKI_REVOKED;
    }
    if (!wrn_prove_refresh(spki, index, now)) {
        item->faults |= 1U << WRN_SPKI_NO_FRESH_CRL;
    }
    if (now != 0 && now < item->from) {
        item->faults |= 1U << WRN_SPKI_NOT_YET_VALID;
    } else if (now != 0 && now > item->until) {
        item->faults |= 1U << WRN_SPKI_EXPIRED;
    }
    return item->faults;
}

void wrn_prove_write_entry(const struct wrn_spki *spki, struct wrn_sexp_writer *out, uint32_t key,
                           const struct wrn_prove_right *right) {
    uint32_t keys[WRN_SPKI_THRESHOLD_MAX];
    struct wrn_sexp only[WRN_SPKI_THRESHOLD_MAX];
    size_t count = read_list(&spki->tuples, right->only, keys);
    for (size_t i = 0; i < count; i++) {
        /* Ascending, so that the order of adding does not show. */
        struct wrn_sexp sexp = spki->keys[keys[i]].as.sexp;
        size_t place = i;
        while (place > 0 && wrn_prove_compare(sexp.bytes, only[place - 1].bytes) < 0) {
            only[place] = only[place - 1];
            place--;
        }
        only[place] = sexp;
    }
    struct wrn_spki_issue issue = {
        .subject = spki->keys[key].as.sexp,
        .delegation = right->pass == WRN_PROVE_MAY_FREELY ? WRN_SPKI_DELEGABLE
                      : right->pass == WRN_PROVE_MAY_ONCE ? WRN_SPKI_DELEGABLE_TO
                                                          : WRN_SPKI_NOT_DELEGABLE,
        .only = only,
        .only_count = count,
        .tag = spki->tuples.tags[right->tag].sexp,
        .validity = right->validity,
    };
    wrn_spki_write_cert(out, &issue, true);
}

int wrn_prove_compare(wrn_span a, wrn_span b) {
    size_t size = a.size < b.size ? a.size : b.size;
    int difference = size > 0 ? memcmp(a.data, b.data, size) : 0;
    return difference ? difference : (a.size > b.size) - (a.size < b.size);
}

/* Keeps the tag that was just written behind the bytes that are used, or the same one that was
 * there. Without room at the end of the bytes, too; an intersection that is too large to be
 * computed permits nothing. */
static bool keep_tag(struct wrn_spki *spki, int result, struct wrn_sexp_writer *writer,
                     uint32_t *ret_tag) {
    struct wrn_prove_tuples *tuples = &spki->tuples;
    struct wrn_sexp sexp;
    if (result == -ENOBUFS || (result == 1 && wrn_sexp_finish(writer, &sexp))) {
        tuples->is_full = true;
        return false;
    }
    if (result != 1) {
        return false;
    }
    uint64_t hash = wrn_siphash(spki->limits.seed, sexp.bytes.data, sexp.bytes.size);
    uint32_t *first = wrn_prove_map_place(&tuples->known_tags, hash);
    if (!first) {
        tuples->is_full = true;
        return false;
    }
    for (uint32_t i = *first; i != WRN_PROVE_NONE; i = tuples->tags[i].same_hash) {
        if (wrn_sexp_equal(tuples->tags[i].sexp, sexp)) {
            *ret_tag = i;
            return true;
        }
    }
    if (tuples->tag_count == tuples->tuples_max) {
        tuples->is_full = true;
        return false;
    }
    tuples->tags[tuples->tag_count] = (struct wrn_prove_tag){.sexp = sexp, .same_hash = *first};
    *first = tuples->tag_count;
    *ret_tag = tuples->tag_count++;
    tuples->size += sexp.bytes.size;
    return true;
}

/* How the certificate itself may be passed on. */
static bool set_pass(struct wrn_spki *spki, uint32_t item, struct wrn_prove_right *right) {
    const struct wrn_spki_cert *cert = &spki->certs[item];
    right->only = WRN_PROVE_NIL;
    if (cert->delegation == WRN_SPKI_DELEGABLE) {
        right->pass = WRN_PROVE_MAY_FREELY;
    } else if (cert->delegation == WRN_SPKI_DELEGABLE_TO) {
        uint32_t keys[WRN_SPKI_THRESHOLD_MAX];
        memcpy(keys, spki->only + spki->items[item].only, cert->only_count * sizeof(*keys));
        right->pass = WRN_PROVE_MAY_ONCE;
        right->only = make_list(&spki->tuples, keys, cert->only_count);
    } else {
        right->pass = WRN_PROVE_MAY_NOT;
    }
    return !spki->tuples.is_full;
}

static bool set_validity(struct wrn_spki *spki, uint32_t item, struct wrn_prove_right *right) {
    const struct wrn_prove_item *as = &spki->items[item];
    if (as->is_announced) {
        struct wrn_spki_validity eve = wrn_prove_eve(&spki->notices[as->revoked]);
        if (!intersect(&spki->tuples, &eve, right)) {
            return false;
        }
    }
    return intersect(&spki->tuples, &spki->certs[item].validity, right) &&
           (as->fresh == WRN_PROVE_NONE ||
            intersect(&spki->tuples, &spki->notices[as->fresh].validity, right));
}

/* What holds at no time, or not now, is nothing. */
static bool intersect(const struct wrn_prove_tuples *tuples,
                      const struct wrn_spki_validity *validity, struct wrn_prove_right *right) {
    struct wrn_spki_validity had = right->validity;
    if (!wrn_spki_validity_intersect(&had, validity, &right->validity)) {
        return false;
    }
    right->start = wrn_prove_date(right->validity.not_before);
    right->end =
        right->validity.not_after.size > 0 ? wrn_prove_date(right->validity.not_after) : UINT64_MAX;
    return tuples->now == 0 || (right->start <= tuples->now && tuples->now <= right->end);
}

/* A list of principals, ascending, each once, so that equal ones have one number. */
static uint32_t make_list(struct wrn_prove_tuples *tuples, uint32_t *keys, size_t count) {
    uint32_t list = WRN_PROVE_NIL;
    for (size_t i = 1; i < count; i++) {
        uint32_t key = keys[i];
        size_t place = i;
        for (; place > 0 && keys[place - 1] > key; place--) {
            keys[place] = keys[place - 1];
        }
        keys[place] = key;
    }
    for (size_t i = count; i-- > 0;) {
        if (i + 1 < count && keys[i] == keys[i + 1]) {
            continue;
        }
        uint32_t *place = wrn_prove_map_place(&tuples->known_lists, (uint64_t)keys[i] << 32 | list);
        if (!place) {
            tuples->is_full = true;
            return WRN_PROVE_NIL;
        }
        if (*place == WRN_PROVE_NONE) {
            *place = tuples->list_count++;
            tuples->lists[*place] = (struct wrn_prove_cell){.name = keys[i], .rest = list};
        }
        list = *place;
    }
    return list;
}

static size_t read_list(const struct wrn_prove_tuples *tuples, uint32_t list,
                        uint32_t keys[WRN_SPKI_THRESHOLD_MAX]) {
    size_t count = 0;
    for (; list != WRN_PROVE_NIL; list = tuples->lists[list].rest) {
        keys[count++] = tuples->lists[list].name;
    }
    return count;
}
