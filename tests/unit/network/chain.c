/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and signs certificates as the tests ask, good ones and others. */
#include "unit/network/chain.h"

#include <stdio.h>

#include "unit/base/check.h"

enum { ROOM = 1 << 16, SEQUENCES = 16, TEXTS = 16, TEXT_ROOM = 4096 };

static struct {
    uint8_t rooms[SEQUENCES][ROOM];
    unsigned next;
    struct wrn_sexp_writer writer;
    struct wrn_pack_frame frame;
} chain;

static uint8_t text_rooms[TEXTS][TEXT_ROOM];

static void add_cert(char issuer, struct wrn_sexp cert, bool is_signed);
static void write_cert(char issuer, char subject, const char *element, bool may_pass_on,
                       const char *not_before, const char *not_after, bool is_signed);
static struct wrn_sexp read_text(const char *text, uint8_t *out, size_t capacity);
static size_t put_hex(char *out, const uint8_t *bytes, size_t size);
static wrn_span span_of(const char *text);

void chain_seed(char letter, uint8_t ret_seed[WRN_SEED_SIZE]) {
    memset(ret_seed, letter, WRN_SEED_SIZE);
}

void chain_public(char letter, uint8_t ret_public[WRN_SIGN_PUBLIC_SIZE]) {
    uint8_t seed[WRN_SEED_SIZE];
    chain_seed(letter, seed);
    assert_true(wrn_sign_public(seed, ret_public));
}

struct wrn_pack_frame chain_frame(char owner) {
    struct wrn_pack_frame frame;
    chain_public(owner, frame.owner);
    wrn_sha256((wrn_span){frame.owner, sizeof frame.owner}, (wrn_span){NULL, 0}, frame.network);
    return frame;
}

void chain_begin(char owner) {
    chain.frame = chain_frame(owner);
    chain.writer = wrn_sexp_writer(chain.rooms[chain.next++ % SEQUENCES], ROOM);
    wrn_sexp_open(&chain.writer, "sequence");
}

void chain_add(char issuer, char subject, const char *element, bool may_pass_on,
               const char *not_before, const char *not_after) {
    write_cert(issuer, subject, element, may_pass_on, not_before, not_after, true);
}

void chain_add_unsigned(char issuer, char subject, const char *element) {
    write_cert(issuer, subject, element, false, NULL, NULL, false);
}

void chain_add_key(char letter) {
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], room[WRN_SPKI_KEY_SEXP_SIZE];
    chain_public(letter, public_key);
    wrn_sexp_put(&chain.writer, wrn_spki_key_sexp(public_key, room));
}

void chain_add_text(char issuer, const char *parts) {
    char text[4096];
    uint8_t out[4096], key[WRN_SPKI_KEY_SEXP_SIZE], hash[WRN_SHA256_SIZE];
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    chain_public(issuer, public_key);
    size_t size = (size_t)snprintf(text, sizeof text, "(cert (issuer (public-key (ed25519 ");
    size += put_hex(text + size, public_key, sizeof public_key);
    size += (size_t)snprintf(text + size, sizeof text - size, ")))");
    for (const char *c = parts; *c != '\0'; c++) {
        if (*c == '$') {
            size += put_hex(text + size, chain.frame.network, sizeof chain.frame.network);
        } else if (*c == '@' || *c == '#') {
            bool is_hash = *c == '#';
            chain_public(*++c, public_key);
            wrn_spki_hash(wrn_spki_key_sexp(public_key, key), hash);
            size += (size_t)snprintf(text + size, sizeof text - size, "%s",
                                     is_hash ? "(hash sha256 " : "(public-key (ed25519 ");
            size += put_hex(text + size, is_hash ? hash : public_key, sizeof hash);
            size += (size_t)snprintf(text + size, sizeof text - size, "%s", is_hash ? ")" : "))");
        } else {
            text[size++] = *c == '\'' ? '"' : *c;
        }
    }
    (void)snprintf(text + size, sizeof text - size, ")");
    add_cert(issuer, read_text(text, out, sizeof out), true);
}

struct wrn_sexp chain_end(void) {
    struct wrn_sexp sequence;
    struct wrn_sexp_writer writer = chain.writer; /* so that more may be added afterwards */
    uint8_t *out = chain.rooms[chain.next++ % SEQUENCES];
    memcpy(out, writer.out, writer.size);
    writer.out = out;
    wrn_sexp_close(&writer);
    assert_int_equal(wrn_sexp_finish(&writer, &sequence), 0);
    return sequence;
}

wrn_span chain_pack(void) {
    struct wrn_sexp sequence = chain_end();
    uint8_t *out = chain.rooms[chain.next++ % SEQUENCES];
    enum wrn_pack_fault fault;
    size_t size;
    int error = wrn_pack(&chain.frame, sequence, out, ROOM, &size, &fault);
    CHECK(error == 0, "%s: ", wrn_pack_fault_text(fault));
    return (wrn_span){out, size};
}

struct wrn_sexp chain_read(const char *text) {
    static unsigned next;
    char quoted[TEXT_ROOM];
    size_t size = strlen(text);
    assert_true(size < sizeof quoted);
    for (size_t i = 0; i <= size; i++) {
        quoted[i] = text[i] == '\'' ? '"' : text[i];
    }
    return read_text(quoted, text_rooms[next++ % TEXTS], TEXT_ROOM);
}

int64_t chain_date(const char *date) {
    int64_t s;
    assert_true(wrn_spki_date_read(span_of(date), &s));
    return s;
}

void chain_hash(size_t number, uint8_t ret_hash[WRN_SHA256_SIZE]) {
    struct wrn_sexp_cursor cursor;
    struct wrn_sexp object;
    size_t seen = 0;
    unsigned next = chain.next;
    assert_true(wrn_sexp_enter_named(chain_end(), "sequence", &cursor));
    chain.next = next; /* what was given out stays */
    while (wrn_sexp_take_any(&cursor, &object)) {
        if (wrn_sexp_is_named(object, "cert") && seen++ == number) {
            wrn_spki_hash(object, ret_hash);
            return;
        }
    }
    fail_msg("no certificate %zu", number);
}

static void write_cert(char issuer, char subject, const char *element, bool may_pass_on,
                       const char *not_before, const char *not_after, bool is_signed) {
    uint8_t keys[2][WRN_SPKI_KEY_SEXP_SIZE], publics[2][WRN_SIGN_PUBLIC_SIZE];
    uint8_t tag_room[2048], cert_room[4096];
    struct wrn_sexp_writer tag = wrn_sexp_writer(tag_room, sizeof tag_room);
    struct wrn_sexp_writer writer = wrn_sexp_writer(cert_room, sizeof cert_room);
    struct wrn_sexp cert;
    chain_public(issuer, publics[0]);
    chain_public(subject, publics[1]);
    struct wrn_spki_issue issue = {
        .issuer = wrn_spki_key_sexp(publics[0], keys[0]),
        .subject = wrn_spki_key_sexp(publics[1], keys[1]),
        .delegation = may_pass_on ? WRN_SPKI_DELEGABLE : WRN_SPKI_NOT_DELEGABLE,
        .validity = {span_of(not_before), span_of(not_after)},
    };
    wrn_sexp_open(&tag, "warren");
    wrn_sexp_put_bytes(&tag, (wrn_span){chain.frame.network, sizeof chain.frame.network});
    wrn_sexp_put(&tag, chain_read(element));
    wrn_sexp_close(&tag);
    assert_int_equal(wrn_sexp_finish(&tag, &issue.tag), 0);
    wrn_spki_write_cert(&writer, &issue, false);
    assert_int_equal(wrn_sexp_finish(&writer, &cert), 0);
    add_cert(issuer, cert, is_signed);
}

static void add_cert(char issuer, struct wrn_sexp cert, bool is_signed) {
    uint8_t seed[WRN_SEED_SIZE];
    chain_seed(issuer, seed);
    wrn_sexp_put(&chain.writer, cert);
    if (is_signed) {
        assert_true(wrn_spki_sign(&chain.writer, cert, seed));
    }
    assert_int_equal(chain.writer.error, 0);
}

static struct wrn_sexp read_text(const char *text, uint8_t *out, size_t capacity) {
    struct wrn_sexp sexp;
    struct wrn_sexp_error error = {0};
    int result =
        wrn_sexp_read(WRN_SEXP_ADVANCED, span_of(text), out, capacity, &sexp, NULL, &error);
    CHECK(result == 0, "%s: %s: ", text, wrn_sexp_fault_text(error.fault));
    return sexp;
}

static size_t put_hex(char *out, const uint8_t *bytes, size_t size) {
    size_t written = 0;
    out[written++] = '#';
    for (size_t i = 0; i < size; i++) {
        written += (size_t)snprintf(out + written, 3, "%02x", bytes[i]);
    }
    out[written++] = '#';
    out[written] = '\0';
    return written;
}

static wrn_span span_of(const char *text) {
    return text == NULL ? (wrn_span){NULL, 0} : (wrn_span){(const uint8_t *)text, strlen(text)};
}
