/* SPDX-License-Identifier: Apache-2.0 */
/* Safety: what must hold at every moment, whatever happens. Looks at each datagram that nodes send
 * and at each thing that overlays say; changes nothing.
 *
 * - No datagram of an overlay is larger than WRN_DATAGRAM_MAX.
 * - No number of a sealed frame is used twice under one key.
 * - An address that has not proven that it receives gets no more bytes than it sent, but for
 *   questions and probes (sealed frames of SIM_PROBE_BYTES at most), which are bounded: see
 *   SIM_UNPROVEN_*. Private addresses do not count: there is one of each in every home.
 * - The table of links is within its bounds and sorted, and has nobody in it that was not admitted.
 *
 * That no action is lost and nothing due twice, the driver looks at itself. */
#pragma once
#include "sim/node.h"

enum {
    /* Bytes of questions and greetings to an address that does not answer: so many at once, and so
     * many more for each second since the first. */
    SIM_UNPROVEN_BURST_BYTES = 6000,
    SIM_UNPROVEN_BYTES_PER_S = 300,
    /* Probes to such an address: all of one search, with its 257 sockets, and so many a minute. */
    SIM_UNPROVEN_PROBES = 1500,
    SIM_UNPROVEN_PROBES_PER_MINUTE = 120,
    SIM_PROBE_BYTES = 128,
    SIM_FAILURES_MAX = 20, /* more are not said */
};

/* Begins to check; ends with the nodes. */
struct sim_checks *sim_checks_create(struct sim_nodes *nodes);

/* Frees them. NULL is fine. */
void sim_checks_destroy(struct sim_checks *checks);

/* A datagram came to a node that runs; an overlay says something. */
void sim_checks_on_received(struct sim_checks *checks, const struct sim_node *node,
                            const struct wrn_endpoint *from, wrn_span bytes);
void sim_checks_on_event(struct sim_checks *checks, const struct sim_node *node,
                         const struct wrn_overlay_action *action);

/* Returns how many datagrams were looked at. */
uint64_t sim_checks_count(const struct sim_checks *checks);
