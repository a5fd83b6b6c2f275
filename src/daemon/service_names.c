/* SPDX-License-Identifier: Apache-2.0 */
/* Compares what there is with what there should be, whenever something may have changed, and every
 * few seconds while something is missing. */
#include "daemon/service_names.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "daemon/dns_server.h"
#include "daemon/resolver.h"

enum { RETRY_MS = 5000 };

struct entry {
    wrn_handle network; /* NONE: the place is free */
    bool is_there;      /* found when it was looked for last */
    struct wrn_resolver_entry host;
    struct wrn_dns_server *server; /* NULL: why is in 'why' */
    char why[WRN_DNS_WHY_SIZE];
    struct wrn_service_names *names;
};

/* A question that the node was asked. */
struct question {
    struct question *next;
    struct wrn_service_names *names;
    wrn_handle network;
    uint32_t token; /* the server's */
    uint32_t tag;   /* the daemon's */
    bool is_asking; /* the call that asks has not returned */
    bool is_answered;
    struct wrn_names_answer answer;
};

struct wrn_service_names {
    struct wrn_daemon *daemon;
    struct wrn_resolver *resolver;
    uv_timer_t *timer; /* freed by itself */
    struct question *questions;
    struct entry entries[WRN_NODE_NETWORKS_MAX];
};

static bool is_same(wrn_handle a, wrn_handle b);
static void on_timer(uv_timer_t *timer);
static void on_timer_closed(uv_handle_t *handle);
static bool look_at(struct wrn_service_names *names, wrn_handle network);
static struct entry *find(const struct wrn_service_names *names, wrn_handle network);
static void drop(struct wrn_service_names *names, struct entry *entry);
static bool has_address(const struct wrn_daemon_interface *interface, const struct wrn_ip *ip);
static void ask(void *ctx, const struct wrn_names_question *question, uint32_t token,
                struct wrn_names_answer *ret_answer);
static void on_answer(void *ctx, const struct wrn_node_answer *answer);
static void forget(struct question *question);

int wrn_service_names_create(struct wrn_daemon *daemon, struct wrn_service_names **ret_names) {
    struct wrn_service_names *names = calloc(1, sizeof *names);
    uv_timer_t *timer = calloc(1, sizeof *timer);
    const struct wrn_daemon_options *options = wrn_daemon_options(daemon);
    int error = names == NULL || timer == NULL ? -ENOMEM : 0;
    if (error == 0) {
        names->daemon = daemon;
        error = wrn_resolver_create(wrn_daemon_loop(daemon), wrn_daemon_log(daemon),
                                    wrn_daemon_folder(daemon), &wrn_resolver_places,
                                    options->tells_resolver && options->resolves, &names->resolver);
    }
    if (error != 0) {
        free(names);
        free(timer);
        return error;
    }
    error = uv_timer_init(wrn_daemon_loop(daemon), timer);
    WRN_ASSERT(error == 0); /* it cannot fail */
    names->timer = timer;
    timer->data = names;
    for (size_t i = 0; i < WRN_COUNT(names->entries); i++) {
        names->entries[i].network = WRN_HANDLE_NONE;
    }
    wrn_service_names_look(names);
    *ret_names = names;
    return 0;
}

void wrn_service_names_destroy(struct wrn_service_names *names) {
    if (names == NULL) {
        return;
    }
    while (names->questions != NULL) {
        wrn_daemon_untag(names->daemon, names->questions->tag);
        forget(names->questions);
    }
    for (size_t i = 0; i < WRN_COUNT(names->entries); i++) {
        wrn_dns_server_destroy(names->entries[i].server);
    }
    wrn_resolver_destroy(names->resolver);
    uv_close((uv_handle_t *)names->timer, on_timer_closed);
    free(names);
}

void wrn_service_names_look(struct wrn_service_names *names) {
    (void)uv_timer_start(names->timer, on_timer, 0, 0);
}

json_t *wrn_service_names_status(const struct wrn_service_names *names, wrn_handle network) {
    char address[INET6_ADDRSTRLEN] = "", text[WRN_RESOLVER_TEXT_SIZE];
    const struct entry *entry = find(names, network);
    if (entry == NULL) {
        const char *why = wrn_daemon_options(names->daemon)->resolves
                              ? "this network has no resolver address (yet)"
                              : "warrend was told not to answer names (dns = no)";
        return json_pack("{sbsbss}", "answers", false, "host_asks", false, "text", why);
    }
    const struct wrn_ip *ip = &entry->host.zone.resolver;
    (void)inet_ntop(ip->family == WRN_FAMILY_IPV4 ? AF_INET : AF_INET6, ip->bytes, address,
                    sizeof address);
    bool is_asked = wrn_resolver_describe(names->resolver, &entry->host, text);
    if (entry->server == NULL) {
        return json_pack("{sssbsbss}", "address", address, "answers", false, "host_asks", is_asked,
                         "text", entry->why);
    }
    struct wrn_dns_server_counts counts = wrn_dns_server_counts(entry->server);
    return json_pack("{sssbsbsssIsIsI}", "address", address, "answers", true, "host_asks", is_asked,
                     "text", text, "queries", (json_int_t)counts.queries, "refused",
                     (json_int_t)counts.refused, "overloads", (json_int_t)counts.overloads);
}

static bool is_same(wrn_handle a, wrn_handle b) {
    return a.index == b.index && a.generation == b.generation;
}

static void on_timer(uv_timer_t *timer) {
    struct wrn_service_names *names = timer->data;
    const struct wrn_node *node = wrn_daemon_node(names->daemon);
    bool is_all_well = true;
    uint32_t cursor = 0;
    wrn_handle network;
    for (size_t i = 0; i < WRN_COUNT(names->entries); i++) {
        names->entries[i].is_there = false;
    }
    while (!is_same(network = wrn_node_next(node, &cursor), WRN_HANDLE_NONE)) {
        is_all_well = look_at(names, network) && is_all_well;
    }
    for (size_t i = 0; i < WRN_COUNT(names->entries); i++) {
        struct entry *entry = &names->entries[i];
        if (!is_same(entry->network, WRN_HANDLE_NONE) && !entry->is_there) {
            drop(names, entry);
        }
    }
    if (!is_all_well) {
        (void)uv_timer_start(timer, on_timer, RETRY_MS, 0);
    }
}

/* False: something is missing that may come. */
static bool look_at(struct wrn_service_names *names, wrn_handle network) {
    struct wrn_node_network_info info;
    struct wrn_daemon_interface interface;
    if (!wrn_daemon_options(names->daemon)->resolves ||
        !wrn_node_network_info(wrn_daemon_node(names->daemon), network, &info) ||
        info.resolver.family == WRN_FAMILY_NONE) {
        return true;
    }
    if (!wrn_daemon_interface(names->daemon, network, &interface) ||
        !has_address(&interface, &info.resolver)) {
        return false; /* also one that has served: its sockets are deaf */
    }
    struct entry *entry = find(names, network);
    entry = entry != NULL ? entry : find(names, WRN_HANDLE_NONE);
    WRN_ASSERT(entry != NULL); /* there is a place for each network */
    entry->is_there = true;
    if (entry->server != NULL && strcmp(entry->host.interface, interface.name) == 0 &&
        wrn_ip_equal(&entry->host.zone.resolver, &info.resolver)) {
        return true;
    }
    wrn_dns_server_destroy(entry->server);
    entry->server = NULL;
    entry->network = network;
    entry->names = names;
    entry->host.zone = (struct wrn_dns_zone){
        .ipv4 = info.descriptor->ipv4, .ipv6 = info.descriptor->ipv6, .resolver = info.resolver};
    (void)snprintf(entry->host.zone.network, sizeof entry->host.zone.network, "%s",
                   info.descriptor->name);
    (void)snprintf(entry->host.interface, sizeof entry->host.interface, "%s", interface.name);
    struct wrn_dns_server_options options = {.loop = wrn_daemon_loop(names->daemon),
                                             .log = wrn_daemon_log(names->daemon),
                                             .zone = entry->host.zone,
                                             .interface = interface.index,
                                             .port = WRN_DNS_PORT,
                                             .ctx = entry,
                                             .ask = ask};
    char why[WRN_DNS_WHY_SIZE];
    if (wrn_dns_server_create(&options, &entry->server, why) != 0) {
        if (strcmp(why, entry->why) != 0) {
            wrn_log_write(options.log, WRN_LOG_ERROR, "%s", why);
        }
        memcpy(entry->why, why, sizeof why);
        return false;
    }
    wrn_resolver_tell(names->resolver, &entry->host);
    return true;
}

static struct entry *find(const struct wrn_service_names *names, wrn_handle network) {
    for (size_t i = 0; i < WRN_COUNT(names->entries); i++) {
        if (is_same(names->entries[i].network, network)) {
            return (struct entry *)(uintptr_t)&names->entries[i];
        }
    }
    return NULL;
}

static void drop(struct wrn_service_names *names, struct entry *entry) {
    wrn_dns_server_destroy(entry->server);
    wrn_resolver_untell(names->resolver, entry->host.interface);
    *entry = (struct entry){.network = WRN_HANDLE_NONE};
}

static bool has_address(const struct wrn_daemon_interface *interface, const struct wrn_ip *ip) {
    for (uint32_t i = 0; i < interface->address_count; i++) {
        if (wrn_ip_equal(&interface->addresses[i].ip, ip)) {
            return true;
        }
    }
    return false;
}

/* Asks the node, whose answer may come at once, in the course of the asking, or later. */
static void ask(void *ctx, const struct wrn_names_question *question, uint32_t token,
                struct wrn_names_answer *ret_answer) {
    const struct entry *entry = ctx;
    struct wrn_service_names *names = entry->names;
    struct wrn_now now;
    struct question *asked = calloc(1, sizeof *asked);
    *ret_answer = (struct wrn_names_answer){.found = WRN_NAMES_BUSY};
    uint32_t tag = asked == NULL ? 0 : wrn_daemon_tag(names->daemon, on_answer, asked);
    if (tag == 0) {
        free(asked);
        return;
    }
    *asked = (struct question){.names = names,
                               .next = names->questions,
                               .network = entry->network,
                               .token = token,
                               .tag = tag,
                               .is_asking = true};
    names->questions = asked;
    struct wrn_node_out *out = wrn_daemon_begin(names->daemon, &now);
    wrn_node_resolve(wrn_daemon_node(names->daemon), now, entry->network, question, tag, ret_answer,
                     out);
    wrn_daemon_perform(names->daemon);
    asked->is_asking = false;
    if (asked->is_answered) {
        if (ret_answer->found == WRN_NAMES_PENDING) {
            *ret_answer = asked->answer;
        }
        forget(asked);
    } else if (ret_answer->found != WRN_NAMES_PENDING) {
        wrn_daemon_untag(names->daemon, tag);
        forget(asked);
    }
}

static void on_answer(void *ctx, const struct wrn_node_answer *answer) {
    struct question *asked = ctx;
    struct wrn_names_answer name = answer->name;
    /* A question that found no one who could answer says so in its reason alone. */
    name.found = answer->reason != WRN_REASON_NONE && answer->found == WRN_NAMES_PENDING
                     ? WRN_NAMES_UNKNOWN
                     : answer->found;
    asked->is_answered = asked->is_answered || answer->is_last;
    asked->answer = name;
    if (asked->is_asking || !answer->is_last) {
        return;
    }
    const struct entry *entry = find(asked->names, asked->network);
    uint32_t token = asked->token;
    forget(asked);
    if (entry != NULL && entry->server != NULL) {
        wrn_dns_server_on_answer(entry->server, token, &name);
    }
}

static void forget(struct question *question) {
    struct question **at = &question->names->questions;
    while (*at != question) {
        at = &(*at)->next;
    }
    *at = question->next;
    free(question);
}

static void on_timer_closed(uv_handle_t *handle) {
    free(handle);
}
