/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that are routed to whoever is nearest to a place: audits, looks through a link into
 * what may be another ring, crawls. An answer names the neighbours of who gives it; none of them is
 * believed to be there before it has a link. */
#include "overlay/ring_internal.h"

enum {
    VERB_ASK = 1,
    VERB_ANSWER = 2,
    HEAD_SIZE = 6,   /* kind, verb, tag */
    CRAWL_TRIES = 5, /* longer than the ring takes to lead around those who died */
    LOOK_TRIES = 3,
    DETOURS_MAX = 4,
};

static struct wrn_ring_find *find_by_tag(struct wrn_ring *ring, uint32_t tag);
static void ask(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_find *find,
                enum wrn_route_mode mode, wrn_id target);
static void on_ask(struct wrn_ring *ring, wrn_mono now, const struct wrn_route_header *header,
                   wrn_handle from, uint32_t tag);
static void on_answer(struct wrn_ring *ring, wrn_mono now, const struct wrn_route_header *header,
                      uint32_t tag, struct wrn_reader *reader);
static void on_silence(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_find *find);
static void crawl_note_own(const struct wrn_ring *ring, struct wrn_ring_crawl *crawl);
static void crawl_look_behind(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_find *find);
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

void wrn_ring_crawl_stop(struct wrn_ring *ring, uint32_t tag) {
    for (uint32_t i = 0; i < ring->options.crawls_max; i++) {
        if (ring->crawls[i].is_used && ring->crawls[i].tag == tag) {
            ring->crawls[i].is_used = false;
            ring->finds[WRN_RING_FINDS_MAX + i].kind = WRN_RING_FIND_NOTHING;
        }
    }
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
    if (!is_connected) {
        wrn_ring_near_doubt(ring, now);
    }
    for (enum wrn_ring_side side = 0; side < WRN_RING_SIDES && !is_connected; side++) {
        const struct wrn_link *link = side == WRN_RING_RIGHT ? wrn_links_right(ring->links, 0)
                                                             : wrn_links_left(ring->links, 0);
        struct wrn_ring_peer *peer = link == NULL ? NULL : wrn_ring_peer(ring, link->peer);
        if (peer != NULL && peer->asked.count == 0) {
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
    if (crawl->next_count > 0) {
        ask(ring, now, find, WRN_ROUTE_EXACT, crawl->next[0]);
    } else {
        ask(ring, now, find, WRN_ROUTE_NEAREST, wrn_id_add(crawl->at, crawl->gap));
    }
    ring->due = wrn_mono_min(ring->due, find->deadline);
}

static bool was_silent(const struct wrn_ring_crawl *crawl, wrn_id id) {
    for (uint32_t i = 0; i < crawl->silent_count; i++) {
        if (wrn_id_equal(crawl->silent[i], id)) {
            return true;
        }
    }
    return false;
}

/* Notes a place behind the one reached, unless it was silent before. */
static void crawl_note(const struct wrn_ring *ring, struct wrn_ring_crawl *crawl, wrn_id id) {
    if (!wrn_id_is_between(crawl->at, id, ring->links->self) || was_silent(crawl, id)) {
        return;
    }
    uint32_t place = crawl->next_count;
    while (place > 0 && wrn_id_less(wrn_id_subtract(id, crawl->at),
                                    wrn_id_subtract(crawl->next[place - 1], crawl->at))) {
        place--;
    }
    if (place == WRN_NEAR_PER_SIDE || (place > 0 && wrn_id_equal(crawl->next[place - 1], id))) {
        return;
    }
    if (crawl->next_count < WRN_NEAR_PER_SIDE) {
        crawl->next_count++;
    }
    for (uint32_t i = crawl->next_count - 1u; i > place; i--) {
        crawl->next[i] = crawl->next[i - 1];
    }
    crawl->next[place] = id;
}

/* Notes our own neighbours, which nobody need tell. */
static void crawl_note_own(const struct wrn_ring *ring, struct wrn_ring_crawl *crawl) {
    for (uint8_t i = 0; i < ring->near_count[WRN_RING_RIGHT]; i++) {
        crawl_note(ring, crawl, ring->near[WRN_RING_RIGHT][i]);
    }
}

/* Those named by 'at' were silent, and whoever was found behind them may lie beyond others: it is
 * asked once more when those that it names on its left have answered. Each step goes back so often
 * at most, for they may be invented. */
static bool crawl_goes_back(const struct wrn_ring *ring, struct wrn_ring_crawl *crawl,
                            const struct wrn_ring_view *view) {
    wrn_id nearest = crawl->next[0];
    if (crawl->silent_count == 0 || crawl->detours == DETOURS_MAX) {
        return false;
    }
    for (uint8_t i = 0; i < view->left_count; i++) {
        crawl_note(ring, crawl, view->left[i]);
    }
    if (wrn_id_equal(crawl->next[0], nearest)) {
        return false;
    }
    crawl->detours++;
    crawl->gap = (wrn_id){0, 0};
    return true;
}

/* Somebody named his neighbours: the one that was asked, or whoever is beyond those that are
 * silent. */
static void crawl_on_view(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_find *find,
                          wrn_id who, const struct wrn_ring_view *view) {
    struct wrn_ring_crawl *crawl = &ring->crawls[find->crawl];
    bool is_next = crawl->next_count > 0 && wrn_id_equal(crawl->next[0], who);
    if (crawl->next_count > 0 && !is_next) {
        ring->counts[WRN_RING_COUNT_UNASKED]++;
        return;
    }
    find->tries = 0;
    find->tag = 0;
    if (is_next && crawl_goes_back(ring, crawl, view)) {
        crawl_ask(ring, now, find);
        return;
    }
    crawl->next_count = 0;
    if (is_next) {
        crawl->detours = 0;
        bool is_full = crawl->left == 1;
        crawl->gap = (wrn_id){0, 0};
        find->deadline = WRN_MONO_NEVER; /* 'found' may begin another crawl */
        crawl_report(ring, find, is_full, is_full ? WRN_REASON_FULL : WRN_REASON_NONE);
        if (is_full || !crawl->is_used) { /* the last one, or it was given up meanwhile */
            return;
        }
        crawl->at = who;
    } else {
        crawl_note(ring, crawl, who);
        for (uint8_t i = 0; i < view->left_count; i++) {
            crawl_note(ring, crawl, view->left[i]);
        }
    }
    for (uint8_t i = 0; i < view->right_count; i++) {
        crawl_note(ring, crawl, view->right[i]);
    }
    if (crawl->next_count > 0) {
        crawl_ask(ring, now, find);
    } else if (is_next) {
        crawl_report(ring, find, true, WRN_REASON_NONE); /* we come next */
    } else {
        crawl_look_behind(ring, now, find);
    }
}

/* Nobody is between the last one that answered and us but those that were silent, which our own
 * list may name for a while yet. */
static bool is_round(const struct wrn_ring *ring, const struct wrn_ring_crawl *crawl) {
    if (ring->state != WRN_RING_STATE_CONNECTED) {
        return false;
    }
    for (uint8_t i = 0; i < ring->near_count[WRN_RING_LEFT]; i++) {
        wrn_id id = ring->near[WRN_RING_LEFT][i];
        if (wrn_id_equal(crawl->at, id)) {
            return true;
        }
        if (!was_silent(crawl, id)) {
            return false;
        }
    }
    return false;
}

/* None of those named answers: whoever lies behind them is looked for, farther and farther away. */
static void crawl_look_behind(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_find *find) {
    struct wrn_ring_crawl *crawl = &ring->crawls[find->crawl];
    wrn_id rest = wrn_id_subtract(ring->links->self, crawl->at);
    wrn_id none = {0, 0};
    bool is_over = false;
    if (wrn_id_equal(crawl->at, ring->links->self) && crawl->detours < DETOURS_MAX) {
        /* Our own neighbours died; by now we may have others. */
        crawl->detours++;
        crawl_note_own(ring, crawl);
        if (crawl->next_count > 0) {
            find->tries = 0;
            crawl_ask(ring, now, find);
            return;
        }
    }
    if (is_round(ring, crawl)) { /* nobody could answer from behind the dead */
        crawl_report(ring, find, true, WRN_REASON_NONE);
        return;
    }
    if (wrn_id_equal(crawl->gap, none)) {
        /* About half of the way to the next. */
        uint32_t bits = 95 - wrn_ceil_log2(ring->size);
        crawl->gap = bits >= 32 ? (wrn_id){(uint64_t)1 << (bits - 32), 0} : (wrn_id){1, 0};
    } else {
        wrn_id twice = wrn_id_add(crawl->gap, crawl->gap);
        is_over = !wrn_id_less(crawl->gap, twice); /* twice half of the circle is nothing */
        crawl->gap = is_over ? crawl->gap : twice;
    }
    find->tries = 0;
    if (!is_over && wrn_id_less(crawl->gap, rest) && !wrn_id_equal(crawl->at, ring->links->self)) {
        crawl_ask(ring, now, find);
    } else if (crawl->detours < DETOURS_MAX) {
        /* Our ring may just be leading around them: then it says who our neighbours are. All of it
         * is looked at anew once, for whoever answers may invent. */
        crawl->gap = crawl->detours == 0 ? none : crawl->gap;
        crawl->detours++;
        find->tag = 0; /* answers that come now are too late */
        find->tries = CRAWL_TRIES;
        find->deadline = wrn_mono_add(now, WRN_RING_FIND_NS);
        ring->due = wrn_mono_min(ring->due, find->deadline);
    } else {
        crawl_report(ring, find, true, WRN_REASON_TIMEOUT);
    }
}

static void crawl_on_silence(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_find *find) {
    struct wrn_ring_crawl *crawl = &ring->crawls[find->crawl];
    if (find->tag == 0 && find->tries == 0) {
        crawl_note_own(ring, crawl); /* it begins */
        if (crawl->next_count > 0) {
            crawl_ask(ring, now, find);
        } else {
            crawl_report(ring, find, true, WRN_REASON_NOT_CONNECTED); /* they went meanwhile */
        }
        return;
    }
    if (find->tries < CRAWL_TRIES) {
        crawl_ask(ring, now, find);
        return;
    }
    find->tries = 0;
    if (crawl->next_count > 0) {
        uint32_t place = crawl->silent_count < WRN_RING_SILENT_MAX
                             ? crawl->silent_count++
                             : wrn_rand_below(ring->rand, WRN_RING_SILENT_MAX);
        crawl->silent[place] = crawl->next[0];
        crawl->next_count--;
        memmove(crawl->next, crawl->next + 1, crawl->next_count * sizeof(crawl->next[0]));
    }
    if (crawl->next_count > 0) {
        crawl_ask(ring, now, find);
    } else {
        crawl_look_behind(ring, now, find);
    }
}
