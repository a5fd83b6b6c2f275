/* SPDX-License-Identifier: Apache-2.0 */
/* Makes, joins, shows and leaves networks. */
#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

#include "cli/paint.h"
#include "cli/remote.h"
#include "crypto/crypto.h"
#include "io/cleanup.h"
#include "io/memory.h"

enum { INVITATION_MAX = 8192, JOIN_WAIT_S = 20 };

static int run_create(struct wrn_cli *cli, const struct wrn_args *args);
static int run_list(struct wrn_cli *cli, const struct wrn_args *args);
static int run_show(struct wrn_cli *cli, const struct wrn_args *args);
static int run_meet(struct wrn_cli *cli, const struct wrn_args *args);
static int run_leave(struct wrn_cli *cli, const struct wrn_args *args);
static int run_delete(struct wrn_cli *cli, const struct wrn_args *args);
static int run_join(struct wrn_cli *cli, const struct wrn_args *args);
static int call_on_network(struct wrn_cli *cli, const struct wrn_args *args, const char *method,
                           json_t **ret_result);
static int read_invitation(struct wrn_cli *cli, const char *operand, const char **ret_text);
static int read_text(struct wrn_cli *cli, const char *path, const char **ret_text);
static json_t *wait_for_address(struct wrn_cli *cli, const struct wrn_args *args, json_t *network);
static void print_details(struct wrn_cli *cli, const json_t *network);
static void print_meeting(struct wrn_cli *cli, const json_t *meeting);

static const struct wrn_option create_options[] = {
    {"ipv4", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "RANGE",
     "its addresses, if not a free /16 of 10.0.0.0/8"},
    {"ipv6", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "RANGE", "the same: a /64 of fd00::/8"},
    {"open", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "let anybody be on its ring; only members have addresses"},
    {"l2", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "one Ethernet for all members; ranges of addresses only if they are given"},
    {"dhcp", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "with --l2 --ipv4: answer this machine's own DHCP client"},
    {"overlap", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "even if a route of this machine leads to some of its addresses"},
    {"host-name", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "NAME",
     "what this machine is called in it, if not as its host name says"},
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_network_create = {
    .name = "network create",
    .summary = "make a network whose owner this machine is",
    .operand = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .options = create_options,
    .option_count = WRN_COUNT(create_options),
    .details = "The owner signs the network's description once and can do everything in it. He\n"
               "may go offline for ever after he has promoted others. Keep a copy of the\n"
               "daemon's identity (/var/lib/warren/identity): nobody can make it again.\n",
    .example = "  warren network create home\n"
               "  warren network create lab --ipv4 10.77.0.0/24\n"
               "  warren network create plant --l2\n",
    .run = run_create,
};

static const struct wrn_option socket_options[] = {WRN_CALL_SOCKET};

const struct wrn_command wrn_network_list = {
    .name = "network list",
    .summary = "list the networks that this machine is in",
    .options = socket_options,
    .option_count = WRN_COUNT(socket_options),
    .details = "One a line: name, state, address, interface, the first digits of its id.\n",
    .example = "  warren network list\n",
    .run = run_list,
};

const struct wrn_command wrn_network_show = {
    .name = "network show",
    .summary = "show a network: its ranges, owner, and what this machine is in it",
    .operand = "NETWORK",
    .operands_max = 1,
    .options = socket_options,
    .option_count = WRN_COUNT(socket_options),
    .details = "A network is named by its name or the first 8 or more digits of its id; without\n"
               "a name it is the only one.\n",
    .example = "  warren network show home\n",
    .run = run_show,
};

static const struct wrn_option meet_options[] = {
    {"off", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL, "do so no more"},
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_network_meet = {
    .name = "network meet",
    .summary = "let members find this machine, and look for them, through an open network",
    .operand = "NETWORK OPEN",
    .operands_min = 1,
    .operands_max = 2,
    .options = meet_options,
    .option_count = WRN_COUNT(meet_options),
    .details = "OPEN is another network of this machine, made with --open: where members of\n"
               "NETWORK look when all addresses that they know are out of date. Each says there\n"
               "where it is, sealed for members of NETWORK; others see neither the network nor\n"
               "the addresses. To be told on every machine that is to find or be found.\n",
    .example = "  warren network meet home plaza\n"
               "  warren network meet home --off\n",
    .run = run_meet,
};

const struct wrn_command wrn_network_leave = {
    .name = "network leave",
    .summary = "leave a network for good",
    .operand = "NETWORK",
    .operands_min = 1,
    .operands_max = 1,
    .options = socket_options,
    .option_count = WRN_COUNT(socket_options),
    .details = "Gives address and name back, takes the interface away and forgets the\n"
               "membership: to come back takes another invitation.\n",
    .example = "  warren network leave home\n",
    .run = run_leave,
};

const struct wrn_command wrn_network_delete = {
    .name = "network delete",
    .summary = "end a network that this machine owns, for all its members",
    .operand = "NETWORK",
    .operands_min = 1,
    .operands_max = 1,
    .options = socket_options,
    .option_count = WRN_COUNT(socket_options),
    .details = "Signs that the network is over and tells all members: they send nothing in it\n"
               "any more, show since when, and keep their state until they leave. Those that are\n"
               "off learn it from the others when they come back. Only the owner can, and it\n"
               "cannot be undone. Interface, state and invitations go from this machine.\n",
    .example = "  warren network delete home\n",
    .run = run_delete,
};

static const struct wrn_option join_options[] = {
    {"host-name", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "NAME",
     "what this machine is called in it, if not as its host name says"},
    {"no-address", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "take no address: be there to relay for others only"},
    {"no-name", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL, "take no name"},
    {"overlap", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "even if a route of this machine leads to some of its addresses"},
    {"no-wait", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "do not wait until there are an address and a name"},
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_join = {
    .name = "join",
    .summary = "join a network that this machine was invited to",
    .operand = "INVITATION",
    .operands_min = 1,
    .operands_max = 1,
    .options = join_options,
    .option_count = WRN_COUNT(join_options),
    .details = "INVITATION is - for standard input, where the line that warren invite printed\n"
               "can be pasted, or a file with it. It is a secret until it is spent: the line\n"
               "itself may stand there, too, but other users see the arguments of commands for a\n"
               "moment, and shells keep them. The exit code is 1 if others have used it up.\n",
    .example = "  warren join home.invitation\n",
    .run = run_join,
};

static int run_create(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = wrn_cli_json_object(cli);
    json_t *network = NULL;
    wrn_cli_json_set(cli, params, "name", wrn_cli_json_text(cli, args->operands[0]));
    int code = wrn_call_text_option(cli, args, "ipv4", "ipv4", params);
    code = code != WRN_CLI_DONE ? code : wrn_call_text_option(cli, args, "ipv6", "ipv6", params);
    code = code != WRN_CLI_DONE ? code
                                : wrn_call_text_option(cli, args, "host-name", "host_name", params);
    wrn_call_flag_option(cli, args, "open", "open", params);
    wrn_call_flag_option(cli, args, "dhcp", "dhcp_server", params);
    wrn_call_flag_option(cli, args, "overlap", "overlap", params);
    if (wrn_args_has(args, "l2")) {
        wrn_cli_json_set(cli, params, "kind", wrn_cli_json_text(cli, "l2"));
    }
    if (code != WRN_CLI_DONE) {
        json_decref(params);
        return code;
    }
    code = wrn_call(cli, args, "network.create", params, &network);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, network)) {
        return code;
    }
    wrn_status_print_network(cli, network);
    (void)fprintf(cli->out, "\nInvite another machine:  warren invite %s\n",
                  wrn_call_text(cli, network, "name"));
    json_decref(network);
    return code;
}

static int run_list(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *result = NULL;
    int code = wrn_call(cli, args, "network.list", wrn_cli_json_object(cli), &result);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, result)) {
        return code;
    }
    const json_t *networks = json_object_get(result, "networks");
    struct wrn_columns columns;
    wrn_columns_init(&columns, cli, 5);
    for (size_t i = 0; i < json_array_size(networks); i++) {
        const json_t *network = json_array_get(networks, i);
        const char *id = wrn_call_text(cli, network, "id");
        wrn_columns_add(&columns,
                        (struct wrn_cell[]){{.text = wrn_call_text(cli, network, "name")},
                                            {.text = wrn_call_text(cli, network, "state")},
                                            {.text = wrn_call_text(cli, network, "ipv4")},
                                            {.text = wrn_call_text(cli, network, "interface")},
                                            {.text = wrn_cli_text(cli, "%.16s", id)}});
    }
    wrn_columns_print(&columns);
    if (wrn_status_print_unserved(cli, result) && json_array_size(networks) == 0) {
        (void)fputs("in no network; make one: warren network create NAME, or join one: warren join "
                    "INVITATION\n",
                    cli->out);
    }
    json_decref(result);
    return code;
}

static int run_show(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = wrn_cli_json_object(cli);
    json_t *network = NULL;
    if (args->operand_count > 0) {
        wrn_cli_json_set(cli, params, "network", wrn_cli_json_text(cli, args->operands[0]));
    }
    int code = wrn_call(cli, args, "network.show", params, &network);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, network)) {
        return code;
    }
    wrn_status_print_network(cli, network);
    print_details(cli, network);
    json_decref(network);
    return code;
}

static int run_meet(struct wrn_cli *cli, const struct wrn_args *args) {
    bool is_off = wrn_args_has(args, "off");
    json_t *result = NULL;
    if (is_off == (args->operand_count == 2)) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE,
                            "say through which open network, or --off: warren network meet %s OPEN",
                            args->operands[0]);
    }
    json_t *params = wrn_cli_json_object(cli);
    wrn_cli_json_set(cli, params, "network", wrn_cli_json_text(cli, args->operands[0]));
    if (is_off) {
        wrn_cli_json_set(cli, params, "off", json_true());
    } else {
        wrn_cli_json_set(cli, params, "through", wrn_cli_json_text(cli, args->operands[1]));
    }
    int code = wrn_call(cli, args, "network.meet", params, &result);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, result)) {
        return code;
    }
    if (is_off) {
        (void)fprintf(cli->out, "%s is not looked for elsewhere any more\n", args->operands[0]);
    } else {
        (void)fprintf(cli->out,
                      "members of %s that are told the same find this machine through %s now\n",
                      args->operands[0], args->operands[1]);
    }
    json_decref(result);
    return WRN_CLI_DONE;
}

static int run_leave(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *result = NULL;
    int code = call_on_network(cli, args, "network.leave", &result);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, result)) {
        return code;
    }
    (void)fprintf(cli->out, "left %s\n", args->operands[0]);
    json_decref(result);
    return code;
}

static int run_delete(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *result = NULL;
    int code = call_on_network(cli, args, "network.delete", &result);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, result)) {
        return code;
    }
    json_int_t told = json_integer_value(json_object_get(result, "told"));
    if (told > 0) {
        (void)fprintf(cli->out,
                      "gave up %s; it has ended for its members: told %" JSON_INTEGER_FORMAT
                      " that %s connected now, others learn it from %s\n",
                      args->operands[0], told, told == 1 ? "is" : "are", told == 1 ? "it" : "them");
    } else {
        (void)fprintf(cli->out, "gave up %s; no member was connected who could be told\n",
                      args->operands[0]);
    }
    json_decref(result);
    return code;
}

static int run_join(struct wrn_cli *cli, const struct wrn_args *args) {
    const char *text = NULL;
    json_t *params = wrn_cli_json_object(cli);
    json_t *network = NULL;
    wrn_memory_forbid_core_dumps();
    int code = read_invitation(cli, args->operands[0], &text);
    code = code != WRN_CLI_DONE ? code
                                : wrn_call_text_option(cli, args, "host-name", "host_name", params);
    if (code != WRN_CLI_DONE) {
        json_decref(params);
        return code;
    }
    wrn_cli_json_set(cli, params, "invitation", wrn_cli_json_text(cli, text));
    wrn_call_flag_option(cli, args, "no-address", "no_address", params);
    wrn_call_flag_option(cli, args, "no-name", "no_name", params);
    wrn_call_flag_option(cli, args, "overlap", "overlap", params);
    code = wrn_call(cli, args, "join", params, &network);
    if (code == WRN_CLI_DONE && !wrn_args_has(args, "no-wait")) {
        network = wait_for_address(cli, args, network);
    }
    if (code == WRN_CLI_DONE && json_is_true(json_object_get(network, "spent"))) {
        code = wrn_cli_fail(cli, WRN_CLI_REFUSED, "%s", wrn_call_text(cli, network, "trouble"));
        json_decref(network);
        return code;
    }
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, network)) {
        return code;
    }
    (void)fputs("joined\n", cli->out);
    wrn_status_print_network(cli, network);
    (void)fputs("\nWho is there:  warren member list\n", cli->out);
    json_decref(network);
    return code;
}

/* Of the network that is the operand. */
static int call_on_network(struct wrn_cli *cli, const struct wrn_args *args, const char *method,
                           json_t **ret_result) {
    json_t *params = wrn_cli_json_object(cli);
    wrn_cli_json_set(cli, params, "network", wrn_cli_json_text(cli, args->operands[0]));
    return wrn_call(cli, args, method, params, ret_result);
}

/* A line is one by its beginning; a path cannot be mistaken for it. */
static int read_invitation(struct wrn_cli *cli, const char *operand, const char **ret_text) {
    static const char beginning[] = "warren:";
    if (strncasecmp(operand, beginning, sizeof beginning - 1) == 0) {
        *ret_text = wrn_cli_text(cli, "%s", operand);
        wrn_wipe((char *)(uintptr_t)operand, strlen(operand)); /* ps(1) shows it while we wait */
        return WRN_CLI_DONE;
    }
    return read_text(cli, operand, ret_text);
}

static int read_text(struct wrn_cli *cli, const char *path, const char **ret_text) {
    bool is_input = strcmp(path, "-") == 0;
    bool is_typed = is_input && isatty(STDIN_FILENO) == 1;
    char *text = wrn_cli_take(cli, INVITATION_MAX + 1, 1);
    size_t used = 0;
    ssize_t got = 1;
    WRN_CLEANUP(wrn_close_fd) int fd = is_input ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (!is_input && fd < 0) {
        return wrn_cli_fail(
            cli, WRN_CLI_REFUSED,
            "%s is neither an invitation (one begins with \"warren:1:\") nor a file "
            "with one: %s",
            wrn_cli_quote(cli, path), strerror(errno));
    }
    if (is_typed) {
        (void)fputs("Paste the invitation, and press Enter:\n", cli->err);
    }
    while (got > 0 && used < INVITATION_MAX && !(is_typed && memchr(text, '\n', used) != NULL)) {
        got = read(is_input ? STDIN_FILENO : fd, text + used, INVITATION_MAX - used);
        used += got > 0 ? (size_t)got : 0;
    }
    bool is_whole = got == 0 || (is_typed && got > 0 && used < INVITATION_MAX);
    bool is_empty = strspn(text, " \t\r\n") == used;
    if (!is_whole || is_empty || memchr(text, '\0', used) != NULL) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED, "%s holds no invitation: %s",
                            is_input ? "standard input" : wrn_cli_quote(cli, path),
                            got < 0    ? strerror(errno)
                            : is_empty ? "it is empty; put the line there that warren invite prints"
                                       : "it is longer, or no text");
    }
    *ret_text = text;
    return WRN_CLI_DONE;
}

/* Joining is done; the address comes when the ring was found. That it does not come in time is
 * shown by what the network is then. Gives 'network' up, and returns its present state. */
static json_t *wait_for_address(struct wrn_cli *cli, const struct wrn_args *args, json_t *network) {
    json_t *params = wrn_cli_json_object(cli);
    json_t *result = NULL;
    const char *id = wrn_call_text(cli, network, "id");
    FILE *nowhere = fopen("/dev/null", "we");
    bool wants_address = !wrn_args_has(args, "no-address");
    wrn_cli_json_set(cli, params, "network", wrn_cli_json_text(cli, id));
    wrn_cli_json_set(cli, params, "for",
                     wrn_cli_json_text(cli, wants_address ? "ready" : "connected"));
    wrn_cli_json_set(cli, params, "timeout_s", json_integer(JOIN_WAIT_S));
    if (nowhere == NULL) {
        json_decref(params);
        return network;
    }
    struct wrn_cli quiet = *cli; /* a refusal is no failure of this command */
    quiet.out = quiet.err = nowhere;
    quiet.json = false;
    int code = wrn_call(&quiet, args, "wait", params, &result);
    if (code != WRN_CLI_DONE) {
        params = wrn_cli_json_object(&quiet);
        wrn_cli_json_set(&quiet, params, "network", wrn_cli_json_text(&quiet, id));
        code = wrn_call(&quiet, args, "network.show", params, &result);
    }
    cli->blocks = quiet.blocks; /* what was taken meanwhile */
    (void)fclose(nowhere);
    if (code != WRN_CLI_DONE) {
        return network;
    }
    json_decref(network);
    return result;
}

static void print_details(struct wrn_cli *cli, const json_t *network) {
    const json_t *ranges = json_object_get(network, "ranges");
    const char *ipv4 = wrn_call_text(cli, ranges, "ipv4");
    const char *ipv6 = wrn_call_text(cli, ranges, "ipv6");
    const char *resolver = wrn_call_text(cli, network, "resolver");
    const json_t *routes = json_object_get(network, "routes");
    (void)fprintf(cli->out, "  ranges: %s%s%s\n", ipv4 != NULL ? ipv4 : "",
                  ipv4 != NULL && ipv6 != NULL ? ", " : "", ipv6 != NULL ? ipv6 : "");
    (void)fprintf(cli->out, "  id: %s\n", wrn_call_text(cli, network, "id"));
    (void)fprintf(cli->out, "  owner: %s\n", wrn_call_text(cli, network, "owner"));
    (void)fprintf(cli->out, "  created: %s\n",
                  wrn_call_time(cli, json_object_get(network, "created_s")));
    (void)fprintf(cli->out, "  open: %s\n",
                  json_is_true(json_object_get(network, "open")) ? "yes" : "no");
    (void)fprintf(cli->out, "  this machine's NAT: %s\n", wrn_call_text(cli, network, "nat"));
    if (resolver != NULL) {
        (void)fprintf(cli->out, "  resolver: %s\n", resolver);
    }
    print_meeting(cli, json_object_get(network, "meeting"));
    if (json_array_size(routes) > 0) {
        (void)fprintf(cli->out, "  routes: %s\n", wrn_call_join(cli, routes, ", "));
    }
}

static void print_meeting(struct wrn_cli *cli, const json_t *meeting) {
    const char *through = wrn_call_text(cli, meeting, "through");
    if (!json_is_object(meeting)) {
        return;
    }
    if (through == NULL) {
        (void)fprintf(cli->out,
                      "  met through: %.8s…, which this machine is in no more: join it again, or "
                      "name another (warren network meet)\n",
                      wrn_call_text(cli, meeting, "id"));
        return;
    }
    (void)fprintf(cli->out, "  met through: %s (%" JSON_INTEGER_FORMAT " others seen there%s)\n",
                  through, json_integer_value(json_object_get(meeting, "known")),
                  json_is_true(json_object_get(meeting, "said")) ? ""
                                                                 : "; this machine not said yet");
}
