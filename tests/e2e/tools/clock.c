/* SPDX-License-Identifier: Apache-2.0 */
/* Loaded before a program, it makes the program's wall clock go wrong by CLOCK_AHEAD_S seconds;
 * the clocks that nobody can set stay as they are. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    static long ahead_s;
    if (!real) {
        const char *text = getenv("CLOCK_AHEAD_S");
        ahead_s = text ? strtol(text, NULL, 10) : 0;
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    }
    int result = real(id, time);
    if (result == 0 && id == CLOCK_REALTIME) {
        time->tv_sec += ahead_s;
    }
    return result;
}
