/* SPDX-License-Identifier: Apache-2.0 */
/* Opens and closes a program's event loop. Waits for nothing but the closing of handles. */
#include "io/loop.h"

#include <signal.h>

#include "base/base.h"

static void close_handle(uv_handle_t *handle, void *unused);

void wrn_loop_open(uv_loop_t *loop, uv_signal_t signals[WRN_LOOP_SIGNALS], uv_signal_cb on_signal) {
    static const int numbers[WRN_LOOP_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    int error = uv_loop_init(loop);
    WRN_ASSERT(error == 0);
    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < WRN_LOOP_SIGNALS; i++) {
        error = uv_signal_init(loop, &signals[i]);
        error = error != 0 ? error : uv_signal_start(&signals[i], on_signal, numbers[i]);
        WRN_ASSERT(error == 0);
    }
}

void wrn_loop_close(uv_loop_t *loop) {
    uv_walk(loop, close_handle, NULL);
    (void)uv_run(loop, UV_RUN_DEFAULT);
    int error = uv_loop_close(loop);
    WRN_ASSERT(error == 0); /* every handle is closed */
}

static void close_handle(uv_handle_t *handle, void *unused) {
    (void)unused;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}
