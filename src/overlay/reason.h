/* SPDX-License-Identifier: Apache-2.0 */
/* Why something was refused, dropped or given up: each reason has a name, a sentence, a counter.
 * They travel between nodes as numbers, so an old one never changes its number. */
#pragma once
#include "base/base.h"

/* X(NAME, "sentence") */
#define WRN_REASON_LIST(X)                                                                         \
    X(NONE, "no reason")                                                                           \
    X(MALFORMED, "the message does not follow its format")                                         \
    X(BAD_SEAL, "it was not sealed by who it claims to be from")                                   \
    X(REPLAYED, "it came before")                                                                  \
    X(UNKNOWN_SENDER, "no peer has been told this number")                                         \
    X(WRONG_VERSION, "it speaks another version of the protocol")                                  \
    X(BAD_SIGNATURE, "the signature does not verify")                                              \
    X(WRONG_KEY, "the key is not the one that the place on the ring is made from")                 \
    X(STALE, "a newer one is known")                                                               \
    X(EXPIRED, "its time is over")                                                                 \
    X(NOT_YET, "its time has not come; is a clock wrong?")                                         \
    X(NOT_ADMITTED, "the ring does not admit this node")                                           \
    X(EXCLUDED, "this node has been excluded")                                                     \
    X(OTHER_RING, "it belongs to another ring")                                                    \
    X(SELF, "it leads back to this node")                                                          \
    X(FULL, "no room is left for more of these")                                                   \
    X(RATE, "too many in a short time")                                                            \
    X(COOKIE, "the address has not been proven")                                                   \
    X(HOP_LIMIT, "it went through too many nodes")                                                 \
    X(NO_ROUTE, "no link leads nearer")                                                            \
    X(NOBODY_THERE, "no node has this place on the ring")                                          \
    X(TIMEOUT, "no answer came")                                                                   \
    X(NOT_NEEDED, "neither side needs the link")                                                   \
    X(LEAVING, "the node is leaving")                                                              \
    X(RESTARTED, "the peer was started anew")                                                      \
    X(NO_ENDPOINT, "no address of the peer is known")                                              \
    X(UNREACHABLE, "none of the peer's addresses answers")                                         \
    X(BOTH_RANDOM, "both NATs choose random ports")                                                \
    X(GUESSES_MISSED, "the ports that the NAT chose were not guessed")                             \
    X(UDP_BLOCKED, "UDP does not get through here")                                                \
    X(PEER_UDP_BLOCKED, "UDP does not get through at the peer")                                    \
    X(NO_RELAY, "no node relays between the two")                                                  \
    X(RELAY_LOST, "the relay is gone")                                                             \
    X(RELAY_CHAIN, "the relay is itself relayed")                                                  \
    X(RELAY_REFUSED, "the node does not relay for others")                                         \
    X(TOO_LARGE, "it is too large")                                                                \
    X(KEY_TAKEN, "somebody else created this key before")                                          \
    X(NOT_OWNER, "it belongs to another key")                                                      \
    X(RULE, "the rule of this kind of key refuses it")                                             \
    X(QUOTA, "the writer has used up what a writer may store")                                     \
    X(NOT_HOLDER, "other nodes are nearer to the key")                                             \
    X(NOT_FOUND, "there is no such record")                                                        \
    X(NOT_CONNECTED, "this node is not part of the ring yet")                                      \
    X(RANDOM_AND_STEPS, "one NAT chooses random ports, the other a new one for each destination")  \
    X(RELAY_MIXED, "the relay handed it on as another peer's")

enum wrn_reason {
#define WRN_REASON_ENUM(name, text) WRN_REASON_##name,
    WRN_REASON_LIST(WRN_REASON_ENUM)
#undef WRN_REASON_ENUM
        WRN_REASON_COUNT
};

/* Returns the sentence, without a full stop; static text. Any number is fine. */
const char *wrn_reason_text(enum wrn_reason reason);

/* Returns the name, for counters; static text. Any number is fine. */
const char *wrn_reason_name(enum wrn_reason reason);
