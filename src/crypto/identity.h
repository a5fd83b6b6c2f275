/* SPDX-License-Identifier: Apache-2.0 */
/* The identity of a host: its Ed25519 key, the names made from it (HIT, fingerprint), and the
 * X25519 key of its tunnels. Pure: randomness comes from the caller. Seeds are the caller's to
 * wipe; nothing here keeps a copy. May be called from any thread. Signing and verifying allocate
 * for the time of the call, in libcrypto and for a labelled message; so does cSHAKE128.
 * Reasons: docs/decisions/0012-identity.md. */
#pragma once
#include "crypto/crypto.h"

enum {
    WRN_SEED_SIZE = 32, /* the private key of RFC 8032 */
    WRN_SIGN_PUBLIC_SIZE = 32,
    WRN_SIGNATURE_SIZE = 64,
    WRN_TUNNEL_CONTEXT_MAX = 64,
    WRN_SHA256_SIZE = 32,
    WRN_MD5_SIZE = 16,
    WRN_SHA1_SIZE = 20,
    WRN_HIT_SIZE = 16,      /* an IPv6 address in 2001:20::/28 */
    WRN_HIT_TEXT_SIZE = 46, /* of any IPv6 address, with its zero byte */
    WRN_FINGERPRINT_DIGITS = 32,
    WRN_FINGERPRINT_SIZE = 40,   /* "1234 5678 … 1234" and a zero byte */
    WRN_IDENTITY_URI_SIZE = 105, /* "WARREN:", 32 digits, "/", 64 digits and a zero byte */
};

/* Makes the public key of a seed. False only for want of memory; the output is zeroed then.
 * Source: RFC 8032, section 5.1.5. */
WRN_NODISCARD bool wrn_sign_public(const uint8_t seed[WRN_SEED_SIZE],
                                   uint8_t ret_public[WRN_SIGN_PUBLIC_SIZE]);

/* Signs 'message' in the domain 'label', a non-empty constant such as "warren certificate 1". What
 * is signed (PureEdDSA) is the label, a zero byte and the message, so that no signature made for
 * one purpose is good for another. False only for want of memory; the output is zeroed then.
 * Source: RFC 8032, section 5.1.6. */
WRN_NODISCARD bool wrn_sign(const uint8_t seed[WRN_SEED_SIZE], const char *label, wrn_span message,
                            uint8_t ret_signature[WRN_SIGNATURE_SIZE]);

/* Verifies strictly: besides RFC 8032, section 5.1.7, refuses S >= L, encodings of the key or of R
 * that are not the shortest (y >= p, or x = 0 with its sign set), and keys and R of small order.
 * So one message has, for one key and one R, exactly one signature that passes. False also for
 * want of memory. */
WRN_NODISCARD bool wrn_sign_verify(const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE],
                                   const char *label, wrn_span message,
                                   const uint8_t signature[WRN_SIGNATURE_SIZE]);

/* The same without a label: what RFC 8032 signs. For its vectors, and for foreign signatures. */
WRN_NODISCARD bool wrn_sign_pure(const uint8_t seed[WRN_SEED_SIZE], wrn_span message,
                                 uint8_t ret_signature[WRN_SIGNATURE_SIZE]);

/* Verifies what wrn_sign_pure signs, as strictly as wrn_sign_verify. */
WRN_NODISCARD bool wrn_sign_verify_pure(const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE],
                                        wrn_span message,
                                        const uint8_t signature[WRN_SIGNATURE_SIZE]);

/* Tells what strict verification demands of a key before it computes anything: the shortest
 * encoding, not of small order. It costs nanoseconds and does not tell whether there is a point
 * with this y; half of all values have none, and a key made of one never verifies anything. */
WRN_NODISCARD bool wrn_sign_public_is_sound(const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE]);

/* Derives the X25519 private key of a host's tunnels from its identity's seed: HKDF-Expand with
 * HMAC-BLAKE2s, the seed as its key and "warren tunnel key 1" and 'context' as its info; clamped.
 * Each context (at most WRN_TUNNEL_CONTEXT_MAX bytes, empty too) gives another key, and none tells
 * anything about another one or about the seed. Source: RFC 5869, sections 2.3 and 3.3. */
void wrn_tunnel_key(struct wrn_crypto *crypto, const uint8_t seed[WRN_SEED_SIZE], wrn_span context,
                    uint8_t ret_private[WRN_KEY_SIZE]);

/* SHA-256 over 'first' and then 'second'. Source: FIPS 180-4. */
void wrn_sha256(wrn_span first, wrn_span second, uint8_t ret_hash[WRN_SHA256_SIZE]);

/* MD5, which old certificates name their keys by. Never for anything that we trust.
 * Source: RFC 1321. */
void wrn_md5(wrn_span bytes, uint8_t ret_hash[WRN_MD5_SIZE]);

/* SHA-1, for the same and with the same restriction. Source: FIPS 180-4. */
void wrn_sha1(wrn_span bytes, uint8_t ret_hash[WRN_SHA1_SIZE]);

/* cSHAKE128 with a function name and a customisation string: SHAKE128 if both are empty. 'size'
 * bytes are written, any number. Want of memory ends the program, here and in wrn_hit, as it does
 * in wrn_blake2s. Source: NIST SP 800-185, section 3. */
void wrn_cshake128(wrn_span input, wrn_span function_name, wrn_span customisation,
                   uint8_t *ret_bytes, size_t size);

/* Makes the Host Identity Tag of a public key. Source: RFC 7343, section 2; RFC 9374, section
 * 3.5.2.1; the reading of its context: docs/decisions/0012-identity.md. */
void wrn_hit(const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], uint8_t ret_hit[WRN_HIT_SIZE]);

/* Tells whether an address can be the HIT of an Ed25519 key: 2001:20::/28 and HIT suite 5. */
WRN_NODISCARD bool wrn_hit_is_eddsa(const uint8_t hit[WRN_HIT_SIZE]);

/* Writes a HIT as the IPv6 address that it is. Source: RFC 5952. */
void wrn_hit_print(const uint8_t hit[WRN_HIT_SIZE], char ret_text[WRN_HIT_TEXT_SIZE]);

/* Reads an IPv6 address that wrn_hit_is_eddsa. Returns 0, WRN_ERR_MALFORMED (not an IPv6 address)
 * or -EAFNOSUPPORT (another address, or the HIT of another kind of key). */
WRN_NODISCARD int wrn_hit_read(const char *text, uint8_t ret_hit[WRN_HIT_SIZE]);

/* Writes a HIT so that people can read it to one another: its 96 hash bits as a decimal number of
 * 29 digits and three check digits (the number modulo 997), in eight groups of four. The HIT is
 * one of ours: one that was made elsewhere passed wrn_hit_is_eddsa first. */
void wrn_fingerprint_print(const uint8_t hit[WRN_HIT_SIZE], char ret_text[WRN_FINGERPRINT_SIZE]);

/* Reads it back, with or without white space and hyphens between digits. Returns 0,
 * WRN_ERR_MALFORMED (not 32 digits) or -EBADMSG (the check digits say that one was misheard). */
WRN_NODISCARD int wrn_fingerprint_read(const char *text, uint8_t ret_hit[WRN_HIT_SIZE]);

/* Writes a public key for a QR code, in the characters that take least room there: "WARREN:", the
 * 32 digits of its fingerprint, "/", and the key as 64 digits 0-9 A-F. Who scans it without our
 * programs sees the fingerprint. Source of the character set: ISO/IEC 18004, section 7.3.4. */
void wrn_identity_uri_print(const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE],
                            char ret_text[WRN_IDENTITY_URI_SIZE]);

/* Reads it back, in either case. Returns 0, WRN_ERR_MALFORMED (another text), -EBADMSG (the
 * fingerprint is not the key's) or -EKEYREJECTED (not wrn_sign_public_is_sound). */
WRN_NODISCARD int wrn_identity_uri_read(const char *text, uint8_t ret_public[WRN_SIGN_PUBLIC_SIZE]);
