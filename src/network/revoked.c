/* SPDX-License-Identifier: Apache-2.0 */
/* Takes lists, makes room for them, and looks certificates up in them. Knows nothing of peers. */
#include "network/revoked.h"

#include "base/wire.h"
#include "network/revoked_internal.h"
#include "overlay/limits.h"
#include "overlay/record.h"
#include "spki/cert.h"

enum {
    VERSION = 1,
    HASH = WRN_SHA256_SIZE,
    INVITER_SHARE = 16, /* of the bytes, for one list of who may only invite */
};
#define LABEL "warren crl 1"

/* What taking a list changes: what of its issuer goes, what stays besides. */
struct change {
    struct wrn_revoked_parsed parsed;
    struct wrn_revoked_proof proof;
    uint32_t size; /* in the pool */
};

static bool parse(wrn_span bytes, struct wrn_revoked_parsed *ret_parsed);
static bool is_signed(const struct wrn_revoked *revoked, const struct wrn_revoked_parsed *parsed);
static struct wrn_sexp write_crl(const struct wrn_revoked *revoked, const uint8_t *issuer,
                                 int64_t date_s, const uint8_t *hashes, size_t count);
static enum wrn_reason prove(struct wrn_revoked *revoked, const struct wrn_revoked_parsed *parsed,
                             struct wrn_revoked_proof *ret_proof);
static enum wrn_reason take(struct wrn_revoked *revoked, int64_t now_s, struct change *change,
                            bool *ret_is_new);
static enum wrn_reason take_again(struct wrn_revoked *revoked, struct wrn_revoked_list *known,
                                  struct change *change, bool *ret_is_new);
static enum wrn_reason replace(struct wrn_revoked *revoked, struct change *change);
static bool make_room(struct wrn_revoked *revoked, const struct change *change,
                      const struct wrn_revoked_list *gone, size_t gone_count);
static bool fits(const struct wrn_revoked *revoked, const struct change *change,
                 const struct wrn_revoked_list *gone, size_t gone_count);
static struct wrn_revoked_list *to_give_way(struct wrn_revoked *revoked,
                                            const struct change *change);
static void append(struct wrn_revoked *revoked, const struct change *change);
static void remove_list(struct wrn_revoked *revoked, struct wrn_revoked_list *list);
static struct wrn_revoked_list *find_list(const struct wrn_revoked *revoked, const uint8_t *issuer,
                                          bool is_newest);
static uint32_t first_of(const struct wrn_revoked *revoked, const uint8_t *issuer);
static uint32_t pool_size(const struct wrn_revoked_list *list);
static int compare_age(int64_t date_s, const uint8_t *hash, const struct wrn_revoked_list *list);
static bool names(const struct wrn_revoked *revoked, const struct wrn_revoked_list *list,
                  const uint8_t *hash);
static bool names_all(const struct wrn_revoked *revoked, const struct wrn_revoked_parsed *parsed,
                      const struct wrn_revoked_list *list);
static bool find_hash(const uint8_t *hashes, size_t count, const uint8_t *hash, size_t *ret_place);
static bool is_withdrawn(const struct wrn_revoked *revoked, const uint8_t *hash,
                         const uint8_t *issuer, uint8_t *ret_by);
static bool still_stands(const struct wrn_revoked *revoked, const struct wrn_revoked_list *list);
static void settle(struct wrn_revoked *revoked);
static bool has(void *ctx, const uint8_t *hash, const uint8_t *issuer, uint8_t *ret_by);
static size_t write_list(const struct wrn_revoked *revoked, const uint8_t *seed, int64_t now_s,
                         const uint8_t *all, size_t all_count, wrn_span chain, uint8_t *out,
                         size_t capacity);
static size_t gather(const struct wrn_revoked *revoked, const uint8_t *issuer,
                     const uint8_t *hashes, size_t count, uint8_t *all);
static bool gather_one(uint8_t *all, size_t *count, const uint8_t *hash);

struct wrn_revoked *wrn_revoked_init(struct wrn_arena *arena,
                                     const struct wrn_revoked_options *options,
                                     struct wrn_judge *judge) {
    WRN_ASSERT(options->lists_max >= 8 && options->lists_max <= 4096);
    WRN_ASSERT(options->bytes_max >= 4 * WRN_REVOKED_LIST_MAX && options->bytes_max < 1U << 30);
    struct wrn_revoked *revoked = wrn_arena_take(arena, 1, sizeof *revoked);
    struct wrn_revoked_list *lists = wrn_arena_take(arena, options->lists_max, sizeof *lists);
    uint8_t *bytes = wrn_arena_take(arena, options->bytes_max, 1);
    if (revoked == NULL) {
        return NULL;
    }
    *revoked = (struct wrn_revoked){
        .options = *options, .judge = judge, .lists = lists, .bytes = bytes, .version = 1};
    return revoked;
}

enum wrn_reason wrn_revoked_add(struct wrn_revoked *revoked, int64_t now_s, wrn_span list,
                                bool *ret_is_new) {
    struct change change = {.size = 0};
    enum wrn_reason reason = WRN_REASON_MALFORMED;
    *ret_is_new = false;
    if (parse(list, &change.parsed)) {
        reason = take(revoked, now_s, &change, ret_is_new);
    }
    static const struct {
        enum wrn_reason reason;
        enum wrn_revoked_count count;
    } counts[] = {
        {WRN_REASON_MALFORMED, WRN_REVOKED_COUNT_MALFORMED},
        {WRN_REASON_BAD_SIGNATURE, WRN_REVOKED_COUNT_BAD_SIGNATURE},
        {WRN_REASON_NOT_YET, WRN_REVOKED_COUNT_NOT_YET},
        {WRN_REASON_STALE, WRN_REVOKED_COUNT_STALE},
        {WRN_REASON_NOT_ADMITTED, WRN_REVOKED_COUNT_NOT_ADMITTED},
        {WRN_REASON_FULL, WRN_REVOKED_COUNT_FULL},
    };
    for (size_t i = 0; i < WRN_COUNT(counts); i++) {
        revoked->counts[counts[i].count] += reason == counts[i].reason;
    }
    if (reason == WRN_REASON_NONE) {
        revoked->counts[*ret_is_new ? WRN_REVOKED_COUNT_ADDED : WRN_REVOKED_COUNT_KNOWN]++;
    }
    return reason;
}

enum wrn_reason wrn_revoked_check(struct wrn_revoked *revoked, int64_t now_s,
                                  const uint8_t issuer[WRN_SIGN_PUBLIC_SIZE], wrn_span list,
                                  wrn_span chain) {
    struct wrn_revoked_parsed parsed;
    struct wrn_revoked_proof proof;
    if (!parse(list, &parsed) || parsed.chain.size != 0 || chain.size > WRN_CREDENTIAL_MAX) {
        return WRN_REASON_MALFORMED;
    }
    if (memcmp(parsed.issuer, issuer, WRN_SIGN_PUBLIC_SIZE) != 0) {
        return WRN_REASON_NOT_OWNER;
    }
    if (parsed.date_s - WRN_REVOKED_AHEAD_MAX_S > now_s) {
        return WRN_REASON_NOT_YET;
    }
    parsed.chain = chain;
    return is_signed(revoked, &parsed) ? prove(revoked, &parsed, &proof) : WRN_REASON_BAD_SIGNATURE;
}

bool wrn_revoked_has(const struct wrn_revoked *revoked, const uint8_t hash[WRN_SHA256_SIZE],
                     const uint8_t issuer[WRN_SIGN_PUBLIC_SIZE],
                     uint8_t ret_by[WRN_SIGN_PUBLIC_SIZE]) {
    if (is_withdrawn(revoked, hash, issuer, ret_by)) {
        return true;
    }
    for (uint32_t i = 0; i < revoked->count; i++) {
        const struct wrn_revoked_list *list = &revoked->lists[i];
        if (list->rank == WRN_REVOKED_ADMIN && list->stands && names(revoked, list, hash)) {
            memcpy(ret_by, list->issuer, WRN_SIGN_PUBLIC_SIZE);
            return true;
        }
    }
    return false;
}

struct wrn_judge_cancelled wrn_revoked_cancelled(struct wrn_revoked *revoked) {
    return (struct wrn_judge_cancelled){has, revoked, revoked->version};
}

uint64_t wrn_revoked_version(const struct wrn_revoked *revoked) {
    return revoked->version;
}

size_t wrn_revoked_write(const struct wrn_revoked *revoked, const uint8_t seed[WRN_SEED_SIZE],
                         int64_t now_s, const uint8_t *hashes, size_t count, wrn_span chain,
                         uint8_t *out, size_t capacity) {
    uint8_t all[WRN_REVOKED_HASHES_MAX][HASH];
    uint8_t issuer[WRN_SIGN_PUBLIC_SIZE];
    if (!wrn_sign_public(seed, issuer) || chain.size > WRN_CREDENTIAL_MAX) {
        return 0;
    }
    size_t all_count = gather(revoked, issuer, hashes, count, all[0]);
    return write_list(revoked, seed, now_s, all[0], all_count, chain, out, capacity);
}

void wrn_revoked_end_mark(const uint8_t network_id[WRN_NETWORK_ID_SIZE],
                          uint8_t ret_mark[WRN_SHA256_SIZE]) {
    static const char label[] = "warren network end 1"; /* with its zero byte */
    wrn_sha256((wrn_span){(const uint8_t *)label, sizeof label},
               (wrn_span){network_id, WRN_NETWORK_ID_SIZE}, ret_mark);
}

size_t wrn_revoked_write_end(const struct wrn_revoked *revoked, const uint8_t seed[WRN_SEED_SIZE],
                             int64_t now_s, const uint8_t mark[WRN_SHA256_SIZE], uint8_t *out,
                             size_t capacity) {
    return write_list(revoked, seed, now_s, mark, 1, (wrn_span){NULL, 0}, out, capacity);
}

bool wrn_revoked_is_ended(const struct wrn_revoked *revoked, const uint8_t mark[WRN_SHA256_SIZE],
                          int64_t *ret_date_s) {
    for (uint32_t i = 0; i < revoked->count; i++) {
        const struct wrn_revoked_list *list = &revoked->lists[i];
        if (list->rank == WRN_REVOKED_OWNER && names(revoked, list, mark)) {
            *ret_date_s = list->date_s;
            return true;
        }
    }
    return false;
}

/* 'all' is ascending. */
static size_t write_list(const struct wrn_revoked *revoked, const uint8_t *seed, int64_t now_s,
                         const uint8_t *all, size_t all_count, wrn_span chain, uint8_t *out,
                         size_t capacity) {
    uint8_t issuer[WRN_SIGN_PUBLIC_SIZE], signature[WRN_SIGNATURE_SIZE];
    struct wrn_writer writer = wrn_writer(out, capacity);
    if (!wrn_sign_public(seed, issuer)) {
        return 0;
    }
    const struct wrn_revoked_list *last = find_list(revoked, issuer, true);
    int64_t date_s = last != NULL && last->date_s >= now_s ? last->date_s + 1 : now_s;
    if (all_count > WRN_REVOKED_HASHES_MAX || date_s < 0 || date_s >= WRN_RECORD_TIME_MAX_S) {
        return 0;
    }
    struct wrn_sexp crl = write_crl(revoked, issuer, date_s, all, all_count);
    if (!wrn_sign(seed, LABEL, crl.bytes, signature)) {
        return 0;
    }
    wrn_write_u8(&writer, VERSION);
    wrn_write_u64(&writer, (uint64_t)date_s);
    wrn_write_bytes(&writer, issuer, sizeof issuer);
    wrn_write_bytes(&writer, signature, sizeof signature);
    wrn_write_u16(&writer, (uint16_t)all_count);
    wrn_write_bytes(&writer, all, all_count * HASH);
    wrn_write_span(&writer, chain);
    return wrn_written(&writer).size;
}

uint64_t wrn_revoked_count(const struct wrn_revoked *revoked, enum wrn_revoked_count count) {
    return revoked->counts[count];
}

const char *wrn_revoked_count_name(enum wrn_revoked_count count) {
    static const char *const texts[WRN_REVOKED_COUNTS] = {
#define X(upper, lower) [WRN_REVOKED_COUNT_##upper] = #lower,
        WRN_REVOKED_COUNT_LIST(X)
#undef X
    };
    return texts[count];
}

/* ---- Lists as they come */

static bool parse(wrn_span bytes, struct wrn_revoked_parsed *ret_parsed) {
    struct wrn_reader reader = wrn_reader(bytes);
    struct wrn_revoked_parsed *parsed = ret_parsed;
    uint8_t version = wrn_read_u8(&reader);
    uint64_t date = wrn_read_u64(&reader);
    parsed->issuer = wrn_read_span(&reader, WRN_SIGN_PUBLIC_SIZE).data;
    parsed->signature = wrn_read_span(&reader, WRN_SIGNATURE_SIZE).data;
    parsed->count = wrn_read_u16(&reader);
    parsed->hashes = wrn_read_span(&reader, (size_t)parsed->count * HASH).data;
    parsed->chain = wrn_read_rest(&reader);
    if (reader.failed || version != VERSION || date >= (uint64_t)WRN_RECORD_TIME_MAX_S ||
        parsed->count > WRN_REVOKED_HASHES_MAX || parsed->chain.size > WRN_CREDENTIAL_MAX) {
        return false;
    }
    for (size_t i = 1; i < parsed->count; i++) {
        if (memcmp(parsed->hashes + (i - 1) * HASH, parsed->hashes + i * HASH, HASH) >= 0) {
            return false;
        }
    }
    parsed->date_s = (int64_t)date;
    parsed->list = (wrn_span){bytes.data, bytes.size - parsed->chain.size};
    wrn_sha256(parsed->list, (wrn_span){NULL, 0}, parsed->hash);
    return true;
}

static bool is_signed(const struct wrn_revoked *revoked, const struct wrn_revoked_parsed *parsed) {
    struct wrn_sexp crl =
        write_crl(revoked, parsed->issuer, parsed->date_s, parsed->hashes, parsed->count);
    return wrn_sign_verify(parsed->issuer, LABEL, crl.bytes, parsed->signature);
}

/* The canonical (crl ...), in the room of the judge. */
static struct wrn_sexp write_crl(const struct wrn_revoked *revoked, const uint8_t *issuer,
                                 int64_t date_s, const uint8_t *hashes, size_t count) {
    uint8_t key[WRN_SPKI_KEY_SEXP_SIZE];
    char date[WRN_SPKI_DATE_SIZE];
    struct wrn_sexp_writer writer =
        wrn_sexp_writer(wrn_judge_room(revoked->judge), WRN_PACK_EXPANDED_MAX);
    struct wrn_sexp crl;
    bool is_date = wrn_spki_date_write(date_s, date);
    WRN_ASSERT(is_date);
    const struct wrn_spki_validity validity = {.not_before = {(const uint8_t *)date, sizeof date}};
    wrn_spki_write_crl(&writer, wrn_spki_key_sexp(issuer, key), hashes, count, &validity);
    int error = wrn_sexp_finish(&writer, &crl);
    WRN_ASSERT(error == 0);
    return crl;
}

/* Finds whose word it is, by the chain and the list's date alone. */
static enum wrn_reason prove(struct wrn_revoked *revoked, const struct wrn_revoked_parsed *parsed,
                             struct wrn_revoked_proof *ret_proof) {
    const struct wrn_judge_question question = {
        .chain = parsed->chain, .public_key = parsed->issuer, .now_s = parsed->date_s};
    const struct wrn_rights *rights = &revoked->rights;
    struct wrn_judge_verdict verdict;
    uint16_t used = 0;
    *ret_proof = (struct wrn_revoked_proof){.rank = WRN_REVOKED_OWNER};
    wrn_judge(revoked->judge, &question, &revoked->rights, &verdict);
    bool may_invite = (rights->flags & WRN_RIGHT_INVITE) != 0 && rights->uses_high == UINT32_MAX;
    if (verdict.reason != WRN_REASON_NONE ||
        (!may_invite && (rights->flags & WRN_RIGHT_ADMIN) == 0)) {
        return WRN_REASON_NOT_ADMITTED;
    }
    if ((rights->flags & WRN_RIGHT_OWNER) != 0) {
        return WRN_REASON_NONE;
    }
    ret_proof->rank =
        (rights->flags & WRN_RIGHT_ADMIN) != 0 ? WRN_REVOKED_ADMIN : WRN_REVOKED_INVITER;
    for (size_t i = 0; i < rights->grant_count; i++) {
        used |= rights->grants[i];
    }
    for (size_t i = 0; i < rights->cert_count; i++) {
        if ((used >> i & 1) != 0) {
            ret_proof->certs[ret_proof->cert_count++] = rights->certs[i];
        }
    }
    return WRN_REASON_NONE;
}

/* ---- Taking them */

static enum wrn_reason take(struct wrn_revoked *revoked, int64_t now_s, struct change *change,
                            bool *ret_is_new) {
    struct wrn_revoked_parsed *parsed = &change->parsed;
    struct wrn_revoked_list *newest = find_list(revoked, parsed->issuer, true);
    struct wrn_revoked_list *other = find_list(revoked, parsed->issuer, false);
    const struct wrn_pack_frame *frame = wrn_judge_frame(revoked->judge);
    if (memcmp(parsed->issuer, frame->owner, sizeof frame->owner) == 0) {
        parsed->chain = (wrn_span){NULL, 0}; /* nobody needs it, and nobody has signed it */
    }
    int age = newest == NULL ? 1 : compare_age(parsed->date_s, parsed->hash, newest);
    if (age == 0) {
        return take_again(revoked, newest, change, ret_is_new);
    }
    if (age < 0) {
        bool is_other = other != NULL && compare_age(parsed->date_s, parsed->hash, other) == 0;
        return is_other ? WRN_REASON_NONE : WRN_REASON_STALE;
    }
    if (parsed->date_s - WRN_REVOKED_AHEAD_MAX_S > now_s) {
        return WRN_REASON_NOT_YET;
    }
    if (!is_signed(revoked, parsed)) {
        return WRN_REASON_BAD_SIGNATURE;
    }
    enum wrn_reason reason = prove(revoked, parsed, &change->proof);
    reason = reason == WRN_REASON_NONE ? replace(revoked, change) : reason;
    *ret_is_new = reason == WRN_REASON_NONE;
    return reason;
}

/* A known list. Its chain is not signed with it: another one may prove more than that which came
 * first, from whomever. */
static enum wrn_reason take_again(struct wrn_revoked *revoked, struct wrn_revoked_list *known,
                                  struct change *change, bool *ret_is_new) {
    struct wrn_revoked_parsed *parsed = &change->parsed;
    wrn_span bytes = wrn_revoked_bytes(revoked, known);
    wrn_span chain = {bytes.data + parsed->list.size, bytes.size - parsed->list.size};
    bool is_same = chain.size == parsed->chain.size &&
                   (chain.size == 0 || memcmp(chain.data, parsed->chain.data, chain.size) == 0);
    if (is_same || (known->rank >= WRN_REVOKED_ADMIN && known->stands) ||
        memcmp(bytes.data, parsed->list.data, parsed->list.size) != 0 ||
        prove(revoked, parsed, &change->proof) != WRN_REASON_NONE) {
        return WRN_REASON_NONE;
    }
    bool stands = true;
    uint8_t by[WRN_SIGN_PUBLIC_SIZE];
    for (size_t i = 0; i < change->proof.cert_count; i++) {
        const struct wrn_rights_cert *cert = &change->proof.certs[i];
        stands = stands && !is_withdrawn(revoked, cert->hash, cert->issuer, by);
    }
    bool is_more = stands && (change->proof.rank > known->rank || !known->stands);
    if (!is_more || replace(revoked, change) != WRN_REASON_NONE) {
        return WRN_REASON_NONE;
    }
    *ret_is_new = true;
    return WRN_REASON_NONE;
}

/* Puts it in the place of those of its issuer that name no more than it; of those that do, the one
 * that names most stays. */
static enum wrn_reason replace(struct wrn_revoked *revoked, struct change *change) {
    const struct wrn_revoked_parsed *parsed = &change->parsed;
    struct wrn_revoked_list gone[2];
    size_t gone_count = 0;
    bool is_newest_gone = false, is_other_gone = false;
    change->size = (uint32_t)(parsed->list.size + parsed->chain.size +
                              change->proof.cert_count * sizeof(struct wrn_rights_cert));
    struct wrn_revoked_list *newest = find_list(revoked, parsed->issuer, true);
    struct wrn_revoked_list *other = find_list(revoked, parsed->issuer, false);
    if (newest != NULL) {
        is_newest_gone = names_all(revoked, parsed, newest);
    }
    if (other != NULL) {
        bool is_less = newest != NULL && !is_newest_gone && newest->count >= other->count;
        is_other_gone = is_less || names_all(revoked, parsed, other);
        is_newest_gone = is_newest_gone || (!is_other_gone && newest != NULL);
    }
    if (newest != NULL && is_newest_gone) {
        gone[gone_count++] = *newest;
    }
    if (other != NULL && is_other_gone) {
        gone[gone_count++] = *other;
    }
    if (!make_room(revoked, change, gone, gone_count)) {
        return WRN_REASON_FULL;
    }
    for (size_t i = 0; i < gone_count; i++) { /* what gave way is of others, but places moved */
        struct wrn_revoked_list *list = find_list(revoked, gone[i].issuer, gone[i].is_newest);
        if (list != NULL) {
            remove_list(revoked, list);
        }
    }
    newest = find_list(revoked, parsed->issuer, true);
    if (newest != NULL) {
        newest->is_newest = false;
        revoked->counts[WRN_REVOKED_COUNT_NAMED_LESS]++;
    }
    append(revoked, change);
    settle(revoked);
    return WRN_REASON_NONE;
}

static bool make_room(struct wrn_revoked *revoked, const struct change *change,
                      const struct wrn_revoked_list *gone, size_t gone_count) {
    bool is_inviter = change->proof.rank == WRN_REVOKED_INVITER;
    if (is_inviter && change->size > revoked->options.bytes_max / INVITER_SHARE) {
        return false;
    }
    while (!fits(revoked, change, gone, gone_count)) {
        struct wrn_revoked_list *list = to_give_way(revoked, change);
        if (list == NULL) {
            return false;
        }
        remove_list(revoked, list);
        revoked->counts[WRN_REVOKED_COUNT_GAVE_WAY]++;
    }
    return true;
}

static bool fits(const struct wrn_revoked *revoked, const struct change *change,
                 const struct wrn_revoked_list *gone, size_t gone_count) {
    bool is_inviter = change->proof.rank == WRN_REVOKED_INVITER;
    uint64_t lists = 1, bytes = change->size;
    for (uint32_t i = 0; i < revoked->count; i++) {
        const struct wrn_revoked_list *list = &revoked->lists[i];
        if (!is_inviter || list->rank == WRN_REVOKED_INVITER) {
            lists++;
            bytes += pool_size(list);
        }
    }
    for (size_t i = 0; i < gone_count; i++) {
        if (!is_inviter || gone[i].rank == WRN_REVOKED_INVITER) {
            lists--;
            bytes -= pool_size(&gone[i]);
        }
    }
    uint32_t share = is_inviter ? 2 : 1;
    bool has_share =
        lists <= revoked->options.lists_max / share && bytes <= revoked->options.bytes_max / share;
    if (!is_inviter || !has_share) {
        return has_share;
    }
    lists = 1 + (uint64_t)revoked->count - gone_count;
    bytes = (uint64_t)revoked->used + change->size;
    for (size_t i = 0; i < gone_count; i++) {
        bytes -= pool_size(&gone[i]);
    }
    return lists <= revoked->options.lists_max && bytes <= revoked->options.bytes_max;
}

/* Of those of others whose word has lapsed the oldest; for the owner's list, of inviters, then of
 * admins. */
static struct wrn_revoked_list *to_give_way(struct wrn_revoked *revoked,
                                            const struct change *change) {
    struct wrn_revoked_list *found = NULL;
    unsigned found_order = 0;
    for (uint32_t i = 0; i < revoked->count; i++) {
        struct wrn_revoked_list *list = &revoked->lists[i];
        unsigned order = !list->stands ? 0 : 1U + list->rank;
        bool may = !list->stands || change->proof.rank == WRN_REVOKED_OWNER;
        if (!may || list->rank == WRN_REVOKED_OWNER ||
            memcmp(list->issuer, change->parsed.issuer, sizeof list->issuer) == 0) {
            continue;
        }
        if (found == NULL || order < found_order ||
            (order == found_order && list->date_s < found->date_s)) {
            found = list;
            found_order = order;
        }
    }
    return found;
}

static void append(struct wrn_revoked *revoked, const struct change *change) {
    const struct wrn_revoked_parsed *parsed = &change->parsed;
    uint32_t place = first_of(revoked, parsed->issuer);
    while (place < revoked->count &&
           memcmp(revoked->lists[place].issuer, parsed->issuer, WRN_SIGN_PUBLIC_SIZE) == 0) {
        place++; /* behind the older one */
    }
    struct wrn_revoked_list *list = &revoked->lists[place];
    memmove(list + 1, list, (revoked->count - place) * sizeof *list);
    revoked->count++;
    *list = (struct wrn_revoked_list){
        .date_s = parsed->date_s,
        .offset = revoked->used,
        .size = (uint32_t)(parsed->list.size + parsed->chain.size),
        .count = parsed->count,
        .cert_count = change->proof.cert_count,
        .rank = change->proof.rank,
        .is_newest = true,
    };
    memcpy(list->issuer, parsed->issuer, sizeof list->issuer);
    memcpy(list->hash, parsed->hash, sizeof list->hash);
    uint8_t *bytes = revoked->bytes + revoked->used;
    memcpy(bytes, parsed->list.data, parsed->list.size);
    if (parsed->chain.size > 0) {
        memcpy(bytes + parsed->list.size, parsed->chain.data, parsed->chain.size);
    }
    memcpy(bytes + list->size, change->proof.certs,
           change->proof.cert_count * sizeof change->proof.certs[0]);
    revoked->used += change->size;
}

static void remove_list(struct wrn_revoked *revoked, struct wrn_revoked_list *list) {
    uint32_t offset = list->offset, size = pool_size(list);
    memmove(revoked->bytes + offset, revoked->bytes + offset + size, revoked->used - offset - size);
    revoked->used -= size;
    revoked->count--;
    memmove(list, list + 1, (size_t)(revoked->lists + revoked->count - list) * sizeof *list);
    for (uint32_t i = 0; i < revoked->count; i++) {
        revoked->lists[i].offset -= revoked->lists[i].offset > offset ? size : 0;
    }
}

/* ---- Looking them up */

static struct wrn_revoked_list *find_list(const struct wrn_revoked *revoked, const uint8_t *issuer,
                                          bool is_newest) {
    for (uint32_t i = first_of(revoked, issuer); i < revoked->count; i++) {
        struct wrn_revoked_list *list = &revoked->lists[i];
        if (memcmp(list->issuer, issuer, sizeof list->issuer) != 0) {
            return NULL;
        }
        if (list->is_newest == is_newest) {
            return list;
        }
    }
    return NULL;
}

/* The first list whose issuer is not below this one. */
static uint32_t first_of(const struct wrn_revoked *revoked, const uint8_t *issuer) {
    uint32_t low = 0, high = revoked->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        bool is_below = memcmp(revoked->lists[middle].issuer, issuer, WRN_SIGN_PUBLIC_SIZE) < 0;
        low = is_below ? middle + 1 : low;
        high = is_below ? high : middle;
    }
    return low;
}

static uint32_t pool_size(const struct wrn_revoked_list *list) {
    return list->size + list->cert_count * (uint32_t)sizeof(struct wrn_rights_cert);
}

/* <0, 0, >0: older than the list, the same, newer. */
static int compare_age(int64_t date_s, const uint8_t *hash, const struct wrn_revoked_list *list) {
    if (date_s != list->date_s) {
        return date_s < list->date_s ? -1 : 1;
    }
    return memcmp(hash, list->hash, WRN_SHA256_SIZE);
}

static bool names(const struct wrn_revoked *revoked, const struct wrn_revoked_list *list,
                  const uint8_t *hash) {
    size_t place;
    return find_hash(revoked->bytes + list->offset + WRN_REVOKED_LIST_HEAD, list->count, hash,
                     &place);
}

static bool names_all(const struct wrn_revoked *revoked, const struct wrn_revoked_parsed *parsed,
                      const struct wrn_revoked_list *list) {
    const uint8_t *hashes = revoked->bytes + list->offset + WRN_REVOKED_LIST_HEAD;
    bool has_all = true;
    for (size_t i = 0; i < list->count && has_all; i++) {
        size_t place;
        has_all = find_hash(parsed->hashes, parsed->count, hashes + i * HASH, &place);
    }
    return has_all;
}

/* Finds a hash in ascending ones, or where it belongs. */
static bool find_hash(const uint8_t *hashes, size_t count, const uint8_t *hash, size_t *ret_place) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool is_below = memcmp(hashes + middle * HASH, hash, HASH) < 0;
        low = is_below ? middle + 1 : low;
        high = is_below ? high : middle;
    }
    *ret_place = low;
    return low < count && memcmp(hashes + low * HASH, hash, HASH) == 0;
}

/* By its own issuer or the owner: their word needs no chain. */
static bool is_withdrawn(const struct wrn_revoked *revoked, const uint8_t *hash,
                         const uint8_t *issuer, uint8_t *ret_by) {
    const uint8_t *whose[2] = {issuer, wrn_judge_frame(revoked->judge)->owner};
    for (size_t i = 0; i < 2; i++) {
        for (uint32_t at = first_of(revoked, whose[i]); at < revoked->count; at++) {
            const struct wrn_revoked_list *list = &revoked->lists[at];
            if (memcmp(list->issuer, whose[i], sizeof list->issuer) != 0) {
                break;
            }
            if (names(revoked, list, hash)) {
                memcpy(ret_by, list->issuer, WRN_SIGN_PUBLIC_SIZE);
                return true;
            }
        }
    }
    return false;
}

static bool still_stands(const struct wrn_revoked *revoked, const struct wrn_revoked_list *list) {
    bool stands = true;
    for (size_t i = 0; i < list->cert_count && stands; i++) {
        struct wrn_rights_cert cert;
        uint8_t by[WRN_SIGN_PUBLIC_SIZE];
        memcpy(&cert, revoked->bytes + list->offset + list->size + i * sizeof cert, sizeof cert);
        stands = !is_withdrawn(revoked, cert.hash, cert.issuer, by);
    }
    return stands;
}

/* Something has changed: whose word counts depends on no one else's but of issuers and owner. */
static void settle(struct wrn_revoked *revoked) {
    revoked->version++;
    for (uint32_t i = 0; i < revoked->count; i++) {
        revoked->lists[i].stands = still_stands(revoked, &revoked->lists[i]);
    }
}

static bool has(void *ctx, const uint8_t *hash, const uint8_t *issuer, uint8_t *ret_by) {
    return wrn_revoked_has(ctx, hash, issuer, ret_by);
}

/* ---- Writing the next one */

/* All that is known of an issuer's, and more, ascending; one more than may be if it is too many. */
static size_t gather(const struct wrn_revoked *revoked, const uint8_t *issuer,
                     const uint8_t *hashes, size_t count, uint8_t *all) {
    size_t all_count = 0;
    bool fits_all = true;
    for (size_t is_newest = 0; is_newest < 2; is_newest++) {
        const struct wrn_revoked_list *list = find_list(revoked, issuer, is_newest == 1);
        for (size_t i = 0; list != NULL && i < list->count && fits_all; i++) {
            const uint8_t *known = revoked->bytes + list->offset + WRN_REVOKED_LIST_HEAD;
            fits_all = gather_one(all, &all_count, known + i * HASH);
        }
    }
    for (size_t i = 0; i < count && fits_all; i++) {
        fits_all = gather_one(all, &all_count, hashes + i * HASH);
    }
    return fits_all ? all_count : WRN_REVOKED_HASHES_MAX + 1;
}

static bool gather_one(uint8_t *all, size_t *count, const uint8_t *hash) {
    size_t place;
    if (find_hash(all, *count, hash, &place)) {
        return true;
    }
    if (*count == WRN_REVOKED_HASHES_MAX) {
        return false;
    }
    memmove(all + (place + 1) * HASH, all + place * HASH, (*count - place) * HASH);
    memcpy(all + place * HASH, hash, HASH);
    (*count)++;
    return true;
}
