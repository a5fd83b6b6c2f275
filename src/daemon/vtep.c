/* SPDX-License-Identifier: Apache-2.0 */
/* The VTEP's thread: reads as many frames as wait, up to a batch, sends them with one call, and the
 * same the other way round. docs/decisions/0019-bridging.md says why it is a port of its own and
 * has a thread. */
#define _GNU_SOURCE /* sendmmsg, recvmmsg */
#include "daemon/vtep.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "io/cleanup.h"
#include "io/privileges.h"
#include "io/tun.h"
#include "packet/checksum.h"
#include "packet/frame.h"
#include "packet/virtio.h"
#include "switch/vxlan.h"

enum {
    BATCH = 32,
    ROOM = (64 << 10) + WRN_VXLAN_HEAD_SIZE,
    ETHERNET_MTU = 1500,
    TCP_OFFSET_AT = 12,
    ROUNDS = 4, /* batches of one side before the other has its turn */
    BUFFER_BYTES = 4 << 20,
    NUMBER_DIGITS = 8,
};

/* The counters in the order of struct wrn_vtep_counters, for the thread to write and others to
 * read. */
enum counter {
    FRAMES_IN,
    BYTES_IN,
    FRAMES_OUT,
    BYTES_OUT,
    REFUSED_HEAD,
    REFUSED_VNI,
    REFUSED_SENDER,
    LOST_NO_REMOTE,
    LOST_SEND,
    LOST_HOST,
    COUNTERS,
};
static_assert(sizeof(struct wrn_vtep_counters) == COUNTERS * sizeof(uint64_t), "one for each");

struct wrn_vtep {
    struct wrn_vtep_options options;
    struct wrn_tun tun;
    int fd;
    int stop;
    pthread_t thread;
    bool is_running;
    pthread_mutex_t lock; /* of 'remote' */
    struct wrn_endpoint remote;
    _Atomic uint64_t counters[COUNTERS];
    /* the thread's */
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_storage senders[BATCH];
    uint8_t rooms[BATCH][ROOM];
};

/* Where in a frame TCP or UDP is, not in fragments. */
struct l4 {
    size_t ip, at; /* bytes before it */
    size_t size;
    bool is_tcp, is_v6;
    uint16_t checksum_offset;
};

static const char *parse_option(wrn_span option, struct wrn_vtep_options *options);
static bool parse_number(wrn_span text, uint32_t max, uint32_t *ret_number);
static bool is_loopback(const struct wrn_ip *ip);
static int open_socket(const struct wrn_endpoint *listen, int *ret_fd);
static socklen_t to_sockaddr(const struct wrn_endpoint *endpoint,
                             struct sockaddr_storage *ret_address);
static struct wrn_endpoint from_sockaddr(const struct sockaddr_storage *address);
static void *serve(void *ctx);
static bool carry_out(struct wrn_vtep *vtep);
static bool carry_in(struct wrn_vtep *vtep);
static void take(struct wrn_vtep *vtep, size_t at);
static bool find_unfinished(wrn_span frame, uint8_t ret_header[WRN_TUN_HEADER_SIZE]);
static bool find_l4(wrn_span frame, struct l4 *ret_l4);
static bool is_from_remote(struct wrn_vtep *vtep, const struct sockaddr_storage *sender);
static void count(struct wrn_vtep *vtep, enum counter counter, uint64_t more);

const char *wrn_vtep_parse(wrn_span text, uint32_t vni, struct wrn_vtep_options *ret_options) {
    struct wrn_vtep_options options = {.vni = vni};
    bool is_first = true;
    const uint8_t *comma = NULL;
    do {
        comma = text.size == 0 ? NULL : memchr(text.data, ',', text.size);
        size_t size = comma == NULL ? text.size : (size_t)(comma - text.data);
        wrn_span part = {text.data, size};
        const char *problem =
            !is_first ? parse_option(part, &options)
            : wrn_endpoint_parse(part, &options.listen) != 0 || options.listen.port == 0
                ? "where to listen has to be an address and a port, such as 127.0.0.1:4789"
                : NULL;
        if (problem != NULL) {
            return problem;
        }
        is_first = false;
        text.data += comma == NULL ? size : size + 1;
        text.size -= comma == NULL ? size : size + 1;
    } while (comma != NULL);
    if (options.remote.ip.family == WRN_FAMILY_NONE && !is_loopback(&options.listen.ip)) {
        return "say who may send there: anybody who reaches the port could send frames into the "
               "network else: add ,remote=ADDRESS:PORT, or listen on 127.0.0.1";
    }
    if (options.remote.ip.family != WRN_FAMILY_NONE &&
        options.remote.ip.family != options.listen.ip.family) {
        return "both addresses have to be IPv4, or both IPv6";
    }
    *ret_options = options;
    return NULL;
}

void wrn_vtep_print(const struct wrn_vtep_options *options, char ret_text[WRN_VTEP_TEXT_SIZE]) {
    char listen[WRN_ENDPOINT_TEXT_SIZE];
    char remote[WRN_ENDPOINT_TEXT_SIZE] = "";
    (void)wrn_endpoint_print(&options->listen, listen);
    if (options->remote.ip.family != WRN_FAMILY_NONE) {
        (void)wrn_endpoint_print(&options->remote, remote);
    }
    (void)snprintf(ret_text, WRN_VTEP_TEXT_SIZE, "%s%s%s,vni=%u", listen,
                   remote[0] != '\0' ? ",remote=" : "", remote, options->vni);
}

int wrn_vtep_start(const struct wrn_vtep_options *options, const char *name,
                   struct wrn_vtep **ret_vtep) {
    struct wrn_vtep *vtep = calloc(1, sizeof *vtep);
    sigset_t all;
    sigset_t before;
    if (vtep == NULL) {
        return -ENOMEM;
    }
    vtep->options = *options;
    vtep->remote = options->remote;
    vtep->tun = WRN_TUN_NONE;
    vtep->fd = vtep->stop = -1;
    (void)pthread_mutex_init(&vtep->lock, NULL);
    int error = open_socket(&options->listen, &vtep->fd);
    error = error != 0 ? error : wrn_tun_create_tap(name, &vtep->tun);
    if (error == 0) {
        vtep->stop = eventfd(0, EFD_CLOEXEC);
        error = vtep->stop < 0 ? -errno : 0;
    }
    if (error == 0) {
        (void)sigfillset(&all); /* signals are the loop's */
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        error = -pthread_create(&vtep->thread, NULL, serve, vtep);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        vtep->is_running = error == 0;
    }
    if (error != 0) {
        wrn_vtep_stop(vtep);
        return error;
    }
    *ret_vtep = vtep;
    return 0;
}

void wrn_vtep_stop(struct wrn_vtep *vtep) {
    if (vtep == NULL) {
        return;
    }
    if (vtep->is_running) {
        uint64_t one = 1;
        WRN_ASSERT(write(vtep->stop, &one, sizeof one) == sizeof one);
        (void)pthread_join(vtep->thread, NULL);
    }
    wrn_tun_close(&vtep->tun);
    wrn_close_fd(&vtep->fd);
    wrn_close_fd(&vtep->stop);
    (void)pthread_mutex_destroy(&vtep->lock);
    free(vtep);
}

void wrn_vtep_counters(const struct wrn_vtep *vtep, struct wrn_vtep_counters *ret_counters) {
    uint64_t counters[COUNTERS];
    for (size_t i = 0; i < COUNTERS; i++) {
        counters[i] = atomic_load_explicit(&vtep->counters[i], memory_order_relaxed);
    }
    memcpy(ret_counters, counters, sizeof counters);
}

struct wrn_endpoint wrn_vtep_remote(const struct wrn_vtep *vtep) {
    struct wrn_vtep *self = (struct wrn_vtep *)(uintptr_t)vtep;
    (void)pthread_mutex_lock(&self->lock);
    struct wrn_endpoint remote = self->remote;
    (void)pthread_mutex_unlock(&self->lock);
    return remote;
}

static const char *parse_option(wrn_span option, struct wrn_vtep_options *options) {
    static const char remote[] = "remote=";
    static const char vni[] = "vni=";
    if (option.size >= sizeof remote - 1 && memcmp(option.data, remote, sizeof remote - 1) == 0) {
        wrn_span value = {option.data + sizeof remote - 1, option.size - (sizeof remote - 1)};
        return wrn_endpoint_parse(value, &options->remote) == 0 && options->remote.port != 0
                   ? NULL
                   : "remote= has to be an address and a port, such as 192.0.2.7:4789";
    }
    if (option.size >= sizeof vni - 1 && memcmp(option.data, vni, sizeof vni - 1) == 0) {
        wrn_span value = {option.data + sizeof vni - 1, option.size - (sizeof vni - 1)};
        return parse_number(value, WRN_VXLAN_VNI_MAX, &options->vni)
                   ? NULL
                   : "vni= has to be a number from 0 to 16777215";
    }
    return "behind ADDRESS:PORT there may be ,remote=ADDRESS:PORT and ,vni=NUMBER";
}

static bool parse_number(wrn_span text, uint32_t max, uint32_t *ret_number) {
    uint32_t number = 0;
    if (text.size == 0 || text.size > NUMBER_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number * 10 + (uint32_t)(text.data[i] - '0');
    }
    *ret_number = number;
    return number <= max;
}

static bool is_loopback(const struct wrn_ip *ip) {
    static const uint8_t v6[16] = {[15] = 1};
    return ip->family == WRN_FAMILY_IPV4 ? ip->bytes[0] == 127
                                         : memcmp(ip->bytes, v6, sizeof v6) == 0;
}

static int open_socket(const struct wrn_endpoint *listen, int *ret_fd) {
    struct sockaddr_storage address;
    socklen_t size = to_sockaddr(listen, &address);
    int bytes = BUFFER_BYTES;
    int on = 1;
    WRN_CLEANUP(wrn_close_fd)
    int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0) {
        return -errno;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    if (listen->ip.family == WRN_FAMILY_IPV4) { /* as it should be: RFC 7348, section 5 */
        (void)setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof on);
    }
    *ret_fd = wrn_take_fd(&fd);
    return 0;
}

static socklen_t to_sockaddr(const struct wrn_endpoint *endpoint,
                             struct sockaddr_storage *ret_address) {
    memset(ret_address, 0, sizeof *ret_address);
    if (endpoint->ip.family == WRN_FAMILY_IPV4) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
        memcpy(&v4.sin_addr, endpoint->ip.bytes, sizeof v4.sin_addr);
        memcpy(ret_address, &v4, sizeof v4);
        return sizeof v4;
    }
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons(endpoint->port),
                              .sin6_scope_id = endpoint->scope_id};
    memcpy(&v6.sin6_addr, endpoint->ip.bytes, sizeof v6.sin6_addr);
    memcpy(ret_address, &v6, sizeof v6);
    return sizeof v6;
}

static struct wrn_endpoint from_sockaddr(const struct sockaddr_storage *address) {
    struct wrn_endpoint endpoint = {0};
    if (address->ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        endpoint.ip.family = WRN_FAMILY_IPV4;
        memcpy(endpoint.ip.bytes, &v4.sin_addr, sizeof v4.sin_addr);
        endpoint.port = ntohs(v4.sin_port);
    } else {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        endpoint.ip.family = WRN_FAMILY_IPV6;
        memcpy(endpoint.ip.bytes, &v6.sin6_addr, sizeof v6.sin6_addr);
        endpoint.port = ntohs(v6.sin6_port);
    }
    return endpoint;
}

static void *serve(void *ctx) {
    struct wrn_vtep *vtep = ctx;
    wrn_privileges_give_up_thread();
    for (;;) {
        struct pollfd ready[] = {
            {.fd = vtep->tun.fd, .events = POLLIN},
            {.fd = vtep->fd, .events = POLLIN},
            {.fd = vtep->stop, .events = POLLIN},
        };
        if (poll(ready, WRN_COUNT(ready), -1) < 0 && errno != EINTR) {
            return NULL;
        }
        if (ready[2].revents != 0) {
            return NULL;
        }
        for (int i = 0; i < ROUNDS && ready[1].revents != 0 && carry_in(vtep); i++) {
        }
        bool has_device = (ready[0].revents & (POLLERR | POLLNVAL)) == 0;
        for (int i = 0; has_device && i < ROUNDS && ready[0].revents != 0 && carry_out(vtep); i++) {
        }
        if (!has_device) { /* somebody deleted it: whoever started us makes another */
            return NULL;
        }
    }
}

/* Frames of the bridge to the remote end. Returns whether more may wait. */
static bool carry_out(struct wrn_vtep *vtep) {
    struct wrn_endpoint remote = wrn_vtep_remote(vtep);
    struct sockaddr_storage address;
    bool has_remote = remote.ip.family != WRN_FAMILY_NONE;
    socklen_t address_size = has_remote ? to_sockaddr(&remote, &address) : 0;
    unsigned used = 0;
    uint64_t bytes = 0;
    bool has_more = true;
    while (used < BATCH) {
        uint8_t header[WRN_TUN_HEADER_SIZE];
        struct iovec parts[2] = {
            {0}, {vtep->rooms[used] + WRN_VXLAN_HEAD_SIZE, ROOM - WRN_VXLAN_HEAD_SIZE}};
        ssize_t size = wrn_tun_read(&vtep->tun, parts, WRN_COUNT(parts), header);
        if (size <= 0) {
            has_more = false;
            break;
        }
        if (!has_remote) {
            count(vtep, LOST_NO_REMOTE, 1);
            continue;
        }
        wrn_vxlan_write(vtep->options.vni, vtep->rooms[used]);
        vtep->parts[used] = (struct iovec){vtep->rooms[used], (size_t)size + WRN_VXLAN_HEAD_SIZE};
        vtep->messages[used] = (struct mmsghdr){
            .msg_hdr = {.msg_name = &address,
                        .msg_namelen = address_size,
                        .msg_iov = &vtep->parts[used],
                        .msg_iovlen = 1},
        };
        bytes += (uint64_t)size;
        used++;
    }
    for (unsigned sent = 0; sent < used;) {
        int done = sendmmsg(vtep->fd, vtep->messages + sent, used - sent, 0);
        if (done <= 0) { /* that one is lost, as on any wire */
            bytes -= vtep->parts[sent].iov_len - WRN_VXLAN_HEAD_SIZE;
            count(vtep, LOST_SEND, 1);
            sent++;
            continue;
        }
        count(vtep, FRAMES_OUT, (uint64_t)done);
        sent += (unsigned)done;
    }
    count(vtep, BYTES_OUT, bytes);
    return has_more;
}

/* Frames of the remote end to the bridge. Returns whether more may wait. */
static bool carry_in(struct wrn_vtep *vtep) {
    for (size_t i = 0; i < BATCH; i++) {
        vtep->parts[i] = (struct iovec){vtep->rooms[i], ROOM};
        vtep->messages[i] = (struct mmsghdr){
            .msg_hdr = {.msg_name = &vtep->senders[i],
                        .msg_namelen = sizeof vtep->senders[i],
                        .msg_iov = &vtep->parts[i],
                        .msg_iovlen = 1},
        };
    }
    int got = recvmmsg(vtep->fd, vtep->messages, BATCH, 0, NULL);
    for (int i = 0; i < got; i++) {
        take(vtep, (size_t)i);
    }
    return got == BATCH;
}

static void take(struct wrn_vtep *vtep, size_t at) {
    wrn_span datagram = {vtep->rooms[at], vtep->messages[at].msg_len};
    wrn_span frame;
    uint32_t vni = 0;
    if ((vtep->messages[at].msg_hdr.msg_flags & MSG_TRUNC) != 0 ||
        wrn_vxlan_read(datagram, &vni, &frame) != WRN_VXLAN_OK) {
        count(vtep, REFUSED_HEAD, 1);
        return;
    }
    if (vni != vtep->options.vni) {
        count(vtep, REFUSED_VNI, 1);
        return;
    }
    if (!is_from_remote(vtep, &vtep->senders[at])) {
        count(vtep, REFUSED_SENDER, 1);
        return;
    }
    struct iovec parts[2] = {{0}, {(void *)(uintptr_t)frame.data, frame.size}};
    uint8_t header[WRN_TUN_HEADER_SIZE];
    bool is_unfinished = find_unfinished(frame, header);
    if (wrn_tun_write(&vtep->tun, parts, WRN_COUNT(parts), is_unfinished ? header : NULL) != 0) {
        count(vtep, LOST_HOST, 1);
        return;
    }
    count(vtep, FRAMES_IN, 1);
    count(vtep, BYTES_IN, frame.size);
}

/* What a kernel of this machine sends by a veth pair or loopback never was on a wire: its sums of
 * TCP and UDP may have to be finished yet (then there is the pseudo header's alone), and several
 * segments may be one. Says so to the host, as it would have been said to us by a TAP device. One
 * sum in 65,536 is that by accident, and is then what it comes to anyway. */
static bool find_unfinished(wrn_span frame, uint8_t ret_header[WRN_TUN_HEADER_SIZE]) {
    struct l4 l4;
    static_assert((int)WRN_TUN_HEADER_SIZE == (int)WRN_VIRTIO_SIZE, "the same header");
    if (!find_l4(frame, &l4)) {
        return false;
    }
    const uint8_t *sum = frame.data + l4.at + l4.checksum_offset;
    uint16_t pseudo = (uint16_t)~wrn_sum_finish(
        wrn_sum_add_pseudo((wrn_sum){0}, frame.data + l4.ip, l4.is_tcp ? IPPROTO_TCP : IPPROTO_UDP,
                           (uint32_t)l4.size));
    if (wrn_load_be16(sum) != pseudo) {
        return false;
    }
    struct wrn_virtio header = {.flags = WRN_VIRTIO_NEEDS_CHECKSUM,
                                .checksum_start = (uint16_t)l4.at,
                                .checksum_offset = l4.checksum_offset};
    if (frame.size > l4.ip + ETHERNET_MTU && l4.is_tcp) {
        size_t head = l4.at - l4.ip + (size_t)(frame.data[l4.at + TCP_OFFSET_AT] >> 4) * 4;
        header.gso_type = l4.is_v6 ? WRN_VIRTIO_GSO_TCP6 : WRN_VIRTIO_GSO_TCP4;
        header.header_size = (uint16_t)(l4.ip + head);
        header.gso_size = (uint16_t)(ETHERNET_MTU - head);
    }
    wrn_virtio_write(&header, ret_header);
    return true;
}

static bool find_l4(wrn_span frame, struct l4 *ret_l4) {
    enum { V4_HEAD = 20, V6_HEAD = 40, TCP_HEAD = 20, UDP_HEAD = 8 };
    uint16_t type = 0;
    size_t ip = wrn_frame_link_size(frame.data, frame.size, &type);
    const uint8_t *bytes = frame.data + ip;
    size_t left = frame.size - ip;
    struct l4 l4 = {.ip = ip, .is_v6 = type == WRN_FRAME_TYPE_IPV6};
    uint8_t protocol = 0;
    if (ip != 0 && type == WRN_FRAME_TYPE_IPV4 && left >= V4_HEAD) {
        size_t head = (size_t)(bytes[0] & 0x0f) * 4;
        bool is_fragment = (wrn_load_be16(bytes + 6) & 0x3fff) != 0;
        size_t total = wrn_load_be16(bytes + 2);
        if (head < V4_HEAD || is_fragment || total < head || total > left) {
            return false;
        }
        protocol = bytes[9];
        l4.at = ip + head;
        l4.size = total - head;
    } else if (ip != 0 && l4.is_v6 && left >= V6_HEAD) {
        protocol = bytes[6];
        l4.at = ip + V6_HEAD;
        l4.size = wrn_load_be16(bytes + 4);
        if (l4.size > left - V6_HEAD) {
            return false;
        }
    }
    l4.is_tcp = protocol == IPPROTO_TCP;
    l4.checksum_offset = l4.is_tcp ? 16 : 6;
    *ret_l4 = l4;
    return (l4.is_tcp && l4.size >= TCP_HEAD) || (protocol == IPPROTO_UDP && l4.size >= UDP_HEAD);
}

/* VXLAN is sent from any port (RFC 7348, section 5, has it vary with the flow), so the address
 * alone tells who it is. Without a remote end that was named it is a program of this host, which is
 * answered where it is asked: at the port that it sent from. */
static bool is_from_remote(struct wrn_vtep *vtep, const struct sockaddr_storage *sender) {
    struct wrn_endpoint from = from_sockaddr(sender);
    if (vtep->options.remote.ip.family != WRN_FAMILY_NONE) {
        return wrn_ip_equal(&from.ip, &vtep->options.remote.ip);
    }
    (void)pthread_mutex_lock(&vtep->lock);
    vtep->remote = from;
    (void)pthread_mutex_unlock(&vtep->lock);
    return true;
}

static void count(struct wrn_vtep *vtep, enum counter counter, uint64_t more) {
    (void)atomic_fetch_add_explicit(&vtep->counters[counter], more, memory_order_relaxed);
}
