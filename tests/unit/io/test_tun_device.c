/* SPDX-License-Identifier: Apache-2.0 */
/* TUN devices of all kinds, as the kernel makes them: queues, headers, offloads. In network
 * namespaces of our own, which need root. */
#define _GNU_SOURCE /* unshare, setns */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/cleanup.h"
#include "io/netlink.h"
#include "io/steering.h"
#include "io/tun.h"

enum {
    ROOM = 65535,
    WAIT_MS = 5000,
    NEEDS_CHECKSUM = 1, /* VIRTIO_NET_HDR_F_NEEDS_CSUM */
    GSO_TCP4 = 1,       /* VIRTIO_NET_HDR_GSO_… */
    GSO_UDP = 5,
};

/* Each test begins in an empty namespace. */
static int set_up(void **state) {
    static bool allowed;
    allowed = geteuid() == 0 && unshare(CLONE_NEWNET) == 0 && access("/dev/net/tun", R_OK) == 0;
    *state = &allowed;
    return 0;
}

static void need_root(void **state) {
    const bool *allowed = *state;
    if (!*allowed) {
        print_message("# skipped: needs root and /dev/net/tun, for devices in a namespace\n");
        skip();
    }
}

/* Does an ioctl of an interface, which must succeed. */
static struct ifreq request(const char *name, unsigned long what, struct ifreq values) {
    WRN_CLEANUP(wrn_close_fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(values.ifr_name, name, strlen(name) + 1);
    assert_return_code(ioctl(fd, what, &values), errno);
    return values;
}

/* Gives the interface an IPv4 address with a prefix of 24 bits, and switches it on. */
static void switch_on(const char *name, const char *address) {
    struct ifreq values = {0};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, address, &v4.sin_addr), 1);
    memcpy(&values.ifr_addr, &v4, sizeof v4);
    (void)request(name, SIOCSIFADDR, values);
    v4.sin_addr.s_addr = htonl(0xffffff00);
    memcpy(&values.ifr_netmask, &v4, sizeof v4);
    (void)request(name, SIOCSIFNETMASK, values);
    (void)request(name, SIOCSIFFLAGS, (struct ifreq){.ifr_flags = IFF_UP});
}

/* Opens a device the way another program would. */
static int open_other(const char *name, unsigned flags) {
    struct ifreq values = {.ifr_flags = (short)flags};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    memcpy(values.ifr_name, name, strlen(name) + 1);
    assert_return_code(ioctl(fd, TUNSETIFF, &values), errno);
    return fd;
}

/* Makes a device that stays without a program. */
static void make_persistent(const char *name, unsigned flags) {
    WRN_CLEANUP(wrn_close_fd) int fd = open_other(name, flags);
    assert_return_code(ioctl(fd, TUNSETPERSIST, 1UL), errno);
}

/* Goal: a new device takes several queues, has the header, MTU and queue length; nobody gets in
 * beside us through the same call; a name that is no TUN device is refused.
 * Method: create, ask the system, create again. */
static void create(void **state) {
    struct wrn_tun tun = WRN_TUN_NONE;
    struct wrn_tun again = WRN_TUN_NONE;
    char name[WRN_TUN_NAME_SIZE];
    need_root(state);
    assert_int_equal(wrn_tun_create("w0", &tun), 0);
    assert_true(tun.multi_queue);
    assert_int_equal(tun.vnet_size, WRN_TUN_HEADER_SIZE);
    assert_int_equal(tun.offloads, 0);
    assert_int_equal(wrn_tun_name(&tun, name), 0);
    assert_string_equal(name, "w0");
    assert_int_equal(request("w0", SIOCGIFMTU, (struct ifreq){0}).ifr_mtu, WRN_TUN_MTU_DEFAULT);
    assert_int_equal(request("w0", SIOCGIFTXQLEN, (struct ifreq){0}).ifr_qlen,
                     WRN_TUN_QUEUE_LENGTH);
    assert_int_equal(wrn_tun_create("w0", &again), -EBUSY);
    assert_int_equal(wrn_tun_create("lo", &again), -EEXIST);
    wrn_tun_close(&tun);
    assert_int_equal(if_nametoindex("w0"), 0); /* it went with its descriptor */
    assert_int_equal(wrn_tun_create("w0", &tun), 0);
    wrn_tun_close(&tun);
}

/* Goal: devices that somebody prepared are taken as they are, with the offload header, MTU and
 * queue length untouched if chosen; one that is in use is not, and neither is a TAP device.
 * Method: all kinds. */
static void persistent(void **state) {
    static const unsigned kinds[] = {0, IFF_MULTI_QUEUE, IFF_VNET_HDR,
                                     IFF_MULTI_QUEUE | IFF_VNET_HDR};
    need_root(state);
    for (size_t i = 0; i < WRN_COUNT(kinds); i++) {
        struct wrn_tun tun = WRN_TUN_NONE;
        struct wrn_tun more = WRN_TUN_NONE;
        char name[] = "p0";
        name[1] = (char)('0' + i);
        make_persistent(name, IFF_TUN | IFF_NO_PI | kinds[i]);
        (void)request(name, SIOCSIFMTU, (struct ifreq){.ifr_mtu = 1300});
        (void)request(name, SIOCSIFTXQLEN, (struct ifreq){.ifr_qlen = 77});
        assert_int_equal(wrn_tun_create(name, &tun), 0);
        assert_int_equal(tun.multi_queue, (kinds[i] & IFF_MULTI_QUEUE) != 0);
        assert_int_equal(tun.vnet_size, WRN_TUN_HEADER_SIZE);
        assert_int_equal(request(name, SIOCGIFMTU, (struct ifreq){0}).ifr_mtu, 1300);
        assert_int_equal(request(name, SIOCGIFTXQLEN, (struct ifreq){0}).ifr_qlen, 77);
        assert_int_equal(wrn_tun_create(name, &more), -EBUSY);
        assert_int_equal(wrn_tun_add_queue(&tun, &more), tun.multi_queue ? 0 : -EOPNOTSUPP);
        wrn_tun_close(&more);
        wrn_tun_close(&tun);
        assert_true(if_nametoindex(name) != 0);
        int other = open_other(name, IFF_TUN | IFF_NO_PI | kinds[i]);
        assert_int_equal(wrn_tun_create(name, &tun), -EBUSY);
        (void)close(other);
        assert_int_equal(wrn_tun_create(name, &tun), 0);
        wrn_tun_close(&tun);
    }
    struct wrn_tun tap = WRN_TUN_NONE;
    make_persistent("t0", IFF_TAP | IFF_NO_PI);
    assert_int_equal(wrn_tun_create("t0", &tap), -EEXIST);
}

/* Goal: descriptors that were handed over work with the header that they have, offloads only with
 * one; those of the wrong kind are refused and closed. Method: all kinds. */
static void adopt(void **state) {
    static const struct {
        unsigned flags;
        int header_size; /* set so, 0: left */
        int result;
    } cases[] = {
        {IFF_TUN | IFF_NO_PI, 0, 0},
        {IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE, 0, 0},
        {IFF_TUN | IFF_NO_PI | IFF_VNET_HDR, 0, 0},
        {IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE, 12, 0},
        {IFF_TUN, 0, -EPROTOTYPE},
        {IFF_TAP | IFF_NO_PI, 0, -EPROTOTYPE},
    };
    need_root(state);
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_tun tun = WRN_TUN_NONE;
        struct wrn_tun more = WRN_TUN_NONE;
        int little = 1;
        int fd = open_other("a0", cases[i].flags);
        if (cases[i].header_size != 0) {
            assert_return_code(ioctl(fd, TUNSETVNETHDRSZ, &cases[i].header_size), errno);
            assert_return_code(ioctl(fd, TUNSETVNETLE, &little), errno);
        }
        assert_int_equal(wrn_tun_adopt(fd, &tun), cases[i].result);
        if (cases[i].result != 0) {
            assert_int_equal(fcntl(fd, F_GETFD), -1);
            continue;
        }
        bool header = (cases[i].flags & IFF_VNET_HDR) != 0;
        uint32_t size = cases[i].header_size != 0 ? (uint32_t)cases[i].header_size : 10;
        assert_int_equal(tun.vnet_size, header ? size : 0);
        assert_int_equal(wrn_tun_set_offloads(&tun, WRN_TUN_CHECKSUM | WRN_TUN_TSO4),
                         header ? WRN_TUN_CHECKSUM | WRN_TUN_TSO4 : 0);
        assert_int_equal(wrn_tun_add_queue(&tun, &more), tun.multi_queue ? 0 : -EOPNOTSUPP);
        assert_int_equal(more.fd >= 0 ? more.vnet_size : tun.vnet_size, tun.vnet_size);
        wrn_tun_close(&more);
        wrn_tun_close(&tun);
    }
}

/* Goal: a TAP device is like a TUN device, but for its MTU and that frames go through it. Method:
 * create and ask; a frame of a type of our own, tagged too, from a packet socket and to one. */
static void tap(void **state) {
    struct wrn_tun tun = WRN_TUN_NONE;
    struct wrn_tun more = WRN_TUN_NONE;
    uint8_t frame[64] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xb5}, got[100], header[10];
    need_root(state);
    assert_int_equal(wrn_tun_create_tap("t1", &tun), 0);
    assert_true(tun.multi_queue);
    assert_int_equal(tun.vnet_size, WRN_TUN_HEADER_SIZE);
    assert_int_equal(request("t1", SIOCGIFMTU, (struct ifreq){0}).ifr_mtu, WRN_TUN_TAP_MTU);
    assert_int_equal(request("t1", SIOCGIFTXQLEN, (struct ifreq){0}).ifr_qlen,
                     WRN_TUN_QUEUE_LENGTH);
    assert_int_equal(wrn_tun_create_tap("t1", &more), -EBUSY);
    assert_int_equal(wrn_tun_create("t1", &more), -EEXIST);
    assert_int_equal(wrn_tun_create_tap("lo", &more), -EEXIST);
    assert_int_equal(wrn_tun_set_offloads(&tun, WRN_TUN_CHECKSUM | WRN_TUN_TSO4),
                     WRN_TUN_CHECKSUM | WRN_TUN_TSO4);
    assert_int_equal(wrn_tun_add_queue(&tun, &more), 0);
    wrn_tun_close(&more);
    (void)request("t1", SIOCSIFFLAGS, (struct ifreq){.ifr_flags = IFF_UP});
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(0x88b5),
                             .sll_ifindex = (int)if_nametoindex("t1")};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(0x88b5));
    assert_return_code(bind(fd, (const struct sockaddr *)&at, sizeof at), errno);
    assert_int_equal(send(fd, frame, sizeof frame, 0), sizeof frame);
    ssize_t size = 0;
    while (size == 0 || got[12] != 0x88) { /* the host says things of its own, too */
        struct pollfd ready = {.fd = tun.fd, .events = POLLIN};
        struct iovec parts[2] = {{0}, {got, sizeof got}};
        size = wrn_tun_read(&tun, parts, 2, header);
        assert_true(size >= 0);
        assert_true(size > 0 || poll(&ready, 1, WAIT_MS) == 1);
    }
    assert_int_equal(size, sizeof frame);
    assert_memory_equal(got, frame, sizeof frame);
    frame[0] = 0xff;
    struct iovec parts[2] = {{0}, {frame, sizeof frame}};
    assert_int_equal(wrn_tun_write(&tun, parts, 2, NULL), 0);
    assert_int_equal(recv(fd, got, sizeof got, 0), sizeof frame);
    assert_memory_equal(got, frame, sizeof frame);
    (void)close(fd);
    wrn_tun_close(&tun);
    make_persistent("t2", IFF_TAP | IFF_NO_PI);
    assert_int_equal(wrn_tun_create_tap("t2", &tun), 0);
    assert_int_equal(wrn_tun_add_queue(&tun, &more), -EOPNOTSUPP);
    wrn_tun_close(&tun);
}

/* Deletes an interface while its program lives. */
static void delete_link(const char *name) {
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
    struct nl_sock *socket = NULL;
    struct nl_msg *wish = nlmsg_alloc_simple(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK);
    assert_int_equal(wrn_netlink_open(&socket), 0);
    assert_int_equal(nlmsg_append(wish, &info, sizeof info, NLMSG_ALIGNTO), 0);
    assert_int_equal(nla_put_string(wish, IFLA_IFNAME, name), 0);
    assert_int_equal(wrn_netlink_ask(socket, wish, NLMSG_ERROR, NULL), 0);
    nlmsg_free(wish);
    nl_socket_free(socket);
}

/* Goal: a queue is added to the device itself, wherever it is: not to a namesake, not to none, and
 * not to one that was deleted. Method: rename it; move it to another namespace, in which a namesake
 * is not and here is; delete it. */
static void add_queue(void **state) {
    struct wrn_tun tun = WRN_TUN_NONE;
    struct wrn_tun namesake = WRN_TUN_NONE;
    struct wrn_tun queues[3] = {WRN_TUN_NONE, WRN_TUN_NONE, WRN_TUN_NONE};
    char name[WRN_TUN_NAME_SIZE];
    need_root(state);
    assert_int_equal(wrn_tun_create("w0", &tun), 0);
    (void)request("w0", SIOCSIFNAME, (struct ifreq){.ifr_newname = "w9"});
    assert_int_equal(wrn_tun_add_queue(&tun, &queues[0]), 0);
    assert_int_equal(wrn_tun_name(&queues[0], name), 0);
    assert_string_equal(name, "w9");

    /* The process goes elsewhere: that is the same to the device as being moved. */
    assert_return_code(unshare(CLONE_NEWNET), errno);
    assert_int_equal(wrn_tun_add_queue(&tun, &queues[1]), 0);
    assert_int_equal(if_nametoindex("w9"), 0);
    assert_int_equal(wrn_tun_create("w9", &namesake), 0);
    assert_int_equal(wrn_tun_add_queue(&tun, &queues[2]), 0);
    wrn_tun_close(&namesake);
    assert_int_equal(if_nametoindex("w9"), 0); /* queues[2] did not go there */
    for (size_t i = 0; i < WRN_COUNT(queues); i++) {
        assert_int_equal(wrn_tun_name(&queues[i], name), 0);
        wrn_tun_close(&queues[i]);
    }
    wrn_tun_close(&tun);

    assert_int_equal(wrn_tun_create("w0", &tun), 0);
    delete_link("w0");
    assert_int_equal(wrn_tun_name(&tun, name), -ENODEV);
    assert_int_equal(wrn_tun_add_queue(&tun, &queues[0]), -ENODEV);
    assert_int_equal(if_nametoindex("w0"), 0);
    wrn_tun_close(&tun);
}

/* Reads one packet, waiting for it. Returns its size. */
static size_t read_packet(const struct wrn_tun *tun, uint8_t *bytes, uint8_t header[10]) {
    for (;;) {
        struct iovec parts[3] = {{0}, {bytes, 100}, {bytes + 100, ROOM - 100}};
        struct pollfd ready = {.fd = tun->fd, .events = POLLIN};
        ssize_t got = wrn_tun_read(tun, parts, 3, header);
        assert_true(got >= 0);
        if (got > 0 && bytes[0] >> 4 == 4) { /* the host says things of its own in IPv6 */
            return (size_t)got;
        }
        if (got == 0) {
            assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
        }
    }
}

/* A UDP socket bound to 'address', any port. */
static int udp_socket(const char *address, struct sockaddr_in *ret_bound) {
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    socklen_t size = sizeof v4;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(inet_pton(AF_INET, address, &v4.sin_addr), 1);
    assert_return_code(bind(fd, (const struct sockaddr *)&v4, sizeof v4), errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)&v4, &size), errno);
    *ret_bound = v4;
    return fd;
}

static void send_to(int fd, const char *address, uint16_t port, const void *bytes, size_t size) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, address, &to.sin_addr), 1);
    assert_int_equal(sendto(fd, bytes, size, 0, (const struct sockaddr *)&to, sizeof to), size);
}

/* Turns an IPv4 UDP packet without options into its answer; without a checksum, which is none. */
static void turn_round(uint8_t *packet) {
    uint8_t kept[6];
    memcpy(kept, packet + 12, 4);
    memmove(packet + 12, packet + 16, 4);
    memcpy(packet + 16, kept, 4);
    memcpy(kept, packet + 20, 2);
    memmove(packet + 20, packet + 22, 2);
    memcpy(packet + 22, kept, 2);
    packet[26] = packet[27] = 0;
}

/* Goal: packets go both ways, in several parts, with any header; what is refused is told apart.
 * Method: a UDP socket of the host, whose packet we send back; with headers of 0, 10 and 12
 * bytes. */
static void both_ways(void **state) {
    static const int sizes[] = {0, 10, 12};
    static const uint8_t nothing[WRN_TUN_HEADER_SIZE];
    static uint8_t packet[ROOM];
    need_root(state);
    for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
        struct wrn_tun tun = WRN_TUN_NONE;
        struct sockaddr_in bound;
        uint8_t header[WRN_TUN_HEADER_SIZE];
        char text[600];
        memset(text, 'x', sizeof text);
        int other = open_other("d0", IFF_TUN | IFF_NO_PI | (sizes[i] != 0 ? IFF_VNET_HDR : 0));
        assert_true(sizes[i] == 0 || ioctl(other, TUNSETVNETHDRSZ, &sizes[i]) == 0);
        assert_int_equal(wrn_tun_adopt(other, &tun), 0);
        switch_on("d0", "10.20.0.1");
        int host = udp_socket("10.20.0.1", &bound);
        send_to(host, "10.20.0.2", 9, text, sizeof text);
        memset(header, 1, sizeof header);
        size_t size = read_packet(&tun, packet, header);
        assert_int_equal(size, 28 + sizeof text);
        assert_memory_equal(header, nothing, sizeof header);
        assert_memory_equal(packet + 28, text, sizeof text);
        turn_round(packet);
        struct iovec parts[5] = {
            {0}, {packet, 7}, {packet + 7, 0}, {packet + 7, 50}, {packet + 57, size - 57}};
        assert_int_equal(wrn_tun_write(&tun, parts, 5, i == 1 ? nothing : NULL), 0);
        memset(text, 0, sizeof text);
        assert_int_equal(recv(host, text, sizeof text, 0), sizeof text);
        assert_int_equal(text[sizeof text - 1], 'x');

        const uint8_t gso[WRN_TUN_HEADER_SIZE] = {0, 77};
        struct iovec small[2] = {{0}, {packet, 28}};
        assert_int_equal(wrn_tun_write(&tun, small, 2, gso), sizes[i] == 0 ? -EOPNOTSUPP : -EINVAL);
        (void)request("d0", SIOCSIFFLAGS, (struct ifreq){0});
        small[1] = (struct iovec){packet, size};
        assert_int_equal(wrn_tun_write(&tun, small, 2, NULL), -EIO);
        while (wrn_tun_read(&tun, small, 2, header) > 0) { /* what it said before it went down */
            assert_int_equal(packet[0] >> 4, 6);
            small[1] = (struct iovec){packet, size};
        }
        assert_int_equal(wrn_tun_read(&tun, small, 2, header), 0);
        (void)close(host);
        wrn_tun_close(&tun);
    }
}

/* Two hosts, each a namespace with a TUN device, between which the test carries packets. */
struct link {
    struct wrn_tun ends[2];
    uint8_t protocol; /* the one looked at: TCP may send again when nobody asks for it */
    size_t largest;   /* packet seen since the last look */
    unsigned gso;     /* bits 1 << type seen */
    bool unfinished;  /* one without checksum was seen */
    uint8_t packet[ROOM];
};

/* Carries what waits in both directions. */
static void carry(struct link *link) {
    bool more;
    do {
        more = false;
        for (size_t i = 0; i < 2; i++) {
            uint8_t header[WRN_TUN_HEADER_SIZE];
            struct iovec in[2] = {{0}, {link->packet, ROOM}};
            ssize_t got = wrn_tun_read(&link->ends[i], in, 2, header);
            assert_true(got >= 0);
            if (got == 0 || link->packet[0] >> 4 != 4) {
                more = more || got > 0;
                continue;
            }
            struct iovec out[3] = {{0}, {link->packet, 20}, {link->packet + 20, (size_t)got - 20}};
            more = true;
            if (link->packet[9] == link->protocol) {
                link->largest = (size_t)got > link->largest ? (size_t)got : link->largest;
                link->gso |= 1U << (header[1] & 0x7f);
                link->unfinished = link->unfinished || (header[0] & NEEDS_CHECKSUM) != 0;
            }
            assert_int_equal(wrn_tun_write(&link->ends[1 - i], out, 3, header), 0);
        }
    } while (more);
}

/* Sends 256 KiB from one socket to the other through the link. */
static void stream(struct link *link, int from, int to) {
    enum { TOTAL = 1 << 18 };
    static uint8_t chunk[1 << 16];
    size_t sent = 0;
    size_t got = 0;
    link->protocol = IPPROTO_TCP;
    link->largest = 0;
    link->gso = 0;
    link->unfinished = false;
    while (got < TOTAL) {
        for (size_t i = 0; i < sizeof chunk; i++) {
            chunk[i] = (uint8_t)((sent + i) * 2654435761U >> 24);
        }
        size_t wish = TOTAL - sent < sizeof chunk ? TOTAL - sent : sizeof chunk;
        ssize_t put = send(from, chunk, wish, MSG_DONTWAIT);
        sent += put > 0 ? (size_t)put : 0;
        carry(link);
        ssize_t part = recv(to, chunk, sizeof chunk, MSG_DONTWAIT);
        for (size_t i = 0; part > 0 && i < (size_t)part; i++) {
            assert_int_equal(chunk[i], (uint8_t)((got + i) * 2654435761U >> 24));
        }
        got += part > 0 ? (size_t)part : 0;
        if (part <= 0) { /* for a timer of the hosts at most */
            struct pollfd ready[2] = {{.fd = link->ends[0].fd, .events = POLLIN},
                                      {.fd = link->ends[1].fd, .events = POLLIN}};
            assert_true(poll(ready, 2, WAIT_MS) > 0 || sent < TOTAL);
        }
    }
}

/* Connects a TCP socket of host 0 with one of host 1. */
static void connect_hosts(struct link *link, int listener, int client, int *ret_server) {
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    assert_return_code(getsockname(listener, (struct sockaddr *)&at, &size), errno);
    assert_return_code(listen(listener, 1), errno);
    assert_int_equal(connect(client, (const struct sockaddr *)&at, sizeof at), -1);
    assert_int_equal(errno, EINPROGRESS);
    do {
        carry(link);
        *ret_server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (*ret_server < 0 && errno == EAGAIN);
    assert_true(*ret_server >= 0);
}

/* Sends 10 datagrams with one call; they must arrive as 10. */
static void datagrams(struct link *link, int from, int to, const struct sockaddr_in *address) {
    static uint8_t text[10 * 1000];
    int segment = 1000;
    link->protocol = IPPROTO_UDP;
    link->largest = 0;
    link->gso = 0;
    assert_return_code(setsockopt(from, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment), errno);
    assert_int_equal(
        sendto(from, text, sizeof text, 0, (const struct sockaddr *)address, sizeof *address),
        sizeof text);
    carry(link);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(recv(to, text, sizeof text, MSG_DONTWAIT), segment);
    }
}

/* Goal: offloads go on and off under a live connection; what the host leaves unfinished it takes
 * unfinished at the other side, whole. Method: a TCP stream and UDP runs between two hosts, with
 * each set of offloads. */
static void offloads(void **state) {
    static const uint32_t sets[] = {0,
                                    WRN_TUN_OFFLOADS_ALL,
                                    WRN_TUN_CHECKSUM,
                                    WRN_TUN_CHECKSUM | WRN_TUN_TSO4 | WRN_TUN_TSO6,
                                    WRN_TUN_CHECKSUM | WRN_TUN_USO,
                                    WRN_TUN_OFFLOADS_ALL & ~WRN_TUN_CHECKSUM,
                                    0};
    static struct link link;
    struct sockaddr_in bound[2];
    int server;
    need_root(state);
    assert_int_equal(wrn_tun_create("l0", &link.ends[0]), 0);
    switch_on("l0", "10.20.0.1");
    int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int sender = udp_socket("10.20.0.1", &bound[0]);
    assert_return_code(unshare(CLONE_NEWNET), errno);
    assert_int_equal(wrn_tun_create("l1", &link.ends[1]), 0);
    switch_on("l1", "10.20.0.2");
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, "10.20.0.2", &at.sin_addr), 1);
    assert_return_code(bind(listener, (const struct sockaddr *)&at, sizeof at), errno);
    int receiver = udp_socket("10.20.0.2", &bound[1]);
    connect_hosts(&link, listener, client, &server);
    for (size_t i = 0; i < WRN_COUNT(sets); i++) {
        uint32_t set = (sets[i] & WRN_TUN_CHECKSUM) != 0 ? sets[i] : 0;
        if (wrn_tun_set_offloads(&link.ends[0], sets[i]) != set) {
            print_message("# this kernel has no USO\n");
            set &= ~(uint32_t)WRN_TUN_USO;
        }
        assert_int_equal(link.ends[0].offloads, set);
        bool tso = (set & WRN_TUN_TSO4) != 0;
        bool uso = (set & WRN_TUN_USO) != 0;
        stream(&link, client, server);
        assert_int_equal(link.unfinished, (set & WRN_TUN_CHECKSUM) != 0);
        assert_int_equal((link.gso & 1U << GSO_TCP4) != 0, tso);
        assert_int_equal(link.largest > WRN_TUN_MTU_DEFAULT, tso);
        datagrams(&link, sender, receiver, &bound[1]);
        assert_int_equal((link.gso & 1U << GSO_UDP) != 0, uso);
        assert_int_equal(link.largest, uso ? 10028 : 1028);
    }
    int fds[] = {client, server, listener, sender, receiver};
    for (size_t i = 0; i < WRN_COUNT(fds); i++) {
        (void)close(fds[i]);
    }
    wrn_tun_close(&link.ends[0]);
    wrn_tun_close(&link.ends[1]);
}

enum { QUEUES = 4, FLOWS = 64 };

/* Finds the one queue in which a packet to port 9 or a later fragment of one waits. Leaves it in
 * 'packet'. */
static size_t queue_of(const struct wrn_tun queues[QUEUES], unsigned version, uint8_t *packet) {
    size_t found = QUEUES;
    while (found == QUEUES) {
        for (size_t i = 0; i < QUEUES; i++) {
            uint8_t header[WRN_TUN_HEADER_SIZE];
            struct iovec parts[2] = {{0}, {packet, ROOM}};
            ssize_t got = wrn_tun_read(&queues[i], parts, 2, header);
            assert_true(got >= 0);
            bool is_ours = version == 4 || (packet[6] == IPPROTO_UDP && packet[43] == 9);
            if (got > 0 && packet[0] >> 4 == version && is_ours) {
                assert_int_equal(found, QUEUES);
                found = i;
                break;
            }
        }
    }
    return found;
}

/* Gives the interface an IPv6 address. */
static void add_v6(const char *name, const char *address) {
    struct {
        struct in6_addr address;
        uint32_t prefix_bits;
        int index;
    } values = {.prefix_bits = 64, .index = (int)if_nametoindex(name)}; /* struct in6_ifreq */
    WRN_CLEANUP(wrn_close_fd) int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(inet_pton(AF_INET6, address, &values.address), 1);
    assert_return_code(ioctl(fd, SIOCSIFADDR, &values), errno);
    struct sockaddr_in6 any_port = {.sin6_family = AF_INET6, .sin6_addr = values.address};
    for (int i = 0; bind(fd, (const struct sockaddr *)&any_port, sizeof any_port) < 0; i++) {
        assert_true(errno == EADDRNOTAVAIL && i < WAIT_MS); /* the kernel makes it ready later */
        (void)poll(NULL, 0, 1);
    }
}

/* Sends some datagrams of IPv6 flows and checks that they are spread, each to one queue. */
static void steer_v6(const struct wrn_tun queues[QUEUES], uint8_t *packet) {
    size_t share[QUEUES] = {0};
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    assert_int_equal(inet_pton(AF_INET6, "fd20::2", &to.sin6_addr), 1);
    for (size_t flow = 0; flow < FLOWS; flow++) {
        WRN_CLEANUP(wrn_close_fd) int host = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        size_t home = QUEUES;
        for (int i = 0; i < 3; i++) {
            assert_int_equal(sendto(host, "hello", 5, 0, (const struct sockaddr *)&to, sizeof to),
                             5);
            size_t found = queue_of(queues, 6, packet);
            assert_true(home == QUEUES || found == home);
            home = found;
        }
        share[home]++;
    }
    for (size_t i = 0; i < QUEUES; i++) {
        assert_in_range(share[i], 1, 48);
    }
}

/* Goal: flows are spread over the queues, and none changes its queue when answers come in through
 * another one; neither do the fragments of one datagram. Method: many flows, answered through each
 * queue in turn. */
static void steering(void **state) {
    static uint8_t packet[ROOM];
    static uint8_t large[4000];
    struct wrn_tun queues[QUEUES];
    size_t share[QUEUES] = {0};
    need_root(state);
    assert_int_equal(wrn_tun_create("w0", &queues[0]), 0);
    for (size_t i = 1; i < QUEUES; i++) {
        assert_int_equal(wrn_tun_add_queue(&queues[0], &queues[i]), 0);
    }
    struct wrn_steering steering;
    if (wrn_steering_open(&steering) != 0) {
        print_message("# skipped: this kernel takes no steering program\n");
        skip();
    }
    assert_int_equal(wrn_steering_lead_device(&steering, queues[0].fd), 0);
    assert_int_equal(wrn_steering_spread(&steering, QUEUES), 0);
    wrn_steering_close(&steering); /* the device keeps both */
    switch_on("w0", "10.20.0.1");
    for (size_t flow = 0; flow < FLOWS; flow++) {
        struct sockaddr_in bound;
        int host = udp_socket("10.20.0.1", &bound);
        size_t home = QUEUES;
        for (size_t answer = 0; answer < QUEUES + 1; answer++) {
            send_to(host, "10.20.0.2", 9, "hello", 5);
            size_t found = queue_of(queues, 4, packet);
            assert_true(home == QUEUES || found == home);
            home = found;
            turn_round(packet);
            struct iovec parts[2] = {{0}, {packet, 33}};
            assert_int_equal(wrn_tun_write(&queues[answer % QUEUES], parts, 2, NULL), 0);
        }
        share[home]++;
        send_to(host, "10.20.0.2", 9, large, sizeof large); /* 3 fragments */
        home = queue_of(queues, 4, packet);
        assert_int_equal(queue_of(queues, 4, packet), home);
        assert_int_equal(queue_of(queues, 4, packet), home);
        (void)close(host);
    }
    if (access("/proc/sys/net/ipv6", F_OK) == 0) {
        add_v6("w0", "fd20::1");
        steer_v6(queues, packet);
    }
    for (size_t i = 0; i < QUEUES; i++) {
        assert_in_range(share[i], 1, 48); /* 16 on average */
        wrn_tun_close(&queues[i]);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(create, set_up),    cmocka_unit_test_setup(persistent, set_up),
        cmocka_unit_test_setup(tap, set_up),       cmocka_unit_test_setup(adopt, set_up),
        cmocka_unit_test_setup(add_queue, set_up), cmocka_unit_test_setup(both_ways, set_up),
        cmocka_unit_test_setup(offloads, set_up),  cmocka_unit_test_setup(steering, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
