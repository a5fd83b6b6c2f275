/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of revocations in the table: crl/HASH, with the issuer's chain as its proof. */
#include "base/hex.h"
#include "node/authority_state.h"
#include "spki/cert.h"

enum {
    TTL_S = 604800,
    ISSUERS_MAX = 4, /* that are looked up */
    ISSUER_AT = 9,   /* in a list: docs/networks.md */
    COUNT_AT = 105,
};

static size_t write_key(const uint8_t *public_key, char out[WRN_RECORD_KEY_MAX]);
static void look_for(struct wrn_authority *authority, const uint8_t *issuer, uint32_t number);

void wrn_authority_publish(struct wrn_authority *authority) {
    struct wrn_network *network = authority->network;
    char key[WRN_RECORD_KEY_MAX];
    uint32_t cursor = 0;
    wrn_span list, own = {NULL, 0};
    while ((list = wrn_revoked_next(network->revoked, &cursor)).size > 0) {
        if (memcmp(list.data + ISSUER_AT, network->node->public_key, WRN_SIGN_PUBLIC_SIZE) == 0) {
            own = list; /* of one issuer the newest comes last */
        }
    }
    if (own.size == 0 || network->standing != WRN_REASON_NONE) {
        return;
    }
    uint32_t count = (uint32_t)own.data[COUNT_AT] << 8 | own.data[COUNT_AT + 1];
    size_t size = write_key(network->node->public_key, key);
    const struct wrn_claim_request request = {
        .tag = (uint32_t)WRN_NETWORK_TAGS_USES << 16 | WRN_AUTHORITY_TAG_PUBLISH,
        .kind = WRN_RECORD_CREATE,
        .keep = true,
        .key = {(const uint8_t *)key, size},
        .value = {own.data, WRN_REVOKED_LIST_HEAD + count * WRN_SHA256_SIZE},
        .ttl_s = TTL_S,
    };
    if (request.value.size <= WRN_RECORD_VALUE_MAX) {
        (void)wrn_network_store(network, &request); /* in vain: peers have it, and pass it on */
    }
}

/* Of the owner, and of those from whom our own rights come. */
void wrn_authority_look_for_lists(struct wrn_authority *authority) {
    const struct wrn_network *network = authority->network;
    struct wrn_pack_frame frame = wrn_descriptor_frame(&network->descriptor);
    struct wrn_certs certs;
    uint32_t number = 0;
    look_for(authority, network->descriptor.owner, number++);
    if (!wrn_certs_read(&frame, (wrn_span){network->chain, network->chain_size}, &certs)) {
        return;
    }
    for (uint32_t i = 0; i < certs.count && number < ISSUERS_MAX; i++) {
        if (certs.certs[i].may_pass_on) {
            look_for(authority, certs.certs[i].subject, number++);
        }
    }
}

void wrn_authority_lists_on_answer(struct wrn_authority *authority,
                                   const struct wrn_dht_answer *answer) {
    struct wrn_network *network = authority->network;
    uint8_t list[WRN_RECORD_MAX];
    struct wrn_record record;
    uint32_t tag = (uint32_t)WRN_NETWORK_TAGS_USES << 16 | WRN_AUTHORITY_TAG_LISTS;
    if (answer->verb != WRN_DHT_GET || answer->tag < tag || answer->tag >= tag + ISSUERS_MAX ||
        answer->record.size == 0 ||
        wrn_record_read(answer->record, network->node->options.primitives, &record) !=
            WRN_REASON_NONE ||
        record.value.size + record.proof.size > sizeof list) {
        return;
    }
    memcpy(list, record.value.data, record.value.size);
    if (record.proof.size > 0) {
        memcpy(list + record.value.size, record.proof.data, record.proof.size);
    }
    (void)wrn_authority_add_list(authority, (wrn_span){list, record.value.size + record.proof.size},
                                 NULL);
}

static size_t write_key(const uint8_t *public_key, char out[WRN_RECORD_KEY_MAX]) {
    static const char family[4] = {'c', 'r', 'l', '/'};
    uint8_t key[WRN_SPKI_KEY_SEXP_SIZE], hash[WRN_SHA256_SIZE];
    wrn_spki_hash(wrn_spki_key_sexp(public_key, key), hash);
    memcpy(out, family, sizeof family);
    wrn_hex_write(hash, sizeof hash, out + sizeof family);
    return sizeof family + 2 * sizeof hash;
}

static void look_for(struct wrn_authority *authority, const uint8_t *issuer, uint32_t number) {
    struct wrn_network *network = authority->network;
    char key[WRN_RECORD_KEY_MAX];
    size_t size = write_key(issuer, key);
    uint32_t tag = ((uint32_t)WRN_NETWORK_TAGS_USES << 16 | WRN_AUTHORITY_TAG_LISTS) + number;
    if (memcmp(issuer, network->node->public_key, WRN_SIGN_PUBLIC_SIZE) != 0) {
        (void)wrn_network_get(network, tag, (wrn_span){(const uint8_t *)key, size});
    }
}
