/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: who may take back what; that the same lists give the same answers in whatever order they
 * come; that peers come to have the same; that nobody fills the room of others; that bytes of
 * others break nothing. Method: lists of keys made from letters, in all orders where these are
 * few, else in random ones. */
#include "network/revoked.h"

#include <stdlib.h>

#include "base/rand.h"
#include "overlay/record.h"
#include "unit/base/check.h"
#include "unit/network/chain.h"

enum { LISTS = 8, BYTES = 4 * WRN_REVOKED_LIST_MAX, STORES = 2, NOW = 1795000000 };

struct list {
    uint8_t bytes[WRN_REVOKED_LIST_MAX];
    size_t size;
};

static struct wrn_pack_frame frame;
static struct wrn_judge *judge;
static struct wrn_revoked *stores[STORES];
static void *memories[STORES];
static wrn_span none = {NULL, 0};

static struct wrn_revoked *make(size_t index) {
    const uint64_t seed[2] = {1, 2};
    const struct wrn_revoked_options options = {LISTS, BYTES};
    struct wrn_arena arena;
    size_t size = 0;
    free(memories[index]);
    memories[index] = NULL;
    for (int pass = 0; pass < 2; pass++) {
        wrn_arena_init(&arena, memories[index], pass == 0 ? 0 : size);
        struct wrn_judge *own = wrn_judge_init(&arena, &frame, seed);
        stores[index] = wrn_revoked_init(&arena, &options, own);
        if (pass == 0) {
            size = wrn_align_up(arena.used, 64);
            memories[index] = aligned_alloc(64, size);
            assert_non_null(memories[index]);
            memset(memories[index], 0, size);
        } else if (index == 0) {
            judge = own;
        }
    }
    return stores[index];
}

static int set_up(void **state) {
    (void)state;
    frame = chain_frame('O');
    for (size_t i = 0; i < STORES; i++) {
        (void)make(i);
    }
    chain_begin('O');
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (size_t i = 0; i < STORES; i++) {
        free(memories[i]);
        memories[i] = NULL;
    }
    return 0;
}

/* A chain from the owner to a letter. */
static wrn_span chain_to(char letter, const char *element, const char *not_after) {
    chain_begin('O');
    chain_add('O', letter, element, true, NULL, not_after);
    return chain_pack();
}

static void hash_of(uint8_t number, uint8_t hash[WRN_SHA256_SIZE]) {
    memset(hash, number, WRN_SHA256_SIZE);
}

/* A list that names hashes made of the bytes of a text. */
static struct list list_of(const struct wrn_revoked *revoked, char issuer, int64_t date_s,
                           const char *names, wrn_span chain) {
    struct list list;
    uint8_t seed[WRN_SEED_SIZE], hashes[64][WRN_SHA256_SIZE];
    size_t count = strlen(names);
    chain_seed(issuer, seed);
    for (size_t i = 0; i < count; i++) {
        hash_of((uint8_t)names[i], hashes[i]);
    }
    list.size = wrn_revoked_write(revoked, seed, date_s, hashes[0], count, chain, list.bytes,
                                  sizeof list.bytes);
    assert_in_range(list.size, WRN_REVOKED_LIST_HEAD, sizeof list.bytes);
    return list;
}

/* ... and nothing of what is known of him. */
static struct list fresh_list(char issuer, int64_t date_s, const char *names, wrn_span chain) {
    return list_of(make(1), issuer, date_s, names, chain);
}

static enum wrn_reason add_at(struct wrn_revoked *revoked, int64_t now_s, const struct list *list,
                              bool *ret_is_new) {
    return wrn_revoked_add(revoked, now_s, (wrn_span){list->bytes, list->size}, ret_is_new);
}

static enum wrn_reason add(struct wrn_revoked *revoked, const struct list *list) {
    bool is_new;
    return add_at(revoked, NOW, list, &is_new);
}

static bool is_revoked(const struct wrn_revoked *revoked, char name, char cert_issuer) {
    uint8_t hash[WRN_SHA256_SIZE], issuer[WRN_SIGN_PUBLIC_SIZE], by[WRN_SIGN_PUBLIC_SIZE];
    hash_of((uint8_t)name, hash);
    chain_public(cert_issuer, issuer);
    return wrn_revoked_has(revoked, hash, issuer, by);
}

static void who_may_take_back_what(void **state) {
    (void)state;
    struct list owner = fresh_list('O', NOW, "1", none);
    struct list admin = fresh_list('A', NOW, "2", chain_to('A', "(admin)", NULL));
    struct list inviter = fresh_list('I', NOW, "3", chain_to('I', "(invite)", NULL));
    uint64_t version = wrn_revoked_version(stores[0]);
    assert_int_equal(add(stores[0], &owner), WRN_REASON_NONE);
    assert_int_equal(add(stores[0], &admin), WRN_REASON_NONE);
    assert_int_equal(add(stores[0], &inviter), WRN_REASON_NONE);
    assert_true(wrn_revoked_version(stores[0]) > version);
    for (const char *issuer = "OAIX"; *issuer != '\0'; issuer++) {
        assert_true(is_revoked(stores[0], '1', *issuer));
        assert_true(is_revoked(stores[0], '2', *issuer));
        assert_true(is_revoked(stores[0], '3', *issuer) == (*issuer == 'I'));
        assert_false(is_revoked(stores[0], '4', *issuer));
    }
}

static void who_may_have_none(void **state) {
    (void)state;
    static const struct {
        const char *element, *not_after;
        enum wrn_reason reason;
    } cases[] = {
        {"(member)", NULL, WRN_REASON_NOT_ADMITTED},
        {"(invite (* range numeric (le '9')))", NULL, WRN_REASON_NOT_ADMITTED},
        {"(invite)", NULL, WRN_REASON_NONE},
        {"(admin)", "2026-11-01_00:00:00", WRN_REASON_NOT_ADMITTED},
        {"(* set (invite) (admin))", "2036-11-01_00:00:00", WRN_REASON_NONE},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct list list =
            fresh_list('A', NOW, "1", chain_to('A', cases[i].element, cases[i].not_after));
        enum wrn_reason reason = add(make(0), &list);
        CHECK(reason == cases[i].reason, "%s: %s: ", cases[i].element, wrn_reason_name(reason));
        assert_true(is_revoked(stores[0], '1', 'A') == (reason == WRN_REASON_NONE));
    }
    struct list alone = fresh_list('A', NOW, "1", none);
    assert_int_equal(add(make(0), &alone), WRN_REASON_NOT_ADMITTED);
    struct list others = fresh_list('A', NOW, "1", chain_to('B', "(admin)", NULL));
    assert_int_equal(add(stores[0], &others), WRN_REASON_NOT_ADMITTED);
}

static void newer_ones_take_the_place_of_older_ones(void **state) {
    (void)state;
    bool is_new;
    struct list first = fresh_list('O', NOW, "1", none);
    assert_int_equal(add_at(stores[0], NOW, &first, &is_new), WRN_REASON_NONE);
    assert_true(is_new);
    assert_int_equal(add_at(stores[0], NOW, &first, &is_new), WRN_REASON_NONE);
    assert_false(is_new);
    struct list second = list_of(stores[0], 'O', NOW, "2", none); /* dated a second later */
    assert_int_equal(add_at(stores[0], NOW, &second, &is_new), WRN_REASON_NONE);
    assert_true(is_new && is_revoked(stores[0], '1', 'X') && is_revoked(stores[0], '2', 'X'));
    assert_int_equal(add_at(stores[0], NOW, &first, &is_new), WRN_REASON_STALE);
    uint32_t cursor = 0;
    assert_int_equal(wrn_revoked_next(stores[0], &cursor).size, second.size);
    assert_int_equal(wrn_revoked_next(stores[0], &cursor).size, 0);
    assert_int_equal(wrn_revoked_count(stores[0], WRN_REVOKED_COUNT_NAMED_LESS), 0);
}

static void what_is_left_out_stays_revoked(void **state) {
    (void)state;
    struct list first = fresh_list('O', NOW, "123", none);
    struct list second = fresh_list('O', NOW + 1, "4", none);
    struct list third = fresh_list('O', NOW + 2, "5", none);
    struct list whole = fresh_list('O', NOW + 3, "12345", none);
    assert_int_equal(add(stores[0], &first), WRN_REASON_NONE);
    assert_int_equal(add(stores[0], &second), WRN_REASON_NONE);
    assert_int_equal(wrn_revoked_count(stores[0], WRN_REVOKED_COUNT_NAMED_LESS), 1);
    assert_true(is_revoked(stores[0], '1', 'X') && is_revoked(stores[0], '4', 'X'));
    assert_int_equal(add(stores[0], &third), WRN_REASON_NONE); /* the longest stays */
    assert_true(is_revoked(stores[0], '1', 'X') && is_revoked(stores[0], '5', 'X'));
    assert_int_equal(add(stores[0], &whole), WRN_REASON_NONE);
    uint32_t cursor = 0;
    assert_int_equal(wrn_revoked_next(stores[0], &cursor).size, whole.size);
    assert_int_equal(wrn_revoked_next(stores[0], &cursor).size, 0);
}

static void clocks_may_be_a_day_ahead(void **state) {
    (void)state;
    bool is_new;
    struct list list = fresh_list('O', NOW, "1", none);
    assert_int_equal(add_at(stores[0], NOW - WRN_REVOKED_AHEAD_MAX_S - 1, &list, &is_new),
                     WRN_REASON_NOT_YET);
    assert_int_equal(add_at(stores[0], NOW - WRN_REVOKED_AHEAD_MAX_S, &list, &is_new),
                     WRN_REASON_NONE);
    assert_true(is_revoked(stores[0], '1', 'X')); /* at once */
    struct list next = list_of(stores[0], 'O', NOW - 1000, "2", none);
    assert_int_equal(add_at(stores[0], NOW, &next, &is_new), WRN_REASON_NONE);
    assert_true(is_new);
}

/* An admin's word is worth nothing once the owner, or who made him one, has taken that back. */
static void thieves_lose_their_word(void **state) {
    (void)state;
    uint8_t hash[WRN_SHA256_SIZE], seed[WRN_SEED_SIZE];
    wrn_span chain = chain_to('A', "(admin)", NULL);
    struct list thief = fresh_list('A', NOW, "1", chain), owner;
    chain_hash(0, hash);
    chain_seed('O', seed);
    owner.size =
        wrn_revoked_write(make(1), seed, NOW, hash, 1, none, owner.bytes, sizeof owner.bytes);
    for (int order = 0; order < 2; order++) {
        struct wrn_revoked *revoked = make(0);
        assert_int_equal(add(revoked, order == 0 ? &thief : &owner), WRN_REASON_NONE);
        assert_true(is_revoked(revoked, '1', 'X') == (order == 0));
        assert_int_equal(add(revoked, order == 0 ? &owner : &thief), WRN_REASON_NONE);
        assert_false(is_revoked(revoked, '1', 'X'));
        assert_true(is_revoked(revoked, '1', 'A')); /* what he issued himself */
    }
    struct list invited = fresh_list('A', NOW, "1", chain_to('A', "(invite)", NULL));
    bool is_new;
    make(0); /* the thief's chain, behind one that is good and gives less */
    assert_int_equal(add(stores[0], &owner), WRN_REASON_NONE);
    assert_int_equal(add(stores[0], &invited), WRN_REASON_NONE);
    assert_int_equal(add_at(stores[0], NOW, &thief, &is_new), WRN_REASON_NONE);
    assert_true(!is_new && !is_revoked(stores[0], '1', 'X'));
    struct list other = fresh_list('A', NOW, "1", chain_to('A', "(* set (admin) (relay))", NULL));
    assert_int_equal(add_at(stores[0], NOW, &other, &is_new), WRN_REASON_NONE);
    assert_true(is_new && is_revoked(stores[0], '1', 'X')); /* made an admin again */
}

/* A chain is not signed with the list: one that proves little must not stand in the way. */
static void the_better_chain_counts(void **state) {
    (void)state;
    bool is_new;
    uint8_t bytes[1024];
    wrn_span chain = chain_to('A', "(invite)", NULL);
    struct list little = fresh_list('A', NOW, "1", chain);
    chain = chain_to('A', "(admin)", NULL);
    struct list much = little;
    much.size = WRN_REVOKED_LIST_HEAD + 32 + chain.size;
    memcpy(much.bytes + WRN_REVOKED_LIST_HEAD + 32, chain.data, chain.size);
    assert_int_equal(add(stores[0], &little), WRN_REASON_NONE);
    assert_false(is_revoked(stores[0], '1', 'X'));
    uint32_t cursor = 0;
    size_t size = wrn_revoked_offer(stores[0], &cursor, bytes, sizeof bytes);
    make(1);
    assert_int_equal(add(stores[1], &much), WRN_REASON_NONE);
    cursor = 0;
    assert_int_equal(wrn_revoked_next_for(stores[1], (wrn_span){bytes, size}, &cursor).size,
                     much.size); /* peers see the difference */
    cursor = 0;
    size = wrn_revoked_offer(stores[1], &cursor, bytes, sizeof bytes);
    assert_true(wrn_revoked_lacks(stores[0], (wrn_span){bytes, size}));
    assert_int_equal(add_at(stores[0], NOW, &much, &is_new), WRN_REASON_NONE);
    assert_true(is_new && is_revoked(stores[0], '1', 'X'));
    assert_int_equal(add_at(stores[0], NOW, &little, &is_new), WRN_REASON_NONE);
    assert_true(!is_new && is_revoked(stores[0], '1', 'X'));
}

static void changed_bytes_are_refused(void **state) {
    (void)state;
    struct list list = fresh_list('A', NOW, "12", chain_to('A', "(admin)", NULL));
    struct list owners = fresh_list('O', NOW, "12", none);
    for (size_t at = 0; at < list.size; at++) {
        struct list other = list;
        bool is_new;
        other.bytes[at] ^= 0x20;
        CHECK(add_at(stores[0], NOW, &other, &is_new) != WRN_REASON_NONE, "byte %zu: ", at);
        other = list;
        other.size = at;
        CHECK(add_at(stores[0], NOW, &other, &is_new) != WRN_REASON_NONE, "%zu bytes: ", at);
        if (at < owners.size) {
            other = owners;
            other.bytes[at] ^= 0x20;
            CHECK(add_at(stores[0], NOW, &other, &is_new) != WRN_REASON_NONE, "byte %zu: ", at);
        }
    }
    assert_false(is_revoked(stores[0], '1', 'A'));
    assert_int_equal(wrn_revoked_version(stores[0]), 1);
    struct list swapped = owners; /* descending, and twice */
    memcpy(swapped.bytes + 107, owners.bytes + 139, 32);
    assert_int_equal(add(stores[0], &swapped), WRN_REASON_MALFORMED);
    memcpy(swapped.bytes + 139, owners.bytes + 107, 32);
    assert_int_equal(add(stores[0], &swapped), WRN_REASON_MALFORMED);
    assert_int_equal(add(stores[0], &owners), WRN_REASON_NONE);
}

static void the_largest(void **state) {
    (void)state;
    static uint8_t hashes[WRN_REVOKED_HASHES_MAX + 1][WRN_SHA256_SIZE];
    uint8_t seed[WRN_SEED_SIZE];
    struct list list;
    chain_seed('O', seed);
    for (size_t i = 0; i < WRN_COUNT(hashes); i++) {
        hashes[WRN_COUNT(hashes) - 1 - i][0] = (uint8_t)i;
        hashes[WRN_COUNT(hashes) - 1 - i][1] = (uint8_t)(i >> 8);
    }
    list.size = wrn_revoked_write(stores[0], seed, NOW, hashes[0], WRN_REVOKED_HASHES_MAX, none,
                                  list.bytes, sizeof list.bytes);
    assert_int_equal(list.size, WRN_REVOKED_LIST_HEAD + 32 * WRN_REVOKED_HASHES_MAX);
    assert_int_equal(add(stores[0], &list), WRN_REASON_NONE);
    assert_int_equal(wrn_revoked_write(stores[0], seed, NOW, hashes[0], WRN_COUNT(hashes), none,
                                       list.bytes, sizeof list.bytes),
                     0);
    assert_int_equal(wrn_revoked_write(stores[0], seed, NOW, hashes[0], 1, none, list.bytes, 200),
                     0);
}

/* Whoever is first: the same lists give the same answers, the same digest, the same disk. */
static void order_does_not_matter(void **state) {
    (void)state;
    struct list lists[6];
    uint8_t digest[WRN_SHA256_SIZE], first[WRN_SHA256_SIZE];
    static uint8_t disk[BYTES], first_disk[BYTES];
    size_t first_size = 0;
    struct wrn_prng prng;
    lists[0] = fresh_list('O', NOW, "1", none);
    lists[1] = fresh_list('O', NOW + 1, "123", none);
    lists[2] = fresh_list('A', NOW, "4", chain_to('A', "(admin)", NULL));
    lists[3] = fresh_list('A', NOW + 5, "45", chain_to('A', "(admin)", NULL));
    lists[4] = fresh_list('I', NOW, "6", chain_to('I', "(invite)", NULL));
    lists[5] = fresh_list('I', NOW + 1, "67", chain_to('I', "(invite)", NULL));
    wrn_prng_init(&prng, check_seed(), 1);
    for (int round = 0; round < 60; round++) {
        struct wrn_revoked *revoked = make(0);
        uint32_t order[] = {0, 1, 2, 3, 4, 5};
        for (uint32_t i = 5; i > 0; i--) {
            uint32_t j = wrn_rand_below(wrn_prng_rand(&prng), i + 1), kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
        for (size_t i = 0; i < 6; i++) {
            (void)add(revoked, &lists[order[i]]);
        }
        wrn_revoked_digest(revoked, digest);
        if (round == 0) {
            memcpy(first, digest, sizeof first);
        }
        assert_memory_equal(digest, first, sizeof digest);
        assert_true(is_revoked(revoked, '3', 'X') && is_revoked(revoked, '5', 'X'));
        size_t size = wrn_revoked_save(revoked, disk, sizeof disk);
        assert_int_equal(size, wrn_revoked_save_size(revoked));
        if (first_size == 0) {
            first_size = size;
            memcpy(first_disk, disk, size);
        }
        assert_int_equal(size, first_size);
        assert_memory_equal(disk, first_disk, size);
    }
}

static void the_disk_gives_back_all(void **state) {
    (void)state;
    static uint8_t disk[BYTES], again[BYTES];
    struct list lists[4];
    lists[0] = fresh_list('O', NOW, "123", none);
    lists[1] = fresh_list('O', NOW + 1, "4", none); /* names less */
    lists[2] = fresh_list('A', NOW, "5", chain_to('A', "(admin)", NULL));
    lists[3] = fresh_list('I', NOW, "6", chain_to('I', "(invite)", NULL));
    for (size_t i = 0; i < WRN_COUNT(lists); i++) {
        assert_int_equal(add(stores[0], &lists[i]), WRN_REASON_NONE);
    }
    size_t size = wrn_revoked_save(stores[0], disk, sizeof disk);
    assert_int_equal(wrn_revoked_save(stores[0], again, size - 1), 0);
    assert_int_equal(wrn_revoked_restore(make(1), (wrn_span){disk, size}), WRN_REASON_NONE);
    assert_int_equal(wrn_revoked_save(stores[1], again, sizeof again), size);
    assert_memory_equal(disk, again, size);
    for (const char *name = "12345"; *name != '\0'; name++) {
        assert_true(is_revoked(stores[1], *name, 'X'));
    }
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_not_equal(wrn_revoked_restore(make(1), (wrn_span){disk, cut}), WRN_REASON_NONE);
    }
    disk[40] ^= 1;
    assert_int_not_equal(wrn_revoked_restore(make(1), (wrn_span){disk, size}), WRN_REASON_NONE);
}

/* Gives to 'to' what an offer of it lacks. Returns how many lists. */
static size_t give(const struct wrn_revoked *from, struct wrn_revoked *to, size_t capacity) {
    uint8_t offer[512];
    size_t given = 0, size;
    uint32_t offers = 0;
    while ((size = wrn_revoked_offer(to, &offers, offer, capacity)) > 0) {
        uint32_t cursor = 0;
        wrn_span list;
        assert_true(size <= capacity);
        while ((list = wrn_revoked_next_for(from, (wrn_span){offer, size}, &cursor)).size > 0) {
            bool is_new;
            assert_int_equal(wrn_revoked_add(to, NOW, list, &is_new), WRN_REASON_NONE);
            assert_true(is_new);
            given++;
        }
    }
    return given;
}

static void peers_come_to_have_the_same(void **state) {
    (void)state;
    struct list lists[7];
    uint8_t digests[2][WRN_SHA256_SIZE], offer[512];
    for (size_t i = 0; i < WRN_COUNT(lists); i++) {
        char issuer = (char)('a' + i);
        lists[i] = fresh_list(issuer, NOW + (int64_t)i, "1", chain_to(issuer, "(admin)", NULL));
    }
    for (size_t capacity = 128; capacity <= 512; capacity += 96) {
        make(0);
        make(1);
        for (size_t i = 0; i < 5; i++) {
            assert_int_equal(add(stores[0], &lists[i]), WRN_REASON_NONE);
            assert_int_equal(add(stores[1], &lists[i + 2]), WRN_REASON_NONE);
        }
        struct list newer = list_of(stores[0], 'd', NOW + 9, "2", chain_to('d', "(admin)", NULL));
        assert_int_equal(add(stores[0], &newer), WRN_REASON_NONE);
        uint32_t cursor = 0;
        size_t size = wrn_revoked_offer(stores[0], &cursor, offer, sizeof offer);
        assert_true(wrn_revoked_lacks(stores[1], (wrn_span){offer, size}));
        assert_false(wrn_revoked_lacks(stores[0], (wrn_span){offer, size}));
        assert_int_equal(give(stores[0], stores[1], capacity), 3);
        assert_int_equal(give(stores[1], stores[0], capacity), 2);
        assert_int_equal(give(stores[0], stores[1], capacity), 0);
        wrn_revoked_digest(stores[0], digests[0]);
        wrn_revoked_digest(stores[1], digests[1]);
        assert_memory_equal(digests[0], digests[1], WRN_SHA256_SIZE);
    }
    assert_int_equal(give(stores[0], make(1), 512), 7); /* to one who has nothing */
    uint8_t bad[64] = {1};
    uint32_t cursor = 0;
    for (size_t size = 0; size < sizeof bad; size++) {
        assert_false(size < 33 && wrn_revoked_lacks(stores[0], (wrn_span){bad, size}));
        (void)wrn_revoked_next_for(stores[0], (wrn_span){bad, size}, &cursor);
    }
}

/* Inviters fill their half, and no more; whose word has lapsed gives way; the owner always has
 * room. */
static void nobody_fills_the_room_of_others(void **state) {
    (void)state;
    struct list list;
    struct wrn_revoked *revoked = stores[0];
    uint8_t hash[WRN_SHA256_SIZE], seed[WRN_SEED_SIZE];
    for (char issuer = 'a'; issuer < 'a' + LISTS / 2; issuer++) {
        list = fresh_list(issuer, NOW, "1", chain_to(issuer, "(invite)", NULL));
        assert_int_equal(add(revoked, &list), WRN_REASON_NONE);
    }
    list = fresh_list('i', NOW, "1", chain_to('i', "(invite)", NULL));
    assert_int_equal(add(revoked, &list), WRN_REASON_FULL);
    for (char issuer = 'A'; issuer < 'A' + LISTS / 2; issuer++) {
        list = fresh_list(issuer, NOW, "2", chain_to(issuer, "(admin)", NULL));
        assert_int_equal(add(revoked, &list), WRN_REASON_NONE);
    }
    list = fresh_list('Z', NOW, "2", chain_to('Z', "(admin)", NULL));
    assert_int_equal(add(revoked, &list), WRN_REASON_FULL);
    (void)chain_to('b', "(invite)", NULL);
    chain_hash(0, hash);
    chain_seed('O', seed);
    struct list owner;
    owner.size =
        wrn_revoked_write(make(1), seed, NOW, hash, 1, none, owner.bytes, sizeof owner.bytes);
    assert_int_equal(add(revoked, &owner), WRN_REASON_NONE);
    assert_int_equal(wrn_revoked_count(revoked, WRN_REVOKED_COUNT_GAVE_WAY), 1);
    assert_true(is_revoked(revoked, '2', 'X')); /* all admins are there still */
    unsigned inviters = 0;
    for (char issuer = 'a'; issuer < 'a' + LISTS / 2; issuer++) {
        inviters += is_revoked(revoked, '1', issuer);
    }
    assert_int_equal(inviters, LISTS / 2 - 1);
    if (!is_revoked(revoked, '1', 'b')) {
        return;
    }
    assert_int_equal(add(revoked, &list), WRN_REASON_NONE); /* 'b' goes for 'Z' */
    assert_false(is_revoked(revoked, '1', 'b'));
}

static void an_inviter_may_have_fifty(void **state) {
    (void)state;
    char names[51] = {0};
    for (size_t i = 0; i < 50; i++) {
        names[i] = (char)('0' + i);
    }
    struct list list = fresh_list('I', NOW, names, chain_to('I', "(invite)", NULL));
    assert_true(list.size + sizeof(struct wrn_rights_cert) <= BYTES / 16);
    assert_int_equal(add(stores[0], &list), WRN_REASON_NONE);
}

/* A newer list that finds no room leaves the older one where it is. */
static void no_room_takes_nothing_away(void **state) {
    (void)state;
    static uint8_t hashes[120][WRN_SHA256_SIZE];
    uint8_t seed[WRN_SEED_SIZE];
    struct list list = fresh_list('I', NOW, "1", chain_to('I', "(invite)", NULL));
    assert_int_equal(add(stores[0], &list), WRN_REASON_NONE);
    for (size_t i = 0; i < WRN_COUNT(hashes); i++) {
        hashes[i][0] = (uint8_t)i;
    }
    chain_seed('I', seed);
    list.size = wrn_revoked_write(stores[0], seed, NOW + 1, hashes[0], WRN_COUNT(hashes),
                                  chain_to('I', "(invite)", NULL), list.bytes, sizeof list.bytes);
    assert_true(list.size > BYTES / 16);
    assert_int_equal(add(stores[0], &list), WRN_REASON_FULL);
    assert_true(is_revoked(stores[0], '1', 'I'));
}

static void checks_are_of_arguments_alone(void **state) {
    (void)state;
    uint8_t issuer[WRN_SIGN_PUBLIC_SIZE], other[WRN_SIGN_PUBLIC_SIZE];
    wrn_span chain = chain_to('A', "(admin)", NULL);
    struct list list = fresh_list('A', NOW, "1", none);
    wrn_span bytes = {list.bytes, list.size};
    chain_public('A', issuer);
    chain_public('B', other);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(wrn_revoked_check(stores[0], NOW, issuer, bytes, chain), WRN_REASON_NONE);
        assert_int_equal(wrn_revoked_check(stores[0], NOW, other, bytes, chain),
                         WRN_REASON_NOT_OWNER);
        assert_int_equal(wrn_revoked_check(stores[0], NOW, issuer, bytes, none),
                         WRN_REASON_NOT_ADMITTED);
        assert_int_equal(wrn_revoked_check(stores[0], 0, issuer, bytes, chain), WRN_REASON_NOT_YET);
        list.bytes[50] ^= 1;
        assert_int_equal(wrn_revoked_check(stores[0], NOW, issuer, bytes, chain),
                         WRN_REASON_BAD_SIGNATURE);
        list.bytes[50] ^= 1;
        struct list newer = fresh_list('A', NOW + 7, "12", chain_to('A', "(admin)", NULL));
        assert_int_equal(add(stores[0], &newer), WRN_REASON_NONE);
        chain = chain_to('A', "(admin)", NULL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_may_take_back_what, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_may_have_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(newer_ones_take_the_place_of_older_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_left_out_stays_revoked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(clocks_may_be_a_day_ahead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(thieves_lose_their_word, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_better_chain_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changed_bytes_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_largest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(order_does_not_matter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_disk_gives_back_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(peers_come_to_have_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_fills_the_room_of_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_inviter_may_have_fifty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_room_takes_nothing_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(checks_are_of_arguments_alone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
