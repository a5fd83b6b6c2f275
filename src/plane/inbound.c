/* SPDX-License-Identifier: Apache-2.0 */
/* From the network to the host: receive, cut trains up, open, join, write. */
#include "plane/ask.h"
#include "plane/pump.h"
#include "io/clock.h"
#include "io/memory.h"
#include "io/rcu.h"
#include "wg/train.h"

/* A large datagram is most likely a train of them: what few of them hold still lies in the near
 * caches when it is written to the host. Small ones come one by one: many a call. */
enum {
    WANTED_MIN = 2,
    TRAIN_MIN = 4 << 10, /* bytes; a single one seldom has more */
    COLOURS = 16,        /* beginnings of neighbours do not fall on the same lines of the caches */
    COLOUR = 128,
    ROOM_SIZE = 64 << 10,
};
static_assert((int)ROOM_SIZE + COLOURS * COLOUR <= (int)WRN_INBOUND_ROOM, "a train fits");
static_assert((int)WRN_PUMP_ROOMS <= (int)WRN_UDP_BATCH_MAX, "one call receives into all rooms");
static_assert((int)WRN_PUMP_BATCH <= (int)WRN_COALESCE_MAX, "a batch is joined in one piece");

/* Where cutting up stands. */
struct place {
    size_t room;
    size_t at; /* bytes of that room */
};

static size_t receive(struct wrn_pump *pump, int fd);
static void empty_rooms(struct wrn_inbound *in, size_t received);
static void find_untold(struct wrn_inbound *in, size_t received);
static size_t cut_up(struct wrn_pump *pump, size_t received, struct place *place);
static int deliver(struct wrn_pump *pump, const struct wrn_tun *tun, size_t count);
static int write_joined(struct wrn_pump *pump, const struct wrn_tun *tun, uint32_t index);
static int write_apart(struct wrn_pump *pump, const struct wrn_tun *tun, uint32_t index,
                       int reason);
static int write_singly(struct wrn_pump *pump, const struct wrn_tun *tun,
                        const struct iovec *packets, size_t count, size_t *ret_refused);
static void stop_joining(struct wrn_pump *pump, const uint8_t *header);

int wrn_pump_inbound(struct wrn_pump *pump, struct wrn_pair *pair, int fd) {
    struct wrn_inbound *in = &pump->inbound;
    struct place place = {0, 0};
    size_t offered = in->wanted;
    size_t received = receive(pump, fd);
    if (received == 0) {
        return 0;
    }
    if (pair->udp.untold) {
        find_untold(in, received);
    }
    wrn_mono now = wrn_clock_read().mono;
    for (;;) {
        size_t count = cut_up(pump, received, &place);
        if (count == 0) {
            empty_rooms(in, received);
            return received == offered;
        }
        wrn_rcu_enter();
        wrn_wg_lane_datagrams(pump->lane, now, in->datagrams, count, &pump->asks);
        wrn_ask_about_datagrams(pump);
        wrn_rcu_exit();
        int error = deliver(pump, &pair->tun, count);
        wrn_reports_flush(pump->reports);
        if (error != 0) {
            return error;
        }
    }
}

/* Receives into as many rooms as are wanted, and decides how many that are the next time. */
static size_t receive(struct wrn_pump *pump, int fd) {
    struct wrn_inbound *in = &pump->inbound;
    size_t bytes = 0;
    for (size_t i = 0; i < in->wanted; i++) {
        in->received[i].bytes = in->rooms + i * WRN_INBOUND_ROOM + i % COLOURS * COLOUR;
        in->received[i].size = ROOM_SIZE;
    }
    size_t received = wrn_udp_receive(fd, pump->sender.scratch, in->received, in->wanted);
    for (size_t i = 0; i < received; i++) {
        bytes += in->received[i].size;
    }
    if (bytes > received * TRAIN_MIN) {
        in->wanted = WANTED_MIN;
    } else if (received == in->wanted && in->wanted < WRN_PUMP_ROOMS) {
        in->wanted *= 2;
    }
    return received;
}

/* Gives back what trains have filled of the rooms that are for single datagrams. */
static void empty_rooms(struct wrn_inbound *in, size_t received) {
    if (received > WANTED_MIN && in->wanted == WANTED_MIN) {
        wrn_memory_discard(in->rooms + (size_t)WANTED_MIN * WRN_INBOUND_ROOM,
                           (received - WANTED_MIN) * WRN_INBOUND_ROOM);
    }
}

/* Finds out what trains are made of that the kernel has joined before it was told to stop. */
static void find_untold(struct wrn_inbound *in, size_t received) {
    for (size_t i = 0; i < received; i++) {
        struct wrn_udp_received *train = &in->received[i];
        if (train->segment_size == train->size) {
            train->segment_size = wrn_wg_train_size((wrn_span){train->bytes, train->size});
        }
    }
}

/* Makes a batch of what was received, from 'place' on, which it moves. Returns its count; 0:
 * nothing is left. */
static size_t cut_up(struct wrn_pump *pump, size_t received, struct place *place) {
    struct wrn_inbound *in = &pump->inbound;
    size_t count = 0;
    while (place->room < received && count < WRN_PUMP_BATCH) {
        const struct wrn_udp_received *train = &in->received[place->room];
        if (train->truncated) {
            wrn_wg_lane_count_drop(pump->lane, WRN_DROP_TRUNCATED, 1);
            place->room++;
            continue;
        }
        size_t left = train->size - place->at;
        size_t size = left < train->segment_size ? left : train->segment_size;
        struct wrn_wg_datagram *datagram = &in->datagrams[count++];
        datagram->bytes = train->bytes + place->at; /* the rest is the lane's to fill in */
        datagram->size = size;
        datagram->path = train->path;
        datagram->outer_ecn = train->ecn;
        place->at += size;
        if (place->at >= train->size) { /* also an empty one */
            *place = (struct place){place->room + 1, 0};
        }
    }
    return count;
}

/* Writes the inner packets of the first 'count' datagrams to the host. Returns 0 or -ENODEV. */
static int deliver(struct wrn_pump *pump, const struct wrn_tun *tun, size_t count) {
    struct wrn_inbound *in = &pump->inbound;
    size_t ready = 0;
    for (size_t i = 0; i < count; i++) {
        if (in->datagrams[i].packet_size > 0) {
            in->packets[ready++] =
                (struct iovec){in->datagrams[i].packet, in->datagrams[i].packet_size};
        }
    }
    if (ready <= 1 || in->joinable == 0 || tun->vnet_size == 0) {
        size_t refused = 0;
        return write_singly(pump, tun, in->packets, ready, &refused);
    }
    wrn_coalesce(&in->coalescer, in->packets, ready, in->joinable);
    int error = 0;
    for (uint32_t i = 0; i < in->coalescer.count && error == 0; i++) {
        error = write_joined(pump, tun, i);
    }
    return error;
}

/* Writes what was joined as one; apart if the kernel does not take it. Returns 0 or -ENODEV. */
static int write_joined(struct wrn_pump *pump, const struct wrn_tun *tun, uint32_t index) {
    struct wrn_coalescer *coalescer = &pump->inbound.coalescer;
    const struct wrn_coalesced *joined = &coalescer->out[index];
    int error = wrn_tun_write(tun, &coalescer->parts[joined->first_part - 1],
                              (size_t)joined->part_count + 1, joined->header);
    if (error == 0 || error == -ENODEV) {
        return error;
    }
    if (joined->packet_count > 1) {
        return write_apart(pump, tun, index, -error);
    }
    wrn_wg_lane_count_drop(pump->lane, WRN_DROP_TUN_REFUSED, 1);
    return 0;
}

/* The kernel has refused a joined packet. If it takes the parts, it was the joining that it did not
 * like, and there will be no more of that kind. Returns 0 or -ENODEV. */
static int write_apart(struct wrn_pump *pump, const struct wrn_tun *tun, uint32_t index,
                       int reason) {
    bool is_lasting = reason == EINVAL || reason == EOPNOTSUPP || reason == EMSGSIZE;
    struct wrn_inbound *in = &pump->inbound;
    uint8_t header[WRN_VIRTIO_SIZE];
    struct iovec apart[WRN_COALESCE_MAX];
    size_t refused = 0;
    memcpy(header, in->coalescer.out[index].header, sizeof header);
    size_t count = wrn_coalesce_undo(&in->coalescer, index, apart);
    int error = write_singly(pump, tun, apart, count, &refused);
    if (error == 0 && refused == 0 && is_lasting) { /* not for want of memory, say */
        stop_joining(pump, header);
    }
    return error;
}

/* Writes packets one by one, and counts those that the kernel refuses. Returns 0 or -ENODEV. */
static int write_singly(struct wrn_pump *pump, const struct wrn_tun *tun,
                        const struct iovec *packets, size_t count, size_t *ret_refused) {
    size_t refused = 0;
    for (size_t i = 0; i < count; i++) {
        struct iovec parts[] = {{NULL, 0}, packets[i]};
        int error = wrn_tun_write(tun, parts, WRN_COUNT(parts), NULL);
        if (error == -ENODEV) {
            return error;
        }
        refused += error != 0;
    }
    if (refused > 0) {
        wrn_wg_lane_count_drop(pump->lane, WRN_DROP_TUN_REFUSED, refused);
    }
    *ret_refused = refused;
    return 0;
}

static void stop_joining(struct wrn_pump *pump, const uint8_t *header) {
    static const struct {
        uint8_t gso_type;
        uint32_t joinable;
        uint32_t offload;
    } kinds[] = {
        {WRN_VIRTIO_GSO_TCP4, WRN_COALESCE_TCP4, WRN_UAPI_OFFLOAD_TSO4},
        {WRN_VIRTIO_GSO_TCP6, WRN_COALESCE_TCP6, WRN_UAPI_OFFLOAD_TSO6},
        {WRN_VIRTIO_GSO_UDP, WRN_COALESCE_UDP, WRN_UAPI_OFFLOAD_USO},
    };
    struct wrn_virtio virtio;
    wrn_virtio_read(header, &virtio);
    for (size_t i = 0; i < WRN_COUNT(kinds); i++) {
        if ((virtio.gso_type & ~WRN_VIRTIO_GSO_ECN) == kinds[i].gso_type) {
            pump->inbound.joinable &= ~kinds[i].joinable;
            wrn_report_offloads_lost(pump, kinds[i].offload);
        }
    }
}
