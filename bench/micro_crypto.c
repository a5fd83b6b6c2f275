/* SPDX-License-Identifier: Apache-2.0 */
/* Measures src/crypto alone, on one core: nanoseconds a packet, a mac, a derivation, an agreement,
 * a signature.
 * Prints JSON lines, then a table. Runs of all cases are interleaved; the median of each counts, in
 * CPU time, so that other programs disturb it less. Does no I/O in between.
 *
 *     micro_crypto [RUNS [MILLISECONDS_A_RUN]] */
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/identity.h"
#include "figures.h"

enum {
    BATCH_MAX = 64,
    SIZE_MAX_MEASURED = 8900,
    ROOM = SIZE_MAX_MEASURED + WRN_TAG_SIZE,
    SIGNED_SIZE = 400, /* as a certificate */
    PROVIDERS = 2,
    AEAD_WORKS = 4 * PROVIDERS * WRN_CIPHERS * 6, /* seal, open; alone, batched; sizes */
};

struct bench {
    struct wrn_crypto *providers[PROVIDERS]; /* libcrypto's, intel-ipsec-mb's or NULL */
    struct wrn_crypto *crypto;               /* the first, or of the work that is under way */
    struct wrn_aead_job seal[BATCH_MAX], open[BATCH_MAX];
    uint8_t plain[BATCH_MAX][ROOM], sealed[BATCH_MAX][ROOM], opened[BATCH_MAX][ROOM];
    uint8_t key[WRN_KEY_SIZE], point[WRN_KEY_SIZE], nonce[WRN_XNONCE_SIZE];
    uint8_t keys[3][WRN_KEY_SIZE];
    uint8_t sign_public[WRN_SIGN_PUBLIC_SIZE];
    uint8_t signature[WRN_SIGNATURE_SIZE], refused[WRN_SIGNATURE_SIZE]; /* of SIGNED_SIZE bytes */
    alignas(WRN_AEAD_EXPANDED_ALIGNMENT) uint8_t expanded[WRN_AEAD_EXPANDED_MAX];
};

/* One thing to measure. 'run' does it once for each packet of the batch. */
struct work {
    const char *name;
    size_t size; /* bytes of input */
    size_t batch;
    void (*run)(struct bench *bench, const struct work *work);
    size_t provider; /* of seal and open */
    enum wrn_cipher cipher;
    bool is_single_use; /* as in a handshake: additional data, no expanded key */
    size_t rounds;      /* calls of 'run' in one timed run */
    double ns[FIGURES_RUNS_MAX], median, min, max;
};

/* What figures_rounds hands on. */
struct task {
    struct bench *bench;
    const struct work *work;
};

static const char *const cipher_names[WRN_CIPHERS] = {
    [WRN_CIPHER_CHACHA20_POLY1305] = "chacha20-poly1305",
    [WRN_CIPHER_AES_256_GCM] = "aes-256-gcm",
};

static const char sign_label[] = "warren bench 1";

static void prepare(struct bench *bench);
static void prepare_batch(struct bench *bench, const struct work *work);
static double measure(void *ctx, size_t rounds);
static size_t add_aeads(struct bench *bench, struct work *ret_works);
static void print_results(const struct bench *bench, struct work *done, size_t count, size_t runs);
static void print_aeads(const struct bench *bench, const struct work *done, size_t count);

static void run_seal(struct bench *bench, const struct work *work) {
    wrn_aead_seal_batch(bench->crypto, bench->seal, work->batch);
}

static void run_open(struct bench *bench, const struct work *work) {
    wrn_aead_open_batch(bench->crypto, bench->open, work->batch);
    WRN_ASSERT(bench->open[0].ok && bench->open[work->batch - 1].ok);
}

static void run_mac(struct bench *bench, const struct work *work) {
    wrn_blake2s_mac(bench->crypto, (wrn_span){bench->key, WRN_KEY_SIZE},
                    (wrn_span){bench->plain[0], work->size}, bench->keys[0]);
}

static void run_hash(struct bench *bench, const struct work *work) {
    wrn_blake2s(bench->crypto, (wrn_span){bench->keys[0], WRN_HASH_SIZE},
                (wrn_span){bench->plain[0], work->size - WRN_HASH_SIZE}, bench->keys[0]);
}

static void run_kdf1(struct bench *bench, const struct work *work) {
    wrn_kdf(bench->crypto, bench->keys[0], (wrn_span){bench->plain[0], work->size}, bench->keys[0],
            NULL, NULL);
}

static void run_kdf2(struct bench *bench, const struct work *work) {
    wrn_kdf(bench->crypto, bench->keys[0], (wrn_span){bench->plain[0], work->size}, bench->keys[0],
            bench->keys[1], NULL);
}

static void run_kdf3(struct bench *bench, const struct work *work) {
    wrn_kdf(bench->crypto, bench->keys[0], (wrn_span){bench->plain[0], work->size}, bench->keys[0],
            bench->keys[1], bench->keys[2]);
}

static void run_x25519(struct bench *bench, const struct work *work) {
    (void)work;
    bool ok = wrn_x25519(bench->crypto, bench->key, bench->point, bench->keys[0]);
    WRN_ASSERT(ok);
}

static void run_x25519_public(struct bench *bench, const struct work *work) {
    (void)work;
    bool ok = wrn_x25519_public(bench->crypto, bench->key, bench->keys[0]);
    WRN_ASSERT(ok);
}

static void run_cookie(struct bench *bench, const struct work *work) {
    wrn_xaead_seal(bench->crypto, bench->key, bench->nonce, (wrn_span){bench->plain[1], 16},
                   bench->plain[0], work->size, bench->sealed[0]);
}

static void run_sign_public(struct bench *bench, const struct work *work) {
    (void)work;
    bool ok = wrn_sign_public(bench->key, bench->sign_public);
    WRN_ASSERT(ok);
}

static void run_sign(struct bench *bench, const struct work *work) {
    wrn_span message = {bench->plain[0], work->size};
    bool ok = wrn_sign(bench->key, sign_label, message, bench->signature);
    WRN_ASSERT(ok);
}

static void run_verify(struct bench *bench, const struct work *work) {
    wrn_span message = {bench->plain[0], work->size};
    bool ok = wrn_sign_verify(bench->sign_public, sign_label, message, bench->signature);
    WRN_ASSERT(ok);
}

/* Refused by the last of the strict checks, before any arithmetic. */
static void run_strict(struct bench *bench, const struct work *work) {
    wrn_span message = {bench->plain[0], work->size};
    bool ok = wrn_sign_verify_pure(bench->sign_public, message, bench->refused);
    WRN_ASSERT(!ok);
}

static void run_sha256(struct bench *bench, const struct work *work) {
    wrn_sha256((wrn_span){bench->plain[0], work->size}, (wrn_span){NULL, 0}, bench->keys[0]);
}

static void run_hit(struct bench *bench, const struct work *work) {
    (void)work;
    wrn_hit(bench->sign_public, bench->keys[0]);
}

static void run_tunnel_key(struct bench *bench, const struct work *work) {
    (void)work;
    wrn_tunnel_key(bench->crypto, bench->key, (wrn_span){0}, bench->keys[0]);
}

static void run_expand(struct bench *bench, const struct work *work) {
    wrn_aead_expand(bench->crypto, work->cipher, bench->key, bench->expanded);
}

static struct work works[AEAD_WORKS + 32];

static const struct work others[] = {
    {.name = "mac1 of an initiation", .size = 116, .batch = 1, .run = run_mac},
    {.name = "hash into a transcript", .size = 64, .batch = 1, .run = run_hash},
    {.name = "kdf, 1 key", .size = 32, .batch = 1, .run = run_kdf1},
    {.name = "kdf, 2 keys", .size = 32, .batch = 1, .run = run_kdf2},
    {.name = "kdf, 3 keys", .size = 32, .batch = 1, .run = run_kdf3},
    {.name = "x25519", .size = 32, .batch = 1, .run = run_x25519},
    {.name = "x25519 public key", .size = 32, .batch = 1, .run = run_x25519_public},
    {.name = "cookie sealed", .size = 16, .batch = 1, .run = run_cookie},
    {.name = "ed25519 public key", .size = 32, .batch = 1, .run = run_sign_public},
    {.name = "ed25519 sign", .size = SIGNED_SIZE, .batch = 1, .run = run_sign},
    {.name = "ed25519 verify", .size = SIGNED_SIZE, .batch = 1, .run = run_verify},
    {.name = "  its strict checks", .size = SIGNED_SIZE, .batch = 1, .run = run_strict},
    {.name = "sha-256 of a key", .size = 80, .batch = 1, .run = run_sha256},
    {.name = "hit", .size = 32, .batch = 1, .run = run_hit},
    {.name = "tunnel key", .size = 32, .batch = 1, .run = run_tunnel_key},
    {.name = "aes-256-gcm key expanded",
     .size = 32,
     .batch = 1,
     .run = run_expand,
     .provider = 1,
     .cipher = WRN_CIPHER_AES_256_GCM},
};

int main(int argc, char **argv) {
    static struct bench bench;
    static const uint64_t limits[] = {FIGURES_RUNS_MAX, 10000};
    uint64_t values[] = {9, 20};
    if (figures_read(argc, argv, limits, values, WRN_COUNT(values)) != 0) {
        fprintf(stderr, "usage: micro_crypto [RUNS 1..%d [MILLISECONDS_A_RUN 1..10000]]\n",
                FIGURES_RUNS_MAX);
        return 2;
    }
    size_t runs = values[0];
    double run_ns = (double)values[1] * 1e6;
    int error = wrn_crypto_create(WRN_CRYPTO_OPENSSL, &bench.providers[0]);
    if (error) {
        fprintf(stderr, "micro_crypto: libcrypto cannot be used: %s\n", strerror(-error));
        return 1;
    }
    error = wrn_crypto_create(WRN_CRYPTO_IPSEC_MB, &bench.providers[1]);
    if (error) {
        fprintf(stderr, "micro_crypto: intel-ipsec-mb cannot be used here and is left out\n");
        bench.providers[1] = NULL;
    }
    prepare(&bench);
    size_t count = add_aeads(&bench, works);
    for (size_t i = 0; i < WRN_COUNT(others); i++) {
        if (bench.providers[others[i].provider]) {
            works[count++] = others[i];
        }
    }
    for (size_t i = 0; i < count; i++) {
        works[i].rounds = figures_rounds(measure, &(struct task){&bench, &works[i]}, run_ns);
    }
    for (size_t run = 0; run < runs; run++) {
        for (size_t i = 0; i < count; i++) {
            struct task task = {&bench, &works[i]};
            size_t packets = works[i].rounds * works[i].batch;
            works[i].ns[run] = measure(&task, works[i].rounds) / (double)packets;
        }
    }
    print_results(&bench, works, count, runs);
    wrn_crypto_destroy(bench.providers[0]);
    wrn_crypto_destroy(bench.providers[1]);
    return 0;
}

/* Seal and open for every cipher, size and provider there is, alone and in a batch. */
static size_t add_aeads(struct bench *bench, struct work *ret_works) {
    static const size_t sizes[] = {0, 32, 64, 576, 1420, SIZE_MAX_MEASURED};
    size_t count = 0;
    for (size_t i = 0; i < AEAD_WORKS; i++) {
        struct work work = {
            .name = i / 2 % 2 == 0 ? "seal" : "open",
            .run = i / 2 % 2 == 0 ? run_seal : run_open,
            .provider = i % PROVIDERS,
            .cipher = (enum wrn_cipher)(i / (AEAD_WORKS / WRN_CIPHERS)),
            .batch = i / 4 % 2 == 0 ? 1 : BATCH_MAX,
            .size = sizes[i / 8 % WRN_COUNT(sizes)],
        };
        work.is_single_use = work.size == 32;
        if (bench->providers[work.provider]) {
            ret_works[count++] = work;
        }
    }
    return count;
}

/* Any bytes will do: none of this takes a time that depends on them. */
static void prepare(struct bench *bench) {
    for (size_t i = 0; i < sizeof(bench->plain); i++) {
        ((uint8_t *)bench->plain)[i] = (uint8_t)(i * 7);
    }
    for (size_t i = 0; i < WRN_KEY_SIZE; i++) {
        bench->key[i] = (uint8_t)(i + 1);
    }
    bench->point[0] = 9;
    bool ok = wrn_sign_public(bench->key, bench->sign_public) &&
              wrn_sign(bench->key, sign_label, (wrn_span){bench->plain[0], SIGNED_SIZE},
                       bench->signature);
    WRN_ASSERT(ok);
    memcpy(bench->refused, bench->signature, WRN_SIGNATURE_SIZE);
    bench->refused[WRN_SIGNATURE_SIZE - 1] |= 0x80;
}

/* Sealing reads one set of buffers and writes another, and opening a third, so that each call of a
 * batch does the same as the call before. */
static void prepare_batch(struct bench *bench, const struct work *work) {
    const void *expanded = NULL;
    wrn_span aad = {work->is_single_use ? bench->plain[0] : NULL, work->is_single_use ? 32 : 0};
    bench->crypto = bench->providers[work->provider];
    if (wrn_aead_expanded_size(bench->crypto, work->cipher) > 0 && !work->is_single_use) {
        wrn_aead_expand(bench->crypto, work->cipher, bench->key, bench->expanded);
        expanded = bench->expanded;
    }
    for (size_t i = 0; i < work->batch; i++) {
        bench->seal[i] = (struct wrn_aead_job){.key = bench->key,
                                               .expanded = expanded,
                                               .cipher = work->cipher,
                                               .aad = aad,
                                               .counter = i,
                                               .in = bench->plain[i],
                                               .out = bench->sealed[i],
                                               .size = work->size};
        bench->open[i] = bench->seal[i];
        bench->open[i].in = bench->sealed[i];
        bench->open[i].out = bench->opened[i];
    }
    if (work->run == run_open) {
        wrn_aead_seal_batch(bench->crypto, bench->seal, work->batch);
    }
}

static double measure(void *ctx, size_t rounds) {
    struct task *task = ctx;
    prepare_batch(task->bench, task->work);
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        task->work->run(task->bench, task->work);
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static void print_results(const struct bench *bench, struct work *done, size_t count, size_t runs) {
    for (size_t i = 0; i < count; i++) {
        struct work *work = &done[i];
        work->median = figures_median(work->ns, runs);
        work->min = work->ns[0];
        work->max = work->ns[runs - 1];
        bool is_aead = work->run == run_seal || work->run == run_open;
        const char *provider = wrn_crypto_provider_name(bench->providers[work->provider]);
        printf("{\"bench\":\"micro_crypto\",\"case\":\"%s\",\"provider\":\"%s\",\"cipher\":\"%s\","
               "\"size\":%zu,\"batch\":%zu,\"runs\":%zu,\"ns\":%.1f,\"ns_min\":%.1f,"
               "\"ns_max\":%.1f}\n",
               work->name, provider, is_aead ? cipher_names[work->cipher] : "", work->size,
               work->batch, runs, work->median, work->min, work->max);
    }
    print_aeads(bench, done, count);
    printf("\n%-24s %6s %10s %10s %10s\n", "what", "bytes", "median ns", "min ns", "max ns");
    for (size_t i = 0; i < count; i++) {
        if (done[i].run != run_seal && done[i].run != run_open) {
            printf("%-24s %6zu %10.0f %10.0f %10.0f\n", done[i].name, done[i].size, done[i].median,
                   done[i].min, done[i].max);
        }
    }
}

/* A line a cipher, size and batch, which come one after the other. */
static void print_aeads(const struct bench *bench, const struct work *done, size_t count) {
    const struct work *line = NULL;
    printf("\nmedian nanoseconds a packet; with 32 bytes as in a handshake: a new key, 32 bytes of "
           "additional data\n%-18s %6s %6s",
           "cipher", "bytes", "batch");
    for (size_t i = 0; i < (size_t)2 * PROVIDERS; i++) {
        if (bench->providers[i % PROVIDERS]) {
            printf("  %s %s", i < PROVIDERS ? "seal," : "open,",
                   wrn_crypto_provider_name(bench->providers[i % PROVIDERS]));
        }
    }
    for (size_t i = 0; i < count && (done[i].run == run_seal || done[i].run == run_open); i++) {
        const struct work *work = &done[i];
        if (!line || line->size != work->size || line->batch != work->batch ||
            line->cipher != work->cipher) {
            line = work;
            printf("\n%-18s %6zu %6zu", cipher_names[work->cipher], work->size, work->batch);
        }
        printf("  %*.0f",
               (int)(6 + strlen(wrn_crypto_provider_name(bench->providers[work->provider]))),
               work->median);
    }
    printf("\n");
}
