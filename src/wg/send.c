/* SPDX-License-Identifier: Apache-2.0 */
/* Packets from the host: routed by destination, sealed in place in batches, or kept while a
 * handshake runs. Packets of one peer never overtake each other: while some are kept, later ones
 * queue behind. */
#include "wg/machine.h"

#include "base/bytes.h"
#include "wg/ecn.h"

/* Whoever began a session renews it, at 120 s when sending and at 165 s when only receiving. If
 * that did not happen (after reordered handshakes each side may use the session that the other
 * began), the responder does, early enough that nothing has to wait. */
#define RENEW_AS_RESPONDER_NS (WRN_WG_REJECT_AFTER_NS - WRN_WG_KEEPALIVE_NS)

static enum wrn_drop route(const struct wrn_wg *wg, const uint8_t *bytes, size_t size,
                           struct wrn_wg_peer **ret_peer);
static struct wrn_session *sending_session(const struct wrn_wg *wg, wrn_mono now,
                                           const struct wrn_wg_peer *peer);
static void stage(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer, wrn_span packet,
                  struct wrn_wg_out *out);
static size_t padded_size(const struct wrn_wg *wg, size_t size);
static void add_job(struct wrn_wg *wg, struct wrn_wg_packet *batch, uint32_t index,
                    struct wrn_wg_peer *peer, struct wrn_session *session);
static void seal_jobs(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_packet *batch,
                      struct wrn_wg_out *out);
static void write_header(uint8_t *header, const struct wrn_session *session, uint64_t counter);
static void after_sending(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                          size_t datagram_size, bool is_keepalive);
static void set_ready(struct wrn_wg *wg, struct wrn_wg_peer *peer);

void wrn_wg_on_packets(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_packet *batch,
                       size_t count, struct wrn_wg_out *out) {
    WRN_ASSERT(count <= WRN_WG_BATCH_MAX);
    wg->job_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct wrn_wg_packet *packet = &batch[i];
        struct wrn_wg_peer *peer = NULL;
        packet->datagram_size = 0;
        packet->drop =
            wg->up ? route(wg, packet->bytes, packet->size, &peer) : WRN_DROP_INTERFACE_DOWN;
        if (packet->drop != WRN_DROP_NONE) {
            (void)wrn_wg_drop(wg, packet->drop);
            continue;
        }
        struct wrn_session *session = sending_session(wg, now.mono, peer);
        if (session != NULL && peer->staged.count == 0) {
            add_job(wg, batch, i, peer, session);
        } else {
            stage(wg, now, peer, (wrn_span){packet->bytes, packet->size}, out);
        }
    }
    seal_jobs(wg, now, batch, out);
}

size_t wrn_wg_pull_staged(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_packet *batch,
                          size_t count, struct wrn_wg_out *out) {
    uint32_t filled = 0;
    WRN_ASSERT(count <= WRN_WG_BATCH_MAX);
    wg->job_count = 0;
    while (filled < count && wg->ready_head != NULL &&
           out->message_count + 2 * count < WRN_WG_MESSAGES_MAX) {
        struct wrn_wg_peer *peer = wg->ready_head;
        struct wrn_session *session = sending_session(wg, now.mono, peer);
        if (session == NULL || peer->staged.count == 0) {
            wg->ready_head = peer->ready_next;
            peer->ready = false;
            wrn_wg_release_staged(wg, now, peer, out);
            continue;
        }
        struct wrn_wg_packet *packet = &batch[filled];
        size_t size = wrn_staged_first_size(&wg->staged, &peer->staged);
        WRN_ASSERT(packet->size >= size);
        wrn_staged_pop(&wg->staged, &peer->staged, packet->bytes);
        packet->size = size;
        packet->datagram_size = 0;
        packet->drop = WRN_DROP_NONE;
        add_job(wg, batch, filled++, peer, session);
    }
    seal_jobs(wg, now, batch, out);
    return filled;
}

void wrn_wg_send_keepalive(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                           struct wrn_wg_out *out) {
    if (peer->path.remote.ip.family == WRN_FAMILY_NONE) {
        return;
    }
    if (peer->staged.count > 0) {
        wrn_wg_release_staged(wg, now, peer, out); /* better than an empty packet */
        return;
    }
    struct wrn_session *session = sending_session(wg, now.mono, peer);
    if (session == NULL) {
        stage(wg, now, peer, (wrn_span){NULL, 0}, out);
        return;
    }
    struct wrn_wg_message *message =
        wrn_wg_push_message(out, &peer->path, peer->self, WRN_WG_KEEPALIVE_SIZE);
    struct wrn_aead_job job = {
        .key = session->keys.send,
        .counter = session->send_counter,
        .in = message->bytes + WRN_WG_DATA_HEADER_SIZE,
        .out = message->bytes + WRN_WG_DATA_HEADER_SIZE,
    };
    write_header(message->bytes, session, session->send_counter++);
    wrn_aead_seal_batch(wg->crypto, &job, 1);
    wrn_wg_push_event(out, WRN_WG_EVENT_KEEPALIVE_SENT, peer->self, 0);
    after_sending(wg, now, peer, WRN_WG_KEEPALIVE_SIZE, true);
    wrn_wg_renew_sending(wg, now, peer, out);
}

void wrn_wg_release_staged(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                           struct wrn_wg_out *out) {
    if (peer->staged.count == 0) {
        return;
    }
    if (sending_session(wg, now.mono, peer) != NULL) {
        set_ready(wg, peer);
    } else {
        wrn_wg_initiate(wg, now, peer, false, out);
    }
}

void wrn_wg_purge_staged(struct wrn_wg *wg, struct wrn_wg_peer *peer, enum wrn_drop reason) {
    wg->drops[reason] += wrn_staged_clear(&wg->staged, &peer->staged);
}

void wrn_wg_renew_sending(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                          struct wrn_wg_out *out) {
    const struct wrn_session *current =
        wrn_session_get(&wg->sessions, peer->sessions.at[WRN_SESSION_CURRENT]);
    if (current == NULL) {
        return;
    }
    uint64_t limit_ns = current->initiator ? WRN_WG_REKEY_AFTER_NS : RENEW_AS_RESPONDER_NS;
    if (wrn_mono_since(now.mono, current->born) >= limit_ns ||
        current->send_counter > WRN_WG_REKEY_AFTER_MESSAGES) {
        wrn_wg_initiate(wg, now, peer, false, out);
    }
}

static enum wrn_drop route(const struct wrn_wg *wg, const uint8_t *bytes, size_t size,
                           struct wrn_wg_peer **ret_peer) {
    uint32_t owner;
    if (size > WRN_WG_PACKET_MAX) {
        return WRN_DROP_BAD_HOST_PACKET;
    }
    if (size >= 20 && bytes[0] >> 4 == 4) {
        owner = wrn_allowed_ips_find4(&wg->allowed, bytes + 16);
    } else if (size >= 40 && bytes[0] >> 4 == 6) {
        owner = wrn_allowed_ips_find6(&wg->allowed, bytes + 24);
    } else {
        return WRN_DROP_BAD_HOST_PACKET;
    }
    if (owner == WRN_ALLOWED_IPS_NOBODY) {
        return WRN_DROP_NO_ROUTE;
    }
    struct wrn_wg_peer *peer = wrn_pool_at(&wg->peers, owner, NULL);
    WRN_ASSERT(peer != NULL);
    *ret_peer = peer;
    return peer->path.remote.ip.family == WRN_FAMILY_NONE ? WRN_DROP_NO_ENDPOINT : WRN_DROP_NONE;
}

static struct wrn_session *sending_session(const struct wrn_wg *wg, wrn_mono now,
                                           const struct wrn_wg_peer *peer) {
    struct wrn_session *current =
        wrn_session_get(&wg->sessions, peer->sessions.at[WRN_SESSION_CURRENT]);
    return wrn_session_usable(current, now) ? current : NULL;
}

static void stage(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer, wrn_span packet,
                  struct wrn_wg_out *out) {
    uint32_t dropped;
    wrn_staged_push(&wg->staged, &peer->staged, packet, WRN_WG_STAGED_PER_PEER, &dropped);
    wg->drops[WRN_DROP_QUEUE_FULL] += dropped;
    if (peer->staged.count == 0) {
        /* Others hold the whole pool. That costs the packet, not the session. */
        wrn_wg_initiate(wg, now, peer, false, out);
        return;
    }
    wrn_wg_release_staged(wg, now, peer, out);
}

/* Padding hides sizes a little, but never makes the inner packet exceed the interface's MTU. */
static size_t padded_size(const struct wrn_wg *wg, size_t size) {
    size_t padded = wrn_align_up(size, WRN_WG_PADDING);
    size_t limit = size > wg->mtu_bytes ? size : wg->mtu_bytes;
    return padded < limit ? padded : limit;
}

static void add_job(struct wrn_wg *wg, struct wrn_wg_packet *batch, uint32_t index,
                    struct wrn_wg_peer *peer, struct wrn_session *session) {
    struct wrn_wg_packet *packet = &batch[index];
    size_t padded = padded_size(wg, packet->size);
    uint64_t counter = session->send_counter++;

    packet->outer_ecn = wrn_ecn_of_packet(packet->bytes, packet->size);
    packet->path = peer->path;
    packet->peer = peer->self;
    packet->datagram = packet->bytes - WRN_WG_DATA_HEADER_SIZE;
    packet->datagram_size = WRN_WG_DATA_HEADER_SIZE + padded + WRN_WG_TAG_SIZE;
    memset(packet->bytes + packet->size, 0, padded - packet->size);
    write_header(packet->datagram, session, counter);
    wg->job_owners[wg->job_count] = (struct wrn_wg_job_owner){session->self, index};
    wg->jobs[wg->job_count++] = (struct wrn_aead_job){
        .key = session->keys.send,
        .counter = counter,
        .in = packet->bytes,
        .out = packet->bytes,
        .size = padded,
    };
}

static void seal_jobs(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_packet *batch,
                      struct wrn_wg_out *out) {
    wrn_aead_seal_batch(wg->crypto, wg->jobs, wg->job_count);
    for (uint32_t j = 0; j < wg->job_count; j++) {
        const struct wrn_wg_packet *packet = &batch[wg->job_owners[j].packet];
        struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, packet->peer);
        WRN_ASSERT(peer != NULL);
        after_sending(wg, now, peer, packet->datagram_size, packet->size == 0);
        wrn_wg_renew_sending(wg, now, peer, out);
    }
    wg->job_count = 0;
}

static void write_header(uint8_t *header, const struct wrn_session *session, uint64_t counter) {
    wrn_store_le32(header, WRN_WG_TYPE_DATA);
    wrn_store_le32(header + WRN_WG_RECEIVER_AT, session->remote_index);
    wrn_store_le64(header + WRN_WG_COUNTER_AT, counter);
}

static void after_sending(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                          size_t datagram_size, bool is_keepalive) {
    peer->tx_bytes += datagram_size;
    wrn_wg_timers_any_sent(wg, now, peer);
    if (!is_keepalive) {
        wrn_wg_timers_data_sent(wg, now, peer);
    }
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
