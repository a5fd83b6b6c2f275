/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what a DHCP client said, strictly where it decides and not at all where it does not, and
 * writes the answer from fixed parts. */
#include "network/dhcp.h"

enum {
    HEAD = 14, /* Ethernet */
    IP4 = 20,
    UDP = 8,
    BOOTP = 236,
    COOKIE = 4,
    BOOTP_MIN = 300, /* old clients drop what is shorter (RFC 1542, section 2.1) */
    ARP = 28,
    TYPE_AT = 12,
    CLIENT_PORT = 68,
    SERVER_PORT = 67,
    PROTOCOL_UDP = 17,
    CHADDR_AT = 28,
    SNAME_AT = 44,
    FILE_AT = 108,
    CLIENT_ID_MAX = 64,
    TTL = 64,
};

enum { ETHERTYPE_IP4 = 0x0800, ETHERTYPE_ARP = 0x0806, FLAG_BROADCAST = 0x8000 };

enum option {
    OPTION_PAD = 0,
    OPTION_MASK = 1,
    OPTION_RESOLVERS = 6,
    OPTION_DOMAIN = 15,
    OPTION_MTU = 26,
    OPTION_BROADCAST = 28,
    OPTION_WANTED = 50,
    OPTION_LEASE = 51,
    OPTION_OVERLOAD = 52,
    OPTION_KIND = 53,
    OPTION_SERVER = 54,
    OPTION_T1 = 58,
    OPTION_T2 = 59,
    OPTION_CLIENT_ID = 61,
    OPTION_SEARCH = 119,
    OPTION_END = 255,
};

enum kind { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM };

/* What a client said. */
struct question {
    const uint8_t *bootp; /* of BOOTP bytes */
    uint32_t kind;
    uint32_t has, wanted, server; /* addresses; 0: none */
    uint8_t client_id_size;
    uint8_t client_id[CLIENT_ID_MAX];
};

/* An answer that is being written. */
struct answer {
    uint8_t *at, *end;
};

static bool read_frame(const struct wrn_dhcp *dhcp, wrn_span frame, struct question *ret_question);
static bool read_options(wrn_span message, struct question *question);
static bool read_part(wrn_span part, struct question *question, uint8_t *overload);
static void read_option(uint8_t code, wrn_span value, struct question *question, uint8_t *overload);
static enum wrn_dhcp_said decide(const struct wrn_dhcp *dhcp, const struct question *question);
static size_t write_answer(const struct wrn_dhcp *dhcp, const struct question *question,
                           enum wrn_dhcp_said said, uint8_t *out);
static void write_settings(const struct wrn_dhcp *dhcp, struct answer *answer);
static void write_search(const char *domain, struct answer *answer);
static void write_heads(const struct wrn_dhcp *dhcp, const uint8_t *to_mac, uint32_t to,
                        size_t size, uint8_t *out);
static size_t answer_neighbour(const struct wrn_dhcp *dhcp, wrn_span frame, uint8_t *out);
static void put(struct answer *answer, enum option code, const void *value, size_t size);
static void put32(struct answer *answer, enum option code, uint32_t value);
static uint32_t number_of(const struct wrn_ip *ip);
static uint32_t sum(uint32_t begun, const uint8_t *bytes, size_t size);
static uint16_t fold(uint32_t value);

size_t wrn_dhcp_on_frame(const struct wrn_dhcp *dhcp, wrn_span frame, uint8_t *out,
                         enum wrn_dhcp_said *ret_said) {
    struct question question = {.kind = 0};
    size_t size = answer_neighbour(dhcp, frame, out);
    *ret_said = size > 0 ? WRN_DHCP_NEIGHBOUR : WRN_DHCP_NOTHING;
    if (size > 0 || !read_frame(dhcp, frame, &question)) {
        return size;
    }
    *ret_said = decide(dhcp, &question);
    switch (*ret_said) {
    case WRN_DHCP_OFFERED:
    case WRN_DHCP_GIVEN:
    case WRN_DHCP_REFUSED:
    case WRN_DHCP_INFORMED:
        return write_answer(dhcp, &question, *ret_said, out);
    default:
        return 0;
    }
}

/* ---- reading ---- */

/* An untagged, whole packet of the client to a server's port. Its sums are the host's own affair:
 * they may not be made yet. */
static bool read_frame(const struct wrn_dhcp *dhcp, wrn_span frame, struct question *ret_question) {
    const uint8_t *ip = frame.data + HEAD;
    if (frame.size < HEAD + IP4 + UDP + BOOTP + COOKIE ||
        memcmp(frame.data + WRN_MAC_ADDRESS_SIZE, dhcp->mac, WRN_MAC_ADDRESS_SIZE) != 0 ||
        wrn_load_be16(frame.data + TYPE_AT) != ETHERTYPE_IP4) {
        return false;
    }
    size_t head = (size_t)(ip[0] & 0x0f) * 4;
    size_t whole = wrn_load_be16(ip + 2);
    bool is_fragment = (wrn_load_be16(ip + 6) & 0x3fff) != 0;
    if (ip[0] >> 4 != 4 || head < IP4 || ip[9] != PROTOCOL_UDP || is_fragment ||
        whole > frame.size - HEAD || whole < head + UDP + BOOTP + COOKIE) {
        return false;
    }
    const uint8_t *udp = ip + head;
    size_t size = wrn_load_be16(udp + 4);
    if (wrn_load_be16(udp + 2) != SERVER_PORT || size < UDP + BOOTP + COOKIE ||
        size > whole - head) {
        return false;
    }
    ret_question->bootp = udp + UDP;
    return read_options((wrn_span){udp + UDP, size - UDP}, ret_question);
}

/* Of an Ethernet client that no relay stands before. */
static bool read_options(wrn_span message, struct question *question) {
    static const uint8_t cookie[COOKIE] = {99, 130, 83, 99};
    enum { IN_FILE = 1, IN_SNAME = 2, SNAME_SIZE = 64, FILE_SIZE = 128 };
    const uint8_t *bootp = message.data;
    uint8_t overload = 0, nothing = 0;
    bool is_ours = bootp[0] == 1 && bootp[1] == 1 && bootp[2] == WRN_MAC_ADDRESS_SIZE &&
                   wrn_load_be32(bootp + 24) == 0 && memcmp(bootp + BOOTP, cookie, COOKIE) == 0;
    question->has = wrn_load_be32(bootp + 12);
    return is_ours &&
           read_part((wrn_span){bootp + BOOTP + COOKIE, message.size - BOOTP - COOKIE}, question,
                     &overload) &&
           (!(overload & IN_FILE) ||
            read_part((wrn_span){bootp + FILE_AT, FILE_SIZE}, question, &nothing)) &&
           (!(overload & IN_SNAME) ||
            read_part((wrn_span){bootp + SNAME_AT, SNAME_SIZE}, question, &nothing));
}

/* False: it ends inside of an option. */
static bool read_part(wrn_span part, struct question *question, uint8_t *overload) {
    size_t at = 0;
    while (at < part.size && part.data[at] != OPTION_END) {
        uint8_t code = part.data[at++];
        if (code == OPTION_PAD) {
            continue;
        }
        if (at == part.size || part.data[at] > part.size - at - 1) {
            return false;
        }
        read_option(code, (wrn_span){part.data + at + 1, part.data[at]}, question, overload);
        at += 1u + part.data[at];
    }
    return true;
}

static void read_option(uint8_t code, wrn_span value, struct question *question,
                        uint8_t *overload) {
    if (code == OPTION_KIND && value.size == 1) {
        question->kind = value.data[0];
    } else if (code == OPTION_WANTED && value.size == 4) {
        question->wanted = wrn_load_be32(value.data);
    } else if (code == OPTION_SERVER && value.size == 4) {
        question->server = wrn_load_be32(value.data);
    } else if (code == OPTION_OVERLOAD && value.size == 1) {
        *overload = value.data[0];
    } else if (code == OPTION_CLIENT_ID && value.size <= CLIENT_ID_MAX) {
        question->client_id_size = (uint8_t)value.size;
        if (value.size > 0) {
            memcpy(question->client_id, value.data, value.size);
        }
    }
}

/* ---- deciding ---- */

/* RFC 2131, section 4.3. A client that names another server has chosen that one. */
static enum wrn_dhcp_said decide(const struct wrn_dhcp *dhcp, const struct question *question) {
    uint32_t own = number_of(&dhcp->address);
    uint32_t wanted = question->wanted != 0 ? question->wanted : question->has;
    bool is_ours = question->server == 0 || question->server == number_of(&dhcp->server);
    bool has_mac = memcmp(question->bootp + CHADDR_AT, dhcp->mac, sizeof(dhcp->mac)) == 0;
    if (!is_ours || !has_mac) {
        return WRN_DHCP_NOTHING;
    }
    switch (question->kind) {
    case DISCOVER:
        return own == 0 ? WRN_DHCP_WAITING : WRN_DHCP_OFFERED;
    case REQUEST:
        if (own == 0) {
            return WRN_DHCP_WAITING; /* "no" would be wrong a second later */
        }
        return wanted == own ? WRN_DHCP_GIVEN : WRN_DHCP_REFUSED;
    case INFORM:
        return question->has == 0 ? WRN_DHCP_NOTHING : WRN_DHCP_INFORMED;
    case DECLINE:
        return wanted == own && own != 0 ? WRN_DHCP_DECLINED : WRN_DHCP_NOTHING;
    case RELEASE:
        return WRN_DHCP_RELEASED;
    default:
        return WRN_DHCP_NOTHING;
    }
}

/* ---- writing ---- */

static size_t write_answer(const struct wrn_dhcp *dhcp, const struct question *question,
                           enum wrn_dhcp_said said, uint8_t *out) {
    static const uint8_t cookie[COOKIE] = {99, 130, 83, 99};
    static const uint8_t all[WRN_MAC_ADDRESS_SIZE] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t *bootp = out + HEAD + IP4 + UDP;
    struct answer answer = {bootp + BOOTP + COOKIE, out + WRN_DHCP_FRAME_MAX};
    bool gives = said == WRN_DHCP_OFFERED || said == WRN_DHCP_GIVEN;
    uint32_t to = said == WRN_DHCP_REFUSED ? 0 : question->has;
    bool is_loud = wrn_load_be16(question->bootp + 10) & FLAG_BROADCAST;
    uint8_t kind = said == WRN_DHCP_OFFERED ? OFFER : said == WRN_DHCP_REFUSED ? NAK : ACK;
    memset(out, 0, WRN_DHCP_FRAME_MAX);
    bootp[0] = 2;
    bootp[1] = 1;
    bootp[2] = WRN_MAC_ADDRESS_SIZE;
    memcpy(bootp + 4, question->bootp + 4, 4);   /* its number for this */
    memcpy(bootp + 10, question->bootp + 10, 2); /* flags */
    if (said == WRN_DHCP_GIVEN || said == WRN_DHCP_INFORMED) {
        wrn_store_be32(bootp + 12, question->has);
    }
    wrn_store_be32(bootp + 16, gives ? number_of(&dhcp->address) : 0);
    memcpy(bootp + CHADDR_AT, dhcp->mac, sizeof(dhcp->mac));
    memcpy(bootp + BOOTP, cookie, COOKIE);
    put(&answer, OPTION_KIND, &kind, 1);
    put32(&answer, OPTION_SERVER, number_of(&dhcp->server));
    if (gives) {
        put32(&answer, OPTION_LEASE, WRN_DHCP_LEASE_S);
        put32(&answer, OPTION_T1, WRN_DHCP_LEASE_S / 2);
        put32(&answer, OPTION_T2, WRN_DHCP_LEASE_S / 8 * 7);
    }
    if (said != WRN_DHCP_REFUSED) {
        write_settings(dhcp, &answer);
    }
    if (question->client_id_size > 0) {
        put(&answer, OPTION_CLIENT_ID, question->client_id, question->client_id_size);
    }
    *answer.at++ = OPTION_END;
    size_t size = (size_t)(answer.at - bootp);
    size = size < BOOTP_MIN ? BOOTP_MIN : size;
    if (to == 0) { /* it has none, or may not use it any more */
        is_loud = is_loud || !gives;
        to = is_loud ? UINT32_MAX : number_of(&dhcp->address);
        write_heads(dhcp, is_loud ? all : dhcp->mac, to, size, out);
    } else {
        write_heads(dhcp, dhcp->mac, to, size, out);
    }
    return HEAD + IP4 + UDP + size;
}

/* No router: the network is no way to anywhere else. */
static void write_settings(const struct wrn_dhcp *dhcp, struct answer *answer) {
    uint8_t bits = dhcp->range.length_bits;
    uint32_t mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);
    uint8_t mtu[2];
    wrn_store_be16(mtu, dhcp->mtu);
    put32(answer, OPTION_MASK, mask);
    put32(answer, OPTION_BROADCAST, number_of(&dhcp->range.ip) | ~mask);
    put(answer, OPTION_MTU, mtu, sizeof(mtu));
    if (dhcp->resolver.family == WRN_FAMILY_IPV4) {
        put(answer, OPTION_RESOLVERS, dhcp->resolver.bytes, 4);
    }
    if (dhcp->domain[0] != '\0') {
        put(answer, OPTION_DOMAIN, dhcp->domain, strlen(dhcp->domain));
        write_search(dhcp->domain, answer);
    }
}

/* As labels (RFC 3397). */
static void write_search(const char *domain, struct answer *answer) {
    uint8_t labels[WRN_DHCP_DOMAIN_MAX + 1] = {0};
    size_t size = strlen(domain), from = 0;
    for (size_t i = 0; i <= size; i++) {
        labels[i + 1] = (uint8_t)domain[i];
        if (i == size || domain[i] == '.') {
            labels[from] = (uint8_t)(i - from);
            from = i + 1;
        }
    }
    uint8_t whole[WRN_DHCP_DOMAIN_MAX + 2] = {0}; /* the last one is the root */
    memcpy(whole, labels, size + 1);
    put(answer, OPTION_SEARCH, whole, size + 2);
}

static void write_heads(const struct wrn_dhcp *dhcp, const uint8_t *to_mac, uint32_t to,
                        size_t size, uint8_t *out) {
    uint8_t *ip = out + HEAD, *udp = ip + IP4;
    uint8_t pseudo[12] = {0};
    memcpy(out, to_mac, WRN_MAC_ADDRESS_SIZE);
    memcpy(out + WRN_MAC_ADDRESS_SIZE, dhcp->server_mac, WRN_MAC_ADDRESS_SIZE);
    wrn_store_be16(out + TYPE_AT, ETHERTYPE_IP4);
    ip[0] = 0x45;
    wrn_store_be16(ip + 2, (uint16_t)(IP4 + UDP + size));
    ip[8] = TTL;
    ip[9] = PROTOCOL_UDP;
    memcpy(ip + 12, dhcp->server.bytes, 4);
    wrn_store_be32(ip + 16, to);
    wrn_store_be16(ip + 10, fold(sum(0, ip, IP4)));
    wrn_store_be16(udp, SERVER_PORT);
    wrn_store_be16(udp + 2, CLIENT_PORT);
    wrn_store_be16(udp + 4, (uint16_t)(UDP + size));
    memcpy(pseudo, ip + 12, 8);
    pseudo[9] = PROTOCOL_UDP;
    wrn_store_be16(pseudo + 10, (uint16_t)(UDP + size));
    uint16_t check = fold(sum(sum(0, pseudo, sizeof(pseudo)), udp, UDP + size));
    wrn_store_be16(udp + 6, check == 0 ? UINT16_MAX : check);
}

/* The client renews by a packet to the server's address alone, so somebody has to have that. */
static size_t answer_neighbour(const struct wrn_dhcp *dhcp, wrn_span frame, uint8_t *out) {
    static const uint8_t ask[8] = {0, 1, 8, 0, 6, 4, 0, 1};
    const uint8_t *arp = frame.data + HEAD;
    if (frame.size < HEAD + ARP || wrn_load_be16(frame.data + TYPE_AT) != ETHERTYPE_ARP ||
        memcmp(arp, ask, sizeof(ask)) != 0 ||
        memcmp(frame.data + WRN_MAC_ADDRESS_SIZE, dhcp->mac, WRN_MAC_ADDRESS_SIZE) != 0 ||
        memcmp(arp + 8, dhcp->mac, WRN_MAC_ADDRESS_SIZE) != 0 ||
        dhcp->server.family != WRN_FAMILY_IPV4 || memcmp(arp + 24, dhcp->server.bytes, 4) != 0) {
        return 0;
    }
    enum { LEAST = 60 };
    memset(out, 0, LEAST);
    memcpy(out, dhcp->mac, WRN_MAC_ADDRESS_SIZE);
    memcpy(out + WRN_MAC_ADDRESS_SIZE, dhcp->server_mac, WRN_MAC_ADDRESS_SIZE);
    wrn_store_be16(out + TYPE_AT, ETHERTYPE_ARP);
    memcpy(out + HEAD, ask, sizeof(ask));
    out[HEAD + 7] = 2;
    memcpy(out + HEAD + 8, dhcp->server_mac, WRN_MAC_ADDRESS_SIZE);
    memcpy(out + HEAD + 14, dhcp->server.bytes, 4);
    memcpy(out + HEAD + 18, arp + 8, WRN_MAC_ADDRESS_SIZE + 4);
    return LEAST;
}

/* What does not fit (it always does) is left out. */
static void put(struct answer *answer, enum option code, const void *value, size_t size) {
    if (size > UINT8_MAX || (size_t)(answer->end - answer->at) < size + 3) {
        return;
    }
    *answer->at++ = (uint8_t)code;
    *answer->at++ = (uint8_t)size;
    memcpy(answer->at, value, size);
    answer->at += size;
}

static void put32(struct answer *answer, enum option code, uint32_t value) {
    uint8_t bytes[4];
    wrn_store_be32(bytes, value);
    put(answer, code, bytes, sizeof(bytes));
}

static uint32_t number_of(const struct wrn_ip *ip) {
    return ip->family == WRN_FAMILY_IPV4 ? wrn_load_be32(ip->bytes) : 0;
}

static uint32_t sum(uint32_t begun, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        begun += (uint32_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
    }
    return begun;
}

static uint16_t fold(uint32_t value) {
    value = (value & 0xffff) + (value >> 16);
    value = (value & 0xffff) + (value >> 16);
    return (uint16_t)~value;
}
