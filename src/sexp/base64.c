/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 as S-expressions have it: white space anywhere, padding optional. Strict otherwise, so
 * that no two texts without white space and padding mean the same bytes. */
#include "sexp/internal.h"

enum { NO_DIGIT = 64 };

static uint32_t digit_value(uint8_t c);
static enum wrn_sexp_fault read_padding(struct wrn_sexp_scan *scan, uint8_t closing, size_t digits);

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum wrn_sexp_fault wrn_sexp_base64_read(struct wrn_sexp_scan *scan, uint8_t closing, uint8_t *out,
                                         size_t *ret_size) {
    const uint8_t *text = scan->text.data;
    size_t count = 0; /* of digits */
    size_t size = 0;
    size_t last = scan->at;
    uint32_t bits = 0; /* of the last four digits */
    for (; scan->at < scan->text.size; scan->at++) {
        if (wrn_sexp_is_white(text[scan->at])) {
            continue;
        }
        uint32_t value = digit_value(text[scan->at]);
        if (value == NO_DIGIT) {
            break;
        }
        last = scan->at;
        bits = bits << 6 | value;
        if (++count % 4 != 1) { /* eight bits more are complete */
            if (out != NULL) {
                out[size] = (uint8_t)(bits >> (6 - 2 * ((count - 1) % 4)));
            }
            size++;
        }
    }
    enum wrn_sexp_fault fault = read_padding(scan, closing, count);
    uint32_t unused = count % 4 == 2 ? 0xf : count % 4 == 3 ? 0x3 : 0;
    if (fault == WRN_SEXP_OK && (bits & unused) != 0) {
        scan->at = last;
        fault = WRN_SEXP_BAD_BASE64;
    }
    *ret_size = size;
    return fault;
}

/* From what is no digit to behind the closing character. */
static enum wrn_sexp_fault read_padding(struct wrn_sexp_scan *scan, uint8_t closing, size_t count) {
    size_t allowed = count % 4 == 2 ? 2 : count % 4 == 3 ? 1 : 0;
    for (; scan->at < scan->text.size; scan->at++) {
        uint8_t c = scan->text.data[scan->at];
        if (c == closing && count % 4 != 1) {
            scan->at++;
            return WRN_SEXP_OK;
        }
        if (c == '=' && allowed > 0) {
            allowed--;
        } else if (!wrn_sexp_is_white(c)) {
            return WRN_SEXP_BAD_BASE64;
        }
    }
    return WRN_SEXP_ENDS_EARLY;
}

size_t wrn_sexp_base64_locate(wrn_span text, size_t at, size_t index) {
    size_t left = index / 3 * 4 + index % 3; /* digits before the one that is looked for */
    for (; at < text.size; at++) {
        if (digit_value(text.data[at]) != NO_DIGIT && left-- == 0) {
            break;
        }
    }
    return at;
}

char wrn_sexp_base64_digit(uint32_t value) {
    return digits[value % 64];
}

static uint32_t digit_value(uint8_t c) {
    if (c >= 'A' && c <= 'Z') {
        return (uint32_t)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (uint32_t)(c - 'a' + 26);
    }
    if (wrn_sexp_is_digit(c)) {
        return (uint32_t)(c - '0' + 52);
    }
    return c == '+' ? 62 : c == '/' ? 63 : NO_DIGIT;
}
