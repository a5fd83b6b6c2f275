/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes what nodes of a network say to each other about rights: a member gets messages of two
 * peers, and of nobody in particular, and time passes. Whatever comes, it says little, keeps its
 * own rights unless it is revoked, and what it keeps can be read again. Keys are those of letters,
 * so that seeds can have good signatures. */
#include "fuzz.h"

#include <sys/mman.h>

#include "fuzz/overlay_stub.h"
#include "network/certs.h"
#include "node/authority_internal.h"
#include "node/network_internal.h"

enum { NOW_S = 1795000000, PEERS = 2, ANSWERS_MAX = 64 };

static struct {
    struct wrn_primitives primitives;
    struct wrn_prng prng;
    struct wrn_node_out *out;
    uint8_t state[4096];
    size_t state_size;
    struct wrn_now now;
} fuzz;

static void *map(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    HOLDS(memory != MAP_FAILED);
    return memory;
}

static void seed_of(char letter, uint8_t ret_seed[WRN_SEED_SIZE]) {
    memset(ret_seed, letter, WRN_SEED_SIZE);
}

static void public_of(char letter, uint8_t ret_public[WRN_SIGN_PUBLIC_SIZE]) {
    uint8_t seed[WRN_SEED_SIZE];
    seed_of(letter, seed);
    HOLDS(wrn_sign_public(seed, ret_public));
}

static size_t issue(const struct wrn_descriptor *descriptor, char subject, uint8_t *out) {
    struct wrn_pack_frame frame = wrn_descriptor_frame(descriptor);
    uint8_t seed[WRN_SEED_SIZE], public_key[WRN_SIGN_PUBLIC_SIZE], hash[WRN_SHA256_SIZE];
    size_t size;
    seed_of('o', seed);
    public_of(subject, public_key);
    const struct wrn_certs_issue issue = {
        .seed = seed,
        .subject = public_key,
        .element = {{(const uint8_t *)"(6:member)", 10}},
        .from_s = NOW_S - 300,
        .until_s = NOW_S + 3600,
    };
    HOLDS(wrn_certs_issue(&frame, &issue, out, WRN_CREDENTIAL_MAX, &size, hash) == 0);
    return size;
}

/* Once: the state of a member of the network of 'o'. */
static void set_up(struct wrn_crypto **crypto) {
    static struct wrn_crypto *made;
    struct wrn_descriptor descriptor = {.name = "lab"};
    struct wrn_state state;
    uint8_t seed[WRN_SEED_SIZE], chain[WRN_CREDENTIAL_MAX];
    if (made == NULL) {
        HOLDS(wrn_crypto_create(WRN_CRYPTO_OPENSSL, &made) == 0);
        fuzz.primitives = wrn_primitives(made);
        fuzz.out = map(sizeof *fuzz.out);
        fuzz.out->wg = map(sizeof *fuzz.out->wg);
        fuzz.out->overlay = map(sizeof *fuzz.out->overlay);
        wrn_prng_init(&fuzz.prng, 1, 0);
        seed_of('o', seed);
        HOLDS(wrn_state_create(&descriptor, seed, wrn_prng_rand(&fuzz.prng), NOW_S - 1000, NULL, 0,
                               &state) == WRN_DESCRIPTOR_OK);
        state.chain = (wrn_span){chain, issue(&descriptor, 'b', chain)};
        fuzz.state_size = wrn_state_write(&state, fuzz.state, sizeof fuzz.state);
        HOLDS(fuzz.state_size > 0);
    }
    *crypto = made;
    wrn_prng_init(&fuzz.prng, 2, 0);
    fuzz.now = (struct wrn_now){.mono = {WRN_S(1000)}, .wall = {.s = NOW_S}};
}

static void before(void) {
    wrn_node_out_reset(fuzz.out);
    fuzz.out->wg->message_count = fuzz.out->wg->event_count = 0;
}

/* A peer that the ring does not know: what is sent to it goes nowhere. */
static void add_peer(struct wrn_network *network, char letter, uint32_t index) {
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], chain[WRN_CREDENTIAL_MAX];
    public_of(letter, public_key);
    size_t size = issue(&network->descriptor, letter, chain);
    before();
    wrn_network_begin(network, fuzz.now, fuzz.out);
    wrn_network_peer_shown(network, public_key, (wrn_span){chain, size});
    struct wrn_network_peer *peer = wrn_network_peer_by_key(network, public_key);
    HOLDS(peer != NULL);
    peer->overlay = (wrn_handle){index, 1};
    network->by_overlay[index] = peer->self;
    network->up_count++;
    wrn_authority_on_peer_up(network, peer);
    wrn_network_end(network);
}

static void message(struct wrn_network *network, uint8_t who, wrn_span bytes) {
    before();
    wrn_network_begin(network, fuzz.now, fuzz.out);
    struct wrn_network_peer *from =
        who % 3 == 2 ? NULL : wrn_network_peer_of(network, (wrn_handle){1U + who % 3, 1});
    wrn_authority_on_message(network, from, (wrn_id){.high = who, .low = 1}, bytes);
    if (who % 4 == 3) {
        wrn_authority_on_broadcast(network, (wrn_id){.high = 1}, bytes);
    }
    wrn_network_end(network);
    HOLDS(fuzz.out->lost == 0 && fuzz.out->count < ANSWERS_MAX);
}

static void pass(struct wrn_network *network, uint32_t ms) {
    fuzz.now.mono = wrn_mono_add(fuzz.now.mono, WRN_MS(ms));
    fuzz.now.wall.s += ms / 1000;
    for (uint32_t i = 0; wrn_mono_reached(fuzz.now.mono, wrn_authority_due(network->authority));
         i++) {
        HOLDS(i < 100);
        before();
        wrn_network_begin(network, fuzz.now, fuzz.out);
        wrn_authority_on_time(network);
        wrn_network_end(network);
    }
}

static void check(struct wrn_network *network) {
    static uint8_t saved[WRN_STATE_MAX];
    struct wrn_state read;
    size_t size = wrn_node_save(network->node, network->handle, saved, sizeof saved);
    HOLDS(size > 0);
    HOLDS(wrn_state_read((wrn_span){saved, size}, &read) == WRN_STATE_OK);
    HOLDS(
        network->standing == WRN_REASON_EXCLUDED || network->standing == WRN_REASON_EXPIRED ||
        (network->standing == WRN_REASON_NONE && (network->rights.flags & WRN_RIGHT_MEMBER) != 0));
}

/* who(1) tenths-of-a-second(1) size(2) message, again and again */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct wrn_crypto *crypto;
    wrn_handle handle;
    set_up(&crypto);
    struct wrn_node_options options = {.host = {(const uint8_t *)"bob", 3},
                                       .port = 51820,
                                       .crypto = crypto,
                                       .primitives = &fuzz.primitives,
                                       .rand = wrn_prng_rand(&fuzz.prng)};
    seed_of('b', options.seed);
    size_t node_size = wrn_node_memory_size(&options);
    struct wrn_node *node = wrn_node_init(map(node_size), &options, fuzz.now);
    HOLDS(node != NULL);
    size_t network_size = wrn_node_network_size(node);
    void *memory = map(network_size);
    before();
    HOLDS(wrn_node_add(node, fuzz.now, memory, (wrn_span){fuzz.state, fuzz.state_size}, fuzz.out,
                       &handle) == WRN_REASON_NONE);
    struct wrn_network *network = wrn_node_network(node, handle);
    add_peer(network, 'c', 1);
    add_peer(network, 'o', 2);
    for (uint32_t i = 0; size >= 4 && i < 64; i++) {
        size_t part = (size_t)data[2] << 8 | data[3];
        part = part < size - 4 ? part : size - 4;
        uint8_t *copy = malloc(part + 1); /* of its own size, so that reading on is noticed */
        HOLDS(copy);
        memcpy(copy + 1, data + 4, part);
        message(network, data[0], (wrn_span){copy + 1, part});
        free(copy);
        pass(network, 100U * data[1]);
        data += 4 + part;
        size -= 4 + part;
    }
    check(network);
    wrn_node_finish(node);
    HOLDS(munmap(memory, network_size) == 0);
    HOLDS(munmap(node, node_size) == 0);
    return 0;
}
