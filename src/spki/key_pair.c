/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes the expression of a private key. */
#include "spki/key_pair.h"

static bool take_key(struct wrn_sexp_cursor *cursor, const char *name, const uint8_t **ret_bytes);

struct wrn_sexp wrn_key_pair_write(const struct wrn_key_pair *pair,
                                   uint8_t bytes[WRN_KEY_PAIR_SIZE]) {
    struct wrn_sexp_writer w = wrn_sexp_writer(bytes, WRN_KEY_PAIR_SIZE);
    struct wrn_sexp sexp;
    wrn_sexp_open(&w, "warren-identity");
    wrn_sexp_open(&w, "version");
    wrn_sexp_put_word(&w, "1");
    wrn_sexp_close(&w);
    for (size_t i = 0; i < 2; i++) {
        wrn_sexp_open(&w, i == 0 ? "private-key" : "public-key");
        wrn_sexp_open(&w, "ed25519");
        wrn_sexp_put_bytes(&w, i == 0 ? (wrn_span){pair->seed, sizeof pair->seed}
                                      : (wrn_span){pair->public_key, sizeof pair->public_key});
        wrn_sexp_close(&w);
        wrn_sexp_close(&w);
    }
    wrn_sexp_close(&w);
    int error = wrn_sexp_finish(&w, &sexp);
    WRN_ASSERT(error == 0); /* its size is fixed */
    return sexp;
}

const char *wrn_key_pair_read(struct wrn_sexp sexp, struct wrn_key_pair *ret_pair) {
    struct wrn_sexp_cursor identity;
    struct wrn_sexp_cursor version;
    const uint8_t *seed = NULL;
    const uint8_t *public_key = NULL;
    if (!wrn_sexp_enter_named(sexp, "warren-identity", &identity)) {
        return "it is no (warren-identity ...)";
    }
    if (!wrn_sexp_take_named(&identity, "version", &version) ||
        !wrn_sexp_take_word(&version, "1") || !wrn_sexp_at_end(&version)) {
        return "it has another version than 1; a newer warren may know it";
    }
    if (!take_key(&identity, "private-key", &seed)) {
        return "its (private-key (ed25519 ...)) is missing or not 32 bytes";
    }
    if (!take_key(&identity, "public-key", &public_key) || !wrn_sexp_at_end(&identity)) {
        return "its (public-key (ed25519 ...)) is missing, not 32 bytes or not the last part";
    }
    memcpy(ret_pair->seed, seed, sizeof ret_pair->seed);
    if (!wrn_sign_public(ret_pair->seed, ret_pair->public_key)) {
        return "no memory is left";
    }
    if (memcmp(ret_pair->public_key, public_key, sizeof ret_pair->public_key) != 0) {
        return "it is damaged: its public key does not belong to its private one";
    }
    return NULL;
}

static bool take_key(struct wrn_sexp_cursor *cursor, const char *name, const uint8_t **ret_bytes) {
    struct wrn_sexp_cursor key;
    struct wrn_sexp_cursor inner;
    wrn_span bytes;
    bool fine = wrn_sexp_take_named(cursor, name, &key) &&
                wrn_sexp_take_named(&key, "ed25519", &inner) &&
                wrn_sexp_take_atom(&inner, &bytes) && wrn_sexp_at_end(&inner) &&
                wrn_sexp_at_end(&key) && bytes.size == WRN_SEED_SIZE;
    if (fine) {
        *ret_bytes = bytes.data;
    }
    return fine;
}
