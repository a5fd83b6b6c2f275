/* SPDX-License-Identifier: Apache-2.0 */
/* Two machines, each with a control thread and two lanes, that talk through queues in memory while
 * sessions are renewed, peers come and go and prefixes move, and strangers repeat and change what
 * they have seen. Goal: no counter is used twice, no packet arrives twice, none is lost without
 * being counted, no stranger becomes the peer, and (with a thread sanitizer) nothing is read while
 * it is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/rand.h"
#include "crypto/crypto.h"
#include "wg/cookie.h"
#include "wg/lane.h"

enum {
    LANES = 2,
    BATCH = 16,
    PER_LANE = 6000, /* packets that each lane sends at least */
    SEQUENCE_MAX = 1 << 20,
    RENEWALS = 12, /* sessions that each side has to see */
    INBOX = 4096,
    ITEM_SIZE = 256,
    ASKS = 2048,
    STEP_MS = 500,        /* virtual time between two turns of a control thread */
    STRANGER_PORT = 9999, /* whence what was seen comes again, or changed */
};

struct item {
    size_t size;
    uint8_t bytes[ITEM_SIZE];
};

struct inbox {
    pthread_mutex_t lock;
    uint32_t first;
    uint32_t count;
    struct item items[INBOX];
};

struct asked {
    struct wrn_wg_ask ask;
    struct wrn_path path;
    struct item item;
};

struct side;

struct worker {
    struct side *side;
    uint32_t number;
    struct wrn_wg_lane *lane;
    struct wrn_crypto *crypto;
    _Atomic uint64_t calls; /* odd: inside one */
    uint64_t next_sequence;
    struct wrn_prng prng;
    pthread_t thread;
};

struct side {
    struct side *other;
    struct wrn_wg *wg;
    struct wrn_crypto *crypto;
    void *memory;
    struct wrn_prng prng;
    struct wrn_endpoint endpoint;
    uint8_t public_key[32];
    uint8_t net; /* inner addresses are 10.net.0.0/16 */
    wrn_handle peer;
    struct inbox inbox;
    pthread_mutex_t asks_lock;
    uint32_t asks_count;
    struct asked asks[ASKS];
    _Atomic bool asks_lost;
    _Atomic uint64_t lost; /* data that found an inbox full */
    _Atomic uint32_t renewals;
    _Atomic uint64_t turns; /* of the control thread */
    struct worker worker[LANES];
    _Atomic uint8_t *seen; /* of the other side's lanes: one byte a sequence number */
    _Atomic uint64_t delivered;
    _Atomic uint64_t refused[WRN_DROP_COUNT]; /* of what strangers sent here */
    struct wrn_wg_out out;
    pthread_t control;
};

static _Atomic uint64_t clock_ns;
static _Atomic bool stop_lanes;
static _Atomic bool stop_controls;

static struct wrn_now now(void) {
    uint64_t ns = atomic_load(&clock_ns);
    return (struct wrn_now){{ns},
                            {(int64_t)(1700000000 + ns / WRN_S(1)), (uint32_t)(ns % WRN_S(1))}};
}

/* Waits until every lane has left the call that it may be in. */
static void quiesce(void *ctx) {
    struct side *side = ctx;
    for (uint32_t i = 0; i < LANES; i++) {
        uint64_t calls = atomic_load(&side->worker[i].calls);
        while (calls % 2 != 0 && atomic_load(&side->worker[i].calls) == calls) {
            sched_yield();
        }
    }
}

static void post(struct side *to, const uint8_t *bytes, size_t size) {
    struct inbox *inbox = &to->inbox;
    WRN_ASSERT(size <= ITEM_SIZE);
    pthread_mutex_lock(&inbox->lock);
    if (inbox->count < INBOX) {
        struct item *item = &inbox->items[(inbox->first + inbox->count++) % INBOX];
        item->size = size;
        memcpy(item->bytes, bytes, size);
    } else {
        atomic_fetch_add(&to->other->lost, 1);
    }
    pthread_mutex_unlock(&inbox->lock);
}

static size_t collect(struct side *side, struct item items[BATCH]) {
    struct inbox *inbox = &side->inbox;
    size_t count = 0;
    pthread_mutex_lock(&inbox->lock);
    for (; count < BATCH && inbox->count > 0; count++, inbox->count--) {
        items[count] = inbox->items[inbox->first];
        inbox->first = (inbox->first + 1) % INBOX;
    }
    pthread_mutex_unlock(&inbox->lock);
    return count;
}

static bool is_crowded(struct side *side) {
    pthread_mutex_lock(&side->inbox.lock);
    bool crowded = side->inbox.count > INBOX / 2;
    pthread_mutex_unlock(&side->inbox.lock);
    return crowded;
}

static void ask(struct worker *worker, const struct wrn_wg_ask *ask, const uint8_t *bytes,
                size_t size, const struct wrn_path *path) {
    struct side *side = worker->side;
    pthread_mutex_lock(&side->asks_lock);
    bool fits = side->asks_count < ASKS;
    if (fits) {
        struct asked *asked = &side->asks[side->asks_count++];
        asked->ask = *ask;
        asked->path = *path;
        asked->item.size = size;
        memcpy(asked->item.bytes, bytes, size);
    }
    pthread_mutex_unlock(&side->asks_lock);
    if (!fits && ask->kind == WRN_WG_ASK_PACKET) {
        wrn_wg_lane_lost(worker->lane, ask->peer);
    } else if (!fits) {
        atomic_store(&side->asks_lost, true);
    }
}

static void write_packet(struct worker *worker, uint8_t *p) {
    struct side *side = worker->side;
    memset(p, 0, 40);
    p[0] = 0x45;
    wrn_store_be16(p + 2, 40);
    memcpy(p + 12, (uint8_t[]){10, side->net, 0, (uint8_t)worker->number}, 4);
    memcpy(p + 16, (uint8_t[]){10, side->other->net, 0, 1}, 4);
    wrn_store_be64(p + 24, worker->next_sequence++);
    p[32] = (uint8_t)worker->number;
}

static void send_some(struct worker *worker) {
    static const struct wrn_path nowhere;
    uint8_t buffer[BATCH][WRN_WG_HEADROOM + 64 + WRN_WG_TAILROOM];
    struct wrn_wg_packet batch[BATCH];
    struct wrn_wg_asks asks;
    size_t count = 1 + wrn_rand_below(wrn_prng_rand(&worker->prng), BATCH);
    for (size_t i = 0; i < count; i++) {
        batch[i] = (struct wrn_wg_packet){.bytes = buffer[i] + WRN_WG_HEADROOM, .size = 40};
        write_packet(worker, batch[i].bytes);
    }
    atomic_fetch_add(&worker->calls, 1);
    wrn_wg_lane_packets(worker->lane, now().mono, batch, count, &asks);
    atomic_fetch_add(&worker->calls, 1);
    for (size_t i = 0; i < count; i++) {
        if (batch[i].datagram_size > 0) {
            WRN_ASSERT(batch[i].path.remote.port != STRANGER_PORT);
            post(worker->side->other, batch[i].datagram, batch[i].datagram_size);
        }
    }
    for (uint32_t i = 0; i < asks.count; i++) {
        const struct wrn_wg_packet *packet = &batch[asks.items[i].index];
        bool has_packet = asks.items[i].kind == WRN_WG_ASK_PACKET;
        ask(worker, &asks.items[i], packet->bytes, has_packet ? packet->size : 0, &nowhere);
    }
}

static void take_in(struct worker *worker, const struct wrn_wg_datagram *datagram) {
    struct side *side = worker->side;
    const uint8_t *p = datagram->packet;
    uint64_t sequence = wrn_load_be64(p + 24);
    WRN_ASSERT(datagram->packet_size == 40 && p[13] == side->other->net && p[32] < LANES);
    WRN_ASSERT(sequence < SEQUENCE_MAX);
    uint8_t before = atomic_fetch_add(&side->seen[p[32] * SEQUENCE_MAX + sequence], 1);
    WRN_ASSERT(before == 0); /* nothing arrives twice */
    atomic_fetch_add(&side->delivered, 1);
}

/* Somebody without keys sends what he has seen once more, or changed, from another place: all of it
 * is refused, and none of it moves the peer there. */
static void hear_a_stranger(struct worker *worker, struct item *item) {
    struct side *side = worker->side;
    struct wrn_wg_datagram datagram = {.bytes = item->bytes, .size = item->size};
    struct wrn_wg_asks asks;
    uint32_t dice = wrn_rand_below(wrn_prng_rand(&worker->prng), 2 * (uint32_t)item->size);
    if (dice < item->size && dice >= WRN_WG_DATA_HEADER_SIZE) {
        item->bytes[dice] ^= (uint8_t)(1 + dice % 255);
    }
    datagram.path.remote = side->other->endpoint;
    datagram.path.remote.port = STRANGER_PORT;
    atomic_fetch_add(&worker->calls, 1);
    wrn_wg_lane_datagrams(worker->lane, now().mono, &datagram, 1, &asks);
    atomic_fetch_add(&worker->calls, 1);
    WRN_ASSERT(datagram.drop != WRN_DROP_NONE && datagram.packet_size == 0 && asks.count == 0);
    atomic_fetch_add(&side->refused[datagram.drop], 1);
}

static size_t receive_some(struct worker *worker) {
    struct item items[BATCH];
    struct item seen[BATCH];
    struct wrn_wg_datagram batch[BATCH];
    struct wrn_wg_asks asks;
    size_t count = collect(worker->side, items);
    memcpy(seen, items, count * sizeof *seen);
    for (size_t i = 0; i < count; i++) {
        batch[i] = (struct wrn_wg_datagram){.bytes = items[i].bytes, .size = items[i].size};
        batch[i].path.remote = worker->side->other->endpoint;
        /* the other side moves all the time */
        batch[i].path.remote.port = (uint16_t)(batch[i].path.remote.port + worker->number);
    }
    if (count == 0) {
        return 0;
    }
    atomic_fetch_add(&worker->calls, 1);
    wrn_wg_lane_datagrams(worker->lane, now().mono, batch, count, &asks);
    atomic_fetch_add(&worker->calls, 1);
    for (size_t i = 0; i < count; i++) {
        if (batch[i].packet_size > 0) {
            take_in(worker, &batch[i]);
        }
        if (seen[i].bytes[0] == WRN_WG_TYPE_DATA && i % 4 == worker->number) {
            hear_a_stranger(worker, &seen[i]);
        }
    }
    for (uint32_t i = 0; i < asks.count; i++) {
        const struct wrn_wg_datagram *d = &batch[asks.items[i].index];
        bool has_bytes = asks.items[i].kind == WRN_WG_ASK_DATAGRAM;
        ask(worker, &asks.items[i], d->bytes, has_bytes ? d->size : 0, &d->path);
    }
    return count;
}

static void *run_worker(void *arg) {
    struct worker *worker = arg;
    while (!atomic_load(&stop_lanes)) {
        if (!is_crowded(worker->side->other) && worker->next_sequence + BATCH < SEQUENCE_MAX) {
            send_some(worker);
        }
        if (receive_some(worker) == 0) {
            sched_yield();
        }
    }
    return NULL;
}

/* Performs what an input of the control thread led to. */
static void settle(struct side *side) {
    uint8_t buffer[BATCH][WRN_WG_HEADROOM + 64 + WRN_WG_TAILROOM];
    struct wrn_wg_packet batch[BATCH];
    size_t count;
    do {
        for (size_t i = 0; i < BATCH; i++) {
            batch[i] = (struct wrn_wg_packet){.bytes = buffer[i] + WRN_WG_HEADROOM, .size = 64};
        }
        count = wrn_wg_pull_staged(side->wg, now(), batch, BATCH, &side->out);
        for (uint32_t i = 0; i < side->out.message_count; i++) {
            post(side->other, side->out.messages[i].bytes, side->out.messages[i].size);
        }
        for (uint32_t i = 0; i < side->out.event_count; i++) {
            if (side->out.events[i].kind == WRN_WG_EVENT_SESSION_STARTED) {
                atomic_fetch_add(&side->renewals, 1);
            }
        }
        side->out.message_count = 0;
        side->out.event_count = 0;
        for (size_t i = 0; i < count; i++) {
            post(side->other, batch[i].datagram, batch[i].datagram_size);
        }
    } while (count > 0);
}

static void perform(struct side *side, struct asked *asked) {
    struct wrn_wg_datagram datagram = {
        .bytes = asked->item.bytes, .size = asked->item.size, .path = asked->path};
    if (asked->ask.kind == WRN_WG_ASK_PACKET) {
        wrn_span packet = {asked->item.bytes, asked->item.size};
        wrn_wg_take_packet(side->wg, now(), asked->ask.peer, packet, &side->out);
    } else if (asked->ask.kind == WRN_WG_ASK_DATAGRAM) {
        (void)wrn_wg_take_datagram(side->wg, now(), &datagram, &side->out);
    } else {
        wrn_wg_take_ask(side->wg, now(), &asked->ask, &side->out);
    }
    settle(side);
}

static void perform_asks(struct side *side) {
    static _Thread_local struct asked taken[ASKS];
    pthread_mutex_lock(&side->asks_lock);
    uint32_t count = side->asks_count;
    memcpy(taken, side->asks, count * sizeof *taken);
    side->asks_count = 0;
    pthread_mutex_unlock(&side->asks_lock);
    for (uint32_t i = 0; i < count; i++) {
        perform(side, &taken[i]);
    }
    if (atomic_exchange(&side->asks_lost, false)) {
        wrn_wg_asks_lost(side->wg, now());
    }
}

/* A peer that nobody answers for appears with prefixes around the ones in use, or goes. */
static void change_something(struct side *side, wrn_handle *stranger) {
    uint32_t dice = wrn_rand_below(wrn_prng_rand(&side->prng), 8);
    struct wrn_prefix prefix = {.ip = {{10}, WRN_FAMILY_IPV4},
                                .length_bits = (uint8_t)(8 + dice / 2)};
    if (wrn_rand_below(wrn_prng_rand(&side->prng), 2) == 0) { /* not where the packets go */
        prefix.ip.bytes[1] = side->other->net;
        prefix.ip.bytes[2] = 0x80;
        prefix.length_bits = (uint8_t)(17 + dice / 2);
    }
    if (wrn_handle_equal(*stranger, WRN_HANDLE_NONE)) {
        uint8_t key[32];
        wrn_rand_fill(wrn_prng_rand(&side->prng), key, sizeof key);
        assert_int_equal(wrn_wg_peer_add(side->wg, now(), key, stranger), 0);
    }
    if (dice % 2 == 0) {
        int error = wrn_wg_peer_allow(side->wg, *stranger, &prefix);
        assert_true(error == 0 || error == WRN_ERR_FULL);
    } else {
        wrn_wg_peer_disallow(side->wg, *stranger, &prefix);
    }
    if (dice == 7) {
        wrn_wg_peer_remove(side->wg, *stranger);
        *stranger = WRN_HANDLE_NONE;
    } else if (dice == 6) {
        wrn_wg_peer_set_endpoint(side->wg, side->peer, &side->other->endpoint);
    } else if (dice == 5) {
        wrn_wg_peer_set_keepalive(side->wg, now(), side->peer,
                                  (uint16_t)wrn_rand_below(wrn_prng_rand(&side->prng), 30));
    }
}

static void *run_control(void *arg) {
    struct side *side = arg;
    wrn_handle stranger = WRN_HANDLE_NONE;
    while (!atomic_load(&stop_controls)) {
        perform_asks(side);
        if (wrn_mono_reached(now().mono, wrn_wg_due(side->wg))) {
            wrn_wg_on_time(side->wg, now(), &side->out);
            settle(side);
        }
        if (!atomic_load(&stop_lanes)) {
            change_something(side, &stranger);
            /* only the slower one moves the time on, or it would find every session too old */
            if (atomic_fetch_add(&side->turns, 1) <= atomic_load(&side->other->turns)) {
                atomic_fetch_add(&clock_ns, WRN_MS(STEP_MS));
            }
        }
        wrn_wg_reclaim(side->wg);
        sched_yield();
    }
    return NULL;
}

static void create(struct side *side, uint8_t net, struct side *other) {
    struct wrn_wg_options options = {
        .peers_max = 4,
        .prefixes_max = 8,
        .staged_max_bytes = 4 << 20,
        .handshakes_per_s = 100000,
        .quiesce = quiesce,
        .quiesce_ctx = side,
    };
    uint8_t key[32];
    side->other = other;
    side->net = net;
    side->endpoint = (struct wrn_endpoint){.ip = {{192, 0, 2, net}, WRN_FAMILY_IPV4}, .port = net};
    wrn_prng_init(&side->prng, 7, net);
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_AUTO, &side->crypto), 0);
    pthread_mutex_init(&side->inbox.lock, NULL);
    pthread_mutex_init(&side->asks_lock, NULL);
    side->seen = calloc(LANES, SEQUENCE_MAX);
    side->memory = aligned_alloc(64, wrn_align_up(wrn_wg_memory_size(&options), 64));
    assert_non_null(side->memory);
    memset(side->memory, 0, wrn_wg_memory_size(&options));
    side->wg = wrn_wg_init(side->memory, &options, side->crypto, wrn_prng_rand(&side->prng));
    wrn_rand_fill(wrn_prng_rand(&side->prng), key, sizeof key);
    assert_true(wrn_x25519_public(side->crypto, key, side->public_key));
    assert_int_equal(wrn_wg_set_private_key(side->wg, now(), key), 0);
    for (uint32_t i = 0; i < LANES; i++) {
        struct worker *worker = &side->worker[i];
        worker->side = side;
        worker->number = i;
        wrn_prng_init(&worker->prng, net, i);
        assert_int_equal(wrn_crypto_create(WRN_CRYPTO_AUTO, &worker->crypto), 0);
        void *memory = aligned_alloc(64, wrn_align_up(wrn_wg_lane_size(), 64));
        assert_non_null(memory);
        memset(memory, 0, wrn_wg_lane_size());
        worker->lane = wrn_wg_lane_init(memory, side->wg, worker->crypto);
    }
}

static void introduce(struct side *side) {
    struct wrn_prefix inner = {.ip = {{10, side->other->net}, WRN_FAMILY_IPV4}, .length_bits = 16};
    wrn_wg_set_up(side->wg, now(), true, &side->out);
    assert_int_equal(wrn_wg_peer_add(side->wg, now(), side->other->public_key, &side->peer), 0);
    assert_int_equal(wrn_wg_peer_allow(side->wg, side->peer, &inner), 0);
    wrn_wg_peer_set_endpoint(side->wg, side->peer, &side->other->endpoint);
}

static void destroy(struct side *side) {
    for (uint32_t i = 0; i < LANES; i++) {
        struct wrn_wg_lane *lane = side->worker[i].lane;
        wrn_wg_lane_finish(lane);
        free(lane);
        wrn_crypto_destroy(side->worker[i].crypto);
    }
    wrn_wg_finish(side->wg);
    wrn_crypto_destroy(side->crypto);
    free(side->memory);
    free((void *)(uintptr_t)side->seen);
    free(side);
}

static bool is_done(const struct side *side) {
    return atomic_load(&side->renewals) >= RENEWALS &&
           atomic_load(&side->delivered) >= (uint64_t)LANES * PER_LANE;
}

/* Everything that was sent has arrived once or stands in a counter. */
static void check_account(struct side *from) {
    uint64_t mine[WRN_DROP_COUNT];
    uint64_t theirs[WRN_DROP_COUNT];
    uint64_t sent = 0;
    uint64_t dropped = atomic_load(&from->lost);
    wrn_wg_drops(from->wg, mine);
    wrn_wg_drops(from->other->wg, theirs);
    for (uint32_t i = 0; i < LANES; i++) {
        sent += from->worker[i].next_sequence;
    }
    for (size_t i = 0; i < WRN_DROP_COUNT; i++) {
        mine[i] -= atomic_load(&from->refused[i]);
        theirs[i] -= atomic_load(&from->other->refused[i]);
        dropped += mine[i] + theirs[i];
    }
    assert_true(atomic_load(&from->other->refused[WRN_DROP_REPLAY]) > 0);
    assert_true(atomic_load(&from->other->refused[WRN_DROP_BAD_TAG]) > 0);
    uint64_t delivered = atomic_load(&from->other->delivered);
    print_message("# sent %llu, delivered %llu, drops counted %llu, sessions %u\n",
                  (unsigned long long)sent, (unsigned long long)delivered,
                  (unsigned long long)dropped, atomic_load(&from->renewals));
    assert_true(delivered <= sent && sent - delivered <= dropped);
    assert_int_equal(theirs[WRN_DROP_REPLAY], 0); /* no counter was used twice */
    assert_int_equal(theirs[WRN_DROP_BAD_TAG], 0);
    assert_int_equal(mine[WRN_DROP_NO_ROUTE], 0);
    assert_int_equal(theirs[WRN_DROP_WRONG_SOURCE], 0);
}

static void threads_share_a_machine(void **state) {
    (void)state;
    struct side *sides[2] = {calloc(1, sizeof(struct side)), calloc(1, sizeof(struct side))};
    assert_true(sides[0] != NULL && sides[1] != NULL);
    atomic_store(&clock_ns, WRN_S(1000));
    for (size_t i = 0; i < 2; i++) {
        create(sides[i], (uint8_t)(i + 1), sides[1 - i]);
    }
    for (size_t i = 0; i < 2; i++) {
        introduce(sides[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&sides[i]->control, NULL, run_control, sides[i]), 0);
        for (uint32_t j = 0; j < LANES; j++) {
            struct worker *worker = &sides[i]->worker[j];
            assert_int_equal(pthread_create(&worker->thread, NULL, run_worker, worker), 0);
        }
    }
    while (!is_done(sides[0]) || !is_done(sides[1])) {
        sched_yield();
    }
    atomic_store(&stop_lanes, true);
    for (size_t i = 0; i < 2; i++) {
        for (uint32_t j = 0; j < LANES; j++) {
            pthread_join(sides[i]->worker[j].thread, NULL);
        }
    }
    atomic_store(&stop_controls, true);
    pthread_join(sides[0]->control, NULL);
    pthread_join(sides[1]->control, NULL);
    size_t moved;
    do { /* what is still on its way */
        moved = 0;
        for (size_t i = 0; i < 2; i++) {
            moved += receive_some(&sides[i]->worker[0]) + sides[i]->asks_count;
            perform_asks(sides[i]);
            wrn_wg_reclaim(sides[i]->wg);
        }
    } while (moved > 0);
    check_account(sides[0]);
    check_account(sides[1]);
    destroy(sides[0]);
    destroy(sides[1]);
}

/* What a side hears is carried out by its first lane; handshakes go to the control thread at
 * once, everything else that is asked waits there for perform_asks. Returns how many packets there
 * were for the host, and the sender's index of the last initiation. */
static size_t hear(struct side *side, uint16_t port, uint32_t *ret_index) {
    struct worker *worker = &side->worker[0];
    struct item items[BATCH];
    struct wrn_wg_datagram batch[BATCH];
    struct wrn_wg_asks asks;
    size_t delivered = 0;
    size_t count = collect(side, items);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        batch[i] = (struct wrn_wg_datagram){.bytes = items[i].bytes, .size = items[i].size};
        batch[i].path = (struct wrn_path){.remote = side->other->endpoint, .interface = port};
        batch[i].path.remote.port = port;
    }
    wrn_wg_lane_datagrams(worker->lane, now().mono, batch, count, &asks);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(batch[i].drop, WRN_DROP_NONE);
        delivered += batch[i].packet_size > 0;
    }
    for (uint32_t i = 0; i < asks.count; i++) {
        const struct wrn_wg_datagram *datagram = &batch[asks.items[i].index];
        struct asked asked = {.ask = asks.items[i], .path = datagram->path};
        if (asked.ask.kind != WRN_WG_ASK_DATAGRAM) {
            ask(worker, &asked.ask, datagram->bytes, 0, &asked.path);
            continue;
        }
        asked.item.size = datagram->size;
        memcpy(asked.item.bytes, datagram->bytes, datagram->size);
        if (datagram->bytes[0] == WRN_WG_TYPE_INITIATION) {
            *ret_index = wrn_load_le32(datagram->bytes + WRN_WG_SENDER_AT);
        }
        perform(side, &asked);
    }
    return delivered;
}

/* An answer of the last lane: it leaves at once, on the session and to the port. */
static void expect_answer(struct side *side, uint32_t index, uint16_t port) {
    uint8_t buffer[WRN_WG_HEADROOM + 64 + WRN_WG_TAILROOM];
    struct worker *worker = &side->worker[LANES - 1];
    struct wrn_wg_packet packet = {.bytes = buffer + WRN_WG_HEADROOM, .size = 40};
    struct wrn_wg_asks asks;
    write_packet(worker, packet.bytes);
    wrn_wg_lane_packets(worker->lane, now().mono, &packet, 1, &asks);
    assert_true(packet.datagram_size > 0);
    assert_int_equal(wrn_load_le32(packet.datagram + WRN_WG_RECEIVER_AT), index);
    assert_int_equal(packet.path.remote.port, port);
    assert_int_equal(packet.path.interface, port);
}

/* The first packet on a new session, from a new place: the answer to it goes out on that session to
 * that place, though the control thread has not heard of either. Once with no session before, once
 * with an older one in use, and once while the control thread still does not know of the one
 * before, which is not forgotten. */
static void answers_do_not_wait_for_the_control_thread(void **state) {
    (void)state;
    enum { SESSIONS = 3, FIRST_PORT = 77 };
    struct side *sides[2] = {calloc(1, sizeof(struct side)), calloc(1, sizeof(struct side))};
    struct side *a = sides[0];
    struct side *b = sides[1];
    uint32_t index = 0;
    uint32_t before = 0;
    assert_true(a != NULL && b != NULL);
    atomic_store(&clock_ns, WRN_S(1000));
    create(a, 1, b);
    create(b, 2, a);
    introduce(a);
    introduce(b);
    for (uint16_t port = FIRST_PORT; port < FIRST_PORT + SESSIONS; port++) {
        if (port == FIRST_PORT) {
            send_some(&a->worker[0]);
            perform_asks(a); /* the packets wait, an initiation goes out */
            (void)hear(b, b->other->endpoint.port, &index);
        } else {
            atomic_fetch_add(&clock_ns, WRN_S(121));
            send_some(&a->worker[0]);
            perform_asks(a); /* a renewal */
            assert_true(hear(b, (uint16_t)(port - 1), &index) > 0);
            expect_answer(b, before, (uint16_t)(port - 1)); /* not before it is confirmed */
        }
        uint32_t unused;
        (void)hear(a, a->other->endpoint.port, &unused); /* the response: packets, or a keepalive */
        (void)hear(b, port, &unused);
        assert_int_not_equal(index, before);
        expect_answer(b, index, port);
        before = index;
    }
    perform_asks(b);
    expect_answer(b, index, FIRST_PORT + SESSIONS - 1);
    assert_int_equal(atomic_load(&a->renewals), SESSIONS);
    assert_int_equal(atomic_load(&b->renewals), SESSIONS);
    destroy(a);
    destroy(b);
}

/* A lane confirms a session by its first packet, the ask of that finds no room, and the peer says
 * no more: a packet that waits here for that session leaves all the same, as soon as the control
 * thread learns that something was lost. */
static void a_lost_confirmation_is_made_up_for(void **state) {
    (void)state;
    struct side *a = calloc(1, sizeof *a);
    struct side *b = calloc(1, sizeof *b);
    struct item lost[BATCH];
    uint32_t index;
    assert_true(a != NULL && b != NULL);
    atomic_store(&clock_ns, WRN_S(1000));
    create(a, 1, b);
    create(b, 2, a);
    introduce(a);
    introduce(b);
    send_some(&b->worker[0]);
    perform_asks(b);
    assert_int_equal(collect(a, lost), 1); /* the initiation, on its way */
    send_some(&a->worker[0]);
    perform_asks(a);
    (void)hear(b, b->other->endpoint.port, &index);
    (void)hear(a, a->other->endpoint.port, &index);
    assert_true(hear(b, b->other->endpoint.port, &index) > 0);
    assert_int_equal(b->asks[0].ask.kind, WRN_WG_ASK_CONFIRMED);
    b->asks_count = 0;
    atomic_store(&b->asks_lost, true);
    perform_asks(b);
    assert_true(wrn_mono_reached(now().mono, wrn_wg_due(b->wg)));
    wrn_wg_on_time(b->wg, now(), &b->out);
    settle(b);
    assert_int_equal(atomic_load(&b->renewals), 1);
    assert_true(hear(a, a->other->endpoint.port, &index) > 0);
    assert_false(wrn_mono_reached(now().mono, wrn_wg_due(b->wg)));
    destroy(a);
    destroy(b);
}

/* A flood that keeps asks out has all peers looked at, which takes long, twice a second at most;
 * the last loss of a flood is looked after, too. */
static void lost_asks_are_looked_after_twice_a_second(void **state) {
    (void)state;
    struct side *side = calloc(1, sizeof *side);
    assert_non_null(side);
    atomic_store(&clock_ns, WRN_S(1000));
    create(side, 1, side);
    wrn_wg_set_up(side->wg, now(), true, &side->out);
    for (int turn = 0; turn < 3; turn++) {
        assert_int_equal(wrn_wg_due(side->wg).ns, WRN_MONO_NEVER.ns);
        wrn_wg_asks_lost(side->wg, now());
        uint64_t wait = turn == 0 ? 0 : WRN_MS(490);
        assert_int_equal(wrn_wg_due(side->wg).ns, now().mono.ns + wait);
        wrn_wg_asks_lost(side->wg, now());
        assert_int_equal(wrn_wg_due(side->wg).ns, now().mono.ns + wait);
        atomic_fetch_add(&clock_ns, wait);
        wrn_wg_on_time(side->wg, now(), &side->out);
        atomic_fetch_add(&clock_ns, WRN_MS(10));
    }
    destroy(side);
}

/* A peer that comes from another place with each packet, or that sends nothing but empty ones,
 * must not fill the ring that handshakes of others go through. */
static void a_peer_does_not_make_lanes_ask_all_the_time(void **state) {
    (void)state;
    enum { PACKETS = 200, FIRST_PORT = 5000 };
    struct side *a = calloc(1, sizeof *a);
    struct side *b = calloc(1, sizeof *b);
    uint32_t index;
    assert_true(a != NULL && b != NULL);
    atomic_store(&clock_ns, WRN_S(1000));
    create(a, 1, b);
    create(b, 2, a);
    introduce(a);
    introduce(b);
    send_some(&a->worker[0]);
    perform_asks(a);
    (void)hear(b, FIRST_PORT, &index);
    (void)hear(a, a->other->endpoint.port, &index);
    (void)hear(b, FIRST_PORT, &index);
    perform_asks(b);
    for (uint16_t i = 1; i <= PACKETS; i++) {
        if (i % 2 == 0) {
            send_some(&a->worker[0]);
        } else {
            wrn_wg_peer_set_keepalive(a->wg, now(), a->peer, 0);
            wrn_wg_peer_set_keepalive(a->wg, now(), a->peer, 9); /* says something at once */
            wrn_wg_on_time(a->wg, now(), &a->out);
            settle(a);
        }
        (void)hear(b, (uint16_t)(FIRST_PORT + i), &index);
        expect_answer(b, index, (uint16_t)(FIRST_PORT + i)); /* followed all the same */
    }
    assert_in_range(b->asks_count, 1, 4); /* no time has passed */
    destroy(a);
    destroy(b);
}

/* Makes a message with the mac1 that 'side' wants. */
static void write_message(struct side *side, uint32_t type, size_t size, uint8_t *message) {
    struct wrn_cookie_jar jar = {0};
    wrn_rand_fill(wrn_prng_rand(&side->prng), message, size);
    wrn_store_le32(message, type);
    wrn_cookie_add_macs(side->crypto, &jar, now().mono, side->public_key, message, size);
}

/* Brings a batch of one to a lane. Returns the reason of its refusal, which is counted, or NONE:
 * then it is asked about. */
static enum wrn_drop screen(struct side *side, const uint8_t *bytes, size_t size) {
    uint8_t copy[ITEM_SIZE] = {0};
    struct wrn_wg_datagram datagram = {.bytes = copy, .size = size};
    struct wrn_wg_asks asks;
    uint64_t before[WRN_DROP_COUNT];
    uint64_t after[WRN_DROP_COUNT];
    memcpy(copy, bytes, size);
    wrn_wg_drops(side->wg, before);
    wrn_wg_lane_datagrams(side->worker[0].lane, now().mono, &datagram, 1, &asks);
    wrn_wg_drops(side->wg, after);
    assert_int_equal(asks.count, datagram.drop == WRN_DROP_NONE);
    if (datagram.drop == WRN_DROP_NONE) {
        assert_int_equal(asks.items[0].kind, WRN_WG_ASK_DATAGRAM);
        assert_int_equal(asks.items[0].index, 0);
    } else {
        assert_true(after[datagram.drop] > before[datagram.drop]);
    }
    return datagram.drop;
}

/* What cannot be a handshake message to us never gets to the control thread: a flood of it would
 * push out what can. */
static void only_handshakes_are_asked_about(void **state) {
    (void)state;
    static const struct {
        uint32_t type;
        size_t size;
        enum wrn_drop drop;
    } cases[] = {
        {0, 0, WRN_DROP_BAD_LENGTH},         {1, 3, WRN_DROP_BAD_LENGTH},
        {0, 4, WRN_DROP_BAD_TYPE},           {9, 148, WRN_DROP_BAD_TYPE},
        {1, 147, WRN_DROP_BAD_LENGTH},       {1, 149, WRN_DROP_BAD_LENGTH},
        {2, 148, WRN_DROP_BAD_LENGTH},       {3, 92, WRN_DROP_BAD_LENGTH},
        {1, 256, WRN_DROP_BAD_LENGTH},       {4, 31, WRN_DROP_BAD_LENGTH},
        {1, 148, WRN_DROP_BAD_MAC1},         {2, 92, WRN_DROP_BAD_MAC1},
        {3, 64, WRN_DROP_UNEXPECTED_COOKIE},
    };
    struct side *side = calloc(1, sizeof *side);
    struct side *other = calloc(1, sizeof *other);
    uint8_t bytes[ITEM_SIZE] = {0};
    assert_true(side != NULL && other != NULL);
    create(side, 1, other);
    create(other, 2, side);
    introduce(side);
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        wrn_store_le32(bytes, cases[i].type);
        assert_int_equal(screen(side, bytes, cases[i].size), cases[i].drop);
    }
    write_message(side, WRN_WG_TYPE_INITIATION, WRN_WG_INITIATION_SIZE, bytes);
    assert_int_equal(screen(side, bytes, WRN_WG_INITIATION_SIZE), WRN_DROP_NONE);
    assert_int_equal(screen(other, bytes, WRN_WG_INITIATION_SIZE), WRN_DROP_INTERFACE_DOWN);
    write_message(side, WRN_WG_TYPE_RESPONSE, WRN_WG_RESPONSE_SIZE, bytes);
    assert_int_equal(screen(side, bytes, WRN_WG_RESPONSE_SIZE), WRN_DROP_NONE);
    bytes[WRN_WG_RESPONSE_SIZE - 2 * WRN_WG_MAC_SIZE] ^= 1;
    assert_int_equal(screen(side, bytes, WRN_WG_RESPONSE_SIZE), WRN_DROP_BAD_MAC1);
    write_message(other, WRN_WG_TYPE_RESPONSE, WRN_WG_RESPONSE_SIZE, bytes);
    assert_int_equal(screen(side, bytes, WRN_WG_RESPONSE_SIZE), WRN_DROP_BAD_MAC1);
    destroy(side);
    destroy(other);
}

/* A cookie reply has no mac1, but it names the message that it answers. */
static void only_cookies_for_our_sessions_are_asked_about(void **state) {
    (void)state;
    struct side *sides[2] = {calloc(1, sizeof(struct side)), calloc(1, sizeof(struct side))};
    uint8_t cookie[WRN_WG_COOKIE_SIZE] = {WRN_WG_TYPE_COOKIE};
    struct item items[BATCH];
    assert_true(sides[0] != NULL && sides[1] != NULL);
    create(sides[0], 1, sides[1]);
    create(sides[1], 2, sides[0]);
    introduce(sides[0]);
    assert_int_equal(screen(sides[0], cookie, sizeof cookie), WRN_DROP_UNEXPECTED_COOKIE);
    send_some(&sides[0]->worker[0]);
    perform_asks(sides[0]);
    assert_int_equal(collect(sides[1], items), 1); /* an initiation */
    memcpy(cookie + WRN_WG_RECEIVER_AT, items[0].bytes + WRN_WG_SENDER_AT, 4);
    assert_int_equal(screen(sides[0], cookie, sizeof cookie), WRN_DROP_NONE);
    cookie[WRN_WG_RECEIVER_AT + 3] ^= 0x80; /* the same place, another session */
    assert_int_equal(screen(sides[0], cookie, sizeof cookie), WRN_DROP_UNEXPECTED_COOKIE);
    cookie[WRN_WG_RECEIVER_AT + 3] ^= 0x80;
    wrn_wg_set_up(sides[0]->wg, now(), false, &sides[0]->out); /* forgets it */
    wrn_wg_reclaim(sides[0]->wg);
    wrn_wg_set_up(sides[0]->wg, now(), true, &sides[0]->out);
    assert_int_equal(screen(sides[0], cookie, sizeof cookie), WRN_DROP_UNEXPECTED_COOKIE);
    memset(cookie + WRN_WG_RECEIVER_AT, 0, 4); /* as the emptied place has it */
    assert_int_equal(screen(sides[0], cookie, sizeof cookie), WRN_DROP_UNEXPECTED_COOKIE);
    destroy(sides[0]);
    destroy(sides[1]);
}

static void *screen_all_the_time(void *arg) {
    struct worker *worker = arg;
    uint8_t message[WRN_WG_INITIATION_SIZE] = {WRN_WG_TYPE_INITIATION};
    struct wrn_wg_asks asks;
    while (!atomic_load(&stop_lanes)) {
        struct wrn_wg_datagram datagram = {.bytes = message, .size = sizeof message};
        atomic_fetch_add(&worker->calls, 1);
        wrn_wg_lane_datagrams(worker->lane, now().mono, &datagram, 1, &asks);
        atomic_fetch_add(&worker->calls, 1);
        WRN_ASSERT(datagram.drop == WRN_DROP_BAD_MAC1 || datagram.drop == WRN_DROP_NO_PRIVATE_KEY);
    }
    return NULL;
}

/* Lanes go by the newest key from the next call on; another lane looks at it all the time. */
static void a_changed_key_counts_at_once(void **state) {
    (void)state;
    struct side *side = calloc(1, sizeof *side);
    uint8_t old[WRN_WG_INITIATION_SIZE];
    uint8_t bytes[WRN_WG_INITIATION_SIZE];
    static const uint8_t none[WRN_WG_KEY_SIZE];
    assert_non_null(side);
    create(side, 1, side);
    wrn_wg_set_up(side->wg, now(), true, &side->out);
    write_message(side, WRN_WG_TYPE_INITIATION, sizeof old, old);
    assert_int_equal(screen(side, old, sizeof old), WRN_DROP_NONE);
    struct worker *worker = &side->worker[LANES - 1];
    assert_int_equal(pthread_create(&worker->thread, NULL, screen_all_the_time, worker), 0);
    for (int i = 0; i < 30; i++) {
        uint8_t key[WRN_WG_KEY_SIZE];
        wrn_rand_fill(wrn_prng_rand(&side->prng), key, sizeof key);
        assert_true(wrn_x25519_public(side->crypto, key, side->public_key));
        assert_int_equal(wrn_wg_set_private_key(side->wg, now(), key), 0);
        assert_int_equal(screen(side, old, sizeof old), WRN_DROP_BAD_MAC1);
        write_message(side, WRN_WG_TYPE_INITIATION, sizeof bytes, bytes);
        assert_int_equal(screen(side, bytes, sizeof bytes), WRN_DROP_NONE);
        memcpy(old, bytes, sizeof old);
    }
    assert_int_equal(wrn_wg_set_private_key(side->wg, now(), none), 0);
    assert_int_equal(screen(side, old, sizeof old), WRN_DROP_NO_PRIVATE_KEY);
    atomic_store(&stop_lanes, true);
    pthread_join(worker->thread, NULL);
    atomic_store(&stop_lanes, false);
    destroy(side);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_do_not_wait_for_the_control_thread),
        cmocka_unit_test(a_lost_confirmation_is_made_up_for),
        cmocka_unit_test(lost_asks_are_looked_after_twice_a_second),
        cmocka_unit_test(a_peer_does_not_make_lanes_ask_all_the_time),
        cmocka_unit_test(only_handshakes_are_asked_about),
        cmocka_unit_test(only_cookies_for_our_sessions_are_asked_about),
        cmocka_unit_test(a_changed_key_counts_at_once),
        cmocka_unit_test(threads_share_a_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
