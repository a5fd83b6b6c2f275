/* SPDX-License-Identifier: Apache-2.0 */
/* Handshake messages in and out: who may shake hands with us, how often, and what follows.
 *
 * Our own initiation and the peer's are independent of each other: answering the peer does not
 * spoil ours. When both begin at once both handshakes complete, and one rule picks the session that
 * lives on: the one that the smaller public key began (see on_response). Nobody has to wait for a
 * retry. */
#include "wg/machine.h"

#include "base/bytes.h"
#include "wg/receiver.h"

enum {
    HANDSHAKE_DS = 0x88, /* AF41, as the kernel marks handshakes */
    HINT_FIRST = 3,      /* after so many initiations without an answer something may be wrong */
    HINT_PERIOD = 18,    /* it is said again after so many more, 90 s or longer */
    LOAD_HOLD_MS = 1000, /* once under load, cookies are demanded for this long */
};

static enum wrn_drop check_size(const struct wrn_wg_datagram *datagram);
static void set_state(struct wrn_wg_peer *peer, enum wrn_wg_state state, struct wrn_wg_out *out);
static bool ensure_static_static(struct wrn_wg *wg, struct wrn_wg_peer *peer);
static void next_timestamp(struct wrn_wg_peer *peer, wrn_wall wall);
static enum wrn_drop admit(struct wrn_wg *wg, struct wrn_now now,
                           const struct wrn_wg_datagram *datagram, struct wrn_wg_out *out);
static uint32_t read_type(const struct wrn_wg_datagram *datagram);
static enum wrn_drop on_initiation(struct wrn_wg *wg, struct wrn_now now,
                                   const struct wrn_wg_datagram *datagram, struct wrn_wg_out *out);
static void learn_path(struct wrn_wg_peer *peer, const struct wrn_path *path,
                       struct wrn_wg_out *out);
static enum wrn_drop authenticate(struct wrn_wg *wg, struct wrn_now now, const uint8_t *message,
                                  struct wrn_noise_received *received,
                                  struct wrn_wg_peer **ret_peer);
static enum wrn_drop check_suite(struct wrn_now now, struct wrn_wg_peer *peer,
                                 enum wrn_cipher cipher, struct wrn_wg_out *out);
static enum wrn_drop respond(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                             struct wrn_noise_received *received, struct wrn_wg_out *out);
static enum wrn_drop on_response(struct wrn_wg *wg, struct wrn_now now,
                                 const struct wrn_wg_datagram *datagram, struct wrn_wg_out *out);
static enum wrn_drop on_cookie_reply(struct wrn_wg *wg, struct wrn_now now,
                                     const struct wrn_wg_datagram *datagram,
                                     struct wrn_wg_out *out);

void wrn_wg_initiate(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer, bool retry,
                     struct wrn_wg_out *out) {
    if (!retry) {
        peer->attempts = 0;
        peer->give_up = wrn_mono_add(now.mono, WRN_WG_REKEY_ATTEMPT_NS);
    }
    struct wrn_path path;
    wrn_path_cell_read(&peer->path, &path);
    if (!wg->up || !wg->has_identity || !wrn_path_leads(&path)) {
        return;
    }
    if (!wrn_mono_reached(now.mono, peer->next_initiation_sent)) {
        if (wrn_wg_timer(peer, WRN_WG_TIMER_RETRY).ns == WRN_MONO_NEVER.ns) {
            /* Nothing else would come back to it. */
            wrn_wg_timer_set(wg, peer, WRN_WG_TIMER_RETRY,
                             wrn_mono_min(peer->next_initiation_sent, peer->give_up));
        }
        return;
    }
    if (!ensure_static_static(wg, peer)) {
        (void)wrn_wg_drop(wg, WRN_DROP_BAD_HANDSHAKE);
        return;
    }
    wrn_session_drop(&wg->sessions, peer->pending_session);
    struct wrn_session *session = wrn_wg_take_session(wg, peer);
    struct wrn_wg_message *message =
        wrn_wg_push_message(out, &path, peer->self, WRN_WG_INITIATION_SIZE);
    uint8_t ephemeral[WRN_KEY_SIZE];
    wrn_rand_fill(wg->rand, ephemeral, sizeof ephemeral);
    next_timestamp(peer, now.wall);
    bool ok = wrn_noise_write_initiation(wg->crypto, peer->cipher, &wg->identity, peer->public_key,
                                         peer->static_static, ephemeral, peer->sent_timestamp,
                                         session->local_index, message->bytes, &peer->pending);
    wrn_wipe(ephemeral, sizeof ephemeral);
    if (!ok) {
        wrn_session_drop(&wg->sessions, session->self);
        peer->pending_session = WRN_HANDLE_NONE;
        out->message_count--;
        (void)wrn_wg_drop(wg, WRN_DROP_BAD_HANDSHAKE);
        return;
    }
    wrn_cookie_add_macs(wg->crypto, &peer->cookie_jar, now.mono, peer->public_key, message->bytes,
                        WRN_WG_INITIATION_SIZE);
    message->outer_ds = HANDSHAKE_DS;
    peer->pending_session = session->self;
    peer->next_initiation_sent = wrn_mono_add(now.mono, WRN_WG_REKEY_TIMEOUT_NS);
    peer->attempts++;
    peer->cookie_retry_used = false;
    peer->tx_bytes += WRN_WG_INITIATION_SIZE;
    set_state(peer, WRN_WG_STATE_WAITING, out);
    wrn_wg_timers_any_sent(wg, now, peer);
    wrn_wg_timers_initiation_sent(wg, now, peer);
    wrn_wg_push_event(out, WRN_WG_EVENT_INITIATION_SENT, peer->self, peer->attempts);
    if (peer->unanswered++ % HINT_PERIOD == HINT_FIRST &&
        peer->cipher != WRN_CIPHER_CHACHA20_POLY1305) {
        /* To an end that does not know the suite our messages are of no type: it says nothing. */
        wrn_wg_push_event(out, WRN_WG_EVENT_INITIATION_UNANSWERED, peer->self, peer->attempts);
    }
}

void wrn_wg_forget_pending(struct wrn_wg *wg, struct wrn_wg_peer *peer, struct wrn_wg_out *out) {
    if (peer->state == WRN_WG_STATE_WAITING) {
        wrn_session_drop(&wg->sessions, peer->pending_session);
        peer->pending_session = WRN_HANDLE_NONE;
        wrn_wipe(&peer->pending, sizeof peer->pending);
        wrn_wg_timer_clear(peer, WRN_WG_TIMER_RETRY);
        set_state(peer, WRN_WG_STATE_IDLE, out);
    }
}

void wrn_wg_handshake_complete(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                               struct wrn_wg_out *out) {
    wrn_wg_forget_pending(wg, peer, out);
    wrn_wg_timer_clear(peer, WRN_WG_TIMER_RETRY);
    peer->attempts = 0;
    peer->unanswered = 0;
    peer->remote_cipher = peer->cipher;
    peer->last_minute_sent = false;
    peer->last_handshake = now.wall;
    wrn_wg_push_event(out, WRN_WG_EVENT_SESSION_STARTED, peer->self, 0);
}

enum wrn_drop wrn_wg_screen(const struct wrn_wg *wg, struct wrn_crypto *crypto,
                            const struct wrn_wg_datagram *datagram) {
    enum wrn_drop drop = check_size(datagram);
    const uint8_t *mac1_key = atomic_load_explicit(&wg->mac1_key, memory_order_acquire);
    if (drop != WRN_DROP_NONE) {
        return drop;
    }
    if (mac1_key == NULL) {
        return WRN_DROP_NO_PRIVATE_KEY;
    }
    if (read_type(datagram) == WRN_WG_TYPE_COOKIE) {
        uint32_t receiver = wrn_load_le32(datagram->bytes + WRN_WG_RECEIVER_AT);
        return wrn_session_is_named(&wg->sessions, receiver) ? WRN_DROP_NONE
                                                             : WRN_DROP_UNEXPECTED_COOKIE;
    }
    return wrn_cookie_check_mac1(crypto, mac1_key, datagram->bytes, datagram->size)
               ? WRN_DROP_NONE
               : WRN_DROP_BAD_MAC1;
}

bool wrn_wg_is_initiation_for(const struct wrn_wg *wg, struct wrn_crypto *crypto,
                              wrn_span datagram) {
    const uint8_t *mac1_key = atomic_load_explicit(&wg->mac1_key, memory_order_acquire);
    return datagram.size == WRN_WG_INITIATION_SIZE && datagram.data[0] == WRN_WG_TYPE_INITIATION &&
           mac1_key != NULL &&
           wrn_cookie_check_mac1(crypto, mac1_key, datagram.data, datagram.size);
}

enum wrn_drop wrn_wg_on_handshake(struct wrn_wg *wg, struct wrn_now now,
                                  const struct wrn_wg_datagram *datagram, struct wrn_wg_out *out) {
    uint32_t type = read_type(datagram);
    enum wrn_drop drop = check_size(datagram);
    if (drop != WRN_DROP_NONE) {
        return wrn_wg_drop(wg, drop);
    }
    if (!wg->has_identity) {
        drop = WRN_DROP_NO_PRIVATE_KEY;
    } else if (type == WRN_WG_TYPE_COOKIE) {
        drop = on_cookie_reply(wg, now, datagram, out);
    } else {
        drop = admit(wg, now, datagram, out);
        if (drop == WRN_DROP_NONE) {
            drop = type == WRN_WG_TYPE_INITIATION ? on_initiation(wg, now, datagram, out)
                                                  : on_response(wg, now, datagram, out);
        }
    }
    return drop == WRN_DROP_NONE ? drop : wrn_wg_drop(wg, drop);
}

static enum wrn_drop check_size(const struct wrn_wg_datagram *datagram) {
    uint32_t type = read_type(datagram);
    size_t expected = type == WRN_WG_TYPE_INITIATION ? WRN_WG_INITIATION_SIZE
                      : type == WRN_WG_TYPE_RESPONSE ? WRN_WG_RESPONSE_SIZE
                      : type == WRN_WG_TYPE_COOKIE   ? WRN_WG_COOKIE_SIZE
                                                     : 0;
    if (expected == 0) {
        return datagram->size < 4 ? WRN_DROP_BAD_LENGTH : WRN_DROP_BAD_TYPE;
    }
    return datagram->size == expected ? WRN_DROP_NONE : WRN_DROP_BAD_LENGTH;
}

/* The type of a message that is not data. The suite byte of the two that have one is left out; 0
 * for what is no type. */
static uint32_t read_type(const struct wrn_wg_datagram *datagram) {
    uint32_t type = datagram->size >= 4 ? wrn_load_le32(datagram->bytes) : 0;
    uint32_t without = type & ~(UINT32_C(0xff) << 8 * WRN_WG_SUITE_AT);
    bool has_suite = without == WRN_WG_TYPE_INITIATION || without == WRN_WG_TYPE_RESPONSE;
    return has_suite ? without : type;
}

/* The only place where the state changes. Every arrow of machine.h's diagram leads between the two
 * states or stays in WAITING. */
static void set_state(struct wrn_wg_peer *peer, enum wrn_wg_state state, struct wrn_wg_out *out) {
    WRN_ASSERT(peer->state != state || state == WRN_WG_STATE_WAITING);
    if (peer->state != state) {
        wrn_wg_push_event(out, WRN_WG_EVENT_STATE, peer->self, state);
    }
    peer->state = state;
}

/* Both static keys never change for a peer, so their product is made once, when first needed: a
 * hundred thousand configured peers must not cost as many multiplications at start. */
static bool ensure_static_static(struct wrn_wg *wg, struct wrn_wg_peer *peer) {
    if (!peer->has_static_static) {
        peer->has_static_static =
            wrn_x25519(wg->crypto, wg->identity.private_key, peer->public_key, peer->static_static);
    }
    return peer->has_static_static;
}

/* Each initiation to a peer carries a later time than the one before, also after our clock was set
 * back: else the peer would take it for a replay. */
static void next_timestamp(struct wrn_wg_peer *peer, wrn_wall wall) {
    uint8_t stamp[WRN_WG_TIMESTAMP_SIZE];
    wrn_noise_timestamp(wall, stamp);
    if (memcmp(stamp, peer->sent_timestamp, sizeof stamp) <= 0) {
        uint64_t second = wrn_load_be64(peer->sent_timestamp);
        uint32_t ns = wrn_load_be32(peer->sent_timestamp + 8) + (UINT32_C(1) << 24);
        if (ns >= 1000000000u) {
            ns = 0;
            second++;
        }
        wrn_store_be64(stamp, second);
        wrn_store_be32(stamp + 8, ns);
    }
    memcpy(peer->sent_timestamp, stamp, sizeof stamp);
}

/* Decides whether an initiation or response is worth public-key arithmetic. Under load it is only
 * with a cookie, which proves its address, and then as often as one address may. */
static enum wrn_drop admit(struct wrn_wg *wg, struct wrn_now now,
                           const struct wrn_wg_datagram *datagram, struct wrn_wg_out *out) {
    const struct wrn_endpoint *from = &datagram->path.remote;
    const uint8_t *mac2 = datagram->bytes + datagram->size - WRN_WG_MAC_SIZE;

    /* Again, though a lane has: it may have done so with our key before this one. */
    if (!wrn_cookie_check_mac1(wg->crypto, wg->cookie_checker.mac1_key, datagram->bytes,
                               datagram->size)) {
        return WRN_DROP_BAD_MAC1;
    }
    bool loaded = wrn_mono_before(now.mono, wg->load_until);
    if (!loaded && !wrn_bucket_take(&wg->handshake_bucket, now.mono, wg->handshakes_per_s,
                                    wg->handshakes_per_s / 4 + 1)) {
        wg->load_until = wrn_mono_add(now.mono, WRN_MS(LOAD_HOLD_MS));
        loaded = true;
    }
    if (!loaded) {
        return WRN_DROP_NONE;
    }
    bool has_mac2 = !wrn_is_zero_secret(mac2, WRN_WG_MAC_SIZE) &&
                    wrn_cookie_check_mac2(wg->crypto, &wg->cookie_checker, now.mono, wg->rand, from,
                                          datagram->bytes, datagram->size);
    if (has_mac2) {
        switch (wrn_rate_table_take(&wg->handshake_rates, now.mono, &from->ip)) {
        case WRN_RATE_PASS:
            return WRN_DROP_NONE;
        case WRN_RATE_LIMITED:
            return WRN_DROP_RATE_LIMITED;
        case WRN_RATE_TABLE_FULL:
            return WRN_DROP_RATE_TABLE_FULL;
        }
    }
    /* Everybody who comes this far gets a reply; how many do is for whoever hands messages over to
     * bound (wg/shares.h). The reply is smaller than what it answers. */
    struct wrn_wg_message *reply =
        wrn_wg_push_message(out, &datagram->path, WRN_HANDLE_NONE, WRN_WG_COOKIE_SIZE);
    wrn_cookie_write_reply(wg->crypto, &wg->cookie_checker, now.mono, wg->rand, from,
                           datagram->bytes, datagram->size, reply->bytes);
    reply->outer_ds = HANDSHAKE_DS;
    wrn_wg_push_event(out, WRN_WG_EVENT_COOKIE_SENT, WRN_HANDLE_NONE, 0);
    return WRN_DROP_COOKIE_DEMANDED;
}

static enum wrn_drop on_initiation(struct wrn_wg *wg, struct wrn_now now,
                                   const struct wrn_wg_datagram *datagram, struct wrn_wg_out *out) {
    struct wrn_noise_received received;
    struct wrn_wg_peer *peer = NULL;
    enum wrn_drop drop = authenticate(wg, now, datagram->bytes, &received, &peer);
    if (drop == WRN_DROP_NONE) {
        drop = check_suite(now, peer, received.transcript.cipher, out);
    }
    if (drop == WRN_DROP_NONE) {
        learn_path(peer, &datagram->path, out);
        peer->rx_bytes += datagram->size;
        wrn_wg_timers_any_received(wg, now, peer);
        wrn_wg_push_event(out, WRN_WG_EVENT_INITIATION_RECEIVED, peer->self, 0);
        drop = respond(wg, now, peer, &received, out);
    }
    wrn_wipe(&received, sizeof received);
    return drop;
}

/* Takes the place that an authentic message came from as the peer's (roaming), unless it is
 * pinned. */
static void learn_path(struct wrn_wg_peer *peer, const struct wrn_path *path,
                       struct wrn_wg_out *out) {
    struct wrn_path before;
    if (peer->is_pinned) {
        return;
    }
    wrn_path_cell_read(&peer->path, &before);
    if (!wrn_endpoint_equal(&before.remote, &path->remote)) {
        wrn_wg_push_event(out, WRN_WG_EVENT_ROAMED, peer->self, 0);
    }
    (void)wrn_path_cell_write(&peer->path, WRN_PATH_OWNER, path);
}

/* Reads an initiation to its end and checks that it is new. Only then does it change the peer. */
static enum wrn_drop authenticate(struct wrn_wg *wg, struct wrn_now now, const uint8_t *message,
                                  struct wrn_noise_received *received,
                                  struct wrn_wg_peer **ret_peer) {
    enum wrn_drop drop = wrn_noise_read_initiation(wg->crypto, &wg->identity, message, received);
    if (drop != WRN_DROP_NONE) {
        return drop;
    }
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, wrn_wg_peer_find(wg, received->remote_static));
    if (peer == NULL) {
        return WRN_DROP_UNKNOWN_PEER;
    }
    if (!ensure_static_static(wg, peer)) {
        return WRN_DROP_BAD_HANDSHAKE;
    }
    drop = wrn_noise_check_initiation(wg->crypto, message, peer->static_static, received);
    if (drop != WRN_DROP_NONE) {
        return drop;
    }
    if (memcmp(received->timestamp, peer->last_timestamp, WRN_WG_TIMESTAMP_SIZE) <= 0) {
        return WRN_DROP_REPLAYED_HANDSHAKE;
    }
    if (!wrn_mono_reached(now.mono, peer->next_initiation_read)) {
        return WRN_DROP_INITIATION_FLOOD;
    }
    memcpy(peer->last_timestamp, received->timestamp, WRN_WG_TIMESTAMP_SIZE);
    peer->next_initiation_read = wrn_mono_add(now.mono, WRN_S(1) / WRN_WG_INITIATIONS_PER_S);
    *ret_peer = peer;
    return WRN_DROP_NONE;
}

/* Only the configured suite is spoken with a peer, so there is nothing to negotiate and nothing to
 * downgrade. Told to the log only after the peer has proven itself: the message is really its. */
static enum wrn_drop check_suite(struct wrn_now now, struct wrn_wg_peer *peer,
                                 enum wrn_cipher cipher, struct wrn_wg_out *out) {
    if (cipher == peer->cipher) {
        return WRN_DROP_NONE;
    }
    peer->remote_cipher = cipher;
    if (wrn_mono_reached(now.mono, peer->next_suite_event)) {
        peer->next_suite_event = wrn_mono_add(now.mono, WRN_WG_REKEY_ATTEMPT_NS);
        wrn_wg_push_event(out, WRN_WG_EVENT_WRONG_SUITE, peer->self, cipher);
    }
    return WRN_DROP_WRONG_SUITE;
}

static enum wrn_drop respond(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                             struct wrn_noise_received *received, struct wrn_wg_out *out) {
    struct wrn_noise_keys keys;
    struct wrn_path path;
    uint8_t ephemeral[WRN_KEY_SIZE];

    wrn_path_cell_read(&peer->path, &path);
    if (!wrn_path_leads(&path)) {
        return WRN_DROP_NO_ENDPOINT; /* pinned, and nobody has said where it is */
    }
    struct wrn_session *session = wrn_wg_take_session(wg, peer);
    struct wrn_wg_message *message =
        wrn_wg_push_message(out, &path, peer->self, WRN_WG_RESPONSE_SIZE);
    wrn_rand_fill(wg->rand, ephemeral, sizeof ephemeral);
    bool ok = wrn_noise_write_response(wg->crypto, received, peer->psk, ephemeral,
                                       session->local_index, message->bytes, &keys);
    wrn_wipe(ephemeral, sizeof ephemeral);
    if (!ok) {
        out->message_count--;
        wrn_session_drop(&wg->sessions, session->self);
        return WRN_DROP_BAD_HANDSHAKE;
    }
    wrn_cookie_add_macs(wg->crypto, &peer->cookie_jar, now.mono, peer->public_key, message->bytes,
                        WRN_WG_RESPONSE_SIZE);
    message->outer_ds = HANDSHAKE_DS;
    wrn_session_start(&wg->sessions, wg->crypto, session, now.mono, false, received->remote_index,
                      &keys);
    wrn_wipe(&keys, sizeof keys);
    if (wrn_session_set_add(&wg->sessions, &peer->sessions, session, false)) {
        wrn_wg_session_confirmed(wg, now, peer, out); /* the one that waited before this one */
    }
    peer->next_initiation_sent = wrn_mono_add(now.mono, WRN_WG_REKEY_TIMEOUT_NS);
    peer->tx_bytes += WRN_WG_RESPONSE_SIZE;
    wrn_wg_timers_any_sent(wg, now, peer);
    wrn_wg_timers_session_derived(wg, now, peer);
    return WRN_DROP_NONE;
}

static enum wrn_drop on_response(struct wrn_wg *wg, struct wrn_now now,
                                 const struct wrn_wg_datagram *datagram, struct wrn_wg_out *out) {
    const uint8_t *message = datagram->bytes;
    struct wrn_session *session =
        wrn_session_find(&wg->sessions, wrn_load_le32(message + WRN_WG_RESP_RECEIVER_AT));
    if (session == NULL || session->state != WRN_SESSION_HANDSHAKE) {
        return WRN_DROP_UNEXPECTED_RESPONSE;
    }
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, session->peer);
    WRN_ASSERT(peer != NULL && wrn_handle_equal(peer->pending_session, session->self));

    struct wrn_noise_keys keys;
    enum wrn_drop drop = wrn_noise_read_response(wg->crypto, &wg->identity, &peer->pending,
                                                 peer->psk, message, &keys);
    if (drop != WRN_DROP_NONE) {
        return drop;
    }
    learn_path(peer, &datagram->path, out);
    peer->rx_bytes += datagram->size;
    wrn_session_start(&wg->sessions, wg->crypto, session, now.mono, true,
                      wrn_load_le32(message + WRN_WG_SENDER_AT), &keys);
    wrn_wipe(&keys, sizeof keys);
    peer->pending_session = WRN_HANDLE_NONE; /* the session belongs to the set from here on */
    /* Both began at once if a session of the peer's making waits as NEXT. Each side compares the
     * same two keys and so both settle on the same session. */
    bool we_yield = memcmp(wg->identity.public_key, peer->public_key, WRN_KEY_SIZE) > 0;
    (void)wrn_session_set_add(&wg->sessions, &peer->sessions, session, we_yield);
    wrn_wg_push_event(out, WRN_WG_EVENT_RESPONSE_RECEIVED, peer->self, 0);
    wrn_wg_timers_any_received(wg, now, peer);
    wrn_wg_timers_session_derived(wg, now, peer);
    wrn_wg_handshake_complete(wg, now, peer, out);
    /* The responder cannot send before it hears from us on the new session: say something at once.
     * */
    wrn_wg_send_keepalive(wg, now, peer, out); /* or what waits, which is better */
    return WRN_DROP_NONE;
}

static enum wrn_drop on_cookie_reply(struct wrn_wg *wg, struct wrn_now now,
                                     const struct wrn_wg_datagram *datagram,
                                     struct wrn_wg_out *out) {
    struct wrn_session *session =
        wrn_session_find(&wg->sessions, wrn_load_le32(datagram->bytes + WRN_WG_RECEIVER_AT));
    struct wrn_wg_peer *peer = session == NULL ? NULL : wrn_wg_peer_get(wg, session->peer);
    if (peer == NULL) {
        return WRN_DROP_UNEXPECTED_COOKIE;
    }
    enum wrn_drop drop = wrn_cookie_read_reply(wg->crypto, &peer->cookie_jar, now.mono,
                                               peer->public_key, datagram->bytes);
    if (drop != WRN_DROP_NONE) {
        return drop;
    }
    peer->rx_bytes += datagram->size;
    wrn_wg_push_event(out, WRN_WG_EVENT_COOKIE_RECEIVED, peer->self, 0);
    /* Try again at once with the cookie instead of waiting for the retry, but only once a timed
     * try, so that a peer that demands cookies forever is not asked faster than the network turns
     * round. */
    if (wrn_handle_equal(session->self, peer->pending_session) && !peer->cookie_retry_used) {
        peer->next_initiation_sent = now.mono;
        wrn_wg_initiate(wg, now, peer, true, out);
        peer->cookie_retry_used = true;
    }
    return WRN_DROP_NONE;
}
