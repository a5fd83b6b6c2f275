/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a daemon, for daemon.c, act.c, reports.c, networks.c and host.c. Nobody else
 * includes it. */
#pragma once
#include <uv.h>

#include "daemon/daemon.h"
#include "daemon/disk.h"
#include "daemon/extra.h"
#include "io/addresses.h"
#include "io/multicast.h"
#include "io/random.h"
#include "io/watch.h"
#include "plane/crew.h"
#include "plane/settle.h"

enum {
    WRN_DAEMON_ADDRESSES_MAX = 8,
    WRN_DAEMON_ROUTES_MAX = 32,
    WRN_DAEMON_PEER_ROUTES_MAX = 256,
    WRN_DAEMON_WAITING_BYTES = 1 << 20,
    WRN_DAEMON_BATCH = 64, /* datagrams of one system call */
    WRN_DAEMON_MAPPED_MAX = 4,
    WRN_DAEMON_FRAME_MTU = 1500, /* of a bridge, if its ports have no other */
    WRN_DAEMON_ROOM = 68 << 10,
};

/* What a network has on this host. */
struct wrn_daemon_network {
    wrn_handle handle; /* the node's name for it; NONE: the place is free */
    struct wrn_wg *wg;
    wrn_handle machine; /* the crew's name for it; NONE: it has no interface now */
    void *memory;
    size_t memory_size;
    char id[WRN_DISK_ID_TEXT_SIZE];
    char name[WRN_LABEL_SIZE];
    char interface[WRN_TUN_NAME_SIZE];
    uint32_t index;              /* of the interface */
    bool is_bridged;             /* an l2 network: the interface is a bridge */
    char tap[WRN_TUN_NAME_SIZE]; /* ... and this its port that leads to us */
    uint32_t tap_index;
    uint32_t address_count;
    struct wrn_prefix addresses[WRN_DAEMON_ADDRESSES_MAX];
    uint32_t route_count;
    struct wrn_prefix routes[WRN_DAEMON_ROUTES_MAX];
    uint32_t peer_route_count; /* that lead through it to single peers: overlap.c */
    struct wrn_ip peer_routes[WRN_DAEMON_PEER_ROUTES_MAX];
    uint64_t events[WRN_WG_EVENT_COUNT]; /* of its machine, counted */
    wrn_mono save_due;                   /* NEVER: it is on the disk as it is */
    bool is_forgotten;                   /* once it has gone its state goes, too */
    wrn_daemon_gone_fn on_gone;
    void *gone_ctx;
};

/* What came out of a machine while it was being settled, and is for the node: behind it 'size'
 * bytes, then what makes a multiple of 8. */
struct wrn_daemon_waiting {
    wrn_handle network;
    struct wrn_path path; /* of a sealed datagram; leads nowhere: it is a packet of the host */
    bool is_frame;        /* neither: a frame of which a switch has told */
    wrn_handle peer;      /* ... that sent it */
    size_t size;
    uint8_t bytes[];
};

/* Bytes that one takes with 'size' behind it. */
static inline size_t wrn_daemon_waiting_size(size_t size) {
    return (sizeof(struct wrn_daemon_waiting) + size + 7) / 8 * 8;
}

struct wrn_daemon_asker {
    uint32_t tag; /* 0: free */
    wrn_daemon_answer_fn on_answer;
    void *ctx;
};

struct wrn_daemon {
    uv_loop_t *loop;
    const struct wrn_daemon_options *options;
    struct wrn_log *log;
    int folder;
    uint8_t seed[WRN_SEED_SIZE];
    struct wrn_now started;
    struct wrn_random random;
    struct wrn_crypto *crypto;
    struct wrn_primitives primitives;

    void *node_memory;
    size_t node_memory_size;
    struct wrn_node *node;
    struct wrn_daemon_network networks[WRN_NODE_NETWORKS_MAX]; /* by the handle's index */
    size_t unserved_count;
    struct wrn_daemon_unserved *unserved; /* NULL: there are none */

    struct wrn_node_out *outs; /* WRN_DAEMON_DEPTH_MAX, one for each level of calls */
    struct wrn_overlay_out *overlay_out;
    uint32_t depth;
    uint8_t *waiting; /* struct wrn_daemon_waiting, one behind the other */
    size_t waiting_size;
    uint64_t waiting_lost;
    bool is_draining;

    struct wrn_crew *crew;
    struct wrn_settle settle;
    struct wrn_udp_scratch *scratch; /* for the node's datagrams */
    struct wrn_udp_sending batch[WRN_DAEMON_BATCH];
    size_t batch_count;
    uint8_t *room; /* for one packet with what is written around it */
    struct wrn_extra *extra;
    struct wrn_streams *streams; /* NULL: without */

    int timer_fd;
    wrn_mono timer_due; /* what the timer is set to */
    uv_timer_t *chores; /* saves that are due, interfaces that are missing; on the heap */

    struct wrn_addresses addresses;
    struct wrn_multicast multicast;
    uint64_t inside;    /* datagrams of the ring that came by a network's own interface */
    size_t local_count; /* of these, 'own_count' are of interfaces */
    size_t own_count;
    struct wrn_locator_endpoint local[WRN_ENDPOINTS_MAX];
    size_t mapped_count;
    struct wrn_endpoint mapped[WRN_DAEMON_MAPPED_MAX];

    wrn_mono give_back_due; /* memory that a while of work took; NEVER: nothing has happened */

    struct wrn_watch *reports_watch, *route_watch, *timer_watch, *addresses_watch;
    struct wrn_watch *multicast_watches[2];
    struct wrn_watch *extra_watch, *streams_watch;

    struct wrn_daemon_asker askers[WRN_DAEMON_TAGS_MAX];
    uint32_t last_tag;
    struct wrn_daemon_listener *listeners;
    struct wrn_daemon_listener *next_listener; /* who is called next, while they are called */
    uint64_t failed_saves;
};

/* ---- daemon.c ---- */

/* Sets the timer if the node wants to be called earlier than it is set to. */
void wrn_daemon_set_timer(struct wrn_daemon *daemon);

/* Hands the node what waited, and sets the timer. To be called after every input of a machine,
 * outside of begin and perform. */
void wrn_daemon_follow_up(struct wrn_daemon *daemon);

/* Finds what a network has here, by the node's or the machine's name; NULL: it is not there. */
struct wrn_daemon_network *wrn_daemon_find(struct wrn_daemon *daemon, wrn_handle network);
struct wrn_daemon_network *wrn_daemon_find_wg(struct wrn_daemon *daemon, const struct wrn_wg *wg);

/* Hands a datagram to the node, which opens it in place; outside of begin and perform. */
void wrn_daemon_hear(struct wrn_daemon *daemon, wrn_handle network, uint16_t socket,
                     const struct wrn_endpoint *from, uint8_t *bytes, size_t size);

/* Writes a sentence for a caller, and returns 'error'. */
int wrn_daemon_complain(int error, char why[WRN_DAEMON_WHY_SIZE], const char *format, ...)
    WRN_PRINTF(3, 4);

/* Each listener in turn. */
void wrn_daemon_tell_event(struct wrn_daemon *daemon, wrn_handle network,
                           const struct wrn_node_event *event);
void wrn_daemon_tell_network(struct wrn_daemon *daemon, wrn_handle network, bool is_there);
void wrn_daemon_tell_prefix(struct wrn_daemon *daemon, wrn_handle network,
                            const struct wrn_prefix *prefix, bool is_route, bool is_there);
void wrn_daemon_tell_local(struct wrn_daemon *daemon);

/* ---- act.c ---- */

/* Performs the actions of 'out', whose machine is settled. */
void wrn_daemon_act(struct wrn_daemon *daemon, struct wrn_node_out *out);

/* ---- streams_node.c ---- */

/* Makes the streams, if they are wanted, and takes them at their ports. What is not to be had is
 * logged, and nothing else fails by it. Comes after the node. */
void wrn_daemon_open_streams(struct wrn_daemon *daemon);

/* Listens where the options say; again when the UDP port has changed. */
void wrn_daemon_listen_streams(struct wrn_daemon *daemon);

/* Tells the streams by which of them peers are reached, and does what is due: once a second. */
void wrn_daemon_keep_streams(struct wrn_daemon *daemon);

/* Performs a datagram for a stream. */
void wrn_daemon_send_stream(struct wrn_daemon *daemon, const struct wrn_node_action *action);

/* ---- reports.c ---- */

/* What the workers report; a callback of a watch. */
void wrn_daemon_on_reports(void *ctx, int fd, int events);

/* The settle port. */
void wrn_daemon_on_wg_event(void *ctx, const struct wrn_wg *wg, const struct wrn_wg_event *event);
void wrn_daemon_on_refused(void *ctx, const struct wrn_path *path, int error);
void wrn_daemon_on_carry(void *ctx, const struct wrn_wg *wg, wrn_handle peer,
                         const struct wrn_path *path, uint8_t ds, wrn_span datagram);
void wrn_daemon_on_unrouted(void *ctx, const struct wrn_wg *wg, wrn_span packet);
void wrn_daemon_on_told(void *ctx, const struct wrn_wg *wg, wrn_handle peer, wrn_span frame);

/* ---- networks.c ---- */

/* The network has left: takes interface and memory away. */
void wrn_daemon_network_gone(struct wrn_daemon *daemon, struct wrn_daemon_network *network);

/* Its state has changed. */
void wrn_daemon_note_save(struct wrn_daemon *daemon, struct wrn_daemon_network *network,
                          bool is_urgent);

/* Does what is due of saves and missing interfaces. */
void wrn_daemon_do_chores(struct wrn_daemon *daemon);

/* Sets or takes away an address or route of the interface. */
void wrn_daemon_set_prefix(struct wrn_daemon *daemon, struct wrn_daemon_network *network,
                           const struct wrn_prefix *prefix, bool is_route, bool is_there);

/* The interface of a machine was deleted by somebody: makes it anew. */
void wrn_daemon_interface_deleted(struct wrn_daemon *daemon, wrn_handle machine);

/* ---- bridge.c ---- */

/* Makes the interface of an l2 network: a bridge, called as is wanted if that is a name that is
 * free, else wrn0, wrn1, …, or the one that was left of before, with the ports that it has; and as
 * a port of it a TAP device called as the bridge with a "t" behind. Fills in 'interface', 'index',
 * 'tap' and 'tap_index' of the network, and sets 'ret_tun', which is the caller's. Returns 0 or
 * -errno, then nothing is left. */
int wrn_daemon_make_bridge(struct wrn_daemon *daemon, const char *wanted,
                           struct wrn_daemon_network *network, struct wrn_tun *ret_tun);

/* Takes the bridge away again, whose TAP device has gone. */
void wrn_daemon_remove_bridge(struct wrn_daemon *daemon, struct wrn_daemon_network *network);

/* Takes away what a daemon of this identity has left and no network of ours uses: bridges, and
 * VLANs' interfaces that were ports of such. */
void wrn_daemon_sweep_bridges(struct wrn_daemon *daemon);

/* ---- overlap.c ---- */

/* Keeps packets to the network's ranges on this host while its interface has no address there; and
 * no longer, when it is served no more (its node is still there). */
void wrn_daemon_keep_ranges(struct wrn_daemon *daemon, const struct wrn_daemon_network *network);
void wrn_daemon_let_ranges_go(struct wrn_daemon *daemon, const struct wrn_daemon_network *network);

/* Sets routes to single peers where ranges of networks overlap, and takes those away that are not
 * needed any more. */
void wrn_daemon_follow_overlaps(struct wrn_daemon *daemon);

/* Tells whether two ranges have addresses in common. */
bool wrn_daemon_share(const struct wrn_prefix *a, const struct wrn_prefix *b);

/* ---- host.c ---- */

/* Tells whether an interface is that of a network of ours; 0 is none. */
bool wrn_daemon_is_inside(const struct wrn_daemon *daemon, uint32_t interface);

/* Tells whether an address of this host is in a network of ours and nowhere else. Asks the kernel.
 */
bool wrn_daemon_is_address_inside(const struct wrn_daemon *daemon, const struct wrn_ip *ip);

/* Looks at the host's addresses, and tells the node if they are others now, or if 'is_forced'. */
void wrn_daemon_look_around(struct wrn_daemon *daemon, bool is_forced);

/* The same, when addresses have changed; a callback of a watch. */
void wrn_daemon_on_addresses(void *ctx, int fd, int events);

/* An announcement on the LAN; a callback of a watch. */
void wrn_daemon_on_multicast(void *ctx, int fd, int events);
