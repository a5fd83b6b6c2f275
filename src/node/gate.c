/* SPDX-License-Identifier: Apache-2.0 */
/* Two rooms a peer: lanes may look at the pair that holds while the next one is written. A pair
 * that was replaced is in sight of lanes until they have been waited for once. The host's own
 * addresses are kept alike. */
#include "node/gate.h"

#include <stdalign.h>
#include <stdatomic.h>

enum { ROOMS = 2 };

struct room {
    struct wrn_policy_pair pair;
    struct wrn_policy_rules rules[2]; /* by enum wrn_policy_direction; only those that count */
    uint32_t generation;              /* of the peer that it is for */
};

/* The host's addresses in the network, in network byte order. */
struct own {
    uint32_t count4, count6;
    uint32_t v4[WRN_GATE_OWN_MAX];
    uint64_t v6[WRN_GATE_OWN_MAX][2];
    uint32_t behind_count;
    struct wrn_prefix behind[WRN_GATE_BEHIND_MAX];
};

/* A peer's, by its index in the machine. */
struct place {
    _Atomic(const struct room *) current; /* NULL: closed */
    uint64_t replaced[ROOMS];             /* in which epoch it went out of use, 0: never used */
};

struct lane {
    alignas(64) struct wrn_policy_counts policy;
    _Atomic uint64_t closed;
    _Atomic uint64_t not_ours;
};

struct wrn_gate {
    struct wrn_policy policy;
    _Atomic(const struct own *) own;
    _Atomic uint64_t believed_until_ns;
    struct own owns[ROOMS];
    struct place *places;
    struct room (*rooms)[ROOMS];
    struct lane *lanes;
    uint32_t peers_max, lanes_max;
    uint64_t epoch;    /* one more each time that all lanes were waited for */
    bool has_replaced; /* ... since something was replaced: no */
    void (*quiesce)(void *ctx);
    void *quiesce_ctx;
};

static enum wrn_drop check(void *ctx, uint32_t number, wrn_handle peer, bool is_out, wrn_mono now,
                           wrn_span packet);
static enum wrn_drop ask(struct wrn_gate *gate, struct lane *lane, const struct room *room,
                         bool is_out, wrn_mono now, wrn_span packet);
static bool is_ours(const struct own *own, wrn_span packet);
static bool is_behind(const struct own *own, uint8_t family, const uint8_t *address);
static struct own *begin_own(struct wrn_gate *gate);
static void end_own(struct wrn_gate *gate, const struct own *own);
static bool change4(struct own *own, const uint8_t *address, bool is_ours);
static bool change6(struct own *own, const uint8_t *address, bool is_ours);
static const struct room *current_of(const struct wrn_gate *gate, wrn_handle peer);
static struct room *free_room(struct wrn_gate *gate, uint32_t index);
static void publish(struct wrn_gate *gate, uint32_t index, const struct room *room);
static void copy_rules(struct wrn_policy_rules *to, const struct wrn_policy_rules *from);
static void count(_Atomic uint64_t *counter);

struct wrn_gate *wrn_gate_init(struct wrn_arena *arena, const struct wrn_gate_options *options,
                               struct wrn_rand rand, wrn_mono now) {
    struct wrn_gate measured;
    struct wrn_gate *gate = wrn_arena_take(arena, 1, sizeof *gate);
    struct wrn_gate *made = gate != NULL ? gate : &measured;
    made->places = wrn_arena_take(arena, options->peers_max, sizeof *made->places);
    made->rooms = wrn_arena_take(arena, options->peers_max, sizeof *made->rooms);
    made->lanes = wrn_arena_take(arena, options->lanes_max, sizeof *made->lanes);
    wrn_policy_init(&made->policy, arena, &options->policy, rand, now);
    atomic_store_explicit(&made->own, &made->owns[0], memory_order_relaxed);
    atomic_store_explicit(&made->believed_until_ns, WRN_MONO_NEVER.ns, memory_order_relaxed);
    made->peers_max = options->peers_max;
    made->lanes_max = options->lanes_max;
    made->epoch = 1;
    made->has_replaced = false;
    made->quiesce = options->quiesce;
    made->quiesce_ctx = options->quiesce_ctx;
    return gate;
}

bool wrn_gate_own(struct wrn_gate *gate, const struct wrn_ip *ip, bool is_ours) {
    struct own *own = begin_own(gate);
    bool is_v4 = ip->family == WRN_FAMILY_IPV4;
    bool has_room = is_v4 ? change4(own, ip->bytes, is_ours) : change6(own, ip->bytes, is_ours);
    end_own(gate, own);
    return has_room;
}

void wrn_gate_behind(struct wrn_gate *gate, const struct wrn_prefix *prefixes, size_t count) {
    struct own *own = begin_own(gate);
    WRN_ASSERT(count <= WRN_GATE_BEHIND_MAX);
    if (count > 0) {
        memcpy(own->behind, prefixes, count * sizeof own->behind[0]);
    }
    own->behind_count = (uint32_t)count;
    end_own(gate, own);
}

bool wrn_gate_permits(struct wrn_gate *gate, uint32_t number, wrn_handle peer, bool is_out,
                      wrn_mono now, wrn_span packet) {
    WRN_ASSERT(number < gate->lanes_max);
    struct lane *lane = &gate->lanes[number];
    const struct room *room = wrn_gate_is_believed(gate, now) ? current_of(gate, peer) : NULL;
    if (room == NULL) {
        count(&lane->closed);
        return false;
    }
    return ask(gate, lane, room, is_out, now, packet) == WRN_DROP_NONE;
}

struct wrn_wg_filter wrn_gate_filter(struct wrn_gate *gate) {
    return (struct wrn_wg_filter){.check = check, .ctx = gate};
}

void wrn_gate_set(struct wrn_gate *gate, wrn_handle peer, uint64_t member,
                  const struct wrn_policy_rules *ours, const struct wrn_policy_rules *theirs,
                  bool is_strict) {
    const struct room *before = current_of(gate, peer);
    if (before != NULL && before->pair.peer == member && before->pair.is_strict == is_strict &&
        wrn_policy_rules_equal(before->pair.rules[WRN_POLICY_OUT], ours) &&
        wrn_policy_rules_equal(before->pair.rules[WRN_POLICY_IN], theirs)) {
        return;
    }
    struct room *room = free_room(gate, peer.index);
    copy_rules(&room->rules[WRN_POLICY_OUT], ours);
    copy_rules(&room->rules[WRN_POLICY_IN], theirs);
    wrn_policy_pair_init(&room->pair, member, &room->rules[WRN_POLICY_OUT],
                         &room->rules[WRN_POLICY_IN], is_strict);
    room->generation = peer.generation;
    publish(gate, peer.index, room);
}

void wrn_gate_close(struct wrn_gate *gate, wrn_handle peer) {
    if (current_of(gate, peer) != NULL) {
        publish(gate, peer.index, NULL);
    }
}

void wrn_gate_reclaim(struct wrn_gate *gate) {
    if (!gate->has_replaced) {
        return;
    }
    if (gate->quiesce != NULL) {
        gate->quiesce(gate->quiesce_ctx);
    }
    gate->epoch++;
    gate->has_replaced = false;
}

void wrn_gate_believe(struct wrn_gate *gate, wrn_mono until) {
    atomic_store_explicit(&gate->believed_until_ns, until.ns, memory_order_release);
}

bool wrn_gate_is_believed(const struct wrn_gate *gate, wrn_mono now) {
    return now.ns <= atomic_load_explicit(&gate->believed_until_ns, memory_order_acquire);
}

const struct wrn_policy_pair *wrn_gate_pair(const struct wrn_gate *gate, wrn_handle peer) {
    const struct room *room = current_of(gate, peer);
    return room != NULL ? &room->pair : NULL;
}

struct wrn_policy *wrn_gate_policy(struct wrn_gate *gate) {
    return &gate->policy;
}

void wrn_gate_counts(const struct wrn_gate *gate, struct wrn_gate_counts *ret_counts) {
    *ret_counts = (struct wrn_gate_counts){0};
    for (size_t i = 0; i < gate->lanes_max; i++) {
        const struct lane *lane = &gate->lanes[i];
        const struct wrn_policy_counts *policy = &lane->policy;
        ret_counts->closed += atomic_load_explicit(&lane->closed, memory_order_relaxed);
        ret_counts->not_ours += atomic_load_explicit(&lane->not_ours, memory_order_relaxed);
        for (size_t k = 0; k < WRN_COUNT(policy->refused); k++) {
            ret_counts->refused[k] +=
                atomic_load_explicit(&policy->refused[k], memory_order_relaxed);
        }
        for (size_t k = 0; k < WRN_COUNT(policy->passed); k++) {
            ret_counts->passed[k] += atomic_load_explicit(&policy->passed[k], memory_order_relaxed);
        }
        ret_counts->begun += atomic_load_explicit(&policy->begun, memory_order_relaxed);
        ret_counts->evicted += atomic_load_explicit(&policy->evicted, memory_order_relaxed);
        ret_counts->unnoted += atomic_load_explicit(&policy->unnoted, memory_order_relaxed);
    }
}

static enum wrn_drop check(void *ctx, uint32_t number, wrn_handle peer, bool is_out, wrn_mono now,
                           wrn_span packet) {
    struct wrn_gate *gate = ctx;
    WRN_ASSERT(number < gate->lanes_max);
    struct lane *lane = &gate->lanes[number];
    const struct room *room = wrn_gate_is_believed(gate, now) ? current_of(gate, peer) : NULL;
    if (room == NULL) {
        count(&lane->closed);
        return WRN_DROP_CLOSED;
    }
    if (!is_out && !is_ours(atomic_load_explicit(&gate->own, memory_order_acquire), packet)) {
        count(&lane->not_ours);
        return WRN_DROP_POLICY;
    }
    return ask(gate, lane, room, is_out, now, packet);
}

static enum wrn_drop ask(struct wrn_gate *gate, struct lane *lane, const struct room *room,
                         bool is_out, wrn_mono now, wrn_span packet) {
    if (wrn_policy_is_open(&room->pair)) {
        return WRN_DROP_NONE;
    }
    struct wrn_policy_verdict verdict =
        wrn_policy_check(&gate->policy, &room->pair, is_out ? WRN_POLICY_OUT : WRN_POLICY_IN, now,
                         packet, &lane->policy);
    return verdict.refusal == WRN_POLICY_NONE ? WRN_DROP_NONE : WRN_DROP_POLICY;
}

/* Tells whether a packet is addressed to this host. Whether its sender's address is his own the
 * machine has looked at. */
static bool is_ours(const struct own *own, wrn_span packet) {
    if (packet.size >= 20 && packet.data[0] >> 4 == 4) {
        uint32_t to;
        memcpy(&to, packet.data + 16, sizeof to);
        for (uint32_t i = 0; i < own->count4; i++) {
            if (own->v4[i] == to) {
                return true;
            }
        }
        return is_behind(own, WRN_FAMILY_IPV4, packet.data + 16);
    }
    if (packet.size >= 40 && packet.data[0] >> 4 == 6) {
        uint64_t to[2];
        memcpy(to, packet.data + 24, sizeof to);
        for (uint32_t i = 0; i < own->count6; i++) {
            if (own->v6[i][0] == to[0] && own->v6[i][1] == to[1]) {
                return true;
            }
        }
        return is_behind(own, WRN_FAMILY_IPV6, packet.data + 24);
    }
    return false;
}

static bool is_behind(const struct own *own, uint8_t family, const uint8_t *address) {
    for (uint32_t i = 0; i < own->behind_count; i++) {
        const struct wrn_prefix *prefix = &own->behind[i];
        uint32_t whole = prefix->length_bits / 8u, rest = prefix->length_bits % 8u;
        if (prefix->ip.family == family && memcmp(prefix->ip.bytes, address, whole) == 0 &&
            (rest == 0 || ((prefix->ip.bytes[whole] ^ address[whole]) >> (8 - rest)) == 0)) {
            return true;
        }
    }
    return false;
}

/* A copy of what holds, to be changed. */
static struct own *begin_own(struct wrn_gate *gate) {
    const struct own *before = atomic_load_explicit(&gate->own, memory_order_relaxed);
    struct own *own = &gate->owns[before == &gate->owns[0]];
    wrn_gate_reclaim(gate); /* lanes may still look at the one before the last */
    *own = *before;
    return own;
}

static void end_own(struct wrn_gate *gate, const struct own *own) {
    atomic_store_explicit(&gate->own, own, memory_order_release);
    gate->has_replaced = true;
}

/* Adds an address, or takes it out. Returns false if there was no room. */
static bool change4(struct own *own, const uint8_t *address, bool is_ours) {
    uint32_t at = 0;
    while (at < own->count4 && memcmp(&own->v4[at], address, sizeof own->v4[at]) != 0) {
        at++;
    }
    if (is_ours && at == WRN_GATE_OWN_MAX) {
        return false;
    }
    if (is_ours) {
        memcpy(&own->v4[at], address, sizeof own->v4[at]);
        own->count4 += at == own->count4;
    } else if (at < own->count4) {
        own->v4[at] = own->v4[--own->count4];
    }
    return true;
}

static bool change6(struct own *own, const uint8_t *address, bool is_ours) {
    uint32_t at = 0;
    while (at < own->count6 && memcmp(own->v6[at], address, sizeof own->v6[at]) != 0) {
        at++;
    }
    if (is_ours && at == WRN_GATE_OWN_MAX) {
        return false;
    }
    if (is_ours) {
        memcpy(own->v6[at], address, sizeof own->v6[at]);
        own->count6 += at == own->count6;
    } else if (at < own->count6) {
        memcpy(own->v6[at], own->v6[--own->count6], sizeof own->v6[at]);
    }
    return true;
}

/* What holds for just this peer, and not for one that had its index before. Any thread. */
static const struct room *current_of(const struct wrn_gate *gate, wrn_handle peer) {
    WRN_ASSERT(peer.index < gate->peers_max);
    const struct room *room =
        atomic_load_explicit(&gate->places[peer.index].current, memory_order_acquire);
    return room != NULL && room->generation == peer.generation ? room : NULL;
}

/* Finds a room that no lane can see. */
static struct room *free_room(struct wrn_gate *gate, uint32_t index) {
    const struct place *place = &gate->places[index];
    const struct room *current = atomic_load_explicit(&place->current, memory_order_relaxed);
    for (;;) {
        for (size_t i = 0; i < ROOMS; i++) {
            struct room *room = &gate->rooms[index][i];
            if (room != current && place->replaced[i] < gate->epoch) {
                return room;
            }
        }
        WRN_ASSERT(gate->has_replaced); /* or one would be free */
        wrn_gate_reclaim(gate);
    }
}

/* Lets lanes see another room; NULL: none. */
static void publish(struct wrn_gate *gate, uint32_t index, const struct room *room) {
    struct place *place = &gate->places[index];
    const struct room *before = atomic_load_explicit(&place->current, memory_order_relaxed);
    atomic_store_explicit(&place->current, room, memory_order_release);
    if (before != NULL) {
        place->replaced[before - gate->rooms[index]] = gate->epoch;
        gate->has_replaced = true;
    }
}

/* Copies the rules that there are: the room of the others is never touched. */
static void copy_rules(struct wrn_policy_rules *to, const struct wrn_policy_rules *from) {
    to->count = from->count;
    to->is_everything = from->is_everything;
    memcpy(to->rules, from->rules, from->count * sizeof from->rules[0]);
}

/* Only the lane's thread writes it. */
static void count(_Atomic uint64_t *counter) {
    uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, before + 1, memory_order_relaxed);
}
