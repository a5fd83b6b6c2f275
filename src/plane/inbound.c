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
static_assert((int)WRN_PUMP_BATCH <= (int)WRN_DELIVER_MAX, "a batch is delivered in one piece");

/* Where cutting up stands. */
struct place {
    size_t room;
    size_t at; /* bytes of that room */
};

static size_t receive(struct wrn_pump *pump, int fd);
static void empty_rooms(struct wrn_inbound *in, size_t received);
static void find_untold(struct wrn_inbound *in, size_t received);
static size_t cut_up(struct wrn_pump *pump, size_t received, struct place *place);
static void count_truncated(struct wrn_pump *pump);

bool wrn_pump_inbound(struct wrn_pump *pump, struct wrn_pair *pair, int fd) {
    struct wrn_inbound *in = &pump->inbound;
    struct place place = {0, 0};
    size_t offered = in->wanted;
    size_t received = receive(pump, fd);
    size_t count;
    if (received == 0) {
        return false;
    }
    if (pair->udp.untold) {
        find_untold(in, received);
    }
    in->now = wrn_clock_read().mono;
    while ((count = cut_up(pump, received, &place)) > 0) {
        if (pump->tag_bits == 0) {
            wrn_pump_open(pump, pair, 0, in->datagrams, count);
        } else {
            wrn_pump_sort_out(pump, pair, count);
        }
        wrn_reports_flush(pump->reports);
    }
    empty_rooms(in, received);
    return received == offered;
}

void wrn_pump_open(struct wrn_pump *pump, const struct wrn_pair *pair, uint32_t place,
                   struct wrn_wg_datagram *batch, size_t count) {
    struct wrn_pump_machine *machine = &pump->machines[place];
    struct wrn_delivered delivered;
    wrn_rcu_enter();
    wrn_wg_lane_datagrams(machine->lane, pump->inbound.now, batch, count, &pump->asks);
    wrn_ask_about_datagrams(pump, place, batch);
    wrn_rcu_exit();
    int error = machine->bridged != NULL
                    ? wrn_bridged_deliver(
                          machine->bridged,
                          &(struct wrn_bridged_host){&pump->inbound.delivery, &pair->tuns[place],
                                                     &machine->joinable, pump->reports,
                                                     machine->handle, machine->lane},
                          pump->inbound.now, batch, count, &delivered)
                    : wrn_deliver(&pump->inbound.delivery, &pair->tuns[place], &machine->joinable,
                                  batch, count, &delivered);
    if (delivered.refused > 0) {
        wrn_wg_lane_count_drop(machine->lane, WRN_DROP_TUN_REFUSED, delivered.refused);
    }
    if (delivered.lost != 0) {
        wrn_report_offloads_lost(pump, delivered.lost);
    }
    if (error != 0) {
        wrn_report_deleted(pump, place);
    }
}

/* Receives into as many rooms as are wanted, and decides how many that are the next time. */
static size_t receive(struct wrn_pump *pump, int fd) {
    struct wrn_inbound *in = &pump->inbound;
    size_t trains = 0;
    for (size_t i = 0; i < in->wanted; i++) {
        in->received[i].bytes = in->rooms + i * WRN_INBOUND_ROOM + i % COLOURS * COLOUR;
        in->received[i].size = ROOM_SIZE;
    }
    size_t received = wrn_udp_receive(fd, pump->sender.scratch, in->received, in->wanted);
    for (size_t i = 0; i < received; i++) {
        trains += in->received[i].size > TRAIN_MIN ? 1 : 0;
    }
    if (2 * trains > received) { /* counted, not weighed: a few beside a flood change nothing */
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
            count_truncated(pump);
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

static void count_truncated(struct wrn_pump *pump) {
    if (pump->tag_bits == 0) {
        wrn_wg_lane_count_drop(pump->machines[0].lane, WRN_DROP_TRUNCATED, 1);
    } else {
        wrn_pump_count_strays(pump, WRN_STRAY_TRUNCATED, 1);
    }
}
