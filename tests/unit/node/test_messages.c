/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a peer says of itself is believed as far as it is proven, and no bytes of a member do
 * harm. Method: messages made by hand, cut, changed and drawn at random, handed to a node. */
#include "node/network_internal.h"
#include "unit/node/hosts.h"

enum { ALICE, BOB, CAROL, ROUNDS = 3000 };

static uint32_t alices, bobs, carols;
static struct wrn_network *network;
static struct wrn_network_peer *bob;
static uint32_t number = 1001;

static bool is_settled(void) {
    struct wrn_node_peer_info peer;
    return hosts_peer(ALICE, alices, BOB, &peer) && peer.ipv4.family == WRN_FAMILY_IPV4 &&
           hosts_info(ALICE, alices).name == WRN_CLAIM_HELD &&
           hosts_info(BOB, bobs).name == WRN_CLAIM_HELD;
}

static int set_up(void **state) {
    int error = hosts_begin(state);
    hosts_add('a');
    hosts_add('b');
    alices = hosts_create(ALICE, "lab", "10.77.0.0/24");
    hosts_run(2000);
    bobs = hosts_join(BOB, ALICE, alices, "(member)", 0);
    hosts_until(is_settled, 60, "two hosts know each other");
    hosts_run(15000);
    network = wrn_node_network(hosts[ALICE].node, hosts[ALICE].networks[alices]);
    uint8_t key[WRN_SIGN_PUBLIC_SIZE];
    hosts_public('b', key);
    bob = wrn_network_peer_by_key(network, key);
    assert_non_null(bob);
    return error;
}

/* Hands Alice a message of Bob's. */
static void hear(wrn_span message) {
    hosts_before();
    wrn_network_begin(network, hosts_now, hosts_out);
    wrn_network_on_addresses(network, bob, message);
    wrn_network_end(network);
    hosts_perform(ALICE);
}

/* The record of an address that the host keeps. */
static wrn_span record_of(uint32_t host, uint32_t of) {
    struct wrn_network *its = wrn_node_network(hosts[host].node, hosts[host].networks[of]);
    char key[WRN_RECORD_KEY_MAX];
    size_t size = wrn_lease_key(&its->address, key);
    return wrn_overlay_kept(its->overlay, (wrn_span){(const uint8_t *)key, size});
}

static size_t make(const char *label, const struct wrn_prefix *routes, uint8_t count,
                   wrn_span record, uint8_t out[2048]) {
    struct wrn_writer writer = wrn_writer(out, 2048);
    number += 2; /* odd: it does not wait */
    wrn_write_u8(&writer, WRN_NETWORK_ADDRESSES);
    wrn_write_u32(&writer, number);
    wrn_write_u32(&writer, 0);
    wrn_write_u8(&writer, 0); /* no other suite */
    wrn_write_u8(&writer, (uint8_t)strlen(label));
    wrn_write_bytes(&writer, label, strlen(label));
    wrn_write_u8(&writer, count);
    for (uint8_t i = 0; i < count; i++) {
        wrn_write_u8(&writer, routes[i].ip.family);
        wrn_write_u8(&writer, routes[i].length_bits);
        wrn_write_bytes(&writer, routes[i].ip.bytes,
                        routes[i].ip.family == WRN_FAMILY_IPV4 ? 4 : 16);
    }
    wrn_write_u16(&writer, (uint16_t)record.size);
    wrn_write_span(&writer, record);
    return wrn_written(&writer).size;
}

static void test_believed(void **state) {
    (void)state;
    static const wrn_span nothing = {NULL, 0};
    uint8_t message[2048];
    struct wrn_ip ipv4 = bob->ipv4;
    hear((wrn_span){message, make("other", NULL, 0, nothing, message)});
    assert_string_equal(bob->label, "other");
    assert_int_equal(bob->ipv4.family, WRN_FAMILY_NONE);
    hear((wrn_span){message, make("host-b", NULL, 0, record_of(BOB, bobs), message)});
    assert_true(wrn_ip_equal(&bob->ipv4, &ipv4));
    /* somebody else's record, and its own with a byte changed */
    hear((wrn_span){message, make("host-b", NULL, 0, record_of(ALICE, alices), message)});
    assert_int_equal(bob->ipv4.family, WRN_FAMILY_NONE);
    size_t size = make("host-b", NULL, 0, record_of(BOB, bobs), message);
    message[size - 1] ^= 1;
    hear((wrn_span){message, size});
    assert_int_equal(bob->ipv4.family, WRN_FAMILY_NONE);
    hear((wrn_span){message, make("host-b", NULL, 0, record_of(BOB, bobs), message)});
    assert_int_equal(bob->ipv4.family, WRN_FAMILY_IPV4);
    assert_int_equal(bob->allowed_count, 3);
}

static void test_refused(void **state) {
    (void)state;
    static const wrn_span nothing = {NULL, 0};
    struct wrn_prefix routes[WRN_STATE_ROUTES_MAX + 1];
    uint8_t message[2048];
    uint32_t heard = bob->heard;
    for (uint32_t i = 0; i <= WRN_STATE_ROUTES_MAX; i++) {
        routes[i] = (struct wrn_prefix){
            .ip = {.bytes = {192, 168, (uint8_t)i, 0}, .family = WRN_FAMILY_IPV4},
            .length_bits = 24};
    }
    hear((wrn_span){message, make("No-Label", NULL, 0, nothing, message)});
    hear((wrn_span){message, make("host-b", routes, WRN_STATE_ROUTES_MAX + 1, nothing, message)});
    routes[0].length_bits = 23;
    routes[1].length_bits = 23; /* 192.168.1.0 has a bit behind that */
    hear((wrn_span){message, make("host-b", routes, 2, nothing, message)});
    routes[0].length_bits = 33;
    hear((wrn_span){message, make("host-b", routes, 1, nothing, message)});
    routes[0].ip.family = 5;
    hear((wrn_span){message, make("host-b", routes, 1, nothing, message)});
    assert_int_equal(bob->heard, heard);
    assert_string_equal(bob->label, "host-b");
    /* what its certificates do not permit is heard, and not used */
    routes[0] = routes[3];
    hear((wrn_span){message, make("host-b", routes, 1, nothing, message)});
    assert_int_equal(bob->route_count, 1);
    network->wants_routes = true;
    hosts_run(1000);
    for (uint8_t i = 0; i < bob->allowed_count; i++) {
        assert_int_not_equal(bob->allowed[i].length_bits, 24);
    }
}

static bool carol_is_settled(void) {
    struct wrn_node_peer_info peer;
    return hosts_info(CAROL, carols).name == WRN_CLAIM_HELD &&
           hosts_peer(ALICE, alices, CAROL, &peer) && peer.ipv4.family == WRN_FAMILY_IPV4;
}

/* Bob signs that he has had Carol's address for longer than she. */
static size_t make_false_record(const struct wrn_ip *ip, uint8_t out[WRN_RECORD_MAX]) {
    char key[WRN_RECORD_KEY_MAX];
    uint8_t value[WRN_CLAIM_VALUE_MAX], seed[WRN_SEED_SIZE];
    size_t key_size = wrn_lease_key(ip, key);
    size_t value_size = wrn_lease_value(ip, "host-b", value);
    struct wrn_record record = {.kind = WRN_RECORD_CREATE,
                                .key = {(const uint8_t *)key, key_size},
                                .value = {value, value_size},
                                .proof = {bob->chain, bob->chain_size},
                                .sequence = 1,
                                .claimed_s = hosts_now.wall.s - 250,
                                .made_s = hosts_now.wall.s,
                                .ttl_s = 7200};
    memset(seed, 'b', sizeof(seed));
    return wrn_record_write(&record, network->node->options.primitives, seed, out, WRN_RECORD_MAX);
}

static void test_taking_an_address(void **state) {
    (void)state;
    uint8_t bytes[WRN_RECORD_MAX], message[2048];
    assert_int_equal(hosts_add('c'), CAROL);
    carols = hosts_join(CAROL, ALICE, alices, "(member)", 0);
    hosts_until(carol_is_settled, 60, "a third host has joined");
    hosts_run(10000);
    struct wrn_ip hers = hosts_info(CAROL, carols).ipv4;
    struct wrn_network_peer *carol = wrn_network_peer_at(network, &hers);
    assert_non_null(carol);
    assert_true(wrn_ip_equal(&carol->ipv4_proven, &hers)); /* the table was asked */
    size_t size = make_false_record(&hers, bytes);
    assert_true(size > 0);
    hosts_are_apart[BOB][ALICE] = true; /* the true one would speak at once */
    hear((wrn_span){message, make("host-b", NULL, 0, (wrn_span){bytes, size}, message)});
    assert_true(wrn_ip_equal(&bob->ipv4_shown, &hers)); /* the record is good by itself */
    assert_int_equal(bob->ipv4.family, WRN_FAMILY_NONE);
    assert_ptr_equal(wrn_network_peer_at(network, &hers), carol);
    hosts_run(5000);
    assert_true(bob->is_doubted);
    assert_ptr_equal(wrn_network_peer_at(network, &hers), carol);
    /* not even while she is away */
    hear((wrn_span){message, make("host-b", NULL, 0, (wrn_span){NULL, 0}, message)});
    hosts_stop(CAROL);
    hosts_run(100);
    carol->ipv4.family = carol->ipv4_proven.family = WRN_FAMILY_NONE;
    hear((wrn_span){message, make("host-b", NULL, 0, (wrn_span){bytes, size}, message)});
    assert_int_equal(bob->ipv4.family, WRN_FAMILY_NONE);
    hosts_run(5000);
    assert_int_equal(bob->ipv4.family, WRN_FAMILY_NONE);
    /* its own it gets back, once the table has said so */
    hosts_are_apart[BOB][ALICE] = false;
    hear((wrn_span){message, make("host-b", NULL, 0, record_of(BOB, bobs), message)});
    hosts_run(5000);
    assert_int_equal(bob->ipv4.family, WRN_FAMILY_IPV4);
    assert_false(bob->is_doubted);
}

static void test_noise(void **state) {
    (void)state;
    struct wrn_prng prng;
    uint8_t good[2048], message[2048];
    wrn_prng_init(&prng, check_seed(), 1);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        size_t size = make("host-b", NULL, 0, record_of(BOB, bobs), good);
        size_t cut = (size_t)(wrn_prng_next(&prng) % (size + 1));
        memcpy(message, good, size);
        if (i % 3 == 0) {
            message[wrn_prng_next(&prng) % size] ^= (uint8_t)(1 + wrn_prng_next(&prng) % 255);
            cut = size;
        } else if (i % 3 == 1) {
            wrn_rand_fill(wrn_prng_rand(&prng), message + 1, size - 1);
        }
        hear((wrn_span){message, cut});
        assert_true(bob->ipv4.family == WRN_FAMILY_NONE || bob->ipv4.bytes[0] == 10);
        assert_true(bob->allowed_count <= 3);
    }
    size_t size = make("host-b", NULL, 0, record_of(BOB, bobs), good);
    hear((wrn_span){good, size});
    assert_int_equal(bob->allowed_count, 3);
}

/* The last byte of an address that he was not lent. */
static uint8_t not_bobs(void) {
    return bob->ipv4.bytes[3] == 9 ? 10 : 9;
}

/* What Bob, called so, says of himself, signed by whom. */
static size_t make_info(const char *label, char signer, uint8_t out[2048]) {
    struct wrn_writer writer = wrn_writer(out, 2048);
    uint8_t key[WRN_SIGN_PUBLIC_SIZE], seed[WRN_SEED_SIZE], hash[WRN_SHA256_SIZE];
    uint8_t head[160], signature[WRN_SIGNATURE_SIZE];
    const uint8_t ipv4[4] = {10, 77, 0, not_bobs()};
    struct wrn_writer signs = wrn_writer(head, sizeof(head));
    hosts_public('b', key);
    memset(seed, signer, sizeof(seed));
    wrn_write_bytes(&signs, network->descriptor.id, WRN_NETWORK_ID_SIZE);
    wrn_write_u64(&signs, network->walk->nonce);
    wrn_write_bytes(&signs, ipv4, sizeof(ipv4));
    wrn_write_u8(&signs, (uint8_t)strlen(label));
    wrn_write_bytes(&signs, label, strlen(label));
    wrn_sha256(wrn_written(&signs), (wrn_span){bob->chain, bob->chain_size}, hash);
    assert_true(wrn_sign(seed, "warren member 1", (wrn_span){hash, sizeof(hash)}, signature));
    wrn_write_u8(&writer, WRN_NETWORK_INFO);
    wrn_write_u64(&writer, network->walk->nonce);
    wrn_write_bytes(&writer, key, sizeof(key));
    wrn_write_bytes(&writer, ipv4, sizeof(ipv4));
    wrn_write_u8(&writer, (uint8_t)strlen(label));
    wrn_write_bytes(&writer, label, strlen(label));
    wrn_write_bytes(&writer, signature, sizeof(signature));
    wrn_write_bytes(&writer, bob->chain, bob->chain_size);
    return wrn_written(&writer).size;
}

/* Nobody speaks for another one; and what he says of himself is not what the table says. */
static void test_info_is_signed(void **state) {
    (void)state;
    uint8_t message[2048];
    hosts_before();
    wrn_node_members(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices], 9, hosts_out);
    hosts_perform(ALICE);
    for (uint32_t i = 0; i < 100 && network->walk->count < 2; i++) {
        hosts_run(1); /* Bob's own answer takes ten milliseconds from then on */
    }
    assert_int_equal(network->walk->count, 2);
    uint32_t before = hosts[ALICE].answer_count;
    const char signers[] = {'c', 'b'};
    for (size_t i = 0; i < sizeof(signers); i++) {
        size_t size = make_info("false", signers[i], message);
        hosts_before();
        wrn_network_begin(network, hosts_now, hosts_out);
        wrn_network_on_info(network, bob->id, (wrn_span){message, size});
        wrn_network_end(network);
        hosts_perform(ALICE);
        assert_true(hosts[ALICE].answer_count - before == (signers[i] == 'b' ? 2 : 0));
    }
    const struct wrn_node_answer *said = &hosts[ALICE].answers[before];
    assert_string_equal(said->label, "false");
    assert_int_equal(said->ipv4.bytes[3], not_bobs());
    assert_false(said->is_proven);
}

/* Answers to a question for who is there: only what was asked of whom it came counts. */
static void test_info(void **state) {
    (void)state;
    struct wrn_prng prng;
    uint8_t message[256];
    wrn_prng_init(&prng, check_seed(), 2);
    hosts_before();
    wrn_node_members(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices], 9, hosts_out);
    hosts_perform(ALICE);
    uint32_t before = hosts[ALICE].answer_count;
    for (uint32_t i = 0; i < 500; i++) {
        wrn_rand_fill(wrn_prng_rand(&prng), message, sizeof(message));
        message[0] = WRN_NETWORK_INFO;
        if (i % 2 == 0) { /* the nonce is known, the key is nobody's */
            wrn_store_be64(message + 1, network->walk->nonce);
            message[45] = 0;
        }
        hosts_before();
        wrn_network_begin(network, hosts_now, hosts_out);
        wrn_network_on_info(network, bob->id, (wrn_span){message, i % sizeof(message)});
        wrn_network_on_info_ask(network, bob->id, (wrn_span){message, i % 12});
        wrn_network_end(network);
        hosts_perform(ALICE);
    }
    assert_int_equal(hosts[ALICE].answer_count, before);
    hosts_run(5000);
    assert_int_equal(hosts[ALICE].answers[hosts[ALICE].answer_count - 1].is_last, true);
    assert_int_equal(hosts[ALICE].answer_count, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_believed, set_up, hosts_end),
        cmocka_unit_test_setup_teardown(test_refused, set_up, hosts_end),
        cmocka_unit_test_setup_teardown(test_taking_an_address, set_up, hosts_end),
        cmocka_unit_test_setup_teardown(test_noise, set_up, hosts_end),
        cmocka_unit_test_setup_teardown(test_info, set_up, hosts_end),
        cmocka_unit_test_setup_teardown(test_info_is_signed, set_up, hosts_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
