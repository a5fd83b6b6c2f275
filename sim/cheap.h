/* SPDX-License-Identifier: Apache-2.0 */
/* Primitives for simulations of very many nodes: they do to honest nodes what the real ones do
 * (both ends agree on a key, a changed bit is noticed, each key has its own name), and protect
 * nothing: whoever wants to can forge all of it. Never linked into anything but the simulator. */
#pragma once
#include "overlay/primitives.h"

/* Returns the table; it needs no context and no memory. */
struct wrn_primitives sim_cheap_primitives(void);
