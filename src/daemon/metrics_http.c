/* SPDX-License-Identifier: Apache-2.0 */
/* One resource, two methods. Keeps no state. */
#include "daemon/metrics_http.h"

#include <stdio.h>

#define RESOURCE "/metrics"

static enum wrn_http_verdict read_request_line(wrn_span line, bool *ret_is_head);
static bool is_field(wrn_span line);
static bool is_token(wrn_span text);
static wrn_span path_of(wrn_span target);
static bool take_line(wrn_span *rest, wrn_span *ret_line);
static bool is(wrn_span text, const char *word);

enum wrn_http_verdict wrn_http_read(wrn_span head, bool *ret_is_head) {
    wrn_span rest = head;
    wrn_span line;
    *ret_is_head = false;
    if (!take_line(&rest, &line)) {
        return head.size >= WRN_HTTP_HEAD_MAX ? WRN_HTTP_TOO_LARGE : WRN_HTTP_MORE;
    }
    enum wrn_http_verdict verdict = read_request_line(line, ret_is_head);
    while (take_line(&rest, &line)) {
        if (line.size == 0) {
            return verdict;
        }
        if (!is_field(line)) {
            return WRN_HTTP_BAD;
        }
    }
    return head.size >= WRN_HTTP_HEAD_MAX ? WRN_HTTP_TOO_LARGE : WRN_HTTP_MORE;
}

size_t wrn_http_answer(enum wrn_http_verdict verdict, size_t size,
                       char ret_head[WRN_HTTP_ANSWER_MAX]) {
    const char *phrase = verdict == WRN_HTTP_OK            ? "OK"
                         : verdict == WRN_HTTP_NOT_FOUND   ? "Not Found"
                         : verdict == WRN_HTTP_NOT_ALLOWED ? "Method Not Allowed"
                         : verdict == WRN_HTTP_TOO_LARGE   ? "Request Header Fields Too Large"
                         : verdict == WRN_HTTP_UNAVAILABLE ? "Service Unavailable"
                         : verdict == WRN_HTTP_VERSION     ? "HTTP Version Not Supported"
                                                           : "Bad Request";
    int length = snprintf(ret_head, WRN_HTTP_ANSWER_MAX,
                          "HTTP/1.1 %d %s\r\n"
                          "Content-Type: text/plain; %scharset=utf-8\r\n"
                          "Content-Length: %zu\r\n"
                          "%s"
                          "X-Content-Type-Options: nosniff\r\n"
                          "Connection: close\r\n\r\n",
                          (int)verdict, phrase, verdict == WRN_HTTP_OK ? "version=0.0.4; " : "",
                          size, verdict == WRN_HTTP_NOT_ALLOWED ? "Allow: GET, HEAD\r\n" : "");
    return length > 0 && length < WRN_HTTP_ANSWER_MAX ? (size_t)length : 0;
}

const char *wrn_http_text(enum wrn_http_verdict verdict) {
    switch (verdict) {
    case WRN_HTTP_NOT_FOUND:
        return "there is nothing here: ask for " RESOURCE "\n";
    case WRN_HTTP_NOT_ALLOWED:
        return "only GET and HEAD are answered\n";
    case WRN_HTTP_TOO_LARGE:
        return "the request is too large: 8192 bytes are read\n";
    case WRN_HTTP_UNAVAILABLE:
        return "warrend has no memory for the answer: try again later\n";
    case WRN_HTTP_VERSION:
        return "only HTTP/1.0 and HTTP/1.1 are spoken here\n";
    case WRN_HTTP_MORE:
    case WRN_HTTP_OK:
    case WRN_HTTP_BAD:
        break;
    }
    return "this is no request of HTTP\n";
}

/* METHOD SP TARGET SP VERSION. The version is looked at before all else: what follows may be
 * different in another one. */
static enum wrn_http_verdict read_request_line(wrn_span line, bool *ret_is_head) {
    const uint8_t *first = line.size > 0 ? memchr(line.data, ' ', line.size) : NULL;
    if (first == NULL) {
        return WRN_HTTP_BAD;
    }
    wrn_span method = {line.data, (size_t)(first - line.data)};
    wrn_span rest = {first + 1, line.size - method.size - 1};
    const uint8_t *second = rest.size > 0 ? memchr(rest.data, ' ', rest.size) : NULL;
    if (second == NULL) {
        return WRN_HTTP_BAD;
    }
    wrn_span target = {rest.data, (size_t)(second - rest.data)};
    wrn_span version = {second + 1, rest.size - target.size - 1};
    if (!is_token(method) || target.size == 0 || version.size != 8 ||
        memcmp(version.data, "HTTP/", 5) != 0 || version.data[6] != '.') {
        return WRN_HTTP_BAD;
    }
    if (!is(version, "HTTP/1.1") && !is(version, "HTTP/1.0")) {
        return WRN_HTTP_VERSION;
    }
    if (!is(path_of(target), RESOURCE)) {
        return WRN_HTTP_NOT_FOUND;
    }
    *ret_is_head = is(method, "HEAD");
    return *ret_is_head || is(method, "GET") ? WRN_HTTP_OK : WRN_HTTP_NOT_ALLOWED;
}

/* NAME ":" anything. A line that begins with a space would go on with the one before: obsolete, and
 * refused (RFC 9112, section 5.2). */
static bool is_field(wrn_span line) {
    const uint8_t *colon = memchr(line.data, ':', line.size);
    return colon != NULL && is_token((wrn_span){line.data, (size_t)(colon - line.data)}) &&
           memchr(line.data, '\0', line.size) == NULL;
}

static bool is_token(wrn_span text) {
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_letter && (c == '\0' || strchr(others, c) == NULL)) {
            return false;
        }
    }
    return text.size > 0;
}

/* Without scheme and authority, which a proxy's request has, and without a query. */
static wrn_span path_of(wrn_span target) {
    static const char scheme[] = "http://";
    size_t skip = 0;
    size_t length = 0;
    if (target.size >= sizeof scheme - 1 && memcmp(target.data, scheme, sizeof scheme - 1) == 0) {
        skip = sizeof scheme - 1;
        while (skip < target.size && target.data[skip] != '/') {
            skip++;
        }
    }
    while (skip + length < target.size && target.data[skip + length] != '?') {
        length++;
    }
    return (wrn_span){target.data + skip, length};
}

/* Takes a line that ends with LF, or CRLF. False: there is no whole one. */
static bool take_line(wrn_span *rest, wrn_span *ret_line) {
    const uint8_t *end = rest->size > 0 ? memchr(rest->data, '\n', rest->size) : NULL;
    if (end == NULL) {
        return false;
    }
    size_t size = (size_t)(end - rest->data);
    *ret_line = (wrn_span){rest->data, size > 0 && end[-1] == '\r' ? size - 1 : size};
    *rest = (wrn_span){end + 1, rest->size - size - 1};
    return true;
}

static bool is(wrn_span text, const char *word) {
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}
