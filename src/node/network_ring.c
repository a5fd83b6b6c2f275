/* SPDX-License-Identifier: Apache-2.0 */
/* What the ring of a network wants done, one action at a time: handed to whom it is for. Decides
 * nothing about rights. */
#include "node/authority_internal.h"
#include "node/hold.h"
#include "node/network_internal.h"

enum { FEW_LOCATORS = 4 };

static void forward(struct wrn_network *network, const struct wrn_overlay_action *action,
                    enum wrn_node_action_kind kind);
static void on_cache(struct wrn_network *network, wrn_span locator);
static void on_carried(struct wrn_network *network, const struct wrn_overlay_action *action);
static void on_failed(struct wrn_network *network, const struct wrn_overlay_action *action);
static void on_state(struct wrn_network *network, enum wrn_ring_state state);
static void on_message(struct wrn_network *network, const struct wrn_overlay_action *action);
static void on_answer(struct wrn_network *network, const struct wrn_overlay_action *action);
static void on_lost(struct wrn_network *network, const struct wrn_overlay_action *action);

void wrn_network_on_ring(struct wrn_network *network, const struct wrn_overlay_action *action) {
    switch (action->kind) {
    case WRN_OVERLAY_DATAGRAM:
        forward(network, action, WRN_NODE_DATAGRAM);
        break;
    case WRN_OVERLAY_MULTICAST:
        forward(network, action, WRN_NODE_MULTICAST);
        break;
    case WRN_OVERLAY_SOCKETS:
        forward(network, action, WRN_NODE_SOCKETS);
        break;
    case WRN_OVERLAY_CARRIED:
        on_carried(network, action);
        break;
    case WRN_OVERLAY_MESSAGE:
        on_message(network, action);
        break;
    case WRN_OVERLAY_BROADCAST:
        wrn_authority_on_broadcast(network, action->id, action->bytes);
        break;
    case WRN_OVERLAY_STATE:
        on_state(network, (enum wrn_ring_state)action->number);
        break;
    case WRN_OVERLAY_PEER_UP:
        wrn_network_peer_up(network, action->peer);
        break;
    case WRN_OVERLAY_PEER_WAY:
        wrn_network_peer_way(network, action->peer);
        break;
    case WRN_OVERLAY_PEER_DOWN:
        wrn_network_peer_down(network, action->peer, action->reason);
        break;
    case WRN_OVERLAY_CONNECT_FAILED:
        on_failed(network, action);
        break;
    case WRN_OVERLAY_ANSWER:
        on_answer(network, action);
        break;
    case WRN_OVERLAY_RECORD_LOST:
        on_lost(network, action);
        break;
    case WRN_OVERLAY_FOUND:
        if (action->tag >> 16 == WRN_NETWORK_TAGS_LOOK) {
            wrn_network_bridge_on_found(network, action->id);
            break;
        }
        wrn_network_questions_on_found(network, action->id, action->is_last, action->reason);
        break;
    case WRN_OVERLAY_CACHE:
        on_cache(network, action->bytes);
        break;
    case WRN_OVERLAY_SUM: /* nobody asks for sums */
        break;
    }
}

static void forward(struct wrn_network *network, const struct wrn_overlay_action *action,
                    enum wrn_node_action_kind kind) {
    wrn_span bytes = wrn_network_keep(network, action->bytes);
    if (bytes.size < action->bytes.size) {
        return;
    }
    struct wrn_node_action *mine = wrn_network_emit(network, kind);
    mine->socket = action->socket;
    mine->count = action->count;
    mine->is_open = action->is_open;
    mine->to = action->to;
    mine->bytes = bytes;
}

/* A relay brought a datagram of the peer's machine. The path says whose it is, should the machine
 * answer at once: whoever is pinned is answered by the path that is set. */
static void on_carried(struct wrn_network *network, const struct wrn_overlay_action *action) {
    wrn_span bytes = wrn_network_keep(network, action->bytes);
    if (bytes.size == 0) {
        return;
    }
    struct wrn_node_action *mine = wrn_network_emit(network, WRN_NODE_INJECT);
    mine->bytes = bytes;
    mine->path.kind = WRN_PATH_CONTROL;
    mine->path.slot = action->peer.index | (uint64_t)action->peer.generation << 32;
}

static void on_failed(struct wrn_network *network, const struct wrn_overlay_action *action) {
    enum wrn_reason reason = action->reason;
    if (reason == WRN_REASON_NOT_ADMITTED || reason == WRN_REASON_EXCLUDED ||
        reason == WRN_REASON_EXPIRED) {
        struct wrn_node_event *event = wrn_network_event(
            network, WRN_NODE_EVENT_PEER_REFUSED_KIND, "no connection to a host of %s: %s",
            network->descriptor.name, wrn_reason_text(reason));
        event->reason = reason;
        wrn_id_hit(action->id, event->hit);
    }
    wrn_hold_on_reached(network, action->id, reason);
    wrn_network_questions_on_connected(network, action->id, reason);
}

static void on_state(struct wrn_network *network, enum wrn_ring_state state) {
    bool is_connected = state == WRN_RING_STATE_CONNECTED;
    if (state == WRN_RING_STATE_JOINING && network->ring_state != state) {
        network->joining_since = network->now.mono;
    }
    network->ring_state = state;
    if (is_connected && !network->was_connected) {
        network->was_connected = true;
        (void)wrn_network_event(network, WRN_NODE_EVENT_CONNECTED_KIND,
                                "this host is part of %s now", network->descriptor.name);
        wrn_authority_on_ring(network, true);
        wrn_network_addresses_on_connected(network);
        wrn_network_bridge_on_connected(network);
        wrn_keeper_on_connected(network);
        network->notes.resolved = true;
    } else if (state == WRN_RING_STATE_ALONE && network->was_connected) {
        network->was_connected = false;
        (void)wrn_network_event(network, WRN_NODE_EVENT_DISCONNECTED_KIND,
                                "no other host of %s can be reached; it is being looked for",
                                network->descriptor.name);
        wrn_authority_on_ring(network, false);
        wrn_meet_on_alone(network);
    }
}

static void on_message(struct wrn_network *network, const struct wrn_overlay_action *action) {
    struct wrn_network_peer *from = wrn_network_peer_of(network, action->peer);
    wrn_id source = from ? from->id : action->id;
    if (action->bytes.size == 0) {
        return;
    }
    switch (action->bytes.data[0]) {
    case WRN_NETWORK_ADDRESSES:
        if (from) {
            wrn_network_on_addresses(network, from, action->bytes);
        }
        break;
    case WRN_NETWORK_SIZE:
        if (from) {
            wrn_network_size_on_answer(network, from, action->bytes);
        }
        break;
    case WRN_NETWORK_INFO_ASK:
        wrn_network_on_info_ask(network, source, action->bytes);
        break;
    case WRN_NETWORK_INFO:
        wrn_network_on_info(network, source, action->bytes);
        break;
    default:
        wrn_authority_on_message(network, from, source, action->bytes);
    }
}

/* By the tag, whose question it was. */
static void on_answer(struct wrn_network *network, const struct wrn_overlay_action *action) {
    struct wrn_dht_answer answer = action->answer;
    answer.record = action->bytes;
    if (answer.tag & WRN_NETWORK_TAG_CALLER) {
        wrn_network_questions_on_answer(network, &answer);
        return;
    }
    switch (answer.tag >> 16) {
    case WRN_NETWORK_TAGS_LEASE:
    case WRN_NETWORK_TAGS_IPV6:
    case WRN_NETWORK_TAGS_NAMES:
    case WRN_NETWORK_TAGS_NAMES + 1:
        wrn_network_addresses_on_answer(network, &answer);
        break;
    case WRN_NETWORK_TAGS_HOLD:
        wrn_hold_on_answer(network, &answer);
        break;
    case WRN_NETWORK_TAGS_KEPT:
        wrn_keeper_on_answer(network, &answer);
        break;
    case WRN_NETWORK_TAGS_MEET:
        wrn_meet_on_answer(network, &answer);
        break;
    case WRN_NETWORK_TAGS_CHECK:
        wrn_network_lease_on_answer(network, &answer);
        break;
    case WRN_NETWORK_TAGS_AUTHORITY:
    case WRN_NETWORK_TAGS_USES:
        wrn_authority_on_answer(network, &answer);
        break;
    default:
        break;
    }
}

/* The first ones that are known are on disk at once: who knew hardly anybody, and crashes, must not
 * come back to nobody. */
static void on_cache(struct wrn_network *network, wrn_span locator) {
    uint8_t before = network->locator_count;
    if (wrn_network_locator(network, locator)) {
        bool is_new = network->locator_count > before;
        wrn_network_save(network, is_new && network->locator_count <= FEW_LOCATORS);
    }
}

static void on_lost(struct wrn_network *network, const struct wrn_overlay_action *action) {
    wrn_span winner = action->answer.record;
    wrn_network_addresses_on_lost(network, action->bytes, winner, action->reason);
    wrn_authority_on_lost(network, action->bytes, winner, action->reason);
    wrn_keeper_on_lost(network, action->bytes, action->reason);
}

bool wrn_network_locator(struct wrn_network *network, wrn_span bytes) {
    struct wrn_locator locator;
    uint8_t at = 0;
    if (bytes.size > WRN_LOCATOR_MAX ||
        wrn_locator_parse(bytes, network->node->options.primitives, &locator) != WRN_REASON_NONE) {
        return false;
    }
    while (at < network->locator_count &&
           memcmp(network->locator_keys[at], locator.public_key, WRN_SIGN_PUBLIC_SIZE) != 0) {
        at++;
    }
    if (at < network->locator_count && network->locator_sizes[at] == bytes.size &&
        memcmp(network->locators[at], bytes.data, bytes.size) == 0) {
        return false;
    }
    if (at == network->locator_count && at < WRN_STATE_LOCATORS_MAX) {
        network->locator_count++;
    } else { /* the newest stands last; the oldest, or its own older one, gives way */
        uint8_t first = at < network->locator_count ? at : 0;
        size_t later = network->locator_count - first - 1u;
        at = (uint8_t)(network->locator_count - 1);
        memmove(network->locators[first], network->locators[first + 1],
                later * sizeof(network->locators[0]));
        memmove(network->locator_keys[first], network->locator_keys[first + 1],
                later * sizeof(network->locator_keys[0]));
        memmove(&network->locator_sizes[first], &network->locator_sizes[first + 1],
                later * sizeof(network->locator_sizes[0]));
    }
    memcpy(network->locators[at], bytes.data, bytes.size);
    memcpy(network->locator_keys[at], locator.public_key, WRN_SIGN_PUBLIC_SIZE);
    network->locator_sizes[at] = (uint16_t)bytes.size;
    return true;
}
