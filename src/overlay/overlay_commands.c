/* SPDX-License-Identifier: Apache-2.0 */
/* What the caller asks of a node. Hands it to the part that does it. */
#include "overlay/overlay_internal.h"

static void note_traffic(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer);
static enum wrn_reason store(struct wrn_overlay *overlay, uint32_t tag, enum wrn_record_kind kind,
                             wrn_span key, wrn_span value, wrn_span proof, uint32_t ttl_s,
                             int64_t claimed_s, bool keep);

enum wrn_reason wrn_overlay_add_bootstrap(struct wrn_overlay *overlay,
                                          const struct wrn_endpoint *endpoint) {
    return wrn_join_add_bootstrap(overlay, endpoint);
}

enum wrn_reason wrn_overlay_found(struct wrn_overlay *overlay, struct wrn_now now, wrn_id id,
                                  const struct wrn_endpoint *endpoint,
                                  struct wrn_overlay_out *out) {
    wrn_overlay_begin(overlay, now, out);
    enum wrn_reason reason = wrn_join_found(overlay, id, endpoint);
    wrn_overlay_end(overlay);
    return reason;
}

enum wrn_reason wrn_overlay_add_cached(struct wrn_overlay *overlay, wrn_span locator) {
    return wrn_join_add_cached(overlay, locator);
}

enum wrn_reason wrn_overlay_set_credential(struct wrn_overlay *overlay, wrn_span credential) {
    if (credential.size > overlay->credential_max) {
        return WRN_REASON_TOO_LARGE;
    }
    if (credential.size > 0) {
        memcpy(overlay->credential, credential.data, credential.size);
    }
    overlay->credential_size = (uint32_t)credential.size;
    return WRN_REASON_NONE;
}

void wrn_overlay_set_relays(struct wrn_overlay *overlay, struct wrn_now now, bool relays,
                            struct wrn_overlay_out *out) {
    wrn_overlay_begin(overlay, now, out);
    overlay->locator_dirty = overlay->locator_dirty || overlay->relays != relays;
    overlay->relays = relays;
    wrn_relay_set_relays(overlay->relay, relays);
    wrn_overlay_end(overlay);
}

void wrn_overlay_set_streams(struct wrn_overlay *overlay, uint16_t tcp_port, uint16_t tls_port) {
    wrn_paths_set_streams(overlay->paths, tcp_port, tls_port);
}

void wrn_overlay_set_port(struct wrn_overlay *overlay, uint16_t port) {
    overlay->join.port = port;
}

void wrn_overlay_peer_relays(struct wrn_overlay *overlay, struct wrn_now now, wrn_handle handle,
                             bool may_relay, struct wrn_overlay_out *out) {
    const struct wrn_overlay_peer *peer = wrn_peers_get(overlay, handle);
    if (!peer || peer->state != WRN_PEER_STATE_UP) {
        return;
    }
    wrn_overlay_begin(overlay, now, out);
    wrn_relay_set_right(overlay->relay, now.mono, handle, may_relay);
    wrn_overlay_end(overlay);
}

void wrn_overlay_connect(struct wrn_overlay *overlay, struct wrn_now now, wrn_id id,
                         struct wrn_overlay_out *out) {
    struct wrn_want want = {.kind = WRN_LINK_ON_DEMAND, .mode = WRN_ROUTE_EXACT, .target = id};
    wrn_overlay_begin(overlay, now, out);
    struct wrn_overlay_peer *peer = wrn_peers_at(overlay, id);
    if (peer && peer->state == WRN_PEER_STATE_UP) {
        struct wrn_overlay_action *action = wrn_overlay_act(overlay, WRN_OVERLAY_PEER_UP, 0, NULL);
        if (action) {
            action->peer = peer->handle;
            action->id = id;
        }
    }
    wrn_linker_want(overlay, WRN_REQUEST_OF_USER, &want);
    wrn_overlay_end(overlay);
}

enum wrn_reason wrn_overlay_carry(struct wrn_overlay *overlay, struct wrn_now now,
                                  wrn_handle handle, wrn_span datagram,
                                  struct wrn_overlay_out *out) {
    enum { CARRIED_MAX = 65507 - WRN_RELAYED_OVERHEAD };
    uint8_t header[WRN_RELAYED_OVERHEAD];
    struct wrn_overlay_peer *peer = wrn_peers_get(overlay, handle);
    if (datagram.size == 0 || datagram.size > CARRIED_MAX) {
        return WRN_REASON_TOO_LARGE;
    }
    if (!peer || peer->state != WRN_PEER_STATE_UP) {
        return WRN_REASON_UNREACHABLE;
    }
    struct wrn_way way = *wrn_paths_way(overlay->paths, handle);
    if (!wrn_overlay_direct(overlay, &way)) {
        return WRN_REASON_UNREACHABLE;
    }
    wrn_overlay_begin(overlay, now, out);
    bool is_relayed = way.kind == WRN_WAY_RELAY;
    if (is_relayed) {
        wrn_relayed_write(way.slot, header);
    }
    bool sent = wrn_overlay_send_raw(overlay, &way,
                                     (wrn_span){header, is_relayed ? sizeof(header) : 0}, datagram);
    if (is_relayed) {
        wrn_relay_on_sent(overlay->relay, now.mono, &way);
    }
    note_traffic(overlay, peer);
    wrn_overlay_end(overlay);
    return sent ? WRN_REASON_NONE : WRN_REASON_UNREACHABLE;
}

void wrn_overlay_on_traffic(struct wrn_overlay *overlay, struct wrn_now now, wrn_handle handle,
                            struct wrn_overlay_out *out) {
    struct wrn_overlay_peer *peer = wrn_peers_get(overlay, handle);
    if (peer && peer->state == WRN_PEER_STATE_UP) {
        wrn_overlay_begin(overlay, now, out);
        note_traffic(overlay, peer);
        wrn_overlay_end(overlay);
    }
}

enum wrn_reason wrn_overlay_send(struct wrn_overlay *overlay, struct wrn_now now, wrn_handle handle,
                                 wrn_span message, struct wrn_overlay_out *out) {
    uint8_t bytes[WRN_MESSAGE_MAX];
    struct wrn_overlay_peer *peer = wrn_peers_get(overlay, handle);
    if (message.size >= sizeof(bytes)) {
        return WRN_REASON_TOO_LARGE;
    }
    if (!peer || peer->state != WRN_PEER_STATE_UP) {
        return WRN_REASON_UNREACHABLE;
    }
    bytes[0] = WRN_MESSAGE_USER;
    if (message.size > 0) {
        memcpy(bytes + 1, message.data, message.size);
    }
    wrn_overlay_begin(overlay, now, out);
    bool sent = wrn_overlay_send_message(overlay, peer, (wrn_span){bytes, message.size + 1});
    wrn_overlay_end(overlay);
    return sent ? WRN_REASON_NONE : WRN_REASON_UNREACHABLE;
}

enum wrn_reason wrn_overlay_route(struct wrn_overlay *overlay, struct wrn_now now,
                                  enum wrn_route_mode mode, wrn_id target, wrn_span message,
                                  struct wrn_overlay_out *out) {
    struct wrn_route_header header = {.target = target, .mode = mode, .steps = 1};
    uint8_t payload[WRN_PAYLOAD_MAX];
    if (message.size >= sizeof(payload)) {
        return WRN_REASON_TOO_LARGE;
    }
    payload[0] = WRN_PAYLOAD_USER;
    if (message.size > 0) {
        memcpy(payload + 1, message.data, message.size);
    }
    wrn_overlay_begin(overlay, now, out);
    enum wrn_reason reason = wrn_route_send(overlay->route, now.mono, &header, WRN_HANDLE_NONE,
                                            (wrn_span){payload, message.size + 1});
    wrn_overlay_end(overlay);
    return reason;
}

enum wrn_reason wrn_overlay_broadcast(struct wrn_overlay *overlay, struct wrn_now now,
                                      wrn_span message, struct wrn_overlay_out *out) {
    wrn_overlay_begin(overlay, now, out);
    enum wrn_reason reason = wrn_route_broadcast(overlay->route, now.mono, message);
    wrn_overlay_end(overlay);
    return reason;
}

enum wrn_reason wrn_overlay_sum(struct wrn_overlay *overlay, struct wrn_now now, uint32_t tag,
                                wrn_span question, struct wrn_overlay_out *out) {
    wrn_overlay_begin(overlay, now, out);
    enum wrn_reason reason = wrn_route_sum(overlay->route, now.mono, tag, question);
    wrn_overlay_end(overlay);
    return reason;
}

enum wrn_reason wrn_overlay_crawl(struct wrn_overlay *overlay, struct wrn_now now, uint32_t tag,
                                  uint32_t limit, struct wrn_overlay_out *out) {
    wrn_overlay_begin(overlay, now, out);
    enum wrn_reason reason = wrn_ring_crawl(overlay->ring, now.mono, tag, limit);
    wrn_overlay_end(overlay);
    return reason;
}

void wrn_overlay_crawl_stop(struct wrn_overlay *overlay, uint32_t tag) {
    wrn_ring_crawl_stop(overlay->ring, tag);
}

void wrn_overlay_set_number(struct wrn_overlay *overlay, uint64_t number) {
    overlay->number = number;
}

enum wrn_reason wrn_overlay_get(struct wrn_overlay *overlay, struct wrn_now now, uint32_t tag,
                                wrn_span key, struct wrn_overlay_out *out) {
    wrn_overlay_begin(overlay, now, out);
    enum wrn_reason reason = wrn_dht_get(overlay->dht, now, tag, key);
    wrn_overlay_end(overlay);
    return reason;
}

enum wrn_reason wrn_overlay_store(struct wrn_overlay *overlay, struct wrn_now now, uint32_t tag,
                                  enum wrn_record_kind kind, wrn_span key, wrn_span value,
                                  wrn_span proof, uint32_t ttl_s, int64_t claimed_s, bool keep,
                                  struct wrn_overlay_out *out) {
    wrn_overlay_begin(overlay, now, out);
    enum wrn_reason reason = store(overlay, tag, kind, key, value, proof, ttl_s, claimed_s, keep);
    wrn_overlay_end(overlay);
    return reason;
}

/* Once a second is enough for those who watch it. */
static void note_traffic(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer) {
    wrn_mono now = overlay->now.mono;
    uint32_t second = (uint32_t)(now.ns / WRN_S(1)) + 1;
    if (peer->traffic_s != second) {
        peer->traffic_s = second;
        wrn_ring_on_traffic(overlay->ring, now, peer->handle);
        wrn_paths_on_traffic(overlay->paths, now, peer->handle);
    }
}

/* Signs the record, stores it, and sees to its being renewed, or renewed no more. */
static enum wrn_reason store(struct wrn_overlay *overlay, uint32_t tag, enum wrn_record_kind kind,
                             wrn_span key, wrn_span value, wrn_span proof, uint32_t ttl_s,
                             int64_t claimed_s, bool keep) {
    uint8_t bytes[WRN_RECORD_MAX];
    int64_t now_s = overlay->now.wall.s;
    struct wrn_record record = {.kind = kind,
                                .key = key,
                                .value = value,
                                .proof = proof,
                                .sequence = wrn_overlay_next_sequence(overlay, 0),
                                .made_s = now_s,
                                .ttl_s = ttl_s};
    int64_t kept_s = 0;
    if (kind == WRN_RECORD_CREATE) {
        bool is_saved = claimed_s > 0 && claimed_s < now_s;
        record.claimed_s = is_saved ? claimed_s : now_s;
        if (wrn_dht_kept_claim(overlay->dht, key, &kept_s) && kept_s < record.claimed_s) {
            record.claimed_s = kept_s; /* another value, the same claim */
        }
    }
    if (ttl_s == 0 || ttl_s > WRN_RECORD_TTL_MAX_S || key.size == 0) {
        return WRN_REASON_MALFORMED;
    }
    size_t size =
        wrn_record_write(&record, overlay->primitives, overlay->seed, bytes, sizeof(bytes));
    if (size == 0) {
        return WRN_REASON_TOO_LARGE;
    }
    if (kind == WRN_RECORD_DELETE) {
        wrn_dht_keep_no_more(overlay->dht, key);
    }
    enum wrn_reason reason =
        wrn_dht_store(overlay->dht, overlay->now, tag, (wrn_span){bytes, size});
    if (reason == WRN_REASON_NONE && keep && kind != WRN_RECORD_DELETE) {
        reason = wrn_dht_keep(overlay->dht, overlay->now, (wrn_span){bytes, size});
    }
    return reason;
}
