/* SPDX-License-Identifier: Apache-2.0 */
/* Reduces: makes all five-tuples that follow from the ACL, each once, and writes those of
 * principals. May be exponential in what it is given, so it ends with WRN_ERR_FULL at its bounds.
 *
 * Tuples, and what is needed to resolve names, stand in one list in the order in which they were
 * found, and each gets its turn once. The parts of a threshold are tuples too; when k of them have
 * led to the same principal, what they have in common goes on in its place. They are owned by a
 * collector for the threshold and the right, not by the tuple that has the threshold: a threshold
 * that leads to itself again ends so. Source: RFC 2693, sections 6.3.3 and 6.4. */
#include "spki/prove_internal.h"

enum { THEN_TUPLE, THEN_NAME, THEN_REST, THEN_WHOLE, THEN_JOINED }; /* what follows from a fact */

static bool mark(struct wrn_spki *spki, const struct wrn_sexp *subjects, size_t count,
                 uint32_t asked);
static void close_over(struct wrn_spki *spki, struct wrn_sexp request);
static uint32_t add(struct wrn_spki *spki, const struct wrn_prove_tuple *tuple);
static bool is_same(const struct wrn_prove_tuple *a, const struct wrn_prove_tuple *b);
static uint64_t hash_of(const struct wrn_spki *spki, const struct wrn_prove_tuple *tuple);
static void add_tuple(struct wrn_spki *spki, uint32_t owner, uint32_t part,
                      struct wrn_prove_node subject, const struct wrn_prove_right *right);
static void take_turn(struct wrn_spki *spki, uint32_t index);
static void extend_tuple(struct wrn_spki *spki, uint32_t index);
static void pass_on(struct wrn_spki *spki, uint32_t index, uint32_t first);
static void split(struct wrn_spki *spki, uint32_t index);
static void join(struct wrn_spki *spki, uint32_t index);
static void add_join(struct wrn_spki *spki, const struct wrn_prove_tuple *tuple, uint32_t parts,
                     const struct wrn_prove_right *right);
static void end_join(struct wrn_spki *spki, uint32_t index);
static uint32_t collector_of(struct wrn_spki *spki, uint32_t key, uint32_t list);
static uint32_t collect_first(struct wrn_spki *spki, struct wrn_prove_node name);
static void add_fact(struct wrn_spki *spki, uint32_t collector, uint32_t key,
                     const struct wrn_prove_right *right);
static void add_waiter(struct wrn_spki *spki, uint32_t collector, uint32_t then, uint32_t target,
                       uint32_t rest, uint32_t item);
static void resolve(struct wrn_spki *spki, uint32_t index);
static void conclude(struct wrn_spki *spki, uint32_t fact, uint32_t waiter);
static int write_entries(struct wrn_spki *spki, bool is_filtered, struct wrn_sexp_writer *out);
static void sort(wrn_span *entries, size_t count);
static void sift(wrn_span *entries, size_t place, size_t count);
static uint32_t count_bits(uint32_t bits);

int wrn_spki_reduce(struct wrn_spki *spki, const struct wrn_sexp *subjects, size_t count,
                    struct wrn_sexp request, wrn_spki_date now, struct wrn_sexp_writer *out) {
    uint64_t date;
    if (!wrn_prove_read_date(spki, now, &date) ||
        (request.bytes.size > 0 && wrn_tag_check(request, NULL) != WRN_TAG_OK)) {
        return WRN_ERR_MALFORMED;
    }
    wrn_prove_tuples_begin(spki, date);
    if (!mark(spki, subjects, count, 1)) {
        (void)mark(spki, subjects, count, 0);
        return WRN_ERR_MALFORMED;
    }
    close_over(spki, request);
    int result = spki->tuples.is_full ? WRN_ERR_FULL : write_entries(spki, count > 0, out);
    (void)mark(spki, subjects, count, 0);
    return result;
}

/* False if one of them is no principal. */
static bool mark(struct wrn_spki *spki, const struct wrn_sexp *subjects, size_t count,
                 uint32_t asked) {
    bool are_principals = true;
    for (size_t i = 0; i < count; i++) {
        struct wrn_spki_principal principal;
        if (wrn_spki_read_principal(subjects[i], spki->mode, &principal, NULL)) {
            are_principals = false;
        } else {
            wrn_prove_mark_key(spki, &principal, asked);
        }
    }
    return are_principals;
}

static void close_over(struct wrn_spki *spki, struct wrn_sexp request) {
    struct wrn_prove_tuples *tuples = &spki->tuples;
    for (uint32_t i = spki->entries; i != WRN_PROVE_NONE && !tuples->is_full;
         i = spki->items[i].next) {
        struct wrn_prove_right right;
        if (wrn_prove_reduce_faults(spki, i) == 0 && wrn_prove_right_of(spki, i, request, &right)) {
            add_tuple(spki, WRN_PROVE_NONE, 0, spki->items[i].subject, &right);
        }
    }
    for (uint32_t i = 0; i < tuples->count && !tuples->is_full; i++) {
        take_turn(spki, i);
    }
}

/* Returns the place of a tuple, new or not; NONE if there is no room. */
static uint32_t add(struct wrn_spki *spki, const struct wrn_prove_tuple *tuple) {
    struct wrn_prove_tuples *tuples = &spki->tuples;
    uint32_t *first = wrn_prove_map_place(&tuples->known, hash_of(spki, tuple));
    if (!first) {
        tuples->is_full = true;
        return WRN_PROVE_NONE;
    }
    for (uint32_t i = *first; i != WRN_PROVE_NONE; i = tuples->all[i].same_hash) {
        if (is_same(&tuples->all[i], tuple)) {
            return i;
        }
    }
    if (tuples->count == tuples->tuples_max) {
        tuples->is_full = true;
        return WRN_PROVE_NONE;
    }
    tuples->all[tuples->count] = *tuple;
    tuples->all[tuples->count].same_hash = *first;
    *first = tuples->count;
    return tuples->count++;
}

static bool is_same(const struct wrn_prove_tuple *a, const struct wrn_prove_tuple *b) {
    return a->kind == b->kind && a->owner == b->owner && a->part == b->part &&
           a->subject.key == b->subject.key && a->subject.list == b->subject.list &&
           a->right.pass == b->right.pass && a->right.only == b->right.only &&
           a->right.tag == b->right.tag && a->right.start == b->right.start &&
           a->right.end == b->right.end && a->item == b->item;
}

static uint64_t hash_of(const struct wrn_spki *spki, const struct wrn_prove_tuple *tuple) {
    const uint64_t fields[] = {
        (uint64_t)tuple->kind << 32 | tuple->owner,
        (uint64_t)tuple->part << 32 | tuple->item,
        (uint64_t)tuple->subject.key << 32 | tuple->subject.list,
        (uint64_t)tuple->right.pass << 32 | tuple->right.only,
        tuple->right.tag,
        tuple->right.start,
        tuple->right.end,
    };
    return wrn_siphash(spki->limits.seed, fields, sizeof(fields));
}

static void add_tuple(struct wrn_spki *spki, uint32_t owner, uint32_t part,
                      struct wrn_prove_node subject, const struct wrn_prove_right *right) {
    struct wrn_prove_tuple tuple = {
        .kind = WRN_PROVE_TUPLE,
        .owner = owner,
        .part = part,
        .subject = subject,
        .right = *right,
    };
    if (subject.key == WRN_PROVE_NONE ||
        (subject.list == WRN_PROVE_NIL &&
         !wrn_prove_right_reaches(&spki->tuples, subject.key, &tuple.right))) {
        return;
    }
    (void)add(spki, &tuple);
}

static void take_turn(struct wrn_spki *spki, uint32_t index) {
    struct wrn_prove_tuples *tuples = &spki->tuples;
    struct wrn_prove_tuple *tuple = &tuples->all[index];
    switch (tuple->kind) {
    case WRN_PROVE_TUPLE:
        extend_tuple(spki, index);
        return;
    case WRN_PROVE_COLLECTOR:
        resolve(spki, index);
        return;
    /* Each fact meets each waiter once: when the later of the two has its turn. */
    case WRN_PROVE_FACT:
        for (uint32_t i = tuples->all[tuple->owner].waiters; i != WRN_PROVE_NONE;
             i = tuples->all[i].next) {
            if (i < index) {
                conclude(spki, index, i);
            }
        }
        return;
    case WRN_PROVE_WAITER:
        for (uint32_t i = tuples->all[tuple->owner].facts; i != WRN_PROVE_NONE;
             i = tuples->all[i].next) {
            if (i < index) {
                conclude(spki, i, index);
            }
        }
        return;
    case WRN_PROVE_JOIN:
        end_join(spki, index);
        return;
    }
}

static void extend_tuple(struct wrn_spki *spki, uint32_t index) {
    const struct wrn_prove_tuple *tuple = &spki->tuples.all[index];
    struct wrn_prove_node subject = tuple->subject;
    if (subject.list == WRN_PROVE_THRESHOLD) {
        uint32_t collector = add(spki, &(struct wrn_prove_tuple){
                                           .kind = WRN_PROVE_COLLECTOR,
                                           .subject = subject,
                                           .right = tuple->right,
                                           .facts = WRN_PROVE_NONE,
                                           .waiters = WRN_PROVE_NONE,
                                       });
        add_waiter(spki, collector, THEN_JOINED, index, WRN_PROVE_NIL, WRN_PROVE_NONE);
    } else if (subject.list == WRN_PROVE_NIL) {
        if (tuple->owner != WRN_PROVE_NONE) {
            join(spki, index);
        }
        pass_on(spki, index, spki->keys[subject.key].certs);
    } else if (spki->cells[subject.list].rest == WRN_PROVE_NIL) {
        pass_on(spki, index, wrn_prove_head(spki, subject.key, spki->cells[subject.list].name));
    } else {
        add_waiter(spki, collect_first(spki, subject), THEN_TUPLE, index,
                   spki->cells[subject.list].rest, WRN_PROVE_NONE);
    }
}

/* By certificates of the principal that holds it, or for the name. */
static void pass_on(struct wrn_spki *spki, uint32_t index, uint32_t first) {
    for (uint32_t i = first; i != WRN_PROVE_NONE && !spki->tuples.is_full;
         i = spki->items[i].next) {
        const struct wrn_prove_tuple *tuple = &spki->tuples.all[index];
        struct wrn_prove_right right;
        bool may_pass =
            tuple->subject.list != WRN_PROVE_NIL || tuple->right.pass != WRN_PROVE_MAY_NOT;
        if (may_pass && wrn_prove_reduce_faults(spki, i) == 0 &&
            wrn_prove_right_after(spki, &tuple->right, i, &right)) {
            add_tuple(spki, tuple->owner, tuple->part, spki->items[i].subject, &right);
        }
    }
}

static void split(struct wrn_spki *spki, uint32_t index) {
    const struct wrn_prove_tuple *tuple = &spki->tuples.all[index];
    const struct wrn_prove_threshold *threshold = &spki->thresholds[tuple->subject.key];
    for (uint32_t i = 0; i < threshold->n; i++) {
        if (!wrn_prove_is_repeated(spki, threshold, i)) {
            add_tuple(spki, index, i, spki->parts[threshold->parts + i], &tuple->right);
        }
    }
}

/* A part of a threshold has led to a principal: with whatever other parts have led to it. */
static void join(struct wrn_spki *spki, uint32_t index) {
    struct wrn_prove_tuples *tuples = &spki->tuples;
    const struct wrn_prove_tuple *tuple = &tuples->all[index];
    uint32_t k = spki->thresholds[tuples->all[tuple->owner].subject.key].k;
    uint32_t part = 1U << tuple->part;
    uint32_t others =
        wrn_prove_map_get(&tuples->joins, (uint64_t)tuple->owner << 32 | tuple->subject.key);
    add_join(spki, tuple, part, &tuple->right);
    for (uint32_t i = others; i != WRN_PROVE_NONE && !tuples->is_full; i = tuples->all[i].next) {
        const struct wrn_prove_tuple *other = &tuples->all[i];
        struct wrn_prove_right right;
        if (!(other->part & part) && count_bits(other->part) < k &&
            wrn_prove_right_join(spki, &other->right, &tuple->right, &right)) {
            add_join(spki, tuple, other->part | part, &right);
        }
    }
}

static void add_join(struct wrn_spki *spki, const struct wrn_prove_tuple *tuple, uint32_t parts,
                     const struct wrn_prove_right *right) {
    struct wrn_prove_tuples *tuples = &spki->tuples;
    struct wrn_prove_tuple together = {
        .kind = WRN_PROVE_JOIN,
        .owner = tuple->owner,
        .part = parts,
        .subject = tuple->subject,
        .right = *right,
    };
    uint32_t before = tuples->count;
    uint32_t index = add(spki, &together);
    uint32_t *first =
        wrn_prove_map_place(&tuples->joins, (uint64_t)tuple->owner << 32 | tuple->subject.key);
    if (!first || index == WRN_PROVE_NONE) {
        tuples->is_full = true;
    } else if (index == before) {
        tuples->all[index].next = *first;
        *first = index;
    }
}

static void end_join(struct wrn_spki *spki, uint32_t index) {
    const struct wrn_prove_tuple *together = &spki->tuples.all[index];
    const struct wrn_prove_tuple *owner = &spki->tuples.all[together->owner];
    if (count_bits(together->part) == spki->thresholds[owner->subject.key].k) {
        add_fact(spki, together->owner, together->subject.key, &together->right);
    }
}

static uint32_t collector_of(struct wrn_spki *spki, uint32_t key, uint32_t list) {
    return add(spki, &(struct wrn_prove_tuple){
                         .kind = WRN_PROVE_COLLECTOR,
                         .subject = {key, list},
                         .facts = WRN_PROVE_NONE,
                         .waiters = WRN_PROVE_NONE,
                     });
}

/* The collector of the first of several names. */
static uint32_t collect_first(struct wrn_spki *spki, struct wrn_prove_node name) {
    uint32_t first;
    if (!wrn_prove_add_cell(spki, spki->cells[name.list].name, WRN_PROVE_NIL, &first)) {
        spki->tuples.is_full = true;
        return WRN_PROVE_NONE;
    }
    return collector_of(spki, name.key, first);
}

static void add_fact(struct wrn_spki *spki, uint32_t collector, uint32_t key,
                     const struct wrn_prove_right *right) {
    struct wrn_prove_tuples *tuples = &spki->tuples;
    uint32_t before = tuples->count;
    uint32_t index = add(spki, &(struct wrn_prove_tuple){
                                   .kind = WRN_PROVE_FACT,
                                   .owner = collector,
                                   .subject = {key, WRN_PROVE_NIL},
                                   .right = *right,
                               });
    if (index == before) {
        tuples->all[index].next = tuples->all[collector].facts;
        tuples->all[collector].facts = index;
    }
}

static void add_waiter(struct wrn_spki *spki, uint32_t collector, uint32_t then, uint32_t target,
                       uint32_t rest, uint32_t item) {
    struct wrn_prove_tuples *tuples = &spki->tuples;
    uint32_t before = tuples->count;
    if (collector == WRN_PROVE_NONE) {
        return;
    }
    uint32_t index = add(spki, &(struct wrn_prove_tuple){
                                   .kind = WRN_PROVE_WAITER,
                                   .owner = collector,
                                   .part = then,
                                   .subject = {target, rest},
                                   .item = item,
                               });
    if (index == before) {
        tuples->all[index].next = tuples->all[collector].waiters;
        tuples->all[collector].waiters = index;
    }
}

/* Looks for what a name stands for, or where the parts of a threshold lead. */
static void resolve(struct wrn_spki *spki, uint32_t index) {
    static const struct wrn_prove_right always = {.end = UINT64_MAX};
    struct wrn_prove_node name = spki->tuples.all[index].subject;
    if (name.list == WRN_PROVE_THRESHOLD) {
        split(spki, index);
        return;
    }
    if (name.list == WRN_PROVE_NIL) {
        add_fact(spki, index, name.key, &always);
        return;
    }
    struct wrn_prove_cell cell = spki->cells[name.list];
    if (cell.rest != WRN_PROVE_NIL) {
        add_waiter(spki, collect_first(spki, name), THEN_REST, index, cell.rest, WRN_PROVE_NONE);
        return;
    }
    for (uint32_t i = wrn_prove_head(spki, name.key, cell.name);
         i != WRN_PROVE_NONE && !spki->tuples.is_full; i = spki->items[i].next) {
        struct wrn_prove_node subject = spki->items[i].subject;
        /* Words that follow a threshold would be names of nobody. */
        if (subject.key != WRN_PROVE_NONE && subject.list != WRN_PROVE_THRESHOLD &&
            wrn_prove_reduce_faults(spki, i) == 0) {
            add_waiter(spki, collector_of(spki, subject.key, subject.list), THEN_NAME, index,
                       WRN_PROVE_NIL, i);
        }
    }
}

static void conclude(struct wrn_spki *spki, uint32_t fact, uint32_t waiter) {
    struct wrn_prove_tuples *tuples = &spki->tuples;
    const struct wrn_prove_tuple *known = &tuples->all[fact], *then = &tuples->all[waiter];
    uint32_t key = known->subject.key, target = then->subject.key, rest = then->subject.list;
    struct wrn_prove_right right;
    if (tuples->is_full) {
        return;
    }
    switch (then->part) {
    case THEN_TUPLE:
        if (wrn_prove_right_within(tuples, &tuples->all[target].right, &known->right, &right)) {
            add_tuple(spki, tuples->all[target].owner, tuples->all[target].part,
                      (struct wrn_prove_node){key, rest}, &right);
        }
        return;
    case THEN_JOINED:
        add_tuple(spki, tuples->all[target].owner, tuples->all[target].part, known->subject,
                  &known->right);
        return;
    case THEN_NAME:
        if (wrn_prove_right_after(spki, &known->right, then->item, &right)) {
            add_fact(spki, target, key, &right);
        }
        return;
    case THEN_REST:
        add_waiter(spki, collector_of(spki, key, rest), THEN_WHOLE, target, WRN_PROVE_NIL, fact);
        return;
    default: /* THEN_WHOLE: 'item' is the fact about the first name */
        if (wrn_prove_right_within(tuples, &known->right, &tuples->all[then->item].right, &right)) {
            add_fact(spki, target, key, &right);
        }
        return;
    }
}

static int write_entries(struct wrn_spki *spki, bool is_filtered, struct wrn_sexp_writer *out) {
    struct wrn_prove_tuples *tuples = &spki->tuples;
    for (uint32_t i = 0; i < tuples->count; i++) {
        const struct wrn_prove_tuple *tuple = &tuples->all[i];
        struct wrn_sexp entry;
        if (tuple->kind != WRN_PROVE_TUPLE || tuple->owner != WRN_PROVE_NONE ||
            tuple->subject.list != WRN_PROVE_NIL ||
            (is_filtered && !spki->keys[tuple->subject.key].asked)) {
            continue;
        }
        struct wrn_sexp_writer writer =
            wrn_sexp_writer(tuples->bytes + tuples->size, tuples->size_max - tuples->size);
        wrn_prove_write_entry(spki, &writer, tuple->subject.key, &tuple->right);
        if (wrn_sexp_finish(&writer, &entry)) {
            return WRN_ERR_FULL;
        }
        tuples->entries[tuples->entry_count++] = entry.bytes;
        tuples->size += entry.bytes.size;
    }
    sort(tuples->entries, tuples->entry_count);
    wrn_sexp_open(out, "acl");
    for (uint32_t i = 0; i < tuples->entry_count; i++) {
        if (i == 0 || wrn_prove_compare(tuples->entries[i - 1], tuples->entries[i]) != 0) {
            wrn_sexp_put(out, (struct wrn_sexp){tuples->entries[i]});
        }
    }
    wrn_sexp_close(out);
    return out->error;
}

/* Heap sort: in place, and n log n for every input. */
static void sort(wrn_span *entries, size_t count) {
    for (size_t i = count / 2; i-- > 0;) {
        sift(entries, i, count);
    }
    while (count > 1) {
        wrn_span greatest = entries[0];
        entries[0] = entries[--count];
        entries[count] = greatest;
        sift(entries, 0, count);
    }
}

static void sift(wrn_span *entries, size_t place, size_t count) {
    wrn_span moved = entries[place];
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= count) {
            break;
        }
        if (child + 1 < count && wrn_prove_compare(entries[child + 1], entries[child]) > 0) {
            child++;
        }
        if (wrn_prove_compare(entries[child], moved) <= 0) {
            break;
        }
        entries[place] = entries[child];
        place = child;
    }
    entries[place] = moved;
}

static uint32_t count_bits(uint32_t bits) {
    uint32_t count = 0;
    for (; bits; bits &= bits - 1) {
        count++;
    }
    return count;
}
