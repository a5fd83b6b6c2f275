/* SPDX-License-Identifier: Apache-2.0 */
/* Options of warren-sim: strict numbers, long names only. */
#include "sim/args.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { MINUTES_MAX = 60 * 24 * 366 };

WRN_PRINTF(2, 3)
static int refuse(char *reterr_why, const char *format, ...);
static int read_option(int option, struct sim_args *args, char *reterr_why);
static int read_range(struct sim_args *args, char *reterr_why);
static int read_number(const char *name, const char *text, uint64_t least, uint64_t most,
                       uint64_t *ret_number, char *reterr_why);

int sim_args_parse(int argc, char *const *argv, struct sim_args *ret_args,
                   char reterr_why[SIM_ARGS_WHY_SIZE]) {
    static const struct option options[] = {
        {"nodes", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'},
        {"scenario", required_argument, NULL, 'c'},
        {"minutes", required_argument, NULL, 'm'},
        {"seeds", required_argument, NULL, 'r'},
        {"cheap", no_argument, NULL, 'x'},
        {"plot", required_argument, NULL, 'p'},
        {"json", no_argument, NULL, 'j'},
        {"trace", no_argument, NULL, 't'},
        {"list", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    struct sim_args args = {.options.seed = 1};
    int option;
    optind = 0; /* from the beginning, each time */
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == '?' || option == ':') {
            return refuse(reterr_why, "%s %s; see --help", argv[optind - 1],
                          option == ':' ? "needs a value" : "is no option");
        }
        if (read_option(option, &args, reterr_why) != 0) {
            return -EINVAL;
        }
    }
    if (optind < argc) {
        return refuse(reterr_why, "\"%s\" is more than was asked for; see --help", argv[optind]);
    }
    if (args.action == SIM_ACTION_PLAY && args.scenario == NULL) {
        return refuse(reterr_why, "which scenario? Name it with --scenario; --list shows them");
    }
    if (args.scenario != NULL && args.options.nodes > args.scenario->nodes_max) {
        return refuse(reterr_why, "--nodes %u: %s takes at most %u", args.options.nodes,
                      args.scenario->name, args.scenario->nodes_max);
    }
    if (args.is_range && (args.is_json || args.shows_trace)) {
        return refuse(reterr_why, "--seeds prints what failed alone; neither --json nor --trace");
    }
    if (args.plot_path != NULL && args.is_range) {
        return refuse(reterr_why, "--plot draws one run; name its --seed");
    }
    if (args.plot_path != NULL && args.scenario != NULL && !args.scenario->draws) {
        return refuse(reterr_why, "--plot: %s has no ring, this scenario draws nothing",
                      args.scenario->name);
    }
    *ret_args = args;
    return 0;
}

static int refuse(char *reterr_why, const char *format, ...) {
    va_list values;
    va_start(values, format);
    (void)vsnprintf(reterr_why, SIM_ARGS_WHY_SIZE, format, values);
    va_end(values);
    return -EINVAL;
}

static int read_option(int option, struct sim_args *args, char *reterr_why) {
    uint64_t number = 0;
    int error = 0;
    switch (option) {
    case 'n':
        error = read_number("--nodes", optarg, 1, UINT32_MAX, &number, reterr_why);
        args->options.nodes = (uint32_t)number;
        break;
    case 'm':
        error = read_number("--minutes", optarg, 1, MINUTES_MAX, &number, reterr_why);
        args->options.minutes = (uint32_t)number;
        break;
    case 's':
        error = read_number("--seed", optarg, 0, UINT64_MAX, &args->options.seed, reterr_why);
        break;
    case 'r':
        error = read_range(args, reterr_why);
        break;
    case 'x':
        args->options.is_cheap = true;
        break;
    case 'c':
        args->scenario = sim_scenario_find(optarg);
        if (args->scenario == NULL) {
            error = refuse(reterr_why, "there is no scenario \"%s\"; --list shows them", optarg);
        }
        break;
    case 'j':
        args->is_json = true;
        break;
    case 't':
        args->shows_trace = true;
        break;
    case 'p':
        args->plot_path = optarg;
        break;
    default:
        args->action = option == 'l'   ? SIM_ACTION_LIST
                       : option == 'h' ? SIM_ACTION_HELP
                                       : SIM_ACTION_VERSION;
        break;
    }
    return error;
}

/* "FROM..TO", both played. */
static int read_range(struct sim_args *args, char *reterr_why) {
    char text[2 * 24];
    size_t length = strlen(optarg);
    if (length >= sizeof text) {
        return refuse(reterr_why, "--seeds takes FROM..TO, not \"%s\"", optarg);
    }
    memcpy(text, optarg, length + 1);
    char *dots = strstr(text, "..");
    if (dots == NULL) {
        return refuse(reterr_why, "--seeds takes FROM..TO, not \"%s\"", optarg);
    }
    *dots = '\0';
    args->is_range = true;
    int error = read_number("--seeds", text, 0, UINT64_MAX - 1, &args->options.seed, reterr_why);
    if (error == 0) {
        error = read_number("--seeds", dots + 2, args->options.seed, UINT64_MAX - 1,
                            &args->last_seed, reterr_why);
    }
    return error;
}

/* Decimal digits only, without sign or space. */
static int read_number(const char *name, const char *text, uint64_t least, uint64_t most,
                       uint64_t *ret_number, char *reterr_why) {
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number < least ||
        number > most) {
        return refuse(reterr_why, "%s takes a number from %llu to %llu, not \"%s\"", name,
                      (unsigned long long)least, (unsigned long long)most, text);
    }
    *ret_number = number;
    return 0;
}
