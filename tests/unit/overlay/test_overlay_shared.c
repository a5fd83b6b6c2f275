/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a program that carries packets itself, on several rings by one port, needs of them:
 * each gets its own datagrams, paths lead where they say, traffic beside them counts; what a node
 * keeps in the table is its own to ask for. Method: small worlds in virtual time. */
#include "unit/overlay/mesh.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/relayed.h"
#include "overlay/join_internal.h"
#include "overlay/overlay_internal.h"
#include "overlay/paths_internal.h"
#include "unit/base/check.h"

enum { HOSTS = 7 }; /* each has all others for near ones */

static uint64_t seed;
static const char second_ring[] = "ring two";

/* ---- two rings at one port ---- */

static void mesh_start_all(struct mesh *mesh, bool has_announcements) {
    for (uint32_t i = 0; i < mesh_count(mesh); i++) {
        bool knows = !has_announcements && i % HOSTS != 0;
        mesh_start(mesh, i, knows ? i / HOSTS * HOSTS : UINT32_MAX);
        mesh_run(mesh, 200);
    }
}

/* Nodes 0 to 6 are hosts' on the first ring; 7 to 13 the same hosts' on the second one, in the same
 * order, with the same identities. */
static struct mesh *two_rings(bool has_announcements) {
    struct mesh *mesh = mesh_create(seed);
    for (uint32_t i = 0; i < 2 * HOSTS; i++) {
        struct wrn_overlay_options options = mesh_options(mesh);
        options.announces = has_announcements;
        if (i >= HOSTS) {
            memcpy(options.seed, mesh_node(mesh, i - HOSTS)->options.seed, sizeof(options.seed));
            memcpy(options.ring, second_ring, sizeof(options.ring));
            options.tunnel_context = (wrn_span){(const uint8_t *)second_ring, 8};
        }
        mesh_add(mesh, &options);
        if (i >= HOSTS) {
            mesh_share(mesh, i, i - HOSTS);
        }
    }
    mesh_start_all(mesh, has_announcements);
    return mesh;
}

static bool all_are_linked(struct mesh *mesh) {
    for (uint32_t i = 0; i < 2 * HOSTS; i++) {
        if (wrn_overlay_links(mesh_node(mesh, i)->overlay)->count != HOSTS - 1) {
            return false;
        }
    }
    return true;
}

/* The same hosts, by another key on each ring. */
static void keys_are_apart(struct mesh *mesh) {
    for (uint32_t i = 0; i + 1 < HOSTS; i++) {
        struct wrn_overlay_peer_info info[2];
        for (uint32_t ring = 0; ring < 2; ring++) {
            const struct wrn_overlay *overlay = mesh_node(mesh, ring * HOSTS + i)->overlay;
            wrn_handle peer = wrn_overlay_find(overlay, mesh_node(mesh, i + 1)->id);
            assert_true(wrn_overlay_peer_info(overlay, peer, &info[ring]));
        }
        assert_memory_equal(info[0].public_key, info[1].public_key, WRN_SIGN_PUBLIC_SIZE);
        assert_memory_not_equal(info[0].tunnel_key, info[1].tunnel_key, WRN_KEY_SIZE);
    }
}

/* Nothing got to a ring that it was not for. */
static void nothing_was_mixed(struct mesh *mesh) {
    static const enum wrn_reason mixed[] = {
        WRN_REASON_OTHER_RING, WRN_REASON_BAD_SEAL,    WRN_REASON_COOKIE,
        WRN_REASON_WRONG_KEY,  WRN_REASON_RELAY_MIXED, WRN_REASON_MALFORMED,
    };
    for (uint32_t i = 0; i < 2 * HOSTS; i++) {
        for (size_t k = 0; k < WRN_COUNT(mixed); k++) {
            CHECK(wrn_overlay_refused(mesh_node(mesh, i)->overlay, mixed[k]) == 0,
                  "node %u, %s: ", i, wrn_reason_name(mixed[k]));
        }
        const struct wrn_relay *relay = wrn_overlay_relay(mesh_node(mesh, i)->overlay);
        assert_int_equal(wrn_relay_count(relay, WRN_RELAY_COUNT_UNKNOWN_SLOT), 0);
        assert_int_equal(wrn_relay_count(relay, WRN_RELAY_COUNT_WRONG_PEER), 0);
    }
}

static void rings_share_a_port(void **state) {
    (void)state;
    struct mesh *mesh = two_rings(false);
    assert_true(mesh_run_until(mesh, all_are_linked, 60000));
    mesh_run(mesh, 60000);
    keys_are_apart(mesh);
    nothing_was_mixed(mesh);
    /* Pings that come before the answer to a request are nobody's yet; all else is somebody's. */
    for (int kind = WRN_FRAME_STRANGER; kind <= WRN_FRAME_ANNOUNCE; kind++) {
        assert_int_equal(mesh_unowned(mesh, (enum wrn_frame_kind)kind), 0);
    }
    mesh_destroy(mesh);
}

/* Every announcement comes to every ring of a host, also its own; each takes its own ring's. */
static void rings_share_announcements(void **state) {
    (void)state;
    struct mesh *mesh = two_rings(true);
    assert_true(mesh_run_until(mesh, all_are_linked, 120000));
    keys_are_apart(mesh);
    nothing_was_mixed(mesh);
    mesh_destroy(mesh);
}

static const uint8_t wireguard[] = {4, 0, 0, 0, 'x', 'y', 'z', 0};

/* Hosts 1 and 2 hear one another by relays only. */
static bool hosts_are_apart(void *ctx, struct mesh *mesh, uint32_t from,
                            const struct wrn_endpoint *to, uint8_t *bytes, size_t size) {
    (void)ctx;
    (void)bytes;
    (void)size;
    uint32_t host = from % HOSTS;
    return !(host == 1 && wrn_endpoint_equal(to, &mesh_node(mesh, 2)->at)) &&
           !(host == 2 && wrn_endpoint_equal(to, &mesh_node(mesh, 1)->at));
}

static bool path_of(struct mesh *mesh, uint32_t from, uint32_t to, struct wrn_path *ret_path) {
    const struct wrn_overlay *overlay = mesh_node(mesh, from)->overlay;
    return wrn_overlay_path(overlay, wrn_overlay_find(overlay, mesh_node(mesh, to)->id), ret_path);
}

static bool both_are_relayed(struct mesh *mesh) {
    bool are = true;
    for (uint32_t ring = 0; ring < 2; ring++) {
        for (uint32_t side = 0; side < 2; side++) {
            struct wrn_path path = {0};
            are = are && path_of(mesh, ring * HOSTS + 1 + side, ring * HOSTS + 2 - side, &path) &&
                  path.kind == WRN_PATH_RELAY;
        }
    }
    return are;
}

/* Sends what a data plane would send by a path: it needs nothing but the path. */
static void send_by(struct mesh *mesh, uint32_t from, const struct wrn_path *path) {
    uint8_t frame[WRN_RELAYED_OVERHEAD + sizeof(wireguard)];
    wrn_relayed_write(path->slot, frame);
    memcpy(frame + WRN_RELAYED_OVERHEAD, wireguard, sizeof(wireguard));
    for (uint32_t i = 0; i < HOSTS; i++) {
        if (wrn_endpoint_equal(&mesh_node(mesh, i)->at, &path->remote)) {
            uint32_t ring = from / HOSTS * HOSTS;
            bool is_first =
                wrn_overlay_owns(mesh_node(mesh, i)->overlay, mesh_now(mesh, i),
                                 &mesh_node(mesh, from)->at, (wrn_span){frame, sizeof(frame)});
            assert_int_equal(is_first, ring == 0);
            mesh_inject(mesh, i + ring, &mesh_node(mesh, from)->at, frame, sizeof(frame));
            return;
        }
    }
    fail_msg("the path leads nowhere");
}

/* Host 5 is the only one that forwards; 1 and 2 want links on both rings. */
static struct mesh *two_rings_one_relay(mesh_filter *filter) {
    struct mesh *mesh = mesh_create(seed);
    for (uint32_t i = 0; i < 2 * HOSTS; i++) {
        struct wrn_overlay_options options = mesh_options(mesh);
        options.relays = i % HOSTS == 5;
        if (i >= HOSTS) {
            memcpy(options.ring, second_ring, sizeof(options.ring));
        }
        mesh_add(mesh, &options);
        mesh_share(mesh, i, i % HOSTS);
    }
    mesh_set_filter(mesh, filter, NULL);
    mesh_start_all(mesh, false);
    mesh_run(mesh, 20000);
    for (uint32_t i = 1; i < 2 * HOSTS; i += HOSTS) {
        wrn_overlay_connect(mesh_node(mesh, i)->overlay, mesh_now(mesh, i),
                            mesh_node(mesh, i + 1)->id, mesh_out(mesh));
        mesh_perform(mesh, i);
    }
    return mesh;
}

/* One host forwards for two others on two rings, each by its own slots. */
static void a_relay_serves_two_rings(void **state) {
    (void)state;
    struct mesh *mesh = two_rings_one_relay(hosts_are_apart);
    assert_true(mesh_run_until(mesh, both_are_relayed, 60000));
    for (uint32_t ring = 0; ring < 2; ring++) {
        struct wrn_path path = {0};
        uint32_t from = ring * HOSTS + 1;
        uint32_t carried = mesh_node(mesh, from + 1)->carried;
        uint32_t others = mesh_node(mesh, 2 + HOSTS - ring * HOSTS)->carried;
        assert_true(path_of(mesh, from, from + 1, &path));
        assert_true(wrn_endpoint_equal(&path.remote, &mesh_node(mesh, 5)->at));
        assert_int_not_equal(path.slot, 0);
        send_by(mesh, from, &path);
        mesh_run(mesh, 500);
        assert_int_equal(mesh_node(mesh, from + 1)->carried, carried + 1);
        assert_int_equal(mesh_node(mesh, 2 + HOSTS - ring * HOSTS)->carried, others);
    }
    nothing_was_mixed(mesh);
    mesh_destroy(mesh);
}

static bool has_asked[2]; /* on each ring */

/* Drops what a relay tells host 2 of new slots, until it was asked what a slot is; and host 2's own
 * requests, which would be answered with the slot as well. */
static bool offers_are_lost(void *ctx, struct mesh *mesh, uint32_t from,
                            const struct wrn_endpoint *to, uint8_t *bytes, size_t size) {
    (void)ctx;
    /* behind the two first bytes a request has a number of 4 and a place of 12, an offer a slot of
     * 8 and a place, a question a slot */
    size_t inside = bytes[0] == WRN_FRAME_SEALED ? size - WRN_FRAME_OVERHEAD : 0;
    uint32_t ring = from / HOSTS;
    bool to_relay = wrn_endpoint_equal(to, &mesh_node(mesh, 5)->at);
    has_asked[ring] = has_asked[ring] || (from % HOSTS == 2 && to_relay && inside == 10);
    if ((from % HOSTS == 2 && inside == 18) ||
        (from % HOSTS == 5 && inside == 22 && !has_asked[ring])) {
        return false;
    }
    return hosts_are_apart(NULL, mesh, from, to, bytes, size);
}

/* Frames by a slot that nobody knows: the ring whose relay that is asks for it. */
static void lost_offers_are_asked_for(void **state) {
    (void)state;
    has_asked[0] = has_asked[1] = false;
    struct mesh *mesh = two_rings_one_relay(offers_are_lost);
    assert_true(mesh_run_until(mesh, both_are_relayed, 60000));
    assert_true(mesh_unowned(mesh, WRN_FRAME_RELAYED) > 0);
    mesh_destroy(mesh);
}

/* ---- whose it is ---- */

static bool owns(struct mesh *mesh, uint32_t node, const struct wrn_endpoint *from,
                 const uint8_t *bytes, size_t size) {
    return wrn_overlay_owns(mesh_node(mesh, node)->overlay, mesh_now(mesh, node), from,
                            (wrn_span){bytes, size});
}

/* What is flipped in a frame between two nodes, that makes it nobody's: bits of its outside. */
struct watch {
    uint32_t seen[256]; /* by first byte */
    uint32_t to;
};

static bool check_owner(void *ctx, struct mesh *mesh, uint32_t from, const struct wrn_endpoint *to,
                        uint8_t *bytes, size_t size) {
    static const struct {
        uint8_t kind, first, last; /* bytes that decide, besides the head */
    } fields[] = {
        {WRN_FRAME_SEALED, 4, 11},    {WRN_FRAME_STRANGER, 36, 51}, {WRN_FRAME_WHO, 4, 19},
        {WRN_FRAME_WHO_REPLY, 4, 11}, {WRN_FRAME_ANNOUNCE, 4, 11},
    };
    struct watch *watch = ctx;
    const struct mesh_node *node = mesh_node(mesh, watch->to);
    if (!node->is_up || !wrn_endpoint_equal(&node->at, to)) {
        return true;
    }
    const struct wrn_endpoint *at = &mesh_node(mesh, from)->at;
    struct wrn_endpoint other = *at;
    other.port ^= 1;
    bool is_owned = owns(mesh, watch->to, at, bytes, size);
    watch->seen[bytes[0]] += is_owned;
    assert_false(owns(mesh, watch->to, at, bytes, 3));
    assert_false(owns(mesh, watch->to, at, bytes, 0));
    for (size_t i = 0; i < WRN_COUNT(fields) && is_owned; i++) {
        if (fields[i].kind != bytes[0]) {
            continue;
        }
        for (size_t k = fields[i].first; k <= fields[i].last; k++) {
            bytes[k] ^= 0x10;
            CHECK(!owns(mesh, watch->to, at, bytes, size), "kind %02x, byte %zu: ", bytes[0], k);
            bytes[k] ^= 0x10;
        }
        bool is_bound = bytes[0] == WRN_FRAME_STRANGER || bytes[0] == WRN_FRAME_WHO_REPLY;
        assert_int_equal(owns(mesh, watch->to, &other, bytes, size), !is_bound);
    }
    return true;
}

/* Everything that a node is sent while it joins is its own, and nothing with another number,
 * cookie, mark or nonce in it. */
static void a_frame_has_one_owner(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct watch watches[2] = {{.to = 0}, {.to = 3}};
    for (uint32_t turn = 0; turn < 2; turn++) {
        mesh_destroy(mesh);
        mesh = mesh_create(seed + turn);
        mesh_set_filter(mesh, check_owner, &watches[turn]);
        for (uint32_t i = 0; i < 5; i++) {
            struct wrn_overlay_options options = mesh_options(mesh);
            options.announces = true;
            mesh_start(mesh, mesh_add(mesh, &options), i == 0 ? UINT32_MAX : 0);
            mesh_run(mesh, 300);
        }
        assert_true(mesh_run_until(mesh, mesh_is_ring, 60000));
        mesh_run(mesh, 60000);
    }
    assert_true(watches[0].seen[WRN_FRAME_WHO] > 0 && watches[0].seen[WRN_FRAME_STRANGER] > 0);
    assert_true(watches[1].seen[WRN_FRAME_WHO_REPLY] > 0);
    for (uint32_t turn = 0; turn < 2; turn++) {
        assert_true(watches[turn].seen[WRN_FRAME_SEALED] > 0);
        assert_true(watches[turn].seen[WRN_FRAME_ANNOUNCE] > 0);
    }
    uint8_t strange[100] = {0x2f, 1};
    assert_false(owns(mesh, 0, &mesh_node(mesh, 1)->at, strange, sizeof(strange)));
    struct mesh_node *node = mesh_node(mesh, 0);
    wrn_overlay_stop(node->overlay, mesh_now(mesh, 0), mesh_out(mesh));
    mesh_perform(mesh, 0);
    uint8_t frame[WRN_ANNOUNCE_SIZE];
    wrn_announce_write((const uint8_t *)"our ring", mesh_node(mesh, 1)->id, 9, frame);
    assert_false(owns(mesh, 0, &mesh_node(mesh, 1)->at, frame, sizeof(frame)));
    assert_true(owns(mesh, 1, &mesh_node(mesh, 1)->at, frame, sizeof(frame)));
    mesh_destroy(mesh);
}

/* ---- paths ---- */

static struct mesh *ring_of(uint32_t count, uint32_t on_demand_idle_s) {
    struct mesh *mesh = mesh_create(seed);
    for (uint32_t i = 0; i < count; i++) {
        struct wrn_overlay_options options = mesh_options(mesh);
        options.ring_options.on_demand_idle_s = on_demand_idle_s;
        options.dht.kept_max = 4;
        options.dht.own_bytes = 0;
        mesh_start(mesh, mesh_add(mesh, &options), i == 0 ? UINT32_MAX : 0);
        mesh_run(mesh, 200);
    }
    assert_true(mesh_run_until(mesh, mesh_is_ring, 60000));
    return mesh;
}

/* As for guessing at ports: 1 to 'count'. */
static void open_sockets(struct mesh *mesh, uint32_t node, uint16_t count) {
    struct wrn_overlay *overlay = mesh_node(mesh, node)->overlay;
    wrn_overlay_begin(overlay, mesh_now(mesh, node), mesh_out(mesh));
    assert_int_equal(wrn_paths_sockets_open(overlay->paths, count), 1);
    wrn_overlay_end(overlay);
    mesh_perform(mesh, node);
}

/* One node's datagrams come to a socket that it opened besides: only the overlay can send there. */
static void paths_say_who_sends(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    for (uint32_t i = 0; i < 3; i++) {
        struct wrn_overlay_options options = mesh_options(mesh);
        options.paths.may_open_sockets = i == 2;
        mesh_start(mesh, mesh_add(mesh, &options), i == 0 ? UINT32_MAX : 0);
    }
    open_sockets(mesh, 2, 7);
    mesh_node(mesh, 2)->socket = 7;
    assert_true(mesh_run_until(mesh, mesh_is_ring, 20000));
    struct wrn_path path = {0};
    assert_true(path_of(mesh, 0, 1, &path));
    assert_int_equal(path.kind, WRN_PATH_DIRECT);
    assert_true(wrn_endpoint_equal(&path.remote, &mesh_node(mesh, 1)->at) && path.slot == 0);
    struct wrn_overlay *overlay = mesh_node(mesh, 2)->overlay;
    wrn_handle peer = wrn_overlay_find(overlay, mesh_node(mesh, 1)->id);
    assert_true(wrn_overlay_path(overlay, peer, &path));
    assert_int_equal(path.kind, WRN_PATH_CONTROL);
    assert_int_equal(path.remote.ip.family, WRN_FAMILY_NONE);
    assert_true(wrn_path_leads(&path) && wrn_handle_equal(wrn_overlay_of_slot(path.slot), peer));
    struct wrn_overlay_out *out = mesh_out(mesh);
    assert_int_equal(wrn_overlay_carry(overlay, mesh_now(mesh, 2), wrn_overlay_of_slot(path.slot),
                                       (wrn_span){wireguard, sizeof(wireguard)}, out),
                     WRN_REASON_NONE);
    assert_int_equal(out->actions[0].kind, WRN_OVERLAY_DATAGRAM);
    assert_int_equal(out->actions[0].socket, 7);
    wrn_overlay_out_reset(out);
    path.kind = 77;
    assert_false(wrn_overlay_path(overlay, WRN_HANDLE_NONE, &path));
    mesh_stop(mesh, 1);
    mesh_run(mesh, 1000);
    assert_false(wrn_overlay_path(overlay, peer, &path));
    assert_int_equal(path.kind, 77);
    mesh_destroy(mesh);
}

/* What was on its way when a socket was closed comes to nobody. */
static void closed_sockets_hear_nothing(void **state) {
    (void)state;
    struct mesh *mesh = ring_of(3, 300);
    mesh_node(mesh, 2)->socket = 7;
    uint64_t refused = wrn_overlay_refused(mesh_node(mesh, 2)->overlay, WRN_REASON_STALE);
    mesh_run(mesh, 30000);
    assert_true(wrn_overlay_refused(mesh_node(mesh, 2)->overlay, WRN_REASON_STALE) > refused);
    mesh_node(mesh, 2)->socket = 0;
    assert_true(mesh_run_until(mesh, mesh_is_ring, 120000));
    mesh_node(mesh, 2)->socket = WRN_SOCKETS_MAX; /* there is none of that number */
    mesh_run(mesh, 5000);
    mesh_destroy(mesh);
}

/* ---- traffic beside the overlay ---- */

static void find_unlinked(struct mesh *mesh, uint32_t *ret_a, uint32_t *ret_b) {
    for (uint32_t a = 0; a < mesh_count(mesh); a++) {
        for (uint32_t b = a + 1; b < mesh_count(mesh); b++) {
            if (!mesh_has_link(mesh, a, b)) {
                *ret_a = a;
                *ret_b = b;
                return;
            }
        }
    }
    fail_msg("all have links to all");
}

static wrn_handle link_on_demand(struct mesh *mesh, uint32_t *ret_a, uint32_t *ret_b) {
    mesh_run(mesh, 120000);
    find_unlinked(mesh, ret_a, ret_b);
    struct wrn_overlay *overlay = mesh_node(mesh, *ret_a)->overlay;
    wrn_overlay_connect(overlay, mesh_now(mesh, *ret_a), mesh_node(mesh, *ret_b)->id,
                        mesh_out(mesh));
    mesh_perform(mesh, *ret_a);
    mesh_run(mesh, 5000);
    assert_true(mesh_has_link(mesh, *ret_a, *ret_b));
    return wrn_overlay_find(overlay, mesh_node(mesh, *ret_b)->id);
}

static void note_traffic(struct mesh *mesh, uint32_t node, wrn_handle peer) {
    wrn_overlay_on_traffic(mesh_node(mesh, node)->overlay, mesh_now(mesh, node), peer,
                           mesh_out(mesh));
    mesh_perform(mesh, node);
}

/* For as long as there is traffic the link is wanted, and it need not go through the overlay. */
static void traffic_beside_keeps_a_link(void **state) {
    (void)state;
    struct mesh *mesh = ring_of(40, 60);
    uint32_t a = 0;
    uint32_t b = 0;
    wrn_handle peer = link_on_demand(mesh, &a, &b);
    const struct wrn_overlay *overlay = mesh_node(mesh, a)->overlay;
    struct wrn_overlay_peer_info info = {0};
    for (uint32_t i = 0; i < 200; i++) {
        note_traffic(mesh, a, peer);
        mesh_run(mesh, 1000);
        assert_true(wrn_overlay_peer_info(overlay, peer, &info));
        assert_true((info.mine & WRN_LINK_ON_DEMAND) != 0);
    }
    mesh_run(mesh, 70000);
    assert_true(!wrn_overlay_peer_info(overlay, peer, &info) ||
                (info.mine & WRN_LINK_ON_DEMAND) == 0);
    note_traffic(mesh, a, WRN_HANDLE_NONE);
    mesh_destroy(mesh);
}

/* Nothing else goes to the dead peer: the traffic alone makes its path be looked after. */
static void traffic_beside_to_the_dead_is_noticed(void **state) {
    (void)state;
    struct mesh *mesh = ring_of(40, 300);
    uint32_t a = 0;
    uint32_t b = 0;
    wrn_handle peer = link_on_demand(mesh, &a, &b);
    mesh_crash(mesh, b);
    uint32_t seconds = 0;
    for (; seconds < 60 && mesh_has_link(mesh, a, b); seconds++) {
        note_traffic(mesh, a, peer);
        mesh_run(mesh, 1000);
    }
    CHECK(seconds <= 30, "after %u s: ", seconds);
    mesh_destroy(mesh);
}

/* ---- own records ---- */

static enum wrn_reason create(struct mesh *mesh, uint32_t node, const char *key, const char *value,
                              int64_t claimed_s) {
    wrn_span name = {(const uint8_t *)key, strlen(key)};
    wrn_span what = {(const uint8_t *)value, strlen(value)};
    enum wrn_reason reason = wrn_overlay_store(mesh_node(mesh, node)->overlay, mesh_now(mesh, node),
                                               1, WRN_RECORD_CREATE, name, what, (wrn_span){0},
                                               3600, claimed_s, true, mesh_out(mesh));
    mesh_perform(mesh, node);
    return reason;
}

static struct wrn_record kept(struct mesh *mesh, uint32_t node, const char *key) {
    struct wrn_record record = {0};
    wrn_span bytes = wrn_overlay_kept(mesh_node(mesh, node)->overlay,
                                      (wrn_span){(const uint8_t *)key, strlen(key)});
    if (bytes.size > 0) {
        assert_int_equal(wrn_record_verify(bytes, mesh_primitives(mesh)), WRN_REASON_NONE);
        assert_int_equal(wrn_record_read(bytes, mesh_primitives(mesh), &record), WRN_REASON_NONE);
    }
    return record;
}

/* What the owner saved of its claim counts; a date to come, as of a clock that was ahead, does
 * not; nor does a later one than what is kept. */
static void a_saved_claim_is_claimed_again(void **state) {
    (void)state;
    struct mesh *mesh = ring_of(6, 300);
    int64_t now_s = mesh_now(mesh, 3).wall.s;
    assert_int_equal(create(mesh, 3, "addr/10.0.0.1", "a", now_s - 1000), WRN_REASON_NONE);
    assert_int_equal(create(mesh, 3, "addr/10.0.0.2", "b", now_s + 1000), WRN_REASON_NONE);
    assert_int_equal(create(mesh, 3, "addr/10.0.0.3", "c", 0), WRN_REASON_NONE);
    assert_int_equal(kept(mesh, 3, "addr/10.0.0.1").claimed_s, now_s - 1000);
    assert_int_equal(kept(mesh, 3, "addr/10.0.0.2").claimed_s, now_s);
    assert_int_equal(kept(mesh, 3, "addr/10.0.0.3").claimed_s, now_s);
    mesh_run(mesh, 20000);
    assert_int_equal(mesh_node(mesh, 3)->answer.reason, WRN_REASON_NONE);
    assert_int_equal(create(mesh, 3, "addr/10.0.0.1", "a2", now_s - 10), WRN_REASON_NONE);
    assert_int_equal(kept(mesh, 3, "addr/10.0.0.1").claimed_s, now_s - 1000);
    assert_memory_equal(kept(mesh, 3, "addr/10.0.0.1").value.data, "a2", 2);
    assert_int_equal(wrn_overlay_kept(mesh_node(mesh, 3)->overlay,
                                      (wrn_span){(const uint8_t *)"addr/10.0.0.4", 13})
                         .size,
                     0);
    assert_int_equal(kept(mesh, 2, "addr/10.0.0.1").key.size, 0);
    mesh_destroy(mesh);
}

static bool one_has_lost(struct mesh *mesh) {
    return mesh_node(mesh, 0)->lost + mesh_node(mesh, 1)->lost > 0;
}

/* Tells whether two of the eight nodes nearest to a key vouch for what node 0 claims in the half of
 * even numbers; its own word does not count. Else a younger claim of the other half would win. */
static bool is_vouched_for(struct mesh *mesh, const char *key) {
    enum { NODES = 16, NEAREST = 8 };
    wrn_id place =
        wrn_record_place((wrn_span){(const uint8_t *)key, strlen(key)}, mesh_primitives(mesh));
    uint32_t vouchers = 0;
    for (uint32_t i = 2; i < NODES; i += 2) {
        uint32_t rank = 0;
        for (uint32_t j = 0; j < NODES; j++) {
            rank += wrn_id_is_nearer(place, wrn_overlay_id(mesh_node(mesh, j)->overlay),
                                     wrn_overlay_id(mesh_node(mesh, i)->overlay));
        }
        vouchers += rank < NEAREST;
    }
    return vouchers >= 2;
}

/* Two halves of a ring, one key: when they meet the younger claim's owner is told, and by whom. */
static void a_loser_is_told_the_winner(void **state) {
    (void)state;
    struct mesh *mesh = ring_of(16, 300);
    char key[24];
    uint32_t number = 0;
    do {
        (void)snprintf(key, sizeof(key), "addr/10.0.0.%u", ++number);
    } while (!is_vouched_for(mesh, key));
    mesh_run(mesh, 60000);
    for (uint32_t i = 0; i < 16; i++) {
        mesh_node(mesh, i)->group = i % 2;
    }
    mesh_run(mesh, 400000);
    assert_int_equal(create(mesh, 0, key, "first", 0), WRN_REASON_NONE);
    mesh_run(mesh, 30000);
    assert_int_equal(create(mesh, 1, key, "second", 0), WRN_REASON_NONE);
    mesh_run(mesh, 30000);
    assert_int_equal(mesh_node(mesh, 0)->answer.reason, WRN_REASON_NONE);
    assert_int_equal(mesh_node(mesh, 1)->answer.reason, WRN_REASON_NONE);
    for (uint32_t i = 0; i < 16; i++) {
        mesh_node(mesh, i)->group = 0;
    }
    assert_true(mesh_run_until(mesh, one_has_lost, 1500000));
    struct mesh_node *loser = mesh_node(mesh, 1);
    assert_int_equal(loser->lost, 1);
    assert_int_equal(loser->lost_reason, WRN_REASON_KEY_TAKEN);
    struct wrn_record winner;
    wrn_span bytes = {loser->winner, loser->winner_size};
    assert_int_equal(wrn_record_verify(bytes, mesh_primitives(mesh)), WRN_REASON_NONE);
    assert_int_equal(wrn_record_read(bytes, mesh_primitives(mesh), &winner), WRN_REASON_NONE);
    assert_int_equal(winner.value.size, 5);
    assert_memory_equal(winner.value.data, "first", 5);
    assert_int_equal(kept(mesh, 1, key).key.size, 0);
    assert_int_equal(kept(mesh, 0, key).value.size, 5);
    mesh_destroy(mesh);
}

/* As many as a host may need, all at once, and hours later all are still there. */
static void sixteen_records_are_kept(void **state) {
    (void)state;
    enum { RECORDS = 16 };
    struct mesh *mesh = mesh_create(seed);
    char key[RECORDS + 1][16];
    for (uint32_t i = 0; i < 12; i++) {
        struct wrn_overlay_options options = mesh_options(mesh);
        if (i == 3) {
            options.dht.kept_max = options.dht.requests_max = RECORDS;
            options.dht.own_bytes = 0;
        }
        options.dht.writer_bytes_max = options.dht.bytes_max = 16384;
        options.dht.records_max = 64;
        mesh_start(mesh, mesh_add(mesh, &options), i == 0 ? UINT32_MAX : 0);
        mesh_run(mesh, 200);
    }
    assert_true(mesh_run_until(mesh, mesh_is_ring, 60000));
    for (uint32_t i = 0; i <= RECORDS; i++) {
        (void)snprintf(key[i], sizeof(key[i]), "name/host%u", i);
        assert_int_equal(create(mesh, 3, key[i], "v", 0),
                         i < RECORDS ? WRN_REASON_NONE : WRN_REASON_FULL);
    }
    mesh_run(mesh, UINT64_C(5) * 3600 * 1000);
    assert_int_equal(mesh_node(mesh, 3)->lost, 0);
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct mesh_node *reader = mesh_node(mesh, 7);
        assert_int_equal(kept(mesh, 3, key[i]).value.size, 1);
        assert_int_equal(wrn_overlay_get(reader->overlay, mesh_now(mesh, 7), 100 + i,
                                         (wrn_span){(const uint8_t *)key[i], strlen(key[i])},
                                         mesh_out(mesh)),
                         WRN_REASON_NONE);
        mesh_perform(mesh, 7);
        mesh_run(mesh, 15000);
        assert_int_equal(reader->answer.tag, 100 + i);
        CHECK(reader->answer.reason == WRN_REASON_NONE, "%s: %s: ", key[i],
              wrn_reason_name(reader->answer.reason));
    }
    mesh_destroy(mesh);
}

/* A locator that was true once is no news, whoever says it again. */
static void old_locators_are_not_kept(void **state) {
    (void)state;
    struct mesh *mesh = ring_of(4, 300);
    mesh_run(mesh, 20000);
    struct wrn_overlay *us = mesh_node(mesh, 0)->overlay;
    const struct wrn_overlay *them = mesh_node(mesh, 1)->overlay;
    const uint64_t sequences[] = {(uint64_t)mesh_now(mesh, 0).wall.s * 1000, 1};
    for (uint32_t turn = 0; turn < WRN_COUNT(sequences); turn++) {
        uint8_t bytes[WRN_LOCATOR_MAX];
        struct wrn_locator locator = {.sequence = sequences[turn]}, read;
        memcpy(locator.tunnel_key, them->tunnel_public, WRN_KEY_SIZE);
        size_t size = wrn_locator_write(&locator, us->primitives, them->seed, us->ring_hash, bytes,
                                        sizeof(bytes));
        assert_int_equal(
            wrn_locator_read((wrn_span){bytes, size}, us->primitives, us->ring_hash, &read),
            WRN_REASON_NONE);
        struct wrn_overlay_out *out = mesh_out(mesh);
        uint32_t before = out->count;
        us->out = out;
        wrn_join_on_locator(us, &read, (wrn_span){bytes, size});
        us->out = NULL;
        assert_int_equal(out->count - before, turn == 0);
        mesh_perform(mesh, 0);
    }
    mesh_destroy(mesh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rings_share_a_port),
        cmocka_unit_test(rings_share_announcements),
        cmocka_unit_test(a_relay_serves_two_rings),
        cmocka_unit_test(lost_offers_are_asked_for),
        cmocka_unit_test(a_frame_has_one_owner),
        cmocka_unit_test(paths_say_who_sends),
        cmocka_unit_test(closed_sockets_hear_nothing),
        cmocka_unit_test(traffic_beside_keeps_a_link),
        cmocka_unit_test(traffic_beside_to_the_dead_is_noticed),
        cmocka_unit_test(a_saved_claim_is_claimed_again),
        cmocka_unit_test(a_loser_is_told_the_winner),
        cmocka_unit_test(sixteen_records_are_kept),
        cmocka_unit_test(old_locators_are_not_kept),
    };
    seed = check_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
