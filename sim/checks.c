/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold at every moment. */
#include "sim/checks.h"

#include "base/bytes.h"
#include "overlay/pair.h"
#include "sim/memory.h"
#include "sim/population.h"

enum {
    COOKIES = 2,
    NONCE = 4,
    NONCE_SIZE = 8,
    COOKIE_IN_REPLY = 12,
    COOKIE_IN_STRANGER = 36,
    RECEIVER = 4
};
enum { INCARNATION = 12, COUNTER = 20, SEALED_HEAD = 28 };

/* What one host and one remote endpoint said to each other. */
struct exchange {
    uint64_t sent_bytes, received_bytes;
    uint64_t probes; /* that were sent; not in sent_bytes */
    wrn_mono first;
    uint8_t cookies[COOKIES][WRN_COOKIE_SIZE]; /* that the host told that address, newest first */
    uint8_t asked[NONCE_SIZE]; /* of the last WHO: whoever says it again gets what is sent there */
    bool has_asked;
    bool is_proven;
    bool is_reported;
};

/* The last number that one host used towards one receiver. */
struct numbers {
    uint64_t incarnation;
    uint64_t counter;
};

struct sim_checks {
    struct sim_nodes *nodes;
    struct sim_table exchange_places; /* (host, endpoint) */
    struct exchange *exchanges;
    uint32_t exchange_count, exchange_capacity;
    struct sim_table numbers_places; /* (host, receiver) */
    struct numbers *numbers;
    uint32_t numbers_count, numbers_capacity;
    uint64_t count;
};

static void on_sent(void *ctx, sim_host host, const struct wrn_endpoint *from,
                    const struct wrn_endpoint *to, wrn_span bytes);
static struct exchange *exchange_of(struct sim_checks *checks, sim_host host,
                                    const struct wrn_endpoint *remote);
static void check_numbers(struct sim_checks *checks, sim_host host, wrn_span bytes);
static void check_unproven(struct sim_checks *checks, sim_host host, const struct wrn_endpoint *to,
                           struct exchange *exchange);
static void check_links(struct sim_checks *checks, const struct sim_node *node);
static bool may_say(const struct sim_checks *checks);
static bool is_overlay(wrn_span bytes);

struct sim_checks *sim_checks_create(struct sim_nodes *nodes) {
    struct sim_checks *checks = sim_take(1, sizeof *checks);
    checks->nodes = nodes;
    nodes->checks = checks;
    sim_net_watch(nodes->net, on_sent, checks);
    return checks;
}

void sim_checks_destroy(struct sim_checks *checks) {
    if (checks != NULL) {
        sim_table_finish(&checks->exchange_places);
        sim_table_finish(&checks->numbers_places);
        free(checks->exchanges);
        free(checks->numbers);
        free(checks);
    }
}

void sim_checks_on_received(struct sim_checks *checks, const struct sim_node *node,
                            const struct wrn_endpoint *from, wrn_span bytes) {
    struct exchange *exchange = exchange_of(checks, node->host, from);
    exchange->received_bytes += bytes.size;
    if (bytes.size >= SEALED_HEAD && bytes.data[0] == WRN_FRAME_SEALED) {
        exchange->is_proven = true;
    }
    if (bytes.size >= COOKIE_IN_REPLY && bytes.data[0] == WRN_FRAME_WHO_REPLY) {
        exchange->is_proven =
            exchange->is_proven ||
            (exchange->has_asked && memcmp(bytes.data + NONCE, exchange->asked, NONCE_SIZE) == 0);
    }
    if (bytes.size >= WRN_STRANGER_OVERHEAD && bytes.data[0] == WRN_FRAME_STRANGER) {
        for (size_t i = 0; i < COOKIES; i++) {
            exchange->is_proven =
                exchange->is_proven ||
                memcmp(bytes.data + COOKIE_IN_STRANGER, exchange->cookies[i], WRN_COOKIE_SIZE) == 0;
        }
    }
}

void sim_checks_on_event(struct sim_checks *checks, const struct sim_node *node,
                         const struct wrn_overlay_action *action) {
    if (action->kind == WRN_OVERLAY_PEER_UP || action->kind == WRN_OVERLAY_PEER_DOWN ||
        action->kind == WRN_OVERLAY_STATE) {
        check_links(checks, node);
    }
}

uint64_t sim_checks_count(const struct sim_checks *checks) {
    return checks->count;
}

/* Hosts without a node are the scenario's own: strangers, who may send what they like. */
static void on_sent(void *ctx, sim_host host, const struct wrn_endpoint *from,
                    const struct wrn_endpoint *to, wrn_span bytes) {
    struct sim_checks *checks = ctx;
    const struct sim_nodes *nodes = checks->nodes;
    (void)from;
    checks->count++;
    /* Hosts and nodes have the same numbers as long as only nodes were added. */
    if (host >= nodes->count || nodes->all[host]->host != host || nodes->all[host]->is_stranger ||
        nodes->all[host]->is_liar || !is_overlay(bytes)) {
        return;
    }
    struct exchange *exchange = exchange_of(checks, host, to);
    if (bytes.data[0] == WRN_FRAME_SEALED && bytes.size <= SIM_PROBE_BYTES) {
        exchange->probes++;
    } else {
        exchange->sent_bytes += bytes.size;
    }
    sim_report_expect(&nodes->run->report, bytes.size <= WRN_DATAGRAM_MAX || !may_say(checks),
                      "node %u sends %zu bytes at once", host, bytes.size);
    if (bytes.data[0] == WRN_FRAME_WHO && bytes.size >= NONCE + NONCE_SIZE) {
        memcpy(exchange->asked, bytes.data + NONCE, NONCE_SIZE);
        exchange->has_asked = true;
    }
    if (bytes.data[0] == WRN_FRAME_WHO_REPLY && bytes.size >= COOKIE_IN_REPLY + WRN_COOKIE_SIZE) {
        memmove(exchange->cookies[1], exchange->cookies[0], WRN_COOKIE_SIZE);
        memcpy(exchange->cookies[0], bytes.data + COOKIE_IN_REPLY, WRN_COOKIE_SIZE);
    }
    if (bytes.data[0] == WRN_FRAME_SEALED && bytes.size >= SEALED_HEAD) {
        check_numbers(checks, host, bytes);
    }
    check_unproven(checks, host, to, exchange);
}

static struct exchange *exchange_of(struct sim_checks *checks, sim_host host,
                                    const struct wrn_endpoint *remote) {
    struct sim_key key = sim_key(host, remote, NULL);
    uint32_t place;
    if (!sim_table_find(&checks->exchange_places, &key, &place)) {
        checks->exchanges = sim_grow(checks->exchanges, checks->exchange_count,
                                     &checks->exchange_capacity, sizeof *checks->exchanges);
        place = checks->exchange_count++;
        checks->exchanges[place].first = sim_now(checks->nodes->run->world).mono;
        sim_table_add(&checks->exchange_places, &key, place);
    }
    return &checks->exchanges[place];
}

/* The receiver's number stands for the key: each life of each end has its own. */
static void check_numbers(struct sim_checks *checks, sim_host host, wrn_span bytes) {
    struct sim_key key = sim_key_of_pair(host, wrn_load_be64(bytes.data + RECEIVER));
    uint64_t incarnation = wrn_load_be64(bytes.data + INCARNATION);
    uint64_t counter = wrn_load_be64(bytes.data + COUNTER);
    uint32_t place;
    if (!sim_table_find(&checks->numbers_places, &key, &place)) {
        checks->numbers = sim_grow(checks->numbers, checks->numbers_count,
                                   &checks->numbers_capacity, sizeof *checks->numbers);
        place = checks->numbers_count++;
        sim_table_add(&checks->numbers_places, &key, place);
    } else if (checks->numbers[place].incarnation == incarnation) {
        sim_report_expect(&checks->nodes->run->report,
                          counter > checks->numbers[place].counter || !may_say(checks),
                          "node %u uses number %llu after %llu", host, (unsigned long long)counter,
                          (unsigned long long)checks->numbers[place].counter);
    }
    checks->numbers[place] = (struct numbers){incarnation, counter};
}

static void check_unproven(struct sim_checks *checks, sim_host host, const struct wrn_endpoint *to,
                           struct exchange *exchange) {
    bool is_private =
        to->ip.family == WRN_FAMILY_IPV4 && (to->ip.bytes[0] == 192 || to->ip.bytes[0] == 100);
    if (exchange->is_proven || exchange->is_reported || is_private) {
        return;
    }
    uint64_t passed_ns = wrn_mono_since(sim_now(checks->nodes->run->world).mono, exchange->first);
    uint64_t may = exchange->received_bytes + SIM_UNPROVEN_BURST_BYTES +
                   passed_ns / WRN_S(1) * SIM_UNPROVEN_BYTES_PER_S;
    uint64_t may_probe =
        SIM_UNPROVEN_PROBES + passed_ns / WRN_S(60) * SIM_UNPROVEN_PROBES_PER_MINUTE;
    char text[WRN_ENDPOINT_TEXT_SIZE];
    exchange->is_reported = exchange->sent_bytes > may || exchange->probes > may_probe;
    if (exchange->is_reported && may_say(checks)) {
        (void)wrn_endpoint_print(to, text);
        sim_report_expect(&checks->nodes->run->report, false,
                          "node %u sent %llu probes and %llu bytes in %llu s to %s, which sent "
                          "%llu and proved nothing",
                          host, (unsigned long long)exchange->probes,
                          (unsigned long long)exchange->sent_bytes,
                          (unsigned long long)(passed_ns / WRN_S(1)), text,
                          (unsigned long long)exchange->received_bytes);
    }
}

static void check_links(struct sim_checks *checks, const struct sim_node *node) {
    const struct sim_nodes *nodes = checks->nodes;
    if (node->is_stranger || node->overlay == NULL) {
        return;
    }
    const struct wrn_links *links = wrn_overlay_links(node->overlay);
    sim_report_expect(&nodes->run->report, links->count <= links->capacity || !may_say(checks),
                      "node %u has %u links", node->number, links->count);
    for (uint32_t i = 0; i < links->count; i++) {
        const struct sim_node *peer = sim_node_of(nodes, links->links[i].id);
        bool is_in_order = i == 0 || wrn_id_less(wrn_id_subtract(links->links[i - 1].id, node->id),
                                                 wrn_id_subtract(links->links[i].id, node->id));
        sim_report_expect(&nodes->run->report, is_in_order || !may_say(checks),
                          "node %u: link %u is out of order", node->number, i);
        sim_report_expect(&nodes->run->report,
                          peer == NULL || !peer->is_stranger || !may_say(checks),
                          "node %u has a link to %u, which was not admitted", node->number,
                          peer != NULL ? peer->number : 0);
    }
}

static bool may_say(const struct sim_checks *checks) {
    return checks->nodes->run->report.failure_count < SIM_FAILURES_MAX;
}

static bool is_overlay(wrn_span bytes) {
    return bytes.size > 0 && wrn_frame_is_ours(bytes.data[0]);
}
