/* SPDX-License-Identifier: Apache-2.0 */
/* One question each. */
#include "cli/suggest.h"

#include "cli/call.h"

/* The nearest name so far. */
struct nearest {
    struct wrn_cli *cli;
    const char *wanted;
    const char *best;
    uint32_t least;
};

static json_t *ask(struct wrn_cli *cli, const char *path, const char *method);
static void compare(void *ctx, const char *name, const char *what);

const char *wrn_suggest(struct wrn_cli *cli, const char *path, const json_t *params) {
    static const char *const of_machines[] = {"to", "member", "peer", "name"};
    struct nearest nearest = {.cli = cli, .least = UINT32_MAX};
    for (size_t i = 0; i < WRN_COUNT(of_machines) && nearest.wanted == NULL; i++) {
        nearest.wanted = wrn_call_text(cli, params, of_machines[i]);
    }
    if (nearest.wanted != NULL) {
        wrn_suggest_members(cli, path, compare, &nearest);
    }
    if (nearest.best == NULL) {
        nearest.wanted = wrn_call_text(cli, params, "network");
    }
    if (nearest.best == NULL && nearest.wanted != NULL) {
        wrn_suggest_networks(cli, path, compare, &nearest);
    }
    return nearest.best;
}

void wrn_suggest_networks(struct wrn_cli *cli, const char *path, wrn_suggest_fn on_name,
                          void *ctx) {
    json_t *result = ask(cli, path, "network.list");
    const json_t *networks = json_object_get(result, "networks");
    for (size_t i = 0; i < json_array_size(networks); i++) {
        const json_t *network = json_array_get(networks, i);
        const char *name = wrn_call_text(cli, network, "name");
        const char *state = wrn_call_text(cli, network, "state");
        if (name != NULL) {
            on_name(ctx, name, wrn_cli_text(cli, "network, %s", state != NULL ? state : "unknown"));
        }
    }
    json_decref(result);
}

void wrn_suggest_members(struct wrn_cli *cli, const char *path, wrn_suggest_fn on_name, void *ctx) {
    json_t *result = ask(cli, path, "status");
    const json_t *networks = json_object_get(result, "networks");
    for (size_t i = 0; i < json_array_size(networks); i++) {
        const json_t *network = json_array_get(networks, i);
        const json_t *peers = json_object_get(network, "peers");
        const char *where = wrn_call_text(cli, network, "name");
        const char *own = wrn_call_text(cli, network, "host_name");
        for (size_t k = 0; k < json_array_size(peers); k++) {
            const json_t *peer = json_array_get(peers, k);
            const char *name = wrn_call_text(cli, peer, "name");
            const char *ipv4 = wrn_call_text(cli, peer, "ipv4");
            if (name != NULL) {
                on_name(ctx, name,
                        wrn_cli_text(cli, "%s%s%s", where != NULL ? where : "-",
                                     ipv4 != NULL ? ", " : "", ipv4 != NULL ? ipv4 : ""));
            }
        }
        if (own != NULL) {
            on_name(ctx, own, wrn_cli_text(cli, "%s, this machine", where != NULL ? where : "-"));
        }
    }
    json_decref(result);
}

void wrn_suggest_invitations(struct wrn_cli *cli, const char *path, wrn_suggest_fn on_name,
                             void *ctx) {
    json_t *result = ask(cli, path, "invitation.list");
    const json_t *list = json_object_get(result, "invitations");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *id = wrn_call_text(cli, one, "id");
        if (id != NULL && !json_is_true(json_object_get(one, "revoked")) &&
            !json_is_true(json_object_get(one, "expired"))) {
            on_name(
                ctx, wrn_cli_text(cli, "%.16s", id),
                wrn_cli_text(cli, "until %s", wrn_call_time(cli, json_object_get(one, "until_s"))));
        }
    }
    json_decref(result);
}

void wrn_suggest_events(struct wrn_cli *cli, const char *path, wrn_suggest_fn on_name, void *ctx) {
    json_t *result = ask(cli, path, "version");
    const json_t *events = json_object_get(result, "events");
    for (size_t i = 0; i < json_array_size(events); i++) {
        const char *name = json_string_value(json_array_get(events, i));
        if (name != NULL) {
            on_name(ctx, wrn_cli_text(cli, "%s", name), "event");
        }
    }
    json_decref(result);
}

/* The result, a new reference; NULL: none came in time. */
static json_t *ask(struct wrn_cli *cli, const char *path, const char *method) {
    json_t *answer = NULL;
    int error = wrn_call_ask(cli, path, method, wrn_cli_json_object(cli), WRN_SUGGEST_MS, &answer);
    json_t *result = error == 0 ? json_incref(json_object_get(answer, "result")) : NULL;
    json_decref(answer);
    return result;
}

static void compare(void *ctx, const char *name, const char *what) {
    struct nearest *nearest = ctx;
    uint32_t distance = wrn_command_distance(nearest->wanted, name);
    uint32_t limit = (uint32_t)strlen(nearest->wanted) / 3;
    limit = limit == 0 ? 1 : limit;
    (void)what;
    if (distance > 0 && distance < nearest->least && distance <= limit) {
        nearest->least = distance;
        nearest->best = wrn_cli_text(nearest->cli, "%s", name);
    }
}
