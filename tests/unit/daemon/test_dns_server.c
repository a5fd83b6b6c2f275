/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: questions come in by datagram and by stream, in any pieces and numbers, and each gets its
 * own answer, at once or later. Method: real sockets on the loopback, the loop turned by hand. */
#include "daemon/dns_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <uv.h>

#include "io/clock.h"
#include "unit/base/check.h"

enum { WAIT_S = 20, LENGTH = 2, RCODE_AT = 3, SERVFAIL = 2, NXDOMAIN = 3, FORMERR = 1 };
enum { IS_PENDING = 1, IS_FOUND = 0 };

static uv_loop_t loop;
static struct wrn_log quiet;
static struct wrn_dns_server *server;
static uint16_t port;
static uint32_t tokens[WRN_DNS_PENDING_MAX * 2];
static size_t token_count;

/* Names that begin with 's' take time. */
static void ask(void *ctx, const struct wrn_names_question *question, uint32_t token,
                struct wrn_names_answer *ret_answer) {
    (void)ctx;
    *ret_answer = (struct wrn_names_answer){.found = WRN_NAMES_FOUND, .ttl_s = 60};
    ret_answer->ipv4 = (struct wrn_ip){.family = WRN_FAMILY_IPV4, .bytes = {10, 77, 0, 5}};
    if (question->label[0] == 's') {
        ret_answer->found = WRN_NAMES_PENDING;
        assert_true(token != 0 && token_count < WRN_COUNT(tokens));
        tokens[token_count++] = token;
    }
}

static struct wrn_dns_server_options options_of(uint16_t at) {
    struct wrn_dns_server_options options = {
        .loop = &loop, .log = &quiet, .port = at, .interface = 1, .ask = ask};
    options.zone = (struct wrn_dns_zone){
        .network = "home", .resolver = {.family = WRN_FAMILY_IPV4, .bytes = {127, 0, 0, 1}}};
    return options;
}

static int setup(void **state) {
    char why[WRN_DNS_WHY_SIZE];
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    wrn_log_init(&quiet, WRN_LOG_SILENT);
    int error = -EADDRINUSE;
    for (unsigned number = 0; error == -EADDRINUSE && number < 1000; number++) {
        port = (uint16_t)(20000 + ((unsigned)getpid() + number * 7) % 12000);
        struct wrn_dns_server_options options = options_of(port);
        error = wrn_dns_server_create(&options, &server, why);
    }
    assert_int_equal(error, 0);
    token_count = 0;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    wrn_dns_server_destroy(server);
    server = NULL;
    while (uv_run(&loop, UV_RUN_NOWAIT) != 0) {
    }
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

/* Turns the loop until 'fd' can be read (0: until 'count' questions wait). */
static void turn(int fd, size_t count) {
    wrn_mono end = wrn_mono_add(wrn_clock_read().mono, WRN_S(WAIT_S));
    for (;;) {
        struct pollfd wanted = {.fd = fd, .events = POLLIN};
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        if (fd != 0 ? poll(&wanted, 1, 0) == 1 : token_count >= count) {
            return;
        }
        assert_false(wrn_mono_reached(wrn_clock_read().mono, end));
    }
}

static size_t make(const char *label, uint8_t id, uint8_t *ret_query) {
    static const uint8_t end[] = "\4home\6warren\0\0\1\0"; /* and a 1, which is the last zero */
    uint8_t *at = ret_query;
    memcpy(at, (const uint8_t[]){0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, 12);
    size_t size = strlen(label);
    at[12] = (uint8_t)size;
    memcpy(at + 13, label, size);
    memcpy(at + 13 + size, end, sizeof end);
    at[13 + size + sizeof end - 1] = 1;
    return 13 + size + sizeof end;
}

static int open_client(int type) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* The next reply, without the length before it: checks id and code. */
static void check_reply(int fd, bool is_stream, uint8_t id, unsigned code) {
    uint8_t reply[WRN_DNS_REPLY_MAX];
    size_t size = sizeof reply;
    turn(fd, 0);
    if (is_stream) {
        assert_int_equal(recv(fd, reply, LENGTH, MSG_WAITALL), LENGTH);
        size = (size_t)reply[0] << 8 | reply[1];
        assert_in_range(size, 12, sizeof reply);
    }
    ssize_t got = recv(fd, reply, size, is_stream ? MSG_WAITALL : 0);
    assert_true(got >= 12 && (!is_stream || got == (ssize_t)size));
    assert_int_equal(reply[1], id);
    assert_int_equal(reply[RCODE_AT] & 15, code);
}

static void check_closed(int fd) {
    uint8_t byte;
    turn(fd, 0);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
}

static void datagrams_are_answered_at_once_or_later(void **state) {
    uint8_t query[WRN_DNS_QUERY_MAX];
    (void)state;
    int fd = open_client(SOCK_DGRAM);
    size_t size = make("host", 1, query);
    assert_int_equal(send(fd, query, size, 0), size);
    check_reply(fd, false, 1, IS_FOUND);
    size = make("slow", 2, query);
    assert_int_equal(send(fd, query, size, 0), size);
    turn(0, 1);
    size = make("host", 3, query); /* others need not wait for it */
    assert_int_equal(send(fd, query, size, 0), size);
    check_reply(fd, false, 3, IS_FOUND);
    const struct wrn_names_answer answer = {.found = WRN_NAMES_ABSENT};
    wrn_dns_server_on_answer(server, tokens[0], &answer);
    check_reply(fd, false, 2, NXDOMAIN);
    wrn_dns_server_on_answer(server, tokens[0], &answer); /* once is enough */
    assert_int_equal(wrn_dns_server_counts(server).replies, 3);
    assert_int_equal(wrn_dns_server_counts(server).queries, 3);
    close(fd);
}

static void too_many_at_once_are_told(void **state) {
    uint8_t query[WRN_DNS_QUERY_MAX];
    (void)state;
    int fd = open_client(SOCK_DGRAM);
    for (size_t i = 0; i < WRN_DNS_PENDING_MAX; i++) {
        size_t size = make("slow", (uint8_t)i, query);
        assert_int_equal(send(fd, query, size, 0), size);
        turn(0, i + 1);
    }
    size_t size = make("slow", 200, query);
    assert_int_equal(send(fd, query, size, 0), size);
    check_reply(fd, false, 200, SERVFAIL);
    assert_int_equal(wrn_dns_server_counts(server).overloads, 1);
    const struct wrn_names_answer answer = {.found = WRN_NAMES_ABSENT};
    wrn_dns_server_on_answer(server, tokens[5], &answer);
    check_reply(fd, false, 5, NXDOMAIN);
    size = make("slow", 201, query); /* there is room again */
    assert_int_equal(send(fd, query, size, 0), size);
    turn(0, WRN_DNS_PENDING_MAX + 1);
    close(fd);
}

static size_t put(uint8_t *bytes, const char *label, uint8_t id) {
    size_t size = make(label, id, bytes + LENGTH);
    bytes[0] = 0;
    bytes[1] = (uint8_t)size;
    return LENGTH + size;
}

static void streams_carry_many_questions_in_any_pieces(void **state) {
    uint8_t bytes[1024];
    (void)state;
    int fd = open_client(SOCK_STREAM);
    size_t size = put(bytes, "host", 1);
    size += put(bytes + size, "slow", 2);
    size += put(bytes + size, "host", 3);
    assert_int_equal(send(fd, bytes, size, 0), size);
    check_reply(fd, true, 1, IS_FOUND);
    turn(0, 1);
    const struct wrn_names_answer answer = {.found = WRN_NAMES_UNKNOWN};
    wrn_dns_server_on_answer(server, tokens[0], &answer);
    check_reply(fd, true, 2, SERVFAIL);
    check_reply(fd, true, 3, IS_FOUND);
    size = put(bytes, "host", 4);
    for (size_t i = 0; i < size; i++) { /* a byte at a time */
        assert_int_equal(send(fd, bytes + i, 1, 0), 1);
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
    check_reply(fd, true, 4, IS_FOUND);
    close(fd);
}

static void streams_that_make_no_sense_are_closed(void **state) {
    static const uint8_t long_one[] = {2, 1, 0}, empty[] = {0, 0}, answer[] = {0, 12, 0, 1, 0x80};
    uint8_t bytes[64] = {0};
    (void)state;
    int fd = open_client(SOCK_STREAM);
    assert_int_equal(send(fd, long_one, sizeof long_one, 0), sizeof long_one);
    check_closed(fd);
    close(fd);
    fd = open_client(SOCK_STREAM);
    assert_int_equal(send(fd, empty, sizeof empty, 0), sizeof empty);
    check_closed(fd);
    close(fd);
    fd = open_client(SOCK_STREAM); /* a response is no query */
    memcpy(bytes, answer, sizeof answer);
    assert_int_equal(send(fd, bytes, 14, 0), 14);
    check_closed(fd);
    close(fd);
    fd = open_client(SOCK_STREAM); /* what cannot be read is said to be so */
    bytes[4] = 0;
    assert_int_equal(send(fd, bytes, 14, 0), 14);
    check_reply(fd, true, 1, FORMERR);
    close(fd);
}

static void who_goes_away_gets_nothing(void **state) {
    uint8_t bytes[64];
    (void)state;
    int fd = open_client(SOCK_STREAM);
    size_t size = put(bytes, "slow", 1);
    assert_int_equal(send(fd, bytes, size, 0), size);
    turn(0, 1);
    int others[WRN_DNS_STREAMS_MAX]; /* the one that waits is the oldest, and gives way */
    for (size_t i = 0; i < WRN_COUNT(others); i++) {
        others[i] = open_client(SOCK_STREAM);
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
    check_closed(fd);
    const struct wrn_names_answer answer = {.found = WRN_NAMES_ABSENT};
    wrn_dns_server_on_answer(server, tokens[0], &answer);
    assert_int_equal(wrn_dns_server_counts(server).replies, 0);
    size = put(bytes, "host", 9);
    for (size_t i = 0; i < WRN_COUNT(others); i++) {
        assert_int_equal(send(others[i], bytes, size, 0), size);
        check_reply(others[i], true, 9, IS_FOUND);
        close(others[i]);
    }
    close(fd);
}

static void troubles_are_explained(void **state) {
    struct wrn_dns_server *second = NULL;
    char why[WRN_DNS_WHY_SIZE] = "";
    (void)state;
    struct wrn_dns_server_options options = options_of(port);
    assert_int_equal(wrn_dns_server_create(&options, &second, why), -EADDRINUSE);
    assert_non_null(strstr(why, "another DNS server"));
    options.zone.resolver.bytes[0] = 192; /* nobody's */
    options.zone.resolver.bytes[2] = 2;
    assert_int_equal(wrn_dns_server_create(&options, &second, why), -EADDRNOTAVAIL);
    assert_non_null(strstr(why, "not on the interface"));
    assert_null(second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(datagrams_are_answered_at_once_or_later, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_at_once_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(streams_carry_many_questions_in_any_pieces, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(streams_that_make_no_sense_are_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(who_goes_away_gets_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(troubles_are_explained, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
