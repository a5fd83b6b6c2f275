/* SPDX-License-Identifier: Apache-2.0 */
/* mac1, mac2 and cookies. */
#include "wg/cookie.h"

#include "base/bytes.h"
#include "crypto/crypto.h"

static_assert((int)WRN_WG_MAC_SIZE == (int)WRN_MAC_SIZE, "one MAC size");

/* A cookie is used for mac2 only while its maker's secret surely still lives: the secret's age plus
 * the time a message travels. */
#define COOKIE_USE_NS (WRN_WG_COOKIE_LIFE_NS - WRN_WG_REKEY_TIMEOUT_NS)

static void label_key(struct wrn_crypto *crypto, const char *label,
                      const uint8_t public_key[WRN_WG_KEY_SIZE], uint8_t ret_key[WRN_WG_KEY_SIZE]);
static void make_cookie(struct wrn_crypto *crypto, struct wrn_cookie_checker *checker, wrn_mono now,
                        struct wrn_rand rand, const struct wrn_endpoint *from,
                        uint8_t ret_cookie[WRN_MAC_SIZE]);
static size_t mac1_at(size_t size);
static size_t mac2_at(size_t size);

void wrn_cookie_checker_set_key(struct wrn_crypto *crypto, struct wrn_cookie_checker *checker,
                                const uint8_t public_key[WRN_WG_KEY_SIZE]) {
    wrn_wipe(checker, sizeof *checker);
    label_key(crypto, "mac1----", public_key, checker->mac1_key);
    label_key(crypto, "cookie--", public_key, checker->cookie_key);
}

bool wrn_cookie_check_mac1(struct wrn_crypto *crypto, const uint8_t mac1_key[WRN_WG_KEY_SIZE],
                           const uint8_t *message, size_t size) {
    uint8_t mac[WRN_MAC_SIZE];
    wrn_blake2s_mac(crypto, (wrn_span){mac1_key, WRN_KEY_SIZE}, (wrn_span){message, mac1_at(size)},
                    mac);
    return wrn_equal_secret(mac, message + mac1_at(size), sizeof mac);
}

bool wrn_cookie_check_mac2(struct wrn_crypto *crypto, struct wrn_cookie_checker *checker,
                           wrn_mono now, struct wrn_rand rand, const struct wrn_endpoint *from,
                           const uint8_t *message, size_t size) {
    uint8_t cookie[WRN_MAC_SIZE];
    uint8_t mac[WRN_MAC_SIZE];
    make_cookie(crypto, checker, now, rand, from, cookie);
    wrn_blake2s_mac(crypto, (wrn_span){cookie, sizeof cookie}, (wrn_span){message, mac2_at(size)},
                    mac);
    bool ok = wrn_equal_secret(mac, message + mac2_at(size), sizeof mac);
    wrn_wipe(cookie, sizeof cookie);
    wrn_wipe(mac, sizeof mac);
    return ok;
}

void wrn_cookie_write_reply(struct wrn_crypto *crypto, struct wrn_cookie_checker *checker,
                            wrn_mono now, struct wrn_rand rand, const struct wrn_endpoint *from,
                            const uint8_t *message, size_t size,
                            uint8_t ret_reply[WRN_WG_COOKIE_SIZE]) {
    uint8_t cookie[WRN_MAC_SIZE];
    uint8_t *nonce = ret_reply + WRN_WG_COOKIE_NONCE_AT;

    make_cookie(crypto, checker, now, rand, from, cookie);
    memset(ret_reply, 0, WRN_WG_COOKIE_NONCE_AT);
    ret_reply[0] = WRN_WG_TYPE_COOKIE;
    memcpy(ret_reply + WRN_WG_RECEIVER_AT, message + WRN_WG_SENDER_AT, 4);
    wrn_rand_fill(rand, nonce, WRN_XNONCE_SIZE);
    wrn_xaead_seal(crypto, checker->cookie_key, nonce,
                   (wrn_span){message + mac1_at(size), WRN_MAC_SIZE}, cookie, sizeof cookie,
                   ret_reply + WRN_WG_COOKIE_TEXT_AT);
    wrn_wipe(cookie, sizeof cookie);
}

void wrn_cookie_add_macs(struct wrn_crypto *crypto, struct wrn_cookie_jar *jar, wrn_mono now,
                         const uint8_t remote_static[WRN_WG_KEY_SIZE], uint8_t *message,
                         size_t size) {
    uint8_t key[WRN_KEY_SIZE];
    uint8_t *mac1 = message + mac1_at(size);
    uint8_t *mac2 = message + mac2_at(size);

    label_key(crypto, "mac1----", remote_static, key);
    wrn_blake2s_mac(crypto, (wrn_span){key, sizeof key}, (wrn_span){message, mac1_at(size)}, mac1);
    memcpy(jar->last_mac1, mac1, WRN_MAC_SIZE);
    jar->awaits_reply = true;

    if (jar->has_cookie && wrn_mono_since(now, jar->cookie_born) < COOKIE_USE_NS) {
        wrn_blake2s_mac(crypto, (wrn_span){jar->cookie, sizeof jar->cookie},
                        (wrn_span){message, mac2_at(size)}, mac2);
    } else {
        memset(mac2, 0, WRN_MAC_SIZE);
    }
}

enum wrn_drop wrn_cookie_read_reply(struct wrn_crypto *crypto, struct wrn_cookie_jar *jar,
                                    wrn_mono now, const uint8_t remote_static[WRN_WG_KEY_SIZE],
                                    const uint8_t reply[WRN_WG_COOKIE_SIZE]) {
    uint8_t key[WRN_KEY_SIZE];
    uint8_t cookie[WRN_MAC_SIZE];

    if (!jar->awaits_reply) {
        return WRN_DROP_UNEXPECTED_COOKIE;
    }
    label_key(crypto, "cookie--", remote_static, key);
    if (!wrn_xaead_open(crypto, key, reply + WRN_WG_COOKIE_NONCE_AT,
                        (wrn_span){jar->last_mac1, sizeof jar->last_mac1},
                        reply + WRN_WG_COOKIE_TEXT_AT, sizeof cookie, cookie)) {
        return WRN_DROP_BAD_COOKIE;
    }
    memcpy(jar->cookie, cookie, sizeof cookie);
    wrn_wipe(cookie, sizeof cookie);
    jar->cookie_born = now;
    jar->has_cookie = true;
    jar->awaits_reply = false;
    return WRN_DROP_NONE;
}

/* The keys of both MAC fields follow from a public key: no secret is in them, so that even a
 * machine under load can check mac1 before any other work. */
static void label_key(struct wrn_crypto *crypto, const char *label,
                      const uint8_t public_key[WRN_WG_KEY_SIZE], uint8_t ret_key[WRN_WG_KEY_SIZE]) {
    wrn_blake2s(crypto, (wrn_span){(const uint8_t *)label, 8}, (wrn_span){public_key, WRN_KEY_SIZE},
                ret_key);
}

static void make_cookie(struct wrn_crypto *crypto, struct wrn_cookie_checker *checker, wrn_mono now,
                        struct wrn_rand rand, const struct wrn_endpoint *from,
                        uint8_t ret_cookie[WRN_MAC_SIZE]) {
    uint8_t source[sizeof from->ip.bytes + 2];
    size_t ip_size = from->ip.family == WRN_FAMILY_IPV4 ? 4 : 16;

    if (!checker->has_secret ||
        wrn_mono_since(now, checker->secret_born) >= WRN_WG_COOKIE_LIFE_NS) {
        wrn_rand_fill(rand, checker->secret, sizeof checker->secret);
        checker->secret_born = now;
        checker->has_secret = true;
    }
    memcpy(source, from->ip.bytes, ip_size);
    wrn_store_be16(source + ip_size, from->port);
    wrn_blake2s_mac(crypto, (wrn_span){checker->secret, sizeof checker->secret},
                    (wrn_span){source, ip_size + 2}, ret_cookie);
}

static size_t mac1_at(size_t size) {
    return size - 2 * (size_t)WRN_WG_MAC_SIZE;
}

static size_t mac2_at(size_t size) {
    return size - (size_t)WRN_WG_MAC_SIZE;
}
