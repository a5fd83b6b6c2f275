/* SPDX-License-Identifier: Apache-2.0 */
/* The relay machine's entrances: reads messages and frames, finds out whose slot it is, and hands
 * on. What is done for others is in relay_forward.c, what for us in relay_use.c. */
#include "overlay/relay.h"

#include "base/keymap.h"
#include "overlay/pair.h"
#include "overlay/relay_state.h"

enum { MESSAGE_MAX = 32 };

/* What a message says; fields that it does not have are 0. */
struct relay_message {
    uint8_t op;
    uint32_t number;
    uint64_t slot;
    wrn_id id;
    uint8_t reason;
};

static bool read_message(wrn_span bytes, struct relay_message *ret_message);
static void on_slot_message(struct wrn_relay *relay, wrn_mono now, wrn_handle peer,
                            const struct relay_message *message);
static bool is_carried(uint8_t kind);
static void count_unknown(struct wrn_relay *relay, wrn_mono now, wrn_handle from, uint64_t slot);
static void let_idle_links_go(struct wrn_relay *relay, wrn_mono now);
static void wake_searches(struct wrn_relay *relay, wrn_handle peer);
static uint64_t cost_of(const struct wrn_relay *relay, const struct wrn_link *link);
static uint32_t slot_home(const struct slots *slots, uint64_t slot);
static uint64_t slot_of(const struct wrn_relay *relay, uint32_t owner);

struct wrn_relay *wrn_relay_init(struct wrn_arena *arena, const struct wrn_relay_options *options,
                                 struct wrn_links *links, struct wrn_relay_port port,
                                 struct wrn_rand rand) {
    WRN_ASSERT(options->peers_max >= 1 && options->peers_max <= UINT16_MAX);
    WRN_ASSERT(options->uses_max >= 1 && options->uses_max < UINT16_MAX);
    uint32_t forwards_max = options->forwards_max == 0 ? 1 : options->forwards_max;
    WRN_ASSERT(forwards_max < UINT16_MAX &&
               2 * forwards_max + EDGES * options->uses_max < UINT16_MAX);
    uint32_t slots = 2;
    while (slots < 2 * (2 * forwards_max + EDGES * options->uses_max)) {
        slots *= 2;
    }
    struct wrn_relay scratch; /* while measuring */
    struct wrn_relay *relay = wrn_arena_take(arena, 1, sizeof *relay);
    struct wrn_relay *at = relay != NULL ? relay : &scratch;
    *at = (struct wrn_relay){
        .options = *options,
        .links = links,
        .port = port,
        .rand = rand,
        .idle_due = WRN_MONO_NEVER,
        .forward_due = WRN_MONO_NEVER,
        .slots.mask = slots - 1,
    };
    at->mates = wrn_arena_take(arena, options->peers_max, sizeof(struct mate));
    at->slots.owners = wrn_arena_take(arena, slots, sizeof(*at->slots.owners));
    wrn_pool_init(&at->forwards, arena, forwards_max, sizeof(struct forward));
    wrn_pool_init(&at->uses, arena, options->uses_max, sizeof(struct use));
    wrn_dues_init(&at->use_dues, arena, options->uses_max);
    if (relay != NULL) {
        wrn_rand_fill(rand, relay->slots.seed, sizeof relay->slots.seed);
    }
    return relay;
}

void wrn_relay_on_message(struct wrn_relay *relay, wrn_mono now, wrn_handle peer,
                          wrn_span message) {
    struct relay_message m = {0};
    if (!read_message(message, &m)) {
        relay->counts[WRN_RELAY_COUNT_MALFORMED]++;
        return;
    }
    switch (m.op) {
    case RELAY_ASK:
        relay_forward_on_ask(relay, now, peer, m.number, m.id);
        break;
    case RELAY_OFFER:
        relay_use_on_offer(relay, now, peer, m.slot, m.id);
        break;
    case RELAY_GRANT:
        relay_use_on_grant(relay, now, peer, m.number, m.slot);
        break;
    case RELAY_REFUSE:
        relay_use_on_refuse(relay, now, peer, m.number, m.reason);
        break;
    default:
        on_slot_message(relay, now, peer, &m);
        break;
    }
}

wrn_handle wrn_relay_on_frame(struct wrn_relay *relay, wrn_mono now, wrn_handle from,
                              wrn_span frame, wrn_span *ret_inside, struct wrn_way *ret_way) {
    uint64_t slot;
    wrn_span inside;
    uint32_t side;
    struct use *use;
    if (wrn_handle_equal(from, WRN_HANDLE_NONE)) {
        relay->counts[WRN_RELAY_COUNT_STRANGER]++;
        return WRN_HANDLE_NONE;
    }
    if (frame.size > WRN_DATAGRAM_MAX || frame.size <= WRN_RELAYED_OVERHEAD ||
        wrn_relayed_read(frame, &slot, &inside) != WRN_REASON_NONE) {
        relay->counts[WRN_RELAY_COUNT_MALFORMED]++;
        return WRN_HANDLE_NONE;
    }
    if (!is_carried(inside.data[0])) {
        relay->counts[WRN_RELAY_COUNT_NOT_FOR_RELAYS]++;
        return WRN_HANDLE_NONE;
    }
    struct forward *forward = relay_slot_forward(relay, from, slot, &side);
    if (forward != NULL) {
        relay_forward_on_frame(relay, now, forward, side, inside);
        return WRN_HANDLE_NONE;
    }
    struct edge *edge = relay_slot_edge(relay, from, slot, &use);
    if (edge == NULL) {
        count_unknown(relay, now, from, slot);
        return WRN_HANDLE_NONE;
    }
    bool is_direct;
    if (use->linger.count != 0 && /* the peer may be gone meanwhile */
        !relay_is(use->peer, relay->port.find(relay->port.ctx, use->id, &is_direct))) {
        relay->counts[WRN_RELAY_COUNT_UNKNOWN_SLOT]++;
        return WRN_HANDLE_NONE;
    }
    edge->is_heard = true;
    edge->quiet_s = relay_seconds(now);
    use->pauses = 0;
    *ret_inside = inside;
    *ret_way = (struct wrn_way){.kind = WRN_WAY_RELAY, .relay = from, .slot = slot};
    return relay_handle(relay, use->peer);
}

bool wrn_relay_has_slot(const struct wrn_relay *relay, wrn_handle from, uint64_t slot) {
    uint32_t side;
    struct use *use;
    return relay_slot_forward(relay, from, slot, &side) != NULL ||
           relay_slot_edge(relay, from, slot, &use) != NULL;
}

void wrn_relay_on_peer_down(struct wrn_relay *relay, wrn_mono now, wrn_handle peer) {
    if (relay_mate(relay, peer) != NULL) {
        relay_forward_on_peer_down(relay, peer);
        relay_use_on_peer_down(relay, now, peer);
    }
}

size_t wrn_relay_list(const struct wrn_relay *relay, wrn_id *ret_ids, size_t capacity) {
    const struct wrn_link *best[WRN_LOCATOR_RELAYS_MAX];
    size_t count = 0;
    size_t most = capacity < WRN_COUNT(best) ? capacity : WRN_COUNT(best);
    for (uint32_t i = 0; i < relay->links->count; i++) {
        const struct wrn_link *link = &relay->links->links[i];
        const struct mate *mate = relay_mate(relay, link->peer);
        if (link->is_relayed || mate == NULL || !relay_is_usable(relay, mate)) {
            continue;
        }
        size_t at = count < most ? count++ : most; /* in order; beyond 'most' it falls out */
        while (at > 0 && cost_of(relay, link) < cost_of(relay, best[at - 1])) {
            if (at < most) {
                best[at] = best[at - 1];
            }
            at--;
        }
        if (at < most) {
            best[at] = link;
        }
    }
    for (size_t i = 0; i < count; i++) {
        ret_ids[i] = best[i]->id;
    }
    return count;
}

bool wrn_relay_is_used(const struct wrn_relay *relay, wrn_handle peer) {
    const struct mate *mate = relay_mate(relay, peer);
    return mate != NULL && (mate->holds > 0 || mate->ends > 0);
}

void wrn_relay_set_willing(struct wrn_relay *relay, wrn_handle peer, bool is_willing) {
    struct mate *mate = relay_mate(relay, peer);
    if (mate == NULL && !is_willing) {
        return;
    }
    mate = relay_mate_make(relay, peer);
    bool was_usable = relay_is_usable(relay, mate);
    mate->is_willing = is_willing;
    if (!was_usable && relay_is_usable(relay, mate)) {
        wake_searches(relay, peer);
    }
}

void wrn_relay_set_right(struct wrn_relay *relay, wrn_mono now, wrn_handle peer, bool may_relay) {
    struct mate *mate = relay_mate(relay, peer);
    if (mate == NULL && wrn_links_of(relay->links, peer) == NULL) {
        return;
    }
    mate = relay_mate_make(relay, peer);
    bool had_right = mate->has_right, was_usable = relay_is_usable(relay, mate);
    mate->has_right = may_relay;
    mate->is_willing |= may_relay && mate->was_denied; /* if it is not, it will refuse */
    mate->was_denied = !may_relay;
    if (had_right && !may_relay && relay->options.asks_right) {
        relay_use_on_peer_down(relay, now, peer);
    } else if (!was_usable && relay_is_usable(relay, mate)) {
        wake_searches(relay, peer);
    }
}

void wrn_relay_set_relays(struct wrn_relay *relay, bool relays) {
    relay->options.relays = relays;
    if (!relays) {
        relay_forward_end(relay);
    }
}

void wrn_relay_set_effort(struct wrn_relay *relay, wrn_handle peer, uint8_t effort) {
    relay_mate_make(relay, peer)->effort = effort;
}

void wrn_relay_on_time(struct wrn_relay *relay, wrn_mono now) {
    relay_forward_on_time(relay, now);
    relay_use_on_time(relay, now);
    if (wrn_mono_reached(now, relay->idle_due)) {
        let_idle_links_go(relay, now);
    }
}

wrn_mono wrn_relay_due(const struct wrn_relay *relay) {
    return wrn_mono_min(wrn_mono_min(relay->idle_due, relay->forward_due),
                        wrn_dues_first(&relay->use_dues));
}

uint64_t wrn_relay_count(const struct wrn_relay *relay, enum wrn_relay_count count) {
    return relay->counts[count];
}

struct mate *relay_mate(const struct wrn_relay *relay, wrn_handle peer) {
    if (peer.index >= relay->options.peers_max || peer.generation == 0) {
        return NULL;
    }
    struct mate *mate = &relay->mates[peer.index];
    return mate->generation == peer.generation ? mate : NULL;
}

struct mate *relay_mate_make(struct wrn_relay *relay, wrn_handle peer) {
    WRN_ASSERT(peer.index < relay->options.peers_max && peer.generation != 0);
    struct mate *mate = &relay->mates[peer.index];
    if (mate->generation != peer.generation) {
        *mate = (struct mate){.generation = peer.generation};
    }
    return mate;
}

bool relay_is_usable(const struct wrn_relay *relay, const struct mate *mate) {
    return mate->is_willing && (mate->has_right || !relay->options.asks_right);
}

bool relay_bucket_take(struct bucket *bucket, wrn_mono now, uint64_t cost_ns, uint64_t burst_ns) {
    uint64_t debt_ns = wrn_mono_since(bucket->full_at, now);
    if (debt_ns != 0 && debt_ns + cost_ns > burst_ns) {
        return false; /* one that was not used lately lets even what exceeds its burst pass */
    }
    bucket->full_at = wrn_mono_add(now, debt_ns + cost_ns);
    return true;
}

uint32_t relay_owner_forward(uint32_t index, uint32_t side) {
    return index * 2 + side;
}

uint32_t relay_owner_edge(const struct wrn_relay *relay, uint32_t index, uint32_t edge) {
    return relay->forwards.capacity * 2 + index * EDGES + edge;
}

struct forward *relay_slot_forward(const struct wrn_relay *relay, wrn_handle peer, uint64_t slot,
                                   uint32_t *ret_side) {
    const struct slots *slots = &relay->slots;
    for (uint32_t i = slot_home(slots, slot); slots->owners[i] != 0; i = (i + 1) & slots->mask) {
        uint32_t owner = slots->owners[i] - 1u, side = owner % 2;
        if (owner >= relay->forwards.capacity * 2 || slot_of(relay, owner) != slot) {
            continue;
        }
        struct forward *forward = wrn_pool_slot(&relay->forwards, owner / 2);
        if (relay_is(forward->ends[side], peer)) {
            *ret_side = side;
            return forward;
        }
    }
    return NULL;
}

struct edge *relay_slot_edge(const struct wrn_relay *relay, wrn_handle peer, uint64_t slot,
                             struct use **ret_use) {
    const struct slots *slots = &relay->slots;
    for (uint32_t i = slot_home(slots, slot); slots->owners[i] != 0; i = (i + 1) & slots->mask) {
        uint32_t owner = slots->owners[i] - 1u, first = relay->forwards.capacity * 2;
        if (owner < first || slot_of(relay, owner) != slot) {
            continue;
        }
        struct use *use = wrn_pool_slot(&relay->uses, (owner - first) / EDGES);
        struct edge *edge = &use->edges[(owner - first) % EDGES];
        if (relay_is(edge->relay, peer)) {
            *ret_use = use;
            return edge;
        }
    }
    return NULL;
}

bool relay_slot_is_known(const struct wrn_relay *relay, uint64_t slot) {
    const struct slots *slots = &relay->slots;
    uint32_t i = slot_home(slots, slot);
    while (slots->owners[i] != 0 && slot_of(relay, slots->owners[i] - 1u) != slot) {
        i = (i + 1) & slots->mask;
    }
    return slot != 0 && slots->owners[i] != 0;
}

/* The table is at most half full: each slot that the pools can hold has room twice. */
void relay_slot_add(struct wrn_relay *relay, uint64_t slot, uint32_t owner) {
    struct slots *slots = &relay->slots;
    WRN_ASSERT(slot != 0 && slots->count <= slots->mask / 2 && slot_of(relay, owner) == slot);
    uint32_t i = slot_home(slots, slot);
    while (slots->owners[i] != 0) {
        i = (i + 1) & slots->mask;
    }
    slots->owners[i] = (uint16_t)(owner + 1);
    slots->count++;
}

void relay_slot_remove(struct wrn_relay *relay, uint64_t slot, uint32_t owner) {
    struct slots *slots = &relay->slots;
    uint32_t hole = slot_home(slots, slot);
    while (slots->owners[hole] != owner + 1) {
        WRN_ASSERT(slots->owners[hole] != 0);
        hole = (hole + 1) & slots->mask;
    }
    /* Later entries move into the hole unless their home lies behind it. */
    for (uint32_t i = (hole + 1) & slots->mask; slots->owners[i] != 0; i = (i + 1) & slots->mask) {
        uint32_t home = slot_home(slots, slot_of(relay, slots->owners[i] - 1u));
        if (((i - home) & slots->mask) >= ((i - hole) & slots->mask)) {
            slots->owners[hole] = slots->owners[i];
            hole = i;
        }
    }
    slots->owners[hole] = 0;
    slots->count--;
}

void relay_send_close(const struct wrn_relay *relay, wrn_handle peer, uint64_t slot,
                      enum wrn_reason reason) {
    uint8_t bytes[MESSAGE_MAX];
    struct wrn_writer writer = wrn_writer(bytes, sizeof bytes);
    wrn_write_u8(&writer, WRN_MESSAGE_RELAY);
    wrn_write_u8(&writer, RELAY_CLOSE);
    wrn_write_u64(&writer, slot);
    wrn_write_u8(&writer, (uint8_t)reason);
    relay->port.send(relay->port.ctx, peer, wrn_written(&writer));
}

void relay_send_slot(const struct wrn_relay *relay, wrn_handle peer, enum relay_op op,
                     uint64_t slot) {
    uint8_t bytes[MESSAGE_MAX];
    struct wrn_writer writer = wrn_writer(bytes, sizeof bytes);
    wrn_write_u8(&writer, WRN_MESSAGE_RELAY);
    wrn_write_u8(&writer, (uint8_t)op);
    wrn_write_u64(&writer, slot);
    relay->port.send(relay->port.ctx, peer, wrn_written(&writer));
}

void relay_ask_unknown(struct wrn_relay *relay, wrn_mono now, wrn_handle peer, uint64_t slot) {
    struct mate *mate = relay_mate_make(relay, peer);
    if (wrn_drip_take(&mate->unknowns, now, WRN_MS(250), 4)) {
        relay_send_slot(relay, peer, RELAY_UNKNOWN, slot);
    }
}

static bool read_message(wrn_span bytes, struct relay_message *ret_message) {
    struct wrn_reader reader = wrn_reader(bytes);
    struct relay_message *m = ret_message;
    bool is_relay = wrn_read_u8(&reader) == WRN_MESSAGE_RELAY;
    m->op = wrn_read_u8(&reader);
    switch (m->op) {
    case RELAY_ASK:
        m->number = wrn_read_u32(&reader);
        m->id = wrn_read_id(&reader);
        break;
    case RELAY_OFFER:
        m->slot = wrn_read_u64(&reader);
        m->id = wrn_read_id(&reader);
        break;
    case RELAY_GRANT:
        m->number = wrn_read_u32(&reader);
        m->slot = wrn_read_u64(&reader);
        break;
    case RELAY_REFUSE:
        m->number = wrn_read_u32(&reader);
        m->reason = wrn_read_u8(&reader);
        break;
    case RELAY_CLOSE:
        m->slot = wrn_read_u64(&reader);
        m->reason = wrn_read_u8(&reader);
        break;
    case RELAY_KEEP:
    case RELAY_UNKNOWN:
        m->slot = wrn_read_u64(&reader);
        break;
    default:
        return false;
    }
    bool has_slot = m->op != RELAY_ASK && m->op != RELAY_REFUSE;
    if (m->reason >= WRN_REASON_COUNT) {
        m->reason = WRN_REASON_NONE; /* a newer node's: it refuses all the same */
    }
    return is_relay && wrn_reader_is_done(&reader) && (!has_slot || m->slot != 0);
}

/* CLOSE, KEEP and UNKNOWN may come from an end to us as the relay, or from a relay to us. */
static void on_slot_message(struct wrn_relay *relay, wrn_mono now, wrn_handle peer,
                            const struct relay_message *message) {
    uint32_t side;
    struct use *use;
    struct forward *forward = relay_slot_forward(relay, peer, message->slot, &side);
    if (forward != NULL && message->op == RELAY_CLOSE) {
        relay_forward_on_close(relay, forward, side, message->reason);
    } else if (forward != NULL && message->op == RELAY_UNKNOWN) {
        relay_forward_on_unknown(relay, forward, side);
    } else if (forward != NULL) {
        forward->heard[side] = wrn_tick_of(now);
    } else {
        struct edge *edge = relay_slot_edge(relay, peer, message->slot, &use);
        if (edge != NULL && message->op != RELAY_KEEP) {
            relay_use_on_close(relay, now, use, edge);
        } else if (edge == NULL && message->op == RELAY_KEEP) {
            count_unknown(relay, now, peer, message->slot);
        } /* else: closed by both at the same time */
    }
}

/* WireGuard and sealed frames: who is reached through a relay was asked over the ring before, so
 * neither is a stranger to the other. Not another relayed frame: there are no chains of relays,
 * hence no loops. */
static bool is_carried(uint8_t kind) {
    return (kind >= 1 && kind <= 4) || kind == WRN_FRAME_SEALED;
}

/* The other side believes in a slot that we do not have: we lost it, or were never told. Asking
 * brings an OFFER, or tells the other that it is gone. */
static void count_unknown(struct wrn_relay *relay, wrn_mono now, wrn_handle from, uint64_t slot) {
    if (relay_slot_is_known(relay, slot)) {
        relay->counts[WRN_RELAY_COUNT_WRONG_PEER]++;
        return;
    }
    relay->counts[WRN_RELAY_COUNT_UNKNOWN_SLOT]++;
    if (slot != 0) {
        relay_ask_unknown(relay, now, from, slot);
    }
}

static void let_idle_links_go(struct wrn_relay *relay, wrn_mono now) {
    relay->idle_due = WRN_MONO_NEVER;
    for (uint32_t i = 0; i < relay->options.peers_max; i++) {
        struct mate *mate = &relay->mates[i];
        if (!mate->is_kept || mate->holds > 0) {
            continue;
        }
        wrn_mono due = {mate->idle_at_s * WRN_S(1) + LINK_IDLE};
        wrn_handle peer = {i, mate->generation};
        if (!wrn_mono_reached(now, due)) {
            relay->idle_due = wrn_mono_min(relay->idle_due, due);
            continue;
        }
        mate->is_kept = false;
        if (wrn_links_of(relay->links, peer) != NULL) {
            relay->port.keep(relay->port.ctx, peer, false);
        }
    }
}

/* A new node that relays: who waits for the next round and named it need not wait. */
static void wake_searches(struct wrn_relay *relay, wrn_handle peer) {
    const struct wrn_link *link = wrn_links_of(relay->links, peer);
    for (uint32_t i = 0; link != NULL && i < relay->uses.touched; i++) {
        struct use *use = wrn_pool_at(&relay->uses, i, NULL);
        if (use == NULL || !use->is_searching || use->is_in_round || use->next_round.count == 0) {
            continue;
        }
        for (uint32_t k = 0; k < use->their_count; k++) {
            if (wrn_id_equal(use->theirs[k], link->id)) {
                use->is_woken = true;
                wrn_dues_set(&relay->use_dues, i, (wrn_mono){0});
            }
        }
    }
}

/* Whoever needs such a relay may have no link to it yet, and a hard NAT itself. */
static uint64_t cost_of(const struct wrn_relay *relay, const struct wrn_link *link) {
    uint64_t effort = relay_mate(relay, link->peer)->effort;
    uint64_t rtt_us = link->rtt_us == 0 ? UINT32_MAX : link->rtt_us;
    return (uint64_t)link->is_suspect << 40 | effort << 32 | rtt_us;
}

static uint32_t slot_home(const struct slots *slots, uint64_t slot) {
    return (uint32_t)wrn_siphash(slots->seed, &slot, sizeof slot) & slots->mask;
}

static uint64_t slot_of(const struct wrn_relay *relay, uint32_t owner) {
    uint32_t first = relay->forwards.capacity * 2;
    if (owner < first) {
        const struct forward *forward = wrn_pool_slot(&relay->forwards, owner / 2);
        return forward->slots[owner % 2];
    }
    const struct use *use = wrn_pool_slot(&relay->uses, (owner - first) / EDGES);
    return use->edges[(owner - first) % EDGES].slot;
}
