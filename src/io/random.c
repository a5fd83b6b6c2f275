/* SPDX-License-Identifier: Apache-2.0 */
/* Draws from the kernel: large wishes one by one, small ones in bulk. */
#include "io/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "crypto/crypto.h"

enum { SMALL = 24 }; /* bytes: a cookie's nonce. Keys are larger, never drawn in advance */

static void fill(void *ctx, void *bytes, size_t size);
static void draw(void *bytes, size_t size);

struct wrn_rand wrn_random_source(struct wrn_random *random) {
    return (struct wrn_rand){.fill = fill, .ctx = random};
}

static void fill(void *ctx, void *bytes, size_t size) {
    struct wrn_random *random = ctx;
    if (size > SMALL) {
        draw(bytes, size);
        return;
    }
    if (random->left < size) {
        draw(random->buffer, sizeof random->buffer);
        random->left = sizeof random->buffer;
    }
    uint8_t *next = random->buffer + sizeof random->buffer - random->left;
    memcpy(bytes, next, size);
    wrn_wipe(next, size);
    random->left -= size;
}

static void draw(void *bytes, size_t size) {
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
