/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the graph of one query: what leads to the subjects that ask, and what that rests on.
 * Decides nothing.
 *
 * Its vertices are statements, its edges say that one follows when enough others hold:
 *     the subjects may          <- an entry of the ACL, and its subject may
 *     K may, as delegated       <- K is one who asks; or a certificate by K, and its subject may
 *     (K a) may                 <- a name certificate for it, and its subject may
 *     (K a b...) may            <- (K a) stands for K2, and (K2 b...) may
 *     k of n may                <- k of the statements for the parts
 *     (K a) stands for K2       <- a name certificate for it, whose subject stands for K2
 *     (K a b...) stands for K3  <- (K a) stands for K2, and (K2 b...) for K3
 * A certificate whose tag covers the request costs nothing to follow, so no tags are intersected:
 * all tags of a chain cover the request if and only if their intersection does. There are as many
 * statements as subjects in certificates, times the few ways in which a right may be passed on, and
 * of the last two kinds as many as principals that compound names stand for. So loops in
 * certificates and names end, and nothing is done once for each path. */
#include "spki/prove_internal.h"

enum { EXPAND, TELL, ACTIVATE }; /* events: on a vertex, on a fact, on a subscription */
enum { THEN_MAY, THEN_NAME, THEN_REST, THEN_WHOLE };

struct builder {
    struct wrn_spki *spki;
    struct wrn_prove_graph *graph;
    bool is_relaxed;
};

static uint64_t pack(uint32_t kind, uint32_t key, uint32_t list, uint32_t last);
static uint32_t find_vertex(struct builder *b, uint64_t key);
static void add_event(struct builder *b, uint32_t kind, uint32_t index);
static void add_edge(struct builder *b, const struct wrn_prove_edge *edge, const uint32_t *tails);
static uint32_t delegation_of(const struct wrn_spki *spki, uint32_t item);
static bool is_dead(const struct builder *b, struct wrn_prove_node subject, uint32_t delegation);
static void follow(struct builder *b, uint32_t from, uint32_t item, uint32_t delegation,
                   uint32_t faults);
static void expand(struct builder *b, uint32_t vertex);
static void expand_root(struct builder *b);
static void expand_principal(struct builder *b, uint32_t vertex, uint32_t key, uint32_t pass);
static void expand_threshold(struct builder *b, uint32_t vertex, uint32_t index, uint32_t pass);
static void expand_name(struct builder *b, uint32_t vertex, struct wrn_prove_node name,
                        uint32_t pass);
static void resolve(struct builder *b, uint32_t vertex, struct wrn_prove_node name);
static void add_fact(struct builder *b, uint32_t name, uint32_t key, uint32_t item,
                     const uint32_t *tails, uint16_t count);
static void subscribe(struct builder *b, uint32_t source,
                      const struct wrn_prove_subscription *subscription);
static void tell(struct builder *b, uint32_t fact);
static void activate(struct builder *b, uint32_t subscription);
static void conclude(struct builder *b, uint32_t fact, uint32_t subscription);

void wrn_prove_graph_init(struct wrn_prove_graph *graph, struct wrn_arena *arena,
                          const struct wrn_spki_limits *limits) {
    /* A certificate is followed once for each way in which its issuer got the right: at will, once,
     * and to explain a refusal the forbidden ways too. Much more than this is needed only when
     * large groups are parts of many compound names. */
    graph->vertices_max = 6 * limits->certs_max + 1024;
    graph->edges_max = 8 * limits->certs_max + 1024;
    graph->links_max = 24 * limits->certs_max + 2048;
    graph->subscriptions_max = 4 * limits->certs_max + 512;
    wrn_prove_map_init(&graph->known, arena, graph->vertices_max, limits->seed[1]);
    graph->vertices = wrn_arena_take(arena, graph->vertices_max, sizeof(*graph->vertices));
    graph->edges = wrn_arena_take(arena, graph->edges_max, sizeof(*graph->edges));
    graph->links = wrn_arena_take(arena, graph->links_max, sizeof(*graph->links));
    graph->subscriptions =
        wrn_arena_take(arena, graph->subscriptions_max, sizeof(*graph->subscriptions));
    graph->events = wrn_arena_take(arena, (size_t)graph->vertices_max + graph->subscriptions_max,
                                   sizeof(*graph->events));
    graph->steps = wrn_arena_take(arena, graph->edges_max, sizeof(*graph->steps));
    graph->visits = wrn_arena_take(arena, graph->vertices_max, sizeof(*graph->visits));
}

bool wrn_prove_graph_build(struct wrn_spki *spki, bool is_relaxed) {
    struct wrn_prove_graph *graph = &spki->graph;
    struct builder b = {.spki = spki, .graph = graph, .is_relaxed = is_relaxed};
    wrn_prove_map_clear(&graph->known);
    graph->vertex_count = graph->edge_count = graph->link_count = 0;
    graph->subscription_count = graph->event_count = graph->event_next = 0;
    graph->is_full = false;
    find_vertex(&b, pack(WRN_PROVE_ROOT, 0, 0, 0));
    while (graph->event_next < graph->event_count && !graph->is_full) {
        struct wrn_prove_event event = graph->events[graph->event_next++];
        if (event.kind == EXPAND) {
            expand(&b, event.index);
        } else if (event.kind == TELL) {
            tell(&b, event.index);
        } else {
            activate(&b, event.index);
        }
    }
    return !graph->is_full;
}

/* 2 + 21 + 21 + 20 bits. */
static uint64_t pack(uint32_t kind, uint32_t key, uint32_t list, uint32_t last) {
    return (uint64_t)kind << 62 | (uint64_t)key << 41 | (uint64_t)list << 20 | last;
}

/* Finds or makes a vertex. Facts are told of, all others are expanded. NONE if there is no room. */
static uint32_t find_vertex(struct builder *b, uint64_t key) {
    struct wrn_prove_graph *graph = b->graph;
    uint32_t *place = wrn_prove_map_place(&graph->known, key);
    if (!place) {
        graph->is_full = true;
        return WRN_PROVE_NONE;
    }
    if (*place == WRN_PROVE_NONE) {
        *place = graph->vertex_count++;
        graph->vertices[*place] = (struct wrn_prove_vertex){
            .key = key,
            .best = WRN_PROVE_NONE,
            .uses = WRN_PROVE_NONE,
            .facts = WRN_PROVE_NONE,
            .waiting = WRN_PROVE_NONE,
            .next = WRN_PROVE_NONE,
        };
        add_event(b, key >> 62 == WRN_PROVE_STANDS ? TELL : EXPAND, *place);
    }
    return *place;
}

/* There is room for one a vertex and one a subscription. */
static void add_event(struct builder *b, uint32_t kind, uint32_t index) {
    b->graph->events[b->graph->event_count++] =
        (struct wrn_prove_event){.kind = kind, .index = index};
}

/* Adds an edge with links from 'count' vertices. */
static void add_edge(struct builder *b, const struct wrn_prove_edge *edge, const uint32_t *tails) {
    struct wrn_prove_graph *graph = b->graph;
    if (graph->edge_count == graph->edges_max ||
        edge->count > graph->links_max - graph->link_count) {
        graph->is_full = true;
        return;
    }
    uint32_t index = graph->edge_count++;
    graph->edges[index] = *edge;
    graph->edges[index].links = graph->link_count;
    for (uint32_t i = 0; i < edge->count; i++) {
        struct wrn_prove_vertex *tail = &graph->vertices[tails[i]];
        graph->links[graph->link_count] = (struct wrn_prove_link){
            .vertex = tails[i],
            .edge = index,
            .next = tail->uses,
        };
        tail->uses = graph->link_count++;
    }
}

static uint32_t delegation_of(const struct wrn_spki *spki, uint32_t index) {
    const struct wrn_spki_cert *cert = &spki->certs[index];
    if (cert->delegation == WRN_SPKI_DELEGABLE) {
        return WRN_PROVE_PASS_FREELY;
    }
    if (cert->delegation != WRN_SPKI_DELEGABLE_TO) {
        return WRN_PROVE_PASS_NOT | WRN_PROVE_ANYONE;
    }
    uint32_t asked = 0;
    for (size_t i = 0; i < cert->only_count; i++) {
        asked |= spki->keys[spki->only[spki->items[index].only + i]].asked;
    }
    return WRN_PROVE_PASS_ONCE | asked;
}

/* Tells at once, and cheaply, of most subjects that they lead to nobody who asks. */
static bool is_dead(const struct builder *b, struct wrn_prove_node subject, uint32_t pass) {
    const struct wrn_spki *spki = b->spki;
    if (subject.key == WRN_PROVE_NONE) {
        return true;
    }
    if (subject.list == WRN_PROVE_THRESHOLD) {
        return false;
    }
    if (subject.list != WRN_PROVE_NIL) {
        uint32_t name = spki->cells[subject.list].name;
        return wrn_prove_head(spki, subject.key, name) == WRN_PROVE_NONE;
    }
    uint32_t asked = spki->keys[subject.key].asked;
    bool is_limited = !b->is_relaxed && (pass & WRN_PROVE_PASS_KIND) == WRN_PROVE_PASS_NOT;
    if (asked & (is_limited ? pass : WRN_PROVE_ANYONE)) {
        return false;
    }
    bool may_go_on =
        b->is_relaxed || (pass & WRN_PROVE_PASS_KIND) == WRN_PROVE_PASS_FREELY ||
        ((pass & WRN_PROVE_PASS_KIND) == WRN_PROVE_PASS_ONCE && (pass & WRN_PROVE_ANYONE));
    return !may_go_on || spki->keys[subject.key].certs == WRN_PROVE_NONE;
}

/* 'from' holds if the certificate is good and its subject may, with this delegation. */
static void follow(struct builder *b, uint32_t from, uint32_t item, uint32_t pass,
                   uint32_t faults) {
    struct wrn_prove_node subject = b->spki->items[item].subject;
    if (is_dead(b, subject, pass)) {
        return;
    }
    if (wrn_prove_faults(b->spki, item, b->is_relaxed) && !b->is_relaxed) {
        return;
    }
    uint32_t tail = find_vertex(b, pack(WRN_PROVE_MAY, subject.key, subject.list, pass));
    if (tail != WRN_PROVE_NONE) {
        add_edge(b,
                 &(struct wrn_prove_edge){
                     .target = from, .item = item, .count = 1, .need = 1, .faults = faults},
                 &tail);
    }
}

static void expand(struct builder *b, uint32_t vertex) {
    uint64_t packed = b->graph->vertices[vertex].key;
    uint32_t kind = (uint32_t)(packed >> 62);
    struct wrn_prove_node node = {
        .key = (uint32_t)(packed >> 41) & ((1U << 21) - 1),
        .list = (uint32_t)(packed >> 20) & ((1U << 21) - 1),
    };
    uint32_t pass = (uint32_t)packed & ((1U << 20) - 1);
    if (kind == WRN_PROVE_ROOT) {
        expand_root(b);
    } else if (kind == WRN_PROVE_NAME) {
        resolve(b, vertex, node);
    } else if (node.list == WRN_PROVE_THRESHOLD) {
        expand_threshold(b, vertex, node.key, pass);
    } else if (node.list == WRN_PROVE_NIL) {
        expand_principal(b, vertex, node.key, pass);
    } else {
        expand_name(b, vertex, node, pass);
    }
}

static void expand_root(struct builder *b) {
    for (uint32_t i = b->spki->entries; i != WRN_PROVE_NONE; i = b->spki->items[i].next) {
        follow(b, 0, i, delegation_of(b->spki, i), 0);
    }
}

static void expand_principal(struct builder *b, uint32_t vertex, uint32_t key, uint32_t pass) {
    const uint32_t forbidden = 1U << WRN_SPKI_NO_DELEGATION;
    uint32_t kind = pass & WRN_PROVE_PASS_KIND, allowed = pass & WRN_PROVE_ANYONE;
    uint32_t asked = b->spki->keys[key].asked;
    bool is_allowed = kind != WRN_PROVE_PASS_NOT || (asked & allowed);
    if (asked && (is_allowed || b->is_relaxed)) {
        add_edge(b,
                 &(struct wrn_prove_edge){.target = vertex,
                                          .item = WRN_PROVE_NONE,
                                          .faults = is_allowed ? 0 : forbidden},
                 NULL);
    }
    for (uint32_t i = b->spki->keys[key].certs; i != WRN_PROVE_NONE; i = b->spki->items[i].next) {
        if (kind == WRN_PROVE_PASS_FREELY) {
            follow(b, vertex, i, delegation_of(b->spki, i), 0);
        }
        if (kind == WRN_PROVE_PASS_ONCE && (allowed || b->is_relaxed)) {
            follow(b, vertex, i, WRN_PROVE_PASS_NOT | allowed, 0);
        }
        if (kind != WRN_PROVE_PASS_FREELY && b->is_relaxed) {
            follow(b, vertex, i, delegation_of(b->spki, i), forbidden);
        }
    }
}

static void expand_threshold(struct builder *b, uint32_t vertex, uint32_t index, uint32_t pass) {
    const struct wrn_prove_threshold *threshold = &b->spki->thresholds[index];
    uint32_t tails[WRN_SPKI_THRESHOLD_MAX];
    struct wrn_prove_edge edge = {
        .target = vertex, .item = WRN_PROVE_NONE, .need = (uint16_t)threshold->k};
    for (uint32_t i = 0; i < threshold->n; i++) {
        struct wrn_prove_node part = b->spki->parts[threshold->parts + i];
        if (is_dead(b, part, pass) || wrn_prove_is_repeated(b->spki, threshold, i)) {
            continue;
        }
        tails[edge.count] = find_vertex(b, pack(WRN_PROVE_MAY, part.key, part.list, pass));
        if (tails[edge.count] == WRN_PROVE_NONE) {
            return;
        }
        edge.count++;
    }
    if (edge.count >= edge.need || (b->is_relaxed && edge.count > 0)) {
        add_edge(b, &edge, tails);
    }
}

static void expand_name(struct builder *b, uint32_t vertex, struct wrn_prove_node name,
                        uint32_t pass) {
    struct wrn_prove_cell cell = b->spki->cells[name.list];
    if (cell.rest == WRN_PROVE_NIL) {
        for (uint32_t i = wrn_prove_head(b->spki, name.key, cell.name); i != WRN_PROVE_NONE;
             i = b->spki->items[i].next) {
            follow(b, vertex, i, pass, 0);
        }
        return;
    }
    uint32_t first;
    if (!wrn_prove_add_cell(b->spki, cell.name, WRN_PROVE_NIL, &first)) {
        b->graph->is_full = true;
        return;
    }
    uint32_t source = find_vertex(b, pack(WRN_PROVE_NAME, name.key, first, 0));
    subscribe(b, source,
              &(struct wrn_prove_subscription){
                  .kind = THEN_MAY, .target = vertex, .list = cell.rest, .delegation = pass});
}

/* Looks for what a name stands for. */
static void resolve(struct builder *b, uint32_t vertex, struct wrn_prove_node name) {
    if (name.list == WRN_PROVE_NIL) {
        add_fact(b, vertex, name.key, WRN_PROVE_NONE, NULL, 0);
        return;
    }
    struct wrn_prove_cell cell = b->spki->cells[name.list];
    if (cell.rest != WRN_PROVE_NIL) {
        uint32_t first;
        if (!wrn_prove_add_cell(b->spki, cell.name, WRN_PROVE_NIL, &first)) {
            b->graph->is_full = true;
            return;
        }
        uint32_t source = find_vertex(b, pack(WRN_PROVE_NAME, name.key, first, 0));
        subscribe(b, source,
                  &(struct wrn_prove_subscription){
                      .kind = THEN_REST, .target = vertex, .list = cell.rest});
        return;
    }
    for (uint32_t i = wrn_prove_head(b->spki, name.key, cell.name);
         i != WRN_PROVE_NONE && !b->graph->is_full; i = b->spki->items[i].next) {
        struct wrn_prove_node subject = b->spki->items[i].subject;
        /* Words that follow a threshold would be names of nobody. */
        if (subject.key == WRN_PROVE_NONE || subject.list == WRN_PROVE_THRESHOLD ||
            (wrn_prove_faults(b->spki, i, b->is_relaxed) && !b->is_relaxed)) {
            continue;
        }
        uint32_t source = find_vertex(b, pack(WRN_PROVE_NAME, subject.key, subject.list, 0));
        subscribe(b, source,
                  &(struct wrn_prove_subscription){.kind = THEN_NAME, .target = vertex, .item = i});
    }
}

/* 'name' stands for 'key', because of a certificate and of 'tails'. */
static void add_fact(struct builder *b, uint32_t name, uint32_t key, uint32_t item,
                     const uint32_t *tails, uint16_t count) {
    struct wrn_prove_graph *graph = b->graph;
    uint64_t packed =
        (graph->vertices[name].key & ~(3ULL << 62)) | (uint64_t)WRN_PROVE_STANDS << 62 | key;
    uint32_t before = graph->vertex_count;
    uint32_t fact = find_vertex(b, packed);
    if (fact == WRN_PROVE_NONE) {
        return;
    }
    if (fact == before) {
        graph->vertices[fact].next = graph->vertices[name].facts;
        graph->vertices[name].facts = fact;
    }
    add_edge(b,
             &(struct wrn_prove_edge){.target = fact, .item = item, .count = count, .need = count},
             tails);
}

static void subscribe(struct builder *b, uint32_t source,
                      const struct wrn_prove_subscription *subscription) {
    struct wrn_prove_graph *graph = b->graph;
    if (source == WRN_PROVE_NONE || graph->subscription_count == graph->subscriptions_max) {
        graph->is_full = true;
        return;
    }
    uint32_t index = graph->subscription_count++;
    graph->subscriptions[index] = *subscription;
    graph->subscriptions[index].source = source;
    graph->subscriptions[index].next = graph->vertices[source].waiting;
    graph->vertices[source].waiting = index;
    add_event(b, ACTIVATE, index);
}

/* Each fact meets each subscription once: when the second of the two has its turn. */
static void tell(struct builder *b, uint32_t fact) {
    struct wrn_prove_graph *graph = b->graph;
    uint64_t packed = graph->vertices[fact].key;
    uint64_t name = (packed & ~(3ULL << 62) & ~((1ULL << 20) - 1)) | (uint64_t)WRN_PROVE_NAME << 62;
    graph->vertices[fact].is_told = true;
    uint32_t source = wrn_prove_map_get(&graph->known, name);
    for (uint32_t i = graph->vertices[source].waiting; i != WRN_PROVE_NONE && !graph->is_full;
         i = graph->subscriptions[i].next) {
        if (graph->subscriptions[i].is_active) {
            conclude(b, fact, i);
        }
    }
}

static void activate(struct builder *b, uint32_t index) {
    struct wrn_prove_graph *graph = b->graph;
    graph->subscriptions[index].is_active = true;
    for (uint32_t fact = graph->vertices[graph->subscriptions[index].source].facts;
         fact != WRN_PROVE_NONE && !graph->is_full; fact = graph->vertices[fact].next) {
        if (graph->vertices[fact].is_told) {
            conclude(b, fact, index);
        }
    }
}

static void conclude(struct builder *b, uint32_t fact, uint32_t index) {
    struct wrn_prove_subscription s = b->graph->subscriptions[index];
    uint32_t key = (uint32_t)b->graph->vertices[fact].key & ((1U << 20) - 1);
    uint32_t tails[2] = {fact};
    if (s.kind == THEN_NAME) {
        add_fact(b, s.target, key, s.item, tails, 1);
    } else if (s.kind == THEN_WHOLE) {
        /* 'item' is the fact about the first name. */
        tails[0] = s.item;
        tails[1] = fact;
        add_fact(b, s.target, key, WRN_PROVE_NONE, tails, 2);
    } else if (s.kind == THEN_REST) {
        uint32_t source = find_vertex(b, pack(WRN_PROVE_NAME, key, s.list, 0));
        subscribe(
            b, source,
            &(struct wrn_prove_subscription){.kind = THEN_WHOLE, .target = s.target, .item = fact});
    } else if (!is_dead(b, (struct wrn_prove_node){key, s.list}, s.delegation)) {
        tails[1] = find_vertex(b, pack(WRN_PROVE_MAY, key, s.list, s.delegation));
        if (tails[1] != WRN_PROVE_NONE) {
            add_edge(b,
                     &(struct wrn_prove_edge){
                         .target = s.target, .item = WRN_PROVE_NONE, .count = 2, .need = 2},
                     tails);
        }
    }
}
