/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: datagrams get through streams of TCP and TLS both ways, whoever does not speak that is
 * sent off, and neither floods nor slow readers take more than their share. Method: two sets of
 * streams, and plain sockets that misbehave, over loopback; deadlines by a clock that is told. */
#include "daemon/streams.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "io/clock.h"
#include "io/stream.h"
#include "overlay/limits.h"
#include "unit/base/check.h"

struct heard {
    uint32_t count;
    uint64_t bytes;
    uint16_t socket;
    struct wrn_endpoint from;
    uint8_t first;
    bool is_inside; /* all addresses, for these streams */
};

static struct heard heard[2];
static struct wrn_streams *streams[2]; /* 0 connects, 1 is connected to */

static void on_datagram(void *ctx, uint16_t socket, const struct wrn_endpoint *from, uint8_t *bytes,
                        size_t size) {
    struct heard *now = ctx;
    now->count++;
    now->bytes += size;
    now->socket = socket;
    now->from = *from;
    now->first = bytes[0];
    memset(bytes, 0xff, size);
}

static bool is_inside(void *ctx, const struct wrn_ip *local) {
    const struct heard *now = ctx;
    struct wrn_ip expected = {{127, 0, 0, 1}, WRN_FAMILY_IPV4};
    assert_true(wrn_ip_equal(local, &expected));
    return now->is_inside;
}

static int set_up(void **state) {
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN); /* as the daemon's loop does */
    for (int i = 0; i < 2; i++) {
        heard[i] = (struct heard){0};
        if (wrn_streams_create(on_datagram, is_inside, &heard[i], &streams[i]) != 0) {
            return -1;
        }
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    wrn_streams_destroy(streams[0]);
    wrn_streams_destroy(streams[1]);
    return 0;
}

static struct wrn_endpoint loopback(uint16_t port) {
    return (struct wrn_endpoint){.ip = {{127, 0, 0, 1}, WRN_FAMILY_IPV4}, .port = port};
}

/* Takes streams at any port that is free; returns it. */
static uint16_t listen_anywhere(bool is_tls) {
    for (uint16_t i = 0; i < 500; i++) {
        uint16_t port = (uint16_t)(20000 + ((unsigned)getpid() * 31u + i * 7u) % 12000u);
        if (wrn_streams_listen(streams[1], is_tls, port) == 0) {
            return port;
        }
    }
    fail_msg("no port is free");
    return 0;
}

/* Lets both do what they have to, until nothing happens for some milliseconds. */
static void run(void) {
    struct pollfd ready[2] = {{.fd = wrn_streams_fd(streams[0]), .events = POLLIN},
                              {.fd = wrn_streams_fd(streams[1]), .events = POLLIN}};
    for (int i = 0; i < 2000 && poll(ready, 2, 30) > 0; i++) {
        wrn_streams_run(streams[0]);
        wrn_streams_run(streams[1]);
    }
}

static int say(int who, uint16_t socket, const struct wrn_endpoint *to, uint8_t first,
               size_t size) {
    uint8_t bytes[WRN_STREAM_DATAGRAM_MAX + 1] = {first};
    return wrn_streams_send(streams[who], socket, to, (wrn_span){bytes, size});
}

static uint64_t refused(int who, enum wrn_streams_refusal why) {
    struct wrn_streams_facts facts;
    wrn_streams_facts(streams[who], &facts);
    return facts.refused[why];
}

static uint32_t taken(void) {
    struct wrn_streams_facts facts;
    wrn_streams_facts(streams[1], &facts);
    return facts.taken;
}

static void pass(uint32_t seconds) {
    wrn_mono now = wrn_mono_add(wrn_clock_read().mono, WRN_S(seconds));
    wrn_streams_on_time(streams[0], now);
    wrn_streams_on_time(streams[1], now);
}

static int connect_plainly(uint16_t port) {
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* Has the other end closed it, after what it may have said? */
static bool is_closed(int fd) {
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char byte[512];
    while (poll(&ready, 1, 0) > 0) {
        if (recv(fd, byte, sizeof byte, 0) <= 0) {
            return true;
        }
    }
    return false;
}

static void both_ways(void **state) {
    (void)state;
    for (int is_tls = 0; is_tls < 2; is_tls++) {
        struct wrn_endpoint to = loopback(listen_anywhere(is_tls == 1));
        uint16_t socket = is_tls == 1 ? WRN_SOCKET_TLS : WRN_SOCKET_TCP;
        heard[0] = heard[1] = (struct heard){0};
        for (uint8_t i = 1; i <= 10; i++) { /* waits until it is open */
            assert_int_equal(say(0, socket, &to, i, i), 0);
        }
        assert_int_equal(say(0, socket, &to, 99, WRN_STREAM_DATAGRAM_MAX), 0);
        run();
        assert_int_equal(heard[1].count, 11);
        assert_int_equal(heard[1].bytes, 55 + WRN_STREAM_DATAGRAM_MAX);
        assert_int_equal(heard[1].socket, WRN_SOCKET_TAKEN);
        struct wrn_endpoint back = heard[1].from;
        assert_int_equal(say(1, WRN_SOCKET_TAKEN, &back, 7, 100), 0);
        run();
        assert_int_equal(heard[0].count, 1);
        assert_int_equal(heard[0].socket, socket);
        assert_true(wrn_endpoint_equal(&heard[0].from, &to));
        assert_int_equal(heard[0].first, 7);
        assert_int_equal(say(0, socket, &to, 1, 0), -EMSGSIZE);
        assert_int_equal(say(0, socket, &to, 1, WRN_STREAM_DATAGRAM_MAX + 1), -EMSGSIZE);
        /* Nobody says that a peer uses them: they end. */
        assert_int_equal(taken(), 1);
        pass(WRN_STREAMS_UNUSED_S + 1);
        assert_int_equal(taken(), 0);
        assert_int_equal(say(1, WRN_SOCKET_TAKEN, &back, 7, 100), -ENOTCONN);
        assert_int_equal(refused(1, WRN_STREAMS_NO_STREAM), 1 + is_tls);
    }
}

static void used_ones_stay(void **state) {
    (void)state;
    struct wrn_endpoint to = loopback(listen_anywhere(false));
    assert_int_equal(say(0, WRN_SOCKET_TCP, &to, 1, 1), 0);
    run();
    wrn_streams_use(streams[0], WRN_SOCKET_TCP, &to);
    wrn_streams_use(streams[1], WRN_SOCKET_TAKEN, &heard[1].from);
    pass(WRN_STREAMS_PROVE_S + 1);
    assert_int_equal(taken(), 1);
    /* Our address is another one: what left from the old one will not come back. */
    struct wrn_ip other = {{10, 9, 8, 7}, WRN_FAMILY_IPV4};
    struct wrn_ip same = {{127, 0, 0, 1}, WRN_FAMILY_IPV4};
    wrn_streams_keep(streams[0], &same, 1);
    assert_int_equal(refused(0, WRN_STREAMS_MOVED), 0);
    wrn_streams_keep(streams[0], &other, 1);
    assert_int_equal(refused(0, WRN_STREAMS_MOVED), 1);
    run();
    assert_int_equal(taken(), 0);
    assert_int_equal(refused(1, WRN_STREAMS_BROKEN), 1);
}

static void what_is_no_stream_is_closed(void **state) {
    static const char *const texts[] = {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01",
                                        "\xff\xff"};
    (void)state;
    uint16_t port = listen_anywhere(false), tls = listen_anywhere(true);
    for (size_t i = 0; i < WRN_COUNT(texts); i++) {
        int fd = connect_plainly(port);
        assert_true(send(fd, texts[i], strlen(texts[i]), 0) > 0);
        run();
        CHECK(is_closed(fd), "%zu: ", i);
        assert_int_equal(refused(1, WRN_STREAMS_MALFORMED), i + 1);
        (void)close(fd);
    }
    int fd = connect_plainly(tls);
    assert_true(send(fd, texts[0], strlen(texts[0]), 0) > 0);
    run();
    assert_true(is_closed(fd));
    assert_int_equal(refused(1, WRN_STREAMS_MALFORMED), WRN_COUNT(texts) + 1);
    (void)close(fd);
    assert_int_equal(heard[1].count, 0);
    struct wrn_endpoint nobody = loopback(1);
    assert_int_equal(say(0, WRN_SOCKET_TCP, &nobody, 1, 1), 0);
    run();
    assert_int_equal(refused(0, WRN_STREAMS_CONNECT), 1);
}

/* Who says nothing, or a byte now and then, has ten seconds; who floods takes its own places. */
static void strangers_have_little_room(void **state) {
    enum { FLOOD = 100 };
    int fds[FLOOD];
    (void)state;
    struct wrn_endpoint to = loopback(listen_anywhere(false));
    assert_int_equal(say(0, WRN_SOCKET_TCP, &to, 1, 1), 0);
    run();
    struct wrn_endpoint peer = heard[1].from;
    wrn_streams_use(streams[1], WRN_SOCKET_TAKEN, &peer);
    for (int i = 0; i < FLOOD; i++) {
        fds[i] = connect_plainly(to.port);
        run();
    }
    assert_int_equal(taken(), 1 + WRN_STREAMS_UNPROVEN_ADDRESS);
    assert_int_equal(refused(1, WRN_STREAMS_ADDRESS_FULL) + refused(1, WRN_STREAMS_RATE),
                     FLOOD - WRN_STREAMS_UNPROVEN_ADDRESS);
    assert_true(send(fds[0], "\0", 1, 0) == 1); /* half a length */
    run();
    pass(WRN_STREAMS_PROVE_S + 1);
    assert_int_equal(taken(), 1);
    assert_int_equal(refused(1, WRN_STREAMS_UNPROVEN), WRN_STREAMS_UNPROVEN_ADDRESS);
    assert_int_equal(say(1, WRN_SOCKET_TAKEN, &peer, 5, 10), 0);
    run();
    assert_int_equal(heard[0].count, 1);
    for (int i = 0; i < FLOOD; i++) {
        (void)close(fds[i]);
    }
}

/* Who does not read costs a queue, loses the oldest packets, but none of the ring's, and is sent
 * off in the end. */
static void slow_readers_lose_packets(void **state) {
    enum { PACKETS = 8000, SIZE = 1400, DATA = 4 };
    (void)state;
    int small = 4096;
    struct wrn_endpoint to = loopback(listen_anywhere(false));
    int fd = connect_plainly(to.port);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    uint8_t hello[3] = {0, 1, 9};
    assert_true(send(fd, hello, sizeof hello, 0) == 3);
    run();
    assert_int_equal(heard[1].count, 1);
    struct wrn_endpoint reader = heard[1].from;
    for (int i = 0; i < PACKETS; i++) {
        assert_int_equal(say(1, WRN_SOCKET_TAKEN, &reader, DATA, SIZE), 0);
        if (i % 50 == 0) {
            wrn_streams_run(streams[1]);
        }
    }
    assert_int_equal(say(1, WRN_SOCKET_TAKEN, &reader, WRN_FRAME_SEALED, 100), 0);
    assert_true(refused(1, WRN_STREAMS_PACKET) > 0);
    assert_int_equal(refused(1, WRN_STREAMS_MESSAGE), 0);
    wrn_streams_use(streams[1], WRN_SOCKET_TAKEN, &reader);
    pass(15);
    assert_int_equal(taken(), 1);
    pass(21);
    assert_int_equal(taken(), 0);
    assert_int_equal(refused(1, WRN_STREAMS_SLOW), 1);
    (void)close(fd);
}

/* Neither opened nor taken where a network of ours is. */
static void none_goes_through_a_network(void **state) {
    struct wrn_endpoint to = loopback(listen_anywhere(false));
    (void)state;
    heard[0].is_inside = true;
    assert_int_equal(say(0, WRN_SOCKET_TCP, &to, 1, 1), -ELOOP);
    assert_int_equal(refused(0, WRN_STREAMS_INSIDE), 1);
    assert_int_equal(refused(0, WRN_STREAMS_CONNECT), 0);
    heard[1].is_inside = true;
    run();
    int fd = connect_plainly(to.port);
    run();
    assert_true(is_closed(fd));
    assert_true(refused(1, WRN_STREAMS_INSIDE) > 0);
    assert_int_equal(taken(), 0);
    (void)close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(none_goes_through_a_network, set_up, tear_down),
        cmocka_unit_test_setup_teardown(used_ones_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_stream_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strangers_have_little_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slow_readers_lose_packets, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
