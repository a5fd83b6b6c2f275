/* SPDX-License-Identifier: Apache-2.0 */
/* TUN and TAP devices through /dev/net/tun, one packet a system call, which may be as large as 64
 * KiB. Keeps no state but the descriptors. */
#include "io/tun.h"

#include <ctype.h>
#include <fcntl.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "io/cleanup.h"
#include "io/steward.h"
#include "io/tun_info.h"

static_assert((int)WRN_TUN_NAME_SIZE == IFNAMSIZ, "the kernel's size of interface names");

enum {
    VNET_SIZE_MAX = 24, /* the largest header that Linux knows has 24 bytes */
    MTU_UNTOUCHED = 1500,
    QUEUE_LENGTH_UNTOUCHED = 500,
    QUEUE_LENGTH_OF_ETHERNET = 1000,
    OFFLOAD_USO4 = 0x20, /* TUN_F_USO4, TUN_F_USO6: newer than the headers of Debian 12 */
    OFFLOAD_USO6 = 0x40,
};

static int create(const char *name, unsigned kind, struct wrn_tun *ret_tun);
static int attach(int fd, const char *name, unsigned kind, unsigned features);
static int prepare_header(int fd, uint32_t *ret_vnet_size);
static int prepare_interface(const char *name, unsigned kind);
static int adopt_interface(int fd, const char *name);
static int find_namespaces(int fd, int *ret_ours, int *ret_theirs);
static int open_beside(const struct wrn_tun *tun, int *ret_fd);
static unsigned long offload_bits(uint32_t offloads);
static bool is_deleted(int error);

const char *wrn_tun_name_problem(const char *name) {
    size_t length = strlen(name);
    if (length == 0) {
        return "it is empty";
    }
    if (length >= WRN_TUN_NAME_SIZE) {
        return "it has more than 15 characters";
    }
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return "the kernel reserves this name";
    }
    for (const unsigned char *c = (const unsigned char *)name; *c != '\0'; c++) {
        if (!isascii(*c) || !isgraph(*c) || strchr("/:%\"'\\", *c) != NULL) {
            return "only letters, digits and signs like _ = + . - may stand in it";
        }
    }
    return NULL;
}

int wrn_tun_create(const char *name, struct wrn_tun *ret_tun) {
    return create(name, IFF_TUN, ret_tun);
}

int wrn_tun_create_tap(const char *name, struct wrn_tun *ret_tun) {
    return create(name, IFF_TAP, ret_tun);
}

int wrn_tun_adopt(int given_fd, struct wrn_tun *ret_tun) {
    struct ifreq request = {0};
    struct wrn_tun tun = WRN_TUN_NONE;
    WRN_CLEANUP(wrn_close_fd) int fd = given_fd;
    int error;

    if (ioctl(fd, TUNGETIFF, &request) < 0) {
        return -EBADF;
    }
    request.ifr_name[IFNAMSIZ - 1] = '\0';
    unsigned flags = (unsigned short)request.ifr_flags;
    if ((flags & IFF_TUN) == 0) {
        return -EPROTOTYPE;
    }
    error = adopt_interface(fd, request.ifr_name);
    if (error != 0) {
        return error;
    }
    if ((flags & IFF_VNET_HDR) != 0) {
        error = prepare_header(fd, &tun.vnet_size);
        if (error != 0) {
            return error;
        }
    }
    int status = fcntl(fd, F_GETFL);
    if (status < 0 || fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        return -errno;
    }
    tun.multi_queue = (flags & IFF_MULTI_QUEUE) != 0;
    tun.fd = wrn_take_fd(&fd);
    *ret_tun = tun;
    return 0;
}

int wrn_tun_add_queue(const struct wrn_tun *tun, struct wrn_tun *ret_queue) {
    struct ifreq request = {0};
    WRN_CLEANUP(wrn_close_fd) int fd = -1;
    if (!tun->multi_queue) {
        return -EOPNOTSUPP;
    }
    int error = open_beside(tun, &fd);
    if (error != 0) {
        return error;
    }
    /* The same flags: others would change the device under the queues that it has. The kernel looks
     * for the name in the namespace in which the new descriptor was opened. */
    if (ioctl(tun->fd, TUNGETIFF, &request) < 0) {
        return -ENODEV;
    }
    request.ifr_flags = (short)((unsigned short)request.ifr_flags &
                                (IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE));
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        return -errno;
    }
    /* Deleted meanwhile: then this made a new device, which goes with the descriptor. */
    if (ioctl(tun->fd, TUNGETIFF, &request) < 0) {
        return -ENODEV;
    }
    *ret_queue = *tun;
    ret_queue->fd = wrn_take_fd(&fd);
    return 0;
}

uint32_t wrn_tun_set_offloads(struct wrn_tun *tun, uint32_t wanted) {
    static const uint32_t falls[] = {WRN_TUN_OFFLOADS_ALL, WRN_TUN_OFFLOADS_ALL & ~WRN_TUN_USO,
                                     WRN_TUN_CHECKSUM, 0};
    if (tun->vnet_size == 0) {
        tun->offloads = 0;
        return 0;
    }
    if ((wanted & WRN_TUN_CHECKSUM) == 0) {
        wanted = 0;
    }
    for (size_t i = 0; i < WRN_COUNT(falls); i++) {
        uint32_t set = wanted & falls[i];
        if (ioctl(tun->fd, TUNSETOFFLOAD, offload_bits(set)) == 0) {
            tun->offloads = set;
            break;
        }
    }
    return tun->offloads;
}

void wrn_tun_close(struct wrn_tun *tun) {
    wrn_close_fd(&tun->fd);
}

int wrn_tun_name(const struct wrn_tun *tun, char ret_name[WRN_TUN_NAME_SIZE]) {
    struct ifreq request = {0};
    if (ioctl(tun->fd, TUNGETIFF, &request) < 0) {
        return -ENODEV; /* EBADFD: nothing is attached to the descriptor any more */
    }
    memcpy(ret_name, request.ifr_name, WRN_TUN_NAME_SIZE);
    ret_name[WRN_TUN_NAME_SIZE - 1] = '\0';
    return 0;
}

ssize_t wrn_tun_read(const struct wrn_tun *tun, struct iovec *parts, size_t count,
                     uint8_t ret_header[WRN_TUN_HEADER_SIZE]) {
    uint8_t header[VNET_SIZE_MAX] = {0};
    size_t skipped = tun->vnet_size == 0;
    ssize_t got;
    WRN_ASSERT(count >= 2 && count <= WRN_TUN_PARTS_MAX);
    parts[0] = (struct iovec){header, tun->vnet_size};
    do {
        got = readv(tun->fd, parts + skipped, (int)(count - skipped));
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return is_deleted(errno) ? -ENODEV : 0; /* EAGAIN, or EIO while the interface is down */
    }
    memcpy(ret_header, header, WRN_TUN_HEADER_SIZE);
    return (size_t)got > tun->vnet_size ? got - (ssize_t)tun->vnet_size : 0;
}

int wrn_tun_write(const struct wrn_tun *tun, struct iovec *parts, size_t count,
                  const uint8_t *header) {
    static const uint8_t nothing[WRN_TUN_HEADER_SIZE];
    uint8_t room[VNET_SIZE_MAX] = {0};
    size_t skipped = tun->vnet_size == 0;
    ssize_t put;
    WRN_ASSERT(count >= 2 && count <= WRN_TUN_PARTS_MAX);
    if (header != NULL && skipped != 0 && memcmp(header, nothing, sizeof nothing) != 0) {
        return -EOPNOTSUPP;
    }
    if (header != NULL) {
        memcpy(room, header, WRN_TUN_HEADER_SIZE);
    }
    parts[0] = (struct iovec){room, tun->vnet_size};
    do {
        put = writev(tun->fd, parts + skipped, (int)(count - skipped));
    } while (put < 0 && errno == EINTR);
    if (put < 0) {
        return is_deleted(errno) ? -ENODEV : -errno;
    }
    return 0;
}

/* Makes a device of a kind, IFF_TUN or IFF_TAP, or takes a persistent one. */
static int create(const char *name, unsigned kind, struct wrn_tun *ret_tun) {
    struct ifreq request = {0};
    struct wrn_tun tun = WRN_TUN_NONE;
    unsigned features = 0;
    WRN_CLEANUP(wrn_close_fd) int fd = -1;

    if (wrn_tun_name_problem(name) != NULL) {
        return -EINVAL;
    }
    int error = wrn_steward_open_tun(-1, &fd);
    if (error != 0) {
        return error;
    }
    if (ioctl(fd, TUNGETFEATURES, &features) < 0) {
        return -errno;
    }
    error = attach(fd, name, kind, features & (IFF_MULTI_QUEUE | IFF_VNET_HDR));
    if (error != 0) {
        return error;
    }
    if (ioctl(fd, TUNGETIFF, &request) < 0) {
        return -errno;
    }
    unsigned flags = (unsigned short)request.ifr_flags;
    if ((flags & IFF_VNET_HDR) != 0) {
        int size = WRN_TUN_HEADER_SIZE; /* a persistent device may have been left with another */
        (void)ioctl(fd, TUNSETVNETHDRSZ, &size);
        error = prepare_header(fd, &tun.vnet_size);
        if (error != 0) {
            return error;
        }
    }
    error = prepare_interface(name, kind);
    if (error != 0 && error != -EPERM) { /* EPERM: a persistent device that was prepared for us */
        return error;
    }
    tun.multi_queue = (flags & IFF_MULTI_QUEUE) != 0;
    tun.fd = wrn_take_fd(&fd);
    *ret_tun = tun;
    return 0;
}

/* Makes the device 'name' with those of IFF_MULTI_QUEUE and IFF_VNET_HDR that stand in 'features',
 * or takes a persistent one as it is. A device of several queues would let us in beside a program
 * that uses it already: so a new one has to be new, and an old one idle. */
static int attach(int fd, const char *name, unsigned kind, unsigned features) {
    struct wrn_tun_info info;
    struct ifreq request = {0};
    memcpy(request.ifr_name, name, strlen(name) + 1);
    request.ifr_flags = (short)(kind | IFF_NO_PI | IFF_TUN_EXCL | features);
    if (ioctl(fd, TUNSETIFF, &request) == 0) {
        return 0;
    }
    if (errno != EBUSY) {
        return -errno;
    }
    int error = wrn_tun_info_read(name, &info);
    if (error != 0) {
        return error;
    }
    if (!(kind == IFF_TUN ? info.is_tun : info.is_tap)) {
        return -EEXIST;
    }
    if (info.queues > 0) {
        return -EBUSY;
    }
    if (!info.multi_queue) {
        features &= ~(unsigned)IFF_MULTI_QUEUE;
    }
    request.ifr_flags = (short)(kind | IFF_NO_PI | features);
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        return errno == EINVAL ? -EEXIST : -errno;
    }
    return 0;
}

/* Finds the size of the header and brings it into a known state: native byte order, no offloads. */
static int prepare_header(int fd, uint32_t *ret_vnet_size) {
    int size = 0;
    int off = 0;
    if (ioctl(fd, TUNGETVNETHDRSZ, &size) < 0 || ioctl(fd, TUNSETOFFLOAD, 0UL) < 0) {
        return -errno;
    }
    if (size < WRN_TUN_HEADER_SIZE || size > VNET_SIZE_MAX) {
        return -EPROTOTYPE;
    }
    /* Kernels that lack one of these have the native order anyway. */
    (void)ioctl(fd, TUNSETVNETLE, &off);
    (void)ioctl(fd, TUNSETVNETBE, &off);
    *ret_vnet_size = (uint32_t)size;
    return 0;
}

/* Gives an interface of this network namespace the default MTU of its kind and queue length, unless
 * somebody chose others.
 *
 * The length is that of the ring in which the host's packets wait for us, and what does not fit is
 * lost without a word to the sender. It has to bridge the milliseconds in which another thread has
 * our core: WRN_TUN_QUEUE_LENGTH is some 10 ms of the smallest packets at full speed. */
static int prepare_interface(const char *name, unsigned kind) {
    struct ifreq request = {0};
    WRN_CLEANUP(wrn_close_fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 && errno == EAFNOSUPPORT) { /* a machine without IPv4 */
        fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    if (fd < 0) {
        return -errno;
    }
    memcpy(request.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
    if (ioctl(fd, SIOCGIFTXQLEN, &request) == 0 &&
        (request.ifr_qlen == QUEUE_LENGTH_UNTOUCHED ||
         (kind == IFF_TAP && request.ifr_qlen == QUEUE_LENGTH_OF_ETHERNET))) {
        request.ifr_qlen = WRN_TUN_QUEUE_LENGTH;
        (void)ioctl(fd, SIOCSIFTXQLEN, &request);
    }
    if (ioctl(fd, SIOCGIFMTU, &request) < 0) {
        return -errno;
    }
    if (request.ifr_mtu != MTU_UNTOUCHED) {
        return 0;
    }
    request.ifr_mtu = kind == IFF_TAP ? WRN_TUN_TAP_MTU : WRN_TUN_MTU_DEFAULT;
    return ioctl(fd, SIOCSIFMTU, &request) < 0 ? -errno : 0;
}

/* Checks and prepares the interface of a descriptor that was handed over, if it is in our network
 * namespace: elsewhere its name does not lead to it. */
static int adopt_interface(int fd, const char *name) {
    struct wrn_tun_info info;
    WRN_CLEANUP(wrn_close_fd) int ours = -1;
    WRN_CLEANUP(wrn_close_fd) int theirs = -1;
    int error = find_namespaces(fd, &ours, &theirs);
    if (error != 0 || ours >= 0) {
        return error;
    }
    /* TUNGETIFF cannot tell: IFF_NO_PI has the value of IFF_NOFILTER, which nearly always is
     * set. */
    if (wrn_tun_info_read(name, &info) == 0 && info.has_packet_information) {
        return -EPROTOTYPE;
    }
    error = prepare_interface(name, IFF_TUN);
    /* EPERM: it was prepared for us. ENODEV: elsewhere, and we may not know where */
    return error == -EPERM || error == -ENODEV ? 0 : error;
}

/* Finds out in which network namespace the device of 'fd' lives. Leaves both descriptors alone
 * if it is ours, or if we may not know, which is taken for ours. Returns 0, -ENODEV or -errno. */
static int find_namespaces(int fd, int *ret_ours, int *ret_theirs) {
    struct stat here;
    struct stat there;
    WRN_CLEANUP(wrn_close_fd) int theirs = ioctl(fd, TUNGETDEVNETNS);
    if (theirs < 0) {
        return is_deleted(errno) ? -ENODEV : 0;
    }
    WRN_CLEANUP(wrn_close_fd) int socket_here = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    WRN_CLEANUP(wrn_close_fd) int ours = socket_here < 0 ? -1 : ioctl(socket_here, SIOCGSKNS);
    if (ours < 0 || fstat(ours, &here) < 0 || fstat(theirs, &there) < 0) {
        return -errno;
    }
    if (here.st_ino != there.st_ino || here.st_dev != there.st_dev) {
        *ret_ours = wrn_take_fd(&ours);
        *ret_theirs = wrn_take_fd(&theirs);
    }
    return 0;
}

/* Opens /dev/net/tun in the network namespace where the device is: in ours its name may be free, or
 * that of another device. */
static int open_beside(const struct wrn_tun *tun, int *ret_fd) {
    WRN_CLEANUP(wrn_close_fd) int ours = -1;
    WRN_CLEANUP(wrn_close_fd) int theirs = -1;
    int error = find_namespaces(tun->fd, &ours, &theirs);
    if (error != 0) {
        return error;
    }
    error = wrn_steward_open_tun(ours >= 0 ? theirs : -1, ret_fd);
    return error == -EPERM && ours >= 0 ? -ENODEV : error;
}

/* Translates to the kernel's TUN_F_*. */
static unsigned long offload_bits(uint32_t offloads) {
    unsigned long bits = 0;
    bits |= (offloads & WRN_TUN_CHECKSUM) != 0 ? TUN_F_CSUM : 0;
    bits |= (offloads & WRN_TUN_TSO4) != 0 ? TUN_F_TSO4 | TUN_F_TSO_ECN : 0;
    bits |= (offloads & WRN_TUN_TSO6) != 0 ? TUN_F_TSO6 | TUN_F_TSO_ECN : 0;
    bits |= (offloads & WRN_TUN_USO) != 0 ? OFFLOAD_USO4 | OFFLOAD_USO6 : 0;
    return bits;
}

/* Tells whether an error of read, write or ioctl means that the device is no more. */
static bool is_deleted(int error) {
    return error == EBADFD || error == ENODEV || error == ENXIO;
}
