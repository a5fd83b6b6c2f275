/* SPDX-License-Identifier: Apache-2.0 */
/* The peers of a network: whoever the ring has admitted and reached becomes a peer of the WireGuard
 * machine, pinned to the path that the ring has found, and may send what the rights of both permit,
 * until the second in which they end. */
#include <stdio.h>

#include "node/authority_internal.h"
#include "node/gate.h"
#include "node/hold.h"
#include "node/network_internal.h"
#include "wg/path_cell.h"

enum {
    FORGET_S = 60,         /* who has shown a chain and is not up by then */
    DUE_AT_ONCE_MAX = 128, /* peers looked at in an input, so that what they are told fits */
};

static struct wrn_network_peer *take(struct wrn_network *network, const uint8_t *public_key);
static void forget(struct wrn_network *network, struct wrn_network_peer *peer);
static struct wrn_network_peer *at(const struct wrn_network *network, uint32_t index);
static void judge(struct wrn_network *network, struct wrn_network_peer *peer);
static struct wrn_members_answer rights_of(struct wrn_network *network,
                                           const struct wrn_network_peer *peer);
static void attach(struct wrn_network *network, struct wrn_network_peer *peer);
static void detach(struct wrn_network *network, struct wrn_network_peer *peer);
static bool set_path(struct wrn_network *network, struct wrn_network_peer *peer);
static void say_path(struct wrn_network *network, struct wrn_network_peer *peer);
static void set_due(struct wrn_network *network, struct wrn_network_peer *peer);
static void on_due(struct wrn_network *network, struct wrn_network_peer *peer);
static uint64_t member_of(const struct wrn_network_peer *peer);

void wrn_network_peers_init(struct wrn_network *network, struct wrn_arena *arena,
                            const uint64_t seed[2]) {
    struct wrn_pool pool;
    struct wrn_keymap by_key;
    struct wrn_heap dues;
    wrn_pool_init(&pool, arena, WRN_NETWORK_PEERS_MAX, sizeof(struct wrn_network_peer));
    wrn_keymap_init(&by_key, arena, WRN_NETWORK_PEERS_MAX, seed);
    wrn_heap_init(&dues, arena, WRN_NETWORK_PEERS_MAX);
    wrn_handle *by_overlay =
        wrn_arena_take(arena, WRN_NETWORK_PEERS_MAX, sizeof(*network->by_overlay));
    if (!network) {
        return;
    }
    network->peers = pool;
    network->by_key = by_key;
    network->peer_dues = dues;
    network->by_overlay = by_overlay;
    network->traffic_due = network->tell_due = WRN_MONO_NEVER;
    network->told = 1;
    network->digest_key[0] = seed[0] ^ UINT64_C(0x74656c6c);
    network->digest_key[1] = seed[1];
}

struct wrn_network_peer *wrn_network_peer_by_key(const struct wrn_network *network,
                                                 const uint8_t key[WRN_SIGN_PUBLIC_SIZE]) {
    uint32_t index;
    return wrn_keymap_find(&network->by_key, key, &index) ? at(network, index) : NULL;
}

struct wrn_network_peer *wrn_network_peer_of(const struct wrn_network *network,
                                             wrn_handle overlay) {
    if (overlay.generation % 2 == 0 || overlay.index >= WRN_NETWORK_PEERS_MAX) {
        return NULL;
    }
    struct wrn_network_peer *peer =
        wrn_pool_get(&network->peers, network->by_overlay[overlay.index]);
    return peer && wrn_handle_equal(peer->overlay, overlay) ? peer : NULL;
}

struct wrn_network_peer *wrn_network_peer_next(const struct wrn_network *network,
                                               uint32_t *cursor) {
    while (*cursor < network->peers.touched) {
        struct wrn_network_peer *peer = at(network, (*cursor)++);
        if (peer && peer->overlay.generation != 0) {
            return peer;
        }
    }
    return NULL;
}

struct wrn_network_peer *wrn_network_peer_at(const struct wrn_network *network,
                                             const struct wrn_ip *ip) {
    uint32_t cursor = 0;
    for (struct wrn_network_peer *peer = wrn_network_peer_next(network, &cursor); peer;
         peer = wrn_network_peer_next(network, &cursor)) {
        for (uint8_t i = 0; i < peer->allowed_count; i++) {
            if (wrn_network_is_in(&peer->allowed[i], ip)) {
                return peer;
            }
        }
    }
    return NULL;
}

void wrn_network_peer_shown(struct wrn_network *network,
                            const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], wrn_span chain) {
    struct wrn_network_peer *peer = wrn_network_peer_by_key(network, public_key);
    if (peer && peer->chain_size == chain.size &&
        memcmp(peer->chain, chain.data, chain.size) == 0) {
        return;
    }
    peer = peer ? peer : take(network, public_key);
    if (!peer || chain.size > sizeof(peer->chain)) {
        return; /* no room: it has no rights here */
    }
    memcpy(peer->chain, chain.data, chain.size);
    peer->chain_size = (uint32_t)chain.size;
    peer->is_dirty = true;
    network->notes.shown = true;
}

void wrn_network_peer_up(struct wrn_network *network, wrn_handle overlay) {
    struct wrn_overlay_peer_info info;
    if (!wrn_overlay_peer_info(network->overlay, overlay, &info)) {
        return;
    }
    struct wrn_network_peer *peer = wrn_network_peer_by_key(network, info.public_key);
    peer = peer ? peer : take(network, info.public_key);
    if (!peer) {
        return;
    }
    bool is_new = !wrn_handle_equal(peer->overlay, overlay);
    if (is_new) {
        if (peer->overlay.generation != 0) { /* another number of the same node: it was lost */
            wrn_network_peer_down(network, peer->overlay, WRN_REASON_RESTARTED);
        }
        peer->overlay = overlay;
        network->by_overlay[overlay.index] = peer->self;
        network->up_count++;
        peer->told = peer->heard = peer->said = peer->tells = 0;
        peer->was_told = false;
        peer->forget_due = WRN_MONO_NEVER;
        (void)wrn_lease_ipv6(&network->descriptor.ipv6, peer->hit, &peer->ipv6);
        wrn_authority_on_peer_up(network, peer);
        judge(network, peer);
        wrn_network_tell(network, peer);
        network->traffic_due =
            wrn_mono_min(network->traffic_due, wrn_mono_add(network->now.mono, WRN_S(1)));
    } else {
        (void)set_path(network, peer);
    }
    wrn_hold_on_reached(network, peer->id, WRN_REASON_NONE);
    wrn_network_questions_on_connected(network, peer->id, WRN_REASON_NONE);
}

void wrn_network_peer_way(struct wrn_network *network, wrn_handle overlay) {
    struct wrn_network_peer *peer = wrn_network_peer_of(network, overlay);
    uint32_t cursor = 0;
    if (peer && set_path(network, peer)) {
        say_path(network, peer);
    }
    /* it may be the relay of others, who are sent to at its endpoint */
    for (struct wrn_network_peer *other = wrn_network_peer_next(network, &cursor); other;
         other = wrn_network_peer_next(network, &cursor)) {
        if (other != peer && other->is_relayed) {
            (void)set_path(network, other);
        }
    }
}

void wrn_network_peer_down(struct wrn_network *network, wrn_handle overlay,
                           enum wrn_reason reason) {
    struct wrn_network_peer *peer = wrn_network_peer_of(network, overlay);
    if (!peer) {
        return;
    }
    wrn_authority_on_peer_down(network, peer);
    detach(network, peer);
    if (peer->was_told) {
        struct wrn_node_event *event = wrn_network_event(
            network, WRN_NODE_EVENT_PEER_DOWN_KIND, "%s is not connected any more: %s",
            peer->label[0] ? peer->label : "a host", wrn_reason_text(reason));
        event->reason = reason;
        memcpy(event->hit, peer->hit, sizeof(event->hit));
        memcpy(event->label, peer->label, sizeof(event->label));
    }
    peer->overlay = WRN_HANDLE_NONE;
    network->notes.freed = network->notes.freed || peer->ipv4.family != WRN_FAMILY_NONE;
    peer->ipv4 = (struct wrn_ip){.family = WRN_FAMILY_NONE};
    peer->is_unbelieved = peer->asks_again = false;
    peer->route_count = 0;
    peer->is_relayed = false;
    peer->was_told = peer->may_relay = false;
    peer->ipv4_shown = peer->ipv4_proven = peer->ipv4;
    peer->check_tag = 0;
    peer->tell_due = peer->lease_due = peer->check_due = WRN_MONO_NEVER;
    peer->forget_due = wrn_mono_add(network->now.mono, WRN_S(FORGET_S));
    network->up_count--;
    wrn_network_bridge_on_lost(network);
    set_due(network, peer);
}

void wrn_network_peer_permit(struct wrn_network *network, struct wrn_network_peer *peer) {
    if (peer->wg.generation == 0) {
        return;
    }
    struct wrn_members_answer theirs = rights_of(network, peer);
    bool is_open = theirs.reason == WRN_REASON_NONE && (theirs.rights->flags & WRN_RIGHT_MEMBER) &&
                   network->standing == WRN_REASON_NONE &&
                   (network->rights.flags & WRN_RIGHT_MEMBER) && !peer->is_waiting &&
                   !network->is_leaving;
    if (peer->said != 0 && peer->said != wrn_network_told(network, peer)) {
        wrn_network_tell(network, peer); /* that it waits, or no longer */
    }
    if (!is_open) {
        wrn_gate_close(network->gate, peer->wg);
        wrn_network_peer_allow(network, peer);
        return;
    }
    /* Connections that were there before this program may go on; later ones begin with a SYN. */
    bool is_strict =
        peer->was_set || wrn_mono_since(network->now.mono, network->started) > WRN_S(FORGET_S) * 2;
    wrn_gate_set(network->gate, peer->wg, member_of(peer), &network->rights.rules,
                 &theirs.rights->rules, is_strict);
    peer->was_set = true;
    wrn_network_peer_allow(network, peer);
    network->notes.resolved = true; /* what was held can go */
}

/* What both offer: of the peer we have its signed locator, and as soon as it has told of itself its
 * own word, which is never older. */
void wrn_network_peer_cipher(struct wrn_network *network, struct wrn_network_peer *peer) {
    struct wrn_overlay_peer_info info;
    if (peer->wg.generation == 0 ||
        !wrn_overlay_peer_info(network->overlay, peer->overlay, &info)) {
        return;
    }
    bool is_offered = peer->heard != 0 ? peer->says_aes : info.speaks_aes;
    if (peer->heard != 0 && peer->says_aes != info.speaks_aes && !peer->was_contrary) {
        struct wrn_node_event *event = wrn_network_event(
            network, WRN_NODE_EVENT_PEER_CIPHER_KIND,
            "%s says that it speaks %s; the locator of it that was seen said the contrary: it was "
            "set otherwise since, or somebody shows an old one",
            peer->label[0] ? peer->label : "a host",
            peer->says_aes ? "AES-256-GCM" : "ChaCha20-Poly1305 only");
        memcpy(event->hit, peer->hit, sizeof(event->hit));
        memcpy(event->label, peer->label, sizeof(event->label));
    }
    peer->was_contrary = peer->heard != 0 && peer->says_aes != info.speaks_aes;
    bool is_aes = network->node->options.speaks_aes && is_offered;
    wrn_wg_peer_set_cipher(network->wg, network->now, peer->wg,
                           is_aes ? WRN_CIPHER_AES_256_GCM : WRN_CIPHER_CHACHA20_POLY1305,
                           network->out->wg);
}

void wrn_network_peers_judge(struct wrn_network *network, bool all) {
    for (uint32_t i = 0; i < network->peers.touched; i++) {
        struct wrn_network_peer *peer = at(network, i);
        if (peer && (all || peer->is_dirty) && peer->overlay.generation != 0) {
            judge(network, peer);
        }
        if (peer) {
            peer->is_dirty = false;
        }
    }
}

void wrn_network_peers_on_time(struct wrn_network *network) {
    for (uint32_t i = 0; i < DUE_AT_ONCE_MAX; i++) {
        struct wrn_heap_node *first = wrn_heap_first(&network->peer_dues);
        if (!first || !wrn_mono_reached(network->now.mono, first->due)) {
            break;
        }
        on_due(network, WRN_CONTAINER(first, struct wrn_network_peer, due));
    }
    if (wrn_mono_reached(network->now.mono, network->tell_due)) {
        wrn_network_tell_all(network);
    }
    if (wrn_mono_reached(network->now.mono, network->traffic_due)) {
        wrn_network_look_for_traffic(network);
    }
}

wrn_mono wrn_network_peers_due(const struct wrn_network *network) {
    const struct wrn_heap_node *first = wrn_heap_first(&network->peer_dues);
    wrn_mono due = wrn_mono_min(network->traffic_due, network->tell_due);
    return first ? wrn_mono_min(due, first->due) : due;
}

/* ---- slots ---- */

static struct wrn_network_peer *take(struct wrn_network *network, const uint8_t *public_key) {
    const struct wrn_primitives *primitives = network->node->options.primitives;
    wrn_handle handle;
    struct wrn_network_peer *peer = wrn_pool_take(&network->peers, &handle);
    if (!peer) {
        return NULL;
    }
    if (!wrn_keymap_add(&network->by_key, public_key, handle.index)) {
        wrn_pool_give(&network->peers, handle);
        return NULL;
    }
    memcpy(peer->public_key, public_key, sizeof(peer->public_key));
    primitives->hit(primitives->ctx, public_key, peer->hit);
    peer->id = wrn_id_of_hit(peer->hit);
    peer->self = handle;
    peer->rights_due = peer->lease_due = peer->tell_due = peer->check_due = WRN_MONO_NEVER;
    peer->forget_due = wrn_mono_add(network->now.mono, WRN_S(FORGET_S));
    peer->size.due = WRN_MONO_NEVER;
    set_due(network, peer);
    return peer;
}

static void forget(struct wrn_network *network, struct wrn_network_peer *peer) {
    wrn_heap_remove(&network->peer_dues, &peer->due);
    wrn_keymap_remove(&network->by_key, peer->public_key);
    wrn_pool_give(&network->peers, peer->self);
}

static struct wrn_network_peer *at(const struct wrn_network *network, uint32_t index) {
    return wrn_pool_at(&network->peers, index, NULL);
}

/* Names the member to the policy: bytes of its HIT, which is a hash. */
static uint64_t member_of(const struct wrn_network_peer *peer) {
    return wrn_load_be64(peer->hit + 8);
}

/* ---- rights ---- */

static struct wrn_members_answer rights_of(struct wrn_network *network,
                                           const struct wrn_network_peer *peer) {
    return wrn_members_judge(network->members, network->now.wall, peer->public_key,
                             (wrn_span){peer->chain, peer->chain_size});
}

/* The last certificate of the first chain that makes it a member; zero: it is the owner. */
static struct wrn_rights_cert member_cert(const struct wrn_rights *rights) {
    for (uint32_t grant = 0; grant < rights->grant_count; grant++) {
        uint32_t chain = (rights->member_grants >> grant & 1) != 0 ? rights->grants[grant] : 0;
        for (uint32_t i = rights->cert_count; i-- > 0;) {
            if ((chain >> i & 1) != 0) {
                return rights->certs[i];
            }
        }
    }
    return (struct wrn_rights_cert){{0}, {0}, {0}};
}

/* Looks what a peer may now, and makes it so: it is in the machine as long as it is a member. */
static void judge(struct wrn_network *network, struct wrn_network_peer *peer) {
    struct wrn_members_answer answer = rights_of(network, peer);
    bool is_good = answer.reason == WRN_REASON_NONE;
    peer->rights = is_good ? answer.rights->flags : 0;
    peer->until_s = is_good ? answer.rights->until_s : 0;
    peer->cert = is_good ? member_cert(answer.rights) : (struct wrn_rights_cert){{0}, {0}, {0}};
    bool may_relay = is_good && wrn_rights_may_relay(answer.rights);
    peer->rights_due =
        is_good ? wrn_network_when(network, answer.rights->changes_s) : WRN_MONO_NEVER;
    peer->is_dirty = false;
    if (may_relay != peer->may_relay) {
        peer->may_relay = may_relay;
        wrn_overlay_peer_relays(network->overlay, network->now, peer->overlay, may_relay,
                                network->out->overlay);
    }
    if (peer->rights & WRN_RIGHT_MEMBER) {
        attach(network, peer);
        wrn_network_peer_check_claims(network, peer);
        wrn_network_peer_permit(network, peer);
    } else {
        detach(network, peer);
    }
    set_due(network, peer);
}

static void attach(struct wrn_network *network, struct wrn_network_peer *peer) {
    struct wrn_overlay_peer_info info;
    if (peer->wg.generation != 0 || network->is_gone ||
        !wrn_overlay_peer_info(network->overlay, peer->overlay, &info)) {
        return;
    }
    if (wrn_wg_peer_add(network->wg, network->now, info.tunnel_key, &peer->wg) != 0) {
        peer->wg = WRN_HANDLE_NONE; /* no room, or its key is another one's: it has no tunnel */
        return;
    }
    wrn_gate_close(network->gate, peer->wg);
    wrn_wg_peer_set_pinned(network->wg, peer->wg, true);
    wrn_network_peer_cipher(network, peer);
    peer->path = (struct wrn_path){.kind = WRN_PATH_DIRECT}; /* to nowhere: what comes is another */
    (void)set_path(network, peer);
    peer->allowed_count = 0;
    peer->tx_bytes = peer->rx_bytes = 0;
    wrn_network_peer_allow(network, peer);
}

static void detach(struct wrn_network *network, struct wrn_network_peer *peer) {
    if (peer->wg.generation == 0) {
        return;
    }
    wrn_network_bridge_close(network, peer);
    wrn_gate_close(network->gate, peer->wg);
    wrn_wg_peer_remove(network->wg, peer->wg);
    peer->wg = WRN_HANDLE_NONE;
    wrn_path_size_put_off(&peer->size, WRN_MONO_NEVER);
    wrn_network_peer_allow(network, peer);
}

/* ---- paths ---- */

/* Returns whether it is now reached in another way, as people see it. */
static bool set_path(struct wrn_network *network, struct wrn_network_peer *peer) {
    struct wrn_path path;
    struct wrn_overlay_peer_info info;
    if (!wrn_overlay_path(network->overlay, peer->overlay, &path) ||
        !wrn_overlay_peer_info(network->overlay, peer->overlay, &info)) {
        return false;
    }
    bool was_direct = peer->is_direct, was_stream = peer->is_stream;
    peer->is_relayed = info.way.kind == WRN_WAY_RELAY;
    peer->is_stream = wrn_way_is_stream(&info.way);
    peer->is_direct = info.way.kind == WRN_WAY_DIRECT && !peer->is_stream;
    if (peer->wg.generation != 0) {
        bool is_other = !wrn_path_equal(&peer->path, &path);
        wrn_network_peer_cipher(network, peer); /* a newer locator may have come with it */
        if (is_other) {
            wrn_network_size_follow(network, peer, &path); /* before anything goes there */
        }
        wrn_wg_peer_set_path(network->wg, peer->wg, &path);
        if (is_other) {
            peer->path = path;
            network->notes.routes = network->notes.routes || network->wants_routes; /* under one? */
            wrn_network_bridge_path(network, peer, &path);
        }
    }
    return peer->is_direct != was_direct || peer->is_stream != was_stream;
}

const char *wrn_network_how(const struct wrn_network_peer *peer) {
    return peer->is_direct ? "directly" : peer->is_stream ? "by TCP" : "through a relay";
}

static void say_path(struct wrn_network *network, struct wrn_network_peer *peer) {
    if (!peer->was_told) {
        return;
    }
    struct wrn_node_event *event =
        wrn_network_event(network, WRN_NODE_EVENT_PEER_PATH_KIND, "%s is reached %s now",
                          peer->label[0] ? peer->label : "a host", wrn_network_how(peer));
    memcpy(event->hit, peer->hit, sizeof(event->hit));
    memcpy(event->label, peer->label, sizeof(event->label));
    event->ip = peer->ipv4;
    event->is_direct = peer->is_direct;
}

/* ---- time ---- */

static void set_due(struct wrn_network *network, struct wrn_network_peer *peer) {
    wrn_mono due = wrn_mono_min(peer->forget_due, peer->rights_due);
    due = wrn_mono_min(due, wrn_mono_min(peer->lease_due, peer->check_due));
    due = wrn_mono_min(due, peer->tell_due);
    due = wrn_mono_min(due, peer->size.due);
    wrn_heap_set(&network->peer_dues, &peer->due, due);
}

void wrn_network_peer_due(struct wrn_network *network, struct wrn_network_peer *peer) {
    set_due(network, peer);
}

static void on_due(struct wrn_network *network, struct wrn_network_peer *peer) {
    wrn_mono now = network->now.mono;
    if (wrn_mono_reached(now, peer->forget_due)) {
        forget(network, peer);
        return;
    }
    wrn_network_lease_on_time(network, peer);
    if (wrn_mono_reached(now, peer->tell_due)) {
        wrn_network_tell_again(network, peer);
    }
    if (wrn_mono_reached(now, peer->size.due)) {
        wrn_network_size_on_time(network, peer);
    }
    if (wrn_mono_reached(now, peer->rights_due)) {
        peer->rights_due = WRN_MONO_NEVER;
        if (peer->overlay.generation != 0) {
            judge(network, peer);
        }
    }
    set_due(network, peer);
}
