/* SPDX-License-Identifier: Apache-2.0 */
/* Writes canonical form into memory of the caller's. Errors stick until they are looked at. */
#include "sexp/internal.h"

static void put(struct wrn_sexp_writer *writer, const void *bytes, size_t size);
static void put_string(struct wrn_sexp_writer *writer, wrn_span bytes);

struct wrn_sexp_writer wrn_sexp_writer(uint8_t *out, size_t capacity) {
    return (struct wrn_sexp_writer){.out = out, .capacity = capacity};
}

void wrn_sexp_open(struct wrn_sexp_writer *writer, const char *name) {
    writer->depth++; /* also after an error, so that opening and closing stay in step */
    put(writer, "(", 1);
    if (name != NULL) {
        wrn_sexp_put_word(writer, name);
    }
}

void wrn_sexp_close(struct wrn_sexp_writer *writer) {
    WRN_ASSERT(writer->depth > 0);
    writer->depth--;
    put(writer, ")", 1);
}

void wrn_sexp_put_word(struct wrn_sexp_writer *writer, const char *word) {
    put_string(writer, (wrn_span){(const uint8_t *)word, strlen(word)});
}

void wrn_sexp_put_bytes(struct wrn_sexp_writer *writer, wrn_span bytes) {
    put_string(writer, bytes);
}

void wrn_sexp_put_hinted(struct wrn_sexp_writer *writer, wrn_span hint, wrn_span bytes) {
    WRN_ASSERT(hint.size > 0);
    put(writer, "[", 1);
    put_string(writer, hint);
    put(writer, "]", 1);
    put_string(writer, bytes);
}

void wrn_sexp_put(struct wrn_sexp_writer *writer, struct wrn_sexp sexp) {
    WRN_ASSERT(sexp.bytes.size > 0);
    put(writer, sexp.bytes.data, sexp.bytes.size);
}

struct wrn_sexp_mark wrn_sexp_mark(const struct wrn_sexp_writer *writer) {
    return (struct wrn_sexp_mark){writer->size, writer->depth, writer->error};
}

void wrn_sexp_rewind(struct wrn_sexp_writer *writer, struct wrn_sexp_mark mark) {
    WRN_ASSERT(mark.size <= writer->size);
    writer->size = mark.size;
    writer->depth = mark.depth;
    writer->error = mark.error;
}

int wrn_sexp_finish(struct wrn_sexp_writer *writer, struct wrn_sexp *ret_sexp) {
    WRN_ASSERT(writer->depth == 0);
    if (writer->error != 0) {
        return writer->error;
    }
    struct wrn_sexp_error error;
    if (wrn_sexp_check((wrn_span){writer->out, writer->size}, ret_sexp, &error) == 0) {
        return 0;
    }
    WRN_ASSERT(error.fault == WRN_SEXP_TOO_DEEP || error.fault == WRN_SEXP_TOO_MANY ||
               error.fault == WRN_SEXP_TOO_LARGE || error.fault == WRN_SEXP_LENGTH_TOO_BIG);
    writer->error = -E2BIG;
    return -E2BIG;
}

static void put_string(struct wrn_sexp_writer *writer, wrn_span bytes) {
    uint8_t digits[WRN_SEXP_DIGITS_MAX];
    put(writer, digits, wrn_sexp_print_decimal(bytes.size, digits));
    put(writer, ":", 1);
    put(writer, bytes.data, bytes.size);
}

static void put(struct wrn_sexp_writer *writer, const void *bytes, size_t size) {
    if (writer->error != 0) {
        return;
    }
    if (writer->capacity - writer->size < size) {
        writer->error = -ENOBUFS;
        return;
    }
    if (size > 0) {
        memmove(writer->out + writer->size, bytes, size); /* what a rewind left may be put again */
        writer->size += size;
    }
}

size_t wrn_sexp_print_decimal(size_t number, uint8_t out[WRN_SEXP_DIGITS_MAX]) {
    uint8_t reversed[WRN_SEXP_DIGITS_MAX];
    size_t count = 0;
    do {
        reversed[count++] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < count; i++) {
        out[i] = reversed[count - 1 - i];
    }
    return count;
}
