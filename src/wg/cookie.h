/* SPDX-License-Identifier: Apache-2.0 */
/* The two MACs of handshake messages and the cookies behind the second: proof of knowing whom one
 * talks to (mac1), proof of owning an address (mac2). No I/O. Source: WireGuard paper, sections
 * 5.3, 5.4.4, 5.4.7. */
#pragma once
#include "base/address.h"
#include "base/clock.h"
#include "base/rand.h"
#include "wg/drop.h"
#include "wg/messages.h"

struct wrn_crypto;

/* The receiving side, one a machine. */
struct wrn_cookie_checker {
    uint8_t mac1_key[WRN_WG_KEY_SIZE];   /* of messages to us */
    uint8_t cookie_key[WRN_WG_KEY_SIZE]; /* seals our cookie replies */
    uint8_t secret[WRN_WG_KEY_SIZE];     /* makes cookies; replaced every two minutes when used */
    wrn_mono secret_born;
    bool has_secret;
};

/* The sending side, one a peer. */
struct wrn_cookie_jar {
    uint8_t cookie[WRN_WG_MAC_SIZE];
    uint8_t last_mac1[WRN_WG_MAC_SIZE]; /* of the message that a cookie reply must refer to */
    wrn_mono cookie_born;
    bool has_cookie;
    bool awaits_reply; /* a message was sent whose reply has not come: one reply a message counts */
};

/* Prepares the checker for messages to 'public_key' and forgets the secret. */
void wrn_cookie_checker_set_key(struct wrn_crypto *crypto, struct wrn_cookie_checker *checker,
                                const uint8_t public_key[WRN_WG_KEY_SIZE]);

/* Tells whether the mac1 of a message of 'size' bytes (MACs included) was made for our key, whose
 * 'mac1_key' a checker has. */
WRN_NODISCARD bool wrn_cookie_check_mac1(struct wrn_crypto *crypto,
                                         const uint8_t mac1_key[WRN_WG_KEY_SIZE],
                                         const uint8_t *message, size_t size);

/* Tells whether its mac2 was made with a cookie that we gave to 'from' not long ago. */
WRN_NODISCARD bool wrn_cookie_check_mac2(struct wrn_crypto *crypto,
                                         struct wrn_cookie_checker *checker, wrn_mono now,
                                         struct wrn_rand rand, const struct wrn_endpoint *from,
                                         const uint8_t *message, size_t size);

/* Writes the cookie reply to a message with a valid mac1 that came from 'from'. */
void wrn_cookie_write_reply(struct wrn_crypto *crypto, struct wrn_cookie_checker *checker,
                            wrn_mono now, struct wrn_rand rand, const struct wrn_endpoint *from,
                            const uint8_t *message, size_t size,
                            uint8_t ret_reply[WRN_WG_COOKIE_SIZE]);

/* Appends mac1 and, with a fresh cookie in the jar, mac2 to a message of 'size' bytes (MACs
 * included). */
void wrn_cookie_add_macs(struct wrn_crypto *crypto, struct wrn_cookie_jar *jar, wrn_mono now,
                         const uint8_t remote_static[WRN_WG_KEY_SIZE], uint8_t *message,
                         size_t size);

/* Takes the cookie out of a reply. Returns WRN_DROP_NONE, WRN_DROP_UNEXPECTED_COOKIE (nothing was
 * sent that it could answer) or WRN_DROP_BAD_COOKIE. */
enum wrn_drop wrn_cookie_read_reply(struct wrn_crypto *crypto, struct wrn_cookie_jar *jar,
                                    wrn_mono now, const uint8_t remote_static[WRN_WG_KEY_SIZE],
                                    const uint8_t reply[WRN_WG_COOKIE_SIZE]);
