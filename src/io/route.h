/* SPDX-License-Identifier: Apache-2.0 */
/* Watches whether source addresses still make sense: an address can stay ours while the way to a
 * peer moves to another interface (the cable is plugged in, the radio stays on). Changes no
 * route. */
#pragma once
#include "base/address.h"
#include "base/clock.h"

struct wrn_route;

/* Opens a watch on the routes of the caller's network namespace. Returns 0, -ENOMEM or -errno. */
WRN_NODISCARD int wrn_route_create(struct wrn_route **ret_route);

/* Closes it. NULL is fine. */
void wrn_route_destroy(struct wrn_route *route);

/* Returns the descriptor that becomes readable when routes, rules or addresses changed. */
int wrn_route_fd(const struct wrn_route *route);

/* Takes the news in. */
void wrn_route_read_events(struct wrn_route *route);

/* Tells whether 'path', with its local address as source and 'mark', still leaves by the
 * interface by which it left when it was first asked about. Asks the kernel once a path and
 * change of the routes, and at most ten times a second; otherwise costs one look into a table.
 * True where there is nothing to judge. */
bool wrn_route_holds(struct wrn_route *route, wrn_mono now, const struct wrn_path *path,
                     uint32_t mark);
