/* SPDX-License-Identifier: Apache-2.0 */
/* Things that go wrong by themselves, drawn from the seed: which there are in a run, when they
 * happen, to whom. Ends on command: then the world is healed. */
#pragma once
#include "sim/net.h"
#include "sim/report.h"
#include "sim/world.h"

/* X(NAME, name) */
#define SIM_FAULT_LIST(X)                                                                          \
    X(LEAVE, leave)         /* a node stops or crashes, and comes back later */                    \
    X(SLEEP, sleep)         /* a host sleeps for up to ten minutes */                              \
    X(NAT_FORGET, forget)   /* a box forgets its mappings */                                       \
    X(NAT_MOVE, renumber)   /* a box gets another outer address */                                 \
    X(HOST_MOVE, move)      /* a host gets another address */                                      \
    X(INTERFACE, interface) /* a host's cable is out for a while */                                \
    X(CUT, cut)             /* nothing comes from one host to another for a while */               \
    X(SPLIT, split)         /* two parts hear nothing of each other for a while */                 \
    X(CLOCK, clock)         /* a wall clock jumps by up to ten minutes */                          \
    X(WEATHER, weather)     /* lines lose, repeat, delay and change what they carry */

enum sim_fault {
#define X(upper, lower) SIM_FAULT_##upper,
    SIM_FAULT_LIST(X)
#undef X
        SIM_FAULTS
};

#define SIM_FAULT_NOBODY UINT32_MAX

/* Whom they happen to: hosts by number, from 0. A host is never asked to do something twice at
 * once: who sleeps or is gone comes back by itself, and no fault of these two kinds may undo it. */
struct sim_victims {
    struct sim_net *net;
    struct sim_report *report;
    const sim_nat *nats;
    uint32_t nat_count;
    uint32_t count;
    void *ctx;
    sim_host (*host)(void *ctx, uint32_t number);
    uint32_t (*draw)(void *ctx, struct wrn_rand rand); /* one that runs, or SIM_FAULT_NOBODY */
    void (*leave)(void *ctx, uint32_t number);
    bool (*can_sleep)(void *ctx, uint32_t number);
    void (*sleep)(void *ctx, uint32_t number, uint64_t ns);
    void (*move)(void *ctx, uint32_t number);
    void (*calm)(void *ctx);   /* puts lines back to what they are without faults */
    void (*revive)(void *ctx); /* wakes and starts all */
};

struct sim_faults {
    struct sim_victims victims;
    struct sim_event event;
    uint64_t gap_ns;
    uint32_t enabled; /* bits by enum sim_fault */
    struct wrn_rand rand;
    uint64_t counts[SIM_FAULTS];
};

/* Returns bits for about a third of the kinds, drawn. */
uint32_t sim_faults_draw(struct wrn_rand rand);

/* Has faults of the enabled kinds happen, one every 'gap_ns' on average. 'faults' must not move. */
void sim_faults_begin(struct sim_faults *faults, const struct sim_victims *victims,
                      uint32_t enabled, uint64_t gap_ns);

/* Nothing more happens, and all is healed: lines, cuts, clocks; all nodes run and are awake. */
void sim_faults_heal(struct sim_faults *faults);

/* Reports one line: which kinds there were, how often. */
void sim_faults_report(const struct sim_faults *faults);
