/* SPDX-License-Identifier: Apache-2.0 */
/* Directed tests of cryptokey routing. Random comparison with a model: test_allowed_ips_model.c. */
#include "wg/allowed_ips.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/rand.h"

enum { PREFIXES = 64, OWNERS = 16, NOBODY_HERE = -1 };

static _Alignas(64) uint8_t memory[1 << 14];

static void make_table(struct wrn_allowed_ips *ips, uint32_t prefixes_max) {
    memset(memory, 0, sizeof(memory));
    struct wrn_arena arena;
    wrn_arena_init(&arena, memory, sizeof(memory));
    wrn_allowed_ips_init(ips, &arena, prefixes_max, OWNERS);
}

static struct wrn_prefix parse(const char *text) {
    struct wrn_prefix prefix;
    wrn_span span = {(const uint8_t *)text, strlen(text)};
    assert_int_equal(wrn_prefix_parse(span, &prefix), 0);
    return prefix;
}

static int set(struct wrn_allowed_ips *ips, const char *text, uint32_t owner) {
    struct wrn_prefix prefix = parse(text);
    return wrn_allowed_ips_set(ips, &prefix, owner);
}

static bool unset(struct wrn_allowed_ips *ips, const char *text, uint32_t owner) {
    struct wrn_prefix prefix = parse(text);
    return wrn_allowed_ips_unset(ips, &prefix, owner);
}

static int find(const struct wrn_allowed_ips *ips, const char *text) {
    struct wrn_prefix prefix = parse(text);
    uint32_t owner = prefix.ip.family == WRN_FAMILY_IPV4
                         ? wrn_allowed_ips_find4(ips, prefix.ip.bytes)
                         : wrn_allowed_ips_find6(ips, prefix.ip.bytes);
    return owner == WRN_ALLOWED_IPS_NOBODY ? NOBODY_HERE : (int)owner;
}

struct case_ {
    const char *text;
    int owner; /* of a prefix, or the answer for an address */
};

static void assert_finds(const struct wrn_allowed_ips *ips, const struct case_ *cases,
                         size_t count) {
    for (size_t i = 0; i < count; i++) {
        int owner = find(ips, cases[i].text);
        if (owner != cases[i].owner) {
            fail_msg("%s: found %d instead of %d", cases[i].text, owner, cases[i].owner);
        }
    }
}

/* Tells what an owner has, as text with a space behind each prefix. */
static const char *list(const struct wrn_allowed_ips *ips, uint32_t owner) {
    static char text[PREFIXES * WRN_PREFIX_TEXT_SIZE];
    size_t used = 0;
    uint64_t cursor = 0;
    struct wrn_prefix prefix;
    while (wrn_allowed_ips_next(ips, owner, &cursor, &prefix)) {
        assert_true(used + WRN_PREFIX_TEXT_SIZE < sizeof(text));
        used += wrn_prefix_print(&prefix, text + used);
        text[used++] = ' ';
    }
    assert_false(wrn_allowed_ips_next(ips, owner, &cursor, &prefix)); /* the end stays the end */
    text[used] = 0;
    return text;
}

static void assert_empty(const struct wrn_allowed_ips *ips) {
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ips->table[i].prefix_count, 0);
        assert_int_equal(ips->table[i].node_count, 0);
        assert_int_equal(ips->table[i].root, 0);
    }
}

static const struct case_ nested_prefixes[] = {
    {"172.20.0.0/14", 0}, /* four levels inside one another */
    {"172.21.0.0/16", 1},
    {"172.21.9.0/24", 2},
    {"172.21.9.7/32", 3},
    {"198.51.100.0/25", 4}, /* both halves of a network that is not there itself */
    {"198.51.100.128/25", 5},
    {"203.0.113.16/30", 6}, /* neighbours of different lengths */
    {"203.0.113.20/31", 7},
    {"203.0.113.22/32", 8},
    {"0.0.0.0/0", 9},
    {"128.0.0.0/1", 10},
    {"224.0.0.99/3", 11}, /* host bits are cleared when it is read */
    {"::/0", 9},
    {"8000::/1", 10},
    {"fc00::/7", 0},
    {"fd00::/8", 1},
    {"fd07:5::/63", 2}, /* around the middle of the address */
    {"fd07:5::/64", 3},
    {"fd07:5:0:0:8000::/65", 4},
    {"fd07:5::beef/128", 5},
    {"2001:db8::8/127", 6},
    {"2001:db8::a/127", 7},
};

static const struct case_ nested_answers[] = {
    {"172.20.0.0", 0},
    {"172.23.255.255", 0},
    {"172.24.0.0", 10},
    {"172.21.8.255", 1},
    {"172.21.9.0", 2},
    {"172.21.9.6", 2},
    {"172.21.9.7", 3},
    {"172.21.9.8", 2},
    {"172.21.10.0", 1},
    {"198.51.100.127", 4},
    {"198.51.100.128", 5},
    {"198.51.101.0", 10},
    {"203.0.113.15", 10},
    {"203.0.113.19", 6},
    {"203.0.113.20", 7},
    {"203.0.113.21", 7},
    {"203.0.113.22", 8},
    {"203.0.113.23", 10},
    {"0.0.0.0", 9},
    {"127.255.255.255", 9},
    {"128.0.0.0", 10},
    {"223.255.255.255", 10},
    {"255.255.255.255", 11},
    {"::", 9},
    {"7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 9},
    {"8000::", 10},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 10},
    {"fc99::1", 0},
    {"fd99::1", 1},
    {"fe99::1", 10},
    {"fd07:5:0:1:ffff:ffff:ffff:ffff", 2},
    {"fd07:5:0:2::", 1},
    {"fd07:5::1", 3},
    {"fd07:5:0:0:7fff:ffff:ffff:ffff", 3},
    {"fd07:5:0:0:8000::", 4},
    {"fd07:5:0:0:ffff:ffff:ffff:ffff", 4},
    {"fd07:5::beef", 5},
    {"fd07:5::bee0", 3},
    {"2001:db8::7", 9},
    {"2001:db8::9", 6},
    {"2001:db8::b", 7},
    {"2001:db8::c", 9},
};

/* Goal: nested, neighbouring and default prefixes give the longest match. Method: one table with
 * the classic constellations, and addresses at both ends of each prefix. */
static void longest_prefix_wins(void **state) {
    (void)state;
    struct wrn_allowed_ips ips;
    make_table(&ips, PREFIXES);
    for (size_t i = 0; i < WRN_COUNT(nested_prefixes); i++) {
        assert_int_equal(set(&ips, nested_prefixes[i].text, (uint32_t)nested_prefixes[i].owner), 0);
    }
    assert_finds(&ips, nested_answers, WRN_COUNT(nested_answers));
    assert_true(unset(&ips, "0.0.0.0/0", 9));
    assert_true(unset(&ips, "::/0", 9));
    assert_int_equal(find(&ips, "127.255.255.255"), NOBODY_HERE);
    assert_int_equal(find(&ips, "7fff::"), NOBODY_HERE);
    assert_int_equal(find(&ips, "203.0.113.21"), 7);
    for (uint32_t owner = 0; owner < OWNERS; owner++) {
        wrn_allowed_ips_unset_all(&ips, owner);
    }
    assert_empty(&ips);
}

/* Goal: nothing is found in an empty table, and the families do not see each other. */
static void empty_table_and_other_family_find_nobody(void **state) {
    (void)state;
    struct wrn_allowed_ips ips;
    make_table(&ips, PREFIXES);
    assert_int_equal(find(&ips, "0.0.0.0"), NOBODY_HERE);
    assert_int_equal(find(&ips, "::"), NOBODY_HERE);
    assert_string_equal(list(&ips, 0), "");
    assert_false(unset(&ips, "0.0.0.0/0", 0));
    wrn_allowed_ips_unset_all(&ips, 0);
    assert_int_equal(set(&ips, "0.0.0.0/0", 1), 0);
    assert_int_equal(find(&ips, "::"), NOBODY_HERE);
    assert_int_equal(set(&ips, "::/0", 2), 0);
    assert_int_equal(find(&ips, "0.0.0.0"), 1);
    assert_int_equal(find(&ips, "::"), 2);
}

/* Sets every prefix of 'ip', shortest or longest first, each owned by the owner of its length. */
static void nest_all_lengths(struct wrn_allowed_ips *ips, const struct wrn_ip *ip, uint32_t bits,
                             bool upwards) {
    for (uint32_t i = 0; i <= bits; i++) {
        uint32_t length = upwards ? i : bits - i;
        struct wrn_prefix prefix = {*ip, (uint8_t)length};
        for (uint32_t k = length; k < bits; k++) {
            prefix.ip.bytes[k / 8] &= (uint8_t) ~(0x80u >> k % 8);
        }
        assert_int_equal(wrn_allowed_ips_set(ips, &prefix, length), 0);
    }
}

/* Goal: every length of both families is told apart from its neighbours in length.
 * Method: nest all lengths of one address, in both orders; flip a bit to leave a prefix. */
static void every_length_is_told_apart(void **state) {
    (void)state;
    static _Alignas(64) uint8_t room[1 << 16];
    for (uint32_t round = 0; round < 4; round++) {
        bool v4 = round < 2;
        uint32_t bits = v4 ? 32 : 128;
        memset(room, 0, sizeof(room));
        struct wrn_arena arena;
        struct wrn_allowed_ips ips;
        wrn_arena_init(&arena, room, sizeof(room));
        wrn_allowed_ips_init(&ips, &arena, 129, 129);
        struct wrn_ip ip = {.family = v4 ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6};
        memset(ip.bytes, 0xa5, bits / 8);
        nest_all_lengths(&ips, &ip, bits, round % 2 == 0);
        assert_int_equal(ips.table[v4 ? 0 : 1].node_count, bits + 1);
        for (uint32_t length = 0; length <= bits; length++) {
            struct wrn_ip address = ip;
            if (length < bits) {
                address.bytes[length / 8] ^= (uint8_t)(0x80u >> length % 8);
            }
            uint32_t owner = v4 ? wrn_allowed_ips_find4(&ips, address.bytes)
                                : wrn_allowed_ips_find6(&ips, address.bytes);
            assert_int_equal(owner, length);
        }
    }
}

/* Goal: the last writer has the prefix, the one before has it no longer, and neither list nor count
 * is confused by it. */
static void prefix_moves_to_the_last_writer(void **state) {
    (void)state;
    struct wrn_allowed_ips ips;
    make_table(&ips, PREFIXES);
    assert_int_equal(set(&ips, "10.0.0.0/8", 1), 0);
    assert_int_equal(set(&ips, "10.1.0.0/16", 1), 0);
    assert_int_equal(set(&ips, "10.2.0.0/16", 2), 0);
    assert_int_equal(set(&ips, "10.0.0.0/8", 2), 0);
    assert_string_equal(list(&ips, 1), "10.1.0.0/16 ");
    assert_string_equal(list(&ips, 2), "10.2.0.0/16 10.0.0.0/8 ");
    assert_int_equal(ips.table[0].prefix_count, 3);
    assert_int_equal(find(&ips, "10.3.0.1"), 2);
    assert_false(unset(&ips, "10.0.0.0/8", 1)); /* no longer its own */
    assert_int_equal(find(&ips, "10.3.0.1"), 2);
    wrn_allowed_ips_unset_all(&ips, 2);
    assert_int_equal(find(&ips, "10.3.0.1"), NOBODY_HERE);
    assert_int_equal(find(&ips, "10.1.0.1"), 1);
    wrn_allowed_ips_unset_all(&ips, 1);
    assert_empty(&ips);
}

/* Goal: next() yields IPv4 first and each family in the order of giving; removals at the start, in
 * the middle and at the end keep the order; giving again what one has changes nothing. */
static void lists_keep_their_order(void **state) {
    (void)state;
    struct wrn_allowed_ips ips;
    make_table(&ips, PREFIXES);
    static const char *const texts[] = {"fd00::/64",   "10.9.0.0/16", "10.1.0.0/16", "fd00::1/128",
                                        "10.5.0.0/16", "0.0.0.0/0",   "::/0"};
    for (size_t i = 0; i < WRN_COUNT(texts); i++) {
        assert_int_equal(set(&ips, texts[i], 3), 0);
    }
    assert_int_equal(set(&ips, "10.9.0.0/16", 3), 0);
    assert_string_equal(
        list(&ips, 3), "10.9.0.0/16 10.1.0.0/16 10.5.0.0/16 0.0.0.0/0 fd00::/64 fd00::1/128 ::/0 ");
    assert_true(unset(&ips, "10.1.0.0/16", 3)); /* middle */
    assert_true(unset(&ips, "0.0.0.0/0", 3));   /* last */
    assert_true(unset(&ips, "fd00::/64", 3));   /* first */
    assert_string_equal(list(&ips, 3), "10.9.0.0/16 10.5.0.0/16 fd00::1/128 ::/0 ");
    assert_int_equal(set(&ips, "10.1.0.0/16", 3), 0);
    assert_int_equal(set(&ips, "fd00::/64", 3), 0);
    assert_string_equal(list(&ips, 3),
                        "10.9.0.0/16 10.5.0.0/16 10.1.0.0/16 fd00::1/128 ::/0 fd00::/64 ");
    assert_string_equal(list(&ips, 2), "");
}

/* Goal: removal takes away exactly the prefix named, and what it covered falls to the one above. */
static void only_the_exact_prefix_is_removed(void **state) {
    (void)state;
    struct wrn_allowed_ips ips;
    make_table(&ips, PREFIXES);
    assert_int_equal(set(&ips, "10.0.0.0/8", 1), 0);
    assert_int_equal(set(&ips, "10.0.0.0/24", 1), 0);
    assert_int_equal(set(&ips, "10.0.0.128/25", 2), 0);
    assert_int_equal(set(&ips, "10.0.1.0/24", 3), 0); /* makes the branch 10.0.0.0/23 */
    assert_int_equal(ips.table[0].node_count, 5);
    assert_false(unset(&ips, "10.0.0.0/23", 1)); /* a branch is nobody's */
    assert_false(unset(&ips, "10.0.0.0/16", 1));
    assert_false(unset(&ips, "10.0.0.0/25", 1));
    assert_false(unset(&ips, "10.0.0.0/32", 1));
    assert_false(unset(&ips, "10.0.0.0/8", 2));
    assert_int_equal(ips.table[0].prefix_count, 4);
    assert_true(unset(&ips, "10.0.0.0/24", 1));
    assert_int_equal(find(&ips, "10.0.0.1"), 1); /* the /8 */
    assert_int_equal(find(&ips, "10.0.0.129"), 2);
    assert_int_equal(set(&ips, "10.0.0.0/23", 4), 0); /* the branch becomes a prefix */
    assert_int_equal(ips.table[0].node_count, 4);
    assert_int_equal(find(&ips, "10.0.0.1"), 4);
    assert_true(unset(&ips, "10.0.0.0/23", 4)); /* and a branch again */
    assert_int_equal(ips.table[0].node_count, 4);
    assert_true(unset(&ips, "10.0.0.128/25", 2)); /* which nothing needs any more */
    assert_int_equal(ips.table[0].node_count, 2);
    assert_int_equal(find(&ips, "10.0.1.1"), 3);
}

/* Goal: a full table refuses a new prefix, changes nothing, still moves those it has, and each
 * family is counted for itself. */
static void full_table_refuses_and_changes_nothing(void **state) {
    (void)state;
    struct wrn_allowed_ips ips;
    make_table(&ips, 4);
    static const char *const texts[] = {"10.0.0.0/32", "10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32"};
    for (size_t i = 0; i < WRN_COUNT(texts); i++) {
        assert_int_equal(set(&ips, texts[i], 5), 0);
    }
    assert_int_equal(ips.table[0].node_count, 7); /* the most that four can need */
    struct wrn_allowed_ips before = ips;
    assert_int_equal(set(&ips, "10.0.0.4/32", 5), WRN_ERR_FULL);
    assert_int_equal(set(&ips, "10.0.0.0/31", 5), WRN_ERR_FULL); /* exists as a branch */
    assert_int_equal(set(&ips, "0.0.0.0/0", 5), WRN_ERR_FULL);
    assert_memory_equal(&before, &ips, sizeof(ips));
    assert_string_equal(list(&ips, 5), "10.0.0.0/32 10.0.0.1/32 10.0.0.2/32 10.0.0.3/32 ");
    assert_int_equal(find(&ips, "10.0.0.4"), NOBODY_HERE);
    assert_int_equal(set(&ips, "10.0.0.2/32", 6), 0);
    assert_int_equal(set(&ips, "::/0", 6), 0);
    assert_true(unset(&ips, "10.0.0.0/32", 5));
    assert_int_equal(set(&ips, "0.0.0.0/0", 7), -EBUSY); /* lookups may be at the free nodes */
    assert_int_equal(find(&ips, "10.0.0.0"), NOBODY_HERE);
    wrn_allowed_ips_reclaim(&ips);
    assert_int_equal(set(&ips, "0.0.0.0/0", 7), 0);
    assert_int_equal(set(&ips, "10.0.0.0/32", 5), WRN_ERR_FULL);
    assert_int_equal(find(&ips, "10.0.0.0"), 7);
}

static size_t resident_pages(void *start, size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t count = size / page;
    unsigned char *map = malloc(count);
    assert_non_null(map);
    assert_int_equal(mincore(start, size, map), 0);
    size_t resident = 0;
    for (size_t i = 0; i < count; i++) {
        resident += map[i] & 1;
    }
    free(map);
    return resident;
}

/* Goal: a machine made for millions of prefixes and hundreds of thousands of owners costs little
 * memory before they come. Method: the largest table in unreadable memory, so that init may touch
 * nothing; then three prefixes, and the resident pages counted. */
static void unused_room_is_not_touched(void **state) {
    (void)state;
    enum { PREFIXES_MANY = 1 << 24, OWNERS_MANY = 200000, PAGE = 65536 };
    struct wrn_allowed_ips ips;
    struct wrn_arena arena;
    wrn_arena_init(&arena, NULL, 0);
    wrn_allowed_ips_init(&ips, &arena, PREFIXES_MANY, OWNERS_MANY);
    size_t size = wrn_align_up(arena.used, PAGE);
    void *room = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(room != MAP_FAILED);
    (void)madvise(room, size, MADV_NOHUGEPAGE); /* refused where the kernel knows no huge pages */
    wrn_arena_init(&arena, room, size);
    wrn_allowed_ips_init(&ips, &arena, PREFIXES_MANY, OWNERS_MANY);
    assert_int_equal(mprotect(room, size, PROT_READ | PROT_WRITE), 0);
    assert_int_equal(set(&ips, "10.0.0.0/8", OWNERS_MANY - 1), 0);
    assert_int_equal(set(&ips, "11.0.0.0/8", 0), 0);
    assert_int_equal(set(&ips, "fd00::/8", OWNERS_MANY / 2), 0);
    assert_int_equal(find(&ips, "10.1.2.3"), OWNERS_MANY - 1);
    assert_in_range(resident_pages(room, size), 1, 8);
    assert_int_equal(munmap(room, size), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longest_prefix_wins),
        cmocka_unit_test(empty_table_and_other_family_find_nobody),
        cmocka_unit_test(every_length_is_told_apart),
        cmocka_unit_test(prefix_moves_to_the_last_writer),
        cmocka_unit_test(lists_keep_their_order),
        cmocka_unit_test(only_the_exact_prefix_is_removed),
        cmocka_unit_test(full_table_refuses_and_changes_nothing),
        cmocka_unit_test(unused_room_is_not_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
