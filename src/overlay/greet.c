/* SPDX-License-Identifier: Apache-2.0 */
/* What two nodes say to one another before a link is up, and when it ends: HELLO and WELCOME show
 * credentials, KINDS says what the link is wanted for, BYE that it is over. Also the HELLO of a
 * stranger. Layouts: docs/ring/linking.md. */
#include "base/keymap.h"
#include "overlay/overlay_internal.h"

enum {
    HELLO_HAVE = 1,  /* the sender has admitted the receiver, and needs no credential */
    HELLO_SHOWS = 2, /* the sender shows its credential, be it empty */
    HELLO_FIRST_S = 1,
    HELLO_DOUBLINGS_MAX = 2,
    HELLO_SIZE_MAX = WRN_MESSAGE_MAX,
    HELLO_FIXED = 40, /* bytes of HELLO without locator and credential */
    /* Signatures and key agreements, each a quarter of a millisecond: for members, and apart from
     * these, so that a flood does not keep them from anything, for strangers that showed a cookie.
     * A crowd of 1,000 in a minute at 3 nodes is 6 a second at each, asked twice. */
    VERIFY_PER_S = 60,
    VERIFY_BURST = 120,
    STRANGERS_PER_S = 120,
    STRANGERS_BURST = 240,
};

/* What must be said always can be: nothing is ever silently cut. */
static_assert((int)HELLO_FIXED + (int)WRN_LOCATOR_MAX <= (int)WRN_STRANGER_MESSAGE_MAX,
              "a stranger's HELLO has room for any locator");
static_assert((int)HELLO_FIXED + (int)WRN_CREDENTIAL_MAX <=
                  (int)WRN_MESSAGE_MAX - (int)WRN_RELAYED_OVERHEAD,
              "HELLO and WELCOME have room for any credential, through a relay too");

/* HELLO and WELCOME look the same. */
struct hello {
    uint8_t kind;
    uint8_t flags;
    uint8_t kinds;
    uint64_t random; /* WELCOME: that of the HELLO that it answers */
    uint8_t ring[8];
    uint64_t receiver; /* the sender goes by this number */
    uint64_t sequence; /* of the sender's locator */
    wrn_span locator;
    wrn_span credential;
};

static size_t write_hello(const struct hello *hello, uint8_t *out, size_t capacity);
static enum wrn_reason read_hello(wrn_span message, struct hello *ret_hello);
static struct hello make_hello(struct wrn_overlay *overlay, const struct wrn_overlay_peer *peer,
                               uint8_t kind, bool show);
static void say_welcome(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                        const struct wrn_way *way);
static void on_hello(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                     const struct wrn_way *way, bool is_fresh, const struct hello *hello);
static void on_welcome(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                       const struct wrn_way *way, uint64_t incarnation, const struct hello *hello);
static void on_bye(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer, bool is_fresh,
                   wrn_span message);
static void on_kinds(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer, bool is_fresh,
                     wrn_span message);
static enum wrn_reason admit(const struct wrn_overlay *overlay, const uint8_t *public_key,
                             wrn_span credential, wrn_wall *ret_until);
static void turn_out(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                     enum wrn_reason reason);
static void look_whether_up(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer);
static enum wrn_reason open_stranger(struct wrn_overlay *overlay, const struct wrn_endpoint *from,
                                     uint8_t *frame, size_t size, struct wrn_pair *ret_pair,
                                     struct wrn_overlay_peer **ret_known, struct hello *ret_hello,
                                     struct wrn_locator *ret_locator);
static uint16_t hash_heard(const struct wrn_overlay *overlay, wrn_span name);
static bool was_heard(const struct wrn_join *join, uint16_t hash);
static void meet_stranger(struct wrn_overlay *overlay, const struct wrn_way *way,
                          struct wrn_pair *pair, const struct hello *hello,
                          const struct wrn_locator *locator);
static void meet_again(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                       const struct wrn_way *way, const struct hello *hello,
                       const struct wrn_locator *locator);
static void refuse_stranger(struct wrn_overlay *overlay, const struct wrn_way *way,
                            struct wrn_pair *pair, const struct hello *hello,
                            enum wrn_reason reason, bool shows);

void wrn_greet_hello(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                     const struct wrn_way *way, uint64_t to) {
    uint8_t message[HELLO_SIZE_MAX];
    if (peer->random == 0) {
        peer->random = wrn_overlay_draw(overlay);
    }
    struct hello hello = make_hello(overlay, peer, WRN_MESSAGE_HELLO, true);
    hello.random = peer->random;
    hello.flags |= peer->admitted && !peer->asked_again ? HELLO_HAVE : 0;
    size_t size = write_hello(&hello, message, sizeof(message));
    if (to != 0) {
        wrn_overlay_send_to(overlay, peer, way, to, (wrn_span){message, size});
        return;
    }
    way = way ? way : wrn_paths_way(overlay->paths, peer->handle);
    wrn_overlay_send_on(overlay, peer, way, (wrn_span){message, size});
    if (peer->their_other != 0) {
        wrn_overlay_send_to(overlay, peer, way, peer->their_other, (wrn_span){message, size});
    }
    peer->told = hello.kinds;
    if (peer->state == WRN_PEER_STATE_GREETING) {
        uint32_t doublings = peer->tries < HELLO_DOUBLINGS_MAX ? peer->tries : HELLO_DOUBLINGS_MAX;
        uint64_t wait_ns = wrn_overlay_jitter(overlay, WRN_S(HELLO_FIRST_S) << doublings);
        peer->tries++;
        peer->state_due = wrn_tick_in(overlay->now.mono, wait_ns);
        wrn_peers_arm(overlay, peer);
    }
}

void wrn_greet_bye(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                   enum wrn_reason reason) {
    uint8_t message[11];
    struct wrn_writer writer = wrn_writer(message, sizeof(message));
    const struct wrn_way *way = wrn_paths_way(overlay->paths, peer->handle);
    wrn_write_u8(&writer, WRN_MESSAGE_BYE);
    wrn_write_u8(&writer, (uint8_t)reason);
    wrn_write_u64(&writer, peer->their_random);
    wrn_write_u8(&writer, 0);
    if (peer->pair.their_receiver != 0 && wrn_overlay_direct(overlay, way)) {
        wrn_overlay_send_on(overlay, peer, way, wrn_written(&writer));
    }
}

void wrn_greet_kinds(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                     bool wants_answer) {
    uint8_t message[5] = {WRN_MESSAGE_KINDS, peer->told, peer->kinds_number,
                          peer->their_kinds_number, wants_answer};
    wrn_overlay_send_message(overlay, peer, (wrn_span){message, sizeof(message)});
}

void wrn_greet_begin(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer) {
    bool is_done = peer->admitted && peer->welcomed;
    if (!is_done) { /* first, so that they prove themselves before they say anything else */
        wrn_greet_hello(overlay, peer, NULL, 0);
    }
    if (peer->admitted && peer->their_random != 0) {
        say_welcome(overlay, peer, wrn_paths_way(overlay->paths, peer->handle));
    }
    if (is_done) {
        wrn_peers_up(overlay, peer);
    }
}

void wrn_greet_on_message(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                          const struct wrn_way *way, uint64_t incarnation, bool is_fresh,
                          wrn_span message) {
    struct hello hello;
    switch (message.data[0]) {
    case WRN_MESSAGE_BYE:
        on_bye(overlay, peer, is_fresh, message);
        return;
    case WRN_MESSAGE_KINDS:
        on_kinds(overlay, peer, is_fresh, message);
        return;
    default:
        break;
    }
    enum wrn_reason reason = read_hello(message, &hello);
    if (reason != WRN_REASON_NONE) {
        wrn_overlay_refuse(overlay, reason);
        if (reason == WRN_REASON_TOO_LARGE && is_fresh && hello.kind == WRN_MESSAGE_HELLO) {
            peer->their_random = hello.random;
            turn_out(overlay, peer, reason); /* it would go on asking */
        }
    } else if (hello.kind == WRN_MESSAGE_HELLO) {
        on_hello(overlay, peer, way, is_fresh, &hello);
    } else if (peer->random == 0 || hello.random != peer->random) {
        wrn_overlay_refuse(overlay, WRN_REASON_STALE);
    } else {
        on_welcome(overlay, peer, way, incarnation, &hello);
    }
}

size_t wrn_greet_write_stranger(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                                uint8_t *out, size_t capacity) {
    if (peer->random == 0) {
        peer->random = wrn_overlay_draw(overlay);
    }
    struct hello hello = make_hello(overlay, peer, WRN_MESSAGE_HELLO, true);
    hello.random = peer->random;
    hello.locator = wrn_overlay_own_locator(overlay);
    size_t size = write_hello(&hello, out, capacity);
    if (size == 0) { /* both do not fit: the credential is shown when it is asked for */
        hello.credential.size = 0;
        hello.flags = 0;
        size = write_hello(&hello, out, capacity);
    }
    peer->told = hello.kinds;
    return size;
}

void wrn_greet_on_stranger(struct wrn_overlay *overlay, uint16_t socket,
                           const struct wrn_endpoint *from, uint8_t *frame, size_t size) {
    struct wrn_way way = {.kind = WRN_WAY_DIRECT, .socket = socket, .remote = *from};
    struct wrn_overlay_peer *known = NULL;
    struct wrn_pair pair = {0};
    struct wrn_locator locator;
    struct hello hello;
    enum wrn_reason reason =
        open_stranger(overlay, from, frame, size, &pair, &known, &hello, &locator);
    if (reason != WRN_REASON_NONE) {
        wrn_overlay_refuse(overlay, reason);
    } else if (known) {
        meet_again(overlay, known, &way, &hello, &locator);
    } else {
        meet_stranger(overlay, &way, &pair, &hello, &locator);
    }
    wrn_pair_finish(&pair);
}

void wrn_overlay_admit_again(struct wrn_overlay *overlay, struct wrn_now now,
                             struct wrn_overlay_out *out) {
    enum { SHOW_WITHIN_S = 10 };
    uint32_t cursor = 0;
    wrn_overlay_begin(overlay, now, out);
    for (struct wrn_overlay_peer *peer = wrn_peers_next(overlay, &cursor); peer && overlay->admit;
         peer = wrn_peers_next(overlay, &cursor)) {
        wrn_wall until;
        peer->admitted = peer->admitted && peer->state == WRN_PEER_STATE_UP;
        if (admit(overlay, peer->public_key, (wrn_span){0}, &until) == WRN_REASON_EXCLUDED) {
            turn_out(overlay, peer, WRN_REASON_EXCLUDED);
        } else if (peer->state == WRN_PEER_STATE_UP) {
            wrn_wall limit = {.s = now.wall.s + SHOW_WITHIN_S, .ns = 0};
            peer->is_hurried = peer->is_hurried || limit.s < peer->until_s;
            peer->until_s = peer->until_s < limit.s ? peer->until_s : limit.s;
            peer->asked_again = true;
            peer->random = 0; /* an answer that is under way shows nothing */
            wrn_greet_hello(overlay, peer, NULL, 0);
            wrn_peers_admission(overlay, peer);
        }
    }
    wrn_overlay_end(overlay);
}

/* ---- HELLO and WELCOME ---- */

static struct hello make_hello(struct wrn_overlay *overlay, const struct wrn_overlay_peer *peer,
                               uint8_t kind, bool show) {
    struct hello hello = {.kind = kind,
                          .kinds = wrn_peers_kinds(overlay, peer),
                          .receiver = peer->pair.our_receiver,
                          .sequence = overlay->locator_sequence};
    memcpy(hello.ring, overlay->ring_hash, sizeof(hello.ring));
    if (show) {
        hello.flags = HELLO_SHOWS;
        hello.credential = (wrn_span){overlay->credential, overlay->credential_size};
    }
    return hello;
}

/* Returns 0 if it does not fit. */
static size_t write_hello(const struct hello *hello, uint8_t *out, size_t capacity) {
    struct wrn_writer writer = wrn_writer(out, capacity);
    wrn_write_u8(&writer, hello->kind);
    wrn_write_u8(&writer, hello->flags);
    wrn_write_u8(&writer, hello->kinds);
    wrn_write_u8(&writer, 0);
    wrn_write_u64(&writer, hello->random);
    wrn_write_bytes(&writer, hello->ring, sizeof(hello->ring));
    wrn_write_u64(&writer, hello->receiver);
    wrn_write_u64(&writer, hello->sequence);
    wrn_write_u16(&writer, (uint16_t)hello->locator.size);
    wrn_write_span(&writer, hello->locator);
    wrn_write_u16(&writer, (uint16_t)hello->credential.size);
    wrn_write_span(&writer, hello->credential);
    return wrn_written(&writer).size;
}

/* TOO_LARGE for a locator or a credential beyond its limit: whoever shows it is told so. */
static enum wrn_reason read_hello(wrn_span message, struct hello *ret_hello) {
    struct wrn_reader reader = wrn_reader(message);
    ret_hello->kind = wrn_read_u8(&reader);
    ret_hello->flags = wrn_read_u8(&reader);
    ret_hello->kinds = wrn_read_u8(&reader);
    uint8_t zero = wrn_read_u8(&reader);
    ret_hello->random = wrn_read_u64(&reader);
    wrn_read_bytes(&reader, ret_hello->ring, sizeof(ret_hello->ring));
    ret_hello->receiver = wrn_read_u64(&reader);
    ret_hello->sequence = wrn_read_u64(&reader);
    ret_hello->locator = wrn_read_span(&reader, wrn_read_u16(&reader));
    ret_hello->credential = wrn_read_span(&reader, wrn_read_u16(&reader));
    bool is_good = wrn_reader_is_done(&reader) && zero == 0 && ret_hello->receiver != 0 &&
                   ret_hello->random != 0 &&
                   (ret_hello->flags & ~(HELLO_HAVE | HELLO_SHOWS)) == 0 &&
                   ret_hello->kinds < 2 * WRN_LINK_OVERLAP;
    bool is_small = ret_hello->locator.size <= WRN_LOCATOR_MAX &&
                    ret_hello->credential.size <= WRN_CREDENTIAL_MAX;
    return !is_good ? WRN_REASON_MALFORMED : is_small ? WRN_REASON_NONE : WRN_REASON_TOO_LARGE;
}

/* Answers their HELLO; on a proven way only, since the answer may be the larger. */
static void say_welcome(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                        const struct wrn_way *way) {
    uint8_t message[HELLO_SIZE_MAX];
    if (way->kind == WRN_WAY_NONE) {
        return; /* greet_begin does it */
    }
    struct hello hello = make_hello(overlay, peer, WRN_MESSAGE_WELCOME, !peer->they_have);
    hello.random = peer->their_random;
    hello.flags |= HELLO_HAVE;
    size_t size = write_hello(&hello, message, sizeof(message));
    wrn_overlay_send_on(overlay, peer, way, (wrn_span){message, size});
    if (peer->their_other != 0) {
        wrn_overlay_send_to(overlay, peer, way, peer->their_other, (wrn_span){message, size});
    }
    peer->their_random = 0;
    peer->told = hello.kinds;
}

static void on_hello(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                     const struct wrn_way *way, bool is_fresh, const struct hello *hello) {
    wrn_wall until;
    bool is_ours = memcmp(hello->ring, overlay->ring_hash, sizeof(hello->ring)) == 0;
    if (!is_fresh && peer->state == WRN_PEER_STATE_UP) {
        /* Old, or of a peer that restarted; then the path's pings will prove that. */
        wrn_overlay_refuse(overlay, WRN_REASON_STALE);
        wrn_paths_check(overlay->paths, overlay->now.mono, peer->handle);
        return;
    }
    enum wrn_reason reason = is_ours ? admit(overlay, peer->public_key, hello->credential, &until)
                                     : WRN_REASON_OTHER_RING;
    if (reason != WRN_REASON_NONE) {
        wrn_overlay_refuse(overlay, reason);
        if (is_fresh) { /* an old one may show an old credential */
            peer->their_random = hello->random;
            turn_out(overlay, peer, reason);
        }
        return;
    }
    peer->admitted = true;
    peer->asked_again = peer->is_hurried = false;
    peer->until_s = until.s;
    peer->their_random = hello->random;
    peer->they_have = (hello->flags & HELLO_HAVE) != 0;
    if (peer->state != WRN_PEER_STATE_UP || peer->their_kinds_number == 0) {
        peer->theirs = hello->kinds;
    }
    if (is_fresh) {
        peer->pair.their_receiver = hello->receiver;
        peer->their_other = 0;
        peer->welcomed = peer->welcomed || peer->they_have;
    } else {
        wrn_peers_hear_number(overlay, peer, hello->receiver);
    }
    /* A stranger's address answered WHO: that is proof enough. */
    bool is_proven =
        peer->state == WRN_PEER_STATE_STRANGER && wrn_join_is_stranger_at(overlay, peer, way);
    say_welcome(overlay, peer, is_proven ? way : wrn_paths_way(overlay->paths, peer->handle));
    if (is_proven && !peer->welcomed) {
        /* It knew us before we were started anew, and had to see by our welcome that we were: what
         * we showed as a stranger it has not looked at, and it waits for that. */
        wrn_greet_hello(overlay, peer, way, hello->receiver);
    }
    if (peer->state == WRN_PEER_STATE_GREETING && !peer->welcomed && peer->random == 0) {
        wrn_greet_hello(overlay, peer, NULL, 0);
    }
    if (peer->state == WRN_PEER_STATE_UP) {
        wrn_peers_admission(overlay, peer);
        wrn_peers_take_theirs(overlay, peer, peer->theirs);
    }
    look_whether_up(overlay, peer);
}

/* The echo proves that the peer lives now, in this incarnation. */
static void on_welcome(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                       const struct wrn_way *way, uint64_t incarnation, const struct hello *hello) {
    wrn_wall until = {peer->until_s, 0};
    bool shows = (hello->flags & HELLO_SHOWS) != 0;
    bool was_up = peer->state == WRN_PEER_STATE_UP;
    wrn_peers_prove(overlay, peer, incarnation);
    if (peer->pair.their_incarnation != incarnation) {
        wrn_overlay_refuse(overlay, WRN_REASON_STALE);
        return;
    }
    if (was_up && peer->state != WRN_PEER_STATE_UP) { /* where our question found it */
        wrn_paths_restarted(overlay->paths, overlay->now.mono, peer->handle, way);
    }
    peer->random = 0;
    peer->their_other = 0;
    peer->pair.their_receiver = hello->receiver;
    enum wrn_reason reason = WRN_REASON_NONE;
    if (memcmp(hello->ring, overlay->ring_hash, sizeof(hello->ring)) != 0) {
        reason = WRN_REASON_OTHER_RING;
    } else if (shows) {
        reason = admit(overlay, peer->public_key, hello->credential, &until);
    }
    if (reason != WRN_REASON_NONE) {
        wrn_overlay_refuse(overlay, reason);
        turn_out(overlay, peer, reason);
        return;
    }
    peer->welcomed = true;
    if (shows) {
        peer->admitted = true;
        peer->asked_again = peer->is_hurried = false;
        peer->until_s = until.s;
    } /* else the next HELLO says that we lack it: when it is time, not at once */
    if (peer->their_random != 0 && peer->admitted) {
        say_welcome(overlay, peer, wrn_paths_way(overlay->paths, peer->handle));
    }
    if (peer->state == WRN_PEER_STATE_UP) {
        wrn_peers_admission(overlay, peer);
        return;
    }
    peer->theirs = hello->kinds;
    if (peer->state == WRN_PEER_STATE_STRANGER) {
        wrn_join_forget_stranger(overlay, peer->handle);
        wrn_peers_set_state(overlay, peer, WRN_PEER_STATE_SEARCHING);
        wrn_paths_begin_with(overlay->paths, overlay->now.mono, peer->handle, way);
        return;
    }
    look_whether_up(overlay, peer);
}

static void look_whether_up(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer) {
    if (peer->state == WRN_PEER_STATE_GREETING && peer->admitted && peer->welcomed) {
        wrn_peers_up(overlay, peer);
    }
}

static enum wrn_reason admit(const struct wrn_overlay *overlay, const uint8_t *public_key,
                             wrn_span credential, wrn_wall *ret_until) {
    *ret_until = (wrn_wall){INT64_MAX, 0};
    if (!overlay->admit) {
        return WRN_REASON_NONE;
    }
    enum wrn_reason reason =
        overlay->admit(overlay->admit_ctx, overlay->now.wall, public_key, credential, ret_until);
    return reason == WRN_REASON_NONE && ret_until->s <= overlay->now.wall.s ? WRN_REASON_EXPIRED
                                                                            : reason;
}

/* The peer may not be here: it is told why, and not tried again soon. */
static void turn_out(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                     enum wrn_reason reason) {
    wrn_peers_shun(overlay, peer->id, reason, false);
    wrn_peers_remove(overlay, peer, reason, true);
}

/* ---- BYE and KINDS ---- */

static void on_bye(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer, bool is_fresh,
                   wrn_span message) {
    struct wrn_reader reader = wrn_reader(message);
    (void)wrn_read_u8(&reader);
    uint8_t reason = wrn_read_u8(&reader);
    uint64_t echo = wrn_read_u64(&reader);
    struct wrn_endpoint redirect;
    if (!wrn_redirect_read(overlay, &reader, &redirect) || reason >= WRN_REASON_COUNT) {
        wrn_overlay_refuse(overlay, WRN_REASON_MALFORMED);
        return;
    }
    if (!is_fresh && (peer->random == 0 || echo != peer->random)) {
        wrn_overlay_refuse(overlay, WRN_REASON_STALE);
        return;
    }
    if (reason == WRN_REASON_NOT_ADMITTED || reason == WRN_REASON_EXCLUDED ||
        reason == WRN_REASON_EXPIRED || reason == WRN_REASON_OTHER_RING ||
        reason == WRN_REASON_TOO_LARGE) {
        wrn_peers_shun(overlay, peer->id, reason, true);
    }
    bool is_stranger = peer->state == WRN_PEER_STATE_STRANGER;
    wrn_peers_remove(overlay, peer, reason ? reason : WRN_REASON_LEAVING, false);
    if (is_stranger && reason == WRN_REASON_FULL && redirect.ip.family != WRN_FAMILY_NONE) {
        wrn_join_on_redirect(overlay, &redirect);
    }
}

static void on_kinds(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer, bool is_fresh,
                     wrn_span message) {
    struct wrn_reader reader = wrn_reader(message);
    (void)wrn_read_u8(&reader);
    uint8_t kinds = wrn_read_u8(&reader);
    uint8_t number = wrn_read_u8(&reader);
    uint8_t acknowledged = wrn_read_u8(&reader);
    uint8_t wants_answer = wrn_read_u8(&reader);
    if (!wrn_reader_is_done(&reader) || kinds >= 2 * WRN_LINK_OVERLAP || wants_answer > 1) {
        wrn_overlay_refuse(overlay, WRN_REASON_MALFORMED);
        return;
    }
    if (is_fresh && peer->state == WRN_PEER_STATE_GREETING && peer->admitted) {
        peer->welcomed = true; /* it is said on links that are up only */
        look_whether_up(overlay, peer);
    }
    if (!is_fresh || peer->state != WRN_PEER_STATE_UP) {
        wrn_overlay_refuse(overlay, is_fresh ? WRN_REASON_NOT_ADMITTED : WRN_REASON_STALE);
        return;
    }
    bool is_news = peer->their_kinds_number == 0 || (int8_t)(number - peer->their_kinds_number) > 0;
    if (acknowledged == peer->kinds_number) {
        peer->knows_kinds = true;
        peer->kinds_due = WRN_TICK_NEVER;
    }
    if (is_news) {
        peer->their_kinds_number = number;
        wrn_peers_take_theirs(overlay, peer, kinds);
    }
    if (wants_answer) {
        wrn_greet_kinds(overlay, peer, false);
    }
}

/* ---- strangers ---- */

bool wrn_greet_owns_stranger(const struct wrn_overlay *overlay, wrn_mono now,
                             const struct wrn_endpoint *from, wrn_span frame) {
    uint8_t key[WRN_KEY_SIZE];
    uint8_t cookie[WRN_COOKIE_SIZE];
    return wrn_stranger_read(frame, key, cookie) == WRN_REASON_NONE &&
           wrn_cookie_check(&overlay->join.cookies, overlay->primitives, now, from, cookie);
}

/* Everything that a stranger's frame must pass, the cheap first. */
static enum wrn_reason open_stranger(struct wrn_overlay *overlay, const struct wrn_endpoint *from,
                                     uint8_t *frame, size_t size, struct wrn_pair *ret_pair,
                                     struct wrn_overlay_peer **ret_known, struct hello *ret_hello,
                                     struct wrn_locator *ret_locator) {
    uint8_t key[WRN_KEY_SIZE];
    uint8_t cookie[WRN_COOKIE_SIZE];
    wrn_mono now = overlay->now.mono;
    uint64_t incarnation = 0;
    wrn_span message = {0};
    enum wrn_reason reason = wrn_stranger_read((wrn_span){frame, size}, key, cookie);
    if (reason != WRN_REASON_NONE) {
        return reason;
    }
    if (memcmp(key, overlay->tunnel_public, sizeof(key)) == 0) {
        return WRN_REASON_SELF;
    }
    if (!wrn_cookie_check(&overlay->join.cookies, overlay->primitives, now, from, cookie)) {
        return WRN_REASON_COOKIE;
    }
    uint16_t heard = hash_heard(overlay, wrn_stranger_name((wrn_span){frame, size}));
    if (was_heard(&overlay->join, heard)) {
        return WRN_REASON_REPLAYED;
    }
    if (!wrn_overlay_bucket_take(&overlay->stranger_bucket, now, STRANGERS_PER_S,
                                 STRANGERS_BURST)) {
        return WRN_REASON_RATE;
    }
    *ret_known = wrn_peers_of_key(overlay, key);
    if (!*ret_known) {
        reason = wrn_peers_make_pair(overlay, key, 0, ret_pair);
    }
    if (reason == WRN_REASON_NONE) {
        reason = wrn_stranger_open(*ret_known ? &(*ret_known)->pair : ret_pair, overlay->primitives,
                                   frame, size, &message, &incarnation);
    }
    if (reason != WRN_REASON_NONE) {
        return reason;
    }
    overlay->join.heard[overlay->join.heard_next] = heard;
    overlay->join.heard_next = (uint8_t)((overlay->join.heard_next + 1) % WRN_HEARD_MAX);
    reason = read_hello(message, ret_hello);
    if (reason == WRN_REASON_NONE && ret_hello->kind != WRN_MESSAGE_HELLO) {
        reason = WRN_REASON_MALFORMED;
    }
    if (reason != WRN_REASON_NONE) {
        return reason;
    }
    reason =
        wrn_locator_read(ret_hello->locator, overlay->primitives, overlay->ring_hash, ret_locator);
    if (reason == WRN_REASON_NONE && memcmp(ret_locator->tunnel_key, key, sizeof(key)) != 0) {
        reason = WRN_REASON_WRONG_KEY;
    }
    return reason;
}

/* Nobody outside knows the hash; one of 4,000 new frames is taken for one of those that are
 * remembered, and its author says it again, by another number. */
static uint16_t hash_heard(const struct wrn_overlay *overlay, wrn_span name) {
    uint16_t hash = (uint16_t)wrn_siphash(overlay->digest_key, name.data, name.size);
    return hash != 0 ? hash : 1;
}

static bool was_heard(const struct wrn_join *join, uint16_t hash) {
    bool is_there = false;
    for (size_t i = 0; i < WRN_HEARD_MAX; i++) {
        is_there = is_there || join->heard[i] == hash;
    }
    return is_there;
}

/* A node that we did not know: made a peer, if it may be one and there is room. */
static void meet_stranger(struct wrn_overlay *overlay, const struct wrn_way *way,
                          struct wrn_pair *pair, const struct hello *hello,
                          const struct wrn_locator *locator) {
    wrn_wall until = {0};
    bool shows = (hello->flags & HELLO_SHOWS) != 0 || !overlay->admit;
    enum wrn_reason reason = wrn_peers_shunned(overlay, locator->id);
    if (memcmp(hello->ring, overlay->ring_hash, sizeof(hello->ring)) != 0) {
        reason = WRN_REASON_OTHER_RING;
    } else if (shows) {
        reason = admit(overlay, locator->public_key, hello->credential, &until);
    }
    struct wrn_overlay_peer *peer = NULL;
    if (reason == WRN_REASON_NONE) {
        peer = wrn_peers_add(overlay, locator, pair, 0, WRN_LINK_LEAF, &reason);
    }
    if (!peer) {
        wrn_overlay_refuse(overlay, reason);
        refuse_stranger(overlay, way, pair, hello, reason, shows);
        return;
    }
    peer->admitted = shows;
    peer->until_s = until.s;
    wrn_join_on_locator(overlay, locator, hello->locator);
    meet_again(overlay, peer, way, hello, locator);
}

/* One that is a peer in some state: another one that came up at the same time, or restarted. */
static void meet_again(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                       const struct wrn_way *way, const struct hello *hello,
                       const struct wrn_locator *locator) {
    wrn_peers_learn(overlay, peer, locator);
    wrn_peers_hear_number(overlay, peer, hello->receiver);
    peer->their_random = hello->random;
    if (peer->state == WRN_PEER_STATE_UP) {
        /* Believed when it answers what we draw now; so a copy of an old frame changes nothing. */
        wrn_greet_hello(overlay, peer, way, hello->receiver);
        return;
    }
    peer->theirs |= hello->kinds;
    peer->they_have = false;
    if (peer->state <= WRN_PEER_STATE_SEARCHING) {
        enum wrn_reason reason = wrn_peers_search(overlay, peer, locator, false);
        if (reason != WRN_REASON_NONE) {
            wrn_overlay_refuse(overlay, reason);
        }
        wrn_paths_begin_with(overlay->paths, overlay->now.mono, peer->handle, way);
    } else {
        wrn_greet_begin(overlay, peer);
    }
}

/* Says why, if the frame was good enough to tell to whom, and where else to ask, if it may be on
 * the ring; no more bytes than came. */
static void refuse_stranger(struct wrn_overlay *overlay, const struct wrn_way *way,
                            struct wrn_pair *pair, const struct hello *hello,
                            enum wrn_reason reason, bool shows) {
    uint8_t message[11 + WRN_REDIRECTS_MAX * 19];
    uint8_t frame[sizeof(message) + WRN_FRAME_OVERHEAD];
    struct wrn_writer writer = wrn_writer(message, sizeof(message));
    wrn_write_u8(&writer, WRN_MESSAGE_BYE);
    wrn_write_u8(&writer, (uint8_t)reason);
    wrn_write_u64(&writer, hello->random);
    if (reason == WRN_REASON_FULL && shows) {
        wrn_redirect_write(overlay, &way->remote, &writer);
    } else {
        wrn_write_u8(&writer, 0);
    }
    WRN_ASSERT(!writer.failed);
    pair->their_receiver = hello->receiver;
    size_t size = wrn_pair_seal(pair, overlay->primitives, wrn_written(&writer), frame);
    wrn_overlay_send_datagram(overlay, way->socket, &way->remote, (wrn_span){frame, size});
}

bool wrn_overlay_may_verify(struct wrn_overlay *overlay) {
    return wrn_overlay_bucket_take(&overlay->verify_bucket, overlay->now.mono, VERIFY_PER_S,
                                   VERIFY_BURST);
}
