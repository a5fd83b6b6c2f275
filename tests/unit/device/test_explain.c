/* SPDX-License-Identifier: Apache-2.0 */
/* What a failed start says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "device/explain.h"

/* Goal: every sentence names the interface, the cause and the cure, on one line, whole.
 * Method: the errors that each step is known for, and one that none expects. */
static void sentences(void **state) {
    static const struct {
        enum wrn_start_step step;
        int error;
        const char *cause;
        const char *cure;
    } cases[] = {
        {WRN_START_TUN_CREATE, -ENOENT, "no /dev/net/tun", "modprobe tun"},
        {WRN_START_TUN_CREATE, -ENODEV, "no driver", "modprobe tun"},
        {WRN_START_TUN_CREATE, -EPERM, "CAP_NET_ADMIN", "as root"},
        {WRN_START_TUN_CREATE, -EACCES, "may not be opened", "as root"},
        {WRN_START_TUN_CREATE, -EBUSY, "another program", "another name"},
        {WRN_START_TUN_CREATE, -EEXIST, "another kind", "ip link del"},
        {WRN_START_TUN_ADOPT, -EBADF, "WG_TUN_FD", "TUNSETIFF"},
        {WRN_START_TUN_ADOPT, -EPROTOTYPE, "WG_TUN_FD", "IFF_NO_PI"},
        {WRN_START_SOCKET_OPEN, -EADDRINUSE, "already served", "another name"},
        {WRN_START_SOCKET_OPEN, -EACCES, "no permission", "as root"},
        {WRN_START_SOCKET_ADOPT, -ENOTSOCK, "WG_UAPI_FD", "listening Unix socket"},
        {WRN_START_SOCKET_ADOPT, -EINVAL, "WG_UAPI_FD", "listening Unix socket"},
        {WRN_START_ENGINE, -ENOMEM, "not enough memory", "ulimit -v"},
        {WRN_START_ENGINE, -ENOTSUP, "libcrypto", "default provider"},
        {WRN_START_WATCH, -EMFILE, "inotify", "max_user_instances"},
        {WRN_START_ENGINE, -EIO, "starting the engine failed", "Input/output error"},
        {WRN_START_TUN_CREATE, -ENFILE, "making the interface failed", "Too many open files"},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        char text[WRN_EXPLAIN_SIZE];
        wrn_explain_start(cases[i].step, cases[i].error, "fifteen-chars-x", text);
        const char *parts[] = {"fifteen-chars-x", cases[i].cause, cases[i].cure};
        for (size_t k = 0; k < WRN_COUNT(parts); k++) {
            if (strstr(text, parts[k]) == NULL) {
                fail_msg("\"%s\" is missing in \"%s\"", parts[k], text);
            }
        }
        assert_null(strchr(text, '\n'));
        assert_null(strstr(text, "%s"));
        assert_true(strlen(text) < WRN_EXPLAIN_SIZE - 1); /* nothing was cut */
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {cmocka_unit_test(sentences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
