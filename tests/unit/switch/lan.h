/* SPDX-License-Identifier: Apache-2.0 */
/* A switch with ports and a clock, and frames to hand to it: what tests of the switch share. Frames
 * that a verdict tells of are handed on at once, as the control thread would do. */
#pragma once
#include "switch/switch_internal.h"
#include "unit/base/check.h"

enum { LAN_FRAME_MAX = 1600, LAN_PEERS = 512, LAN_LANES = 8 };

struct lan {
    struct wrn_switch *sw;
    void *memory;
    struct wrn_prng prng;
    struct wrn_now now;
    struct wrn_switch_verdict verdict; /* of the last frame */
    struct wrn_switch_out out;         /* what its copy led to */
};

struct frame {
    size_t size;
    uint8_t bytes[LAN_FRAME_MAX];
};

/* What lan_start begins with: small tables, own number 5. */
struct wrn_switch_options lan_options(void);

/* Starts a switch at a time that is not 0; the host's side may send all. */
void lan_start(struct lan *lan, const struct wrn_switch_options *options);
void lan_stop(struct lan *lan);

/* The handle of a peer; the rules that allow all; a port that is open. */
wrn_handle lan_peer(uint32_t index);
struct wrn_frame_rules lan_rules(void);
void lan_open(struct lan *lan, uint32_t index, const char *name);
void lan_open_with(struct lan *lan, uint32_t index, const char *name,
                   const struct wrn_frame_rules *rules);

/* Lets time pass, in steps of what is due; what comes out is kept in 'out'. */
void lan_wait(struct lan *lan, uint64_t ns);

/* Hands in a frame (peer index; LAN_HOST: the host's side). Return the refusal. */
enum { LAN_HOST = UINT32_MAX };
enum wrn_switch_refusal lan_send(struct lan *lan, uint32_t from, const struct frame *frame);

/* Tells whether the last verdict, or what the control thread sent for it, goes to this peer. */
bool lan_went_to(const struct lan *lan, uint32_t index);

/* The first event of a kind since the last frame; NULL: none. */
const struct wrn_switch_event *lan_event(const struct lan *lan, enum wrn_switch_event_kind kind);

/* MAC addresses 02:00:00:00:hi:lo, and a frame between two of them with a body of 46 zeros. */
void lan_mac(uint8_t mac[WRN_MAC_ADDRESS_SIZE], uint32_t number);
enum { LAN_BROADCAST = UINT32_MAX };
struct frame lan_frame(uint32_t to, uint32_t from, uint16_t type);

/* Puts a tag before the ethertype; another body behind it. */
void lan_tag(struct frame *frame, uint16_t type, uint16_t vlan);
void lan_body(struct frame *frame, const void *body, size_t size);

/* Whose an address is: peer index, LAN_HOST, or LAN_NOBODY. */
enum { LAN_NOBODY = UINT32_MAX - 1 };
uint32_t lan_owner(const struct lan *lan, uint32_t number, uint16_t vlan);

/* How often something was refused to a port (LAN_HOST: the host's side). */
uint64_t lan_refused(const struct lan *lan, uint32_t from, enum wrn_switch_refusal refusal);
