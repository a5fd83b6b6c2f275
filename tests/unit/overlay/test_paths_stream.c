/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: streams are tried last and only where they can help, carry while UDP does not, are told
 * apart from it in what a node believes of its NAT, and end when UDP works again. Method: two path
 * machines; what they send goes by UDP, or by streams, or nowhere, as the test says. */
#include "overlay/paths_internal.h"
#include "unit/base/check.h"

enum { MESSAGES_MAX = 256, PEERS = 4, LATENCY_MS = 10, STEP_MS = 5, UDP_PORT = 7000 };
enum { TCP_PORT = 7001, TLS_PORT = 443, BACK_PORT = 50000 };

struct node {
    struct wrn_paths *paths;
    void *memory;
    struct wrn_prng prng;
    struct wrn_endpoint at; /* by UDP */
    uint32_t sent[4];       /* by UDP, TCP, TLS, TAKEN */
    enum wrn_reason reason;
    uint32_t wanted; /* a relay */
};

struct message {
    wrn_mono due;
    uint32_t to;
    struct wrn_way way; /* as the receiver sees it */
    size_t size;
    uint8_t bytes[512];
};

static struct node nodes[2];
static struct message messages[MESSAGES_MAX];
static size_t message_count;
static wrn_mono now;
static bool udp_works, tcp_works, tls_works;

static wrn_handle other_of(const struct node *node) {
    return (wrn_handle){node == &nodes[0] ? 1 : 0, 1};
}

static void put(const struct node *from, struct wrn_way way, wrn_span bytes) {
    WRN_ASSERT(message_count < MESSAGES_MAX && bytes.size <= sizeof messages[0].bytes);
    struct message *message = &messages[message_count++];
    *message = (struct message){.due = wrn_mono_add(now, WRN_MS(LATENCY_MS)),
                                .to = from == &nodes[0] ? 1 : 0,
                                .way = way,
                                .size = bytes.size};
    memcpy(message->bytes, bytes.data, bytes.size);
}

/* Node 0 connects, node 1 listens. */
static void port_send(void *ctx, wrn_handle peer, const struct wrn_way *way, wrn_span bytes) {
    struct node *node = ctx;
    struct node *other = &nodes[node == &nodes[0] ? 1 : 0];
    struct wrn_way back = {.kind = WRN_WAY_DIRECT, .remote = node->at};
    (void)peer;
    if (way->kind != WRN_WAY_DIRECT) {
        return;
    }
    node->sent[way->socket == 0 ? 0 : way->socket - WRN_SOCKET_TCP + 1]++;
    if (way->socket == 0 && udp_works && wrn_endpoint_equal(&way->remote, &other->at)) {
        put(node, back, bytes);
    } else if (way->socket == WRN_SOCKET_TCP && tcp_works && way->remote.port == TCP_PORT) {
        back.socket = WRN_SOCKET_TAKEN;
        back.remote.port = BACK_PORT;
        put(node, back, bytes);
    } else if (way->socket == WRN_SOCKET_TLS && tls_works && way->remote.port == TLS_PORT) {
        back.socket = WRN_SOCKET_TAKEN;
        back.remote.port = BACK_PORT + 1;
        put(node, back, bytes);
    } else if (way->socket == WRN_SOCKET_TAKEN) {
        bool is_tls = way->remote.port == BACK_PORT + 1;
        back.socket = is_tls ? WRN_SOCKET_TLS : WRN_SOCKET_TCP;
        back.remote.port = is_tls ? TLS_PORT : TCP_PORT;
        if (is_tls ? tls_works : tcp_works) {
            put(node, back, bytes);
        }
    }
}

static void port_around(void *ctx, wrn_handle peer, wrn_span bytes) {
    struct wrn_way none = {.kind = WRN_WAY_NONE};
    (void)peer;
    put(ctx, none, bytes);
}

static void port_sockets(void *ctx, uint16_t first, uint16_t count, bool open) {
    (void)ctx;
    (void)open;
    fail_msg("sockets %u to %u", first, first + count);
}

static void port_way(void *ctx, wrn_handle peer, const struct wrn_way *way,
                     enum wrn_reason reason) {
    struct node *node = ctx;
    (void)peer;
    (void)way;
    node->reason = reason;
}

static void port_heard(void *ctx, wrn_handle peer, uint32_t rtt_us, uint32_t epoch) {
    (void)ctx;
    (void)peer;
    (void)rtt_us;
    (void)epoch;
}

static void port_proven(void *ctx, wrn_handle peer, uint64_t incarnation) {
    (void)ctx;
    (void)peer;
    (void)incarnation;
}

static void port_want_relay(void *ctx, wrn_handle peer) {
    (void)peer;
    ((struct node *)ctx)->wanted++;
}

static void port_relay_bad(void *ctx, wrn_handle peer, const struct wrn_way *way) {
    (void)ctx;
    (void)peer;
    (void)way;
}

static void port_locator(void *ctx) {
    (void)ctx;
}

static void make(struct node *node, uint8_t last_byte, bool has_streams) {
    struct wrn_paths_port port = {node,           port_send,   port_around, port_sockets,
                                  port_way,       port_heard,  port_proven, port_want_relay,
                                  port_relay_bad, port_locator};
    struct wrn_paths_options options = {.peers_max = PEERS, .has_streams = has_streams};
    struct wrn_arena arena;
    wrn_prng_init(&node->prng, check_seed(), last_byte);
    wrn_arena_init(&arena, NULL, 0);
    assert_null(wrn_paths_init(&arena, &options, port, wrn_prng_rand(&node->prng)));
    size_t size = wrn_align_up(arena.used, 64);
    node->memory = aligned_alloc(64, size);
    assert_non_null(node->memory);
    memset(node->memory, 0, size);
    wrn_arena_init(&arena, node->memory, size);
    node->paths = wrn_paths_init(&arena, &options, port, wrn_prng_rand(&node->prng));
    node->at =
        (struct wrn_endpoint){.ip = {{11, 0, 0, last_byte}, WRN_FAMILY_IPV4}, .port = UDP_PORT};
    struct wrn_locator_endpoint local = {.at = node->at, .kind = WRN_ENDPOINT_LOCAL};
    wrn_paths_set_local(node->paths, now, &local, 1);
}

static int set_up(void **state) {
    (void)state;
    now = (wrn_mono){WRN_S(1000)};
    message_count = 0;
    memset(nodes, 0, sizeof nodes);
    make(&nodes[0], 1, true);
    make(&nodes[1], 2, true);
    wrn_paths_set_streams(nodes[1].paths, TCP_PORT, TLS_PORT);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    free(nodes[0].memory);
    free(nodes[1].memory);
    return 0;
}

static void meet(void) {
    for (int i = 0; i < 2; i++) {
        struct wrn_locator locator = {0};
        wrn_paths_describe(nodes[1 - i].paths, &locator);
        assert_int_equal(
            wrn_paths_search(nodes[i].paths, now, other_of(&nodes[i]), &locator, i == 0),
            WRN_REASON_NONE);
    }
}

static void deliver(void) {
    for (size_t i = 0; i < message_count;) {
        struct message message = messages[i];
        if (!wrn_mono_reached(now, message.due)) {
            i++;
            continue;
        }
        messages[i] = messages[--message_count];
        wrn_paths_on_message(nodes[message.to].paths, now, other_of(&nodes[message.to]),
                             &message.way, 7 + message.to, (wrn_span){message.bytes, message.size});
    }
}

static void pass(uint64_t ms) {
    for (uint64_t i = 0; i < ms; i += STEP_MS) {
        now = wrn_mono_add(now, WRN_MS(STEP_MS));
        deliver();
        wrn_paths_on_time(nodes[0].paths, now);
        wrn_paths_on_time(nodes[1].paths, now);
    }
}

static enum wrn_path_state state_of(const struct node *node, enum wrn_reason *ret_reason) {
    uint32_t rtt_us;
    return wrn_paths_state(node->paths, other_of(node), ret_reason, &rtt_us);
}

static uint16_t socket_of(const struct node *node) {
    return wrn_paths_way(node->paths, other_of(node))->socket;
}

/* Where UDP works, no stream is opened. */
static void not_where_udp_works(void **state) {
    enum wrn_reason reason;
    (void)state;
    udp_works = tcp_works = tls_works = true;
    meet();
    pass(60000);
    assert_int_equal(state_of(&nodes[0], &reason), WRN_PATH_STATE_DIRECT);
    assert_int_equal(nodes[0].sent[1] + nodes[0].sent[2], 0);
    assert_int_equal(nodes[1].sent[1] + nodes[1].sent[2] + nodes[1].sent[3], 0);
}

/* By TCP after a second and a half; the class follows; UDP takes over when it works, at once if
 * something flows. */
static void by_tcp_until_udp_works(void **state) {
    enum wrn_reason reason;
    (void)state;
    udp_works = false;
    tcp_works = tls_works = true;
    meet();
    pass(1400);
    assert_int_equal(nodes[0].sent[1] + nodes[0].sent[2], 0);
    pass(300);
    assert_int_equal(state_of(&nodes[0], &reason), WRN_PATH_STATE_STREAM);
    assert_int_equal(socket_of(&nodes[0]), WRN_SOCKET_TCP);
    pass(100);
    assert_int_equal(state_of(&nodes[1], &reason), WRN_PATH_STATE_STREAM);
    assert_int_equal(socket_of(&nodes[1]), WRN_SOCKET_TAKEN);
    pass(60000);
    assert_int_equal(state_of(&nodes[0], &reason), WRN_PATH_STATE_STREAM);
    assert_int_equal(reason, WRN_REASON_UDP_BLOCKED);
    assert_int_equal(wrn_paths_nat_class(nodes[0].paths), WRN_NAT_CLASS_BLOCKED);
    /* Whoever is only reached by streams cannot tell whose UDP is blocked. */
    assert_int_not_equal(wrn_paths_nat_class(nodes[1].paths), WRN_NAT_CLASS_BLOCKED);
    assert_int_equal(nodes[0].sent[2], 0);

    uint32_t looked = nodes[0].sent[0];
    pass(600000);
    assert_in_range(nodes[0].sent[0] - looked, 5, 200); /* it looks whether UDP works, seldom */
    udp_works = true;
    wrn_paths_on_traffic(nodes[0].paths, now, other_of(&nodes[0]));
    pass(5200);
    assert_int_equal(state_of(&nodes[0], &reason), WRN_PATH_STATE_DIRECT);
    assert_int_equal(state_of(&nodes[1], &reason), WRN_PATH_STATE_DIRECT);
    assert_int_equal(socket_of(&nodes[0]), 0);
    pass(30000);
    assert_int_not_equal(wrn_paths_nat_class(nodes[0].paths), WRN_NAT_CLASS_BLOCKED);
}

/* TLS is tried after TCP, and what got through is tried first the next time. */
static void by_tls_where_tcp_is_blocked(void **state) {
    enum wrn_reason reason;
    (void)state;
    udp_works = tcp_works = false;
    tls_works = true;
    meet();
    pass(4300);
    assert_int_equal(state_of(&nodes[0], &reason), WRN_PATH_STATE_STREAM);
    assert_int_equal(socket_of(&nodes[0]), WRN_SOCKET_TLS);
    pass(30000);
    assert_int_equal(wrn_paths_nat_class(nodes[0].paths), WRN_NAT_CLASS_BLOCKED);
    tls_works = false; /* it breaks ... */
    wrn_paths_check(nodes[0].paths, now, other_of(&nodes[0]));
    pass(4500);
    assert_int_equal(state_of(&nodes[0], &reason), WRN_PATH_STATE_LOST);
    uint32_t tcp = nodes[0].sent[1];
    tls_works = true; /* ... and works again */
    pass(5500);
    assert_int_equal(state_of(&nodes[0], &reason), WRN_PATH_STATE_STREAM);
    assert_in_range(nodes[0].sent[1] - tcp, 0, 1);
}

/* UDP that stops working in the middle is followed, too. */
static void when_udp_is_blocked_later(void **state) {
    enum wrn_reason reason;
    (void)state;
    udp_works = tcp_works = tls_works = true;
    meet();
    pass(30000);
    assert_int_equal(state_of(&nodes[0], &reason), WRN_PATH_STATE_DIRECT);
    udp_works = false;
    wrn_paths_check(nodes[0].paths, now, other_of(&nodes[0]));
    pass(8000);
    assert_int_equal(state_of(&nodes[0], &reason), WRN_PATH_STATE_STREAM);
    pass(40000);
    assert_int_equal(state_of(&nodes[0], &reason), WRN_PATH_STATE_STREAM);
    assert_int_equal(reason, WRN_REASON_UDP_BLOCKED);
}

/* Not to whoever sits behind a NAT while our UDP works, to nobody without streams, and nothing is
 * done by those that the host has not got. */
static void not_where_they_cannot_help(void **state) {
    enum wrn_reason reason;
    (void)state;
    udp_works = tcp_works = tls_works = false;
    struct wrn_locator locator = {0};
    wrn_paths_describe(nodes[1].paths, &locator);
    assert_int_equal(locator.tcp_port, TCP_PORT);
    assert_int_equal(locator.tls_port, TLS_PORT);
    locator.nat_class = WRN_NAT_CLASS_ENDPOINT_INDEPENDENT;
    (void)wrn_paths_search(nodes[0].paths, now, other_of(&nodes[0]), &locator, true);
    pass(30000);
    assert_int_equal(nodes[0].sent[1] + nodes[0].sent[2], 0);
    assert_true(nodes[0].wanted > 0);
    free(nodes[0].memory);
    make(&nodes[0], 1, false);
    assert_false(wrn_paths_has_socket(nodes[0].paths, WRN_SOCKET_TCP));
    assert_true(wrn_paths_has_socket(nodes[1].paths, WRN_SOCKET_TAKEN));
    locator.nat_class = WRN_NAT_CLASS_NONE;
    (void)wrn_paths_search(nodes[0].paths, now, other_of(&nodes[0]), &locator, true);
    pass(30000);
    assert_int_equal(nodes[0].sent[1] + nodes[0].sent[2], 0);
    assert_int_not_equal(state_of(&nodes[0], &reason), WRN_PATH_STATE_STREAM);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(not_where_udp_works, set_up, tear_down),
        cmocka_unit_test_setup_teardown(by_tcp_until_udp_works, set_up, tear_down),
        cmocka_unit_test_setup_teardown(by_tls_where_tcp_is_blocked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(when_udp_is_blocked_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_where_they_cannot_help, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
