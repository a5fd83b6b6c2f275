/* SPDX-License-Identifier: Apache-2.0 */
/* Files are written by io/file.h. A network is there if its state file is. */
#define _GNU_SOURCE /* O_DIRECTORY, scandirat */
#include "daemon/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "crypto/crypto.h"
#include "io/cleanup.h"
#include "io/file.h"

#define NETWORKS   "networks"
#define STATE      "state"
#define IDENTITY   "identity"
#define PORT       "port"
#define TEMPORARY  "." STATE ".new" /* io/file.h */
#define NAME_BYTES 128

enum {
    TEXT_MAX = 4 << 20,  /* bytes of a file that is read */
    IDENTITY_MAX = 4096, /* ... of an identity */
    COLUMNS = 100,
    LEVELS_MAX = 4, /* of folders, one in the other */
};

static int complain(int error, char why[WRN_DISK_WHY_SIZE], const char *format, ...)
    WRN_PRINTF(3, 4);
static int make_folders(const char *path);
static bool give_one(int fd, uid_t uid, gid_t gid);
static int open_level(int folder, const char *name, DIR **ret_level);
static const char *reading_problem(int error);
static int read_file(int folder, const char *name, size_t max, uint8_t **ret_bytes,
                     size_t *ret_size);
static int make_identity(int folder, struct wrn_rand rand, struct wrn_key_pair *ret_pair);
static const char *parse_identity(wrn_span text, struct wrn_key_pair *ret_pair);
static bool note_one(void *ctx, const char *id);
static int open_network(int folder, const char *id, bool makes, int *ret_fd);
static bool is_id(const char *name);
static int is_network(const struct dirent *entry);

int wrn_disk_open(const char *path, int *ret_fd, char reterr_why[WRN_DISK_WHY_SIZE]) {
    struct stat status;
    int error = make_folders(path);
    if (error != 0) {
        return complain(error, reterr_why, "cannot make the state folder %s: %s; %s", path,
                        strerror(-error),
                        error == -EACCES || error == -EPERM
                            ? "start warrend as root, or name another folder with --state"
                            : "name another folder with --state");
    }
    WRN_CLEANUP(wrn_close_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        error = -errno;
        return complain(error, reterr_why, "cannot open the state folder %s: %s", path,
                        strerror(-error));
    }
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return complain(-EPERM, reterr_why,
                        "others may write to the state folder %s: close it with `chmod go-w %s` "
                        "after making sure that nobody has changed anything in it",
                        path, path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        error = -errno;
        return complain(error, reterr_why,
                        error == -EWOULDBLOCK
                            ? "another warrend runs on the state folder %s: end it with "
                              "`warren down`, or name another folder with --state"
                            : "cannot lock the state folder %s",
                        path);
    }
    *ret_fd = wrn_take_fd(&fd);
    return 0;
}

/* By descriptors alone: whoever may write there now must not be able to lead us elsewhere. */
int wrn_disk_give(int folder, const char *path, uid_t uid, gid_t gid,
                  char reterr_why[WRN_DISK_WHY_SIZE]) {
    DIR *levels[LEVELS_MAX] = {NULL};
    size_t depth = 0;
    int error = give_one(folder, uid, gid) ? open_level(folder, ".", &levels[depth++]) : -errno;
    depth -= error != 0 && depth > 0;
    while (depth > 0 && levels[depth - 1] != NULL) {
        const struct dirent *entry = readdir(levels[depth - 1]);
        if (entry == NULL) {
            (void)closedir(levels[--depth]);
            continue;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        int above = dirfd(levels[depth - 1]);
        WRN_CLEANUP(wrn_close_fd)
        int fd = openat(above, entry->d_name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        struct stat status;
        bool is_file =
            fd >= 0 && fstat(fd, &status) == 0 &&
            (S_ISDIR(status.st_mode) || (S_ISREG(status.st_mode) && status.st_nlink == 1));
        if (is_file && !give_one(fd, uid, gid) && error == 0) {
            error = -errno;
        }
        if (is_file && S_ISDIR(status.st_mode) && depth < LEVELS_MAX) {
            depth += open_level(fd, ".", &levels[depth]) == 0;
        }
    }
    return error == 0 ? 0
                      : complain(error, reterr_why,
                                 "cannot give the state folder %s to user %u: %s; do it by hand "
                                 "(chown -R), or say --user root",
                                 path, (unsigned)uid, strerror(-error));
}

static bool give_one(int fd, uid_t uid, gid_t gid) {
    struct stat status;
    return fstat(fd, &status) == 0 && (status.st_uid == uid || fchown(fd, uid, gid) == 0);
}

static int open_level(int folder, const char *name, DIR **ret_level) {
    WRN_CLEANUP(wrn_close_fd)
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *ret_level = fd >= 0 ? fdopendir(fd) : NULL;
    if (*ret_level == NULL) {
        return -errno;
    }
    (void)wrn_take_fd(&fd);
    return 0;
}

int wrn_disk_identity(int folder, const char *path, struct wrn_rand rand,
                      struct wrn_key_pair *ret_pair, bool *ret_is_new,
                      char reterr_why[WRN_DISK_WHY_SIZE]) {
    struct stat status;
    uint8_t *text = NULL;
    size_t size = 0;
    *ret_is_new = false;
    bool has_networks = false;
    int error = read_file(folder, IDENTITY, IDENTITY_MAX, &text, &size);
    if (error == -ENOENT && wrn_disk_walk(folder, note_one, &has_networks) == 0 && has_networks) {
        return complain(error, reterr_why,
                        "the identity %s/" IDENTITY " is missing, and networks are there, which a "
                        "new one would not be in: put a copy of it back, or move %s/" NETWORKS
                        " away to begin anew",
                        path, path);
    }
    if (error == -ENOENT) {
        *ret_is_new = true;
        error = make_identity(folder, rand, ret_pair);
        return error == 0
                   ? 0
                   : complain(error, reterr_why,
                              "cannot write %s/" IDENTITY ": %s; make room there, or name another "
                              "folder with --state",
                              path, strerror(-error));
    }
    if (error != 0) {
        return complain(error, reterr_why, "cannot read %s/" IDENTITY ": %s", path,
                        reading_problem(error));
    }
    const char *why = parse_identity((wrn_span){text, size}, ret_pair);
    wrn_disk_free(text, size);
    if (why != NULL) {
        return complain(-EUCLEAN, reterr_why,
                        "the identity in %s/" IDENTITY " cannot be used: %s; put a copy of it "
                        "there, or move it away for a new one, which is in none of the networks",
                        path, why);
    }
    if (fstatat(folder, IDENTITY, &status, 0) != 0 || (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        wrn_wipe(ret_pair, sizeof *ret_pair);
        return complain(-EPERM, reterr_why,
                        "others may read the private key in %s/" IDENTITY ": close it with "
                        "`chmod 600 %s/" IDENTITY "`",
                        path, path);
    }
    return 0;
}

uint16_t wrn_disk_port(int folder) {
    uint8_t *text = NULL;
    size_t size = 0;
    uint32_t port = 0;
    if (read_file(folder, PORT, 16, &text, &size) != 0) {
        return 0;
    }
    for (size_t i = 0; i < size && text[i] >= '0' && text[i] <= '9' && port < 65536; i++) {
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    wrn_disk_free(text, size);
    return port < 65536 ? (uint16_t)port : 0;
}

void wrn_disk_note_port(int folder, uint16_t port) {
    char text[16];
    int size = snprintf(text, sizeof text, "%u\n", port);
    if (wrn_disk_port(folder) != port) {
        int error =
            wrn_file_write(folder, PORT, 0600, (wrn_span){(const uint8_t *)text, (size_t)size});
        (void)error; /* another port next time is no misfortune */
    }
}

void wrn_disk_id(const uint8_t id[WRN_NETWORK_ID_SIZE], char ret_text[WRN_DISK_ID_TEXT_SIZE]) {
    wrn_hex_write(id, WRN_NETWORK_ID_SIZE, ret_text);
    ret_text[WRN_DISK_ID_TEXT_SIZE - 1] = '\0';
}

int wrn_disk_walk(int folder, bool (*on_network)(void *ctx, const char *id), void *ctx) {
    struct dirent **entries = NULL;
    int count = scandirat(folder, NETWORKS, &entries, is_network, alphasort);
    if (count < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    bool goes_on = true;
    for (int i = 0; i < count; i++) {
        char name[NAME_BYTES];
        const char *id = entries[i]->d_name;
        (void)snprintf(name, sizeof name, NETWORKS "/%.64s/" STATE, id);
        if (goes_on && faccessat(folder, name, F_OK, 0) != 0 && errno == ENOENT) {
            int error = wrn_disk_remove(folder, id);
            (void)error; /* tried again next time */
        } else if (goes_on) {
            goes_on = on_network(ctx, id);
        }
        free(entries[i]);
    }
    free(entries);
    return 0;
}

int wrn_disk_read_state(int folder, const char *path, const char *id, uint8_t **ret_canonical,
                        size_t *ret_capacity, wrn_span *ret_state,
                        char reterr_why[WRN_DISK_WHY_SIZE]) {
    static const char next[] = "put a copy of it back, or remove it and join again with a new "
                               "invitation";
    char name[NAME_BYTES];
    char text_id[WRN_DISK_ID_TEXT_SIZE];
    struct wrn_sexp sexp;
    struct wrn_sexp_error fault;
    uint8_t *text = NULL;
    size_t size = 0;
    (void)snprintf(name, sizeof name, NETWORKS "/%s/" STATE, id);
    int error = read_file(folder, name, TEXT_MAX, &text, &size);
    if (error != 0) {
        return complain(error, reterr_why, "cannot read %s/%s: %s", path, name,
                        reading_problem(error));
    }
    size_t capacity = wrn_sexp_capacity(size);
    uint8_t *canonical = malloc(capacity);
    struct wrn_state *state = malloc(sizeof *state);
    if (canonical == NULL || state == NULL) {
        error = complain(-ENOMEM, reterr_why, "no memory is left to read %s/%s", path, name);
    } else if (wrn_sexp_read(WRN_SEXP_ANY, (wrn_span){text, size}, canonical, capacity, &sexp, NULL,
                             &fault) != 0) {
        error = complain(-EUCLEAN, reterr_why, "%s/%s is damaged at byte %zu: %s; %s", path, name,
                         fault.offset, wrn_sexp_fault_text(fault.fault), next);
    } else {
        enum wrn_state_fault wrong = wrn_state_read(sexp.bytes, state);
        wrn_disk_id(state->descriptor.id, text_id);
        if (wrong != WRN_STATE_OK) {
            error = complain(-EUCLEAN, reterr_why, "%s/%s cannot be used: %s; %s", path, name,
                             wrn_state_fault_text(wrong), next);
        } else if (strcmp(text_id, id) != 0) {
            error = complain(-EUCLEAN, reterr_why,
                             "%s/%s is of another network, whose folder has to be called %s", path,
                             name, text_id);
        }
    }
    wrn_disk_free(text, size);
    wrn_disk_free((uint8_t *)state, state == NULL ? 0 : sizeof *state);
    if (error != 0) {
        wrn_disk_free(canonical, capacity);
        return error;
    }
    *ret_canonical = canonical;
    *ret_capacity = capacity;
    *ret_state = sexp.bytes;
    return 0;
}

int wrn_disk_write_state(int folder, const char *id, wrn_span canonical) {
    struct wrn_sexp sexp;
    WRN_CLEANUP(wrn_close_fd) int network = -1;
    if (wrn_sexp_check(canonical, &sexp, NULL) != 0) {
        return -EINVAL;
    }
    size_t size = wrn_sexp_print(WRN_SEXP_ADVANCED, sexp, COLUMNS, NULL, 0) + 1;
    char *text = malloc(size);
    if (text == NULL) {
        return -ENOMEM;
    }
    (void)wrn_sexp_print(WRN_SEXP_ADVANCED, sexp, COLUMNS, text, size);
    text[size - 1] = '\n';
    int error = open_network(folder, id, true, &network);
    error = error != 0
                ? error
                : wrn_file_write(network, STATE, 0600, (wrn_span){(const uint8_t *)text, size});
    wrn_disk_free((uint8_t *)text, size);
    return error;
}

int wrn_disk_remove(int folder, const char *id) {
    static const char *const others[] = {TEMPORARY, "ports", ".ports.new"};
    char name[NAME_BYTES];
    WRN_CLEANUP(wrn_close_fd) int network = -1;
    int error = open_network(folder, id, false, &network);
    if (error == -ENOENT) {
        return 0;
    }
    if (error != 0) {
        return error;
    }
    if (unlinkat(network, STATE, 0) != 0 && errno != ENOENT) {
        return -errno;
    }
    (void)fsync(network); /* from here on it is gone; the rest is tidying up */
    for (size_t i = 0; i < WRN_COUNT(others); i++) {
        (void)unlinkat(network, others[i], 0);
    }
    (void)snprintf(name, sizeof name, NETWORKS "/%s", id);
    (void)unlinkat(folder, name, AT_REMOVEDIR);
    return 0;
}

void wrn_disk_free(uint8_t *bytes, size_t capacity) {
    if (bytes != NULL) {
        wrn_wipe(bytes, capacity);
        free(bytes);
    }
}

static int complain(int error, char why[WRN_DISK_WHY_SIZE], const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, WRN_DISK_WHY_SIZE, format, args);
    va_end(args);
    return error;
}

/* Of read_file. */
static const char *reading_problem(int error) {
    return error == -EINVAL  ? "it is no file: remove it, and put a copy of the file back"
           : error == -EFBIG ? "it is too large to be that: put a copy of it back"
           : error == -ELOOP ? "it is a link: put the file itself there"
                             : strerror(-error);
}

static bool note_one(void *ctx, const char *id) {
    bool *is_there = ctx;
    (void)id;
    *is_there = true;
    return false;
}

/* Makes 'path' and what is missing above it. */
static int make_folders(const char *path) {
    char above[PATH_MAX];
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof above) {
        return size == 0 ? -ENOENT : -ENAMETOOLONG;
    }
    memcpy(above, path, size + 1);
    for (char *slash = strchr(above + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(above, 0755) != 0 && errno != EEXIST) {
            return -errno;
        }
        *slash = '/';
    }
    return mkdir(path, 0700) != 0 && errno != EEXIST ? -errno : 0;
}

/* Reads a whole file. Returns 0, -EFBIG, or another -errno. */
static int read_file(int folder, const char *name, size_t max, uint8_t **ret_bytes,
                     size_t *ret_size) {
    struct stat status;
    WRN_CLEANUP(wrn_close_fd) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &status) != 0) {
        return -errno;
    }
    if (!S_ISREG(status.st_mode)) {
        return -EINVAL;
    }
    if ((uint64_t)status.st_size > max) {
        return -EFBIG;
    }
    size_t size = (size_t)status.st_size;
    size_t used = 0;
    uint8_t *bytes = malloc(size + 1);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    while (used < size) {
        ssize_t got = read(fd, bytes + used, size - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            int error = got < 0 ? -errno : -EIO; /* it has become shorter */
            wrn_disk_free(bytes, size);
            return error;
        }
        used += (size_t)got;
    }
    *ret_bytes = bytes;
    *ret_size = size;
    return 0;
}

static int make_identity(int folder, struct wrn_rand rand, struct wrn_key_pair *ret_pair) {
    uint8_t canonical[WRN_KEY_PAIR_SIZE];
    char text[WRN_KEY_PAIR_SIZE * 3];
    wrn_rand_fill(rand, ret_pair->seed, sizeof ret_pair->seed);
    if (!wrn_sign_public(ret_pair->seed, ret_pair->public_key)) {
        return -ENOMEM;
    }
    struct wrn_sexp sexp = wrn_key_pair_write(ret_pair, canonical);
    size_t size = wrn_sexp_print(WRN_SEXP_ADVANCED, sexp, COLUMNS, text, sizeof text - 1);
    WRN_ASSERT(size < sizeof text);
    text[size++] = '\n';
    int error = wrn_file_write(folder, IDENTITY, 0600, (wrn_span){(const uint8_t *)text, size});
    wrn_wipe(canonical, sizeof canonical);
    wrn_wipe(text, sizeof text);
    if (error != 0) {
        wrn_wipe(ret_pair, sizeof *ret_pair);
    }
    return error;
}

/* Returns NULL, or what is wrong as a clause. */
static const char *parse_identity(wrn_span text, struct wrn_key_pair *ret_pair) {
    struct wrn_sexp sexp;
    uint8_t canonical[2 * IDENTITY_MAX + 1];
    const char *why = "it is no (warren-identity ...)";
    if (wrn_sexp_read(WRN_SEXP_ANY, text, canonical, sizeof canonical, &sexp, NULL, NULL) == 0) {
        why = wrn_key_pair_read(sexp, ret_pair);
    }
    wrn_wipe(canonical, sizeof canonical);
    if (why != NULL) {
        wrn_wipe(ret_pair, sizeof *ret_pair);
    }
    return why;
}

static int open_network(int folder, const char *id, bool makes, int *ret_fd) {
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof name, NETWORKS "/%s", id);
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && makes) {
        WRN_CLEANUP(wrn_close_fd) int networks = -1;
        if ((mkdirat(folder, NETWORKS, 0700) != 0 && errno != EEXIST) ||
            (mkdirat(folder, name, 0700) != 0 && errno != EEXIST)) {
            return -errno;
        }
        networks = openat(folder, NETWORKS, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (networks < 0 || fsync(folder) != 0 || fsync(networks) != 0) {
            return -errno;
        }
        fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    }
    *ret_fd = fd;
    return fd < 0 ? -errno : 0;
}

static bool is_id(const char *name) {
    return strlen(name) == WRN_DISK_ID_TEXT_SIZE - 1 &&
           strspn(name, "0123456789abcdef") == WRN_DISK_ID_TEXT_SIZE - 1;
}

static int is_network(const struct dirent *entry) {
    return is_id(entry->d_name);
}
