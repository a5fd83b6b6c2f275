/* SPDX-License-Identifier: Apache-2.0 */
/* Who has joined which multicast group: IGMP and MLD are listened to, lanes ask who wants a frame.
 * Filters only where a querier was heard, as nobody repeats what it joined without one; what does
 * not fit into the table is flooded to whom it concerns. Sources of IGMPv3 and MLDv2 are not looked
 * at.
 * Sources: RFC 1112, 2236, 3376 (IGMP), 2710, 3810 (MLD), 4541 (snooping). */
#include "switch/switch_internal.h"

#include "base/keymap.h"
#include "base/wire.h"

enum {
    IGMP_QUERY = 0x11,
    IGMP1_REPORT = 0x12,
    IGMP2_REPORT = 0x16,
    IGMP2_LEAVE = 0x17,
    IGMP3_REPORT = 0x22,
    IGMP_SIZE = 8,
    MLD_QUERY = 130,
    MLD_REPORT = 131,
    MLD_DONE = 132,
    MLD2_REPORT = 143,
    MLD_SIZE = 24,
    RECORD_IS_IN = 1, /* of version 3 of IGMP, 2 of MLD */
    RECORD_IS_EX = 2,
    RECORD_TO_IN = 3,
    RECORD_TO_EX = 4,
    RECORD_ALLOW = 5,
    RECORDS_MAX = 64, /* of one report */
    LIFETIME_S = 260, /* RFC 3376, 8.4: 2 intervals of 125 s and 10 s */
    QUERIER_S = 255,  /* ditto, 8.5 */
    ANSWERS_S = 11,   /* from the first query on, until everybody has answered */
    LEAVE_S = 4,      /* who is left has this long to say so; the querier asks twice in 2 s */
};

static void on_query(struct wrn_switch *sw, uint32_t now_s, uint32_t port, uint8_t family,
                     uint16_t vlan, bool is_general);
static void on_records(struct wrn_switch *sw, uint32_t now_s, uint32_t port, uint16_t vlan,
                       uint8_t family, struct wrn_reader *reader);
static void be_asked(struct wrn_switch *sw, uint32_t now_s, uint32_t port, uint16_t vlan,
                     uint8_t family);
static void join(struct wrn_switch *sw, uint32_t now_s, uint32_t port, uint16_t vlan,
                 const struct wrn_ip *group);
static void put(struct wrn_switch *sw, uint32_t now_s, uint32_t port, uint16_t vlan,
                const struct wrn_ip *group);
static void leave(struct wrn_switch *sw, uint32_t now_s, uint32_t port, uint16_t vlan,
                  const struct wrn_ip *group);
static void part(struct wrn_switch *sw, uint32_t index, uint32_t port);
static uint32_t find(const struct wrn_switch *sw, uint16_t vlan, const struct wrn_ip *group);
static uint64_t hash_of(const struct wrn_switch *sw, uint16_t vlan, const struct wrn_ip *group);
static void be_due(struct wrn_switch *sw, uint32_t at_s);
static bool is_sum_right(wrn_span message);
static bool has(const struct wrn_switch_group_entry *entry, uint32_t port);
static void mark(struct wrn_switch_group_entry *entry, uint32_t port, bool is_in);

struct wrn_switch_audience wrn_switch_audience(const struct wrn_switch *sw,
                                               const struct wrn_switch_head *head, uint32_t now_s) {
    struct wrn_switch_audience audience = {.is_all = true, .now_s = now_s};
    struct wrn_ip group;
    if (!wrn_switch_group_of(head, &group) || head->kind == WRN_SWITCH_IGMP ||
        head->kind == WRN_SWITCH_MLD) {
        return audience;
    }
    const struct wrn_switch_querier *querier =
        &sw->queriers[group.family == WRN_FAMILY_IPV6][head->vlan];
    uint32_t from_s = atomic_load_explicit(&querier->from_s, memory_order_relaxed);
    if (from_s == 0 || from_s > now_s ||
        atomic_load_explicit(&querier->until_s, memory_order_relaxed) <= now_s) {
        return audience;
    }
    uint32_t index = find(sw, head->vlan, &group);
    audience.is_all = false;
    audience.group = index != 0 ? &sw->groups[index] : NULL;
    index = find(sw, head->vlan, &(struct wrn_ip){.family = group.family});
    audience.asked = index != 0 ? &sw->groups[index] : NULL;
    return audience;
}

bool wrn_switch_wants(const struct wrn_switch *sw, const struct wrn_switch_audience *audience,
                      uint32_t port) {
    return audience->is_all || audience->asked == NULL || !has(audience->asked, port) ||
           (audience->group != NULL && has(audience->group, port)) ||
           atomic_load_explicit(&sw->ports[port].all_until_s, memory_order_relaxed) >
               audience->now_s;
}

bool wrn_switch_is_report(const struct wrn_switch_head *head) {
    uint8_t type = head->message.size > 0 ? head->message.data[0] : 0;
    if (head->kind == WRN_SWITCH_IGMP) {
        return type == IGMP1_REPORT || type == IGMP2_REPORT || type == IGMP2_LEAVE ||
               type == IGMP3_REPORT;
    }
    return head->kind == WRN_SWITCH_MLD &&
           (type == MLD_REPORT || type == MLD_DONE || type == MLD2_REPORT);
}

void wrn_switch_group_learn(struct wrn_switch *sw, uint32_t now_s, uint32_t port,
                            const struct wrn_switch_head *head) {
    struct wrn_reader reader = wrn_reader(head->message);
    bool is_v4 = head->kind == WRN_SWITCH_IGMP;
    struct wrn_ip group = {.family = is_v4 ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6};
    static const struct wrn_ip none;
    uint8_t type = wrn_read_u8(&reader);
    if (head->message.size < (is_v4 || type == MLD2_REPORT ? IGMP_SIZE : MLD_SIZE) ||
        (is_v4 && !is_sum_right(head->message))) {
        return;
    }
    (void)wrn_read_span(&reader, 3);
    if ((is_v4 && type == IGMP3_REPORT) || (!is_v4 && type == MLD2_REPORT)) {
        on_records(sw, now_s, port, head->vlan, group.family, &reader);
        return;
    }
    if (!is_v4) {
        (void)wrn_read_u32(&reader);
    }
    wrn_read_bytes(&reader, group.bytes, is_v4 ? 4 : 16);
    if (type == (is_v4 ? IGMP_QUERY : MLD_QUERY)) {
        on_query(sw, now_s, port, group.family, head->vlan,
                 memcmp(group.bytes, none.bytes, sizeof none.bytes) == 0);
    } else if (type == (is_v4 ? IGMP2_LEAVE : MLD_DONE)) {
        leave(sw, now_s, port, head->vlan, &group);
    } else if (type == IGMP1_REPORT || type == IGMP2_REPORT || type == MLD_REPORT) {
        join(sw, now_s, port, head->vlan, &group);
    }
}

void wrn_switch_group_router(struct wrn_switch *sw, uint32_t now_s, uint32_t port) {
    struct wrn_switch_place *place = &sw->ports[port];
    uint32_t until_s = now_s + QUERIER_S;
    uint32_t all_s = atomic_load_explicit(&place->all_until_s, memory_order_relaxed);
    atomic_store_explicit(&place->router_until_s, until_s, memory_order_relaxed);
    atomic_store_explicit(&place->all_until_s, all_s > until_s ? all_s : until_s,
                          memory_order_relaxed);
}

void wrn_switch_group_forget(struct wrn_switch *sw, uint32_t port) {
    for (uint32_t i = 1; i <= sw->group_chains.touched; i++) {
        if (sw->groups[i].count > 0 && has(&sw->groups[i], port)) {
            part(sw, i, port);
        }
    }
    atomic_store_explicit(&sw->ports[port].all_until_s, 0, memory_order_relaxed);
    atomic_store_explicit(&sw->ports[port].router_until_s, 0, memory_order_relaxed);
}

void wrn_switch_group_sweep(struct wrn_switch *sw, uint32_t now_s) {
    uint32_t ports = atomic_load_explicit(&sw->ports_touched, memory_order_relaxed);
    if (sw->group_due_s == 0 || sw->group_due_s > now_s) {
        return;
    }
    sw->group_due_s = 0;
    for (uint32_t i = 1; i <= sw->group_chains.touched; i++) {
        struct wrn_switch_group_entry *entry = &sw->groups[i];
        for (uint32_t port = 0; port < ports && entry->count > 0; port++) {
            if (!has(entry, port)) {
                continue;
            }
            if (entry->until_s[port] <= now_s) {
                part(sw, i, port);
            } else {
                be_due(sw, entry->until_s[port]);
            }
        }
    }
}

bool wrn_switch_next_group(const struct wrn_switch *sw, wrn_mono now, uint32_t *cursor,
                           struct wrn_switch_group *ret_group) {
    uint32_t now_s = wrn_switch_seconds(sw, now);
    for (; *cursor < sw->group_chains.touched * WRN_SWITCH_PORT_COUNT; ++*cursor) {
        const struct wrn_switch_group_entry *entry =
            &sw->groups[1 + *cursor / WRN_SWITCH_PORT_COUNT];
        uint32_t port = *cursor % WRN_SWITCH_PORT_COUNT;
        if (entry->count == 0 || !has(entry, port) || entry->until_s[port] <= now_s ||
            entry->group.bytes[0] == 0) {
            continue;
        }
        *ret_group = (struct wrn_switch_group){
            .group = entry->group,
            .vlan = entry->vlan,
            .peer = wrn_switch_peer_of(sw, port),
            .age_s = now_s - entry->heard_s[port],
        };
        ++*cursor;
        return true;
    }
    return false;
}

/* ---- messages */

/* Whoever asks is where a router is; the first question starts the filtering, once all have had
 * time to answer. */
static void on_query(struct wrn_switch *sw, uint32_t now_s, uint32_t port, uint8_t family,
                     uint16_t vlan, bool is_general) {
    struct wrn_switch_querier *querier = &sw->queriers[family == WRN_FAMILY_IPV6][vlan];
    uint32_t ports = atomic_load_explicit(&sw->ports_touched, memory_order_relaxed);
    wrn_switch_group_router(sw, now_s, port);
    if (!is_general) {
        return;
    }
    be_asked(sw, now_s, port, vlan, family);
    be_asked(sw, now_s, WRN_SWITCH_HOST, vlan, family); /* to where the question went, */
    for (uint32_t other = 1; other < ports && port == WRN_SWITCH_HOST; other++) {
        if (sw->ports[other].is_open) {
            be_asked(sw, now_s, other, vlan, family); /* or was sent by us */
        }
    }
    if (atomic_load_explicit(&querier->until_s, memory_order_relaxed) <= now_s) {
        atomic_store_explicit(&querier->from_s, now_s + ANSWERS_S, memory_order_relaxed);
    }
    atomic_store_explicit(&querier->until_s, now_s + QUERIER_S, memory_order_relaxed);
}

/* RFC 3376, 4.2 and RFC 3810, 5.2: what is left of a report behind its first four bytes. */
static void on_records(struct wrn_switch *sw, uint32_t now_s, uint32_t port, uint16_t vlan,
                       uint8_t family, struct wrn_reader *reader) {
    size_t size = family == WRN_FAMILY_IPV4 ? 4 : 16;
    (void)wrn_read_u16(reader);
    size_t count = wrn_read_u16(reader);
    for (size_t i = 0; i < count && i < RECORDS_MAX; i++) {
        struct wrn_ip group = {.family = family};
        uint8_t type = wrn_read_u8(reader);
        size_t extra = (size_t)wrn_read_u8(reader) * 4;
        size_t sources = wrn_read_u16(reader);
        wrn_read_bytes(reader, group.bytes, size);
        (void)wrn_read_span(reader, sources * size + extra);
        if (reader->failed) {
            return;
        }
        if (type == RECORD_IS_EX || type == RECORD_TO_EX ||
            (sources > 0 &&
             (type == RECORD_IS_IN || type == RECORD_TO_IN || type == RECORD_ALLOW))) {
            join(sw, now_s, port, vlan, &group);
        } else if (sources == 0 && type == RECORD_TO_IN) {
            leave(sw, now_s, port, vlan, &group);
        }
    }
}

/* ---- the table */

/* A port where queries arrive: its own, ours, or it has answered one. Only for such a port silence
 * means that it wants nothing: else a member that sends a query to us alone would cut others off.
 * Kept as a member of the group "0". */
static void be_asked(struct wrn_switch *sw, uint32_t now_s, uint32_t port, uint16_t vlan,
                     uint8_t family) {
    put(sw, now_s, port, vlan, &(struct wrn_ip){.family = family});
}

static void join(struct wrn_switch *sw, uint32_t now_s, uint32_t port, uint16_t vlan,
                 const struct wrn_ip *group) {
    bool is_v4 = group->family == WRN_FAMILY_IPV4;
    if (is_v4 ? group->bytes[0] >> 4 == 14 : group->bytes[0] == 0xff) {
        put(sw, now_s, port, vlan, group);
        be_asked(sw, now_s, port, vlan, group->family);
    }
}

static void put(struct wrn_switch *sw, uint32_t now_s, uint32_t port, uint16_t vlan,
                const struct wrn_ip *group) {
    struct wrn_switch_place *place = &sw->ports[port];
    uint32_t index = find(sw, vlan, group);
    if (index == 0 || !has(&sw->groups[index], port)) {
        bool has_room = place->groups < sw->options.groups_max / 4;
        if (has_room && index == 0) {
            index = wrn_switch_chains_take(sw, &sw->group_chains);
            if (index != 0) {
                struct wrn_switch_group_entry *entry = &sw->groups[index];
                entry->group = *group;
                entry->vlan = vlan;
                entry->count = 0;
                wrn_switch_chains_link(&sw->group_chains, hash_of(sw, vlan, group), index);
            }
        }
        if (!has_room || index == 0) { /* it may have joined anything */
            uint32_t all_s = atomic_load_explicit(&place->all_until_s, memory_order_relaxed);
            uint32_t until_s = now_s + LIFETIME_S;
            atomic_store_explicit(&place->all_until_s, all_s > until_s ? all_s : until_s,
                                  memory_order_relaxed);
            return;
        }
        mark(&sw->groups[index], port, true);
        sw->groups[index].count++;
        place->groups++;
    }
    sw->groups[index].heard_s[port] = now_s;
    sw->groups[index].until_s[port] = now_s + LIFETIME_S;
    be_due(sw, now_s + LIFETIME_S);
}

static void leave(struct wrn_switch *sw, uint32_t now_s, uint32_t port, uint16_t vlan,
                  const struct wrn_ip *group) {
    uint32_t index = find(sw, vlan, group);
    if (index != 0 && has(&sw->groups[index], port) &&
        sw->groups[index].until_s[port] > now_s + LEAVE_S) {
        sw->groups[index].until_s[port] = now_s + LEAVE_S;
        be_due(sw, now_s + LEAVE_S);
    }
}

static void part(struct wrn_switch *sw, uint32_t index, uint32_t port) {
    struct wrn_switch_group_entry *entry = &sw->groups[index];
    mark(entry, port, false);
    sw->ports[port].groups--;
    if (--entry->count == 0) {
        wrn_switch_chains_unlink(&sw->group_chains, hash_of(sw, entry->vlan, &entry->group), index);
    }
}

static uint32_t find(const struct wrn_switch *sw, uint16_t vlan, const struct wrn_ip *group) {
    uint32_t index = wrn_switch_chains_first(&sw->group_chains, hash_of(sw, vlan, group));
    while (index != 0 &&
           (sw->groups[index].vlan != vlan || !wrn_ip_equal(&sw->groups[index].group, group))) {
        index = wrn_switch_chains_next(&sw->group_chains, index);
    }
    return index;
}

static uint64_t hash_of(const struct wrn_switch *sw, uint16_t vlan, const struct wrn_ip *group) {
    uint8_t bytes[19];
    memcpy(bytes, group->bytes, 16);
    bytes[16] = group->family;
    wrn_store_be16(bytes + 17, vlan);
    return wrn_siphash(sw->seed, bytes, sizeof bytes);
}

static void be_due(struct wrn_switch *sw, uint32_t at_s) {
    if (sw->group_due_s == 0 || at_s < sw->group_due_s) {
        sw->group_due_s = at_s;
    }
}

/* The Internet checksum over all of an IGMP message (RFC 1112, appendix I). */
static bool is_sum_right(wrn_span message) {
    return wrn_switch_sum(0, message) == 0xffff;
}

static bool has(const struct wrn_switch_group_entry *entry, uint32_t port) {
    return (atomic_load_explicit(&entry->ports[port / 64], memory_order_relaxed) >> (port % 64) &
            1) != 0;
}

static void mark(struct wrn_switch_group_entry *entry, uint32_t port, bool is_in) {
    _Atomic uint64_t *word = &entry->ports[port / 64];
    uint64_t bit = UINT64_C(1) << (port % 64);
    uint64_t value = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, is_in ? value | bit : value & ~bit, memory_order_relaxed);
}
