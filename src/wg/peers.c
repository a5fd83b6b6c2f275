/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and questions: what the configuration of a machine can change and see. */
#include "wg/machine.h"

static void unlink_ready(struct wrn_wg *wg, struct wrn_wg_peer *peer);
static void publish_mac1_key(struct wrn_wg *wg);
static void forget_keys_of_all(struct wrn_wg *wg);

void wrn_wg_set_up(struct wrn_wg *wg, struct wrn_now now, bool up, struct wrn_wg_out *out) {
    if (wg->up == up) {
        return;
    }
    wg->up = up;
    for (uint32_t i = 0; i < wg->peers.touched; i++) {
        struct wrn_wg_peer *peer = wrn_pool_at(&wg->peers, i, NULL);
        if (peer == NULL) {
            continue;
        }
        if (!up) {
            wrn_wg_peer_reset(wg, peer, out);
            wrn_wg_purge_staged(wg, peer, WRN_DROP_INTERFACE_DOWN);
            continue;
        }
        /* Made due instead of sent: there may be more peers than room in 'out'. */
        if (peer->keepalive_s != 0) {
            wrn_wg_timer_set(wg, peer, WRN_WG_TIMER_PERSISTENT, now.mono);
        }
        if (peer->staged.count > 0) {
            wrn_wg_timer_set(wg, peer, WRN_WG_TIMER_RETRY, now.mono);
        }
    }
    wrn_wg_settle(wg);
}

void wrn_wg_set_mtu(struct wrn_wg *wg, uint32_t mtu_bytes) {
    if (!wg->is_bridged) {
        wg->mtu_bytes = mtu_bytes;
    }
}

int wrn_wg_set_private_key(struct wrn_wg *wg, struct wrn_now now,
                           const uint8_t key[WRN_WG_KEY_SIZE]) {
    (void)now;
    struct wrn_noise_identity identity;
    bool some = !wrn_is_zero_secret(key, WRN_WG_KEY_SIZE);

    if (some ? wg->has_identity && wrn_equal_secret(key, wg->identity.private_key, WRN_WG_KEY_SIZE)
             : !wg->has_identity) {
        return 0;
    }
    memset(&identity, 0, sizeof identity);
    if (some) {
        memcpy(identity.private_key, key, WRN_WG_KEY_SIZE);
        wrn_x25519_clamp(identity.private_key);
        if (!wrn_x25519_public(wg->crypto, identity.private_key, identity.public_key)) {
            wrn_wipe(&identity, sizeof identity);
            return -ENOMEM;
        }
    }
    wg->identity = identity;
    wg->has_identity = some;
    wrn_wipe(&identity, sizeof identity);
    if (some) {
        wrn_cookie_checker_set_key(wg->crypto, &wg->cookie_checker, wg->identity.public_key);
        wrn_wg_peer_remove(wg, wrn_wg_peer_find(wg, wg->identity.public_key));
    }
    publish_mac1_key(wg);
    forget_keys_of_all(wg);
    return 0;
}

wrn_handle wrn_wg_peer_find(const struct wrn_wg *wg, const uint8_t public_key[WRN_WG_KEY_SIZE]) {
    uint32_t index;
    wrn_handle handle = WRN_HANDLE_NONE;
    if (wrn_keymap_find(&wg->peer_by_key, public_key, &index)) {
        (void)wrn_pool_at(&wg->peers, index, &handle);
    }
    return handle;
}

int wrn_wg_peer_add(struct wrn_wg *wg, struct wrn_now now,
                    const uint8_t public_key[WRN_WG_KEY_SIZE], wrn_handle *ret_peer) {
    (void)now;
    uint32_t index;
    wrn_handle handle;
    if (wrn_keymap_find(&wg->peer_by_key, public_key, &index)) {
        return -EEXIST;
    }
    if (wg->has_identity && memcmp(public_key, wg->identity.public_key, WRN_WG_KEY_SIZE) == 0) {
        return -EINVAL;
    }
    struct wrn_wg_peer *peer = wrn_pool_take(&wg->peers, &handle);
    if (peer == NULL) {
        wrn_wg_reclaim(wg);
        peer = wrn_pool_take(&wg->peers, &handle);
    }
    if (peer == NULL) {
        return WRN_ERR_FULL;
    }
    bool added = wrn_keymap_add(&wg->peer_by_key, public_key, handle.index);
    WRN_ASSERT(added); /* as many entries as slots */
    peer->self = handle;
    memcpy(peer->public_key, public_key, WRN_WG_KEY_SIZE);
    peer->packet_max = WRN_WG_PACKET_MAX;
    wrn_wg_timers_stop(wg, peer);
    *ret_peer = handle;
    return 0;
}

void wrn_wg_peer_remove(struct wrn_wg *wg, wrn_handle handle) {
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, handle);
    if (peer == NULL) {
        return;
    }
    wrn_wg_peer_reset(wg, peer, NULL);
    wrn_wg_purge_staged(wg, peer, WRN_DROP_PEER_REMOVED);
    unlink_ready(wg, peer);
    wrn_allowed_ips_unset_all(&wg->allowed, handle.index);
    wrn_keymap_remove(&wg->peer_by_key, peer->public_key);
    wrn_heap_remove(&wg->timers, &peer->timer);
    wrn_pool_retire(&wg->peers, handle); /* lanes may have it in their hands: wiped later */
    wrn_wg_settle(wg);
}

void wrn_wg_peer_set_psk(struct wrn_wg *wg, wrn_handle handle, const uint8_t key[WRN_WG_KEY_SIZE]) {
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, handle);
    if (peer != NULL) {
        memcpy(peer->psk, key, WRN_WG_KEY_SIZE);
    }
}

void wrn_wg_peer_set_cipher(struct wrn_wg *wg, struct wrn_now now, wrn_handle handle,
                            enum wrn_cipher cipher, struct wrn_wg_out *out) {
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, handle);
    if (peer == NULL || peer->cipher == cipher) {
        return;
    }
    wrn_wg_peer_reset(wg, peer, out);
    peer->cipher = cipher;
    peer->remote_cipher = cipher;
    peer->next_suite_event = (wrn_mono){0};
    peer->unanswered = 0;
    if (peer->keepalive_s != 0 && wg->up) {
        wrn_wg_timer_set(wg, peer, WRN_WG_TIMER_PERSISTENT, now.mono);
    }
}

void wrn_wg_peer_set_endpoint(struct wrn_wg *wg, wrn_handle handle,
                              const struct wrn_endpoint *endpoint) {
    wrn_wg_peer_set_path(wg, handle, &(struct wrn_path){.remote = *endpoint});
}

void wrn_wg_peer_set_path(struct wrn_wg *wg, wrn_handle handle, const struct wrn_path *path) {
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, handle);
    if (peer != NULL) {
        (void)wrn_path_cell_write(&peer->path, WRN_PATH_OWNER, path);
    }
}

void wrn_wg_peer_set_packet_max(struct wrn_wg *wg, wrn_handle handle, uint16_t bytes) {
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, handle);
    if (peer != NULL && !wg->is_bridged) {
        atomic_store_explicit(&peer->packet_max, bytes, memory_order_relaxed);
    }
}

void wrn_wg_peer_set_pinned(struct wrn_wg *wg, wrn_handle handle, bool is_pinned) {
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, handle);
    if (peer != NULL) {
        atomic_store_explicit(&peer->is_pinned, is_pinned, memory_order_relaxed);
    }
}

void wrn_wg_peer_set_keepalive(struct wrn_wg *wg, struct wrn_now now, wrn_handle handle,
                               uint16_t interval_s) {
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, handle);
    if (peer == NULL || peer->keepalive_s == interval_s) {
        return;
    }
    bool turned_on = peer->keepalive_s == 0;
    peer->keepalive_s = interval_s;
    if (turned_on && wg->up) {
        wrn_wg_timer_set(wg, peer, WRN_WG_TIMER_PERSISTENT, now.mono);
    }
}

int wrn_wg_peer_allow(struct wrn_wg *wg, wrn_handle handle, const struct wrn_prefix *prefix) {
    if (wrn_wg_peer_get(wg, handle) == NULL) {
        return WRN_ERR_NOT_FOUND;
    }
    int error = wrn_allowed_ips_set(&wg->allowed, prefix, handle.index);
    if (error == -EBUSY) {
        wrn_wg_reclaim(wg);
        error = wrn_allowed_ips_set(&wg->allowed, prefix, handle.index);
    }
    return error;
}

void wrn_wg_peer_disallow(struct wrn_wg *wg, wrn_handle handle, const struct wrn_prefix *prefix) {
    if (wrn_wg_peer_get(wg, handle) != NULL) {
        (void)wrn_allowed_ips_unset(&wg->allowed, prefix, handle.index);
    }
}

void wrn_wg_peer_disallow_all(struct wrn_wg *wg, wrn_handle handle) {
    if (wrn_wg_peer_get(wg, handle) != NULL) {
        wrn_allowed_ips_unset_all(&wg->allowed, handle.index);
    }
}

void wrn_wg_peer_kick(struct wrn_wg *wg, struct wrn_now now, wrn_handle handle,
                      struct wrn_wg_out *out) {
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, handle);
    if (peer != NULL && wg->up) {
        wrn_wg_release_staged(wg, now, peer, out);
    }
}

void wrn_wg_forget_source(struct wrn_wg *wg, wrn_handle handle) {
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, handle);
    if (peer != NULL) {
        wrn_path_cell_clear_source(&peer->path);
    }
}

void wrn_wg_forget_sources(struct wrn_wg *wg) {
    for (uint32_t i = 0; i < wg->peers.touched; i++) {
        wrn_handle handle;
        if (wrn_pool_at(&wg->peers, i, &handle) != NULL) {
            wrn_wg_forget_source(wg, handle);
        }
    }
}

const uint8_t *wrn_wg_private_key(const struct wrn_wg *wg) {
    return wg->has_identity ? wg->identity.private_key : NULL;
}

wrn_handle wrn_wg_peer_next(const struct wrn_wg *wg, uint32_t *cursor) {
    while (*cursor < wg->peers.touched) {
        wrn_handle handle;
        if (wrn_pool_at(&wg->peers, (*cursor)++, &handle) != NULL) {
            return handle;
        }
    }
    return WRN_HANDLE_NONE;
}

bool wrn_wg_peer_info(const struct wrn_wg *wg, wrn_handle handle,
                      struct wrn_wg_peer_info *ret_info) {
    const struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, handle);
    if (peer == NULL) {
        return false;
    }
    struct wrn_path path;
    wrn_path_cell_read(&peer->path, &path);
    memcpy(ret_info->public_key, peer->public_key, WRN_WG_KEY_SIZE);
    memcpy(ret_info->psk, peer->psk, WRN_WG_KEY_SIZE);
    ret_info->endpoint = path.remote;
    ret_info->path = path;
    ret_info->is_pinned = peer->is_pinned;
    ret_info->packet_max = peer->packet_max;
    ret_info->tx_bytes = peer->tx_bytes;
    ret_info->rx_bytes = peer->rx_bytes;
    ret_info->last_handshake = peer->last_handshake;
    ret_info->keepalive_s = peer->keepalive_s;
    ret_info->cipher = peer->cipher;
    ret_info->remote_cipher = peer->remote_cipher;
    return true;
}

bool wrn_wg_peer_next_allowed(const struct wrn_wg *wg, wrn_handle peer, uint64_t *cursor,
                              struct wrn_prefix *ret_prefix) {
    return wrn_wg_peer_get(wg, peer) != NULL &&
           wrn_allowed_ips_next(&wg->allowed, peer.index, cursor, ret_prefix);
}

uint32_t wrn_wg_peer_count(const struct wrn_wg *wg) {
    return wg->peers.live;
}

void wrn_wg_peer_reset(struct wrn_wg *wg, struct wrn_wg_peer *peer, struct wrn_wg_out *out) {
    wrn_wg_forget_pending(wg, peer, out);
    wrn_session_set_clear(&wg->sessions, &peer->sessions);
    wrn_wg_timers_stop(wg, peer);
    peer->next_initiation_sent = (wrn_mono){0};
    peer->attempts = 0;
    peer->last_minute_sent = false;
}

static void unlink_ready(struct wrn_wg *wg, struct wrn_wg_peer *peer) {
    struct wrn_wg_peer *before = NULL;
    for (struct wrn_wg_peer *p = wg->ready_head; p != NULL; before = p, p = p->ready_next) {
        if (p != peer) {
            continue;
        }
        if (before == NULL) {
            wg->ready_head = p->ready_next;
        } else {
            before->ready_next = p->ready_next;
        }
        if (wg->ready_tail == p) {
            wg->ready_tail = before;
        }
        return;
    }
}

/* Shows lanes the key by which they tell whether a message is for us. They may go on with the one
 * before for a moment, so that is overwritten by the next but one, when they no longer do. */
static void publish_mac1_key(struct wrn_wg *wg) {
    const uint8_t *before = atomic_load_explicit(&wg->mac1_key, memory_order_relaxed);
    uint8_t *key = wg->mac1_keys[before == wg->mac1_keys[0]];
    memcpy(key, wg->cookie_checker.mac1_key, WRN_WG_KEY_SIZE);
    atomic_store_explicit(&wg->mac1_key, wg->has_identity ? key : NULL, memory_order_release);
    if (wg->quiesce != NULL) {
        wg->quiesce(wg->quiesce_ctx);
    }
}

/* Sessions and products of our old key mean nothing under the new one. */
static void forget_keys_of_all(struct wrn_wg *wg) {
    for (uint32_t i = 0; i < wg->peers.touched; i++) {
        struct wrn_wg_peer *peer = wrn_pool_at(&wg->peers, i, NULL);
        if (peer == NULL) {
            continue;
        }
        bool keepalive_due = peer->keepalive_s != 0 && wg->up;
        wrn_wg_peer_reset(wg, peer, NULL);
        wrn_wipe(peer->static_static, sizeof peer->static_static);
        peer->has_static_static = false;
        if (keepalive_due) {
            wrn_wg_timer_set(wg, peer, WRN_WG_TIMER_PERSISTENT, (wrn_mono){0});
        }
    }
    wrn_wg_settle(wg);
}
