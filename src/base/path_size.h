/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out how much reaches another host in one piece: probes of a size, which nobody may fragment
 * and the other host answers. From the largest size down; what was found is confirmed now and then,
 * and looked for anew each ten minutes. What the caller takes for granted ('base') is never probed.
 * Source of the idea: RFC 8899 (DPLPMTUD). */
#pragma once
#include "base/base.h"
#include "base/clock.h"

enum {
    WRN_PATH_SIZE_ANSWER_MS = 1000,  /* so long an answer is waited for */
    WRN_PATH_SIZE_TRIES = 2,         /* of a size that is looked for */
    WRN_PATH_SIZE_CONFIRM_TRIES = 3, /* of one that was found: then it is 'base' again */
    WRN_PATH_SIZE_LOOK_S = 600,
};

struct wrn_path_size {
    uint32_t base, top;     /* bytes: surely; perhaps */
    uint32_t current;       /* what counts */
    uint32_t probed, nonce; /* of the probe to send, or under way */
    uint32_t step, tries, confirm_s;
    bool is_waiting, is_confirming;
    wrn_mono due, look_at;
};

/* Begins: 'base' counts, and up to 'top' is looked for, at once (the same: nothing is). What was
 * found is confirmed after so many seconds. Numbers of probes go on. */
void wrn_path_size_set(struct wrn_path_size *size, wrn_mono now, uint32_t base, uint32_t top,
                       uint32_t confirm_s);

/* Does what is due ('due', NEVER: nothing): 'current' may be smaller after that. Returns whether a
 * probe of 'probed' bytes, which is numbered at wrn_path_size_sent, is to be sent now. */
bool wrn_path_size_on_time(struct wrn_path_size *size, wrn_mono now);

/* It is being sent, with the number 'nonce'; or not now, but at 'at', as if nothing was due. */
void wrn_path_size_sent(struct wrn_path_size *size, wrn_mono now);
void wrn_path_size_put_off(struct wrn_path_size *size, wrn_mono at);

/* An answer came, to a probe of that size and number: 'current' may be larger after that. Others
 * than the one under way mean nothing. Returns whether it was that. */
bool wrn_path_size_on_answer(struct wrn_path_size *size, wrn_mono now, uint32_t probed,
                             uint32_t nonce);
