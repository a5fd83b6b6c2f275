/* SPDX-License-Identifier: Apache-2.0 */
/* The data path of warren-wg, run to completion: nothing stays in here between two calls. */
#include "device/pump.h"

#include <inttypes.h>
#include <stdlib.h>

#include "crypto/crypto.h"
#include "device/peer_name.h"
#include "io/clock.h"
#include "io/memory.h"
#include "wg/unreachable.h"

/* Distance of two packet buffers: the largest packet with head- and tailroom, and an odd number of
 * cache lines more, so that the beginnings of neighbours do not fall on the same lines of the
 * caches. Only the pages that packets reach become resident. */
enum {
    BUFFER_STRIDE = 67136,
    PACKET_AT = 64, /* of a host packet in its buffer: headroom, and on a cache line */
    DATAGRAM_ROOM = BUFFER_STRIDE - WRN_WG_TAILROOM,
    PULL_BATCH = 16,    /* small: nearly always nothing waits, and this runs after every input */
    ANSWERS_BURST = 50, /* ICMP answers to the host, and how many a second after that */
    ANSWERS_PER_S = 50,
    BUFFERS_SIZE = 2 * WRN_PUMP_BATCH * BUFFER_STRIDE,
};
static_assert((int)PACKET_AT >= (int)WRN_WG_HEADROOM, "the header fits before the packet");
static_assert((int)PACKET_AT + (int)WRN_WG_PACKET_MAX + (int)WRN_WG_TAILROOM <= (int)BUFFER_STRIDE,
              "packets fit");
static_assert((int)WRN_PUMP_BATCH <= (int)WRN_UDP_BATCH_MAX, "a batch goes through in one piece");

static uint8_t *packet_buffer(const struct wrn_pump *pump, size_t index);
static uint8_t *datagram_buffer(const struct wrn_pump *pump, size_t index);
static void send_packets(struct wrn_pump *pump, wrn_mono now, size_t count);
static int answer_unreachable(struct wrn_pump *pump, wrn_mono now, size_t count);
static void send_messages(struct wrn_pump *pump, wrn_mono now);
static void send_batch(struct wrn_pump *pump, wrn_mono now, size_t count);
static void log_refusal(struct wrn_pump *pump, const struct wrn_udp_sending *refused);
static void log_events(struct wrn_pump *pump);
static size_t take_datagrams(struct wrn_pump *pump, size_t count);
static int deliver(struct wrn_pump *pump, size_t count);

int wrn_pump_init(struct wrn_pump *pump, struct wrn_wg *wg, const struct wrn_tun *tun,
                  struct wrn_udp *udp, struct wrn_route *route, struct wrn_log *log) {
    void *buffers = NULL;
    *pump = (struct wrn_pump){.wg = wg, .tun = tun, .udp = udp, .route = route, .log = log};
    int error = wrn_memory_map(BUFFERS_SIZE, &buffers);
    pump->buffers = buffers;
    pump->out = calloc(1, sizeof *pump->out);
    if (error == 0 && pump->out == NULL) {
        error = -ENOMEM;
    }
    error = error != 0 ? error : wrn_udp_scratch_create(&pump->scratch);
    if (error != 0) {
        wrn_pump_finish(pump);
    }
    return error;
}

void wrn_pump_finish(struct wrn_pump *pump) {
    wrn_memory_unmap(pump->buffers, BUFFERS_SIZE); /* the pages go back to the kernel unread */
    free(pump->out);
    free(pump->scratch);
    wrn_wipe(pump, sizeof *pump);
}

int wrn_pump_from_tun(struct wrn_pump *pump) {
    size_t count = 0;
    while (count < WRN_PUMP_BATCH) {
        uint8_t header[WRN_TUN_HEADER_SIZE]; /* offloads are off: it says nothing */
        uint8_t *bytes = packet_buffer(pump, count);
        struct iovec parts[2] = {{0}, {bytes, WRN_WG_PACKET_MAX}};
        ssize_t got = wrn_tun_read(pump->tun, parts, 2, header);
        if (got < 0) {
            return (int)got;
        }
        if (got == 0) {
            break;
        }
        pump->packets[count++] = (struct wrn_wg_packet){.bytes = bytes, .size = (size_t)got};
    }
    if (count == 0) {
        return 0;
    }
    struct wrn_now now = wrn_clock_read();
    wrn_wg_on_packets(pump->wg, now, pump->packets, count, pump->out);
    send_packets(pump, now.mono, count);
    int error = answer_unreachable(pump, now.mono, count);
    wrn_pump_settle(pump, now);
    return error != 0 ? error : count == WRN_PUMP_BATCH;
}

int wrn_pump_from_udp(struct wrn_pump *pump, int fd) {
    for (size_t i = 0; i < WRN_PUMP_BATCH; i++) {
        pump->received[i].bytes = datagram_buffer(pump, i);
        pump->received[i].size = DATAGRAM_ROOM;
    }
    size_t received = wrn_udp_receive(fd, pump->scratch, pump->received, WRN_PUMP_BATCH);
    size_t count = take_datagrams(pump, received);
    if (count > 0) {
        struct wrn_now now = wrn_clock_read();
        wrn_wg_on_datagrams(pump->wg, now, pump->datagrams, count, pump->out);
        int error = deliver(pump, count);
        wrn_pump_settle(pump, now);
        if (error != 0) {
            return error;
        }
    }
    return received == WRN_PUMP_BATCH;
}

void wrn_pump_settle(struct wrn_pump *pump, struct wrn_now now) {
    size_t count;
    send_messages(pump, now.mono);
    do {
        for (size_t i = 0; i < PULL_BATCH; i++) {
            pump->packets[i] =
                (struct wrn_wg_packet){.bytes = packet_buffer(pump, i), .size = WRN_WG_PACKET_MAX};
        }
        count = wrn_wg_pull_staged(pump->wg, now, pump->packets, PULL_BATCH, pump->out);
        send_packets(pump, now.mono, count);
        send_messages(pump, now.mono);
    } while (count > 0);
}

static uint8_t *packet_buffer(const struct wrn_pump *pump, size_t index) {
    return pump->buffers + index * BUFFER_STRIDE + PACKET_AT;
}

static uint8_t *datagram_buffer(const struct wrn_pump *pump, size_t index) {
    return pump->buffers + (WRN_PUMP_BATCH + index) * BUFFER_STRIDE;
}

/* Sends those of the first 'count' packets that are sealed. */
static void send_packets(struct wrn_pump *pump, wrn_mono now, size_t count) {
    size_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        const struct wrn_wg_packet *packet = &pump->packets[i];
        if (packet->datagram_size == 0) {
            continue;
        }
        pump->receivers[ready] = packet->peer;
        pump->sending[ready++] = (struct wrn_udp_sending){.bytes = packet->datagram,
                                                          .size = packet->datagram_size,
                                                          .path = packet->path,
                                                          .ds = packet->outer_ecn};
    }
    send_batch(pump, now, ready);
}

/* Tells the host about packets that have no way through the tunnel, as the kernel's WireGuard
 * does, so that programs fail at once instead of waiting. Returns 0 or -ENODEV. */
static int answer_unreachable(struct wrn_pump *pump, wrn_mono now, size_t count) {
    uint64_t earned = wrn_mono_since(now, pump->answers_refilled) / (WRN_S(1) / ANSWERS_PER_S);
    if (earned > 0) {
        uint64_t left = pump->answers_left + earned;
        pump->answers_left = left > ANSWERS_BURST ? ANSWERS_BURST : (uint32_t)left;
        pump->answers_refilled = now;
    }
    for (size_t i = 0; i < count && pump->answers_left > 0; i++) {
        const struct wrn_wg_packet *packet = &pump->packets[i];
        if (packet->drop != WRN_DROP_NO_ROUTE && packet->drop != WRN_DROP_NO_ENDPOINT) {
            continue;
        }
        uint8_t text[WRN_UNREACHABLE_SIZE];
        struct iovec answer[2] = {{0}, {text, wrn_unreachable(packet->bytes, packet->size, text)}};
        if (answer[1].iov_len == 0) {
            continue;
        }
        pump->answers_left--;
        if (wrn_tun_write(pump->tun, answer, 2, NULL) == -ENODEV) { /* refused: never mind */
            return -ENODEV;
        }
    }
    return 0;
}

/* Sends the messages in 'out', logs the events, and empties it. */
static void send_messages(struct wrn_pump *pump, wrn_mono now) {
    struct wrn_wg_out *out = pump->out;
    uint32_t done = 0;
    while (done < out->message_count) {
        size_t count = 0;
        while (done < out->message_count && count < WRN_PUMP_BATCH) {
            const struct wrn_wg_message *message = &out->messages[done++];
            pump->receivers[count] = message->peer;
            pump->sending[count++] = (struct wrn_udp_sending){.bytes = message->bytes,
                                                              .size = message->size,
                                                              .path = message->path,
                                                              .ds = message->outer_ds};
        }
        send_batch(pump, now, count);
    }
    log_events(pump);
    out->message_count = 0;
    out->event_count = 0;
    out->events_lost = 0;
}

static void send_batch(struct wrn_pump *pump, wrn_mono now, size_t count) {
    uint64_t refused = 0;
    if (count == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct wrn_path *path = &pump->sending[i].path;
        if (wrn_handle_equal(pump->receivers[i], WRN_HANDLE_NONE)) {
            continue; /* answers to strangers, who may be many: no look-up is worth it */
        }
        if (!wrn_route_holds(pump->route, now, path, pump->udp->mark)) {
            *path = (struct wrn_path){.remote = path->remote};
            wrn_wg_forget_source(pump->wg, pump->receivers[i]);
        }
    }
    wrn_udp_send(pump->udp, pump->scratch, pump->sending, count);
    for (size_t i = 0; i < count; i++) {
        if (pump->sending[i].source_refused) {
            wrn_wg_forget_source(pump->wg, pump->receivers[i]);
        }
        if (pump->sending[i].error != 0) {
            refused++;
            log_refusal(pump, &pump->sending[i]);
        }
    }
    if (refused > 0) {
        wrn_wg_count_drop(pump->wg, WRN_DROP_SEND_REFUSED, refused);
    }
}

static void log_refusal(struct wrn_pump *pump, const struct wrn_udp_sending *refused) {
    if (pump->log->level >= WRN_LOG_VERBOSE) {
        char to[WRN_ENDPOINT_TEXT_SIZE];
        (void)wrn_endpoint_print(&refused->path.remote, to);
        wrn_log_write(pump->log, WRN_LOG_VERBOSE, "sending to %s was refused: %s", to,
                      strerror(-refused->error));
    }
}

static void log_events(struct wrn_pump *pump) {
    const struct wrn_wg_out *out = pump->out;
    for (uint32_t i = 0; i < out->event_count; i++) {
        const struct wrn_wg_event *event = &out->events[i];
        enum wrn_log_level level =
            wrn_wg_event_is_fault(event->kind) ? WRN_LOG_ERROR : WRN_LOG_VERBOSE;
        char name[WRN_PEER_NAME_SIZE];
        if (pump->log->level < level) {
            continue;
        }
        wrn_peer_name(pump->wg, event->peer, name);
        if (event->kind == WRN_WG_EVENT_INITIATION_SENT || event->kind == WRN_WG_EVENT_STATE) {
            wrn_log_write(pump->log, WRN_LOG_VERBOSE, "%s - %s (%" PRIu32 ")", name,
                          wrn_wg_event_text(event->kind), event->detail);
        } else {
            wrn_log_write(pump->log, level, "%s - %s", name, wrn_wg_event_text(event->kind));
        }
    }
}

/* Hands what was received over to the machine's batch. Returns how many of it are whole. */
static size_t take_datagrams(struct wrn_pump *pump, size_t count) {
    size_t whole = 0;
    for (size_t i = 0; i < count; i++) {
        const struct wrn_udp_received *received = &pump->received[i];
        if (received->truncated) {
            wrn_wg_count_drop(pump->wg, WRN_DROP_TRUNCATED, 1);
            continue;
        }
        pump->datagrams[whole++] = (struct wrn_wg_datagram){.bytes = received->bytes,
                                                            .size = received->size,
                                                            .path = received->path,
                                                            .outer_ecn = received->ecn};
    }
    return whole;
}

/* Writes the inner packets of the first 'count' datagrams to the host. Returns 0 or -ENODEV. */
static int deliver(struct wrn_pump *pump, size_t count) {
    uint64_t refused = 0;
    for (size_t i = 0; i < count; i++) {
        struct iovec packet[2] = {{0}, {pump->datagrams[i].packet, pump->datagrams[i].packet_size}};
        if (packet[1].iov_len == 0) {
            continue;
        }
        int error = wrn_tun_write(pump->tun, packet, 2, NULL);
        if (error == -ENODEV) {
            return error;
        }
        refused += error != 0;
    }
    if (refused > 0) {
        wrn_wg_count_drop(pump->wg, WRN_DROP_TUN_REFUSED, refused);
    }
    return 0;
}
