/* SPDX-License-Identifier: Apache-2.0 */
/* Birth and death of a machine, and what its other files share. */
#include "wg/wg.h"

#include "wg/machine.h"

enum {
    SESSIONS_PER_PEER = 6, /* four places, a pending initiation, an answer on its way in */
    RATE_SLOTS = 8192,
    HANDSHAKES_PER_ADDRESS_PER_S = 20, /* under load, with a valid cookie; as the kernel has it */
    HANDSHAKES_PER_ADDRESS_BURST = 5,
    DEFAULT_MTU_BYTES = 1420,
};

static void lay_out(struct wrn_wg *wg, struct wrn_arena *arena,
                    const struct wrn_wg_options *options, const uint64_t seeds[4]);

size_t wrn_wg_memory_size(const struct wrn_wg_options *options) {
    static const uint64_t seeds[4] = {0};
    struct wrn_arena arena;
    struct wrn_wg scratch;
    wrn_arena_init(&arena, NULL, SIZE_MAX);
    (void)wrn_arena_take(&arena, 1, sizeof scratch);
    lay_out(&scratch, &arena, options, seeds);
    return arena.used;
}

struct wrn_wg *wrn_wg_init(void *memory, const struct wrn_wg_options *options,
                           struct wrn_crypto *crypto, struct wrn_rand rand) {
    struct wrn_arena arena;
    uint64_t seeds[4];
    WRN_ASSERT(options->peers_max >= 1 &&
               options->peers_max <= WRN_SESSIONS_MAX / SESSIONS_PER_PEER);
    WRN_ASSERT(options->handshakes_per_s >= 1);
    WRN_ASSERT(options->index_tag_bits <= WRN_WG_INDEX_TAG_BITS_MAX);

    wrn_arena_init(&arena, memory, wrn_wg_memory_size(options));
    struct wrn_wg *wg = wrn_arena_take(&arena, 1, sizeof *wg);
    wg->crypto = crypto;
    wg->rand = rand;
    wg->mtu_bytes = options->is_bridged ? WRN_WG_RELAYED_PACKET_MAX : DEFAULT_MTU_BYTES;
    wg->look_at = WRN_MONO_NEVER;
    wg->quiesce = options->quiesce;
    wg->quiesce_ctx = options->quiesce_ctx;
    wg->filter = options->filter;
    wg->asks_for_unrouted = options->asks_for_unrouted;
    wg->is_bridged = options->is_bridged;
    (void)wrn_wg_lane_init(&wg->own_lane, wg, crypto);
    wg->handshakes_per_s = options->handshakes_per_s;
    wrn_rand_fill(rand, seeds, sizeof seeds);
    lay_out(wg, &arena, options, seeds);
    wrn_session_table_set_tag(&wg->sessions, options->index_tag, options->index_tag_bits);
    wrn_wipe(seeds, sizeof seeds);
    return wg;
}

void wrn_wg_finish(struct wrn_wg *wg) {
    if (wg == NULL) {
        return;
    }
    uint32_t cursor = 0;
    for (;;) {
        wrn_handle peer = wrn_wg_peer_next(wg, &cursor);
        if (wrn_handle_equal(peer, WRN_HANDLE_NONE)) {
            break;
        }
        wrn_wg_peer_remove(wg, peer);
    }
    wrn_wg_reclaim(wg);
    wrn_wipe(wg, sizeof *wg);
}

void wrn_wg_count_drop(struct wrn_wg *wg, enum wrn_drop reason, uint64_t count) {
    WRN_ASSERT(reason < WRN_DROP_COUNT);
    wg->drops[reason] += count;
}

void wrn_wg_drops(const struct wrn_wg *wg, uint64_t ret_counts[WRN_DROP_COUNT]) {
    memcpy(ret_counts, wg->drops, sizeof wg->drops);
    for (const struct wrn_wg_lane *lane = wg->lanes; lane != NULL; lane = lane->next) {
        for (size_t i = 0; i < WRN_DROP_COUNT; i++) {
            ret_counts[i] += atomic_load_explicit(&lane->drops[i], memory_order_relaxed);
        }
    }
}

void wrn_wg_reclaim(struct wrn_wg *wg) {
    if (!wrn_pool_has_retired(&wg->peers) && !wrn_session_table_has_dropped(&wg->sessions) &&
        !wrn_allowed_ips_has_retired(&wg->allowed)) {
        return;
    }
    if (wg->quiesce != NULL) {
        wg->quiesce(wg->quiesce_ctx);
    }
    wrn_pool_reclaim(&wg->peers);
    wrn_session_table_reclaim(&wg->sessions);
    wrn_allowed_ips_reclaim(&wg->allowed);
}

const char *wrn_drop_name(enum wrn_drop reason) {
    static const char *const names[] = {
#define NAME(name, text) [WRN_DROP_##name] = text,
        WRN_DROP_LIST(NAME)
#undef NAME
    };
    WRN_ASSERT((size_t)reason < WRN_COUNT(names));
    return names[reason];
}

const char *wrn_wg_event_text(enum wrn_wg_event_kind kind) {
    static const char *const texts[] = {
#define TEXT(name, text) [WRN_WG_EVENT_##name] = text,
        WRN_WG_EVENT_LIST(TEXT)
#undef TEXT
    };
    WRN_ASSERT((size_t)kind < WRN_COUNT(texts));
    return texts[kind];
}

bool wrn_wg_event_is_fault(enum wrn_wg_event_kind kind) {
    return kind == WRN_WG_EVENT_INITIATION_UNANSWERED || kind == WRN_WG_EVENT_WRONG_SUITE;
}

enum wrn_drop wrn_wg_drop(struct wrn_wg *wg, enum wrn_drop reason) {
    wg->drops[reason]++;
    return reason;
}

struct wrn_wg_message *wrn_wg_push_message(struct wrn_wg_out *out, const struct wrn_path *path,
                                           wrn_handle peer, size_t size) {
    WRN_ASSERT(out->message_count < WRN_WG_MESSAGES_MAX);
    struct wrn_wg_message *message = &out->messages[out->message_count++];
    message->path = *path;
    message->peer = peer;
    message->outer_ds = 0;
    message->size = (uint16_t)size;
    return message;
}

void wrn_wg_push_event(struct wrn_wg_out *out, enum wrn_wg_event_kind kind, wrn_handle peer,
                       uint32_t detail) {
    if (out == NULL) {
        return; /* a command that reports nothing */
    }
    if (out->event_count == WRN_WG_EVENTS_MAX) {
        out->events_lost++;
        return;
    }
    out->events[out->event_count++] = (struct wrn_wg_event){kind, peer, detail};
}

struct wrn_session *wrn_wg_take_session(struct wrn_wg *wg, const struct wrn_wg_peer *peer) {
    struct wrn_session *session = wrn_session_take(&wg->sessions, peer->self, wg->rand);
    if (session == NULL) {
        wrn_wg_reclaim(wg);
        session = wrn_session_take(&wg->sessions, peer->self, wg->rand);
    }
    WRN_ASSERT(session != NULL); /* six slots a peer */
    return session;
}

void wrn_wg_settle(struct wrn_wg *wg) {
    if (wg->quiesce == NULL) {
        wrn_wg_reclaim(wg);
    }
}

struct wrn_wg_peer *wrn_wg_peer_get(const struct wrn_wg *wg, wrn_handle peer) {
    return wrn_pool_get(&wg->peers, peer);
}

/* Takes every table from the arena; the same sequence measures (memory NULL) and builds. */
static void lay_out(struct wrn_wg *wg, struct wrn_arena *arena,
                    const struct wrn_wg_options *options, const uint64_t seeds[4]) {
    uint32_t peers = options->peers_max;
    wrn_pool_init(&wg->peers, arena, peers, sizeof(struct wrn_wg_peer));
    wrn_keymap_init(&wg->peer_by_key, arena, peers, seeds);
    wrn_session_table_init(&wg->sessions, arena, peers * SESSIONS_PER_PEER);
    wrn_allowed_ips_init(&wg->allowed, arena, options->prefixes_max, peers);
    wrn_staged_pool_init(&wg->staged, arena, options->staged_max_bytes);
    wrn_heap_init(&wg->timers, arena, peers);
    wrn_rate_table_init(&wg->handshake_rates, arena, RATE_SLOTS, HANDSHAKES_PER_ADDRESS_PER_S,
                        HANDSHAKES_PER_ADDRESS_BURST, seeds + 2);
}
