/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of homes: what stands between a host and the internet. The classes of NAT that scenarios
 * name, and what is known of each beforehand. */
#pragma once
#include "sim/net.h"
#include "sim/report.h"

/* Before the home's own box stands none, or that of a carrier. */
enum sim_carrier { SIM_CARRIER_NONE, SIM_CARRIER_CONE, SIM_CARRIER_RANDOM };

/* How a node behind such a box chooses its ports towards the outside, as it can find out. */
enum sim_outside {
    SIM_OUTSIDE_STEADY,  /* one outer endpoint for all */
    SIM_OUTSIDE_ADDRESS, /* one for each address */
    SIM_OUTSIDE_STEPS,   /* one for each destination, predictable */
    SIM_OUTSIDE_RANDOM,  /* one for each destination, random */
    SIM_OUTSIDE_BLOCKED, /* none */
};

struct sim_home_class {
    const char *sign; /* two letters */
    const char *name;
    struct sim_nat_options (*options)(void); /* NULL: a public address */
    enum sim_carrier carrier;
    enum sim_outside outside;
    enum sim_dependence filtering;
    bool is_race; /* its port depends on whose probe comes first */
};

enum { SIM_HOME_CLASSES = 13 };
extern const struct sim_home_class sim_home_classes[SIM_HOME_CLASSES];

/* A home that was built. */
struct sim_home {
    sim_segment segment; /* where its hosts belong */
    sim_nat nat;         /* its own box; SIM_HOME_NO_NAT: none */
};

#define SIM_HOME_NO_NAT ((sim_nat)UINT32_MAX)

/* Returns the class with this sign, which exists. */
const struct sim_home_class *sim_home_class(const char *sign);

/* Builds a home with an own carrier's network, if the class has one. With an 'ipv6_number', which
 * no other home has, its hosts have IPv6 addresses behind a firewall; 0: they have none. NULL
 * links: perfect ones. */
struct sim_home sim_home_add(struct sim_net *net, const struct sim_home_class *class,
                             uint32_t ipv6_number, const struct sim_link *up,
                             const struct sim_link *down);

/* Tells in one letter what became of the pair of two classes, a <= b. */
typedef char sim_judge_pair(void *ctx, uint32_t number, uint32_t a, uint32_t b);

/* Reports a table of all pairs of classes. 'judge' is asked of each pair once, row by row; 'number'
 * counts them from 0. */
void sim_home_report_pairs(struct sim_report *report, sim_judge_pair *judge, void *ctx);
