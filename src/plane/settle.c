/* SPDX-License-Identifier: Apache-2.0 */
/* Messages and late packets are few: they go one small batch after the other. */
#include "plane/settle.h"

#include <stdlib.h>

#include "crypto/crypto.h"
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

static void take_packet(struct wrn_settle *settle, struct wrn_wg *wg, struct wrn_now now,
                        wrn_handle peer, wrn_span packet);
static size_t send_staged(struct wrn_settle *settle, struct wrn_wg *wg, struct wrn_now now);
static void send_messages(struct wrn_settle *settle, struct wrn_wg *wg, wrn_mono now);
static void add(struct wrn_settle *settle, struct wrn_wg *wg, wrn_handle peer,
                const struct wrn_path *path, uint8_t ds, wrn_span datagram, uint8_t *head);
static void carry(struct wrn_settle *settle, struct wrn_wg *wg, wrn_handle peer,
                  const struct wrn_path *path, uint8_t ds, wrn_span datagram);
static void send_batch(struct wrn_settle *settle, struct wrn_wg *wg, wrn_mono now);

int wrn_settle_init(struct wrn_settle *settle, const struct wrn_settle_port *port) {
    void *buffers = NULL;
    *settle = (struct wrn_settle){.port = *port, .udp = WRN_UDP_NONE};
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

void wrn_settle_run(struct wrn_settle *settle, struct wrn_wg *wg, struct wrn_now now) {
    send_messages(settle, wg, now.mono);
    while (send_staged(settle, wg, now) > 0) {
        send_messages(settle, wg, now.mono);
    }
    send_messages(settle, wg, now.mono);
    wrn_wg_reclaim(wg);
}

void wrn_settle_report(struct wrn_settle *settle, struct wrn_wg *wg, struct wrn_now now,
                       struct wrn_report *report, size_t size) {
    struct wrn_wg_datagram datagram;
    switch (report->kind) {
    case WRN_REPORT_ASK:
        wrn_wg_take_ask(wg, now, &report->ask, settle->out);
        break;
    case WRN_REPORT_PACKET:
        take_packet(settle, wg, now, report->peer, (wrn_span){report->bytes, size});
        break;
    case WRN_REPORT_DATAGRAM:
        datagram = (struct wrn_wg_datagram){
            .bytes = report->bytes, .size = size, .path = report->path, .outer_ecn = report->ecn};
        (void)wrn_wg_take_datagram(wg, now, &datagram, settle->out); /* counted */
        break;
    case WRN_REPORT_SOURCE_REFUSED:
        wrn_wg_forget_source(wg, report->peer);
        break;
    case WRN_REPORT_SEALED:
        carry(settle, wg, report->peer, &report->path, report->ecn,
              (wrn_span){report->bytes, size});
        break;
    case WRN_REPORT_TOLD:
        if (settle->port.told != NULL) {
            settle->port.told(settle->port.ctx, wg, report->peer, (wrn_span){report->bytes, size});
        }
        break;
    case WRN_REPORT_FRAME:
        WRN_ASSERT(false); /* of no machine: the owner's */
        break;
    case WRN_REPORT_SEND_REFUSED:
        settle->port.refused(settle->port.ctx, &report->path, report->error);
        break;
    }
}

/* Hands a packet that a lane could not seal to the machine, or to the owner if it is no peer's. */
static void take_packet(struct wrn_settle *settle, struct wrn_wg *wg, struct wrn_now now,
                        wrn_handle peer, wrn_span packet) {
    if (!wrn_handle_equal(peer, WRN_HANDLE_NONE)) {
        wrn_wg_take_packet(wg, now, peer, packet, settle->out);
    } else if (settle->port.unrouted != NULL) {
        settle->port.unrouted(settle->port.ctx, wg, packet);
    } else {
        wrn_wg_count_drop(wg, WRN_DROP_NO_ROUTE, 1);
    }
}

/* Sends packets that waited and may go. Returns how many. */
static size_t send_staged(struct wrn_settle *settle, struct wrn_wg *wg, struct wrn_now now) {
    for (size_t i = 0; i < PULL_BATCH; i++) {
        settle->packets[i] = (struct wrn_wg_packet){
            .bytes = settle->buffers + i * BUFFER_STRIDE + PACKET_AT, .size = WRN_WG_PACKET_MAX};
    }
    size_t count = wrn_wg_pull_staged(wg, now, settle->packets, PULL_BATCH, settle->out);
    for (size_t i = 0; i < count; i++) {
        struct wrn_wg_packet *packet = &settle->packets[i];
        wrn_span datagram = {packet->datagram, packet->datagram_size};
        if (packet->datagram_size > 0) {
            uint8_t *head = packet->datagram - WRN_RELAYED_OVERHEAD;
            add(settle, wg, packet->peer, &packet->path, packet->outer_ecn, datagram, head);
        }
    }
    send_batch(settle, wg, now.mono);
    return count;
}

/* Sends the messages in 'out', logs the events, and empties it. */
static void send_messages(struct wrn_settle *settle, struct wrn_wg *wg, wrn_mono now) {
    struct wrn_wg_out *out = settle->out;
    for (uint32_t i = 0; i < out->message_count; i++) {
        const struct wrn_wg_message *message = &out->messages[i];
        wrn_span datagram = {message->bytes, message->size};
        uint8_t *head = NULL;
        if (message->path.kind == WRN_PATH_RELAY) { /* there is room before it, but elsewhere */
            head = settle->relayed[settle->sender.count];
            memcpy(head + WRN_RELAYED_OVERHEAD, message->bytes, message->size);
        }
        add(settle, wg, message->peer, &message->path, message->outer_ds, datagram, head);
        if (settle->sender.count == WRN_UDP_BATCH_MAX) {
            send_batch(settle, wg, now);
        }
    }
    send_batch(settle, wg, now);
    for (uint32_t i = 0; i < out->event_count; i++) {
        settle->port.event(settle->port.ctx, wg, &out->events[i]);
    }
    out->message_count = 0;
    out->event_count = 0;
    out->events_lost = 0;
}

/* Adds a datagram to the batch, hands it over, or refuses it, as its path says. What takes the path
 * of a relay also stands behind the room for a head at 'head'. */
static void add(struct wrn_settle *settle, struct wrn_wg *wg, wrn_handle peer,
                const struct wrn_path *path, uint8_t ds, wrn_span datagram, uint8_t *head) {
    if (path->kind == WRN_PATH_CONTROL) {
        carry(settle, wg, peer, path, ds, datagram);
        return;
    }
    if (path->kind == WRN_PATH_RELAY) {
        if (datagram.size > WRN_RELAYED_INSIDE_MAX) {
            wrn_wg_count_drop(wg, WRN_DROP_PATH_TOO_SMALL, 1);
            return;
        }
        wrn_relayed_write(path->slot, head);
        datagram = (wrn_span){head, WRN_RELAYED_OVERHEAD + datagram.size};
    }
    struct wrn_udp_sending *sending = wrn_sender_add(&settle->sender, peer);
    sending->bytes = datagram.data;
    sending->size = datagram.size;
    sending->path = *path;
    sending->ds = ds;
}

static void carry(struct wrn_settle *settle, struct wrn_wg *wg, wrn_handle peer,
                  const struct wrn_path *path, uint8_t ds, wrn_span datagram) {
    if (settle->port.carry != NULL) {
        settle->port.carry(settle->port.ctx, wg, peer, path, ds, datagram);
    } else {
        wrn_wg_count_drop(wg, WRN_DROP_NO_ENDPOINT, 1);
    }
}

static void send_batch(struct wrn_settle *settle, struct wrn_wg *wg, wrn_mono now) {
    struct wrn_sender *sender = &settle->sender;
    uint64_t refused = 0;
    wrn_sender_send(sender, now, &settle->udp);
    for (size_t i = 0; i < sender->count; i++) {
        const struct wrn_udp_sending *sent = &sender->batch[i];
        if (sent->source_refused) {
            wrn_wg_forget_source(wg, sender->receivers[i]);
        }
        if (sent->error != 0) {
            refused++;
            settle->port.refused(settle->port.ctx, &sent->path, sent->error);
        }
    }
    if (refused > 0) {
        wrn_wg_count_drop(wg, WRN_DROP_SEND_REFUSED, refused);
    }
    sender->count = 0;
}
