/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors in the event loop: one callback each, readiness reported until it is served. Thin
 * layer over libuv's poll handles that owns their memory; does not own the descriptors. */
#pragma once
#include "base/base.h"

typedef struct uv_loop_s uv_loop_t;
struct wrn_watch;

/* What to wait for. */
enum { WRN_WATCH_READ = 1, WRN_WATCH_WRITE = 2 };

/* Called in the loop when the descriptor is ready for 'events'. An error of the descriptor counts
 * as ready for all: the next call on it tells. The callback may close the watch. */
typedef void (*wrn_watch_fn)(void *ctx, int fd, int events);

/* Watches 'fd' for 'events' (0: not yet) until wrn_watch_close. Returns 0, or -errno. */
WRN_NODISCARD int wrn_watch_open(uv_loop_t *loop, int fd, int events, wrn_watch_fn on_ready,
                                 void *ctx, struct wrn_watch **ret_watch);

/* Waits for other events from now on, 0 for none. */
void wrn_watch_set(struct wrn_watch *watch, int events);

/* Ends the watch: no callback comes any more, and the descriptor may be closed at once. The memory
 * is given back by the loop's next rounds. NULL is fine. */
void wrn_watch_close(struct wrn_watch *watch);
