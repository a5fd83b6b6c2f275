/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: whatever packets arrive, joining and cutting up again gives the same packets, in order, and
 * nothing outside of them is read. Method: the input is a program that makes packets: of a few
 * flows that go on, with some bits turned over, or raw ones. The property is that of the unit
 * tests (unit/packet/identity.c). */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "packet/coalesce.h"
#include "unit/packet/identity.h"
#include "unit/packet/model.h"

enum { FLOWS = 4, ROOM = 2048 };

struct input {
    const uint8_t *next;
    size_t left;
};

static uint8_t packets[WRN_COALESCE_MAX][ROOM];

static uint8_t byte(struct input *in);
static size_t make_next(struct model_packet *p, struct input *in, uint8_t *packet);
static size_t make_changed(struct model_packet *p, struct input *in, uint8_t *packet);
static size_t make_raw(struct input *in, uint8_t *packet);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    struct model_packet flows[FLOWS];
    struct iovec list[WRN_COALESCE_MAX];
    size_t count = 0;
    uint8_t first = byte(&in);
    uint32_t allowed = first & WRN_COALESCE_ALL;
    for (unsigned i = 0; i < FLOWS; i++) {
        uint8_t kind = byte(&in);
        flows[i] = (struct model_packet){
            .is_v6 = kind & 1,
            .is_udp = kind & 2,
            .flow = kind >> 2 & 3,
            .id = (kind & 16) != 0 ? 0xfffe : 0,
            .sequence = (kind & 32) != 0 ? UINT32_MAX - 3 : 0,
            .fragment = (kind & 64) != 0 ? 0x4000 : 0,
            .flags = MODEL_ACK,
            .ttl = 64,
            .payload_size = 1 + i * 3,
        };
    }
    while (in.left > 0 && count < WRN_COALESCE_MAX) {
        uint8_t what = byte(&in);
        struct model_packet *p = &flows[what % FLOWS];
        uint8_t *packet = packets[count];
        size_t packet_size;
        switch (what / FLOWS % 8) {
        case 0:
            packet_size = make_raw(&in, packet);
            break;
        case 1:
        case 2:
            packet_size = make_changed(p, &in, packet);
            break;
        case 3:
            p->payload_size = 8u * byte(&in) % 1500;
            p->flags = MODEL_ACK;
            packet_size = make_next(p, &in, packet);
            break;
        case 4:
            p->flags = byte(&in);
            packet_size = make_next(p, &in, packet);
            break;
        default:
            packet_size = make_next(p, &in, packet);
            break;
        }
        list[count++] = (struct iovec){packet, packet_size};
    }
    const char *wrong = identity_check(list, count, allowed, NULL);
    if (wrong != NULL) {
        fprintf(stderr, "does not hold: %s\n", wrong);
        abort();
    }
    return 0;
}

static uint8_t byte(struct input *in) {
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->next++;
}

static size_t make_next(struct model_packet *p, struct input *in, uint8_t *packet) {
    (void)in;
    size_t size = model_build(p, packet);
    p->sequence += (uint32_t)p->payload_size;
    p->id++;
    p->salt++;
    return size;
}

/* One byte of the headers is another, and the checksums are right or not. */
static size_t make_changed(struct model_packet *p, struct input *in, uint8_t *packet) {
    size_t size = make_next(p, in, packet);
    size_t l4_at = model_l4_at(packet);
    uint8_t at = byte(in), bits = byte(in), then = byte(in);
    packet[at % 64 < size ? at % 64 : 0] ^= bits;
    if (then % 2 == 0 && model_l4_at(packet) == l4_at) {
        model_seal(packet, size, l4_at);
    }
    switch (then / 2 % 8) {
    case 0:
        return then / 16 * 4u < size ? then / 16 * 4u : size; /* cut off */
    case 1:
        return size + 1; /* something behind it */
    default:
        return size;
    }
}

static size_t make_raw(struct input *in, uint8_t *packet) {
    size_t size = byte(in);
    for (size_t i = 0; i < size; i++) {
        packet[i] = byte(in);
    }
    return size;
}
