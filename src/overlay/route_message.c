/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of routing as bytes; docs/ring/route.md has their layouts. Decides nothing. */
#include "overlay/route_internal.h"

#include "base/wire.h"

enum {
    FLAG_MODE = 0x03,
    FLAG_VIA = 0x04,
    FLAG_TO_VIA = 0x08,
    FLAG_NOT_SOURCE = 0x10,
    FLAG_TRACE = 0x20,
    FLAG_ERROR = 0x40,
    FLAG_SUM = 0x01,      /* of a broadcast */
    FLAG_COMPLETE = 0x01, /* of a sum */
    NUMBER_AT = 2,        /* in every message that is acknowledged */
};

static uint8_t flags_of(const struct wrn_route_header *header);
static bool take_flags(struct wrn_route_header *header, uint8_t flags);
static uint8_t size_of(const struct wrn_writer *writer);

struct wrn_route_head wrn_routed_write(const struct wrn_routed *routed) {
    struct wrn_route_head head = {0};
    const struct wrn_route_header *header = &routed->header;
    struct wrn_writer writer = wrn_writer(head.bytes, sizeof(head.bytes));
    wrn_write_u8(&writer, WRN_MESSAGE_ROUTED);
    wrn_write_u8(&writer, (uint8_t)(flags_of(header) | (routed->is_error ? FLAG_ERROR : 0)));
    wrn_write_u32(&writer, routed->number);
    wrn_write_u8(&writer, (uint8_t)routed->course);
    wrn_write_u8(&writer, header->hops);
    wrn_write_u8(&writer, header->hop_limit);
    wrn_write_u8(&writer, header->steps);
    wrn_write_u64(&writer, routed->origin);
    wrn_write_id(&writer, header->source);
    wrn_write_id(&writer, header->target);
    if (header->has_via) {
        wrn_write_id(&writer, header->via);
    }
    head.size = size_of(&writer);
    return head;
}

bool wrn_routed_read(wrn_span message, struct wrn_routed *ret_routed) {
    struct wrn_reader reader = wrn_reader(message);
    struct wrn_routed routed = {0};
    uint8_t kind = wrn_read_u8(&reader);
    uint8_t flags = wrn_read_u8(&reader);
    routed.is_error = (flags & FLAG_ERROR) != 0;
    bool is_good = take_flags(&routed.header, flags & (uint8_t)~FLAG_ERROR);
    routed.number = wrn_read_u32(&reader);
    uint8_t course = wrn_read_u8(&reader);
    routed.course = course;
    routed.header.hops = wrn_read_u8(&reader);
    routed.header.hop_limit = wrn_read_u8(&reader);
    routed.header.steps = wrn_read_u8(&reader);
    routed.origin = wrn_read_u64(&reader);
    routed.header.source = wrn_read_id(&reader);
    routed.header.target = wrn_read_id(&reader);
    if (routed.header.has_via) {
        routed.header.via = wrn_read_id(&reader);
    }
    routed.payload = wrn_read_rest(&reader);
    is_good = is_good && wrn_reader_is_done(&reader) && kind == WRN_MESSAGE_ROUTED &&
              course <= WRN_ROUTE_LEFTWARDS && routed.header.hops >= 1 &&
              routed.payload.size >= 1 && routed.payload.size <= WRN_PAYLOAD_MAX;
    /* What went wrong with an error is nobody's business, and it goes to one node. */
    is_good = is_good && (!routed.is_error ||
                          (routed.header.mode == WRN_ROUTE_EXACT && !routed.header.wants_trace));
    if (is_good) {
        *ret_routed = routed;
    }
    return is_good;
}

uint8_t wrn_route_payload_kind(wrn_span message) {
    enum { HEAD_SIZE = 18 + 2 * WRN_ID_SIZE };
    bool is_routed = message.size > 1 && message.data[0] == WRN_MESSAGE_ROUTED;
    size_t at = HEAD_SIZE + (is_routed && (message.data[1] & FLAG_VIA) != 0 ? WRN_ID_SIZE : 0);
    return is_routed && message.size > at ? message.data[at] : 0;
}

struct wrn_route_head wrn_piece_write(const struct wrn_piece *piece) {
    struct wrn_route_head head = {0};
    struct wrn_writer writer = wrn_writer(head.bytes, sizeof(head.bytes));
    wrn_write_u8(&writer, WRN_MESSAGE_BROADCAST);
    wrn_write_u8(&writer, piece->is_sum ? FLAG_SUM : 0);
    wrn_write_u32(&writer, piece->number);
    wrn_write_u8(&writer, piece->hops);
    wrn_write_u64(&writer, piece->origin);
    wrn_write_id(&writer, piece->source);
    wrn_write_id(&writer, piece->from);
    wrn_write_id(&writer, piece->end);
    if (piece->is_sum) {
        wrn_write_u8(&writer, piece->budget);
        wrn_write_u32(&writer, piece->token);
    }
    head.size = size_of(&writer);
    return head;
}

bool wrn_piece_read(wrn_span message, struct wrn_piece *ret_piece) {
    struct wrn_reader reader = wrn_reader(message);
    struct wrn_piece piece = {0};
    uint8_t kind = wrn_read_u8(&reader);
    uint8_t flags = wrn_read_u8(&reader);
    piece.is_sum = (flags & FLAG_SUM) != 0;
    piece.number = wrn_read_u32(&reader);
    piece.hops = wrn_read_u8(&reader);
    piece.origin = wrn_read_u64(&reader);
    piece.source = wrn_read_id(&reader);
    piece.from = wrn_read_id(&reader);
    piece.end = wrn_read_id(&reader);
    if (piece.is_sum) {
        piece.budget = wrn_read_u8(&reader);
        piece.token = wrn_read_u32(&reader);
    }
    piece.payload = wrn_read_rest(&reader);
    if (!wrn_reader_is_done(&reader) || kind != WRN_MESSAGE_BROADCAST || (flags & ~FLAG_SUM) != 0 ||
        piece.hops == 0 || piece.payload.size == 0 || piece.payload.size > WRN_PAYLOAD_MAX) {
        return false;
    }
    *ret_piece = piece;
    return true;
}

size_t wrn_part_write(const struct wrn_part *part, uint8_t ret_bytes[WRN_ROUTE_BLOCK]) {
    struct wrn_writer writer = wrn_writer(ret_bytes, WRN_ROUTE_BLOCK);
    wrn_write_u8(&writer, WRN_MESSAGE_SUM);
    wrn_write_u8(&writer, part->is_complete ? FLAG_COMPLETE : 0);
    wrn_write_u32(&writer, part->number);
    wrn_write_u64(&writer, part->origin);
    wrn_write_u32(&writer, part->token);
    wrn_write_u64(&writer, part->nodes);
    for (size_t i = 0; i < WRN_COUNT(part->values); i++) {
        wrn_write_u64(&writer, part->values[i]);
    }
    return wrn_written(&writer).size;
}

bool wrn_part_read(wrn_span message, struct wrn_part *ret_part) {
    struct wrn_reader reader = wrn_reader(message);
    struct wrn_part part = {0};
    uint8_t kind = wrn_read_u8(&reader);
    uint8_t flags = wrn_read_u8(&reader);
    part.is_complete = (flags & FLAG_COMPLETE) != 0;
    part.number = wrn_read_u32(&reader);
    part.origin = wrn_read_u64(&reader);
    part.token = wrn_read_u32(&reader);
    part.nodes = wrn_read_u64(&reader);
    for (size_t i = 0; i < WRN_COUNT(part.values); i++) {
        part.values[i] = wrn_read_u64(&reader);
    }
    if (!wrn_reader_is_done(&reader) || kind != WRN_MESSAGE_SUM || (flags & ~FLAG_COMPLETE) != 0) {
        return false;
    }
    *ret_part = part;
    return true;
}

bool wrn_hop_ack_read(wrn_span message, uint32_t *ret_number) {
    struct wrn_reader reader = wrn_reader(message);
    uint8_t kind = wrn_read_u8(&reader);
    uint32_t number = wrn_read_u32(&reader);
    if (!wrn_reader_is_done(&reader) || kind != WRN_MESSAGE_HOP_ACK || number == 0) {
        return false;
    }
    *ret_number = number;
    return true;
}

size_t wrn_hop_ack_write(uint32_t number, uint8_t ret_bytes[8]) {
    struct wrn_writer writer = wrn_writer(ret_bytes, 8);
    wrn_write_u8(&writer, WRN_MESSAGE_HOP_ACK);
    wrn_write_u32(&writer, number);
    return wrn_written(&writer).size;
}

void wrn_route_set_number(uint8_t *bytes, uint32_t number) {
    wrn_store_be32(bytes + NUMBER_AT, number);
}

size_t wrn_route_error_write(const struct wrn_route_error *error, uint8_t *ret_bytes) {
    struct wrn_writer writer = wrn_writer(ret_bytes, WRN_PAYLOAD_MAX);
    wrn_write_u8(&writer, (uint8_t)error->reason);
    wrn_write_u8(&writer, flags_of(&error->header));
    wrn_write_u8(&writer, error->header.steps);
    wrn_write_u8(&writer, error->header.hops);
    wrn_write_u8(&writer, error->header.hop_limit);
    wrn_write_id(&writer, error->header.target);
    if (error->header.has_via) {
        wrn_write_id(&writer, error->header.via);
    }
    size_t room = writer.capacity - writer.size;
    size_t size = error->payload.size < room ? error->payload.size : room;
    wrn_write_span(&writer, (wrn_span){error->payload.data, size});
    return wrn_written(&writer).size;
}

bool wrn_route_error_read(wrn_span payload, struct wrn_route_error *ret_error) {
    struct wrn_reader reader = wrn_reader(payload);
    struct wrn_route_error error = {0};
    error.reason = wrn_read_u8(&reader);
    bool is_good = take_flags(&error.header, wrn_read_u8(&reader));
    error.header.steps = wrn_read_u8(&reader);
    error.header.hops = wrn_read_u8(&reader);
    error.header.hop_limit = wrn_read_u8(&reader);
    error.header.target = wrn_read_id(&reader);
    if (error.header.has_via) {
        error.header.via = wrn_read_id(&reader);
    }
    error.payload = wrn_read_rest(&reader);
    if (!wrn_reader_is_done(&reader) || !is_good || error.reason == WRN_REASON_NONE) {
        return false;
    }
    *ret_error = error;
    return true;
}

static uint8_t flags_of(const struct wrn_route_header *header) {
    return (uint8_t)((uint32_t)header->mode | (header->has_via ? FLAG_VIA : 0) |
                     (header->to_via ? FLAG_TO_VIA : 0) |
                     (header->not_source ? FLAG_NOT_SOURCE : 0) |
                     (header->wants_trace ? FLAG_TRACE : 0));
}

/* Sets what flags say; false if they contradict one another. */
static bool take_flags(struct wrn_route_header *header, uint8_t flags) {
    const uint8_t known = FLAG_MODE | FLAG_VIA | FLAG_TO_VIA | FLAG_NOT_SOURCE | FLAG_TRACE;
    header->mode = (enum wrn_route_mode)(flags & FLAG_MODE);
    header->has_via = (flags & FLAG_VIA) != 0;
    header->to_via = (flags & FLAG_TO_VIA) != 0;
    header->not_source = (flags & FLAG_NOT_SOURCE) != 0;
    header->wants_trace = (flags & FLAG_TRACE) != 0;
    return (flags & ~known) == 0 &&
           (!header->to_via || (header->has_via && header->mode == WRN_ROUTE_EXACT));
}

static uint8_t size_of(const struct wrn_writer *writer) {
    WRN_ASSERT(!writer->failed);
    return (uint8_t)writer->size;
}
