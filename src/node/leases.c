/* SPDX-License-Identifier: Apache-2.0 */
/* Whose the IPv4 addresses are that peers say they have. A peer shows its record; that it is signed
 * and permitted is seen at once, that nobody else's claim is older only the table can say, which is
 * asked. Until it answers a peer that was never caught is believed, unless somebody else has the
 * address here: so nobody takes an address away by a record with an old date. */
#include "node/network_internal.h"

enum {
    AGAIN_S = 5,     /* no certain answer came; twice as long each time */
    AGAIN_MAX = 4,   /* ... so many times */
    DOUBTED_S = 120, /* the table said that it is another one's: maybe it is not for ever */
    SERIALS = 1 << 4,
};

static struct wrn_ip read_record(const struct wrn_network *network,
                                 const struct wrn_network_peer *peer, wrn_span bytes,
                                 wrn_mono *ret_end);
static struct wrn_network_peer *other_with(const struct wrn_network *network,
                                           const struct wrn_network_peer *peer);
static void believe(struct wrn_network *network, struct wrn_network_peer *peer);
static void set(struct wrn_network *network, struct wrn_network_peer *peer,
                const struct wrn_ip *ip);
static void ask_again_later(struct wrn_network *network, struct wrn_network_peer *peer);
static void ask(struct wrn_network *network, struct wrn_network_peer *peer);
static void note_owner(const struct wrn_network *network, struct wrn_network_peer *peer,
                       wrn_span bytes);
static void conclude(struct wrn_network *network, struct wrn_network_peer *peer,
                     enum wrn_reason reason);

void wrn_network_lease_shown(struct wrn_network *network, struct wrn_network_peer *peer,
                             wrn_span record) {
    static const struct wrn_ip none = {.family = WRN_FAMILY_NONE};
    struct wrn_ip ours = wrn_lease_address(&network->lease);
    peer->lease_due = WRN_MONO_NEVER;
    struct wrn_ip ip = read_record(network, peer, record, &peer->lease_due);
    bool is_same = wrn_ip_equal(&ip, &peer->ipv4_shown);
    bool was_unbelieved = peer->is_unbelieved;
    peer->ipv4_shown = ip;
    peer->is_unbelieved = record.size > 0 && ip.family == WRN_FAMILY_NONE;
    if (ip.family == WRN_FAMILY_NONE) {
        set(network, peer, &none);
        peer->check_tag = 0;
        peer->check_due = WRN_MONO_NEVER;
        if (peer->is_unbelieved) { /* a clock, or what we know of its chain, may be wrong */
            peer->check_tries = was_unbelieved ? peer->check_tries : 0;
            ask_again_later(network, peer);
        }
        return;
    }
    if (wrn_ip_equal(&ip, &peer->ipv4)) {
        return; /* it is renewed */
    }
    if (wrn_ip_equal(&ours, &ip)) { /* of us and it the table decides, who asks for us */
        wrn_lease_on_missing(&network->lease, network->now);
    }
    set(network, peer, &none);
    believe(network, peer);
    if (!wrn_ip_equal(&ip, &peer->ipv4_proven) &&
        (!is_same || peer->check_due.ns == WRN_MONO_NEVER.ns)) {
        peer->check_tries = 0;
        peer->check_tag = 0;
        peer->check_due = network->now.mono;
    }
}

void wrn_network_lease_withdraw(struct wrn_network *network, struct wrn_network_peer *peer) {
    static const struct wrn_ip none = {.family = WRN_FAMILY_NONE};
    set(network, peer, &none);
    peer->ipv4_proven = peer->ipv4_shown = none;
    peer->is_unbelieved = true;
    peer->check_tag = peer->check_tries = 0;
    ask_again_later(network, peer);
}

void wrn_network_lease_on_time(struct wrn_network *network, struct wrn_network_peer *peer) {
    if (wrn_mono_reached(network->now.mono, peer->lease_due)) {
        static const struct wrn_ip none = {.family = WRN_FAMILY_NONE};
        peer->lease_due = WRN_MONO_NEVER;
        peer->ipv4_shown = none;
        set(network, peer, &none);
        wrn_network_peer_allow(network, peer);
    }
    if (!wrn_mono_reached(network->now.mono, peer->check_due)) {
        return;
    }
    if (peer->is_unbelieved && peer->overlay.generation != 0) {
        ask_again_later(network, peer);
        peer->asks_again = true;
        wrn_network_tell(network, peer);
    } else {
        ask(network, peer);
    }
}

void wrn_network_leases_look(struct wrn_network *network) {
    uint32_t cursor = 0;
    for (struct wrn_network_peer *peer = wrn_network_peer_next(network, &cursor); peer;
         peer = wrn_network_peer_next(network, &cursor)) {
        if (peer->ipv4.family == WRN_FAMILY_NONE && peer->ipv4_shown.family != WRN_FAMILY_NONE) {
            believe(network, peer);
            wrn_network_peer_allow(network, peer);
        }
    }
}

void wrn_network_lease_on_answer(struct wrn_network *network, const struct wrn_dht_answer *answer) {
    uint32_t index = answer->tag % WRN_NETWORK_PEERS_MAX;
    struct wrn_network_peer *peer = wrn_pool_at(&network->peers, index, NULL);
    if (!peer || peer->check_tag != answer->tag) {
        return;
    }
    note_owner(network, peer, answer->record);
    if (answer->is_last) {
        peer->check_tag = 0;
        conclude(network, peer, answer->reason);
        wrn_network_peer_due(network, peer);
    }
}

/* NONE unless the record is the peer's own, good now, and passes the rule of the table. */
static struct wrn_ip read_record(const struct wrn_network *network,
                                 const struct wrn_network_peer *peer, wrn_span bytes,
                                 wrn_mono *ret_end) {
    const struct wrn_primitives *primitives = network->node->options.primitives;
    wrn_wall now = network->now.wall;
    struct wrn_record record;
    struct wrn_ip ip = {.family = WRN_FAMILY_NONE};
    char label[WRN_LABEL_SIZE];
    /* One made in the future comes of a wrong clock, here or there: no reason not to speak, and
     * none to believe it for longer. */
    if (bytes.size == 0 || wrn_record_read(bytes, primitives, &record) != WRN_REASON_NONE ||
        record.kind != WRN_RECORD_CREATE ||
        memcmp(record.owner, peer->public_key, sizeof(record.owner)) != 0 ||
        !wrn_lease_read(&record, &ip, label) || ip.family != WRN_FAMILY_IPV4 ||
        wrn_record_check_time(&record, now) == WRN_REASON_EXPIRED ||
        wrn_record_verify(bytes, primitives) != WRN_REASON_NONE ||
        wrn_members_rule(network->members, &record, now) != WRN_REASON_NONE) {
        return (struct wrn_ip){.family = WRN_FAMILY_NONE};
    }
    int64_t made_s = record.made_s < now.s ? record.made_s : now.s;
    *ret_end = wrn_network_when(network, made_s + record.ttl_s);
    return ip;
}

/* Another peer that is believed to have the address which this one shows. */
static struct wrn_network_peer *other_with(const struct wrn_network *network,
                                           const struct wrn_network_peer *peer) {
    uint32_t cursor = 0;
    for (struct wrn_network_peer *other = wrn_network_peer_next(network, &cursor); other;
         other = wrn_network_peer_next(network, &cursor)) {
        if (other != peer && wrn_ip_equal(&other->ipv4, &peer->ipv4_shown)) {
            return other;
        }
    }
    return NULL;
}

/* Until the table says otherwise, if nobody else has the address. */
static void believe(struct wrn_network *network, struct wrn_network_peer *peer) {
    struct wrn_ip ours = wrn_lease_address(&network->lease);
    const struct wrn_ip *ip = &peer->ipv4_shown;
    if (wrn_ip_equal(ip, &peer->ipv4_proven) ||
        (!peer->is_doubted && !other_with(network, peer) && !wrn_ip_equal(&ours, ip))) {
        set(network, peer, ip);
    }
}

/* It has this address from now on. */
static void set(struct wrn_network *network, struct wrn_network_peer *peer,
                const struct wrn_ip *ip) {
    bool is_freed = peer->ipv4.family != WRN_FAMILY_NONE && !wrn_ip_equal(&peer->ipv4, ip);
    network->notes.freed = network->notes.freed || is_freed;
    peer->ipv4 = *ip;
}

static void ask_again_later(struct wrn_network *network, struct wrn_network_peer *peer) {
    uint64_t wait_s = (uint64_t)AGAIN_S << peer->check_tries;
    if (peer->check_tries < AGAIN_MAX) {
        peer->check_tries++;
    }
    peer->check_due = wrn_mono_add(network->now.mono, WRN_S(wait_s));
}

static void ask(struct wrn_network *network, struct wrn_network_peer *peer) {
    char key[WRN_RECORD_KEY_MAX];
    peer->check_due = WRN_MONO_NEVER;
    if (peer->ipv4_shown.family == WRN_FAMILY_NONE || peer->overlay.generation == 0) {
        return;
    }
    size_t size = wrn_lease_key(&peer->ipv4_shown, key);
    network->check_serial = (network->check_serial + 1) % SERIALS;
    peer->check_tag = (uint32_t)WRN_NETWORK_TAGS_CHECK << 16 |
                      network->check_serial * WRN_NETWORK_PEERS_MAX | peer->self.index;
    peer->check_mine = peer->check_others = false;
    if (wrn_network_get(network, peer->check_tag, (wrn_span){(const uint8_t *)key, size}) !=
        WRN_REASON_NONE) { /* too many questions at once, or no ring */
        peer->check_tag = 0;
        peer->check_due = wrn_mono_add(network->now.mono, WRN_S(1));
    }
}

/* Of several, while parts of a network meet again, the one that wins in the table. */
static void note_owner(const struct wrn_network *network, struct wrn_network_peer *peer,
                       wrn_span bytes) {
    const struct wrn_primitives *primitives = network->node->options.primitives;
    struct wrn_record record, known = {.claimed_s = peer->check_claimed_s};
    char label[WRN_LABEL_SIZE];
    struct wrn_ip ip;
    memcpy(known.hash, peer->check_hash, sizeof(known.hash));
    if (bytes.size == 0 || wrn_record_read(bytes, primitives, &record) != WRN_REASON_NONE ||
        record.kind != WRN_RECORD_CREATE || !wrn_lease_read(&record, &ip, label) ||
        !wrn_ip_equal(&ip, &peer->ipv4_shown) ||
        ((peer->check_mine || peer->check_others) && !wrn_record_wins(&record, &known))) {
        return;
    }
    peer->check_mine = memcmp(record.owner, peer->public_key, sizeof(record.owner)) == 0;
    peer->check_others = !peer->check_mine;
    peer->check_claimed_s = record.claimed_s;
    memcpy(peer->check_hash, record.hash, sizeof(peer->check_hash));
}

static void conclude(struct wrn_network *network, struct wrn_network_peer *peer,
                     enum wrn_reason reason) {
    static const struct wrn_ip none = {.family = WRN_FAMILY_NONE};
    struct wrn_network_peer *other = other_with(network, peer);
    if (peer->check_mine) {
        peer->is_doubted = false;
        peer->ipv4_proven = peer->ipv4_shown;
        set(network, peer, &peer->ipv4_shown);
        if (other) { /* it was believed, and is asked for anew should it still say so */
            other->ipv4_proven = none;
            set(network, other, &none);
            wrn_network_peer_allow(network, other);
        }
    } else if (peer->check_others) {
        peer->is_doubted = true;
        peer->ipv4_proven = none;
        set(network, peer, &none);
        peer->check_due = wrn_mono_add(network->now.mono, WRN_S(DOUBTED_S));
    } else if (peer->check_tries < AGAIN_MAX || peer->ipv4.family == WRN_FAMILY_NONE) {
        /* none is there, or nobody has answered: a record that was just stored, a ring that was
         * just found */
        (void)reason;
        ask_again_later(network, peer);
    }
    wrn_network_peer_allow(network, peer);
}
