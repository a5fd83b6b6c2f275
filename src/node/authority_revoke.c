/* SPDX-License-Identifier: Apache-2.0 */
/* Takes rights back: finds which certificates have to go, and writes this node's next list. */
#include "node/authority_state.h"

enum {
    HASHES_MAX = 64,
    ELEMENT_MAX = 640,
    /* Who ends a network stays so long to tell it: a comparison of lists follows after one second,
     * should the first word be lost. */
    LINGER_S = 3,
};

/* What is gathered for one command. */
struct taking {
    struct wrn_authority *authority;
    const uint8_t *subject;
    bool is_any; /* we administer: certificates of every issuer */
    uint32_t count;
    uint32_t foreign;        /* ... of others, that we may not revoke */
    uint32_t shared;         /* ... of invitations that others came in by too */
    int64_t until_s;         /* the latest end of what goes */
    bool takes_member;       /* what goes gives membership */
    struct wrn_sexp element; /* ... by this one */
    uint8_t element_room[ELEMENT_MAX];
    uint8_t hashes[HASHES_MAX][WRN_SHA256_SIZE];
};

static enum wrn_reason end_network(struct wrn_network *network, char *why);
static void gather_chain(struct taking *taking, enum wrn_node_revoke_what what, wrn_span chain);
static bool is_about(const struct wrn_certs *certs, const uint8_t *subject);
static void gather_cert(struct taking *taking, enum wrn_node_revoke_what what,
                        const struct wrn_certs *certs, uint32_t which, const struct wrn_cert *cert);
static void gather_invitation(struct taking *taking, const struct wrn_certs *certs, uint32_t which,
                              const uint8_t *key);
static bool gather_hash(struct taking *taking, const struct wrn_cert *cert);
static void put_hash(struct taking *taking, const uint8_t *hash);
static bool has_hash(const struct taking *taking, const uint8_t *hash);
static enum wrn_reason keep_member(struct taking *taking, wrn_span chain, char *why);
static bool stays_member(struct taking *taking, wrn_span chain);
static struct wrn_authority_grant *kept_membership(struct taking *taking);
static bool is_member_without(struct taking *taking, wrn_span chain);
static bool is_member_by(struct taking *taking, wrn_span chain);
static bool is_taken(void *ctx, const uint8_t *hash, const uint8_t *issuer, uint8_t *ret_by);
static enum wrn_reason write_list(struct taking *taking, char *why);
static enum wrn_reason say_nothing_found(const struct taking *taking, char *why);
static void mark_invitations(struct taking *taking);

enum wrn_reason wrn_node_revoke(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                                enum wrn_node_revoke_what what,
                                const uint8_t subject_or_hash[WRN_SIGN_PUBLIC_SIZE], wrn_span chain,
                                struct wrn_node_out *out, uint32_t *ret_count,
                                char ret_why[WRN_JUDGE_WHY_SIZE]) {
    struct wrn_network *network = wrn_node_network(node, handle);
    *ret_count = 0;
    if (network == NULL) {
        wrn_authority_say(ret_why, "There is no such network.");
        return WRN_REASON_NOT_FOUND;
    }
    wrn_network_begin(network, now, out);
    enum wrn_reason reason =
        wrn_authority_revoke(network->authority, what, subject_or_hash, chain, ret_count, ret_why);
    wrn_network_end(network);
    return reason;
}

enum wrn_reason wrn_node_end(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                             struct wrn_node_out *out, uint32_t *ret_told,
                             char ret_why[WRN_JUDGE_WHY_SIZE]) {
    struct wrn_network *network = wrn_node_network(node, handle);
    *ret_told = 0;
    if (network == NULL) {
        wrn_authority_say(ret_why, "There is no such network.");
        return WRN_REASON_NOT_FOUND;
    }
    wrn_network_begin(network, now, out);
    enum wrn_reason reason = end_network(network, ret_why);
    *ret_told = reason == WRN_REASON_NONE ? network->up_count : 0;
    wrn_network_end(network);
    return reason;
}

static enum wrn_reason end_network(struct wrn_network *network, char *why) {
    uint8_t list[WRN_REVOKED_LIST_MAX];
    if (network->standing != WRN_REASON_NONE || (network->rights.flags & WRN_RIGHT_OWNER) == 0) {
        wrn_authority_say(why, "Only its owner can end a network.");
        return WRN_REASON_NOT_ADMITTED;
    }
    size_t size = wrn_revoked_write_end(network->revoked, network->node->options.seed,
                                        network->now.wall.s, network->end_mark, list, sizeof list);
    if (size == 0) {
        wrn_authority_say(why, "The end could not be signed: no memory is left.");
        return WRN_REASON_FULL;
    }
    enum wrn_reason reason =
        wrn_authority_add_list(network->authority, (wrn_span){list, size}, NULL);
    if (reason != WRN_REASON_NONE) {
        wrn_authority_say(why, "This node's own list is refused: %s.", wrn_reason_text(reason));
        return reason;
    }
    network->linger_due = network->up_count > 0 ? wrn_mono_add(network->now.mono, WRN_S(LINGER_S))
                                                : network->now.mono;
    return WRN_REASON_NONE;
}

enum wrn_reason wrn_authority_revoke(struct wrn_authority *authority,
                                     enum wrn_node_revoke_what what,
                                     const uint8_t subject_or_hash[WRN_SIGN_PUBLIC_SIZE],
                                     wrn_span chain, uint32_t *ret_count,
                                     char ret_why[WRN_JUDGE_WHY_SIZE]) {
    struct wrn_network *network = authority->network;
    bool is_good = network->standing == WRN_REASON_NONE;
    bool is_admin = is_good && (network->rights.flags & WRN_RIGHT_ADMIN) != 0;
    bool is_inviter = is_good && (network->rights.flags & WRN_RIGHT_INVITE) != 0 &&
                      network->rights.uses_high == UINT32_MAX;
    struct taking taking = {.authority = authority, .subject = subject_or_hash, .is_any = is_admin};
    if (!is_admin && !is_inviter) {
        wrn_authority_say(ret_why, "This node may not revoke: it needs the right (admin), or "
                                   "(invite) for what it gave itself. Ask the network's owner.");
        return WRN_REASON_NOT_ADMITTED;
    }
    if (what != WRN_NODE_REVOKE_CERT &&
        memcmp(subject_or_hash, network->descriptor.owner, WRN_SIGN_PUBLIC_SIZE) == 0) {
        wrn_authority_say(ret_why, "That is the network's owner: his rights come from nobody.");
        return WRN_REASON_SELF;
    }
    gather_chain(&taking, what, chain);
    const struct wrn_network_peer *peer = wrn_network_peer_by_key(network, subject_or_hash);
    if (peer != NULL) {
        gather_chain(&taking, what, (wrn_span){peer->chain, peer->chain_size});
    }
    for (uint32_t i = 0; i < authority->grant_count; i++) {
        gather_chain(&taking, what, authority->grants[i].kept.chain);
    }
    for (uint32_t i = 0; i < authority->invitation_count && what == WRN_NODE_REVOKE_CERT; i++) {
        gather_chain(&taking, what, authority->invitations[i].chain);
    }
    if (what == WRN_NODE_REVOKE_CERT && taking.count == 0 && taking.foreign == 0 && is_admin) {
        put_hash(&taking, subject_or_hash); /* somebody else has told us which one */
    }
    if (taking.count == 0) {
        return say_nothing_found(&taking, ret_why);
    }
    enum wrn_reason reason = WRN_REASON_NONE;
    if (what == WRN_NODE_REVOKE_EXTRA) {
        reason = keep_member(&taking, chain, ret_why);
    } else if (what == WRN_NODE_REVOKE_MEMBER && taking.count < HASHES_MAX &&
               is_member_without(&taking, chain)) {
        /* Half of it would be worth nothing. Of more than fit the rest goes the next time. */
        return say_nothing_found(&taking, ret_why);
    }
    reason = reason == WRN_REASON_NONE ? write_list(&taking, ret_why) : reason;
    if (reason == WRN_REASON_NONE) {
        mark_invitations(&taking);
        if (what == WRN_NODE_REVOKE_EXTRA) {
            /* Less than it had it takes when it has heard that the rest is gone. */
            wrn_authority_send_grants(authority, subject_or_hash);
        }
        wrn_network_save(network, true);
        *ret_count = taking.count;
    }
    return reason;
}

/* ---- Which certificates */

static void gather_chain(struct taking *taking, enum wrn_node_revoke_what what, wrn_span chain) {
    const struct wrn_network *network = taking->authority->network;
    struct wrn_pack_frame frame = wrn_descriptor_frame(&network->descriptor);
    struct wrn_certs certs;
    if (chain.size > WRN_CREDENTIAL_MAX || !wrn_certs_read(&frame, chain, &certs)) {
        return;
    }
    /* What a member shows beside its chain would fill the list, and hide what is to go. */
    uint32_t which = what == WRN_NODE_REVOKE_CERT ? UINT32_MAX
                     : is_about(&certs, taking->subject)
                         ? wrn_certs_leading(&frame, &certs, taking->subject)
                         : 0;
    for (uint32_t i = 0; i < certs.count; i++) {
        if ((which >> i & 1) != 0) {
            gather_cert(taking, what, &certs, which, &certs.certs[i]);
        }
    }
}

static bool is_about(const struct wrn_certs *certs, const uint8_t *subject) {
    for (uint32_t i = 0; i < certs->count; i++) {
        if (memcmp(certs->certs[i].subject, subject, WRN_SIGN_PUBLIC_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

static void gather_cert(struct taking *taking, enum wrn_node_revoke_what what,
                        const struct wrn_certs *certs, uint32_t which,
                        const struct wrn_cert *cert) {
    bool is_it = what == WRN_NODE_REVOKE_CERT
                     ? memcmp(cert->hash, taking->subject, WRN_SHA256_SIZE) == 0
                     : memcmp(cert->subject, taking->subject, WRN_SIGN_PUBLIC_SIZE) == 0;
    bool has_route = false;
    if (!is_it || cert->until_s <= taking->authority->network->now.wall.s) {
        return;
    }
    uint8_t flags = wrn_authority_flags_of(taking->authority, cert->element, &has_route);
    bool is_extra = (flags & (uint8_t)~WRN_RIGHT_MEMBER) != 0 || has_route;
    if (what == WRN_NODE_REVOKE_EXTRA && !is_extra) {
        return;
    }
    if (!gather_hash(taking, cert)) {
        if (what == WRN_NODE_REVOKE_MEMBER) {
            gather_invitation(taking, certs, which, cert->issuer);
        } else {
            taking->foreign++;
        }
        return;
    }
    taking->until_s = cert->until_s > taking->until_s ? cert->until_s : taking->until_s;
    if ((flags & WRN_RIGHT_MEMBER) != 0 && cert->element.bytes.size <= ELEMENT_MAX) {
        taking->takes_member = true;
        memcpy(taking->element_room, cert->element.bytes.data, cert->element.bytes.size);
        taking->element.bytes = (wrn_span){taking->element_room, cert->element.bytes.size};
    }
    if (what == WRN_NODE_REVOKE_MEMBER) {
        gather_invitation(taking, certs, which, cert->issuer);
    }
}

/* The certificate of the invitation by whose key a member came in. If it has one use alone, nobody
 * else can be in by it, and nobody is to come. */
static void gather_invitation(struct taking *taking, const struct wrn_certs *certs, uint32_t which,
                              const uint8_t *key) {
    for (uint32_t i = 0; i < certs->count; i++) {
        const struct wrn_cert *cert = &certs->certs[i];
        if ((which >> i & 1) == 0 || memcmp(cert->subject, key, WRN_SIGN_PUBLIC_SIZE) != 0 ||
            !wrn_rights_is_counted(cert->element)) {
            continue;
        }
        (void)wrn_authority_flags_of(taking->authority, cert->element, NULL);
        if (taking->authority->rights.uses_high > 1) {
            taking->shared++;
        } else if (!gather_hash(taking, cert)) {
            taking->foreign++;
        }
    }
}

/* False: another's, which we may not revoke. */
static bool gather_hash(struct taking *taking, const struct wrn_cert *cert) {
    const struct wrn_network *network = taking->authority->network;
    const uint8_t *own = network->node->public_key;
    uint8_t by[WRN_SIGN_PUBLIC_SIZE];
    if (wrn_revoked_has(network->revoked, cert->hash, cert->issuer, by) &&
        (memcmp(by, own, sizeof by) == 0 ||
         memcmp(by, network->descriptor.owner, sizeof by) == 0)) {
        return true; /* done, and not to be undone by others */
    }
    if (!taking->is_any && memcmp(cert->issuer, own, WRN_SIGN_PUBLIC_SIZE) != 0) {
        return false;
    }
    put_hash(taking, cert->hash);
    return true;
}

static void put_hash(struct taking *taking, const uint8_t *hash) {
    if (!has_hash(taking, hash) && taking->count < HASHES_MAX) {
        memcpy(taking->hashes[taking->count++], hash, WRN_SHA256_SIZE);
    }
}

static bool has_hash(const struct taking *taking, const uint8_t *hash) {
    for (uint32_t i = 0; i < taking->count; i++) {
        if (memcmp(taking->hashes[i], hash, WRN_SHA256_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- A member that stays one */

/* What goes may have been what made it a member, too: then it gets a membership of its own. */
static enum wrn_reason keep_member(struct taking *taking, wrn_span chain, char *why) {
    static const char *const words[] = {"member", NULL};
    static const char *const roles[] = {"member",  "invite", "admin", "relay",
                                        "gateway", "route",  NULL};
    uint8_t room[ELEMENT_MAX + 64], hash[WRN_SHA256_SIZE];
    struct wrn_sexp empty = {{NULL, 0}};
    struct wrn_authority_wish wish = {
        .subject = taking->subject, .until_s = taking->until_s, .flags = WRN_RIGHT_MEMBER};
    if (stays_member(taking, chain)) {
        return WRN_REASON_NONE;
    }
    if (!taking->takes_member) {
        wrn_authority_say(why, "What would be left of its certificates makes it no member: revoke "
                               "it, or give its certificates.");
        return WRN_REASON_NOT_FOUND;
    }
    bool is_set =
        wrn_authority_write_set(words, taking->element, roles, room, sizeof room, &wish.element) ||
        wrn_authority_write_set(words, empty, NULL, room, sizeof room, &wish.element);
    return is_set ? wrn_authority_grant(taking->authority, &wish, hash, why) : WRN_REASON_TOO_LARGE;
}

/* By what it shows. If it shows nothing, by what it was given once, which it may have put away for
 * something better: then it gets that again. */
static bool stays_member(struct taking *taking, wrn_span chain) {
    struct wrn_authority *authority = taking->authority;
    const struct wrn_network_peer *peer =
        wrn_network_peer_by_key(authority->network, taking->subject);
    wrn_span shown =
        chain.size > 0 || peer == NULL ? chain : (wrn_span){peer->chain, peer->chain_size};
    if (shown.size > 0) {
        return is_member_by(taking, shown);
    }
    struct wrn_authority_grant *grant = kept_membership(taking);
    if (grant != NULL) {
        grant->kept.is_delivered = false;
        grant->tries = 0;
        grant->due = authority->network->now.mono;
    }
    return grant != NULL;
}

/* What it was given once that still makes it a member; NULL: nothing. */
static struct wrn_authority_grant *kept_membership(struct taking *taking) {
    struct wrn_authority *authority = taking->authority;
    for (uint32_t i = 0; i < authority->grant_count; i++) {
        struct wrn_authority_grant *grant = &authority->grants[i];
        if (memcmp(grant->kept.subject, taking->subject, sizeof grant->kept.subject) == 0 &&
            is_member_by(taking, grant->kept.chain)) {
            return grant;
        }
    }
    return NULL;
}

/* By whatever is known of its certificates: given with the command, shown by it, issued to it. */
static bool is_member_without(struct taking *taking, wrn_span chain) {
    const struct wrn_authority *authority = taking->authority;
    const struct wrn_network_peer *peer =
        wrn_network_peer_by_key(authority->network, taking->subject);
    return is_member_by(taking, chain) ||
           (peer != NULL && is_member_by(taking, (wrn_span){peer->chain, peer->chain_size})) ||
           kept_membership(taking) != NULL;
}

static bool is_member_by(struct taking *taking, wrn_span chain) {
    struct wrn_network *network = taking->authority->network;
    const struct wrn_judge_question question = {
        .chain = chain,
        .public_key = taking->subject,
        .now_s = network->now.wall.s,
        .cancelled = {is_taken, taking, 0},
    };
    struct wrn_judge_verdict verdict;
    wrn_judge(network->judge, &question, &taking->authority->rights, &verdict);
    return verdict.reason == WRN_REASON_NONE &&
           (taking->authority->rights.flags & WRN_RIGHT_MEMBER) != 0;
}

static bool is_taken(void *ctx, const uint8_t *hash, const uint8_t *issuer, uint8_t *ret_by) {
    const struct taking *taking = ctx;
    if (has_hash(taking, hash)) {
        memcpy(ret_by, taking->authority->network->node->public_key, WRN_SIGN_PUBLIC_SIZE);
        return true;
    }
    return wrn_revoked_has(taking->authority->network->revoked, hash, issuer, ret_by);
}

/* ---- The list */

static enum wrn_reason write_list(struct taking *taking, char *why) {
    struct wrn_authority *authority = taking->authority;
    struct wrn_network *network = authority->network;
    uint8_t list[WRN_REVOKED_LIST_MAX];
    bool is_owner = (network->rights.flags & WRN_RIGHT_OWNER) != 0;
    wrn_span chain = {network->chain, is_owner ? 0 : network->chain_size};
    size_t size =
        wrn_revoked_write(network->revoked, network->node->options.seed, network->now.wall.s,
                          taking->hashes[0], taking->count, chain, list, sizeof list);
    if (size == 0) {
        wrn_authority_say(why,
                          "This node's list has %d certificates: no more fit. Let another "
                          "administrator revoke.",
                          WRN_REVOKED_HASHES_MAX);
        return WRN_REASON_FULL;
    }
    enum wrn_reason reason = wrn_authority_add_list(authority, (wrn_span){list, size}, NULL);
    if (reason != WRN_REASON_NONE) {
        wrn_authority_say(why, "This node's own list is refused: %s.", wrn_reason_text(reason));
    }
    return reason;
}

static enum wrn_reason say_nothing_found(const struct taking *taking, char *why) {
    if (taking->foreign > 0) {
        wrn_authority_say(why, "Others issued its certificates, which only they and administrators "
                               "may revoke. Ask one of these, or the network's owner.");
        return WRN_REASON_NOT_ADMITTED;
    }
    if (taking->shared > 0) {
        wrn_authority_say(why, "It came in by an invitation with several uses: revoke the "
                               "invitation, with all that came in by it, or ask an administrator.");
        return WRN_REASON_NOT_ADMITTED;
    }
    wrn_authority_say(why, "No certificate of it that is not revoked already is known here: try "
                           "while it is connected, or give its certificates.");
    return WRN_REASON_NOT_FOUND;
}

static void mark_invitations(struct taking *taking) {
    struct wrn_authority *authority = taking->authority;
    for (uint32_t i = 0; i < authority->invitation_count; i++) {
        struct wrn_state_invitation *invitation = &authority->invitations[i];
        invitation->is_revoked = invitation->is_revoked || has_hash(taking, invitation->cert_hash);
    }
}
