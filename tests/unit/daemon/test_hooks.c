/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: programs get the event, run one at a time and in order, cannot stay for ever, and learn
 * nothing of our environment. Method: scripts in a folder of their own, the loop turned by hand. */
#include "daemon/hooks.h"

#include <stdio.h>
#include <sys/stat.h>
#include <uv.h>

#include "daemon/spawn.h"
#include "io/clock.h"
#include "unit/base/check.h"

enum { WAIT_S = 30, PATH_SIZE = 512, TEXT_SIZE = 4096 };

static uv_loop_t loop;
static struct wrn_log quiet;
static char folder[] = "/tmp/warren-hooks-XXXXXX";

static void write_file(const char *name, const char *text, mode_t mode) {
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void make_folder(const char *name, mode_t mode) {
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
    assert_int_equal(chmod(path, mode), 0);
}

/* What the programs have written so far; "" if nothing. */
static const char *read_out(void) {
    static char text[TEXT_SIZE];
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/out", folder);
    FILE *file = fopen(path, "r");
    size_t size = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    text[size] = '\0';
    if (file != NULL) {
        (void)fclose(file);
    }
    return text;
}

static void remove_out(void) {
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/out", folder);
    (void)unlink(path);
}

static json_int_t count(const struct wrn_hooks *hooks, const char *name) {
    json_t *status = wrn_hooks_status(hooks);
    json_int_t number = json_integer_value(json_object_get(status, name));
    json_decref(status);
    return number;
}

/* Turns the loop until nothing is left to do. */
static void turn(void) {
    wrn_mono end = wrn_mono_add(wrn_clock_read().mono, WRN_S(WAIT_S));
    while (uv_run(&loop, UV_RUN_ONCE) != 0) {
        assert_false(wrn_mono_reached(wrn_clock_read().mono, end));
    }
}

static struct wrn_hooks *create(uint32_t timeout_s) {
    struct wrn_hooks *hooks = NULL;
    assert_int_equal(wrn_hooks_create(&loop, &quiet, folder, timeout_s, &hooks), 0);
    remove_out();
    return hooks;
}

static void script(const char *name, const char *body) {
    char text[TEXT_SIZE];
    (void)snprintf(text, sizeof text, "#!/bin/sh\nout=%s/out\n%s\n", folder, body);
    write_file(name, text, 0700);
}

static void programs_run_in_order_with_the_event(void **state) {
    (void)state;
    struct wrn_hooks *hooks = create(0);
    make_folder("peer.up.d", 0700);
    script("peer.up.d/20-second", "read line; echo \"second $line\" >>$out");
    script("peer.up.d/10-first", "read line; echo \"first $line\" >>$out; exit 1");
    script("peer.up.d/30-left.dpkg-old", "echo wrong >>$out");
    script("peer.up.d/.hidden", "echo wrong >>$out");
    script("peer.up.d/editor~", "echo wrong >>$out");
    write_file("peer.up.d/40-text", "no program\n", 0600);
    wrn_hooks_run(hooks, "peer.up", "{\"n\":1}");
    wrn_hooks_run(hooks, "peer.up", "{\"n\":2}");
    wrn_hooks_run(hooks, "peer.down", "{}"); /* nobody wants to know */
    turn();
    assert_string_equal(read_out(), "first {\"n\":1}\nsecond {\"n\":1}\n"
                                    "first {\"n\":2}\nsecond {\"n\":2}\n");
    assert_int_equal(count(hooks, "runs"), 4);
    assert_int_equal(count(hooks, "failures"), 2);
    wrn_hooks_destroy(hooks);
    turn();
}

static void the_environment_is_not_ours(void **state) {
    (void)state;
    struct wrn_hooks *hooks = create(0);
    assert_int_equal(setenv("WARREN_SECRET", "do not tell", 1), 0);
    make_folder("name.held.d", 0700);
    script("name.held.d/env", "env >>$out; ls /proc/self/fd | wc -l >>$out; pwd >>$out");
    wrn_hooks_run(hooks, "name.held", "{}");
    turn();
    const char *text = read_out();
    assert_null(strstr(text, "SECRET"));
    assert_non_null(strstr(text, "PATH=/usr"));
    assert_non_null(strstr(text, "\n4\n/\n")); /* three of its own, and the folder that ls reads */
    wrn_hooks_destroy(hooks);
    turn();
}

static void who_stays_is_killed_with_all_that_it_began(void **state) {
    (void)state;
    struct wrn_hooks *hooks = create(1);
    make_folder("self.revoked.d", 0700);
    script("self.revoked.d/1-stays", "sleep 1000 & echo $! >>$out; sleep 1000");
    script("self.revoked.d/2-next", "echo next >>$out");
    wrn_hooks_run(hooks, "self.revoked", "{}");
    turn();
    char *end = NULL;
    long child = strtol(read_out(), &end, 10);
    assert_string_equal(end, "\nnext\n");
    assert_true(child > 1);
    wrn_mono limit = wrn_mono_add(wrn_clock_read().mono, WRN_S(WAIT_S));
    char path[64], line[256] = "";
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", child);
    for (;;) { /* gone, or dead and not yet collected */
        FILE *file = fopen(path, "r");
        bool is_gone =
            file == NULL || fgets(line, sizeof line, file) == NULL || strstr(line, ") Z ") != NULL;
        if (file != NULL) {
            (void)fclose(file);
        }
        if (is_gone) {
            break;
        }
        assert_false(wrn_mono_reached(wrn_clock_read().mono, limit));
    }
    assert_int_equal(count(hooks, "failures"), 1);
    wrn_hooks_destroy(hooks);
    turn();
}

static void what_others_may_write_is_not_run(void **state) {
    (void)state;
    struct wrn_hooks *hooks = create(0);
    make_folder("renewed.d", 0700);
    script("renewed.d/open", "echo wrong >>$out");
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/renewed.d/open", folder);
    assert_int_equal(chmod(path, 0777), 0);
    wrn_hooks_run(hooks, "renewed", "{}");
    turn();
    assert_int_equal(chmod(path, 0755), 0);
    make_folder("renewed.d", 0777);
    wrn_hooks_run(hooks, "renewed", "{}");
    turn();
    assert_string_equal(read_out(), "");
    make_folder("renewed.d", 0755);
    wrn_hooks_run(hooks, "renewed", "{}");
    turn();
    assert_string_equal(read_out(), "wrong\n"); /* so it was that */
    wrn_hooks_destroy(hooks);
    turn();
}

static void too_many_are_left_out_and_the_end_is_at_once(void **state) {
    (void)state;
    struct wrn_hooks *hooks = create(0);
    make_folder("peer.path.d", 0700);
    script("peer.path.d/slow", "sleep 1000");
    for (int i = 0; i < WRN_HOOKS_WAITING_MAX + 5; i++) {
        wrn_hooks_run(hooks, "peer.path", "{}");
    }
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(count(hooks, "left_out"), 5);
    assert_int_equal(count(hooks, "runs"), 1);
    wrn_hooks_destroy(hooks);
    turn();
}

static void programs_can_be_waited_for(void **state) {
    static const char *const good[] = {"sh", "-c", "read x && test \"$x\" = hello", NULL};
    static const char *const bad[] = {"sh", "-c", "exit 7", NULL};
    static const char *const slow[] = {"sleep", "1000", NULL};
    static const char *const none[] = {"no-such-program-here", NULL};
    wrn_span hello = {(const uint8_t *)"hello\n", 6};
    (void)state;
    assert_int_equal(wrn_spawn_wait(good, hello, 20000), 0);
    assert_int_equal(wrn_spawn_wait(bad, hello, 20000), 7);
    assert_int_equal(wrn_spawn_wait(slow, hello, 50), -ETIMEDOUT);
    assert_int_equal(wrn_spawn_wait(none, hello, 20000), -ENOENT);
    assert_true(wrn_spawn_exists("sh"));
    assert_false(wrn_spawn_exists(none[0]));
}

static int begin(void **state) {
    (void)state;
    wrn_log_init(&quiet, WRN_LOG_SILENT);
    return uv_loop_init(&loop) != 0 || mkdtemp(folder) == NULL;
}

static int end(void **state) {
    static const char *const args[] = {"rm", "-rf", folder, NULL};
    (void)state;
    return wrn_spawn_wait(args, (wrn_span){0}, 20000) != 0 || uv_loop_close(&loop) != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_run_in_order_with_the_event),
        cmocka_unit_test(the_environment_is_not_ours),
        cmocka_unit_test(who_stays_is_killed_with_all_that_it_began),
        cmocka_unit_test(what_others_may_write_is_not_run),
        cmocka_unit_test(too_many_are_left_out_and_the_end_is_at_once),
        cmocka_unit_test(programs_can_be_waited_for),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
