/* SPDX-License-Identifier: Apache-2.0 */
/* Serves metrics over HTTP, at a Unix socket or an address of this host: docs/metrics.md. What it
 * costs is bounded: connections, bytes and seconds of each, texts a second. */
#pragma once
#include <jansson.h>
#include <sys/types.h>

#include "daemon/daemon.h"

struct wrn_metrics;

enum {
    WRN_METRICS_CONNECTIONS_MAX = 16,
    WRN_METRICS_HEAD_S = 5,    /* a request has to be there in */
    WRN_METRICS_WHOLE_S = 30,  /* ... and its answer taken */
    WRN_METRICS_FRESH_MS = 250 /* so old a text is given out again */
};

/* Tells whether 'place' says where to serve: "unix:PATH", or "ADDRESS:PORT" with an address, not a
 * name. */
bool wrn_metrics_is_place(const char *place);

/* Prepares, as root, that the user 'uid' can serve at 'place' ("": nowhere). */
void wrn_metrics_prepare(const char *place, uid_t uid);

/* Serves at 'place' (wrn_metrics_is_place), which is borrowed. What does not work out is said in
 * the log, and by wrn_metrics_describe; warrend does without it then. Returns 0 or -ENOMEM. */
WRN_NODISCARD int wrn_metrics_create(struct wrn_daemon *daemon, const char *place,
                                     struct wrn_metrics **ret_metrics);

/* Ends it: closes all connections, removes the socket. To be called before wrn_daemon_destroy; the
 * loop must run once more. NULL is fine. */
void wrn_metrics_destroy(struct wrn_metrics *metrics);

/* Why they are not served, a sentence with the next step; NULL: they are. */
const char *wrn_metrics_why(const struct wrn_metrics *metrics);

/* Where they are served, or why not: {"at", "serves", "text", "requests"}. New object of the
 * caller's, NULL without memory. */
json_t *wrn_metrics_describe(const struct wrn_metrics *metrics);
