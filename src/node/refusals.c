/* SPDX-License-Identifier: Apache-2.0 */
/* Who has shown certificates by which it is no member, said to people: each one now and then, and
 * a few at a time, since anybody can make keys. Decides nothing. */
#include "node/network_internal.h"

enum { SAY_AGAIN_S = 600 }; /* who is out tries again for ever */

static bool take_place(struct wrn_network *network, const uint8_t *public_key,
                       enum wrn_reason reason);

void wrn_network_refusal(struct wrn_network *network, const uint8_t *public_key, wrn_span chain,
                         enum wrn_reason reason) {
    char who[WRN_PREFIX_TEXT_SIZE];
    if (!network->out || !take_place(network, public_key, reason)) {
        return;
    }
    /* It is kept from just now, so this asks for no verification. */
    struct wrn_members_answer answer =
        wrn_members_judge(network->members, network->now.wall, public_key, chain);
    const char *why = answer.reason != WRN_REASON_NONE && answer.why && answer.why[0] != '\0'
                          ? answer.why
                          : wrn_reason_text(reason);
    const struct wrn_primitives *primitives = network->node->options.primitives;
    uint8_t hit[WRN_HIT_SIZE];
    primitives->hit(primitives->ctx, public_key, hit);
    struct wrn_ip ip = wrn_network_ip_of_hit(hit);
    struct wrn_node_event *event = wrn_network_event(
        network, WRN_NODE_EVENT_PEER_REFUSED_KIND, "%s is not let into %s by what it shows: %s",
        wrn_network_ip_text(&ip, who), network->descriptor.name, why);
    event->reason = reason;
    memcpy(event->hit, hit, sizeof(event->hit));
}

/* Tells whether it may be said now. In a crowd those that were there first keep their places, and
 * the others are counted only. */
static bool take_place(struct wrn_network *network, const uint8_t *public_key,
                       enum wrn_reason reason) {
    struct wrn_network_refused *place = NULL;
    wrn_mono now = network->now.mono;
    for (size_t i = 0; i < WRN_COUNT(network->refused); i++) {
        struct wrn_network_refused *at = &network->refused[i];
        bool is_free = at->reason == WRN_REASON_NONE || wrn_mono_reached(now, at->until);
        if (!is_free && at->reason == reason &&
            memcmp(at->public_key, public_key, sizeof(at->public_key)) == 0) {
            return false;
        }
        place = is_free && !place ? at : place;
    }
    if (!place) {
        return false;
    }
    *place = (struct wrn_network_refused){.reason = reason,
                                          .until = wrn_mono_add(now, WRN_S(SAY_AGAIN_S))};
    memcpy(place->public_key, public_key, sizeof(place->public_key));
    return true;
}
