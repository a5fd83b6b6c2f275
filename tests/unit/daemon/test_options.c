/* SPDX-License-Identifier: Apache-2.0 */
/* The command line and the configuration file of warrend: what is taken, and that each refusal
 * names where it is and what may stand there. */
#include "daemon/options.h"

#include "unit/base/check.h"
#include "wg/uapi.h"

static struct wrn_daemon_options options;
static char why[WRN_OPTIONS_WHY_SIZE];

static int read_text(const char *text) {
    wrn_options_default(&options);
    return wrn_options_read((wrn_span){(const uint8_t *)text, strlen(text)}, "warrend.conf",
                            &options, why);
}

static int parse(bool only_config, const char *first, const char *second) {
    char *argv[] = {(char[]){"warrend"}, (char *)(uintptr_t)first, (char *)(uintptr_t)second, NULL};
    return wrn_options_parse(second != NULL  ? 3
                             : first != NULL ? 2
                                             : 1,
                             argv, only_config, &options, why);
}

static void a_file_says_all_but_its_own_name(void **state) {
    (void)state;
    assert_int_equal(read_text("# all of it\n"
                               "state = /srv/warren\r\n"
                               "  socket=/run/w.sock  # where\n"
                               "\n"
                               "listen = 41000\n"
                               "workers = auto\n"
                               "offloads = gso,gro\n"
                               "log-level = verbose\n"
                               "hooks = /etc/warren/hooks\n"
                               "log = /var/log/warrend\n"
                               "metrics = [::1]:9586\n"
                               "announce = no\n"
                               "map-ports = no\n"
                               "dns = no\n"
                               "tell-resolver = no\n"
                               "aes = no\n"
                               "foreground = yes"),
                     0);
    assert_string_equal(options.state, "/srv/warren");
    assert_string_equal(options.socket, "/run/w.sock");
    assert_string_equal(options.hooks, "/etc/warren/hooks");
    assert_string_equal(options.log, "/var/log/warrend");
    assert_string_equal(options.metrics, "[::1]:9586");
    assert_int_equal(options.port, 41000);
    assert_int_equal(options.workers, 0);
    assert_int_equal(options.offloads, WRN_UAPI_OFFLOAD_GSO | WRN_UAPI_OFFLOAD_GRO);
    assert_int_equal(options.log_level, WRN_LOG_VERBOSE);
    assert_false(options.announces || options.maps_ports || options.resolves ||
                 options.tells_resolver || options.speaks_aes);
    assert_true(options.foreground);
}

static void a_refusal_names_file_line_and_what_may_stand_there(void **state) {
    static const struct {
        const char *text, *where, *what;
    } wrong[] = {
        {"listen = 41000\nworkers = 65", "warrend.conf, line 2", "1 to 64"},
        {"listen = 65536", "line 1", "0 to 65535"},
        {"listen =", "line 1", "0 to 65535"},
        {"listen = 1x", "line 1", "0 to 65535"},
        {"\n\nlisten 41000", "line 3", "'=' is missing"},
        {"state =", "line 1", "1 to 511"},
        {"offloads = tso9", "line 1", "tso4"},
        {"log-level = loud", "line 1", "silent, error, info or verbose"},
        {"dns = perhaps", "line 1", "yes or no"},
        {"metrics = 9586", "line 1", "unix:/PATH"},
        {"metrics = localhost:9586", "line 1", "127.0.0.1:9586"},
        {"metrics = unix:run/m", "line 1", "unix:/PATH"},
        {"metrics = 127.0.0.1:0", "line 1", "127.0.0.1:9586"},
        {"lisen = 1", "line 1", "\"lisen\"; warrend --help"},
        {"config = other", "line 1", "no option"},
        {"= 1", "line 1", "no option"},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(wrong); i++) {
        CHECK(read_text(wrong[i].text) == -EINVAL, "%s", wrong[i].text);
        CHECK(strstr(why, wrong[i].where) != NULL, "%s: %s", wrong[i].text, why);
        CHECK(strstr(why, wrong[i].what) != NULL, "%s: %s", wrong[i].text, why);
    }
}

static void the_line_stands_above_the_file(void **state) {
    (void)state;
    assert_int_equal(read_text("listen = 1\ndns = no\nforeground = yes"), 0);
    assert_int_equal(parse(false, "--listen", "2"), 0);
    assert_int_equal(parse(false, "--dns", "--no-foreground"), 0);
    assert_int_equal(parse(false, "--state=/tmp/s", NULL), 0);
    assert_int_equal(options.port, 2);
    assert_true(options.resolves);
    assert_false(options.foreground);
    assert_string_equal(options.state, "/tmp/s");
}

static void the_first_look_takes_the_files_name_alone(void **state) {
    (void)state;
    wrn_options_default(&options);
    assert_int_equal(parse(true, "--listen", "2"), 0);
    assert_int_equal(options.port, 0);
    assert_int_equal(parse(true, "--config", "a.conf"), 0);
    assert_string_equal(options.config, "a.conf");
}

static void a_wrong_line_is_refused_by_name(void **state) {
    static const struct {
        const char *first, *second, *what;
    } wrong[] = {
        {"wrn0", NULL, "wrn0"},
        {"-f", NULL, "-f"},
        {"--listen", NULL, "missing behind --listen"},
        {"--listen", "x", "--listen: it is a port"},
        {"--no-listen", NULL, "--no-listen"},
        {"--no-dns=yes", NULL, "--no-dns"},
        {"--", NULL, "--"},
        {"--colour", NULL, "--colour"},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(wrong); i++) {
        wrn_options_default(&options);
        CHECK(parse(false, wrong[i].first, wrong[i].second) == -EINVAL, "%s", wrong[i].first);
        CHECK(strstr(why, wrong[i].what) != NULL, "%s: %s", wrong[i].first, why);
    }
}

static void help_lists_every_option(void **state) {
    static const char *const names[] = {"--config", "--state",     "--socket",  "--listen",
                                        "--log",    "--log-level", "--workers", "--offloads",
                                        "--hooks",  "--foreground"};
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(names); i++) {
        CHECK(strstr(wrn_options_usage(), names[i]) != NULL, "%s", names[i]);
    }
    assert_int_equal(parse(false, "--help", NULL), 0);
    assert_int_equal(options.action, WRN_OPTIONS_HELP);
}

static void a_path_that_is_too_long_is_refused(void **state) {
    char path[WRN_OPTIONS_PATH_MAX + 1];
    (void)state;
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    wrn_options_default(&options);
    assert_int_equal(parse(false, "--state", path), -EINVAL);
    path[sizeof path - 2] = '\0';
    assert_int_equal(parse(false, "--state", path), 0);
    assert_string_equal(options.state, path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_says_all_but_its_own_name),
        cmocka_unit_test(a_refusal_names_file_line_and_what_may_stand_there),
        cmocka_unit_test(the_line_stands_above_the_file),
        cmocka_unit_test(the_first_look_takes_the_files_name_alone),
        cmocka_unit_test(a_wrong_line_is_refused_by_name),
        cmocka_unit_test(help_lists_every_option),
        cmocka_unit_test(a_path_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
