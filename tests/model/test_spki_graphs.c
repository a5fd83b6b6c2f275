/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the prover grants what follows from the certificates and nothing else, for as long as it
 * follows, and shows a proof or a true reason.
 * Method: random graphs with chains, names, thresholds, cycles, CRLs and bad signatures; every
 * answer is compared with that of a naive prover, and every chain shown is proved again by it. */
#include "spki/prove.h"

#include <stdio.h>

#include "model/spki_graph.h"
#include "unit/base/check.h"

enum { JOBS_MAX = 8, CHAIN_MAX = 16 };

enum job_kind { ASK, REDUCE, CHAIN };

struct job {
    enum job_kind kind;
    uint32_t subjects;    /* REDUCE: none is all */
    struct tree *request; /* REDUCE: may be NULL */
    int now;              /* REDUCE and CHAIN: 0 is at any time */
    size_t chain[CHAIN_MAX];
    size_t chain_count;
};

/* A graph, and what is asked of one heap of its certificates, in turn. */
struct trial {
    struct graph graph;
    struct job jobs[JOBS_MAX];
    size_t job_count;
    uint64_t seed, index; /* also of the order of adding */
};

static struct {
    size_t asked, granted, by_names, by_thresholds, skipped, reduced, entries, chains, continued;
    size_t verdicts[WRN_SPKI_TOO_LARGE + 1];
} counts;

static void *memory;
static uint8_t out_bytes[1 << 20];

/* ---- The heap */

static struct wrn_sexp to_sexp(const struct tree *tree) {
    struct wrn_sexp sexp;
    CHECK(wrn_sexp_check(tree_canonical(tree), &sexp, NULL) == 0, "%s: ", tree_show(tree));
    return sexp;
}

static void add(struct wrn_spki *spki, const struct tree *tree) {
    struct wrn_spki_error error;
    int status = wrn_spki_add(spki, to_sexp(tree), &error);
    CHECK(status == 0, "%s: %d, %s: ", tree_show(tree), status, wrn_spki_fault_text(error.fault));
}

/* An object and its signature, in a sequence or each on its own. */
static void add_signed(struct wrn_spki *spki, struct wrn_prng *prng, struct tree *object,
                       struct tree *signature) {
    if (signature && tree_draw(prng, 2)) {
        add(spki, tree_add(tree_add(tree_named("sequence"), object), signature));
    } else if (signature && tree_draw(prng, 2)) {
        add(spki, signature);
        add(spki, object);
    } else {
        add(spki, object);
        if (signature) {
            add(spki, signature);
        }
    }
}

static struct wrn_spki *load(const struct trial *trial) {
    const struct wrn_spki_limits limits = {.certs_max = 64,
                                           .keys_max = 256,
                                           .crls_max = 8,
                                           .bytes_max = 1 << 20,
                                           .tuples_max = 1 << 14};
    const struct graph *graph = &trial->graph;
    struct wrn_prng prng;
    size_t size = (wrn_spki_size(&limits) + 63) / 64 * 64, order[GRAPH_CERTS_MAX];
    if (!memory) {
        memory = aligned_alloc(64, size);
        assert_non_null(memory);
    }
    memset(memory, 0, size);
    struct wrn_spki *spki = wrn_spki_init(memory, &limits);
    if (graph->is_study) {
        wrn_spki_assume_signed(spki);
    }
    wrn_prng_init(&prng, trial->seed, ~trial->index);
    for (size_t i = 0; i < graph->cert_count; i++) { /* shuffled */
        size_t other = tree_draw(&prng, (uint32_t)i + 1);
        order[i] = i;
        order[i] = order[other];
        order[other] = i;
    }
    for (size_t i = 0; i < graph->cert_count; i++) {
        const struct graph_cert *cert = &graph->certs[order[i]];
        if (cert->is_entry) {
            add(spki, tree_add(tree_named("acl"), cert->object));
        } else {
            add_signed(spki, &prng, cert->object,
                       graph_sign_of(graph, cert->object, cert->issuer, cert->sign));
        }
    }
    for (size_t i = 0; i < graph->crl_count; i++) {
        const struct graph_crl *crl = &graph->crls[i];
        add_signed(spki, &prng, crl->object,
                   graph_sign_of(graph, crl->object, crl->issuer, crl->sign));
    }
    for (unsigned i = 0; i < graph->key_count; i++) {
        add(spki, graph_principal(graph, i, false));
    }
    return spki;
}

/* Which certificate of the graph it is. */
static size_t index_of(const struct graph *graph, const struct wrn_spki_cert *cert) {
    for (size_t i = 0; i < graph->cert_count; i++) {
        if (tree_span_compare(tree_canonical(graph->certs[i].object), cert->sexp.bytes) == 0) {
            return i;
        }
    }
    fail_msg("a certificate that was never added");
    return 0;
}

static size_t list_subjects(const struct graph *graph, const struct job *job,
                            struct wrn_sexp subjects[GRAPH_KEYS_MAX]) {
    size_t count = 0;
    for (unsigned i = 0; i < graph->key_count; i++) {
        if (job->subjects >> i & 1) {
            subjects[count++] =
                to_sexp(graph_principal(graph, i, (i + (unsigned)job->now) % 4 == 0));
        }
    }
    return count;
}

/* ---- Asking */

static struct graph_span longest(const struct graph_spans *spans) {
    struct graph_span best = spans->at[0];
    for (size_t i = 1; i < spans->count; i++) {
        struct graph_span span = spans->at[i];
        if (span.until > best.until || (span.until == best.until && span.from < best.from)) {
            best = span;
        }
    }
    return best;
}

static bool is_same_span(const struct wrn_spki_validity *validity, struct graph_span span) {
    return graph_date_read(validity->not_before, 0) == span.from &&
           graph_date_read(validity->not_after, GRAPH_FOREVER) == span.until;
}

static uint64_t chain_bits(const struct graph *graph, const struct wrn_spki_answer *answer) {
    uint64_t bits = 0;
    for (size_t i = 0; i < answer->chain_count; i++) {
        bits |= UINT64_C(1) << index_of(graph, answer->chain[i]);
    }
    return bits;
}

/* Where an answer says "granted": the chain alone is a proof of it, and each link is needed. */
static const char *find_fault_of_grant(const struct graph *graph, const struct graph_query *query,
                                       const struct wrn_spki_answer *answer) {
    struct graph_query alone = *query;
    struct graph_spans spans;
    struct graph_tuple tuple;
    size_t chain[WRN_SPKI_CHAIN_MAX];
    bool is_plain = true;
    if (answer->chain_count == 0 || answer->chain_count > WRN_SPKI_CHAIN_MAX ||
        !answer->chain[0]->is_acl_entry) {
        return "the chain does not begin with an entry of the ACL";
    }
    for (size_t i = 0; i < answer->chain_count; i++) {
        chain[i] = index_of(graph, answer->chain[i]);
        is_plain = is_plain && graph->certs[chain[i]].subject.kind == GRAPH_KEY;
        counts.by_names += graph->certs[chain[i]].name >= 0;
        counts.by_thresholds += graph->certs[chain[i]].subject.kind == GRAPH_THRESHOLD;
    }
    uint64_t bits = chain_bits(graph, answer);
    alone.without = ~bits;
    if ((size_t)__builtin_popcountll(bits) != answer->chain_count) {
        return "a certificate is twice in the chain";
    }
    bool is_all = graph_ask(graph, &alone, &spans);
    if (!is_all) {
        counts.skipped++; /* the model did not follow all names */
        return NULL;
    }
    if (spans.count == 0) {
        return "the chain alone is no proof";
    }
    if (!is_same_span(&answer->validity, longest(&spans))) {
        return "the chain alone has another validity";
    }
    if (is_plain &&
        (!graph_reduce_chain(graph, chain, answer->chain_count, query->now, &tuple) ||
         !(query->subjects >> tuple.key & 1) || !tags_cover(tuple.tag, query->request) ||
         !is_same_span(&answer->validity, tuple.span))) {
        return "link by link the chain is no proof";
    }
    for (size_t i = 0; is_plain && i < answer->chain_count; i++) {
        alone.without = ~bits | UINT64_C(1) << chain[i];
        if (!graph_ask(graph, &alone, &spans) || spans.count > 0) {
            return "a link of the chain is not needed";
        }
    }
    return NULL;
}

/* The faults that a certificate has by itself, as bits of verdicts. */
static uint32_t own_faults(const struct graph *graph, const struct graph_cert *cert,
                           const struct graph_query *query) {
    struct graph_span span;
    const uint32_t online = GRAPH_FORGIVE_TIMES | GRAPH_FORGIVE_SIGNS;
    uint32_t faults = 0;
    bool is_revoked = graph_is_revoked(graph, cert, query->now);
    faults |= (uint32_t)(cert->sign == GRAPH_NOT_SIGNED || cert->sign == GRAPH_OF_ANOTHER)
              << WRN_SPKI_NOT_SIGNED;
    faults |= (uint32_t)(cert->sign == GRAPH_CHANGED) << WRN_SPKI_BAD_SIGNATURE;
    faults |= (uint32_t)(query->now < cert->span.from) << WRN_SPKI_NOT_YET_VALID;
    faults |= (uint32_t)(query->now > cert->span.until) << WRN_SPKI_EXPIRED;
    faults |= (uint32_t)is_revoked << WRN_SPKI_REVOKED;
    faults |= (uint32_t)(!is_revoked && !graph_is_usable(graph, cert, query->now, online, &span))
              << WRN_SPKI_NO_FRESH_CRL;
    faults |= (uint32_t)(cert->name < 0 && !tags_cover(cert->tag, query->request)) << WRN_SPKI_TAG;
    return faults;
}

enum {
    OWN_FAULTS = 1 << WRN_SPKI_NOT_SIGNED | 1 << WRN_SPKI_BAD_SIGNATURE |
                 1 << WRN_SPKI_NOT_YET_VALID | 1 << WRN_SPKI_EXPIRED | 1 << WRN_SPKI_REVOKED |
                 1 << WRN_SPKI_NO_FRESH_CRL | 1 << WRN_SPKI_TAG
};

static const uint32_t forgiven_by[] = {
    [WRN_SPKI_NOT_SIGNED] = GRAPH_FORGIVE_SIGNS,
    [WRN_SPKI_BAD_SIGNATURE] = GRAPH_FORGIVE_SIGNS,
    [WRN_SPKI_NOT_YET_VALID] = GRAPH_FORGIVE_TIMES,
    [WRN_SPKI_EXPIRED] = GRAPH_FORGIVE_TIMES,
    [WRN_SPKI_REVOKED] = GRAPH_FORGIVE_ONLINE,
    [WRN_SPKI_NO_FRESH_CRL] = GRAPH_FORGIVE_ONLINE,
    [WRN_SPKI_NO_DELEGATION] = GRAPH_FORGIVE_PASSING,
    [WRN_SPKI_WRONG_DELEGATE] = GRAPH_FORGIVE_PASSING,
    [WRN_SPKI_TAG] = GRAPH_FORGIVE_TAGS,
    [WRN_SPKI_TOO_FEW] = GRAPH_FORGIVE_THRESHOLDS,
    [WRN_SPKI_TOO_LARGE] = 0,
};

/* Where an answer says "refused": the reason is one, the first of a chain that would lead to the
 * subjects if as little as possible were overlooked. */
static const char *find_fault_of_refusal(const struct graph *graph, const struct graph_query *query,
                                         const struct wrn_spki_answer *answer) {
    struct graph_query lenient = *query;
    struct graph_spans spans = {.count = 0};
    while (spans.count == 0 && lenient.forgive != 63) {
        lenient.forgive = 2 * lenient.forgive + 1;
        if (!graph_ask(graph, &lenient, &spans)) {
            return NULL;
        }
    }
    if (spans.count == 0) {
        return answer->verdict == WRN_SPKI_NO_ROOT && answer->chain_count == 0
                   ? NULL
                   : "there is no root, which the verdict does not say";
    }
    if (answer->verdict == WRN_SPKI_NO_ROOT || answer->chain_count == 0) {
        return "it says that there is no root, but there is one";
    }
    if (!(forgiven_by[answer->verdict] & lenient.forgive)) {
        return "the verdict is not of the first kind that has to be overlooked";
    }
    if (!answer->culprit || answer->culprit_index >= answer->chain_count ||
        answer->chain[answer->culprit_index] != answer->culprit) {
        return "the culprit is not in the chain";
    }
    lenient.without = ~chain_bits(graph, answer);
    if (graph_ask(graph, &lenient, &spans) && spans.count == 0) {
        return "the chain that is shown does not lead to the subjects";
    }
    uint32_t faults = own_faults(graph, &graph->certs[index_of(graph, answer->culprit)], query);
    uint32_t bit = UINT32_C(1) << answer->verdict;
    if ((bit & OWN_FAULTS) && (faults & (bit | (bit - 1))) != bit) {
        return "the culprit has not this fault, or another before it";
    }
    if (!(bit & OWN_FAULTS) && (faults & (bit - 1))) {
        return "the culprit has another fault before this one";
    }
    for (size_t i = 0; i < answer->culprit_index; i++) {
        if (own_faults(graph, &graph->certs[index_of(graph, answer->chain[i])], query)) {
            return "a certificate before the culprit has a fault";
        }
    }
    return NULL;
}

static const char *find_fault_of_ask(struct wrn_spki *spki, const struct graph *graph,
                                     const struct job *job) {
    static struct wrn_spki_answer answer;
    struct wrn_sexp subjects[GRAPH_KEYS_MAX];
    struct graph_spans spans;
    struct graph_query naive = {job->subjects, job->request, job->now, 0, 0};
    struct wrn_spki_query query = {subjects, list_subjects(graph, job, subjects),
                                   to_sexp(job->request), graph_seconds(job->now)};
    char text[400];
    wrn_spki_ask(spki, &query, &answer);
    counts.verdicts[answer.verdict]++;
    counts.asked++;
    size_t size = wrn_spki_explain(&answer, NULL, text, sizeof text);
    if (size == 0 || size >= sizeof text || text[size] != 0) {
        return "no sentence";
    }
    bool is_all = graph_ask(graph, &naive, &spans);
    if (!is_all && answer.verdict != WRN_SPKI_GRANTED) {
        counts.skipped++;
        return NULL;
    }
    if (answer.verdict == WRN_SPKI_TOO_LARGE) {
        return "too large";
    }
    if ((answer.verdict == WRN_SPKI_GRANTED) != (spans.count > 0)) {
        return spans.count > 0 ? "refused, but a proof exists" : "granted, but no proof exists";
    }
    if (spans.count == 0) {
        return find_fault_of_refusal(graph, &naive, &answer);
    }
    counts.granted++;
    if (is_all && !is_same_span(&answer.validity, longest(&spans))) {
        return "not the longest validity";
    }
    return find_fault_of_grant(graph, &naive, &answer);
}

/* ---- Reducing */

/* Reads an entry as a tuple; false if it is none of those that may be written. */
static bool read_entry(const struct graph *graph, const struct tree *entry,
                       struct graph_tuple *ret) {
    const struct tree *subject = tree_find(entry, "subject"), *tag = tree_find(entry, "tag");
    const struct tree *valid = tree_find(entry, "valid"), *pass = tree_find(entry, "propagate");
    if (!tree_is_named(entry, "entry") || !subject || subject->count != 2 || !tag ||
        tag->count != 2) {
        return false;
    }
    int key = graph_key_of(graph, subject->at[1]);
    *ret = (struct graph_tuple){.key = (unsigned)key, .tag = tags_normal(tag->at[1])};
    ret->pass = pass ? GRAPH_PASS_ANY : GRAPH_PASS_NONE;
    for (size_t i = 1; pass && pass->count == 2 && i < pass->at[1]->count; i++) {
        int only = graph_key_of(graph, pass->at[1]->at[i]);
        ret->pass = GRAPH_PASS_ONLY;
        ret->only |= only >= 0 ? UINT32_C(1) << only : UINT32_C(1) << 31;
    }
    const struct tree *from = valid ? tree_find(valid, "not-before") : NULL;
    const struct tree *until = valid ? tree_find(valid, "not-after") : NULL;
    ret->span.from = graph_date_read(from ? from->at[1]->bytes : (wrn_span){0}, 0);
    ret->span.until = graph_date_read(until ? until->at[1]->bytes : (wrn_span){0}, GRAPH_FOREVER);
    /* All keys were added, so none is written as its hash. */
    return key >= 0 && ret->tag && tree_equal(ret->tag, tag->at[1]) &&
           tree_is_named(subject->at[1], "public-key");
}

static int compare_tuples(const void *a, const void *b) {
    return graph_tuple_compare(a, b);
}

static const char *find_fault_of_reduce(struct wrn_spki *spki, const struct graph *graph,
                                        const struct job *job) {
    static struct graph_tuple wanted[GRAPH_TUPLES_MAX], found[GRAPH_TUPLES_MAX];
    struct wrn_sexp subjects[GRAPH_KEYS_MAX], acl, request = {{0}};
    size_t subject_count = list_subjects(graph, job, subjects), left = 0;
    if (job->request) {
        request = to_sexp(job->request);
    }
    struct wrn_sexp_writer out = wrn_sexp_writer(out_bytes, sizeof out_bytes);
    int status =
        wrn_spki_reduce(spki, subjects, subject_count, request, graph_date(job->now), &out);
    int count =
        graph_reduce(graph, job->request ? job->request : tree_named("*"), job->now, wanted);
    if (count < 0 || status == WRN_ERR_FULL) {
        counts.skipped++; /* either may grow without measure; that it is rare, run looks at */
        return NULL;
    }
    if (status != 0 || wrn_sexp_finish(&out, &acl) != 0) {
        return "it cannot be reduced";
    }
    for (int i = 0; i < count; i++) {
        if (subject_count == 0 || (job->subjects >> wanted[i].key & 1)) {
            wanted[left++] = wanted[i];
        }
    }
    const struct tree *tree = tree_read(acl.bytes);
    if (!tree || !tree_is_named(tree, "acl") || tree->count - 1 > GRAPH_TUPLES_MAX) {
        return "what was written is no ACL";
    }
    size_t entries = tree->count - 1;
    for (size_t i = 0; i < entries; i++) {
        if (i > 0 && tree_compare(tree->at[i], tree->at[i + 1]) >= 0) {
            return "the entries are not in order, each once";
        }
        if (!read_entry(graph, tree->at[i + 1], &found[i])) {
            return "an entry is not as it should be";
        }
    }
    qsort(found, entries, sizeof *found, compare_tuples);
    counts.reduced++;
    counts.entries += entries;
    for (size_t i = 0; i < left && i < entries; i++) {
        int order = graph_tuple_compare(&found[i], &wanted[i]);
        if (order != 0) {
            return order < 0 ? "an entry does not follow" : "an entry is missing";
        }
    }
    return entries > left   ? "an entry does not follow"
           : entries < left ? "an entry is missing"
                            : NULL;
}

static const char *find_fault_of_chain(struct wrn_spki *spki, const struct graph *graph,
                                       const struct job *job) {
    static struct wrn_spki_answer answer;
    const struct wrn_spki_cert *chain[CHAIN_MAX];
    struct graph_tuple wanted, found;
    struct wrn_sexp entry;
    for (size_t i = 0; i < job->chain_count; i++) {
        for (size_t k = 0; k < wrn_spki_count(spki); k++) {
            if (index_of(graph, wrn_spki_at(spki, k)) == job->chain[i]) {
                chain[i] = wrn_spki_at(spki, k);
            }
        }
    }
    struct wrn_sexp_writer out = wrn_sexp_writer(out_bytes, sizeof out_bytes);
    int status =
        wrn_spki_reduce_chain(spki, chain, job->chain_count, graph_date(job->now), &out, &answer);
    bool follows = graph_reduce_chain(graph, job->chain, job->chain_count, job->now, &wanted);
    counts.chains++;
    if (status != follows) {
        return follows ? "the chain gives nothing" : "the chain gives something";
    }
    if (!follows) {
        return answer.verdict == WRN_SPKI_GRANTED ? "no reason" : NULL;
    }
    counts.continued += job->chain_count > 1;
    if (wrn_sexp_finish(&out, &entry) != 0) {
        return "no entry was written";
    }
    const struct tree *tree = tree_read(entry.bytes);
    if (!tree || !read_entry(graph, tree, &found) || graph_tuple_compare(&found, &wanted) != 0) {
        return "the chain gives another entry";
    }
    return NULL;
}

/* ---- Trials */

static const char *find_fault(const struct trial *trial, size_t *ret_job) {
    struct wrn_spki *spki = load(trial);
    const char *why = NULL;
    size_t mark = tree_mark();
    for (size_t i = 0; i < trial->job_count && !why; i++) {
        const struct job *job = &trial->jobs[i];
        tree_forget(mark);
        *ret_job = i;
        why = job->kind == ASK      ? find_fault_of_ask(spki, &trial->graph, job)
              : job->kind == REDUCE ? find_fault_of_reduce(spki, &trial->graph, job)
                                    : find_fault_of_chain(spki, &trial->graph, job);
    }
    return why;
}

static void draw_job(struct wrn_prng *prng, const struct graph *graph, enum job_kind kind,
                     struct job *job) {
    *job = (struct job){.kind = kind, .now = 1 + (int)tree_draw(prng, 21)};
    size_t keys = graph->key_count;
    for (unsigned i = tree_draw(prng, 4) ? 1 : 2 + tree_draw(prng, 3); i > 0; i--) {
        const struct graph_cert *cert = &graph->certs[tree_draw(prng, (uint32_t)graph->cert_count)];
        unsigned key = tree_draw(prng, 4) ? cert->subject.key : tree_draw(prng, (uint32_t)keys);
        job->subjects |= UINT32_C(1) << key;
    }
    job->request = graph_draw_request(prng);
    if (kind != ASK) {
        job->now = tree_draw(prng, 2) ? 0 : job->now;
        job->subjects = tree_draw(prng, 2) ? 0 : job->subjects;
        job->request = tree_draw(prng, 3) ? job->request : NULL;
    }
    if (kind == CHAIN) { /* mostly each link from the subject of the one before */
        size_t at = 0;
        for (size_t i = 0; i < CHAIN_MAX / 2; i++) {
            job->chain[i] = at;
            job->chain_count = i + 1;
            size_t first = tree_draw(prng, (uint32_t)graph->cert_count), next = first;
            do {
                next = (next + 1) % graph->cert_count;
            } while (next != first && (graph->certs[next].is_entry ||
                                       graph->certs[next].issuer != graph->certs[at].subject.key));
            if (next == first || tree_draw(prng, 4) == 0) {
                break;
            }
            at = next;
        }
    }
}

static void draw_trial(struct trial *trial, uint64_t seed, uint64_t index, bool is_study,
                       size_t certs, size_t jobs) {
    struct wrn_prng prng;
    wrn_prng_init(&prng, seed, index);
    trial->seed = seed;
    trial->index = index;
    graph_draw(&prng, &trial->graph, is_study, certs);
    graph_write(&trial->graph);
    trial->job_count = jobs;
    for (size_t i = 0; i < jobs; i++) {
        bool is_small = certs <= 14 && i + 2 >= jobs;
        draw_job(&prng, &trial->graph,
                 !is_small       ? ASK
                 : i + 1 == jobs ? REDUCE
                                 : CHAIN,
                 &trial->jobs[i]);
    }
}

/* Leaves out what is not needed for something to be wrong. */
static void shrink(struct trial *trial) {
    static struct trial smaller;
    size_t job;
    find_fault(trial, &job);
    smaller = *trial;
    smaller.job_count = 1;
    smaller.jobs[0] = trial->jobs[job];
    if (find_fault(&smaller, &job)) {
        *trial = smaller;
    }
    for (bool is_smaller = true; is_smaller;) {
        is_smaller = false;
        for (size_t i = 0; i < trial->graph.cert_count + trial->graph.crl_count; i++) {
            bool is_in_chain = false;
            smaller = *trial;
            for (size_t k = 0; k < trial->jobs[0].chain_count; k++) {
                is_in_chain = is_in_chain || trial->jobs[0].chain[k] == i;
                smaller.jobs[0].chain[k] -= trial->jobs[0].chain[k] > i;
            }
            if (is_in_chain) {
                continue;
            }
            if (i < trial->graph.cert_count) {
                graph_drop_cert(&smaller.graph, i);
            } else {
                graph_drop_crl(&smaller.graph, i - trial->graph.cert_count);
                memcpy(smaller.jobs, trial->jobs, sizeof smaller.jobs);
            }
            size_t mark = tree_mark();
            graph_write(&smaller.graph);
            if (smaller.graph.cert_count > 0 && find_fault(&smaller, &job)) {
                *trial = smaller;
                is_smaller = true;
                break;
            }
            tree_forget(mark);
        }
    }
}

static void report(struct trial *trial) {
    static const char *const kinds[] = {"asked", "reduced", "reduced a chain"};
    size_t at;
    shrink(trial);
    const char *why = find_fault(trial, &at);
    const struct job *job = &trial->jobs[at];
    graph_print(&trial->graph);
    fprintf(stderr, "%s: subjects", kinds[job->kind]);
    for (unsigned i = 0; i < trial->graph.key_count; i++) {
        if (job->subjects >> i & 1) {
            fprintf(stderr, " %s", tree_show(graph_principal(&trial->graph, i, false)));
        }
    }
    fprintf(stderr, ", request %s, at second %d, chain",
            job->request ? tree_show(job->request) : "-", job->now);
    for (size_t i = 0; i < job->chain_count; i++) {
        fprintf(stderr, " %zu", job->chain[i]);
    }
    fprintf(stderr, "\n");
    if (job->kind == ASK) {
        static struct wrn_spki_answer answer;
        struct wrn_sexp subjects[GRAPH_KEYS_MAX];
        struct wrn_spki_query query = {subjects, list_subjects(&trial->graph, job, subjects),
                                       to_sexp(job->request), graph_seconds(job->now)};
        char text[400];
        wrn_spki_ask(load(trial), &query, &answer);
        wrn_spki_explain(&answer, NULL, text, sizeof text);
        fprintf(stderr, "the answer: %s; chain", text);
        for (size_t i = 0; i < answer.chain_count; i++) {
            fprintf(stderr, " %zu", index_of(&trial->graph, answer.chain[i]));
        }
        fprintf(stderr, "\n");
    }
    if (job->kind != ASK) {
        static struct graph_tuple wanted[GRAPH_TUPLES_MAX];
        int count = graph_reduce(&trial->graph, job->request ? job->request : tree_named("*"),
                                 job->now, wanted);
        for (int i = 0; i < count; i++) {
            fprintf(stderr, "by the model: k%u, passing %d (%x), %s, %d to %d\n", wanted[i].key,
                    wanted[i].pass, wanted[i].only, tree_show(wanted[i].tag), wanted[i].span.from,
                    wanted[i].span.until);
        }
        struct wrn_sexp_writer out = wrn_sexp_writer(out_bytes, sizeof out_bytes);
        struct wrn_sexp acl, all = {{0}};
        if (wrn_spki_reduce(load(trial), NULL, 0, job->request ? to_sexp(job->request) : all,
                            graph_date(job->now), &out) == 0 &&
            wrn_sexp_finish(&out, &acl) == 0) {
            fprintf(stderr, "reduced, all subjects: %s\n", tree_show(tree_read(acl.bytes)));
        }
    }
    fail_msg("seed %llu, case %llu: %s", (unsigned long long)trial->seed,
             (unsigned long long)trial->index, why ? why : "not seen again");
}

static void run(bool is_study, size_t trials, size_t certs, size_t jobs) {
    static struct trial trial;
    uint64_t seed = check_seed();
    memset(&counts, 0, sizeof counts);
    for (size_t i = 0; i < trials; i++) {
        size_t job;
        tree_reset();
        draw_trial(&trial, seed, i, is_study, certs, jobs);
        if (find_fault(&trial, &job)) {
            report(&trial);
        }
    }
    print_message("# %zu graphs: %zu asked, %zu granted (%zu names, %zu thresholds in chains), %zu "
                  "reduced to %zu entries, %zu of %zu chains hold; %zu too large for the model\n",
                  trials, counts.asked, counts.granted, counts.by_names, counts.by_thresholds,
                  counts.reduced, counts.entries, counts.continued, counts.chains, counts.skipped);
    for (size_t i = 0; i < WRN_COUNT(counts.verdicts); i++) {
        print_message("#   %6zu %s\n", counts.verdicts[i],
                      wrn_spki_verdict_text((enum wrn_spki_verdict)i));
    }
    assert_true(counts.granted > counts.asked / 20 && counts.granted < counts.asked * 9 / 10);
    assert_true(counts.skipped * 10 < trials * jobs);
}

static void small_graphs(void **state) {
    (void)state;
    run(true, 6000, 8, 6);
}

/* Larger ones are mostly reduced. */
static void middling_graphs(void **state) {
    (void)state;
    run(true, 1500, 14, 3);
}

static void large_graphs(void **state) {
    (void)state;
    run(true, 1000, GRAPH_CERTS_MAX, 5);
}

static void signed_graphs(void **state) {
    (void)state;
    run(false, 400, 9, 8);
}

/* ---- By hand */

/* The keys are k0, k1, k2; each certificate holds for ever. */
static void check_by_hand(const struct graph_cert *certs, size_t count, const struct job *job,
                          enum wrn_spki_verdict verdict) {
    static struct trial trial;
    size_t at;
    memset(&trial, 0, sizeof trial);
    memset(&counts, 0, sizeof counts);
    trial.graph =
        (struct graph){.is_study = true, .is_opaque = true, .key_count = 3, .cert_count = count};
    for (size_t i = 0; i < count; i++) {
        trial.graph.certs[i] = certs[i];
        trial.graph.certs[i].span.until = GRAPH_FOREVER;
    }
    graph_write(&trial.graph);
    trial.jobs[0] = *job;
    trial.job_count = 1;
    const char *why = find_fault(&trial, &at);
    CHECK(!why, "%s: ", why);
    CHECK(job->kind != ASK || counts.verdicts[verdict] == 1,
          "another verdict than \"%s\": ", wrn_spki_verdict_text(verdict));
}

static void unfulfilled_threshold_in_another(void **state) {
    (void)state;
    tree_reset();
    const struct graph_subject inner[] = {{.key = 0}, {.key = 1}};
    const struct graph_subject outer[] = {
        {.kind = GRAPH_THRESHOLD, .k = 2, .part_count = 2, .parts = inner}, {.key = 2}};
    const struct graph_cert certs[] = {
        {.is_entry = true,
         .name = -1,
         .subject = {.kind = GRAPH_THRESHOLD, .k = 2, .part_count = 2, .parts = outer},
         .tag = tree_word("foo")}};
    const struct job job = {.subjects = 1, .request = tree_word("foo"), .now = 5};
    check_by_hand(certs, 1, &job, WRN_SPKI_TOO_FEW);
}

/* Where all is forgiven, a name of two words still has to lead to the subject. */
static void compound_name_is_no_threshold(void **state) {
    (void)state;
    tree_reset();
    const struct graph_cert certs[] = {{.is_entry = true,
                                        .name = -1,
                                        .subject = {.kind = GRAPH_NAME, .name_count = 2},
                                        .tag = tree_word("bar")},
                                       {.name = 0, .tag = tree_named("*")}};
    const struct job job = {.subjects = 2, .request = tree_word("foo"), .now = 5};
    check_by_hand(certs, 2, &job, WRN_SPKI_NO_ROOT);
}

static void threshold_that_leads_to_itself(void **state) {
    (void)state;
    tree_reset();
    const struct graph_subject parts[] = {{.key = 0}, {.key = 1}};
    const struct graph_cert certs[] = {
        {.is_entry = true, .name = -1, .pass = GRAPH_PASS_ANY, .tag = tree_word("foo")},
        {.name = -1,
         .subject = {.kind = GRAPH_THRESHOLD, .k = 1, .part_count = 2, .parts = parts},
         .pass = GRAPH_PASS_ANY,
         .tag = tree_named("*")}};
    const struct job job = {.kind = REDUCE};
    check_by_hand(certs, 2, &job, WRN_SPKI_GRANTED);
    assert_int_equal(counts.entries, 2);
}

/* Two ways of one part count once: what both have in common is no entry of its own. */
static void part_that_leads_twice(void **state) {
    (void)state;
    tree_reset();
    const struct graph_subject parts[] = {{.key = 0}, {.key = 1}};
    struct tree *bar = tree_add(tree_named("foo"), tree_word("bar"));
    struct tree *other = tree_add(tree_add(tree_named("*"), tree_word("set")), bar);
    const struct graph_cert certs[] = {
        {.is_entry = true,
         .name = -1,
         .subject = {.kind = GRAPH_THRESHOLD, .k = 2, .part_count = 2, .parts = parts},
         .pass = GRAPH_PASS_ANY,
         .tag = tree_named("*")},
        {.name = -1, .subject = {.key = 2}, .tag = tree_named("foo")},
        {.name = -1, .subject = {.key = 2}, .tag = tree_add(other, tree_word("quux"))},
        {.name = -1, .issuer = 1, .subject = {.key = 2}, .tag = tree_named("*")}};
    const struct job job = {.kind = REDUCE};
    check_by_hand(certs, WRN_COUNT(certs), &job, WRN_SPKI_GRANTED);
    assert_int_equal(counts.entries, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unfulfilled_threshold_in_another),
        cmocka_unit_test(compound_name_is_no_threshold),
        cmocka_unit_test(threshold_that_leads_to_itself),
        cmocka_unit_test(part_that_leads_twice),
        cmocka_unit_test(small_graphs),
        cmocka_unit_test(middling_graphs),
        cmocka_unit_test(large_graphs),
        cmocka_unit_test(signed_graphs),
    };
    int status = cmocka_run_group_tests(tests, NULL, NULL);
    free(memory);
    return status;
}
