/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's two clocks, and a timer that can wait for a point on the first. The only place that
 * reads the time for the tunnel. */
#pragma once
#include "base/clock.h"

/* Reads both clocks once. The monotonic one counts while the machine sleeps (CLOCK_BOOTTIME):
 * session keys must be too old after a night in suspend. */
struct wrn_now wrn_clock_read(void);

/* Makes a timer on the monotonic clock; its descriptor is readable once it has run out.
 * Non-blocking, close-on-exec. Returns 0 and sets 'ret_fd' (the caller closes it), or -errno. */
WRN_NODISCARD int wrn_timer_open(int *ret_fd);

/* Makes the timer run out at 'due' (at once if that has passed); WRN_MONO_NEVER stops it. */
void wrn_timer_set(int fd, wrn_mono due);

/* Takes note that the timer ran out, so that its descriptor is no longer readable. */
void wrn_timer_clear(int fd);

/* Closes the timer. */
void wrn_timer_close(int fd);
