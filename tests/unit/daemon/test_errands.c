/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the steward runs what stands on the list and nothing else, whatever a daemon that somebody
 * has taken over asks it for. Method: tables of wishes for the judge; then a steward, asked from a
 * process as the daemon is one. */
#define _GNU_SOURCE /* memfd_create */
#include "daemon/errands.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "unit/base/check.h"

enum { WORDS = 6, PATH_SIZE = 512, NOBODY = 65534 };

static char folder[] = "/tmp/warren-errands-XXXXXX";
static char hooks[PATH_SIZE];

static const struct {
    const char *args[WORDS + 1];
    const char *input;
} allowed[] = {
    {{"nft", "-j", "list", "ruleset"}, ""},
    {{"resolvectl", "domain", "wrn0", "~lab.warren", "~9.10.in-addr.arpa"}, ""},
    {{"resolvectl", "domain", "wrn0"}, ""},
    {{"resolvectl", "default-route", "wrn0", "no"}, ""},
    {{"resolvectl", "dns", "wrn0", "10.9.0.53"}, ""},
    {{"resolvectl", "dns", "wrn0", "fd00::53"}, ""},
    {{"resolvectl", "revert", "wrn0"}, ""},
    {{"resolvconf", "-a", "tun0.wrn0.warren"}, "nameserver 10.9.0.53\n"},
    {{"resolvconf", "-d", "tun0.wrn0.warren"}, ""},
};

static const struct {
    const char *args[WORDS + 1];
    const char *input;
} refused[] = {
    {{"sh", "-c", "id"}, ""},
    {{"/bin/sh"}, ""},
    {{"/bin/sh"}, "id\n"},
    {{"nft"}, ""},
    {{"nft", "-f", "-"}, "flush ruleset\n"},
    {{"nft", "-j", "list", "ruleset", "x"}, ""},
    {{"nft", "-j", "list", "ruleset"}, "x"},
    {{"/usr/sbin/nft", "-j", "list", "ruleset"}, ""},
    {{"resolvectl", "dns", "wrn0", "10.9.0.53", "10.9.0.54"}, ""},
    {{"resolvectl", "dns", "wrn0", "example.org"}, ""},
    {{"resolvectl", "dns", "--help", "10.9.0.53"}, ""},
    {{"resolvectl", "dns", "a/b", "10.9.0.53"}, ""},
    {{"resolvectl", "domain", "wrn0", "warren"}, ""},
    {{"resolvectl", "domain", "wrn0", "~a b"}, ""},
    {{"resolvectl", "domain", "wrn0", "~."}, "x"},
    {{"resolvectl", "dnssec", "wrn0", "yes"}, ""},
    {{"resolvectl", "flush-caches"}, ""},
    {{"resolvconf", "-a", "tun0.wrn0.warren"}, ""},
    {{"resolvconf", "-a", "tun0.wrn0.warren"}, "nameserver 10.9.0.53\noptions x\n"},
    {{"resolvconf", "-a", "tun0.wrn0.warren"}, "nameserver `id`\n"},
    {{"resolvconf", "-a", "eth0"}, "nameserver 10.9.0.53\n"},
    {{"resolvconf", "-a", "tun0.../../x.warren"}, "nameserver 10.9.0.53\n"},
    {{"resolvconf", "-a", "tun0..warren"}, "nameserver 10.9.0.53\n"},
    {{"resolvconf", "-u"}, ""},
    {{""}, ""},
};

static wrn_span span_of(const char *text) {
    return (wrn_span){(const uint8_t *)text, strlen(text)};
}

static void commands_in_their_forms(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(allowed); i++) {
        CHECK(wrn_errands_judge(hooks, allowed[i].args, span_of(allowed[i].input)) ==
                  WRN_STEWARD_AS_ROOT,
              "allowed %zu: %s %s\n", i, allowed[i].args[0], allowed[i].args[1]);
    }
}

static void everything_else_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(refused); i++) {
        CHECK(wrn_errands_judge(hooks, refused[i].args, span_of(refused[i].input)) ==
                  WRN_STEWARD_REFUSED,
              "refused %zu: %s\n", i, refused[i].args[0]);
    }
}

static void place(const char *name, mode_t mode, const char *text) {
    char path[2 * PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/%s", hooks, name);
    if (text == NULL) {
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
    } else {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
    assert_int_equal(chmod(path, mode), 0);
}

static enum wrn_steward_verdict judge_hook(const char *name) {
    char path[2 * PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/%s", hooks, name);
    const char *const args[] = {path, NULL};
    return wrn_errands_judge(hooks, args, span_of("{\"event\":\"peer.up\"}\n"));
}

static void hooks_of_the_folder_alone(void **state) {
    static const char script[] = "#!/bin/sh\nid -u >out\n";
    (void)state;
    place("peer.up.d", 0755, NULL);
    place("peer.up.d/10-good", 0755, script);
    place("peer.up.d/20-open", 0777, script);
    place("peer.up.d/.hidden", 0755, script);
    place("beside", 0755, script);
    place("open.d", 0777, NULL);
    place("open.d/10-good", 0755, script);
    assert_int_equal(judge_hook("peer.up.d/10-good"), WRN_STEWARD_AS_USER);
    static const char *const bad[] = {
        "peer.up.d/20-open",
        "peer.up.d/.hidden",
        "beside",
        "open.d/10-good",
        "peer.up.d/none",
        "peer.up.d/../beside",
        "peer.up.d",
        "../hooks/beside",
        "peer.up.d/x/../10-good",
        "",
        ".d/10-good",
        "peer.up.d//10-good",
    };
    for (size_t i = 0; i < WRN_COUNT(bad); i++) {
        CHECK(judge_hook(bad[i]) == WRN_STEWARD_REFUSED, "%s\n", bad[i]);
    }
    char path[2 * PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/peer.up.d/10-good", hooks);
    const char *const more[] = {path, "argument", NULL};
    assert_int_equal(wrn_errands_judge(hooks, more, (wrn_span){0}), WRN_STEWARD_REFUSED);
}

/* Runs it by the steward; its status, or the -errno of being refused. */
static int run(const char *const *args, const char *input) {
    int channel = -1;
    int32_t status = 0;
    int fd = memfd_create("input", MFD_CLOEXEC);
    assert_true(fd >= 0 && write(fd, input, strlen(input)) == (ssize_t)strlen(input) &&
                lseek(fd, 0, SEEK_SET) == 0);
    int error = wrn_steward_run(args, fd, -1, &channel);
    (void)close(fd);
    if (error != 0) {
        return error;
    }
    assert_int_equal(recv(channel, &status, sizeof status, MSG_WAITALL), sizeof status);
    (void)close(channel);
    return status;
}

static void the_steward_refuses_and_lives_on(void **state) {
    struct wrn_steward_options options = {
        .judge = wrn_errands_judge, .ctx = hooks, .uid = geteuid(), .gid = getegid()};
    char script[4 * PATH_SIZE], path[2 * PATH_SIZE], out[2 * PATH_SIZE];
    bool is_there = true;
    (void)state;
    if (geteuid() == 0) {
        options.uid = NOBODY;
        options.gid = NOBODY;
    }
    (void)snprintf(out, sizeof out, "%s/out", folder);
    (void)snprintf(script, sizeof script,
                   "#!/bin/sh\n{ id -u; grep -E 'CapEff|NoNewPrivs' /proc/self/status; } >%s\n",
                   out);
    place("peer.up.d", 0755, NULL);
    place("peer.up.d/30-who", 0755, script);
    FILE *file = fopen(out, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(out, 0666), 0);
    assert_int_equal(wrn_steward_start(&options), 0);
    for (size_t i = 0; i < WRN_COUNT(refused); i++) {
        CHECK(run(refused[i].args, refused[i].input) == -EPERM, "refused %zu\n", i);
    }
    assert_true(wrn_steward_has_socket(&is_there) && !is_there);
    assert_false(wrn_steward_remove_socket());
    (void)snprintf(path, sizeof path, "%s/peer.up.d/30-who", hooks);
    const char *const hook[] = {path, NULL};
    assert_int_equal(run(hook, "{}\n"), 0);
    char text[PATH_SIZE] = "", wanted[PATH_SIZE];
    file = fopen(out, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(wanted, sizeof wanted, "%u\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n",
                   (unsigned)options.uid);
    assert_string_equal(text, wanted);
    wrn_steward_stop();
}

static int begin(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0) {
        return -1;
    }
    (void)snprintf(hooks, sizeof hooks, "%s/hooks", folder);
    return mkdir(hooks, 0700) != 0 || chmod(hooks, 0755) != 0;
}

static int end(void **state) {
    const char *const args[] = {"rm", "-rf", folder, NULL};
    (void)state;
    return run(args, ""); /* without a steward */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_in_their_forms),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(hooks_of_the_folder_alone),
        cmocka_unit_test(the_steward_refuses_and_lives_on),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
