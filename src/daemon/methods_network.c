/* SPDX-License-Identifier: Apache-2.0 */
/* Methods that make, join, show and leave networks. */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/crypto.h"
#include "daemon/methods_internal.h"
#include "io/clock.h"
#include "node/authority.h"
#include "node/state.h"

enum { USED_MAX = WRN_NODE_NETWORKS_MAX + 64 + 256, LEAVE_PATIENCE_S = 30 };

/* A network that is being left. The call may end before it is gone. */
struct leaving {
    struct wrn_job *job; /* NULL: it has ended */
    wrn_handle network;
    json_t *answer;
};

struct leave_job {
    struct wrn_job job;
    struct leaving *leaving;
};

static bool fill_descriptor(struct wrn_rpc_call *call, struct wrn_descriptor *descriptor);
static bool read_range(struct wrn_rpc_call *call, const char *name, enum wrn_family family,
                       struct wrn_prefix *ret_prefix);
static size_t used_ranges(struct wrn_methods *methods, struct wrn_prefix ret_used[USED_MAX]);
static bool name_is_free(struct wrn_methods *methods, struct wrn_rpc_call *call, const char *name);
static bool take_host_name(struct wrn_rpc_call *call, struct wrn_state *state);
static bool is_beside_routes(struct wrn_methods *methods, struct wrn_rpc_call *call,
                             const struct wrn_descriptor *descriptor);
static void add_network(struct wrn_methods *methods, struct wrn_rpc_call *call,
                        const struct wrn_state *state);
static void fail_adding(struct wrn_rpc_call *call, int error, const char *why);
static void leave(struct wrn_methods *methods, struct wrn_rpc_call *call, wrn_handle network,
                  json_t *answer);
static bool is_being_left(const struct wrn_methods *methods, wrn_handle network);
static bool find_through(struct wrn_methods *methods, struct wrn_rpc_call *call,
                         wrn_handle *ret_through);
static const char *meeting_refusal(enum wrn_reason reason);
static void on_gone(void *ctx, wrn_handle network);
static void on_leave_end(struct wrn_job *job);
static void on_leave_late(struct wrn_job *job);
static bool is_owner(struct wrn_methods *methods, wrn_handle network);
static bool end_for_all(struct wrn_methods *methods, struct wrn_rpc_call *call, wrn_handle network,
                        uint32_t *ret_told);

void wrn_method_network_create(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    struct wrn_descriptor descriptor = {.kind = WRN_NETWORK_L3};
    struct wrn_prefix used[USED_MAX];
    struct wrn_state *state = NULL;
    if (!fill_descriptor(call, &descriptor) || !name_is_free(methods, call, descriptor.name)) {
        return;
    }
    state = calloc(1, sizeof *state);
    if (state == NULL) {
        wrn_rpc_fail(call, WRN_RPC_SYSTEM, "MEMORY", "no memory is left");
        return;
    }
    enum wrn_descriptor_fault fault = wrn_state_create(
        &descriptor, wrn_daemon_seed(methods->daemon), wrn_daemon_rand(methods->daemon),
        wrn_clock_read().wall.s, used, used_ranges(methods, used), state);
    if (fault != WRN_DESCRIPTOR_OK) {
        wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL, "no network can be made so: %s",
                     wrn_descriptor_fault_text(fault));
    } else if (take_host_name(call, state) && is_beside_routes(methods, call, &state->descriptor)) {
        state->has_bridge = wrn_rpc_flag(call, "dhcp_server");
        wrn_switch_settings_usual(&state->bridge);
        state->bridge.serves_dhcp = state->has_bridge;
        add_network(methods, call, state);
    }
    wrn_wipe(state, sizeof *state);
    free(state);
}

void wrn_method_join(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    const char *text = wrn_rpc_text(call, "invitation");
    struct wrn_invitation invitation = {0};
    uint8_t chain[WRN_CREDENTIAL_MAX];
    struct wrn_state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        wrn_rpc_fail(call, WRN_RPC_SYSTEM, "MEMORY", "no memory is left");
        return;
    }
    int64_t now_s = wrn_clock_read().wall.s;
    char why[WRN_INVITATION_WHY_SIZE];
    enum wrn_invitation_fault fault =
        wrn_invitation_read((wrn_span){(const uint8_t *)text, strlen(text)}, &invitation);
    if (fault == WRN_INVITATION_OK) {
        fault = wrn_state_join(&invitation, wrn_node_public_key(wrn_daemon_node(methods->daemon)),
                               now_s, WRN_RECORD_TIME_MAX_S, chain, state);
    }
    if (fault != WRN_INVITATION_OK) {
        wrn_invitation_explain(&invitation, fault, now_s, why);
        wrn_rpc_fail(call, WRN_RPC_REFUSED, "INVITATION", "%s", why);
    } else {
        state->wants_address = !wrn_rpc_flag(call, "no_address");
        state->wants_name = !wrn_rpc_flag(call, "no_name");
        if (take_host_name(call, state) &&
            (!state->wants_address || is_beside_routes(methods, call, &state->descriptor))) {
            add_network(methods, call, state);
        }
    }
    wrn_invitation_finish(&invitation);
    wrn_wipe(state, sizeof *state);
    free(state);
}

void wrn_method_network_list(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    json_t *list = json_array();
    uint32_t cursor = 0;
    wrn_handle network;
    while ((network = wrn_node_next(wrn_daemon_node(methods->daemon), &cursor)).generation != 0) {
        (void)json_array_append_new(list, wrn_json_network(methods, network));
    }
    wrn_rpc_reply(
        call, json_pack("{s:o, s:o}", "networks", list, "unserved", wrn_json_unserved(methods)));
}

void wrn_method_network_show(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    wrn_handle network;
    if (wrn_find_network(methods, call, &network)) {
        wrn_rpc_reply(call, wrn_json_network(methods, network));
    }
}

void wrn_method_network_meet(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    struct wrn_node *node = wrn_daemon_node(methods->daemon);
    wrn_handle network, through;
    struct wrn_now now;
    if (!wrn_find_network(methods, call, &network) || !find_through(methods, call, &through)) {
        return;
    }
    struct wrn_node_out *out = wrn_daemon_begin(methods->daemon, &now);
    enum wrn_reason reason = wrn_node_meet(node, now, network, through, out);
    bool is_saved = wrn_job_perform(methods);
    if (reason != WRN_REASON_NONE) {
        wrn_rpc_fail(call, WRN_RPC_REFUSED, wrn_reason_name(reason), "%s", meeting_refusal(reason));
    } else if (!is_saved) {
        wrn_rpc_fail(call, WRN_RPC_SYSTEM, "DISK", "%s", WRN_JOB_NOT_SAVED);
    } else {
        wrn_rpc_reply(call, json_pack("{s:o}", "meeting", wrn_json_meeting(node, network)));
    }
}

/* NONE: through nothing any more. */
static bool find_through(struct wrn_methods *methods, struct wrn_rpc_call *call,
                         wrn_handle *ret_through) {
    const char *text = wrn_rpc_text(call, "through");
    bool is_many = false;
    *ret_through = WRN_HANDLE_NONE;
    if ((text != NULL) == wrn_rpc_flag(call, "off")) {
        wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL,
                     "either \"through\", the name of an open network of this machine, or \"off\"");
        return false;
    }
    if (text == NULL) {
        return true;
    }
    *ret_through = wrn_node_find(wrn_daemon_node(methods->daemon),
                                 (wrn_span){(const uint8_t *)text, strlen(text)}, &is_many);
    if (ret_through->generation != 0) {
        return true;
    }
    wrn_rpc_fail(call, is_many ? WRN_RPC_AMBIGUOUS : WRN_RPC_NOT_FOUND, NULL,
                 "this machine is in %s network called %s: join the open network first (warren "
                 "join), and see its name with warren network list",
                 is_many ? "more than one" : "no", text);
    return false;
}

static const char *meeting_refusal(enum wrn_reason reason) {
    switch (reason) {
    case WRN_REASON_SELF:
        return "a network cannot be found through itself: name another one, which is open";
    case WRN_REASON_RULE:
        return "that network is not open, so its table takes nothing for others: name one that was "
               "made with warren network create NAME --open";
    default:
        return wrn_reason_text(reason);
    }
}

void wrn_method_network_leave(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    wrn_handle network;
    if (!wrn_find_network(methods, call, &network)) {
        return;
    }
    if (is_owner(methods, network)) {
        const char *name = wrn_node_descriptor(wrn_daemon_node(methods->daemon), network)->name;
        wrn_rpc_fail(call, WRN_RPC_REFUSED, "OWNER",
                     "this machine owns %s, and nobody else can: whoever leaves his own network "
                     "deletes it: warren network delete %s",
                     name, name);
        return;
    }
    leave(methods, call, network, json_object());
}

void wrn_method_network_delete(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    wrn_handle network;
    if (!wrn_find_network(methods, call, &network)) {
        return;
    }
    if (!is_owner(methods, network)) {
        const char *name = wrn_node_descriptor(wrn_daemon_node(methods->daemon), network)->name;
        wrn_rpc_fail(call, WRN_RPC_REFUSED, "NOT_OWNER",
                     "this machine does not own %s; to leave it: warren network leave %s", name,
                     name);
        return;
    }
    uint32_t told = 0;
    if (end_for_all(methods, call, network, &told)) {
        leave(methods, call, network, json_pack("{s:I}", "told", (json_int_t)told));
    }
}

static bool fill_descriptor(struct wrn_rpc_call *call, struct wrn_descriptor *descriptor) {
    const char *name = wrn_rpc_text(call, "name");
    const char *kind = wrn_rpc_text(call, "kind");
    if (!wrn_label_is_good((wrn_span){(const uint8_t *)name, strlen(name)})) {
        wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL,
                     "a network's name is 1 to 63 of a-z, 0-9 and -, and no - at either end");
        return false;
    }
    (void)snprintf(descriptor->name, sizeof descriptor->name, "%s", name);
    descriptor->is_open = wrn_rpc_flag(call, "open");
    if (wrn_rpc_flag(call, "dhcp_server") &&
        (kind == NULL || strcmp(kind, "l2") != 0 || wrn_rpc_text(call, "ipv4") == NULL)) {
        wrn_rpc_fail(
            call, WRN_RPC_PARAMS, NULL,
            "DHCP is of Ethernets: \"dhcp_server\" goes with \"kind\" \"l2\" and a range "
            "\"ipv4\" to lease from (warren network create NAME --l2 --ipv4 RANGE --dhcp)");
        return false;
    }
    if (kind != NULL && strcmp(kind, "l2") == 0) {
        descriptor->kind = WRN_NETWORK_L2;
    } else if (kind != NULL && strcmp(kind, "l3") != 0) {
        wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL,
                     "\"kind\" is \"l3\", a network of IP addresses, or \"l2\", an Ethernet");
        return false;
    }
    return read_range(call, "ipv4", WRN_FAMILY_IPV4, &descriptor->ipv4) &&
           read_range(call, "ipv6", WRN_FAMILY_IPV6, &descriptor->ipv6);
}

static bool read_range(struct wrn_rpc_call *call, const char *name, enum wrn_family family,
                       struct wrn_prefix *ret_prefix) {
    const char *text = wrn_rpc_text(call, name);
    if (text == NULL) {
        return true;
    }
    if (strchr(text, '/') == NULL ||
        wrn_prefix_parse((wrn_span){(const uint8_t *)text, strlen(text)}, ret_prefix) != 0 ||
        ret_prefix->ip.family != family) {
        wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL, "\"%s\" has to be a range such as %s", name,
                     family == WRN_FAMILY_IPV4 ? "10.77.0.0/16" : "fd12:3456:789a:1::/64");
        return false;
    }
    return true;
}

/* What a new network should keep away from: the ranges of this machine's networks, and where its
 * own addresses are and its other routes lead. */
static size_t used_ranges(struct wrn_methods *methods, struct wrn_prefix ret_used[USED_MAX]) {
    const struct wrn_node *node = wrn_daemon_node(methods->daemon);
    size_t count = 0;
    size_t local_count = 0;
    uint32_t cursor = 0;
    wrn_handle network;
    while (count < USED_MAX && (network = wrn_node_next(node, &cursor)).generation != 0) {
        const struct wrn_descriptor *descriptor = wrn_node_descriptor(node, network);
        if (descriptor->ipv4.ip.family != WRN_FAMILY_NONE) {
            ret_used[count++] = descriptor->ipv4;
        }
    }
    const struct wrn_locator_endpoint *local = wrn_daemon_local(methods->daemon, &local_count);
    for (size_t i = 0; i < local_count && count < USED_MAX; i++) {
        if (local[i].at.ip.family == WRN_FAMILY_IPV4) {
            ret_used[count++] = (struct wrn_prefix){local[i].at.ip, 32};
        }
    }
    return count + wrn_daemon_foreign_ranges(methods->daemon, ret_used + count, USED_MAX - count);
}

static bool name_is_free(struct wrn_methods *methods, struct wrn_rpc_call *call, const char *name) {
    bool is_many = false;
    wrn_handle other = wrn_node_find(wrn_daemon_node(methods->daemon),
                                     (wrn_span){(const uint8_t *)name, strlen(name)}, &is_many);
    if (other.generation == 0 && !is_many) {
        return true;
    }
    wrn_rpc_fail(call, WRN_RPC_REFUSED, "EXISTS",
                 "this machine is in a network called %s already; choose another name, or see it: "
                 "warren network show %s",
                 name, name);
    return false;
}

static bool take_host_name(struct wrn_rpc_call *call, struct wrn_state *state) {
    const char *label = wrn_rpc_text(call, "host_name");
    if (label == NULL) {
        return true;
    }
    if (!wrn_label_is_good((wrn_span){(const uint8_t *)label, strlen(label)})) {
        wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL,
                     "a host's name is 1 to 63 of a-z, 0-9 and -, and no - at either end");
        return false;
    }
    (void)snprintf(state->label, sizeof state->label, "%s", label);
    return true;
}

/* Whether no route of this host leads elsewhere for addresses of the network; said otherwise. On an
 * Ethernet they may well: the range is that of the LAN that is joined to it. */
static bool is_beside_routes(struct wrn_methods *methods, struct wrn_rpc_call *call,
                             const struct wrn_descriptor *descriptor) {
    const struct wrn_prefix *ranges[] = {&descriptor->ipv4, &descriptor->ipv6};
    struct wrn_daemon_foreign foreign;
    if (descriptor->kind == WRN_NETWORK_L2 || wrn_rpc_flag(call, "overlap")) {
        return true;
    }
    for (size_t i = 0; i < WRN_COUNT(ranges); i++) {
        char text[WRN_PREFIX_TEXT_SIZE];
        if (!wrn_daemon_foreign_route(methods->daemon, ranges[i], &foreign)) {
            continue;
        }
        (void)wrn_prefix_print(ranges[i], text);
        wrn_rpc_fail(call, WRN_RPC_REFUSED, "OVERLAP",
                     "%s has the addresses %s, and this machine's route %s by %s leads to some of "
                     "them: one would hide the other; take that route away, have the network made "
                     "with another range (warren network create NAME --ipv%c RANGE), or insist: "
                     "--overlap",
                     descriptor->name, text, foreign.route, foreign.interface,
                     ranges[i]->ip.family == WRN_FAMILY_IPV4 ? '4' : '6');
        return false;
    }
    return true;
}

/* Answers when it is on the disk. */
static void add_network(struct wrn_methods *methods, struct wrn_rpc_call *call,
                        const struct wrn_state *state) {
    char why[WRN_DAEMON_WHY_SIZE] = "";
    wrn_handle network = WRN_HANDLE_NONE;
    uint8_t *bytes = malloc(WRN_STATE_MAX);
    size_t size = bytes != NULL ? wrn_state_write(state, bytes, WRN_STATE_MAX) : 0;
    int error =
        size == 0 ? -ENOMEM
                  : wrn_daemon_add_network(methods->daemon, (wrn_span){bytes, size}, &network, why);
    if (bytes != NULL) {
        wrn_wipe(bytes, size);
        free(bytes);
    }
    if (error != 0) {
        fail_adding(call, error, why[0] != '\0' ? why : "no memory is left: end other programs");
        return;
    }
    wrn_rpc_reply(call, wrn_json_network(methods, network));
}

static void fail_adding(struct wrn_rpc_call *call, int error, const char *why) {
    if (error == -EEXIST) {
        wrn_rpc_fail(call, WRN_RPC_REFUSED, "EXISTS", "%s", why);
    } else if (error == WRN_ERR_FULL) {
        wrn_rpc_fail(call, WRN_RPC_REFUSED, "FULL", "%s", why);
    } else if (error == WRN_ERR_MALFORMED) {
        wrn_rpc_fail(call, WRN_RPC_INTERNAL, "STATE", "%s", why);
    } else {
        wrn_rpc_fail(call, WRN_RPC_SYSTEM, "SYSTEM", "%s", why);
    }
}

/* 'answer' is taken. */
static void leave(struct wrn_methods *methods, struct wrn_rpc_call *call, wrn_handle network,
                  json_t *answer) {
    if (is_being_left(methods, network)) {
        json_decref(answer);
        wrn_rpc_fail(call, WRN_RPC_REFUSED, "LEAVING",
                     "the network is being left already: see warren network list");
        return;
    }
    struct leave_job *job =
        wrn_job_begin(methods, call, sizeof *job, WRN_HANDLE_NONE,
                      wrn_rpc_number(call, "timeout_s", LEAVE_PATIENCE_S), on_leave_late);
    if (job == NULL) {
        json_decref(answer);
        return;
    }
    job->leaving = calloc(1, sizeof *job->leaving);
    if (job->leaving == NULL) {
        json_decref(answer);
        wrn_job_fail(&job->job, WRN_RPC_SYSTEM, "MEMORY", "no memory is left");
        return;
    }
    *job->leaving = (struct leaving){.job = &job->job, .network = network, .answer = answer};
    job->job.on_end = on_leave_end;
    wrn_daemon_leave(methods->daemon, network, on_gone, job->leaving);
}

static bool is_being_left(const struct wrn_methods *methods, wrn_handle network) {
    for (const struct wrn_job *base = methods->jobs; base != NULL; base = base->next) {
        const struct leave_job *job = (const struct leave_job *)base; /* job is its first member */
        if (base->on_end == on_leave_end && wrn_handle_equal(job->leaving->network, network)) {
            return true;
        }
    }
    return false;
}

static void on_gone(void *ctx, wrn_handle network) {
    struct leaving *leaving = ctx;
    (void)network;
    if (leaving->job != NULL) {
        wrn_job_reply(leaving->job, json_incref(leaving->answer));
    }
    json_decref(leaving->answer);
    free(leaving);
}

static void on_leave_end(struct wrn_job *base) {
    WRN_CONTAINER(base, struct leave_job, job)->leaving->job = NULL;
}

static void on_leave_late(struct wrn_job *job) {
    wrn_job_fail(job, WRN_RPC_TIMEOUT, NULL,
                 "the network is still being left: see warren network list");
}

static bool is_owner(struct wrn_methods *methods, wrn_handle network) {
    struct wrn_node_network_info info;
    return wrn_node_network_info(wrn_daemon_node(methods->daemon), network, &info) &&
           (info.rights & WRN_RIGHT_OWNER) != 0;
}

/* Members are told that there is an end; who comes by an invitation later learns it from them. */
static bool end_for_all(struct wrn_methods *methods, struct wrn_rpc_call *call, wrn_handle network,
                        uint32_t *ret_told) {
    char why[WRN_JUDGE_WHY_SIZE] = "";
    struct wrn_now now;
    struct wrn_node_out *out = wrn_daemon_begin(methods->daemon, &now);
    enum wrn_reason reason =
        wrn_node_end(wrn_daemon_node(methods->daemon), now, network, out, ret_told, why);
    wrn_daemon_perform(methods->daemon);
    if (reason != WRN_REASON_NONE) {
        wrn_rpc_fail(call, WRN_RPC_REFUSED, wrn_reason_name(reason),
                     "its end could not be told, so nothing was deleted: %s", why);
        return false;
    }
    return true;
}
