/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the daemon over its control socket (docs/control.md), and takes its answers apart. Decides
 * nothing: what a command means, the daemon knows. */
#pragma once
#include <jansson.h>

#include "cli/command.h"

/* Options of all commands that ask the daemon, and of those that are about one network. */
#define WRN_CALL_SOCKET                                                                            \
    {                                                                                              \
        "socket", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "PATH",                                       \
            "where the daemon answers, if not at $WARREN_SOCKET or /run/warren/warrend.sock"       \
    }
#define WRN_CALL_NETWORK                                                                           \
    {                                                                                              \
        "network", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "NETWORK",                                   \
            "which network, by name or id, if this machine is in several"                          \
    }

/* Where the daemon answers if nobody says anything else. */
#define WRN_CALL_SOCKET_PATH "/run/warren/warrend.sock"

/* The path of the socket: --socket, else $WARREN_SOCKET, else the usual one. */
const char *wrn_call_path(const struct wrn_args *args);

/* Connects to the daemon. Returns a descriptor, or -errno. */
int wrn_call_connect(const char *path);

/* Calls a method with 'params', whose reference is given up, and waits for the answer: for the
 * "timeout_s" among the parameters, or a minute, and some seconds. Returns WRN_CLI_DONE and the
 * result, a new reference, or what wrn_cli_fail returned. */
WRN_NODISCARD int wrn_call(struct wrn_cli *cli, const struct wrn_args *args, const char *method,
                           json_t *params, json_t **ret_result);

/* Asks at 'path' and waits for so long; gives the reference to 'params' up. Returns 0 and the whole
 * answer, a new reference (NULL: what came is no JSON), or -errno. Says nothing. */
WRN_NODISCARD int wrn_call_ask(struct wrn_cli *cli, const char *path, const char *method,
                               json_t *params, int64_t patience_ms, json_t **ret_answer);

/* The same as wrn_call, with the parameter "network" from the option --network if that is given. */
WRN_NODISCARD int wrn_call_network(struct wrn_cli *cli, const struct wrn_args *args,
                                   const char *method, json_t *params, json_t **ret_result);

/* Takes a line apart that answers a request: WRN_CLI_DONE and the result, a new reference, or what
 * wrn_cli_fail returned. */
WRN_NODISCARD int wrn_call_read(struct wrn_cli *cli, const char *line, json_t **ret_result);

/* Says that the daemon cannot be reached, and why; returns WRN_CLI_NO_DAEMON. */
int wrn_call_complain(struct wrn_cli *cli, const char *path, int error);

/* Set a parameter from an option if it is given: as a text, as a whole number (another is refused;
 * wrn_call_number takes it from 'text', which messages call 'what'), or as a point in time ("30d",
 * "2026-12-24") in Unix seconds. Return WRN_CLI_DONE or what wrn_cli_fail returned. */
WRN_NODISCARD int wrn_call_text_option(struct wrn_cli *cli, const struct wrn_args *args,
                                       const char *option, const char *name, json_t *params);
WRN_NODISCARD int wrn_call_number_option(struct wrn_cli *cli, const struct wrn_args *args,
                                         const char *option, const char *name, json_t *params);
WRN_NODISCARD int wrn_call_number(struct wrn_cli *cli, const char *what, const char *text,
                                  const char *name, json_t *params);
WRN_NODISCARD int wrn_call_time_option(struct wrn_cli *cli, const struct wrn_args *args,
                                       const char *option, const char *name, json_t *params);

/* Sets a parameter to the list of an option's values, if there are any. */
void wrn_call_list_option(struct wrn_cli *cli, const struct wrn_args *args, const char *option,
                          const char *name, json_t *params);

/* Sets a parameter to true if a flag is given. */
void wrn_call_flag_option(struct wrn_cli *cli, const struct wrn_args *args, const char *option,
                          const char *name, json_t *params);

/* ---- Answers. Texts are in memory of the run, without control characters. ---- */

/* A member that is a text; NULL if it is not there, or null. */
const char *wrn_call_text(struct wrn_cli *cli, const json_t *object, const char *name);

/* The texts of a list, with 'between' between them; "" if there are none. */
const char *wrn_call_join(struct wrn_cli *cli, const json_t *list, const char *between);

/* A number of bytes, a span of time, and a point in time ("never": null) as people like them. */
const char *wrn_call_bytes(struct wrn_cli *cli, json_int_t bytes);
const char *wrn_call_span(struct wrn_cli *cli, json_int_t s);
const char *wrn_call_time(struct wrn_cli *cli, const json_t *s);

/* Prints a result as JSON if that is wanted, and gives it up then: true. */
bool wrn_call_prints_json(struct wrn_cli *cli, json_t *result);
