/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a node stays small, and whoever makes it larger notices. Method: measures what each part
 * takes with the options that a node has by default, prints it, and compares it with a ceiling. */
#include "base/arena.h"
#include "overlay/dht_internal.h"
#include "overlay/overlay_internal.h"
#include "overlay/paths_internal.h"
#include "overlay/relay_state.h"
#include "overlay/ring_internal.h"
#include "overlay/route_internal.h"
#include "unit/base/check.h"

/* Bytes; lower them when a part becomes smaller. */
enum {
    NODE_MAX = 75592,
    OVERLAY_MAX = 3816,
    PEERS_MAX = 14784,
    JOIN_MAX = 2376,
    LINKS_MAX = 4800,
    PATHS_MAX = 13768,
    RELAY_MAX = 5832,
    ROUTE_MAX = 6224,
    RING_MAX = 4472,
    DHT_MAX = 19520,
    PEER_MAX = 328,
    PATHS_PEER_MAX = 240,
    SEARCH_MAX = 376,
    LINK_MAX = 120,
    MATE_MAX = 32,
    RING_PEER_MAX = 44,
    FORWARD_MAX = 40,
    USE_MAX = 296,
    WATCH_MAX = 104,
    KNOWN_MAX = 36,
    ENTRY_MAX = 96,
    PARTNER_MAX = 192,
    REQUEST_MAX = 192,
};

static struct wrn_overlay_options options;

static struct wrn_arena measure(void) {
    struct wrn_arena arena;
    wrn_arena_init(&arena, NULL, 0);
    wrn_arena_pack(&arena);
    return arena;
}

static size_t check_part(const char *name, size_t size, size_t most) {
    print_message("# %-28s %6zu bytes, at most %6zu\n", name, size, most);
    CHECK(size <= most, "%s: ", name);
    return size;
}

/* The parts as a node builds them, by the same functions, which only measure here. */
static void each_part_stays_below_its_ceiling(void **state) {
    (void)state;
    struct wrn_overlay overlay = {0};
    struct wrn_links links = {.capacity = options.peers_max};
    struct wrn_rand rand = {0};
    wrn_mono now = {0};
    size_t sum = check_part("node itself",
                            wrn_align_up(sizeof(struct wrn_overlay), 8) + options.credential_max +
                                WRN_LOCATOR_MAX + WRN_REQUESTS_MAX * sizeof(struct wrn_request),
                            OVERLAY_MAX);
    struct wrn_arena arena = measure();
    wrn_peers_init(&overlay, &arena, options.peers_max);
    sum += check_part("peers", arena.used, PEERS_MAX);
    arena = measure();
    wrn_join_init(&overlay.join, &arena, &options);
    sum += check_part("join", arena.used, JOIN_MAX);
    arena = measure();
    wrn_links_init(&links, &arena, (wrn_id){0}, options.peers_max);
    sum += check_part("links", arena.used, LINKS_MAX);
    arena = measure();
    options.paths.peers_max = options.peers_max;
    wrn_paths_init(&arena, &options.paths, (struct wrn_paths_port){0}, rand);
    sum += check_part("paths", arena.used, PATHS_MAX);
    arena = measure();
    options.relay.peers_max = options.peers_max;
    wrn_relay_init(&arena, &options.relay, &links, (struct wrn_relay_port){0}, rand);
    sum += check_part("relay", arena.used, RELAY_MAX);
    arena = measure();
    wrn_route_init(&arena, &options.route, &links, (struct wrn_route_port){0}, rand);
    sum += check_part("route", arena.used, ROUTE_MAX);
    arena = measure();
    wrn_ring_init(&arena, &options.ring_options, &links, (struct wrn_ring_port){0}, rand, now);
    sum += check_part("ring", arena.used, RING_MAX);
    arena = measure();
    wrn_dht_init(&arena, &options.dht, &links, NULL, (struct wrn_dht_port){0}, rand);
    sum += check_part("dht", arena.used, DHT_MAX);
    assert_int_equal(check_part("node", wrn_overlay_memory_size(&options), NODE_MAX), sum);
}

static void each_table_has_small_lines(void **state) {
    (void)state;
    check_part("a peer", sizeof(struct wrn_overlay_peer), PEER_MAX);
    check_part("a peer: paths", sizeof(struct wrn_paths_peer), PATHS_PEER_MAX);
    check_part("a peer: link", sizeof(struct wrn_link), LINK_MAX);
    check_part("a peer: relay", sizeof(struct mate), MATE_MAX);
    check_part("a peer: ring", sizeof(struct wrn_ring_peer), RING_PEER_MAX);
    check_part("a search for paths", sizeof(struct wrn_paths_search), SEARCH_MAX);
    check_part("a pair that is relayed", sizeof(struct forward), FORWARD_MAX);
    check_part("a relayed peer", sizeof(struct use), USE_MAX);
    check_part("a routed message", sizeof(struct wrn_watch), WATCH_MAX);
    check_part("a place heard of", sizeof(struct wrn_ring_known), KNOWN_MAX);
    check_part("a record, beside its bytes", sizeof(struct wrn_dht_entry), ENTRY_MAX);
    check_part("a holder of copies", sizeof(struct wrn_dht_partner), PARTNER_MAX);
    check_part("a request of the DHT", sizeof(struct wrn_dht_request), REQUEST_MAX);
}

static int set_up(void **state) {
    (void)state;
    wrn_overlay_defaults(&options);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_part_stays_below_its_ceiling, set_up),
        cmocka_unit_test_setup(each_table_has_small_lines, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
