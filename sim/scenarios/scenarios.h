/* SPDX-License-Identifier: Apache-2.0 */
/* The scenarios by name. What each is for, its own file says. */
#pragma once
#include "sim/scenario.h"

extern const struct sim_scenario sim_links;
extern const struct sim_scenario sim_nat_zoo_probe;
extern const struct sim_scenario sim_laptops;
extern const struct sim_scenario sim_chatter;
extern const struct sim_scenario sim_split;
extern const struct sim_scenario sim_join;
extern const struct sim_scenario sim_flash_crowd;
extern const struct sim_scenario sim_idle;
extern const struct sim_scenario sim_bootstrap_death;
extern const struct sim_scenario sim_massacre;
extern const struct sim_scenario sim_massacre_data;
extern const struct sim_scenario sim_churn;
extern const struct sim_scenario sim_lookups;
extern const struct sim_scenario sim_broadcast;
extern const struct sim_scenario sim_sums;
extern const struct sim_scenario sim_crawl;
extern const struct sim_scenario sim_nat_zoo;
extern const struct sim_scenario sim_user_traffic;
extern const struct sim_scenario sim_relay_death;
extern const struct sim_scenario sim_partition_heal;
extern const struct sim_scenario sim_two_rings;
extern const struct sim_scenario sim_lan;
extern const struct sim_scenario sim_lossy;
extern const struct sim_scenario sim_clock_skew;
extern const struct sim_scenario sim_sleepers;
extern const struct sim_scenario sim_sybil;
extern const struct sim_scenario sim_flood;
extern const struct sim_scenario sim_hostile;
extern const struct sim_scenario sim_thieves;
extern const struct sim_scenario sim_mixed;
extern const struct sim_scenario sim_networks;
extern const struct sim_scenario sim_networks_mixed;
extern const struct sim_scenario sim_owner_gone;
extern const struct sim_scenario sim_leases;
extern const struct sim_scenario sim_leases_parted;
extern const struct sim_scenario sim_revoke;
extern const struct sim_scenario sim_asleep;
extern const struct sim_scenario sim_wrong_clock;
extern const struct sim_scenario sim_wrong_clock_join;
extern const struct sim_scenario sim_switch_learning;
extern const struct sim_scenario sim_switch_moves;
extern const struct sim_scenario sim_switch_parts;
extern const struct sim_scenario sim_switch_gateways;
extern const struct sim_scenario sim_switch_pieces;
