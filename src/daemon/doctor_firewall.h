/* SPDX-License-Identifier: Apache-2.0 */
/* Tells from what `nft -j list ruleset` prints whether a new datagram to a port of ours would be
 * dropped. Pure. */
#pragma once
#include <jansson.h>

#include "base/base.h"

enum { WRN_FIREWALL_NAME_SIZE = 64 };

/* The chain that drops it. */
struct wrn_firewall_drop {
    char family[WRN_FIREWALL_NAME_SIZE], table[WRN_FIREWALL_NAME_SIZE];
    char chain[WRN_FIREWALL_NAME_SIZE];
    bool by_policy; /* no rule takes it, and what no rule takes is dropped; else by a rule */
};

/* Follows a datagram from another host to UDP 'port' through each chain of the input hook. True
 * only if it is sure to be dropped: a rule that it does not understand might take it. */
bool wrn_firewall_drops(const json_t *ruleset, uint16_t port, struct wrn_firewall_drop *ret_drop);
