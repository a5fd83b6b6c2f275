/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is written in any form is read back byte for byte; what is read is what the grammar
 * says, neither more nor less; no input makes anybody read beyond it.
 * Method: expressions and texts made at random, spoilt at random, and a second implementation that
 * is the grammar. Every spoilt text lies in memory of its own size, which AddressSanitizer watches;
 * one in eight lies before a page that nobody may touch. */
#include <sys/mman.h>

#include "unit/base/check.h"
#include "unit/sexp/grow.h"
#include "unit/sexp/model.h"

enum { ROUNDS = 4000, MUTATIONS = 25000 };

static uint8_t expression[GROW_EXPRESSION_MAX];
static uint8_t text[GROW_TEXT_MAX];
static char printed[GROW_TEXT_MAX];
static uint8_t canonical[WRN_SEXP_SIZE_MAX];
static uint8_t model_canonical[WRN_SEXP_SIZE_MAX];

static const enum wrn_sexp_form forms[] = {WRN_SEXP_CANONICAL, WRN_SEXP_ADVANCED,
                                           WRN_SEXP_TRANSPORT};

static bool is_same(wrn_span bytes, const void *other, size_t size) {
    return bytes.size == size && memcmp(bytes.data, other, size) == 0;
}

/* Whatever there is in a checked expression, through the cursor; returns atoms and lists. */
static size_t visit(struct wrn_sexp sexp, struct wrn_sexp_writer *copy) {
    struct wrn_sexp_cursor open[WRN_SEXP_DEPTH_MAX + 1];
    size_t depth = 0;
    size_t count = 0;
    for (bool is_more = true; is_more;) {
        count++;
        if (wrn_sexp_is_list(sexp)) {
            assert_true(wrn_sexp_enter(sexp, &open[depth++]));
            wrn_sexp_open(copy, NULL);
        } else {
            wrn_span hint = wrn_sexp_hint(sexp);
            if (hint.data != NULL) {
                wrn_sexp_put_hinted(copy, hint, wrn_sexp_atom(sexp));
            } else {
                wrn_sexp_put_bytes(copy, wrn_sexp_atom(sexp));
            }
        }
        while (depth > 0 && wrn_sexp_at_end(&open[depth - 1])) {
            assert_false(wrn_sexp_take_any(&open[depth - 1], &sexp));
            wrn_sexp_close(copy);
            depth--;
        }
        is_more = depth > 0;
        if (is_more) {
            assert_true(wrn_sexp_take_any(&open[depth - 1], &sexp));
        }
    }
    return count;
}

static void check_copy(struct wrn_sexp sexp) {
    static uint8_t out[WRN_SEXP_SIZE_MAX];
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, sexp.bytes.size);
    struct wrn_sexp copy;
    assert_true(visit(sexp, &writer) <= WRN_SEXP_COUNT_MAX);
    assert_int_equal(wrn_sexp_finish(&writer, &copy), 0);
    assert_true(wrn_sexp_equal(copy, sexp));
}

/* In the three forms, in lines of any length, read back in its own form and in ANY. */
static void check_print(struct wrn_rand rand, struct wrn_sexp sexp) {
    for (size_t f = 0; f < WRN_COUNT(forms); f++) {
        size_t columns = wrn_rand_below(rand, 3) == 0 ? 0 : wrn_rand_below(rand, 120);
        size_t size = wrn_sexp_print(forms[f], sexp, columns, printed, sizeof(printed));
        wrn_span span = {(const uint8_t *)printed, size};
        struct wrn_sexp again;
        CHECK(size <= sizeof(printed), "form %zu: %zu bytes: ", f, size);
        size_t capacity = wrn_sexp_capacity(size);
        assert_true(capacity <= sizeof(canonical));
        assert_int_equal(wrn_sexp_read(forms[f], span, canonical, capacity, &again, NULL, NULL), 0);
        assert_true(wrn_sexp_equal(again, sexp));
        assert_int_equal(wrn_sexp_read(WRN_SEXP_ANY, span, canonical, capacity, &again, NULL, NULL),
                         0);
        assert_true(wrn_sexp_equal(again, sexp));
    }
}

static void every_form_reads_back(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (size_t round = 0; round < ROUNDS; round++) {
        size_t size = grow_expression(rand, expression);
        struct wrn_sexp sexp;
        struct wrn_sexp_error error = {0};
        CHECK(wrn_sexp_check((wrn_span){expression, size}, &sexp, &error) == 0,
              "round %zu: %s at %zu: ", round, wrn_sexp_fault_text(error.fault), error.offset);
        check_copy(sexp);
        check_print(rand, sexp);
        for (size_t f = 0; f < WRN_COUNT(forms); f++) {
            size_t text_size = grow_text(rand, forms[f], sexp.bytes, text);
            struct wrn_sexp read;
            size_t used = 0;
            int result = wrn_sexp_read(forms[f], (wrn_span){text, text_size}, canonical,
                                       wrn_sexp_capacity(text_size), &read, &used, &error);
            CHECK(result == 0, "round %zu, form %zu: %s at %zu of %zu in\n%.*s\n: ", round, f,
                  wrn_sexp_fault_text(error.fault), error.offset, text_size, (int)text_size,
                  (const char *)text);
            CHECK(wrn_sexp_equal(read, sexp), "round %zu, form %zu: ", round, f);
            assert_int_equal(used, text_size);
        }
    }
}

/* A copy that ends where memory does: at a page that may not be touched if 'is_guarded', else at
 * the end of a block from malloc. */
struct fenced {
    uint8_t *block;
    size_t mapped;
    wrn_span bytes;
};

static struct fenced fence(const uint8_t *bytes, size_t size, bool is_guarded) {
    struct fenced fenced = {0};
    if (is_guarded) {
        size_t room = (size + 4095) / 4096 * 4096;
        fenced.mapped = room + 4096;
        fenced.block =
            mmap(NULL, fenced.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(fenced.block, MAP_FAILED);
        assert_int_equal(mprotect(fenced.block + room, 4096, PROT_NONE), 0);
        fenced.bytes = (wrn_span){fenced.block + room - size, size};
    } else {
        fenced.block = malloc(size > 0 ? size : 1);
        assert_non_null(fenced.block);
        fenced.bytes = (wrn_span){fenced.block, size};
    }
    if (size > 0) {
        memcpy(fenced.block + (fenced.bytes.data - fenced.block), bytes, size);
    }
    return fenced;
}

static void unfence(struct fenced *fenced) {
    if (fenced->mapped > 0) {
        munmap(fenced->block, fenced->mapped);
    } else {
        free(fenced->block);
    }
}

static void compare_with_model(wrn_span span, enum wrn_sexp_form form, bool is_strict,
                               size_t *accepted) {
    struct wrn_sexp sexp;
    struct wrn_sexp_error error = {.offset = SIZE_MAX};
    size_t model_size = 0;
    bool is_good = model_read(form, is_strict, span, model_canonical, &model_size);
    int result = is_strict ? wrn_sexp_check(span, &sexp, &error)
                           : wrn_sexp_read(form, span, canonical, wrn_sexp_capacity(span.size),
                                           &sexp, NULL, &error);
    CHECK(result == (is_good ? 0 : WRN_ERR_MALFORMED),
          "form %d: %d, model %d: %s at %zu in\n%.*s\n: ", form, result, is_good,
          result == 0 ? "" : wrn_sexp_fault_text(error.fault), error.offset, (int)span.size,
          (const char *)span.data);
    if (result == 0) {
        assert_true(is_same(sexp.bytes, model_canonical, model_size));
        *accepted += 1;
    } else {
        assert_true(error.offset <= span.size && error.fault != WRN_SEXP_OK);
        assert_true((error.offset == span.size) == (error.fault == WRN_SEXP_ENDS_EARLY) ||
                    form == WRN_SEXP_TRANSPORT);
    }
}

static void spoilt_texts_are_read_as_the_grammar_says(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 1);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    size_t accepted = 0;
    for (size_t round = 0; round < MUTATIONS; round++) {
        size_t size = grow_expression(rand, expression);
        if (size > 400 && wrn_rand_below(rand, 8) != 0) {
            continue; /* short ones break in more interesting ways */
        }
        enum wrn_sexp_form form = forms[wrn_rand_below(rand, WRN_COUNT(forms))];
        bool is_strict = form == WRN_SEXP_CANONICAL && wrn_rand_below(rand, 2) == 0;
        if (form == WRN_SEXP_TRANSPORT) { /* inside the braces */
            size = grow_mutation(rand, expression, size, sizeof(expression));
        }
        size_t text_size = grow_text(rand, form, (wrn_span){expression, size}, text);
        if (form != WRN_SEXP_TRANSPORT || wrn_rand_below(rand, 2) == 0) {
            text_size = grow_mutation(rand, text, text_size, sizeof(text));
        }
        struct fenced fenced = fence(text, text_size, wrn_rand_below(rand, 8) == 0);
        compare_with_model(fenced.bytes, form, is_strict, &accepted);
        unfence(&fenced);
    }
    print_message("# %zu of the spoilt texts were still expressions\n", accepted);
    assert_true(accepted > 100);
}

/* Every text that is cut off anywhere, in all forms: the commonest damage of all. */
static void texts_that_are_cut_off_end_early(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 2);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (size_t round = 0; round < 60; round++) {
        size_t size = grow_expression(rand, expression);
        for (size_t f = 0; f < WRN_COUNT(forms) && size < 300; f++) {
            size_t text_size = grow_text(rand, forms[f], (wrn_span){expression, size}, text);
            size_t accepted = 0;
            for (size_t cut = 0; cut < text_size; cut++) {
                struct fenced fenced = fence(text, cut, cut % 8 == 0);
                compare_with_model(fenced.bytes, forms[f], false, &accepted);
                unfence(&fenced);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_reads_back),
        cmocka_unit_test(spoilt_texts_are_read_as_the_grammar_says),
        cmocka_unit_test(texts_that_are_cut_off_end_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
