/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as hexadecimal digits. */
#pragma once
#include "base/base.h"

/* Writes two digits for each of 'size' bytes, in lower case and without a zero at the end:
 * 'ret_text' has room for 2 * size. Not for secrets: the time depends on the bytes. */
static inline void wrn_hex_write(const uint8_t *bytes, size_t size, char *ret_text) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
}
