/* SPDX-License-Identifier: Apache-2.0 */
/* Members that lie. */
#include "sim/liar.h"

#include "overlay/dht_internal.h"
#include "sim/memory.h"

enum { KEPT = 16, HEAD = 2, ONE_IN = 2 };

struct sim_liar {
    struct sim_node *node;
    enum sim_lie lie;
    struct wrn_primitives table; /* given to the node */
    struct wrn_primitives real;
    struct wrn_rand rand;
    uint64_t count;
    uint8_t kept[KEPT][WRN_DATAGRAM_MAX]; /* frames that it sent */
    size_t kept_sizes[KEPT];
    uint32_t kept_next;
    bool is_quiet;         /* THIEF: for now */
    uint32_t asked_number; /* THIEF: of the last WEIGH */
    bool asked_own[2];     /* ... which of its claims is the thief's own */
};

static bool agree(void *ctx, const uint8_t private_key[WRN_KEY_SIZE],
                  const uint8_t their_public[WRN_KEY_SIZE], uint8_t ret_shared[WRN_KEY_SIZE]) {
    const struct wrn_primitives *real = &((struct sim_liar *)ctx)->real;
    return real->agree(real->ctx, private_key, their_public, ret_shared);
}

static bool public_key(void *ctx, const uint8_t private_key[WRN_KEY_SIZE],
                       uint8_t ret_public[WRN_KEY_SIZE]) {
    const struct wrn_primitives *real = &((struct sim_liar *)ctx)->real;
    return real->public_key(real->ctx, private_key, ret_public);
}

static void derive(void *ctx, const uint8_t key[WRN_KEY_SIZE], wrn_span input,
                   uint8_t ret_first[WRN_KEY_SIZE], uint8_t ret_second[WRN_KEY_SIZE]) {
    const struct wrn_primitives *real = &((struct sim_liar *)ctx)->real;
    real->derive(real->ctx, key, input, ret_first, ret_second);
}

static bool open(void *ctx, const uint8_t key[WRN_KEY_SIZE], const uint8_t nonce[WRN_XNONCE_SIZE],
                 wrn_span aad, const uint8_t *in, size_t size, uint8_t *out) {
    struct sim_liar *liar = ctx;
    struct wrn_dht_fields fields;
    uint8_t own[WRN_SIGN_PUBLIC_SIZE];
    if (!liar->real.open(liar->real.ctx, key, nonce, aad, in, size, out)) {
        return false;
    }
    if (liar->lie == SIM_LIE_THIEF && size > HEAD && !liar->is_quiet && out[0] == WRN_MESSAGE_DHT &&
        out[1] == WRN_DHT_MESSAGE_WEIGH &&
        wrn_dht_message_read((wrn_span){out + 1, size - 1}, &fields) &&
        liar->real.sign_public(liar->real.ctx, liar->node->seed, own)) {
        liar->asked_number = fields.number;
        liar->asked_own[0] = memcmp(fields.owners[0], own, sizeof own) == 0;
        liar->asked_own[1] = memcmp(fields.owners[1], own, sizeof own) == 0;
    }
    return true;
}

static void tunnel_key(void *ctx, const uint8_t seed[WRN_SEED_SIZE], wrn_span context,
                       uint8_t ret_private[WRN_KEY_SIZE]) {
    const struct wrn_primitives *real = &((struct sim_liar *)ctx)->real;
    real->tunnel_key(real->ctx, seed, context, ret_private);
}

static bool sign_public(void *ctx, const uint8_t seed[WRN_SEED_SIZE],
                        uint8_t ret_public[WRN_SIGN_PUBLIC_SIZE]) {
    const struct wrn_primitives *real = &((struct sim_liar *)ctx)->real;
    return real->sign_public(real->ctx, seed, ret_public);
}

static bool sign(void *ctx, const uint8_t seed[WRN_SEED_SIZE], const char *label, wrn_span message,
                 uint8_t ret_signature[WRN_SIGNATURE_SIZE]) {
    const struct wrn_primitives *real = &((struct sim_liar *)ctx)->real;
    return real->sign(real->ctx, seed, label, message, ret_signature);
}

static bool verify(void *ctx, const uint8_t key[WRN_SIGN_PUBLIC_SIZE], const char *label,
                   wrn_span message, const uint8_t signature[WRN_SIGNATURE_SIZE]) {
    const struct wrn_primitives *real = &((struct sim_liar *)ctx)->real;
    return real->verify(real->ctx, key, label, message, signature);
}

static void mac(void *ctx, wrn_span key, wrn_span data, uint8_t ret_mac[WRN_MAC_SIZE]) {
    const struct wrn_primitives *real = &((struct sim_liar *)ctx)->real;
    real->mac(real->ctx, key, data, ret_mac);
}

static void hash(void *ctx, wrn_span first, wrn_span second, uint8_t ret_hash[WRN_HASH_SIZE]) {
    const struct wrn_primitives *real = &((struct sim_liar *)ctx)->real;
    real->hash(real->ctx, first, second, ret_hash);
}

static void hit(void *ctx, const uint8_t key[WRN_SIGN_PUBLIC_SIZE], uint8_t ret_hit[WRN_HIT_SIZE]) {
    const struct wrn_primitives *real = &((struct sim_liar *)ctx)->real;
    real->hit(real->ctx, key, ret_hit);
}

/* Which message it lies in, by its first byte. */
static bool lies_in(const struct sim_liar *liar, uint8_t kind) {
    switch (liar->lie) {
    case SIM_LIE_NEIGHBOURS:
        return kind == WRN_MESSAGE_STATUS;
    case SIM_LIE_ROUTED:
        return kind == WRN_MESSAGE_ROUTED || kind == WRN_MESSAGE_BROADCAST ||
               kind == WRN_MESSAGE_SUM;
    case SIM_LIE_DHT:
        return kind == WRN_MESSAGE_DHT || kind == WRN_MESSAGE_ROUTED || kind == WRN_MESSAGE_RELAY;
    default:
        return false;
    }
}

/* Where it copies somebody's claim it copies its own instead, and it vouches for no other.
 * Returns the size; 0: the message stays. */
static size_t steal(struct sim_liar *liar, const uint8_t *in, size_t size,
                    uint8_t changed[WRN_MESSAGE_MAX]) {
    const struct sim_node *node = liar->node;
    struct wrn_dht_fields fields;
    struct wrn_record record;
    uint8_t stolen[WRN_RECORD_MAX];
    if (size < HEAD || in[0] != WRN_MESSAGE_DHT ||
        !wrn_dht_message_read((wrn_span){in + 1, size - 1}, &fields)) {
        return 0;
    }
    if (fields.type == WRN_DHT_MESSAGE_WEIGHED) {
        for (uint32_t i = 0; i < WRN_COUNT(fields.words_s); i++) {
            bool is_own = fields.number == liar->asked_number && liar->asked_own[i];
            fields.words_s[i] = is_own ? SIM_LIE_LONG_AGO_S : 0;
        }
        return wrn_dht_message_write(&fields, changed).size;
    }
    if ((fields.type != WRN_DHT_MESSAGE_COPY && fields.type != WRN_DHT_MESSAGE_COPIED) ||
        fields.record.size == 0 ||
        wrn_record_read(fields.record, &liar->real, &record) != WRN_REASON_NONE ||
        record.kind != WRN_RECORD_CREATE) {
        return 0;
    }
    static const uint8_t value[WRN_RECORD_VALUE_MAX] = "stolen";
    size_t got = 0;
    record.value.data = value;
    record.claimed_s = SIM_LIE_LONG_AGO_S;
    record.made_s = sim_now(node->nodes->run->world).wall.s;
    fields.flags = 0;
    fields.claim_s = SIM_LIE_LONG_AGO_S;
    for (uint32_t i = 0; i < 3 && got != fields.record.size;
         i++) { /* as long as what it replaces */
        record.value.size += got == 0 ? 0 : fields.record.size - got;
        got = wrn_record_write(&record, &liar->real, node->seed, stolen, sizeof stolen);
    }
    fields.record = (wrn_span){stolen, got};
    return wrn_dht_message_write(&fields, changed).size;
}

/* The kind of the message stays; a run of bytes after it is anything. */
static void seal(void *ctx, const uint8_t key[WRN_KEY_SIZE], const uint8_t nonce[WRN_XNONCE_SIZE],
                 wrn_span aad, const uint8_t *in, size_t size, uint8_t *out) {
    struct sim_liar *liar = ctx;
    uint8_t changed[WRN_DATAGRAM_MAX];
    if (size > HEAD && size <= sizeof changed && lies_in(liar, in[0]) &&
        wrn_rand_below(liar->rand, ONE_IN) == 0) {
        size_t from = HEAD + wrn_rand_below(liar->rand, (uint32_t)(size - HEAD));
        size_t run = 1 + wrn_rand_below(liar->rand, (uint32_t)(size - from));
        memcpy(changed, in, size);
        wrn_rand_fill(liar->rand, changed + from, run);
        liar->count++;
        in = changed;
    }
    if (liar->lie == SIM_LIE_THIEF && !liar->is_quiet) {
        size_t stolen = steal(liar, in, size, changed);
        if (stolen == size) { /* the frame is as long as it was */
            liar->count++;
            in = changed;
        }
    }
    liar->real.seal(liar->real.ctx, key, nonce, aad, in, size, out);
}

/* Repeaters and forgers work on what is sealed. */
static bool on_sending(struct sim_node *node, struct wrn_endpoint *to, uint8_t *bytes, size_t *size,
                       size_t capacity) {
    struct sim_liar *liar = WRN_CONTAINER(node->primitives, struct sim_liar, table);
    (void)to;
    if (wrn_rand_below(liar->rand, ONE_IN) == 0) {
        return true;
    }
    if (liar->lie == SIM_LIE_FORGE) {
        uint32_t bit = wrn_rand_below(liar->rand, (uint32_t)*size * 8);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        liar->count++;
    } else {
        uint32_t drawn = wrn_rand_below(liar->rand, KEPT);
        if (liar->kept_sizes[drawn] > 0 && liar->kept_sizes[drawn] <= capacity &&
            wrn_rand_below(liar->rand, 4) == 0) {
            memcpy(bytes, liar->kept[drawn], liar->kept_sizes[drawn]);
            *size = liar->kept_sizes[drawn];
            liar->count++;
        } else if (*size <= WRN_DATAGRAM_MAX) {
            memcpy(liar->kept[liar->kept_next], bytes, *size);
            liar->kept_sizes[liar->kept_next] = *size;
            liar->kept_next = (liar->kept_next + 1) % KEPT;
        }
    }
    return true;
}

struct sim_liar *sim_liar_create(struct sim_node *node, enum sim_lie lie) {
    struct sim_liar *liar = sim_take(1, sizeof *liar);
    liar->node = node;
    liar->lie = lie;
    liar->real = node->nodes->primitives;
    liar->rand = sim_rand(node->nodes->run->world, SIM_STREAM_FAULT, 1000 + node->number);
    liar->table = (struct wrn_primitives){
        .ctx = liar,
        .agree = agree,
        .public_key = public_key,
        .derive = derive,
        .seal = seal,
        .open = open,
        .tunnel_key = tunnel_key,
        .sign_public = sign_public,
        .sign = sign,
        .verify = verify,
        .mac = mac,
        .hash = hash,
        .hit = hit,
    };
    node->primitives = &liar->table;
    node->is_liar = true;
    if (lie == SIM_LIE_REPLAY || lie == SIM_LIE_FORGE) {
        node->on_sending = on_sending;
    }
    return liar;
}

void sim_liar_be_quiet(struct sim_liar *liar, bool is_quiet) {
    liar->is_quiet = is_quiet;
}

void sim_liar_destroy(struct sim_liar *liar) {
    free(liar);
}

uint64_t sim_liar_count(const struct sim_liar *liar) {
    return liar->count;
}
