/* SPDX-License-Identifier: Apache-2.0 */
/* What there is in the network and where: segments, hosts, boxes, addresses, cuts. Datagrams move
 * in carry.c. */
#include "sim/net.h"

#include "sim/memory.h"
#include "sim/net_state.h"

/* Numbers of the streams of randomness of links: hosts and boxes, two ways each. */
#define LINK_OF_HOST(host, way) ((uint64_t)(host)*2 + (way))
#define LINK_OF_NAT(nat, way)   ((uint64_t)1 << 40 | ((uint64_t)(nat)*2 + (way)))

enum { WAY_UP, WAY_DOWN };
enum { HOSTS4_MAX_BITS = 30, HOSTS6_MAX_BITS = 62, FIRST_NUMBER = 2 }; /* 1 is the router's */

static void init_way(struct sim_net *net, struct sim_way *way, uint64_t number,
                     const struct sim_link *link);
static void set_ways(struct sim_way *up, struct sim_way *down, const struct sim_link *up_link,
                     const struct sim_link *down_link);
static struct wrn_ip new_address(struct sim_net *net, sim_segment segment, enum wrn_family family);
static struct wrn_ip numbered(const struct wrn_prefix *prefix, uint64_t number);
static void attach(struct sim_net *net, sim_host host, sim_segment segment);
static void detach(struct sim_net *net, sim_host host);
static void give_nat_addresses(struct sim_net *net, sim_nat nat);
static void take_nat_addresses(struct sim_net *net, sim_nat nat);
static void set_cut(struct sim_table *cuts, uint32_t from, uint32_t to, bool is_cut);

struct sim_net *sim_net_create(struct sim_world *world) {
    static const struct wrn_prefix prefix4 = {{{11}, WRN_FAMILY_IPV4}, 8};
    static const struct wrn_prefix prefix6 = {{{0x20, 0x01, 0x0d, 0xb8}, WRN_FAMILY_IPV6}, 32};
    struct sim_net *net = sim_take(1, sizeof *net);
    net->world = world;
    sim_segment internet = sim_net_add_segment(net, &prefix4, &prefix6);
    WRN_ASSERT(internet == SIM_SEGMENT_INTERNET);
    return net;
}

void sim_net_destroy(struct sim_net *net) {
    if (net == NULL) {
        return;
    }
    for (uint32_t i = 0; i < net->host_count; i++) {
        free(net->hosts[i]);
    }
    for (uint32_t i = 0; i < net->nat_count; i++) {
        sim_nat_box_destroy(net->nats[i].box);
    }
    free(net->hosts);
    free(net->nats);
    free(net->segments);
    sim_table_finish(&net->addresses);
    sim_table_finish(&net->owners6);
    sim_table_finish(&net->cuts);
    sim_table_finish(&net->group_cuts);
    sim_packets_finish(&net->packets);
    free(net);
}

struct sim_world *sim_net_world(const struct sim_net *net) {
    return net->world;
}

sim_segment sim_net_add_segment(struct sim_net *net, const struct wrn_prefix *prefix4,
                                const struct wrn_prefix *prefix6) {
    WRN_ASSERT(prefix4->ip.family != WRN_FAMILY_IPV6 && prefix6->ip.family != WRN_FAMILY_IPV4);
    WRN_ASSERT(prefix4->ip.family == WRN_FAMILY_NONE || prefix4->length_bits <= 29);
    WRN_ASSERT(prefix6->ip.family == WRN_FAMILY_NONE ||
               (prefix6->length_bits >= 32 && prefix6->length_bits <= 120));
    net->segments =
        sim_grow(net->segments, net->segment_count, &net->segment_capacity, sizeof *net->segments);
    net->segments[net->segment_count] = (struct sim_segment_state){
        .prefix4 = *prefix4,
        .prefix6 = *prefix6,
        .next4 = FIRST_NUMBER,
        .next6 = FIRST_NUMBER,
        .gateway = SIM_NOBODY,
        .first = SIM_NOBODY,
        .last = SIM_NOBODY,
    };
    return net->segment_count++;
}

sim_nat sim_net_add_nat(struct sim_net *net, sim_segment inner, sim_segment outer,
                        const struct sim_nat_options *options, const struct sim_link *up,
                        const struct sim_link *down) {
    struct wrn_prng prng;
    WRN_ASSERT(inner != SIM_SEGMENT_INTERNET && sim_segment_at(net, inner)->gateway == SIM_NOBODY);
    for (sim_segment above = outer; above != SIM_SEGMENT_INTERNET;) {
        WRN_ASSERT(above != inner);
        sim_nat gateway = sim_segment_at(net, above)->gateway;
        if (gateway == SIM_NOBODY) {
            break;
        }
        above = sim_nat_at(net, gateway)->outer;
    }
    net->nats = sim_grow(net->nats, net->nat_count, &net->nat_capacity, sizeof *net->nats);
    sim_nat nat = net->nat_count++;
    struct sim_nat_state *state = &net->nats[nat];
    sim_prng_init(net->world, SIM_STREAM_NAT, nat, &prng);
    state->inner = inner;
    state->outer = outer;
    state->box = sim_nat_box_create(options, &prng);
    init_way(net, &state->up, LINK_OF_NAT(nat, WAY_UP), up);
    init_way(net, &state->down, LINK_OF_NAT(nat, WAY_DOWN), down);
    net->segments[inner].gateway = nat;
    give_nat_addresses(net, nat);
    return nat;
}

void sim_nat_forget(struct sim_net *net, sim_nat nat) {
    sim_nat_box_forget(sim_nat_at(net, nat)->box);
    sim_trace(net->world, "nat forgets", nat, 0, 0);
}

void sim_nat_renumber(struct sim_net *net, sim_nat nat) {
    take_nat_addresses(net, nat);
    give_nat_addresses(net, nat);
    sim_trace(net->world, "nat renumbered", nat, 0, 0);
}

struct wrn_ip sim_nat_address(const struct sim_net *net, sim_nat nat, uint32_t index) {
    const struct sim_nat_state *state = sim_nat_at(net, nat);
    WRN_ASSERT(index < state->address_count);
    return state->addresses[index];
}

uint32_t sim_nat_mappings(struct sim_net *net, sim_nat nat) {
    return sim_nat_box_count(sim_nat_at(net, nat)->box, sim_now(net->world).mono);
}

void sim_nat_set_link(struct sim_net *net, sim_nat nat, const struct sim_link *up,
                      const struct sim_link *down) {
    struct sim_nat_state *state = sim_nat_at(net, nat);
    set_ways(&state->up, &state->down, up, down);
    sim_trace(net->world, "nat link", nat, 0, 0);
}

sim_host sim_net_add_host(struct sim_net *net, sim_segment segment, const struct sim_link *up,
                          const struct sim_link *down, sim_receive *receive, void *owner) {
    net->hosts =
        sim_grow(net->hosts, net->host_count, &net->host_capacity, sizeof(struct sim_host_state *));
    sim_host host = net->host_count++;
    struct sim_host_state *state = sim_take(1, sizeof *state);
    WRN_ASSERT(host < SIM_IS_NAT);
    net->hosts[host] = state;
    state->is_up = true;
    state->receive = receive;
    state->owner = owner;
    sim_clock_init(&state->clock, net->world);
    init_way(net, &state->up, LINK_OF_HOST(host, WAY_UP), up);
    init_way(net, &state->down, LINK_OF_HOST(host, WAY_DOWN), down);
    attach(net, host, segment);
    return host;
}

void sim_host_set_owner(struct sim_net *net, sim_host host, sim_receive *receive, void *owner) {
    struct sim_host_state *state = sim_host_at(net, host);
    state->receive = receive;
    state->owner = owner;
}

size_t sim_host_addresses(const struct sim_net *net, sim_host host, struct wrn_ip ret_ips[2]) {
    const struct sim_host_state *state = sim_host_at(net, host);
    size_t count = 0;
    if (state->ip4.family != WRN_FAMILY_NONE) {
        ret_ips[count++] = state->ip4;
    }
    if (state->ip6.family != WRN_FAMILY_NONE) {
        ret_ips[count++] = state->ip6;
    }
    return count;
}

struct sim_clock *sim_host_clock(const struct sim_net *net, sim_host host) {
    return &sim_host_at(net, host)->clock;
}

void sim_host_move(struct sim_net *net, sim_host host, sim_segment segment) {
    detach(net, host);
    attach(net, host, segment);
    sim_trace(net->world, "host moves", host, segment, 0);
}

void sim_host_set_up(struct sim_net *net, sim_host host, bool is_up) {
    sim_host_at(net, host)->is_up = is_up;
    sim_trace(net->world, is_up ? "host up" : "host down", host, 0, 0);
}

void sim_host_sleep(struct sim_net *net, sim_host host) {
    sim_clock_sleep(&sim_host_at(net, host)->clock);
    sim_trace(net->world, "host sleeps", host, 0, 0);
}

void sim_host_wake(struct sim_net *net, sim_host host) {
    sim_clock_wake(&sim_host_at(net, host)->clock);
    sim_trace(net->world, "host wakes", host, 0, 0);
}

void sim_host_let_spoof(struct sim_net *net, sim_host host, bool may_spoof) {
    sim_host_at(net, host)->may_spoof = may_spoof;
}

void sim_host_set_link(struct sim_net *net, sim_host host, const struct sim_link *up,
                       const struct sim_link *down) {
    struct sim_host_state *state = sim_host_at(net, host);
    set_ways(&state->up, &state->down, up, down);
    sim_trace(net->world, "host link", host, 0, 0);
}

void sim_net_cut(struct sim_net *net, sim_host from, sim_host to, bool is_cut) {
    set_cut(&net->cuts, from, to, is_cut);
    sim_trace(net->world, is_cut ? "cut" : "cut healed", from, to, 0);
}

void sim_host_set_group(struct sim_net *net, sim_host host, uint32_t group) {
    sim_host_at(net, host)->group = group;
    sim_trace(net->world, "host group", host, group, 0);
}

void sim_net_cut_groups(struct sim_net *net, uint32_t from, uint32_t to, bool is_cut) {
    set_cut(&net->group_cuts, from, to, is_cut);
    sim_trace(net->world, is_cut ? "groups cut" : "groups healed", from, to, 0);
}

void sim_net_heal(struct sim_net *net) {
    sim_table_finish(&net->cuts);
    sim_table_finish(&net->group_cuts);
    sim_trace(net->world, "all cuts healed", 0, 0, 0);
}

uint64_t sim_net_count(const struct sim_net *net, enum sim_count count) {
    WRN_ASSERT(count < SIM_COUNTS);
    return net->counts[count];
}

const char *sim_count_name(enum sim_count count) {
    static const char *const names[] = {
#define X(upper, lower) #lower,
        SIM_COUNT_LIST(X)
#undef X
    };
    WRN_ASSERT(count < SIM_COUNTS);
    return names[count];
}

uint64_t sim_net_under_way(const struct sim_net *net) {
    return net->packets.live;
}

struct sim_traffic sim_host_traffic(const struct sim_net *net, sim_host host) {
    return sim_host_at(net, host)->traffic;
}

void sim_net_watch(struct sim_net *net, sim_watch_sent *watch, void *ctx) {
    net->watch = watch;
    net->watch_ctx = ctx;
}

struct sim_segment_state *sim_segment_at(const struct sim_net *net, sim_segment segment) {
    WRN_ASSERT(segment < net->segment_count);
    return &net->segments[segment];
}

struct sim_host_state *sim_host_at(const struct sim_net *net, sim_host host) {
    WRN_ASSERT(host < net->host_count);
    return net->hosts[host];
}

struct sim_nat_state *sim_nat_at(const struct sim_net *net, sim_nat nat) {
    WRN_ASSERT(nat < net->nat_count);
    return &net->nats[nat];
}

static void init_way(struct sim_net *net, struct sim_way *way, uint64_t number,
                     const struct sim_link *link) {
    static const struct sim_link perfect;
    sim_prng_init(net->world, SIM_STREAM_LINK, number, &way->prng);
    sim_way_set(way, link != NULL ? link : &perfect);
}

static void set_ways(struct sim_way *up, struct sim_way *down, const struct sim_link *up_link,
                     const struct sim_link *down_link) {
    static const struct sim_link perfect;
    sim_way_set(up, up_link != NULL ? up_link : &perfect);
    sim_way_set(down, down_link != NULL ? down_link : &perfect);
}

/* Returns an address of the segment that nobody has, as late as possible one that somebody had;
 * family NONE if the segment has none of the family. */
static struct wrn_ip new_address(struct sim_net *net, sim_segment segment, enum wrn_family family) {
    struct sim_segment_state *state = sim_segment_at(net, segment);
    bool is_ipv4 = family == WRN_FAMILY_IPV4;
    const struct wrn_prefix *prefix = is_ipv4 ? &state->prefix4 : &state->prefix6;
    if (prefix->ip.family == WRN_FAMILY_NONE) {
        return (struct wrn_ip){0};
    }
    unsigned bits = (is_ipv4 ? 32u : 128u) - prefix->length_bits;
    unsigned bits_max = is_ipv4 ? HOSTS4_MAX_BITS : HOSTS6_MAX_BITS;
    uint64_t last = ((uint64_t)1 << (bits < bits_max ? bits : bits_max)) - 2; /* then broadcast */
    uint64_t *next = is_ipv4 ? &state->next4 : &state->next6;
    for (uint64_t tries = 0;; tries++) {
        uint32_t owner;
        WRN_ASSERT(tries < last); /* the segment is full */
        struct wrn_ip ip = numbered(prefix, *next);
        struct sim_key key = sim_key_of_ip(segment, &ip);
        *next = *next == last ? FIRST_NUMBER : *next + 1;
        if (!sim_table_find(&net->addresses, &key, &owner)) {
            return ip;
        }
    }
}

static struct wrn_ip numbered(const struct wrn_prefix *prefix, uint64_t number) {
    struct wrn_ip ip = prefix->ip;
    size_t size = ip.family == WRN_FAMILY_IPV4 ? 4 : 16;
    for (size_t i = size; number > 0; number >>= 8) {
        ip.bytes[--i] |= (uint8_t)number;
    }
    return ip;
}

static void attach(struct sim_net *net, sim_host host, sim_segment segment) {
    struct sim_host_state *state = sim_host_at(net, host);
    struct sim_segment_state *home = sim_segment_at(net, segment);
    state->segment = segment;
    state->ip4 = new_address(net, segment, WRN_FAMILY_IPV4);
    state->ip6 = new_address(net, segment, WRN_FAMILY_IPV6);
    if (state->ip4.family != WRN_FAMILY_NONE) {
        struct sim_key key = sim_key_of_ip(segment, &state->ip4);
        sim_table_add(&net->addresses, &key, host);
    }
    if (state->ip6.family != WRN_FAMILY_NONE) {
        struct sim_key key = sim_key_of_ip(segment, &state->ip6);
        struct sim_key anywhere = sim_key_of_ip(0, &state->ip6);
        sim_table_add(&net->addresses, &key, host);
        sim_table_add(&net->owners6, &anywhere, host);
    }
    state->previous = home->last;
    state->next = SIM_NOBODY;
    *(home->last != SIM_NOBODY ? &sim_host_at(net, home->last)->next : &home->first) = host;
    home->last = host;
}

static void detach(struct sim_net *net, sim_host host) {
    struct sim_host_state *state = sim_host_at(net, host);
    struct sim_segment_state *home = sim_segment_at(net, state->segment);
    struct sim_key key4 = sim_key_of_ip(state->segment, &state->ip4);
    struct sim_key key6 = sim_key_of_ip(state->segment, &state->ip6);
    struct sim_key anywhere = sim_key_of_ip(0, &state->ip6);
    if (state->ip4.family != WRN_FAMILY_NONE) {
        sim_table_remove(&net->addresses, &key4);
    }
    if (state->ip6.family != WRN_FAMILY_NONE) {
        sim_table_remove(&net->addresses, &key6);
        sim_table_remove(&net->owners6, &anywhere);
    }
    sim_host previous = state->previous;
    sim_host next = state->next;
    *(previous != SIM_NOBODY ? &sim_host_at(net, previous)->next : &home->first) = next;
    *(next != SIM_NOBODY ? &sim_host_at(net, next)->previous : &home->last) = previous;
}

static void give_nat_addresses(struct sim_net *net, sim_nat nat) {
    struct sim_nat_state *state = sim_nat_at(net, nat);
    uint8_t wanted = sim_nat_box_options(state->box)->addresses;
    state->address_count = wanted == 0 ? 1 : wanted;
    for (uint32_t i = 0; i < state->address_count; i++) {
        state->addresses[i] = new_address(net, state->outer, WRN_FAMILY_IPV4);
        if (state->addresses[i].family != WRN_FAMILY_NONE) {
            struct sim_key key = sim_key_of_ip(state->outer, &state->addresses[i]);
            sim_table_add(&net->addresses, &key, nat | SIM_IS_NAT);
        }
    }
    sim_nat_box_set_addresses(state->box, state->addresses);
}

static void take_nat_addresses(struct sim_net *net, sim_nat nat) {
    const struct sim_nat_state *state = sim_nat_at(net, nat);
    for (uint32_t i = 0; i < state->address_count; i++) {
        if (state->addresses[i].family != WRN_FAMILY_NONE) {
            struct sim_key key = sim_key_of_ip(state->outer, &state->addresses[i]);
            sim_table_remove(&net->addresses, &key);
        }
    }
}

static void set_cut(struct sim_table *cuts, uint32_t from, uint32_t to, bool is_cut) {
    struct sim_key key = sim_key_of_pair(from, to);
    uint32_t value;
    if (!is_cut) {
        sim_table_remove(cuts, &key);
    } else if (!sim_table_find(cuts, &key, &value)) {
        sim_table_add(cuts, &key, 1);
    }
}
