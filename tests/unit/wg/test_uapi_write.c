/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the writing half of the userspace API, on real machines: the exact text of `get`, in
 * pieces for any buffer, read back into a second machine; the counters of `stats`. */
#include "wg/uapi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/rand.h"
#include "crypto/crypto.h"
#include "unit/wg/world.h"
#include "wg/machine.h"

enum { TEXT_MAX = 1 << 18, PEERS_MAX = 64, PREFIXES_MAX = 1024 };

/* A machine and the text that it last printed. */
struct end {
    void *memory;
    struct wrn_wg *wg;
    struct wrn_uapi_interface interface;
    char text[TEXT_MAX];
    size_t size;
};

struct fixture {
    struct wrn_crypto *crypto;
    struct wrn_prng prng;
    struct wrn_now now;
    struct end first, second;
};

static void end_init(struct fixture *f, struct end *end) {
    const struct wrn_wg_options options = {
        .peers_max = PEERS_MAX,
        .prefixes_max = PREFIXES_MAX,
        .staged_max_bytes = 1 << 16,
        .handshakes_per_s = 100,
    };
    size_t size = wrn_align_up(wrn_wg_memory_size(&options), 64);
    end->memory = aligned_alloc(64, size);
    assert_non_null(end->memory);
    memset(end->memory, 0, size);
    end->wg = wrn_wg_init(end->memory, &options, f->crypto, wrn_prng_rand(&f->prng));
    end->interface = (struct wrn_uapi_interface){0};
}

static void end_finish(struct end *end) {
    wrn_wg_finish(end->wg);
    free(end->memory);
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    const char *text = getenv("WARREN_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : UINT64_C(20240301);
    assert_non_null(f);
    print_message("# WARREN_TEST_SEED=%llu\n", (unsigned long long)seed);
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_AUTO, &f->crypto), 0);
    wrn_prng_init(&f->prng, seed, 1);
    f->now = (struct wrn_now){{WRN_S(1000)}, {1700000000, 5}};
    end_init(f, &f->first);
    end_init(f, &f->second);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    end_finish(&f->first);
    end_finish(&f->second);
    wrn_crypto_destroy(f->crypto);
    free(f);
    return 0;
}

/* Prints the whole answer through a buffer of 'size' bytes into 'ret_text', terminated, and checks
 * that no byte behind the buffer is written. Returns the size of the text. */
static size_t print_through(const struct wrn_wg *wg, const struct wrn_uapi_interface *interface,
                            const char *lines, size_t size, char ret_text[TEXT_MAX]) {
    struct wrn_uapi_writer writer;
    size_t used = 0, piece;
    wrn_span body = {(const uint8_t *)lines, strlen(lines)};
    assert_int_equal(wrn_uapi_begin_get(&writer, body), 0);
    char *buffer = malloc(size + 8);
    assert_non_null(buffer);
    memset(buffer + size, '#', 8);
    while ((piece = wrn_uapi_write_get(&writer, wg, interface, buffer, size)) != 0) {
        assert_true(piece <= size && used + piece < TEXT_MAX);
        memcpy(ret_text + used, buffer, piece);
        used += piece;
    }
    assert_memory_equal(buffer + size, "########", 8);
    assert_int_equal(wrn_uapi_write_get(&writer, wg, interface, buffer, size), 0);
    free(buffer);
    ret_text[used] = 0;
    return used;
}

static void end_print(struct end *end) {
    end->size = print_through(end->wg, &end->interface, "", TEXT_MAX / 2, end->text);
}

/* Does what one line of a `set` asks for. */
static void apply(struct fixture *f, struct end *end, const struct wrn_uapi_op *op,
                  wrn_handle *peer) {
    switch (op->kind) {
    case WRN_UAPI_PRIVATE_KEY:
        assert_int_equal(wrn_wg_set_private_key(end->wg, f->now, op->key), 0);
        return;
    case WRN_UAPI_LISTEN_PORT:
        end->interface.listen_port = (uint16_t)op->number;
        return;
    case WRN_UAPI_FWMARK:
        end->interface.fwmark = op->number;
        return;
    case WRN_UAPI_PEER:
        assert_int_equal(wrn_wg_peer_add(end->wg, f->now, op->key, peer), 0);
        return;
    case WRN_UAPI_PEER_PSK:
        wrn_wg_peer_set_psk(end->wg, *peer, op->key);
        return;
    case WRN_UAPI_PEER_ENDPOINT:
        wrn_wg_peer_set_endpoint(end->wg, *peer, &op->endpoint);
        return;
    case WRN_UAPI_PEER_KEEPALIVE:
        wrn_wg_peer_set_keepalive(end->wg, f->now, *peer, (uint16_t)op->number);
        return;
    case WRN_UAPI_PEER_ALLOW:
        assert_int_equal(wrn_wg_peer_allow(end->wg, *peer, &op->prefix), 0);
        return;
    case WRN_UAPI_PEER_CIPHER:
        wrn_wg_peer_set_cipher(end->wg, f->now, *peer, (enum wrn_cipher)op->number, NULL);
        return;
    case WRN_UAPI_PEER_PROTOCOL:
        return;
    case WRN_UAPI_REPLACE_PEERS:
    case WRN_UAPI_WORKERS:
    case WRN_UAPI_OFFLOADS:
    case WRN_UAPI_PEER_REMOVE:
    case WRN_UAPI_PEER_UPDATE_ONLY:
    case WRN_UAPI_PEER_REPLACE_ALLOWED:
    case WRN_UAPI_PEER_DISALLOW:
        break;
    }
    fail_msg("operation %d is not in the answer of a get", (int)op->kind);
}

/* Obeys lines that `get` printed or that a test wrote; those that only `get` knows are passed over.
 * */
static void end_obey(struct fixture *f, struct end *end, const char *text) {
    static const char *const only_get[] = {"last_handshake_time_",
                                           "tx_bytes=", "rx_bytes=", "errno="};
    struct wrn_uapi_reader reader = {0};
    wrn_span body = {(const uint8_t *)text, strlen(text)};
    wrn_span line;
    wrn_handle peer = WRN_HANDLE_NONE;
    while (wrn_uapi_next_line(&body, &line)) {
        struct wrn_uapi_op op;
        const char *why = NULL;
        bool skip = line.size == 0;
        for (size_t i = 0; i < WRN_COUNT(only_get); i++) {
            size_t size = strlen(only_get[i]);
            skip = skip || (line.size >= size && memcmp(line.data, only_get[i], size) == 0);
        }
        if (skip) {
            continue;
        }
        if (wrn_uapi_read_line(&reader, line, &op, &why) != 0) {
            fail_msg("'%.*s': %s", (int)line.size, (const char *)line.data, why);
        }
        apply(f, end, &op, &peer);
    }
}

#define KEY_A  "c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038"
#define KEY_B  "4eb32f4a83f88d842563a448cc181bb2c42a637bf12363e2fb2ef594e5965d7d"
#define SECRET "c809f3e5317e9575c9b5ed78b638b7ce530dabe85ddab614220241801ddf0669"
#define PSK    "fd4c1c48f837f215bf0fd637b5c4b514e5742b5c2e51131b4b4b1eb0910fe5a9"
#define ZERO   "0000000000000000000000000000000000000000000000000000000000000000"
#define NEVER  "last_handshake_time_sec=0\nlast_handshake_time_nsec=0\ntx_bytes=0\nrx_bytes=0\n"

/* Goal: what is not set has no line.
 * Method: a fresh machine; then a port, a mark and a key, each alone. */
static void unset_values_have_no_line(void **state) {
    struct fixture *f = *state;
    struct end *end = &f->first;
    end_print(end);
    assert_string_equal(end->text, "errno=0\n\n");
    end->interface.listen_port = 65535;
    end_print(end);
    assert_string_equal(end->text, "listen_port=65535\nerrno=0\n\n");
    end->interface = (struct wrn_uapi_interface){.fwmark = UINT32_MAX};
    end_print(end);
    assert_string_equal(end->text, "fwmark=4294967295\nerrno=0\n\n");
    end->interface.fwmark = 0;
    end_obey(f, end, "private_key=" SECRET);
    end_print(end);
    assert_string_equal(end->text, "private_key=" SECRET "\nerrno=0\n\n");
    end_obey(f, end, "private_key=" ZERO);
    end_print(end);
    assert_string_equal(end->text, "errno=0\n\n");
}

/* Goal: the answer of a `get` is, to the byte, what wg(8) and other tools read.
 * Method: a configuration with every key, an expected text written by hand. */
static void answer_is_exact(void **state) {
    struct fixture *f = *state;
    struct end *end = &f->first;
    end_obey(f, end,
             "private_key=" SECRET "\nlisten_port=51820\nfwmark=4660\n"
             "public_key=" KEY_A "\npreshared_key=" PSK "\nendpoint=192.0.2.1:51820\n"
             "persistent_keepalive_interval=25\nallowed_ip=fd00::1:2/64\nallowed_ip=10.0.0.0/8\n"
             "allowed_ip=10.1.2.3/32\npublic_key=" KEY_B "\nendpoint=[fe80::1%3]:9\n"
             "allowed_ip=::/0\n");
    end_print(end);
    assert_string_equal(end->text,
                        "private_key=" SECRET "\nlisten_port=51820\nfwmark=4660\n"
                        "public_key=" KEY_A "\npreshared_key=" PSK "\nprotocol_version=1\n"
                        "endpoint=192.0.2.1:51820\n" NEVER "persistent_keepalive_interval=25\n"
                        "allowed_ip=10.0.0.0/8\nallowed_ip=10.1.2.3/32\nallowed_ip=fd00::/64\n"
                        "public_key=" KEY_B "\npreshared_key=" ZERO "\nprotocol_version=1\n"
                        "endpoint=[fe80::1%3]:9\n" NEVER "persistent_keepalive_interval=0\n"
                        "allowed_ip=::/0\nerrno=0\n\n");
}

/* Goal: the longest values fit the smallest buffer.
 * Method: every value as long as it gets, printed through WRN_UAPI_PIECE_MAX bytes. */
static void longest_values_fit(void **state) {
    struct fixture *f = *state;
    struct end *end = &f->first;
    static const char longest[] =
        "private_key=" SECRET "\nlisten_port=65535\nfwmark=4294967295\n"
        "public_key=" KEY_A "\npreshared_key=" PSK
        "\nendpoint=[1111:2222:3333:4444:5555:6666:7777:8888%4294967295]:65535\n"
        "persistent_keepalive_interval=65535\n"
        "allowed_ip=1111:2222:3333:4444:5555:6666:7777:8888/128\n";
    end_obey(f, end, longest);
    (void)print_through(end->wg, &end->interface, "", WRN_UAPI_PIECE_MAX, end->text);
    end_obey(f, &f->second, end->text);
    (void)print_through(f->second.wg, &f->second.interface, "", WRN_UAPI_PIECE_MAX, f->second.text);
    assert_string_equal(f->second.text, end->text);
    assert_non_null(strstr(end->text, "%4294967295]:65535\n"));
    assert_non_null(strstr(end->text, ":8888/128\n"));
    uint32_t cursor = 0;
    wrn_handle peer = wrn_wg_peer_next(end->wg, &cursor);
    wrn_wg_peer_get(end->wg, peer)->remote_cipher = WRN_CIPHER_AES_256_GCM;
    end->interface.workers = UINT32_MAX;
    end->interface.offloads = WRN_UAPI_OFFLOADS_ALL;
    end->interface.aead = "a name of 64 characters, as long as the longest that it may be....";
    (void)print_through(end->wg, &end->interface, "stats=1\n", WRN_UAPI_PIECE_MAX, end->text);
    assert_non_null(strstr(end->text, "\ncipher=chacha20-poly1305\nremote_cipher=aes-256-gcm\n"));
}

/* Goal: lines that wg(8) does not know are printed only to those who ask for them.
 * Method: a peer with the second suite, and bodies of a `get`. */
static void our_own_lines_are_asked_for(void **state) {
    struct fixture *f = *state;
    struct end *end = &f->first;
    static const char *const wrong[] = {"stats=1", "stats=0\n", "stats=1\n\n", "stats=1\nstats=1\n",
                                        "x=y\n",   "\n"};
    end_obey(f, end, "public_key=" KEY_A "\npublic_key=" KEY_B "\n");
    uint32_t cursor = 0;
    wrn_wg_peer_set_cipher(end->wg, f->now, wrn_wg_peer_next(end->wg, &cursor),
                           WRN_CIPHER_AES_256_GCM, NULL);
    end->interface.workers = 3;
    end->interface.offloads = WRN_UAPI_OFFLOAD_CSUM | WRN_UAPI_OFFLOAD_TSO6;
    end->interface.aead = "some library";
    end_print(end);
    assert_null(strstr(end->text, "cipher"));
    assert_null(strstr(end->text, "workers"));
    assert_null(strstr(end->text, "offloads"));
    assert_null(strstr(end->text, "aead"));
    (void)print_through(end->wg, &end->interface, "stats=1\n", TEXT_MAX / 2, end->text);
    const char *first = strstr(end->text, "persistent_keepalive_interval=0\ncipher=aes-256-gcm\n");
    assert_non_null(first);
    assert_non_null(strstr(first, "public_key=" KEY_B "\n"));
    assert_non_null(strstr(first, "persistent_keepalive_interval=0\ncipher=chacha20-poly1305\n"));
    assert_null(strstr(end->text, "remote_cipher"));
    assert_non_null(strstr(end->text, "workers=3\ntun_offloads=csum,tso6\nudp_offloads=none\n"
                                      "aead=some library\n"));
    for (size_t i = 0; i < WRN_COUNT(wrong); i++) {
        struct wrn_uapi_writer writer;
        wrn_span body = {(const uint8_t *)wrong[i], strlen(wrong[i])};
        assert_int_equal(wrn_uapi_begin_get(&writer, body), -EPROTO);
    }
}

static struct wrn_prefix random_prefix(struct wrn_prng *prng) {
    char text[WRN_PREFIX_TEXT_SIZE];
    struct wrn_prefix prefix = {0};
    bool ipv4 = (wrn_prng_next(prng) >> 33) % 2 == 0;
    for (size_t i = 0; i < (ipv4 ? 4 : 16); i++) {
        prefix.ip.bytes[i] = (uint8_t)(wrn_prng_next(prng) >> 40);
    }
    prefix.ip.family = ipv4 ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6;
    prefix.length_bits = (uint8_t)((wrn_prng_next(prng) >> 32) % (ipv4 ? 33 : 129));
    size_t size = wrn_prefix_print(&prefix, text);
    assert_int_equal(wrn_prefix_parse((wrn_span){(uint8_t *)text, size}, &prefix), 0);
    return prefix;
}

/* Gives a fresh machine up to 40 peers with up to 20 prefixes each, some of them removed again. */
static void end_fill(struct fixture *f, struct end *end) {
    struct wrn_prng *prng = &f->prng;
    uint32_t peers = (uint32_t)(wrn_prng_next(prng) >> 32) % 40;
    uint8_t key[WRN_WG_KEY_SIZE];
    wrn_rand_fill(wrn_prng_rand(prng), key, sizeof(key));
    assert_int_equal(wrn_wg_set_private_key(end->wg, f->now, key), 0);
    end->interface.listen_port = (uint16_t)(wrn_prng_next(prng) >> 48);
    end->interface.fwmark = (uint32_t)(wrn_prng_next(prng) >> 32);
    for (uint32_t i = 0; i < peers; i++) {
        wrn_handle peer;
        uint32_t draw = (uint32_t)(wrn_prng_next(prng) >> 32);
        wrn_rand_fill(wrn_prng_rand(prng), key, sizeof(key));
        assert_int_equal(wrn_wg_peer_add(end->wg, f->now, key, &peer), 0);
        if (draw & 1) {
            wrn_rand_fill(wrn_prng_rand(prng), key, sizeof(key));
            wrn_wg_peer_set_psk(end->wg, peer, key);
        }
        if (draw & 2) {
            const struct wrn_endpoint endpoint = {random_prefix(prng).ip, (uint16_t)draw, 0};
            wrn_wg_peer_set_endpoint(end->wg, peer, &endpoint);
        }
        if (draw & 4) {
            wrn_wg_peer_set_keepalive(end->wg, f->now, peer, (uint16_t)(draw >> 16));
        }
        for (uint32_t j = (draw >> 8) % 21; j > 0; j--) {
            const struct wrn_prefix prefix = random_prefix(prng);
            assert_int_equal(wrn_wg_peer_allow(end->wg, peer, &prefix), 0);
        }
        if ((draw >> 3 & 7) == 0) {
            wrn_wg_peer_remove(end->wg, peer);
        }
    }
}

/* Goal: printing, reading and printing again gives the same text, through any buffer. Method: 200
 * random machines; buffers from the smallest on; a second machine that obeys the text. */
static void random_states_survive_print_and_read(void **state) {
    struct fixture *f = *state;
    static char pieces[TEXT_MAX];
    for (int round = 0; round < 200; round++) {
        end_fill(f, &f->first);
        end_print(&f->first);
        size_t size = WRN_UAPI_PIECE_MAX + (size_t)(wrn_prng_next(&f->prng) >> 32) % 3000;
        for (int i = 0; i < 2; i++) {
            size = i == 0 ? size : WRN_UAPI_PIECE_MAX;
            size_t got = print_through(f->first.wg, &f->first.interface, "", size, pieces);
            assert_int_equal(got, f->first.size);
            assert_memory_equal(pieces, f->first.text, got);
        }
        end_obey(f, &f->second, f->first.text);
        end_print(&f->second);
        assert_string_equal(f->second.text, f->first.text);
        end_finish(&f->first);
        end_finish(&f->second);
        end_init(f, &f->first);
        end_init(f, &f->second);
    }
}

/* Goal: times and counters of a live session are printed as the machine knows them.
 * Method: two machines that talk in virtual time; an expected text made with snprintf. */
static void live_values_are_printed(void **state) {
    struct fixture *f = *state;
    struct world *world = world_create(7, 2, 100);
    char want[512];
    world_advance(world, WRN_S(3) + 7);
    world_send(world, 0, 1, 1000, 1);
    world_pump(world);
    struct wrn_wg_peer_info info = world_info(world, 0, 1);
    assert_true(info.last_handshake.s > 0 && info.tx_bytes > 1000 && info.rx_bytes > 0);
    (void)print_through(world->side[0].wg, &f->first.interface, "", TEXT_MAX / 2, f->first.text);
    snprintf(want, sizeof(want),
             "\nendpoint=192.0.2.2:1001\nlast_handshake_time_sec=%lld\n"
             "last_handshake_time_nsec=%lu\ntx_bytes=%llu\nrx_bytes=%llu\n",
             (long long)info.last_handshake.s, (unsigned long)info.last_handshake.ns,
             (unsigned long long)info.tx_bytes, (unsigned long long)info.rx_bytes);
    assert_non_null(strstr(f->first.text, want));
    world_destroy(world);
}

/* Goal: `stats` lists every reason but NONE once, in the list's order, with its count. Method: a
 * different count for each reason, the last as large as it gets; text made with snprintf. */
static void stats_list_every_reason(void **state) {
    struct fixture *f = *state;
    char text[4097], want[4096] = "";
    size_t used = 0;
    for (int reason = WRN_DROP_NONE + 1; reason < WRN_DROP_COUNT; reason++) {
        uint64_t count = reason == WRN_DROP_COUNT - 1 ? UINT64_MAX : (uint64_t)reason * 1000 - 1;
        wrn_wg_count_drop(f->first.wg, (enum wrn_drop)reason, count);
        used += (size_t)snprintf(want + used, sizeof(want) - used, "drop_%s=%llu\n",
                                 wrn_drop_name((enum wrn_drop)reason), (unsigned long long)count);
    }
    snprintf(want + used, sizeof(want) - used, "errno=0\n\n");
    size_t size = wrn_uapi_write_stats(f->first.wg, text, sizeof(text) - 1);
    assert_true(size < sizeof(text));
    text[size] = 0;
    assert_string_equal(text, want);
    assert_non_null(strstr(text, "drop_bad_mac1="));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unset_values_have_no_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answer_is_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(longest_values_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(our_own_lines_are_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_states_survive_print_and_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(live_values_are_printed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stats_list_every_reason, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
