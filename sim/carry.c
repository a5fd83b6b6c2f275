/* SPDX-License-Identifier: Apache-2.0 */
/* Moves datagrams: from a host over its link to the segment, through boxes up and down, over the
 * receiver's link to the receiver. Each stay is an event; what takes no time is done at once. */
#include "sim/memory.h"
#include "sim/net_state.h"

static int check(const struct sim_host_state *host, const struct wrn_endpoint *from,
                 const struct wrn_endpoint *to, size_t size);
static struct wrn_endpoint complete(const struct sim_host_state *host,
                                    const struct wrn_endpoint *from, enum wrn_family family);
static void launch(struct sim_net *net, sim_host origin, const struct wrn_endpoint *from,
                   const struct wrn_endpoint *to, wrn_span bytes, bool is_multicast);
static void on_event(struct sim_event *event);
static bool cross(struct sim_packet *packet, struct sim_way *way, enum sim_place where,
                  uint32_t place);
static bool wait_until(struct sim_packet *packet, uint64_t due_ns);
static struct sim_packet *copy_of(const struct sim_packet *packet);
static bool route(struct sim_packet *packet);
static sim_nat way_down(const struct sim_net *net, sim_segment segment, const struct wrn_ip *ip);
static bool is_inside(const struct wrn_prefix *prefix, const struct wrn_ip *ip);
static bool leave(struct sim_packet *packet, sim_nat nat);
static bool enter(struct sim_packet *packet, sim_nat nat);
static bool turn_back(struct sim_packet *packet, sim_nat nat, const struct wrn_endpoint *inner);
static bool spread(struct sim_packet *packet);
static bool hand_over(struct sim_packet *packet);
static bool is_cut(const struct sim_net *net, sim_host from, sim_host to);
static bool end(struct sim_packet *packet, enum sim_count count);
static enum sim_count refusal(enum sim_nat_verdict verdict);
static uint32_t ip_size(const struct sim_packet *packet);
static uint64_t in_trace(const struct wrn_endpoint *endpoint);

int sim_send(struct sim_net *net, sim_host host, const struct wrn_endpoint *from,
             const struct wrn_endpoint *to, wrn_span bytes) {
    const struct sim_host_state *state = sim_host_at(net, host);
    struct wrn_endpoint complete_from = complete(state, from, to->ip.family);
    int error = check(state, &complete_from, to, bytes.size);
    if (error == 0) {
        launch(net, host, &complete_from, to, bytes, false);
    }
    return error;
}

int sim_send_multicast(struct sim_net *net, sim_host host, const struct wrn_endpoint *from,
                       uint16_t port, wrn_span bytes) {
    static const struct wrn_ip all4 = {{224, 0, 0, 1}, WRN_FAMILY_IPV4};
    static const struct wrn_ip all6 = {{0xff, 0x02, [15] = 1}, WRN_FAMILY_IPV6};
    const struct sim_host_state *state = sim_host_at(net, host);
    struct wrn_endpoint complete_from = complete(state, from, WRN_FAMILY_NONE);
    bool is_ipv4 = complete_from.ip.family == WRN_FAMILY_IPV4;
    struct wrn_endpoint to = {.ip = is_ipv4 ? all4 : all6, .port = port};
    int error = check(state, &complete_from, &to, bytes.size);
    if (error == 0) {
        launch(net, host, &complete_from, &to, bytes, true);
    }
    return error;
}

static int check(const struct sim_host_state *host, const struct wrn_endpoint *from,
                 const struct wrn_endpoint *to, size_t size) {
    if (size > SIM_DATAGRAM_MAX) {
        return -EMSGSIZE;
    }
    if (!host->is_up || host->clock.is_asleep || from->ip.family == WRN_FAMILY_NONE) {
        return -ENETUNREACH;
    }
    if (from->ip.family != to->ip.family || from->port == 0 || to->port == 0) {
        return -EINVAL;
    }
    bool is_own = wrn_ip_equal(&from->ip, &host->ip4) || wrn_ip_equal(&from->ip, &host->ip6);
    return is_own || host->may_spoof ? 0 : -EADDRNOTAVAIL;
}

/* Chooses the source address of 'family' if there is none in 'from'; NONE: the first one. */
static struct wrn_endpoint complete(const struct sim_host_state *host,
                                    const struct wrn_endpoint *from, enum wrn_family family) {
    struct wrn_endpoint e = *from;
    if (e.ip.family != WRN_FAMILY_NONE) {
        return e;
    }
    if (family == WRN_FAMILY_NONE) {
        e.ip = host->ip4.family != WRN_FAMILY_NONE ? host->ip4 : host->ip6;
    } else {
        e.ip = family == WRN_FAMILY_IPV4 ? host->ip4 : host->ip6;
    }
    return e;
}

/* Puts the datagram on the host's link. What a host sends to itself crosses none. */
static void launch(struct sim_net *net, sim_host origin, const struct wrn_endpoint *from,
                   const struct wrn_endpoint *to, wrn_span bytes, bool is_multicast) {
    struct sim_host_state *host = sim_host_at(net, origin);
    if (net->watch != NULL) {
        net->watch(net->watch_ctx, origin, from, to, bytes);
    }
    struct sim_packet *packet = sim_packet_take(&net->packets, bytes.size);
    packet->event.happen = on_event;
    packet->net = net;
    packet->serial = net->next_serial++;
    packet->from = *from;
    packet->to = *to;
    packet->origin = origin;
    packet->is_multicast = is_multicast;
    if (bytes.size > 0) {
        memcpy(packet->bytes, bytes.data, bytes.size);
    }
    net->counts[SIM_COUNT_SENT]++;
    host->traffic.sent++;
    host->traffic.sent_bytes += ip_size(packet);
    sim_trace(net->world, "send", packet->serial << 32 | origin, in_trace(from), in_trace(to));
    sim_trace_bytes(net->world, "bytes", packet->serial, bytes);
    if (wrn_ip_equal(&to->ip, &host->ip4) || wrn_ip_equal(&to->ip, &host->ip6)) {
        packet->where = SIM_PLACE_HOST;
        packet->place = origin;
        sim_at(net->world, &packet->event, sim_now(net->world).mono);
        return;
    }
    /* Even what takes no time waits for its turn, so that nothing arrives before the sender is
     * done. */
    if (cross(packet, &host->up, SIM_PLACE_SEGMENT, host->segment)) {
        sim_at(net->world, &packet->event, sim_now(net->world).mono);
    }
}

/* Goes on with a packet from where it is until it waits or has ended. */
static void on_event(struct sim_event *event) {
    struct sim_packet *packet = WRN_CONTAINER(event, struct sim_packet, event);
    bool goes_on = true;
    while (goes_on) {
        switch (packet->where) {
        case SIM_PLACE_SEGMENT:
            goes_on = packet->is_multicast ? spread(packet) : route(packet);
            break;
        case SIM_PLACE_NAT:
            goes_on = enter(packet, packet->place);
            break;
        case SIM_PLACE_HOST:
            goes_on = hand_over(packet);
            break;
        }
    }
}

/* Takes a packet over one way of a link to a place. Returns true if it is there already; otherwise
 * it waits, or has ended. */
static bool cross(struct sim_packet *packet, struct sim_way *way, enum sim_place where,
                  uint32_t place) {
    static const enum sim_count ends[] = {
        [SIM_FATE_LOST] = SIM_COUNT_LOST,
        [SIM_FATE_QUEUE_FULL] = SIM_COUNT_QUEUE_FULL,
        [SIM_FATE_TOO_LARGE] = SIM_COUNT_TOO_LARGE,
    };
    struct sim_net *net = packet->net;
    struct sim_transit transit;
    packet->where = where;
    packet->place = place;
    sim_way_pass(way, sim_now(net->world).mono.ns, ip_size(packet), packet->size, &transit);
    if (transit.fate != SIM_FATE_ARRIVES) {
        return end(packet, ends[transit.fate]);
    }
    if (transit.corrupt_bit != UINT32_MAX) {
        packet->bytes[transit.corrupt_bit / 8] ^= (uint8_t)(1u << transit.corrupt_bit % 8);
        net->counts[SIM_COUNT_CORRUPTED]++;
        sim_trace(net->world, "corrupted", packet->serial, transit.corrupt_bit, 0);
    }
    if (transit.duplicate_arrival_ns != UINT64_MAX) {
        struct sim_packet *copy = copy_of(packet);
        net->counts[SIM_COUNT_DUPLICATED]++;
        sim_trace(net->world, "duplicated", packet->serial, 0, 0);
        sim_at(net->world, &copy->event, (wrn_mono){transit.duplicate_arrival_ns});
    }
    return wait_until(packet, transit.arrival_ns);
}

/* Returns true if there is nothing to wait for. */
static bool wait_until(struct sim_packet *packet, uint64_t due_ns) {
    struct sim_world *world = packet->net->world;
    if (due_ns == sim_now(world).mono.ns) {
        return true;
    }
    sim_at(world, &packet->event, (wrn_mono){due_ns});
    return false;
}

static struct sim_packet *copy_of(const struct sim_packet *packet) {
    struct sim_packet *copy = sim_packet_take(&packet->net->packets, packet->size);
    copy->event.happen = on_event;
    copy->net = packet->net;
    copy->serial = packet->serial;
    copy->from = packet->from;
    copy->to = packet->to;
    copy->origin = packet->origin;
    copy->where = packet->where;
    copy->place = packet->place;
    copy->is_multicast = packet->is_multicast;
    memcpy(copy->bytes, packet->bytes, packet->size);
    return copy;
}

/* Finds where a packet goes that is on a segment: to a host or a box on it, down to where its IPv6
 * address lives, or out. */
static bool route(struct sim_packet *packet) {
    struct sim_net *net = packet->net;
    sim_segment segment = packet->place;
    const struct sim_segment_state *state = sim_segment_at(net, segment);
    struct sim_key key = sim_key_of_ip(segment, &packet->to.ip);
    uint32_t found;
    if (sim_table_find(&net->addresses, &key, &found)) {
        if ((found & SIM_IS_NAT) == 0) {
            return cross(packet, &sim_host_at(net, found)->down, SIM_PLACE_HOST, found);
        }
        found &= ~SIM_IS_NAT;
        return cross(packet, &sim_nat_at(net, found)->down, SIM_PLACE_NAT, found);
    }
    if (packet->to.ip.family == WRN_FAMILY_IPV6) {
        found = way_down(net, segment, &packet->to.ip);
        if (found != SIM_NOBODY) {
            return cross(packet, &sim_nat_at(net, found)->down, SIM_PLACE_NAT, found);
        }
    }
    if (state->gateway == SIM_NOBODY || is_inside(&state->prefix4, &packet->to.ip) ||
        is_inside(&state->prefix6, &packet->to.ip)) {
        return end(packet, SIM_COUNT_NO_ROUTE);
    }
    return leave(packet, state->gateway);
}

/* Returns the box on 'segment' behind which the IPv6 address lives, at whatever depth. */
static sim_nat way_down(const struct sim_net *net, sim_segment segment, const struct wrn_ip *ip) {
    struct sim_key key = sim_key_of_ip(0, ip);
    uint32_t host;
    if (!sim_table_find(&net->owners6, &key, &host)) {
        return SIM_NOBODY;
    }
    sim_nat below = SIM_NOBODY;
    for (sim_segment at = sim_host_at(net, host)->segment; at != segment;) {
        below = sim_segment_at(net, at)->gateway;
        if (below == SIM_NOBODY) {
            return SIM_NOBODY;
        }
        at = sim_nat_at(net, below)->outer;
    }
    return below;
}

static bool is_inside(const struct wrn_prefix *prefix, const struct wrn_ip *ip) {
    if (prefix->ip.family != ip->family || ip->family == WRN_FAMILY_NONE) {
        return false;
    }
    for (unsigned bit = 0; bit < prefix->length_bits; bit++) {
        if (((prefix->ip.bytes[bit / 8] ^ ip->bytes[bit / 8]) >> (7 - bit % 8) & 1) != 0) {
            return false;
        }
    }
    return true;
}

/* From inside through a box. */
static bool leave(struct sim_packet *packet, sim_nat nat) {
    struct sim_nat_state *state = sim_nat_at(packet->net, nat);
    struct wrn_endpoint inner = packet->from;
    enum sim_nat_verdict verdict = sim_nat_box_outbound(
        state->box, sim_now(packet->net->world).mono, &packet->from, &packet->to);
    if (verdict != SIM_NAT_PASSES) {
        return end(packet, refusal(verdict));
    }
    if (sim_nat_box_has(state->box, &packet->to.ip)) {
        return turn_back(packet, nat, &inner);
    }
    return cross(packet, &state->up, SIM_PLACE_SEGMENT, state->outer);
}

/* From outside through a box. */
static bool enter(struct sim_packet *packet, sim_nat nat) {
    struct sim_nat_state *state = sim_nat_at(packet->net, nat);
    enum sim_nat_verdict verdict = sim_nat_box_inbound(state->box, sim_now(packet->net->world).mono,
                                                       &packet->from, &packet->to);
    if (verdict != SIM_NAT_PASSES) {
        return end(packet, refusal(verdict));
    }
    packet->where = SIM_PLACE_SEGMENT;
    packet->place = state->inner;
    return true;
}

/* From inside to the box' own outside. */
static bool turn_back(struct sim_packet *packet, sim_nat nat, const struct wrn_endpoint *inner) {
    enum sim_hairpin hairpin = sim_nat_box_options(sim_nat_at(packet->net, nat)->box)->hairpin;
    if (hairpin == SIM_HAIRPIN_NONE) {
        return end(packet, SIM_COUNT_NAT_HAIRPIN);
    }
    bool goes_on = enter(packet, nat);
    if (goes_on && hairpin == SIM_HAIRPIN_INTERNAL) {
        packet->from = *inner;
    }
    return goes_on;
}

/* A multicast on its segment: a copy for each of the others. */
static bool spread(struct sim_packet *packet) {
    struct sim_net *net = packet->net;
    sim_host member = packet->place != SIM_SEGMENT_INTERNET
                          ? sim_segment_at(net, packet->place)->first
                          : SIM_NOBODY;
    bool was_heard = false;
    while (member != SIM_NOBODY) {
        struct sim_host_state *host = sim_host_at(net, member);
        if (member != packet->origin) {
            struct sim_packet *copy = copy_of(packet);
            was_heard = true;
            if (cross(copy, &host->down, SIM_PLACE_HOST, member)) {
                sim_at(net->world, &copy->event, sim_now(net->world).mono);
            }
        }
        member = host->next;
    }
    if (!was_heard) {
        return end(packet, SIM_COUNT_NO_ROUTE);
    }
    sim_packet_give(&net->packets, packet);
    return false;
}

/* At the end of the receiver's link. */
static bool hand_over(struct sim_packet *packet) {
    struct sim_net *net = packet->net;
    struct sim_host_state *host = sim_host_at(net, packet->place);
    bool is_own = packet->is_multicast || wrn_ip_equal(&packet->to.ip, &host->ip4) ||
                  wrn_ip_equal(&packet->to.ip, &host->ip6);
    if (!is_own) { /* it moved meanwhile */
        return end(packet, SIM_COUNT_NO_ROUTE);
    }
    if (!host->is_up) {
        return end(packet, SIM_COUNT_HOST_DOWN);
    }
    if (host->clock.is_asleep) {
        return end(packet, SIM_COUNT_HOST_ASLEEP);
    }
    if (is_cut(net, packet->origin, packet->place)) {
        return end(packet, SIM_COUNT_CUT);
    }
    host->traffic.received++;
    host->traffic.received_bytes += ip_size(packet);
    net->counts[SIM_COUNT_DELIVERED]++;
    sim_trace(net->world, "delivered", packet->serial << 32 | packet->place,
              in_trace(&packet->from), 0);
    if (host->receive != NULL) {
        host->receive(host->owner, packet->from, packet->to,
                      (wrn_span){packet->bytes, packet->size}, packet->is_multicast);
    }
    sim_packet_give(&net->packets, packet);
    return false;
}

static bool is_cut(const struct sim_net *net, sim_host from, sim_host to) {
    uint32_t value;
    if (net->cuts.count > 0) {
        struct sim_key key = sim_key_of_pair(from, to);
        if (sim_table_find(&net->cuts, &key, &value)) {
            return true;
        }
    }
    if (net->group_cuts.count > 0) {
        struct sim_key key =
            sim_key_of_pair(sim_host_at(net, from)->group, sim_host_at(net, to)->group);
        return sim_table_find(&net->group_cuts, &key, &value);
    }
    return false;
}

/* Counts what became of the packet. Returns false: it does not go on. */
static bool end(struct sim_packet *packet, enum sim_count count) {
    struct sim_net *net = packet->net;
    net->counts[count]++;
    sim_trace(net->world, sim_count_name(count), packet->serial, 0, 0);
    sim_packet_give(&net->packets, packet);
    return false;
}

static enum sim_count refusal(enum sim_nat_verdict verdict) {
    static const enum sim_count counts[] = {
        [SIM_NAT_BLOCKED] = SIM_COUNT_NAT_BLOCKED,
        [SIM_NAT_FULL] = SIM_COUNT_NAT_FULL,
        [SIM_NAT_NO_MAPPING] = SIM_COUNT_NAT_NO_MAPPING,
        [SIM_NAT_FILTERED] = SIM_COUNT_NAT_FILTERED,
    };
    WRN_ASSERT(verdict > SIM_NAT_PASSES && verdict < WRN_COUNT(counts));
    return counts[verdict];
}

static uint32_t ip_size(const struct sim_packet *packet) {
    bool is_ipv4 = packet->from.ip.family == WRN_FAMILY_IPV4;
    return packet->size + (is_ipv4 ? (uint32_t)SIM_HEADERS_IPV4 : (uint32_t)SIM_HEADERS_IPV6);
}

/* The low bytes of the address and the port, which tells endpoints of a run apart. */
static uint64_t in_trace(const struct wrn_endpoint *endpoint) {
    const uint8_t *bytes = endpoint->ip.bytes;
    uint64_t word = 0;
    size_t first = endpoint->ip.family == WRN_FAMILY_IPV4 ? 0 : 10;
    size_t last = endpoint->ip.family == WRN_FAMILY_IPV4 ? 4 : 16;
    for (size_t i = first; i < last; i++) {
        word = word << 8 | bytes[i];
    }
    return word << 16 | endpoint->port;
}
