/* SPDX-License-Identifier: Apache-2.0 */
/* Names of peers in the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "device/peer_name.h"

/* Goal: the name shows the key's first and last characters as wg(8) prints them.
 * Method: keys whose base64 was made with another program. */
static void names(void **state) {
    uint8_t key[WRN_WG_KEY_SIZE] = {0};
    char name[WRN_PEER_NAME_SIZE];
    (void)state;
    wrn_peer_name_of_key(key, name);
    assert_string_equal(name, "peer(AAAA\xe2\x80\xa6"
                              "AAAA)");
    memset(key, 0xff, sizeof key); /* 43 characters: the last one holds 4 bits */
    wrn_peer_name_of_key(key, name);
    assert_string_equal(name, "peer(////\xe2\x80\xa6///8)");
    for (size_t i = 0; i < sizeof key; i++) { /* AAECAwQF…GxwdHh8= */
        key[i] = (uint8_t)i;
    }
    wrn_peer_name_of_key(key, name);
    assert_string_equal(name, "peer(AAEC\xe2\x80\xa6"
                              "dHh8)");
}

int main(void) {
    static const struct CMUnitTest tests[] = {cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
