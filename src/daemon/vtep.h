/* SPDX-License-Identifier: Apache-2.0 */
/* A VTEP: a TAP device whose frames travel as VXLAN (RFC 7348) to a kernel or an Open vSwitch
 * nearby, and back, on a thread of its own. Knows no bridge; decides about no frame. */
#pragma once
#include "base/address.h"

struct wrn_vtep;

enum { WRN_VTEP_TEXT_SIZE = 200, WRN_VTEP_NAME_SIZE = 16 };

struct wrn_vtep_options {
    struct wrn_endpoint listen;
    struct wrn_endpoint remote; /* family NONE: whoever spoke last, of this host alone */
    uint32_t vni;               /* 1..2^24-1 */
};

/* Reads "ADDRESS:PORT[,remote=ADDRESS:PORT][,vni=N]"; 'vni' is what is not said. Returns NULL, or
 * what is wrong as a clause with the next step; static text. */
const char *wrn_vtep_parse(wrn_span text, uint32_t vni, struct wrn_vtep_options *ret_options);

/* Writes the same form, with all that is known. */
void wrn_vtep_print(const struct wrn_vtep_options *options, char ret_text[WRN_VTEP_TEXT_SIZE]);

/* Makes the TAP device 'name', down, opens the socket and serves both. Returns 0, -EADDRINUSE
 * (another program has the port: a kernel's VXLAN device of this host, perhaps), -EADDRNOTAVAIL,
 * -EEXIST (the device) or another -errno. */
WRN_NODISCARD int wrn_vtep_start(const struct wrn_vtep_options *options, const char *name,
                                 struct wrn_vtep **ret_vtep);

/* Ends it, and its device with it. NULL is fine. */
void wrn_vtep_stop(struct wrn_vtep *vtep);

/* What has passed: 'in' came by VXLAN. */
struct wrn_vtep_counters {
    uint64_t frames_in, bytes_in, frames_out, bytes_out;
    uint64_t refused_head;   /* no VXLAN of RFC 7348 */
    uint64_t refused_vni;    /* of another network */
    uint64_t refused_sender; /* not from the remote end */
    uint64_t lost_no_remote; /* nobody has spoken to us yet */
    uint64_t lost_send, lost_host;
};
void wrn_vtep_counters(const struct wrn_vtep *vtep, struct wrn_vtep_counters *ret_counters);

/* The remote end, as far as it is known; family NONE: not at all. */
struct wrn_endpoint wrn_vtep_remote(const struct wrn_vtep *vtep);
