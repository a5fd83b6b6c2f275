/* SPDX-License-Identifier: Apache-2.0 */
/* Frames under way stand in a table of slots, whose states are bits of two words: few are in use at
 * a time, and only those are looked at. */
#include "switch/pieces.h"

#include <stdatomic.h>

#include "base/bytes.h"

enum {
    FRAME_MIN = 14,   /* bytes: an Ethernet header */
    PAYLOAD_MIN = 64, /* smaller pieces than this make no sense anywhere */
    SIZE_AT = 2,      /* of both heads */
    ID_AT = 4,
    TOTAL_AT = 6,
    PLACE_AT = 1,
    ALIGNMENT = 64,
};
static_assert((int)WRN_PIECES_FRAMES_MAX == 64, "a bit of a word each");
static_assert((int)WRN_PIECES_HELD_MAX < (int)WRN_PIECES_FRAMES_MAX, "a held one keeps no room");

struct slot {
    wrn_handle peer;
    wrn_mono born;
    uint64_t order; /* smaller: older */
    uint32_t total, each, count;
    uint32_t missing; /* pieces, a bit each */
    uint16_t id;
};

struct wrn_pieces {
    uint64_t waiting;    /* slots of frames that are not whole yet, a bit each */
    uint64_t held;       /* slots of frames that were handed out … */
    uint32_t held_count; /* … and how many these are */
    uint64_t next_order;
    struct slot slots[WRN_PIECES_FRAMES_MAX];
    _Atomic uint64_t counts[WRN_PIECES_REFUSAL_COUNT]; /* written by the owner's thread alone */
    uint8_t bytes[WRN_PIECES_FRAMES_MAX][WRN_PAYLOAD_FRAME_MAX] __attribute__((aligned(ALIGNMENT)));
};

static enum wrn_pieces_refusal check(struct wrn_piece *piece);
static bool find(const struct wrn_pieces *pieces, wrn_handle peer, uint16_t id, uint32_t *ret_slot);
static bool begin(struct wrn_pieces *pieces, wrn_mono now, wrn_handle peer,
                  const struct wrn_piece *piece, uint32_t *ret_slot);
static uint32_t clear_out(struct wrn_pieces *pieces, wrn_mono now, wrn_handle peer, uint16_t id,
                          uint32_t *ret_oldest);
static uint32_t choose_victim(const struct wrn_pieces *pieces);
static bool is_late(const struct slot *slot, wrn_mono now);
static void give_up(struct wrn_pieces *pieces, uint32_t slot, enum wrn_pieces_refusal reason);
static enum wrn_pieces_refusal count(struct wrn_pieces *pieces, enum wrn_pieces_refusal reason);

struct wrn_pieces_plan wrn_pieces_plan(size_t size, uint32_t payload_max) {
    if (size < FRAME_MIN || size > WRN_PAYLOAD_FRAME_MAX || payload_max < PAYLOAD_MIN) {
        return (struct wrn_pieces_plan){0};
    }
    if (size + WRN_PAYLOAD_FRAME_HEAD <= payload_max) {
        return (struct wrn_pieces_plan){.count = 1, .each = (uint32_t)size};
    }
    uint32_t room = payload_max - WRN_PAYLOAD_PIECE_HEAD;
    uint32_t count = ((uint32_t)size + room - 1) / room;
    count = count < 2 ? 2 : count;
    uint32_t each = ((uint32_t)size + count - 1) / count;
    if (count > WRN_PAYLOAD_PIECES_MAX) {
        return (struct wrn_pieces_plan){0};
    }
    return (struct wrn_pieces_plan){.count = count, .each = each};
}

size_t wrn_pieces_payload_size(const struct wrn_pieces_plan *plan, size_t size, uint32_t index) {
    if (plan->count == 1) {
        return WRN_PAYLOAD_FRAME_HEAD + size;
    }
    size_t at = (size_t)index * plan->each;
    return WRN_PAYLOAD_PIECE_HEAD + (index + 1 < plan->count ? plan->each : size - at);
}

void wrn_pieces_write(const struct wrn_pieces_plan *plan, wrn_span frame, uint16_t id,
                      uint32_t index, uint8_t *out) {
    WRN_ASSERT(index < plan->count);
    if (plan->count == 1) {
        wrn_pieces_write_whole(out, frame.size);
        memcpy(out + WRN_PAYLOAD_FRAME_HEAD, frame.data, frame.size);
        return;
    }
    size_t size = wrn_pieces_payload_size(plan, frame.size, index) - WRN_PAYLOAD_PIECE_HEAD;
    out[0] = WRN_PAYLOAD_PIECE;
    out[PLACE_AT] = (uint8_t)(index << 4 | (plan->count - 1));
    wrn_store_be16(out + SIZE_AT, (uint16_t)size);
    wrn_store_be16(out + ID_AT, id);
    wrn_store_be16(out + TOTAL_AT, (uint16_t)frame.size);
    memcpy(out + WRN_PAYLOAD_PIECE_HEAD, frame.data + (size_t)index * plan->each, size);
}

void wrn_pieces_write_whole(uint8_t head[WRN_PAYLOAD_FRAME_HEAD], size_t size) {
    WRN_ASSERT(size >= 1 && size <= WRN_PAYLOAD_FRAME_MAX);
    head[0] = WRN_PAYLOAD_FRAME;
    head[1] = 0;
    wrn_store_be16(head + SIZE_AT, (uint16_t)size);
}

const char *wrn_pieces_refusal_name(enum wrn_pieces_refusal refusal) {
    static const char *const names[] = {
#define NAME(name, counter, text) [WRN_PIECES_##name] = counter,
        WRN_PIECES_REFUSAL_LIST(NAME)
#undef NAME
    };
    WRN_ASSERT((size_t)refusal < WRN_COUNT(names));
    return names[refusal];
}

const char *wrn_pieces_refusal_text(enum wrn_pieces_refusal refusal) {
    static const char *const texts[] = {
#define TEXT(name, counter, text) [WRN_PIECES_##name] = text,
        WRN_PIECES_REFUSAL_LIST(TEXT)
#undef TEXT
    };
    WRN_ASSERT((size_t)refusal < WRN_COUNT(texts));
    return texts[refusal];
}

enum wrn_pieces_refusal wrn_pieces_read(wrn_span payload, struct wrn_piece *ret_piece) {
    if (payload.size < WRN_PAYLOAD_PIECE_HEAD) {
        return WRN_PIECES_SHORT;
    }
    if (payload.data[0] != WRN_PAYLOAD_PIECE) {
        return WRN_PIECES_TYPE;
    }
    struct wrn_piece piece = {
        .index = payload.data[PLACE_AT] >> 4,
        .count = (payload.data[PLACE_AT] & 15u) + 1,
        .size = wrn_load_be16(payload.data + SIZE_AT),
        .id = wrn_load_be16(payload.data + ID_AT),
        .total = wrn_load_be16(payload.data + TOTAL_AT),
    };
    if (payload.size < (size_t)WRN_PAYLOAD_PIECE_HEAD + piece.size) {
        return WRN_PIECES_SHORT;
    }
    enum wrn_pieces_refusal refusal = check(&piece);
    if (refusal == WRN_PIECES_NONE) {
        *ret_piece = piece;
    }
    return refusal;
}

size_t wrn_pieces_memory_size(void) {
    return sizeof(struct wrn_pieces);
}

struct wrn_pieces *wrn_pieces_init(void *memory) {
    WRN_ASSERT((uintptr_t)memory % ALIGNMENT == 0);
    return memory;
}

enum wrn_pieces_refusal wrn_pieces_add(struct wrn_pieces *pieces, wrn_mono now, wrn_handle peer,
                                       wrn_span payload, struct wrn_pieces_frame *ret_frame) {
    struct wrn_piece piece;
    uint32_t at;
    *ret_frame = (struct wrn_pieces_frame){0};
    enum wrn_pieces_refusal refusal = wrn_pieces_read(payload, &piece);
    if (refusal != WRN_PIECES_NONE) {
        return count(pieces, refusal);
    }
    bool is_known = find(pieces, peer, piece.id, &at);
    if (is_known) {
        const struct slot *known = &pieces->slots[at];
        if (is_late(known, now)) {
            give_up(pieces, at, WRN_PIECES_LATE);
            is_known = false;
        } else if (known->total != piece.total || known->count != piece.count ||
                   known->each != piece.each) {
            give_up(pieces, at, WRN_PIECES_CONFLICT);
            is_known = false;
        } else if ((known->missing & 1u << piece.index) == 0) {
            return count(pieces, WRN_PIECES_DUPLICATE);
        }
    }
    if (!is_known && !begin(pieces, now, peer, &piece, &at)) {
        return count(pieces, WRN_PIECES_CROWDED);
    }
    struct slot *slot = &pieces->slots[at];
    memcpy(pieces->bytes[at] + piece.at, payload.data + WRN_PAYLOAD_PIECE_HEAD, piece.size);
    slot->missing &= ~(1u << piece.index);
    if (slot->missing == 0) {
        pieces->waiting &= ~(UINT64_C(1) << at);
        pieces->held |= UINT64_C(1) << at;
        pieces->held_count++;
        *ret_frame = (struct wrn_pieces_frame){pieces->bytes[at], slot->total};
        (void)count(pieces, WRN_PIECES_NONE);
    }
    return WRN_PIECES_NONE;
}

void wrn_pieces_release(struct wrn_pieces *pieces) {
    pieces->held = 0;
    pieces->held_count = 0;
}

uint32_t wrn_pieces_held(const struct wrn_pieces *pieces) {
    return pieces->held_count;
}

uint32_t wrn_pieces_waiting(const struct wrn_pieces *pieces) {
    uint32_t waiting = 0;
    for (uint64_t left = pieces->waiting; left != 0; left &= left - 1) {
        waiting++;
    }
    return waiting;
}

void wrn_pieces_add_counts(const struct wrn_pieces *pieces,
                           uint64_t counts[WRN_PIECES_REFUSAL_COUNT]) {
    for (size_t i = 0; i < WRN_PIECES_REFUSAL_COUNT; i++) {
        counts[i] += atomic_load_explicit(&pieces->counts[i], memory_order_relaxed);
    }
}

/* Finds out how large the pieces of its frame are, and whether one of them can be this. */
static enum wrn_pieces_refusal check(struct wrn_piece *piece) {
    if (piece->total < FRAME_MIN || piece->total > WRN_PAYLOAD_FRAME_MAX) {
        return WRN_PIECES_TOTAL;
    }
    if (piece->count < 2 || piece->index >= piece->count) {
        return WRN_PIECES_INDEX;
    }
    uint32_t others = piece->count - 1;
    if (piece->size == 0 || piece->size >= piece->total) {
        return WRN_PIECES_SIZE;
    }
    if (piece->index < others) {
        piece->each = piece->size;
    } else if ((piece->total - piece->size) % others == 0) {
        piece->each = (piece->total - piece->size) / others;
    } else {
        return WRN_PIECES_SIZE;
    }
    uint32_t before_last = piece->each * others;
    if (before_last >= piece->total || piece->total - before_last > piece->each) {
        return WRN_PIECES_SIZE;
    }
    piece->at = piece->index * piece->each;
    return WRN_PIECES_NONE;
}

/* Finds the frame of a member that waits under this number. */
static bool find(const struct wrn_pieces *pieces, wrn_handle peer, uint16_t id,
                 uint32_t *ret_slot) {
    for (uint64_t left = pieces->waiting; left != 0; left &= left - 1) {
        uint32_t at = (uint32_t)__builtin_ctzll(left);
        const struct slot *slot = &pieces->slots[at];
        if (slot->id == id && wrn_handle_equal(slot->peer, peer)) {
            *ret_slot = at;
            return true;
        }
    }
    return false;
}

/* Takes a slot for a new frame: a free one, the member's own oldest if it has its share, or one of
 * whoever has the most. False: all are handed out. */
static bool begin(struct wrn_pieces *pieces, wrn_mono now, wrn_handle peer,
                  const struct wrn_piece *piece, uint32_t *ret_slot) {
    uint32_t oldest;
    uint32_t own = clear_out(pieces, now, peer, piece->id, &oldest);
    if (own >= WRN_PIECES_SHARE) {
        give_up(pieces, oldest, WRN_PIECES_CROWDED);
    } else if ((pieces->waiting | pieces->held) == UINT64_MAX) {
        if (pieces->waiting == 0) {
            return false;
        }
        give_up(pieces, choose_victim(pieces), WRN_PIECES_CROWDED);
    }
    uint32_t at = (uint32_t)__builtin_ctzll(~(pieces->waiting | pieces->held));
    pieces->waiting |= UINT64_C(1) << at;
    pieces->slots[at] = (struct slot){
        .peer = peer,
        .born = now,
        .order = pieces->next_order++,
        .total = piece->total,
        .each = piece->each,
        .count = piece->count,
        .missing = (1u << piece->count) - 1,
        .id = piece->id,
    };
    *ret_slot = at;
    return true;
}

/* Gives up what is late, and what of this member is far from its frame 'id'. Returns how many
 * frames of the member wait, and which is the oldest. */
static uint32_t clear_out(struct wrn_pieces *pieces, wrn_mono now, wrn_handle peer, uint16_t id,
                          uint32_t *ret_oldest) {
    uint32_t own = 0;
    *ret_oldest = 0;
    for (uint64_t left = pieces->waiting; left != 0; left &= left - 1) {
        uint32_t at = (uint32_t)__builtin_ctzll(left);
        const struct slot *slot = &pieces->slots[at];
        bool is_own = wrn_handle_equal(slot->peer, peer);
        uint16_t ahead = (uint16_t)(id - slot->id);
        if (is_late(slot, now)) {
            give_up(pieces, at, WRN_PIECES_LATE);
        } else if (is_own && ahead >= WRN_PIECES_WINDOW &&
                   ahead <= UINT16_MAX + 1 - WRN_PIECES_WINDOW) {
            give_up(pieces, at, WRN_PIECES_PASSED);
        } else if (is_own) {
            if (own == 0 || slot->order < pieces->slots[*ret_oldest].order) {
                *ret_oldest = at;
            }
            own++;
        }
    }
    return own;
}

/* Chooses the oldest frame of the member that has the most; some frame must be waiting. Only when
 * all slots are taken, which takes several members that lose pieces. */
static uint32_t choose_victim(const struct wrn_pieces *pieces) {
    uint32_t most = 0, victim = 0;
    for (uint64_t left = pieces->waiting; left != 0; left &= left - 1) {
        uint32_t at = (uint32_t)__builtin_ctzll(left);
        const struct slot *slot = &pieces->slots[at];
        uint32_t same = 0;
        for (uint64_t others = pieces->waiting; others != 0; others &= others - 1) {
            same += wrn_handle_equal(pieces->slots[__builtin_ctzll(others)].peer, slot->peer);
        }
        if (same > most || (same == most && slot->order < pieces->slots[victim].order)) {
            most = same;
            victim = at;
        }
    }
    return victim;
}

static bool is_late(const struct slot *slot, wrn_mono now) {
    return wrn_mono_since(now, slot->born) >= WRN_MS(WRN_PIECES_AGE_MS);
}

static void give_up(struct wrn_pieces *pieces, uint32_t slot, enum wrn_pieces_refusal reason) {
    pieces->waiting &= ~(UINT64_C(1) << slot);
    (void)count(pieces, reason);
}

static enum wrn_pieces_refusal count(struct wrn_pieces *pieces, enum wrn_pieces_refusal reason) {
    /* no read-modify-write: nobody else writes it */
    uint64_t before = atomic_load_explicit(&pieces->counts[reason], memory_order_relaxed);
    atomic_store_explicit(&pieces->counts[reason], before + 1, memory_order_relaxed);
    return reason;
}
