/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes control requests: lines of the input are asked of a session whose methods take every kind
 * of parameter, answer at once, later, or after the session has ended. What is sent is JSON-RPC;
 * nothing stays under way. */
#include "fuzz.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/rpc.h"

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { WAITING_MAX = 4096 };

struct scene {
    struct wrn_rpc_call *waiting[WAITING_MAX];
    size_t count;
};

static void check_answer(const json_t *answer) {
    const char *version = json_string_value(json_object_get(answer, "jsonrpc"));
    HOLDS(version != NULL && strcmp(version, "2.0") == 0);
    HOLDS(json_object_get(answer, "id") != NULL);
    HOLDS((json_object_get(answer, "result") != NULL) !=
          (json_object_get(answer, "error") != NULL));
}

static void on_send(void *ctx, const char *line, size_t size) {
    (void)ctx;
    HOLDS(size > 1 && line[size - 1] == '\n' && memchr(line, '\n', size - 1) == NULL);
    json_t *json = json_loadb(line, size, 0, NULL);
    HOLDS(json != NULL);
    if (json_is_array(json)) {
        HOLDS(json_array_size(json) > 0);
        for (size_t i = 0; i < json_array_size(json); i++) {
            check_answer(json_array_get(json, i));
        }
    } else {
        check_answer(json);
    }
    json_decref(json);
}

static void run_all(void *ctx, struct wrn_rpc_call *call) {
    const char *texts[3] = {0};
    (void)ctx;
    size_t count = wrn_rpc_texts(call, "texts", texts, WRN_COUNT(texts));
    for (size_t i = 0; i < count; i++) {
        HOLDS(texts[i] != NULL && texts[i][0] != '\0');
    }
    const char *text = wrn_rpc_text(call, "text");
    HOLDS(text == NULL || strlen(text) <= 255);
    int64_t number = wrn_rpc_number(call, "number", 0);
    HOLDS(number >= -7 && number <= 7);
    if (wrn_rpc_flag(call, "flag")) {
        wrn_rpc_fail(call, WRN_RPC_REFUSED, "WHY", "%s", text != NULL ? text : "no");
    } else {
        wrn_rpc_reply(call, wrn_rpc_json_text(text));
    }
}

static void run_later(void *ctx, struct wrn_rpc_call *call) {
    struct scene *scene = ctx;
    HOLDS(scene->count < WAITING_MAX);
    scene->waiting[scene->count++] = call;
}

static const struct wrn_rpc_param params[] = {
    {"text", WRN_RPC_TEXT, false, 0, 0},
    {"number", WRN_RPC_NUMBER, false, -7, 7},
    {"flag", WRN_RPC_FLAG, false, 0, 0},
    {"texts", WRN_RPC_TEXTS, false, 0, 3},
};
static const struct wrn_rpc_method methods[] = {
    {"all", WRN_RPC_READ, params, WRN_COUNT(params), run_all},
    {"later", WRN_RPC_READ, NULL, 0, run_later},
    {"change", WRN_RPC_ADMIN, NULL, 0, run_later},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct scene scene;
    scene.count = 0;
    struct wrn_rpc_host host = {
        .methods = methods, .method_count = WRN_COUNT(methods), .ctx = &scene, .calls_most = 64};
    struct wrn_rpc_session *session = wrn_rpc_session_create(&host, WRN_RPC_READ, on_send, NULL);
    HOLDS(session != NULL);
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end != NULL ? (size_t)(end - data) : size;
        uint8_t *copy = malloc(length + 1); /* of its own size, so that reading on is noticed */
        HOLDS(copy != NULL);
        memcpy(copy + 1, data, length);
        wrn_rpc_line(session, (wrn_span){copy + 1, length});
        free(copy);
        if (scene.count > 1 && length % 2 == 0) {
            wrn_rpc_reply(scene.waiting[--scene.count], json_null());
        }
        size_t taken = length + (end != NULL);
        data += taken;
        size -= taken;
    }
    HOLDS(wrn_rpc_calls(session) == scene.count && host.calls == scene.count);
    wrn_rpc_session_destroy(session);
    while (scene.count > 0) {
        wrn_rpc_reply(scene.waiting[--scene.count], json_null());
    }
    HOLDS(host.calls == 0);
    return 0;
}
