/* SPDX-License-Identifier: Apache-2.0 */
/* Measures decisions about certificates on one core: a chain of four verified from its bytes and
 * how much of that is Ed25519, the same chain reduced, and a chain searched among certificates that
 * have nothing to do with it, or almost. Prints JSON lines, then a table. CPU time; the median of
 * interleaved runs counts.
 *
 *     micro_spki [RUNS [MILLISECONDS_A_RUN [CERTIFICATES]]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spki/prove.h"
#include "figures.h"

enum { CHAIN = 4, TEXT_SIZE = 1024, SEQUENCE_SIZE = 2048, CERTIFICATES_MAX = 60000 };

static const int64_t now_s = 1795262400; /* 2026-11-21 */

/* What is among the certificates of the chain. */
enum crowd {
    STRANGERS, /* certificates by others for others */
    MEMBERS,   /* by the administrator of the chain, with the same right, for others */
    FAVOURS,   /* by others for the one who asks */
};

struct heap {
    struct wrn_spki_limits limits;
    void *memory;
    size_t size;
    struct wrn_spki *spki;
};

struct bench {
    struct wrn_sexp acl;
    struct wrn_sexp chain[CHAIN]; /* sequences */
    struct wrn_sexp certs[CHAIN];
    struct wrn_spki_signature signatures[CHAIN];
    struct wrn_sexp late; /* a signature of nothing */
    struct wrn_sexp subject, request;
    struct heap small, large;
};

struct work {
    const char *name;
    double (*measure)(void *bench, size_t rounds); /* ns of all */
    double runs[FIGURES_RUNS_MAX];
    double ns; /* a round */
};

static void make_chain(struct bench *bench);
static void make_heap(struct heap *heap, uint32_t certificates);
static void fill(struct bench *bench, enum crowd crowd, uint32_t count);
static struct wrn_sexp issue(uint32_t issuer, uint32_t subject, bool may_pass, const char *tag);
static struct wrn_sexp sequence_of(uint32_t issuer, struct wrn_sexp cert);
static struct wrn_sexp key_of(uint32_t number);
static void seed_of(uint32_t number, uint8_t seed[WRN_SEED_SIZE]);
static struct wrn_sexp read_text(const char *text);
static uint8_t *room(size_t size);
static void ask(struct bench *bench, struct wrn_spki *spki, enum wrn_spki_verdict verdict);
static double ed25519(void *ctx, size_t rounds);
static double chain_from_bytes(void *ctx, size_t rounds);
static double chain_again(void *ctx, size_t rounds);
static double reduce(void *ctx, size_t rounds);
static double reduce_in_order(void *ctx, size_t rounds);
static double search_changed(void *ctx, size_t rounds);
static double search_again(void *ctx, size_t rounds);
static double refusal(void *ctx, size_t rounds);
static void measure(struct bench *bench, struct work *works, size_t count, size_t runs,
                    double run_ns);
static void need(bool good, const char *what);

static struct work alone[] = {
    {.name = "Ed25519 of a chain of 4", .measure = ed25519},
    {.name = "chain of 4: read, verified, granted", .measure = chain_from_bytes},
    {.name = "chain of 4: asked again", .measure = chain_again},
    {.name = "chain of 4: reduced by search", .measure = reduce},
    {.name = "chain of 4: reduced in order", .measure = reduce_in_order},
};

static struct work crowded[] = {
    {.name = "granted, after something was added", .measure = search_changed},
    {.name = "granted, asked again", .measure = search_again},
    {.name = "refused and explained", .measure = refusal},
};

int main(int argc, char **argv) {
    static struct bench bench;
    static const uint64_t limits[] = {FIGURES_RUNS_MAX, 10000, CERTIFICATES_MAX};
    static const char *const crowds[] = {"strangers", "members", "favours"};
    uint64_t values[] = {11, 100, 1000};
    if (figures_read(argc, argv, limits, values, WRN_COUNT(values)) != 0) {
        fprintf(stderr,
                "usage: micro_spki [RUNS 1..%d [MILLISECONDS_A_RUN 1..10000 "
                "[CERTIFICATES 1..%d]]]\n",
                FIGURES_RUNS_MAX, CERTIFICATES_MAX);
        return 2;
    }
    size_t runs = values[0];
    double run_ns = (double)values[1] * 1e6;
    make_chain(&bench);
    measure(&bench, alone, WRN_COUNT(alone), runs, run_ns);
    double share = 100 * alone[0].ns / alone[1].ns;
    printf("{\"bench\":\"spki\",\"what\":\"share of Ed25519\",\"percent\":%.1f,"
           "\"certificates_per_second\":%.0f}\n",
           share, CHAIN * 1e9 / alone[1].ns);
    printf("\n%-40s %12s\n", "", "us");
    for (size_t i = 0; i < WRN_COUNT(alone); i++) {
        printf("%-40s %12.2f\n", alone[i].name, alone[i].ns / 1e3);
    }
    printf("%-40s %11.1f%%\n", "share of Ed25519 in what is verified", share);
    printf("%-40s %12.0f\n", "certificates a second", CHAIN * 1e9 / alone[1].ns);
    for (size_t crowd = 0; crowd < WRN_COUNT(crowds); crowd++) {
        fill(&bench, (enum crowd)crowd, (uint32_t)values[2]);
        measure(&bench, crowded, WRN_COUNT(crowded), runs, run_ns);
        printf("\nthe chain among %u %s, without signatures\n", (unsigned)values[2], crowds[crowd]);
        for (size_t i = 0; i < WRN_COUNT(crowded); i++) {
            printf("%-40s %12.2f\n", crowded[i].name, crowded[i].ns / 1e3);
        }
    }
    free(bench.small.memory);
    free(bench.large.memory);
    return 0;
}

/* Keys 0 to 4: the verifier trusts 0, 0 certifies 1, and so on; 4 asks. */
static void make_chain(struct bench *bench) {
    char text[TEXT_SIZE];
    struct wrn_sexp_writer writer = wrn_sexp_writer(room(TEXT_SIZE), TEXT_SIZE);
    wrn_sexp_open(&writer, "acl");
    wrn_sexp_open(&writer, "entry");
    wrn_sexp_open(&writer, "subject");
    wrn_sexp_put(&writer, key_of(0));
    wrn_sexp_close(&writer);
    wrn_sexp_open(&writer, "propagate");
    wrn_sexp_close(&writer);
    wrn_sexp_open(&writer, "tag");
    wrn_sexp_put(&writer, read_text("(warren net1)"));
    wrn_sexp_close(&writer);
    wrn_sexp_close(&writer);
    wrn_sexp_close(&writer);
    need(wrn_sexp_finish(&writer, &bench->acl) == 0, "the ACL");
    for (uint32_t i = 0; i < CHAIN; i++) {
        (void)snprintf(text, sizeof(text),
                       "(warren net1 (* set member (address (* prefix \"10.7.\"))%s))",
                       i == CHAIN - 1 ? "" : " relay gateway");
        bench->certs[i] = issue(i, i + 1, i < CHAIN - 1, text);
        bench->chain[i] = sequence_of(i, bench->certs[i]);
        struct wrn_sexp_cursor cursor;
        struct wrn_sexp cert, signature = {{NULL, 0}};
        need(wrn_sexp_enter_named(bench->chain[i], "sequence", &cursor) &&
                 wrn_sexp_take_any(&cursor, &cert) && wrn_sexp_take_any(&cursor, &signature) &&
                 wrn_spki_read_signature(signature, &bench->signatures[i], NULL) == 0,
             "a signature");
        bench->late = signature;
    }
    bench->subject = key_of(CHAIN);
    bench->request = read_text("(warren net1 member)");
    make_heap(&bench->small, CHAIN + 1);
}

static void make_heap(struct heap *heap, uint32_t certificates) {
    free(heap->memory);
    heap->limits = (struct wrn_spki_limits){
        .certs_max = certificates,
        .keys_max = 3 * certificates + 8,
        .bytes_max = 1 << 16,
        .tuples_max = 256,
        .seed = {1, 2},
    };
    heap->size = wrn_spki_size(&heap->limits);
    heap->memory = aligned_alloc(64, heap->size);
    need(heap->memory != NULL, "memory");
    memset(heap->memory, 0, heap->size);
    heap->spki = wrn_spki_init(heap->memory, &heap->limits);
}

/* Half of the crowd before the chain, half behind it. */
static void fill(struct bench *bench, enum crowd crowd, uint32_t count) {
    make_heap(&bench->large, count + CHAIN + 1);
    struct wrn_spki *spki = bench->large.spki;
    need(wrn_spki_add(spki, bench->acl, NULL) == 0, "adding the ACL");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t issuer = crowd == MEMBERS ? CHAIN - 1 : 1000 + 2 * i;
        uint32_t subject = crowd == FAVOURS ? CHAIN : 1001 + 2 * i;
        struct wrn_sexp cert = issue(issuer, subject, crowd != MEMBERS,
                                     "(warren net1 (* set member (address (* prefix \"10.7.\"))))");
        need(wrn_spki_add(spki, sequence_of(issuer, cert), NULL) == 0, "adding to the crowd");
        for (uint32_t j = 0; i == count / 2 && j < CHAIN; j++) {
            need(wrn_spki_add(spki, bench->chain[j], NULL) == 0, "adding the chain");
        }
    }
    ask(bench, spki, WRN_SPKI_GRANTED); /* now its signatures are known to be good */
}

static struct wrn_sexp issue(uint32_t issuer, uint32_t subject, bool may_pass, const char *tag) {
    struct wrn_spki_issue order = {
        .issuer = key_of(issuer),
        .subject = key_of(subject),
        .delegation = may_pass ? WRN_SPKI_DELEGABLE : WRN_SPKI_NOT_DELEGABLE,
        .tag = read_text(tag),
        .validity = {.not_before = {(const uint8_t *)"2026-01-01_00:00:00", 19},
                     .not_after = {(const uint8_t *)"2027-01-01_00:00:00", 19}},
    };
    struct wrn_sexp cert;
    struct wrn_sexp_writer writer = wrn_sexp_writer(room(TEXT_SIZE), TEXT_SIZE);
    wrn_spki_write_cert(&writer, &order, false);
    need(wrn_sexp_finish(&writer, &cert) == 0, "a certificate");
    return cert;
}

static struct wrn_sexp sequence_of(uint32_t issuer, struct wrn_sexp cert) {
    uint8_t seed[WRN_SEED_SIZE];
    struct wrn_sexp sequence;
    struct wrn_sexp_writer writer = wrn_sexp_writer(room(SEQUENCE_SIZE), SEQUENCE_SIZE);
    seed_of(issuer, seed);
    wrn_sexp_open(&writer, "sequence");
    wrn_sexp_put(&writer, cert);
    need(wrn_spki_sign(&writer, cert, seed), "signing");
    wrn_sexp_close(&writer);
    need(wrn_sexp_finish(&writer, &sequence) == 0, "a sequence");
    return sequence;
}

static struct wrn_sexp key_of(uint32_t number) {
    uint8_t seed[WRN_SEED_SIZE], key[WRN_SIGN_PUBLIC_SIZE];
    seed_of(number, seed);
    need(wrn_sign_public(seed, key), "a key");
    return wrn_spki_key_sexp(key, room(WRN_SPKI_KEY_SEXP_SIZE));
}

static void seed_of(uint32_t number, uint8_t seed[WRN_SEED_SIZE]) {
    memset(seed, 0, WRN_SEED_SIZE);
    memcpy(seed, &number, sizeof(number));
}

static struct wrn_sexp read_text(const char *text) {
    struct wrn_sexp sexp;
    wrn_span bytes = {(const uint8_t *)text, strlen(text)};
    size_t capacity = wrn_sexp_capacity(bytes.size);
    need(wrn_sexp_read(WRN_SEXP_ADVANCED, bytes, room(capacity), capacity, &sexp, NULL, NULL) == 0,
         text);
    return sexp;
}

/* Never given back: what is measured refers to it until the end. */
static uint8_t *room(size_t size) {
    static uint8_t *block;
    static size_t left;
    if (size > left) {
        left = 1 << 24;
        block = malloc(left);
        need(block != NULL, "memory");
    }
    left -= size;
    return block + left;
}

static void ask(struct bench *bench, struct wrn_spki *spki, enum wrn_spki_verdict verdict) {
    static struct wrn_spki_answer answer;
    struct wrn_spki_query query = {
        .subjects = &bench->subject,
        .subject_count = 1,
        .request = bench->request,
        .now_s = now_s,
    };
    wrn_spki_ask(spki, &query, &answer);
    need(answer.verdict == verdict, wrn_spki_verdict_text(answer.verdict));
}

/* The same messages as in chain_from_bytes, and nothing else. */
static double ed25519(void *ctx, size_t rounds) {
    struct bench *bench = ctx;
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        for (size_t j = 0; j < CHAIN; j++) {
            const struct wrn_spki_signature *s = &bench->signatures[j];
            need(wrn_sign_verify(s->signer.ed25519, "warren certificate 1", bench->certs[j].bytes,
                                 s->value),
                 "verifying");
        }
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

/* Making and clearing the heap is left out: it lives as long as the program that decides. */
static double chain_from_bytes(void *ctx, size_t rounds) {
    struct bench *bench = ctx;
    struct heap *heap = &bench->small;
    double taken = 0;
    for (size_t i = 0; i < rounds; i++) {
        memset(heap->memory, 0, heap->size);
        heap->spki = wrn_spki_init(heap->memory, &heap->limits);
        double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
        need(wrn_spki_add(heap->spki, bench->acl, NULL) == 0, "adding the ACL");
        for (size_t j = 0; j < CHAIN; j++) {
            need(wrn_spki_add(heap->spki, bench->chain[j], NULL) == 0, "adding the chain");
        }
        ask(bench, heap->spki, WRN_SPKI_GRANTED);
        taken += figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
    }
    return taken;
}

static double ask_again(struct bench *bench, struct wrn_spki *spki, size_t rounds) {
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        ask(bench, spki, WRN_SPKI_GRANTED);
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static double chain_again(void *ctx, size_t rounds) {
    struct bench *bench = ctx;
    return ask_again(bench, bench->small.spki, rounds);
}

static double reduce(void *ctx, size_t rounds) {
    struct bench *bench = ctx;
    uint8_t out[TEXT_SIZE];
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        struct wrn_sexp_writer writer = wrn_sexp_writer(out, sizeof(out));
        wrn_span always = {NULL, 0};
        need(wrn_spki_reduce(bench->small.spki, &bench->subject, 1, bench->request, always,
                             &writer) == 0,
             "reducing");
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static double reduce_in_order(void *ctx, size_t rounds) {
    struct bench *bench = ctx;
    uint8_t out[TEXT_SIZE];
    static struct wrn_spki_answer answer;
    const struct wrn_spki_cert *chain[CHAIN + 1];
    for (size_t i = 0; i < WRN_COUNT(chain); i++) {
        chain[i] = wrn_spki_at(bench->small.spki, i);
    }
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        struct wrn_sexp_writer writer = wrn_sexp_writer(out, sizeof(out));
        wrn_span always = {NULL, 0};
        need(wrn_spki_reduce_chain(bench->small.spki, chain, WRN_COUNT(chain), always, &writer,
                                   &answer) == 1,
             "reducing in order");
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

/* The heap's lists are made anew when something was added, here a signature that it has. */
static double search_changed(void *ctx, size_t rounds) {
    struct bench *bench = ctx;
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        need(wrn_spki_add(bench->large.spki, bench->late, NULL) == 0, "adding");
        ask(bench, bench->large.spki, WRN_SPKI_GRANTED);
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static double search_again(void *ctx, size_t rounds) {
    struct bench *bench = ctx;
    return ask_again(bench, bench->large.spki, rounds);
}

static double refusal(void *ctx, size_t rounds) {
    struct bench *bench = ctx;
    struct wrn_sexp request = bench->request;
    bench->request = read_text("(warren net1 admin)");
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        ask(bench, bench->large.spki, WRN_SPKI_TAG);
    }
    double taken = figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
    bench->request = request;
    return taken;
}

static void measure(struct bench *bench, struct work *works, size_t count, size_t runs,
                    double run_ns) {
    size_t rounds[8];
    for (size_t i = 0; i < count; i++) {
        rounds[i] = figures_rounds(works[i].measure, bench, run_ns);
    }
    for (size_t run = 0; run < runs; run++) {
        for (size_t i = 0; i < count; i++) {
            works[i].runs[run] = works[i].measure(bench, rounds[i]) / (double)rounds[i];
        }
    }
    for (size_t i = 0; i < count; i++) {
        works[i].ns = figures_median(works[i].runs, runs);
        printf("{\"bench\":\"spki\",\"what\":\"%s\",\"ns\":%.0f}\n", works[i].name, works[i].ns);
    }
}

static void need(bool good, const char *what) {
    if (!good) {
        fprintf(stderr, "micro_spki: failed: %s\n", what);
        exit(1);
    }
}
