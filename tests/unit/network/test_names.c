/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: each host has a name of its own, as like its own as can be; what others are called is asked
 * once, believed when it fits, and forgotten in time. Method: tables of texts, and a table of
 * records in virtual time. */
#include "network/names.h"

#include <stdio.h>

#include "unit/base/check.h"
#include "unit/network/table.h"

enum { HOSTS_MAX = 8, EVENTS_MAX = 128, ROOM = 1 << 16 };

struct host {
    struct wrn_names *names;
    unsigned number, event_count, resolved_count;
    struct wrn_names_event events[EVENTS_MAX];
    struct wrn_names_question question; /* the one that was resolved last */
    struct wrn_names_answer answer;
    uint8_t room[ROOM] __attribute__((aligned(64)));
};

static struct host hosts[HOSTS_MAX];
static unsigned host_count;

static enum wrn_reason port_store(void *ctx, const struct wrn_claim_request *request) {
    const struct host *host = ctx;
    return table_store(host->number, request);
}

static enum wrn_reason port_get(void *ctx, uint32_t tag, wrn_span key) {
    const struct host *host = ctx;
    return table_get(host->number, tag, key);
}

static void port_resolved(void *ctx, const struct wrn_names_question *question,
                          const struct wrn_names_answer *answer) {
    struct host *host = ctx;
    host->resolved_count++;
    host->question = *question;
    host->answer = *answer;
}

static void port_event(void *ctx, const struct wrn_names_event *event) {
    struct host *host = ctx;
    assert_true(event->text[0] != '\0' && strlen(event->text) < sizeof event->text - 1);
    host->events[host->event_count++ % EVENTS_MAX] = *event;
}

static void machine_answer(void *it, struct wrn_now now, const struct wrn_dht_answer *answer) {
    wrn_names_on_answer(((struct host *)it)->names, now, answer);
}

static void machine_lost(void *it, struct wrn_now now, wrn_span record, wrn_span winner,
                         enum wrn_reason reason) {
    wrn_names_on_lost(((struct host *)it)->names, now, record, winner, reason);
}

static void machine_time(void *it, struct wrn_now now) {
    wrn_names_on_time(((struct host *)it)->names, now);
}

static wrn_mono machine_due(const void *it) {
    return wrn_names_due(((const struct host *)it)->names);
}

static const struct wrn_prefix ipv4 = {{.family = WRN_FAMILY_IPV4, .bytes = {10, 77}}, 16};
static const struct wrn_prefix ipv6 = {
    {.family = WRN_FAMILY_IPV6, .bytes = {0xfd, 1, 2, 3, 4, 5, 6, 7}}, 64};

static struct wrn_ip ip4(uint8_t c, uint8_t d) {
    return (struct wrn_ip){.family = WRN_FAMILY_IPV4, .bytes = {10, 77, c, d}};
}

static wrn_span span_of(const char *text) {
    return (wrn_span){(const uint8_t *)text, strlen(text)};
}

static struct host *add(const char *name, const struct wrn_rights *rights) {
    struct host *host = &hosts[host_count++ % HOSTS_MAX];
    struct table_machine machine = {.it = host,
                                    .on_answer = machine_answer,
                                    .on_lost = machine_lost,
                                    .on_time = machine_time,
                                    .due = machine_due};
    struct wrn_names_port port = {.ctx = host,
                                  .store = port_store,
                                  .get = port_get,
                                  .resolved = port_resolved,
                                  .event = port_event};
    struct wrn_names_options options = {.ipv4 = ipv4,
                                        .ipv6 = ipv6,
                                        .host = span_of(name),
                                        .rights = rights,
                                        .tag_top = 8,
                                        .entries_max = 8};
    struct wrn_arena arena;
    *host = (struct host){.number = table_add(machine)};
    memcpy(options.own, table_public(host->number), sizeof options.own);
    wrn_arena_init(&arena, NULL, 0);
    assert_null(wrn_names_init(&arena, &options, &port, table_primitives(), table_rand()));
    assert_in_range(arena.used, 1, ROOM);
    wrn_arena_init(&arena, host->room, ROOM);
    host->names = wrn_names_init(&arena, &options, &port, table_primitives(), table_rand());
    return host;
}

static struct host *start(const char *name) {
    struct host *host = add(name, NULL);
    wrn_names_start(host->names, table_now());
    table_run(3);
    return host;
}

static struct wrn_names_answer ask(struct host *host, const char *label) {
    struct wrn_names_question question = {.kind = WRN_NAMES_HOST};
    struct wrn_names_answer answer;
    (void)snprintf(question.label, sizeof question.label, "%s", label);
    wrn_names_ask(host->names, table_now(), &question, &answer);
    return answer;
}

static struct wrn_names_answer reverse(struct host *host, struct wrn_ip ip) {
    struct wrn_names_question question = {.kind = WRN_NAMES_REVERSE, .ip = ip};
    struct wrn_names_answer answer;
    wrn_names_ask(host->names, table_now(), &question, &answer);
    return answer;
}

/* Asks, and waits for the answer. */
static struct wrn_names_answer wait_for(struct host *host, const char *label) {
    struct wrn_names_answer answer = ask(host, label);
    if (answer.found == WRN_NAMES_PENDING) {
        table_run(2);
        answer = ask(host, label);
    }
    return answer;
}

static int set_up(void **state) {
    (void)state;
    table_begin(check_seed());
    host_count = 0;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    table_end();
    return 0;
}

static void labels_are_made_good(void **state) {
    static const struct {
        const char *host, *label;
    } cases[] = {
        {"lab", "lab"},
        {"Lab-PC.example.org", "lab-pc"},
        {"Anna's iPhone", "anna-s-iphone"},
        {"__x__", "x"},
        {"a..b", "a"},
        {"a _ b", "a-b"},
        {"", "node-0a0b0cfe"},
        {"...", "node-0a0b0cfe"},
        {"---", "node-0a0b0cfe"},
        {"\xc3\xa4", "node-0a0b0cfe"},
        {"9", "9"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbb",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    };
    static const uint8_t hit[WRN_HIT_SIZE] = {[12] = 10, 11, 12, 254};
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        char label[WRN_LABEL_SIZE], numbered[WRN_LABEL_SIZE];
        wrn_names_label(span_of(cases[i].host), hit, label);
        assert_string_equal(label, cases[i].label);
        for (uint32_t number = 1; number <= WRN_NAMES_TRIES_MAX; number++) {
            wrn_names_numbered(label, number, numbered);
            CHECK(wrn_label_is_good(span_of(numbered)), "%s: ", numbered);
            assert_true((number == 1) == (strcmp(numbered, label) == 0));
        }
    }
    char numbered[WRN_LABEL_SIZE];
    wrn_names_numbered("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-aa", 12,
                       numbered);
    assert_string_equal(numbered,
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-12");
}

static void domain_names_are_told_apart(void **state) {
    static const struct {
        const char *domain;
        enum wrn_names_kind kind;
        const char *what;
    } cases[] = {
        {"db.lab.warren", WRN_NAMES_HOST, "db"},
        {"DB.Lab.WARREN.", WRN_NAMES_HOST, "db"},
        {"lab.warren", WRN_NAMES_DOMAIN, NULL},
        {"db.other.warren", WRN_NAMES_NOT_OURS, NULL},
        {"db.xlab.warren", WRN_NAMES_NOT_OURS, NULL},
        {"db.lab.warren.org", WRN_NAMES_NOT_OURS, NULL},
        {"warren", WRN_NAMES_NOT_OURS, NULL},
        {".warren", WRN_NAMES_NOT_OURS, NULL},
        {"", WRN_NAMES_NOT_OURS, NULL},
        {".", WRN_NAMES_NOT_OURS, NULL},
        {"-db.lab.warren", WRN_NAMES_BAD, NULL},
        {"a.b.lab.warren", WRN_NAMES_BAD, NULL},
        {".lab.warren", WRN_NAMES_BAD, NULL},
        {"d_b.lab.warren", WRN_NAMES_BAD, NULL},
        {"5.0.77.10.in-addr.arpa", WRN_NAMES_REVERSE, "10.77.0.5/32"},
        {"255.255.77.10.IN-ADDR.ARPA.", WRN_NAMES_REVERSE, "10.77.255.255/32"},
        {"5.0.78.10.in-addr.arpa", WRN_NAMES_NOT_OURS, NULL},
        {"05.0.77.10.in-addr.arpa", WRN_NAMES_NOT_OURS, NULL},
        {"256.0.77.10.in-addr.arpa", WRN_NAMES_NOT_OURS, NULL},
        {"5.0.77.10.1.in-addr.arpa", WRN_NAMES_NOT_OURS, NULL},
        {"0.77.10.in-addr.arpa", WRN_NAMES_NOT_OURS, NULL},
        {"5.0..10.in-addr.arpa", WRN_NAMES_NOT_OURS, NULL},
        {"8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.0.6.0.5.0.4.0.3.0.2.0.1.0.d.f.ip6.arpa",
         WRN_NAMES_REVERSE, "fd01:203:405:607::8/128"},
        {"8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.0.6.0.5.0.4.0.3.0.2.0.1.0.d.f.ip6.arpa",
         WRN_NAMES_NOT_OURS, NULL},
        {"8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.5.2.0.0.1.0.0.2.ip6.arpa",
         WRN_NAMES_REVERSE, "2001:25::8/128"},
        {"g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.0.6.0.5.0.4.0.3.0.2.0.1.0.d.f.ip6.arpa",
         WRN_NAMES_NOT_OURS, NULL},
        {"8.ip6.arpa", WRN_NAMES_NOT_OURS, NULL},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_names_question question;
        char text[WRN_PREFIX_TEXT_SIZE];
        wrn_names_parse(span_of(cases[i].domain), "lab", &ipv4, &ipv6, &question);
        CHECK(question.kind == cases[i].kind, "'%s' is %d: ", cases[i].domain, (int)question.kind);
        if (question.kind == WRN_NAMES_HOST) {
            assert_string_equal(question.label, cases[i].what);
        } else if (question.kind == WRN_NAMES_REVERSE) {
            struct wrn_prefix prefix = {question.ip,
                                        question.ip.family == WRN_FAMILY_IPV4 ? 32 : 128};
            struct wrn_prefix want;
            assert_int_equal(wrn_prefix_parse(span_of(cases[i].what), &want), 0);
            (void)wrn_prefix_print(&prefix, text);
            CHECK(wrn_ip_equal(&want.ip, &prefix.ip), "%s: ", text);
        }
    }
    char longest[300];
    struct wrn_names_question question;
    memset(longest, 'a', sizeof longest);
    for (size_t size = 0; size < sizeof longest; size++) {
        wrn_names_parse((wrn_span){(const uint8_t *)longest, size}, "lab", &ipv4, &ipv6, &question);
        assert_int_equal(question.kind, WRN_NAMES_NOT_OURS);
    }
}

static void twins_get_numbers(void **state) {
    (void)state;
    struct host *all[4];
    for (unsigned i = 0; i < 4; i++) {
        all[i] = add("Web", NULL);
        wrn_names_start(all[i]->names, table_now());
    }
    table_run(20);
    unsigned seen = 0;
    for (unsigned i = 0; i < 4; i++) {
        const char *own = wrn_names_own(all[i]->names);
        static const char *const expected[] = {"web", "web-2", "web-3", "web-4"};
        for (unsigned j = 0; j < 4; j++) {
            seen |= strcmp(own, expected[j]) == 0 ? 1U << j : 0;
        }
    }
    assert_int_equal(seen, 15);
}

static void names_are_found_with_addresses(void **state) {
    (void)state;
    struct host *db = start("db"), *web = start("web");
    struct wrn_ip five = ip4(0, 5);
    wrn_names_set_address(db->names, table_now(), &five);
    table_run(15);
    struct wrn_names_answer answer = ask(web, "db");
    assert_int_equal(answer.found, WRN_NAMES_PENDING);
    unsigned before = table_requests(web->number);
    for (unsigned i = 0; i < 10; i++) { /* one question at a time */
        assert_int_equal(ask(web, "db").found, WRN_NAMES_PENDING);
    }
    assert_int_equal(table_requests(web->number), before);
    table_run(2);
    assert_int_equal(web->resolved_count, 1);
    assert_string_equal(web->question.label, "db");
    answer = ask(web, "db");
    uint8_t hit[WRN_HIT_SIZE];
    wrn_hit(table_public(db->number), hit);
    assert_int_equal(answer.found, WRN_NAMES_FOUND);
    assert_memory_equal(answer.hit, hit, sizeof hit);
    assert_true(wrn_ip_equal(&answer.ipv4, &five));
    assert_true(wrn_lease_is_ipv6_of(&ipv6, hit, &answer.ipv6));
    assert_in_range(answer.ttl_s, 50, 60);
    struct wrn_names_answer who = reverse(web, answer.ipv6); /* known by now */
    assert_int_equal(who.found, WRN_NAMES_FOUND);
    assert_string_equal(who.label, "db");
    table_run(61);
    assert_int_equal(ask(web, "db").found, WRN_NAMES_PENDING);
    answer = ask(db, "db"); /* its own */
    assert_int_equal(answer.found, WRN_NAMES_FOUND);
    assert_string_equal(reverse(db, five).label, "db");
}

static void what_is_not_there_is_asked_again_later(void **state) {
    (void)state;
    struct host *web = start("web");
    assert_int_equal(wait_for(web, "nobody").found, WRN_NAMES_ABSENT);
    unsigned before = table_requests(web->number);
    table_run(5);
    assert_int_equal(ask(web, "nobody").found, WRN_NAMES_ABSENT);
    assert_int_equal(table_requests(web->number), before);
    table_run(6);
    assert_int_equal(ask(web, "nobody").found, WRN_NAMES_PENDING);
    table_force(web->number, WRN_REASON_TIMEOUT);
    assert_int_equal(ask(web, "silent").found, WRN_NAMES_PENDING);
    table_run(21);
    assert_int_equal(web->answer.found, WRN_NAMES_UNKNOWN);
    table_force(web->number, WRN_REASON_NONE);
    table_refuse(web->number, WRN_REASON_FULL);
    assert_int_equal(ask(web, "full").found, WRN_NAMES_UNKNOWN);
}

/* Who has an address may call himself anything: his name counts if the name says so, too. */
static void reverse_names_are_confirmed(void **state) {
    static const char lie[] = "(5:lease(7:address9:10.77.0.9)(4:name2:db))";
    (void)state;
    struct host *web = start("web");
    (void)start("db");
    table_squat("addr/10.77.0.9", span_of(lie));
    assert_int_equal(reverse(web, ip4(0, 9)).found, WRN_NAMES_PENDING);
    table_run(3);
    struct wrn_names_answer answer = reverse(web, ip4(0, 9));
    assert_int_equal(answer.found, WRN_NAMES_FOUND);
    assert_string_equal(answer.label, "");
    table_squat("addr/10.77.0.10", span_of("(5:lease(7:address10:10.77.0.10)(4:name3:own))"));
    table_squat("name/own", span_of("(4:host(7:address8:10.9.9.9))"));
    (void)reverse(web, ip4(0, 10));
    table_run(3);
    answer = reverse(web, ip4(0, 10));
    assert_string_equal(answer.label, "own");
    answer = wait_for(web, "own"); /* an address beyond the network is none */
    assert_int_equal(answer.found, WRN_NAMES_FOUND);
    assert_int_equal(answer.ipv4.family, WRN_FAMILY_NONE);
    table_squat("addr/10.77.0.11", span_of("(5:lease(7:address10:10.77.0.12))"));
    (void)reverse(web, ip4(0, 11));
    table_run(1);
    assert_int_equal(reverse(web, ip4(0, 11)).found, WRN_NAMES_UNKNOWN);
}

static void the_cache_is_bounded(void **state) {
    (void)state;
    struct host *web = start("web");
    unsigned busy = 0;
    for (unsigned i = 0; i < 20; i++) {
        char label[16];
        (void)snprintf(label, sizeof label, "n%u", i);
        busy += ask(web, label).found == WRN_NAMES_BUSY ? 1 : 0;
    }
    assert_int_equal(busy, 16); /* a half of eight were asked */
    table_run(2);
    for (unsigned i = 0; i < 20; i++) {
        char label[16];
        (void)snprintf(label, sizeof label, "m%u", i);
        assert_int_equal(wait_for(web, label).found, WRN_NAMES_ABSENT);
    }
    wrn_names_forget(web->names);
    assert_int_equal(ask(web, "m19").found, WRN_NAMES_PENDING);
}

static void certificates_name_hosts(void **state) {
    (void)state;
    struct wrn_rights rights = {.flags = WRN_RIGHT_MEMBER,
                                .name_count = 2,
                                .names = {{.text = "gate"}, {.text = "ci-", .is_prefix = true}}};
    struct host *first = add("web", &rights), *second = add("web", &rights);
    struct host *third = add("CI-7", &rights), *fourth = add("web", &rights);
    wrn_names_start(first->names, table_now());
    table_run(5);
    assert_string_equal(wrn_names_own(first->names), "gate");
    wrn_names_start(second->names, table_now());
    table_run(5);
    assert_string_equal(wrn_names_own(second->names), "ci-web");
    wrn_names_start(third->names, table_now());
    table_run(5);
    assert_string_equal(wrn_names_own(third->names), "ci-7");
    wrn_names_start(fourth->names, table_now());
    table_run(5);
    assert_string_equal(wrn_names_own(fourth->names), "");
    assert_int_equal(fourth->events[fourth->event_count - 1].kind, WRN_NAMES_FULL);
    wrn_names_set_rights(fourth->names, table_now(), NULL);
    table_run(5);
    assert_string_equal(wrn_names_own(fourth->names), "web");
}

static void a_lost_name_is_replaced(void **state) {
    (void)state;
    struct host *first = add("web", NULL), *second = add("web", NULL);
    table_part(second->number, 1);
    wrn_names_start(first->names, table_now());
    table_run(10);
    wrn_names_start(second->names, table_now());
    table_run(10);
    assert_string_equal(wrn_names_own(second->names), "web");
    table_heal();
    table_run(10);
    assert_string_equal(wrn_names_own(first->names), "web");
    assert_string_equal(wrn_names_own(second->names), "web-2");
    const struct wrn_names_event *event = &second->events[second->event_count - 1];
    assert_string_equal(event->previous, "web");
    assert_true(event->has_holder);
    wrn_names_stop(second->names, table_now(), true);
    table_run(5);
    assert_string_equal(wrn_names_own(second->names), "");
    assert_int_equal(table_owner("name/web-2"), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(labels_are_made_good),
        TEST(domain_names_are_told_apart),
        TEST(twins_get_numbers),
        TEST(names_are_found_with_addresses),
        TEST(what_is_not_there_is_asked_again_later),
        TEST(reverse_names_are_confirmed),
        TEST(the_cache_is_bounded),
        TEST(certificates_name_hosts),
        TEST(a_lost_name_is_replaced),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
