/* SPDX-License-Identifier: Apache-2.0 */
/* Makes links on request, of the ring, of the relay machine or of the user: asks the other node
 * over the ring, by a CONNECT payload with our locator, and takes such requests. What happens from
 * there on to the link: peers.c (paths) and greet.c (credentials). docs/ring/linking.md. */
#pragma once
#include "base/clock.h"
#include "overlay/ring.h"

struct wrn_overlay;
struct wrn_overlay_peer;

enum wrn_request_owner { WRN_REQUEST_OF_RING, WRN_REQUEST_OF_RELAY, WRN_REQUEST_OF_USER };

enum wrn_request_state {
    WRN_REQUEST_FREE,
    WRN_REQUEST_ASKING,    /* waits for an answer over the ring */
    WRN_REQUEST_FOLLOWING, /* another request asks the same node already */
    WRN_REQUEST_LINKING,   /* waits for 'peer' to come up */
};

struct wrn_request {
    uint64_t number; /* the receiver number that we offer; names the request, too */
    wrn_id target;
    uint32_t tag;
    wrn_mono due;
    wrn_handle first;
    wrn_handle peer;
    uint8_t owner, kind, mode, steps, state, tries;
};

/* By whom a peer is reached over the ring that has no place there yet. */
struct wrn_linker_via {
    wrn_handle peer; /* NONE: free */
    wrn_id via;
};

enum { WRN_LINKER_VIAS = 4 };

struct wrn_linker {
    struct wrn_linker_via vias[WRN_LINKER_VIAS]; /* of the last ones who asked so */
    uint32_t via_next;                           /* that one gives way */
    struct wrn_request *requests;                /* WRN_REQUESTS_MAX */
    wrn_mono due;
};

/* Begins to make a link. Ends with wrn_ring_on_want_done, wrn_relay_on_want_done, or an action. */
void wrn_linker_want(struct wrn_overlay *overlay, enum wrn_request_owner owner,
                     const struct wrn_want *want);

/* Tells whether a request that waits for an answer has this number. */
bool wrn_linker_has_number(const struct wrn_overlay *overlay, uint64_t number);

/* A payload of kind CONNECT was delivered here. */
void wrn_linker_on_payload(struct wrn_overlay *overlay, const struct wrn_route_header *header,
                           wrn_span payload);

/* A payload of kind CONNECT that began here did not arrive. */
void wrn_linker_on_undelivered(struct wrn_overlay *overlay, enum wrn_reason reason,
                               wrn_span payload);

/* A peer came up; or is gone, and will not. */
void wrn_linker_on_up(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer);
void wrn_linker_on_down(struct wrn_overlay *overlay, wrn_handle peer, wrn_id id,
                        enum wrn_reason reason);

/* Sends a sealed CALL to a peer over the ring. */
void wrn_linker_call(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer, wrn_span message);

/* Asks over the ring whether a node is part of it; answered by wrn_join_on_probe. */
void wrn_linker_probe(struct wrn_overlay *overlay, wrn_id id, uint64_t number);

/* Time. */
void wrn_linker_on_time(struct wrn_overlay *overlay);
