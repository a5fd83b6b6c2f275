/* SPDX-License-Identifier: Apache-2.0 */
/* The host's own DHCP client, played by hand: what it gets for each thing that it can say, that
 * nobody else gets anything, and that answers are whole packets. */
#include "network/dhcp.h"

#include "unit/base/check.h"

enum {
    HEADS = 14 + 20 + 8,
    BOOTP = 236,
    OPTIONS_AT = HEADS + BOOTP + 4,
    CLIENT_MAC = 0x22,
    OTHER_MAC = 0x44,
};

static const uint8_t own[4] = {10, 9, 0, 77}, server[4] = {10, 9, 0, 1}, zero[4];
static uint8_t sent[700], got[WRN_DHCP_FRAME_MAX];
static size_t sent_size, got_size;

static struct wrn_dhcp known(void) {
    struct wrn_dhcp dhcp = {
        .mac = {2, 0, 0, 0, 0, CLIENT_MAC},
        .server_mac = {2, 0, 0, 0, 0, CLIENT_MAC ^ 1},
        .range = {.ip = {{10, 9, 0, 0}, WRN_FAMILY_IPV4}, .length_bits = 22},
        .address = {{10, 9, 0, 77}, WRN_FAMILY_IPV4},
        .server = {{10, 9, 0, 1}, WRN_FAMILY_IPV4},
        .resolver = {{10, 9, 0, 77}, WRN_FAMILY_IPV4},
        .domain = "site.warren",
        .mtu = 1500,
    };
    return dhcp;
}

static void add(uint8_t code, const void *value, uint8_t size) {
    sent[sent_size++] = code;
    sent[sent_size++] = size;
    memcpy(sent + sent_size, value, size);
    sent_size += size;
}

static void begin(uint8_t kind, const uint8_t has[4]) {
    static const uint8_t cookie[4] = {99, 130, 83, 99};
    memset(sent, 0, sizeof(sent));
    memset(sent, 0xff, 6);
    memcpy(sent + 6, known().mac, 6);
    wrn_store_be16(sent + 12, 0x0800);
    sent[14] = 0x45;
    sent[14 + 9] = 17;
    wrn_store_be16(sent + 34, 68);
    wrn_store_be16(sent + 36, 67);
    uint8_t *bootp = sent + HEADS;
    bootp[0] = 1;
    bootp[1] = 1;
    bootp[2] = 6;
    wrn_store_be32(bootp + 4, 0x12345678);
    memcpy(bootp + 12, has, 4);
    memcpy(bootp + 28, known().mac, 6);
    memcpy(bootp + BOOTP, cookie, 4);
    sent_size = OPTIONS_AT;
    add(53, &kind, 1);
}

static enum wrn_dhcp_said say(const struct wrn_dhcp *dhcp) {
    enum wrn_dhcp_said said;
    sent[sent_size++] = 255;
    wrn_store_be16(sent + 16, (uint16_t)(sent_size - 14));
    wrn_store_be16(sent + 38, (uint16_t)(sent_size - 34));
    got_size = wrn_dhcp_on_frame(dhcp, (wrn_span){sent, sent_size}, got, &said);
    return said;
}

static uint16_t sum_of(const uint8_t *bytes, size_t size, uint32_t sum) {
    for (size_t i = 0; i < size; i++) {
        sum += (uint32_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

/* The value of an option of the answer; a size that is expected. */
static const uint8_t *option(uint8_t code, size_t size) {
    for (size_t at = OPTIONS_AT; at < got_size && got[at] != 255; at += 2u + got[at + 1]) {
        if (got[at] == code) {
            assert_int_equal(got[at + 1], size);
            return got + at + 2;
        }
    }
    return NULL;
}

/* Whole, for this client, with sums that are right. */
static void assert_answer(uint8_t kind, const uint8_t yours[4]) {
    assert_in_range(got_size, HEADS + 300, sizeof(got));
    assert_int_equal(wrn_load_be16(got + 16), got_size - 14);
    assert_int_equal(sum_of(got + 14, 20, 0), 0xffff);
    size_t udp = got_size - 34;
    assert_int_equal(wrn_load_be16(got + 38), udp);
    assert_int_equal(sum_of(got + 26, udp + 8, 17 + (uint32_t)udp), 0xffff);
    assert_int_equal(wrn_load_be16(got + 34), 67);
    assert_int_equal(wrn_load_be16(got + 36), 68);
    assert_int_equal(got[HEADS], 2);
    assert_int_equal(wrn_load_be32(got + HEADS + 4), 0x12345678);
    assert_memory_equal(got + HEADS + 16, yours, 4);
    assert_memory_equal(got + HEADS + 28, known().mac, 6);
    assert_memory_equal(got + 6, known().server_mac, 6);
    assert_memory_equal(got + 26, server, 4);
    assert_int_equal(*option(53, 1), kind);
    assert_memory_equal(option(54, 4), server, 4);
}

static void assert_settings(void) {
    static const uint8_t search[] = "\4site\6warren";
    assert_int_equal(wrn_load_be32(option(1, 4)), 0xfffffc00);
    assert_int_equal(wrn_load_be32(option(28, 4)), 0x0a0903ff);
    assert_int_equal(wrn_load_be16(option(26, 2)), 1500);
    assert_memory_equal(option(6, 4), own, 4);
    assert_memory_equal(option(15, 11), "site.warren", 11);
    assert_memory_equal(option(119, sizeof(search)), search, sizeof(search));
    assert_null(option(3, 4)); /* no way to elsewhere */
}

static void discover_and_request(void **state) {
    (void)state;
    struct wrn_dhcp dhcp = known();
    begin(1, zero);
    add(61, "\1abcdef", 7);
    assert_int_equal(say(&dhcp), WRN_DHCP_OFFERED);
    assert_answer(2, own);
    assert_settings();
    assert_memory_equal(option(61, 7), "\1abcdef", 7);
    assert_int_equal(wrn_load_be32(option(51, 4)), WRN_DHCP_LEASE_S);
    assert_int_equal(wrn_load_be32(option(58, 4)), WRN_DHCP_LEASE_S / 2);
    assert_int_equal(wrn_load_be32(option(59, 4)), WRN_DHCP_LEASE_S * 7 / 8);
    assert_memory_equal(got, known().mac, 6); /* it did not ask for a broadcast */
    assert_memory_equal(got + 30, own, 4);
    begin(3, zero);
    add(50, own, 4);
    add(54, server, 4);
    assert_int_equal(say(&dhcp), WRN_DHCP_GIVEN);
    assert_answer(5, own);
    assert_settings();
}

static void who_wants_broadcasts_gets_them(void **state) {
    (void)state;
    struct wrn_dhcp dhcp = known();
    begin(1, zero);
    sent[HEADS + 10] = 0x80;
    assert_int_equal(say(&dhcp), WRN_DHCP_OFFERED);
    assert_answer(2, own);
    assert_int_equal(got[0], 0xff);
    assert_int_equal(wrn_load_be32(got + 30), UINT32_MAX);
    assert_int_equal(got[HEADS + 10], 0x80);
}

static void renewal_and_reboot(void **state) {
    (void)state;
    struct wrn_dhcp dhcp = known();
    begin(3, own); /* it has it: RENEWING, REBINDING */
    assert_int_equal(say(&dhcp), WRN_DHCP_GIVEN);
    assert_answer(5, own);
    assert_memory_equal(got + HEADS + 12, own, 4);
    assert_memory_equal(got + 30, own, 4);
    begin(3, zero); /* INIT-REBOOT */
    add(50, own, 4);
    assert_int_equal(say(&dhcp), WRN_DHCP_GIVEN);
}

static void foreign_requests_are_told_no(void **state) {
    (void)state;
    static const uint8_t foreign[4] = {192, 168, 1, 5}, other_server[4] = {192, 168, 1, 1};
    struct wrn_dhcp dhcp = known();
    begin(3, zero);
    add(50, foreign, 4);
    assert_int_equal(say(&dhcp), WRN_DHCP_REFUSED);
    assert_answer(6, zero);
    assert_int_equal(wrn_load_be32(got + 30), UINT32_MAX);
    assert_null(option(51, 4));
    assert_null(option(1, 4));
    begin(3, foreign);
    assert_int_equal(say(&dhcp), WRN_DHCP_REFUSED);
    assert_answer(6, zero);
    begin(3, zero); /* it has chosen another server: that one's business */
    add(50, foreign, 4);
    add(54, other_server, 4);
    assert_int_equal(say(&dhcp), WRN_DHCP_NOTHING);
    assert_int_equal(got_size, 0);
}

static void the_rest(void **state) {
    (void)state;
    static const uint8_t other[4] = {10, 9, 0, 78};
    struct wrn_dhcp dhcp = known();
    begin(8, own);
    assert_int_equal(say(&dhcp), WRN_DHCP_INFORMED);
    assert_answer(5, zero);
    assert_settings();
    assert_null(option(51, 4));
    begin(4, zero);
    add(50, own, 4);
    add(54, server, 4);
    assert_int_equal(say(&dhcp), WRN_DHCP_DECLINED);
    assert_int_equal(got_size, 0);
    begin(4, zero);
    add(50, other, 4);
    assert_int_equal(say(&dhcp), WRN_DHCP_NOTHING);
    begin(7, own);
    assert_int_equal(say(&dhcp), WRN_DHCP_RELEASED);
    assert_int_equal(got_size, 0);
    begin(2, zero);
    assert_int_equal(say(&dhcp), WRN_DHCP_NOTHING);
    dhcp.address.family = WRN_FAMILY_NONE; /* not leased yet */
    begin(1, zero);
    assert_int_equal(say(&dhcp), WRN_DHCP_WAITING);
    begin(3, own);
    assert_int_equal(say(&dhcp), WRN_DHCP_WAITING);
    assert_int_equal(got_size, 0);
}

/* Each of these changes makes a good DISCOVER none of ours. */
static void nobody_else_is_answered(void **state) {
    (void)state;
    static const struct {
        const char *what;
        size_t at;
        uint8_t is;
    } cases[] = {
        {"another machine's frame", 11, OTHER_MAC},
        {"... that says it is ours", HEADS + 28 + 5, OTHER_MAC},
        {"tagged", 12, 0x81},
        {"IPv6", 14, 0x65},
        {"a short head", 14, 0x44},
        {"a long head", 14, 0x4f},
        {"TCP", 14 + 9, 6},
        {"a fragment", 14 + 6, 0x20},
        {"another port", 37, 68},
        {"an answer", HEADS, 2},
        {"no Ethernet", HEADS + 1, 6},
        {"by a relay", HEADS + 24, 10},
        {"no DHCP", HEADS + BOOTP, 98},
        {"an option that is longer than the rest", OPTIONS_AT + 1, 200},
        {"no kind", OPTIONS_AT, 52},
    };
    struct wrn_dhcp dhcp = known();
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        begin(1, zero);
        sent[cases[i].at] = cases[i].is;
        CHECK(say(&dhcp) == WRN_DHCP_NOTHING && got_size == 0, "%s: ", cases[i].what);
    }
    begin(1, zero);
    (void)say(&dhcp);
    for (size_t size = 0; size < sent_size; size++) { /* every end, in a block of that size */
        enum wrn_dhcp_said said;
        uint8_t *copy = malloc(size + 1);
        assert_non_null(copy);
        memcpy(copy + 1, sent, size);
        assert_int_equal(wrn_dhcp_on_frame(&dhcp, (wrn_span){copy + 1, size}, got, &said), 0);
        assert_int_equal(said, WRN_DHCP_NOTHING);
        free(copy);
    }
}

/* Options may go on where a name of a file would stand (RFC 2132, section 9.3). */
static void options_may_overflow(void **state) {
    (void)state;
    uint8_t both = 3;
    struct wrn_dhcp dhcp = known();
    begin(3, zero);
    add(52, &both, 1);
    uint8_t *file = sent + HEADS + 108, *name = sent + HEADS + 44;
    memcpy(file, "\x32\4\x0a\x09\0\x4d\xff", 7);
    memcpy(name, "\x36\4\x0a\x09\0\1\xff", 7);
    assert_int_equal(say(&dhcp), WRN_DHCP_GIVEN);
    assert_answer(5, own);
    begin(3, zero);
    add(52, &both, 1);
    memcpy(file, "\x32\4\x0a\x09\0\x4d\xff", 7);
    memset(name, 1, 64); /* the last option would end behind it */
    assert_int_equal(say(&dhcp), WRN_DHCP_NOTHING);
}

static void the_server_has_a_neighbour_entry(void **state) {
    (void)state;
    struct wrn_dhcp dhcp = known();
    enum wrn_dhcp_said said;
    uint8_t ask[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, CLIENT_MAC, 8, 6, 0, 1,
                       8,    0,    6,    4,    0,    1,    2, 0, 0, 0, 0, CLIENT_MAC};
    memcpy(ask + 28, own, 4);
    memcpy(ask + 38, server, 4);
    got_size = wrn_dhcp_on_frame(&dhcp, (wrn_span){ask, sizeof(ask)}, got, &said);
    assert_int_equal(said, WRN_DHCP_NEIGHBOUR);
    assert_int_equal(got_size, 60);
    assert_int_equal(got[21], 2);
    assert_memory_equal(got + 22, dhcp.server_mac, 6);
    assert_memory_equal(got + 28, server, 4);
    assert_memory_equal(got + 32, dhcp.mac, 6);
    assert_memory_equal(got + 38, own, 4);
    ask[41] = 2; /* another address */
    assert_int_equal(wrn_dhcp_on_frame(&dhcp, (wrn_span){ask, sizeof(ask)}, got, &said), 0);
    ask[41] = 1;
    ask[27] = OTHER_MAC; /* another machine on the wire */
    assert_int_equal(wrn_dhcp_on_frame(&dhcp, (wrn_span){ask, sizeof(ask)}, got, &said), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(discover_and_request),
        cmocka_unit_test(who_wants_broadcasts_gets_them),
        cmocka_unit_test(renewal_and_reboot),
        cmocka_unit_test(foreign_requests_are_told_no),
        cmocka_unit_test(the_rest),
        cmocka_unit_test(nobody_else_is_answered),
        cmocka_unit_test(options_may_overflow),
        cmocka_unit_test(the_server_has_a_neighbour_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
