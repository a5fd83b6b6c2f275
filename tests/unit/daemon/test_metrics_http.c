/* SPDX-License-Identifier: Apache-2.0 */
/* Which requests for metrics are answered how. Goal: one resource by two methods, everything else
 * has its status, and no byte makes the reader wait for ever. Method: a table; each whole request
 * also byte by byte, for it must not be answered before it is complete. */
#include "daemon/metrics_http.h"

#include <stdio.h>

#include "unit/base/check.h"

#define FIELDS "Host: localhost:9586\r\nAccept: */*\r\n\r\n"

static const struct {
    const char *request;
    enum wrn_http_verdict verdict;
    bool is_head;
} cases[] = {
    {"GET /metrics HTTP/1.1\r\n" FIELDS, WRN_HTTP_OK, false},
    {"HEAD /metrics HTTP/1.1\r\n" FIELDS, WRN_HTTP_OK, true},
    {"GET /metrics HTTP/1.0\r\n\r\n", WRN_HTTP_OK, false},
    {"GET /metrics HTTP/1.0\n\n", WRN_HTTP_OK, false},
    {"GET /metrics?collect[]=peers HTTP/1.1\r\n" FIELDS, WRN_HTTP_OK, false},
    {"GET http://localhost:9586/metrics HTTP/1.1\r\n" FIELDS, WRN_HTTP_OK, false},
    {"GET /metrics HTTP/1.1\r\nX-Empty:\r\n\r\n", WRN_HTTP_OK, false},
    {"GET / HTTP/1.1\r\n" FIELDS, WRN_HTTP_NOT_FOUND, false},
    {"GET /metrics/ HTTP/1.1\r\n" FIELDS, WRN_HTTP_NOT_FOUND, false},
    {"GET http://localhost HTTP/1.1\r\n" FIELDS, WRN_HTTP_NOT_FOUND, false},
    {"GET /../metrics HTTP/1.1\r\n" FIELDS, WRN_HTTP_NOT_FOUND, false},
    {"POST /metrics HTTP/1.1\r\n" FIELDS, WRN_HTTP_NOT_ALLOWED, false},
    {"get /metrics HTTP/1.1\r\n" FIELDS, WRN_HTTP_NOT_ALLOWED, false},
    {"OPTIONS * HTTP/1.1\r\n" FIELDS, WRN_HTTP_NOT_FOUND, false},
    {"GET /metrics HTTP/2.0\r\n" FIELDS, WRN_HTTP_VERSION, false},
    {"GET /metrics HTTP/1.9\r\n" FIELDS, WRN_HTTP_VERSION, false},
    {"GET /metrics\r\n\r\n", WRN_HTTP_BAD, false}, /* HTTP/0.9 */
    {"GET  /metrics HTTP/1.1\r\n" FIELDS, WRN_HTTP_BAD, false},
    {"GET /metrics HTTP/1.1 \r\n" FIELDS, WRN_HTTP_BAD, false},
    {"GET /metrics http/1.1\r\n" FIELDS, WRN_HTTP_BAD, false},
    {"G(T /metrics HTTP/1.1\r\n" FIELDS, WRN_HTTP_BAD, false},
    {" GET /metrics HTTP/1.1\r\n" FIELDS, WRN_HTTP_BAD, false},
    {"\r\n\r\n", WRN_HTTP_BAD, false},
    {"GET /metrics HTTP/1.1\r\nno field\r\n\r\n", WRN_HTTP_BAD, false},
    {"GET /metrics HTTP/1.1\r\nHost : x\r\n\r\n", WRN_HTTP_BAD, false},
    {"GET /metrics HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", WRN_HTTP_BAD, false},
    {"GET /metrics HTTP/1.1\r\n: x\r\n\r\n", WRN_HTTP_BAD, false},
};

static void requests_have_their_answers(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        const char *text = cases[i].request;
        bool is_head = !cases[i].is_head;
        enum wrn_http_verdict verdict =
            wrn_http_read((wrn_span){(const uint8_t *)text, strlen(text)}, &is_head);
        CHECK(verdict == cases[i].verdict, "%s: %d", text, (int)verdict);
        CHECK(is_head == cases[i].is_head, "%s", text);
        for (size_t size = 0; size + 1 < strlen(text); size++) {
            verdict = wrn_http_read((wrn_span){(const uint8_t *)text, size}, &is_head);
            CHECK(verdict == WRN_HTTP_MORE || verdict == WRN_HTTP_BAD, "%s: %zu bytes: %d", text,
                  size, (int)verdict);
        }
    }
}

static void what_never_ends_is_too_large(void **state) {
    static const char beginning[] = "GET /metrics HTTP/1.1\r\n";
    static uint8_t request[WRN_HTTP_HEAD_MAX];
    bool is_head;
    (void)state;
    memset(request, 'a', sizeof request);
    assert_int_equal(wrn_http_read((wrn_span){request, sizeof request - 1}, &is_head),
                     WRN_HTTP_MORE);
    assert_int_equal(wrn_http_read((wrn_span){request, sizeof request}, &is_head),
                     WRN_HTTP_TOO_LARGE);
    memcpy(request, beginning, sizeof beginning - 1);
    assert_int_equal(wrn_http_read((wrn_span){request, sizeof request}, &is_head),
                     WRN_HTTP_TOO_LARGE);
}

static void answers_have_a_length_and_end_the_connection(void **state) {
    static const enum wrn_http_verdict all[] = {
        WRN_HTTP_OK,        WRN_HTTP_BAD,         WRN_HTTP_NOT_FOUND, WRN_HTTP_NOT_ALLOWED,
        WRN_HTTP_TOO_LARGE, WRN_HTTP_UNAVAILABLE, WRN_HTTP_VERSION};
    char head[WRN_HTTP_ANSWER_MAX];
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(all); i++) {
        size_t size = wrn_http_answer(all[i], 123456789, head);
        char status[32];
        (void)snprintf(status, sizeof status, "HTTP/1.1 %d ", (int)all[i]);
        CHECK(size > 0 && size == strlen(head), "%s", status);
        CHECK(strncmp(head, status, strlen(status)) == 0, "%s", head);
        CHECK(strcmp(head + size - 4, "\r\n\r\n") == 0, "%s", head);
        CHECK(strstr(head, "\r\nContent-Length: 123456789\r\n") != NULL, "%s", head);
        CHECK(strstr(head, "\r\nConnection: close\r\n") != NULL, "%s", head);
        CHECK((strstr(head, "Allow: GET, HEAD") != NULL) == (all[i] == WRN_HTTP_NOT_ALLOWED), "%s",
              head);
        CHECK(wrn_http_text(all[i])[strlen(wrn_http_text(all[i])) - 1] == '\n', "%s", status);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_have_their_answers),
        cmocka_unit_test(what_never_ends_is_too_large),
        cmocka_unit_test(answers_have_a_length_and_end_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
