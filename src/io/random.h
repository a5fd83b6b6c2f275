/* SPDX-License-Identifier: Apache-2.0 */
/* The operating system's random numbers as a source for the machines. */
#pragma once
#include "base/rand.h"

enum { WRN_RANDOM_BUFFER = 256 };

/* Bytes drawn in advance for small wishes, such as the jitter of a timer; wiped as they are
 * handed out. Zero-initialise it. Not to be used on both sides of a fork. */
struct wrn_random {
    uint8_t buffer[WRN_RANDOM_BUFFER];
    size_t left; /* bytes at the end of the buffer that have not been handed out */
};

/* Returns the source that draws from getrandom(2): keys fresh from the kernel, small numbers out
 * of 'random', which must outlive it. It never fails: without random numbers there are no keys,
 * so the process ends with a message instead. */
struct wrn_rand wrn_random_source(struct wrn_random *random);
