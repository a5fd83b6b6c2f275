/* SPDX-License-Identifier: Apache-2.0 */
/* What a network is: its name, owner and address ranges, signed by the owner once and never
 * changed. The network's id is the hash of that, so whoever knows the id knows whether a descriptor
 * is the right one. Pure. Grammar: docs/networks.md. */
#pragma once
#include "base/address.h"
#include "network/pack.h"

enum {
    WRN_LABEL_SIZE = 64, /* of a name with its zero byte; RFC 1035 has 63 octets a label */
    WRN_DESCRIPTOR_MAX = 640,
    WRN_NONCE_SIZE = 16,
};

enum wrn_network_kind { WRN_NETWORK_L3, WRN_NETWORK_L2 };

struct wrn_descriptor {
    uint8_t id[WRN_NETWORK_ID_SIZE]; /* SHA-256 of the canonical (warren-network ...) */
    char name[WRN_LABEL_SIZE];       /* wrn_label_is_good, with a zero byte */
    enum wrn_network_kind kind;
    bool is_open; /* anybody may be on its ring; only members have addresses */
    uint8_t owner[WRN_SIGN_PUBLIC_SIZE];
    int64_t created_s;             /* Unix time */
    uint32_t vni;                  /* 1..2^24-1 */
    struct wrn_prefix ipv4;        /* private (RFC 1918, RFC 6598), /8 to /30; family NONE: none */
    struct wrn_prefix ipv6;        /* a /64 of fd00::/8 (RFC 4193); family NONE: none */
    uint8_t nonce[WRN_NONCE_SIZE]; /* random: two networks are never the same */
};

enum wrn_descriptor_fault {
    WRN_DESCRIPTOR_OK,
    WRN_DESCRIPTOR_MALFORMED, /* not (sequence (warren-network ...) (signature ...)) */
    WRN_DESCRIPTOR_VERSION,   /* made by a later Warren */
    WRN_DESCRIPTOR_NAME,
    WRN_DESCRIPTOR_OWNER, /* a key that is not sound */
    WRN_DESCRIPTOR_VNI,
    WRN_DESCRIPTOR_IPV4,
    WRN_DESCRIPTOR_IPV6,
    WRN_DESCRIPTOR_RANGE,     /* an l3 network without any */
    WRN_DESCRIPTOR_SIGNATURE, /* not the owner's */
};
enum { WRN_DESCRIPTOR_FAULTS = WRN_DESCRIPTOR_SIGNATURE + 1 };

/* Says what a fault is, as a clause without a full stop. Static text. */
const char *wrn_descriptor_fault_text(enum wrn_descriptor_fault fault);

/* Tells whether a text is a label as hosts and networks are called: 1 to 63 of a-z, 0-9 and '-', no
 * '-' at either end. Source: RFC 1123, section 2.1; upper case is refused so that there is one
 * form. */
bool wrn_label_is_good(wrn_span text);

/* Checks the fields that a person chooses. OK, or what is wrong first. */
WRN_NODISCARD enum wrn_descriptor_fault
wrn_descriptor_check(const struct wrn_descriptor *descriptor);

/* Signs with the owner's seed; 'owner' and 'id' are filled in. Writes the canonical sequence to
 * 'out' (WRN_DESCRIPTOR_MAX bytes suffice). Returns 0 and the expression, WRN_ERR_MALFORMED
 * (wrn_descriptor_check says why, or a date that cannot be written), -ENOMEM (of signing) or
 * -ENOBUFS. */
WRN_NODISCARD int wrn_descriptor_write(struct wrn_descriptor *descriptor,
                                       const uint8_t seed[WRN_SEED_SIZE], uint8_t *out,
                                       size_t capacity, struct wrn_sexp *ret_sequence);

/* Writes the same with a signature that is known, which is not verified: 'owner' must be set, 'id'
 * is filled in. Returns 0, WRN_ERR_MALFORMED or -ENOBUFS. */
WRN_NODISCARD int wrn_descriptor_write_signed(struct wrn_descriptor *descriptor,
                                              const uint8_t signature[WRN_SIGNATURE_SIZE],
                                              uint8_t *out, size_t capacity,
                                              struct wrn_sexp *ret_sequence);

/* Reads and verifies. What is read has one encoding only. 0, or WRN_ERR_MALFORMED and why. */
WRN_NODISCARD int wrn_descriptor_read(struct wrn_sexp sequence,
                                      struct wrn_descriptor *ret_descriptor,
                                      enum wrn_descriptor_fault *ret_fault);

/* What chains of this network need not say. */
struct wrn_pack_frame wrn_descriptor_frame(const struct wrn_descriptor *descriptor);
