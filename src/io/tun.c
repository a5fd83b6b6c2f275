/* SPDX-License-Identifier: Apache-2.0 */
/* TUN devices through /dev/net/tun, one packet a system call. The calls take batches, so that
 * offloads and several queues can come in behind them. */
#include "io/tun.h"

#include <ctype.h>
#include <fcntl.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "io/cleanup.h"

static_assert((int)WRN_TUN_NAME_SIZE == IFNAMSIZ, "the kernel's size of interface names");

enum {
    VNET_SIZE_MAX = 24, /* the largest header that Linux knows has 24 bytes */
    MTU_UNTOUCHED = 1500,
};

static int prepare_mtu(const char *name);
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
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    WRN_CLEANUP(wrn_close_fd) int fd = -1;

    if (wrn_tun_name_problem(name) != NULL) {
        return -EINVAL;
    }
    memcpy(request.ifr_name, name, strlen(name) + 1);
    fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        int refused = -errno;
        return refused == -EINVAL && if_nametoindex(name) != 0 ? -EEXIST : refused;
    }
    int error = prepare_mtu(name);
    if (error != 0 && error != -EPERM) { /* EPERM: a persistent device that was prepared for us */
        return error;
    }
    *ret_tun = (struct wrn_tun){.fd = wrn_take_fd(&fd)};
    return 0;
}

int wrn_tun_adopt(int given_fd, struct wrn_tun *ret_tun) {
    struct ifreq request = {0};
    WRN_CLEANUP(wrn_close_fd) int fd = given_fd;

    if (ioctl(fd, TUNGETIFF, &request) < 0) {
        return -EBADF;
    }
    unsigned flags = (unsigned short)request.ifr_flags;
    if ((flags & IFF_TUN) == 0 || (flags & IFF_NO_PI) == 0) {
        return -EPROTOTYPE;
    }
    int vnet_size = 0;
    if ((flags & IFF_VNET_HDR) != 0) {
        /* We ask for no offloads, so that each header says "nothing special": all zero. */
        if (ioctl(fd, TUNGETVNETHDRSZ, &vnet_size) < 0 || ioctl(fd, TUNSETOFFLOAD, 0UL) < 0) {
            return -errno;
        }
        if (vnet_size < 0 || vnet_size > VNET_SIZE_MAX) {
            return -EPROTOTYPE;
        }
    }
    int status = fcntl(fd, F_GETFL);
    if (status < 0 || fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        return -errno;
    }
    request.ifr_name[IFNAMSIZ - 1] = '\0';
    int error = prepare_mtu(request.ifr_name);
    if (error != 0 && error != -EPERM && error != -ENODEV) { /* ENODEV: in another namespace */
        return error;
    }
    *ret_tun = (struct wrn_tun){.fd = wrn_take_fd(&fd), .vnet_size = (uint32_t)vnet_size};
    return 0;
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

int wrn_tun_read(const struct wrn_tun *tun, struct iovec *packets, size_t count,
                 size_t *ret_count) {
    uint8_t vnet[VNET_SIZE_MAX];
    size_t done = 0;
    while (done < count) {
        struct iovec parts[2] = {{vnet, tun->vnet_size}, packets[done]};
        ssize_t got = tun->vnet_size == 0
                          ? read(tun->fd, packets[done].iov_base, packets[done].iov_len)
                          : readv(tun->fd, parts, 2);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            if (is_deleted(errno)) {
                return -ENODEV;
            }
            break; /* EAGAIN, or EIO while the interface is down */
        }
        if ((size_t)got <= tun->vnet_size) {
            break; /* cannot be: no packet is empty */
        }
        size_t size = (size_t)got - tun->vnet_size;
        packets[done].iov_len = size < packets[done].iov_len ? size : packets[done].iov_len;
        done++;
    }
    *ret_count = done;
    return 0;
}

int wrn_tun_write(const struct wrn_tun *tun, const struct iovec *packets, size_t count,
                  size_t *ret_refused) {
    uint8_t vnet[VNET_SIZE_MAX] = {0};
    size_t refused = 0;
    for (size_t i = 0; i < count; i++) {
        struct iovec parts[2] = {{vnet, tun->vnet_size}, packets[i]};
        ssize_t put;
        do {
            put = tun->vnet_size == 0 ? write(tun->fd, packets[i].iov_base, packets[i].iov_len)
                                      : writev(tun->fd, parts, 2);
        } while (put < 0 && errno == EINTR);
        if (put < 0) {
            if (is_deleted(errno)) {
                return -ENODEV;
            }
            refused++;
        }
    }
    *ret_refused = refused;
    return 0;
}

/* Gives an interface of this network namespace the default MTU, unless somebody chose another one.
 * */
static int prepare_mtu(const char *name) {
    struct ifreq request = {0};
    WRN_CLEANUP(wrn_close_fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 && errno == EAFNOSUPPORT) { /* a machine without IPv4 */
        fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    if (fd < 0) {
        return -errno;
    }
    memcpy(request.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
    if (ioctl(fd, SIOCGIFMTU, &request) < 0) {
        return -errno;
    }
    if (request.ifr_mtu != MTU_UNTOUCHED) {
        return 0;
    }
    request.ifr_mtu = WRN_TUN_MTU_DEFAULT;
    return ioctl(fd, SIOCSIFMTU, &request) < 0 ? -errno : 0;
}

/* Tells whether an error of read or write means that the device is no more. */
static bool is_deleted(int error) {
    return error == EBADFD || error == ENODEV || error == ENXIO;
}
