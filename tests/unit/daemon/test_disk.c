/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is on the disk is a whole state or none, refusals name the file and what to do, and
 * one process alone has the folder. Method: real files in a folder of their own, damaged by hand;
 * a writer that is killed at random moments. */
#define _GNU_SOURCE
#include "daemon/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/rand.h"
#include "io/cleanup.h"
#include "unit/base/check.h"

enum { NOW_S = 1795000000, ROOM = 1 << 16, KILLS = 40 };

static char path[64];
static char why[WRN_DISK_WHY_SIZE];
static int folder;
static struct wrn_prng prng;
static uint8_t room[ROOM];

static int set_up(void **state) {
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/warren-disk-XXXXXX");
    assert_non_null(mkdtemp(path));
    wrn_prng_init(&prng, check_seed(), 0);
    assert_int_equal(wrn_disk_open(path, &folder, why), 0);
    return 0;
}

static void remove_all(int parent, const char *name) {
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlinkat(dirfd(entries), entry->d_name, 0) != 0) {
            remove_all(dirfd(entries), entry->d_name);
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    (void)unlinkat(parent, name, AT_REMOVEDIR);
}

static int tear_down(void **state) {
    (void)state;
    (void)close(folder);
    remove_all(AT_FDCWD, path);
    return 0;
}

/* The state of a network of our own, canonical, and its id. */
static wrn_span make_state(const char *name, char id[WRN_DISK_ID_TEXT_SIZE]) {
    struct wrn_descriptor descriptor = {0};
    struct wrn_state state;
    uint8_t seed[WRN_SEED_SIZE] = {1};
    (void)snprintf(descriptor.name, sizeof descriptor.name, "%s", name);
    assert_int_equal(
        wrn_state_create(&descriptor, seed, wrn_prng_rand(&prng), NOW_S, NULL, 0, &state),
        WRN_DESCRIPTOR_OK);
    size_t size = wrn_state_write(&state, room, sizeof room);
    assert_true(size > 0);
    wrn_disk_id(state.descriptor.id, id);
    return (wrn_span){room, size};
}

static void put(const char *name, const char *text, mode_t mode) {
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static int read_back(const char *id, size_t *ret_size) {
    uint8_t *canonical = NULL;
    size_t capacity = 0;
    wrn_span state = {0};
    int error = wrn_disk_read_state(folder, path, id, &canonical, &capacity, &state, why);
    *ret_size = state.size;
    wrn_disk_free(canonical, capacity);
    return error;
}

static bool count_one(void *ctx, const char *id) {
    (void)id;
    (*(int *)ctx)++;
    return true;
}

static int count(void) {
    int found = 0;
    assert_int_equal(wrn_disk_walk(folder, count_one, &found), 0);
    return found;
}

static void one_process_has_the_folder(void **state) {
    (void)state;
    int second = -1;
    assert_int_equal(wrn_disk_open(path, &second, why), -EWOULDBLOCK);
    assert_non_null(strstr(why, path));
    assert_non_null(strstr(why, "warren down"));
    (void)close(folder);
    assert_int_equal(wrn_disk_open(path, &folder, why), 0);
}

static void folders_are_made_for_the_owner_alone(void **state) {
    char deep[128];
    struct stat status;
    int fd = -1;
    (void)state;
    (void)snprintf(deep, sizeof deep, "%s/a/b", path);
    assert_int_equal(wrn_disk_open(deep, &fd, why), 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    (void)close(fd);
    assert_int_equal(chmod(deep, 0722), 0);
    assert_int_equal(wrn_disk_open(deep, &fd, why), -EPERM);
    assert_non_null(strstr(why, "chmod go-w"));
    (void)snprintf(deep, sizeof deep, "%s/file/b", path);
    put("file", "", 0600);
    assert_int_equal(wrn_disk_open(deep, &fd, why), -ENOTDIR);
}

static void an_identity_is_made_once(void **state) {
    struct wrn_key_pair first;
    struct wrn_key_pair again;
    struct stat status;
    bool is_new;
    (void)state;
    assert_int_equal(wrn_disk_identity(folder, path, wrn_prng_rand(&prng), &first, &is_new, why),
                     0);
    assert_true(is_new);
    assert_int_equal(fstatat(folder, "identity", &status, 0), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(wrn_disk_identity(folder, path, wrn_prng_rand(&prng), &again, &is_new, why),
                     0);
    assert_false(is_new);
    assert_memory_equal(&first, &again, sizeof first);
}

static void an_identity_that_is_no_good_is_kept_and_named(void **state) {
    struct wrn_key_pair pair;
    struct stat status;
    bool is_new;
    (void)state;
    assert_int_equal(wrn_disk_identity(folder, path, wrn_prng_rand(&prng), &pair, &is_new, why), 0);
    assert_int_equal(fchmodat(folder, "identity", 0640, 0), 0);
    assert_int_equal(wrn_disk_identity(folder, path, wrn_prng_rand(&prng), &pair, &is_new, why),
                     -EPERM);
    assert_non_null(strstr(why, "chmod 600"));
    put("identity", "(warren-identity (version \"2\"))", 0600);
    assert_int_equal(wrn_disk_identity(folder, path, wrn_prng_rand(&prng), &pair, &is_new, why),
                     -EUCLEAN);
    assert_non_null(strstr(why, "/identity"));
    put("identity", "", 0600);
    assert_int_equal(wrn_disk_identity(folder, path, wrn_prng_rand(&prng), &pair, &is_new, why),
                     -EUCLEAN);
    assert_int_equal(fstatat(folder, "identity", &status, 0), 0);
    assert_int_equal(status.st_size, 0);
}

static void a_port_is_remembered(void **state) {
    (void)state;
    assert_int_equal(wrn_disk_port(folder), 0);
    wrn_disk_note_port(folder, 41000);
    assert_int_equal(wrn_disk_port(folder), 41000);
    put("port", "65536\n", 0600);
    assert_int_equal(wrn_disk_port(folder), 0);
    put("port", "", 0600);
    assert_int_equal(wrn_disk_port(folder), 0);
}

static void a_state_comes_back_and_goes(void **state) {
    char id[WRN_DISK_ID_TEXT_SIZE];
    uint8_t *canonical = NULL;
    size_t capacity = 0;
    wrn_span back;
    (void)state;
    wrn_span made = make_state("lab", id);
    assert_int_equal(count(), 0);
    assert_int_equal(wrn_disk_write_state(folder, id, made), 0);
    assert_int_equal(wrn_disk_write_state(folder, id, made), 0);
    assert_int_equal(count(), 1);
    assert_int_equal(wrn_disk_read_state(folder, path, id, &canonical, &capacity, &back, why), 0);
    assert_int_equal(back.size, made.size);
    assert_memory_equal(back.data, made.data, made.size);
    wrn_disk_free(canonical, capacity);
    assert_int_equal(wrn_disk_remove(folder, id), 0);
    assert_int_equal(wrn_disk_remove(folder, id), 0);
    assert_int_equal(count(), 0);
}

static void what_is_damaged_is_named(void **state) {
    char id[WRN_DISK_ID_TEXT_SIZE];
    char other[WRN_DISK_ID_TEXT_SIZE];
    char name[128];
    char from[128];
    size_t size;
    (void)state;
    assert_int_equal(wrn_disk_write_state(folder, id, make_state("lab", id)), 0);
    assert_int_equal(wrn_disk_write_state(folder, other, make_state("den", other)), 0);
    (void)snprintf(name, sizeof name, "networks/%s/state", id);
    (void)snprintf(from, sizeof from, "networks/%s/state", other);

    assert_int_equal(unlinkat(folder, name, 0), 0);
    assert_int_equal(linkat(folder, from, folder, name, 0), 0);
    assert_int_equal(read_back(id, &size), -EUCLEAN);
    assert_non_null(strstr(why, other));
    assert_int_equal(unlinkat(folder, name, 0), 0);

    put(name, "(warren-state", 0600);
    assert_int_equal(read_back(id, &size), -EUCLEAN);
    assert_non_null(strstr(why, name));
    assert_non_null(strstr(why, "invitation"));
    put(name, "(something-else)", 0600);
    assert_int_equal(read_back(id, &size), -EUCLEAN);
    assert_int_equal(read_back(other, &size), 0); /* the others are as they were */
    assert_int_equal(count(), 2);
}

static void what_a_crash_left_of_a_network_is_tidied_up(void **state) {
    char id[WRN_DISK_ID_TEXT_SIZE];
    char name[128];
    (void)state;
    assert_int_equal(wrn_disk_write_state(folder, id, make_state("lab", id)), 0);
    (void)snprintf(name, sizeof name, "networks/%s/state", id);
    assert_int_equal(unlinkat(folder, name, 0), 0);
    (void)snprintf(name, sizeof name, "networks/%s/.state.new", id);
    put(name, "(half", 0600);
    assert_int_equal(count(), 0);
    (void)snprintf(name, sizeof name, "networks/%s", id);
    assert_int_equal(faccessat(folder, name, F_OK, 0), -1);
}

/* A child writes states of two sizes in turn, and says so on a pipe after each; it is killed at a
 * random moment. What is there then is whole, and no older than what it has said. */
static void a_kill_at_any_moment_loses_nothing(void **state) {
    char id[WRN_DISK_ID_TEXT_SIZE];
    struct wrn_state owned;
    uint8_t *rooms[2] = {malloc(ROOM), malloc(ROOM)};
    wrn_span versions[2];
    size_t size;
    (void)state;
    wrn_span made = make_state("lab", id);
    for (uint32_t i = 0; i < 2; i++) {
        assert_non_null(rooms[i]);
        assert_int_equal(wrn_state_read(made, &owned), WRN_STATE_OK);
        owned.use = i + 7;
        owned.wants_address = i == 1;
        versions[i] = (wrn_span){rooms[i], wrn_state_write(&owned, rooms[i], ROOM)};
    }
    assert_int_equal(wrn_disk_write_state(folder, id, versions[0]), 0);
    for (int i = 0; i < KILLS; i++) {
        int ends[2];
        uint8_t last = 0;
        uint8_t said;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            for (uint8_t turn = 1;; turn++) {
                if (wrn_disk_write_state(folder, id, versions[turn % 2]) != 0 ||
                    write(ends[1], &turn, 1) != 1) {
                    _exit(1);
                }
            }
        }
        (void)close(ends[1]);
        assert_int_equal(read(ends[0], &last, 1), 1);
        struct timespec pause = {.tv_nsec = (long)wrn_rand_below(wrn_prng_rand(&prng), 3000000)};
        (void)nanosleep(&pause, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (read(ends[0], &said, 1) == 1) {
            last = said;
        }
        (void)close(ends[0]);
        assert_int_equal(read_back(id, &size), 0);
        /* the one that it has said, or the next one */
        assert_true(size == versions[last % 2].size || size == versions[(last + 1) % 2].size);
        assert_int_equal(count(), 1);
    }
    free(rooms[0]);
    free(rooms[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_process_has_the_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folders_are_made_for_the_owner_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_identity_is_made_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_identity_that_is_no_good_is_kept_and_named, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_port_is_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_state_comes_back_and_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_damaged_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_crash_left_of_a_network_is_tidied_up, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_kill_at_any_moment_loses_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
