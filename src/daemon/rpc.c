/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, batches, answers. Holds no more than what is under way. */
#include "daemon/rpc.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/crypto.h"

enum { MESSAGE_MAX = 1024, TEXT_MOST = 255, NAME_SHOWN = 64, DIGITS = 9 };

#define DENIED                                                                                     \
    "%s changes things, and you may only read here: use sudo, or join the group that warrend was " \
    "given with --admin-group"

struct wrn_rpc_session {
    struct wrn_rpc_host *host;
    enum wrn_rpc_level level;
    uint32_t uid; /* who is at the other end */
    int32_t pid;
    void (*send)(void *ctx, const char *line, size_t size);
    void *send_ctx;
    uint32_t calls;
    struct wrn_rpc_call *first;
};

/* The requests of one line that were a list: answered together. */
struct batch {
    uint32_t open;   /* calls under way, and one while the line is being read */
    json_t *answers; /* NULL: no memory was left for it */
};

struct wrn_rpc_call {
    struct wrn_rpc_host *host;
    struct wrn_rpc_session *session; /* NULL: it has ended */
    struct wrn_rpc_call *previous, *next;
    const struct wrn_rpc_method *method;
    struct batch *batch; /* NULL: it came alone */
    json_t *params;      /* an object */
    json_t *id;          /* NULL: a notification */
    enum wrn_rpc_level level;
    uint32_t uid; /* who asked */
    int32_t pid;
};

static uint32_t calls_most(const struct wrn_rpc_session *session);
static void take_batch(struct wrn_rpc_session *session, json_t *list);
static void take_request(struct wrn_rpc_session *session, struct batch *batch, json_t *request);
static const char *request_fault(const json_t *request, json_t **ret_id);
static struct wrn_rpc_call *begin_call(struct wrn_rpc_session *session, struct batch *batch,
                                       const struct wrn_rpc_method *method, json_t *request,
                                       json_t *id);
static void end_call(struct wrn_rpc_call *call, json_t *answer);
static bool check_params(const struct wrn_rpc_method *method, json_t *params,
                         char ret_why[MESSAGE_MAX]);
static bool check_param(const struct wrn_rpc_param *param, const json_t *value,
                        char ret_why[MESSAGE_MAX]);
static bool check_texts(const struct wrn_rpc_param *param, const json_t *value,
                        char ret_why[MESSAGE_MAX]);
static bool refuse(char ret_why[MESSAGE_MAX], const char *format, ...) WRN_PRINTF(2, 3);
static const struct wrn_rpc_param *find_param(const struct wrn_rpc_method *method,
                                              const char *name);
static const struct wrn_rpc_method *find_method(const struct wrn_rpc_host *host, const char *name);
static void answer_error(struct wrn_rpc_session *session, struct batch *batch, json_t *id,
                         enum wrn_rpc_code code, const char *message);
static json_t *make_error(json_t *id, enum wrn_rpc_code code, const char *reason,
                          const char *message);
static json_t *make_result(json_t *id, json_t *result);
static void deliver(struct wrn_rpc_session *session, struct batch *batch, json_t *answer);
static void close_batch(struct wrn_rpc_session *session, struct batch *batch);
static void send_json(struct wrn_rpc_session *session, json_t *json);
static const json_t *value_of(const struct wrn_rpc_call *call, const char *name);
static void shown_name(const char *text, char ret_text[NAME_SHOWN]);

struct wrn_rpc_session *
wrn_rpc_session_create(struct wrn_rpc_host *host, enum wrn_rpc_level level,
                       void (*send)(void *ctx, const char *line, size_t size), void *send_ctx) {
    struct wrn_rpc_session *session = calloc(1, sizeof *session);
    if (session != NULL) {
        *session = (struct wrn_rpc_session){
            .host = host, .level = level, .uid = UINT32_MAX, .send = send, .send_ctx = send_ctx};
    }
    return session;
}

void wrn_rpc_session_caller(struct wrn_rpc_session *session, uint32_t uid, int32_t pid) {
    session->uid = uid;
    session->pid = pid;
}

void wrn_rpc_session_destroy(struct wrn_rpc_session *session) {
    if (session == NULL) {
        return;
    }
    for (struct wrn_rpc_call *call = session->first; call != NULL; call = call->next) {
        call->session = NULL;
    }
    free(session);
}

void wrn_rpc_line(struct wrn_rpc_session *session, wrn_span line) {
    json_error_t error;
    size_t blanks = 0;
    while (blanks < line.size && strchr(" \t\r\n", line.data[blanks]) != NULL &&
           line.data[blanks] != '\0') {
        blanks++;
    }
    if (blanks == line.size) {
        return;
    }
    json_t *json = json_loadb((const char *)line.data, line.size,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (json == NULL) {
        char why[MESSAGE_MAX];
        (void)refuse(why, "the line is no JSON text (%s, byte %d); a request is one line",
                     error.text, error.position);
        answer_error(session, NULL, NULL, WRN_RPC_PARSE, why);
    } else if (json_is_array(json)) {
        take_batch(session, json);
    } else {
        take_request(session, NULL, json);
    }
    json_decref(json);
}

void wrn_rpc_too_long(struct wrn_rpc_session *session) {
    answer_error(session, NULL, NULL, WRN_RPC_PARSE,
                 "the line is longer than 65536 bytes; a request is one line");
}

void wrn_rpc_notify(struct wrn_rpc_session *session, const char *method, json_t *params) {
    if (params != NULL) {
        send_json(session, json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method,
                                     "params", params));
    }
}

uint32_t wrn_rpc_calls(const struct wrn_rpc_session *session) {
    return session->calls;
}

struct wrn_rpc_session *wrn_rpc_call_session(const struct wrn_rpc_call *call) {
    return call->session;
}

void wrn_rpc_deny(struct wrn_rpc_call *call) {
    wrn_rpc_fail(call, WRN_RPC_DENIED, NULL, DENIED, call->method->name);
}

bool wrn_rpc_is_admin(const struct wrn_rpc_call *call) {
    return call->level == WRN_RPC_ADMIN;
}

void wrn_rpc_caller(const struct wrn_rpc_call *call, uint32_t *ret_uid, int32_t *ret_pid) {
    *ret_uid = call->uid;
    *ret_pid = call->pid;
}

const json_t *wrn_rpc_params(const struct wrn_rpc_call *call) {
    return call->params;
}

const char *wrn_rpc_call_name(const struct wrn_rpc_call *call) {
    return call->method->name;
}

const char *wrn_rpc_text(const struct wrn_rpc_call *call, const char *name) {
    return json_string_value(value_of(call, name));
}

int64_t wrn_rpc_number(const struct wrn_rpc_call *call, const char *name, int64_t otherwise) {
    const json_t *value = value_of(call, name);
    return value == NULL ? otherwise : json_integer_value(value);
}

bool wrn_rpc_flag(const struct wrn_rpc_call *call, const char *name) {
    return json_is_true(value_of(call, name));
}

size_t wrn_rpc_texts(const struct wrn_rpc_call *call, const char *name, const char **ret_texts,
                     size_t capacity) {
    const json_t *list = value_of(call, name);
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count && i < capacity; i++) {
        ret_texts[i] = json_string_value(json_array_get(list, i));
    }
    return count < capacity ? count : capacity;
}

bool wrn_rpc_has(const struct wrn_rpc_call *call, const char *name) {
    return value_of(call, name) != NULL;
}

void wrn_rpc_reply(struct wrn_rpc_call *call, json_t *result) {
    json_t *answer = NULL;
    if (call->host->on_end != NULL) {
        call->host->on_end(call->host->ctx, call, result, result == NULL ? "no memory" : NULL);
    }
    if (call->id == NULL || call->session == NULL) {
        json_decref(result);
    } else if (result != NULL) {
        answer = make_result(call->id, result);
    } else {
        answer = make_error(call->id, WRN_RPC_SYSTEM, "MEMORY",
                            "there is no memory left for the answer: end other programs");
    }
    end_call(call, answer);
}

void wrn_rpc_fail(struct wrn_rpc_call *call, enum wrn_rpc_code code, const char *reason,
                  const char *format, ...) {
    char message[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    bool is_wanted = call->id != NULL && call->session != NULL;
    if (call->host->on_end != NULL) {
        call->host->on_end(call->host->ctx, call, NULL, message);
    }
    end_call(call, is_wanted ? make_error(call->id, code, reason, message) : NULL);
}

json_t *wrn_rpc_json_text(const char *text) {
    if (text == NULL) {
        return json_null();
    }
    json_t *json = json_string(text);
    if (json != NULL) {
        return json;
    }
    char *copy = strdup(text); /* not UTF-8, or no memory */
    for (char *c = copy; c != NULL && *c != '\0'; c++) {
        if ((unsigned char)*c >= 0x80) {
            *c = '?';
        }
    }
    json = copy != NULL ? json_string(copy) : NULL;
    free(copy);
    return json;
}

/* Whoever may only read cannot keep those out who may end what goes on. */
static uint32_t calls_most(const struct wrn_rpc_session *session) {
    const struct wrn_rpc_host *host = session->host;
    return host->calls_most - (session->level == WRN_RPC_READ ? host->calls_kept : 0);
}

static void take_batch(struct wrn_rpc_session *session, json_t *list) {
    size_t count = json_array_size(list);
    struct batch *batch = NULL;
    if (count == 0 || count > WRN_RPC_BATCH_MAX) {
        answer_error(session, NULL, NULL, WRN_RPC_INVALID,
                     count == 0 ? "the list of requests is empty"
                                : "there are more than 64 requests in one line");
        return;
    }
    batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        answer_error(session, NULL, NULL, WRN_RPC_INTERNAL, "no memory is left for the requests");
        return;
    }
    batch->open = 1;
    batch->answers = json_array();
    for (size_t i = 0; i < count; i++) {
        take_request(session, batch, json_array_get(list, i));
    }
    close_batch(session, batch);
}

static void take_request(struct wrn_rpc_session *session, struct batch *batch, json_t *request) {
    char why[MESSAGE_MAX];
    json_t *id = NULL;
    const char *fault = request_fault(request, &id);
    if (fault != NULL) {
        answer_error(session, batch, NULL, WRN_RPC_INVALID, fault);
        return;
    }
    const char *name = json_string_value(json_object_get(request, "method"));
    const struct wrn_rpc_method *method = find_method(session->host, name);
    enum wrn_rpc_code code = 0;
    if (method == NULL) {
        char shown[NAME_SHOWN];
        shown_name(name, shown);
        (void)refuse(why, "there is no method \"%s\"; version lists those that there are", shown);
        code = WRN_RPC_NO_METHOD;
    } else if (method->level > session->level) {
        (void)refuse(why, DENIED, name);
        code = WRN_RPC_DENIED;
    } else if (!check_params(method, json_object_get(request, "params"), why)) {
        code = WRN_RPC_PARAMS;
    } else if (session->calls >= WRN_RPC_CALLS_MAX) {
        (void)refuse(why, "%" PRIu32 " calls are under way: wait for their answers first",
                     session->calls);
        code = WRN_RPC_BUSY;
    } else if (session->host->calls >= calls_most(session)) {
        (void)refuse(why,
                     "%" PRIu32 " calls of all connections are under way: ask again when "
                     "some of them have ended",
                     session->host->calls);
        code = WRN_RPC_BUSY;
    }
    if (code != 0) {
        if (id != NULL) { /* a notification is never answered */
            answer_error(session, batch, id, code, why);
        }
        return;
    }
    struct wrn_rpc_call *call = begin_call(session, batch, method, request, id);
    if (call != NULL) {
        method->run(session->host->ctx, call);
    } else if (id != NULL) {
        answer_error(session, batch, id, WRN_RPC_SYSTEM, "no memory is left for the call");
    }
}

/* Looks whether a request is one. Returns what is wrong, or NULL and its id (NULL: a
 * notification). */
static const char *request_fault(const json_t *request, json_t **ret_id) {
    const char *version = json_string_value(json_object_get(request, "jsonrpc"));
    const json_t *params = json_object_get(request, "params");
    json_t *id = json_object_get(request, "id");
    if (!json_is_object(request)) {
        return "a request is an object with jsonrpc, method, params and id";
    }
    if (version == NULL || strcmp(version, "2.0") != 0) {
        return "\"jsonrpc\": \"2.0\" is missing";
    }
    if (!json_is_string(json_object_get(request, "method"))) {
        return "\"method\" is missing, or no text";
    }
    if (params != NULL && !json_is_object(params) && !json_is_array(params)) {
        return "\"params\" is neither an object nor a list";
    }
    if (id != NULL && !json_is_null(id) && !json_is_integer(id) && !json_is_string(id)) {
        return "\"id\" is neither a text nor a whole number";
    }
    if (json_string_length(id) > WRN_RPC_ID_MAX) {
        return "\"id\" is longer than 256 bytes";
    }
    *ret_id = id;
    return NULL;
}

static struct wrn_rpc_call *begin_call(struct wrn_rpc_session *session, struct batch *batch,
                                       const struct wrn_rpc_method *method, json_t *request,
                                       json_t *id) {
    struct wrn_rpc_call *call = calloc(1, sizeof *call);
    json_t *given = json_object_get(request, "params"); /* an empty list is fine, too */
    json_t *params = json_is_object(given) ? json_incref(given) : json_object();
    if (call == NULL || params == NULL) {
        json_decref(params);
        free(call);
        return NULL;
    }
    *call = (struct wrn_rpc_call){
        .host = session->host,
        .session = session,
        .next = session->first,
        .method = method,
        .batch = batch,
        .level = session->level,
        .uid = session->uid,
        .pid = session->pid,
        .params = params,
        .id = json_incref(id),
    };
    if (session->first != NULL) {
        session->first->previous = call;
    }
    session->first = call;
    session->calls++;
    session->host->calls++;
    if (batch != NULL) {
        batch->open++;
    }
    return call;
}

/* 'answer', whose reference is given up, is NULL if nobody wants one. */
static void end_call(struct wrn_rpc_call *call, json_t *answer) {
    struct wrn_rpc_session *session = call->session;
    struct batch *batch = call->batch;
    WRN_ASSERT(call->host->calls > 0);
    call->host->calls--;
    if (session != NULL) {
        session->calls--;
        if (call->previous != NULL) {
            call->previous->next = call->next;
        } else {
            session->first = call->next;
        }
        if (call->next != NULL) {
            call->next->previous = call->previous;
        }
    }
    json_decref(call->params);
    json_decref(call->id);
    free(call);
    if (answer != NULL) {
        deliver(session, batch, answer);
    }
    if (batch != NULL) {
        close_batch(session, batch);
    }
}

static bool check_params(const struct wrn_rpc_method *method, json_t *params,
                         char ret_why[MESSAGE_MAX]) {
    const char *name = NULL;
    json_t *value = NULL;
    if (json_is_array(params) && json_array_size(params) > 0) {
        return refuse(ret_why, "%s takes its parameters by name, in an object", method->name);
    }
    json_object_foreach(params, name, value) {
        const struct wrn_rpc_param *param = find_param(method, name);
        if (param == NULL) {
            char shown[NAME_SHOWN];
            shown_name(name, shown);
            return refuse(ret_why, "%s has no parameter \"%s\"", method->name, shown);
        }
        if (!check_param(param, value, ret_why)) {
            return false;
        }
    }
    for (size_t i = 0; i < method->param_count; i++) {
        const struct wrn_rpc_param *param = &method->params[i];
        if (param->is_needed && json_object_get(params, param->name) == NULL) {
            return refuse(ret_why, "%s: the parameter \"%s\" is missing", method->name,
                          param->name);
        }
    }
    return true;
}

static bool check_param(const struct wrn_rpc_param *param, const json_t *value,
                        char ret_why[MESSAGE_MAX]) {
    int64_t most = param->most != 0 || param->kind != WRN_RPC_TEXT ? param->most : TEXT_MOST;
    int64_t length = (int64_t)json_string_length(value);
    switch (param->kind) {
    case WRN_RPC_TEXT:
        return (json_is_string(value) && length >= param->least && length <= most) ||
               refuse(ret_why, "\"%s\" has to be a text of %" PRId64 " to %" PRId64 " bytes",
                      param->name, param->least, most);
    case WRN_RPC_NUMBER:
        return (json_is_integer(value) && json_integer_value(value) >= param->least &&
                json_integer_value(value) <= most) ||
               refuse(ret_why, "\"%s\" has to be a whole number from %" PRId64 " to %" PRId64,
                      param->name, param->least, most);
    case WRN_RPC_FLAG:
        return json_is_boolean(value) ||
               refuse(ret_why, "\"%s\" has to be true or false", param->name);
    case WRN_RPC_TEXTS:
        return check_texts(param, value, ret_why);
    }
    return refuse(ret_why, "\"%s\" is of no kind", param->name);
}

static bool check_texts(const struct wrn_rpc_param *param, const json_t *value,
                        char ret_why[MESSAGE_MAX]) {
    int64_t count = (int64_t)json_array_size(value);
    bool is_good = json_is_array(value) && count >= param->least && count <= param->most;
    for (size_t i = 0; is_good && i < (size_t)count; i++) {
        const json_t *text = json_array_get(value, i);
        size_t length = json_string_length(text);
        is_good = json_is_string(text) && length >= 1 && length <= TEXT_MOST;
    }
    return is_good ||
           refuse(ret_why,
                  "\"%s\" has to be a list of %" PRId64 " to %" PRId64 " texts of 1 to 255 bytes",
                  param->name, param->least, param->most);
}

/* Writes why, and is false. */
static bool refuse(char ret_why[MESSAGE_MAX], const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(ret_why, MESSAGE_MAX, format, arguments);
    va_end(arguments);
    return false;
}

static const struct wrn_rpc_param *find_param(const struct wrn_rpc_method *method,
                                              const char *name) {
    for (size_t i = 0; i < method->param_count; i++) {
        if (strcmp(method->params[i].name, name) == 0) {
            return &method->params[i];
        }
    }
    return NULL;
}

static const struct wrn_rpc_method *find_method(const struct wrn_rpc_host *host, const char *name) {
    for (size_t i = 0; i < host->method_count; i++) {
        if (strcmp(host->methods[i].name, name) == 0) {
            return &host->methods[i];
        }
    }
    return NULL;
}

static void answer_error(struct wrn_rpc_session *session, struct batch *batch, json_t *id,
                         enum wrn_rpc_code code, const char *message) {
    json_t *answer = make_error(id, code, NULL, message);
    if (answer != NULL) {
        deliver(session, batch, answer);
    }
}

/* Borrows 'id'; NULL stands for null. */
static json_t *make_error(json_t *id, enum wrn_rpc_code code, const char *reason,
                          const char *message) {
    json_t *error =
        json_pack("{s:i, s:o}", "code", (int)code, "message", wrn_rpc_json_text(message));
    if (error != NULL && reason != NULL) {
        (void)json_object_set_new(error, "data", json_pack("{s:s}", "reason", reason));
    }
    return json_pack("{s:s, s:o, s:O?}", "jsonrpc", "2.0", "error", error, "id",
                     id != NULL ? id : json_null());
}

/* Borrows 'id', takes 'result'. */
static json_t *make_result(json_t *id, json_t *result) {
    return json_pack("{s:s, s:o, s:O}", "jsonrpc", "2.0", "result", result, "id", id);
}

/* Sends an answer, or keeps it until the others of its line are there. Takes it. */
static void deliver(struct wrn_rpc_session *session, struct batch *batch, json_t *answer) {
    if (batch != NULL) {
        (void)json_array_append_new(batch->answers, answer);
    } else {
        send_json(session, answer);
    }
}

/* One of those that keep the batch open is done. */
static void close_batch(struct wrn_rpc_session *session, struct batch *batch) {
    if (--batch->open > 0) {
        return;
    }
    if (session != NULL && json_array_size(batch->answers) > 0) {
        send_json(session, json_incref(batch->answers));
    }
    json_decref(batch->answers);
    free(batch);
}

/* Takes 'json'; NULL (no memory was left for it) sends nothing, and the asker's time-out tells. */
static void send_json(struct wrn_rpc_session *session, json_t *json) {
    char *line = json != NULL ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS)) : NULL;
    json_decref(json);
    if (line == NULL) {
        return;
    }
    size_t length = strlen(line);
    line[length] = '\n'; /* instead of the zero byte: nobody reads it as a string */
    session->send(session->send_ctx, line, length + 1);
    wrn_wipe(line, length + 1); /* it may be an invitation */
    free(line);
}

static const json_t *value_of(const struct wrn_rpc_call *call, const char *name) {
    WRN_ASSERT(find_param(call->method, name) != NULL); /* a method asks for its own only */
    return json_object_get(call->params, name);
}

/* A name that somebody sent, for a message. */
static void shown_name(const char *text, char ret_text[NAME_SHOWN]) {
    (void)snprintf(ret_text, NAME_SHOWN, "%.40s", text);
    for (char *c = ret_text; *c != '\0'; c++) {
        if (*c < 0x20 || *c > 0x7e) {
            *c = '?';
        }
    }
}
