/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop of a program that ends by signals. */
#pragma once
#include <uv.h>

enum { WRN_LOOP_SIGNALS = 3 }; /* TERM, INT, HUP */

/* Makes the loop, and the signals its business, before there is anything that a signal could leave
 * behind; SIGPIPE, of a log that nobody reads any more, is ignored. 'on_signal' is called in the
 * loop. Ends the program if there is no epoll: nothing can work then. */
void wrn_loop_open(uv_loop_t *loop, uv_signal_t signals[WRN_LOOP_SIGNALS], uv_signal_cb on_signal);

/* Closes the signals and what libuv made for itself, runs what was still to be closed, and ends the
 * loop. All other handles are closed, or being closed, already. The signals do nothing from here
 * on: the program is ending as asked. */
void wrn_loop_close(uv_loop_t *loop);
