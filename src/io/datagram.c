/* SPDX-License-Identifier: Apache-2.0 */
/* recvmsg(2) with all that it can tell. */
#include "io/datagram.h"

#include <errno.h>

ssize_t wrn_datagram_receive(int fd, uint8_t *buffer, size_t capacity,
                             struct wrn_endpoint *ret_from, struct wrn_cmsg_facts *ret_facts) {
    union wrn_sockaddr address = {0};
    union wrn_cmsg_receive control;
    struct iovec part = {buffer, capacity};
    struct msghdr message = {.msg_name = &address,
                             .msg_namelen = sizeof address,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0) {
        return -errno;
    }
    if (!wrn_endpoint_from_sockaddr(&address, ret_from)) {
        *ret_from = (struct wrn_endpoint){.ip.family = WRN_FAMILY_NONE};
    }
    wrn_cmsg_read(&message, ret_facts);
    return got;
}
