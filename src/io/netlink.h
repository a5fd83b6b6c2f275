/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to rtnetlink and their answers, shared by the files that follow links and routes. */
#pragma once
#include <linux/netlink.h>
#include "base/base.h"

struct nl_msg;
struct nl_sock;

/* Opens a socket in the network namespace of the caller, close-on-exec. Returns 0 or -errno;
 * closed with nl_socket_free. */
WRN_NODISCARD int wrn_netlink_open(struct nl_sock **ret_socket);

/* Opens one that hears of changes in 'groups' (RTNLGRP_…), non-blocking. */
WRN_NODISCARD int wrn_netlink_subscribe(const unsigned *groups, size_t count,
                                        struct nl_sock **ret_socket);

/* Sends a question and waits for its answer, which the kernel gives before the call returns.
 * 'answer_type' NLMSG_ERROR: only a confirmation is awaited, 'ret_answer' may be NULL. Returns
 * 0, with an answer to be freed with free(), or the kernel's -errno. */
WRN_NODISCARD int wrn_netlink_ask(struct nl_sock *socket, struct nl_msg *question,
                                  uint16_t answer_type, struct nlmsghdr **ret_answer);

/* Called for each message of wrn_netlink_read_events and wrn_netlink_list. */
typedef void (*wrn_netlink_fn)(void *ctx, struct nlmsghdr *message);

/* Sends a question with many answers (its flags have NLM_F_DUMP), which are handed over one by one.
 * Returns 0 or -errno. */
WRN_NODISCARD int wrn_netlink_list(struct nl_sock *socket, struct nl_msg *question,
                                   wrn_netlink_fn on_message, void *ctx);

/* Reads all events that wait. Returns false if some were lost. */
bool wrn_netlink_read_events(struct nl_sock *socket, wrn_netlink_fn on_message, void *ctx);

/* For WRN_CLEANUP. NULL is fine. */
void wrn_netlink_free_message(struct nl_msg **message);
void wrn_netlink_free_answer(struct nlmsghdr **answer);
