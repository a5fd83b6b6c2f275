/* SPDX-License-Identifier: Apache-2.0 */
/* The real cryptography, for tests that need no world around it. */
#pragma once
#include "overlay/primitives.h"

/* Usable between the two fixtures of a cmocka group, which return 0 or a negative errno. */
extern struct wrn_primitives primitives;

int real_primitives_set_up(void **state);
int real_primitives_tear_down(void **state);
