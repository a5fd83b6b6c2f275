/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a node, its public inputs, and the notes that its parts leave for one another. What
 * the inputs mean is decided in the other files; nothing here knows a message. */
#include "overlay/overlay.h"

#include "base/keymap.h"
#include "overlay/overlay_internal.h"

enum {
    WORK_STEPS_MAX = 4096, /* notes that one input may lead to */
    DUE_ROUNDS_MAX = 8,    /* parts that ask to be called at once, one after another */
    LOCATOR_EARLY = 3,     /* new ones that need not be a second younger than the last one */
    LOCATOR_CHECK_S = 20,  /* after so long a locator is compared with what is true now */
};

static void begin(struct wrn_overlay *overlay, struct wrn_now now, struct wrn_overlay_out *out);
static void end(struct wrn_overlay *overlay);
static struct wrn_overlay *build(struct wrn_arena *arena, const struct wrn_overlay_options *options,
                                 const struct wrn_primitives *primitives, struct wrn_rand rand,
                                 struct wrn_now now);
static void build_parts(struct wrn_overlay *overlay, struct wrn_arena *arena,
                        const struct wrn_overlay_options *options, struct wrn_now now);
static uint32_t room_for_credential(const struct wrn_overlay_options *options);
static bool build_identity(struct wrn_overlay *overlay, const struct wrn_overlay_options *options);
static void work_off(struct wrn_overlay *overlay, uint32_t *steps);
static void do_due(struct wrn_overlay *overlay);
static void resync(struct wrn_overlay *overlay);
static void renew_records(struct wrn_overlay *overlay);
static void parts_on_time(struct wrn_overlay *overlay);
static wrn_mono earliest(const struct wrn_overlay *overlay);

void wrn_overlay_defaults(struct wrn_overlay_options *options) {
    *options = (struct wrn_overlay_options){
        .relays = true,
        .announces = true,
        .credential_max = 512,
        .peers_max = 40,
        .cached_max = 3,
        .cached_bytes = 1152,
        .route = {.watched_max = 16, .watched_bytes = 2048, .sums_max = 2},
        .ring_options = {.wants_shortcuts = true, .on_demand_idle_s = 300, .crawls_max = 2},
        .paths = {.searches_max = 6, .may_open_sockets = true, .keepalive_max_s = 120},
        .relay = {.relays = true, .forwards_max = 24, .uses_max = 8},
        .dht = {.records_max = 24,
                .bytes_max = 6144,
                .writer_bytes_max = 4096,
                .requests_max = 3,
                .kept_max = 2,
                .own_bytes = 2304},
    };
}

void wrn_overlay_out_reset(struct wrn_overlay_out *out) {
    out->count = 0;
    out->used = 0;
}

size_t wrn_overlay_memory_size(const struct wrn_overlay_options *options) {
    struct wrn_arena arena;
    struct wrn_now now = {0};
    wrn_arena_init(&arena, NULL, 0);
    wrn_arena_pack(&arena);
    build(&arena, options, NULL, (struct wrn_rand){0}, now);
    return arena.used;
}

struct wrn_overlay *wrn_overlay_init(void *memory, const struct wrn_overlay_options *options,
                                     const struct wrn_primitives *primitives, struct wrn_rand rand,
                                     struct wrn_now now) {
    struct wrn_arena arena;
    wrn_arena_init(&arena, memory, wrn_overlay_memory_size(options));
    wrn_arena_pack(&arena);
    return build(&arena, options, primitives, rand, now);
}

void wrn_overlay_finish(struct wrn_overlay *overlay) {
    if (overlay) {
        uint32_t cursor = 0;
        for (struct wrn_overlay_peer *peer = wrn_peers_next(overlay, &cursor); peer;
             peer = wrn_peers_next(overlay, &cursor)) {
            wrn_pair_finish(&peer->pair);
        }
        wrn_join_finish(overlay);
        wrn_wipe(overlay->seed, sizeof(overlay->seed));
        wrn_wipe(overlay->tunnel_private, sizeof(overlay->tunnel_private));
    }
}

void wrn_overlay_start(struct wrn_overlay *overlay, struct wrn_now now,
                       struct wrn_overlay_out *out) {
    begin(overlay, now, out);
    if (!overlay->is_started) {
        overlay->is_started = true;
        wrn_join_start(overlay);
    }
    end(overlay);
}

void wrn_overlay_stop(struct wrn_overlay *overlay, struct wrn_now now,
                      struct wrn_overlay_out *out) {
    begin(overlay, now, out);
    overlay->is_started = false;
    uint32_t cursor = 0;
    for (struct wrn_overlay_peer *peer = wrn_peers_next(overlay, &cursor); peer;
         peer = wrn_peers_next(overlay, &cursor)) {
        wrn_peers_remove(overlay, peer, WRN_REASON_LEAVING, true);
    }
    wrn_join_stop(overlay);
    end(overlay);
}

void wrn_overlay_on_time(struct wrn_overlay *overlay, struct wrn_now now,
                         struct wrn_overlay_out *out) {
    if (!wrn_mono_reached(now.mono, overlay->due)) {
        return;
    }
    begin(overlay, now, out);
    end(overlay); /* does all that is due, as it does after every input */
}

wrn_mono wrn_overlay_due(const struct wrn_overlay *overlay) {
    return overlay->due;
}

void wrn_overlay_set_local(struct wrn_overlay *overlay, struct wrn_now now,
                           const struct wrn_locator_endpoint *endpoints, size_t count,
                           struct wrn_overlay_out *out) {
    begin(overlay, now, out);
    wrn_paths_set_local(overlay->paths, now.mono, endpoints, count);
    overlay->locator_dirty = true;
    end(overlay);
}

size_t wrn_overlay_locator(struct wrn_overlay *overlay, struct wrn_now now, uint8_t *out,
                           size_t capacity) {
    overlay->now = now;
    wrn_span locator = wrn_overlay_own_locator(overlay);
    if (locator.size > capacity) {
        return 0;
    }
    memcpy(out, locator.data, locator.size);
    return locator.size;
}

/* ---- for the other files ---- */

void wrn_overlay_begin(struct wrn_overlay *overlay, struct wrn_now now,
                       struct wrn_overlay_out *out) {
    begin(overlay, now, out);
}

void wrn_overlay_end(struct wrn_overlay *overlay) {
    end(overlay);
}

struct wrn_overlay_work *wrn_overlay_note(struct wrn_overlay *overlay, enum wrn_work_kind kind,
                                          wrn_handle peer) {
    struct wrn_overlay_out *out = overlay->out;
    WRN_ASSERT(out);
    if (out->work_count == WRN_OVERLAY_WORK_MAX) {
        overlay->lost_notes++;
        return NULL;
    }
    uint32_t place = (out->work_first + out->work_count) % WRN_OVERLAY_WORK_MAX;
    out->work_count++;
    out->work[place] = (struct wrn_overlay_work){.kind = (uint8_t)kind, .peer = peer};
    return &out->work[place];
}

void wrn_overlay_refuse(struct wrn_overlay *overlay, enum wrn_reason reason) {
    overlay->refused[reason < WRN_REASON_COUNT ? reason : WRN_REASON_MALFORMED]++;
}

bool wrn_overlay_bucket_take(struct wrn_bucket *bucket, wrn_mono now, uint32_t per_s,
                             uint32_t burst) {
    uint64_t each_ns = WRN_S(1) / per_s;
    uint64_t full_at = bucket->full_at_ns > now.ns ? bucket->full_at_ns : now.ns;
    if (full_at - now.ns > each_ns * (burst - 1)) {
        return false;
    }
    bucket->full_at_ns = full_at + each_ns;
    return true;
}

uint64_t wrn_overlay_jitter(struct wrn_overlay *overlay, uint64_t ns) {
    return ns - ns / 4 + ns / 2048 * wrn_rand_below(overlay->rand, 1024);
}

uint64_t wrn_overlay_draw(struct wrn_overlay *overlay) {
    uint64_t number = 0;
    wrn_rand_fill(overlay->rand, &number, sizeof(number));
    return number ? number : 1;
}

wrn_span wrn_overlay_own_locator(struct wrn_overlay *overlay) {
    struct wrn_locator locator;
    wrn_mono now = overlay->now.mono;
    uint64_t age_ns = wrn_mono_since(now, overlay->locator_made);
    bool is_early = age_ns < WRN_S(1);
    if (overlay->locator_size > 0 && is_early &&
        (!overlay->locator_dirty || overlay->locator_early == 0)) {
        return (wrn_span){overlay->locator, overlay->locator_size};
    }
    if (overlay->locator_size > 0 && !overlay->locator_dirty && age_ns < WRN_S(LOCATOR_CHECK_S)) {
        return (wrn_span){overlay->locator, overlay->locator_size};
    }
    memset(&locator, 0, sizeof(locator));
    memcpy(locator.tunnel_key, overlay->tunnel_public, WRN_KEY_SIZE);
    locator.relays = overlay->relays;
    locator.speaks_aes = overlay->speaks_aes;
    wrn_paths_describe(overlay->paths, &locator);
    locator.relay_count =
        (uint8_t)wrn_relay_list(overlay->relay, locator.relay_ids, WRN_LOCATOR_RELAYS_MAX);
    locator.sequence = 0;
    uint64_t digest = wrn_siphash(overlay->digest_key, &locator, sizeof(locator));
    /* Who is new tells others where it is within its first second, before and after it has learnt
     * how it looks from outside: without that no path is found. But nobody makes us sign on. */
    overlay->locator_early = is_early ? overlay->locator_early - 1 : LOCATOR_EARLY;
    overlay->locator_made = now;
    overlay->locator_dirty = false;
    if (overlay->locator_size > 0 && digest == overlay->locator_digest) {
        return (wrn_span){overlay->locator, overlay->locator_size};
    }
    uint64_t wall_ms = overlay->now.wall.s > 0
                           ? (uint64_t)overlay->now.wall.s * 1000u + overlay->now.wall.ns / 1000000u
                           : 0;
    locator.sequence =
        wall_ms > overlay->locator_sequence ? wall_ms : overlay->locator_sequence + 1;
    size_t size = wrn_locator_write(&locator, overlay->primitives, overlay->seed,
                                    overlay->ring_hash, overlay->locator, WRN_LOCATOR_MAX);
    WRN_ASSERT(size > 0);
    overlay->locator_size = (uint32_t)size;
    overlay->locator_sequence = locator.sequence;
    overlay->locator_digest = digest;
    return (wrn_span){overlay->locator, overlay->locator_size};
}

/* ---- helpers ---- */

static void begin(struct wrn_overlay *overlay, struct wrn_now now, struct wrn_overlay_out *out) {
    WRN_ASSERT(!overlay->out && out->work_count == 0);
    overlay->now = now;
    overlay->out = out;
}

/* Takes up the notes, then what is due by now; each may lead to the other. */
static void end(struct wrn_overlay *overlay) {
    uint32_t lost = overlay->lost_notes;
    uint32_t steps = WORK_STEPS_MAX;
    work_off(overlay, &steps);
    for (int round = 0; round < DUE_ROUNDS_MAX; round++) {
        if (!wrn_mono_reached(overlay->now.mono, earliest(overlay))) {
            break;
        }
        do_due(overlay);
        work_off(overlay, &steps);
    }
    if (overlay->lost_notes != lost) {
        resync(overlay);
    }
    overlay->out = NULL;
    overlay->due = earliest(overlay);
}

/* In order; what is left when the steps are used up is lost. */
static void work_off(struct wrn_overlay *overlay, uint32_t *steps) {
    struct wrn_overlay_out *out = overlay->out;
    while (out->work_count > 0 && *steps > 0) {
        struct wrn_overlay_work work = out->work[out->work_first];
        out->work_first = (out->work_first + 1) % WRN_OVERLAY_WORK_MAX;
        out->work_count--;
        wrn_overlay_work_off(overlay, &work);
        (*steps)--;
    }
    overlay->lost_notes += out->work_count;
    out->work_count = 0;
}

static void do_due(struct wrn_overlay *overlay) {
    uint32_t peers = overlay->peers_max;
    parts_on_time(overlay);
    while (peers > 0 && wrn_mono_reached(overlay->now.mono, wrn_dues_first(&overlay->dues))) {
        struct wrn_overlay_peer *peer = wrn_pool_at(&overlay->pool, overlay->dues.first, NULL);
        WRN_ASSERT(peer);
        wrn_peers_on_time(overlay, peer);
        peers--;
    }
    wrn_linker_on_time(overlay);
    wrn_join_on_time(overlay);
}

/* Notes were lost. What they said of paths is looked up; all else has a deadline. */
static void resync(struct wrn_overlay *overlay) {
    uint32_t cursor = 0;
    for (struct wrn_overlay_peer *peer = wrn_peers_next(overlay, &cursor); peer;
         peer = wrn_peers_next(overlay, &cursor)) {
        if (peer->state >= WRN_PEER_STATE_SEARCHING) {
            wrn_peers_on_way(overlay, peer, wrn_paths_way(overlay->paths, peer->handle),
                             WRN_REASON_UNREACHABLE);
        }
    }
    overlay->out->work_count = 0;
}

static void parts_on_time(struct wrn_overlay *overlay) {
    wrn_mono now = overlay->now.mono;
    if (wrn_mono_reached(now, wrn_paths_due(overlay->paths))) {
        wrn_paths_on_time(overlay->paths, now);
    }
    if (wrn_mono_reached(now, wrn_relay_due(overlay->relay))) {
        wrn_relay_on_time(overlay->relay, now);
    }
    if (wrn_mono_reached(now, wrn_route_due(overlay->route))) {
        wrn_route_on_time(overlay->route, now);
    }
    if (wrn_mono_reached(now, wrn_ring_due(overlay->ring))) {
        wrn_ring_on_time(overlay->ring, now);
    }
    if (wrn_mono_reached(now, wrn_dht_due(overlay->dht))) {
        wrn_dht_on_time(overlay->dht, overlay->now);
        renew_records(overlay);
    }
}

/* Signs kept records anew whose time is half over. */
static void renew_records(struct wrn_overlay *overlay) {
    uint8_t bytes[WRN_RECORD_MAX];
    for (int i = 0; i < 16; i++) {
        struct wrn_record record;
        wrn_span old = wrn_dht_due_renewal(overlay->dht, overlay->now);
        if (old.size == 0 ||
            wrn_record_read(old, overlay->primitives, &record) != WRN_REASON_NONE) {
            return;
        }
        record.sequence = wrn_overlay_next_sequence(overlay, record.sequence);
        record.made_s = overlay->now.wall.s;
        /* Nothing is made before it was claimed. If our clock was set back by more than holders
         * forgive, the claim was made by a clock that was wrong, and is made anew. */
        if (record.claimed_s > record.made_s + WRN_CLOCK_TOLERANCE_S) {
            record.claimed_s = record.made_s;
        } else if (record.claimed_s > record.made_s) {
            record.made_s = record.claimed_s;
        }
        size_t size =
            wrn_record_write(&record, overlay->primitives, overlay->seed, bytes, sizeof(bytes));
        if (size == 0 ||
            wrn_dht_keep(overlay->dht, overlay->now, (wrn_span){bytes, size}) != WRN_REASON_NONE) {
            return;
        }
        (void)wrn_dht_store(overlay->dht, overlay->now, WRN_OVERLAY_TAG_OWN,
                            (wrn_span){bytes, size}); /* FULL: keep does it by and by */
    }
}

uint64_t wrn_overlay_next_sequence(struct wrn_overlay *overlay, uint64_t after) {
    uint64_t wall_ms = overlay->now.wall.s > 0
                           ? (uint64_t)overlay->now.wall.s * 1000u + overlay->now.wall.ns / 1000000u
                           : 0;
    uint64_t least = (after > overlay->sequence ? after : overlay->sequence) + 1;
    overlay->sequence = wall_ms > least ? wall_ms : least;
    return overlay->sequence;
}

static wrn_mono earliest(const struct wrn_overlay *overlay) {
    wrn_mono due = wrn_paths_due(overlay->paths);
    due = wrn_mono_min(due, wrn_relay_due(overlay->relay));
    due = wrn_mono_min(due, wrn_route_due(overlay->route));
    due = wrn_mono_min(due, wrn_ring_due(overlay->ring));
    due = wrn_mono_min(due, wrn_dht_due(overlay->dht));
    due = wrn_mono_min(due, overlay->linker.due);
    due = wrn_mono_min(due, overlay->join.due);
    return wrn_mono_min(due, wrn_dues_first(&overlay->dues));
}

/* Takes all memory; with a measuring arena nothing else, and returns NULL. */
static struct wrn_overlay *build(struct wrn_arena *arena, const struct wrn_overlay_options *options,
                                 const struct wrn_primitives *primitives, struct wrn_rand rand,
                                 struct wrn_now now) {
    struct wrn_overlay measured = {0};
    struct wrn_overlay *taken = wrn_arena_take(arena, 1, sizeof(*taken));
    struct wrn_overlay *overlay = taken ? taken : &measured;
    WRN_ASSERT(options->peers_max >= 8 && options->peers_max <= 4096 && options->cached_max <= 64 &&
               options->credential.size <= WRN_CREDENTIAL_MAX);
    overlay->rand = rand;
    if (taken) {
        WRN_ASSERT(primitives);
        overlay->primitives = primitives;
        if (!build_identity(overlay, options)) {
            return NULL;
        }
        wrn_rand_fill(rand, overlay->digest_key, sizeof(overlay->digest_key));
    }
    overlay->credential_max = room_for_credential(options);
    overlay->credential = wrn_arena_take(arena, 1, overlay->credential_max);
    overlay->locator = wrn_arena_take(arena, 1, WRN_LOCATOR_MAX);
    overlay->linker.requests =
        wrn_arena_take(arena, WRN_REQUESTS_MAX, sizeof(*overlay->linker.requests));
    overlay->linker.due = WRN_MONO_NEVER;
    overlay->admit = options->admit;
    overlay->admit_ctx = options->admit_ctx;
    overlay->relays = options->relays;
    overlay->speaks_aes = options->speaks_aes;
    overlay->has_streams = options->paths.has_streams;
    memcpy(overlay->ring_hash, options->ring, sizeof(overlay->ring_hash));
    wrn_peers_init(overlay, arena, options->peers_max);
    wrn_join_init(&overlay->join, arena, options);
    build_parts(overlay, arena, options, now);
    if (taken) {
        overlay->now = now;
        wrn_cookies_init(&overlay->join.cookies, now.mono, rand);
        enum wrn_reason reason = wrn_overlay_set_credential(overlay, options->credential);
        WRN_ASSERT(reason == WRN_REASON_NONE);
        overlay->due = earliest(overlay);
    }
    return taken;
}

static uint32_t room_for_credential(const struct wrn_overlay_options *options) {
    uint32_t most = options->credential_max;
    WRN_ASSERT(most <= WRN_CREDENTIAL_MAX);
    return most == 0                         ? WRN_CREDENTIAL_MAX
           : most > options->credential.size ? most
                                             : (uint32_t)options->credential.size;
}

static void build_parts(struct wrn_overlay *overlay, struct wrn_arena *arena,
                        const struct wrn_overlay_options *options, struct wrn_now now) {
    struct wrn_paths_options paths = options->paths;
    struct wrn_relay_options relay = options->relay;
    paths.peers_max = options->peers_max;
    relay.relays = options->relays;
    relay.peers_max = options->peers_max;
    wrn_links_init(&overlay->links, arena, overlay->id, options->peers_max);
    overlay->paths = wrn_paths_init(arena, &paths, wrn_overlay_paths_port(overlay), overlay->rand);
    overlay->relay = wrn_relay_init(arena, &relay, &overlay->links, wrn_overlay_relay_port(overlay),
                                    overlay->rand);
    overlay->route = wrn_route_init(arena, &options->route, &overlay->links,
                                    wrn_overlay_route_port(overlay), overlay->rand);
    overlay->ring = wrn_ring_init(arena, &options->ring_options, &overlay->links,
                                  wrn_overlay_ring_port(overlay), overlay->rand, now.mono);
    overlay->dht = wrn_dht_init(arena, &options->dht, &overlay->links, overlay->primitives,
                                wrn_overlay_dht_port(overlay), overlay->rand);
}

static bool build_identity(struct wrn_overlay *overlay, const struct wrn_overlay_options *options) {
    const struct wrn_primitives *primitives = overlay->primitives;
    uint8_t hit[WRN_HIT_SIZE];
    memcpy(overlay->seed, options->seed, WRN_SEED_SIZE);
    if (!primitives->sign_public(primitives->ctx, overlay->seed, overlay->public_key)) {
        return false;
    }
    primitives->hit(primitives->ctx, overlay->public_key, hit);
    overlay->id = wrn_id_of_hit(hit);
    primitives->tunnel_key(primitives->ctx, overlay->seed, options->tunnel_context,
                           overlay->tunnel_private);
    return primitives->public_key(primitives->ctx, overlay->tunnel_private, overlay->tunnel_public);
}
