/* SPDX-License-Identifier: Apache-2.0 */
/* What members do. */
#include "sim/club.h"

#include <stdio.h>

#include "sim/echo.h"
#include "sim/memory.h"
#include "sim/sample.h"

enum {
    STEP_MS = 100,
    JOIN_GAP_MS = 200,
    NAME_LIMIT_S = 20,
    USES = 1000,
    DAY_S = 86400,
    FAILURES_MAX = 10,
    EXPLAINED_MAX = 3
};

/* Members of a club by number. */
struct range {
    const struct sim_club *club;
    uint32_t first, last;
};

/* Who asked whom, for what is said when no answer came. */
struct pair {
    uint32_t from, to;
};

static bool are_all_in(void *ctx);
static bool are_answered(void *ctx);
static void say_who_is_not_in(struct sim_club *club, uint32_t first, uint32_t last);
static bool have_echoes_come(void *ctx);
static void explain(struct sim_club *club, const struct sim_member *from,
                    const struct sim_member *to);

static uint32_t next_running(const struct sim_members *members, uint32_t number);
static uint32_t free_slot(const struct sim_member *member);
static int64_t wall_s(const struct sim_member *member);
static const uint8_t *public_key(const struct sim_member *member,
                                 uint8_t ret_key[WRN_SIGN_PUBLIC_SIZE]);

void sim_club_begin(struct sim_club *club, struct sim_run *run, uint32_t count,
                    const struct wrn_prefix *ipv4) {
    static const char *const classes[] = {"pu", "pu", "lx", "pr", "pu", "fc", "lx", "pu", "rc"};
    *club = (struct sim_club){
        .run = run,
        .report = &run->report,
        .members = sim_members_create(run),
        .rand = sim_rand(run->world, SIM_STREAM_FAULT, 0),
    };
    WRN_ASSERT(count >= 2);
    for (uint32_t i = 0; i < count; i++) {
        (void)sim_club_add(club, i < 2 ? "pu" : classes[i % WRN_COUNT(classes)]);
    }
    struct sim_member *owner = club->members->all[0];
    (void)sim_member_create(owner, "lab", ipv4);
    sim_members_pass(club->members, WRN_MS(JOIN_GAP_MS));
    if (sim_member_invite(owner, 0, USES, UINT64_C(365) * DAY_S, false, &club->invitation)) {
        struct wrn_ip ips[2];
        for (uint32_t i = 0; i < 2; i++) { /* whatever the owner knew, these two stay there */
            (void)sim_host_addresses(club->members->net, club->members->all[i]->host, ips);
            club->invitation.endpoints[i] =
                (struct wrn_endpoint){.ip = ips[0], .port = SIM_MEMBER_PORT};
        }
        club->invitation.endpoint_count = 2;
    }
}

uint64_t sim_club_join(struct sim_club *club, uint32_t first, uint32_t last, uint64_t limit_ns) {
    for (uint32_t i = first; i <= last; i++) {
        (void)sim_member_join(club->members->all[i], &club->invitation);
        sim_members_pass(club->members, WRN_MS(JOIN_GAP_MS));
    }
    return sim_club_expect_in(club, first, last, limit_ns);
}

uint64_t sim_club_expect_in(struct sim_club *club, uint32_t first, uint32_t last,
                            uint64_t limit_ns) {
    struct range range = {club, first, last};
    uint64_t took_ms = sim_members_until(club->members, limit_ns, are_all_in, &range);
    if (took_ms == UINT64_MAX) {
        say_who_is_not_in(club, first, last);
    }
    return took_ms;
}

struct sim_member *sim_club_add(struct sim_club *club, const char *class_sign) {
    struct sim_link line = {.delay_ns = WRN_MS(15 + wrn_rand_below(club->rand, 26))};
    struct sim_home home =
        sim_home_add(club->members->net, sim_home_class(class_sign), 0, NULL, NULL);
    struct sim_member *member = sim_member_add(club->members, home.segment, &line, &line);
    member->nat = home.nat;
    sim_member_start(member);
    return member;
}

uint64_t sim_club_ping_all(struct sim_club *club, uint8_t family, uint64_t limit_ns,
                           const char *what, uint64_t *ret_median_ms) {
    struct sim_members *members = club->members;
    struct range echoes = {.club = club, .first = members->echo_count};
    struct sim_sample samples = {0};
    struct pair *pairs = sim_take((size_t)members->count * members->count, sizeof *pairs);
    char lost[SIM_REPORT_LINE_SIZE / 2] = "";
    uint32_t failures = 0;
    for (uint32_t i = 0; i < members->count * members->count; i++) {
        struct sim_member *from = members->all[i / members->count];
        const struct sim_member *to = members->all[i % members->count];
        if (from != to && sim_member_is_connected(from, 0) && sim_member_is_connected(to, 0)) {
            struct wrn_ip ip = sim_member_address(to, 0, family);
            pairs[sim_member_ping(from, 0, &ip) - echoes.first] =
                (struct pair){from->number, to->number};
            sim_members_pass(members, WRN_MS(1));
        }
    }
    echoes.last = members->echo_count - 1;
    (void)sim_members_until(members, limit_ns, have_echoes_come, &echoes);
    for (uint32_t i = echoes.first; i <= echoes.last; i++) {
        const struct sim_echo *echo = &members->echoes[i];
        if (echo->came.ns == 0 || echo->came.ns - echo->sent.ns > limit_ns) {
            size_t length = strlen(lost);
            const struct pair *pair = &pairs[i - echoes.first];
            (void)snprintf(lost + length, sizeof lost - length, " %u-%u", pair->from, pair->to);
            if (failures++ < EXPLAINED_MAX) {
                explain(club, members->all[pair->from], members->all[pair->to]);
            }
        } else {
            sim_sample_add(&samples, (echo->came.ns - echo->sent.ns) / WRN_MS(1));
        }
    }
    sim_report_expect(club->report, failures == 0,
                      "%s: %u of %u pings were not answered in time:%s", what, failures,
                      echoes.last + 1 - echoes.first, lost);
    free(pairs);
    *ret_median_ms = sim_sample_percentile(&samples, 50);
    uint64_t slowest_ms = sim_sample_percentile(&samples, 100);
    sim_sample_finish(&samples);
    return slowest_ms;
}

uint32_t sim_club_ask_names(struct sim_club *club, bool must_be) {
    struct sim_members *members = club->members;
    struct pair *pairs = sim_take(members->count, sizeof *pairs);
    uint32_t first = members->asked_count, count = 0, found = 0;
    for (uint32_t i = 0; i < members->count; i++) {
        uint32_t to = next_running(members, i);
        if (members->all[i]->node != NULL) {
            pairs[count++] = (struct pair){i, to};
            (void)sim_member_resolve(members->all[i], 0, members->all[to]->name);
        }
    }
    uint64_t took_ms = sim_members_until(members, WRN_S(NAME_LIMIT_S), are_answered, members);
    for (uint32_t i = 0; i < count; i++) {
        const struct sim_asked *asked = &members->asked[first + i];
        const struct sim_member *meant = members->all[pairs[i].to];
        struct wrn_ip ipv4 = sim_member_address(meant, 0, WRN_FAMILY_IPV4);
        struct wrn_ip ipv6 = sim_member_address(meant, 0, WRN_FAMILY_IPV6);
        bool is_right = asked->name.found == WRN_NAMES_FOUND &&
                        wrn_ip_equal(&asked->name.ipv4, &ipv4) &&
                        wrn_ip_equal(&asked->name.ipv6, &ipv6);
        sim_report_expect(club->report, is_right || !must_be,
                          "%s asked for %s: found %d, reason %s", members->all[pairs[i].from]->name,
                          meant->name, (int)asked->name.found, wrn_reason_text(asked->reason));
        found += is_right;
    }
    free(pairs);
    sim_report_line(club->report, "%u of %u names found in %llu ms", found, count,
                    (unsigned long long)took_ms);
    return found;
}

void sim_club_end(struct sim_club *club) {
    wrn_invitation_finish(&club->invitation);
    sim_members_destroy(club->members);
}

uint32_t sim_member_create(struct sim_member *member, const char *name,
                           const struct wrn_prefix *ipv4) {
    struct wrn_descriptor descriptor = {.kind = WRN_NETWORK_L3};
    struct wrn_state *state = sim_take(1, sizeof *state);
    uint32_t slot = free_slot(member);
    memcpy(descriptor.name, name, strlen(name) + 1);
    if (ipv4 != NULL) {
        descriptor.ipv4 = *ipv4;
    }
    enum wrn_descriptor_fault fault = wrn_state_create(
        &descriptor, member->seed, wrn_prng_rand(&member->prng), wall_s(member), NULL, 0, state);
    sim_report_expect(&member->members->run->report, fault == WRN_DESCRIPTOR_OK,
                      "%s cannot make the network: fault %d", member->name, (int)fault);
    if (fault == WRN_DESCRIPTOR_OK) {
        sim_member_set_state(member, slot, state);
    }
    free(state);
    return slot;
}

bool sim_member_invite(struct sim_member *member, uint32_t slot, uint32_t uses, uint64_t seconds,
                       bool members_may_invite, struct wrn_invitation *ret_invitation) {
    struct wrn_node_invite_options options = {
        .uses = uses,
        .until_s = wall_s(member) + (int64_t)seconds,
        .members_may_invite = members_may_invite,
    };
    char why[WRN_JUDGE_WHY_SIZE] = "";
    sim_member_begin(member);
    enum wrn_reason reason =
        wrn_node_invite(member->node, sim_member_now(member), member->networks[slot].handle,
                        &options, member->members->out, ret_invitation, why);
    sim_member_end(member);
    sim_report_expect(&member->members->run->report, reason == WRN_REASON_NONE,
                      "%s cannot invite: %s (%s)", member->name, wrn_reason_text(reason), why);
    return reason == WRN_REASON_NONE;
}

uint32_t sim_member_join(struct sim_member *member, const struct wrn_invitation *invitation) {
    struct sim_report *report = &member->members->run->report;
    struct wrn_state *state = sim_take(1, sizeof *state);
    struct wrn_invitation *read = sim_take(1, sizeof *read);
    char *line = sim_take(1, WRN_INVITATION_LINE_MAX);
    uint8_t chain[WRN_CREDENTIAL_MAX], key[WRN_SIGN_PUBLIC_SIZE];
    uint32_t slot = free_slot(member);
    size_t length = wrn_invitation_print_line(invitation, line, WRN_INVITATION_LINE_MAX);
    enum wrn_invitation_fault fault =
        wrn_invitation_read((wrn_span){(const uint8_t *)line, length}, read);
    if (fault == WRN_INVITATION_OK) {
        fault =
            wrn_state_join(read, public_key(member, key), wall_s(member), INT64_MAX, chain, state);
    }
    sim_report_expect(report, fault == WRN_INVITATION_OK, "%s cannot join: %s", member->name,
                      wrn_invitation_fault_text(fault));
    if (fault == WRN_INVITATION_OK) {
        sim_member_set_state(member, slot, state);
    }
    free(line);
    free(read);
    free(state);
    return slot;
}

enum wrn_reason sim_member_revoke(struct sim_member *member, uint32_t slot,
                                  const struct sim_member *whom) {
    char why[WRN_JUDGE_WHY_SIZE] = "";
    uint8_t key[WRN_SIGN_PUBLIC_SIZE];
    uint32_t count = 0;
    sim_member_begin(member);
    enum wrn_reason reason = wrn_node_revoke(
        member->node, sim_member_now(member), member->networks[slot].handle, WRN_NODE_REVOKE_MEMBER,
        public_key(whom, key), (wrn_span){0}, member->members->out, &count, why);
    sim_member_end(member);
    if (reason != WRN_REASON_NONE) {
        sim_report_line(&member->members->run->report, "%s could not revoke %s: %s (%s)",
                        member->name, whom->name, wrn_reason_text(reason), why);
    }
    return reason;
}

enum wrn_reason sim_member_grant(struct sim_member *member, uint32_t slot,
                                 const struct sim_member *whom, wrn_span element, bool may_delegate,
                                 uint64_t seconds) {
    char why[WRN_JUDGE_WHY_SIZE] = "";
    uint8_t key[WRN_SIGN_PUBLIC_SIZE], hash[WRN_SHA256_SIZE];
    sim_member_begin(member);
    enum wrn_reason reason = wrn_node_grant(
        member->node, sim_member_now(member), member->networks[slot].handle, public_key(whom, key),
        element, may_delegate, wall_s(member) + (int64_t)seconds, member->members->out, hash, why);
    sim_member_end(member);
    if (reason != WRN_REASON_NONE) {
        sim_report_line(&member->members->run->report, "%s could not give %s more rights: %s (%s)",
                        member->name, whom->name, wrn_reason_text(reason), why);
    }
    return reason;
}

uint32_t sim_member_resolve(struct sim_member *member, uint32_t slot, const char *label) {
    struct sim_members *members = member->members;
    struct wrn_names_question question = {.kind = WRN_NAMES_HOST};
    memcpy(question.label, label, strlen(label) + 1);
    members->asked = sim_grow(members->asked, members->asked_count, &members->asked_capacity,
                              sizeof *members->asked);
    uint32_t tag = members->asked_count++;
    struct wrn_names_answer answer;
    sim_member_begin(member);
    wrn_node_resolve(member->node, sim_member_now(member), member->networks[slot].handle, &question,
                     tag, &answer, members->out);
    if (answer.found != WRN_NAMES_PENDING) {
        members->asked[tag] = (struct sim_asked){.is_answered = true, .count = 1, .name = answer};
    }
    sim_member_end(member);
    return tag;
}

uint32_t sim_member_ping(struct sim_member *member, uint32_t slot, const struct wrn_ip *to) {
    struct sim_members *members = member->members;
    uint8_t packet[SIM_ECHO_SIZE];
    members->echoes = sim_grow(members->echoes, members->echo_count, &members->echo_capacity,
                               sizeof *members->echoes);
    uint32_t number = members->echo_count++;
    struct wrn_ip from = sim_member_address(member, slot, to->family);
    members->echoes[number].sent = sim_now(members->run->world).mono;
    if (from.family != WRN_FAMILY_NONE && member->node != NULL) {
        size_t size = sim_echo_write(&from, to, number, packet);
        sim_member_send(member, slot, (wrn_span){packet, size});
    }
    return number;
}

struct wrn_ip sim_member_address(const struct sim_member *member, uint32_t slot, uint8_t family) {
    struct wrn_node_network_info info;
    if (member->node == NULL ||
        !wrn_node_network_info(member->node, member->networks[slot].handle, &info)) {
        return (struct wrn_ip){.family = WRN_FAMILY_NONE};
    }
    struct wrn_ip ip = family == WRN_FAMILY_IPV4 ? info.ipv4 : info.ipv6;
    bool is_set = false;
    for (uint32_t i = 0; i < member->networks[slot].address_count; i++) {
        is_set |= wrn_ip_equal(&member->networks[slot].addresses[i].ip, &ip);
    }
    sim_report_expect(&member->members->run->report, is_set || ip.family == WRN_FAMILY_NONE,
                      "%s says that it has an address that its interface has not", member->name);
    return ip;
}

bool sim_member_is_connected(const struct sim_member *member, uint32_t slot) {
    struct wrn_node_network_info info;
    return member->node != NULL &&
           wrn_node_network_info(member->node, member->networks[slot].handle, &info) &&
           info.ring == WRN_RING_STATE_CONNECTED;
}

bool sim_member_is_in(const struct sim_member *member, uint32_t slot) {
    return sim_member_is_connected(member, slot) &&
           sim_member_address(member, slot, WRN_FAMILY_IPV4).family != WRN_FAMILY_NONE;
}

void sim_members_pass(struct sim_members *members, uint64_t ns) {
    struct sim_world *world = members->run->world;
    (void)sim_run(world, wrn_mono_add(sim_now(world).mono, ns));
}

uint64_t sim_members_until(struct sim_members *members, uint64_t limit_ns,
                           sim_members_condition *holds, void *ctx) {
    wrn_mono begun = sim_now(members->run->world).mono;
    uint64_t passed_ns = 0;
    while (!holds(ctx)) {
        if (passed_ns >= limit_ns) {
            return UINT64_MAX;
        }
        sim_members_pass(members, WRN_MS(STEP_MS));
        passed_ns = sim_now(members->run->world).mono.ns - begun.ns;
    }
    return passed_ns / WRN_MS(1);
}

static bool are_all_in(void *ctx) {
    const struct range *range = ctx;
    for (uint32_t i = range->first; i <= range->last; i++) {
        if (!sim_member_is_in(range->club->members->all[i], 0)) {
            return false;
        }
    }
    return true;
}

static void say_who_is_not_in(struct sim_club *club, uint32_t first, uint32_t last) {
    uint32_t failures = 0;
    for (uint32_t i = first; i <= last; i++) {
        const struct sim_member *member = club->members->all[i];
        struct wrn_node_network_info info = {.trouble = ""};
        if (sim_member_is_in(member, 0) || failures++ >= FAILURES_MAX) {
            continue;
        }
        (void)wrn_node_network_info(member->node, member->networks[0].handle, &info);
        sim_report_expect(club->report, false, "%s is not in: ring %d, %u peers, lease %d; %s; %s",
                          member->name, (int)info.ring, info.peers, (int)info.lease, info.trouble,
                          member->networks[0].last.text);
    }
}

static bool are_answered(void *ctx) {
    const struct sim_members *members = ctx;
    for (uint32_t i = 1; i < members->asked_count; i++) {
        if (!members->asked[i].is_answered) {
            return false;
        }
    }
    return true;
}

static bool have_echoes_come(void *ctx) {
    const struct range *range = ctx;
    for (uint32_t i = range->first; i <= range->last; i++) {
        if (range->club->members->echoes[i].came.ns == 0) {
            return false;
        }
    }
    return true;
}

/* What one thinks of another, for those who look for the cause. */
static void explain(struct sim_club *club, const struct sim_member *from,
                    const struct sim_member *to) {
    struct wrn_node_peer_info peer;
    uint32_t cursor = 0;
    while (wrn_node_next_peer(from->node, from->networks[0].handle, &cursor, &peer)) {
        if (memcmp(peer.hit, wrn_node_hit(to->node), sizeof peer.hit) == 0) {
            sim_report_line(club->report,
                            "%s knows %s: path %d, rights %u, %s, %s, ends in %lld s, %llu bytes "
                            "out, %llu in",
                            from->name, to->name, (int)peer.overlay.path, peer.rights,
                            peer.is_waiting ? "shut" : "not shut",
                            peer.ipv4.family == WRN_FAMILY_IPV4 ? "has an address" : "no address",
                            (long long)(peer.until_s - wall_s(from)),
                            (unsigned long long)peer.tx_bytes, (unsigned long long)peer.rx_bytes);
            return;
        }
    }
    sim_report_line(club->report, "%s does not know %s", from->name, to->name);
}

static uint32_t next_running(const struct sim_members *members, uint32_t number) {
    uint32_t next = number;
    do {
        next = (next + 1) % members->count;
    } while (members->all[next]->node == NULL && next != number);
    return next;
}

static uint32_t free_slot(const struct sim_member *member) {
    uint32_t slot = 0;
    while (slot < SIM_MEMBER_NETWORKS && member->networks[slot].is_used) {
        slot++;
    }
    WRN_ASSERT(slot < SIM_MEMBER_NETWORKS);
    return slot;
}

static int64_t wall_s(const struct sim_member *member) {
    return sim_member_now(member).wall.s;
}

static const uint8_t *public_key(const struct sim_member *member,
                                 uint8_t ret_key[WRN_SIGN_PUBLIC_SIZE]) {
    const struct wrn_primitives *primitives = &member->members->primitives;
    bool is_made = primitives->sign_public(primitives->ctx, member->seed, ret_key);
    WRN_ASSERT(is_made);
    return ret_key;
}
