/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: tags mean what RFC 2693 says, and their intersection is an algebra that never widens.
 * Method: laws on random tags; each answer compared with a naive intersection, and with what the
 * tags permit of concrete expressions, asked one by one. The naive model stands the same laws. */
#include "spki/tag.h"

#include <stdio.h>

#include "model/spki_tags.h"
#include "unit/base/check.h"

enum { CASES = 50000, MODEL_CASES = 5000, CONCRETES = 16, SHRINKS = 4000 };

/* Something that intersects tags. NULL is nothing. */
struct algebra {
    const char *name;
    struct tree *(*meet)(const struct tree *a, const struct tree *b);
    struct tree *(*normal)(const struct tree *tag);
    bool (*cover)(const struct tree *tag, const struct tree *request);
};

struct triple {
    struct wrn_prng prng; /* for the concrete expressions */
    unsigned theme;
    struct tree *a, *b, *c;
};

static struct tree *real_meet(const struct tree *a, const struct tree *b);
static struct tree *real_normal(const struct tree *tag);
static bool real_cover(const struct tree *tag, const struct tree *request);

static const struct algebra model = {"the model", tags_meet, tags_normal, tags_cover};
static const struct algebra real = {"src/spki/tag.c", real_meet, real_normal, real_cover};

/* ---- What is tested, on trees */

static uint8_t bytes_out[2 * WRN_TAG_SIZE_MAX], scratch[4 * WRN_TAG_SIZE_MAX];

static struct wrn_sexp to_sexp(const struct tree *tree) {
    struct wrn_sexp sexp;
    CHECK(wrn_sexp_check(tree_canonical(tree), &sexp, NULL) == 0, "%s: ", tree_show(tree));
    return sexp;
}

/* What was written, as a tree. */
static struct tree *result(int status, struct wrn_sexp_writer *out, const char *what,
                           const struct tree *a, const struct tree *b) {
    struct wrn_sexp sexp;
    CHECK(status == 0 || status == 1, "%s of %s and %s: %d: ", what, tree_show(a),
          b ? tree_show(b) : "nothing", status);
    if (status == 0) {
        CHECK(out->size == 0, "%s wrote something though nothing is left: ", what);
        return NULL;
    }
    CHECK(wrn_sexp_finish(out, &sexp) == 0, "%s: ", what);
    struct tree *tree = tree_read(sexp.bytes);
    CHECK(tree, "%s of %s writes no expression: ", what, tree_show(a));
    return tree;
}

static struct tree *real_meet(const struct tree *a, const struct tree *b) {
    struct wrn_sexp_writer out = wrn_sexp_writer(bytes_out, sizeof bytes_out);
    return result(wrn_tag_intersect(to_sexp(a), to_sexp(b), &out), &out, "intersection", a, b);
}

static struct tree *real_normal(const struct tree *tag) {
    struct wrn_sexp_writer out = wrn_sexp_writer(bytes_out, sizeof bytes_out);
    return result(wrn_tag_normalise(to_sexp(tag), &out), &out, "normal form", tag, NULL);
}

static bool real_cover(const struct tree *tag, const struct tree *request) {
    int status = wrn_tag_covers(to_sexp(tag), to_sexp(request), scratch, sizeof scratch);
    CHECK(status == 0 || status == 1, "%s covers %s: %d: ", tree_show(tag), tree_show(request),
          status);
    return status == 1;
}

/* ---- The laws */

static bool is_same(const struct tree *a, const struct tree *b) {
    return a && b ? tree_equal(a, b) : a == b;
}

/* Then laws of equality hold only in one direction: what is lost depends on the order. */
static bool may_lose(const struct tree *a, const struct tree *b) {
    return tags_may_lose(a, b) || tags_may_lose(a, a) || tags_may_lose(b, b);
}

/* Of tags alone; returns what does not hold, or NULL. */
static const char *find_broken_law(const struct algebra *on, const struct triple *t) {
    struct tree *normal = on->normal(t->a), *both = on->meet(t->a, t->b);
    if (normal && !is_same(on->normal(normal), normal)) {
        return "the normal form of a is not stable";
    }
    if (!is_same(on->meet(t->a, t->a), normal)) {
        return "a and a is not a";
    }
    if (!is_same(on->meet(t->b, t->a), both)) {
        return "a and b is not b and a";
    }
    struct tree *normal_b = on->normal(t->b);
    if (!may_lose(t->a, t->b) &&
        !is_same(normal && normal_b ? on->meet(normal, normal_b) : NULL, both)) {
        return "of the normal forms there is another intersection";
    }
    if (both && !is_same(on->normal(both), both)) {
        return "the intersection is not in normal form";
    }
    if (both && (!is_same(on->meet(both, t->a), both) || !is_same(on->meet(t->b, both), both))) {
        return "the intersection with one of the two is smaller";
    }
    if (both && (!on->cover(t->a, both) || !on->cover(t->b, both))) {
        return "a or b does not cover the intersection";
    }
    if (!may_lose(t->a, t->b) && !may_lose(t->a, t->c) && !may_lose(t->b, t->c)) {
        struct tree *last = on->meet(t->b, t->c);
        if (!is_same(both ? on->meet(both, t->c) : NULL, last ? on->meet(t->a, last) : NULL)) {
            return "(a and b) and c is not a and (b and c)";
        }
    }
    return NULL;
}

/* The same, asked of one concrete expression. */
static const char *find_broken_meaning(const struct algebra *on, const struct triple *t,
                                       const struct tree *both, const struct tree *normal,
                                       const struct tree *x) {
    bool by_a = tags_permit(t->a, x), by_b = tags_permit(t->b, x);
    bool by_both = both && tags_permit(both, x);
    if (by_both && !(by_a && by_b)) {
        return "the intersection permits x, but a and b do not";
    }
    if (!by_both && by_a && by_b && !tags_may_lose(t->a, t->b)) {
        return "a and b permit x, but their intersection does not";
    }
    if (by_a != (normal && tags_permit(normal, x))) {
        return "a and its normal form do not agree on x";
    }
    if (on->cover(t->a, x) != by_a) {
        return "whether a covers x is not whether it permits it";
    }
    return NULL;
}

/* The same in the model's way of writing limits. */
static bool is_equivalent(const struct tree *a, const struct tree *b) {
    return is_same(a ? tags_normal(a) : a, b ? tags_normal(b) : b);
}

static const char *find_fault(const struct algebra *on, const struct triple *t,
                              const struct tree **ret_x) {
    struct wrn_prng prng = t->prng;
    const char *why = find_broken_law(on, t);
    *ret_x = NULL;
    if (why) {
        return why;
    }
    struct tree *both = on->meet(t->a, t->b), *normal = on->normal(t->a);
    if (!is_equivalent(both, tags_meet(t->a, t->b)) || !is_equivalent(normal, tags_normal(t->a))) {
        return "the model has another intersection or normal form";
    }
    bool covers = on->cover(t->a, t->c), should_cover = tags_cover(t->a, t->c);
    bool is_excused =
        covers ? tags_have_strings(t->c) && !tags_normal(t->c) : tags_have_strings(t->c);
    if (covers != should_cover && !is_excused) {
        return "the model says otherwise whether a covers c";
    }
    for (unsigned i = 0; i < CONCRETES; i++) {
        const struct tree *from[] = {t->a, both ? both : t->a, t->b, t->c};
        const struct tree *x = tags_draw_concrete(&prng, t->theme, from[i % WRN_COUNT(from)]);
        if (!tags_is_concrete(x)) {
            continue;
        }
        *ret_x = x;
        why = find_broken_meaning(on, t, both, normal, x);
        if (!why && covers && tags_permit(t->c, x) && !tags_permit(t->a, x)) {
            why = "a covers c, which permits x, but a does not permit x";
        }
        if (why) {
            return why;
        }
    }
    return NULL;
}

/* ---- Random tags */

static bool is_tag(const struct tree *tree) {
    return wrn_tag_check(to_sexp(tree), NULL) == WRN_TAG_OK;
}

static struct triple draw_triple(uint64_t seed, uint64_t index) {
    struct triple t;
    wrn_prng_init(&t.prng, seed, index);
    t.theme = tree_draw(&t.prng, TAGS_THEMES);
    unsigned depth = 1 + tree_draw(&t.prng, 3);
    t.a = tags_draw(&t.prng, t.theme, depth);
    t.b = tree_draw(&t.prng, 4) > 0 ? tags_vary(&t.prng, t.theme, t.a)
                                    : tags_draw(&t.prng, t.theme, depth);
    t.c = tree_draw(&t.prng, 3) > 0 ? tags_vary(&t.prng, t.theme, t.b)
                                    : tags_draw(&t.prng, t.theme, depth);
    return t;
}

/* Makes the tags smaller as long as something is still wrong with them. */
static struct triple shrink(const struct algebra *on, struct triple t) {
    const struct tree *x;
    size_t tries = 0;
    for (bool is_smaller = true; is_smaller && tries < SHRINKS;) {
        is_smaller = false;
        for (unsigned which = 0; which < 3 && !is_smaller; which++) {
            const struct tree *old = which == 0 ? t.a : which == 1 ? t.b : t.c;
            size_t nodes = tree_nodes(old);
            for (size_t i = 0; i < nodes * 12 && !is_smaller && tries < SHRINKS; i++, tries++) {
                struct triple smaller = t;
                size_t mark = tree_mark();
                struct tree *tag = tree_shrink(old, i / 12, i % 12);
                if (tag && is_tag(tag)) {
                    *(which == 0 ? &smaller.a : which == 1 ? &smaller.b : &smaller.c) = tag;
                    is_smaller = find_fault(on, &smaller, &x) != NULL;
                    t = is_smaller ? smaller : t;
                }
                if (!is_smaller) {
                    tree_forget(mark);
                }
            }
        }
    }
    return t;
}

static void run(const struct algebra *on, size_t cases) {
    uint64_t seed = check_seed();
    size_t met = 0;
    for (size_t i = 0; i < cases; i++) {
        const struct tree *x;
        tree_reset();
        struct triple t = draw_triple(seed, i);
        assert_true(is_tag(t.a) && is_tag(t.b) && is_tag(t.c));
        const char *why = find_fault(on, &t, &x);
        if (why) {
            t = shrink(on, t);
            why = find_fault(on, &t, &x);
            struct tree *both = on->meet(t.a, t.b), *wanted = tags_meet(t.a, t.b);
            struct tree *normal = on->normal(t.a), *normal_wanted = tags_normal(t.a);
            fail_msg("%s, seed %llu, case %zu: %s\n  a = %s\n  b = %s\n  c = %s\n  x = %s\n"
                     "  a and b = %s, by the model %s\n  normal a = %s, by the model %s",
                     on->name, (unsigned long long)seed, i, why, tree_show(t.a), tree_show(t.b),
                     tree_show(t.c), x ? tree_show(x) : "any", both ? tree_show(both) : "nothing",
                     wanted ? tree_show(wanted) : "nothing", normal ? tree_show(normal) : "nothing",
                     normal_wanted ? tree_show(normal_wanted) : "nothing");
        }
        met += tags_meet(t.a, t.b) != NULL;
    }
    print_message("# %s: %zu cases, %zu of them with something left\n", on->name, cases, met);
    assert_true(met > cases / 4 && met < cases * 9 / 10);
}

static void model_stands_the_laws(void **state) {
    (void)state;
    run(&model, MODEL_CASES);
}

static void random_tags(void **state) {
    (void)state;
    run(&real, CASES);
}

/* Every pair of a family of small tags, asked of every expression of a small universe. */
static void every_small_pair(void **state) {
    (void)state;
    enum { TAGS = 32, UNIVERSE = 900 };
    for (unsigned theme = 0; theme < TAGS_THEMES; theme++) {
        struct tree *tags[TAGS], *universe[UNIVERSE];
        struct wrn_prng prng;
        size_t count = 0;
        tree_reset();
        wrn_prng_init(&prng, 2693, theme);
        for (size_t i = 0; i < TAGS; i++) {
            tags[i] = tags_draw(&prng, theme, 2);
        }
        while (count < UNIVERSE && (universe[count] = tags_concrete(theme, count))) {
            count++;
        }
        for (size_t i = 0; i < TAGS * TAGS; i++) {
            const struct tree *a = tags[i / TAGS], *b = tags[i % TAGS];
            struct tree *both = real_meet(a, b);
            bool is_exact = !tags_may_lose(a, b);
            for (size_t k = 0; k < count; k++) {
                bool wanted = tags_permit(a, universe[k]) && tags_permit(b, universe[k]);
                bool is_permitted = both && tags_permit(both, universe[k]);
                CHECK(is_permitted == wanted || (wanted && !is_exact),
                      "%s and %s is %s: %s should%s be permitted: ", tree_show(a), tree_show(b),
                      both ? tree_show(both) : "nothing", tree_show(universe[k]),
                      wanted ? "" : " not");
            }
        }
        print_message("# family %u: %d pairs, %zu expressions\n", theme, TAGS * TAGS, count);
    }
}

/* The part that is shown as refused is one, and none is if all is permitted. Not asked for nothing,
 * of which there is no part. */
static void refused_parts(void **state) {
    (void)state;
    uint64_t seed = check_seed();
    size_t refused = 0;
    for (size_t i = 0; i < 5000; i++) {
        struct wrn_sexp wanted = {{0}}, permitted = {{0}};
        tree_reset();
        struct triple t = draw_triple(seed, i);
        if (!tags_normal(t.b)) {
            continue;
        }
        struct wrn_sexp tag = to_sexp(t.a), request = to_sexp(t.b);
        bool is_refused =
            wrn_tag_find_refused(tag, request, scratch, sizeof scratch, &wanted, &permitted);
        CHECK(is_refused == !real_cover(t.a, t.b), "case %zu, %s asked for %s, refused %d: ", i,
              tree_show(t.a), tree_show(t.b), is_refused);
        if (is_refused && wanted.bytes.size > 0 && permitted.bytes.size > 0) {
            struct tree *part = tree_read(wanted.bytes), *has = tree_read(permitted.bytes);
            CHECK(part && has && !real_cover(has, part), "case %zu, %s asked for %s: %s of %s: ", i,
                  tree_show(t.a), tree_show(t.b), part ? tree_show(part) : "no part",
                  has ? tree_show(has) : "nothing");
            refused++;
        }
    }
    print_message("# %zu parts refused\n", refused);
    assert_true(refused > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_stands_the_laws),
        cmocka_unit_test(random_tags),
        cmocka_unit_test(every_small_pair),
        cmocka_unit_test(refused_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
