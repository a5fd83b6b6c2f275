/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every node comes to an address of its own, or is told with figures why not; conflicts after
 * a partition end with one owner; nobody is where nobody may be. Method: a table in virtual time
 * that decides as the DHT does. */
#include "network/lease.h"

#include "unit/base/check.h"
#include "unit/network/table.h"

enum { EVENTS_MAX = 64, NODES_MAX = 8 };

struct host {
    struct wrn_lease lease;
    unsigned number;
    unsigned count;
    struct wrn_lease_event events[EVENTS_MAX];
};

static struct host hosts[NODES_MAX];

static enum wrn_reason port_store(void *ctx, const struct wrn_claim_request *request) {
    const struct host *host = ctx;
    return table_store(host->number, request);
}

static void port_event(void *ctx, const struct wrn_lease_event *event) {
    struct host *host = ctx;
    assert_true(event->text[0] != '\0' && strlen(event->text) < sizeof event->text - 1);
    host->events[host->count++ % EVENTS_MAX] = *event;
}

static void machine_answer(void *it, struct wrn_now now, const struct wrn_dht_answer *answer) {
    wrn_lease_on_answer(it, now, answer);
}

static void machine_lost(void *it, struct wrn_now now, wrn_span record, wrn_span winner,
                         enum wrn_reason reason) {
    wrn_lease_on_lost(it, now, record, winner, reason);
}

static void machine_time(void *it, struct wrn_now now) {
    wrn_lease_on_time(it, now);
}

static wrn_mono machine_due(const void *it) {
    return wrn_lease_due(it);
}

static struct wrn_ip ip4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    return (struct wrn_ip){.family = WRN_FAMILY_IPV4, .bytes = {a, b, c, d}};
}

static struct wrn_prefix range(uint8_t bits) {
    return (struct wrn_prefix){ip4(10, 77, 0, 0), bits};
}

/* Adds the next host, off. */
static struct host *add_with(uint8_t bits, const struct wrn_rights *rights,
                             struct wrn_ip remembered) {
    static unsigned next;
    struct table_machine machine = {.on_answer = machine_answer,
                                    .on_lost = machine_lost,
                                    .on_time = machine_time,
                                    .due = machine_due};
    struct wrn_lease_options options = {
        .range = range(bits), .rights = rights, .remembered = remembered, .tag_top = 7};
    struct host *host = &hosts[next++ % NODES_MAX];
    struct wrn_lease_port port = {.ctx = host, .store = port_store, .event = port_event};
    machine.it = &host->lease;
    host->count = 0;
    host->number = table_add(machine);
    memcpy(options.own, table_public(host->number), sizeof options.own);
    wrn_lease_init(&host->lease, &options, &port, table_primitives(), table_rand());
    return host;
}

static struct host *add(uint8_t bits) {
    return add_with(bits, NULL, (struct wrn_ip){.family = WRN_FAMILY_NONE});
}

static void start(struct host *host) {
    assert_true(wrn_lease_start(&host->lease, table_now()));
}

static const struct wrn_lease_event *last(const struct host *host) {
    assert_true(host->count > 0);
    return &host->events[(host->count - 1) % EVENTS_MAX];
}

static bool has(const struct host *host, struct wrn_ip ip) {
    struct wrn_ip own = wrn_lease_address(&host->lease);
    return wrn_ip_equal(&own, &ip);
}

/* What the lease is between two tries: a moment picked by the clock may lie within one. */
static enum wrn_claim_state rests_as(const struct host *host) {
    for (unsigned s = 0; s < 10 && wrn_lease_state(&host->lease) == WRN_CLAIM_TRYING; s++) {
        table_run(1);
    }
    return wrn_lease_state(&host->lease);
}

static int set_up(void **state) {
    (void)state;
    table_begin(check_seed());
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    table_end();
    return 0;
}

/* A6: seven addresses and the network's; the first is kept, the last is for broadcast. */
static void five_in_seven_the_sixth_is_told(void **state) {
    (void)state;
    struct host *all[6];
    unsigned held = 0, full = 0;
    for (unsigned i = 0; i < 6; i++) {
        all[i] = add(29);
        start(all[i]);
    }
    table_run(60);
    for (unsigned i = 0; i < 6; i++) {
        struct wrn_ip ip = wrn_lease_address(&all[i]->lease);
        if (ip.family == WRN_FAMILY_IPV4) {
            held++;
            assert_in_range(ip.bytes[3], 2, 6);
            for (unsigned j = 0; j < i; j++) {
                assert_false(has(all[j], ip));
            }
            continue;
        }
        full++;
        assert_int_equal(last(all[i])->kind, WRN_LEASE_FULL);
        assert_int_equal(last(all[i])->size, 5);
        assert_int_equal(last(all[i])->tried, 5);
        assert_int_equal(last(all[i])->taken, 5);
        assert_non_null(strstr(last(all[i])->text, "10.77.0.0/29 has no free address: of 5"));
    }
    assert_int_equal(held, 5);
    assert_int_equal(full, 1);
}

static void who_waits_gets_what_is_given_back(void **state) {
    (void)state;
    struct host *first = add(30), *second = add(30);
    start(first);
    table_run(5);
    assert_true(has(first, ip4(10, 77, 0, 2)));
    start(second);
    table_run(200);
    assert_int_equal(rests_as(second), WRN_CLAIM_FULL);
    wrn_lease_stop(&first->lease, table_now(), true);
    table_run(5);
    assert_int_equal(last(first)->kind, WRN_LEASE_RELEASED);
    assert_int_equal(wrn_lease_state(&first->lease), WRN_CLAIM_OFF);
    table_run(900); /* the longest back-off, and a quarter */
    assert_true(has(second, ip4(10, 77, 0, 2)));
}

/* Waiting costs ever less: in a day at most one request in 7.5 minutes. */
static void a_full_range_is_asked_ever_seldomer(void **state) {
    (void)state;
    struct host *host = add(30);
    table_squat("addr/10.77.0.2", (wrn_span){(const uint8_t *)"x", 1});
    start(host);
    table_run(86400);
    assert_int_equal(rests_as(host), WRN_CLAIM_FULL);
    assert_in_range(table_requests(host->number), 100, 86400 / 450 + 6);
}

static void the_remembered_one_comes_first(void **state) {
    (void)state;
    struct host *host = add_with(16, NULL, ip4(10, 77, 12, 34));
    start(host);
    table_run(2);
    assert_true(has(host, ip4(10, 77, 12, 34)));
    assert_int_equal(table_requests(host->number), 2); /* created, then kept */
    wrn_lease_stop(&host->lease, table_now(), false);
    table_run(2);
    assert_int_equal(table_owner("addr/10.77.12.34"), host->number); /* it comes back */
    start(host);
    table_run(2);
    assert_true(has(host, ip4(10, 77, 12, 34)));

    struct host *other = add_with(16, NULL, ip4(10, 77, 12, 34));
    start(other);
    table_run(10);
    assert_int_equal(wrn_lease_state(&other->lease), WRN_CLAIM_HELD);
    assert_false(has(other, ip4(10, 77, 12, 34)));

    struct host *foreign = add_with(16, NULL, ip4(10, 78, 0, 9)); /* of another network */
    start(foreign);
    table_run(10);
    assert_false(has(foreign, ip4(10, 78, 0, 9)));
    assert_int_equal(wrn_lease_state(&foreign->lease), WRN_CLAIM_HELD);
}

static struct wrn_rights_range right(struct wrn_ip first, struct wrn_ip last_ip) {
    return (struct wrn_rights_range){.low = {0, wrn_load_be32(first.bytes)},
                                     .high = {0, wrn_load_be32(last_ip.bytes)},
                                     .family = WRN_FAMILY_IPV4};
}

static void certificates_fix_addresses(void **state) {
    (void)state;
    struct wrn_rights rights = {
        .flags = WRN_RIGHT_MEMBER,
        .address_count = 3,
        .addresses = {right(ip4(10, 77, 0, 9), ip4(10, 77, 0, 9)),
                      right(ip4(10, 77, 0, 0), ip4(10, 77, 0, 2)), /* two of them are nobody's */
                      right(ip4(10, 79, 0, 0), ip4(10, 79, 0, 255))},
    };
    struct host *first = add_with(16, &rights, ip4(10, 77, 0, 77));
    struct host *second = add_with(16, &rights, (struct wrn_ip){.family = WRN_FAMILY_NONE});
    struct host *third = add_with(16, &rights, (struct wrn_ip){.family = WRN_FAMILY_NONE});
    start(first);
    start(second);
    table_run(20);
    assert_true(has(first, ip4(10, 77, 0, 9)) != has(second, ip4(10, 77, 0, 9)));
    assert_true(has(first, ip4(10, 77, 0, 2)) != has(second, ip4(10, 77, 0, 2)));
    start(third);
    table_run(20);
    assert_int_equal(last(third)->kind, WRN_LEASE_FULL);
    assert_int_equal(last(third)->size, 2);
}

static void narrowed_rights_take_an_address_away(void **state) {
    (void)state;
    struct wrn_rights rights = {.flags = WRN_RIGHT_MEMBER,
                                .address_count = 1,
                                .addresses = {right(ip4(10, 77, 0, 9), ip4(10, 77, 0, 9))}};
    struct host *host = add_with(24, NULL, ip4(10, 77, 0, 50));
    start(host);
    table_run(5);
    assert_true(has(host, ip4(10, 77, 0, 50)));
    wrn_lease_set_rights(&host->lease, table_now(), &rights);
    assert_int_equal(last(host)->kind, WRN_LEASE_LOST);
    assert_int_equal(last(host)->reason, WRN_REASON_RULE);
    table_run(5);
    assert_true(has(host, ip4(10, 77, 0, 9)));
    assert_int_equal(table_owner("addr/10.77.0.50"), -1); /* and given back */
    rights.any_address = true;
    wrn_lease_set_rights(&host->lease, table_now(), &rights);
    table_run(5);
    assert_true(has(host, ip4(10, 77, 0, 9))); /* nobody renumbers without need */
}

static void overlapping_rights_count_once(void **state) {
    (void)state;
    struct wrn_rights rights = {
        .flags = WRN_RIGHT_MEMBER,
        .address_count = 4,
        .addresses = {right(ip4(10, 77, 0, 20), ip4(10, 77, 0, 29)),
                      right(ip4(10, 77, 0, 10), ip4(10, 77, 0, 22)),
                      right(ip4(10, 77, 0, 40), ip4(10, 77, 0, 49)),
                      right(ip4(10, 77, 0, 5), ip4(10, 77, 0, 5))},
    };
    struct host *host = add_with(24, &rights, (struct wrn_ip){.family = WRN_FAMILY_NONE});
    for (uint8_t i = 0; i < 255; i++) {
        char key[32];
        struct wrn_ip ip = ip4(10, 77, 0, i);
        char room[WRN_RECORD_KEY_MAX];
        size_t size = wrn_lease_key(&ip, room);
        memcpy(key, room, size);
        key[size] = '\0';
        table_squat(key, (wrn_span){(const uint8_t *)"x", 1});
    }
    start(host);
    table_run(60);
    const struct wrn_lease_event *event = last(host);
    assert_int_equal(event->kind, WRN_LEASE_FULL);
    assert_int_equal(event->size, 1 + 20 + 10);
    assert_int_equal(event->taken, 1 + 20 + 10); /* each once: all are somebody's */
}

static void parts_that_meet_again_agree(void **state) {
    (void)state;
    struct host *first = add_with(24, NULL, ip4(10, 77, 0, 5));
    struct host *second = add_with(24, NULL, ip4(10, 77, 0, 5));
    table_part(second->number, 1);
    start(first);
    table_run(30);
    start(second);
    table_run(30);
    assert_true(has(first, ip4(10, 77, 0, 5)) && has(second, ip4(10, 77, 0, 5)));
    unsigned before = first->count;
    table_heal();
    table_run(30);
    assert_true(has(first, ip4(10, 77, 0, 5))); /* the older claim */
    assert_int_equal(first->count, before);     /* and nothing is said about it */
    assert_false(has(second, ip4(10, 77, 0, 5)));
    assert_int_equal(wrn_lease_state(&second->lease), WRN_CLAIM_HELD);
    const struct wrn_lease_event *lost = &second->events[second->count - 2];
    uint8_t hit[WRN_HIT_SIZE];
    wrn_hit(table_public(first->number), hit);
    assert_int_equal(lost->kind, WRN_LEASE_LOST);
    assert_int_equal(lost->reason, WRN_REASON_KEY_TAKEN);
    struct wrn_ip five = ip4(10, 77, 0, 5);
    assert_true(wrn_ip_equal(&lost->ip, &five) && lost->has_holder);
    assert_memory_equal(lost->holder, hit, sizeof hit);
    assert_int_equal(last(second)->kind, WRN_LEASE_HELD);
    assert_true(wrn_ip_equal(&last(second)->previous, &five) && last(second)->has_holder);
    assert_non_null(strstr(last(second)->text, "10.77.0.5 belongs to 2001:2"));
}

static void a_claim_stays_as_old_as_it_is(void **state) {
    (void)state;
    struct host *first = add_with(24, NULL, ip4(10, 77, 0, 5));
    struct host *second = add_with(24, NULL, ip4(10, 77, 0, 5));
    table_part(second->number, 1);
    start(first);
    table_run(100);
    start(second);
    table_run(100);
    wrn_lease_set_name(&first->lease, table_now(), "moved"); /* stored again, later than theirs */
    table_run(30);
    table_heal();
    table_run(30);
    assert_true(has(first, ip4(10, 77, 0, 5)));
    assert_false(has(second, ip4(10, 77, 0, 5)));
}

static void silence_is_waited_out(void **state) {
    (void)state;
    struct host *host = add_with(24, NULL, ip4(10, 77, 0, 5));
    table_force(host->number, WRN_REASON_TIMEOUT);
    start(host);
    table_run(300);
    assert_int_equal(host->count, 1); /* said once */
    assert_int_equal(last(host)->kind, WRN_LEASE_WAITING);
    assert_int_equal(last(host)->reason, WRN_REASON_TIMEOUT);
    assert_in_range(table_requests(host->number), 4, 9);
    table_force(host->number, WRN_REASON_NONE);
    wrn_lease_on_connected(&host->lease, table_now());
    table_run(40);
    assert_true(has(host, ip4(10, 77, 0, 5)));
}

static void a_busy_port_is_asked_again(void **state) {
    (void)state;
    struct host *host = add(24);
    table_refuse(host->number, WRN_REASON_FULL);
    start(host);
    assert_int_equal(last(host)->reason, WRN_REASON_FULL);
    table_run(20);
    table_refuse(host->number, WRN_REASON_NONE);
    table_run(90);
    assert_int_equal(wrn_lease_state(&host->lease), WRN_CLAIM_HELD);
}

static void without_the_right_it_waits_for_one(void **state) {
    static const enum wrn_reason reasons[] = {WRN_REASON_NOT_ADMITTED, WRN_REASON_EXPIRED,
                                              WRN_REASON_EXCLUDED, WRN_REASON_NOT_YET};
    (void)state;
    struct host *host = add(24);
    start(host);
    for (size_t i = 0; i < WRN_COUNT(reasons); i++) {
        unsigned before = table_requests(host->number);
        table_force(host->number, reasons[i]);
        wrn_lease_set_rights(&host->lease, table_now(), NULL);
        table_run(600);
        CHECK(last(host)->kind == WRN_LEASE_WAITING && last(host)->reason == reasons[i],
              "reason %d: ", (int)reasons[i]);
        assert_in_range(table_requests(host->number) - before, 2, 8);
    }
    table_force(host->number, WRN_REASON_NONE);
    wrn_lease_set_rights(&host->lease, table_now(), NULL);
    table_run(5);
    assert_int_equal(wrn_lease_state(&host->lease), WRN_CLAIM_HELD);
}

static void refused_addresses_are_counted_apart(void **state) {
    (void)state;
    struct host *host = add(29);
    table_force(host->number, WRN_REASON_RULE);
    start(host);
    table_run(10);
    assert_int_equal(last(host)->kind, WRN_LEASE_FULL);
    assert_int_equal(last(host)->refused, 5);
    assert_int_equal(last(host)->taken, 0);
}

/* Holders that say "taken" and show nothing, or our own record, take no address away. */
static void a_lie_takes_nothing(void **state) {
    (void)state;
    struct host *host = add_with(24, NULL, ip4(10, 77, 0, 5));
    table_force(host->number, WRN_REASON_KEY_TAKEN);
    start(host);
    table_run(300);
    assert_int_equal(rests_as(host), WRN_CLAIM_WAITING);
    assert_in_range(table_requests(host->number), 4, 12);
    table_squat("addr/10.77.0.5", (wrn_span){(const uint8_t *)"x", 1});
    table_garble(host->number, true);
    table_run(300);
    assert_int_equal(rests_as(host), WRN_CLAIM_WAITING);
    table_garble(host->number, false);
    table_force(host->number, WRN_REASON_NONE);
    table_run(90);
    assert_int_equal(wrn_lease_state(&host->lease), WRN_CLAIM_HELD);
    assert_false(has(host, ip4(10, 77, 0, 5)));
}

static void strange_answers_change_nothing(void **state) {
    (void)state;
    struct host *host = add(24);
    struct wrn_dht_answer answer = {.verb = WRN_DHT_STORE, .is_last = true};
    start(host);
    for (uint32_t tag = 0; tag < 64; tag++) {
        answer.tag = tag;
        wrn_lease_on_answer(&host->lease, table_now(), &answer);
        answer.tag = UINT32_C(8) << 16 | tag;
        wrn_lease_on_answer(&host->lease, table_now(), &answer);
    }
    answer.tag = host->lease.claim.tag;
    answer.verb = WRN_DHT_GET;
    wrn_lease_on_answer(&host->lease, table_now(), &answer);
    assert_int_equal(wrn_lease_state(&host->lease), WRN_CLAIM_TRYING);
    wrn_lease_on_lost(&host->lease, table_now(), (wrn_span){NULL, 0}, (wrn_span){NULL, 0},
                      WRN_REASON_KEY_TAKEN);
    assert_int_equal(wrn_lease_state(&host->lease), WRN_CLAIM_TRYING);
    table_run(5);
    wrn_lease_on_lost(&host->lease, table_now(), (wrn_span){NULL, 0}, (wrn_span){NULL, 0},
                      WRN_REASON_KEY_TAKEN);
    assert_int_equal(wrn_lease_state(&host->lease), WRN_CLAIM_HELD);
}

static void what_was_not_renewed_is_claimed_anew(void **state) {
    (void)state;
    struct host *host = add_with(24, NULL, ip4(10, 77, 0, 5));
    start(host);
    table_run(5);
    table_forget(host->number, "addr/10.77.0.5", WRN_REASON_EXPIRED);
    assert_int_equal(last(host)->kind, WRN_LEASE_LOST);
    table_run(5);
    assert_true(has(host, ip4(10, 77, 0, 5)));
}

/* A28: a mapping that somebody misses is stored again, at most every 10 s. */
static void a_missing_record_is_stored_again(void **state) {
    (void)state;
    struct host *host = add(24);
    start(host);
    table_run(20);
    unsigned before = table_requests(host->number);
    for (unsigned i = 0; i < 100; i++) {
        wrn_lease_on_missing(&host->lease, table_now());
        table_run(1);
    }
    assert_in_range(table_requests(host->number) - before, 9, 11);
}

static void leaving_ends_in_any_case(void **state) {
    (void)state;
    struct host *host = add(24);
    start(host);
    table_run(5);
    table_force(host->number, WRN_REASON_TIMEOUT);
    wrn_lease_stop(&host->lease, table_now(), true);
    assert_int_equal(wrn_lease_state(&host->lease), WRN_CLAIM_LEAVING);
    table_run(30);
    assert_int_equal(wrn_lease_state(&host->lease), WRN_CLAIM_OFF);
    assert_int_equal(last(host)->reason, WRN_REASON_TIMEOUT);
    assert_true(wrn_lease_due(&host->lease).ns == WRN_MONO_NEVER.ns);
    start(host); /* and it can begin again, in the middle of leaving, too */
    table_force(host->number, WRN_REASON_NONE);
    wrn_lease_stop(&host->lease, table_now(), true);
    start(host);
    table_run(40);
    assert_int_equal(wrn_lease_state(&host->lease), WRN_CLAIM_HELD);
}

static void a_network_without_addresses_has_no_lease(void **state) {
    (void)state;
    struct wrn_lease lease;
    struct wrn_lease_options options = {.tag_top = 1};
    struct wrn_lease_port port = {.store = port_store, .event = port_event};
    struct wrn_rights none = {.flags = WRN_RIGHT_MEMBER};
    wrn_lease_init(&lease, &options, &port, table_primitives(), table_rand());
    assert_false(wrn_lease_start(&lease, table_now()));
    options.range = range(24);
    options.rights = &none;
    wrn_lease_init(&lease, &options, &port, table_primitives(), table_rand());
    assert_false(wrn_lease_start(&lease, table_now()));
    assert_int_equal(wrn_lease_state(&lease), WRN_CLAIM_OFF);
}

static void bounds_of_ranges(void **state) {
    static const struct {
        uint8_t bits, ip[4];
        bool is_good;
    } cases[] = {
        {24, {10, 77, 0, 0}, false},     {24, {10, 77, 0, 1}, false},
        {24, {10, 77, 0, 2}, true},      {24, {10, 77, 0, 254}, true},
        {24, {10, 77, 0, 255}, false},   {24, {10, 77, 1, 2}, false},
        {24, {10, 76, 255, 9}, false},   {30, {10, 77, 0, 2}, true},
        {30, {10, 77, 0, 3}, false},     {8, {10, 255, 255, 254}, true},
        {8, {10, 255, 255, 255}, false},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_prefix prefix = range(cases[i].bits);
        struct wrn_ip ip = ip4(cases[i].ip[0], cases[i].ip[1], cases[i].ip[2], cases[i].ip[3]);
        if (cases[i].bits == 8) {
            prefix = (struct wrn_prefix){ip4(10, 0, 0, 0), 8};
        }
        CHECK(wrn_lease_is_assignable(&prefix, &ip) == cases[i].is_good, "case %zu: ", i);
    }
}

static void records_have_one_form(void **state) {
    static const struct {
        const char *key, *value;
        bool is_good;
    } cases[] = {
        {"addr/10.77.0.5", "(5:lease(7:address9:10.77.0.5))", true},
        {"addr/10.77.0.5", "(5:lease(7:address9:10.77.0.5)(4:name3:lab))", true},
        {"addr/fd12::5", "(5:lease(7:address7:fd12::5))", true},
        {"addr/10.77.0.5", "(5:lease(7:address9:10.77.0.6))", false},
        {"addr/10.77.0.5", "(5:lease(7:address9:10.77.0.5)(4:name3:LAB))", false},
        {"addr/10.77.0.5", "(5:lease(7:address9:10.77.0.5)(4:name3:lab)(1:x))", false},
        {"addr/10.77.0.5", "(5:lease(7:address9:10.77.0.5)(4:name0:))", false},
        {"addr/10.77.0.5", "(5:lease)", false},
        {"addr/10.77.0.5", "", false},
        {"addr/010.77.0.5", "(5:lease(7:address10:010.77.0.5))", false},
        {"addr/FD12::5", "(5:lease(7:address7:FD12::5))", false},
        {"addr/fd12:0::5", "(5:lease(7:address9:fd12:0::5))", false},
        {"name/10.77.0.5", "(5:lease(7:address9:10.77.0.5))", false},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_record record = {
            .kind = WRN_RECORD_CREATE,
            .key = {(const uint8_t *)cases[i].key, strlen(cases[i].key)},
            .value = {(const uint8_t *)cases[i].value, strlen(cases[i].value)}};
        struct wrn_ip ip;
        char label[WRN_LABEL_SIZE], key[WRN_RECORD_KEY_MAX];
        uint8_t value[WRN_CLAIM_VALUE_MAX];
        bool is_good = wrn_lease_read(&record, &ip, label);
        CHECK(is_good == cases[i].is_good, "case %zu: ", i);
        if (is_good) { /* what is read is written so */
            assert_int_equal(wrn_lease_key(&ip, key), record.key.size);
            assert_memory_equal(key, record.key.data, record.key.size);
            assert_int_equal(wrn_lease_value(&ip, label, value), record.value.size);
            assert_memory_equal(value, record.value.data, record.value.size);
        }
        record.kind = WRN_RECORD_PUT;
        assert_false(wrn_lease_read(&record, &ip, label));
    }
    char longest[WRN_LABEL_SIZE];
    uint8_t value[WRN_CLAIM_VALUE_MAX];
    struct wrn_ip ip = {.family = WRN_FAMILY_IPV6};
    memset(ip.bytes, 0xfd, sizeof ip.bytes);
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_in_range(wrn_lease_value(&ip, longest, value), 120, sizeof value);
}

static void ipv6_is_made_of_the_hit(void **state) {
    (void)state;
    struct wrn_prefix prefix = {{.family = WRN_FAMILY_IPV6, .bytes = {0xfd, 1, 2, 3, 4, 5, 6, 7}},
                                64};
    struct wrn_prefix none = {.ip = {.family = WRN_FAMILY_NONE}};
    uint8_t hit[WRN_HIT_SIZE] = {0x20, 0x01, 0x00, 0x25, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    uint8_t other[WRN_HIT_SIZE];
    struct wrn_ip ip, as_hit = {.family = WRN_FAMILY_IPV6};
    assert_true(wrn_lease_ipv6(&prefix, hit, &ip));
    assert_memory_equal(ip.bytes, prefix.ip.bytes, 8);
    assert_memory_equal(ip.bytes + 8, hit + 8, 8);
    assert_true(wrn_lease_is_ipv6_of(&prefix, hit, &ip));
    memcpy(as_hit.bytes, hit, sizeof hit);
    assert_true(wrn_lease_is_ipv6_of(&prefix, hit, &as_hit));
    assert_true(wrn_lease_is_ipv6_of(&none, hit, &as_hit)); /* without a range, too */
    assert_false(wrn_lease_is_ipv6_of(&none, hit, &ip));
    for (unsigned bit = 0; bit < 128; bit++) { /* every other one is somebody else's */
        struct wrn_ip wrong = ip;
        wrong.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        assert_false(wrn_lease_is_ipv6_of(&prefix, hit, &wrong));
    }
    memcpy(other, hit, sizeof hit);
    memset(other + 8, 0, 8);
    assert_false(wrn_lease_ipv6(&prefix, other, &ip));
    other[15] = 1;
    assert_false(wrn_lease_ipv6(&prefix, other, &ip));
    other[15] = 2;
    assert_true(wrn_lease_ipv6(&prefix, other, &ip));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(five_in_seven_the_sixth_is_told),
        TEST(who_waits_gets_what_is_given_back),
        TEST(a_full_range_is_asked_ever_seldomer),
        TEST(the_remembered_one_comes_first),
        TEST(certificates_fix_addresses),
        TEST(narrowed_rights_take_an_address_away),
        TEST(overlapping_rights_count_once),
        TEST(parts_that_meet_again_agree),
        TEST(a_claim_stays_as_old_as_it_is),
        TEST(silence_is_waited_out),
        TEST(a_busy_port_is_asked_again),
        TEST(without_the_right_it_waits_for_one),
        TEST(refused_addresses_are_counted_apart),
        TEST(a_lie_takes_nothing),
        TEST(strange_answers_change_nothing),
        TEST(what_was_not_renewed_is_claimed_anew),
        TEST(a_missing_record_is_stored_again),
        TEST(leaving_ends_in_any_case),
        TEST(a_network_without_addresses_has_no_lease),
        TEST(bounds_of_ranges),
        TEST(records_have_one_form),
        TEST(ipv6_is_made_of_the_hit),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
