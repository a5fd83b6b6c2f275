/* SPDX-License-Identifier: Apache-2.0 */
/* What happens between the beginning and the end of one input of a network: actions are appended,
 * the ring is asked for things, and what the ring wants is performed until it wants nothing more.
 * Parts note what is to be done besides, so that none calls another in a circle. */
#include <stdarg.h>
#include <stdio.h>

#include "node/authority_internal.h"
#include "node/gate.h"
#include "node/hold.h"
#include "node/network_internal.h"

enum {
    ROUNDS_MAX = 64,
    LATE_S = 10, /* after its time an input stands for sleep: lists are compared anew */
};

static void note_clocks(struct wrn_network *network);
static bool follow(struct wrn_network *network);
static bool are_same(const struct wrn_rights *a, const struct wrn_rights *b);
static void follow_judgement(struct wrn_network *network);
static bool has_ended(struct wrn_network *network, char ret_why[WRN_NETWORK_WHY_SIZE]);
static void follow_relaying(struct wrn_network *network);
static void say_why(struct wrn_network *network, const struct wrn_members_answer *answer);
static wrn_mono earliest(const struct wrn_network *network);

void wrn_network_begin(struct wrn_network *network, struct wrn_now now, struct wrn_node_out *out) {
    WRN_ASSERT(!network->out);
    network->now = now;
    network->out = out;
    network->notes.saved = network->notes.saved_urgently = false;
    out->network = network->handle;
    wrn_overlay_out_reset(out->overlay);
    note_clocks(network);
}

void wrn_network_end(struct wrn_network *network) {
    uint32_t next = 0;
    for (uint32_t round = 0; round < ROUNDS_MAX; round++) {
        while (next < network->out->overlay->count) {
            /* a copy: what it leads to is appended behind it */
            struct wrn_overlay_action action = network->out->overlay->actions[next++];
            wrn_network_on_ring(network, &action);
        }
        if (!follow(network)) {
            break;
        }
    }
    network->due = earliest(network);
    wrn_mono expected =
        wrn_mono_before(network->due, network->now.mono) ? network->now.mono : network->due;
    wrn_gate_believe(network->gate, wrn_mono_add(expected, WRN_S(LATE_S)));
    network->out = NULL;
}

struct wrn_node_action *wrn_network_emit(struct wrn_network *network,
                                         enum wrn_node_action_kind kind) {
    struct wrn_node_out *out = network->out;
    struct wrn_node_action *action = &network->nowhere;
    if (out->count < WRN_NODE_ACTIONS_MAX) {
        action = &out->actions[out->count++];
    } else {
        out->lost++;
    }
    memset(action, 0, sizeof(*action));
    action->kind = kind;
    action->network = network->handle;
    return action;
}

wrn_span wrn_network_keep(struct wrn_network *network, wrn_span bytes) {
    struct wrn_node_out *out = network->out;
    if (bytes.size > sizeof(out->bytes) - out->used) {
        out->lost++;
        return (wrn_span){NULL, 0};
    }
    uint8_t *place = out->bytes + out->used;
    if (bytes.size > 0) {
        memcpy(place, bytes.data, bytes.size);
    }
    out->used += (uint32_t)bytes.size;
    return (wrn_span){place, bytes.size};
}

void wrn_network_save(struct wrn_network *network, bool is_urgent) {
    if (network->notes.saved && (network->notes.saved_urgently || !is_urgent)) {
        return;
    }
    network->notes.saved = true;
    network->notes.saved_urgently = network->notes.saved_urgently || is_urgent;
    wrn_network_emit(network, WRN_NODE_SAVE)->is_urgent = is_urgent;
}

struct wrn_node_event *wrn_network_event(struct wrn_network *network, enum wrn_node_event_kind kind,
                                         const char *format, ...) {
    struct wrn_node_event *event = &wrn_network_emit(network, WRN_NODE_EVENT)->event;
    va_list args;
    event->kind = kind;
    va_start(args, format);
    (void)vsnprintf(event->text, sizeof(event->text), format, args);
    va_end(args);
    return event;
}

/* ---- the ring ---- */

enum wrn_reason wrn_network_send(struct wrn_network *network, wrn_handle overlay_peer,
                                 wrn_span message) {
    return wrn_overlay_send(network->overlay, network->now, overlay_peer, message,
                            network->out->overlay);
}

enum wrn_reason wrn_network_route(struct wrn_network *network, wrn_id target, wrn_span message) {
    return wrn_overlay_route(network->overlay, network->now, WRN_ROUTE_EXACT, target, message,
                             network->out->overlay);
}

enum wrn_reason wrn_network_broadcast(struct wrn_network *network, wrn_span message) {
    return wrn_overlay_broadcast(network->overlay, network->now, message, network->out->overlay);
}

enum wrn_reason wrn_network_store(struct wrn_network *network,
                                  const struct wrn_claim_request *request) {
    return wrn_network_store_with(network, request,
                                  (wrn_span){network->chain, network->chain_size});
}

enum wrn_reason wrn_network_store_with(struct wrn_network *network,
                                       const struct wrn_claim_request *request, wrn_span proof) {
    bool knows_others = network->endpoint_count > 0 || network->locator_count > 0;
    if (!network->out) {
        return WRN_REASON_NOT_CONNECTED; /* no input is under way: never */
    }
    if (!wrn_network_is_on_ring(network) &&
        knows_others) { /* what nobody else hears of would be claimed twice */
        return WRN_REASON_NOT_CONNECTED;
    }
    return wrn_overlay_store(network->overlay, network->now, request->tag, request->kind,
                             request->key, request->value, proof, request->ttl_s,
                             request->claimed_s, request->keep, network->out->overlay);
}

enum wrn_reason wrn_network_get(struct wrn_network *network, uint32_t tag, wrn_span key) {
    return wrn_overlay_get(network->overlay, network->now, tag, key, network->out->overlay);
}

bool wrn_network_is_on_ring(const struct wrn_network *network) {
    enum { PATIENCE_S = 3 };
    return network->ring_state == WRN_RING_STATE_CONNECTED ||
           (network->ring_state == WRN_RING_STATE_JOINING &&
            wrn_mono_since(network->now.mono, network->joining_since) >= WRN_S(PATIENCE_S));
}

void wrn_network_connect(struct wrn_network *network, wrn_id id) {
    wrn_overlay_connect(network->overlay, network->now, id, network->out->overlay);
}

/* ---- notes ---- */

void wrn_network_revoked_changed(struct wrn_network *network) {
    network->notes.revoked = true;
}

void wrn_network_chain_changed(struct wrn_network *network) {
    network->notes.chain = true;
    wrn_network_save(network, true);
}

void wrn_network_judge_self(struct wrn_network *network) {
    network->notes.judge = true;
}

/* Does one thing that was noted; false if there was none. */
static bool follow(struct wrn_network *network) {
    struct wrn_network_notes *notes = &network->notes;
    if (notes->revoked) {
        notes->revoked = false;
        notes->judge = true;
        wrn_network_peers_judge(network, true);
        wrn_names_forget(network->names);
        wrn_overlay_admit_again(network->overlay, network->now, network->out->overlay);
    } else if (notes->chain) {
        notes->chain = false;
        notes->judge = true;
        (void)wrn_overlay_set_credential(network->overlay,
                                         (wrn_span){network->chain, network->chain_size});
        wrn_network_addresses_prove(network);
        wrn_keeper_prove(network);
    } else if (notes->judge) {
        notes->judge = false;
        follow_judgement(network);
    } else if (notes->shown) {
        notes->shown = false;
        wrn_network_peers_judge(network, false);
    } else if (notes->addressed) {
        notes->addressed = false;
        wrn_network_addresses_tell(network);
    } else if (notes->routes) {
        notes->routes = false;
        wrn_network_routes_follow(network);
    } else if (notes->tell) {
        notes->tell = false;
        wrn_network_tell_all(network);
    } else if (notes->freed) {
        notes->freed = false;
        wrn_network_leases_look(network);
    } else if (notes->resolved) {
        notes->resolved = false;
        wrn_hold_go_on(network);
        wrn_network_peers_resume(network);
    } else {
        return false;
    }
    return true;
}

/* Rights are what their certificates give: the same ones give the same, until the same second. */
static bool are_same(const struct wrn_rights *a, const struct wrn_rights *b) {
    bool is_same = a->flags == b->flags && a->until_s == b->until_s &&
                   a->changes_s == b->changes_s && a->grant_count == b->grant_count &&
                   a->cert_count == b->cert_count && a->uses_low == b->uses_low &&
                   a->uses_high == b->uses_high;
    for (uint8_t i = 0; is_same && i < a->cert_count; i++) {
        is_same = memcmp(a->certs[i].hash, b->certs[i].hash, WRN_SHA256_SIZE) == 0;
    }
    for (uint8_t i = 0; is_same && i < a->grant_count; i++) {
        is_same = a->grants[i] == b->grants[i];
    }
    return is_same;
}

/* What our own chain gives now, and what follows from it. */
static void follow_judgement(struct wrn_network *network) {
    struct wrn_members_answer answer =
        wrn_members_judge(network->members, network->now.wall, network->node->public_key,
                          (wrn_span){network->chain, network->chain_size});
    char ended[WRN_NETWORK_WHY_SIZE];
    if (has_ended(network, ended)) {
        answer = (struct wrn_members_answer){.reason = WRN_REASON_EXCLUDED, .why = ended};
    }
    enum wrn_reason before = network->standing;
    bool is_same = answer.reason == WRN_REASON_NONE && before == WRN_REASON_NONE &&
                   are_same(&network->rights, answer.rights);
    network->notes.rights = !is_same;
    network->standing = answer.reason;
    network->why[0] = '\0';
    network->rights_due = WRN_MONO_NEVER;
    if (answer.reason == WRN_REASON_NONE) {
        network->rights = *answer.rights;
        network->rights_due = wrn_network_when(network, network->rights.changes_s);
    } else {
        memset(&network->rights, 0, sizeof(network->rights));
        say_why(network, &answer);
        if (answer.reason == WRN_REASON_NOT_ADMITTED) { /* a certificate may begin later */
            network->rights_due = wrn_mono_add(network->now.mono, WRN_S(60));
        }
    }
    follow_relaying(network);
    if (!is_same) {
        wrn_network_bridge_ours(network);
        wrn_network_peers_judge(network, true);
    }
    wrn_authority_on_rights(network);
    wrn_network_addresses_follow(network);
}

/* Its owner has ended the network: nobody is anything in it, but its ring goes on, so that all
 * learn of it. */
static bool has_ended(struct wrn_network *network, char ret_why[WRN_NETWORK_WHY_SIZE]) {
    char date[WRN_SPKI_DATE_SIZE];
    if (!wrn_revoked_is_ended(network->revoked, network->end_mark, &network->ended_s)) {
        network->ended_s = 0;
        return false;
    }
    if (!wrn_spki_date_write(network->ended_s, date)) {
        memset(date, '?', sizeof(date));
    }
    (void)snprintf(ret_why, WRN_NETWORK_WHY_SIZE, "its owner ended it: %.*s (UTC)",
                   WRN_SPKI_DATE_SIZE, date);
    return true;
}

/* We forward for others only as long as our chain permits it: they ask for that, too. */
static void follow_relaying(struct wrn_network *network) {
    bool may_relay = network->standing == WRN_REASON_NONE && wrn_rights_may_relay(&network->rights);
    if (may_relay != network->may_relay) {
        network->may_relay = may_relay;
        wrn_overlay_set_relays(network->overlay, network->now, may_relay, network->out->overlay);
    }
}

/* With our clock, if another one would have said otherwise. */
static void say_why(struct wrn_network *network, const struct wrn_members_answer *answer) {
    char date[WRN_SPKI_DATE_SIZE];
    const char *why = answer->why ? answer->why : "";
    if (answer->is_time && wrn_spki_date_write(network->now.wall.s, date)) {
        (void)snprintf(network->why, sizeof(network->why),
                       "%s This host's clock says %.*s (UTC): set it if it is wrong.", why,
                       WRN_SPKI_DATE_SIZE, date);
    } else {
        (void)snprintf(network->why, sizeof(network->why), "%s", why);
    }
}

/* ---- time ---- */

wrn_mono wrn_network_when(const struct wrn_network *network, int64_t wall_s) {
    int64_t left_s;
    if (wall_s >= WRN_RECORD_TIME_MAX_S) {
        return WRN_MONO_NEVER;
    }
    if (__builtin_sub_overflow(wall_s, network->now.wall.s, &left_s) || left_s <= 0) {
        return network->now.mono;
    }
    if (left_s > INT64_C(1) << 33) {
        return WRN_MONO_NEVER;
    }
    return wrn_mono_add(network->now.mono, WRN_S(left_s) - network->now.wall.ns);
}

/* Deadlines that stand for moments of the wall clock are made anew when it was set; and who was
 * asleep has missed what was revoked meanwhile. */
static void note_clocks(struct wrn_network *network) {
    enum { SET_NS = 200000000, ASLEEP_S = 60 };
    const int64_t asleep_ns = (int64_t)WRN_S(ASLEEP_S);
    int64_t ahead_ns = wrn_network_wall_ahead(&network->now);
    int64_t jump_ns = (int64_t)((uint64_t)ahead_ns - (uint64_t)network->wall_ahead_ns);
    bool is_late = network->due.ns != WRN_MONO_NEVER.ns &&
                   wrn_mono_since(network->now.mono, network->due) > WRN_S(LATE_S);
    bool is_set = jump_ns > SET_NS || jump_ns < -SET_NS;
    bool was_asleep = is_late || jump_ns > asleep_ns || jump_ns < -asleep_ns;
    if (is_set) {
        network->wall_ahead_ns = ahead_ns;
        network->notes.judge = true;
        wrn_network_peers_judge(network, true);
    }
    if (was_asleep && network->authority) {
        wrn_authority_on_woken(network);
    }
}

int64_t wrn_network_wall_ahead(const struct wrn_now *now) {
    return (int64_t)((uint64_t)now->wall.s * WRN_S(1) + now->wall.ns - now->mono.ns);
}

static wrn_mono earliest(const struct wrn_network *network) {
    wrn_mono due = wrn_overlay_due(network->overlay);
    if (network->is_gone) {
        return WRN_MONO_NEVER;
    }
    due = wrn_mono_min(due, network->rights_due);
    due = wrn_mono_min(due, network->leave_due);
    if (network->is_leaving && wrn_mono_before(network->now.mono, network->linger_due)) {
        due = wrn_mono_min(due, network->linger_due);
    }
    due = wrn_mono_min(due, wrn_network_peers_due(network));
    due = wrn_mono_min(due, wrn_network_addresses_due(network));
    due = wrn_mono_min(due, wrn_network_questions_due(network));
    due = wrn_mono_min(due, wrn_hold_due(network->hold));
    due = wrn_mono_min(due, wrn_network_bridge_due(network));
    due = wrn_mono_min(due, wrn_keeper_due(network));
    due = wrn_mono_min(due, wrn_meet_due(network));
    return wrn_mono_min(due, wrn_authority_due(network->authority));
}

/* ---- small things ---- */

bool wrn_network_is_in(const struct wrn_prefix *prefix, const struct wrn_ip *ip) {
    uint8_t bits = prefix->length_bits;
    if (prefix->ip.family == WRN_FAMILY_NONE || prefix->ip.family != ip->family) {
        return false;
    }
    if (memcmp(prefix->ip.bytes, ip->bytes, bits / 8u) != 0) {
        return false;
    }
    uint8_t mask = (uint8_t)(0xff00u >> bits % 8u);
    return bits % 8u == 0 || (prefix->ip.bytes[bits / 8u] & mask) == (ip->bytes[bits / 8u] & mask);
}

bool wrn_network_is_hit(const struct wrn_ip *ip) {
    static const struct wrn_prefix hits = {
        .ip = {.bytes = {0x20, 0x01, 0x00, 0x20}, .family = WRN_FAMILY_IPV6}, .length_bits = 28};
    return wrn_network_is_in(&hits, ip);
}

struct wrn_ip wrn_network_ip_of_hit(const uint8_t hit[WRN_HIT_SIZE]) {
    struct wrn_ip ip = {.family = WRN_FAMILY_IPV6};
    memcpy(ip.bytes, hit, WRN_HIT_SIZE);
    return ip;
}

const char *wrn_network_ip_text(const struct wrn_ip *ip, char ret_text[WRN_PREFIX_TEXT_SIZE]) {
    struct wrn_prefix prefix = {.ip = *ip, .length_bits = ip->family == WRN_FAMILY_IPV4 ? 32 : 128};
    if (ip->family == WRN_FAMILY_NONE) {
        ret_text[0] = '\0';
        return ret_text;
    }
    size_t size = wrn_prefix_print(&prefix, ret_text);
    for (size_t i = 0; i < size; i++) { /* without the length */
        if (ret_text[i] == '/') {
            ret_text[i] = '\0';
        }
    }
    return ret_text;
}
