/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: all peers come to know of the same revocations, soon, without a storm, whatever is lost on
 * the way; nobody is believed before it has been compared; what peers send costs little.
 * Method: a model of up to 24 instances, links that delay and lose messages, in virtual time. */
#include "node/sync.h"

#include <stdio.h>

#include "base/bytes.h"
#include "network/certs.h"
#include "unit/base/check.h"
#include "unit/network/chain.h"

enum {
    NODES_MAX = 24,
    LINKS_MAX = 24, /* of a node; a handle's index is the other node */
    MESSAGES_MAX = 1 << 14,
    NOW_S = 1795000000,
};

struct message {
    wrn_mono due;
    uint32_t from, to;
    size_t size;
    uint8_t bytes[WRN_SYNC_MESSAGE_MAX];
};

struct node {
    void *memory;
    struct wrn_judge *judge;
    struct wrn_revoked *revoked;
    struct wrn_sync *sync;
    bool is_linked[LINKS_MAX];
    bool is_believed[LINKS_MAX];
    uint64_t sent;
};

static struct {
    struct node nodes[NODES_MAX];
    uint32_t count;
    struct message *messages;
    uint32_t message_count;
    struct wrn_now now;
    struct wrn_prng prng;
    uint32_t loss_percent;
    uint64_t sent, lost;
} world;

static void on_send(void *ctx, wrn_handle peer, wrn_span message) {
    struct node *node = ctx;
    assert_in_range(message.size, 1, WRN_SYNC_MESSAGE_MAX);
    node->sent++;
    world.sent++;
    if (wrn_rand_below(wrn_prng_rand(&world.prng), 100) < world.loss_percent) {
        world.lost++;
        return;
    }
    assert_true(world.message_count < MESSAGES_MAX);
    struct message *sent = &world.messages[world.message_count++];
    uint32_t delay_ms = 5 + wrn_rand_below(wrn_prng_rand(&world.prng), 80);
    *sent = (struct message){.due = wrn_mono_add(world.now.mono, WRN_MS(delay_ms)),
                             .from = (uint32_t)(node - world.nodes),
                             .to = peer.index,
                             .size = message.size};
    memcpy(sent->bytes, message.data, message.size);
}

static void on_take(void *ctx, wrn_handle from, wrn_span list) {
    struct node *node = ctx;
    bool is_new;
    if (wrn_revoked_add(node->revoked, world.now.wall.s, list, &is_new) == WRN_REASON_NONE &&
        is_new) {
        wrn_sync_pass_on(node->sync, world.now, list, from);
    }
}

static void on_believe(void *ctx, wrn_handle peer) {
    struct node *node = ctx;
    node->is_believed[peer.index] = true;
}

static void *build(struct wrn_arena *arena, struct node *node) {
    const uint64_t seed[2] = {1, 2};
    const struct wrn_revoked_options revoked = {512, 256 << 10};
    struct wrn_pack_frame frame = chain_frame('O');
    struct wrn_sync_options options = {.peers_max = LINKS_MAX, .rand = wrn_prng_rand(&world.prng)};
    node->judge = wrn_judge_init(arena, &frame, seed);
    node->revoked = wrn_revoked_init(arena, &revoked, node->judge);
    options.revoked = node->revoked;
    node->sync =
        wrn_sync_init(arena, &options, (struct wrn_sync_port){node, on_send, on_take, on_believe});
    return node->sync;
}

static void begin(uint32_t count, uint32_t loss_percent, uint64_t seed) {
    wrn_prng_init(&world.prng, seed, 0);
    world.count = count;
    world.loss_percent = loss_percent;
    world.message_count = 0;
    world.sent = world.lost = 0;
    world.now = (struct wrn_now){{WRN_S(1000)}, {NOW_S, 0}};
    for (uint32_t i = 0; i < count; i++) {
        struct node *node = &world.nodes[i];
        struct wrn_arena arena;
        *node = (struct node){.sent = 0};
        wrn_arena_init(&arena, NULL, 0);
        (void)build(&arena, node);
        size_t size = wrn_align_up(arena.used, 64);
        node->memory = aligned_alloc(64, size);
        assert_non_null(node->memory);
        memset(node->memory, 0, size);
        wrn_arena_init(&arena, node->memory, size);
        assert_non_null(build(&arena, node));
    }
}

static void end(void) {
    for (uint32_t i = 0; i < world.count; i++) {
        free(world.nodes[i].memory);
    }
}

static wrn_handle handle_of(uint32_t other) {
    return (wrn_handle){other, 1};
}

static void up(uint32_t a, uint32_t b) {
    uint32_t ends[2] = {a, b};
    for (uint32_t i = 0; i < 2; i++) {
        struct node *node = &world.nodes[ends[i]];
        node->is_linked[ends[1 - i]] = true;
        node->is_believed[ends[1 - i]] =
            !wrn_sync_on_up(node->sync, world.now, handle_of(ends[1 - i]), false);
    }
}

static void down(uint32_t a, uint32_t b) {
    uint32_t ends[2] = {a, b};
    for (uint32_t i = 0; i < 2; i++) {
        struct node *node = &world.nodes[ends[i]];
        node->is_linked[ends[1 - i]] = node->is_believed[ends[1 - i]] = false;
        wrn_sync_on_down(node->sync, handle_of(ends[1 - i]));
    }
}

/* Each has the next two, and one across. */
static void link_all(void) {
    for (uint32_t i = 0; i < world.count; i++) {
        uint32_t others[] = {(i + 1) % world.count, (i + 2) % world.count,
                             (i + world.count / 2) % world.count};
        for (uint32_t j = 0; j < WRN_COUNT(others); j++) {
            if (others[j] != i && !world.nodes[i].is_linked[others[j]]) {
                up(i, others[j]);
            }
        }
        wrn_sync_on_connected(world.nodes[i].sync, world.now);
    }
}

static void set_time(wrn_mono mono) {
    world.now.mono = mono;
    world.now.wall.s = NOW_S + (int64_t)((mono.ns - WRN_S(1000)) / WRN_S(1));
}

/* Runs so many milliseconds. */
static void run(uint32_t ms) {
    wrn_mono until = wrn_mono_add(world.now.mono, WRN_MS(ms));
    for (uint32_t steps = 0;; steps++) {
        wrn_mono next = WRN_MONO_NEVER;
        struct message *message = NULL;
        struct node *timed = NULL;
        CHECK(steps < 1000000, "it does not come to rest: ");
        for (uint32_t i = 0; i < world.message_count; i++) {
            if (wrn_mono_before(world.messages[i].due, next)) {
                message = &world.messages[i];
                next = message->due;
            }
        }
        for (uint32_t i = 0; i < world.count; i++) {
            if (wrn_mono_before(wrn_sync_due(world.nodes[i].sync), next)) {
                timed = &world.nodes[i];
                next = wrn_sync_due(timed->sync);
                message = NULL;
            }
        }
        if (wrn_mono_before(until, next) || (timed == NULL && message == NULL)) {
            break;
        }
        set_time(wrn_mono_before(next, world.now.mono) ? world.now.mono : next);
        if (message != NULL) {
            struct message one = *message;
            *message = world.messages[--world.message_count];
            if (world.nodes[one.to].is_linked[one.from]) {
                wrn_sync_on_message(world.nodes[one.to].sync, world.now, handle_of(one.from),
                                    (wrn_span){one.bytes, one.size});
            }
        } else {
            wrn_sync_on_time(timed->sync, world.now);
        }
    }
    set_time(until);
}

/* The next list of a letter, with 'more' hashes; added where he is, and told from there. */
static void take_back(uint32_t at, char letter, wrn_span chain, uint32_t more) {
    static uint8_t list[WRN_REVOKED_LIST_MAX];
    uint8_t seed[WRN_SEED_SIZE];
    uint8_t hashes[WRN_REVOKED_HASHES_MAX][WRN_SHA256_SIZE];
    struct node *node = &world.nodes[at];
    bool is_new;
    wrn_rand_fill(wrn_prng_rand(&world.prng), hashes, more * sizeof hashes[0]);
    chain_seed(letter, seed);
    size_t size = wrn_revoked_write(node->revoked, seed, world.now.wall.s, hashes[0], more, chain,
                                    list, sizeof list);
    assert_in_range(size, 1, sizeof list);
    assert_int_equal(
        wrn_revoked_add(node->revoked, world.now.wall.s, (wrn_span){list, size}, &is_new),
        WRN_REASON_NONE);
    assert_true(is_new);
    wrn_sync_pass_on(node->sync, world.now, (wrn_span){list, size}, WRN_HANDLE_NONE);
}

static bool are_same(void) {
    uint8_t first[WRN_SHA256_SIZE], other[WRN_SHA256_SIZE];
    wrn_revoked_digest(world.nodes[0].revoked, first);
    for (uint32_t i = 1; i < world.count; i++) {
        wrn_revoked_digest(world.nodes[i].revoked, other);
        if (memcmp(first, other, sizeof first) != 0) {
            return false;
        }
    }
    return true;
}

static bool are_believed(void) {
    for (uint32_t i = 0; i < world.count; i++) {
        for (uint32_t j = 0; j < world.count; j++) {
            if (world.nodes[i].is_linked[j] && !world.nodes[i].is_believed[j]) {
                return false;
            }
        }
    }
    return true;
}

static const wrn_span no_chain = {NULL, 0};

static wrn_span admin_chain(char letter) {
    chain_begin('O');
    chain_add('O', letter, "(* set (member) (admin) (invite))", true, NULL, NULL);
    return chain_pack();
}

static void a_list_reaches_sixteen_at_once(void **state) {
    (void)state;
    begin(16, 0, check_seed());
    link_all();
    run(2000);
    assert_true(are_believed());
    uint64_t before = world.sent;
    take_back(3, 'O', no_chain, 1);
    run(800);
    assert_true(are_same());
    uint64_t flood = world.sent - before;
    run(60000);
    CHECK(flood <= 16 * 6, "%llu messages: ", (unsigned long long)flood);
    CHECK(world.sent - before <= 16 * 6 * 4,
          "%llu messages in all: ", (unsigned long long)(world.sent - before));
    before = world.sent;
    run(600000);
    assert_int_equal(world.sent, before); /* then nobody says anything */
    end();
}

static void a_list_reaches_sixteen_over_bad_links(void **state) {
    (void)state;
    begin(16, 30, check_seed());
    link_all();
    run(5000);
    take_back(3, 'O', no_chain, 1);
    run(5000);
    assert_true(are_same());
    end();
}

/* One of 10 messages gets lost, and each list has ten pieces. */
static void large_lists_arrive_whole(void **state) {
    (void)state;
    begin(8, 10, check_seed());
    link_all();
    run(3000);
    take_back(2, 'O', no_chain, WRN_REVOKED_HASHES_MAX);
    run(30000);
    assert_true(are_same());
    assert_int_equal(wrn_revoked_count(world.nodes[5].revoked, WRN_REVOKED_COUNT_ADDED), 1);
    end();
}

static void who_was_away_hears_of_it_before_it_believes(void **state) {
    (void)state;
    begin(8, 0, check_seed());
    link_all();
    run(3000);
    for (uint32_t i = 0; i < 8; i++) {
        if (world.nodes[7].is_linked[i]) {
            down(7, i);
        }
    }
    take_back(0, 'O', no_chain, 3);
    run(5000);
    assert_false(are_same());
    wrn_sync_on_woken(world.nodes[7].sync, world.now);
    up(7, 0);
    up(7, 1);
    assert_false(world.nodes[7].is_believed[0] || world.nodes[7].is_believed[1]);
    for (uint32_t ms = 0; ms < 3000; ms += 10) {
        run(10);
        bool believes = world.nodes[7].is_believed[0] || world.nodes[7].is_believed[1];
        assert_true(!believes || are_same());
    }
    assert_true(are_same() && are_believed());
    end();
}

/* The one that one could ask first may be the one that was revoked. */
static void one_peer_is_not_enough_for_three_seconds(void **state) {
    (void)state;
    begin(2, 0, check_seed());
    up(0, 1);
    run(1000);
    assert_false(world.nodes[0].is_believed[1]);
    wrn_sync_on_connected(world.nodes[0].sync, world.now);
    run(2900);
    assert_false(world.nodes[0].is_believed[1]);
    run(200);
    assert_true(world.nodes[0].is_believed[1]);
    end();
}

static void the_owner_is_enough(void **state) {
    (void)state;
    begin(2, 0, check_seed());
    wrn_sync_on_connected(world.nodes[0].sync, world.now);
    world.nodes[0].is_linked[1] = world.nodes[1].is_linked[0] = true;
    assert_true(wrn_sync_on_up(world.nodes[0].sync, world.now, handle_of(1), true));
    assert_true(wrn_sync_on_up(world.nodes[1].sync, world.now, handle_of(0), false));
    run(500);
    assert_true(world.nodes[0].is_believed[1]);
    assert_false(world.nodes[1].is_believed[0]);
    end();
}

static void who_says_nothing_is_not_believed(void **state) {
    (void)state;
    begin(4, 0, check_seed());
    wrn_sync_on_connected(world.nodes[0].sync, world.now);
    up(0, 1);
    up(0, 2);
    world.nodes[3].is_linked[0] = false; /* node 3 hears nothing */
    world.nodes[0].is_linked[3] = true;
    assert_true(wrn_sync_on_up(world.nodes[0].sync, world.now, handle_of(3), false));
    run(20000);
    assert_true(world.nodes[0].is_believed[1] && world.nodes[0].is_believed[2]);
    assert_false(world.nodes[0].is_believed[3]);
    /* Who comes later, when all is known, is believed at once. */
    down(0, 1);
    up(0, 1);
    assert_true(world.nodes[0].is_believed[1]);
    end();
}

/* Both parts have lists that the other lacks, more than one offer has room for. */
static void two_parts_become_one(void **state) {
    (void)state;
    begin(6, 0, check_seed());
    for (uint32_t i = 0; i < 6; i++) {
        for (uint32_t j = i + 1; j < 6; j++) {
            if ((i < 3) == (j < 3)) {
                up(i, j);
            }
        }
        wrn_sync_on_connected(world.nodes[i].sync, world.now);
    }
    run(2000);
    for (uint32_t i = 0; i < 60; i++) {
        char letter = (char)(i < 26 ? 'a' + i : '0' + i - 26);
        take_back(i % 2 == 0 ? 0 : 4, letter, admin_chain(letter), 1);
        run(300);
    }
    assert_false(are_same());
    up(1, 5);
    run(30000);
    assert_true(are_same());
    assert_int_equal(wrn_revoked_count(world.nodes[3].revoked, WRN_REVOKED_COUNT_ADDED), 60);
    end();
}

/* Nobody makes us say more than a bounded amount, and what is no message is counted. */
static void hostile_peers_cost_little(void **state) {
    (void)state;
    begin(3, 0, check_seed());
    up(0, 1);
    up(0, 2);
    wrn_sync_on_connected(world.nodes[0].sync, world.now);
    run(3000);
    take_back(0, 'O', no_chain, 200);
    run(5000);
    struct node *node = &world.nodes[0];
    uint64_t before = node->sent;
    uint8_t message[WRN_SYNC_MESSAGE_MAX];
    for (uint32_t i = 0; i < 5000; i++) {
        size_t size = 1 + wrn_rand_below(wrn_prng_rand(&world.prng), sizeof message - 1);
        wrn_rand_fill(wrn_prng_rand(&world.prng), message, size);
        message[0] = (uint8_t)(2 + i % 3);
        if (i % 6 == 0) { /* an offer of nothing: tell me everything */
            memset(message + 1, 0, 33);
            message[1] = 1;
            memset(message + 18, 0xff, 16);
            size = 34;
        } else if (i % 6 == 3) {
            message[1] &= 1;
            size = 34;
        } else if (i % 6 == 5) { /* a piece of a large list that never is whole */
            wrn_store_be16(message + 9, 9000);
            wrn_store_be16(message + 11, (uint16_t)(i % 9));
            size = 13 + 1024;
        }
        wrn_sync_on_message(node->sync, world.now, handle_of(1), (wrn_span){message, size});
    }
    CHECK(node->sent - before < 40, "%llu messages: ", (unsigned long long)(node->sent - before));
    assert_true(wrn_sync_count(node->sync, WRN_SYNC_COUNT_MALFORMED) > 0);
    wrn_sync_on_message(node->sync, world.now, handle_of(9), (wrn_span){message, 34});
    wrn_sync_on_message(node->sync, world.now, handle_of(1), (wrn_span){message, 0});
    run(10000);
    assert_true(are_same());
    end();
}

/* Lists cost signatures to look at: so many of one peer at a time. */
static void a_crowd_of_bad_lists_is_not_looked_at(void **state) {
    (void)state;
    static uint8_t list[WRN_REVOKED_LIST_HEAD + WRN_SHA256_SIZE + 13];
    begin(2, 0, check_seed());
    up(0, 1);
    list[0] = WRN_SYNC_LIST;
    wrn_store_be16(list + 9, WRN_REVOKED_LIST_HEAD + WRN_SHA256_SIZE);
    list[13] = 1;
    list[13 + 106] = 1;
    for (uint32_t i = 0; i < 1000; i++) {
        list[13 + 20] = (uint8_t)i;
        wrn_sync_on_message(world.nodes[0].sync, world.now, handle_of(1),
                            (wrn_span){list, sizeof list});
    }
    uint64_t looked = wrn_revoked_count(world.nodes[0].revoked, WRN_REVOKED_COUNT_BAD_SIGNATURE) +
                      wrn_revoked_count(world.nodes[0].revoked, WRN_REVOKED_COUNT_MALFORMED) +
                      wrn_revoked_count(world.nodes[0].revoked, WRN_REVOKED_COUNT_NOT_ADMITTED);
    assert_in_range(looked, 60, 70);
    assert_true(wrn_sync_count(world.nodes[0].sync, WRN_SYNC_COUNT_UNSEEN) > 900);
    end();
}

/* Many lists at once: the first ones go at once, the others by comparing. */
static void a_crowd_of_lists_makes_no_storm(void **state) {
    (void)state;
    begin(4, 0, check_seed());
    link_all();
    run(3000);
    uint64_t before = world.sent;
    wrn_span chain = admin_chain('A');
    for (uint32_t i = 0; i < 200; i++) {
        take_back(0, 'A', chain, 1);
    }
    assert_true(wrn_sync_count(world.nodes[0].sync, WRN_SYNC_COUNT_HELD_BACK) >= 160);
    run(20000);
    assert_true(are_same());
    CHECK(world.sent - before < 3000, "%llu messages: ", (unsigned long long)(world.sent - before));
    end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_reaches_sixteen_at_once),
        cmocka_unit_test(a_list_reaches_sixteen_over_bad_links),
        cmocka_unit_test(large_lists_arrive_whole),
        cmocka_unit_test(who_was_away_hears_of_it_before_it_believes),
        cmocka_unit_test(one_peer_is_not_enough_for_three_seconds),
        cmocka_unit_test(the_owner_is_enough),
        cmocka_unit_test(who_says_nothing_is_not_believed),
        cmocka_unit_test(two_parts_become_one),
        cmocka_unit_test(hostile_peers_cost_little),
        cmocka_unit_test(a_crowd_of_bad_lists_is_not_looked_at),
        cmocka_unit_test(a_crowd_of_lists_makes_no_storm),
    };
    world.messages = calloc(MESSAGES_MAX, sizeof *world.messages);
    assert_non_null(world.messages);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(world.messages);
    return failed;
}
