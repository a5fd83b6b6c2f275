/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions and the places a peer has for them. */
#include "wg/session.h"

enum {
    INDEX_BITS = 32,
    PLACE_MASK = WRN_SESSIONS_MAX - 1,
    EXPANDED_MAX = 1 << 16, /* sessions with prepared keys: 128 MiB when all are used */
    WINDOW_SIZE = WRN_REPLAY_WORDS * sizeof(uint64_t),
};
static_assert((int)WRN_AEAD_EXPANDED_MAX % (int)WRN_AEAD_EXPANDED_ALIGNMENT == 0,
              "both halves of a slot are aligned");

static uint64_t *take_windows(struct wrn_arena *arena, uint32_t capacity);
static void expand_keys(struct wrn_session_table *table, struct wrn_crypto *crypto,
                        struct wrn_session *session);
static bool bar_next(struct wrn_session_table *table, struct wrn_session_set *set, wrn_mono now);
static void set_current(struct wrn_session_set *set, struct wrn_session *session);
static void retire_current(struct wrn_session_table *table, struct wrn_session_set *set,
                           wrn_mono now);

void wrn_session_table_init(struct wrn_session_table *table, struct wrn_arena *arena,
                            uint32_t capacity) {
    WRN_ASSERT(capacity >= 1 && capacity <= WRN_SESSIONS_MAX);
    wrn_pool_init(&table->pool, arena, capacity, sizeof(struct wrn_session));
    table->windows = take_windows(arena, capacity);
    wrn_pool_init(&table->expanded, arena, capacity < EXPANDED_MAX ? capacity : EXPANDED_MAX,
                  2 * (size_t)WRN_AEAD_EXPANDED_MAX);
}

void wrn_session_table_set_tag(struct wrn_session_table *table, uint32_t tag, uint32_t bits) {
    WRN_ASSERT(bits <= INDEX_BITS - WRN_SESSION_INDEX_BITS && tag >> bits == 0);
    table->tag_mask = ~(UINT32_MAX >> bits);
    table->tag = bits == 0 ? 0 : tag << (INDEX_BITS - bits);
}

struct wrn_session *wrn_session_take(struct wrn_session_table *table, wrn_handle peer,
                                     struct wrn_rand rand) {
    wrn_handle handle;
    uint32_t salt;
    struct wrn_session *session = wrn_pool_take(&table->pool, &handle);
    if (session == NULL) {
        return NULL;
    }
    wrn_rand_fill(rand, &salt, sizeof salt);
    session->self = handle;
    session->peer = peer;
    wrn_replay_init(&session->replay, table->windows + (size_t)handle.index * WRN_REPLAY_WORDS);
    uint32_t random = salt << WRN_SESSION_INDEX_BITS;
    session->local_index = table->tag | (random & ~table->tag_mask) | handle.index;
    atomic_store_explicit(&session->state, WRN_SESSION_HANDSHAKE, memory_order_release);
    return session;
}

void wrn_session_drop(struct wrn_session_table *table, wrn_handle handle) {
    struct wrn_session *session = wrn_pool_get(&table->pool, handle);
    if (session != NULL) {
        atomic_store_explicit(&session->state, WRN_SESSION_DEAD, memory_order_release);
        if (session->expanded_send != NULL) {
            wrn_pool_retire(&table->expanded, session->expanded);
        }
        wrn_pool_retire(&table->pool, handle);
    }
}

void wrn_session_table_reclaim(struct wrn_session_table *table) {
    wrn_pool_reclaim(&table->pool);
    wrn_pool_reclaim(&table->expanded);
}

bool wrn_session_table_has_dropped(const struct wrn_session_table *table) {
    return wrn_pool_has_retired(&table->pool);
}

struct wrn_session *wrn_session_get(const struct wrn_session_table *table, wrn_handle handle) {
    return wrn_pool_get(&table->pool, handle);
}

struct wrn_session *wrn_session_find(const struct wrn_session_table *table, uint32_t local_index) {
    struct wrn_session *session = wrn_pool_at(&table->pool, local_index & PLACE_MASK, NULL);
    return session != NULL && session->local_index == local_index ? session : NULL;
}

struct wrn_session *wrn_session_find_ready(const struct wrn_session_table *table,
                                           uint32_t local_index) {
    struct wrn_session *session = wrn_pool_slot(&table->pool, local_index & PLACE_MASK);
    return session != NULL &&
                   atomic_load_explicit(&session->state, memory_order_acquire) ==
                       WRN_SESSION_READY &&
                   session->local_index == local_index
               ? session
               : NULL;
}

bool wrn_session_is_named(const struct wrn_session_table *table, uint32_t local_index) {
    const struct wrn_session *session = wrn_pool_slot(&table->pool, local_index & PLACE_MASK);
    if (session == NULL) {
        return false;
    }
    uint32_t state = atomic_load_explicit(&session->state, memory_order_acquire);
    return (state == WRN_SESSION_HANDSHAKE || state == WRN_SESSION_READY) &&
           session->local_index == local_index;
}

void wrn_session_start(struct wrn_session_table *table, struct wrn_crypto *crypto,
                       struct wrn_session *session, wrn_mono now, bool initiator,
                       uint32_t remote_index, const struct wrn_noise_keys *keys) {
    WRN_ASSERT(session->state == WRN_SESSION_HANDSHAKE);
    session->initiator = initiator;
    session->remote_index = remote_index;
    session->born = now;
    session->keys = *keys;
    expand_keys(table, crypto, session);
    atomic_store_explicit(&session->state, WRN_SESSION_READY, memory_order_release);
}

bool wrn_session_usable(const struct wrn_session *session, wrn_mono now) {
    return session != NULL &&
           atomic_load_explicit(&session->state, memory_order_acquire) == WRN_SESSION_READY &&
           wrn_mono_since(now, session->born) < WRN_WG_REJECT_AFTER_NS &&
           atomic_load_explicit(&session->send_counter, memory_order_relaxed) <
               WRN_WG_REJECT_AFTER_MESSAGES;
}

bool wrn_session_set_add(struct wrn_session_table *table, struct wrn_session_set *set,
                         struct wrn_session *session, bool yield) {
    bool was_confirmed = false;
    WRN_ASSERT(session->state == WRN_SESSION_READY);
    if (!session->initiator) {
        was_confirmed = bar_next(table, set, session->born);
        wrn_handle before = set->at[WRN_SESSION_NEXT];
        atomic_store_explicit(&session->confirmation, WRN_SESSION_UNCONFIRMED,
                              memory_order_relaxed);
        set->at[WRN_SESSION_NEXT] = session->self;
        atomic_store_explicit(&set->next, session, memory_order_release);
        wrn_session_drop(table, before);
        return was_confirmed;
    }
    if (!yield) { /* it still receives: the peer may use it until it hears from us on the new one */
        was_confirmed = bar_next(table, set, session->born);
        atomic_store_explicit(&set->next, NULL, memory_order_release);
    }
    retire_current(table, set, session->born);
    set_current(set, session);
    return was_confirmed;
}

bool wrn_session_confirm(struct wrn_session *session) {
    uint32_t found = WRN_SESSION_UNCONFIRMED;
    return atomic_compare_exchange_strong_explicit(&session->confirmation, &found,
                                                   WRN_SESSION_CONFIRMED, memory_order_acq_rel,
                                                   memory_order_acquire) ||
           found == WRN_SESSION_CONFIRMED;
}

bool wrn_session_set_is_confirmed(const struct wrn_session_set *set) {
    const struct wrn_session *next = atomic_load_explicit(&set->next, memory_order_acquire);
    return next != NULL &&
           atomic_load_explicit(&next->confirmation, memory_order_acquire) == WRN_SESSION_CONFIRMED;
}

bool wrn_session_set_settle(struct wrn_session_table *table, struct wrn_session_set *set,
                            wrn_mono now) {
    struct wrn_session *next = wrn_session_get(table, set->at[WRN_SESSION_NEXT]);
    if (next == NULL ||
        atomic_load_explicit(&next->confirmation, memory_order_acquire) != WRN_SESSION_CONFIRMED) {
        return false;
    }
    retire_current(table, set, now);
    set_current(set, next);
    set->at[WRN_SESSION_NEXT] = WRN_HANDLE_NONE;
    atomic_store_explicit(&set->next, NULL, memory_order_release);
    atomic_store_explicit(&next->confirmation, WRN_SESSION_SETTLED, memory_order_release);
    return true;
}

void wrn_session_set_clear(struct wrn_session_table *table, struct wrn_session_set *set) {
    atomic_store_explicit(&set->next, NULL, memory_order_release);
    atomic_store_explicit(&set->current, NULL, memory_order_release);
    for (int i = 0; i < WRN_SESSION_PLACES; i++) {
        wrn_session_drop(table, set->at[i]);
        set->at[i] = WRN_HANDLE_NONE;
    }
}

/* Each window begins where a page may begin, so that a busy session touches one and not two. */
static uint64_t *take_windows(struct wrn_arena *arena, uint32_t capacity) {
    uint8_t *memory = wrn_arena_take(arena, (size_t)capacity + 1, WINDOW_SIZE);
    size_t past = (uintptr_t)memory % WINDOW_SIZE;
    return memory == NULL ? NULL
                          : (uint64_t *)(void *)(memory + (WINDOW_SIZE - past) % WINDOW_SIZE);
}

/* Where there is no room for prepared keys the session works without, a little slower. */
static void expand_keys(struct wrn_session_table *table, struct wrn_crypto *crypto,
                        struct wrn_session *session) {
    size_t size = wrn_aead_expanded_size(crypto, session->keys.cipher);
    uint8_t *expanded = size == 0 ? NULL : wrn_pool_take(&table->expanded, &session->expanded);
    if (expanded != NULL) {
        wrn_aead_expand(crypto, session->keys.cipher, session->keys.send, expanded);
        wrn_aead_expand(crypto, session->keys.cipher, session->keys.receive,
                        expanded + WRN_AEAD_EXPANDED_MAX);
        session->expanded_send = expanded;
        session->expanded_receive = expanded + WRN_AEAD_EXPANDED_MAX;
    }
}

/* From here on the session at NEXT is not confirmed any more, unless it has been: then it becomes
 * CURRENT, and true is returned. */
static bool bar_next(struct wrn_session_table *table, struct wrn_session_set *set, wrn_mono now) {
    struct wrn_session *next = wrn_session_get(table, set->at[WRN_SESSION_NEXT]);
    uint32_t unconfirmed = WRN_SESSION_UNCONFIRMED;
    if (next == NULL || atomic_compare_exchange_strong_explicit(
                            &next->confirmation, &unconfirmed, WRN_SESSION_SETTLED,
                            memory_order_acq_rel, memory_order_acquire)) {
        return false;
    }
    return wrn_session_set_settle(table, set, now);
}

/* From here on lanes send on it. */
static void set_current(struct wrn_session_set *set, struct wrn_session *session) {
    set->at[WRN_SESSION_CURRENT] = session->self;
    atomic_store_explicit(&set->current, session, memory_order_release);
}

/* Makes room at CURRENT. What can no longer receive is wiped. */
static void retire_current(struct wrn_session_table *table, struct wrn_session_set *set,
                           wrn_mono now) {
    wrn_handle *at = set->at;
    const struct wrn_session *previous = wrn_session_get(table, at[WRN_SESSION_PREVIOUS]);
    wrn_session_drop(table, at[WRN_SESSION_OLDER]);
    at[WRN_SESSION_OLDER] = at[WRN_SESSION_PREVIOUS];
    at[WRN_SESSION_PREVIOUS] = at[WRN_SESSION_CURRENT];
    at[WRN_SESSION_CURRENT] = WRN_HANDLE_NONE; /* lanes go on until the caller sets the new one */
    if (previous != NULL && wrn_mono_since(now, previous->born) >= WRN_WG_REJECT_AFTER_NS) {
        wrn_session_drop(table, at[WRN_SESSION_OLDER]);
        at[WRN_SESSION_OLDER] = WRN_HANDLE_NONE;
    }
}
