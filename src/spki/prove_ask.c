/* SPDX-License-Identifier: Apache-2.0 */
/* Answers whether a request is granted, and if not, what stands in the way of the chain that comes
 * furthest. Verifies signatures only of chains that would grant it or explain it. */
#include "spki/prove_internal.h"

/* So often a chain turns out to be badly signed before all signatures on the way are verified. */
enum { LAZY_TRIES = 4 };

/* Of so many unfulfilled thresholds on one way an explanation is found. */
enum { NESTED_MAX = 16 };

struct walk {
    uint32_t items[WRN_SPKI_CHAIN_MAX];
    size_t count;
    bool is_too_long;
    enum wrn_spki_verdict verdict; /* GRANTED: no fault was met */
    uint32_t culprit, passed_on;   /* items, or NONE */
    uint32_t have, need;
};

static bool begin(struct wrn_spki *spki, const struct wrn_spki_query *query);
static void mark_subjects(struct wrn_spki *spki, const struct wrn_spki_query *query, bool is_begin);
static bool find_grant(struct wrn_spki *spki, struct walk *walk);
static bool find_best(struct wrn_spki *spki, bool is_eager, struct walk *walk);
static void find_reason(struct wrn_spki *spki, struct walk *walk);
static bool forgive(struct wrn_spki *spki, bool is_eager);
static bool prove_chain(struct wrn_spki *spki, const struct walk *walk);
static void follow_back(struct wrn_spki *spki, struct walk *walk);
static bool is_listed(const struct wrn_spki *spki, uint32_t item, uint32_t key);
static void look_at(struct wrn_spki *spki, struct walk *walk, const struct wrn_prove_visit *visit);
static void push_tails(struct wrn_prove_graph *graph, const struct wrn_prove_visit *visit,
                       const struct wrn_prove_edge *edge, uint32_t *depth);
static void note(struct walk *walk, enum wrn_spki_verdict verdict, uint32_t culprit,
                 uint32_t passed_on);
static void fill_granted(struct wrn_spki *spki, const struct walk *walk,
                         struct wrn_spki_answer *answer);
static void fill_refused(struct wrn_spki *spki, const struct walk *walk,
                         struct wrn_spki_answer *answer);

void wrn_spki_ask(struct wrn_spki *spki, const struct wrn_spki_query *query,
                  struct wrn_spki_answer *ret_answer) {
    struct walk walk = {.verdict = WRN_SPKI_TOO_LARGE};
    WRN_ASSERT(query->subject_count >= 1 && query->subject_count <= WRN_SPKI_THRESHOLD_MAX);
    memset(ret_answer, 0, sizeof(*ret_answer));
    if (begin(spki, query)) {
        mark_subjects(spki, query, true);
        if (wrn_prove_graph_build(spki, false) && !find_grant(spki, &walk)) {
            memset(&walk, 0, sizeof(walk));
            walk.verdict = WRN_SPKI_TOO_LARGE;
            if (wrn_prove_graph_build(spki, true)) {
                find_reason(spki, &walk);
            }
        }
        mark_subjects(spki, query, false);
    }
    ret_answer->verdict = walk.is_too_long ? WRN_SPKI_TOO_LARGE : walk.verdict;
    ret_answer->chain_count = walk.count;
    for (size_t i = 0; i < walk.count; i++) {
        ret_answer->chain[i] = &spki->certs[walk.items[i]];
    }
    if (ret_answer->verdict == WRN_SPKI_GRANTED) {
        fill_granted(spki, &walk, ret_answer);
    } else {
        fill_refused(spki, &walk, ret_answer);
    }
}

void wrn_prove_fill_culprit(const struct wrn_spki *spki, uint32_t index,
                            struct wrn_spki_answer *answer) {
    const struct wrn_spki_cert *cert = &spki->certs[index];
    const struct wrn_prove_item *item = &spki->items[index];
    answer->culprit = cert;
    for (size_t i = 0; i < answer->chain_count; i++) {
        if (answer->chain[i] == cert) {
            answer->culprit_index = i;
        }
    }
    if (answer->verdict == WRN_SPKI_NOT_YET_VALID) {
        answer->since = cert->validity.not_before;
    } else if (answer->verdict == WRN_SPKI_EXPIRED) {
        answer->since = cert->validity.not_after;
    } else if (answer->verdict == WRN_SPKI_REVOKED) {
        answer->since = spki->notices[item->revoked].validity.not_before;
        answer->by = spki->keys[spki->notices[item->revoked].object.issuer].as;
    } else if (answer->verdict == WRN_SPKI_NO_FRESH_CRL) {
        answer->by = spki->keys[item->online].as;
    } else if (answer->verdict == WRN_SPKI_TAG &&
               !wrn_tag_find_refused(cert->tag, spki->request, spki->scratch, WRN_TAG_SIZE_MAX,
                                     &answer->wanted, &answer->permitted)) {
        /* Nothing can permit a request that is no tag, or permits nothing itself. */
        answer->wanted = spki->request;
        answer->permitted = cert->tag;
    }
}

/* False for a date that cannot be written. */
static bool begin(struct wrn_spki *spki, const struct wrn_spki_query *query) {
    char now[WRN_SPKI_DATE_SIZE];
    wrn_prove_prepare(spki);
    wrn_prove_next_query(spki);
    spki->request = query->request;
    if (!wrn_spki_date_write(query->now_s, now)) {
        return false;
    }
    spki->now = wrn_prove_date((wrn_span){(const uint8_t *)now, sizeof(now)});
    return true;
}

/* What is no principal is nobody. */
static void mark_subjects(struct wrn_spki *spki, const struct wrn_spki_query *query,
                          bool is_begin) {
    for (size_t i = 0; i < query->subject_count; i++) {
        struct wrn_spki_principal principal;
        if (wrn_spki_read_principal(query->subjects[i], spki->mode, &principal, NULL) == 0) {
            wrn_prove_mark_key(spki, &principal, is_begin ? 1U << i : 0);
        }
    }
}

/* Sets the chain that grants the request the longest, if there is one (or the verdict that it is
 * too long). */
static bool find_grant(struct wrn_spki *spki, struct walk *walk) {
    for (size_t tries = 0;; tries++) {
        if (!find_best(spki, tries >= LAZY_TRIES, walk)) {
            return false;
        }
        if (walk->is_too_long || prove_chain(spki, walk)) {
            return true;
        }
    }
}

static bool find_best(struct wrn_spki *spki, bool is_eager, struct walk *walk) {
    struct wrn_prove_goal goal = {.wish = WRN_PROVE_LATEST_END, .is_eager = is_eager};
    const struct wrn_prove_vertex *root = &spki->graph.vertices[0];
    if (!wrn_prove_graph_search(spki, &goal)) {
        return false;
    }
    goal.wish = WRN_PROVE_EARLIEST_START;
    goal.end = UINT64_MAX - root->cost;
    bool is_found = wrn_prove_graph_search(spki, &goal);
    WRN_ASSERT(is_found);
    goal.wish = WRN_PROVE_FEWEST;
    goal.start = root->cost;
    is_found = wrn_prove_graph_search(spki, &goal);
    WRN_ASSERT(is_found);
    follow_back(spki, walk);
    if (walk->is_too_long) {
        /* A shorter one that does not last so long is better than none. */
        goal.end = 0;
        goal.start = UINT64_MAX;
        is_found = wrn_prove_graph_search(spki, &goal);
        WRN_ASSERT(is_found);
        follow_back(spki, walk);
    }
    return true;
}

static void find_reason(struct wrn_spki *spki, struct walk *walk) {
    for (size_t tries = 0;; tries++) {
        if (!forgive(spki, tries >= LAZY_TRIES)) {
            walk->verdict = WRN_SPKI_NO_ROOT;
            walk->count = 0;
            walk->is_too_long = false;
            return;
        }
        follow_back(spki, walk);
        if (prove_chain(spki, walk)) {
            return;
        }
    }
}

/* Forgives one kind of fault after the other until there is a chain. */
static bool forgive(struct wrn_spki *spki, bool is_eager) {
    static const uint32_t kinds[] = {
        1U << WRN_SPKI_NOT_YET_VALID | 1U << WRN_SPKI_EXPIRED,
        1U << WRN_SPKI_REVOKED | 1U << WRN_SPKI_NO_FRESH_CRL,
        1U << WRN_SPKI_NO_DELEGATION,
        1U << WRN_SPKI_NOT_SIGNED | 1U << WRN_SPKI_BAD_SIGNATURE,
        1U << WRN_SPKI_TAG | 1U << WRN_SPKI_TOO_LARGE,
    };
    struct wrn_prove_goal goal = {.wish = WRN_PROVE_FORGIVEN, .is_eager = is_eager};
    for (size_t i = 0; i < WRN_COUNT(kinds); i++) {
        goal.forgiven |= kinds[i];
        if (wrn_prove_graph_search(spki, &goal)) {
            return true;
        }
    }
    /* Thresholds from the innermost on. Each round looks at everything, so there are not many. */
    goal.forgiven |= 1U << WRN_SPKI_TOO_FEW;
    bool goes_on = true;
    for (size_t i = 0; i < NESTED_MAX && goes_on; i++) {
        goes_on = wrn_prove_graph_starve(&spki->graph);
        if (wrn_prove_graph_search(spki, &goal)) {
            return true;
        }
    }
    return false;
}

/* Verifies the signatures of a chain. False if one is bad that passed for good before. */
static bool prove_chain(struct wrn_spki *spki, const struct walk *walk) {
    bool is_new = false;
    for (size_t i = 0; i < walk->count; i++) {
        struct wrn_prove_signed *object = &spki->items[walk->items[i]].object;
        if (wrn_prove_proof_so_far(spki, object) == WRN_PROVE_UNPROVED) {
            is_new = wrn_prove_proof(spki, object) != WRN_PROVE_GOOD || is_new;
        }
    }
    return !is_new;
}

/* Lists the certificates of what the last search found, from the root, and its first fault. */
static void follow_back(struct wrn_spki *spki, struct walk *walk) {
    struct wrn_prove_graph *graph = &spki->graph;
    uint32_t depth = 0;
    memset(walk, 0, sizeof(*walk));
    spki->search++;
    graph->visits[depth++] =
        (struct wrn_prove_visit){0, WRN_PROVE_NONE, WRN_PROVE_NONE, WRN_PROVE_NONE};
    while (depth > 0) {
        struct wrn_prove_visit visit = graph->visits[--depth];
        const struct wrn_prove_edge *edge = &graph->edges[graph->vertices[visit.vertex].best];
        look_at(spki, walk, &visit);
        if (edge->item != WRN_PROVE_NONE) {
            struct wrn_prove_item *item = &spki->items[edge->item];
            if (item->chain != spki->search) {
                item->chain = spki->search;
                walk->is_too_long = walk->is_too_long || walk->count == WRN_SPKI_CHAIN_MAX;
                if (!walk->is_too_long) {
                    walk->items[walk->count++] = edge->item;
                }
            }
            visit.last = edge->item;
            if (item->name == WRN_PROVE_NONE) {
                bool is_once = (graph->vertices[visit.vertex].key & WRN_PROVE_PASS_KIND) ==
                               WRN_PROVE_PASS_ONCE;
                visit.limiter = is_once && !edge->faults ? visit.giver : WRN_PROVE_NONE;
                visit.giver = edge->item;
            }
        }
        push_tails(graph, &visit, edge, &depth);
    }
}

/* Each vertex is visited once, so there is room. */
static void push_tails(struct wrn_prove_graph *graph, const struct wrn_prove_visit *visit,
                       const struct wrn_prove_edge *edge, uint32_t *depth) {
    for (uint32_t i = edge->count; i-- > 0;) {
        const struct wrn_prove_link *link = &graph->links[edge->links + i];
        if (link->is_taken && !graph->vertices[link->vertex].is_visited) {
            graph->vertices[link->vertex].is_visited = true;
            graph->visits[*depth] = *visit;
            graph->visits[(*depth)++].vertex = link->vertex;
        }
    }
}

/* Tells whether a certificate may be passed on to a principal by name. */
static bool is_listed(const struct wrn_spki *spki, uint32_t item, uint32_t key) {
    for (size_t i = 0; i < spki->certs[item].only_count; i++) {
        if (spki->only[spki->items[item].only + i] == key) {
            return true;
        }
    }
    return false;
}

/* Notes the first fault: of the way in which a certificate is used, then its own. */
static void look_at(struct wrn_spki *spki, struct walk *walk, const struct wrn_prove_visit *visit) {
    const struct wrn_prove_graph *graph = &spki->graph;
    const struct wrn_prove_edge *edge = &graph->edges[graph->vertices[visit->vertex].best];
    if (edge->faults && visit->limiter != WRN_PROVE_NONE) {
        /* Who is on the list may not pass it on; who is not should not have got it. */
        uint32_t key = (uint32_t)(graph->vertices[visit->vertex].key >> 41) & WRN_PROVE_THRESHOLD;
        bool goes_on = edge->item != WRN_PROVE_NONE && is_listed(spki, visit->limiter, key);
        note(walk, WRN_SPKI_WRONG_DELEGATE, visit->limiter, goes_on ? edge->item : visit->giver);
    } else if (edge->faults) {
        bool is_list = spki->certs[visit->giver].delegation == WRN_SPKI_DELEGABLE_TO;
        note(walk, is_list ? WRN_SPKI_WRONG_DELEGATE : WRN_SPKI_NO_DELEGATION, visit->giver,
             edge->item);
    }
    if (edge->item != WRN_PROVE_NONE) {
        const struct wrn_prove_item *item = &spki->items[edge->item];
        uint32_t faults = item->faults;
        if (item->object.issuer != WRN_PROVE_NONE && item->object.proof == WRN_PROVE_BAD) {
            faults |= 1U << WRN_SPKI_BAD_SIGNATURE;
        }
        if (faults) {
            note(walk, (enum wrn_spki_verdict)__builtin_ctz(faults), edge->item, WRN_PROVE_NONE);
        }
    }
    uint32_t have = 0, taken = 0;
    for (uint32_t i = 0; i < edge->count; i++) {
        const struct wrn_prove_link *link = &graph->links[edge->links + i];
        const struct wrn_prove_vertex *part = &graph->vertices[link->vertex];
        taken += link->is_taken;
        have += part->best != WRN_PROVE_NONE && part->cost < WRN_PROVE_ONE_FAULT;
    }
    if (taken < edge->need && walk->verdict == WRN_SPKI_GRANTED) {
        walk->have = have;
        walk->need = edge->need;
        note(walk, WRN_SPKI_TOO_FEW, visit->last, WRN_PROVE_NONE);
    }
}

static void note(struct walk *walk, enum wrn_spki_verdict verdict, uint32_t culprit,
                 uint32_t passed_on) {
    if (walk->verdict == WRN_SPKI_GRANTED) {
        walk->verdict = verdict;
        walk->culprit = culprit;
        walk->passed_on = passed_on;
    }
}

static void fill_granted(struct wrn_spki *spki, const struct walk *walk,
                         struct wrn_spki_answer *answer) {
    bool is_ever = true;
    for (size_t i = 0; i < walk->count; i++) {
        const struct wrn_prove_item *item = &spki->items[walk->items[i]];
        is_ever = is_ever && wrn_spki_validity_intersect(&answer->validity,
                                                         &spki->certs[walk->items[i]].validity,
                                                         &answer->validity);
        if (item->fresh != WRN_PROVE_NONE) {
            is_ever = is_ever && wrn_spki_validity_intersect(&answer->validity,
                                                             &spki->notices[item->fresh].validity,
                                                             &answer->validity);
        }
        if (item->is_announced) {
            struct wrn_spki_validity eve = wrn_prove_eve(&spki->notices[item->revoked]);
            is_ever =
                is_ever && wrn_spki_validity_intersect(&answer->validity, &eve, &answer->validity);
        }
    }
    WRN_ASSERT(is_ever); /* all of them hold now */
}

static void fill_refused(struct wrn_spki *spki, const struct walk *walk,
                         struct wrn_spki_answer *answer) {
    if (walk->count == 0 || walk->is_too_long || walk->verdict == WRN_SPKI_GRANTED) {
        return;
    }
    wrn_prove_fill_culprit(spki, walk->culprit, answer);
    answer->passed_on = walk->passed_on == WRN_PROVE_NONE ? NULL : &spki->certs[walk->passed_on];
    answer->have = walk->have;
    answer->need = walk->need;
}
