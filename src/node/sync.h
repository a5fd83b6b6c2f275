/* SPDX-License-Identifier: Apache-2.0 */
/* Sees to it that this node and its peers know of the same revocations: compares, tells what others
 * lack, passes each new list on once, and says who may be believed since enough is known. A machine
 * without I/O; decides about no list (revoked.h does). Messages: docs/networks.md. */
#pragma once
#include "base/pool.h"
#include "base/rand.h"
#include "network/revoked.h"

enum {
    WRN_SYNC_DIGEST = 0x02,
    WRN_SYNC_OFFER = 0x03,
    WRN_SYNC_LIST = 0x04,
    WRN_SYNC_MESSAGE_MAX = 1200,
    WRN_SYNC_ALONE_S = 3, /* with one peer compared, nobody else is waited for longer than that */
};

struct wrn_sync_port {
    void *ctx;
    /* Sends to a peer, perhaps in vain. */
    void (*send)(void *ctx, wrn_handle peer, wrn_span message);
    /* A list came: wrn_revoked_add, and if it was new wrn_sync_pass_on, before it returns. */
    void (*take)(void *ctx, wrn_handle from, wrn_span list);
    /* What this peer knows has been compared with what we know, and it was not the only one who
     * might have told us: it is to be believed from now on. May be said again. Must not call back.
     */
    void (*believe)(void *ctx, wrn_handle peer);
};

struct wrn_sync_options {
    uint32_t peers_max; /* handles have smaller indexes */
    bool is_settled;    /* nobody can know more than this node: all are believed from the start */
    struct wrn_revoked *revoked;
    struct wrn_rand rand;
};

struct wrn_sync;

/* Builds the machine; NULL while the arena measures. */
struct wrn_sync *wrn_sync_init(struct wrn_arena *arena, const struct wrn_sync_options *options,
                               struct wrn_sync_port port);

/* A peer is there (again); true if it is not to be believed yet: port.believe follows. The owner
 * of the network ('is_owner') cannot be revoked: what it says is enough. */
bool wrn_sync_on_up(struct wrn_sync *sync, struct wrn_now now, wrn_handle peer, bool is_owner);

/* It is gone. */
void wrn_sync_on_down(struct wrn_sync *sync, wrn_handle peer);

/* A message came from a peer that is up; its first byte is one of the above. */
void wrn_sync_on_message(struct wrn_sync *sync, struct wrn_now now, wrn_handle peer,
                         wrn_span message);

/* This node found the ring; was asleep, so nobody is believed any more: what others learned
 * meanwhile has to be heard first. */
void wrn_sync_on_connected(struct wrn_sync *sync, struct wrn_now now);
void wrn_sync_on_woken(struct wrn_sync *sync, struct wrn_now now);

/* A list was added: tells all peers but one (NONE: all). */
void wrn_sync_pass_on(struct wrn_sync *sync, struct wrn_now now, wrn_span list, wrn_handle except);

/* Time. Never due in the past after on_time. */
void wrn_sync_on_time(struct wrn_sync *sync, struct wrn_now now);
wrn_mono wrn_sync_due(const struct wrn_sync *sync);

/* Tells whether enough has been compared since the start or since this host was asleep. */
bool wrn_sync_is_settled(const struct wrn_sync *sync);

/* X(NAME, name) */
#define WRN_SYNC_COUNT_LIST(X)                                                                     \
    X(MALFORMED, malformed)                                                                        \
    X(PASSED_ON, passed_on)   /* lists, each to all peers */                                       \
    X(HELD_BACK, held_back)   /* ... too many at once: the next comparison finds them */           \
    X(UNSEEN, unseen)         /* lists of a peer that sent too many at once */                     \
    X(UNFINISHED, unfinished) /* lists of which pieces did not come */

enum wrn_sync_count {
#define X(upper, lower) WRN_SYNC_COUNT_##upper,
    WRN_SYNC_COUNT_LIST(X)
#undef X
        WRN_SYNC_COUNTS
};

/* Returns a counter. */
uint64_t wrn_sync_count(const struct wrn_sync *sync, enum wrn_sync_count count);
