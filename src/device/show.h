/* SPDX-License-Identifier: Apache-2.0 */
/* `warren-wg --show`: tells how a running interface is served, for people. */
#pragma once
#include <stdio.h>
#include "base/base.h"

/* Asks the daemon of 'interface' and prints workers, offloads, AEAD and the peers' ciphers to
 * 'out'. Returns 0, or the error of wrn_client_ask. */
WRN_NODISCARD int wrn_show(const char *interface, FILE *out);

/* Prints what stands in 'answer' (text of a `get` with `stats=1`), which is changed. Returns 0 or
 * -EPROTO (not an answer of warren-wg). */
WRN_NODISCARD int wrn_show_print(const char *interface, char *answer, FILE *out);
