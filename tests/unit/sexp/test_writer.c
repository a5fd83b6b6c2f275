/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is written is canonical form; room that is missing is said at the end and never
 * overrun; going back forgets exactly what was written since.
 * Method: a small expression in every capacity, the limits, and misuse. */
#include "unit/base/check.h"
#include "sexp/sexp.h"

static uint8_t out[WRN_SEXP_SIZE_MAX + 64];

static wrn_span span_of(const char *text) {
    return (wrn_span){(const uint8_t *)text, strlen(text)};
}

static void check_written(struct wrn_sexp_writer *writer, const char *expected) {
    struct wrn_sexp sexp;
    assert_int_equal(wrn_sexp_finish(writer, &sexp), 0);
    CHECK(sexp.bytes.data == writer->out && sexp.bytes.size == strlen(expected) &&
              memcmp(sexp.bytes.data, expected, sexp.bytes.size) == 0,
          "'%.*s', not '%s': ", (int)sexp.bytes.size, (const char *)sexp.bytes.data, expected);
}

static const char sample[] = "(4:cert(6:issuer5:alice)[4:text]11:hello world()0:(1:x))";

static void write_sample(struct wrn_sexp_writer *writer) {
    struct wrn_sexp x = {{(const uint8_t *)"(1:x)", 5}};
    wrn_sexp_open(writer, "cert");
    wrn_sexp_open(writer, "issuer");
    wrn_sexp_put_word(writer, "alice");
    wrn_sexp_close(writer);
    wrn_sexp_put_hinted(writer, span_of("text"), span_of("hello world"));
    wrn_sexp_open(writer, NULL);
    wrn_sexp_close(writer);
    wrn_sexp_put_bytes(writer, (wrn_span){NULL, 0});
    wrn_sexp_put(writer, x);
    wrn_sexp_close(writer);
}

static void canonical_form_is_written(void **state) {
    (void)state;
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, sizeof(out));
    write_sample(&writer);
    check_written(&writer, sample);
}

static void every_capacity_is_kept(void **state) {
    (void)state;
    for (size_t capacity = 0; capacity < sizeof(sample); capacity++) {
        uint8_t *block = malloc(capacity > 0 ? capacity : 1);
        assert_non_null(block);
        struct wrn_sexp_writer writer = wrn_sexp_writer(block, capacity);
        struct wrn_sexp sexp;
        write_sample(&writer);
        int result = wrn_sexp_finish(&writer, &sexp);
        CHECK(result == (capacity < sizeof(sample) - 1 ? -ENOBUFS : 0), "%zu: %d: ", capacity,
              result);
        assert_true(writer.size <= capacity);
        free(block);
    }
}

/* A short atom after a long one that did not fit must not slip in. */
static void an_error_sticks(void **state) {
    (void)state;
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, 8);
    struct wrn_sexp sexp;
    wrn_sexp_open(&writer, NULL);
    wrn_sexp_put_word(&writer, "too long for it");
    size_t size = writer.size;
    wrn_sexp_put_word(&writer, "a");
    wrn_sexp_close(&writer);
    assert_int_equal(writer.size, size);
    assert_int_equal(wrn_sexp_finish(&writer, &sexp), -ENOBUFS);
}

static void going_back_forgets(void **state) {
    (void)state;
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, 20);
    wrn_sexp_open(&writer, "set");
    struct wrn_sexp_mark mark = wrn_sexp_mark(&writer);
    wrn_sexp_open(&writer, "list");
    wrn_sexp_open(&writer, "that does not fit");
    assert_int_equal(writer.error, -ENOBUFS);
    wrn_sexp_rewind(&writer, mark);
    wrn_sexp_put_word(&writer, "a");
    wrn_sexp_close(&writer);
    check_written(&writer, "(3:set1:a)");
}

/* An error from before the mark is not forgotten. */
static void going_back_keeps_older_errors(void **state) {
    (void)state;
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, 4);
    struct wrn_sexp sexp;
    wrn_sexp_put_word(&writer, "abc");
    struct wrn_sexp_mark mark = wrn_sexp_mark(&writer);
    wrn_sexp_put_word(&writer, "d");
    wrn_sexp_rewind(&writer, mark);
    assert_int_equal(wrn_sexp_finish(&writer, &sexp), -ENOBUFS);
}

/* Unwrapping a list that turns out to have one element: it moves over what was taken back. */
static void what_was_taken_back_can_be_put(void **state) {
    (void)state;
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, sizeof(out));
    struct wrn_sexp_mark mark = wrn_sexp_mark(&writer);
    wrn_sexp_open(&writer, "s");
    size_t start = writer.size;
    wrn_sexp_put_word(&writer, "the only element");
    struct wrn_sexp only = {{out + start, writer.size - start}};
    wrn_sexp_close(&writer);
    wrn_sexp_rewind(&writer, mark);
    wrn_sexp_put(&writer, only);
    check_written(&writer, "16:the only element");
}

/* At each limit, and one above: not written as if it were an expression. */
static void limits_are_kept(void **state) {
    (void)state;
    struct wrn_sexp sexp;
    for (size_t extra = 0; extra <= 1; extra++) {
        int expected = extra == 0 ? 0 : -E2BIG;
        struct wrn_sexp_writer writer = wrn_sexp_writer(out, sizeof(out));
        for (size_t i = 0; i < WRN_SEXP_DEPTH_MAX + extra; i++) {
            wrn_sexp_open(&writer, NULL);
        }
        for (size_t i = 0; i < WRN_SEXP_DEPTH_MAX + extra; i++) {
            wrn_sexp_close(&writer);
        }
        assert_int_equal(wrn_sexp_finish(&writer, &sexp), expected);

        writer = wrn_sexp_writer(out, sizeof(out));
        wrn_sexp_open(&writer, NULL);
        for (size_t i = 1; i < WRN_SEXP_COUNT_MAX + extra; i++) {
            wrn_sexp_put_word(&writer, "");
        }
        wrn_sexp_close(&writer);
        assert_int_equal(wrn_sexp_finish(&writer, &sexp), expected);

        static uint8_t bytes[WRN_SEXP_SIZE_MAX];
        writer = wrn_sexp_writer(out, sizeof(out));
        wrn_sexp_put_bytes(&writer, (wrn_span){bytes, 1048568 + extra});
        assert_int_equal(wrn_sexp_finish(&writer, &sexp), expected);
    }
    static uint8_t huge_bytes[WRN_SEXP_SIZE_MAX + 1];
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, sizeof(out));
    wrn_sexp_put_bytes(&writer, (wrn_span){huge_bytes, sizeof(huge_bytes)});
    assert_int_equal(wrn_sexp_finish(&writer, &sexp), -E2BIG);
}

static void finish_with_an_open_list(void) {
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, sizeof(out));
    struct wrn_sexp sexp;
    wrn_sexp_open(&writer, NULL);
    (void)!wrn_sexp_finish(&writer, &sexp);
}

static void finish_with_nothing(void) {
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, sizeof(out));
    struct wrn_sexp sexp;
    (void)!wrn_sexp_finish(&writer, &sexp);
}

static void finish_with_two(void) {
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, sizeof(out));
    struct wrn_sexp sexp;
    wrn_sexp_put_word(&writer, "a");
    wrn_sexp_put_word(&writer, "b");
    (void)!wrn_sexp_finish(&writer, &sexp);
}

static void close_too_often(void) {
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, sizeof(out));
    wrn_sexp_close(&writer);
}

static void put_an_empty_hint(void) {
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, sizeof(out));
    wrn_sexp_put_hinted(&writer, (wrn_span){NULL, 0}, (wrn_span){NULL, 0});
}

static void misuse_is_caught(void **state) {
    (void)state;
    check_dies(finish_with_an_open_list);
    check_dies(finish_with_nothing);
    check_dies(finish_with_two);
    check_dies(close_too_often);
    check_dies(put_an_empty_hint);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_form_is_written),
        cmocka_unit_test(every_capacity_is_kept),
        cmocka_unit_test(an_error_sticks),
        cmocka_unit_test(going_back_forgets),
        cmocka_unit_test(going_back_keeps_older_errors),
        cmocka_unit_test(what_was_taken_back_can_be_put),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(misuse_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
