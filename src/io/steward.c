/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers are single packets on a pair of sockets. Each program has a minder, a
 * process that waits for its end and for ours, so that the steward itself has nothing to remember.
 */
#define _GNU_SOURCE /* setns, close_range, setresuid, _Fork */
#include "io/steward.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "io/cleanup.h"

enum { FDS_MAX = 3, EXIT_LOST = 127, SIGNALS = 64, FIRST_FD = 3, KEPT_FD = 200 };
enum { DEATH_MS = 60000 }; /* how long a process may take to die: it has interfaces to give up */

enum request_kind { RUN, OPEN_TUN, LOOK_AT_SOCKET, REMOVE_SOCKET, OWE, SETTLE, FORGET };

/* A packet to the steward. */
struct request {
    enum request_kind kind;
    uint32_t count; /* of arguments */
    bool has_output, has_namespace;
    uint32_t size; /* bytes of 'text' */
    char text[WRN_STEWARD_TEXT_MAX];
};

/* A packet from it: 0 or more, or -errno. */
struct answer {
    int32_t status;
};

/* What the steward knows; of the one process that it is. */
static struct {
    const struct wrn_steward_options *options;
    int master; /* a pidfd of who asks; -1: unknown */
    int lock;   /* the folder that a successor locks, opened anew; -1: unknown */
    uint32_t debt_count;
    char debts[WRN_STEWARD_DEBTS_MAX][WRN_STEWARD_DEBT_SIZE];
} self;

static char search_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
static char language[] = "LC_ALL=C.UTF-8";
static char *environment_of_all[] = {search_path, language, NULL};
static const char *const folders[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                      "/usr/bin",        "/sbin",          "/bin"};

/* Our end of the connection; -1: there is no steward. One a process, as rights are. */
static int steward = -1;
static pid_t steward_process;

static _Noreturn void serve(int fd, const struct wrn_steward_options *options);
static void confine(const struct wrn_steward_options *options);
static _Noreturn void survive(void);
static int32_t owe(const struct request *request);
static int32_t settle(const struct request *request);
static uint32_t find_debt(const char *debt);
static void tell_debt(enum request_kind kind, const char *debt);
static void perform(int fd, const struct wrn_steward_options *options,
                    const struct request *request, int *fds, size_t fd_count);
static void respond(int fd, int32_t status, int handed);
static int32_t run(const struct wrn_steward_options *options, const struct request *request,
                   const int *fds);
static bool read_words(const struct request *request, const char **ret_args);
static int32_t start_minder(const struct wrn_steward_options *options,
                            const struct request *request, const int *fds);
static _Noreturn void mind(const struct wrn_steward_options *options, const struct request *request,
                           int input, int output, int channel);
static void keep_only(int *const fds[FDS_MAX]);
static _Noreturn void become(const struct wrn_steward_options *options, const char *const *args,
                             int input, int output, int complaints);
static void leave_folder(void);
static int become_user(const struct wrn_steward_options *options);
static void tell_end(int channel, int32_t status);
static int open_tun(int name_space, bool may_enter, int *ret_fd);
static bool is_our_socket(const struct wrn_steward_options *options);
static int ask(const struct request *request, const int *fds, size_t fd_count, int *ret_fd);
static int send_packet(int fd, const void *bytes, size_t size, const int *fds, size_t fd_count);
static ssize_t receive_packet(int fd, void *bytes, size_t size, int fds[FDS_MAX],
                              size_t *ret_fd_count);

int wrn_steward_start(const struct wrn_steward_options *options) {
    int ends[2];
    WRN_ASSERT(steward < 0);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return -errno;
    }
    pid_t child = fork();
    if (child < 0) {
        int error = -errno;
        (void)close(ends[0]);
        (void)close(ends[1]);
        return error;
    }
    if (child == 0) {
        serve(ends[1], options);
    }
    (void)close(ends[1]);
    steward = ends[0];
    steward_process = child;
    /* When it has let go of what we have open: a lock that it held after our end would keep the
     * next one out. */
    struct answer ready;
    int handed[FDS_MAX];
    size_t handed_count;
    if (receive_packet(steward, &ready, sizeof ready, handed, &handed_count) !=
        (ssize_t)sizeof ready) {
        wrn_steward_stop();
        return -EPIPE;
    }
    return 0;
}

void wrn_steward_stop(void) {
    if (steward >= 0) {
        tell_debt(FORGET, ""); /* what could not be taken back was said in the log */
        wrn_close_fd(&steward);
        while (waitpid(steward_process, NULL, 0) < 0 && errno == EINTR) {
        }
    }
}

void wrn_steward_owe(const char *debt) {
    tell_debt(OWE, debt);
}

void wrn_steward_settle(const char *debt) {
    tell_debt(SETTLE, debt);
}

int wrn_steward_run(const char *const *args, int input, int output, int *ret_channel) {
    struct request request = {.kind = RUN, .has_output = output >= 0};
    int channel[2];
    for (; args[request.count] != NULL; request.count++) {
        size_t size = strlen(args[request.count]) + 1;
        if (request.count >= WRN_STEWARD_ARGS_MAX || size > sizeof request.text - request.size) {
            return -E2BIG;
        }
        memcpy(request.text + request.size, args[request.count], size);
        request.size += (uint32_t)size;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0) {
        return -errno;
    }
    WRN_CLEANUP(wrn_close_fd) int ours = channel[0];
    WRN_CLEANUP(wrn_close_fd) int theirs = channel[1];
    const int fds[FDS_MAX] = {theirs, input, output};
    int error = steward >= 0 ? ask(&request, fds, output >= 0 ? 3 : 2, NULL)
                             : start_minder(NULL, &request, fds);
    if (error == 0) {
        *ret_channel = wrn_take_fd(&ours);
    }
    return error;
}

int wrn_steward_open_tun(int name_space, int *ret_fd) {
    struct request request = {.kind = OPEN_TUN, .has_namespace = name_space >= 0};
    int error = open_tun(name_space, true, ret_fd);
    bool is_refused = error == -EACCES || error == -EPERM;
    return is_refused && steward >= 0 ? ask(&request, &name_space, name_space >= 0, ret_fd) : error;
}

bool wrn_steward_has_socket(bool *ret_is_there) {
    struct request request = {.kind = LOOK_AT_SOCKET};
    if (steward >= 0) {
        *ret_is_there = ask(&request, NULL, 0, NULL) == 0;
    }
    return steward >= 0;
}

bool wrn_steward_remove_socket(void) {
    struct request request = {.kind = REMOVE_SOCKET};
    return steward >= 0 && ask(&request, NULL, 0, NULL) == 0;
}

bool wrn_steward_find(const char *name, char ret_path[WRN_STEWARD_PATH_SIZE]) {
    if (name[0] == '/') {
        int size = snprintf(ret_path, WRN_STEWARD_PATH_SIZE, "%s", name);
        return size < WRN_STEWARD_PATH_SIZE && access(ret_path, X_OK) == 0;
    }
    for (size_t i = 0; i < WRN_COUNT(folders); i++) {
        int size = snprintf(ret_path, WRN_STEWARD_PATH_SIZE, "%s/%s", folders[i], name);
        if (size < WRN_STEWARD_PATH_SIZE && access(ret_path, X_OK) == 0) {
            return true;
        }
    }
    return false;
}

/* Until the daemon has gone. Signals to our process group are the daemon's affair: it may need us
 * while it ends. */
static _Noreturn void serve(int fd, const struct wrn_steward_options *options) {
    static const int deaf_to[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
    struct request request;
    self.options = options;
    self.master = (int)syscall(SYS_pidfd_open, getppid(), 0);
    /* Opened anew: locks belong to whom a file was opened by, and this is not to be its lock. */
    self.lock = options->take_back == NULL
                    ? -1
                    : openat(options->lock_folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)prctl(PR_SET_NAME, "warren-steward");
    for (size_t i = 0; i < WRN_COUNT(deaf_to); i++) {
        (void)signal(deaf_to[i], SIG_IGN);
    }
    keep_only((int *const[FDS_MAX]){&fd, &self.master, &self.lock});
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; null >= 0 && i < FIRST_FD; i++) {
        (void)dup2(null, i);
    }
    leave_folder();
    confine(options);
    respond(fd, 0, -1); /* ready */
    for (;;) {
        int fds[FDS_MAX] = {-1, -1, -1};
        size_t fd_count = 0;
        ssize_t size = receive_packet(fd, &request, sizeof request, fds, &fd_count);
        if (size <= 0) {
            survive();
        }
        if ((size_t)size >= offsetof(struct request, text) &&
            request.size == (size_t)size - offsetof(struct request, text)) {
            perform(fd, options, &request, fds, fd_count);
        }
        for (size_t i = 0; i < fd_count; i++) {
            (void)close(fds[i]);
        }
    }
}

/* Who owed has gone. If nobody has taken its place soon, what it owed is taken back, the latest
 * first: the host is then as it was. Meanwhile, and for who comes at once, all stays as it is. */
static _Noreturn void survive(void) {
    struct pollfd death = {.fd = self.master, .events = POLLIN};
    if (self.debt_count == 0 || self.master < 0 || self.lock < 0) {
        _exit(0);
    }
    (void)poll(&death, 1, DEATH_MS); /* it holds the lock as long */
    (void)poll(NULL, 0, (int)self.options->grace_ms);
    if (flock(self.lock, LOCK_EX | LOCK_NB) == 0) {
        while (self.debt_count > 0) {
            self.options->take_back(self.options->ctx, self.debts[--self.debt_count]);
        }
    }
    _exit(0);
}

static int32_t owe(const struct request *request) {
    const char *args[WRN_STEWARD_ARGS_MAX + 1];
    if (self.options->take_back == NULL || !read_words(request, args) || args[1] != NULL ||
        request->size > WRN_STEWARD_DEBT_SIZE) {
        return -EINVAL;
    }
    if (find_debt(args[0]) < self.debt_count) {
        return 0;
    }
    if (self.debt_count == WRN_STEWARD_DEBTS_MAX) {
        return -ENOSPC;
    }
    memcpy(self.debts[self.debt_count++], request->text, request->size);
    return 0;
}

static int32_t settle(const struct request *request) {
    const char *args[WRN_STEWARD_ARGS_MAX + 1];
    uint32_t at = read_words(request, args) ? find_debt(args[0]) : self.debt_count;
    if (at < self.debt_count) { /* the order is kept */
        self.debt_count--;
        memmove(self.debts[at], self.debts[at + 1], (self.debt_count - at) * sizeof self.debts[0]);
    }
    return 0;
}

/* How many there are, if it is none of them. */
static uint32_t find_debt(const char *debt) {
    uint32_t at = 0;
    while (at < self.debt_count && strcmp(self.debts[at], debt) != 0) {
        at++;
    }
    return at;
}

static void tell_debt(enum request_kind kind, const char *debt) {
    struct request request = {.kind = kind, .count = 1, .size = (uint32_t)strlen(debt) + 1};
    if (steward >= 0 && request.size <= WRN_STEWARD_DEBT_SIZE) {
        memcpy(request.text, debt, request.size);
        int refused = ask(&request, NULL, 0, NULL);
        (void)refused; /* too many: the next start takes it back */
    }
}

/* Keeps what the requests take: other users' processes are killed, programs run as somebody else,
 * and those that are trusted may see and name what belongs to the network. */
static void confine(const struct wrn_steward_options *options) {
    static const unsigned needed[] = {CAP_SETUID, CAP_SETGID, CAP_KILL, CAP_NET_ADMIN};
    const capng_type_t sets = CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET;
    bool has[CAP_LAST_CAP + 1] = {false};
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
        has[i] = capng_have_capability(CAPNG_PERMITTED, i) != 0;
    }
    capng_clear(CAPNG_SELECT_ALL);
    for (size_t i = 0; i < WRN_COUNT(needed); i++) {
        if (has[needed[i]]) {
            (void)capng_update(CAPNG_ADD, sets, needed[i]);
        }
    }
    if (options->enters_namespaces && has[CAP_SYS_ADMIN]) {
        (void)capng_update(CAPNG_ADD, sets, CAP_SYS_ADMIN);
    }
    (void)capng_apply(has[CAP_SETPCAP] ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static void perform(int fd, const struct wrn_steward_options *options,
                    const struct request *request, int *fds, size_t fd_count) {
    int handed = -1;
    int32_t status = -EINVAL;
    switch (request->kind) {
    case RUN:
        if (fd_count == (size_t)(request->has_output ? 3 : 2)) {
            status = run(options, request, fds);
        }
        break;
    case OPEN_TUN:
        if (fd_count == (size_t)request->has_namespace) {
            status =
                open_tun(request->has_namespace ? fds[0] : -1, options->enters_namespaces, &handed);
        }
        break;
    case LOOK_AT_SOCKET:
        status = is_our_socket(options) ? 0 : -ENOENT;
        break;
    case REMOVE_SOCKET:
        status = !is_our_socket(options) ? -ENOENT : unlink(options->socket) == 0 ? 0 : -errno;
        break;
    case OWE:
        status = owe(request);
        break;
    case SETTLE:
        status = settle(request);
        break;
    case FORGET:
        self.debt_count = 0;
        status = 0;
        break;
    }
    respond(fd, status, handed);
    wrn_close_fd(&handed);
}

static void respond(int fd, int32_t status, int handed) {
    struct answer answer = {.status = status};
    (void)send_packet(fd, &answer, sizeof answer, &handed, handed >= 0);
}

/* Judges what is wished, and runs it. A program that is run as root gets a copy of the input that
 * was judged: the one that was handed to us may change. 'fds': channel, input, output. */
static int32_t run(const struct wrn_steward_options *options, const struct request *request,
                   const int *fds) {
    const char *args[WRN_STEWARD_ARGS_MAX + 1];
    uint8_t input[WRN_STEWARD_INPUT_MAX + 1];
    if (options->judge == NULL || !read_words(request, args)) {
        return -EPERM;
    }
    ssize_t size = pread(fds[1], input, sizeof input, 0);
    size = size < 0 ? 0 : size;
    enum wrn_steward_verdict verdict =
        options->judge(options->ctx, args, (wrn_span){input, (size_t)size});
    if (verdict == WRN_STEWARD_AS_USER) {
        return start_minder(options, request, fds);
    }
    if (verdict != WRN_STEWARD_AS_ROOT || size > WRN_STEWARD_INPUT_MAX) {
        return -EPERM;
    }
    WRN_CLEANUP(wrn_close_fd) int copy = memfd_create("input", MFD_CLOEXEC);
    if (copy < 0 || write(copy, input, (size_t)size) != size || lseek(copy, 0, SEEK_SET) != 0) {
        return -EIO;
    }
    const int judged[FDS_MAX] = {fds[0], copy, request->has_output ? fds[2] : -1};
    return start_minder(NULL, request, judged);
}

/* Makes a list of a request's words; false: it is none. */
static bool read_words(const struct request *request, const char **ret_args) {
    size_t at = 0;
    if (request->count == 0 || request->count > WRN_STEWARD_ARGS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < request->count; i++) {
        size_t size = strnlen(request->text + at, request->size - at) + 1;
        if (size > request->size - at) {
            return false;
        }
        ret_args[i] = request->text + at;
        at += size;
    }
    ret_args[request->count] = NULL;
    return at == request->size;
}

/* Two generations on, so that nobody of us has to wait for it. 'options': as whom it is run; NULL:
 * as who we are. 'fds' as above. Who has been forked already, and has one thread, forks without
 * what libraries do in a child: libuv closes what it had open by number, and the numbers are ours
 * since keep_only. */
static int32_t start_minder(const struct wrn_steward_options *options,
                            const struct request *request, const int *fds) {
    int status = 0;
    pid_t child = self.options != NULL ? _Fork() : fork();
    if (child < 0) {
        return -errno;
    }
    if (child == 0) {
        pid_t minder = _Fork();
        if (minder == 0) {
            mind(options, request, fds[1], request->has_output ? fds[2] : -1, fds[0]);
        }
        _exit(minder < 0);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EAGAIN;
}

/* Runs the program, tells its end, and kills it if it is to be killed. It is not waited for before
 * nobody can want its session killed any more: its number stays its own as long. */
static _Noreturn void mind(const struct wrn_steward_options *options, const struct request *request,
                           int input, int output, int channel) {
    const char *args[WRN_STEWARD_ARGS_MAX + 1];
    int complaints[2];
    int32_t failed = 0;
    char byte;
    if (!read_words(request, args)) {
        _exit(EXIT_LOST);
    }
    keep_only((int *const[FDS_MAX]){&input, &output, &channel});
    (void)signal(SIGPIPE, SIG_IGN);
    pid_t child = pipe2(complaints, O_CLOEXEC) != 0 ? -1 : _Fork();
    if (child == 0) {
        become(options, args, input, output, complaints[1]);
    }
    (void)close(input);
    if (output >= 0) {
        (void)close(output); /* who reads there waits for the program's end, not for ours */
    }
    if (child < 0) {
        tell_end(channel, -EAGAIN);
        _exit(0);
    }
    (void)close(complaints[1]);
    bool has_failed = read(complaints[0], &failed, sizeof failed) == sizeof failed;
    struct pollfd wanted[2] = {{.fd = channel, .events = POLLIN},
                               {.fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN}};
    while (wanted[0].fd >= 0) {
        if (poll(wanted, WRN_COUNT(wanted), -1) < 0) {
            continue;
        }
        if (wanted[1].revents != 0) {
            siginfo_t end = {0};
            (void)waitid(P_PID, (id_t)child, &end, WEXITED | WNOWAIT);
            int32_t status =
                end.si_code == CLD_EXITED ? end.si_status : WRN_STEWARD_SIGNAL_BASE + end.si_status;
            tell_end(channel, has_failed ? failed : status);
            wanted[1].fd = -1;
        }
        if (wanted[0].revents != 0) {
            bool is_told = read(channel, &byte, 1) == 1;
            if (is_told || wanted[1].fd >= 0) {
                (void)kill(-child, SIGKILL);
                (void)kill(child, SIGKILL); /* if it leads no session yet */
            }
            wanted[0].fd = is_told ? channel : -1;
        }
    }
    _exit(0);
}

/* Closes all but these: a pipe whose other end stays open here would never be at its end. */
static void keep_only(int *const fds[FDS_MAX]) {
    int next = FIRST_FD;
    for (size_t i = 0; i < FDS_MAX; i++) { /* out of the way of each other */
        *fds[i] = *fds[i] < 0 ? -1 : fcntl(*fds[i], F_DUPFD_CLOEXEC, KEPT_FD);
    }
    for (size_t i = 0; i < FDS_MAX; i++) {
        if (*fds[i] >= 0) {
            *fds[i] = dup3(*fds[i], next++, O_CLOEXEC);
        }
    }
    (void)close_range((unsigned)next, ~0u, 0);
}

/* Turns into the program. Only our three descriptors go with it. */
static _Noreturn void become(const struct wrn_steward_options *options, const char *const *args,
                             int input, int output, int complaints) {
    char path[WRN_STEWARD_PATH_SIZE];
    sigset_t none;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)setsid();
    int error = wrn_steward_find(args[0], path) ? 0 : ENOENT;
    if (error == 0 && options != NULL) {
        error = become_user(options);
    }
    for (int i = 1; i <= SIGNALS; i++) {
        (void)signal(i, SIG_DFL);
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    leave_folder();
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (error == 0 && dup2(input, 0) == 0 && dup2(output >= 0 ? output : null, 1) == 1 &&
        dup2(null, 2) == 2) {
        (void)close_range(FIRST_FD, ~0u, CLOSE_RANGE_CLOEXEC);
        (void)execve(path, (char *const *)(uintptr_t)args, environment_of_all);
    }
    error = error != 0 ? error : errno;
    int32_t told = -error;
    ssize_t written = write(complaints, &told, sizeof told);
    _exit(written == sizeof told ? 0 : EXIT_LOST);
}

/* So that no file system is kept busy. */
static void leave_folder(void) {
    int failed = chdir("/");
    (void)failed;
}

/* One who stays root has no capability either: nothing that is run gets any back. */
static int become_user(const struct wrn_steward_options *options) {
    bool is_other = options->uid != geteuid();
    if (is_other &&
        (setgroups(0, NULL) != 0 || setresgid(options->gid, options->gid, options->gid) != 0 ||
         setresuid(options->uid, options->uid, options->uid) != 0)) {
        return errno;
    }
    capng_setpid((int)getpid()); /* it remembers for whom it was asked last: see start_minder */
    capng_clear(CAPNG_SELECT_CAPS);
    return capng_apply(CAPNG_SELECT_CAPS) == 0 ? 0 : EPERM;
}

static void tell_end(int channel, int32_t status) {
    ssize_t sent = send(channel, &status, sizeof status, MSG_NOSIGNAL);
    (void)sent; /* nobody wants to know any more */
}

/* The namespace of the process that opens it is where the device will be made. */
static int open_tun(int name_space, bool may_enter, int *ret_fd) {
    WRN_CLEANUP(wrn_close_fd) int here = -1;
    if (name_space >= 0) {
        here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (here < 0 || !may_enter || setns(name_space, CLONE_NEWNET) != 0) {
            return here < 0 ? -errno : -EPERM;
        }
    }
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    int error = fd < 0 ? -errno : 0;
    if (here >= 0) {
        /* where we came from, we are let in again */
        WRN_ASSERT(setns(here, CLONE_NEWNET) == 0);
    }
    *ret_fd = fd;
    return error;
}

static bool is_our_socket(const struct wrn_steward_options *options) {
    struct stat now;
    return options->socket[0] != '\0' && lstat(options->socket, &now) == 0 &&
           now.st_dev == options->socket_device && now.st_ino == options->socket_inode;
}

/* Sends a request and waits for the answer, which comes at once. */
static int ask(const struct request *request, const int *fds, size_t fd_count, int *ret_fd) {
    struct answer answer = {.status = -EPIPE};
    int handed[FDS_MAX] = {-1, -1, -1};
    size_t handed_count = 0;
    size_t size = offsetof(struct request, text) + request->size;
    int error = send_packet(steward, request, size, fds, fd_count);
    if (error != 0) {
        return error;
    }
    ssize_t got = receive_packet(steward, &answer, sizeof answer, handed, &handed_count);
    if (got != (ssize_t)sizeof answer) {
        answer.status = -EPIPE;
    }
    for (size_t i = 0; i < handed_count; i++) {
        if (ret_fd != NULL && i == 0 && answer.status == 0) {
            *ret_fd = handed[0];
        } else {
            (void)close(handed[i]);
        }
    }
    return answer.status;
}

static int send_packet(int fd, const void *bytes, size_t size, const int *fds, size_t fd_count) {
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control = {.room = {0}};
    struct iovec vector = {(void *)(uintptr_t)bytes, size};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (fd_count > 0) {
        message.msg_control = control.room;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(&control.head), fds, fd_count * sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)size ? 0 : sent < 0 ? -errno : -EIO;
}

/* Returns the packet's size, 0: the other end has gone. Descriptors are the caller's. */
static ssize_t receive_packet(int fd, void *bytes, size_t size, int fds[FDS_MAX],
                              size_t *ret_fd_count) {
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    struct iovec vector = {bytes, size};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    ssize_t got;
    *ret_fd_count = 0;
    do {
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    struct cmsghdr *head = got < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
        *ret_fd_count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(head), *ret_fd_count * sizeof(int));
    }
    return got;
}
