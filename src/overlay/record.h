/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the DHT: signed, dated, owned. A canonical S-expression of at most WRN_RECORD_MAX
 * bytes. Pure: reads, writes, compares; stores nothing. */
#pragma once
#include "base/clock.h"
#include "overlay/id.h"
#include "overlay/limits.h"
#include "overlay/primitives.h"
#include "overlay/reason.h"

enum {
    WRN_RECORD_KEY_MAX = 128,      /* bytes of "family/rest" */
    WRN_RECORD_VALUE_MAX = 900,    /* bytes, so that the whole fits with a proof */
    WRN_RECORD_TTL_MAX_S = 604800, /* 7 days */
};

/* Latest time in a record: the end of the year 9999, so that sums do not overflow. */
#define WRN_RECORD_TIME_MAX_S INT64_C(253402300799)

enum wrn_record_kind {
    WRN_RECORD_PUT,    /* one of many under its key: one for each owner and value */
    WRN_RECORD_CREATE, /* the only one under its key */
    WRN_RECORD_DELETE, /* the owner's word that the record of this sequence and older ones is gone;
                        * kept until those would have expired */
};

struct wrn_record {
    enum wrn_record_kind kind;
    wrn_span key;   /* "family/rest", neither empty; printable ASCII without space */
    wrn_span value; /* empty for DELETE */
    wrn_span proof; /* chain or other bytes that the family's rule wants, may be empty */
    uint8_t owner[WRN_SIGN_PUBLIC_SIZE];
    uint64_t sequence; /* of this owner and key (and value, for PUT): greater is newer */
    int64_t claimed_s; /* CREATE: since when the owner claims the key, at most made_s; the older
                        * claim wins. Renewed records keep it. The rule may bind it to the proof's
                        * validity. 0 for the other kinds */
    int64_t made_s;    /* when this version was made: it lives until made_s + ttl_s */
    uint32_t ttl_s;    /* 1..WRN_RECORD_TTL_MAX_S */
    uint8_t hash[WRN_HASH_SIZE]; /* of owner and value: breaks ties, tells PUT values apart */
};

/* Writes and signs; 'owner' and 'hash' are filled in. Returns the size, at most WRN_RECORD_MAX; 0
 * if it does not fit, a field is beyond its bounds, or for want of memory in signing. The grammar
 * is in docs/ring/records.md. */
size_t wrn_record_write(struct wrn_record *record, const struct wrn_primitives *primitives,
                        const uint8_t seed[WRN_SEED_SIZE], uint8_t *out, size_t capacity);

/* Reads; the spans borrow 'bytes'. Returns NONE, MALFORMED, TOO_LARGE; 'ret_record' is zeroed
 * unless it is NONE. Does not verify. What is read has one encoding only. O(bytes). */
enum wrn_reason wrn_record_read(wrn_span bytes, const struct wrn_primitives *primitives,
                                struct wrn_record *ret_record);

/* Verifies the signature of a record that was read from 'bytes'. NONE or BAD_SIGNATURE, also for
 * bytes that are no record. */
enum wrn_reason wrn_record_verify(wrn_span bytes, const struct wrn_primitives *primitives);

/* Says whether a record may be stored at 'now': NONE, EXPIRED, or NOT_YET: it was made more than
 * WRN_CLOCK_TOLERANCE_S in the future. */
enum wrn_reason wrn_record_check_time(const struct wrn_record *record, wrn_wall now);

/* Returns the place of a key on the ring: the first 96 bits of a hash of the label "warren key 1",
 * its zero byte, and the key. */
wrn_id wrn_record_place(wrn_span key, const struct wrn_primitives *primitives);

/* Decides between two live CREATE records of one key and different owners, the same on every
 * node: true if 'a' stays. The older claim, then the smaller hash. Of one and the same record
 * false. */
bool wrn_record_wins(const struct wrn_record *a, const struct wrn_record *b);
