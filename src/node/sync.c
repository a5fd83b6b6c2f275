/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever is lost on the way is found by the next comparison: so nothing here is acknowledged. */
#include "node/sync.h"

#include "base/wire.h"

enum {
    SHORT = 16,   /* bytes of an issuer, in an offer */
    PIECE = 1024, /* bytes of a list in a message */
    PIECES_MAX = (WRN_REVOKED_LIST_MAX + PIECE - 1) / PIECE,
    PIECE_HEAD = 13,
    ID_SIZE = 8,
    ASSEMBLIES = 16,
    ASSEMBLY_S = 5,
    TOLD_MAX =
        16, /* messages with lists in answer to one offer; the next comparison has the rest */
    ANSWER_MS = 200,
    OFFER_MS = 400,
    COMPARE_MIN_S = 1,
    COMPARE_MAX_S = 64,
    BURST = 32, /* lists passed on at once, and then so many milliseconds for each */
    BURST_MS = 250,
    LOOKS = 64, /* lists of a peer that are looked at in a row, and then so many milliseconds */
    LOOK_MS = 20,
};
static_assert(PIECES_MAX <= 16, "a bit for each piece");

enum { FLAG_ASKS = 1 };

struct peer {
    wrn_handle handle;  /* NONE: nobody */
    wrn_mono due;       /* of the next comparison; NEVER: the same, as far as is known */
    wrn_mono look_from; /* what was looked at for it has been paid for until then */
    wrn_mono answer_from, offer_from, tell_from; /* not before, so that nobody makes us talk */
    uint8_t tries;
    bool is_owner;           /* cannot be revoked: counts for two */
    bool is_compared;        /* since we are awake */
    bool lacks;              /* some offer of this round had something for us, or one is missing */
    uint8_t next_low[SHORT]; /* where the next offer of this round begins */
};

/* A list that comes in pieces. */
struct assembly {
    wrn_handle from; /* NONE: free */
    wrn_mono began;
    uint8_t id[ID_SIZE];
    uint16_t size;
    uint16_t pieces; /* a bit for each that came */
    uint8_t bytes[WRN_REVOKED_LIST_MAX];
};

struct wrn_sync {
    struct wrn_sync_port port;
    struct wrn_revoked *revoked;
    struct wrn_rand rand;
    struct peer *peers; /* by the handle's index */
    uint32_t peers_max;
    uint32_t *active; /* indexes of those that are up */
    uint32_t active_count;
    uint32_t compared_count; /* since we are awake, the owner twice */
    bool is_settled;         /* enough peers have been compared: whoever comes is believed */
    wrn_mono alone_until;    /* ... and until then not one alone; NEVER: no ring yet */
    wrn_mono burst_from;     /* what is passed on now has been paid for until then */
    struct assembly *assemblies;
    uint64_t counts[WRN_SYNC_COUNTS];
};

static struct peer *find(struct wrn_sync *sync, wrn_handle handle);
static void send_digest(struct wrn_sync *sync, const struct peer *peer, bool asks);
static void compare(struct wrn_sync *sync, struct wrn_now now, struct peer *peer);
static void compare_soon(struct wrn_sync *sync, struct wrn_now now, struct peer *peer);
static void on_digest(struct wrn_sync *sync, struct wrn_now now, struct peer *peer,
                      wrn_span message);
static void send_offers(struct wrn_sync *sync, struct wrn_now now, struct peer *peer);
static void on_offer(struct wrn_sync *sync, struct wrn_now now, struct peer *peer, wrn_span offer);
static bool follow_offer(struct wrn_sync *sync, struct peer *peer, wrn_span offer);
static void tell(struct wrn_sync *sync, struct wrn_now now, struct peer *peer, wrn_span offer);
static uint32_t send_list(struct wrn_sync *sync, wrn_handle to, wrn_span list);
static void on_piece(struct wrn_sync *sync, struct wrn_now now, struct peer *peer,
                     wrn_span message);
static struct assembly *assembly_for(struct wrn_sync *sync, struct wrn_now now, wrn_handle from,
                                     const uint8_t *id, uint16_t size);
static void take(struct wrn_sync *sync, struct wrn_now now, struct peer *peer, wrn_span list);
static void note_compared(struct wrn_sync *sync, struct wrn_now now, struct peer *peer);
static void settle(struct wrn_sync *sync, struct wrn_now now);

struct wrn_sync *wrn_sync_init(struct wrn_arena *arena, const struct wrn_sync_options *options,
                               struct wrn_sync_port port) {
    struct wrn_sync *sync = wrn_arena_take(arena, 1, sizeof *sync);
    struct peer *peers = wrn_arena_take(arena, options->peers_max, sizeof *peers);
    uint32_t *active = wrn_arena_take(arena, options->peers_max, sizeof *active);
    struct assembly *assemblies = wrn_arena_take(arena, ASSEMBLIES, sizeof *assemblies);
    if (sync == NULL) {
        return NULL;
    }
    *sync = (struct wrn_sync){
        .port = port,
        .is_settled = options->is_settled,
        .revoked = options->revoked,
        .rand = options->rand,
        .peers = peers,
        .peers_max = options->peers_max,
        .active = active,
        .alone_until = WRN_MONO_NEVER,
        .assemblies = assemblies,
    };
    return sync;
}

bool wrn_sync_on_up(struct wrn_sync *sync, struct wrn_now now, wrn_handle handle, bool is_owner) {
    WRN_ASSERT(handle.index < sync->peers_max);
    struct peer *peer = &sync->peers[handle.index];
    if (peer->handle.generation == 0) {
        sync->active[sync->active_count++] = handle.index;
    }
    *peer = (struct peer){.handle = handle, .is_owner = is_owner};
    compare(sync, now, peer);
    return !sync->is_settled;
}

void wrn_sync_on_down(struct wrn_sync *sync, wrn_handle handle) {
    struct peer *peer = find(sync, handle);
    if (peer == NULL) {
        return;
    }
    for (uint32_t i = 0; i < sync->active_count; i++) {
        if (sync->active[i] == handle.index) {
            sync->active[i] = sync->active[--sync->active_count];
            break;
        }
    }
    for (uint32_t i = 0; i < ASSEMBLIES; i++) {
        struct assembly *assembly = &sync->assemblies[i];
        if (assembly->from.index == handle.index &&
            assembly->from.generation == handle.generation) {
            assembly->from = WRN_HANDLE_NONE;
        }
    }
    *peer = (struct peer){.handle = WRN_HANDLE_NONE}; /* but what it told has been heard */
}

void wrn_sync_on_message(struct wrn_sync *sync, struct wrn_now now, wrn_handle handle,
                         wrn_span message) {
    struct peer *peer = find(sync, handle);
    if (peer == NULL || message.size == 0) {
        return;
    }
    wrn_span rest = {message.data + 1, message.size - 1};
    switch (message.data[0]) {
    case WRN_SYNC_DIGEST:
        on_digest(sync, now, peer, rest);
        return;
    case WRN_SYNC_OFFER:
        on_offer(sync, now, peer, rest);
        return;
    case WRN_SYNC_LIST:
        on_piece(sync, now, peer, rest);
        return;
    default:
        sync->counts[WRN_SYNC_COUNT_MALFORMED]++;
    }
}

void wrn_sync_on_connected(struct wrn_sync *sync, struct wrn_now now) {
    if (!sync->is_settled && sync->alone_until.ns == UINT64_MAX) {
        sync->alone_until = wrn_mono_add(now.mono, WRN_S(WRN_SYNC_ALONE_S));
    }
    settle(sync, now);
}

void wrn_sync_on_woken(struct wrn_sync *sync, struct wrn_now now) {
    bool has_ring = sync->is_settled || sync->alone_until.ns != UINT64_MAX;
    sync->is_settled = false;
    sync->compared_count = 0;
    sync->alone_until = has_ring ? wrn_mono_add(now.mono, WRN_S(WRN_SYNC_ALONE_S)) : WRN_MONO_NEVER;
    for (uint32_t i = 0; i < sync->active_count; i++) {
        struct peer *peer = &sync->peers[sync->active[i]];
        *peer = (struct peer){.handle = peer->handle, .is_owner = peer->is_owner};
        compare(sync, now, peer);
    }
}

void wrn_sync_pass_on(struct wrn_sync *sync, struct wrn_now now, wrn_span list, wrn_handle except) {
    wrn_mono earliest = {now.mono.ns > WRN_MS((uint64_t)BURST * BURST_MS)
                             ? now.mono.ns - WRN_MS((uint64_t)BURST * BURST_MS)
                             : 0};
    wrn_mono from = wrn_mono_before(sync->burst_from, earliest) ? earliest : sync->burst_from;
    bool may = !wrn_mono_before(now.mono, from);
    if (may) {
        sync->burst_from = wrn_mono_add(from, WRN_MS(BURST_MS));
    }
    sync->counts[may ? WRN_SYNC_COUNT_PASSED_ON : WRN_SYNC_COUNT_HELD_BACK]++;
    for (uint32_t i = 0; i < sync->active_count; i++) {
        struct peer *peer = &sync->peers[sync->active[i]];
        bool is_source =
            peer->handle.index == except.index && peer->handle.generation == except.generation;
        if (may && !is_source) {
            (void)send_list(sync, peer->handle, list);
        }
        peer->tries = 0;
        compare_soon(sync, now, peer);
    }
}

void wrn_sync_on_time(struct wrn_sync *sync, struct wrn_now now) {
    settle(sync, now);
    for (uint32_t i = 0; i < sync->active_count; i++) {
        struct peer *peer = &sync->peers[sync->active[i]];
        if (wrn_mono_reached(now.mono, peer->due)) {
            compare(sync, now, peer);
        }
    }
}

wrn_mono wrn_sync_due(const struct wrn_sync *sync) {
    bool waits = !sync->is_settled && sync->compared_count > 0;
    wrn_mono due = waits ? sync->alone_until : WRN_MONO_NEVER;
    for (uint32_t i = 0; i < sync->active_count; i++) {
        due = wrn_mono_min(due, sync->peers[sync->active[i]].due);
    }
    return due;
}

bool wrn_sync_is_settled(const struct wrn_sync *sync) {
    return sync->is_settled;
}

uint64_t wrn_sync_count(const struct wrn_sync *sync, enum wrn_sync_count count) {
    return sync->counts[count];
}

/* ---- comparing ---- */

static struct peer *find(struct wrn_sync *sync, wrn_handle handle) {
    if (handle.index >= sync->peers_max) {
        return NULL;
    }
    struct peer *peer = &sync->peers[handle.index];
    return peer->handle.generation != 0 && peer->handle.generation == handle.generation ? peer
                                                                                        : NULL;
}

static void send_digest(struct wrn_sync *sync, const struct peer *peer, bool asks) {
    uint8_t message[2 + WRN_SHA256_SIZE] = {WRN_SYNC_DIGEST, asks ? FLAG_ASKS : 0};
    wrn_revoked_digest(sync->revoked, message + 2);
    sync->port.send(sync->port.ctx, peer->handle, (wrn_span){message, sizeof message});
}

/* Asks, and asks again until it is the same: less and less often. */
static void compare(struct wrn_sync *sync, struct wrn_now now, struct peer *peer) {
    uint64_t wait_s = (uint64_t)COMPARE_MIN_S << (peer->tries < 6 ? peer->tries : 6);
    wait_s = wait_s < COMPARE_MAX_S ? wait_s : COMPARE_MAX_S;
    peer->tries = (uint8_t)(peer->tries < UINT8_MAX ? peer->tries + 1 : UINT8_MAX);
    peer->due = wrn_mono_add(now.mono, WRN_S(wait_s) + WRN_MS(wrn_rand_below(sync->rand, 250)));
    send_digest(sync, peer, true);
}

static void compare_soon(struct wrn_sync *sync, struct wrn_now now, struct peer *peer) {
    uint64_t wait = WRN_S(COMPARE_MIN_S) + WRN_MS(wrn_rand_below(sync->rand, 1000));
    peer->due = wrn_mono_min(peer->due, wrn_mono_add(now.mono, wait));
}

static void on_digest(struct wrn_sync *sync, struct wrn_now now, struct peer *peer,
                      wrn_span message) {
    uint8_t ours[WRN_SHA256_SIZE];
    if (message.size != 1 + WRN_SHA256_SIZE || (message.data[0] & ~FLAG_ASKS) != 0) {
        sync->counts[WRN_SYNC_COUNT_MALFORMED]++;
        return;
    }
    wrn_revoked_digest(sync->revoked, ours);
    if ((message.data[0] & FLAG_ASKS) != 0 && !wrn_mono_before(now.mono, peer->answer_from)) {
        peer->answer_from = wrn_mono_add(now.mono, WRN_MS(ANSWER_MS));
        send_digest(sync, peer, false);
    }
    if (memcmp(message.data + 1, ours, sizeof ours) == 0) {
        peer->due = WRN_MONO_NEVER;
        peer->tries = 0;
        note_compared(sync, now, peer);
        return;
    }
    compare_soon(sync, now, peer);
    send_offers(sync, now, peer);
}

static void send_offers(struct wrn_sync *sync, struct wrn_now now, struct peer *peer) {
    uint8_t message[WRN_SYNC_MESSAGE_MAX];
    uint32_t cursor = 0;
    size_t size;
    if (wrn_mono_before(now.mono, peer->offer_from)) {
        return;
    }
    peer->offer_from = wrn_mono_add(now.mono, WRN_MS(OFFER_MS));
    message[0] = WRN_SYNC_OFFER;
    while ((size = wrn_revoked_offer(sync->revoked, &cursor, message + 1, sizeof message - 1)) >
           0) {
        sync->port.send(sync->port.ctx, peer->handle, (wrn_span){message, size + 1});
    }
}

/* Says what the other lacks, and what we have if we lack something. */
static void on_offer(struct wrn_sync *sync, struct wrn_now now, struct peer *peer, wrn_span offer) {
    if (offer.size < 1 + 2 * SHORT) {
        sync->counts[WRN_SYNC_COUNT_MALFORMED]++;
        return;
    }
    tell(sync, now, peer, offer);
    if (follow_offer(sync, peer, offer)) {
        note_compared(sync, now, peer);
    }
    if (wrn_revoked_lacks(sync->revoked, offer)) {
        compare_soon(sync, now, peer);
        send_offers(sync, now, peer);
    }
}

/* Offers of one round follow one another. True at the end of one that has nothing for us. */
static bool follow_offer(struct wrn_sync *sync, struct peer *peer, wrn_span offer) {
    static const uint8_t first[SHORT];
    const uint8_t *low = offer.data + 1, *high = offer.data + 1 + SHORT;
    bool is_last = true;
    if (memcmp(low, first, SHORT) == 0) {
        peer->lacks = false;
    } else {
        peer->lacks = peer->lacks || memcmp(low, peer->next_low, SHORT) != 0;
    }
    peer->lacks = peer->lacks || wrn_revoked_lacks(sync->revoked, offer);
    memcpy(peer->next_low, high, SHORT);
    for (size_t at = SHORT; at > 0 && ++peer->next_low[at - 1] == 0; at--) {
    }
    for (size_t i = 0; i < SHORT; i++) {
        is_last = is_last && high[i] == UINT8_MAX;
    }
    return is_last && !peer->lacks;
}

static void tell(struct wrn_sync *sync, struct wrn_now now, struct peer *peer, wrn_span offer) {
    uint32_t cursor = 0, sent = 0;
    wrn_span list;
    if (wrn_mono_before(now.mono, peer->tell_from)) {
        return;
    }
    while (sent < TOLD_MAX &&
           (list = wrn_revoked_next_for(sync->revoked, offer, &cursor)).size > 0) {
        sent += send_list(sync, peer->handle, list);
    }
    if (sent > 0) {
        peer->tell_from = wrn_mono_add(now.mono, WRN_MS(OFFER_MS));
        compare_soon(sync, now, peer);
    }
}

/* ---- lists ---- */

static uint32_t send_list(struct wrn_sync *sync, wrn_handle to, wrn_span list) {
    uint8_t message[PIECE_HEAD + PIECE], id[WRN_SHA256_SIZE];
    uint32_t sent = 0;
    wrn_sha256(list, (wrn_span){NULL, 0}, id);
    for (size_t at = 0; at < list.size; at += PIECE) {
        struct wrn_writer writer = wrn_writer(message, sizeof message);
        size_t size = list.size - at < PIECE ? list.size - at : PIECE;
        wrn_write_u8(&writer, WRN_SYNC_LIST);
        wrn_write_bytes(&writer, id, ID_SIZE);
        wrn_write_u16(&writer, (uint16_t)list.size);
        wrn_write_u16(&writer, (uint16_t)(at / PIECE));
        wrn_write_bytes(&writer, list.data + at, size);
        sync->port.send(sync->port.ctx, to, wrn_written(&writer));
        sent++;
    }
    return sent;
}

static void on_piece(struct wrn_sync *sync, struct wrn_now now, struct peer *peer,
                     wrn_span message) {
    struct wrn_reader reader = wrn_reader(message);
    const uint8_t *id = wrn_read_span(&reader, ID_SIZE).data;
    uint16_t size = wrn_read_u16(&reader), number = wrn_read_u16(&reader);
    wrn_span bytes = wrn_read_rest(&reader);
    uint32_t count = ((uint32_t)size + PIECE - 1) / PIECE;
    bool is_good = !reader.failed && size > 0 && size <= WRN_REVOKED_LIST_MAX && number < count;
    size_t wanted = number + 1U < count ? PIECE : size - (count - 1) * PIECE;
    if (!is_good || bytes.size != wanted) {
        sync->counts[WRN_SYNC_COUNT_MALFORMED]++;
        return;
    }
    if (count == 1) {
        take(sync, now, peer, bytes);
        return;
    }
    struct assembly *assembly = assembly_for(sync, now, peer->handle, id, size);
    memcpy(assembly->bytes + (size_t)number * PIECE, bytes.data, bytes.size);
    assembly->pieces |= (uint16_t)(1U << number);
    if (assembly->pieces == (1U << count) - 1) {
        assembly->from = WRN_HANDLE_NONE; /* its bytes stay until the next one comes */
        take(sync, now, peer, (wrn_span){assembly->bytes, size});
    }
}

/* The one under way; else a free one, or the one of this peer, or the oldest of all. So nobody has
 * more than one, and nobody is kept out by what others began. */
static struct assembly *assembly_for(struct wrn_sync *sync, struct wrn_now now, wrn_handle from,
                                     const uint8_t *id, uint16_t size) {
    struct assembly *best = &sync->assemblies[0];
    uint64_t best_rank = UINT64_MAX;
    for (uint32_t i = 0; i < ASSEMBLIES; i++) {
        struct assembly *assembly = &sync->assemblies[i];
        bool is_his = assembly->from.generation != 0 && assembly->from.index == from.index &&
                      assembly->from.generation == from.generation;
        bool is_same = is_his && assembly->size == size && memcmp(assembly->id, id, ID_SIZE) == 0;
        bool is_old = wrn_mono_since(now.mono, assembly->began) >= WRN_S(ASSEMBLY_S);
        if (is_same && !is_old) {
            return assembly;
        }
        bool is_free = assembly->from.generation == 0;
        uint64_t rank = is_his ? 0 : is_free ? 1 : 2 + assembly->began.ns;
        if (rank < best_rank) {
            best_rank = rank;
            best = assembly;
        }
    }
    sync->counts[WRN_SYNC_COUNT_UNFINISHED] += best->from.generation != 0;
    best->from = from;
    best->began = now.mono;
    memcpy(best->id, id, ID_SIZE);
    best->size = size;
    best->pieces = 0;
    return best;
}

static void take(struct wrn_sync *sync, struct wrn_now now, struct peer *peer, wrn_span list) {
    wrn_handle handle = peer->handle;
    uint64_t window = WRN_MS((uint64_t)LOOKS * LOOK_MS);
    wrn_mono earliest = {now.mono.ns > window ? now.mono.ns - window : 0};
    wrn_mono from = wrn_mono_before(peer->look_from, earliest) ? earliest : peer->look_from;
    if (wrn_mono_before(now.mono, from)) {
        sync->counts[WRN_SYNC_COUNT_UNSEEN]++;
        return; /* each costs a signature; the next comparison brings it again */
    }
    peer->look_from = wrn_mono_add(from, WRN_MS(LOOK_MS));
    sync->port.take(sync->port.ctx, handle, list);
    peer = find(sync, handle); /* it may have been cut by what it told */
    if (peer != NULL && !peer->is_compared && !wrn_mono_before(now.mono, peer->answer_from)) {
        peer->answer_from = wrn_mono_add(now.mono, WRN_MS(ANSWER_MS));
        send_digest(sync, peer, true);
    }
}

/* ---- belief ---- */

static void note_compared(struct wrn_sync *sync, struct wrn_now now, struct peer *peer) {
    if (!peer->is_compared) {
        peer->is_compared = true;
        sync->compared_count += peer->is_owner ? 2 : 1;
        if (sync->is_settled) {
            sync->port.believe(sync->port.ctx, peer->handle);
        }
        settle(sync, now);
    }
}

static void settle(struct wrn_sync *sync, struct wrn_now now) {
    bool is_enough = sync->compared_count >= 2 ||
                     (sync->compared_count == 1 && wrn_mono_reached(now.mono, sync->alone_until));
    if (sync->is_settled || !is_enough) {
        return;
    }
    sync->is_settled = true;
    sync->alone_until = (wrn_mono){0};
    for (uint32_t i = 0; i < sync->active_count; i++) {
        struct peer *peer = &sync->peers[sync->active[i]];
        if (peer->is_compared) {
            sync->port.believe(sync->port.ctx, peer->handle);
        }
    }
}
