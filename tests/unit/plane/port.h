/* SPDX-License-Identifier: Apache-2.0 */
/* A crew with several machines behind one port of the loopback interface, in a network namespace of
 * our own, a far end for each that lives in the test, and programs on the near hosts. All networks
 * have the same addresses: 10.77.0.1 here, 10.77.0.2 there. */
#pragma once
#include "crypto/crypto.h"
#include "io/random.h"
#include "io/udp.h"
#include "plane/crew.h"
#include "plane/settle.h"

enum {
    PORT_NETWORKS_MAX = 4,
    PORT_TAG_BITS = 6,
    PORT_PAYLOAD_MAX = 1392, /* of a UDP packet inside: 20 + 8 + 1392 = 1420 */
    PORT_HELD_MAX = 4096,
    PORT_DATAGRAM_MAX = 1600,
};

/* Something that went another way than to the far end's socket; or, without a path, a packet of the
 * near host to nobody's address. */
struct port_held {
    struct wrn_path path;
    int network; /* -1: none */
    size_t size;
    uint8_t bytes[PORT_DATAGRAM_MAX];
};

struct port_end {
    struct wrn_wg *wg;
    void *memory;
    size_t memory_size;
    uint8_t public_key[WRN_WG_KEY_SIZE];
    wrn_handle peer; /* the other end */
};

struct port_network {
    struct port_end near;
    struct port_end far;
    uint32_t tag;
    char name[WRN_TUN_NAME_SIZE];
    wrn_handle machine; /* NONE: not added */
    int host_fd; /* a socket of the near host, bound to the network's device, 10.77.0.1:5000 */
    uint64_t sent_here, sent_there;         /* numbers of the next packets */
    uint64_t received_here, received_there; /* in order, of this network */
};

struct port {
    struct wrn_crypto *crypto;
    struct wrn_random random;
    struct wrn_crew *crew;
    struct wrn_settle settle;
    struct port_network networks[PORT_NETWORKS_MAX];
    struct wrn_udp far_udp;
    struct wrn_udp_scratch *scratch;
    struct wrn_wg_out far_out;
    /* What the far end wants to send: all of it in one call by port_far_flush. */
    size_t outgoing_count;
    struct wrn_udp_sending outgoing[WRN_UDP_BATCH_MAX];
    uint8_t outgoing_bytes[WRN_UDP_BATCH_MAX][PORT_DATAGRAM_MAX];
    struct wrn_endpoint far_reaches; /* where the crew's port is */
    bool expects_heads;              /* the far end poses as a relay: all that comes has a head */
    uint64_t slot;                   /* ... with this slot */
    uint64_t heads;                  /* that came */
    /* All between the ends of this network goes by hand: what the crew hands over is given to the
     * far end, what that sends is injected. -1: none. */
    int by_hand;
    uint64_t carried;    /* so */
    uint32_t held_count; /* what the crew handed over: frames and carried datagrams */
    struct port_held held[PORT_HELD_MAX];
    uint64_t deleted; /* machines whose interface was deleted */
    uint8_t rooms[16][65536];
};

/* Tells whether the tests may run here: root, /dev/net/tun. Enters an empty namespace with a
 * loopback interface. */
bool port_enter(void);

/* What the near machines are made with besides, by port_create. */
extern struct wrn_wg_filter port_filter;
extern bool port_asks_for_unrouted;

/* Makes a port with 'networks' machines and so many workers; all of them are added and up, the
 * far ends know where the port is. */
struct port *port_create(uint32_t networks, uint32_t workers);
void port_destroy(struct port *port);

/* Adds the machine of a network, or removes it. */
void port_add(struct port *port, uint32_t network);
void port_remove(struct port *port, uint32_t network);

/* Puts the next packet of the network, with 'payload' (≥ 16) bytes, into the outgoing batch of the
 * far end (or lets it wait for a session); sends the batch in one call. */
void port_far_packet(struct port *port, uint32_t network, size_t payload);
void port_far_flush(struct port *port);

/* Sends the next packet from the near host into the network's device. */
void port_near_packet(struct port *port, uint32_t network, size_t payload);

/* Lets everybody do what is to be done until both ends of the network have all that was sent to
 * them; fails after some seconds. Packets must come in order and in the right network. */
void port_settle(struct port *port, uint32_t network);

/* The same, until 'is_done' says so. */
void port_until(struct port *port, bool (*is_done)(struct port *port));

/* Count of a refusal of the near machine of a network; of the port's strays. */
uint64_t port_drops(const struct port *port, uint32_t network, enum wrn_drop reason);
uint64_t port_strays(const struct port *port, enum wrn_stray reason);
