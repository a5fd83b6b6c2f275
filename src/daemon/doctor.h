/* SPDX-License-Identifier: Apache-2.0 */
/* Looks for what keeps this host's networks from working, and says how it is mended. Changes
 * nothing. docs/netcheck.md has the list. */
#pragma once
#include <jansson.h>

#include "daemon/daemon.h"
#include "daemon/portmap.h"

struct wrn_service_names;
struct wrn_hooks;
struct wrn_metrics;

/* What it looks at; NULL: that part is switched off. */
struct wrn_doctor_subject {
    struct wrn_daemon *daemon;
    const struct wrn_portmap *portmap;
    const struct wrn_service_names *names;
    const struct wrn_hooks *hooks;
    const struct wrn_metrics *metrics;
    const json_t *ruleset; /* of `nft -j list ruleset`; NULL: it could not be read */
};

/* Makes the report {"findings": [{"what", "state": "ok", "warning" or "fault", "text", "fix"}]}:
 * faults first. "fix" is "" where nothing is to be done. Reads files, asks the kernel; waits for
 * nobody. New object; NULL without memory. */
json_t *wrn_doctor(const struct wrn_doctor_subject *subject);
