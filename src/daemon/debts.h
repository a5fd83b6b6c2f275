/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon owes the host it runs on, in case it is killed (wrn_steward_owe): the texts that
 * it notes, and how each is made good in the steward. A closed list: a daemon that somebody has
 * taken over gets nothing done by it that it cannot do with its own rights. */
#pragma once
#include "base/address.h"

/* An "unreachable" route (wrn_addresses_block). */
void wrn_debts_owe_route(const struct wrn_prefix *network, bool is_owed);

/* All bridges and VLAN interfaces with this alias. */
void wrn_debts_owe_links(const char *alias, bool is_owed);

/* An interface that has to be down. */
void wrn_debts_owe_down(const char *interface, bool is_owed);

/* A record of resolvconf. */
void wrn_debts_owe_record(const char *record, bool is_owed);

/* A wrn_steward_take_back; 'ctx' as wrn_errands_judge has it. Says nothing: nobody listens. */
void wrn_debts_take_back(void *ctx, const char *debt);
