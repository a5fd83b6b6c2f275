/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration lines obeyed on a real machine, with a port and a mark that only the test knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/rand.h"
#include "crypto/crypto.h"
#include "device/apply.h"

#define KEY_A "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define KEY_B "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"
#define KEY_C "c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3"

enum { PEERS_MAX = 2 };

struct fixture {
    struct wrn_crypto *crypto;
    struct wrn_prng prng;
    void *memory;
    struct wrn_wg *wg;
    struct wrn_wg_out out;
    struct wrn_apply_host host;
    struct wrn_now now;
    uint16_t port;
    uint32_t mark;
    uint32_t workers;
    int workers_error;
    uint32_t offloads;
    int port_error; /* with which the next change of the port fails */
    const char *why;
};

static int set_port(void *ctx, uint16_t port) {
    struct fixture *f = ctx;
    if (f->port_error != 0) {
        return f->port_error;
    }
    f->port = port;
    return 0;
}

static int set_mark(void *ctx, uint32_t mark) {
    struct fixture *f = ctx;
    f->mark = mark;
    return 0;
}

static int set_workers(void *ctx, uint32_t count) {
    struct fixture *f = ctx;
    f->workers = f->workers_error == 0 ? count : f->workers;
    return f->workers_error;
}

static int set_offloads(void *ctx, uint32_t offloads) {
    struct fixture *f = ctx;
    f->offloads = offloads;
    return 0;
}

static int find_interface(void *ctx, const char *name, uint32_t *ret_index) {
    (void)ctx;
    if (strcmp(name, "eth0") != 0) {
        return -ENODEV;
    }
    *ret_index = 42;
    return 0;
}

static int set_up(void **state) {
    static const struct wrn_wg_options options = {.peers_max = PEERS_MAX,
                                                  .prefixes_max = 64,
                                                  .staged_max_bytes = 1 << 16,
                                                  .handshakes_per_s = 100};
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_AUTO, &f->crypto), 0);
    size_t size = wrn_align_up(wrn_wg_memory_size(&options), 64);
    f->memory = aligned_alloc(64, size);
    assert_non_null(f->memory);
    memset(f->memory, 0, size);
    wrn_prng_init(&f->prng, 1, 2);
    f->wg = wrn_wg_init(f->memory, &options, f->crypto, wrn_prng_rand(&f->prng));
    f->now = (struct wrn_now){.mono = {WRN_S(1000)}, .wall = {.s = 1700000000}};
    f->host = (struct wrn_apply_host){.wg = f->wg,
                                      .out = &f->out,
                                      .ctx = f,
                                      .set_listen_port = set_port,
                                      .set_fwmark = set_mark,
                                      .set_workers = set_workers,
                                      .set_offloads = set_offloads,
                                      .find_interface = find_interface};
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    wrn_wg_finish(f->wg);
    wrn_crypto_destroy(f->crypto);
    free(f->memory);
    free(f);
    return 0;
}

/* Obeys the lines of a `set`, as the daemon's second pass does. */
static int set(struct fixture *f, const char *lines) {
    wrn_span body = {(const uint8_t *)lines, strlen(lines)};
    wrn_span line;
    struct wrn_uapi_reader reader = {0};
    struct wrn_apply apply;
    int error = 0;
    f->out.message_count = 0;
    f->why = NULL;
    wrn_apply_begin(&apply, &f->host);
    while (error == 0 && wrn_uapi_next_line(&body, &line)) {
        struct wrn_uapi_op op;
        assert_int_equal(wrn_uapi_read_line(&reader, line, &op, &f->why), 0);
        error = wrn_apply_op(&apply, f->now, &op, &f->why);
    }
    const char *why = NULL;
    int error_end = wrn_apply_end(&apply, f->now, &why);
    return error != 0 ? error : error_end;
}

/* Returns the `get` of the machine. */
static const char *get(struct fixture *f, char *text, size_t size) {
    struct wrn_uapi_writer writer = {0};
    struct wrn_uapi_interface interface = {.listen_port = f->port, .fwmark = f->mark};
    size_t used = 0;
    size_t printed;
    do {
        printed = wrn_uapi_write_get(&writer, f->wg, &interface, text + used, size - used - 1);
        used += printed;
    } while (printed > 0);
    text[used] = '\0';
    return text;
}

static void assert_has(struct fixture *f, const char *part, bool wanted) {
    char text[8192];
    if ((strstr(get(f, text, sizeof text), part) != NULL) != wanted) {
        fail_msg("\"%s\" %s in:\n%s", part, wanted ? "is missing" : "should not be", text);
    }
}

static enum wrn_cipher cipher_of(struct fixture *f, uint32_t cursor) {
    struct wrn_wg_peer_info info;
    assert_true(wrn_wg_peer_info(f->wg, wrn_wg_peer_next(f->wg, &cursor), &info));
    return info.cipher;
}

/* Does what is due now. Returns the suite byte of the only message, -1 if there is none. */
static int suite_of_due_initiation(struct fixture *f) {
    if (wrn_mono_reached(f->now.mono, wrn_wg_due(f->wg))) {
        wrn_wg_on_time(f->wg, f->now, &f->out);
    }
    uint32_t count = f->out.message_count;
    f->out.message_count = 0;
    assert_true(count <= 1 && (count == 0 || f->out.messages[0].size == WRN_WG_INITIATION_SIZE));
    return count == 0 ? -1 : f->out.messages[0].bytes[WRN_WG_SUITE_AT];
}

/* Goal: every key of a `set` arrives at the machine or the host.
 * Method: one of each, then `get`. */
static void every_key(void **state) {
    struct fixture *f = *state;
    assert_int_equal(
        set(f, "private_key=" KEY_C "\nlisten_port=51820\nfwmark=7\nreplace_peers=true\n"
               "public_key=" KEY_A "\npreshared_key=" KEY_B "\nendpoint=192.0.2.1:9\n"
               "persistent_keepalive_interval=25\nreplace_allowed_ips=true\nallowed_ip=10.0.0.0/8\n"
               "allowed_ip=fd00::/8\nallowed_ip=-10.0.0.0/8\nprotocol_version=1\n"
               "public_key=" KEY_B "\nendpoint=[fe80::1%eth0]:1\n"),
        0);
    assert_int_equal(f->port, 51820);
    assert_int_equal(f->mark, 7);
    assert_has(f, "preshared_key=" KEY_B "\n", true);
    assert_has(f, "endpoint=192.0.2.1:9\n", true);
    assert_has(f, "endpoint=[fe80::1%42]:1\n", true);
    assert_has(f, "persistent_keepalive_interval=25\n", true);
    assert_has(f, "allowed_ip=fd00::/8\n", true);
    assert_has(f, "allowed_ip=10.0.0.0/8\n", false);
    assert_int_equal(wrn_wg_peer_count(f->wg), 2);
}

/* Goal: the cipher is a peer's own, changes live and costs nothing where it does not change.
 * Method: set it on one of two peers, while a handshake is under way. */
static void cipher(void **state) {
    struct fixture *f = *state;
    wrn_wg_set_up(f->wg, f->now, true, &f->out);
    assert_int_equal(set(f, "private_key=" KEY_C "\npublic_key=" KEY_A
                            "\nendpoint=192.0.2.1:1\npersistent_keepalive_interval=10\n"
                            "cipher=aes-256-gcm\npublic_key=" KEY_B "\n"),
                     0);
    assert_int_equal(cipher_of(f, 0), WRN_CIPHER_AES_256_GCM);
    assert_int_equal(cipher_of(f, 1), WRN_CIPHER_CHACHA20_POLY1305);
    assert_int_equal(suite_of_due_initiation(f), WRN_WG_SUITE_AES_256_GCM);
    assert_int_equal(set(f, "public_key=" KEY_A "\ncipher=aes-256-gcm\n"), 0);
    assert_int_equal(suite_of_due_initiation(f), -1); /* nothing changed: the handshake goes on */
    assert_int_equal(set(f, "public_key=" KEY_A "\ncipher=chacha20-poly1305\n"), 0);
    assert_int_equal(cipher_of(f, 0), WRN_CIPHER_CHACHA20_POLY1305);
    assert_int_equal(suite_of_due_initiation(f), WRN_WG_SUITE_WIREGUARD);
    assert_int_equal(set(f, "public_key=" KEY_C "\nupdate_only=true\ncipher=aes-256-gcm\n"), 0);
    assert_int_equal(wrn_wg_peer_count(f->wg), 2);
}

/* Goal: update_only and remove make no peer, wherever in its block they stand.
 * Method: the orders that scripts write, on a peer that is not there and on one that is. */
static void peers_that_are_not_made(void **state) {
    struct fixture *f = *state;
    static const char *const blocks[] = {
        "public_key=" KEY_A "\nupdate_only=true\nallowed_ip=10.0.0.0/8\n",
        "public_key=" KEY_A "\nremove=true\n",
        "public_key=" KEY_A
        "\nremove=true\nallowed_ip=10.0.0.0/8\npersistent_keepalive_interval=5\n",
        "public_key=" KEY_A "\nallowed_ip=10.0.0.0/8\nupdate_only=true\nallowed_ip=10.1.0.0/16\n",
        "public_key=" KEY_A "\nallowed_ip=10.0.0.0/8\nremove=true\n",
    };
    for (size_t i = 0; i < WRN_COUNT(blocks); i++) {
        assert_int_equal(set(f, blocks[i]), 0);
        assert_int_equal(wrn_wg_peer_count(f->wg), 0);
    }
    assert_int_equal(set(f, "public_key=" KEY_A "\n"), 0);
    assert_int_equal(wrn_wg_peer_count(f->wg), 1);
    assert_int_equal(set(f, "public_key=" KEY_A "\nallowed_ip=10.9.0.0/16\nupdate_only=true\n"), 0);
    assert_has(f, "allowed_ip=10.9.0.0/16\n", true);
    assert_int_equal(set(f, "public_key=" KEY_A "\nremove=true\npublic_key=" KEY_B "\n"), 0);
    assert_has(f, "public_key=" KEY_B "\n", true);
    assert_has(f, "public_key=" KEY_A "\n", false);
    assert_int_equal(set(f, "replace_peers=true\n"), 0);
    assert_int_equal(wrn_wg_peer_count(f->wg), 0);
}

/* Goal: our own key as a peer is passed over, with its lines, and the others stay.
 * Method: the public key that belongs to the private key of the same request. */
static void ourselves(void **state) {
    struct fixture *f = *state;
    uint8_t private_key[WRN_WG_KEY_SIZE];
    uint8_t public_key[WRN_WG_KEY_SIZE];
    char text[512];
    char hex[2 * WRN_WG_KEY_SIZE + 1];
    memset(private_key, 0xc3, sizeof private_key);
    assert_true(wrn_x25519_public(f->crypto, private_key, public_key));
    for (size_t i = 0; i < sizeof public_key; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", public_key[i]);
    }
    (void)snprintf(text, sizeof text,
                   "private_key=" KEY_C "\npublic_key=%s\nallowed_ip=10.0.0.0/8\nendpoint="
                   "192.0.2.1:1\npublic_key=" KEY_A "\nallowed_ip=10.1.0.0/16\n",
                   hex);
    assert_int_equal(set(f, text), 0);
    assert_int_equal(wrn_wg_peer_count(f->wg), 1);
    assert_has(f, "allowed_ip=10.0.0.0/8\n", false);
    assert_has(f, "allowed_ip=10.1.0.0/16\n", true);
}

/* Goal: what fails stops the request there, with its error and a reason; what came before stays.
 * Method: a taken port, an interface that does not exist, one peer more than there is room for. */
static void failures(void **state) {
    struct fixture *f = *state;
    f->port_error = -EADDRINUSE;
    assert_int_equal(set(f, "fwmark=3\nlisten_port=5\nfwmark=4\n"), -EADDRINUSE);
    assert_non_null(f->why);
    assert_int_equal(f->mark, 3);
    assert_int_equal(set(f, "workers=2\noffloads=gro\n"), 0);
    f->workers_error = -EOPNOTSUPP;
    assert_int_equal(set(f, "offloads=none\nworkers=3\noffloads=all\n"), -EOPNOTSUPP);
    assert_non_null(strstr(f->why, "IFF_MULTI_QUEUE"));
    assert_int_equal(f->workers, 2);
    assert_int_equal(f->offloads, 0);
    assert_int_equal(set(f, "public_key=" KEY_A "\nendpoint=[fe80::1%eth9]:1\n"), -ENODEV);
    assert_non_null(f->why);
    assert_int_equal(wrn_wg_peer_count(f->wg), 1);
    assert_int_equal(set(f, "public_key=" KEY_B "\npublic_key=" KEY_C "\nallowed_ip=10.0.0.0/8\n"),
                     WRN_ERR_FULL);
    assert_non_null(f->why);
    assert_int_equal(wrn_wg_peer_count(f->wg), 2);
    /* the last line of all fails like any other */
    assert_int_equal(set(f, "public_key=" KEY_C "\n"), WRN_ERR_FULL);
}

/* Goal: a keepalive takes effect behind its peer's last line, so that the order of endpoint and
 * interval does not matter. Method: interval first, endpoint after it; the interface is up; then
 * let the time run to what is due. */
static void keepalive_before_endpoint(void **state) {
    struct fixture *f = *state;
    wrn_wg_set_up(f->wg, f->now, true, &f->out);
    assert_int_equal(set(f, "private_key=" KEY_C "\npublic_key=" KEY_A
                            "\npersistent_keepalive_interval=10\nendpoint=192.0.2.1:1\n"),
                     0);
    uint32_t messages = f->out.message_count;
    wrn_mono due = wrn_wg_due(f->wg);
    if (messages == 0 && wrn_mono_reached(f->now.mono, due)) {
        wrn_wg_on_time(f->wg, f->now, &f->out);
        messages = f->out.message_count;
    }
    assert_int_equal(messages, 1);
    assert_int_equal(f->out.messages[0].size, WRN_WG_INITIATION_SIZE);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cipher, set_up, tear_down),
        cmocka_unit_test_setup_teardown(peers_that_are_not_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ourselves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keepalive_before_endpoint, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
