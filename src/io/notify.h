/* SPDX-License-Identifier: Apache-2.0 */
/* Tells a service manager that started us how we do: one line a datagram to the socket that it has
 * named (sd_notify(3) describes the protocol). Without one nothing is told. */
#pragma once
#include "base/base.h"

/* Where to tell it; zeroed: nobody wants to know. */
struct wrn_notify {
    char path[108];         /* of a socket; an abstract name begins with '@' */
    uint64_t watchdog_usec; /* how often a sign of life is wanted at least; 0: never */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and takes them out of the environment: they
 * are not for programs that we start. To be called before the first thread is made. */
void wrn_notify_open(struct wrn_notify *ret_notify);

/* Tells it 'state', assignments with line feeds between: "READY=1". Returns 0 also if nobody wants
 * to know, or -errno. */
int wrn_notify_tell(const struct wrn_notify *notify, const char *state);
