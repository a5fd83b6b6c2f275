/* SPDX-License-Identifier: Apache-2.0 */
/* Client of the `stats` operation. */
#include "device/drops.h"

#include "device/client.h"
#include "io/cleanup.h"

#define PREFIX "drop_"

int wrn_drops_show(const char *interface, bool all, FILE *out) {
    WRN_CLEANUP(wrn_client_free) char *answer = NULL;
    int error = wrn_client_ask(interface, "stats=1\n\n", &answer);
    return error != 0 ? error : wrn_drops_print(answer, all, out);
}

int wrn_drops_print(const char *answer, bool all, FILE *out) {
    bool any = false;
    if (strstr(answer, "errno=0\n") == NULL) {
        return -EPROTO;
    }
    for (const char *line = answer; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        const char *equals = memchr(line, '=', length);
        if (equals != NULL && strncmp(line, PREFIX, strlen(PREFIX)) == 0) {
            const char *name = line + strlen(PREFIX);
            int value_length = (int)(line + length - (equals + 1));
            bool is_zero = value_length == 1 && equals[1] == '0';
            if (all || !is_zero) {
                (void)fprintf(out, "%-20.*s %.*s\n", (int)(equals - name), name, value_length,
                              equals + 1);
                any = true;
            }
        }
        line += length;
        line += *line == '\n';
    }
    if (!any) {
        (void)fprintf(out, "no packet was refused\n");
    }
    return 0;
}
