/* SPDX-License-Identifier: Apache-2.0 */
/* The table of methods, in the order of docs/control.md. Does none of their work. */
#include "daemon/methods.h"

#include <stdlib.h>

#include "daemon/attach.h"
#include "daemon/audit.h"
#include "daemon/methods_internal.h"

enum { CALLS_MOST = 256, CALLS_KEPT = 64 };

#define TIME_MOST (WRN_RECORD_TIME_MAX_S - 1)

static void on_call_end(void *ctx, const struct wrn_rpc_call *call, const json_t *result,
                        const char *why);
static void on_event(void *ctx, wrn_handle network, const struct wrn_node_event *event);
static void on_network(void *ctx, wrn_handle network, bool is_there);

#define NETWORK                                                                                    \
    { "network", WRN_RPC_TEXT, false, 1, 0 }
#define TIMEOUT                                                                                    \
    { "timeout_s", WRN_RPC_NUMBER, false, 1, WRN_JOB_PATIENCE_MAX_S }
#define METHOD(name, level, params, run)                                                           \
    { name, level, params, WRN_COUNT(params), wrn_method_##run }
#define BARE(name, level, run)                                                                     \
    { name, level, NULL, 0, wrn_method_##run }

static const struct wrn_rpc_param only_network[] = {NETWORK};
static const struct wrn_rpc_param subscribe_params[] = {
    {"events", WRN_RPC_TEXTS, false, 0, WRN_NODE_EVENT_KINDS}, NETWORK};
static const struct wrn_rpc_param log_params[] = {{"level", WRN_RPC_TEXT, false, 1, 16}};
static const struct wrn_rpc_param create_params[] = {
    {"name", WRN_RPC_TEXT, true, 1, WRN_LABEL_SIZE - 1},
    {"ipv4", WRN_RPC_TEXT, false, 1, 0},
    {"ipv6", WRN_RPC_TEXT, false, 1, 0},
    {"open", WRN_RPC_FLAG, false, 0, 0},
    {"kind", WRN_RPC_TEXT, false, 2, 2},
    {"dhcp_server", WRN_RPC_FLAG, false, 0, 0},
    {"overlap", WRN_RPC_FLAG, false, 0, 0},
    {"host_name", WRN_RPC_TEXT, false, 1, WRN_LABEL_SIZE - 1},
};
static const struct wrn_rpc_param meet_params[] = {
    NETWORK, {"through", WRN_RPC_TEXT, false, 1, 0}, {"off", WRN_RPC_FLAG, false, 0, 0}};
static const struct wrn_rpc_param delete_params[] = {NETWORK, TIMEOUT};
static const struct wrn_rpc_param invite_params[] = {
    NETWORK,
    {"uses", WRN_RPC_NUMBER, false, 1, 65535},
    {"until_s", WRN_RPC_NUMBER, false, 1, TIME_MOST},
    {"may_invite", WRN_RPC_FLAG, false, 0, 0},
    {"no_relay", WRN_RPC_FLAG, false, 0, 0},
    {"addresses", WRN_RPC_TEXTS, false, 1, 4},
    {"allow", WRN_RPC_TEXTS, false, 1, 32},
};
static const struct wrn_rpc_param invitation_params[] = {NETWORK,
                                                         {"id", WRN_RPC_TEXT, true, 1, 64}};
static const struct wrn_rpc_param join_params[] = {
    {"invitation", WRN_RPC_TEXT, true, 1, 8192},
    {"host_name", WRN_RPC_TEXT, false, 1, WRN_LABEL_SIZE - 1},
    {"no_address", WRN_RPC_FLAG, false, 0, 0},
    {"no_name", WRN_RPC_FLAG, false, 0, 0},
    {"overlap", WRN_RPC_FLAG, false, 0, 0},
};
static const struct wrn_rpc_param wait_network_params[] = {NETWORK, TIMEOUT};
static const struct wrn_rpc_param promote_params[] = {
    NETWORK,
    {"member", WRN_RPC_TEXT, true, 1, 0},
    {"rights", WRN_RPC_TEXTS, true, 1, 8},
    {"until_s", WRN_RPC_NUMBER, false, 1, TIME_MOST},
    {"may_delegate", WRN_RPC_FLAG, false, 0, 0},
    TIMEOUT,
};
static const struct wrn_rpc_param member_params[] = {
    NETWORK, {"member", WRN_RPC_TEXT, true, 1, 0}, TIMEOUT};
static const struct wrn_rpc_param to_params[] = {
    NETWORK, {"to", WRN_RPC_TEXT, true, 1, 0}, TIMEOUT};
static const struct wrn_rpc_param resolve_params[] = {
    NETWORK, {"name", WRN_RPC_TEXT, true, 1, 0}, TIMEOUT};
static const struct wrn_rpc_param trace_params[] = {
    NETWORK,
    {"to", WRN_RPC_TEXT, true, 1, 0},
    {"protocol", WRN_RPC_TEXT, false, 1, 16},
    {"port", WRN_RPC_NUMBER, false, 0, 65535},
    {"source_port", WRN_RPC_NUMBER, false, 0, 65535},
    {"inbound", WRN_RPC_FLAG, false, 0, 0},
    {"ipv6", WRN_RPC_FLAG, false, 0, 0},
    TIMEOUT,
};
static const struct wrn_rpc_param wait_params[] = {
    NETWORK,
    {"for", WRN_RPC_TEXT, false, 1, 16},
    {"peer", WRN_RPC_TEXT, false, 1, 0},
    {"count", WRN_RPC_NUMBER, false, 1, 100000},
    TIMEOUT,
};
static const struct wrn_rpc_param get_params[] = {
    NETWORK, {"key", WRN_RPC_TEXT, true, 1, WRN_RECORD_KEY_MAX}, TIMEOUT};
static const struct wrn_rpc_param store_params[] = {
    NETWORK,
    {"key", WRN_RPC_TEXT, true, 1, WRN_RECORD_KEY_MAX},
    {"value", WRN_RPC_TEXT, true, 0, WRN_RECORD_VALUE_MAX},
    {"ttl_s", WRN_RPC_NUMBER, false, 1, WRN_RECORD_TTL_MAX_S},
    {"keep", WRN_RPC_FLAG, false, 0, 0},
    TIMEOUT,
};
static const struct wrn_rpc_param route_params[] = {NETWORK, {"prefix", WRN_RPC_TEXT, true, 1, 64}};

static const struct wrn_rpc_param accept_params[] = {NETWORK, {"accept", WRN_RPC_FLAG, true, 0, 0}};

static const struct wrn_rpc_param attach_params[] = {
    NETWORK,
    {"interface", WRN_RPC_TEXT, false, 1, WRN_ATTACH_NAME_SIZE - 1},
    {"vlan", WRN_RPC_NUMBER, false, 1, WRN_ATTACH_VLAN_MAX},
    {"vtep", WRN_RPC_TEXT, false, 1, WRN_VTEP_TEXT_SIZE - 1},
    {"force", WRN_RPC_FLAG, false, 0, 0},
    {"later", WRN_RPC_FLAG, false, 0, 0},
};
static const struct wrn_rpc_param bridge_params[] = {
    NETWORK,
    {"dhcp", WRN_RPC_FLAG, false, 0, 0},
    {"arp", WRN_RPC_FLAG, false, 0, 0},
    {"loop_guard", WRN_RPC_FLAG, false, 0, 0},
    {"dhcp_server", WRN_RPC_FLAG, false, 0, 0},
    {"storm_per_s", WRN_RPC_NUMBER, false, 0, 1000000},
    {"age_s", WRN_RPC_NUMBER, false, 10, 86400},
};

static const struct wrn_rpc_param audit_params[] = {
    NETWORK, {"count", WRN_RPC_NUMBER, false, 1, WRN_AUDIT_READ_MAX}};

static const struct wrn_rpc_method methods_table[] = {
    BARE("version", WRN_RPC_READ, version),
    METHOD("status", WRN_RPC_READ, only_network, status),
    METHOD("peers", WRN_RPC_READ, only_network, peers),
    METHOD("network.create", WRN_RPC_ADMIN, create_params, network_create),
    BARE("network.list", WRN_RPC_READ, network_list),
    METHOD("network.show", WRN_RPC_READ, only_network, network_show),
    METHOD("network.meet", WRN_RPC_ADMIN, meet_params, network_meet),
    METHOD("network.leave", WRN_RPC_ADMIN, delete_params, network_leave),
    METHOD("network.delete", WRN_RPC_ADMIN, delete_params, network_delete),
    METHOD("invite", WRN_RPC_ADMIN, invite_params, invite),
    METHOD("invitation.list", WRN_RPC_READ, only_network, invitation_list),
    METHOD("invitation.show", WRN_RPC_ADMIN, invitation_params, invitation_show),
    METHOD("invitation.revoke", WRN_RPC_ADMIN, invitation_params, invitation_revoke),
    METHOD("join", WRN_RPC_ADMIN, join_params, join),
    METHOD("member.list", WRN_RPC_READ, wait_network_params, member_list),
    METHOD("member.promote", WRN_RPC_ADMIN, promote_params, member_promote),
    METHOD("member.demote", WRN_RPC_ADMIN, member_params, member_demote),
    METHOD("member.revoke", WRN_RPC_ADMIN, member_params, member_revoke),
    METHOD("ping", WRN_RPC_READ, to_params, ping),
    METHOD("resolve", WRN_RPC_READ, resolve_params, resolve),
    METHOD("trace", WRN_RPC_READ, trace_params, trace),
    METHOD("wait", WRN_RPC_READ, wait_params, wait),
    METHOD("dht.get", WRN_RPC_READ, get_params, dht_get),
    METHOD("dht.list", WRN_RPC_READ, only_network, dht_list),
    METHOD("dht.put", WRN_RPC_ADMIN, store_params, dht_put),
    METHOD("dht.create", WRN_RPC_ADMIN, store_params, dht_create),
    METHOD("dht.delete", WRN_RPC_ADMIN, get_params, dht_delete),
    METHOD("route.list", WRN_RPC_READ, only_network, route_list),
    METHOD("route.add", WRN_RPC_ADMIN, route_params, route_add),
    METHOD("route.remove", WRN_RPC_ADMIN, route_params, route_remove),
    METHOD("route.accept", WRN_RPC_ADMIN, accept_params, route_accept),
    METHOD("bridge.attach", WRN_RPC_ADMIN, attach_params, bridge_attach),
    METHOD("bridge.detach", WRN_RPC_ADMIN, attach_params, bridge_detach),
    METHOD("bridge.show", WRN_RPC_READ, only_network, bridge_show),
    METHOD("bridge.set", WRN_RPC_ADMIN, bridge_params, bridge_set),
    BARE("netcheck", WRN_RPC_READ, netcheck),
    BARE("doctor", WRN_RPC_READ, doctor),
    METHOD("events.subscribe", WRN_RPC_READ, subscribe_params, subscribe),
    BARE("events.unsubscribe", WRN_RPC_READ, unsubscribe),
    METHOD("audit.list", WRN_RPC_READ, audit_params, audit_list),
    METHOD("log", WRN_RPC_READ, log_params, log),
    BARE("shutdown", WRN_RPC_ADMIN, shutdown),
};

struct wrn_methods *wrn_methods_create(struct wrn_daemon *daemon, struct wrn_service *service,
                                       struct wrn_control *control, struct wrn_rpc_host *ret_host) {
    struct wrn_methods *methods = calloc(1, sizeof *methods);
    if (methods == NULL) {
        return NULL;
    }
    methods->daemon = daemon;
    methods->service = service;
    methods->control = control;
    methods->listener = (struct wrn_daemon_listener){
        .ctx = methods, .on_event = on_event, .on_network = on_network};
    wrn_daemon_listen(daemon, &methods->listener);
    *ret_host = (struct wrn_rpc_host){
        .methods = methods_table,
        .method_count = WRN_COUNT(methods_table),
        .ctx = methods,
        .calls_most = CALLS_MOST,
        .calls_kept = CALLS_KEPT,
        .on_end = on_call_end,
    };
    return methods;
}

void wrn_methods_destroy(struct wrn_methods *methods) {
    if (methods == NULL) {
        return;
    }
    wrn_daemon_unlisten(methods->daemon, &methods->listener);
    wrn_job_end_all(methods, WRN_HANDLE_NONE);
    free(methods);
}

void wrn_methods_on_gone(struct wrn_methods *methods) {
    wrn_job_end_unheard(methods);
}

void wrn_method_version(void *ctx, struct wrn_rpc_call *call) {
    (void)ctx;
    json_t *names = json_array();
    json_t *events = json_array();
    for (size_t i = 0; i < WRN_COUNT(methods_table); i++) {
        (void)json_array_append_new(names, json_string(methods_table[i].name));
    }
    for (int kind = 0; kind < WRN_NODE_EVENT_KINDS; kind++) {
        (void)json_array_append_new(
            events, json_string(wrn_node_event_name((enum wrn_node_event_kind)kind)));
    }
    wrn_rpc_reply(call,
                  json_pack("{s:i, s:s, s:o, s:o}", "protocol", WRN_METHODS_PROTOCOL, "version",
                            wrn_daemon_version(), "methods", names, "events", events));
}

/* What decides about a membership is written down. */
static void on_call_end(void *ctx, const struct wrn_rpc_call *call, const json_t *result,
                        const char *why) {
    struct wrn_methods *methods = ctx;
    struct wrn_audit_caller caller;
    if (methods->service != NULL) {
        wrn_rpc_caller(call, &caller.uid, &caller.pid);
        wrn_audit_call(wrn_service_audit(methods->service), wrn_rpc_call_name(call), &caller,
                       wrn_rpc_params(call), result, why);
    }
}

static void on_event(void *ctx, wrn_handle network, const struct wrn_node_event *event) {
    wrn_job_tell(ctx, network, event);
}

static void on_network(void *ctx, wrn_handle network, bool is_there) {
    if (!is_there) {
        wrn_job_end_all(ctx, network);
    }
}
