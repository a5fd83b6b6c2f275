/* SPDX-License-Identifier: Apache-2.0 */
/* Runs other programs: with a text as their input, a bound on time and output, and an environment
 * that has nothing of ours. The steward starts them (io/steward.h): those that it trusts with its
 * rights, all others as the daemon's user, without capabilities. Knows nothing of what they are
 * for. */
#pragma once
#include "base/base.h"

typedef struct uv_loop_s uv_loop_t;
struct wrn_spawn;

enum {
    WRN_SPAWN_OUTPUT_MAX = 4 << 20, /* the most that can be asked for */
    WRN_SPAWN_ARGS_MAX = 32,        /* with the program's name */
};

struct wrn_spawn_options {
    /* Program (a path, or a name that is looked for in the standard folders) and arguments, then
     * NULL. Only read during the call, as all of this. */
    const char *const *args;
    wrn_span input;
    uint32_t timeout_ms; /* then it and all that it began are killed */
    size_t output_max;   /* bytes of its standard output that are kept; 0: it goes to /dev/null, as
                          * its standard error always does */
    void *ctx;
    /* Called once when it has ended: 'status' is its exit code, 128 and the signal that ended it,
     * -ETIMEDOUT, or another -errno. 'output' is good during the call. May be NULL. */
    void (*on_end)(void *ctx, int status, wrn_span output);
};

/* Starts a program in the loop. Returns 0, or -errno (on_end is not called then). */
WRN_NODISCARD int wrn_spawn_start(uv_loop_t *loop, const struct wrn_spawn_options *options,
                                  struct wrn_spawn **ret_spawn);

/* Has it killed; on_end is not called any more. The loop must run once more. NULL is fine. Not to
 * be used once on_end was called. */
void wrn_spawn_cancel(struct wrn_spawn *spawn);

/* Runs a program and waits for it: for the very end only, when the loop turns no more. Its output
 * goes to /dev/null. Returns its exit code, 128 and a signal, -ETIMEDOUT or another -errno. */
int wrn_spawn_wait(const char *const *args, wrn_span input, uint32_t timeout_ms);

/* Finds a program in the standard folders (the search path of root). False: none is there. */
bool wrn_spawn_exists(const char *name);
