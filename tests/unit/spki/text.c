/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions as text, in static memory that is used up from front to back. */
#include "unit/spki/text.h"
#include "unit/base/check.h"

enum { MEMORY = 1 << 22, PRINTED = 1 << 16, KEPT = 8 };

static uint8_t memory[MEMORY];
static size_t used;

uint8_t *text_room(size_t size) {
    CHECK(size <= MEMORY - used, "%zu more bytes of text: ", size);
    uint8_t *room = memory + used;
    used += size;
    return room;
}

static void exchange(char *text, size_t size, char from, char to) {
    for (size_t i = 0; i < size; i++) {
        text[i] = text[i] == from ? to : text[i];
    }
}

struct wrn_sexp text_read(const char *text) {
    wrn_span bytes = {text_room(strlen(text)), strlen(text)};
    memcpy((char *)bytes.data, text, bytes.size);
    exchange((char *)bytes.data, bytes.size, '\'', '"');
    struct wrn_sexp sexp = {{NULL, 0}};
    struct wrn_sexp_error error = {WRN_SEXP_OK, 0};
    size_t capacity = wrn_sexp_capacity(bytes.size);
    uint8_t *out = text_room(capacity);
    int result = wrn_sexp_read(WRN_SEXP_ANY, bytes, out, capacity, &sexp, NULL, &error);
    CHECK(result == 0, "\"%s\", at %zu, %s: ", text, error.offset,
          wrn_sexp_fault_text(error.fault));
    return sexp;
}

const char *text_of(struct wrn_sexp sexp) {
    static char printed[KEPT][PRINTED];
    static size_t next;
    char *out = printed[next++ % KEPT];
    size_t size = wrn_sexp_print(WRN_SEXP_ADVANCED, sexp, 0, out, PRINTED - 1);
    CHECK(size < PRINTED, "%zu characters: ", size);
    out[size] = '\0';
    exchange(out, size, '"', '\'');
    return out;
}

void text_forget(void) {
    used = 0;
}
