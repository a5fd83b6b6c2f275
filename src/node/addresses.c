/* SPDX-License-Identifier: Apache-2.0 */
/* Our addresses and our name in one network: which are on the interface, which are claimed in the
 * table, and who is told. Finds out nothing about others'. */
#include <stdio.h>

#include "node/authority_internal.h"
#include "node/gate.h"
#include "node/network_internal.h"

enum { HITS_BITS = 28, HOST_BITS_IPV4 = 32, HOST_BITS_IPV6 = 128 };
enum { NAME_WAITS_S = 3 }; /* for an address, which its record has too */

static enum wrn_reason store(void *ctx, const struct wrn_claim_request *request);
static enum wrn_reason get(void *ctx, uint32_t tag, wrn_span key);
static void on_lease(void *ctx, const struct wrn_lease_event *event);
static void on_name(void *ctx, const struct wrn_names_event *event);
static void resolved(void *ctx, const struct wrn_names_question *question,
                     const struct wrn_names_answer *answer);
static size_t ipv6_key(void *ctx, uint32_t index, char *ret_key);
static size_t ipv6_value(void *ctx, wrn_span key, uint8_t *ret_value);
static void ipv6_round(void *ctx);
static void on_ipv6(void *ctx, const struct wrn_claim_event *event);
static void put(struct wrn_network *network, const struct wrn_ip *ip, uint8_t length_bits,
                bool is_open);
static void put_all(struct wrn_network *network, bool is_open);
static void put_hit(struct wrn_network *network, bool is_open);
static void pass_hit_on(struct wrn_network *network);
static void set_address(struct wrn_network *network, const struct wrn_ip *ip);
static void claim(struct wrn_network *network);
static void claim_no_more(struct wrn_network *network, bool release);
static void say_lost(struct wrn_network *network);

void wrn_network_addresses_init(struct wrn_network *network, struct wrn_arena *arena,
                                const struct wrn_descriptor *descriptor) {
    enum { NAMES_MAX = 512 };
    struct wrn_names_port names_port = {
        .ctx = network, .store = store, .get = get, .resolved = resolved, .event = on_name};
    struct wrn_names_options options = {.ipv4 = descriptor->ipv4,
                                        .ipv6 = descriptor->ipv6,
                                        .tag_top = WRN_NETWORK_TAGS_NAMES,
                                        .entries_max = NAMES_MAX};
    struct wrn_primitives primitives = {0};
    struct wrn_rand rand = {0};
    if (network) {
        const struct wrn_node *node = network->node;
        primitives = *node->options.primitives;
        rand = node->options.rand;
        memcpy(options.own, node->public_key, sizeof(options.own));
        options.host = network->label[0] != '\0'
                           ? (wrn_span){(const uint8_t *)network->label, strlen(network->label)}
                           : node->options.host;
    }
    struct wrn_names *names =
        wrn_names_init(arena, &options, &names_port,
                       network ? network->node->options.primitives : &primitives, rand);
    if (!network) {
        return;
    }
    struct wrn_lease_port lease_port = {.ctx = network, .store = store, .event = on_lease};
    struct wrn_lease_options lease_options = {.range = descriptor->ipv4,
                                              .remembered = network->remembered,
                                              .tag_top = WRN_NETWORK_TAGS_LEASE};
    struct wrn_claim_port claim_port = {.ctx = network,
                                        .candidate = ipv6_key,
                                        .round = ipv6_round,
                                        .value = ipv6_value,
                                        .store = store,
                                        .event = on_ipv6};
    const struct wrn_primitives *real = network->node->options.primitives;
    memcpy(lease_options.own, options.own, sizeof(options.own));
    network->names = names;
    network->name_due = WRN_MONO_NEVER;
    wrn_lease_init(&network->lease, &lease_options, &lease_port, real, rand);
    wrn_claim_init(&network->ipv6_claim, &claim_port, real, rand, options.own,
                   WRN_NETWORK_TAGS_IPV6);
}

void wrn_network_addresses_follow(struct wrn_network *network) {
    bool is_member = network->standing == WRN_REASON_NONE &&
                     (network->rights.flags & WRN_RIGHT_MEMBER) && network->wants_address &&
                     !network->is_leaving;
    if (is_member != network->is_addressed) {
        network->is_addressed = is_member;
        put_all(network, is_member);
    }
    bool may_claim = is_member && wrn_authority_may_claim(network->authority);
    if (may_claim && !network->is_claiming) {
        network->is_claiming = true;
        claim(network);
    } else if (may_claim && network->notes.rights) {
        wrn_lease_set_rights(&network->lease, network->now, &network->rights);
        wrn_names_set_rights(network->names, network->now, &network->rights);
    } else if (!may_claim && network->is_claiming && !network->is_leaving) {
        claim_no_more(network, false);
    }
    network->notes.rights = false;
}

void wrn_network_addresses_stop(struct wrn_network *network, bool release) {
    claim_no_more(network, release);
    network->is_addressed = false;
    put_all(network, false);
}

bool wrn_network_addresses_are_off(const struct wrn_network *network) {
    return wrn_lease_state(&network->lease) == WRN_CLAIM_OFF &&
           network->ipv6_claim.state == WRN_CLAIM_OFF &&
           wrn_names_state(network->names) == WRN_CLAIM_OFF;
}

void wrn_network_addresses_on_connected(struct wrn_network *network) {
    wrn_lease_on_connected(&network->lease, network->now);
    wrn_claim_on_connected(&network->ipv6_claim, network->now);
    wrn_names_on_connected(network->names, network->now);
}

void wrn_network_addresses_on_answer(struct wrn_network *network,
                                     const struct wrn_dht_answer *answer) {
    switch (answer->tag >> 16) {
    case WRN_NETWORK_TAGS_LEASE:
        wrn_lease_on_answer(&network->lease, network->now, answer);
        network->notes.tell = true; /* the record is kept, or is another one */
        break;
    case WRN_NETWORK_TAGS_IPV6:
        wrn_claim_on_answer(&network->ipv6_claim, network->now, answer);
        break;
    default:
        wrn_names_on_answer(network->names, network->now, answer);
    }
}

void wrn_network_addresses_on_lost(struct wrn_network *network, wrn_span record, wrn_span winner,
                                   enum wrn_reason reason) {
    wrn_lease_on_lost(&network->lease, network->now, record, winner, reason);
    wrn_claim_on_lost(&network->ipv6_claim, network->now, record, winner, reason);
    wrn_names_on_lost(network->names, network->now, record, winner, reason);
}

void wrn_network_addresses_on_time(struct wrn_network *network) {
    if (wrn_mono_reached(network->now.mono, wrn_lease_due(&network->lease))) {
        wrn_lease_on_time(&network->lease, network->now);
        network->notes.tell = true;
    }
    if (wrn_mono_reached(network->now.mono, wrn_claim_due(&network->ipv6_claim))) {
        wrn_claim_on_time(&network->ipv6_claim, network->now);
    }
    if (wrn_mono_reached(network->now.mono, wrn_names_due(network->names))) {
        wrn_names_on_time(network->names, network->now);
    }
    if (wrn_mono_reached(network->now.mono, network->name_due)) {
        struct wrn_ip ip = wrn_lease_address(&network->lease);
        network->name_due = WRN_MONO_NEVER;
        wrn_names_set_address(network->names, network->now, &ip);
        wrn_names_start(network->names, network->now);
    }
}

wrn_mono wrn_network_addresses_due(const struct wrn_network *network) {
    wrn_mono due = wrn_mono_min(wrn_lease_due(&network->lease), wrn_names_due(network->names));
    due = wrn_mono_min(due, network->name_due);
    return wrn_mono_min(due, wrn_claim_due(&network->ipv6_claim));
}

void wrn_network_addresses_tell(struct wrn_network *network) {
    struct wrn_ip ip = wrn_lease_address(&network->lease);
    wrn_names_set_address(network->names, network->now, &ip);
    if (network->notes.named) {
        network->notes.named = false;
        wrn_lease_set_name(&network->lease, network->now, wrn_names_own(network->names));
        wrn_claim_refresh(&network->ipv6_claim, network->now);
    }
}

void wrn_network_addresses_prove(struct wrn_network *network) {
    wrn_claim_refresh(&network->lease.claim, network->now);
    wrn_claim_refresh(&network->ipv6_claim, network->now);
    wrn_names_refresh(network->names, network->now);
}

struct wrn_ip wrn_network_resolver(const struct wrn_network *network) {
    const struct wrn_descriptor *descriptor = &network->descriptor;
    struct wrn_ip ip = descriptor->ipv4.ip;
    if (descriptor->kind == WRN_NETWORK_L2) { /* two machines on one wire would have it */
        return wrn_network_serves_dhcp(network) ? network->address
                                                : (struct wrn_ip){.family = WRN_FAMILY_NONE};
    }
    if (ip.family == WRN_FAMILY_IPV4) {
        ip.bytes[3] |= 1; /* a range is a /30 at least: its first address is even */
        return ip;
    }
    ip = descriptor->ipv6.ip;
    ip.bytes[15] |= ip.family == WRN_FAMILY_IPV6;
    return ip;
}

/* The addresses of the network are reached through the interface without our saying so. Of HITs
 * only if the way to all of them is on this one: in other networks the way to each is said by
 * itself. All else lies behind a peer. */
void wrn_network_route_to(struct wrn_network *network, const struct wrn_prefix *prefix,
                          bool is_open) {
    bool is_one = prefix->length_bits == HOST_BITS_IPV6 && wrn_network_is_hit(&prefix->ip);
    bool is_said = network->has_hit || !network->wants_address; /* or of no use: for others only */
    if (is_one && (is_open ? is_said : !network->has_hit_routes)) {
        return;
    }
    if (!is_one && !wrn_network_may_route(network, prefix)) {
        return;
    }
    network->has_hit_routes = network->has_hit_routes || (is_one && is_open);
    struct wrn_node_action *action = wrn_network_emit(network, WRN_NODE_ROUTE);
    action->prefix = *prefix;
    action->is_open = is_open;
}

/* ---- the interface ---- */

static void put(struct wrn_network *network, const struct wrn_ip *ip, uint8_t length_bits,
                bool is_open) {
    struct wrn_node_action *action = wrn_network_emit(network, WRN_NODE_ADDRESS);
    action->prefix = (struct wrn_prefix){.ip = *ip, .length_bits = length_bits};
    action->is_open = is_open;
}

/* What needs no lease, and the lease that was ours the last time, until we hear otherwise. */
static void put_all(struct wrn_network *network, bool is_open) {
    static const struct wrn_ip none = {.family = WRN_FAMILY_NONE};
    struct wrn_ip resolver = wrn_network_resolver(network);
    bool may_have = is_open && network->remembered.family == WRN_FAMILY_IPV4 &&
                    wrn_lease_is_assignable(&network->descriptor.ipv4, &network->remembered) &&
                    wrn_rights_has_address(&network->rights, &network->remembered);
    bool is_own = network->descriptor.kind == WRN_NETWORK_L2; /* then it is there without this */
    if (resolver.family != WRN_FAMILY_NONE && !is_own) {
        put(network, &resolver,
            resolver.family == WRN_FAMILY_IPV4 ? HOST_BITS_IPV4 : HOST_BITS_IPV6, is_open);
    }
    if (network->ipv6.family != WRN_FAMILY_NONE) {
        put(network, &network->ipv6, network->descriptor.ipv6.length_bits, is_open);
        (void)wrn_gate_own(network->gate, &network->ipv6, is_open);
    }
    set_address(network, may_have ? &network->remembered : &none);
    put_hit(network, is_open);
}

/* The HIT is the same in all networks, so it and the way to all HITs are on one interface: that of
 * the l3 network that came first. When it goes another one gets them. */
static void put_hit(struct wrn_network *network, bool is_open) {
    const struct wrn_node *node = network->node;
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX && is_open; i++) {
        if (node->networks[i] && node->networks[i]->has_hit) {
            return;
        }
    }
    if (network->has_hit == is_open || network->descriptor.kind == WRN_NETWORK_L2) {
        return;
    }
    struct wrn_ip hit = wrn_network_ip_of_hit(node->hit);
    struct wrn_node_action *action = NULL;
    network->has_hit = is_open;
    put(network, &hit, HOST_BITS_IPV6, is_open);
    action = wrn_network_emit(network, WRN_NODE_ROUTE);
    action->prefix =
        (struct wrn_prefix){.ip = {.bytes = {0x20, 0x01, 0x00, 0x20}, .family = WRN_FAMILY_IPV6},
                            .length_bits = HITS_BITS};
    action->is_open = is_open;
    if (!is_open) {
        pass_hit_on(network);
    }
}

/* The actions are of the other network, whichever input it is that they came of. */
static void pass_hit_on(struct wrn_network *network) {
    uint32_t first = network->out->count;
    struct wrn_network *next = NULL;
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX && !next; i++) {
        struct wrn_network *other = network->node->networks[i];
        next = other && other != network && other->is_addressed &&
                       other->descriptor.kind == WRN_NETWORK_L3
                   ? other
                   : NULL;
    }
    if (!next) {
        return;
    }
    struct wrn_ip hit = wrn_network_ip_of_hit(network->node->hit);
    next->has_hit = true;
    put(network, &hit, HOST_BITS_IPV6, true);
    struct wrn_node_action *action = wrn_network_emit(network, WRN_NODE_ROUTE);
    action->prefix =
        (struct wrn_prefix){.ip = {.bytes = {0x20, 0x01, 0x00, 0x20}, .family = WRN_FAMILY_IPV6},
                            .length_bits = HITS_BITS};
    action->is_open = true;
    for (uint32_t i = first; i < network->out->count; i++) {
        network->out->actions[i].network = next->handle;
    }
}

static void set_address(struct wrn_network *network, const struct wrn_ip *ip) {
    uint8_t bits = network->descriptor.ipv4.length_bits;
    if (wrn_ip_equal(&network->address, ip)) {
        return;
    }
    if (network->address.family != WRN_FAMILY_NONE) {
        put(network, &network->address, bits, false);
        (void)wrn_gate_own(network->gate, &network->address, false);
    }
    network->address = *ip;
    if (ip->family != WRN_FAMILY_NONE) {
        put(network, ip, bits, true);
        (void)wrn_gate_own(network->gate, ip, true);
    }
}

/* ---- claims ---- */

static void claim(struct wrn_network *network) {
    wrn_lease_set_rights(&network->lease, network->now, &network->rights);
    wrn_names_set_rights(network->names, network->now, &network->rights);
    if (network->descriptor.ipv4.ip.family == WRN_FAMILY_IPV4 &&
        !wrn_lease_start(&network->lease, network->now)) {
        (void)snprintf(network->address_trouble, sizeof(network->address_trouble),
                       "this host's certificates permit no address of the network; ask whoever "
                       "may invite for others");
        (void)wrn_network_event(network, WRN_NODE_EVENT_ADDRESS_TROUBLE_KIND, "%s",
                                network->address_trouble);
    }
    if (network->ipv6.family != WRN_FAMILY_NONE) {
        wrn_claim_start(&network->ipv6_claim, network->now);
    }
    if (network->wants_name) {
        bool has_range = network->descriptor.ipv4.ip.family == WRN_FAMILY_IPV4;
        bool is_held = wrn_lease_address(&network->lease).family != WRN_FAMILY_NONE;
        network->name_due = has_range && !is_held
                                ? wrn_mono_add(network->now.mono, WRN_S(NAME_WAITS_S))
                                : network->now.mono;
    }
}

/* Nobody else has it, but we may not have it any more. */
static void say_lost(struct wrn_network *network) {
    char text[WRN_PREFIX_TEXT_SIZE];
    bool is_member = network->standing == WRN_REASON_NONE;
    struct wrn_node_event *event = wrn_network_event(
        network, WRN_NODE_EVENT_ADDRESS_LOST_KIND, "%s is not this host's address any more: %s",
        wrn_network_ip_text(&network->address, text),
        is_member              ? "the use of the invitation by which it came is not certain"
        : network->why[0] != 0 ? network->why
                               : wrn_reason_text(network->standing));
    event->ip = network->address;
    event->reason = is_member ? WRN_REASON_NOT_ADMITTED : network->standing;
}

static void claim_no_more(struct wrn_network *network, bool release) {
    static const struct wrn_ip none = {.family = WRN_FAMILY_NONE};
    network->is_claiming = false;
    if (network->address.family != WRN_FAMILY_NONE && !network->is_leaving) {
        say_lost(network);
    }
    network->name_due = WRN_MONO_NEVER;
    wrn_lease_stop(&network->lease, network->now, release);
    wrn_claim_stop(&network->ipv6_claim, network->now, release);
    wrn_names_stop(network->names, network->now, release);
    set_address(network, &none);
    network->notes.tell = true;
}

static enum wrn_reason store(void *ctx, const struct wrn_claim_request *request) {
    return wrn_network_store(ctx, request);
}

static enum wrn_reason get(void *ctx, uint32_t tag, wrn_span key) {
    return wrn_network_get(ctx, tag, key);
}

static void on_lease(void *ctx, const struct wrn_lease_event *event) {
    struct wrn_network *network = ctx;
    static const struct wrn_ip none = {.family = WRN_FAMILY_NONE};
    enum wrn_node_event_kind kind = WRN_NODE_EVENT_ADDRESS_TROUBLE_KIND;
    network->notes.tell = network->notes.addressed = true;
    (void)snprintf(network->address_trouble, sizeof(network->address_trouble), "%s", event->text);
    switch (event->kind) {
    case WRN_LEASE_HELD:
        if (network->name_due.ns != WRN_MONO_NEVER.ns) {
            network->name_due = network->now.mono; /* its record can have the address now */
        }
        kind = WRN_NODE_EVENT_ADDRESS_KIND;
        network->address_trouble[0] = '\0';
        set_address(network, &event->ip);
        if (!wrn_ip_equal(&network->remembered, &event->ip)) {
            network->remembered = event->ip;
            wrn_network_save(network, true); /* a crash must not cost what was said to be ours */
        }
        break;
    case WRN_LEASE_LOST:
        kind = WRN_NODE_EVENT_ADDRESS_LOST_KIND;
        set_address(network, &none);
        break;
    case WRN_LEASE_RELEASED:
        network->address_trouble[0] = '\0';
        network->remembered = none;
        wrn_network_save(network, false);
        return;
    case WRN_LEASE_WAITING:
        if (event->reason == WRN_REASON_NOT_CONNECTED) {
            return; /* that is said by itself */
        }
        break;
    case WRN_LEASE_FULL:
        break;
    }
    struct wrn_node_event *said = wrn_network_event(network, kind, "%s", event->text);
    said->reason = event->reason;
    said->ip = event->ip;
    memcpy(said->by, event->holder, sizeof(said->by));
}

static void on_name(void *ctx, const struct wrn_names_event *event) {
    struct wrn_network *network = ctx;
    enum wrn_node_event_kind kind = WRN_NODE_EVENT_NAME_TROUBLE_KIND;
    network->notes.tell = network->notes.addressed = network->notes.named = true;
    (void)snprintf(network->name_trouble, sizeof(network->name_trouble), "%s", event->text);
    if (event->kind == WRN_NAMES_RELEASED || event->kind == WRN_NAMES_TAKEN ||
        (event->kind == WRN_NAMES_WAITING && event->reason == WRN_REASON_NOT_CONNECTED)) {
        return; /* TAKEN: the name that is held in the end says so */
    }
    if (event->kind == WRN_NAMES_HELD) {
        kind = WRN_NODE_EVENT_NAME_KIND;
        network->name_trouble[0] = '\0';
        if (strcmp(network->label, event->label) != 0) {
            memcpy(network->label, event->label, sizeof(network->label));
            wrn_network_save(network, true);
        }
    }
    struct wrn_node_event *said = wrn_network_event(network, kind, "%s", event->text);
    said->reason = event->reason;
    memcpy(said->label, event->label, sizeof(said->label));
    memcpy(said->by, event->holder, sizeof(said->by));
}

static void resolved(void *ctx, const struct wrn_names_question *question,
                     const struct wrn_names_answer *answer) {
    wrn_network_questions_on_resolved(ctx, question, answer);
}

/* ---- the claim of our IPv6 address: so whoever has only that finds our key ---- */

static size_t ipv6_key(void *ctx, uint32_t index, char *ret_key) {
    const struct wrn_network *network = ctx;
    return index == 0 ? wrn_lease_key(&network->ipv6, ret_key) : 0;
}

static size_t ipv6_value(void *ctx, wrn_span key, uint8_t *ret_value) {
    const struct wrn_network *network = ctx;
    (void)key;
    return wrn_lease_value(&network->ipv6, wrn_names_own(network->names), ret_value);
}

static void ipv6_round(void *ctx) {
    (void)ctx; /* there is but one candidate */
}

static void on_ipv6(void *ctx, const struct wrn_claim_event *event) {
    (void)ctx; /* the address is ours without it; the claim tries again by itself */
    (void)event;
}
