/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates for others: issued by command, sent until whom they are for says that it has them.
 * And those for us: merged into what we show. */
#include "base/wire.h"
#include "node/authority_state.h"

enum {
    RETRY_MIN_S = 2,
    RETRY_MAX_S = 300,
    ACK_SIZE = 1 + WRN_SHA256_SIZE + WRN_SIGN_PUBLIC_SIZE + WRN_SIGNATURE_SIZE,
};
static const char ack_label[] = "warren certificate received 1";

static void send_grant(struct wrn_authority *authority, struct wrn_authority_grant *grant);
static void acknowledge(struct wrn_authority *authority, const struct wrn_network_peer *from,
                        wrn_id source, wrn_span chain);
static bool says_the_same(const struct wrn_network *network, const uint8_t *subject, wrn_span a,
                          wrn_span b);
static wrn_span without_revoked(struct wrn_authority *authority, wrn_span chain, uint8_t *room);
static struct wrn_authority_grant *room_for(struct wrn_authority *authority, const uint8_t *subject,
                                            wrn_span chain);
static bool is_better(const struct wrn_rights *rights, const struct wrn_network *network);

enum wrn_reason wrn_node_grant(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                               const uint8_t subject[WRN_SIGN_PUBLIC_SIZE], wrn_span element,
                               bool may_delegate, int64_t until_s, struct wrn_node_out *out,
                               uint8_t ret_hash[WRN_SHA256_SIZE],
                               char ret_why[WRN_JUDGE_WHY_SIZE]) {
    struct wrn_network *network = wrn_node_network(node, handle);
    struct wrn_authority_wish wish = {
        .subject = subject, .may_pass_on = may_delegate, .until_s = until_s};
    if (network == NULL) {
        wrn_authority_say(ret_why, "There is no such network.");
        return WRN_REASON_NOT_FOUND;
    }
    if (wrn_sexp_check(element, &wish.element, NULL) != 0) {
        wrn_authority_say(ret_why, "What is to be given is no expression.");
        return WRN_REASON_MALFORMED;
    }
    wrn_network_begin(network, now, out);
    enum wrn_reason reason = wrn_authority_grant(network->authority, &wish, ret_hash, ret_why);
    wrn_network_end(network);
    return reason;
}

enum wrn_reason wrn_authority_grant(struct wrn_authority *authority,
                                    const struct wrn_authority_wish *wish,
                                    uint8_t ret_hash[WRN_SHA256_SIZE],
                                    char ret_why[WRN_JUDGE_WHY_SIZE]) {
    struct wrn_network *network = authority->network;
    struct wrn_authority_wish whole = *wish;
    uint8_t chain[WRN_CREDENTIAL_MAX];
    size_t size;
    if (!wrn_sign_public_is_sound(wish->subject)) {
        wrn_authority_say(ret_why, "That is no key of a node.");
        return WRN_REASON_MALFORMED;
    }
    if (memcmp(wish->subject, network->descriptor.owner, WRN_SIGN_PUBLIC_SIZE) == 0) {
        wrn_authority_say(ret_why, "That is the network's owner, who has all rights.");
        return WRN_REASON_SELF;
    }
    whole.flags = wrn_authority_flags_of(authority, wish->element, NULL);
    enum wrn_reason reason =
        wrn_authority_issue(authority, &whole, chain, sizeof chain, &size, ret_hash, ret_why);
    if (reason != WRN_REASON_NONE) {
        return reason;
    }
    const struct wrn_network_peer *peer = wrn_network_peer_by_key(network, wish->subject);
    wrn_span known = peer != NULL ? (wrn_span){peer->chain, peer->chain_size} : (wrn_span){0};
    reason =
        wrn_authority_add_grant(authority, wish->subject, (wrn_span){chain, size}, known, false);
    if (reason != WRN_REASON_NONE) {
        wrn_authority_say(ret_why,
                          "%d certificates wait for members who were not there since: wait "
                          "for one of them, or revoke him.",
                          WRN_STATE_GRANTS_MAX);
    }
    return reason;
}

/* Returns the first chain with what the other one has besides, in 'room'; the first one alone if
 * there is nothing, or no room for it. */
static wrn_span join_chains(const struct wrn_network *network, const uint8_t *subject,
                            wrn_span chain, wrn_span other, uint8_t room[WRN_CREDENTIAL_MAX]) {
    struct wrn_pack_frame frame = wrn_descriptor_frame(&network->descriptor);
    size_t size = 0;
    bool is_joined = other.size > 0 && other.size <= WRN_CREDENTIAL_MAX &&
                     wrn_certs_merge(&frame, network->now.wall.s, subject, chain, other, room,
                                     WRN_CREDENTIAL_MAX, &size) == 0 &&
                     size > 0;
    return is_joined ? (wrn_span){room, size} : chain;
}

static bool is_kept(const struct wrn_authority *authority, const struct wrn_cert *cert) {
    struct wrn_pack_frame frame = wrn_descriptor_frame(&authority->network->descriptor);
    struct wrn_certs certs;
    for (uint32_t i = 0; i < authority->grant_count; i++) {
        const struct wrn_authority_grant *grant = &authority->grants[i];
        if (memcmp(grant->kept.subject, cert->subject, sizeof grant->kept.subject) != 0 ||
            !wrn_certs_read(&frame, grant->kept.chain, &certs)) {
            continue;
        }
        for (uint32_t k = 0; k < certs.count; k++) {
            if (memcmp(certs.certs[k].hash, cert->hash, WRN_SHA256_SIZE) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* What is known of a member and did not fit behind what was issued to it, or is of others that say
 * the same for less long, gets a place of its own while there is one. */
static void keep_known(struct wrn_authority *authority, const uint8_t *subject, wrn_span known) {
    const struct wrn_network *network = authority->network;
    struct wrn_pack_frame frame = wrn_descriptor_frame(&network->descriptor);
    struct wrn_certs certs;
    bool is_missing = false;
    if (known.size == 0 || known.size > WRN_CREDENTIAL_MAX ||
        !wrn_certs_read(&frame, known, &certs)) {
        return;
    }
    uint32_t which = wrn_certs_leading(&frame, &certs, subject);
    for (uint32_t i = 0; i < certs.count && !is_missing; i++) {
        const struct wrn_cert *cert = &certs.certs[i];
        uint8_t by[WRN_SIGN_PUBLIC_SIZE];
        is_missing = (which >> i & 1) != 0 &&
                     memcmp(cert->subject, subject, WRN_SIGN_PUBLIC_SIZE) == 0 &&
                     cert->until_s > network->now.wall.s && !is_kept(authority, cert) &&
                     !wrn_revoked_has(network->revoked, cert->hash, cert->issuer, by);
    }
    if (!is_missing || authority->grant_count == WRN_STATE_GRANTS_MAX) {
        return;
    }
    struct wrn_authority_grant *grant = &authority->grants[authority->grant_count++];
    memset(grant, 0, sizeof *grant);
    memcpy(grant->kept.subject, subject, sizeof grant->kept.subject);
    memcpy(grant->chain, known.data, known.size);
    grant->kept.chain = (wrn_span){grant->chain, known.size};
    grant->kept.is_delivered = true; /* it came from there */
    grant->due = WRN_MONO_NEVER;
    grant->until_s = wrn_authority_kept_until(authority, network->now.wall.s, &certs, subject);
}

enum wrn_reason wrn_authority_add_grant(struct wrn_authority *authority,
                                        const uint8_t subject[WRN_SIGN_PUBLIC_SIZE], wrn_span chain,
                                        wrn_span known, bool is_renewal) {
    const struct wrn_network *network = authority->network;
    struct wrn_authority_grant *grant = room_for(authority, subject, chain);
    uint8_t merged[WRN_CREDENTIAL_MAX], both[WRN_CREDENTIAL_MAX];
    if (grant == NULL) {
        return WRN_REASON_FULL;
    }
    chain = join_chains(network, subject, chain, known, merged);
    if (memcmp(grant->kept.subject, subject, sizeof grant->kept.subject) == 0) {
        /* what was known of it when the last one was issued would be forgotten with its place */
        chain = join_chains(network, subject, chain, grant->kept.chain, both);
    }
    memset(grant, 0, sizeof *grant);
    memcpy(grant->kept.subject, subject, sizeof grant->kept.subject);
    memcpy(grant->chain, chain.data, chain.size);
    grant->kept.chain = (wrn_span){grant->chain, chain.size};
    grant->until_s = authority->rights.until_s;
    grant->is_renewal = is_renewal;
    keep_known(authority, subject, known);
    wrn_network_save(authority->network, true);
    send_grant(authority, grant);
    return WRN_REASON_NONE;
}

const struct wrn_cert *wrn_authority_cert_for(const struct wrn_certs *certs,
                                              const uint8_t issuer[WRN_SIGN_PUBLIC_SIZE],
                                              const uint8_t subject[WRN_SIGN_PUBLIC_SIZE]) {
    for (uint32_t i = 0; i < certs->count; i++) {
        if (memcmp(certs->certs[i].subject, subject, WRN_SIGN_PUBLIC_SIZE) == 0 &&
            memcmp(certs->certs[i].issuer, issuer, WRN_SIGN_PUBLIC_SIZE) == 0) {
            return &certs->certs[i];
        }
    }
    return NULL;
}

int64_t wrn_authority_kept_until(const struct wrn_authority *authority, int64_t now_s,
                                 const struct wrn_certs *certs,
                                 const uint8_t subject[WRN_SIGN_PUBLIC_SIZE]) {
    const struct wrn_cert *issued =
        wrn_authority_cert_for(certs, authority->network->node->public_key, subject);
    int64_t until_s = 0;
    if (issued != NULL) {
        return issued->until_s;
    }
    for (uint32_t i = 0; i < certs->count; i++) {
        const struct wrn_cert *cert = &certs->certs[i];
        if (memcmp(cert->subject, subject, WRN_SIGN_PUBLIC_SIZE) == 0 && cert->until_s > until_s) {
            until_s = cert->until_s;
        }
    }
    int64_t most_s = now_s + WRN_MEMBERSHIP_S; /* nobody's outlives those of others */
    return until_s < most_s ? until_s : most_s;
}

void wrn_authority_send_grants(struct wrn_authority *authority,
                               const uint8_t subject[WRN_SIGN_PUBLIC_SIZE]) {
    for (uint32_t i = 0; i < authority->grant_count; i++) {
        struct wrn_authority_grant *grant = &authority->grants[i];
        if (!grant->kept.is_delivered &&
            memcmp(grant->kept.subject, subject, WRN_SIGN_PUBLIC_SIZE) == 0) {
            grant->tries = 0;
            send_grant(authority, grant);
        }
    }
}

void wrn_authority_grants_on_time(struct wrn_authority *authority) {
    for (uint32_t i = 0; i < authority->grant_count; i++) {
        struct wrn_authority_grant *grant = &authority->grants[i];
        if (wrn_mono_reached(authority->network->now.mono, grant->due)) {
            send_grant(authority, grant);
        }
    }
}

wrn_mono wrn_authority_grants_due(const struct wrn_authority *authority) {
    wrn_mono due = WRN_MONO_NEVER;
    for (uint32_t i = 0; i < authority->grant_count; i++) {
        due = wrn_mono_min(due, authority->grants[i].due);
    }
    return due;
}

/* Who has a chain for us need not be its issuer: what counts is what it says. */
void wrn_authority_on_cert(struct wrn_authority *authority, const struct wrn_network_peer *from,
                           wrn_id source, wrn_span chain) {
    struct wrn_network *network = authority->network;
    struct wrn_pack_frame frame = wrn_descriptor_frame(&network->descriptor);
    const uint8_t *own = network->node->public_key;
    uint8_t room[WRN_CREDENTIAL_MAX];
    wrn_span ours =
        without_revoked(authority, (wrn_span){network->chain, network->chain_size}, room);
    uint8_t merged[WRN_CREDENTIAL_MAX];
    size_t size;
    if ((network->rights.flags & WRN_RIGHT_OWNER) != 0 || chain.size == 0 ||
        chain.size > WRN_CREDENTIAL_MAX || !wrn_authority_pay(authority)) {
        return;
    }
    struct wrn_judge_question question = {
        .chain = chain,
        .public_key = own,
        .now_s = network->now.wall.s,
        .cancelled = wrn_revoked_cancelled(network->revoked),
    };
    struct wrn_judge_verdict verdict;
    wrn_judge(network->judge, &question, &authority->rights, &verdict);
    if (verdict.reason != WRN_REASON_NONE) {
        return;
    }
    int error = wrn_certs_merge(&frame, network->now.wall.s, own, chain, ours, merged,
                                sizeof merged, &size);
    if (error == -ENOBUFS && chain.size <= sizeof merged) { /* the new one alone */
        memcpy(merged, chain.data, chain.size);
        size = chain.size;
        error = 0;
    }
    if (error != 0 || size == 0) {
        return;
    }
    question.chain = (wrn_span){merged, size};
    wrn_judge(network->judge, &question, &authority->rights, &verdict);
    bool is_same = size == ours.size && memcmp(merged, ours.data, size) == 0;
    if (verdict.reason == WRN_REASON_NONE && !is_same && is_better(&authority->rights, network)) {
        memcpy(network->chain, merged, size);
        network->chain_size = (uint32_t)size;
        wrn_network_chain_changed(network);
        is_same = true;
    }
    if (is_same) {
        acknowledge(authority, from, source, chain);
    }
}

/* Signed, since it may come by others. */
void wrn_authority_on_cert_ack(struct wrn_authority *authority, wrn_span message) {
    struct wrn_reader reader = wrn_reader(message);
    uint8_t hash[WRN_SHA256_SIZE];
    const uint8_t *ours = wrn_read_span(&reader, WRN_SHA256_SIZE).data;
    const uint8_t *subject = wrn_read_span(&reader, WRN_SIGN_PUBLIC_SIZE).data;
    const uint8_t *signature = wrn_read_span(&reader, WRN_SIGNATURE_SIZE).data;
    if (!wrn_reader_is_done(&reader)) {
        return;
    }
    for (uint32_t i = 0; i < authority->grant_count; i++) {
        struct wrn_authority_grant *grant = &authority->grants[i];
        if (grant->kept.is_delivered ||
            memcmp(grant->kept.subject, subject, WRN_SIGN_PUBLIC_SIZE) != 0) {
            continue;
        }
        wrn_sha256(grant->kept.chain, (wrn_span){NULL, 0}, hash);
        if (memcmp(hash, ours, sizeof hash) == 0 &&
            wrn_sign_verify(subject, ack_label, (wrn_span){hash, sizeof hash}, signature)) {
            grant->kept.is_delivered = true;
            grant->due = WRN_MONO_NEVER;
            wrn_network_save(authority->network, false);
        }
    }
}

/* ---- Parts */

static void send_grant(struct wrn_authority *authority, struct wrn_authority_grant *grant) {
    struct wrn_network *network = authority->network;
    const struct wrn_network_peer *peer = wrn_network_peer_by_key(network, grant->kept.subject);
    uint8_t message[1 + WRN_CREDENTIAL_MAX], hit[WRN_HIT_SIZE];
    bool is_up = peer != NULL && (peer->overlay.generation & 1) != 0;
    if (grant->until_s <= network->now.wall.s) {
        grant->kept.is_delivered = true; /* it is over: room for others */
        grant->due = WRN_MONO_NEVER;
        return;
    }
    message[0] = WRN_NETWORK_CERT;
    memcpy(message + 1, grant->chain, grant->kept.chain.size);
    wrn_span bytes = {message, 1 + grant->kept.chain.size};
    if (is_up) {
        (void)wrn_network_send(network, peer->overlay, bytes);
    } else {
        const struct wrn_primitives *primitives = network->node->options.primitives;
        primitives->hit(primitives->ctx, grant->kept.subject, hit);
        (void)wrn_network_route(network, wrn_id_of_hit(hit), bytes);
    }
    uint64_t wait_s = (uint64_t)RETRY_MIN_S << (grant->tries < 8 ? grant->tries : 8);
    wait_s = wait_s < RETRY_MAX_S ? wait_s : RETRY_MAX_S;
    grant->tries++;
    grant->due = wrn_mono_add(network->now.mono, WRN_S(wait_s));
}

static void acknowledge(struct wrn_authority *authority, const struct wrn_network_peer *from,
                        wrn_id source, wrn_span chain) {
    struct wrn_network *network = authority->network;
    uint8_t message[ACK_SIZE], hash[WRN_SHA256_SIZE], signature[WRN_SIGNATURE_SIZE];
    struct wrn_writer writer = wrn_writer(message, sizeof message);
    wrn_sha256(chain, (wrn_span){NULL, 0}, hash);
    if (!wrn_sign(network->node->options.seed, ack_label, (wrn_span){hash, sizeof hash},
                  signature)) {
        return;
    }
    wrn_write_u8(&writer, WRN_NETWORK_CERT_ACK);
    wrn_write_bytes(&writer, hash, sizeof hash);
    wrn_write_bytes(&writer, network->node->public_key, WRN_SIGN_PUBLIC_SIZE);
    wrn_write_bytes(&writer, signature, sizeof signature);
    if (from != NULL) {
        (void)wrn_network_send(network, from->overlay, wrn_written(&writer));
    } else {
        (void)wrn_network_route(network, source, wrn_written(&writer));
    }
}

/* What was revoked needs no room any more. */
static wrn_span without_revoked(struct wrn_authority *authority, wrn_span chain, uint8_t *room) {
    const struct wrn_network *network = authority->network;
    struct wrn_pack_frame frame = wrn_descriptor_frame(&network->descriptor);
    uint8_t by[WRN_SIGN_PUBLIC_SIZE];
    uint32_t which = 0;
    struct wrn_certs certs;
    size_t size = 0;
    if (!wrn_certs_read(&frame, chain, &certs)) {
        return (wrn_span){NULL, 0};
    }
    for (uint32_t i = 0; i < certs.count; i++) {
        const struct wrn_cert *cert = &certs.certs[i];
        bool is_revoked = wrn_revoked_has(network->revoked, cert->hash, cert->issuer, by);
        which |= is_revoked ? 0 : UINT32_C(1) << i;
    }
    if (which == (UINT32_C(1) << certs.count) - 1) {
        return chain;
    }
    /* Where others hang on what goes, all stays: merging sorts it out. */
    return wrn_certs_pick(&frame, &certs, which, room, WRN_CREDENTIAL_MAX, &size) == 0
               ? (wrn_span){room, size}
               : chain;
}

/* Both give the subject the same. What we issued stands before what was known of it besides; the
 * way to us may lead through the subject, too, by what others issued. */
static bool says_the_same(const struct wrn_network *network, const uint8_t *subject, wrn_span a,
                          wrn_span b) {
    struct wrn_pack_frame frame = wrn_descriptor_frame(&network->descriptor);
    struct wrn_certs first, second;
    if (!wrn_certs_read(&frame, a, &first) || !wrn_certs_read(&frame, b, &second)) {
        return false;
    }
    const uint8_t *issuer = network->node->public_key;
    const struct wrn_cert *one = wrn_authority_cert_for(&first, issuer, subject);
    const struct wrn_cert *other = wrn_authority_cert_for(&second, issuer, subject);
    return one != NULL && other != NULL && wrn_sexp_equal(one->element, other->element) &&
           one->may_pass_on == other->may_pass_on;
}

/* A new place, for what was issued before is good until it ends, and has to be known when it is
 * revoked; if there is none that of an older one that says the same, or of one that is over or was
 * delivered. */
static struct wrn_authority_grant *room_for(struct wrn_authority *authority, const uint8_t *subject,
                                            wrn_span chain) {
    struct wrn_authority_grant *same = NULL, *done = NULL;
    int64_t now_s = authority->network->now.wall.s;
    if (authority->grant_count < WRN_STATE_GRANTS_MAX) {
        return &authority->grants[authority->grant_count++];
    }
    for (uint32_t i = 0; i < authority->grant_count; i++) {
        struct wrn_authority_grant *grant = &authority->grants[i];
        if (memcmp(grant->kept.subject, subject, WRN_SIGN_PUBLIC_SIZE) == 0 &&
            says_the_same(authority->network, subject, grant->kept.chain, chain)) {
            same = grant;
        }
        bool is_done = grant->until_s <= now_s || grant->kept.is_delivered;
        if (is_done && (done == NULL || grant->until_s < done->until_s)) {
            done = grant;
        }
    }
    return same != NULL ? same : done;
}

/* Nothing is taken away by what others send. */
static bool is_better(const struct wrn_rights *rights, const struct wrn_network *network) {
    if (network->standing != WRN_REASON_NONE) {
        return true;
    }
    const struct wrn_rights *old = &network->rights;
    return (rights->flags & old->flags) == old->flags && rights->until_s >= old->until_s &&
           rights->uses_high >= old->uses_high && rights->any_address >= old->any_address &&
           rights->any_name >= old->any_name && rights->any_route >= old->any_route &&
           wrn_rights_may_relay(rights) >= wrn_rights_may_relay(old);
}
