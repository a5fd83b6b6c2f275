/* SPDX-License-Identifier: Apache-2.0 */
/* Members: hosts that run whole nodes (node/node.h), with their networks' interfaces, state on disk
 * and a small IP host behind them that answers echo requests. Drives a node as warrend does;
 * decides nothing. */
#pragma once
#include "node/authority.h"
#include "node/node.h"
#include "node/state.h"
#include "sim/net.h"
#include "sim/scenario.h"

enum {
    SIM_MEMBER_PORT = 21000,       /* of socket 0 */
    SIM_MEMBER_PORT_FIRST = 22000, /* of the sockets that are opened later, one after the other */
    SIM_MEMBER_ANNOUNCE_PORT = 20999,
    SIM_MEMBER_NETWORKS = 2,  /* that one host may be in */
    SIM_MEMBER_ADDRESSES = 8, /* on one interface */
};

struct sim_member;

/* An echo request and its answer. Zero: not yet, or never. By true time. */
struct sim_echo {
    wrn_mono sent, came;
};

/* What became of a question to a node. */
struct sim_asked {
    bool is_answered; /* the last answer has come */
    uint32_t count;   /* of all answers */
    enum wrn_reason reason;
    struct wrn_names_answer name;
    uint64_t rights_seen; /* bits of all answers */
};

/* Members of one internet and all that they share. */
struct sim_members {
    struct sim_run *run;
    struct sim_net *net;
    struct wrn_crypto *crypto;
    struct wrn_primitives primitives;
    struct sim_member **all;
    uint32_t count, capacity;
    struct sim_echo *echoes;
    uint32_t echo_count, echo_capacity;
    struct sim_asked *asked; /* by tag; the first one is nobody's */
    uint32_t asked_count, asked_capacity;
    struct wrn_node_out *out;
    struct wrn_wg_out *wg_out;
    uint8_t *buffer; /* for one datagram or packet */
    uint8_t *state;  /* for one network's */
    bool is_busy;    /* an input is being performed: nobody may be commanded */
    /* Is told of what happens in networks. Must command nobody. NULL: nobody is. */
    void (*on_event)(void *ctx, struct sim_member *member, uint32_t slot,
                     const struct wrn_node_event *event);
    /* Is told of every packet that a network delivers to a host, before it is answered. Must
     * command nobody. NULL: nobody is. */
    void (*on_packet)(void *ctx, struct sim_member *member, uint32_t slot, wrn_span packet);
    void *ctx;
    uint64_t packets, unreachable; /* delivered; ICMP errors that nodes made for their hosts */
};

/* One network of one host. */
struct sim_membership {
    bool is_used;      /* the state counts, whether the node runs or not */
    wrn_handle handle; /* while the node runs */
    void *memory;
    uint8_t *state; /* as on disk */
    size_t state_size;
    uint32_t address_count;
    struct wrn_prefix addresses[SIM_MEMBER_ADDRESSES];
    uint16_t ports[WRN_NODE_SOCKETS_MAX]; /* of the open sockets; 0: closed */
    uint64_t events[WRN_NODE_EVENT_KINDS];
    struct wrn_node_event last; /* of the kinds that tell trouble, or that something was lost */
    bool is_gone;
};

/* What is still to be handed in. */
struct sim_input;

struct sim_member {
    struct sim_members *members;
    uint32_t number;
    sim_host host;
    sim_segment segment;
    sim_nat nat;           /* of its home, for those who reboot it; SIM_HOME_NO_NAT: none */
    struct wrn_node *node; /* NULL: it does not run */
    void *memory;
    uint8_t seed[WRN_SEED_SIZE];
    char name[24];
    struct wrn_prng prng;
    struct sim_alarm alarm;
    struct sim_membership networks[SIM_MEMBER_NETWORKS];
    struct sim_input *first, *last;
    uint32_t inputs; /* that wait */
    uint16_t next_port;
    uint64_t saved; /* times */
};

/* Makes an internet without members. The caller destroys it. */
struct sim_members *sim_members_create(struct sim_run *run);

/* Ends all and frees everything, the network too. NULL is fine. */
void sim_members_destroy(struct sim_members *members);

/* Adds a host called "host<number>" whose node does not run yet. It stays until the end. NULL
 * links: perfect ones. */
struct sim_member *sim_member_add(struct sim_members *members, sim_segment segment,
                                  const struct sim_link *up, const struct sim_link *down);

/* Starts the node with the networks on its disk; ends it in good order, or at once. */
void sim_member_start(struct sim_member *member);
void sim_member_stop(struct sim_member *member);
void sim_member_crash(struct sim_member *member);

/* Lets the host sleep, wakes it, moves it. */
void sim_member_sleep(struct sim_member *member);
void sim_member_wake(struct sim_member *member);
void sim_member_move(struct sim_member *member, sim_segment segment);

/* Returns the host's clocks as it sees them. */
struct wrn_now sim_member_now(const struct sim_member *member);

/* Encloses an input to a node that runs: 'members->out' is empty after begin; end performs what is
 * in it, and all that follows from that, and sets the alarm. */
void sim_member_begin(struct sim_member *member);
void sim_member_end(struct sim_member *member);

/* Puts the state of a network on the member's disk, in a free slot, and starts it if the node
 * runs. */
void sim_member_set_state(struct sim_member *member, uint32_t slot, const struct wrn_state *state);

/* Sends a packet of the host by a network's interface. */
void sim_member_send(struct sim_member *member, uint32_t slot, wrn_span packet);
