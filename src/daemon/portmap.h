/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps one UDP port mapped at the router, in the background: asks, renews at half life, gives it
 * back at the end. Whatever a router does, the loop goes on. */
#pragma once
#include <jansson.h>

#include "base/rand.h"
#include "daemon/portmap_ask.h"
#include "io/log.h"

typedef struct uv_loop_s uv_loop_t;
struct wrn_portmap;

struct wrn_portmap_options {
    uv_loop_t *loop;
    struct wrn_log *log;
    struct wrn_rand rand;
    uint16_t port;  /* of ours; 0: none yet */
    bool is_needed; /* false: the host has a public address */
    void *ctx;
    /* The endpoint is ours from now on; NULL: none is. */
    void (*on_change)(void *ctx, const struct wrn_endpoint *external);
};

/* Starts, and asks at once if it is needed. Returns 0 or -ENOMEM. */
WRN_NODISCARD int wrn_portmap_create(const struct wrn_portmap_options *options,
                                     struct wrn_portmap **ret_portmap);

/* Gives the mapping back (2 s at most) and ends. on_change is not called any more. The loop must
 * run once more. NULL is fine. */
void wrn_portmap_destroy(struct wrn_portmap *portmap);

/* Another port, or the host is elsewhere now: asks anew within two seconds, unless 'is_needed' is
 * false (the host has a public address): then what is mapped runs out. */
void wrn_portmap_again(struct wrn_portmap *portmap, uint16_t port, bool is_needed);

/* What is mapped, or why nothing is; good until the loop's next round. */
const struct wrn_portmap_mapping *wrn_portmap_mapping(const struct wrn_portmap *portmap);

/* The same for reports: {"state": "mapped", "asking", "none" or "not needed", "by", "external",
 * "text", ...}. New object, NULL without memory. */
json_t *wrn_portmap_status(const struct wrn_portmap *portmap);
