/* SPDX-License-Identifier: Apache-2.0 */
/* Which packets may pass between this node and a member: rules made of the `allow` elements of
 * the sender's rights, and the conversations under way, so that answers pass. Reads packets and
 * never changes them; no I/O, no clock, no allocation after init.
 *
 * The sender's rights decide, at both ends. A packet passes
 *     - if a rule of its sender covers it, or
 *     - if it answers: its receiver has sent what it answers, not long ago, and may still send
 *       that now; or
 *     - if it is an ICMP error about a packet of such a conversation; or
 *     - if it is a later fragment of a packet whose first fragment passed.
 * All else is refused by name. docs/network/policy.md has the grammar and examples. */
#pragma once
#include <stdatomic.h>

#include "base/address.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/rand.h"
#include "sexp/sexp.h"

/* ---- Rules.
 *
 *     (allow [PROTOCOL [PORT [DESTINATION]]])          what is missing means everything
 *
 *     PROTOCOL     tcp, udp, icmp (that of IPv6 too), or the number of any other
 *     PORT         that of the destination; for icmp its type; "none" for protocols without
 *     DESTINATION  (ip4 BYTES) or (ip6 BYTES): addresses of 4 or 16 bytes
 *
 * Each element may also be (*), a (* set ...), and PROTOCOL and PORT a (* range numeric ...). BYTES
 * may be a (* prefix ...) or a (* range alpha ...). The tag algebra meets just these two exactly:
 * `(ip4 (* prefix #0a01#))` is 10.1.0.0/16, `(ip4 (* range alpha (ge #0a010000#) (le #0a010fff#)))`
 * is 10.1.0.0/20, and what both permit is a tag of the same form. As all addresses of a family have
 * one length, the order of strings is theirs. The family is a list around, because bytes alone
 * would let an IPv4 range speak of IPv6 addresses that begin so. (A range of the ordering "binary"
 * meets no prefix, and takes ::a01:0 for 10.1.0.0.)
 *
 * A packet is the request (allow PROTOCOL PORT DESTINATION) in atoms, and a rule set permits it if
 * one of the elements that it was made from covers this request: compiling loses and adds nothing.
 */
enum {
    WRN_POLICY_RULES_MAX = 32,
    WRN_POLICY_NO_ELEMENT = UINT16_MAX,
};

/* One rule: intervals, both ends included. Protocols 0..255, then tcp, udp, icmp; ports 0..65,535,
 * then "none". Addresses as numbers, the high half first. */
struct wrn_policy_rule {
    uint64_t low[2], high[2];
    uint32_t port_low, port_high;
    uint16_t protocol_low, protocol_high;
    uint16_t element; /* index of the element that it was made from */
    uint8_t family;   /* enum wrn_family; NONE: any destination */
};

/* What one member may send. Immutable once compiled, so any thread may read it. */
struct wrn_policy_rules {
    uint16_t count;
    bool is_everything; /* the only rule permits everything */
    struct wrn_policy_rule rules[WRN_POLICY_RULES_MAX];
};

/* X(NAME, "clause"): why an element gives no rule. */
#define WRN_POLICY_FAULT_LIST(X)                                                                   \
    X(OK, "it is understood")                                                                      \
    X(BAD_NAME, "it is neither a list with a name nor (*) nor a set of these")                     \
    X(BAD_PROTOCOL, "the protocol is not tcp, udp, icmp, a number to 255, a numeric range or a "   \
                    "set of these")                                                                \
    X(WRITE_NAME, "protocols 1, 6, 17 and 58 are written icmp, tcp, udp and icmp")                 \
    X(BAD_PORT, "the port is not none, a number to 65535, a numeric range or a set of these")      \
    X(BAD_DESTINATION, "the destination is not (ip4 BYTES) or (ip6 BYTES), with BYTES an "         \
                       "address, a prefix, a range alpha or a set of these")                       \
    X(TOO_LONG, "there is more behind the destination than this version understands")              \
    X(TOO_MANY, "it makes more than 32 rules; write ranges instead of sets")

enum wrn_policy_fault {
#define WRN_POLICY_FAULT_ENUM(name, text) WRN_POLICY_FAULT_##name,
    WRN_POLICY_FAULT_LIST(WRN_POLICY_FAULT_ENUM)
#undef WRN_POLICY_FAULT_ENUM
        WRN_POLICY_FAULT_COUNT
};

/* Says what a fault is, as a clause without a full stop. Static text. */
const char *wrn_policy_fault_text(enum wrn_policy_fault fault);

/* Makes rules of the elements of a reduced tag; those that are not `allow` are passed over, (*) and
 * sets of elements are understood. An element that is not understood permits nothing, as its owner
 * meant to restrict something; the others count. With TOO_MANY nothing is permitted at all. Returns
 * the first fault, and in 'ret_element', which may be NULL, the index of that element. Rules that
 * others cover are left out. O(rules made x WRN_POLICY_RULES_MAX). */
enum wrn_policy_fault wrn_policy_compile(const struct wrn_sexp *elements, size_t count,
                                         struct wrn_policy_rules *ret_rules, size_t *ret_element);

/* Tells whether two rule sets permit the same for the same reasons: nothing has to be published
 * then. */
bool wrn_policy_rules_equal(const struct wrn_policy_rules *a, const struct wrn_policy_rules *b);

/* ---- A pair: this node and one member. Immutable; the caller publishes it by pointer and keeps
 * what was replaced until no thread can be reading it (RCU). Nothing of the rights is anywhere
 * else: a packet that is checked against a new pair is decided by the new rights alone, also if it
 * belongs to a conversation that began under others. */
struct wrn_policy_pair {
    const struct wrn_policy_rules *rules[2]; /* by enum wrn_policy_direction: OUT are our rights */
    uint64_t peer;                           /* names the peer, and no other in this run */
    bool is_open;                            /* both may send everything */
    bool is_strict;                          /* TCP connections count from their SYN only */
};

enum wrn_policy_direction { WRN_POLICY_OUT, WRN_POLICY_IN };

/* Makes a pair of rules that the caller keeps as long as the pair. 'is_strict' is false for the
 * first pair of a peer since this program started, and true once either's rights became less.
 * False lets the restricted side go on answering on TCP connections whose beginning was not seen
 * because this program started later. True means that connections which passed under wider rights,
 * unseen on the fast path, do not live on: they would be taken for ones that the other side began.
 * UDP has no such mark: as long as the side that may send does send to the other, that one's
 * answers pass. */
void wrn_policy_pair_init(struct wrn_policy_pair *pair, uint64_t peer,
                          const struct wrn_policy_rules *ours,
                          const struct wrn_policy_rules *theirs, bool is_strict);

/* Tells whether packets of both directions pass without a look at them: the fast path, one load
 * and one branch. No conversation is noted meanwhile, and none is needed. When rights become less,
 * the next packets meet the new pair, and what is not covered by a rule is refused until the side
 * that may speak first has spoken again. Packets that are refused for what they are (a source
 * route, say) pass here: who may send everything may send these too. */
static inline bool wrn_policy_is_open(const struct wrn_policy_pair *pair) {
    return pair->is_open;
}

/* ---- Verdicts. X(NAME, "counter", "clause") */
#define WRN_POLICY_REFUSAL_LIST(X)                                                                 \
    X(NONE, "none", "it passes")                                                                   \
    /* what cannot be read, or says two things to two readers */                                   \
    X(NOT_IP, "not_ip", "it is neither IPv4 nor IPv6")                                             \
    X(CUT_SHORT, "cut_short", "it ends inside of its headers")                                     \
    X(BAD_LENGTH, "bad_length", "its lengths contradict one another")                              \
    X(BAD_OPTIONS, "bad_options", "its IP options are malformed")                                  \
    X(SOURCE_ROUTE, "source_route", "an IPv4 option sends it on to somewhere else")                \
    X(ROUTING_HEADER, "routing_header", "an IPv6 routing header sends it on to somewhere else")    \
    X(JUMBOGRAM, "jumbogram", "it is an IPv6 jumbogram")                                           \
    X(HOME_ADDRESS, "home_address", "an IPv6 option says that it comes from somewhere else")       \
    X(HEADER_CHAIN, "header_chain", "its extension headers are too many, too long or misplaced")   \
    X(TINY_FRAGMENT, "tiny_fragment", "its first fragment does not hold all headers")              \
    X(FRAGMENT_OVERLAP, "fragment_overlap", "a later fragment reaches into the headers")           \
    X(BAD_FRAGMENT, "bad_fragment", "its fragments do not fit together")                           \
    /* what is readable, and nobody permits */                                                     \
    X(NO_PROTOCOL, "no_protocol", "no rule names the protocol, and it answers nothing")            \
    X(NO_PORT, "no_port", "no rule for the protocol names the port, and it answers nothing")       \
    X(NO_DESTINATION, "no_destination", "no rule names the destination, and it answers nothing")   \
    X(UNKNOWN_FRAGMENT, "unknown_fragment", "the first fragment has not passed before")            \
    X(BAD_QUOTE, "bad_quote", "an ICMP error quotes no packet that its receiver can have sent")    \
    X(UNKNOWN_QUOTE, "unknown_quote", "an ICMP error is about no conversation that is under way")

enum wrn_policy_refusal {
#define WRN_POLICY_REFUSAL_ENUM(name, counter, text) WRN_POLICY_##name,
    WRN_POLICY_REFUSAL_LIST(WRN_POLICY_REFUSAL_ENUM)
#undef WRN_POLICY_REFUSAL_ENUM
        WRN_POLICY_REFUSAL_COUNT
};

/* X(NAME, "counter"): why a packet passed, and what happened to conversations. */
#define WRN_POLICY_GROUND_LIST(X)                                                                  \
    X(RULE, "by_rule")                                                                             \
    X(ANSWER, "by_conversation")                                                                   \
    X(ICMP_ERROR, "by_icmp_error")                                                                 \
    X(FRAGMENT, "by_first_fragment")

enum wrn_policy_ground {
#define WRN_POLICY_GROUND_ENUM(name, counter) WRN_POLICY_BY_##name,
    WRN_POLICY_GROUND_LIST(WRN_POLICY_GROUND_ENUM)
#undef WRN_POLICY_GROUND_ENUM
        WRN_POLICY_GROUND_COUNT
};

/* What is decided, and by what. 'whose' and 'element' name the rule: RULE has the one that covers
 * the packet, ANSWER the one that covers what it answers, ICMP_ERROR the one that covers the
 * conversation. WRN_POLICY_NO_ELEMENT for FRAGMENT and for refusals. */
struct wrn_policy_verdict {
    uint8_t refusal; /* enum wrn_policy_refusal; NONE: it passes */
    uint8_t ground;  /* enum wrn_policy_ground, if it passes */
    uint8_t whose;   /* enum wrn_policy_direction: OUT is a rule of ours */
    uint16_t element;
};

/* The counter's name, and what it means as a clause without a full stop. Static text. */
const char *wrn_policy_refusal_name(enum wrn_policy_refusal refusal);
const char *wrn_policy_refusal_text(enum wrn_policy_refusal refusal);
const char *wrn_policy_ground_name(enum wrn_policy_ground ground);

/* One thread's counts, zeroed at the start. That thread alone writes, everybody may read. */
struct wrn_policy_counts {
    _Atomic uint64_t refused[WRN_POLICY_REFUSAL_COUNT];
    _Atomic uint64_t passed[WRN_POLICY_GROUND_COUNT];
    _Atomic uint64_t begun;   /* conversations noted */
    _Atomic uint64_t evicted; /* live ones that gave way to others, first fragments too */
    _Atomic uint64_t unnoted; /* not noted, because other threads were at work in all places */
};

/* ---- Conversations.
 *
 * A table of 16-byte entries, four to a bucket of 64 bytes: two atomic words each,
 *     name   SipHash of the peer, who began, both addresses, the protocol and the ports; 0: free
 *     state  ports (exactly, 32 bits), when it ends (seconds since init, 28), what is known (4)
 * All threads read and write without locks. Who puts a conversation into an entry takes the entry
 * first, by exchanging 'state' for one that nobody believes, then writes 'name', then 'state'. Who
 * looks reads 'name', then 'state', then 'name' again, and believes only if both names are the one
 * wanted. 'state' of a new conversation is stored after its name and 'state' that nobody believes
 * before it, so the name around a believed state is the one that the state was stored for (or one
 * that has just been noted there once more): an entry is seen whole or not at all. A later change
 * of 'state' is one compare-and-exchange, which fails if anything has changed; what it would have
 * said is lost then, and the next packet says it.
 * Two threads that note one conversation at once may fill two entries; the first in the bucket
 * counts, the other ends by itself. So what goes wrong between threads forgets a conversation, or
 * the end of one for at most its own lifetime, and makes none up.
 *
 * And if the table erred: it is asked only whether something *has been sent*. Whether the sender
 * *may* send it is asked of his rules again for each answer. So an answer never outlives the right
 * to what it answers, and nothing in the table has to be undone when rights change.
 *
 * A full bucket: what has ended goes first, then what was never answered, then what ends soonest;
 * counted. */
struct wrn_policy_entry {
    _Atomic uint64_t name;
    _Atomic uint64_t state;
};

struct wrn_policy_table {
    struct wrn_policy_entry *entries;
    uint32_t mask; /* buckets - 1 */
};

struct wrn_policy {
    struct wrn_policy_table conversations, fragments;
    uint64_t seed[2];
    wrn_mono start;
};

struct wrn_policy_options {
    uint32_t conversations_max; /* a power of two, 4..2^24; 16,384 are 256 KiB */
    uint32_t fragments_max;     /* packets that are under way in fragments; the same */
};

/* Seconds without a packet after which a conversation is forgotten. Each is as long as RFC 5382 and
 * RFC 4787 ask for, or longer where they leave it open; to the second. */
enum {
    WRN_POLICY_TCP_OPENING_S = 60,       /* until both have spoken and the first again */
    WRN_POLICY_TCP_ESTABLISHED_S = 7440, /* two hours and four minutes: RFC 5382, REQ-5 */
    WRN_POLICY_TCP_CLOSING_S = 240,      /* one side has said FIN: RFC 5382, REQ-5 */
    WRN_POLICY_TCP_CLOSED_S = 30,        /* both have, or one said RST; packets do not prolong it */
    WRN_POLICY_UNANSWERED_S = 30,        /* UDP and all other protocols */
    WRN_POLICY_ANSWERED_S = 180,
    WRN_POLICY_ICMP_S = 30,
    WRN_POLICY_FRAGMENTS_S = 30, /* fragments of one packet come together; RFC 791 has 15 s */
};

/* Takes the tables from 'arena' and draws the seed of their hash from 'rand'. Times handed in later
 * must not lie before 'now', which must come from a clock that goes on while the host sleeps: else
 * conversations outlive their time by that. The caller keeps one for each network. */
void wrn_policy_init(struct wrn_policy *policy, struct wrn_arena *arena,
                     const struct wrn_policy_options *options, struct wrn_rand rand, wrn_mono now);

/* Decides about one IP packet, before it is written to the TUN device (IN) or sealed (OUT), and
 * notes what follows for later ones. 'packet' begins with the IP header and may end with padding.
 * Any thread, with counts of its own. 'now' may be one reading for a batch. */
struct wrn_policy_verdict wrn_policy_check(struct wrn_policy *policy,
                                           const struct wrn_policy_pair *pair,
                                           enum wrn_policy_direction direction, wrn_mono now,
                                           wrn_span packet, struct wrn_policy_counts *counts);

/* What somebody wants to know: would this packet pass now? */
struct wrn_policy_question {
    struct wrn_ip source, destination; /* of one family */
    uint8_t protocol;
    uint16_t source_port;      /* tcp, udp; icmp: the identifier of an echo */
    uint16_t destination_port; /* tcp, udp; icmp: the type */
};

/* Answers as wrn_policy_check would decide, and notes and counts nothing. Any thread. */
struct wrn_policy_verdict wrn_policy_trace(const struct wrn_policy *policy,
                                           const struct wrn_policy_pair *pair,
                                           enum wrn_policy_direction direction, wrn_mono now,
                                           const struct wrn_policy_question *question);

/* Counts the conversations that are noted and have not ended. O(table). Any thread. */
uint32_t wrn_policy_conversations(const struct wrn_policy *policy, wrn_mono now);
