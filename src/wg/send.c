/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread's part of sending: packets that wait for a handshake, keepalives, and what
 * lanes ask for. Packets of one peer never overtake each other: while some are kept, later ones
 * queue behind. */
#include "wg/machine.h"

static void stage(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer, wrn_span packet,
                  struct wrn_wg_out *out);
static void release_pulled(struct wrn_wg *wg);
static void unhold(struct wrn_wg_peer *peer, uint32_t count);
static void account_sent(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                         size_t datagram_size, bool is_keepalive, struct wrn_wg_out *out);
static void set_ready(struct wrn_wg *wg, struct wrn_wg_peer *peer);

void wrn_wg_on_packets(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_packet *batch,
                       size_t count, struct wrn_wg_out *out) {
    wrn_wg_lane_packets(&wg->own_lane, now.mono, batch, count, &wg->asks);
    for (uint32_t i = 0; i < wg->asks.count; i++) {
        const struct wrn_wg_ask *ask = &wg->asks.items[i];
        const struct wrn_wg_packet *packet = &batch[ask->index];
        if (ask->kind == WRN_WG_ASK_PACKET && wrn_handle_equal(ask->peer, WRN_HANDLE_NONE)) {
            continue; /* the caller's: it stands in the batch */
        }
        if (ask->kind == WRN_WG_ASK_PACKET) {
            wrn_wg_take_packet(wg, now, ask->peer, (wrn_span){packet->bytes, packet->size}, out);
        } else {
            wrn_wg_take_ask(wg, now, ask, out);
        }
    }
    wrn_wg_settle(wg);
}

void wrn_wg_take_packet(struct wrn_wg *wg, struct wrn_now now, wrn_handle handle, wrn_span packet,
                        struct wrn_wg_out *out) {
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, handle);
    if (peer == NULL) {
        (void)wrn_wg_drop(wg, WRN_DROP_PEER_REMOVED);
    } else {
        /* While we are down, too: the host sends as soon as its link is up, and we learn of that a
         * moment later. */
        stage(wg, now, peer, packet, out);
    }
}

void wrn_wg_queue_packet(struct wrn_wg *wg, struct wrn_now now, wrn_handle handle, wrn_span packet,
                         struct wrn_wg_out *out) {
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, handle);
    WRN_ASSERT(packet.size >= 1 && packet.size <= WRN_WG_PACKET_MAX);
    if (peer != NULL) {
        atomic_fetch_add_explicit(&peer->held, 1, memory_order_relaxed);
    }
    wrn_wg_take_packet(wg, now, handle, packet, out);
}

bool wrn_wg_is_ready(const struct wrn_wg *wg, struct wrn_now now, wrn_handle handle) {
    const struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, handle);
    return peer != NULL && atomic_load_explicit(&peer->held, memory_order_acquire) == 0 &&
           wrn_wg_sending_session(wg, peer, now.mono) != NULL;
}

size_t wrn_wg_pull_staged(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_packet *batch,
                          size_t count, struct wrn_wg_out *out) {
    struct wrn_wg_lane *lane = &wg->own_lane;
    uint32_t filled = 0;
    WRN_ASSERT(count <= WRN_WG_BATCH_MAX);
    release_pulled(wg);
    lane->job_count = 0;
    while (filled < count && wg->ready_head != NULL &&
           out->message_count + 2 * count < WRN_WG_MESSAGES_MAX) {
        struct wrn_wg_peer *peer = wg->ready_head;
        struct wrn_session *session = wrn_wg_sending_session(wg, peer, now.mono);
        size_t size =
            peer->staged.count == 0 ? 0 : wrn_staged_first_size(&wg->staged, &peer->staged);
        uint64_t counter;
        if (session == NULL || peer->staged.count == 0 || peer->is_paused ||
            !wrn_wg_take_counters(wg, session, 1, size, &counter)) {
            wg->ready_head = peer->ready_next;
            peer->ready = false;
            wrn_wg_release_staged(wg, now, peer, out);
            continue;
        }
        struct wrn_wg_packet *packet = &batch[filled];
        struct wrn_path path;
        WRN_ASSERT(packet->size >= size);
        wrn_path_cell_read(&peer->path, &path);
        wrn_staged_pop(&wg->staged, &peer->staged, packet->bytes);
        size_t max = wrn_wg_packet_max(peer, &path);
        enum wrn_drop why =
            size == 0    ? WRN_DROP_NONE /* a keepalive */
            : size > max ? WRN_DROP_PATH_TOO_SMALL
                         : wrn_wg_lane_check(lane, peer->self, true, now.mono, packet->bytes, size);
        if (why != WRN_DROP_NONE) {
            unhold(peer, 1);
            (void)wrn_wg_drop(wg, why);
            continue;
        }
        packet->size = size;
        packet->datagram_size = 0;
        packet->drop = WRN_DROP_NONE;
        wrn_wg_lane_add_seal(lane, batch, filled, peer, &path, max, session, counter);
        account_sent(wg, now, peer, packet->datagram_size, packet->size == 0, out);
        wg->pulled[filled++] = peer->self;
    }
    wg->pulled_count = filled;
    wrn_aead_seal_batch(lane->crypto, lane->jobs, lane->job_count);
    return filled;
}

bool wrn_wg_seal_own(struct wrn_wg *wg, struct wrn_now now, wrn_handle handle,
                     struct wrn_wg_packet *packet) {
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, handle);
    struct wrn_wg_lane *lane = &wg->own_lane;
    struct wrn_path path;
    uint64_t counter;
    packet->datagram_size = 0;
    if (peer == NULL || !wrn_wg_is_ready(wg, now, handle)) {
        return false;
    }
    struct wrn_session *session = wrn_wg_sending_session(wg, peer, now.mono);
    wrn_path_cell_read(&peer->path, &path);
    if (path.kind != WRN_PATH_DIRECT || !wrn_path_leads(&path) ||
        !wrn_wg_take_counters(wg, session, 1, packet->size, &counter)) {
        return false;
    }
    packet->drop = WRN_DROP_NONE;
    lane->job_count = 0;
    wrn_wg_lane_add_seal(lane, packet, 0, peer, &path, packet->size, session, counter);
    wrn_aead_seal_batch(lane->crypto, lane->jobs, lane->job_count);
    return true;
}

void wrn_wg_send_keepalive(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                           struct wrn_wg_out *out) {
    struct wrn_path path;
    wrn_path_cell_read(&peer->path, &path);
    if (!wrn_path_leads(&path)) {
        return;
    }
    struct wrn_session *session = wrn_wg_sending_session(wg, peer, now.mono);
    if (peer->staged.count > 0 && (session == NULL || !peer->is_paused)) {
        wrn_wg_release_staged(wg, now, peer, out); /* better than an empty packet */
        return;
    }
    uint64_t counter;
    if (session == NULL || !wrn_wg_take_counters(wg, session, 1, 0, &counter)) {
        atomic_fetch_add_explicit(&peer->held, 1, memory_order_relaxed);
        stage(wg, now, peer, (wrn_span){NULL, 0}, out);
        return;
    }
    struct wrn_wg_message *message =
        wrn_wg_push_message(out, &path, peer->self, WRN_WG_KEEPALIVE_SIZE);
    struct wrn_aead_job job = {
        .key = session->keys.send,
        .cipher = session->keys.cipher,
        .counter = counter,
        .in = message->bytes + WRN_WG_DATA_HEADER_SIZE,
        .out = message->bytes + WRN_WG_DATA_HEADER_SIZE,
    };
    wrn_wg_write_data_header(message->bytes, session, job.counter);
    wrn_aead_seal_batch(wg->crypto, &job, 1);
    wrn_wg_push_event(out, WRN_WG_EVENT_KEEPALIVE_SENT, peer->self, 0);
    account_sent(wg, now, peer, WRN_WG_KEEPALIVE_SIZE, true, out);
}

void wrn_wg_release_staged(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                           struct wrn_wg_out *out) {
    if (peer->staged.count == 0) {
        return;
    }
    if (wrn_wg_sending_session(wg, peer, now.mono) == NULL) {
        wrn_wg_initiate(wg, now, peer, false, out);
    } else if (!peer->is_paused) {
        set_ready(wg, peer);
    }
}

void wrn_wg_peer_set_paused(struct wrn_wg *wg, struct wrn_now now, wrn_handle handle,
                            bool is_paused, struct wrn_wg_out *out) {
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, handle);
    if (peer == NULL || peer->is_paused == is_paused) {
        return;
    }
    peer->is_paused = is_paused;
    if (is_paused) {
        atomic_fetch_add_explicit(&peer->held, 1, memory_order_relaxed);
    } else {
        wrn_wg_release_staged(wg, now, peer, out);
        unhold(peer, 1); /* those that wait are counted still */
    }
}

void wrn_wg_purge_staged(struct wrn_wg *wg, struct wrn_wg_peer *peer, enum wrn_drop reason) {
    uint32_t count = wrn_staged_clear(&wg->staged, &peer->staged);
    unhold(peer, count);
    wg->drops[reason] += count;
}

void wrn_wg_renew_sending(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                          struct wrn_wg_out *out) {
    wrn_wg_take_confirmed(wg, now, peer, out);
    const struct wrn_session *current =
        wrn_session_get(&wg->sessions, peer->sessions.at[WRN_SESSION_CURRENT]);
    if (current != NULL && wrn_wg_is_renewal_due(wg, current, now.mono)) {
        wrn_wg_initiate(wg, now, peer, false, out);
    }
}

/* Keeps a packet that is counted as held already. */
static void stage(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer, wrn_span packet,
                  struct wrn_wg_out *out) {
    uint32_t dropped;
    wrn_staged_push(&wg->staged, &peer->staged, packet, WRN_WG_STAGED_PER_PEER, &dropped);
    unhold(peer, dropped);
    wg->drops[WRN_DROP_QUEUE_FULL] += dropped;
    if (peer->staged.count == 0) {
        /* Others hold the whole pool. That costs the packet, not the session. */
        wrn_wg_initiate(wg, now, peer, false, out);
        return;
    }
    wrn_wg_release_staged(wg, now, peer, out);
}

/* What was pulled last has been sent by now: from here on lanes may send to these peers again. */
static void release_pulled(struct wrn_wg *wg) {
    for (uint32_t i = 0; i < wg->pulled_count; i++) {
        struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, wg->pulled[i]);
        if (peer != NULL) {
            unhold(peer, 1);
        }
    }
    wg->pulled_count = 0;
}

/* Release: who sees the smaller number sees the packets gone. */
static void unhold(struct wrn_wg_peer *peer, uint32_t count) {
    if (count > 0) {
        atomic_fetch_sub_explicit(&peer->held, count, memory_order_release);
    }
}

static void account_sent(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                         size_t datagram_size, bool is_keepalive, struct wrn_wg_out *out) {
    peer->tx_bytes += datagram_size;
    if (wrn_wg_note_sent(peer, now.mono, is_keepalive ? 0 : 1)) {
        wrn_wg_plan(wg, peer);
    }
    wrn_wg_renew_sending(wg, now, peer, out);
}

static void set_ready(struct wrn_wg *wg, struct wrn_wg_peer *peer) {
    if (peer->ready) {
        return;
    }
    peer->ready = true;
    peer->ready_next = NULL;
    if (wg->ready_head == NULL) {
        wg->ready_head = peer;
    } else {
        wg->ready_tail->ready_next = peer;
    }
    wg->ready_tail = peer;
}
