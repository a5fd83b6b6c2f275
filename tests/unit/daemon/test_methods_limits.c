/* SPDX-License-Identifier: Apache-2.0 */
/* Rights as people write them, against the elements that they have to become. */
#include "daemon/methods_limits.h"
#include "network/rights.h"
#include "unit/base/check.h"

enum { ROOM = 512 };

/* Goal: each spelling gives the element of the grammar, and nothing else is taken. Method: a table
 * in the advanced form; the machines of src/network then understand what was written. */
static const struct {
    const char *text;
    const char *element; /* NULL: refused */
} cases[] = {
    {"all", "(*)"},
    {"member", "(member)"},
    {"invite", "(invite)"},
    {"admin", "(admin)"},
    {"relay", "(relay)"},
    {"gateway", "(gateway)"},
    {"address", "(address)"},
    {"address:10.7.0.5", "(address (ip4 #0a070005#))"},
    {"address:10.7.0.0/16", "(address (ip4 (* prefix #0a07#)))"},
    {"address:10.7.0.0/20", "(address (ip4 (* range alpha (ge #0a070000#) (le #0a070fff#))))"},
    {"address:0.0.0.0/0", "(address (ip4 (* range alpha (ge #00000000#) (le #ffffffff#))))"},
    {"address:10.7.0.5-10.7.0.9",
     "(address (ip4 (* range alpha (ge #0a070005#) (le #0a070009#))))"},
    {"address:fd00::1", "(address (ip6 #fd000000000000000000000000000001#))"},
    {"route:192.168.7.0/24", "(route (ip4 (* prefix #c0a807#)))"},
    {"name:bob", "(name bob)"},
    {"name:db-*", "(name (* prefix db-))"},
    {"allow", "(allow)"},
    {"allow:any", "(allow (*))"},
    {"allow:tcp/22", "(allow tcp \"22\")"},
    {"allow:6/22", "(allow tcp \"22\")"},
    {"allow:47/none", "(allow \"47\" none)"},
    {"allow:udp/8000-8080", "(allow udp (* range numeric (ge \"8000\") (le \"8080\")))"},
    {"allow:any/any@10.7.0.1", "(allow (*) (*) (ip4 #0a070001#))"},
    {"allow:icmp@10.7.0.0/24", "(allow icmp (*) (ip4 (* prefix #0a0700#)))"},
    {"", NULL},
    {"owner", NULL},
    {"member:1", NULL},
    {"a-very-long-word-that-is-no-right", NULL},
    {"address:", NULL},
    {"address:10.7.0", NULL},
    {"address:10.7.0.0/33", NULL},
    {"address:10.7.0.9-10.7.0.5", NULL},
    {"address:10.7.0.0/24-10.7.1.0", NULL},
    {"address:10.7.0.1-fd00::1", NULL},
    {"name:", NULL},
    {"name:*", NULL},
    {"name:Bob", NULL},
    {"name:-*", NULL},
    {"allow:sctp", NULL},
    {"allow:256", NULL},
    {"allow:tcp/", NULL},
    {"allow:tcp/65536", NULL},
    {"allow:tcp/9-1", NULL},
    {"allow:tcp/22@", NULL},
    {"allow:tcp/22@here", NULL},
};

static void rights_become_elements(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        uint8_t bytes[ROOM];
        char text[ROOM];
        char why[WRN_LIMITS_WHY_SIZE] = "";
        struct wrn_sexp sexp;
        struct wrn_sexp_writer writer = wrn_sexp_writer(bytes, sizeof bytes);
        bool is_good = wrn_limits_put(&writer, cases[i].text, why);
        CHECK(is_good == (cases[i].element != NULL), "%s: %s: ", cases[i].text, why);
        if (!is_good) {
            assert_true(strlen(why) > 10);
            continue;
        }
        assert_int_equal(wrn_sexp_finish(&writer, &sexp), 0);
        size_t size = wrn_sexp_print(WRN_SEXP_ADVANCED, sexp, 0, text, sizeof text - 1);
        text[size] = '\0';
        assert_string_equal(text, cases[i].element);
        struct wrn_rights rights;
        struct wrn_rights_grant grant = {.element = sexp, .topics = wrn_rights_topics(sexp)};
        CHECK(wrn_rights_compile(&grant, 1, &rights) == WRN_RIGHTS_OK, "%s: ", cases[i].text);
    }
}

/* What has no room is said when the expression is finished, and no byte is written beyond. */
static void too_much_sticks(void **state) {
    (void)state;
    uint8_t bytes[8];
    char why[WRN_LIMITS_WHY_SIZE];
    struct wrn_sexp sexp;
    struct wrn_sexp_writer writer = wrn_sexp_writer(bytes, sizeof bytes);
    assert_true(wrn_limits_put(&writer, "allow:tcp/22@10.7.0.0/20", why));
    assert_int_equal(wrn_sexp_finish(&writer, &sexp), -ENOBUFS);
}

/* Goal: what is outside of a network's range is told from what meets it, also by an end alone. */
static void addresses_are_of_the_range_or_not(void **state) {
    static const struct {
        const char *where;
        bool meets;
    } table[] = {
        {"10.7.0.0", true},
        {"10.7.255.255", true},
        {"10.8.0.0", false},
        {"10.6.255.255", false},
        {"10.6.255.250-10.7.0.1", true},
        {"10.0.0.0/8", true},
        {"10.7.255.0/24", true},
        {"10.8.0.0/24", false},
        {"1.2.3.4-1.2.3.9", false},
        {"0.0.0.0/0", true},
        {"fd00::1", true},
        {"nonsense", true},
    };
    struct wrn_prefix range, none = {.length_bits = 0};
    (void)state;
    assert_int_equal(wrn_prefix_parse((wrn_span){(const uint8_t *)"10.7.0.0/16", 11}, &range), 0);
    for (size_t i = 0; i < WRN_COUNT(table); i++) {
        assert_int_equal(wrn_limits_meets(table[i].where, &range), table[i].meets);
        assert_true(wrn_limits_meets(table[i].where, &none));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_of_the_range_or_not),
        cmocka_unit_test(rights_become_elements),
        cmocka_unit_test(too_much_sticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
