/* SPDX-License-Identifier: Apache-2.0 */
/* The certificates of one network that have been taken back: the newest list (CRL) of each issuer,
 * verified, bounded, and the means to have the same as the peers. Pure; sends nothing.
 *
 * A certificate is revoked if a list names its hash and that list is
 *     - of the certificate's own issuer, or
 *     - of the network's owner, or
 *     - of somebody whose chain, which came with the list, gave (admin) at the list's date, as long
 *       as none of the certificates of that chain is named by its own issuer or by the owner. So
 *       who takes (admin) from a thief takes the thief's word, too; what he rightly took back is to
 *       be named anew.
 * It is so from the moment when the list is known. Its date orders the lists of an issuer, no more;
 * lists do not end. What an older list named and a newer one leaves out stays revoked where the
 * older one is known: of each issuer one such list is kept, the longest. So what is revoked depends
 * on which lists are known, not on the order in which they came (but for such leavings).
 *
 * Bytes of a list with its issuer's chain, as peers tell each other, as they lie in the DHT and on
 * disk (docs/networks.md):
 *     version(1) date(8) issuer(32) signature(64) count(2) hashes(32 each, ascending) chain(rest)
 * It stands for the (crl ...) of docs/certificates.md, which is what is signed. */
#pragma once
#include "network/judge.h"

enum {
    WRN_REVOKED_HASHES_MAX = 256, /* in a list */
    WRN_REVOKED_LIST_HEAD = 107,  /* bytes of a list without hashes and chain */
    WRN_REVOKED_LIST_MAX = WRN_REVOKED_LIST_HEAD + 32 * WRN_REVOKED_HASHES_MAX + 1100,
    WRN_REVOKED_AHEAD_MAX_S = 86400, /* how far in the future a list may be dated */
    WRN_REVOKED_HEAD_SIZE = 32,      /* of a list, in an offer */
};

struct wrn_revoked_options {
    /* Lists (two at most of each issuer), and bytes of them all. Those who may invite but not
     * administer have at most half of each, and one of their lists a sixteenth of the bytes. */
    uint32_t lists_max; /* 8..4096 */
    uint32_t bytes_max; /* at least 4 * WRN_REVOKED_LIST_MAX */
};

struct wrn_revoked;

/* Builds the machine; NULL while the arena measures. 'judge' is the network's, and stays. */
struct wrn_revoked *wrn_revoked_init(struct wrn_arena *arena,
                                     const struct wrn_revoked_options *options,
                                     struct wrn_judge *judge);

/* Takes a list. Returns NONE and whether it was new ('ret_is_new'; then the state has changed:
 * pass it on, and wrn_overlay_admit_again); a list that is known with a chain that proves more is
 * new, too. Else
 *     MALFORMED      not what is described above
 *     BAD_SIGNATURE  not its issuer's
 *     NOT_YET        dated more than a day ahead of 'now_s': a clock is wrong
 *     STALE          a newer one of this issuer is known
 *     NOT_ADMITTED   the issuer showed no chain that gave (admin), or an (invite) without a
 *                    number, at the list's date
 *     FULL           no room: lists of those who lost the right to have one have given way before,
 *                    and all others for the owner's
 * What is known already, or STALE, costs no verification. O(lists x log hashes) besides. */
enum wrn_reason wrn_revoked_add(struct wrn_revoked *revoked, int64_t now_s, wrn_span list,
                                bool *ret_is_new);

/* Decides about a list and a chain as wrn_revoked_add does, but for STALE and FULL, and keeps
 * nothing; so by its arguments alone, for the rule of the DHT. 'list' is without a chain. */
enum wrn_reason wrn_revoked_check(struct wrn_revoked *revoked, int64_t now_s,
                                  const uint8_t issuer[WRN_SIGN_PUBLIC_SIZE], wrn_span list,
                                  wrn_span chain);

/* Tells whether a certificate is revoked, and by whom. O(lists x log hashes). */
bool wrn_revoked_has(const struct wrn_revoked *revoked, const uint8_t hash[WRN_SHA256_SIZE],
                     const uint8_t issuer[WRN_SIGN_PUBLIC_SIZE],
                     uint8_t ret_by[WRN_SIGN_PUBLIC_SIZE]);

/* The same for wrn_judge. */
struct wrn_judge_cancelled wrn_revoked_cancelled(struct wrn_revoked *revoked);

/* Changes when answers may change; never 0. */
uint64_t wrn_revoked_version(const struct wrn_revoked *revoked);

/* Writes the next list of the issuer with this seed: what is known of his, and 'count' hashes more
 * (32 bytes each, in any order), dated 'now_s' or a second after his last one. 'chain' is his,
 * empty for the owner. Returns the size of the list, which is to be given to wrn_revoked_add; 0 if
 * it does not fit or there would be more than WRN_REVOKED_HASHES_MAX hashes. Not before he has
 * heard from peers: what he does not know of his own older lists is missing in the new one. */
size_t wrn_revoked_write(const struct wrn_revoked *revoked, const uint8_t seed[WRN_SEED_SIZE],
                         int64_t now_s, const uint8_t *hashes, size_t count, wrn_span chain,
                         uint8_t *out, size_t capacity);

/* ---- The end of a network: a list of the owner that names this mark, and nothing else, so that it
 * always fits into a record. It travels and is kept as all lists are; of anybody else it is naught.
 */

/* Writes the mark of the network with this id. */
void wrn_revoked_end_mark(const uint8_t network_id[WRN_NETWORK_ID_SIZE],
                          uint8_t ret_mark[WRN_SHA256_SIZE]);

/* Writes the owner's list that ends the network, as wrn_revoked_write. */
size_t wrn_revoked_write_end(const struct wrn_revoked *revoked, const uint8_t seed[WRN_SEED_SIZE],
                             int64_t now_s, const uint8_t mark[WRN_SHA256_SIZE], uint8_t *out,
                             size_t capacity);

/* Tells whether the owner has ended the network, and when by his list's date. */
bool wrn_revoked_is_ended(const struct wrn_revoked *revoked, const uint8_t mark[WRN_SHA256_SIZE],
                          int64_t *ret_date_s);

/* ---- Having the same as a peer. When digests differ, each sends its offers (in as many messages
 * as they need); who gets one sends what the other lacks, and its own offers if it lacks
 * something itself. Nobody trusts an offer: it only saves bytes. */

/* A hash of the heads of the newest lists, in ascending order. Of an empty state too. */
void wrn_revoked_digest(const struct wrn_revoked *revoked, uint8_t ret_digest[WRN_SHA256_SIZE]);

/* Writes the next offer: start with *cursor = 0. Returns its size, at most 'capacity' (at least
 * 128), 0 at the end. An empty state makes one offer. */
size_t wrn_revoked_offer(const struct wrn_revoked *revoked, uint32_t *cursor, uint8_t *out,
                         size_t capacity);

/* Tells whether an offer has something that we lack. False too for what is no offer. */
bool wrn_revoked_lacks(const struct wrn_revoked *revoked, wrn_span offer);

/* Walks what the sender of an offer lacks: start with *cursor = 0; empty at the end. What is
 * larger than a datagram the caller cuts. */
wrn_span wrn_revoked_next_for(const struct wrn_revoked *revoked, wrn_span offer, uint32_t *cursor);

/* Walks all lists, ascending by issuer, the newest and those kept besides. */
wrn_span wrn_revoked_next(const struct wrn_revoked *revoked, uint32_t *cursor);

/* ---- The disk. */

/* Writes all lists: one state has one form. Returns the size, 0 if it does not fit. */
size_t wrn_revoked_save(const struct wrn_revoked *revoked, uint8_t *out, size_t capacity);
size_t wrn_revoked_save_size(const struct wrn_revoked *revoked);

/* Takes them back into an empty machine, verified as if peers had sent them; the clock need not be
 * right. NONE; MALFORMED, or why the first one was refused: what came before that counts. */
enum wrn_reason wrn_revoked_restore(struct wrn_revoked *revoked, wrn_span saved);

/* X(NAME, name) */
#define WRN_REVOKED_COUNT_LIST(X)                                                                  \
    X(ADDED, added)                                                                                \
    X(KNOWN, known)                                                                                \
    X(STALE, stale)                                                                                \
    X(MALFORMED, malformed)                                                                        \
    X(BAD_SIGNATURE, bad_signature)                                                                \
    X(NOT_YET, not_yet)                                                                            \
    X(NOT_ADMITTED, not_admitted)                                                                  \
    X(FULL, full)                                                                                  \
    X(GAVE_WAY, gave_way)     /* lists of those who may have none any more, for others */          \
    X(NAMED_LESS, named_less) /* newer lists that left out what an older one named */

enum wrn_revoked_count {
#define X(upper, lower) WRN_REVOKED_COUNT_##upper,
    WRN_REVOKED_COUNT_LIST(X)
#undef X
        WRN_REVOKED_COUNTS
};

/* Returns a counter; its name, for metrics (static text). */
uint64_t wrn_revoked_count(const struct wrn_revoked *revoked, enum wrn_revoked_count count);
const char *wrn_revoked_count_name(enum wrn_revoked_count count);
