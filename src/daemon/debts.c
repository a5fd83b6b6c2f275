/* SPDX-License-Identifier: Apache-2.0 */
/* A debt is a word that says its kind, a space, and what it is about. */
#include "daemon/debts.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/errands.h"
#include "io/addresses.h"
#include "io/bridge.h"
#include "io/cleanup.h"
#include "io/steward.h"

enum { LINKS_MAX = 256 };

/* Interfaces with an alias. */
struct search {
    const char *alias;
    size_t count;
    uint32_t found[LINKS_MAX]; /* indexes */
};

typedef void take_back_fn(const struct wrn_addresses *addresses, void *ctx, const char *what);

static take_back_fn unblock;
static take_back_fn remove_links;
static take_back_fn set_down;
static take_back_fn remove_record;
static void note_link(void *ctx, const struct wrn_bridge_link *link);
static void change(const char *kind, const char *what, bool is_owed);

static const char route[] = "route", links[] = "links", down[] = "down", record[] = "record";

static const struct {
    const char *kind;
    take_back_fn *take_back;
} kinds[] = {{route, unblock}, {links, remove_links}, {down, set_down}, {record, remove_record}};

void wrn_debts_owe_route(const struct wrn_prefix *network, bool is_owed) {
    char text[WRN_PREFIX_TEXT_SIZE];
    (void)wrn_prefix_print(network, text);
    change(route, text, is_owed);
}

void wrn_debts_owe_links(const char *alias, bool is_owed) {
    change(links, alias, is_owed);
}

void wrn_debts_owe_down(const char *interface, bool is_owed) {
    change(down, interface, is_owed);
}

void wrn_debts_owe_record(const char *name, bool is_owed) {
    change(record, name, is_owed);
}

void wrn_debts_take_back(void *ctx, const char *debt) {
    struct wrn_addresses addresses = {0};
    size_t size = strcspn(debt, " ");
    if (debt[size] == '\0' || wrn_addresses_open(&addresses) != 0) {
        return;
    }
    for (size_t i = 0; i < WRN_COUNT(kinds); i++) {
        if (strlen(kinds[i].kind) == size && memcmp(kinds[i].kind, debt, size) == 0) {
            kinds[i].take_back(&addresses, ctx, debt + size + 1);
        }
    }
    wrn_addresses_close(&addresses);
}

static void change(const char *kind, const char *what, bool is_owed) {
    char debt[WRN_STEWARD_DEBT_SIZE];
    int size = snprintf(debt, sizeof debt, "%s %s", kind, what);
    WRN_ASSERT(size > 0 && (size_t)size < sizeof debt);
    if (is_owed) {
        wrn_steward_owe(debt);
    } else {
        wrn_steward_settle(debt);
    }
}

static void unblock(const struct wrn_addresses *addresses, void *ctx, const char *what) {
    struct wrn_prefix network;
    (void)ctx;
    if (wrn_prefix_parse((wrn_span){(const uint8_t *)what, strlen(what)}, &network) == 0) {
        int error = wrn_addresses_block(addresses, &network, false);
        (void)error;
    }
}

static void remove_links(const struct wrn_addresses *addresses, void *ctx, const char *what) {
    struct search search = {.alias = what};
    (void)ctx;
    int error = wrn_bridge_walk(addresses->queries, note_link, &search);
    for (size_t i = 0; i < search.count && error == 0; i++) {
        int left = wrn_bridge_remove(addresses->queries, search.found[i]);
        (void)left;
    }
}

static void note_link(void *ctx, const struct wrn_bridge_link *link) {
    struct search *search = ctx;
    bool is_ours = strncmp(link->alias, "warren ", 7) == 0 &&
                   (strcmp(link->kind, "bridge") == 0 || strcmp(link->kind, "vlan") == 0);
    if (is_ours && strcmp(link->alias, search->alias) == 0 && search->count < LINKS_MAX) {
        search->found[search->count++] = link->index;
    }
}

static void set_down(const struct wrn_addresses *addresses, void *ctx, const char *what) {
    struct wrn_bridge_link link;
    (void)ctx;
    if (wrn_bridge_find(addresses->queries, what, &link) == 0) {
        int error = wrn_bridge_set_up(addresses->queries, link.index, false);
        (void)error;
    }
}

static void remove_record(const struct wrn_addresses *addresses, void *ctx, const char *what) {
    const char *const args[] = {"resolvconf", "-d", what, NULL};
    int32_t status;
    (void)addresses;
    if (wrn_errands_judge(ctx, args, (wrn_span){0}) == WRN_STEWARD_AS_ROOT) {
        WRN_CLEANUP(wrn_close_fd) int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
        WRN_CLEANUP(wrn_close_fd) int channel = -1;
        if (wrn_steward_run(args, input, -1, &channel) == 0) {
            ssize_t got = read(channel, &status, sizeof status); /* one at a time */
            (void)got;
        }
    }
}
