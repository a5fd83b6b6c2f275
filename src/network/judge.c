/* SPDX-License-Identifier: Apache-2.0 */
/* A heap of certificates for one chain at a time. What has been revoked is not put into it, so
 * nothing follows from that; whether that was why nothing follows is said afterwards. */
#include "network/judge.h"

#include <stdio.h>

#include "overlay/limits.h"
#include "overlay/record.h"
#include "spki/prove.h"

enum {
    HEAP_CERTS = WRN_PACK_CERTS_MAX + 1, /* and the ACL's entry */
    HEAP_KEYS = 2 * WRN_PACK_CERTS_MAX + 8,
    HEAP_BYTES = 1 << 15,
    HEAP_TUPLES = 128,
    ENTRIES_MAX = 1 << 14, /* bytes of what follows */
    ACL_MAX = 256,
    TAG_MAX = 96,
};

/* The chain in the heap. */
struct loaded {
    bool is_kept; /* the next question about it may use it */
    uint8_t hash[WRN_SHA256_SIZE];
    struct wrn_judge_cancelled cancelled;
    const char *fault; /* why it is none at all, or NULL */
    size_t count;      /* certificates in the heap, in their order */
    struct wrn_rights_cert certs[WRN_PACK_CERTS_MAX];
    bool is_beyond_count; /* something follows from what a counted invitation must not give */
    bool has_revoked;
    struct wrn_rights_cert revoked; /* the first that is */
    uint8_t revoked_by[WRN_SIGN_PUBLIC_SIZE];
    int64_t bounds_s[2 * WRN_PACK_CERTS_MAX]; /* when one of them begins or has ended */
    size_t bound_count;
};

struct wrn_judge {
    struct wrn_pack_frame frame;
    struct wrn_spki_limits limits;
    void *memory;
    size_t memory_size;
    struct wrn_spki *heap;
    struct loaded loaded;
    uint64_t verified;
    uint8_t acl[ACL_MAX];
    struct wrn_sexp acl_sexp;
    uint8_t member[TAG_MAX]; /* (warren ID (member)) */
    struct wrn_sexp member_sexp;
    uint8_t expanded[WRN_PACK_EXPANDED_MAX];
    uint8_t entries[ENTRIES_MAX];
};

/* What is asked, in the words of the prover. */
struct asked {
    const uint8_t *public_key;
    uint8_t key[WRN_SPKI_KEY_SEXP_SIZE];
    struct wrn_sexp subject;
    int64_t now_s;
    char date[WRN_SPKI_DATE_SIZE];
};

static void write_acl(struct wrn_judge *judge);
static void write_tag(const struct wrn_judge *judge, const char *name, uint8_t *out,
                      size_t capacity, struct wrn_sexp *ret_tag);
static void load(struct wrn_judge *judge, const struct wrn_judge_question *question);
static void clear(uint8_t *memory, size_t size);
static void load_certs(struct wrn_judge *judge, struct wrn_sexp sequence);
static void load_cert(struct wrn_judge *judge, struct wrn_sexp sexp);
static bool may_load(struct wrn_judge *judge, const struct wrn_spki_cert *cert);
static void note_bounds(struct loaded *loaded, const struct wrn_spki_validity *validity);
static void find_window(const struct loaded *loaded, int64_t now_s,
                        struct wrn_judge_verdict *verdict);
static bool reduce(struct wrn_judge *judge, const struct asked *asked, struct wrn_rights *rights,
                   struct wrn_judge_verdict *verdict);
static bool find_chain(struct wrn_judge *judge, const struct asked *asked, struct wrn_sexp tag,
                       struct wrn_rights_grant *ret_grant, uint16_t *ret_certs);
static bool is_beyond_count(const struct asked *asked, const struct wrn_spki_answer *answer,
                            bool *ret_is_counted);
static bool element_of(struct wrn_sexp tag, struct wrn_sexp *ret_element);
static void set_times(struct wrn_rights *rights, const struct wrn_spki_validity *validities,
                      const struct wrn_judge_verdict *verdict);
static void refuse(struct wrn_judge *judge, const struct asked *asked,
                   struct wrn_judge_verdict *verdict);
static void say(struct wrn_judge_verdict *verdict, enum wrn_reason reason, const char *text);
static void say_revoked(const struct loaded *loaded, struct wrn_judge_verdict *verdict);
static void put_short(const uint8_t *public_key, char out[9]);

struct wrn_judge *wrn_judge_init(struct wrn_arena *arena, const struct wrn_pack_frame *frame,
                                 const uint64_t seed[2]) {
    const struct wrn_spki_limits limits = {
        .certs_max = HEAP_CERTS,
        .keys_max = HEAP_KEYS,
        .bytes_max = HEAP_BYTES,
        .tuples_max = HEAP_TUPLES,
        .seed = {seed[0], seed[1]},
    };
    struct wrn_judge *judge = wrn_arena_take(arena, 1, sizeof *judge);
    size_t size = wrn_spki_size(&limits);
    void *memory = wrn_arena_take(arena, wrn_align_up(size, 64) + 64, 1);
    if (judge == NULL) {
        return NULL;
    }
    judge->frame = *frame;
    judge->limits = limits;
    judge->memory = (void *)wrn_align_up((uintptr_t)memory, 64); /* the arena may be packed */
    judge->memory_size = size;
    write_acl(judge);
    write_tag(judge, "member", judge->member, sizeof judge->member, &judge->member_sexp);
    return judge;
}

const struct wrn_pack_frame *wrn_judge_frame(const struct wrn_judge *judge) {
    return &judge->frame;
}

void wrn_judge(struct wrn_judge *judge, const struct wrn_judge_question *question,
               struct wrn_rights *ret_rights, struct wrn_judge_verdict *ret_verdict) {
    struct wrn_judge_verdict *verdict = ret_verdict;
    int64_t now_s = question->now_s < 0 ? 0 : question->now_s;
    struct asked asked = {.now_s = now_s < WRN_RECORD_TIME_MAX_S ? now_s : WRN_RECORD_TIME_MAX_S};
    memset(verdict, 0, sizeof *verdict);
    verdict->from_s = INT64_MIN;
    verdict->until_s = WRN_RECORD_TIME_MAX_S;
    if (memcmp(question->public_key, judge->frame.owner, WRN_SIGN_PUBLIC_SIZE) == 0) {
        wrn_rights_of_owner(ret_rights);
        return;
    }
    memset(ret_rights, 0, sizeof *ret_rights);
    load(judge, question);
    find_window(&judge->loaded, asked.now_s, verdict);
    verdict->has_revoked = judge->loaded.has_revoked;
    if (judge->loaded.fault != NULL) {
        say(verdict, WRN_REASON_NOT_ADMITTED, judge->loaded.fault);
        return;
    }
    asked.public_key = question->public_key;
    asked.subject = wrn_spki_key_sexp(question->public_key, asked.key);
    bool is_date = wrn_spki_date_write(asked.now_s, asked.date);
    WRN_ASSERT(is_date);
    if (reduce(judge, &asked, ret_rights, verdict)) {
        return;
    }
    memset(ret_rights, 0, sizeof *ret_rights);
    if (verdict->why[0] == '\0') {
        refuse(judge, &asked, verdict);
    }
}

uint64_t wrn_judge_verified(const struct wrn_judge *judge) {
    return judge->verified;
}

uint8_t *wrn_judge_room(struct wrn_judge *judge) {
    judge->loaded.is_kept = false;
    return judge->expanded;
}

/* ---- Loading */

/* (acl (entry (subject OWNER) (propagate) (tag (warren ID (*))))): where every chain begins. */
static void write_acl(struct wrn_judge *judge) {
    uint8_t tag[TAG_MAX], key[WRN_SPKI_KEY_SEXP_SIZE];
    struct wrn_spki_issue issue = {
        .subject = wrn_spki_key_sexp(judge->frame.owner, key),
        .delegation = WRN_SPKI_DELEGABLE,
    };
    struct wrn_sexp_writer writer = wrn_sexp_writer(judge->acl, sizeof judge->acl);
    write_tag(judge, "*", tag, sizeof tag, &issue.tag);
    wrn_sexp_open(&writer, "acl");
    wrn_spki_write_cert(&writer, &issue, true);
    wrn_sexp_close(&writer);
    int error = wrn_sexp_finish(&writer, &judge->acl_sexp);
    WRN_ASSERT(error == 0);
}

/* (warren ID (NAME)) */
static void write_tag(const struct wrn_judge *judge, const char *name, uint8_t *out,
                      size_t capacity, struct wrn_sexp *ret_tag) {
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, capacity);
    wrn_sexp_open(&writer, "warren");
    wrn_sexp_put_bytes(&writer, (wrn_span){judge->frame.network, WRN_NETWORK_ID_SIZE});
    wrn_sexp_open(&writer, name);
    wrn_sexp_close(&writer);
    wrn_sexp_close(&writer);
    int error = wrn_sexp_finish(&writer, ret_tag);
    WRN_ASSERT(error == 0);
}

static void load(struct wrn_judge *judge, const struct wrn_judge_question *question) {
    struct loaded *loaded = &judge->loaded;
    const struct wrn_judge_cancelled *cancelled = &question->cancelled;
    struct wrn_sexp sequence;
    uint8_t hash[WRN_SHA256_SIZE];
    wrn_sha256(question->chain, (wrn_span){NULL, 0}, hash);
    if (loaded->is_kept && memcmp(hash, loaded->hash, sizeof hash) == 0 &&
        loaded->cancelled.is_cancelled == cancelled->is_cancelled &&
        loaded->cancelled.ctx == cancelled->ctx &&
        loaded->cancelled.version == cancelled->version) {
        return;
    }
    memset(loaded, 0, sizeof *loaded);
    memcpy(loaded->hash, hash, sizeof hash);
    loaded->cancelled = *cancelled;
    loaded->is_kept = cancelled->is_cancelled == NULL || cancelled->version != 0;
    clear(judge->memory, judge->memory_size);
    judge->heap = wrn_spki_init(judge->memory, &judge->limits);
    int error = wrn_spki_add(judge->heap, judge->acl_sexp, NULL);
    WRN_ASSERT(error == 0 || !wrn_sign_public_is_sound(judge->frame.owner));
    if (error != 0) {
        loaded->fault = "The network's owner has no sound key.";
    } else if (question->chain.size == 0) {
        loaded->fault = "It shows no certificates.";
    } else if (question->chain.size > WRN_CREDENTIAL_MAX) {
        loaded->fault = "It shows more certificates than anybody may.";
    } else if (wrn_pack_expand(&judge->frame, question->chain, judge->expanded, &sequence) != 0) {
        loaded->fault = "What it shows are no packed certificates.";
    } else {
        load_certs(judge, sequence);
    }
}

/* Writes only where something stands: chains are short, and most of the room for the longest one is
 * never touched. */
static void clear(uint8_t *memory, size_t size) {
    static const uint8_t zeros[1 << 10];
    for (size_t done = 0, piece; done < size; done += piece) {
        piece = size - done < sizeof zeros ? size - done : sizeof zeros;
        if (memcmp(memory + done, zeros, piece) != 0) {
            memset(memory + done, 0, piece);
        }
    }
}

static void load_certs(struct wrn_judge *judge, struct wrn_sexp sequence) {
    struct wrn_sexp_cursor cursor;
    struct wrn_sexp object;
    bool is_sequence = wrn_sexp_enter_named(sequence, "sequence", &cursor);
    WRN_ASSERT(is_sequence);
    while (judge->loaded.fault == NULL && wrn_sexp_take_any(&cursor, &object)) {
        if (wrn_sexp_is_named(object, "cert")) {
            load_cert(judge, object);
        } else if (wrn_spki_add_foreign(judge->heap, object, NULL) != 0) {
            judge->loaded.fault = "A signature that it shows is malformed.";
        }
    }
}

static void load_cert(struct wrn_judge *judge, struct wrn_sexp sexp) {
    struct wrn_spki_cert cert;
    struct wrn_spki_error error;
    size_t before = wrn_spki_count(judge->heap);
    if (wrn_spki_read_cert(sexp, WRN_SPKI_STRICT, &cert, &error) != 0) {
        judge->loaded.fault = "A certificate that it shows is malformed.";
        return;
    }
    note_bounds(&judge->loaded, &cert.validity);
    if (!may_load(judge, &cert)) {
        return; /* its signature will belong to nothing */
    }
    if (wrn_spki_add_foreign(judge->heap, sexp, NULL) != 0) {
        judge->loaded.fault = "Its certificates are too large to be decided about.";
        return;
    }
    if (wrn_spki_count(judge->heap) == before) { /* the same as another one */
        judge->loaded.count--;
    } else {
        judge->verified++;
    }
}

/* Notes it, and tells whether it has not been revoked. */
static bool may_load(struct wrn_judge *judge, const struct wrn_spki_cert *cert) {
    struct loaded *loaded = &judge->loaded;
    struct wrn_rights_cert *noted = &loaded->certs[loaded->count];
    wrn_spki_hash(cert->sexp, noted->hash);
    memcpy(noted->issuer, cert->issuer.ed25519, sizeof noted->issuer);
    memcpy(noted->subject, cert->subject.principal.ed25519, sizeof noted->subject);
    if (loaded->cancelled.is_cancelled != NULL) {
        uint8_t by[WRN_SIGN_PUBLIC_SIZE];
        if (loaded->cancelled.is_cancelled(loaded->cancelled.ctx, noted->hash, noted->issuer, by)) {
            if (!loaded->has_revoked) {
                loaded->revoked = *noted;
                memcpy(loaded->revoked_by, by, sizeof by);
            }
            loaded->has_revoked = true;
            return false;
        }
    }
    loaded->count++;
    return true;
}

static void note_bounds(struct loaded *loaded, const struct wrn_spki_validity *validity) {
    int64_t s;
    if (wrn_spki_date_read(validity->not_before, &s)) {
        loaded->bounds_s[loaded->bound_count++] = s;
    }
    if (wrn_spki_date_read(validity->not_after, &s)) {
        loaded->bounds_s[loaded->bound_count++] = s + 1; /* the second itself belongs to it */
    }
}

/* Between two of these moments the same certificates are valid. */
static void find_window(const struct loaded *loaded, int64_t now_s,
                        struct wrn_judge_verdict *verdict) {
    for (size_t i = 0; i < loaded->bound_count; i++) {
        int64_t bound_s = loaded->bounds_s[i];
        if (bound_s <= now_s && bound_s > verdict->from_s) {
            verdict->from_s = bound_s;
        } else if (bound_s > now_s && bound_s < verdict->until_s) {
            verdict->until_s = bound_s;
        }
    }
}

/* ---- What follows */

/* Compiles all that follows for the subject now. False if that is nothing, or ('why' is said) too
 * much. */
static bool reduce(struct wrn_judge *judge, const struct asked *asked, struct wrn_rights *rights,
                   struct wrn_judge_verdict *verdict) {
    struct wrn_sexp_writer writer = wrn_sexp_writer(judge->entries, sizeof judge->entries);
    struct wrn_rights_grant grants[WRN_RIGHTS_GRANTS_MAX];
    struct wrn_spki_validity validities[WRN_RIGHTS_GRANTS_MAX];
    uint16_t chains[WRN_RIGHTS_GRANTS_MAX];
    struct wrn_sexp_cursor cursor;
    struct wrn_sexp acl, entry;
    size_t count = 0;
    int error =
        wrn_spki_reduce(judge->heap, &asked->subject, 1, (struct wrn_sexp){{NULL, 0}},
                        (wrn_spki_date){(const uint8_t *)asked->date, sizeof asked->date}, &writer);
    if (error != 0 || wrn_sexp_finish(&writer, &acl) != 0) {
        say(verdict, WRN_REASON_NOT_ADMITTED, wrn_spki_verdict_text(WRN_SPKI_TOO_LARGE));
        return false;
    }
    bool is_acl = wrn_sexp_enter_named(acl, "acl", &cursor);
    WRN_ASSERT(is_acl);
    while (wrn_sexp_take_any(&cursor, &entry)) {
        struct wrn_spki_cert follows;
        error = wrn_spki_read_entry(entry, WRN_SPKI_STRICT, &follows, NULL);
        WRN_ASSERT(error == 0);
        if (count == WRN_RIGHTS_GRANTS_MAX) {
            say(verdict, WRN_REASON_NOT_ADMITTED, wrn_rights_fault_text(WRN_RIGHTS_MANY_GRANTS));
            return false;
        }
        if (find_chain(judge, asked, follows.tag, &grants[count], &chains[count])) {
            validities[count++] = follows.validity;
        }
    }
    if (count == 0) {
        return false;
    }
    enum wrn_rights_fault fault = wrn_rights_compile(grants, count, rights);
    if (fault >= WRN_RIGHTS_MANY_ADDRESSES) {
        say(verdict, WRN_REASON_NOT_ADMITTED, wrn_rights_fault_text(fault));
        return false;
    }
    memcpy(rights->grants, chains, count * sizeof chains[0]);
    rights->cert_count = (uint8_t)judge->loaded.count;
    memcpy(rights->certs, judge->loaded.certs, judge->loaded.count * sizeof rights->certs[0]);
    set_times(rights, validities, verdict);
    return true;
}

/* Finds the certificates that give all of a tag that follows, and what they speak of. */
static bool find_chain(struct wrn_judge *judge, const struct asked *asked, struct wrn_sexp tag,
                       struct wrn_rights_grant *ret_grant, uint16_t *ret_certs) {
    const struct wrn_spki_query query = {&asked->subject, 1, tag, asked->now_s};
    struct wrn_spki_answer answer;
    *ret_certs = 0;
    *ret_grant = (struct wrn_rights_grant){.topics = 0};
    wrn_spki_ask(judge->heap, &query, &answer);
    if (answer.verdict != WRN_SPKI_GRANTED || !element_of(tag, &ret_grant->element)) {
        return false; /* beyond the bounds of one of the two */
    }
    if (is_beyond_count(asked, &answer, &ret_grant->may_not_invite)) {
        judge->loaded.is_beyond_count = true;
        return false;
    }
    for (size_t i = 0; i < answer.chain_count; i++) {
        for (size_t at = 1; at <= judge->loaded.count; at++) { /* 0 is the ACL's entry */
            struct wrn_sexp element;
            if (wrn_spki_at(judge->heap, at) != answer.chain[i]) {
                continue;
            }
            *ret_certs |= (uint16_t)(1U << (at - 1));
            if (element_of(answer.chain[i]->tag, &element)) {
                ret_grant->topics |= wrn_rights_topics(element);
            }
        }
    }
    return true;
}

/* A key whose memberships are counted makes members, and these invite nobody: else it could make
 * one that makes others, whom nobody counts. Tells whether something follows from what it must not
 * have issued, and whether such a key is in the chain at all. */
static bool is_beyond_count(const struct asked *asked, const struct wrn_spki_answer *answer,
                            bool *ret_is_counted) {
    const uint8_t *subject = asked->public_key;
    bool is_beyond = false;
    *ret_is_counted = false;
    for (size_t i = 0; i < answer->chain_count; i++) {
        const struct wrn_spki_cert *cert = answer->chain[i];
        const uint8_t *inviter = cert->subject.principal.ed25519;
        struct wrn_sexp element;
        if (inviter == NULL || memcmp(inviter, subject, WRN_SIGN_PUBLIC_SIZE) == 0 ||
            !element_of(cert->tag, &element) || !wrn_rights_is_counted(element)) {
            continue;
        }
        *ret_is_counted = true;
        for (size_t j = 0; j < answer->chain_count; j++) {
            const uint8_t *issuer = answer->chain[j]->issuer.ed25519;
            const uint8_t *to = answer->chain[j]->subject.principal.ed25519;
            is_beyond = is_beyond || (issuer != NULL && to != NULL &&
                                      memcmp(issuer, inviter, WRN_SIGN_PUBLIC_SIZE) == 0 &&
                                      memcmp(to, subject, WRN_SIGN_PUBLIC_SIZE) != 0);
        }
    }
    return is_beyond;
}

static bool element_of(struct wrn_sexp tag, struct wrn_sexp *ret_element) {
    struct wrn_sexp_cursor cursor;
    wrn_span id;
    return wrn_sexp_enter_named(tag, "warren", &cursor) && wrn_sexp_take_atom(&cursor, &id) &&
           wrn_sexp_take_any(&cursor, ret_element);
}

/* Of the grants that give membership, or of all if none does. */
static void set_times(struct wrn_rights *rights, const struct wrn_spki_validity *validities,
                      const struct wrn_judge_verdict *verdict) {
    uint16_t which = rights->member_grants != 0 ? rights->member_grants : UINT16_MAX;
    rights->not_before_s = WRN_RECORD_TIME_MAX_S;
    rights->changes_s = verdict->until_s;
    for (size_t i = 0; i < rights->grant_count; i++) {
        int64_t from_s, last_s;
        if ((which >> i & 1) == 0) {
            continue;
        }
        if (!wrn_spki_date_read(validities[i].not_before, &from_s)) {
            from_s = 0;
        }
        if (!wrn_spki_date_read(validities[i].not_after, &last_s)) {
            last_s = WRN_RECORD_TIME_MAX_S - 1;
        }
        rights->not_before_s = from_s < rights->not_before_s ? from_s : rights->not_before_s;
        rights->until_s = last_s + 1 > rights->until_s ? last_s + 1 : rights->until_s;
    }
}

/* ---- Saying why not */

static void refuse(struct wrn_judge *judge, const struct asked *asked,
                   struct wrn_judge_verdict *verdict) {
    const struct wrn_spki_query query = {&asked->subject, 1, judge->member_sexp, asked->now_s};
    struct wrn_spki_answer answer;
    if (judge->loaded.has_revoked) {
        say_revoked(&judge->loaded, verdict);
        return;
    }
    if (judge->loaded.is_beyond_count) {
        say(verdict, WRN_REASON_NOT_ADMITTED,
            "It was let in by somebody who came with an invitation of a limited number of uses, "
            "and who may therefore let nobody in.");
        return;
    }
    wrn_spki_ask(judge->heap, &query, &answer);
    verdict->is_time =
        answer.verdict == WRN_SPKI_EXPIRED || answer.verdict == WRN_SPKI_NOT_YET_VALID;
    verdict->reason =
        answer.verdict == WRN_SPKI_EXPIRED ? WRN_REASON_EXPIRED : WRN_REASON_NOT_ADMITTED;
    (void)wrn_spki_explain(&answer, NULL, verdict->why, sizeof verdict->why);
}

static void say(struct wrn_judge_verdict *verdict, enum wrn_reason reason, const char *text) {
    verdict->reason = reason;
    (void)snprintf(verdict->why, sizeof verdict->why, "%s", text);
}

static void say_revoked(const struct loaded *loaded, struct wrn_judge_verdict *verdict) {
    char issuer[9], subject[9], by[9];
    put_short(loaded->revoked.issuer, issuer);
    put_short(loaded->revoked.subject, subject);
    put_short(loaded->revoked_by, by);
    verdict->reason = WRN_REASON_EXCLUDED;
    (void)snprintf(verdict->why, sizeof verdict->why,
                   "The certificate of %s for %s was revoked by %s.", issuer, subject, by);
}

/* The first 8 digits of its hash, as src/spki calls principals. */
static void put_short(const uint8_t *public_key, char out[9]) {
    uint8_t key[WRN_SPKI_KEY_SEXP_SIZE], hash[WRN_SHA256_SIZE];
    wrn_spki_hash(wrn_spki_key_sexp(public_key, key), hash);
    (void)snprintf(out, 9, "%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3]);
}
