/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of DHT machines in virtual time. Links, views and routing are a model: right at once after
 * each change, or when the test says so. Messages take time and get lost; nodes die, are reborn
 * empty, and are parted. */
#pragma once
#include "base/heap.h"
#include "overlay/dht.h"
#include "overlay/limits.h"

enum {
    DWORLD_NODES = 48,
    DWORLD_EVENTS = 16384,
    DWORLD_RECORDS = 80, /* of one answer */
    DWORLD_MEMORY = 1 << 20,
};

struct dworld;

struct dworld_node {
    struct dworld *world;
    uint32_t index;
    uint8_t seed[WRN_SEED_SIZE];
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    wrn_id id;
    bool is_live;
    bool is_silent;  /* takes everything, sends nothing */
    uint32_t life;   /* makes handles of former lives dead */
    uint32_t part;   /* nodes of different parts do not reach one another */
    int64_t clock_s; /* how far its clock is wrong */
    struct wrn_links links;
    struct wrn_dht *dht;
    struct wrn_prng prng;
    /* Sees what is delivered instead of the machine: a hostile node. Returns true if it was dealt
     * with. 'header' NULL: from a neighbour. */
    bool (*hostile)(struct dworld_node *node, const struct wrn_route_header *header,
                    wrn_handle from, wrn_span message);
    uint32_t lost_count;
    enum wrn_reason lost_reason;
    uint64_t sent[16]; /* messages to neighbours by their second byte */
    uint64_t routed;
    uint64_t bytes;
    _Alignas(64) uint8_t memory[DWORLD_MEMORY];
};

struct dworld_event {
    struct wrn_heap_node due;
    uint32_t to;
    uint32_t to_life;
    wrn_handle from;
    bool is_routed;
    struct wrn_route_header header;
    uint16_t size;
    uint8_t bytes[WRN_MESSAGE_MAX];
};

/* What the last request came to. */
struct dworld_result {
    bool is_done;
    enum wrn_reason reason;
    uint32_t count; /* of records */
    uint32_t copies;
    uint32_t took_ms;
    uint16_t sizes[DWORLD_RECORDS];
    uint8_t records[DWORLD_RECORDS][WRN_RECORD_MAX];
};

struct dworld {
    struct wrn_primitives primitives;
    struct wrn_crypto *crypto;
    struct wrn_prng prng;
    wrn_mono now;
    struct wrn_heap heap;
    uint32_t count;
    uint32_t loss_percent; /* of each message, on its whole way */
    uint32_t delay_ms;     /* of a message to a neighbour; a routed one takes 1 to 5 times that */
    uint64_t trace;        /* hash of all that was delivered */
    struct wrn_dht_options options;
    struct dworld_node nodes[DWORLD_NODES];
    struct dworld_event events[DWORLD_EVENTS];
    uint32_t free_events[DWORLD_EVENTS];
    uint32_t free_count;
    struct dworld_result result;
    uint32_t tag;
    _Alignas(64) uint8_t memory[1 << 18];
};

struct dworld_record {
    size_t size;
    uint8_t bytes[WRN_RECORD_MAX];
};

/* Makes a world of 'count' live, linked nodes. It is static memory of the caller. */
void dworld_init(struct dworld *w, uint64_t seed, uint32_t count,
                 const struct wrn_dht_options *options);
void dworld_finish(struct dworld *w);

/* Options that suit a small test. */
struct wrn_dht_options dworld_options(void);

/* Lets a node die, or live (again), with nothing stored. Links are as before until relink. */
void dworld_kill(struct dworld *w, uint32_t node);
void dworld_spawn(struct dworld *w, uint32_t node);

/* Makes all links what they should be, and tells the machines. */
void dworld_relink(struct dworld *w);

/* Lets time pass; all that is due is done. */
void dworld_run(struct dworld *w, uint64_t ns);

/* The clocks of a node. */
struct wrn_now dworld_now(const struct dworld *w, uint32_t node);

/* Makes a record of a node, made now by the world's clock. */
struct dworld_record dworld_make(struct dworld *w, uint32_t owner, enum wrn_record_kind kind,
                                 const char *key, const char *value, uint64_t sequence,
                                 uint32_t ttl_s);
/* ... with every field chosen. */
struct dworld_record dworld_sign(struct dworld *w, uint32_t owner, struct wrn_record record);

/* Request of a node; return when it is answered. The result is in w->result. */
enum wrn_reason dworld_store(struct dworld *w, uint32_t node, const struct dworld_record *record);
enum wrn_reason dworld_get(struct dworld *w, uint32_t node, const char *key);

/* How many live nodes hold exactly this record; whether one does. */
uint32_t dworld_copies(struct dworld *w, const struct dworld_record *record);
bool dworld_holds(struct dworld *w, uint32_t node, const struct dworld_record *record);

/* The live node with this rank at a key: 0 is the nearest. */
uint32_t dworld_ranked(struct dworld *w, const char *key, uint32_t rank);

/* Returns a live node that is not among the 'ranks' nearest to a key. */
uint32_t dworld_far(struct dworld *w, const char *key, uint32_t ranks);

/* Hands a message to a node as if a neighbour had sent it; a payload as if it had been routed. */
void dworld_inject(struct dworld *w, uint32_t to, uint32_t from, wrn_span message);
void dworld_inject_routed(struct dworld *w, uint32_t to, uint32_t source, wrn_span payload);

/* The handle by which nodes know a node. */
wrn_handle dworld_peer(const struct dworld *w, uint32_t node);

wrn_span dworld_span(const struct dworld_record *record);
