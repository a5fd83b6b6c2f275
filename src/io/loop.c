/* SPDX-License-Identifier: Apache-2.0 */
/* Opens and closes a program's event loop. Waits for nothing but the closing of handles. */
#include "io/loop.h"

#include <signal.h>

#include "base/base.h"

static const int signal_numbers[WRN_LOOP_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

static void close_handle(uv_handle_t *handle, void *unused);

void wrn_loop_open(uv_loop_t *loop, uv_signal_t signals[WRN_LOOP_SIGNALS], uv_signal_cb on_signal) {
    int error = uv_loop_init(loop);
    WRN_ASSERT(error == 0);
    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < WRN_LOOP_SIGNALS; i++) {
        error = uv_signal_init(loop, &signals[i]);
        error = error != 0 ? error : uv_signal_start(&signals[i], on_signal, signal_numbers[i]);
        WRN_ASSERT(error == 0);
    }
}

/* Who asks for the end twice is not to cut it short: libuv gives a signal back to the system, which
 * kills, when its handle is closed. */
void wrn_loop_close(uv_loop_t *loop) {
    sigset_t asked;
    (void)sigemptyset(&asked);
    for (size_t i = 0; i < WRN_LOOP_SIGNALS; i++) {
        (void)sigaddset(&asked, signal_numbers[i]);
    }
    (void)pthread_sigmask(SIG_BLOCK, &asked, NULL);
    uv_walk(loop, close_handle, NULL);
    (void)uv_run(loop, UV_RUN_DEFAULT);
    int error = uv_loop_close(loop);
    WRN_ASSERT(error == 0); /* every handle is closed */
    for (size_t i = 0; i < WRN_LOOP_SIGNALS; i++) {
        (void)signal(signal_numbers[i], SIG_IGN); /* libuv's threads block nothing, and stay */
    }
}

static void close_handle(uv_handle_t *handle, void *unused) {
    (void)unused;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}
