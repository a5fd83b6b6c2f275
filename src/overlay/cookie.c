/* SPDX-License-Identifier: Apache-2.0 */
/* Cookies: a MAC over an address under a secret that lives for two minutes and is remembered for
 * two more. Nothing is kept for who got one. */
#include "base/wire.h"
#include "overlay/pair.h"

enum { SOURCE_SIZE = 1 + 16 + 2 + 4 };
#define SECRET_LIFE_NS WRN_S(120)

static void make_with(const struct wrn_primitives *primitives, const uint8_t secret[WRN_KEY_SIZE],
                      const struct wrn_endpoint *from, uint8_t ret_cookie[WRN_COOKIE_SIZE]);

void wrn_cookies_init(struct wrn_cookies *cookies, wrn_mono now, struct wrn_rand rand) {
    wrn_rand_fill(rand, cookies->secrets, sizeof(cookies->secrets));
    cookies->renewed = now;
}

void wrn_cookies_finish(struct wrn_cookies *cookies) {
    wrn_wipe(cookies, sizeof(*cookies));
}

void wrn_cookie_make(struct wrn_cookies *cookies, const struct wrn_primitives *primitives,
                     wrn_mono now, struct wrn_rand rand, const struct wrn_endpoint *from,
                     uint8_t ret_cookie[WRN_COOKIE_SIZE]) {
    uint64_t age = wrn_mono_since(now, cookies->renewed);
    if (age >= 2 * SECRET_LIFE_NS) {
        wrn_cookies_init(cookies, now, rand); /* what the current one made is over, too */
    } else if (age >= SECRET_LIFE_NS) {
        memcpy(cookies->secrets[1], cookies->secrets[0], WRN_KEY_SIZE);
        wrn_rand_fill(rand, cookies->secrets[0], WRN_KEY_SIZE);
        cookies->renewed = wrn_mono_add(cookies->renewed, SECRET_LIFE_NS);
    }
    make_with(primitives, cookies->secrets[0], from, ret_cookie);
}

bool wrn_cookie_check(const struct wrn_cookies *cookies, const struct wrn_primitives *primitives,
                      wrn_mono now, const struct wrn_endpoint *from,
                      const uint8_t cookie[WRN_COOKIE_SIZE]) {
    uint64_t age = wrn_mono_since(now, cookies->renewed);
    bool ok = false;
    for (size_t i = 0; i < WRN_COUNT(cookies->secrets); i++) {
        uint8_t ours[WRN_COOKIE_SIZE];
        make_with(primitives, cookies->secrets[i], from, ours);
        bool is_alive = age < (2 - i) * SECRET_LIFE_NS;
        ok |= wrn_equal_secret(ours, cookie, sizeof(ours)) && is_alive;
        wrn_wipe(ours, sizeof(ours));
    }
    return ok;
}

/* The scope belongs to the address: a link-local one is another node's on another interface. */
static void make_with(const struct wrn_primitives *primitives, const uint8_t secret[WRN_KEY_SIZE],
                      const struct wrn_endpoint *from, uint8_t ret_cookie[WRN_COOKIE_SIZE]) {
    static_assert((int)WRN_COOKIE_SIZE == (int)WRN_MAC_SIZE, "a cookie is a MAC");
    uint8_t source[SOURCE_SIZE];
    struct wrn_writer writer = wrn_writer(source, sizeof(source));
    wrn_write_u8(&writer, from->ip.family);
    wrn_write_bytes(&writer, from->ip.bytes, sizeof(from->ip.bytes));
    wrn_write_u16(&writer, from->port);
    wrn_write_u32(&writer, from->scope_id);
    WRN_ASSERT(!writer.failed && writer.size == sizeof(source));
    primitives->mac(primitives->ctx, (wrn_span){secret, WRN_KEY_SIZE},
                    (wrn_span){source, sizeof(source)}, ret_cookie);
}
