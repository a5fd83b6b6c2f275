/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of JSON-RPC against a table of methods: what is called, what is answered, and when. */
#include <jansson.h>
#include <stdlib.h>

#include "daemon/rpc.h"
#include "unit/base/check.h"

enum { ANSWERS_SIZE = 256 << 10, WAITING_MAX = 256 };

/* All that a session has sent, and the calls that wait for the test to end them. */
struct scene {
    struct wrn_rpc_host host;
    struct wrn_rpc_session *session;
    char said[ANSWERS_SIZE];
    size_t size;
    struct wrn_rpc_call *waiting[WAITING_MAX];
    size_t waiting_count;
};

static void on_send(void *ctx, const char *line, size_t size) {
    struct scene *scene = ctx;
    assert_true(scene->size + size < sizeof scene->said);
    assert_int_equal(line[size - 1], '\n');
    assert_null(memchr(line, '\n', size - 1)); /* one answer is one line */
    memcpy(scene->said + scene->size, line, size);
    scene->size += size;
    scene->said[scene->size] = '\0';
}

static void run_echo(void *ctx, struct wrn_rpc_call *call) {
    const char *texts[4] = {0};
    (void)ctx;
    size_t count = wrn_rpc_texts(call, "list", texts, WRN_COUNT(texts));
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(json_array_append_new(list, wrn_rpc_json_text(texts[i])), 0);
    }
    wrn_rpc_reply(call, json_pack("{s:o, s:I, s:b, s:o}", "text",
                                  wrn_rpc_json_text(wrn_rpc_text(call, "text")), "number",
                                  (json_int_t)wrn_rpc_number(call, "number", -1), "flag",
                                  wrn_rpc_flag(call, "flag"), "list", list));
}

static void run_wait(void *ctx, struct wrn_rpc_call *call) {
    struct scene *scene = ctx;
    assert_true(scene->waiting_count < WAITING_MAX);
    scene->waiting[scene->waiting_count++] = call;
}

static void run_refuse(void *ctx, struct wrn_rpc_call *call) {
    (void)ctx;
    wrn_rpc_fail(call, WRN_RPC_REFUSED, "FULL", "no room: remove %d", 3);
}

static void run_change(void *ctx, struct wrn_rpc_call *call) {
    (void)ctx;
    wrn_rpc_reply(call, json_null());
}

static const struct wrn_rpc_param echo_params[] = {
    {"text", WRN_RPC_TEXT, true, 1, 8},
    {"number", WRN_RPC_NUMBER, false, -5, 5},
    {"flag", WRN_RPC_FLAG, false, 0, 0},
    {"list", WRN_RPC_TEXTS, false, 1, 2},
};
static const struct wrn_rpc_method methods[] = {
    {"echo", WRN_RPC_READ, echo_params, WRN_COUNT(echo_params), run_echo},
    {"wait", WRN_RPC_READ, NULL, 0, run_wait},
    {"refuse", WRN_RPC_READ, NULL, 0, run_refuse},
    {"change", WRN_RPC_ADMIN, NULL, 0, run_change},
};

static struct scene *make_scene(enum wrn_rpc_level level) {
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->host = (struct wrn_rpc_host){
        .methods = methods, .method_count = WRN_COUNT(methods), .ctx = scene, .calls_most = 20};
    scene->session = wrn_rpc_session_create(&scene->host, level, on_send, scene);
    assert_non_null(scene->session);
    return scene;
}

static void end_scene(struct scene *scene) {
    wrn_rpc_session_destroy(scene->session);
    assert_int_equal(scene->host.calls, 0);
    free(scene);
}

static void say(struct scene *scene, const char *line) {
    wrn_rpc_line(scene->session, (wrn_span){(const uint8_t *)line, strlen(line)});
}

/* Goal: each line is answered as the specification says. Method: a table; the first cases are the
 * examples of its section 7, with our methods. */
static const struct {
    const char *line;
    const char *answer; /* NULL: none */
} cases[] = {
    {"{\"jsonrpc\": \"2.0\", \"method\": \"echo\", \"params\": {\"text\": \"a\", \"number\": 5, "
     "\"flag\": true, \"list\": [\"x\", \"y\"]}, \"id\": 3}",
     "{\"jsonrpc\":\"2.0\",\"result\":{\"text\":\"a\",\"number\":5,\"flag\":true,\"list\":[\"x\","
     "\"y\"]},\"id\":3}"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"text\":\"\u00e9\"},\"id\":\"1\"}\r",
     "{\"jsonrpc\":\"2.0\",\"result\":{\"text\":\"\u00e9\",\"number\":-1,\"flag\":false,\"list\":"
     "[]},\"id\":\"1\"}"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"refuse\",\"params\":[],\"id\":null}",
     "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":\"no room: remove 3\",\"data\":"
     "{\"reason\":\"FULL\"}},\"id\":null}"},
    {"{\"jsonrpc\": \"2.0\", \"method\": \"foobar\", \"id\": \"1\"}", "-32601"},
    {"{\"jsonrpc\": \"2.0\", \"method\": \"foobar, \"params\": \"bar\", \"baz]", "-32700"},
    {"{\"jsonrpc\": \"2.0\", \"method\": 1, \"params\": \"bar\"}", "-32600"},
    {"[{\"jsonrpc\": \"2.0\", \"method\": \"echo\", \"id\": \"1\"},", "-32700"},
    {"[]", "-32600"},
    {"[1]", "[{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600"},
    {"[1,2,3]", "\"id\":null},{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600"},
    {"[{\"jsonrpc\":\"2.0\",\"method\":\"refuse\"},{\"jsonrpc\":\"2.0\",\"method\":\"wrong\"}]",
     NULL},
    {"[{\"jsonrpc\":\"2.0\",\"method\":\"refuse\"},{\"jsonrpc\":\"2.0\",\"method\":\"echo\","
     "\"params\":{\"text\":\"z\"},\"id\":9}]",
     "[{\"jsonrpc\":\"2.0\",\"result\":{\"text\":\"z\",\"number\":-1,\"flag\":false,\"list\":[]},"
     "\"id\":9}]\n"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}", NULL},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"refuse\"}", NULL},

    {"", NULL},
    {" \t\r", NULL},
    {"7", "-32600"},
    {"\"text\"", "-32600"},
    {"null", "-32600"},
    {"{}", "-32600"},
    {"{\"jsonrpc\":\"1.0\",\"method\":\"echo\",\"id\":1}", "-32600"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":1.5}", "-32600"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":[1]}", "-32600"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":7,\"id\":1}", "-32600"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"refuse\"}", "-32700"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"refuse\",\"id\":1} x", "-32700"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"ref\\u0000use\",\"id\":1}", "-32700"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"\xff\",\"id\":1}", "-32700"},

    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":1}", "\\\"text\\\" is missing"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[\"a\"],\"id\":1}", "by name"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"text\":\"\"},\"id\":1}", "-32602"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"text\":\"123456789\"},\"id\":1}",
     "1 to 8 bytes"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"text\":1},\"id\":1}", "-32602"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"txet\":\"a\"},\"id\":1}",
     "no parameter \\\"txet\\\""},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"text\":\"a\",\"number\":6},\"id\":1}",
     "-5 to 5"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"text\":\"a\",\"number\":1.0},"
     "\"id\":1}",
     "-32602"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"text\":\"a\",\"flag\":1},\"id\":1}",
     "true or false"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"text\":\"a\",\"list\":[]},\"id\":1}",
     "-32602"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"text\":\"a\",\"list\":[\"\"]},"
     "\"id\":1}",
     "-32602"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"text\":\"a\",\"list\":[\"b\",1]},"
     "\"id\":1}",
     "-32602"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"change\",\"id\":1}", "\"code\":7"},
};

static void lines_are_answered(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct scene *scene = make_scene(WRN_RPC_READ);
        say(scene, cases[i].line);
        if (cases[i].answer == NULL) {
            CHECK(scene->size == 0, "case %zu: %s: ", i, scene->said);
        } else {
            CHECK(strstr(scene->said, cases[i].answer) != NULL, "case %zu: %s: ", i, scene->said);
            json_t *json = json_loads(scene->said, 0, NULL);
            assert_non_null(json);
            json_decref(json);
        }
        end_scene(scene);
    }
}

/* Goal: what is under way is bounded, for a session and for all together; an answer makes room. */
static void calls_are_bounded(void **state) {
    static const char request[] = "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":1}";
    (void)state;
    struct scene *scene = make_scene(WRN_RPC_ADMIN);
    struct wrn_rpc_session *other =
        wrn_rpc_session_create(&scene->host, WRN_RPC_READ, on_send, scene);
    for (size_t i = 0; i < WRN_RPC_CALLS_MAX; i++) {
        say(scene, request);
    }
    assert_int_equal(scene->size, 0);
    assert_int_equal(wrn_rpc_calls(scene->session), WRN_RPC_CALLS_MAX);
    say(scene, request);
    assert_non_null(strstr(scene->said, "-32000"));
    for (size_t i = 0; i < 4; i++) { /* up to the 20 of all */
        wrn_rpc_line(other, (wrn_span){(const uint8_t *)request, sizeof request - 1});
    }
    assert_int_equal(wrn_rpc_calls(other), 4);
    scene->size = 0;
    wrn_rpc_line(other, (wrn_span){(const uint8_t *)request, sizeof request - 1});
    assert_non_null(strstr(scene->said, "-32000"));
    wrn_rpc_reply(scene->waiting[5], json_null());
    scene->size = 0;
    say(scene, request);
    assert_int_equal(scene->size, 0);
    assert_int_equal(scene->waiting_count, 21);
    for (size_t i = 0; i < scene->waiting_count; i++) {
        if (i != 5) {
            wrn_rpc_reply(scene->waiting[i], json_null());
        }
    }
    wrn_rpc_session_destroy(other);
    end_scene(scene);
}

/* Goal: who may only read cannot take the calls that are kept for those who may do all. */
static void readers_leave_calls_to_admins(void **state) {
    static const char request[] = "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":1}";
    (void)state;
    struct scene *scene = make_scene(WRN_RPC_READ);
    scene->host.calls_kept = 5;
    struct wrn_rpc_session *admin =
        wrn_rpc_session_create(&scene->host, WRN_RPC_ADMIN, on_send, scene);
    for (size_t i = 0; i < 15; i++) {
        say(scene, request);
    }
    assert_int_equal(scene->size, 0);
    say(scene, request);
    assert_non_null(strstr(scene->said, "-32000"));
    scene->size = 0;
    for (size_t i = 0; i < 5; i++) {
        wrn_rpc_line(admin, (wrn_span){(const uint8_t *)request, sizeof request - 1});
    }
    assert_int_equal(scene->size, 0);
    wrn_rpc_line(admin, (wrn_span){(const uint8_t *)request, sizeof request - 1});
    assert_non_null(strstr(scene->said, "-32000"));
    assert_int_equal(scene->waiting_count, 20);
    for (size_t i = 0; i < scene->waiting_count; i++) {
        wrn_rpc_reply(scene->waiting[i], json_null());
    }
    wrn_rpc_session_destroy(admin);
    end_scene(scene);
}

/* Goal: the answers of a list come together, when the last is there, in whatever order they come;
 * what is asked alone is answered in between. */
static void a_batch_is_answered_at_once(void **state) {
    (void)state;
    struct scene *scene = make_scene(WRN_RPC_ADMIN);
    say(scene, "[{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":1},"
               "{\"jsonrpc\":\"2.0\",\"method\":\"change\",\"id\":2},"
               "{\"jsonrpc\":\"2.0\",\"method\":\"wait\"},"
               "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":3}]");
    assert_int_equal(scene->size, 0);
    say(scene, "{\"jsonrpc\":\"2.0\",\"method\":\"change\",\"id\":4}");
    assert_string_equal(scene->said, "{\"jsonrpc\":\"2.0\",\"result\":null,\"id\":4}\n");
    scene->size = 0;
    assert_int_equal(scene->waiting_count, 3);
    wrn_rpc_reply(scene->waiting[2], json_integer(33));
    wrn_rpc_fail(scene->waiting[1], WRN_RPC_TIMEOUT, NULL, "nobody hears this");
    assert_int_equal(scene->size, 0);
    wrn_rpc_fail(scene->waiting[0], WRN_RPC_TIMEOUT, NULL, "late");
    assert_string_equal(scene->said,
                        "[{\"jsonrpc\":\"2.0\",\"result\":null,\"id\":2},"
                        "{\"jsonrpc\":\"2.0\",\"result\":33,\"id\":3},"
                        "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":4,\"message\":\"late\"},"
                        "\"id\":1}]\n");
    end_scene(scene);
}

/* Goal: who asked is gone; the calls end all the same, and nothing is sent. */
static void calls_outlive_their_session(void **state) {
    (void)state;
    struct scene *scene = make_scene(WRN_RPC_ADMIN);
    say(scene, "[{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":1},"
               "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":2}]");
    say(scene, "{\"jsonrpc\":\"2.0\",\"method\":\"wait\",\"id\":3}");
    wrn_rpc_session_destroy(scene->session);
    scene->session = NULL;
    assert_int_equal(scene->host.calls, 3);
    assert_null(wrn_rpc_call_session(scene->waiting[0]));
    assert_string_equal(wrn_rpc_call_name(scene->waiting[0]), "wait");
    for (size_t i = 0; i < 3; i++) {
        wrn_rpc_reply(scene->waiting[i], json_null());
    }
    assert_int_equal(scene->size, 0);
    end_scene(scene);
}

static void what_is_no_utf8_is_shown(void **state) {
    (void)state;
    struct scene *scene = make_scene(WRN_RPC_READ);
    wrn_rpc_notify(scene->session, "event", json_pack("{s:o}", "a", wrn_rpc_json_text("x\xffy")));
    assert_string_equal(scene->said,
                        "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"a\":\"x?y\"}}\n");
    scene->size = 0;
    wrn_rpc_notify(scene->session, "event", NULL); /* no memory for it */
    assert_int_equal(scene->size, 0);
    wrn_rpc_too_long(scene->session);
    assert_non_null(strstr(scene->said, "-32700"));
    end_scene(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_answered),
        cmocka_unit_test(calls_are_bounded),
        cmocka_unit_test(readers_leave_calls_to_admins),
        cmocka_unit_test(a_batch_is_answered_at_once),
        cmocka_unit_test(calls_outlive_their_session),
        cmocka_unit_test(what_is_no_utf8_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
