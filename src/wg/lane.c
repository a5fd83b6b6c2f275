/* SPDX-License-Identifier: Apache-2.0 */
/* Packets in both directions, sealed and opened in batches by any number of threads. Works on runs:
 * packets of a batch that follow one another and belong to one peer (or session) are counted, given
 * their counters and checked against the window together. */
#include "wg/lane.h"

#include "base/bytes.h"
#include "packet/narrow.h"
#include "switch/payload.h"
#include "wg/destination.h"
#include "wg/ecn.h"
#include "wg/limits.h"
#include "wg/machine.h"

/* Whoever began a session renews it, at 120 s when sending and at 165 s when only receiving. If
 * that did not happen (after reordered handshakes each side may use the session that the other
 * began), the responder does, early enough that nothing has to wait. */
#define RENEW_AS_RESPONDER_NS (WRN_WG_REJECT_AFTER_NS - WRN_WG_KEEPALIVE_NS)
#define RENEW_RECEIVING_NS    (RENEW_AS_RESPONDER_NS - WRN_WG_REKEY_TIMEOUT_NS)

/* Asks for the same thing that are less than this apart say nothing new. */
#define ASK_AGAIN_NS          WRN_MS(10)

/* Packets of one peer that may be on their way to its queue: beyond that they cannot help. */
enum { HELD_MAX = 2 * WRN_WG_STAGED_PER_PEER };

/* What came out of a run of opened datagrams. */
struct tally {
    uint64_t bytes;
    uint32_t data;       /* packets that are not empty */
    uint32_t last_index; /* in the batch, of the last authentic one */
    uint32_t count;
};

static uint32_t free_number(const struct wrn_wg *wg);
static enum wrn_drop route(const struct wrn_wg *wg, const struct wrn_wg_packet *packet,
                           struct wrn_wg_peer **ret_peer);
static enum wrn_drop find_chosen(const struct wrn_wg *wg, const struct wrn_wg_packet *packet,
                                 struct wrn_wg_peer **ret_peer);
static enum wrn_drop refuse(struct wrn_wg_lane *lane, wrn_mono now, struct wrn_wg_packet *batch,
                            uint32_t index, struct wrn_wg_asks *asks);
static void seal_run(struct wrn_wg_lane *lane, wrn_mono now, struct wrn_wg_packet *batch,
                     uint32_t begin, uint32_t end, struct wrn_wg_peer *peer,
                     struct wrn_wg_asks *asks);
static bool is_too_large(struct wrn_wg_lane *lane, struct wrn_wg_packet *packet, size_t max);
static void hold(struct wrn_wg_lane *lane, struct wrn_wg_packet *batch, uint32_t begin,
                 uint32_t end, struct wrn_wg_peer *peer, size_t max, struct wrn_wg_asks *asks);
static size_t padded_size(size_t size, size_t max);
static bool is_own(const struct wrn_aead_job *job);
static enum wrn_drop add_open(struct wrn_wg_lane *lane, wrn_mono now, struct wrn_wg_datagram *batch,
                              uint32_t index);
static enum wrn_drop check_opened(struct wrn_wg_lane *lane, wrn_handle peer, wrn_mono now,
                                  const struct wrn_wg_datagram *datagram,
                                  const struct wrn_aead_job *job, size_t *ret_size);
static void accept_run(struct wrn_wg_lane *lane, wrn_mono now, struct wrn_wg_datagram *batch,
                       uint32_t begin, uint32_t end, struct wrn_wg_asks *asks);
static void pass_window(struct wrn_wg_lane *lane, struct wrn_wg_datagram *batch, uint32_t begin,
                        uint32_t end, struct tally *tally);
static void wait_a_moment(void);
static void after_receiving(wrn_mono now, const struct tally *tally,
                            const struct wrn_wg_datagram *last, struct wrn_wg_peer *peer,
                            struct wrn_session *session, struct wrn_wg_asks *asks);
static void follow(wrn_mono now, struct wrn_wg_peer *peer, struct wrn_session *session,
                   const struct wrn_path *path, uint32_t index, struct wrn_wg_asks *asks);
static enum wrn_drop check_inner(const struct wrn_wg *wg, uint32_t peer, const uint8_t *packet,
                                 size_t size, size_t *ret_size);
static enum wrn_drop check_payload(const uint8_t *payload, size_t size, size_t *ret_size);
static struct wrn_wg_limits limits_of(const struct wrn_wg *wg, const struct wrn_session *session);
static size_t largest_of(const struct wrn_session *session, const struct wrn_wg_packet *batch,
                         uint32_t begin, uint32_t end);
static void note_size(struct wrn_session *session, uint32_t size);
static void drop(struct wrn_wg_lane *lane, enum wrn_drop reason);
static void push(struct wrn_wg_asks *asks, enum wrn_wg_ask_kind kind, uint32_t index,
                 wrn_handle peer);
static bool may_ask(struct wrn_session *session, enum wrn_session_ask ask, wrn_mono now);

size_t wrn_wg_lane_size(void) {
    return sizeof(struct wrn_wg_lane);
}

struct wrn_wg_lane *wrn_wg_lane_init(void *memory, struct wrn_wg *wg, struct wrn_crypto *crypto) {
    struct wrn_wg_lane *lane = memory;
    lane->wg = wg;
    lane->crypto = crypto;
    lane->number = free_number(wg);
    lane->next = wg->lanes;
    wg->lanes = lane;
    return lane;
}

void wrn_wg_lane_finish(struct wrn_wg_lane *lane) {
    struct wrn_wg_lane **link = &lane->wg->lanes;
    while (*link != lane) {
        link = &(*link)->next;
    }
    *link = lane->next;
    for (size_t i = 0; i < WRN_DROP_COUNT; i++) {
        lane->wg->drops[i] += lane->drops[i];
    }
    wrn_wipe(lane, sizeof *lane);
}

void wrn_wg_lane_packets(struct wrn_wg_lane *lane, wrn_mono now, struct wrn_wg_packet *batch,
                         size_t count, struct wrn_wg_asks *ret_asks) {
    struct wrn_wg_peer *owners[WRN_WG_BATCH_MAX];
    const bool has_filter = lane->wg->filter.check != NULL;
    const bool is_bridged = lane->wg->is_bridged;
    WRN_ASSERT(count <= WRN_WG_BATCH_MAX);
    lane->job_count = 0;
    ret_asks->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        owners[i] = NULL;
        batch[i].datagram_size = 0;
        batch[i].drop = is_bridged ? find_chosen(lane->wg, &batch[i], &owners[i])
                                   : route(lane->wg, &batch[i], &owners[i]);
        if (has_filter && owners[i] != NULL) {
            batch[i].drop =
                wrn_wg_lane_check(lane, owners[i]->self, true, now, batch[i].bytes, batch[i].size);
            owners[i] = batch[i].drop == WRN_DROP_NONE ? owners[i] : NULL;
        }
        if (batch[i].drop != WRN_DROP_NONE) {
            batch[i].drop = refuse(lane, now, batch, i, ret_asks);
        }
    }
    for (uint32_t begin = 0, end; begin < count; begin = end) {
        end = begin + 1;
        while (end < count && owners[end] == owners[begin]) {
            end++;
        }
        if (owners[begin] != NULL) {
            seal_run(lane, now, batch, begin, end, owners[begin], ret_asks);
        }
    }
    wrn_aead_seal_batch(lane->crypto, lane->jobs, lane->job_count);
}

void wrn_wg_lane_datagrams(struct wrn_wg_lane *lane, wrn_mono now, struct wrn_wg_datagram *batch,
                           size_t count, struct wrn_wg_asks *ret_asks) {
    bool up = atomic_load_explicit(&lane->wg->up, memory_order_relaxed);
    WRN_ASSERT(count <= WRN_WG_BATCH_MAX);
    lane->job_count = 0;
    ret_asks->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct wrn_wg_datagram *datagram = &batch[i];
        datagram->packet = NULL;
        datagram->packet_size = 0;
        datagram->drop = WRN_DROP_NONE;
        if (!up) {
            datagram->drop = WRN_DROP_INTERFACE_DOWN;
        } else if (datagram->size >= 4 && wrn_load_le32(datagram->bytes) == WRN_WG_TYPE_DATA) {
            datagram->drop = add_open(lane, now, batch, i);
        } else {
            datagram->drop = wrn_wg_screen(lane->wg, lane->crypto, datagram);
            if (datagram->drop == WRN_DROP_NONE) {
                push(ret_asks, WRN_WG_ASK_DATAGRAM, i, WRN_HANDLE_NONE);
            }
        }
        if (datagram->drop != WRN_DROP_NONE) {
            drop(lane, datagram->drop);
        }
    }
    wrn_aead_open_batch(lane->crypto, lane->jobs, lane->job_count);
    for (uint32_t begin = 0, end; begin < lane->job_count; begin = end) {
        end = begin + 1;
        while (end < lane->job_count && lane->job_sessions[end] == lane->job_sessions[begin]) {
            end++;
        }
        accept_run(lane, now, batch, begin, end, ret_asks);
    }
}

uint32_t wrn_wg_lane_number(const struct wrn_wg_lane *lane) {
    return lane->number;
}

bool wrn_wg_lane_is_direct(const struct wrn_wg_lane *lane, wrn_handle handle) {
    struct wrn_path path;
    const struct wrn_wg_peer *peer = wrn_wg_peer_get(lane->wg, handle);
    if (peer == NULL) {
        return true;
    }
    wrn_path_cell_read(&peer->path, &path);
    return path.kind == WRN_PATH_DIRECT;
}

void wrn_wg_lane_count_drop(struct wrn_wg_lane *lane, enum wrn_drop reason, uint64_t count) {
    WRN_ASSERT(reason < WRN_DROP_COUNT);
    /* no read-modify-write: nobody else writes it */
    uint64_t before = atomic_load_explicit(&lane->drops[reason], memory_order_relaxed);
    atomic_store_explicit(&lane->drops[reason], before + count, memory_order_relaxed);
}

void wrn_wg_lane_lost(struct wrn_wg_lane *lane, wrn_handle handle) {
    if (wrn_handle_equal(handle, WRN_HANDLE_NONE)) {
        drop(lane, WRN_DROP_CONTROL_BUSY);
        return;
    }
    struct wrn_wg_peer *peer = wrn_pool_slot(&lane->wg->peers, handle.index);
    atomic_fetch_sub_explicit(&peer->held, 1, memory_order_relaxed);
    drop(lane, WRN_DROP_QUEUE_FULL);
}

size_t wrn_wg_packet_max(const struct wrn_wg_peer *peer, const struct wrn_path *path) {
    size_t max = atomic_load_explicit(&peer->packet_max, memory_order_relaxed);
    return path->kind == WRN_PATH_RELAY && max > WRN_WG_RELAYED_PACKET_MAX
               ? WRN_WG_RELAYED_PACKET_MAX
               : max;
}

struct wrn_session *wrn_wg_sending_session(const struct wrn_wg *wg, const struct wrn_wg_peer *peer,
                                           wrn_mono now) {
    struct wrn_session *session = wrn_session_set_sending(&peer->sessions);
    bool usable = wrn_session_usable(session, now) &&
                  atomic_load_explicit(&session->send_counter, memory_order_relaxed) <
                      limits_of(wg, session).reject_after;
    return usable ? session : NULL;
}

void wrn_wg_lane_add_seal(struct wrn_wg_lane *lane, struct wrn_wg_packet *batch, uint32_t index,
                          const struct wrn_wg_peer *peer, const struct wrn_path *path, size_t max,
                          struct wrn_session *session, uint64_t counter) {
    struct wrn_wg_packet *packet = &batch[index];
    size_t mtu = atomic_load_explicit(&lane->wg->mtu_bytes, memory_order_relaxed);
    size_t padded = padded_size(packet->size, max < mtu ? max : mtu);

    if (max < mtu) {
        (void)wrn_narrow_mss(packet->bytes, packet->size, max);
    }
    packet->outer_ecn = wrn_ecn_of_packet(packet->bytes, packet->size);
    packet->path = *path;
    packet->peer = peer->self;
    packet->datagram = packet->bytes - WRN_WG_DATA_HEADER_SIZE;
    packet->datagram_size = WRN_WG_DATA_HEADER_SIZE + padded + WRN_WG_TAG_SIZE;
    memset(packet->bytes + packet->size, 0, padded - packet->size);
    wrn_wg_write_data_header(packet->datagram, session, counter);
    lane->job_packets[lane->job_count] = index;
    lane->jobs[lane->job_count++] = (struct wrn_aead_job){
        .key = session->keys.send,
        .expanded = session->expanded_send,
        .cipher = session->keys.cipher,
        .counter = counter,
        .in = packet->bytes,
        .out = packet->bytes,
        .size = padded,
    };
}

void wrn_wg_write_data_header(uint8_t *header, const struct wrn_session *session,
                              uint64_t counter) {
    wrn_store_le32(header, WRN_WG_TYPE_DATA);
    wrn_store_le32(header + WRN_WG_RECEIVER_AT, session->remote_index);
    wrn_store_le64(header + WRN_WG_COUNTER_AT, counter);
}

/* Whoever gets later counters than one who has noted a larger packet knows of that packet: so no
 * packet is sealed beyond the limit that the largest one sets. */
bool wrn_wg_take_counters(const struct wrn_wg *wg, struct wrn_session *session, uint32_t count,
                          size_t largest, uint64_t *ret_first) {
    note_size(session, (uint32_t)largest);
    *ret_first = atomic_fetch_add_explicit(&session->send_counter, count, memory_order_acq_rel);
    return *ret_first + count <= limits_of(wg, session).reject_after;
}

bool wrn_wg_is_renewal_due(const struct wrn_wg *wg, const struct wrn_session *session,
                           wrn_mono now) {
    uint64_t limit_ns = session->initiator ? WRN_WG_REKEY_AFTER_NS : RENEW_AS_RESPONDER_NS;
    return wrn_mono_since(now, session->born) >= limit_ns ||
           atomic_load_explicit(&session->send_counter, memory_order_relaxed) >
               limits_of(wg, session).rekey_after;
}

bool wrn_wg_is_receiving_renewal_due(const struct wrn_session *session, wrn_mono now) {
    return session->initiator && wrn_mono_since(now, session->born) >= RENEW_RECEIVING_NS;
}

static uint32_t free_number(const struct wrn_wg *wg) {
    bool is_taken[WRN_WG_LANES_MAX] = {false};
    uint32_t number = 0;
    for (const struct wrn_wg_lane *lane = wg->lanes; lane != NULL; lane = lane->next) {
        is_taken[lane->number] = true;
    }
    while (is_taken[number]) {
        number++;
        WRN_ASSERT(number < WRN_WG_LANES_MAX);
    }
    return number;
}

static enum wrn_drop route(const struct wrn_wg *wg, const struct wrn_wg_packet *packet,
                           struct wrn_wg_peer **ret_peer) {
    const uint8_t *bytes = packet->bytes;
    uint32_t owner;
    if (packet->size > WRN_WG_PACKET_MAX) {
        return WRN_DROP_BAD_HOST_PACKET;
    }
    if (packet->size >= 20 && bytes[0] >> 4 == 4) {
        owner = wrn_allowed_ips_find4(&wg->allowed, bytes + 16);
    } else if (packet->size >= 40 && bytes[0] >> 4 == 6) {
        owner = wrn_allowed_ips_find6(&wg->allowed, bytes + 24);
    } else {
        return WRN_DROP_BAD_HOST_PACKET;
    }
    if (owner == WRN_ALLOWED_IPS_NOBODY) {
        return WRN_DROP_NO_ROUTE;
    }
    *ret_peer = wrn_pool_slot(&wg->peers, owner);
    return WRN_DROP_NONE;
}

/* Finds the peer that the caller has chosen, which may have gone since. */
static enum wrn_drop find_chosen(const struct wrn_wg *wg, const struct wrn_wg_packet *packet,
                                 struct wrn_wg_peer **ret_peer) {
    if (packet->size == 0 || packet->size > WRN_WG_PACKET_MAX) {
        return WRN_DROP_BAD_HOST_PACKET;
    }
    *ret_peer = wrn_wg_peer_get(wg, packet->peer);
    return *ret_peer != NULL ? WRN_DROP_NONE : WRN_DROP_PEER_REMOVED;
}

/* Counts a refused packet and returns why; or leaves one to the owner of the machine, who may
 * find out whose its destination is, and returns NONE. */
static enum wrn_drop refuse(struct wrn_wg_lane *lane, wrn_mono now, struct wrn_wg_packet *batch,
                            uint32_t index, struct wrn_wg_asks *asks) {
    struct wrn_wg_packet *packet = &batch[index];
    enum wrn_drop why = packet->drop;
    if (why == WRN_DROP_NO_ROUTE && lane->wg->asks_for_unrouted &&
        wrn_is_for_one_host((wrn_span){packet->bytes, packet->size})) {
        why = WRN_DROP_CONTROL_BUSY;
        if (wrn_bucket_take(&lane->unrouted, now, WRN_WG_UNROUTED_PER_S, WRN_WG_UNROUTED_BURST)) {
            packet->peer = WRN_HANDLE_NONE;
            push(asks, WRN_WG_ASK_PACKET, index, WRN_HANDLE_NONE);
            return WRN_DROP_NONE;
        }
    }
    drop(lane, why);
    return why;
}

/* Seals the packets begin..end-1 of the batch, all of one peer, or gives them up to its queue. */
static void seal_run(struct wrn_wg_lane *lane, wrn_mono now, struct wrn_wg_packet *batch,
                     uint32_t begin, uint32_t end, struct wrn_wg_peer *peer,
                     struct wrn_wg_asks *asks) {
    struct wrn_path path;
    uint32_t count = end - begin;
    uint32_t sealed = 0;
    uint64_t bytes = 0;
    wrn_path_cell_read(&peer->path, &path);
    if (!wrn_path_leads(&path)) {
        for (uint32_t i = begin; i < end; i++) {
            batch[i].drop = WRN_DROP_NO_ENDPOINT;
            drop(lane, WRN_DROP_NO_ENDPOINT);
        }
        return;
    }
    struct wrn_session *session = wrn_wg_sending_session(lane->wg, peer, now);
    size_t max = wrn_wg_packet_max(peer, &path);
    if (session == NULL || atomic_load_explicit(&peer->held, memory_order_acquire) != 0) {
        hold(lane, batch, begin, end, peer, max, asks);
        return;
    }
    uint64_t counter;
    size_t largest = largest_of(session, batch, begin, end);
    if (!wrn_wg_take_counters(lane->wg, session, count, largest, &counter)) {
        hold(lane, batch, begin, end, peer, max, asks); /* the session is used up from here on */
        return;
    }
    for (uint32_t i = begin; i < end; i++) {
        if (is_too_large(lane, &batch[i], max)) {
            continue;
        }
        wrn_wg_lane_add_seal(lane, batch, i, peer, &path, max, session, counter + sealed);
        bytes += batch[i].datagram_size;
        sealed++;
    }
    atomic_fetch_add_explicit(&peer->tx_bytes, bytes, memory_order_relaxed);
    if (sealed > 0 && wrn_wg_note_sent(peer, now, sealed)) {
        push(asks, WRN_WG_ASK_TIMER, begin, peer->self);
    }
    if (wrn_wg_is_renewal_due(lane->wg, session, now) &&
        may_ask(session, WRN_SESSION_ASK_RENEW, now)) {
        push(asks, WRN_WG_ASK_RENEW, begin, peer->self);
    }
}

/* Refuses a packet that its path does not take, while it can still be quoted, or fragmented. */
static bool is_too_large(struct wrn_wg_lane *lane, struct wrn_wg_packet *packet, size_t max) {
    if (packet->size <= max) {
        return false;
    }
    packet->drop = WRN_DROP_PATH_TOO_SMALL;
    packet->packet_max = (uint16_t)max;
    if (!wrn_narrow_may_fragment(packet->bytes, packet->size)) {
        drop(lane, WRN_DROP_PATH_TOO_SMALL);
    }
    return true;
}

/* Gives packets up to the peer's queue, as many as make sense: what is to be fragmented is before,
 * of the rest it is found out when they leave whether the path takes them by then. */
static void hold(struct wrn_wg_lane *lane, struct wrn_wg_packet *batch, uint32_t begin,
                 uint32_t end, struct wrn_wg_peer *peer, size_t max, struct wrn_wg_asks *asks) {
    for (uint32_t i = begin; i < end; i++) {
        if (batch[i].size > max && wrn_narrow_may_fragment(batch[i].bytes, batch[i].size)) {
            (void)is_too_large(lane, &batch[i], max);
        } else if (atomic_load_explicit(&peer->held, memory_order_relaxed) >= HELD_MAX) {
            batch[i].drop = WRN_DROP_QUEUE_FULL;
            drop(lane, WRN_DROP_QUEUE_FULL);
        } else {
            atomic_fetch_add_explicit(&peer->held, 1, memory_order_relaxed);
            batch[i].peer = peer->self;
            push(asks, WRN_WG_ASK_PACKET, i, peer->self);
        }
    }
}

/* Padding hides sizes a little, but never makes the inner packet exceed the interface's MTU, nor
 * what the peer's path takes: 'max'. */
static size_t padded_size(size_t size, size_t max) {
    size_t padded = wrn_align_up(size, WRN_WG_PADDING);
    size_t limit = size > max ? size : max;
    return padded < limit ? padded : limit;
}

static enum wrn_drop add_open(struct wrn_wg_lane *lane, wrn_mono now, struct wrn_wg_datagram *batch,
                              uint32_t index) {
    struct wrn_wg_datagram *datagram = &batch[index];
    if (datagram->size < WRN_WG_KEEPALIVE_SIZE) {
        return WRN_DROP_BAD_LENGTH;
    }
    struct wrn_session *session = wrn_session_find_ready(
        &lane->wg->sessions, wrn_load_le32(datagram->bytes + WRN_WG_RECEIVER_AT));
    uint64_t counter = wrn_load_le64(datagram->bytes + WRN_WG_COUNTER_AT);
    if (session == NULL) {
        return WRN_DROP_NO_SESSION;
    }
    if (wrn_mono_since(now, session->born) >= WRN_WG_REJECT_AFTER_NS ||
        counter >= wrn_wg_receive_limit(session->keys.cipher)) {
        return WRN_DROP_SESSION_EXPIRED;
    }
    uint8_t *text = datagram->bytes + WRN_WG_DATA_HEADER_SIZE;
    lane->job_sessions[lane->job_count] = session;
    lane->job_packets[lane->job_count] = index;
    lane->jobs[lane->job_count++] = (struct wrn_aead_job){
        .key = session->keys.receive,
        .expanded = session->expanded_receive,
        .cipher = session->keys.cipher,
        .counter = counter,
        .in = text,
        .out = text,
        .size = datagram->size - WRN_WG_DATA_HEADER_SIZE - WRN_WG_TAG_SIZE,
    };
    return WRN_DROP_NONE;
}

/* What was opened may be what this peer may send, and bears the mark of the way it came. */
static enum wrn_drop check_opened(struct wrn_wg_lane *lane, wrn_handle peer, wrn_mono now,
                                  const struct wrn_wg_datagram *datagram,
                                  const struct wrn_aead_job *job, size_t *ret_size) {
    enum wrn_drop drop = lane->wg->is_bridged
                             ? check_payload(job->out, job->size, ret_size)
                             : check_inner(lane->wg, peer.index, job->out, job->size, ret_size);
    if (drop == WRN_DROP_NONE) {
        drop = wrn_wg_lane_check(lane, peer, false, now, job->out, *ret_size);
    }
    if (drop == WRN_DROP_NONE && !wrn_ecn_merge(job->out, *ret_size, datagram->outer_ecn)) {
        drop = WRN_DROP_CONGESTION;
    }
    return drop;
}

/* What the jobs begin..end-1, all of one session, mean now that their tags were checked. */
static void accept_run(struct wrn_wg_lane *lane, wrn_mono now, struct wrn_wg_datagram *batch,
                       uint32_t begin, uint32_t end, struct wrn_wg_asks *asks) {
    struct wrn_session *session = lane->job_sessions[begin];
    struct wrn_wg_peer *peer = wrn_pool_slot(&lane->wg->peers, session->peer.index);
    struct tally tally = {0};
    const bool is_bridged = lane->wg->is_bridged;
    size_t max = atomic_load_explicit(&peer->packet_max, memory_order_relaxed);
    bool is_narrow = max < atomic_load_explicit(&lane->wg->mtu_bytes, memory_order_relaxed);
    pass_window(lane, batch, begin, end, &tally);
    for (uint32_t j = begin; j < end; j++) {
        const struct wrn_aead_job *job = &lane->jobs[j];
        struct wrn_wg_datagram *datagram = &batch[lane->job_packets[j]];
        size_t size;
        if (datagram->drop == WRN_DROP_NONE && job->size == 0) {
            if (may_ask(session, WRN_SESSION_ASK_KEEPALIVE, now)) { /* for a line in the log */
                push(asks, WRN_WG_ASK_KEEPALIVE, lane->job_packets[j], session->peer);
            }
            continue;
        }
        if (datagram->drop == WRN_DROP_NONE && !is_bridged && is_own(job)) {
            datagram->peer = session->peer;
            if (may_ask(session, WRN_SESSION_ASK_OWN, now)) {
                push(asks, WRN_WG_ASK_OWN, lane->job_packets[j], session->peer);
            }
            continue;
        }
        if (datagram->drop == WRN_DROP_NONE) {
            datagram->drop = check_opened(lane, session->peer, now, datagram, job, &size);
        }
        if (datagram->drop != WRN_DROP_NONE) {
            drop(lane, datagram->drop);
            continue;
        }
        if (is_narrow) { /* and our host answers with segments that fit */
            (void)wrn_narrow_mss(job->out, size, max);
        }
        datagram->packet = job->out;
        datagram->packet_size = size;
        datagram->peer = session->peer;
    }
    if (tally.count > 0) {
        after_receiving(now, &tally, &batch[tally.last_index], peer, session, asks);
    }
}

/* Takes the session's window once and checks a run against it. Two lanes hardly ever want the same
 * window: the kernel gives all datagrams from one endpoint to one of our sockets. */
static void pass_window(struct wrn_wg_lane *lane, struct wrn_wg_datagram *batch, uint32_t begin,
                        uint32_t end, struct tally *tally) {
    struct wrn_session *session = lane->job_sessions[begin];
    while (atomic_exchange_explicit(&session->window_taken, true, memory_order_acquire)) {
        wait_a_moment();
    }
    for (uint32_t j = begin; j < end; j++) {
        const struct wrn_aead_job *job = &lane->jobs[j];
        struct wrn_wg_datagram *datagram = &batch[lane->job_packets[j]];
        if (!job->ok) {
            datagram->drop = WRN_DROP_BAD_TAG;
        } else if (!wrn_replay_accept(&session->replay, job->counter)) {
            datagram->drop = WRN_DROP_REPLAY;
        } else {
            tally->bytes += datagram->size;
            tally->data += job->size > 0;
            tally->last_index = lane->job_packets[j];
            tally->count++;
        }
    }
    atomic_store_explicit(&session->window_taken, false, memory_order_release);
}

static void wait_a_moment(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void after_receiving(wrn_mono now, const struct tally *tally,
                            const struct wrn_wg_datagram *last, struct wrn_wg_peer *peer,
                            struct wrn_session *session, struct wrn_wg_asks *asks) {
    atomic_fetch_add_explicit(&peer->rx_bytes, tally->bytes, memory_order_relaxed);
    follow(now, peer, session, &last->path, tally->last_index, asks);
    if (atomic_load_explicit(&session->confirmation, memory_order_relaxed) != WRN_SESSION_SETTLED &&
        wrn_session_confirm(session) && may_ask(session, WRN_SESSION_ASK_CONFIRM, now)) {
        push(asks, WRN_WG_ASK_CONFIRMED, tally->last_index, session->peer);
    }
    struct wrn_session *current = wrn_session_set_sending(&peer->sessions);
    if (current != NULL && wrn_wg_is_receiving_renewal_due(current, now) &&
        may_ask(current, WRN_SESSION_ASK_RENEW_RECEIVING, now)) {
        push(asks, WRN_WG_ASK_RENEW_RECEIVING, tally->last_index, session->peer);
    }
    if (wrn_wg_note_received(peer, now, tally->data)) {
        push(asks, WRN_WG_ASK_TIMER, tally->last_index, session->peer);
    }
}

/* Takes the place that an authentic datagram came from as the peer's (roaming), unless it is
 * pinned. */
static void follow(wrn_mono now, struct wrn_wg_peer *peer, struct wrn_session *session,
                   const struct wrn_path *path, uint32_t index, struct wrn_wg_asks *asks) {
    struct wrn_path before;
    if (atomic_load_explicit(&peer->is_pinned, memory_order_relaxed)) {
        return;
    }
    wrn_path_cell_read(&peer->path, &before);
    if (!wrn_path_equal(&before, path) && wrn_path_cell_write(&peer->path, WRN_PATH_OTHERS, path) &&
        !wrn_endpoint_equal(&before.remote, &path->remote) &&
        may_ask(session, WRN_SESSION_ASK_ROAMED, now)) {
        push(asks, WRN_WG_ASK_ROAMED, index, peer->self);
    }
}

static bool is_own(const struct wrn_aead_job *job) {
    return job->size >= WRN_WG_OWN_SIZE && job->out[0] == WRN_WG_OWN;
}

/* Finds the true size under the padding, and whether the sender may use this source address. */
static enum wrn_drop check_inner(const struct wrn_wg *wg, uint32_t peer, const uint8_t *packet,
                                 size_t size, size_t *ret_size) {
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
    if (owner != peer) {
        return WRN_DROP_WRONG_SOURCE;
    }
    *ret_size = inner_size;
    return WRN_DROP_NONE;
}

/* Finds the true size of a frame, or a piece of one, with its head; what is in it is the switch's
 * business. */
static enum wrn_drop check_payload(const uint8_t *payload, size_t size, size_t *ret_size) {
    size_t head = 0;
    if (payload[0] == WRN_PAYLOAD_FRAME && size >= WRN_PAYLOAD_FRAME_HEAD) {
        head = WRN_PAYLOAD_FRAME_HEAD;
    } else if (payload[0] == WRN_PAYLOAD_PIECE && size >= WRN_PAYLOAD_PIECE_HEAD) {
        head = WRN_PAYLOAD_PIECE_HEAD;
    }
    if (head == 0) {
        return WRN_DROP_BAD_INNER_PACKET;
    }
    size_t inner_size = wrn_load_be16(payload + 2); /* in both */
    if (inner_size == 0 || inner_size > size - head || inner_size > WRN_PAYLOAD_FRAME_MAX) {
        return WRN_DROP_BAD_INNER_PACKET;
    }
    *ret_size = head + inner_size;
    return WRN_DROP_NONE;
}

/* What our own packets allow, those that were and those to come; the other end has an MTU of its
 * own. */
static struct wrn_wg_limits limits_of(const struct wrn_wg *wg, const struct wrn_session *session) {
    uint32_t mtu = atomic_load_explicit(&wg->mtu_bytes, memory_order_relaxed);
    uint32_t largest = atomic_load_explicit(&session->largest_bytes, memory_order_relaxed);
    return wrn_wg_limits(session->keys.cipher, mtu > largest ? mtu : largest);
}

/* Returns the size of the largest packet, where the session's limits go by it, else 0. */
static size_t largest_of(const struct wrn_session *session, const struct wrn_wg_packet *batch,
                         uint32_t begin, uint32_t end) {
    size_t largest = 0;
    if (session->keys.cipher == WRN_CIPHER_CHACHA20_POLY1305) {
        return 0;
    }
    for (uint32_t i = begin; i < end; i++) {
        largest = batch[i].size > largest ? batch[i].size : largest;
    }
    return largest;
}

static void note_size(struct wrn_session *session, uint32_t size) {
    uint32_t largest = atomic_load_explicit(&session->largest_bytes, memory_order_relaxed);
    while (size > largest &&
           !atomic_compare_exchange_weak_explicit(&session->largest_bytes, &largest, size,
                                                  memory_order_relaxed, memory_order_relaxed)) {
        /* another lane's was first; ours may still be larger */
    }
}

static void drop(struct wrn_wg_lane *lane, enum wrn_drop reason) {
    wrn_wg_lane_count_drop(lane, reason, 1);
}

static void push(struct wrn_wg_asks *asks, enum wrn_wg_ask_kind kind, uint32_t index,
                 wrn_handle peer) {
    WRN_ASSERT(asks->count < WRN_WG_ASKS_MAX);
    asks->items[asks->count++] = (struct wrn_wg_ask){.kind = kind, .index = index, .peer = peer};
}

static bool may_ask(struct wrn_session *session, enum wrn_session_ask ask, wrn_mono now) {
    if (now.ns < atomic_load_explicit(&session->next_ask[ask], memory_order_relaxed)) {
        return false;
    }
    atomic_store_explicit(&session->next_ask[ask], now.ns + ASK_AGAIN_NS, memory_order_relaxed);
    return true;
}
