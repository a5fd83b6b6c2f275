/* SPDX-License-Identifier: Apache-2.0 */
/* Signs expressions that were typed; knows nothing of what a locator or a record is. */
#include "unit/overlay/sign.h"

#include "sexp/sexp.h"
#include "unit/base/check.h"

/* Appends to 'text' what stands for the letter after an @. */
static size_t expand(char *text, char letter, const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE]) {
    size_t size = 0;
    text[size++] = '#';
    for (size_t i = 0; i < WRN_SIGN_PUBLIC_SIZE; i++) {
        unsigned byte = letter == 'K' ? public_key[i] : 0x20 + (unsigned)i;
        text[size++] = "0123456789abcdef"[byte >> 4];
        text[size++] = "0123456789abcdef"[byte & 15];
    }
    text[size++] = '#';
    return size;
}

size_t sign_text(const struct wrn_primitives *primitives, const uint8_t seed[WRN_SEED_SIZE],
                 const char *label, const char *text, uint8_t out[SIGN_CAPACITY]) {
    char full[SIGN_CAPACITY];
    uint8_t body[SIGN_CAPACITY];
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t signature[WRN_SIGNATURE_SIZE];
    struct wrn_sexp sexp;
    struct wrn_sexp_error error = {0};
    size_t size = 0;
    assert_true(primitives->sign_public(primitives->ctx, seed, public_key));
    for (const char *at = text; *at != '\0'; at++) {
        assert_true(size + 100 < sizeof(full));
        if (*at == '@') {
            size += expand(full + size, *++at, public_key);
        } else {
            full[size++] = *at;
        }
    }
    CHECK(wrn_sexp_read(WRN_SEXP_ADVANCED, (wrn_span){(const uint8_t *)full, size}, body,
                        sizeof(body), &sexp, NULL, &error) == 0,
          "%s: %s at %zu: ", text, wrn_sexp_fault_text(error.fault), error.offset);
    assert_true(primitives->sign(primitives->ctx, seed, label, sexp.bytes, signature));
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, SIGN_CAPACITY);
    wrn_sexp_open(&writer, "signed");
    wrn_sexp_put(&writer, sexp);
    wrn_sexp_open(&writer, "signature");
    wrn_sexp_put_bytes(&writer, (wrn_span){signature, sizeof(signature)});
    wrn_sexp_close(&writer);
    wrn_sexp_close(&writer);
    assert_int_equal(wrn_sexp_finish(&writer, &sexp), 0);
    return sexp.bytes.size;
}
