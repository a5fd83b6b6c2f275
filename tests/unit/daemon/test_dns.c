/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: each query gets what DNS says it gets, and nothing gets more than it asked for. Method:
 * bytes made by hand; responses are read by a reader of the test's own into one line of text, and
 * compared with what it should say. One response byte for byte. */
#include "daemon/dns.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "unit/base/check.h"

enum { TYPE_A = 1, TYPE_NS = 2, TYPE_SOA = 6, TYPE_PTR = 12, TYPE_MX = 15, TYPE_AAAA = 28 };
enum { TYPE_OPT = 41, TYPE_TSIG = 250, TYPE_AXFR = 252, TYPE_ANY = 255, CLASS_CH = 3 };
enum { NO_EDNS = -1 };

static struct wrn_dns_zone zone;
static struct wrn_names_question asked; /* the last one, and how many */
static unsigned asked_count;

static struct wrn_ip ip_of(const char *text) {
    struct wrn_prefix prefix;
    assert_int_equal(wrn_prefix_parse((wrn_span){(const uint8_t *)text, strlen(text)}, &prefix), 0);
    return prefix.ip;
}

/* Who is where: 'laptop' has both, 'four' IPv4 alone, 'bare' neither; 'busy' and 'unknown' get no
 * certain answer, 'slow' none yet. */
static void ask(void *ctx, const struct wrn_names_question *question,
                struct wrn_names_answer *ret_answer) {
    (void)ctx;
    asked = *question;
    asked_count++;
    *ret_answer = (struct wrn_names_answer){.found = WRN_NAMES_ABSENT, .ttl_s = 7};
    const char *label = question->label;
    if (question->kind == WRN_NAMES_REVERSE) {
        struct wrn_ip four = ip_of("10.77.0.5"), nameless = ip_of("10.77.0.6");
        struct wrn_ip hit = ip_of("2001:25::77");
        if (wrn_ip_equal(&question->ip, &four) || wrn_ip_equal(&question->ip, &hit)) {
            *ret_answer = (struct wrn_names_answer){.ttl_s = 44, .label = "laptop"};
        } else if (wrn_ip_equal(&question->ip, &nameless)) {
            *ret_answer = (struct wrn_names_answer){.ttl_s = 44};
        }
        return;
    }
    if (strcmp(label, "laptop") == 0 || strcmp(label, "four") == 0 || strcmp(label, "bare") == 0) {
        *ret_answer = (struct wrn_names_answer){.found = WRN_NAMES_FOUND, .ttl_s = 59};
        if (label[0] != 'b') {
            ret_answer->ipv4 = ip_of("10.77.0.5");
        }
        if (label[0] == 'l') {
            ret_answer->ipv6 = ip_of("fd00:77::5");
        }
    }
    ret_answer->found = strcmp(label, "unknown") == 0 ? WRN_NAMES_UNKNOWN
                        : strcmp(label, "busy") == 0  ? WRN_NAMES_BUSY
                        : strcmp(label, "slow") == 0  ? WRN_NAMES_PENDING
                                                      : ret_answer->found;
}

static const struct wrn_dns_lookup lookup = {.ask = ask};

static int setup(void **state) {
    (void)state;
    zone = (struct wrn_dns_zone){.network = "home", .resolver = ip_of("10.77.0.1")};
    zone.ipv4 = (struct wrn_prefix){.ip = ip_of("10.77.0.0"), .length_bits = 16};
    zone.ipv6 = (struct wrn_prefix){.ip = ip_of("fd00:77::"), .length_bits = 64};
    asked_count = 0;
    return 0;
}

/* ---- Queries, by hand ---- */

struct query {
    uint8_t bytes[600];
    size_t size;
};

static void put16(struct query *query, unsigned number) {
    query->bytes[query->size++] = (uint8_t)(number >> 8);
    query->bytes[query->size++] = (uint8_t)number;
}

static void put_name(struct query *query, const char *name) {
    while (*name != '\0') {
        size_t size = strcspn(name, ".");
        query->bytes[query->size++] = (uint8_t)size;
        memcpy(query->bytes + query->size, name, size);
        query->size += size;
        name += size + (name[size] == '.');
    }
    query->bytes[query->size++] = 0;
}

static void put_opt(struct query *query, unsigned room, unsigned version, bool dnssec_ok) {
    query->bytes[11]++;
    query->bytes[query->size++] = 0;
    put16(query, TYPE_OPT);
    put16(query, room);
    put16(query, version); /* the upper byte is of the response code */
    put16(query, dnssec_ok ? 0x8000 : 0);
    put16(query, 0);
}

static struct query make(const char *name, unsigned type) {
    struct query query = {.size = 12, .bytes = {0xab, 0xcd, 0x01, 0x00, 0, 1}}; /* RD */
    put_name(&query, name);
    put16(&query, type);
    put16(&query, 1);
    return query;
}

/* ---- Responses, as text ---- */

struct reader {
    const uint8_t *bytes;
    size_t size, at;
    char text[2048];
    size_t used;
};

static void WRN_PRINTF(2, 3) say(struct reader *reader, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int size =
        vsnprintf(reader->text + reader->used, sizeof reader->text - reader->used, format, args);
    va_end(args);
    assert_true(size >= 0 && reader->used + (size_t)size < sizeof reader->text);
    reader->used += (size_t)size;
}

static unsigned get16(struct reader *reader) {
    assert_true(reader->at + 2 <= reader->size);
    reader->at += 2;
    return (unsigned)reader->bytes[reader->at - 2] << 8 | reader->bytes[reader->at - 1];
}

static unsigned get32(struct reader *reader) {
    unsigned high = get16(reader);
    return high << 16 | get16(reader);
}

static void get_name(struct reader *reader) {
    size_t at = reader->at, end = 0;
    for (int hops = 0; reader->bytes[at] != 0;) {
        unsigned size = reader->bytes[at];
        if (size >= 0xc0) {
            end = end == 0 ? at + 2 : end;
            at = (size - 0xc0u) << 8 | reader->bytes[at + 1];
            assert_true(at < reader->size && hops++ < 10);
        } else {
            assert_true(at + 1 + size < reader->size);
            say(reader, "%.*s.", (int)size, (const char *)reader->bytes + at + 1);
            at += size + 1;
        }
    }
    reader->at = end != 0 ? end : at + 1;
}

static void get_data(struct reader *reader, unsigned type, size_t size) {
    char text[64];
    size_t end = reader->at + size;
    if (type == TYPE_A || type == TYPE_AAAA) {
        assert_int_equal(size, type == TYPE_A ? 4 : 16);
        assert_non_null(inet_ntop(type == TYPE_A ? AF_INET : AF_INET6, reader->bytes + reader->at,
                                  text, sizeof text));
        say(reader, " %s", text);
        reader->at = end;
    } else if (type == TYPE_PTR || type == TYPE_NS) {
        say(reader, " ");
        get_name(reader);
    } else if (type == TYPE_SOA) {
        say(reader, " ");
        get_name(reader);
        say(reader, " ");
        get_name(reader);
        for (int i = 0; i < 5; i++) {
            say(reader, " %u", get32(reader));
        }
    }
    assert_int_equal(reader->at, end);
}

/* "rcode flags | question | answer | authority | opt", records by ';'. */
static const char *read_reply(const uint8_t *bytes, size_t size) {
    static struct reader reader;
    unsigned counts[4];
    reader = (struct reader){.bytes = bytes, .size = size};
    assert_true(size >= 12);
    assert_int_equal(get16(&reader), 0xabcd);
    unsigned flags = get16(&reader);
    assert_true((flags & 0x8000) != 0);  /* QR */
    assert_int_equal(flags & 0x00e0, 0); /* no RA, Z, AD */
    say(&reader, "%u%s%s%s%s", flags & 15, flags & 0x400 ? " aa" : "", flags & 0x200 ? " tc" : "",
        flags & 0x100 ? " rd" : "", flags & 16 ? " cd" : "");
    for (size_t i = 0; i < 4; i++) {
        counts[i] = get16(&reader);
    }
    for (unsigned i = 0; i < counts[0]; i++) {
        say(&reader, " | ");
        get_name(&reader);
        say(&reader, "/%u", get16(&reader));
        assert_true(get16(&reader) > 0);
    }
    for (size_t section = 1; section < 4; section++) {
        for (unsigned i = 0; i < counts[section]; i++) {
            say(&reader, i == 0 ? " | " : "; ");
            get_name(&reader);
            unsigned type = get16(&reader), class = get16(&reader), ttl_s = get32(&reader);
            if (type == TYPE_OPT) {
                say(&reader, "opt %u %x", class, ttl_s);
            } else {
                say(&reader, " %u %u", ttl_s, type);
                assert_int_equal(class, 1);
            }
            get_data(&reader, type, get16(&reader));
        }
    }
    assert_int_equal(reader.at, size);
    return reader.text;
}

static void check_reply(const struct query *query, bool is_stream, size_t capacity,
                        const char *expected) {
    uint8_t reply[WRN_DNS_REPLY_MAX];
    size_t size = 0;
    uint8_t *copy = malloc(query->size); /* its own size, so that reading on is noticed */
    memcpy(copy, query->bytes, query->size);
    enum wrn_dns_outcome outcome = wrn_dns_answer(&zone, &lookup, (wrn_span){copy, query->size},
                                                  is_stream, reply, capacity, &size);
    free(copy);
    const char *got = outcome == WRN_DNS_REPLY     ? read_reply(reply, size)
                      : outcome == WRN_DNS_PENDING ? "pending"
                                                   : "silence";
    CHECK(strcmp(got, expected) == 0, "got      %s\nexpected %s\n", got, expected);
}

#define SOA_DATA " 6 home.warren. hostmaster.home.warren. 1 3600 600 86400 10"

struct case_of {
    const char *name;
    unsigned type;
    const char *expected;
};

static void check_cases(const struct case_of *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct query query = make(cases[i].name, cases[i].type);
        check_reply(&query, false, WRN_DNS_REPLY_MAX, cases[i].expected);
        check_reply(&query, true, WRN_DNS_REPLY_MAX, cases[i].expected);
    }
}

static void hosts_have_addresses_and_absent_ones_do_not(void **state) {
    static const struct case_of cases[] = {
        {"laptop.home.warren", TYPE_A,
         "0 aa rd | laptop.home.warren./1 | laptop.home.warren. 59 1 10.77.0.5"},
        {"laptop.home.warren", TYPE_AAAA,
         "0 aa rd | laptop.home.warren./28 | laptop.home.warren. 59 28 fd00:77::5"},
        {"LapTop.hOme.WARREN", TYPE_A, /* the asker recognises it by that */
         "0 aa rd | LapTop.hOme.WARREN./1 | LapTop.hOme.WARREN. 59 1 10.77.0.5"},
        {"laptop.home.warren", TYPE_ANY,
         "0 aa rd | laptop.home.warren./255 | laptop.home.warren. 59 1 10.77.0.5"},
        {"four.home.warren", TYPE_AAAA,
         "0 aa rd | four.home.warren./28 | home.warren. 10" SOA_DATA},
        {"laptop.home.warren", TYPE_MX,
         "0 aa rd | laptop.home.warren./15 | home.warren. 10" SOA_DATA},
        {"bare.home.warren", TYPE_ANY,
         "0 aa rd | bare.home.warren./255 | home.warren. 10" SOA_DATA},
        {"nobody.home.warren", TYPE_A, "3 aa rd | nobody.home.warren./1 | home.warren. 7" SOA_DATA},
        {"nobody.home.warren", TYPE_MX,
         "3 aa rd | nobody.home.warren./15 | home.warren. 7" SOA_DATA},
        {"a.laptop.home.warren", TYPE_A,
         "3 aa rd | a.laptop.home.warren./1 | home.warren. 10" SOA_DATA},
        {"_http._tcp.home.warren", TYPE_A,
         "3 aa rd | _http._tcp.home.warren./1 | home.warren. 10" SOA_DATA},
        {"unknown.home.warren", TYPE_A, "2 rd | unknown.home.warren./1"},
        {"busy.home.warren", TYPE_A, "2 rd | busy.home.warren./1"},
        {"slow.home.warren", TYPE_A, "pending"},
    };
    (void)state;
    check_cases(cases, WRN_COUNT(cases));
}

static void the_network_s_name_is_its_resolver_s(void **state) {
    static const struct case_of cases[] = {
        {"home.warren", TYPE_A, "0 aa rd | home.warren./1 | home.warren. 60 1 10.77.0.1"},
        {"home.warren", TYPE_ANY, "0 aa rd | home.warren./255 | home.warren. 60 1 10.77.0.1"},
        {"home.warren", TYPE_AAAA, "0 aa rd | home.warren./28 | home.warren. 10" SOA_DATA},
        {"home.warren", TYPE_SOA, "0 aa rd | home.warren./6 | home.warren. 60" SOA_DATA},
        {"home.warren", TYPE_NS, "0 aa rd | home.warren./2 | home.warren. 60 2 home.warren."},
        {"1.0.77.10.in-addr.arpa", TYPE_PTR,
         "0 aa rd | 1.0.77.10.in-addr.arpa./12 | 1.0.77.10.in-addr.arpa. 60 12 home.warren."},
    };
    (void)state;
    check_cases(cases, WRN_COUNT(cases));
    assert_int_equal(asked_count, 0); /* nobody else has to know */
}

#define NIBBLES_0 "0.0.0.0.0.0.0.0."
#define HIT_77    "7.7.0.0.0.0.0.0." NIBBLES_0 NIBBLES_0 "5.2.0.0.1.0.0.2.ip6.arpa"
#define FD00_9    "9.0.0.0.0.0.0.0." NIBBLES_0 "0.0.0.0.0.0.0.0.7.7.0.0.0.0.d.f.ip6.arpa"

static void addresses_have_names(void **state) {
    static const struct case_of cases[] = {
        {"5.0.77.10.in-addr.arpa", TYPE_PTR,
         "0 aa rd | 5.0.77.10.in-addr.arpa./12 | 5.0.77.10.in-addr.arpa. 44 12 "
         "laptop.home.warren."},
        {"5.0.77.10.IN-ADDR.arpa", TYPE_ANY,
         "0 aa rd | 5.0.77.10.IN-ADDR.arpa./255 | 5.0.77.10.IN-ADDR.arpa. 44 12 "
         "laptop.home.warren."},
        {HIT_77, TYPE_PTR, "0 aa rd | " HIT_77 "./12 | " HIT_77 ". 44 12 laptop.home.warren."},
        {"5.0.77.10.in-addr.arpa", TYPE_A,
         "0 aa rd | 5.0.77.10.in-addr.arpa./1 | 77.10.in-addr.arpa. 10" SOA_DATA},
        {"6.0.77.10.in-addr.arpa", TYPE_PTR, /* somebody who has no name */
         "0 aa rd | 6.0.77.10.in-addr.arpa./12 | 77.10.in-addr.arpa. 10" SOA_DATA},
        {"9.0.77.10.in-addr.arpa", TYPE_PTR,
         "3 aa rd | 9.0.77.10.in-addr.arpa./12 | 77.10.in-addr.arpa. 7" SOA_DATA},
        {FD00_9, TYPE_PTR,
         "3 aa rd | " FD00_9 "./12 | 0.0.0.0.0.0.0.0.7.7.0.0.0.0.d.f.ip6.arpa. 7" SOA_DATA},
        /* in between: there, and without records */
        {"9.77.10.in-addr.arpa", TYPE_PTR,
         "0 aa rd | 9.77.10.in-addr.arpa./12 | 77.10.in-addr.arpa. 10" SOA_DATA},
        {"77.10.in-addr.arpa", TYPE_SOA,
         "0 aa rd | 77.10.in-addr.arpa./6 | 77.10.in-addr.arpa. 10" SOA_DATA},
        /* above, and beside: somebody else's */
        {"10.in-addr.arpa", TYPE_PTR, "5 rd | 10.in-addr.arpa./12"},
        {"in-addr.arpa", TYPE_PTR, "5 rd | in-addr.arpa./12"},
        {"arpa", TYPE_PTR, "5 rd | arpa./12"},
        {"5.0.78.10.in-addr.arpa", TYPE_PTR, "5 rd | 5.0.78.10.in-addr.arpa./12"},
        {"78.10.in-addr.arpa", TYPE_PTR, "5 rd | 78.10.in-addr.arpa./12"},
        {"1.5.0.77.10.in-addr.arpa", TYPE_PTR, "5 rd | 1.5.0.77.10.in-addr.arpa./12"},
        {"05.0.77.10.in-addr.arpa", TYPE_PTR, "5 rd | 05.0.77.10.in-addr.arpa./12"},
        {"f.ip6.arpa", TYPE_PTR, "5 rd | f.ip6.arpa./12"},
    };
    (void)state;
    check_cases(cases, WRN_COUNT(cases));
}

/* A range whose length is not of whole bytes: the zones lie in it, and each ends at one. */
static void zones_of_odd_ranges_lie_within(void **state) {
    static const struct case_of cases[] = {
        {"9.6.77.10.in-addr.arpa", TYPE_PTR,
         "3 aa rd | 9.6.77.10.in-addr.arpa./12 | 6.77.10.in-addr.arpa. 7" SOA_DATA},
        {"77.10.in-addr.arpa", TYPE_PTR, "5 rd | 77.10.in-addr.arpa./12"},
        {"9.8.77.10.in-addr.arpa", TYPE_PTR, "5 rd | 9.8.77.10.in-addr.arpa./12"},
    };
    (void)state;
    zone.ipv4 = (struct wrn_prefix){.ip = ip_of("10.77.4.0"), .length_bits = 22};
    check_cases(cases, WRN_COUNT(cases));
}

static void others_zones_are_refused(void **state) {
    static const struct case_of cases[] = {
        {"example.org", TYPE_A, "5 rd | example.org./1"},
        {"", TYPE_NS, "5 rd | /2"},
        {"warren", TYPE_SOA, "5 rd | warren./6"},
        {"laptop.work.warren", TYPE_A, "5 rd | laptop.work.warren./1"},
        {"laptop.home.warren.org", TYPE_A, "5 rd | laptop.home.warren.org./1"},
        {"xhome.warren", TYPE_A, "5 rd | xhome.warren./1"},
        {"laptop.home.warren", TYPE_AXFR, "5 rd | laptop.home.warren./252"},
        {"home.warren", TYPE_AXFR, "5 rd | home.warren./252"},
        {"home.warren", TYPE_TSIG, "5 rd | home.warren./250"},
    };
    (void)state;
    check_cases(cases, WRN_COUNT(cases));
    struct query query = make("version.bind", 16);
    query.bytes[query.size - 1] = CLASS_CH;
    check_reply(&query, false, WRN_DNS_REPLY_MAX, "5 rd | version.bind./16");
    query = make("laptop.home.warren", TYPE_A);
    query.bytes[query.size - 1] = CLASS_CH;
    check_reply(&query, false, WRN_DNS_REPLY_MAX, "5 rd | laptop.home.warren./1");
    assert_int_equal(asked_count, 0);
}

/* Labels are bytes: a dot or a zero in one is not the end of a name. */
static void odd_bytes_in_labels_are_nobody_s(void **state) {
    (void)state;
    struct query query = make("laptopXhome.warren", TYPE_A);
    query.bytes[12 + 1 + 6] = '.'; /* one label "laptop.home" */
    check_reply(&query, false, WRN_DNS_REPLY_MAX, "5 rd | laptop.home.warren./1");
    query = make("laptop.home.warren", TYPE_A);
    query.bytes[12 + 1 + 2] = '\0';
    check_reply(&query, false, WRN_DNS_REPLY_MAX,
                "3 aa rd | la.home.warren./1 | home.warren. 10" SOA_DATA);
    assert_int_equal(asked_count, 0);
}

static void extensions_are_understood(void **state) {
    (void)state;
    struct query query = make("laptop.home.warren", TYPE_A);
    put_opt(&query, 4096, 0, false);
    check_reply(&query, false, WRN_DNS_REPLY_MAX,
                "0 aa rd | laptop.home.warren./1 | laptop.home.warren. 59 1 10.77.0.5"
                " | opt 1232 0");
    query = make("nobody.home.warren", TYPE_A);
    put_opt(&query, 0, 0, true);
    check_reply(&query, false, WRN_DNS_REPLY_MAX,
                "3 aa rd | nobody.home.warren./1 | home.warren. 7" SOA_DATA " | opt 1232 8000");
    query = make("laptop.home.warren", TYPE_A);
    put_opt(&query, 4096, 1, false); /* a version that does not exist: 16 is 1 above and 0 below */
    check_reply(&query, false, WRN_DNS_REPLY_MAX,
                "0 rd | laptop.home.warren./1 | opt 1232 1000000");
    query = make("example.org", TYPE_A);
    put_opt(&query, 512, 0, false);
    check_reply(&query, false, WRN_DNS_REPLY_MAX, "5 rd | example.org./1 | opt 1232 0");
    query = make("laptop.home.warren", TYPE_A);
    query.bytes[2] = 0; /* no RD, but CD */
    query.bytes[3] = 0x10;
    check_reply(&query, false, WRN_DNS_REPLY_MAX,
                "0 aa cd | laptop.home.warren./1 | laptop.home.warren. 59 1 10.77.0.5");
}

/* What does not fit is cut, as a whole, and said to be; never is more sent than there is room. */
static void what_does_not_fit_is_cut(void **state) {
    (void)state;
    struct query query = make("laptop.home.warren", TYPE_A);
    size_t whole = query.size + 16;
    check_reply(&query, false, whole,
                "0 aa rd | laptop.home.warren./1 | laptop.home.warren. 59 1 10.77.0.5");
    check_reply(&query, false, whole - 1, "0 aa tc rd | laptop.home.warren./1");
    check_reply(&query, true, query.size, "0 aa tc rd | laptop.home.warren./1");
    check_reply(&query, false, query.size - 1, "silence");
}

/* The answer to whatever cannot be read is twelve bytes, and to what is no query none. */
static void malformed_queries_get_a_header_or_nothing(void **state) {
    (void)state;
    struct query good = make("laptop.home.warren", TYPE_A), query;
    for (size_t size = 0; size < good.size; size++) {
        query = good;
        query.size = size;
        check_reply(&query, false, WRN_DNS_REPLY_MAX, size < 12 ? "silence" : "1 rd");
    }
    query = good;
    query.bytes[2] |= 0x80; /* a response */
    check_reply(&query, false, WRN_DNS_REPLY_MAX, "silence");
    query = good;
    query.bytes[2] |= 5 << 3; /* an update */
    uint8_t reply[WRN_DNS_REPLY_MAX];
    size_t size;
    assert_int_equal(wrn_dns_answer(&zone, &lookup, (wrn_span){query.bytes, query.size}, false,
                                    reply, sizeof reply, &size),
                     WRN_DNS_REPLY);
    assert_int_equal(size, 12);
    assert_int_equal(reply[2], 0x80 | 5 << 3 | 1);
    assert_int_equal(reply[3], 4); /* NOTIMP */
    static const size_t counts[] = {4, 5, 6, 7, 8, 9, 10, 11};
    for (size_t i = 0; i < WRN_COUNT(counts); i++) {
        query = good;
        query.bytes[counts[i]]++;
        check_reply(&query, false, WRN_DNS_REPLY_MAX, "1 rd");
    }
    query = good;
    query.bytes[12] = 0xc0; /* a name that points at itself */
    query.bytes[13] = 12;
    check_reply(&query, false, WRN_DNS_REPLY_MAX, "1 rd");
    query.bytes[12] = 64; /* a label that is too long */
    check_reply(&query, false, WRN_DNS_REPLY_MAX, "1 rd");
    query = make("laptop.home.warren", TYPE_A); /* two OPTs, and a record that is none */
    put_opt(&query, 512, 0, false);
    put_opt(&query, 512, 0, false);
    check_reply(&query, false, WRN_DNS_REPLY_MAX, "1 rd");
    for (unsigned type = TYPE_A; type <= TYPE_TSIG; type += TYPE_TSIG - TYPE_A) {
        query = good;
        put_opt(&query, 512, 0, false);
        query.bytes[good.size + 2] = (uint8_t)type;
        check_reply(&query, false, WRN_DNS_REPLY_MAX, "1 rd");
    }
    query = good;
    query.size = WRN_DNS_QUERY_MAX + 1;
    check_reply(&query, false, WRN_DNS_REPLY_MAX, "1 rd");
    assert_int_equal(asked_count, 0);
}

/* The longest name is the largest thing that is ever said; 512 bytes are enough for it. */
static void nothing_is_larger_than_a_plain_datagram(void **state) {
    char name[256];
    (void)state;
    memset(name, 'a', sizeof name);
    for (size_t i = 49; i < 200; i += 50) {
        name[i] = '.';
    }
    const char end[] = ".home.warren";
    memcpy(name + 253 - (sizeof end - 1), end, sizeof end);
    struct query query = make(name, TYPE_A);
    put_opt(&query, 1232, 0, true);
    uint8_t reply[WRN_DNS_REPLY_MAX];
    size_t size;
    assert_int_equal(wrn_dns_answer(&zone, &lookup, (wrn_span){query.bytes, query.size}, false,
                                    reply, sizeof reply, &size),
                     WRN_DNS_REPLY);
    assert_in_range(size, 300, WRN_DNS_PLAIN_MAX);
    assert_int_equal(reply[3], 3);
    name[253 - (sizeof end - 1)] = 'a';
    memcpy(name + 254 - (sizeof end - 1), end, sizeof end); /* one more is no name */
    query = make(name, TYPE_A);
    check_reply(&query, false, WRN_DNS_REPLY_MAX, "1 rd");
}

static void one_response_byte_for_byte(void **state) {
    static const uint8_t expected[] = {
        0xab, 0xcd, 0x85, 0x00, 0,   1, 0,   1,   0,   0,   0, 0, /* QR AA RD */
        4,    'f',  'o',  'u',  'r', 4, 'h', 'o', 'm', 'e', 6, 'w', 'a', 'r', 'r', 'e', 'n', 0, 0,
        1,    0,    1,    0xc0, 12,  0, 1,   0,   1,   0,   0, 0,   59,  0,   4,   10,  77,  0, 5,
    };
    (void)state;
    struct query query = make("four.home.warren", TYPE_A);
    uint8_t reply[WRN_DNS_REPLY_MAX];
    size_t size;
    assert_int_equal(wrn_dns_answer(&zone, &lookup, (wrn_span){query.bytes, query.size}, false,
                                    reply, sizeof reply, &size),
                     WRN_DNS_REPLY);
    assert_int_equal(size, sizeof expected);
    assert_memory_equal(reply, expected, size);
    assert_int_equal(asked.kind, WRN_NAMES_HOST);
    assert_string_equal(asked.label, "four");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(hosts_have_addresses_and_absent_ones_do_not, setup),
        cmocka_unit_test_setup(the_network_s_name_is_its_resolver_s, setup),
        cmocka_unit_test_setup(addresses_have_names, setup),
        cmocka_unit_test_setup(zones_of_odd_ranges_lie_within, setup),
        cmocka_unit_test_setup(others_zones_are_refused, setup),
        cmocka_unit_test_setup(odd_bytes_in_labels_are_nobody_s, setup),
        cmocka_unit_test_setup(extensions_are_understood, setup),
        cmocka_unit_test_setup(what_does_not_fit_is_cut, setup),
        cmocka_unit_test_setup(malformed_queries_get_a_header_or_nothing, setup),
        cmocka_unit_test_setup(nothing_is_larger_than_a_plain_datagram, setup),
        cmocka_unit_test_setup(one_response_byte_for_byte, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
