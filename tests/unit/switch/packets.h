/* SPDX-License-Identifier: Apache-2.0 */
/* Frames with ARP, neighbour discovery, IGMP, MLD, UDP in them, for tests of the switch. */
#pragma once
#include "unit/switch/lan.h"

/* ARP: addresses are 10.0.x.y with xy a number; operation 1 asks (all), 2 answers (MAC 'to'). */
struct frame packet_arp(uint32_t to, uint32_t from, uint16_t operation, uint32_t sender,
                        uint32_t target);

/* A neighbour solicitation of all, an advertisement to 'to': addresses are fe80::n; sender 0 is
 * "::". */
struct frame packet_solicitation(uint32_t from, uint32_t sender, uint32_t target);
struct frame packet_advertisement(uint32_t to, uint32_t from, uint32_t target, bool is_router);

/* A router advertisement of fe80::n to all. */
struct frame packet_router(uint32_t from, uint32_t sender);

/* UDP over IPv4 (10.0.0.n) to all, or over IPv6 (fe80::n) to ff02::1. */
struct frame packet_udp(uint32_t from, uint32_t sender, uint16_t source, uint16_t destination,
                        bool is_v6);

/* UDP to the group 239.1.x.y, or ff05::n. */
struct frame packet_data(uint32_t from, uint32_t group, bool is_v6);

/* IGMP: type, the group 239.1.x.y (0: none). MLD version 1 likewise, ff05::n. */
struct frame packet_igmp(uint32_t from, uint8_t type, uint32_t group);
struct frame packet_mld(uint32_t from, uint8_t type, uint32_t group);

/* A report of IGMPv3, or MLDv2, with one record of so many sources. */
struct frame packet_report(uint32_t from, uint8_t record, uint16_t sources, uint32_t group,
                           bool is_v6);
