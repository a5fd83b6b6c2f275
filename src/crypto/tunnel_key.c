/* SPDX-License-Identifier: Apache-2.0 */
/* The X25519 key of a host's tunnels, made from its identity's seed and from nothing else. */
#include "crypto/identity.h"
#include "crypto/internal.h"

/* The first block of HKDF-Expand: HMAC(seed, info || 1). The seed is uniform, so that there is
 * nothing to extract. */
void wrn_tunnel_key(struct wrn_crypto *crypto, const uint8_t seed[WRN_SEED_SIZE], wrn_span context,
                    uint8_t ret_private[WRN_KEY_SIZE]) {
    static const char label[] = "warren tunnel key 1";
    uint8_t rest[WRN_TUNNEL_CONTEXT_MAX + 1]; /* the context, and the number of the block */
    WRN_ASSERT(context.size <= WRN_TUNNEL_CONTEXT_MAX);
    if (context.size > 0) {
        memcpy(rest, context.data, context.size);
    }
    rest[context.size] = 1;
    wrn_crypto_hmac(crypto, seed, (wrn_span){(const uint8_t *)label, sizeof(label) - 1},
                    (wrn_span){rest, context.size + 1}, ret_private);
    wrn_crypto_wipe_stack();
    wrn_x25519_clamp(ret_private);
}
