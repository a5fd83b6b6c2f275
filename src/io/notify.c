/* SPDX-License-Identifier: Apache-2.0 */
/* A socket for each datagram: few are sent. */
#include "io/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "io/cleanup.h"

enum { BASE = 10 };

static uint64_t read_number(const char *name);

void wrn_notify_open(struct wrn_notify *ret_notify) {
    struct wrn_notify notify = {0};
    const char *path = getenv("NOTIFY_SOCKET");
    size_t size = path != NULL ? strlen(path) : 0;
    if (size > 1 && size < sizeof notify.path && (path[0] == '/' || path[0] == '@')) {
        memcpy(notify.path, path, size + 1);
        const char *whose = getenv("WATCHDOG_PID");
        bool is_ours = whose == NULL || read_number("WATCHDOG_PID") == (uint64_t)getpid();
        notify.watchdog_usec = is_ours ? read_number("WATCHDOG_USEC") : 0;
    }
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
    *ret_notify = notify;
}

int wrn_notify_tell(const struct wrn_notify *notify, const char *state) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(notify->path);
    if (size == 0) {
        return 0;
    }
    static_assert(sizeof notify->path == sizeof address.sun_path, "paths fit");
    memcpy(address.sun_path, notify->path, size);
    if (address.sun_path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    WRN_CLEANUP(wrn_close_fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                          (const struct sockaddr *)&address, length);
    return sent < 0 ? -errno : 0;
}

/* 0: it says nothing that could be used. */
static uint64_t read_number(const char *name) {
    const char *text = getenv(name);
    char *end = NULL;
    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return 0;
    }
    errno = 0;
    unsigned long long number = strtoull(text, &end, BASE);
    return *end == '\0' && errno == 0 ? number : 0;
}
