/* SPDX-License-Identifier: Apache-2.0 */
/* What the core must not do: read a clock. tools/purity has to refuse it; linked into nothing. */
#include <time.h>

long gate_impure(void);

long gate_impure(void) {
    return (long)time(NULL);
}
