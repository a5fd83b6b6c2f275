/* SPDX-License-Identifier: Apache-2.0 */
/* Rights in action: hands what the other files of this folder tell to the parts that see to
 * revocations, certificates, renewal and uses, and what these want to the network. */
#include "node/authority.h"

#include "node/authority_internal.h"
#include "node/authority_state.h"

static void restore(struct wrn_authority *authority, const struct wrn_state *state,
                    struct wrn_now now);
static void send(void *ctx, wrn_handle peer, wrn_span message);
static void take(void *ctx, wrn_handle from, wrn_span list);
static void believe(void *ctx, wrn_handle peer);
static void tell_revoked(struct wrn_authority *authority, const uint8_t *issuer);
static void note_chain(struct wrn_authority *authority);
static void show(struct wrn_authority *authority);
static void tell_end(struct wrn_authority *authority);
static void tell_self_revoked(struct wrn_authority *authority);
static void tell_rights(struct wrn_authority *authority);
static bool is_excluded(const struct wrn_network *network, const uint8_t *public_key);

struct wrn_authority *wrn_authority_init(struct wrn_arena *arena, struct wrn_network *network,
                                         const struct wrn_state *state, struct wrn_now now) {
    struct wrn_authority *authority = wrn_arena_take(arena, 1, sizeof *authority);
    uint8_t(*chains)[WRN_INVITATION_CHAIN_MAX] =
        wrn_arena_take(arena, WRN_STATE_INVITATIONS_MAX, sizeof *chains);
    struct wrn_authority_grant *grants =
        wrn_arena_take(arena, WRN_STATE_GRANTS_MAX, sizeof *grants);
    struct wrn_authority_check *checks =
        wrn_arena_take(arena, WRN_AUTHORITY_CHECKS_MAX, sizeof *checks);
    uint8_t *lists = wrn_arena_take(arena, WRN_AUTHORITY_LISTS_MAX, 1);
    struct wrn_sync_options options = {.peers_max = WRN_NETWORK_PEERS_MAX};
    if (authority != NULL) {
        /* Who made the network and never met anybody knows all that has been revoked. */
        options.is_settled = network->endpoint_count == 0 && network->locator_count == 0;
        options.revoked = network->revoked;
        options.rand = network->node->options.rand;
    }
    struct wrn_sync *sync = wrn_sync_init(
        arena, &options,
        (struct wrn_sync_port){.ctx = authority, .send = send, .take = take, .believe = believe});
    if (authority == NULL) {
        return NULL;
    }
    *authority = (struct wrn_authority){
        .network = network,
        .sync = sync,
        .chains = chains,
        .grants = grants,
        .lists = lists,
        .checks = checks,
        .renew_due = WRN_MONO_NEVER,
        .show_due = WRN_MONO_NEVER,
        .checks_due = WRN_MONO_NEVER,
        .used_due = WRN_MONO_NEVER,
    };
    restore(authority, state, now);
    wrn_authority_uses_init(authority);
    return authority;
}

void wrn_authority_finish(struct wrn_authority *authority) {
    if (authority != NULL) {
        wrn_wipe(authority->invitations, sizeof authority->invitations);
    }
}

void wrn_authority_fill(struct wrn_authority *authority, struct wrn_state *state) {
    size_t size =
        wrn_revoked_save(authority->network->revoked, authority->lists, WRN_AUTHORITY_LISTS_MAX);
    state->lists = (wrn_span){authority->lists, size};
    state->invitation_count = (uint8_t)authority->invitation_count;
    memcpy(state->invitations, authority->invitations,
           authority->invitation_count * sizeof state->invitations[0]);
    state->grant_count = (uint8_t)authority->grant_count;
    for (uint32_t i = 0; i < authority->grant_count; i++) {
        state->grants[i] = authority->grants[i].kept;
    }
}

void wrn_authority_on_peer_up(struct wrn_network *network, struct wrn_network_peer *peer) {
    struct wrn_authority *authority = network->authority;
    const uint8_t *owner = network->descriptor.owner;
    bool is_owner = memcmp(peer->public_key, owner, WRN_SIGN_PUBLIC_SIZE) == 0;
    peer->is_waiting = wrn_sync_on_up(authority->sync, network->now, peer->overlay, is_owner);
    peer->is_waiting = peer->is_waiting || wrn_authority_is_use_bad(authority, peer->public_key);
    wrn_authority_send_grants(authority, peer->public_key);
    wrn_authority_say_use(authority, peer);
}

void wrn_authority_on_peer_down(struct wrn_network *network, struct wrn_network_peer *peer) {
    wrn_sync_on_down(network->authority->sync, peer->overlay);
}

void wrn_authority_on_message(struct wrn_network *network, struct wrn_network_peer *from,
                              wrn_id source, wrn_span message) {
    struct wrn_authority *authority = network->authority;
    if (message.size == 0) {
        return;
    }
    wrn_span rest = {message.data + 1, message.size - 1};
    switch (message.data[0]) {
    case WRN_NETWORK_DIGEST:
    case WRN_NETWORK_OFFER:
    case WRN_NETWORK_LIST:
        if (from != NULL) {
            wrn_sync_on_message(authority->sync, network->now, from->overlay, message);
        }
        return;
    case WRN_NETWORK_CERT:
        wrn_authority_on_cert(authority, from, source, rest);
        return;
    case WRN_NETWORK_CERT_ACK:
        wrn_authority_on_cert_ack(authority, rest);
        return;
    case WRN_NETWORK_RENEW:
        wrn_authority_on_renew(authority, rest);
        return;
    case WRN_NETWORK_SHOW:
        if (from != NULL) {
            wrn_authority_on_show(authority, from, rest);
        }
        return;
    case WRN_NETWORK_USE:
        if (from != NULL) {
            wrn_authority_on_use(authority, from->public_key, rest);
        }
        return;
    default:
        return;
    }
}

void wrn_authority_on_broadcast(struct wrn_network *network, wrn_id source, wrn_span message) {
    (void)network;
    (void)source;
    (void)message;
}

void wrn_authority_on_answer(struct wrn_network *network, const struct wrn_dht_answer *answer) {
    wrn_authority_uses_on_answer(network->authority, answer);
    wrn_authority_lists_on_answer(network->authority, answer);
    wrn_authority_used_on_answer(network->authority, answer);
}

void wrn_authority_on_lost(struct wrn_network *network, wrn_span record, wrn_span winner,
                           enum wrn_reason reason) {
    wrn_authority_uses_on_lost(network->authority, record, winner, reason);
}

void wrn_authority_on_ring(struct wrn_network *network, bool is_connected) {
    if (is_connected) {
        wrn_sync_on_connected(network->authority->sync, network->now);
        wrn_claim_on_connected(&network->authority->claim, network->now);
        wrn_authority_publish(network->authority);
        wrn_authority_look_for_lists(network->authority);
        wrn_authority_used_soon(network->authority);
        wrn_authority_renew_on_connected(network->authority);
    }
}

void wrn_authority_on_rights(struct wrn_network *network) {
    struct wrn_authority *authority = network->authority;
    bool is_good = network->standing == WRN_REASON_NONE;
    uint8_t flags = is_good ? network->rights.flags : 0;
    if (!authority->was_judged) { /* what is so since the start is no news, but that we are out */
        authority->was_judged = true;
        authority->last_flags = flags;
        authority->last_until_s = network->rights.until_s;
    }
    if (network->standing == WRN_REASON_EXCLUDED) {
        if (network->ended_s > 0 && !authority->has_told_end) {
            tell_end(authority);
        } else if (network->ended_s == 0 && !authority->was_excluded) {
            tell_self_revoked(authority);
        }
    } else if (network->standing == WRN_REASON_EXPIRED && authority->last_flags != 0) {
        struct wrn_node_event *event =
            wrn_network_event(network, WRN_NODE_EVENT_EXPIRED_KIND,
                              "The membership of this node in %s has ended, and nobody renewed it. "
                              "Ask for another invitation.",
                              network->descriptor.name);
        event->until_s = authority->last_until_s;
        authority->last_flags = 0;
    } else if (is_good) {
        tell_rights(authority);
        authority->last_flags = flags;
        authority->last_until_s = network->rights.until_s;
    }
    authority->was_excluded = network->standing == WRN_REASON_EXCLUDED;
    wrn_authority_uses_on_rights(authority);
    wrn_authority_renew_on_rights(authority);
    note_chain(authority);
}

void wrn_authority_on_woken(struct wrn_network *network) {
    uint32_t cursor = 0;
    struct wrn_network_peer *peer;
    while ((peer = wrn_network_peer_next(network, &cursor)) != NULL) {
        peer->is_waiting = true;
        wrn_network_peer_permit(network, peer);
    }
    wrn_sync_on_woken(network->authority->sync, network->now);
}

void wrn_authority_on_time(struct wrn_network *network) {
    struct wrn_authority *authority = network->authority;
    wrn_sync_on_time(authority->sync, network->now);
    wrn_authority_grants_on_time(authority);
    wrn_authority_renew_on_time(authority);
    wrn_authority_uses_on_time(authority);
    wrn_authority_used_on_time(authority);
    if (wrn_mono_reached(network->now.mono, authority->show_due)) {
        show(authority);
    }
}

wrn_mono wrn_authority_due(const struct wrn_authority *authority) {
    wrn_mono due = wrn_mono_min(wrn_sync_due(authority->sync), wrn_authority_grants_due(authority));
    due = wrn_mono_min(due, authority->renew_due);
    due = wrn_mono_min(due, authority->show_due);
    due = wrn_mono_min(due, authority->used_due);
    return wrn_mono_min(due, wrn_authority_uses_due(authority));
}

enum wrn_reason wrn_authority_add_list(struct wrn_authority *authority, wrn_span list,
                                       const struct wrn_network_peer *from) {
    struct wrn_network *network = authority->network;
    uint8_t issuer[WRN_SIGN_PUBLIC_SIZE];
    bool is_new;
    enum wrn_reason reason = wrn_revoked_add(network->revoked, network->now.wall.s, list, &is_new);
    if (reason != WRN_REASON_NONE || !is_new) {
        return reason;
    }
    memcpy(issuer, list.data + 9, sizeof issuer); /* of a good one: docs/networks.md */
    wrn_network_save(network, true);
    wrn_sync_pass_on(authority->sync, network->now, list,
                     from != NULL ? from->overlay : WRN_HANDLE_NONE);
    if (memcmp(issuer, network->node->public_key, sizeof issuer) == 0) {
        wrn_authority_publish(authority);
    }
    tell_revoked(authority, issuer);
    wrn_network_revoked_changed(network);
    return WRN_REASON_NONE;
}

void wrn_authority_on_show(struct wrn_authority *authority, struct wrn_network_peer *from,
                           wrn_span chain) {
    struct wrn_network *network = authority->network;
    bool is_same = chain.size == from->chain_size && chain.size > 0 &&
                   memcmp(chain.data, from->chain, chain.size) == 0;
    if (is_same || chain.size == 0 || chain.size > WRN_CREDENTIAL_MAX ||
        !wrn_authority_pay(authority)) {
        return;
    }
    struct wrn_members_answer answer =
        wrn_members_judge(network->members, network->now.wall, from->public_key, chain);
    if (answer.reason == WRN_REASON_NONE && (answer.rights->flags & WRN_RIGHT_MEMBER) != 0) {
        (void)wrn_authority_admit(authority, from->public_key, chain, network->now.wall);
        wrn_network_peer_shown(network, from->public_key, chain);
    }
}

/* ---- Our own chain */

/* Peers have what they were shown when they linked: another one is shown to them at once, and once
 * more, for a message may get lost; after that they see it when they ask. */
static void note_chain(struct wrn_authority *authority) {
    const struct wrn_network *network = authority->network;
    uint8_t hash[WRN_SHA256_SIZE];
    wrn_sha256((wrn_span){network->chain, network->chain_size}, (wrn_span){NULL, 0}, hash);
    if (authority->has_shown && memcmp(hash, authority->shown, sizeof hash) != 0) {
        authority->show_again = 2;
        authority->show_due = network->now.mono;
    }
    authority->has_shown = true;
    memcpy(authority->shown, hash, sizeof hash);
}

static void show(struct wrn_authority *authority) {
    enum { AGAIN_S = 5 };
    struct wrn_network *network = authority->network;
    uint8_t message[1 + WRN_CREDENTIAL_MAX] = {WRN_NETWORK_SHOW};
    uint32_t cursor = 0;
    const struct wrn_network_peer *peer;
    memcpy(message + 1, network->chain, network->chain_size);
    while ((peer = wrn_network_peer_next(network, &cursor)) != NULL) {
        (void)wrn_network_send(network, peer->overlay,
                               (wrn_span){message, 1 + network->chain_size});
    }
    authority->show_again--;
    authority->show_due = authority->show_again > 0
                              ? wrn_mono_add(network->now.mono, WRN_S(AGAIN_S))
                              : WRN_MONO_NEVER;
}

/* ---- What is kept */

static void restore(struct wrn_authority *authority, const struct wrn_state *state,
                    struct wrn_now now) {
    struct wrn_pack_frame frame = wrn_descriptor_frame(&authority->network->descriptor);
    authority->invitation_count = state->invitation_count;
    for (uint32_t i = 0; i < state->invitation_count; i++) {
        authority->invitations[i] = state->invitations[i];
        wrn_span chain = state->invitations[i].chain;
        memcpy(authority->chains[i], chain.data, chain.size);
        authority->invitations[i].chain.data = authority->chains[i];
    }
    for (uint32_t i = 0; i < state->grant_count; i++) {
        struct wrn_authority_grant *grant = &authority->grants[i];
        struct wrn_certs certs;
        grant->kept = state->grants[i];
        memcpy(grant->chain, grant->kept.chain.data, grant->kept.chain.size);
        grant->kept.chain.data = grant->chain;
        if (wrn_certs_read(&frame, grant->kept.chain, &certs)) {
            grant->until_s =
                wrn_authority_kept_until(authority, now.wall.s, &certs, grant->kept.subject);
        }
        grant->due = grant->kept.is_delivered ? WRN_MONO_NEVER : now.mono;
    }
    authority->grant_count = state->grant_count;
}

/* ---- Revocations */

static void send(void *ctx, wrn_handle peer, wrn_span message) {
    struct wrn_authority *authority = ctx;
    (void)wrn_network_send(authority->network, peer, message);
}

static void take(void *ctx, wrn_handle from, wrn_span list) {
    struct wrn_authority *authority = ctx;
    const struct wrn_network_peer *peer = wrn_network_peer_of(authority->network, from);
    if (peer != NULL) {
        (void)wrn_authority_add_list(authority, list, peer);
    }
}

static void believe(void *ctx, wrn_handle handle) {
    struct wrn_authority *authority = ctx;
    struct wrn_network_peer *peer = wrn_network_peer_of(authority->network, handle);
    if (peer != NULL && peer->is_waiting &&
        !wrn_authority_is_use_bad(authority, peer->public_key)) {
        peer->is_waiting = false;
        wrn_network_peer_permit(authority->network, peer);
    }
}

/* Peers that are out by the list that was just added. */
static void tell_revoked(struct wrn_authority *authority, const uint8_t *issuer) {
    struct wrn_network *network = authority->network;
    const struct wrn_primitives *primitives = network->node->options.primitives;
    uint8_t by[WRN_HIT_SIZE];
    uint32_t cursor = 0;
    struct wrn_network_peer *peer;
    primitives->hit(primitives->ctx, issuer, by);
    while ((peer = wrn_network_peer_next(network, &cursor)) != NULL) {
        if (!is_excluded(network, peer->public_key)) {
            continue;
        }
        struct wrn_node_event *event = wrn_network_event(
            network, WRN_NODE_EVENT_REVOKED_KIND, "%s was revoked, and is cut off.",
            peer->label[0] != '\0' ? peer->label : "A member");
        event->reason = WRN_REASON_EXCLUDED;
        memcpy(event->hit, peer->hit, sizeof event->hit);
        memcpy(event->by, by, sizeof event->by);
        (void)memcpy(event->label, peer->label, sizeof event->label);
    }
}

static void tell_end(struct wrn_authority *authority) {
    struct wrn_network *network = authority->network;
    authority->has_told_end = true;
    if (network->is_leaving) {
        return;
    }
    struct wrn_node_event *event = wrn_network_event(
        network, WRN_NODE_EVENT_ENDED_KIND,
        "%s: %s. Nothing is sent in it any more; to forget it: warren network leave %s",
        network->descriptor.name, network->why, network->descriptor.name);
    event->until_s = network->ended_s;
}

static void tell_self_revoked(struct wrn_authority *authority) {
    struct wrn_network *network = authority->network;
    const struct wrn_primitives *primitives = network->node->options.primitives;
    struct wrn_pack_frame frame = wrn_descriptor_frame(&network->descriptor);
    struct wrn_node_event *event =
        wrn_network_event(network, WRN_NODE_EVENT_SELF_REVOKED_KIND,
                          "This node was revoked in %s: nobody lets it in any more. If that was a "
                          "mistake, ask for another invitation.",
                          network->descriptor.name);
    struct wrn_certs certs;
    uint8_t by[WRN_SIGN_PUBLIC_SIZE];
    event->reason = WRN_REASON_EXCLUDED;
    if (!wrn_certs_read(&frame, (wrn_span){network->chain, network->chain_size}, &certs)) {
        return;
    }
    for (uint32_t i = 0; i < certs.count; i++) {
        if (wrn_revoked_has(network->revoked, certs.certs[i].hash, certs.certs[i].issuer, by)) {
            primitives->hit(primitives->ctx, by, event->by);
        }
    }
}

static void tell_rights(struct wrn_authority *authority) {
    struct wrn_network *network = authority->network;
    uint8_t flags = network->rights.flags;
    if (network->rights.until_s > authority->last_until_s) {
        struct wrn_node_event *event = wrn_network_event(
            network, WRN_NODE_EVENT_RENEWED_KIND, "The membership of this node in %s was renewed.",
            network->descriptor.name);
        event->until_s = network->rights.until_s;
    }
    if (flags != authority->last_flags) {
        struct wrn_node_event *event = wrn_network_event(
            network, WRN_NODE_EVENT_GRANTED_KIND,
            "The rights of this node in %s have changed:%s%s%s%s%s.", network->descriptor.name,
            (flags & WRN_RIGHT_MEMBER) != 0 ? " member" : " no member",
            (flags & WRN_RIGHT_ADMIN) != 0 ? ", administrator" : "",
            (flags & WRN_RIGHT_INVITE) != 0 ? ", inviter" : "",
            (flags & WRN_RIGHT_RELAY) != 0 ? ", relay" : "",
            (flags & WRN_RIGHT_GATEWAY) != 0 ? ", gateway" : "");
        event->until_s = network->rights.until_s;
    }
}

static bool is_excluded(const struct wrn_network *network, const uint8_t *public_key) {
    wrn_wall until;
    return wrn_members_admit(network->members, network->now.wall, public_key, (wrn_span){NULL, 0},
                             &until) == WRN_REASON_EXCLUDED;
}
