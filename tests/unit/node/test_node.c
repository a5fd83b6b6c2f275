/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: whole nodes find each other, have addresses and names, send what both may send, and no
 * longer than they may. Method: a few hosts in virtual time. */
#include <stdio.h>

#include "unit/node/hosts.h"

enum { ALICE, BOB, CAROL, DAVE };

static uint32_t alices, bobs, carols;

static bool is_settled(uint32_t host, uint32_t network) {
    struct wrn_node_network_info info = hosts_info(host, network);
    return info.ring == WRN_RING_STATE_CONNECTED && info.lease == WRN_CLAIM_HELD &&
           info.name == WRN_CLAIM_HELD && info.ipv4.family == WRN_FAMILY_IPV4;
}

static bool two_are_settled(void) {
    return is_settled(ALICE, alices) && is_settled(BOB, bobs);
}

static bool three_are_settled(void) {
    return two_are_settled() && is_settled(CAROL, carols);
}

static bool two_know_addresses(void) {
    struct wrn_node_peer_info a, b;
    return hosts_peer(ALICE, alices, BOB, &a) && hosts_peer(BOB, bobs, ALICE, &b) &&
           a.ipv4.family == WRN_FAMILY_IPV4 && b.ipv4.family == WRN_FAMILY_IPV4 && !a.is_waiting &&
           !b.is_waiting;
}

static void make_two(const char *element, int64_t until_s) {
    assert_int_equal(hosts_add('a'), ALICE);
    assert_int_equal(hosts_add('b'), BOB);
    alices = hosts_create(ALICE, "lab", "10.77.0.0/24");
    hosts_run(2000);
    bobs = hosts_join(BOB, ALICE, alices, element, until_s);
    hosts_until(two_are_settled, 60, "two hosts have addresses and names");
    hosts_until(two_know_addresses, 20, "they have told each other");
}

static struct wrn_ip hit_of(uint32_t host) {
    struct wrn_ip ip = {.family = WRN_FAMILY_IPV6};
    memcpy(ip.bytes, wrn_node_hit(hosts[host].node), WRN_HIT_SIZE);
    return ip;
}

static void send(uint32_t host, uint32_t network, const struct wrn_ip *from,
                 const struct wrn_ip *to, const char *text) {
    struct host_packet packet = hosts_packet(from, to, text);
    hosts_send(host, network, (wrn_span){packet.bytes, packet.size});
}

static void test_alone(void **state) {
    (void)state;
    hosts_add('a');
    uint32_t network = hosts_create(ALICE, "lab", "10.77.0.0/29");
    hosts_run(5000);
    struct wrn_node_network_info info = hosts_info(ALICE, network);
    assert_int_equal(info.lease, WRN_CLAIM_HELD);
    assert_int_equal(info.name, WRN_CLAIM_HELD);
    assert_string_equal(info.label, "host-a");
    assert_string_equal(info.trouble, "");
    assert_true(info.rights & WRN_RIGHT_OWNER);
    assert_int_equal(info.resolver.bytes[3], 1);
    /* the resolver, IPv6, the lease and the HIT; the way to all HITs */
    assert_int_equal(hosts[ALICE].address_count, 4);
    assert_int_equal(hosts[ALICE].route_count, 1);
    assert_true(hosts[ALICE].saves > 0);
}

static bool is_announced(void) {
    return hosts[ALICE].announced == 7001;
}

/* The port that the daemon got anew is what the LAN is told. */
static void test_announced_port(void **state) {
    (void)state;
    hosts_announce = true;
    hosts_add('a');
    (void)hosts_create(ALICE, "lab", "10.77.0.0/29");
    hosts_run(100);
    assert_int_equal(hosts[ALICE].announced, 7000);
    wrn_node_set_port(hosts[ALICE].node, 7001);
    hosts_until(is_announced, 120, "the new port is announced");
}

static bool carol_is_known(void) {
    struct wrn_node_peer_info peer;
    return hosts_peer(BOB, bobs, CAROL, &peer);
}

/* A crash must not cost a member the only others that it knows: the one that invited it may be gone
 * when it comes back. */
static void test_first_peers_are_saved_at_once(void **state) {
    (void)state;
    make_two("(member)", 0);
    uint32_t before = hosts[BOB].locators_on_disk;
    hosts_add('c');
    (void)hosts_join(CAROL, ALICE, alices, "(member)", 0);
    hosts_until(carol_is_known, 60, "two members know each other");
    assert_true(hosts[BOB].locators_on_disk > before);
}

static void test_two(void **state) {
    (void)state;
    make_two("(member)", 0);
    struct wrn_node_network_info a = hosts_info(ALICE, alices), b = hosts_info(BOB, bobs);
    struct wrn_ip hit_a = hit_of(ALICE), hit_b = hit_of(BOB);
    send(ALICE, alices, &a.ipv4, &b.ipv4, "four there");
    send(ALICE, alices, &a.ipv6, &b.ipv6, "six there");
    send(ALICE, alices, &hit_a, &hit_b, "hit there");
    hosts_run(1000);
    assert_int_equal(hosts_got(BOB, bobs, "four there"), 1);
    assert_int_equal(hosts_got(BOB, bobs, "six there"), 1);
    assert_int_equal(hosts_got(BOB, bobs, "hit there"), 1);
    send(BOB, bobs, &b.ipv4, &a.ipv4, "four back");
    send(BOB, bobs, &b.ipv6, &a.ipv6, "six back");
    send(BOB, bobs, &hit_b, &hit_a, "hit back");
    hosts_run(1000);
    assert_int_equal(hosts_got(ALICE, alices, "four back"), 1);
    assert_int_equal(hosts_got(ALICE, alices, "six back"), 1);
    assert_int_equal(hosts_got(ALICE, alices, "hit back"), 1);
    /* not from an address that is not its own */
    struct wrn_ip other = b.ipv4;
    other.bytes[3] = (uint8_t)(other.bytes[3] == 77 ? 78 : 77);
    send(BOB, bobs, &other, &a.ipv4, "forged");
    hosts_run(1000);
    assert_int_equal(hosts_got(ALICE, alices, "forged"), 0);
    struct wrn_node_peer_info peer;
    assert_true(hosts_peer(ALICE, alices, BOB, &peer));
    assert_string_equal(peer.label, "host-b");
    assert_true(peer.is_open);
    assert_non_null(hosts_event(ALICE, WRN_NODE_EVENT_PEER_UP_KIND));
}

static bool has_answer(uint32_t host, uint32_t tag) {
    for (uint32_t i = 0; i < hosts[host].answer_count; i++) {
        if (hosts[host].answers[i].tag == tag && hosts[host].answers[i].is_last) {
            return true;
        }
    }
    return false;
}

static const struct wrn_node_answer *answer_of(uint32_t host, uint32_t tag, uint32_t number) {
    for (uint32_t i = 0; i < hosts[host].answer_count; i++) {
        if (hosts[host].answers[i].tag == tag && number-- == 0) {
            return &hosts[host].answers[i];
        }
    }
    return NULL;
}

static bool seven_is_answered(void) {
    return has_answer(ALICE, 7);
}

static void list_members(uint32_t tag) {
    hosts_before();
    wrn_node_members(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices], tag, hosts_out);
    hosts_perform(ALICE);
}

static void test_names_and_members(void **state) {
    (void)state;
    struct wrn_names_answer answer;
    struct wrn_names_question question = {.kind = WRN_NAMES_HOST, .label = "host-b"};
    make_two("(* set (member) (relay))", 0);
    hosts_before();
    wrn_node_resolve(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices], &question, 7,
                     &answer, hosts_out);
    hosts_perform(ALICE);
    assert_int_equal(answer.found, WRN_NAMES_PENDING);
    hosts_until(seven_is_answered, 20, "the name is resolved");
    struct wrn_ip ipv4 = hosts_info(BOB, bobs).ipv4;
    const struct wrn_node_answer *said = answer_of(ALICE, 7, 0);
    assert_int_equal(said->found, WRN_NAMES_FOUND);
    assert_memory_equal(said->hit, wrn_node_hit(hosts[BOB].node), WRN_HIT_SIZE);
    assert_true(wrn_ip_equal(&said->name.ipv4, &ipv4));
    hosts[ALICE].answer_count = 0;
    list_members(7);
    hosts_until(seven_is_answered, 20, "all are listed");
    bool has_bob = false;
    for (uint32_t i = 0; i < 2; i++) {
        said = answer_of(ALICE, 7, i);
        assert_int_equal(said->reason, WRN_REASON_NONE);
        if (memcmp(said->hit, wrn_node_hit(hosts[BOB].node), WRN_HIT_SIZE) == 0) {
            has_bob = true;
            assert_string_equal(said->label, "host-b");
            assert_true(wrn_ip_equal(&said->ipv4, &ipv4));
            assert_int_equal(said->rights, WRN_RIGHT_MEMBER | WRN_RIGHT_RELAY);
        }
    }
    assert_true(has_bob);
    assert_true(answer_of(ALICE, 7, 2)->is_last);
    assert_null(answer_of(ALICE, 7, 3));
}

/* Who gave up asking around, as its time was over, left its walk behind: for a minute whoever asked
 * was told of nobody but itself. */
static void test_a_list_that_was_given_up_is_in_nobodys_way(void **state) {
    (void)state;
    make_two("(member)", 0);
    hosts[ALICE].answer_count = 0;
    list_members(8);
    list_members(9);
    assert_true(has_answer(ALICE, 9));
    for (uint32_t i = 0; !answer_of(ALICE, 9, i)->is_last; i++) {
        assert_int_equal(answer_of(ALICE, 9, i)->reason, WRN_REASON_NONE);
    }
    wrn_node_members_stop(hosts[ALICE].node, hosts[ALICE].networks[alices], 9); /* not open */
    wrn_node_members_stop(hosts[ALICE].node, hosts[ALICE].networks[alices], 8);
    list_members(7);
    hosts_until(seven_is_answered, 20, "all are listed");
    assert_false(answer_of(ALICE, 7, 0)->is_last);
    assert_false(answer_of(ALICE, 7, 1)->is_last);
    assert_true(answer_of(ALICE, 7, 2)->is_last);
    assert_int_equal(answer_of(ALICE, 7, 2)->reason, WRN_REASON_NONE);
    assert_false(has_answer(ALICE, 8));
}

/* From an IPv6 address, or a HIT, to a name that was never looked up. */
static void test_reverse(void **state) {
    (void)state;
    struct wrn_names_answer answer;
    struct wrn_names_question question = {.kind = WRN_NAMES_REVERSE};
    make_two("(member)", 0);
    hosts_run(30000); /* the records have the names by now */
    for (uint32_t i = 0; i < 2; i++) {
        question.ip = i == 0 ? hosts_info(BOB, bobs).ipv6 : hit_of(BOB);
        hosts[ALICE].answer_count = 0;
        hosts_before();
        wrn_node_resolve(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices], &question, 7,
                         &answer, hosts_out);
        hosts_perform(ALICE);
        if (answer.found == WRN_NAMES_PENDING) {
            hosts_until(seven_is_answered, 20, "it is resolved");
            answer = answer_of(ALICE, 7, 0)->name;
        }
        assert_int_equal(answer.found, WRN_NAMES_FOUND);
        assert_string_equal(answer.label, "host-b");
        assert_memory_equal(answer.hit, wrn_node_hit(hosts[BOB].node), WRN_HIT_SIZE);
        assert_int_equal(answer.ipv4.family, WRN_FAMILY_NONE);
    }
}

/* What the machine sends by a path of the ring's goes where the ring says. */
static void test_carry(void **state) {
    (void)state;
    uint8_t datagram[64] = {4};
    struct wrn_node_peer_info peer;
    struct wrn_path path = {.kind = WRN_PATH_CONTROL};
    make_two("(member)", 0);
    assert_true(hosts_peer(ALICE, alices, BOB, &peer));
    wrn_handle bob =
        wrn_overlay_find(wrn_node_overlay(hosts[ALICE].node, hosts[ALICE].networks[alices]),
                         wrn_id_of_hit(peer.hit));
    path.slot = bob.index | (uint64_t)bob.generation << 32;
    hosts_before();
    wrn_node_on_carry(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices], &path,
                      (wrn_span){datagram, sizeof(datagram)}, hosts_out);
    assert_true(hosts_out->count >= 1); /* the ring may look after the path, too */
    assert_int_equal(hosts_out->actions[0].kind, WRN_NODE_DATAGRAM);
    assert_true(wrn_endpoint_equal(&hosts_out->actions[0].to, &hosts[BOB].at));
    assert_int_equal(hosts_out->actions[0].bytes.size, sizeof(datagram));
    path.slot += UINT64_C(2) << 32; /* a peer that is not there any more */
    hosts_before();
    wrn_node_on_carry(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices], &path,
                      (wrn_span){datagram, sizeof(datagram)}, hosts_out);
    assert_int_equal(hosts_out->count, 0);
    /* and what came by a socket of one peer's goes to the machine */
    hosts_before();
    wrn_node_on_datagram(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices], 5,
                         &hosts[BOB].at, datagram, sizeof(datagram), hosts_out);
    assert_int_equal(hosts_out->count, 1);
    assert_int_equal(hosts_out->actions[0].kind, WRN_NODE_INJECT);
}

static void test_table(void **state) {
    (void)state;
    wrn_span key = {(const uint8_t *)"svc/web", 7}, value = {(const uint8_t *)"4:here", 6};
    make_two("(member)", 0);
    hosts_before();
    wrn_node_store(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices], 7, WRN_RECORD_PUT,
                   key, value, 600, false, hosts_out);
    hosts_perform(ALICE);
    hosts_until(seven_is_answered, 20, "it is stored");
    assert_int_equal(answer_of(ALICE, 7, 0)->reason, WRN_REASON_NONE);
    assert_true(answer_of(ALICE, 7, 0)->copies > 0);
    hosts[ALICE].answer_count = 0;
    hosts_before();
    wrn_node_get(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices], 7, key, hosts_out);
    hosts_perform(ALICE);
    hosts_until(seven_is_answered, 20, "it is found");
    assert_int_equal(answer_of(ALICE, 7, 0)->reason, WRN_REASON_NONE);
    assert_true(answer_of(ALICE, 7, 0)->record.size > 0);
    /* a key that no family has */
    hosts[ALICE].answer_count = 0;
    hosts_before();
    wrn_node_store(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices], 7, WRN_RECORD_PUT,
                   (wrn_span){(const uint8_t *)"any/thing", 9}, value, 600, false, hosts_out);
    hosts_perform(ALICE);
    hosts_until(seven_is_answered, 20, "it is refused");
    assert_int_equal(answer_of(ALICE, 7, 0)->reason, WRN_REASON_RULE);
}

static void ask_alice(enum wrn_record_kind kind, const char *key, const char *value, bool keep) {
    hosts[ALICE].answer_count = 0;
    hosts_before();
    wrn_node_store(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices], 7, kind,
                   (wrn_span){(const uint8_t *)key, strlen(key)},
                   (wrn_span){(const uint8_t *)value, strlen(value)}, 30, keep, hosts_out);
    hosts_perform(ALICE);
    hosts_until(seven_is_answered, 20, "she has an answer");
}

/* How many records bob gets for a key. */
static uint32_t bob_finds(const char *key) {
    uint32_t count = 0;
    hosts[BOB].answer_count = 0;
    hosts_before();
    wrn_node_get(hosts[BOB].node, hosts_now, hosts[BOB].networks[bobs], 7,
                 (wrn_span){(const uint8_t *)key, strlen(key)}, hosts_out);
    hosts_perform(BOB);
    hosts_run(16000);
    for (uint32_t i = 0; i < hosts[BOB].answer_count; i++) {
        count += hosts[BOB].answers[i].record.size > 0;
    }
    return count;
}

static uint32_t alice_keeps(struct wrn_node_kept *ret_first) {
    uint32_t cursor = 0, count = 0;
    struct wrn_node_kept kept;
    while (wrn_node_next_kept(hosts[ALICE].node, hosts[ALICE].networks[alices], &cursor, &kept)) {
        *ret_first = count++ == 0 ? kept : *ret_first;
    }
    return count;
}

/* What lives for 30 s is there after five minutes, and after a restart from what was on the disk
 * when its writer had its answer; until it is deleted, by a node that was started anew. What could
 * not be stored is not kept, nor is what nobody asked to keep. */
static void test_kept(void **state) {
    (void)state;
    struct wrn_node_kept kept;
    make_two("(member)", 0);
    ask_alice(WRN_RECORD_PUT, "svc/once", "x", false);
    ask_alice(WRN_RECORD_PUT, "any/thing", "x", true);
    assert_int_equal(answer_of(ALICE, 7, 0)->reason, WRN_REASON_RULE);
    assert_int_equal(alice_keeps(&kept), 0);
    uint32_t saves = hosts[ALICE].saves;
    ask_alice(WRN_RECORD_PUT, "svc/web", "80", true);
    assert_int_equal(answer_of(ALICE, 7, 0)->reason, WRN_REASON_NONE);
    assert_true(hosts[ALICE].saves > saves);
    hosts_save(ALICE, alices);
    hosts_run(300000);
    assert_int_equal(bob_finds("svc/once"), 0);
    assert_int_equal(bob_finds("svc/web"), 1);
    assert_int_equal(alice_keeps(&kept), 1);
    assert_true(kept.is_stored && kept.ttl_s == 30);
    hosts_stop(ALICE);
    hosts_run(60000); /* longer than it lives */
    assert_int_equal(bob_finds("svc/web"), 0);
    alices = hosts_start_saved(ALICE);
    hosts_run(120000);
    assert_int_equal(bob_finds("svc/web"), 1);
    assert_int_equal(alice_keeps(&kept), 1);
    assert_memory_equal(kept.value.data, "80", 2);
    ask_alice(WRN_RECORD_DELETE, "svc/web", "", false);
    assert_int_equal(alice_keeps(&kept), 0);
    hosts_run(120000);
    assert_int_equal(bob_finds("svc/web"), 0);
}

/* There is room for so many, and what is stored again is one. */
static void test_kept_bounds(void **state) {
    (void)state;
    struct wrn_node_kept kept;
    char key[] = "svc/00";
    make_two("(member)", 0);
    for (uint32_t i = 0; i < WRN_STATE_KEPT_MAX - 1; i++) {
        key[4] = (char)('a' + i / 10);
        key[5] = (char)('0' + i % 10);
        ask_alice(WRN_RECORD_PUT, key, "x", true);
        assert_int_equal(answer_of(ALICE, 7, 0)->reason, WRN_REASON_NONE);
    }
    ask_alice(WRN_RECORD_PUT, key, "x", true);
    assert_int_equal(alice_keeps(&kept), WRN_STATE_KEPT_MAX - 1);
    ask_alice(WRN_RECORD_PUT, key, "y", true);
    assert_int_equal(alice_keeps(&kept), WRN_STATE_KEPT_MAX);
    ask_alice(WRN_RECORD_PUT, key, "z", true);
    assert_int_equal(answer_of(ALICE, 7, 0)->reason, WRN_REASON_FULL);
    ask_alice(WRN_RECORD_DELETE, key, "", false);
    assert_int_equal(alice_keeps(&kept), WRN_STATE_KEPT_MAX - 2);
    hosts_run(120000);
    assert_int_equal(alice_keeps(&kept), WRN_STATE_KEPT_MAX - 2);
    assert_true(kept.is_stored);
}

static bool through_a_relay(void) {
    struct wrn_node_peer_info peer;
    return hosts_peer(BOB, bobs, CAROL, &peer) && peer.ipv4.family == WRN_FAMILY_IPV4 &&
           peer.overlay.way.kind == WRN_WAY_RELAY;
}

static bool relayed_packet_came(void) {
    return hosts_got(CAROL, carols, "by alice") == 1;
}

static void test_relayed(void **state) {
    (void)state;
    struct wrn_node_peer_info peer;
    assert_int_equal(hosts_add('a'), ALICE);
    assert_int_equal(hosts_add('b'), BOB);
    assert_int_equal(hosts_add('c'), CAROL);
    hosts_are_apart[BOB][CAROL] = hosts_are_apart[CAROL][BOB] = true;
    alices = hosts_create(ALICE, "lab", "10.77.0.0/24");
    hosts_run(2000);
    bobs = hosts_join(BOB, ALICE, alices, "(member)", 0);
    carols = hosts_join(CAROL, ALICE, alices, "(member)", 0);
    hosts_until(three_are_settled, 90, "three hosts have addresses and names");
    struct wrn_ip b = hosts_info(BOB, bobs).ipv4, c = hosts_info(CAROL, carols).ipv4;
    send(BOB, bobs, &b, &c, "by alice");
    hosts_until(relayed_packet_came, 15, "a packet came through the relay");
    hosts_until(through_a_relay, 30, "they are peers by a relay");
    assert_true(hosts_peer(BOB, bobs, CAROL, &peer));
    assert_memory_equal(peer.relay, wrn_node_hit(hosts[ALICE].node), WRN_HIT_SIZE);
    assert_string_equal(peer.relay_label, "host-a");
    send(CAROL, carols, &c, &b, "and back");
    hosts_run(1000);
    assert_int_equal(hosts_got(BOB, bobs, "and back"), 1);
    assert_int_equal(hosts_sent[BOB][CAROL] + hosts_sent[CAROL][BOB], 0);
    assert_int_equal(hosts_got(ALICE, alices, "by alice"), 0);
}

static bool by_dave(void) {
    struct wrn_node_peer_info peer;
    return through_a_relay() && hosts_peer(BOB, bobs, CAROL, &peer) &&
           memcmp(peer.relay, wrn_node_hit(hosts[DAVE].node), WRN_HIT_SIZE) == 0;
}

/* Two that cannot reach each other, Alice who founded the network but is cut off, Erin whose chain
 * does not let her relay, and Dave, who is there for nothing else: he takes no address. */
static void test_relay_by_right(void **state) {
    enum { ERIN = DAVE + 1 };
    (void)state;
    for (char letter = 'a'; letter <= 'e'; letter++) {
        (void)hosts_add(letter);
    }
    hosts_are_apart[BOB][CAROL] = hosts_are_apart[CAROL][BOB] = true;
    alices = hosts_create(ALICE, "lab", "10.77.0.0/24");
    hosts_run(2000);
    bobs = hosts_join(BOB, ALICE, alices, "(member)", 0);
    carols = hosts_join(CAROL, ALICE, alices, "(member)", 0);
    uint32_t erins = hosts_join(ERIN, ALICE, alices, "(* set (member) (relay \"-\"))", 0);
    hosts_until(three_are_settled, 90, "three hosts have addresses and names");
    assert_true(is_settled(ERIN, erins));
    for (uint32_t other = BOB; other <= ERIN; other++) {
        hosts_are_apart[ALICE][other] = hosts_are_apart[other][ALICE] = true;
    }
    struct wrn_ip b = hosts_info(BOB, bobs).ipv4, c = hosts_info(CAROL, carols).ipv4;
    hosts_run(60000); /* Alice is gone by then */
    send(BOB, bobs, &b, &c, "by alice");
    hosts_run(20000);
    assert_int_equal(hosts_got(CAROL, carols, "by alice"), 0);
    for (uint32_t other = BOB; other <= ERIN; other++) {
        hosts_are_apart[ALICE][other] = hosts_are_apart[other][ALICE] = other < DAVE;
    }
    hosts_are_bare = true;
    uint32_t daves = hosts_join(DAVE, ALICE, alices, "(member)", 0);
    hosts_run(30000);
    send(BOB, bobs, &b, &c, "by alice");
    hosts_until(relayed_packet_came, 30, "a packet came through the relay");
    hosts_until(by_dave, 60, "it was Dave who carried it");
    assert_int_equal(hosts_sent[BOB][CAROL] + hosts_sent[CAROL][BOB], 0);
    /* he is a member of the ring, and has nothing on his interface */
    struct wrn_node_network_info info = hosts_info(DAVE, daves);
    assert_int_equal(info.ring, WRN_RING_STATE_CONNECTED);
    assert_false(info.wants_address);
    assert_int_equal(info.lease, WRN_CLAIM_OFF);
    assert_int_equal(info.ipv4.family, WRN_FAMILY_NONE);
    assert_int_equal(hosts[DAVE].address_count + hosts[DAVE].route_count, 0);
    assert_int_equal(hosts[DAVE].packet_count, 0);
    assert_string_equal(info.trouble, "");
}

static bool bob_is_linked(void) {
    return hosts_info(BOB, bobs).links > 0 && hosts_info(ALICE, alices).links > 0;
}

static bool bob_has_his_lease(void) {
    struct wrn_node_network_info info = hosts_info(BOB, bobs);
    return info.ring == WRN_RING_STATE_CONNECTED && info.lease == WRN_CLAIM_HELD;
}

/* Who is killed and comes back at once is known to the others still, as he was: that costs a few
 * messages, and none of the waits for messages that were lost. */
static void test_killed_and_back(void **state) {
    (void)state;
    make_two("(member)", 0);
    hosts_run(10000);
    hosts_save(BOB, bobs);
    hosts_stop(BOB);
    hosts_run(500);
    wrn_mono began = hosts_now.mono;
    bobs = hosts_start_saved(BOB);
    hosts_until(bob_is_linked, 10, "he is back");
    uint64_t took_ms = wrn_mono_since(hosts_now.mono, began) / WRN_MS(1);
    CHECK(took_ms <= 300, "%llu ms: ", (unsigned long long)took_ms);
    hosts_until(bob_has_his_lease, 10, "he has his address");
}

static bool first_came(void) {
    return hosts_got(BOB, bobs, "first 3") == 1;
}

/* Nobody is a peer yet; the address is looked up, and what was sent meanwhile comes in order. */
static void test_first_packets(void **state) {
    (void)state;
    char text[] = "first 0";
    make_two("(member)", 0);
    struct wrn_ip a = hosts_info(ALICE, alices).ipv4, b = hosts_info(BOB, bobs).ipv4;
    hosts_save(ALICE, alices);
    hosts_stop(ALICE);
    hosts_run(1000);
    hosts[ALICE].event_count = 0;
    alices = hosts_start_saved(ALICE);
    for (; text[6] < '4'; text[6]++) { /* the ring is not found yet */
        send(ALICE, alices, &a, &b, text);
    }
    assert_int_equal(hosts_info(ALICE, alices).held_packets, 4);
    hosts_until(first_came, 15, "the packets came");
    uint32_t next = 0;
    for (uint32_t i = 0; i < hosts[BOB].packet_count; i++) {
        const struct host_packet *packet = &hosts[BOB].packets[i];
        assert_int_equal(packet->bytes[packet->size - 1], '0' + next++);
    }
    assert_int_equal(next, 4);
    hosts_until(two_are_settled, 60, "it has its address again");
    struct wrn_ip again = hosts_info(ALICE, alices).ipv4;
    assert_true(wrn_ip_equal(&again, &a));
    assert_string_equal(hosts_info(ALICE, alices).label, "host-a");
}

static bool both_came(void) {
    return hosts_got(ALICE, alices, "from bob") == 1 && hosts_got(BOB, bobs, "from alice") == 1;
}

/* Both send in the moment in which they have addresses. */
static void test_first_both_ways(void **state) {
    (void)state;
    assert_int_equal(hosts_add('a'), ALICE);
    assert_int_equal(hosts_add('b'), BOB);
    alices = hosts_create(ALICE, "lab", "10.77.0.0/24");
    hosts_run(2000);
    bobs = hosts_join(BOB, ALICE, alices, "(member)", 0);
    hosts_until(two_are_settled, 60, "two hosts have addresses and names");
    struct wrn_ip a = hosts_info(ALICE, alices).ipv4, b = hosts_info(BOB, bobs).ipv4;
    send(ALICE, alices, &a, &b, "from alice");
    hosts_run(1);
    send(BOB, bobs, &b, &a, "from bob");
    hosts_until(both_came, 5, "the packets came");
}

static uint64_t wrong_sources(uint32_t host, uint32_t network) {
    uint64_t drops[WRN_DROP_COUNT];
    wrn_wg_drops(wrn_node_wg(hosts[host].node, hosts[host].networks[network]), drops);
    return drops[WRN_DROP_WRONG_SOURCE] + drops[WRN_DROP_CLOSED];
}

/* Alice starts again. */
static void restart_alice(void) {
    hosts_save(ALICE, alices);
    hosts_stop(ALICE);
    hosts_run(1000);
    alices = hosts_start_saved(ALICE);
}

/* Bob has got what alice sent, in order; without loss all but what was the oldest while it was held
 * before the first one came. Returns how many came. */
static uint32_t check_stamps(const char *text, uint32_t *next, bool is_lossy) {
    uint32_t count = hosts[BOB].packet_count;
    size_t size = strlen(text);
    for (uint32_t i = 0; i < count; i++) {
        const struct host_packet *packet = &hosts[BOB].packets[i];
        char came[32] = "";
        assert_true(size < sizeof(came) && packet->size >= size);
        memcpy(came, packet->bytes + packet->size - size, size);
        uint32_t number = (uint32_t)strtoul(strchr(came, ' '), NULL, 10);
        CHECK(number == *next || (number > *next && (is_lossy || *next == 0)),
              "%u instead of %u: ", number, *next);
        *next = number + 1;
    }
    hosts[BOB].packet_count = 0;
    return count;
}

/* A host that starts again and sends all the time is refused nothing: none of its packets is there
 * before its peer knows whose they are, none overtakes another. Once more with a path that loses
 * half of what tells the peer so. */
static void test_no_packet_comes_too_early(void **state) {
    (void)state;
    /* Oftener than each 5 ms is refused as long as it is held. */
    enum { AT_LEAST = 500, EVERY_MS = 5, ROUNDS = 8, LOSSY = 1200 };
    struct wrn_prng prng;
    char text[32];
    wrn_prng_init(&prng, 12, 0);
    make_two("(member)", 0);
    struct wrn_ip a = hosts_info(ALICE, alices).ipv4, b = hosts_info(BOB, bobs).ipv4;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t next = 0, came = 0;
        restart_alice();
        for (uint32_t sent = 1; came < AT_LEAST; sent++) {
            (void)snprintf(text, sizeof(text), "stamp %06u", sent);
            send(ALICE, alices, &a, &b, text);
            hosts_run(EVERY_MS);
            came += check_stamps(text, &next, round > 0);
            hosts_are_apart[ALICE][BOB] =
                round > 0 && sent < LOSSY && (wrn_prng_next(&prng) & 1) != 0;
            assert_true(sent < 20000);
        }
        assert_int_equal(wrong_sources(BOB, bobs), 0);
    }
}

/* Alice looks up from a sleep, as it seems to her, again and again, on a path that loses half of
 * what goes one way: in the end she knows that bob knows her, whichever answer was lost. */
static void test_lost_answers(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, 11, 0);
    make_two("(member)", 0);
    struct wrn_ip a = hosts_info(ALICE, alices).ipv4, b = hosts_info(BOB, bobs).ipv4;
    for (uint32_t round = 0; round < 10; round++) {
        char text[] = "round 0";
        struct wrn_now woken = hosts_now;
        woken.wall.s += 100;
        hosts_before();
        wrn_node_accept_routes(hosts[ALICE].node, woken, hosts[ALICE].networks[alices],
                               round % 2 == 0, hosts_out); /* any input */
        hosts_perform(ALICE);
        assert_false(two_know_addresses());
        for (uint32_t i = 0; i < 2000 && !two_know_addresses(); i++) {
            hosts_are_apart[BOB][ALICE] = (wrn_prng_next(&prng) & 1) != 0;
            hosts_run(10);
        }
        hosts_are_apart[BOB][ALICE] = false;
        hosts_until(two_know_addresses, 65, "what was lost was told again");
        text[6] = (char)('0' + round);
        send(ALICE, alices, &a, &b, text);
        hosts_run(20000); /* held, as long as lists are compared after the sleep: not lost */
        assert_int_equal(hosts_got(BOB, bobs, text), 1);
    }
    assert_int_equal(wrong_sources(BOB, bobs), 0);
}

static bool has_cipher(enum wrn_cipher cipher) {
    struct wrn_node_peer_info a, b;
    return two_know_addresses() && hosts_peer(ALICE, alices, BOB, &a) &&
           hosts_peer(BOB, bobs, ALICE, &b) && a.cipher == cipher && b.cipher == cipher;
}

static bool is_aes(void) {
    return has_cipher(WRN_CIPHER_AES_256_GCM);
}

static bool is_chacha(void) {
    return has_cipher(WRN_CIPHER_CHACHA20_POLY1305);
}

static void restart_bob(bool speaks_aes) {
    hosts_save(BOB, bobs);
    hosts_stop(BOB);
    hosts_speak_aes = speaks_aes;
    bobs = hosts_start_saved(BOB);
}

/* AES-256-GCM between two that both offer it, ChaCha20-Poly1305 as soon as one does not; no
 * handshake is refused for its suite meanwhile. */
static void test_ciphers(void **state) {
    (void)state;
    static const bool offers[] = {true, false, true};
    char text[] = "cipher 0";
    hosts_speak_aes = true;
    make_two("(member)", 0);
    struct wrn_ip a = hosts_info(ALICE, alices).ipv4, b = hosts_info(BOB, bobs).ipv4;
    for (uint32_t i = 0; i < WRN_COUNT(offers); i++) {
        uint64_t drops[WRN_DROP_COUNT];
        if (i > 0) {
            restart_bob(offers[i]);
        }
        hosts_until(offers[i] ? is_aes : is_chacha, 60, "both have the cipher");
        text[7] = (char)('0' + i);
        send(ALICE, alices, &a, &b, text);
        hosts_run(1000);
        assert_int_equal(hosts_got(BOB, bobs, text), 1);
        wrn_wg_drops(wrn_node_wg(hosts[ALICE].node, hosts[ALICE].networks[alices]), drops);
        assert_int_equal(drops[WRN_DROP_WRONG_SUITE], 0);
        wrn_wg_drops(wrn_node_wg(hosts[BOB].node, hosts[BOB].networks[bobs]), drops);
        assert_int_equal(drops[WRN_DROP_WRONG_SUITE], 0);
    }
    assert_null(hosts_event(ALICE, WRN_NODE_EVENT_PEER_CIPHER_KIND));
    assert_null(hosts_event(BOB, WRN_NODE_EVENT_PEER_CIPHER_KIND));
}

static bool alice_is_told(void) {
    return hosts[ALICE].packet_count > 0;
}

static void test_nobody_there(void **state) {
    (void)state;
    make_two("(member)", 0);
    struct wrn_ip a = hosts_info(ALICE, alices).ipv4, b = hosts_info(BOB, bobs).ipv4;
    struct wrn_ip nobody = a, far = a;
    for (nobody.bytes[3] = 2; wrn_ip_equal(&nobody, &a) || wrn_ip_equal(&nobody, &b);) {
        nobody.bytes[3]++;
    }
    far.bytes[0] = 11;
    send(ALICE, alices, &a, &nobody, "anybody?");
    assert_int_equal(hosts_info(ALICE, alices).held_packets, 1);
    hosts_until(alice_is_told, 20, "it is unreachable");
    assert_int_equal(hosts[ALICE].packets[0].bytes[9], 1);  /* ICMP */
    assert_int_equal(hosts[ALICE].packets[0].bytes[20], 3); /* unreachable */
    assert_int_equal(hosts_info(ALICE, alices).held_packets, 0);
    /* an address that nobody can have is refused at once, and not so often as one likes */
    hosts[ALICE].packet_count = 0;
    send(ALICE, alices, &a, &far, "far");
    assert_int_equal(hosts[ALICE].packet_count, 1);
    for (uint32_t i = 0; i < 200; i++) {
        send(ALICE, alices, &a, &far, "far");
    }
    assert_true(hosts[ALICE].packet_count < 60);
}

static bool bob_is_off(void) {
    return hosts_info(BOB, bobs).ring != WRN_RING_STATE_CONNECTED;
}

static bool bob_is_on(void) {
    return !bob_is_off();
}

/* Packets wait while there is no ring. When it is back, and nobody has their addresses, they are
 * given up, whenever each was sent; and nothing is due again and again (do_due sees that): for
 * those that waited almost as long as they may it was, and took all of a processor for seconds. */
static void test_nobody_there_when_the_ring_is_back(void **state) {
    (void)state;
    enum { LAST = 250, SENT_MAX = 100 };
    make_two("(member)", 0);
    struct wrn_ip b = hosts_info(BOB, bobs).ipv4, nobody = b;
    struct wrn_ip a = hosts_info(ALICE, alices).ipv4;
    hosts_are_apart[ALICE][BOB] = hosts_are_apart[BOB][ALICE] = true;
    hosts_until(bob_is_off, 300, "his ring is gone");
    uint32_t sent = 0;
    for (; sent < SENT_MAX && (sent < 20 || bob_is_off()); sent++) {
        nobody.bytes[3] = (uint8_t)(LAST - sent);
        if (!wrn_ip_equal(&nobody, &a) && !wrn_ip_equal(&nobody, &b)) {
            send(BOB, bobs, &b, &nobody, "anybody?");
        }
        if (sent == 19) {
            hosts_are_apart[ALICE][BOB] = hosts_are_apart[BOB][ALICE] = false;
        }
        hosts_run(1000);
    }
    assert_true(bob_is_on());
    hosts_run(60000);
    assert_int_equal(hosts_info(BOB, bobs).held_packets, 0);
}

/* Records are renewed, and peers hear of it: an address lives longer than its record. */
static void test_half_a_day(void **state) {
    (void)state;
    make_two("(member)", 0);
    struct wrn_ip a = hosts_info(ALICE, alices).ipv4, b = hosts_info(BOB, bobs).ipv4;
    for (uint32_t i = 0; i < 12; i++) {
        char text[] = "hour A";
        hosts_run(3600000);
        text[5] = (char)('A' + i);
        send(ALICE, alices, &a, &b, text);
        send(BOB, bobs, &b, &a, text);
        hosts_run(1000);
        assert_int_equal(hosts_got(BOB, bobs, text), 1);
        assert_int_equal(hosts_got(ALICE, alices, text), 1);
    }
    assert_null(hosts_event(ALICE, WRN_NODE_EVENT_ADDRESS_LOST_KIND));
    assert_null(hosts_event(ALICE, WRN_NODE_EVENT_DISCONNECTED_KIND));
}

static bool bob_is_no_peer(void) {
    struct wrn_node_peer_info peer;
    return !hosts_peer(CAROL, carols, BOB, &peer) || !peer.is_open;
}

static bool carol_and_bob_know_addresses(void) {
    struct wrn_node_peer_info b, c;
    return hosts_peer(CAROL, carols, BOB, &b) && hosts_peer(BOB, bobs, CAROL, &c) &&
           b.ipv4.family == WRN_FAMILY_IPV4 && c.ipv4.family == WRN_FAMILY_IPV4 && !b.is_waiting &&
           !c.is_waiting;
}

/* Packets pass up to the last second of a membership that nobody renews, and none after it. */
static void test_expiry(void **state) {
    (void)state;
    int64_t until_s = hosts_now.wall.s + 120;
    make_two("(member)", until_s);
    assert_int_equal(hosts_add('c'), CAROL);
    carols = hosts_join(CAROL, ALICE, alices, "(member)", 0);
    hosts_until(three_are_settled, 60, "three hosts have addresses and names");
    hosts_until(carol_and_bob_know_addresses, 20, "two have told each other");
    hosts_stop(ALICE);
    struct wrn_ip a = hosts_info(CAROL, carols).ipv4, b = hosts_info(BOB, bobs).ipv4;
    struct wrn_node_peer_info peer;
    assert_true(hosts_peer(CAROL, carols, BOB, &peer));
    assert_int_equal(peer.until_s, until_s);
    hosts_run((uint64_t)(until_s - 3 - hosts_now.wall.s) * 1000);
    send(BOB, bobs, &b, &a, "begun");
    hosts_run(1000);
    assert_int_equal(hosts_got(CAROL, carols, "begun"), 1);
    uint64_t left_ms = (uint64_t)(until_s - hosts_now.wall.s) * 1000 - hosts_now.wall.ns / 1000000;
    hosts_run(left_ms - 20);
    send(BOB, bobs, &b, &a, "in time");
    send(CAROL, carols, &a, &b, "both ways");
    hosts_run(10);
    assert_int_equal(hosts_got(CAROL, carols, "in time"), 1);
    assert_int_equal(hosts_got(BOB, bobs, "both ways"), 1);
    hosts_run(10);
    send(CAROL, carols, &a, &b, "late to bob");
    send(BOB, bobs, &b, &a, "late to carol");
    hosts_run(100);
    assert_int_equal(hosts_got(CAROL, carols, "late to carol"), 0);
    assert_int_equal(hosts_got(BOB, bobs, "late to bob"), 0);
    assert_true(bob_is_no_peer());
    assert_int_equal(hosts_info(BOB, bobs).ipv4.family, WRN_FAMILY_NONE);
    assert_true(hosts_info(BOB, bobs).trouble[0] != '\0');
}

/* The same range twice on the same two hosts: what is sent in one is not heard in the other. */
static void test_networks_apart(void **state) {
    (void)state;
    make_two("(member)", 0);
    uint32_t first_a = alices, first_b = bobs;
    struct wrn_ip a1 = hosts_info(ALICE, alices).ipv4, b1 = hosts_info(BOB, bobs).ipv4;
    alices = hosts_create(ALICE, "lab-two", "10.77.0.0/24");
    hosts_run(2000);
    bobs = hosts_join(BOB, ALICE, alices, "(member)", 0);
    hosts_until(two_are_settled, 60, "both are in the second network");
    hosts_until(two_know_addresses, 20, "they have told each other");
    struct wrn_ip a2 = hosts_info(ALICE, alices).ipv4, b2 = hosts_info(BOB, bobs).ipv4;
    send(ALICE, first_a, &a1, &b1, "in the first");
    send(ALICE, alices, &a2, &b2, "in the second");
    hosts_run(1000);
    assert_int_equal(hosts_got(BOB, first_b, "in the first"), 1);
    assert_int_equal(hosts_got(BOB, bobs, "in the first"), 0);
    assert_int_equal(hosts_got(BOB, bobs, "in the second"), 1);
    assert_int_equal(hosts_got(BOB, first_b, "in the second"), 0);
    assert_int_not_equal(wrn_node_tag(hosts[BOB].node, hosts[BOB].networks[first_b]),
                         wrn_node_tag(hosts[BOB].node, hosts[BOB].networks[bobs]));
    /* the HIT is on one interface, and goes to the other when that network is left */
    uint32_t hits = 0;
    for (uint32_t i = 0; i < hosts[BOB].address_count; i++) {
        hits += hosts[BOB].addresses[i].prefix.ip.bytes[0] == 0x20;
    }
    assert_int_equal(hits, 1);
    hosts_before();
    wrn_node_leave(hosts[BOB].node, hosts_now, hosts[BOB].networks[first_b], false, hosts_out);
    hosts_perform(BOB);
    hosts_run(100);
    assert_int_equal(hosts[BOB].gone, 1);
    hits = 0;
    for (uint32_t i = 0; i < hosts[BOB].address_count; i++) {
        hits += hosts[BOB].addresses[i].prefix.ip.bytes[0] == 0x20;
        assert_true(wrn_handle_equal(hosts[BOB].addresses[i].network, hosts[BOB].networks[bobs]));
    }
    assert_int_equal(hits, 1);
    wrn_node_remove(hosts[BOB].node, hosts[BOB].networks[first_b]);
    send(ALICE, alices, &a2, &b2, "still in the second");
    hosts_run(1000);
    assert_int_equal(hosts_got(BOB, bobs, "still in the second"), 1);
}

static bool bob_is_gone(void) {
    return hosts[BOB].gone == 1;
}

static void test_leaving(void **state) {
    (void)state;
    struct wrn_names_answer answer;
    struct wrn_names_question question = {.kind = WRN_NAMES_HOST, .label = "host-b"};
    make_two("(member)", 0);
    hosts_before();
    wrn_node_leave(hosts[BOB].node, hosts_now, hosts[BOB].networks[bobs], true, hosts_out);
    hosts_perform(BOB);
    hosts_until(bob_is_gone, 20, "it has left");
    assert_int_equal(hosts[BOB].address_count, 0);
    assert_int_equal(hosts[BOB].route_count, 0);
    hosts_run(2000);
    hosts_before();
    wrn_node_resolve(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices], &question, 7,
                     &answer, hosts_out);
    hosts_perform(ALICE);
    hosts_until(seven_is_answered, 20, "the name is free again");
    assert_int_equal(answer_of(ALICE, 7, 0)->found, WRN_NAMES_ABSENT);
}

/* What may be sent is decided by the sender's rights; who asks why is told. */
static void test_rules(void **state) {
    (void)state;
    struct wrn_node_trace trace;
    make_two("(* set (member) (allow tcp \"80\"))", 0);
    struct wrn_ip a = hosts_info(ALICE, alices).ipv4, b = hosts_info(BOB, bobs).ipv4;
    send(BOB, bobs, &b, &a, "by UDP");
    hosts_run(1000);
    assert_int_equal(hosts_got(ALICE, alices, "by UDP"), 0);
    struct wrn_policy_question question = {.source = b,
                                           .destination = a,
                                           .protocol = 17,
                                           .source_port = 4242,
                                           .destination_port = 4242};
    assert_true(wrn_node_trace(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices],
                               &question, &trace));
    assert_int_equal(trace.verdict.refusal, WRN_POLICY_NO_PROTOCOL);
    assert_int_equal(trace.direction, WRN_POLICY_IN);
    assert_non_null(strstr(trace.text, "host-b"));
    send(ALICE, alices, &a, &b, "asked");
    send(BOB, bobs, &b, &a, "answered");
    hosts_run(1000);
    assert_int_equal(hosts_got(BOB, bobs, "asked"), 1);
    question.protocol = 6;
    question.destination_port = 80;
    assert_true(wrn_node_trace(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices],
                               &question, &trace));
    assert_int_equal(trace.verdict.refusal, WRN_POLICY_NONE);
    assert_int_equal(trace.verdict.ground, WRN_POLICY_BY_RULE);
    static const uint8_t none[WRN_SHA256_SIZE];
    assert_memory_not_equal(trace.cert.hash, none, sizeof(none));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_alone, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_two, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_first_peers_are_saved_at_once, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_names_and_members, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_a_list_that_was_given_up_is_in_nobodys_way,
                                        hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_reverse, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_carry, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_table, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_kept, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_kept_bounds, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_announced_port, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_killed_and_back, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_relayed, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_relay_by_right, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_first_packets, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_first_both_ways, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_no_packet_comes_too_early, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_lost_answers, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_ciphers, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_nobody_there, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_nobody_there_when_the_ring_is_back, hosts_begin,
                                        hosts_end),
        cmocka_unit_test_setup_teardown(test_half_a_day, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_expiry, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_networks_apart, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_leaving, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_rules, hosts_begin, hosts_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
