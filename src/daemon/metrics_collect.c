/* SPDX-License-Identifier: Apache-2.0 */
/* A table of families. Each is written for all networks in a row, as the format wants it, from one
 * look at the daemon. */
#include "daemon/metrics_collect.h"

#include <stdlib.h>

#include "base/hex.h"
#include "daemon/metrics_http.h"
#include "io/clock.h"
#include "network/lease.h"
#include "node/authority.h"
#include "node/gate.h"
#include "node/state.h"
#include "overlay/dht.h"
#include "overlay/overlay.h"
#include "overlay/record.h"
#include "plane/stray.h"

enum { NAME_ROOM = 40, SESSION_MAX_S = 180, LINK_KINDS = 5, PATHS = 5 };

/* What is known of a network. */
struct look {
    wrn_handle network;
    struct wrn_node_network_info info;
    struct wrn_daemon_interface interface; /* zero: it has none now */
    struct wrn_gate_counts gate;
    uint64_t links[LINK_KINDS];
    uint64_t paths[PATHS];
    uint64_t sessions, records, invitations;
    int64_t lease_end_s; /* 0: no lease */
    bool has_interface;
};

struct scrape {
    const struct wrn_daemon *daemon;
    const struct wrn_node *node;
    const struct wrn_metrics_counts *counts;
    struct wrn_daemon_facts facts;
    struct wrn_metrics_text *text;
    struct wrn_now now;
    size_t count;
    struct look *looks;
};

struct family {
    const char *name, *type, *help;
    void (*write)(const struct scrape *scrape, const struct family *family);
    int which; /* the writer's own */
};

/* What is said of a network by one number. */
enum fact {
    TROUBLE,
    NODES,
    SESSIONS,
    HELD,
    HELD_LOST,
    RECORDS,
    INVITATIONS,
    LISTS,
    MTU,
    LEASE_END,
    MEMBERSHIP_END,
};

/* What is said of each peer. */
enum peer_fact { PEER_PATH, PEER_RTT, PEER_RX, PEER_TX, PEER_HANDSHAKE, PEER_MTU, PEER_END };

/* What is counted of a network by a reason, or the like. */
enum series { DROPPED, BLOCKED, REFUSED, TUNNEL, DHT, RING_MESSAGES, RING_BYTES, SERIES };

/* One of the numbers of a series; false: there are no more. The name may be written to 'room'. */
typedef bool (*element_fn)(const struct scrape *scrape, const struct look *look, int index,
                           char room[NAME_ROOM], const char **ret_name, uint64_t *ret_value);

static void look_at(const struct scrape *scrape, wrn_handle network, struct look *look);
static void count_peers(const struct scrape *scrape, struct look *look);
static size_t path_index(enum wrn_path_state state);
static int64_t lease_end(const struct scrape *scrape, const struct look *look);
static const char *name_of(const struct look *look);

static void write_build(const struct scrape *scrape, const struct family *family);
static void write_carrier(const struct scrape *scrape, const struct family *family);
static void write_number(const struct scrape *scrape, const struct family *family);
static void write_strays(const struct scrape *scrape, const struct family *family);
static void write_events(const struct scrape *scrape, const struct family *family);
static void write_requests(const struct scrape *scrape, const struct family *family);
static void write_info(const struct scrape *scrape, const struct family *family);
static void write_state(const struct scrape *scrape, const struct family *family);
static void write_claims(const struct scrape *scrape, const struct family *family);
static void write_links(const struct scrape *scrape, const struct family *family);
static void write_paths(const struct scrape *scrape, const struct family *family);
static void write_fact(const struct scrape *scrape, const struct family *family);
static void write_series(const struct scrape *scrape, const struct family *family);
static void write_peers(const struct scrape *scrape, const struct family *family);

enum number { NETWORKS, UNSERVED, WORKERS, EXTRA, LOST_ACTIONS, FAILED_SAVES, CUT, PEERS_LEFT_OUT };

static const char *const path_names[PATHS] = {"direct", "relayed", "searching", "lost", "stream"};

static const struct family families[] = {
    {"warren_build_info", "gauge", "1, with the version of warrend.", write_build, 0},
    {"warren_carrier_info", "gauge", "1, with the provider of the fast ciphers.", write_carrier, 0},
    {"warren_workers", "gauge", "Threads that carry packets.", write_number, WORKERS},
    {"warren_networks", "gauge", "Networks that run.", write_number, NETWORKS},
    {"warren_networks_unserved", "gauge", "Networks on the disk that could not be started.",
     write_number, UNSERVED},
    {"warren_extra_sockets", "gauge", "Sockets that are open for hard NATs.", write_number, EXTRA},
    {"warren_lost_actions_total", "counter",
     "Actions and datagrams of the control thread that found no room.", write_number, LOST_ACTIONS},
    {"warren_failed_saves_total", "counter", "States that could not be written to the disk.",
     write_number, FAILED_SAVES},
    {"warren_stray_datagrams_total", "counter",
     "Datagrams that came to the port and were of no network.", write_strays, 0},
    {"warren_events_total", "counter", "What happened, as in warren events.", write_events, 0},
    {"warren_metrics_requests_total", "counter", "Requests for metrics, by status.", write_requests,
     0},
    {"warren_metrics_cut_total", "counter",
     "Connections for metrics that took too long or gave way to others.", write_number, CUT},
    {"warren_network_info", "gauge", "1, with id and kind of the network.", write_info, 0},
    {"warren_network_state", "gauge", "1 for the state that the network is in.", write_state, 0},
    {"warren_network_trouble", "gauge", "1 if warren status names a trouble.", write_fact, TROUBLE},
    {"warren_claim_state", "gauge", "1 for the state that the claim of address or name is in.",
     write_claims, 0},
    {"warren_lease_expiry_timestamp_seconds", "gauge",
     "When the address lease ends unless it is renewed.", write_fact, LEASE_END},
    {"warren_membership_expiry_timestamp_seconds", "gauge",
     "When the certificates of this machine's membership end; none: never.", write_fact,
     MEMBERSHIP_END},
    {"warren_revocation_lists", "gauge", "Revocation lists that are known.", write_fact, LISTS},
    {"warren_invitations", "gauge", "Invitations of this machine that can be used.", write_fact,
     INVITATIONS},
    {"warren_interface_mtu_bytes", "gauge", "MTU of the network's interface.", write_fact, MTU},
    {"warren_ring_nodes", "gauge", "Nodes on the ring, estimated.", write_fact, NODES},
    {"warren_ring_links", "gauge", "Links of the ring, by what this machine wants them for.",
     write_links, 0},
    {"warren_ring_messages_total", "counter", "Messages of the ring that were sent.", write_series,
     RING_MESSAGES},
    {"warren_ring_message_bytes_total", "counter", "Bytes of messages of the ring that were sent.",
     write_series, RING_BYTES},
    {"warren_ring_refused_frames_total", "counter", "Frames of the ring that were refused.",
     write_series, REFUSED},
    {"warren_dht_records", "gauge", "Records that are held here for the network's table.",
     write_fact, RECORDS},
    {"warren_dht_events_total", "counter", "What happened to records that are held here.",
     write_series, DHT},
    {"warren_peers", "gauge", "Peers, by the kind of path.", write_paths, 0},
    {"warren_peers_left_out", "gauge", "Peers without samples of their own: there are too many.",
     write_number, PEERS_LEFT_OUT},
    {"warren_sessions", "gauge", "Peers with session keys that are in use.", write_fact, SESSIONS},
    {"warren_tunnel_events_total", "counter", "What happened in handshakes and sessions.",
     write_series, TUNNEL},
    {"warren_dropped_packets_total", "counter", "Packets that the tunnel refused.", write_series,
     DROPPED},
    {"warren_blocked_packets_total", "counter", "Packets that rights of members refused.",
     write_series, BLOCKED},
    {"warren_held_packets", "gauge", "Packets that wait for their peer.", write_fact, HELD},
    {"warren_held_packets_lost_total", "counter", "Packets that waited for their peer in vain.",
     write_fact, HELD_LOST},
    {"warren_peer_path", "gauge", "1, with the path by which the peer is reached.", write_peers,
     PEER_PATH},
    {"warren_peer_rtt_seconds", "gauge", "Round trip to the peer, smoothed.", write_peers,
     PEER_RTT},
    {"warren_peer_receive_bytes_total", "counter", "Bytes from the peer through the tunnel.",
     write_peers, PEER_RX},
    {"warren_peer_transmit_bytes_total", "counter", "Bytes to the peer through the tunnel.",
     write_peers, PEER_TX},
    {"warren_peer_handshake_timestamp_seconds", "gauge", "When the last handshake was complete.",
     write_peers, PEER_HANDSHAKE},
    {"warren_peer_mtu_bytes", "gauge", "Largest packet to the peer.", write_peers, PEER_MTU},
    {"warren_peer_membership_expiry_timestamp_seconds", "gauge",
     "When the certificates of the peer's membership end; none: never.", write_peers, PEER_END},
};

static const uint32_t statuses[] = {
    WRN_HTTP_OK,        WRN_HTTP_BAD,         WRN_HTTP_NOT_FOUND, WRN_HTTP_NOT_ALLOWED,
    WRN_HTTP_TOO_LARGE, WRN_HTTP_UNAVAILABLE, WRN_HTTP_VERSION,
};

uint32_t wrn_metrics_status(size_t index) {
    return index < WRN_COUNT(statuses) ? statuses[index] : 0;
}

void wrn_metrics_collect(const struct wrn_daemon *daemon, const struct wrn_metrics_counts *counts,
                         struct wrn_metrics_text *text) {
    struct scrape scrape = {.daemon = daemon,
                            .node = wrn_daemon_node(daemon),
                            .counts = counts,
                            .text = text,
                            .now = wrn_clock_read()};
    uint32_t cursor = 0;
    wrn_handle network;
    scrape.looks = calloc(WRN_NODE_NETWORKS_MAX, sizeof *scrape.looks);
    if (scrape.looks == NULL) {
        text->is_lost = true;
        return;
    }
    wrn_daemon_facts(daemon, &scrape.facts);
    while (scrape.count < WRN_NODE_NETWORKS_MAX &&
           (network = wrn_node_next(scrape.node, &cursor)).generation != 0) {
        look_at(&scrape, network, &scrape.looks[scrape.count]);
        scrape.count += scrape.looks[scrape.count].info.descriptor != NULL;
    }
    for (size_t i = 0; i < WRN_COUNT(families); i++) {
        wrn_metrics_family(text, families[i].name, families[i].type, families[i].help);
        families[i].write(&scrape, &families[i]);
    }
    free(scrape.looks);
    wrn_metrics_process(text);
}

/* ---- looking ---- */

static void look_at(const struct scrape *scrape, wrn_handle network, struct look *look) {
    static const uint8_t kinds[LINK_KINDS] = {WRN_LINK_NEAR, WRN_LINK_SHORTCUT, WRN_LINK_LEAF,
                                              WRN_LINK_ON_DEMAND, WRN_LINK_OVERLAP};
    const struct wrn_overlay *overlay = wrn_node_overlay(scrape->node, network);
    const struct wrn_state_invitation *made = NULL;
    uint32_t cursor = 0;
    *look = (struct look){.network = network};
    if (overlay == NULL || !wrn_node_network_info(scrape->node, network, &look->info)) {
        return;
    }
    look->has_interface = wrn_daemon_interface(scrape->daemon, network, &look->interface);
    wrn_node_blocked(scrape->node, network, &look->gate);
    const struct wrn_links *links = wrn_overlay_links(overlay);
    for (uint32_t i = 0; i < links->count; i++) {
        for (size_t kind = 0; kind < LINK_KINDS; kind++) {
            look->links[kind] += (links->links[i].mine & kinds[kind]) != 0;
        }
    }
    while (wrn_dht_next_held(wrn_overlay_dht(overlay), &cursor).size > 0) {
        look->records++;
    }
    cursor = 0;
    while (wrn_node_next_invitation(scrape->node, network, &cursor, &made)) {
        look->invitations += !made->is_revoked && made->until_s > scrape->now.wall.s;
    }
    count_peers(scrape, look);
    look->lease_end_s = lease_end(scrape, look);
}

static void count_peers(const struct scrape *scrape, struct look *look) {
    struct wrn_node_peer_info peer;
    uint32_t cursor = 0;
    while (wrn_node_next_peer(scrape->node, look->network, &cursor, &peer)) {
        look->paths[path_index(peer.overlay.path)]++;
        look->sessions += peer.last_handshake.s != 0 &&
                          scrape->now.wall.s - peer.last_handshake.s < SESSION_MAX_S;
    }
}

static size_t path_index(enum wrn_path_state state) {
    switch (state) {
    case WRN_PATH_STATE_DIRECT:
        return 0;
    case WRN_PATH_STATE_RELAYED:
    case WRN_PATH_STATE_RELAYED_SEARCHING:
        return 1;
    case WRN_PATH_STATE_SEARCHING:
        return 2;
    case WRN_PATH_STATE_STREAM:
        return 4;
    case WRN_PATH_STATE_LOST:
        break;
    }
    return 3;
}

static int64_t lease_end(const struct scrape *scrape, const struct look *look) {
    char key[WRN_RECORD_KEY_MAX];
    struct wrn_record record;
    const struct wrn_ip *ip = &look->info.ipv4;
    if (ip->family != WRN_FAMILY_IPV4) {
        return 0;
    }
    size_t size = wrn_lease_key(ip, key);
    wrn_span kept = wrn_overlay_kept(wrn_node_overlay(scrape->node, look->network),
                                     (wrn_span){(const uint8_t *)key, size});
    if (kept.size == 0 ||
        wrn_record_read(kept, wrn_daemon_primitives(scrape->daemon), &record) != WRN_REASON_NONE) {
        return 0;
    }
    return record.made_s + record.ttl_s;
}

static const char *name_of(const struct look *look) {
    return look->info.descriptor->name;
}

/* ---- the daemon ---- */

static void write_build(const struct scrape *scrape, const struct family *family) {
    struct wrn_metrics_label labels[] = {{"version", wrn_daemon_version()}, {NULL, NULL}};
    wrn_metrics_sample(scrape->text, family->name, labels, 1);
}

static void write_carrier(const struct scrape *scrape, const struct family *family) {
    const char *provider = scrape->facts.provider;
    struct wrn_metrics_label labels[] = {{"crypto", provider != NULL ? provider : "openssl"},
                                         {NULL, NULL}};
    wrn_metrics_sample(scrape->text, family->name, labels, 1);
}

static void write_number(const struct scrape *scrape, const struct family *family) {
    uint64_t value = 0;
    switch ((enum number)family->which) {
    case NETWORKS:
        value = scrape->count;
        break;
    case UNSERVED:
        while (wrn_daemon_unserved(scrape->daemon, value) != NULL) {
            value++;
        }
        break;
    case WORKERS:
        value = scrape->facts.workers;
        break;
    case EXTRA:
        value = scrape->facts.extra_sockets;
        break;
    case LOST_ACTIONS:
        value = scrape->facts.lost_actions;
        break;
    case FAILED_SAVES:
        value = scrape->facts.failed_saves;
        break;
    case CUT:
        value = scrape->counts->cut;
        break;
    case PEERS_LEFT_OUT:
        for (size_t i = 0; i < scrape->count; i++) {
            for (size_t path = 0; path < PATHS; path++) {
                value += scrape->looks[i].paths[path];
            }
        }
        value = value > WRN_METRICS_PEERS_MAX ? value - WRN_METRICS_PEERS_MAX : 0;
        break;
    }
    wrn_metrics_sample(scrape->text, family->name, NULL, value);
}

static void write_strays(const struct scrape *scrape, const struct family *family) {
    for (int i = 0; i < WRN_STRAY_COUNT; i++) {
        struct wrn_metrics_label labels[] = {{"reason", wrn_stray_name((enum wrn_stray)i)},
                                             {NULL, NULL}};
        wrn_metrics_sample(scrape->text, family->name, labels, scrape->facts.strays[i]);
    }
    struct wrn_metrics_label labels[] = {{"reason", "unknown_frame"}, {NULL, NULL}};
    wrn_metrics_sample(scrape->text, family->name, labels, wrn_node_strays(scrape->node));
}

static void write_events(const struct scrape *scrape, const struct family *family) {
    for (int i = 0; i < WRN_NODE_EVENT_KINDS; i++) {
        struct wrn_metrics_label labels[] = {
            {"event", wrn_node_event_name((enum wrn_node_event_kind)i)}, {NULL, NULL}};
        wrn_metrics_sample(scrape->text, family->name, labels, scrape->counts->events[i]);
    }
}

static void write_requests(const struct scrape *scrape, const struct family *family) {
    for (size_t i = 0; i < WRN_COUNT(statuses); i++) {
        char code[] = {(char)('0' + statuses[i] / 100), (char)('0' + statuses[i] / 10 % 10),
                       (char)('0' + statuses[i] % 10), '\0'};
        struct wrn_metrics_label labels[] = {{"code", code}, {NULL, NULL}};
        wrn_metrics_sample(scrape->text, family->name, labels, scrape->counts->requests[i]);
    }
}

/* ---- networks ---- */

static void write_info(const struct scrape *scrape, const struct family *family) {
    for (size_t i = 0; i < scrape->count; i++) {
        const struct wrn_descriptor *descriptor = scrape->looks[i].info.descriptor;
        char id[2 * WRN_NETWORK_ID_SIZE + 1] = "";
        wrn_hex_write(descriptor->id, WRN_NETWORK_ID_SIZE, id);
        struct wrn_metrics_label labels[] = {
            {"network", name_of(&scrape->looks[i])},
            {"id", id},
            {"kind", descriptor->kind == WRN_NETWORK_L2 ? "l2" : "l3"},
            {NULL, NULL}};
        wrn_metrics_sample(scrape->text, family->name, labels, 1);
    }
}

static void write_state(const struct scrape *scrape, const struct family *family) {
    static const struct {
        enum wrn_ring_state state;
        const char *name;
    } states[] = {{WRN_RING_STATE_ALONE, "alone"},
                  {WRN_RING_STATE_JOINING, "joining"},
                  {WRN_RING_STATE_CONNECTED, "connected"}};
    for (size_t i = 0; i < scrape->count; i++) {
        for (size_t k = 0; k < WRN_COUNT(states); k++) {
            struct wrn_metrics_label labels[] = {
                {"network", name_of(&scrape->looks[i])}, {"state", states[k].name}, {NULL, NULL}};
            wrn_metrics_sample(scrape->text, family->name, labels,
                               scrape->looks[i].info.ring == states[k].state);
        }
    }
}

static void write_claims(const struct scrape *scrape, const struct family *family) {
    for (size_t i = 0; i < scrape->count; i++) {
        const struct wrn_node_network_info *info = &scrape->looks[i].info;
        for (int k = 0; k < 2 * WRN_CLAIM_STATES; k++) {
            enum wrn_claim_state state = (enum wrn_claim_state)(k % WRN_CLAIM_STATES);
            bool is_name = k >= WRN_CLAIM_STATES;
            struct wrn_metrics_label labels[] = {{"network", name_of(&scrape->looks[i])},
                                                 {"claim", is_name ? "name" : "address"},
                                                 {"state", wrn_claim_state_name(state)},
                                                 {NULL, NULL}};
            wrn_metrics_sample(scrape->text, family->name, labels,
                               (is_name ? info->name : info->lease) == state);
        }
    }
}

static void write_links(const struct scrape *scrape, const struct family *family) {
    static const char *const kinds[LINK_KINDS] = {"near", "shortcut", "leaf", "on_demand",
                                                  "overlap"};
    for (size_t i = 0; i < scrape->count; i++) {
        for (size_t kind = 0; kind < LINK_KINDS; kind++) {
            struct wrn_metrics_label labels[] = {
                {"network", name_of(&scrape->looks[i])}, {"kind", kinds[kind]}, {NULL, NULL}};
            wrn_metrics_sample(scrape->text, family->name, labels, scrape->looks[i].links[kind]);
        }
    }
}

static void write_paths(const struct scrape *scrape, const struct family *family) {
    for (size_t i = 0; i < scrape->count; i++) {
        for (size_t path = 0; path < PATHS; path++) {
            struct wrn_metrics_label labels[] = {
                {"network", name_of(&scrape->looks[i])}, {"path", path_names[path]}, {NULL, NULL}};
            wrn_metrics_sample(scrape->text, family->name, labels, scrape->looks[i].paths[path]);
        }
    }
}

/* False: there is nothing to be said. */
static bool find_fact(const struct look *look, enum fact fact, uint64_t *ret_value) {
    const struct wrn_node_network_info *info = &look->info;
    switch (fact) {
    case TROUBLE:
        *ret_value = info->trouble != NULL && info->trouble[0] != '\0';
        return true;
    case NODES:
        *ret_value = info->size;
        return true;
    case SESSIONS:
        *ret_value = look->sessions;
        return true;
    case HELD:
        *ret_value = info->held_packets;
        return true;
    case HELD_LOST:
        *ret_value = info->held_lost;
        return true;
    case RECORDS:
        *ret_value = look->records;
        return true;
    case INVITATIONS:
        *ret_value = look->invitations;
        return true;
    case LISTS:
        *ret_value = info->revoked_lists;
        return true;
    case MTU:
        *ret_value = look->interface.mtu_bytes;
        return look->has_interface;
    case LEASE_END:
        *ret_value = (uint64_t)look->lease_end_s;
        return look->lease_end_s > 0;
    case MEMBERSHIP_END:
        *ret_value = (uint64_t)info->until_s;
        return info->until_s > 0 && info->until_s < WRN_RECORD_TIME_MAX_S;
    }
    return false;
}

static void write_fact(const struct scrape *scrape, const struct family *family) {
    uint64_t value = 0;
    for (size_t i = 0; i < scrape->count; i++) {
        struct wrn_metrics_label labels[] = {{"network", name_of(&scrape->looks[i])}, {NULL, NULL}};
        if (find_fact(&scrape->looks[i], (enum fact)family->which, &value)) {
            wrn_metrics_sample(scrape->text, family->name, labels, value);
        }
    }
}

/* ---- numbers by reason ---- */

static bool dropped(const struct scrape *scrape, const struct look *look, int index,
                    char room[NAME_ROOM], const char **ret_name, uint64_t *ret_value) {
    (void)scrape;
    (void)room;
    index += WRN_DROP_NONE + 1;
    if (index >= WRN_DROP_COUNT) {
        return false;
    }
    *ret_name = wrn_drop_name((enum wrn_drop)index);
    *ret_value = look->interface.drops[index];
    return true;
}

static bool blocked(const struct scrape *scrape, const struct look *look, int index,
                    char room[NAME_ROOM], const char **ret_name, uint64_t *ret_value) {
    (void)scrape;
    (void)room;
    if (index < 2) {
        *ret_name = index == 0 ? "closed" : "not_ours";
        *ret_value = index == 0 ? look->gate.closed : look->gate.not_ours;
        return true;
    }
    index += WRN_POLICY_NONE + 1 - 2;
    if (index >= WRN_POLICY_REFUSAL_COUNT) {
        return false;
    }
    *ret_name = wrn_policy_refusal_name((enum wrn_policy_refusal)index);
    *ret_value = look->gate.refused[index];
    return true;
}

/* "NOT_ADMITTED" is written small, as all names of counters are. */
static const char *small(const char *name, char room[NAME_ROOM]) {
    size_t i = 0;
    for (; name[i] != '\0' && i + 1 < NAME_ROOM; i++) {
        room[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    }
    room[i] = '\0';
    return room;
}

static bool refused(const struct scrape *scrape, const struct look *look, int index,
                    char room[NAME_ROOM], const char **ret_name, uint64_t *ret_value) {
    index += WRN_REASON_NONE + 1;
    if (index >= WRN_REASON_COUNT) {
        return false;
    }
    *ret_name = small(wrn_reason_name((enum wrn_reason)index), room);
    *ret_value = wrn_node_refused(scrape->node, look->network, (enum wrn_reason)index);
    return true;
}

static bool tunnel(const struct scrape *scrape, const struct look *look, int index,
                   char room[NAME_ROOM], const char **ret_name, uint64_t *ret_value) {
    static const char *const names[] = {
#define NAME(name, text) #name,
        WRN_WG_EVENT_LIST(NAME)
#undef NAME
    };
    (void)scrape;
    if (index >= WRN_WG_EVENT_COUNT) {
        return false;
    }
    *ret_name = small(names[index], room);
    *ret_value = look->interface.events[index];
    return true;
}

static bool dht(const struct scrape *scrape, const struct look *look, int index,
                char room[NAME_ROOM], const char **ret_name, uint64_t *ret_value) {
    static const char *const names[] = {
#define NAME(upper, lower) #lower,
        WRN_DHT_COUNT_LIST(NAME)
#undef NAME
    };
    (void)room;
    if (index >= WRN_DHT_COUNTS) {
        return false;
    }
    *ret_name = names[index];
    *ret_value = wrn_dht_count(wrn_overlay_dht(wrn_node_overlay(scrape->node, look->network)),
                               (enum wrn_dht_count)index);
    return true;
}

static bool ring_messages(const struct scrape *scrape, const struct look *look, int index,
                          char room[NAME_ROOM], const char **ret_name, uint64_t *ret_value) {
    static const char *const names[] = {
#define NAME(upper, lower) #lower,
        WRN_OVERLAY_SAID_LIST(NAME)
#undef NAME
    };
    uint64_t bytes = 0;
    (void)room;
    if (index >= WRN_OVERLAY_SAID_KINDS) {
        return false;
    }
    *ret_name = names[index];
    wrn_overlay_said(wrn_node_overlay(scrape->node, look->network), (enum wrn_overlay_said)index,
                     ret_value, &bytes);
    return true;
}

static bool ring_bytes(const struct scrape *scrape, const struct look *look, int index,
                       char room[NAME_ROOM], const char **ret_name, uint64_t *ret_value) {
    uint64_t count = 0;
    if (!ring_messages(scrape, look, index, room, ret_name, ret_value)) {
        return false;
    }
    wrn_overlay_said(wrn_node_overlay(scrape->node, look->network), (enum wrn_overlay_said)index,
                     &count, ret_value);
    return true;
}

static void write_series(const struct scrape *scrape, const struct family *family) {
    static const struct {
        const char *label;
        element_fn element;
    } series[SERIES] = {
        [DROPPED] = {"reason", dropped},
        [BLOCKED] = {"reason", blocked},
        [REFUSED] = {"reason", refused},
        [TUNNEL] = {"event", tunnel},
        [DHT] = {"event", dht},
        [RING_MESSAGES] = {"kind", ring_messages},
        [RING_BYTES] = {"kind", ring_bytes},
    };
    char room[NAME_ROOM];
    const char *name = NULL;
    uint64_t value = 0;
    for (size_t i = 0; i < scrape->count; i++) {
        const struct look *look = &scrape->looks[i];
        element_fn element = series[family->which].element;
        for (int index = 0; element(scrape, look, index, room, &name, &value); index++) {
            struct wrn_metrics_label labels[] = {
                {"network", name_of(look)}, {series[family->which].label, name}, {NULL, NULL}};
            wrn_metrics_sample(scrape->text, family->name, labels, value);
        }
    }
}

/* ---- peers ---- */

static void write_peer(const struct scrape *scrape, const struct family *family,
                       const struct look *look, const struct wrn_node_peer_info *peer) {
    char hit[WRN_HIT_TEXT_SIZE];
    struct wrn_metrics_label labels[] = {{"network", name_of(look)},
                                         {"peer", hit},
                                         {"name", peer->label},
                                         {NULL, NULL},
                                         {NULL, NULL}};
    uint64_t value = 1;
    bool is_known = true;
    wrn_hit_print(peer->hit, hit);
    switch ((enum peer_fact)family->which) {
    case PEER_PATH:
        labels[3] = (struct wrn_metrics_label){"path", path_names[path_index(peer->overlay.path)]};
        break;
    case PEER_RTT:
        if (peer->overlay.rtt_us != 0) {
            wrn_metrics_sample_micro(scrape->text, family->name, labels, peer->overlay.rtt_us);
        }
        return;
    case PEER_RX:
        value = peer->rx_bytes;
        break;
    case PEER_TX:
        value = peer->tx_bytes;
        break;
    case PEER_HANDSHAKE:
        value = (uint64_t)peer->last_handshake.s;
        is_known = peer->last_handshake.s > 0;
        break;
    case PEER_MTU:
        value = peer->mtu;
        break;
    case PEER_END:
        value = (uint64_t)peer->until_s;
        is_known = peer->until_s > 0 && peer->until_s < WRN_RECORD_TIME_MAX_S;
        break;
    }
    if (is_known) {
        wrn_metrics_sample(scrape->text, family->name, labels, value);
    }
}

/* The same ones in each family: the first so many. */
static void write_peers(const struct scrape *scrape, const struct family *family) {
    struct wrn_node_peer_info peer;
    size_t shown = 0;
    for (size_t i = 0; i < scrape->count; i++) {
        uint32_t cursor = 0;
        while (shown < WRN_METRICS_PEERS_MAX &&
               wrn_node_next_peer(scrape->node, scrape->looks[i].network, &cursor, &peer)) {
            write_peer(scrape, family, &scrape->looks[i], &peer);
            shown++;
        }
    }
}
