/* SPDX-License-Identifier: Apache-2.0 */
/* Methods about the daemon itself: what it is and does, its events, its log, its end. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/audit.h"
#include "daemon/methods_internal.h"
#include "io/clock.h"
#include "plane/stray.h"

/* A report that was ordered. The call may end before it comes. */
struct order {
    struct wrn_job *job; /* NULL: it has ended */
};

struct report_job {
    struct wrn_job job;
    struct order *order;
};

enum { EVENTS_SIZE = 896, REPORT_PATIENCE_S = 30, AUDIT_COUNT = 100 };

static json_t *identity_json(struct wrn_methods *methods);
static json_t *carrier_json(struct wrn_methods *methods);
static json_t *streams_json(const struct wrn_daemon_facts *facts);
static json_t *port_json(uint16_t port);
static json_t *strays_json(struct wrn_methods *methods, const struct wrn_daemon_facts *facts);
static json_t *network_with_peers(struct wrn_methods *methods, wrn_handle network);
static void report(struct wrn_methods *methods, struct wrn_rpc_call *call,
                   void (*make)(struct wrn_service *service, wrn_service_report_fn on_report,
                                void *ctx));
static void on_report(void *ctx, json_t *json);
static void on_report_end(struct wrn_job *job);
static void on_report_late(struct wrn_job *job);
static void fail_unknown_event(struct wrn_rpc_call *call, const char *name);
static bool find_kind(const char *name, uint64_t *kinds);

void wrn_method_status(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    struct wrn_node *node = wrn_daemon_node(methods->daemon);
    struct wrn_now now = wrn_clock_read();
    json_t *networks = json_array();
    uint32_t cursor = 0;
    wrn_handle network;
    if (wrn_rpc_has(call, "network")) {
        if (!wrn_find_network(methods, call, &network)) {
            json_decref(networks);
            return;
        }
        (void)json_array_append_new(networks, network_with_peers(methods, network));
    } else {
        while ((network = wrn_node_next(node, &cursor)).generation != 0) {
            (void)json_array_append_new(networks, network_with_peers(methods, network));
        }
    }
    json_t *json = json_object();
    wrn_json_set(json, "version", json_string(wrn_daemon_version()));
    wrn_json_set(json, "pid", json_integer(getpid()));
    wrn_json_set(json, "now_s", json_integer(now.wall.s));
    wrn_json_set(json, "uptime_s",
                 json_integer((json_int_t)(wrn_mono_since(
                                               now.mono, wrn_daemon_started(methods->daemon).mono) /
                                           WRN_S(1))));
    wrn_json_set(json, "port", json_integer(wrn_daemon_port(methods->daemon)));
    wrn_json_set(json, "identity", identity_json(methods));
    wrn_json_set(json, "carrier", carrier_json(methods));
    if (methods->service != NULL) {
        wrn_json_set(json, "service", wrn_service_status(methods->service, WRN_HANDLE_NONE));
    }
    wrn_json_set(json, "networks", networks);
    wrn_json_set(json, "unserved", wrn_json_unserved(methods));
    wrn_rpc_reply(call, json);
}

void wrn_method_peers(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    wrn_handle network;
    if (wrn_find_network(methods, call, &network)) {
        wrn_rpc_reply(
            call, json_pack("{s:s, s:o}", "network",
                            wrn_node_descriptor(wrn_daemon_node(methods->daemon), network)->name,
                            "peers", wrn_json_peers(methods, network)));
    }
}

void wrn_method_subscribe(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    const char *names[WRN_NODE_EVENT_KINDS] = {0};
    wrn_handle network = WRN_HANDLE_NONE;
    uint64_t kinds = 0;
    static_assert(WRN_NODE_EVENT_KINDS < 64, "a bit each");
    size_t count = wrn_rpc_texts(call, "events", names, WRN_COUNT(names));
    for (size_t i = 0; i < count; i++) {
        if (!find_kind(names[i], &kinds)) {
            fail_unknown_event(call, names[i]);
            return;
        }
    }
    if (wrn_rpc_has(call, "network") && !wrn_find_network(methods, call, &network)) {
        return;
    }
    kinds = count == 0 ? (UINT64_C(1) << WRN_NODE_EVENT_KINDS) - 1 : kinds;
    wrn_control_subscribe(methods->control, wrn_rpc_call_session(call), kinds, network);
    wrn_rpc_reply(call, json_object());
}

void wrn_method_unsubscribe(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    wrn_control_subscribe(methods->control, wrn_rpc_call_session(call), 0, WRN_HANDLE_NONE);
    wrn_rpc_reply(call, json_object());
}

void wrn_method_audit_list(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    wrn_handle network;
    json_t *id = NULL;
    if (methods->service == NULL) {
        wrn_rpc_fail(call, WRN_RPC_MISSING, NULL, "this warrend writes nothing down");
        return;
    }
    if (wrn_rpc_has(call, "network")) {
        if (!wrn_find_network(methods, call, &network)) {
            return;
        }
        const struct wrn_descriptor *descriptor =
            wrn_node_descriptor(wrn_daemon_node(methods->daemon), network);
        id = wrn_json_hex(descriptor->id, sizeof descriptor->id);
    }
    json_t *entries = wrn_audit_read(wrn_service_audit(methods->service), json_string_value(id),
                                     (size_t)wrn_rpc_number(call, "count", AUDIT_COUNT));
    json_decref(id);
    wrn_rpc_reply(call, json_pack("{s:o}", "entries", entries));
}

void wrn_method_shutdown(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    wrn_rpc_reply(call, json_pack("{s:i}", "pid", (int)getpid()));
    wrn_daemon_end(methods->daemon, "somebody asked for it (warren down)");
}

void wrn_method_log(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    static const char *const names[] = {[WRN_LOG_SILENT] = "silent",
                                        [WRN_LOG_ERROR] = "error",
                                        [WRN_LOG_INFO] = "info",
                                        [WRN_LOG_VERBOSE] = "verbose"};
    struct wrn_log *log = wrn_daemon_log(methods->daemon);
    const char *wanted = wrn_rpc_text(call, "level");
    bool is_good = wanted == NULL;
    if (wanted != NULL && !wrn_rpc_is_admin(call)) {
        wrn_rpc_deny(call);
        return;
    }
    for (size_t i = 0; i < WRN_COUNT(names) && wanted != NULL; i++) {
        if (strcmp(names[i], wanted) == 0) {
            log->level = (enum wrn_log_level)i;
            is_good = true;
        }
    }
    if (!is_good) {
        wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL, "\"level\" is silent, error, info or verbose");
        return;
    }
    wrn_rpc_reply(call, json_pack("{s:s}", "level", names[log->level]));
}

void wrn_method_netcheck(void *ctx, struct wrn_rpc_call *call) {
    report(ctx, call, wrn_service_netcheck);
}

void wrn_method_doctor(void *ctx, struct wrn_rpc_call *call) {
    report(ctx, call, wrn_service_doctor);
}

static json_t *identity_json(struct wrn_methods *methods) {
    const struct wrn_node *node = wrn_daemon_node(methods->daemon);
    char fingerprint[WRN_FINGERPRINT_SIZE];
    wrn_fingerprint_print(wrn_node_hit(node), fingerprint);
    return json_pack("{s:o, s:s, s:o}", "hit", wrn_json_hit(wrn_node_hit(node)), "fingerprint",
                     fingerprint, "public_key",
                     wrn_json_hex(wrn_node_public_key(node), WRN_SIGN_PUBLIC_SIZE));
}

/* How packets are carried. */
static json_t *carrier_json(struct wrn_methods *methods) {
    struct wrn_daemon_facts facts = {0};
    wrn_daemon_facts(methods->daemon, &facts);
    return json_pack("{s:i, s:s, s:i, s:I, s:I, s:o, s:o}", "workers", (int)facts.workers, "crypto",
                     facts.provider != NULL ? facts.provider : "openssl", "extra_sockets",
                     (int)facts.extra_sockets, "lost_actions", (json_int_t)facts.lost_actions,
                     "failed_saves", (json_int_t)facts.failed_saves, "strays",
                     strays_json(methods, &facts), "streams", streams_json(&facts));
}

/* TCP and TLS: how many there are, where they are taken, and what was refused, if it was. */
static json_t *streams_json(const struct wrn_daemon_facts *facts) {
    const struct wrn_streams_facts *streams = &facts->streams;
    json_t *refused = json_object();
    if (!facts->has_streams) {
        json_decref(refused);
        return json_null();
    }
    for (int i = 0; i < WRN_STREAMS_REFUSALS; i++) {
        if (streams->refused[i] != 0) {
            wrn_json_set(refused, wrn_streams_refusal_name((enum wrn_streams_refusal)i),
                         json_integer((json_int_t)streams->refused[i]));
        }
    }
    return json_pack("{s:i, s:i, s:o, s:o, s:o}", "opened", (int)streams->opened, "taken",
                     (int)streams->taken, "tcp_port", port_json(streams->tcp_port), "tls_port",
                     port_json(streams->tls_port), "refused", refused);
}

static json_t *port_json(uint16_t port) {
    return port != 0 ? json_integer(port) : json_null();
}

/* What came to the port and was of no network; only what happened. */
static json_t *strays_json(struct wrn_methods *methods, const struct wrn_daemon_facts *facts) {
    json_t *json = json_object();
    uint64_t frames = wrn_node_strays(wrn_daemon_node(methods->daemon));
    for (int i = 0; i < WRN_STRAY_COUNT; i++) {
        if (facts->strays[i] != 0) {
            wrn_json_set(json, wrn_stray_name((enum wrn_stray)i),
                         json_integer((json_int_t)facts->strays[i]));
        }
    }
    if (frames != 0) {
        wrn_json_set(json, "unknown_frame", json_integer((json_int_t)frames));
    }
    return json;
}

static json_t *network_with_peers(struct wrn_methods *methods, wrn_handle network) {
    json_t *json = wrn_json_network(methods, network);
    wrn_json_set(json, "peers", wrn_json_peers(methods, network));
    if (methods->service != NULL) {
        wrn_json_set(json, "service", wrn_service_status(methods->service, network));
    }
    return json;
}

static void report(struct wrn_methods *methods, struct wrn_rpc_call *call,
                   void (*make)(struct wrn_service *service, wrn_service_report_fn on_report,
                                void *ctx)) {
    if (methods->service == NULL) {
        wrn_rpc_fail(call, WRN_RPC_MISSING, NULL, "this warrend runs without the part that looks");
        return;
    }
    struct report_job *job = wrn_job_begin(methods, call, sizeof *job, WRN_HANDLE_NONE,
                                           REPORT_PATIENCE_S, on_report_late);
    if (job == NULL) {
        return;
    }
    struct order *order = calloc(1, sizeof *order);
    if (order == NULL) {
        wrn_job_fail(&job->job, WRN_RPC_SYSTEM, "MEMORY", "no memory is left");
        return;
    }
    order->job = &job->job;
    job->order = order;
    job->job.on_end = on_report_end;
    make(methods->service, on_report, order);
}

static void on_report(void *ctx, json_t *json) {
    struct order *order = ctx;
    if (order->job == NULL) {
        json_decref(json);
    } else if (json != NULL) {
        wrn_job_reply(order->job, json);
    } else {
        wrn_job_fail(order->job, WRN_RPC_REFUSED, "ENDING", "warrend ends; start it: warren up");
    }
    free(order);
}

static void on_report_end(struct wrn_job *base) {
    WRN_CONTAINER(base, struct report_job, job)->order->job = NULL;
}

static void on_report_late(struct wrn_job *job) {
    wrn_job_fail(job, WRN_RPC_TIMEOUT, NULL, "the report did not come; ask again");
}

static void fail_unknown_event(struct wrn_rpc_call *call, const char *name) {
    char list[EVENTS_SIZE];
    size_t size = 0;
    for (int kind = 0; kind < WRN_NODE_EVENT_KINDS && size < sizeof list; kind++) {
        size += (size_t)snprintf(list + size, sizeof list - size, "%s%s", kind > 0 ? ", " : "",
                                 wrn_node_event_name((enum wrn_node_event_kind)kind));
    }
    wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL, "there is no event \"%.40s\"; there are: %s", name,
                 list);
}

static bool find_kind(const char *name, uint64_t *kinds) {
    for (int kind = 0; kind < WRN_NODE_EVENT_KINDS; kind++) {
        if (strcmp(name, wrn_node_event_name((enum wrn_node_event_kind)kind)) == 0) {
            *kinds |= UINT64_C(1) << kind;
            return true;
        }
    }
    return false;
}
