/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of one network in few bytes: what a node shows to be admitted, and what stands as
 * proof in a record. What all of them have in common is left out. They expand to the same canonical
 * bytes, so that what their issuers signed is verified: packing needs no trust, and verifies
 * nothing. Pure. Layout: docs/networks.md. */
#pragma once
#include "sexp/sexp.h"
#include "spki/cert.h"

enum {
    WRN_NETWORK_ID_SIZE = 32,
    WRN_PACK_CERTS_MAX = 12,
    WRN_PACK_EXPANDED_MAX = 16 << 10, /* bytes: always room for what was packed */
};

/* What the certificates of a network need not say. */
struct wrn_pack_frame {
    uint8_t network[WRN_NETWORK_ID_SIZE];
    uint8_t owner[WRN_SIGN_PUBLIC_SIZE];
};

enum wrn_pack_fault {
    WRN_PACK_OK,
    WRN_PACK_NOT_CERTS,     /* not a sequence of certificates, signatures and keys */
    WRN_PACK_OTHER_NETWORK, /* a tag that is not (tag (warren ID ONE-ELEMENT)) with this ID */
    WRN_PACK_SHAPE,         /* a part that Warren does not issue for networks: a name, a threshold,
                             * a comment, ... */
    WRN_PACK_NOT_SIGNED,    /* a certificate without its issuer's signature */
    WRN_PACK_NO_ISSUER,     /* an issuer who is neither the owner nor the subject of another one */
    WRN_PACK_TOO_MANY,      /* certificates; or none */
    WRN_PACK_TOO_LARGE,     /* for the room that was given */
    WRN_PACK_MALFORMED,     /* what should be expanded was not packed by wrn_pack */
};
enum { WRN_PACK_FAULTS = WRN_PACK_MALFORMED + 1 };

/* Says what a fault is, as a clause without a full stop. Static text. */
const char *wrn_pack_fault_text(enum wrn_pack_fault fault);

/* Packs the certificates of a (sequence ...), in any order; keys in it are passed over. Returns 0
 * and the size (at most 'capacity'), or WRN_ERR_MALFORMED and why. Needs 8 KiB of stack. */
WRN_NODISCARD int wrn_pack(const struct wrn_pack_frame *frame, struct wrn_sexp sequence,
                           uint8_t *out, size_t capacity, size_t *ret_size,
                           enum wrn_pack_fault *ret_fault);

/* Writes the canonical (sequence (cert ...) (signature ...) ...), each certificate behind that of
 * its issuer. Returns 0, or WRN_ERR_MALFORMED for what is no packed chain of at least one
 * certificate; then nothing useful was written. What expands need not be good certificates: whoever
 * reads them says so. */
WRN_NODISCARD int wrn_pack_expand(const struct wrn_pack_frame *frame, wrn_span packed,
                                  uint8_t out[WRN_PACK_EXPANDED_MAX],
                                  struct wrn_sexp *ret_sequence);
