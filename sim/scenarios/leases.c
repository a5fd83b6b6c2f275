/* SPDX-License-Identifier: Apache-2.0 */
/* A network with room for five: the sixth is told; and two that took one address while they could
 * not hear of each other are told, and one of them gives it up. */
#include "sim/club.h"
#include "sim/scenarios/scenarios.h"

enum { ROOM = 5, IN_LIMIT_S = 60, TOLD_LIMIT_S = 120, PARTED_S = 120, HEALED_LIMIT_S = 600 };
enum { HERE = 1, THERE = 2 };

/* What the condition of a wait is about. */
struct wait {
    const struct sim_club *club;
    uint32_t member;
    uint64_t lost, troubled; /* events wanted, of all */
};

static void play_leases(struct sim_run *run);
static void play_parted(struct sim_run *run);
static bool has_an_address(const struct sim_member *member);
static void note_lost(void *ctx, struct sim_member *member, uint32_t slot,
                      const struct wrn_node_event *event);
static uint64_t events(const struct sim_club *club, enum wrn_node_event_kind kind);
static bool is_told(void *ctx);
static bool is_resolved(void *ctx);
static bool has_member_address(void *ctx);
static uint32_t held(const struct sim_club *club, uint32_t *ret_twice);
static void part(struct sim_club *club, bool is_parted);

const struct sim_scenario sim_leases = {
    .name = "leases",
    .sentence =
        "a network of seven addresses: five hosts get one, the sixth is told that it is full",
    .nodes_are = "members, 6 at least",
    .nodes = 6,
    .nodes_max = 12,
    .minutes = 1,
    .play = play_leases,
};

const struct sim_scenario sim_leases_parted = {
    .name = "leases-parted",
    .sentence =
        "two halves each give the last address away; when they meet, one of the two is told",
    .nodes_are = "members: always 6",
    .nodes = 6,
    .nodes_max = 6,
    .minutes = 1,
    .play = play_parted,
};

static const struct wrn_prefix small_range = {{{10, 77, 0, 0}, WRN_FAMILY_IPV4}, 29};

static void play_leases(struct sim_run *run) {
    struct sim_club club;
    uint64_t median_ms = 0;
    uint32_t count = run->options.nodes <= ROOM ? ROOM + 1 : run->options.nodes;
    sim_club_begin(&club, run, count, &small_range);
    (void)sim_club_join(&club, 1, ROOM - 1, WRN_S(IN_LIMIT_S));
    for (uint32_t i = ROOM; i < count; i++) {
        (void)sim_member_join(club.members->all[i], &club.invitation);
    }
    for (uint32_t i = ROOM; i < count; i++) {
        struct wait wait = {.club = &club, .member = i};
        uint64_t took_ms = sim_members_until(club.members, WRN_S(TOLD_LIMIT_S), is_told, &wait);
        sim_report_expect(&run->report, took_ms != UINT64_MAX,
                          "%s was not told that there is no address", club.members->all[i]->name);
        sim_report_line(&run->report, "%s: %s", club.members->all[i]->name,
                        club.members->all[i]->networks[0].last.text);
    }
    uint32_t twice = 0;
    uint32_t held_count = held(&club, &twice);
    sim_report_expect(&run->report, held_count == ROOM && twice == 0,
                      "%u addresses are held, %u of them twice", held_count, twice);
    (void)sim_club_ping_all(&club, WRN_FAMILY_IPV6, WRN_S(10), "without IPv4 for all, by IPv6",
                            &median_ms);
    sim_members_pass(club.members, WRN_S(60) * run->options.minutes);
    /* Who gives an address back makes room. */
    sim_member_begin(club.members->all[1]);
    wrn_node_leave(club.members->all[1]->node, sim_member_now(club.members->all[1]),
                   club.members->all[1]->networks[0].handle, true, club.members->out);
    sim_member_end(club.members->all[1]);
    struct wait wait = {.club = &club, .member = ROOM};
    bool is_one = count == ROOM + 1; /* of several waiting ones anybody may be the first */
    uint64_t took_ms = sim_members_until(club.members, WRN_S(HEALED_LIMIT_S),
                                         is_one ? has_member_address : is_resolved, &wait);
    sim_report_expect(&run->report, !is_one || took_ms != UINT64_MAX,
                      "nobody took the address that was given back");
    sim_report_line(&run->report, "an address given back was taken after %llu ms",
                    (unsigned long long)took_ms);
    sim_club_end(&club);
}

/* One address is free, and each half has somebody who wants it: of six members then six have one,
 * so two have the same. */
static void play_parted(struct sim_run *run) {
    struct sim_club club;
    uint32_t twice = 0;
    sim_club_begin(&club, run, ROOM + 1, &small_range);
    (void)sim_club_join(&club, 1, ROOM - 2, WRN_S(IN_LIMIT_S));
    part(&club, true);
    sim_members_pass(club.members, WRN_S(PARTED_S));
    (void)sim_member_join(club.members->all[ROOM - 1], &club.invitation);
    (void)sim_member_join(club.members->all[ROOM], &club.invitation);
    for (uint32_t i = ROOM - 1; i <= ROOM; i++) {
        struct wait wait = {.club = &club, .member = i};
        uint64_t took_ms =
            sim_members_until(club.members, WRN_S(TOLD_LIMIT_S), has_member_address, &wait);
        sim_report_expect(&run->report, took_ms != UINT64_MAX, "%s got no address in its half",
                          club.members->all[i]->name);
    }
    club.members->on_event = note_lost;
    club.members->ctx = run;
    uint32_t held_count = held(&club, &twice);
    sim_report_line(&run->report, "parted: %u hosts have an address, %u of them the same",
                    held_count, twice);
    sim_report_expect(&run->report, held_count == ROOM + 1 && twice > 0,
                      "%u of %d hosts have an address, %u twice", held_count, ROOM + 1, twice);
    part(&club, false);
    struct wait wait = {.club = &club, .lost = 1, .troubled = 1};
    uint64_t took_ms = sim_members_until(club.members, WRN_S(HEALED_LIMIT_S), is_resolved, &wait);
    held_count = held(&club, &twice);
    sim_report_expect(&run->report, took_ms != UINT64_MAX && held_count == ROOM && twice == 0,
                      "after the meeting %u hosts have an address, %u twice; %llu lost one and "
                      "%llu were told",
                      held_count, twice,
                      (unsigned long long)events(&club, WRN_NODE_EVENT_ADDRESS_LOST_KIND),
                      (unsigned long long)events(&club, WRN_NODE_EVENT_ADDRESS_TROUBLE_KIND));
    sim_report_line(&run->report, "resolved %llu ms after they could meet",
                    (unsigned long long)took_ms);
    sim_club_end(&club);
}

/* What is said about addresses, for people. */
static void note_lost(void *ctx, struct sim_member *member, uint32_t slot,
                      const struct wrn_node_event *event) {
    struct sim_run *run = ctx;
    (void)slot;
    if (event->kind == WRN_NODE_EVENT_ADDRESS_LOST_KIND ||
        event->kind == WRN_NODE_EVENT_ADDRESS_TROUBLE_KIND) {
        sim_report_line(&run->report, "%s: %s", member->name, event->text);
    }
}

static bool has_an_address(const struct sim_member *member) {
    return sim_member_address(member, 0, WRN_FAMILY_IPV4).family != WRN_FAMILY_NONE;
}

static uint64_t events(const struct sim_club *club, enum wrn_node_event_kind kind) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < club->members->count; i++) {
        sum += club->members->all[i]->networks[0].events[kind];
    }
    return sum;
}

static bool is_told(void *ctx) {
    const struct wait *wait = ctx;
    const struct sim_member *member = wait->club->members->all[wait->member];
    return member->networks[0].events[WRN_NODE_EVENT_ADDRESS_TROUBLE_KIND] > 0 &&
           !has_an_address(member);
}

static bool has_member_address(void *ctx) {
    const struct wait *wait = ctx;
    return has_an_address(wait->club->members->all[wait->member]);
}

/* Nobody shares an address, and who had to give one up has been told so. */
static bool is_resolved(void *ctx) {
    const struct wait *wait = ctx;
    uint32_t twice = 0;
    return held(wait->club, &twice) == ROOM && twice == 0 &&
           events(wait->club, WRN_NODE_EVENT_ADDRESS_LOST_KIND) >= wait->lost &&
           events(wait->club, WRN_NODE_EVENT_ADDRESS_TROUBLE_KIND) >= wait->troubled;
}

/* How many have an address, and how many of them one that somebody else has too. */
static uint32_t held(const struct sim_club *club, uint32_t *ret_twice) {
    uint32_t count = 0;
    *ret_twice = 0;
    for (uint32_t i = 0; i < club->members->count; i++) {
        struct wrn_ip ip = sim_member_address(club->members->all[i], 0, WRN_FAMILY_IPV4);
        bool is_shared = false;
        for (uint32_t k = 0; k < club->members->count && ip.family != WRN_FAMILY_NONE; k++) {
            struct wrn_ip other = sim_member_address(club->members->all[k], 0, WRN_FAMILY_IPV4);
            is_shared |= k != i && wrn_ip_equal(&ip, &other);
        }
        count += ip.family != WRN_FAMILY_NONE;
        *ret_twice += is_shared;
    }
    return count;
}

/* The even ones stay with the owner; the odd ones are alone with the second public host. */
static void part(struct sim_club *club, bool is_parted) {
    for (uint32_t i = 0; i < club->members->count; i++) {
        sim_host_set_group(club->members->net, club->members->all[i]->host,
                           i % 2 == 0 ? HERE : THERE);
    }
    sim_net_cut_groups(club->members->net, HERE, THERE, is_parted);
    sim_net_cut_groups(club->members->net, THERE, HERE, is_parted);
}
