/* SPDX-License-Identifier: Apache-2.0 */
/* Delivers datagrams and packets between hosts, and does what their nodes want, as a driver would.
 * Decides nothing. */
#include "unit/node/hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/relayed.h"
#include "network/certs.h"
#include "overlay/pair.h"
#include "switch/payload.h"
#include "unit/overlay/real_primitives.h"
#include "wg/receiver.h"

enum {
    FLIGHTS_MAX = 4096,
    DATAGRAM_ROOM = 2048,
    DELAY_MS = 5,
    CARRIES_MAX = 64,
    TOLD_MAX = 64,
    PORT = 7000
};

struct flight {
    wrn_mono at;
    uint32_t from, to;
    uint16_t socket;
    size_t size;
    uint8_t bytes[DATAGRAM_ROOM];
};

/* A sealed datagram that is to be handed to its node. */
struct carry {
    wrn_handle network;
    struct wrn_path path;
    size_t size;
    uint8_t bytes[DATAGRAM_ROOM];
};

/* A frame that a verdict has told of. */
struct told {
    uint32_t host;
    wrn_handle network, peer;
    size_t size;
    uint8_t bytes[DATAGRAM_ROOM];
};

struct host hosts[HOSTS_MAX];
struct wrn_now hosts_now;
bool hosts_are_apart[HOSTS_MAX][HOSTS_MAX];
uint64_t hosts_sent[HOSTS_MAX][HOSTS_MAX];
struct wrn_node_out *hosts_out;
wrn_span hosts_chain;
bool hosts_are_bare;
bool hosts_know_nobody;
static bool makes_open;
bool hosts_announce;
uint16_t hosts_mtu;
uint32_t hosts_whole_max = UINT32_MAX;
uint32_t hosts_owns;
bool hosts_speak_aes;

static struct flight *flights;
static uint32_t flight_first, flight_count, host_count;
static struct carry carries[CARRIES_MAX];
static uint32_t carry_count;
static struct told told[TOLD_MAX];
static uint32_t told_count;
static struct wrn_prng prng;
static struct wrn_crypto *crypto;
static size_t node_size, network_size;
static uint8_t chains[32][WRN_CREDENTIAL_MAX];
static uint32_t chain_count;

static uint32_t create(uint32_t number, enum wrn_network_kind kind, const char *name,
                       const char *ipv4);
static void tell_frame(uint32_t number, wrn_handle network, wrn_handle peer, wrn_span frame);

static void *map(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

static void seed_of(char letter, uint8_t seed[WRN_SEED_SIZE]) {
    memset(seed, letter, WRN_SEED_SIZE);
}

void hosts_public(char letter, uint8_t ret_public[WRN_SIGN_PUBLIC_SIZE]) {
    uint8_t seed[WRN_SEED_SIZE];
    seed_of(letter, seed);
    assert_true(wrn_sign_public(seed, ret_public));
}

int hosts_begin(void **state) {
    assert_int_equal(real_primitives_set_up(state), 0);
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_AUTO, &crypto), 0);
    wrn_prng_init(&prng, check_seed(), 0);
    hosts_now = (struct wrn_now){.mono = {WRN_S(1000)}, .wall = {.s = 1795000000}};
    memset(hosts, 0, sizeof(hosts));
    hosts_know_nobody = false;
    hosts_are_bare = hosts_announce = hosts_speak_aes = false;
    hosts_mtu = 0;
    hosts_whole_max = UINT32_MAX;
    hosts_owns = 0;
    memset(hosts_are_apart, 0, sizeof(hosts_are_apart));
    memset(hosts_sent, 0, sizeof(hosts_sent));
    flights = map(FLIGHTS_MAX * sizeof(*flights));
    hosts_out = map(sizeof(*hosts_out));
    hosts_out->wg = map(sizeof(*hosts_out->wg));
    hosts_out->overlay = map(sizeof(*hosts_out->overlay));
    flight_first = flight_count = host_count = carry_count = chain_count = 0;
    return 0;
}

int hosts_end(void **state) {
    for (uint32_t i = 0; i < host_count; i++) {
        hosts_stop(i);
    }
    (void)munmap(flights, FLIGHTS_MAX * sizeof(*flights));
    (void)munmap(hosts_out->wg, sizeof(*hosts_out->wg));
    (void)munmap(hosts_out->overlay, sizeof(*hosts_out->overlay));
    (void)munmap(hosts_out, sizeof(*hosts_out));
    wrn_crypto_destroy(crypto);
    return real_primitives_tear_down(state);
}

/* ---- hosts and networks ---- */

uint32_t hosts_add(char letter) {
    assert_true(host_count < HOSTS_MAX);
    uint32_t number = host_count++;
    hosts[number].letter = letter;
    hosts[number].at = (struct wrn_endpoint){
        .ip = {.bytes = {192, 0, 2, (uint8_t)(number + 1)}, .family = WRN_FAMILY_IPV4},
        .port = PORT};
    hosts_start_again(number);
    return number;
}

void hosts_start_again(uint32_t number) {
    struct host *host = &hosts[number];
    char name[16];
    int size = snprintf(name, sizeof(name), "Host-%c.example", host->letter);
    struct wrn_node_options options = {.host = {(const uint8_t *)name, (size_t)size},
                                       .port = PORT,
                                       .announces = hosts_announce,
                                       .speaks_aes = hosts_speak_aes,
                                       .mtu_bytes = hosts_mtu,
                                       .crypto = crypto,
                                       .primitives = &primitives,
                                       .rand = wrn_prng_rand(&prng)};
    seed_of(host->letter, options.seed);
    node_size = wrn_node_memory_size(&options);
    host->node = wrn_node_init(map(node_size), &options, hosts_now);
    assert_non_null(host->node);
    network_size = wrn_node_network_size(host->node);
    host->is_there = true;
    host->network_count = host->address_count = host->route_count = 0;
}

void hosts_stop(uint32_t number) {
    struct host *host = &hosts[number];
    if (!host->is_there) {
        return;
    }
    wrn_node_finish(host->node);
    for (uint32_t i = 0; i < host->network_count; i++) {
        (void)munmap(host->memories[i], network_size);
    }
    (void)munmap(host->node, node_size);
    host->is_there = false;
    host->network_count = 0;
}

static uint32_t add(uint32_t number, wrn_span state) {
    struct host *host = &hosts[number];
    uint32_t network = host->network_count++;
    struct wrn_locator_endpoint local = {.at = host->at, .kind = WRN_ENDPOINT_LOCAL};
    uint32_t cursor = 0;
    bool is_more = true;
    host->memories[network] = map(network_size);
    hosts_before();
    assert_int_equal(wrn_node_add(host->node, hosts_now, host->memories[network], state, hosts_out,
                                  &host->networks[network]),
                     WRN_REASON_NONE);
    hosts_perform(number);
    while (is_more) {
        hosts_before();
        is_more = wrn_node_set_local(host->node, hosts_now, &local, 1, &cursor, hosts_out);
        hosts_perform(number);
    }
    return network;
}

uint32_t hosts_load(uint32_t number, wrn_span state) {
    return add(number, state);
}

static uint8_t saved[HOSTS_MAX][WRN_STATE_MAX];
static size_t saved_size[HOSTS_MAX];

void hosts_save(uint32_t host, uint32_t network) {
    saved_size[host] = wrn_node_save(hosts[host].node, hosts[host].networks[network], saved[host],
                                     sizeof saved[host]);
    assert_true(saved_size[host] > 0);
}

uint32_t hosts_start_saved(uint32_t host) {
    hosts_start_again(host);
    return hosts_load(host, (wrn_span){saved[host], saved_size[host]});
}

static uint32_t add_state(uint32_t number, const struct wrn_state *state) {
    uint8_t *room = malloc(WRN_STATE_MAX);
    assert_non_null(room);
    size_t size = wrn_state_write(state, room, WRN_STATE_MAX);
    assert_true(size > 0);
    uint32_t network = add(number, (wrn_span){room, size});
    free(room);
    return network;
}

uint32_t hosts_create(uint32_t number, const char *name, const char *ipv4) {
    return create(number, WRN_NETWORK_L3, name, ipv4);
}

uint32_t hosts_create_l2(uint32_t number, const char *name) {
    return create(number, WRN_NETWORK_L2, name, NULL);
}

uint32_t hosts_create_open(uint32_t number, const char *name) {
    makes_open = true;
    uint32_t network = create(number, WRN_NETWORK_L3, name, NULL);
    makes_open = false;
    return network;
}

static uint32_t create(uint32_t number, enum wrn_network_kind kind, const char *name,
                       const char *ipv4) {
    struct wrn_descriptor descriptor = {.kind = kind, .is_open = makes_open};
    struct wrn_state state;
    uint8_t seed[WRN_SEED_SIZE];
    seed_of(hosts[number].letter, seed);
    (void)snprintf(descriptor.name, sizeof(descriptor.name), "%s", name);
    if (ipv4) {
        assert_int_equal(
            wrn_prefix_parse((wrn_span){(const uint8_t *)ipv4, strlen(ipv4)}, &descriptor.ipv4), 0);
    }
    assert_int_equal(wrn_state_create(&descriptor, seed, wrn_prng_rand(&prng), hosts_now.wall.s,
                                      NULL, 0, &state),
                     WRN_DESCRIPTOR_OK);
    return add_state(number, &state);
}

uint32_t hosts_join(uint32_t number, uint32_t owner, uint32_t network, const char *element,
                    int64_t until_s) {
    uint8_t *room = malloc(WRN_STATE_MAX), seed[WRN_SEED_SIZE], subject[WRN_SIGN_PUBLIC_SIZE];
    uint8_t hash[WRN_SHA256_SIZE], expression[512];
    struct wrn_sexp sexp;
    struct wrn_state state;
    size_t size = 0, text_size = strlen(element);
    assert_non_null(room);
    size_t state_size =
        wrn_node_save(hosts[owner].node, hosts[owner].networks[network], room, WRN_STATE_MAX);
    assert_true(state_size > 0);
    assert_int_equal(wrn_state_read((wrn_span){room, state_size}, &state), WRN_STATE_OK);
    struct wrn_pack_frame frame = wrn_descriptor_frame(&state.descriptor);
    seed_of(hosts[owner].letter, seed);
    hosts_public(hosts[number].letter, subject);
    assert_int_equal(wrn_sexp_read(WRN_SEXP_ANY, (wrn_span){(const uint8_t *)element, text_size},
                                   expression, sizeof(expression), &sexp, NULL, NULL),
                     0);
    struct wrn_certs_issue issue = {.seed = seed,
                                    .subject = subject,
                                    .element = sexp,
                                    .from_s = hosts_now.wall.s - 300,
                                    .until_s = until_s ? until_s : WRN_RECORD_TIME_MAX_S};
    uint8_t *chain = chains[chain_count++];
    assert_int_equal(wrn_certs_issue(&frame, &issue, chain, WRN_CREDENTIAL_MAX, &size, hash), 0);
    hosts_chain = (wrn_span){chain, size};
    struct wrn_state joined = {.descriptor = state.descriptor,
                               .chain = hosts_chain,
                               .wants_address = !hosts_are_bare,
                               .wants_name = !hosts_are_bare,
                               .endpoint_count = hosts_know_nobody ? 0 : 1,
                               .endpoints = {hosts[owner].at}};
    memcpy(joined.signature, state.signature, sizeof(joined.signature));
    free(room);
    return add_state(number, &joined);
}

/* ---- performing ---- */

void hosts_before(void) {
    wrn_node_out_reset(hosts_out);
    hosts_out->wg->message_count = hosts_out->wg->event_count = 0;
}

static void fly(uint32_t from, uint16_t socket, const struct wrn_endpoint *to, wrn_span head,
                wrn_span bytes) {
    for (uint32_t i = 0; i < host_count; i++) {
        if (!wrn_ip_equal(&hosts[i].at.ip, &to->ip) || to->port < PORT ||
            hosts_are_apart[from][i]) {
            continue;
        }
        assert_true(flight_count < FLIGHTS_MAX && head.size + bytes.size <= DATAGRAM_ROOM);
        struct flight *flight = &flights[(flight_first + flight_count++) % FLIGHTS_MAX];
        flight->at = wrn_mono_add(hosts_now.mono, WRN_MS(DELAY_MS));
        flight->from = from;
        flight->to = i;
        flight->socket = (uint16_t)(to->port - PORT);
        flight->size = head.size + bytes.size;
        if (head.size > 0) {
            memcpy(flight->bytes, head.data, head.size);
        }
        memcpy(flight->bytes + head.size, bytes.data, bytes.size);
        hosts_sent[from][i]++;
        (void)socket;
    }
}

static void send_by(uint32_t number, wrn_handle network, const struct wrn_path *path,
                    wrn_span bytes) {
    uint8_t head[WRN_RELAYED_OVERHEAD];
    if (path->kind == WRN_PATH_CONTROL) {
        assert_true(carry_count < CARRIES_MAX && bytes.size <= DATAGRAM_ROOM);
        struct carry *carry = &carries[carry_count++];
        carry->network = network;
        carry->path = *path;
        carry->size = bytes.size;
        memcpy(carry->bytes, bytes.data, bytes.size);
        return;
    }
    if (path->remote.ip.family == WRN_FAMILY_NONE) {
        return;
    }
    wrn_relayed_write(path->slot, head);
    fly(number, 0, &path->remote, (wrn_span){head, path->kind == WRN_PATH_RELAY ? sizeof(head) : 0},
        bytes);
}

/* What the machine of a network left in the out, and packets that waited for a session. */
static void settle(uint32_t number, wrn_handle network) {
    static uint8_t room[WRN_WG_HEADROOM + WRN_WG_PACKET_MAX + WRN_WG_TAILROOM];
    struct wrn_wg *wg = wrn_node_wg(hosts[number].node, network);
    for (uint32_t i = 0; i < hosts_out->wg->message_count; i++) {
        const struct wrn_wg_message *message = &hosts_out->wg->messages[i];
        send_by(number, network, &message->path, (wrn_span){message->bytes, message->size});
    }
    hosts_out->wg->message_count = hosts_out->wg->event_count = 0;
    for (;;) {
        struct wrn_wg_packet packet = {.bytes = room + WRN_WG_HEADROOM, .size = WRN_WG_PACKET_MAX};
        if (!wg || wrn_wg_pull_staged(wg, hosts_now, &packet, 1, hosts_out->wg) == 0) {
            break;
        }
        if (packet.datagram_size > 0) {
            send_by(number, network, &packet.path,
                    (wrn_span){packet.datagram, packet.datagram_size});
        }
    }
}

static void take_packet(struct host *host, wrn_handle network, wrn_span bytes) {
    assert_true(bytes.size <= sizeof(host->packets[0].bytes));
    if (host->packet_count < HOSTS_PACKETS_MAX) {
        struct host_packet *packet = &host->packets[host->packet_count++];
        packet->network = network;
        packet->size = bytes.size;
        memcpy(packet->bytes, bytes.data, bytes.size);
    }
}

/* A frame of a member: to the host's side if the switch lets it. */
static void take_payload(uint32_t number, wrn_handle network, wrn_handle peer, wrn_span payload) {
    static struct wrn_switch_verdict verdict;
    struct wrn_switch *sw = wrn_node_switch(hosts[number].node, network);
    assert_int_equal(payload.data[0], WRN_PAYLOAD_FRAME);
    wrn_span frame = {payload.data + WRN_PAYLOAD_FRAME_HEAD, wrn_load_be16(payload.data + 2)};
    assert_int_equal(frame.size + WRN_PAYLOAD_FRAME_HEAD, payload.size);
    wrn_switch_from_peer(sw, 0, hosts_now.mono, peer, frame, &verdict);
    if (verdict.refusal == WRN_SWITCH_NONE) {
        take_packet(&hosts[number], network, frame);
    }
    if (verdict.is_told) {
        tell_frame(number, network, peer, frame);
    }
}

/* Frames wait until the input under way is over. */
static void tell_frame(uint32_t number, wrn_handle network, wrn_handle peer, wrn_span frame) {
    assert_true(told_count < TOLD_MAX && frame.size <= sizeof(told[0].bytes));
    struct told *mine = &told[told_count++];
    mine->host = number;
    mine->network = network;
    mine->peer = peer;
    mine->size = frame.size;
    memcpy(mine->bytes, frame.data, frame.size);
}

static void send_to_member(uint32_t number, wrn_handle network, wrn_handle peer, wrn_span frame) {
    static uint8_t room[WRN_WG_HEADROOM + DATAGRAM_ROOM + WRN_WG_TAILROOM];
    struct wrn_wg *wg = wrn_node_wg(hosts[number].node, network);
    struct wrn_wg_packet packet = {
        .bytes = room + WRN_WG_HEADROOM, .size = WRN_PAYLOAD_FRAME_HEAD + frame.size, .peer = peer};
    assert_true(wg && packet.size <= DATAGRAM_ROOM);
    packet.bytes[0] = WRN_PAYLOAD_FRAME;
    packet.bytes[1] = 0;
    wrn_store_be16(packet.bytes + 2, (uint16_t)frame.size);
    memcpy(packet.bytes + WRN_PAYLOAD_FRAME_HEAD, frame.data, frame.size);
    wrn_wg_on_packets(wg, hosts_now, &packet, 1, hosts_out->wg);
    if (packet.datagram_size > 0) {
        send_by(number, network, &packet.path, (wrn_span){packet.datagram, packet.datagram_size});
    }
    settle(number, network);
}

enum wrn_switch_refusal hosts_send_frame(uint32_t number, uint32_t index, wrn_span frame) {
    static struct wrn_switch_verdict verdict;
    wrn_handle network = hosts[number].networks[index];
    hosts_before();
    wrn_switch_from_host(wrn_node_switch(hosts[number].node, network), 0, hosts_now.mono, frame,
                         &verdict);
    for (uint32_t i = 0; i < verdict.count && verdict.refusal == WRN_SWITCH_NONE; i++) {
        send_to_member(number, network, verdict.peers[i], frame);
    }
    if (verdict.is_told) {
        tell_frame(number, network, WRN_HANDLE_NONE, frame);
    }
    hosts_perform(number);
    return (enum wrn_switch_refusal)verdict.refusal;
}

/* What the node itself says in the tunnel, in a datagram that nobody fragments. */
static void send_own(uint32_t number, wrn_handle network, wrn_handle peer, wrn_span bytes) {
    static uint8_t room[WRN_WG_HEADROOM + DATAGRAM_ROOM + WRN_WG_TAILROOM];
    struct wrn_wg *wg = wrn_node_wg(hosts[number].node, network);
    struct wrn_wg_packet packet = {.bytes = room + WRN_WG_HEADROOM, .size = bytes.size};
    assert_true(wg && bytes.size <= DATAGRAM_ROOM);
    memcpy(packet.bytes, bytes.data, bytes.size);
    hosts_owns++;
    if (wrn_wg_seal_own(wg, hosts_now, peer, &packet) && bytes.size <= hosts_whole_max) {
        send_by(number, network, &packet.path, (wrn_span){packet.datagram, packet.datagram_size});
    }
}

static void perform_frame(uint32_t number, const struct wrn_node_action *action) {
    if (action->is_open) {
        take_packet(&hosts[number], action->network, action->bytes);
    }
    for (size_t at = 0; at < action->members.size; at += sizeof(wrn_handle)) {
        wrn_handle peer;
        memcpy(&peer, action->members.data + at, sizeof(peer));
        if (!wrn_node_switch(hosts[number].node, action->network)) {
            assert_true(action->is_whole);
            send_own(number, action->network, peer, action->bytes);
            continue;
        }
        send_to_member(number, action->network, peer, action->bytes);
    }
}

static void to_machine(uint32_t number, wrn_handle network, const struct wrn_path *path,
                       uint8_t *bytes, size_t size) {
    struct wrn_wg *wg = wrn_node_wg(hosts[number].node, network);
    struct wrn_wg_datagram datagram = {.bytes = bytes, .size = size, .path = *path};
    if (!wg) {
        return;
    }
    wrn_wg_on_datagrams(wg, hosts_now, &datagram, 1, hosts_out->wg);
    wrn_span packet = {datagram.packet, datagram.packet_size};
    if (packet.size > 0 && wrn_node_switch(hosts[number].node, network) != NULL) {
        take_payload(number, network, datagram.peer, packet);
    } else if (packet.size > 0) {
        take_packet(&hosts[number], network, packet);
    } else if (datagram.drop == WRN_DROP_NONE && size > WRN_WG_KEEPALIVE_SIZE &&
               wrn_load_le32(bytes) == WRN_WG_TYPE_DATA &&
               bytes[WRN_WG_DATA_HEADER_SIZE] == WRN_WG_OWN) {
        tell_frame(number, network, datagram.peer,
                   (wrn_span){bytes + WRN_WG_DATA_HEADER_SIZE, WRN_WG_OWN_SIZE});
    }
    settle(number, network);
}

/* Returns whether nobody has the address: then it is the node's. */
static bool from_host(uint32_t number, wrn_handle network, wrn_span bytes) {
    static uint8_t room[WRN_WG_HEADROOM + DATAGRAM_ROOM + WRN_WG_TAILROOM];
    struct wrn_wg *wg = wrn_node_wg(hosts[number].node, network);
    struct wrn_wg_packet packet = {.bytes = room + WRN_WG_HEADROOM, .size = bytes.size};
    assert_true(wg && bytes.size <= DATAGRAM_ROOM);
    memcpy(packet.bytes, bytes.data, bytes.size);
    wrn_wg_on_packets(wg, hosts_now, &packet, 1, hosts_out->wg);
    if (packet.datagram_size > 0) {
        send_by(number, network, &packet.path, (wrn_span){packet.datagram, packet.datagram_size});
    }
    bool is_nobodys =
        packet.datagram_size == 0 && packet.drop == WRN_DROP_NONE && packet.peer.generation == 0;
    settle(number, network);
    return is_nobodys;
}

static void note_disk(struct host *host, wrn_handle network) {
    uint8_t *room = malloc(WRN_STATE_MAX);
    struct wrn_state state;
    assert_non_null(room);
    size_t size = wrn_node_save(host->node, network, room, WRN_STATE_MAX);
    assert_int_equal(wrn_state_read((wrn_span){room, size}, &state), WRN_STATE_OK);
    host->locators_on_disk = state.locator_count;
    free(room);
}

static void note_prefix(struct wrn_node_action *list, uint32_t *count,
                        const struct wrn_node_action *action) {
    for (uint32_t i = 0; i < *count; i++) {
        if (wrn_handle_equal(list[i].network, action->network) &&
            list[i].prefix.length_bits == action->prefix.length_bits &&
            wrn_ip_equal(&list[i].prefix.ip, &action->prefix.ip)) {
            list[i] = list[--*count];
            break;
        }
    }
    if (action->is_open && *count < 32) {
        list[(*count)++] = *action;
    }
}

static void note_announcement(struct host *host, wrn_span bytes) {
    uint8_t ring[WRN_RING_SIZE];
    wrn_id id;
    assert_int_equal(wrn_announce_read(bytes, ring, &id, &host->announced), WRN_REASON_NONE);
}

static void perform(uint32_t number, const struct wrn_node_action *action) {
    struct host *host = &hosts[number];
    switch (action->kind) {
    case WRN_NODE_DATAGRAM:
        fly(number, action->socket, &action->to, (wrn_span){NULL, 0}, action->bytes);
        break;
    case WRN_NODE_INJECT:
        to_machine(number, action->network, &action->path, (uint8_t *)(uintptr_t)action->bytes.data,
                   action->bytes.size);
        break;
    case WRN_NODE_TO_HOST:
        take_packet(host, action->network, action->bytes);
        break;
    case WRN_NODE_FRAME:
        perform_frame(number, action);
        break;
    case WRN_NODE_ADDRESS:
        note_prefix(host->addresses, &host->address_count, action);
        break;
    case WRN_NODE_ROUTE:
        note_prefix(host->routes, &host->route_count, action);
        break;
    case WRN_NODE_SAVE:
        host->saves++;
        if (action->is_urgent) {
            note_disk(host, action->network);
        }
        break;
    case WRN_NODE_EVENT:
        if (host->event_count < HOSTS_EVENTS_MAX) {
            host->events[host->event_count++] = action->event;
        }
        break;
    case WRN_NODE_ANSWER:
        if (host->answer_count < HOSTS_ANSWERS_MAX) {
            host->answers[host->answer_count++] = action->answer;
        }
        break;
    case WRN_NODE_GONE:
        host->gone++;
        break;
    case WRN_NODE_MULTICAST:
        note_announcement(host, action->bytes);
        break;
    case WRN_NODE_SOCKETS:
        break;
    }
}

void hosts_perform(uint32_t number) {
    uint32_t done = 0, heard = 0;
    if (hosts_out->network.generation != 0) {
        settle(number, hosts_out->network);
    }
    for (uint32_t i = 0; i < hosts_out->count; i++) {
        perform(number, &hosts_out->actions[i]);
    }
    assert_int_equal(hosts_out->lost, 0);
    while (done < carry_count || heard < told_count) {
        hosts_before();
        if (done < carry_count) {
            struct carry carry = carries[done++];
            wrn_node_on_carry(hosts[number].node, hosts_now, carry.network, &carry.path,
                              (wrn_span){carry.bytes, carry.size}, hosts_out);
        } else {
            struct told mine = told[heard++];
            assert_int_equal(mine.host, number);
            wrn_node_on_frame(hosts[number].node, hosts_now, mine.network, mine.peer,
                              (wrn_span){mine.bytes, mine.size}, hosts_out);
        }
        for (uint32_t i = 0; i < hosts_out->count; i++) {
            perform(number, &hosts_out->actions[i]);
        }
    }
    carry_count = told_count = 0;
}

/* ---- time ---- */

static void arrive(struct flight *flight) {
    struct host *host = &hosts[flight->to];
    struct wrn_path path = {.remote = hosts[flight->from].at};
    uint32_t tag = 0, cursor = 0;
    if (!host->is_there || flight->size == 0 || flight->socket != 0) {
        return;
    }
    hosts_before();
    enum wrn_wg_receiver receiver =
        wrn_wg_receiver(flight->bytes, flight->size, WRN_NODE_TAG_BITS, &tag);
    if (receiver == WRN_WG_RECEIVER_NONE) {
        wrn_node_on_datagram(host->node, hosts_now, WRN_HANDLE_NONE, 0, &path.remote, flight->bytes,
                             flight->size, hosts_out);
        hosts_perform(flight->to);
        return;
    }
    for (wrn_handle network = wrn_node_next(host->node, &cursor); network.generation != 0;
         network = wrn_node_next(host->node, &cursor)) {
        bool is_its = receiver == WRN_WG_RECEIVER_TAGGED
                          ? wrn_node_tag(host->node, network) == tag
                          : wrn_wg_is_initiation_for(wrn_node_wg(host->node, network), crypto,
                                                     (wrn_span){flight->bytes, flight->size});
        if (is_its) {
            to_machine(flight->to, network, &path, flight->bytes, flight->size);
            hosts_before();
            hosts_perform(flight->to);
            return;
        }
    }
}

static wrn_mono next_due(void) {
    wrn_mono due = flight_count > 0 ? flights[flight_first].at : WRN_MONO_NEVER;
    for (uint32_t i = 0; i < host_count; i++) {
        due = hosts[i].is_there ? wrn_mono_min(due, wrn_node_due(hosts[i].node)) : due;
    }
    return due;
}

static void move_to(wrn_mono at) {
    uint64_t step = wrn_mono_since(at, hosts_now.mono);
    uint64_t ns = hosts_now.wall.ns + step;
    hosts_now.mono = wrn_mono_add(hosts_now.mono, step);
    hosts_now.wall.s += (int64_t)(ns / WRN_S(1));
    hosts_now.wall.ns = (uint32_t)(ns % WRN_S(1));
}

static void do_due(void) {
    while (flight_count > 0 && wrn_mono_reached(hosts_now.mono, flights[flight_first].at)) {
        struct flight flight = flights[flight_first];
        flight_first = (flight_first + 1) % FLIGHTS_MAX;
        flight_count--;
        arrive(&flight);
    }
    for (uint32_t i = 0; i < host_count; i++) {
        for (uint32_t turn = 0; turn < 1000 && hosts[i].is_there &&
                                wrn_mono_reached(hosts_now.mono, wrn_node_due(hosts[i].node));
             turn++) {
            CHECK(turn < 999, "host %u is always due: ", i);
            hosts_before();
            wrn_node_on_time(hosts[i].node, hosts_now, hosts_out);
            hosts_perform(i);
        }
    }
}

void hosts_run(uint64_t ms) {
    wrn_mono end = wrn_mono_add(hosts_now.mono, WRN_MS(ms));
    for (;;) {
        wrn_mono due = next_due();
        if (wrn_mono_before(end, due)) {
            break;
        }
        move_to(due);
        do_due();
    }
    move_to(end);
}

void hosts_until(bool (*holds)(void), uint32_t seconds, const char *what) {
    for (uint32_t i = 0; i < seconds * 20; i++) {
        if (holds()) {
            return;
        }
        hosts_run(50);
    }
    fail_msg("after %u s: %s", seconds, what);
}

/* ---- packets ---- */

void hosts_send(uint32_t number, uint32_t network, wrn_span packet) {
    struct host *host = &hosts[number];
    hosts_before();
    if (from_host(number, host->networks[network], packet)) {
        hosts_before();
        wrn_node_on_packet(host->node, hosts_now, host->networks[network], packet, hosts_out);
    }
    hosts_perform(number);
}

struct host_packet hosts_packet(const struct wrn_ip *from, const struct wrn_ip *to,
                                const char *text) {
    enum { UDP = 17, UDP_HEADER = 8, IPV4_HEADER = 20, IPV6_HEADER = 40, PORT_OF_ALL = 4242 };
    struct host_packet packet = {.size = 0};
    uint8_t *at = packet.bytes;
    size_t size = UDP_HEADER + strlen(text);
    bool is_ipv4 = from->family == WRN_FAMILY_IPV4;
    size_t header = is_ipv4 ? IPV4_HEADER : IPV6_HEADER;
    assert_int_equal(from->family, to->family);
    if (is_ipv4) {
        at[0] = 0x45;
        wrn_store_be16(at + 2, (uint16_t)(header + size));
        at[8] = 64;
        at[9] = UDP;
        memcpy(at + 12, from->bytes, 4);
        memcpy(at + 16, to->bytes, 4);
    } else {
        at[0] = 0x60;
        wrn_store_be16(at + 4, (uint16_t)size);
        at[6] = UDP;
        at[7] = 64;
        memcpy(at + 8, from->bytes, 16);
        memcpy(at + 24, to->bytes, 16);
    }
    wrn_store_be16(at + header, PORT_OF_ALL);
    wrn_store_be16(at + header + 2, PORT_OF_ALL);
    wrn_store_be16(at + header + 4, (uint16_t)size);
    memcpy(at + header + UDP_HEADER, text, strlen(text));
    packet.size = header + size;
    return packet;
}

uint32_t hosts_got(uint32_t number, uint32_t network, const char *text) {
    const struct host *host = &hosts[number];
    uint32_t count = 0;
    for (uint32_t i = 0; i < host->packet_count; i++) {
        const struct host_packet *packet = &host->packets[i];
        size_t size = strlen(text);
        count += wrn_handle_equal(packet->network, host->networks[network]) &&
                 packet->size >= size &&
                 memcmp(packet->bytes + packet->size - size, text, size) == 0;
    }
    return count;
}

struct wrn_node_network_info hosts_info(uint32_t number, uint32_t network) {
    struct wrn_node_network_info info;
    assert_true(wrn_node_network_info(hosts[number].node, hosts[number].networks[network], &info));
    return info;
}

bool hosts_peer(uint32_t number, uint32_t network, uint32_t other,
                struct wrn_node_peer_info *ret_info) {
    uint32_t cursor = 0;
    while (wrn_node_next_peer(hosts[number].node, hosts[number].networks[network], &cursor,
                              ret_info)) {
        if (memcmp(ret_info->hit, wrn_node_hit(hosts[other].node), WRN_HIT_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

const struct wrn_node_event *hosts_event(uint32_t number, enum wrn_node_event_kind kind) {
    const struct host *host = &hosts[number];
    for (uint32_t i = host->event_count; i > 0; i--) {
        if (host->events[i - 1].kind == kind) {
            return &host->events[i - 1];
        }
    }
    return NULL;
}
