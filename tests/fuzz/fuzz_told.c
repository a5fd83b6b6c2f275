/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes what members of a network say to one another (docs/networks.md, "Messages"): the input is
 * messages that come from a peer, or were routed from somewhere, to a node in a network of two. The
 * world is another one for each input, and always the same. What the peer says of itself is
 * believed as far as it is proven, and it stays a member that can be talked to. */
#include "fuzz.h"

#include <stdlib.h>

#include "fuzz/overlay_stub.h"
#include "node/network_internal.h"
#include "unit/node/hosts.h"

enum { ALICE, BOB, MESSAGES_MAX = 64, STEP_MS = 50 };

static uint32_t alices, bobs;

static bool is_settled(void) {
    struct wrn_node_peer_info peer;
    return hosts_peer(ALICE, alices, BOB, &peer) && peer.ipv4.family == WRN_FAMILY_IPV4;
}

static struct wrn_network *begin(void) {
    (void)setenv("WARREN_TEST_SEED", "1", 1);
    HOLDS(hosts_begin(NULL) == 0);
    hosts_add('a');
    hosts_add('b');
    alices = hosts_create(ALICE, "lab", "10.77.0.0/24");
    hosts_run(2000);
    bobs = hosts_join(BOB, ALICE, alices, "(member)", 0);
    hosts_until(is_settled, 60, "two hosts know each other");
    hosts_before();
    wrn_node_members(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices], 9, hosts_out);
    hosts_perform(ALICE); /* a question is under way */
    return wrn_node_network(hosts[ALICE].node, hosts[ALICE].networks[alices]);
}

static void hear(struct wrn_network *network, wrn_handle peer, wrn_id from, wrn_span message) {
    struct wrn_overlay_action action = {
        .kind = WRN_OVERLAY_MESSAGE, .peer = peer, .id = from, .number = 1};
    uint8_t *copy = malloc(message.size + 1); /* of its own size, so that reading on is noticed */
    HOLDS(copy);
    memcpy(copy + 1, message.data, message.size);
    if (message.size > 8 && (message.data[0] == WRN_NETWORK_INFO) && network->walk->nonce != 0) {
        wrn_store_be64(copy + 2, network->walk->nonce); /* no fuzzer guesses it */
    }
    action.bytes = (wrn_span){copy + 1, message.size};
    hosts_before();
    wrn_network_begin(network, hosts_now, hosts_out);
    wrn_network_on_ring(network, &action);
    wrn_network_end(network);
    hosts_perform(ALICE);
    free(copy);
}

static void check(const struct wrn_network *network, const struct wrn_network_peer *bob) {
    size_t size = strlen(bob->label);
    HOLDS(bob->overlay.generation != 0 && bob->rights != 0);
    HOLDS(bob->ipv4.family == WRN_FAMILY_NONE ||
          wrn_network_is_in(&network->descriptor.ipv4, &bob->ipv4));
    HOLDS(bob->allowed_count <= 3 && bob->route_count == 0); /* he has no right to a route */
    HOLDS(size == 0 || wrn_label_is_good((wrn_span){(const uint8_t *)bob->label, size}));
    HOLDS(network->standing == WRN_REASON_NONE && network->address.family == WRN_FAMILY_IPV4);
}

/* Each message: routed(1) size(2) bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { HEAD = 3 };
    uint8_t key[WRN_SIGN_PUBLIC_SIZE];
    struct wrn_network *network = begin();
    hosts_public('b', key);
    for (int count = 0; count < MESSAGES_MAX && size >= HEAD; count++) {
        struct wrn_network_peer *bob = wrn_network_peer_by_key(network, key);
        bool is_routed = (data[0] & 1) != 0;
        size_t length = (size_t)data[1] << 8 | data[2];
        length = length < size - HEAD ? length : size - HEAD;
        HOLDS(bob != NULL);
        hear(network, is_routed ? WRN_HANDLE_NONE : bob->overlay, bob->id,
             (wrn_span){data + HEAD, length});
        data += HEAD + length;
        size -= HEAD + length;
        hosts_run(STEP_MS);
        bob = wrn_network_peer_by_key(network, key);
        HOLDS(bob != NULL);
        check(network, bob);
    }
    HOLDS(hosts_end(NULL) == 0);
    return 0;
}
