/* SPDX-License-Identifier: Apache-2.0 */
/* X25519. libcrypto allocates its key objects for each call and wipes them when they are freed. */
#include "crypto/crypto.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "crypto/internal.h"

/* The u-coordinate of the generator, RFC 7748, section 4.1. */
static const uint8_t base_point[WRN_KEY_SIZE] = {9};

static EVP_PKEY *import_private(struct wrn_crypto *crypto, const uint8_t private_key[WRN_KEY_SIZE]);
static EVP_PKEY *import_public(struct wrn_crypto *crypto, const uint8_t public_key[WRN_KEY_SIZE]);
static bool derive(EVP_PKEY *own, EVP_PKEY *peer, uint8_t ret_shared[WRN_KEY_SIZE]);

void wrn_x25519_clamp(uint8_t private_key[WRN_KEY_SIZE]) {
    private_key[0] &= 248;
    private_key[31] = (uint8_t)((private_key[31] & 127) | 64);
}

bool wrn_x25519_public(struct wrn_crypto *crypto, const uint8_t private_key[WRN_KEY_SIZE],
                       uint8_t ret_public[WRN_KEY_SIZE]) {
    return wrn_x25519(crypto, private_key, base_point, ret_public);
}

bool wrn_x25519(struct wrn_crypto *crypto, const uint8_t private_key[WRN_KEY_SIZE],
                const uint8_t public_key[WRN_KEY_SIZE], uint8_t ret_shared[WRN_KEY_SIZE]) {
    ERR_set_mark(); /* a refused point is no news to whoever reads libcrypto's error queue */
    EVP_PKEY *own = import_private(crypto, private_key);
    EVP_PKEY *peer = import_public(crypto, public_key);
    uint8_t shared[WRN_KEY_SIZE] = {0};
    bool ok =
        own && peer && derive(own, peer, shared) && !wrn_is_zero_secret(shared, sizeof(shared));
    if (ok) {
        memcpy(ret_shared, shared, sizeof(shared));
    } else {
        wrn_wipe(ret_shared, WRN_KEY_SIZE);
    }
    wrn_wipe(shared, sizeof(shared));
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    ERR_pop_to_mark();
    return ok;
}

/* Without a public part libcrypto would compute it, which doubles the cost, although agreeing on a
 * secret does not use it: any bytes serve. */
static EVP_PKEY *import_private(struct wrn_crypto *crypto,
                                const uint8_t private_key[WRN_KEY_SIZE]) {
    EVP_PKEY *key = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, (void *)(uintptr_t)private_key,
                                          WRN_KEY_SIZE),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)base_point,
                                          WRN_KEY_SIZE),
        OSSL_PARAM_construct_end(),
    };
    return EVP_PKEY_fromdata(crypto->x25519, &key, EVP_PKEY_KEYPAIR, params) == 1 ? key : NULL;
}

static EVP_PKEY *import_public(struct wrn_crypto *crypto, const uint8_t public_key[WRN_KEY_SIZE]) {
    EVP_PKEY *key = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)public_key,
                                          WRN_KEY_SIZE),
        OSSL_PARAM_construct_end(),
    };
    return EVP_PKEY_fromdata(crypto->x25519, &key, EVP_PKEY_PUBLIC_KEY, params) == 1 ? key : NULL;
}

/* Fails for a point of low order: libcrypto checks for the all-zero result. */
static bool derive(EVP_PKEY *own, EVP_PKEY *peer, uint8_t ret_shared[WRN_KEY_SIZE]) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    size_t size = WRN_KEY_SIZE;
    bool ok = ctx && EVP_PKEY_derive_init(ctx) == 1 &&
              EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1 &&
              EVP_PKEY_derive(ctx, ret_shared, &size) == 1 && size == WRN_KEY_SIZE;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}
