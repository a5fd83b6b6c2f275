/* SPDX-License-Identifier: Apache-2.0 */
/* One request, one answer, one connection. */
#include "device/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "crypto/crypto.h"
#include "io/cleanup.h"
#include "io/uapi_socket.h"

enum { ROOM_FIRST = 16 << 10, ANSWER_MAX = 256 << 20, PATIENCE_S = 5 };

static int send_all(int fd, const char *bytes, size_t size);
static int receive_answer(int fd, char **ret_answer);
static int grow(char **answer, size_t used, size_t *room);

int wrn_client_ask(const char *interface, const char *request, char **ret_answer) {
    struct timeval patience = {.tv_sec = PATIENCE_S};
    WRN_CLEANUP(wrn_close_fd) int fd = -1;
    int error = wrn_uapi_socket_connect(interface, &fd);
    if (error != 0) {
        return error == -ECONNREFUSED ? -ENOENT : error;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    error = send_all(fd, request, strlen(request));
    return error != 0 ? error : receive_answer(fd, ret_answer);
}

void wrn_client_free(char **answer) {
    if (*answer != NULL) {
        wrn_wipe(*answer, strlen(*answer));
        free(*answer);
        *answer = NULL;
    }
}

int wrn_client_errno(const char *answer) {
    const char *at = strncmp(answer, "errno=", 6) == 0 ? answer : strstr(answer, "\nerrno=");
    if (at == NULL) {
        return -EPROTO;
    }
    long number = strtol(strchr(at, '=') + 1, NULL, 10);
    return number > 0 ? (int)-number : (int)number; /* some write it without the sign */
}

const char *wrn_client_next_line(char **answer, const char **ret_value) {
    for (;;) {
        char *line = *answer;
        if (*line == '\0') {
            return NULL;
        }
        size_t length = strcspn(line, "\n");
        *answer = line + length + (line[length] != '\0');
        line[length] = '\0';
        char *equals = strchr(line, '=');
        if (equals != NULL) {
            *equals = '\0';
            *ret_value = equals + 1;
            return line;
        }
    }
}

void wrn_client_complain(const char *interface, int error) {
    const char *why = error == -ENOENT ? "no program serves it; start one with `warren-wg` first"
                      : error == -EACCES || error == -EPERM
                          ? "its socket may not be opened; run this as root"
                      : error == -EPROTO ? "the program behind it is not warren-wg, or an older one"
                      : error == -EMSGSIZE ? "the answer is too long to make sense"
                                           : strerror(-error);
    (void)fprintf(stderr, "warren-wg: cannot ask interface %s: %s\n", interface, why);
}

static int send_all(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t put = send(fd, bytes, size, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return errno == EPIPE ? -EPROTO : errno == EAGAIN ? -ETIMEDOUT : -errno;
        }
        bytes += put;
        size -= (size_t)put;
    }
    return 0;
}

/* Reads up to the empty line that ends an answer. */
static int receive_answer(int fd, char **ret_answer) {
    WRN_CLEANUP(wrn_client_free) char *answer = NULL;
    size_t room = 0;
    size_t used = 0;
    for (;;) {
        int error = used + 1 >= room ? grow(&answer, used, &room) : 0;
        if (error != 0) {
            return error;
        }
        ssize_t got = recv(fd, answer + used, room - 1 - used, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return errno == EAGAIN ? -ETIMEDOUT : errno == ECONNRESET ? -EPROTO : -errno;
        }
        if (got == 0) { /* what other implementations do with a request that they do not know */
            return -EPROTO;
        }
        used += (size_t)got;
        answer[used] = '\0';
        if (used >= 2 && memcmp(answer + used - 2, "\n\n", 2) == 0) {
            *ret_answer = answer;
            answer = NULL;
            return 0;
        }
    }
}

/* Doubles the room. What moves leaves no copy behind: it may be keys. */
static int grow(char **answer, size_t used, size_t *room) {
    size_t wanted = *room == 0 ? ROOM_FIRST : 2 * *room;
    if (wanted > ANSWER_MAX) {
        return -EMSGSIZE;
    }
    char *larger = malloc(wanted);
    if (larger == NULL) {
        return -ENOMEM;
    }
    if (used > 0) {
        memcpy(larger, *answer, used);
    }
    larger[used] = '\0';
    wrn_client_free(answer);
    *answer = larger;
    *room = wanted;
    return 0;
}
