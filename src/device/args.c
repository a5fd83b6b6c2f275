/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the command line. Keeps no state. */
#include "device/args.h"

#include <limits.h>

#include "wg/uapi.h"

static int take_option(struct wrn_args *args, int argc, char *const *argv, int *i,
                       struct wrn_args_error *error);
static int take_value(const char *name, int argc, char *const *argv, int *i,
                      const char **ret_value);
static int check(const struct wrn_args *args, struct wrn_args_error *error);
static bool is_one_of(const char *argument, const char *short_form, const char *long_form);
static const char *first_of(const char *argument, const char *variable, const char *otherwise);
static int refuse(const char *why, const char *argument, struct wrn_args_error *error);

int wrn_args_parse(int argc, char *const *argv, struct wrn_args *ret_args,
                   struct wrn_args_error *reterr_error) {
    struct wrn_args args = {.action = WRN_ARGS_RUN};
    bool options_end = false;
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (!options_end && argument[0] == '-') {
            options_end = strcmp(argument, "--") == 0;
            int error = options_end ? 0 : take_option(&args, argc, argv, &i, reterr_error);
            if (error != 0) {
                return error;
            }
            if (args.action == WRN_ARGS_HELP || args.action == WRN_ARGS_VERSION) {
                *ret_args = (struct wrn_args){.action = args.action};
                return 0;
            }
        } else if (args.interface == NULL) {
            args.interface = argument;
        } else if (args.action == WRN_ARGS_SET) { /* all that follows is changes */
            args.changes = argv + i;
            args.change_count = (size_t)(argc - i);
            break;
        } else {
            return refuse("only one interface can be named; more than that is", argument,
                          reterr_error);
        }
    }
    int error = check(&args, reterr_error);
    if (error == 0) {
        *ret_args = args;
    }
    return error;
}

int wrn_args_read_serving(const struct wrn_args *args, const char *workers, const char *offloads,
                          const char *aead, struct wrn_args_serving *ret_serving,
                          struct wrn_args_error *reterr_error) {
    static const struct {
        const char *name;
        enum wrn_crypto_provider provider;
    } providers[] = {{"auto", WRN_CRYPTO_AUTO},
                     {"openssl", WRN_CRYPTO_OPENSSL},
                     {"ipsec-mb", WRN_CRYPTO_IPSEC_MB}};
    struct wrn_args_serving serving = {0};
    workers = first_of(args->workers, workers, "1");
    offloads = first_of(args->offloads, offloads, "all");
    aead = first_of(args->aead, aead, "auto");
    if (strcmp(workers, "auto") != 0 &&
        !wrn_uapi_read_workers((wrn_span){(const uint8_t *)workers, strlen(workers)},
                               &serving.workers)) {
        return refuse("the number of workers is auto or from 1 to 64, not", workers, reterr_error);
    }
    if (!wrn_uapi_read_offloads((wrn_span){(const uint8_t *)offloads, strlen(offloads)},
                                &serving.offloads)) {
        return refuse("offloads are all, none, or names of csum, tso4, tso6, uso, gso, gro with "
                      "commas between, not",
                      offloads, reterr_error);
    }
    for (size_t i = 0; i < WRN_COUNT(providers); i++) {
        if (strcmp(aead, providers[i].name) == 0) {
            serving.provider = providers[i].provider;
            *ret_serving = serving;
            return 0;
        }
    }
    return refuse("the AEAD is auto, openssl or ipsec-mb, not", aead, reterr_error);
}

int wrn_args_parse_fd(const char *text, int *ret_fd) {
    long fd = 0;
    if (*text == '\0') {
        return -EINVAL;
    }
    for (const char *c = text; *c != '\0'; c++) {
        if (*c < '0' || *c > '9') {
            return -EINVAL;
        }
        fd = fd * 10 + (*c - '0');
        if (fd > INT_MAX) {
            return -EINVAL;
        }
    }
    *ret_fd = (int)fd;
    return 0;
}

/* Reads the option argv[*i], and its value, which moves '*i' on. */
static int take_option(struct wrn_args *args, int argc, char *const *argv, int *i,
                       struct wrn_args_error *error) {
    static const struct {
        const char *short_form;
        const char *long_form;
        enum wrn_args_action action;
    } actions[] = {{"-h", "--help", WRN_ARGS_HELP},
                   {"-V", "--version", WRN_ARGS_VERSION},
                   {"", "--drops", WRN_ARGS_DROPS},
                   {"", "--show", WRN_ARGS_SHOW},
                   {"", "--set", WRN_ARGS_SET}};
    const struct {
        const char *name;
        const char **value;
    } values[] = {{"--workers", &args->workers},
                  {"--offloads", &args->offloads},
                  {"--aead", &args->aead},
                  {"--user", &args->user}};
    const char *argument = argv[*i];
    for (size_t k = 0; k < WRN_COUNT(actions); k++) {
        if (is_one_of(argument, actions[k].short_form, actions[k].long_form)) {
            bool is_final =
                actions[k].action == WRN_ARGS_HELP || actions[k].action == WRN_ARGS_VERSION;
            if (args->action != WRN_ARGS_RUN && args->action != actions[k].action && !is_final) {
                return refuse("only one thing at a time; too much is", argument, error);
            }
            args->action = actions[k].action;
            return 0;
        }
    }
    for (size_t k = 0; k < WRN_COUNT(values); k++) {
        int taken = take_value(values[k].name, argc, argv, i, values[k].value);
        if (taken != 0) {
            return taken > 0 ? 0 : refuse("a value is missing behind", argument, error);
        }
    }
    if (is_one_of(argument, "-f", "--foreground")) {
        args->foreground = true;
    } else if (is_one_of(argument, "-v", "--verbose")) {
        args->verbose = true;
    } else {
        return refuse("there is no option", argument, error);
    }
    return 0;
}

/* Takes "NAME VALUE" or "NAME=VALUE". Returns 1, 0 if argv[*i] is another option, or -EINVAL. */
static int take_value(const char *name, int argc, char *const *argv, int *i,
                      const char **ret_value) {
    size_t length = strlen(name);
    if (strncmp(argv[*i], name, length) != 0) {
        return 0;
    }
    if (argv[*i][length] == '=') {
        *ret_value = argv[*i] + length + 1;
        return 1;
    }
    if (argv[*i][length] != '\0') {
        return 0;
    }
    if (*i + 1 >= argc) {
        return -EINVAL;
    }
    *ret_value = argv[++*i];
    return 1;
}

/* Looks whether all of it makes sense together. */
static int check(const struct wrn_args *args, struct wrn_args_error *error) {
    bool runs = args->action == WRN_ARGS_RUN;
    if (args->interface == NULL) {
        return refuse("the name of the interface is missing", NULL, error);
    }
    if (args->verbose && args->action != WRN_ARGS_DROPS) {
        return refuse("-v belongs to --drops; for a verbose log set LOG_LEVEL=verbose", NULL,
                      error);
    }
    if (args->foreground && !runs) {
        return refuse("-f belongs to the start of an interface, not to a question or change", NULL,
                      error);
    }
    if (!runs && (args->workers != NULL || args->offloads != NULL || args->aead != NULL ||
                  args->user != NULL)) {
        return refuse(
            "--workers, --offloads, --aead and --user belong to the start of an interface; to "
            "change a running one: --set INTERFACE workers=N offloads=LIST",
            NULL, error);
    }
    if (args->action == WRN_ARGS_SET && args->change_count == 0) {
        return refuse("nothing to set: KEY=VALUE is missing, such as workers=2", NULL, error);
    }
    return 0;
}

static bool is_one_of(const char *argument, const char *short_form, const char *long_form) {
    return strcmp(argument, short_form) == 0 || strcmp(argument, long_form) == 0;
}

/* What the command line says comes before what the environment says. */
static const char *first_of(const char *argument, const char *variable, const char *otherwise) {
    if (argument != NULL) {
        return argument;
    }
    return variable != NULL && *variable != '\0' ? variable : otherwise;
}

static int refuse(const char *why, const char *argument, struct wrn_args_error *error) {
    *error = (struct wrn_args_error){.why = why, .argument = argument};
    return -EINVAL;
}
