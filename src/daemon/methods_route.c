/* SPDX-License-Identifier: Apache-2.0 */
/* Methods about addresses behind members, which others reach through them. */
#include "daemon/methods_internal.h"

static void change(struct wrn_methods *methods, struct wrn_rpc_call *call, bool is_offered);
static bool read_prefix(struct wrn_rpc_call *call, struct wrn_prefix *ret_prefix);
static const char *refusal(enum wrn_reason reason);

void wrn_method_route_list(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    const struct wrn_node *node = wrn_daemon_node(methods->daemon);
    struct wrn_node_route route;
    uint32_t cursor = 0;
    wrn_handle network;
    if (!wrn_find_network(methods, call, &network)) {
        return;
    }
    json_t *list = json_array();
    while (wrn_node_next_route(node, network, &cursor, &route)) {
        (void)json_array_append_new(
            list, json_pack("{s:o, s:b, s:o, s:o, s:b}", "prefix", wrn_json_prefix(&route.prefix),
                            "self", route.is_ours, "hit",
                            wrn_json_hit(route.is_ours ? wrn_node_hit(node) : route.hit), "name",
                            route.label[0] != '\0' ? wrn_rpc_json_text(route.label) : json_null(),
                            "used", route.is_used));
    }
    wrn_rpc_reply(call, json_pack("{s:o, s:b}", "routes", list, "accepted",
                                  wrn_node_accepts_routes(node, network)));
}

void wrn_method_route_add(void *ctx, struct wrn_rpc_call *call) {
    change(ctx, call, true);
}

void wrn_method_route_remove(void *ctx, struct wrn_rpc_call *call) {
    change(ctx, call, false);
}

void wrn_method_route_accept(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    bool accepts = wrn_rpc_flag(call, "accept");
    struct wrn_now now;
    wrn_handle network;
    if (!wrn_find_network(methods, call, &network)) {
        return;
    }
    struct wrn_node_out *out = wrn_daemon_begin(methods->daemon, &now);
    wrn_node_accept_routes(wrn_daemon_node(methods->daemon), now, network, accepts, out);
    if (wrn_job_perform(methods)) {
        wrn_rpc_reply(call, json_pack("{s:b}", "accepted", accepts));
    } else {
        wrn_rpc_fail(call, WRN_RPC_SYSTEM, "DISK", "%s", WRN_JOB_NOT_SAVED);
    }
}

static void change(struct wrn_methods *methods, struct wrn_rpc_call *call, bool is_offered) {
    struct wrn_prefix prefix;
    struct wrn_now now;
    wrn_handle network;
    if (!wrn_find_network(methods, call, &network) || !read_prefix(call, &prefix)) {
        return;
    }
    struct wrn_node_out *out = wrn_daemon_begin(methods->daemon, &now);
    enum wrn_reason reason = wrn_node_offer_route(wrn_daemon_node(methods->daemon), now, network,
                                                  &prefix, is_offered, out);
    bool is_saved = wrn_job_perform(methods);
    if (reason != WRN_REASON_NONE) {
        wrn_rpc_fail(call, reason == WRN_REASON_NOT_FOUND ? WRN_RPC_NOT_FOUND : WRN_RPC_REFUSED,
                     wrn_reason_name(reason), "%s", refusal(reason));
    } else if (!is_saved) {
        wrn_rpc_fail(call, WRN_RPC_SYSTEM, "DISK", "%s", WRN_JOB_NOT_SAVED);
    } else {
        wrn_rpc_reply(call, json_pack("{s:o}", "prefix", wrn_json_prefix(&prefix)));
    }
}

static bool read_prefix(struct wrn_rpc_call *call, struct wrn_prefix *ret_prefix) {
    const char *text = wrn_rpc_text(call, "prefix");
    if (wrn_prefix_parse((wrn_span){(const uint8_t *)text, strlen(text)}, ret_prefix) == 0) {
        return true;
    }
    wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL,
                 "\"prefix\" has to be a range such as 192.168.7.0/24, or an address");
    return false;
}

static const char *refusal(enum wrn_reason reason) {
    switch (reason) {
    case WRN_REASON_NOT_ADMITTED:
        return "this machine has no right to be the way to all of it: who may promote others gives "
               "it one: warren member promote THIS --right route:RANGE";
    case WRN_REASON_RULE:
        return "a route is of 8 bits or more (not wider than 10.0.0.0/8), and meets neither the "
               "addresses of the network itself nor identities (2001:20::/28); this one does not "
               "fit";
    case WRN_REASON_FULL:
        return "this machine offers as many routes as it can: remove one first (warren route list)";
    case WRN_REASON_NOT_FOUND:
        return "this machine does not offer such a route; which it does: warren route list";
    default:
        return wrn_reason_text(reason);
    }
}
