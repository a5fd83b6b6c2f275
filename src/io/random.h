/* SPDX-License-Identifier: Apache-2.0 */
/* The operating system's random numbers as a source for the machines. Buffers nothing, so that
 * nothing has to be wiped and a fork cannot repeat it. */
#pragma once
#include "base/rand.h"

/* Returns the source that draws from getrandom(2). It never fails: without random numbers there are
 * no keys, so the process ends with a message instead. */
struct wrn_rand wrn_random_source(void);
