/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of homes. */
#include "sim/home.h"

#include <stdio.h>

#include "base/bytes.h"

static struct sim_nat_options full_cone(void);
static struct sim_nat_options restricted_cone(void);
static struct sim_nat_options port_restricted_cone(void);
static struct sim_nat_options linux_with_strays(void);
static struct sim_nat_options symmetric_steps(void);
static struct sim_nat_options symmetric_random(void);
static struct sim_nat_options symmetric_open(void);
static struct sim_nat_options blocked(void);

const struct sim_home_class sim_home_classes[SIM_HOME_CLASSES] = {
    {"pu", "public address", NULL, SIM_CARRIER_NONE, SIM_OUTSIDE_STEADY, SIM_INDEPENDENT, false},
    {"fc", "full cone", full_cone, SIM_CARRIER_NONE, SIM_OUTSIDE_STEADY, SIM_INDEPENDENT, false},
    {"rc", "restricted cone", restricted_cone, SIM_CARRIER_NONE, SIM_OUTSIDE_STEADY, SIM_ADDRESS,
     false},
    {"pr", "port-restricted cone", port_restricted_cone, SIM_CARRIER_NONE, SIM_OUTSIDE_STEADY,
     SIM_ADDRESS_AND_PORT, false},
    {"lx", "Linux masquerade", sim_nat_linux, SIM_CARRIER_NONE, SIM_OUTSIDE_STEADY,
     SIM_ADDRESS_AND_PORT, false},
    {"ls", "Linux masquerade without a rule against strays", linux_with_strays, SIM_CARRIER_NONE,
     SIM_OUTSIDE_STEADY, SIM_ADDRESS_AND_PORT, true},
    {"am", "mapping and filtering by address", sim_nat_by_address, SIM_CARRIER_NONE,
     SIM_OUTSIDE_ADDRESS, SIM_ADDRESS, false},
    {"sn", "symmetric, next port", symmetric_steps, SIM_CARRIER_NONE, SIM_OUTSIDE_STEPS,
     SIM_ADDRESS_AND_PORT, false},
    {"sr", "symmetric, random port", symmetric_random, SIM_CARRIER_NONE, SIM_OUTSIDE_RANDOM,
     SIM_ADDRESS_AND_PORT, false},
    {"so", "symmetric, random port, no filter", symmetric_open, SIM_CARRIER_NONE,
     SIM_OUTSIDE_RANDOM, SIM_INDEPENDENT, false},
    {"cc", "Linux masquerade behind a carrier's cone", sim_nat_linux, SIM_CARRIER_CONE,
     SIM_OUTSIDE_STEADY, SIM_ADDRESS_AND_PORT, false},
    {"cr", "full cone behind a carrier's symmetric box", full_cone, SIM_CARRIER_RANDOM,
     SIM_OUTSIDE_RANDOM, SIM_ADDRESS_AND_PORT, false},
    {"bl", "UDP blocked", blocked, SIM_CARRIER_NONE, SIM_OUTSIDE_BLOCKED, SIM_ADDRESS_AND_PORT,
     false},
};

static struct sim_nat_options full_cone(void) {
    return sim_nat_cone(SIM_INDEPENDENT);
}

static struct sim_nat_options restricted_cone(void) {
    return sim_nat_cone(SIM_ADDRESS);
}

static struct sim_nat_options port_restricted_cone(void) {
    return sim_nat_cone(SIM_ADDRESS_AND_PORT);
}

static struct sim_nat_options linux_with_strays(void) {
    struct sim_nat_options options = sim_nat_linux();
    options.remembers_strays = true;
    return options;
}

static struct sim_nat_options symmetric_steps(void) {
    return sim_nat_symmetric(SIM_PORTS_NEXT, 1);
}

static struct sim_nat_options symmetric_random(void) {
    return sim_nat_symmetric(SIM_PORTS_RANDOM, 0);
}

static struct sim_nat_options symmetric_open(void) {
    struct sim_nat_options options = symmetric_random();
    options.filtering = SIM_INDEPENDENT;
    return options;
}

static struct sim_nat_options blocked(void) {
    struct sim_nat_options options = sim_nat_linux();
    options.blocks_udp = true;
    return options;
}

const struct sim_home_class *sim_home_class(const char *sign) {
    const struct sim_home_class *class = sim_home_classes;
    while (strcmp(class->sign, sign) != 0) {
        class ++;
        WRN_ASSERT(class < sim_home_classes + SIM_HOME_CLASSES);
    }
    return class;
}

struct sim_home sim_home_add(struct sim_net *net, const struct sim_home_class *class,
                             uint32_t ipv6_number, const struct sim_link *up,
                             const struct sim_link *down) {
    static const struct wrn_prefix shared4 = {{{100, 64}, WRN_FAMILY_IPV4}, 10};
    static const struct wrn_prefix home4 = {{{192, 168, 1}, WRN_FAMILY_IPV4}, 24};
    static const struct wrn_prefix none;
    struct sim_home home = {SIM_SEGMENT_INTERNET, SIM_HOME_NO_NAT};
    if (class->carrier != SIM_CARRIER_NONE) {
        struct sim_nat_options options =
            class->carrier == SIM_CARRIER_CONE ? sim_nat_carrier() : symmetric_random();
        sim_segment carrier = sim_net_add_segment(net, &shared4, &none);
        (void)sim_net_add_nat(net, carrier, home.segment, &options, NULL, NULL);
        home.segment = carrier;
    }
    if (class->options != NULL) {
        struct sim_nat_options options = class->options();
        struct wrn_prefix home6 = {{{0x20, 0x01, 0x0d, 0xb9}, WRN_FAMILY_IPV6}, 64};
        wrn_store_be32(home6.ip.bytes + 4, ipv6_number);
        sim_segment inner = sim_net_add_segment(net, &home4, ipv6_number != 0 ? &home6 : &none);
        home.nat = sim_net_add_nat(net, inner, home.segment, &options, up, down);
        home.segment = inner;
    }
    return home;
}

void sim_home_report_pairs(struct sim_report *report, sim_judge_pair *judge, void *ctx) {
    char line[SIM_REPORT_LINE_SIZE];
    size_t length = (size_t)snprintf(line, sizeof line, "%2s", "");
    for (uint32_t b = 0; b < SIM_HOME_CLASSES; b++) {
        length +=
            (size_t)snprintf(line + length, sizeof line - length, " %s", sim_home_classes[b].sign);
    }
    sim_report_line(report, "%s", line);
    uint32_t number = 0;
    for (uint32_t a = 0; a < SIM_HOME_CLASSES; a++) {
        length = (size_t)snprintf(line, sizeof line, "%s", sim_home_classes[a].sign);
        for (uint32_t b = 0; b < SIM_HOME_CLASSES; b++) {
            char sign = b < a ? ' ' : judge(ctx, number++, a, b);
            length += (size_t)snprintf(line + length, sizeof line - length, "  %c", sign);
        }
        sim_report_line(report, "%s  %s", line, sim_home_classes[a].name);
    }
}
