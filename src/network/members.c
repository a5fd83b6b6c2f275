/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of judgements, and who may be on the ring. The rules for records are in
 * members_rule.c. */
#include "network/members.h"

#include "network/members_internal.h"

/* The slots of a kind of judgement, so that one kind does not drive out another. */
struct share {
    uint32_t from, count;
};

static struct share share_of(const struct wrn_members *members, enum wrn_members_kind kind);
static struct wrn_members_entry *find(struct wrn_members *members, int64_t now_s,
                                      const uint8_t key[WRN_SHA256_SIZE]);
static bool still_holds(struct wrn_members *members, int64_t now_s,
                        struct wrn_members_entry *entry);
static bool has_revoked(const struct wrn_members *members, const struct wrn_rights *rights,
                        uint16_t certs);
static struct wrn_members_entry *keep(struct wrn_members *members, enum wrn_members_kind kind,
                                      const uint8_t key[WRN_SHA256_SIZE],
                                      const uint8_t *public_key);
static void drop(struct wrn_members *members, struct wrn_members_entry *entry);
static struct wrn_members_entry *move(struct wrn_members *members, struct wrn_members_entry *entry);
static struct wrn_members_answer answer_of(const struct wrn_members_entry *entry);
static enum wrn_reason admit_by_key(struct wrn_members *members, int64_t now_s,
                                    const uint8_t *public_key, int64_t *ret_until_s);
static enum wrn_reason by_entry(struct wrn_members *members, int64_t now_s,
                                const struct wrn_members_entry *entry);

struct wrn_members *wrn_members_init(struct wrn_arena *arena,
                                     const struct wrn_members_options *options,
                                     struct wrn_judge *judge, struct wrn_revoked *revoked,
                                     const struct wrn_primitives *primitives) {
    WRN_ASSERT(options->entries_max >= 8 && options->entries_max <= 4096);
    struct wrn_members *members = wrn_arena_take(arena, 1, sizeof *members);
    struct wrn_members_entry *entries =
        wrn_arena_take(arena, options->entries_max, sizeof *entries);
    struct wrn_keymap by_key;
    wrn_keymap_init(&by_key, arena, options->entries_max, options->seed);
    if (members == NULL) {
        return NULL;
    }
    const struct wrn_descriptor *descriptor = options->descriptor;
    *members = (struct wrn_members){
        .judge = judge,
        .revoked = revoked,
        .primitives = *primitives,
        .ipv4 = descriptor->ipv4,
        .ipv6 = descriptor->ipv6,
        .is_open = descriptor->is_open,
        .entries = entries,
        .entries_max = options->entries_max,
        .by_key = by_key,
    };
    memcpy(members->owner, descriptor->owner, sizeof members->owner);
    wrn_rights_of_owner(&members->owner_rights);
    return members;
}

struct wrn_members_answer wrn_members_judge(struct wrn_members *members, wrn_wall now,
                                            const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE],
                                            wrn_span chain) {
    bool has_revoked;
    return wrn_members_ask(members, now.s, WRN_MEMBERS_NODE, public_key, chain, &has_revoked);
}

enum wrn_reason wrn_members_admit(void *ctx, wrn_wall now,
                                  const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE],
                                  wrn_span credential, wrn_wall *ret_until) {
    struct wrn_members *members = ctx;
    bool has_revoked = false;
    enum wrn_reason reason;
    int64_t until_s = WRN_RECORD_TIME_MAX_S;
    if (credential.size == 0) {
        reason = admit_by_key(members, now.s, public_key, &until_s);
    } else {
        struct wrn_members_answer answer =
            wrn_members_ask(members, now.s, WRN_MEMBERS_NODE, public_key, credential, &has_revoked);
        reason = answer.reason;
        if (answer.rights != NULL && (answer.rights->flags & WRN_RIGHT_MEMBER) != 0) {
            until_s = answer.rights->until_s;
        } else if (answer.rights != NULL) {
            reason = has_revoked ? WRN_REASON_EXCLUDED : WRN_REASON_NOT_ADMITTED;
        }
    }
    if (members->is_open && reason != WRN_REASON_EXCLUDED) {
        reason = WRN_REASON_NONE;
        until_s = WRN_RECORD_TIME_MAX_S;
    }
    if (reason == WRN_REASON_NONE) {
        *ret_until = (wrn_wall){.s = until_s, .ns = 0};
    }
    return reason;
}

uint64_t wrn_members_count(const struct wrn_members *members, enum wrn_members_count count) {
    return members->counts[count];
}

const char *wrn_members_count_name(enum wrn_members_count count) {
    static const char *const texts[WRN_MEMBERS_COUNTS] = {
#define X(upper, lower) [WRN_MEMBERS_COUNT_##upper] = #lower,
        WRN_MEMBERS_COUNT_LIST(X)
#undef X
    };
    return texts[count];
}

struct wrn_members_answer wrn_members_ask(struct wrn_members *members, int64_t now_s,
                                          enum wrn_members_kind kind, const uint8_t *public_key,
                                          wrn_span chain, bool *ret_has_revoked) {
    *ret_has_revoked = false;
    if (memcmp(public_key, members->owner, sizeof members->owner) == 0) {
        return (struct wrn_members_answer){.rights = &members->owner_rights};
    }
    uint8_t key[WRN_SHA256_SIZE];
    wrn_sha256((wrn_span){public_key, WRN_SIGN_PUBLIC_SIZE}, chain, key);
    struct wrn_members_entry *entry = find(members, now_s, key);
    if (entry != NULL) {
        members->counts[WRN_MEMBERS_COUNT_KEPT]++;
        if (kind == WRN_MEMBERS_NODE && entry->kind == WRN_MEMBERS_RECORD) {
            entry = move(members, entry);
        }
    } else {
        const struct wrn_judge_question question = {
            .chain = chain,
            .public_key = public_key,
            .now_s = now_s,
            .cancelled = wrn_revoked_cancelled(members->revoked),
        };
        struct wrn_judge_verdict verdict;
        wrn_judge(members->judge, &question, &members->rights, &verdict);
        members->counts[WRN_MEMBERS_COUNT_JUDGED]++;
        bool is_good = verdict.reason == WRN_REASON_NONE;
        entry = keep(members, is_good ? kind : WRN_MEMBERS_REFUSED, key, public_key);
        entry->reason = verdict.reason;
        entry->has_revoked = verdict.has_revoked;
        entry->is_time = verdict.is_time;
        entry->from_s = verdict.from_s;
        entry->until_s = verdict.until_s;
        entry->version = question.cancelled.version;
        if (is_good) {
            entry->rights = members->rights;
        } else {
            memcpy(entry->why, verdict.why, sizeof entry->why);
        }
    }
    entry->used = ++members->uses;
    members->counts[WRN_MEMBERS_COUNT_REFUSED] += entry->reason != WRN_REASON_NONE;
    *ret_has_revoked = entry->has_revoked;
    return answer_of(entry);
}

/* ---- What is kept */

static struct share share_of(const struct wrn_members *members, enum wrn_members_kind kind) {
    uint32_t quarter = members->entries_max / 4;
    uint32_t nodes = members->entries_max - 2 * quarter;
    switch (kind) {
    case WRN_MEMBERS_NODE:
        return (struct share){0, nodes};
    case WRN_MEMBERS_RECORD:
        return (struct share){nodes, quarter};
    default:
        return (struct share){nodes + quarter, quarter};
    }
}

/* Finds what is kept and still holds; what does not is kept no longer. */
static struct wrn_members_entry *find(struct wrn_members *members, int64_t now_s,
                                      const uint8_t key[WRN_SHA256_SIZE]) {
    uint32_t index;
    if (!wrn_keymap_find(&members->by_key, key, &index)) {
        return NULL;
    }
    struct wrn_members_entry *entry = &members->entries[index];
    if (!still_holds(members, now_s, entry)) {
        drop(members, entry);
        return NULL;
    }
    return entry;
}

/* Revocations of others' certificates change nothing, unless some of its own had been revoked
 * before: that may have been taken back. */
static bool still_holds(struct wrn_members *members, int64_t now_s,
                        struct wrn_members_entry *entry) {
    uint64_t version = wrn_revoked_version(members->revoked);
    if (now_s < entry->from_s || now_s >= entry->until_s) {
        return false;
    }
    if (entry->version != version) {
        if (entry->reason != WRN_REASON_NONE || entry->has_revoked ||
            has_revoked(members, &entry->rights, UINT16_MAX)) {
            return false;
        }
        entry->version = version;
    }
    return true;
}

/* Of the certificates whose bits are set. */
static bool has_revoked(const struct wrn_members *members, const struct wrn_rights *rights,
                        uint16_t certs) {
    bool found = false;
    for (size_t i = 0; i < rights->cert_count && !found; i++) {
        uint8_t by[WRN_SIGN_PUBLIC_SIZE];
        const struct wrn_rights_cert *cert = &rights->certs[i];
        found = (certs >> i & 1) != 0 &&
                wrn_revoked_has(members->revoked, cert->hash, cert->issuer, by);
    }
    return found;
}

/* Takes a slot for a judgement that is not kept: a free one, or that which was not asked for for
 * the longest time. */
static struct wrn_members_entry *keep(struct wrn_members *members, enum wrn_members_kind kind,
                                      const uint8_t key[WRN_SHA256_SIZE],
                                      const uint8_t *public_key) {
    struct share share = share_of(members, kind);
    struct wrn_members_entry *entry = &members->entries[share.from];
    for (uint32_t i = 1; i < share.count; i++) { /* free ones have used 0 */
        struct wrn_members_entry *other = &members->entries[share.from + i];
        entry = other->used < entry->used ? other : entry;
    }
    if (entry->used != 0) {
        members->counts[WRN_MEMBERS_COUNT_EVICTED]++;
        drop(members, entry);
    }
    entry->kind = (uint8_t)kind;
    memcpy(entry->key, key, sizeof entry->key);
    memcpy(entry->public_key, public_key, sizeof entry->public_key);
    bool is_added = wrn_keymap_add(&members->by_key, key, (uint32_t)(entry - members->entries));
    WRN_ASSERT(is_added); /* it has as much room as there are slots */
    return entry;
}

static void drop(struct wrn_members *members, struct wrn_members_entry *entry) {
    wrn_keymap_remove(&members->by_key, entry->key);
    memset(entry, 0, sizeof *entry);
}

/* The owner of a record shows itself as a node, too. */
static struct wrn_members_entry *move(struct wrn_members *members,
                                      struct wrn_members_entry *entry) {
    wrn_keymap_remove(&members->by_key, entry->key);
    struct wrn_members_entry *to = keep(members, WRN_MEMBERS_NODE, entry->key, entry->public_key);
    *to = *entry;
    to->kind = WRN_MEMBERS_NODE;
    memset(entry, 0, sizeof *entry);
    return to;
}

static struct wrn_members_answer answer_of(const struct wrn_members_entry *entry) {
    bool is_good = entry->reason == WRN_REASON_NONE;
    return (struct wrn_members_answer){
        .reason = entry->reason,
        .rights = is_good ? &entry->rights : NULL,
        .why = is_good ? NULL : entry->why,
        .is_time = !is_good && entry->is_time,
    };
}

/* ---- By the key alone */

/* The best of what it has shown counts. */
static enum wrn_reason admit_by_key(struct wrn_members *members, int64_t now_s,
                                    const uint8_t *public_key, int64_t *ret_until_s) {
    enum wrn_reason reason = WRN_REASON_NOT_ADMITTED;
    if (memcmp(public_key, members->owner, sizeof members->owner) == 0) {
        return WRN_REASON_NONE;
    }
    for (uint32_t i = 0; i < members->entries_max; i++) {
        const struct wrn_members_entry *entry = &members->entries[i];
        if (entry->used == 0 ||
            memcmp(entry->public_key, public_key, sizeof entry->public_key) != 0) {
            continue;
        }
        enum wrn_reason one = by_entry(members, now_s, entry);
        if (one == WRN_REASON_NONE) {
            *ret_until_s = entry->until_s; /* of this state: then it has to show its chain */
            return one;
        }
        reason = one == WRN_REASON_EXCLUDED ? one : reason;
    }
    return reason;
}

static enum wrn_reason by_entry(struct wrn_members *members, int64_t now_s,
                                const struct wrn_members_entry *entry) {
    const struct wrn_rights *rights = &entry->rights;
    bool had_any = false;
    if (entry->reason != WRN_REASON_NONE) {
        return entry->reason;
    }
    if (now_s < entry->from_s || now_s >= entry->until_s) {
        return WRN_REASON_NOT_ADMITTED;
    }
    for (size_t i = 0; i < rights->grant_count; i++) {
        if ((rights->member_grants >> i & 1) == 0) {
            continue;
        }
        had_any = true;
        if (!has_revoked(members, rights, rights->grants[i])) {
            return WRN_REASON_NONE;
        }
    }
    return had_any || entry->has_revoked ? WRN_REASON_EXCLUDED : WRN_REASON_NOT_ADMITTED;
}
