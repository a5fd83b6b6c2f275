/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures: reading, verifying and making them. What is signed are the canonical bytes of an
 * object, in a domain of its kind. */
#include "spki/fields.h"

static const char *label_of(struct wrn_sexp object);
static bool is_signer(const struct wrn_spki_principal *signer,
                      const uint8_t key[WRN_SIGN_PUBLIC_SIZE]);

int wrn_spki_read_signature(struct wrn_sexp sexp, struct wrn_spki_signature *ret,
                            struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor fields, inner;
    struct wrn_sexp hash, signer;
    wrn_span value;
    *ret = (struct wrn_spki_signature){.sexp = sexp};
    if (!wrn_sexp_enter_named(sexp, "signature", &fields)) {
        return wrn_spki_fail(ret_error, WRN_SPKI_NOT_THIS_OBJECT, sexp);
    }
    bool is_one = wrn_sexp_take_any(&fields, &hash) && wrn_sexp_take_any(&fields, &signer) &&
                  wrn_sexp_take_named(&fields, "ed25519", &inner) && wrn_sexp_at_end(&fields) &&
                  wrn_sexp_take_atom(&inner, &value) && wrn_sexp_at_end(&inner) &&
                  value.size == WRN_SIGNATURE_SIZE;
    if (!is_one) {
        return wrn_spki_fail(ret_error, WRN_SPKI_BAD_SIGNATURE_OBJECT, sexp);
    }
    ret->value = value.data;
    ret->object_hash = wrn_spki_hash_bytes(hash);
    if (ret->object_hash == NULL) {
        return wrn_spki_fail(ret_error, WRN_SPKI_BAD_HASH, hash);
    }
    return wrn_spki_read_party(signer, WRN_SPKI_STRICT, WRN_SPKI_BAD_SIGNATURE_OBJECT, &ret->signer,
                               ret_error);
}

void wrn_spki_hash(struct wrn_sexp object, uint8_t ret_hash[WRN_SHA256_SIZE]) {
    wrn_sha256(object.bytes, (wrn_span){NULL, 0}, ret_hash);
}

bool wrn_spki_verify(const struct wrn_spki_signature *signature, struct wrn_sexp object,
                     const uint8_t key[WRN_SIGN_PUBLIC_SIZE]) {
    uint8_t hash[WRN_SHA256_SIZE];
    const char *label = label_of(object);
    if (label == NULL || !is_signer(&signature->signer, key)) {
        return false;
    }
    wrn_spki_hash(object, hash);
    return memcmp(hash, signature->object_hash, sizeof hash) == 0 &&
           wrn_sign_verify(key, label, object.bytes, signature->value);
}

void wrn_spki_write_signature(struct wrn_sexp_writer *out, const uint8_t hash[WRN_SHA256_SIZE],
                              const uint8_t key[WRN_SIGN_PUBLIC_SIZE],
                              const uint8_t value[WRN_SIGNATURE_SIZE]) {
    uint8_t key_sexp[WRN_SPKI_KEY_SEXP_SIZE];
    wrn_sexp_open(out, "signature");
    wrn_sexp_open(out, "hash");
    wrn_sexp_put_word(out, "sha256");
    wrn_sexp_put_bytes(out, (wrn_span){hash, WRN_SHA256_SIZE});
    wrn_sexp_close(out);
    wrn_sexp_put(out, wrn_spki_key_sexp(key, key_sexp));
    wrn_sexp_open(out, "ed25519");
    wrn_sexp_put_bytes(out, (wrn_span){value, WRN_SIGNATURE_SIZE});
    wrn_sexp_close(out);
    wrn_sexp_close(out);
}

bool wrn_spki_sign(struct wrn_sexp_writer *out, struct wrn_sexp object,
                   const uint8_t seed[WRN_SEED_SIZE]) {
    uint8_t hash[WRN_SHA256_SIZE], key[WRN_SIGN_PUBLIC_SIZE], value[WRN_SIGNATURE_SIZE];
    const char *label = label_of(object);
    if (label == NULL || !wrn_sign_public(seed, key) ||
        !wrn_sign(seed, label, object.bytes, value)) {
        return false;
    }
    wrn_spki_hash(object, hash);
    wrn_spki_write_signature(out, hash, key, value);
    return true;
}

/* The domain of Ed25519 for each kind of object; NULL for what nobody signs. */
static const char *label_of(struct wrn_sexp object) {
    static const struct {
        const char *name, *label;
    } kinds[] = {
        {"cert", "warren certificate 1"},
        {"crl", "warren crl 1"},
        {"reval", "warren revalidation 1"},
    };
    for (size_t i = 0; i < WRN_COUNT(kinds); i++) {
        if (wrn_sexp_is_named(object, kinds[i].name)) {
            return kinds[i].label;
        }
    }
    return NULL;
}

/* Tells whether the principal is this key, or its hash. */
static bool is_signer(const struct wrn_spki_principal *signer,
                      const uint8_t key[WRN_SIGN_PUBLIC_SIZE]) {
    if (signer->is_key) {
        return signer->ed25519 != NULL && memcmp(signer->ed25519, key, WRN_SIGN_PUBLIC_SIZE) == 0;
    }
    uint8_t key_sexp[WRN_SPKI_KEY_SEXP_SIZE], hash[WRN_SHA256_SIZE];
    wrn_spki_hash(wrn_spki_key_sexp(key, key_sexp), hash);
    const uint8_t *named = wrn_spki_hash_bytes(signer->sexp);
    return named != NULL && memcmp(named, hash, sizeof hash) == 0;
}
