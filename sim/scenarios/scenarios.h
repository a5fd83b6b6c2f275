/* SPDX-License-Identifier: Apache-2.0 */
/* The scenarios by name. What each is for, its own file says. */
#pragma once
#include "sim/scenario.h"

extern const struct sim_scenario sim_links;
extern const struct sim_scenario sim_nat_zoo_probe;
extern const struct sim_scenario sim_sleepers;
extern const struct sim_scenario sim_chatter;
extern const struct sim_scenario sim_split;
extern const struct sim_scenario sim_join;
