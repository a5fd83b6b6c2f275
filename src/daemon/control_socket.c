/* SPDX-License-Identifier: Apache-2.0 */
/* A Unix socket at a path, without following what others put there. */
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include "daemon/control_socket.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/cleanup.h"

#define LOCK_SUFFIX        ".lock"
#define WRN_CONTROL_FOLDER "/run/warren"

enum {
    BACKLOG = 64,
    GROUP_BUFFER = 4096,
    LOCK_LOOKS = 150,
    LOOK_MS = 20,
    ANSWER_MS = 1000,
    GROUPS_MAX = 4096
};

#define GROUP_NUMBER_MAX (UINT32_MAX - 1) /* the last one is nobody's */

static int make_folder(const char *path);
static int take_lock(const struct sockaddr_un *address, int *ret_lock);
static int connect_to(const struct sockaddr_un *address);
static int clear_path(const struct sockaddr_un *address);
static int bind_it(int fd, const struct sockaddr_un *address);
static int give_to_group(const char *path, gid_t admins);
static gid_t group_of(gid_t admins);

int wrn_control_socket_open(const char *path, gid_t admins, struct wrn_control_socket *ret_socket) {
    WRN_CLEANUP(wrn_close_fd) int fd = -1, lock = -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address.sun_path) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, length + 1);
    int error = make_folder(path);
    error = error != 0 ? error : take_lock(&address, &lock);
    error = error != 0 ? error : clear_path(&address);
    if (error != 0) {
        return error;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    error = bind_it(fd, &address);
    if (error != 0) {
        return error;
    }
    error = give_to_group(path, admins);
    if (error == 0 && (listen(fd, BACKLOG) < 0 || lstat(path, &status) < 0)) {
        error = -errno;
    }
    if (error != 0) {
        (void)unlink(path);
        return error;
    }
    *ret_socket = (struct wrn_control_socket){
        .fd = wrn_take_fd(&fd),
        .lock = wrn_take_fd(&lock),
        .device = status.st_dev,
        .inode = status.st_ino,
    };
    memcpy(ret_socket->path, path, length + 1);
    return 0;
}

void wrn_control_socket_prepare(const char *path, gid_t admins, uid_t uid, gid_t *ret_group) {
    char beside[WRN_CONTROL_PATH_MAX + sizeof LOCK_SUFFIX];
    struct stat status;
    *ret_group = group_of(admins);
    size_t length = strlen(path);
    const char *slash = strrchr(path, '/');
    if (length >= WRN_CONTROL_PATH_MAX || slash == NULL || slash == path) {
        return;
    }
    memcpy(beside, path, (size_t)(slash - path));
    beside[slash - path] = '\0';
    bool is_ours = strcmp(beside, WRN_CONTROL_FOLDER) == 0 || access(beside, F_OK) != 0;
    if (make_folder(path) == 0 && is_ours) {
        WRN_CLEANUP(wrn_close_fd)
        int folder = open(beside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int failed = folder < 0 ? -1 : fchown(folder, uid, (gid_t)-1);
        (void)failed;
    }
    (void)snprintf(beside, sizeof beside, "%s" LOCK_SUFFIX, path);
    WRN_CLEANUP(wrn_close_fd)
    int lock = open(beside, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (lock >= 0 && fstat(lock, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1) {
        int failed = fchown(lock, uid, (gid_t)-1);
        (void)failed;
    }
}

void wrn_control_socket_close(struct wrn_control_socket *socket) {
    struct stat status;
    if (socket->fd < 0) {
        return;
    }
    if (lstat(socket->path, &status) == 0 && status.st_dev == socket->device &&
        status.st_ino == socket->inode) {
        (void)unlink(socket->path);
    }
    wrn_close_fd(&socket->fd);
    wrn_close_fd(&socket->lock); /* last: whoever gets it finds no socket of ours */
}

bool wrn_control_socket_group(const char *text, gid_t *ret_group) {
    struct group entry;
    struct group *group = NULL;
    char buffer[GROUP_BUFFER];
    uint32_t number = 0;
    if (getgrnam_r(text, &entry, buffer, sizeof buffer, &group) == 0 && group != NULL) {
        *ret_group = group->gr_gid;
        return true;
    }
    for (const char *c = text; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || number > GROUP_NUMBER_MAX / 10) {
            return false;
        }
        number = 10 * number + (uint32_t)(*c - '0');
    }
    *ret_group = number;
    return *text != '\0' && number <= GROUP_NUMBER_MAX;
}

struct ucred wrn_control_socket_peer(int fd) {
    struct ucred peer = {.uid = (uid_t)-1, .gid = WRN_CONTROL_NOBODY};
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return (struct ucred){.uid = (uid_t)-1, .gid = WRN_CONTROL_NOBODY};
    }
    return peer;
}

bool wrn_control_socket_is_admin(int fd, gid_t admins) {
    struct ucred peer = wrn_control_socket_peer(fd);
    gid_t groups[GROUPS_MAX];
    socklen_t size;
    if (peer.uid == (uid_t)-1) {
        return false;
    }
    if (peer.uid == 0 || peer.uid == geteuid()) {
        return true;
    }
    if (admins == WRN_CONTROL_NOBODY || peer.gid == admins) {
        return admins != WRN_CONTROL_NOBODY;
    }
    size = sizeof groups; /* the others that it is in; more than fit are an error */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0) {
        return false;
    }
    for (size_t i = 0; i < size / sizeof *groups; i++) {
        if (groups[i] == admins) {
            return true;
        }
    }
    return false;
}

bool wrn_control_socket_is_served(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path) {
        return false;
    }
    memcpy(address.sun_path, path, length + 1);
    return connect_to(&address) == 0;
}

/* Makes the folder that the file stands in. */
static int make_folder(const char *path) {
    char folder[WRN_CONTROL_PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) {
        return 0;
    }
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    if (mkdir(folder, 0755) < 0) {
        return errno == EEXIST ? 0 : -errno;
    }
    return chmod(folder, 0755) == 0 ? 0 : -errno; /* the umask may be narrower */
}

/* Between finding a socket dead and putting another one in its place somebody else may do the same,
 * so all of that is done under a lock, which lasts as long as the socket. It lies on a file of its
 * own that is never removed: a lock on a file without a name would keep nobody out. Who ends holds
 * it for some moments after its socket has gone deaf: that is waited for. */
static int take_lock(const struct sockaddr_un *address, int *ret_lock) {
    char path[sizeof address->sun_path + sizeof LOCK_SUFFIX];
    (void)snprintf(path, sizeof path, "%s" LOCK_SUFFIX, address->sun_path);
    WRN_CLEANUP(wrn_close_fd)
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -errno;
    }
    for (int look = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; look++) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return -errno;
        }
        if (look == LOCK_LOOKS || connect_to(address) == 0) {
            return -EADDRINUSE;
        }
        (void)poll(NULL, 0, LOOK_MS);
    }
    *ret_lock = wrn_take_fd(&fd);
    return 0;
}

/* Returns 0 if somebody listens there, or -errno. A process that is being killed listens until the
 * system comes to its files: it is told from one that lives by its hanging up on us. */
static int connect_to(const struct sockaddr_un *address) {
    static const char question[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n";
    WRN_CLEANUP(wrn_close_fd)
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    char byte;
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        return fd >= 0 && errno == EAGAIN ? 0 : -errno; /* EAGAIN: others wait to be heard */
    }
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    bool is_sent = send(fd, question, sizeof question - 1, MSG_NOSIGNAL) >= 0;
    bool is_silent = is_sent && poll(&answer, 1, ANSWER_MS) == 0;
    return is_silent || (is_sent && recv(fd, &byte, 1, 0) == 1) ? 0 : -ECONNREFUSED;
}

/* Removes a socket that nobody serves any more. */
static int clear_path(const struct sockaddr_un *address) {
    struct stat status;
    if (lstat(address->sun_path, &status) < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (!S_ISSOCK(status.st_mode)) {
        return -EEXIST;
    }
    int error = connect_to(address);
    if (error != -ECONNREFUSED) {
        return error == 0 ? -EADDRINUSE : error;
    }
    return unlink(address->sun_path) == 0 || errno == ENOENT ? 0 : -errno;
}

/* Closed to all others until it belongs to whom it shall. */
static int bind_it(int fd, const struct sockaddr_un *address) {
    mode_t mask = umask(0177);
    int failed = bind(fd, (const struct sockaddr *)address, sizeof *address);
    int error = failed == 0 ? 0 : -errno;
    (void)umask(mask);
    return error;
}

/* Members of the group may open it; without one root alone. */
static int give_to_group(const char *path, gid_t admins) {
    gid_t group = group_of(admins);
    if (group != WRN_CONTROL_NOBODY && chown(path, (uid_t)-1, group) < 0 && errno != EPERM) {
        return -errno;
    }
    return chmod(path, 0660) == 0 ? 0 : -errno;
}

static gid_t group_of(gid_t admins) {
    gid_t group = admins;
    return wrn_control_socket_group(WRN_CONTROL_GROUP, &group) ? group : admins;
}
