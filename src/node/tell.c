/* SPDX-License-Identifier: Apache-2.0 */
/* What peers tell each other of themselves (ADDRESSES, docs/networks.md): the name, the lease with
 * the record that proves it, the prefixes that lie behind. What a peer says is believed as far as
 * its certificates and the record go; what follows is what it may send from. */
#include <stdio.h>

#include "node/gate.h"
#include "node/network_internal.h"

enum {
    LOOK_AGAIN_S = 300, /* whether the record was renewed */
    TELL_AGAIN_MAX_S = 60,
    CONTENT_AT = 9, /* kind, number, have */
    SPEAKS_AES = 1, /* of the byte behind these */
    BUSY_LOOKS = 8, /* looks for traffic that find nothing before they become rare */
    IDLE_LOOK_S = 5,
};

struct told {
    uint32_t number, have;
    bool speaks_aes;
    char label[WRN_LABEL_SIZE];
    uint8_t route_count;
    struct wrn_prefix routes[WRN_STATE_ROUTES_MAX];
    wrn_span record;
};

static void say(struct wrn_network *network, struct wrn_network_peer *peer, uint32_t have);
static struct wrn_ip ip_to_tell(const struct wrn_network *network, wrn_span *ret_record);
static size_t write(struct wrn_network *network, uint32_t number, uint32_t have,
                    uint8_t out[WRN_MESSAGE_MAX - 1]);
static void write_routes(const struct wrn_network *network, struct wrn_writer *writer);
static bool read(wrn_span message, struct told *ret_told);
static bool read_routes(struct wrn_reader *reader, struct told *told);
static void take(struct wrn_network *network, struct wrn_network_peer *peer,
                 const struct told *told);
static uint8_t wanted(struct wrn_network *network, const struct wrn_network_peer *peer,
                      struct wrn_prefix prefixes[WRN_NETWORK_ALLOWED_MAX]);
static bool is_anothers(const struct wrn_network *network, const struct wrn_network_peer *peer,
                        const struct wrn_prefix *prefix);
static bool stands_in(const struct wrn_prefix *prefix, const struct wrn_prefix *prefixes,
                      uint8_t count);
static void say_up(struct wrn_network *network, struct wrn_network_peer *peer);

/* ---- telling ---- */

void wrn_network_tell(struct wrn_network *network, struct wrn_network_peer *peer) {
    say(network, peer, peer->asks_again ? 0 : peer->heard);
}

/* Whatever was lost, ours or the answer to it: who is told that we have nothing answers. */
void wrn_network_tell_again(struct wrn_network *network, struct wrn_network_peer *peer) {
    bool is_repeated = peer->said == wrn_network_told(network, peer);
    say(network, peer, is_repeated || peer->asks_again ? 0 : peer->heard);
}

static void say(struct wrn_network *network, struct wrn_network_peer *peer, uint32_t have) {
    uint8_t message[WRN_MESSAGE_MAX - 1];
    peer->tell_due = WRN_MONO_NEVER;
    if (peer->overlay.generation == 0) {
        return;
    }
    size_t size = write(network, wrn_network_told(network, peer), have, message);
    peer->said = wrn_network_told(network, peer);
    if (!(peer->said & 1) && (peer->told & 1)) {
        peer->told = 0; /* from when it gets this on it refuses what we send */
    }
    (void)wrn_network_send(network, peer->overlay, (wrn_span){message, size});
    if (peer->told != peer->said) {
        uint32_t wait_s = peer->tells < 6 ? 1u << peer->tells : TELL_AGAIN_MAX_S;
        peer->tells = peer->tells < UINT8_MAX ? peer->tells + 1 : UINT8_MAX;
        peer->tell_due = wrn_mono_add(network->now.mono, WRN_S(wait_s));
    }
    wrn_network_peer_due(network, peer);
}

/* The last bit says whether we let it through, so that it is told when that changes, too. */
uint32_t wrn_network_told(const struct wrn_network *network, const struct wrn_network_peer *peer) {
    return network->told << 1 | !peer->is_waiting;
}

void wrn_network_tell_all(struct wrn_network *network) {
    uint8_t message[WRN_MESSAGE_MAX - 1];
    uint32_t cursor = 0;
    wrn_span record;
    size_t size = write(network, 0, 0, message);
    uint64_t digest = wrn_siphash(network->digest_key, message + CONTENT_AT, size - CONTENT_AT);
    network->tell_due = wrn_mono_add(network->now.mono, WRN_S(LOOK_AGAIN_S));
    if (digest == network->told_digest) {
        return;
    }
    network->told_digest = digest;
    network->told = network->told % (UINT32_MAX >> 1) + 1; /* never 0 */
    struct wrn_ip ip = ip_to_tell(network, &record);
    if (!wrn_ip_equal(&ip, &network->told_ip)) {
        network->told_ip = ip;
        network->told_since = network->told;
        network->notes.freed = true; /* the one that we had, maybe */
    }
    for (struct wrn_network_peer *peer = wrn_network_peer_next(network, &cursor); peer;
         peer = wrn_network_peer_next(network, &cursor)) {
        peer->tells = 0;
        peer->tell_due = network->now.mono;
        wrn_network_peer_due(network, peer);
        wrn_network_peer_allow(network, peer);
    }
}

/* kind(1) number(4) have(4) suites(1) label-size(1) label routes(1) each: family(1) length(1) bytes
 * record-size(2) record */
static size_t write(struct wrn_network *network, uint32_t number, uint32_t have,
                    uint8_t out[WRN_MESSAGE_MAX - 1]) {
    const char *label = wrn_names_own(network->names);
    struct wrn_writer writer = wrn_writer(out, WRN_MESSAGE_MAX - 1);
    wrn_span record;
    (void)ip_to_tell(network, &record);
    wrn_write_u8(&writer, WRN_NETWORK_ADDRESSES);
    wrn_write_u32(&writer, number);
    wrn_write_u32(&writer, have);
    wrn_write_u8(&writer, network->node->options.speaks_aes ? SPEAKS_AES : 0);
    wrn_write_u8(&writer, (uint8_t)strlen(label));
    wrn_write_bytes(&writer, label, strlen(label));
    if (record.size + WRN_LABEL_SIZE + (size_t)WRN_STATE_ROUTES_MAX * 18 + 16u < WRN_MESSAGE_MAX) {
        write_routes(network, &writer);
    } else {
        wrn_write_u8(&writer, 0); /* they do not fit behind so large a record */
    }
    wrn_write_u16(&writer, (uint16_t)record.size);
    wrn_write_span(&writer, record);
    return wrn_written(&writer).size;
}

/* Our IPv4 address, if there is a record of it. */
static struct wrn_ip ip_to_tell(const struct wrn_network *network, wrn_span *ret_record) {
    char key[WRN_RECORD_KEY_MAX];
    struct wrn_ip ip = wrn_lease_address(&network->lease);
    *ret_record = (wrn_span){NULL, 0};
    if (ip.family == WRN_FAMILY_IPV4) {
        size_t size = wrn_lease_key(&ip, key);
        *ret_record = wrn_overlay_kept(network->overlay, (wrn_span){(const uint8_t *)key, size});
    }
    return ret_record->size > 0 ? ip : (struct wrn_ip){.family = WRN_FAMILY_NONE};
}

static void write_routes(const struct wrn_network *network, struct wrn_writer *writer) {
    wrn_write_u8(writer, network->route_count);
    for (uint8_t i = 0; i < network->route_count; i++) {
        const struct wrn_prefix *route = &network->routes[i];
        wrn_write_u8(writer, route->ip.family);
        wrn_write_u8(writer, route->length_bits);
        wrn_write_bytes(writer, route->ip.bytes, route->ip.family == WRN_FAMILY_IPV4 ? 4 : 16);
    }
}

/* ---- hearing ---- */

void wrn_network_on_addresses(struct wrn_network *network, struct wrn_network_peer *peer,
                              wrn_span message) {
    struct told told;
    if (!read(message, &told)) {
        return;
    }
    uint32_t ours = wrn_network_told(network, peer);
    bool is_news = told.number != peer->heard || peer->asks_again;
    if (told.have == ours) {
        peer->told = told.have;
        network->notes.resolved = true; /* what was held for it may go */
        peer->tells = 0;
        peer->tell_due = WRN_MONO_NEVER;
    }
    if (is_news) {
        peer->heard = told.number;
        peer->asks_again = false;
        take(network, peer, &told);
    }
    wrn_network_peer_due(network, peer);
    if (is_news || told.have != ours) { /* one answer for each at most */
        wrn_network_tell(network, peer);
    }
}

static bool read(wrn_span message, struct told *ret_told) {
    struct wrn_reader reader = wrn_reader(message);
    memset(ret_told, 0, sizeof(*ret_told));
    (void)wrn_read_u8(&reader);
    ret_told->number = wrn_read_u32(&reader);
    ret_told->have = wrn_read_u32(&reader);
    uint8_t suites = wrn_read_u8(&reader);
    ret_told->speaks_aes = (suites & SPEAKS_AES) != 0;
    wrn_span label = wrn_read_span(&reader, wrn_read_u8(&reader));
    if (label.size > 0 && !wrn_label_is_good(label)) {
        return false;
    }
    if (label.size > 0) { /* a good one is shorter than WRN_LABEL_SIZE */
        memcpy(ret_told->label, label.data, label.size);
    }
    if (!read_routes(&reader, ret_told)) {
        return false;
    }
    ret_told->record = wrn_read_span(&reader, wrn_read_u16(&reader));
    return wrn_reader_is_done(&reader) && ret_told->number != 0;
}

static bool read_routes(struct wrn_reader *reader, struct told *told) {
    told->route_count = wrn_read_u8(reader);
    if (told->route_count > WRN_STATE_ROUTES_MAX) {
        return false;
    }
    for (uint8_t i = 0; i < told->route_count; i++) {
        struct wrn_prefix *route = &told->routes[i];
        struct wrn_ip base;
        route->ip.family = wrn_read_u8(reader);
        route->length_bits = wrn_read_u8(reader);
        bool is_ipv4 = route->ip.family == WRN_FAMILY_IPV4;
        if ((!is_ipv4 && route->ip.family != WRN_FAMILY_IPV6) ||
            route->length_bits > (is_ipv4 ? 32 : 128)) {
            return false;
        }
        wrn_read_bytes(reader, route->ip.bytes, is_ipv4 ? 4 : 16);
        base = route->ip;
        for (uint32_t bit = route->length_bits; bit < 128; bit++) {
            base.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
        }
        if (!wrn_ip_equal(&base, &route->ip)) { /* bits behind the length */
            return false;
        }
    }
    return true;
}

static void take(struct wrn_network *network, struct wrn_network_peer *peer,
                 const struct told *told) {
    memcpy(peer->label, told->label, sizeof(peer->label));
    memcpy(peer->routes, told->routes, sizeof(peer->routes));
    peer->says_aes = told->speaks_aes;
    wrn_network_peer_cipher(network, peer);
    peer->route_count = told->route_count;
    wrn_network_lease_shown(network, peer, told->record);
    wrn_network_peer_allow(network, peer);
    if (!peer->was_told && peer->wg.generation != 0) {
        say_up(network, peer);
    }
}

void wrn_network_peer_check_claims(struct wrn_network *network, struct wrn_network_peer *peer) {
    struct wrn_members_answer answer =
        wrn_members_judge(network->members, network->now.wall, peer->public_key,
                          (wrn_span){peer->chain, peer->chain_size});
    if (peer->ipv4.family != WRN_FAMILY_NONE &&
        (answer.reason != WRN_REASON_NONE || !wrn_rights_has_address(answer.rights, &peer->ipv4))) {
        wrn_network_lease_withdraw(network, peer);
    }
    wrn_network_peer_allow(network, peer);
}

/* ---- what a peer may send from ---- */

void wrn_network_peer_allow(struct wrn_network *network, struct wrn_network_peer *peer) {
    struct wrn_prefix now[WRN_NETWORK_ALLOWED_MAX];
    bool is_there = peer->wg.generation != 0;
    wrn_network_peer_pause(network, peer);
    /* As long as its gate is shut for the time being, or ours at its end, what the host sends to it
     * is held. */
    bool is_open = is_there && !peer->is_waiting && (peer->heard & 1);
    if (network->bridge.made) {
        wrn_network_bridge_follow(network, peer, is_open);
        return;
    }
    uint8_t count = is_open ? wanted(network, peer, now) : 0;
    uint8_t kept = 0;
    for (uint8_t i = 0; i < peer->allowed_count; i++) {
        if (stands_in(&peer->allowed[i], now, count)) {
            continue;
        }
        if (is_there) {
            wrn_wg_peer_disallow(network->wg, peer->wg, &peer->allowed[i]);
        }
        wrn_network_route_to(network, &peer->allowed[i], false);
        network->notes.routes = true; /* another one may offer it, too */
    }
    for (uint8_t i = 0; i < count; i++) {
        bool is_new = !stands_in(&now[i], peer->allowed, peer->allowed_count);
        if (is_new && wrn_wg_peer_allow(network->wg, peer->wg, &now[i]) != 0) {
            continue; /* no room: it is not reached there */
        }
        if (is_new) {
            wrn_network_route_to(network, &now[i], true);
            network->notes.resolved = true; /* what was held for it can go */
        }
        now[kept++] = now[i];
    }
    memcpy(peer->allowed, now, kept * sizeof(now[0]));
    peer->allowed_count = kept;
}

static uint8_t wanted(struct wrn_network *network, const struct wrn_network_peer *peer,
                      struct wrn_prefix prefixes[WRN_NETWORK_ALLOWED_MAX]) {
    struct wrn_members_answer answer =
        wrn_members_judge(network->members, network->now.wall, peer->public_key,
                          (wrn_span){peer->chain, peer->chain_size});
    struct wrn_ip ours = wrn_lease_address(&network->lease);
    uint8_t count = 0;
    if (answer.reason != WRN_REASON_NONE) {
        return 0;
    }
    prefixes[count++] =
        (struct wrn_prefix){.ip = wrn_network_ip_of_hit(peer->hit), .length_bits = 128};
    if (peer->ipv6.family != WRN_FAMILY_NONE) {
        prefixes[count++] = (struct wrn_prefix){.ip = peer->ipv6, .length_bits = 128};
    }
    if (peer->ipv4.family != WRN_FAMILY_NONE && ours.family != WRN_FAMILY_NONE) {
        /* what would come from an address that is not proven to be ours is held until it is */
        prefixes[count++] = (struct wrn_prefix){.ip = peer->ipv4, .length_bits = 32};
    }
    for (uint8_t i = 0; i < peer->route_count; i++) {
        if (network->wants_routes && wrn_rights_has_route(answer.rights, &peer->routes[i]) &&
            wrn_network_may_route(network, &peer->routes[i]) &&
            !wrn_network_is_underneath(network, &peer->routes[i]) &&
            !is_anothers(network, peer, &peer->routes[i])) {
            prefixes[count++] = peer->routes[i];
        }
    }
    return count;
}

bool wrn_network_is_known_to(const struct wrn_network *network,
                             const struct wrn_network_peer *peer) {
    struct wrn_ip ours = wrn_lease_address(&network->lease);
    if (!(peer->told & 1)) {
        return false;
    }
    return ours.family == WRN_FAMILY_NONE ||
           (wrn_ip_equal(&ours, &network->told_ip) && peer->told >> 1 >= network->told_since);
}

void wrn_network_peer_pause(struct wrn_network *network, const struct wrn_network_peer *peer) {
    if (peer->wg.generation != 0 && !wrn_network_is_known_to(network, peer)) {
        wrn_wg_peer_set_paused(network->wg, network->now, peer->wg, true, network->out->wg);
    }
    network->notes.resolved = true; /* or it may go on */
}

void wrn_network_peers_resume(struct wrn_network *network) {
    uint32_t cursor = 0;
    for (struct wrn_network_peer *peer = wrn_network_peer_next(network, &cursor); peer;
         peer = wrn_network_peer_next(network, &cursor)) {
        if (peer->wg.generation != 0 && wrn_network_is_known_to(network, peer)) {
            wrn_wg_peer_set_paused(network->wg, network->now, peer->wg, false, network->out->wg);
        }
    }
}

/* Of several that offer a prefix the first has it, until it goes. */
static bool is_anothers(const struct wrn_network *network, const struct wrn_network_peer *peer,
                        const struct wrn_prefix *prefix) {
    uint32_t cursor = 0;
    for (const struct wrn_network_peer *other = wrn_network_peer_next(network, &cursor); other;
         other = wrn_network_peer_next(network, &cursor)) {
        if (other != peer && stands_in(prefix, other->allowed, other->allowed_count)) {
            return true;
        }
    }
    return false;
}

static bool stands_in(const struct wrn_prefix *prefix, const struct wrn_prefix *prefixes,
                      uint8_t count) {
    for (uint8_t i = 0; i < count; i++) {
        if (prefixes[i].length_bits == prefix->length_bits &&
            wrn_ip_equal(&prefixes[i].ip, &prefix->ip)) {
            return true;
        }
    }
    return false;
}

static void say_up(struct wrn_network *network, struct wrn_network_peer *peer) {
    char text[WRN_PREFIX_TEXT_SIZE];
    struct wrn_node_event *event =
        wrn_network_event(network, WRN_NODE_EVENT_PEER_UP_KIND, "%s is connected%s%s, %s",
                          peer->label[0] ? peer->label : "a host", peer->ipv4.family ? " as " : "",
                          wrn_network_ip_text(&peer->ipv4, text), wrn_network_how(peer));
    memcpy(event->hit, peer->hit, sizeof(event->hit));
    memcpy(event->label, peer->label, sizeof(event->label));
    event->ip = peer->ipv4;
    event->is_direct = peer->is_direct;
    peer->was_told = true;
}

/* ---- traffic ---- */

void wrn_network_look_for_traffic(struct wrn_network *network) {
    struct wrn_wg_peer_info info;
    uint32_t cursor = 0;
    bool is_any = false, is_busy = false;
    for (struct wrn_network_peer *peer = wrn_network_peer_next(network, &cursor); peer;
         peer = wrn_network_peer_next(network, &cursor)) {
        if (!wrn_wg_peer_info(network->wg, peer->wg, &info)) {
            continue;
        }
        is_any = true;
        if (info.tx_bytes != peer->tx_bytes || info.rx_bytes != peer->rx_bytes) {
            is_busy = true;
            peer->tx_bytes = info.tx_bytes;
            peer->rx_bytes = info.rx_bytes;
            wrn_overlay_on_traffic(network->overlay, network->now, peer->overlay,
                                   network->out->overlay);
            wrn_network_size_on_traffic(network, peer);
        }
    }
    network->traffic_idle = is_busy ? 0 : network->traffic_idle + 1;
    uint32_t wait_s = network->traffic_idle < BUSY_LOOKS ? 1 : IDLE_LOOK_S;
    network->traffic_due = is_any ? wrn_mono_add(network->now.mono, WRN_S(wait_s)) : WRN_MONO_NEVER;
}
