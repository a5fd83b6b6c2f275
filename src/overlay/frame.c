/* SPDX-License-Identifier: Apache-2.0 */
/* The frames that are not sealed: WHO and its reply, announcements, what relays forward. Trusts
 * nothing that is in them. */
#include "overlay/frame.h"

#include "overlay/pair.h"

static_assert((int)WRN_WHO_REPLY_OVERHEAD + (int)WRN_LOCATOR_MAX <= (int)WRN_WHO_SIZE,
              "no reply is larger than its question");

static void mark_ring(const struct wrn_primitives *primitives, const uint8_t ring[WRN_RING_SIZE],
                      uint64_t nonce, uint8_t ret_mark[WRN_MAC_SIZE]);

void wrn_frame_head_write(struct wrn_writer *writer, enum wrn_frame_kind kind) {
    wrn_write_u8(writer, (uint8_t)kind);
    wrn_write_u8(writer, WRN_FRAME_VERSION);
    wrn_write_u16(writer, 0);
}

enum wrn_reason wrn_frame_kind_read(struct wrn_reader *reader, enum wrn_frame_kind kind) {
    uint8_t first = wrn_read_u8(reader);
    uint8_t version = wrn_read_u8(reader);
    if (reader->failed || first != kind) {
        return WRN_REASON_MALFORMED;
    }
    return version == WRN_FRAME_VERSION ? WRN_REASON_NONE : WRN_REASON_WRONG_VERSION;
}

enum wrn_reason wrn_frame_head_read(struct wrn_reader *reader, enum wrn_frame_kind kind) {
    enum wrn_reason reason = wrn_frame_kind_read(reader, kind);
    if (reason == WRN_REASON_NONE && (wrn_read_u16(reader) != 0 || reader->failed)) {
        reason = WRN_REASON_MALFORMED;
    }
    return reason;
}

size_t wrn_who_write(const struct wrn_primitives *primitives, const uint8_t ring[WRN_RING_SIZE],
                     uint64_t nonce, uint8_t *out) {
    struct wrn_writer writer = wrn_writer(out, WRN_WHO_SIZE);
    uint8_t mark[WRN_MAC_SIZE];
    mark_ring(primitives, ring, nonce, mark);
    memset(out, 0, WRN_WHO_SIZE);
    wrn_frame_head_write(&writer, WRN_FRAME_WHO);
    wrn_write_u64(&writer, nonce);
    wrn_write_bytes(&writer, mark, WRN_RING_SIZE);
    return WRN_WHO_SIZE;
}

enum wrn_reason wrn_who_read(wrn_span frame, const struct wrn_primitives *primitives,
                             const uint8_t ring[WRN_RING_SIZE], uint64_t *ret_nonce) {
    struct wrn_reader reader = wrn_reader(frame);
    uint8_t mark[WRN_MAC_SIZE];
    enum wrn_reason reason = wrn_frame_head_read(&reader, WRN_FRAME_WHO);
    uint64_t nonce = wrn_read_u64(&reader);
    wrn_span theirs = wrn_read_span(&reader, WRN_RING_SIZE);
    if (reason != WRN_REASON_NONE) {
        return reason;
    }
    if (frame.size < WRN_WHO_SIZE || frame.size > WRN_DATAGRAM_MAX) {
        return WRN_REASON_MALFORMED;
    }
    mark_ring(primitives, ring, nonce, mark);
    if (!wrn_equal_secret(mark, theirs.data, WRN_RING_SIZE)) {
        return WRN_REASON_OTHER_RING;
    }
    *ret_nonce = nonce;
    return WRN_REASON_NONE;
}

size_t wrn_who_reply_write(uint64_t nonce, const uint8_t cookie[WRN_COOKIE_SIZE], wrn_span locator,
                           uint8_t *out) {
    WRN_ASSERT(locator.size > 0 && locator.size <= WRN_LOCATOR_MAX);
    struct wrn_writer writer = wrn_writer(out, WRN_WHO_REPLY_OVERHEAD + locator.size);
    wrn_frame_head_write(&writer, WRN_FRAME_WHO_REPLY);
    wrn_write_u64(&writer, nonce);
    wrn_write_bytes(&writer, cookie, WRN_COOKIE_SIZE);
    wrn_write_span(&writer, locator);
    WRN_ASSERT(!writer.failed);
    return writer.size;
}

enum wrn_reason wrn_who_reply_read(wrn_span frame, uint64_t *ret_nonce,
                                   uint8_t ret_cookie[WRN_COOKIE_SIZE], wrn_span *ret_locator) {
    struct wrn_reader reader = wrn_reader(frame);
    enum wrn_reason reason = wrn_frame_head_read(&reader, WRN_FRAME_WHO_REPLY);
    uint64_t nonce = wrn_read_u64(&reader);
    wrn_span cookie = wrn_read_span(&reader, WRN_COOKIE_SIZE);
    wrn_span locator = wrn_read_rest(&reader);
    if (reason != WRN_REASON_NONE) {
        return reason;
    }
    if (reader.failed || locator.size == 0 || locator.size > WRN_LOCATOR_MAX) {
        return WRN_REASON_MALFORMED;
    }
    *ret_nonce = nonce;
    memcpy(ret_cookie, cookie.data, WRN_COOKIE_SIZE);
    *ret_locator = locator;
    return WRN_REASON_NONE;
}

size_t wrn_announce_write(const uint8_t ring[8], wrn_id id, uint16_t port, uint8_t *out) {
    struct wrn_writer writer = wrn_writer(out, WRN_ANNOUNCE_SIZE);
    wrn_write_u8(&writer, WRN_FRAME_ANNOUNCE);
    wrn_write_u8(&writer, WRN_FRAME_VERSION);
    wrn_write_u16(&writer, port);
    wrn_write_bytes(&writer, ring, 8);
    wrn_write_id(&writer, id);
    WRN_ASSERT(!writer.failed);
    return writer.size;
}

enum wrn_reason wrn_announce_read(wrn_span frame, uint8_t ret_ring[8], wrn_id *ret_id,
                                  uint16_t *ret_port) {
    struct wrn_reader reader = wrn_reader(frame);
    enum wrn_reason reason = wrn_frame_kind_read(&reader, WRN_FRAME_ANNOUNCE);
    uint16_t port = wrn_read_u16(&reader);
    wrn_span ring = wrn_read_span(&reader, 8);
    wrn_id id = wrn_read_id(&reader);
    if (reason != WRN_REASON_NONE) {
        return reason;
    }
    if (!wrn_reader_is_done(&reader) || port == 0) {
        return WRN_REASON_MALFORMED;
    }
    memcpy(ret_ring, ring.data, ring.size);
    *ret_id = id;
    *ret_port = port;
    return WRN_REASON_NONE;
}

enum wrn_reason wrn_relayed_read(wrn_span frame, uint64_t *ret_slot, wrn_span *ret_inside) {
    struct wrn_reader reader = wrn_reader(frame);
    enum wrn_reason reason = wrn_frame_head_read(&reader, WRN_FRAME_RELAYED);
    uint64_t slot = wrn_read_u64(&reader);
    wrn_span inside = wrn_read_rest(&reader);
    if (reason != WRN_REASON_NONE) {
        return reason;
    }
    if (reader.failed || inside.size == 0) {
        return WRN_REASON_MALFORMED;
    }
    *ret_slot = slot;
    *ret_inside = inside;
    return WRN_REASON_NONE;
}

/* Who does not know the ring's name sees no more than that two questions differ. */
static void mark_ring(const struct wrn_primitives *primitives, const uint8_t ring[WRN_RING_SIZE],
                      uint64_t nonce, uint8_t ret_mark[WRN_MAC_SIZE]) {
    uint8_t bytes[8];
    wrn_store_be64(bytes, nonce);
    primitives->mac(primitives->ctx, (wrn_span){ring, WRN_RING_SIZE},
                    (wrn_span){bytes, sizeof(bytes)}, ret_mark);
}
