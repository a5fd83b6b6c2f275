/* SPDX-License-Identifier: Apache-2.0 */
/* Reads clocks and sets timers. Keeps no state. */
#include "io/clock.h"

#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_S = 1000000000 };

struct wrn_now wrn_clock_read(void) {
    struct timespec mono = {0};
    struct timespec wall = {0};
    int mono_failed = clock_gettime(CLOCK_BOOTTIME, &mono);
    int wall_failed = clock_gettime(CLOCK_REALTIME, &wall);
    WRN_ASSERT(mono_failed == 0 && wall_failed == 0); /* both exist since Linux 2.6.39 */
    return (struct wrn_now){
        .mono = {(uint64_t)mono.tv_sec * NS_PER_S + (uint64_t)mono.tv_nsec},
        .wall = {.s = wall.tv_sec, .ns = (uint32_t)wall.tv_nsec},
    };
}

int wrn_timer_open(int *ret_fd) {
    int fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    *ret_fd = fd;
    return 0;
}

void wrn_timer_set(int fd, wrn_mono due) {
    struct itimerspec spec = {0}; /* all zero stops the timer */
    if (due.ns != WRN_MONO_NEVER.ns) {
        uint64_t ns = due.ns == 0 ? 1 : due.ns;
        spec.it_value.tv_sec = (time_t)(ns / NS_PER_S);
        spec.it_value.tv_nsec = (long)(ns % NS_PER_S);
    }
    int failed = timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL);
    WRN_ASSERT(failed == 0);
}

void wrn_timer_clear(int fd) {
    uint64_t times_run_out;
    ssize_t got = read(fd, &times_run_out, sizeof times_run_out);
    (void)got; /* nothing to read: it was set anew in between */
}

void wrn_timer_close(int fd) {
    (void)close(fd);
}
