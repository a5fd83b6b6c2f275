/* SPDX-License-Identifier: Apache-2.0 */
/* Which rule or certificate decides about a packet between this node and a peer, in words. Asks the
 * same rules that packets are checked against; decides nothing itself. */
#include <stdarg.h>
#include <stdio.h>

#include "base/hex.h"
#include "node/gate.h"
#include "node/network_internal.h"

static bool is_own(const struct wrn_network *network, const struct wrn_ip *ip);
static const struct wrn_network_peer *peer_of(const struct wrn_network *network,
                                              const struct wrn_ip *ip);
static void say(struct wrn_node_trace *trace, const char *format, ...) WRN_PRINTF(2, 3);
static const char *name_of(const struct wrn_network_peer *peer, char text[WRN_PREFIX_TEXT_SIZE]);
static bool say_closed(const struct wrn_network *network, const struct wrn_network_peer *peer,
                       const char *name, struct wrn_node_trace *trace);
static void find_cert(struct wrn_network *network, const struct wrn_network_peer *peer,
                      struct wrn_node_trace *trace);
static void say_verdict(const char *name, struct wrn_node_trace *trace);
static void print_hash(const uint8_t *hash, char text[17]);

bool wrn_node_trace(const struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                    const struct wrn_policy_question *question, struct wrn_node_trace *ret_trace) {
    struct wrn_network *network = wrn_node_network(node, handle);
    char text[WRN_PREFIX_TEXT_SIZE];
    memset(ret_trace, 0, sizeof(*ret_trace));
    if (!network) {
        return false;
    }
    bool is_out = is_own(network, &question->source);
    bool is_in = is_own(network, &question->destination);
    const struct wrn_network_peer *peer =
        is_out == is_in ? NULL
                        : peer_of(network, is_out ? &question->destination : &question->source);
    if (!peer) {
        return false;
    }
    ret_trace->direction = is_out ? WRN_POLICY_OUT : WRN_POLICY_IN;
    memcpy(ret_trace->hit, peer->hit, sizeof(ret_trace->hit));
    const char *name = name_of(peer, text);
    if (say_closed(network, peer, name, ret_trace)) {
        return true;
    }
    ret_trace->verdict =
        wrn_policy_trace(wrn_gate_policy(network->gate), wrn_gate_pair(network->gate, peer->wg),
                         ret_trace->direction, now.mono, question);
    find_cert(network, peer, ret_trace);
    say_verdict(name, ret_trace);
    return true;
}

/* Also one that nothing may be sent to yet. */
static const struct wrn_network_peer *peer_of(const struct wrn_network *network,
                                              const struct wrn_ip *ip) {
    const struct wrn_network_peer *found = wrn_network_peer_at(network, ip);
    uint32_t cursor = 0;
    for (const struct wrn_network_peer *peer = wrn_network_peer_next(network, &cursor);
         peer && !found; peer = wrn_network_peer_next(network, &cursor)) {
        struct wrn_ip hit = wrn_network_ip_of_hit(peer->hit);
        found =
            wrn_ip_equal(ip, &peer->ipv4) || wrn_ip_equal(ip, &peer->ipv6) || wrn_ip_equal(ip, &hit)
                ? peer
                : NULL;
    }
    return found;
}

static bool is_own(const struct wrn_network *network, const struct wrn_ip *ip) {
    struct wrn_ip hit = wrn_network_ip_of_hit(network->node->hit);
    return ip->family != WRN_FAMILY_NONE &&
           (wrn_ip_equal(ip, &network->address) || wrn_ip_equal(ip, &network->ipv6) ||
            wrn_ip_equal(ip, &hit));
}

static void say(struct wrn_node_trace *trace, const char *format, ...) {
    size_t used = strlen(trace->text);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(trace->text + used, sizeof(trace->text) - used, format, args);
    va_end(args);
}

static const char *name_of(const struct wrn_network_peer *peer, char text[WRN_PREFIX_TEXT_SIZE]) {
    struct wrn_ip hit = wrn_network_ip_of_hit(peer->hit);
    return peer->label[0] != '\0' ? peer->label : wrn_network_ip_text(&hit, text);
}

/* Nothing at all passes: why. */
static bool say_closed(const struct wrn_network *network, const struct wrn_network_peer *peer,
                       const char *name, struct wrn_node_trace *trace) {
    if (wrn_gate_pair(network->gate, peer->wg) != NULL) {
        return false;
    }
    trace->verdict = (struct wrn_policy_verdict){.refusal = WRN_POLICY_NO_PROTOCOL,
                                                 .element = WRN_POLICY_NO_ELEMENT};
    if (network->standing != WRN_REASON_NONE) {
        say(trace, "nothing passes: this host is no member now: %s", network->why);
    } else if (!(network->rights.flags & WRN_RIGHT_MEMBER)) {
        say(trace, "nothing passes: this host's certificates do not make it a member");
    } else if (peer->is_waiting) {
        say(trace, "nothing passes yet: it is still being compared with %s who was revoked", name);
    } else if (!(peer->rights & WRN_RIGHT_MEMBER)) {
        say(trace, "nothing passes: %s is no member now", name);
    } else {
        say(trace, "nothing passes: there is no tunnel to %s", name);
    }
    return true;
}

/* The last certificate of the chain that the rule was made from: that is the one to change. */
static void find_cert(struct wrn_network *network, const struct wrn_network_peer *peer,
                      struct wrn_node_trace *trace) {
    const struct wrn_rights *rights = &network->rights;
    if (trace->verdict.element >= WRN_RIGHTS_GRANTS_MAX) {
        return;
    }
    if (trace->verdict.whose == WRN_POLICY_IN) {
        struct wrn_members_answer answer =
            wrn_members_judge(network->members, network->now.wall, peer->public_key,
                              (wrn_span){peer->chain, peer->chain_size});
        if (answer.reason != WRN_REASON_NONE) {
            return;
        }
        rights = answer.rights;
    }
    for (uint8_t i = 0; i < rights->cert_count; i++) {
        if (trace->verdict.element < rights->grant_count &&
            (rights->grants[trace->verdict.element] & 1u << i)) {
            trace->cert = rights->certs[i];
        }
    }
}

static void say_verdict(const char *name, struct wrn_node_trace *trace) {
    static const uint8_t none[WRN_SHA256_SIZE];
    const struct wrn_policy_verdict *verdict = &trace->verdict;
    bool is_ours = verdict->whose == WRN_POLICY_OUT;
    char hash[17];
    if (verdict->refusal != WRN_POLICY_NONE) {
        say(trace, "it is refused (%s): %s. What counts are the rights of %s, who sends it",
            wrn_policy_refusal_name((enum wrn_policy_refusal)verdict->refusal),
            wrn_policy_refusal_text((enum wrn_policy_refusal)verdict->refusal),
            trace->direction == WRN_POLICY_OUT ? "this host" : name);
        return;
    }
    say(trace, "it passes (%s)", wrn_policy_ground_name((enum wrn_policy_ground)verdict->ground));
    if (verdict->element == WRN_POLICY_NO_ELEMENT && verdict->ground != WRN_POLICY_BY_RULE) {
        return;
    }
    say(trace, ": a rule of %s permits %s", is_ours ? "this host's" : name,
        verdict->ground == WRN_POLICY_BY_RULE ? "it" : "what it answers");
    if (memcmp(trace->cert.hash, none, sizeof(none)) == 0) {
        say(trace, "%s", is_ours ? ", as the network's owner" : "");
        return;
    }
    print_hash(trace->cert.hash, hash);
    say(trace, ", given by the certificate %s", hash);
}

static void print_hash(const uint8_t *hash, char text[17]) {
    wrn_hex_write(hash, 8, text);
    text[16] = '\0';
}
