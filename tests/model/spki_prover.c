/* SPDX-License-Identifier: Apache-2.0 */
/* A naive prover: fixpoints over everything that certificates say, all subsets of thresholds tried.
 * It works on the structures that certificates were written from and never reads a certificate. */
#include <stdio.h>
#include <stdlib.h>

#include "model/spki_graph.h"

enum { STATES_MAX = 6000 };

/* What the holder of a right may do with it. */
enum may {
    MAY_PASS, /* pass it on */
    MAY_NOT,  /* only use it */
    MAY_ONLY, /* use it, and pass it on to these keys, who may only use it */
    MUST_BE,  /* nothing, unless it is one of these keys, who may only use it */
};

/* Somebody with a right: a subject, words that follow it (a name that is being resolved), and what
 * he may do. */
struct holder {
    enum graph_kind kind;
    unsigned key;
    uint8_t names[GRAPH_NAMES_MAX];
    size_t name_count;
    const struct graph_subject *threshold;
    enum may may;
    uint32_t who;
};

/* ---- Certificates one by one */

static struct graph_span both_spans(struct graph_span a, struct graph_span b) {
    return (struct graph_span){a.from > b.from ? a.from : b.from,
                               a.until < b.until ? a.until : b.until};
}

static bool is_empty(struct graph_span span) {
    return span.from > span.until;
}

static bool holds(struct graph_span span, int now) {
    return now == 0 || (span.from <= now && now <= span.until);
}

static bool names_all_of(const struct graph_crl *crl, const struct graph_crl *older) {
    for (size_t i = 0; i < older->count; i++) {
        bool is_there = false;
        for (size_t k = 0; k < crl->count; k++) {
            is_there = is_there || crl->canceled[k] == older->canceled[i];
        }
        if (!is_there) {
            return false;
        }
    }
    return true;
}

/* Marks the CRLs of this issuer that tell the state at 'now' (0: ever): each in turn, unless it
 * names less than the one before it. */
static void crls_of(const struct graph *graph, unsigned issuer, int now,
                    bool ret_counts[GRAPH_CRLS_MAX]) {
    const struct graph_crl *last = NULL;
    memset(ret_counts, 0, GRAPH_CRLS_MAX);
    for (int at = 1; at < GRAPH_FOREVER && (now == 0 || at <= now); at++) {
        for (size_t i = 0; i < graph->crl_count; i++) {
            const struct graph_crl *crl = &graph->crls[i];
            if (!crl->is_reval && crl->issuer == issuer && crl->span.from == at &&
                crl->sign == GRAPH_SIGNED && (!last || names_all_of(crl, last))) {
                ret_counts[i] = true;
                last = crl;
            }
        }
    }
}

static bool is_named(const struct graph_crl *crl, size_t cert) {
    for (size_t i = 0; crl && i < (crl->is_reval ? 1 : crl->count); i++) {
        if (crl->canceled[i] == cert) {
            return true;
        }
    }
    return false;
}

bool graph_is_revoked(const struct graph *graph, const struct graph_cert *cert, int now) {
    for (size_t i = 0; i < graph->crl_count; i++) {
        const struct graph_crl *crl = &graph->crls[i];
        bool may_revoke = (!cert->is_entry && crl->issuer == cert->issuer) ||
                          (cert->online != GRAPH_OFFLINE && crl->issuer == cert->online_by);
        if (!crl->is_reval && crl->sign == GRAPH_SIGNED && may_revoke &&
            (now == 0 || crl->span.from <= now) && is_named(crl, (size_t)(cert - graph->certs))) {
            return true;
        }
    }
    return false;
}

/* The end of the time before the first CRL that will cancel it, and that is not yet in force. */
static int announced_end(const struct graph *graph, const struct graph_cert *cert, int now) {
    for (int at = now + 1; now > 0 && at < GRAPH_FOREVER; at++) {
        if (graph_is_revoked(graph, cert, at)) {
            return at - 1;
        }
    }
    return GRAPH_FOREVER;
}

/* The span of the answer that a certificate demands: the one that lasts longest of those that hold
 * at 'now'. False: none does. */
static bool find_answer(const struct graph *graph, const struct graph_cert *cert, int now,
                        struct graph_span *ret_span) {
    bool counts[GRAPH_CRLS_MAX], is_found = false;
    crls_of(graph, cert->online_by, now, counts);
    for (size_t i = 0; i < graph->crl_count; i++) {
        const struct graph_crl *crl = &graph->crls[i];
        bool is_answer = cert->online == GRAPH_REVAL
                             ? crl->is_reval && crl->issuer == cert->online_by &&
                                   crl->sign == GRAPH_SIGNED &&
                                   is_named(crl, (size_t)(cert - graph->certs))
                             : cert->online == GRAPH_CRL && counts[i];
        if (is_answer && holds(crl->span, now) &&
            (!is_found || crl->span.until > ret_span->until ||
             (crl->span.until == ret_span->until && crl->span.from < ret_span->from))) {
            *ret_span = crl->span;
            is_found = true;
        }
    }
    return is_found;
}

bool graph_is_usable(const struct graph *graph, const struct graph_cert *cert, int now,
                     uint32_t forgive, struct graph_span *ret_span) {
    struct graph_span answer = {0, GRAPH_FOREVER};
    *ret_span = answer;
    if (!(forgive & GRAPH_FORGIVE_TIMES)) {
        *ret_span = cert->span;
    }
    if (!(forgive & GRAPH_FORGIVE_SIGNS) && cert->sign != GRAPH_SIGNED) {
        return false;
    }
    if (!(forgive & GRAPH_FORGIVE_ONLINE)) {
        if (graph_is_revoked(graph, cert, now)) {
            return false;
        }
        if (cert->online != GRAPH_OFFLINE && !find_answer(graph, cert, now, &answer)) {
            return false;
        }
        int end = announced_end(graph, cert, now);
        answer.until = answer.until < end ? answer.until : end;
        *ret_span = both_spans(*ret_span, answer);
    }
    return !is_empty(*ret_span) && holds(*ret_span, now);
}

/* ---- Steps */

static struct holder holder_of(const struct graph_subject *subject, enum may may, uint32_t who) {
    struct holder holder = {.kind = subject->kind, .may = may, .who = who};
    if (subject->kind == GRAPH_THRESHOLD) {
        holder.threshold = subject;
    } else {
        holder.key = subject->key;
        holder.name_count = subject->name_count;
        memcpy(holder.names, subject->names, sizeof holder.names);
    }
    return holder;
}

/* The holder after a certificate: 'holder' is the key that issued it, or a name whose first word it
 * defines. False: it does not follow. Sets 'ret_is_cut' if a name grows too long. */
static bool follow(const struct holder *holder, const struct graph_cert *cert, uint32_t forgive,
                   struct holder *ret_next, bool *ret_is_cut) {
    if (cert->is_entry || holder->kind == GRAPH_THRESHOLD || cert->issuer != holder->key) {
        return false;
    }
    if (holder->kind == GRAPH_NAME) {
        size_t rest = holder->name_count - 1;
        if (cert->name != (int)holder->names[0]) {
            return false;
        }
        struct holder next = holder_of(&cert->subject, holder->may, holder->who);
        if (rest > 0 && next.kind == GRAPH_THRESHOLD) {
            return false; /* groups have no name spaces */
        }
        if (next.name_count + rest > GRAPH_NAMES_MAX) {
            *ret_is_cut = true;
            return false;
        }
        memcpy(next.names + next.name_count, holder->names + 1, rest);
        next.name_count += rest;
        next.kind = next.kind == GRAPH_KEY && rest > 0 ? GRAPH_NAME : next.kind;
        *ret_next = next;
        return true;
    }
    if (cert->name >= 0) {
        return false;
    }
    enum may may = cert->pass == GRAPH_PASS_ANY    ? MAY_PASS
                   : cert->pass == GRAPH_PASS_ONLY ? MAY_ONLY
                                                   : MAY_NOT;
    uint32_t who = cert->only;
    if (forgive & GRAPH_FORGIVE_PASSING) {
        may = MAY_PASS;
    } else if (holder->may == MAY_ONLY) {
        may = MUST_BE;
        who = holder->who;
    } else if (holder->may != MAY_PASS) {
        return false;
    }
    *ret_next = holder_of(&cert->subject, may, may == MAY_ONLY || may == MUST_BE ? who : 0);
    return true;
}

/* A key that must be one of some is one of them, and then only uses; false if it is not. */
static bool settle(struct holder *holder) {
    if (holder->kind == GRAPH_KEY && holder->may == MUST_BE) {
        bool is_one = holder->who >> holder->key & 1;
        holder->may = MAY_NOT;
        holder->who = 0;
        return is_one;
    }
    return true;
}

static struct holder root_of(const struct graph_cert *entry, uint32_t forgive) {
    enum may may = entry->pass == GRAPH_PASS_ANY || (forgive & GRAPH_FORGIVE_PASSING) ? MAY_PASS
                   : entry->pass == GRAPH_PASS_ONLY                                   ? MAY_ONLY
                                                                                      : MAY_NOT;
    return holder_of(&entry->subject, may, may == MAY_ONLY ? entry->only : 0);
}

static bool is_same_holder(const struct holder *a, const struct holder *b) {
    return a->kind == b->kind && a->key == b->key && a->name_count == b->name_count &&
           memcmp(a->names, b->names, a->name_count) == 0 && a->threshold == b->threshold &&
           a->may == b->may && a->who == b->who;
}

/* ---- Asking */

/* What each holder can bring to the subjects: the least solution of the equations between them. */
struct asking {
    const struct graph *graph;
    const struct graph_query *query;
    bool is_used[GRAPH_CERTS_MAX]; /* and permits the request */
    struct graph_span spans[GRAPH_CERTS_MAX];
    struct holder holders[STATES_MAX];
    struct graph_spans brings[STATES_MAX];
    size_t count;
    bool is_cut, is_changed;
};

static size_t find_holder(struct asking *asking, const struct holder *holder) {
    for (size_t i = 0; i < asking->count; i++) {
        if (is_same_holder(&asking->holders[i], holder)) {
            return i;
        }
    }
    if (asking->count == STATES_MAX) {
        asking->is_cut = true;
        return STATES_MAX - 1;
    }
    asking->holders[asking->count] = *holder;
    asking->brings[asking->count].count = 0;
    asking->is_changed = true;
    return asking->count++;
}

/* Adds a span unless one of the set holds it. */
static bool add_span(struct graph_spans *spans, struct graph_span span) {
    size_t left = 0;
    if (is_empty(span)) {
        return false;
    }
    for (size_t i = 0; i < spans->count; i++) {
        if (spans->at[i].from <= span.from && spans->at[i].until >= span.until) {
            return false;
        }
    }
    for (size_t i = 0; i < spans->count; i++) {
        if (spans->at[i].from < span.from || spans->at[i].until > span.until) {
            spans->at[left++] = spans->at[i];
        }
    }
    spans->count = left;
    if (spans->count == GRAPH_SPANS_MAX) {
        abort();
    }
    spans->at[spans->count++] = span;
    return true;
}

static void add_spans(struct asking *asking, size_t to, const struct graph_spans *from,
                      struct graph_span within) {
    for (size_t i = 0; i < from->count; i++) {
        if (add_span(&asking->brings[to], both_spans(from->at[i], within))) {
            asking->is_changed = true;
        }
    }
}

/* The same subject twice counts once. Thresholds within thresholds are never the same. */
static bool is_repeated(const struct graph_subject *threshold, size_t part) {
    const struct graph_subject *it = &threshold->parts[part];
    for (size_t i = 0; i < part; i++) {
        const struct graph_subject *other = &threshold->parts[i];
        if (it->kind != GRAPH_THRESHOLD && other->kind == it->kind && other->key == it->key &&
            other->name_count == it->name_count &&
            memcmp(other->names, it->names, it->name_count) == 0) {
            return true;
        }
    }
    return false;
}

/* All that some k of the parts bring together, for every choice of k. */
static void add_thresholds(struct asking *asking, size_t to) {
    const struct holder holder = asking->holders[to];
    const struct graph_subject *threshold = holder.threshold;
    unsigned k = asking->query->forgive & GRAPH_FORGIVE_THRESHOLDS ? 1 : threshold->k;
    size_t parts[8];
    for (size_t i = 0; i < threshold->part_count; i++) {
        struct holder part = holder_of(&threshold->parts[i], holder.may, holder.who);
        parts[i] = find_holder(asking, &part);
    }
    for (unsigned chosen = 0; chosen < 1u << threshold->part_count; chosen++) {
        struct graph_spans together = {.at = {{0, GRAPH_FOREVER}}, .count = 1};
        bool is_choice = (unsigned)__builtin_popcount(chosen) == k;
        for (size_t i = 0; i < threshold->part_count; i++) {
            is_choice = is_choice && !((chosen >> i & 1) && is_repeated(threshold, i));
        }
        if (!is_choice) {
            continue;
        }
        for (size_t i = 0; i < threshold->part_count; i++) {
            struct graph_spans with = {.count = 0};
            const struct graph_spans *part = &asking->brings[parts[i]];
            for (size_t a = 0; (chosen >> i & 1) && a < together.count; a++) {
                for (size_t b = 0; b < part->count; b++) {
                    add_span(&with, both_spans(together.at[a], part->at[b]));
                }
            }
            together = chosen >> i & 1 ? with : together;
        }
        add_spans(asking, to, &together, (struct graph_span){0, GRAPH_FOREVER});
    }
}

static void add_all(struct asking *asking, size_t to) {
    struct holder holder = asking->holders[to], next;
    if (holder.kind == GRAPH_THRESHOLD) {
        add_thresholds(asking, to);
        return;
    }
    if (!settle(&holder)) {
        return;
    }
    if (holder.kind == GRAPH_KEY && (asking->query->subjects >> holder.key & 1) &&
        add_span(&asking->brings[to], (struct graph_span){0, GRAPH_FOREVER})) {
        asking->is_changed = true;
    }
    for (size_t i = 0; i < asking->graph->cert_count; i++) {
        if (asking->is_used[i] && follow(&holder, &asking->graph->certs[i], asking->query->forgive,
                                         &next, &asking->is_cut)) {
            size_t from = find_holder(asking, &next);
            add_spans(asking, to, &asking->brings[from], asking->spans[i]);
        }
    }
}

bool graph_ask(const struct graph *graph, const struct graph_query *query,
               struct graph_spans *ret_spans) {
    static struct asking asking;
    asking.graph = graph;
    asking.query = query;
    asking.count = 0;
    asking.is_cut = false;
    for (size_t i = 0; i < graph->cert_count; i++) {
        const struct graph_cert *cert = &graph->certs[i];
        asking.is_used[i] =
            !(query->without >> i & 1) &&
            graph_is_usable(graph, cert, query->now, query->forgive, &asking.spans[i]) &&
            (cert->name >= 0 || (query->forgive & GRAPH_FORGIVE_TAGS) ||
             tags_cover(cert->tag, query->request));
    }
    do {
        asking.is_changed = false;
        ret_spans->count = 0;
        for (size_t i = 0; i < graph->cert_count; i++) {
            if (graph->certs[i].is_entry && asking.is_used[i]) {
                struct holder root = root_of(&graph->certs[i], query->forgive);
                size_t from = find_holder(&asking, &root);
                for (size_t k = 0; k < asking.brings[from].count; k++) {
                    add_span(ret_spans, both_spans(asking.brings[from].at[k], asking.spans[i]));
                }
            }
        }
        for (size_t i = 0; i < asking.count; i++) {
            add_all(&asking, i);
        }
    } while (asking.is_changed);
    return !asking.is_cut;
}

/* ---- Reducing */

/* A holder with a right of its own, from which results follow: keys that hold it in the end. */
struct start {
    struct holder holder;
    struct tree *tag;
    struct graph_span span;
    size_t results[GRAPH_TUPLES_MAX / 8]; /* indices of starts whose holder is a key */
    size_t count;
};

struct reducing {
    const struct graph *graph;
    int now;
    bool is_used[GRAPH_CERTS_MAX];
    struct graph_span spans[GRAPH_CERTS_MAX];
    struct start *starts[GRAPH_TUPLES_MAX];
    size_t count, work;
    bool is_cut, is_changed;
};

enum { NOWHERE = GRAPH_TUPLES_MAX, WORK_MAX = 300000 };

/* The start for a right, or NOWHERE if nothing is left of it. */
static size_t find_start(struct reducing *reducing, const struct holder *holder, struct tree *tag,
                         struct graph_span span) {
    struct holder settled = *holder;
    if (!tag || is_empty(span) || !settle(&settled)) {
        return NOWHERE;
    }
    for (size_t i = 0; i < reducing->count; i++) {
        const struct start *start = reducing->starts[i];
        if (start->span.from == span.from && start->span.until == span.until &&
            is_same_holder(&start->holder, &settled) && tree_equal(start->tag, tag)) {
            return i;
        }
    }
    if (reducing->count == GRAPH_TUPLES_MAX / 8) {
        reducing->is_cut = true;
        return NOWHERE;
    }
    struct start *start = tree_alloc(sizeof *start);
    start->holder = settled;
    start->tag = tag;
    start->span = span;
    reducing->starts[reducing->count] = start;
    reducing->is_changed = true;
    return reducing->count++;
}

static void add_result(struct reducing *reducing, struct start *start, size_t result) {
    for (size_t i = 0; i < start->count; i++) {
        if (start->results[i] == result) {
            return;
        }
    }
    start->results[start->count++] = result;
    reducing->is_changed = true;
}

static void add_results_of(struct reducing *reducing, struct start *start, size_t from) {
    if (from == NOWHERE) {
        return;
    }
    for (size_t i = 0; i < reducing->starts[from]->count; i++) {
        add_result(reducing, start, reducing->starts[from]->results[i]);
    }
}

/* Both of what two paths to one key permit him. */
static struct holder both_holders(const struct holder *a, const struct holder *b) {
    struct holder both = *a;
    if (a->may == MAY_PASS || b->may == MAY_PASS) {
        return a->may == MAY_PASS ? *b : *a;
    }
    both.who = a->who & b->who;
    both.may = a->may == MAY_ONLY && b->may == MAY_ONLY && both.who != 0 ? MAY_ONLY : MAY_NOT;
    both.who = both.may == MAY_ONLY ? both.who : 0;
    return both;
}

/* Chooses results of the parts from 'part' on, 'left' more of them, that are for one key and go
 * with 'so_far' (NOWHERE: nothing chosen yet); what they are together is a result. */
static void choose(struct reducing *reducing, struct start *start, const size_t *parts, size_t part,
                   unsigned left, size_t so_far) {
    const struct graph_subject *threshold = start->holder.threshold;
    if (left == 0) {
        add_results_of(reducing, start, so_far);
        return;
    }
    reducing->is_cut = reducing->is_cut || reducing->work++ > WORK_MAX || !tree_has_room();
    if (threshold->part_count - part < left || reducing->is_cut) {
        return;
    }
    choose(reducing, start, parts, part + 1, left, so_far); /* without this part */
    for (size_t i = 0; parts[part] != NOWHERE && i < reducing->starts[parts[part]]->count; i++) {
        size_t result = reducing->starts[parts[part]]->results[i];
        const struct start *one = reducing->starts[result];
        if (so_far == NOWHERE) {
            choose(reducing, start, parts, part + 1, left - 1, result);
            continue;
        }
        const struct start *other = reducing->starts[so_far];
        if (one->holder.key == other->holder.key) {
            struct holder both = both_holders(&one->holder, &other->holder);
            size_t together = find_start(reducing, &both, tags_meet(one->tag, other->tag),
                                         both_spans(one->span, other->span));
            if (together != NOWHERE && holds(reducing->starts[together]->span, reducing->now)) {
                choose(reducing, start, parts, part + 1, left - 1, together);
            }
        }
    }
}

static void add_all_results(struct reducing *reducing, size_t at) {
    struct start *start = reducing->starts[at];
    struct holder next;
    if (start->holder.kind == GRAPH_THRESHOLD) {
        const struct graph_subject *threshold = start->holder.threshold;
        size_t parts[8];
        for (size_t i = 0; i < threshold->part_count; i++) {
            next = holder_of(&threshold->parts[i], start->holder.may, start->holder.who);
            parts[i] = is_repeated(threshold, i)
                           ? NOWHERE
                           : find_start(reducing, &next, start->tag, start->span);
        }
        choose(reducing, start, parts, 0, threshold->k, NOWHERE);
        return;
    }
    if (start->holder.kind == GRAPH_KEY) {
        add_result(reducing, start, at);
    }
    for (size_t i = 0; i < reducing->graph->cert_count; i++) {
        const struct graph_cert *cert = &reducing->graph->certs[i];
        if (reducing->is_used[i] && follow(&start->holder, cert, 0, &next, &reducing->is_cut)) {
            struct tree *tag = cert->name >= 0 ? start->tag : tags_meet(start->tag, cert->tag);
            struct graph_span span = both_spans(start->span, reducing->spans[i]);
            add_results_of(reducing, start, find_start(reducing, &next, tag, span));
        }
    }
}

int graph_tuple_compare(const struct graph_tuple *a, const struct graph_tuple *b) {
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    if (a->pass != b->pass) {
        return a->pass < b->pass ? -1 : 1;
    }
    if (a->only != b->only) {
        return a->only < b->only ? -1 : 1;
    }
    if (a->span.from != b->span.from) {
        return a->span.from - b->span.from;
    }
    if (a->span.until != b->span.until) {
        return a->span.until - b->span.until;
    }
    return tree_compare(a->tag, b->tag);
}

static int compare_tuples(const void *a, const void *b) {
    return graph_tuple_compare(a, b);
}

static struct graph_tuple tuple_of(const struct holder *holder, struct tree *tag,
                                   struct graph_span span) {
    return (struct graph_tuple){holder->key,
                                holder->may == MAY_PASS   ? GRAPH_PASS_ANY
                                : holder->may == MAY_ONLY ? GRAPH_PASS_ONLY
                                                          : GRAPH_PASS_NONE,
                                holder->may == MAY_ONLY ? holder->who : 0, tag, span};
}

int graph_reduce(const struct graph *graph, const struct tree *request, int now,
                 struct graph_tuple *ret_tuples) {
    static struct reducing reducing;
    struct start all = {.count = 0};
    reducing = (struct reducing){.graph = graph, .now = now};
    for (size_t i = 0; i < graph->cert_count; i++) {
        reducing.is_used[i] = graph_is_usable(graph, &graph->certs[i], now, 0, &reducing.spans[i]);
    }
    do {
        reducing.is_changed = false;
        for (size_t i = 0; i < graph->cert_count; i++) {
            if (graph->certs[i].is_entry && reducing.is_used[i]) {
                struct holder root = root_of(&graph->certs[i], 0);
                struct tree *tag = tags_meet(graph->certs[i].tag, request);
                add_results_of(&reducing, &all,
                               find_start(&reducing, &root, tag, reducing.spans[i]));
            }
        }
        for (size_t i = 0; i < reducing.count && !reducing.is_cut; i++) {
            add_all_results(&reducing, i);
        }
    } while (reducing.is_changed && !reducing.is_cut);
    if (reducing.is_cut) {
        return -1;
    }
    for (size_t i = 0; i < all.count; i++) {
        const struct start *result = reducing.starts[all.results[i]];
        ret_tuples[i] = tuple_of(&result->holder, result->tag, result->span);
    }
    qsort(ret_tuples, all.count, sizeof *ret_tuples, compare_tuples);
    return (int)all.count;
}

bool graph_reduce_chain(const struct graph *graph, const size_t *chain, size_t count, int now,
                        struct graph_tuple *ret_tuple) {
    struct graph_span span, more;
    bool is_cut = false;
    const struct graph_cert *entry = &graph->certs[chain[0]];
    if (!entry->is_entry || !graph_is_usable(graph, entry, now, 0, &span)) {
        return false;
    }
    struct holder holder = root_of(entry, 0), next;
    struct tree *tag = tags_normal(entry->tag);
    for (size_t i = 1; i < count && tag; i++) {
        const struct graph_cert *cert = &graph->certs[chain[i]];
        if (!graph_is_usable(graph, cert, now, 0, &more) ||
            !follow(&holder, cert, 0, &next, &is_cut) || !settle(&next)) {
            return false;
        }
        span = both_spans(span, more);
        tag = cert->name >= 0 ? tag : tags_meet(tag, cert->tag);
        holder = next;
    }
    if (!tag || is_empty(span) || holder.kind != GRAPH_KEY) {
        return false;
    }
    *ret_tuple = tuple_of(&holder, tag, span);
    return true;
}
