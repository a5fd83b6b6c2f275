/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is owed is taken back when who owed it was killed, the latest first, unless somebody
 * else has taken its place or it ended in good order. Method: a process that owes and ends, for
 * each case; its steward is inherited and waited for. And programs have what they were given. */
#define _GNU_SOURCE /* pipe2 */
#include "io/steward.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/base/check.h"

enum { TEXT_SIZE = 256, NO_STEWARD = 77, HELD = 4 };

static char taken_back[] = "/tmp/warren-test-XXXXXX"; /* a file: the steward has no pipe of ours */

static void note(void *ctx, const char *debt) {
    int fd = open(ctx, O_WRONLY | O_APPEND | O_CLOEXEC);
    ssize_t written = write(fd, debt, strlen(debt));
    written = written < 0 ? written : write(fd, ";", 1);
    (void)written;
    (void)close(fd);
}

static _Noreturn void live(int lock_folder, bool is_killed) {
    struct wrn_steward_options options = {.take_back = note,
                                          .ctx = taken_back,
                                          .lock_folder = lock_folder,
                                          .grace_ms = 1,
                                          .uid = geteuid(),
                                          .gid = getegid()};
    char too_long[2 * WRN_STEWARD_DEBT_SIZE] = "";
    memset(too_long, 'x', sizeof too_long - 1);
    if (wrn_steward_start(&options) != 0) {
        _exit(NO_STEWARD);
    }
    wrn_steward_owe("one");
    wrn_steward_owe("two");
    wrn_steward_owe("three 3");
    wrn_steward_owe("one"); /* already */
    wrn_steward_owe(too_long);
    wrn_steward_settle("two");
    wrn_steward_settle("never owed");
    if (is_killed) {
        (void)raise(SIGKILL);
    }
    wrn_steward_stop();
    _exit(0);
}

/* Returns what was taken back, static, when process and steward are gone. */
static const char *after(bool is_killed, bool has_successor) {
    static char text[TEXT_SIZE];
    int status = 0;
    int own = mkstemp(taken_back);
    assert_true(own >= 0);
    char lock_path[] = "/tmp/warren-test-XXXXXX";
    assert_non_null(mkdtemp(lock_path));
    int lock_folder = open(lock_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(lock_folder >= 0);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    if (has_successor) { /* a lock that is opened anew is another one's */
        assert_int_equal(flock(lock_folder, LOCK_EX | LOCK_NB), 0);
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        live(lock_folder, is_killed);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(is_killed ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                          : WIFEXITED(status) && WEXITSTATUS(status) == 0);
    while (waitpid(-1, NULL, 0) > 0) {
    }
    ssize_t size = read(own, text, sizeof text - 1);
    assert_true(size >= 0);
    text[size] = '\0';
    (void)close(own);
    (void)close(lock_folder);
    assert_int_equal(unlink(taken_back), 0);
    assert_int_equal(rmdir(lock_path), 0);
    memcpy(taken_back + sizeof taken_back - sizeof "XXXXXX", "XXXXXX", sizeof "XXXXXX");
    return text;
}

static void who_is_killed_owes(void **state) {
    (void)state;
    assert_string_equal(after(true, false), "three 3;one;");
}

static void a_successor_takes_over(void **state) {
    (void)state;
    assert_string_equal(after(true, true), "");
}

static void a_good_end_leaves_nothing(void **state) {
    (void)state;
    assert_string_equal(after(false, false), "");
}

/* There is none: nothing is done, and nothing happens. */
static void without_a_steward_nothing_is_owed(void **state) {
    (void)state;
    wrn_steward_owe("one");
    wrn_steward_settle("one");
}

/* ---- Programs */

static int held[HELD];

/* What libuv does in a child: closes by number what it had open, and opens it anew. */
static void open_anew(void) {
    for (size_t i = 0; i < HELD; i++) {
        (void)close(held[i]);
    }
    for (size_t i = 0; i < HELD; i++) {
        (void)open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
}

/* Whoever minds a program has its descriptors under the numbers that a library remembers. */
static void output_is_safe_from_libraries(void **state) {
    static const char *const args[] = {"/bin/echo", "all", "of", "it", NULL};
    char text[TEXT_SIZE] = "";
    int ends[2], channel = -1;
    int32_t status = -1;
    (void)state;
    for (size_t i = 0; i < HELD; i++) {
        held[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(held[i] >= 0);
    }
    assert_int_equal(pthread_atfork(NULL, NULL, open_anew), 0);
    int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(wrn_steward_run(args, input, ends[1], &channel), 0);
    (void)close(ends[1]);
    (void)close(input);
    ssize_t size = read(ends[0], text, sizeof text - 1);
    assert_int_equal(recv(channel, &status, sizeof status, MSG_WAITALL), sizeof status);
    assert_int_equal(status, 0);
    assert_string_equal(text, "all of it\n");
    assert_int_equal(size, strlen(text));
    (void)close(channel);
    (void)close(ends[0]);
    for (size_t i = 0; i < HELD; i++) {
        (void)close(held[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_killed_owes),
        cmocka_unit_test(a_successor_takes_over),
        cmocka_unit_test(a_good_end_leaves_nothing),
        cmocka_unit_test(without_a_steward_nothing_is_owed),
        cmocka_unit_test(output_is_safe_from_libraries), /* the last: its handler stays */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
