/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reading of S-expressions: the input is a text in each of the forms. What is accepted,
 * and as what, is compared with the plain grammar; what is accepted is looked through, printed in
 * every form and read back. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "sexp/sexp.h"
#include "unit/sexp/model.h"

static void read_as(enum wrn_sexp_form form, wrn_span text);
static void read_all(wrn_span text);
static void check_against_model(wrn_span text);
static void check_error(int result, wrn_span text, const struct wrn_sexp_error *error);
static void check_short_of_room(enum wrn_sexp_form form, wrn_span text, size_t size);
static void check_prints(struct wrn_sexp sexp);
static size_t check_parts(struct wrn_sexp sexp);

/* What must hold for any input, in every build. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static uint8_t model_canonical[WRN_SEXP_SIZE_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wrn_span text = {data, size};
    check_against_model(text);
    read_as(WRN_SEXP_CANONICAL, text);
    read_as(WRN_SEXP_ADVANCED, text);
    read_as(WRN_SEXP_TRANSPORT, text);
    read_as(WRN_SEXP_ANY, text);
    read_all(text);
    return 0;
}

/* The check, in place. */
static void check_against_model(wrn_span text) {
    struct wrn_sexp sexp;
    struct wrn_sexp_error error = {.offset = SIZE_MAX};
    size_t model_size = 0;
    int result = wrn_sexp_check(text, &sexp, &error);
    bool is_good = model_read(WRN_SEXP_CANONICAL, true, text, model_canonical, &model_size);
    HOLDS((result == 0) == is_good);
    check_error(result, text, &error);
    if (result == 0) {
        HOLDS(sexp.bytes.data == text.data && sexp.bytes.size == text.size);
        HOLDS(model_size == text.size && memcmp(model_canonical, text.data, text.size) == 0);
    }
}

static void read_as(enum wrn_sexp_form form, wrn_span text) {
    size_t capacity = wrn_sexp_capacity(text.size);
    uint8_t *out = malloc(capacity);
    struct wrn_sexp sexp;
    struct wrn_sexp_error error = {.offset = SIZE_MAX};
    size_t model_size = 0;
    HOLDS(out);
    int result = wrn_sexp_read(form, text, out, capacity, &sexp, NULL, &error);
    check_error(result, text, &error);
    bool is_good =
        form == WRN_SEXP_ANY
            ? model_read(WRN_SEXP_ADVANCED, false, text, model_canonical, &model_size) ||
                  model_read(WRN_SEXP_TRANSPORT, false, text, model_canonical, &model_size)
            : model_read(form, false, text, model_canonical, &model_size);
    HOLDS((result == 0) == is_good);
    if (result == 0) {
        struct wrn_sexp checked;
        HOLDS(sexp.bytes.size == model_size);
        HOLDS(memcmp(sexp.bytes.data, model_canonical, model_size) == 0);
        HOLDS(wrn_sexp_check(sexp.bytes, &checked, NULL) == 0);
        HOLDS(check_parts(sexp) == sexp.bytes.size);
        check_prints(sexp);
        check_short_of_room(form, text, sexp.bytes.size);
    }
    free(out);
}

static void check_error(int result, wrn_span text, const struct wrn_sexp_error *error) {
    HOLDS(result == 0 || result == WRN_ERR_MALFORMED);
    if (result == 0) {
        HOLDS(error->offset == SIZE_MAX);
        return;
    }
    HOLDS(error->offset <= text.size);
    HOLDS(error->fault != WRN_SEXP_OK && strlen(wrn_sexp_fault_text(error->fault)) > 0);
    HOLDS(error->offset < text.size || error->fault == WRN_SEXP_ENDS_EARLY);
}

/* Half the room, in a block of that size. */
static void check_short_of_room(enum wrn_sexp_form form, wrn_span text, size_t size) {
    struct wrn_sexp sexp;
    uint8_t *out = malloc(size / 2 + 1);
    HOLDS(out);
    HOLDS(wrn_sexp_read(form, text, out, size / 2, &sexp, NULL, NULL) == -ENOBUFS);
    free(out);
}

/* One after the other, as a file is read. */
static void read_all(wrn_span text) {
    uint8_t *out = malloc(wrn_sexp_capacity(text.size));
    HOLDS(out);
    while (text.size > 0) {
        struct wrn_sexp sexp;
        struct wrn_sexp_error error = {.offset = SIZE_MAX};
        size_t used = 0;
        int result = wrn_sexp_read(WRN_SEXP_ANY, text, out, wrn_sexp_capacity(text.size), &sexp,
                                   &used, &error);
        check_error(result, text, &error);
        if (result != 0) {
            break;
        }
        HOLDS(error.fault != WRN_SEXP_TRAILING);
        HOLDS(used > 0 && used <= text.size);
        text = (wrn_span){text.data + used, text.size - used};
    }
    free(out);
}

static void check_prints(struct wrn_sexp sexp) {
    static const enum wrn_sexp_form forms[] = {WRN_SEXP_CANONICAL, WRN_SEXP_ADVANCED,
                                               WRN_SEXP_ADVANCED, WRN_SEXP_TRANSPORT};
    for (size_t i = 0; i < WRN_COUNT(forms); i++) {
        size_t columns = i == 1 ? 0 : sexp.bytes.data[sexp.bytes.size - 1]; /* any will do */
        size_t size = wrn_sexp_print(forms[i], sexp, columns, NULL, 0);
        char *text = malloc(size);
        uint8_t *out = malloc(sexp.bytes.size);
        struct wrn_sexp again;
        HOLDS(text != NULL && out != NULL);
        HOLDS(wrn_sexp_print(forms[i], sexp, columns, text, size) == size);
        wrn_span span = {(const uint8_t *)text, size};
        HOLDS(wrn_sexp_read(forms[i], span, out, sexp.bytes.size, &again, NULL, NULL) == 0);
        HOLDS(wrn_sexp_equal(again, sexp));
        HOLDS(wrn_sexp_read(WRN_SEXP_ANY, span, out, sexp.bytes.size, &again, NULL, NULL) == 0);
        HOLDS(wrn_sexp_equal(again, sexp));
        free(text);
        free(out);
    }
}

/* Through all levels by the cursor. Returns the bytes that the parts take up together. */
static size_t check_parts(struct wrn_sexp sexp) {
    struct wrn_sexp_cursor open[WRN_SEXP_DEPTH_MAX + 1];
    size_t depth = 0;
    size_t size = 0;
    struct wrn_sexp_cursor whole = {sexp.bytes.data, sexp.bytes.data + sexp.bytes.size};
    open[0] = whole;
    for (;;) {
        if (!wrn_sexp_take_any(&open[depth], &sexp)) {
            HOLDS(wrn_sexp_at_end(&open[depth]));
            if (depth-- == 0) {
                return size;
            }
            continue;
        }
        if (wrn_sexp_is_list(sexp)) {
            HOLDS(depth < WRN_SEXP_DEPTH_MAX && wrn_sexp_enter(sexp, &open[++depth]));
            size += 2;
        } else {
            wrn_span hint = wrn_sexp_hint(sexp);
            wrn_span bytes = wrn_sexp_atom(sexp);
            HOLDS(bytes.data + bytes.size == sexp.bytes.data + sexp.bytes.size);
            HOLDS(hint.data == NULL || (hint.size > 0 && hint.data + hint.size < bytes.data));
            size += sexp.bytes.size;
        }
    }
}
