/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes DNS questions: the first byte chooses what is known and how it is asked. A response goes
 * with its query, is one that ldns can read, and is never larger than the asker takes; what the
 * names machine is asked is what it may be asked. */
#include "fuzz.h"

#include <ldns/ldns.h>
#include <stdlib.h>

#include "daemon/dns.h"
#include "fuzz/overlay_stub.h"

enum { HEADER_SIZE = 12, FOUND_MASK = 7, STREAM = 8, NO_ADDRESSES = 16, LABEL_TO_TAKE = 32 };

static void ask(void *ctx, const struct wrn_names_question *question,
                struct wrn_names_answer *ret_answer) {
    const uint8_t *mode = ctx;
    HOLDS(question->kind == WRN_NAMES_HOST || question->kind == WRN_NAMES_REVERSE);
    HOLDS(question->kind == WRN_NAMES_REVERSE ||
          wrn_label_is_good((wrn_span){(const uint8_t *)question->label, strlen(question->label)}));
    *ret_answer = (struct wrn_names_answer){.ttl_s = *mode};
    ret_answer->found = (enum wrn_names_found)((*mode & FOUND_MASK) % (WRN_NAMES_BUSY + 1));
    if ((*mode & NO_ADDRESSES) == 0) {
        ret_answer->ipv4 = (struct wrn_ip){.family = WRN_FAMILY_IPV4, .bytes = {10, 77, 0, 5}};
        ret_answer->ipv6 = (struct wrn_ip){.family = WRN_FAMILY_IPV6, .bytes = {0xfd, 1}};
    }
    if ((*mode & LABEL_TO_TAKE) != 0) {
        memset(ret_answer->label, 'x', sizeof ret_answer->label - 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct wrn_dns_zone zone = {
        .network = "home",
        .ipv4 = {.ip = {.family = WRN_FAMILY_IPV4, .bytes = {10, 77}}, .length_bits = 22},
        .ipv6 = {.ip = {.family = WRN_FAMILY_IPV6, .bytes = {0xfd}}, .length_bits = 64},
        .resolver = {.family = WRN_FAMILY_IPV4, .bytes = {10, 77, 0, 1}}};
    uint8_t mode = size > 0 ? data[0] : 0;
    struct wrn_dns_lookup lookup = {.ctx = &mode, .ask = ask};
    uint8_t reply[WRN_DNS_REPLY_MAX];
    size_t reply_size = 0;
    size -= size > 0;
    uint8_t *query = malloc(size + 1); /* of its own size, so that reading on is noticed */
    HOLDS(query);
    if (size > 0) {
        memcpy(query + 1, data + 1, size);
    }
    bool is_stream = (mode & STREAM) != 0;
    size_t capacity = is_stream && mode > 127 ? (size_t)HEADER_SIZE + mode : sizeof reply;
    enum wrn_dns_outcome outcome = wrn_dns_answer(&zone, &lookup, (wrn_span){query + 1, size},
                                                  is_stream, reply, capacity, &reply_size);
    if (outcome == WRN_DNS_REPLY) {
        ldns_pkt *packet = NULL;
        HOLDS(reply_size >= HEADER_SIZE && reply_size <= capacity && reply_size <= 512);
        HOLDS(size >= HEADER_SIZE && memcmp(reply, query + 1, 2) == 0 && (reply[2] & 0x80) != 0);
        HOLDS(ldns_wire2pkt(&packet, reply, reply_size) == LDNS_STATUS_OK);
        size_t question = ldns_pkt_qdcount(packet);
        HOLDS(question <= 1 && ldns_pkt_ancount(packet) <= 1 && ldns_pkt_nscount(packet) <= 1);
        HOLDS(question == 0 || memcmp(reply + HEADER_SIZE, query + 1 + HEADER_SIZE, 1) == 0);
        ldns_pkt_free(packet);
    }
    free(query);
    return 0;
}
