/* SPDX-License-Identifier: Apache-2.0 */
/* A NAT box for UDP over IPv4, and a stateful firewall for IPv6, by the words of RFC 4787. Rewrites
 * endpoints; moves no datagrams and knows of no network. */
#pragma once
#include "base/address.h"
#include "base/clock.h"
#include "base/rand.h"

/* On what a mapping, or the way back through it, depends: nothing of the remote end, its address,
 * or its address and port. Source: RFC 4787, sections 4.1 and 5. */
enum sim_dependence { SIM_INDEPENDENT, SIM_ADDRESS, SIM_ADDRESS_AND_PORT };

/* How the outer port is chosen. Source: RFC 4787, section 4.2. */
enum sim_ports {
    SIM_PORTS_KEEP,   /* the inner one; if it is taken, a free one from a random place on */
    SIM_PORTS_NEXT,   /* 'port_step' after the one before */
    SIM_PORTS_RANDOM, /* any free one */
};

/* What happens to a datagram from inside for an outer endpoint of the box itself.
 * Source: RFC 4787, section 6. */
enum sim_hairpin {
    SIM_HAIRPIN_NONE,     /* it is dropped */
    SIM_HAIRPIN_EXTERNAL, /* it goes back in, from the sender's outer endpoint, as required */
    SIM_HAIRPIN_INTERNAL, /* it goes back in, from the sender's inner endpoint */
};

struct sim_nat_options {
    enum sim_dependence mapping;
    enum sim_dependence filtering;
    enum sim_ports ports;
    uint16_t port_step;
    /* One outer port serves many mappings at a time as long as their remote ends differ, as with
     * Linux' masquerade. Mapping and filtering must depend on address and port. */
    bool shares_ports;
    /* A datagram from outside that fits no mapping holds its place as a mapping would, as on a
     * Linux router that does not drop it: the next one out to where it came from gets another
     * port. Only with shares_ports. */
    bool remembers_strays;
    enum sim_hairpin hairpin;
    /* How long a mapping, and the way back through it, outlives the last datagram that refreshes
     * it: those that go out always do. Source: RFC 4787, section 4.3. */
    uint64_t timeout_ns;
    bool refreshes_inbound;
    /* The same for one that was answered, from stream_after_ns after its beginning on; 0: as
     * above. (Linux: 30 s, then 120 s, after 2 s.) */
    uint64_t stream_timeout_ns;
    uint64_t stream_after_ns;
    uint32_t mappings_max; /* beyond them new flows are refused; 0: no limit but the ports' */
    /* Outer addresses in use, 0 counts as 1; a mapping takes the one that its inner address always
     * takes if 'pairs_addresses', else any. Source: RFC 4787, section 4.1, "pooling". */
    uint8_t addresses;
    bool pairs_addresses;
    bool opens_ipv6; /* IPv6 passes both ways without any state */
    bool blocks_udp;
};

enum { SIM_NAT_ADDRESSES_MAX = 8, SIM_NAT_PORT_RANDOM_TRIES = 128 };

enum sim_nat_verdict {
    SIM_NAT_PASSES,
    SIM_NAT_BLOCKED,    /* UDP is */
    SIM_NAT_FULL,       /* no mapping or port left */
    SIM_NAT_NO_MAPPING, /* nothing inside has this outer endpoint */
    SIM_NAT_FILTERED,   /* not from this remote end */
};

struct sim_nat_box;

/* Common boxes; the caller may change what these return. 'cone' maps endpoint-independently, keeps
 * ports, and lets back in what 'filtering' says; 'by_address' maps and filters by address, to ports
 * at random; 'symmetric' maps and filters by address and port; all three time out after 120 s,
 * refresh in both directions and do not hairpin. 'linux' is masquerade with a rule that drops
 * strays, 'carrier' what RFC 6888 asks of a carrier's. */
struct sim_nat_options sim_nat_cone(enum sim_dependence filtering);
struct sim_nat_options sim_nat_by_address(void);
struct sim_nat_options sim_nat_symmetric(enum sim_ports ports, uint16_t port_step);
struct sim_nat_options sim_nat_linux(void);
struct sim_nat_options sim_nat_carrier(void);

/* Makes a box without outer addresses that draws from 'seeded', of which it keeps a copy. Options
 * that contradict each other are asserted against. */
struct sim_nat_box *sim_nat_box_create(const struct sim_nat_options *options,
                                       const struct wrn_prng *seeded);

/* Frees it. NULL is fine. */
void sim_nat_box_destroy(struct sim_nat_box *box);

/* Gives the box its outer IPv4 addresses, as many as its options say, and forgets all mappings. */
void sim_nat_box_set_addresses(struct sim_nat_box *box, const struct wrn_ip *ips);

/* Forgets all mappings: what comes from outside finds nothing, what comes from inside gets new
 * ones. */
void sim_nat_box_forget(struct sim_nat_box *box);

/* Looks at a datagram from inside; if it passes, 'from' becomes the outer endpoint. Expected O(1),
 * O(ports) where hardly one is free. */
enum sim_nat_verdict sim_nat_box_outbound(struct sim_nat_box *box, wrn_mono now,
                                          struct wrn_endpoint *from, const struct wrn_endpoint *to);

/* Looks at a datagram from outside for an outer endpoint; if it passes, 'to' becomes the inner
 * one. */
enum sim_nat_verdict sim_nat_box_inbound(struct sim_nat_box *box, wrn_mono now,
                                         const struct wrn_endpoint *from, struct wrn_endpoint *to);

/* Tells whether 'ip' is one of the outer addresses. */
bool sim_nat_box_has(const struct sim_nat_box *box, const struct wrn_ip *ip);

/* Returns the options that the box was made with. */
const struct sim_nat_options *sim_nat_box_options(const struct sim_nat_box *box);

/* Returns how many mappings live at 'now'. O(mappings). */
uint32_t sim_nat_box_count(struct sim_nat_box *box, wrn_mono now);
