/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no message breaks a node of the DHT, makes it send more than a few at once, hold more than
 * it may, or want to be called in the past; what is read can be written again. Method: the input is
 * a program for one machine with eight neighbours, every signature being good. */
#include "fuzz.h"

#include "fuzz/overlay_stub.h"
#include "overlay/dht_internal.h"

enum { PEERS = 8, STEPS_MAX = 300, SENT_MAX = 8 + 6 };

struct input {
    const uint8_t *next;
    size_t left;
};

static struct {
    struct overlay_stub stub;
    struct wrn_primitives primitives;
    struct wrn_links links;
    struct wrn_prng prng;
    struct wrn_dht *dht;
    struct wrn_now now;
    uint32_t sent;
    uint64_t nonce; /* of the last question that it asked */
    uint32_t number;
    uint32_t weighing; /* the number of its last WEIGH */
    _Alignas(64) uint8_t memory[1 << 18];
} m;

static uint8_t byte(struct input *in);
static void begin(uint8_t first);
static void step(struct input *in);
static void take_message(struct input *in, uint8_t op);
static size_t write_record(struct input *in, uint8_t *out);
static size_t write_weigh(struct input *in, uint8_t *out);
static size_t write_weighed(struct input *in, uint8_t *out);
static void check(void);

static enum wrn_reason on_route(void *ctx, const struct wrn_route_header *header,
                                wrn_span payload) {
    (void)ctx, (void)header;
    HOLDS(payload.size >= 2 && payload.size <= WRN_PAYLOAD_MAX);
    m.sent++;
    if (payload.data[1] == WRN_DHT_MESSAGE_GET || payload.data[1] == WRN_DHT_MESSAGE_STORE) {
        m.nonce = wrn_load_be64(payload.data + 2);
    }
    return WRN_REASON_NONE;
}

static void on_send(void *ctx, wrn_handle peer, wrn_span message) {
    (void)ctx;
    HOLDS(message.size >= 2 && message.size <= WRN_MESSAGE_MAX && peer.index < PEERS);
    m.sent++;
    if (message.data[1] == WRN_DHT_MESSAGE_DIGEST || message.data[1] == WRN_DHT_MESSAGE_COPY) {
        m.number = wrn_load_be32(message.data + 2);
    }
    if (message.data[1] == WRN_DHT_MESSAGE_WEIGH) {
        m.weighing = wrn_load_be32(message.data + 2);
    }
}

static void on_answer(void *ctx, const struct wrn_dht_answer *answer) {
    (void)ctx;
    HOLDS(answer->reason < WRN_REASON_COUNT);
    HOLDS(answer->record.size <= WRN_RECORD_MAX);
}

static void on_lost(void *ctx, wrn_span record, wrn_span winner, enum wrn_reason reason) {
    (void)ctx, (void)winner;
    HOLDS(record.size > 0 && reason != WRN_REASON_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    begin(byte(&in));
    for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++) {
        step(&in);
        check();
    }
    return 0;
}

static uint8_t byte(struct input *in) {
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->next++;
}

static wrn_id id_of(uint32_t node) {
    return (wrn_id){((uint64_t)node << 60) + 7777777, node};
}

static void begin(uint8_t first) {
    struct wrn_arena arena;
    struct wrn_dht_options options = {.records_max = 6u + (first & 7),
                                      .bytes_max = 3000,
                                      .writer_bytes_max = 2000,
                                      .requests_max = 2,
                                      .kept_max = 2};
    struct wrn_dht_port port = {NULL, on_route, on_send, on_answer, on_lost};
    memset(&m, 0, sizeof(m));
    m.primitives = stub_primitives(&m.stub);
    m.now = (struct wrn_now){{WRN_S(100)}, {1000000, 0}};
    wrn_prng_init(&m.prng, first, 1);
    wrn_arena_init(&arena, m.memory, sizeof(m.memory));
    wrn_links_init(&m.links, &arena, id_of(PEERS), PEERS);
    m.dht = wrn_dht_init(&arena, &options, &m.links, &m.primitives, port, wrn_prng_rand(&m.prng));
    HOLDS(arena.used <= arena.size);
}

static void link_node(uint32_t node, uint8_t how) {
    wrn_handle peer = {node, 1};
    if (wrn_links_of(&m.links, peer) != NULL) {
        wrn_links_remove(&m.links, peer);
    } else {
        struct wrn_link *link = wrn_links_add(&m.links, peer, id_of(node));
        link->mine = how % 4 == 0 ? WRN_LINK_LEAF : WRN_LINK_NEAR;
        link->view_left = link->view_right = how % 5;
        for (uint32_t i = 0; i < WRN_NEAR_PER_SIDE; i++) {
            link->left[i] = id_of((node + 15 - i) % 16);
            link->right[i] = id_of((node + 1 + i) % 16);
        }
    }
    wrn_dht_on_neighbours(m.dht, m.now);
}

static void step(struct input *in) {
    uint8_t op = byte(in);
    uint8_t record[WRN_RECORD_MAX];
    size_t size;
    m.sent = 0;
    switch (op % 8) {
    case 0:
        m.now.mono.ns += WRN_MS(50) * (1 + byte(in) * UINT64_C(20));
        m.now.wall.s += op / 8 % 4 == 0 ? op / 32 : 0;
        wrn_dht_on_time(m.dht, m.now);
        HOLDS(wrn_dht_due(m.dht).ns >= m.now.mono.ns);
        break;
    case 1:
        link_node(op / 8 % PEERS, byte(in));
        break;
    case 2:
        size = write_record(in, record);
        (void)wrn_dht_store(m.dht, m.now, 1, (wrn_span){record, size});
        break;
    case 3:
        size = write_record(in, record);
        (void)wrn_dht_keep(m.dht, m.now, (wrn_span){record, size});
        break;
    case 4:
        size = (size_t)snprintf((char *)record, sizeof(record), "k/%u", op / 8 % 4);
        (void)wrn_dht_get(m.dht, m.now, 2, (wrn_span){record, size});
        break;
    default:
        take_message(in, op);
        HOLDS(m.sent <= SENT_MAX);
        break;
    }
}

/* A record of few owners, keys and numbers: they meet. */
static size_t write_record(struct input *in, uint8_t *out) {
    static const uint8_t seed[WRN_SEED_SIZE];
    uint8_t what = byte(in), more = byte(in), key[8], value[2] = {'a', 0};
    size_t size = (size_t)snprintf((char *)key, sizeof(key), "k/%u", what % 4);
    enum wrn_record_kind kind = (enum wrn_record_kind)(what / 4 % 3);
    struct wrn_record record = {.kind = kind,
                                .key = {key, size},
                                .value = {value, kind == WRN_RECORD_DELETE ? 0 : what / 12 % 3},
                                .sequence = more % 4,
                                .made_s = m.now.wall.s - more / 16,
                                .ttl_s = 10u + more,
                                .claimed_s = kind == WRN_RECORD_CREATE ? more % 8 : 0};
    memset(m.stub.public_key, what / 36 % 3, sizeof(m.stub.public_key));
    return wrn_record_write(&record, &m.primitives, seed, out, WRN_RECORD_MAX);
}

/* A question about the claims of one or two of these owners to one of these keys, or half of it. */
static size_t write_weigh(struct input *in, uint8_t *out) {
    uint8_t what = byte(in), key[8];
    size_t size = (size_t)snprintf((char *)key, sizeof(key), "k/%u", what % 4);
    struct wrn_dht_fields fields = {.type = WRN_DHT_MESSAGE_WEIGH, .number = what};
    fields.at = wrn_record_place((wrn_span){key, size}, &m.primitives);
    memset(fields.owners[0], what / 4 % 3, sizeof(fields.owners[0]));
    memset(fields.owners[1], what / 12 % 3, sizeof(fields.owners[1]));
    size = wrn_dht_message_write(&fields, out).size;
    return what / 36 % 7 == 6 ? size / 2 : size;
}

/* What a neighbour says of the two claims that it was last asked about. */
static size_t write_weighed(struct input *in, uint8_t *out) {
    uint8_t what = byte(in);
    struct wrn_dht_fields fields = {.type = WRN_DHT_MESSAGE_WEIGHED,
                                    .number = m.weighing - what % 2,
                                    .words_s = {what / 2 % 8, what / 16 % 8}};
    size_t size = wrn_dht_message_write(&fields, out).size;
    out[size - 16] = what / 128 != 0 ? byte(in) : 0; /* a time that no record could name */
    return size;
}

/* A message of any type: raw, or with a record, a nonce or a number that make sense. */
static void take_message(struct input *in, uint8_t op) {
    uint8_t bytes[WRN_MESSAGE_MAX + 8], again[WRN_MESSAGE_MAX];
    uint8_t what = byte(in), how = byte(in);
    bool is_routed = op % 8 == 5;
    uint32_t peer = what % PEERS;
    size_t size = 2 + how % 40u;
    for (size_t i = 2; i < size; i++) {
        bytes[i] = byte(in);
    }
    bytes[0] = is_routed ? WRN_PAYLOAD_DHT : WRN_MESSAGE_DHT;
    bytes[1] = (uint8_t)(is_routed ? what / 8 % 6 : 0x10 + what / 8 % 6);
    if (how / 64 % 2 == 0 && size >= 10) {
        if (is_routed) {
            wrn_store_be64(bytes + 2, m.nonce);
        } else {
            wrn_store_be32(bytes + 2, m.number);
        }
    }
    if (how / 128 != 0) {
        uint8_t record[WRN_RECORD_MAX];
        size_t record_size = write_record(in, record);
        if (bytes[1] == WRN_DHT_MESSAGE_ANSWER && size >= 22) {
            wrn_store_be16(bytes + 20, (uint16_t)record_size);
            bytes[19] = 1;
            size = 22;
        }
        if ((bytes[1] == WRN_DHT_MESSAGE_COPY || bytes[1] == WRN_DHT_MESSAGE_COPIED) && size >= 7) {
            wrn_store_be64(bytes + 7, how % 8); /* a claim */
            size = 15;
        }
        memcpy(bytes + size, record, record_size);
        size += record_size;
    }
    if (op / 16 == 10 && !is_routed) {
        size = op / 8 % 2 == 0 ? write_weigh(in, bytes) : write_weighed(in, bytes);
    }
    struct wrn_dht_fields fields;
    wrn_span message = {bytes, size};
    if (wrn_dht_message_read((wrn_span){bytes + 1, size - 1}, &fields)) {
        wrn_span written = wrn_dht_message_write(&fields, again);
        HOLDS(written.size == size && memcmp(written.data + 1, bytes + 1, size - 1) == 0);
    }
    struct wrn_route_header header = {.source = id_of(peer + op / 64 % 2 * PEERS),
                                      .via = id_of(3),
                                      .has_via = op / 8 % 2 == 0,
                                      .to_via = op / 16 % 2 == 0};
    wrn_handle from = {peer, 1};
    if (is_routed) {
        wrn_dht_on_payload(m.dht, m.now, &header, from, message);
    } else {
        wrn_dht_on_message(m.dht, m.now, from, message);
    }
    if (is_routed && op / 8 % 8 == 7) {
        wrn_dht_on_undelivered(m.dht, m.now, WRN_REASON_NOBODY_THERE, message);
    }
}

static void check(void) {
    const struct wrn_dht_store *store = &m.dht->store;
    uint32_t cursor = 0, bytes = 0, count = 0;
    for (wrn_span held = wrn_dht_next_held(m.dht, &cursor); held.size > 0;
         held = wrn_dht_next_held(m.dht, &cursor)) {
        bytes += (uint32_t)held.size;
        count++;
    }
    HOLDS(count + store->ghosts == store->count && store->count <= store->records_max);
    HOLDS(bytes <= store->bytes && store->bytes <= store->bytes_max);
    for (uint32_t i = 0; i < WRN_DHT_WEIGHINGS; i++) {
        const struct wrn_dht_weighing *weighing = &m.dht->weighings[i];
        HOLDS(weighing->count <= PEERS && weighing->answered >> weighing->count == 0);
        HOLDS(weighing->own_s[0] <= m.now.wall.s && weighing->own_s[1] <= m.now.wall.s);
    }
}
