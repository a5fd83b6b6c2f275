/* SPDX-License-Identifier: Apache-2.0 */
/* Looks into a whole node for what is half done: states that something should have ended. */
#pragma once
#include "overlay/overlay.h"

/* Tells what a node still has that only others can have made, or have to answer: peers, links,
 * requests, slots, messages that wait, sockets. NULL: nothing. For a node to which nobody has
 * spoken for minutes; what it begins anew by itself (WHO, kept records) must have a deadline. */
const char *quiet_what_is_left(const struct wrn_overlay *overlay, struct wrn_now now);
