/* SPDX-License-Identifier: Apache-2.0 */
/* What makes two states of the revocations the same: offers to peers, and the form on disk. Decides
 * nothing: whatever comes back goes through wrn_revoked_add. */
#include "base/wire.h"
#include "network/revoked.h"
#include "network/revoked_internal.h"
#include "overlay/record.h"

enum {
    VERSION = 1,
    SHORT = 16, /* bytes of an issuer, in a head */
    OFFER_HEAD = 1 + 2 * SHORT,
};

/* An offer: all newest lists of issuers from 'low' to 'high', both included. */
struct offer {
    const uint8_t *low, *high;
    wrn_span heads;
};

static bool read_offer(wrn_span bytes, struct offer *ret_offer);
static const uint8_t *head_of(const struct offer *offer, const uint8_t *issuer);
static const struct wrn_revoked_list *newest_of(const struct wrn_revoked *revoked,
                                                const uint8_t *short_issuer);
static uint32_t next_newest(const struct wrn_revoked *revoked, uint32_t from);

void wrn_revoked_head(const struct wrn_revoked_list *list,
                      uint8_t ret_head[WRN_REVOKED_HEAD_SIZE]) {
    struct wrn_writer writer = wrn_writer(ret_head, WRN_REVOKED_HEAD_SIZE);
    wrn_write_bytes(&writer, list->issuer, SHORT);
    wrn_write_u64(&writer, (uint64_t)list->date_s);
    wrn_write_bytes(&writer, list->hash, 7);
    bool is_inviter = list->rank == WRN_REVOKED_ADMIN && !list->stands;
    wrn_write_u8(&writer, is_inviter ? WRN_REVOKED_INVITER : list->rank);
}

void wrn_revoked_digest(const struct wrn_revoked *revoked, uint8_t ret_digest[WRN_SHA256_SIZE]) {
    memset(ret_digest, 0, WRN_SHA256_SIZE);
    for (uint32_t i = next_newest(revoked, 0); i < revoked->count;
         i = next_newest(revoked, i + 1)) {
        uint8_t head[WRN_REVOKED_HEAD_SIZE], before[WRN_SHA256_SIZE];
        wrn_revoked_head(&revoked->lists[i], head);
        memcpy(before, ret_digest, sizeof before);
        wrn_sha256((wrn_span){before, sizeof before}, (wrn_span){head, sizeof head}, ret_digest);
    }
}

size_t wrn_revoked_offer(const struct wrn_revoked *revoked, uint32_t *cursor, uint8_t *out,
                         size_t capacity) {
    struct wrn_writer writer = wrn_writer(out, capacity);
    uint8_t head[WRN_REVOKED_HEAD_SIZE], low[SHORT] = {0}, high[SHORT];
    uint32_t i = next_newest(revoked, *cursor);
    WRN_ASSERT(capacity >= 128);
    if (*cursor > 0 && i >= revoked->count) {
        return 0;
    }
    if (*cursor > 0) {
        memcpy(low, revoked->lists[i].issuer, sizeof low);
    }
    wrn_write_u8(&writer, VERSION);
    wrn_write_bytes(&writer, low, sizeof low);
    wrn_write_bytes(&writer, low, SHORT); /* 'high' takes its place below */
    for (; i < revoked->count && capacity - writer.size >= sizeof head;
         i = next_newest(revoked, i + 1)) {
        wrn_revoked_head(&revoked->lists[i], head);
        wrn_write_bytes(&writer, head, sizeof head);
    }
    memset(high, 0xff, sizeof high);
    if (i < revoked->count) { /* up to right before the next one */
        memcpy(high, revoked->lists[i].issuer, sizeof high);
        for (size_t at = sizeof high; at > 0 && high[at - 1]-- == 0; at--) {
        }
    }
    memcpy(out + 1 + SHORT, high, sizeof high);
    *cursor = i < revoked->count ? i : UINT32_MAX;
    return writer.size;
}

bool wrn_revoked_lacks(const struct wrn_revoked *revoked, wrn_span offer) {
    struct offer read;
    if (!read_offer(offer, &read)) {
        return false;
    }
    for (size_t at = 0; at < read.heads.size; at += WRN_REVOKED_HEAD_SIZE) {
        uint8_t ours[WRN_REVOKED_HEAD_SIZE];
        const uint8_t *theirs = read.heads.data + at;
        const struct wrn_revoked_list *list = newest_of(revoked, theirs);
        if (list == NULL) {
            return true;
        }
        wrn_revoked_head(list, ours);
        if (memcmp(theirs, ours, sizeof ours) > 0) {
            return true;
        }
    }
    return false;
}

wrn_span wrn_revoked_next_for(const struct wrn_revoked *revoked, wrn_span offer, uint32_t *cursor) {
    struct offer read;
    if (!read_offer(offer, &read)) {
        return (wrn_span){NULL, 0};
    }
    for (uint32_t i = next_newest(revoked, *cursor); i < revoked->count;
         i = next_newest(revoked, i + 1)) {
        const struct wrn_revoked_list *list = &revoked->lists[i];
        uint8_t ours[WRN_REVOKED_HEAD_SIZE];
        const uint8_t *theirs = head_of(&read, list->issuer);
        wrn_revoked_head(list, ours);
        bool is_in = memcmp(list->issuer, read.low, SHORT) >= 0 &&
                     memcmp(list->issuer, read.high, SHORT) <= 0;
        if (is_in && (theirs == NULL || memcmp(ours, theirs, sizeof ours) > 0)) {
            *cursor = i + 1;
            return wrn_revoked_bytes(revoked, list);
        }
    }
    *cursor = UINT32_MAX;
    return (wrn_span){NULL, 0};
}

wrn_span wrn_revoked_next(const struct wrn_revoked *revoked, uint32_t *cursor) {
    if (*cursor >= revoked->count) {
        return (wrn_span){NULL, 0};
    }
    return wrn_revoked_bytes(revoked, &revoked->lists[(*cursor)++]);
}

size_t wrn_revoked_save_size(const struct wrn_revoked *revoked) {
    size_t size = 3;
    for (uint32_t i = 0; i < revoked->count; i++) {
        size += 4 + revoked->lists[i].size;
    }
    return size;
}

size_t wrn_revoked_save(const struct wrn_revoked *revoked, uint8_t *out, size_t capacity) {
    struct wrn_writer writer = wrn_writer(out, capacity);
    wrn_write_u8(&writer, VERSION);
    wrn_write_u16(&writer, (uint16_t)revoked->count);
    for (uint32_t i = 0; i < revoked->count; i++) { /* of each issuer the newest last */
        wrn_span bytes = wrn_revoked_bytes(revoked, &revoked->lists[i]);
        wrn_write_u32(&writer, (uint32_t)bytes.size);
        wrn_write_span(&writer, bytes);
    }
    return wrn_written(&writer).size;
}

enum wrn_reason wrn_revoked_restore(struct wrn_revoked *revoked, wrn_span saved) {
    struct wrn_reader reader = wrn_reader(saved);
    enum wrn_reason first = WRN_REASON_NONE;
    uint8_t version = wrn_read_u8(&reader);
    uint16_t count = wrn_read_u16(&reader);
    WRN_ASSERT(revoked->count == 0);
    if (version != VERSION) {
        return WRN_REASON_MALFORMED;
    }
    for (uint16_t i = 0; i < count && !reader.failed; i++) {
        bool is_new;
        wrn_span list = wrn_read_span(&reader, wrn_read_u32(&reader));
        enum wrn_reason reason = wrn_revoked_add(revoked, WRN_RECORD_TIME_MAX_S, list, &is_new);
        first = first == WRN_REASON_NONE ? reason : first;
    }
    return wrn_reader_is_done(&reader) ? first : WRN_REASON_MALFORMED;
}

static bool read_offer(wrn_span bytes, struct offer *ret_offer) {
    struct wrn_reader reader = wrn_reader(bytes);
    uint8_t version = wrn_read_u8(&reader);
    ret_offer->low = wrn_read_span(&reader, SHORT).data;
    ret_offer->high = wrn_read_span(&reader, SHORT).data;
    ret_offer->heads = wrn_read_rest(&reader);
    return !reader.failed && version == VERSION &&
           ret_offer->heads.size % WRN_REVOKED_HEAD_SIZE == 0;
}

static const uint8_t *head_of(const struct offer *offer, const uint8_t *issuer) {
    for (size_t at = 0; at < offer->heads.size; at += WRN_REVOKED_HEAD_SIZE) {
        if (memcmp(offer->heads.data + at, issuer, SHORT) == 0) {
            return offer->heads.data + at;
        }
    }
    return NULL;
}

static const struct wrn_revoked_list *newest_of(const struct wrn_revoked *revoked,
                                                const uint8_t *short_issuer) {
    for (uint32_t i = next_newest(revoked, 0); i < revoked->count;
         i = next_newest(revoked, i + 1)) {
        if (memcmp(revoked->lists[i].issuer, short_issuer, SHORT) == 0) {
            return &revoked->lists[i];
        }
    }
    return NULL;
}

static uint32_t next_newest(const struct wrn_revoked *revoked, uint32_t from) {
    while (from < revoked->count && !revoked->lists[from].is_newest) {
        from++;
    }
    return from;
}
