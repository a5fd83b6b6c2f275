/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the revocations, for its two files. Nobody else includes it. */
#pragma once
#include "network/revoked.h"

/* Who an issuer is; a greater one says more. */
enum wrn_revoked_rank { WRN_REVOKED_INVITER, WRN_REVOKED_ADMIN, WRN_REVOKED_OWNER };

/* Whose word a chain gives, and until which of its certificates is revoked. */
struct wrn_revoked_proof {
    uint8_t rank; /* enum wrn_revoked_rank */
    uint8_t cert_count;
    struct wrn_rights_cert certs[WRN_PACK_CERTS_MAX];
};

/* A list as it was read; views of its bytes. */
struct wrn_revoked_parsed {
    int64_t date_s;
    const uint8_t *issuer, *signature, *hashes;
    uint16_t count;
    wrn_span list, chain;          /* without the chain; the chain */
    uint8_t hash[WRN_SHA256_SIZE]; /* of 'list' */
};

/* One that is kept. Its bytes, then the certificates of its proof, lie in the pool. */
struct wrn_revoked_list {
    uint8_t issuer[WRN_SIGN_PUBLIC_SIZE];
    uint8_t hash[WRN_SHA256_SIZE];
    int64_t date_s;
    uint32_t offset, size; /* of the bytes */
    uint16_t count;
    uint8_t cert_count;
    uint8_t rank;   /* enum wrn_revoked_rank */
    bool is_newest; /* of its issuer; else the one that is kept besides */
    bool stands;    /* no certificate of its proof is revoked by its issuer or the owner */
};

struct wrn_revoked {
    struct wrn_revoked_options options;
    struct wrn_judge *judge;
    struct wrn_revoked_list *lists; /* ascending by issuer, the newest one last */
    uint32_t count;
    uint8_t *bytes;
    uint32_t used;
    uint64_t version;
    uint64_t counts[WRN_REVOKED_COUNTS];
    struct wrn_rights rights; /* of the issuer in question */
};

/* Writes what an offer says of a list: issuer(16) date(8) hash(7) rank(1). Greater is newer. */
void wrn_revoked_head(const struct wrn_revoked_list *list, uint8_t ret_head[WRN_REVOKED_HEAD_SIZE]);

/* The bytes of a list. */
static inline wrn_span wrn_revoked_bytes(const struct wrn_revoked *revoked,
                                         const struct wrn_revoked_list *list) {
    return (wrn_span){revoked->bytes + list->offset, list->size};
}
