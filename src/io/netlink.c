/* SPDX-License-Identifier: Apache-2.0 */
/* The part of rtnetlink that is the same for every subject. Keeps no state. */
#include "io/netlink.h"

#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/time.h>

#include "io/cleanup.h"

enum {
    EVENT_BYTES = 32768, /* one datagram of the kernel */
    ANSWER_WAIT_S = 2,   /* the kernel answers within the send call; this is for the unforeseen */
};

int wrn_netlink_open(struct nl_sock **ret_socket) {
    struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
    struct nl_sock *socket = nl_socket_alloc();
    if (socket == NULL) {
        return -ENOMEM;
    }
    nl_socket_disable_auto_ack(socket);
    errno = 0;
    if (nl_connect(socket, NETLINK_ROUTE) < 0) { /* close-on-exec */
        int error = errno != 0 ? -errno : -EIO;
        nl_socket_free(socket);
        return error;
    }
    (void)setsockopt(nl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    *ret_socket = socket;
    return 0;
}

int wrn_netlink_subscribe(const unsigned *groups, size_t count, struct nl_sock **ret_socket) {
    struct nl_sock *socket = NULL;
    int error = wrn_netlink_open(&socket);
    if (error != 0) {
        return error;
    }
    errno = 0;
    bool failed = nl_socket_set_nonblocking(socket) < 0;
    for (size_t i = 0; !failed && i < count; i++) {
        failed = nl_socket_add_membership(socket, (int)groups[i]) < 0;
    }
    if (failed) {
        error = errno != 0 ? -errno : -EIO;
        nl_socket_free(socket);
        return error;
    }
    *ret_socket = socket;
    return 0;
}

int wrn_netlink_ask(struct nl_sock *socket, struct nl_msg *question, uint16_t answer_type,
                    struct nlmsghdr **ret_answer) {
    errno = 0;
    if (nl_send_auto(socket, question) < 0) {
        return errno != 0 ? -errno : -EIO;
    }
    uint32_t sequence = nlmsg_hdr(question)->nlmsg_seq;
    for (;;) {
        struct sockaddr_nl from;
        unsigned char *bytes = NULL;
        errno = 0;
        int got = nl_recv(socket, &from, &bytes, NULL);
        if (got <= 0) {
            return errno != 0 ? -errno : -EIO;
        }
        WRN_CLEANUP(wrn_netlink_free_answer)
        struct nlmsghdr *answer = (struct nlmsghdr *)(void *)bytes;
        if (!nlmsg_ok(answer, got) || answer->nlmsg_seq != sequence) {
            continue; /* an answer that an earlier question no longer waited for */
        }
        if (answer->nlmsg_type == NLMSG_ERROR && nlmsg_datalen(answer) >= (int)sizeof(int)) {
            int error;
            memcpy(&error, nlmsg_data(answer), sizeof error);
            return error == 0 && answer_type != NLMSG_ERROR ? -EPROTO : error;
        }
        if (answer->nlmsg_type == answer_type && ret_answer != NULL) {
            *ret_answer = answer;
            answer = NULL;
            return 0;
        }
    }
}

int wrn_netlink_list(struct nl_sock *socket, struct nl_msg *question, wrn_netlink_fn on_message,
                     void *ctx) {
    errno = 0;
    if (nl_send_auto(socket, question) < 0) {
        return errno != 0 ? -errno : -EIO;
    }
    uint32_t sequence = nlmsg_hdr(question)->nlmsg_seq;
    for (;;) {
        struct sockaddr_nl from;
        unsigned char *bytes = NULL;
        errno = 0;
        int left = nl_recv(socket, &from, &bytes, NULL);
        if (left <= 0) {
            return errno != 0 ? -errno : -EIO;
        }
        WRN_CLEANUP(wrn_netlink_free_answer)
        struct nlmsghdr *answers = (struct nlmsghdr *)(void *)bytes;
        for (struct nlmsghdr *answer = answers; nlmsg_ok(answer, left);
             answer = nlmsg_next(answer, &left)) {
            if (answer->nlmsg_seq != sequence) {
                continue; /* an answer that an earlier question no longer waited for */
            }
            if (answer->nlmsg_type == NLMSG_DONE || answer->nlmsg_type == NLMSG_ERROR) {
                int error = 0;
                if (nlmsg_datalen(answer) >= (int)sizeof error) {
                    memcpy(&error, nlmsg_data(answer), sizeof error);
                }
                return error;
            }
            on_message(ctx, answer);
        }
    }
}

bool wrn_netlink_read_events(struct nl_sock *socket, wrn_netlink_fn on_message, void *ctx) {
    union {
        struct nlmsghdr align;
        uint8_t bytes[EVENT_BYTES];
    } news;
    bool complete = true;
    for (;;) {
        ssize_t got = recv(nl_socket_get_fd(socket), news.bytes, sizeof news.bytes, MSG_DONTWAIT);
        if (got < 0 && errno == ENOBUFS) {
            complete = false; /* more came than the socket could hold */
            continue;
        }
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return complete;
        }
        int left = (int)got;
        struct nlmsghdr *message = &news.align;
        while (nlmsg_ok(message, left)) {
            on_message(ctx, message);
            message = nlmsg_next(message, &left);
        }
    }
}

void wrn_netlink_free_message(struct nl_msg **message) {
    nlmsg_free(*message); /* NULL is fine */
}

void wrn_netlink_free_answer(struct nlmsghdr **answer) {
    free(*answer);
}
