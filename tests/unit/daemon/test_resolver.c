/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: who is in charge of the host's names is told of a network's and told again when it goes,
 * after a crash too; where nobody is in charge nothing is touched. Method: programs of the test's
 * own, which note how they were called. */
#define _GNU_SOURCE /* O_PATH */
#include "daemon/resolver.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <uv.h>

#include "daemon/spawn.h"
#include "io/clock.h"
#include "unit/base/check.h"

enum { WAIT_S = 30, PATH_SIZE = 256, TEXT_SIZE = 4096 };

static uv_loop_t loop;
static struct wrn_log quiet;
static char folder[] = "/tmp/warren-resolver-XXXXXX";
static char socket_path[PATH_SIZE], resolvectl[PATH_SIZE], resolvconf[PATH_SIZE];
static char resolv_conf[PATH_SIZE];
static struct wrn_resolver_places places;
static int folder_fd;

static const struct wrn_resolver_entry entry = {
    .interface = "lo", /* which is there */
    .zone = {.network = "home",
             .ipv4 = {.ip = {.family = WRN_FAMILY_IPV4, .bytes = {10, 77}}, .length_bits = 16},
             .ipv6 = {.ip = {.family = WRN_FAMILY_IPV6, .bytes = {0xfd, 1}}, .length_bits = 64},
             .resolver = {.family = WRN_FAMILY_IPV4, .bytes = {10, 77, 0, 1}}}};

static void write_file(const char *path, const char *text, mode_t mode) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static const char *read_text(const char *name) {
    static char text[TEXT_SIZE];
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    size_t size = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    text[size] = '\0';
    if (file != NULL) {
        (void)fclose(file);
    }
    return text;
}

/* What was called since the last time. */
static const char *calls(void) {
    const char *text = read_text("calls");
    (void)unlinkat(folder_fd, "calls", 0);
    return text;
}

static void turn(void) {
    wrn_mono end = wrn_mono_add(wrn_clock_read().mono, WRN_S(WAIT_S));
    while (uv_run(&loop, UV_RUN_ONCE) != 0) {
        assert_false(wrn_mono_reached(wrn_clock_read().mono, end));
    }
}

static void program(const char *path, const char *name, const char *more) {
    char text[TEXT_SIZE];
    (void)snprintf(text, sizeof text, "#!/bin/sh\necho %s \"$@\" >>%s/calls\n%s\n", name, folder,
                   more);
    write_file(path, text, 0700);
}

static int setup(void **state) {
    (void)state;
    (void)unlinkat(folder_fd, "resolver", 0);
    (void)unlink(socket_path);
    (void)unlink(resolv_conf);
    (void)calls();
    program(resolvectl, "resolvectl", "");
    program(resolvconf, "resolvconf", "test \"$1\" = -d || cat >>$(dirname $0)/calls");
    return 0;
}

static struct wrn_resolver *create(bool may_tell) {
    struct wrn_resolver *resolver = NULL;
    assert_int_equal(wrn_resolver_create(&loop, &quiet, folder_fd, &places, may_tell, &resolver),
                     0);
    return resolver;
}

#define DOMAINS                                                                                    \
    "~home.warren ~77.10.in-addr.arpa "                                                            \
    "~0.0.0.0.0.0.0.0.0.0.0.0.1.0.d.f.ip6.arpa"

static void resolved_is_told_and_told_again(void **state) {
    char text[WRN_RESOLVER_TEXT_SIZE];
    (void)state;
    write_file(socket_path, "", 0600);
    write_file(resolv_conf, "nameserver 127.0.0.53\n", 0600);
    assert_int_equal(wrn_resolver_find(&places), WRN_RESOLVER_RESOLVED);
    struct wrn_resolver *resolver = create(true);
    assert_false(wrn_resolver_describe(resolver, &entry, text));
    wrn_resolver_tell(resolver, &entry);
    assert_false(wrn_resolver_describe(resolver, &entry, text));
    assert_non_null(strstr(text, "is being told"));
    turn();
    assert_string_equal(calls(), "resolvectl domain lo " DOMAINS "\n"
                                 "resolvectl default-route lo no\n"
                                 "resolvectl dnssec lo no\n"
                                 "resolvectl llmnr lo no\n"
                                 "resolvectl mdns lo no\n"
                                 "resolvectl dns lo 10.77.0.1\n");
    assert_true(wrn_resolver_describe(resolver, &entry, text));
    assert_non_null(strstr(text, "home.warren"));
    write_file(resolv_conf, "# not 127.0.0.53\nnameserver 192.0.2.1\n", 0600);
    assert_false(wrn_resolver_describe(resolver, &entry, text));
    assert_non_null(strstr(text, "stub-resolv.conf"));
    wrn_resolver_untell(resolver, "lo");
    turn();
    assert_string_equal(calls(), "resolvectl revert lo\n");
    wrn_resolver_tell(resolver, &entry);
    turn();
    (void)calls();
    wrn_resolver_destroy(resolver);
    assert_string_equal(calls(), "resolvectl revert lo\n");
    assert_string_equal(read_text("resolver"), "");
    turn();
}

static void interfaces_that_have_gone_need_no_word(void **state) {
    struct wrn_resolver_entry gone = entry;
    (void)state;
    write_file(socket_path, "", 0600);
    (void)snprintf(gone.interface, sizeof gone.interface, "wrn-not-there");
    struct wrn_resolver *resolver = create(true);
    wrn_resolver_tell(resolver, &gone);
    turn();
    (void)calls();
    wrn_resolver_destroy(resolver);
    assert_string_equal(calls(), "");
    turn();
}

static void resolvconf_gets_a_record_and_loses_it(void **state) {
    char text[WRN_RESOLVER_TEXT_SIZE];
    (void)state;
    write_file(resolv_conf, "# Generated by resolvconf\nnameserver 192.0.2.1\n", 0600);
    struct wrn_resolver *resolver = create(true);
    wrn_resolver_tell(resolver, &entry);
    assert_string_equal(read_text("resolver"), "tun0.lo.warren\n"); /* before it is done */
    turn();
    assert_string_equal(calls(), "resolvconf -a tun0.lo.warren\nnameserver 10.77.0.1\n");
    assert_true(wrn_resolver_describe(resolver, &entry, text));
    wrn_resolver_untell(resolver, "lo");
    turn();
    assert_string_equal(calls(), "resolvconf -d tun0.lo.warren\n");
    assert_string_equal(read_text("resolver"), "");
    wrn_resolver_tell(resolver, &entry);
    turn();
    assert_string_equal(calls(), "resolvconf -a tun0.lo.warren\nnameserver 10.77.0.1\n");
    wrn_resolver_destroy(resolver);
    assert_string_equal(calls(), "resolvconf -d tun0.lo.warren\n");
    assert_string_equal(read_text("resolver"), "");
    turn();
}

static void what_a_crash_left_is_removed(void **state) {
    char note[PATH_SIZE];
    (void)state;
    (void)snprintf(note, sizeof note, "%s/resolver", folder);
    write_file(note, "wrn0.warren\nwrn1.warren\n", 0600);
    struct wrn_resolver *resolver = create(false); /* also if nobody is to be told any more */
    turn();
    assert_string_equal(calls(), "resolvconf -d wrn0.warren\nresolvconf -d wrn1.warren\n");
    assert_string_equal(read_text("resolver"), "");
    wrn_resolver_destroy(resolver);
    turn();
}

/* resolvconf is installed, but resolv.conf is somebody's own; or it would lead to us alone. */
static void nobody_s_file_is_taken_over(void **state) {
    static const char *const texts[] = {"nameserver 192.0.2.1\n", "", "# Generated by resolvconf\n",
                                        "# by hand\n#nameserver 192.0.2.1\n"};
    char text[WRN_RESOLVER_TEXT_SIZE];
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(texts); i++) {
        write_file(resolv_conf, texts[i], 0600);
        assert_int_equal(wrn_resolver_find(&places), WRN_RESOLVER_NONE);
        struct wrn_resolver *resolver = create(true);
        wrn_resolver_tell(resolver, &entry);
        turn();
        assert_false(wrn_resolver_describe(resolver, &entry, text));
        assert_non_null(strstr(text, "server=/home.warren/10.77.0.1"));
        wrn_resolver_untell(resolver, "lo");
        wrn_resolver_destroy(resolver);
        turn();
        assert_string_equal(read_text("resolv.conf"), texts[i]);
    }
    write_file(socket_path, "", 0600);
    struct wrn_resolver *resolver = create(false);
    wrn_resolver_tell(resolver, &entry);
    turn();
    assert_false(wrn_resolver_describe(resolver, &entry, text));
    assert_non_null(strstr(text, "told not to"));
    wrn_resolver_destroy(resolver);
    turn();
    assert_string_equal(calls(), "");
}

static void failures_are_said(void **state) {
    char text[WRN_RESOLVER_TEXT_SIZE];
    (void)state;
    write_file(socket_path, "", 0600);
    program(resolvectl, "resolvectl", "echo 'no bus here'; exit 1");
    struct wrn_resolver *resolver = create(true);
    wrn_resolver_tell(resolver, &entry);
    turn();
    assert_false(wrn_resolver_describe(resolver, &entry, text));
    assert_non_null(strstr(text, "no bus here"));
    assert_non_null(strstr(text, "by hand"));
    wrn_resolver_destroy(resolver);
    turn();
}

static void domains_are_those_of_the_ranges(void **state) {
    static const struct {
        uint8_t first, second, third, length_bits;
        const char *expected;
    } cases[] = {
        {10, 0, 0, 8, "home.warren 10.in-addr.arpa"},
        {10, 77, 4, 23, "home.warren 4.77.10.in-addr.arpa 5.77.10.in-addr.arpa"},
        {10, 77, 4, 24, "home.warren 4.77.10.in-addr.arpa"},
        {172, 16, 0, 12, NULL},        /* sixteen */
        {10, 0, 0, 11, "home.warren"}, /* too many */
    };
    char text[TEXT_SIZE];
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_dns_zone zone = {
            .network = "home",
            .ipv4 = {.ip = {.family = WRN_FAMILY_IPV4,
                            .bytes = {cases[i].first, cases[i].second, cases[i].third}},
                     .length_bits = cases[i].length_bits}};
        (void)wrn_resolver_domains(&zone, "", text, sizeof text);
        if (cases[i].expected != NULL) {
            assert_string_equal(text, cases[i].expected);
        } else {
            assert_non_null(strstr(text, " 16.172.in-addr.arpa "));
            assert_non_null(strstr(text, " 31.172.in-addr.arpa"));
            assert_null(strstr(text, " 32.172"));
        }
        (void)wrn_resolver_domains(&zone, "~", text, 14); /* what does not fit is left out */
        assert_string_equal(text, "~home.warren");
    }
}

static int begin(void **state) {
    (void)state;
    wrn_log_init(&quiet, WRN_LOG_SILENT);
    if (uv_loop_init(&loop) != 0 || mkdtemp(folder) == NULL) {
        return 1;
    }
    (void)snprintf(socket_path, PATH_SIZE, "%s/socket", folder);
    (void)snprintf(resolvectl, PATH_SIZE, "%s/resolvectl", folder);
    (void)snprintf(resolvconf, PATH_SIZE, "%s/resolvconf", folder);
    (void)snprintf(resolv_conf, PATH_SIZE, "%s/resolv.conf", folder);
    places = (struct wrn_resolver_places){.resolved_socket = socket_path,
                                          .resolvectl = resolvectl,
                                          .resolvconf = resolvconf,
                                          .resolv_conf = resolv_conf};
    folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return folder_fd < 0;
}

static int end(void **state) {
    static const char *const args[] = {"rm", "-rf", folder, NULL};
    (void)state;
    return wrn_spawn_wait(args, (wrn_span){0}, 20000) != 0 || uv_loop_close(&loop) != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(resolved_is_told_and_told_again, setup),
        cmocka_unit_test_setup(interfaces_that_have_gone_need_no_word, setup),
        cmocka_unit_test_setup(resolvconf_gets_a_record_and_loses_it, setup),
        cmocka_unit_test_setup(what_a_crash_left_is_removed, setup),
        cmocka_unit_test_setup(nobody_s_file_is_taken_over, setup),
        cmocka_unit_test_setup(failures_are_said, setup),
        cmocka_unit_test(domains_are_those_of_the_ranges),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
