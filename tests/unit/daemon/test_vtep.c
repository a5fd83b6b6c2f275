/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a person writes about a VTEP is read, and written so that it is read again; what would
 * let strangers in is refused. Method: tables. */
#include "daemon/vtep.h"

#include "unit/base/check.h"

enum { OWN_VNI = 99 };

static const char *parse(const char *text, struct wrn_vtep_options *ret_options) {
    return wrn_vtep_parse((wrn_span){(const uint8_t *)text, strlen(text)}, OWN_VNI, ret_options);
}

static void good_ones_are_written_as_they_are_read(void **state) {
    static const struct {
        const char *text, *whole;
    } good[] = {
        {"127.0.0.1:4789", "127.0.0.1:4789,vni=99"},
        {"[::1]:4789", "[::1]:4789,vni=99"},
        {"127.0.0.1:4789,vni=0", "127.0.0.1:4789,vni=0"},
        {"10.0.0.1:1,remote=10.0.0.2:65535", "10.0.0.1:1,remote=10.0.0.2:65535,vni=99"},
        {"0.0.0.0:4789,vni=16777215,remote=10.0.0.2:4789",
         "0.0.0.0:4789,remote=10.0.0.2:4789,vni=16777215"},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(good); i++) {
        struct wrn_vtep_options options;
        char text[WRN_VTEP_TEXT_SIZE];
        assert_null(parse(good[i].text, &options));
        wrn_vtep_print(&options, text);
        assert_string_equal(text, good[i].whole);
        assert_null(parse(text, &options));
    }
}

static void bad_ones_are_refused(void **state) {
    static const char *const bad[] = {
        "",
        "127.0.0.1",
        "127.0.0.1:0",
        "4789",
        "127.0.0.1:4789,",
        "127.0.0.1:4789,vni=",
        "127.0.0.1:4789,vni=16777216",
        "127.0.0.1:4789,vni=-1",
        "127.0.0.1:4789,vni=99999999999",
        "127.0.0.1:4789,remote=10.0.0.2",
        "127.0.0.1:4789,remote=10.0.0.2:0",
        "127.0.0.1:4789,remote=[::1]:4789",
        "127.0.0.1:4789,colour=red",
        "0.0.0.0:4789", /* anybody could send there */
        "10.0.0.1:4789",
        "[::]:4789",
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(bad); i++) {
        struct wrn_vtep_options options;
        assert_non_null(parse(bad[i], &options));
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_are_written_as_they_are_read),
        cmocka_unit_test(bad_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
