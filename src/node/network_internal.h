/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a node and of each of its networks, for the files of this folder. Nobody else
 * includes it. One thread owns all of it. */
#pragma once
#include "base/heap.h"
#include "base/keymap.h"
#include "base/path_size.h"
#include "base/wire.h"
#include "network/revoked.h"
#include "node/node.h"
#include "node/state.h"

struct wrn_gate;         /* node/gate.h */
struct wrn_authority;    /* node/authority_internal.h */
struct wrn_hold;         /* node/hold.h */
struct wrn_network_kept; /* node/keeper.c */

enum {
    WRN_NETWORK_PEERS_MAX =
        4096, /* peers of a network at a time, and who shows himself meanwhile */
    WRN_NETWORK_QUESTIONS_MAX = 32, /* of the caller's, of a network, at a time */
    WRN_NETWORK_WALKED_MAX = 1024,  /* nodes that are asked who they are, in one question */
    WRN_NETWORK_REFUSED_MAX = 16,   /* nodes that are said to be refused, in ten minutes */
    WRN_NETWORK_ALLOWED_MAX = 3 + WRN_STATE_ROUTES_MAX, /* prefixes that a peer may have */
    WRN_MEET_FOUND_MAX = 16, /* addresses of members that were found elsewhere, at a time */
    WRN_NETWORK_WHY_SIZE = WRN_JUDGE_WHY_SIZE + 100,
    /* The upper 16 bits of tags of the table's requests: whose they are. */
    WRN_NETWORK_TAGS_LEASE = 0x0001,
    WRN_NETWORK_TAGS_IPV6 = 0x0002,
    WRN_NETWORK_TAGS_NAMES = 0x0003, /* and the next one */
    WRN_NETWORK_TAGS_HOLD = 0x0005,
    WRN_NETWORK_TAGS_AUTHORITY = 0x0006,
    WRN_NETWORK_TAGS_CHECK = 0x0008,
    WRN_NETWORK_TAGS_USES = 0x0007,      /* the authority's, too */
    WRN_NETWORK_TAGS_LOOK = 0x0009,      /* of a walk that looks for members: bridge.c */
    WRN_NETWORK_TAGS_KEPT = 0x000a,      /* of the caller's records that are kept: keeper.c */
    WRN_NETWORK_TAGS_MEET = 0x000b,      /* of other networks, in an open one: meet.c */
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
    WRN_NETWORK_USE = 0x0a,
    WRN_NETWORK_SHOW = 0x0b,
    WRN_NETWORK_SIZE = 0x0c,
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
    struct wrn_heap_node due; /* the earliest of what follows */
    wrn_mono forget_due;      /* it is not up: its slot is given back */
    wrn_mono rights_due;      /* its rights are to be looked at again */
    wrn_mono lease_due;       /* the record of its IPv4 address ends */
    wrn_mono tell_due;        /* our addresses are to be told again, for it has not said that it has
                               * them */
    bool is_waiting; /* revocations are still being compared with it: nothing passes. Authority's */
    bool was_set;    /* its gate was open before, so that what it permits now is strict */
    bool is_dirty;   /* it has shown another chain: to be judged at the end of the input */
    bool is_relayed; /* its path leads through a relay, by the relay's own path */
    bool may_relay;  /* by its chain; the ring knows */
    bool is_direct, is_stream; /* what PEER_UP and PEER_PATH last said */
    bool was_told;
    uint8_t tells;                 /* how often it was told in vain */
    uint8_t rights;                /* enum wrn_right, as last judged; 0: none */
    int64_t until_s;               /* its membership's end */
    bool says_aes;                 /* it says itself that it speaks the second suite ('heard') */
    bool was_contrary;             /* ... and its locator says something else, which was said */
    struct wrn_rights_cert cert;   /* ... and its certificate; zero: it is the owner */
    uint32_t told;                 /* number of ours that it has; 0: none */
    bool asks_again;               /* it is asked for its own, though we have them */
    bool is_unbelieved;            /* the record that it showed was refused, maybe for a while */
    uint32_t said;                 /* ... that it was last sent */
    uint32_t heard;                /* of its own that we have; 0: none. Even: it waits, too */
    char label[WRN_LABEL_SIZE];    /* what it says that it is called, "" */
    struct wrn_ip ipv4, ipv6;      /* that it may have, verified; family NONE: none */
    struct wrn_ip ipv4_shown;      /* that its record says that it has */
    struct wrn_ip ipv4_proven;     /* that the table says that it has */
    bool is_doubted;               /* the table said once that it has not what it had shown */
    bool check_mine, check_others; /* of the question under way: whose the address is */
    uint8_t check_tries;
    uint32_t check_tag; /* of that question; 0: none is under way */
    int64_t check_claimed_s;
    uint8_t check_hash[WRN_HASH_SIZE];
    wrn_mono check_due; /* the table is to be asked */
    uint8_t allowed_count, route_count;
    struct wrn_prefix allowed[WRN_NETWORK_ALLOWED_MAX]; /* what the machine lets it send from */
    struct wrn_prefix routes[WRN_STATE_ROUTES_MAX];     /* that it offers, and may */
    uint64_t tx_bytes, rx_bytes;                        /* when traffic was last looked at */
    struct wrn_path path;                               /* by which the machine reaches it */
    struct wrn_path_size size; /* of the packets that its path takes (size.c) */
    uint64_t size_tx_bytes;    /* what was sent when that was last confirmed */
    uint32_t chain_size;
    uint8_t chain[WRN_CREDENTIAL_MAX]; /* packed, as shown; at the end: most of it is not touched */
};

enum wrn_network_question_kind {
    WRN_NETWORK_QUESTION_NONE, /* a free place */
    WRN_NETWORK_QUESTION_RESOLVE,
    WRN_NETWORK_QUESTION_CONNECT,
    WRN_NETWORK_QUESTION_PROBE,
};

/* A question of the caller that is not answered yet, but for those of the table, which the ring
 * answers, and the walk. */
struct wrn_network_question {
    uint8_t kind; /* enum wrn_network_question_kind */
    uint32_t tag;
    wrn_mono due;
    wrn_id id;                      /* CONNECT */
    uint64_t nonce;                 /* PROBE */
    struct wrn_names_question name; /* RESOLVE */
};

/* Who is on the ring, asked one after the other; one at a time. */
struct wrn_network_walk {
    uint32_t tag;           /* the caller's; 0: none is under way */
    bool is_over;           /* the ring was walked; answers are waited for */
    enum wrn_reason reason; /* ... and how that ended */
    uint64_t nonce;         /* of our question, so that only who got it answers */
    wrn_mono due;
    uint32_t count, answered;
    wrn_id ids[WRN_NETWORK_WALKED_MAX];
    bool has_answered[WRN_NETWORK_WALKED_MAX];
};

/* Somebody of whom was said that its chain is refused. */
struct wrn_network_refused {
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    enum wrn_reason reason; /* NONE: the place is free */
    wrn_mono until;         /* it is not said again before */
};

/* Things to be done at the end of an input: noted by whoever finds out. */
struct wrn_network_notes {
    bool revoked;               /* what is revoked has changed */
    bool chain;                 /* our chain is another one */
    bool judge;                 /* our rights are to be judged anew */
    bool shown;                 /* peers have shown other chains (is_dirty) */
    bool resolved;              /* questions for names were answered: look what was held for that */
    bool rights;                /* ... are others than before */
    bool addressed, named;      /* we have another address, name: each is said with the other */
    bool routes;                /* a prefix is free that several peers offer */
    bool tell;                  /* our addresses have changed: peers are to be told */
    bool freed;                 /* somebody has an IPv4 address no more, or another one */
    bool saved, saved_urgently; /* SAVE stands in 'out' already */
};

/* What an l2 network has besides. */
struct wrn_network_bridge {
    struct wrn_switch *made; /* NULL: it is an l3 network */
    struct wrn_switch_out *out;
    bool is_set; /* somebody has set how it switches */
    uint32_t looks;
    wrn_mono look_due; /* the ring is walked for members who are not connected */
    wrn_mono hold_due; /* links of members are kept */
};

/* Members are looked for through an open network in which this host is, too. */
struct wrn_meet {
    bool is_set;
    uint8_t through[WRN_NETWORK_ID_SIZE];
    uint8_t seal_key[WRN_KEY_SIZE],
        place_key[WRN_KEY_SIZE]; /* of all members, and of nobody else */
    wrn_mono say_due, look_due;  /* in an input of the open network */
    uint32_t looks;              /* in a row, while we are alone */
    bool is_said;                /* our addresses are there: */
    uint8_t said[WRN_HASH_SIZE];
    wrn_mono said_at;
    uint32_t known;      /* members that the look before found, as far as they are told apart */
    uint32_t seen_count; /* ... that this one has found */
    wrn_id seen[WRN_MEET_FOUND_MAX];
    uint32_t found_count;
    struct {
        wrn_id id;
        struct wrn_endpoint at;
    } found[WRN_MEET_FOUND_MAX]; /* not yet given to the ring */
};

struct wrn_network {
    struct wrn_node *node;
    wrn_handle handle;
    uint32_t tag; /* of the machine */

    /* The input under way; 'out' is NULL between inputs. */
    struct wrn_now now;
    struct wrn_node_out *out;
    struct wrn_node_action nowhere; /* for actions that do not fit */
    struct wrn_network_notes notes;
    wrn_mono due;          /* between inputs: the earliest of all but the machine's */
    int64_t wall_ahead_ns; /* of the wall clock before the other, when last looked at */

    /* What is on disk besides what the machines have. Authority changes chain, invitation_chain and
     * use, and calls wrn_network_chain_changed. */
    struct wrn_descriptor descriptor;
    uint8_t signature[WRN_SIGNATURE_SIZE];
    uint8_t chain[WRN_CREDENTIAL_MAX]; /* ours, packed */
    uint32_t chain_size;
    uint8_t invitation_chain[WRN_CREDENTIAL_MAX];
    uint32_t invitation_chain_size;
    uint32_t use;
    bool wants_address, wants_name, wants_routes;
    char label[WRN_LABEL_SIZE];
    struct wrn_ip remembered; /* the lease that was ours */
    uint8_t endpoint_count, locator_count, route_count;
    struct wrn_endpoint endpoints[16];
    uint16_t locator_sizes[WRN_STATE_LOCATORS_MAX];
    uint8_t locator_keys[WRN_STATE_LOCATORS_MAX][WRN_SIGN_PUBLIC_SIZE];
    uint8_t locators[WRN_STATE_LOCATORS_MAX][WRN_LOCATOR_MAX]; /* the newest last */
    struct wrn_prefix routes[WRN_STATE_ROUTES_MAX];

    /* Our own standing. */
    enum wrn_reason standing;          /* NONE: 'rights' are ours */
    struct wrn_rights rights;          /* what our chain gives, now */
    char why[WRN_NETWORK_WHY_SIZE];    /* ... else why it gives nothing */
    wrn_mono rights_due;               /* when that is to be judged again */
    bool may_relay;                    /* by our chain; the ring knows */
    uint8_t end_mark[WRN_SHA256_SIZE]; /* what the owner's list names when he ends the network */
    int64_t ended_s;                   /* ... when he has; 0: he has not */

    /* The machines. */
    struct wrn_judge *judge;
    struct wrn_revoked *revoked;
    struct wrn_members *members;
    struct wrn_overlay *overlay;
    struct wrn_wg *wg;
    struct wrn_gate *gate;
    struct wrn_lease lease;
    struct wrn_claim ipv6_claim; /* addr/<our IPv6>, so that we are found by it */
    struct wrn_names *names;
    struct wrn_hold *hold;
    struct wrn_authority *authority;
    struct wrn_network_bridge bridge;
    struct wrn_meet meet;

    /* Peers. */
    struct wrn_pool peers; /* of struct wrn_network_peer */
    struct wrn_keymap by_key;
    wrn_handle *by_overlay; /* by the ring's index of a peer */
    struct wrn_heap peer_dues;
    uint32_t up_count;
    wrn_mono started;
    wrn_mono traffic_due;
    uint32_t traffic_idle; /* looks in a row that have found nothing */
    uint32_t told;         /* number of what we tell now, from 1 */
    uint32_t told_since;   /* ... and of what first told of this IPv4 address: */
    struct wrn_ip told_ip; /* family NONE: it tells of none */
    uint32_t check_serial;
    uint64_t told_digest;
    uint64_t digest_key[2];
    wrn_mono tell_due; /* it is to be looked whether that has changed (records are renewed) */
    struct wrn_network_refused refused[WRN_NETWORK_REFUSED_MAX];

    /* Our addresses. */
    struct wrn_ip ipv6;    /* ours; family NONE: the network has none */
    struct wrn_ip address; /* IPv4, on the interface; family NONE: none */
    bool has_hit_routes;   /* ways to single HITs were said of this interface */
    bool has_hit;          /* the HIT and the way to all others is on this interface */
    bool is_addressed;     /* IPv6 and the resolver's address are on the interface */
    bool is_claiming;      /* lease, IPv6 and name were started */
    wrn_mono name_due;     /* the name is claimed then; NEVER: it is, or is not wanted */
    char address_trouble[WRN_LEASE_TEXT_SIZE], name_trouble[WRN_LEASE_TEXT_SIZE];

    /* Questions of the caller. */
    struct wrn_network_question questions[WRN_NETWORK_QUESTIONS_MAX];
    struct wrn_network_walk *walk;
    struct wrn_network_kept *kept; /* WRN_STATE_KEPT_MAX records that the caller wants kept */
    uint64_t info_second;          /* in which so many were told who we are */
    uint32_t info_said;

    enum wrn_ring_state ring_state;
    wrn_mono joining_since; /* JOINING */
    bool was_connected;     /* CONNECTED was said */
    bool is_leaving;        /* wrn_node_leave */
    bool is_gone;           /* GONE was said */
    wrn_mono leave_due;     /* ... when that is said at the latest */
    wrn_mono linger_due;    /* ... and at the earliest: peers are being told something */
};

struct wrn_node {
    struct wrn_node_options options;
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t hit[WRN_HIT_SIZE];
    uint8_t host[255];
    uint32_t generations[WRN_NODE_NETWORKS_MAX]; /* odd: live */
    uint64_t strays;                             /* frames that were of no network */
    struct wrn_network *networks[WRN_NODE_NETWORKS_MAX];
};

/* Finds a network; NULL if the handle is dead. */
struct wrn_network *wrn_node_network(const struct wrn_node *node, wrn_handle network);

/* Adds a network from a state that was read: see wrn_node_add. */
enum wrn_reason wrn_network_add(struct wrn_node *node, struct wrn_now now, void *memory,
                                const struct wrn_state *state, struct wrn_node_out *out,
                                wrn_handle *ret_network);

/* Wipes a network's secrets and ends its machines. */
void wrn_network_finish(struct wrn_network *network);

/* Ends leaving once all was given back, or its time is over. In an input. */
void wrn_network_leave_on_time(struct wrn_network *network);

/* Takes the locator of a peer to be kept on disk, instead of an older one of the same peer, or of
 * the oldest. False: it is no locator, or the same as before. */
bool wrn_network_locator(struct wrn_network *network, wrn_span locator);

/* Tells whether two spans have the same bytes. */
static inline bool wrn_network_are_equal(wrn_span a, wrn_span b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Tells whether an address is in a prefix (of family NONE: no), and whether it is a HIT. */
bool wrn_network_is_in(const struct wrn_prefix *prefix, const struct wrn_ip *ip);
bool wrn_network_is_hit(const struct wrn_ip *ip);

/* The address that is a HIT. */
struct wrn_ip wrn_network_ip_of_hit(const uint8_t hit[WRN_HIT_SIZE]);

/* Writes an address as text. */
const char *wrn_network_ip_text(const struct wrn_ip *ip, char ret_text[WRN_PREFIX_TEXT_SIZE]);

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

/* Tells whether what is sent over the ring gets to its place: its neighbours agree, or they have
 * had time to, and there is a link (one of them may just have died). */
bool wrn_network_is_on_ring(const struct wrn_network *network);

/* ---- What parts of a network ask of the ring, in an input. See overlay.h. */
enum wrn_reason wrn_network_send(struct wrn_network *network, wrn_handle overlay_peer,
                                 wrn_span message);
enum wrn_reason wrn_network_route(struct wrn_network *network, wrn_id target, wrn_span message);
enum wrn_reason wrn_network_broadcast(struct wrn_network *network, wrn_span message);
enum wrn_reason wrn_network_store(struct wrn_network *network,
                                  const struct wrn_claim_request *request);
enum wrn_reason wrn_network_store_with(struct wrn_network *network,
                                       const struct wrn_claim_request *request, wrn_span proof);
enum wrn_reason wrn_network_get(struct wrn_network *network, uint32_t tag, wrn_span key);
void wrn_network_connect(struct wrn_network *network, wrn_id id);

/* Performs an action of the ring. */
void wrn_network_on_ring(struct wrn_network *network, const struct wrn_overlay_action *action);

/* When the wall clock will say 'wall_s', as far as is known now; NEVER for the end of time. */
wrn_mono wrn_network_when(const struct wrn_network *network, int64_t wall_s);

/* By how much the wall clock is before the other one, in nanoseconds; wraps. */
int64_t wrn_network_wall_ahead(const struct wrn_now *now);

/* What happens at the end of the input that runs: everybody is judged anew because of a list that
 * was added to 'revoked', we too, and whoever is out is cut; our chain is another one ('chain' and
 * 'chain_size' were set), which is shown from now on and stands as proof in our records (saved,
 * urgently); our own chain is judged, and lease, names and gates follow. */
void wrn_network_revoked_changed(struct wrn_network *network);
void wrn_network_chain_changed(struct wrn_network *network);
void wrn_network_judge_self(struct wrn_network *network);

/* ---- Peers (peers.c) ---- */

/* Takes room from the arena; 'network' may be NULL while it measures. */
void wrn_network_peers_init(struct wrn_network *network, struct wrn_arena *arena,
                            const uint64_t seed[2]);

/* The peer with this key, this place, this handle of the ring; NULL if there is none. */
struct wrn_network_peer *wrn_network_peer_by_key(const struct wrn_network *network,
                                                 const uint8_t key[WRN_SIGN_PUBLIC_SIZE]);
struct wrn_network_peer *wrn_network_peer_of(const struct wrn_network *network, wrn_handle overlay);

/* Walks those that are up: start with *cursor = 0; NULL at the end. */
struct wrn_network_peer *wrn_network_peer_next(const struct wrn_network *network, uint32_t *cursor);

/* The peer that has an address, or may be sent to at it; NULL. */
struct wrn_network_peer *wrn_network_peer_at(const struct wrn_network *network,
                                             const struct wrn_ip *ip);

/* A node has shown a chain that is good (the ring asks whether to admit it). Notes it, no more. */
void wrn_network_peer_shown(struct wrn_network *network,
                            const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], wrn_span chain);

/* A node has shown a chain that does not admit it: that is said, now and then. */
void wrn_network_refusal(struct wrn_network *network, const uint8_t *public_key, wrn_span chain,
                         enum wrn_reason reason);

/* Actions of the ring. */
void wrn_network_peer_up(struct wrn_network *network, wrn_handle overlay);
void wrn_network_peer_way(struct wrn_network *network, wrn_handle overlay);
void wrn_network_peer_down(struct wrn_network *network, wrn_handle overlay, enum wrn_reason reason);

/* How it is reached, in words for people: static text. */
const char *wrn_network_how(const struct wrn_network_peer *peer);

/* Lets pass between us and a peer what both are permitted now, or nothing: after its rights, ours,
 * or 'is_waiting' have changed. In an input. */
void wrn_network_peer_permit(struct wrn_network *network, struct wrn_network_peer *peer);

/* Sets the cipher that both speak. In an input. */
void wrn_network_peer_cipher(struct wrn_network *network, struct wrn_network_peer *peer);

/* Its deadlines have changed. */
void wrn_network_peer_due(struct wrn_network *network, struct wrn_network_peer *peer);

/* Judges those that have shown another chain; all of them, because what is revoked, or our own
 * rights, or the clock has changed. */
void wrn_network_peers_judge(struct wrn_network *network, bool all);

/* What is due of peers, and of traffic; when. */
void wrn_network_peers_on_time(struct wrn_network *network);
wrn_mono wrn_network_peers_due(const struct wrn_network *network);

/* ---- Leases of peers (leases.c) ---- */

/* A peer shows the record of its IPv4 address (empty: it has none); an answer of the table; what is
 * due of a peer's lease. */
void wrn_network_lease_shown(struct wrn_network *network, struct wrn_network_peer *peer,
                             wrn_span record);
void wrn_network_lease_on_answer(struct wrn_network *network, const struct wrn_dht_answer *answer);
void wrn_network_lease_on_time(struct wrn_network *network, struct wrn_network_peer *peer);

/* A peer's rights do not permit the address that it has any more; it is asked for it again later,
 * as they may change. */
void wrn_network_lease_withdraw(struct wrn_network *network, struct wrn_network_peer *peer);

/* Somebody, we or a peer, has an address no more: whoever shows the same may be believed now. */
void wrn_network_leases_look(struct wrn_network *network);

/* ---- What peers are told (tell.c) ---- */

/* ADDRESSES came. */
void wrn_network_on_addresses(struct wrn_network *network, struct wrn_network_peer *peer,
                              wrn_span message);

/* The number of what a peer is to have of ours now. */
uint32_t wrn_network_told(const struct wrn_network *network, const struct wrn_network_peer *peer);

/* Sends ours to one peer now, and again until it says that it has them. */
void wrn_network_tell(struct wrn_network *network, struct wrn_network_peer *peer);

/* It has not said that it has them: sends them again, and asks for an answer. */
void wrn_network_tell_again(struct wrn_network *network, struct wrn_network_peer *peer);

/* Tells whether a peer would take what we send: it has heard that we let it through, and which
 * address is ours, if any. */
bool wrn_network_is_known_to(const struct wrn_network *network,
                             const struct wrn_network_peer *peer);

/* What is sent to peers waits as long as they would refuse it: the first looks whether that is so
 * of one, and says so to the machine; the other lets those go of whom it is not so any more, behind
 * what was held for them. */
void wrn_network_peer_pause(struct wrn_network *network, const struct wrn_network_peer *peer);
void wrn_network_peers_resume(struct wrn_network *network);

/* Looks whether ours have changed, and if so, tells all. */
void wrn_network_tell_all(struct wrn_network *network);

/* Its rights, or an address of ours, have changed: claims that do not hold any more are dropped. */
void wrn_network_peer_check_claims(struct wrn_network *network, struct wrn_network_peer *peer);

/* Compares the machine's counters with what they were: tells the ring of peers with traffic, and
 * comes again soon if there are any. */
void wrn_network_look_for_traffic(struct wrn_network *network);

/* Gives the peer in the machine what it may have of addresses and routes now, and no more. */
void wrn_network_peer_allow(struct wrn_network *network, struct wrn_network_peer *peer);

/* ---- How large packets to a peer may be, in an l3 network (size.c) ---- */

/* A peer's path is about to be this one: what relays carry counts from now on, and on a direct path
 * more is looked for. */
void wrn_network_size_follow(struct wrn_network *network, struct wrn_network_peer *peer,
                             const struct wrn_path *path);

/* Packets have gone to a peer, or come from it: there is a session now, maybe. */
void wrn_network_size_on_traffic(struct wrn_network *network, struct wrn_network_peer *peer);

/* What is due of it, at its 'size.due'; a probe, an answer of a peer's node. */
void wrn_network_size_on_time(struct wrn_network *network, struct wrn_network_peer *peer);
void wrn_network_size_on_probe(struct wrn_network *network, wrn_handle wg, wrn_span probe);
void wrn_network_size_on_answer(struct wrn_network *network, struct wrn_network_peer *peer,
                                wrn_span message);

/* The largest packet to a peer now, and to any, bytes. */
uint32_t wrn_network_size_of(const struct wrn_network *network,
                             const struct wrn_network_peer *peer);

/* ---- The switch of an l2 network (bridge.c); in an l3 network these do nothing ---- */

/* Takes room for a switch from the arena ('network' NULL: measures; else by the kind of network),
 * set as the state says; what the machine is to ask of payloads. */
void wrn_network_bridge_init(struct wrn_network *network, struct wrn_arena *arena,
                             const struct wrn_state *state, struct wrn_rand rand);
struct wrn_wg_filter wrn_network_bridge_filter(struct wrn_network *network);

/* A peer has a port, with its name and rights, as long as both ends let frames pass; has none from
 * now on, which comes before its handle is given back; is reached by another path. Our own rights
 * have changed. */
void wrn_network_bridge_follow(struct wrn_network *network, const struct wrn_network_peer *peer,
                               bool is_open);
void wrn_network_bridge_close(struct wrn_network *network, const struct wrn_network_peer *peer);
void wrn_network_bridge_path(struct wrn_network *network, const struct wrn_network_peer *peer,
                             const struct wrn_path *path);
void wrn_network_bridge_ours(struct wrn_network *network);
void wrn_network_bridge_port(struct wrn_network *network);

/* Whether the host's own DHCP client is answered: with the leased address, in a network of layer 2
 * that has a range. */
bool wrn_network_serves_dhcp(const struct wrn_network *network);

/* The ring was found; a member was lost; a walk has found a node. */
void wrn_network_bridge_on_connected(struct wrn_network *network);
void wrn_network_bridge_on_lost(struct wrn_network *network);
void wrn_network_bridge_on_found(struct wrn_network *network, wrn_id id);

/* What is due of it, and when. */
void wrn_network_bridge_on_time(struct wrn_network *network);
wrn_mono wrn_network_bridge_due(const struct wrn_network *network);

/* ---- Our addresses and name (addresses.c) ---- */

/* Prepares lease, claim and names; network->names is NULL while the arena measures. */
void wrn_network_addresses_init(struct wrn_network *network, struct wrn_arena *arena,
                                const struct wrn_descriptor *descriptor);

/* Puts on the interface what needs no lease, and starts or stops claiming, by what our rights and
 * the ring permit now. */
void wrn_network_addresses_follow(struct wrn_network *network);

/* Ends: takes all addresses away. */
void wrn_network_addresses_stop(struct wrn_network *network, bool release);

/* Tells whether giving back has ended. */
bool wrn_network_addresses_are_off(const struct wrn_network *network);

/* The ring was found; answers of the table, by their tags; a kept record is kept no more; time. */
void wrn_network_addresses_on_connected(struct wrn_network *network);
void wrn_network_addresses_on_answer(struct wrn_network *network,
                                     const struct wrn_dht_answer *answer);
void wrn_network_addresses_on_lost(struct wrn_network *network, wrn_span record, wrn_span winner,
                                   enum wrn_reason reason);
void wrn_network_addresses_on_time(struct wrn_network *network);
wrn_mono wrn_network_addresses_due(const struct wrn_network *network);

/* Our chain, which proves our records, is another one: they are stored again. Our address or name
 * is another one: the record of each says so. */
void wrn_network_addresses_prove(struct wrn_network *network);
void wrn_network_addresses_tell(struct wrn_network *network);

/* Looks who has what is offered by several, anew. */
void wrn_network_routes_follow(struct wrn_network *network);

/* Tells whether a prefix may be one behind a node: none that meets what the network itself has. */
bool wrn_network_may_route(const struct wrn_network *network, const struct wrn_prefix *prefix);

/* Tells whether a peer is reached at an address of a prefix now: a route to it through this network
 * would lead the tunnel into itself. */
bool wrn_network_is_underneath(const struct wrn_network *network, const struct wrn_prefix *prefix);

/* A prefix of a peer's is reached now through this interface, or not any more. */
void wrn_network_route_to(struct wrn_network *network, const struct wrn_prefix *prefix,
                          bool is_open);

/* The resolver's address in this network. */
struct wrn_ip wrn_network_resolver(const struct wrn_network *network);

/* ---- Records that the caller wants kept (keeper.c) ---- */

/* Takes room from the arena ('network' NULL: measures), and what is to be kept from the state; puts
 * it into one that is to be saved. */
void wrn_keeper_init(struct wrn_network *network, struct wrn_arena *arena,
                     const struct wrn_state *state);
void wrn_keeper_fill(const struct wrn_network *network, struct wrn_state *state);

/* What the caller is about to store under the request's tag is to be kept if it can be stored (then
 * that is on the disk before he is told): NONE, TOO_LARGE, FULL (WRN_STATE_KEPT_MAX). What became
 * of it; of other tags too. */
enum wrn_reason wrn_keeper_ask(struct wrn_network *network,
                               const struct wrn_claim_request *request);
void wrn_keeper_asked(struct wrn_network *network, uint32_t tag, enum wrn_reason reason);

/* Nothing under this key is kept any more; saved at once. */
void wrn_keeper_end(struct wrn_network *network, wrn_span key);

/* The ring was found; our chain, which proves records, is another one; an answer to a store of the
 * keeper; the ring gave a record up, this or another; time. */
void wrn_keeper_on_connected(struct wrn_network *network);
void wrn_keeper_prove(struct wrn_network *network);
void wrn_keeper_on_answer(struct wrn_network *network, const struct wrn_dht_answer *answer);
void wrn_keeper_on_lost(struct wrn_network *network, wrn_span record, enum wrn_reason reason);
void wrn_keeper_on_time(struct wrn_network *network);
wrn_mono wrn_keeper_due(const struct wrn_network *network);

/* ---- Members that are found through an open network (meet.c) ---- */

/* What the state says; puts it into one that is to be saved. */
void wrn_meet_init(struct wrn_network *network, const struct wrn_state *state);
void wrn_meet_fill(const struct wrn_network *network, struct wrn_state *state);

/* The network has been added, or has lost its ring: what may help is looked for soon. */
void wrn_meet_on_alone(struct wrn_network *network);

/* An answer of this open network's table, about another network. */
void wrn_meet_on_answer(struct wrn_network *network, const struct wrn_dht_answer *answer);

/* What is due of it, for others if it is an open one; when. */
void wrn_meet_on_time(struct wrn_network *network);
wrn_mono wrn_meet_due(const struct wrn_network *network);

/* Tells whether an address is none that our own tunnels lead to (network.c). */
bool wrn_network_may_reach(const struct wrn_network *network, const struct wrn_endpoint *endpoint);

/* ---- Questions of the caller (answers.c) ---- */

/* Appends an ANSWER, zeroed but for the tag. */
struct wrn_node_answer *wrn_network_answer(struct wrn_network *network, uint32_t tag);

/* An answer of the table to the caller; of the names to whoever asks; a node was reached, or not;
 * the walk around the ring has come to a node; a node asks who we are, and says who it is; time. */
void wrn_network_questions_on_answer(struct wrn_network *network,
                                     const struct wrn_dht_answer *answer);
void wrn_network_questions_on_resolved(struct wrn_network *network,
                                       const struct wrn_names_question *question,
                                       const struct wrn_names_answer *answer);
void wrn_network_questions_on_connected(struct wrn_network *network, wrn_id id,
                                        enum wrn_reason reason);
void wrn_network_questions_on_found(struct wrn_network *network, wrn_id id, bool is_last,
                                    enum wrn_reason reason);
void wrn_network_on_info_ask(struct wrn_network *network, wrn_id source, wrn_span message);
void wrn_network_on_info(struct wrn_network *network, wrn_id source, wrn_span message);
void wrn_network_questions_on_time(struct wrn_network *network);

/* Answers all that is under way with LEAVING. */
void wrn_network_questions_end(struct wrn_network *network);

/* When a question is given up. */
wrn_mono wrn_network_questions_due(const struct wrn_network *network);
