/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the programs in FOLDER/EVENT.d/ when something has happened, with the event as JSON on their
 * standard input. docs/hooks.md. */
#pragma once
#include <jansson.h>

#include "io/log.h"

typedef struct uv_loop_s uv_loop_t;
struct wrn_hooks;

enum {
    WRN_HOOKS_TIMEOUT_S = 30,   /* of one program; then it is killed */
    WRN_HOOKS_WAITING_MAX = 64, /* events of one kind that wait for their turn; more are left out */
    WRN_HOOKS_KINDS_MAX = 32,
    WRN_HOOKS_PROGRAMS_MAX = 64, /* of one kind */
};

/* Prepares for programs in 'folder' (borrowed). 'timeout_s': 0 is WRN_HOOKS_TIMEOUT_S. Returns 0 or
 * -ENOMEM. */
WRN_NODISCARD int wrn_hooks_create(uv_loop_t *loop, struct wrn_log *log, const char *folder,
                                   uint32_t timeout_s, struct wrn_hooks **ret_hooks);

/* Kills what runs. The loop must run once more. NULL is fine. */
void wrn_hooks_destroy(struct wrn_hooks *hooks);

/* Something has happened: 'event' is its name ("peer.up"), 'json' a line about it. Of each kind one
 * program runs at a time, in the order of their names, one event after the other. */
void wrn_hooks_run(struct wrn_hooks *hooks, const char *event, const char *json);

/* Counts for reports: {"folder", "runs", "failures", "left_out"}. New object, NULL without
 * memory. */
json_t *wrn_hooks_status(const struct wrn_hooks *hooks);
