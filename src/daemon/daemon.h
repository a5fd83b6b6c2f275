/* SPDX-License-Identifier: Apache-2.0 */
/* warrend's inside: one node, its sockets, interfaces and files, in one event loop. What control,
 * resolver, hooks and the like build on. All of it belongs to the control thread. */
#pragma once
#include "daemon/options.h"
#include "daemon/streams.h"
#include "io/udp.h"
#include "node/node.h"
#include "wg/wg.h"

typedef struct uv_loop_s uv_loop_t;
struct wrn_daemon;

enum { WRN_DAEMON_WHY_SIZE = 512, WRN_DAEMON_TAGS_MAX = 1024, WRN_DAEMON_DEPTH_MAX = 8 };

/* ---- life (main.c) ---- */

/* Makes a daemon without networks whose identity is 'seed' and whose state folder 'folder_fd' is
 * open (and locked). 'options', 'loop' and 'log' must outlive it. Returns 0, or -errno with a
 * sentence that has a next step. */
WRN_NODISCARD int wrn_daemon_create(uv_loop_t *loop, const struct wrn_daemon_options *options,
                                    struct wrn_log *log, int folder_fd,
                                    const uint8_t seed[WRN_SEED_SIZE],
                                    struct wrn_daemon **ret_daemon,
                                    char reterr_why[WRN_DAEMON_WHY_SIZE]);

/* Starts the networks in the state folder. What is wrong with one goes to the log and does not
 * hinder the others. Once, after those who listen have begun to. */
void wrn_daemon_load_networks(struct wrn_daemon *daemon);

/* Ends: leaves all networks with their leases kept, saves, closes and wipes everything. The loop
 * must run once more before it can be closed. NULL is fine. */
void wrn_daemon_destroy(struct wrn_daemon *daemon);

/* Has the loop stop when it is its turn: the program ends in good order. */
void wrn_daemon_end(struct wrn_daemon *daemon, const char *why);

/* ---- what it is made of ---- */

/* The parts, which stay the daemon's. */
uv_loop_t *wrn_daemon_loop(const struct wrn_daemon *daemon);

/* Where all of it writes its lines. */
struct wrn_log *wrn_daemon_log(const struct wrn_daemon *daemon);

/* How it was started. */
const struct wrn_daemon_options *wrn_daemon_options(const struct wrn_daemon *daemon);

/* The node. */
struct wrn_node *wrn_daemon_node(const struct wrn_daemon *daemon);

/* The state folder, open. */
int wrn_daemon_folder(const struct wrn_daemon *daemon);

/* The program's version: static text. */
const char *wrn_daemon_version(void);

/* The identity's secret, for signing on the owner's behalf; 32 bytes, the daemon's. */
const uint8_t *wrn_daemon_seed(const struct wrn_daemon *daemon);

/* The cryptography of the overlay, as the node uses it. */
const struct wrn_primitives *wrn_daemon_primitives(const struct wrn_daemon *daemon);

/* The source of randomness, and when the daemon started. */
struct wrn_rand wrn_daemon_rand(struct wrn_daemon *daemon);
struct wrn_now wrn_daemon_started(const struct wrn_daemon *daemon);

/* ---- calls into the node ---- */

/* Encloses one call of a wrn_node function that takes 'out' and a time:
 *
 *     struct wrn_now now;
 *     struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
 *     wrn_node_connect(wrn_daemon_node(daemon), now, network, hit, tag, out);
 *     wrn_daemon_perform(daemon);
 *
 * 'perform' does all that 'out' says: sends, opens sockets, sets addresses, saves, tells listeners,
 * answers tags. Those callbacks may begin and perform calls of their own, WRN_DAEMON_DEPTH_MAX deep
 * at most. After it 'out' belongs to nobody. */
struct wrn_node_out *wrn_daemon_begin(struct wrn_daemon *daemon, struct wrn_now *ret_now);
void wrn_daemon_perform(struct wrn_daemon *daemon);

/* Called with each answer to a tag; the last one (is_last) ends it. What 'answer' points to is good
 * during the call. */
typedef void (*wrn_daemon_answer_fn)(void *ctx, const struct wrn_node_answer *answer);

/* Makes a tag for a question; 0: WRN_DAEMON_TAGS_MAX are open. wrn_daemon_untag gives one up whose
 * asker has gone, or whose call never asked; one that is not there is fine. */
uint32_t wrn_daemon_tag(struct wrn_daemon *daemon, wrn_daemon_answer_fn on_answer, void *ctx);
void wrn_daemon_untag(struct wrn_daemon *daemon, uint32_t tag);

/* ---- networks ---- */

/* Adds a network: writes 'state' (a state expression in any form) to the disk durably, makes its
 * interface, and starts it. When this returns 0 the network survives a crash. Else -errno, or
 * -EEXIST (this node is in it), WRN_ERR_FULL, WRN_ERR_MALFORMED; nothing is left then, and
 * 'reterr_why' is a sentence with the next step. */
WRN_NODISCARD int wrn_daemon_add_network(struct wrn_daemon *daemon, wrn_span state,
                                         wrn_handle *ret_network,
                                         char reterr_why[WRN_DAEMON_WHY_SIZE]);

/* Leaves a network for good: gives lease and name back, takes interface and state away. 'on_gone'
 * (may be NULL) is called once when all that is done, within 20 s. */
typedef void (*wrn_daemon_gone_fn)(void *ctx, wrn_handle network);
void wrn_daemon_leave(struct wrn_daemon *daemon, wrn_handle network, wrn_daemon_gone_fn on_gone,
                      void *ctx);

/* Writes the network's state to the disk now. Returns 0, or -errno (also logged) with the old state
 * still there. Urgent changes are written by wrn_daemon_perform already. */
WRN_NODISCARD int wrn_daemon_save_now(struct wrn_daemon *daemon, wrn_handle network);

/* The interface of a network. */
struct wrn_daemon_interface {
    char name[16];
    uint32_t index;
    bool is_bridge; /* of an l2 network: then its port that leads to us: */
    char tap[16];
    uint32_t tap_index;
    uint32_t mtu_bytes;
    uint32_t address_count; /* that are set on it */
    struct wrn_prefix addresses[8];
    uint32_t route_count; /* that lead through it, besides those of the addresses */
    struct wrn_prefix routes[32];
    uint64_t drops[WRN_DROP_COUNT]; /* of its machine */
    uint64_t events[WRN_WG_EVENT_COUNT];
};

/* Describes it; false if the network is not there. */
bool wrn_daemon_interface(const struct wrn_daemon *daemon, wrn_handle network,
                          struct wrn_daemon_interface *ret_interface);

enum { WRN_DAEMON_ALIAS_SIZE = 160 };

/* Writes the alias by which interfaces are known again that this host's identity has made for a
 * network: 'what' is "bridge" or "vlan", 'id' the network's in hexadecimal. */
void wrn_daemon_alias(const struct wrn_daemon *daemon, const char *what, const char *id,
                      char ret_alias[WRN_DAEMON_ALIAS_SIZE]);

/* Somebody has changed interfaces: makes bridges anew that were deleted. */
void wrn_daemon_follow_bridges(struct wrn_daemon *daemon);

/* A network that is on the disk and could not be started: its id, 64 digits, and a sentence. They
 * stay there until a copy is put back, or the network is joined anew. */
struct wrn_daemon_unserved {
    char id[2 * WRN_NETWORK_ID_SIZE + 1];
    char why[WRN_DAEMON_WHY_SIZE];
};

/* The 'index'th of them; NULL: there are no more. */
const struct wrn_daemon_unserved *wrn_daemon_unserved(const struct wrn_daemon *daemon,
                                                      size_t index);

/* ---- listeners ---- */

/* Somebody who wants to know; memory of the caller's, until it is taken off the list. Functions
 * may be NULL. */
struct wrn_daemon_listener {
    void *ctx;
    /* An event of a network. */
    void (*on_event)(void *ctx, wrn_handle network, const struct wrn_node_event *event);
    /* A network has been added; or is about to go (its parts can still be asked). */
    void (*on_network)(void *ctx, wrn_handle network, bool is_there);
    /* Address or route (a prefix) of a network's interface was set or taken away. */
    void (*on_prefix)(void *ctx, wrn_handle network, const struct wrn_prefix *prefix, bool is_route,
                      bool is_there);
    /* The host's own addresses have changed: wrn_daemon_local. */
    void (*on_local)(void *ctx);
    struct wrn_daemon_listener *next; /* the list's */
};

/* Puts one on the list, or takes it off; also in the middle of being called. */
void wrn_daemon_listen(struct wrn_daemon *daemon, struct wrn_daemon_listener *listener);
void wrn_daemon_unlisten(struct wrn_daemon *daemon, struct wrn_daemon_listener *listener);

/* ---- the host's end of the network ---- */

/* The UDP port of all networks (0: no socket is open), and the sockets behind it, of which only the
 * descriptors may be looked at. */
uint16_t wrn_daemon_port(const struct wrn_daemon *daemon);
const struct wrn_udp *wrn_daemon_sockets(const struct wrn_daemon *daemon);

/* Changes the port, 0 for any free one, without losing the old one if that fails. Returns 0,
 * -EADDRINUSE, -EACCES or another -errno. */
WRN_NODISCARD int wrn_daemon_set_port(struct wrn_daemon *daemon, uint16_t port);

/* The endpoints of the host's interfaces at this moment (not those of networks), and those that
 * routers mapped. */
const struct wrn_locator_endpoint *wrn_daemon_local(const struct wrn_daemon *daemon,
                                                    size_t *ret_count);

/* A route of this host that leads elsewhere than into a network of ours. */
struct wrn_daemon_foreign {
    char route[WRN_PREFIX_TEXT_SIZE]; /* where to */
    char interface[16];               /* by which one; "?": several, or it has just gone */
};

/* Tells whether one leads to an address of 'range' (family NONE: none does) and writes the first.
 * Those shorter than /8 do not count, nor do those that refuse. foreign.c. */
bool wrn_daemon_foreign_route(const struct wrn_daemon *daemon, const struct wrn_prefix *range,
                              struct wrn_daemon_foreign *ret_foreign);

/* Writes where such routes of IPv4 lead, 'capacity' of them at most. Returns how many. */
size_t wrn_daemon_foreign_ranges(const struct wrn_daemon *daemon, struct wrn_prefix *ret_list,
                                 size_t capacity);

/* Tells which endpoints routers have mapped to our port; replaces those of before. */
void wrn_daemon_set_mapped(struct wrn_daemon *daemon, const struct wrn_endpoint *endpoints,
                           size_t count);

/* Counters of datagrams that belonged to no network (plane/stray.h), of actions that found no room,
 * and how packets are carried. */
struct wrn_daemon_facts {
    uint64_t strays[16]; /* by enum wrn_stray */
    uint64_t lost_actions;
    uint64_t failed_saves;
    uint32_t workers;
    uint32_t offloads; /* WRN_UAPI_OFFLOAD_* in use */
    const char *provider;
    uint32_t extra_sockets; /* open now, for hard NATs */
    bool has_streams;
    struct wrn_streams_facts streams;
};
void wrn_daemon_facts(const struct wrn_daemon *daemon, struct wrn_daemon_facts *ret_facts);
