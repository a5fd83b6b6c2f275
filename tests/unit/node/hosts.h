/* SPDX-License-Identifier: Apache-2.0 */
/* A few hosts with whole nodes in one process and virtual time: datagrams take five milliseconds,
 * interfaces are lists of what came. Keys are letters. */
#pragma once
#include "node/node.h"
#include "node/state.h"
#include "unit/base/check.h"

enum { HOSTS_MAX = 16, HOSTS_PACKETS_MAX = 256, HOSTS_EVENTS_MAX = 256, HOSTS_ANSWERS_MAX = 64 };

struct host_packet {
    wrn_handle network;
    size_t size;
    uint8_t bytes[1536];
};

struct host {
    char letter;
    bool is_there;
    struct wrn_node *node;
    struct wrn_endpoint at;
    wrn_handle networks[4];
    void *memories[4];
    uint32_t network_count;
    uint32_t packet_count; /* that reached the host, of tunnels and answers of the node */
    struct host_packet packets[HOSTS_PACKETS_MAX];
    uint32_t event_count;
    struct wrn_node_event events[HOSTS_EVENTS_MAX];
    uint32_t answer_count;
    struct wrn_node_answer answers[HOSTS_ANSWERS_MAX];
    uint32_t address_count; /* on interfaces */
    struct wrn_node_action addresses[32];
    uint32_t route_count;
    struct wrn_node_action routes[32];
    uint32_t saves, gone;
    uint32_t locators_on_disk; /* as of the last save that was urgent */
    uint16_t announced;        /* the port that was announced on the LAN last; 0: none */
};

extern struct host hosts[HOSTS_MAX];
extern struct wrn_now hosts_now;
extern bool hosts_are_apart[HOSTS_MAX][HOSTS_MAX]; /* no datagram goes from here to there */
extern uint64_t hosts_sent[HOSTS_MAX][HOSTS_MAX];  /* datagrams */

/* Fixtures of a test: an empty world, and its end. */
int hosts_begin(void **state);
int hosts_end(void **state);

/* Adds a host with the next address of 192.0.2.0/24, called "host-LETTER". Returns its number. */
uint32_t hosts_add(char letter);

/* The public key of a letter. */
void hosts_public(char letter, uint8_t ret_public[WRN_SIGN_PUBLIC_SIZE]);

/* Creates a network on a host, with this range (NULL: it is drawn). Returns its number there. */
uint32_t hosts_create(uint32_t host, const char *name, const char *ipv4);

/* Creates one on whose ring anybody may be. */
uint32_t hosts_create_open(uint32_t host, const char *name);

/* Creates one of kind l2, without addresses. */
uint32_t hosts_create_l2(uint32_t host, const char *name);

/* Lets another host join, by a certificate of the owner that gives 'element' ("(member)") until
 * then (0: for ever); it knows the owner's endpoint. Returns its number there. */
uint32_t hosts_join(uint32_t host, uint32_t owner, uint32_t network, const char *element,
                    int64_t until_s);

/* Whether who joins wants no address, so that it is there for others only. */
extern bool hosts_are_bare;

/* Whether who joins knows no endpoint at all, not even the owner's. */
extern bool hosts_know_nobody;

/* Whether hosts that are added announce themselves. */
extern bool hosts_announce;

/* Whether hosts that are added, or start again, offer AES-256-GCM. */
extern bool hosts_speak_aes;

/* The MTU of networks of hosts that are added, 0: see node.h; the largest of what nodes say in the
 * tunnel, in datagrams that nobody fragments, that arrives; and how often they spoke. */
extern uint16_t hosts_mtu;
extern uint32_t hosts_whole_max;
extern uint32_t hosts_owns;

/* The chain that the last hosts_join made. */
extern wrn_span hosts_chain;

/* Adds a network from its state, as from the disk; takes a host away without a word, and brings it
 * back without networks. */
uint32_t hosts_load(uint32_t host, wrn_span state);

/* Keeps a copy of what a network's disk would have; starts the host again with the last copy. */
void hosts_save(uint32_t host, uint32_t network);
uint32_t hosts_start_saved(uint32_t host);
void hosts_stop(uint32_t host);
void hosts_start_again(uint32_t host);

/* Runs the world; until a condition holds, at most so long (then the test fails). */
void hosts_run(uint64_t ms);
void hosts_until(bool (*holds)(void), uint32_t seconds, const char *what);

/* The host sends a packet into a network. */
void hosts_send(uint32_t host, uint32_t network, wrn_span packet);

/* The host's side of an l2 network sends a frame: through the switch, and to members whole. What
 * comes from members passes the switch, too, and is among 'packets'. Returns why it was refused. */
enum wrn_switch_refusal hosts_send_frame(uint32_t host, uint32_t network, wrn_span frame);

/* Performs what an input of the host led to: after calls of node.h with hosts_out. */
extern struct wrn_node_out *hosts_out;
void hosts_before(void);
void hosts_perform(uint32_t host);

/* How many packets that end with this text have reached the host in a network. */
uint32_t hosts_got(uint32_t host, uint32_t network, const char *text);

/* A UDP packet that ends with a text, between two addresses of one family. */
struct host_packet hosts_packet(const struct wrn_ip *from, const struct wrn_ip *to,
                                const char *text);

struct wrn_node_network_info hosts_info(uint32_t host, uint32_t network);
bool hosts_peer(uint32_t host, uint32_t network, uint32_t other,
                struct wrn_node_peer_info *ret_info);
const struct wrn_node_event *hosts_event(uint32_t host, enum wrn_node_event_kind kind);
