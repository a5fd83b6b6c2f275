/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys as text: in base64, as wg(8) shows them, and in hexadecimal, as the configuration
 * socket has them. Pure; not for secrets: the time depends on the digits. */
#pragma once
#include "base/base.h"

enum {
    WRN_BASE64_KEY_BYTES = 32,
    WRN_BASE64_KEY_SIZE = 45, /* with the terminating zero */
    WRN_HEX_KEY_SIZE = 65,
};

/* Reads a key. Returns whether 'text' is one, exactly. */
bool wrn_base64_read_key(const char *text, uint8_t ret_key[WRN_BASE64_KEY_BYTES]);
bool wrn_hex_read_key(const char *text, uint8_t ret_key[WRN_BASE64_KEY_BYTES]);

/* Writes a key, terminated. */
void wrn_base64_write_key(const uint8_t key[WRN_BASE64_KEY_BYTES],
                          char ret_text[WRN_BASE64_KEY_SIZE]);
void wrn_hex_write_key(const uint8_t key[WRN_BASE64_KEY_BYTES], char ret_text[WRN_HEX_KEY_SIZE]);
