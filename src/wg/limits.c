/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of the ciphers: powers of two only, since they are read for each batch. */
#include "wg/limits.h"

#include "wg/messages.h"

enum {
    AES_BLOCKS_BITS = 35,   /* blocks that a key may seal */
    SMALL_BLOCKS_BITS = 7,  /* packets are counted as 2 KiB, if none is larger */
    LARGE_BLOCKS_BITS = 12, /* none is larger than 64 KiB */
    AES_BLOCK_SIZE = 16,
};

struct wrn_wg_limits wrn_wg_limits(enum wrn_cipher cipher, uint32_t mtu_bytes) {
    if (cipher == WRN_CIPHER_CHACHA20_POLY1305) {
        return (struct wrn_wg_limits){WRN_WG_REKEY_AFTER_MESSAGES, WRN_WG_REJECT_AFTER_MESSAGES};
    }
    uint32_t bits = SMALL_BLOCKS_BITS;
    while (bits < LARGE_BLOCKS_BITS && (uint64_t)AES_BLOCK_SIZE << bits < mtu_bytes) {
        bits++;
    }
    uint64_t reject_after = UINT64_C(1) << (AES_BLOCKS_BITS - bits);
    return (struct wrn_wg_limits){reject_after / 2, reject_after};
}

uint64_t wrn_wg_receive_limit(enum wrn_cipher cipher) {
    return wrn_wg_limits(cipher, 0).reject_after;
}
