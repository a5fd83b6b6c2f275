/* SPDX-License-Identifier: Apache-2.0 */
/* The distributed table of one ring: holds records for others, keeps four copies of each near its
 * key, mends them, and is the client of the others for this node. Holders believe nothing that they
 * have not verified. */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "base/rand.h"
#include "overlay/links.h"
#include "overlay/reason.h"
#include "overlay/record.h"
#include "overlay/route.h"

enum { WRN_DHT_COPIES = 4 };

/* What a family of keys ("addr", "name", "node", …) demands of a record besides its signature.
 * Returns NONE or why not. Must be a function of its arguments: all holders decide alike. */
typedef enum wrn_reason wrn_dht_rule(void *ctx, const struct wrn_record *record, wrn_wall now);

enum wrn_dht_verb { WRN_DHT_GET, WRN_DHT_STORE }; /* STORE: put, create, renew, delete */

/* What became of a request. */
struct wrn_dht_answer {
    uint32_t tag;
    enum wrn_dht_verb verb;
    enum wrn_reason reason; /* NONE: done. GET of nothing: NOT_FOUND, two holders say so (or all
                             * that there are); TIMEOUT, not certain; STALE, only older versions
                             * than one that this node saw before */
    wrn_span record;        /* GET: one of the records, verified; several calls if there are many;
                             * the last one may come without a record. STORE refused as KEY_TAKEN
                             * or STALE: the record that is there, verified */
    bool is_last;
    uint8_t copies; /* STORE: how many holders have it now, as far as is known */
    uint32_t took_ms;
};

/* None may call back into the machine but where it says so. */
struct wrn_dht_port {
    void *ctx;
    /* Routes a payload of kind DHT. May deliver it to this very node (wrn_dht_on_payload) before it
     * returns, though the machine asks itself first where it is nearest. */
    enum wrn_reason (*route)(void *ctx, const struct wrn_route_header *header, wrn_span payload);
    /* Sends a message of kind DHT to a peer with a link. */
    void (*send)(void *ctx, wrn_handle peer, wrn_span message);
    /* An answer to a request of this node, never before the call that began it has returned. May
     * begin others. */
    void (*answer)(void *ctx, const struct wrn_dht_answer *answer);
    /* A record that this node keeps alive (wrn_dht_keep) lost its key to an older claim (KEY_TAKEN,
     * 'winner' is the record that has it), there is a newer version (STALE, 'winner'), it ended
     * without having been renewed (EXPIRED), or it was refused: it is kept no longer. May keep and
     * store others. */
    void (*lost)(void *ctx, wrn_span record, wrn_span winner, enum wrn_reason reason);
};

struct wrn_dht_options {
    uint32_t records_max;      /* that we hold for others */
    uint32_t bytes_max;        /* of them all */
    uint32_t writer_bytes_max; /* of one owner's, here */
    uint32_t requests_max;     /* of our own at the same time */
    uint32_t kept_max;         /* own records that are renewed by themselves */
    uint32_t own_bytes;        /* of requests (key or record) and kept records, all together; 0:
                                * enough for all of them, however large. FULL when it is full */
    wrn_dht_rule *rule;        /* NULL: all that is signed */
    void *rule_ctx;
};

/* X(NAME, name) */
#define WRN_DHT_COUNT_LIST(X)                                                                      \
    X(STORED, stored)                                                                              \
    X(RENEWED, renewed)                                                                            \
    X(DELETED, deleted)                                                                            \
    X(EXPIRED, expired)                                                                            \
    X(REPAIRED, repaired) /* a copy was sent to a holder that lacked it */                         \
    X(HANDED_OVER, handed_over)                                                                    \
    X(CONFLICTS, conflicts)                                                                        \
    X(REFUSED_SIGNATURE, refused_signature)                                                        \
    X(REFUSED_TIME, refused_time)                                                                  \
    X(REFUSED_STALE, refused_stale)                                                                \
    X(REFUSED_RULE, refused_rule)                                                                  \
    X(REFUSED_QUOTA, refused_quota)                                                                \
    X(REFUSED_FULL, refused_full)                                                                  \
    X(REFUSED_PLACE, refused_place) /* this node is not near the key */                            \
    X(REFUSED_TAKEN, refused_taken)                                                                \
    X(REFUSED_RATE, refused_rate) /* asked again by the sender, later */                           \
    X(ANSWERED, answered)         /* questions of others, and our own that end here */             \
    X(DROPPED, dropped)           /* others hold it now, we are far from it */                     \
    X(MALFORMED, malformed)                                                                        \
    X(FALSE_ANSWERS, false_answers) /* records in answers that do not verify or do not belong */   \
    X(STALE_ANSWERS, stale_answers) /* ... that are older than what this node saw before */

enum wrn_dht_count {
#define X(upper, lower) WRN_DHT_COUNT_##upper,
    WRN_DHT_COUNT_LIST(X)
#undef X
        WRN_DHT_COUNTS
};

struct wrn_dht;

/* Builds the machine; NULL while the arena measures. */
struct wrn_dht *wrn_dht_init(struct wrn_arena *arena, const struct wrn_dht_options *options,
                             const struct wrn_links *links, const struct wrn_primitives *primitives,
                             struct wrn_dht_port port, struct wrn_rand rand);

/* Asks for the records under a key (1..WRN_RECORD_KEY_MAX bytes). Ends with port.answer(is_last)
 * within 15 s, a little more if there are many records. NONE, FULL, TOO_LARGE. */
enum wrn_reason wrn_dht_get(struct wrn_dht *dht, struct wrn_now now, uint32_t tag, wrn_span key);

/* Stores a signed record (put, create, renew, delete) at its holders. Ends with port.answer within
 * 15 s: NONE when two holders have it (or all that there are, or fewer for want of answers:
 * 'copies'); else why not. Returns NONE, FULL, MALFORMED, TOO_LARGE; BAD_SIGNATURE, EXPIRED,
 * NOT_YET: no holder would take it. What the family's rule refuses (RULE) is answered at once. */
enum wrn_reason wrn_dht_store(struct wrn_dht *dht, struct wrn_now now, uint32_t tag,
                              wrn_span record);

/* Keeps a record of our own stored: stores it again from time to time (at once after this node was
 * alone), which its holders notice only if they lack it. Whoever has the key signs it anew: the
 * caller is told in time by wrn_dht_due_renewal; then it calls store and keep with the new one.
 * Replaces the version with the same key, owner and value (of CREATE: any value). NONE, FULL,
 * MALFORMED, TOO_LARGE. */
enum wrn_reason wrn_dht_keep(struct wrn_dht *dht, struct wrn_now now, wrn_span record);

/* Finds since when a kept CREATE claims its key; false if none is kept under it. */
bool wrn_dht_kept_claim(const struct wrn_dht *dht, wrn_span key, int64_t *ret_claimed_s);

/* Returns the record that is kept under a key, a CREATE first; empty if there is none. */
wrn_span wrn_dht_kept(const struct wrn_dht *dht, wrn_span key);

/* Keeps the records under a key no longer; they end with their time. */
void wrn_dht_keep_no_more(struct wrn_dht *dht, wrn_span key);

/* Returns a kept record that is to be signed anew (about half of its life is over), or an empty
 * span. It is the same one until it was replaced by wrn_dht_keep or is kept no more. Ask after
 * wrn_dht_on_time, which comes when a record gets due. */
wrn_span wrn_dht_due_renewal(const struct wrn_dht *dht, struct wrn_now now);

/* A routed payload of kind DHT was delivered here; a message of kind DHT came from a peer. */
void wrn_dht_on_payload(struct wrn_dht *dht, struct wrn_now now,
                        const struct wrn_route_header *header, wrn_handle from, wrn_span payload);
void wrn_dht_on_message(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer, wrn_span message);

/* A request of ours could not be delivered. */
void wrn_dht_on_undelivered(struct wrn_dht *dht, struct wrn_now now, enum wrn_reason reason,
                            wrn_span payload);

/* Near neighbours came or went: copies may have to move. Cheap; call it at every change. */
void wrn_dht_on_neighbours(struct wrn_dht *dht, struct wrn_now now);

/* Time. Never due in the past after on_time. */
void wrn_dht_on_time(struct wrn_dht *dht, struct wrn_now now);
wrn_mono wrn_dht_due(const struct wrn_dht *dht);

/* Walks the records that this node holds: start with *cursor = 0; empty at the end. */
wrn_span wrn_dht_next_held(const struct wrn_dht *dht, uint32_t *cursor);

/* Returns a counter. */
uint64_t wrn_dht_count(const struct wrn_dht *dht, enum wrn_dht_count count);
