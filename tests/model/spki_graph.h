/* SPDX-License-Identifier: Apache-2.0 */
/* Random graphs of certificates as plain structures, their objects as S-expressions, and a naive
 * prover that works on the structures alone. Independent of src/spki but for making signatures. */
#pragma once
#include "crypto/identity.h"
#include "model/spki_tags.h"

enum {
    GRAPH_KEYS_MAX = 12,
    GRAPH_CERTS_MAX = 50,
    GRAPH_CRLS_MAX = 6,
    GRAPH_CANCELED_MAX = 6,
    GRAPH_NAMES_MAX = 6, /* words of one name, also while it is being resolved */
    GRAPH_FOREVER = 90,  /* seconds of an hour that holds everything: 1 … 59, 0 is "always" */
};

/* Both ends belong to it; 'from' 0 and 'until' GRAPH_FOREVER are no limits. */
struct graph_span {
    int from, until;
};

enum graph_kind { GRAPH_KEY, GRAPH_NAME, GRAPH_THRESHOLD };

struct graph_subject {
    enum graph_kind kind;
    unsigned key; /* KEY, NAME */
    bool is_by_hash;
    uint8_t names[GRAPH_NAMES_MAX];
    size_t name_count;
    unsigned k; /* THRESHOLD */
    size_t part_count;
    const struct graph_subject *parts;
};

enum graph_sign { GRAPH_SIGNED, GRAPH_NOT_SIGNED, GRAPH_CHANGED, GRAPH_OF_ANOTHER };
enum graph_pass { GRAPH_PASS_NONE, GRAPH_PASS_ANY, GRAPH_PASS_ONLY };
enum graph_online { GRAPH_OFFLINE, GRAPH_CRL, GRAPH_REVAL, GRAPH_ONE_TIME };

struct graph_cert {
    bool is_entry;
    unsigned issuer;
    bool is_issuer_by_hash;
    int name; /* that it defines; -1: it is no name certificate */
    struct graph_subject subject;
    enum graph_pass pass;
    uint32_t only; /* bits of keys */
    struct tree *tag;
    struct graph_span span;
    enum graph_sign sign;
    enum graph_online online;
    unsigned online_by;
    struct tree *object; /* written by graph_write */
};

/* A CRL, or a revalidation of the first certificate that it names. */
struct graph_crl {
    bool is_reval;
    unsigned issuer;
    size_t canceled[GRAPH_CANCELED_MAX]; /* indices of certificates */
    size_t count;
    struct graph_span span; /* 'from' is not 0 */
    enum graph_sign sign;
    struct tree *object;
};

/* What a graph has much of. */
enum graph_mood {
    GRAPH_OF_ALL,
    GRAPH_OF_ONLINE,
    GRAPH_OF_ONLY,
    GRAPH_OF_NAMES,
    GRAPH_OF_THRESHOLDS
};

struct graph {
    enum graph_mood mood;
    bool is_study;  /* nothing is signed, and need not be */
    bool is_opaque; /* keys are just words; no CRL has such */
    size_t key_count, cert_count, crl_count;
    struct graph_cert certs[GRAPH_CERTS_MAX];
    struct graph_crl crls[GRAPH_CRLS_MAX];
};

/* Draws a graph of at most 'certs' certificates. */
void graph_draw(struct wrn_prng *prng, struct graph *graph, bool is_study, size_t certs);

/* Draws something to ask for of the tags that certificates have, and a key. */
struct tree *graph_draw_request(struct wrn_prng *prng);

/* Fills 'object' of all certificates and CRLs, and leaves one of equal certificates. */
void graph_write(struct graph *graph);

/* Takes a certificate out of a graph that was written, or a CRL. */
void graph_drop_cert(struct graph *graph, size_t index);
void graph_drop_crl(struct graph *graph, size_t index);

/* What follows an object in a sequence: its signature; NULL if it has none. */
struct tree *graph_sign_of(const struct graph *graph, const struct tree *object, unsigned issuer,
                           enum graph_sign sign);

/* A key, or its hash. */
struct tree *graph_principal(const struct graph *graph, unsigned key, bool is_by_hash);

/* The index of the key that a principal is, or -1. */
int graph_key_of(const struct graph *graph, const struct tree *principal);

/* "2030-01-01_00:00:SS", 19 characters in the model's memory; empty for no limit. */
wrn_span graph_date(int at);
int graph_date_read(wrn_span date, int if_empty);
int64_t graph_seconds(int at);

/* Prints a graph for people. */
void graph_print(const struct graph *graph);

/* ---- The naive prover */

/* What is overlooked, to find out why something is refused. */
enum graph_forgive {
    GRAPH_FORGIVE_TIMES = 1,
    GRAPH_FORGIVE_ONLINE = 2,
    GRAPH_FORGIVE_PASSING = 4,
    GRAPH_FORGIVE_SIGNS = 8,
    GRAPH_FORGIVE_TAGS = 16,
    GRAPH_FORGIVE_THRESHOLDS = 32,
};

enum { GRAPH_SPANS_MAX = 64 };

/* Spans of which none holds another. */
struct graph_spans {
    struct graph_span at[GRAPH_SPANS_MAX];
    size_t count;
};

struct graph_query {
    uint32_t subjects; /* bits of keys, that ask together */
    const struct tree *request;
    int now;
    uint32_t forgive; /* of enum graph_forgive */
    uint64_t without; /* bits of certificates that do not count */
};

/* When the query is granted: spans around 'now' that some proof has, none if there is none. False
 * if a name grew too long on the way, so that more might follow. Source: RFC 2693, 6.3 and 6.4. */
bool graph_ask(const struct graph *graph, const struct graph_query *query,
               struct graph_spans *ret_spans);

/* What a certificate is worth at 'now' (0: at any time): false if it is not to be used. */
bool graph_is_usable(const struct graph *graph, const struct graph_cert *cert, int now,
                     uint32_t forgive, struct graph_span *ret_span);

/* Whether it was revoked at 'now' (0: ever). */
bool graph_is_revoked(const struct graph *graph, const struct graph_cert *cert, int now);

/* An entry that follows. */
struct graph_tuple {
    unsigned key;
    enum graph_pass pass;
    uint32_t only;
    struct tree *tag; /* in normal form */
    struct graph_span span;
};

enum { GRAPH_TUPLES_MAX = 4000 };

/* All entries that follow, for 'request', at 'now' (0: at any time), sorted, each once. Returns
 * their number, or -1: too many for this model, or names grew too long. */
int graph_reduce(const struct graph *graph, const struct tree *request, int now,
                 struct graph_tuple *ret_tuples);

/* Reduces a chain, each certificate against what is before; false: nothing follows. */
bool graph_reduce_chain(const struct graph *graph, const size_t *chain, size_t count, int now,
                        struct graph_tuple *ret_tuple);

int graph_tuple_compare(const struct graph_tuple *a, const struct graph_tuple *b);
