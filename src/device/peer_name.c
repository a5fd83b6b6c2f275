/* SPDX-License-Identifier: Apache-2.0 */
/* Short forms of public keys. Pure. */
#include "device/peer_name.h"

#include <stdio.h>

#include "crypto/crypto.h"

enum { KEY_CHARACTERS = 43 }; /* 32 bytes in base64 without padding */

static char character(const uint8_t key[WRN_WG_KEY_SIZE], unsigned place);

void wrn_peer_name(const struct wrn_wg *wg, wrn_handle peer, char ret_name[WRN_PEER_NAME_SIZE]) {
    struct wrn_wg_peer_info info;
    if (!wrn_wg_peer_info(wg, peer, &info)) {
        (void)snprintf(ret_name, WRN_PEER_NAME_SIZE, "peer(unknown)");
        return;
    }
    wrn_peer_name_of_key(info.public_key, ret_name);
    wrn_wipe(&info, sizeof info); /* it holds the preshared key */
}

void wrn_peer_name_of_key(const uint8_t public_key[WRN_WG_KEY_SIZE],
                          char ret_name[WRN_PEER_NAME_SIZE]) {
    char part[8];
    for (unsigned i = 0; i < 4; i++) {
        part[i] = character(public_key, i);
        part[4 + i] = character(public_key, KEY_CHARACTERS - 4 + i);
    }
    (void)snprintf(ret_name, WRN_PEER_NAME_SIZE, "peer(%.4s\xe2\x80\xa6%.4s)", part, part + 4);
}

/* Returns the base64 character that stands at 'place': 6 bits of the key, missing ones are 0. */
static char character(const uint8_t key[WRN_WG_KEY_SIZE], unsigned place) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned first_bit = place * 6;
    unsigned byte = first_bit / 8;
    unsigned next = byte + 1 < WRN_WG_KEY_SIZE ? key[byte + 1] : 0;
    unsigned both = (unsigned)key[byte] << 8 | next;
    return alphabet[both >> (10 - first_bit % 8) & 63];
}
