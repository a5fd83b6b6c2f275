/* SPDX-License-Identifier: Apache-2.0 */
/* The switch of one layer-2 network, without I/O: to whom a frame goes, whose a MAC address is, and
 * what is kept from whom. One port leads to the host, one to each member; frames go from the host
 * to members and from members to the host, never from member to member (split horizon), so that
 * there is no loop within it.
 *
 * Lanes ask for verdicts, several at once: they read what is published and write nothing but
 * counters, ages and buckets (atomics). All else is the control thread's: it learns from copies of
 * the frames that a verdict tells it of, opens and closes ports, and keeps time. Frames are whole
 * Ethernet frames without FCS, 802.1Q tags as they are on the wire; each VLAN has addresses of its
 * own (independent learning). Nobody changes a frame in here. */
#pragma once
#include "base/address.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/pool.h"
#include "base/rand.h"
#include "switch/rules.h"

struct wrn_switch;

enum {
    WRN_SWITCH_PORTS_MAX = 256, /* members that are connected */
    WRN_SWITCH_FRAME_MIN = 14,
    WRN_SWITCH_NAME_SIZE = 64,
};

/* X(NAME, "counter", "clause"): why a frame goes no further. */
#define WRN_SWITCH_REFUSAL_LIST(X)                                                                 \
    X(NONE, "none", "it goes on")                                                                  \
    X(CLOSED, "closed", "nothing passes to or from that member")                                   \
    X(NO_MEMBER, "no_member", "no member is connected")                                            \
    X(SHORT, "short", "it ends inside of its header")                                              \
    X(BAD_SOURCE, "bad_source", "its source is a group, or no address")                            \
    X(LINK_LOCAL, "link_local", "it is for the next bridge only (01:80:c2:00:00:00 to 0f)")        \
    X(HAIRPIN, "hairpin", "its destination is on the side that it came from")                      \
    X(ELSEWHERE, "elsewhere", "its destination is on the side of another member")                  \
    X(UNWANTED, "unwanted", "nobody there has joined the group")                                   \
    X(GUARD, "guard", "it is from one gateway to another (loop guard)")                            \
    X(TYPE, "type", "no capability of its sender allows the ethertype")                            \
    X(PACKET, "packet", "no capability of its sender allows the IP packet in it")                  \
    X(MAC, "mac", "no capability of its sender allows the source address")                         \
    X(ADDRESS, "address", "its sender's capability is for other IP addresses")                     \
    X(STOLEN, "stolen", "its source address is in use by another member")                          \
    X(QUOTA, "quota", "its sender uses more addresses than a member may")                          \
    X(STORM, "storm", "its sender floods more than a member may")                                  \
    X(DHCP, "dhcp", "DHCP stays on each side (it can be allowed)")                                 \
    X(LOOP, "loop", "this side is connected to the network by another gateway, too")               \
    X(TUNNEL, "tunnel", "it is of a tunnel of this host, which must not run through the network")  \
    X(ANSWERED, "answered", "it was answered here (ARP, neighbour solicitation)")

enum wrn_switch_refusal {
#define WRN_SWITCH_REFUSAL_ENUM(name, counter, text) WRN_SWITCH_##name,
    WRN_SWITCH_REFUSAL_LIST(WRN_SWITCH_REFUSAL_ENUM)
#undef WRN_SWITCH_REFUSAL_ENUM
        WRN_SWITCH_REFUSAL_COUNT
};

/* The counter's name, and what it means as a clause without a full stop. Static text. */
const char *wrn_switch_refusal_name(enum wrn_switch_refusal refusal);
const char *wrn_switch_refusal_text(enum wrn_switch_refusal refusal);

struct wrn_switch_options {
    uint32_t peers_max; /* handles of peers have indices below this */
    uint32_t lanes_max; /* numbers of lanes are below this */
    uint32_t macs_max;  /* a power of two, 64..65536: addresses known, of all VLANs */
    /* 1..macs_max / 2: what a member may use. The host's side has half of the table; of the other
     * half each member is sure of macs_max / 1024, more as long as others leave it. */
    uint32_t macs_per_port;
    uint32_t neighbours_max; /* 64..65536: IP addresses known; a port may use a quarter of them */
    uint32_t groups_max; /* 16..4096: multicast groups known; a port may join a quarter of them */
    /* Number of this node, by which others' ports name it (struct wrn_switch_port); of several
     * gateways on one wire the one with the smallest goes first. Not 0. */
    uint64_t own;
    /* The same for all members of the network, and known to nobody else: what gateways say to one
     * another over a wire is tagged with it. */
    uint8_t secret[16];
    /* Asked for each IP packet in a frame, besides the ethertype: may 'peer' send it to us, or we
     * to it? On the lane's thread; must not wait. NULL: all may. */
    bool (*permits)(void *ctx, uint32_t lane, wrn_handle peer, bool is_out, wrn_mono now,
                    wrn_span packet);
    void *permits_ctx;
    /* Waits until every call on a lane that was running has ended; NULL: there are none. */
    void (*quiesce)(void *ctx);
    void *quiesce_ctx;
};

/* Fills in what is usual: 65,536 addresses, 4,096 a member; 4,096 neighbours, 512 groups. The
 * numbers of peers and lanes, 'own', 'secret' and the functions are the caller's. */
void wrn_switch_defaults(struct wrn_switch_options *options);

/* Takes a switch from 'arena'. NULL while measuring. It starts without ports, DHCP denied, and this
 * node may send nothing before wrn_switch_set_ours. */
struct wrn_switch *wrn_switch_init(struct wrn_arena *arena,
                                   const struct wrn_switch_options *options, struct wrn_rand rand,
                                   struct wrn_now now);

/* ---- lanes ---- */

/* What becomes of a frame. The caller keeps one for each lane: it is large. */
struct wrn_switch_verdict {
    uint8_t refusal; /* enum wrn_switch_refusal; not NONE: it goes nowhere, which is counted */
    /* The control thread wants a copy (bounded: wrn_switch_on_frame). Also of refused ones. */
    bool is_told;
    uint32_t count; /* from the host: to these members, a copy each; 0 with NONE: the control thread
                     * sees to it (is_told): a question for an address, answered or sent on */
    wrn_handle peers[WRN_SWITCH_PORTS_MAX];
    bool is_lasting;   /* holds for frames that continue its flow at the same time, too */
    uint32_t from, to; /* private */
};

/* Decides about a frame that the host's side sent, and about one that a member sent (with NONE it
 * goes to the host's side). 'lane' as in struct wrn_wg_filter. Never reads outside 'frame'. */
void wrn_switch_from_host(struct wrn_switch *sw, uint32_t lane, wrn_mono now, wrn_span frame,
                          struct wrn_switch_verdict *ret_verdict);
void wrn_switch_from_peer(struct wrn_switch *sw, uint32_t lane, wrn_mono now, wrn_handle peer,
                          wrn_span frame, struct wrn_switch_verdict *ret_verdict);

/* What frames have in common that get the same verdict if they come from the same member: untagged
 * TCP and UDP in whole IP packets of one conversation that go on. */
enum { WRN_SWITCH_FLOW_SIZE = 56 };
struct wrn_switch_flow {
    uint64_t words[WRN_SWITCH_FLOW_SIZE / 8];
};

/* Reads a frame's flow. False: it has none, or begins or ends it: ask about it. Never reads outside
 * 'frame'. */
bool wrn_switch_flow_read(wrn_span frame, struct wrn_switch_flow *ret_flow);

/* Tells whether both are the same. */
bool wrn_switch_flow_equal(const struct wrn_switch_flow *one, const struct wrn_switch_flow *other);

/* Counts one more frame for which a verdict of this lane holds, that is_lasting. Frames of one
 * batch come at the same time: what is decided anew in between holds from the next one on, as it
 * does for packets. 'permits' is not asked again. */
void wrn_switch_repeat(struct wrn_switch *sw, uint32_t lane,
                       const struct wrn_switch_verdict *verdict);

/* Bytes of tunnel payload (the frame's head included) that reach this member in one piece; 0: no
 * such port. Any lane. */
uint32_t wrn_switch_payload_max(const struct wrn_switch *sw, wrn_handle peer);

/* Whether anything passes to and from this peer at all: struct wrn_wg_filter's question. Any lane.
 */
bool wrn_switch_is_open(const struct wrn_switch *sw, wrn_handle peer);

/* ---- control thread ---- */

struct wrn_switch_port {
    wrn_handle peer;
    uint64_t member;                 /* the same number whenever that member comes back; not 0 */
    char name[WRN_SWITCH_NAME_SIZE]; /* for people */
    struct wrn_frame_rules theirs;   /* what it may send */
    /* Bytes of tunnel payload that surely reach it in one piece, and that perhaps do: what is more
     * than the first is found out by probes. 0, or not more: it is not probed. */
    uint32_t payload_max, payload_top;
};

/* A member's port opens, or has another name, other rules, another size. May wait for lanes. False
 * if WRN_SWITCH_PORTS_MAX are open. A port is closed before its handle is given back, and all that
 * was learned from it is forgotten; one that is not open is fine. */
bool wrn_switch_open(struct wrn_switch *sw, struct wrn_now now, const struct wrn_switch_port *port);
void wrn_switch_close(struct wrn_switch *sw, struct wrn_now now, wrn_handle peer);

/* The way to a member is another one: so much surely fits, so much perhaps. Begins with the first,
 * and probes at once if there is more to be had; no such port is fine. */
void wrn_switch_set_path(struct wrn_switch *sw, struct wrn_now now, wrn_handle peer, uint32_t base,
                         uint32_t top);

/* Says what this node may send to members, and what addresses its host's side may have. May wait
 * for lanes. */
void wrn_switch_set_ours(struct wrn_switch *sw, const struct wrn_frame_rules *ours);

/* Tells what this host's own tunnels look like on its side: UDP from 'port' (0: none), sent by
 * 'mac'. They go no further, for what carries a frame would be one itself, without an end. Any
 * time. */
void wrn_switch_set_tunnel(struct wrn_switch *sw, const uint8_t mac[WRN_MAC_ADDRESS_SIZE],
                           uint16_t port);

/* What people decide. It starts with what wrn_switch_init says, answers and guard on, 2,000 floods
 * and 300 s. Values out of range are taken for the nearest that is allowed. */
struct wrn_switch_settings {
    bool allows_dhcp; /* and router advertisements between the sides; else each keeps its own */
    bool answers_neighbours; /* ARP requests and neighbour solicitations, from what is known */
    bool guards_loops;
    bool serves_dhcp; /* the host's own client is answered, by the node: the switch only tells it.
                       * Not with allows_dhcp */
    uint32_t floods_per_s; /* broadcast, multicast, unknown destination: of a port; 0: no limit */
    uint32_t age_s;        /* an address that was silent so long is forgotten; 10..86400 */
};
void wrn_switch_settings_usual(struct wrn_switch_settings *ret_settings);
void wrn_switch_settings(const struct wrn_switch *sw, struct wrn_switch_settings *ret_settings);
void wrn_switch_set(struct wrn_switch *sw, struct wrn_now now,
                    const struct wrn_switch_settings *settings);

/* X(NAME, "name") */
#define WRN_SWITCH_EVENT_LIST(X)                                                                   \
    X(STOLEN, "mac.refused") /* 'name' wants 'mac', which is 'other's ("": the host's side) */     \
    X(MOVED, "mac.moved")    /* ... and has it now */                                              \
    X(QUOTA, "mac.quota")    /* 'name' has as many as it may */                                    \
    X(STORM, "bridge.storm") /* 'name' floods */                                                   \
    X(DUPLICATE,                                                                                   \
      "ip.duplicate")        /* 'ip' is claimed by 'mac' of 'name' and 'other_mac' of 'other' */   \
    X(ADDRESS, "ip.refused") /* 'name' wants 'ip' for 'mac', and may not */                        \
    X(DHCP, "dhcp.refused")  /* 'name' has a DHCP server: 'mac', 'ip' */                           \
    X(LOOP, "bridge.loop")   /* 'name' is connected to our wire, too: we stand by */               \
    X(LOOP_ENDED, "bridge.loop_ended")

enum wrn_switch_event_kind {
#define WRN_SWITCH_EVENT_ENUM(name, text) WRN_SWITCH_EVENT_##name,
    WRN_SWITCH_EVENT_LIST(WRN_SWITCH_EVENT_ENUM)
#undef WRN_SWITCH_EVENT_ENUM
        WRN_SWITCH_EVENT_KINDS
};

/* The event's name. Static text. */
const char *wrn_switch_event_name(enum wrn_switch_event_kind kind);

struct wrn_switch_event {
    enum wrn_switch_event_kind kind;
    char name[WRN_SWITCH_NAME_SIZE], other[WRN_SWITCH_NAME_SIZE];
    uint8_t mac[WRN_MAC_ADDRESS_SIZE], other_mac[WRN_MAC_ADDRESS_SIZE];
    uint16_t vlan;
    struct wrn_ip ip;
};

/* What an input led to. The caller sets both counts to 0 before. */
enum { WRN_SWITCH_OUT_MAX = 8, WRN_SWITCH_MADE_MAX = 1600 };
struct wrn_switch_out {
    uint32_t frame_count, event_count;
    struct wrn_switch_frame {
        bool to_host;   /* write it to the host's device, past the switch; else: */
        uint32_t count; /* to these members, past the switch */
        wrn_handle peers[WRN_SWITCH_PORTS_MAX];
        bool is_whole; /* in one datagram that may not be fragmented, or not at all: a probe */
        uint32_t size;
        uint8_t bytes[WRN_SWITCH_MADE_MAX];
    } frames[WRN_SWITCH_OUT_MAX];
    struct wrn_switch_event events[WRN_SWITCH_OUT_MAX];
};

/* A frame that a verdict told of: learns from it; answers it, or sends it on if the verdict left
 * that open. 'peer' NONE: from the host's side. */
void wrn_switch_on_frame(struct wrn_switch *sw, struct wrn_now now, wrn_handle peer, wrn_span frame,
                         struct wrn_switch_out *out);

/* Ages, loop probes. May wait for lanes. */
void wrn_switch_on_time(struct wrn_switch *sw, struct wrn_now now, struct wrn_switch_out *out);

/* When wrn_switch_on_time wants to be called. */
wrn_mono wrn_switch_due(const struct wrn_switch *sw);

/* ---- questions (control thread) ---- */

struct wrn_switch_mac {
    uint8_t mac[WRN_MAC_ADDRESS_SIZE];
    uint16_t vlan;   /* 0: untagged */
    wrn_handle peer; /* NONE: the host's side */
    uint32_t age_s;  /* since it was last heard */
    bool is_named;   /* a capability names it */
};

/* Walks the addresses: start with *cursor = 0; false at the end. The others below likewise. */
bool wrn_switch_next_mac(const struct wrn_switch *sw, wrn_mono now, uint32_t *cursor,
                         struct wrn_switch_mac *ret_mac);

struct wrn_switch_neighbour {
    struct wrn_ip ip;
    uint8_t mac[WRN_MAC_ADDRESS_SIZE];
    uint16_t vlan;
    wrn_handle peer;
    uint32_t age_s;
};

/* Walks the IP addresses that were seen. */
bool wrn_switch_next_neighbour(const struct wrn_switch *sw, wrn_mono now, uint32_t *cursor,
                               struct wrn_switch_neighbour *ret_neighbour);

struct wrn_switch_port_info {
    wrn_handle peer; /* NONE: the host's side */
    char name[WRN_SWITCH_NAME_SIZE];
    bool stands_by; /* the host's side, because of a loop */
    uint32_t macs, payload_max;
    uint64_t frames_in, frames_out, floods_in; /* in: that it sent */
    uint64_t refused[WRN_SWITCH_REFUSAL_COUNT];
};

/* Walks the ports, the host's side first. */
bool wrn_switch_next_port(const struct wrn_switch *sw, uint32_t *cursor,
                          struct wrn_switch_port_info *ret_info);

/* Groups that somebody has joined (IGMP, MLD), by port. */
struct wrn_switch_group {
    struct wrn_ip group;
    uint16_t vlan;
    wrn_handle peer;
    uint32_t age_s;
};

/* Walks the groups. */
bool wrn_switch_next_group(const struct wrn_switch *sw, wrn_mono now, uint32_t *cursor,
                           struct wrn_switch_group *ret_group);
