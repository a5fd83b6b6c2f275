/* SPDX-License-Identifier: Apache-2.0 */
/* A train of messages whose lengths nobody has told. Opens nothing, trusts nothing: what is cut in
 * the wrong place fails to authenticate. */
#pragma once
#include "base/base.h"

/* Finds how long the messages are that stand one behind the other in 'train': all have one size
 * but the last, which may be shorter. Returns that size, or 'train.size' if it is a single message,
 * or nothing that we know. A single data message passes for more with a probability of 2^-53: its
 * ciphertext would have to contain eight bytes of a header. Cost: one search through the bytes. */
size_t wrn_wg_train_size(wrn_span train);
