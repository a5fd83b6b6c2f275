/* SPDX-License-Identifier: Apache-2.0 */
/* Checks canonical form: one pass, no memory, each byte looked at once. Writes nothing. */
#include "sexp/internal.h"

static enum wrn_sexp_fault scan_atom(struct wrn_sexp_scan *scan);
static enum wrn_sexp_fault scan_hint(struct wrn_sexp_scan *scan);
static enum wrn_sexp_fault hint_fault(uint8_t found);
static enum wrn_sexp_fault scan_string(struct wrn_sexp_scan *scan, size_t *ret_length);

static const char *const fault_texts[] = {
    [WRN_SEXP_OK] = "nothing is wrong",
    [WRN_SEXP_ENDS_EARLY] = "the text ends before the expression does",
    [WRN_SEXP_STRAY_CLOSE] = "a ')' closes no list",
    [WRN_SEXP_BAD_CHARACTER] = "no expression begins so; what is no plain word is put in quotes",
    [WRN_SEXP_BAD_QUOTED] = "in quotes, bytes other than printable ASCII are written as \\xhh",
    [WRN_SEXP_LENGTH_ALONE] = "no string follows a length",
    [WRN_SEXP_LENGTH_ZERO_LED] = "a length begins with a zero",
    [WRN_SEXP_LENGTH_TOO_BIG] = "a length is greater than 1048576",
    [WRN_SEXP_LENGTH_WRONG] = "a length is not that of the string behind it",
    [WRN_SEXP_BAD_HEX] = "between '#' and '#' stand pairs of hexadecimal digits",
    [WRN_SEXP_BAD_BASE64] = "between '|' and '|', or '{' and '}', stands base64",
    [WRN_SEXP_BAD_ESCAPE] =
        "no such escape: \\a \\b \\t \\n \\v \\f \\r \\\" \\' \\? \\\\ \\377 \\xff",
    [WRN_SEXP_BAD_HINT] = "a display hint is one string in [], not empty, before another string",
    [WRN_SEXP_TOO_DEEP] = "lists are nested more than 64 deep",
    [WRN_SEXP_TOO_MANY] = "there are more than 65536 atoms and lists",
    [WRN_SEXP_TOO_LARGE] = "the canonical form has more than 1048576 bytes",
    [WRN_SEXP_TRAILING] = "something follows the expression",
};
static_assert(WRN_COUNT(fault_texts) == WRN_SEXP_FAULTS, "every fault has a text");
static_assert(WRN_SEXP_SIZE_MAX == 1048576 && WRN_SEXP_DEPTH_MAX == 64 &&
                  WRN_SEXP_COUNT_MAX == 65536,
              "the texts name the limits");

const char *wrn_sexp_fault_text(enum wrn_sexp_fault fault) {
    WRN_ASSERT((size_t)fault < WRN_COUNT(fault_texts));
    return fault_texts[fault];
}

int wrn_sexp_check(wrn_span bytes, struct wrn_sexp *ret_sexp, struct wrn_sexp_error *ret_error) {
    struct wrn_sexp_scan scan = {.text = bytes};
    enum wrn_sexp_fault fault = wrn_sexp_scan_canonical(&scan);
    if (fault == WRN_SEXP_OK && scan.at < bytes.size) {
        fault = wrn_sexp_trailing_fault(&scan);
    }
    if (fault != WRN_SEXP_OK) {
        if (ret_error != NULL) {
            *ret_error = (struct wrn_sexp_error){fault, scan.at};
        }
        return WRN_ERR_MALFORMED;
    }
    *ret_sexp = (struct wrn_sexp){bytes};
    return 0;
}

enum wrn_sexp_fault wrn_sexp_scan_canonical(struct wrn_sexp_scan *scan) {
    size_t first = scan->at;
    do {
        if (scan->at == scan->text.size) {
            return WRN_SEXP_ENDS_EARLY;
        }
        size_t start = scan->at;
        uint8_t c = scan->text.data[start];
        enum wrn_sexp_fault fault = WRN_SEXP_OK;
        if (c == ')' && scan->depth > 0) {
            scan->depth--;
            scan->at++;
        } else {
            fault = wrn_sexp_scan_begin(scan);
            if (fault == WRN_SEXP_OK && c == '(') {
                scan->at++;
            } else if (fault == WRN_SEXP_OK) {
                fault = scan_atom(scan);
            }
        }
        if (fault != WRN_SEXP_OK) {
            return fault;
        }
        if (scan->at - first > WRN_SEXP_SIZE_MAX) {
            scan->at = start;
            return WRN_SEXP_TOO_LARGE;
        }
    } while (scan->depth > 0);
    return WRN_SEXP_OK;
}

enum wrn_sexp_fault wrn_sexp_scan_begin(struct wrn_sexp_scan *scan) {
    uint8_t c = scan->text.data[scan->at];
    if (c == ')') {
        return WRN_SEXP_STRAY_CLOSE; /* the caller has closed what is open */
    }
    if (scan->count == WRN_SEXP_COUNT_MAX) {
        return WRN_SEXP_TOO_MANY;
    }
    scan->count++;
    if (c == '(') {
        if (scan->depth == WRN_SEXP_DEPTH_MAX) {
            return WRN_SEXP_TOO_DEEP;
        }
        scan->depth++;
    }
    return WRN_SEXP_OK;
}

enum wrn_sexp_fault wrn_sexp_trailing_fault(const struct wrn_sexp_scan *scan) {
    return scan->text.data[scan->at] == ')' ? WRN_SEXP_STRAY_CLOSE : WRN_SEXP_TRAILING;
}

static enum wrn_sexp_fault scan_atom(struct wrn_sexp_scan *scan) {
    size_t length;
    if (scan->text.data[scan->at] == '[') {
        enum wrn_sexp_fault fault = scan_hint(scan);
        if (fault != WRN_SEXP_OK) {
            return fault;
        }
    }
    return scan_string(scan, &length);
}

/* From '[' up to the string that the hint is for. */
static enum wrn_sexp_fault scan_hint(struct wrn_sexp_scan *scan) {
    const uint8_t *bytes = scan->text.data;
    size_t end = scan->text.size;
    size_t length;
    size_t start = ++scan->at;
    if (start == end) {
        return WRN_SEXP_ENDS_EARLY;
    }
    if (!wrn_sexp_is_digit(bytes[start])) {
        return hint_fault(bytes[start]);
    }
    enum wrn_sexp_fault fault = scan_string(scan, &length);
    if (fault != WRN_SEXP_OK) {
        return fault;
    }
    if (length == 0) {
        scan->at = start;
        return WRN_SEXP_BAD_HINT;
    }
    if (scan->at < end && bytes[scan->at] != ']') {
        return WRN_SEXP_BAD_HINT;
    }
    if (scan->at == end || ++scan->at == end) {
        return WRN_SEXP_ENDS_EARLY;
    }
    return wrn_sexp_is_digit(bytes[scan->at]) ? WRN_SEXP_OK : hint_fault(bytes[scan->at]);
}

static enum wrn_sexp_fault hint_fault(uint8_t found) {
    return wrn_sexp_is_bracket(found) ? WRN_SEXP_BAD_HINT : WRN_SEXP_BAD_CHARACTER;
}

static enum wrn_sexp_fault scan_string(struct wrn_sexp_scan *scan, size_t *ret_length) {
    if (!wrn_sexp_is_digit(scan->text.data[scan->at])) {
        return WRN_SEXP_BAD_CHARACTER;
    }
    enum wrn_sexp_fault fault = wrn_sexp_scan_length(scan, ret_length);
    if (fault != WRN_SEXP_OK) {
        return fault;
    }
    if (scan->text.data[scan->at] != ':') {
        return WRN_SEXP_LENGTH_ALONE;
    }
    return wrn_sexp_scan_verbatim(scan, *ret_length);
}

enum wrn_sexp_fault wrn_sexp_scan_length(struct wrn_sexp_scan *scan, size_t *ret_length) {
    const uint8_t *bytes = scan->text.data;
    size_t at = scan->at;
    size_t length = 0;
    bool is_zero_led = bytes[at] == '0';
    for (; at < scan->text.size && wrn_sexp_is_digit(bytes[at]); at++) {
        if (is_zero_led && at > scan->at) {
            return WRN_SEXP_LENGTH_ZERO_LED; /* at its first digit */
        }
        length = length * 10 + (size_t)(bytes[at] - '0');
        if (length > WRN_SEXP_SIZE_MAX) {
            return WRN_SEXP_LENGTH_TOO_BIG;
        }
    }
    scan->at = at;
    if (at == scan->text.size) {
        return WRN_SEXP_ENDS_EARLY;
    }
    *ret_length = length;
    return WRN_SEXP_OK;
}

enum wrn_sexp_fault wrn_sexp_scan_verbatim(struct wrn_sexp_scan *scan, size_t length) {
    size_t start = scan->at + 1;
    if (scan->text.size - start < length) {
        scan->at = scan->text.size;
        return WRN_SEXP_ENDS_EARLY;
    }
    scan->at = start + length;
    return WRN_SEXP_OK;
}
