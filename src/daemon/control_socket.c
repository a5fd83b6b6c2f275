/* SPDX-License-Identifier: Apache-2.0 */
/* A Unix socket at a path, without following what others put there. */
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include "daemon/control_socket.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/cleanup.h"

enum { BACKLOG = 64, GROUP_BUFFER = 4096 };

static int make_folder(const char *path);
static int clear_path(const struct sockaddr_un *address);
static int bind_it(int fd, const struct sockaddr_un *address);
static int give_to_group(const char *path);

int wrn_control_socket_open(const char *path, struct wrn_control_socket *ret_socket) {
    WRN_CLEANUP(wrn_close_fd) int fd = -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address.sun_path) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, length + 1);
    int error = make_folder(path);
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
    error = give_to_group(path);
    if (error == 0 && (listen(fd, BACKLOG) < 0 || lstat(path, &status) < 0)) {
        error = -errno;
    }
    if (error != 0) {
        (void)unlink(path);
        return error;
    }
    *ret_socket = (struct wrn_control_socket){
        .fd = wrn_take_fd(&fd), .device = status.st_dev, .inode = status.st_ino};
    memcpy(ret_socket->path, path, length + 1);
    return 0;
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

/* Removes a socket that nobody serves any more. */
static int clear_path(const struct sockaddr_un *address) {
    struct stat status;
    WRN_CLEANUP(wrn_close_fd) int fd = -1;
    if (lstat(address->sun_path, &status) < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (!S_ISSOCK(status.st_mode)) {
        return -EEXIST;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN) {
        return -EADDRINUSE;
    }
    if (errno != ECONNREFUSED) {
        return -errno;
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

/* Members of the group may ask; without the group root alone. */
static int give_to_group(const char *path) {
    struct group entry;
    struct group *group = NULL;
    char buffer[GROUP_BUFFER];
    (void)getgrnam_r(WRN_CONTROL_GROUP, &entry, buffer, sizeof buffer, &group);
    if (group != NULL && chown(path, (uid_t)-1, group->gr_gid) < 0 && errno != EPERM) {
        return -errno;
    }
    return chmod(path, 0660) == 0 ? 0 : -errno;
}
