/* SPDX-License-Identifier: Apache-2.0 */
/* Differences between two looks at the daemon. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/call.h"
#include "cli/top.h"

enum { STEP = 64, S_NS = 1000000000 };

static bool note_network(struct wrn_top *top, struct wrn_cli *cli, const json_t *network,
                         double passed_s);
static bool note_peer(struct wrn_top *top, const char *network, const char *hit, const json_t *peer,
                      double passed_s);
static bool note_counts(struct wrn_top *top, const char *network, json_t *counts, double passed_s);
static struct wrn_top_peer *find_peer(struct wrn_top *top, const char *key);
static struct wrn_top_count *find_count(struct wrn_top *top, const char *key);
static void forget(struct wrn_top *top);
static void *grown(void *all, size_t count, size_t size);

bool wrn_top_note(struct wrn_top *top, struct wrn_cli *cli, const json_t *status, uint64_t now_ns) {
    const json_t *networks = json_object_get(status, "networks");
    double passed_s = top->looked_ns == 0 ? 0 : (double)(now_ns - top->looked_ns) / S_NS;
    bool is_good = true;
    top->look++;
    top->looked_ns = now_ns;
    for (size_t i = 0; i < json_array_size(networks) && is_good; i++) {
        is_good = note_network(top, cli, json_array_get(networks, i), passed_s);
    }
    forget(top);
    return is_good;
}

void wrn_top_probe(struct wrn_top *top, const char *network, const char *hit, bool is_lost) {
    char key[128];
    (void)snprintf(key, sizeof key, "%s %s", network, hit);
    for (size_t i = 0; i < top->peer_count; i++) {
        struct wrn_top_peer *peer = &top->peers[i];
        if (strcmp(peer->key, key) == 0) {
            peer->probes = (peer->probes << 1 | (is_lost ? 1u : 0u)) &
                           ((UINT32_C(1) << WRN_TOP_PROBES_MAX) - 1);
            peer->probe_count += peer->probe_count < WRN_TOP_PROBES_MAX;
        }
    }
}

void wrn_top_finish(struct wrn_top *top) {
    free(top->peers);
    free(top->counts);
    *top = (struct wrn_top){0};
}

static bool note_network(struct wrn_top *top, struct wrn_cli *cli, const json_t *network,
                         double passed_s) {
    const char *name = wrn_call_text(cli, network, "name");
    const json_t *peers = json_object_get(network, "peers");
    if (name == NULL) {
        return true;
    }
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *peer = json_array_get(peers, i);
        const char *hit = wrn_call_text(cli, peer, "hit");
        if (hit != NULL && !note_peer(top, name, hit, peer, passed_s)) {
            return false;
        }
    }
    return note_counts(top, name, json_object_get(network, "drops"), passed_s) &&
           note_counts(top, name, json_object_get(network, "blocked"), passed_s);
}

/* Who has connected anew begins at 0: then nothing is known of this second. */
static bool note_peer(struct wrn_top *top, const char *network, const char *hit, const json_t *peer,
                      double passed_s) {
    char key[128];
    uint64_t tx = (uint64_t)json_integer_value(json_object_get(peer, "tx_bytes"));
    uint64_t rx = (uint64_t)json_integer_value(json_object_get(peer, "rx_bytes"));
    (void)snprintf(key, sizeof key, "%s %s", network, hit);
    struct wrn_top_peer *noted = find_peer(top, key);
    if (noted == NULL) {
        return false;
    }
    bool is_known =
        noted->seen + 1 == top->look && passed_s > 0 && tx >= noted->tx && rx >= noted->rx;
    noted->tx_per_s = is_known ? (double)(tx - noted->tx) / passed_s : -1;
    noted->rx_per_s = is_known ? (double)(rx - noted->rx) / passed_s : -1;
    noted->tx = tx;
    noted->rx = rx;
    noted->seen = top->look;
    return true;
}

static bool note_counts(struct wrn_top *top, const char *network, json_t *counts, double passed_s) {
    const char *reason;
    json_t *value;
    json_object_foreach(counts, reason, value) {
        char key[128];
        uint64_t count = (uint64_t)json_integer_value(value);
        (void)snprintf(key, sizeof key, "%s %s", network, reason);
        struct wrn_top_count *noted = find_count(top, key);
        if (noted == NULL) {
            return false;
        }
        /* What is counted for the first time was 0 at the look before. */
        bool is_known = passed_s > 0 && count >= noted->count;
        noted->per_s = is_known ? (double)(count - noted->count) / passed_s : 0;
        noted->count = count;
        noted->seen = top->look;
    }
    return true;
}

/* Makes it if it is not there. NULL: no memory is left. */
static struct wrn_top_peer *find_peer(struct wrn_top *top, const char *key) {
    for (size_t i = 0; i < top->peer_count; i++) {
        if (strcmp(top->peers[i].key, key) == 0) {
            return &top->peers[i];
        }
    }
    struct wrn_top_peer *larger = grown(top->peers, top->peer_count, sizeof *larger);
    if (larger == NULL) {
        return NULL;
    }
    top->peers = larger;
    struct wrn_top_peer *peer = &larger[top->peer_count++];
    *peer = (struct wrn_top_peer){0};
    memcpy(peer->key, key, strlen(key) + 1);
    return peer;
}

static struct wrn_top_count *find_count(struct wrn_top *top, const char *key) {
    for (size_t i = 0; i < top->count_count; i++) {
        if (strcmp(top->counts[i].key, key) == 0) {
            return &top->counts[i];
        }
    }
    struct wrn_top_count *larger = grown(top->counts, top->count_count, sizeof *larger);
    if (larger == NULL) {
        return NULL;
    }
    top->counts = larger;
    struct wrn_top_count *count = &larger[top->count_count++];
    *count = (struct wrn_top_count){0};
    memcpy(count->key, key, strlen(key) + 1);
    return count;
}

/* Lets go what was not in this look. */
static void forget(struct wrn_top *top) {
    size_t kept = 0;
    for (size_t i = 0; i < top->peer_count; i++) {
        if (top->peers[i].seen == top->look) {
            top->peers[kept++] = top->peers[i];
        }
    }
    top->peer_count = kept;
    kept = 0;
    for (size_t i = 0; i < top->count_count; i++) {
        if (top->counts[i].seen == top->look) {
            top->counts[kept++] = top->counts[i];
        }
    }
    top->count_count = kept;
}

/* Room for one more. NULL: there is none, and 'all' is as it was. */
static void *grown(void *all, size_t count, size_t size) {
    return count % STEP == 0 ? realloc(all, (count + STEP) * size) : all;
}
