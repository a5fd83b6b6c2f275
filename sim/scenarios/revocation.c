/* SPDX-License-Identifier: Apache-2.0 */
/* Members that are revoked: cut off everywhere within seconds; and by one who slept meanwhile, too,
 * before a packet of theirs gets through. */
#include "sim/club.h"
#include "sim/scenarios/scenarios.h"

enum { IN_LIMIT_S = 90, CUT_LIMIT_S = 5, AFTER_S = 20, TARGETS_MAX = 24, GAP_MS = 200 };
enum { ASLEEP_S = 300, AWAKE_LIMIT_S = 30, AWAKE_S = 60 };

/* Who gets what of one member. */
struct watch {
    struct sim_club club;
    struct sim_member *victim;
    struct wrn_ip address; /* its IPv4 address while it had one */
    wrn_mono from;         /* packets of it are counted from here on */
    uint64_t packets;
    wrn_mono last;              /* came one */
    struct sim_member *only_at; /* NULL: everywhere */
    uint32_t asked;             /* the first echo of the one who slept */
};

static void play_revoke(struct sim_run *run);
static void play_asleep(struct sim_run *run);
static void begin(struct watch *watch, struct sim_run *run, uint32_t count);
static void on_packet(void *ctx, struct sim_member *member, uint32_t slot, wrn_span packet);
static void speak(struct watch *watch, uint64_t ns);
static uint32_t knowing(const struct watch *watch);
static bool do_all_know(void *ctx);
static bool does_sleeper_hear(void *ctx);

const struct sim_scenario sim_revoke = {
    .name = "revoke",
    .sentence = "a member is revoked while it talks to others: all have cut it within 5 s",
    .nodes_are = "members, half of them behind NAT",
    .nodes = 16,
    .nodes_max = 500,
    .minutes = 1,
    .play = play_revoke,
};

const struct sim_scenario sim_asleep = {
    .name = "asleep",
    .sentence = "who slept through a revocation takes no packet of the revoked one when it wakes",
    .nodes_are = "members, half of them behind NAT",
    .nodes = 6,
    .nodes_max = 50,
    .minutes = 1,
    .play = play_asleep,
};

static void play_revoke(struct sim_run *run) {
    struct watch watch;
    begin(&watch, run, run->options.nodes < 3 ? 3 : run->options.nodes);
    speak(&watch, WRN_S(10));
    sim_report_expect(&run->report, watch.packets > 0, "nothing came before the revocation");
    wrn_mono revoked = sim_now(run->world).mono;
    enum wrn_reason reason = sim_member_revoke(watch.club.members->all[0], 0, watch.victim);
    sim_report_expect(&run->report, reason == WRN_REASON_NONE, "the owner could not revoke");
    uint64_t knew_ms = UINT64_MAX;
    for (uint32_t i = 0; i < AFTER_S * 1000 / GAP_MS; i++) {
        speak(&watch, WRN_MS(GAP_MS));
        if (knew_ms == UINT64_MAX && do_all_know(&watch)) {
            knew_ms = (sim_now(run->world).mono.ns - revoked.ns) / WRN_MS(1);
        }
    }
    uint64_t last_ms = watch.last.ns > revoked.ns ? (watch.last.ns - revoked.ns) / WRN_MS(1) : 0;
    sim_report_line(&run->report,
                    "all knew of it after %llu ms, the last packet came after %llu ms",
                    (unsigned long long)knew_ms, (unsigned long long)last_ms);
    sim_report_figure(&run->report, "known_ms", knew_ms);
    sim_report_figure(&run->report, "last_packet_ms", last_ms);
    sim_report_expect(&run->report, knew_ms <= CUT_LIMIT_S * UINT64_C(1000),
                      "%u of %u knew of it in time", knowing(&watch),
                      watch.club.members->count - 1);
    sim_report_expect(&run->report, last_ms <= CUT_LIMIT_S * UINT64_C(1000),
                      "a packet came %llu ms after the revocation", (unsigned long long)last_ms);
    sim_report_expect(&run->report,
                      watch.victim->networks[0].events[WRN_NODE_EVENT_SELF_REVOKED_KIND] > 0,
                      "%s was not told", watch.victim->name);
    speak(&watch, WRN_S(60) * run->options.minutes);
    uint64_t later_ms = watch.last.ns > revoked.ns ? (watch.last.ns - revoked.ns) / WRN_MS(1) : 0;
    sim_report_expect(&run->report, later_ms == last_ms, "a packet came %llu ms later",
                      (unsigned long long)later_ms);
    sim_club_end(&watch.club);
}

/* The revoked one goes on sending to the sleeper, by the session that they had. */
static void play_asleep(struct sim_run *run) {
    struct watch watch;
    begin(&watch, run, run->options.nodes < 4 ? 4 : run->options.nodes);
    struct sim_member *sleeper = watch.club.members->all[2];
    watch.only_at = sleeper;
    speak(&watch, WRN_S(10));
    sim_report_expect(&run->report, watch.packets > 0, "nothing came before it slept");
    sim_member_sleep(sleeper);
    sim_members_pass(watch.club.members, WRN_S(5));
    enum wrn_reason reason = sim_member_revoke(watch.club.members->all[0], 0, watch.victim);
    sim_report_expect(&run->report, reason == WRN_REASON_NONE, "the owner could not revoke");
    speak(&watch, WRN_S(ASLEEP_S));
    watch.packets = 0;
    sim_member_wake(sleeper);
    wrn_mono woke = sim_now(run->world).mono;
    speak(&watch, WRN_S(AWAKE_S));
    sim_report_expect(&run->report, watch.packets == 0,
                      "%llu packets of the revoked one came after waking, the last after %llu ms",
                      (unsigned long long)watch.packets,
                      (unsigned long long)((watch.last.ns - woke.ns) / WRN_MS(1)));
    uint64_t took_ms =
        sim_members_until(watch.club.members, WRN_S(AWAKE_LIMIT_S), does_sleeper_hear, &watch);
    sim_report_expect(&run->report, took_ms != UINT64_MAX,
                      "the sleeper hears nothing of honest ones either");
    sim_report_line(&run->report, "awake, the sleeper heard %llu packets of the revoked one",
                    (unsigned long long)watch.packets);
    sim_club_end(&watch.club);
}

static void begin(struct watch *watch, struct sim_run *run, uint32_t count) {
    *watch = (struct watch){0};
    sim_club_begin(&watch->club, run, count, NULL);
    (void)sim_club_join(&watch->club, 1, count - 1, WRN_S(IN_LIMIT_S));
    watch->victim = watch->club.members->all[count - 1];
    watch->address = sim_member_address(watch->victim, 0, WRN_FAMILY_IPV4);
    watch->club.members->on_packet = on_packet;
    watch->club.members->ctx = watch;
}

static void on_packet(void *ctx, struct sim_member *member, uint32_t slot, wrn_span packet) {
    struct watch *watch = ctx;
    (void)slot;
    if (member != watch->victim && packet.size >= 20 && packet.data[0] >> 4 == 4 &&
        memcmp(packet.data + 12, watch->address.bytes, 4) == 0 &&
        (watch->only_at == NULL || watch->only_at == member)) {
        watch->packets++;
        watch->last = sim_now(watch->club.run->world).mono;
    }
}

/* The member pings some of the others, again and again. */
static void speak(struct watch *watch, uint64_t ns) {
    struct sim_members *members = watch->club.members;
    uint32_t count = members->count - 1;
    uint32_t step = count <= TARGETS_MAX ? 1 : count / TARGETS_MAX;
    for (uint64_t passed = 0; passed < ns; passed += WRN_MS(GAP_MS)) {
        for (uint32_t i = 0; i < count; i += step) {
            struct wrn_ip ip = sim_member_address(members->all[i], 0, WRN_FAMILY_IPV4);
            if (ip.family != WRN_FAMILY_NONE && watch->victim->node != NULL) {
                (void)sim_member_ping(watch->victim, 0, &ip);
            }
        }
        sim_members_pass(members, WRN_MS(GAP_MS));
    }
}

static uint32_t knowing(const struct watch *watch) {
    uint32_t count = 0;
    struct wrn_node_network_info info;
    for (uint32_t i = 0; i < watch->club.members->count; i++) {
        const struct sim_member *member = watch->club.members->all[i];
        count += member != watch->victim && member->node != NULL &&
                 wrn_node_network_info(member->node, member->networks[0].handle, &info) &&
                 info.revoked_lists > 0;
    }
    return count;
}

static bool do_all_know(void *ctx) {
    const struct watch *watch = ctx;
    return knowing(watch) == watch->club.members->count - 1;
}

/* Pings the owner each time that it is asked. */
static bool does_sleeper_hear(void *ctx) {
    struct watch *watch = ctx;
    struct sim_members *members = watch->club.members;
    struct wrn_ip ip = sim_member_address(members->all[0], 0, WRN_FAMILY_IPV4);
    for (uint32_t i = watch->asked; i < members->echo_count; i++) {
        if (members->echoes[i].came.ns != 0) {
            return true;
        }
    }
    (void)sim_member_ping(members->all[2], 0, &ip);
    return false;
}
