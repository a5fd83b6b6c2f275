/* SPDX-License-Identifier: Apache-2.0 */
/* The method `wait`: answers when something has come about. For scripts. */
#include <stdio.h>

#include "daemon/methods_internal.h"
#include "daemon/trouble.h"
#include "io/clock.h"

enum { LOOK_MS = 250, AGAIN_MS = 1000 };

enum goal { READY, CONNECTED, ADDRESS, NAME, MEMBERS, PEER, DIRECT, GOALS };

static const char *const goals[GOALS] = {
    [READY] = "ready",     [CONNECTED] = "connected", [ADDRESS] = "address", [NAME] = "name",
    [MEMBERS] = "members", [PEER] = "peer",           [DIRECT] = "direct",
};

struct wait_job {
    struct wrn_whom_job whom;
    enum goal goal;
    int64_t count, patience_s;
    enum wrn_reason reason; /* why the peer could not be reached the last time */
};

static bool read_goal(struct wrn_rpc_call *call, enum goal *ret_goal);
static void look(struct wrn_job *base);
static void on_event(struct wrn_job *base, const struct wrn_node_event *event);
static bool is_reached(const struct wait_job *job, const struct wrn_node_network_info *info);
static bool is_where_it_can_be(const struct wrn_node_network_info *info);
static bool has_address(const struct wrn_node_network_info *info);
static void connect_to(struct wrn_whom_job *whom);
static void on_connected(struct wrn_job *base, const struct wrn_node_answer *answer);
static void connect_again(struct wrn_job *base);
static void look_at_peer(struct wrn_job *base);
static void on_late(struct wrn_job *base);

void wrn_method_wait(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    const char *peer = wrn_rpc_text(call, "peer");
    enum goal goal = CONNECTED;
    wrn_handle network;
    if (!read_goal(call, &goal) ||
        !(peer != NULL ? wrn_find_network_of(methods, call, peer, &network)
                       : wrn_find_network(methods, call, &network))) {
        return;
    }
    int64_t patience_s = wrn_rpc_number(call, "timeout_s", WRN_JOB_PATIENCE_S);
    int64_t count = wrn_rpc_number(call, "count", 2);
    struct wait_job *job = wrn_job_begin(methods, call, sizeof *job, network, patience_s, on_late);
    if (job == NULL) {
        return;
    }
    job->whom.job.only_looks = true;
    job->goal = goal;
    job->patience_s = patience_s;
    job->count = count;
    if (goal == PEER || goal == DIRECT) {
        job->whom.persists = true;
        job->whom.found = connect_to;
        wrn_find_whom(&job->whom, peer);
        return;
    }
    job->whom.job.on_event = on_event;
    look(&job->whom.job);
}

static bool read_goal(struct wrn_rpc_call *call, enum goal *ret_goal) {
    const char *text = wrn_rpc_text(call, "for");
    enum goal goal = 0;
    while (goal < GOALS && text != NULL && strcmp(text, goals[goal]) != 0) {
        goal++;
    }
    if (goal == GOALS) {
        wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL,
                     "\"for\" is ready, connected, address, name, members, peer or direct");
        return false;
    }
    bool wants_peer = goal == PEER || goal == DIRECT;
    if (wants_peer != wrn_rpc_has(call, "peer")) {
        wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL,
                     wants_peer ? "\"peer\" is missing: whom to wait for"
                                : "\"peer\" goes with \"for\": \"peer\" or \"direct\"");
        return false;
    }
    *ret_goal = goal;
    return true;
}

static void on_event(struct wrn_job *base, const struct wrn_node_event *event) {
    (void)event;
    look(base);
}

static void look(struct wrn_job *base) {
    struct wrn_whom_job *whom = WRN_CONTAINER(base, struct wrn_whom_job, job);
    struct wait_job *job = WRN_CONTAINER(whom, struct wait_job, whom);
    struct wrn_node_network_info info = {.ended_s = 0};
    struct wrn_trouble trouble;
    bool is_there =
        wrn_node_network_info(wrn_daemon_node(base->methods->daemon), base->network, &info);
    if (is_there && is_reached(job, &info)) {
        wrn_job_reply(base, wrn_json_network(base->methods, base->network));
        return;
    }
    bool has_ended = info.ended_s > 0;
    if (is_there && (has_ended || info.is_spent) && job->goal != CONNECTED &&
        job->goal != MEMBERS) {
        wrn_trouble_find(&info, &trouble); /* it will not come about */
        wrn_job_fail(base, WRN_RPC_REFUSED, has_ended ? "ENDED" : "SPENT", "%s; %s", trouble.text,
                     trouble.fix);
        return;
    }
    wrn_job_again(base, LOOK_MS, look);
}

static bool is_reached(const struct wait_job *job, const struct wrn_node_network_info *info) {
    switch (job->goal) {
    case READY: /* with address and name, unless it wants none */
        return is_where_it_can_be(info) && (has_address(info) || !info->wants_address) &&
               (info->name == WRN_CLAIM_HELD || !info->wants_name);
    case CONNECTED:
        return info->ring == WRN_RING_STATE_CONNECTED;
    case ADDRESS:
        return has_address(info);
    case NAME:
        return info->name == WRN_CLAIM_HELD;
    case MEMBERS:
        return (int64_t)info->peers + 1 >= job->count || (int64_t)info->size >= job->count;
    default:
        return false;
    }
}

/* On the ring; or alone in a network that nobody else is known to be in yet. */
static bool is_where_it_can_be(const struct wrn_node_network_info *info) {
    return info->ring == WRN_RING_STATE_CONNECTED ||
           (info->ring == WRN_RING_STATE_ALONE && info->trouble[0] == '\0');
}

static bool has_address(const struct wrn_node_network_info *info) {
    return info->ipv4.family != WRN_FAMILY_NONE ||
           (info->descriptor->ipv4.ip.family == WRN_FAMILY_NONE &&
            info->ipv6.family != WRN_FAMILY_NONE);
}

static void connect_to(struct wrn_whom_job *whom) {
    if (whom->whom.is_self) {
        wrn_job_fail(&whom->job, WRN_RPC_REFUSED, "SELF", "%s is this machine itself", whom->text);
        return;
    }
    connect_again(&whom->job);
}

static void connect_again(struct wrn_job *base) {
    struct wrn_whom_job *whom = WRN_CONTAINER(base, struct wrn_whom_job, job);
    struct wrn_daemon *daemon = base->methods->daemon;
    struct wrn_now now;
    if (wrn_job_tag(base, on_connected)) {
        struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
        wrn_node_connect(wrn_daemon_node(daemon), now, base->network, whom->whom.hit, base->tag,
                         out);
        wrn_daemon_perform(daemon);
    }
}

static void on_connected(struct wrn_job *base, const struct wrn_node_answer *answer) {
    struct wrn_whom_job *whom = WRN_CONTAINER(base, struct wrn_whom_job, job);
    struct wait_job *job = WRN_CONTAINER(whom, struct wait_job, whom);
    if (!answer->is_last) {
        return;
    }
    job->reason = answer->reason;
    if (answer->reason == WRN_REASON_NONE) {
        look_at_peer(base);
    } else {
        wrn_job_again(base, AGAIN_MS, connect_again);
    }
}

static void look_at_peer(struct wrn_job *base) {
    struct wrn_whom_job *whom = WRN_CONTAINER(base, struct wrn_whom_job, job);
    struct wait_job *job = WRN_CONTAINER(whom, struct wait_job, whom);
    struct wrn_node_peer_info info;
    if (!wrn_find_peer(base->methods, base->network, whom->whom.hit, &info)) {
        wrn_job_again(base, AGAIN_MS, connect_again);
    } else if (info.is_waiting ||
               (job->goal == DIRECT && info.overlay.path != WRN_PATH_STATE_DIRECT)) {
        wrn_job_again(base, LOOK_MS, look_at_peer);
    } else {
        wrn_job_reply(base, wrn_json_peer(&info));
    }
}

static void on_late(struct wrn_job *base) {
    struct wrn_whom_job *whom = WRN_CONTAINER(base, struct wrn_whom_job, job);
    struct wait_job *job = WRN_CONTAINER(whom, struct wait_job, whom);
    struct wrn_node_network_info info = {0};
    struct wrn_trouble trouble = {.is_out = false};
    if (wrn_node_network_info(wrn_daemon_node(base->methods->daemon), base->network, &info)) {
        wrn_trouble_find(&info, &trouble);
    }
    const char *why =
        trouble.text[0] != '\0' ? trouble.text : "see warren status and warren netcheck";
    if (job->goal == PEER || job->goal == DIRECT) {
        wrn_job_fail(base, WRN_RPC_TIMEOUT, wrn_reason_name(job->reason),
                     "%s was not %s within %d s: %s", whom->text,
                     job->goal == DIRECT ? "reached directly" : "reached", (int)job->patience_s,
                     job->reason != WRN_REASON_NONE ? wrn_reason_text(job->reason) : why);
        return;
    }
    wrn_job_fail(base, WRN_RPC_TIMEOUT, NULL, "%s: not within %d s; %s", goals[job->goal],
                 (int)job->patience_s, why);
}
