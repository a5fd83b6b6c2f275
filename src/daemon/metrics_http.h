/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the head of an HTTP request, and writes that of an answer: as much of HTTP/1.1 as a scraper
 * of metrics needs. Pure: knows no connection. Source: RFC 9112, sections 2.2, 3 and 5. */
#pragma once
#include "base/base.h"

enum {
    WRN_HTTP_HEAD_MAX = 8 << 10, /* bytes of a request's head, with the empty line */
    WRN_HTTP_ANSWER_MAX = 512,   /* bytes of an answer's head */
};

/* What to do about the bytes that have come. All but MORE and OK are statuses of HTTP. */
enum wrn_http_verdict {
    WRN_HTTP_MORE = 0, /* the head is not complete */
    WRN_HTTP_OK = 200,
    WRN_HTTP_BAD = 400,
    WRN_HTTP_NOT_FOUND = 404,
    WRN_HTTP_NOT_ALLOWED = 405,
    WRN_HTTP_TOO_LARGE = 431,
    WRN_HTTP_UNAVAILABLE = 503, /* never of wrn_http_read: there is no memory for the answer */
    WRN_HTTP_VERSION = 505,
};

/* Reads what has come of a request, from its first byte on, and says what is to be answered. With
 * OK the only resource that there is, /metrics, is asked for; 'ret_is_head': without its content.
 * A query behind the path is passed over, as are all fields. O(head.size). */
enum wrn_http_verdict wrn_http_read(wrn_span head, bool *ret_is_head);

/* Writes the head of an answer with 'size' bytes of text behind it, after which the connection is
 * closed. Returns its size. 'verdict' is not MORE. */
size_t wrn_http_answer(enum wrn_http_verdict verdict, size_t size,
                       char ret_head[WRN_HTTP_ANSWER_MAX]);

/* The sentence that is the content of an answer other than OK, with its end of line. Static. */
const char *wrn_http_text(enum wrn_http_verdict verdict);
