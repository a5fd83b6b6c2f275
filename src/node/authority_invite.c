/* SPDX-License-Identifier: Apache-2.0 */
/* Makes invitations, and shows them again. Who joins by them is judged like everybody. */
#include <stdio.h>

#include "node/authority_state.h"

enum {
    USES_MAX = 65535,
    ELEMENT_MAX = 640,
    /* Endpoints of our own, and with those of peers, so that others' have room. */
    OWN_MAX = WRN_INVITATION_ENDPOINTS_MAX / 2,
    PEERS_MAX = WRN_INVITATION_ENDPOINTS_MAX - 1,
};

static enum wrn_reason check(struct wrn_authority *authority,
                             const struct wrn_node_invite_options *options,
                             struct wrn_sexp *ret_limits, char *why);
static bool write_element(const struct wrn_node_invite_options *options, struct wrn_sexp limits,
                          uint8_t *out, size_t capacity, struct wrn_sexp *ret_element);
static void forget_ended(struct wrn_authority *authority, bool are_revoked_too);
static void fill(struct wrn_network *network, struct wrn_invitation *invitation);
static void add_own(struct wrn_network *network, struct wrn_invitation *invitation);
static void add_peers(const struct wrn_network *network, struct wrn_invitation *invitation);
static void add_endpoint(struct wrn_invitation *invitation, const struct wrn_endpoint *endpoint,
                         uint32_t max);
static bool is_public(const struct wrn_ip *ip);
static bool is_usable(const struct wrn_endpoint *endpoint);

enum wrn_reason wrn_node_invite(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                                const struct wrn_node_invite_options *options,
                                struct wrn_node_out *out, struct wrn_invitation *ret_invitation,
                                char ret_why[WRN_JUDGE_WHY_SIZE]) {
    struct wrn_network *network = wrn_node_network(node, handle);
    memset(ret_invitation, 0, sizeof *ret_invitation);
    if (network == NULL) {
        wrn_authority_say(ret_why, "There is no such network.");
        return WRN_REASON_NOT_FOUND;
    }
    wrn_network_begin(network, now, out);
    enum wrn_reason reason =
        wrn_authority_invite(network->authority, options, ret_invitation, ret_why);
    wrn_network_end(network);
    return reason;
}

enum wrn_reason wrn_node_show_invitation(struct wrn_node *node, struct wrn_now now,
                                         wrn_handle handle,
                                         const uint8_t cert_hash[WRN_SHA256_SIZE],
                                         struct wrn_invitation *ret_invitation) {
    struct wrn_network *network = wrn_node_network(node, handle);
    memset(ret_invitation, 0, sizeof *ret_invitation);
    if (network == NULL) {
        return WRN_REASON_NOT_FOUND;
    }
    network->now = now;
    struct wrn_authority *authority = network->authority;
    struct wrn_pack_frame frame = wrn_descriptor_frame(&network->descriptor);
    for (uint32_t i = 0; i < authority->invitation_count; i++) {
        const struct wrn_state_invitation *made = &authority->invitations[i];
        struct wrn_certs certs;
        if (memcmp(made->cert_hash, cert_hash, sizeof made->cert_hash) != 0 ||
            !wrn_certs_read(&frame, made->chain, &certs) || certs.count == 0) {
            continue;
        }
        memcpy(ret_invitation->seed, made->seed, sizeof ret_invitation->seed);
        ret_invitation->members_may_invite =
            !wrn_rights_is_counted(certs.certs[certs.count - 1].element);
        ret_invitation->chain_size = (uint16_t)made->chain.size;
        memcpy(ret_invitation->chain, made->chain.data, made->chain.size);
        fill(network, ret_invitation);
        return WRN_REASON_NONE;
    }
    return WRN_REASON_NOT_FOUND;
}

bool wrn_node_next_invitation(const struct wrn_node *node, wrn_handle handle, uint32_t *cursor,
                              const struct wrn_state_invitation **ret_invitation) {
    const struct wrn_network *network = wrn_node_network(node, handle);
    *ret_invitation = NULL;
    if (network == NULL || *cursor >= network->authority->invitation_count) {
        return false;
    }
    *ret_invitation = &network->authority->invitations[(*cursor)++];
    return true;
}

enum wrn_reason wrn_authority_invite(struct wrn_authority *authority,
                                     const struct wrn_node_invite_options *options,
                                     struct wrn_invitation *ret_invitation,
                                     char ret_why[WRN_JUDGE_WHY_SIZE]) {
    struct wrn_network *network = authority->network;
    struct wrn_invitation *invitation = ret_invitation;
    uint8_t element[ELEMENT_MAX + 64], subject[WRN_SIGN_PUBLIC_SIZE], hash[WRN_SHA256_SIZE];
    struct wrn_sexp limits = {{NULL, 0}};
    size_t size = 0;
    enum wrn_reason reason = check(authority, options, &limits, ret_why);
    if (reason != WRN_REASON_NONE) {
        return reason;
    }
    wrn_rand_fill(network->node->options.rand, invitation->seed, sizeof invitation->seed);
    struct wrn_authority_wish wish = {
        .subject = subject,
        .may_pass_on = true,
        .until_s = options->until_s,
        .flags = WRN_RIGHT_MEMBER | WRN_RIGHT_INVITE,
    };
    if (!wrn_sign_public(invitation->seed, subject) ||
        !write_element(options, limits, element, sizeof element, &wish.element)) {
        wrn_authority_say(ret_why, "The limits of the invitation are too long.");
        return WRN_REASON_TOO_LARGE;
    }
    reason = wrn_authority_issue(authority, &wish, invitation->chain, sizeof invitation->chain,
                                 &size, hash, ret_why);
    if (reason != WRN_REASON_NONE) {
        wrn_invitation_finish(invitation);
        return reason;
    }
    invitation->chain_size = (uint16_t)size;
    invitation->members_may_invite = options->members_may_invite;
    fill(network, invitation);
    uint32_t index = authority->invitation_count++;
    struct wrn_state_invitation *made = &authority->invitations[index];
    *made = (struct wrn_state_invitation){
        .made_s = network->now.wall.s,
        .until_s = authority->rights.until_s,
        .uses = options->members_may_invite ? 0 : options->uses,
        .chain = {authority->chains[index], size},
    };
    memcpy(made->seed, invitation->seed, sizeof made->seed);
    memcpy(made->cert_hash, hash, sizeof made->cert_hash);
    memcpy(authority->chains[index], invitation->chain, size);
    wrn_authority_used_soon(authority);
    wrn_network_save(network, true);
    return WRN_REASON_NONE;
}

/* ---- What is asked for */

static enum wrn_reason check(struct wrn_authority *authority,
                             const struct wrn_node_invite_options *options,
                             struct wrn_sexp *ret_limits, char *why) {
    const struct wrn_network *network = authority->network;
    if (options->uses == 0 || options->uses > USES_MAX || options->until_s <= network->now.wall.s) {
        wrn_authority_say(why, "An invitation has 1 to 65535 uses and ends in the future.");
        return WRN_REASON_MALFORMED;
    }
    if (options->element.size > 0) {
        struct wrn_rights_grant grant = {.topics = 0};
        if (wrn_sexp_check(options->element, ret_limits, NULL) != 0) {
            wrn_authority_say(why, "The invitation's limits are no expression.");
            return WRN_REASON_MALFORMED;
        }
        grant.element = *ret_limits;
        enum wrn_rights_fault fault = wrn_rights_compile(&grant, 1, &authority->rights);
        if (fault != WRN_RIGHTS_OK) {
            wrn_authority_say(why, "The invitation's limits: %s.", wrn_rights_fault_text(fault));
            return WRN_REASON_MALFORMED;
        }
        uint8_t roles = authority->rights.flags & (uint8_t)~WRN_RIGHT_MEMBER;
        if (roles != 0) {
            wrn_authority_say(why, "Invitations give membership; promote members who are to have "
                                   "more rights.");
            return WRN_REASON_MALFORMED;
        }
    }
    bool may_invite = network->standing == WRN_REASON_NONE &&
                      (network->rights.flags & WRN_RIGHT_INVITE) != 0 &&
                      network->rights.uses_high == UINT32_MAX;
    if (!may_invite) {
        wrn_authority_say(why, "This node may not invite: it needs the right (invite). Ask the "
                               "network's owner or an administrator to promote it.");
        return WRN_REASON_NOT_ADMITTED;
    }
    forget_ended(authority, false);
    if (authority->invitation_count == WRN_STATE_INVITATIONS_MAX) {
        forget_ended(authority, true);
    }
    if (authority->invitation_count == WRN_STATE_INVITATIONS_MAX) {
        wrn_authority_say(why,
                          "This node has %d invitations that have not ended: take one back "
                          "(warren invitation list, warren invitation revoke ID).",
                          WRN_STATE_INVITATIONS_MAX);
        return WRN_REASON_FULL;
    }
    return WRN_REASON_NONE;
}

/* (* set (invite (* range numeric (le "N"))) (member) (invitation) limits...); without a number if
 * whoever joins may invite. (invitation) gives nothing: it says what this certificate is. */
static bool write_element(const struct wrn_node_invite_options *options, struct wrn_sexp limits,
                          uint8_t *out, size_t capacity, struct wrn_sexp *ret_element) {
    static const char *const words[] = {"member", WRN_AUTHORITY_INVITATION, NULL},
                             *const without[] = {"member", NULL};
    uint8_t invite[64], both[ELEMENT_MAX + 64];
    struct wrn_sexp_writer writer = wrn_sexp_writer(invite, sizeof invite);
    struct wrn_sexp sexp, set;
    char digits[8];
    (void)snprintf(digits, sizeof digits, "%u", (unsigned)options->uses);
    wrn_sexp_open(&writer, "invite");
    if (!options->members_may_invite) {
        wrn_sexp_open(&writer, "*");
        wrn_sexp_put_word(&writer, "range");
        wrn_sexp_put_word(&writer, "numeric");
        wrn_sexp_open(&writer, "le");
        wrn_sexp_put_word(&writer, digits);
        wrn_sexp_close(&writer);
        wrn_sexp_close(&writer);
    }
    wrn_sexp_close(&writer);
    if (wrn_sexp_finish(&writer, &sexp) != 0 ||
        !wrn_authority_write_set(words, limits, without, both, sizeof both, &set)) {
        return false;
    }
    struct wrn_sexp_cursor cursor;
    struct wrn_sexp part;
    writer = wrn_sexp_writer(out, capacity);
    wrn_sexp_open(&writer, "*");
    wrn_sexp_put_word(&writer, "set");
    wrn_sexp_put(&writer, sexp);
    (void)wrn_sexp_enter_named(set, "*", &cursor);
    (void)wrn_sexp_take_word(&cursor, "set");
    while (wrn_sexp_take_any(&cursor, &part)) {
        wrn_sexp_put(&writer, part);
    }
    wrn_sexp_close(&writer);
    return wrn_sexp_finish(&writer, ret_element) == 0 && ret_element->bytes.size <= ELEMENT_MAX;
}

/* Revoked ones are kept while there is room, for whoever looks at the list; that they are revoked
 * stands elsewhere. */
static void forget_ended(struct wrn_authority *authority, bool are_revoked_too) {
    int64_t now_s = authority->network->now.wall.s;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < authority->invitation_count; i++) {
        struct wrn_state_invitation *made = &authority->invitations[i];
        if (made->until_s <= now_s || (are_revoked_too && made->is_revoked)) {
            continue;
        }
        if (kept != i) {
            memcpy(authority->chains[kept], authority->chains[i], sizeof authority->chains[0]);
            authority->invitations[kept] = *made;
            authority->invitations[kept].chain.data = authority->chains[kept];
        }
        kept++;
    }
    for (uint32_t i = kept; i < authority->invitation_count; i++) {
        wrn_wipe(&authority->invitations[i], sizeof authority->invitations[i]);
    }
    authority->invitation_count = kept;
}

/* ---- What an invitation has besides its certificates */

static void fill(struct wrn_network *network, struct wrn_invitation *invitation) {
    invitation->descriptor = network->descriptor;
    memcpy(invitation->signature, network->signature, sizeof invitation->signature);
    invitation->endpoint_count = 0;
    add_own(network, invitation);
    add_peers(network, invitation);
    for (uint32_t i = 0; i < network->endpoint_count; i++) {
        add_endpoint(invitation, &network->endpoints[i], WRN_INVITATION_ENDPOINTS_MAX);
    }
}

/* Our own addresses, as our locator has them: public ones first, and those that others see. */
static void add_own(struct wrn_network *network, struct wrn_invitation *invitation) {
    uint8_t bytes[WRN_LOCATOR_MAX];
    struct wrn_locator locator;
    size_t size = wrn_overlay_locator(network->overlay, network->now, bytes, sizeof bytes);
    if (wrn_locator_parse((wrn_span){bytes, size}, network->node->options.primitives, &locator) !=
        WRN_REASON_NONE) {
        return;
    }
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < locator.endpoint_count; i++) {
            const struct wrn_locator_endpoint *endpoint = &locator.endpoints[i];
            bool is_local = endpoint->kind == WRN_ENDPOINT_LOCAL;
            uint32_t wanted = !is_public(&endpoint->at.ip) ? 2 : is_local ? 1 : 0;
            if (wanted == round) {
                add_endpoint(invitation, &endpoint->at, OWN_MAX);
            }
        }
    }
}

/* Those of peers that are reached directly: this node may be off when somebody joins. Strangers get
 * through to those without a NAT, so they come first. */
static void add_peers(const struct wrn_network *network, struct wrn_invitation *invitation) {
    for (uint32_t round = 0; round < 2; round++) {
        uint32_t cursor = 0;
        wrn_handle peer;
        while (!wrn_handle_equal(peer = wrn_overlay_peer_next(network->overlay, &cursor),
                                 WRN_HANDLE_NONE)) {
            struct wrn_overlay_peer_info info;
            if (wrn_overlay_peer_info(network->overlay, peer, &info) && info.is_admitted &&
                info.way.kind == WRN_WAY_DIRECT && info.way.socket == 0 &&
                (info.nat_class == WRN_NAT_CLASS_NONE) == (round == 0)) {
                add_endpoint(invitation, &info.way.remote, PEERS_MAX);
            }
        }
    }
}

static void add_endpoint(struct wrn_invitation *invitation, const struct wrn_endpoint *endpoint,
                         uint32_t max) {
    bool is_there = !is_usable(endpoint);
    for (uint32_t i = 0; i < invitation->endpoint_count; i++) {
        is_there = is_there || wrn_endpoint_equal(&invitation->endpoints[i], endpoint);
    }
    if (!is_there && invitation->endpoint_count < max) {
        invitation->endpoints[invitation->endpoint_count] = *endpoint;
        invitation->endpoints[invitation->endpoint_count++].scope_id = 0;
    }
}

/* Neither of RFC 1918 nor RFC 6598 (section 7), nor of RFC 4193. */
static bool is_public(const struct wrn_ip *ip) {
    const uint8_t *bytes = ip->bytes;
    if (ip->family == WRN_FAMILY_IPV6) {
        return (bytes[0] & 0xfe) != 0xfc;
    }
    return !(bytes[0] == 10 || (bytes[0] == 172 && (bytes[1] & 0xf0) == 16) ||
             (bytes[0] == 192 && bytes[1] == 168) || (bytes[0] == 100 && (bytes[1] & 0xc0) == 64));
}

/* What the reader of invitations takes: no link-local address, whose interface would it be? */
static bool is_usable(const struct wrn_endpoint *endpoint) {
    static const uint8_t zero[16];
    const uint8_t *bytes = endpoint->ip.bytes;
    if (endpoint->port == 0 || memcmp(bytes, zero, sizeof zero) == 0) {
        return false;
    }
    if (endpoint->ip.family == WRN_FAMILY_IPV4) {
        return bytes[0] != 0 && bytes[0] < 224 && !(bytes[0] == 169 && bytes[1] == 254);
    }
    return endpoint->ip.family == WRN_FAMILY_IPV6 && bytes[0] != 0xff &&
           !(bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}
