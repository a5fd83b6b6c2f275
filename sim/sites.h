/* SPDX-License-Identifier: Apache-2.0 */
/* A world for switches of layer-2 networks: wires with stations and gateways on them, each gateway
 * a switch, joined to all others by ways that lose frames. No ring and no tunnel: what the switch
 * does is all there is. Stations broadcast and ask one another, and count what comes. */
#pragma once
#include "sim/link.h"
#include "sim/world.h"
#include "switch/pieces.h"
#include "switch/switch.h"

struct sim_sites_options {
    uint32_t wires, gateways_each, stations_each;
    uint32_t age_s;
    uint32_t frame_size;  /* bytes of stations' frames; 0: the least */
    uint32_t payload_max; /* frames that are larger go in pieces; 0: none does */
    struct sim_link link; /* between two gateways, each way; keeps_order, or copies are misjudged */
};

struct sim_sites;

/* Someone on a wire. */
struct sim_station {
    struct sim_event event;
    struct sim_sites *sites;
    struct wrn_prng prng;
    uint32_t number, wire;
    bool is_silent;   /* says nothing by itself, and answers nobody */
    uint64_t next_id; /* of broadcasts */
    uint64_t *heard;  /* of each station the last broadcast */
    uint64_t asked_id;
    bool is_waiting; /* for the answer to that */
    wrn_mono deaf_until;
};

struct sim_gateway {
    struct sim_event event;
    struct sim_sites *sites;
    struct wrn_switch *sw;
    void *memory;
    struct wrn_pieces *pieces;
    void *pieces_memory;
    uint16_t next_id; /* of frames in pieces */
    uint32_t number, wire, incarnation;
    uint32_t group; /* if 'is_cut', nothing passes between gateways of different ones */
    bool is_up;
    uint32_t events[WRN_SWITCH_EVENT_KINDS];
};

/* Everything may be read; counts may be set to 0. */
struct sim_sites {
    struct sim_world *world;
    struct sim_sites_options options;
    uint32_t gateway_count, station_count;
    struct sim_gateway *gateways;
    struct sim_station *stations;
    struct sim_way *ways; /* from, to */
    struct sim_carried *carried;
    struct wrn_switch_verdict verdict;
    struct wrn_switch_out out;
    bool is_cut, is_asking;
    uint32_t only_group; /* if 'is_cut': stations ask those on wires of their own group */
    uint64_t asked, answered, broadcasts, heard, copies; /* copies: broadcasts that came again */
    uint64_t garbled;                                    /* frames that are not as they were sent */
    uint64_t crossed; /* payloads that gateways sent one another */
};

/* Makes wires, gateways with ports open to all others, stations that talk. */
struct sim_sites *sim_sites_create(struct sim_world *world,
                                   const struct sim_sites_options *options);

/* Frees them. */
void sim_sites_destroy(struct sim_sites *sites);

/* The address of a station; the first quarter's are named in all rights, so that they may move. */
void sim_sites_mac(uint32_t station, uint8_t ret_mac[WRN_MAC_ADDRESS_SIZE]);
bool sim_sites_may_move(const struct sim_sites *sites, uint32_t station);

/* Plugs a station in elsewhere. It takes half a second, in which it says and hears nothing. */
void sim_sites_move(struct sim_sites *sites, uint32_t station, uint32_t wire);

/* A station sends a broadcast in the name of another. */
void sim_sites_forge(struct sim_sites *sites, uint32_t station, uint32_t as);

/* A gateway is gone without a word, or back without memory; others notice when they are told. */
void sim_sites_kill(struct sim_sites *sites, uint32_t gateway);
void sim_sites_revive(struct sim_sites *sites, uint32_t gateway);

/* Opens and closes all ports as is right now: none to who is down or cut off. */
void sim_sites_notice(struct sim_sites *sites);

/* On which wire a gateway believes a station; UINT32_MAX: it does not know. */
uint32_t sim_sites_where(const struct sim_sites *sites, uint32_t gateway, uint32_t station);

/* Lets time pass in which stations ask, then half a second for the last answers. */
void sim_sites_pass(struct sim_sites *sites, uint64_t ns);
