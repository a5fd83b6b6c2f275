/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the three readers of identities as text: HIT, fingerprint, and the text of a QR code. What
 * one of them takes must come back from its printer, and be taken again. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/identity.h"

static void read_hit(const char *text);
static void read_fingerprint(const char *text);
static void read_uri(const char *text);

/* What must hold for any input, in every build. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1); /* of its own size, so that reading on is noticed */
    HOLDS(text);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = 0;
    read_hit(text);
    read_fingerprint(text);
    read_uri(text);
    free(text);
    return 0;
}

static void read_hit(const char *text) {
    uint8_t hit[WRN_HIT_SIZE];
    uint8_t again[WRN_HIT_SIZE];
    char printed[WRN_HIT_TEXT_SIZE];
    int error = wrn_hit_read(text, hit);
    HOLDS(error == 0 || error == WRN_ERR_MALFORMED || error == -EAFNOSUPPORT);
    if (error) {
        return;
    }
    HOLDS(wrn_hit_is_eddsa(hit));
    wrn_hit_print(hit, printed);
    HOLDS(wrn_hit_read(printed, again) == 0 && memcmp(again, hit, sizeof(hit)) == 0);
}

static void read_fingerprint(const char *text) {
    uint8_t hit[WRN_HIT_SIZE];
    char printed[WRN_FINGERPRINT_SIZE];
    int error = wrn_fingerprint_read(text, hit);
    HOLDS(error == 0 || error == WRN_ERR_MALFORMED || error == -EBADMSG);
    if (error) {
        return;
    }
    wrn_fingerprint_print(hit, printed);
    const char *at = text;
    for (size_t i = 0; i < sizeof(printed) - 1; i++) { /* the same digits in the same order */
        if (printed[i] != ' ') {
            at += strspn(at, " \t\r\n-");
            HOLDS(*at++ == printed[i]);
        }
    }
}

static void read_uri(const char *text) {
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    char printed[WRN_IDENTITY_URI_SIZE];
    int error = wrn_identity_uri_read(text, public_key);
    HOLDS(error == 0 || error == WRN_ERR_MALFORMED || error == -EBADMSG || error == -EKEYREJECTED);
    if (error) {
        return;
    }
    HOLDS(wrn_sign_public_is_sound(public_key));
    wrn_identity_uri_print(public_key, printed);
    for (size_t i = 0; i < sizeof(printed); i++) {
        bool is_lower = text[i] >= 'a' && text[i] <= 'z';
        HOLDS((is_lower ? text[i] - 'a' + 'A' : text[i]) == printed[i]);
    }
}
