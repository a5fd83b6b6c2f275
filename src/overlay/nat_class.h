/* SPDX-License-Identifier: Apache-2.0 */
/* Tells from how others see a node what its NAT does to ports. A pure function of what was seen;
 * keeps nothing and asks nobody. */
#pragma once
#include "base/address.h"
#include "overlay/locator.h"

/* What one peer says of where our datagrams from socket 0 come from. */
struct wrn_nat_sight {
    struct wrn_endpoint observer; /* where we sent to */
    struct wrn_endpoint outer;    /* where that came from, as it says */
    uint32_t order;               /* when the mapping was made: smaller ones before greater ones */
};

struct wrn_nat_view {
    enum wrn_nat_class nat_class;
    int32_t port_step;         /* PORT_PREDICTABLE, else 0 */
    uint16_t port_last;        /* ... the port that was given last */
    struct wrn_endpoint outer; /* as most see us, family NONE: too few do to be believed */
};

enum {
    WRN_NAT_PORT_FIRST = 1024, /* ports that NATs give: from here to 65535 */
    WRN_NAT_PORTS = 65536 - 1024,
    WRN_NAT_STEP_MAX = 256,     /* greater steps cannot be told from chance */
    WRN_NAT_STRANGERS_MAX = 8,  /* flows of others between two of ours that are allowed for */
    WRN_NAT_SIGHTS_MIN_HARD = 3 /* observers whom a class with many ports takes */
};

/* Classes a NAT by what 'count' different peers say (IPv4 only; one sight a peer) and, for those
 * with many outer ports, by the ports that mappings which were made one after the other got
 * ('fresh', oldest first, from 3 on; 0: none were made). 'locals' are our own endpoints. No single
 * peer decides: the address is what most say, the port what two at different addresses say, or our
 * own one if that is seen at all; where the ports differ at least 3 have to be seen.
 * O(count squared).
 * Source: RFC 4787, section 4.1; RFC 5780, section 4.3, with peers in the place of servers. */
struct wrn_nat_view wrn_nat_classify(const struct wrn_nat_sight *sights, size_t count,
                                     const uint16_t *fresh, size_t fresh_count,
                                     const struct wrn_locator_endpoint *locals, size_t local_count);

/* Returns the port that lies 'steps' of size 'step' behind 'port', within those that NATs give. */
uint16_t wrn_nat_port_after(uint16_t port, int32_t step, int32_t steps);

/* Returns the way from one port to the other, the shorter one round: -32256..32255. */
int32_t wrn_nat_port_distance(uint16_t from, uint16_t to);

/* Tells whether an address means something only nearby: private, shared, link-local, loopback.
 * Source: RFC 1918, 6598, 3927, 4193, 4291. */
bool wrn_nat_is_private(const struct wrn_ip *ip);
