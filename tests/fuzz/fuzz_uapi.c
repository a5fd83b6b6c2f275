/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reading half of the userspace API: the input is what a client sends on one connection.
 * Every line is handed over in memory of its own size. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "wg/uapi.h"

static void read_lines(wrn_span body);
static void check_op(const struct wrn_uapi_op *op);
static void check_endpoint(const struct wrn_uapi_op *op);
static void check_prefix(const struct wrn_prefix *prefix);

/* What must hold for any input, in every build. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wrn_span stream = {data, size};
    wrn_span body;
    size_t taken;
    enum wrn_uapi_request request;
    while ((request = wrn_uapi_next_request(stream, &body, &taken)) != WRN_UAPI_INCOMPLETE) {
        HOLDS(taken > 0 && taken <= stream.size && stream.data[taken - 1] == '\n');
        HOLDS(body.data >= stream.data && body.data + body.size <= stream.data + taken);
        if (request == WRN_UAPI_BAD) {
            HOLDS(body.size == 0);
        } else {
            /* The first line, the body and the empty line make up the request. */
            HOLDS(body.size == 0 || body.data[body.size - 1] == '\n');
            HOLDS(body.data + body.size + 1 == stream.data + taken);
        }
        read_lines(body);
        stream = (wrn_span){stream.data + taken, stream.size - taken};
    }
    read_lines(stream); /* a request that was cut off, or lines without one */
    return 0;
}

static void read_lines(wrn_span body) {
    struct wrn_uapi_reader reader = {0};
    wrn_span line;
    size_t left = body.size;
    while (wrn_uapi_next_line(&body, &line)) {
        HOLDS(body.size < left && line.size < left + (body.size == 0));
        HOLDS(line.size == 0 || memchr(line.data, '\n', line.size) == NULL);
        left = body.size;
        uint8_t *copy = malloc(line.size > 0 ? line.size : 1);
        HOLDS(copy);
        if (line.size > 0) {
            memcpy(copy, line.data, line.size);
        }
        struct wrn_uapi_op op;
        const char *why = NULL;
        bool was_in_peer = reader.in_peer;
        int error = wrn_uapi_read_line(&reader, (wrn_span){copy, line.size}, &op, &why);
        HOLDS(error == 0 || error == -EPROTO || error == -EINVAL);
        HOLDS((error != 0) == (why != NULL));
        if (error == 0) {
            HOLDS(reader.in_peer == (was_in_peer || op.kind == WRN_UAPI_PEER));
            HOLDS(op.kind == WRN_UAPI_PEER || (op.kind > WRN_UAPI_PEER) == was_in_peer);
            check_op(&op);
        } else {
            HOLDS(reader.in_peer == was_in_peer);
        }
        free(copy);
    }
    HOLDS(body.size == 0);
}

static void check_op(const struct wrn_uapi_op *op) {
    switch (op->kind) {
    case WRN_UAPI_LISTEN_PORT:
    case WRN_UAPI_PEER_KEEPALIVE:
        HOLDS(op->number <= UINT16_MAX);
        return;
    case WRN_UAPI_WORKERS:
        HOLDS(op->number >= 1 && op->number <= WRN_UAPI_WORKERS_MAX);
        return;
    case WRN_UAPI_OFFLOADS:
        HOLDS(op->number <= WRN_UAPI_OFFLOADS_ALL);
        return;
    case WRN_UAPI_PEER_PROTOCOL:
        HOLDS(op->number == 1);
        return;
    case WRN_UAPI_PEER_CIPHER:
        HOLDS(op->number < WRN_CIPHERS);
        return;
    case WRN_UAPI_PEER_ENDPOINT:
        check_endpoint(op);
        return;
    case WRN_UAPI_PEER_ALLOW:
    case WRN_UAPI_PEER_DISALLOW:
        check_prefix(&op->prefix);
        return;
    case WRN_UAPI_PRIVATE_KEY:
    case WRN_UAPI_FWMARK:
    case WRN_UAPI_REPLACE_PEERS:
    case WRN_UAPI_PEER:
    case WRN_UAPI_PEER_REMOVE:
    case WRN_UAPI_PEER_UPDATE_ONLY:
    case WRN_UAPI_PEER_PSK:
    case WRN_UAPI_PEER_REPLACE_ALLOWED:
        return;
    }
    HOLDS(false); /* no kind of the enumeration */
}

/* What was read, printed and read again is the same. */
static void check_endpoint(const struct wrn_uapi_op *op) {
    char text[WRN_ENDPOINT_TEXT_SIZE];
    struct wrn_endpoint again;
    HOLDS(op->endpoint.ip.family == WRN_FAMILY_IPV4 || op->endpoint.ip.family == WRN_FAMILY_IPV6);
    size_t size = wrn_endpoint_print(&op->endpoint, text);
    HOLDS(size < sizeof(text) && text[size] == 0);
    HOLDS(wrn_endpoint_parse((wrn_span){(const uint8_t *)text, size}, &again) == 0);
    HOLDS(wrn_endpoint_equal(&again, &op->endpoint));
    HOLDS(memchr(op->scope_name, 0, sizeof(op->scope_name)) != NULL);
    HOLDS(op->scope_name[0] == 0 ||
          (op->endpoint.scope_id == 0 && op->endpoint.ip.family == WRN_FAMILY_IPV6));
}

static void check_prefix(const struct wrn_prefix *prefix) {
    char text[WRN_PREFIX_TEXT_SIZE];
    struct wrn_prefix again;
    HOLDS(prefix->ip.family == WRN_FAMILY_IPV4 || prefix->ip.family == WRN_FAMILY_IPV6);
    HOLDS(prefix->length_bits <= (prefix->ip.family == WRN_FAMILY_IPV4 ? 32 : 128));
    size_t size = wrn_prefix_print(prefix, text);
    HOLDS(size < sizeof(text) && text[size] == 0);
    HOLDS(wrn_prefix_parse((wrn_span){(const uint8_t *)text, size}, &again) == 0);
    HOLDS(wrn_ip_equal(&again.ip, &prefix->ip) && again.length_bits == prefix->length_bits);
}
