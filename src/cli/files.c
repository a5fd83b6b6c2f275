/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes the files that a command line names. */
#define _GNU_SOURCE /* renameat2 */
#include "cli/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "crypto/crypto.h"
#include "io/cleanup.h"

enum { OBJECTS_MAX = 1 << 18 /* that are read; a heap has room for fewer certificates */ };
enum { FIRST_READ = 4096, TEMPORARY_TRIES = 100, LINE_COLUMNS = 79 };

static int open_input(struct wrn_cli *cli, const char *path, int *ret_fd);
static int read_all(struct wrn_cli *cli, const char *path, int fd, wrn_span *ret_bytes);
static int read_objects(struct wrn_cli *cli, const char *path, wrn_span text,
                        struct wrn_objects *objects);
static int refuse_many(struct wrn_cli *cli, const char *path);
static int refuse_text(struct wrn_cli *cli, const char *path, wrn_span text, size_t start,
                       struct wrn_sexp_error why);
static int check_guarded(struct wrn_cli *cli, const char *path, int fd);
static bool is_private(struct wrn_sexp sexp);
static bool is_space(uint8_t byte);
static size_t line_of(wrn_span text, size_t offset);
static int write_temporary(const char *name, wrn_span bytes, unsigned mode);
static int put_in_place(const char *temporary, const char *path, enum wrn_files_replace replace);
static void flush_folder(struct wrn_cli *cli, const char *path);
static int refuse_write(struct wrn_cli *cli, const char *path, int error);

int wrn_files_read(struct wrn_cli *cli, const char *path, struct wrn_objects *objects) {
    WRN_CLEANUP(wrn_close_fd) int fd = -1;
    wrn_span text = {0};
    size_t before = objects->count;
    int code = open_input(cli, path, &fd);
    if (code == WRN_CLI_DONE) {
        code = read_all(cli, path, fd, &text);
    }
    if (code == WRN_CLI_DONE) {
        code = read_objects(cli, path, text, objects);
    }
    bool has_private = false;
    for (size_t i = before; code == WRN_CLI_DONE && i < objects->count; i++) {
        has_private = has_private || is_private(objects->list[i].sexp);
    }
    return has_private ? check_guarded(cli, path, fd) : code;
}

void wrn_objects_add(struct wrn_cli *cli, struct wrn_objects *objects, struct wrn_object object) {
    if (objects->count == objects->capacity) {
        size_t capacity = objects->capacity == 0 ? 16 : objects->capacity * 2;
        struct wrn_object *list = wrn_cli_take(cli, capacity, sizeof *list);
        if (objects->count > 0) {
            memcpy(list, objects->list, objects->count * sizeof *list);
        }
        objects->list = list;
        objects->capacity = capacity;
    }
    objects->list[objects->count++] = object;
}

int wrn_objects_flatten(struct wrn_cli *cli, const struct wrn_objects *objects,
                        struct wrn_objects *ret_flat) {
    for (size_t i = 0; i < objects->count; i++) {
        struct wrn_object object = objects->list[i];
        struct wrn_sexp_cursor cursor;
        if (!wrn_sexp_enter_named(object.sexp, "sequence", &cursor) &&
            !wrn_sexp_enter_named(object.sexp, "acl", &cursor)) {
            wrn_objects_add(cli, ret_flat, object);
            continue;
        }
        while (wrn_sexp_take_any(&cursor, &object.sexp)) {
            if (ret_flat->count >= OBJECTS_MAX) {
                return refuse_many(cli, object.file);
            }
            wrn_objects_add(cli, ret_flat, object);
        }
    }
    return WRN_CLI_DONE;
}

int wrn_files_read_argument(struct wrn_cli *cli, const char *what, const char *text,
                            struct wrn_sexp *ret_sexp) {
    struct wrn_sexp_error why = {0};
    size_t size = strlen(text);
    size_t room = wrn_sexp_capacity(size);
    uint8_t *out = wrn_cli_take(cli, room, 1);
    wrn_span bytes = {(const uint8_t *)text, size};
    struct wrn_sexp sexp;
    int error = wrn_sexp_read(WRN_SEXP_ANY, bytes, out, room, &sexp, NULL, &why);
    if (error == WRN_ERR_MALFORMED) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE,
                            "%s: at byte %zu: %s; put single quotes around an S-expression in the "
                            "shell",
                            what, why.offset, wrn_sexp_fault_text(why.fault));
    }
    if (error != 0) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "%s: the expression is too large", what);
    }
    if (is_private(sexp)) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE,
                            "%s: this is a private key, and everybody on this machine can read "
                            "command lines: name its file instead, and take it out of your "
                            "shell's history",
                            what);
    }
    *ret_sexp = sexp;
    return WRN_CLI_DONE;
}

const char *wrn_files_name(struct wrn_cli *cli, const char *path) {
    if (strcmp(path, "-") == 0) {
        return "standard input";
    }
    if (*path == '\0') {
        return "\"\"";
    }
    for (const char *c = path; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x21 || *c == 0x7f ||
            strchr("\"'\\$`&|;<>()*?[]{}!#", *c) != NULL) {
            return wrn_cli_quote(cli, path);
        }
    }
    return path;
}

wrn_span wrn_files_print(struct wrn_cli *cli, enum wrn_sexp_form form, struct wrn_sexp sexp) {
    if (form == WRN_SEXP_CANONICAL) {
        return sexp.bytes;
    }
    size_t size = wrn_sexp_print(form, sexp, LINE_COLUMNS, NULL, 0);
    char *text = wrn_cli_take(cli, size + 1, 1);
    (void)wrn_sexp_print(form, sexp, LINE_COLUMNS, text, size);
    text[size] = '\n';
    return (wrn_span){(const uint8_t *)text, size + 1};
}

const char *wrn_files_line(struct wrn_cli *cli, enum wrn_sexp_form form, struct wrn_sexp sexp) {
    size_t size = wrn_sexp_print(form, sexp, 0, NULL, 0);
    char *text = wrn_cli_take(cli, size + 1, 1);
    (void)wrn_sexp_print(form, sexp, 0, text, size);
    return text;
}

int wrn_files_form(struct wrn_cli *cli, const char *name, enum wrn_sexp_form otherwise,
                   enum wrn_sexp_form *ret_form) {
    static const struct {
        const char *name;
        enum wrn_sexp_form form;
    } forms[] = {{"advanced", WRN_SEXP_ADVANCED},
                 {"canonical", WRN_SEXP_CANONICAL},
                 {"transport", WRN_SEXP_TRANSPORT}};
    if (name == NULL) {
        *ret_form = otherwise;
        return WRN_CLI_DONE;
    }
    for (size_t i = 0; i < WRN_COUNT(forms); i++) {
        if (strcmp(name, forms[i].name) == 0) {
            *ret_form = forms[i].form;
            return WRN_CLI_DONE;
        }
    }
    return wrn_cli_fail(cli, WRN_CLI_USAGE,
                        "--format: it is advanced, canonical or transport, not %s",
                        wrn_cli_quote(cli, name));
}

int wrn_files_write(struct wrn_cli *cli, const char *path, wrn_span bytes, unsigned mode,
                    enum wrn_files_replace replace) {
    struct stat there;
    if (replace == WRN_FILES_KEEP && lstat(path, &there) == 0) {
        return refuse_write(cli, path, -EEXIST); /* before work is done; decided again at its end */
    }
    int error = -EEXIST;
    for (unsigned i = 0; error == -EEXIST && i < TEMPORARY_TRIES; i++) {
        const char *name = wrn_cli_text(cli, "%s.new-%ld-%u", path, (long)getpid(), i);
        error = write_temporary(name, bytes, mode);
        if (error == 0) {
            error = put_in_place(name, path, replace);
            if (error != 0) {
                (void)unlink(name);
            }
            break;
        }
    }
    if (error != 0) {
        return refuse_write(cli, path, error);
    }
    flush_folder(cli, path);
    return WRN_CLI_DONE;
}

int wrn_files_put(struct wrn_cli *cli, const char *path, wrn_span bytes,
                  enum wrn_files_replace replace) {
    if (path != NULL && strcmp(path, "-") != 0) {
        return wrn_files_write(cli, path, bytes, 0666, replace);
    }
    (void)fwrite(bytes.data, 1, bytes.size, cli->out); /* the program's end looks at 'out' */
    return WRN_CLI_DONE;
}

static int open_input(struct wrn_cli *cli, const char *path, int *ret_fd) {
    bool is_input = strcmp(path, "-") == 0;
    if (is_input && cli->has_input) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE,
                            "standard input can be named once only; put one of them into a file");
    }
    cli->has_input = cli->has_input || is_input;
    *ret_fd = is_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    if (*ret_fd < 0) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED, "cannot read %s: %s", wrn_files_name(cli, path),
                            strerror(errno));
    }
    return WRN_CLI_DONE;
}

static int read_all(struct wrn_cli *cli, const char *path, int fd, wrn_span *ret_bytes) {
    size_t capacity = FIRST_READ;
    size_t size = 0;
    uint8_t *bytes = wrn_cli_take(cli, capacity, 1);
    for (;;) {
        ssize_t got = read(fd, bytes + size, capacity - size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return wrn_cli_fail(cli, WRN_CLI_REFUSED, "cannot read %s: %s",
                                wrn_files_name(cli, path), strerror(errno));
        }
        size += (size_t)got;
        if (got == 0) {
            *ret_bytes = (wrn_span){bytes, size};
            return WRN_CLI_DONE;
        }
        if (size > WRN_FILES_SIZE_MAX) {
            return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                                "%s is larger than %d MiB: this is no file of certificates",
                                wrn_files_name(cli, path), WRN_FILES_SIZE_MAX >> 20);
        }
        if (size == capacity) {
            uint8_t *more = wrn_cli_take(cli, capacity * 2, 1);
            memcpy(more, bytes, size);
            wrn_wipe(bytes, size);
            bytes = more;
            capacity *= 2;
        }
    }
}

static int read_objects(struct wrn_cli *cli, const char *path, wrn_span text,
                        struct wrn_objects *objects) {
    size_t next = 0;
    size_t line = 1;
    size_t counted = 0; /* bytes that 'line' has counted */
    size_t before = objects->count;
    size_t room = wrn_sexp_capacity(text.size);
    uint8_t *scratch = wrn_cli_take(cli, room, 1); /* what was read is copied to its own size */
    while (next < text.size && is_space(text.data[next])) {
        next++;
    }
    while (next < text.size) {
        wrn_span rest = {text.data + next, text.size - next};
        struct wrn_sexp_error why = {0};
        struct wrn_object object = {.file = path};
        struct wrn_sexp sexp;
        size_t used = 0;
        if (objects->count == OBJECTS_MAX) {
            return refuse_many(cli, path);
        }
        int error = wrn_sexp_read(WRN_SEXP_ANY, rest, scratch, room, &sexp, &used, &why);
        if (error != 0) {
            return refuse_text(cli, path, text, next, why);
        }
        uint8_t *kept = wrn_cli_take(cli, sexp.bytes.size, 1);
        memcpy(kept, sexp.bytes.data, sexp.bytes.size);
        object.sexp.bytes = (wrn_span){kept, sexp.bytes.size};
        line += line_of((wrn_span){text.data + counted, next - counted}, next - counted) - 1;
        counted = next;
        object.where = wrn_cli_text(cli, "%s, line %zu", wrn_files_name(cli, path), line);
        wrn_objects_add(cli, objects, object);
        next += used;
    }
    if (objects->count == before) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED, "%s is empty: a key or certificate was expected",
                            wrn_files_name(cli, path));
    }
    return WRN_CLI_DONE;
}

static int refuse_many(struct wrn_cli *cli, const char *path) {
    return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                        "%s: these are more than %d expressions, more than anybody needs; leave "
                        "out what does not matter",
                        wrn_files_name(cli, path), OBJECTS_MAX);
}

static int refuse_text(struct wrn_cli *cli, const char *path, wrn_span text, size_t start,
                       struct wrn_sexp_error why) {
    size_t offset = start + why.offset;
    return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                        "%s, line %zu (byte %zu): %s; keys and certificates are S-expressions in "
                        "advanced, transport or canonical form",
                        wrn_files_name(cli, path), line_of(text, offset), offset,
                        wrn_sexp_fault_text(why.fault));
}

/* A private key that others may read is not private any more: better to hear it now. */
static int check_guarded(struct wrn_cli *cli, const char *path, int fd) {
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED, "cannot look at %s: %s",
                            wrn_files_name(cli, path), strerror(errno));
    }
    if ((info.st_mode & 077) != 0) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            "the private key in %s is open to others (mode %04o); if nobody has "
                            "read it: chmod 600 %s",
                            wrn_files_name(cli, path), (unsigned)info.st_mode & 07777,
                            wrn_files_name(cli, path));
    }
    if (info.st_uid != geteuid() && info.st_uid != 0 && geteuid() != 0) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            "the private key in %s belongs to another user (%lu); copy it: install "
                            "-m 600 %s NEW",
                            wrn_files_name(cli, path), (unsigned long)info.st_uid,
                            wrn_files_name(cli, path));
    }
    return WRN_CLI_DONE;
}

static bool is_private(struct wrn_sexp sexp) {
    return wrn_sexp_is_named(sexp, "warren-identity") || wrn_sexp_is_named(sexp, "private-key");
}

static bool is_space(uint8_t byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static size_t line_of(wrn_span text, size_t offset) {
    size_t line = 1;
    for (size_t i = 0; i < offset && i < text.size; i++) {
        line += text.data[i] == '\n' ? 1 : 0;
    }
    return line;
}

/* Makes the file 'name', which must not exist, with everything on the disk. Returns 0 or -errno;
 * then there is no such file, unless it was there before (-EEXIST). */
static int write_temporary(const char *name, wrn_span bytes, unsigned mode) {
    WRN_CLEANUP(wrn_close_fd) int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    int error = fd < 0 ? -errno : 0;
    if (error != 0) {
        return error;
    }
    while (bytes.size > 0 && error == 0) {
        ssize_t written = write(fd, bytes.data, bytes.size);
        if (written >= 0) {
            bytes.data += written;
            bytes.size -= (size_t)written;
        } else if (errno != EINTR) {
            error = -errno;
        }
    }
    if (error == 0 && fsync(fd) != 0) {
        error = -errno;
    }
    if (error != 0) {
        (void)unlink(name);
    }
    return error;
}

/* Gives the file its name. Not to replace one, it is linked: link(2) refuses names that are taken,
 * in one step, where looking first would race. */
static int put_in_place(const char *temporary, const char *path, enum wrn_files_replace replace) {
    if (replace == WRN_FILES_REPLACE) {
        return rename(temporary, path) == 0 ? 0 : -errno;
    }
    if (link(temporary, path) == 0) {
        (void)unlink(temporary);
        return 0;
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS) {
        return -errno;
    }
    /* a file system without links, such as FAT */
    return renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0 ? 0 : -errno;
}

/* The name too shall be on the disk. */
static void flush_folder(struct wrn_cli *cli, const char *path) {
    const char *slash = strrchr(path, '/');
    int length = slash == NULL || slash == path ? 1 : (int)(slash - path);
    const char *folder = wrn_cli_text(cli, "%.*s", length, slash == NULL ? "." : path);
    WRN_CLEANUP(wrn_close_fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); /* where the file system cannot, the file is there all the same */
    }
}

static int refuse_write(struct wrn_cli *cli, const char *path, int error) {
    if (error == -EEXIST) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            "%s is there already and is left as it is; choose another name, or "
                            "--force to replace it",
                            wrn_files_name(cli, path));
    }
    const char *slash = strrchr(path, '/');
    if (error == -ENOENT && slash != NULL && slash != path) {
        const char *folder = wrn_cli_text(cli, "%.*s", (int)(slash - path), path);
        return wrn_cli_fail(
            cli, WRN_CLI_REFUSED, "cannot write %s: there is no folder %s; make it: mkdir -p %s",
            wrn_files_name(cli, path), wrn_files_name(cli, folder), wrn_files_name(cli, folder));
    }
    return wrn_cli_fail(cli, WRN_CLI_REFUSED, "cannot write %s: %s", wrn_files_name(cli, path),
                        strerror(-error));
}
