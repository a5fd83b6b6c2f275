/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams to a port that several machines share: told apart by what stands in the clear, which
 * proves nothing; the machine that gets one does. The trains of two hosts with several networks in
 * common may hold datagrams of all of them. */
#include <stdatomic.h>

#include "io/rcu.h"
#include "plane/ask.h"
#include "wg/receiver.h"

/* First bytes of the ring's frames (docs/ring/frames.md); a frame has no more bytes than what a
 * relay takes. */
enum {
    FRAME_FIRST = 0x20,
    FRAME_STRANGER = 0x21, /* from somebody who is no member yet ... */
    FRAME_WHO = 0x22,      /* ... or may not be one */
    FRAME_LAST = 0x2f,
    FRAME_MAX = WRN_RELAYED_MAX,
};

static uint8_t sort(struct wrn_pump *pump, const struct wrn_wg_datagram *datagram);
static uint8_t find_addressee(struct wrn_pump *pump, const struct wrn_wg_datagram *datagram);
static void take_stray(struct wrn_pump *pump, const struct wrn_wg_datagram *datagram);
static void open_each(struct wrn_pump *pump, const struct wrn_pair *pair, uint64_t machines,
                      size_t count);

const char *wrn_stray_name(enum wrn_stray reason) {
    static const char *const names[] = {
#define NAME(name, text) [WRN_STRAY_##name] = text,
        WRN_STRAY_LIST(NAME)
#undef NAME
    };
    WRN_ASSERT((size_t)reason < WRN_COUNT(names));
    return names[reason];
}

void wrn_pump_sort_out(struct wrn_pump *pump, const struct wrn_pair *pair, size_t count) {
    struct wrn_inbound *in = &pump->inbound;
    uint64_t machines = 0; /* that something is for, a bit each */
    size_t owned = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t owner = sort(pump, &in->datagrams[i]);
        in->owners[i] = owner;
        if (owner != WRN_PUMP_NOBODY) {
            machines |= UINT64_C(1) << owner;
            owned++;
        }
    }
    if (machines == 0) {
        return;
    }
    if (owned == count && (machines & (machines - 1)) == 0) {
        wrn_pump_open(pump, pair, (uint32_t)__builtin_ctzll(machines), in->datagrams, count);
    } else {
        open_each(pump, pair, machines, count);
    }
}

void wrn_pump_count_strays(struct wrn_pump *pump, enum wrn_stray reason, uint64_t count) {
    /* no read-modify-write: nobody else writes it */
    uint64_t before = atomic_load_explicit(&pump->strays[reason], memory_order_relaxed);
    atomic_store_explicit(&pump->strays[reason], before + count, memory_order_relaxed);
}

/* Finds the place of the machine that a datagram is for; NOBODY: what it is was taken care of. */
static uint8_t sort(struct wrn_pump *pump, const struct wrn_wg_datagram *datagram) {
    uint32_t tag;
    switch (wrn_wg_receiver(datagram->bytes, datagram->size, pump->tag_bits, &tag)) {
    case WRN_WG_RECEIVER_TAGGED:
        if (pump->by_tag[tag] == WRN_PUMP_NOBODY) {
            wrn_pump_count_strays(pump, WRN_STRAY_UNKNOWN_TAG, 1);
        }
        return pump->by_tag[tag];
    case WRN_WG_RECEIVER_INITIATION:
        return find_addressee(pump, datagram);
    case WRN_WG_RECEIVER_NONE:
        break;
    }
    take_stray(pump, datagram);
    return WRN_PUMP_NOBODY;
}

/* Tries the key of each machine on an initiation, here and not in the control thread: a flood of
 * what is for none of them must not keep that from what is. */
static uint8_t find_addressee(struct wrn_pump *pump, const struct wrn_wg_datagram *datagram) {
    wrn_span span = {datagram->bytes, datagram->size};
    uint8_t found = WRN_PUMP_NOBODY;
    wrn_rcu_enter(); /* keys may be changing */
    for (uint8_t place = 0; place < WRN_PUMP_MACHINES_MAX && found == WRN_PUMP_NOBODY; place++) {
        const struct wrn_pump_machine *machine = &pump->machines[place];
        if (machine->lane != NULL && wrn_wg_is_initiation_for(machine->wg, pump->crypto, span)) {
            found = place;
        }
    }
    wrn_rcu_exit();
    if (found == WRN_PUMP_NOBODY) {
        wrn_pump_count_strays(pump, WRN_STRAY_UNKNOWN_INITIATION, 1);
    }
    return found;
}

static void take_stray(struct wrn_pump *pump, const struct wrn_wg_datagram *datagram) {
    uint8_t first = datagram->size > 0 ? datagram->bytes[0] : 0;
    if (first < FRAME_FIRST || first > FRAME_LAST) {
        wrn_pump_count_strays(pump, WRN_STRAY_UNKNOWN_TYPE, 1);
    } else if (datagram->size > FRAME_MAX) {
        wrn_pump_count_strays(pump, WRN_STRAY_FRAME_TOO_LARGE, 1);
    } else if ((first == FRAME_STRANGER || first == FRAME_WHO) &&
               wrn_shares_take(&pump->shares.frames, pump->inbound.now,
                               &datagram->path.remote.ip) != WRN_RATE_PASS) {
        wrn_pump_count_strays(pump, WRN_STRAY_FRAME_FLOOD, 1);
    } else if (!wrn_report_frame(pump, datagram)) {
        wrn_pump_count_strays(pump, WRN_STRAY_FRAME_LOST, 1);
    }
}

/* Gathers what is for one machine, keeping its order, and then for the next. */
static void open_each(struct wrn_pump *pump, const struct wrn_pair *pair, uint64_t machines,
                      size_t count) {
    struct wrn_inbound *in = &pump->inbound;
    for (; machines != 0; machines &= machines - 1) {
        uint32_t place = (uint32_t)__builtin_ctzll(machines);
        size_t gathered = 0;
        for (size_t i = 0; i < count; i++) {
            if (in->owners[i] == place) {
                in->sorted[gathered++] = in->datagrams[i];
            }
        }
        wrn_pump_open(pump, pair, place, in->sorted, gathered);
    }
}
