/* SPDX-License-Identifier: Apache-2.0 */
/* Methods that make, join, show and leave networks. */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/crypto.h"
#include "daemon/methods_internal.h"
#include "io/clock.h"
#include "node/authority.h"
#include "node/state.h"

enum { USED_MAX = WRN_NODE_NETWORKS_MAX + 64, LEAVE_PATIENCE_S = 30 };

/* A network that is being left. The call may end before it is gone. */
struct leaving {
    struct wrn_job *job; /* NULL: it has ended */
    wrn_handle network;
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
static void add_network(struct wrn_methods *methods, struct wrn_rpc_call *call,
                        const struct wrn_state *state);
static void fail_adding(struct wrn_rpc_call *call, int error, const char *why);
static void leave(struct wrn_methods *methods, struct wrn_rpc_call *call, wrn_handle network);
static bool is_being_left(const struct wrn_methods *methods, wrn_handle network);
static void on_gone(void *ctx, wrn_handle network);
static void on_leave_end(struct wrn_job *job);
static void on_leave_late(struct wrn_job *job);
static bool is_owner(struct wrn_methods *methods, wrn_handle network);
static bool revoke_invitations(struct wrn_methods *methods, struct wrn_rpc_call *call,
                               wrn_handle network);

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
    } else if (take_host_name(call, state)) {
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
        if (take_host_name(call, state)) {
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
    leave(methods, call, network);
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
    if (revoke_invitations(methods, call, network)) {
        leave(methods, call, network);
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

/* What a new network should keep away from: the ranges of this machine's networks, and the
 * neighbourhood of its own addresses. */
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
    return count;
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

static void leave(struct wrn_methods *methods, struct wrn_rpc_call *call, wrn_handle network) {
    if (is_being_left(methods, network)) {
        wrn_rpc_fail(call, WRN_RPC_REFUSED, "LEAVING",
                     "the network is being left already: see warren network list");
        return;
    }
    struct leave_job *job =
        wrn_job_begin(methods, call, sizeof *job, WRN_HANDLE_NONE,
                      wrn_rpc_number(call, "timeout_s", LEAVE_PATIENCE_S), on_leave_late);
    if (job == NULL) {
        return;
    }
    job->leaving = calloc(1, sizeof *job->leaving);
    if (job->leaving == NULL) {
        wrn_job_fail(&job->job, WRN_RPC_SYSTEM, "MEMORY", "no memory is left");
        return;
    }
    *job->leaving = (struct leaving){.job = &job->job, .network = network};
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
        wrn_job_reply(leaving->job, json_object());
    }
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

/* So that nobody comes in any more by what this machine has given out. */
static bool revoke_invitations(struct wrn_methods *methods, struct wrn_rpc_call *call,
                               wrn_handle network) {
    struct wrn_node *node = wrn_daemon_node(methods->daemon);
    const struct wrn_state_invitation *invitation = NULL;
    uint32_t cursor = 0;
    int64_t now_s = wrn_clock_read().wall.s;
    while (wrn_node_next_invitation(node, network, &cursor, &invitation)) {
        char why[WRN_JUDGE_WHY_SIZE] = "";
        uint32_t count = 0;
        struct wrn_now now;
        uint8_t hash[WRN_SHA256_SIZE];
        if (invitation->is_revoked || invitation->until_s <= now_s) {
            continue;
        }
        memcpy(hash, invitation->cert_hash, sizeof hash);
        struct wrn_node_out *out = wrn_daemon_begin(methods->daemon, &now);
        enum wrn_reason reason = wrn_node_revoke(node, now, network, WRN_NODE_REVOKE_CERT, hash,
                                                 (wrn_span){NULL, 0}, out, &count, why);
        wrn_daemon_perform(methods->daemon); /* what is on the disk of it goes in a moment */
        if (reason != WRN_REASON_NONE) {
            wrn_rpc_fail(call, WRN_RPC_REFUSED, wrn_reason_name(reason),
                         "an invitation could not be taken back, so nothing was deleted: %s", why);
            return false;
        }
    }
    return true;
}
