/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: how two nodes speak to one another on the wire, without a handshake. The key is made from
 * both tunnel keys (static-static), each direction has its own; numbers keep replays out. Also the
 * frames to and from strangers. docs/protocol.md has the layouts, decision 0015 the reasons. */
#pragma once
#include "base/address.h"
#include "overlay/limits.h"
#include "overlay/primitives.h"
#include "overlay/reason.h"

/* What one node keeps of another to speak with it. */
struct wrn_pair {
    uint8_t send_key[WRN_KEY_SIZE];
    uint8_t receive_key[WRN_KEY_SIZE];
    uint64_t our_receiver;    /* the number that the peer puts first, chosen by us, not 0 */
    uint64_t their_receiver;  /* 0: not known yet */
    uint64_t our_incarnation; /* drawn at init: numbers start anew with it */
    uint64_t our_counter;
    uint64_t their_incarnation; /* 0: none proven yet */
    uint64_t their_top;         /* greatest counter of that incarnation */
    uint64_t seen;              /* bits: which of the 64 counters up to their_top came */
};

/* Makes the keys of a pair. 'our_receiver' and the incarnation are drawn by the caller, who sees
 * that the receiver is unique. False if the keys do not agree (a bad point). */
WRN_NODISCARD bool wrn_pair_init(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                                 const uint8_t our_private[WRN_KEY_SIZE],
                                 const uint8_t our_public[WRN_KEY_SIZE],
                                 const uint8_t their_public[WRN_KEY_SIZE], uint64_t our_receiver,
                                 uint64_t our_incarnation);

/* Wipes the keys. */
void wrn_pair_finish(struct wrn_pair *pair);

/* Seals 'message' (1..WRN_MESSAGE_MAX bytes) into a frame at 'out', which has room for it and
 * WRN_FRAME_OVERHEAD. their_receiver must be known. Returns its size. */
size_t wrn_pair_seal(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                     wrn_span message, uint8_t *out);

/* Reads the receiver number of a sealed frame, to find the pair; 0 if it is none. */
uint64_t wrn_frame_receiver(wrn_span frame);

/* Opens a sealed frame in place. Returns NONE and the message; MALFORMED, WRONG_VERSION, BAD_SEAL,
 * REPLAYED. 'ret_is_fresh' tells whether its incarnation is the proven one: of an unproven one only
 * PING, PONG, HELLO and WELCOME may be taken, and replays of these are not noticed. */
enum wrn_reason wrn_pair_open(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                              uint8_t *frame, size_t size, wrn_span *ret_message,
                              uint64_t *ret_incarnation, bool *ret_is_fresh);

/* The peer answered something that we drew at random, in a frame of this incarnation: it lives now.
 * Frames of other incarnations are unproven from now on. */
void wrn_pair_prove(struct wrn_pair *pair, uint64_t incarnation);

/* ---- strangers ---- */

enum {
    WRN_COOKIE_SIZE = 16,
    WRN_STRANGER_OVERHEAD =
        84,              /* kind 4, tunnel key 32, cookie 16, incarnation 8, counter 8, tag */
    WRN_WHO_SIZE = 1200, /* so that no reply is larger than what asks for it */
};

/* Makes cookies: they prove that who shows one receives at its address. */
struct wrn_cookies {
    uint8_t secrets[2][WRN_KEY_SIZE]; /* the current one, and the one before */
    wrn_mono renewed;
};

/* Draws the first secrets. */
void wrn_cookies_init(struct wrn_cookies *cookies, wrn_mono now, struct wrn_rand rand);

/* Makes the cookie of an address, good for 2 to 4 minutes; draws a new secret when it is time. */
void wrn_cookie_make(struct wrn_cookies *cookies, const struct wrn_primitives *primitives,
                     wrn_mono now, struct wrn_rand rand, const struct wrn_endpoint *from,
                     uint8_t ret_cookie[WRN_COOKIE_SIZE]);
WRN_NODISCARD bool wrn_cookie_check(const struct wrn_cookies *cookies,
                                    const struct wrn_primitives *primitives,
                                    const struct wrn_endpoint *from,
                                    const uint8_t cookie[WRN_COOKIE_SIZE]);

/* Writes a question to whoever is at an address: WRN_WHO_SIZE bytes. */
size_t wrn_who_write(uint64_t nonce, uint8_t *out);

/* Reads it. MALFORMED if it is smaller than WRN_WHO_SIZE: nothing larger is sent back. */
enum wrn_reason wrn_who_read(wrn_span frame, uint64_t *ret_nonce);

/* Writes and reads the reply; the locator is not checked here. */
size_t wrn_who_reply_write(uint64_t nonce, const uint8_t cookie[WRN_COOKIE_SIZE], wrn_span locator,
                           uint8_t *out);
enum wrn_reason wrn_who_reply_read(wrn_span frame, uint64_t *ret_nonce,
                                   uint8_t ret_cookie[WRN_COOKIE_SIZE], wrn_span *ret_locator);

/* Seals a message to somebody who does not know our receiver number yet. Needs no
 * their_receiver. Returns the frame's size. */
size_t wrn_stranger_seal(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                         const uint8_t our_public[WRN_KEY_SIZE],
                         const uint8_t cookie[WRN_COOKIE_SIZE], wrn_span message, uint8_t *out);

/* Reads the outside of such a frame, before anything costly is done. */
enum wrn_reason wrn_stranger_read(wrn_span frame, uint8_t ret_public[WRN_KEY_SIZE],
                                  uint8_t ret_cookie[WRN_COOKIE_SIZE]);

/* Opens it, with the pair made from the key that it shows. */
enum wrn_reason wrn_stranger_open(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                                  uint8_t *frame, size_t size, wrn_span *ret_message,
                                  uint64_t *ret_incarnation);

/* Writes and reads what is said on the LAN: the hash of the ring, the sender's place, and its port
 * (its address is the datagram's). A hint, not signed: who hears it asks WHO. */
size_t wrn_announce_write(const uint8_t ring[8], wrn_id id, uint16_t port, uint8_t *out);
enum wrn_reason wrn_announce_read(wrn_span frame, uint8_t ret_ring[8], wrn_id *ret_id,
                                  uint16_t *ret_port);

/* Writes the 12 bytes before what a relay forwards, and reads the slot. */
void wrn_relayed_write(uint64_t slot, uint8_t ret_header[WRN_RELAYED_OVERHEAD]);
enum wrn_reason wrn_relayed_read(wrn_span frame, uint64_t *ret_slot, wrn_span *ret_inside);
