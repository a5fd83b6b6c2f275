/* SPDX-License-Identifier: Apache-2.0 */
/* Writes keys, certificates, entries, CRLs and revalidations. */
#include "spki/cert.h"

static void put_field(struct wrn_sexp_writer *out, const char *name, struct wrn_sexp part);
static void put_hash(struct wrn_sexp_writer *out, const uint8_t hash[WRN_SHA256_SIZE]);
static void put_issuer(struct wrn_sexp_writer *out, const struct wrn_spki_issue *issue);
static void put_propagate(struct wrn_sexp_writer *out, const struct wrn_spki_issue *issue);
static void put_validity(struct wrn_sexp_writer *out, const struct wrn_spki_validity *validity,
                         struct wrn_sexp online);
static void put_bytes_field(struct wrn_sexp_writer *out, const char *name, wrn_span bytes);

static const struct wrn_sexp none = {{NULL, 0}};

struct wrn_sexp wrn_spki_key_sexp(const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE],
                                  uint8_t out[WRN_SPKI_KEY_SEXP_SIZE]) {
    struct wrn_sexp sexp;
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, WRN_SPKI_KEY_SEXP_SIZE);
    wrn_sexp_open(&writer, "public-key");
    put_bytes_field(&writer, "ed25519", (wrn_span){public_key, WRN_SIGN_PUBLIC_SIZE});
    wrn_sexp_close(&writer);
    int error = wrn_sexp_finish(&writer, &sexp);
    WRN_ASSERT(error == 0);
    return sexp;
}

void wrn_spki_write_cert(struct wrn_sexp_writer *out, const struct wrn_spki_issue *issue,
                         bool is_entry) {
    wrn_sexp_open(out, is_entry ? "entry" : "cert");
    if (!is_entry) {
        put_issuer(out, issue);
    }
    put_field(out, "subject", issue->subject);
    put_propagate(out, issue);
    if (issue->tag.bytes.size > 0) {
        put_field(out, "tag", issue->tag);
    }
    put_validity(out, &issue->validity, issue->online);
    if (issue->comment.size > 0) {
        put_bytes_field(out, "comment", issue->comment);
    }
    wrn_sexp_close(out);
}

void wrn_spki_write_crl(struct wrn_sexp_writer *out, struct wrn_sexp issuer, const uint8_t *hashes,
                        size_t count, const struct wrn_spki_validity *validity) {
    wrn_sexp_open(out, "crl");
    put_field(out, "issuer", issuer);
    wrn_sexp_open(out, "canceled");
    for (size_t i = 0; i < count; i++) {
        put_hash(out, hashes + i * WRN_SHA256_SIZE);
    }
    wrn_sexp_close(out);
    put_validity(out, validity, none);
    wrn_sexp_close(out);
}

void wrn_spki_write_reval(struct wrn_sexp_writer *out, struct wrn_sexp issuer,
                          const uint8_t cert_hash[WRN_SHA256_SIZE],
                          const struct wrn_spki_validity *validity) {
    wrn_sexp_open(out, "reval");
    put_field(out, "issuer", issuer);
    wrn_sexp_open(out, "cert");
    put_hash(out, cert_hash);
    wrn_sexp_close(out);
    put_validity(out, validity, none);
    wrn_sexp_close(out);
}

static void put_field(struct wrn_sexp_writer *out, const char *name, struct wrn_sexp part) {
    wrn_sexp_open(out, name);
    wrn_sexp_put(out, part);
    wrn_sexp_close(out);
}

static void put_bytes_field(struct wrn_sexp_writer *out, const char *name, wrn_span bytes) {
    wrn_sexp_open(out, name);
    wrn_sexp_put_bytes(out, bytes);
    wrn_sexp_close(out);
}

static void put_hash(struct wrn_sexp_writer *out, const uint8_t hash[WRN_SHA256_SIZE]) {
    wrn_sexp_open(out, "hash");
    wrn_sexp_put_word(out, "sha256");
    wrn_sexp_put_bytes(out, (wrn_span){hash, WRN_SHA256_SIZE});
    wrn_sexp_close(out);
}

static void put_issuer(struct wrn_sexp_writer *out, const struct wrn_spki_issue *issue) {
    if (issue->issuer_name.size == 0) {
        put_field(out, "issuer", issue->issuer);
        return;
    }
    wrn_sexp_open(out, "issuer");
    wrn_sexp_open(out, "name");
    wrn_sexp_put(out, issue->issuer);
    wrn_sexp_put_bytes(out, issue->issuer_name);
    wrn_sexp_close(out);
    wrn_sexp_close(out);
}

static void put_propagate(struct wrn_sexp_writer *out, const struct wrn_spki_issue *issue) {
    if (issue->delegation == WRN_SPKI_NOT_DELEGABLE) {
        return;
    }
    wrn_sexp_open(out, "propagate");
    if (issue->delegation == WRN_SPKI_DELEGABLE_TO) {
        wrn_sexp_open(out, "only");
        for (size_t i = 0; i < issue->only_count; i++) {
            wrn_sexp_put(out, issue->only[i]);
        }
        wrn_sexp_close(out);
    }
    wrn_sexp_close(out);
}

/* Nothing at all if there are no limits. */
static void put_validity(struct wrn_sexp_writer *out, const struct wrn_spki_validity *validity,
                         struct wrn_sexp online) {
    if (validity->not_before.size + validity->not_after.size + online.bytes.size == 0) {
        return;
    }
    wrn_sexp_open(out, "valid");
    if (validity->not_before.size > 0) {
        put_bytes_field(out, "not-before", validity->not_before);
    }
    if (validity->not_after.size > 0) {
        put_bytes_field(out, "not-after", validity->not_after);
    }
    if (online.bytes.size > 0) {
        wrn_sexp_put(out, online);
    }
    wrn_sexp_close(out);
}
