/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a system call that the daemons do not make ends the process, with the same filter that they
 * run with; what they do make goes on; and what was given up is gone. Method: a child process for
 * each case, which becomes what a daemon becomes. */
#define _GNU_SOURCE /* unshare, getresuid */
#include "io/privileges.h"

#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "unit/base/check.h"

enum { FINE = 0, NO_FILTER = 77, WRONG = 1, NOBODY = 65534 };

/* ---- what is forbidden: each of them must not come back ---- */

static void run_a_program(void) {
    static char name[] = "true";
    char *const args[] = {name, NULL};
    (void)execve("/bin/true", args, NULL);
}

static void fork_it(void) {
    (void)fork();
}

static void trace_another(void) {
    (void)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static void mount_something(void) {
    (void)mount("none", "/tmp", "tmpfs", 0, NULL);
}

static void enter_a_namespace(void) {
    (void)unshare(CLONE_NEWNS);
}

static void become_root(void) {
    (void)syscall(SYS_setuid, 0);
}

static void hear_all_frames(void) {
    (void)socket(AF_PACKET, SOCK_RAW, 0);
}

static void type_into_a_terminal(void) {
    (void)ioctl(STDIN_FILENO, TIOCSTI, "x");
}

static void allow_core_dumps(void) {
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void open_by_handle(void) {
    (void)syscall(SYS_open_by_handle_at, -1, NULL, 0);
}

static void make_a_ring(void) {
    (void)syscall(SYS_io_uring_setup, 1, NULL);
}

static const struct {
    const char *name;
    void (*call)(void);
} forbidden[] = {
    {"execve", run_a_program},
    {"fork", fork_it},
    {"ptrace", trace_another},
    {"mount", mount_something},
    {"unshare", enter_a_namespace},
    {"setuid", become_root},
    {"socket of packets", hear_all_frames},
    {"ioctl TIOCSTI", type_into_a_terminal},
    {"prctl dumpable", allow_core_dumps},
    {"open_by_handle_at", open_by_handle},
    {"io_uring_setup", make_a_ring},
};

static void *do_nothing(void *ctx) {
    return ctx;
}

/* What the daemons need, and gets checked here because it is restricted and not merely allowed. */
static int work_on(void) {
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    pthread_t thread;
    for (size_t i = 0; i < WRN_COUNT(families); i++) {
        int fd = socket(families[i], families[i] == AF_NETLINK ? SOCK_RAW : SOCK_DGRAM, 0);
        if (fd < 0 && errno != EAFNOSUPPORT) {
            return WRONG;
        }
        (void)close(fd);
    }
    if (pthread_create(&thread, NULL, do_nothing, NULL) != 0 || pthread_join(thread, NULL) != 0) {
        return WRONG;
    }
    wrn_privileges_give_up_thread();
    void *memory = malloc(1 << 20);
    int number = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    free(memory);
    return number >= 0 && close(number) == 0 ? FINE : WRONG;
}

/* Runs 'call' in a child behind the filter; returns the status of waitpid. */
static int behind_the_filter(void (*call)(void)) {
    int status = -1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        int error = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? wrn_privileges_filter() : -EPERM;
        if (error != 0) {
            _exit(error == -EOPNOTSUPP ? NO_FILTER : WRONG);
        }
        int code = FINE;
        if (call != NULL) {
            call();
        } else {
            code = work_on();
        }
        _exit(code);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTER) {
        skip(); /* a sanitizer's runtime */
    }
    return status;
}

static void a_forbidden_call_ends_the_process(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(forbidden); i++) {
        int status = behind_the_filter(forbidden[i].call);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: status %x\n",
              forbidden[i].name, (unsigned)status);
    }
}

static void what_is_needed_goes_on(void **state) {
    (void)state;
    int status = behind_the_filter(NULL);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == FINE, "status %x\n", (unsigned)status);
}

/* In a child: becomes user 65534 with two capabilities, and looks what is left. */
static int become_nobody(void) {
    static const unsigned needed[] = {CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, CAP_IPC_LOCK};
    char why[WRN_PRIVILEGES_WHY_SIZE];
    struct wrn_privileges who;
    struct wrn_privileges_state left;
    uid_t ids[3];
    if (wrn_privileges_find("65534", &who, why) != 0 || who.uid != NOBODY ||
        wrn_privileges_drop(&who, (gid_t)-1, needed, WRN_COUNT(needed), why) != 0) {
        return WRONG;
    }
    wrn_privileges_look(&left);
    uint64_t lock = UINT64_C(1) << CAP_IPC_LOCK;
    uint64_t wanted = lock | UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_NET_BIND_SERVICE;
    uint64_t kept = left.capabilities & lock;
    bool is_so = left.uid == NOBODY && left.gains_none && (left.capabilities & ~wanted) == 0 &&
                 prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 &&
                 getresuid(&ids[0], &ids[1], &ids[2]) == 0 && ids[0] == NOBODY &&
                 ids[1] == NOBODY && ids[2] == NOBODY && setuid(0) != 0 &&
                 open("/etc/shadow", O_RDONLY | O_CLOEXEC) < 0;
    wrn_privileges_give_up_thread();
    wrn_privileges_look(&left);
    return is_so && left.capabilities == kept ? FINE : WRONG;
}

static void what_is_given_up_is_gone(void **state) {
    int status = -1;
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(become_nobody());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == FINE, "status %x\n", (unsigned)status);
}

static void who_is_not_there_is_named(void **state) {
    char why[WRN_PRIVILEGES_WHY_SIZE];
    struct wrn_privileges who;
    (void)state;
    assert_int_equal(wrn_privileges_find("no-such-user", &who, why), -ENOENT);
    assert_non_null(strstr(why, "useradd"));
    assert_int_equal(wrn_privileges_find("4294967295", &who, why), -ENOENT);
    assert_int_equal(wrn_privileges_find("12x", &who, why), -ENOENT);
    assert_int_equal(wrn_privileges_find("", &who, why), 0); /* there or not */
}

static void it_is_told_in_words(void **state) {
    char text[WRN_PRIVILEGES_TEXT_SIZE];
    struct wrn_privileges_state all = {.uid = 0, .capabilities = UINT64_MAX};
    struct wrn_privileges_state few = {.uid = 4000000000u,
                                       .capabilities = UINT64_C(1) << CAP_NET_ADMIN,
                                       .gains_none = true,
                                       .is_filtered = true};
    (void)state;
    wrn_privileges_print(&few, text);
    assert_string_equal(text, "user 4000000000, capabilities net_admin, system calls filtered");
    wrn_privileges_print(&all, text); /* cut, not overrun */
    assert_int_equal(strncmp(text, "user root, capabilities chown ", 30), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forbidden_call_ends_the_process),
        cmocka_unit_test(what_is_needed_goes_on),
        cmocka_unit_test(what_is_given_up_is_gone),
        cmocka_unit_test(who_is_not_there_is_named),
        cmocka_unit_test(it_is_told_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
