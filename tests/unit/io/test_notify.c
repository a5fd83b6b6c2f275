/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a service manager is told by the socket that it named, and nobody else learns of it.
 * Method: a socket of our own, by path and by an abstract name. */
#include "io/notify.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "unit/base/check.h"

enum { TEXT_SIZE = 64, ABSTRACT_ROOM = 6 };

static char folder[] = "/tmp/warren-notify-XXXXXX";

static void tell(const char *name, const struct sockaddr_un *address, socklen_t size) {
    struct wrn_notify notify;
    char text[TEXT_SIZE] = "";
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)address, size), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    assert_int_equal(setenv("WATCHDOG_USEC", "3000000", 1), 0);
    wrn_notify_open(&notify);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    assert_true(notify.watchdog_usec == 3000000);
    assert_int_equal(wrn_notify_tell(&notify, "READY=1"), 0);
    assert_int_equal(recv(fd, text, sizeof text - 1, MSG_DONTWAIT), 7);
    assert_string_equal(text, "READY=1");
    (void)close(fd);
    assert_true(wrn_notify_tell(&notify, "READY=1") < 0);
}

static void by_path_and_by_abstract_name(void **state) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[sizeof address.sun_path];
    (void)state;
    (void)snprintf(name, sizeof name, "%s/socket", folder);
    memcpy(address.sun_path, name, sizeof name);
    tell(name, &address, sizeof address);
    (void)unlink(name);
    int size = snprintf(name, sizeof name, "@warren-%d", getpid());
    address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address.sun_path + 1, name + 1, (size_t)size - 1);
    tell(name, &address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)size));
}

static void without_a_manager_nothing_is_told(void **state) {
    static const char *const bad[] = {"", "@", "relative/path", "vsock:2:1234"};
    struct wrn_notify notify;
    (void)state;
    wrn_notify_open(&notify);
    assert_int_equal(wrn_notify_tell(&notify, "READY=1"), 0);
    for (size_t i = 0; i < WRN_COUNT(bad); i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", bad[i], 1), 0);
        wrn_notify_open(&notify);
        CHECK(notify.path[0] == '\0', "%s\n", bad[i]);
    }
}

static void a_watchdog_of_somebody_else_is_left_alone(void **state) {
    struct wrn_notify notify;
    (void)state;
    assert_int_equal(setenv("NOTIFY_SOCKET", "/nowhere", 1), 0);
    assert_int_equal(setenv("WATCHDOG_USEC", "3000000", 1), 0);
    assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0);
    wrn_notify_open(&notify);
    assert_true(notify.watchdog_usec == 0);
}

static int begin(void **state) {
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int end(void **state) {
    (void)state;
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_path_and_by_abstract_name),
        cmocka_unit_test(without_a_manager_nothing_is_told),
        cmocka_unit_test(a_watchdog_of_somebody_else_is_left_alone),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
