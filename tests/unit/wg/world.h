/* SPDX-License-Identifier: Apache-2.0 */
/* A few machines on a perfect network in virtual time, for tests: what one sends, another gets,
 * unless the test's filter takes it away. Everything is drawn from one seed. */
#pragma once
#include "base/clock.h"
#include "base/rand.h"
#include "crypto/crypto.h"
#include "wg/wg.h"

enum {
    WORLD_SIDES_MAX = 3,
    WORLD_FLIGHT_MAX = 4096,
    WORLD_DATAGRAM_MAX = 2048,
    WORLD_EVENTS_MAX = 4096,
};

struct world_side {
    struct wrn_wg *wg;
    void *memory;
    uint8_t private_key[32];
    uint8_t public_key[32];
    struct wrn_endpoint endpoint;
    uint8_t outer_ecn_seen; /* of the last data packet it sent */
    uint64_t delivered;     /* inner packets to its host */
    uint8_t last_packet[WORLD_DATAGRAM_MAX];
    size_t last_packet_size;
    uint64_t sent[5];    /* messages by type it sent */
    uint64_t last_stamp; /* last number that world_send_stamped put in, on the receiver's side */
    uint64_t out_of_order;
};

struct world_datagram {
    int from; /* side */
    wrn_mono due;
    uint64_t sequence;
    struct wrn_path path;
    size_t size;
    uint8_t ecn;
    uint8_t bytes[WORLD_DATAGRAM_MAX];
};

struct world_event {
    wrn_mono at;
    int side;
    struct wrn_wg_event event;
};

struct world {
    struct wrn_now now;
    struct wrn_prng prng;
    struct wrn_crypto *crypto;
    struct world_side side[WORLD_SIDES_MAX];
    struct wrn_wg_out out;
    /* Datagrams under way; 'hold' keeps them there until world_pump. */
    struct world_datagram flight[WORLD_FLIGHT_MAX];
    uint32_t flight_count;
    uint64_t next_sequence;
    uint64_t delay_ns;  /* of every datagram */
    uint64_t jitter_ns; /* up to so much more, drawn for each: later ones overtake */
    bool hold;
    /* Tells whether a datagram arrives; it may also change it. NULL: all arrive. */
    bool (*filter)(struct world *world, struct world_datagram *datagram);
    uint32_t filter_arg;
    struct world_datagram last_by_type[5]; /* the latest of each message type, as sent */
    struct world_event events[WORLD_EVENTS_MAX];
    uint32_t event_count;
};

/* Makes a world with 'sides' machines that are up and know each other: side n has inner address
 * 10.0.0.n+1 and fd00::n+1, endpoint 192.0.2.n+1:1000+n. Time starts at 1,000 s. */
struct world *world_create(uint64_t seed, int sides, uint32_t handshakes_per_s);
void world_destroy(struct world *world);

/* The same with tagged indices: side n's tag is 2^tag_bits - 1 - n. */
struct world *world_create_tagged(uint64_t seed, int sides, uint32_t handshakes_per_s,
                                  uint32_t tag_bits);

/* The same with what 'options' say besides, of which only filter, asks_for_unrouted and is_bridged
 * count. */
struct world *world_create_with(uint64_t seed, int sides, uint32_t handshakes_per_s,
                                const struct wrn_wg_options *options);

/* Sends an inner IPv4 packet of 'size' bytes (≥ 28) from one side's host to another's, and delivers
 * what follows unless held. 'stamp' goes behind the header and is checked for order on arrival. */
void world_send(struct world *world, int from, int to, size_t size, uint64_t stamp);

/* Hands a datagram to a side as if it came from 'path' (for forgeries and replays). */
enum wrn_drop world_inject(struct world *world, int to, const struct wrn_path *path,
                           const uint8_t *bytes, size_t size);

/* What a driver does after each input: sends the messages and fetches released packets. */
void world_settle(struct world *world, int side);

/* Delivers everything under way that is due, in the order of arrival, and what that leads to. */
void world_pump(struct world *world);

/* Lets time pass: jumps from deadline to deadline, delivering in between. */
void world_advance(struct world *world, uint64_t ns);

/* The handle that 'side' has for 'other', and what it knows of it. */
wrn_handle world_peer(const struct world *world, int side, int other);
struct wrn_wg_peer_info world_info(const struct world *world, int side, int other);

/* Counts events of a kind on a side since the start. */
uint32_t world_events(const struct world *world, int side, enum wrn_wg_event_kind kind);

/* The time of the n-th (0-based) event of a kind on a side, WRN_MONO_NEVER if there is none. */
wrn_mono world_event_at(const struct world *world, int side, enum wrn_wg_event_kind kind,
                        uint32_t n);

/* The count of one drop reason on a side. */
uint64_t world_drops(const struct world *world, int side, enum wrn_drop reason);
