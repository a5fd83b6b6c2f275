/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for aead_ipsec_mb.c where that library does not exist: creating fails, so nobody calls
 * the rest. */
#include "crypto/internal.h"

int wrn_ipsec_mb_create(const struct wrn_crypto *crypto, enum wrn_ipsec_mb_kind kind,
                        struct wrn_ipsec_mb **ret_mb) {
    (void)crypto;
    (void)kind;
    (void)ret_mb;
    return -ENOTSUP;
}

void wrn_ipsec_mb_destroy(struct wrn_ipsec_mb *mb) {
    WRN_ASSERT(!mb);
}

const char *wrn_ipsec_mb_name(const struct wrn_ipsec_mb *mb) {
    WRN_ASSERT(!mb);
    return "";
}

size_t wrn_ipsec_mb_expanded_size(enum wrn_cipher cipher) {
    (void)cipher;
    return 0;
}

void wrn_ipsec_mb_expand(struct wrn_ipsec_mb *mb, enum wrn_cipher cipher,
                         const uint8_t key[WRN_KEY_SIZE], void *ret_expanded) {
    (void)cipher;
    (void)key;
    (void)ret_expanded;
    WRN_ASSERT(!mb);
}

void wrn_ipsec_mb_seal_jobs(struct wrn_ipsec_mb *mb, struct wrn_aead_job *jobs,
                            const uint8_t (*nonces)[WRN_NONCE_STRIDE], size_t count) {
    (void)jobs;
    (void)nonces;
    WRN_ASSERT(!mb && count == 0);
}

void wrn_ipsec_mb_open_jobs(struct wrn_ipsec_mb *mb, struct wrn_aead_job *jobs,
                            const uint8_t (*nonces)[WRN_NONCE_STRIDE], size_t count) {
    (void)jobs;
    (void)nonces;
    WRN_ASSERT(!mb && count == 0);
}
