/* SPDX-License-Identifier: Apache-2.0 */
/* A host in all its networks: life, which network an input is for, which one is due. What happens
 * inside of one network is not decided here. */
#include "node/node.h"

#include "node/network_internal.h"

static bool starts_with(const uint8_t *id, wrn_span digits);

void wrn_node_out_reset(struct wrn_node_out *out) {
    out->network = WRN_HANDLE_NONE;
    out->count = 0;
    out->used = 0;
    if (out->overlay) {
        wrn_overlay_out_reset(out->overlay);
    }
}

size_t wrn_node_memory_size(const struct wrn_node_options *options) {
    (void)options;
    return sizeof(struct wrn_node);
}

struct wrn_node *wrn_node_init(void *memory, const struct wrn_node_options *options,
                               struct wrn_now now) {
    (void)now;
    struct wrn_node *node = memory;
    size_t host_size =
        options->host.size < sizeof(node->host) ? options->host.size : sizeof(node->host);
    node->options = *options;
    if (host_size > 0) {
        memcpy(node->host, options->host.data, host_size);
    }
    node->options.host = (wrn_span){node->host, host_size};
    if (!options->primitives->sign_public(options->primitives->ctx, options->seed,
                                          node->public_key)) {
        wrn_wipe(&node->options, sizeof(node->options));
        return NULL;
    }
    options->primitives->hit(options->primitives->ctx, node->public_key, node->hit);
    return node;
}

void wrn_node_finish(struct wrn_node *node) {
    if (!node) {
        return;
    }
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        if (node->networks[i]) {
            wrn_node_remove(node, (wrn_handle){i, node->generations[i]});
        }
    }
    wrn_wipe(node, sizeof(*node));
}

const uint8_t *wrn_node_public_key(const struct wrn_node *node) {
    return node->public_key;
}

const uint8_t *wrn_node_hit(const struct wrn_node *node) {
    return node->hit;
}

struct wrn_network *wrn_node_network(const struct wrn_node *node, wrn_handle network) {
    return network.index < WRN_NODE_NETWORKS_MAX && network.generation % 2 == 1 &&
                   node->generations[network.index] == network.generation
               ? node->networks[network.index]
               : NULL;
}

void wrn_node_remove(struct wrn_node *node, wrn_handle network) {
    struct wrn_network *gone = wrn_node_network(node, network);
    if (!gone) {
        return;
    }
    wrn_network_finish(gone);
    node->networks[network.index] = NULL;
    node->generations[network.index]++;
}

void wrn_node_set_streams(struct wrn_node *node, uint16_t tcp_port, uint16_t tls_port) {
    node->options.tcp_port = tcp_port;
    node->options.tls_port = tls_port;
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        if (node->networks[i]) {
            wrn_overlay_set_streams(node->networks[i]->overlay, tcp_port, tls_port);
        }
    }
}

void wrn_node_set_port(struct wrn_node *node, uint16_t port) {
    node->options.port = port;
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        if (node->networks[i]) {
            wrn_overlay_set_port(node->networks[i]->overlay, port);
            wrn_network_bridge_port(node->networks[i]);
        }
    }
}

wrn_handle wrn_node_next(const struct wrn_node *node, uint32_t *cursor) {
    while (*cursor < WRN_NODE_NETWORKS_MAX) {
        uint32_t index = (*cursor)++;
        if (node->networks[index]) {
            return (wrn_handle){index, node->generations[index]};
        }
    }
    return WRN_HANDLE_NONE;
}

wrn_handle wrn_node_find(const struct wrn_node *node, wrn_span text, bool *ret_many) {
    wrn_handle found = WRN_HANDLE_NONE;
    uint32_t count = 0;
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        const struct wrn_network *network = node->networks[i];
        if (!network) {
            continue;
        }
        const char *name = network->descriptor.name;
        bool is_named = strlen(name) == text.size && memcmp(name, text.data, text.size) == 0;
        if (is_named || starts_with(network->descriptor.id, text)) {
            found = network->handle;
            count++;
        }
    }
    *ret_many = count > 1;
    return count == 1 ? found : WRN_HANDLE_NONE;
}

/* Tells whether at least 8 hexadecimal digits are the first ones of a network's id. */
static bool starts_with(const uint8_t *id, wrn_span digits) {
    enum { DIGITS_MIN = 8 };
    if (digits.size < DIGITS_MIN || digits.size > (size_t)WRN_NETWORK_ID_SIZE * 2) {
        return false;
    }
    for (size_t i = 0; i < digits.size; i++) {
        uint8_t digit = i % 2 == 0 ? id[i / 2] >> 4 : id[i / 2] & 15;
        uint8_t c = digits.data[i];
        uint8_t lower = c >= 'A' && c <= 'F' ? (uint8_t)(c - 'A' + 'a') : c;
        if (lower != (uint8_t) "0123456789abcdef"[digit]) {
            return false;
        }
    }
    return true;
}

struct wrn_wg *wrn_node_wg(const struct wrn_node *node, wrn_handle network) {
    const struct wrn_network *found = wrn_node_network(node, network);
    return found ? found->wg : NULL;
}

const struct wrn_overlay *wrn_node_overlay(const struct wrn_node *node, wrn_handle network) {
    const struct wrn_network *found = wrn_node_network(node, network);
    return found ? found->overlay : NULL;
}

const struct wrn_descriptor *wrn_node_descriptor(const struct wrn_node *node, wrn_handle network) {
    const struct wrn_network *found = wrn_node_network(node, network);
    return found ? &found->descriptor : NULL;
}

uint32_t wrn_node_tag(const struct wrn_node *node, wrn_handle network) {
    const struct wrn_network *found = wrn_node_network(node, network);
    return found ? found->tag : 0;
}
