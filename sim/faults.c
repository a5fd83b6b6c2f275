/* SPDX-License-Identifier: Apache-2.0 */
/* Things that go wrong by themselves. */
#include "sim/faults.h"

#include <stdio.h>

#include "sim/population.h"

enum { SLEEP_MAX_S = 600, CLOCK_SPAN_S = 1200, CALM_ONE_IN = 3 };

static const char *const names[] = {
#define X(upper, lower) #lower,
    SIM_FAULT_LIST(X)
#undef X
};

static void on_event(struct sim_event *event);
static void happen(struct sim_faults *faults, enum sim_fault fault, uint32_t number);
static void happen_to_net(struct sim_faults *faults, enum sim_fault fault, uint32_t number);
static void split(struct sim_faults *faults);
static void set_weather(struct sim_faults *faults, uint32_t number);
static void calm(struct sim_faults *faults);
static struct sim_world *world_of(const struct sim_faults *faults);
static sim_host host_of(const struct sim_faults *faults, uint32_t number);

uint32_t sim_faults_draw(struct wrn_rand rand) {
    uint32_t enabled = 0;
    for (uint32_t i = 0; i < SIM_FAULTS; i++) {
        enabled |= wrn_rand_below(rand, 3) == 0 ? (uint32_t)1 << i : 0;
    }
    return enabled;
}

void sim_faults_begin(struct sim_faults *faults, const struct sim_victims *victims,
                      uint32_t enabled, uint64_t gap_ns) {
    *faults = (struct sim_faults){
        .victims = *victims,
        .event.happen = on_event,
        .gap_ns = gap_ns,
        .enabled = enabled,
        .rand = sim_rand(sim_net_world(victims->net), SIM_STREAM_FAULT, 1),
    };
    on_event(&faults->event);
}

void sim_faults_heal(struct sim_faults *faults) {
    const struct sim_victims *victims = &faults->victims;
    sim_at(world_of(faults), &faults->event, WRN_MONO_NEVER);
    calm(faults);
    for (uint32_t i = 0; i < victims->count; i++) {
        sim_clock_set_offset(sim_host_clock(victims->net, host_of(faults, i)), 0);
    }
    victims->revive(victims->ctx);
}

void sim_faults_report(const struct sim_faults *faults) {
    char line[SIM_REPORT_LINE_SIZE] = "faults:";
    size_t length = strlen(line);
    for (uint32_t i = 0; i < SIM_FAULTS; i++) {
        if ((faults->enabled >> i & 1) != 0) {
            length += (size_t)snprintf(line + length, sizeof line - length, " %s %llu", names[i],
                                       (unsigned long long)faults->counts[i]);
        }
    }
    sim_report_line(faults->victims.report, "%s%s", line, faults->enabled == 0 ? " none" : "");
}

/* Now and then all that lasts is over. */
static void on_event(struct sim_event *event) {
    struct sim_faults *faults = WRN_CONTAINER(event, struct sim_faults, event);
    const struct sim_victims *victims = &faults->victims;
    struct sim_world *world = world_of(faults);
    uint32_t drawn = wrn_rand_below(faults->rand, SIM_FAULTS);
    uint32_t first = drawn;
    uint32_t number = victims->draw(victims->ctx, faults->rand);
    if (wrn_rand_below(faults->rand, CALM_ONE_IN) == 0) {
        calm(faults);
    }
    while ((faults->enabled >> drawn & 1) == 0 && (drawn + 1) % SIM_FAULTS != first) {
        drawn = (drawn + 1) % SIM_FAULTS;
    }
    if ((faults->enabled >> drawn & 1) != 0 && number != SIM_FAULT_NOBODY) {
        faults->counts[drawn]++;
        happen(faults, (enum sim_fault)drawn, number);
    }
    uint64_t wait = sim_draw_gap(faults->rand, faults->gap_ns);
    sim_at(world, event, wrn_mono_add(sim_now(world).mono, wait));
}

static void happen(struct sim_faults *faults, enum sim_fault fault, uint32_t number) {
    const struct sim_victims *victims = &faults->victims;
    switch (fault) {
    case SIM_FAULT_LEAVE:
        victims->leave(victims->ctx, number);
        break;
    case SIM_FAULT_SLEEP:
        if (victims->can_sleep(victims->ctx, number)) {
            uint32_t asleep_s = 1 + wrn_rand_below(faults->rand, SLEEP_MAX_S);
            victims->sleep(victims->ctx, number, WRN_S(asleep_s));
        }
        break;
    case SIM_FAULT_CLOCK: {
        int64_t off_s = (int64_t)wrn_rand_below(faults->rand, CLOCK_SPAN_S) - CLOCK_SPAN_S / 2;
        sim_clock_set_offset(sim_host_clock(victims->net, host_of(faults, number)),
                             off_s * (int64_t)WRN_S(1));
        break;
    }
    case SIM_FAULT_HOST_MOVE:
        victims->move(victims->ctx, number);
        break;
    default:
        happen_to_net(faults, fault, number);
        break;
    }
}

static void happen_to_net(struct sim_faults *faults, enum sim_fault fault, uint32_t number) {
    const struct sim_victims *victims = &faults->victims;
    struct sim_net *net = victims->net;
    uint32_t drawn = wrn_rand_below(faults->rand, UINT32_MAX);
    sim_nat nat = victims->nat_count > 0 ? victims->nats[drawn % victims->nat_count] : 0;
    switch (fault) {
    case SIM_FAULT_NAT_FORGET:
        if (victims->nat_count > 0) {
            sim_nat_forget(net, nat);
        }
        break;
    case SIM_FAULT_NAT_MOVE:
        if (victims->nat_count > 0) {
            sim_nat_renumber(net, nat);
        }
        break;
    case SIM_FAULT_INTERFACE:
        sim_host_set_up(net, host_of(faults, number), false);
        break;
    case SIM_FAULT_CUT:
        sim_net_cut(net, host_of(faults, number), host_of(faults, drawn % victims->count), true);
        break;
    case SIM_FAULT_SPLIT:
        split(faults);
        break;
    default:
        set_weather(faults, number);
        break;
    }
}

/* Who is on which side is drawn each time. */
static void split(struct sim_faults *faults) {
    struct sim_net *net = faults->victims.net;
    for (uint32_t i = 0; i < faults->victims.count; i++) {
        sim_host_set_group(net, host_of(faults, i), wrn_rand_below(faults->rand, 2));
    }
    sim_net_cut_groups(net, 0, 1, true);
    sim_net_cut_groups(net, 1, 0, true);
}

static void set_weather(struct sim_faults *faults, uint32_t number) {
    struct sim_link line = {
        .delay_ns = WRN_MS(5 + wrn_rand_below(faults->rand, 100)),
        .jitter_ns = WRN_MS(wrn_rand_below(faults->rand, 50)),
        .loss_ppm = wrn_rand_below(faults->rand, 200000),
        .duplicate_ppm = wrn_rand_below(faults->rand, 50000),
        .corrupt_ppm = wrn_rand_below(faults->rand, 20000),
        .reorder_ppm = wrn_rand_below(faults->rand, 50000),
        .reorder_ns = WRN_MS(200),
    };
    sim_host_set_link(faults->victims.net, host_of(faults, number), &line, &line);
}

static void calm(struct sim_faults *faults) {
    const struct sim_victims *victims = &faults->victims;
    sim_net_heal(victims->net);
    victims->calm(victims->ctx);
    for (uint32_t i = 0; i < victims->count; i++) {
        sim_host_set_up(victims->net, host_of(faults, i), true);
    }
}

static struct sim_world *world_of(const struct sim_faults *faults) {
    return sim_net_world(faults->victims.net);
}

static sim_host host_of(const struct sim_faults *faults, uint32_t number) {
    return faults->victims.host(faults->victims.ctx, number);
}
