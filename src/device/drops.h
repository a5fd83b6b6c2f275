/* SPDX-License-Identifier: Apache-2.0 */
/* `warren-wg --drops`: asks a running daemon why it refused packets. */
#pragma once
#include <stdio.h>
#include "base/base.h"

/* Asks the daemon of 'interface' for its counters and prints those that are not zero, or all of
 * them, to
 * 'out'. Returns 0, or -ENOENT (nobody serves it), -EACCES, -EPROTO (not one of ours), or -errno.
 * */
WRN_NODISCARD int wrn_drops_show(const char *interface, bool all, FILE *out);

/* Prints the counters that stand in 'answer' (terminated text of a `stats`). Returns 0 or -EPROTO.
 * */
WRN_NODISCARD int wrn_drops_print(const char *answer, bool all, FILE *out);
