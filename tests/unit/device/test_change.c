/* SPDX-License-Identifier: Apache-2.0 */
/* What `warren-wg --set` asks a daemon for. */
#include "device/change.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define KEY_HEX    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_BASE64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

enum { CHANGES_MAX = 4 };

/* Goal: changes become the lines of a `set`; whatever does not make sense is refused with its
 * reason before anything is sent. Method: a table. */
static void requests(void **state) {
    static const struct {
        const char *changes[CHANGES_MAX];
        const char *request; /* NULL: refused */
        const char *why;     /* part of the sentence */
    } cases[] = {
        {{"workers=2"}, "set=1\nworkers=2\n\n", NULL},
        {{"workers=64", "offloads=none"}, "set=1\nworkers=64\noffloads=none\n\n", NULL},
        {{"offloads=all", "peer=" KEY_BASE64, "cipher=aes-256-gcm"},
         "set=1\noffloads=all\npublic_key=" KEY_HEX "\nupdate_only=true\ncipher=aes-256-gcm\n\n",
         NULL},
        {{"workers=0"}, NULL, "from 1 to 64"},
        {{"workers"}, NULL, "key=value"},
        {{"worker=2"}, NULL, "unknown"},
        {{"offloads=gro,tso"}, NULL, "all, none, or names"},
        {{"cipher=aes-256-gcm"}, NULL, "before any public_key"},
        {{"peer=" KEY_BASE64, "workers=2"}, NULL, "behind a public_key"},
        {{"peer=" KEY_HEX}, NULL, "in base64"},
        {{"workers=2\nlisten_port=1"}, NULL, "\"workers=2\\x0alisten_port=1\""},
        {{"workers=2\n"}, NULL, "cannot set"},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        char *changes[CHANGES_MAX];
        char *request = NULL;
        char why[WRN_CHANGE_WHY_SIZE] = "";
        size_t count = 0;
        while (count < CHANGES_MAX && cases[i].changes[count] != NULL) {
            changes[count] = (char *)(uintptr_t)cases[i].changes[count];
            count++;
        }
        int error = wrn_change_request(changes, count, &request, why);
        if (cases[i].request == NULL) {
            assert_int_not_equal(error, 0);
            assert_non_null(strstr(why, cases[i].why));
            continue;
        }
        assert_int_equal(error, 0);
        assert_string_equal(request, cases[i].request);
        free(request);
    }
}

/* Goal: text too long for any line is refused, and much of it is no danger.
 * Method: one long change. */
static void too_long(void **state) {
    char text[4096];
    char *changes[] = {text};
    char *request = NULL;
    char why[WRN_CHANGE_WHY_SIZE] = "";
    (void)state;
    memset(text, '1', sizeof text - 1);
    memcpy(text, "workers=", 8);
    text[sizeof text - 1] = '\0';
    assert_int_not_equal(wrn_change_request(changes, 1, &request, why), 0);
    assert_non_null(strstr(why, "cannot set"));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
