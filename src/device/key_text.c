/* SPDX-License-Identifier: Apache-2.0 */
/* 32 bytes are 43 digits of base64, the last of which carries 4 bits, and a "=".
 * Source: RFC 4648, section 4. */
#include "device/key_text.h"

#include "base/hex.h"

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char digits16[] = "0123456789abcdef";

enum { DIGITS = WRN_BASE64_KEY_SIZE - 2 };

bool wrn_base64_read_key(const char *text, uint8_t ret_key[WRN_BASE64_KEY_BYTES]) {
    uint8_t key[WRN_BASE64_KEY_BYTES];
    uint32_t bits = 0;
    size_t used = 0;
    if (strlen(text) != WRN_BASE64_KEY_SIZE - 1 || text[DIGITS] != '=') {
        return false;
    }
    for (size_t i = 0; i < DIGITS; i++) {
        const char *digit = strchr(digits64, text[i]);
        if (digit == NULL) {
            return false;
        }
        bits = bits << 6 | (uint32_t)(digit - digits64);
        if (i % 4 != 0) { /* the first of four digits completes no byte */
            key[used++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
        }
    }
    if ((bits & 3) != 0) { /* bits behind the last byte */
        return false;
    }
    memcpy(ret_key, key, sizeof key);
    return true;
}

bool wrn_hex_read_key(const char *text, uint8_t ret_key[WRN_BASE64_KEY_BYTES]) {
    uint8_t key[WRN_BASE64_KEY_BYTES] = {0};
    if (strlen(text) != WRN_HEX_KEY_SIZE - 1) {
        return false;
    }
    for (size_t i = 0; i < WRN_HEX_KEY_SIZE - 1; i++) {
        const char *digit = strchr(digits16, text[i]);
        if (digit == NULL) {
            return false;
        }
        key[i / 2] = (uint8_t)(key[i / 2] << 4 | (uint8_t)(digit - digits16));
    }
    memcpy(ret_key, key, sizeof key);
    return true;
}

void wrn_base64_write_key(const uint8_t key[WRN_BASE64_KEY_BYTES],
                          char ret_text[WRN_BASE64_KEY_SIZE]) {
    for (size_t i = 0; i < DIGITS; i++) {
        size_t bit = 6 * i;
        uint32_t next = bit / 8 + 1 < WRN_BASE64_KEY_BYTES ? key[bit / 8 + 1] : 0;
        uint32_t pair = (uint32_t)key[bit / 8] << 8 | next;
        ret_text[i] = digits64[pair >> (10 - bit % 8) & 63];
    }
    ret_text[DIGITS] = '=';
    ret_text[DIGITS + 1] = '\0';
}

void wrn_hex_write_key(const uint8_t key[WRN_BASE64_KEY_BYTES], char ret_text[WRN_HEX_KEY_SIZE]) {
    wrn_hex_write(key, WRN_BASE64_KEY_BYTES, ret_text);
    ret_text[WRN_HEX_KEY_SIZE - 1] = '\0';
}
