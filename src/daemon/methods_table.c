/* SPDX-License-Identifier: Apache-2.0 */
/* Methods about the records of a network's table. */
#include <stdio.h>

#include "daemon/methods_internal.h"
#include "io/clock.h"

#define WHICH_KEYS                                                                                 \
    "; for values of one's own there is svc/NAME, with dht put and dht delete (all keys: "         \
    "docs/networks.md, Records)"

enum { TABLE_PATIENCE_S = 30, TTL_S = 7200 };

static const char *const kinds[] = {
    [WRN_RECORD_PUT] = "put", [WRN_RECORD_CREATE] = "create", [WRN_RECORD_DELETE] = "delete"};

struct get_job {
    struct wrn_job job;
    json_t *records;
};

static void store(struct wrn_methods *methods, struct wrn_rpc_call *call,
                  enum wrn_record_kind kind);
static bool is_key(const char *key);
static void on_found(struct wrn_job *base, const struct wrn_node_answer *answer);
static void on_get_end(struct wrn_job *base);
static void on_stored(struct wrn_job *job, const struct wrn_node_answer *answer);
static void on_late(struct wrn_job *job);
static json_t *record_json(const struct wrn_record *record);
static json_t *text_json(wrn_span text);

void wrn_method_dht_get(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    const char *key = wrn_rpc_text(call, "key");
    struct wrn_now now;
    wrn_handle network;
    if (!wrn_find_network(methods, call, &network)) {
        return;
    }
    struct get_job *job =
        wrn_job_begin(methods, call, sizeof *job, network,
                      wrn_rpc_number(call, "timeout_s", TABLE_PATIENCE_S), on_late);
    if (job == NULL) {
        return;
    }
    job->job.on_end = on_get_end;
    job->job.only_looks = true;
    job->records = json_array();
    if (wrn_job_tag(&job->job, on_found)) {
        struct wrn_node_out *out = wrn_daemon_begin(methods->daemon, &now);
        wrn_node_get(wrn_daemon_node(methods->daemon), now, network, job->job.tag,
                     (wrn_span){(const uint8_t *)key, strlen(key)}, out);
        wrn_daemon_perform(methods->daemon);
    }
}

void wrn_method_dht_list(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    const struct wrn_node *node = wrn_daemon_node(methods->daemon);
    struct wrn_node_kept kept;
    uint32_t cursor = 0;
    wrn_handle network;
    if (!wrn_find_network(methods, call, &network)) {
        return;
    }
    json_t *list = json_array();
    while (wrn_node_next_kept(node, network, &cursor, &kept)) {
        const char *why = "it is being stored";
        if (kept.reason != WRN_REASON_NONE) {
            why = wrn_reason_text(kept.reason);
        }
        (void)json_array_append_new(
            list, json_pack("{s:s, s:o, s:o, s:o, s:I, s:b, s:o}", "kind", kinds[kept.kind], "key",
                            text_json(kept.key), "value", text_json(kept.value), "value_hex",
                            wrn_json_hex(kept.value.data, kept.value.size), "ttl_s",
                            (json_int_t)kept.ttl_s, "stored", kept.is_stored, "why",
                            kept.is_stored ? json_null() : json_string(why)));
    }
    wrn_rpc_reply(call, json_pack("{s:o}", "kept", list));
}

void wrn_method_dht_put(void *ctx, struct wrn_rpc_call *call) {
    store(ctx, call, WRN_RECORD_PUT);
}

void wrn_method_dht_create(void *ctx, struct wrn_rpc_call *call) {
    store(ctx, call, WRN_RECORD_CREATE);
}

void wrn_method_dht_delete(void *ctx, struct wrn_rpc_call *call) {
    store(ctx, call, WRN_RECORD_DELETE);
}

static void store(struct wrn_methods *methods, struct wrn_rpc_call *call,
                  enum wrn_record_kind kind) {
    const char *key = wrn_rpc_text(call, "key");
    bool has_value = kind != WRN_RECORD_DELETE;
    const char *value = has_value ? wrn_rpc_text(call, "value") : "";
    uint32_t ttl_s = has_value ? (uint32_t)wrn_rpc_number(call, "ttl_s", TTL_S) : TTL_S;
    bool keep = has_value && wrn_rpc_flag(call, "keep");
    struct wrn_now now;
    wrn_handle network;
    if (!wrn_find_network(methods, call, &network)) {
        return;
    }
    if (!is_key(key)) {
        wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL,
                     "\"key\" has to be a kind, a slash and a name of that kind" WHICH_KEYS);
        return;
    }
    struct wrn_job *job =
        wrn_job_begin(methods, call, sizeof *job, network,
                      wrn_rpc_number(call, "timeout_s", TABLE_PATIENCE_S), on_late);
    if (job != NULL && wrn_job_tag(job, on_stored)) {
        struct wrn_node_out *out = wrn_daemon_begin(methods->daemon, &now);
        wrn_node_store(wrn_daemon_node(methods->daemon), now, network, job->tag, kind,
                       (wrn_span){(const uint8_t *)key, strlen(key)},
                       (wrn_span){(const uint8_t *)value, strlen(value)}, ttl_s, keep, out);
        wrn_daemon_perform(methods->daemon);
    }
}

/* Each kind of key has a first word. Which there are the ring knows. */
static bool is_key(const char *key) {
    const char *slash = strchr(key, '/');
    return slash != NULL && slash != key && slash[1] != '\0' && strchr(key, ' ') == NULL;
}

static void on_found(struct wrn_job *base, const struct wrn_node_answer *answer) {
    struct get_job *job = WRN_CONTAINER(base, struct get_job, job);
    struct wrn_record record;
    if (answer->record.size > 0 &&
        wrn_record_read(answer->record, wrn_daemon_primitives(base->methods->daemon), &record) ==
            WRN_REASON_NONE) {
        (void)json_array_append_new(job->records, record_json(&record));
    }
    if (!answer->is_last) {
        return;
    }
    if (answer->reason != WRN_REASON_NONE && answer->reason != WRN_REASON_NOT_FOUND &&
        json_array_size(job->records) == 0) {
        wrn_job_fail(base, WRN_RPC_REFUSED, wrn_reason_name(answer->reason),
                     "the table gave no answer: %s; is this machine connected? warren status",
                     wrn_reason_text(answer->reason));
        return;
    }
    wrn_job_reply(base, json_pack("{s:O}", "records", job->records));
}

static void on_get_end(struct wrn_job *base) {
    struct get_job *job = WRN_CONTAINER(base, struct get_job, job);
    json_decref(job->records);
    job->records = NULL;
}

static void on_stored(struct wrn_job *job, const struct wrn_node_answer *answer) {
    if (!answer->is_last) {
        return;
    }
    if (answer->reason == WRN_REASON_NONE) {
        wrn_job_reply(job, json_pack("{s:i}", "copies", (int)answer->copies));
        return;
    }
    wrn_job_fail(job, WRN_RPC_REFUSED, wrn_reason_name(answer->reason),
                 "the record was not stored: %s%s", wrn_reason_text(answer->reason),
                 answer->reason == WRN_REASON_RULE ? WHICH_KEYS : "");
}

static void on_late(struct wrn_job *job) {
    wrn_job_fail(job, WRN_RPC_TIMEOUT, NULL,
                 "the table did not answer in time; is this machine connected? warren status");
}

static json_t *record_json(const struct wrn_record *record) {
    uint8_t hit[WRN_HIT_SIZE];
    wrn_hit(record->owner, hit);
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "kind", kinds[record->kind], "key",
                     text_json(record->key), "value", text_json(record->value), "value_hex",
                     wrn_json_hex(record->value.data, record->value.size), "owner",
                     wrn_json_hit(hit), "made_s", (json_int_t)record->made_s, "ttl_s",
                     (json_int_t)record->ttl_s, "sequence", (json_int_t)record->sequence);
}

/* null, if it is no text. */
static json_t *text_json(wrn_span text) {
    json_t *json =
        text.size == 0 ? json_string("") : json_stringn((const char *)text.data, text.size);
    return json != NULL ? json : json_null();
}
