/* SPDX-License-Identifier: Apache-2.0 */
/* Random graphs of certificates: drawing, writing, printing. Decides nothing about them. */
#include "model/spki_graph.h"

#include <stdio.h>
#include <stdlib.h>

#include "spki/cert.h"

static void draw_cert(struct wrn_prng *prng, const struct graph *graph, struct graph_cert *cert);
static struct graph_subject draw_subject(struct wrn_prng *prng, const struct graph *graph,
                                         unsigned depth);
static struct graph_span draw_span(struct wrn_prng *prng);
static void draw_crl(struct wrn_prng *prng, struct graph *graph, struct graph_crl *crl);
static void draw_chain(struct wrn_prng *prng, struct graph *graph);
static struct tree *write_cert(const struct graph *graph, const struct graph_cert *cert);
static struct tree *write_subject(const struct graph *graph, const struct graph_subject *subject);
static struct tree *write_span(const struct graph_span *span);
static struct tree *write_crl(const struct graph *graph, const struct graph_crl *crl);

/* ---- Keys */

static uint8_t seeds[GRAPH_KEYS_MAX + 1][WRN_SEED_SIZE];
static uint8_t publics[GRAPH_KEYS_MAX + 1][WRN_SIGN_PUBLIC_SIZE];

static void make_keys(void) {
    if (seeds[0][0] != 0) {
        return;
    }
    for (unsigned i = 0; i <= GRAPH_KEYS_MAX; i++) {
        memset(seeds[i], (int)i + 1, WRN_SEED_SIZE);
        if (!wrn_sign_public(seeds[i], publics[i])) {
            abort();
        }
    }
}

static struct tree *key_tree(const struct graph *graph, unsigned key) {
    struct tree *inner;
    if (graph->is_opaque) {
        char name[8];
        snprintf(name, sizeof name, "k%u", key);
        inner = tree_word(name);
    } else {
        make_keys();
        inner = tree_add(tree_named("ed25519"),
                         tree_atom((wrn_span){publics[key], WRN_SIGN_PUBLIC_SIZE}));
    }
    return tree_add(tree_named("public-key"), inner);
}

static struct tree *hash_tree(const struct tree *object) {
    uint8_t hash[WRN_SHA256_SIZE];
    wrn_sha256(tree_canonical(object), (wrn_span){0}, hash);
    return tree_add(tree_add(tree_named("hash"), tree_word("sha256")),
                    tree_atom((wrn_span){hash, sizeof hash}));
}

struct tree *graph_principal(const struct graph *graph, unsigned key, bool is_by_hash) {
    struct tree *tree = key_tree(graph, key);
    return is_by_hash ? hash_tree(tree) : tree;
}

int graph_key_of(const struct graph *graph, const struct tree *principal) {
    for (unsigned i = 0; i < graph->key_count; i++) {
        if (tree_equal(graph_principal(graph, i, false), principal) ||
            tree_equal(graph_principal(graph, i, true), principal)) {
            return (int)i;
        }
    }
    return -1;
}

/* ---- Dates */

wrn_span graph_date(int at) {
    char text[32];
    if (at <= 0 || at >= GRAPH_FOREVER) {
        return (wrn_span){0};
    }
    snprintf(text, sizeof text, "2030-01-01_00:00:%02d", at % 60);
    return tree_word(text)->bytes;
}

int graph_date_read(wrn_span date, int if_empty) {
    static const char begin[] = "2030-01-01_00:00:";
    if (date.size == 0) {
        return if_empty;
    }
    if (date.size != 19 || memcmp(date.data, begin, 17) != 0) {
        return -1;
    }
    return 10 * (date.data[17] - '0') + date.data[18] - '0';
}

int64_t graph_seconds(int at) {
    return INT64_C(1893456000) + at; /* 2030-01-01 00:00:00 UTC */
}

/* ---- Drawing */

static struct tree *words(const char *first, const char *second, const char *third) {
    struct tree *list = tree_named(first);
    if (second) {
        tree_add(list, tree_word(second));
    }
    if (third) {
        tree_add(list, tree_word(third));
    }
    return list;
}

/* The tags of certificates and requests; their intersections are all exact. */
static struct tree *family_tag(unsigned which) {
    struct tree *set = words("*", "set", NULL);
    switch (which) {
    default:
        return tree_named("*");
    case 1:
        return tree_named("foo");
    case 2:
        return words("foo", "bar", NULL);
    case 3:
        tree_add(tree_add(set, tree_word("bar")), tree_word("baz"));
        return tree_add(tree_named("foo"), set);
    case 4:
        return tree_add(tree_named("foo"), words("*", "prefix", "ba"));
    case 5:
        return words("foo", "bar", "x");
    case 6:
        return tree_add(tree_add(set, words("foo", "bar", NULL)), tree_word("quux"));
    case 7:
        return tree_word("quux");
    case 8:
        return words("foo", "baz", NULL);
    case 9:
        tree_add(tree_add(set, tree_named("bar")), words("foo", "bax", "y"));
        return tree_add(set, words("foo", "bar", "x"));
    }
}

struct tree *graph_draw_request(struct wrn_prng *prng) {
    /* Mostly narrow ones. */
    static const uint8_t narrow[] = {5, 5, 5, 2, 2, 7, 8, 3, 1, 9, 0};
    return family_tag(narrow[tree_draw(prng, WRN_COUNT(narrow))]);
}

/* Mostly wide ones, so that chains hold. */
static struct tree *draw_tag(struct wrn_prng *prng) {
    static const uint8_t wide[] = {0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 4, 5, 6, 7, 9};
    return family_tag(wide[tree_draw(prng, WRN_COUNT(wide))]);
}

void graph_draw(struct wrn_prng *prng, struct graph *graph, bool is_study, size_t certs) {
    memset(graph, 0, sizeof *graph);
    graph->is_study = is_study;
    graph->mood = (enum graph_mood)tree_draw(prng, 5);
    graph->cert_count = 1 + tree_draw(prng, (uint32_t)certs);
    /* Few keys to few certificates, so that they meet. */
    size_t keys = 2 + graph->cert_count / (tree_draw(prng, 3) ? 2 : 5);
    graph->key_count = keys < GRAPH_KEYS_MAX ? keys : GRAPH_KEYS_MAX;
    for (size_t i = 0; i < graph->cert_count; i++) {
        draw_cert(prng, graph, &graph->certs[i]);
    }
    graph->certs[0].is_entry = true;
    if (tree_draw(prng, 2) == 0) {
        draw_chain(prng, graph);
    }
    for (size_t i = 0; i < graph->cert_count; i++) {
        struct graph_cert *cert = &graph->certs[i];
        if (cert->is_entry) {
            cert->name = -1;
            cert->sign = GRAPH_SIGNED;
        }
        if (cert->name >= 0) {
            cert->pass = GRAPH_PASS_NONE;
            cert->only = 0;
        }
    }
    size_t spared = graph->mood == GRAPH_OF_ONLINE ? 0 : GRAPH_CRLS_MAX;
    for (size_t i = tree_draw(prng, (uint32_t)(GRAPH_CRLS_MAX + spared)) + 1; i > spared; i--) {
        draw_crl(prng, graph, &graph->crls[graph->crl_count++]);
    }
    graph->is_opaque = is_study && graph->crl_count == 0;
}

static void draw_cert(struct wrn_prng *prng, const struct graph *graph, struct graph_cert *cert) {
    uint32_t keys = (uint32_t)graph->key_count;
    cert->is_entry = tree_draw(prng, 6) == 0;
    cert->issuer = tree_draw(prng, keys);
    cert->is_issuer_by_hash = tree_draw(prng, 6) == 0;
    unsigned nameless = graph->mood == GRAPH_OF_NAMES ? 2 : 4;
    cert->name = tree_draw(prng, nameless) == 0 ? (int)tree_draw(prng, 2) : -1;
    cert->subject = draw_subject(prng, graph, 2);
    unsigned dice = tree_draw(prng, 10);
    dice = graph->mood == GRAPH_OF_ONLY && tree_draw(prng, 2) ? 9 : dice;
    cert->pass = dice < 6 ? GRAPH_PASS_ANY : dice < 8 ? GRAPH_PASS_NONE : GRAPH_PASS_ONLY;
    while (cert->pass == GRAPH_PASS_ONLY && (cert->only == 0 || tree_draw(prng, 2))) {
        cert->only |= UINT32_C(1) << tree_draw(prng, keys);
    }
    cert->tag = draw_tag(prng);
    cert->span = draw_span(prng);
    dice = tree_draw(prng, 40);
    cert->sign = dice == 0   ? GRAPH_NOT_SIGNED
                 : dice == 1 ? GRAPH_CHANGED
                 : dice == 2 ? GRAPH_OF_ANOTHER
                             : GRAPH_SIGNED;
    if (graph->is_study) {
        cert->sign = GRAPH_SIGNED;
    }
    dice = tree_draw(prng, graph->mood == GRAPH_OF_ONLINE ? 12 : 60);
    cert->online = dice < 4    ? GRAPH_CRL
                   : dice < 6  ? GRAPH_REVAL
                   : dice == 6 ? GRAPH_ONE_TIME
                               : GRAPH_OFFLINE;
    cert->online_by = tree_draw(prng, 2) ? cert->issuer : tree_draw(prng, keys);
}

static struct graph_subject draw_subject(struct wrn_prng *prng, const struct graph *graph,
                                         unsigned depth) {
    struct graph_subject subject = {.key = tree_draw(prng, (uint32_t)graph->key_count)};
    unsigned dice = tree_draw(prng, 20);
    bool is_moody = tree_draw(prng, 3) == 0;
    dice = is_moody && graph->mood == GRAPH_OF_NAMES        ? 14
           : is_moody && graph->mood == GRAPH_OF_THRESHOLDS ? 17
                                                            : dice;
    subject.is_by_hash = tree_draw(prng, 6) == 0;
    if (dice < 14 || (depth == 0 && dice >= 17)) {
        return subject;
    }
    if (dice < 17) {
        subject.kind = GRAPH_NAME;
        subject.name_count = 1 + (tree_draw(prng, 4) == 0);
        for (size_t i = 0; i < subject.name_count; i++) {
            subject.names[i] = (uint8_t)tree_draw(prng, 2);
        }
        return subject;
    }
    subject.kind = GRAPH_THRESHOLD;
    subject.part_count = 1 + tree_draw(prng, 4);
    subject.k = 1 + tree_draw(prng, (uint32_t)(subject.part_count < 3 ? subject.part_count : 3));
    struct graph_subject *parts = tree_alloc(subject.part_count * sizeof *parts);
    for (size_t i = 0; i < subject.part_count; i++) {
        parts[i] = draw_subject(prng, graph, depth - 1);
    }
    subject.parts = parts;
    return subject;
}

static struct graph_span draw_span(struct wrn_prng *prng) {
    struct graph_span span = {0, GRAPH_FOREVER};
    if (tree_draw(prng, 3) == 0) {
        span.from = 2 + 2 * (int)tree_draw(prng, tree_draw(prng, 4) ? 5 : 10);
    }
    if (tree_draw(prng, 2) == 0) {
        span.until = 20 - 2 * (int)tree_draw(prng, tree_draw(prng, 4) ? 5 : 10);
    }
    if (span.from > span.until) {
        span = (struct graph_span){span.until, span.from};
    }
    return span;
}

/* A CRL of one of the issuers, later than his others, which mostly names what they name. */
static void draw_crl(struct wrn_prng *prng, struct graph *graph, struct graph_crl *crl) {
    const struct graph_cert *cert;
    unsigned tries = 0;
    do { /* rather for a certificate that demands one */
        cert = &graph->certs[tree_draw(prng, (uint32_t)graph->cert_count)];
    } while (cert->online == GRAPH_OFFLINE && ++tries < 10);
    bool is_wanted = cert->online != GRAPH_OFFLINE && tree_draw(prng, 6);
    crl->issuer = is_wanted ? cert->online_by : cert->issuer;
    crl->is_reval = is_wanted ? cert->online == GRAPH_REVAL : tree_draw(prng, 4) == 0;
    crl->span.from = 2 + 2 * (int)tree_draw(prng, 6);
    for (const struct graph_crl *other = graph->crls; other < crl; other++) {
        if (other->issuer == crl->issuer && !other->is_reval && !crl->is_reval) {
            if (other->span.from >= crl->span.from) {
                crl->span.from = other->span.from + 1;
            }
            if (tree_draw(prng, 4) > 0) {
                memcpy(crl->canceled, other->canceled, sizeof crl->canceled);
                crl->count = other->count;
            }
        }
    }
    bool is_lasting = !crl->is_reval && tree_draw(prng, 3) > 0;
    crl->span.until = is_lasting ? GRAPH_FOREVER : crl->span.from + (int)tree_draw(prng, 9);
    if (crl->is_reval && is_wanted) {
        crl->canceled[crl->count++] = (size_t)(cert - graph->certs);
    }
    for (unsigned i = tree_draw(prng, 3) + crl->is_reval; i > 0; i--) {
        if (crl->count < GRAPH_CANCELED_MAX) {
            crl->canceled[crl->count++] = tree_draw(prng, (uint32_t)graph->cert_count);
        }
    }
    crl->sign = tree_draw(prng, 12) == 0 && !graph->is_study ? GRAPH_CHANGED : GRAPH_SIGNED;
}

/* Makes certificates that give a name to a key, by way of others if it has several words. */
static void draw_naming(struct wrn_prng *prng, struct graph *graph,
                        const struct graph_subject *name, unsigned key, size_t *next) {
    unsigned at = name->key;
    for (size_t i = 0; i < name->name_count && *next < graph->cert_count; i++) {
        struct graph_cert *cert = &graph->certs[(*next)++];
        bool is_last = i + 1 == name->name_count;
        cert->is_entry = false;
        cert->issuer = at;
        cert->name = name->names[i];
        at = is_last ? key : tree_draw(prng, (uint32_t)graph->key_count);
        cert->subject = (struct graph_subject){.key = at, .is_by_hash = tree_draw(prng, 4) == 0};
        cert->online = GRAPH_OFFLINE;
    }
}

/* Makes the first certificates a chain of up to 16, most of whose links hold. */
static void draw_chain(struct wrn_prng *prng, struct graph *graph) {
    size_t length = 1 + tree_draw(prng, 16);
    length = length < graph->cert_count ? length : graph->cert_count;
    size_t named = length; /* what is behind the chain gives the names in it */
    unsigned key = 0;
    for (size_t i = 0; i < length; i++) {
        struct graph_cert *cert = &graph->certs[i];
        cert->is_entry = i == 0;
        cert->name = -1;
        cert->issuer = key;
        key = (key + 1 + tree_draw(prng, 3)) % (unsigned)graph->key_count;
        if (cert->subject.kind == GRAPH_NAME && named < graph->cert_count) {
            draw_naming(prng, graph, &cert->subject, key, &named);
        } else if (cert->subject.kind == GRAPH_KEY || tree_draw(prng, 2)) {
            bool is_by_hash = cert->subject.is_by_hash;
            cert->subject = (struct graph_subject){.key = key, .is_by_hash = is_by_hash};
        }
        if (tree_draw(prng, 8)) {
            cert->pass = graph->mood == GRAPH_OF_ONLY ? cert->pass : GRAPH_PASS_ANY;
            cert->only = graph->mood == GRAPH_OF_ONLY ? cert->only : 0;
            cert->span.from = cert->span.from > 12 ? 12 : cert->span.from;
            cert->span.until = cert->span.until < 10 ? 10 : cert->span.until;
            cert->tag = family_tag(tree_draw(prng, 2));
            cert->online = graph->mood == GRAPH_OF_ONLINE ? cert->online : GRAPH_OFFLINE;
        }
        if (cert->span.from > cert->span.until) {
            cert->span.from = 0;
        }
    }
}

/* ---- Writing */

void graph_write(struct graph *graph) {
    for (size_t i = 0; i < graph->cert_count; i++) {
        graph->certs[i].object = write_cert(graph, &graph->certs[i]);
    }
    for (size_t i = 0; i < graph->cert_count; i++) {
        for (size_t k = graph->cert_count - 1; k > i; k--) {
            struct graph_cert *one = &graph->certs[i], *other = &graph->certs[k];
            if (tree_equal(one->object, other->object)) {
                one->sign = other->sign == GRAPH_SIGNED ? GRAPH_SIGNED : one->sign;
                graph_drop_cert(graph, k);
            }
        }
    }
    for (size_t i = 0; i < graph->crl_count; i++) {
        graph->crls[i].object = write_crl(graph, &graph->crls[i]);
    }
}

void graph_drop_cert(struct graph *graph, size_t index) {
    for (size_t i = 0; i < graph->crl_count; i++) {
        struct graph_crl *crl = &graph->crls[i];
        size_t left = 0;
        for (size_t k = 0; k < crl->count; k++) {
            if (crl->canceled[k] != index) {
                crl->canceled[left++] = crl->canceled[k] - (crl->canceled[k] > index);
            }
        }
        crl->count = left;
        if (left == 0 && crl->is_reval) {
            graph_drop_crl(graph, i--);
        }
    }
    graph->cert_count--;
    memmove(&graph->certs[index], &graph->certs[index + 1],
            (graph->cert_count - index) * sizeof graph->certs[0]);
}

void graph_drop_crl(struct graph *graph, size_t index) {
    graph->crl_count--;
    memmove(&graph->crls[index], &graph->crls[index + 1],
            (graph->crl_count - index) * sizeof graph->crls[0]);
}

static const char *const name_words[] = {"mary", "joe"};

static struct tree *write_cert(const struct graph *graph, const struct graph_cert *cert) {
    static const char *const kinds[] = {"", "crl", "reval", "one-time"};
    struct tree *object = tree_named(cert->is_entry ? "entry" : "cert");
    struct tree *issuer = graph_principal(graph, cert->issuer, cert->is_issuer_by_hash);
    if (cert->name >= 0) {
        issuer = tree_add(tree_add(tree_named("name"), issuer), tree_word(name_words[cert->name]));
    }
    if (!cert->is_entry) {
        tree_add(object, tree_add(tree_named("issuer"), issuer));
    }
    tree_add(object, tree_add(tree_named("subject"), write_subject(graph, &cert->subject)));
    if (cert->pass != GRAPH_PASS_NONE) {
        struct tree *propagate = tree_named("propagate"), *only = tree_named("only");
        for (unsigned i = 0; i < graph->key_count; i++) {
            if (cert->only >> i & 1) {
                tree_add(only, graph_principal(graph, i, i % 3 == 0));
            }
        }
        tree_add(object, cert->pass == GRAPH_PASS_ONLY ? tree_add(propagate, only) : propagate);
    }
    if (cert->name < 0) {
        tree_add(object, tree_add(tree_named("tag"), cert->tag));
    }
    struct tree *valid = write_span(&cert->span);
    if (cert->online != GRAPH_OFFLINE) {
        struct tree *online = tree_add(tree_named("online"), tree_word(kinds[cert->online]));
        tree_add(online, tree_named("uri"));
        tree_add(online, graph_principal(graph, cert->online_by, false));
        valid = valid ? valid : tree_named("valid");
        tree_add(valid, online);
    }
    if (valid) {
        tree_add(object, valid);
    }
    return object;
}

static struct tree *write_subject(const struct graph *graph, const struct graph_subject *subject) {
    if (subject->kind == GRAPH_THRESHOLD) {
        char k[8], n[8];
        snprintf(k, sizeof k, "%u", subject->k);
        snprintf(n, sizeof n, "%zu", subject->part_count);
        struct tree *object = words("k-of-n", k, n);
        for (size_t i = 0; i < subject->part_count; i++) {
            tree_add(object, write_subject(graph, &subject->parts[i]));
        }
        return object;
    }
    struct tree *principal = graph_principal(graph, subject->key, subject->is_by_hash);
    if (subject->kind == GRAPH_KEY) {
        return principal;
    }
    struct tree *object = tree_add(tree_named("name"), principal);
    for (size_t i = 0; i < subject->name_count; i++) {
        tree_add(object, tree_word(name_words[subject->names[i]]));
    }
    return object;
}

static struct tree *write_span(const struct graph_span *span) {
    struct tree *valid = tree_named("valid");
    if (graph_date(span->from).size > 0) {
        tree_add(valid, tree_add(tree_named("not-before"), tree_atom(graph_date(span->from))));
    }
    if (graph_date(span->until).size > 0) {
        tree_add(valid, tree_add(tree_named("not-after"), tree_atom(graph_date(span->until))));
    }
    return valid->count > 1 ? valid : NULL;
}

static struct tree *write_crl(const struct graph *graph, const struct graph_crl *crl) {
    struct tree *object = tree_named(crl->is_reval ? "reval" : "crl");
    struct tree *named = tree_named(crl->is_reval ? "cert" : "canceled");
    tree_add(object, tree_add(tree_named("issuer"), graph_principal(graph, crl->issuer, false)));
    for (size_t i = 0; i < (crl->is_reval ? 1 : crl->count); i++) {
        tree_add(named, hash_tree(graph->certs[crl->canceled[i]].object));
    }
    return tree_add(tree_add(object, named), write_span(&crl->span));
}

struct tree *graph_sign_of(const struct graph *graph, const struct tree *object, unsigned issuer,
                           enum graph_sign sign) {
    static uint8_t bytes[512];
    if (graph->is_study || sign == GRAPH_NOT_SIGNED) {
        return NULL;
    }
    make_keys();
    struct wrn_sexp_writer out = wrn_sexp_writer(bytes, sizeof bytes);
    struct wrn_sexp sexp;
    const uint8_t *seed = seeds[sign == GRAPH_OF_ANOTHER ? GRAPH_KEYS_MAX : issuer];
    if (wrn_sexp_check(tree_canonical(object), &sexp, NULL) != 0 ||
        !wrn_spki_sign(&out, sexp, seed) || wrn_sexp_finish(&out, &sexp) != 0) {
        abort();
    }
    struct tree *signature = tree_read(sexp.bytes);
    if (sign == GRAPH_CHANGED) {
        struct tree *value = signature->at[3]->at[1];
        ((uint8_t *)(uintptr_t)value->bytes.data)[5] ^= 1;
    }
    return signature;
}

void graph_print(const struct graph *graph) {
    static const char *const signs[] = {"", "   ; not signed", "   ; signature changed",
                                        "   ; signed by another"};
    for (size_t i = 0; i < graph->cert_count; i++) {
        fprintf(stderr, "  %zu: %s%s\n", i, tree_show(graph->certs[i].object),
                signs[graph->certs[i].sign]);
    }
    for (size_t i = 0; i < graph->crl_count; i++) {
        fprintf(stderr, "  %s%s\n", tree_show(graph->crls[i].object), signs[graph->crls[i].sign]);
    }
}
