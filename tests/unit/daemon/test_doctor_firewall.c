/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: it is said that a firewall drops our port only if it does. Method: a table of rulesets in
 * the JSON of nft(8), short ones, and one as nft prints it. */
#include "daemon/doctor_firewall.h"

#include <stdio.h>

#include "unit/base/check.h"

enum { PORT = 51820, RULES_MAX = 2048 };

#define ACCEPT       "{\"accept\":null}"
#define DROP         "{\"drop\":null}"
#define MATCH(l, r)  "{\"match\":{\"op\":\"==\",\"left\":" l ",\"right\":" r "}}"
#define UNLIKE(l, r) "{\"match\":{\"op\":\"!=\",\"left\":" l ",\"right\":" r "}}"
#define UDP_PORT     "{\"payload\":{\"protocol\":\"udp\",\"field\":\"dport\"}}"
#define TCP_PORT     "{\"payload\":{\"protocol\":\"tcp\",\"field\":\"dport\"}}"
#define STATE        "{\"ct\":{\"key\":\"state\"}}"
#define IN           "{\"meta\":{\"key\":\"iifname\"}}"
#define L4           "{\"meta\":{\"key\":\"l4proto\"}}"

struct case_of {
    const char *name;
    const char *policy;
    const char *rules[4]; /* of chain "input": expressions, with commas between */
    const char *other;    /* of chain "other": one rule; NULL: none */
    bool drops, by_policy;
};

static const struct case_of cases[] = {
    {"nothing", "accept", {0}, NULL, false, false},
    {"policy", "drop", {0}, NULL, true, true},
    {"port accepted", "drop", {MATCH(UDP_PORT, "51820") "," ACCEPT}, NULL, false, false},
    {"another port accepted", "drop", {MATCH(UDP_PORT, "53") "," ACCEPT}, NULL, true, true},
    {"tcp accepted", "drop", {MATCH(TCP_PORT, "51820") "," ACCEPT}, NULL, true, true},
    {"range", "drop", {MATCH(UDP_PORT, "{\"range\":[50000,60000]}") "," ACCEPT}, NULL, false, 0},
    {"beside the range", "drop", {MATCH(UDP_PORT, "{\"range\":[1,1023]}") "," ACCEPT}, NULL, 1, 1},
    {"set", "drop", {MATCH(UDP_PORT, "{\"set\":[53,51820]}") "," ACCEPT}, NULL, false, false},
    {"set of a range",
     "drop",
     {MATCH(UDP_PORT, "{\"set\":[{\"range\":[51000,52000]}]}") "," ACCEPT},
     NULL,
     false,
     false},
    {"named set: who knows", "drop", {MATCH(UDP_PORT, "\"@open\"") "," ACCEPT}, NULL, false, false},
    {"other than", "drop", {UNLIKE(UDP_PORT, "53") "," ACCEPT}, NULL, false, false},
    {"all udp", "drop", {MATCH(L4, "\"udp\"") "," ACCEPT}, NULL, false, false},
    {"all tcp", "drop", {MATCH(L4, "\"tcp\"") "," ACCEPT}, NULL, true, true},
    {"both", "drop", {MATCH(L4, "{\"set\":[\"tcp\",\"udp\"]}") "," ACCEPT}, NULL, false, false},
    {"replies alone",
     "drop",
     {MATCH(STATE, "[\"established\",\"related\"]") "," ACCEPT, MATCH(IN, "\"lo\"") "," ACCEPT},
     NULL,
     true,
     true},
    {"new ones", "drop", {MATCH(STATE, "[\"new\"]") "," ACCEPT}, NULL, false, false},
    {"invalid dropped", "accept", {MATCH(STATE, "\"invalid\"") "," DROP}, NULL, false, false},
    {"of an interface", "drop", {MATCH(IN, "\"eth0\"") "," ACCEPT}, NULL, false, false},
    {"not lo", "accept", {UNLIKE(IN, "\"lo\"") "," DROP}, NULL, true, false},
    {"last rule",
     "accept",
     {MATCH(UDP_PORT, "53") "," ACCEPT, "{\"counter\":{}}," DROP},
     NULL,
     1,
     0},
    {"reject", "accept", {"{\"log\":{}},{\"reject\":{\"type\":\"icmp\"}}"}, NULL, true, false},
    {"dropped by its port", "accept", {MATCH(UDP_PORT, "51820") "," DROP}, NULL, true, false},
    {"first rule counts", "drop", {ACCEPT, DROP}, NULL, false, false},
    {"something odd might take it", "drop", {"{\"xt\":{\"name\":\"udp\"}}," ACCEPT}, NULL, 0, 0},
    {"something odd might drop it", "accept", {"{\"xt\":{\"name\":\"udp\"}}," DROP}, NULL, 0, 0},
    {"jump", "accept", {"{\"jump\":{\"target\":\"other\"}}", ACCEPT}, DROP, true, false},
    {"jump and back",
     "drop",
     {"{\"jump\":{\"target\":\"other\"}}", ACCEPT},
     MATCH(UDP_PORT, "53") "," DROP,
     false,
     false},
    {"jump and return", "drop", {"{\"jump\":{\"target\":\"other\"}}"}, "{\"return\":null}", 1, 1},
    {"goto does not come back",
     "drop",
     {"{\"goto\":{\"target\":\"other\"}}", ACCEPT},
     "{\"counter\":{}}",
     true,
     true},
    {"jumps without end", "drop", {"{\"jump\":{\"target\":\"input\"}}"}, NULL, false, false},
};

static json_t *ruleset_of(const struct case_of *one, const char *family) {
    char text[4 * RULES_MAX];
    int used = snprintf(text, sizeof text,
                        "{\"nftables\":[{\"metainfo\":{}},{\"chain\":{\"family\":\"%s\",\"table\":"
                        "\"filter\",\"name\":\"input\",\"type\":\"filter\",\"hook\":\"input\","
                        "\"prio\":0,\"policy\":\"%s\"}}",
                        family, one->policy);
    for (size_t i = 0; i < 5; i++) {
        const char *rule = i < 4 ? one->rules[i] : one->other;
        if (rule != NULL) {
            used += snprintf(text + used, sizeof text - (size_t)used,
                             ",{\"rule\":{\"family\":\"%s\",\"table\":\"filter\",\"chain\":\"%s\","
                             "\"expr\":[%s]}}",
                             family, i < 4 ? "input" : "other", rule);
        }
    }
    (void)snprintf(text + used, sizeof text - (size_t)used, "]}");
    json_error_t error;
    json_t *ruleset = json_loads(text, 0, &error);
    CHECK(ruleset != NULL, "case %s: %s: ", one->name, error.text);
    return ruleset;
}

static void rules_are_followed(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_firewall_drop drop = {0};
        json_t *ruleset = ruleset_of(&cases[i], "inet");
        bool drops = wrn_firewall_drops(ruleset, PORT, &drop);
        CHECK(drops == cases[i].drops, "case %s: ", cases[i].name);
        CHECK(!drops || drop.by_policy == cases[i].by_policy, "case %s: ", cases[i].name);
        if (drops) {
            assert_string_equal(drop.family, "inet");
            assert_string_equal(drop.table, "filter");
            assert_string_equal(drop.chain, "input");
        }
        json_decref(ruleset);
        ruleset = ruleset_of(&cases[i], "bridge"); /* not where our datagrams come */
        assert_false(wrn_firewall_drops(ruleset, PORT, &drop));
        json_decref(ruleset);
    }
}

/* What no version of nft prints must not hurt either. */
static void nonsense_is_no_firewall(void **state) {
    static const char *const texts[] = {
        "{}", "[]", "{\"nftables\":{}}", "{\"nftables\":[1,null,{\"chain\":[]},{\"rule\":7}]}",
        "{\"nftables\":[{\"chain\":{\"family\":\"ip\",\"hook\":\"input\",\"type\":\"filter\"}}]}"};
    struct wrn_firewall_drop drop;
    (void)state;
    assert_false(wrn_firewall_drops(NULL, PORT, &drop));
    for (size_t i = 0; i < WRN_COUNT(texts); i++) {
        json_t *ruleset = json_loads(texts[i], JSON_DECODE_ANY, NULL);
        assert_non_null(ruleset);
        CHECK(!wrn_firewall_drops(ruleset, PORT, &drop), "text %zu: ", i);
        json_decref(ruleset);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_followed),
        cmocka_unit_test(nonsense_is_no_firewall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
