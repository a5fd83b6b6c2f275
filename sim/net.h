/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated network: segments, hosts on them, NAT boxes between them, and links with all that
 * can go wrong on them. Carries UDP datagrams; knows nothing of what they say. */
#pragma once
#include "base/address.h"
#include "sim/clock.h"
#include "sim/link.h"
#include "sim/nat.h"
#include "sim/world.h"

struct sim_net;
typedef uint32_t sim_segment; /* a broadcast domain: the internet is one, a home LAN another */
typedef uint32_t sim_host;
typedef uint32_t sim_nat;

#define SIM_SEGMENT_INTERNET ((sim_segment)0)

enum { SIM_DATAGRAM_MAX = 65507, SIM_HEADERS_IPV4 = 28, SIM_HEADERS_IPV6 = 48 };

/* What became of datagrams, by name. 'sent' were accepted from hosts; a duplicate makes one more of
 * what follows. What is under way is counted nowhere yet. */
#define SIM_COUNT_LIST(X)                                                                          \
    X(SENT, sent)                                                                                  \
    X(DELIVERED, delivered)                                                                        \
    X(DUPLICATED, duplicated)                                                                      \
    X(CORRUPTED, corrupted)                                                                        \
    X(LOST, lost)                     /* by a link's loss */                                       \
    X(QUEUE_FULL, queue_full)         /* a link's */                                               \
    X(TOO_LARGE, too_large)           /* for a link's MTU */                                       \
    X(CUT, cut)                       /* by a partition */                                         \
    X(NO_ROUTE, no_route)             /* nobody has the address, or not any more */                \
    X(HOST_DOWN, host_down)           /* the receiver's interface is */                            \
    X(HOST_ASLEEP, host_asleep)       /* the receiver is */                                        \
    X(NAT_BLOCKED, nat_blocked)       /* the box blocks UDP */                                     \
    X(NAT_FULL, nat_full)             /* no mapping or port was left */                            \
    X(NAT_NO_MAPPING, nat_no_mapping) /* from outside, to nothing */                               \
    X(NAT_FILTERED, nat_filtered)     /* from outside, and not from where the inside spoke to */   \
    X(NAT_HAIRPIN, nat_hairpin)       /* from inside to the outside of the same box */

enum sim_count {
#define X(upper, lower) SIM_COUNT_##upper,
    SIM_COUNT_LIST(X)
#undef X
        SIM_COUNTS
};

/* What one host sent and was handed, in datagrams and bytes of IP. */
struct sim_traffic {
    uint64_t sent, sent_bytes;
    uint64_t received, received_bytes;
};

/* A host is handed a datagram. 'to' is the address that it was sent to: for a multicast one
 * 224.0.0.1 or ff02::1. 'bytes' are valid during the call. May send, move hosts and so on. */
typedef void sim_receive(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                         wrn_span bytes, bool was_multicast);

/* Is told of every datagram that a host sends, before anything happens to it: for checkers. */
typedef void sim_watch_sent(void *ctx, sim_host host, const struct wrn_endpoint *from,
                            const struct wrn_endpoint *to, wrn_span bytes);

/* Makes a network that has the internet and nothing on it: 11.0.0.0/8 and 2001:db8::/32, without
 * multicast. The caller destroys it before 'world'. */
struct sim_net *sim_net_create(struct sim_world *world);

/* Frees it with all its hosts and boxes and what is under way; the world must not run any more.
 * NULL is fine. */
void sim_net_destroy(struct sim_net *net);

/* Returns the world that the network is in. */
struct sim_world *sim_net_world(const struct sim_net *net);

/* Adds a broadcast domain. Prefixes leave at least 3 bits for hosts (IPv6: 32 to 120 bits long);
 * family NONE: there is none of that family. */
sim_segment sim_net_add_segment(struct sim_net *net, const struct wrn_prefix *prefix4,
                                const struct wrn_prefix *prefix6);

/* Puts a box between 'inner', whose default route it becomes, and 'outer', which may itself lie
 * behind a box (carrier NAT). 'inner' must have no box yet and must not lead to 'outer' the other
 * way. It takes its IPv4 addresses from 'outer'; IPv6 it routes, with the state of a firewall. 'up'
 * leads out. NULL links: perfect ones. */
sim_nat sim_net_add_nat(struct sim_net *net, sim_segment inner, sim_segment outer,
                        const struct sim_nat_options *options, const struct sim_link *up,
                        const struct sim_link *down);

/* Has the box forget all mappings, as after a restart. */
void sim_nat_forget(struct sim_net *net, sim_nat nat);

/* Gives the box other outer addresses; all mappings are forgotten. */
void sim_nat_renumber(struct sim_net *net, sim_nat nat);

/* Returns one of the outer addresses, the first of which has 'index' 0. */
struct wrn_ip sim_nat_address(const struct sim_net *net, sim_nat nat, uint32_t index);

/* Returns how many mappings live. */
uint32_t sim_nat_mappings(struct sim_net *net, sim_nat nat);

/* Gives a box' uplink other properties from now on; what is under way keeps its fate. */
void sim_nat_set_link(struct sim_net *net, sim_nat nat, const struct sim_link *up,
                      const struct sim_link *down);

/* Adds a host, up and awake, with an address of each family that the segment has. A full segment
 * is asserted against. NULL links: perfect ones. Hosts are numbered from 0. */
sim_host sim_net_add_host(struct sim_net *net, sim_segment segment, const struct sim_link *up,
                          const struct sim_link *down, sim_receive *receive, void *owner);

/* Has the host's datagrams handed to somebody else: what ran on it was started anew. */
void sim_host_set_owner(struct sim_net *net, sim_host host, sim_receive *receive, void *owner);

/* Sets the host's addresses and returns how many they are: 0 to 2, IPv4 first. */
size_t sim_host_addresses(const struct sim_net *net, sim_host host, struct wrn_ip ret_ips[2]);

/* Returns the clocks of the host, valid as long as the network. */
struct sim_clock *sim_host_clock(const struct sim_net *net, sim_host host);

/* Moves the host to a segment, which may be the one where it is; its addresses are new. Datagrams
 * for the old ones are lost. */
void sim_host_move(struct sim_net *net, sim_host host, sim_segment segment);

/* Takes the host's interface down, or up: down it neither sends nor receives; its alarms go on. */
void sim_host_set_up(struct sim_net *net, sim_host host, bool is_up);

/* Lets the host sleep, or wakes it: no datagram is handed to it, no alarm rings. See clock.h. */
void sim_host_sleep(struct sim_net *net, sim_host host);
void sim_host_wake(struct sim_net *net, sim_host host);

/* Lets the host send from addresses that it does not have, as an attacker does whose provider looks
 * away. */
void sim_host_let_spoof(struct sim_net *net, sim_host host, bool may_spoof);

/* Sends 'bytes', which are copied. 'from' has a port, and one of the host's addresses or family
 * NONE for the one that a kernel would choose. Nothing arrives before this returns. Returns 0, also
 * if it will be lost; -EMSGSIZE above 65,507 bytes, -EADDRNOTAVAIL for an address that is not the
 * host's, -EINVAL for a port 0 or unequal families, -ENETUNREACH if the host is down or asleep or
 * lacks the family. */
WRN_NODISCARD int sim_send(struct sim_net *net, sim_host host, const struct wrn_endpoint *from,
                           const struct wrn_endpoint *to, wrn_span bytes);

/* Sends 'bytes' to 'port' of all others on the segment, by the family of 'from' (NONE: the first
 * that the host has). Errors as above. O(hosts on the segment). */
WRN_NODISCARD int sim_send_multicast(struct sim_net *net, sim_host host,
                                     const struct wrn_endpoint *from, uint16_t port,
                                     wrn_span bytes);

/* Gives the host's link other properties from now on; what is under way keeps its fate. */
void sim_host_set_link(struct sim_net *net, sim_host host, const struct sim_link *up,
                       const struct sim_link *down);

/* Cuts or heals the way from one host to another, whatever lies between them: nothing that 'from'
 * sent arrives at 'to' while it is cut. */
void sim_net_cut(struct sim_net *net, sim_host from, sim_host to, bool is_cut);

/* Puts the host into a group; all are in group 0 at first. */
void sim_host_set_group(struct sim_net *net, sim_host host, uint32_t group);

/* The same as sim_net_cut for all hosts of two groups, which may be one. */
void sim_net_cut_groups(struct sim_net *net, uint32_t from, uint32_t to, bool is_cut);

/* Heals all cuts. */
void sim_net_heal(struct sim_net *net);

/* Returns a counter, and its name. */
uint64_t sim_net_count(const struct sim_net *net, enum sim_count count);
const char *sim_count_name(enum sim_count count);

/* Returns how many datagrams are under way. */
uint64_t sim_net_under_way(const struct sim_net *net);

/* Returns what the host sent and was handed since it was added. */
struct sim_traffic sim_host_traffic(const struct sim_net *net, sim_host host);

/* Has 'watch' told of every datagram that is sent; NULL: nobody. */
void sim_net_watch(struct sim_net *net, sim_watch_sent *watch, void *ctx);
