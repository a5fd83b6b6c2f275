/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes control requests against all methods that warrend has, on a real node whose daemon is a
 * stub: no sockets, no interfaces, no disk, and a clock that goes on with each line. Each line of
 * the input is a request. What is answered is JSON-RPC, each request is answered once, and nothing
 * stays under way at the end. */
#include "fuzz.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "daemon/attach.h"
#include "daemon/control.h"
#include "daemon/audit.h"
#include "daemon/methods_internal.h"
#include "fuzz/overlay_stub.h"
#include "io/clock.h"
#include "node/state.h"

enum {
    NETWORKS_MAX = 3, /* of one input; then it is full */
    DEPTH_MAX = WRN_DAEMON_DEPTH_MAX,
    TAGS_MAX = 64,
    LISTENERS_MAX = 4,
    MS_A_LINE = 700,
    ON_TIME_MAX = 200, /* steps between two lines */
    LINES_MAX = 64,
};

struct asker {
    uint32_t tag;
    wrn_daemon_answer_fn on_answer;
    void *ctx;
};

struct place {
    wrn_handle handle;
    void *memory;
    bool is_gone;
    wrn_daemon_gone_fn on_gone;
    void *gone_ctx;
};

struct wrn_daemon {
    uv_loop_t loop;
    struct wrn_log log;
    struct wrn_node *node;
    void *node_memory;
    size_t node_size;
    struct wrn_prng prng;
    struct wrn_now now, started;
    uint8_t seed[WRN_SEED_SIZE];
    struct wrn_node_out *outs[DEPTH_MAX];
    uint32_t depth;
    struct asker askers[TAGS_MAX];
    uint32_t last_tag;
    struct place places[NETWORKS_MAX];
    struct wrn_daemon_listener *listeners;
    uint64_t requests, answers;
};

static struct wrn_daemon fuzzed;
static struct wrn_crypto *crypto;
static struct wrn_primitives primitives;

static void *map(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    HOLDS(memory != MAP_FAILED);
    return memory;
}

/* ---- the stub: what methods ask of the daemon ---- */

struct wrn_now wrn_clock_read(void) {
    return fuzzed.now;
}

uv_loop_t *wrn_daemon_loop(const struct wrn_daemon *daemon) {
    return (uv_loop_t *)(uintptr_t)&daemon->loop;
}

struct wrn_log *wrn_daemon_log(const struct wrn_daemon *daemon) {
    return (struct wrn_log *)(uintptr_t)&daemon->log;
}

struct wrn_node *wrn_daemon_node(const struct wrn_daemon *daemon) {
    return daemon->node;
}

const char *wrn_daemon_version(void) {
    return "0";
}

const uint8_t *wrn_daemon_seed(const struct wrn_daemon *daemon) {
    return daemon->seed;
}

const struct wrn_primitives *wrn_daemon_primitives(const struct wrn_daemon *daemon) {
    (void)daemon;
    return &primitives;
}

struct wrn_rand wrn_daemon_rand(struct wrn_daemon *daemon) {
    return wrn_prng_rand(&daemon->prng);
}

struct wrn_now wrn_daemon_started(const struct wrn_daemon *daemon) {
    return daemon->started;
}

uint16_t wrn_daemon_port(const struct wrn_daemon *daemon) {
    (void)daemon;
    return 41000;
}

const struct wrn_locator_endpoint *wrn_daemon_local(const struct wrn_daemon *daemon,
                                                    size_t *ret_count) {
    static const struct wrn_locator_endpoint local = {
        .at = {.ip = {.bytes = {192, 0, 2, 1}, .family = WRN_FAMILY_IPV4}, .port = 41000},
        .kind = WRN_ENDPOINT_LOCAL};
    (void)daemon;
    *ret_count = 1;
    return &local;
}

bool wrn_daemon_foreign_route(const struct wrn_daemon *daemon, const struct wrn_prefix *range,
                              struct wrn_daemon_foreign *ret_foreign) {
    (void)daemon;
    *ret_foreign = (struct wrn_daemon_foreign){.route = "192.0.2.0/24", .interface = "eth0"};
    return range->ip.family == WRN_FAMILY_IPV4 && range->ip.bytes[0] == 192;
}

size_t wrn_daemon_foreign_ranges(const struct wrn_daemon *daemon, struct wrn_prefix *ret_list,
                                 size_t capacity) {
    (void)daemon;
    (void)ret_list;
    (void)capacity;
    return 0;
}

void wrn_daemon_facts(const struct wrn_daemon *daemon, struct wrn_daemon_facts *ret_facts) {
    (void)daemon;
    *ret_facts = (struct wrn_daemon_facts){.workers = 1};
}

bool wrn_daemon_interface(const struct wrn_daemon *daemon, wrn_handle network,
                          struct wrn_daemon_interface *ret_interface) {
    (void)daemon;
    (void)network;
    *ret_interface = (struct wrn_daemon_interface){.name = "fuzz0", .index = 7, .mtu_bytes = 1356};
    return true;
}

const struct wrn_daemon_unserved *wrn_daemon_unserved(const struct wrn_daemon *daemon,
                                                      size_t index) {
    static const struct wrn_daemon_unserved unserved = {.id = "00", .why = "it is damaged"};
    (void)daemon;
    return index == 0 ? &unserved : NULL;
}

void wrn_daemon_listen(struct wrn_daemon *daemon, struct wrn_daemon_listener *listener) {
    listener->next = daemon->listeners;
    daemon->listeners = listener;
}

void wrn_daemon_unlisten(struct wrn_daemon *daemon, struct wrn_daemon_listener *listener) {
    HOLDS(daemon->listeners == listener);
    daemon->listeners = listener->next;
}

void wrn_daemon_end(struct wrn_daemon *daemon, const char *why) {
    (void)daemon;
    HOLDS(why[0] != '\0');
}

uint32_t wrn_daemon_tag(struct wrn_daemon *daemon, wrn_daemon_answer_fn on_answer, void *ctx) {
    for (uint32_t i = 0; i < TAGS_MAX; i++) {
        if (daemon->askers[i].tag == 0) {
            daemon->askers[i] = (struct asker){++daemon->last_tag, on_answer, ctx};
            return daemon->last_tag;
        }
    }
    return 0;
}

void wrn_daemon_untag(struct wrn_daemon *daemon, uint32_t tag) {
    for (uint32_t i = 0; i < TAGS_MAX && tag != 0; i++) {
        if (daemon->askers[i].tag == tag) {
            daemon->askers[i].tag = 0;
        }
    }
}

struct wrn_node_out *wrn_daemon_begin(struct wrn_daemon *daemon, struct wrn_now *ret_now) {
    HOLDS(daemon->depth < DEPTH_MAX);
    struct wrn_node_out *out = daemon->outs[daemon->depth++];
    wrn_node_out_reset(out);
    out->wg->message_count = out->wg->event_count = 0;
    *ret_now = daemon->now;
    return out;
}

static void answer(struct wrn_daemon *daemon, const struct wrn_node_answer *answer) {
    for (uint32_t i = 0; i < TAGS_MAX; i++) {
        struct asker asker = daemon->askers[i];
        if (asker.tag == answer->tag && asker.tag != 0) {
            daemon->askers[i].tag = answer->is_last ? 0 : asker.tag;
            asker.on_answer(asker.ctx, answer);
            return;
        }
    }
}

static struct place *place_of(struct wrn_daemon *daemon, wrn_handle network) {
    for (uint32_t i = 0; i < NETWORKS_MAX; i++) {
        if (wrn_handle_equal(daemon->places[i].handle, network)) {
            return &daemon->places[i];
        }
    }
    return NULL;
}

/* What is saved can be read again. */
static void save(struct wrn_daemon *daemon, wrn_handle network) {
    static uint8_t room[WRN_STATE_MAX];
    static struct wrn_state state;
    size_t size = wrn_node_save(daemon->node, network, room, sizeof room);
    HOLDS(size > 0 && wrn_state_read((wrn_span){room, size}, &state) == WRN_STATE_OK);
}

void wrn_daemon_perform(struct wrn_daemon *daemon) {
    HOLDS(daemon->depth > 0);
    struct wrn_node_out *out = daemon->outs[daemon->depth - 1];
    for (uint32_t i = 0; i < out->count; i++) {
        struct wrn_node_action *action = &out->actions[i];
        struct place *place = place_of(daemon, action->network);
        if (action->kind == WRN_NODE_SAVE && place != NULL && !place->is_gone) {
            save(daemon, action->network);
        } else if (action->kind == WRN_NODE_ANSWER) {
            answer(daemon, &action->answer);
        } else if (action->kind == WRN_NODE_GONE && place != NULL) {
            place->is_gone = true;
        } else if (action->kind == WRN_NODE_EVENT) {
            HOLDS(action->event.kind < WRN_NODE_EVENT_KINDS && action->event.text[0] != '\0');
            for (struct wrn_daemon_listener *at = daemon->listeners; at; at = at->next) {
                at->on_event(at->ctx, action->network, &action->event);
            }
        }
    }
    daemon->depth--;
}

static void remove_network(struct wrn_daemon *daemon, struct place *place) {
    struct place gone = *place;
    for (struct wrn_daemon_listener *at = daemon->listeners; at; at = at->next) {
        at->on_network(at->ctx, gone.handle, false);
    }
    wrn_node_remove(daemon->node, gone.handle);
    (void)munmap(gone.memory, wrn_node_network_size(daemon->node));
    *place = (struct place){.handle = WRN_HANDLE_NONE};
    if (gone.on_gone) {
        gone.on_gone(gone.gone_ctx, gone.handle);
    }
}

int wrn_daemon_add_network(struct wrn_daemon *daemon, wrn_span state, wrn_handle *ret_network,
                           char reterr_why[WRN_DAEMON_WHY_SIZE]) {
    struct place *place = place_of(daemon, WRN_HANDLE_NONE);
    struct wrn_sexp sexp;
    struct wrn_now now;
    uint8_t *canonical = malloc(wrn_sexp_capacity(state.size));
    (void)snprintf(reterr_why, WRN_DAEMON_WHY_SIZE, "no room");
    HOLDS(canonical);
    HOLDS(wrn_sexp_read(WRN_SEXP_ANY, state, canonical, wrn_sexp_capacity(state.size), &sexp, NULL,
                        NULL) == 0);
    int error = place == NULL ? WRN_ERR_FULL : 0;
    if (place != NULL) {
        void *memory = map(wrn_node_network_size(daemon->node));
        struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
        enum wrn_reason reason =
            wrn_node_add(daemon->node, now, memory, sexp.bytes, out, &place->handle);
        HOLDS(reason == WRN_REASON_NONE || reason == WRN_REASON_REPLAYED);
        error = reason == WRN_REASON_NONE ? 0 : -EEXIST;
        if (error == 0) {
            place->memory = memory;
            *ret_network = place->handle;
        } else {
            (void)munmap(memory, wrn_node_network_size(daemon->node));
            place->handle = WRN_HANDLE_NONE;
        }
        wrn_daemon_perform(daemon);
    }
    free(canonical);
    return error;
}

void wrn_daemon_leave(struct wrn_daemon *daemon, wrn_handle network, wrn_daemon_gone_fn on_gone,
                      void *ctx) {
    struct place *place = place_of(daemon, network);
    struct wrn_now now;
    HOLDS(place != NULL);
    place->on_gone = on_gone;
    place->gone_ctx = ctx;
    struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
    wrn_node_leave(daemon->node, now, network, true, out);
    wrn_daemon_perform(daemon);
}

void wrn_control_subscribe(struct wrn_control *control, const struct wrn_rpc_session *session,
                           uint64_t kinds, wrn_handle network) {
    (void)control;
    (void)network;
    HOLDS(session != NULL && kinds >> WRN_NODE_EVENT_KINDS == 0);
}

void wrn_service_netcheck(struct wrn_service *service, wrn_service_report_fn on_report, void *ctx) {
    (void)service;
    on_report(ctx, json_object());
}

void wrn_service_doctor(struct wrn_service *service, wrn_service_report_fn on_report, void *ctx) {
    (void)service;
    on_report(ctx, NULL);
}

json_t *wrn_service_status(const struct wrn_service *service, wrn_handle network) {
    (void)service;
    (void)network;
    return json_object();
}

struct wrn_audit *wrn_service_audit(const struct wrn_service *service) {
    (void)service;
    return NULL;
}

void wrn_audit_call(struct wrn_audit *audit, const char *method,
                    const struct wrn_audit_caller *caller, const json_t *params,
                    const json_t *result, const char *why) {
    (void)audit;
    (void)caller;
    (void)params;
    WRN_ASSERT(*method != '\0' && (result == NULL) == (why != NULL));
}

json_t *wrn_audit_read(const struct wrn_audit *audit, const char *network_id, size_t count) {
    (void)audit;
    WRN_ASSERT(count >= 1 && count <= WRN_AUDIT_READ_MAX);
    WRN_ASSERT(network_id == NULL || strlen(network_id) == 64);
    return json_array();
}

struct wrn_attach *wrn_service_attach(const struct wrn_service *service) {
    (void)service;
    return NULL; /* only handed on */
}

bool wrn_attach_add(struct wrn_attach *attach, wrn_handle network,
                    const struct wrn_attach_wish *wish, struct wrn_attach_port *ret_port,
                    bool *ret_is_new, struct wrn_attach_refusal *ret_refusal) {
    (void)attach;
    HOLDS(wish->interface == NULL || strlen(wish->interface) < WRN_ATTACH_NAME_SIZE);
    HOLDS(wish->interface != NULL || wish->vtep.listen.port != 0);
    HOLDS(wish->vlan <= WRN_ATTACH_VLAN_MAX);
    if (wish->is_forced) {
        *ret_refusal = (struct wrn_attach_refusal){.code = WRN_RPC_REFUSED, .why = "so"};
        return false;
    }
    *ret_port = (struct wrn_attach_port){.network = network,
                                         .is_vtep = wish->interface == NULL,
                                         .vlan = wish->vlan,
                                         .vtep = wish->vtep};
    *ret_is_new = true;
    return true;
}

bool wrn_attach_remove(struct wrn_attach *attach, wrn_handle network,
                       const struct wrn_attach_wish *wish, struct wrn_attach_port *ret_port,
                       struct wrn_attach_refusal *ret_refusal) {
    bool is_new = false;
    return wrn_attach_add(attach, network, wish, ret_port, &is_new, ret_refusal);
}

bool wrn_attach_next(const struct wrn_attach *attach, wrn_handle network, uint32_t *cursor,
                     struct wrn_attach_port *ret_port) {
    (void)attach;
    *ret_port = (struct wrn_attach_port){.network = network};
    return (*cursor)++ < 1;
}

const char *wrn_attach_state_name(enum wrn_attach_state state) {
    (void)state;
    return "attached";
}

/* ---- the input ---- */

static void check_answer(const json_t *told) {
    HOLDS(json_object_get(told, "jsonrpc") != NULL && json_object_get(told, "id") != NULL);
    const json_t *error = json_object_get(told, "error");
    HOLDS((json_object_get(told, "result") != NULL) == (error == NULL));
    HOLDS(error == NULL || (json_is_integer(json_object_get(error, "code")) &&
                            json_string_length(json_object_get(error, "message")) > 0));
}

static void on_send(void *ctx, const char *line, size_t size) {
    (void)ctx;
    HOLDS(size > 1 && line[size - 1] == '\n' && memchr(line, '\n', size - 1) == NULL);
    json_t *json = json_loadb(line, size, 0, NULL);
    HOLDS(json != NULL);
    size_t count = json_is_array(json) ? json_array_size(json) : 1;
    for (size_t i = 0; i < count; i++) {
        check_answer(json_is_array(json) ? json_array_get(json, i) : json);
    }
    json_decref(json);
}

static void go_on(struct wrn_daemon *daemon) {
    uint64_t until_ns = daemon->now.mono.ns + WRN_MS(MS_A_LINE);
    for (int i = 0; i < ON_TIME_MAX && wrn_node_due(daemon->node).ns <= until_ns; i++) {
        uint64_t due_ns = wrn_node_due(daemon->node).ns;
        daemon->now.mono.ns = due_ns > daemon->now.mono.ns ? due_ns : daemon->now.mono.ns;
        struct wrn_now now;
        struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
        wrn_node_on_time(daemon->node, now, out);
        wrn_daemon_perform(daemon);
    }
    daemon->now.mono.ns = until_ns;
    daemon->now.wall.s =
        daemon->started.wall.s + (int64_t)((until_ns - daemon->started.mono.ns) / WRN_S(1));
    for (uint32_t i = 0; i < NETWORKS_MAX; i++) {
        if (daemon->places[i].is_gone) {
            remove_network(daemon, &daemon->places[i]);
        }
    }
    (void)uv_run(&daemon->loop, UV_RUN_NOWAIT);
}

static void begin(struct wrn_daemon *daemon) {
    struct wrn_node_out *outs[DEPTH_MAX];
    if (crypto == NULL) {
        HOLDS(wrn_crypto_create(WRN_CRYPTO_OPENSSL, &crypto) == 0);
        primitives = wrn_primitives(crypto);
        struct wrn_wg_out *wg = map(sizeof *wg);
        struct wrn_overlay_out *overlay = map(sizeof *overlay);
        for (int i = 0; i < DEPTH_MAX; i++) {
            daemon->outs[i] = map(sizeof *daemon->outs[i]);
            daemon->outs[i]->wg = wg;
            daemon->outs[i]->overlay = overlay;
        }
    }
    memcpy(outs, daemon->outs, sizeof outs);
    *daemon = (struct wrn_daemon){.seed = {1, 2, 3}};
    memcpy(daemon->outs, outs, sizeof outs);
    daemon->started = daemon->now =
        (struct wrn_now){.mono = {WRN_S(1000)}, .wall = {.s = 1795000000}};
    wrn_prng_init(&daemon->prng, 7, 0);
    wrn_log_init(&daemon->log, WRN_LOG_SILENT);
    HOLDS(uv_loop_init(&daemon->loop) == 0);
    struct wrn_node_options options = {.host = {(const uint8_t *)"fuzz", 4},
                                       .port = 41000,
                                       .crypto = crypto,
                                       .primitives = &primitives,
                                       .rand = wrn_prng_rand(&daemon->prng)};
    memcpy(options.seed, daemon->seed, sizeof options.seed);
    daemon->node_size = wrn_node_memory_size(&options);
    daemon->node_memory = map(daemon->node_size);
    daemon->node = wrn_node_init(daemon->node_memory, &options, daemon->now);
    HOLDS(daemon->node);
    for (int i = 0; i < NETWORKS_MAX; i++) {
        daemon->places[i].handle = WRN_HANDLE_NONE;
    }
}

static void finish(struct wrn_daemon *daemon) {
    for (int i = 0; i < NETWORKS_MAX; i++) {
        if (!wrn_handle_equal(daemon->places[i].handle, WRN_HANDLE_NONE)) {
            remove_network(daemon, &daemon->places[i]);
        }
    }
    wrn_node_finish(daemon->node);
    (void)munmap(daemon->node_memory, daemon->node_size);
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
    HOLDS(uv_loop_close(&daemon->loop) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct wrn_rpc_host host;
    begin(&fuzzed);
    struct wrn_service *service = (struct wrn_service *)&fuzzed; /* not looked into */
    struct wrn_methods *methods = wrn_methods_create(&fuzzed, service, NULL, &host);
    HOLDS(methods != NULL);
    struct wrn_rpc_session *session = wrn_rpc_session_create(&host, WRN_RPC_ADMIN, on_send, NULL);
    HOLDS(session != NULL);
    for (int lines = 0; size > 0 && lines < LINES_MAX; lines++) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end != NULL ? (size_t)(end - data) : size;
        uint8_t *copy = malloc(length + 1); /* of its own size, so that reading on is noticed */
        HOLDS(copy != NULL);
        memcpy(copy + 1, data, length);
        wrn_rpc_line(session, (wrn_span){copy + 1, length});
        free(copy);
        go_on(&fuzzed);
        size_t taken = length + (end != NULL);
        data += taken;
        size -= taken;
    }
    HOLDS(wrn_rpc_calls(session) == host.calls);
    wrn_job_end_all(methods, WRN_HANDLE_NONE);
    HOLDS(host.calls == 0); /* all that was asked has been answered, once */
    wrn_rpc_session_destroy(session);
    wrn_methods_destroy(methods);
    finish(&fuzzed);
    return 0;
}
