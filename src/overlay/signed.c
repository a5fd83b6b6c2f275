/* SPDX-License-Identifier: Apache-2.0 */
/* Signed objects: their envelope, their numbers, their fields. Verifies no signature; who reads an
 * object knows with which key and label. */
#include "overlay/signed.h"

enum {
    DECIMAL_SIZE_MAX = 20,
    SIGN_SIZE = 1,
    BODY_AT = sizeof("(6:signed") - 1, /* what stands before the body */
};

static bool join(wrn_span body, wrn_span bound, uint8_t room[WRN_SIGNED_MAX + WRN_SIGNED_BOUND_MAX],
                 wrn_span *ret_message);

bool wrn_signed_read(wrn_span bytes, const char *name, struct wrn_signed *ret_object) {
    struct wrn_sexp sexp;
    struct wrn_sexp body;
    struct wrn_sexp_cursor whole;
    wrn_span version;
    wrn_span signature;
    if (wrn_sexp_check(bytes, &sexp, NULL) != 0 || !wrn_sexp_enter_named(sexp, "signed", &whole) ||
        !wrn_sexp_take_any(&whole, &body) ||
        !wrn_sexp_enter_named(body, name, &ret_object->fields) ||
        !wrn_signed_take_bytes(&ret_object->fields, "version", 1, 1, &version) ||
        version.data[0] != '1' ||
        !wrn_signed_take_bytes(&whole, "signature", WRN_SIGNATURE_SIZE, WRN_SIGNATURE_SIZE,
                               &signature) ||
        !wrn_sexp_at_end(&whole)) {
        return false;
    }
    ret_object->body = body.bytes;
    ret_object->signature = signature.data;
    return true;
}

void wrn_signed_begin(struct wrn_sexp_writer *writer, const char *name) {
    wrn_sexp_open(writer, "signed");
    wrn_sexp_open(writer, name);
    wrn_signed_put_number(writer, "version", 1);
}

size_t wrn_signed_end(struct wrn_sexp_writer *writer, const struct wrn_primitives *primitives,
                      const uint8_t seed[WRN_SEED_SIZE], const char *label, wrn_span bound) {
    uint8_t signature[WRN_SIGNATURE_SIZE] = {0};
    uint8_t room[WRN_SIGNED_MAX + WRN_SIGNED_BOUND_MAX];
    wrn_span message;
    struct wrn_sexp sexp;
    wrn_sexp_close(writer);
    bool ok =
        writer->error == 0 &&
        join((wrn_span){writer->out + BODY_AT, writer->size - BODY_AT}, bound, room, &message) &&
        primitives->sign(primitives->ctx, seed, label, message, signature);
    wrn_signed_put_bytes(writer, "signature", (wrn_span){signature, sizeof(signature)});
    wrn_sexp_close(writer);
    return wrn_sexp_finish(writer, &sexp) == 0 && ok ? sexp.bytes.size : 0;
}

bool wrn_signed_verify(const struct wrn_signed *object, const struct wrn_primitives *primitives,
                       const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], const char *label,
                       wrn_span bound) {
    uint8_t room[WRN_SIGNED_MAX + WRN_SIGNED_BOUND_MAX];
    wrn_span message;
    return join(object->body, bound, room, &message) &&
           primitives->verify(primitives->ctx, public_key, label, message, object->signature);
}

bool wrn_signed_number(wrn_span digits, uint64_t max, uint64_t *ret_number) {
    uint64_t number = 0;
    if (digits.size == 0 || digits.size > DECIMAL_SIZE_MAX ||
        (digits.data[0] == '0' && digits.size > 1)) {
        return false;
    }
    for (size_t i = 0; i < digits.size; i++) {
        uint64_t digit = (uint64_t)digits.data[i] - '0'; /* no digit: greater than 9 */
        if (digit > 9 || number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *ret_number = number;
    return number <= max;
}

bool wrn_signed_take_number(struct wrn_sexp_cursor *fields, const char *name, uint64_t max,
                            uint64_t *ret_number) {
    wrn_span digits;
    return wrn_signed_take_bytes(fields, name, 1, DECIMAL_SIZE_MAX, &digits) &&
           wrn_signed_number(digits, max, ret_number);
}

bool wrn_signed_take_bytes(struct wrn_sexp_cursor *fields, const char *name, size_t min, size_t max,
                           wrn_span *ret_bytes) {
    struct wrn_sexp_cursor field;
    return wrn_sexp_take_named(fields, name, &field) && wrn_sexp_take_atom(&field, ret_bytes) &&
           wrn_sexp_at_end(&field) && ret_bytes->size >= min && ret_bytes->size <= max;
}

void wrn_signed_put_decimal(struct wrn_sexp_writer *writer, bool is_negative, uint64_t number) {
    uint8_t digits[SIGN_SIZE + DECIMAL_SIZE_MAX];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    if (is_negative) {
        digits[--at] = '-';
    }
    wrn_sexp_put_bytes(writer, (wrn_span){digits + at, sizeof(digits) - at});
}

void wrn_signed_put_number(struct wrn_sexp_writer *writer, const char *name, uint64_t number) {
    wrn_sexp_open(writer, name);
    wrn_signed_put_decimal(writer, false, number);
    wrn_sexp_close(writer);
}

void wrn_signed_put_bytes(struct wrn_sexp_writer *writer, const char *name, wrn_span bytes) {
    wrn_sexp_open(writer, name);
    wrn_sexp_put_bytes(writer, bytes);
    wrn_sexp_close(writer);
}

/* The body is a list, and shows where it ends. */
static bool join(wrn_span body, wrn_span bound, uint8_t room[WRN_SIGNED_MAX + WRN_SIGNED_BOUND_MAX],
                 wrn_span *ret_message) {
    WRN_ASSERT(bound.size <= WRN_SIGNED_BOUND_MAX);
    *ret_message = body;
    if (bound.size > 0 && body.size <= WRN_SIGNED_MAX) {
        memcpy(room, body.data, body.size);
        memcpy(room + body.size, bound.data, bound.size);
        *ret_message = (wrn_span){room, body.size + bound.size};
    }
    return bound.size == 0 || body.size <= WRN_SIGNED_MAX;
}
