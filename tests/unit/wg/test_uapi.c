/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the reading half of the userspace API: what is understood, what is refused and why,
 * requests in a stream, what wg(8) really sends, and every single-byte change of a valid request.
 * */
#include "wg/uapi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rand.h"

enum { TEXT_MAX = 8192, LINE_MAX_BYTES = 256 };

#define KEY_A  "c53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038"
#define KEY_B  "4eb32f4a83f88d842563a448cc181bb2c42a637bf12363e2fb2ef594e5965d7d"
#define SECRET "c809f3e5317e9575c9b5ed78b638b7ce530dabe85ddab614220241801ddf0669"
#define PSK    "fd4c1c48f837f215bf0fd637b5c4b514e5742b5c2e51131b4b4b1eb0910fe5a9"
#define ZERO   "0000000000000000000000000000000000000000000000000000000000000000"

static wrn_span span(const char *text) {
    return (wrn_span){(const uint8_t *)text, strlen(text)};
}

/* Hands the line over in memory of exactly its size, so that a sanitizer sees a read beyond it. */
static int read_exact(struct wrn_uapi_reader *reader, wrn_span line, struct wrn_uapi_op *ret_op,
                      const char **reterr_why) {
    uint8_t *copy = malloc(line.size > 0 ? line.size : 1);
    assert_non_null(copy);
    if (line.size > 0) {
        memcpy(copy, line.data, line.size);
    }
    int error = wrn_uapi_read_line(reader, (wrn_span){copy, line.size}, ret_op, reterr_why);
    free(copy);
    return error;
}

static const char *const kind_names[] = {
    [WRN_UAPI_PRIVATE_KEY] = "PRIVATE_KEY",
    [WRN_UAPI_LISTEN_PORT] = "LISTEN_PORT",
    [WRN_UAPI_FWMARK] = "FWMARK",
    [WRN_UAPI_REPLACE_PEERS] = "REPLACE_PEERS",
    [WRN_UAPI_PEER] = "PEER",
    [WRN_UAPI_PEER_REMOVE] = "REMOVE",
    [WRN_UAPI_PEER_UPDATE_ONLY] = "UPDATE_ONLY",
    [WRN_UAPI_PEER_PSK] = "PSK",
    [WRN_UAPI_WORKERS] = "WORKERS",
    [WRN_UAPI_OFFLOADS] = "OFFLOADS",
    [WRN_UAPI_PEER_ENDPOINT] = "ENDPOINT",
    [WRN_UAPI_PEER_KEEPALIVE] = "KEEPALIVE",
    [WRN_UAPI_PEER_REPLACE_ALLOWED] = "REPLACE_ALLOWED",
    [WRN_UAPI_PEER_ALLOW] = "ALLOW",
    [WRN_UAPI_PEER_DISALLOW] = "DISALLOW",
    [WRN_UAPI_PEER_PROTOCOL] = "PROTOCOL",
    [WRN_UAPI_PEER_CIPHER] = "CIPHER",
};

/* Says what an operation holds, e.g. "ALLOW 10.0.0.0/8"; keys by their first and last two bytes. */
static void describe(const struct wrn_uapi_op *op, char ret_text[LINE_MAX_BYTES]) {
    char value[WRN_ENDPOINT_TEXT_SIZE] = "";
    const uint8_t *k = op->key;
    assert_in_range(op->kind, WRN_UAPI_PRIVATE_KEY, WRN_UAPI_PEER_CIPHER);
    const char *name = kind_names[op->kind];
    switch (op->kind) {
    case WRN_UAPI_PRIVATE_KEY:
    case WRN_UAPI_PEER:
    case WRN_UAPI_PEER_PSK:
        snprintf(ret_text, LINE_MAX_BYTES, "%s %02x%02x..%02x%02x", name, k[0], k[1], k[30], k[31]);
        return;
    case WRN_UAPI_LISTEN_PORT:
    case WRN_UAPI_FWMARK:
    case WRN_UAPI_WORKERS:
    case WRN_UAPI_OFFLOADS:
    case WRN_UAPI_PEER_KEEPALIVE:
    case WRN_UAPI_PEER_PROTOCOL:
    case WRN_UAPI_PEER_CIPHER:
        snprintf(ret_text, LINE_MAX_BYTES, "%s %lu", name, (unsigned long)op->number);
        return;
    case WRN_UAPI_PEER_ENDPOINT:
        wrn_endpoint_print(&op->endpoint, value);
        snprintf(ret_text, LINE_MAX_BYTES, "%s %s%s%s", name, value,
                 op->scope_name[0] ? " on " : "", op->scope_name);
        return;
    case WRN_UAPI_PEER_ALLOW:
    case WRN_UAPI_PEER_DISALLOW:
        wrn_prefix_print(&op->prefix, value);
        snprintf(ret_text, LINE_MAX_BYTES, "%s %s", name, value);
        return;
    case WRN_UAPI_REPLACE_PEERS:
    case WRN_UAPI_PEER_REMOVE:
    case WRN_UAPI_PEER_UPDATE_ONLY:
    case WRN_UAPI_PEER_REPLACE_ALLOWED:
        snprintf(ret_text, LINE_MAX_BYTES, "%s", name);
        return;
    }
    fail_msg("kind %d", (int)op->kind);
}

/* Reads a whole `set` and describes it, operations joined by "; ". Fails the test on a refusal. */
static void transcript(const char *request, char ret_text[TEXT_MAX]) {
    struct wrn_uapi_reader reader = {0};
    wrn_span body, line;
    size_t size;
    size_t used = 0;
    assert_int_equal(wrn_uapi_next_request(span(request), &body, &size), WRN_UAPI_SET);
    assert_int_equal(size, strlen(request));
    ret_text[0] = 0;
    while (wrn_uapi_next_line(&body, &line)) {
        struct wrn_uapi_op op;
        const char *why = NULL;
        char one[LINE_MAX_BYTES];
        if (read_exact(&reader, line, &op, &why) != 0) {
            fail_msg("'%.*s': %s", (int)line.size, (const char *)line.data, why);
        }
        describe(&op, one);
        used += (size_t)snprintf(ret_text + used, TEXT_MAX - used, "%s%s", used ? "; " : "", one);
    }
}

static const struct {
    const char *line;
    const char *means;
} right_lines[] = {
    {"private_key=" SECRET, "PRIVATE_KEY c809..0669"},
    {"private_key=" ZERO, "PRIVATE_KEY 0000..0000"},
    {"listen_port=0", "LISTEN_PORT 0"},
    {"listen_port=65535", "LISTEN_PORT 65535"},
    {"listen_port=00000000000000051820", "LISTEN_PORT 51820"},
    {"fwmark=4294967295", "FWMARK 4294967295"},
    {"fwmark=0", "FWMARK 0"},
    {"fwmark=", "FWMARK 0"},
    {"workers=1", "WORKERS 1"},
    {"workers=64", "WORKERS 64"},
    {"workers=007", "WORKERS 7"},
    {"offloads=all", "OFFLOADS 63"},
    {"offloads=none", "OFFLOADS 0"},
    {"offloads=gro", "OFFLOADS 32"},
    {"offloads=gso,csum,tso4,tso6,uso,gro", "OFFLOADS 63"},
    {"offloads=csum,csum", "OFFLOADS 1"},
    {"replace_peers=true", "REPLACE_PEERS"},
    {"public_key=" KEY_A, "PEER c532..f038"},
    {"public_key=C53201039ADBA14BE71F886DA1D8DBE9EEBDED08CB111B75340078999AA9F038",
     "PEER c532..f038"},
    {"remove=true", "REMOVE"},
    {"update_only=true", "UPDATE_ONLY"},
    {"preshared_key=" PSK, "PSK fd4c..e5a9"},
    {"preshared_key=" ZERO, "PSK 0000..0000"},
    {"endpoint=192.0.2.1:51820", "ENDPOINT 192.0.2.1:51820"},
    {"endpoint=[2001:db8::1]:65535", "ENDPOINT [2001:db8::1]:65535"},
    {"endpoint=[fe80::1%3]:1", "ENDPOINT [fe80::1%3]:1"},
    {"endpoint=[fe80::1%eth0]:1", "ENDPOINT [fe80::1]:1 on eth0"},
    {"endpoint=[fe80::1%fifteen-chars.x]:1", "ENDPOINT [fe80::1]:1 on fifteen-chars.x"},
    {"endpoint=[FE80:0:0::a%0x1]:9", "ENDPOINT [fe80::a]:9 on 0x1"},
    {"persistent_keepalive_interval=0", "KEEPALIVE 0"},
    {"persistent_keepalive_interval=65535", "KEEPALIVE 65535"},
    {"replace_allowed_ips=true", "REPLACE_ALLOWED"},
    {"allowed_ip=10.0.0.0/8", "ALLOW 10.0.0.0/8"},
    {"allowed_ip=10.1.2.3/8", "ALLOW 10.0.0.0/8"},
    {"allowed_ip=0.0.0.0/0", "ALLOW 0.0.0.0/0"},
    {"allowed_ip=::/0", "ALLOW ::/0"},
    {"allowed_ip=fd00::1:2/64", "ALLOW fd00::/64"},
    {"allowed_ip=2001:db8::1/128", "ALLOW 2001:db8::1/128"},
    {"allowed_ip=+10.0.0.0/8", "ALLOW 10.0.0.0/8"},
    {"allowed_ip=-10.1.0.0/16", "DISALLOW 10.1.0.0/16"},
    {"allowed_ip=-fd00::/8", "DISALLOW fd00::/8"},
    {"protocol_version=1", "PROTOCOL 1"},
    {"cipher=chacha20-poly1305", "CIPHER 0"},
    {"cipher=aes-256-gcm", "CIPHER 1"},
};

/* Goal: every key of the specification is understood in all the forms that its value may take.
 * Method: one line each, read where it belongs, and described again. */
static void every_key_is_understood(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(right_lines); i++) {
        /* A line is tried in both places; exactly one is right, but for public_key. */
        char text[LINE_MAX_BYTES];
        int places = 0;
        for (int in_peer = 0; in_peer < 2; in_peer++) {
            struct wrn_uapi_reader reader = {.in_peer = in_peer != 0};
            struct wrn_uapi_op op;
            const char *why = NULL;
            int error = read_exact(&reader, span(right_lines[i].line), &op, &why);
            if (error == 0) {
                places++;
                describe(&op, text);
                assert_string_equal(text, right_lines[i].means);
                assert_null(why);
                assert_int_equal(reader.in_peer, in_peer || op.kind == WRN_UAPI_PEER);
            } else {
                assert_int_equal(error, -EPROTO);
                assert_non_null(strstr(why, "public_key"));
                assert_int_equal(reader.in_peer, in_peer);
            }
        }
        assert_int_equal(places, strncmp(right_lines[i].line, "public_key", 10) == 0 ? 2 : 1);
    }
}

static const struct {
    const char *line;
    bool in_peer;
    int error;
} wrong_lines[] = {
    {"", false, -EPROTO},
    {"listen_port", false, -EPROTO},
    {"=1", false, -EPROTO},
    {"=", true, -EPROTO},
    {"unknown=1", false, -EPROTO},
    {"Listen_port=1", false, -EPROTO},
    {" listen_port=1", false, -EPROTO},
    {"listen_port =1", false, -EPROTO},
    {"listen_ports=1", false, -EPROTO},
    {"listen_por=1", false, -EPROTO},
    {"set=1", false, -EPROTO},
    {"rx_bytes=1", true, -EPROTO},
    {"tx_bytes=1", true, -EPROTO},
    {"last_handshake_time_sec=1", true, -EPROTO},
    {"errno=0", true, -EPROTO},
    {"private_key=", false, -EINVAL},
    {"private_key=" SECRET "0", false, -EINVAL},
    {"private_key=" SECRET "00", false, -EINVAL},
    {"private_key=" SECRET "\r", false, -EINVAL},
    {"private_key=809f3e5317e9575c9b5ed78b638b7ce530dabe85ddab614220241801ddf0669", false, -EINVAL},
    {"private_key=yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", false, -EINVAL},
    {"listen_port=", false, -EINVAL},
    {"listen_port=65536", false, -EINVAL},
    {"listen_port=18446744073709551617", false, -EINVAL},
    {"listen_port=-1", false, -EINVAL},
    {"listen_port=+1", false, -EINVAL},
    {"listen_port= 1", false, -EINVAL},
    {"listen_port=1 ", false, -EINVAL},
    {"listen_port=1\r", false, -EINVAL},
    {"listen_port=0x10", false, -EINVAL},
    {"listen_port=1=1", false, -EINVAL},
    {"fwmark=4294967296", false, -EINVAL},
    {"workers=0", false, -EINVAL},
    {"workers=65", false, -EINVAL},
    {"workers=", false, -EINVAL},
    {"workers=auto", false, -EINVAL},
    {"workers=99999999999999999999", false, -EINVAL},
    {"workers=2", true, -EPROTO},
    {"offloads=", false, -EINVAL},
    {"offloads=tso", false, -EINVAL},
    {"offloads=csum,", false, -EINVAL},
    {"offloads=none,csum", false, -EINVAL},
    {"offloads=ALL", false, -EINVAL},
    {"offloads=all", true, -EPROTO},
    {"fwmark=0x1234", false, -EINVAL},
    {"fwmark=off", false, -EINVAL},
    {"replace_peers=false", false, -EINVAL},
    {"replace_peers=", false, -EINVAL},
    {"replace_peers=1", false, -EINVAL},
    {"replace_peers=True", false, -EINVAL},
    {"replace_peers=truee", false, -EINVAL},
    {"public_key=", false, -EINVAL},
    {"public_key=g53201039adba14be71f886da1d8dbe9eebded08cb111b75340078999aa9f038", true, -EINVAL},
    {"preshared_key=", true, -EINVAL},
    {"remove=false", true, -EINVAL},
    {"cipher=", true, -EINVAL},
    {"cipher=1", true, -EINVAL},
    {"cipher=aes", true, -EINVAL},
    {"cipher=aes-256-gcm ", true, -EINVAL},
    {"cipher=aes-256-gc", true, -EINVAL},
    {"cipher=aes-128-gcm", true, -EINVAL},
    {"cipher=AES-256-GCM", true, -EINVAL},
    {"cipher=aes-256-gcm,chacha20-poly1305", true, -EINVAL},
    {"remote_cipher=aes-256-gcm", true, -EPROTO},
    {"update_only=", true, -EINVAL},
    {"replace_allowed_ips=yes", true, -EINVAL},
    {"endpoint=", true, -EINVAL},
    {"endpoint=192.0.2.1", true, -EINVAL},
    {"endpoint=192.0.2.1:", true, -EINVAL},
    {"endpoint=192.0.2.1:65536", true, -EINVAL},
    {"endpoint=192.0.2.256:1", true, -EINVAL},
    {"endpoint=example.org:51820", true, -EINVAL},
    {"endpoint=2001:db8::1:51820", true, -EINVAL},
    {"endpoint=[2001:db8::1]", true, -EINVAL},
    {"endpoint=[192.0.2.1]:1", true, -EINVAL},
    {"endpoint=[192.0.2.1%eth0]:1", true, -EINVAL},
    {"endpoint=[::ffff:192.0.2.7%eth0]:7", true, -EINVAL}, /* IPv4 once read: it has no scope */
    {"endpoint=[fe80::1%]:1", true, -EINVAL},
    {"endpoint=[fe80::1%eth0]", true, -EINVAL},
    {"endpoint=[fe80::1%eth0:1", true, -EINVAL},
    {"endpoint=[fe80::1%eth0]]:1", true, -EINVAL},
    {"endpoint=[fe80::1%eth0%1]:1", true, -EINVAL},
    {"endpoint=[fe80::1%et/h0]:1", true, -EINVAL},
    {"endpoint=[fe80::1%eth 0]:1", true, -EINVAL},
    {"endpoint=[fe80::1%99999999999]:1", true, -EINVAL},
    {"endpoint=[fe80::1%sixteen-chars.xy]:1", true, -EINVAL},
    {"endpoint=%eth0]:1", true, -EINVAL},
    {"persistent_keepalive_interval=65536", true, -EINVAL},
    {"persistent_keepalive_interval=off", true, -EINVAL},
    {"persistent_keepalive_interval=", true, -EINVAL},
    {"allowed_ip=", true, -EINVAL},
    {"allowed_ip=-", true, -EINVAL},
    {"allowed_ip=+", true, -EINVAL},
    {"allowed_ip=--10.0.0.0/8", true, -EINVAL},
    {"allowed_ip=10.0.0.0", true, -EINVAL},
    {"allowed_ip=10.0.0.0/", true, -EINVAL},
    {"allowed_ip=10.0.0.0/33", true, -EINVAL},
    {"allowed_ip=10.0.0/8", true, -EINVAL},
    {"allowed_ip=fd00::/129", true, -EINVAL},
    {"allowed_ip=fe80::%eth0/64", true, -EINVAL},
    {"allowed_ip=10.0.0.0/8,10.0.0.0/9", true, -EINVAL},
    {"protocol_version=2", true, -EINVAL},
    {"protocol_version=", true, -EINVAL},
    {"protocol_version=01", true, -EINVAL},
};

/* Goal: a line that is not right is refused with the right number and a reason, and changes
 * nothing.
 * Method: each line in the place where its key belongs; outputs must stay as they were. */
static void wrong_lines_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(wrong_lines); i++) {
        struct wrn_uapi_reader reader = {.in_peer = wrong_lines[i].in_peer};
        struct wrn_uapi_op op, before;
        const char *why = NULL;
        memset(&op, 0xa5, sizeof(op));
        memcpy(&before, &op, sizeof(op));
        int error = read_exact(&reader, span(wrong_lines[i].line), &op, &why);
        if (error != wrong_lines[i].error || !why || strlen(why) < 10) {
            fail_msg("'%s': error %d, want %d, why %s", wrong_lines[i].line, error,
                     wrong_lines[i].error, why);
        }
        assert_memory_equal(&op, &before, sizeof(op));
        assert_int_equal(reader.in_peer, wrong_lines[i].in_peer);
    }
}

/* Goal: zero bytes do not end a line or a value.
 * Method: a zero byte put behind, and into, values that are right without it. */
static void zero_bytes_hide_nothing(void **state) {
    static const char *const lines[] = {
        "listen_port=1",         "replace_peers=true",   "public_key=" KEY_A,
        "allowed_ip=10.0.0.0/8", "endpoint=192.0.2.1:1", "endpoint=[fe80::1%eth0]:1",
        "protocol_version=1",    "preshared_key=" PSK,
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(lines); i++) {
        size_t size = strlen(lines[i]);
        for (size_t at = 0; at <= size; at++) {
            uint8_t line[LINE_MAX_BYTES];
            struct wrn_uapi_reader reader = {.in_peer = i != 0 && i != 1};
            struct wrn_uapi_op op;
            const char *why = NULL;
            memcpy(line, lines[i], at);
            line[at] = 0;
            memcpy(line + at + 1, lines[i] + at, size - at);
            int error = read_exact(&reader, (wrn_span){line, size + 1}, &op, &why);
            assert_true(error == -EINVAL || error == -EPROTO);
        }
    }
}

/* Goal: exactly the 22 hexadecimal digits are digits, at every place, with their values.
 * Method: all 256 bytes at all 64 places against strtoul. */
static void hexadecimal_is_exact(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const char text[2] = {(char)byte, 0};
        bool is_digit = byte != 0 && strspn(text, "0123456789abcdefABCDEF") == 1;
        for (size_t at = 0; at < 64; at++) {
            char line[] = "public_key=" KEY_B;
            struct wrn_uapi_reader reader = {0};
            struct wrn_uapi_op op;
            const char *why = NULL;
            line[11 + at] = (char)byte;
            int error = read_exact(&reader, (wrn_span){(uint8_t *)line, 75}, &op, &why);
            assert_int_equal(error, is_digit ? 0 : -EINVAL);
            for (size_t i = 0; is_digit && i < 32; i++) {
                char pair[3] = {line[11 + 2 * i], line[12 + 2 * i], 0};
                assert_int_equal(op.key[i], strtoul(pair, NULL, 16));
            }
        }
    }
}

static const struct {
    const char *sent;
    const char *means;
} recorded[] = {
    /* wg set … listen-port 51820 fwmark 0x1234 private-key FILE */
    {"set=1\nprivate_key=" SECRET "\nlisten_port=51820\nfwmark=4660\n\n",
     "PRIVATE_KEY c809..0669; LISTEN_PORT 51820; FWMARK 4660"},
    /* wg set … fwmark off private-key /dev/null listen-port 0 */
    {"set=1\nprivate_key=" ZERO "\nlisten_port=0\nfwmark=0\n\n",
     "PRIVATE_KEY 0000..0000; LISTEN_PORT 0; FWMARK 0"},
    /* wg set … peer … preshared-key FILE endpoint … persistent-keepalive 25 allowed-ips … */
    {"set=1\npublic_key=" KEY_A "\npreshared_key=" PSK "\nendpoint=192.0.2.1:51820\n"
     "persistent_keepalive_interval=25\nreplace_allowed_ips=true\nallowed_ip=10.0.0.0/8\n"
     "allowed_ip=fd00::1:2/64\nallowed_ip=0.0.0.0/0\nallowed_ip=10.1.2.3/32\n\n",
     "PEER c532..f038; PSK fd4c..e5a9; ENDPOINT 192.0.2.1:51820; KEEPALIVE 25; "
     "REPLACE_ALLOWED; ALLOW 10.0.0.0/8; ALLOW fd00::/64; ALLOW 0.0.0.0/0; ALLOW 10.1.2.3/32"},
    /* wg set … peer … endpoint [2001:db8::1]:65535 persistent-keepalive off allowed-ips "" */
    {"set=1\npublic_key=" KEY_A "\nendpoint=[2001:db8::1]:65535\n"
     "persistent_keepalive_interval=0\nreplace_allowed_ips=true\n\n",
     "PEER c532..f038; ENDPOINT [2001:db8::1]:65535; KEEPALIVE 0; REPLACE_ALLOWED"},
    /* wg set … peer … endpoint [fe80::1%lo]:1 */
    {"set=1\npublic_key=" KEY_A "\nendpoint=[fe80::1%lo]:1\n\n",
     "PEER c532..f038; ENDPOINT [fe80::1]:1 on lo"},
    /* wg set … peer … endpoint [::ffff:192.0.2.7]:7 */
    {"set=1\npublic_key=" KEY_A "\nendpoint=[::ffff:192.0.2.7]:7\n\n",
     "PEER c532..f038; ENDPOINT 192.0.2.7:7"},
    /* wg set … peer … preshared-key /dev/null */
    {"set=1\npublic_key=" KEY_A "\npreshared_key=" ZERO "\n\n", "PEER c532..f038; PSK 0000..0000"},
    /* wg set … peer … remove peer … allowed-ips 192.0.2.0/24 */
    {"set=1\npublic_key=" KEY_A "\nremove=true\npublic_key=" KEY_B
     "\nreplace_allowed_ips=true\nallowed_ip=192.0.2.0/24\n\n",
     "PEER c532..f038; REMOVE; PEER 4eb3..5d7d; REPLACE_ALLOWED; ALLOW 192.0.2.0/24"},
    /* wg setconf, a file with two peers; AllowedIPs = 10.192.122.3/32, 10.192.124.1/24 */
    {"set=1\nprivate_key=" SECRET "\nlisten_port=51820\nfwmark=51820\nreplace_peers=true\n"
     "public_key=" KEY_A "\npreshared_key=" PSK "\nendpoint=192.0.2.1:51820\n"
     "persistent_keepalive_interval=25\nreplace_allowed_ips=true\n"
     "allowed_ip=10.192.122.3/32\nallowed_ip=10.192.124.1/24\n"
     "public_key=" KEY_B "\nendpoint=[2607:5300:60:6b0::c05f:543]:2468\n"
     "replace_allowed_ips=true\nallowed_ip=10.192.122.4/32\nallowed_ip=192.168.0.0/16\n"
     "allowed_ip=::/0\n\n",
     "PRIVATE_KEY c809..0669; LISTEN_PORT 51820; FWMARK 51820; REPLACE_PEERS; "
     "PEER c532..f038; PSK fd4c..e5a9; ENDPOINT 192.0.2.1:51820; KEEPALIVE 25; "
     "REPLACE_ALLOWED; ALLOW 10.192.122.3/32; ALLOW 10.192.124.0/24; "
     "PEER 4eb3..5d7d; ENDPOINT [2607:5300:60:6b0::c05f:543]:2468; "
     "REPLACE_ALLOWED; ALLOW 10.192.122.4/32; ALLOW 192.168.0.0/16; ALLOW ::/0"},
    /* wg syncconf, a file without port, mark and second peer */
    {"set=1\nprivate_key=" SECRET "\nlisten_port=0\nfwmark=0\npublic_key=" KEY_B
     "\nremove=true\npublic_key=" KEY_A "\nreplace_allowed_ips=true\nallowed_ip=10.0.0.0/8\n"
     "allowed_ip=10.9.0.0/16\n\n",
     "PRIVATE_KEY c809..0669; LISTEN_PORT 0; FWMARK 0; PEER 4eb3..5d7d; REMOVE; "
     "PEER c532..f038; REPLACE_ALLOWED; ALLOW 10.0.0.0/8; ALLOW 10.9.0.0/16"},
    {"set=1\npublic_key=" KEY_A "\nallowed_ip=-10.1.0.0/16\n\n",
     "PEER c532..f038; DISALLOW 10.1.0.0/16"},
};

/* Goal: what wg(8) sends is understood as it is meant.
 * Method: bytes recorded from wg(8) of wireguard-tools 1.0.20210914 at a socket; the command stands
 * above each. The last is what newer versions send for "allowed-ips -10.1.0.0/16". */
static void wg_tool_is_understood(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(recorded); i++) {
        char text[TEXT_MAX];
        transcript(recorded[i].sent, text);
        assert_string_equal(text, recorded[i].means);
    }
}

/* Goal: requests come out of a stream one by one, with their lines, and never too early.
 * Method: a table; then every shorter piece of the first request, in memory of its own, is
 * incomplete. */
static void requests_come_one_by_one(void **state) {
    static const struct {
        const char *received;
        enum wrn_uapi_request request;
        const char *body; /* NULL: outputs untouched */
        size_t size;
    } table[] = {
        {"", WRN_UAPI_INCOMPLETE, NULL, 0},
        {"g", WRN_UAPI_INCOMPLETE, NULL, 0},
        {"nonsense", WRN_UAPI_INCOMPLETE, NULL, 0},
        {"get=1\n", WRN_UAPI_INCOMPLETE, NULL, 0},
        {"get=1\n\n", WRN_UAPI_GET, "", 7},
        {"get=1\n\nget=1\n\n", WRN_UAPI_GET, "", 7},
        {"get=1\nx=y\n\n", WRN_UAPI_GET, "x=y\n", 11},
        {"set=1\n\n", WRN_UAPI_SET, "", 7},
        {"set=1\nlisten_port=5\n", WRN_UAPI_INCOMPLETE, NULL, 0},
        {"set=1\nlisten_port=5\n\n", WRN_UAPI_SET, "listen_port=5\n", 21},
        {"set=1\na\nb\n\nset=1\nc\n\n", WRN_UAPI_SET, "a\nb\n", 11},
        {"stats=1\n\n", WRN_UAPI_STATS, "", 9},
        {"\n", WRN_UAPI_BAD, "", 1},
        {"\n\n", WRN_UAPI_BAD, "", 1},
        {"get=2\n", WRN_UAPI_BAD, "", 6},
        {"get=11\n\n", WRN_UAPI_BAD, "", 7},
        {"get=1 \n\n", WRN_UAPI_BAD, "", 7},
        {"get=1\r\n\r\n", WRN_UAPI_BAD, "", 7},
        {"set=1\r\n", WRN_UAPI_BAD, "", 7},
        {"GET / HTTP/1.1\r\nHost: x\r\n", WRN_UAPI_BAD, "", 16},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(table); i++) {
        wrn_span body = {NULL, 77};
        size_t size = 77;
        wrn_span received = span(table[i].received);
        assert_int_equal(wrn_uapi_next_request(received, &body, &size), table[i].request);
        assert_int_equal(size, table[i].body ? table[i].size : 77);
        assert_int_equal(body.size, table[i].body ? strlen(table[i].body) : 77);
        if (table[i].body && body.size > 0) {
            assert_memory_equal(body.data, table[i].body, body.size);
        }
    }
    assert_int_equal(wrn_uapi_next_request((wrn_span){NULL, 0}, &(wrn_span){0}, &(size_t){0}),
                     WRN_UAPI_INCOMPLETE);
    static const char whole[] = "set=1\nlisten_port=5\npublic_key=" KEY_A "\nremove=true\n\n";
    for (size_t size = 0; size < sizeof(whole) - 1; size++) {
        uint8_t *piece = malloc(size + 1);
        wrn_span body;
        size_t taken;
        assert_non_null(piece);
        memcpy(piece + 1, whole, size); /* ends where the allocation ends */
        assert_int_equal(wrn_uapi_next_request((wrn_span){piece + 1, size}, &body, &taken),
                         WRN_UAPI_INCOMPLETE);
        free(piece);
    }
}

/* Goal: the lines of a body come one by one, also when its last newline is missing.
 * Method: a small table. */
static void lines_come_one_by_one(void **state) {
    static const char *const bodies[] = {"a\nbc\n", "a\nbc"};
    wrn_span none = {NULL, 0};
    wrn_span line;
    (void)state;
    assert_false(wrn_uapi_next_line(&none, &line));
    for (size_t i = 0; i < WRN_COUNT(bodies); i++) {
        wrn_span body = span(bodies[i]);
        assert_true(wrn_uapi_next_line(&body, &line));
        assert_int_equal(line.size, 1);
        assert_memory_equal(line.data, "a", 1);
        assert_true(wrn_uapi_next_line(&body, &line));
        assert_int_equal(line.size, 2);
        assert_memory_equal(line.data, "bc", 2);
        assert_false(wrn_uapi_next_line(&body, &line));
        assert_int_equal(body.size, 0);
    }
}

static uint64_t seed_of_run(void) {
    const char *text = getenv("WARREN_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : UINT64_C(20240229);
    print_message("# WARREN_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static struct wrn_ip random_ip(struct wrn_prng *prng, size_t keep_bits) {
    struct wrn_ip ip = {.family = WRN_FAMILY_IPV6};
    for (size_t i = 0; i < keep_bits; i++) {
        unsigned bit = (unsigned)(wrn_prng_next(prng) >> 40) & 1;
        ip.bytes[i / 8] |= (uint8_t)(bit << (7 - i % 8));
    }
    return ip;
}

static struct wrn_ip cut_to_ipv4(struct wrn_ip ip) {
    memset(ip.bytes + 4, 0, 12);
    ip.family = WRN_FAMILY_IPV4;
    return ip;
}

/* Draws an operation and prints its line, without newline. */
static void random_op(struct wrn_prng *prng, enum wrn_uapi_op_kind kind, struct wrn_uapi_op *ret_op,
                      char ret_line[LINE_MAX_BYTES]) {
    static const char *const names[] = {
        "private_key",         "listen_port", "fwmark",
        "replace_peers",       "workers",     "offloads",
        "public_key",          "remove",      "update_only",
        "preshared_key",       "endpoint",    "persistent_keepalive_interval",
        "replace_allowed_ips", "allowed_ip",  "allowed_ip",
        "protocol_version",    "cipher",
    };
    struct wrn_uapi_op op = {.kind = kind};
    bool ipv4 = (wrn_prng_next(prng) >> 33) % 2 == 0;
    char value[128] = "true";
    switch (kind) {
    case WRN_UAPI_PRIVATE_KEY:
    case WRN_UAPI_PEER:
    case WRN_UAPI_PEER_PSK:
        for (size_t i = 0; i < sizeof(op.key); i++) {
            op.key[i] = (uint8_t)(wrn_prng_next(prng) >> 24);
            snprintf(value + 2 * i, 3, ipv4 ? "%02x" : "%02X", op.key[i]);
        }
        break;
    case WRN_UAPI_LISTEN_PORT:
    case WRN_UAPI_PEER_KEEPALIVE:
    case WRN_UAPI_FWMARK:
        op.number = (uint32_t)(wrn_prng_next(prng) >> (kind == WRN_UAPI_FWMARK ? 32 : 48));
        snprintf(value, sizeof(value), "%lu", (unsigned long)op.number);
        break;
    case WRN_UAPI_WORKERS:
        op.number = 1 + (uint32_t)(wrn_prng_next(prng) >> 32) % WRN_UAPI_WORKERS_MAX;
        snprintf(value, sizeof(value), "%lu", (unsigned long)op.number);
        break;
    case WRN_UAPI_OFFLOADS:
        op.number = (uint32_t)(wrn_prng_next(prng) >> 32) & WRN_UAPI_OFFLOADS_ALL;
        wrn_uapi_write_offloads(op.number, value);
        break;
    case WRN_UAPI_PEER_PROTOCOL:
        op.number = 1;
        snprintf(value, sizeof(value), "1");
        break;
    case WRN_UAPI_PEER_CIPHER:
        op.number = ipv4 ? WRN_CIPHER_AES_256_GCM : WRN_CIPHER_CHACHA20_POLY1305;
        snprintf(value, sizeof(value), ipv4 ? "aes-256-gcm" : "chacha20-poly1305");
        break;
    case WRN_UAPI_PEER_ENDPOINT:
        op.endpoint.ip = random_ip(prng, 128);
        op.endpoint.ip = ipv4 ? cut_to_ipv4(op.endpoint.ip) : op.endpoint.ip;
        op.endpoint.port = (uint16_t)(wrn_prng_next(prng) >> 48);
        op.endpoint.scope_id = ipv4 ? 0 : (uint32_t)(wrn_prng_next(prng) >> 32);
        wrn_endpoint_print(&op.endpoint, value);
        break;
    case WRN_UAPI_PEER_ALLOW:
    case WRN_UAPI_PEER_DISALLOW:
        op.prefix.length_bits = (uint8_t)((wrn_prng_next(prng) >> 32) % (ipv4 ? 33 : 129));
        op.prefix.ip = random_ip(prng, op.prefix.length_bits);
        op.prefix.ip = ipv4 ? cut_to_ipv4(op.prefix.ip) : op.prefix.ip;
        value[0] = '-';
        wrn_prefix_print(&op.prefix, value + (kind == WRN_UAPI_PEER_DISALLOW));
        break;
    case WRN_UAPI_REPLACE_PEERS:
    case WRN_UAPI_PEER_REMOVE:
    case WRN_UAPI_PEER_UPDATE_ONLY:
    case WRN_UAPI_PEER_REPLACE_ALLOWED:
        break;
    }
    *ret_op = op;
    snprintf(ret_line, LINE_MAX_BYTES, "%s=%s", names[kind], value);
}

/* Goal: printing and reading are inverse for whole sets.
 * Method: 2,000 random sets of up to 40 operations, several of them in one stream; every field
 * compared. */
static void random_sets_survive_print_and_read(void **state) {
    enum { SETS = 2000, OPS_MAX = 40 };
    static char stream[OPS_MAX * LINE_MAX_BYTES];
    struct wrn_prng prng;
    (void)state;
    wrn_prng_init(&prng, seed_of_run(), 1);
    for (int set = 0; set < SETS; set++) {
        struct wrn_uapi_op ops[OPS_MAX];
        size_t count = (size_t)((wrn_prng_next(&prng) >> 32) % OPS_MAX);
        size_t used = (size_t)snprintf(stream, sizeof(stream), "set=1\n");
        bool in_peer = false;
        for (size_t i = 0; i < count; i++) {
            char line[LINE_MAX_BYTES];
            uint32_t draw = (uint32_t)(wrn_prng_next(&prng) >> 32);
            unsigned kind = in_peer ? WRN_UAPI_PEER + draw % 11 : draw % (WRN_UAPI_PEER + 1);
            in_peer = in_peer || kind == WRN_UAPI_PEER;
            random_op(&prng, (enum wrn_uapi_op_kind)kind, &ops[i], line);
            used += (size_t)snprintf(stream + used, sizeof(stream) - used, "%s\n", line);
        }
        used += (size_t)snprintf(stream + used, sizeof(stream) - used, "\nget=1\n\n");
        wrn_span body, line;
        size_t size;
        assert_int_equal(wrn_uapi_next_request(span(stream), &body, &size), WRN_UAPI_SET);
        assert_int_equal(size, used - 7);
        assert_int_equal(wrn_uapi_next_request(span(stream + size), &line, &size), WRN_UAPI_GET);
        struct wrn_uapi_reader reader = {0};
        for (size_t i = 0; i < count; i++) {
            struct wrn_uapi_op op;
            const char *why = "";
            assert_true(wrn_uapi_next_line(&body, &line));
            if (read_exact(&reader, line, &op, &why) != 0) {
                fail_msg("'%.*s': %s", (int)line.size, (const char *)line.data, why);
            }
            assert_int_equal(op.kind, ops[i].kind);
            assert_int_equal(op.number, ops[i].number);
            assert_memory_equal(op.key, ops[i].key, sizeof(op.key));
            assert_true(wrn_endpoint_equal(&op.endpoint, &ops[i].endpoint));
            assert_true(wrn_ip_equal(&op.prefix.ip, &ops[i].prefix.ip));
            assert_int_equal(op.prefix.length_bits, ops[i].prefix.length_bits);
            assert_int_equal(op.scope_name[0], 0);
        }
        assert_false(wrn_uapi_next_line(&body, &line));
    }
}

/* Reads whatever is in 'stream' and checks what must hold for any bytes. Returns the lines
 * understood. */
static int read_anything(wrn_span stream) {
    wrn_span body, line;
    size_t size;
    int understood = 0;
    enum wrn_uapi_request request = wrn_uapi_next_request(stream, &body, &size);
    if (request == WRN_UAPI_INCOMPLETE || request == WRN_UAPI_BAD) {
        return 0;
    }
    assert_true(size <= stream.size && body.size < size);
    struct wrn_uapi_reader reader = {0};
    while (wrn_uapi_next_line(&body, &line)) {
        struct wrn_uapi_op op;
        const char *why = NULL;
        int error = read_exact(&reader, line, &op, &why);
        if (error == 0) {
            char text[LINE_MAX_BYTES];
            describe(&op, text);
            assert_null(why);
            understood++;
        } else {
            assert_true((error == -EPROTO || error == -EINVAL) && why != NULL);
        }
    }
    return understood;
}

/* Goal: no change of one byte makes the reader crash, read out of bounds or answer out of range.
 * Method: a set with every key; all 255 other values at each byte, and each byte left out. */
static void changed_bytes_do_no_harm(void **state) {
    static const char whole[] =
        "set=1\nprivate_key=" SECRET "\nlisten_port=51820\nfwmark=4660\nreplace_peers=true\n"
        "public_key=" KEY_A "\nupdate_only=true\nprotocol_version=1\npreshared_key=" PSK
        "\nendpoint=[2001:db8::1%3]:51820\nendpoint=[fe80::1%eth0]:1\nendpoint=192.0.2.1:51820\n"
        "persistent_keepalive_interval=25\nreplace_allowed_ips=true\nallowed_ip=10.0.0.0/8\n"
        "allowed_ip=-fd00:1:2::/48\nallowed_ip=+::/0\npublic_key=" KEY_B "\nremove=true\n\n";
    enum { SIZE = sizeof(whole) - 1, LINES = 18 };
    uint8_t *bytes = malloc(SIZE);
    (void)state;
    assert_non_null(bytes);
    memcpy(bytes, whole, SIZE);
    assert_int_equal(read_anything((wrn_span){bytes, SIZE}), LINES);
    for (size_t at = 0; at < SIZE; at++) {
        for (unsigned change = 1; change < 256; change++) {
            bytes[at] ^= (uint8_t)change;
            assert_in_range(read_anything((wrn_span){bytes, SIZE}), 0, LINES);
            bytes[at] ^= (uint8_t)change;
        }
    }
    for (size_t at = 0; at < SIZE; at++) {
        memcpy(bytes, whole, at);
        memcpy(bytes + at, whole + at + 1, SIZE - at - 1);
        assert_in_range(read_anything((wrn_span){bytes, SIZE - 1}), 0, LINES);
    }
    free(bytes);
}

/* Goal: errors read well in wg(8), which wants negative numbers of errno.h.
 * Method: a table; Warren's own errors become errno's nearest. */
static void errors_are_numbers_of_errno(void **state) {
    static const struct {
        int error;
        int number;
    } table[] = {
        {0, 0},
        {-EINVAL, -EINVAL},
        {-EPROTO, -EPROTO},
        {-EADDRINUSE, -EADDRINUSE},
        {WRN_ERR_FULL, -ENOSPC},
        {WRN_ERR_NOT_FOUND, -ENOENT},
        {WRN_ERR_MALFORMED, -EINVAL},
        {-5000, -EIO},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(table); i++) {
        char text[33] = "", want[32];
        memset(text, '#', 32);
        size_t size = wrn_uapi_write_errno(table[i].error, text, 32);
        snprintf(want, sizeof(want), "errno=%d\n\n", table[i].number);
        assert_int_equal(size, strlen(want));
        assert_memory_equal(text, want, size);
        assert_int_equal(text[size], '#');
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_understood),
        cmocka_unit_test(wrong_lines_are_refused),
        cmocka_unit_test(zero_bytes_hide_nothing),
        cmocka_unit_test(hexadecimal_is_exact),
        cmocka_unit_test(wg_tool_is_understood),
        cmocka_unit_test(requests_come_one_by_one),
        cmocka_unit_test(lines_come_one_by_one),
        cmocka_unit_test(random_sets_survive_print_and_read),
        cmocka_unit_test(changed_bytes_do_no_harm),
        cmocka_unit_test(errors_are_numbers_of_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
