/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: docs/certificates.md shows nothing that is not so. Method: its blocks of objects are read,
 * each by the reader of its name, and its table of intersections is computed. */
#include <stdio.h>

#include "spki/cert.h"
#include "spki/tag.h"
#include "unit/base/check.h"
#include "unit/spki/text.h"

enum { DOCUMENT_MAX = 1 << 17, CELLS = 3, CELL_MAX = 256 };

static char document[DOCUMENT_MAX];

static int load(void **state) {
    (void)state;
    char path[4096];
    const char *root = getenv("WARREN_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/docs/certificates.md", root != NULL ? root : ".");
    FILE *file = fopen(path, "r");
    CHECK(file != NULL, "%s: ", path);
    size_t size = fread(document, 1, sizeof document - 1, file);
    document[size] = '\0';
    fclose(file);
    return size > 0 && size < sizeof document - 1 ? 0 : -1;
}

static int read_object(struct wrn_sexp sexp, enum wrn_spki_mode mode,
                       struct wrn_spki_error *error) {
    struct wrn_spki_cert cert;
    struct wrn_spki_crl crl;
    struct wrn_spki_reval reval;
    struct wrn_spki_signature signature;
    if (wrn_sexp_is_named(sexp, "entry")) {
        return wrn_spki_read_entry(sexp, mode, &cert, error);
    }
    if (wrn_sexp_is_named(sexp, "crl")) {
        return wrn_spki_read_crl(sexp, &crl, error);
    }
    if (wrn_sexp_is_named(sexp, "reval")) {
        return wrn_spki_read_reval(sexp, &reval, error);
    }
    if (wrn_sexp_is_named(sexp, "signature")) {
        return wrn_spki_read_signature(sexp, &signature, error);
    }
    return wrn_spki_read_cert(sexp, mode, &cert, error);
}

/* Reads all blocks with this fence; returns how many. */
static int read_blocks(const char *fence, enum wrn_spki_mode mode) {
    int count = 0;
    const char *at = document;
    while ((at = strstr(at, fence)) != NULL) {
        at += strlen(fence);
        const char *end = strstr(at, "```");
        assert_non_null(end);
        uint8_t *text = text_room((size_t)(end - at) + 1);
        memcpy(text, at, (size_t)(end - at));
        text[end - at] = '\0';
        struct wrn_sexp sexp = text_read((const char *)text);
        struct wrn_spki_error error = {WRN_SPKI_OK, sexp};
        CHECK(read_object(sexp, mode, &error) == 0, "%s: %s: ", wrn_spki_fault_text(error.fault),
              text_of(error.at));
        if (mode == WRN_SPKI_STUDY) { /* else it would stand in the wrong section */
            assert_int_equal(read_object(sexp, WRN_SPKI_STRICT, &error), WRN_ERR_MALFORMED);
        }
        at = end + 3;
        count++;
    }
    return count;
}

static void objects_are_read(void **state) {
    (void)state;
    assert_true(read_blocks("\n```spki\n", WRN_SPKI_STRICT) >= 8);
    assert_true(read_blocks("\n```spki-study\n", WRN_SPKI_STUDY) >= 1);
    text_forget();
}

/* Takes the cells of a row "| `a` | `b` | `c` |"; the last may be a word without backticks. */
static bool take_cells(const char *row, size_t size, char cells[CELLS][CELL_MAX]) {
    const char *end = row + size;
    for (size_t i = 0; i < CELLS; i++) {
        if (end - row < 3 || row[0] != '|' || row[1] != ' ') {
            return false;
        }
        bool is_code = row[2] == '`';
        const char *start = row + (is_code ? 3 : 2);
        const char *stop = strstr(start, is_code ? "` |" : " |");
        if (stop == NULL || stop >= end || stop - start >= CELL_MAX || (!is_code && i < 2)) {
            return false;
        }
        memcpy(cells[i], start, (size_t)(stop - start));
        cells[i][stop - start] = '\0';
        row = stop + (is_code ? 2 : 1);
    }
    return row + 1 == end;
}

static void assert_intersection(const char *a, const char *b, const char *right) {
    struct wrn_sexp both;
    struct wrn_sexp_writer out = wrn_sexp_writer(text_room(1024), 1024);
    int result = wrn_tag_intersect(text_read(a), text_read(b), &out);
    if (strcmp(right, "nothing") == 0) {
        CHECK(result == 0, "%s, %s: ", a, b);
        return;
    }
    CHECK(result == 1, "%s, %s: ", a, b);
    assert_int_equal(wrn_sexp_finish(&out, &both), 0);
    CHECK(wrn_sexp_equal(both, text_read(right)), "%s, %s: %s: ", a, b, text_of(both));
}

static void intersections_are_right(void **state) {
    (void)state;
    int count = 0;
    const char *row = strstr(document, "| one tag | the other | together |");
    assert_non_null(row);
    while (*row == '|') {
        char cells[CELLS][CELL_MAX];
        size_t size = strcspn(row, "\n");
        if (take_cells(row, size, cells)) {
            assert_intersection(cells[0], cells[1], cells[2]);
            count++;
        }
        row += size + 1;
    }
    CHECK(count >= 20, "%d rows: ", count);
    text_forget();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_read),
        cmocka_unit_test(intersections_are_right),
    };
    return cmocka_run_group_tests(tests, load, NULL);
}
