/* SPDX-License-Identifier: Apache-2.0 */
/* Names of all networks on this host: a DNS server at each network's resolver address, once the
 * address is there, and the host's resolver told of it. Asks the node; answers nothing itself. */
#pragma once
#include <jansson.h>

#include "daemon/daemon.h"

struct wrn_service_names;

/* Starts as the daemon's options say. Returns 0 or -ENOMEM. */
WRN_NODISCARD int wrn_service_names_create(struct wrn_daemon *daemon,
                                           struct wrn_service_names **ret_names);

/* Ends; the host's resolver is told. The loop must run once more. NULL is fine. */
void wrn_service_names_destroy(struct wrn_service_names *names);

/* Networks, interfaces or addresses may have changed: looks again in the loop's next round. */
void wrn_service_names_look(struct wrn_service_names *names);

/* Describes one network: {"address", "answers", "host_asks", "text", ...}. "text" is a sentence,
 * with the next step if one of the two is false. New object; NULL without memory. */
json_t *wrn_service_names_status(const struct wrn_service_names *names, wrn_handle network);
