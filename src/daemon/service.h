/* SPDX-License-Identifier: Apache-2.0 */
/* What warrend does for its host besides carrying packets: answers DNS questions, tells the host's
 * resolver of them, asks routers for a port, runs hooks, and finds out what is wrong. Nothing of it
 * can stop the tunnel: what fails goes to the log and into the reports. */
#pragma once
#include <jansson.h>

#include "daemon/daemon.h"

struct wrn_service;
struct wrn_attach;
struct wrn_audit;

/* Starts all that the daemon's options ask for. 'daemon' must outlive it. Returns 0 or -ENOMEM. */
WRN_NODISCARD int wrn_service_create(struct wrn_daemon *daemon, struct wrn_service **ret_service);

/* Ends it: takes back what routers and the host's resolver were told (3 s at most), ends hooks.
 * To be called before wrn_daemon_destroy; the loop must run once more. NULL is fine. */
void wrn_service_destroy(struct wrn_service *service);

/* Called once with a report, which becomes the callee's; NULL if the service ends before. */
typedef void (*wrn_service_report_fn)(void *ctx, json_t *report);

/* Has a report made: how this host reaches others (netcheck.h), and what is wrong and how it is
 * mended (doctor.h). It comes in some milliseconds, and at most after 10 s. */
void wrn_service_netcheck(struct wrn_service *service, wrn_service_report_fn on_report, void *ctx);
void wrn_service_doctor(struct wrn_service *service, wrn_service_report_fn on_report, void *ctx);

/* Describes what is done for one network ("dns": where questions are answered, who of the host
 * knows of it, and what to do if nobody does), or for all (NONE: "port_mapping", "hooks"). New
 * object of the caller's, NULL without memory. For `warren status`. */
json_t *wrn_service_status(const struct wrn_service *service, wrn_handle network);

/* The ports of the bridges of this host's l2 networks. */
struct wrn_attach *wrn_service_attach(const struct wrn_service *service);

/* Where decisions about memberships are written down. */
struct wrn_audit *wrn_service_audit(const struct wrn_service *service);
