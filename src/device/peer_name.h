/* SPDX-License-Identifier: Apache-2.0 */
/* What a log calls a peer: the beginning and the end of its public key, never another key. */
#pragma once
#include "wg/wg.h"

enum { WRN_PEER_NAME_SIZE = 24 }; /* with the terminating zero */

/* Writes "peer(ABCD…wxyz)", the first and the last four characters of the key in base64 (the
 * padding left out), or "peer(unknown)" if the handle is not live. */
void wrn_peer_name(const struct wrn_wg *wg, wrn_handle peer, char ret_name[WRN_PEER_NAME_SIZE]);

/* Writes the same for a public key. */
void wrn_peer_name_of_key(const uint8_t public_key[WRN_WG_KEY_SIZE],
                          char ret_name[WRN_PEER_NAME_SIZE]);
