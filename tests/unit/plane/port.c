/* SPDX-License-Identifier: Apache-2.0 */
/* A crew and all that is around it, driven from one thread as a daemon's control thread does. */
#define _GNU_SOURCE /* unshare */
#include "port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "io/clock.h"
#include "io/memory.h"
#include "io/rcu.h"
#include "packet/checksum.h"
#include "wg/uapi.h"

enum {
    HEADERS = 28, /* IPv4 and UDP */
    NEAR_PORT = 5000,
    FAR_PORT = 6000,
    WAIT_S = 20,
    ROOMS = 16,
};

struct wrn_wg_filter port_filter;
bool port_asks_for_unrouted;

static const uint8_t near_ip[4] = {10, 77, 0, 1};
static const uint8_t far_ip[4] = {10, 77, 0, 2};

static void quiesce(void *ctx) {
    (void)ctx;
    wrn_rcu_wait();
}

static void ask_interface(const char *name, unsigned long what, struct ifreq *values) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(values->ifr_name, name, strlen(name) + 1);
    assert_return_code(ioctl(fd, what, values), errno);
    close(fd);
}

static void write_setting(const char *path, const char *value) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_return_code(fd, errno);
    assert_int_equal(write(fd, value, strlen(value)), strlen(value));
    close(fd);
}

bool port_enter(void) {
    struct ifreq up = {.ifr_flags = IFF_UP};
    if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0 || access("/dev/net/tun", R_OK) != 0) {
        return false;
    }
    ask_interface("lo", SIOCSIFFLAGS, &up);
    /* two devices have the same address */
    write_setting("/proc/sys/net/ipv4/conf/all/rp_filter", "0");
    write_setting("/proc/sys/net/ipv4/conf/default/rp_filter", "0");
    return true;
}

static void switch_on(const char *name) {
    struct ifreq values = {0};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    memcpy(&v4.sin_addr, near_ip, sizeof near_ip);
    memcpy(&values.ifr_addr, &v4, sizeof v4);
    ask_interface(name, SIOCSIFADDR, &values);
    v4.sin_addr.s_addr = htonl(0xffffff00);
    memcpy(&values.ifr_netmask, &v4, sizeof v4);
    ask_interface(name, SIOCSIFNETMASK, &values);
    values = (struct ifreq){.ifr_flags = IFF_UP};
    ask_interface(name, SIOCSIFFLAGS, &values);
}

static int open_host(const char *name) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(NEAR_PORT)};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(FAR_PORT)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int size = 8 << 20;
    memcpy(&at.sin_addr, near_ip, sizeof near_ip);
    memcpy(&to.sin_addr, far_ip, sizeof far_ip);
    assert_return_code(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name)),
                       errno);
    assert_return_code(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size), errno);
    assert_return_code(bind(fd, (struct sockaddr *)&at, sizeof at), errno);
    assert_return_code(connect(fd, (struct sockaddr *)&to, sizeof to), errno);
    return fd;
}

static void create_end(struct port *port, struct port_end *end, const struct port_network *network,
                       bool is_near, const uint8_t private_key[32]) {
    struct wrn_wg_options options = {
        .peers_max = 4,
        .prefixes_max = 16,
        .staged_max_bytes = 1 << 20,
        .handshakes_per_s = 1000,
        .quiesce = is_near ? quiesce : NULL,
        .index_tag = is_near ? network->tag : 0,
        .index_tag_bits = is_near ? PORT_TAG_BITS : 0,
        .asks_for_unrouted = is_near && port_asks_for_unrouted,
    };
    if (is_near) {
        options.filter = port_filter;
    }
    end->memory_size = wrn_wg_memory_size(&options);
    assert_int_equal(wrn_memory_map(end->memory_size, &end->memory), 0);
    end->wg = wrn_wg_init(end->memory, &options, port->crypto, wrn_random_source(&port->random));
    assert_int_equal(wrn_wg_set_private_key(end->wg, wrn_clock_read(), private_key), 0);
    wrn_wg_set_up(end->wg, wrn_clock_read(), true, NULL);
}

static void introduce(struct port_end *end, const struct port_end *other,
                      const uint8_t other_ip[4]) {
    struct wrn_prefix inner = {.ip = {.family = WRN_FAMILY_IPV4}, .length_bits = 32};
    memcpy(inner.ip.bytes, other_ip, 4);
    assert_int_equal(wrn_wg_peer_add(end->wg, wrn_clock_read(), other->public_key, &end->peer), 0);
    assert_int_equal(wrn_wg_peer_allow(end->wg, end->peer, &inner), 0);
}

static void create_network(struct port *port, uint32_t index) {
    struct port_network *network = &port->networks[index];
    uint8_t keys[2][32];
    network->tag = 63 - 7 * index;
    network->host_fd = -1;
    (void)snprintf(network->name, sizeof network->name, "n%u", index);
    for (int i = 0; i < 2; i++) {
        struct port_end *end = i == 0 ? &network->near : &network->far;
        wrn_rand_fill(wrn_random_source(&port->random), keys[i], 32);
        wrn_x25519_clamp(keys[i]);
        assert_true(wrn_x25519_public(port->crypto, keys[i], end->public_key));
        create_end(port, end, network, i == 0, keys[i]);
    }
    introduce(&network->near, &network->far, far_ip);
    introduce(&network->far, &network->near, near_ip);
}

/* ---- what settle hands over ---- */

static void hold(struct port *port, int network, const struct wrn_path *path, wrn_span bytes) {
    assert_true(port->held_count < PORT_HELD_MAX && bytes.size <= PORT_DATAGRAM_MAX);
    struct port_held *held = &port->held[port->held_count++];
    held->network = network;
    held->path = *path;
    held->size = bytes.size;
    memcpy(held->bytes, bytes.data, bytes.size);
}

static int network_of(const struct port *port, const struct wrn_wg *wg) {
    for (int i = 0; i < PORT_NETWORKS_MAX; i++) {
        if (port->networks[i].near.wg == wg) {
            return i;
        }
    }
    return -1;
}

static void on_event(void *ctx, const struct wrn_wg *wg, const struct wrn_wg_event *event) {
    assert_true(network_of(ctx, wg) >= 0);
    assert_true(event->kind < WRN_WG_EVENT_COUNT);
}

static void on_refused(void *ctx, const struct wrn_path *path, int error) {
    (void)ctx;
    (void)path;
    print_message("# the kernel refused a datagram: %s\n", strerror(-error));
}

static void on_carry(void *ctx, const struct wrn_wg *wg, wrn_handle peer,
                     const struct wrn_path *path, uint8_t ds, wrn_span datagram) {
    struct port *port = ctx;
    int network = network_of(port, wg);
    (void)ds;
    assert_true(network >= 0 && wrn_handle_equal(peer, port->networks[network].near.peer));
    hold(port, network, path, datagram);
}

static void on_unrouted(void *ctx, const struct wrn_wg *wg, wrn_span packet) {
    struct port *port = ctx;
    static const struct wrn_path nowhere;
    hold(port, network_of(port, wg), &nowhere, packet);
}

struct port *port_create(uint32_t networks, uint32_t workers) {
    struct port *port = calloc(1, sizeof *port);
    struct wrn_crew_options options = {.tag_bits = PORT_TAG_BITS, .provider = WRN_CRYPTO_AUTO};
    struct wrn_settle_port settle = {.ctx = port,
                                     .event = on_event,
                                     .refused = on_refused,
                                     .carry = on_carry,
                                     .unrouted = on_unrouted};
    assert_non_null(port);
    port->by_hand = -1;
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_AUTO, &port->crypto), 0);
    assert_int_equal(wrn_crew_create(&options, &port->crew), 0);
    assert_int_equal(wrn_settle_init(&port->settle, &settle), 0);
    wrn_crew_set_offloads(port->crew, WRN_UAPI_OFFLOADS_ALL);
    assert_int_equal(wrn_crew_open_sockets(port->crew, 0, 0), 0);
    const struct wrn_udp *udp = wrn_crew_sockets(port->crew);
    port->settle.udp = (struct wrn_udp){.fd4 = udp->fd4, .fd6 = udp->fd6, .port = udp->port};
    port->far_reaches = (struct wrn_endpoint){
        .ip = {.bytes = {127, 0, 0, 1}, .family = WRN_FAMILY_IPV4}, .port = udp->port};
    assert_int_equal(wrn_udp_open(0, 0, &port->far_udp), 0);
    (void)wrn_udp_set_offloads(&port->far_udp, WRN_UDP_OFFLOADS_ALL);
    assert_int_equal(wrn_udp_scratch_create(&port->scratch), 0);
    for (uint32_t i = 0; i < networks; i++) {
        create_network(port, i);
        wrn_wg_peer_set_endpoint(port->networks[i].far.wg, port->networks[i].far.peer,
                                 &port->far_reaches);
        port_add(port, i);
    }
    assert_int_equal(wrn_crew_set_workers(port->crew, workers), 0);
    return port;
}

void port_destroy(struct port *port) {
    wrn_crew_destroy(port->crew);
    wrn_settle_finish(&port->settle);
    for (uint32_t i = 0; i < PORT_NETWORKS_MAX; i++) {
        struct port_network *network = &port->networks[i];
        for (int k = 0; k < 2 && network->near.wg != NULL; k++) {
            struct port_end *end = k == 0 ? &network->far : &network->near;
            wrn_wg_finish(end->wg);
            wrn_memory_unmap(end->memory, end->memory_size);
        }
        if (network->name[0] != 0 && network->host_fd >= 0) {
            close(network->host_fd);
        }
    }
    wrn_udp_close(&port->far_udp);
    free(port->scratch);
    wrn_crypto_destroy(port->crypto);
    free(port);
}

void port_add(struct port *port, uint32_t index) {
    struct port_network *network = &port->networks[index];
    struct wrn_tun tun = WRN_TUN_NONE;
    assert_int_equal(wrn_tun_create(network->name, &tun), 0);
    assert_int_equal(
        wrn_crew_add(port->crew, network->near.wg, network->tag, NULL, tun, &network->machine), 0);
    assert_ptr_equal(wrn_crew_machine(port->crew, network->machine), network->near.wg);
    switch_on(network->name);
    network->host_fd = open_host(network->name);
}

void port_remove(struct port *port, uint32_t index) {
    struct port_network *network = &port->networks[index];
    close(network->host_fd);
    network->host_fd = -1;
    wrn_crew_remove(port->crew, network->machine);
    assert_null(wrn_crew_machine(port->crew, network->machine));
    assert_int_equal(if_nametoindex(network->name), 0);
}

/* ---- the far ends ---- */

static void add_outgoing(struct port *port, const struct wrn_path *path, const uint8_t *bytes,
                         size_t size) {
    if (port->outgoing_count == WRN_UDP_BATCH_MAX) {
        port_far_flush(port);
    }
    size_t i = port->outgoing_count++;
    assert_true(size <= PORT_DATAGRAM_MAX);
    memcpy(port->outgoing_bytes[i], bytes, size);
    port->outgoing[i] = (struct wrn_udp_sending){
        .bytes = port->outgoing_bytes[i], .size = size, .path = {.remote = path->remote}};
}

/* The far end's datagrams come to the control thread. */
static void inject(struct port *port) {
    const struct port_network *network = &port->networks[port->by_hand];
    struct wrn_wg_datagram batch[WRN_UDP_BATCH_MAX];
    for (size_t i = 0; i < port->outgoing_count; i++) {
        batch[i] = (struct wrn_wg_datagram){
            .bytes = port->outgoing_bytes[i],
            .size = port->outgoing[i].size,
            .path = {.kind = WRN_PATH_CONTROL, .slot = port->slot},
        };
    }
    assert_int_equal(wrn_crew_inject(port->crew, wrn_clock_read(), network->machine, batch,
                                     port->outgoing_count, port->settle.out),
                     0);
    wrn_settle_run(&port->settle, network->near.wg, wrn_clock_read());
    port->outgoing_count = 0;
}

void port_far_flush(struct port *port) {
    if (port->outgoing_count > 0 && port->by_hand >= 0) {
        inject(port);
    } else if (port->outgoing_count > 0) {
        wrn_udp_send(&port->far_udp, port->scratch, port->outgoing, port->outgoing_count);
        for (size_t i = 0; i < port->outgoing_count; i++) {
            assert_int_equal(port->outgoing[i].error, 0);
        }
        port->outgoing_count = 0;
    }
}

static void settle_far(struct port *port, struct port_network *network) {
    static uint8_t buffer[WRN_WG_HEADROOM + WRN_WG_PACKET_MAX + WRN_WG_TAILROOM];
    struct wrn_wg *wg = network->far.wg;
    struct wrn_wg_out *out = &port->far_out;
    struct wrn_wg_packet packet;
    size_t count;
    if (wrn_mono_reached(wrn_clock_read().mono, wrn_wg_due(wg))) {
        wrn_wg_on_time(wg, wrn_clock_read(), out);
    }
    do {
        for (uint32_t i = 0; i < out->message_count; i++) {
            const struct wrn_wg_message *message = &out->messages[i];
            add_outgoing(port, &message->path, message->bytes, message->size);
        }
        out->message_count = 0;
        out->event_count = 0;
        packet =
            (struct wrn_wg_packet){.bytes = buffer + WRN_WG_HEADROOM, .size = WRN_WG_PACKET_MAX};
        count = wrn_wg_pull_staged(wg, wrn_clock_read(), &packet, 1, out);
        if (count > 0) {
            add_outgoing(port, &packet.path, packet.datagram, packet.datagram_size);
        }
    } while (count > 0 || out->message_count > 0);
}

/* An IPv4 packet with UDP from the far host to the near one; the payload is the network and the
 * number. Returns its size. */
static size_t make_packet(uint8_t *packet, uint32_t network, uint64_t number, size_t payload) {
    size_t size = HEADERS + payload;
    uint8_t *udp = packet + 20;
    memset(packet, 0, size);
    packet[0] = 0x45;
    wrn_store_be16(packet + 2, (uint16_t)size);
    wrn_store_be16(packet + 4, (uint16_t)number);
    packet[6] = 0x40;
    packet[8] = 64;
    packet[9] = IPPROTO_UDP;
    memcpy(packet + 12, far_ip, 4);
    memcpy(packet + 16, near_ip, 4);
    wrn_store_be16(packet + 10, wrn_sum_finish(wrn_sum_add((wrn_sum){0}, packet, 20)));
    wrn_store_be16(udp, FAR_PORT);
    wrn_store_be16(udp + 2, NEAR_PORT);
    wrn_store_be16(udp + 4, (uint16_t)(size - 20));
    wrn_store_be32(udp + 8, network);
    wrn_store_be64(udp + 12, number);
    wrn_sum sum = wrn_sum_add((wrn_sum){0}, udp, size - 20);
    sum = wrn_sum_add_pseudo(sum, packet, IPPROTO_UDP, (uint32_t)(size - 20));
    wrn_store_be16(udp + 6, wrn_sum_finish(sum));
    return size;
}

void port_far_packet(struct port *port, uint32_t index, size_t payload) {
    struct port_network *network = &port->networks[index];
    uint8_t buffer[WRN_WG_HEADROOM + HEADERS + PORT_PAYLOAD_MAX + WRN_WG_TAILROOM];
    struct wrn_wg_packet packet = {.bytes = buffer + WRN_WG_HEADROOM};
    assert_true(payload >= 16 && payload <= PORT_PAYLOAD_MAX);
    packet.size = make_packet(packet.bytes, index, network->sent_there++, payload);
    wrn_wg_on_packets(network->far.wg, wrn_clock_read(), &packet, 1, &port->far_out);
    assert_int_equal(packet.drop, WRN_DROP_NONE);
    if (packet.datagram_size > 0) {
        add_outgoing(port, &packet.path, packet.datagram, packet.datagram_size);
    }
    settle_far(port, network);
}

/* A packet of the near host has come to the far end of a network. */
static void check_far(struct port *port, uint32_t index, const uint8_t *packet, size_t size) {
    struct port_network *network = &port->networks[index];
    if (size < HEADERS + 12 || packet[0] != 0x45 || packet[9] != IPPROTO_UDP) {
        return; /* the kernel's own: IPv6 router solicitations, errors */
    }
    assert_memory_equal(packet + 12, near_ip, 4);
    assert_int_equal(wrn_load_be32(packet + HEADERS), index);
    assert_int_equal(wrn_load_be64(packet + HEADERS + 4), network->received_there);
    network->received_there++;
}

/* Finds out whom a datagram of the crew is for as its author must: each far end tries. */
static void take_at_far(struct port *port, uint8_t *bytes, size_t size) {
    if (port->expects_heads) {
        assert_true(size > WRN_RELAYED_OVERHEAD && size <= WRN_RELAYED_MAX);
        assert_int_equal(bytes[0], WRN_RELAYED_KIND);
        assert_int_equal(bytes[1], WRN_RELAYED_VERSION);
        assert_int_equal(wrn_load_be16(bytes + 2), 0);
        assert_int_equal(wrn_load_be64(bytes + 4), port->slot);
        bytes += WRN_RELAYED_OVERHEAD;
        size -= WRN_RELAYED_OVERHEAD;
        port->heads++;
    }
    for (uint32_t i = 0; i < PORT_NETWORKS_MAX && port->networks[i].far.wg != NULL; i++) {
        uint8_t copy[PORT_DATAGRAM_MAX];
        struct wrn_wg_datagram datagram = {
            .bytes = copy, .size = size, .path = {.remote = port->far_reaches}};
        assert_true(size <= sizeof copy);
        memcpy(copy, bytes, size);
        wrn_wg_on_datagrams(port->networks[i].far.wg, wrn_clock_read(), &datagram, 1,
                            &port->far_out);
        if (datagram.packet_size > 0) {
            check_far(port, i, datagram.packet, datagram.packet_size);
        }
        settle_far(port, &port->networks[i]);
    }
}

/* Gives the far end what was handed over for it. */
static void give(struct port *port) {
    for (uint32_t i = 0; i < port->held_count; i++) {
        struct port_held *held = &port->held[i];
        assert_int_equal(held->network, port->by_hand);
        assert_int_equal(held->path.kind, WRN_PATH_CONTROL);
        assert_int_equal(held->path.slot, port->slot);
        port->carried++;
        take_at_far(port, held->bytes, held->size);
    }
    port->held_count = 0;
}

static void serve_far(struct port *port) {
    struct wrn_udp_received received[ROOMS];
    size_t count;
    do {
        for (size_t i = 0; i < ROOMS; i++) {
            received[i] = (struct wrn_udp_received){.bytes = port->rooms[i], .size = 65536};
        }
        count = wrn_udp_receive(port->far_udp.fd4, port->scratch, received, ROOMS);
        for (size_t i = 0; i < count; i++) {
            for (size_t at = 0; at < received[i].size; at += received[i].segment_size) {
                size_t left = received[i].size - at;
                take_at_far(port, received[i].bytes + at,
                            left < received[i].segment_size ? left : received[i].segment_size);
            }
        }
    } while (count == ROOMS);
    if (port->by_hand >= 0) {
        give(port);
    }
    for (uint32_t i = 0; i < PORT_NETWORKS_MAX && port->networks[i].far.wg != NULL; i++) {
        settle_far(port, &port->networks[i]);
    }
    port_far_flush(port);
}

/* ---- the near host and the control thread ---- */

void port_near_packet(struct port *port, uint32_t index, size_t payload) {
    struct port_network *network = &port->networks[index];
    uint8_t bytes[PORT_PAYLOAD_MAX] = {0};
    assert_true(payload >= 12 && payload <= sizeof bytes);
    wrn_store_be32(bytes, index);
    wrn_store_be64(bytes + 4, network->sent_here++);
    assert_int_equal(send(network->host_fd, bytes, payload, 0), payload);
}

static void serve_host(struct port *port) {
    for (uint32_t i = 0; i < PORT_NETWORKS_MAX; i++) {
        struct port_network *network = &port->networks[i];
        uint8_t bytes[PORT_PAYLOAD_MAX + 1];
        ssize_t size;
        while (network->name[0] != 0 && network->host_fd >= 0 &&
               (size = recv(network->host_fd, bytes, sizeof bytes, 0)) > 0) {
            assert_true(size >= 12);
            assert_int_equal(wrn_load_be32(bytes), i);
            assert_int_equal(wrn_load_be64(bytes + 4), network->received_here);
            network->received_here++;
        }
    }
}

static void read_ring(struct port *port, struct wrn_ring *ring) {
    struct wrn_report *report;
    size_t size;
    while ((report = wrn_report_first(ring, &size)) != NULL) {
        struct wrn_wg *wg = wrn_crew_machine(port->crew, report->machine);
        if (report->kind == WRN_REPORT_FRAME) {
            assert_true(wrn_handle_equal(report->machine, WRN_HANDLE_NONE));
            hold(port, -1, &report->path, (wrn_span){report->bytes, size});
        } else if (wg != NULL) {
            wrn_settle_report(&port->settle, wg, wrn_clock_read(), report, size);
            wrn_settle_run(&port->settle, wg, wrn_clock_read());
        }
        wrn_ring_release(ring);
    }
}

static void serve_control(struct port *port) {
    struct wrn_reports *reports;
    eventfd_t count;
    (void)!read(wrn_crew_event_fd(port->crew), &count, sizeof count);
    for (uint32_t i = 0; (reports = wrn_crew_reports(port->crew, i)) != NULL; i++) {
        uint32_t facts = wrn_reports_take_facts(reports);
        if ((facts & WRN_FACT_DELETED) != 0) {
            wrn_handle gone;
            while (!wrn_handle_equal(gone = wrn_crew_next_deleted(port->crew), WRN_HANDLE_NONE)) {
                port->deleted |= UINT64_C(1) << gone.index;
            }
        }
        read_ring(port, reports->messages);
        read_ring(port, reports->packets);
        read_ring(port, reports->frames);
    }
    wrn_crew_dismiss(port->crew);
    for (uint32_t i = 0; i < PORT_NETWORKS_MAX; i++) {
        struct wrn_wg *wg = port->networks[i].near.wg;
        if (wg != NULL) {
            if (wrn_mono_reached(wrn_clock_read().mono, wrn_wg_due(wg))) {
                wrn_wg_on_time(wg, wrn_clock_read(), port->settle.out);
            }
            wrn_settle_run(&port->settle, wg, wrn_clock_read());
        }
    }
}

void port_until(struct port *port, bool (*is_done)(struct port *port)) {
    wrn_mono end = wrn_mono_add(wrn_clock_read().mono, WRN_S(WAIT_S));
    for (;;) {
        serve_control(port);
        serve_far(port);
        serve_host(port);
        if (is_done(port)) {
            return;
        }
        assert_true(wrn_mono_before(wrn_clock_read().mono, end));
        struct pollfd fds[2 + PORT_NETWORKS_MAX] = {
            {.fd = wrn_crew_event_fd(port->crew), .events = POLLIN},
            {.fd = port->far_udp.fd4, .events = POLLIN}};
        for (int i = 0; i < PORT_NETWORKS_MAX; i++) {
            bool is_there = port->networks[i].name[0] != 0;
            fds[2 + i] =
                (struct pollfd){.fd = is_there ? port->networks[i].host_fd : -1, .events = POLLIN};
        }
        (void)poll(fds, WRN_COUNT(fds), 10);
    }
}

static uint32_t waited_for;

static bool has_all(struct port *port) {
    const struct port_network *network = &port->networks[waited_for];
    return network->received_here == network->sent_there &&
           network->received_there == network->sent_here;
}

void port_settle(struct port *port, uint32_t network) {
    waited_for = network;
    port_far_flush(port);
    port_until(port, has_all);
}

uint64_t port_drops(const struct port *port, uint32_t network, enum wrn_drop reason) {
    uint64_t counts[WRN_DROP_COUNT];
    wrn_wg_drops(port->networks[network].near.wg, counts);
    return counts[reason];
}

uint64_t port_strays(const struct port *port, enum wrn_stray reason) {
    uint64_t counts[WRN_STRAY_COUNT];
    wrn_crew_strays(port->crew, counts);
    return counts[reason];
}
