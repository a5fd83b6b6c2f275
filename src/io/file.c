/* SPDX-License-Identifier: Apache-2.0 */
/* write beside, sync, rename, sync the folder. Keeps no state. */
#include "io/file.h"

#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "crypto/crypto.h"
#include "io/cleanup.h"

/* A path, taken apart. */
struct place {
    char folder[PATH_MAX];                  /* "." if the path has none */
    char name[WRN_FILE_NAME_MAX + 1];       /* in it */
    char beside[WRN_FILE_NAME_MAX + 1 + 8]; /* name of what is written first */
};

static int find_place(const char *path, struct place *ret_place);
static int open_beside(int folder, const struct place *place);
static int fill(int fd, mode_t mode, wrn_span bytes);
static int sync_folder(int folder);
static ssize_t read_some(int fd, uint8_t *buffer, size_t size);

int wrn_file_write(int folder, const char *path, mode_t mode, wrn_span bytes) {
    struct place place;
    int error = find_place(path, &place);
    if (error != 0) {
        return error;
    }
    WRN_CLEANUP(wrn_close_fd)
    int within = openat(folder, place.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (within < 0) {
        return -errno;
    }
    WRN_CLEANUP(wrn_close_fd) int fd = open_beside(within, &place);
    if (fd < 0) {
        return fd;
    }
    error = fill(fd, mode, bytes);
    if (error == 0 && renameat(within, place.beside, within, place.name) < 0) {
        error = -errno;
    }
    if (error != 0) {
        (void)unlinkat(within, place.beside, 0);
        return error;
    }
    return sync_folder(within);
}

int wrn_file_read(int folder, const char *path, uint8_t *buffer, size_t capacity,
                  size_t *ret_size) {
    struct stat facts;
    size_t size = 0;
    /* Without waiting for the other end, should it be a pipe. */
    WRN_CLEANUP(wrn_close_fd) int fd = openat(folder, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &facts) < 0) {
        return -errno;
    }
    if (!S_ISREG(facts.st_mode)) {
        return -EINVAL;
    }
    for (;;) {
        uint8_t more;
        ssize_t got = size < capacity ? read_some(fd, buffer + size, capacity - size)
                                      : read_some(fd, &more, 1);
        if (got == 0) {
            *ret_size = size;
            return 0;
        }
        if (got < 0 || size == capacity) {
            wrn_wipe(buffer, size);
            return got < 0 ? (int)got : -EFBIG;
        }
        size += (size_t)got;
    }
}

int wrn_file_remove(int folder, const char *path) {
    struct place place;
    int error = find_place(path, &place);
    if (error != 0) {
        return error;
    }
    WRN_CLEANUP(wrn_close_fd)
    int within = openat(folder, place.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (within < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (unlinkat(within, place.name, 0) < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    return sync_folder(within);
}

int wrn_file_open_folder(int folder, const char *path, mode_t mode, int *ret_folder) {
    bool is_new = mkdirat(folder, path, mode) == 0;
    if (!is_new && errno != EEXIST) {
        return -errno;
    }
    WRN_CLEANUP(wrn_close_fd)
    int fd = openat(folder, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    if (is_new) { /* whatever the umask is, and so that it is still there after a crash */
        WRN_CLEANUP(wrn_close_fd)
        int above = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fchmod(fd, mode) < 0) {
            return -errno;
        }
        if (above >= 0) { /* a folder that may be passed, but not be read: never mind */
            (void)sync_folder(above);
        }
    }
    *ret_folder = wrn_take_fd(&fd);
    return 0;
}

int wrn_file_lock(int folder, const char *path, int *ret_lock) {
    WRN_CLEANUP(wrn_close_fd)
    int fd = openat(folder, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
        return -errno;
    }
    *ret_lock = wrn_take_fd(&fd);
    return 0;
}

static int find_place(const char *path, struct place *ret_place) {
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return -EISDIR;
    }
    if (strlen(name) > WRN_FILE_NAME_MAX || length >= sizeof ret_place->folder) {
        return -ENAMETOOLONG;
    }
    memcpy(ret_place->folder, path, length);
    ret_place->folder[length] = '\0';
    if (length == 0) {
        memcpy(ret_place->folder, slash == NULL ? "." : "/", 2);
    }
    (void)snprintf(ret_place->name, sizeof ret_place->name, "%s", name);
    (void)snprintf(ret_place->beside, sizeof ret_place->beside, ".%s.new", name);
    return 0;
}

/* Makes the file beside, anew if a crash has left one. Returns its descriptor or -errno. */
static int open_beside(int folder, const struct place *place) {
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(folder, place->beside, flags, 0600);
    if (fd < 0 && errno == EEXIST && unlinkat(folder, place->beside, 0) == 0) {
        fd = openat(folder, place->beside, flags, 0600);
    }
    return fd < 0 ? -errno : fd;
}

static int fill(int fd, mode_t mode, wrn_span bytes) {
    if (fchmod(fd, mode) < 0) {
        return -errno;
    }
    while (bytes.size > 0) {
        ssize_t written = write(fd, bytes.data, bytes.size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return -errno;
        }
        bytes = (wrn_span){bytes.data + written, bytes.size - (size_t)written};
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* Some file systems have nothing to do for that, and say so by EINVAL. */
static int sync_folder(int folder) {
    return fsync(folder) < 0 && errno != EINVAL ? -errno : 0;
}

static ssize_t read_some(int fd, uint8_t *buffer, size_t size) {
    for (;;) {
        ssize_t got = read(fd, buffer, size);
        if (got >= 0 || errno != EINTR) {
            return got < 0 ? -errno : got;
        }
    }
}
