/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes what decides about members: the input is a letter and a second, then a packed chain and,
 * behind it, bytes that are a list of revocations, an offer, a saved state and the key of a record.
 * What must hold of every answer is checked. The keys of the letters are those of the unit tests,
 * so that seeds can have good signatures. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "network/members.h"

enum { HEAD = 8 };

/* What must hold for any input, in every build. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static struct {
    struct wrn_descriptor descriptor;
    struct wrn_primitives primitives;
    struct wrn_judge *judge;
    struct wrn_revoked *revoked, *restored;
    struct wrn_members *members;
    void *memory;
} fuzz;

static void make(void);
static void public_of(uint8_t letter, uint8_t ret_public[WRN_SIGN_PUBLIC_SIZE]);
static void check_judgement(wrn_wall now, const uint8_t *public_key, wrn_span chain);
static void check_lists(int64_t now_s, wrn_span bytes);
static void check_rule(wrn_wall now, const uint8_t *owner, wrn_span chain, wrn_span rest);

/* letter(1) seconds(4) size of the chain(2) size of the key(1) chain rest */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < HEAD) {
        return 0;
    }
    make();
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    wrn_wall now = {.s = wrn_load_be32(data + 1), .ns = 0};
    size_t chain_size = wrn_load_be16(data + 5);
    chain_size = chain_size < size - HEAD ? chain_size : size - HEAD;
    size_t key_size = data[7] < size - HEAD - chain_size ? data[7] : size - HEAD - chain_size;
    uint8_t *copy = malloc(size);
    HOLDS(copy);
    memcpy(copy, data, size);
    wrn_span chain = {copy + HEAD, chain_size};
    wrn_span key = {copy + HEAD + chain_size, key_size};
    wrn_span list = {copy + HEAD + chain_size + key_size, size - HEAD - chain_size - key_size};
    public_of(data[0], public_key);
    check_judgement(now, public_key, chain);
    check_rule(now, public_key, chain, key);
    check_lists(now.s, list);
    check_judgement(now, public_key, chain);
    free(copy);
    free(fuzz.memory);
    return 0;
}

static void make(void) {
    static struct wrn_crypto *crypto;
    const uint64_t seed[2] = {1, 2};
    const struct wrn_revoked_options revoked = {8, 4 * WRN_REVOKED_LIST_MAX};
    const struct wrn_members_options options = {&fuzz.descriptor, 8, {1, 2}};
    struct wrn_arena arena;
    size_t size = 0;
    if (crypto == NULL) {
        HOLDS(wrn_crypto_create(WRN_CRYPTO_OPENSSL, &crypto) == 0);
        fuzz.primitives = wrn_primitives(crypto);
        public_of('O', fuzz.descriptor.owner);
        wrn_sha256((wrn_span){fuzz.descriptor.owner, sizeof fuzz.descriptor.owner},
                   (wrn_span){NULL, 0}, fuzz.descriptor.id);
        wrn_span range = {(const uint8_t *)"10.77.0.0/24", 12};
        HOLDS(wrn_prefix_parse(range, &fuzz.descriptor.ipv4) == 0);
    }
    struct wrn_pack_frame frame = wrn_descriptor_frame(&fuzz.descriptor);
    fuzz.memory = NULL;
    for (int pass = 0; pass < 2; pass++) {
        wrn_arena_init(&arena, fuzz.memory, size);
        fuzz.judge = wrn_judge_init(&arena, &frame, seed);
        fuzz.revoked = wrn_revoked_init(&arena, &revoked, fuzz.judge);
        fuzz.restored = wrn_revoked_init(&arena, &revoked, fuzz.judge);
        fuzz.members =
            wrn_members_init(&arena, &options, fuzz.judge, fuzz.revoked, &fuzz.primitives);
        if (pass == 0) {
            size = wrn_align_up(arena.used, 64);
            fuzz.memory = aligned_alloc(64, size);
            HOLDS(fuzz.memory);
            memset(fuzz.memory, 0, size);
        }
    }
}

static void public_of(uint8_t letter, uint8_t ret_public[WRN_SIGN_PUBLIC_SIZE]) {
    uint8_t seed[WRN_SEED_SIZE];
    memset(seed, letter, sizeof seed);
    HOLDS(wrn_sign_public(seed, ret_public));
}

static void check_judgement(wrn_wall now, const uint8_t *public_key, wrn_span chain) {
    wrn_wall until = {0, 0};
    uint64_t verified = wrn_judge_verified(fuzz.judge);
    struct wrn_members_answer answer = wrn_members_judge(fuzz.members, now, public_key, chain);
    HOLDS(wrn_judge_verified(fuzz.judge) - verified <= WRN_PACK_CERTS_MAX);
    HOLDS((answer.reason == WRN_REASON_NONE) == (answer.rights != NULL));
    HOLDS((answer.reason == WRN_REASON_NONE) == (answer.why == NULL));
    bool is_member = false;
    if (answer.rights != NULL) {
        const struct wrn_rights *rights = answer.rights;
        is_member = (rights->flags & WRN_RIGHT_MEMBER) != 0;
        HOLDS(rights->changes_s > now.s && rights->until_s >= rights->changes_s);
        HOLDS(rights->not_before_s <= now.s);
        HOLDS(rights->rules.count <= WRN_POLICY_RULES_MAX);
        for (size_t i = 0; i < rights->grant_count; i++) {
            HOLDS(rights->grants[i] != 0 && rights->grants[i] >> rights->cert_count == 0);
        }
    } else {
        HOLDS(memchr(answer.why, '\0', WRN_JUDGE_WHY_SIZE) != NULL && answer.why[0] != '\0');
    }
    verified = wrn_judge_verified(fuzz.judge);
    enum wrn_reason reason = chain.size == 0
                                 ? WRN_REASON_NONE
                                 : wrn_members_admit(fuzz.members, now, public_key, chain, &until);
    HOLDS(chain.size == 0 || (reason == WRN_REASON_NONE) == is_member);
    HOLDS(chain.size == 0 || !is_member || until.s > now.s);
    HOLDS(wrn_judge_verified(fuzz.judge) == verified);
}

static void check_lists(int64_t now_s, wrn_span bytes) {
    static uint8_t saved[8 * WRN_REVOKED_LIST_MAX];
    uint8_t offer[256];
    uint32_t cursor = 0;
    bool is_new;
    enum wrn_reason reason = wrn_revoked_add(fuzz.revoked, now_s, bytes, &is_new);
    HOLDS(is_new == (reason == WRN_REASON_NONE));
    HOLDS(wrn_revoked_add(fuzz.revoked, now_s, bytes, &is_new) == reason && !is_new);
    (void)wrn_revoked_lacks(fuzz.revoked, bytes);
    for (size_t i = 0; wrn_revoked_next_for(fuzz.revoked, bytes, &cursor).size > 0; i++) {
        HOLDS(i < 8);
    }
    cursor = 0;
    size_t size = wrn_revoked_offer(fuzz.revoked, &cursor, offer, sizeof offer);
    HOLDS(size >= 33 && !wrn_revoked_lacks(fuzz.revoked, (wrn_span){offer, size}));
    if (wrn_revoked_restore(fuzz.restored, bytes) != WRN_REASON_NONE) {
        return;
    }
    size = wrn_revoked_save(fuzz.restored, saved, sizeof saved);
    HOLDS(size > 0 && size == wrn_revoked_save_size(fuzz.restored));
}

static void check_rule(wrn_wall now, const uint8_t *owner, wrn_span chain, wrn_span rest) {
    static const char *const families[] = {"addr/", "name/", "node/", "crl/", "svc/", "use/"};
    for (size_t i = 0; i < WRN_COUNT(families); i++) {
        for (unsigned kind = WRN_RECORD_PUT; kind <= WRN_RECORD_DELETE; kind++) {
            uint8_t key[WRN_RECORD_KEY_MAX];
            size_t size = strlen(families[i]);
            size_t rest_size = rest.size < sizeof key - size ? rest.size : sizeof key - size;
            memcpy(key, families[i], size);
            memcpy(key + size, rest.data, rest_size);
            struct wrn_record record = {
                .kind = (enum wrn_record_kind)kind,
                .key = {key, size + rest_size},
                .value = rest,
                .proof = chain,
                .ttl_s = 1,
            };
            memcpy(record.owner, owner, sizeof record.owner);
            enum wrn_reason reason = wrn_members_rule(fuzz.members, &record, now);
            HOLDS(wrn_members_rule(fuzz.members, &record, now) == reason);
            record.proof = (wrn_span){NULL, 0};
            bool is_owner = memcmp(owner, fuzz.descriptor.owner, sizeof record.owner) == 0;
            HOLDS(is_owner || wrn_members_rule(fuzz.members, &record, now) != WRN_REASON_NONE);
        }
    }
}
