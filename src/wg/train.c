/* SPDX-License-Identifier: Apache-2.0 */
/* Where the kernel joins datagrams, it says how long each was; not so once it was told to stop, for
 * those that it still holds. What stands in them tells it as well. */
#include "wg/train.h"

#include "base/bytes.h"
#include "wg/messages.h"

/* The upper half of a counter, which is 0: nobody sends 2^32 packets in the life of a key. */
enum { COUNTER_HIGH_AT = WRN_WG_COUNTER_AT + 4 };

static bool is_data_header(const uint8_t *bytes);

size_t wrn_wg_train_size(wrn_span train) {
    static const uint16_t sizes[] = {[WRN_WG_TYPE_INITIATION] = WRN_WG_INITIATION_SIZE,
                                     [WRN_WG_TYPE_RESPONSE] = WRN_WG_RESPONSE_SIZE,
                                     [WRN_WG_TYPE_COOKIE] = WRN_WG_COOKIE_SIZE};
    if (train.size < (size_t)2 * WRN_WG_KEEPALIVE_SIZE) {
        return train.size;
    }
    uint8_t type = train.data[0];
    if (type < WRN_COUNT(sizes) && sizes[type] != 0) {
        return sizes[type] < train.size ? sizes[type] : train.size;
    }
    if (!is_data_header(train.data)) {
        return train.size;
    }
    /* the next header begins with its type, and a whole message follows from there */
    const uint8_t *end = train.data + train.size - WRN_WG_KEEPALIVE_SIZE + 1;
    const uint8_t *next = train.data + WRN_WG_KEEPALIVE_SIZE;
    while (next < end && (next = memchr(next, WRN_WG_TYPE_DATA, (size_t)(end - next))) != NULL) {
        if (is_data_header(next)) {
            return (size_t)(next - train.data);
        }
        next++;
    }
    return train.size;
}

static bool is_data_header(const uint8_t *bytes) {
    return wrn_load_le32(bytes) == WRN_WG_TYPE_DATA && wrn_load_le32(bytes + COUNTER_HIGH_AT) == 0;
}
