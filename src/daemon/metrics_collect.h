/* SPDX-License-Identifier: Apache-2.0 */
/* What warrend's metrics are: docs/metrics.md lists them. Reads the daemon, changes nothing. */
#pragma once
#include "daemon/daemon.h"
#include "daemon/metrics_text.h"

enum { WRN_METRICS_PEERS_MAX = 512 }; /* that have samples of their own, in all networks */

/* What is counted about the metrics themselves. */
struct wrn_metrics_counts {
    uint64_t requests[8]; /* by wrn_metrics_status_index */
    uint64_t cut;         /* connections that took too long, or gave way to others */
    uint64_t events[WRN_NODE_EVENT_KINDS];
};

/* The HTTP statuses that are counted: the 'index'th one, 0: there are no more. */
uint32_t wrn_metrics_status(size_t index);

/* Writes all metrics of the daemon. O(networks * reasons + peers). */
void wrn_metrics_collect(const struct wrn_daemon *daemon, const struct wrn_metrics_counts *counts,
                         struct wrn_metrics_text *text);

/* metrics_process.c: writes what is known of the process (process_...), as far as that can be
 * read. */
void wrn_metrics_process(struct wrn_metrics_text *text);
