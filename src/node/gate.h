/* SPDX-License-Identifier: Apache-2.0 */
/* What the machine of a network asks before a packet passes: for each WireGuard peer the pair of
 * rules that holds now, published so that lanes read it without locks. One thread sets, all lanes
 * ask. Decides nothing itself but what no rule can permit; network/policy.h does. */
#pragma once
#include "network/policy.h"
#include "wg/wg.h"

struct wrn_gate;

struct wrn_gate_options {
    uint32_t peers_max; /* as that of the machine whose gate it is */
    uint32_t lanes_max; /* numbers of lanes are below this: WRN_WG_LANES_MAX where there are any */
    struct wrn_policy_options policy;
    /* Waits until every call on a lane that was running has ended (struct wrn_wg_options); NULL:
     * the machine runs alone. */
    void (*quiesce)(void *ctx);
    void *quiesce_ctx;
};

/* Takes a gate from 'arena' that lets nothing pass. Returns NULL while measuring. 'rand' and 'now'
 * as for wrn_policy_init. */
struct wrn_gate *wrn_gate_init(struct wrn_arena *arena, const struct wrn_gate_options *options,
                               struct wrn_rand rand, wrn_mono now);

enum {
    WRN_GATE_OWN_MAX = 8,    /* addresses of each family */
    WRN_GATE_BEHIND_MAX = 8, /* prefixes behind this host */
};

/* Says that an address is this host's in the network, or not any more, from the next packet on.
 * What comes in for any other is refused, whatever the rules say: a member reaches this host, and
 * through it neither its loopback nor its other networks. One that is said already is fine. May
 * wait for lanes. Returns false if there are WRN_GATE_OWN_MAX. */
bool wrn_gate_own(struct wrn_gate *gate, const struct wrn_ip *ip, bool is_ours);

/* Says which prefixes lie behind this host and are offered to members, all of them: what comes in
 * for these is for this host, too, which forwards it if it is set up so. May wait for lanes. At
 * most WRN_GATE_BEHIND_MAX. */
void wrn_gate_behind(struct wrn_gate *gate, const struct wrn_prefix *prefixes, size_t count);

/* What to hand to the machine (struct wrn_wg_options). */
struct wrn_wg_filter wrn_gate_filter(struct wrn_gate *gate);

/* The same question about an IP packet in a frame of an l2 network, which is for whoever has its
 * MAC address: whether this host has the IP address is not asked. Any lane. */
bool wrn_gate_permits(struct wrn_gate *gate, uint32_t lane, wrn_handle peer, bool is_out,
                      wrn_mono now, wrn_span packet);

/* Lets pass what both sides' rights permit, from the next packet on; both are copied. 'member'
 * names whom 'peer' stands for: the same number whenever it comes back, so that its conversations
 * go on, and no other member's (bytes of its HIT, say). 'is_strict': wrn_policy_pair_init. May wait
 * for lanes: the pair before the last one is only let go of when its room is needed. */
void wrn_gate_set(struct wrn_gate *gate, wrn_handle peer, uint64_t member,
                  const struct wrn_policy_rules *ours, const struct wrn_policy_rules *theirs,
                  bool is_strict);

/* Lets nothing pass from the next packet on: what a peer begins with, each time it is added to the
 * machine (the gate goes by the whole handle). One that is closed is fine. */
void wrn_gate_close(struct wrn_gate *gate, wrn_handle peer);

/* Forgets the pairs that were replaced, after a quiesce if there are any. Need not be called: they
 * cost room that is there anyway. */
void wrn_gate_reclaim(struct wrn_gate *gate);

/* Until when lanes may go by what was set: the moment at which whoever sets it would have been
 * heard of, had the host not been asleep. Later nothing passes until it is moved ahead; so packets
 * that waited in the kernel meanwhile do not pass by rules that nobody has looked at since. At
 * first WRN_MONO_NEVER. */
void wrn_gate_believe(struct wrn_gate *gate, wrn_mono until);

/* Whether that moment lies ahead. Any lane. */
bool wrn_gate_is_believed(const struct wrn_gate *gate, wrn_mono now);

/* The pair that holds now, until the next call for this peer; NULL: closed. */
const struct wrn_policy_pair *wrn_gate_pair(const struct wrn_gate *gate, wrn_handle peer);

/* The conversations, for wrn_policy_trace. */
struct wrn_policy *wrn_gate_policy(struct wrn_gate *gate);

/* What all lanes have counted. What passes by an open pair is not. A packet that waited for a
 * session is asked about twice. */
struct wrn_gate_counts {
    uint64_t closed;   /* refused: nothing passes to or from that peer */
    uint64_t not_ours; /* refused: came in for an address that is not this host's */
    uint64_t refused[WRN_POLICY_REFUSAL_COUNT];
    uint64_t passed[WRN_POLICY_GROUND_COUNT];
    uint64_t begun, evicted, unnoted; /* struct wrn_policy_counts */
};
void wrn_gate_counts(const struct wrn_gate *gate, struct wrn_gate_counts *ret_counts);
