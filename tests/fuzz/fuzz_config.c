/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no configuration breaks a machine, and what it prints configures another one the same way.
 * Method: the input is the body of one or more sets (an empty line ends each), obeyed line by line
 * as the device does; then the printed state is fed to a second machine and both are compared. */
#include "fuzz.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/rand.h"
#include "crypto/crypto.h"
#include "device/apply.h"
#include "wg/uapi.h"
#include "wg/wg.h"

enum { PEERS_MAX = 8, PREFIXES_MAX = 16, TEXT_MAX = 1 << 16 };

struct subject {
    struct wrn_wg *wg;
    void *memory;
    struct wrn_wg_out out;
    struct wrn_uapi_interface interface;
};

static const struct wrn_now now = {{WRN_S(1000)}, {1700000000, 0}};

static int set_listen_port(void *ctx, uint16_t port) {
    struct subject *s = ctx;
    if (port == 1) {
        return -EADDRINUSE; /* so that a set can fail half-way */
    }
    s->interface.listen_port = port;
    return 0;
}

static int set_fwmark(void *ctx, uint32_t mark) {
    ((struct subject *)ctx)->interface.fwmark = mark;
    return 0;
}

static int set_workers(void *ctx, uint32_t count) {
    ((struct subject *)ctx)->interface.workers = count;
    return count > 32 ? -EOPNOTSUPP : 0;
}

static int set_offloads(void *ctx, uint32_t offloads) {
    ((struct subject *)ctx)->interface.offloads = offloads;
    return 0;
}

static int find_interface(void *ctx, const char *name, uint32_t *ret_index) {
    (void)ctx;
    *ret_index = (uint32_t)strlen(name);
    return name[0] == 'x' ? -ENODEV : 0;
}

static void create(struct subject *s, struct wrn_crypto *crypto, struct wrn_prng *prng) {
    struct wrn_wg_options options = {
        .peers_max = PEERS_MAX,
        .prefixes_max = PREFIXES_MAX,
        .staged_max_bytes = 1,
        .handshakes_per_s = 100,
    };
    memset(s, 0, sizeof *s);
    s->memory = calloc(1, wrn_wg_memory_size(&options) + 64);
    WRN_ASSERT(s->memory != NULL);
    void *aligned = (void *)wrn_align_up((uintptr_t)s->memory, 64);
    s->wg = wrn_wg_init(aligned, &options, crypto, wrn_prng_rand(prng));
    wrn_wg_set_up(s->wg, now, true, &s->out);
}

static void destroy(struct subject *s) {
    wrn_wg_finish(s->wg);
    free(s->memory);
}

/* Obeys the lines up to the first empty one. Returns 0 or the error that ended it. */
static int obey(struct subject *s, wrn_span *text) {
    struct wrn_apply_host host = {
        .wg = s->wg,
        .out = &s->out,
        .ctx = s,
        .set_listen_port = set_listen_port,
        .set_fwmark = set_fwmark,
        .set_workers = set_workers,
        .set_offloads = set_offloads,
        .find_interface = find_interface,
    };
    struct wrn_uapi_reader reader = {0};
    struct wrn_apply apply;
    struct wrn_uapi_op op;
    const char *why = NULL;
    wrn_span line;
    int error = 0;

    wrn_apply_begin(&apply, &host);
    while (error == 0 && wrn_uapi_next_line(text, &line) && line.size > 0) {
        error = wrn_uapi_read_line(&reader, line, &op, &why);
        if (error == 0) {
            error = wrn_apply_op(&apply, now, &op, &why);
        }
        s->out.message_count = 0;
        s->out.event_count = 0;
    }
    int last = wrn_apply_end(&apply, now, &why);
    s->out.message_count = 0;
    s->out.event_count = 0;
    WRN_ASSERT((error == 0 && last == 0) || why != NULL); /* a refusal names its cause */
    return error != 0 ? error : last;
}

/* Prints the state and keeps the lines that a set understands. */
static size_t print_settings(const struct subject *s, char *ret_text) {
    static char all[TEXT_MAX];
    struct wrn_uapi_writer writer = {.with_stats = true};
    size_t size = 0;
    size_t kept = 0;
    for (size_t got; (got = wrn_uapi_write_get(&writer, s->wg, &s->interface, all + size,
                                               TEXT_MAX - size)) > 0;) {
        size += got;
        WRN_ASSERT(TEXT_MAX - size >= WRN_UAPI_PIECE_MAX);
    }
    wrn_span text = {(const uint8_t *)all, size};
    wrn_span line;
    static const char *const facts[] = {"last_",   "tx_bytes", "rx_bytes", "errno",
                                        "workers", "tun_",     "udp_"};
    while (wrn_uapi_next_line(&text, &line)) {
        bool is_fact = line.size == 0;
        for (size_t i = 0; i < WRN_COUNT(facts); i++) {
            size_t length = strlen(facts[i]);
            is_fact |= line.size >= length && memcmp(line.data, facts[i], length) == 0;
        }
        if (!is_fact) {
            memcpy(ret_text + kept, line.data, line.size);
            ret_text[kept + line.size] = '\n';
            kept += line.size + 1;
        }
    }
    return kept;
}

static void compare(const struct subject *a, const struct subject *b) {
    uint32_t cursor = 0;
    WRN_ASSERT(wrn_wg_peer_count(a->wg) == wrn_wg_peer_count(b->wg));
    WRN_ASSERT((wrn_wg_private_key(a->wg) == NULL) == (wrn_wg_private_key(b->wg) == NULL));
    for (wrn_handle peer;
         !wrn_handle_equal(peer = wrn_wg_peer_next(a->wg, &cursor), WRN_HANDLE_NONE);) {
        struct wrn_wg_peer_info x, y;
        WRN_ASSERT(wrn_wg_peer_info(a->wg, peer, &x));
        wrn_handle twin = wrn_wg_peer_find(b->wg, x.public_key);
        WRN_ASSERT(wrn_wg_peer_info(b->wg, twin, &y));
        WRN_ASSERT(memcmp(x.psk, y.psk, sizeof x.psk) == 0 && x.keepalive_s == y.keepalive_s);
        WRN_ASSERT(x.endpoint.ip.family == WRN_FAMILY_NONE ||
                   wrn_endpoint_equal(&x.endpoint, &y.endpoint));
        uint64_t at_x = 0, at_y = 0;
        struct wrn_prefix p, q;
        while (wrn_wg_peer_next_allowed(a->wg, peer, &at_x, &p)) {
            WRN_ASSERT(wrn_wg_peer_next_allowed(b->wg, twin, &at_y, &q));
            WRN_ASSERT(wrn_ip_equal(&p.ip, &q.ip) && p.length_bits == q.length_bits);
        }
        WRN_ASSERT(!wrn_wg_peer_next_allowed(b->wg, twin, &at_y, &q));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char settings[TEXT_MAX];
    struct wrn_crypto *crypto;
    struct wrn_prng prng;
    struct subject first, second;
    wrn_prng_init(&prng, 1, 1);
    WRN_ASSERT(wrn_crypto_create(WRN_CRYPTO_AUTO, &crypto) == 0);
    create(&first, crypto, &prng);
    create(&second, crypto, &prng);

    wrn_span text = {data, size};
    while (text.size > 0) {
        (void)obey(&first, &text);
        WRN_ASSERT(wrn_wg_peer_count(first.wg) <= PEERS_MAX);
    }
    wrn_span printed = {(const uint8_t *)settings, print_settings(&first, settings)};
    int error = obey(&second, &printed);
    WRN_ASSERT(error == 0);
    compare(&first, &second);

    destroy(&first);
    destroy(&second);
    wrn_crypto_destroy(crypto);
    return 0;
}
