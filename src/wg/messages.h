/* SPDX-License-Identifier: Apache-2.0 */
/* WireGuard's wire format and constants on one page. All integers little-endian.
 * Source: WireGuard paper (Donenfeld, NDSS 2017, revision of 2020), sections 5.4 and 6.1; the suite
 * byte: docs/protocol.md. */
#pragma once
#include "base/base.h"

/*  initiation      0        4        8             40               88           116     132    148
 *                  | type 1 | sender | ephemeral32 | static 32 + 16 | stamp 12+16 | mac1 16 | mac2
 * 16
 *  response        0        4        8          12            44         60     76     92
 *                  | type 2 | sender | receiver | ephemeral32 | empty 16 | mac1 | mac2
 *  cookie reply    0        4          8          32              64
 *                  | type 3 | receiver | nonce 24 | cookie 16 + 16
 *  data            0        4          8           16
 *                  | type 4 | receiver | counter 8 | packet padded to 16, + 16
 *
 *  type            0      1       2   3
 *                  | type | suite | 0 | 0 |    suite: initiation and response only, else 0
 */
enum {
    WRN_WG_KEY_SIZE = 32,
    WRN_WG_TAG_SIZE = 16,
    WRN_WG_MAC_SIZE = 16,
    WRN_WG_TIMESTAMP_SIZE = 12, /* TAI64N */
    WRN_WG_PADDING = 16,

    WRN_WG_TYPE_INITIATION = 1,
    WRN_WG_TYPE_RESPONSE = 2,
    WRN_WG_TYPE_COOKIE = 3,
    WRN_WG_TYPE_DATA = 4,

    WRN_WG_SUITE_WIREGUARD = 0, /* ChaCha20-Poly1305, the suite that everybody speaks */
    WRN_WG_SUITE_AES_256_GCM = 1,

    WRN_WG_INITIATION_SIZE = 148,
    WRN_WG_RESPONSE_SIZE = 92,
    WRN_WG_COOKIE_SIZE = 64,
    WRN_WG_DATA_HEADER_SIZE = 16,
    WRN_WG_KEEPALIVE_SIZE = 32,

    WRN_WG_SUITE_AT = 1,    /* initiation, response */
    WRN_WG_SENDER_AT = 4,   /* initiation, response */
    WRN_WG_RECEIVER_AT = 4, /* cookie reply, data */
    WRN_WG_COUNTER_AT = 8,  /* data */
    WRN_WG_INIT_EPHEMERAL_AT = 8,
    WRN_WG_INIT_STATIC_AT = 40,
    WRN_WG_INIT_TIMESTAMP_AT = 88,
    WRN_WG_RESP_RECEIVER_AT = 8,
    WRN_WG_RESP_EPHEMERAL_AT = 12,
    WRN_WG_RESP_EMPTY_AT = 44,
    WRN_WG_COOKIE_NONCE_AT = 8,
    WRN_WG_COOKIE_TEXT_AT = 32,
};

/* Times. Source: paper, section 6.1; jitter and the limits below it: reference implementations. */
#define WRN_WG_REKEY_AFTER_NS        UINT64_C(120000000000)
#define WRN_WG_REJECT_AFTER_NS       UINT64_C(180000000000)
#define WRN_WG_REKEY_TIMEOUT_NS      UINT64_C(5000000000)
#define WRN_WG_REKEY_ATTEMPT_NS      UINT64_C(90000000000)
#define WRN_WG_KEEPALIVE_NS          UINT64_C(10000000000)
#define WRN_WG_COOKIE_LIFE_NS        UINT64_C(120000000000)
#define WRN_WG_JITTER_NS             UINT64_C(334000000)
#define WRN_WG_REKEY_AFTER_MESSAGES  (UINT64_C(1) << 60)
#define WRN_WG_REJECT_AFTER_MESSAGES (UINT64_MAX - (UINT64_C(1) << 13))

/* Numbers of attempts and of initiations per second and peer. */
enum { WRN_WG_ATTEMPTS_MAX = 18, WRN_WG_INITIATIONS_PER_S = 50 };
