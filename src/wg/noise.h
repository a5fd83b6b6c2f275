/* SPDX-License-Identifier: Apache-2.0 */
/* The Noise_IKpsk2 handshake of WireGuard as arithmetic on messages: no peers, no timers, no I/O.
 * A handshake is made in one of two suites, which differ in their cipher; the type field of its
 * messages names it. Source: WireGuard paper, section 5.4; Noise Protocol Framework revision 34;
 * docs/protocol.md. */
#pragma once
#include "base/base.h"
#include "base/clock.h"
#include "crypto/crypto.h"
#include "wg/drop.h"
#include "wg/messages.h"

/* Our own static key pair. Secret: wipe it. */
struct wrn_noise_identity {
    uint8_t private_key[WRN_WG_KEY_SIZE];
    uint8_t public_key[WRN_WG_KEY_SIZE];
};

/* What both sides of one handshake agree on between its messages. Secret: wipe it. */
struct wrn_noise_transcript {
    uint8_t chaining_key[WRN_WG_KEY_SIZE];
    uint8_t hash[WRN_WG_KEY_SIZE];
    enum wrn_cipher cipher; /* of the suite; seals what is inside the messages too */
};

/* An initiation of ours that waits for its response. Secret: wipe it. */
struct wrn_noise_pending {
    struct wrn_noise_transcript transcript;
    uint8_t ephemeral_private[WRN_WG_KEY_SIZE];
};

/* An initiation that came in, as far as it has been read. Secret: wipe it. */
struct wrn_noise_received {
    struct wrn_noise_transcript transcript;
    uint8_t remote_static[WRN_WG_KEY_SIZE];    /* after _read_initiation */
    uint8_t remote_ephemeral[WRN_WG_KEY_SIZE]; /* ditto */
    uint8_t timestamp[WRN_WG_TIMESTAMP_SIZE];  /* after _check_initiation */
    uint32_t remote_index;
};

/* Transport keys of a finished handshake. Secret: wipe it. */
struct wrn_noise_keys {
    uint8_t send[WRN_WG_KEY_SIZE];
    uint8_t receive[WRN_WG_KEY_SIZE];
    enum wrn_cipher cipher; /* of the suite: the keys are for no other */
};

/* Names a cipher as the configuration writes it: "chacha20-poly1305", "aes-256-gcm". Static. */
const char *wrn_noise_cipher_name(enum wrn_cipher cipher);

/* Writes wall time as TAI64N, coarsened to 2^24 ns so that the clock's fine bits stay private.
 * Later times give greater bytes. Source: paper, section 5.4.2; https://cr.yp.to/libtai/tai64.html.
 * */
void wrn_noise_timestamp(wrn_wall wall, uint8_t ret_stamp[WRN_WG_TIMESTAMP_SIZE]);

/* Writes an initiation up to its mac1 (the first 116 bytes of 'ret_message').
 * 'cipher'             whose suite the whole handshake is made in.
 * 'static_static'      X25519 of our private and the peer's public key.
 * 'ephemeral_private'  32 fresh random bytes.
 * 'local_index'        what the response is to name.
 * Returns false if the peer's key is of low order; then 'ret_pending' is wiped. */
WRN_NODISCARD bool wrn_noise_write_initiation(
    struct wrn_crypto *crypto, enum wrn_cipher cipher, const struct wrn_noise_identity *identity,
    const uint8_t remote_static[WRN_WG_KEY_SIZE], const uint8_t static_static[WRN_WG_KEY_SIZE],
    const uint8_t ephemeral_private[WRN_WG_KEY_SIZE],
    const uint8_t timestamp[WRN_WG_TIMESTAMP_SIZE], uint32_t local_index,
    uint8_t ret_message[WRN_WG_INITIATION_SIZE], struct wrn_noise_pending *ret_pending);

/* Reads an initiation, in the suite that it names, as far as the initiator's static key, which the
 * caller then looks up. Whether that peer may use the suite ('ret_received->transcript.cipher') is
 * the caller's to say. Returns WRN_DROP_NONE, WRN_DROP_UNKNOWN_SUITE or WRN_DROP_BAD_HANDSHAKE;
 * then 'ret_received' is wiped. */
WRN_NODISCARD enum wrn_drop wrn_noise_read_initiation(struct wrn_crypto *crypto,
                                                      const struct wrn_noise_identity *identity,
                                                      const uint8_t message[WRN_WG_INITIATION_SIZE],
                                                      struct wrn_noise_received *ret_received);

/* Authenticates the rest of it and yields its timestamp; 'static_static' as above.
 * Returns WRN_DROP_NONE or WRN_DROP_BAD_HANDSHAKE. */
WRN_NODISCARD enum wrn_drop
wrn_noise_check_initiation(struct wrn_crypto *crypto, const uint8_t message[WRN_WG_INITIATION_SIZE],
                           const uint8_t static_static[WRN_WG_KEY_SIZE],
                           struct wrn_noise_received *received);

/* Writes the response to a checked initiation up to its mac1 (60 bytes) and derives the responder's
 * keys.
 * 'psk' all zero for none. Returns false if a point is of low order; then 'ret_keys' is wiped. */
WRN_NODISCARD bool wrn_noise_write_response(struct wrn_crypto *crypto,
                                            struct wrn_noise_received *received,
                                            const uint8_t psk[WRN_WG_KEY_SIZE],
                                            const uint8_t ephemeral_private[WRN_WG_KEY_SIZE],
                                            uint32_t local_index,
                                            uint8_t ret_message[WRN_WG_RESPONSE_SIZE],
                                            struct wrn_noise_keys *ret_keys);

/* Reads the response to a pending initiation and derives the initiator's keys. 'pending' stays as
 * it was, so that a forged response does not spoil the handshake. Returns WRN_DROP_NONE;
 * WRN_DROP_UNKNOWN_SUITE or WRN_DROP_WRONG_SUITE if the response names another suite than the
 * initiation did; or WRN_DROP_BAD_HANDSHAKE. On a refusal 'ret_keys' is wiped. */
WRN_NODISCARD enum wrn_drop wrn_noise_read_response(struct wrn_crypto *crypto,
                                                    const struct wrn_noise_identity *identity,
                                                    const struct wrn_noise_pending *pending,
                                                    const uint8_t psk[WRN_WG_KEY_SIZE],
                                                    const uint8_t message[WRN_WG_RESPONSE_SIZE],
                                                    struct wrn_noise_keys *ret_keys);
