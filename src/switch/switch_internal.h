/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the switch share, and their tests look at. Nobody else includes it. */
#pragma once
#include <stdalign.h>
#include <stdatomic.h>

#include "base/path_size.h"
#include "base/bytes.h"
#include "switch/switch.h"

/* Ports are numbered: the host's side is 0, members follow. */
enum {
    WRN_SWITCH_HOST = 0,
    WRN_SWITCH_PORT_COUNT = 1 + WRN_SWITCH_PORTS_MAX,
    WRN_SWITCH_PORT_WORDS = (WRN_SWITCH_PORT_COUNT + 63) / 64,
    WRN_SWITCH_VLANS = 4096,
};

/* What is used up by what happens and comes back with time; several threads take from it. */
struct wrn_switch_bucket {
    _Atomic uint64_t full_at; /* nanoseconds */
};

/* Takes one from a bucket of 'burst' that gets a new one each 'each_ns'. False: it is empty. */
bool wrn_switch_take(struct wrn_switch_bucket *bucket, wrn_mono now, uint64_t each_ns,
                     uint32_t burst);

/* ---- switch_frame.c: what a frame is */

enum wrn_switch_kind {
    WRN_SWITCH_PLAIN,
    WRN_SWITCH_ARP,           /* Ethernet and IPv4, whole */
    WRN_SWITCH_SOLICITATION,  /* of a neighbour */
    WRN_SWITCH_ADVERTISEMENT, /* ditto */
    WRN_SWITCH_ROUTER,        /* advertises itself (RFC 4861) */
    WRN_SWITCH_ROUTER_WANTED, /* a solicitation of routers */
    WRN_SWITCH_IGMP,
    WRN_SWITCH_MLD,
    WRN_SWITCH_PIM, /* a multicast router's hello */
    WRN_SWITCH_DHCP_CLIENT,
    WRN_SWITCH_DHCP_SERVER,
    WRN_SWITCH_PROBE, /* from a gateway to others (switch_guard.c) */
};

/* What is read of a frame. Spans are borrowed. */
struct wrn_switch_head {
    const uint8_t *destination, *source;
    uint64_t destination_key, source_key; /* MAC and VLAN: keys of the table */
    uint16_t vlan;                        /* of the outer tag; 0: none, or priority only */
    uint16_t type;                        /* behind up to two tags; 0: LLC */
    uint8_t kind;                         /* enum wrn_switch_kind */
    uint8_t family;                       /* enum wrn_family of the packet in it */
    bool is_group;                        /* destination: multicast or broadcast */
    bool is_fragment;                     /* a later one, or the first of several */
    uint16_t udp_source;                  /* port; 0: no UDP, or a later fragment of it */
    wrn_span body;                        /* behind the ethertype */
    wrn_span message;                     /* behind the IP headers: IGMP, ICMPv6, UDP */
};

/* Reads a frame. Returns NONE; SHORT, BAD_SOURCE or LINK_LOCAL. */
enum wrn_switch_refusal wrn_switch_read(wrn_span frame, struct wrn_switch_head *ret_head);

/* MAC and VLAN as a key; never 0 for a MAC that is not. */
static inline uint64_t wrn_switch_mac_key(const uint8_t mac[WRN_MAC_ADDRESS_SIZE], uint16_t vlan) {
    return (uint64_t)wrn_load_be32(mac) << 32 | (uint64_t)wrn_load_be16(mac + 4) << 16 | vlan;
}

/* Tells whether a frame's IP packet goes to a multicast group that snooping is about: neither
 * 224.0.0.0/24 nor ff02::/16 and less. Sets 'ret_group' then. */
bool wrn_switch_group_of(const struct wrn_switch_head *head, struct wrn_ip *ret_group);

/* ---- switch_table.c: tables that lanes read while the control thread changes them */

/* Chains of entries 1..capacity by hash; the entries themselves are arrays of the owner. An entry
 * is complete before one store makes it reachable, and stays as it was after it was taken out until
 * all lanes have been waited for. */
struct wrn_switch_chains {
    _Atomic uint32_t *heads;
    _Atomic uint32_t *next;
    uint32_t *links; /* of the free and of the retired ones */
    uint32_t mask;   /* heads - 1 */
    uint32_t capacity, touched, used;
    uint32_t free_head, retired_head;
};

/* Takes room for 'capacity' entries, a power of two. */
void wrn_switch_chains_init(struct wrn_switch_chains *chains, struct wrn_arena *arena,
                            uint32_t capacity);

/* The first entry of a hash's chain, and the one behind; 0: none. Any thread. */
static inline uint32_t wrn_switch_chains_first(const struct wrn_switch_chains *chains,
                                               uint64_t hash) {
    return atomic_load_explicit(&chains->heads[hash & chains->mask], memory_order_acquire);
}
static inline uint32_t wrn_switch_chains_next(const struct wrn_switch_chains *chains,
                                              uint32_t index) {
    return atomic_load_explicit(&chains->next[index], memory_order_acquire);
}

/* Takes an entry that nobody sees; 0: all are used. May wait for lanes. */
uint32_t wrn_switch_chains_take(struct wrn_switch *sw, struct wrn_switch_chains *chains);

/* Makes an entry visible; takes it out again. */
void wrn_switch_chains_link(struct wrn_switch_chains *chains, uint64_t hash, uint32_t index);
void wrn_switch_chains_unlink(struct wrn_switch_chains *chains, uint64_t hash, uint32_t index);

/* Makes those free that were taken out; all lanes have been waited for since. */
void wrn_switch_chains_reclaim(struct wrn_switch_chains *chains);

/* ---- switch_mac.c: whose a MAC address is */

struct wrn_switch_mac_entry {
    uint64_t key;
    _Atomic uint32_t port;    /* UNKNOWN: taken out */
    _Atomic uint32_t heard_s; /* since init, lanes write it */
};

/* What a lane, or the control thread, finds. */
enum { WRN_SWITCH_UNKNOWN = UINT32_MAX };

/* ---- switch_group.c: who joined what */

struct wrn_switch_group_entry {
    struct wrn_ip group;
    uint16_t vlan;
    _Atomic uint64_t ports[WRN_SWITCH_PORT_WORDS]; /* a bit each */
    /* the control thread's */
    uint32_t count; /* bits that are set */
    uint32_t heard_s[WRN_SWITCH_PORT_COUNT], until_s[WRN_SWITCH_PORT_COUNT];
};

/* Of a VLAN and a family: filtering begins at 'from_s' (0: never yet) and ends at 'until_s'. */
struct wrn_switch_querier {
    _Atomic uint32_t from_s, until_s;
};

/* Who wants a frame. */
struct wrn_switch_audience {
    bool is_all;
    uint32_t now_s;
    const struct wrn_switch_group_entry *group; /* NULL: nobody has joined */
    const struct wrn_switch_group_entry *asked; /* who is known to be asked */
};

/* ---- switch_neighbour.c: which IP address has which MAC */

struct wrn_switch_neighbour_entry {
    struct wrn_ip ip; /* family NONE: not used */
    uint16_t vlan;
    uint8_t mac[WRN_MAC_ADDRESS_SIZE];
    uint32_t port;
    uint32_t claimed_s, disputed_until_s;
    bool says_router, is_router; /* whether it was heard if it is a router; whether it is */
};

/* ---- ports */

enum { WRN_SWITCH_ROOMS = 2, WRN_SWITCH_TWINS = 4 };

struct wrn_switch_place {
    /* what lanes read; the first for MAC addresses that lead here */
    _Atomic uint64_t peer; /* generation and index; 0: closed */
    _Atomic(const struct wrn_frame_rules *) rules;
    _Atomic uint32_t payload_max;
    _Atomic uint32_t macs; /* addresses */
    _Atomic uint32_t
        all_until_s; /* so long all multicast goes there: a router, or too many groups */
    _Atomic uint32_t router_until_s;  /* a querier, or a multicast router */
    _Atomic bool has_stormed;         /* since an event told so */
    struct wrn_switch_bucket floods;  /* what it may flood */
    struct wrn_switch_bucket tells;   /* copies for the control thread */
    struct wrn_switch_bucket refused; /* ditto of refused frames */
    /* the control thread's */
    bool is_open;
    uint64_t closed_epoch; /* when it was closed: it may be taken again in a later one */
    uint64_t member;
    char name[WRN_SWITCH_NAME_SIZE];
    struct wrn_frame_rules rooms[WRN_SWITCH_ROOMS];
    uint64_t replaced[WRN_SWITCH_ROOMS]; /* epoch in which a room went out of use; 0: never used */
    uint32_t neighbours, groups;
    struct wrn_switch_bucket events[WRN_SWITCH_EVENT_KINDS];
    struct wrn_switch_twin { /* gateways that it says are on its wire */
        uint64_t member;
        uint32_t until_s;
    } twins[WRN_SWITCH_TWINS];
    struct wrn_path_size mtu; /* how much fits into one piece (switch_mtu.c) */
    uint64_t stamp;           /* of its last note about them, and when that came */
    uint32_t noted_s;
    uint32_t here; /* of our addresses, up to which it was told last, and when it may be again */
    wrn_mono here_at;
};

/* What a lane counts of a port. That lane alone writes. */
struct wrn_switch_counts {
    _Atomic uint64_t in, out, floods;
    _Atomic uint64_t refused[WRN_SWITCH_REFUSAL_COUNT];
};

struct wrn_switch_lane {
    alignas(64) struct wrn_switch_counts ports[WRN_SWITCH_PORT_COUNT];
};

/* ---- the whole */

struct wrn_switch {
    struct wrn_switch_options options;
    uint64_t seed[2];
    wrn_mono start;
    /* settings and state that lanes read */
    _Atomic bool allows_dhcp, answers, stands_by;
    _Atomic uint64_t flood_each_ns; /* 0: no limit */
    _Atomic uint32_t flood_burst, age_s;
    _Atomic uint64_t tunnel;        /* MAC and UDP port of this host's tunnels; 0: unknown */
    _Atomic uint32_t ports_touched; /* ports below it have been used */
    _Atomic uint64_t *by_peer;      /* generation and port of a peer's index; 0: none */
    struct wrn_switch_place *ports;
    struct wrn_switch_lane *lanes;
    struct wrn_switch_chains mac_chains;
    struct wrn_switch_mac_entry *macs;
    _Atomic uint32_t macs_shared; /* addresses beyond those that their members are sure of */
    struct wrn_switch_chains group_chains;
    struct wrn_switch_group_entry *groups;
    struct wrn_switch_querier (*queriers)[WRN_SWITCH_VLANS]; /* IPv4, IPv6 */
    /* the control thread's */
    struct wrn_switch_chains neighbour_chains;
    struct wrn_switch_neighbour_entry *neighbours;
    uint32_t group_due_s; /* when the first membership ends; 0: there is none */
    struct wrn_switch_rival {
        uint64_t member, stamp;
        wrn_mono heard_at;
        bool is_connected, stands_by;
    } rivals[WRN_SWITCH_TWINS]; /* gateways that were heard on our wire */
    uint64_t behind, stamp;     /* whom we stood by for; of our last frame */
    uint64_t guard_key[2];
    wrn_mono guard_at, note_at, mtu_at, probed_at;
    wrn_mono announce_at; /* of others' addresses to our wire, … */
    uint32_t announced;   /* … up to which entry that was done */
    uint32_t notes_soon;
    bool forgets_once_more; /* the host's side's addresses, with the next probe */
    struct wrn_switch_settings settings;
    struct wrn_switch_counts *base; /* counts of whoever had the port before */
    uint64_t epoch;                 /* one more each time that all lanes were waited for */
    wrn_mono sweep_at;
};

/* Seconds since init, from 1 on. */
static inline uint32_t wrn_switch_seconds(const struct wrn_switch *sw, wrn_mono now) {
    return 1 + (uint32_t)(wrn_mono_since(now, sw->start) / WRN_S(1));
}

/* A handle as one number, and back. */
static inline uint64_t wrn_switch_pack(wrn_handle peer) {
    return (uint64_t)peer.generation << 32 | peer.index;
}

/* See wrn_switch_pack. */
static inline wrn_handle wrn_switch_unpack(uint64_t packed) {
    return (wrn_handle){.index = (uint32_t)packed, .generation = (uint32_t)(packed >> 32)};
}

/* The port of a peer, HOST for NONE; UNKNOWN: it has none. Any thread. */
uint32_t wrn_switch_port_of(const struct wrn_switch *sw, wrn_handle peer);

/* The peer of a port; NONE: the host's side, or closed. Any thread. */
static inline wrn_handle wrn_switch_peer_of(const struct wrn_switch *sw, uint32_t port) {
    return wrn_switch_unpack(atomic_load_explicit(&sw->ports[port].peer, memory_order_acquire));
}

/* Sums up what all lanes have counted, from the first lane's counter, without what the base has. */
uint64_t wrn_switch_count(const struct wrn_switch *sw, const _Atomic uint64_t *first_lanes,
                          const _Atomic uint64_t *base);

/* Waits for all lanes, and lets go of what they could see. */
void wrn_switch_quiesce(struct wrn_switch *sw);

/* Finds an address; NULL: unknown. Any thread. */
struct wrn_switch_mac_entry *wrn_switch_mac_find(const struct wrn_switch *sw, uint64_t key);

/* Tells whether it was silent for so long that it is nobody's any more. */
static inline bool wrn_switch_mac_is_old(const struct wrn_switch *sw,
                                         const struct wrn_switch_mac_entry *entry, uint32_t now_s) {
    uint32_t heard_s = atomic_load_explicit(&entry->heard_s, memory_order_relaxed);
    return now_s > heard_s &&
           now_s - heard_s >= atomic_load_explicit(&sw->age_s, memory_order_relaxed);
}

/* Notes that it was heard: written at most once a second, as lanes share it. */
static inline void wrn_switch_mac_touch(struct wrn_switch_mac_entry *entry, uint32_t now_s) {
    if (atomic_load_explicit(&entry->heard_s, memory_order_relaxed) != now_s) {
        atomic_store_explicit(&entry->heard_s, now_s, memory_order_relaxed);
    }
}

/* Learns that a frame's source is behind a port, or says why not. */
enum wrn_switch_refusal wrn_switch_mac_learn(struct wrn_switch *sw, wrn_mono now, uint32_t port,
                                             const struct wrn_switch_head *head,
                                             struct wrn_switch_out *out);

/* Tells whether a port may have one more address. Any thread. */
bool wrn_switch_mac_has_room(const struct wrn_switch *sw, uint32_t port);

/* Forgets what a port has; what is old. */
void wrn_switch_mac_forget(struct wrn_switch *sw, uint32_t port);
void wrn_switch_mac_sweep(struct wrn_switch *sw, uint32_t now_s);

/* Who is to get a frame that goes to several; tells whether one port is. Any thread. */
struct wrn_switch_audience wrn_switch_audience(const struct wrn_switch *sw,
                                               const struct wrn_switch_head *head, uint32_t now_s);
bool wrn_switch_wants(const struct wrn_switch *sw, const struct wrn_switch_audience *audience,
                      uint32_t port);

/* Tells whether a message says what its sender has joined or left: for routers alone, as hosts
 * that hear it keep quiet about the same. */
bool wrn_switch_is_report(const struct wrn_switch_head *head);

/* Learns from an IGMP or MLD message; notes that a multicast router is behind a port. */
void wrn_switch_group_learn(struct wrn_switch *sw, uint32_t now_s, uint32_t port,
                            const struct wrn_switch_head *head);
void wrn_switch_group_router(struct wrn_switch *sw, uint32_t now_s, uint32_t port);

/* Forgets what a port has joined; what has ended, if that is due. */
void wrn_switch_group_forget(struct wrn_switch *sw, uint32_t port);
void wrn_switch_group_sweep(struct wrn_switch *sw, uint32_t now_s);

/* Tells whether a frame asks all for the MAC of an address, which may be answered here. */
bool wrn_switch_is_question(const struct wrn_switch_head *head, struct wrn_ip *ret_target);

/* Learns which IP address its sender has. */
void wrn_switch_neighbour_learn(struct wrn_switch *sw, wrn_mono now, uint32_t port,
                                const struct wrn_switch_head *head, struct wrn_switch_out *out);

/* Answers such a question of the host's side into 'frame', if the answer is known and fresh. */
bool wrn_switch_neighbour_answer(const struct wrn_switch *sw, wrn_mono now,
                                 const struct wrn_switch_head *head,
                                 struct wrn_switch_frame *frame);

/* Forgets what a port has; what is nobody's any more. */
void wrn_switch_neighbour_forget(struct wrn_switch *sw, uint32_t port);
void wrn_switch_neighbour_sweep(struct wrn_switch *sw, uint32_t now_s);

/* Writes who has an open port and returns how many. */
uint32_t wrn_switch_members(const struct wrn_switch *sw, wrn_handle peers[WRN_SWITCH_PORTS_MAX]);

/* Adds to an Internet checksum (RFC 1071), 0 at first: 16 bits, not inverted. Bytes of an odd size
 * come last. */
uint32_t wrn_switch_sum(uint32_t sum, wrn_span bytes);

/* Counts for a port, on a lane: that lane alone writes. */
static inline void wrn_switch_add(_Atomic uint64_t *counter, uint64_t step) {
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + step, memory_order_relaxed);
}

/* Appends an event of a port, at most one of a kind each ten seconds after the first few; NULL: it
 * was too soon, or 'out' is full. */
struct wrn_switch_event *wrn_switch_tell(struct wrn_switch *sw, wrn_mono now,
                                         struct wrn_switch_out *out, uint32_t port,
                                         enum wrn_switch_event_kind kind);

/* ---- switch_claim.c: which IP addresses a sender may use */

/* Tells whether what a frame comes from, or says of itself, is its sender's; 'ret_ip' is what it
 * is, family NONE where there is no telling. */
bool wrn_switch_claims_own(const struct wrn_frame_rules *rules, const struct wrn_switch_head *head,
                           struct wrn_ip *ret_ip);

/* ---- switch_guard.c: two gateways of one network on one wire */

enum { WRN_SWITCH_GUARD_TYPE = 0x88b5 }; /* IEEE 802, local experimental ethertype 1 */

/* Tells whether the body of a frame of that type is ours, by how it begins. */
bool wrn_switch_guard_is(wrn_span body);

/* A probe, or a note through the tunnel. */
void wrn_switch_guard_on_frame(struct wrn_switch *sw, struct wrn_now now, uint32_t port,
                               const struct wrn_switch_head *head, struct wrn_switch_out *out);

/* Sends what is due, and sees who is gone. */
void wrn_switch_guard_on_time(struct wrn_switch *sw, struct wrn_now now,
                              struct wrn_switch_out *out);

/* Asks a member's switch whether a frame of that size arrives; 'what' comes back with the answer.
 * 'out' has room for a frame. */
void wrn_switch_guard_probe_size(struct wrn_switch *sw, struct wrn_now now, uint32_t port,
                                 uint32_t size, uint64_t what, struct wrn_switch_out *out);

/* Begins a frame that tells a member of our addresses; they follow at its end. 'out' has room for
 * it. */
struct wrn_switch_frame *wrn_switch_guard_here(struct wrn_switch *sw, struct wrn_now now,
                                               uint32_t port, struct wrn_switch_out *out);

/* The group that gateways talk to one another by. */
void wrn_switch_guard_group(uint8_t ret_mac[WRN_MAC_ADDRESS_SIZE]);

/* What gateways hear on our wire is told more often for a while. */
void wrn_switch_guard_note_soon(struct wrn_switch *sw);

/* A port has opened: it is told of the gateways on our wire at once, and more often for a while. */
void wrn_switch_guard_greet(struct wrn_switch *sw, wrn_mono now);

/* ---- switch_announce.c: where hosts are, after a gateway was taken over from */

/* Our wire is to hear a frame from each address of other members' sides, by and by. */
void wrn_switch_announce_begin(struct wrn_switch *sw, wrn_mono now);
void wrn_switch_announce_on_time(struct wrn_switch *sw, wrn_mono now, struct wrn_switch_out *out);

/* Tells a member, which took over, which addresses our side has: bounded, and twice a second at
 * most. */
void wrn_switch_announce_here(struct wrn_switch *sw, struct wrn_now now, uint32_t port,
                              struct wrn_switch_out *out);

/* Learns what a member says so. */
void wrn_switch_announce_on_here(struct wrn_switch *sw, wrn_mono now, uint32_t port, wrn_span rows,
                                 struct wrn_switch_out *out);

/* ---- switch_mtu.c: how much reaches a member in one piece */

/* Begins anew: 'base' fits, what is more is to be found out, up to 'top'. */
void wrn_switch_mtu_set(struct wrn_switch *sw, wrn_mono now, uint32_t port, uint32_t base,
                        uint32_t top);

/* Sends what is due; hears an answer. */
void wrn_switch_mtu_on_time(struct wrn_switch *sw, struct wrn_now now, struct wrn_switch_out *out);
void wrn_switch_mtu_on_answer(struct wrn_switch *sw, wrn_mono now, uint32_t port, uint64_t what);

/* An address seems to be in two places, which may be a loop: the next probe goes out soon. */
void wrn_switch_guard_hurry(struct wrn_switch *sw);

/* Begins or ends as the settings say. */
void wrn_switch_guard_set(struct wrn_switch *sw, wrn_mono now);

/* Tells whether the holder of a port says that this member's gateway is on its wire, too. */
bool wrn_switch_guard_is_twin(const struct wrn_switch *sw, uint32_t port, uint64_t member,
                              uint32_t now_s);
