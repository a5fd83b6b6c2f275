/* SPDX-License-Identifier: Apache-2.0 */
/* Sets up and frees what the primitives work with; adds nothing to them. */
#include "unit/overlay/real_primitives.h"

struct wrn_primitives primitives;

static struct wrn_crypto *crypto;

int real_primitives_set_up(void **state) {
    (void)state;
    int error = wrn_crypto_create(WRN_CRYPTO_AUTO, &crypto);
    if (error == 0) {
        primitives = wrn_primitives(crypto);
    }
    return error;
}

int real_primitives_tear_down(void **state) {
    (void)state;
    wrn_crypto_destroy(crypto);
    return 0;
}
