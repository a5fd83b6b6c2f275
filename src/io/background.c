/* SPDX-License-Identifier: Apache-2.0 */
/* fork, setsid, and a pipe that tells when to go. */
#define _GNU_SOURCE /* close_range, pipe2 */
#include "io/background.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEEP_MAX = 8, EXIT_FAILED = 1 };

static void __attribute__((noreturn)) wait_for_child(pid_t child, int ready_fd);
static void close_all_but(const int *keep, size_t count);
static void point_to_null(int fd, int flags);

int wrn_background_start(const int *keep, size_t count, int *ret_ready_fd) {
    int ends[2];
    int kept[KEEP_MAX];
    WRN_ASSERT(count < KEEP_MAX);
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return -errno;
    }
    pid_t child = fork();
    if (child < 0) {
        int error = -errno;
        (void)close(ends[0]);
        (void)close(ends[1]);
        return error;
    }
    if (child > 0) {
        (void)close(ends[1]);
        wait_for_child(child, ends[0]);
    }
    (void)setsid(); /* cannot fail: a fresh child leads no group */
    if (count > 0) {
        memcpy(kept, keep, count * sizeof *keep);
    }
    kept[count] = ends[1];
    close_all_but(kept, count + 1);
    point_to_null(STDIN_FILENO, O_RDONLY);
    *ret_ready_fd = ends[1];
    return 0;
}

void wrn_background_ready(int ready_fd, bool keep_stderr) {
    point_to_null(STDOUT_FILENO, O_WRONLY);
    if (!keep_stderr) {
        point_to_null(STDERR_FILENO, O_WRONLY);
    }
    int failed = chdir("/"); /* so that no file system is kept busy */
    (void)failed;
    char byte = 0;
    ssize_t written = write(ready_fd, &byte, 1);
    (void)written; /* if the parent was killed nobody waits */
    (void)close(ready_fd);
}

void wrn_background_occupy(void) {
    int fd;
    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void wait_for_child(pid_t child, int ready_fd) {
    char byte;
    ssize_t got;
    int status = 0;
    do {
        got = read(ready_fd, &byte, 1);
    } while (got < 0 && errno == EINTR);
    if (got == 1) {
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
        _exit(WEXITSTATUS(status)); /* the child has said why */
    }
    (void)fprintf(stderr, "%s: the background process ended before it was ready\n",
                  program_invocation_short_name);
    _exit(EXIT_FAILED);
}

/* Closes what we inherited beyond the standard descriptors: a lock, a pipe or a socket of whoever
 * called us would stay open for as long as the tunnel lives. */
static void close_all_but(const int *keep, size_t count) {
    unsigned from = STDERR_FILENO + 1;
    for (;;) {
        unsigned next = ~0u; /* the lowest one from 'from' on that stays */
        for (size_t i = 0; i < count; i++) {
            if (keep[i] >= 0 && (unsigned)keep[i] >= from && (unsigned)keep[i] < next) {
                next = (unsigned)keep[i];
            }
        }
        if (next > from) {
            (void)close_range(from, next - 1, 0);
        }
        if (next == ~0u) {
            return;
        }
        from = next + 1;
    }
}

static void point_to_null(int fd, int flags) {
    int null_fd = open("/dev/null", flags | O_CLOEXEC);
    if (null_fd >= 0) {
        (void)dup2(null_fd, fd);
        if (null_fd != fd) {
            (void)close(null_fd);
        }
    }
}
