/* SPDX-License-Identifier: Apache-2.0 */
/* A swarm of whole nodes: what goes wrong is drawn as in "mixed", and meanwhile a member is
 * revoked. While it lasts nobody who knows of the revocation hears the revoked one; when it is over
 * all others are in, with their addresses, and reach each other by address and by name. */
#include "sim/club.h"
#include "sim/faults.h"
#include "sim/memory.h"
#include "sim/scenarios/scenarios.h"
#include "sim/share.h"

enum { NODES_MIN = 4, IN_LIMIT_S = 60, HEAL_LIMIT_S = 240, PING_LIMIT_S = 10, TICK_S = 2 };
enum { REVOKE_EVERY_S = 10, GREET_PPM = 900000 };
enum { AWAY_MIN_S = 10, AWAY_SPAN_S = 290, GAP_MIN_S = 5, GAP_SPAN_S = 40, LINE_MS = 25 };

struct trouble;

/* When somebody comes back, or wakes. */
struct turn {
    struct sim_event event;
    struct trouble *trouble;
    uint32_t number;
};

struct trouble {
    struct sim_club club;
    struct sim_faults faults;
    struct turn *turns; /* by member */
    sim_nat *nats;
    uint32_t nat_count;
    struct wrn_rand rand;
    struct sim_member *revoked; /* NULL: not yet */
    struct wrn_ip address;      /* of the revoked one, then */
    uint64_t heard;             /* packets of the revoked one, by those who knew */
};

static void play(struct sim_run *run);
static void prepare(struct trouble *trouble);
static void pass_time(struct trouble *trouble);
static bool revoke_last(void *ctx);
static void greet_all(struct trouble *trouble);
static void expect_well(struct trouble *trouble);
static struct sim_victims victims_of(struct trouble *trouble);
static void on_packet(void *ctx, struct sim_member *member, uint32_t slot, wrn_span packet);

const struct sim_scenario sim_networks_mixed = {
    .name = "networks-mixed",
    .sentence = "the seed decides what goes wrong for a network; then all heals and must come back",
    .nodes_are = "members at most; the seed says how many, from 4 on",
    .nodes = 10,
    .nodes_max = 100,
    .minutes = 4,
    .play = play,
};

static void play(struct sim_run *run) {
    struct trouble trouble = {.rand = sim_rand(run->world, SIM_STREAM_WORLD, 3001)};
    uint32_t count = run->options.nodes < NODES_MIN ? NODES_MIN : run->options.nodes;
    count = NODES_MIN + wrn_rand_below(trouble.rand, count - NODES_MIN + 1);
    sim_club_begin(&trouble.club, run, count, NULL);
    (void)sim_club_join(&trouble.club, 1, count - 1, WRN_S(IN_LIMIT_S));
    prepare(&trouble);
    struct sim_victims victims = victims_of(&trouble);
    uint32_t gap_s = GAP_MIN_S + wrn_rand_below(trouble.rand, GAP_SPAN_S);
    sim_faults_begin(&trouble.faults, &victims, sim_faults_draw(trouble.rand), WRN_S(gap_s));
    pass_time(&trouble);
    sim_faults_heal(&trouble.faults);
    sim_report_line(&run->report, "%u members", count);
    sim_faults_report(&trouble.faults);
    expect_well(&trouble);
    free(trouble.turns);
    free(trouble.nats);
    sim_club_end(&trouble.club);
}

/* Some ping some others all the time; in the middle one is revoked. */
static void pass_time(struct trouble *trouble) {
    struct sim_members *members = trouble->club.members;
    uint32_t end_s = trouble->club.run->options.minutes * 60;
    for (uint32_t s = 0; s < end_s; s += TICK_S) {
        struct sim_member *from = members->all[wrn_rand_below(trouble->rand, members->count)];
        struct sim_member *to = members->all[wrn_rand_below(trouble->rand, members->count)];
        struct wrn_ip ip = sim_member_address(to, 0, WRN_FAMILY_IPV4);
        if (from != to && from->node != NULL && ip.family == WRN_FAMILY_IPV4 &&
            !sim_host_clock(members->net, from->host)->is_asleep) {
            (void)sim_member_ping(from, 0, &ip);
        }
        if (s >= end_s / 2 && s % REVOKE_EVERY_S == 0) {
            (void)revoke_last(trouble);
        }
        sim_members_pass(members, WRN_S(TICK_S));
    }
}

/* Whose certificates the owner has not seen he cannot revoke: then later. */
static bool revoke_last(void *ctx) {
    struct trouble *trouble = ctx;
    struct sim_members *members = trouble->club.members;
    struct sim_member *victim = members->all[members->count - 1];
    struct wrn_ip ip = sim_member_address(victim, 0, WRN_FAMILY_IPV4);
    if (trouble->revoked == NULL &&
        sim_member_revoke(members->all[0], 0, victim) == WRN_REASON_NONE) {
        trouble->revoked = victim;
        trouble->address = ip;
    }
    return trouble->revoked != NULL;
}

static bool do_all_know(void *ctx) {
    const struct trouble *trouble = ctx;
    const struct sim_members *members = trouble->club.members;
    struct wrn_node_network_info info;
    for (uint32_t i = 0; i < members->count; i++) {
        const struct sim_member *member = members->all[i];
        if (member != trouble->revoked &&
            (!wrn_node_network_info(member->node, member->networks[0].handle, &info) ||
             info.revoked_lists == 0)) {
            return false;
        }
    }
    return true;
}

static void expect_well(struct trouble *trouble) {
    struct sim_club *club = &trouble->club;
    struct sim_members *members = club->members;
    uint64_t median_ms = 0;
    uint32_t last = members->count - 2; /* the one behind it was revoked */
    uint64_t took_ms = sim_club_expect_in(club, 0, last, WRN_S(HEAL_LIMIT_S));
    sim_report_line(club->report, "all are in %llu ms after all was healed",
                    (unsigned long long)took_ms);
    sim_report_figure(club->report, "mended_after_ms", took_ms);
    (void)sim_members_until(members, WRN_S(IN_LIMIT_S), revoke_last, trouble);
    sim_report_expect(club->report, trouble->revoked != NULL, "the owner could not revoke");
    uint64_t knew_ms = sim_members_until(members, WRN_S(HEAL_LIMIT_S), do_all_know, trouble);
    sim_report_expect(club->report, knew_ms != UINT64_MAX, "not all know who is revoked");
    sim_report_expect(club->report, trouble->heard == 0,
                      "%llu packets of the revoked one came to those who knew",
                      (unsigned long long)trouble->heard);
    sim_member_crash(members->all[members->count - 1]);
    sim_members_pass(members, WRN_S(60) * 2); /* who lost an address has told the others */
    greet_all(trouble);
    uint64_t slowest_ms =
        sim_club_ping_all(club, WRN_FAMILY_IPV4, WRN_S(PING_LIMIT_S), "healed", &median_ms);
    sim_report_line(club->report, "pings: half within %llu ms, all within %llu ms",
                    (unsigned long long)median_ms, (unsigned long long)slowest_ms);
    (void)sim_club_ping_all(club, WRN_FAMILY_IPV6, WRN_S(PING_LIMIT_S), "healed, by IPv6",
                            &median_ms);
    (void)sim_club_ask_names(club, true);
}

/* All ping all once. A session that ends its 180 s while the question or the answer is under way
 * loses it, by the protocol (REJECT_AFTER_TIME): a few may stay without an answer. */
static void greet_all(struct trouble *trouble) {
    struct sim_members *members = trouble->club.members;
    uint32_t first = members->echo_count, came = 0;
    for (uint32_t i = 0; i < members->count * members->count; i++) {
        struct sim_member *from = members->all[i / members->count];
        const struct sim_member *to = members->all[i % members->count];
        struct wrn_ip ip = sim_member_address(to, 0, WRN_FAMILY_IPV4);
        if (from != to && from->node != NULL && ip.family == WRN_FAMILY_IPV4) {
            (void)sim_member_ping(from, 0, &ip);
        }
    }
    sim_members_pass(members, WRN_S(PING_LIMIT_S));
    for (uint32_t i = first; i < members->echo_count; i++) {
        came += members->echoes[i].came.ns != 0;
    }
    uint32_t count = members->echo_count - first;
    sim_report_expect(trouble->club.report, sim_ppm(came, count) >= GREET_PPM || came + 2 >= count,
                      "healed: %u of %u first pings were answered", came, count);
    sim_report_line(trouble->club.report, "%u of %u first pings were answered", came, count);
}

static void on_packet(void *ctx, struct sim_member *member, uint32_t slot, wrn_span packet) {
    struct trouble *trouble = ctx;
    struct wrn_node_network_info info;
    if (trouble->revoked != NULL && trouble->address.family == WRN_FAMILY_IPV4 &&
        member != trouble->revoked && packet.size >= 20 && packet.data[0] >> 4 == 4 &&
        memcmp(packet.data + 12, trouble->address.bytes, 4) == 0 &&
        wrn_node_network_info(member->node, member->networks[slot].handle, &info) &&
        info.revoked_lists > 0) {
        trouble->heard++;
    }
}

/* ---- what faults do to members ---- */

static void on_turn(struct sim_event *event) {
    struct turn *turn = WRN_CONTAINER(event, struct turn, event);
    struct sim_member *member = turn->trouble->club.members->all[turn->number];
    if (sim_host_clock(member->members->net, member->host)->is_asleep) {
        sim_member_wake(member);
    }
    if (member->node == NULL) {
        sim_member_start(member);
    }
}

static void prepare(struct trouble *trouble) {
    struct sim_members *members = trouble->club.members;
    trouble->turns = sim_take(members->count, sizeof *trouble->turns);
    trouble->nats = sim_take(members->count, sizeof *trouble->nats);
    for (uint32_t i = 0; i < members->count; i++) {
        trouble->turns[i] = (struct turn){.event.happen = on_turn, .trouble = trouble, .number = i};
        if (members->all[i]->nat != SIM_HOME_NO_NAT) {
            trouble->nats[trouble->nat_count++] = members->all[i]->nat;
        }
    }
    members->on_packet = on_packet;
    members->ctx = trouble;
}

static void plan(struct trouble *trouble, uint32_t number, uint64_t ns) {
    struct sim_world *world = trouble->club.run->world;
    sim_at(world, &trouble->turns[number].event, wrn_mono_add(sim_now(world).mono, ns));
}

static sim_host host_of(void *ctx, uint32_t number) {
    const struct trouble *trouble = ctx;
    return trouble->club.members->all[number]->host;
}

/* The owner stays: there is one who can revoke, and one whom all know from the invitation. */
static uint32_t draw_victim(void *ctx, struct wrn_rand rand) {
    const struct trouble *trouble = ctx;
    const struct sim_members *members = trouble->club.members;
    uint32_t number = 1 + wrn_rand_below(rand, members->count - 1);
    const struct sim_member *member = members->all[number];
    bool is_live = member->node != NULL && !sim_host_clock(members->net, member->host)->is_asleep;
    return is_live ? number : SIM_FAULT_NOBODY;
}

static void leave(void *ctx, uint32_t number) {
    struct trouble *trouble = ctx;
    struct sim_member *member = trouble->club.members->all[number];
    bool is_killed = wrn_rand_below(trouble->rand, 2) != 0;
    uint32_t away_s = AWAY_MIN_S + wrn_rand_below(trouble->rand, AWAY_SPAN_S);
    (is_killed ? sim_member_crash : sim_member_stop)(member);
    plan(trouble, number, WRN_S(away_s));
}

static bool can_sleep(void *ctx, uint32_t number) {
    const struct trouble *trouble = ctx;
    return !sim_is_set(&trouble->turns[number].event);
}

static void let_sleep(void *ctx, uint32_t number, uint64_t ns) {
    struct trouble *trouble = ctx;
    sim_member_sleep(trouble->club.members->all[number]);
    plan(trouble, number, ns);
}

static void move(void *ctx, uint32_t number) {
    struct trouble *trouble = ctx;
    struct sim_member *member = trouble->club.members->all[number];
    sim_member_move(member, member->segment);
}

static void calm(void *ctx) {
    struct trouble *trouble = ctx;
    struct sim_members *members = trouble->club.members;
    struct sim_link line = {.delay_ns = WRN_MS(LINE_MS)};
    for (uint32_t i = 0; i < members->count; i++) {
        sim_host_set_link(members->net, members->all[i]->host, &line, &line);
    }
}

static void revive(void *ctx) {
    struct trouble *trouble = ctx;
    struct sim_members *members = trouble->club.members;
    for (uint32_t i = 0; i < members->count; i++) {
        sim_at(trouble->club.run->world, &trouble->turns[i].event, WRN_MONO_NEVER);
        on_turn(&trouble->turns[i].event);
    }
}

static struct sim_victims victims_of(struct trouble *trouble) {
    return (struct sim_victims){
        .net = trouble->club.members->net,
        .report = trouble->club.report,
        .nats = trouble->nats,
        .nat_count = trouble->nat_count,
        .count = trouble->club.members->count,
        .ctx = trouble,
        .host = host_of,
        .draw = draw_victim,
        .leave = leave,
        .can_sleep = can_sleep,
        .sleep = let_sleep,
        .move = move,
        .calm = calm,
        .revive = revive,
    };
}
