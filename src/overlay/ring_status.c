/* SPDX-License-Identifier: Apache-2.0 */
/* What neighbours tell one another: STATUS, its confirmation, and the question for it. Each message
 * that comes leads to one that goes, at most (news of another ring: to a few, seldom). */
#include "overlay/ring_internal.h"

enum {
    FLAG_CONNECTED = 1,
    FLAG_MEMBER = 2, /* has been connected for a while, or was until a moment ago */
    FLAG_OTHER = 4,  /* a place follows: a member of another ring */
    FLAG_FULL = 8,   /* the sender needs the room: a shortcut to it should end somewhere else */
    FLAGS = 15,
    ASK = 0,
    CONFIRM = 1,
    PUSHES_MAX = 4,
    TOLD_MAX = 4, /* peers that are told of another ring */
};

static void send_view(struct wrn_ring *ring, wrn_handle peer, const struct wrn_ring_view *view);
static void on_status(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_peer *peer,
                      struct wrn_reader *reader);
static void on_ask(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_peer *peer,
                   struct wrn_reader *reader);
static void on_other(struct wrn_ring *ring, wrn_mono now, wrn_handle teller, wrn_id other);
static bool is_split(const struct wrn_ring *ring, wrn_mono now, const struct wrn_link *link);
static void tell_of_other(struct wrn_ring *ring, wrn_mono now, wrn_id other);

void wrn_ring_status_send(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_peer *peer,
                          const wrn_id *other) {
    struct wrn_ring_view view;
    const struct wrn_link *link = wrn_links_of(ring->links, peer->handle);
    if (link == NULL) {
        return;
    }
    wrn_ring_view_make(ring, now, link->id, &view);
    if (other != NULL) {
        view.has_other = true;
        view.other = *other;
    }
    send_view(ring, peer->handle, &view);
}

void wrn_ring_status_make_room(struct wrn_ring *ring, wrn_mono now) {
    const struct wrn_links *links = ring->links;
    if (links->count == 0 || links->capacity - links->count > WRN_RING_LEAF_ROOM + 2) {
        return;
    }
    if (wrn_mono_before(now, ring->shed)) {
        ring->retry = wrn_mono_min(ring->retry, ring->shed);
        return;
    }
    uint32_t start = wrn_rand_below(ring->rand, links->count);
    for (uint32_t i = 0; i < links->count; i++) {
        const struct wrn_link *link = &links->links[(start + i) % links->count];
        if (link->mine == 0 && link->theirs == WRN_LINK_SHORTCUT) {
            struct wrn_ring_view view;
            wrn_ring_view_make(ring, now, link->id, &view);
            view.is_full = true;
            send_view(ring, link->peer, &view);
            ring->shed = wrn_mono_add(now, WRN_RING_SHED_NS);
            ring->retry = wrn_mono_min(ring->retry, ring->shed);
            return;
        }
    }
}

void wrn_ring_status_push(struct wrn_ring *ring, wrn_mono now) {
    ring->push = WRN_MONO_NEVER;
    for (uint32_t i = 0; i < ring->peer_count; i++) {
        struct wrn_ring_peer *peer = &ring->peers[i];
        if (!peer->is_owed) {
            continue;
        }
        if (peer->acked_epoch == ring->epoch || peer->pushes == PUSHES_MAX) {
            peer->is_owed = false; /* it hears of the epoch by pings */
            continue;
        }
        peer->pushes++;
        wrn_ring_status_send(ring, now, peer, NULL);
        uint64_t wait = WRN_RING_ACK_NS << (peer->pushes - 1);
        ring->push = wrn_mono_min(ring->push, wrn_ring_soon(ring, now, wait, wait + wait / 4));
    }
}

void wrn_ring_status_ask(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_peer *peer) {
    uint8_t out[6];
    struct wrn_writer writer = wrn_writer(out, sizeof(out));
    wrn_write_u8(&writer, WRN_MESSAGE_STATUS_ASK);
    wrn_write_u8(&writer, ASK);
    wrn_write_u32(&writer, ring->epoch);
    peer->asks++;
    wrn_ring_set_due(ring, &peer->asked, wrn_mono_add(now, WRN_RING_ASK_NS));
    ring->counts[WRN_RING_COUNT_ASKS_SENT]++;
    ring->port.send(ring->port.ctx, peer->handle, wrn_written(&writer));
}

void wrn_ring_status_on_message(struct wrn_ring *ring, wrn_mono now, wrn_handle handle,
                                wrn_span message) {
    struct wrn_ring_peer *peer = wrn_ring_peer(ring, handle);
    struct wrn_reader reader = wrn_reader(message);
    switch (wrn_read_u8(&reader)) {
    case WRN_MESSAGE_STATUS:
        on_status(ring, now, peer, &reader);
        break;
    case WRN_MESSAGE_STATUS_ASK:
        on_ask(ring, now, peer, &reader);
        break;
    default:
        ring->counts[WRN_RING_COUNT_MALFORMED]++;
        break;
    }
}

static void send_view(struct wrn_ring *ring, wrn_handle peer, const struct wrn_ring_view *view) {
    uint8_t out[5 + 3 + (2 * WRN_NEAR_PER_SIDE + WRN_RING_HINTS_MAX + 1) * WRN_ID_SIZE];
    struct wrn_writer writer = wrn_writer(out, sizeof(out));
    wrn_write_u8(&writer, WRN_MESSAGE_STATUS);
    wrn_write_u32(&writer, ring->epoch);
    wrn_ring_view_write(&writer, view);
    ring->counts[WRN_RING_COUNT_STATUS_SENT]++;
    ring->port.send(ring->port.ctx, peer, wrn_written(&writer));
}

/* ---- views ---- */

/* The nearest places to a reader on one side, nearest first. */
struct hints {
    wrn_id ids[WRN_RING_HINTS_MAX / 2];
    uint8_t count;
};

static void add_hint(struct hints *hints, wrn_id reader, bool is_right, wrn_id id) {
    wrn_id way = is_right ? wrn_id_subtract(id, reader) : wrn_id_subtract(reader, id);
    uint8_t place = hints->count;
    while (place > 0) {
        wrn_id other = hints->ids[place - 1];
        wrn_id other_way =
            is_right ? wrn_id_subtract(other, reader) : wrn_id_subtract(reader, other);
        if (wrn_id_equal(other, id)) {
            return;
        }
        if (!wrn_id_less(way, other_way)) {
            break;
        }
        place--;
    }
    if (place == WRN_RING_HINTS_MAX / 2) {
        return;
    }
    hints->count = hints->count < WRN_RING_HINTS_MAX / 2 ? hints->count + 1 : hints->count;
    for (uint8_t i = hints->count - 1; i > place; i--) {
        hints->ids[i] = hints->ids[i - 1];
    }
    hints->ids[place] = id;
}

static void hint(struct hints hints[WRN_RING_SIDES], wrn_id reader, wrn_id id) {
    if (!wrn_id_equal(reader, id)) {
        add_hint(&hints[WRN_RING_RIGHT], reader, true, id);
        add_hint(&hints[WRN_RING_LEFT], reader, false, id);
    }
}

static bool names(const struct wrn_ring_view *view, wrn_id id) {
    for (uint8_t i = 0; i < view->left_count; i++) {
        if (wrn_id_equal(view->left[i], id)) {
            return true;
        }
    }
    for (uint8_t i = 0; i < view->right_count; i++) {
        if (wrn_id_equal(view->right[i], id)) {
            return true;
        }
    }
    for (uint8_t i = 0; i < view->hint_count; i++) {
        if (wrn_id_equal(view->hints[i], id)) {
            return true;
        }
    }
    return false;
}

/* Whoever reads it finds the nearest that we know of to itself among the hints: of our links, and
 * of those that the peers near it see themselves. */
static void make_hints(const struct wrn_ring *ring, wrn_mono now, wrn_id reader,
                       struct wrn_ring_view *view) {
    struct hints hints[WRN_RING_SIDES] = {{.count = 0}, {.count = 0}};
    const struct wrn_links *links = ring->links;
    for (uint32_t i = 0; i < links->count; i++) {
        hint(hints, reader, links->links[i].id);
    }
    for (uint32_t i = 0; i < links->count; i++) {
        const struct wrn_link *link = &links->links[i];
        if (wrn_id_equal(link->id, reader) || !wrn_ring_trusts(ring, now, link->peer)) {
            continue;
        }
        for (uint8_t n = 0; n < link->view_left + link->view_right; n++) {
            wrn_id id = n < link->view_left ? link->left[n] : link->right[n - link->view_left];
            if (!wrn_id_equal(id, links->self) && !wrn_ring_is_doubtful(ring, now, id)) {
                hint(hints, reader, id);
            }
        }
    }
    for (enum wrn_ring_side side = 0; side < WRN_RING_SIDES; side++) {
        for (uint8_t n = 0; n < hints[side].count; n++) {
            if (!names(view, hints[side].ids[n])) {
                view->hints[view->hint_count++] = hints[side].ids[n];
            }
        }
    }
}

static bool is_member(const struct wrn_ring *ring, wrn_mono now) {
    return wrn_mono_before(now, ring->member) ||
           (ring->state == WRN_RING_STATE_CONNECTED &&
            wrn_mono_since(now, ring->connected) >= WRN_RING_MEMBER_NS);
}

void wrn_ring_view_make(const struct wrn_ring *ring, wrn_mono now, wrn_id reader,
                        struct wrn_ring_view *ret_view) {
    *ret_view = (struct wrn_ring_view){.is_connected = ring->state == WRN_RING_STATE_CONNECTED,
                                       .is_member = is_member(ring, now),
                                       .left_count = ring->near_count[WRN_RING_LEFT],
                                       .right_count = ring->near_count[WRN_RING_RIGHT]};
    memcpy(ret_view->left, ring->near[WRN_RING_LEFT], sizeof(ret_view->left));
    memcpy(ret_view->right, ring->near[WRN_RING_RIGHT], sizeof(ret_view->right));
    make_hints(ring, now, reader, ret_view);
}

void wrn_ring_view_write(struct wrn_writer *writer, const struct wrn_ring_view *view) {
    uint8_t flags =
        (uint8_t)((view->is_connected ? FLAG_CONNECTED : 0) | (view->is_member ? FLAG_MEMBER : 0) |
                  (view->has_other ? FLAG_OTHER : 0) | (view->is_full ? FLAG_FULL : 0));
    wrn_write_u8(writer, flags);
    wrn_write_u8(writer, (uint8_t)(view->left_count << 4 | view->right_count));
    wrn_write_u8(writer, view->hint_count);
    for (uint8_t i = 0; i < view->left_count; i++) {
        wrn_write_id(writer, view->left[i]);
    }
    for (uint8_t i = 0; i < view->right_count; i++) {
        wrn_write_id(writer, view->right[i]);
    }
    for (uint8_t i = 0; i < view->hint_count; i++) {
        wrn_write_id(writer, view->hints[i]);
    }
    if (view->has_other) {
        wrn_write_id(writer, view->other);
    }
}

/* Reads the places of one side; false unless each lies farther than the one before. */
static bool read_side(struct wrn_reader *reader, wrn_id of, bool is_right, uint8_t count,
                      wrn_id *ret_ids) {
    wrn_id way_before = {0, 0};
    for (uint8_t i = 0; i < count; i++) {
        ret_ids[i] = wrn_read_id(reader);
        wrn_id way = is_right ? wrn_id_subtract(ret_ids[i], of) : wrn_id_subtract(of, ret_ids[i]);
        if (!wrn_id_less(way_before, way)) {
            return false;
        }
        way_before = way;
    }
    return true;
}

bool wrn_ring_view_read(struct wrn_reader *reader, wrn_id of, struct wrn_ring_view *ret_view) {
    *ret_view = (struct wrn_ring_view){.is_connected = false};
    uint8_t flags = wrn_read_u8(reader);
    uint8_t counts = wrn_read_u8(reader);
    uint8_t hints = wrn_read_u8(reader);
    uint8_t lefts = counts >> 4, rights = counts & 15;
    if ((flags & ~FLAGS) != 0 || lefts > WRN_NEAR_PER_SIDE || rights > WRN_NEAR_PER_SIDE ||
        hints > WRN_RING_HINTS_MAX) {
        return false;
    }
    bool is_good = read_side(reader, of, false, lefts, ret_view->left) &&
                   read_side(reader, of, true, rights, ret_view->right);
    for (uint8_t i = 0; i < hints; i++) {
        ret_view->hints[i] = wrn_read_id(reader);
    }
    ret_view->has_other = (flags & FLAG_OTHER) != 0;
    if (ret_view->has_other) {
        ret_view->other = wrn_read_id(reader);
    }
    ret_view->is_connected = (flags & FLAG_CONNECTED) != 0;
    ret_view->is_member = (flags & FLAG_MEMBER) != 0;
    ret_view->is_full = (flags & FLAG_FULL) != 0;
    ret_view->left_count = lefts;
    ret_view->right_count = rights;
    ret_view->hint_count = hints;
    return is_good && wrn_reader_is_done(reader);
}

/* ---- what comes ---- */

static void on_status(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_peer *peer,
                      struct wrn_reader *reader) {
    struct wrn_link *link = wrn_links_of(ring->links, peer->handle);
    struct wrn_ring_view view;
    uint32_t epoch = wrn_read_u32(reader);
    if (link == NULL || epoch == 0 || !wrn_ring_view_read(reader, link->id, &view)) {
        ring->counts[WRN_RING_COUNT_MALFORMED]++;
        return;
    }
    /* An older one that was overtaken on its way is not taken, unless we asked: the peer may have
     * been started anew. */
    bool is_news = link->view_epoch == 0 || (int32_t)(epoch - link->view_epoch) >= 0;
    bool is_first = link->view_epoch == 0;
    if (!is_news && peer->asks == 0) {
        return;
    }
    uint8_t out[6];
    struct wrn_writer writer = wrn_writer(out, sizeof(out));
    wrn_write_u8(&writer, WRN_MESSAGE_STATUS_ASK);
    wrn_write_u8(&writer, CONFIRM);
    wrn_write_u32(&writer, epoch);
    ring->port.send(ring->port.ctx, peer->handle, wrn_written(&writer));
    link->view_epoch = epoch;
    link->view_left = view.left_count;
    link->view_right = view.right_count;
    memcpy(link->left, view.left, sizeof(link->left));
    memcpy(link->right, view.right, sizeof(link->right));
    peer->heard_epoch = epoch;
    peer->asks = 0;
    peer->asked = WRN_TICK_NEVER;
    if (wrn_ring_trusts(ring, now, peer->handle)) {
        for (uint8_t i = 0; i < view.hint_count; i++) {
            wrn_ring_near_heard(ring, now, view.hints[i], peer->handle);
        }
    }
    ring->is_stale = true;
    if (is_first && view.is_member && is_split(ring, now, link)) {
        ring->counts[WRN_RING_COUNT_SPLITS]++;
        tell_of_other(ring, now, link->id);
    } else if (is_first && view.is_member && (link->theirs & WRN_LINK_LEAF) != 0 &&
               is_member(ring, now)) {
        /* It looks through us, but may find nobody near it: then it is we who do. */
        wrn_ring_find_look(ring, now, link);
    }
    if (view.is_full && link->mine == WRN_LINK_SHORTCUT) {
        /* Another one when this link is closed: the same place would lead to it again. */
        wrn_ring_keep(ring, link, 0);
        ring->shortcut = wrn_ring_soon(ring, now, WRN_S(10), WRN_S(20));
    }
    if (view.has_other) {
        on_other(ring, now, peer->handle, view.other);
    }
}

static void on_ask(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_peer *peer,
                   struct wrn_reader *reader) {
    uint8_t verb = wrn_read_u8(reader);
    uint32_t epoch = wrn_read_u32(reader);
    if (!wrn_reader_is_done(reader) || verb > CONFIRM) {
        ring->counts[WRN_RING_COUNT_MALFORMED]++;
        return;
    }
    if (verb == CONFIRM) {
        peer->acked_epoch = epoch;
    } else {
        wrn_ring_status_send(ring, now, peer, NULL);
    }
}

/* ---- two rings that meet ---- */

/* A settled member came between us and a settled neighbour of ours: it belongs to another ring,
 * for in ours somebody would have told of it. */
static bool is_split(const struct wrn_ring *ring, wrn_mono now, const struct wrn_link *link) {
    if (!is_member(ring, now) || wrn_mono_since(now, link->since) > WRN_RING_MEMBER_NS) {
        return false;
    }
    const struct wrn_link *nearest[WRN_RING_SIDES][2] = {
        {wrn_links_right(ring->links, 0), wrn_links_right(ring->links, 1)},
        {wrn_links_left(ring->links, 0), wrn_links_left(ring->links, 1)},
    };
    for (enum wrn_ring_side side = 0; side < WRN_RING_SIDES; side++) {
        const struct wrn_link *behind = nearest[side][1];
        if (nearest[side][0] == link && behind != NULL && behind != link &&
            wrn_mono_since(now, behind->since) > WRN_RING_MEMBER_NS) {
            return true;
        }
    }
    return false;
}

/* News of another ring go to a few far peers, so that the two grow together in many places at the
 * same time, not only from here along the circle. */
static void tell_of_other(struct wrn_ring *ring, wrn_mono now, wrn_id other) {
    if (wrn_mono_before(now, ring->split)) {
        return;
    }
    ring->split = wrn_mono_add(now, WRN_RING_SPLIT_NS);
    uint32_t start = wrn_rand_below(ring->rand, ring->peer_count);
    uint32_t told = 0;
    for (uint32_t i = 0; i < ring->peer_count && told < TOLD_MAX; i++) {
        struct wrn_ring_peer *peer = &ring->peers[(start + i) % ring->peer_count];
        const struct wrn_link *link = wrn_links_of(ring->links, peer->handle);
        bool is_old = link != NULL && wrn_mono_since(now, link->since) > WRN_RING_MEMBER_NS;
        if (is_old && !peer->is_best) {
            wrn_ring_status_send(ring, now, peer, &other);
            told++;
        }
    }
}

static void on_other(struct wrn_ring *ring, wrn_mono now, wrn_handle teller, wrn_id other) {
    if (wrn_mono_before(now, ring->other) || !is_member(ring, now) ||
        wrn_id_equal(other, ring->links->self) || wrn_links_at(ring->links, other) != NULL) {
        return;
    }
    ring->other = wrn_mono_add(now, WRN_RING_SPLIT_NS);
    wrn_ring_want(ring, now, WRN_RING_FOR_OTHER, WRN_LINK_LEAF, WRN_ROUTE_EXACT, other, teller);
}
