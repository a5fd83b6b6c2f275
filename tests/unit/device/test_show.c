/* SPDX-License-Identifier: Apache-2.0 */
/* How `warren-wg --show` prints what a daemon answers. */
#include "device/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define KEY_HEX    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_BASE64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

/* Goal: people read what serves the interface and no secret; an answer without our lines is named
 * as somebody else's. Method: a table of answers. */
static void printing(void **state) {
    static const struct {
        const char *answer;
        int error;
        const char *printed;
    } cases[] = {
        {"private_key=" KEY_HEX "\nlisten_port=5\nworkers=2\ntun_offloads=csum,tso4\n"
         "udp_offloads=none\naead=openssl\npublic_key=" KEY_HEX "\npreshared_key=" KEY_HEX
         "\ncipher=aes-256-gcm\nremote_cipher=chacha20-poly1305\nerrno=0\n\n",
         0,
         "interface: wg0\n  workers: 2\n  offloads towards the host: csum, tso4\n"
         "  offloads towards the network: none\n  aead: openssl\n\npeer: " KEY_BASE64 "\n"
         "  cipher: aes-256-gcm\n"
         "  cipher at the other end: chacha20-poly1305; nothing passes until both are the same\n"},
        {"workers=1\nerrno=0\n\n", 0, "interface: wg0\n  workers: 1\n"},
        {"listen_port=5\nerrno=0\n\n", -EPROTO, "interface: wg0\n"},
        {"", -EPROTO, "interface: wg0\n"},
        {"no line at all", -EPROTO, "interface: wg0\n"},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        char answer[1024];
        char printed[1024] = "";
        FILE *out = fmemopen(printed, sizeof printed, "w");
        assert_non_null(out);
        (void)snprintf(answer, sizeof answer, "%s", cases[i].answer);
        assert_int_equal(wrn_show_print("wg0", answer, out), cases[i].error);
        (void)fclose(out);
        assert_string_equal(printed, cases[i].printed);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {cmocka_unit_test(printing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
