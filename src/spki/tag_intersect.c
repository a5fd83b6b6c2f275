/* SPDX-License-Identifier: Apache-2.0 */
/* What two tags permit together, in the normal form. The result grows at the end of the work; an
 * element that fails is taken back, one of a set is at once compared with those that are there. */
#include "spki/tag_walk.h"

/* What is open: a set, whose elements each meet 'other'; or two lists, whose elements meet one by
 * one. A set directly within a set has a frame of its own, and adds to the same elements. */
struct frame {
    bool is_set;
    bool is_inner;    /* of a set: within another set */
    bool has_element; /* of a list: one has been put */
    size_t start;     /* set: of its elements in the work; list: of its parenthesis */
    size_t element;   /* set: of the element that is being made */
    struct wrn_sexp other;
    struct wrn_sexp_cursor in_a, in_b; /* the elements that are left; of a set 'in_a' */
};

enum answer { NOTHING, SOMETHING, OPEN, TOO_MUCH };
enum relation { NEITHER, FIRST_COVERS, SECOND_COVERS, UNKNOWN };

struct walk {
    struct wrn_tag_budget *budget;
    struct wrn_tag_work *work;
    size_t depth;
    struct frame frames[WRN_TAG_FRAMES_MAX];
};

static enum answer look(struct walk *walk, struct wrn_sexp a, struct wrn_sexp b);
static enum answer look_at_nodes(struct walk *walk, const struct wrn_tag_node *a,
                                 const struct wrn_tag_node *b);
static enum answer push_set(struct walk *walk, struct wrn_sexp_cursor elements,
                            struct wrn_sexp other);
static enum answer push_lists(struct walk *walk, struct wrn_sexp_cursor in_a,
                              struct wrn_sexp_cursor in_b);
static enum answer go_on(struct walk *walk, enum answer answer, struct wrn_sexp *a,
                         struct wrn_sexp *b);
static enum answer go_on_in_set(struct walk *walk, struct frame *set, enum answer answer,
                                struct wrn_sexp *a, struct wrn_sexp *b);
static enum answer go_on_in_list(struct walk *walk, struct frame *list, enum answer answer,
                                 struct wrn_sexp *a, struct wrn_sexp *b);
static enum answer settle(struct walk *walk, struct frame *set);
static enum relation relate(struct wrn_tag_budget *budget, struct wrn_sexp first,
                            struct wrn_sexp second);
static int compare(struct wrn_sexp a, struct wrn_sexp b);
static void take_out(struct wrn_tag_work *work, size_t at, size_t size);
static void rotate(struct wrn_tag_work *work, size_t first, size_t middle);
static void close_set(struct wrn_tag_work *work, size_t start);
static struct wrn_sexp part(const struct wrn_tag_work *work, size_t start, size_t end);
static struct wrn_sexp first_part(const struct wrn_tag_work *work, size_t start, size_t end);

struct wrn_sexp wrn_tag_any(void) {
    static const uint8_t any[] = "(1:*)";
    return (struct wrn_sexp){{any, sizeof any - 1}};
}

int wrn_tag_walk_intersect(struct wrn_sexp a, struct wrn_sexp b, struct wrn_tag_budget *budget,
                           struct wrn_tag_work *work) {
    struct walk walk;
    walk.budget = budget;
    walk.work = work;
    walk.depth = 0;
    enum answer answer;
    do {
        answer = look(&walk, a, b);
        answer = go_on(&walk, answer, &a, &b);
    } while (answer == OPEN);
    return answer == TOO_MUCH ? -E2BIG : answer == SOMETHING;
}

/* Looks at one pair of elements and puts what both permit. OPEN: a frame was pushed that has their
 * parts. */
static enum answer look(struct walk *walk, struct wrn_sexp a, struct wrn_sexp b) {
    struct wrn_tag_node node_a, node_b;
    struct wrn_sexp at;
    if (!wrn_tag_spend(walk->budget, a.bytes.size + b.bytes.size)) {
        return TOO_MUCH;
    }
    if (wrn_tag_node_read(a, &node_a, &at) != WRN_TAG_OK ||
        wrn_tag_node_read(b, &node_b, &at) != WRN_TAG_OK) {
        return NOTHING;
    }
    if (node_a.kind == WRN_TAG_SET) {
        return push_set(walk, node_a.elements, b);
    }
    if (node_b.kind == WRN_TAG_SET) {
        return push_set(walk, node_b.elements, a);
    }
    enum answer answer = look_at_nodes(walk, &node_a, &node_b);
    return walk->work->is_full ? TOO_MUCH : answer;
}

/* The same for two that are no sets. */
static enum answer look_at_nodes(struct walk *walk, const struct wrn_tag_node *a,
                                 const struct wrn_tag_node *b) {
    bool has_list = a->kind == WRN_TAG_LIST || b->kind == WRN_TAG_LIST;
    bool has_cell = a->kind == WRN_TAG_CELL || b->kind == WRN_TAG_CELL;
    if (has_list && has_cell) {
        return NOTHING;
    }
    if (has_list) {
        return push_lists(walk, a->elements, b->elements); /* those of (*) are none */
    }
    if (!has_cell) {
        struct wrn_sexp any = wrn_tag_any();
        wrn_tag_work_put(walk->work, any.bytes.data, any.bytes.size);
        return SOMETHING;
    }
    struct wrn_tag_cell both;
    bool is_there;
    if (a->kind == b->kind) {
        is_there = wrn_tag_cell_intersect(&a->cell, &b->cell, &both);
    } else {
        both = a->kind == WRN_TAG_CELL ? a->cell : b->cell;
        is_there = !wrn_tag_cell_is_empty(&both);
    }
    if (is_there) {
        wrn_tag_cell_put(walk->work, &both);
    }
    return is_there ? SOMETHING : NOTHING;
}

static enum answer push_set(struct walk *walk, struct wrn_sexp_cursor elements,
                            struct wrn_sexp other) {
    if (walk->depth == WRN_TAG_FRAMES_MAX) {
        return TOO_MUCH;
    }
    const struct frame *outer = walk->depth > 0 ? &walk->frames[walk->depth - 1] : NULL;
    bool is_inner = outer != NULL && outer->is_set;
    walk->frames[walk->depth++] = (struct frame){
        .is_set = true,
        .is_inner = is_inner,
        .start = is_inner ? outer->start : walk->work->size,
        .other = other,
        .in_a = elements,
    };
    return OPEN;
}

static enum answer push_lists(struct walk *walk, struct wrn_sexp_cursor in_a,
                              struct wrn_sexp_cursor in_b) {
    if (walk->depth == WRN_TAG_FRAMES_MAX) {
        return TOO_MUCH;
    }
    walk->frames[walk->depth++] =
        (struct frame){.start = walk->work->size, .in_a = in_a, .in_b = in_b};
    wrn_tag_work_put(walk->work, "(", 1);
    return OPEN;
}

/* Carries what became of one pair up to where there is more to do; returns OPEN and the next pair,
 * or what became of all. */
static enum answer go_on(struct walk *walk, enum answer answer, struct wrn_sexp *a,
                         struct wrn_sexp *b) {
    bool is_next = false;
    while (walk->depth > 0 && answer != TOO_MUCH && !is_next) {
        struct frame *top = &walk->frames[walk->depth - 1];
        answer = top->is_set ? go_on_in_set(walk, top, answer, a, b)
                             : go_on_in_list(walk, top, answer, a, b);
        is_next = answer == OPEN;
        walk->depth -= !is_next;
    }
    return walk->work->is_full ? TOO_MUCH : answer;
}

/* 'answer' is what became of the last element, OPEN before the first. */
static enum answer go_on_in_set(struct walk *walk, struct frame *set, enum answer answer,
                                struct wrn_sexp *a, struct wrn_sexp *b) {
    if (answer == SOMETHING && settle(walk, set) == TOO_MUCH) {
        return TOO_MUCH;
    }
    set->element = walk->work->size;
    *b = set->other;
    if (wrn_sexp_take_any(&set->in_a, a)) {
        return OPEN;
    }
    if (set->is_inner || walk->work->size == set->start) {
        return NOTHING; /* nothing more, for the set around it, than what stands there already */
    }
    close_set(walk->work, set->start);
    return SOMETHING;
}

static enum answer go_on_in_list(struct walk *walk, struct frame *list, enum answer answer,
                                 struct wrn_sexp *a, struct wrn_sexp *b) {
    if (answer == SOMETHING && !list->has_element) {
        /* With the atom "*" at its beginning the list would mean something else. No request can
         * begin so, thus nothing is lost. */
        struct wrn_sexp first = part(walk->work, list->start + 1, walk->work->size);
        answer = wrn_sexp_is_word(first, "*") ? NOTHING : SOMETHING;
        list->has_element = true;
    }
    if (answer == NOTHING) { /* one that fails fails them all */
        walk->work->size = list->start;
        return NOTHING;
    }
    bool has_a = wrn_sexp_take_any(&list->in_a, a);
    bool has_b = wrn_sexp_take_any(&list->in_b, b);
    if (!has_a && !has_b) {
        wrn_tag_work_put(walk->work, ")", 1);
        return SOMETHING;
    }
    *a = has_a ? *a : wrn_tag_any();
    *b = has_b ? *b : wrn_tag_any();
    return OPEN;
}

/* Gives the element at the end of the work its place among those of the set: none if one
 * covers it, else in their order, and those that it covers go. */
static enum answer settle(struct walk *walk, struct frame *set) {
    struct wrn_tag_work *work = walk->work;
    size_t place = set->start; /* behind those that come before the new one */
    size_t at = set->start;
    while (at < set->element) {
        struct wrn_sexp fresh = part(work, set->element, work->size);
        struct wrn_sexp old = first_part(work, at, set->element);
        enum relation relation = relate(walk->budget, old, fresh);
        if (relation == FIRST_COVERS) {
            work->size = set->element;
            return NOTHING;
        }
        if (relation == UNKNOWN) {
            return TOO_MUCH;
        }
        if (relation == SECOND_COVERS) {
            take_out(work, at, old.bytes.size);
            set->element -= old.bytes.size;
            continue;
        }
        at += old.bytes.size;
        if (compare(old, fresh) < 0) {
            place = at;
        }
    }
    if (!wrn_tag_spend(walk->budget, work->size - place)) {
        return TOO_MUCH;
    }
    rotate(work, place, set->element);
    return SOMETHING;
}

static enum relation relate(struct wrn_tag_budget *budget, struct wrn_sexp first,
                            struct wrn_sexp second) {
    if (!wrn_tag_spend(budget, first.bytes.size)) {
        return UNKNOWN;
    }
    if (!wrn_sexp_is_list(first) && !wrn_sexp_is_list(second)) {
        return wrn_sexp_equal(first, second) ? FIRST_COVERS : NEITHER;
    }
    int covers = wrn_tag_walk_covers(first, second, budget);
    if (covers != 0) {
        return covers < 0 ? UNKNOWN : FIRST_COVERS;
    }
    covers = wrn_tag_walk_covers(second, first, budget);
    return covers < 0 ? UNKNOWN : covers == 1 ? SECOND_COVERS : NEITHER;
}

/* The order of canonical bytes. */
static int compare(struct wrn_sexp a, struct wrn_sexp b) {
    size_t common = a.bytes.size < b.bytes.size ? a.bytes.size : b.bytes.size;
    int order = memcmp(a.bytes.data, b.bytes.data, common);
    return order != 0 ? order : (a.bytes.size > b.bytes.size) - (a.bytes.size < b.bytes.size);
}

static void take_out(struct wrn_tag_work *work, size_t at, size_t size) {
    memmove(work->bytes + at, work->bytes + at + size, work->size - at - size);
    work->size -= size;
}

static void reverse(uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size / 2; i++) {
        uint8_t kept = bytes[i];
        bytes[i] = bytes[size - 1 - i];
        bytes[size - 1 - i] = kept;
    }
}

/* Exchanges what lies from 'first' to 'middle' with what lies from there to the end. */
static void rotate(struct wrn_tag_work *work, size_t first, size_t middle) {
    if (first == middle) {
        return;
    }
    reverse(work->bytes + first, middle - first);
    reverse(work->bytes + middle, work->size - middle);
    reverse(work->bytes + first, work->size - first);
}

/* Makes a set of the elements that begin at 'start', unless it is one alone. */
static void close_set(struct wrn_tag_work *work, size_t start) {
    static const char head[] = "(1:*3:set";
    const size_t head_size = sizeof head - 1;
    struct wrn_sexp first = first_part(work, start, work->size);
    if (first.bytes.size == work->size - start) {
        return;
    }
    size_t size = work->size - start;
    wrn_tag_work_put(work, head, head_size);
    wrn_tag_work_put(work, ")", 1);
    if (!work->is_full) {
        memmove(work->bytes + start + head_size, work->bytes + start, size);
        memcpy(work->bytes + start, head, head_size);
        work->bytes[work->size - 1] = ')';
    }
}

static struct wrn_sexp part(const struct wrn_tag_work *work, size_t start, size_t end) {
    return (struct wrn_sexp){{work->bytes + start, end - start}};
}

/* The first of the elements that lie there. */
static struct wrn_sexp first_part(const struct wrn_tag_work *work, size_t start, size_t end) {
    struct wrn_sexp_cursor cursor = {work->bytes + start, work->bytes + end};
    struct wrn_sexp first;
    bool is_there = wrn_sexp_take_any(&cursor, &first);
    WRN_ASSERT(is_there);
    return first;
}
