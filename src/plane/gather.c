/* SPDX-License-Identifier: Apache-2.0 */
/* What the host sends, gathered: a packet or frame of usual size is read to the place at which it
 * is sealed and sent from; a large one lands elsewhere and is cut up into such places. */
#include "base/bytes.h"
#include "plane/pump.h"

enum {
    SLOT = 2048, /* room for reading in place */
    HEADS_MAX = WRN_PAYLOAD_FRAME_HEAD,
};
static_assert((int)WRN_OUTBOUND_LINE >= (int)WRN_WG_HEADROOM, "the headers fit before the packet");
static_assert((int)WRN_OUTBOUND_SEALING >= (int)WRN_OUTBOUND_LINE + HEADS_MAX +
                                               (int)WRN_WG_PACKET_MAX + (int)WRN_WG_TAILROOM,
              "the largest packet fits");
static_assert((int)WRN_PAYLOAD_FRAME_MAX <= (int)WRN_WG_PACKET_MAX, "so does the largest frame");
static_assert((int)WRN_OUTBOUND_LANDING >= (int)WRN_WG_PACKET_MAX, "the largest packet lands");
static_assert((int)WRN_OUTBOUND_LANDING >= (int)WRN_TUN_FRAME_MAX, "the largest frame lands");

/* How a machine's device hands over: packets, or frames, which get a head of their own. */
struct kind {
    size_t head;        /* bytes before each */
    size_t read_max;    /* what is read at once */
    size_t segment_max; /* what a large one may be cut up into */
    int (*begin)(struct wrn_split *split, const struct wrn_virtio *header, uint8_t *bytes,
                 size_t size);
};

static bool take_segments(struct wrn_outbound *out, const struct kind *kind,
                          struct wrn_wg_lane *lane);
static bool has_room(const struct wrn_outbound *out, const struct kind *kind, size_t size);
static void add(struct wrn_outbound *out, const struct kind *kind, uint8_t *bytes, size_t size);
static bool take(struct wrn_outbound *out, const struct kind *kind, const uint8_t *header,
                 size_t size);

int wrn_pump_gather(struct wrn_pump *pump, uint32_t place, const struct wrn_tun *tun) {
    static const struct kind packets = {0, WRN_WG_PACKET_MAX, WRN_WG_PACKET_MAX, wrn_split_begin};
    static const struct kind frames = {WRN_PAYLOAD_FRAME_HEAD, WRN_TUN_FRAME_MAX,
                                       WRN_PAYLOAD_FRAME_MAX, wrn_split_begin_frame};
    const struct kind *kind = pump->machines[place].bridged != NULL ? &frames : &packets;
    struct wrn_wg_lane *lane = pump->machines[place].lane;
    struct wrn_outbound *out = &pump->outbound;
    struct iovec parts[3];
    uint8_t header[WRN_VIRTIO_SIZE];
    size_t segments = 1; /* of the one before: the next may have as many */
    out->used = WRN_OUTBOUND_LINE;
    out->gathered_count = 0;
    while (take_segments(out, kind, lane) && out->gathered_count + segments <= WRN_PUMP_BATCH &&
           has_room(out, kind, SLOT)) {
        parts[1] = (struct iovec){out->sealing + out->used + kind->head, SLOT};
        parts[2] = (struct iovec){out->landing + SLOT, kind->read_max - SLOT};
        ssize_t size = wrn_tun_read(tun, parts, WRN_COUNT(parts), header);
        if (size <= 0) {
            return (int)size;
        }
        if (!take(out, kind, header, (size_t)size)) {
            wrn_wg_lane_count_drop(lane, WRN_DROP_BAD_HOST_PACKET, 1);
        }
        segments = out->next_segment < out->split.count ? out->split.count : 1;
    }
    return 1;
}

size_t wrn_outbound_next(size_t at, size_t size, size_t room) {
    /* Not the whole tailroom, of which each packet fills a part that its size says: so those of the
     * usual size lie an odd number of lines apart, and not on the same sets of the caches. */
    size_t sealed = wrn_align_up(size, WRN_WG_PADDING) + WRN_WG_TAG_SIZE;
    size_t next = wrn_align_up(at + sealed + WRN_WG_HEADROOM, WRN_OUTBOUND_LINE);
    return next < room ? next : room;
}

/* Moves segments of what landed to the batch. Returns whether all of them found room. */
static bool take_segments(struct wrn_outbound *out, const struct kind *kind,
                          struct wrn_wg_lane *lane) {
    while (out->next_segment < out->split.count) {
        size_t size = wrn_split_frame_size(&out->split, out->next_segment);
        if (size > kind->segment_max) {
            wrn_wg_lane_count_drop(lane, WRN_DROP_BAD_HOST_PACKET, 1);
            out->next_segment++;
            continue;
        }
        if (out->gathered_count == WRN_PUMP_BATCH || !has_room(out, kind, size)) {
            return false;
        }
        uint8_t *bytes = out->sealing + out->used + kind->head;
        if (out->split.count > 1) {
            wrn_split_write_frame(&out->split, out->next_segment, bytes);
        } else {
            memcpy(bytes, out->landing, size);
        }
        add(out, kind, bytes, size);
        out->next_segment++;
    }
    return true;
}

static bool has_room(const struct wrn_outbound *out, const struct kind *kind, size_t size) {
    return WRN_OUTBOUND_SEALING - out->used >= kind->head + size + WRN_WG_TAILROOM;
}

static void add(struct wrn_outbound *out, const struct kind *kind, uint8_t *bytes, size_t size) {
    out->gathered[out->gathered_count++] = (struct wrn_gathered){bytes, size};
    out->used = wrn_outbound_next(out->used, kind->head + size, WRN_OUTBOUND_SEALING);
}

/* Takes what was read, its first SLOT bytes to the next place in the sealing room and the others to
 * the landing room. Returns false if it and its header make no sense. */
static bool take(struct wrn_outbound *out, const struct kind *kind, const uint8_t *header,
                 size_t size) {
    uint8_t *bytes = out->sealing + out->used + kind->head;
    struct wrn_virtio virtio;
    struct wrn_split split;
    wrn_virtio_read(header, &virtio);
    bool is_whole = size <= SLOT && (virtio.gso_type & ~WRN_VIRTIO_GSO_ECN) == WRN_VIRTIO_GSO_NONE;
    if (!is_whole) {
        memcpy(out->landing, bytes, size < SLOT ? size : SLOT);
        bytes = out->landing;
    }
    if (kind->begin(&split, &virtio, bytes, size) != 0) {
        return false;
    }
    if (is_whole) {
        add(out, kind, bytes, size);
    } else {
        out->split = split;
        out->next_segment = 0;
    }
    return true;
}
