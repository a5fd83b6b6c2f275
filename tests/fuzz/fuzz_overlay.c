/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: nothing that others say breaks a whole node, makes it send more than a little, or leaves
 * something half done. Method: the input is a program for five nodes with keys of their own, good
 * seals and good signatures, around one real node: they ask WHO, come as strangers, greet, answer
 * pings, request links, relay, and say anything; then all fall silent. */
#include "fuzz.h"

#include "base/wire.h"
#include "fuzz/overlay_stub.h"
#include "overlay/overlay_internal.h"
#include "overlay/route_internal.h"
#include "unit/overlay/quiet.h"

enum {
    OTHERS = 5,
    STEPS_MAX = 160,
    NODE_SEED = 9,
    PORT = 4100,
    SENT_MAX = 64, /* datagrams that one input may lead to: a link that comes up asks for others */
    SILENCE_S = 900,
    MEMORY = 1 << 18,
};

static const uint8_t no_ring[8]; /* as the options have it */

/* One of the others, as it knows the node; what the node said to it last. */
struct other {
    uint8_t key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t tunnel[WRN_KEY_SIZE];
    wrn_id id;
    struct wrn_endpoint at;
    struct wrn_pair pair;
    uint8_t cookie[WRN_COOKIE_SIZE];
    uint64_t who;                    /* nonce of its WHO */
    uint64_t hello;                  /* random number of its HELLO */
    uint64_t question;               /* of its ping */
    uint64_t request;                /* number of its CONNECT request */
    uint32_t hop;                    /* number of its last routed message */
    uint64_t slot;                   /* of relayed frames */
    uint8_t frame[WRN_DATAGRAM_MAX]; /* that was sent to the node last, sealed */
    size_t frame_size;
};

struct input {
    const uint8_t *next;
    size_t left;
};

static struct {
    struct overlay_stub stub;
    struct wrn_primitives primitives;
    struct wrn_prng prng;
    struct wrn_now now;
    struct wrn_overlay *overlay;
    uint8_t tunnel[WRN_KEY_SIZE];
    struct other others[OTHERS];
    uint64_t lives;
    _Alignas(64) uint8_t memory[MEMORY];
} m;
static struct wrn_overlay_out out;

static uint8_t byte(struct input *in);
static void begin(uint8_t first);
static void born(struct other *other);
static void step(struct input *in);
static void look_at(const struct wrn_overlay_action *action);
static void read_message(struct other *other, wrn_span message);
static void perform(uint32_t most);
static void pass_time(uint64_t ns);
static void give(const struct other *other, const uint8_t *bytes, size_t size);
static void say(struct other *other, wrn_span message, uint8_t how);
static void say_hello(struct input *in, struct other *other, bool is_stranger);
static void say_ping(struct input *in, struct other *other);
static void say_bye(struct input *in, struct other *other);
static void say_anything(struct input *in, struct other *other);
static void say_routed(struct input *in, struct other *other);
static void say_frame(struct input *in, struct other *other);
static void command(struct input *in, struct other *other);
static wrn_span locator_of(const struct other *other, uint8_t how, uint8_t room[WRN_LOCATOR_MAX]);
static void check(void);

/* ---- primitives: a key follows from the first byte of the seed ---- */

static void key_of(uint8_t number, uint8_t *ret_key) {
    for (size_t i = 0; i < WRN_SIGN_PUBLIC_SIZE; i++) {
        ret_key[i] = (uint8_t)stub_mix(number * 37u + i, &number, 1);
    }
}

static bool sign_public(void *ctx, const uint8_t *seed, uint8_t *ret_public) {
    (void)ctx;
    key_of(seed[0], ret_public);
    return true;
}

static void tunnel_of(void *ctx, const uint8_t *seed, wrn_span context, uint8_t *ret_private) {
    (void)ctx;
    (void)context;
    memset(ret_private, seed[0] ^ 0x5a, WRN_KEY_SIZE);
}

static bool public_key(void *ctx, const uint8_t *private_key, uint8_t *ret_public) {
    (void)ctx;
    memcpy(ret_public, private_key, WRN_KEY_SIZE);
    return true;
}

/* "yes", then how many minutes it is good for. */
static enum wrn_reason admit(void *ctx, wrn_wall now, const uint8_t key[WRN_SIGN_PUBLIC_SIZE],
                             wrn_span credential, wrn_wall *ret_until) {
    (void)ctx, (void)key;
    if (credential.size < 4 || memcmp(credential.data, "yes", 3) != 0) {
        return WRN_REASON_NOT_ADMITTED;
    }
    *ret_until = (wrn_wall){now.s + credential.data[3] * 60, 0};
    return WRN_REASON_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    begin(byte(&in));
    for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++) {
        step(&in);
        check();
    }
    for (unsigned i = 0; i < SILENCE_S / 30; i++) {
        pass_time(WRN_S(30));
    }
    const char *left = quiet_what_is_left(m.overlay, m.now);
    if (left != NULL) {
        fprintf(stderr, "left after silence: %s\n", left);
    }
    HOLDS(left == NULL);
    wrn_overlay_finish(m.overlay);
    return 0;
}

static uint8_t byte(struct input *in) {
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->next++;
}

static uint32_t below(struct input *in, uint32_t limit) {
    return byte(in) % limit;
}

static void begin(uint8_t first) {
    struct wrn_overlay_options options;
    wrn_overlay_defaults(&options);
    memset(&m, 0, sizeof(m));
    memset(&out, 0, offsetof(struct wrn_overlay_out, actions));
    m.primitives = stub_primitives(&m.stub);
    m.primitives.sign_public = sign_public;
    m.primitives.tunnel_key = tunnel_of;
    m.primitives.public_key = public_key;
    m.now = (struct wrn_now){{WRN_S(100)}, {1000000, 0}};
    wrn_prng_init(&m.prng, first, 1);
    options.seed[0] = NODE_SEED;
    options.peers_max = 8;
    options.port = PORT;
    options.admit = first % 4 != 0 ? admit : NULL;
    options.credential = (wrn_span){(const uint8_t *)"yes~", 4};
    options.relays = first / 4 % 2 == 0;
    HOLDS(wrn_overlay_memory_size(&options) <= sizeof(m.memory));
    m.overlay = wrn_overlay_init(m.memory, &options, &m.primitives, wrn_prng_rand(&m.prng), m.now);
    tunnel_of(NULL, options.seed, (wrn_span){0}, m.tunnel);
    for (uint8_t i = 0; i < OTHERS; i++) {
        struct other *other = &m.others[i];
        uint8_t hit[WRN_HIT_SIZE];
        key_of((uint8_t)(20 + i), other->key);
        memset(other->tunnel, 0x40 + i, WRN_KEY_SIZE);
        stub_hit(NULL, other->key, hit);
        other->id = wrn_id_of_hit(hit);
        other->at.ip.family = WRN_FAMILY_IPV4;
        memcpy(other->at.ip.bytes, (uint8_t[]){11, 0, 0, (uint8_t)(1 + i)}, 4);
        other->at.port = PORT;
        born(other);
    }
    struct wrn_locator_endpoint local = {.at = m.others[0].at, .kind = WRN_ENDPOINT_LOCAL};
    local.at.ip.bytes[3] = 99;
    if (first / 8 % 2 == 0) {
        (void)wrn_overlay_add_bootstrap(m.overlay, &m.others[0].at);
    }
    wrn_overlay_set_local(m.overlay, m.now, &local, 1, &out);
    wrn_overlay_start(m.overlay, m.now, &out);
    perform(SENT_MAX);
}

/* Starts anew: another incarnation, another number; it knows none of the node's. */
static void born(struct other *other) {
    m.lives++;
    HOLDS(wrn_pair_init(&other->pair, &m.primitives, other->tunnel, other->tunnel, m.tunnel,
                        1000 + m.lives, 5000 + m.lives));
    other->hello = other->request = other->slot = 0;
}

static void step(struct input *in) {
    uint8_t op = byte(in);
    struct other *other = &m.others[op / 16 % OTHERS];
    uint8_t frame[WRN_DATAGRAM_MAX];
    switch (op % 16) {
    case 0:
        pass_time(WRN_MS(20) << below(in, 12));
        break;
    case 1:
        give(other, frame, wrn_who_write(&m.primitives, no_ring, m.lives, frame));
        break;
    case 2:
    case 3:
        say_hello(in, other, op % 16 == 2);
        break;
    case 4:
    case 5:
        say_ping(in, other);
        break;
    case 6:
        say_bye(in, other);
        break;
    case 7:
    case 8:
        say_anything(in, other);
        break;
    case 9:
    case 10:
    case 11:
        say_routed(in, other);
        break;
    case 12:
    case 13:
        command(in, other);
        break;
    case 14:
        say_frame(in, other);
        break;
    default:
        if (byte(in) % 2 == 0) {
            born(other);
        } else {
            m.now.wall.s += ((int64_t)byte(in) - 128) * 100;
        }
        break;
    }
}

/* ---- what the node says ---- */

static void perform(uint32_t most) {
    uint32_t datagrams = 0;
    HOLDS(out.work_count == 0 && out.lost == 0);
    for (uint32_t i = 0; i < out.count; i++) {
        const struct wrn_overlay_action *action = &out.actions[i];
        HOLDS(action->reason < WRN_REASON_COUNT);
        if (action->kind == WRN_OVERLAY_DATAGRAM) {
            datagrams++;
            HOLDS(action->bytes.size > 0 && action->bytes.size <= WRN_DATAGRAM_MAX);
            look_at(action);
        }
    }
    HOLDS(datagrams <= most);
    wrn_overlay_out_reset(&out);
}

static void look_at(const struct wrn_overlay_action *action) {
    uint8_t bytes[WRN_DATAGRAM_MAX];
    uint64_t incarnation;
    bool is_fresh;
    wrn_span message = {0};
    struct other *other = NULL;
    for (uint32_t i = 0; i < OTHERS; i++) {
        other = wrn_endpoint_equal(&m.others[i].at, &action->to) ? &m.others[i] : other;
    }
    if (other == NULL) {
        return;
    }
    memcpy(bytes, action->bytes.data, action->bytes.size);
    wrn_span frame = {bytes, action->bytes.size};
    uint64_t nonce;
    switch (bytes[0]) {
    case WRN_FRAME_WHO:
        HOLDS(wrn_who_read(frame, &m.primitives, no_ring, &nonce) == WRN_REASON_NONE);
        other->who = nonce;
        break;
    case WRN_FRAME_WHO_REPLY:
        HOLDS(wrn_who_reply_read(frame, &nonce, other->cookie, &message) == WRN_REASON_NONE);
        break;
    case WRN_FRAME_STRANGER:
        if (wrn_stranger_open(&other->pair, &m.primitives, bytes, frame.size, &message,
                              &incarnation) == WRN_REASON_NONE) {
            read_message(other, message);
        }
        break;
    case WRN_FRAME_SEALED:
        if (wrn_pair_open(&other->pair, &m.primitives, bytes, frame.size, &message, &incarnation,
                          &is_fresh) == WRN_REASON_NONE) {
            wrn_pair_prove(&other->pair, incarnation);
            read_message(other, message);
        }
        break;
    default:
        break;
    }
}

/* Keeps what an answer to it needs. */
static void read_message(struct other *other, wrn_span message) {
    struct wrn_reader reader = wrn_reader(message);
    uint8_t kind = wrn_read_u8(&reader);
    struct wrn_routed routed;
    if (kind == WRN_MESSAGE_HELLO || kind == WRN_MESSAGE_WELCOME) {
        (void)wrn_read_span(&reader, 3);
        uint64_t random = wrn_read_u64(&reader);
        other->hello = kind == WRN_MESSAGE_HELLO ? random : other->hello;
        (void)wrn_read_span(&reader, 8);
        other->pair.their_receiver = wrn_read_u64(&reader);
    } else if (kind == WRN_MESSAGE_PING || kind == WRN_MESSAGE_PONG) {
        (void)wrn_read_u8(&reader);
        uint64_t question = wrn_read_u64(&reader);
        other->question = question != 0 ? question : other->question;
    } else if (kind == WRN_MESSAGE_RELAY && message.size >= 14) { /* a grant, or an offer */
        other->slot = wrn_load_be64(message.data + (message.size == 14 ? 6 : 2));
    } else if (kind == WRN_MESSAGE_ROUTED && wrn_routed_read(message, &routed)) {
        other->hop = routed.number;
        wrn_span payload = routed.payload;
        if (payload.size >= 12 && payload.data[0] == WRN_PAYLOAD_CONNECT && payload.data[1] == 1) {
            other->request = wrn_load_be64(payload.data + 4);
            for (uint32_t i = 0; i < OTHERS; i++) { /* they speak with one another */
                m.others[i].request = other->request;
            }
        }
    }
}

/* ---- what the others say ---- */

static void give(const struct other *other, const uint8_t *bytes, size_t size) {
    static uint8_t copy[WRN_DATAGRAM_MAX];
    memcpy(copy, bytes, size);
    wrn_overlay_on_datagram(m.overlay, m.now, 0, &other->at, copy, size, &out);
    perform(SENT_MAX);
}

/* Seals and sends; 'how' has it altered, sent twice, from another address, or inside a relayed
 * frame. */
static void say(struct other *other, wrn_span message, uint8_t how) {
    if (other->pair.their_receiver == 0) {
        return;
    }
    size_t head = how % 16 == 7 ? WRN_RELAYED_OVERHEAD : 0;
    if (head > 0) {
        wrn_relayed_write(other->slot + how / 16, other->frame);
    }
    other->frame_size =
        head + wrn_pair_seal(&other->pair, &m.primitives, message, other->frame + head);
    if (how % 16 == 5) {
        other->frame[how * 7u % other->frame_size] ^= how;
    }
    give(how % 16 == 6 ? &m.others[how / 16 % OTHERS] : other, other->frame, other->frame_size);
    if (how % 16 == 4) {
        give(other, other->frame, other->frame_size);
    }
}

/* HELLO and WELCOME, with what is in them right or not. */
static void say_hello(struct input *in, struct other *other, bool is_stranger) {
    uint8_t message[WRN_MESSAGE_MAX], room[WRN_LOCATOR_MAX];
    uint8_t how = byte(in), flags = byte(in), life = byte(in);
    bool is_welcome = !is_stranger && how % 2 == 0;
    struct wrn_writer writer = wrn_writer(message, sizeof(message));
    bool is_rare = how / 16 == 15;
    wrn_span locator = is_stranger || is_rare ? locator_of(other, flags, room) : (wrn_span){0};
    uint8_t credential[4] = {'y', 'e', flags % 8 == 0 ? 'p' : 's', life};
    wrn_write_u8(&writer,
                 is_welcome || (is_stranger && is_rare) ? WRN_MESSAGE_WELCOME : WRN_MESSAGE_HELLO);
    wrn_write_u8(&writer, flags % 64 == 63 ? flags : 2 + flags / 4 % 2);
    wrn_write_u8(&writer, how / 2 % 32);
    wrn_write_u8(&writer, how == 255);
    wrn_write_u64(&writer, is_welcome && life % 16 != 0 ? other->hello : UINT64_C(1) + life);
    wrn_write_bytes(&writer, flags % 32 == 31 ? "not ours" : "\0\0\0\0\0\0\0\0", 8);
    wrn_write_u64(&writer, flags % 16 == 15 ? life : other->pair.our_receiver);
    wrn_write_u64(&writer, life);
    wrn_write_u16(&writer, (uint16_t)(locator.size + (how == 254)));
    wrn_write_span(&writer, locator);
    wrn_write_u16(&writer, flags % 64 == 32 ? 1200 : sizeof(credential));
    wrn_write_bytes(&writer, credential, sizeof(credential));
    wrn_span written = wrn_written(&writer);
    if (!is_stranger) {
        say(other, written, byte(in));
        return;
    }
    other->frame_size = wrn_stranger_seal(&other->pair, &m.primitives, other->tunnel, other->cookie,
                                          written, other->frame);
    give(other, other->frame, other->frame_size);
    if (how % 16 == 4) {
        give(other, other->frame, other->frame_size);
    }
}

static void say_ping(struct input *in, struct other *other) {
    uint8_t message[42] = {0};
    uint8_t how = byte(in), flags = byte(in);
    struct wrn_writer writer = wrn_writer(message, sizeof(message));
    bool is_pong = how % 4 != 0;
    wrn_write_u8(&writer, is_pong ? WRN_MESSAGE_PONG : WRN_MESSAGE_PING);
    wrn_write_u8(&writer, flags % 64);
    wrn_write_u64(&writer, how / 4 % 4 == 0 ? flags : 0);
    wrn_write_u32(&writer, how / 16);
    wrn_write_u8(&writer, flags / 2);
    wrn_write_u64(&writer, how / 4 % 8 == 7 ? flags : other->question);
    wrn_write_u8(&writer, WRN_FAMILY_IPV4);
    wrn_write_u16(&writer, flags % 2 == 0 ? PORT : (uint16_t)(flags << 8));
    wrn_write_bytes(&writer, (uint8_t[]){11, 0, 0, flags % 3 == 0 ? 99 : how}, 4);
    say(other, is_pong ? wrn_written(&writer) : (wrn_span){message, 30}, byte(in));
}

static void say_bye(struct input *in, struct other *other) {
    uint8_t message[120];
    uint8_t how = byte(in), reason = byte(in), count = how / 8 % 8;
    struct wrn_writer writer = wrn_writer(message, sizeof(message));
    if (how % 4 != 0) {
        wrn_write_u8(&writer, WRN_MESSAGE_KINDS);
        wrn_write_u8(&writer, reason % 40);
        wrn_write_u8(&writer, byte(in));
        wrn_write_u8(&writer, byte(in));
        wrn_write_u8(&writer, how / 4 % 2);
    } else {
        wrn_write_u8(&writer, WRN_MESSAGE_BYE);
        wrn_write_u8(&writer, reason);
        wrn_write_u64(&writer, how / 4 % 2 == 0 ? other->hello : reason);
        wrn_write_u8(&writer, count);
        for (uint8_t i = 0; i < count; i++) {
            wrn_write_u8(&writer, WRN_FAMILY_IPV4);
            wrn_write_u16(&writer, (uint16_t)(PORT + (reason & 1)));
            wrn_write_bytes(&writer, m.others[(reason + i) % OTHERS].at.ip.bytes, 4);
        }
    }
    say(other, wrn_written(&writer), byte(in));
}

/* Any first byte, and bytes of the input. */
static void say_anything(struct input *in, struct other *other) {
    uint8_t message[96];
    size_t size = 1 + below(in, sizeof(message) - 1);
    uint8_t how = byte(in);
    for (size_t i = 0; i < size; i++) {
        message[i] = byte(in);
    }
    say(other, (wrn_span){message, size}, how);
}

/* A routed message for the node or for others: CONNECT with good locators, or anything. */
static void say_routed(struct input *in, struct other *other) {
    uint8_t payload[WRN_PAYLOAD_MAX], message[WRN_MESSAGE_MAX], room[WRN_LOCATOR_MAX];
    uint8_t verb = byte(in), how = byte(in), who = byte(in);
    const struct other *source = &m.others[who % OTHERS];
    struct wrn_writer writer = wrn_writer(payload, sizeof(payload));
    wrn_write_u8(&writer, verb % 32 == 31 ? (uint8_t)(how % 6) : (uint8_t)WRN_PAYLOAD_CONNECT);
    wrn_write_u8(&writer, verb % 8);
    if (verb % 8 == 1) {
        wrn_write_u8(&writer, (uint8_t)(1u << how % 6));
        wrn_write_u8(&writer, how == 255);
        wrn_write_u64(&writer, source->pair.our_receiver + how / 64);
        wrn_write_span(&writer, locator_of(source, how, room));
    } else if (verb % 8 == 2) {
        wrn_write_u64(&writer, source->request);
        wrn_write_u64(&writer, source->pair.our_receiver + how / 128);
        wrn_write_span(&writer, locator_of(source, how, room));
    } else if (verb % 8 == 3) {
        wrn_write_u8(&writer, how);
        wrn_write_u64(&writer, source->request);
    } else if (verb % 8 == 4) {
        uint8_t call[40] = {WRN_MESSAGE_CALL, how % 4, verb / 8 % 2, who % 8};
        for (size_t i = 4; i < sizeof(call); i++) {
            call[i] = byte(in);
        }
        if (other->pair.their_receiver != 0) {
            writer.size += wrn_pair_seal(&other->pair, &m.primitives,
                                         (wrn_span){call, sizeof(call)}, payload + writer.size);
        }
    } else {
        for (uint32_t i = how % 64; i > 0; i--) {
            wrn_write_u8(&writer, byte(in));
        }
    }
    struct wrn_routed routed = {.header = {.source = source->id,
                                           .target = who / 8 % 4 != 3
                                                         ? wrn_overlay_id(m.overlay)
                                                         : m.others[who / 32 % OTHERS].id,
                                           .via = m.others[who / 16 % OTHERS].id,
                                           .mode = (enum wrn_route_mode)(verb / 64),
                                           .has_via = who % 16 == 5,
                                           .wants_trace = verb / 32 % 2 == 0,
                                           .hop_limit = 40,
                                           .hops = 1},
                                .origin = 1 + byte(in) * UINT64_C(0x9e3779b97f4a7c15),
                                .number = 1 + (uint32_t)m.lives,
                                .payload = wrn_written(&writer)};
    routed.header.steps = routed.header.mode >= WRN_ROUTE_LEFT;
    struct wrn_route_head head = wrn_routed_write(&routed);
    memcpy(message, head.bytes, head.size);
    memcpy(message + head.size, routed.payload.data, routed.payload.size);
    say(other, (wrn_span){message, head.size + routed.payload.size}, who / 64 == 3 ? who : 0);
}

/* WHO_REPLY, ANNOUNCE, RELAYED, what was sent before, or raw bytes. */
static void say_frame(struct input *in, struct other *other) {
    uint8_t frame[WRN_DATAGRAM_MAX], room[WRN_LOCATOR_MAX];
    uint8_t what = byte(in), how = byte(in);
    size_t size = 1 + how % 100u;
    struct wrn_writer writer = wrn_writer(frame, sizeof(frame));
    switch (what % 8) {
    case 0:
    case 1:
        size = wrn_who_reply_write(how % 16 == 15 ? how : other->who, other->cookie,
                                   locator_of(other, how, room), frame);
        break;
    case 2:
        size = wrn_announce_write((const uint8_t *)"\0\0\0\0\0\0\0\0", other->id,
                                  (uint16_t)(PORT + how % 2), frame);
        break;
    case 3:
    case 4:
        give(other, other->frame, other->frame_size); /* once more */
        return;
    case 5:
        wrn_relayed_write(how % 2 == 0 ? other->slot : how, frame);
        frame[WRN_RELAYED_OVERHEAD] = (uint8_t)(how % 5);
        size = WRN_RELAYED_OVERHEAD + 1;
        break;
    default:
        wrn_write_u8(&writer, (uint8_t)(0x20 + how % 7));
        wrn_write_u8(&writer, 1);
        for (size_t i = 2; i < size; i++) {
            wrn_write_u8(&writer, byte(in));
        }
        size = size < 2 ? 2 : size;
        break;
    }
    give(other, frame, size);
}

/* What the node's own user wants. */
static void command(struct input *in, struct other *other) {
    uint8_t what = byte(in), how = byte(in);
    uint8_t room[WRN_LOCATOR_MAX];
    char text[] = "name/a";
    wrn_span key = {(const uint8_t *)text, sizeof(text) - 1};
    struct wrn_overlay_peer *peer = wrn_peers_at(m.overlay, other->id);
    wrn_handle handle = peer ? peer->handle : WRN_HANDLE_NONE;
    text[5] = (char)('a' + how % 3);
    switch (what % 12) {
    case 0:
    case 1:
        wrn_overlay_connect(m.overlay, m.now, how % 8 == 7 ? (wrn_id){how, what} : other->id, &out);
        break;
    case 2:
        (void)wrn_overlay_get(m.overlay, m.now, how, key, &out);
        break;
    case 3:
        (void)wrn_overlay_store(m.overlay, m.now, how, (enum wrn_record_kind)(how % 3), key,
                                how % 3 == WRN_RECORD_DELETE ? (wrn_span){0} : key, (wrn_span){0},
                                60u + how * 10u, 0, how / 64 % 2 == 0, &out);
        break;
    case 4:
        (void)wrn_overlay_carry(m.overlay, m.now, handle, key, &out);
        break;
    case 5:
        (void)wrn_overlay_send(m.overlay, m.now, handle, key, &out);
        break;
    case 6:
        (void)wrn_overlay_route(m.overlay, m.now, (enum wrn_route_mode)(how % 4), other->id, key,
                                &out);
        break;
    case 7:
        (void)wrn_overlay_broadcast(m.overlay, m.now, key, &out);
        break;
    case 8:
        (void)wrn_overlay_sum(m.overlay, m.now, how, key, &out);
        break;
    case 9:
        (void)wrn_overlay_crawl(m.overlay, m.now, how, how, &out);
        break;
    case 10:
        wrn_overlay_admit_again(m.overlay, m.now, &out);
        break;
    default:
        (void)wrn_overlay_add_cached(m.overlay, locator_of(other, how, room));
        break;
    }
    perform(SENT_MAX);
}

/* A locator of one of them, its sequence, class, relays and endpoints as 'how' says; at times with
 * the tunnel key of another one. */
static wrn_span locator_of(const struct other *other, uint8_t how, uint8_t room[WRN_LOCATOR_MAX]) {
    uint8_t seed[WRN_SEED_SIZE] = {(uint8_t)(20 + (other - m.others))};
    struct wrn_locator locator = {.sequence = how / 32,
                                  .nat_class = how % 5,
                                  .relays = how % 2 == 0,
                                  .endpoint_count = 1,
                                  .relay_count = how / 8 % 2};
    memcpy(locator.tunnel_key, how == 77 ? m.others[0].tunnel : other->tunnel, WRN_KEY_SIZE);
    locator.endpoints[0] = (struct wrn_locator_endpoint){.at = other->at};
    locator.relay_ids[0] = m.others[how % OTHERS].id;
    if (locator.nat_class == WRN_NAT_CLASS_PORT_PREDICTABLE) {
        locator.port_step = how;
        locator.port_last = PORT;
    }
    size_t size = wrn_locator_write(&locator, &m.primitives, seed, no_ring, room, WRN_LOCATOR_MAX);
    HOLDS(size > 0);
    return (wrn_span){room, size};
}

/* ---- time and state ---- */

static void pass_time(uint64_t ns) {
    wrn_mono end = wrn_mono_add(m.now.mono, ns);
    uint32_t calls = 0;
    int64_t begun_s = (int64_t)(m.now.mono.ns / WRN_S(1));
    while (wrn_mono_reached(end, wrn_overlay_due(m.overlay))) {
        wrn_mono due = wrn_overlay_due(m.overlay);
        m.now.mono = wrn_mono_before(due, m.now.mono) ? m.now.mono : due;
        wrn_overlay_on_time(m.overlay, m.now, &out);
        perform(WRN_OVERLAY_ACTIONS_MAX);
        HOLDS(wrn_mono_before(m.now.mono, wrn_overlay_due(m.overlay)));
        HOLDS(++calls < 20000);
    }
    m.now.mono = end;
    m.now.wall.s += (int64_t)(end.ns / WRN_S(1)) - begun_s;
}

static void check(void) {
    const struct wrn_overlay *overlay = m.overlay;
    uint32_t cursor = 0, up = 0, pending = 0;
    for (const struct wrn_overlay_peer *peer = wrn_peers_next(overlay, &cursor); peer;
         peer = wrn_peers_next(overlay, &cursor)) {
        bool is_up = peer->state == WRN_PEER_STATE_UP;
        up += is_up;
        pending += !is_up;
        HOLDS(is_up == (wrn_links_of(&overlay->links, peer->handle) != NULL));
        HOLDS(!is_up || peer->admitted || peer->asked_again || overlay->admit == NULL);
        HOLDS(is_up || peer->give_up.count != 0);
    }
    HOLDS(up == overlay->links.count && pending == overlay->pending);
    HOLDS(up + pending == overlay->pool.live && overlay->pool.live <= overlay->peers_max);
}
