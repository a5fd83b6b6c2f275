/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reader of records, every signature being good. Views lie within what was read; what is
 * read is verified, and written again it is the same bytes; times do not overflow. */
#include "fuzz.h"

#include "fuzz/overlay_stub.h"
#include "overlay/record.h"

static void check_fields(const struct wrn_record *record, wrn_span bytes);
static bool is_within(wrn_span part, wrn_span whole);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t seed[WRN_SEED_SIZE];
    struct overlay_stub stub = {0};
    struct wrn_primitives primitives = stub_primitives(&stub);
    struct wrn_record record;
    uint8_t written[WRN_RECORD_MAX];
    uint8_t *copy = malloc(size + 1); /* of its own size, so that reading on is noticed */
    HOLDS(copy);
    if (size > 0) {
        memcpy(copy + 1, data, size);
    }
    wrn_span bytes = {copy + 1, size};
    enum wrn_reason reason = wrn_record_read(bytes, &primitives, &record);
    enum wrn_reason verified = wrn_record_verify(bytes, &primitives); /* the stub knows its key */
    HOLDS((reason == WRN_REASON_NONE) == (verified == WRN_REASON_NONE));
    if (reason == WRN_REASON_NONE) {
        check_fields(&record, bytes);
        struct wrn_record twin = record;
        HOLDS(wrn_record_write(&twin, &primitives, seed, written, sizeof(written)) == size);
        HOLDS(memcmp(written, bytes.data, size) == 0);
        HOLDS(memcmp(twin.hash, record.hash, sizeof(twin.hash)) == 0);
    } else {
        HOLDS(reason == (size > WRN_RECORD_MAX ? WRN_REASON_TOO_LARGE : WRN_REASON_MALFORMED));
    }
    free(copy);
    return 0;
}

static void check_fields(const struct wrn_record *record, wrn_span bytes) {
    const int64_t times[] = {INT64_MIN, 0, record->made_s, WRN_RECORD_TIME_MAX_S, INT64_MAX};
    enum wrn_reason last = WRN_REASON_NOT_YET;
    HOLDS(record->kind <= WRN_RECORD_DELETE);
    HOLDS(record->key.size >= 3 && record->key.size <= WRN_RECORD_KEY_MAX);
    HOLDS(is_within(record->key, bytes) && is_within(record->value, bytes) &&
          is_within(record->proof, bytes));
    HOLDS(record->claimed_s <= record->made_s && record->ttl_s >= 1);
    for (size_t i = 0; i < WRN_COUNT(times); i++) { /* not yet, then live, then expired */
        enum wrn_reason reason = wrn_record_check_time(record, (wrn_wall){times[i], 0});
        HOLDS(times[i] != record->made_s || reason == WRN_REASON_NONE);
        HOLDS(last != WRN_REASON_EXPIRED || reason == WRN_REASON_EXPIRED);
        last = reason;
    }
    HOLDS(last == WRN_REASON_EXPIRED && !wrn_record_wins(record, record));
}

static bool is_within(wrn_span part, wrn_span whole) {
    return part.size == 0 ||
           (part.data > whole.data && part.data + part.size < whole.data + whole.size);
}
