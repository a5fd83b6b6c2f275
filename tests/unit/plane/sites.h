/* SPDX-License-Identifier: Apache-2.0 */
/* Sites of one layer-2 network, each with a crew, a machine, a switch and a TAP device in a network
 * namespace of its own, joined by UDP on the loopback interface of the test's namespace. The test's
 * thread is the control thread of all. */
#pragma once
#include "crypto/crypto.h"
#include "io/random.h"
#include "io/udp.h"
#include "plane/crew.h"
#include "plane/settle.h"

enum {
    SITES_MAX = 3,
    SITES_TAG_BITS = 4,
    SITES_HELD_MAX = 1024,
    SITES_FRAME_ROOM = 20000,
    SITES_PAYLOAD_MAX = 1420, /* of a direct path */
};

/* How the sites reach one another. */
enum sites_way { SITES_DIRECT, SITES_RELAYED, SITES_CARRIED };

struct site {
    struct wrn_wg *wg;
    void *memory;
    size_t memory_size;
    struct wrn_switch *sw;
    void *switch_memory;
    struct wrn_crew *crew;
    struct wrn_settle settle;
    struct wrn_switch_out *out;
    wrn_handle machine;
    wrn_handle peers[SITES_MAX];
    uint8_t public_key[WRN_WG_KEY_SIZE];
    int namespace_fd;
    int packet_fd; /* a packet socket on the TAP device */
    uint64_t told;
};

struct sites {
    uint32_t count;
    enum sites_way way;
    struct wrn_crypto *crypto;
    struct wrn_random random;
    struct wrn_prng prng;
    struct site site[SITES_MAX];
    int base_fd;  /* our namespace */
    int relay_fd; /* a relay that strips heads and looks up slots */
    uint64_t relayed, carried;
    /* Datagrams that the control threads carry: delivered by sites_serve. */
    uint32_t held_count;
    struct sites_held {
        uint32_t from, to;
        size_t size;
        uint8_t bytes[2048];
    } held[SITES_HELD_MAX];
};

/* Tells whether the tests may run here: root, /dev/net/tun. */
bool sites_allowed(void);

/* Makes sites that are connected to one another, with so many workers each. */
struct sites *sites_create(uint32_t count, enum sites_way way, uint32_t workers);
void sites_destroy(struct sites *sites);

/* Makes the calling thread one of this site's namespace; SITES_MAX: back in ours. */
void sites_enter(const struct sites *sites, uint32_t site);

/* Does what is to be done until 'is_done' says so; fails after half a minute. */
void sites_until(struct sites *sites, bool (*is_done)(struct sites *sites, void *ctx), void *ctx);

/* Lets the host of a site send a frame, tags and all. */
void sites_send(struct sites *sites, uint32_t site, const uint8_t *frame, size_t size);

/* Takes the next frame that came to the host of a site, as it was before the kernel looked at its
 * tag. Returns its size; 0: none is there. */
size_t sites_receive(struct sites *sites, uint32_t site, uint8_t frame[SITES_FRAME_ROOM]);

/* What became of frames in pieces at a site; a refusal of its machine. */
uint64_t sites_pieces(const struct sites *sites, uint32_t site, enum wrn_pieces_refusal what);
uint64_t sites_drops(const struct sites *sites, uint32_t site, enum wrn_drop reason);
