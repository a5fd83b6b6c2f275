/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the prover share: its tables, and certificates as small numbers. Nobody else
 * includes it. */
#pragma once
#include "base/arena.h"
#include "base/keymap.h"
#include "spki/prove.h"

enum {
    WRN_PROVE_NIL = 0,                   /* the empty list of names */
    WRN_PROVE_THRESHOLD = (1 << 21) - 1, /* stands for a list: 'key' is a threshold */
    WRN_PROVE_CERTS_MAX = 1 << 16,
    WRN_PROVE_KEYS_MAX = 1 << 20,
    WRN_PROVE_TUPLES_MAX = 1 << 20,
};
#define WRN_PROVE_NONE UINT32_MAX

/* ---- Tables */

/* From a number to a number; everything in it can be forgotten at once. */
struct wrn_prove_slot {
    uint64_t key;
    uint32_t value;
    uint32_t epoch; /* of the map when it was set; any other: free */
};

struct wrn_prove_map {
    struct wrn_prove_slot *slots;
    uint64_t seed;
    uint32_t mask;
    uint32_t epoch;
    uint32_t count;
    uint32_t capacity;
};

/* Takes room for 'capacity' entries. */
void wrn_prove_map_init(struct wrn_prove_map *map, struct wrn_arena *arena, uint32_t capacity,
                        uint64_t seed);

/* Forgets all entries. */
void wrn_prove_map_clear(struct wrn_prove_map *map);

/* Returns the place of the value of 'key', WRN_PROVE_NONE in it if it is new; NULL if it would be
 * new and the map is full. Good until the next call. O(1) expected. */
uint32_t *wrn_prove_map_place(struct wrn_prove_map *map, uint64_t key);

/* Returns the value of 'key', or WRN_PROVE_NONE. */
uint32_t wrn_prove_map_get(const struct wrn_prove_map *map, uint64_t key);

/* ---- Principals, names, subjects */

struct wrn_prove_key {
    struct wrn_spki_principal as; /* the key if it is known, else its hash */
    uint32_t same;                /* the principal that this one turned out to be; or itself */
    uint32_t certs;               /* the first certificate that it issued, or NONE */
    uint32_t notices; /* the first CRL, in ascending order of their beginning, or NONE */
    uint32_t asked;   /* which of the query's subjects it is, a bit each */
    bool is_settled;  /* its CRLs have been verified and applied */
};

/* A subject: a principal and the names to follow from there, or a threshold. */
struct wrn_prove_node {
    uint32_t key;  /* principal or threshold; NONE: nothing that is ever granted anything */
    uint32_t list; /* of names; WRN_PROVE_NIL: the principal itself; WRN_PROVE_THRESHOLD */
};

struct wrn_prove_cell {
    uint32_t name;
    uint32_t rest; /* a list */
};

struct wrn_prove_name {
    wrn_span bytes;
    uint32_t next; /* with the same hash */
};

struct wrn_prove_threshold {
    struct wrn_sexp sexp;
    uint32_t k, n;
    uint32_t parts; /* the first of its nodes */
};

/* ---- What is signed */

enum wrn_prove_proof { WRN_PROVE_UNPROVED, WRN_PROVE_GOOD, WRN_PROVE_BAD, WRN_PROVE_UNSIGNED };

struct wrn_prove_signed {
    struct wrn_sexp sexp;
    uint8_t hash[WRN_SHA256_SIZE];
    uint32_t issuer;     /* NONE: an entry of an ACL */
    uint32_t signatures; /* the first of them, or NONE */
    uint32_t mismatch;   /* who is said to have signed it, in a sequence, but signed another */
    enum wrn_prove_proof proof;
};

struct wrn_prove_signature {
    struct wrn_spki_signature as;
    uint32_t signer;
    uint32_t next; /* of the same object */
    bool is_attached;
    enum wrn_prove_proof proof;
};

/* A certificate or an entry; the certificate as it was read has the same index. */
struct wrn_prove_item {
    struct wrn_prove_signed object;
    uint64_t start, end; /* dates as numbers; 0 and UINT64_MAX: no limit */
    struct wrn_prove_node subject;
    uint32_t name;        /* that it defines, or NONE */
    uint32_t online;      /* whose CRL or revalidation it demands, or NONE */
    uint32_t only;        /* DELEGABLE_TO: the first of its principals in 'only' */
    uint32_t next;        /* of its issuer; name certificates: of this name */
    uint32_t revoked;     /* the earliest notice that cancels it, or NONE */
    uint32_t revalidated; /* the first revalidation of it, or NONE */
    enum wrn_spki_online_kind online_kind;

    /* Of the query with this number: */
    uint32_t query;
    uint64_t chain;       /* the search in whose chain it is */
    uint32_t faults;      /* bits of enum wrn_spki_verdict */
    bool is_complete;     /* all faults were looked for */
    uint32_t fresh;       /* the notice that it demands, or NONE */
    uint64_t from, until; /* with that of the notice, and before it will be revoked */
    bool is_announced;    /* that it will be revoked, after this query's 'now' */
};

/* A CRL or a revalidation. */
struct wrn_prove_notice {
    struct wrn_prove_signed object;
    struct wrn_spki_validity validity;
    uint64_t start, end;
    struct wrn_spki_crl crl;
    const uint8_t *cert_hash; /* revalidation: of what; else NULL */
    uint32_t next;            /* of its issuer, or of the same certificate */
    bool is_rollback;         /* names less than an earlier one */
    bool has_eve;             /* there is a second before it counts: this one */
    char eve[WRN_SPKI_DATE_SIZE];
};

/* ---- The graph of what follows from what, of one query (prove_graph.c) */

/* How a right may be passed on, the lowest bits of the key of a MAY vertex: not at all (the bits in
 * ANYONE: who of those that ask may have it), at will, or once and then only to those in ANYONE. */
enum {
    WRN_PROVE_PASS_NOT = 0 << 16,
    WRN_PROVE_PASS_FREELY = 1 << 16,
    WRN_PROVE_PASS_ONCE = 2 << 16,
    WRN_PROVE_PASS_KIND = 3 << 16,
    WRN_PROVE_ANYONE = 0xffff,
};

enum wrn_prove_vertex_kind {
    WRN_PROVE_ROOT,   /* vertex 0: what is asked for follows */
    WRN_PROVE_MAY,    /* a subject, with a way in which the right may be passed on */
    WRN_PROVE_NAME,   /* a name to be resolved; no statement, collects those of the next kind */
    WRN_PROVE_STANDS, /* a name for a principal */
};

struct wrn_prove_vertex {
    /* From the highest bit: 2 of enum wrn_prove_vertex_kind; 21 and 21 of the subject, 'key' and
     * 'list'; 20 of how it may be passed on, or of the principal that it stands for. */
    uint64_t key;
    uint64_t cost;
    uint32_t best;    /* the edge by which it was reached, or NONE */
    uint32_t uses;    /* the first link that waits for it */
    uint32_t facts;   /* name to be resolved: what it stands for so far, vertices */
    uint32_t waiting; /* ... and who wants to know, subscriptions */
    uint32_t next;    /* fact: of the same name */
    bool is_told;     /* fact: subscriptions know it */
    bool is_visited;
};

struct wrn_prove_edge {
    uint64_t sum; /* of the links that were reached */
    uint32_t target;
    uint32_t item;  /* the certificate that it takes, or NONE */
    uint32_t links; /* the first of 'count' */
    uint16_t count;
    uint16_t need; /* so many of them suffice */
    uint16_t left;
    uint16_t is_starved;
    uint32_t faults; /* of the way it is used, whatever the certificate is worth */
};

struct wrn_prove_link {
    uint32_t vertex;
    uint32_t edge;
    uint32_t next;
    uint32_t is_taken;
};

struct wrn_prove_subscription {
    uint32_t kind;
    uint32_t target; /* vertex */
    uint32_t item;   /* or fact */
    uint32_t list, delegation;
    uint32_t source; /* the name that it waits for */
    uint32_t next;
    bool is_active;
};

struct wrn_prove_step {
    uint64_t cost;
    uint32_t edge;
};

struct wrn_prove_event {
    uint32_t kind;
    uint32_t index;
};

/* What a search looks for. */
enum wrn_prove_wish {
    WRN_PROVE_LATEST_END,
    WRN_PROVE_EARLIEST_START, /* of those that end no earlier than 'end' */
    WRN_PROVE_FEWEST,         /* certificates, of those that also start no later than 'start' */
    WRN_PROVE_FORGIVEN,       /* fewest faults, of the kinds in 'forgiven'; then certificates */
};

/* What a fault costs there: more than all certificates together. */
#define WRN_PROVE_ONE_FAULT ((uint64_t)1 << 32)

struct wrn_prove_goal {
    enum wrn_prove_wish wish;
    uint64_t start, end;
    uint32_t forgiven; /* bits of enum wrn_spki_verdict */
    bool is_eager;     /* verifies signatures before it goes on, instead of those of the result */
};

struct wrn_prove_visit {
    uint32_t vertex;
    uint32_t giver;   /* the certificate that gives the right which is passed on here, or NONE */
    uint32_t limiter; /* the one whose list says who may have it here, or NONE */
    uint32_t last;    /* the certificate before, also one that only defines a name */
};

struct wrn_prove_graph {
    struct wrn_prove_map known; /* vertices by their keys */
    struct wrn_prove_vertex *vertices;
    struct wrn_prove_edge *edges;
    struct wrn_prove_link *links;
    struct wrn_prove_subscription *subscriptions;
    struct wrn_prove_event *events;
    struct wrn_prove_step *steps; /* binary heap */
    struct wrn_prove_visit *visits;
    uint32_t vertices_max, edges_max, links_max, subscriptions_max;
    uint32_t vertex_count, edge_count, link_count, subscription_count;
    uint32_t event_count, event_next, step_count;
    bool is_full;
};

/* Takes room for the graph of a heap of these limits. */
void wrn_prove_graph_init(struct wrn_prove_graph *graph, struct wrn_arena *arena,
                          const struct wrn_spki_limits *limits);

/* Finds everything that may lead from the ACL to the subjects marked in 'asked', by certificates
 * without faults or ('is_relaxed') by any. False if that is more than there is room for. */
WRN_NODISCARD bool wrn_prove_graph_build(struct wrn_spki *spki, bool is_relaxed);

/* Searches it; true if the ACL (vertex 0) leads to the subjects. Each vertex that was reached has
 * the best edge to it. O(edges x log edges). */
WRN_NODISCARD bool wrn_prove_graph_search(struct wrn_spki *spki, const struct wrn_prove_goal *goal);

/* After a search without success: marks the thresholds that it did not fulfil but began to, besides
 * those marked before. The next searches that forgive WRN_SPKI_TOO_FEW go on from there. Tells
 * whether there are new ones: those around a threshold only begin when that one is marked. */
WRN_NODISCARD bool wrn_prove_graph_starve(struct wrn_prove_graph *graph);

/* ---- Five-tuples, of one reduction (prove_reduce.c) */

enum wrn_prove_tuple_kind {
    WRN_PROVE_TUPLE,     /* a five-tuple whose issuer is the verifier */
    WRN_PROVE_COLLECTOR, /* a name that has to be resolved, or a threshold with a right */
    WRN_PROVE_FACT,      /* ... and a principal that it stands for, or its parts lead to */
    WRN_PROVE_WAITER,    /* what follows from each fact of a collector */
    WRN_PROVE_JOIN,      /* some parts of a threshold that have led to the same principal */
};

enum wrn_prove_pass {
    WRN_PROVE_MAY_NOT,
    WRN_PROVE_MAY_FREELY,
    WRN_PROVE_MAY_ONCE, /* to those in 'only' */
    WRN_PROVE_MAY_HOLD, /* not passed on, and held by those in 'only': of names and thresholds */
};

/* The right that a tuple carries. */
struct wrn_prove_right {
    enum wrn_prove_pass pass;
    uint32_t only; /* a list of principals in 'lists' */
    uint32_t tag;
    uint64_t start, end; /* of the validity, as numbers */
    struct wrn_spki_validity validity;
};

struct wrn_prove_tuple {
    enum wrn_prove_tuple_kind kind;
    uint32_t owner; /* TUPLE, JOIN: the collector of the threshold that it is a part of, or NONE;
                     * FACT, WAITER: the collector */
    uint32_t part;  /* which part; JOIN: which parts, a bit each; WAITER: what follows */
    struct wrn_prove_node subject; /* FACT, JOIN: the principal; WAITER: target and rest */
    struct wrn_prove_right right;  /* FACT of a name, WAITER: the validity alone */
    uint32_t item;                 /* WAITER: the certificate, or the fact before */
    uint32_t same_hash;
    uint32_t next;    /* FACT, WAITER: of the same collector; JOIN: of the same principal */
    uint32_t facts;   /* COLLECTOR */
    uint32_t waiters; /* COLLECTOR */
};

struct wrn_prove_tag {
    struct wrn_sexp sexp;
    uint32_t same_hash;
};

struct wrn_prove_tuples {
    struct wrn_prove_tuple *all;
    struct wrn_prove_tag *tags;
    struct wrn_prove_cell *lists; /* of principals; the first is not used */
    wrn_span *entries;            /* to be sorted */
    uint8_t *bytes;
    struct wrn_prove_map known, known_tags, known_lists, joins;
    uint32_t count, tag_count, list_count, entry_count;
    uint32_t tuples_max;
    size_t size, size_max; /* of 'bytes' */
    uint64_t now;          /* 0: at any time */
    bool is_full;
};

/* Takes room for the tuples of one reduction. */
void wrn_prove_tuples_init(struct wrn_prove_tuples *tuples, struct wrn_arena *arena,
                           const struct wrn_spki_limits *limits);

/* Turns the date of a reduction into a number, an empty one into 0. False if it is none. */
WRN_NODISCARD bool wrn_prove_read_date(const struct wrn_spki *spki, wrn_spki_date date,
                                       uint64_t *ret_date);

/* Begins a reduction at a date, 0: at any time. */
void wrn_prove_tuples_begin(struct wrn_spki *spki, uint64_t now);

/* The functions below return false if nothing is left, or 'is_full'. Their results are set only
 * else, and are never wider than what they are made of. Source: RFC 2693, sections 6.3, 6.4. */

/* Makes the right that an entry gives. */
WRN_NODISCARD bool wrn_prove_right_of(struct wrn_spki *spki, uint32_t item, struct wrn_sexp request,
                                      struct wrn_prove_right *ret_right);

/* Makes what remains of a right that a certificate passes on, or (a name certificate) when a name
 * is resolved by it. */
WRN_NODISCARD bool wrn_prove_right_after(struct wrn_spki *spki, const struct wrn_prove_right *had,
                                         uint32_t item, struct wrn_prove_right *ret_right);

/* Makes what two rights have in common. */
WRN_NODISCARD bool wrn_prove_right_join(struct wrn_spki *spki, const struct wrn_prove_right *a,
                                        const struct wrn_prove_right *b,
                                        struct wrn_prove_right *ret_right);

/* Makes what remains of a right within the time of another, tags aside. */
WRN_NODISCARD bool wrn_prove_right_within(const struct wrn_prove_tuples *tuples,
                                          const struct wrn_prove_right *had,
                                          const struct wrn_prove_right *other,
                                          struct wrn_prove_right *ret_right);

/* Whoever holds a right in a list only is named there: MAY_HOLD becomes MAY_NOT, or false. */
WRN_NODISCARD bool wrn_prove_right_reaches(const struct wrn_prove_tuples *tuples, uint32_t key,
                                           struct wrn_prove_right *right);

/* Returns what is wrong with a certificate for a reduction, as bits of enum wrn_spki_verdict;
 * verifies its signature. */
uint32_t wrn_prove_reduce_faults(struct wrn_spki *spki, uint32_t item);

/* Writes a right as (entry ...) for a principal. */
void wrn_prove_write_entry(const struct wrn_spki *spki, struct wrn_sexp_writer *out, uint32_t key,
                           const struct wrn_prove_right *right);

/* Returns <0, 0, >0 as the bytes of 'a' come before, are, or come after those of 'b'. */
int wrn_prove_compare(wrn_span a, wrn_span b);

struct wrn_spki {
    struct wrn_spki_limits limits;
    enum wrn_spki_mode mode;
    bool is_dirty; /* something was added since the lists below were made */

    struct wrn_keymap by_hash; /* principals by SHA-256 */
    struct wrn_keymap by_other_hash;
    struct wrn_prove_key *keys;
    uint32_t key_count;

    struct wrn_prove_map name_hashes;
    struct wrn_prove_name *names;
    uint32_t name_count;

    struct wrn_prove_map cell_pairs;
    struct wrn_prove_cell *cells; /* the first is not used */
    uint32_t cell_count, cells_max;

    struct wrn_prove_threshold *thresholds;
    struct wrn_prove_node *parts;
    uint32_t threshold_count, part_count, parts_max;

    struct wrn_spki_cert *certs;
    struct wrn_prove_item *items;
    uint32_t cert_count;
    uint32_t entries; /* the first entry of an ACL, or NONE */
    uint32_t *only;   /* principals */
    uint32_t only_count, only_max;

    struct wrn_prove_notice *notices;
    uint32_t *notice_order;
    uint32_t notice_count;

    struct wrn_prove_signature *signatures;
    uint32_t signature_count, signatures_max;

    struct wrn_keymap objects;  /* certificates, then notices, by the hash of their bytes */
    struct wrn_prove_map heads; /* the first name certificate of (principal, name) */

    struct wrn_prove_graph graph;
    uint32_t query;
    uint64_t search;
    uint64_t now;
    struct wrn_sexp request;
    uint8_t *scratch; /* WRN_TAG_SIZE_MAX */
    struct wrn_prove_tuples tuples;
};

/* A date as a number of the same order, but for fractions of less than 0.1 ms. */
uint64_t wrn_prove_date(wrn_spki_date date);

/* Finds or adds a principal. False if the table is full. */
WRN_NODISCARD bool wrn_prove_add_key(struct wrn_spki *spki,
                                     const struct wrn_spki_principal *principal, uint32_t *ret_key);

/* Sets the bits 'asked' of all principals that this one is. */
void wrn_prove_mark_key(struct wrn_spki *spki, const struct wrn_spki_principal *principal,
                        uint32_t asked);

/* Finds or adds a subject, thresholds with all their parts. */
WRN_NODISCARD bool wrn_prove_add_subject(struct wrn_spki *spki,
                                         const struct wrn_spki_subject *subject,
                                         struct wrn_prove_node *ret_node);

/* Finds or adds a name, and a list that begins with one. */
WRN_NODISCARD bool wrn_prove_add_name(struct wrn_spki *spki, wrn_span bytes, uint32_t *ret_name);
WRN_NODISCARD bool wrn_prove_add_cell(struct wrn_spki *spki, uint32_t name, uint32_t rest,
                                      uint32_t *ret_list);

/* Tells whether a part of a threshold is the same as one before it, under whatever hash: it counts
 * once, for nobody stands together with himself. */
bool wrn_prove_is_repeated(const struct wrn_spki *spki, const struct wrn_prove_threshold *threshold,
                           uint32_t part);

/* Makes the lists of who issued what, and forgets what they made known. Before each query. */
void wrn_prove_prepare(struct wrn_spki *spki);

/* Forgets what was found out about certificates for the query before. */
void wrn_prove_next_query(struct wrn_spki *spki);

/* Tells whether an object is signed by its issuer; verifies what was not verified before. */
enum wrn_prove_proof wrn_prove_proof(struct wrn_spki *spki, struct wrn_prove_signed *object);

/* The same without verifying: UNPROVED if there is something to verify. */
enum wrn_prove_proof wrn_prove_proof_so_far(struct wrn_spki *spki, struct wrn_prove_signed *object);

/* Returns what is wrong with a certificate at the query's date and for its request, as bits of enum
 * wrn_spki_verdict, signatures that were not verified yet left out; all of it, or ('is_complete'
 * false) at least one if there is one. Looks once a query. */
uint32_t wrn_prove_faults(struct wrn_spki *spki, uint32_t item, bool is_complete);

/* Sets what an answer says of the certificate that fails, as its verdict demands; for a tag what is
 * wanted is the request of the query. */
void wrn_prove_fill_culprit(const struct wrn_spki *spki, uint32_t item,
                            struct wrn_spki_answer *answer);

/* Sets 'fresh', 'from', 'until' of a certificate, with what it demands (online ...); false if
 * that is missing. 'now' 0: at any time. */
bool wrn_prove_refresh(struct wrn_spki *spki, uint32_t item, uint64_t now);

/* The time before a CRL counts, of one that has an eve. */
struct wrn_spki_validity wrn_prove_eve(const struct wrn_prove_notice *notice);

/* Verifies and applies the CRLs of those who may revoke a certificate, once. */
void wrn_prove_settle(struct wrn_spki *spki, uint32_t item);

/* The name that a name certificate defines is (issuer, name): the first such certificate. */
uint32_t wrn_prove_head(const struct wrn_spki *spki, uint32_t key, uint32_t name);
