/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes requests for metrics: what has been refused stays refused whatever follows, a request that
 * is complete is answered, and one that fills the room is not waited for. */
#include "fuzz.h"

#include <stdlib.h>

#include "daemon/metrics_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char head[WRN_HTTP_ANSWER_MAX];
    bool is_head = false;
    size = size < WRN_HTTP_HEAD_MAX ? size : WRN_HTTP_HEAD_MAX;
    uint8_t *copy = malloc(size + 1); /* of its own size, so that reading on is noticed */
    WRN_ASSERT(copy != NULL);
    memcpy(copy + 1, data, size);
    enum wrn_http_verdict before = WRN_HTTP_MORE;
    size_t step = size / 64 + 1;
    for (size_t have = 0; have < size; have += step) {
        enum wrn_http_verdict verdict = wrn_http_read((wrn_span){copy + 1, have}, &is_head);
        WRN_ASSERT(before == WRN_HTTP_MORE || verdict == before);
        before = verdict;
    }
    enum wrn_http_verdict verdict = wrn_http_read((wrn_span){copy + 1, size}, &is_head);
    WRN_ASSERT(before == WRN_HTTP_MORE || verdict == before);
    WRN_ASSERT(verdict != WRN_HTTP_MORE || size < WRN_HTTP_HEAD_MAX);
    WRN_ASSERT(!is_head || verdict != WRN_HTTP_NOT_ALLOWED);
    if (verdict != WRN_HTTP_MORE) {
        WRN_ASSERT(wrn_http_answer(verdict, size, head) > 0);
        WRN_ASSERT(*wrn_http_text(verdict) != '\0');
    }
    free(copy);
    return 0;
}
