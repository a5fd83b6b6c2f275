/* SPDX-License-Identifier: Apache-2.0 */
/* Answers DNS questions about one network at its resolver address, by UDP and TCP, to this host and
 * to who comes by the network's own interface. Looks nothing up itself. */
#pragma once
#include "base/clock.h"
#include "daemon/dns.h"
#include "io/log.h"

typedef struct uv_loop_s uv_loop_t;
struct wrn_dns_server;

enum {
    WRN_DNS_PORT = 53,
    WRN_DNS_PENDING_MAX = 64,   /* questions that wait for an answer; more get SERVFAIL */
    WRN_DNS_STREAMS_MAX = 16,   /* TCP connections; a new one closes the one idle for longest */
    WRN_DNS_STREAM_IDLE_S = 10, /* then it is closed: RFC 7766, section 6.2.3 */
    WRN_DNS_WHY_SIZE = 256,
};

struct wrn_dns_server_options {
    uv_loop_t *loop;
    struct wrn_log *log;
    struct wrn_dns_zone zone; /* copied; its resolver address is where it listens */
    uint32_t interface;       /* index of the network's interface */
    uint16_t port;            /* WRN_DNS_PORT */
    void *ctx;
    /* Looks up a question of the kinds HOST and REVERSE. PENDING: on_answer follows with 'token',
     * after the call. Must not call back. */
    void (*ask)(void *ctx, const struct wrn_names_question *question, uint32_t token,
                struct wrn_names_answer *ret_answer);
};

struct wrn_dns_server_counts {
    uint64_t queries, replies, refused /* of other hosts */, overloads;
};

/* Opens the sockets. Returns 0, or -EADDRNOTAVAIL (the address is not there yet), -EADDRINUSE,
 * -EACCES or another -errno, with a sentence that has a next step. */
WRN_NODISCARD int wrn_dns_server_create(const struct wrn_dns_server_options *options,
                                        struct wrn_dns_server **ret_server,
                                        char reterr_why[WRN_DNS_WHY_SIZE]);

/* Closes them; what is pending gets no answer. The loop must run once more. NULL is fine. */
void wrn_dns_server_destroy(struct wrn_dns_server *server);

/* What was pending under 'token' is answered (not PENDING); nothing happens if it is not there. */
void wrn_dns_server_on_answer(struct wrn_dns_server *server, uint32_t token,
                              const struct wrn_names_answer *answer);

/* Returns what it has done so far. */
struct wrn_dns_server_counts wrn_dns_server_counts(const struct wrn_dns_server *server);
