/* SPDX-License-Identifier: Apache-2.0 */
/* Brings a host to what a site file says. Asks first, and changes what differs: a second time
 * nothing. */
#include "cli/site.h"

#include <poll.h>
#include <spawn.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/remote.h"
#include "io/cleanup.h"
#include "io/memory.h"

extern char **environ;

enum { INVITATION_MAX = 8192 };

/* What is being done. */
struct work {
    struct wrn_cli *cli;
    const struct wrn_args *args;
    const struct wrn_site_network *network;
    json_t *changes; /* texts */
};

static int bring_network(struct work *work, const json_t *networks);
static int enter_network(struct work *work, json_t **ret_network);
static int join_network(struct work *work, json_t **ret_network);
static int read_invitation(struct work *work, const char **ret_text);
static int fetch(struct work *work, const char *address, wrn_span *ret_text);
static int bring_ports(struct work *work, const char *id, const json_t *bridge);
static int attach(struct work *work, const char *id, const struct wrn_site_port *port);
static int detach(struct work *work, const char *id, const json_t *port);
static int bring_settings(struct work *work, const char *id, const json_t *bridge);
static const char *vtep_text(struct work *work, const struct wrn_site_port *port,
                             const json_t *bridge);
static bool is_same(struct work *work, const struct wrn_site_port *port, const json_t *present,
                    const json_t *bridge);
static const char *describe(struct work *work, const struct wrn_site_port *port);
static int call(struct work *work, const char *method, json_t *params, json_t **ret_result);
static void set_text(struct work *work, json_t *params, const char *name, const char *text);
static void changed(struct work *work, const char *text);

int wrn_site_bring_up(struct wrn_cli *cli, const struct wrn_args *args, const struct wrn_site *site,
                      json_t **ret_changes) {
    struct work work = {.cli = cli, .args = args, .changes = wrn_cli_json_list(cli)};
    json_t *list = NULL;
    int code = wrn_call(cli, args, "network.list", wrn_cli_json_object(cli), &list);
    for (size_t i = 0; i < site->network_count && code == WRN_CLI_DONE; i++) {
        work.network = &site->networks[i];
        code = bring_network(&work, json_object_get(list, "networks"));
    }
    json_decref(list);
    *ret_changes = work.changes;
    return code;
}

static int bring_network(struct work *work, const json_t *networks) {
    struct wrn_cli *cli = work->cli;
    const struct wrn_site_network *wanted = work->network;
    json_t *network = NULL;
    json_t *params = NULL;
    json_t *shown = NULL;
    int code = WRN_CLI_DONE;
    for (size_t i = 0; i < json_array_size(networks) && network == NULL; i++) {
        json_t *one = json_array_get(networks, i);
        const char *name = wrn_call_text(cli, one, "name");
        network = name != NULL && strcmp(name, wanted->name) == 0 ? json_incref(one) : NULL;
    }
    code = network != NULL ? code : enter_network(work, &network);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    const char *id = wrn_call_text(cli, network, "id");
    const char *kind = wrn_call_text(cli, network, "kind");
    bool is_l2 = strcmp(kind, "l2") == 0;
    if (is_l2 != wanted->is_l2 && (wanted->has_kind || wanted->port_count > 0)) {
        code = wrn_ini_fail(cli, &wanted->line, "%s is a network of kind %s, which never changes",
                            wanted->name, kind);
    }
    if (code == WRN_CLI_DONE && is_l2) {
        params = wrn_cli_json_object(cli);
        set_text(work, params, "network", id);
        code = call(work, "bridge.show", params, &shown);
        const json_t *bridge = json_array_get(json_object_get(shown, "bridges"), 0);
        code = code != WRN_CLI_DONE ? code : bring_settings(work, id, bridge);
        code = code != WRN_CLI_DONE ? code : bring_ports(work, id, bridge);
        json_decref(shown);
    }
    json_decref(network);
    return code;
}

static int enter_network(struct work *work, json_t **ret_network) {
    struct wrn_cli *cli = work->cli;
    const struct wrn_site_network *wanted = work->network;
    if (wanted->join != NULL) {
        return join_network(work, ret_network);
    }
    if (!wanted->creates) {
        return wrn_ini_fail(cli, &wanted->line,
                            "this host is not in %s, and the file does not say how to come in: add "
                            "join = with an invitation, or create = yes",
                            wanted->name);
    }
    json_t *params = wrn_cli_json_object(cli);
    set_text(work, params, "name", wanted->name);
    set_text(work, params, "kind", wanted->is_l2 ? "l2" : "l3");
    set_text(work, params, "ipv4", wanted->ipv4);
    set_text(work, params, "ipv6", wanted->ipv6);
    set_text(work, params, "host_name", wanted->host_name);
    int code = call(work, "network.create", params, ret_network);
    if (code == WRN_CLI_DONE) {
        changed(work, wrn_cli_text(cli, "created %s", wanted->name));
    }
    return code;
}

static int join_network(struct work *work, json_t **ret_network) {
    struct wrn_cli *cli = work->cli;
    const struct wrn_site_network *wanted = work->network;
    const char *text = NULL;
    wrn_memory_forbid_core_dumps();
    int code = read_invitation(work, &text);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    json_t *params = wrn_cli_json_object(cli);
    set_text(work, params, "invitation", text);
    set_text(work, params, "host_name", wanted->host_name);
    code = call(work, "join", params, ret_network);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    const char *name = wrn_call_text(cli, *ret_network, "name");
    changed(work, wrn_cli_text(cli, "joined %s", name));
    return strcmp(name, wanted->name) == 0
               ? WRN_CLI_DONE
               : wrn_ini_fail(
                     cli, &wanted->line,
                     "the invitation was to the network %s, not %s: this host has joined "
                     "it; call the section [network %s], or leave it: warren network leave "
                     "%s",
                     name, wanted->name, name, name);
}

/* The line itself, what a file has, or what a server gives. */
static int read_invitation(struct work *work, const char **ret_text) {
    const char *join = work->network->join;
    wrn_span text = {(const uint8_t *)join, strlen(join)};
    int code = WRN_CLI_DONE;
    if (strncasecmp(join, "https://", 8) == 0) {
        code = fetch(work, join, &text);
    } else if (strncasecmp(join, "warren:", 7) != 0) {
        code = wrn_ini_load(work->cli, join, INVITATION_MAX, &text);
    }
    *ret_text = wrn_cli_text(work->cli, "%.*s", (int)text.size, (const char *)text.data);
    return code;
}

/* By curl, which verifies the server's certificate as this host is set up to, and follows nobody
 * to a place without one. */
static int fetch(struct work *work, const char *address, wrn_span *ret_text) {
    const char *const argv[] = {"curl",    "--silent", "--show-error",  "--fail", "--location",
                                "--proto", "=https",   "--proto-redir", "=https", "--max-time",
                                "60",      "--",       address,         NULL};
    struct wrn_cli *cli = work->cli;
    posix_spawn_file_actions_t actions;
    int ends[2];
    int status = 0;
    pid_t pid = 0;
    if (pipe(ends) != 0) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED, "cannot run curl: %s", strerror(errno));
    }
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    (void)posix_spawn_file_actions_addclose(&actions, ends[0]);
    int error = posix_spawnp(&pid, "curl", &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    uint8_t *text = wrn_cli_take(cli, INVITATION_MAX + 1, 1);
    size_t used = 0;
    ssize_t got = 1;
    while (error == 0 && got > 0 && used < INVITATION_MAX) {
        got = read(ends[0], text + used, INVITATION_MAX - used);
        used += got > 0 ? (size_t)got : 0;
    }
    (void)close(ends[0]);
    while (error == 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (error != 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return wrn_ini_fail(cli, &work->network->line, "cannot fetch the invitation%s%s",
                            error != 0 ? " by curl: " : ": what curl said stands above",
                            error != 0 ? strerror(error) : "");
    }
    *ret_text = (wrn_span){text, used};
    return WRN_CLI_DONE;
}

/* Ports that the file does not name go first: one of them may be in the way. */
static int bring_ports(struct work *work, const char *id, const json_t *bridge) {
    const struct wrn_site_network *wanted = work->network;
    const json_t *ports = json_object_get(bridge, "ports");
    int code = WRN_CLI_DONE;
    for (size_t i = 0; i < json_array_size(ports) && code == WRN_CLI_DONE; i++) {
        bool is_wanted = false;
        for (size_t k = 0; k < wanted->port_count; k++) {
            is_wanted |= is_same(work, &wanted->ports[k], json_array_get(ports, i), bridge);
        }
        code = is_wanted ? code : detach(work, id, json_array_get(ports, i));
    }
    for (size_t k = 0; k < wanted->port_count && code == WRN_CLI_DONE; k++) {
        bool is_there = false;
        for (size_t i = 0; i < json_array_size(ports); i++) {
            is_there |= is_same(work, &wanted->ports[k], json_array_get(ports, i), bridge);
        }
        code = is_there ? code : attach(work, id, &wanted->ports[k]);
    }
    return code;
}

static int attach(struct work *work, const char *id, const struct wrn_site_port *port) {
    struct wrn_cli *cli = work->cli;
    json_t *params = wrn_cli_json_object(cli);
    json_t *result = NULL;
    set_text(work, params, "network", id);
    set_text(work, params, "interface", port->interface);
    set_text(work, params, "vtep", port->vtep);
    if (port->vlan != 0) {
        wrn_cli_json_set(cli, params, "vlan", json_integer(port->vlan));
    }
    if (port->interface != NULL) { /* at the first boot it may come after us */
        wrn_cli_json_set(cli, params, "later", json_true());
        wrn_cli_json_set(cli, params, "force", json_boolean(port->is_forced));
    }
    int code = call(work, "bridge.attach", params, &result);
    if (code == WRN_CLI_DONE) {
        changed(work,
                wrn_cli_text(cli, "attached %s to %s%s", describe(work, port), work->network->name,
                             strcmp(wrn_call_text(cli, result, "state"), "waiting") == 0
                                 ? " (it is not there yet)"
                                 : ""));
    }
    json_decref(result);
    return code;
}

static int detach(struct work *work, const char *id, const json_t *port) {
    struct wrn_cli *cli = work->cli;
    json_t *params = wrn_cli_json_object(cli);
    json_t *result = NULL;
    const json_t *vlan = json_object_get(port, "vlan");
    const json_t *vtep = json_object_get(port, "vtep");
    const char *interface = wrn_call_text(cli, port, "interface");
    const char *what = json_is_object(vtep) ? wrn_call_text(cli, vtep, "text") : interface;
    set_text(work, params, "network", id);
    set_text(work, params, json_is_object(vtep) ? "vtep" : "interface", what);
    if (json_is_integer(vlan)) {
        wrn_cli_json_set(cli, params, "vlan", json_integer(json_integer_value(vlan)));
    }
    int code = call(work, "bridge.detach", params, &result);
    if (code == WRN_CLI_DONE) {
        changed(work, wrn_cli_text(cli, "detached %s from %s", what, work->network->name));
    }
    json_decref(result);
    return code;
}

static int bring_settings(struct work *work, const char *id, const json_t *bridge) {
    struct wrn_cli *cli = work->cli;
    const json_t *present = json_object_get(bridge, "settings");
    json_t *params = wrn_cli_json_object(cli);
    json_t *wanted = wrn_cli_json_object(cli);
    json_t *result = NULL;
    json_t *value = NULL;
    const char *name = NULL;
    int code = WRN_CLI_DONE;
    for (size_t i = 0; i < work->network->setting_count && code == WRN_CLI_DONE; i++) {
        code = wrn_bridge_read_setting(cli, work->network->settings[i], wanted);
    }
    json_object_foreach(wanted, name, value) {
        if (!json_equal(value, json_object_get(present, name))) {
            wrn_cli_json_set(cli, params, name, json_incref(value));
        }
    }
    json_decref(wanted);
    if (code != WRN_CLI_DONE || json_object_size(params) == 0) {
        json_decref(params);
        return code;
    }
    set_text(work, params, "network", id);
    code = call(work, "bridge.set", params, &result);
    if (code == WRN_CLI_DONE) {
        changed(work, wrn_cli_text(cli, "changed settings of %s", work->network->name));
    }
    json_decref(result);
    return code;
}

/* A VTEP as the daemon writes it: address, remote end, VNI. */
static const char *vtep_text(struct work *work, const struct wrn_site_port *port,
                             const json_t *bridge) {
    struct wrn_cli *cli = work->cli;
    const char *listen = wrn_cli_text(cli, "%.*s", (int)strcspn(port->vtep, ","), port->vtep);
    const char *remote = strstr(port->vtep, ",remote=");
    const char *vni = strstr(port->vtep, ",vni=");
    const char *own = wrn_cli_text(cli, ",vni=%lld",
                                   (long long)json_integer_value(json_object_get(bridge, "vni")));
    return wrn_cli_text(
        cli, "%s%.*s%.*s", listen, remote != NULL ? 1 + (int)strcspn(remote + 1, ",") : 0,
        remote != NULL ? remote : "",
        vni != NULL ? 1 + (int)strcspn(vni + 1, ",") : (int)strlen(own), vni != NULL ? vni : own);
}

static bool is_same(struct work *work, const struct wrn_site_port *port, const json_t *present,
                    const json_t *bridge) {
    const json_t *vtep = json_object_get(present, "vtep");
    const char *interface = wrn_call_text(work->cli, present, "interface");
    if (port->vtep != NULL) {
        return json_is_object(vtep) &&
               strcmp(vtep_text(work, port, bridge), wrn_call_text(work->cli, vtep, "text")) == 0;
    }
    return interface != NULL && strcmp(port->interface, interface) == 0 &&
           (json_int_t)port->vlan == json_integer_value(json_object_get(present, "vlan"));
}

static const char *describe(struct work *work, const struct wrn_site_port *port) {
    return port->vtep != NULL ? wrn_cli_text(work->cli, "the VTEP %s", port->vtep)
           : port->vlan != 0 ? wrn_cli_text(work->cli, "VLAN %u of %s", port->vlan, port->interface)
                             : port->interface;
}

static int call(struct work *work, const char *method, json_t *params, json_t **ret_result) {
    int code = wrn_call(work->cli, work->args, method, params, ret_result);
    if (code != WRN_CLI_DONE) {
        wrn_cli_warn(work->cli, "that was about %s, line %zu: [network %s]",
                     work->network->line.file, work->network->line.number, work->network->name);
    }
    return code;
}

static void set_text(struct work *work, json_t *params, const char *name, const char *text) {
    if (text != NULL) {
        wrn_cli_json_set(work->cli, params, name, wrn_cli_json_text(work->cli, text));
    }
}

static void changed(struct work *work, const char *text) {
    wrn_cli_json_append(work->cli, work->changes, wrn_cli_json_text(work->cli, text));
    if (!work->cli->json) {
        (void)fprintf(work->cli->out, "%s\n", text);
        (void)fflush(work->cli->out);
    }
}
