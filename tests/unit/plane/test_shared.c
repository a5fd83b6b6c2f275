/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: several machines behind one port, with the same addresses inside, each get what is theirs
 * and nothing else, in order, also where one train holds packets of all; datagrams travel as their
 * peers' paths say; machines come and go while packets of others flow. Method: real devices,
 * sockets and workers in a namespace; the far ends are machines in the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/rand.h"
#include "io/clock.h"
#include "io/netlink.h"
#include "port.h"
#include "unit/base/check.h"
#include "wg/messages.h"
#include "wg/uapi.h"

enum { SMALL = 100, ROUNDS = 40, TRAIN = 40 };

static void need_root(void) {
    if (!port_enter()) {
        print_message("# skipped: needs root and /dev/net/tun, for devices in a namespace\n");
        skip();
    }
}

/* Sessions in all networks, begun by either side. */
static void greet(struct port *port, uint32_t networks) {
    for (uint32_t i = 0; i < networks; i++) {
        if (i % 2 == 0) {
            port_far_packet(port, i, SMALL);
            port_settle(port, i);
            port_near_packet(port, i, SMALL);
        } else {
            wrn_wg_peer_set_endpoint(
                port->networks[i].near.wg, port->networks[i].near.peer,
                &(struct wrn_endpoint){.ip = port->far_reaches.ip, .port = port->far_udp.port});
            port_near_packet(port, i, SMALL);
            port_settle(port, i);
            port_far_packet(port, i, SMALL);
        }
        port_settle(port, i);
    }
}

static void send_raw(struct port *port, const uint8_t *bytes, size_t size) {
    port->outgoing[port->outgoing_count++] = (struct wrn_udp_sending){
        .bytes = bytes, .size = size, .path = {.remote = port->far_reaches}};
    port_far_flush(port);
}

/* Datagrams of all networks, of one size, in any mixture in one train; and both directions at
 * once. */
static void mixed_trains(struct port *port, uint32_t networks, struct wrn_prng *prng) {
    struct wrn_rand rand = wrn_prng_rand(prng);
    greet(port, networks);
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t run = 1 + wrn_rand_below(rand, 8); /* of one network at a time: 1 is the worst */
        for (int i = 0; i < TRAIN; i++) {
            port_far_packet(port, wrn_rand_below(rand, networks), 1000);
            for (uint32_t k = 1; k < run && i + 1 < TRAIN; k++, i++) {
                port_far_packet(port, (uint32_t)round % networks, 1000);
            }
            port_near_packet(port, wrn_rand_below(rand, networks), 1200);
        }
        assert_int_equal(port->outgoing_count, TRAIN);
        port_far_flush(port); /* in one message, if the kernel can */
        for (uint32_t i = 0; i < networks; i++) {
            port_settle(port, i);
        }
    }
    assert_true((port->far_udp.offloads & WRN_UDP_GSO) != 0);
    assert_true((wrn_crew_offloads(port->crew) & WRN_UAPI_OFFLOAD_GRO) != 0);
    for (uint32_t i = 0; i < networks; i++) {
        assert_true(port->networks[i].received_here > ROUNDS);
        assert_true(port->networks[i].received_there > 1);
        assert_int_equal(port_drops(port, i, WRN_DROP_REPLAY), 0);
        assert_int_equal(port_drops(port, i, WRN_DROP_BAD_TAG), 0);
        assert_int_equal(port_drops(port, i, WRN_DROP_NO_SESSION), 0);
    }
    for (int i = 0; i < WRN_STRAY_COUNT; i++) {
        assert_int_equal(port_strays(port, (enum wrn_stray)i), 0);
    }
}

static void two_networks_in_one_train(void **state) {
    struct wrn_prng prng;
    (void)state;
    need_root();
    wrn_prng_init(&prng, check_seed(), 0);
    struct port *port = port_create(2, 1);
    mixed_trains(port, 2, &prng);
    port_destroy(port);
}

static void four_networks_and_three_workers(void **state) {
    struct wrn_prng prng;
    (void)state;
    need_root();
    wrn_prng_init(&prng, check_seed(), 0);
    struct port *port = port_create(4, 3);
    mixed_trains(port, 4, &prng);
    assert_int_equal(wrn_crew_set_workers(port->crew, 1), 0);
    mixed_trains(port, 4, &prng);
    port_destroy(port);
}

/* What is for nobody is counted by its kind, frames are handed over with whence they came. */
static void strays_and_frames(void **state) {
    static uint8_t bytes[WRN_RELAYED_MAX + 1];
    (void)state;
    need_root();
    struct port *port = port_create(2, 1);
    greet(port, 2);
    /* an index of the right form that no machine has: tag 1 */
    memset(bytes, 0, sizeof bytes);
    bytes[0] = WRN_WG_TYPE_DATA;
    bytes[7] = 1 << 2;
    send_raw(port, bytes, 64);
    bytes[0] = WRN_WG_TYPE_INITIATION;
    send_raw(port, bytes, WRN_WG_INITIATION_SIZE);
    bytes[0] = 5;
    send_raw(port, bytes, 64);
    send_raw(port, bytes, 1);
    bytes[0] = 0x30;
    send_raw(port, bytes, 64);
    for (int i = 0; i < 16; i++) {
        bytes[0] = (uint8_t)(0x20 + i);
        send_raw(port, bytes, i == 15 ? WRN_RELAYED_MAX : 1 + 50 * (size_t)i);
    }
    send_raw(port, bytes, WRN_RELAYED_MAX + 1);
    port_far_packet(port, 0, SMALL); /* behind all of it */
    port_settle(port, 0);
    assert_int_equal(port_strays(port, WRN_STRAY_UNKNOWN_TAG), 1);
    assert_int_equal(port_strays(port, WRN_STRAY_UNKNOWN_INITIATION), 1);
    assert_int_equal(port_strays(port, WRN_STRAY_UNKNOWN_TYPE), 3);
    assert_int_equal(port_strays(port, WRN_STRAY_FRAME_TOO_LARGE), 1);
    assert_int_equal(port_strays(port, WRN_STRAY_FRAME_LOST), 0);
    assert_int_equal(port->held_count, 16);
    for (uint32_t i = 0; i < port->held_count; i++) {
        const struct port_held *held = &port->held[i];
        assert_int_equal(held->bytes[0], 0x20 + i);
        assert_int_equal(held->size, i == 15 ? WRN_RELAYED_MAX : 1 + 50 * i);
        assert_int_equal(held->path.kind, WRN_PATH_DIRECT);
        assert_int_equal(held->path.remote.port, port->far_udp.port);
        assert_memory_equal(held->path.local.bytes, port->far_reaches.ip.bytes, 4);
    }
    /* a flood that nobody reads finds its ring full, and that of handshakes free */
    bytes[0] = 0x20;
    uint64_t sent = 0;
    wrn_mono end = wrn_mono_add(wrn_clock_read().mono, WRN_S(20));
    while (port_strays(port, WRN_STRAY_FRAME_LOST) == 0) {
        send_raw(port, bytes, WRN_RELAYED_MAX);
        sent++;
        assert_true(wrn_mono_before(wrn_clock_read().mono, end));
    }
    assert_true(sent >= 300);
    assert_int_equal(port_drops(port, 0, WRN_DROP_CONTROL_BUSY), 0);
    port_far_packet(port, 0, SMALL);
    port_settle(port, 0);
    port_destroy(port);
}

/* Waits until the kernel tells a socket of an error. */
static void wait_for_error(int fd, int wanted) {
    struct pollfd one = {.fd = fd, .events = 0}; /* errors are told always */
    int error = 0;
    socklen_t length = sizeof error;
    assert_int_equal(poll(&one, 1, 20000), 1);
    assert_return_code(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), errno);
    assert_int_equal(error, wanted);
}

/* Everything for a peer behind a relay goes to the relay, behind a head with the slot: the first
 * initiation, packets that waited, trains; what the relay would not take is refused here. */
static void by_a_relay(void **state) {
    (void)state;
    need_root();
    struct port *port = port_create(2, 1);
    struct port_network *network = &port->networks[1];
    wrn_wg_set_mtu(network->near.wg, WRN_WG_RELAYED_PACKET_MAX); /* so far padding goes */
    port->expects_heads = true;
    port->slot = UINT64_C(0xfedcba9876543210);
    struct wrn_path path = {
        .remote = {.ip = port->far_reaches.ip, .port = port->far_udp.port},
        .kind = WRN_PATH_RELAY,
        .slot = port->slot,
    };
    wrn_wg_peer_set_pinned(network->near.wg, network->near.peer, true);
    wrn_wg_peer_set_path(network->near.wg, network->near.peer, &path);
    for (int i = 0; i < 20; i++) { /* the first ones wait for the session */
        port_near_packet(port, 1, SMALL);
    }
    port_settle(port, 1);
    for (int i = 0; i < 200; i++) {
        port_near_packet(port, 1, WRN_WG_RELAYED_PACKET_MAX - 28);
        port_far_packet(port, 1, 1000);
    }
    port_settle(port, 1);
    assert_int_equal(network->received_there, 220);
    assert_true(port->heads >= 221); /* the initiation, too */
    port_near_packet(port, 1, WRN_WG_RELAYED_PACKET_MAX - 27);
    network->sent_here--; /* refused, and the host learns of it */
    wait_for_error(network->host_fd, EMSGSIZE);
    int mtu = 0;
    socklen_t length = sizeof mtu;
    assert_return_code(getsockopt(network->host_fd, IPPROTO_IP, IP_MTU, &mtu, &length), errno);
    assert_int_equal(mtu, WRN_WG_RELAYED_PACKET_MAX);
    port_near_packet(port, 1, SMALL);
    port_settle(port, 1);
    assert_int_equal(port_drops(port, 1, WRN_DROP_PATH_TOO_SMALL), 1);
    /* from one packet to the next */
    path = (struct wrn_path){.remote = path.remote};
    wrn_wg_peer_set_path(network->near.wg, network->near.peer, &path);
    port->expects_heads = false;
    port_near_packet(port, 1, WRN_WG_RELAYED_PACKET_MAX - 28); /* it keeps that for a while */
    port_settle(port, 1);
    port_destroy(port);
}

/* What goes by sockets that only the control thread has is handed to it, in order: messages,
 * packets that waited, and what workers have sealed. What comes there is injected. */
static void by_hand(void **state) {
    (void)state;
    need_root();
    struct port *port = port_create(2, 1);
    struct port_network *network = &port->networks[0];
    port->by_hand = 0;
    port->slot = 77;
    struct wrn_path path = {.kind = WRN_PATH_CONTROL, .slot = port->slot};
    wrn_wg_peer_set_pinned(network->near.wg, network->near.peer, true);
    wrn_wg_peer_set_path(network->near.wg, network->near.peer, &path);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 20; i++) {
            port_near_packet(port, 0, round % 2 == 0 ? SMALL : PORT_PAYLOAD_MAX);
            port_far_packet(port, 0, PORT_PAYLOAD_MAX);
        }
        port_settle(port, 0);
    }
    assert_true(port->carried >= 401); /* and the initiation */
    assert_int_equal(network->received_here, 400);
    assert_int_equal(network->received_there, 400);
    port->by_hand = -1; /* the other network has the port as before */
    port_far_packet(port, 1, SMALL);
    port_settle(port, 1);
    struct wrn_wg_datagram nothing = {0};
    assert_int_equal(wrn_crew_inject(port->crew, wrn_clock_read(), WRN_HANDLE_NONE, &nothing, 1,
                                     port->settle.out),
                     WRN_ERR_NOT_FOUND);
    port_destroy(port);
}

/* Newcomers' frames from one address that come faster than its share end in the worker, counted;
 * other frames and what is in sessions pass them by. */
static void a_flood_of_strangers_ends_in_the_worker(void **state) {
    (void)state;
    need_root();
    struct port *port = port_create(1, 1);
    uint8_t bytes[64] = {0};
    greet(port, 1);
    wrn_mono end = wrn_mono_add(wrn_clock_read().mono, WRN_S(20));
    while (port_strays(port, WRN_STRAY_FRAME_FLOOD) < 1000) {
        for (int i = 0; i < TRAIN; i++) {
            bytes[0] = i % 2 == 0 ? 0x21 : 0x22; /* STRANGER, WHO */
            send_raw(port, bytes, sizeof bytes);
        }
        assert_true(wrn_mono_before(wrn_clock_read().mono, end));
    }
    bytes[0] = 0x20;
    port->held_count = 0;
    send_raw(port, bytes, sizeof bytes);
    port_far_packet(port, 0, SMALL);
    port_settle(port, 0);
    assert_true(port->held_count > 0);
    assert_int_equal(port->held[port->held_count - 1].bytes[0], 0x20);
    assert_int_equal(port_strays(port, WRN_STRAY_FRAME_LOST), 0);
    port_destroy(port);
}

/* What finds no room on its way to the control thread is dropped and counted; nobody waits. */
static void a_full_ring_drops(void **state) {
    (void)state;
    need_root();
    struct port *port = port_create(1, 1);
    struct port_network *network = &port->networks[0];
    greet(port, 1);
    struct wrn_path path = {.kind = WRN_PATH_CONTROL, .slot = 5};
    wrn_wg_peer_set_pinned(network->near.wg, network->near.peer, true);
    wrn_wg_peer_set_path(network->near.wg, network->near.peer, &path);
    wrn_mono end = wrn_mono_add(wrn_clock_read().mono, WRN_S(20));
    while (port_drops(port, 0, WRN_DROP_CONTROL_BUSY) == 0) {
        port_near_packet(port, 0, PORT_PAYLOAD_MAX);
        assert_true(wrn_mono_before(wrn_clock_read().mono, end));
    }
    port_destroy(port);
}

/* Refusals of the crew, and places that are used again. */
static void adding(void **state) {
    (void)state;
    need_root();
    struct port *port = port_create(2, 2);
    struct wrn_tun tun = WRN_TUN_NONE;
    wrn_handle machine = WRN_HANDLE_NONE;
    assert_int_equal(wrn_tun_create("twice", &tun), 0);
    assert_int_equal(wrn_crew_add(port->crew, port->networks[0].near.wg, port->networks[1].tag,
                                  NULL, tun, &machine),
                     -EEXIST);
    assert_true(wrn_handle_equal(machine, WRN_HANDLE_NONE));
    assert_int_equal(if_nametoindex("twice"), 0); /* it was taken over all the same */
    wrn_handle before = port->networks[0].machine;
    port_remove(port, 0);
    wrn_crew_remove(port->crew, before); /* once more */
    port_add(port, 0);
    assert_int_equal(port->networks[0].machine.index, before.index);
    assert_false(wrn_handle_equal(port->networks[0].machine, before));
    assert_null(wrn_crew_machine(port->crew, before));
    greet(port, 2);
    port_destroy(port);
}

/* Method: packets of one network flow in both directions, with a train under way at each change,
 * while another one comes and goes, and workers too. */
static void coming_and_going(void **state) {
    (void)state;
    need_root();
    struct port *port = port_create(2, 2);
    greet(port, 2);
    for (uint32_t round = 0; round < 12; round++) {
        for (int i = 0; i < TRAIN; i++) {
            port_far_packet(port, 0, 1000);
            port_near_packet(port, 0, 1000);
        }
        port_far_flush(port);
        port_remove(port, 1);
        if (round % 3 == 2) {
            assert_int_equal(wrn_crew_set_workers(port->crew, 1 + round % 4), 0);
        }
        for (int i = 0; i < TRAIN; i++) { /* those of the one that is gone belong to nobody */
            port_far_packet(port, 0, 1000);
            if (round % 2 == 0) {
                port_far_packet(port, 1, 1000);
                port->networks[1].sent_there--;
            }
        }
        port_settle(port, 0);
        port_add(port, 1);
        port_far_packet(port, 1, SMALL);
        port_near_packet(port, 1, SMALL);
        port_settle(port, 1);
    }
    assert_int_equal(port_strays(port, WRN_STRAY_UNKNOWN_TAG), 6 * TRAIN);
    port_destroy(port);
}

static bool has_lost_one(struct port *port) {
    return port->deleted != 0;
}

/* An interface that somebody deletes takes nothing with it but its own machine. */
static void a_deleted_interface(void **state) {
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
    struct nl_sock *socket = NULL;
    (void)state;
    need_root();
    struct port *port = port_create(2, 2);
    greet(port, 2);
    struct nl_msg *wish = nlmsg_alloc_simple(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK);
    assert_int_equal(wrn_netlink_open(&socket), 0);
    assert_int_equal(nlmsg_append(wish, &info, sizeof info, NLMSG_ALIGNTO), 0);
    assert_int_equal(nla_put_string(wish, IFLA_IFNAME, port->networks[1].name), 0);
    assert_int_equal(wrn_netlink_ask(socket, wish, NLMSG_ERROR, NULL), 0);
    nlmsg_free(wish);
    nl_socket_free(socket);
    port_until(port, has_lost_one);
    assert_int_equal(port->deleted, UINT64_C(1) << port->networks[1].machine.index);
    for (int i = 0; i < TRAIN; i++) {
        port_far_packet(port, 0, 1000);
        port_far_packet(port, 1, 1000);
        port->networks[1].sent_there--;
        port_near_packet(port, 0, 1000);
    }
    port_settle(port, 0);
    port->deleted = 0;
    port_remove(port, 1);
    port_add(port, 1);
    port_far_packet(port, 1, SMALL);
    port_settle(port, 1);
    assert_int_equal(port->deleted, 0); /* whoever has the place now is not meant */
    port_destroy(port);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_networks_in_one_train),
        cmocka_unit_test(four_networks_and_three_workers),
        cmocka_unit_test(strays_and_frames),
        cmocka_unit_test(by_a_relay),
        cmocka_unit_test(by_hand),
        cmocka_unit_test(a_flood_of_strangers_ends_in_the_worker),
        cmocka_unit_test(a_full_ring_drops),
        cmocka_unit_test(adding),
        cmocka_unit_test(coming_and_going),
        cmocka_unit_test(a_deleted_interface),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
