/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's parts put together. */
#include "daemon/daemon.h"

#include <stdlib.h>

#include "io/clock.h"

struct wrn_daemon {
    uv_loop_t *loop;
    struct wrn_log *log;
    const struct wrn_daemon_options *options;
    struct wrn_node_out *out;
    struct wrn_daemon_listener *listeners;
};

int wrn_daemon_create(uv_loop_t *loop, const struct wrn_daemon_options *options,
                      struct wrn_log *log, int folder_fd, const uint8_t seed[WRN_SEED_SIZE],
                      struct wrn_daemon **ret_daemon, char reterr_why[WRN_DAEMON_WHY_SIZE]) {
    struct wrn_daemon *daemon = calloc(1, sizeof *daemon);
    (void)folder_fd;
    (void)seed;
    if (daemon == NULL) {
        memcpy(reterr_why, "no memory is left", sizeof "no memory is left");
        return -ENOMEM;
    }
    daemon->loop = loop;
    daemon->log = log;
    daemon->options = options;
    *ret_daemon = daemon;
    return 0;
}

void wrn_daemon_destroy(struct wrn_daemon *daemon) {
    free(daemon);
}

uv_loop_t *wrn_daemon_loop(const struct wrn_daemon *daemon) {
    return daemon->loop;
}

struct wrn_log *wrn_daemon_log(const struct wrn_daemon *daemon) {
    return daemon->log;
}

const struct wrn_daemon_options *wrn_daemon_options(const struct wrn_daemon *daemon) {
    return daemon->options;
}
