/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a node and of each of its networks, for the files of this folder. Nobody else
 * includes it. One thread owns all of it. */
#pragma once
#include "base/heap.h"
#include "base/keymap.h"
#include "base/wire.h"
#include "network/revoked.h"
#include "node/node.h"
#include "node/state.h"

struct wrn_gate;      /* node/gate.h */
struct wrn_authority; /* node/authority_internal.h */
struct wrn_hold;      /* node/hold.h */

enum {
    WRN_NETWORK_PEERS_MAX =
        4096, /* peers of a network at a time, and who shows himself meanwhile */
    WRN_NETWORK_QUESTIONS_MAX = 32, /* of the caller's, of a network, at a time */
    /* The upper 16 bits of tags of the table's requests: whose they are. */
    WRN_NETWORK_TAGS_LEASE = 0x0001,
    WRN_NETWORK_TAGS_IPV6 = 0x0002,
    WRN_NETWORK_TAGS_NAMES = 0x0003, /* and the next one */
    WRN_NETWORK_TAGS_HOLD = 0x0005,
    WRN_NETWORK_TAGS_AUTHORITY = 0x0006,
    WRN_NETWORK_TAG_CALLER = 0x40000000, /* with the caller's 24 bits below */
};

/* First byte of what nodes of one network say to each other: docs/networks.md, "Messages". */
enum wrn_network_message {
    WRN_NETWORK_ADDRESSES = 0x01,
    WRN_NETWORK_DIGEST = 0x02,
    WRN_NETWORK_OFFER = 0x03,
    WRN_NETWORK_LIST = 0x04,
    WRN_NETWORK_CERT = 0x05,
    WRN_NETWORK_CERT_ACK = 0x06,
    WRN_NETWORK_RENEW = 0x07,
    WRN_NETWORK_INFO_ASK = 0x08,
    WRN_NETWORK_INFO = 0x09,
};

/* A node that has shown a chain which was good, and what came of it. It is up while 'overlay' is a
 * handle; else it is kept for a while, because showing comes first. */
struct wrn_network_peer {
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t hit[WRN_HIT_SIZE];
    wrn_id id;
    wrn_handle self;          /* of this slot */
    wrn_handle overlay;       /* in the ring; NONE: not up */
    wrn_handle wg;            /* in the machine; NONE: not there */
    struct wrn_heap_node due; /* when its rights are to be looked at again, or it is forgotten */
    bool is_waiting; /* revocations are still being compared with it: nothing passes. Authority's */
    bool was_set;    /* its gate was open before, so that what it permits now is strict */
    bool is_dirty;   /* its chain is another one: its gate is to be set */
    uint8_t rights;  /* enum wrn_right, as last judged; 0: none */
    int64_t until_s; /* its membership's end */
    char label[WRN_LABEL_SIZE]; /* what it says that it is called, "" */
    struct wrn_ip ipv4, ipv6;   /* that it has, verified; family NONE: none */
    int64_t ipv4_claimed_s;     /* ... since when */
    uint8_t ipv4_hash[WRN_HASH_SIZE];
    struct wrn_prefix allowed[4]; /* what the machine lets it send from */
    uint8_t allowed_count;
    bool is_direct, was_told;    /* what PEER_UP and PEER_PATH last said */
    uint64_t tx_bytes, rx_bytes; /* when traffic was last looked at */
    uint32_t chain_size;
    uint8_t chain[WRN_CREDENTIAL_MAX]; /* packed, as shown; at the end: most of it is not touched */
};

/* A question of the caller that is not answered yet. */
struct wrn_network_question {
    uint8_t kind;   /* enum wrn_network_question_kind; 0: free */
    bool is_walked; /* MEMBERS: the crawl has ended */
    uint32_t tag;
    wrn_mono due;
    wrn_id id;                      /* CONNECT */
    struct wrn_names_question name; /* RESOLVE */
};

struct wrn_network {
    struct wrn_node *node;
    wrn_handle handle;
    uint32_t tag; /* of the machine */

    /* The input under way; 'out' is NULL between inputs. */
    struct wrn_now now;
    struct wrn_node_out *out;
    bool has_saved, has_saved_urgently; /* SAVE stands in 'out' already */

    /* What is on disk besides what the machines have. Authority changes chain, invitation_chain and
     * use, and calls wrn_network_chain_changed. */
    struct wrn_descriptor descriptor;
    uint8_t signature[WRN_SIGNATURE_SIZE];
    uint8_t chain[WRN_CREDENTIAL_MAX]; /* ours, packed */
    uint32_t chain_size;
    uint8_t invitation_chain[WRN_INVITATION_CHAIN_MAX];
    uint32_t invitation_chain_size;
    uint32_t use;
    bool wants_address, wants_name;
    char label[WRN_LABEL_SIZE];
    struct wrn_ip remembered; /* the lease that was ours */
    uint8_t endpoint_count, locator_count, route_count;
    struct wrn_endpoint endpoints[16];
    uint16_t locator_sizes[WRN_STATE_LOCATORS_MAX];
    uint8_t (*locators)[WRN_LOCATOR_MAX]; /* the newest last */
    struct wrn_prefix routes[WRN_STATE_ROUTES_MAX];

    /* Our own standing. */
    enum wrn_reason standing;     /* NONE: 'rights' are ours */
    struct wrn_rights rights;     /* what our chain gives, now */
    char why[WRN_JUDGE_WHY_SIZE]; /* ... else why it gives nothing */
    wrn_mono rights_due;          /* when that is to be judged again */

    /* The machines. */
    struct wrn_judge *judge;
    struct wrn_revoked *revoked;
    struct wrn_members *members;
    struct wrn_overlay *overlay;
    struct wrn_wg *wg;
    struct wrn_gate *gate;
    struct wrn_lease lease;
    struct wrn_claim ipv6_claim; /* addr/<our IPv6>, so that we are found by it */
    struct wrn_ip ipv6;          /* ours; family NONE: the network has none */
    struct wrn_names *names;
    struct wrn_hold *hold;
    struct wrn_authority *authority;

    struct wrn_pool peers; /* of struct wrn_network_peer */
    struct wrn_keymap by_key;
    wrn_handle *by_overlay; /* by the overlay's index of a peer */
    struct wrn_heap peer_dues;
    uint32_t up_count;
    wrn_mono traffic_due;

    struct wrn_network_question questions[WRN_NETWORK_QUESTIONS_MAX];
    wrn_mono questions_due;

    enum wrn_ring_state ring_state;
    bool was_connected; /* CONNECTED was said */
    bool has_left;      /* wrn_node_leave */
    wrn_mono leave_due; /* ... when GONE is said at the latest */
    bool has_address;   /* 'address' is on the interface */
    struct wrn_ip address;
    char trouble[WRN_LEASE_TEXT_SIZE]; /* why there is no address or name; "" */
};

struct wrn_node {
    struct wrn_node_options options;
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t hit[WRN_HIT_SIZE];
    uint8_t host[255];
    uint32_t generations[WRN_NODE_NETWORKS_MAX]; /* odd: live */
    struct wrn_network *networks[WRN_NODE_NETWORKS_MAX];
};

/* Finds a network; NULL if the handle is dead. */
struct wrn_network *wrn_node_network(const struct wrn_node *node, wrn_handle network);

/* Wipes a network's secrets and ends its machines. */
void wrn_network_finish(struct wrn_network *network);

/* ---- An input of one network: between these two everything below may be called. Inputs do not
 * nest. 'end' performs what the ring has asked for meanwhile, as long as there is any. */
void wrn_network_begin(struct wrn_network *network, struct wrn_now now, struct wrn_node_out *out);
void wrn_network_end(struct wrn_network *network);

/* Appends an action, zeroed but for kind and network. Never NULL: what does not fit is counted as
 * lost and goes nowhere. */
struct wrn_node_action *wrn_network_emit(struct wrn_network *network,
                                         enum wrn_node_action_kind kind);

/* Copies bytes into the out's buffer. An empty span if there is no room (counted as lost). */
wrn_span wrn_network_keep(struct wrn_network *network, wrn_span bytes);

/* The state has changed. Said once an input, urgently if anybody says so. */
void wrn_network_save(struct wrn_network *network, bool is_urgent);

/* Appends an event; the caller fills in more. 'format' makes its text. */
struct wrn_node_event *wrn_network_event(struct wrn_network *network, enum wrn_node_event_kind kind,
                                         const char *format, ...) WRN_PRINTF(3, 4);

/* ---- What parts of a network ask of the ring, in an input. See overlay.h. */
enum wrn_reason wrn_network_send(struct wrn_network *network, wrn_handle overlay_peer,
                                 wrn_span message);
enum wrn_reason wrn_network_route(struct wrn_network *network, wrn_id target, wrn_span message);
enum wrn_reason wrn_network_broadcast(struct wrn_network *network, wrn_span message);
enum wrn_reason wrn_network_store(struct wrn_network *network,
                                  const struct wrn_claim_request *request);
enum wrn_reason wrn_network_get(struct wrn_network *network, uint32_t tag, wrn_span key);
void wrn_network_connect(struct wrn_network *network, wrn_id id);

/* Who has revoked what has changed (a list was added to 'revoked'): everybody is judged anew, we
 * too, and whoever is out is cut. In an input. */
void wrn_network_revoked_changed(struct wrn_network *network);

/* Our chain is another one ('chain', 'chain_size' were set): it is shown from now on, stands as
 * proof in our records, and our rights are judged anew. Saves, urgently. In an input. */
void wrn_network_chain_changed(struct wrn_network *network);

/* Judges our own chain; lease, names and gates follow. In an input. */
void wrn_network_judge_self(struct wrn_network *network);

/* ---- Peers (peers.c) ---- */

/* The peer with this key, this place, this handle of the ring; NULL if there is none. */
struct wrn_network_peer *wrn_network_peer_by_key(const struct wrn_network *network,
                                                 const uint8_t key[WRN_SIGN_PUBLIC_SIZE]);
struct wrn_network_peer *wrn_network_peer_of(const struct wrn_network *network, wrn_handle overlay);

/* Walks those that are up: start with *cursor = 0; NULL at the end. */
struct wrn_network_peer *wrn_network_peer_next(const struct wrn_network *network, uint32_t *cursor);

/* Lets pass between us and a peer what both are permitted now, or nothing: after its rights, ours,
 * or 'is_waiting' have changed. In an input. */
void wrn_network_peer_permit(struct wrn_network *network, struct wrn_network_peer *peer);
