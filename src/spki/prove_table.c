/* SPDX-License-Identifier: Apache-2.0 */
/* Makes small numbers of what certificates speak about: principals, names, subjects, dates. A key
 * and its hash get the same number, also when the key becomes known last. */
#include "spki/prove_internal.h"

enum { DATE_DIGITS = 18 }; /* YYYYMMDDHHMMSS and four of a fraction; 11^18 < 2^63 */

static uint64_t mix(uint64_t v);
static struct wrn_prove_slot *probe(const struct wrn_prove_map *map, uint64_t key);
static size_t hashes_of_key(const struct wrn_spki *spki, struct wrn_sexp key,
                            uint8_t hashes[3][WRN_SHA256_SIZE]);
static void hash_by_other(const char *algorithm, wrn_span bytes, uint8_t ret[WRN_SHA256_SIZE]);
static size_t names_of_principal(const struct wrn_spki *spki,
                                 const struct wrn_spki_principal *principal,
                                 uint8_t hashes[3][WRN_SHA256_SIZE], bool *ret_is_other);
static struct wrn_keymap *table_of(struct wrn_spki *spki, size_t i, bool is_other);
static bool add_threshold(struct wrn_spki *spki, struct wrn_sexp sexp, uint32_t *ret_threshold);
static bool fill_threshold(struct wrn_spki *spki, uint32_t index);
static bool add_node(struct wrn_spki *spki, const struct wrn_spki_subject *subject,
                     struct wrn_prove_node *ret_node);

void wrn_prove_map_init(struct wrn_prove_map *map, struct wrn_arena *arena, uint32_t capacity,
                        uint64_t seed) {
    uint32_t slots = 4;
    while (slots < capacity * 2) {
        slots *= 2;
    }
    map->slots = wrn_arena_take(arena, slots, sizeof(*map->slots));
    map->seed = seed;
    map->mask = slots - 1;
    map->epoch = 1;
    map->count = 0;
    map->capacity = capacity;
}

void wrn_prove_map_clear(struct wrn_prove_map *map) {
    map->count = 0;
    map->epoch++;
    if (map->epoch == 0) { /* what was set 2^32 times ago must not come back */
        memset(map->slots, 0, (size_t)(map->mask + 1) * sizeof(*map->slots));
        map->epoch = 1;
    }
}

uint32_t *wrn_prove_map_place(struct wrn_prove_map *map, uint64_t key) {
    struct wrn_prove_slot *slot = probe(map, key);
    if (slot->epoch != map->epoch) {
        if (map->count == map->capacity) {
            return NULL;
        }
        map->count++;
        slot->key = key;
        slot->value = WRN_PROVE_NONE;
        slot->epoch = map->epoch;
    }
    return &slot->value;
}

uint32_t wrn_prove_map_get(const struct wrn_prove_map *map, uint64_t key) {
    const struct wrn_prove_slot *slot = probe(map, key);
    return slot->epoch == map->epoch ? slot->value : WRN_PROVE_NONE;
}

uint64_t wrn_prove_date(wrn_spki_date date) {
    uint64_t number = 0;
    size_t digits = 0;
    for (size_t i = 0; i < date.size && digits < DATE_DIGITS; i++) {
        if (date.data[i] >= '0' && date.data[i] <= '9') {
            /* A missing digit is less than 0: a date that was cut short lies before all that it is
             * the beginning of. */
            number = number * 11 + (uint64_t)(date.data[i] - '0') + 1;
            digits++;
        }
    }
    for (; digits < DATE_DIGITS; digits++) {
        number *= 11;
    }
    return number;
}

bool wrn_prove_add_key(struct wrn_spki *spki, const struct wrn_spki_principal *principal,
                       uint32_t *ret_key) {
    uint8_t hashes[3][WRN_SHA256_SIZE];
    bool is_other;
    size_t count = names_of_principal(spki, principal, hashes, &is_other);
    uint32_t found[3], key = WRN_PROVE_NONE;
    for (size_t i = 0; i < count; i++) {
        found[i] = WRN_PROVE_NONE;
        if (wrn_keymap_find(table_of(spki, i, is_other), hashes[i], &found[i])) {
            while (spki->keys[found[i]].same != found[i]) {
                found[i] = spki->keys[found[i]].same;
            }
            /* Two that were known by different hashes turn out to be one. */
            key = key == WRN_PROVE_NONE ? found[i] : key;
            spki->keys[found[i]].same = key;
        }
    }
    if (key == WRN_PROVE_NONE) {
        if (spki->key_count == spki->limits.keys_max) {
            return false;
        }
        key = spki->key_count++;
        spki->keys[key] = (struct wrn_prove_key){.as = *principal, .same = key};
    }
    for (size_t i = 0; i < count; i++) {
        if (found[i] == WRN_PROVE_NONE &&
            !wrn_keymap_add(table_of(spki, i, is_other), hashes[i], key)) {
            return false;
        }
    }
    if (principal->is_key) {
        spki->keys[key].as = *principal;
    }
    *ret_key = key;
    return true;
}

void wrn_prove_mark_key(struct wrn_spki *spki, const struct wrn_spki_principal *principal,
                        uint32_t asked) {
    uint8_t hashes[3][WRN_SHA256_SIZE];
    bool is_other;
    size_t count = names_of_principal(spki, principal, hashes, &is_other);
    for (size_t i = 0; i < count; i++) {
        uint32_t key;
        if (wrn_keymap_find(table_of(spki, i, is_other), hashes[i], &key)) {
            while (spki->keys[key].same != key) {
                key = spki->keys[key].same;
            }
            spki->keys[key].asked = asked == 0 ? 0 : spki->keys[key].asked | asked;
        }
    }
}

bool wrn_prove_add_name(struct wrn_spki *spki, wrn_span bytes, uint32_t *ret_name) {
    uint64_t hash = wrn_siphash(spki->limits.seed, bytes.data, bytes.size);
    uint32_t *first = wrn_prove_map_place(&spki->name_hashes, hash);
    if (!first) {
        return false;
    }
    for (uint32_t i = *first; i != WRN_PROVE_NONE; i = spki->names[i].next) {
        wrn_span other = spki->names[i].bytes;
        if (other.size == bytes.size &&
            (bytes.size == 0 || memcmp(other.data, bytes.data, bytes.size) == 0)) {
            *ret_name = i;
            return true;
        }
    }
    if (spki->name_count == spki->cells_max) {
        return false;
    }
    spki->names[spki->name_count] = (struct wrn_prove_name){.bytes = bytes, .next = *first};
    *first = spki->name_count;
    *ret_name = spki->name_count++;
    return true;
}

bool wrn_prove_add_cell(struct wrn_spki *spki, uint32_t name, uint32_t rest, uint32_t *ret_list) {
    uint32_t *place = wrn_prove_map_place(&spki->cell_pairs, (uint64_t)name << 32 | rest);
    if (!place) {
        return false;
    }
    if (*place == WRN_PROVE_NONE) {
        if (spki->cell_count == spki->cells_max) {
            return false;
        }
        *place = spki->cell_count++;
        spki->cells[*place] = (struct wrn_prove_cell){.name = name, .rest = rest};
    }
    *ret_list = *place;
    return true;
}

bool wrn_prove_add_subject(struct wrn_spki *spki, const struct wrn_spki_subject *subject,
                           struct wrn_prove_node *ret_node) {
    uint32_t first = spki->threshold_count;
    if (!add_node(spki, subject, ret_node)) {
        return false;
    }
    /* Thresholds within thresholds are added behind, until none is left to fill. */
    for (uint32_t i = first; i < spki->threshold_count; i++) {
        if (!fill_threshold(spki, i)) {
            return false;
        }
    }
    return true;
}

bool wrn_prove_is_repeated(const struct wrn_spki *spki, const struct wrn_prove_threshold *threshold,
                           uint32_t part) {
    const struct wrn_prove_node *parts = spki->parts + threshold->parts;
    for (uint32_t i = 0; i < part; i++) {
        if (parts[i].key == parts[part].key && parts[i].list == parts[part].list) {
            return true;
        }
    }
    return false;
}

static uint64_t mix(uint64_t v) {
    v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9u;
    v = (v ^ (v >> 27)) * 0x94d049bb133111ebu;
    return v ^ (v >> 31);
}

/* The slot of 'key', or the free one where it belongs. At most half are used, so there is one. */
static struct wrn_prove_slot *probe(const struct wrn_prove_map *map, uint64_t key) {
    uint32_t i = (uint32_t)mix(key ^ map->seed) & map->mask;
    while (map->slots[i].epoch == map->epoch && map->slots[i].key != key) {
        i = (i + 1) & map->mask;
    }
    return &map->slots[i];
}

/* MD5 and SHA-1 have shorter hashes, and one that is chosen must not pass for one of another
 * algorithm: they are looked up by the SHA-256 of name and hash. */
static void hash_by_other(const char *algorithm, wrn_span bytes, uint8_t ret[WRN_SHA256_SIZE]) {
    wrn_sha256((wrn_span){(const uint8_t *)algorithm, strlen(algorithm) + 1}, bytes, ret);
}

static size_t hashes_of_key(const struct wrn_spki *spki, struct wrn_sexp key,
                            uint8_t hashes[3][WRN_SHA256_SIZE]) {
    wrn_spki_hash(key, hashes[0]);
    if (spki->mode == WRN_SPKI_STRICT) {
        return 1;
    }
    uint8_t md5[WRN_MD5_SIZE], sha1[WRN_SHA1_SIZE];
    wrn_md5(key.bytes, md5);
    hash_by_other("md5", (wrn_span){md5, sizeof(md5)}, hashes[1]);
    wrn_sha1(key.bytes, sha1);
    hash_by_other("sha1", (wrn_span){sha1, sizeof(sha1)}, hashes[2]);
    return 3;
}

/* All hashes under which a principal may be known: the one that it is, or those of the key.
 * 'ret_is_other' tells that already the first is not SHA-256. */
static size_t names_of_principal(const struct wrn_spki *spki,
                                 const struct wrn_spki_principal *principal,
                                 uint8_t hashes[3][WRN_SHA256_SIZE], bool *ret_is_other) {
    *ret_is_other = false;
    if (principal->is_key) {
        return hashes_of_key(spki, principal->sexp, hashes);
    }
    struct wrn_sexp_cursor cursor;
    wrn_span algorithm, bytes;
    bool is_hash = wrn_sexp_enter_named(principal->sexp, "hash", &cursor) &&
                   wrn_sexp_take_atom(&cursor, &algorithm) && wrn_sexp_take_atom(&cursor, &bytes);
    WRN_ASSERT(is_hash);
    if (algorithm.size == strlen("sha256") && memcmp(algorithm.data, "sha256", 6) == 0) {
        WRN_ASSERT(bytes.size == WRN_SHA256_SIZE);
        memcpy(hashes[0], bytes.data, WRN_SHA256_SIZE);
        return 1;
    }
    *ret_is_other = true;
    bool is_md5 = algorithm.size == strlen("md5") && memcmp(algorithm.data, "md5", 3) == 0;
    hash_by_other(is_md5 ? "md5" : "sha1", bytes, hashes[0]);
    return 1;
}

static struct wrn_keymap *table_of(struct wrn_spki *spki, size_t i, bool is_other) {
    return i > 0 || is_other ? &spki->by_other_hash : &spki->by_hash;
}

static bool add_node(struct wrn_spki *spki, const struct wrn_spki_subject *subject,
                     struct wrn_prove_node *ret_node) {
    *ret_node = (struct wrn_prove_node){.key = WRN_PROVE_NONE, .list = WRN_PROVE_NIL};
    if (subject->kind == WRN_SPKI_SUBJECT_OBJECT) {
        return true;
    }
    if (subject->kind == WRN_SPKI_SUBJECT_THRESHOLD) {
        ret_node->list = WRN_PROVE_THRESHOLD;
        return add_threshold(spki, subject->sexp, &ret_node->key);
    }
    if (!wrn_prove_add_key(spki, &subject->principal, &ret_node->key)) {
        return false;
    }
    size_t left = subject->kind == WRN_SPKI_SUBJECT_NAME ? subject->name_count : 0;
    while (left-- > 0) {
        uint32_t name, alone;
        /* Each name of several is resolved alone too: queries find that list made. */
        if (!wrn_prove_add_name(spki, subject->names[left], &name) ||
            !wrn_prove_add_cell(spki, name, WRN_PROVE_NIL, &alone) ||
            !wrn_prove_add_cell(spki, name, ret_node->list, &ret_node->list)) {
            return false;
        }
    }
    return true;
}

static bool add_threshold(struct wrn_spki *spki, struct wrn_sexp sexp, uint32_t *ret_threshold) {
    if (spki->threshold_count == spki->parts_max) {
        return false;
    }
    *ret_threshold = spki->threshold_count;
    spki->thresholds[spki->threshold_count++] = (struct wrn_prove_threshold){.sexp = sexp};
    return true;
}

static bool fill_threshold(struct wrn_spki *spki, uint32_t index) {
    struct wrn_prove_threshold *threshold = &spki->thresholds[index];
    struct wrn_spki_subject subject;
    if (wrn_spki_read_subject(threshold->sexp, spki->mode, &subject, NULL)) {
        return false;
    }
    threshold->k = subject.k;
    threshold->n = subject.n;
    threshold->parts = spki->part_count;
    if (subject.n > spki->parts_max - spki->part_count) {
        return false;
    }
    spki->part_count += subject.n;
    for (uint32_t i = 0; i < subject.n; i++) {
        struct wrn_spki_subject part;
        /* It was read before, as part of its certificate. A name without its principal is not
         * known here whose it is: it leads nowhere. */
        if (wrn_spki_read_subject(subject.parts[i], spki->mode, &part, NULL)) {
            return false;
        }
        if (part.kind == WRN_SPKI_SUBJECT_NAME && part.principal.sexp.bytes.size == 0) {
            part.kind = WRN_SPKI_SUBJECT_OBJECT;
        }
        if (!add_node(spki, &part, &spki->parts[threshold->parts + i])) {
            return false;
        }
    }
    return true;
}
