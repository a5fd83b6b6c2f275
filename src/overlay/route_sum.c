/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over all nodes: a broadcast whose branches answer. Splits nothing itself. */
#include "overlay/route_internal.h"

enum { BRANCH_MASK = WRN_ROUTE_BRANCHES - 1 };

static void answer(struct wrn_route *route, wrn_mono now, const struct wrn_link *parent,
                   const struct wrn_part *part);
static void add(uint64_t *to, uint64_t value);
static uint32_t token_of(const struct wrn_route *route, const struct wrn_route_sum *sum,
                         wrn_handle peer, uint32_t branch);
static void release(struct wrn_route *route, struct wrn_route_sum *sum);

enum wrn_reason wrn_route_sum(struct wrn_route *route, wrn_mono now, uint32_t tag,
                              wrn_span question) {
    WRN_ASSERT(question.size >= 1);
    if (question.size > WRN_PAYLOAD_MAX) {
        return WRN_REASON_TOO_LARGE;
    }
    wrn_id self = route->links->self;
    struct wrn_route_sum start = {
        .origin = wrn_route_draw(route),
        .nodes = 1,
        .parent = WRN_HANDLE_NONE,
        .tag = tag,
        .budget = WRN_ROUTE_BUDGET_FIRST,
    };
    route->port.contribute(route->port.ctx, question, start.values);
    struct wrn_route_sum *sum = wrn_route_sum_begin(route, now, &start);
    if (sum == NULL) {
        return WRN_REASON_FULL;
    }
    bool is_new;
    wrn_route_cast_of(route, sum->origin, self, &is_new)->covered =
        (wrn_id){UINT64_MAX, UINT32_MAX};
    struct wrn_piece piece = {
        .source = self,
        .from = self,
        .end = self,
        .origin = sum->origin,
        .is_sum = true,
        .payload = question,
    };
    wrn_route_split(route, now, &piece, WRN_HANDLE_NONE, sum, 0);
    if (sum->open == 0) {
        release(route, sum);
        return WRN_REASON_NO_ROUTE;
    }
    route->counts[WRN_ROUTE_COUNT_SENT]++;
    return WRN_REASON_NONE;
}

void wrn_route_on_sum_piece(struct wrn_route *route, wrn_mono now, const struct wrn_link *link,
                            const struct wrn_piece *rest, bool is_covered, bool is_new) {
    struct wrn_route_sum start = {
        .origin = rest->origin,
        .nodes = is_new ? 1 : 0,
        .parent = link->peer,
        .tag = rest->token,
        .budget = rest->budget < WRN_ROUTE_BUDGET_FIRST ? rest->budget : WRN_ROUTE_BUDGET_FIRST,
    };
    if (is_new) {
        route->counts[WRN_ROUTE_COUNT_DELIVERED]++;
        route->port.contribute(route->port.ctx, rest->payload, start.values);
    }
    struct wrn_route_sum *sum = NULL;
    if (!is_covered && start.budget >= WRN_ROUTE_BUDGET_LEAST) {
        sum = wrn_route_sum_begin(route, now, &start);
        if (sum == NULL) {
            route->counts[WRN_ROUTE_COUNT_SUM_FULL]++;
        }
    }
    if (sum != NULL) {
        wrn_route_split(route, now, rest, WRN_HANDLE_NONE, sum, 0);
        wrn_route_sum_end(route, now, sum, false);
        return;
    }
    struct wrn_part part = {
        .origin = start.origin,
        .token = start.tag,
        .nodes = start.nodes,
        .is_complete = is_covered && rest->hops < UINT8_MAX,
    };
    memcpy(part.values, start.values, sizeof(part.values));
    answer(route, now, link, &part);
}

void wrn_route_on_part(struct wrn_route *route, wrn_mono now, const struct wrn_link *link,
                       const struct wrn_part *part) {
    struct wrn_route_sum *sum = wrn_route_sum_of(route, part->origin, link->peer, part->token);
    if (sum == NULL) {
        route->counts[WRN_ROUTE_COUNT_LATE]++;
        return;
    }
    add(&sum->nodes, part->nodes);
    for (size_t i = 0; i < WRN_COUNT(sum->values); i++) {
        add(&sum->values[i], part->values[i]);
    }
    sum->is_complete = sum->is_complete && part->is_complete;
    wrn_route_sum_end(route, now, sum, false);
}

struct wrn_route_sum *wrn_route_sum_begin(struct wrn_route *route, wrn_mono now,
                                          const struct wrn_route_sum *start) {
    struct wrn_route_sum *sum = NULL;
    uint32_t of_parent = 0;
    for (uint32_t i = 0; i < route->sums_max; i++) {
        struct wrn_route_sum *at = &route->sums[i];
        if (!at->is_used) {
            sum = sum == NULL ? at : sum;
        } else if (wrn_handle_equal(at->parent, start->parent)) {
            of_parent++;
        }
    }
    /* Nobody but ourselves takes all the room: others are asked too. */
    bool is_ours = start->parent.generation == 0;
    if (sum == NULL || (!is_ours && of_parent > 0 && of_parent >= route->sums_max / 2)) {
        return NULL;
    }
    *sum = *start;
    sum->salt = (uint32_t)wrn_route_draw(route);
    sum->is_complete = true;
    sum->is_used = true;
    /* Each level has an eighth less, in which its answer, or that there is none, can travel. */
    sum->budget = (uint8_t)(start->budget - start->budget / 8 - 1);
    uint32_t index = route->watches.capacity + (uint32_t)(sum - route->sums);
    wrn_route_set_due(route, index,
                      wrn_mono_add(now, WRN_MS((uint64_t)start->budget * WRN_ROUTE_BUDGET_MS)));
    return sum;
}

bool wrn_route_sum_branch(struct wrn_route *route, struct wrn_route_sum *sum, wrn_handle peer,
                          uint32_t *ret_token) {
    if (sum->branches == WRN_ROUTE_BRANCHES) {
        sum->is_complete = false;
        return false;
    }
    uint32_t branch = sum->branches++;
    sum->open |= (uint64_t)1 << branch;
    *ret_token = token_of(route, sum, peer, branch);
    return true;
}

struct wrn_route_sum *wrn_route_sum_of(struct wrn_route *route, uint64_t origin, wrn_handle peer,
                                       uint32_t token) {
    uint32_t branch = token & BRANCH_MASK;
    for (uint32_t i = 0; i < route->sums_max; i++) {
        struct wrn_route_sum *sum = &route->sums[i];
        if (sum->is_used && sum->origin == origin && (sum->open >> branch & 1) != 0 &&
            token_of(route, sum, peer, branch) == token) {
            sum->open &= ~((uint64_t)1 << branch);
            return sum;
        }
    }
    return NULL;
}

void wrn_route_sum_end(struct wrn_route *route, wrn_mono now, struct wrn_route_sum *sum,
                       bool is_over) {
    if (sum->open != 0 && !is_over) {
        return;
    }
    struct wrn_route_sum done = *sum;
    release(route, sum);
    struct wrn_part part = {
        .origin = done.origin,
        .token = done.tag,
        .nodes = done.nodes,
        .is_complete = done.is_complete && done.open == 0,
    };
    memcpy(part.values, done.values, sizeof(part.values));
    if (done.parent.generation == 0) {
        route->port.sum(route->port.ctx, done.tag, part.values, part.nodes, part.is_complete);
        return;
    }
    const struct wrn_link *parent = wrn_links_of(route->links, done.parent);
    if (parent != NULL) {
        answer(route, now, parent, &part);
    }
}

/* Tells a parent what its branch adds up to. */
static void answer(struct wrn_route *route, wrn_mono now, const struct wrn_link *parent,
                   const struct wrn_part *part) {
    uint8_t bytes[WRN_ROUTE_BLOCK];
    size_t size = wrn_part_write(part, bytes);
    enum { HEAD = 6 }; /* kind, flags and number */
    struct wrn_parcel parcel = {
        .head = {.size = HEAD},
        .payload = {bytes + HEAD, size - HEAD},
        .blob = WRN_ROUTE_NO_BLOB,
        .is_pinned = true,
    };
    memcpy(parcel.head.bytes, bytes, HEAD);
    wrn_route_post(route, now, parent, &parcel);
}

/* Adds, and stays at the greatest number rather than begin anew. */
static void add(uint64_t *to, uint64_t value) {
    *to = value > UINT64_MAX - *to ? UINT64_MAX : *to + value;
}

/* What the peer that has a branch must show: others cannot answer for it. */
static uint32_t token_of(const struct wrn_route *route, const struct wrn_route_sum *sum,
                         wrn_handle peer, uint32_t branch) {
    uint64_t hash = wrn_route_hash(route, sum->origin, (uint64_t)peer.index << 32 | peer.generation,
                                   (wrn_id){(uint64_t)sum->salt << 32 | branch, WRN_MESSAGE_SUM});
    return ((uint32_t)hash & ~(uint32_t)BRANCH_MASK) | branch;
}

static void release(struct wrn_route *route, struct wrn_route_sum *sum) {
    *sum = (struct wrn_route_sum){0};
    wrn_route_set_due(route, route->watches.capacity + (uint32_t)(sum - route->sums),
                      WRN_MONO_NEVER);
}
