/* SPDX-License-Identifier: Apache-2.0 */
/* Control messages: what is written is what Linux reads, what Linux writes is read. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include "io/cmsg.h"

static struct wrn_ip ip(const char *text) {
    struct wrn_prefix prefix;
    wrn_span span = {(const uint8_t *)text, strlen(text)};
    assert_int_equal(wrn_prefix_parse(span, &prefix), 0);
    return prefix.ip;
}

/* Goal: source address, DS field and segment size are written where Linux looks for them, and only
 * when set. Method: walk the bytes with the system's own macros. */
static void writes_what_is_set(void **state) {
    static const struct {
        const char *local; /* NULL: none */
        sa_family_t family;
        uint8_t ds;
        int messages; /* without a segment size */
    } cases[] = {
        {NULL, AF_INET, 0, 0},           {NULL, AF_INET, 1, 1},
        {"192.0.2.7", AF_INET, 0, 1},    {"192.0.2.7", AF_INET, 0x88, 2},
        {NULL, AF_INET6, 0, 0},          {NULL, AF_INET6, 3, 1},
        {"2001:db8::7", AF_INET6, 0, 1}, {"2001:db8::7", AF_INET6, 0x8b, 2},
        {"2001:db8::7", AF_INET, 0, 0}, /* of the other family: says nothing to this socket */
        {"192.0.2.7", AF_INET6, 0, 0},
    };
    (void)state;
    for (size_t n = 0; n < 2 * WRN_COUNT(cases); n++) {
        size_t i = n / 2;
        uint16_t segment_size = n % 2 == 0 ? 0 : 1300;
        union wrn_cmsg_send control;
        struct wrn_path path = {.interface = 9};
        if (cases[i].local != NULL) {
            path.local = ip(cases[i].local);
        }
        size_t used = wrn_cmsg_write(&path, cases[i].ds, segment_size, cases[i].family, &control);
        assert_true(used <= sizeof control.bytes);
        struct msghdr message = {.msg_control = control.bytes, .msg_controllen = used};
        int messages = 0;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
            messages++;
            if (c->cmsg_type == IP_PKTINFO && c->cmsg_level == IPPROTO_IP) {
                struct in_pktinfo info;
                memcpy(&info, CMSG_DATA(c), sizeof info);
                assert_memory_equal(&info.ipi_spec_dst, path.local.bytes, 4);
                assert_int_equal(info.ipi_ifindex, 0); /* routing chooses the way */
            } else if (c->cmsg_type == IPV6_PKTINFO && c->cmsg_level == IPPROTO_IPV6) {
                struct in6_pktinfo info;
                memcpy(&info, CMSG_DATA(c), sizeof info);
                assert_memory_equal(&info.ipi6_addr, path.local.bytes, 16);
                assert_int_equal(info.ipi6_ifindex, 0);
            } else if (c->cmsg_level == SOL_UDP) {
                uint16_t size;
                assert_int_equal(c->cmsg_type, UDP_SEGMENT);
                assert_int_equal(c->cmsg_len, CMSG_LEN(sizeof size));
                memcpy(&size, CMSG_DATA(c), sizeof size);
                assert_int_equal(size, 1300);
            } else {
                int ds;
                assert_int_equal(c->cmsg_len, CMSG_LEN(sizeof ds));
                memcpy(&ds, CMSG_DATA(c), sizeof ds);
                assert_int_equal(ds, cases[i].ds);
            }
        }
        assert_int_equal(messages, cases[i].messages + (segment_size != 0));
    }
}

static size_t put(uint8_t *room, size_t used, int level, int type, const void *data, size_t size) {
    struct cmsghdr header = {.cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type};
    memset(room + used, 0, CMSG_SPACE(size));
    memcpy(room + used, &header, sizeof header);
    memcpy(room + used + CMSG_LEN(0), data, size);
    return used + CMSG_SPACE(size);
}

/* Goal: address, interface, ECN bits and segment size of a received message are found; the DSCP is
 * not taken for ECN. Method: control data as the kernel lays it out, with a message that we did not
 * ask for in between. */
static void reads_what_came(void **state) {
    union {
        struct cmsghdr align;
        uint8_t bytes[2 * WRN_CMSG_RECEIVE_MAX];
    } control;
    struct wrn_cmsg_facts facts;
    struct in_pktinfo info = {.ipi_ifindex = 5};
    uint8_t tos = 0x8b;
    int ttl = 3;
    int segment = 1452;
    (void)state;
    struct wrn_ip local = ip("192.0.2.9");
    memcpy(&info.ipi_spec_dst, local.bytes, 4);
    size_t used = put(control.bytes, 0, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
    used = put(control.bytes, used, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    used = put(control.bytes, used, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
    struct msghdr message = {.msg_control = control.bytes, .msg_controllen = used};
    wrn_cmsg_read(&message, &facts);
    assert_true(wrn_ip_equal(&facts.local, &local));
    assert_int_equal(facts.interface, 5);
    assert_int_equal(facts.ecn, 3);
    assert_int_equal(facts.segment_size, 0);

    struct in6_pktinfo info6 = {.ipi6_ifindex = 6};
    int class = 0xb9;
    local = ip("2001:db8::9");
    memcpy(&info6.ipi6_addr, local.bytes, 16);
    used = put(control.bytes, 0, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof info6);
    used = put(control.bytes, used, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class);
    used = put(control.bytes, used, SOL_UDP, UDP_GRO, &segment, sizeof segment);
    assert_true(used <= WRN_CMSG_RECEIVE_MAX); /* all that we ask for */
    message.msg_controllen = used;
    wrn_cmsg_read(&message, &facts);
    assert_true(wrn_ip_equal(&facts.local, &local));
    assert_int_equal(facts.interface, 6);
    assert_int_equal(facts.ecn, 1);
    assert_int_equal(facts.segment_size, 1452);
}

/* Goal: messages that are missing or too short say nothing.
 * Method: no control data at all, then an address and a segment size of one byte. */
static void reads_nothing_from_nothing(void **state) {
    static const struct wrn_cmsg_facts nothing;
    union wrn_cmsg_receive control;
    struct wrn_cmsg_facts facts;
    uint8_t byte = 1;
    (void)state;
    struct msghdr message = {0};
    memset(&facts, 7, sizeof facts);
    wrn_cmsg_read(&message, &facts);
    assert_memory_equal(&facts, &nothing, sizeof facts);
    size_t used = put(control.bytes, 0, IPPROTO_IP, IP_PKTINFO, &byte, 1);
    message.msg_control = control.bytes;
    message.msg_controllen = put(control.bytes, used, SOL_UDP, UDP_GRO, &byte, 1);
    memset(&facts, 7, sizeof facts);
    wrn_cmsg_read(&message, &facts);
    assert_memory_equal(&facts, &nothing, sizeof facts);
}

/* Goal: endpoints survive the way to a socket address and back, with port order and scope.
 * Method: one of each family, and families that are neither. */
static void endpoints_go_both_ways(void **state) {
    static const char *const texts[] = {"192.0.2.1:51820", "[2001:db8::1]:1", "[fe80::1%3]:65535"};
    union wrn_sockaddr address;
    struct wrn_endpoint back;
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(texts); i++) {
        struct wrn_endpoint endpoint;
        wrn_span text = {(const uint8_t *)texts[i], strlen(texts[i])};
        assert_int_equal(wrn_endpoint_parse(text, &endpoint), 0);
        socklen_t size = wrn_endpoint_to_sockaddr(&endpoint, &address);
        assert_int_equal(size, i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        assert_true(wrn_endpoint_from_sockaddr(&address, &back));
        assert_true(wrn_endpoint_equal(&endpoint, &back));
    }
    assert_int_equal(wrn_endpoint_to_sockaddr(&(struct wrn_endpoint){0}, &address), 0);
    address.any.sa_family = AF_UNIX;
    assert_false(wrn_endpoint_from_sockaddr(&address, &back));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_is_set),
        cmocka_unit_test(reads_what_came),
        cmocka_unit_test(reads_nothing_from_nothing),
        cmocka_unit_test(endpoints_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
