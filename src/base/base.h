/* SPDX-License-Identifier: Apache-2.0 */
/* What every file of Warren may rely on: attributes, assertions, spans and error codes. No I/O. */
#pragma once
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WRN_NODISCARD __attribute__((warn_unused_result))
#define WRN_PRINTF(format_index, args_index)                                                       \
    __attribute__((format(printf, format_index, args_index)))

/* Checks our own state, in release builds too. Never reachable from bytes that a peer sends. */
#define WRN_ASSERT(condition)                                                                      \
    (__builtin_expect(!!(condition), 1)                                                            \
         ? (void)0                                                                                 \
         : __assert_fail(#condition, __FILE__, __LINE__, __extension__ __func__))

#define WRN_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The structure that contains 'member' at 'pointer'. */
#define WRN_CONTAINER(pointer, type, member)                                                       \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Borrowed bytes. 'data' may be NULL only if 'size' is 0. */
typedef struct wrn_span {
    const uint8_t *data;
    size_t size;
} wrn_span;

/* Operating errors are negative: -errno where the system has a word for it, else one of these. */
enum wrn_err {
    WRN_ERR_FULL = -4096,      /* a pool that was sized at start has no free entry */
    WRN_ERR_NOT_FOUND = -4097, /* no such peer, prefix or session */
    WRN_ERR_MALFORMED = -4098, /* text or bytes that do not follow their grammar */
};
