/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings and, where filtering asks for them, sessions: the remote ends that a mapping lets in.
 * Both die lazily: whoever meets a dead one removes it. */
#include "sim/nat.h"

#include "sim/memory.h"
#include "sim/table.h"

enum { NONE = UINT32_MAX };
enum { PORT_LOW = 1, PORT_HIGH = 1024, PORT_LAST = 65535, SWEEP_FIRST = 64 };

/* What refreshing needs to know. */
struct life {
    uint64_t created_ns;
    uint64_t expires_ns;
    bool is_answered;
};

struct mapping {
    struct wrn_endpoint inner;  /* family NONE: a stray, see remembers_strays */
    struct wrn_endpoint outer;  /* IPv6: the same */
    struct wrn_endpoint remote; /* what the mapping depends on, the rest 0 */
    struct life life;
    uint32_t previous, next; /* in the list of all, or of the free ones */
    uint32_t first_session;
    uint32_t session_count;
    uint32_t sweep_at; /* look for dead sessions when there are so many */
};

struct session {
    struct wrn_endpoint remote; /* what filtering depends on, the rest 0 */
    struct life life;
    uint32_t next; /* of the mapping, or of the free ones */
};

struct sim_nat_box {
    struct sim_nat_options options;
    struct wrn_prng prng;
    struct wrn_ip addresses[SIM_NAT_ADDRESSES_MAX];
    uint8_t address_count;
    uint32_t next_port; /* counts on for SIM_PORTS_NEXT */
    struct mapping *mappings;
    uint32_t mapping_count, mapping_capacity; /* slots */
    uint32_t first_mapping, free_mapping;
    uint32_t live;
    uint32_t sweep_at;     /* look for dead ones when there are so many */
    uint64_t none_dead_ns; /* none dies before */
    struct session *sessions;
    uint32_t session_count, session_capacity;
    uint32_t free_session;
    struct sim_table by_inner;
    struct sim_table by_outer;
    struct sim_table by_remote; /* (mapping, remote) -> session */
};

static bool passes_freely(const struct sim_nat_box *box, const struct wrn_endpoint *e);
static enum sim_dependence mapping_dependence(const struct sim_nat_box *box,
                                              const struct wrn_endpoint *e);
static struct wrn_endpoint reduced(const struct wrn_endpoint *e, enum sim_dependence dependence);
static struct sim_key outer_key(const struct sim_nat_box *box, const struct wrn_endpoint *outer,
                                const struct wrn_endpoint *remote);
static uint32_t find(struct sim_nat_box *box, wrn_mono now, const struct sim_table *table,
                     const struct sim_key *key);
static uint32_t add(struct sim_nat_box *box, wrn_mono now, const struct wrn_endpoint *inner,
                    const struct wrn_endpoint *to);
static void insert(struct sim_nat_box *box, wrn_mono now, const struct mapping *made);
static void drop(struct sim_nat_box *box, uint32_t index);
static bool has_room(struct sim_nat_box *box, wrn_mono now);
static void sweep(struct sim_nat_box *box, wrn_mono now);
static bool choose_outer(struct sim_nat_box *box, wrn_mono now, const struct wrn_endpoint *to,
                         const struct wrn_endpoint *inner, struct wrn_endpoint *outer);
static bool choose_port(struct sim_nat_box *box, wrn_mono now, const struct wrn_endpoint *to,
                        uint16_t inner_port, struct wrn_endpoint *outer);
static bool is_free(struct sim_nat_box *box, wrn_mono now, const struct wrn_endpoint *outer,
                    const struct wrn_endpoint *to);
static uint32_t find_session(const struct sim_nat_box *box, wrn_mono now, uint32_t mapping,
                             const struct wrn_endpoint *remote, struct sim_key *ret_key);
static uint32_t add_session(struct sim_nat_box *box, wrn_mono now, uint32_t mapping,
                            const struct wrn_endpoint *remote, const struct sim_key *key);
static void sweep_sessions(struct sim_nat_box *box, wrn_mono now, uint32_t mapping);
static void drop_session(struct sim_nat_box *box, uint32_t mapping, uint32_t *link);
static void refresh(const struct sim_nat_box *box, wrn_mono now, struct life *life);
static void refresh_inbound(const struct sim_nat_box *box, wrn_mono now, struct life *life);
static void remember_stray(struct sim_nat_box *box, wrn_mono now, const struct wrn_endpoint *from,
                           const struct wrn_endpoint *to);
static bool is_dead(const struct life *life, wrn_mono now);

struct sim_nat_options sim_nat_cone(enum sim_dependence filtering) {
    return (struct sim_nat_options){
        .mapping = SIM_INDEPENDENT,
        .filtering = filtering,
        .ports = SIM_PORTS_KEEP,
        .timeout_ns = WRN_S(120),
        .refreshes_inbound = true,
    };
}

struct sim_nat_options sim_nat_by_address(void) {
    struct sim_nat_options options = sim_nat_cone(SIM_ADDRESS);
    options.mapping = SIM_ADDRESS;
    options.ports = SIM_PORTS_RANDOM;
    return options;
}

struct sim_nat_options sim_nat_symmetric(enum sim_ports ports, uint16_t port_step) {
    struct sim_nat_options options = sim_nat_cone(SIM_ADDRESS_AND_PORT);
    options.mapping = SIM_ADDRESS_AND_PORT;
    options.ports = ports;
    options.port_step = port_step;
    return options;
}

struct sim_nat_options sim_nat_linux(void) {
    struct sim_nat_options options = sim_nat_symmetric(SIM_PORTS_KEEP, 0);
    options.shares_ports = true;
    options.timeout_ns = WRN_S(30);
    options.stream_timeout_ns = WRN_S(120);
    options.stream_after_ns = WRN_S(2);
    return options;
}

struct sim_nat_options sim_nat_carrier(void) {
    struct sim_nat_options options = sim_nat_cone(SIM_ADDRESS_AND_PORT);
    options.ports = SIM_PORTS_RANDOM;
    options.hairpin = SIM_HAIRPIN_EXTERNAL;
    options.pairs_addresses = true;
    return options;
}

struct sim_nat_box *sim_nat_box_create(const struct sim_nat_options *options,
                                       const struct wrn_prng *seeded) {
    WRN_ASSERT(options->timeout_ns > 0 && options->addresses <= SIM_NAT_ADDRESSES_MAX);
    WRN_ASSERT(options->ports != SIM_PORTS_NEXT || options->port_step > 0);
    WRN_ASSERT(!options->shares_ports || (options->mapping == SIM_ADDRESS_AND_PORT &&
                                          options->filtering == SIM_ADDRESS_AND_PORT));
    WRN_ASSERT(!options->remembers_strays || options->shares_ports);
    struct sim_nat_box *box = sim_take(1, sizeof *box);
    box->options = *options;
    box->prng = *seeded;
    box->next_port = wrn_rand_below(wrn_prng_rand(&box->prng), PORT_LAST - PORT_HIGH + 1);
    box->first_mapping = NONE;
    box->free_mapping = NONE;
    box->free_session = NONE;
    box->sweep_at = SWEEP_FIRST;
    return box;
}

void sim_nat_box_destroy(struct sim_nat_box *box) {
    if (box == NULL) {
        return;
    }
    sim_table_finish(&box->by_inner);
    sim_table_finish(&box->by_outer);
    sim_table_finish(&box->by_remote);
    free(box->mappings);
    free(box->sessions);
    free(box);
}

void sim_nat_box_set_addresses(struct sim_nat_box *box, const struct wrn_ip *ips) {
    sim_nat_box_forget(box);
    box->address_count = box->options.addresses == 0 ? 1 : box->options.addresses;
    memcpy(box->addresses, ips, box->address_count * sizeof *ips);
}

void sim_nat_box_forget(struct sim_nat_box *box) {
    while (box->first_mapping != NONE) {
        drop(box, box->first_mapping);
    }
}

enum sim_nat_verdict sim_nat_box_outbound(struct sim_nat_box *box, wrn_mono now,
                                          struct wrn_endpoint *from,
                                          const struct wrn_endpoint *to) {
    if (box->options.blocks_udp) {
        return SIM_NAT_BLOCKED;
    }
    if (passes_freely(box, from)) {
        return SIM_NAT_PASSES;
    }
    struct wrn_endpoint remote = reduced(to, mapping_dependence(box, to));
    struct sim_key key = sim_key(0, from, &remote);
    uint32_t index = find(box, now, &box->by_inner, &key);
    if (index == NONE) {
        index = add(box, now, from, to);
    }
    if (index == NONE) {
        return SIM_NAT_FULL;
    }
    refresh(box, now, &box->mappings[index].life);
    if (box->options.filtering != SIM_INDEPENDENT) {
        uint32_t session = find_session(box, now, index, to, &key);
        if (session == NONE) {
            session = add_session(box, now, index, to, &key);
        }
        refresh(box, now, &box->sessions[session].life);
    }
    *from = box->mappings[index].outer;
    return SIM_NAT_PASSES;
}

enum sim_nat_verdict sim_nat_box_inbound(struct sim_nat_box *box, wrn_mono now,
                                         const struct wrn_endpoint *from, struct wrn_endpoint *to) {
    if (box->options.blocks_udp) {
        return SIM_NAT_BLOCKED;
    }
    if (passes_freely(box, to)) {
        return SIM_NAT_PASSES;
    }
    struct sim_key key = outer_key(box, to, from);
    uint32_t index = find(box, now, &box->by_outer, &key);
    if (index == NONE || box->mappings[index].inner.ip.family == WRN_FAMILY_NONE) {
        remember_stray(box, now, from, to);
        return SIM_NAT_NO_MAPPING;
    }
    if (box->options.filtering != SIM_INDEPENDENT) {
        uint32_t session = find_session(box, now, index, from, &key);
        if (session == NONE) {
            return SIM_NAT_FILTERED;
        }
        refresh_inbound(box, now, &box->sessions[session].life);
    }
    refresh_inbound(box, now, &box->mappings[index].life);
    *to = box->mappings[index].inner;
    return SIM_NAT_PASSES;
}

bool sim_nat_box_has(const struct sim_nat_box *box, const struct wrn_ip *ip) {
    for (uint8_t i = 0; i < box->address_count; i++) {
        if (wrn_ip_equal(&box->addresses[i], ip)) {
            return true;
        }
    }
    return false;
}

const struct sim_nat_options *sim_nat_box_options(const struct sim_nat_box *box) {
    return &box->options;
}

uint32_t sim_nat_box_count(struct sim_nat_box *box, wrn_mono now) {
    sweep(box, now);
    return box->live;
}

static bool passes_freely(const struct sim_nat_box *box, const struct wrn_endpoint *e) {
    return box->options.opens_ipv6 && e->ip.family == WRN_FAMILY_IPV6;
}

/* The firewall translates nothing: an endpoint stands for itself, whoever is spoken to. */
static enum sim_dependence mapping_dependence(const struct sim_nat_box *box,
                                              const struct wrn_endpoint *e) {
    return e->ip.family == WRN_FAMILY_IPV6 ? SIM_INDEPENDENT : box->options.mapping;
}

static struct wrn_endpoint reduced(const struct wrn_endpoint *e, enum sim_dependence dependence) {
    struct wrn_endpoint r = {0};
    if (dependence != SIM_INDEPENDENT) {
        r.ip = e->ip;
    }
    if (dependence == SIM_ADDRESS_AND_PORT) {
        r.port = e->port;
    }
    return r;
}

/* An outer endpoint belongs to one mapping, or where ports are shared to one for each remote. */
static struct sim_key outer_key(const struct sim_nat_box *box, const struct wrn_endpoint *outer,
                                const struct wrn_endpoint *remote) {
    bool is_shared = box->options.shares_ports && outer->ip.family == WRN_FAMILY_IPV4;
    return sim_key(0, outer, is_shared ? remote : NULL);
}

/* Returns the living mapping of 'key', or NONE. */
static uint32_t find(struct sim_nat_box *box, wrn_mono now, const struct sim_table *table,
                     const struct sim_key *key) {
    uint32_t index;
    if (!sim_table_find(table, key, &index)) {
        return NONE;
    }
    if (is_dead(&box->mappings[index].life, now)) {
        drop(box, index);
        return NONE;
    }
    return index;
}

/* Makes a mapping for what 'inner' sends to 'to'. Returns NONE: no room or no port. */
static uint32_t add(struct sim_nat_box *box, wrn_mono now, const struct wrn_endpoint *inner,
                    const struct wrn_endpoint *to) {
    struct mapping made = {.inner = *inner, .outer = *inner};
    made.remote = reduced(to, mapping_dependence(box, to));
    bool is_translated = inner->ip.family == WRN_FAMILY_IPV4;
    if (!has_room(box, now) || (is_translated && !choose_outer(box, now, to, inner, &made.outer))) {
        return NONE;
    }
    insert(box, now, &made);
    struct sim_key key = sim_key(0, &made.inner, &made.remote);
    sim_table_add(&box->by_inner, &key, box->first_mapping);
    return box->first_mapping;
}

/* Puts a new mapping first in the list. */
static void insert(struct sim_nat_box *box, wrn_mono now, const struct mapping *made) {
    uint32_t index = box->free_mapping;
    if (index != NONE) {
        box->free_mapping = box->mappings[index].next;
    } else {
        box->mappings = sim_grow(box->mappings, box->mapping_count, &box->mapping_capacity,
                                 sizeof *box->mappings);
        index = box->mapping_count++;
    }
    struct mapping *mapping = &box->mappings[index];
    *mapping = *made;
    mapping->life = (struct life){.created_ns = now.ns};
    refresh(box, now, &mapping->life);
    mapping->first_session = NONE;
    mapping->sweep_at = SWEEP_FIRST;
    mapping->previous = NONE;
    mapping->next = box->first_mapping;
    if (mapping->next != NONE) {
        box->mappings[mapping->next].previous = index;
    }
    box->first_mapping = index;
    box->live++;
    struct sim_key key = outer_key(box, &mapping->outer, &mapping->remote);
    sim_table_add(&box->by_outer, &key, index);
}

static void drop(struct sim_nat_box *box, uint32_t index) {
    struct mapping *mapping = &box->mappings[index];
    while (mapping->first_session != NONE) {
        drop_session(box, index, &mapping->first_session);
    }
    if (mapping->inner.ip.family != WRN_FAMILY_NONE) {
        struct sim_key inner = sim_key(0, &mapping->inner, &mapping->remote);
        sim_table_remove(&box->by_inner, &inner);
    }
    struct sim_key outer = outer_key(box, &mapping->outer, &mapping->remote);
    sim_table_remove(&box->by_outer, &outer);
    *(mapping->previous != NONE ? &box->mappings[mapping->previous].next : &box->first_mapping) =
        mapping->next;
    if (mapping->next != NONE) {
        box->mappings[mapping->next].previous = mapping->previous;
    }
    mapping->next = box->free_mapping;
    box->free_mapping = index;
    box->live--;
}

/* Makes room by removing the dead, now and then or when it is needed. */
static bool has_room(struct sim_nat_box *box, wrn_mono now) {
    uint32_t max = box->options.mappings_max;
    if (box->live >= box->sweep_at || (max != 0 && box->live >= max)) {
        sweep(box, now);
        box->sweep_at = 2 * box->live > SWEEP_FIRST ? 2 * box->live : SWEEP_FIRST;
    }
    return max == 0 || box->live < max;
}

/* Does nothing as long as none can have died: a full table is asked often. */
static void sweep(struct sim_nat_box *box, wrn_mono now) {
    if (now.ns < box->none_dead_ns) {
        return;
    }
    uint64_t stream_ns = box->options.stream_timeout_ns;
    uint64_t shortest_ns = box->options.timeout_ns;
    if (stream_ns != 0 && stream_ns < shortest_ns) {
        shortest_ns = stream_ns;
    }
    uint64_t earliest = now.ns + shortest_ns; /* of those yet to come, or to be refreshed */
    for (uint32_t i = box->first_mapping; i != NONE;) {
        uint32_t next = box->mappings[i].next;
        if (is_dead(&box->mappings[i].life, now)) {
            drop(box, i);
        } else if (box->mappings[i].life.expires_ns < earliest) {
            earliest = box->mappings[i].life.expires_ns;
        }
        i = next;
    }
    box->none_dead_ns = earliest;
}

static bool choose_outer(struct sim_nat_box *box, wrn_mono now, const struct wrn_endpoint *to,
                         const struct wrn_endpoint *inner, struct wrn_endpoint *outer) {
    WRN_ASSERT(box->address_count > 0);
    uint32_t first = box->options.pairs_addresses
                         ? inner->ip.bytes[3] % box->address_count
                         : wrn_rand_below(wrn_prng_rand(&box->prng), box->address_count);
    for (uint32_t i = 0; i < box->address_count; i++) {
        outer->ip = box->addresses[(first + i) % box->address_count];
        if (choose_port(box, now, to, inner->port, outer)) {
            return true;
        }
        if (box->options.pairs_addresses) {
            break;
        }
    }
    return false;
}

/* Well-known ports stay well-known, others do not become so: RFC 4787, REQ-3a. */
static bool choose_port(struct sim_nat_box *box, wrn_mono now, const struct wrn_endpoint *to,
                        uint16_t inner_port, struct wrn_endpoint *outer) {
    uint32_t low = inner_port < PORT_HIGH ? PORT_LOW : PORT_HIGH;
    uint32_t size = inner_port < PORT_HIGH ? PORT_HIGH - PORT_LOW : PORT_LAST - PORT_HIGH + 1;
    struct wrn_rand rand = wrn_prng_rand(&box->prng);
    if (box->options.ports == SIM_PORTS_NEXT) {
        for (uint32_t i = 0; i < size; i++) {
            box->next_port = (box->next_port + box->options.port_step) % size;
            outer->port = (uint16_t)(low + box->next_port);
            if (is_free(box, now, outer, to)) {
                return true;
            }
        }
        return false;
    }
    outer->port = inner_port;
    if (box->options.ports == SIM_PORTS_KEEP && is_free(box, now, outer, to)) {
        return true;
    }
    uint32_t start = 0;
    for (uint32_t i = 0; i < SIM_NAT_PORT_RANDOM_TRIES; i++) {
        start = wrn_rand_below(rand, size);
        outer->port = (uint16_t)(low + start);
        if (is_free(box, now, outer, to)) {
            return true;
        }
    }
    for (uint32_t i = 0; i < size; i++) {
        outer->port = (uint16_t)(low + (start + i) % size);
        if (is_free(box, now, outer, to)) {
            return true;
        }
    }
    return false;
}

static bool is_free(struct sim_nat_box *box, wrn_mono now, const struct wrn_endpoint *outer,
                    const struct wrn_endpoint *to) {
    struct sim_key key = outer_key(box, outer, to);
    return find(box, now, &box->by_outer, &key) == NONE;
}

/* Returns the living session, or NONE. Sets its key in any case. */
static uint32_t find_session(const struct sim_nat_box *box, wrn_mono now, uint32_t mapping,
                             const struct wrn_endpoint *remote, struct sim_key *ret_key) {
    struct wrn_endpoint end = reduced(remote, box->options.filtering);
    uint32_t index;
    *ret_key = sim_key(mapping, &end, NULL);
    if (!sim_table_find(&box->by_remote, ret_key, &index)) {
        return NONE;
    }
    return is_dead(&box->sessions[index].life, now) ? NONE : index;
}

/* Adds the session, or takes up a dead one again. */
static uint32_t add_session(struct sim_nat_box *box, wrn_mono now, uint32_t mapping,
                            const struct wrn_endpoint *remote, const struct sim_key *key) {
    struct mapping *owner = &box->mappings[mapping];
    uint32_t index;
    if (owner->session_count >= owner->sweep_at) {
        sweep_sessions(box, now, mapping);
    }
    if (sim_table_find(&box->by_remote, key, &index)) {
        box->sessions[index].life = (struct life){.created_ns = now.ns};
        return index;
    }
    index = box->free_session;
    if (index != NONE) {
        box->free_session = box->sessions[index].next;
    } else {
        box->sessions = sim_grow(box->sessions, box->session_count, &box->session_capacity,
                                 sizeof *box->sessions);
        index = box->session_count++;
    }
    box->sessions[index] = (struct session){
        .remote = reduced(remote, box->options.filtering),
        .life.created_ns = now.ns,
        .next = owner->first_session,
    };
    owner->first_session = index;
    owner->session_count++;
    sim_table_add(&box->by_remote, key, index);
    return index;
}

/* A mapping that lives long meets many remote ends: the dead ones go when there are many. */
static void sweep_sessions(struct sim_nat_box *box, wrn_mono now, uint32_t mapping) {
    struct mapping *owner = &box->mappings[mapping];
    for (uint32_t *link = &owner->first_session; *link != NONE;) {
        if (is_dead(&box->sessions[*link].life, now)) {
            drop_session(box, mapping, link);
        } else {
            link = &box->sessions[*link].next;
        }
    }
    owner->sweep_at =
        2 * owner->session_count > SWEEP_FIRST ? 2 * owner->session_count : SWEEP_FIRST;
}

/* Frees the session that 'link' names, which names the one after it then. */
static void drop_session(struct sim_nat_box *box, uint32_t mapping, uint32_t *link) {
    uint32_t index = *link;
    struct session *session = &box->sessions[index];
    struct sim_key key = sim_key(mapping, &session->remote, NULL);
    sim_table_remove(&box->by_remote, &key);
    *link = session->next;
    session->next = box->free_session;
    box->free_session = index;
    box->mappings[mapping].session_count--;
}

static void refresh(const struct sim_nat_box *box, wrn_mono now, struct life *life) {
    const struct sim_nat_options *options = &box->options;
    bool is_stream = life->is_answered && options->stream_timeout_ns != 0 &&
                     now.ns > life->created_ns + options->stream_after_ns;
    life->expires_ns = now.ns + (is_stream ? options->stream_timeout_ns : options->timeout_ns);
}

/* The first answer itself does not count as answered yet: so does Linux. */
static void refresh_inbound(const struct sim_nat_box *box, wrn_mono now, struct life *life) {
    if (box->options.refreshes_inbound) {
        refresh(box, now, life);
    }
    life->is_answered = true;
}

static void remember_stray(struct sim_nat_box *box, wrn_mono now, const struct wrn_endpoint *from,
                           const struct wrn_endpoint *to) {
    if (!box->options.remembers_strays || to->ip.family != WRN_FAMILY_IPV4) {
        return;
    }
    struct sim_key key = outer_key(box, to, from);
    uint32_t index = find(box, now, &box->by_outer, &key);
    if (index != NONE) {
        refresh(box, now, &box->mappings[index].life);
    } else if (has_room(box, now)) {
        struct mapping stray = {.outer = *to, .remote = *from};
        insert(box, now, &stray);
    }
}

static bool is_dead(const struct life *life, wrn_mono now) {
    return now.ns >= life->expires_ns;
}
