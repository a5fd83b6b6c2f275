/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon is at: its networks and peers, briefly. */
#include "cli/paint.h"
#include "cli/remote.h"

static const char *by_stream(struct wrn_cli *cli, const json_t *peer);
static int run_status(struct wrn_cli *cli, const struct wrn_args *args);
static int run_peers(struct wrn_cli *cli, const struct wrn_args *args);
static json_t *about(struct wrn_cli *cli, const struct wrn_args *args);
static void print_peer(struct wrn_cli *cli, const json_t *peer);
static void print_transfer(struct wrn_cli *cli, const json_t *peer);
static const char *round_trip(struct wrn_cli *cli, const json_t *peer);
static const char *own_addresses(struct wrn_cli *cli, const json_t *network);
static bool is_ethernet(struct wrn_cli *cli, const json_t *network);
static const char *own_names(struct wrn_cli *cli, const json_t *network);
static const char *or_dash(const char *text);

static const struct wrn_option options[] = {WRN_CALL_SOCKET};

const struct wrn_command wrn_status = {
    .name = "status",
    .summary = "show networks and peers: who, by which path and why, how much",
    .operand = "NETWORK",
    .operands_max = 1,
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "The first lines say of each network whether it is connected, to how many and\n"
               "how; or why not, and what to do. Below is the rest. A peer's path is direct, or\n"
               "relayed by a member that forwards sealed packets; then it says why.\n",
    .example = "  warren status\n"
               "  warren status --json\n",
    .run = run_status,
};

const struct wrn_command wrn_peers = {
    .name = "peers",
    .summary = "list the peers of a network, one a line",
    .operand = "NETWORK",
    .operands_max = 1,
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "Peers are the members that this machine has a path to; all members that are\n"
               "there: warren member list.\n",
    .example = "  warren peers\n",
    .run = run_peers,
};

static int run_status(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *status = NULL;
    int code = wrn_call(cli, args, "status", about(cli, args), &status);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, status)) {
        return code;
    }
    const json_t *networks = json_object_get(status, "networks");
    wrn_status_print_glance(cli, status);
    (void)fprintf(cli->out, "\nwarrend %s: up %s, UDP port %d\nidentity: %s\n",
                  wrn_call_text(cli, status, "version"),
                  wrn_call_span(cli, json_integer_value(json_object_get(status, "uptime_s"))),
                  (int)json_integer_value(json_object_get(status, "port")),
                  wrn_call_text(cli, json_object_get(status, "identity"), "hit"));
    for (size_t i = 0; i < json_array_size(networks); i++) {
        const json_t *network = json_array_get(networks, i);
        const json_t *peers = json_object_get(network, "peers");
        (void)fputc('\n', cli->out);
        wrn_status_print_network(cli, network);
        for (size_t k = 0; k < json_array_size(peers); k++) {
            print_peer(cli, json_array_get(peers, k));
        }
    }
    (void)wrn_status_print_unserved(cli, status);
    json_decref(status);
    return code;
}

static int run_peers(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *result = NULL;
    int code = wrn_call(cli, args, "peers", about(cli, args), &result);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, result)) {
        return code;
    }
    const json_t *peers = json_object_get(result, "peers");
    struct wrn_columns columns;
    wrn_columns_init(&columns, cli, 4);
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *peer = json_array_get(peers, i);
        wrn_columns_add(&columns,
                        (struct wrn_cell[]){{.text = wrn_status_who(cli, peer)},
                                            {.text = wrn_call_text(cli, peer, "ipv4")},
                                            {.text = round_trip(cli, peer), .is_right = true},
                                            {.text = wrn_status_path(cli, peer)}});
    }
    wrn_columns_print(&columns);
    if (json_array_size(peers) == 0) {
        (void)fprintf(cli->out, "no peers in %s yet; why: warren status\n",
                      wrn_call_text(cli, result, "network"));
    }
    json_decref(result);
    return code;
}

void wrn_status_print_network(struct wrn_cli *cli, const json_t *network) {
    const char *trouble = wrn_call_text(cli, network, "trouble");
    const char *state = or_dash(wrn_call_text(cli, network, "state"));
    const json_t *until = json_object_get(network, "until_s");
    json_int_t nodes = json_integer_value(json_object_get(network, "nodes"));
    (void)fprintf(cli->out, "network: %s\n  state: %s", wrn_call_text(cli, network, "name"), state);
    if (strcmp(state, "connected") == 0) {
        (void)fprintf(cli->out, ", %s%" JSON_INTEGER_FORMAT " node%s", nodes > 99 ? "about " : "",
                      nodes, nodes == 1 ? "" : "s");
    }
    (void)fprintf(cli->out, "\n  interface: %s\n",
                  or_dash(wrn_call_text(cli, network, "interface")));
    (void)fprintf(cli->out, "  addresses: %s\n",
                  is_ethernet(cli, network) ? "none: an Ethernet, see `warren bridge show`"
                                            : own_addresses(cli, network));
    (void)fprintf(cli->out, "  name: %s\n", own_names(cli, network));
    (void)fprintf(cli->out, "  rights: %s\n",
                  or_dash(wrn_call_join(cli, json_object_get(network, "rights"), ", ")));
    if (json_is_integer(until)) {
        (void)fprintf(cli->out, "  membership until: %s\n", wrn_call_time(cli, until));
    }
    if (trouble != NULL) {
        (void)fprintf(cli->out, "  trouble: %s\n", trouble);
    }
}

bool wrn_status_print_unserved(struct wrn_cli *cli, const json_t *status) {
    const json_t *unserved = json_object_get(status, "unserved");
    for (size_t i = 0; i < json_array_size(unserved); i++) {
        const json_t *network = json_array_get(unserved, i);
        (void)fprintf(cli->out, "\nnetwork: %.16s\n  state: not served\n  trouble: %s\n",
                      wrn_call_text(cli, network, "id"), wrn_call_text(cli, network, "trouble"));
    }
    return json_array_size(unserved) == 0;
}

const char *wrn_status_path(struct wrn_cli *cli, const json_t *peer) {
    const char *path = or_dash(wrn_call_text(cli, peer, "path"));
    const char *endpoint = wrn_call_text(cli, peer, "endpoint");
    const char *why = wrn_call_text(cli, peer, "why_relayed");
    const char *relay = wrn_call_text(cli, peer, "relay_name");
    relay = relay != NULL ? relay : wrn_call_text(cli, peer, "relay");
    if (strcmp(path, "direct") == 0) {
        return wrn_cli_text(cli, "direct%s%s", endpoint != NULL ? " " : "",
                            endpoint != NULL ? endpoint : "");
    }
    if (strcmp(path, "stream") == 0) {
        return by_stream(cli, peer);
    }
    if (strcmp(path, "relayed") == 0) {
        return wrn_cli_text(cli, "relayed%s%s%s%s", relay != NULL ? " by " : "",
                            relay != NULL ? relay : "", why != NULL ? ": " : "",
                            why != NULL ? why : "");
    }
    return path;
}

static const char *by_stream(struct wrn_cli *cli, const json_t *peer) {
    const char *kind = wrn_call_text(cli, peer, "stream");
    const char *endpoint = wrn_call_text(cli, peer, "endpoint");
    const char *reason = wrn_call_text(cli, peer, "why_stream");
    return wrn_cli_text(cli, "by %s%s%s%s%s",
                        kind != NULL && strcmp(kind, "tls") == 0 ? "TLS" : "TCP",
                        endpoint != NULL ? " " : "", endpoint != NULL ? endpoint : "",
                        reason != NULL ? ": " : "", reason != NULL ? reason : "");
}

const char *wrn_status_who(struct wrn_cli *cli, const json_t *peer) {
    const char *name = wrn_call_text(cli, peer, "name");
    return name != NULL ? name : or_dash(wrn_call_text(cli, peer, "hit"));
}

static json_t *about(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = wrn_cli_json_object(cli);
    if (args->operand_count > 0) {
        wrn_cli_json_set(cli, params, "network", wrn_cli_json_text(cli, args->operands[0]));
    }
    return params;
}

static void print_peer(struct wrn_cli *cli, const json_t *peer) {
    const char *ipv4 = wrn_call_text(cli, peer, "ipv4");
    const char *ipv6 = wrn_call_text(cli, peer, "ipv6");
    (void)fprintf(cli->out, "\n  peer: %s\n", wrn_status_who(cli, peer));
    (void)fprintf(cli->out, "    address: %s\n",
                  ipv4 != NULL   ? ipv4
                  : ipv6 != NULL ? ipv6
                                 : or_dash(wrn_call_text(cli, peer, "hit")));
    (void)fprintf(cli->out, "    path: %s\n", wrn_status_path(cli, peer));
    (void)fprintf(cli->out, "    round trip: %s\n", round_trip(cli, peer));
    (void)fprintf(cli->out, "    cipher: %s, mtu %" JSON_INTEGER_FORMAT "\n",
                  or_dash(wrn_call_text(cli, peer, "cipher")),
                  json_integer_value(json_object_get(peer, "mtu")));
    print_transfer(cli, peer);
    if (json_is_true(json_object_get(peer, "waiting"))) {
        (void)fputs("    waiting: revocations are compared and addresses told, then packets pass\n",
                    cli->out);
    }
}

static void print_transfer(struct wrn_cli *cli, const json_t *peer) {
    json_int_t received = json_integer_value(json_object_get(peer, "rx_bytes"));
    json_int_t sent = json_integer_value(json_object_get(peer, "tx_bytes"));
    if (received != 0 || sent != 0) {
        (void)fprintf(cli->out, "    transfer: %s received, %s sent\n",
                      wrn_call_bytes(cli, received), wrn_call_bytes(cli, sent));
    }
}

static const char *round_trip(struct wrn_cli *cli, const json_t *peer) {
    const json_t *rtt = json_object_get(peer, "rtt_ms");
    return json_is_real(rtt) ? wrn_cli_text(cli, "%.1f ms", json_real_value(rtt)) : "-";
}

/* IPv4 first; the one at which names are asked for is the same on every machine, and left out. */
static const char *own_addresses(struct wrn_cli *cli, const json_t *network) {
    const json_t *addresses = json_object_get(network, "addresses");
    const char *resolver = wrn_call_text(cli, network, "resolver");
    size_t length = resolver != NULL ? strlen(resolver) : 0;
    const char *shown = "";
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < json_array_size(addresses); i++) {
            const char *address = json_string_value(json_array_get(addresses, i));
            if (address == NULL || (strchr(address, ':') != NULL) != (turn == 1) ||
                (resolver != NULL && strncmp(address, resolver, length) == 0 &&
                 address[length] == '/')) {
                continue;
            }
            shown = wrn_cli_text(cli, "%s%s%s", shown, *shown != '\0' ? ", " : "", address);
        }
    }
    return *shown != '\0' ? shown : "none yet";
}

/* A network of layer 2 that was made without addresses. */
static bool is_ethernet(struct wrn_cli *cli, const json_t *network) {
    const char *kind = wrn_call_text(cli, network, "kind");
    return kind != NULL && strcmp(kind, "l2") == 0 &&
           json_array_size(json_object_get(network, "addresses")) == 0;
}

static const char *own_names(struct wrn_cli *cli, const json_t *network) {
    const char *label = wrn_call_text(cli, network, "host_name");
    return label == NULL
               ? "none yet"
               : wrn_cli_text(cli, "%s.%s.warren", label, wrn_call_text(cli, network, "name"));
}

static const char *or_dash(const char *text) {
    return text != NULL && *text != '\0' ? text : "-";
}
