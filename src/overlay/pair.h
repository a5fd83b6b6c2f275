/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: how two nodes speak to one another on the wire, without a handshake. The key is made from
 * both tunnel keys (static-static); numbers, of which no two are the same, keep replays out. Also
 * the frames to and from strangers. Layouts: docs/ring/frames.md; reasons: docs/decisions/0015. */
#pragma once
#include "base/address.h"
#include "base/clock.h"
#include "base/rand.h"
#include "overlay/id.h"
#include "overlay/limits.h"
#include "overlay/primitives.h"
#include "overlay/reason.h"

/* What one node keeps of another to speak with it. */
struct wrn_pair {
    uint8_t key[WRN_KEY_SIZE];  /* of both directions: their nonces differ */
    uint64_t our_receiver;      /* the number that the peer puts first, chosen by us, not 0 */
    uint64_t their_receiver;    /* 0: not known yet */
    uint64_t our_incarnation;   /* drawn for each init: numbers start anew with it */
    uint64_t our_counter;       /* of the frame that was sealed last */
    uint64_t their_incarnation; /* the proven one; 0: none yet */
    uint64_t their_top;         /* greatest counter of that incarnation */
    uint64_t seen;              /* bits: which of the 64 counters up to their_top came */
    uint64_t former;            /* the incarnation that was proven before, and the same of it */
    uint64_t former_top;
    uint64_t former_seen;
};

/* Makes the key of a pair. 'our_receiver' and 'our_incarnation' are drawn at random by the caller
 * for each call, are not 0, and the caller sees that the receiver is unique; the last bit of the
 * incarnation is set to the node's side of the pair. The key of two nodes is the same for ever, so
 * an incarnation that is used twice would repeat nonces. False, and the pair zeroed, if the keys
 * are the same or do not agree (a bad point). One X25519 and one HKDF. */
WRN_NODISCARD bool wrn_pair_init(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                                 const uint8_t our_private[WRN_KEY_SIZE],
                                 const uint8_t our_public[WRN_KEY_SIZE],
                                 const uint8_t their_public[WRN_KEY_SIZE], uint64_t our_receiver,
                                 uint64_t our_incarnation);

/* Wipes the key. */
void wrn_pair_finish(struct wrn_pair *pair);

/* Seals 'message' (1..WRN_MESSAGE_MAX bytes) into a frame at 'out', which has room for it and
 * WRN_FRAME_OVERHEAD. The message lies elsewhere, or at out + 28, where it is sealed in place.
 * their_receiver must be known. Returns the frame's size. */
size_t wrn_pair_seal(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                     wrn_span message, uint8_t *out);

/* Reads the receiver number of a sealed frame, to find the pair; 0 if it is none. Looks at the kind
 * and the size only. */
uint64_t wrn_frame_receiver(wrn_span frame);

/* Opens a sealed frame in place. Returns NONE and the message; MALFORMED, WRONG_VERSION,
 * UNKNOWN_SENDER (another receiver number), BAD_SEAL, or REPLAYED. Outputs are written on NONE
 * only; a frame whose seal is bad is overwritten. 'ret_is_fresh' tells whether its incarnation is
 * the proven one: of any other only PING, PONG, HELLO and WELCOME may be taken, and replays of
 * these are not noticed, but in the former one. */
enum wrn_reason wrn_pair_open(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                              uint8_t *frame, size_t size, wrn_span *ret_message,
                              uint64_t *ret_incarnation, bool *ret_is_fresh);

/* The peer answered something that we drew at random, in a frame of this incarnation: it lives now.
 * Frames of other incarnations are unproven from now on. The one that was proven until now keeps
 * its window, so that two answers that overtake one another open no door to replays. What was drawn
 * before an incarnation was proven should not prove another one after it: the answer is late. */
void wrn_pair_prove(struct wrn_pair *pair, uint64_t incarnation);

/* ---- strangers ---- */

enum {
    WRN_COOKIE_SIZE = 16,
    WRN_STRANGER_OVERHEAD = 84, /* head 4, tunnel key 32, cookie 16, numbers 16, tag 16 */
    WRN_STRANGER_MESSAGE_MAX = WRN_DATAGRAM_MAX - WRN_STRANGER_OVERHEAD, /* 1,316 bytes */
    WRN_WHO_SIZE = 1200,         /* so that no reply is larger than what asks for it */
    WRN_WHO_REPLY_OVERHEAD = 28, /* head 4, nonce 8, cookie 16; then the locator */
    WRN_ANNOUNCE_SIZE = 24,
};

/* Makes cookies: they prove that who shows one receives at its address. */
struct wrn_cookies {
    uint8_t secrets[2][WRN_KEY_SIZE]; /* the current one, and the one before */
    wrn_mono renewed;
};

/* Draws the first secrets. */
void wrn_cookies_init(struct wrn_cookies *cookies, wrn_mono now, struct wrn_rand rand);

/* Wipes them. */
void wrn_cookies_finish(struct wrn_cookies *cookies);

/* Makes the cookie of an address, good for 2 to 4 minutes; draws a new secret when it is time. */
void wrn_cookie_make(struct wrn_cookies *cookies, const struct wrn_primitives *primitives,
                     wrn_mono now, struct wrn_rand rand, const struct wrn_endpoint *from,
                     uint8_t ret_cookie[WRN_COOKIE_SIZE]);

/* Tells whether we made this cookie for this address, not longer ago than that. */
WRN_NODISCARD bool wrn_cookie_check(const struct wrn_cookies *cookies,
                                    const struct wrn_primitives *primitives, wrn_mono now,
                                    const struct wrn_endpoint *from,
                                    const uint8_t cookie[WRN_COOKIE_SIZE]);

/* Writes a question to whoever of a ring is at an address: WRN_WHO_SIZE bytes. */
size_t wrn_who_write(const struct wrn_primitives *primitives, const uint8_t ring[WRN_RING_SIZE],
                     uint64_t nonce, uint8_t *out);

/* Reads it. NONE, WRONG_VERSION, OTHER_RING, or MALFORMED, also if it is smaller than WRN_WHO_SIZE:
 * nothing larger is sent back. */
enum wrn_reason wrn_who_read(wrn_span frame, const struct wrn_primitives *primitives,
                             const uint8_t ring[WRN_RING_SIZE], uint64_t *ret_nonce);

/* Writes and reads the reply: WRN_WHO_REPLY_OVERHEAD bytes and the locator (1..WRN_LOCATOR_MAX),
 * which is not checked here and is borrowed from the frame. NONE, WRONG_VERSION, MALFORMED. */
size_t wrn_who_reply_write(uint64_t nonce, const uint8_t cookie[WRN_COOKIE_SIZE], wrn_span locator,
                           uint8_t *out);
enum wrn_reason wrn_who_reply_read(wrn_span frame, uint64_t *ret_nonce,
                                   uint8_t ret_cookie[WRN_COOKIE_SIZE], wrn_span *ret_locator);

/* Seals a message (1..WRN_STRANGER_MESSAGE_MAX bytes, elsewhere than 'out') to somebody who does
 * not know our receiver number yet. Needs no their_receiver. Returns the frame's size. */
size_t wrn_stranger_seal(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                         const uint8_t our_public[WRN_KEY_SIZE],
                         const uint8_t cookie[WRN_COOKIE_SIZE], wrn_span message, uint8_t *out);

/* Reads the outside of such a frame, before anything costly is done. NONE, WRONG_VERSION,
 * MALFORMED. The caller checks the cookie, and that the key is not its own. */
enum wrn_reason wrn_stranger_read(wrn_span frame, uint8_t ret_public[WRN_KEY_SIZE],
                                  uint8_t ret_cookie[WRN_COOKIE_SIZE]);

/* Returns the bytes that no other frame of a stranger has, if it was read: its head, of which the
 * seal lets nobody change anything. Who remembers them takes a frame once. */
wrn_span wrn_stranger_name(wrn_span frame);

/* Opens it in place, with the pair made from the key that it shows. Reasons and outputs as
 * wrn_pair_open; only HELLO may be taken. A replay is noticed here in the proven incarnation only
 * (which the caller sees in the pair); from any other address the cookie keeps replays out. */
enum wrn_reason wrn_stranger_open(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                                  uint8_t *frame, size_t size, wrn_span *ret_message,
                                  uint64_t *ret_incarnation);

/* Writes and reads what is said on the LAN, WRN_ANNOUNCE_SIZE bytes: the hash of the ring, the
 * sender's place, and its port, not 0 (its address is the datagram's). A hint, not signed: who
 * hears it asks WHO. NONE, WRONG_VERSION, MALFORMED. */
size_t wrn_announce_write(const uint8_t ring[8], wrn_id id, uint16_t port, uint8_t *out);
enum wrn_reason wrn_announce_read(wrn_span frame, uint8_t ret_ring[8], wrn_id *ret_id,
                                  uint16_t *ret_port);

/* Reads what a relay forwards (written with base/relayed.h): the slot and what is inside, at least
 * one byte, borrowed from the frame. NONE, WRONG_VERSION, MALFORMED. */
enum wrn_reason wrn_relayed_read(wrn_span frame, uint64_t *ret_slot, wrn_span *ret_inside);
