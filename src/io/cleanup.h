/* SPDX-License-Identifier: Apache-2.0 */
/* Locals that clean up after themselves on every early return. For code at the operating-system
 * edge only; the core owns nothing that needs it. */
#pragma once
#include <stdlib.h>
#include <unistd.h>
#include "base/base.h"

/* On a local variable: calls 'function' with its address when the variable goes out of scope. */
#define WRN_CLEANUP(function) __attribute__((cleanup(function)))

/* Closes the descriptor at 'fd' if there is one (≥ 0) and sets it to -1. Keeps errno. */
static inline void wrn_close_fd(int *fd) {
    if (*fd >= 0) {
        int saved = errno;
        (void)close(*fd);
        errno = saved;
        *fd = -1;
    }
}

/* Gives the descriptor at 'fd' to the caller, so that its cleanup finds nothing left to close. */
static inline int wrn_take_fd(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}
