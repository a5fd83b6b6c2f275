/* SPDX-License-Identifier: Apache-2.0 */
/* The writing half of the userspace API: a machine's state, its counters and error numbers as text,
 * in pieces of bounded size. Only asks the machine. Source: wireguard.com/xplatform. */
#include "wg/uapi.h"

#include "crypto/crypto.h"
#include "wg/noise.h"

/* INTERFACE --> NEXT_PEER --peer--> ALLOWED --no more prefixes--> NEXT_PEER --no more peers--> DONE
 * */
enum phase { INTERFACE, NEXT_PEER, ALLOWED, DONE };

/* Bytes that a piece needs at most; the tests print the longest values. */
enum {
    INTERFACE_MAX = 384,
    PEER_MAX = 512,
    ALLOWED_MAX = 96,
    STATS_MAX = 4096,
    ERRNO_MAX = 32,
    ERRNO_LAST = 4095, /* the kernel's error numbers end here; those below are Warren's own */
};
static_assert((int)PEER_MAX <= (int)WRN_UAPI_PIECE_MAX, "a piece fits the smallest buffer");
static_assert((int)WRN_DROP_COUNT * 64 + (int)ERRNO_MAX <= (int)STATS_MAX, "all counters fit");

/* Text that grows in the caller's buffer. */
struct text {
    char *bytes;
    size_t used;
    size_t size;
};

static size_t piece_size(int phase);
static void write_piece(struct wrn_uapi_writer *writer, const struct wrn_wg *wg,
                        const struct wrn_uapi_interface *interface, struct text *text);
static void put_interface(struct text *text, const struct wrn_wg *wg,
                          const struct wrn_uapi_interface *interface);
static void put_status(struct text *text, const struct wrn_uapi_interface *interface);
static void put_offloads(struct text *text, const char *name, uint32_t offloads);
static void put_peer(struct text *text, const struct wrn_wg *wg, wrn_handle peer, bool with_stats);
static void put_cipher(struct text *text, const char *name, enum wrn_cipher cipher);
static void put_number(struct text *text, const char *name, uint64_t value);
static void put_key(struct text *text, const char *name, const uint8_t key[WRN_WG_KEY_SIZE]);
static void put_errno(struct text *text, int error);
static void put_decimal(struct text *text, uint64_t value);
static void put(struct text *text, const char *bytes, size_t size);
static void put_string(struct text *text, const char *string);
static int errno_of(int error);

int wrn_uapi_begin_get(struct wrn_uapi_writer *writer, wrn_span body) {
    static const char with_stats[] = "stats=1\n";
    size_t size = sizeof(with_stats) - 1;
    *writer = (struct wrn_uapi_writer){.phase = INTERFACE, .with_stats = body.size > 0};
    bool fits = body.size == 0 || (body.size == size && memcmp(body.data, with_stats, size) == 0);
    return fits ? 0 : -EPROTO;
}

size_t wrn_uapi_write_get(struct wrn_uapi_writer *writer, const struct wrn_wg *wg,
                          const struct wrn_uapi_interface *interface, char *text, size_t size) {
    WRN_ASSERT(size >= WRN_UAPI_PIECE_MAX);
    struct text out = {.bytes = text, .size = size};
    while (writer->phase != DONE && out.size - out.used >= piece_size(writer->phase)) {
        write_piece(writer, wg, interface, &out);
    }
    return out.used;
}

size_t wrn_uapi_write_stats(const struct wrn_wg *wg, char *text, size_t size) {
    WRN_ASSERT(size >= STATS_MAX);
    struct text out = {.bytes = text, .size = size};
    uint64_t counts[WRN_DROP_COUNT];
    wrn_wg_drops(wg, counts);
    for (int reason = WRN_DROP_NONE + 1; reason < WRN_DROP_COUNT; reason++) {
        put_string(&out, "drop_");
        put_number(&out, wrn_drop_name((enum wrn_drop)reason), counts[reason]);
    }
    put_errno(&out, 0);
    return out.used;
}

size_t wrn_uapi_write_errno(int error, char *text, size_t size) {
    WRN_ASSERT(error <= 0 && size >= ERRNO_MAX);
    struct text out = {.bytes = text, .size = size};
    put_errno(&out, errno_of(error));
    return out.used;
}

static size_t piece_size(int phase) {
    switch (phase) {
    case INTERFACE:
        return INTERFACE_MAX;
    case NEXT_PEER:
        return PEER_MAX;
    case ALLOWED:
        return ALLOWED_MAX;
    default:
        WRN_ASSERT(false);
        return WRN_UAPI_PIECE_MAX;
    }
}

static void write_piece(struct wrn_uapi_writer *writer, const struct wrn_wg *wg,
                        const struct wrn_uapi_interface *interface, struct text *text) {
    size_t limit = text->used + piece_size(writer->phase);
    if (writer->phase == INTERFACE) {
        put_interface(text, wg, interface);
        if (writer->with_stats) {
            put_status(text, interface);
        }
        writer->phase = NEXT_PEER;
    } else if (writer->phase == NEXT_PEER) {
        writer->peer = wrn_wg_peer_next(wg, &writer->peer_cursor);
        if (wrn_handle_equal(writer->peer, WRN_HANDLE_NONE)) {
            put_errno(text, 0);
            writer->phase = DONE;
        } else {
            put_peer(text, wg, writer->peer, writer->with_stats);
            writer->allowed_cursor = 0;
            writer->phase = ALLOWED;
        }
    } else {
        struct wrn_prefix prefix;
        if (wrn_wg_peer_next_allowed(wg, writer->peer, &writer->allowed_cursor, &prefix)) {
            char printed[WRN_PREFIX_TEXT_SIZE];
            put_string(text, "allowed_ip=");
            put(text, printed, wrn_prefix_print(&prefix, printed));
            put(text, "\n", 1);
        } else {
            writer->phase = NEXT_PEER;
        }
    }
    WRN_ASSERT(text->used <= limit);
}

/* A value that is not set has no line. */
static void put_interface(struct text *text, const struct wrn_wg *wg,
                          const struct wrn_uapi_interface *interface) {
    const uint8_t *private_key = wrn_wg_private_key(wg);
    if (private_key) {
        put_key(text, "private_key", private_key);
    }
    if (interface->listen_port != 0) {
        put_number(text, "listen_port", interface->listen_port);
    }
    if (interface->fwmark != 0) {
        put_number(text, "fwmark", interface->fwmark);
    }
}

/* How the interface is served. */
static void put_status(struct text *text, const struct wrn_uapi_interface *interface) {
    const uint32_t udp = WRN_UAPI_OFFLOAD_GSO | WRN_UAPI_OFFLOAD_GRO;
    put_number(text, "workers", interface->workers);
    put_offloads(text, "tun_offloads", interface->offloads & ~udp);
    put_offloads(text, "udp_offloads", interface->offloads & udp);
    if (interface->aead != NULL) {
        put_string(text, "aead=");
        put_string(text, interface->aead);
        put(text, "\n", 1);
    }
}

static void put_offloads(struct text *text, const char *name, uint32_t offloads) {
    char names[WRN_UAPI_OFFLOADS_SIZE];
    wrn_uapi_write_offloads(offloads, names);
    put_string(text, name);
    put(text, "=", 1);
    put_string(text, names);
    put(text, "\n", 1);
}

static void put_peer(struct text *text, const struct wrn_wg *wg, wrn_handle peer, bool with_stats) {
    struct wrn_wg_peer_info info;
    bool is_live = wrn_wg_peer_info(wg, peer, &info);
    WRN_ASSERT(is_live);
    put_key(text, "public_key", info.public_key);
    put_key(text, "preshared_key", info.psk);
    put_number(text, "protocol_version", 1);
    if (info.endpoint.ip.family != WRN_FAMILY_NONE) {
        char printed[WRN_ENDPOINT_TEXT_SIZE];
        put_string(text, "endpoint=");
        put(text, printed, wrn_endpoint_print(&info.endpoint, printed));
        put(text, "\n", 1);
    }
    /* A clock set before 1970 must not break the answer: wg(8) reads no minus sign here. */
    bool has_time = info.last_handshake.s >= 0;
    put_number(text, "last_handshake_time_sec", has_time ? (uint64_t)info.last_handshake.s : 0);
    put_number(text, "last_handshake_time_nsec", has_time ? info.last_handshake.ns : 0);
    put_number(text, "tx_bytes", info.tx_bytes);
    put_number(text, "rx_bytes", info.rx_bytes);
    put_number(text, "persistent_keepalive_interval", info.keepalive_s);
    if (with_stats) {
        put_cipher(text, "cipher", info.cipher);
    }
    if (with_stats && info.remote_cipher != info.cipher) {
        put_cipher(text, "remote_cipher", info.remote_cipher);
    }
    wrn_wipe(&info, sizeof(info));
}

static void put_cipher(struct text *text, const char *name, enum wrn_cipher cipher) {
    put_string(text, name);
    put(text, "=", 1);
    put_string(text, wrn_noise_cipher_name(cipher));
    put(text, "\n", 1);
}

static void put_number(struct text *text, const char *name, uint64_t value) {
    put_string(text, name);
    put(text, "=", 1);
    put_decimal(text, value);
    put(text, "\n", 1);
}

/* No branch and no table that depends on a digit: the key may be secret. */
static void put_key(struct text *text, const char *name, const uint8_t key[WRN_WG_KEY_SIZE]) {
    put_string(text, name);
    put(text, "=", 1);
    const size_t digits = 2 * (size_t)WRN_WG_KEY_SIZE;
    WRN_ASSERT(text->size - text->used >= digits);
    for (size_t i = 0; i < digits; i++) {
        uint32_t digit = (uint32_t)key[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15;
        uint32_t is_letter = 0 - ((9 - digit) >> 31);
        text->bytes[text->used++] = (char)('0' + digit + (is_letter & ('a' - '0' - 10)));
    }
    put(text, "\n", 1);
}

/* The number keeps its minus sign: wg(8) takes the answer of a `set` for a negative error number,
 * and would print "Unknown error" for a positive one. */
static void put_errno(struct text *text, int error) {
    put_string(text, error < 0 ? "errno=-" : "errno=");
    put_decimal(text, error < 0 ? (uint64_t)(-(int64_t)error) : 0);
    put(text, "\n\n", 2);
}

static void put_decimal(struct text *text, uint64_t value) {
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put(text, digits + at, sizeof(digits) - at);
}

static void put(struct text *text, const char *bytes, size_t size) {
    WRN_ASSERT(size <= text->size - text->used);
    memcpy(text->bytes + text->used, bytes, size);
    text->used += size;
}

static void put_string(struct text *text, const char *string) {
    put(text, string, strlen(string));
}

/* The errors that are Warren's own, in words of errno.h that say the same to the person at wg(8).
 * */
static int errno_of(int error) {
    switch (error) {
    case WRN_ERR_FULL:
        return -ENOSPC;
    case WRN_ERR_NOT_FOUND:
        return -ENOENT;
    case WRN_ERR_MALFORMED:
        return -EINVAL;
    default:
        return error < -ERRNO_LAST ? -EIO : error;
    }
}
