/* SPDX-License-Identifier: Apache-2.0 */
/* Cryptokey routing: a path-compressed binary trie a family. Pure data structure: no clock, no I/O,
 * no allocation after init.
 *
 * A node stands for a prefix. It either has an owner, or it is a branch, and then it has two
 * children: n prefixes never take more than 2n - 1 nodes. A child lies strictly inside its parent's
 * prefix, under child[b] if the first bit behind the parent's prefix is b. Bits behind a node's own
 * prefix are zero.
 *
 *     0.0.0.0/0 (owner 7) --0-- 10.0.0.0/8 (owner 3) --0-- 10.64.0.0/9 (branch) ...
 *
 * Lookups read 'nodes' (16 or 32 bytes each, never across a cache line), changes also 'links'.
 *
 * Lookups may run in other threads while one thread makes changes: a node is complete before one
 * store makes it reachable, its prefix never changes, and one that was taken out keeps its content
 * until wrn_allowed_ips_reclaim. A lookup thus sees the trie as it was before or after each change.
 */
#include "wg/allowed_ips.h"

#include "base/bytes.h"

enum {
    LENGTH_BITS = 8, /* low bits of 'value': prefix length; above: owner + 1, 0 for a branch */
    LENGTH_MASK = (1 << LENGTH_BITS) - 1,
    OWNERS_MAX = (1 << (32 - LENGTH_BITS)) - 2,
    PREFIXES_MAX = 1 << 24,
    TABLE_COUNT = 2,
    NODES_OF_CHANGE = 2,     /* a new prefix takes at most a node and a branch */
    CURSOR_TABLE_SHIFT = 32, /* a cursor is the table and the node that came last */
};

struct node {
    uint32_t child[2];
    uint32_t value;
};

struct node4 {
    struct node head;
    uint32_t bits;
};
static_assert(sizeof(struct node4) == 16, "four IPv4 nodes a cache line");

struct node6 {
    struct node head;
    uint32_t unused;
    uint64_t high;
    uint64_t low;
};
static_assert(sizeof(struct node6) == 32, "two IPv6 nodes a cache line");

/* The way up, and the owner's list: 'next' ends with 0, 'previous' of the first is the last. */
struct wrn_allowed_ips_link {
    uint32_t parent;
    uint32_t next;
    uint32_t previous;
};

/* An address of either family, left-aligned. */
struct key {
    uint64_t high;
    uint64_t low;
};

static struct wrn_allowed_ips_table *table_of(struct wrn_allowed_ips *ips,
                                              const struct wrn_prefix *prefix);
static struct key key_of(const struct wrn_prefix *prefix);
static void print_key(bool v4, struct key key, uint32_t length, struct wrn_prefix *ret_prefix);
static uint32_t common_bits(struct key a, struct key b);
static uint32_t bit_at(struct key key, uint32_t index);
static struct key first_bits(struct key key, uint32_t count);

static struct node *node_at(const struct wrn_allowed_ips_table *table, uint32_t index);
static bool is_v4(const struct wrn_allowed_ips_table *table);
static struct key node_key(const struct wrn_allowed_ips_table *table, uint32_t index);
static uint32_t node_length(const struct wrn_allowed_ips_table *table, uint32_t index);
static uint32_t node_owner(const struct wrn_allowed_ips_table *table, uint32_t index);
static uint32_t take_node(struct wrn_allowed_ips_table *table, struct key key, uint32_t length);
static void retire_node(struct wrn_allowed_ips_table *table, uint32_t index);
static void publish(uint32_t *place, uint32_t value);

static uint32_t descend(const struct wrn_allowed_ips_table *table, struct key key, uint32_t length,
                        uint32_t *ret_parent);
static bool is_node(const struct wrn_allowed_ips_table *table, uint32_t index, struct key key,
                    uint32_t length);
static uint32_t insert(struct wrn_allowed_ips_table *table, struct key key, uint32_t length,
                       uint32_t parent, uint32_t below);
static void hang(struct wrn_allowed_ips_table *table, uint32_t parent, uint32_t index);
static void remove_prefix(struct wrn_allowed_ips_table *table, uint32_t index);
static void splice_out(struct wrn_allowed_ips_table *table, uint32_t index);

static void list_append(struct wrn_allowed_ips_table *table, uint32_t owner, uint32_t index);
static void list_remove(struct wrn_allowed_ips_table *table, uint32_t index);

void wrn_allowed_ips_init(struct wrn_allowed_ips *ips, struct wrn_arena *arena,
                          uint32_t prefixes_max, uint32_t owners_max) {
    static const uint32_t node_shift[TABLE_COUNT] = {4, 5};
    WRN_ASSERT(prefixes_max >= 1 && prefixes_max <= PREFIXES_MAX && owners_max <= OWNERS_MAX);
    *ips = (struct wrn_allowed_ips){.prefixes_max = prefixes_max, .owners_max = owners_max};
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        struct wrn_allowed_ips_table *table = &ips->table[i];
        size_t count = (size_t)prefixes_max * 2; /* 2n - 1 nodes, and index 0 */
        table->node_shift = node_shift[i];
        table->nodes = wrn_arena_take(arena, count, (size_t)1 << table->node_shift);
        table->links = wrn_arena_take(arena, count, sizeof(struct wrn_allowed_ips_link));
        table->owner_head = wrn_arena_take(arena, owners_max, sizeof(uint32_t));
    }
}

int wrn_allowed_ips_set(struct wrn_allowed_ips *ips, const struct wrn_prefix *prefix,
                        uint32_t owner) {
    WRN_ASSERT(owner < ips->owners_max);
    struct wrn_allowed_ips_table *table = table_of(ips, prefix);
    struct key key = key_of(prefix);
    uint32_t length = prefix->length_bits;
    uint32_t parent;
    uint32_t index = descend(table, key, length, &parent);
    bool exists = is_node(table, index, key, length);
    uint32_t old_owner = exists ? node_owner(table, index) : WRN_ALLOWED_IPS_NOBODY;
    if (old_owner == owner) {
        return 0;
    }
    if (old_owner == WRN_ALLOWED_IPS_NOBODY && table->prefix_count == ips->prefixes_max) {
        return WRN_ERR_FULL;
    }
    if (!exists && table->retired_count > 0 &&
        table->node_count + table->retired_count + NODES_OF_CHANGE > 2 * ips->prefixes_max - 1) {
        return -EBUSY;
    }
    if (old_owner != WRN_ALLOWED_IPS_NOBODY) {
        list_remove(table, index);
    } else {
        table->prefix_count++;
    }
    if (!exists) {
        index = insert(table, key, length, parent, index);
    }
    publish(&node_at(table, index)->value, (owner + 1) << LENGTH_BITS | length);
    list_append(table, owner, index);
    return 0;
}

bool wrn_allowed_ips_unset(struct wrn_allowed_ips *ips, const struct wrn_prefix *prefix,
                           uint32_t owner) {
    WRN_ASSERT(owner < ips->owners_max);
    struct wrn_allowed_ips_table *table = table_of(ips, prefix);
    struct key key = key_of(prefix);
    uint32_t parent;
    uint32_t index = descend(table, key, prefix->length_bits, &parent);
    if (!is_node(table, index, key, prefix->length_bits) || node_owner(table, index) != owner) {
        return false;
    }
    remove_prefix(table, index);
    return true;
}

void wrn_allowed_ips_unset_all(struct wrn_allowed_ips *ips, uint32_t owner) {
    WRN_ASSERT(owner < ips->owners_max);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        struct wrn_allowed_ips_table *table = &ips->table[i];
        while (table->owner_head[owner] != 0) {
            remove_prefix(table, table->owner_head[owner]);
        }
    }
}

void wrn_allowed_ips_reclaim(struct wrn_allowed_ips *ips) {
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        struct wrn_allowed_ips_table *table = &ips->table[i];
        while (table->retired_head != 0) {
            uint32_t index = table->retired_head;
            table->retired_head = table->links[index].next;
            table->links[index].next = table->free_head;
            table->free_head = index;
        }
        table->retired_count = 0;
    }
}

bool wrn_allowed_ips_has_retired(const struct wrn_allowed_ips *ips) {
    return ips->table[0].retired_count + ips->table[1].retired_count > 0;
}

/* One shift answers both questions. If the node contains the address, the bits that they have in
 * common fall off and the top bit of what is left, the node's being zero there, picks the child; if
 * not, more than one bit is left. */
uint32_t wrn_allowed_ips_find4(const struct wrn_allowed_ips *ips, const uint8_t address[4]) {
    const struct node4 *nodes = ips->table[0].nodes;
    uint32_t key = wrn_load_be32(address);
    uint32_t best = 0;
    uint32_t index = __atomic_load_n(&ips->table[0].root, __ATOMIC_ACQUIRE);
    while (index != 0) {
        const struct node4 *node = &nodes[index];
        uint32_t value = __atomic_load_n(&node->head.value, __ATOMIC_ACQUIRE);
        uint64_t step = (uint64_t)(key ^ node->bits) << (value & LENGTH_MASK) >> 31;
        if (step > 1) {
            break;
        }
        best = value > LENGTH_MASK ? value : best;
        index = __atomic_load_n(&node->head.child[step], __ATOMIC_ACQUIRE);
    }
    return (best >> LENGTH_BITS) - 1;
}

uint32_t wrn_allowed_ips_find6(const struct wrn_allowed_ips *ips, const uint8_t address[16]) {
    const struct node6 *nodes = ips->table[1].nodes;
    uint64_t key_high = wrn_load_be64(address);
    uint64_t key_low = wrn_load_be64(address + 8);
    uint32_t best = 0;
    uint32_t index = __atomic_load_n(&ips->table[1].root, __ATOMIC_ACQUIRE);
    while (index != 0) {
        const struct node6 *node = &nodes[index];
        uint32_t value = __atomic_load_n(&node->head.value, __ATOMIC_ACQUIRE);
        uint32_t length = value & LENGTH_MASK;
        uint64_t high = key_high ^ node->high;
        uint64_t low = key_low ^ node->low;
        uint64_t step;
        if (length < 64) {
            step = high >> (63 - length);
        } else if (length < 128) {
            step = high != 0 ? 2 : low >> (127 - length);
        } else {
            step = (high | low) != 0 ? 2 : 0;
        }
        if (step > 1) {
            break;
        }
        best = value > LENGTH_MASK ? value : best;
        index = __atomic_load_n(&node->head.child[step], __ATOMIC_ACQUIRE);
    }
    return (best >> LENGTH_BITS) - 1;
}

bool wrn_allowed_ips_next(const struct wrn_allowed_ips *ips, uint32_t owner, uint64_t *cursor,
                          struct wrn_prefix *ret_prefix) {
    WRN_ASSERT(owner < ips->owners_max);
    size_t which = (size_t)(*cursor >> CURSOR_TABLE_SHIFT);
    uint32_t last = (uint32_t)*cursor;
    WRN_ASSERT(which < TABLE_COUNT);
    const struct wrn_allowed_ips_table *table = &ips->table[which];
    uint32_t index = last == 0 ? table->owner_head[owner] : table->links[last].next;
    if (index == 0 && which == 0) {
        which = 1;
        table = &ips->table[which];
        index = table->owner_head[owner];
    }
    if (index == 0) {
        return false;
    }
    *cursor = (uint64_t)which << CURSOR_TABLE_SHIFT | index;
    print_key(which == 0, node_key(table, index), node_length(table, index), ret_prefix);
    return true;
}

/* ---- keys ---- */

static struct wrn_allowed_ips_table *table_of(struct wrn_allowed_ips *ips,
                                              const struct wrn_prefix *prefix) {
    bool v4 = prefix->ip.family == WRN_FAMILY_IPV4;
    WRN_ASSERT(v4 || prefix->ip.family == WRN_FAMILY_IPV6);
    WRN_ASSERT(prefix->length_bits <= (v4 ? 32 : 128));
    return &ips->table[v4 ? 0 : 1];
}

static struct key key_of(const struct wrn_prefix *prefix) {
    struct key key = {wrn_load_be64(prefix->ip.bytes), wrn_load_be64(prefix->ip.bytes + 8)};
    struct key masked = first_bits(key, prefix->length_bits);
    WRN_ASSERT(masked.high == key.high && masked.low == key.low); /* host bits are clear */
    return key;
}

static void print_key(bool v4, struct key key, uint32_t length, struct wrn_prefix *ret_prefix) {
    *ret_prefix = (struct wrn_prefix){
        .ip.family = v4 ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6,
        .length_bits = (uint8_t)length,
    };
    wrn_store_be64(ret_prefix->ip.bytes, key.high);
    wrn_store_be64(ret_prefix->ip.bytes + 8, key.low);
}

static uint32_t common_bits(struct key a, struct key b) {
    uint64_t high = a.high ^ b.high;
    uint64_t low = a.low ^ b.low;
    if (high != 0) {
        return (uint32_t)__builtin_clzll(high);
    }
    return low != 0 ? 64 + (uint32_t)__builtin_clzll(low) : 128;
}

static uint32_t bit_at(struct key key, uint32_t index) {
    return (uint32_t)((index < 64 ? key.high >> (63 - index) : key.low >> (127 - index)) & 1);
}

static struct key first_bits(struct key key, uint32_t count) {
    if (count < 64) {
        return (struct key){count == 0 ? 0 : key.high & UINT64_MAX << (64 - count), 0};
    }
    return (struct key){key.high, count == 64 ? 0 : key.low & UINT64_MAX << (128 - count)};
}

/* ---- nodes ---- */

static struct node *node_at(const struct wrn_allowed_ips_table *table, uint32_t index) {
    return (struct node *)(void *)((uint8_t *)table->nodes + ((size_t)index << table->node_shift));
}

static bool is_v4(const struct wrn_allowed_ips_table *table) {
    return (size_t)1 << table->node_shift == sizeof(struct node4);
}

static struct key node_key(const struct wrn_allowed_ips_table *table, uint32_t index) {
    if (is_v4(table)) {
        const struct node4 *nodes = table->nodes;
        return (struct key){(uint64_t)nodes[index].bits << 32, 0};
    }
    const struct node6 *nodes = table->nodes;
    return (struct key){nodes[index].high, nodes[index].low};
}

static uint32_t node_length(const struct wrn_allowed_ips_table *table, uint32_t index) {
    return node_at(table, index)->value & LENGTH_MASK;
}

/* Returns WRN_ALLOWED_IPS_NOBODY for a branch. */
static uint32_t node_owner(const struct wrn_allowed_ips_table *table, uint32_t index) {
    return (node_at(table, index)->value >> LENGTH_BITS) - 1;
}

/* Takes a node without owner, children or parent. There is one: prefixes_max sees to it. */
static uint32_t take_node(struct wrn_allowed_ips_table *table, struct key key, uint32_t length) {
    uint32_t index = table->free_head;
    if (index != 0) {
        table->free_head = table->links[index].next;
    } else {
        index = ++table->touched;
    }
    table->node_count++;
    if (is_v4(table)) {
        struct node4 *nodes = table->nodes;
        nodes[index] = (struct node4){.head.value = length, .bits = (uint32_t)(key.high >> 32)};
    } else {
        struct node6 *nodes = table->nodes;
        nodes[index] = (struct node6){.head.value = length, .high = key.high, .low = key.low};
    }
    table->links[index] = (struct wrn_allowed_ips_link){0};
    return index;
}

/* Lookups may stand on it: its content stays, and the chain goes through 'links'. */
static void retire_node(struct wrn_allowed_ips_table *table, uint32_t index) {
    table->links[index] = (struct wrn_allowed_ips_link){.next = table->retired_head};
    table->retired_head = index;
    table->retired_count++;
    table->node_count--;
}

/* A store that makes what was written before visible to lookups. */
static void publish(uint32_t *place, uint32_t value) {
    __atomic_store_n(place, value, __ATOMIC_RELEASE);
}

/* ---- the trie ---- */

/* Walks down as long as the nodes contain the prefix strictly. Returns the first node that does
 * not, or 0, and the last one that does, or 0. */
static uint32_t descend(const struct wrn_allowed_ips_table *table, struct key key, uint32_t length,
                        uint32_t *ret_parent) {
    uint32_t parent = 0;
    uint32_t index = table->root;
    while (index != 0) {
        uint32_t above = node_length(table, index);
        if (above >= length || common_bits(key, node_key(table, index)) < above) {
            break;
        }
        parent = index;
        index = node_at(table, index)->child[bit_at(key, above)];
    }
    *ret_parent = parent;
    return index;
}

static bool is_node(const struct wrn_allowed_ips_table *table, uint32_t index, struct key key,
                    uint32_t length) {
    return index != 0 && node_length(table, index) == length &&
           common_bits(key, node_key(table, index)) >= length;
}

/* Puts a new node between 'parent' (or 0) and 'below' (or 0), as found by descend, and returns it:
 *
 *     parent        parent         parent
 *       |             |              |
 *      new           new           branch
 *                     |            /    \
 *                   below        new   below      */
static uint32_t insert(struct wrn_allowed_ips_table *table, struct key key, uint32_t length,
                       uint32_t parent, uint32_t below) {
    uint32_t index = take_node(table, key, length);
    uint32_t shared = below == 0 ? length : common_bits(key, node_key(table, below));
    if (shared < length) { /* the branch is whole before anything leads to it */
        uint32_t branch = take_node(table, first_bits(key, shared), shared);
        hang(table, branch, below);
        hang(table, branch, index);
        hang(table, parent, branch);
        return index;
    }
    if (below != 0) {
        hang(table, index, below);
    }
    hang(table, parent, index);
    return index;
}

/* Makes a node the child of 'parent', or the root if that is 0. */
static void hang(struct wrn_allowed_ips_table *table, uint32_t parent, uint32_t index) {
    table->links[index].parent = parent;
    if (parent == 0) {
        publish(&table->root, index);
    } else {
        uint32_t side = bit_at(node_key(table, index), node_length(table, parent));
        publish(&node_at(table, parent)->child[side], index);
    }
}

/* Takes a node's owner away, then every node that has no more reason to be: itself unless it
 * branches, and a parent that branched only because of it. */
static void remove_prefix(struct wrn_allowed_ips_table *table, uint32_t index) {
    list_remove(table, index);
    table->prefix_count--;
    struct node *node = node_at(table, index);
    publish(&node->value, node->value & LENGTH_MASK);
    if (node->child[0] != 0 && node->child[1] != 0) {
        return;
    }
    uint32_t parent = table->links[index].parent;
    bool was_leaf = node->child[0] == 0 && node->child[1] == 0;
    splice_out(table, index);
    if (was_leaf && parent != 0 && node_owner(table, parent) == WRN_ALLOWED_IPS_NOBODY) {
        splice_out(table, parent);
    }
}

/* Frees a node with at most one child, which takes its place. */
static void splice_out(struct wrn_allowed_ips_table *table, uint32_t index) {
    const struct node *node = node_at(table, index);
    uint32_t child = node->child[0] != 0 ? node->child[0] : node->child[1];
    uint32_t parent = table->links[index].parent;
    if (child != 0) {
        hang(table, parent, child);
    } else if (parent == 0) {
        publish(&table->root, 0);
    } else {
        uint32_t side = bit_at(node_key(table, index), node_length(table, parent));
        publish(&node_at(table, parent)->child[side], 0);
    }
    retire_node(table, index);
}

/* ---- an owner's list ---- */

static void list_append(struct wrn_allowed_ips_table *table, uint32_t owner, uint32_t index) {
    struct wrn_allowed_ips_link *links = table->links;
    uint32_t head = table->owner_head[owner];
    links[index].next = 0;
    if (head == 0) {
        table->owner_head[owner] = index;
        links[index].previous = index;
        return;
    }
    uint32_t tail = links[head].previous;
    links[tail].next = index;
    links[index].previous = tail;
    links[head].previous = index;
}

static void list_remove(struct wrn_allowed_ips_table *table, uint32_t index) {
    struct wrn_allowed_ips_link *links = table->links;
    uint32_t *head = &table->owner_head[node_owner(table, index)];
    uint32_t next = links[index].next;
    uint32_t previous = links[index].previous;
    if (*head == index) {
        *head = next;
    } else {
        links[previous].next = next;
    }
    if (next != 0) {
        links[next].previous = previous;
    } else if (*head != 0) {
        links[*head].previous = previous; /* the last was removed */
    }
}
