/* SPDX-License-Identifier: Apache-2.0 */
/* Path machines on hosts of the simulated network, behind boxes of every class. Frames are not
 * sealed: they say in plain bytes who sent them. Relays and the ring are a public node that
 * forwards. */
#pragma once
#include "overlay/paths.h"
#include "sim/net.h"
#include "sim/world.h"

enum { PATHWORLD_NODES = 24, PATHWORLD_PORT = 7000 };

struct pathworld;

/* The classes of boxes, by two letters. */
struct pathworld_class {
    const char *sign;
    const char *name;
    bool is_hard_random; /* another port for each destination, at random */
    bool is_steps;
    bool is_blocked;
};

enum { PATHWORLD_CLASSES = 13 };
extern const struct pathworld_class pathworld_classes[PATHWORLD_CLASSES];

struct pathworld_node {
    struct pathworld *world;
    uint32_t number;
    sim_host host;
    sim_nat nat; /* the box at home, UINT32_MAX: none */
    sim_segment segment;
    struct wrn_paths *paths;
    void *memory;
    uint64_t incarnation;
    struct sim_alarm alarm;
    struct wrn_prng prng;
    uint16_t socket_ports[WRN_SOCKETS_MAX]; /* 0: closed */
    uint16_t next_port;
    bool may_relay;   /* wants are granted by node 0 */
    bool lies;        /* about where pings come from */
    bool is_dead;     /* neither receives nor acts */
    bool drops_calls; /* no ring */
    uint32_t wanted;  /* bits: peers that a relay is wanted for */
    uint32_t want_count;
    uint32_t bad_relays; /* that were said to lead nowhere */
    /* what the machine said, by peer */
    struct {
        uint32_t way_changes;
        enum wrn_reason gone_reason;
        bool is_gone;
        wrn_mono direct_at; /* first time, NEVER */
        wrn_mono relay_at;
        wrn_mono last_change_at;
        uint32_t heard;
        uint64_t pings; /* sent on any way */
    } peers[PATHWORLD_NODES];
    uint32_t locator_changes;
    uint32_t sockets_open, sockets_most;
    uint64_t direct_sent; /* datagrams to endpoints */
};

struct pathworld {
    struct sim_world *world;
    struct sim_net *net;
    struct pathworld_node nodes[PATHWORLD_NODES];
    uint32_t count;
    struct sim_link line;
    uint32_t searches_max;
    /* Told of every message that is sent directly. */
    void (*on_sent)(struct pathworld *world, struct pathworld_node *from, uint32_t to,
                    const struct wrn_way *way, wrn_span message);
    void *ctx;
};

/* Makes a world with a link of 5 to 25 ms for each host; frees it. */
struct pathworld *pathworld_create(uint64_t seed);
void pathworld_destroy(struct pathworld *world);

/* Adds a node in a home of the class with this sign ("pu": on the internet); or in a segment. */
struct pathworld_node *pathworld_add(struct pathworld *world, const char *sign);
struct pathworld_node *pathworld_add_to(struct pathworld *world, sim_segment segment);

/* Makes a segment behind a box. */
sim_segment pathworld_home(struct pathworld *world, const struct sim_nat_options *options,
                           sim_segment outside, sim_nat *ret_nat);
struct sim_nat_options pathworld_box(const char *sign);

/* Tells the machine its addresses anew. */
void pathworld_set_local(struct pathworld_node *node);

/* Each of the two searches for the other, at once. */
void pathworld_meet(struct pathworld_node *a, struct pathworld_node *b);
/* Only one does, with what the other one says of itself. */
void pathworld_search(struct pathworld_node *from, const struct pathworld_node *to, bool we_asked);

/* The handle by which nodes know one another. */
wrn_handle pathworld_handle(const struct pathworld_node *node);

/* Lets time pass. */
void pathworld_pass(struct pathworld *world, uint64_t ns);
/* Lets time pass until both have a direct way to one another, at most 'ns'. Returns the
 * milliseconds that it took, UINT64_MAX: they have not. */
uint64_t pathworld_until_direct(struct pathworld_node *a, struct pathworld_node *b, uint64_t ns);

bool pathworld_is(const struct pathworld_node *a, const struct pathworld_node *b,
                  enum wrn_way_kind kind);
enum wrn_path_state pathworld_state(const struct pathworld_node *a, const struct pathworld_node *b,
                                    enum wrn_reason *ret_reason);
wrn_mono pathworld_now(const struct pathworld *world);

/* To be called after a machine was spoken to from outside. */
void pathworld_settle(struct pathworld_node *node);
