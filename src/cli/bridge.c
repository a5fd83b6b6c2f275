/* SPDX-License-Identifier: Apache-2.0 */
/* Connects interfaces of this machine with a network of layer 2, and shows its switch. */
#include "cli/remote.h"

static int run_attach(struct wrn_cli *cli, const struct wrn_args *args);
static int run_detach(struct wrn_cli *cli, const struct wrn_args *args);
static int run_show(struct wrn_cli *cli, const struct wrn_args *args);
static int run_set(struct wrn_cli *cli, const struct wrn_args *args);
static int call_port(struct wrn_cli *cli, const struct wrn_args *args, const char *method,
                     json_t **ret_port);
static const char *port_name(struct wrn_cli *cli, const json_t *port);
static void print_bridge(struct wrn_cli *cli, const json_t *bridge);
static void print_ports(struct wrn_cli *cli, const json_t *bridge);
static void print_members(struct wrn_cli *cli, const json_t *bridge);
static void print_addresses(struct wrn_cli *cli, const json_t *bridge);
static void print_settings(struct wrn_cli *cli, const json_t *settings);
static const char *refusals(struct wrn_cli *cli, const json_t *refused);
static const char *owner(struct wrn_cli *cli, const json_t *of, const char *name);
static const char *tag(struct wrn_cli *cli, const json_t *of);
static json_int_t number(const json_t *of, const char *name);

static const struct wrn_option attach_options[] = {
    {"vlan", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "ID",
     "only what comes with this VLAN's tag, which is taken off (1 to 4094)"},
    {"vtep", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "ADDRESS:PORT[,remote=ADDRESS:PORT][,vni=N]",
     "instead of an interface: speak VXLAN there with a kernel or an Open vSwitch"},
    {"force", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "also an interface that this machine itself uses: it will be deaf there"},
    {"later", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "an interface that is not there yet: attach it when it appears"},
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_attach_command = {
    .name = "attach",
    .summary = "connect an interface of this machine with a network of layer 2",
    .operand = "NETWORK [INTERFACE]",
    .operands_min = 1,
    .operands_max = 2,
    .options = attach_options,
    .option_count = WRN_COUNT(attach_options),
    .details = "Makes the interface a port of the network's bridge: what is behind it is on one\n"
               "Ethernet with all other members' sides. It is remembered, and attached again\n"
               "at each start and whenever the interface appears.\n\n"
               "With --vtep the port is a VXLAN tunnel end point (RFC 7348). Without remote=\n"
               "only programs of this machine may use it, which are answered at the port that\n"
               "they send from; a kernel and Open vSwitch send from changing ports: name theirs.\n"
               "vni is the network's own (warren bridge show) unless another one is given.\n",
    .example = "  warren attach site eth1\n"
               "  warren attach site --vtep 127.0.0.1:4789,remote=127.0.0.1:4790,vni=77\n",
    .run = run_attach,
};

static const struct wrn_option detach_options[] = {
    {"vlan", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "ID", "the port of this VLAN"},
    {"vtep", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "ADDRESS:PORT", "the VTEP that listens there"},
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_detach_command = {
    .name = "detach",
    .summary = "give an interface back that was attached",
    .operand = "NETWORK [INTERFACE]",
    .operands_min = 1,
    .operands_max = 2,
    .options = detach_options,
    .option_count = WRN_COUNT(detach_options),
    .details = "The interface is as it was before it was attached: no port of a bridge, and down\n"
               "if it was down.\n",
    .example = "  warren detach site eth1\n",
    .run = run_detach,
};

static const struct wrn_option show_options[] = {WRN_CALL_SOCKET};

const struct wrn_command wrn_bridge_show = {
    .name = "bridge show",
    .summary = "show ports, members, addresses and counters of networks of layer 2",
    .operand = "NETWORK",
    .operands_max = 1,
    .options = show_options,
    .option_count = WRN_COUNT(show_options),
    .details = "All of them, if none is named. \"here\" is this machine's side: what is behind\n"
               "its own ports. Ages are in seconds since something was last heard.\n",
    .example = "  warren bridge show site\n",
    .run = run_show,
};

const struct wrn_command wrn_bridge_set = {
    .name = "bridge set",
    .summary = "change how this machine switches a network of layer 2",
    .operand = "NETWORK SETTING=VALUE...",
    .operands_min = 2,
    .operands_max = 8,
    .options = show_options,
    .option_count = WRN_COUNT(show_options),
    .details = "dhcp=allow|deny       DHCP between the sides; else each keeps its own (deny)\n"
               "dhcp-server=on|off    answer the DHCP client of this machine on the network's\n"
               "                      interface, with its leased address (off)\n"
               "arp=on|off            answer ARP and neighbour solicitations here, from what is\n"
               "                      known, instead of asking all sides (on)\n"
               "loop-guard=on|off     stand by if another gateway is on the same wire (on)\n"
               "storm=N               broadcasts and other floods a second that one side may\n"
               "                      send; 0: no limit\n"
               "age=SECONDS           an address that was silent so long is forgotten (300)\n\n"
               "Settings are this machine's, and are kept.\n",
    .example = "  warren bridge set site dhcp=allow storm=500\n",
    .run = run_set,
};

static int run_attach(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *port = NULL;
    int code = call_port(cli, args, "bridge.attach", &port);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, port)) {
        return code;
    }
    const char *why = wrn_call_text(cli, port, "why");
    const char *state = wrn_call_text(cli, port, "state");
    bool is_new = json_is_true(json_object_get(port, "new"));
    json_int_t mtu = number(port, "mtu");
    (void)fprintf(cli->out, "%s: %s%s%s%s\n", port_name(cli, port), state,
                  is_new ? "" : " (was already)", why != NULL ? ": " : "", why != NULL ? why : "");
    if (mtu != 0 && mtu != 1500) {
        (void)fprintf(cli->out,
                      "its MTU is %lld: larger frames than a side has room for are lost there, so "
                      "give all sides' interfaces the same one (ip link set DEV mtu N)\n",
                      (long long)mtu);
    }
    json_decref(port);
    return code;
}

static int run_detach(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *port = NULL;
    int code = call_port(cli, args, "bridge.detach", &port);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, port)) {
        return code;
    }
    (void)fprintf(cli->out, "%s: detached\n", port_name(cli, port));
    json_decref(port);
    return code;
}

static int run_show(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = wrn_cli_json_object(cli);
    json_t *result = NULL;
    if (args->operand_count > 0) {
        wrn_cli_json_set(cli, params, "network", wrn_cli_json_text(cli, args->operands[0]));
    }
    int code = wrn_call(cli, args, "bridge.show", params, &result);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, result)) {
        return code;
    }
    const json_t *bridges = json_object_get(result, "bridges");
    for (size_t i = 0; i < json_array_size(bridges); i++) {
        (void)fputs(i > 0 ? "\n" : "", cli->out);
        print_bridge(cli, json_array_get(bridges, i));
    }
    if (json_array_size(bridges) == 0) {
        (void)fputs("in no network of layer 2; make one: warren network create NAME --l2\n",
                    cli->out);
    }
    json_decref(result);
    return code;
}

static int run_set(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = wrn_cli_json_object(cli);
    json_t *settings = NULL;
    int code = WRN_CLI_DONE;
    wrn_cli_json_set(cli, params, "network", wrn_cli_json_text(cli, args->operands[0]));
    for (size_t i = 1; i < args->operand_count && code == WRN_CLI_DONE; i++) {
        code = wrn_bridge_read_setting(cli, args->operands[i], params);
    }
    if (code != WRN_CLI_DONE) {
        json_decref(params);
        return code;
    }
    code = wrn_call(cli, args, "bridge.set", params, &settings);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, settings)) {
        return code;
    }
    print_settings(cli, settings);
    json_decref(settings);
    return code;
}

int wrn_bridge_read_setting(struct wrn_cli *cli, const char *text, json_t *params) {
    static const struct {
        const char *name, *param, *yes, *no; /* a number: no words */
    } settings[] = {
        {"dhcp", "dhcp", "allow", "deny"},         {"arp", "arp", "on", "off"},
        {"loop-guard", "loop_guard", "on", "off"}, {"dhcp-server", "dhcp_server", "on", "off"},
        {"storm", "storm_per_s", NULL, NULL},      {"age", "age_s", NULL, NULL}};
    const char *equals = strchr(text, '=');
    size_t size = equals == NULL ? 0 : (size_t)(equals - text);
    for (size_t i = 0; i < WRN_COUNT(settings); i++) {
        if (size != strlen(settings[i].name) || memcmp(text, settings[i].name, size) != 0) {
            continue;
        }
        const char *value = equals + 1;
        if (settings[i].yes == NULL) {
            return wrn_call_number(cli, settings[i].name, value, settings[i].param, params);
        }
        bool is_yes = strcmp(value, settings[i].yes) == 0;
        if (!is_yes && strcmp(value, settings[i].no) != 0) {
            return wrn_cli_fail(cli, WRN_CLI_USAGE, "%s is %s or %s, not %s", settings[i].name,
                                settings[i].yes, settings[i].no, wrn_cli_quote(cli, value));
        }
        wrn_cli_json_set(cli, params, settings[i].param, json_boolean(is_yes));
        return WRN_CLI_DONE;
    }
    return wrn_cli_fail(cli, WRN_CLI_USAGE,
                        "%s is no setting: there are dhcp=allow|deny, arp=on|off, "
                        "loop-guard=on|off, dhcp-server=on|off, storm=N and age=SECONDS",
                        wrn_cli_quote(cli, text));
}

static int call_port(struct wrn_cli *cli, const struct wrn_args *args, const char *method,
                     json_t **ret_port) {
    json_t *params = wrn_cli_json_object(cli);
    bool is_attaching = strcmp(method, "bridge.attach") == 0;
    wrn_cli_json_set(cli, params, "network", wrn_cli_json_text(cli, args->operands[0]));
    if (args->operand_count == 2) {
        wrn_cli_json_set(cli, params, "interface", wrn_cli_json_text(cli, args->operands[1]));
    }
    int code = wrn_call_text_option(cli, args, "vtep", "vtep", params);
    code = code != WRN_CLI_DONE ? code : wrn_call_number_option(cli, args, "vlan", "vlan", params);
    if (code != WRN_CLI_DONE) {
        json_decref(params);
        return code;
    }
    if (is_attaching) {
        wrn_call_flag_option(cli, args, "force", "force", params);
        wrn_call_flag_option(cli, args, "later", "later", params);
    } else if (wrn_args_has(args, "vtep")) {
        const char *vtep = wrn_args_value(args, "vtep");
        if (strstr(vtep, "remote=") == NULL) { /* who may send there does not matter now */
            const char *any = wrn_cli_text(cli, "%s,remote=%s", vtep, vtep);
            wrn_cli_json_set(cli, params, "vtep", wrn_cli_json_text(cli, any));
        }
    }
    return wrn_call(cli, args, method, params, ret_port);
}

static const char *port_name(struct wrn_cli *cli, const json_t *port) {
    const json_t *vtep = json_object_get(port, "vtep");
    const char *interface = wrn_call_text(cli, port, "interface");
    json_int_t vlan = number(port, "vlan");
    if (json_is_object(vtep)) {
        return wrn_cli_text(cli, "vtep %s", wrn_call_text(cli, vtep, "text"));
    }
    return vlan == 0 ? interface : wrn_cli_text(cli, "%s, VLAN %lld", interface, (long long)vlan);
}

static void print_bridge(struct wrn_cli *cli, const json_t *bridge) {
    const json_t *side = json_object_get(bridge, "side");
    (void)fprintf(cli->out, "bridge: %s\n  interface: %s\n  vni: %lld\n",
                  wrn_call_text(cli, bridge, "network"), wrn_call_text(cli, bridge, "interface"),
                  (long long)number(bridge, "vni"));
    (void)fprintf(cli->out, "  settings: ");
    print_settings(cli, json_object_get(bridge, "settings"));
    if (json_is_true(json_object_get(bridge, "stands_by"))) {
        (void)fputs("  stands by: another gateway connects this wire with the network\n", cli->out);
    }
    print_ports(cli, bridge);
    (void)fprintf(cli->out, "  here: %lld addresses, %lld frames sent, %lld received%s\n",
                  (long long)number(side, "mac_count"), (long long)number(side, "frames_in"),
                  (long long)number(side, "frames_out"),
                  refusals(cli, json_object_get(side, "refused")));
    print_members(cli, bridge);
    print_addresses(cli, bridge);
}

static void print_ports(struct wrn_cli *cli, const json_t *bridge) {
    const json_t *ports = json_object_get(bridge, "ports");
    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *port = json_array_get(ports, i);
        const char *device = wrn_call_text(cli, port, "port");
        const char *why = wrn_call_text(cli, port, "why");
        const json_t *vtep = json_object_get(port, "vtep");
        (void)fprintf(cli->out, "  port: %s: %s", port_name(cli, port),
                      wrn_call_text(cli, port, "state"));
        if (device != NULL && number(port, "mtu") != 0) {
            (void)fprintf(cli->out, ", %s%smtu %lld%s", number(port, "vlan") != 0 ? device : "",
                          number(port, "vlan") != 0 ? ", " : "", (long long)number(port, "mtu"),
                          json_is_true(json_object_get(port, "carrier")) ? "" : ", no carrier");
        }
        if (json_is_object(vtep)) {
            (void)fprintf(cli->out, ", %lld frames in, %lld out%s",
                          (long long)number(vtep, "frames_in"),
                          (long long)number(vtep, "frames_out"),
                          refusals(cli, json_object_get(vtep, "refused")));
        }
        (void)fprintf(cli->out, "%s%s\n", why != NULL ? ": " : "", why != NULL ? why : "");
    }
    if (json_array_size(ports) == 0) {
        (void)fprintf(cli->out, "  port: none; connect one: warren attach %s INTERFACE\n",
                      wrn_call_text(cli, bridge, "network"));
    }
}

static void print_members(struct wrn_cli *cli, const json_t *bridge) {
    const json_t *members = json_object_get(bridge, "members");
    for (size_t i = 0; i < json_array_size(members); i++) {
        const json_t *member = json_array_get(members, i);
        (void)fprintf(
            cli->out,
            "  member: %s: %lld addresses, %lld frames received, %lld sent, %lld bytes in "
            "one piece%s\n",
            wrn_call_text(cli, member, "name"), (long long)number(member, "mac_count"),
            (long long)number(member, "frames_in"), (long long)number(member, "frames_out"),
            (long long)number(member, "payload_max"),
            refusals(cli, json_object_get(member, "refused")));
    }
}

static void print_addresses(struct wrn_cli *cli, const json_t *bridge) {
    const json_t *macs = json_object_get(bridge, "macs");
    const json_t *neighbours = json_object_get(bridge, "neighbours");
    const json_t *groups = json_object_get(bridge, "groups");
    for (size_t i = 0; i < json_array_size(macs); i++) {
        const json_t *mac = json_array_get(macs, i);
        (void)fprintf(cli->out, "  mac: %s%s %s, %lld s%s\n", wrn_call_text(cli, mac, "mac"),
                      tag(cli, mac), owner(cli, mac, "owner"), (long long)number(mac, "age_s"),
                      json_is_true(json_object_get(mac, "named")) ? ", by right" : "");
    }
    json_int_t left = number(bridge, "mac_count") - (json_int_t)json_array_size(macs);
    if (left > 0) {
        (void)fprintf(cli->out, "  and %lld more addresses\n", (long long)left);
    }
    for (size_t i = 0; i < json_array_size(neighbours); i++) {
        const json_t *neighbour = json_array_get(neighbours, i);
        (void)fprintf(cli->out, "  neighbour: %s is %s%s %s, %lld s\n",
                      wrn_call_text(cli, neighbour, "ip"), wrn_call_text(cli, neighbour, "mac"),
                      tag(cli, neighbour), owner(cli, neighbour, "owner"),
                      (long long)number(neighbour, "age_s"));
    }
    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *group = json_array_get(groups, i);
        (void)fprintf(cli->out, "  group: %s%s %s, %lld s\n", wrn_call_text(cli, group, "group"),
                      tag(cli, group), owner(cli, group, "owner"),
                      (long long)number(group, "age_s"));
    }
}

static void print_settings(struct wrn_cli *cli, const json_t *settings) {
    (void)fprintf(cli->out, "dhcp=%s dhcp-server=%s arp=%s loop-guard=%s storm=%lld age=%lld\n",
                  json_is_true(json_object_get(settings, "dhcp")) ? "allow" : "deny",
                  json_is_true(json_object_get(settings, "dhcp_server")) ? "on" : "off",
                  json_is_true(json_object_get(settings, "arp")) ? "on" : "off",
                  json_is_true(json_object_get(settings, "loop_guard")) ? "on" : "off",
                  (long long)number(settings, "storm_per_s"), (long long)number(settings, "age_s"));
}

/* "; refused: 3 dhcp, 1 type", or nothing. */
static const char *refusals(struct wrn_cli *cli, const json_t *refused) {
    const char *text = "";
    const char *name = NULL;
    json_t *count = NULL;
    json_object_foreach((json_t *)(uintptr_t)refused, name, count) {
        text = wrn_cli_text(cli, "%s%s %lld %s", text, *text == '\0' ? "; refused:" : ",",
                            (long long)json_integer_value(count), name);
    }
    return text;
}

static const char *owner(struct wrn_cli *cli, const json_t *of, const char *name) {
    const char *text = wrn_call_text(cli, of, name);
    return text != NULL ? text : "here";
}

static const char *tag(struct wrn_cli *cli, const json_t *of) {
    json_int_t vlan = number(of, "vlan");
    return vlan == 0 ? "" : wrn_cli_text(cli, " (VLAN %lld)", (long long)vlan);
}

static json_int_t number(const json_t *of, const char *name) {
    return json_integer_value(json_object_get(of, name));
}
