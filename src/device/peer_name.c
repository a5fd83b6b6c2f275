/* SPDX-License-Identifier: Apache-2.0 */
/* Short forms of public keys. Pure. */
#include "device/peer_name.h"

#include <stdio.h>

#include "crypto/crypto.h"
#include "device/key_text.h"

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
    char text[WRN_BASE64_KEY_SIZE];
    wrn_base64_write_key(public_key, text);
    const char *last = text + WRN_BASE64_KEY_SIZE - 2 - 4; /* without the padding */
    (void)snprintf(ret_name, WRN_PEER_NAME_SIZE, "peer(%.4s\xe2\x80\xa6%.4s)", text, last);
}
