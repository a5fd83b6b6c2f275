/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of the handshake transcripts. */
#include "transcript.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t nibble(char c) {
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

size_t transcript_get(const char *section, const char *field,
                      uint8_t ret_bytes[TRANSCRIPT_FIELD_MAX]) {
    const char *root = getenv("WARREN_SOURCE_DIR");
    char path[1024];
    char line[2 * TRANSCRIPT_FIELD_MAX + 128];
    char name[64];
    bool here = false;
    snprintf(path, sizeof path, "%s/tests/vectors/handshake.txt", root != NULL ? root : ".");
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("cannot open %s", path);
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "[%63[^]]", name) == 1) {
            here = strcmp(name, section) == 0;
            continue;
        }
        const char *hex = strstr(line, " = ");
        if (!here || hex == NULL || strncmp(line, field, (size_t)(hex - line)) != 0 ||
            field[hex - line] != 0) {
            continue;
        }
        hex += 3;
        size_t size = strcspn(hex, "\n") / 2;
        assert_true(size <= TRANSCRIPT_FIELD_MAX);
        for (size_t i = 0; i < size; i++) {
            ret_bytes[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
        }
        fclose(file);
        return size;
    }
    fclose(file);
    fail_msg("%s: no field %s in [%s]", path, field, section);
    return 0;
}
