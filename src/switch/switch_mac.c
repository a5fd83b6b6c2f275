/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a MAC address is, in each VLAN. The control thread learns, lanes look up and note that an
 * address was heard. Nobody's address gives way to another's: a port that uses more than its quota
 * is refused the rest. Half of the table is the host's side's; of the rest one half is divided into
 * equal shares that members are sure of, and of the other whoever needs more takes. */
#include "base/keymap.h"
#include "switch/switch_internal.h"

static uint64_t hash_of(const struct wrn_switch *sw, uint64_t key);
static bool may_take(const struct wrn_switch *sw, const struct wrn_switch_mac_entry *entry,
                     uint32_t port, uint32_t now_s, const struct wrn_switch_head *head);
static enum wrn_switch_refusal add(struct wrn_switch *sw, wrn_mono now, uint32_t port,
                                   const struct wrn_switch_head *head, struct wrn_switch_out *out);
static void count(struct wrn_switch *sw, uint32_t port, int32_t step);
static uint32_t sure_of(const struct wrn_switch *sw);
static void drop(struct wrn_switch *sw, uint32_t index);
static void describe(struct wrn_switch *sw, struct wrn_switch_event *event,
                     const struct wrn_switch_head *head, uint32_t other);

struct wrn_switch_mac_entry *wrn_switch_mac_find(const struct wrn_switch *sw, uint64_t key) {
    const struct wrn_switch_chains *chains = &sw->mac_chains;
    uint32_t index = wrn_switch_chains_first(chains, hash_of(sw, key));
    while (index != 0 && sw->macs[index].key != key) {
        index = wrn_switch_chains_next(chains, index);
    }
    return index != 0 ? &sw->macs[index] : NULL;
}

enum wrn_switch_refusal wrn_switch_mac_learn(struct wrn_switch *sw, wrn_mono now, uint32_t port,
                                             const struct wrn_switch_head *head,
                                             struct wrn_switch_out *out) {
    struct wrn_switch_mac_entry *entry = wrn_switch_mac_find(sw, head->source_key);
    struct wrn_switch_event *event;
    uint32_t now_s = wrn_switch_seconds(sw, now);
    if (entry == NULL) {
        return add(sw, now, port, head, out);
    }
    uint32_t owner = atomic_load_explicit(&entry->port, memory_order_relaxed);
    if (owner == port) {
        wrn_switch_mac_touch(entry, now_s);
        return WRN_SWITCH_NONE;
    }
    if (!may_take(sw, entry, port, now_s, head)) {
        event = wrn_switch_tell(sw, now, out, port, WRN_SWITCH_EVENT_STOLEN);
        describe(sw, event, head, owner);
        return WRN_SWITCH_STOLEN;
    }
    if (!wrn_switch_mac_has_room(sw, port)) {
        event = wrn_switch_tell(sw, now, out, port, WRN_SWITCH_EVENT_QUOTA);
        describe(sw, event, head, port);
        return WRN_SWITCH_QUOTA;
    }
    event = wrn_switch_tell(sw, now, out, port, WRN_SWITCH_EVENT_MOVED);
    describe(sw, event, head, owner);
    wrn_switch_mac_touch(entry, now_s);
    atomic_store_explicit(&entry->port, port, memory_order_release);
    count(sw, owner, -1);
    count(sw, port, 1);
    return WRN_SWITCH_NONE;
}

void wrn_switch_mac_forget(struct wrn_switch *sw, uint32_t port) {
    for (uint32_t i = 1; i <= sw->mac_chains.touched; i++) {
        if (atomic_load_explicit(&sw->macs[i].port, memory_order_relaxed) == port) {
            drop(sw, i);
        }
    }
}

void wrn_switch_mac_sweep(struct wrn_switch *sw, uint32_t now_s) {
    for (uint32_t i = 1; i <= sw->mac_chains.touched; i++) {
        if (atomic_load_explicit(&sw->macs[i].port, memory_order_relaxed) != WRN_SWITCH_UNKNOWN &&
            wrn_switch_mac_is_old(sw, &sw->macs[i], now_s)) {
            drop(sw, i);
        }
    }
}

bool wrn_switch_mac_has_room(const struct wrn_switch *sw, uint32_t port) {
    uint32_t macs = atomic_load_explicit(&sw->ports[port].macs, memory_order_relaxed);
    uint32_t shared = atomic_load_explicit(&sw->macs_shared, memory_order_relaxed);
    if (port == WRN_SWITCH_HOST) {
        return macs < sw->options.macs_max / 2;
    }
    return macs < sw->options.macs_per_port &&
           (macs < sure_of(sw) ||
            shared < sw->options.macs_max / 2 - WRN_SWITCH_PORTS_MAX * sure_of(sw));
}

static uint64_t hash_of(const struct wrn_switch *sw, uint64_t key) {
    return wrn_siphash(sw->seed, &key, sizeof key);
}

/* A MAC in use is taken from another only by whom the rules name for it, by a gateway that its
 * holder says is on the same wire, or when it was silent for long. */
static bool may_take(const struct wrn_switch *sw, const struct wrn_switch_mac_entry *entry,
                     uint32_t port, uint32_t now_s, const struct wrn_switch_head *head) {
    const struct wrn_switch_place *place = &sw->ports[port];
    uint32_t owner = atomic_load_explicit(&entry->port, memory_order_relaxed);
    return wrn_switch_mac_is_old(sw, entry, now_s) ||
           wrn_frame_rules_names(atomic_load_explicit(&place->rules, memory_order_relaxed),
                                 head->source) ||
           wrn_switch_guard_is_twin(sw, owner, place->member, now_s);
}

static enum wrn_switch_refusal add(struct wrn_switch *sw, wrn_mono now, uint32_t port,
                                   const struct wrn_switch_head *head, struct wrn_switch_out *out) {
    uint32_t index =
        wrn_switch_mac_has_room(sw, port) ? wrn_switch_chains_take(sw, &sw->mac_chains) : 0;
    if (index == 0) {
        struct wrn_switch_event *event =
            wrn_switch_tell(sw, now, out, port, WRN_SWITCH_EVENT_QUOTA);
        describe(sw, event, head, port);
        return WRN_SWITCH_QUOTA;
    }
    struct wrn_switch_mac_entry *entry = &sw->macs[index];
    entry->key = head->source_key;
    atomic_store_explicit(&entry->port, port, memory_order_relaxed);
    atomic_store_explicit(&entry->heard_s, wrn_switch_seconds(sw, now), memory_order_relaxed);
    wrn_switch_chains_link(&sw->mac_chains, hash_of(sw, entry->key), index);
    count(sw, port, 1);
    return WRN_SWITCH_NONE;
}

/* Whose addresses are as many as those that it is sure of takes from what members share. */
static void count(struct wrn_switch *sw, uint32_t port, int32_t step) {
    _Atomic uint32_t *macs = &sw->ports[port].macs;
    uint32_t before = atomic_load_explicit(macs, memory_order_relaxed);
    uint32_t after = before + (uint32_t)step;
    atomic_store_explicit(macs, after, memory_order_relaxed);
    if (port != WRN_SWITCH_HOST && (before > after ? before : after) > sure_of(sw)) {
        uint32_t shared = atomic_load_explicit(&sw->macs_shared, memory_order_relaxed);
        atomic_store_explicit(&sw->macs_shared, shared + (uint32_t)step, memory_order_relaxed);
    }
}

/* So many addresses each member can have whatever others do: half of the members' half. */
static uint32_t sure_of(const struct wrn_switch *sw) {
    return sw->options.macs_max / 4 / WRN_SWITCH_PORTS_MAX;
}

/* Lanes may stand on it: 'key' stays in their sight, so it is marked unused by its port. */
static void drop(struct wrn_switch *sw, uint32_t index) {
    struct wrn_switch_mac_entry *entry = &sw->macs[index];
    count(sw, atomic_load_explicit(&entry->port, memory_order_relaxed), -1);
    wrn_switch_chains_unlink(&sw->mac_chains, hash_of(sw, entry->key), index);
    atomic_store_explicit(&entry->port, WRN_SWITCH_UNKNOWN, memory_order_release);
}

static void describe(struct wrn_switch *sw, struct wrn_switch_event *event,
                     const struct wrn_switch_head *head, uint32_t other) {
    if (event != NULL) {
        memcpy(event->mac, head->source, WRN_MAC_ADDRESS_SIZE);
        memcpy(event->other, sw->ports[other].name, sizeof event->other);
        event->vlan = head->vlan;
    }
}
