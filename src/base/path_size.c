/* SPDX-License-Identifier: Apache-2.0 */
/* From the largest size that usual links leave down: silence is a try, an answer the end of it. */
#include "base/path_size.h"

enum { USUAL = 1500 /* of the underlay, where 'top' fits just so */ };

/* Sizes that links on the way often have: PPPoE; with a tunnel in it; ... */
static const uint16_t underlays[] = {USUAL, 1492, 1480, 1460, 1428, 1400};

static void look(struct wrn_path_size *size, wrn_mono now);
static void next_size(struct wrn_path_size *size, wrn_mono now);
static uint32_t size_at(const struct wrn_path_size *size, uint32_t step);
static void failed(struct wrn_path_size *size, wrn_mono now);

void wrn_path_size_set(struct wrn_path_size *size, wrn_mono now, uint32_t base, uint32_t top,
                       uint32_t confirm_s) {
    *size = (struct wrn_path_size){
        .base = base,
        .top = top,
        .current = base,
        .nonce = size->nonce,
        .confirm_s = confirm_s,
        .due = WRN_MONO_NEVER,
    };
    if (top > base) {
        look(size, now);
    }
}

bool wrn_path_size_on_time(struct wrn_path_size *size, wrn_mono now) {
    if (!wrn_mono_reached(now, size->due)) {
        return false;
    }
    if (size->is_waiting) {
        failed(size, now);
    }
    if (!wrn_mono_reached(now, size->due)) {
        return false;
    }
    if (size->is_confirming && wrn_mono_reached(now, size->look_at)) {
        look(size, now); /* the way may have become wider */
    }
    if (size->is_confirming && size->probed == size->base) { /* nothing to confirm */
        size->due = size->look_at;
        return false;
    }
    return true;
}

void wrn_path_size_sent(struct wrn_path_size *size, wrn_mono now) {
    size->nonce++;
    size->is_waiting = true;
    size->due = wrn_mono_add(now, WRN_MS(WRN_PATH_SIZE_ANSWER_MS));
}

void wrn_path_size_put_off(struct wrn_path_size *size, wrn_mono at) {
    size->due = at;
}

bool wrn_path_size_on_answer(struct wrn_path_size *size, wrn_mono now, uint32_t probed,
                             uint32_t nonce) {
    if (!size->is_waiting || probed != size->probed || nonce != size->nonce) {
        return false;
    }
    size->current = probed;
    size->step = WRN_COUNT(underlays); /* smaller ones fit, too */
    next_size(size, now);
    return true;
}

/* From the top again, while what was found goes on to count. */
static void look(struct wrn_path_size *size, wrn_mono now) {
    size->step = 0;
    size->look_at = wrn_mono_add(now, WRN_S(WRN_PATH_SIZE_LOOK_S));
    next_size(size, now);
}

/* The next smaller size that is more than what counts already; none: that is confirmed. */
static void next_size(struct wrn_path_size *size, wrn_mono now) {
    while (size->step < WRN_COUNT(underlays) && size_at(size, size->step) <= size->current) {
        size->step++;
    }
    size->tries = 0;
    size->is_waiting = false;
    size->is_confirming = size->step >= WRN_COUNT(underlays);
    if (size->is_confirming) {
        size->probed = size->current;
        size->due =
            size->current > size->base ? wrn_mono_add(now, WRN_S(size->confirm_s)) : size->look_at;
    } else {
        size->probed = size_at(size, size->step);
        size->due = now;
    }
}

static uint32_t size_at(const struct wrn_path_size *size, uint32_t step) {
    uint32_t less = (uint32_t)USUAL - underlays[step];
    return size->top > less ? size->top - less : 0;
}

/* Nobody has answered in time. */
static void failed(struct wrn_path_size *size, wrn_mono now) {
    size->is_waiting = false;
    size->tries++;
    if (size->is_confirming && size->tries >= WRN_PATH_SIZE_CONFIRM_TRIES) {
        size->current = size->base;
        look(size, now);
    } else if (!size->is_confirming && size->tries >= WRN_PATH_SIZE_TRIES) {
        size->step++;
        next_size(size, now);
    }
}
