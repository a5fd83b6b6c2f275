/* SPDX-License-Identifier: Apache-2.0 */
/* Names of offloads, and how many workers there can be, for the command line and the userspace API.
 * Pure functions over the caller's bytes. */
#include "wg/uapi.h"

static const struct {
    const char *name;
    uint32_t offload;
} names[] = {
    {"csum", WRN_UAPI_OFFLOAD_CSUM}, {"tso4", WRN_UAPI_OFFLOAD_TSO4},
    {"tso6", WRN_UAPI_OFFLOAD_TSO6}, {"uso", WRN_UAPI_OFFLOAD_USO},
    {"gso", WRN_UAPI_OFFLOAD_GSO},   {"gro", WRN_UAPI_OFFLOAD_GRO},
};

static bool read_name(wrn_span name, uint32_t *offloads);
static bool is(wrn_span text, const char *name);

bool wrn_uapi_read_offloads(wrn_span text, uint32_t *ret_offloads) {
    uint32_t offloads = 0;
    if (is(text, "all") || is(text, "none")) {
        *ret_offloads = is(text, "all") ? WRN_UAPI_OFFLOADS_ALL : 0;
        return true;
    }
    for (;;) {
        const uint8_t *comma = text.size > 0 ? memchr(text.data, ',', text.size) : NULL;
        wrn_span name = {text.data, comma != NULL ? (size_t)(comma - text.data) : text.size};
        if (!read_name(name, &offloads)) {
            return false;
        }
        if (comma == NULL) {
            *ret_offloads = offloads;
            return true;
        }
        text = (wrn_span){comma + 1, text.size - name.size - 1};
    }
}

void wrn_uapi_write_offloads(uint32_t offloads, char ret_text[WRN_UAPI_OFFLOADS_SIZE]) {
    size_t used = 0;
    for (size_t i = 0; i < WRN_COUNT(names); i++) {
        size_t length = strlen(names[i].name);
        if ((offloads & names[i].offload) == 0) {
            continue;
        }
        WRN_ASSERT(used + length + 2 <= WRN_UAPI_OFFLOADS_SIZE);
        if (used > 0) {
            ret_text[used++] = ',';
        }
        memcpy(ret_text + used, names[i].name, length);
        used += length;
    }
    if (used == 0) {
        memcpy(ret_text, "none", 4);
        used = 4;
    }
    ret_text[used] = '\0';
}

bool wrn_uapi_read_workers(wrn_span text, uint32_t *ret_count) {
    uint32_t count = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        count = count * 10 + (uint32_t)(text.data[i] - '0');
        if (count > WRN_UAPI_WORKERS_MAX) {
            return false;
        }
    }
    if (count == 0) { /* also no digit at all */
        return false;
    }
    *ret_count = count;
    return true;
}

static bool read_name(wrn_span name, uint32_t *offloads) {
    for (size_t i = 0; i < WRN_COUNT(names); i++) {
        if (is(name, names[i].name)) {
            *offloads |= names[i].offload;
            return true;
        }
    }
    return false;
}

static bool is(wrn_span text, const char *name) {
    return text.size == strlen(name) && memcmp(text.data, name, text.size) == 0;
}
