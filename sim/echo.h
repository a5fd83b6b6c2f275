/* SPDX-License-Identifier: Apache-2.0 */
/* Echo requests and replies, IPv4 and IPv6, of one size, with a number each: what a simulated host
 * knows of IP. Source: RFC 792, RFC 4443. */
#pragma once
#include "base/address.h"

enum { SIM_ECHO_SIZE = 40 + 8 + 8 }; /* the largest */

/* Writes an echo request between two addresses of one family. Returns its size. */
size_t sim_echo_write(const struct wrn_ip *from, const struct wrn_ip *to, uint32_t number,
                      uint8_t ret_packet[SIM_ECHO_SIZE]);

/* Writes the reply to what sim_echo_write wrote; returns its size, 0 if 'packet' is something else.
 * */
size_t sim_echo_answer(wrn_span packet, uint8_t ret_packet[SIM_ECHO_SIZE]);

/* Tells whether it is a reply, and to which request. */
bool sim_echo_read_reply(wrn_span packet, uint32_t *ret_number);
