/* SPDX-License-Identifier: Apache-2.0 */
/* Decides about packets: by the sender's rules, and by what has been said before. */
#include "network/policy.h"

#include "network/policy_internal.h"

/* What a judgement found on its way. */
struct trail {
    struct wrn_policy_verdict verdict;
    struct wrn_policy_packet asked; /* ANSWER: what it answers */
    struct wrn_policy_found found;  /* ANSWER: the conversation */
};

static struct wrn_policy_verdict refused(enum wrn_policy_refusal refusal);
static struct wrn_policy_verdict passed(enum wrn_policy_ground ground,
                                        enum wrn_policy_direction whose,
                                        const struct wrn_policy_rule *rule);
static void judge(const struct wrn_policy *policy, const struct wrn_policy_pair *pair,
                  enum wrn_policy_direction direction, uint32_t now_s,
                  const struct wrn_policy_packet *packet, struct trail *ret_trail);
static bool is_answer(const struct wrn_policy *policy, const struct wrn_policy_pair *pair,
                      enum wrn_policy_direction direction, uint32_t now_s,
                      const struct wrn_policy_packet *packet, struct trail *trail);
static struct wrn_policy_verdict judge_error(const struct wrn_policy *policy,
                                             const struct wrn_policy_pair *pair,
                                             enum wrn_policy_direction direction, uint32_t now_s,
                                             const struct wrn_policy_packet *packet);
static bool has_ruled_answer(const struct wrn_policy_rules *rules,
                             const struct wrn_policy_packet *packet);
static void note_spoken(struct wrn_policy *policy, const struct wrn_policy_pair *pair,
                        enum wrn_policy_direction direction, uint32_t now_s,
                        const struct wrn_policy_packet *packet, struct wrn_policy_counts *counts);
static void note_fragment(struct wrn_policy *policy, const struct wrn_policy_pair *pair,
                          enum wrn_policy_direction direction, uint32_t now_s,
                          const struct wrn_policy_packet *packet, struct wrn_policy_counts *counts);
static enum wrn_policy_kind first_kind(const struct wrn_policy_packet *packet, bool is_strict);
static enum wrn_policy_kind next_kind(enum wrn_policy_kind kind, bool by_beginner,
                                      uint8_t tcp_flags);
static enum wrn_policy_kind next_tcp(enum wrn_policy_kind kind, bool by_beginner,
                                     uint8_t tcp_flags);

void wrn_policy_pair_init(struct wrn_policy_pair *pair, uint64_t peer,
                          const struct wrn_policy_rules *ours,
                          const struct wrn_policy_rules *theirs, bool is_strict) {
    *pair = (struct wrn_policy_pair){
        .rules = {[WRN_POLICY_OUT] = ours, [WRN_POLICY_IN] = theirs},
        .peer = peer,
        .is_open = ours->is_everything && theirs->is_everything,
        .is_strict = is_strict,
    };
}

struct wrn_policy_verdict wrn_policy_check(struct wrn_policy *policy,
                                           const struct wrn_policy_pair *pair,
                                           enum wrn_policy_direction direction, wrn_mono now,
                                           wrn_span bytes, struct wrn_policy_counts *counts) {
    const struct wrn_policy_rules *senders = pair->rules[direction];
    struct wrn_policy_packet packet;
    struct trail trail;
    if (pair->is_open) {
        trail.verdict = passed(WRN_POLICY_BY_RULE, direction, &senders->rules[0]);
        wrn_policy_count(&counts->passed[WRN_POLICY_BY_RULE]);
        return trail.verdict;
    }
    uint32_t now_s = wrn_policy_seconds(policy, now);
    enum wrn_policy_refusal refusal = wrn_policy_read(bytes, false, &packet);
    if (refusal == WRN_POLICY_NONE) {
        judge(policy, pair, direction, now_s, &packet, &trail);
    } else if (senders->is_everything) {
        trail.verdict = passed(WRN_POLICY_BY_RULE, direction, &senders->rules[0]);
    } else {
        trail.verdict = refused(refusal);
    }
    if (trail.verdict.refusal != WRN_POLICY_NONE) {
        wrn_policy_count(&counts->refused[trail.verdict.refusal]);
        return trail.verdict;
    }
    wrn_policy_count(&counts->passed[trail.verdict.ground]);
    if (refusal != WRN_POLICY_NONE || packet.fragment == WRN_POLICY_LATER) {
        return trail.verdict;
    }
    if (packet.fragment == WRN_POLICY_FIRST && !senders->is_everything) {
        note_fragment(policy, pair, direction, now_s, &packet, counts);
    }
    if (trail.verdict.ground == WRN_POLICY_BY_RULE) {
        note_spoken(policy, pair, direction, now_s, &packet, counts);
    } else if (trail.verdict.ground == WRN_POLICY_BY_ANSWER) {
        enum wrn_policy_kind kind = wrn_policy_kind_of(trail.found.state);
        wrn_policy_go_on(&trail.found, now_s, next_kind(kind, false, packet.tcp_flags));
    }
    return trail.verdict;
}

struct wrn_policy_verdict wrn_policy_trace(const struct wrn_policy *policy,
                                           const struct wrn_policy_pair *pair,
                                           enum wrn_policy_direction direction, wrn_mono now,
                                           const struct wrn_policy_question *question) {
    uint8_t family = question->source.family;
    struct wrn_policy_packet packet = {
        .family = family,
        .protocol = wrn_policy_protocol(family, question->protocol),
        .port = WRN_POLICY_PORT_NONE,
        .tcp_flags = WRN_POLICY_TCP_ACK,
    };
    struct trail trail;
    if ((family != WRN_FAMILY_IPV4 && family != WRN_FAMILY_IPV6) ||
        question->destination.family != family) {
        return refused(WRN_POLICY_NOT_IP);
    }
    wrn_policy_address(question->source.bytes, family, packet.source);
    wrn_policy_address(question->destination.bytes, family, packet.destination);
    if (packet.protocol == WRN_POLICY_TCP || packet.protocol == WRN_POLICY_UDP) {
        packet.source_port = question->source_port;
        packet.destination_port = question->destination_port;
        packet.port = question->destination_port;
    } else if (packet.protocol == WRN_POLICY_ICMP) {
        packet.source_port = question->source_port;
        packet.port = question->destination_port & UINT8_MAX;
    }
    judge(policy, pair, direction, wrn_policy_seconds(policy, now), &packet, &trail);
    return trail.verdict;
}

static struct wrn_policy_verdict refused(enum wrn_policy_refusal refusal) {
    return (struct wrn_policy_verdict){.refusal = (uint8_t)refusal,
                                       .element = WRN_POLICY_NO_ELEMENT};
}

static struct wrn_policy_verdict passed(enum wrn_policy_ground ground,
                                        enum wrn_policy_direction whose,
                                        const struct wrn_policy_rule *rule) {
    return (struct wrn_policy_verdict){
        .ground = (uint8_t)ground,
        .whose = (uint8_t)whose,
        .element = rule != NULL ? rule->element : (uint16_t)WRN_POLICY_NO_ELEMENT,
    };
}

/* Decides, and changes nothing. 'ret_trail' has 'asked' and 'found' for an ANSWER only. */
static void judge(const struct wrn_policy *policy, const struct wrn_policy_pair *pair,
                  enum wrn_policy_direction direction, uint32_t now_s,
                  const struct wrn_policy_packet *packet, struct trail *ret_trail) {
    const struct wrn_policy_rules *senders = pair->rules[direction];
    enum wrn_policy_refusal why;
    if (senders->is_everything) {
        ret_trail->verdict = passed(WRN_POLICY_BY_RULE, direction, &senders->rules[0]);
        return;
    }
    if (packet->fragment == WRN_POLICY_LATER) {
        struct wrn_policy_key key = wrn_policy_fragment_key(policy, pair->peer, direction, packet);
        struct wrn_policy_found found;
        ret_trail->verdict = wrn_policy_find(&policy->fragments, key, now_s, &found)
                                 ? passed(WRN_POLICY_BY_FRAGMENT, direction, NULL)
                                 : refused(WRN_POLICY_UNKNOWN_FRAGMENT);
        return;
    }
    const struct wrn_policy_rule *rule = wrn_policy_match(senders, packet, &why);
    if (rule != NULL) {
        ret_trail->verdict = passed(WRN_POLICY_BY_RULE, direction, rule);
        return;
    }
    if (is_answer(policy, pair, direction, now_s, packet, ret_trail)) {
        return;
    }
    ret_trail->verdict = packet->quote.data != NULL
                             ? judge_error(policy, pair, direction, now_s, packet)
                             : refused(why);
}

/* Tells whether the receiver has sent what this answers, and may still. */
static bool is_answer(const struct wrn_policy *policy, const struct wrn_policy_pair *pair,
                      enum wrn_policy_direction direction, uint32_t now_s,
                      const struct wrn_policy_packet *packet, struct trail *trail) {
    enum wrn_policy_direction other = 1 - direction;
    enum wrn_policy_refusal why;
    if (!wrn_policy_answered_by(packet, &trail->asked)) {
        return false;
    }
    const struct wrn_policy_rule *rule = wrn_policy_match(pair->rules[other], &trail->asked, &why);
    if (rule == NULL) {
        return false;
    }
    struct wrn_policy_key key = wrn_policy_key(policy, pair->peer, other, &trail->asked);
    trail->verdict = passed(WRN_POLICY_BY_ANSWER, other, rule);
    return wrn_policy_find(&policy->conversations, key, now_s, &trail->found);
}

/* An ICMP error goes to the sender of what it quotes. That packet began something which is under
 * way or needs no note, or it answered something that the error's sender had begun. */
static struct wrn_policy_verdict judge_error(const struct wrn_policy *policy,
                                             const struct wrn_policy_pair *pair,
                                             enum wrn_policy_direction direction, uint32_t now_s,
                                             const struct wrn_policy_packet *packet) {
    enum wrn_policy_direction other = 1 - direction;
    enum wrn_policy_refusal why;
    struct wrn_policy_packet quoted;
    struct wrn_policy_found found;
    struct trail trail;
    if (wrn_policy_read(packet->quote, true, &quoted) != WRN_POLICY_NONE ||
        quoted.fragment == WRN_POLICY_LATER || quoted.family != packet->family ||
        memcmp(quoted.source, packet->destination, sizeof quoted.source) != 0) {
        return refused(WRN_POLICY_BAD_QUOTE);
    }
    const struct wrn_policy_rule *rule = wrn_policy_match(pair->rules[other], &quoted, &why);
    if (rule != NULL) {
        struct wrn_policy_key key = wrn_policy_key(policy, pair->peer, other, &quoted);
        if (wrn_policy_find(&policy->conversations, key, now_s, &found) ||
            has_ruled_answer(pair->rules[direction], &quoted)) {
            return passed(WRN_POLICY_BY_ICMP_ERROR, other, rule);
        }
    }
    if (is_answer(policy, pair, other, now_s, &quoted, &trail)) {
        trail.verdict.ground = WRN_POLICY_BY_ICMP_ERROR;
        return trail.verdict;
    }
    return refused(WRN_POLICY_UNKNOWN_QUOTE);
}

/* Tells whether the answer to a packet passes without any note, by a rule of its sender. */
static bool has_ruled_answer(const struct wrn_policy_rules *rules,
                             const struct wrn_policy_packet *packet) {
    struct wrn_policy_packet answer;
    enum wrn_policy_refusal why;
    return wrn_policy_answer_of(packet, &answer) && wrn_policy_match(rules, &answer, &why) != NULL;
}

/* Notes that somebody has said what he may say, unless the answer needs no note. */
static void note_spoken(struct wrn_policy *policy, const struct wrn_policy_pair *pair,
                        enum wrn_policy_direction direction, uint32_t now_s,
                        const struct wrn_policy_packet *packet, struct wrn_policy_counts *counts) {
    struct wrn_policy_packet answer;
    struct wrn_policy_found found;
    enum wrn_policy_refusal why;
    const struct wrn_policy_rules *others = pair->rules[1 - direction];
    if (others->is_everything || !wrn_policy_answer_of(packet, &answer) ||
        wrn_policy_match(others, &answer, &why) != NULL) {
        return;
    }
    struct wrn_policy_key key = wrn_policy_key(policy, pair->peer, direction, packet);
    if (wrn_policy_find(&policy->conversations, key, now_s, &found)) {
        enum wrn_policy_kind kind = wrn_policy_kind_of(found.state);
        wrn_policy_go_on(&found, now_s, next_kind(kind, true, packet->tcp_flags));
        return;
    }
    enum wrn_policy_kind kind = first_kind(packet, pair->is_strict);
    if (kind != WRN_POLICY_KIND_FREE &&
        wrn_policy_note(&policy->conversations, key, now_s, kind, counts)) {
        wrn_policy_count(&counts->begun);
    }
}

static void note_fragment(struct wrn_policy *policy, const struct wrn_policy_pair *pair,
                          enum wrn_policy_direction direction, uint32_t now_s,
                          const struct wrn_policy_packet *packet,
                          struct wrn_policy_counts *counts) {
    struct wrn_policy_key key = wrn_policy_fragment_key(policy, pair->peer, direction, packet);
    struct wrn_policy_found found;
    if (wrn_policy_find(&policy->fragments, key, now_s, &found)) {
        wrn_policy_go_on(&found, now_s, WRN_POLICY_KIND_FRAGMENT);
    } else {
        (void)wrn_policy_note(&policy->fragments, key, now_s, WRN_POLICY_KIND_FRAGMENT, counts);
    }
}

/* What a packet begins; FREE: nothing. */
static enum wrn_policy_kind first_kind(const struct wrn_policy_packet *packet, bool is_strict) {
    if (packet->protocol == WRN_POLICY_ICMP) {
        return WRN_POLICY_KIND_ICMP;
    }
    if (packet->protocol != WRN_POLICY_TCP) {
        return WRN_POLICY_KIND_UNANSWERED;
    }
    unsigned flags = packet->tcp_flags;
    bool is_first = (flags & (WRN_POLICY_TCP_SYN | WRN_POLICY_TCP_ACK)) == WRN_POLICY_TCP_SYN;
    bool may_begin = is_first || !is_strict;
    return may_begin && (flags & WRN_POLICY_TCP_RST) == 0 ? WRN_POLICY_KIND_TCP_OPENING
                                                          : WRN_POLICY_KIND_FREE;
}

static enum wrn_policy_kind next_kind(enum wrn_policy_kind kind, bool by_beginner,
                                      uint8_t tcp_flags) {
    switch (kind) {
    case WRN_POLICY_KIND_UNANSWERED:
        return by_beginner ? kind : WRN_POLICY_KIND_ANSWERED;
    case WRN_POLICY_KIND_ANSWERED:
    case WRN_POLICY_KIND_ICMP:
        return kind;
    default:
        return next_tcp(kind, by_beginner, tcp_flags);
    }
}

/* As far as the flags tell: sequence numbers are the ends' business, who both are known.
 *
 *     OPENING -answer-> ANSWERED -beginner-> ESTABLISHED -FIN-> x_DONE -FIN of the other-> CLOSED
 *     any -RST-> CLOSED;  x_DONE, CLOSED -SYN of the beginner-> OPENING (the ports again) */
static enum wrn_policy_kind next_tcp(enum wrn_policy_kind kind, bool by_beginner,
                                     uint8_t tcp_flags) {
    enum wrn_policy_kind done =
        by_beginner ? WRN_POLICY_KIND_TCP_BEGINNER_DONE : WRN_POLICY_KIND_TCP_ANSWERER_DONE;
    bool is_done = kind == WRN_POLICY_KIND_TCP_BEGINNER_DONE ||
                   kind == WRN_POLICY_KIND_TCP_ANSWERER_DONE || kind == WRN_POLICY_KIND_TCP_CLOSED;
    if ((tcp_flags & WRN_POLICY_TCP_RST) != 0 || kind == WRN_POLICY_KIND_FREE) {
        return WRN_POLICY_KIND_TCP_CLOSED;
    }
    if (is_done) {
        bool is_new = by_beginner &&
                      (tcp_flags & (WRN_POLICY_TCP_SYN | WRN_POLICY_TCP_ACK)) == WRN_POLICY_TCP_SYN;
        bool is_last = kind != done && (tcp_flags & WRN_POLICY_TCP_FIN) != 0;
        return is_new ? WRN_POLICY_KIND_TCP_OPENING : is_last ? WRN_POLICY_KIND_TCP_CLOSED : kind;
    }
    if ((tcp_flags & WRN_POLICY_TCP_FIN) != 0) {
        return done;
    }
    if (kind == WRN_POLICY_KIND_TCP_OPENING && !by_beginner) {
        return WRN_POLICY_KIND_TCP_ANSWERED;
    }
    return kind == WRN_POLICY_KIND_TCP_ANSWERED && by_beginner ? WRN_POLICY_KIND_TCP_ESTABLISHED
                                                               : kind;
}
