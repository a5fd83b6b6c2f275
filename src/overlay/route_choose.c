/* SPDX-License-Identifier: Apache-2.0 */
/* The next hop of a routed message, from the table of links alone. Changes no table, sends
 * nothing. */
#include "overlay/route_internal.h"

/* What a link must be to be taken. */
struct query {
    wrn_id goal;
    wrn_id bound;    /* has_bound: only nodes nearer to the goal than this one lead on */
    wrn_id excluded; /* has_excluded: never this node */
    bool has_bound;
    bool has_excluded;
    bool is_strict;    /* by the places of links alone, not by what they know */
    bool takes_leaves; /* we have no link but to nodes that carry us until we have joined */
    const struct wrn_route_tried *tried;
    uint32_t place; /* of the goal in the table */
};

/* A link with what speaks for it. */
struct candidate {
    const struct wrn_link *link;
    wrn_id best;    /* the place nearest to the goal that it knows, its own or a neighbour's */
    uint32_t class; /* 0 is the best */
};

static enum wrn_route_verdict decide_exact(const struct wrn_links *links, struct wrn_routed *routed,
                                           const struct wrn_link *from,
                                           const struct wrn_route_tried *tried,
                                           const struct wrn_link **ret_link);
static enum wrn_route_verdict decide_nearest(const struct wrn_links *links,
                                             struct wrn_routed *routed, const struct wrn_link *from,
                                             const struct wrn_route_tried *tried,
                                             const struct wrn_link **ret_link);
static enum wrn_route_verdict decide_sideways(const struct wrn_links *links,
                                              struct wrn_routed *routed,
                                              const struct wrn_route_tried *tried,
                                              const struct wrn_link **ret_link);
static const struct wrn_link *lead_on(const struct wrn_links *links, struct wrn_routed *routed,
                                      const struct wrn_link *from, struct query query);
static const struct wrn_link *choose(const struct wrn_links *links, const struct query *query,
                                     enum wrn_route_course *ret_course);
static const struct wrn_link *choose_along(const struct wrn_links *links, const struct query *query,
                                           bool is_right);
static wrn_id way_along(wrn_id from, wrn_id to, bool is_right);
static bool may_take(const struct query *query, const struct wrn_link *link);
static bool weigh(const struct wrn_links *links, uint32_t index, const struct query *query,
                  struct candidate *ret_candidate);
static bool is_better(wrn_id goal, const struct candidate *a, const struct candidate *b);
static wrn_id best_known(const struct wrn_links *links, uint32_t index, const struct query *query);
static wrn_id best_of_side(const struct wrn_links *links, uint32_t index, bool is_right,
                           const struct query *query, wrn_id best);
static wrn_id next_known(const struct wrn_links *links, uint32_t *place, bool is_right);
static bool was_tried(const struct wrn_route_tried *tried, wrn_handle peer);
static bool has_ring(const struct wrn_links *links);

enum wrn_route_verdict wrn_route_decide(const struct wrn_links *links, struct wrn_routed *routed,
                                        const struct wrn_link *from,
                                        const struct wrn_route_tried *tried,
                                        const struct wrn_link **ret_link) {
    switch (routed->header.mode) {
    case WRN_ROUTE_EXACT:
        return decide_exact(links, routed, from, tried, ret_link);
    case WRN_ROUTE_NEAREST:
        return decide_nearest(links, routed, from, tried, ret_link);
    case WRN_ROUTE_LEFT:
    case WRN_ROUTE_RIGHT:
        return decide_sideways(links, routed, tried, ret_link);
    }
    return WRN_ROUTE_NONE;
}

static enum wrn_route_verdict decide_exact(const struct wrn_links *links, struct wrn_routed *routed,
                                           const struct wrn_link *from,
                                           const struct wrn_route_tried *tried,
                                           const struct wrn_link **ret_link) {
    struct wrn_route_header *header = &routed->header;
    if (wrn_id_equal(header->target, links->self)) {
        header->has_via = header->has_via && !header->to_via; /* ours, not the source's */
        header->to_via = false;
        return WRN_ROUTE_DELIVER;
    }
    const struct wrn_link *direct = wrn_links_at(links, header->target);
    if (direct != NULL && !direct->is_suspect && !was_tried(tried, direct->peer)) {
        routed->course = WRN_ROUTE_PLAIN;
        *ret_link = direct;
        return WRN_ROUTE_FORWARD;
    }
    bool takes_leaves = header->hops == 0 && !has_ring(links);
    struct query query = {
        .goal = header->via,
        .bound = links->self,
        .has_bound = !takes_leaves,
        .takes_leaves = takes_leaves,
        .tried = tried,
    };
    if (header->to_via && !wrn_id_equal(header->via, links->self)) {
        *ret_link = lead_on(links, routed, from, query);
        if (*ret_link != NULL) {
            return WRN_ROUTE_FORWARD;
        }
    }
    if (header->to_via) {
        /* Via is reached, or not there; the target may have joined by now. What follows has
         * nothing to do with the way to via, and there is no way back to it. */
        header->to_via = false;
        header->has_via = false;
        routed->course = WRN_ROUTE_PLAIN;
    }
    query.goal = header->target;
    *ret_link = lead_on(links, routed, from, query);
    return *ret_link != NULL ? WRN_ROUTE_FORWARD : WRN_ROUTE_NOBODY;
}

static enum wrn_route_verdict decide_nearest(const struct wrn_links *links,
                                             struct wrn_routed *routed, const struct wrn_link *from,
                                             const struct wrn_route_tried *tried,
                                             const struct wrn_link **ret_link) {
    const struct wrn_route_header *header = &routed->header;
    bool is_source = wrn_id_equal(header->source, links->self);
    bool takes_leaves = header->hops == 0 && !has_ring(links) && links->count > 0;
    bool must_leave = takes_leaves || (header->not_source && is_source);
    struct query query = {
        .goal = header->target,
        .bound = links->self,
        .has_bound = !must_leave,
        .excluded = header->source,
        .has_excluded = header->not_source && !is_source,
        .takes_leaves = takes_leaves,
        .tried = tried,
    };
    *ret_link = lead_on(links, routed, from, query);
    if (*ret_link != NULL) {
        return WRN_ROUTE_FORWARD;
    }
    return must_leave ? WRN_ROUTE_NONE : WRN_ROUTE_DELIVER;
}

static enum wrn_route_verdict decide_sideways(const struct wrn_links *links,
                                              struct wrn_routed *routed,
                                              const struct wrn_route_tried *tried,
                                              const struct wrn_link **ret_link) {
    struct wrn_route_header *header = &routed->header;
    if (header->steps == 0) {
        return WRN_ROUTE_DELIVER;
    }
    bool takes_leaves = header->hops == 0 && !has_ring(links);
    for (uint32_t i = 0; i < links->count; i++) {
        const struct wrn_link *link =
            header->mode == WRN_ROUTE_RIGHT ? wrn_links_right(links, i) : wrn_links_left(links, i);
        bool is_excluded = header->not_source && wrn_id_equal(link->id, header->source);
        if (!is_excluded && (takes_leaves || wrn_link_is_of_ring(link)) &&
            !was_tried(tried, link->peer)) {
            header->steps--;
            routed->course = WRN_ROUTE_PLAIN;
            *ret_link = link;
            return WRN_ROUTE_FORWARD;
        }
    }
    /* Alone but for the source: in this direction comes nobody. */
    return header->hops > 0 && tried->count == 0 ? WRN_ROUTE_DELIVER : WRN_ROUTE_NONE;
}

/* Chooses the next link to the query's goal and sets the course. NULL: none leads on.
 *
 * No circles: a plain step goes to a node that is nearer to the goal than this one. A detour goes
 * to one that is not, but the step after it must end nearer than this one was, or the message is
 * strict from then on. So the nodes at which plain steps begin come nearer and nearer, and so do
 * those of a strict message: no table, old or false, sends an honest node's message round. One that
 * goes one way along the circle comes nearer by that way, and does not pass the goal. */
static const struct wrn_link *lead_on(const struct wrn_links *links, struct wrn_routed *routed,
                                      const struct wrn_link *from, struct query query) {
    query.place = wrn_links_place(links, query.goal);
    if (routed->course >= WRN_ROUTE_RIGHTWARDS) {
        return choose_along(links, &query, routed->course == WRN_ROUTE_RIGHTWARDS);
    }
    if (routed->course == WRN_ROUTE_DETOUR) {
        if (from != NULL && query.has_bound &&
            wrn_id_is_nearer(query.goal, from->id, query.bound)) {
            query.bound = from->id;
            query.is_strict = true;
            enum wrn_route_course ignored;
            const struct wrn_link *link = choose(links, &query, &ignored);
            if (link != NULL) {
                routed->course = WRN_ROUTE_PLAIN;
                return link;
            }
            query.bound = links->self;
        }
        routed->course = WRN_ROUTE_STRICT; /* what the sender was told is not so */
    }
    query.is_strict = routed->course == WRN_ROUTE_STRICT;
    enum wrn_route_course course = routed->course;
    const struct wrn_link *link = choose(links, &query, &course);
    if (link != NULL) {
        routed->course = query.is_strict ? WRN_ROUTE_STRICT : course;
    }
    return link;
}

/* Returns the best link for a query, with PLAIN or DETOUR; NULL if there is none. */
static const struct wrn_link *choose(const struct wrn_links *links, const struct query *query,
                                     enum wrn_route_course *ret_course) {
    struct candidate best = {0};
    for (uint32_t i = 0; i < links->count; i++) {
        struct candidate candidate;
        if (weigh(links, i, query, &candidate) &&
            (best.link == NULL || is_better(query->goal, &candidate, &best))) {
            best = candidate;
        }
    }
    if (best.link != NULL) {
        bool is_plain =
            !query->has_bound || wrn_id_is_nearer(query->goal, best.link->id, query->bound);
        *ret_course = is_plain ? WRN_ROUTE_PLAIN : WRN_ROUTE_DETOUR;
    }
    return best.link;
}

/* Returns the link that leads farthest along the circle, clockwise or not, and not beyond the goal;
 * NULL if there is none. */
static const struct wrn_link *choose_along(const struct wrn_links *links, const struct query *query,
                                           bool is_right) {
    const struct wrn_link *best = NULL;
    wrn_id least = way_along(links->self, query->goal, is_right);
    for (uint32_t i = 0; i < links->count; i++) {
        const struct wrn_link *link = &links->links[i];
        wrn_id rest = way_along(link->id, query->goal, is_right);
        bool is_better = best != NULL && link->is_suspect != best->is_suspect
                             ? best->is_suspect
                             : wrn_id_less(rest, least);
        if (is_better && may_take(query, link) &&
            wrn_id_less(rest, way_along(links->self, query->goal, is_right))) {
            best = link;
            least = rest;
        }
    }
    return best;
}

static wrn_id way_along(wrn_id from, wrn_id to, bool is_right) {
    return is_right ? wrn_id_subtract(to, from) : wrn_id_subtract(from, to);
}

/* Tells whether a link may be taken at all. */
static bool may_take(const struct query *query, const struct wrn_link *link) {
    bool is_excluded = query->has_excluded && wrn_id_equal(link->id, query->excluded);
    return !was_tried(query->tried, link->peer) && !is_excluded &&
           (query->takes_leaves || wrn_link_is_of_ring(link) ||
            wrn_id_equal(link->id, query->goal));
}

/* Tells whether a link may be taken, and what speaks for it. */
static bool weigh(const struct wrn_links *links, uint32_t index, const struct query *query,
                  struct candidate *ret_candidate) {
    const struct wrn_link *link = &links->links[index];
    if (!may_take(query, link)) {
        return false;
    }
    wrn_id best = query->is_strict ? link->id : best_known(links, index, query);
    bool is_plain = !query->has_bound || wrn_id_is_nearer(query->goal, link->id, query->bound);
    if (!is_plain && !wrn_id_is_nearer(query->goal, best, query->bound)) {
        return false;
    }
    enum { AT_GOAL, PLAIN, DETOUR, CLASSES };
    uint32_t class = is_plain ? PLAIN : DETOUR;
    if (wrn_id_equal(best, query->goal)) {
        class = AT_GOAL; /* two steps at most, which is as good as it gets */
    }
    *ret_candidate = (struct candidate){link, best, class + (link->is_suspect ? CLASSES : 0)};
    return true;
}

static bool is_better(wrn_id goal, const struct candidate *a, const struct candidate *b) {
    if (a->class != b->class) {
        return a->class < b->class;
    }
    if (!wrn_id_equal(a->best, b->best)) {
        return wrn_id_is_nearer(goal, a->best, b->best);
    }
    return wrn_id_is_nearer(goal, a->link->id, b->link->id);
}

/* Returns the place nearest to the goal of a link and those that it says are its neighbours. As it
 * is believed only up to the links after those that it names, its neighbours can be nearer than all
 * links only if the goal lies among them: few links on both sides of the goal are looked at. */
static wrn_id best_known(const struct wrn_links *links, uint32_t index, const struct query *query) {
    const uint32_t few = WRN_NEAR_PER_SIDE + 1;
    uint32_t circle = links->count + 1; /* ourselves are the last */
    wrn_id best = links->links[index].id;
    if ((index + circle - query->place) % circle < few) {
        best = best_of_side(links, index, false, query, best);
    }
    if ((query->place + circle - 1 - index) % circle < few) {
        best = best_of_side(links, index, true, query, best);
    }
    return best;
}

/* A peer is believed only for the way up to the next link of ours: who leaves that one out, which
 * is there, either does not know it yet or makes its neighbours up, to draw messages to itself. So
 * a liar gets no more of them than its place on the ring brings it anyway. */
static wrn_id best_of_side(const struct wrn_links *links, uint32_t index, bool is_right,
                           const struct query *query, wrn_id best) {
    const struct wrn_link *link = &links->links[index];
    const wrn_id *view = is_right ? link->right : link->left;
    uint32_t count = is_right ? link->view_right : link->view_left;
    count = count < WRN_NEAR_PER_SIDE ? count : WRN_NEAR_PER_SIDE;
    uint32_t place = index;
    wrn_id known = next_known(links, &place, is_right);
    for (uint32_t i = 0; i < count; i++) {
        if (wrn_id_equal(view[i], known)) {
            known = next_known(links, &place, is_right); /* a candidate itself */
            continue;
        }
        bool is_believed = is_right ? wrn_id_is_between(link->id, view[i], known)
                                    : wrn_id_is_between(known, view[i], link->id);
        if (!is_believed) {
            break;
        }
        bool is_excluded = query->has_excluded && wrn_id_equal(view[i], query->excluded);
        if (!is_excluded && wrn_id_is_nearer(query->goal, view[i], best)) {
            best = view[i];
        }
    }
    return best;
}

/* Returns the place of the next link of the ring after 'place', or our own, which stands at the end
 * of the table: link->count. */
static wrn_id next_known(const struct wrn_links *links, uint32_t *place, bool is_right) {
    for (uint32_t i = 0; i <= links->count; i++) {
        if (is_right) {
            *place = *place == links->count ? 0 : *place + 1;
        } else {
            *place = *place == 0 ? links->count : *place - 1;
        }
        if (*place == links->count) {
            return links->self;
        }
        if (wrn_link_is_of_ring(&links->links[*place])) {
            return links->links[*place].id;
        }
    }
    return links->self;
}

static bool was_tried(const struct wrn_route_tried *tried, wrn_handle peer) {
    for (uint32_t i = 0; i < tried->count; i++) {
        if (wrn_handle_equal(tried->peers[i], peer)) {
            return true;
        }
    }
    return false;
}

/* Tells whether any link is part of the ring. */
static bool has_ring(const struct wrn_links *links) {
    for (uint32_t i = 0; i < links->count; i++) {
        if (wrn_link_is_of_ring(&links->links[i])) {
            return true;
        }
    }
    return false;
}
