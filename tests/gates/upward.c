/* SPDX-License-Identifier: Apache-2.0 */
/* What a low layer must not do: call a higher one. tools/purity has to refuse it; linked into
 * nothing. */
#include "wg/wg.h"

uint64_t gate_upward(const struct wrn_wg *wg);

uint64_t gate_upward(const struct wrn_wg *wg) {
    return wrn_wg_due(wg).ns;
}
