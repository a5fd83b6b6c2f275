/* SPDX-License-Identifier: Apache-2.0 */
/* How many packets one session key may seal. Pure arithmetic on the cipher and the largest packet.
 * Source: docs/protocol.md, "How long a key lives", which derives the numbers. */
#pragma once
#include "crypto/crypto.h"

/* Counters at which a session is renewed, and at which it is of no more use: a key seals
 * 'reject_after' packets at most. */
struct wrn_wg_limits {
    uint64_t rekey_after;
    uint64_t reject_after;
};

/* Returns the limits of a sender whose packets have up to 'mtu_bytes' bytes (the MTU of the
 * interface; more than 65,535 counts as that).
 *
 * ChaCha20-Poly1305: WireGuard's own, whatever the size. AES-256-GCM: so that a key seals at most
 * 2^35 blocks of 16 bytes; half of that begins a renewal.
 * Source: RFC 9001, appendix B.1; draft-irtf-cfrg-aead-limits, section 5.1. */
struct wrn_wg_limits wrn_wg_limits(enum wrn_cipher cipher, uint32_t mtu_bytes);

/* Returns the first counter that no sender may use, whatever its MTU: a receiver does not know the
 * MTU of the other end. */
uint64_t wrn_wg_receive_limit(enum wrn_cipher cipher);
