/* SPDX-License-Identifier: Apache-2.0 */
/* What commands send to a daemon and make of its answers, with a daemon that says what it is told
 * to. */
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/commands.h"
#include "unit/base/check.h"

enum { ARGUMENTS_MAX = 12, LINE_MAX_BYTES = 4096, NOW = 1795268220 /* 2026-11-21T13:37:00Z */ };

/* Goal: each command asks what docs/control.md says, and shows what comes back; errors give the
 * exit codes. Method: a socket whose other end answers the first line that comes. */
static const struct {
    const char *argv[ARGUMENTS_MAX]; /* without program and --socket */
    const char *asked;               /* the request without jsonrpc and id; NULL: nothing is sent */
    const char *answer;              /* the result, or an error */
    int code;
    const char *shown; /* a part of what is printed */
} cases[] = {
    {{"peers", "lab"},
     "\"method\":\"peers\",\"params\":{\"network\":\"lab\"}",
     "\"result\":{\"network\":\"lab\",\"peers\":[{\"name\":\"bob\",\"hit\":\"2001:25::1\","
     "\"ipv4\":\"10.7.0.9\",\"rtt_ms\":12.34,\"path\":\"relayed\",\"relay_name\":\"hub\","
     "\"why_relayed\":\"both NATs choose random ports\"}]}",
     WRN_CLI_DONE,
     "bob  10.7.0.9  12.3 ms  relayed by hub: both NATs choose random ports\n"},
    {{"peers", "lab"}, /* columns are as wide as what is in them */
     "\"method\":\"peers\",\"params\":{\"network\":\"lab\"}",
     "\"result\":{\"network\":\"lab\",\"peers\":[{\"name\":\"a-name-of-more-than-twenty\","
     "\"ipv4\":\"10.7.0.9\",\"rtt_ms\":112.34,\"path\":\"direct\"},"
     "{\"name\":\"b\\u00e9\",\"rtt_ms\":1.0,\"path\":\"lost\"}]}",
     WRN_CLI_DONE,
     "a-name-of-more-than-twenty  10.7.0.9  112.3 ms  direct\n"
     "b\xc3\xa9                          -           1.0 ms  lost\n"},
    {{"status"}, /* connected or not, to how many and how, or why not: in the first lines */
     "\"method\":\"status\",\"params\":{}",
     "\"result\":{\"version\":\"1\",\"now_s\":2000,\"networks\":["
     "{\"name\":\"a\",\"peers\":[{\"path\":\"direct\"},{\"path\":\"relayed\"},{\"path\":"
     "\"relayed\"},{\"path\":\"lost\"}]},"
     "{\"name\":\"b\",\"peers\":[{\"path\":\"direct\"}],\"trouble\":\"no free address\"},"
     "{\"name\":\"c\",\"trouble\":\"nobody answers; is UDP blocked?\"},"
     "{\"name\":\"d\",\"trouble\":\"revoked\"},"
     "{\"name\":\"e\",\"state\":\"joining\"},"
     "{\"name\":\"f\",\"state\":\"connected\",\"nodes\":1},"
     "{\"name\":\"g\",\"state\":\"connected\",\"nodes\":7},"
     "{\"name\":\"h\",\"created_s\":1795268220}],"
     "\"unserved\":[{\"id\":\"0123456789abcdef0\",\"trouble\":\"its file is damaged\"}]}",
     WRN_CLI_DONE,
     "a: connected to 3 machines, 1 directly, 2 by relay\n"
     "b: connected to 1 machine, directly; but no free address\n"
     "c: NOT connected: nobody answers; is UDP blocked? look: warren netcheck\n"
     "d: NOT connected: revoked; look: warren doctor\n"
     "e: connecting: it looks for the other machines; wait for it: warren wait ready e\n"
     "f: alone: nobody else is in it now; invite somebody: warren invite f\n"
     "g: no peers: 7 machines are in it now, and none is reached; look: warren netcheck\n"
     "h: NOT connected: the clock of this machine shows 1970-01-01T00:33:20Z, before the network "
     "was made; set it: timedatectl set-ntp true\n"
     "0123456789abcdef: NOT served: its file is damaged\n"},
    {{"peers"},
     "\"method\":\"peers\",\"params\":{}",
     "\"result\":{\"network\":\"lab\",\"peers\":[{\"name\":\"b\\u001b[2Jb\",\"path\":\"lost\"}]}",
     WRN_CLI_DONE,
     "b?[2Jb"}, /* nothing that comes over the net reaches the terminal's ear */
    {{"ping", "bob", "--network", "lab", "--timeout", "7"},
     "\"method\":\"ping\",\"params\":{\"to\":\"bob\",\"timeout_s\":7,\"network\":\"lab\"}",
     "\"result\":{\"name\":null,\"hit\":\"2001:25::1\",\"ipv4\":null,\"rtt_ms\":9.0,\"probe_ms\":1."
     "0,\"path\":"
     "\"direct\",\"endpoint\":\"192.0.2.1:7\"}",
     WRN_CLI_DONE,
     "2001:25::1: 1.0 ms, direct 192.0.2.1:7\n"},
    {{"wait", "members", "5"},
     "\"method\":\"wait\",\"params\":{\"for\":\"members\",\"count\":5}",
     "\"error\":{\"code\":4,\"message\":\"not yet\"}",
     WRN_CLI_REFUSED,
     "warren: not yet\n"},
    {{"wait", "--json"},
     "\"method\":\"wait\",\"params\":{\"for\":\"ready\"}",
     "\"error\":{\"code\":4,\"message\":\"not yet\",\"data\":{\"reason\":\"TIMEOUT\"}}",
     WRN_CLI_REFUSED,
     "\"reason\": \"TIMEOUT\""},
    {{"resolve", "bob"},
     "\"method\":\"resolve\",\"params\":{\"name\":\"bob\"}",
     "\"error\":{\"code\":-32602,\"message\":\"nobody can be called so\"}",
     WRN_CLI_USAGE,
     "nobody can be called so"},
    {{"trace", "bob", "--protocol", "tcp", "--port=22", "--inbound"},
     "\"method\":\"trace\",\"params\":{\"to\":\"bob\",\"inbound\":true,\"protocol\":\"tcp\","
     "\"port\":22}",
     "\"result\":{\"passes\":false,\"text\":\"no rule\",\"certificate\":null}",
     WRN_CLI_REFUSED,
     "refused: no rule\n"},
    {{"member", "promote", "bob", "--role", "inviter", "--expires", "30d"},
     "\"method\":\"member.promote\",\"params\":{\"member\":\"bob\",\"may_delegate\":true,"
     "\"rights\":[\"member\",\"invite\"],\"until_s\":1797860220}",
     "\"result\":{\"name\":\"bob\"}",
     WRN_CLI_DONE,
     "bob has got inviter\n"},
    {{"member", "revoke", "bob"},
     "\"method\":\"member.revoke\",\"params\":{\"member\":\"bob\"}",
     "\"result\":{\"name\":\"bob\",\"revoked\":2}",
     WRN_CLI_DONE,
     "2 certificates revoked\n"},
    {{"invite", "lab", "--uses", "3", "--allow", "tcp/22", "--allow", "icmp"},
     "\"method\":\"invite\",\"params\":{\"network\":\"lab\",\"allow\":[\"tcp/22\",\"icmp\"],"
     "\"uses\":3}",
     "\"result\":{\"line\":\"warren:1:AAA\",\"qr\":\"WARREN:1:A\",\"file\":\"{A}\\n\",\"uses\":3,"
     "\"until_s\":1797860220,\"network\":\"lab\"}",
     WRN_CLI_DONE,
     "warren:1:AAA\n"},
    {{"network", "create", "lab", "--ipv4", "10.7.0.0/24", "--open"},
     "\"method\":\"network.create\",\"params\":{\"name\":\"lab\",\"ipv4\":\"10.7.0.0/24\","
     "\"open\":true}",
     "\"result\":{\"name\":\"lab\",\"state\":\"connected\",\"nodes\":1,\"addresses\":[\"10.7.0.2/"
     "24\"],\"rights\":[\"owner\"],\"until_s\":null,\"trouble\":\"a cable is missing\"}",
     WRN_CLI_DONE,
     "  trouble: a cable is missing\n"},
    {{"dht", "get", "svc/x"},
     "\"method\":\"dht.get\",\"params\":{\"key\":\"svc/x\"}",
     "\"result\":{\"records\":[]}",
     WRN_CLI_REFUSED,
     "there is no record under \"svc/x\""},
    {{"doctor"},
     "\"method\":\"doctor\",\"params\":{}",
     "\"result\":{\"findings\":[{\"what\":\"clock\",\"state\":\"fault\",\"text\":\"is wrong\","
     "\"fix\":\"set it\"}]}",
     WRN_CLI_REFUSED,
     "fault    clock: is wrong\n         -> set it\n"},
    {{"log", "verbose", "--json"},
     "\"method\":\"log\",\"params\":{\"level\":\"verbose\"}",
     "\"result\":{\"level\":\"verbose\"}",
     WRN_CLI_DONE,
     "\"level\": \"verbose\""},
    {{"status"}, "\"method\":\"status\",\"params\":{}", "", WRN_CLI_NO_DAEMON, "is not warrend"},

    {{"wait", "for-ever"}, NULL, NULL, WRN_CLI_USAGE, "not \"for-ever\""},
    {{"wait", "members"}, NULL, NULL, WRN_CLI_USAGE, "how many"},
    {{"wait", "members", "1.5"}, NULL, NULL, WRN_CLI_USAGE, "whole number"},
    {{"ping", "bob", "--timeout", "soon"}, NULL, NULL, WRN_CLI_USAGE, "whole number"},
    {{"invite", "--expires", "-1h"}, NULL, NULL, WRN_CLI_USAGE, "in the past"},
    {{"invite", "--qr=picture.png"}, NULL, NULL, WRN_CLI_USAGE, "SVG"},
    {{"member", "promote", "bob"}, NULL, NULL, WRN_CLI_USAGE, "--role"},
    {{"join", "/no/such/file"}, NULL, NULL, WRN_CLI_REFUSED, "neither an invitation"},
};

/* Answers one request in a process of its own; what came goes into the pipe. */
static pid_t serve(int listener, const char *answer, int pipe_fd) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        return pid;
    }
    char line[LINE_MAX_BYTES];
    char said[LINE_MAX_BYTES];
    size_t used = 0;
    int fd = accept(listener, NULL, NULL);
    while (fd >= 0 && memchr(line, '\n', used) == NULL && used < sizeof line) {
        ssize_t got = read(fd, line + used, sizeof line - used);
        if (got <= 0) {
            break;
        }
        used += (size_t)got;
    }
    int length = snprintf(said, sizeof said, "{\"jsonrpc\":\"2.0\",\"id\":1%s%s}\n",
                          *answer != '\0' ? "," : "", answer);
    bool is_good =
        write(pipe_fd, line, used) == (ssize_t)used && write(fd, said, (size_t)length) == length;
    _exit(is_good ? 0 : 1);
}

/* A socket of the test's own, and its path. */
static int listen_somewhere(char ret_folder[32], struct sockaddr_un *ret_address) {
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_folder, "/tmp/warren-call-XXXXXX", sizeof "/tmp/warren-call-XXXXXX");
    assert_non_null(mkdtemp(ret_folder));
    (void)snprintf(ret_address->sun_path, sizeof ret_address->sun_path, "%s/s", ret_folder);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)ret_address, sizeof *ret_address), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static int run(size_t index, const char *path, char **ret_text) {
    char *argv[ARGUMENTS_MAX + 4] = {(char[]){"warren"}};
    int argc = 1;
    size_t size = 0;
    struct wrn_cli cli;
    for (size_t i = 0; i < ARGUMENTS_MAX && cases[index].argv[i] != NULL; i++) {
        argv[argc++] = (char *)(uintptr_t)cases[index].argv[i];
    }
    argv[argc++] = (char[]){"--socket"};
    argv[argc++] = (char *)(uintptr_t)path;
    FILE *out = open_memstream(ret_text, &size);
    wrn_cli_init(&cli, out, out, NOW);
    int code = wrn_command_main(&cli, &wrn_commands, argc, argv);
    wrn_cli_finish(&cli);
    assert_int_equal(fclose(out), 0);
    return code;
}

static void commands_ask_and_show(void **state) {
    char folder[32];
    struct sockaddr_un address;
    int listener = listen_somewhere(folder, &address);
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        int ends[2];
        char asked[LINE_MAX_BYTES] = "";
        char *text = NULL;
        pid_t server = -1;
        assert_int_equal(pipe(ends), 0);
        if (cases[i].asked != NULL) {
            server = serve(listener, cases[i].answer, ends[1]);
        }
        (void)close(ends[1]);
        int code = run(i, address.sun_path, &text);
        CHECK(code == cases[i].code, "case %zu: %d, %s: ", i, code, text);
        CHECK(strstr(text, cases[i].shown) != NULL, "case %zu: %s: ", i, text);
        if (server > 0) {
            int status = 1;
            assert_int_equal(waitpid(server, &status, 0), server);
            assert_int_equal(status, 0);
            assert_true(read(ends[0], asked, sizeof asked - 1) > 0);
            CHECK(strstr(asked, cases[i].asked) != NULL, "case %zu: %s: ", i, asked);
            assert_non_null(strstr(asked, "\"jsonrpc\":\"2.0\""));
        }
        (void)close(ends[0]);
        free(text);
    }
    (void)close(listener);
    char *text = NULL; /* its file is there still, and nobody listens */
    assert_int_equal(run(0, address.sun_path, &text), WRN_CLI_NO_DAEMON);
    assert_non_null(strstr(text, "sudo warren up"));
    free(text);
    (void)unlink(address.sun_path);
    (void)rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(commands_ask_and_show)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
