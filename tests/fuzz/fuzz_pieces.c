/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no piece makes putting together read or write outside of what there is, take more than its
 * room, or make a frame of bytes that did not come in. Method: the input is a list of pieces, each
 * with its member, a step of time and its length before it, in memory of its own size. Each byte of
 * a frame that comes out must stand in a piece that came in, at its place. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "switch/pieces.h"

/* What must hold for any input, in every build. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { PIECE_HEAD = 3, MEMBERS = 6 };

static void check_frame(const uint8_t *input, size_t end, uint8_t who,
                        const struct wrn_pieces_frame *frame, uint16_t id);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    void *memory = calloc(1, wrn_pieces_memory_size() + 64);
    HOLDS(memory != NULL);
    struct wrn_pieces *pieces = wrn_pieces_init((void *)wrn_align_up((uintptr_t)memory, 64));
    wrn_mono now = {WRN_S(1)};
    size_t at = 0;
    uint64_t given = 0, left = 0, counts[WRN_PIECES_REFUSAL_COUNT] = {0};
    while (size - at >= PIECE_HEAD) {
        uint8_t who = data[at] % MEMBERS;
        size_t length = data[at + 2] * 8u;
        now = wrn_mono_add(now, WRN_MS(data[at + 1]));
        at += PIECE_HEAD;
        length = length < size - at ? length : size - at;
        uint8_t *exact = malloc(length > 0 ? length : 1);
        HOLDS(exact != NULL);
        memcpy(exact, data + at, length);
        at += length;
        struct wrn_pieces_frame frame;
        enum wrn_pieces_refusal refusal =
            wrn_pieces_add(pieces, now, (wrn_handle){.index = who, .generation = 1},
                           (wrn_span){exact, length}, &frame);
        HOLDS(refusal == WRN_PIECES_NONE || frame.size == 0);
        HOLDS(wrn_pieces_waiting(pieces) + wrn_pieces_held(pieces) <= WRN_PIECES_FRAMES_MAX);
        if (frame.size > 0) {
            HOLDS(frame.size >= 14 && frame.size <= WRN_PAYLOAD_FRAME_MAX);
            check_frame(data, at, who, &frame, wrn_load_be16(exact + 4));
            given++;
        }
        if (data[at - length - PIECE_HEAD] >= 128) {
            wrn_pieces_release(pieces);
        }
        left += refusal != WRN_PIECES_NONE;
        free(exact);
    }
    wrn_pieces_add_counts(pieces, counts);
    HOLDS(counts[WRN_PIECES_NONE] == given);
    HOLDS(counts[WRN_PIECES_SHORT] + counts[WRN_PIECES_TYPE] <= left);
    free(memory);
    return 0;
}

/* Looks for the bytes of a frame in the pieces of its member and number. */
static void check_frame(const uint8_t *input, size_t end, uint8_t who,
                        const struct wrn_pieces_frame *frame, uint16_t id) {
    static bool is_known[WRN_PAYLOAD_FRAME_MAX];
    memset(is_known, 0, sizeof is_known);
    for (size_t at = 0; end - at >= PIECE_HEAD;) {
        size_t length = input[at + 2] * 8u;
        bool is_his = input[at] % MEMBERS == who;
        struct wrn_piece piece;
        at += PIECE_HEAD;
        length = length < end - at ? length : end - at;
        if (is_his && wrn_pieces_read((wrn_span){input + at, length}, &piece) == WRN_PIECES_NONE &&
            piece.id == id && piece.total == frame->size) {
            for (uint32_t i = 0; i < piece.size; i++) {
                is_known[piece.at + i] |=
                    frame->bytes[piece.at + i] == input[at + WRN_PAYLOAD_PIECE_HEAD + i];
            }
        }
        at += length;
    }
    for (size_t i = 0; i < frame->size; i++) {
        HOLDS(is_known[i]);
    }
}
