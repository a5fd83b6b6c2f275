/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that write down what they get, on a network of the test's own making. Decides nothing. */
#pragma once
#include "sim/net.h"

enum { HOSTS_MAX = 16, HOSTS_NOTES_MAX = 256 };

struct hosts_note {
    uint64_t at_ns; /* since the start */
    struct wrn_endpoint from, to;
    size_t size;
    uint8_t first; /* the first byte */
    bool was_multicast;
};

struct hosts_one {
    struct hosts *all;
    struct hosts_note notes[HOSTS_NOTES_MAX];
    size_t count;
    void (*on_note)(struct hosts_one *one, const struct hosts_note *note); /* NULL: none */
};

struct hosts {
    struct sim_world *world;
    struct sim_net *net;
    uint64_t began_ns;
    struct hosts_one one[HOSTS_MAX];
};

/* Makes a world with a network; the caller finishes it. */
struct hosts *hosts_create(uint64_t seed);
void hosts_destroy(struct hosts *hosts);

/* Adds a host, whose number is that of its notes. */
sim_host hosts_add(struct hosts *hosts, sim_segment segment, const struct sim_link *up,
                   const struct sim_link *down);

/* Adds a segment; NULL: no addresses of that family. */
sim_segment hosts_segment(struct hosts *hosts, const char *prefix4, const char *prefix6);

/* Returns the host's endpoint of a family at a port. */
struct wrn_endpoint hosts_at(const struct hosts *hosts, sim_host host, enum wrn_family family,
                             uint16_t port);

/* Sends one byte from a port; fails the test if that is refused. */
void hosts_send(struct hosts *hosts, sim_host host, uint16_t port, const struct wrn_endpoint *to,
                uint8_t byte);

/* Lets time pass. */
void hosts_pass(struct hosts *hosts, uint64_t ns);

/* Returns the last note of a host, which must have one. */
const struct hosts_note *hosts_last(const struct hosts *hosts, sim_host host);
