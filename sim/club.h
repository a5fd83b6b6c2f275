/* SPDX-License-Identifier: Apache-2.0 */
/* What members do as people would have them do it: found networks, invite, join, revoke, ask for
 * names, ping. Each command is one input; nobody may be commanded while one is performed. */
#pragma once
#include "sim/home.h"
#include "sim/member.h"

/* A network and who is to be in it: the first member owns it, and with the second has a public
 * address; of the others every third has, the rest live behind boxes of their own. Lines of 15
 * to 40 ms. */
struct sim_club {
    struct sim_run *run;
    struct sim_report *report;
    struct sim_members *members;
    struct wrn_rand rand;
    struct wrn_invitation invitation; /* of the owner's, for all */
};

/* Makes 'count' hosts (2 or more) that run, and the network of the first. 'ipv4' may be NULL. */
void sim_club_begin(struct sim_club *club, struct sim_run *run, uint32_t count,
                    const struct wrn_prefix *ipv4);

/* Has the members from 'first' to 'last' join, one every 200 ms, and expects all of them to be
 * connected and to have an address within 'limit_ns' of the last one. Returns how long it took in
 * milliseconds. */
uint64_t sim_club_join(struct sim_club *club, uint32_t first, uint32_t last, uint64_t limit_ns);

/* Expects the members from 'first' to 'last' to be connected and to have an address within
 * 'limit_ns' from now. Returns how long it took in milliseconds, UINT64_MAX: too long. */
uint64_t sim_club_expect_in(struct sim_club *club, uint32_t first, uint32_t last,
                            uint64_t limit_ns);

/* Adds a host that runs, with a line of its own: behind the box of a class, or public ("pu"). */
struct sim_member *sim_club_add(struct sim_club *club, const char *class_sign);

/* Has all members that are connected ping all others that are, at addresses of a family, and
 * expects each answer within 'limit_ns' after its question; 'what' names that in failures. Returns
 * how long the slowest took in milliseconds, and writes the median. */
uint64_t sim_club_ping_all(struct sim_club *club, uint8_t family, uint64_t limit_ns,
                           const char *what, uint64_t *ret_median_ms);

/* Has each that runs ask for the next one's name; if 'must_be', expects all to get the right
 * answer. Returns how many did. */
uint32_t sim_club_ask_names(struct sim_club *club, bool must_be);

/* Frees all. */
void sim_club_end(struct sim_club *club);

/* Makes a network that the member owns, in its first free slot, and starts it. 'ipv4' may be NULL:
 * drawn. Returns the slot. */
uint32_t sim_member_create(struct sim_member *member, const char *name,
                           const struct wrn_prefix *ipv4);

/* Invites, with 'uses' and for 'seconds'. Reports a failure and returns false if it is refused. */
bool sim_member_invite(struct sim_member *member, uint32_t slot, uint32_t uses, uint64_t seconds,
                       bool members_may_invite, struct wrn_invitation *ret_invitation);

/* Joins by an invitation that went through its line, in the first free slot. Returns the slot;
 * reports a failure if that cannot be. */
uint32_t sim_member_join(struct sim_member *member, const struct wrn_invitation *invitation);

/* Revokes another one, as a member: returns what the node said. */
enum wrn_reason sim_member_revoke(struct sim_member *member, uint32_t slot,
                                  const struct sim_member *whom);

/* Gives rights to another one. */
enum wrn_reason sim_member_grant(struct sim_member *member, uint32_t slot,
                                 const struct sim_member *whom, wrn_span element, bool may_delegate,
                                 uint64_t seconds);

/* Asks for a host's name in the network; returns the number of what is asked. */
uint32_t sim_member_resolve(struct sim_member *member, uint32_t slot, const char *label);

/* Sends an echo request by the network's interface to an address; returns the echo's number.
 * Without a source of that family nothing is sent, and it never comes back. */
uint32_t sim_member_ping(struct sim_member *member, uint32_t slot, const struct wrn_ip *to);

/* The member's address of a family in the network; WRN_FAMILY_NONE: it has none. */
struct wrn_ip sim_member_address(const struct sim_member *member, uint32_t slot, uint8_t family);

/* Tells whether a member runs and is part of the network's ring. */
bool sim_member_is_connected(const struct sim_member *member, uint32_t slot);

/* Tells whether it is that, and has an IPv4 address. */
bool sim_member_is_in(const struct sim_member *member, uint32_t slot);

/* Lets 'ns' pass. */
void sim_members_pass(struct sim_members *members, uint64_t ns);

/* Lets time pass in steps of 100 ms until 'holds', at most 'limit_ns'. Returns how long it took, in
 * milliseconds; UINT64_MAX: too long. */
typedef bool sim_members_condition(void *ctx);
uint64_t sim_members_until(struct sim_members *members, uint64_t limit_ns,
                           sim_members_condition *holds, void *ctx);
