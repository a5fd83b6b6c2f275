/* SPDX-License-Identifier: Apache-2.0 */
/* How often the invitations that this node made have been used: who comes by one claims a record
 * use/KEY/K, the first K that is free, whoever lets him in. So the records of each are looked up in
 * that order, from the first that was not there. */
#include "node/authority_state.h"

enum {
    ROUND_S = 120,      /* between two looks at all of them ... */
    FRESH_ROUND_S = 15, /* ... while one of them is new */
    FRESH_S = 600,
    FIRST_S = 5, /* after the ring was found */
    NEXT_S = 1,
    PATIENCE_S = 20, /* for an answer */
    TAG = WRN_NETWORK_TAGS_USES << 16 | 0xfffe,
};

static bool look(struct wrn_authority *authority, struct wrn_state_invitation *made);
static struct wrn_state_invitation *of_key(struct wrn_authority *authority, const uint8_t *key);

void wrn_authority_used_soon(struct wrn_authority *authority) {
    wrn_mono soon = wrn_mono_add(authority->network->now.mono, WRN_S(FIRST_S));
    authority->used_left = authority->invitation_count;
    authority->used_due = wrn_mono_min(authority->used_due, soon);
}

void wrn_authority_used_on_time(struct wrn_authority *authority) {
    struct wrn_network *network = authority->network;
    wrn_mono now = network->now.mono;
    if (!wrn_mono_reached(now, authority->used_due)) {
        return;
    }
    authority->used_tag = 0;
    while (authority->used_left > 0 && authority->invitation_count > 0) {
        uint32_t turn = authority->used_turn++ % authority->invitation_count;
        authority->used_left--;
        if (look(authority, &authority->invitations[turn])) {
            return;
        }
    }
    authority->used_left = authority->invitation_count;
    authority->used_due = WRN_MONO_NEVER;
    for (uint32_t i = 0; i < authority->invitation_count; i++) {
        int64_t age_s = network->now.wall.s - authority->invitations[i].made_s;
        wrn_mono next = wrn_mono_add(now, WRN_S(age_s < FRESH_S ? FRESH_ROUND_S : ROUND_S));
        authority->used_due = wrn_mono_min(authority->used_due, next);
    }
}

void wrn_authority_used_on_answer(struct wrn_authority *authority,
                                  const struct wrn_dht_answer *answer) {
    if (answer->tag != TAG || authority->used_tag == 0 || answer->verb != WRN_DHT_GET) {
        return;
    }
    struct wrn_state_invitation *made = of_key(authority, authority->used_key);
    if (answer->record.size > 0 && made != NULL) { /* which the ring has verified */
        wrn_authority_used(authority, authority->used_key, authority->used_k);
        authority->used_tag = 0;
        if (!look(authority, made)) {
            authority->used_due = wrn_mono_add(authority->network->now.mono, WRN_S(NEXT_S));
        }
    } else if (answer->is_last) {
        authority->used_tag = 0;
        authority->used_due = wrn_mono_add(authority->network->now.mono, WRN_S(NEXT_S));
    }
}

void wrn_authority_used(struct wrn_authority *authority, const uint8_t key[WRN_SIGN_PUBLIC_SIZE],
                        uint32_t k) {
    struct wrn_state_invitation *made = of_key(authority, key);
    if (made != NULL && k > made->used && k <= made->uses) {
        made->used = k;
        wrn_network_save(authority->network, false);
    }
}

/* Whether the next use of an invitation is there; false if there is nothing to be asked. */
static bool look(struct wrn_authority *authority, struct wrn_state_invitation *made) {
    struct wrn_network *network = authority->network;
    struct wrn_authority_use use = {.low = 1};
    char key[WRN_RECORD_KEY_MAX];
    if (made->used >= made->uses || made->is_revoked || made->until_s <= network->now.wall.s ||
        network->standing != WRN_REASON_NONE || !wrn_sign_public(made->seed, use.key)) {
        return false;
    }
    size_t size = wrn_authority_use_key(&use, made->used + 1, key);
    if (wrn_network_get(network, TAG, (wrn_span){(const uint8_t *)key, size}) != WRN_REASON_NONE) {
        return false;
    }
    memcpy(authority->used_key, use.key, sizeof authority->used_key);
    authority->used_k = made->used + 1;
    authority->used_tag = TAG;
    authority->used_due = wrn_mono_add(network->now.mono, WRN_S(PATIENCE_S));
    return true;
}

static struct wrn_state_invitation *of_key(struct wrn_authority *authority, const uint8_t *key) {
    for (uint32_t i = 0; i < authority->invitation_count; i++) {
        uint8_t own[WRN_SIGN_PUBLIC_SIZE];
        if (wrn_sign_public(authority->invitations[i].seed, own) &&
            memcmp(own, key, sizeof own) == 0) {
            return &authority->invitations[i];
        }
    }
    return NULL;
}
