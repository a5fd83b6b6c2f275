/* SPDX-License-Identifier: Apache-2.0 */
/* Draws from the kernel on each call. Holds no state. */
#include "io/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static void fill(void *ctx, void *bytes, size_t size);

struct wrn_rand wrn_random_source(void) {
    return (struct wrn_rand){.fill = fill, .ctx = NULL};
}

static void fill(void *ctx, void *bytes, size_t size) {
    (void)ctx;
    uint8_t *next = bytes;
    while (size > 0) {
        ssize_t got = getrandom(next, size, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            (void)fprintf(stderr, "warren: the kernel gives no random numbers (getrandom: %s)\n",
                          strerror(errno));
            abort();
        }
        next += got;
        size -= (size_t)got;
    }
}
