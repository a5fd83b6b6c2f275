/* SPDX-License-Identifier: Apache-2.0 */
/* Client of the `stats` operation. */
#include "device/drops.h"

#include <sys/socket.h>
#include <sys/time.h>

#include "io/cleanup.h"
#include "io/uapi_socket.h"

enum { ANSWER_MAX = 8192, PATIENCE_S = 5 };

#define PREFIX "drop_"

static int ask(int fd, char *answer, size_t size);

int wrn_drops_show(const char *interface, bool all, FILE *out) {
    char answer[ANSWER_MAX] = "";
    WRN_CLEANUP(wrn_close_fd) int fd = -1;
    int error = wrn_uapi_socket_connect(interface, &fd);
    if (error != 0) {
        return error == -ECONNREFUSED ? -ENOENT : error;
    }
    error = ask(fd, answer, sizeof answer);
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

/* Sends the request and reads the whole answer, terminated. */
static int ask(int fd, char *answer, size_t size) {
    static const char request[] = "stats=1\n\n";
    struct timeval patience = {.tv_sec = PATIENCE_S};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof request - 1)) {
        return errno == EPIPE ? -EPROTO : -errno;
    }
    size_t used = 0;
    while (used < size - 1) {
        ssize_t got = recv(fd, answer + used, size - 1 - used, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        }
        if (got == 0) { /* what other implementations do with a request that they do not know */
            return -EPROTO;
        }
        used += (size_t)got;
        answer[used] = '\0';
        if (strstr(answer, "\n\n") != NULL) {
            return 0;
        }
    }
    return -EPROTO;
}
