/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a NAT is classed by what peers see, whatever one of them says. Method: a table of boxes
 * of the simulator, spoken through to several observers; then liars and few witnesses. */
#include "overlay/nat_class.h"
#include "sim/nat.h"
#include "unit/base/check.h"

enum { OBSERVERS = 6, PORT = 7000 };

static const struct wrn_endpoint inner = {.ip = {{192, 168, 1, 2}, WRN_FAMILY_IPV4}, .port = PORT};
static const struct wrn_locator_endpoint local = {
    .at = {.ip = {{192, 168, 1, 2}, WRN_FAMILY_IPV4}, .port = PORT}};

/* What a node knows after it spoke to observers, the odd ones at the address of the one before. */
struct seen {
    struct wrn_nat_sight sights[OBSERVERS];
    uint16_t fresh[4];
};

static struct sim_nat_options pooled(void);
static struct wrn_endpoint observer(size_t i, bool shares);
static struct seen look_through(const struct sim_nat_options *options, uint64_t seed, bool shares,
                                uint32_t strangers);

static struct sim_nat_options pooled(void) {
    struct sim_nat_options options = sim_nat_carrier();
    options.addresses = 4;
    return options;
}

static struct wrn_endpoint observer(size_t i, bool shares) {
    uint8_t host = (uint8_t)(shares ? 1 + i / 2 : 1 + i);
    return (struct wrn_endpoint){.ip = {{11, 1, 1, host}, WRN_FAMILY_IPV4},
                                 .port = (uint16_t)(5000 + i)};
}

/* 'strangers' flows of another machine at home come between each two of ours. */
static struct seen look_through(const struct sim_nat_options *options, uint64_t seed, bool shares,
                                uint32_t strangers) {
    struct seen seen = {0};
    struct wrn_prng prng;
    struct wrn_ip outer[SIM_NAT_ADDRESSES_MAX] = {0};
    wrn_prng_init(&prng, seed, 0);
    for (size_t i = 0; i < SIM_NAT_ADDRESSES_MAX; i++) {
        outer[i] = (struct wrn_ip){{11, 2, 2, (uint8_t)(1 + i)}, WRN_FAMILY_IPV4};
    }
    struct sim_nat_box *box = sim_nat_box_create(options, &prng);
    sim_nat_box_set_addresses(box, outer);
    wrn_mono now = {WRN_S(1)};
    uint16_t stranger_port = 9000;
    for (size_t i = 0; i < OBSERVERS + 4; i++) {
        struct wrn_endpoint from = inner, to = observer(i < OBSERVERS ? i : 0, shares);
        if (i >= OBSERVERS) { /* from new sockets to the first one */
            from.port = (uint16_t)(30000 + 1111 * i);
        }
        assert_int_equal(sim_nat_box_outbound(box, now, &from, &to), SIM_NAT_PASSES);
        if (i < OBSERVERS) {
            seen.sights[i] = (struct wrn_nat_sight){to, from, (uint32_t)i};
        } else {
            seen.fresh[i - OBSERVERS] = from.port;
        }
        for (uint32_t k = 0; k < strangers; k++) {
            struct wrn_endpoint other = {.ip = {{192, 168, 1, 3}, WRN_FAMILY_IPV4},
                                         .port = stranger_port++};
            assert_int_equal(sim_nat_box_outbound(box, now, &other, &to), SIM_NAT_PASSES);
        }
    }
    sim_nat_box_destroy(box);
    return seen;
}

static void each_box_has_its_class(void **state) {
    const struct sim_nat_options by_address = sim_nat_by_address();
    const struct sim_nat_options next_1 = sim_nat_symmetric(SIM_PORTS_NEXT, 1);
    const struct sim_nat_options next_7 = sim_nat_symmetric(SIM_PORTS_NEXT, 7);
    const struct sim_nat_options random_ports = sim_nat_symmetric(SIM_PORTS_RANDOM, 0);
    const struct sim_nat_options open = sim_nat_cone(SIM_INDEPENDENT);
    const struct sim_nat_options closed = sim_nat_cone(SIM_ADDRESS_AND_PORT);
    const struct {
        const char *name;
        struct sim_nat_options options;
        enum wrn_nat_class nat_class;
        int32_t step;
        bool shares;   /* two observers at each address */
        bool measures; /* ports of new flows are known */
        uint32_t strangers;
    } cases[] = {
        {"open cone", open, WRN_NAT_CLASS_ENDPOINT_INDEPENDENT, 0, false, false, 0},
        {"closed cone", closed, WRN_NAT_CLASS_ENDPOINT_INDEPENDENT, 0, false, false, 2},
        {"Linux", sim_nat_linux(), WRN_NAT_CLASS_ENDPOINT_INDEPENDENT, 0, false, false, 0},
        {"carrier", sim_nat_carrier(), WRN_NAT_CLASS_ENDPOINT_INDEPENDENT, 0, false, false, 0},
        {"carrier with a pool", pooled(), WRN_NAT_CLASS_ENDPOINT_INDEPENDENT, 0, true, false, 0},
        {"by address", by_address, WRN_NAT_CLASS_ADDRESS_DEPENDENT, 0, true, false, 0},
        {"by address, unseen", by_address, WRN_NAT_CLASS_PORT_RANDOM, 0, false, false, 0},
        {"by address, measured", by_address, WRN_NAT_CLASS_ADDRESS_DEPENDENT, 0, true, true, 0},
        {"next", next_1, WRN_NAT_CLASS_PORT_PREDICTABLE, 1, false, false, 0},
        {"next, measured", next_1, WRN_NAT_CLASS_PORT_PREDICTABLE, 1, false, true, 0},
        {"next, shared addresses", next_1, WRN_NAT_CLASS_PORT_PREDICTABLE, 1, true, true, 0},
        {"seventh", next_7, WRN_NAT_CLASS_PORT_PREDICTABLE, 7, false, false, 0},
        {"seventh, measured", next_7, WRN_NAT_CLASS_PORT_PREDICTABLE, 7, false, true, 0},
        {"random", random_ports, WRN_NAT_CLASS_PORT_RANDOM, 0, false, false, 0},
        {"random, measured", random_ports, WRN_NAT_CLASS_PORT_RANDOM, 0, false, true, 3},
    };
    (void)state;
    uint64_t seed = check_seed();
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        uint32_t wrong = 0;
        for (uint64_t k = 0; k < 100; k++) {
            struct seen seen =
                look_through(&cases[i].options, seed + k, cases[i].shares, cases[i].strangers);
            struct wrn_nat_view view = wrn_nat_classify(seen.sights, OBSERVERS, seen.fresh,
                                                        cases[i].measures ? 4 : 0, &local, 1);
            bool is_right = view.nat_class == cases[i].nat_class &&
                            view.port_step == cases[i].step &&
                            (cases[i].nat_class != WRN_NAT_CLASS_PORT_PREDICTABLE ||
                             !cases[i].measures || view.port_last == seen.fresh[3]);
            wrong += !is_right;
            assert_int_equal(view.outer.ip.bytes[0], 11);
        }
        /* Chance may make random ports look like steps, in a few of ten thousand. */
        CHECK(wrong <= 1, "%s: wrong in %u of 100: ", cases[i].name, wrong);
    }
}

/* A step that others' flows hide is a multiple of the true one. */
static void steps_of_a_busy_home_are_multiples(void **state) {
    (void)state;
    for (uint32_t strangers = 1; strangers <= 4; strangers++) {
        struct sim_nat_options options = sim_nat_symmetric(SIM_PORTS_NEXT, 1);
        struct seen seen = look_through(&options, check_seed(), false, strangers);
        struct wrn_nat_view view =
            wrn_nat_classify(seen.sights, OBSERVERS, seen.fresh, 4, &local, 1);
        assert_int_equal(view.nat_class, WRN_NAT_CLASS_PORT_PREDICTABLE);
        assert_int_equal(view.port_step, strangers + 1);
    }
}

static void no_nat_is_seen(void **state) {
    (void)state;
    struct wrn_locator_endpoint home = {.at = {.ip = {{11, 3, 3, 3}, WRN_FAMILY_IPV4}, .port = 9}};
    struct wrn_nat_sight sights[3];
    for (size_t i = 0; i < 3; i++) {
        sights[i] = (struct wrn_nat_sight){observer(i, false), home.at, (uint32_t)i};
    }
    for (size_t count = 1; count <= 3; count++) {
        assert_int_equal(wrn_nat_classify(sights, count, NULL, 0, &home, 1).nat_class,
                         WRN_NAT_CLASS_NONE);
    }
    sights[0].outer.ip.bytes[3] = 77; /* alone it is not believed against our own address */
    struct wrn_nat_view view = wrn_nat_classify(sights, 1, NULL, 0, &home, 1);
    assert_int_equal(view.nat_class, WRN_NAT_CLASS_UNKNOWN);
    assert_int_equal(view.outer.ip.family, WRN_FAMILY_NONE);
    assert_int_equal(wrn_nat_classify(sights, 3, NULL, 0, &home, 1).nat_class, WRN_NAT_CLASS_NONE);
}

static void few_witnesses_prove_nothing(void **state) {
    (void)state;
    struct sim_nat_options options = sim_nat_symmetric(SIM_PORTS_RANDOM, 0);
    struct seen seen = look_through(&options, check_seed(), false, 0);
    for (size_t count = 0; count < 3; count++) {
        assert_int_equal(wrn_nat_classify(seen.sights, count, NULL, 0, &local, 1).nat_class,
                         WRN_NAT_CLASS_UNKNOWN);
    }
    options = sim_nat_by_address(); /* two at one address: the same port for both tells nothing */
    seen = look_through(&options, check_seed(), true, 0);
    assert_int_equal(wrn_nat_classify(seen.sights, 2, NULL, 0, &local, 1).nat_class,
                     WRN_NAT_CLASS_UNKNOWN);
}

/* One of four lies, at each place, about the port, the address or both. */
static void one_liar_changes_nothing(void **state) {
    const struct sim_nat_options boxes[] = {
        sim_nat_cone(SIM_ADDRESS_AND_PORT),
        sim_nat_linux(),
        sim_nat_symmetric(SIM_PORTS_NEXT, 1),
        sim_nat_symmetric(SIM_PORTS_RANDOM, 0),
    };
    (void)state;
    uint64_t seed = check_seed();
    for (size_t i = 0; i < WRN_COUNT(boxes); i++) {
        struct seen honest = look_through(&boxes[i], seed, false, 0);
        struct wrn_nat_view truth = wrn_nat_classify(honest.sights, 4, honest.fresh, 4, &local, 1);
        for (size_t liar = 0; liar < 4; liar++) {
            for (unsigned lie = 1; lie < 4; lie++) {
                struct seen seen = honest;
                seen.sights[liar].outer.port ^= (lie & 1) != 0 ? 0x1234 : 0;
                seen.sights[liar].outer.ip.bytes[2] ^= (lie & 2) != 0 ? 0x55 : 0;
                struct wrn_nat_view view =
                    wrn_nat_classify(seen.sights, 4, seen.fresh, 4, &local, 1);
                CHECK(view.nat_class == truth.nat_class && view.port_step == truth.port_step,
                      "box %zu, liar %zu, lie %u: class %d: ", i, liar, lie, view.nat_class);
                assert_true(wrn_ip_equal(&view.outer.ip, &truth.outer.ip));
            }
        }
    }
}

/* A router that kept strays gave other ports to most: our own port was seen all the same. */
static void a_kept_port_is_recognised(void **state) {
    (void)state;
    struct sim_nat_options options = sim_nat_symmetric(SIM_PORTS_RANDOM, 0);
    struct seen seen = look_through(&options, check_seed(), false, 0);
    seen.sights[2].outer.port = PORT;
    struct wrn_nat_view view = wrn_nat_classify(seen.sights, 4, NULL, 0, &local, 1);
    assert_int_equal(view.nat_class, WRN_NAT_CLASS_ENDPOINT_INDEPENDENT);
    assert_int_equal(view.outer.port, PORT);
}

static void ports_are_counted_round_the_circle(void **state) {
    (void)state;
    assert_int_equal(wrn_nat_port_after(65535, 1, 1), 1024);
    assert_int_equal(wrn_nat_port_after(1024, -1, 1), 65535);
    assert_int_equal(wrn_nat_port_after(1024, 7, 3), 1045);
    assert_int_equal(wrn_nat_port_distance(65535, 1024), 1);
    assert_int_equal(wrn_nat_port_distance(1024, 65535), -1);
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (size_t i = 0; i < 100000; i++) {
        uint16_t from = (uint16_t)(1024 + wrn_rand_below(rand, 64512));
        int32_t way = (int32_t)wrn_rand_below(rand, 64512) - 32256;
        uint16_t to = wrn_nat_port_after(from, 1, way);
        assert_true(to >= 1024);
        assert_int_equal(wrn_nat_port_distance(from, to), way);
        int32_t step = (int32_t)wrn_rand_below(rand, 65536) - 32768;
        assert_true(wrn_nat_port_after((uint16_t)i, step, (int32_t)i) >= 1024);
    }
}

/* Steps that pass the end of the ports are steps still. */
static void steps_wrap(void **state) {
    (void)state;
    const uint16_t rising[] = {65530, 65533, 1024, 1027}, falling[] = {1030, 1025, 65532, 65527};
    struct sim_nat_options options = sim_nat_symmetric(SIM_PORTS_RANDOM, 0);
    struct seen seen = look_through(&options, check_seed(), false, 0);
    assert_int_equal(wrn_nat_classify(seen.sights, 4, rising, 4, &local, 1).port_step, 3);
    assert_int_equal(wrn_nat_classify(seen.sights, 4, falling, 4, &local, 1).port_step, -5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_box_has_its_class),
        cmocka_unit_test(steps_of_a_busy_home_are_multiples),
        cmocka_unit_test(no_nat_is_seen),
        cmocka_unit_test(few_witnesses_prove_nothing),
        cmocka_unit_test(one_liar_changes_nothing),
        cmocka_unit_test(a_kept_port_is_recognised),
        cmocka_unit_test(ports_are_counted_round_the_circle),
        cmocka_unit_test(steps_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
