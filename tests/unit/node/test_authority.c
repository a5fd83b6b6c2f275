/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: who may, invites, promotes, demotes, revokes and renews, and all others hear of it; who may
 * not, is told what is missing; an invitation is not used more often than it may be. Method: whole
 * nodes in virtual time, with chains as programs make them, and others. */
#include "node/authority.h"

#include <stdio.h>

#include "network/certs.h"
#include "network/revoked.h"
#include "overlay/limits.h"
#include "spki/cert.h"
#include "unit/node/hosts.h"

enum { ALICE, BOB, CAROL, DAVE, DAY_S = 86400 };

static uint32_t numbers[HOSTS_MAX]; /* of the network on each host */
static char why[WRN_JUDGE_WHY_SIZE];
static struct wrn_invitation invitation;

static struct wrn_node *node_of(uint32_t host) {
    return hosts[host].node;
}

static wrn_handle network_of(uint32_t host) {
    return hosts[host].networks[numbers[host]];
}

static enum wrn_reason invite(uint32_t host, uint32_t uses, bool members_may_invite,
                              const char *element, int64_t life_s) {
    const struct wrn_node_invite_options options = {
        .uses = uses,
        .until_s = hosts_now.wall.s + life_s,
        .members_may_invite = members_may_invite,
        .element = {(const uint8_t *)element, strlen(element)},
    };
    hosts_before();
    enum wrn_reason reason = wrn_node_invite(node_of(host), hosts_now, network_of(host), &options,
                                             hosts_out, &invitation, why);
    hosts_perform(host);
    return reason;
}

/* As a program that was given the line of the invitation. */
static uint32_t claimed_use; /* what is written into the state of who joins; 0: nothing */

static void join(uint32_t host) {
    static uint8_t room[WRN_STATE_MAX];
    struct wrn_invitation read;
    struct wrn_state state;
    char line[WRN_INVITATION_LINE_MAX];
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], chain[WRN_CREDENTIAL_MAX];
    size_t size = wrn_invitation_print_line(&invitation, line, sizeof line);
    assert_true(size > 0);
    assert_int_equal(wrn_invitation_read((wrn_span){(const uint8_t *)line, size}, &read),
                     WRN_INVITATION_OK);
    hosts_public(hosts[host].letter, public_key);
    assert_int_equal(wrn_state_join(&read, public_key, hosts_now.wall.s, INT64_MAX, chain, &state),
                     WRN_INVITATION_OK);
    state.use = claimed_use;
    size = wrn_state_write(&state, room, sizeof room);
    assert_true(size > 0);
    numbers[host] = hosts_load(host, (wrn_span){room, size});
}

static bool has_address(uint32_t host) {
    struct wrn_node_network_info info = hosts_info(host, numbers[host]);
    return info.ring == WRN_RING_STATE_CONNECTED && info.lease == WRN_CLAIM_HELD &&
           info.ipv4.family == WRN_FAMILY_IPV4;
}

static bool passes(uint32_t host, uint32_t other) {
    struct wrn_node_peer_info info;
    return hosts_peer(host, numbers[host], other, &info) && info.rights != 0 && !info.is_waiting;
}

static uint8_t rights_of(uint32_t host) {
    return hosts_info(host, numbers[host]).rights;
}

static bool bob_is_there(void) {
    return has_address(BOB) && passes(ALICE, BOB) && passes(BOB, ALICE);
}

static bool carol_is_there(void) {
    return has_address(CAROL) && passes(BOB, CAROL) && passes(CAROL, BOB);
}

static void begin(void) {
    assert_int_equal(hosts_add('a'), ALICE);
    assert_int_equal(hosts_add('b'), BOB);
    assert_int_equal(hosts_add('c'), CAROL);
    assert_int_equal(hosts_add('d'), DAVE);
    numbers[ALICE] = hosts_create(ALICE, "lab", "10.77.0.0/24");
    hosts_run(3000);
}

static void save_and_stop(uint32_t host) {
    hosts_save(host, numbers[host]);
    hosts_stop(host);
}

static void start_from_saved(uint32_t host) {
    numbers[host] = hosts_start_saved(host);
}

static enum wrn_reason grant(uint32_t host, uint32_t to, const char *element, bool may_delegate) {
    uint8_t subject[WRN_SIGN_PUBLIC_SIZE], hash[WRN_SHA256_SIZE];
    hosts_public(hosts[to].letter, subject);
    hosts_before();
    enum wrn_reason reason =
        wrn_node_grant(node_of(host), hosts_now, network_of(host), subject,
                       (wrn_span){(const uint8_t *)element, strlen(element)}, may_delegate,
                       hosts_now.wall.s + 30 * DAY_S, hosts_out, hash, why);
    hosts_perform(host);
    return reason;
}

static enum wrn_reason take_back(uint32_t host, enum wrn_node_revoke_what what,
                                 const uint8_t *subject_or_hash, uint32_t *ret_count) {
    hosts_before();
    enum wrn_reason reason =
        wrn_node_revoke(node_of(host), hosts_now, network_of(host), what, subject_or_hash,
                        (wrn_span){NULL, 0}, hosts_out, ret_count, why);
    hosts_perform(host);
    return reason;
}

static enum wrn_reason take_back_of(uint32_t host, enum wrn_node_revoke_what what, uint32_t whom,
                                    uint32_t *ret_count) {
    uint8_t subject[WRN_SIGN_PUBLIC_SIZE];
    hosts_public(hosts[whom].letter, subject);
    return take_back(host, what, subject, ret_count);
}

/* ---- invitations ---- */

/* An invitation is good for whoever's clock is behind that of its maker by as much as two clocks
 * may be apart; beyond that both dates are said. (Members with wrong clocks: the simulator's
 * wrong-clock-join.) */
static void an_invitation_forgives_clocks(void **state) {
    (void)state;
    struct wrn_state joined;
    uint8_t member[WRN_SIGN_PUBLIC_SIZE], chain[WRN_CREDENTIAL_MAX];
    char said[WRN_INVITATION_WHY_SIZE], date[WRN_SPKI_DATE_SIZE + 1] = "";
    begin();
    assert_int_equal(invite(ALICE, 1, false, "", 3600), WRN_REASON_NONE);
    hosts_public(hosts[BOB].letter, member);
    int64_t behind_s = hosts_now.wall.s - 2 * WRN_CLOCK_WRONG_MAX_S;
    assert_int_equal(wrn_state_join(&invitation, member, behind_s, INT64_MAX, chain, &joined),
                     WRN_INVITATION_OK);
    behind_s = hosts_now.wall.s - WRN_CLOCK_TOLERANCE_S - 1;
    assert_int_equal(wrn_state_join(&invitation, member, behind_s, INT64_MAX, chain, &joined),
                     WRN_INVITATION_NOT_YET);
    wrn_invitation_explain(&invitation, WRN_INVITATION_NOT_YET, behind_s, said);
    assert_true(wrn_spki_date_write(behind_s, date));
    CHECK(strstr(said, "valid from ") && strstr(said, date) && strstr(said, "else wait"),
          "%s: ", said);
}

static void who_is_invited_is_in(void **state) {
    (void)state;
    const struct wrn_state_invitation *made;
    struct wrn_invitation again;
    uint32_t cursor = 0;
    begin();
    assert_int_equal(invite(ALICE, 1, false, "", DAY_S), WRN_REASON_NONE);
    assert_true(invitation.endpoint_count > 0);
    join(BOB);
    hosts_until(bob_is_there, 60, "who was invited has an address");
    assert_int_equal(rights_of(BOB), WRN_RIGHT_MEMBER);
    assert_true(wrn_node_next_invitation(node_of(ALICE), network_of(ALICE), &cursor, &made));
    assert_int_equal(made->uses, 1);
    assert_in_range(made->until_s - hosts_now.wall.s, DAY_S - 100, DAY_S);
    assert_int_equal(wrn_node_show_invitation(node_of(ALICE), hosts_now, network_of(ALICE),
                                              made->cert_hash, &again),
                     WRN_REASON_NONE);
    assert_memory_equal(again.seed, invitation.seed, sizeof again.seed);
    assert_int_equal(again.chain_size, invitation.chain_size);
    assert_false(again.members_may_invite);
    assert_false(wrn_node_next_invitation(node_of(ALICE), network_of(ALICE), &cursor, &made));
    /* Bob may invite nobody, and is told why. */
    assert_int_equal(invite(BOB, 1, false, "", DAY_S), WRN_REASON_NOT_ADMITTED);
    assert_non_null(strstr(why, "(invite)"));
}

static bool carol_has_an_address(void) {
    return hosts_info(CAROL, numbers[CAROL]).ipv4.family == WRN_FAMILY_IPV4;
}

/* Peers are in it, too: who made it need not be there when it is used. */
static void an_invitation_leads_in_while_its_maker_is_off(void **state) {
    (void)state;
    begin();
    assert_int_equal(invite(ALICE, 1, false, "", DAY_S), WRN_REASON_NONE);
    join(BOB);
    hosts_until(bob_is_there, 60, "who was invited has an address");
    assert_int_equal(invite(ALICE, 1, false, "", DAY_S), WRN_REASON_NONE);
    hosts_stop(ALICE);
    join(CAROL);
    hosts_until(carol_has_an_address, 90, "a member is in without the inviter");
}

static void limits_of_invitations_are_kept(void **state) {
    (void)state;
    begin();
    assert_int_equal(invite(ALICE, 0, false, "", DAY_S), WRN_REASON_MALFORMED);
    assert_int_equal(invite(ALICE, 65536, false, "", DAY_S), WRN_REASON_MALFORMED);
    assert_int_equal(invite(ALICE, 1, false, "", 0), WRN_REASON_MALFORMED);
    assert_int_equal(invite(ALICE, 1, false, "(5:admin)", DAY_S), WRN_REASON_MALFORMED);
    assert_int_equal(invite(ALICE, 1, false, "(7:address1:x)", DAY_S), WRN_REASON_MALFORMED);
    assert_int_equal(invite(ALICE, 1, false, "(5:allow", DAY_S), WRN_REASON_MALFORMED);
    assert_int_equal(invite(ALICE, 1, false, "(5:allow3:tcp2:22)", DAY_S), WRN_REASON_NONE);
    join(BOB);
    hosts_until(bob_is_there, 60, "who was invited has an address");
}

/* Whoever joins may invite, and so on; uses are not counted then. */
static void members_that_may_invite_do(void **state) {
    (void)state;
    begin();
    assert_int_equal(invite(ALICE, 1, true, "", DAY_S), WRN_REASON_NONE);
    join(BOB);
    hosts_until(bob_is_there, 60, "who was invited has an address");
    assert_int_equal(rights_of(BOB), WRN_RIGHT_MEMBER | WRN_RIGHT_INVITE);
    hosts_stop(ALICE);
    assert_int_equal(invite(BOB, 1, false, "", DAY_S), WRN_REASON_NONE);
    join(CAROL);
    hosts_until(carol_is_there, 90, "who was invited by who was invited has an address");
    assert_int_equal(rights_of(CAROL), WRN_RIGHT_MEMBER);
}

static bool carol_is_refused(void) {
    return hosts_event(CAROL, WRN_NODE_EVENT_INVITATION_SPENT_KIND) != NULL &&
           hosts_event(ALICE, WRN_NODE_EVENT_PEER_REFUSED_KIND) != NULL &&
           hosts_event(BOB, WRN_NODE_EVENT_PEER_REFUSED_KIND) != NULL;
}

static void an_invitation_is_used_once(void **state) {
    (void)state;
    begin();
    assert_int_equal(invite(ALICE, 1, false, "", DAY_S), WRN_REASON_NONE);
    join(BOB);
    hosts_until(bob_is_there, 60, "who was invited has an address");
    hosts_run(20000);
    join(CAROL);
    hosts_until(carol_is_refused, 300, "the second one is refused");
    assert_false(has_address(CAROL));
    assert_false(passes(ALICE, CAROL) || passes(BOB, CAROL));
    assert_true(passes(ALICE, BOB));
    assert_non_null(
        strstr(hosts_event(CAROL, WRN_NODE_EVENT_INVITATION_SPENT_KIND)->text, "another"));
    /* and stays so */
    hosts_run(120000);
    assert_false(has_address(CAROL) || passes(ALICE, CAROL));
}

static bool carol_is_refused_by_both(void) {
    return hosts_event(ALICE, WRN_NODE_EVENT_PEER_REFUSED_KIND) != NULL &&
           hosts_event(BOB, WRN_NODE_EVENT_PEER_REFUSED_KIND) != NULL;
}

/* One that says that the use of another is its own. */
static void who_lies_about_its_use_is_refused(void **state) {
    (void)state;
    begin();
    assert_int_equal(invite(ALICE, 1, false, "", DAY_S), WRN_REASON_NONE);
    join(BOB);
    hosts_until(bob_is_there, 60, "who was invited has an address");
    hosts_run(20000);
    claimed_use = 1;
    join(CAROL);
    claimed_use = 0;
    hosts_until(carol_is_refused_by_both, 90, "the liar is refused");
    assert_false(passes(ALICE, CAROL) || passes(BOB, CAROL));
    hosts_run(60000);
    assert_true(bob_is_there());
    assert_false(passes(ALICE, CAROL) || passes(BOB, CAROL));
}

static bool both_are_there(void) {
    return has_address(BOB) && has_address(CAROL) && passes(ALICE, BOB) && passes(ALICE, CAROL);
}

static bool dave_is_refused(void) {
    return hosts_event(DAVE, WRN_NODE_EVENT_INVITATION_SPENT_KIND) != NULL &&
           hosts_event(ALICE, WRN_NODE_EVENT_PEER_REFUSED_KIND) != NULL;
}

static void two_uses_are_two(void **state) {
    (void)state;
    begin();
    assert_int_equal(invite(ALICE, 2, false, "", DAY_S), WRN_REASON_NONE);
    join(BOB);
    join(CAROL);
    hosts_until(both_are_there, 90, "both have addresses");
    hosts_run(200000);
    assert_true(both_are_there());
    assert_null(hosts_event(ALICE, WRN_NODE_EVENT_PEER_REFUSED_KIND));
    join(DAVE);
    hosts_until(dave_is_refused, 300, "the third one is refused");
    assert_true(both_are_there());
    assert_false(has_address(DAVE));
}

static uint32_t used_by_now(void) {
    const struct wrn_state_invitation *made = NULL;
    uint32_t cursor = 0;
    assert_true(wrn_node_next_invitation(node_of(ALICE), network_of(ALICE), &cursor, &made));
    return made->used;
}

static bool one_is_counted(void) {
    return used_by_now() == 1;
}

static bool two_are_counted(void) {
    return used_by_now() == 2;
}

static bool all_are_counted(void) {
    return used_by_now() == 4;
}

/* Also of those whom somebody else let in while its maker was off, and of two at once; and it is
 * still known after a restart. */
static void uses_are_counted(void **state) {
    (void)state;
    const struct wrn_state_invitation *made = NULL;
    uint32_t cursor = 0;
    begin();
    assert_int_equal(invite(ALICE, 4, false, "", DAY_S), WRN_REASON_NONE);
    hosts_run(150000);
    assert_int_equal(used_by_now(), 0);
    join(BOB);
    hosts_until(one_is_counted, 60, "the first one is counted");
    assert_true(wrn_node_next_invitation(node_of(ALICE), network_of(ALICE), &cursor, &made));
    assert_int_equal(wrn_node_show_invitation(node_of(ALICE), hosts_now, network_of(ALICE),
                                              made->cert_hash, &invitation),
                     WRN_REASON_NONE);
    hosts_run(5000);
    save_and_stop(ALICE);
    hosts_run(60000);
    join(CAROL);
    hosts_until(carol_is_there, 90, "she is let in by Bob");
    start_from_saved(ALICE);
    assert_int_equal(used_by_now(), 1);
    hosts_until(two_are_counted, 150, "who came meanwhile is counted");
    assert_int_equal(hosts_add('e'), DAVE + 1);
    join(DAVE);
    join(DAVE + 1);
    hosts_until(all_are_counted, 200, "two that came at once are two");
    hosts_run(300000);
    assert_int_equal(used_by_now(), 4);
}

/* ---- chains that are none ---- */

static struct wrn_state state_of(uint32_t host, uint32_t network, uint8_t *room) {
    struct wrn_state state;
    size_t size = wrn_node_save(node_of(host), hosts[host].networks[network], room, WRN_STATE_MAX);
    assert_int_equal(wrn_state_read((wrn_span){room, size}, &state), WRN_STATE_OK);
    return state;
}

static wrn_span issue(const struct wrn_descriptor *descriptor, uint32_t issuer, wrn_span chain,
                      uint32_t subject, const char *element, int64_t until_s, uint8_t *out) {
    struct wrn_pack_frame frame = wrn_descriptor_frame(descriptor);
    uint8_t seed[WRN_SEED_SIZE], public_key[WRN_SIGN_PUBLIC_SIZE], hash[WRN_SHA256_SIZE];
    size_t size;
    memset(seed, hosts[issuer].letter, sizeof seed);
    hosts_public(hosts[subject].letter, public_key);
    struct wrn_certs_issue issue = {
        .seed = seed,
        .chain = chain,
        .subject = public_key,
        .may_pass_on = true,
        .from_s = hosts_now.wall.s - 1000,
        .until_s = until_s,
    };
    assert_int_equal(
        wrn_sexp_check((wrn_span){(const uint8_t *)element, strlen(element)}, &issue.element, NULL),
        0);
    assert_int_equal(wrn_certs_issue(&frame, &issue, out, WRN_CREDENTIAL_MAX, &size, hash), 0);
    return (wrn_span){out, size};
}

/* Starts a host with whatever chain in the network of Alice. */
static void come_with(uint32_t host, wrn_span chain) {
    static uint8_t room[WRN_STATE_MAX], written[WRN_STATE_MAX];
    struct wrn_state state = state_of(ALICE, numbers[ALICE], room);
    struct wrn_state come = {
        .descriptor = state.descriptor,
        .chain = chain,
        .wants_address = true,
        .wants_name = true,
        .endpoint_count = 1,
        .endpoints = {hosts[ALICE].at},
    };
    memcpy(come.signature, state.signature, sizeof come.signature);
    size_t size = wrn_state_write(&come, written, sizeof written);
    assert_true(size > 0);
    numbers[host] = hosts_load(host, (wrn_span){written, size});
}

enum { EXPIRED, NOT_YET, FORGED, FOREIGN, REPLAYED, BEYOND, BAD_CHAINS };

static wrn_span bad_chain(uint32_t which, uint8_t *out) {
    static uint8_t room[WRN_STATE_MAX], first[WRN_CREDENTIAL_MAX], second[WRN_CREDENTIAL_MAX];
    struct wrn_descriptor descriptor = state_of(ALICE, numbers[ALICE], room).descriptor;
    const wrn_span none = {NULL, 0};
    int64_t now_s = hosts_now.wall.s, later_s = now_s + DAY_S;
    wrn_span chain = none;
    switch (which) {
    case EXPIRED:
        return issue(&descriptor, ALICE, none, CAROL, "(6:member)", now_s - 1, out);
    case NOT_YET:
        hosts_now.wall.s += DAY_S; /* it begins a day from now */
        chain = issue(&descriptor, ALICE, none, CAROL, "(6:member)", later_s + DAY_S, out);
        hosts_now.wall.s -= DAY_S;
        return chain;
    case FORGED:
        chain = issue(&descriptor, ALICE, none, CAROL, "(6:member)", later_s, out);
        out[chain.size - 1] ^= 1;
        return chain;
    case FOREIGN: /* of another network of the same owner, as its bytes are */
        descriptor = state_of(ALICE, numbers[ALICE] + 1, room).descriptor;
        return issue(&descriptor, ALICE, none, CAROL, "(6:member)", later_s, out);
    case REPLAYED: /* Bob's */
        return issue(&descriptor, ALICE, none, BOB, "(6:member)", later_s, out);
    default: /* Dave came by a counted invitation, and lets somebody in */
        chain = issue(&descriptor, ALICE, none, BOB, "(1:*3:set(6:member)(6:invite1:1))", later_s,
                      first);
        chain = issue(&descriptor, BOB, chain, DAVE, "(1:*)", later_s, second);
        return issue(&descriptor, DAVE, chain, CAROL, "(6:member)", later_s, out);
    }
}

/* How often Alice said that Carol is refused for this reason. */
static uint32_t told_of_carol(enum wrn_reason reason) {
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], hit[WRN_HIT_SIZE];
    uint32_t count = 0;
    hosts_public(hosts[CAROL].letter, public_key);
    wrn_hit(public_key, hit);
    for (uint32_t i = 0; i < hosts[ALICE].event_count; i++) {
        const struct wrn_node_event *event = &hosts[ALICE].events[i];
        count += event->kind == WRN_NODE_EVENT_PEER_REFUSED_KIND && event->reason == reason &&
                 memcmp(event->hit, hit, sizeof hit) == 0 && strstr(event->text, ": ") != NULL;
    }
    return count;
}

static void bad_chains_let_nobody_in(void **state) {
    (void)state;
    uint8_t chain[WRN_CREDENTIAL_MAX];
    begin();
    uint32_t other = hosts_create(ALICE, "other", "10.78.0.0/24");
    assert_int_equal(other, numbers[ALICE] + 1);
    assert_int_equal(invite(ALICE, 1, false, "", DAY_S), WRN_REASON_NONE);
    join(BOB);
    hosts_until(bob_is_there, 60, "who was invited has an address");
    for (uint32_t which = 0; which < BAD_CHAINS; which++) {
        hosts_stop(CAROL);
        hosts_start_again(CAROL);
        come_with(CAROL, bad_chain(which, chain));
        for (uint32_t i = 0; i < 60; i++) {
            hosts_run(500);
            CHECK(!passes(ALICE, CAROL) && !passes(BOB, CAROL) && !has_address(CAROL),
                  "chain %u: ", which);
        }
        CHECK(told_of_carol(which == EXPIRED ? WRN_REASON_EXPIRED : WRN_REASON_NOT_ADMITTED) == 1,
              "chain %u: said once each, however often she tries: ", which);
    }
    assert_true(bob_is_there());
}

/* Who may less cannot pass on more: of roles, and of addresses. */
static void narrowed_chains_stay_narrow(void **state) {
    (void)state;
    static uint8_t room[WRN_STATE_MAX], first[WRN_CREDENTIAL_MAX], second[WRN_CREDENTIAL_MAX];
    static const char limited[] = "(1:*3:set(6:member)(6:invite)(5:allow3:tcp2:22))";
    struct wrn_node_peer_info info;
    begin();
    struct wrn_descriptor descriptor = state_of(ALICE, numbers[ALICE], room).descriptor;
    wrn_span chain = issue(&descriptor, ALICE, (wrn_span){NULL, 0}, BOB, limited,
                           hosts_now.wall.s + DAY_S, first);
    come_with(BOB, chain);
    come_with(CAROL,
              issue(&descriptor, BOB, chain, CAROL, "(1:*)", hosts_now.wall.s + 2 * DAY_S, second));
    hosts_until(both_are_there, 90, "both have addresses");
    assert_int_equal(rights_of(CAROL), WRN_RIGHT_MEMBER | WRN_RIGHT_INVITE);
    assert_true(hosts_peer(ALICE, numbers[ALICE], CAROL, &info));
    assert_false(info.is_open);
    assert_int_equal(info.until_s, hosts_info(BOB, numbers[BOB]).until_s);
}

/* ---- giving and taking ---- */

static void invite_both(void) {
    begin();
    assert_int_equal(invite(ALICE, 1, false, "", DAY_S), WRN_REASON_NONE);
    join(BOB);
    assert_int_equal(invite(ALICE, 1, false, "", DAY_S), WRN_REASON_NONE);
    join(CAROL);
    hosts_until(both_are_there, 90, "both have addresses");
    hosts_until(carol_is_there, 60, "both know each other");
}

static bool bob_administers(void) {
    return rights_of(BOB) == (WRN_RIGHT_MEMBER | WRN_RIGHT_INVITE | WRN_RIGHT_ADMIN);
}

static bool bob_is_demoted(void) {
    return rights_of(BOB) == WRN_RIGHT_MEMBER;
}

static const char everything[] = "(1:*3:set(6:member)(6:invite)(5:admin))";

static void promoted_and_demoted(void **state) {
    (void)state;
    uint32_t count;
    invite_both();
    assert_int_equal(grant(CAROL, BOB, everything, true), WRN_REASON_NOT_ADMITTED);
    assert_int_equal(grant(ALICE, ALICE, everything, true), WRN_REASON_SELF);
    assert_int_equal(grant(ALICE, BOB, everything, true), WRN_REASON_NONE);
    hosts_until(bob_administers, 5, "Bob has what he was given");
    assert_non_null(hosts_event(BOB, WRN_NODE_EVENT_GRANTED_KIND));
    hosts_run(1000);
    struct wrn_node_peer_info info; /* others see it at once */
    assert_true(hosts_peer(CAROL, numbers[CAROL], BOB, &info));
    assert_int_equal(info.rights, rights_of(BOB));
    hosts_run(5000);
    assert_int_equal(grant(BOB, CAROL, "(5:relay)", false), WRN_REASON_NOT_ADMITTED);
    assert_int_equal(take_back_of(ALICE, WRN_NODE_REVOKE_EXTRA, BOB, &count), WRN_REASON_NONE);
    assert_int_equal(count, 1);
    hosts_until(bob_is_demoted, 5, "Bob has it no more");
    hosts_run(30000);
    assert_true(both_are_there());
    assert_int_equal(take_back_of(ALICE, WRN_NODE_REVOKE_EXTRA, BOB, &count), WRN_REASON_NOT_FOUND);
    assert_int_equal(take_back_of(ALICE, WRN_NODE_REVOKE_MEMBER, ALICE, &count), WRN_REASON_SELF);
}

static bool carol_is_out(void) {
    return !passes(ALICE, CAROL) && !passes(BOB, CAROL) &&
           hosts_event(CAROL, WRN_NODE_EVENT_SELF_REVOKED_KIND) != NULL;
}

static void who_is_revoked_is_out_everywhere(void **state) {
    (void)state;
    uint32_t count;
    invite_both();
    assert_int_equal(take_back_of(BOB, WRN_NODE_REVOKE_MEMBER, CAROL, &count),
                     WRN_REASON_NOT_ADMITTED);
    assert_int_equal(take_back_of(ALICE, WRN_NODE_REVOKE_MEMBER, CAROL, &count), WRN_REASON_NONE);
    /* its certificate, that of the invitation, which had one use; one for a year if it has it */
    assert_in_range(count, 2, 3);
    hosts_until(carol_is_out, 5, "she is out");
    const struct wrn_node_event *event = hosts_event(BOB, WRN_NODE_EVENT_REVOKED_KIND);
    assert_non_null(event);
    assert_memory_equal(event->hit, wrn_node_hit(node_of(CAROL)), WRN_HIT_SIZE);
    assert_memory_equal(event->by, wrn_node_hit(node_of(ALICE)), WRN_HIT_SIZE);
    hosts_run(60000);
    assert_true(carol_is_out());
    assert_true(passes(ALICE, BOB));
    /* the same invitation lets nobody in any more */
    join(DAVE);
    hosts_run(60000);
    assert_false(has_address(DAVE) || passes(ALICE, DAVE) || passes(BOB, DAVE));
}

static uint32_t answered; /* host that asked the table */

static bool has_table_answer(void) {
    return hosts[answered].answer_count > 0;
}

/* The list lies in the table, for who comes when its issuer is not there. */
static void lists_lie_in_the_table(void **state) {
    (void)state;
    uint8_t key[WRN_SPKI_KEY_SEXP_SIZE], hash[WRN_SHA256_SIZE], owner[WRN_SIGN_PUBLIC_SIZE];
    char text[80] = "crl/";
    uint32_t count;
    invite_both();
    assert_int_equal(take_back_of(ALICE, WRN_NODE_REVOKE_MEMBER, CAROL, &count), WRN_REASON_NONE);
    hosts_run(5000);
    hosts_public('a', owner);
    wrn_spki_hash(wrn_spki_key_sexp(owner, key), hash);
    for (size_t i = 0; i < sizeof hash; i++) {
        (void)snprintf(text + 4 + 2 * i, 3, "%02x", hash[i]);
    }
    answered = BOB;
    hosts[BOB].answer_count = 0;
    hosts_before();
    wrn_node_get(node_of(BOB), hosts_now, network_of(BOB), 7,
                 (wrn_span){(const uint8_t *)text, strlen(text)}, hosts_out);
    hosts_perform(BOB);
    hosts_until(has_table_answer, 30, "the table answers");
    assert_int_equal(hosts[BOB].answers[0].reason, WRN_REASON_NONE);
    assert_true(hosts[BOB].answers[0].record.size > WRN_REVOKED_LIST_HEAD);
}

static bool sixteen_are_there(void) {
    for (uint32_t i = 1; i < 16; i++) {
        if (!has_address(i)) {
            return false;
        }
    }
    return true;
}

static bool nobody_knows_bob(void) {
    for (uint32_t i = 0; i < 16; i++) {
        struct wrn_node_network_info info = hosts_info(i, numbers[i]);
        if (i != BOB && (passes(i, BOB) || info.revoked_lists == 0)) {
            return false;
        }
    }
    return true;
}

/* At the furthest from who took it back, too, and to those who have no link to him. */
static void sixteen_hear_of_it_within_five_seconds(void **state) {
    (void)state;
    uint32_t count;
    begin();
    for (char letter = 'e'; letter <= 'p'; letter++) {
        (void)hosts_add(letter);
    }
    for (uint32_t i = 1; i < 16; i++) {
        numbers[i] = hosts_join(i, ALICE, numbers[ALICE], "(member)", 0);
        hosts_run(500);
    }
    hosts_until(sixteen_are_there, 180, "sixteen have addresses");
    hosts_run(30000);
    assert_int_equal(take_back_of(ALICE, WRN_NODE_REVOKE_MEMBER, BOB, &count), WRN_REASON_NONE);
    hosts_until(nobody_knows_bob, 5, "nobody lets him send any more");
}

/* What the admin took back while the other was away is heard before anything of it passes. */
static void who_was_away_does_not_believe_the_revoked(void **state) {
    (void)state;
    uint32_t count;
    invite_both();
    hosts_run(10000);
    save_and_stop(BOB);
    hosts_run(5000);
    assert_int_equal(take_back_of(ALICE, WRN_NODE_REVOKE_MEMBER, CAROL, &count), WRN_REASON_NONE);
    hosts_run(2000);
    start_from_saved(BOB);
    for (uint32_t ms = 0; ms < 30000; ms += 50) {
        hosts_run(50);
        assert_false(passes(BOB, CAROL));
    }
    assert_true(bob_is_there());
}

static bool carol_is_out_at_alice(void) {
    return !passes(ALICE, CAROL);
}

static bool carol_is_in_again(void) {
    return passes(ALICE, CAROL) && has_address(CAROL);
}

/* An admin's word counts as long as he is one; what he took back is good again when he is none. */
static void a_revoked_admin_has_no_word(void **state) {
    (void)state;
    uint32_t count;
    invite_both();
    assert_int_equal(grant(ALICE, BOB, everything, true), WRN_REASON_NONE);
    hosts_until(bob_administers, 5, "Bob has what he was given");
    hosts_run(3000);
    assert_int_equal(take_back_of(BOB, WRN_NODE_REVOKE_MEMBER, CAROL, &count), WRN_REASON_NONE);
    hosts_until(carol_is_out_at_alice, 5, "the admin's word counts");
    assert_int_equal(take_back_of(ALICE, WRN_NODE_REVOKE_EXTRA, BOB, &count), WRN_REASON_NONE);
    hosts_until(bob_is_demoted, 10, "Bob is no admin any more");
    hosts_until(carol_is_in_again, 600, "what he said does not count any more");
}

/* ---- the end of a network ---- */

static enum wrn_reason end_it(uint32_t host, uint32_t *ret_told) {
    hosts_before();
    enum wrn_reason reason =
        wrn_node_end(node_of(host), hosts_now, network_of(host), hosts_out, ret_told, why);
    hosts_perform(host);
    return reason;
}

static bool has_ended(uint32_t host) {
    struct wrn_node_network_info info = hosts_info(host, numbers[host]);
    return info.ended_s > 0 && info.standing == WRN_REASON_EXCLUDED && info.rights == 0 &&
           strstr(info.trouble, "its owner ended it") != NULL;
}

static bool bob_has_ended(void) {
    return has_ended(BOB);
}

static bool carol_has_ended(void) {
    return has_ended(CAROL);
}

static bool alice_is_gone(void) {
    return hosts[ALICE].gone == 1;
}

/* Who is there hears it before the owner has left; who was off, from the others or the table. */
static void an_owner_ends_his_network(void **state) {
    (void)state;
    uint32_t told = 0;
    invite_both();
    save_and_stop(CAROL);
    hosts_run(120000); /* her links are given up */
    int64_t now_s = hosts_now.wall.s;
    assert_int_equal(end_it(ALICE, &told), WRN_REASON_NONE);
    assert_int_equal(told, 1);
    hosts_before();
    wrn_node_leave(node_of(ALICE), hosts_now, network_of(ALICE), true, hosts_out);
    hosts_perform(ALICE);
    hosts_until(bob_has_ended, 2, "a member hears it");
    assert_in_range(hosts_info(BOB, numbers[BOB]).ended_s, now_s, now_s + 1);
    const struct wrn_node_event *event = hosts_event(BOB, WRN_NODE_EVENT_ENDED_KIND);
    assert_non_null(event);
    assert_int_equal(event->until_s, hosts_info(BOB, numbers[BOB]).ended_s);
    assert_null(hosts_event(BOB, WRN_NODE_EVENT_SELF_REVOKED_KIND));
    hosts_until(alice_is_gone, 30, "the owner has left");
    hosts_stop(ALICE);
    assert_int_equal(invite(BOB, 1, false, "", DAY_S), WRN_REASON_NOT_ADMITTED);
    start_from_saved(CAROL);
    assert_false(has_ended(CAROL));
    hosts_until(carol_has_ended, 60, "who was off learns it");
    assert_true(hosts_info(CAROL, numbers[CAROL]).ipv4.family == WRN_FAMILY_NONE);
    save_and_stop(CAROL);
    hosts_stop(BOB);
    start_from_saved(CAROL);
    assert_true(has_ended(CAROL)); /* from the disk, alone */
}

/* Not even by a list that names what the owner's would. */
static void nobody_else_ends_it(void **state) {
    (void)state;
    uint32_t told = 0, count = 0;
    uint8_t mark[WRN_SHA256_SIZE];
    invite_both();
    assert_int_equal(grant(ALICE, BOB, everything, true), WRN_REASON_NONE);
    hosts_until(bob_administers, 5, "Bob has what he was given");
    hosts_run(3000);
    assert_int_equal(end_it(BOB, &told), WRN_REASON_NOT_ADMITTED);
    wrn_revoked_end_mark(wrn_node_descriptor(node_of(BOB), network_of(BOB))->id, mark);
    assert_int_equal(take_back(BOB, WRN_NODE_REVOKE_CERT, mark, &count), WRN_REASON_NONE);
    hosts_run(30000);
    for (uint32_t host = ALICE; host <= CAROL; host++) {
        assert_int_equal(hosts_info(host, numbers[host]).ended_s, 0);
        assert_int_equal(hosts_info(host, numbers[host]).standing, WRN_REASON_NONE);
    }
    assert_true(passes(ALICE, CAROL) && passes(BOB, CAROL));
}

/* A grant waits for a member that is away, also over a restart of the one who gave it. */
static void what_was_granted_waits(void **state) {
    (void)state;
    invite_both();
    save_and_stop(BOB);
    hosts_run(60000);
    assert_int_equal(grant(ALICE, BOB, everything, true), WRN_REASON_NONE);
    save_and_stop(ALICE);
    hosts_run(60000);
    start_from_saved(ALICE);
    hosts_run(30000);
    start_from_saved(BOB);
    hosts_until(bob_administers, 60, "he gets it when he is back");
}

/* ---- renewal ---- */

static int64_t first_end_s;

static bool bob_is_renewed(void) {
    return hosts_info(BOB, numbers[BOB]).until_s > first_end_s;
}

/* Who invited may be away from then on. */
static void who_was_invited_gets_a_year_at_once(void **state) {
    (void)state;
    begin();
    assert_int_equal(invite(ALICE, 1, false, "(5:allow3:tcp2:22)", 1200), WRN_REASON_NONE);
    join(BOB);
    first_end_s = hosts_now.wall.s + 300 * DAY_S;
    hosts_until(bob_is_renewed, 60, "he has a membership of his own");
    assert_in_range(hosts_info(BOB, numbers[BOB]).until_s - hosts_now.wall.s,
                    WRN_MEMBERSHIP_S - 100, WRN_MEMBERSHIP_S);
    assert_non_null(hosts_event(BOB, WRN_NODE_EVENT_RENEWED_KIND));
    hosts_until(bob_is_there, 60, "he has an address");
    hosts_run(10000);
    hosts_stop(ALICE);
    hosts_run(1300 * 1000);
    assert_int_equal(rights_of(BOB), WRN_RIGHT_MEMBER);
    assert_null(hosts_event(BOB, WRN_NODE_EVENT_EXPIRED_KIND));
}

static bool carol_has_a_year(void) {
    return hosts_info(CAROL, numbers[CAROL]).until_s > first_end_s;
}

static void begin_with_carol(void) {
    begin();
    assert_int_equal(invite(ALICE, 5, false, "", 30 * DAY_S), WRN_REASON_NONE);
    join(BOB);
    join(CAROL);
    first_end_s = hosts_now.wall.s + 300 * DAY_S;
    hosts_until(carol_has_a_year, 60, "she has a membership of her own");
    hosts_until(carol_is_there, 60, "she has an address");
    hosts_run(10000);
}

/* The owner revokes what she has, and she comes back with what she had. */
static void revoke_and_come_back(uint32_t expected) {
    uint32_t count = 0;
    assert_int_equal(take_back_of(ALICE, WRN_NODE_REVOKE_MEMBER, CAROL, &count), WRN_REASON_NONE);
    assert_int_equal(count, expected);
    start_from_saved(CAROL);
    for (uint32_t ms = 0; ms < 60000; ms += 500) {
        hosts_run(500);
        assert_false(passes(ALICE, CAROL) || passes(BOB, CAROL));
    }
}

/* She has what she joined by and what she got for it. The owner, who has been started again since,
 * revokes both while she is away: what he gave alone would leave her in by the other one. */
static void revoke_who_is_away(const char *given, bool is_demoted, uint32_t expected) {
    uint32_t count = 0;
    begin_with_carol();
    if (given != NULL) {
        assert_int_equal(grant(ALICE, CAROL, given, false), WRN_REASON_NONE);
        hosts_run(20000);
    }
    save_and_stop(CAROL);
    save_and_stop(ALICE);
    hosts_run(60000);
    start_from_saved(ALICE);
    hosts_run(10000);
    if (is_demoted) {
        assert_int_equal(take_back_of(ALICE, WRN_NODE_REVOKE_EXTRA, CAROL, &count),
                         WRN_REASON_NONE);
    } else if (given != NULL) {
        assert_int_equal(grant(ALICE, CAROL, given, false), WRN_REASON_NONE);
    }
    revoke_and_come_back(expected);
}

static void who_is_revoked_while_away_has_nothing_left(void **state) {
    (void)state;
    revoke_who_is_away(NULL, false, 2);
}

/* What was issued before is forgotten neither when the same is given again, nor when a demotion
 * gives a membership anew. */
static void what_is_given_again_is_revoked_with_what_was_given(void **state) {
    (void)state;
    revoke_who_is_away("(1:*3:set(6:member)(5:relay))", false, 4);
}

static void who_was_demoted_while_away_can_be_revoked(void **state) {
    (void)state;
    revoke_who_is_away("(1:*3:set(6:member)(5:relay))", true, 2); /* no membership anew */
}

/* What the owner once gave it has forgotten, as after a restored backup. It gives the same again,
 * which replaces the first in a chain; the member, who kept that, is away when all is revoked. */
static void what_was_replaced_is_revoked_too(void **state) {
    static const char given[] = "(1:*3:set(6:member)(5:relay))";
    (void)state;
    begin_with_carol();
    hosts_save(ALICE, numbers[ALICE]);
    assert_int_equal(grant(ALICE, CAROL, given, false), WRN_REASON_NONE);
    hosts_run(20000);
    hosts_save(CAROL, numbers[CAROL]);
    hosts_stop(ALICE);
    start_from_saved(ALICE);
    hosts_run(60000); /* the owner knows her again */
    assert_int_equal(grant(ALICE, CAROL, given, false), WRN_REASON_NONE);
    hosts_run(5000);
    hosts_stop(CAROL);
    save_and_stop(ALICE);
    hosts_run(60000);
    start_from_saved(ALICE);
    hosts_run(10000);
    revoke_and_come_back(4);
}

/* Not more than it had, and for as long. */
static void a_membership_is_renewed_in_time(void **state) {
    (void)state;
    struct wrn_node_peer_info info;
    begin();
    numbers[BOB] = hosts_join(BOB, ALICE, numbers[ALICE], "(* set (member) (allow tcp \"22\"))",
                              hosts_now.wall.s + 1200);
    hosts_until(bob_is_there, 60, "he has an address");
    first_end_s = hosts_info(BOB, numbers[BOB]).until_s;
    hosts_run((uint64_t)(first_end_s - hosts_now.wall.s - 700) * 1000);
    assert_false(bob_is_renewed());
    hosts_until(bob_is_renewed, 650, "it is renewed before it ends");
    assert_in_range(hosts_info(BOB, numbers[BOB]).until_s - hosts_now.wall.s, 1400, 1500);
    assert_non_null(hosts_event(BOB, WRN_NODE_EVENT_RENEWED_KIND));
    hosts_run(1500 * 1000);
    assert_true(bob_is_there());
    assert_null(hosts_event(BOB, WRN_NODE_EVENT_EXPIRING_KIND));
    assert_true(hosts_peer(ALICE, numbers[ALICE], BOB, &info));
    assert_int_equal(info.rights, WRN_RIGHT_MEMBER);
    assert_false(info.is_open); /* of packets, too */
}

static bool bob_is_told(void) {
    return hosts_event(BOB, WRN_NODE_EVENT_EXPIRING_KIND) != NULL;
}

static bool bob_is_over(void) {
    return hosts_event(BOB, WRN_NODE_EVENT_EXPIRED_KIND) != NULL;
}

static void who_is_not_renewed_is_told(void **state) {
    (void)state;
    begin();
    numbers[BOB] = hosts_join(BOB, ALICE, numbers[ALICE], "(member)", hosts_now.wall.s + 1200);
    numbers[CAROL] = hosts_join(CAROL, ALICE, numbers[ALICE], "(member)", 0);
    hosts_until(both_are_there, 90, "both have addresses");
    hosts_stop(ALICE);
    hosts_until(bob_is_told, 1200, "he is told that it ends");
    assert_true(hosts_info(BOB, numbers[BOB]).until_s > hosts_now.wall.s);
    hosts_until(bob_is_over, 300, "and that it has ended");
}

static bool carol_is_renewed(void) {
    return hosts_info(CAROL, numbers[CAROL]).until_s > first_end_s;
}

/* The owner is gone for ever; whom he trusted goes on. */
static void an_inviter_renews_instead_of_the_owner(void **state) {
    (void)state;
    begin();
    assert_int_equal(invite(ALICE, 1, false, "", 10 * DAY_S), WRN_REASON_NONE);
    join(BOB);
    hosts_until(bob_is_there, 60, "who was invited has an address");
    numbers[CAROL] = hosts_join(CAROL, ALICE, numbers[ALICE], "(member)", hosts_now.wall.s + 1200);
    hosts_until(carol_is_there, 60, "she has an address");
    assert_int_equal(grant(ALICE, BOB, everything, true), WRN_REASON_NONE);
    hosts_until(bob_administers, 5, "Bob has what he was given");
    first_end_s = hosts_info(CAROL, numbers[CAROL]).until_s;
    hosts_run(10000);
    hosts_stop(ALICE);
    hosts_until(carol_is_renewed, 1200, "it is renewed before it ends");
    hosts_run(1300 * 1000);
    assert_true(passes(BOB, CAROL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_is_invited_is_in, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(an_invitation_forgives_clocks, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(an_invitation_leads_in_while_its_maker_is_off, hosts_begin,
                                        hosts_end),
        cmocka_unit_test_setup_teardown(limits_of_invitations_are_kept, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(members_that_may_invite_do, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(an_invitation_is_used_once, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(who_lies_about_its_use_is_refused, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(two_uses_are_two, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(uses_are_counted, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(bad_chains_let_nobody_in, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(narrowed_chains_stay_narrow, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(promoted_and_demoted, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(who_is_revoked_is_out_everywhere, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(sixteen_hear_of_it_within_five_seconds, hosts_begin,
                                        hosts_end),
        cmocka_unit_test_setup_teardown(lists_lie_in_the_table, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(who_was_away_does_not_believe_the_revoked, hosts_begin,
                                        hosts_end),
        cmocka_unit_test_setup_teardown(a_revoked_admin_has_no_word, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(an_owner_ends_his_network, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(nobody_else_ends_it, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(what_was_granted_waits, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(who_was_invited_gets_a_year_at_once, hosts_begin,
                                        hosts_end),
        cmocka_unit_test_setup_teardown(who_is_revoked_while_away_has_nothing_left, hosts_begin,
                                        hosts_end),
        cmocka_unit_test_setup_teardown(what_is_given_again_is_revoked_with_what_was_given,
                                        hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(who_was_demoted_while_away_can_be_revoked, hosts_begin,
                                        hosts_end),
        cmocka_unit_test_setup_teardown(what_was_replaced_is_revoked_too, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(a_membership_is_renewed_in_time, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(who_is_not_renewed_is_told, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(an_inviter_renews_instead_of_the_owner, hosts_begin,
                                        hosts_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
