/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of warren-sim. Runs nothing. */
#pragma once
#include "sim/scenario.h"

enum sim_action { SIM_ACTION_PLAY, SIM_ACTION_LIST, SIM_ACTION_HELP, SIM_ACTION_VERSION };

struct sim_args {
    enum sim_action action;
    const struct sim_scenario *scenario;
    struct sim_options options;
    bool is_range; /* several seeds, from options.seed to last_seed */
    uint64_t last_seed;
    bool is_json;
    bool shows_trace;
    const char *plot_path; /* where the picture goes, NULL: none; lives as long as argv */
};

enum { SIM_ARGS_WHY_SIZE = 200 };

/* Reads the command line. Returns 0, or -EINVAL with the reason and what to do in 'reterr_why'. */
WRN_NODISCARD int sim_args_parse(int argc, char *const *argv, struct sim_args *ret_args,
                                 char reterr_why[SIM_ARGS_WHY_SIZE]);
