/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are whole at every moment: also when the program dies while it writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/cleanup.h"
#include "io/file.h"

#define TEXT(text) ((wrn_span){(const uint8_t *)(text), sizeof(text) - 1})

struct folder {
    char path[64];
    int fd;
};

static int set_up(void **state) {
    struct folder *folder = calloc(1, sizeof *folder);
    assert_non_null(folder);
    (void)snprintf(folder->path, sizeof folder->path, "/tmp/warren-file-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder->fd >= 0);
    *state = folder;
    return 0;
}

static int tear_down(void **state) {
    static const char *const names[] = {"file", ".file.new", "lock", "within/file", "within"};
    struct folder *folder = *state;
    for (size_t i = 0; i < WRN_COUNT(names); i++) {
        (void)unlinkat(folder->fd, names[i], i == 4 ? AT_REMOVEDIR : 0);
    }
    (void)close(folder->fd);
    int error = rmdir(folder->path);
    free(folder);
    return error;
}

/* Asserts that the file holds just that. */
static void expect(const struct folder *folder, const char *path, wrn_span wanted) {
    uint8_t buffer[256];
    size_t size = 0;
    assert_int_equal(wrn_file_read(folder->fd, path, buffer, sizeof buffer, &size), 0);
    assert_int_equal(size, wanted.size);
    assert_memory_equal(buffer, wanted.data, size);
}

/* Counts what is in the folder. */
static size_t count_files(const struct folder *folder) {
    size_t count = 0;
    const struct dirent *entry;
    DIR *all = opendir(folder->path);
    assert_non_null(all);
    while ((entry = readdir(all)) != NULL) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    (void)closedir(all);
    return count;
}

static void writes_and_reads(void **state) {
    const struct folder *folder = *state;
    struct stat facts;
    mode_t before = umask(0077);
    assert_int_equal(wrn_file_write(folder->fd, "file", 0640, TEXT("one")), 0);
    (void)umask(before);
    expect(folder, "file", TEXT("one"));
    assert_int_equal(fstatat(folder->fd, "file", &facts, 0), 0);
    assert_int_equal(facts.st_mode & 07777, 0640);
    assert_int_equal(wrn_file_write(folder->fd, "file", 0600, TEXT("another")), 0);
    expect(folder, "file", TEXT("another"));
    assert_int_equal(fstatat(folder->fd, "file", &facts, 0), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    assert_int_equal(wrn_file_write(folder->fd, "file", 0600, (wrn_span){NULL, 0}), 0);
    expect(folder, "file", TEXT(""));
    assert_int_equal(count_files(folder), 1);
}

static void writes_by_a_whole_path(void **state) {
    const struct folder *folder = *state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/file", folder->path);
    assert_int_equal(wrn_file_write(AT_FDCWD, path, 0600, TEXT("here")), 0);
    expect(folder, "file", TEXT("here"));
}

static void refuses_names_that_are_none(void **state) {
    const struct folder *folder = *state;
    char name[WRN_FILE_NAME_MAX + 2];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(wrn_file_write(folder->fd, name, 0600, TEXT("x")), -ENAMETOOLONG);
    assert_int_equal(wrn_file_write(folder->fd, "file/", 0600, TEXT("x")), -EISDIR);
    assert_int_equal(wrn_file_write(folder->fd, "..", 0600, TEXT("x")), -EISDIR);
    assert_int_equal(wrn_file_write(folder->fd, "none/file", 0600, TEXT("x")), -ENOENT);
    assert_int_equal(count_files(folder), 0);
    name[WRN_FILE_NAME_MAX] = '\0';
    assert_int_equal(wrn_file_write(folder->fd, name, 0600, TEXT("x")), 0);
    assert_int_equal(wrn_file_remove(folder->fd, name), 0);
}

static void reads_within_bounds(void **state) {
    const struct folder *folder = *state;
    uint8_t buffer[8] = {0};
    size_t size = 99;
    assert_int_equal(wrn_file_read(folder->fd, "file", buffer, 8, &size), -ENOENT);
    assert_int_equal(wrn_file_write(folder->fd, "file", 0600, TEXT("12345678")), 0);
    assert_int_equal(wrn_file_read(folder->fd, "file", buffer, 7, &size), -EFBIG);
    assert_int_equal(size, 99);
    assert_int_equal(buffer[0], 0); /* no part of it stays */
    assert_int_equal(wrn_file_read(folder->fd, "file", buffer, 8, &size), 0);
    assert_int_equal(size, 8);
    assert_int_equal(wrn_file_read(folder->fd, ".", buffer, 8, &size), -EINVAL);
    assert_int_equal(mkfifoat(folder->fd, "lock", 0600), 0);
    assert_int_equal(wrn_file_read(folder->fd, "lock", buffer, 8, &size), -EINVAL);
}

/* Writes 64 KiB where the system lets files have 4 KiB: the write breaks off in the middle. */
static int write_too_much(const struct folder *folder) {
    static uint8_t bytes[64 << 10];
    struct rlimit limit = {4 << 10, 4 << 10};
    memset(bytes, 'x', sizeof bytes);
    WRN_ASSERT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    return wrn_file_write(folder->fd, "file", 0600, (wrn_span){bytes, sizeof bytes});
}

static void a_death_in_mid_write_leaves_the_old_file(void **state) {
    const struct folder *folder = *state;
    struct stat facts;
    int status = 0;
    assert_int_equal(wrn_file_write(folder->fd, "file", 0600, TEXT("old")), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGXFSZ, SIG_DFL); /* which kills at the 4,097th byte */
        (void)write_too_much(folder);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGXFSZ);
    assert_int_equal(fstatat(folder->fd, ".file.new", &facts, 0), 0); /* it was in mid-write */
    assert_int_equal(facts.st_size, 4 << 10);
    expect(folder, "file", TEXT("old"));
    assert_int_equal(wrn_file_write(folder->fd, "file", 0600, TEXT("new")), 0);
    expect(folder, "file", TEXT("new"));
    assert_int_equal(count_files(folder), 1);
}

static void a_failed_write_leaves_the_old_file_alone(void **state) {
    const struct folder *folder = *state;
    int status = 0;
    assert_int_equal(wrn_file_write(folder->fd, "file", 0600, TEXT("old")), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGXFSZ, SIG_IGN);
        _exit(write_too_much(folder) == -EFBIG ? 7 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    expect(folder, "file", TEXT("old"));
    assert_int_equal(count_files(folder), 1);
}

/* Kills a writer that writes two texts in turn without end, at moments that nobody chose. */
static void a_kill_at_any_moment_leaves_one_of_both(void **state) {
    enum { KILLS = 20, SIZE = 200 };
    const struct folder *folder = *state;
    for (int i = 0; i < KILLS; i++) {
        uint8_t bytes[SIZE + 1];
        size_t size = 0;
        int status;
        int lines[2];
        char one = 0;
        assert_int_equal(pipe(lines), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            for (int k = 0;; k++) {
                memset(bytes, 'a' + k % 2, SIZE);
                if (wrn_file_write(folder->fd, "file", 0600, (wrn_span){bytes, SIZE}) != 0 ||
                    (k == i && write(lines[1], "k", 1) != 1)) {
                    _exit(1);
                }
            }
        }
        assert_int_equal(read(lines[0], &one, 1), 1); /* it has written some times by now */
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        (void)close(lines[0]);
        (void)close(lines[1]);
        assert_int_equal(wrn_file_read(folder->fd, "file", bytes, sizeof bytes, &size), 0);
        assert_int_equal(size, SIZE);
        for (size_t k = 1; k < SIZE; k++) {
            assert_int_equal(bytes[k], bytes[0]);
        }
    }
}

static void removes(void **state) {
    const struct folder *folder = *state;
    assert_int_equal(wrn_file_write(folder->fd, "file", 0600, TEXT("x")), 0);
    assert_int_equal(wrn_file_remove(folder->fd, "file"), 0);
    assert_int_equal(wrn_file_remove(folder->fd, "file"), 0);
    assert_int_equal(wrn_file_remove(folder->fd, "none/file"), 0);
    assert_int_equal(count_files(folder), 0);
}

static void makes_folders(void **state) {
    const struct folder *folder = *state;
    struct stat facts;
    for (int i = 0; i < 2; i++) {
        WRN_CLEANUP(wrn_close_fd) int within = -1;
        mode_t before = umask(0077);
        assert_int_equal(wrn_file_open_folder(folder->fd, "within", 0750, &within), 0);
        (void)umask(before);
        assert_int_equal(fstat(within, &facts), 0);
        assert_int_equal(facts.st_mode & 07777, 0750);
        assert_int_equal(wrn_file_write(within, "file", 0600, TEXT("deep")), 0);
        expect(folder, "within/file", TEXT("deep"));
    }
    int none = -1;
    assert_int_equal(wrn_file_write(folder->fd, "file", 0600, TEXT("x")), 0);
    assert_int_equal(wrn_file_open_folder(folder->fd, "file", 0700, &none), -ENOTDIR);
    assert_int_equal(wrn_file_open_folder(folder->fd, "none/within", 0700, &none), -ENOENT);
    assert_int_equal(none, -1);
}

static void one_program_holds_a_lock(void **state) {
    const struct folder *folder = *state;
    WRN_CLEANUP(wrn_close_fd) int lock = -1;
    WRN_CLEANUP(wrn_close_fd) int other = -1;
    assert_int_equal(wrn_file_lock(folder->fd, "lock", &lock), 0);
    assert_int_equal(wrn_file_lock(folder->fd, "lock", &other), -EWOULDBLOCK);
    wrn_close_fd(&lock);
    assert_int_equal(wrn_file_lock(folder->fd, "lock", &other), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_and_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writes_by_a_whole_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_names_that_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_within_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_death_in_mid_write_leaves_the_old_file, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_the_old_file_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_kill_at_any_moment_leaves_one_of_both, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(makes_folders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_program_holds_a_lock, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
