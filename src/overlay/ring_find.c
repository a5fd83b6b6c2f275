/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that are routed to whoever is nearest to a place: audits, looks through a link into what
 * may be another ring, crawls. An answer names the neighbours of who gives it. */
#include "overlay/ring_internal.h"

enum {
    VERB_ASK = 1,
    VERB_ANSWER = 2,
    HEAD_SIZE = 6, /* kind, verb, tag */
    CRAWL_TRIES = 3,
    LOOK_TRIES = 3,
    SKIPS_MAX = 24,
};

static struct wrn_ring_find *find_by_tag(struct wrn_ring *ring, uint32_t tag);
static void ask(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_find *find,
                enum wrn_route_mode mode, wrn_id target);
static void on_ask(struct wrn_ring *ring, wrn_mono now, const struct wrn_route_header *header,
                   wrn_handle from, uint32_t tag);
static void on_answer(struct wrn_ring *ring, wrn_mono now, const struct wrn_route_header *header,
                      uint32_t tag, struct wrn_reader *reader);
static void on_silence(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_find *find);
static void crawl_ask(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_find *find);
static void crawl_on_view(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_find *find,
                          wrn_id who, const struct wrn_ring_view *view);
static void crawl_on_silence(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_find *find);

void wrn_ring_on_payload(struct wrn_ring *ring, wrn_mono now, const struct wrn_route_header *header,
                         wrn_handle from, wrn_span payload) {
    struct wrn_reader reader = wrn_reader(payload);
    uint8_t kind = wrn_read_u8(&reader);
    uint8_t verb = wrn_read_u8(&reader);
    uint32_t tag = wrn_read_u32(&reader);
    if (reader.failed || kind != WRN_PAYLOAD_FIND) {
        ring->counts[WRN_RING_COUNT_MALFORMED]++;
    } else if (verb == VERB_ASK && wrn_reader_is_done(&reader)) {
        on_ask(ring, now, header, from, tag);
    } else if (verb == VERB_ANSWER) {
        on_answer(ring, now, header, tag, &reader);
    } else {
        ring->counts[WRN_RING_COUNT_MALFORMED]++;
    }
}

void wrn_ring_on_undelivered(struct wrn_ring *ring, wrn_mono now, enum wrn_reason reason,
                             wrn_span payload) {
    (void)reason;
    struct wrn_reader reader = wrn_reader(payload);
    uint8_t kind = wrn_read_u8(&reader);
    uint8_t verb = wrn_read_u8(&reader);
    struct wrn_ring_find *find = find_by_tag(ring, wrn_read_u32(&reader));
    if (!reader.failed && kind == WRN_PAYLOAD_FIND && verb == VERB_ASK && find != NULL) {
        /* Sent again at the next deadline: the way may just be changing. */
        find->deadline = wrn_mono_min(find->deadline, wrn_mono_add(now, WRN_MS(200)));
        ring->due = wrn_mono_min(ring->due, find->deadline);
    }
}

void wrn_ring_look_through(struct wrn_ring *ring, wrn_mono now, wrn_handle peer) {
    const struct wrn_link *link = wrn_links_of(ring->links, peer);
    if (link != NULL) {
        wrn_ring_find_look(ring, now, link);
        ring->due = wrn_mono_min(ring->due, wrn_ring_find_due(ring));
    }
}

enum wrn_reason wrn_ring_crawl(struct wrn_ring *ring, wrn_mono now, uint32_t tag, uint32_t limit) {
    if (ring->links->count == 0) {
        return WRN_REASON_NOT_CONNECTED;
    }
    for (uint32_t i = 0; i < ring->options.crawls_max; i++) {
        struct wrn_ring_crawl *crawl = &ring->crawls[i];
        if (crawl->is_used) {
            continue;
        }
        *crawl = (struct wrn_ring_crawl){
            .is_used = true, .tag = tag, .left = limit == 0 ? 1 : limit, .at = ring->links->self};
        struct wrn_ring_find *find = &ring->finds[WRN_RING_FINDS_MAX + i];
        *find = (struct wrn_ring_find){.kind = WRN_RING_FIND_CRAWL,
                                       .tag = 0,
                                       .crawl = i,
                                       .first = WRN_HANDLE_NONE,
                                       .deadline = now};
        /* Our own neighbours come first, at the next tick: 'found' is not called in here. */
        ring->due = wrn_mono_min(ring->due, now);
        return WRN_REASON_NONE;
    }
    return WRN_REASON_FULL;
}

/* ---- audits ---- */

static struct wrn_ring_find *take_find(struct wrn_ring *ring) {
    for (size_t i = 0; i < WRN_RING_FINDS_MAX; i++) {
        if (ring->finds[i].kind == WRN_RING_FIND_NOTHING) {
            return &ring->finds[i];
        }
    }
    return NULL;
}

void wrn_ring_find_audit(struct wrn_ring *ring, wrn_mono now) {
    bool is_connected = ring->state == WRN_RING_STATE_CONNECTED;
    if (!is_connected) {
        /* 1, 2, 4, 8, 16 s and so on, for nothing may be left undone for long. */
        uint64_t wait = WRN_S(1) << (ring->audits_fast < 4 ? ring->audits_fast : 4);
        ring->audit = wrn_ring_soon(ring, now, wait, wait + wait / 4);
    } else if (wrn_mono_since(now, ring->changed) < WRN_RING_SETTLED_NS) {
        ring->audit = wrn_ring_soon(ring, now, WRN_S(8), WRN_S(20));
    } else {
        ring->audit = wrn_ring_soon(ring, now, WRN_S(150), WRN_S(300));
    }
    ring->audits_fast++;
    for (enum wrn_ring_side side = 0; side < WRN_RING_SIDES && !is_connected; side++) {
        const struct wrn_link *link = side == WRN_RING_RIGHT ? wrn_links_right(ring->links, 0)
                                                             : wrn_links_left(ring->links, 0);
        struct wrn_ring_peer *peer = link == NULL ? NULL : wrn_ring_peer(ring, link->peer);
        if (peer != NULL && peer->asked.ns == UINT64_MAX) {
            wrn_ring_status_ask(ring, now, peer);
        }
    }
    const struct wrn_link *link = wrn_ring_some_link(ring);
    struct wrn_ring_find *find = take_find(ring);
    if (link == NULL || find == NULL) {
        return;
    }
    ring->counts[WRN_RING_COUNT_AUDITS]++;
    *find = (struct wrn_ring_find){.kind = WRN_RING_FIND_AUDIT, .first = link->peer};
    ask(ring, now, find, WRN_ROUTE_NEAREST, ring->links->self);
}

void wrn_ring_find_look(struct wrn_ring *ring, wrn_mono now, const struct wrn_link *link) {
    struct wrn_ring_find *find = take_find(ring);
    if (find == NULL) {
        return; /* so many are under way that the audits will do */
    }
    *find = (struct wrn_ring_find){.kind = WRN_RING_FIND_LOOK, .first = link->peer};
    ask(ring, now, find, WRN_ROUTE_NEAREST, ring->links->self);
}

void wrn_ring_find_hurry(struct wrn_ring *ring, wrn_mono now) {
    bool is_connected = ring->state == WRN_RING_STATE_CONNECTED;
    ring->audits_fast = 0;
    ring->audit =
        wrn_mono_min(ring->audit, is_connected ? wrn_ring_soon(ring, now, WRN_S(5), WRN_S(15))
                                               : wrn_ring_soon(ring, now, WRN_S(1), WRN_S(2)));
}

void wrn_ring_find_on_time(struct wrn_ring *ring, wrn_mono now) {
    for (uint32_t i = 0; i < WRN_RING_FINDS_MAX + ring->options.crawls_max; i++) {
        struct wrn_ring_find *find = &ring->finds[i];
        if (find->kind != WRN_RING_FIND_NOTHING && wrn_mono_reached(now, find->deadline)) {
            on_silence(ring, now, find);
        }
    }
}

wrn_mono wrn_ring_find_due(const struct wrn_ring *ring) {
    wrn_mono due = WRN_MONO_NEVER;
    for (uint32_t i = 0; i < WRN_RING_FINDS_MAX + ring->options.crawls_max; i++) {
        if (ring->finds[i].kind != WRN_RING_FIND_NOTHING) {
            due = wrn_mono_min(due, ring->finds[i].deadline);
        }
    }
    return due;
}

/* ---- questions and answers ---- */

static struct wrn_ring_find *find_by_tag(struct wrn_ring *ring, uint32_t tag) {
    for (uint32_t i = 0; i < WRN_RING_FINDS_MAX + ring->options.crawls_max; i++) {
        struct wrn_ring_find *find = &ring->finds[i];
        if (find->kind != WRN_RING_FIND_NOTHING && find->tag != 0 && find->tag == tag) {
            return find;
        }
    }
    return NULL;
}

/* Sends a question, with a new number: nobody off the way can guess it. */
static void ask(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_find *find,
                enum wrn_route_mode mode, wrn_id target) {
    uint8_t out[HEAD_SIZE];
    do {
        wrn_rand_fill(ring->rand, &find->tag, sizeof(find->tag));
    } while (find->tag == 0);
    find->tries++;
    find->deadline = wrn_mono_add(now, WRN_RING_FIND_NS);
    struct wrn_route_header header = {.target = target,
                                      .mode = mode,
                                      .not_source = mode == WRN_ROUTE_NEAREST,
                                      .wants_trace = find->kind == WRN_RING_FIND_CRAWL};
    const struct wrn_link *first = find->first.generation != 0
                                       ? wrn_links_of(ring->links, find->first)
                                       : (const struct wrn_link *)NULL;
    if (first != NULL) {
        /* Whoever answers may not know the way to us: this peer does. */
        header.has_via = true;
        header.via = first->id;
    }
    struct wrn_writer writer = wrn_writer(out, sizeof(out));
    wrn_write_u8(&writer, WRN_PAYLOAD_FIND);
    wrn_write_u8(&writer, VERB_ASK);
    wrn_write_u32(&writer, find->tag);
    /* Not sent: as if it was lost. */
    (void)ring->port.route(ring->port.ctx, &header, first != NULL ? first->peer : WRN_HANDLE_NONE,
                           wrn_written(&writer));
}

static void on_ask(struct wrn_ring *ring, wrn_mono now, const struct wrn_route_header *header,
                   wrn_handle from, uint32_t tag) {
    uint8_t out[HEAD_SIZE + 3 + (2 * WRN_NEAR_PER_SIDE + WRN_RING_HINTS_MAX) * WRN_ID_SIZE];
    if (from.generation == 0) {
        return; /* our own: nobody else is there */
    }
    struct wrn_ring_view view;
    wrn_ring_view_make(ring, now, header->source, &view);
    struct wrn_writer writer = wrn_writer(out, sizeof(out));
    wrn_write_u8(&writer, WRN_PAYLOAD_FIND);
    wrn_write_u8(&writer, VERB_ANSWER);
    wrn_write_u32(&writer, tag);
    wrn_ring_view_write(&writer, &view);
    struct wrn_route_header back = {.target = header->source,
                                    .mode = WRN_ROUTE_EXACT,
                                    .has_via = header->has_via,
                                    .to_via = header->has_via,
                                    .via = header->via};
    (void)ring->port.route(ring->port.ctx, &back, WRN_HANDLE_NONE, wrn_written(&writer));
}

static void on_answer(struct wrn_ring *ring, wrn_mono now, const struct wrn_route_header *header,
                      uint32_t tag, struct wrn_reader *reader) {
    struct wrn_ring_find *find = find_by_tag(ring, tag);
    struct wrn_ring_view view;
    if (!wrn_ring_view_read(reader, header->source, &view)) {
        ring->counts[WRN_RING_COUNT_MALFORMED]++;
        return;
    }
    if (find == NULL) {
        ring->counts[WRN_RING_COUNT_UNASKED]++;
        return;
    }
    if (find->kind == WRN_RING_FIND_CRAWL) {
        crawl_on_view(ring, now, find, header->source, &view);
        return;
    }
    wrn_handle first = find->first;
    find->kind = WRN_RING_FIND_NOTHING;
    wrn_ring_near_heard(ring, now, header->source, first);
    for (uint8_t i = 0; i < view.left_count; i++) {
        wrn_ring_near_heard(ring, now, view.left[i], first);
    }
    for (uint8_t i = 0; i < view.right_count; i++) {
        wrn_ring_near_heard(ring, now, view.right[i], first);
    }
    for (uint8_t i = 0; i < view.hint_count; i++) {
        wrn_ring_near_heard(ring, now, view.hints[i], first);
    }
    if (ring->is_stale) {
        ring->due = now; /* acted upon at the next tick */
    }
}

static void on_silence(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_find *find) {
    if (find->kind == WRN_RING_FIND_CRAWL) {
        crawl_on_silence(ring, now, find);
    } else if (find->kind == WRN_RING_FIND_LOOK && find->tries < LOOK_TRIES &&
               wrn_links_of(ring->links, find->first) != NULL) {
        ask(ring, now, find, WRN_ROUTE_NEAREST, ring->links->self);
    } else {
        find->kind = WRN_RING_FIND_NOTHING; /* audits are repeated anyway */
    }
}

/* ---- crawls ---- */

/* Reports the node that the crawl has reached; the crawl ends with it if 'is_last'. */
static void crawl_report(struct wrn_ring *ring, struct wrn_ring_find *find, bool is_last,
                         enum wrn_reason reason) {
    struct wrn_ring_crawl *crawl = &ring->crawls[find->crawl];
    uint32_t tag = crawl->tag;
    wrn_id at = crawl->at;
    crawl->left--;
    if (is_last) {
        crawl->is_used = false;
        find->kind = WRN_RING_FIND_NOTHING;
    }
    ring->port.found(ring->port.ctx, tag, at, is_last, reason);
}

static void crawl_ask(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_find *find) {
    const struct wrn_ring_crawl *crawl = &ring->crawls[find->crawl];
    if (crawl->is_stuck) {
        ask(ring, now, find, WRN_ROUTE_NEAREST, wrn_id_add(crawl->at, crawl->gap));
    } else {
        ask(ring, now, find, WRN_ROUTE_EXACT, crawl->at);
    }
}

/* Takes those of the named places that lie behind the one reached, nearest first. */
static uint32_t crawl_sort(const struct wrn_ring *ring, wrn_id at, wrn_id who,
                           const struct wrn_ring_view *view,
                           wrn_id ret_ids[2 * WRN_NEAR_PER_SIDE + 1]) {
    wrn_id self = ring->links->self;
    uint32_t count = 0;
    for (uint32_t i = 0; i < (uint32_t)view->left_count + view->right_count + 1; i++) {
        wrn_id id = i == 0                  ? who
                    : i <= view->left_count ? view->left[i - 1]
                                            : view->right[i - 1 - view->left_count];
        if (!wrn_id_is_between(at, id, self)) {
            continue;
        }
        uint32_t place = count;
        while (place > 0 &&
               wrn_id_less(wrn_id_subtract(id, at), wrn_id_subtract(ret_ids[place - 1], at))) {
            place--;
        }
        if (place > 0 && wrn_id_equal(ret_ids[place - 1], id)) {
            continue;
        }
        for (uint32_t n = count; n > place; n--) {
            ret_ids[n] = ret_ids[n - 1];
        }
        ret_ids[place] = id;
        count++;
    }
    return count;
}

/* Somebody named his neighbours: goes on to the last of them that lies at the right of 'at'. Takes
 * three at most from those of a node, so that a node that is not there is not carried on. */
static void crawl_on_view(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_find *find,
                          wrn_id who, const struct wrn_ring_view *view) {
    struct wrn_ring_crawl *crawl = &ring->crawls[find->crawl];
    wrn_id ids[2 * WRN_NEAR_PER_SIDE + 1];
    uint32_t count = crawl_sort(ring, crawl->at, who, view, ids);
    bool is_round = false; /* it sees us on its right: the circle is closed behind these */
    for (uint8_t i = 0; i < view->right_count; i++) {
        is_round = is_round || wrn_id_equal(view->right[i], ring->links->self) ||
                   !wrn_id_is_between(who, view->right[i], ring->links->self);
    }
    if (count == 0 && !is_round) {
        on_silence(ring, now, find); /* nobody behind it that it knows of */
        return;
    }
    is_round = is_round || view->right_count < WRN_NEAR_PER_SIDE;
    crawl->is_stuck = false;
    crawl->skips = 0;
    find->tries = 0;
    find->tag = 0;
    find->deadline = WRN_MONO_NEVER;
    count = count > WRN_NEAR_PER_SIDE && !is_round ? WRN_NEAR_PER_SIDE : count;
    for (uint32_t i = 0; i < count; i++) {
        bool is_full = crawl->left == 1;
        crawl_report(ring, find, is_full, is_full ? WRN_REASON_FULL : WRN_REASON_NONE);
        if (is_full) {
            return;
        }
        crawl->at = ids[i];
    }
    if (is_round) {
        crawl_report(ring, find, true, WRN_REASON_NONE);
    } else if (crawl->left == 1) {
        crawl_report(ring, find, true, WRN_REASON_FULL);
    } else {
        crawl_ask(ring, now, find);
        ring->due = wrn_mono_min(ring->due, find->deadline);
    }
}

static void crawl_on_silence(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_find *find) {
    struct wrn_ring_crawl *crawl = &ring->crawls[find->crawl];
    if (wrn_id_equal(crawl->at, ring->links->self) && !crawl->is_stuck) {
        struct wrn_ring_view view;
        wrn_ring_view_make(ring, now, ring->links->self, &view);
        if (view.right_count > 0) {
            crawl_on_view(ring, now, find, ring->links->self, &view);
            return;
        }
    }
    if (find->tries < CRAWL_TRIES) {
        crawl_ask(ring, now, find);
        return;
    }
    /* 'at' is gone: whoever lies behind it is looked for, farther and farther away. */
    wrn_id rest = wrn_id_subtract(ring->links->self, crawl->at);
    if (!crawl->is_stuck) {
        crawl->is_stuck = true;
        uint32_t bits = 95 - wrn_ceil_log2(ring->size);
        crawl->gap = bits >= 32 ? (wrn_id){(uint64_t)1 << (bits - 32), 0} : (wrn_id){1, 0};
    } else {
        crawl->gap = wrn_id_add(crawl->gap, crawl->gap);
    }
    if (++crawl->skips > SKIPS_MAX || !wrn_id_less(crawl->gap, rest)) {
        crawl_report(ring, find, true, WRN_REASON_TIMEOUT);
        return;
    }
    find->tries = 0;
    crawl_ask(ring, now, find);
}
