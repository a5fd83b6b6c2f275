/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets in /var/run/wireguard, where wg(8) looks for them. Keeps no state. */
#define _GNU_SOURCE /* accept4, SOCK_NONBLOCK */
#include "io/uapi_socket.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "io/cleanup.h"
#include "io/steward.h"

#define SOCKET_FOLDER "/var/run/wireguard"
#define LOCK_PATH     SOCKET_FOLDER "/.warren-wg.lock"

enum { BACKLOG = 256 };

static int lock_folder(int *ret_fd);
static void unlock_folder(int *fd);
static int bind_at(int fd, const struct sockaddr_un *address);
static bool is_served(const struct sockaddr_un *address);
static bool remember_file(struct wrn_uapi_socket *socket);

void wrn_uapi_socket_path(const char *name, char ret_path[WRN_UAPI_PATH_MAX]) {
    (void)snprintf(ret_path, WRN_UAPI_PATH_MAX, SOCKET_FOLDER "/%.15s.sock", name);
}

int wrn_uapi_socket_open(const char *name, struct wrn_uapi_socket *ret_socket) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct wrn_uapi_socket made = WRN_UAPI_SOCKET_NONE;
    WRN_CLEANUP(unlock_folder) int folder = -1;
    WRN_CLEANUP(wrn_close_fd) int fd = -1;

    static_assert(sizeof address.sun_path == WRN_UAPI_PATH_MAX, "paths fit");
    wrn_uapi_socket_path(name, made.path);
    memcpy(address.sun_path, made.path, sizeof address.sun_path);
    /* Two that start at once must not both find the other's fresh file stale. */
    int error = lock_folder(&folder);
    if (error != 0) {
        return error;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    error = bind_at(fd, &address);
    if (error == -EADDRINUSE && !is_served(&address)) {
        if (unlink(address.sun_path) < 0 && errno != ENOENT) {
            return -errno;
        }
        error = bind_at(fd, &address);
    }
    if (error != 0) {
        return error;
    }
    if (listen(fd, BACKLOG) < 0 || !remember_file(&made)) {
        error = -errno;
        (void)unlink(address.sun_path);
        wrn_close_fd(&made.file);
        return error;
    }
    made.fd = wrn_take_fd(&fd);
    *ret_socket = made;
    return 0;
}

int wrn_uapi_socket_adopt(int given_fd, struct wrn_uapi_socket *ret_socket) {
    struct wrn_uapi_socket adopted = WRN_UAPI_SOCKET_NONE;
    struct sockaddr_un address = {0};
    socklen_t size = sizeof address;
    int listening = 0;
    socklen_t listening_size = sizeof listening;
    WRN_CLEANUP(wrn_close_fd) int fd = given_fd;

    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_size) < 0) {
        return -errno;
    }
    if (address.sun_family != AF_UNIX || listening == 0) {
        return -EINVAL;
    }
    int status = fcntl(fd, F_GETFL);
    if (status < 0 || fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        return -errno;
    }
    if (address.sun_path[0] ==
        '/') { /* an abstract or relative name has no file that we could watch */
        (void)snprintf(adopted.path, sizeof adopted.path, "%.*s", (int)sizeof address.sun_path - 1,
                       address.sun_path);
        if (!remember_file(&adopted)) {
            return -errno;
        }
    }
    adopted.fd = wrn_take_fd(&fd);
    *ret_socket = adopted;
    return 0;
}

void wrn_uapi_socket_give(const struct wrn_uapi_socket *socket, uid_t uid) {
    int failed = socket->file >= 0 ? fchownat(socket->file, "", uid, (gid_t)-1, AT_EMPTY_PATH) : 0;
    (void)failed;
}

void wrn_uapi_socket_watched_path(const struct wrn_uapi_socket *socket,
                                  char ret_path[WRN_UAPI_PATH_MAX]) {
    if (access(socket->path, F_OK) == 0 || errno != EACCES) {
        (void)snprintf(ret_path, WRN_UAPI_PATH_MAX, "%s", socket->path);
    } else {
        (void)snprintf(ret_path, WRN_UAPI_PATH_MAX, "/proc/self/fd/%d", socket->file);
    }
}

bool wrn_uapi_socket_is_there(const struct wrn_uapi_socket *socket) {
    struct stat now;
    bool is_there = false;
    if (socket->path[0] == '\0') {
        return true;
    }
    if (lstat(socket->path, &now) == 0) {
        return now.st_dev == socket->device && now.st_ino == socket->inode;
    }
    return errno == EACCES && wrn_steward_has_socket(&is_there) && is_there;
}

void wrn_uapi_socket_close(struct wrn_uapi_socket *socket) {
    if (socket->fd < 0) {
        return;
    }
    wrn_close_fd(&socket->file);
    if (socket->path[0] != '\0' && wrn_uapi_socket_is_there(socket) && unlink(socket->path) != 0 &&
        errno == EACCES) {
        (void)wrn_steward_remove_socket();
    }
    wrn_close_fd(&socket->fd);
}

int wrn_uapi_socket_connect(const char *name, int *ret_fd) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    wrn_uapi_socket_path(name, address.sun_path);
    WRN_CLEANUP(wrn_close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        return -errno;
    }
    *ret_fd = wrn_take_fd(&fd);
    return 0;
}

/* Makes the folder if it is missing and locks a file in it that only we may open: a lock on the
 * folder itself could be held by anybody who may read it. Gone after use, so after waiting one must
 * look whether the file is still the one at that name. */
static int lock_folder(int *ret_fd) {
    if (mkdir(SOCKET_FOLDER, S_IRWXU) < 0 && errno != EEXIST) {
        return -errno;
    }
    for (;;) {
        struct stat file;
        WRN_CLEANUP(wrn_close_fd)
        int fd = open(LOCK_PATH, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
        if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &file) < 0) {
            return -errno;
        }
        if (file.st_nlink > 0) {
            *ret_fd = wrn_take_fd(&fd);
            return 0;
        }
    }
}

static void unlock_folder(int *fd) {
    if (*fd >= 0) {
        (void)unlink(LOCK_PATH);
        wrn_close_fd(fd);
    }
}

/* Binds with the mode 0600 from the first moment on. */
static int bind_at(int fd, const struct sockaddr_un *address) {
    mode_t before = umask(S_IXUSR | S_IRWXG | S_IRWXO);
    int error = bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? -errno : 0;
    (void)umask(before);
    return error;
}

/* Tells whether somebody listens at 'address'. A full queue (EAGAIN) is somebody; what we may
 * not touch is left alone. */
static bool is_served(const struct sockaddr_un *address) {
    WRN_CLEANUP(wrn_close_fd)
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) == 0) {
        return true;
    }
    return errno != ECONNREFUSED && errno != ENOENT;
}

/* Notes which file stands at the socket's path. */
static bool remember_file(struct wrn_uapi_socket *socket) {
    struct stat now;
    WRN_CLEANUP(wrn_close_fd) int file = open(socket->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0 || fstat(file, &now) < 0) {
        return false;
    }
    socket->file = wrn_take_fd(&file);
    socket->device = now.st_dev;
    socket->inode = now.st_ino;
    return true;
}
