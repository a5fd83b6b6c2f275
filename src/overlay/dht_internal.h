/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the DHT share: its state, its messages. Not for others to include. */
#pragma once
#include "base/tick.h"
#include "overlay/dht.h"
#include "overlay/dht_store.h"
#include "overlay/limits.h"
#include "overlay/room.h"

enum {
    WRN_DHT_HOLDERS_MAX = 8,    /* who takes copies: slack while the ring changes */
    WRN_DHT_NEAR_PER_SIDE = 8,  /* nodes that we know on each side of us */
    WRN_DHT_NEAR_MAX = 17,      /* ... and ourselves */
    WRN_DHT_PARTNERS = 8,       /* linked neighbours with whom copies are compared */
    WRN_DHT_BATCH = 16,         /* records in one digest */
    WRN_DHT_WRITES = 8,         /* stores of others that wait for copies here */
    WRN_DHT_ATTEMPTS = 7,       /* of one request */
    WRN_DHT_SEEN = 24,          /* newest versions that this node remembers of others' records */
    WRN_DHT_PEER_BUCKETS = 32,  /* a power of two */
    WRN_DHT_WEIGHINGS = 6,      /* at the same time; the first two are no conflicts */
    WRN_DHT_REQUEST_MS = 15000, /* the end of a request */
};

/* ---- messages (dht_messages.c; docs/ring/dht.md has the layouts) ---- */

/* Second byte. The first five are routed, the others go to a direct neighbour. */
enum wrn_dht_message {
    WRN_DHT_MESSAGE_GET = 0x01,
    WRN_DHT_MESSAGE_ANSWER = 0x02,
    WRN_DHT_MESSAGE_STORE = 0x03,
    WRN_DHT_MESSAGE_STORED = 0x04,
    WRN_DHT_MESSAGE_LOSS = 0x05,
    WRN_DHT_MESSAGE_ASK = 0x10,
    WRN_DHT_MESSAGE_COPY = 0x11,
    WRN_DHT_MESSAGE_COPIED = 0x12,
    WRN_DHT_MESSAGE_DIGEST = 0x13,
    WRN_DHT_MESSAGE_WANT = 0x14,
    WRN_DHT_MESSAGE_PASS = 0x15,
    WRN_DHT_MESSAGE_WEIGH = 0x16,
    WRN_DHT_MESSAGE_WEIGHED = 0x17,
};

enum {
    WRN_DHT_ASIDE = 1,        /* GET, STORE: another node was asked before, the nearest one */
    WRN_DHT_AGAIN = 2,        /* STORE: it was stored before: holders compare claims */
    WRN_DHT_COPY_STRICT = 1,  /* the key is asked for anew: another's live record stays */
    WRN_DHT_DIGEST_WHOLE = 1, /* all versions under one place are listed */
};

/* One message, read or to be written; the fields that its type has. */
struct wrn_dht_fields {
    enum wrn_dht_message type;
    uint64_t nonce;         /* GET, ANSWER, STORE, STORED, ASK, PASS */
    uint32_t number;        /* COPY, COPIED, DIGEST, WANT, WEIGH, WEIGHED */
    uint8_t flags;          /* GET, STORE, ASK, PASS, COPY, DIGEST */
    enum wrn_reason reason; /* ANSWER, STORED, COPIED */
    uint8_t copies;         /* STORED */
    uint8_t count;          /* ANSWER, DIGEST */
    uint64_t token;         /* GET, ASK, ANSWER: value_id of the last record of the page before */
    uint64_t place;         /* DIGEST, WHOLE: its first 64 bits */
    int64_t claim_s;        /* COPY, COPIED: since when the sender vouches for a CREATE */
    int64_t words_s[2];     /* WEIGHED: ... for those of two owners; 0: it does not */
    wrn_id at;              /* WEIGH: the place of their key */
    uint8_t owners[2][WRN_SIGN_PUBLIC_SIZE]; /* WEIGH; the second may be zero: there is one only */
    uint32_t have;                           /* WANT: bits of the digest's items */
    uint32_t want;
    bool has_via; /* ASK, PASS */
    wrn_id source;
    wrn_id via;
    wrn_span key;    /* GET, ASK */
    wrn_span record; /* STORE, PASS, LOSS, COPY; STORED, COPIED: may be empty */
    wrn_span items;  /* ANSWER: 'count' times size (2), bytes; DIGEST: place (8), version (8) */
};

/* Reads a message without its first byte (the kind). False: malformed. */
WRN_NODISCARD bool wrn_dht_message_read(wrn_span message, struct wrn_dht_fields *ret_fields);

/* Writes one with its first byte, for the DHT; room for WRN_MESSAGE_MAX bytes. Returns what was
 * written; it always fits. */
wrn_span wrn_dht_message_write(const struct wrn_dht_fields *fields, uint8_t *out);

/* ---- state ---- */

/* A node near us: by a link, or because a neighbour says so. */
struct wrn_dht_neighbour {
    wrn_id id;
    wrn_handle peer; /* NONE: no link */
};

/* Who is to be told what became of a store. */
struct wrn_dht_writer {
    bool is_self;
    bool has_via;
    wrn_id source;
    wrn_id via;
    uint64_t nonce;
};

/* A store that waits for its copies. */
struct wrn_dht_write {
    struct wrn_dht_writer writer;
    uint64_t version;
    uint32_t entry;
    uint32_t number; /* of the copy messages; 0: free */
    wrn_mono due;
    wrn_handle peers[WRN_DHT_COPIES - 1];
    uint8_t count; /* of them */
    uint8_t done;  /* bits: answered, in whatever way */
    uint8_t copies;
    uint8_t tries;
    bool is_strict;
    bool is_told; /* the writer was; only the copies go on */
};

enum wrn_dht_phase {
    WRN_DHT_IDLE,  /* until 'due', then a walk through the store begins */
    WRN_DHT_WALK,  /* the next batch is to be put together at 'due' */
    WRN_DHT_ASKED, /* a digest was sent */
    WRN_DHT_SEND,  /* the next wanted record is to be sent at 'due' */
    WRN_DHT_SENT,  /* ... was sent */
};

struct wrn_dht_partner {
    wrn_handle peer; /* generation 0: free */
    wrn_id id;
    enum wrn_dht_phase phase;
    wrn_mono due;
    uint32_t cursor;
    uint32_t number; /* of the digest or copy that is answered next */
    uint32_t wanted; /* bits of the batch */
    uint32_t batch[WRN_DHT_BATCH];
    uint32_t versions[WRN_DHT_BATCH]; /* low bits of what was in the digest */
    uint8_t count;
    uint8_t tries;
    bool is_again;  /* something changed during the walk */
    bool is_check;  /* the batch is one place, not part of a walk */
    bool is_whole;  /* this walk lists also what the partner is known to have */
    wrn_mono whole; /* when to begin the next such walk */
};

enum wrn_dht_request_kind { WRN_DHT_OF_USER, WRN_DHT_OF_KEEP, WRN_DHT_OF_HANDOVER };

struct wrn_dht_request {
    bool is_used;
    bool is_again;   /* STORE: see WRN_DHT_AGAIN */
    bool is_local;   /* to be looked up in, or stored from, this node at 'due' */
    bool is_exact;   /* the next page is asked from who sent the last one */
    bool said_self;  /* we are a holder ourselves, and have nothing */
    bool said_aside; /* ... the first of them was asked aside */
    bool saw_full;   /* a holder had no room, or may have had none for what is asked for */
    bool saw_stale;
    bool is_unanswered; /* the last attempt aside */
    uint8_t beside;     /* how far aside the next one goes, in quarters of the mean gap */
    bool is_slow;       /* all attempts have been made once */
    uint8_t spoke;      /* bits: attempts that were answered by a word, not by records */
    enum wrn_dht_verb verb;
    enum wrn_dht_request_kind kind;
    uint32_t tag;     /* of the user; index of the kept record; entry that is handed over */
    uint64_t version; /* STORE */
    wrn_id place;
    wrn_id responder; /* is_exact */
    uint64_t token;   /* GET: of the next page */
    uint64_t nonces[WRN_DHT_ATTEMPTS];
    wrn_id said[2]; /* who said that there is nothing, or refused */
    uint8_t said_count;
    uint8_t attempts;
    uint8_t pages;
    enum wrn_reason reason; /* of the last refusal */
    wrn_mono start;
    wrn_mono due;
    wrn_mono deadline;
    uint16_t size;
    uint8_t *bytes; /* OF_USER: the key or the record, in the room; else it is what is kept or held
                     * at 'tag' as long as that has the version */
};

struct wrn_dht_kept {
    bool is_used;
    bool is_due_renewal;
    bool is_checking;
    bool is_doubted; /* somebody said that it lost while it was being checked */
    bool was_stored; /* its holders took it, or the version before */
    uint8_t failures;
    uint8_t taken; /* times that a holder said that another one has the key */
    uint64_t version;
    wrn_mono check;   /* when to store it again */
    wrn_mono renewal; /* when to tell that it is to be signed anew; NEVER: told */
    wrn_mono end;
    uint16_t size;
    uint8_t *bytes; /* in the room */
};

/* A linked node that is asked about two claims. */
struct wrn_dht_voucher {
    wrn_handle peer;
    int64_t words_s[2]; /* since when it vouches for each; 0: it does not */
};

/* The claims of two owners to one key, or one claim about which the others are asked. */
struct wrn_dht_weighing {
    wrn_id place;
    uint8_t owners[2][WRN_SIGN_PUBLIC_SIZE];
    int64_t own_s[2]; /* our own words, kept when the record is not here any more; 0: none */
    struct wrn_dht_voucher peers[WRN_DHT_HOLDERS_MAX];
    uint8_t count;    /* of them */
    uint8_t answered; /* bits of them, in this round */
    uint8_t rounds;
    uint8_t times; /* that it was weighed */
    bool is_conflict;
    bool is_running; /* until 'due', else since 'ended' */
    bool is_asked;   /* a round is under way, else between two */
    uint32_t number; /* of the round */
    wrn_mono due;
    wrn_mono ended;
};

/* The newest that we have seen of somebody's record: older ones are stale. */
struct wrn_dht_seen {
    uint64_t what; /* hash of place and owner; 0: free */
    uint64_t sequence_min;
};

struct wrn_dht {
    struct wrn_dht_options options;
    const struct wrn_links *links;
    const struct wrn_primitives *primitives;
    struct wrn_dht_port port;
    struct wrn_rand rand;
    struct wrn_dht_store store;
    uint64_t counts[WRN_DHT_COUNTS];

    struct wrn_dht_neighbour near[WRN_DHT_NEAR_MAX]; /* with ourselves */
    uint32_t near_count;
    uint32_t near_right; /* of them lie to the right: the first ones after ourselves */
    bool near_is_all;    /* those to the right and to the left meet: it is the whole ring */
    wrn_mono near_at;
    uint8_t other_turn; /* which holder is asked next where this one is full */
    bool was_alone;

    struct wrn_dht_write writes[WRN_DHT_WRITES];
    struct wrn_dht_partner partners[WRN_DHT_PARTNERS];
    struct wrn_dht_weighing weighings[WRN_DHT_WEIGHINGS];
    wrn_mono weigh_due; /* when to ask about a record that was not weighed */
    uint32_t last_number;
    wrn_mono strays_due; /* when to look for records that we are too far from */
    uint32_t strays_cursor;
    bool strays_left;

    struct wrn_dht_request *requests; /* requests_max, one for kept records, one to hand over */
    struct wrn_dht_kept *kept;
    struct wrn_room room; /* for what requests and kept records hold */
    struct wrn_dht_seen seen[WRN_DHT_SEEN];
    uint32_t seen_next;

    struct wrn_drip verifying;
    struct wrn_drip answering;
    struct wrn_drip checking;
    struct wrn_drip copying;
    struct wrn_drip telling;
    struct wrn_drip losing;
    struct wrn_drip of_peer[WRN_DHT_PEER_BUCKETS];
    struct wrn_drip digests_of_peer[WRN_DHT_PEER_BUCKETS];
    struct wrn_drip weighs_of_peer[WRN_DHT_PEER_BUCKETS];
    wrn_mono due;
};

/* ---- dht.c ---- */

/* Takes from a bucket; false if it is empty. */
WRN_NODISCARD bool wrn_dht_take(struct wrn_drip *bucket, wrn_mono now, uint32_t rate_per_s,
                                uint32_t burst);

/* Counts. */
void wrn_dht_add(struct wrn_dht *dht, enum wrn_dht_count count);

/* Returns how many of the nodes that we know, us among them, are nearer to 'place' than 'id'; at
 * least WRN_DHT_HOLDERS_MAX for places that are not near us. */
uint32_t wrn_dht_rank(const struct wrn_dht *dht, wrn_id place, wrn_id id);

/* Returns the neighbour with this rank at 'place' among all near nodes but us, with a link; NULL:
 * there are not so many. */
const struct wrn_dht_neighbour *wrn_dht_other(const struct wrn_dht *dht, wrn_id place,
                                              uint32_t rank);

/* Returns the near node with this rank at 'place' among all but us, linked or not; NULL: there are
 * not so many. */
const struct wrn_dht_neighbour *wrn_dht_near(const struct wrn_dht *dht, wrn_id place,
                                             uint32_t rank);

/* Learns the near nodes anew if it is time. */
void wrn_dht_look(struct wrn_dht *dht, wrn_mono now, bool is_change);

/* Remembers that older versions than this record (after a tombstone: also itself) are stale, and
 * tells whether a record is. */
void wrn_dht_see(struct wrn_dht *dht, const struct wrn_dht_candidate *candidate);
bool wrn_dht_is_stale(const struct wrn_dht *dht, const struct wrn_dht_candidate *candidate);

/* Checks a record that somebody wants stored here and stores it, if fewer than 'ranks' nodes are
 * nearer to its place. Returns NONE (also if it was there) and its entry; or why not, and the entry
 * that stands against it or NO_ENTRY. Another owner's live CREATE gives way if not 'is_strict'. */
enum wrn_reason wrn_dht_admit(struct wrn_dht *dht, struct wrn_now now, wrn_handle from,
                              const struct wrn_dht_candidate *candidate, uint32_t ranks,
                              bool is_strict, uint32_t *ret_entry);

/* Has the owner of a CREATE ask whether it lost to the record "winner": now, if it is this node. */
void wrn_dht_tell_loser(struct wrn_dht *dht, struct wrn_now now, const uint8_t *owner,
                        wrn_span winner);

/* The same for what a neighbour has, who vouches for its claim since 'claim_s'. Where another owner
 * has the key, the claims are weighed: RATE, and no entry, until that is done. With 'is_strict' the
 * other one stays (KEY_TAKEN). */
enum wrn_reason wrn_dht_admit_copy(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                                   struct wrn_dht_candidate *candidate, int64_t claim_s,
                                   bool is_strict, uint32_t *ret_entry);

/* Sends a message to a neighbour; routes one (header: target, mode, via). */
void wrn_dht_send(struct wrn_dht *dht, wrn_handle peer, const struct wrn_dht_fields *fields);
enum wrn_reason wrn_dht_route(struct wrn_dht *dht, const struct wrn_route_header *header,
                              const struct wrn_dht_fields *fields);

/* Sets when the machine is due anew, after an input. */
void wrn_dht_update_due(struct wrn_dht *dht);

/* ---- dht_answer.c: questions of others ---- */

/* Answers a GET, or an ASK by which a neighbour passed one on. */
void wrn_dht_answer(struct wrn_dht *dht, struct wrn_now now, const struct wrn_dht_writer *asker,
                    const struct wrn_dht_fields *question, bool is_forwarded);

/* ---- dht_request.c: the client ---- */

/* Begins a request of this node's own: stores again, for a kept record or to hand one over. False:
 * one is under way. */
bool wrn_dht_request_inner(struct wrn_dht *dht, struct wrn_now now, enum wrn_dht_request_kind kind,
                           uint32_t tag, const struct wrn_dht_candidate *candidate, bool is_again);
void wrn_dht_request_on_answer(struct wrn_dht *dht, struct wrn_now now, wrn_id responder,
                               const struct wrn_dht_fields *answer);
void wrn_dht_request_on_stored(struct wrn_dht *dht, struct wrn_now now, wrn_id responder,
                               const struct wrn_dht_fields *stored);
void wrn_dht_request_on_own(struct wrn_dht *dht, struct wrn_now now, uint64_t nonce);
void wrn_dht_request_on_failed(struct wrn_dht *dht, struct wrn_now now, enum wrn_reason reason,
                               uint64_t nonce);
void wrn_dht_request_on_time(struct wrn_dht *dht, struct wrn_now now);
wrn_mono wrn_dht_request_due(const struct wrn_dht *dht);

/* ---- dht_keep.c: own records ---- */

/* What became of storing a kept record again; 'winner' for KEY_TAKEN and STALE. */
void wrn_dht_keep_on_done(struct wrn_dht *dht, struct wrn_now now, uint32_t index, uint64_t version,
                          enum wrn_reason reason, const struct wrn_dht_candidate *winner);
/* Somebody says that this record won against one of ours. */
void wrn_dht_keep_on_loss(struct wrn_dht *dht, struct wrn_now now, wrn_span winner);
/* The ring was found after this node was alone. */
void wrn_dht_keep_on_found(struct wrn_dht *dht, wrn_mono now);
/* The holders took this version. */
void wrn_dht_keep_on_stored(struct wrn_dht *dht, uint64_t version);
/* Tells whether a version is kept of which the holders took it, or the one before. */
bool wrn_dht_keep_was_stored(const struct wrn_dht *dht, uint64_t version);
void wrn_dht_keep_on_time(struct wrn_dht *dht, struct wrn_now now);
wrn_mono wrn_dht_keep_due(const struct wrn_dht *dht);

/* ---- dht_write.c: stores of writers, questions ---- */

/* Stores for a writer, copies to the other holders, and tells the writer; or passes it on to a
 * holder, unless a neighbour did that already. 'store' is a STORE or a PASS. */
void wrn_dht_write_begin(struct wrn_dht *dht, struct wrn_now now, wrn_handle from,
                         const struct wrn_dht_writer *writer, const struct wrn_dht_fields *store);
/* Tells whether the answer belonged to a write. */
bool wrn_dht_write_on_copied(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                             const struct wrn_dht_fields *copied);
void wrn_dht_write_on_time(struct wrn_dht *dht, struct wrn_now now);
wrn_mono wrn_dht_write_due(const struct wrn_dht *dht);

/* ---- dht_weigh.c: whose key is it? ---- */

enum wrn_dht_weight {
    WRN_DHT_WEIGHT_UNKNOWN, /* the others are being asked: once more, in a second */
    WRN_DHT_WEIGHT_STAYS,   /* the record that is here */
    WRN_DHT_WEIGHT_YIELDS,  /* to the candidate */
};

/* Weighs a verified CREATE against the one of another owner that is at 'existing'. YIELDS: since
 * when we vouch for the candidate. */
enum wrn_dht_weight wrn_dht_weigh(struct wrn_dht *dht, struct wrn_now now,
                                  const struct wrn_dht_candidate *candidate, uint32_t existing,
                                  int64_t *ret_claim_s);
/* The live CREATE of an owner that we hold at a place; NULL: none. */
struct wrn_dht_entry *wrn_dht_claim_held(const struct wrn_dht *dht, wrn_id place,
                                         const uint8_t *owner);
/* Tells whether claims at this place differ and may soon be found not to: it is worth comparing. */
bool wrn_dht_weigh_goes_on(const struct wrn_dht *dht, wrn_id place);
/* Has the others asked, soon, since when they vouch for a record that came as a copy. */
void wrn_dht_weigh_later(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_entry *entry);
void wrn_dht_weigh_on_weigh(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                            const struct wrn_dht_fields *weigh);
void wrn_dht_weigh_on_weighed(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                              const struct wrn_dht_fields *words);
void wrn_dht_weigh_on_time(struct wrn_dht *dht, struct wrn_now now);
wrn_mono wrn_dht_weigh_due(const struct wrn_dht *dht);

/* ---- dht_copies.c: copies among the holders ---- */

/* The near nodes have been learned anew. */
void wrn_dht_copies_on_neighbours(struct wrn_dht *dht, wrn_mono now);
/* A holder was asked for this key: compares it with the others if that is long ago. */
void wrn_dht_copies_check(struct wrn_dht *dht, wrn_mono now, wrn_id place);
void wrn_dht_copies_on_copy(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                            const struct wrn_dht_fields *copy);
void wrn_dht_copies_on_copied(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                              const struct wrn_dht_fields *copied);
void wrn_dht_copies_on_digest(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                              const struct wrn_dht_fields *digest);
void wrn_dht_copies_on_want(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                            const struct wrn_dht_fields *want);
/* A record was handed over, or why not. */
void wrn_dht_copies_on_handed(struct wrn_dht *dht, struct wrn_now now, uint32_t entry,
                              uint64_t version, enum wrn_reason reason,
                              const struct wrn_dht_candidate *winner);
/* The peer has this version of an entry. Nothing happens if it is no partner. */
void wrn_dht_copies_note(struct wrn_dht *dht, wrn_handle peer, struct wrn_dht_entry *entry);
/* Tells whether a linked neighbour is known to have this version of an entry. */
bool wrn_dht_copies_is_known(const struct wrn_dht *dht, wrn_handle peer,
                             const struct wrn_dht_entry *entry);
/* Not all holders have it: compares with them soon. */
void wrn_dht_copies_soon(struct wrn_dht *dht, wrn_mono now);
/* Returns how many of the other holders are known to have it. */
uint32_t wrn_dht_copies_known(const struct wrn_dht *dht, const struct wrn_dht_entry *entry);

/* Whether a record of this place finds room here, if it comes. Place: its first 64 bits. */
bool wrn_dht_copies_has_room(const struct wrn_dht *dht, uint64_t place);

/* Finds a record that this node is no holder of, and that two holders are known to have; it may go
 * when room is needed. WRN_DHT_NO_ENTRY if there is none. drop_spare lets it go: false if none. */
uint32_t wrn_dht_copies_find_spare(const struct wrn_dht *dht);
bool wrn_dht_copies_drop_spare(struct wrn_dht *dht);
void wrn_dht_copies_on_time(struct wrn_dht *dht, struct wrn_now now);
wrn_mono wrn_dht_copies_due(const struct wrn_dht *dht);
