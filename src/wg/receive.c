/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams from the network. Data packets of a batch are opened together; a handshake message in
 * between is handled in its turn, so that packets right behind the response that gave them keys
 * find those. */
#include "wg/machine.h"

#include "base/bytes.h"
#include "wg/ecn.h"

static bool is_data(const struct wrn_wg_datagram *datagram);
static void add_job(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_datagram *batch,
                    uint32_t index);
static void open_jobs(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_datagram *batch,
                      struct wrn_wg_out *out);
static enum wrn_drop accept_data(struct wrn_wg *wg, struct wrn_now now,
                                 struct wrn_wg_datagram *datagram, wrn_handle owner,
                                 const struct wrn_aead_job *job, struct wrn_wg_out *out);
static enum wrn_drop check_inner(const struct wrn_wg *wg, const struct wrn_wg_peer *peer,
                                 const uint8_t *packet, size_t size, size_t *ret_size);
static void renew_receiving(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                            struct wrn_wg_out *out);

/* Our session expires soon and nothing that we send would renew it in time: renew it on receipt. */
#define RENEW_RECEIVING_NS (WRN_WG_REJECT_AFTER_NS - WRN_WG_KEEPALIVE_NS - WRN_WG_REKEY_TIMEOUT_NS)

void wrn_wg_on_datagrams(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_datagram *batch,
                         size_t count, struct wrn_wg_out *out) {
    WRN_ASSERT(count <= WRN_WG_BATCH_MAX);
    wg->job_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        batch[i].packet = NULL;
        batch[i].packet_size = 0;
        batch[i].drop = WRN_DROP_NONE;
        if (!wg->up) {
            batch[i].drop = wrn_wg_drop(wg, WRN_DROP_INTERFACE_DOWN);
        } else if (is_data(&batch[i])) {
            add_job(wg, now, batch, i);
        } else {
            open_jobs(wg, now, batch, out);
            batch[i].drop = wrn_wg_on_handshake(wg, now, &batch[i], out);
        }
    }
    open_jobs(wg, now, batch, out);
}

static bool is_data(const struct wrn_wg_datagram *datagram) {
    return datagram->size >= 4 && wrn_load_le32(datagram->bytes) == WRN_WG_TYPE_DATA;
}

static void add_job(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_datagram *batch,
                    uint32_t index) {
    struct wrn_wg_datagram *datagram = &batch[index];
    if (datagram->size < WRN_WG_KEEPALIVE_SIZE) {
        datagram->drop = wrn_wg_drop(wg, WRN_DROP_BAD_LENGTH);
        return;
    }
    struct wrn_session *session =
        wrn_session_find(&wg->sessions, wrn_load_le32(datagram->bytes + WRN_WG_RECEIVER_AT));
    uint64_t counter = wrn_load_le64(datagram->bytes + WRN_WG_COUNTER_AT);
    if (session == NULL || session->state != WRN_SESSION_READY) {
        datagram->drop = wrn_wg_drop(wg, WRN_DROP_NO_SESSION);
        return;
    }
    if (wrn_mono_since(now.mono, session->born) >= WRN_WG_REJECT_AFTER_NS ||
        counter >= WRN_WG_REJECT_AFTER_MESSAGES) {
        datagram->drop = wrn_wg_drop(wg, WRN_DROP_SESSION_EXPIRED);
        return;
    }
    uint8_t *text = datagram->bytes + WRN_WG_DATA_HEADER_SIZE;
    wg->job_owners[wg->job_count] = (struct wrn_wg_job_owner){session->self, index};
    wg->jobs[wg->job_count++] = (struct wrn_aead_job){
        .key = session->keys.receive,
        .counter = counter,
        .in = text,
        .out = text,
        .size = datagram->size - WRN_WG_DATA_HEADER_SIZE - WRN_WG_TAG_SIZE,
    };
}

static void open_jobs(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_datagram *batch,
                      struct wrn_wg_out *out) {
    wrn_aead_open_batch(wg->crypto, wg->jobs, wg->job_count);
    for (uint32_t j = 0; j < wg->job_count; j++) {
        struct wrn_wg_datagram *datagram = &batch[wg->job_owners[j].packet];
        enum wrn_drop drop =
            accept_data(wg, now, datagram, wg->job_owners[j].session, &wg->jobs[j], out);
        if (drop != WRN_DROP_NONE) {
            datagram->drop = wrn_wg_drop(wg, drop);
        }
    }
    wg->job_count = 0;
}

/* What one packet whose tag was checked means. Earlier packets of the batch may have moved sessions
 * on, so it is looked up again. */
static enum wrn_drop accept_data(struct wrn_wg *wg, struct wrn_now now,
                                 struct wrn_wg_datagram *datagram, wrn_handle owner,
                                 const struct wrn_aead_job *job, struct wrn_wg_out *out) {
    struct wrn_session *session = wrn_session_get(&wg->sessions, owner);
    if (session == NULL) {
        return WRN_DROP_NO_SESSION;
    }
    if (!job->ok) {
        return WRN_DROP_BAD_TAG;
    }
    if (!wrn_replay_accept(&session->replay, job->counter)) {
        return WRN_DROP_REPLAY;
    }
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, session->peer);
    WRN_ASSERT(peer != NULL);
    wrn_wg_learn_path(peer, &datagram->path, out);
    peer->rx_bytes += datagram->size;
    if (wrn_session_set_confirm(&wg->sessions, &peer->sessions, session, now.mono)) {
        wrn_wg_handshake_complete(wg, now, peer, out);
        wrn_wg_release_staged(wg, now, peer, out);
    }
    renew_receiving(wg, now, peer, out);
    wrn_wg_timers_any_received(wg, now, peer);
    if (job->size == 0) {
        wrn_wg_push_event(out, WRN_WG_EVENT_KEEPALIVE_RECEIVED, peer->self, 0);
        return WRN_DROP_NONE;
    }
    wrn_wg_timers_data_received(wg, now, peer);
    size_t size;
    enum wrn_drop drop = check_inner(wg, peer, job->out, job->size, &size);
    if (drop == WRN_DROP_NONE && !wrn_ecn_merge(job->out, size, datagram->outer_ecn)) {
        drop = WRN_DROP_CONGESTION;
    }
    if (drop == WRN_DROP_NONE) {
        datagram->packet = job->out;
        datagram->packet_size = size;
    }
    return drop;
}

/* Finds the true size under the padding, and whether the sender may use this source address. */
static enum wrn_drop check_inner(const struct wrn_wg *wg, const struct wrn_wg_peer *peer,
                                 const uint8_t *packet, size_t size, size_t *ret_size) {
    size_t inner_size;
    uint32_t owner;
    if (size >= 20 && packet[0] >> 4 == 4) {
        inner_size = wrn_load_be16(packet + 2);
        owner = wrn_allowed_ips_find4(&wg->allowed, packet + 12);
        if (inner_size < 20) {
            return WRN_DROP_BAD_INNER_PACKET;
        }
    } else if (size >= 40 && packet[0] >> 4 == 6) {
        inner_size = (size_t)wrn_load_be16(packet + 4) + 40;
        owner = wrn_allowed_ips_find6(&wg->allowed, packet + 8);
    } else {
        return WRN_DROP_BAD_INNER_PACKET;
    }
    if (inner_size > size) {
        return WRN_DROP_BAD_INNER_PACKET;
    }
    if (owner != peer->self.index) {
        return WRN_DROP_WRONG_SOURCE;
    }
    *ret_size = inner_size;
    return WRN_DROP_NONE;
}

static void renew_receiving(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                            struct wrn_wg_out *out) {
    if (peer->last_minute_sent) {
        return;
    }
    const struct wrn_session *current =
        wrn_session_get(&wg->sessions, peer->sessions.at[WRN_SESSION_CURRENT]);
    if (current != NULL && current->initiator &&
        wrn_mono_since(now.mono, current->born) >= RENEW_RECEIVING_NS) {
        peer->last_minute_sent = true;
        wrn_wg_initiate(wg, now, peer, false, out);
    }
}
