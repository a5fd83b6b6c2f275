/* SPDX-License-Identifier: Apache-2.0 */
/* A tunnel that does nothing: what the host hands over goes to the other end by UDP, in the clear
 * and unchecked, with every offload that the kernel has. It is the bound that the system calls and
 * the kernel set for any tunnel in user space, and good for nothing else: large packets are cut up
 * as bytes, not as TCP, and a lost piece loses all of them. For private namespaces only.
 *
 *     null_tunnel INTERFACE LOCAL_ADDRESS REMOTE_ADDRESS PORT
 *
 * One thread a direction. Prints "ready"; runs until it is killed or the interface is deleted. */
#define _GNU_SOURCE /* recvmmsg, sendmmsg */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20 /* newer than Debian 12's headers */
#define TUN_F_USO6 0x40
#endif

enum {
    PIECE_SIZE = 1420,     /* what WireGuard would put into a datagram of the same size */
    PACKETS = 64,          /* read from the interface before they are sent */
    PACKET_ROOM = 1 << 16, /* the largest packet is smaller */
    PIECES_MAX = PACKET_ROOM / PIECE_SIZE + 1,
    PIECES = 512,      /* sent at once, at most */
    SEGMENTS_MAX = 44, /* that many whole pieces fit into the largest UDP message */
    TRAINS = 16,       /* received at once */
    SOCKET_BUFFER = 4 << 20,
};

/* Before each piece; as long as what WireGuard adds. */
struct header {
    uint32_t number; /* of the packet */
    uint16_t index;  /* of the piece in it */
    uint16_t piece_count;
    struct virtio_net_hdr offload;
    uint8_t padding[14];
};
_Static_assert(sizeof(struct header) == 32, "as much as WireGuard's header and tag");

/* The packet whose pieces arrive now. */
struct assembly {
    uint32_t number;
    uint16_t piece_count, got;
    size_t kept_size; /* bytes of pieces of earlier calls, in 'kept' */
    struct iovec parts[PIECES_MAX + 2];
    int part_count;
    uint8_t kept[PACKET_ROOM];
    struct virtio_net_hdr offload;
};

struct outbound {
    uint8_t packets[PACKETS][PACKET_ROOM];
    struct header headers[PIECES];
    struct iovec parts[2 * PIECES];
    struct mmsghdr messages[PIECES];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(uint16_t))];
    } controls[PIECES];
    size_t piece_count;
    uint32_t number;
};

static int tun_fd, udp_fd;

static int open_tun(const char *name);
static int open_udp(const char *local, const char *remote, const char *port);
static struct sockaddr_in parse_address(const char *address, const char *port);
static void *run_outbound(void *unused);
static void cut(struct outbound *out, uint8_t *packet, size_t size);
static void send_all(struct outbound *out);
static size_t gather(struct outbound *out, size_t first, struct mmsghdr *message, size_t index);
static void run_inbound(void);
static void take_train(struct assembly *assembly, uint8_t *bytes, size_t size, size_t segment);
static void take_piece(struct assembly *assembly, uint8_t *bytes, size_t size);
static void keep(struct assembly *assembly);
static void fail(const char *what);

int main(int argc, char **argv) {
    pthread_t thread;
    if (argc != 5) {
        fprintf(stderr, "usage: null_tunnel INTERFACE LOCAL_ADDRESS REMOTE_ADDRESS PORT\n");
        return 2;
    }
    tun_fd = open_tun(argv[1]);
    udp_fd = open_udp(argv[2], argv[3], argv[4]);
    printf("ready\n");
    fflush(stdout);
    errno = pthread_create(&thread, NULL, run_outbound, NULL);
    if (errno != 0) {
        fail("start a thread");
    }
    run_inbound();
    return 0;
}

static int open_tun(const char *name) {
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    unsigned int offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || strlen(name) >= sizeof request.ifr_name) {
        fail("open /dev/net/tun");
    }
    memcpy(request.ifr_name, name, strlen(name));
    if (ioctl(fd, TUNSETIFF, &request) != 0) {
        fail("make the interface");
    }
    if (ioctl(fd, TUNSETOFFLOAD, offloads | TUN_F_USO4 | TUN_F_USO6) != 0 &&
        ioctl(fd, TUNSETOFFLOAD, offloads) != 0) {
        fail("switch the interface's offloads on");
    }
    return fd;
}

static int open_udp(const char *local, const char *remote, const char *port) {
    struct sockaddr_in from = parse_address(local, port);
    struct sockaddr_in to = parse_address(remote, port);
    int on = 1;
    int size = SOCKET_BUFFER;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        fail("open the socket");
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    if (setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) != 0) {
        fail("switch UDP_GRO on");
    }
    return fd;
}

static struct sockaddr_in parse_address(const char *address, const char *port) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    char *end;
    unsigned long value = strtoul(port, &end, 10);
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1 || *end != 0 || value < 1 || value > 65535) {
        fprintf(stderr, "null_tunnel: %s port %s is no IPv4 address and port\n", address, port);
        exit(2);
    }
    at.sin_port = htons((uint16_t)value);
    return at;
}

/* Reads what is there, sends all of it, and waits only when there is nothing. */
static void *run_outbound(void *unused) {
    static struct outbound out;
    struct pollfd readable = {.fd = tun_fd, .events = POLLIN};
    for (;;) {
        size_t count = 0;
        ssize_t got = 0;
        while (count < PACKETS && out.piece_count + PIECES_MAX <= PIECES &&
               (got = read(tun_fd, out.packets[count], PACKET_ROOM)) > 0) {
            cut(&out, out.packets[count++], (size_t)got);
        }
        if (got < 0 && errno != EAGAIN && errno != EIO) {
            exit(errno == EBADFD ? 0 : 1); /* the interface was deleted */
        }
        if (count > 0) {
            send_all(&out);
        } else {
            (void)poll(&readable, 1, -1);
        }
    }
    return unused;
}

static void cut(struct outbound *out, uint8_t *packet, size_t size) {
    struct virtio_net_hdr offload;
    memcpy(&offload, packet, sizeof offload);
    size_t count = (size - sizeof offload + PIECE_SIZE - 1) / PIECE_SIZE;
    size_t at = sizeof offload;
    for (size_t i = 0; i < count; i++) {
        size_t k = out->piece_count++;
        size_t piece = size - at < PIECE_SIZE ? size - at : PIECE_SIZE;
        out->headers[k] = (struct header){.number = out->number,
                                          .index = (uint16_t)i,
                                          .piece_count = (uint16_t)count,
                                          .offload = offload};
        out->parts[2 * k] = (struct iovec){&out->headers[k], sizeof out->headers[k]};
        out->parts[2 * k + 1] = (struct iovec){packet + at, piece};
        at += piece;
    }
    out->number++;
}

static void send_all(struct outbound *out) {
    unsigned int count = 0;
    for (size_t i = 0; i < out->piece_count; count++) {
        i = gather(out, i, &out->messages[count], count);
    }
    for (unsigned int done = 0; done < count;) {
        int sent = sendmmsg(udp_fd, out->messages + done, count - done, 0);
        done += sent > 0 ? (unsigned int)sent : 1; /* what the kernel refuses is lost */
    }
    out->piece_count = 0;
}

/* Makes one message of pieces of the same size, the last of which may be smaller. Returns where the
 * next one begins. */
static size_t gather(struct outbound *out, size_t first, struct mmsghdr *message, size_t index) {
    size_t size = out->parts[2 * first + 1].iov_len;
    size_t end = first + 1;
    while (end < out->piece_count && end - first < SEGMENTS_MAX &&
           out->parts[2 * end - 1].iov_len == size && out->parts[2 * end + 1].iov_len <= size) {
        end++;
    }
    *message = (struct mmsghdr){
        .msg_hdr = {.msg_iov = &out->parts[2 * first], .msg_iovlen = 2 * (end - first)}};
    if (end - first > 1) {
        uint16_t segment = (uint16_t)(size + sizeof(struct header));
        message->msg_hdr.msg_control = out->controls[index].bytes;
        message->msg_hdr.msg_controllen = sizeof out->controls[index].bytes;
        struct cmsghdr *control = CMSG_FIRSTHDR(&message->msg_hdr);
        control->cmsg_level = IPPROTO_UDP;
        control->cmsg_type = UDP_SEGMENT;
        control->cmsg_len = CMSG_LEN(sizeof segment);
        memcpy(CMSG_DATA(control), &segment, sizeof segment);
    }
    return end;
}

static void run_inbound(void) {
    static uint8_t bytes[TRAINS][PACKET_ROOM];
    static struct assembly assembly;
    struct mmsghdr messages[TRAINS];
    struct iovec parts[TRAINS];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } controls[TRAINS];
    for (;;) {
        for (size_t i = 0; i < TRAINS; i++) {
            parts[i] = (struct iovec){bytes[i], PACKET_ROOM};
            messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i],
                                                       .msg_iovlen = 1,
                                                       .msg_control = controls[i].bytes,
                                                       .msg_controllen = sizeof controls[i].bytes}};
        }
        int got = recvmmsg(udp_fd, messages, TRAINS, MSG_WAITFORONE, NULL);
        for (int i = 0; i < got; i++) {
            size_t size = messages[i].msg_len;
            int segment = (int)size;
            struct cmsghdr *control = CMSG_FIRSTHDR(&messages[i].msg_hdr);
            if (control != NULL && control->cmsg_type == UDP_GRO) {
                memcpy(&segment, CMSG_DATA(control), sizeof segment);
            }
            take_train(&assembly, bytes[i], size, (size_t)segment);
        }
        keep(&assembly);
    }
}

static void take_train(struct assembly *assembly, uint8_t *bytes, size_t size, size_t segment) {
    for (size_t at = 0; segment > 0 && at < size; at += segment) {
        size_t piece = size - at < segment ? size - at : segment;
        if (piece > sizeof(struct header) && piece <= sizeof(struct header) + PIECE_SIZE) {
            take_piece(assembly, bytes + at, piece);
        }
    }
}

/* Adds a piece, in order or not at all, and writes the packet once it is whole. */
static void take_piece(struct assembly *assembly, uint8_t *bytes, size_t size) {
    struct header header;
    memcpy(&header, bytes, sizeof header);
    if (header.index == 0) {
        assembly->number = header.number;
        assembly->piece_count = header.piece_count;
        assembly->got = 0;
        assembly->kept_size = 0;
        assembly->part_count = 2;
        assembly->offload = header.offload;
    } else if (header.number != assembly->number || header.index != assembly->got) {
        return;
    }
    if (++assembly->got > PIECES_MAX) {
        return;
    }
    assembly->parts[assembly->part_count++] =
        (struct iovec){bytes + sizeof header, size - sizeof header};
    if (assembly->got == assembly->piece_count) {
        assembly->parts[0] = (struct iovec){&assembly->offload, sizeof assembly->offload};
        assembly->parts[1] = (struct iovec){assembly->kept, assembly->kept_size};
        (void)!writev(tun_fd, assembly->parts, assembly->part_count); /* refused: lost */
        assembly->got = 0;
        assembly->piece_count = 0;
        assembly->part_count = 2;
    }
}

/* Saves the pieces of an unfinished packet from the next call, which overwrites them. */
static void keep(struct assembly *assembly) {
    for (int i = 2; i < assembly->part_count; i++) {
        const struct iovec *part = &assembly->parts[i];
        if (assembly->kept_size + part->iov_len <= sizeof assembly->kept) {
            memcpy(assembly->kept + assembly->kept_size, part->iov_base, part->iov_len);
            assembly->kept_size += part->iov_len;
        }
    }
    assembly->part_count = 2;
}

static void fail(const char *what) {
    fprintf(stderr, "null_tunnel: cannot %s: %s\n", what, strerror(errno));
    exit(1);
}
