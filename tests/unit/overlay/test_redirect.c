/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a node without room names addresses that anybody reaches, and no others; what a stranger
 * reads there is a hint, however it was made. Method: a node between others without and with NAT,
 * and lists of addresses, right, broken and at random. */
#include "base/wire.h"
#include "overlay/overlay_internal.h"
#include "unit/base/check.h"
#include "unit/overlay/mesh.h"

enum { NODES = 8, LIST_MAX = 1 + WRN_REDIRECTS_MAX * 19 };

static struct mesh *mesh;
static struct wrn_overlay *overlay;

static int begin(void **state) {
    (void)state;
    mesh = mesh_create(check_seed());
    for (uint32_t i = 0; i < NODES; i++) {
        struct wrn_overlay_options options = mesh_options(mesh);
        mesh_start(mesh, mesh_add(mesh, &options), i == 0 ? UINT32_MAX : 0);
    }
    assert_true(mesh_run_until(mesh, mesh_is_ring, 60000));
    overlay = mesh_node(mesh, 0)->overlay;
    return 0;
}

static int end(void **state) {
    (void)state;
    mesh_destroy(mesh);
    return 0;
}

/* Says what NAT all peers have, and which of them has none. */
static void set_classes(wrn_handle open) {
    for (uint32_t i = 0; i < overlay->links.count; i++) {
        struct wrn_overlay_peer *peer = wrn_peers_get(overlay, overlay->links.links[i].peer);
        bool is_open = wrn_handle_equal(peer->handle, open) || open.generation == 0;
        peer->nat_class = (is_open ? WRN_NAT_CLASS_NONE : WRN_NAT_CLASS_ENDPOINT_INDEPENDENT) & 15u;
    }
}

static wrn_span write_list(const struct wrn_endpoint *asker, uint8_t out[LIST_MAX]) {
    struct wrn_writer writer = wrn_writer(out, LIST_MAX);
    wrn_redirect_write(overlay, asker, &writer);
    assert_false(writer.failed);
    return wrn_written(&writer);
}

static bool read_list(wrn_span list, struct wrn_endpoint *ret_chosen) {
    struct wrn_reader reader = wrn_reader(list);
    return wrn_redirect_read(overlay, &reader, ret_chosen);
}

static bool is_of_a_peer(const struct wrn_endpoint *at) {
    bool found = false;
    for (uint32_t i = 1; i < NODES; i++) {
        found = found || wrn_endpoint_equal(&mesh_node(mesh, i)->at, at);
    }
    return found;
}

/* Four at most, each once and of a peer, and whoever reads them takes each as likely. */
static void names_those_whom_anybody_reaches(void **state) {
    (void)state;
    uint8_t bytes[LIST_MAX];
    struct wrn_endpoint asker = mesh_node(mesh, 1)->at;
    struct wrn_endpoint chosen;
    uint32_t times[NODES] = {0};
    set_classes(WRN_HANDLE_NONE);
    for (uint32_t turn = 0; turn < 400; turn++) {
        wrn_span list = write_list(&asker, bytes);
        assert_int_equal(list.data[0], WRN_REDIRECTS_MAX);
        assert_true(read_list(list, &chosen));
        assert_true(is_of_a_peer(&chosen));
        for (uint32_t i = 0; i < NODES; i++) {
            times[i] += wrn_endpoint_equal(&mesh_node(mesh, i)->at, &chosen);
        }
    }
    assert_int_equal(times[0], 0); /* itself */
    for (uint32_t i = 1; i < NODES; i++) {
        const struct wrn_link *link = wrn_links_at(&overlay->links, mesh_node(mesh, i)->id);
        bool is_named = link && wrn_link_is_of_ring(link);
        CHECK(is_named ? times[i] > 10 : times[i] == 0, "node %u, %u times: ", i, times[i]);
    }
}

/* Not one behind a NAT, of the other family, or on a network of ours that the asker is not on. */
static void names_nobody_else(void **state) {
    (void)state;
    uint8_t bytes[LIST_MAX];
    struct wrn_endpoint asker = mesh_node(mesh, 1)->at, chosen;
    wrn_handle open = overlay->links.links[2].peer;
    struct wrn_endpoint at = wrn_paths_way(overlay->paths, open)->remote;
    set_classes(open);
    wrn_span list = write_list(&asker, bytes);
    assert_int_equal(list.data[0], 1);
    assert_true(read_list(list, &chosen));
    assert_true(wrn_endpoint_equal(&chosen, &at));

    asker.ip.family = asker.ip.family == WRN_FAMILY_IPV4 ? WRN_FAMILY_IPV6 : WRN_FAMILY_IPV4;
    list = write_list(&asker, bytes);
    assert_int_equal(list.size, 1);
    assert_int_equal(list.data[0], 0);
    assert_true(read_list(list, &chosen));
    assert_int_equal(chosen.ip.family, WRN_FAMILY_NONE);

    /* A link that carries a newcomer is not named: it may not be on the ring itself. */
    asker = mesh_node(mesh, 1)->at;
    struct wrn_link *link = wrn_links_of(&overlay->links, open);
    struct wrn_link before = *link;
    link->mine = 0;
    link->theirs = WRN_LINK_LEAF;
    assert_int_equal(write_list(&asker, bytes).data[0], 0);
    *link = before;
}

/* One byte too few or too many, too many entries, families that do not exist: refused as a whole.
 * An address that must not be asked is passed over. */
static void takes_only_what_is_right(void **state) {
    (void)state;
    uint8_t bytes[LIST_MAX + 32];
    struct wrn_endpoint asker = mesh_node(mesh, 1)->at, chosen;
    set_classes(WRN_HANDLE_NONE);
    wrn_span list = write_list(&asker, bytes);
    for (size_t size = 0; size < list.size; size++) {
        assert_false(read_list((wrn_span){bytes, size}, &chosen));
    }
    bytes[list.size] = 0;
    assert_false(read_list((wrn_span){bytes, list.size + 1}, &chosen));
    bytes[1] = 5;
    assert_false(read_list(list, &chosen));

    struct wrn_writer writer = wrn_writer(bytes, sizeof(bytes));
    wrn_write_u8(&writer, WRN_REDIRECTS_MAX + 1);
    for (uint32_t i = 0; i < WRN_REDIRECTS_MAX + 1; i++) {
        wrn_write_u8(&writer, WRN_FAMILY_IPV4);
        wrn_write_u16(&writer, 4100);
        wrn_write_u32(&writer, 0x0b000001 + i);
    }
    assert_false(read_list(wrn_written(&writer), &chosen));

    static const uint32_t bad[] = {0, 0xe0000001, 0xffffffff, 0x7f000001};
    writer = wrn_writer(bytes, sizeof(bytes));
    wrn_write_u8(&writer, WRN_COUNT(bad));
    for (size_t i = 0; i < WRN_COUNT(bad); i++) {
        wrn_write_u8(&writer, WRN_FAMILY_IPV4);
        wrn_write_u16(&writer, 4100);
        wrn_write_u32(&writer, bad[i]);
    }
    assert_true(read_list(wrn_written(&writer), &chosen));
    assert_int_equal(chosen.ip.family, WRN_FAMILY_NONE);
}

static void any_bytes_are_harmless(void **state) {
    (void)state;
    uint8_t bytes[LIST_MAX];
    struct wrn_prng prng;
    struct wrn_endpoint chosen;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (uint32_t turn = 0; turn < 20000; turn++) {
        wrn_rand_fill(rand, bytes, sizeof(bytes));
        bytes[0] %= WRN_REDIRECTS_MAX + 2;
        bytes[1] = turn % 4 == 0 ? bytes[1] : turn % 2 == 0 ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6;
        size_t size = wrn_rand_below(rand, sizeof(bytes) + 1);
        if (read_list((wrn_span){bytes, size}, &chosen) && chosen.ip.family != WRN_FAMILY_NONE) {
            assert_true(wrn_paths_may_probe(overlay->paths, &chosen));
        }
    }
}

/* A node whose only source is full comes in by another one that it is told of, and asks six of them
 * at most between two rounds. */
static void a_newcomer_follows_a_bounded_number(void **state) {
    (void)state;
    struct wrn_overlay_options options = mesh_options(mesh);
    uint32_t comer = mesh_add(mesh, &options);
    mesh_start(mesh, comer, UINT32_MAX); /* it knows nobody */
    struct wrn_overlay *new = mesh_node(mesh, comer)->overlay;
    uint64_t sent = mesh_node(mesh, comer)->sent;
    struct wrn_endpoint nobody = mesh_node(mesh, 1)->at;
    nobody.port = 9;
    for (uint32_t i = 0; i < 20; i++) {
        wrn_overlay_begin(new, mesh_now(mesh, comer), mesh_out(mesh));
        wrn_join_on_redirect(new, &nobody);
        wrn_overlay_end(new);
        mesh_perform(mesh, comer);
        mesh_run(mesh, 20);
    }
    assert_in_range(new->join.redirects, 1, 6);
    mesh_run(mesh, 60000);
    CHECK(mesh_node(mesh, comer)->sent - sent < 60,
          "%u sent: ", (unsigned)(mesh_node(mesh, comer)->sent - sent));
    struct wrn_endpoint there = mesh_node(mesh, 3)->at;
    new->join.redirects = 0;
    wrn_overlay_begin(new, mesh_now(mesh, comer), mesh_out(mesh));
    wrn_join_on_redirect(new, &there);
    wrn_overlay_end(new);
    mesh_perform(mesh, comer);
    assert_true(mesh_run_until(mesh, mesh_is_ring, 60000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_those_whom_anybody_reaches, begin, end),
        cmocka_unit_test_setup_teardown(names_nobody_else, begin, end),
        cmocka_unit_test_setup_teardown(takes_only_what_is_right, begin, end),
        cmocka_unit_test_setup_teardown(any_bytes_are_harmless, begin, end),
        cmocka_unit_test_setup_teardown(a_newcomer_follows_a_bounded_number, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
