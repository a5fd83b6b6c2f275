/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the prover: the input describes a heap of certificates, names, thresholds and CRLs, then
 * what is asked of it. Objects lie in memory of their own size, and the heap has little room, so
 * that its bounds are met. What must hold of every answer is checked. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "spki/prove.h"

enum { OBJECTS_MAX = 64, OBJECT_SIZE = 4096, KEYS = 6, SIGNATURES_MAX = 3, ACL_SIZE = 1 << 16 };

/* What must hold for any input, in every build. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct input {
    const uint8_t *next, *end;
    bool is_study;
    uint8_t *objects[OBJECTS_MAX];
    size_t object_count;
    unsigned signatures_left;
};

static struct wrn_spki *make_heap(struct input *in);
static void add_object(struct input *in, struct wrn_spki *spki);
static void ask(struct input *in, struct wrn_spki *spki);
static void check_grant(struct wrn_spki *spki, const struct wrn_spki_query *query,
                        const struct wrn_spki_answer *answer);
static void check_refusal(const struct wrn_spki_answer *answer);
static void check_reduction(struct input *in, struct wrn_spki *spki,
                            const struct wrn_spki_query *query,
                            const struct wrn_spki_answer *answer);
static void put_cert(struct input *in, struct wrn_sexp_writer *out, bool is_entry);
static void put_subject(struct input *in, struct wrn_sexp_writer *out, unsigned depth);
static void put_tag(struct input *in, struct wrn_sexp_writer *out, unsigned depth);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {.next = data, .end = data + size, .signatures_left = SIGNATURES_MAX};
    struct wrn_spki *spki = make_heap(&in);
    while (in.next < in.end && in.object_count + 4 < OBJECTS_MAX) {
        add_object(&in, spki);
        if (in.object_count % 5 == 4) {
            ask(&in, spki);
        }
    }
    ask(&in, spki);
    for (size_t i = 0; i < in.object_count; i++) {
        free(in.objects[i]);
    }
    free(spki);
    return 0;
}

static unsigned take(struct input *in, unsigned bound) {
    return in->next < in->end ? *in->next++ % bound : 0;
}

static struct wrn_spki *make_heap(struct input *in) {
    in->is_study = take(in, 4) > 0;
    const struct wrn_spki_limits limits = {
        .certs_max = 1 + take(in, 32),
        .keys_max = 1 + take(in, 32),
        .crls_max = take(in, 5),
        .bytes_max = 1U << (6 + take(in, 10)),
        .tuples_max = 1U << take(in, 10),
        .seed = {1, 2},
    };
    size_t size = (wrn_spki_size(&limits) + 63) / 64 * 64;
    void *memory = aligned_alloc(64, size);
    HOLDS(memory);
    memset(memory, 0, size);
    struct wrn_spki *spki = wrn_spki_init(memory, &limits);
    if (in->is_study) {
        wrn_spki_assume_signed(spki);
    }
    return spki;
}

/* ---- Objects */

static wrn_span short_text(struct input *in) {
    static const char *const texts[] = {"a", "b", "ab", "abc", "", "1", "-7", "12", "2031", "x"};
    const char *text = texts[take(in, WRN_COUNT(texts))];
    return (wrn_span){(const uint8_t *)text, strlen(text)};
}

static const uint8_t *public_of(unsigned key) {
    static uint8_t publics[KEYS][WRN_SIGN_PUBLIC_SIZE], seed[WRN_SEED_SIZE];
    if (publics[key][0] == 0 && publics[key][1] == 0) {
        memset(seed, (int)key + 1, sizeof seed);
        HOLDS(wrn_sign_public(seed, publics[key]));
    }
    return publics[key];
}

static void put_principal(struct wrn_sexp_writer *out, unsigned which) {
    uint8_t bytes[WRN_SPKI_KEY_SEXP_SIZE], hash[WRN_SHA256_SIZE];
    struct wrn_sexp key = wrn_spki_key_sexp(public_of(which % KEYS), bytes);
    if (which < 2 * KEYS) {
        wrn_sexp_put(out, key);
        return;
    }
    wrn_spki_hash(key, hash);
    wrn_sexp_open(out, "hash");
    wrn_sexp_put_word(out, "sha256");
    wrn_sexp_put_bytes(out, (wrn_span){hash, sizeof hash});
    wrn_sexp_close(out);
}

static void put_tag(struct input *in, struct wrn_sexp_writer *out, unsigned depth) {
    static const char *const orderings[] = {"alpha", "numeric", "time", "binary", "date"};
    unsigned kind = take(in, depth > 0 ? 10 : 5);
    if (kind < 2) {
        wrn_sexp_put_bytes(out, short_text(in));
        return;
    }
    wrn_sexp_open(out, kind < 8 ? "*" : NULL);
    if (kind == 3) {
        wrn_sexp_put_word(out, "prefix");
        wrn_sexp_put_bytes(out, short_text(in));
    } else if (kind == 4) {
        wrn_sexp_put_word(out, "range");
        wrn_sexp_put_word(out, orderings[take(in, WRN_COUNT(orderings))]);
        for (unsigned i = take(in, 3); i > 0; i--) {
            wrn_sexp_open(out, i > 1 ? "ge" : "l");
            wrn_sexp_put_bytes(out, short_text(in));
            wrn_sexp_close(out);
        }
    } else if (kind >= 5) {
        if (kind < 8) {
            wrn_sexp_put_word(out, "set");
        }
        for (unsigned i = take(in, 4); i > 0; i--) {
            put_tag(in, out, depth - 1);
        }
    }
    wrn_sexp_close(out);
}

static void put_number(struct wrn_sexp_writer *out, unsigned number) {
    char text[8];
    snprintf(text, sizeof text, "%u", number);
    wrn_sexp_put_word(out, text);
}

static void put_subject(struct input *in, struct wrn_sexp_writer *out, unsigned depth) {
    unsigned kind = take(in, depth > 0 ? 6 : 5);
    if (kind < 4) {
        put_principal(out, take(in, 3 * KEYS));
        return;
    }
    if (kind == 4) {
        wrn_sexp_open(out, "name");
        put_principal(out, take(in, 3 * KEYS));
        for (unsigned i = 1 + take(in, 4); i > 0; i--) {
            wrn_sexp_put_bytes(out, short_text(in));
        }
    } else {
        unsigned n = 1 + take(in, 5);
        wrn_sexp_open(out, "k-of-n");
        put_number(out, 1 + take(in, n));
        put_number(out, n);
        for (unsigned i = 0; i < n; i++) {
            put_subject(in, out, depth - 1);
        }
    }
    wrn_sexp_close(out);
}

static void put_valid(struct input *in, struct wrn_sexp_writer *out, bool may_demand) {
    static const char *const dates[] = {"2030-01-01_00:00:00", "2031-01-01_00:00:00",
                                        "2032-01-01_00:00:00", "2033-01-01_00:00:00"};
    static const char *const kinds[] = {"crl", "reval", "one-time"};
    unsigned which = take(in, 16);
    wrn_sexp_open(out, "valid");
    if (which & 1 || !may_demand) {
        wrn_sexp_open(out, "not-before");
        wrn_sexp_put_word(out, dates[which / 8]);
        wrn_sexp_close(out);
    }
    if (which & 2 || !may_demand) {
        wrn_sexp_open(out, "not-after");
        wrn_sexp_put_word(out, dates[1 + which / 6]);
        wrn_sexp_close(out);
    }
    if (may_demand && (which & 12) == 12) {
        wrn_sexp_open(out, "online");
        wrn_sexp_put_word(out, kinds[take(in, WRN_COUNT(kinds))]);
        wrn_sexp_open(out, "uri");
        wrn_sexp_close(out);
        put_principal(out, take(in, 3 * KEYS));
        wrn_sexp_close(out);
    }
    wrn_sexp_close(out);
}

static void put_cert(struct input *in, struct wrn_sexp_writer *out, bool is_entry) {
    unsigned issuer = take(in, 3 * KEYS), pass = take(in, 4);
    bool is_name = !is_entry && take(in, 3) == 0;
    wrn_sexp_open(out, is_entry ? "entry" : "cert");
    if (!is_entry) {
        wrn_sexp_open(out, "issuer");
        if (is_name) {
            wrn_sexp_open(out, "name");
            put_principal(out, issuer);
            wrn_sexp_put_bytes(out, short_text(in));
            wrn_sexp_close(out);
        } else {
            put_principal(out, issuer);
        }
        wrn_sexp_close(out);
    }
    wrn_sexp_open(out, "subject");
    put_subject(in, out, 3);
    wrn_sexp_close(out);
    if (pass > 0 && !is_name) {
        wrn_sexp_open(out, "propagate");
        if (pass == 3) {
            wrn_sexp_open(out, "only");
            for (unsigned i = 1 + take(in, 3); i > 0; i--) {
                put_principal(out, take(in, 3 * KEYS));
            }
            wrn_sexp_close(out);
        }
        wrn_sexp_close(out);
    }
    if (!is_name) {
        wrn_sexp_open(out, "tag");
        put_tag(in, out, 3);
        wrn_sexp_close(out);
    }
    if (take(in, 2)) {
        put_valid(in, out, true);
    }
    wrn_sexp_close(out);
}

/* A CRL or a revalidation of certificates that were added. */
static void put_notice(struct input *in, struct wrn_sexp_writer *out, struct wrn_spki *spki) {
    bool is_crl = take(in, 2);
    wrn_sexp_open(out, is_crl ? "crl" : "reval");
    wrn_sexp_open(out, "issuer");
    put_principal(out, take(in, 3 * KEYS));
    wrn_sexp_close(out);
    wrn_sexp_open(out, is_crl ? "canceled" : "cert");
    for (unsigned i = is_crl ? take(in, 4) : 1; i > 0; i--) {
        uint8_t hash[WRN_SHA256_SIZE] = {0};
        if (wrn_spki_count(spki) > 0) {
            wrn_spki_hash(wrn_spki_at(spki, take(in, (unsigned)wrn_spki_count(spki)))->sexp, hash);
        }
        wrn_sexp_open(out, "hash");
        wrn_sexp_put_word(out, "sha256");
        wrn_sexp_put_bytes(out, (wrn_span){hash, sizeof hash});
        wrn_sexp_close(out);
    }
    wrn_sexp_close(out);
    put_valid(in, out, false);
    wrn_sexp_close(out);
}

/* A copy in memory of its own size, which lives as long as the heap. */
static struct wrn_sexp keep(struct input *in, wrn_span bytes) {
    struct wrn_sexp sexp;
    uint8_t *copy = malloc(bytes.size > 0 ? bytes.size : 1);
    HOLDS(copy && in->object_count < OBJECTS_MAX);
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    in->objects[in->object_count++] = copy;
    if (wrn_sexp_check((wrn_span){copy, bytes.size}, &sexp, NULL)) {
        sexp.bytes.size = 0;
    }
    return sexp;
}

static void give(struct wrn_spki *spki, struct wrn_sexp sexp, bool is_foreign) {
    struct wrn_spki_error error = {0};
    if (sexp.bytes.size == 0) {
        return;
    }
    size_t before = wrn_spki_count(spki);
    int status =
        is_foreign ? wrn_spki_add_foreign(spki, sexp, &error) : wrn_spki_add(spki, sexp, &error);
    HOLDS(status == 0 || status == WRN_ERR_MALFORMED || status == WRN_ERR_FULL);
    HOLDS(status != WRN_ERR_MALFORMED ||
          (error.at.bytes.data >= sexp.bytes.data &&
           error.at.bytes.data + error.at.bytes.size <= sexp.bytes.data + sexp.bytes.size));
    HOLDS(wrn_spki_count(spki) >= before);
    for (size_t i = before; i < wrn_spki_count(spki); i++) {
        HOLDS(!is_foreign || !wrn_spki_at(spki, i)->is_acl_entry);
    }
}

static void add_object(struct input *in, struct wrn_spki *spki) {
    static uint8_t bytes[OBJECT_SIZE];
    struct wrn_sexp_writer out = wrn_sexp_writer(bytes, sizeof bytes);
    struct wrn_sexp sexp;
    unsigned kind = take(in, 12);
    if (kind == 0) { /* as it stands in the input */
        size_t size = take(in, 200), left = (size_t)(in->end - in->next);
        size = size < left ? size : left;
        wrn_span as_it_stands = {in->next, size};
        in->next += size;
        give(spki, keep(in, as_it_stands), take(in, 2));
        return;
    }
    if (kind == 1) {
        put_notice(in, &out, spki);
    } else if (kind == 2) {
        put_principal(&out, take(in, KEYS));
    } else if (kind < 6) {
        wrn_sexp_open(&out, "acl");
        put_cert(in, &out, true);
        wrn_sexp_close(&out);
    } else {
        put_cert(in, &out, false);
    }
    if (wrn_sexp_finish(&out, &sexp)) {
        return;
    }
    sexp = keep(in, sexp.bytes);
    give(spki, sexp, kind >= 6);
    if (!in->is_study && in->signatures_left > 0 && kind >= 6) {
        uint8_t seed[WRN_SEED_SIZE];
        memset(seed, (int)take(in, KEYS) + 1, sizeof seed);
        out = wrn_sexp_writer(bytes, sizeof bytes);
        in->signatures_left--;
        struct wrn_sexp signature;
        if (wrn_spki_sign(&out, sexp, seed) && wrn_sexp_finish(&out, &signature) == 0) {
            give(spki, keep(in, signature.bytes), true);
        }
    }
}

/* ---- Questions */

static void ask(struct input *in, struct wrn_spki *spki) {
    static uint8_t request[OBJECT_SIZE], principals[3][WRN_SPKI_KEY_SEXP_SIZE + 32];
    static struct wrn_spki_answer answer, again;
    struct wrn_sexp subjects[3];
    struct wrn_spki_query query = {.subjects = subjects, .subject_count = 1 + take(in, 3)};
    char text[64], whole[2048];
    for (size_t i = 0; i < query.subject_count; i++) {
        struct wrn_sexp_writer out = wrn_sexp_writer(principals[i], sizeof principals[i]);
        put_principal(&out, take(in, 3 * KEYS));
        HOLDS(wrn_sexp_finish(&out, &subjects[i]) == 0);
    }
    struct wrn_sexp_writer out = wrn_sexp_writer(request, sizeof request);
    put_tag(in, &out, 3);
    if (wrn_sexp_finish(&out, &query.request) || wrn_tag_check(query.request, NULL) != WRN_TAG_OK) {
        return;
    }
    query.now_s = 1893456000 + (int64_t)take(in, 8) * 15768000; /* from 2030 on, half years */
    wrn_spki_ask(spki, &query, &answer);
    HOLDS(answer.verdict <= WRN_SPKI_TOO_LARGE && answer.chain_count <= WRN_SPKI_CHAIN_MAX);
    size_t size = wrn_spki_explain(&answer, NULL, text, sizeof text);
    HOLDS(size < sizeof text && text[size] == 0);
    size = wrn_spki_explain(&answer, NULL, whole, sizeof whole);
    HOLDS(size > 0 && size < sizeof whole && whole[size] == 0);
    if (answer.verdict == WRN_SPKI_GRANTED) {
        check_grant(spki, &query, &answer);
    } else {
        check_refusal(&answer);
    }
    check_reduction(in, spki, &query, &answer);
    wrn_spki_ask(spki, &query, &again);
    HOLDS(again.verdict == answer.verdict && again.chain_count == answer.chain_count);
    HOLDS(memcmp(again.chain, answer.chain, answer.chain_count * sizeof answer.chain[0]) == 0);
}

/* No certificate of the chain permits less than what is granted, or for less long. */
static void check_grant(struct wrn_spki *spki, const struct wrn_spki_query *query,
                        const struct wrn_spki_answer *answer) {
    static uint8_t scratch[WRN_TAG_SIZE_MAX];
    int64_t from, until;
    (void)spki;
    HOLDS(answer->chain_count > 0 && answer->chain[0]->is_acl_entry && !answer->culprit);
    HOLDS(answer->validity.not_before.size == 0 ||
          (wrn_spki_date_read(answer->validity.not_before, &from) && from <= query->now_s));
    HOLDS(answer->validity.not_after.size == 0 ||
          (wrn_spki_date_read(answer->validity.not_after, &until) && query->now_s <= until));
    for (size_t i = 0; i < answer->chain_count; i++) {
        const struct wrn_spki_cert *cert = answer->chain[i];
        struct wrn_spki_validity both;
        HOLDS(cert->issuer_name.data ||
              wrn_tag_covers(cert->tag, query->request, scratch, sizeof scratch) == 1);
        HOLDS(wrn_spki_validity_intersect(&cert->validity, &answer->validity, &both));
        HOLDS(both.not_before.size == answer->validity.not_before.size &&
              both.not_after.size == answer->validity.not_after.size);
        HOLDS(both.not_before.size == 0 ||
              wrn_spki_date_compare(both.not_before, answer->validity.not_before) == 0);
        HOLDS(both.not_after.size == 0 ||
              wrn_spki_date_compare(both.not_after, answer->validity.not_after) == 0);
    }
}

static void check_refusal(const struct wrn_spki_answer *answer) {
    if (answer->verdict == WRN_SPKI_NO_ROOT) {
        HOLDS(answer->chain_count == 0 && !answer->culprit);
    } else if (answer->verdict != WRN_SPKI_TOO_LARGE) {
        HOLDS(answer->culprit && answer->culprit_index < answer->chain_count);
        HOLDS(answer->chain[answer->culprit_index] == answer->culprit);
        HOLDS(answer->verdict != WRN_SPKI_TAG || answer->wanted.bytes.size > 0);
    }
}

/* Whoever holds an entry that covers a request, now, is granted it. */
static void check_reduction(struct input *in, struct wrn_spki *spki,
                            const struct wrn_spki_query *query,
                            const struct wrn_spki_answer *answer) {
    static uint8_t acl_bytes[ACL_SIZE], scratch[WRN_TAG_SIZE_MAX], entry_bytes[OBJECT_SIZE];
    static struct wrn_spki_answer chain_answer;
    char date[WRN_SPKI_DATE_SIZE];
    struct wrn_sexp acl, element, before = {{0}};
    struct wrn_sexp_cursor cursor;
    enum wrn_spki_verdict verdict = answer->verdict;
    HOLDS(wrn_spki_date_write(query->now_s, date));
    wrn_spki_date now = {(const uint8_t *)date, sizeof date};
    struct wrn_sexp_writer out = wrn_sexp_writer(acl_bytes, sizeof acl_bytes);
    int status = wrn_spki_reduce(spki, query->subjects, 1, query->request, now, &out);
    HOLDS(status == 0 || status == WRN_ERR_FULL || status == -ENOBUFS);
    if (status == 0) {
        HOLDS(wrn_sexp_finish(&out, &acl) == 0 && wrn_sexp_enter_named(acl, "acl", &cursor));
        while (wrn_sexp_take_any(&cursor, &element)) {
            struct wrn_spki_cert entry;
            enum wrn_spki_mode mode = in->is_study ? WRN_SPKI_STUDY : WRN_SPKI_STRICT;
            HOLDS(wrn_spki_read_entry(element, mode, &entry, NULL) == 0);
            HOLDS(entry.subject.kind == WRN_SPKI_SUBJECT_PRINCIPAL);
            size_t common =
                before.bytes.size < element.bytes.size ? before.bytes.size : element.bytes.size;
            HOLDS(!before.bytes.data || memcmp(before.bytes.data, element.bytes.data, common) < 0);
            HOLDS(wrn_tag_covers(query->request, entry.tag, scratch, sizeof scratch) == 1);
            HOLDS(wrn_tag_covers(entry.tag, query->request, scratch, sizeof scratch) != 1 ||
                  verdict == WRN_SPKI_GRANTED || verdict == WRN_SPKI_TOO_LARGE);
            before = element;
        }
    }
    if (answer->chain_count > 0) {
        out = wrn_sexp_writer(entry_bytes, sizeof entry_bytes);
        status = wrn_spki_reduce_chain(spki, answer->chain, answer->chain_count, now, &out,
                                       &chain_answer);
        HOLDS(status == 0 || status == 1 || status == WRN_ERR_FULL || status == -ENOBUFS);
        HOLDS(status != 0 || chain_answer.verdict != WRN_SPKI_GRANTED);
    }
}
