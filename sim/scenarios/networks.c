/* SPDX-License-Identifier: Apache-2.0 */
/* Whole nodes in a network: all reach all by address and by name; and so they do when the owner has
 * gone for ever. */
#include "sim/club.h"
#include "sim/memory.h"
#include "sim/scenarios/scenarios.h"

enum { IN_LIMIT_S = 60, PING_LIMIT_S = 10, HOUR_S = 3600, DAY_S = 86400 };
enum { WRONG_S = 600, COMPARED_S = 20 };

static void play_networks(struct sim_run *run);
static void play_owner_gone(struct sim_run *run);
static void play_wrong_clock(struct sim_run *run);
static void play_wrong_clock_join(struct sim_run *run);
static void invite_and_join(struct sim_club *club, uint32_t inviter, uint32_t first);
static void delegate(struct sim_club *club, struct sim_member *to);

const struct sim_scenario sim_networks = {
    .name = "networks",
    .sentence =
        "a network is made, hosts are invited and join; all ping all by address and by name",
    .nodes_are = "members, half of them behind NAT",
    .nodes = 12,
    .nodes_max = 100,
    .minutes = 1,
    .play = play_networks,
};

const struct sim_scenario sim_owner_gone = {
    .name = "owner-gone",
    .sentence = "the owner lets somebody invite and goes for ever; a day later all is as it was",
    .nodes_are = "members, half of them behind NAT",
    .nodes = 6,
    .nodes_max = 50,
    .minutes = 60,
    .play = play_owner_gone,
};

const struct sim_scenario sim_wrong_clock = {
    .name = "wrong-clock",
    .sentence = "one member's clock is set 10 minutes ahead, another's behind: all go on",
    .nodes_are = "members, half of them behind NAT",
    .nodes = 6,
    .nodes_max = 50,
    .minutes = 60,
    .play = play_wrong_clock,
};

const struct sim_scenario sim_wrong_clock_join = {
    .name = "wrong-clock-join",
    .sentence = "hosts whose clocks are 10 minutes wrong join, also through such inviters",
    .nodes_are = "members, half of them behind NAT; each clock is right, ahead or behind",
    .nodes = 9,
    .nodes_max = 50,
    .minutes = 30,
    .play = play_wrong_clock_join,
};

static void play_networks(struct sim_run *run) {
    struct sim_club club;
    uint64_t median_ms = 0;
    uint32_t count = run->options.nodes < 2 ? 2 : run->options.nodes;
    sim_club_begin(&club, run, count, NULL);
    uint64_t took_ms = sim_club_join(&club, 1, count - 1, WRN_S(IN_LIMIT_S));
    sim_report_line(&run->report, "%u members, all in %llu ms after the last one joined", count,
                    (unsigned long long)took_ms);
    uint64_t slowest_ms = sim_club_ping_all(&club, WRN_FAMILY_IPV4, WRN_S(PING_LIMIT_S),
                                            "first, by IPv4", &median_ms);
    sim_report_line(&run->report, "first pings, IPv4: half within %llu ms, all within %llu ms",
                    (unsigned long long)median_ms, (unsigned long long)slowest_ms);
    sim_report_figure(&run->report, "first_ping_ms", median_ms);
    sim_report_figure(&run->report, "first_ping_max_ms", slowest_ms);
    slowest_ms =
        sim_club_ping_all(&club, WRN_FAMILY_IPV6, WRN_S(PING_LIMIT_S), "by IPv6", &median_ms);
    sim_report_line(&run->report, "pings, IPv6: half within %llu ms, all within %llu ms",
                    (unsigned long long)median_ms, (unsigned long long)slowest_ms);
    /* Who has just joined may be asked for records whose copies it does not have yet. */
    sim_report_figure(&run->report, "names_found_at_once", sim_club_ask_names(&club, false));
    sim_members_pass(club.members, WRN_S(60) * run->options.minutes);
    (void)sim_club_ask_names(&club, true);
    (void)sim_club_ping_all(&club, WRN_FAMILY_IPV4, WRN_S(PING_LIMIT_S), "later", &median_ms);
    sim_report_figure(&run->report, "unreachable", club.members->unreachable);
    sim_club_end(&club);
}

static void play_owner_gone(struct sim_run *run) {
    struct sim_club club;
    uint64_t median_ms = 0;
    uint32_t count = run->options.nodes < 3 ? 3 : run->options.nodes;
    sim_club_begin(&club, run, count, NULL);
    struct sim_member *owner = club.members->all[0], *delegate_to = club.members->all[1];
    (void)sim_club_join(&club, 1, 1, WRN_S(IN_LIMIT_S));
    delegate(&club, delegate_to);
    sim_members_pass(club.members, WRN_S(10));
    sim_member_crash(owner);
    /* What the delegate gives ends in two hours if nobody renews it. */
    struct wrn_invitation invitation;
    if (sim_member_invite(delegate_to, 0, count, UINT64_C(2) * HOUR_S, false, &invitation)) {
        struct wrn_ip ips[2];
        (void)sim_host_addresses(club.members->net, delegate_to->host, ips);
        invitation.endpoints[0] = (struct wrn_endpoint){.ip = ips[0], .port = SIM_MEMBER_PORT};
        invitation.endpoint_count = 1;
        wrn_invitation_finish(&club.invitation);
        club.invitation = invitation;
        wrn_invitation_finish(&invitation);
        (void)sim_club_join(&club, 2, count - 1, WRN_S(IN_LIMIT_S));
        (void)sim_club_ping_all(&club, WRN_FAMILY_IPV4, WRN_S(PING_LIMIT_S), "without the owner",
                                &median_ms);
        sim_members_pass(club.members, WRN_S(60) * run->options.minutes * 5);
        (void)sim_club_ping_all(&club, WRN_FAMILY_IPV4, WRN_S(PING_LIMIT_S),
                                "when all have been renewed", &median_ms);
        uint64_t renewed = 0;
        for (uint32_t i = 2; i < count; i++) {
            renewed += club.members->all[i]->networks[0].events[WRN_NODE_EVENT_RENEWED_KIND] > 0;
        }
        bool is_long = run->options.minutes * 5 > 2 * 60;
        sim_report_expect(&run->report, !is_long || renewed == count - 2,
                          "%llu of %u memberships were renewed", (unsigned long long)renewed,
                          count - 2);
        sim_report_line(&run->report, "%llu of %u memberships were renewed without the owner",
                        (unsigned long long)renewed, count - 2);
    }
    sim_club_end(&club);
}

static void play_wrong_clock(struct sim_run *run) {
    struct sim_club club;
    uint64_t median_ms = 0;
    uint32_t count = run->options.nodes < 4 ? 4 : run->options.nodes;
    sim_club_begin(&club, run, count, NULL);
    struct sim_members *members = club.members;
    (void)sim_club_join(&club, 1, count - 1, WRN_S(IN_LIMIT_S));
    sim_clock_set_offset(sim_host_clock(members->net, members->all[1]->host),
                         (int64_t)WRN_S(WRONG_S));
    sim_clock_set_offset(sim_host_clock(members->net, members->all[2]->host),
                         -(int64_t)WRN_S(WRONG_S));
    sim_members_pass(members, WRN_S(COMPARED_S)); /* a clock that jumps may have been asleep */
    (void)sim_club_ping_all(&club, WRN_FAMILY_IPV4, WRN_S(PING_LIMIT_S), "at once", &median_ms);
    sim_members_pass(members, WRN_S(60) * run->options.minutes);
    uint64_t slowest_ms = sim_club_ping_all(&club, WRN_FAMILY_IPV4, WRN_S(PING_LIMIT_S),
                                            "with wrong clocks", &median_ms);
    sim_report_line(&run->report, "pings: half within %llu ms, all within %llu ms",
                    (unsigned long long)median_ms, (unsigned long long)slowest_ms);
    sim_club_end(&club);
}

/* The owner's clock is right. Hosts 1 and 2, one ahead and one behind, join by the owner's word and
 * may invite; all others join through one of the three, with each of the three clocks. */
static void play_wrong_clock_join(struct sim_run *run) {
    enum { INVITERS = 3 };
    static const int64_t off_s[] = {0, WRONG_S, -WRONG_S};
    struct sim_club club;
    uint64_t median_ms = 0;
    uint32_t count = run->options.nodes < 9 ? 9 : run->options.nodes;
    sim_club_begin(&club, run, count, NULL);
    struct sim_members *members = club.members;
    for (uint32_t i = 1; i < count; i++) {
        uint32_t clock = i < INVITERS ? i : i / INVITERS % WRN_COUNT(off_s);
        sim_clock_set_offset(sim_host_clock(members->net, members->all[i]->host),
                             off_s[clock] * (int64_t)WRN_S(1));
    }
    (void)sim_club_join(&club, 1, INVITERS - 1, WRN_S(IN_LIMIT_S));
    for (uint32_t i = 1; i < INVITERS; i++) {
        delegate(&club, members->all[i]);
    }
    sim_members_pass(members, WRN_S(10));
    for (uint32_t i = 0; i < INVITERS; i++) {
        invite_and_join(&club, i, INVITERS + i);
    }
    (void)sim_club_ping_all(&club, WRN_FAMILY_IPV4, WRN_S(PING_LIMIT_S), "at once", &median_ms);
    sim_members_pass(members, WRN_S(60) * run->options.minutes);
    uint64_t slowest_ms =
        sim_club_ping_all(&club, WRN_FAMILY_IPV4, WRN_S(PING_LIMIT_S), "later", &median_ms);
    sim_report_line(&run->report, "pings: half within %llu ms, all within %llu ms",
                    (unsigned long long)median_ms, (unsigned long long)slowest_ms);
    sim_club_end(&club);
}

/* Every third host from 'first' on joins through the inviter, for a day. */
static void invite_and_join(struct sim_club *club, uint32_t inviter, uint32_t first) {
    enum { INVITERS = 3 };
    struct sim_members *members = club->members;
    struct wrn_invitation invitation;
    struct wrn_ip ips[2];
    if (!sim_member_invite(members->all[inviter], 0, members->count, DAY_S, false, &invitation)) {
        return;
    }
    (void)sim_host_addresses(members->net, members->all[0]->host, ips);
    invitation.endpoints[0] = (struct wrn_endpoint){.ip = ips[0], .port = SIM_MEMBER_PORT};
    invitation.endpoint_count = 1;
    wrn_invitation_finish(&club->invitation);
    club->invitation = invitation;
    wrn_invitation_finish(&invitation);
    for (uint32_t i = first; i < members->count; i += INVITERS) {
        (void)sim_club_join(club, i, i, WRN_S(IN_LIMIT_S));
    }
}

/* The right to invite and to make members, to be passed on. */
static void delegate(struct sim_club *club, struct sim_member *to) {
    static const char element[] = "(1:*3:set(6:invite)(6:member))";
    wrn_span span = {(const uint8_t *)element, sizeof element - 1};
    enum wrn_reason reason =
        sim_member_grant(club->members->all[0], 0, to, span, true, UINT64_C(365) * DAY_S);
    sim_report_expect(club->report, reason == WRN_REASON_NONE, "%s got no right to invite",
                      to->name);
}
