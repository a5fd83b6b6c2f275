/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the composition share: the node, its peers, how they send and look up. Included
 * by overlay*.c, peers.c, peer_index.c, linker.c, greet.c and join*.c only.
 *
 * The rule that keeps the parts from calling back into one another: a port function either only
 * looks something up or sends a datagram, or it leaves a note (struct wrn_overlay_work), which is
 * taken up when the machine that called has returned. So functions here that call the inputs of
 * paths, relay, ring, route or DHT are called from the top only: from a public input, from a
 * message of a peer, or from a note. */
#pragma once
#include "base/dues.h"
#include "base/tick.h"
#include "base/wire.h"
#include "overlay/join.h"
#include "overlay/linker.h"
#include "overlay/overlay.h"
#include "overlay/pair.h"

/* X(NAME, "text"): how far a peer is. */
#define WRN_PEER_STATE_LIST(X)                                                                     \
    X(NONE, "not known")                                                                           \
    X(STRANGER, "sent a cookie back, waits for an answer")                                         \
    X(SEARCHING, "no path is proven yet")                                                          \
    X(GREETING, "a path is proven; credentials are exchanged")                                     \
    X(UP, "both sides have admitted one another")

enum wrn_peer_state {
#define X(name, text) WRN_PEER_STATE_##name,
    WRN_PEER_STATE_LIST(X)
#undef X
        WRN_PEER_STATES
};

enum { WRN_PEER_RELAYS = 4 }; /* all that a locator names: one of them may be full */

struct wrn_overlay_peer {
    wrn_handle handle;
    struct wrn_pair pair;
    uint64_t our_other;        /* a second number that is ours, 0: none; see linking.md */
    uint64_t their_other;      /* one that they may go by since they restarted, 0: none */
    uint64_t random;           /* of our HELLO that is not answered, 0: none */
    uint64_t their_random;     /* of their HELLO that we had no way to answer by, 0: none */
    uint64_t locator_sequence; /* of the newest locator of it that we saw */
    int64_t until_s;           /* of the admission, wall clock */
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t tunnel_key[WRN_KEY_SIZE];
    wrn_id id;
    wrn_id relays[WRN_PEER_RELAYS]; /* of its locator, the best ones */
    /* Deadlines; the earliest is in the overlay's table. */
    wrn_tick state_due; /* of the state: repeat the HELLO, give up */
    union {
        wrn_tick give_up;  /* STRANGER, SEARCHING, GREETING: then it is over */
        wrn_tick trim_due; /* UP: nobody needs the link since; then it is let go */
    };
    wrn_tick admit_due;         /* UP: the admission ends, or is to be asked for again */
    wrn_tick kinds_due;         /* UP: KINDS was not acknowledged */
    uint32_t from;              /* hash of where its last fresh frame came from, 0: nowhere */
    uint32_t traffic_s;         /* when traffic was noted last, seconds of the monotonic clock */
    uint8_t tries;              /* HELLOs, then KINDS that were sent in vain */
    uint8_t theirs;             /* what they want the link for, also before it is up */
    uint8_t wanted;             /* ... what requests of ours that wait for it want it for */
    uint8_t held;               /* ... what the overlay itself does (LEAF, OVERLAP, ON_DEMAND) */
    uint8_t told;               /* the kinds that we said last */
    uint8_t kinds_number;       /* of our last KINDS */
    uint8_t their_kinds_number; /* of theirs */
    uint8_t nat_class : 4;
    uint8_t state : 4;
    uint8_t relay_count : 4;
    bool knows_kinds : 1; /* they acknowledged it */
    bool admitted : 1;    /* by us */
    bool welcomed : 1;    /* by them */
    bool they_have : 1;   /* they need not be shown our credential again */
    bool relays_for_others : 1;
    bool speaks_aes : 1;
    bool is_relayed : 1;
    bool asked_again : 1;  /* for its credential, since 'until' comes near */
    bool is_hurried : 1;   /* ... nearer than its admission: all are asked after a change */
    bool look_through : 1; /* once it is up: let the ring look whether it knows better neighbours */
    bool is_back : 1;      /* it was UP and restarted: its user was told RESTARTED */
};

/* A table that finds peers by a number of ours or by place; open addressing, 0: free, else index of
 * the peer + 1. Rebuilt when something is taken out, which is rare. */
struct wrn_peer_index {
    uint16_t *slots;
    uint32_t mask;
};

/* Lets 'per_s' things pass a second, and 'burst' at once. */
struct wrn_bucket {
    uint64_t full_at_ns; /* the bucket is full again then */
};

/* A node that was not admitted, or did not admit us: not tried again before 'until'. */
struct wrn_shunned {
    wrn_id id;
    uint32_t until_s; /* of the monotonic clock */
    uint8_t reason;
    bool by_them; /* it did not admit us */
};

enum {
    WRN_REQUESTS_MAX = 12, /* links that are being set up on request, at the same time */
    WRN_SHUNNED_MAX = 16,
};

struct wrn_overlay {
    /* identity */
    wrn_id id;
    uint8_t seed[WRN_SEED_SIZE];
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t tunnel_private[WRN_KEY_SIZE];
    uint8_t tunnel_public[WRN_KEY_SIZE];
    uint8_t ring_hash[8];
    uint8_t *credential;
    uint32_t credential_size, credential_max;
    const struct wrn_primitives *primitives;
    struct wrn_rand rand;
    wrn_overlay_admit *admit;
    void *admit_ctx;
    bool relays;
    bool speaks_aes;
    bool has_streams;
    bool is_started;

    /* the input that is being taken */
    struct wrn_now now;
    struct wrn_overlay_out *out;
    wrn_mono due;

    /* our locator as it was signed last */
    uint8_t *locator;
    uint32_t locator_size;
    uint64_t locator_sequence;
    uint64_t locator_digest; /* of what it says */
    uint64_t digest_key[2];
    bool locator_dirty;
    uint8_t locator_early; /* how many may be made before a second has passed */
    wrn_mono locator_made;

    /* peers */
    struct wrn_pool pool;
    struct wrn_dues dues; /* of the peers */
    struct wrn_peer_index by_number;
    struct wrn_peer_index by_id;
    uint16_t *by_address; /* a guess, checked when used; index of the peer + 1 */
    uint32_t by_address_mask;
    uint32_t peers_max;
    uint32_t pending; /* peers that are not UP */
    struct wrn_shunned shunned[WRN_SHUNNED_MAX];
    struct wrn_bucket verify_bucket;   /* signatures and key agreements that members make us do */
    struct wrn_bucket stranger_bucket; /* ... strangers */
    struct wrn_bucket who_bucket;
    struct wrn_bucket error_bucket; /* answers to what has no peer */

    /* parts */
    struct wrn_links links;
    struct wrn_paths *paths;
    struct wrn_relay *relay;
    struct wrn_route *route;
    struct wrn_ring *ring;
    struct wrn_dht *dht;
    struct wrn_linker linker;
    struct wrn_join join;

    uint64_t number;   /* the user's, for sums */
    uint64_t sequence; /* of records, the last one used */
    uint32_t lost_notes;
    uint32_t refused[WRN_REASON_COUNT];
    uint64_t said[WRN_OVERLAY_SAID_KINDS];
    uint64_t said_bytes[WRN_OVERLAY_SAID_KINDS];
};

/* What another part of the overlay is to do; see struct wrn_overlay_work. */
enum wrn_work_kind {
    WRN_WORK_WANT,       /* want: of the ring */
    WRN_WORK_RELAY_WANT, /* id, tag: of the relay machine */
    WRN_WORK_ROUTE,      /* header, peer (first), bytes */
    WRN_WORK_CONNECT,    /* header, bytes: a payload that was delivered here */
    WRN_WORK_AROUND,     /* peer, bytes: a CALL that goes over the ring */
    WRN_WORK_WAY,        /* peer, way, reason */
    WRN_WORK_HEARD,      /* peer, number (rtt), tag (epoch) */
    WRN_WORK_RESTARTED,  /* peer */
    WRN_WORK_WANT_RELAY, /* peer */
    WRN_WORK_RELAY_BAD,  /* peer, way */
    WRN_WORK_SUSPECT,    /* peer */
    WRN_WORK_STATE,      /* number */
    WRN_WORK_NEIGHBOURS,
    WRN_WORK_RELAY_READY, /* peer, way */
    WRN_WORK_RELAY_LOST,  /* peer, way */
};

/* ---- overlay.c ---- */

/* Begin and end a public input: the notes are taken up at its end. */
void wrn_overlay_begin(struct wrn_overlay *overlay, struct wrn_now now,
                       struct wrn_overlay_out *out);
void wrn_overlay_end(struct wrn_overlay *overlay);

/* Returns the next sequence number of a record of ours: the wall clock's milliseconds, and more
 * than 'after' and than any before. */
uint64_t wrn_overlay_next_sequence(struct wrn_overlay *overlay, uint64_t after);

/* Leaves a note; what finds no room is counted. Returns the note to fill in, or NULL. */
struct wrn_overlay_work *wrn_overlay_note(struct wrn_overlay *overlay, enum wrn_work_kind kind,
                                          wrn_handle peer);

/* Counts something that was refused. */
void wrn_overlay_refuse(struct wrn_overlay *overlay, enum wrn_reason reason);

/* Takes one from a bucket, if there is one. */
bool wrn_overlay_bucket_take(struct wrn_bucket *bucket, wrn_mono now, uint32_t per_s,
                             uint32_t burst);

/* Returns a span of time between 3/4 and 5/4 of 'ns'. */
uint64_t wrn_overlay_jitter(struct wrn_overlay *overlay, uint64_t ns);

/* Draws a number that is not 0. */
uint64_t wrn_overlay_draw(struct wrn_overlay *overlay);

/* Our signed locator, made anew if what it says has changed; at least once. */
wrn_span wrn_overlay_own_locator(struct wrn_overlay *overlay);

/* ---- overlay_ports.c ---- */

/* What the paths machine calls. */
struct wrn_paths_port wrn_overlay_paths_port(struct wrn_overlay *overlay);
/* What the relay machine calls. */
struct wrn_relay_port wrn_overlay_relay_port(struct wrn_overlay *overlay);
/* What the route machine calls. */
struct wrn_route_port wrn_overlay_route_port(struct wrn_overlay *overlay);
/* What the ring machine calls. */
struct wrn_ring_port wrn_overlay_ring_port(struct wrn_overlay *overlay);
/* What the DHT machine calls. */
struct wrn_dht_port wrn_overlay_dht_port(struct wrn_overlay *overlay);

/* Does what a note says. */
void wrn_overlay_work_off(struct wrn_overlay *overlay, const struct wrn_overlay_work *work);

/* ---- overlay_send.c ---- */

/* Appends an action with room for 'size' bytes, which the caller writes to *ret_bytes (NULL is fine
 * for 0). Returns NULL, and counts it, if there is no room. */
struct wrn_overlay_action *wrn_overlay_act(struct wrn_overlay *overlay,
                                           enum wrn_overlay_action_kind kind, size_t size,
                                           uint8_t **ret_bytes);

/* The same with a copy of 'bytes'. */
struct wrn_overlay_action *wrn_overlay_act_bytes(struct wrn_overlay *overlay,
                                                 enum wrn_overlay_action_kind kind, wrn_span bytes);

/* Sends a plain datagram from a socket of ours. */
void wrn_overlay_send_datagram(struct wrn_overlay *overlay, uint16_t socket,
                               const struct wrn_endpoint *to, wrn_span bytes);

/* Seals a message and sends it: on the peer's best way, if there is one; on a given way; on a given
 * way to the number 'to' rather than to the peer's. */
bool wrn_overlay_send_message(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                              wrn_span message);
bool wrn_overlay_send_on(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                         const struct wrn_way *way, wrn_span message);
bool wrn_overlay_send_to(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                         const struct wrn_way *way, uint64_t to, wrn_span message);

/* Sends bytes as they are on a way, behind 'header' if that is not empty. */
bool wrn_overlay_send_raw(struct wrn_overlay *overlay, const struct wrn_way *way, wrn_span header,
                          wrn_span bytes);

/* Returns the direct way that a way begins with: itself, or its relay's. NULL if there is none. */
const struct wrn_way *wrn_overlay_direct(const struct wrn_overlay *overlay,
                                         const struct wrn_way *way);

/* Returns room that lasts as long as the input; NULL if there is none. */
uint8_t *wrn_overlay_keep_bytes(struct wrn_overlay *overlay, size_t size);

/* ---- overlay_receive.c ---- */

/* Takes a sealed frame that came by a way (NONE: over the ring). Opened in place. */
void wrn_overlay_on_sealed(struct wrn_overlay *overlay, const struct wrn_way *way, uint8_t *frame,
                           size_t size);

/* ---- peer_index.c ---- */

/* Makes the pools; as arena users do, also while measuring. */
void wrn_peers_init(struct wrn_overlay *overlay, struct wrn_arena *arena, uint32_t peers_max);

/* Finds a peer; NULL if there is none. */
struct wrn_overlay_peer *wrn_peers_get(const struct wrn_overlay *overlay, wrn_handle handle);
struct wrn_overlay_peer *wrn_peers_at(const struct wrn_overlay *overlay, wrn_id id);
struct wrn_overlay_peer *wrn_peers_of_number(const struct wrn_overlay *overlay, uint64_t number);
struct wrn_overlay_peer *wrn_peers_of_key(const struct wrn_overlay *overlay,
                                          const uint8_t tunnel_key[WRN_KEY_SIZE]);
/* Hash of an address; not 0. Nobody else can find two with the same one. */
uint32_t wrn_peers_address_hash(const struct wrn_overlay *overlay, const struct wrn_endpoint *from);
struct wrn_overlay_peer *wrn_peers_of_address(struct wrn_overlay *overlay,
                                              const struct wrn_endpoint *from);
/* The same, and does not remember it for the next time. */
struct wrn_overlay_peer *wrn_peers_look_address(const struct wrn_overlay *overlay,
                                                const struct wrn_endpoint *from);

/* Walks the peers: start with *cursor = 0; NULL at the end. The current one may be removed. */
struct wrn_overlay_peer *wrn_peers_next(const struct wrn_overlay *overlay, uint32_t *cursor);

/* Draws a receiver number that nobody has. */
uint64_t wrn_peers_draw_number(const struct wrn_overlay *overlay);

/* Puts a peer into the tables; makes them anew after one has left. */
void wrn_peers_enter(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer);
void wrn_peers_leave(struct wrn_overlay *overlay);

/* Takes 'number' as one more that frames of the peer may come to. */
void wrn_peers_add_number(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                          uint64_t number);

/* ---- peers.c ---- */

/* Makes the keys that we share with a node. 'our_number' 0: one is drawn. WRONG_KEY, or NONE. */
enum wrn_reason wrn_peers_make_pair(struct wrn_overlay *overlay,
                                    const uint8_t tunnel_key[WRN_KEY_SIZE], uint64_t our_number,
                                    struct wrn_pair *ret_pair);

/* Makes a peer of a verified locator, in state NONE. 'pair' is copied; NULL: it is made, with
 * 'our_number' or one that is drawn. NULL and why: FULL (what is needed less than 'kind' was let go
 * before), WRONG_KEY, SELF. */
struct wrn_overlay_peer *wrn_peers_add(struct wrn_overlay *overlay,
                                       const struct wrn_locator *locator,
                                       const struct wrn_pair *pair, uint64_t our_number,
                                       uint8_t kind, enum wrn_reason *reterr_reason);

/* Takes over what a newer locator says. */
void wrn_peers_learn(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                     const struct wrn_locator *locator);

/* The peer goes by this number, it says in a message that anybody may have made: see linking.md. */
void wrn_peers_hear_number(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                           uint64_t number);

/* The only place where the state changes; asserts that the arrow exists. */
void wrn_peers_set_state(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                         enum wrn_peer_state state);

/* Sets the peer's timer to the earliest of its deadlines. */
void wrn_peers_arm(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer);

/* The link is up: table, ring, relay, whoever waits for it. */
void wrn_peers_up(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer);

/* The link is gone but not the peer (it restarted): the same backwards. */
void wrn_peers_cut(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                   enum wrn_reason reason);

/* The peer is gone; 'tell': say BYE first. The pointer is dead. */
void wrn_peers_remove(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                      enum wrn_reason reason, bool tell);

/* What we want the link for, all together. */
uint8_t wrn_peers_kinds(const struct wrn_overlay *overlay, const struct wrn_overlay_peer *peer);

/* What we or they want the link for may have changed: tells them, starts or stops trimming. */
void wrn_peers_on_kinds(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer);

/* The peer said what it wants the link for. */
void wrn_peers_take_theirs(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                           uint8_t kinds);

/* The peer answered something that we drew, in a frame of this incarnation. If it is another one
 * than before, a link that was up is cut: it restarted. From the top only. */
void wrn_peers_prove(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                     uint64_t incarnation);

/* How hard its paths are searched for: ports are guessed at at random for links of users alone. */
void wrn_peers_set_eager(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer);

/* Tells whether the peer is worth a relay: not a shortcut, for others do as well, nor a relay. */
bool wrn_peers_may_be_relayed(const struct wrn_overlay *overlay,
                              const struct wrn_overlay_peer *peer);

/* Sets or clears bits of 'held'. */
void wrn_peers_hold(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer, uint8_t kind,
                    bool is_needed);

/* Searches for paths to the peer, in state SEARCHING or from there on. */
enum wrn_reason wrn_peers_search(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                                 const struct wrn_locator *locator, bool we_asked);

/* The best way to a peer changed; see paths.h. The pointer may be dead afterwards. */
void wrn_peers_on_way(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                      const struct wrn_way *way, enum wrn_reason reason);

/* A round trip to a peer was measured; its epoch came along. */
void wrn_peers_on_heard(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer, uint32_t rtt_us,
                        uint32_t epoch);

/* Does what is due of a peer. The pointer may be dead afterwards. */
void wrn_peers_on_time(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer);

/* The admission of a peer was set, or is to be asked for: sets when it is looked at again. */
void wrn_peers_admission(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer);

/* Remembers that a node is not worth a try for some minutes. NONE: it is. */
void wrn_peers_shun(struct wrn_overlay *overlay, wrn_id id, enum wrn_reason reason, bool by_them);
enum wrn_reason wrn_peers_shunned(const struct wrn_overlay *overlay, wrn_id id);

/* ---- redirect.c ---- */

/* Writes the addresses of some of our peers, for a stranger at 'asker'. */
void wrn_redirect_write(const struct wrn_overlay *overlay, const struct wrn_endpoint *asker,
                        struct wrn_writer *writer);

/* Reads such a list to the end and chooses one of it; family NONE: none is of use. False if it does
 * not follow its format. */
bool wrn_redirect_read(const struct wrn_overlay *overlay, struct wrn_reader *reader,
                       struct wrn_endpoint *ret_chosen);

/* ---- greet.c ---- */

/* Says HELLO on the best way, or on a given one (NULL: the best) to a given number (0: the
 * peer's). */
void wrn_greet_hello(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                     const struct wrn_way *way, uint64_t to);

/* Says BYE. */
void wrn_greet_bye(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                   enum wrn_reason reason);

/* Says KINDS. */
void wrn_greet_kinds(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer, bool wants_answer);

/* A way to the peer is proven: greets it, and answers what it said before. */
void wrn_greet_begin(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer);

/* Takes HELLO, WELCOME, BYE or KINDS. The pointer may be dead afterwards. */
void wrn_greet_on_message(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                          const struct wrn_way *way, uint64_t incarnation, bool is_fresh,
                          wrn_span message);

/* Writes the HELLO of a stranger: with our locator, and with the credential if both fit. */
size_t wrn_greet_write_stranger(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                                uint8_t *out, size_t capacity);

/* Tells whether one more signature or key agreement may be spent on what members ask for. */
bool wrn_overlay_may_verify(struct wrn_overlay *overlay);

/* Tells whether the cookie of a STRANGER frame is one that we gave to this address. */
bool wrn_greet_owns_stranger(const struct wrn_overlay *overlay, wrn_mono now,
                             const struct wrn_endpoint *from, wrn_span frame);

/* Takes a STRANGER frame. */
void wrn_greet_on_stranger(struct wrn_overlay *overlay, uint16_t socket,
                           const struct wrn_endpoint *from, uint8_t *frame, size_t size);
