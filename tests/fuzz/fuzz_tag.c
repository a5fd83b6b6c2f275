/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the algebra of tags: the input is a text with up to three expressions, in any form. What
 * two of them permit together must be the same either way round, within both and a tag in the
 * normal form; no request may be found covered of which a part is found refused. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "spki/tag.h"

enum { TAGS_MAX = 3 };

/* What must hold for any input, in every build. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct result {
    int code;
    struct wrn_sexp sexp;
    uint8_t bytes[WRN_TAG_SIZE_MAX];
};

static size_t read_tags(wrn_span text, struct wrn_sexp *tags);
static struct wrn_sexp exact(struct wrn_sexp sexp);
static void check_alone(struct wrn_sexp tag);
static void check_pair(struct wrn_sexp a, struct wrn_sexp b);
static void check_refused(struct wrn_sexp tag, struct wrn_sexp request);
static void intersect(struct wrn_sexp a, struct wrn_sexp b, struct result *result);
static bool is_within(struct wrn_sexp part, struct wrn_sexp whole);

static uint8_t scratch[WRN_TAG_SIZE_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct wrn_sexp tags[TAGS_MAX];
    size_t count = read_tags((wrn_span){data, size}, tags);
    for (size_t i = 0; i < count; i++) {
        check_alone(tags[i]);
        for (size_t j = 0; j < count; j++) {
            check_pair(tags[i], tags[j]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        free((void *)tags[i].bytes.data);
    }
    return 0;
}

static size_t read_tags(wrn_span text, struct wrn_sexp *tags) {
    size_t capacity = wrn_sexp_capacity(text.size);
    uint8_t *out = malloc(capacity);
    size_t count = 0, used = 0;
    struct wrn_sexp sexp;
    HOLDS(out != NULL);
    while (count < TAGS_MAX &&
           wrn_sexp_read(WRN_SEXP_ANY, text, out, capacity, &sexp, &used, NULL) == 0) {
        tags[count++] = exact(sexp);
        text = (wrn_span){text.data + used, text.size - used};
    }
    free(out);
    return count;
}

/* A copy in memory of its own size, so that a read beyond is seen. */
static struct wrn_sexp exact(struct wrn_sexp sexp) {
    uint8_t *copy = malloc(sexp.bytes.size);
    HOLDS(copy != NULL);
    memcpy(copy, sexp.bytes.data, sexp.bytes.size);
    return (struct wrn_sexp){{copy, sexp.bytes.size}};
}

static void check_alone(struct wrn_sexp tag) {
    static struct result once, twice;
    struct wrn_sexp at;
    enum wrn_tag_fault fault = wrn_tag_check(tag, &at);
    HOLDS(fault == WRN_TAG_OK || is_within(at, tag));
    HOLDS(wrn_tag_fault_text(fault)[0] != '\0');
    static const uint8_t any[] = "(1:*)";
    struct wrn_sexp everything = {{any, sizeof any - 1}};
    intersect(tag, everything, &once);
    if (once.code != 1) {
        return;
    }
    intersect(once.sexp, everything, &twice);
    HOLDS(twice.code == -E2BIG || wrn_sexp_equal(once.sexp, twice.sexp));
    HOLDS(wrn_tag_covers(everything, tag, scratch, sizeof scratch) == 1);
}

static void check_pair(struct wrn_sexp a, struct wrn_sexp b) {
    static struct result one, other, again;
    intersect(a, b, &one);
    intersect(b, a, &other);
    if (one.code != -E2BIG && other.code != -E2BIG) {
        HOLDS(one.code == other.code);
        HOLDS(one.code == 0 || wrn_sexp_equal(one.sexp, other.sexp));
    }
    if (one.code == 1) {
        int of_a = wrn_tag_covers(a, one.sexp, scratch, sizeof scratch);
        int of_b = wrn_tag_covers(b, one.sexp, scratch, sizeof scratch);
        HOLDS(of_a == 1 || of_a == -E2BIG);
        HOLDS(of_b == 1 || of_b == -E2BIG);
        intersect(one.sexp, a, &again);
        HOLDS(again.code == -E2BIG || wrn_sexp_equal(one.sexp, again.sexp));
    }
    check_refused(a, b);
}

static void check_refused(struct wrn_sexp tag, struct wrn_sexp request) {
    struct wrn_sexp wanted, permitted;
    int covers = wrn_tag_covers(tag, request, scratch, sizeof scratch);
    HOLDS(covers == 0 || covers == 1 || covers == -E2BIG);
    bool is_refused =
        wrn_tag_find_refused(tag, request, scratch, sizeof scratch, &wanted, &permitted);
    HOLDS(is_refused == (covers != 1));
    if (is_refused) {
        HOLDS(is_within(wanted, request) && is_within(permitted, tag));
        HOLDS(wrn_tag_covers(permitted, wanted, scratch, sizeof scratch) != 1);
    }
}

static void intersect(struct wrn_sexp a, struct wrn_sexp b, struct result *result) {
    struct wrn_sexp_writer out = wrn_sexp_writer(result->bytes, sizeof result->bytes);
    result->code = wrn_tag_intersect(a, b, &out);
    HOLDS(result->code == 0 || result->code == 1 || result->code == -E2BIG);
    HOLDS(result->code == 1 || out.size == 0);
    if (result->code == 1) {
        HOLDS(wrn_sexp_finish(&out, &result->sexp) == 0);
        HOLDS(wrn_sexp_check(result->sexp.bytes, &result->sexp, NULL) == 0);
        HOLDS(wrn_tag_check(result->sexp, NULL) == WRN_TAG_OK);
    }
}

static bool is_within(struct wrn_sexp part, struct wrn_sexp whole) {
    return part.bytes.data >= whole.bytes.data &&
           part.bytes.data + part.bytes.size <= whole.bytes.data + whole.bytes.size;
}
