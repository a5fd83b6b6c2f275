/* SPDX-License-Identifier: Apache-2.0 */
/* TUN devices, as far as they can be tried without privileges: names, and descriptors that are
 * none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "io/tun.h"

/* Goal: names that the kernel or the socket's path cannot take are refused, usual ones are not.
 * Method: a table. */
static void names(void **state) {
    static const struct {
        const char *name;
        bool fine;
    } cases[] = {
        {"wg0", true},         {"w", true},     {"fifteen-chars-x", true},
        {"a.b_c=d+e@f", true}, {"", false},     {".", false},
        {"..", false},         {"...", true},   {"a/b", false},
        {"a b", false},        {"a\tb", false}, {"sixteen-chars-xx", false},
        {"wg%d", false},       {"wg:1", false}, {"\xc3\xa4", false},
        {"a\x7f", false},      {"a\nb", false}, {"a\"b", false},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        const char *problem = wrn_tun_name_problem(cases[i].name);
        if ((problem == NULL) != cases[i].fine) {
            fail_msg("\"%s\": %s", cases[i].name, problem != NULL ? problem : "no problem seen");
        }
    }
}

/* Goal: a descriptor that is no TUN device is refused and closed, since it was handed over.
 * Method: /dev/null. */
static void adopting_something_else(void **state) {
    struct wrn_tun tun = WRN_TUN_NONE;
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(wrn_tun_adopt(fd, &tun), -EBADF);
    assert_int_equal(tun.fd, -1);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(wrn_tun_adopt(12345, &tun), -EBADF);
}

/* Goal: a device that is not there can be closed, and has no name.
 * Method: the constant for it. */
static void no_device(void **state) {
    struct wrn_tun tun = WRN_TUN_NONE;
    char name[WRN_TUN_NAME_SIZE];
    (void)state;
    assert_int_equal(wrn_tun_name(&tun, name), -ENODEV);
    wrn_tun_close(&tun);
    assert_int_equal(tun.fd, -1);
    assert_int_equal(wrn_tun_create("not/a name", &tun), -EINVAL);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(adopting_something_else),
        cmocka_unit_test(no_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
