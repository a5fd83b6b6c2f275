/* SPDX-License-Identifier: Apache-2.0 */
/* Messages and late packets are few: they go one small batch after the other. */
#include "device/settle.h"

#include <inttypes.h>
#include <stdlib.h>

#include "crypto/crypto.h"
#include "device/peer_name.h"
#include "io/memory.h"

/* Distance of two packet buffers. Only the pages that packets reach become resident. */
enum {
    PACKET_AT = 64, /* headroom, and on a cache line */
    BUFFER_STRIDE = 67136,
    PULL_BATCH = 16, /* small: nearly always nothing waits, and this runs after every input */
    BUFFERS_SIZE = PULL_BATCH * BUFFER_STRIDE,
};
static_assert((int)PACKET_AT >= (int)WRN_WG_HEADROOM, "the header fits before the packet");
static_assert((int)PACKET_AT + (int)WRN_WG_PACKET_MAX + (int)WRN_WG_TAILROOM <= (int)BUFFER_STRIDE,
              "packets fit");
static_assert(3 * (int)WRN_SETTLE_REPORTS_MAX <= (int)WRN_WG_MESSAGES_MAX, "messages fit");

static size_t send_staged(struct wrn_settle *settle, struct wrn_now now);
static void send_messages(struct wrn_settle *settle, wrn_mono now);
static void send_batch(struct wrn_settle *settle, wrn_mono now);
static void log_refusal(struct wrn_settle *settle, const struct wrn_path *path, int error);
static void log_events(struct wrn_settle *settle);

int wrn_settle_init(struct wrn_settle *settle, struct wrn_wg *wg, struct wrn_log *log) {
    void *buffers = NULL;
    *settle = (struct wrn_settle){.wg = wg, .log = log, .udp = WRN_UDP_NONE};
    int error = wrn_memory_map(BUFFERS_SIZE, &buffers);
    settle->buffers = buffers;
    settle->out = calloc(1, sizeof *settle->out);
    settle->packets = calloc(PULL_BATCH, sizeof *settle->packets);
    if (error == 0 && (settle->out == NULL || settle->packets == NULL)) {
        error = -ENOMEM;
    }
    error = error != 0 ? error : wrn_sender_init(&settle->sender);
    if (error != 0) {
        wrn_settle_finish(settle);
    }
    return error;
}

void wrn_settle_finish(struct wrn_settle *settle) {
    wrn_memory_unmap(settle->buffers, BUFFERS_SIZE); /* the pages go back to the kernel unread */
    free(settle->out);
    free(settle->packets);
    wrn_sender_finish(&settle->sender);
    wrn_wipe(settle, sizeof *settle);
}

void wrn_settle_run(struct wrn_settle *settle, struct wrn_now now) {
    send_messages(settle, now.mono);
    while (send_staged(settle, now) > 0) {
        send_messages(settle, now.mono);
    }
    send_messages(settle, now.mono);
    wrn_wg_reclaim(settle->wg);
}

void wrn_settle_report(struct wrn_settle *settle, struct wrn_now now, struct wrn_report *report,
                       size_t size) {
    struct wrn_wg *wg = settle->wg;
    struct wrn_wg_datagram datagram;
    switch (report->kind) {
    case WRN_REPORT_ASK:
        wrn_wg_take_ask(wg, now, &report->ask, settle->out);
        break;
    case WRN_REPORT_PACKET:
        wrn_wg_take_packet(wg, now, report->peer, (wrn_span){report->bytes, size}, settle->out);
        break;
    case WRN_REPORT_DATAGRAM:
        datagram = (struct wrn_wg_datagram){
            .bytes = report->bytes, .size = size, .path = report->path, .outer_ecn = report->ecn};
        (void)wrn_wg_take_datagram(wg, now, &datagram, settle->out); /* counted */
        break;
    case WRN_REPORT_SOURCE_REFUSED:
        wrn_wg_forget_source(wg, report->peer);
        break;
    case WRN_REPORT_SEND_REFUSED:
        log_refusal(settle, &report->path, report->error);
        break;
    }
}

/* Sends packets that waited and may go. Returns how many. */
static size_t send_staged(struct wrn_settle *settle, struct wrn_now now) {
    for (size_t i = 0; i < PULL_BATCH; i++) {
        settle->packets[i] = (struct wrn_wg_packet){
            .bytes = settle->buffers + i * BUFFER_STRIDE + PACKET_AT, .size = WRN_WG_PACKET_MAX};
    }
    size_t count = wrn_wg_pull_staged(settle->wg, now, settle->packets, PULL_BATCH, settle->out);
    for (size_t i = 0; i < count; i++) {
        const struct wrn_wg_packet *packet = &settle->packets[i];
        if (packet->datagram_size > 0) {
            struct wrn_udp_sending *datagram = wrn_sender_add(&settle->sender, packet->peer);
            datagram->bytes = packet->datagram;
            datagram->size = packet->datagram_size;
            datagram->path = packet->path;
            datagram->ds = packet->outer_ecn;
        }
    }
    send_batch(settle, now.mono);
    return count;
}

/* Sends the messages in 'out', logs the events, and empties it. */
static void send_messages(struct wrn_settle *settle, wrn_mono now) {
    struct wrn_wg_out *out = settle->out;
    for (uint32_t i = 0; i < out->message_count; i++) {
        const struct wrn_wg_message *message = &out->messages[i];
        struct wrn_udp_sending *datagram = wrn_sender_add(&settle->sender, message->peer);
        datagram->bytes = message->bytes;
        datagram->size = message->size;
        datagram->path = message->path;
        datagram->ds = message->outer_ds;
        if (settle->sender.count == WRN_UDP_BATCH_MAX) {
            send_batch(settle, now);
        }
    }
    send_batch(settle, now);
    log_events(settle);
    out->message_count = 0;
    out->event_count = 0;
    out->events_lost = 0;
}

static void send_batch(struct wrn_settle *settle, wrn_mono now) {
    struct wrn_sender *sender = &settle->sender;
    uint64_t refused = 0;
    wrn_sender_send(sender, now, &settle->udp);
    for (size_t i = 0; i < sender->count; i++) {
        const struct wrn_udp_sending *sent = &sender->batch[i];
        if (sent->source_refused) {
            wrn_wg_forget_source(settle->wg, sender->receivers[i]);
        }
        if (sent->error != 0) {
            refused++;
            log_refusal(settle, &sent->path, sent->error);
        }
    }
    if (refused > 0) {
        wrn_wg_count_drop(settle->wg, WRN_DROP_SEND_REFUSED, refused);
    }
    sender->count = 0;
}

static void log_refusal(struct wrn_settle *settle, const struct wrn_path *path, int error) {
    if (settle->log->level >= WRN_LOG_VERBOSE) {
        char to[WRN_ENDPOINT_TEXT_SIZE];
        (void)wrn_endpoint_print(&path->remote, to);
        wrn_log_write(settle->log, WRN_LOG_VERBOSE, "sending to %s was refused: %s", to,
                      strerror(-error));
    }
}

static void log_events(struct wrn_settle *settle) {
    const struct wrn_wg_out *out = settle->out;
    for (uint32_t i = 0; i < out->event_count; i++) {
        const struct wrn_wg_event *event = &out->events[i];
        enum wrn_log_level level =
            wrn_wg_event_is_fault(event->kind) ? WRN_LOG_ERROR : WRN_LOG_VERBOSE;
        char name[WRN_PEER_NAME_SIZE];
        if (settle->log->level < level) {
            continue;
        }
        wrn_peer_name(settle->wg, event->peer, name);
        if (event->kind == WRN_WG_EVENT_INITIATION_SENT || event->kind == WRN_WG_EVENT_STATE) {
            wrn_log_write(settle->log, WRN_LOG_VERBOSE, "%s - %s (%" PRIu32 ")", name,
                          wrn_wg_event_text(event->kind), event->detail);
        } else {
            wrn_log_write(settle->log, level, "%s - %s", name, wrn_wg_event_text(event->kind));
        }
    }
}
