/* SPDX-License-Identifier: Apache-2.0 */
/* Client of the `get` operation. Prints no key but public ones. */
#include "device/show.h"

#include "device/key_text.h"
#include "device/client.h"
#include "io/cleanup.h"

static void print_list(const char *title, const char *names, FILE *out);

int wrn_show(const char *interface, FILE *out) {
    WRN_CLEANUP(wrn_client_free) char *answer = NULL;
    int error = wrn_client_ask(interface, "get=1\nstats=1\n\n", &answer);
    if (error != 0) {
        return error;
    }
    return wrn_client_errno(answer) != 0 ? -EPROTO : wrn_show_print(interface, answer, out);
}

int wrn_show_print(const char *interface, char *answer, FILE *out) {
    const char *value;
    const char *key;
    bool is_ours = false;
    (void)fprintf(out, "interface: %s\n", interface);
    while ((key = wrn_client_next_line(&answer, &value)) != NULL) {
        uint8_t public_key[WRN_BASE64_KEY_BYTES];
        char text[WRN_BASE64_KEY_SIZE];
        if (strcmp(key, "workers") == 0) {
            is_ours = true;
            (void)fprintf(out, "  workers: %s\n", value);
        } else if (strcmp(key, "tun_offloads") == 0) {
            print_list("offloads towards the host", value, out);
        } else if (strcmp(key, "udp_offloads") == 0) {
            print_list("offloads towards the network", value, out);
        } else if (strcmp(key, "aead") == 0) {
            (void)fprintf(out, "  aead: %s\n", value);
        } else if (strcmp(key, "public_key") == 0 && wrn_hex_read_key(value, public_key)) {
            wrn_base64_write_key(public_key, text);
            (void)fprintf(out, "\npeer: %s\n", text);
        } else if (strcmp(key, "cipher") == 0) {
            (void)fprintf(out, "  cipher: %s\n", value);
        } else if (strcmp(key, "remote_cipher") == 0) {
            (void)fprintf(out,
                          "  cipher at the other end: %s; nothing passes until both are the same\n",
                          value);
        }
    }
    return is_ours ? 0 : -EPROTO;
}

/* "a,b" is printed as "a, b". */
static void print_list(const char *title, const char *names, FILE *out) {
    (void)fprintf(out, "  %s: ", title);
    for (const char *c = names; *c != '\0'; c++) {
        (void)fputs(*c == ',' ? ", " : (char[]){*c, '\0'}, out);
    }
    (void)fputc('\n', out);
}
