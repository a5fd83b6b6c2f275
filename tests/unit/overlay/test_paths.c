/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: paths that die are noticed, those that move are followed, idle ones cost little, liars and
 * floods change nothing, full pools refuse or wait. Method: path machines on the simulated
 * network; what they send is counted. */
#include "overlay/paths_internal.h"
#include "unit/base/check.h"
#include "unit/overlay/pathworld.h"

enum { HELPERS = 3 };

/* Three public nodes and two more, which know those but not each other. */
struct five {
    struct pathworld *world;
    struct pathworld_node *a, *b;
};

static struct five five(const char *a_sign, const char *b_sign);
static void meet_helpers(struct pathworld_node *node);
static uint64_t pings_of(const struct pathworld_node *a, const struct pathworld_node *b);
static void cut(struct five *f, bool is_cut);

static struct five five(const char *a_sign, const char *b_sign) {
    struct five f = {.world = pathworld_create(check_seed())};
    for (size_t i = 0; i < HELPERS; i++) {
        (void)pathworld_add(f.world, "pu");
    }
    f.a = pathworld_add(f.world, a_sign);
    f.b = pathworld_add(f.world, b_sign);
    meet_helpers(f.a);
    meet_helpers(f.b);
    pathworld_pass(f.world, WRN_S(2));
    return f;
}

static void meet_helpers(struct pathworld_node *node) {
    for (size_t i = 0; i < HELPERS; i++) {
        pathworld_meet(node, &node->world->nodes[i]);
        pathworld_pass(node->world, WRN_MS(300));
    }
}

static uint64_t pings_of(const struct pathworld_node *a, const struct pathworld_node *b) {
    return a->peers[b->number].pings + b->peers[a->number].pings;
}

static void cut(struct five *f, bool is_cut) {
    sim_net_cut(f->world->net, f->a->host, f->b->host, is_cut);
    sim_net_cut(f->world->net, f->b->host, f->a->host, is_cut);
}

static void dead_peers_are_noticed(void **state) {
    (void)state;
    struct five f = five("pr", "rc");
    enum wrn_reason reason;
    pathworld_meet(f.a, f.b);
    assert_true(pathworld_until_direct(f.a, f.b, WRN_S(2)) != UINT64_MAX);
    pathworld_pass(f.world, WRN_S(30));
    f.b->is_dead = true;
    wrn_paths_check(f.a->paths, pathworld_now(f.world), pathworld_handle(f.b));
    pathworld_settle(f.a);
    pathworld_pass(f.world, WRN_MS(5000));
    assert_int_equal(pathworld_state(f.a, f.b, &reason), WRN_PATH_STATE_LOST);
    assert_false(f.a->peers[f.b->number].is_gone);
    pathworld_pass(f.world, WRN_S(20));
    assert_true(f.a->peers[f.b->number].is_gone);
    assert_int_equal(f.a->peers[f.b->number].gone_reason, WRN_REASON_TIMEOUT);
    /* Nothing reminds of it any more. */
    uint64_t pings = f.a->peers[f.b->number].pings;
    pathworld_pass(f.world, WRN_S(300));
    assert_int_equal(f.a->peers[f.b->number].pings, pings);
    pathworld_destroy(f.world);
}

static void silent_peers_are_noticed_without_a_hint(void **state) {
    (void)state;
    for (int which = 0; which < 2; which++) { /* the pinger, and the one that is pinged */
        struct five f = five("pr", "rc");
        pathworld_meet(f.a, f.b);
        pathworld_pass(f.world, WRN_S(30));
        struct pathworld_node *dead = which == 0 ? f.a : f.b, *left = which == 0 ? f.b : f.a;
        dead->is_dead = true;
        pathworld_pass(f.world, WRN_S(90 + 5 + 20));
        assert_true(left->peers[dead->number].is_gone);
        pathworld_destroy(f.world);
    }
}

static void a_moved_peer_is_followed(void **state) {
    static const char *others[] = {"pu", "fc", "rc", "pr", "lx", "sn"};
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(others); i++) {
        struct five f = five("pr", others[i]);
        pathworld_meet(f.a, f.b);
        CHECK(pathworld_until_direct(f.a, f.b, WRN_S(20)) != UINT64_MAX, "%s: ", others[i]);
        pathworld_pass(f.world, WRN_S(30));
        struct sim_nat_options options = pathworld_box("pr");
        sim_segment other = pathworld_home(f.world, &options, SIM_SEGMENT_INTERNET, &f.a->nat);
        sim_host_move(f.world->net, f.a->host, other);
        pathworld_set_local(f.a);
        wrn_mono moved = pathworld_now(f.world);
        struct wrn_way old = *wrn_paths_way(f.b->paths, pathworld_handle(f.a));
        uint64_t waited_ms = 0;
        for (; waited_ms < 20000; waited_ms += 10) {
            const struct wrn_way *way = wrn_paths_way(f.b->paths, pathworld_handle(f.a));
            if (way->kind == WRN_WAY_DIRECT && !wrn_way_equal(way, &old)) {
                break;
            }
            pathworld_pass(f.world, WRN_MS(10));
        }
        print_message("# moved, the other is %s: followed after %llu ms\n", others[i],
                      (unsigned long long)waited_ms);
        CHECK(waited_ms < 15000, "%s: ", others[i]);
        pathworld_pass(f.world, WRN_S(60));
        assert_true(pathworld_is(f.a, f.b, WRN_WAY_DIRECT));
        assert_true(pathworld_is(f.b, f.a, WRN_WAY_DIRECT));
        assert_false(f.a->peers[f.b->number].is_gone || f.b->peers[f.a->number].is_gone);
        (void)moved;
        pathworld_destroy(f.world);
    }
}

/* The box got another address, and nobody told the node: its next ping finds out. */
static void a_renumbered_box_is_followed(void **state) {
    (void)state;
    struct five f = five("pr", "rc");
    pathworld_meet(f.a, f.b);
    assert_true(pathworld_until_direct(f.a, f.b, WRN_S(5)) != UINT64_MAX);
    pathworld_pass(f.world, WRN_S(30));
    sim_nat_renumber(f.world->net, f.a->nat);
    struct wrn_ip ip = sim_nat_address(f.world->net, f.a->nat, 0);
    pathworld_pass(f.world, WRN_S(100));
    assert_false(f.a->peers[f.b->number].is_gone || f.b->peers[f.a->number].is_gone);
    assert_true(pathworld_is(f.a, f.b, WRN_WAY_DIRECT));
    const struct wrn_way *way = wrn_paths_way(f.b->paths, pathworld_handle(f.a));
    assert_true(way->kind == WRN_WAY_DIRECT && wrn_ip_equal(&way->remote.ip, &ip));
    struct wrn_locator locator = {0};
    wrn_paths_describe(f.a->paths, &locator);
    bool is_told = false;
    for (size_t i = 0; i < locator.endpoint_count; i++) {
        is_told = is_told || wrn_ip_equal(&locator.endpoints[i].at.ip, &ip);
    }
    assert_true(is_told);
    pathworld_destroy(f.world);
}

static void a_restarted_box_is_survived(void **state) {
    (void)state;
    struct five f = five("sr", "rc");
    pathworld_meet(f.a, f.b);
    assert_true(pathworld_until_direct(f.a, f.b, WRN_S(5)) != UINT64_MAX);
    pathworld_pass(f.world, WRN_S(30));
    for (int i = 0; i < 5; i++) {
        sim_nat_forget(f.world->net, f.a->nat);
        pathworld_pass(f.world, WRN_S(100));
        assert_true(pathworld_is(f.a, f.b, WRN_WAY_DIRECT));
        assert_true(pathworld_is(f.b, f.a, WRN_WAY_DIRECT));
    }
    assert_false(f.a->peers[f.b->number].is_gone || f.b->peers[f.a->number].is_gone);
    pathworld_destroy(f.world);
}

/* Returns how many seconds lie between pings on an idle path after a while. */
static uint64_t learned_period(uint64_t timeout_s, const char *b_sign) {
    struct five f = {.world = pathworld_create(check_seed())};
    for (size_t i = 0; i < HELPERS; i++) {
        (void)pathworld_add(f.world, "pu");
    }
    struct sim_nat_options options = pathworld_box("pr");
    options.timeout_ns = WRN_S(timeout_s);
    f.a = pathworld_add_to(f.world, pathworld_home(f.world, &options, SIM_SEGMENT_INTERNET, NULL));
    f.b = pathworld_add(f.world, b_sign);
    meet_helpers(f.a);
    meet_helpers(f.b);
    pathworld_meet(f.a, f.b);
    pathworld_pass(f.world, WRN_S(1800));
    uint64_t before = pings_of(f.a, f.b);
    uint32_t changes = f.b->peers[f.a->number].way_changes;
    pathworld_pass(f.world, WRN_S(1200));
    uint64_t pings = pings_of(f.a, f.b) - before;
    assert_int_equal(f.b->peers[f.a->number].way_changes, changes);
    assert_true(pathworld_is(f.a, f.b, WRN_WAY_DIRECT));
    pathworld_destroy(f.world);
    assert_true(pings > 0);
    return 1200 / pings;
}

static void the_period_is_learned(void **state) {
    (void)state;
    uint64_t long_s = learned_period(120, "pu");
    uint64_t middle_s = learned_period(50, "pu");
    uint64_t short_s = learned_period(35, "pu");
    print_message("# mappings of 120, 50, 35 s: pings each %llu, %llu, %llu s\n",
                  (unsigned long long)long_s, (unsigned long long)middle_s,
                  (unsigned long long)short_s);
    assert_in_range(long_s, 50, 60);
    assert_in_range(middle_s, 34, 45);
    assert_in_range(short_s, 20, 30);
}

static void idle_paths_cost_little(void **state) {
    (void)state;
    struct five f = five("pu", "pu");
    pathworld_meet(f.a, f.b);
    pathworld_pass(f.world, WRN_S(60));
    uint64_t before = f.a->direct_sent, pings = pings_of(f.a, f.b);
    pathworld_pass(f.world, WRN_S(600));
    /* 4 peers, a ping or a pong each 60 s. */
    CHECK(f.a->direct_sent - before <= 4 * 12,
          "%llu datagrams in 10 minutes: ", (unsigned long long)(f.a->direct_sent - before));
    assert_in_range(pings_of(f.a, f.b) - pings, 9, 12);
    pathworld_destroy(f.world);
}

/* Linux forgets a flow after 30 s unless something passes when it is older than 2 s. A new path is
 * kept alive though the node has learned by then that older ones need little. */
static void a_young_path_outlives_its_box(void **state) {
    (void)state;
    struct five f = five("lx", "lx");
    pathworld_pass(f.world, WRN_S(900)); /* the period is learned */
    pathworld_meet(f.a, f.b);
    pathworld_pass(f.world, WRN_S(10));
    uint64_t pings = pings_of(f.a, f.b);
    pathworld_pass(f.world, WRN_S(900));
    assert_true(pathworld_is(f.a, f.b, WRN_WAY_DIRECT) && pathworld_is(f.b, f.a, WRN_WAY_DIRECT));
    assert_in_range(pings_of(f.a, f.b) - pings, 14, 22); /* a lost path takes many */
    pathworld_destroy(f.world);
}

/* Two that would both keep silent to learn how long their boxes bear that would learn nothing. */
static void both_ends_learn_the_period(void **state) {
    (void)state;
    struct five f = five("lx", "lx");
    pathworld_meet(f.a, f.b);
    pathworld_pass(f.world, WRN_S(900));
    uint64_t pings = pings_of(f.a, f.b);
    pathworld_pass(f.world, WRN_S(600));
    assert_in_range(pings_of(f.a, f.b) - pings, 9, 12);
    pathworld_destroy(f.world);
}

/* A neighbour is pinged more often than others, by both ends' wish. */
static void the_shorter_period_counts(void **state) {
    (void)state;
    struct five f = five("pu", "pu");
    pathworld_meet(f.a, f.b);
    pathworld_pass(f.world, WRN_S(100));
    wrn_paths_set_period(f.b->paths, pathworld_now(f.world), pathworld_handle(f.a), 20);
    pathworld_settle(f.b);
    pathworld_pass(f.world, WRN_S(100));
    uint64_t pings = pings_of(f.a, f.b);
    pathworld_pass(f.world, WRN_S(600));
    assert_in_range(pings_of(f.a, f.b) - pings, 28, 31);
    pathworld_destroy(f.world);
}

static void a_relay_carries_until_a_direct_way_is_found(void **state) {
    (void)state;
    struct five f = five("pr", "pr");
    enum wrn_reason reason;
    cut(&f, true);
    pathworld_meet(f.a, f.b);
    pathworld_pass(f.world, WRN_S(1));
    assert_true(pathworld_is(f.a, f.b, WRN_WAY_RELAY) && pathworld_is(f.b, f.a, WRN_WAY_RELAY));
    assert_int_equal(pathworld_state(f.a, f.b, &reason), WRN_PATH_STATE_RELAYED_SEARCHING);
    pathworld_pass(f.world, WRN_S(15));
    assert_int_equal(pathworld_state(f.a, f.b, &reason), WRN_PATH_STATE_RELAYED);
    assert_int_equal(reason, WRN_REASON_UNREACHABLE);
    cut(&f, false);
    assert_true(pathworld_until_direct(f.a, f.b, WRN_S(60)) != UINT64_MAX);
    assert_false(f.a->peers[f.b->number].is_gone);
    assert_int_equal(f.a->peers[f.b->number].way_changes, 2);
    /* And back, when the direct one dies: the relay still answers. */
    cut(&f, true);
    pathworld_pass(f.world, WRN_S(90 + 10));
    assert_true(pathworld_is(f.a, f.b, WRN_WAY_RELAY) && pathworld_is(f.b, f.a, WRN_WAY_RELAY));
    assert_false(f.a->peers[f.b->number].is_gone || f.b->peers[f.a->number].is_gone);
    pathworld_destroy(f.world);
}

static void traffic_asks_for_a_direct_way_sooner(void **state) {
    (void)state;
    struct five f = five("pr", "pr");
    cut(&f, true);
    pathworld_meet(f.a, f.b);
    pathworld_pass(f.world, WRN_S(400)); /* by now retries are minutes apart */
    cut(&f, false);
    wrn_paths_on_traffic(f.a->paths, pathworld_now(f.world), pathworld_handle(f.b));
    pathworld_settle(f.a);
    assert_true(pathworld_until_direct(f.a, f.b, WRN_S(35)) != UINT64_MAX);
    pathworld_destroy(f.world);
}

static void a_lost_relay_is_replaced(void **state) {
    (void)state;
    struct five f = five("sr", "sr");
    pathworld_meet(f.a, f.b);
    pathworld_pass(f.world, WRN_S(20));
    assert_true(pathworld_is(f.a, f.b, WRN_WAY_RELAY));
    struct wrn_way way = *wrn_paths_way(f.a->paths, pathworld_handle(f.b));
    uint32_t wants = f.a->want_count;
    wrn_paths_on_relay_lost(f.a->paths, pathworld_now(f.world), pathworld_handle(f.b), &way);
    pathworld_settle(f.a);
    enum wrn_reason reason;
    assert_int_equal(pathworld_state(f.a, f.b, &reason), WRN_PATH_STATE_LOST);
    pathworld_pass(f.world, WRN_S(1));
    assert_true(f.a->want_count > wants);
    assert_true(pathworld_is(f.a, f.b, WRN_WAY_RELAY));
    assert_int_not_equal(pathworld_state(f.a, f.b, &reason), WRN_PATH_STATE_LOST);
    assert_false(f.a->peers[f.b->number].is_gone);
    pathworld_destroy(f.world);
}

static void without_a_relay_it_ends_with_a_reason(void **state) {
    (void)state;
    struct five f = five("sr", "sr");
    f.a->may_relay = f.b->may_relay = false;
    wrn_mono began = pathworld_now(f.world);
    pathworld_meet(f.a, f.b);
    pathworld_pass(f.world, WRN_S(25));
    assert_true(f.a->peers[f.b->number].is_gone && f.b->peers[f.a->number].is_gone);
    assert_int_equal(f.a->peers[f.b->number].gone_reason, WRN_REASON_BOTH_RANDOM);
    assert_in_range((f.a->peers[f.b->number].last_change_at.ns - began.ns) / 1000000000, 15, 21);
    assert_in_range(f.a->want_count, 3, 8);
    pathworld_destroy(f.world);
}

static void two_in_one_home_use_the_lan(void **state) {
    (void)state;
    struct five f = {.world = pathworld_create(check_seed())};
    for (size_t i = 0; i < HELPERS; i++) {
        (void)pathworld_add(f.world, "pu");
    }
    struct sim_nat_options options = pathworld_box("fc");
    options.hairpin = SIM_HAIRPIN_EXTERNAL; /* both ways are there: the nearer one wins */
    sim_nat nat;
    sim_segment home = pathworld_home(f.world, &options, SIM_SEGMENT_INTERNET, &nat);
    f.a = pathworld_add_to(f.world, home);
    f.b = pathworld_add_to(f.world, home);
    meet_helpers(f.a);
    meet_helpers(f.b);
    pathworld_meet(f.a, f.b);
    pathworld_pass(f.world, WRN_S(5));
    const struct wrn_way *way = wrn_paths_way(f.a->paths, pathworld_handle(f.b));
    assert_int_equal(way->kind, WRN_WAY_DIRECT);
    assert_int_equal(way->remote.ip.bytes[0], 192);
    assert_true(f.a->peers[f.b->number].way_changes <= 2);
    pathworld_destroy(f.world);
}

/* Two homes behind one carrier's box: directly if it hairpins, else by relay. */
static void carriers_hairpin_decides(void **state) {
    static const struct wrn_prefix shared4 = {{{100, 64}, WRN_FAMILY_IPV4}, 10};
    static const struct wrn_prefix none6;
    (void)state;
    for (int hairpins = 0; hairpins < 2; hairpins++) {
        struct five f = {.world = pathworld_create(check_seed())};
        for (size_t i = 0; i < HELPERS; i++) {
            (void)pathworld_add(f.world, "pu");
        }
        struct sim_nat_options carrier = sim_nat_carrier();
        carrier.hairpin = hairpins != 0 ? SIM_HAIRPIN_EXTERNAL : SIM_HAIRPIN_NONE;
        sim_segment shared = sim_net_add_segment(f.world->net, &shared4, &none6);
        (void)sim_net_add_nat(f.world->net, shared, SIM_SEGMENT_INTERNET, &carrier, NULL, NULL);
        struct sim_nat_options box = pathworld_box("lx");
        f.a = pathworld_add_to(f.world, pathworld_home(f.world, &box, shared, NULL));
        f.b = pathworld_add_to(f.world, pathworld_home(f.world, &box, shared, NULL));
        meet_helpers(f.a);
        meet_helpers(f.b);
        pathworld_meet(f.a, f.b);
        pathworld_pass(f.world, WRN_S(15));
        assert_int_equal(wrn_paths_way(f.a->paths, pathworld_handle(f.b))->kind,
                         hairpins != 0 ? WRN_WAY_DIRECT : WRN_WAY_RELAY);
        pathworld_destroy(f.world);
    }
}

static void a_liar_spoils_nothing(void **state) {
    static const char *signs[] = {"pu", "pr", "sn", "sr"};
    static const enum wrn_nat_class classes[] = {
        WRN_NAT_CLASS_NONE, WRN_NAT_CLASS_ENDPOINT_INDEPENDENT, WRN_NAT_CLASS_PORT_PREDICTABLE,
        WRN_NAT_CLASS_PORT_RANDOM};
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(signs); i++) {
        struct pathworld *world = pathworld_create(check_seed());
        for (size_t j = 0; j < 5; j++) {
            (void)pathworld_add(world, "pu");
        }
        world->nodes[1].lies = true;
        struct pathworld_node *node = pathworld_add(world, signs[i]);
        for (size_t j = 0; j < 5; j++) {
            pathworld_meet(node, &world->nodes[j]);
            pathworld_pass(world, WRN_MS(300));
        }
        pathworld_pass(world, WRN_S(120));
        CHECK(wrn_paths_nat_class(node->paths) == classes[i], "%s: %d: ", signs[i],
              wrn_paths_nat_class(node->paths));
        struct wrn_locator locator = {0};
        wrn_paths_describe(node->paths, &locator);
        for (size_t j = 0; j < locator.endpoint_count; j++) {
            assert_int_not_equal(locator.endpoints[j].at.ip.bytes[3], 0x55);
        }
        pathworld_destroy(world);
    }
}

/* What was sent to addresses that nobody has, by address. */
struct strangers {
    struct wrn_endpoint at[8];
    uint32_t sent[8];
};

static void count_strangers(struct pathworld *world, struct pathworld_node *from, uint32_t to,
                            const struct wrn_way *way, wrn_span message) {
    struct strangers *strangers = world->ctx;
    (void)from;
    (void)to;
    (void)message;
    for (size_t i = 0; i < WRN_COUNT(strangers->at); i++) {
        strangers->sent[i] += wrn_endpoint_equal(&way->remote, &strangers->at[i]);
    }
}

static void addresses_that_do_not_answer_are_left_alone(void **state) {
    static const char *texts[] = {
        "11.200.0.1:9", "11.200.0.2:80",     "0.0.0.0:7",   "224.0.0.1:7",
        "127.0.0.1:7",  "255.255.255.255:7", "[ff02::1]:7", "11.200.0.3:0",
    };
    (void)state;
    struct five f = five("pr", "pr");
    struct strangers strangers = {0};
    struct wrn_locator locator = {0};
    f.b->is_dead = true;
    for (size_t i = 0; i < WRN_COUNT(texts); i++) {
        wrn_span text = {(const uint8_t *)texts[i], strlen(texts[i])};
        assert_int_equal(wrn_endpoint_parse(text, &strangers.at[i]), 0);
        locator.endpoints[i].at = strangers.at[i];
        locator.endpoints[i].kind = WRN_ENDPOINT_REFLECTED;
    }
    locator.endpoint_count = WRN_COUNT(texts);
    f.world->on_sent = count_strangers;
    f.world->ctx = &strangers;
    assert_int_equal(
        wrn_paths_search(f.a->paths, pathworld_now(f.world), pathworld_handle(f.b), &locator, true),
        WRN_REASON_NONE);
    pathworld_settle(f.a);
    pathworld_pass(f.world, WRN_S(600));
    assert_in_range(strangers.sent[0], 1, 8);
    assert_in_range(strangers.sent[1], 1, 8);
    for (size_t i = 2; i < WRN_COUNT(texts); i++) {
        CHECK(strangers.sent[i] == 0, "%s: ", texts[i]);
    }
    pathworld_destroy(f.world);
}

/* Bytes that went to one endpoint and that came from it, as the machine's user sees them. */
struct balance {
    struct wrn_endpoint at;
    size_t sent_bytes, messages;
};

static void weigh(struct pathworld *world, struct pathworld_node *from, uint32_t to,
                  const struct wrn_way *way, wrn_span message) {
    struct balance *balance = world->ctx;
    (void)from;
    (void)to;
    if (wrn_endpoint_equal(&way->remote, &balance->at)) {
        balance->sent_bytes += message.size;
        balance->messages++;
    }
}

static void an_unproven_address_gets_no_more_than_it_sent(void **state) {
    (void)state;
    struct five f = five("pu", "pu");
    struct balance balance = {.at = {.ip = {{11, 9, 9, 9}, WRN_FAMILY_IPV4}, .port = 99}};
    pathworld_meet(f.a, f.b);
    pathworld_pass(f.world, WRN_S(5));
    f.world->on_sent = weigh;
    f.world->ctx = &balance;
    struct wrn_way way = {.kind = WRN_WAY_DIRECT, .remote = balance.at};
    uint8_t bytes[64] = {0};
    size_t received = 0;
    for (uint8_t kind = WRN_MESSAGE_PING; kind <= WRN_MESSAGE_PONG; kind++) {
        for (size_t size = 1; size <= sizeof bytes; size++) {
            for (unsigned flags = 0; flags < 32; flags++) {
                for (unsigned i = 0; i < 2; i++) { /* the proven incarnation, and another one */
                    bytes[0] = kind;
                    bytes[1] = (uint8_t)flags;
                    size_t before = balance.sent_bytes, messages = balance.messages;
                    wrn_paths_on_message(f.a->paths, pathworld_now(f.world), pathworld_handle(f.b),
                                         &way, f.b->incarnation + i, (wrn_span){bytes, size});
                    received += size;
                    CHECK(balance.sent_bytes - before <= size && balance.messages - messages <= 1,
                          "kind %u, %zu bytes, flags %x: ", kind, size, flags);
                }
            }
        }
    }
    pathworld_settle(f.a);
    pathworld_pass(f.world, WRN_S(60));
    assert_true(balance.messages > 0 && balance.sent_bytes <= received);
    /* Whatever it claimed, the path is what it was. */
    assert_true(pathworld_is(f.a, f.b, WRN_WAY_DIRECT));
    assert_false(
        wrn_endpoint_equal(&wrn_paths_way(f.a->paths, pathworld_handle(f.b))->remote, &balance.at));
    pathworld_destroy(f.world);
}

static void noise_is_ignored(void **state) {
    (void)state;
    struct five f = five("pr", "rc");
    pathworld_meet(f.a, f.b);
    assert_true(pathworld_until_direct(f.a, f.b, WRN_S(5)) != UINT64_MAX);
    struct wrn_rand rand = wrn_prng_rand(&f.a->prng);
    struct wrn_way way = *wrn_paths_way(f.a->paths, pathworld_handle(f.b));
    for (size_t i = 0; i < 200000; i++) {
        uint8_t bytes[300];
        size_t size = 1 + wrn_rand_below(rand, sizeof bytes);
        wrn_rand_fill(rand, bytes, size);
        bytes[0] = (uint8_t)(1 + wrn_rand_below(rand, 3));
        for (size_t j = 1; j < size && bytes[0] == WRN_MESSAGE_CALL; j++) { /* plausible ones too */
            bytes[j] = wrn_rand_below(rand, 2) == 0 ? (uint8_t)wrn_rand_below(rand, 8) : bytes[j];
        }
        if (wrn_rand_below(rand, 4) == 0) {
            wrn_rand_fill(rand, &way.remote.port, sizeof way.remote.port);
        }
        wrn_paths_on_message(f.a->paths, pathworld_now(f.world), pathworld_handle(f.b), &way,
                             f.b->incarnation, (wrn_span){bytes, size});
        pathworld_settle(f.a);
        if (i % 64 == 0) {
            pathworld_pass(f.world, WRN_MS(20));
        }
    }
    pathworld_pass(f.world, WRN_S(120));
    assert_true(pathworld_is(f.a, f.b, WRN_WAY_DIRECT));
    assert_false(f.a->peers[f.b->number].is_gone);
    assert_true(f.a->sockets_open <= 1);
    pathworld_destroy(f.world);
}

/* One search at a time for 16 peers at once: each gets its turn. */
static void searches_wait_in_line(void **state) {
    enum { MANY = 16 };
    (void)state;
    struct pathworld *world = pathworld_create(check_seed());
    world->searches_max = 1;
    for (size_t i = 0; i < HELPERS; i++) {
        (void)pathworld_add(world, "pu");
    }
    struct pathworld_node *hub = pathworld_add(world, "pr");
    meet_helpers(hub);
    pathworld_pass(world, WRN_S(2));
    for (size_t i = 0; i < MANY; i++) {
        meet_helpers(pathworld_add(world, i % 2 == 0 ? "pr" : "lx"));
    }
    pathworld_pass(world, WRN_S(5));
    for (size_t i = HELPERS + 1; i < world->count; i++) {
        pathworld_meet(hub, &world->nodes[i]);
    }
    pathworld_pass(world, WRN_S(60));
    for (size_t i = HELPERS + 1; i < world->count; i++) {
        CHECK(pathworld_is(hub, &world->nodes[i], WRN_WAY_DIRECT), "node %zu: ", i);
        assert_false(hub->peers[i].is_gone);
    }
    wrn_handle beyond = {PATHWORLD_NODES, 1};
    struct wrn_locator locator = {0};
    assert_int_equal(wrn_paths_search(hub->paths, pathworld_now(world), beyond, &locator, true),
                     WRN_REASON_FULL);
    pathworld_destroy(world);
}

/* Somebody wanted the peer, and no relay was found; then a user wants it: its time begins. */
static void a_new_wish_begins_anew(void **state) {
    (void)state;
    for (int which = 0; which < 2; which++) { /* told by a flag; by a search */
        struct five f = five("sr", "sr");
        wrn_handle b = pathworld_handle(f.b);
        f.a->may_relay = false;
        pathworld_search(f.a, f.b, true);
        wrn_paths_set_eager(f.a->paths, pathworld_now(f.world), b, false);
        pathworld_settle(f.a);
        pathworld_pass(f.world, WRN_S(19));
        assert_false(f.a->peers[f.b->number].is_gone);
        uint32_t wants = f.a->want_count;
        if (which == 0) {
            wrn_paths_set_eager(f.a->paths, pathworld_now(f.world), b, true);
            pathworld_settle(f.a);
        } else {
            pathworld_search(f.a, f.b, true);
        }
        pathworld_pass(f.world, WRN_MS(500));
        assert_true(f.a->want_count > wants);
        pathworld_pass(f.world, WRN_S(18));
        assert_false(f.a->peers[f.b->number].is_gone);
        pathworld_pass(f.world, WRN_S(10));
        assert_true(f.a->peers[f.b->number].is_gone);
        pathworld_destroy(f.world);
    }
}

/* A link of the ring is not worth 1,400 probes; when a user wants it, it is. */
static void ports_are_guessed_for_users_alone(void **state) {
    (void)state;
    struct five f = five("pr", "sr");
    pathworld_pass(f.world, WRN_S(10));
    pathworld_meet(f.a, f.b);
    wrn_paths_set_eager(f.a->paths, pathworld_now(f.world), pathworld_handle(f.b), false);
    wrn_paths_set_eager(f.b->paths, pathworld_now(f.world), pathworld_handle(f.a), false);
    uint64_t pings = pings_of(f.a, f.b);
    pathworld_pass(f.world, WRN_S(30));
    assert_true(pathworld_is(f.a, f.b, WRN_WAY_RELAY));
    assert_in_range(pings_of(f.a, f.b) - pings, 1, 100);
    wrn_paths_set_eager(f.a->paths, pathworld_now(f.world), pathworld_handle(f.b), true);
    wrn_paths_set_eager(f.b->paths, pathworld_now(f.world), pathworld_handle(f.a), true);
    pathworld_settle(f.a);
    pathworld_settle(f.b);
    assert_true(pathworld_until_direct(f.a, f.b, WRN_S(20)) != UINT64_MAX);
    pathworld_destroy(f.world);
}

/* The only search is the ring's, for somebody who does not answer; a user's takes its place. */
static void users_searches_go_first(void **state) {
    (void)state;
    for (int is_modest = 0; is_modest < 2; is_modest++) {
        struct pathworld *world = pathworld_create(check_seed());
        world->searches_max = 1;
        for (size_t i = 0; i < HELPERS; i++) {
            (void)pathworld_add(world, "pu");
        }
        struct pathworld_node *hub = pathworld_add(world, "pr");
        struct pathworld_node *dead = pathworld_add(world, "pr");
        struct pathworld_node *other = pathworld_add(world, "pr");
        meet_helpers(hub);
        meet_helpers(dead);
        meet_helpers(other);
        pathworld_pass(world, WRN_S(60)); /* each of them waits in line */
        dead->is_dead = true;
        pathworld_search(hub, dead, true);
        wrn_paths_set_eager(hub->paths, pathworld_now(world), pathworld_handle(dead),
                            is_modest == 0);
        pathworld_settle(hub);
        pathworld_pass(world, WRN_S(1));
        pathworld_meet(hub, other);
        uint64_t direct_ms = pathworld_until_direct(hub, other, WRN_S(2));
        assert_int_equal(direct_ms != UINT64_MAX, is_modest);
        pathworld_destroy(world);
    }
}

static void hopeless_pairs_have_a_reason(void **state) {
    (void)state;
    static const uint8_t random = WRN_NAT_CLASS_PORT_RANDOM, by = WRN_NAT_CLASS_ADDRESS_DEPENDENT,
                         steps = WRN_NAT_CLASS_PORT_PREDICTABLE,
                         steady = WRN_NAT_CLASS_ENDPOINT_INDEPENDENT;
    assert_int_equal(wrn_paths_hopeless(random, random), WRN_REASON_BOTH_RANDOM);
    assert_int_equal(wrn_paths_hopeless(random, by), WRN_REASON_BOTH_RANDOM);
    assert_int_equal(wrn_paths_hopeless(random, steps), WRN_REASON_RANDOM_AND_STEPS);
    assert_int_equal(wrn_paths_hopeless(steps, by), WRN_REASON_RANDOM_AND_STEPS);
    assert_int_equal(wrn_paths_hopeless(steps, steps), WRN_REASON_NONE);
    assert_int_equal(wrn_paths_hopeless(random, steady), WRN_REASON_NONE);
    assert_int_equal(wrn_paths_hopeless(WRN_NAT_CLASS_UNKNOWN, random), WRN_REASON_NONE);
}

static void the_faster_way_wins_without_flapping(void **state) {
    (void)state;
    struct five f = five("pu", "pu"); /* by IPv4 and by IPv6, both with jitter */
    pathworld_meet(f.a, f.b);
    pathworld_pass(f.world, WRN_S(3600));
    CHECK(f.a->peers[f.b->number].way_changes <= 3,
          "%u changes in an hour: ", f.a->peers[f.b->number].way_changes);
    pathworld_destroy(f.world);
}

/* Answers that cannot be timed make a node ask how fast the way is: once, however many come. Else
 * two that ask one another would do so ever more often. */
static void untimed_answers_begin_no_storm(void **state) {
    (void)state;
    enum { AT_ONCE = 12 };
    struct five f = five("pu", "pu");
    pathworld_meet(f.a, f.b);
    assert_true(pathworld_until_direct(f.a, f.b, WRN_S(2)) != UINT64_MAX);
    pathworld_pass(f.world, WRN_S(30));
    struct wrn_paths_peer *a_of_b = wrn_paths_peer_of(f.a->paths, pathworld_handle(f.b));
    struct wrn_paths_peer *b_of_a = wrn_paths_peer_of(f.b->paths, pathworld_handle(f.a));
    assert_true(a_of_b != NULL && b_of_a != NULL);
    a_of_b->incarnation ^= 1; /* so that it answers each ping with a question */
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        wrn_paths_send_ping(f.b->paths, pathworld_now(f.world), b_of_a, &b_of_a->way, 0, false);
    }
    pathworld_settle(f.b);
    uint64_t pings = f.a->peers[f.b->number].pings;
    pathworld_pass(f.world, WRN_S(2));
    pings = f.a->peers[f.b->number].pings - pings;
    CHECK(pings >= 1 && pings <= 3, "%llu pings: ", (unsigned long long)pings);
    pathworld_destroy(f.world);
}

static void lossy_paths_are_not_given_up(void **state) {
    (void)state;
    struct five f = five("pr", "rc");
    struct sim_link line = {.delay_ns = WRN_MS(40), .jitter_ns = WRN_MS(20), .loss_ppm = 50000};
    pathworld_meet(f.a, f.b);
    pathworld_pass(f.world, WRN_S(5));
    sim_host_set_link(f.world->net, f.a->host, &line, &line);
    sim_host_set_link(f.world->net, f.b->host, &line, &line);
    pathworld_pass(f.world, WRN_S(4 * 3600));
    assert_true(pathworld_is(f.a, f.b, WRN_WAY_DIRECT));
    assert_false(f.a->peers[f.b->number].is_gone || f.b->peers[f.a->number].is_gone);
    pathworld_destroy(f.world);
}

static void a_forgotten_peer_leaves_nothing(void **state) {
    (void)state;
    struct five f = five("sr", "pr");
    pathworld_meet(f.a, f.b);
    pathworld_pass(f.world, WRN_S(4)); /* in the middle of guessing */
    wrn_paths_forget(f.a->paths, pathworld_handle(f.b));
    wrn_paths_forget(f.b->paths, pathworld_handle(f.a));
    pathworld_settle(f.a);
    pathworld_settle(f.b);
    assert_int_equal(f.a->sockets_open, 0);
    uint64_t pings = pings_of(f.a, f.b);
    pathworld_pass(f.world, WRN_S(120));
    assert_int_equal(pings_of(f.a, f.b), pings);
    assert_false(f.a->peers[f.b->number].is_gone); /* who forgets is not told */
    pathworld_meet(f.a, f.b);
    pathworld_pass(f.world, WRN_S(1));
    assert_true(pathworld_is(f.a, f.b, WRN_WAY_RELAY));
    pathworld_destroy(f.world);
}

static void a_peer_takes_little_memory(void **state) {
    (void)state;
    size_t sizes[2];
    for (size_t i = 0; i < 2; i++) {
        struct wrn_paths_options options = {.peers_max = i == 0 ? 64 : 128, .searches_max = 4};
        struct wrn_arena arena;
        wrn_arena_init(&arena, NULL, 0);
        assert_null(
            wrn_paths_init(&arena, &options, (struct wrn_paths_port){0}, (struct wrn_rand){0}));
        sizes[i] = arena.used;
    }
    size_t each = (sizes[1] - sizes[0]) / 64;
    print_message("# %zu bytes a peer, %zu for 64 peers and 4 searches\n", each, sizes[0]);
    assert_true(each <= 280);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dead_peers_are_noticed),
        cmocka_unit_test(silent_peers_are_noticed_without_a_hint),
        cmocka_unit_test(a_moved_peer_is_followed),
        cmocka_unit_test(a_renumbered_box_is_followed),
        cmocka_unit_test(a_restarted_box_is_survived),
        cmocka_unit_test(the_period_is_learned),
        cmocka_unit_test(idle_paths_cost_little),
        cmocka_unit_test(a_young_path_outlives_its_box),
        cmocka_unit_test(both_ends_learn_the_period),
        cmocka_unit_test(the_shorter_period_counts),
        cmocka_unit_test(a_relay_carries_until_a_direct_way_is_found),
        cmocka_unit_test(traffic_asks_for_a_direct_way_sooner),
        cmocka_unit_test(a_lost_relay_is_replaced),
        cmocka_unit_test(without_a_relay_it_ends_with_a_reason),
        cmocka_unit_test(two_in_one_home_use_the_lan),
        cmocka_unit_test(carriers_hairpin_decides),
        cmocka_unit_test(a_liar_spoils_nothing),
        cmocka_unit_test(addresses_that_do_not_answer_are_left_alone),
        cmocka_unit_test(an_unproven_address_gets_no_more_than_it_sent),
        cmocka_unit_test(noise_is_ignored),
        cmocka_unit_test(searches_wait_in_line),
        cmocka_unit_test(a_new_wish_begins_anew),
        cmocka_unit_test(ports_are_guessed_for_users_alone),
        cmocka_unit_test(users_searches_go_first),
        cmocka_unit_test(hopeless_pairs_have_a_reason),
        cmocka_unit_test(the_faster_way_wins_without_flapping),
        cmocka_unit_test(untimed_answers_begin_no_storm),
        cmocka_unit_test(lossy_paths_are_not_given_up),
        cmocka_unit_test(a_forgotten_peer_leaves_nothing),
        cmocka_unit_test(a_peer_takes_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
