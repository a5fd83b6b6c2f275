/* SPDX-License-Identifier: Apache-2.0 */
/* Searches the graph of a query, best first: Dijkstra's algorithm where an edge may need several
 * vertices. Each of the wishes makes an edge cost no less than the most costly of what it rests on,
 * so whatever is reached first is reached best. Source: D. E. Knuth, "A generalization of
 * Dijkstra's algorithm", 1977. */
#include "spki/prove_internal.h"

static void begin(struct wrn_prove_graph *graph, const struct wrn_prove_goal *goal);
static void reach(struct wrn_spki *spki, const struct wrn_prove_goal *goal, uint32_t edge);
static bool cost_of(struct wrn_spki *spki, const struct wrn_prove_goal *goal,
                    const struct wrn_prove_edge *edge, uint64_t *ret_cost);
static uint32_t faults_of(struct wrn_spki *spki, const struct wrn_prove_goal *goal,
                          const struct wrn_prove_edge *edge);
static uint64_t count_bits(uint32_t bits);
static uint64_t add(uint64_t a, uint64_t b);
static uint64_t max(uint64_t a, uint64_t b);
static bool is_before(const struct wrn_prove_step *a, const struct wrn_prove_step *b);
static void push(struct wrn_prove_graph *graph, struct wrn_prove_step step);
static struct wrn_prove_step pop(struct wrn_prove_graph *graph);

bool wrn_prove_graph_search(struct wrn_spki *spki, const struct wrn_prove_goal *goal) {
    struct wrn_prove_graph *graph = &spki->graph;
    bool adds = goal->wish == WRN_PROVE_FEWEST || goal->wish == WRN_PROVE_FORGIVEN;
    begin(graph, goal);
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        if (graph->edges[i].need == 0) {
            reach(spki, goal, i);
        }
    }
    while (graph->step_count > 0) {
        struct wrn_prove_step step = pop(graph);
        uint32_t target = graph->edges[step.edge].target;
        struct wrn_prove_vertex *vertex = &graph->vertices[target];
        if (vertex->best != WRN_PROVE_NONE) {
            continue;
        }
        vertex->best = step.edge;
        vertex->cost = step.cost;
        if (target == 0) {
            return true;
        }
        for (uint32_t i = vertex->uses; i != WRN_PROVE_NONE; i = graph->links[i].next) {
            struct wrn_prove_edge *edge = &graph->edges[graph->links[i].edge];
            if (edge->left == 0) {
                continue;
            }
            graph->links[i].is_taken = true;
            edge->sum = adds ? add(edge->sum, step.cost) : max(edge->sum, step.cost);
            edge->left--;
            if (edge->left == 0) {
                reach(spki, goal, graph->links[i].edge);
            }
        }
    }
    return false;
}

bool wrn_prove_graph_starve(struct wrn_prove_graph *graph) {
    bool is_new = false;
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        struct wrn_prove_edge *edge = &graph->edges[i];
        uint64_t packed = graph->vertices[edge->target].key;
        /* The parts of a compound name are no choice: there is nothing to forgive. */
        bool is_threshold = packed >> 62 == WRN_PROVE_MAY &&
                            (packed >> 20 & WRN_PROVE_THRESHOLD) == WRN_PROVE_THRESHOLD;
        if (is_threshold && !edge->is_starved && edge->left > 0 && edge->left < edge->need) {
            edge->is_starved = true;
            is_new = true;
        }
    }
    return is_new;
}

static void begin(struct wrn_prove_graph *graph, const struct wrn_prove_goal *goal) {
    bool is_generous = goal->forgiven >> WRN_SPKI_TOO_FEW & 1;
    graph->step_count = 0;
    for (uint32_t i = 0; i < graph->vertex_count; i++) {
        graph->vertices[i].best = WRN_PROVE_NONE;
        graph->vertices[i].is_visited = false;
    }
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        struct wrn_prove_edge *edge = &graph->edges[i];
        edge->sum = 0;
        edge->left = is_generous && edge->is_starved ? 1 : edge->need;
    }
    for (uint32_t i = 0; i < graph->link_count; i++) {
        graph->links[i].is_taken = false;
    }
}

/* All that an edge needs is there. At most once a search for each edge, so there is room. */
static void reach(struct wrn_spki *spki, const struct wrn_prove_goal *goal, uint32_t index) {
    struct wrn_prove_step step = {.edge = index};
    if (cost_of(spki, goal, &spki->graph.edges[index], &step.cost)) {
        push(&spki->graph, step);
    }
}

/* False if the edge may not be used. */
static bool cost_of(struct wrn_spki *spki, const struct wrn_prove_goal *goal,
                    const struct wrn_prove_edge *edge, uint64_t *ret_cost) {
    uint32_t faults = faults_of(spki, goal, edge);
    *ret_cost = edge->sum;
    if (faults & ~goal->forgiven) {
        return false;
    }
    if (goal->wish == WRN_PROVE_FORGIVEN) {
        *ret_cost = add(*ret_cost, WRN_PROVE_ONE_FAULT * count_bits(faults));
    }
    if (edge->item == WRN_PROVE_NONE) {
        return true;
    }
    const struct wrn_prove_item *item = &spki->items[edge->item];
    switch (goal->wish) {
    case WRN_PROVE_LATEST_END:
        *ret_cost = max(*ret_cost, UINT64_MAX - item->until);
        return true;
    case WRN_PROVE_EARLIEST_START:
        *ret_cost = max(*ret_cost, item->from);
        return item->until >= goal->end;
    case WRN_PROVE_FEWEST:
        *ret_cost = add(*ret_cost, 1);
        return item->until >= goal->end && item->from <= goal->start;
    case WRN_PROVE_FORGIVEN:
        *ret_cost = add(*ret_cost, 1);
        return true;
    }
    return false;
}

static uint32_t faults_of(struct wrn_spki *spki, const struct wrn_prove_goal *goal,
                          const struct wrn_prove_edge *edge) {
    uint32_t faults = edge->faults;
    if (edge->is_starved && edge->left == 0 && goal->forgiven >> WRN_SPKI_TOO_FEW & 1) {
        faults |= 1U << WRN_SPKI_TOO_FEW;
    }
    if (edge->item == WRN_PROVE_NONE) {
        return faults;
    }
    struct wrn_prove_item *item = &spki->items[edge->item];
    if (goal->is_eager) {
        (void)wrn_prove_proof(spki, &item->object);
    }
    faults |= item->faults;
    if (item->object.issuer != WRN_PROVE_NONE && item->object.proof == WRN_PROVE_BAD) {
        faults |= 1U << WRN_SPKI_BAD_SIGNATURE;
    }
    return faults;
}

static uint64_t count_bits(uint32_t bits) {
    uint64_t count = 0;
    for (; bits; bits &= bits - 1) {
        count++;
    }
    return count;
}

/* Where parts of thresholds share what they rest on, it is counted for each of them. */
static uint64_t add(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t max(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* Of equal ones, what was found first. */
static bool is_before(const struct wrn_prove_step *a, const struct wrn_prove_step *b) {
    return a->cost < b->cost || (a->cost == b->cost && a->edge < b->edge);
}

static void push(struct wrn_prove_graph *graph, struct wrn_prove_step step) {
    uint32_t place = graph->step_count++;
    while (place > 0 && is_before(&step, &graph->steps[(place - 1) / 2])) {
        graph->steps[place] = graph->steps[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    graph->steps[place] = step;
}

static struct wrn_prove_step pop(struct wrn_prove_graph *graph) {
    struct wrn_prove_step first = graph->steps[0];
    struct wrn_prove_step last = graph->steps[--graph->step_count];
    uint32_t place = 0;
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= graph->step_count) {
            break;
        }
        if (child + 1 < graph->step_count &&
            is_before(&graph->steps[child + 1], &graph->steps[child])) {
            child++;
        }
        if (!is_before(&graph->steps[child], &last)) {
            break;
        }
        graph->steps[place] = graph->steps[child];
        place = child;
    }
    graph->steps[place] = last;
    return first;
}
