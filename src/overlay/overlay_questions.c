/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of a node. Changes nothing. */
#include "overlay/overlay_internal.h"

wrn_id wrn_overlay_id(const struct wrn_overlay *overlay) {
    return overlay->id;
}

enum wrn_ring_state wrn_overlay_state(const struct wrn_overlay *overlay) {
    return wrn_ring_state(overlay->ring);
}

uint64_t wrn_overlay_size(const struct wrn_overlay *overlay) {
    return wrn_ring_size(overlay->ring);
}

enum wrn_nat_class wrn_overlay_nat_class(const struct wrn_overlay *overlay) {
    return wrn_paths_nat_class(overlay->paths);
}

const struct wrn_links *wrn_overlay_links(const struct wrn_overlay *overlay) {
    return &overlay->links;
}

wrn_handle wrn_overlay_find(const struct wrn_overlay *overlay, wrn_id id) {
    const struct wrn_overlay_peer *peer = wrn_peers_at(overlay, id);
    return peer ? peer->handle : WRN_HANDLE_NONE;
}

bool wrn_overlay_peer_info(const struct wrn_overlay *overlay, wrn_handle handle,
                           struct wrn_overlay_peer_info *ret_info) {
    const struct wrn_overlay_peer *peer = wrn_peers_get(overlay, handle);
    if (!peer) {
        return false;
    }
    memset(ret_info, 0, sizeof(*ret_info));
    ret_info->id = peer->id;
    memcpy(ret_info->public_key, peer->public_key, sizeof(ret_info->public_key));
    memcpy(ret_info->tunnel_key, peer->tunnel_key, sizeof(ret_info->tunnel_key));
    ret_info->nat_class = peer->nat_class;
    ret_info->speaks_aes = peer->speaks_aes;
    ret_info->mine = wrn_peers_kinds(overlay, peer);
    ret_info->theirs = peer->theirs;
    ret_info->is_admitted = peer->admitted && peer->welcomed;
    ret_info->admitted_until = (wrn_wall){peer->until_s, 0};
    if (peer->state >= WRN_PEER_STATE_SEARCHING) {
        ret_info->way = *wrn_paths_way(overlay->paths, handle);
        ret_info->path =
            wrn_paths_state(overlay->paths, handle, &ret_info->why_relayed, &ret_info->rtt_us);
    }
    return true;
}

bool wrn_overlay_path(const struct wrn_overlay *overlay, wrn_handle handle,
                      struct wrn_path *ret_path) {
    const struct wrn_overlay_peer *peer = wrn_peers_get(overlay, handle);
    if (!peer || peer->state != WRN_PEER_STATE_UP) {
        return false;
    }
    const struct wrn_way *way = wrn_paths_way(overlay->paths, handle);
    const struct wrn_way *direct = wrn_overlay_direct(overlay, way);
    memset(ret_path, 0, sizeof(*ret_path));
    if (!direct || direct->socket != 0) {
        ret_path->kind = WRN_PATH_CONTROL;
        ret_path->slot = handle.index | (uint64_t)handle.generation << 32;
        return true;
    }
    ret_path->remote = direct->remote;
    ret_path->kind = way->kind == WRN_WAY_RELAY ? WRN_PATH_RELAY : WRN_PATH_DIRECT;
    ret_path->slot = way->kind == WRN_WAY_RELAY ? way->slot : 0;
    return true;
}

void wrn_overlay_keep_no_more(struct wrn_overlay *overlay, wrn_span key) {
    wrn_dht_keep_no_more(overlay->dht, key);
}

wrn_span wrn_overlay_kept(const struct wrn_overlay *overlay, wrn_span key) {
    return wrn_dht_kept(overlay->dht, key);
}

wrn_handle wrn_overlay_peer_next(const struct wrn_overlay *overlay, uint32_t *cursor) {
    const struct wrn_overlay_peer *peer = wrn_peers_next(overlay, cursor);
    return peer ? peer->handle : WRN_HANDLE_NONE;
}

enum wrn_reason wrn_overlay_turned_away(const struct wrn_overlay *overlay, wrn_id *ret_by) {
    const struct wrn_shunned *latest = NULL;
    for (size_t i = 0; i < WRN_SHUNNED_MAX; i++) {
        const struct wrn_shunned *entry = &overlay->shunned[i];
        if (entry->by_them && (!latest || entry->until_s > latest->until_s)) {
            latest = entry;
        }
    }
    *ret_by = latest ? latest->id : (wrn_id){0};
    return latest ? (enum wrn_reason)latest->reason : WRN_REASON_NONE;
}

uint64_t wrn_overlay_refused(const struct wrn_overlay *overlay, enum wrn_reason reason) {
    return reason < WRN_REASON_COUNT ? overlay->refused[reason] : 0;
}

const struct wrn_route *wrn_overlay_routing(const struct wrn_overlay *overlay) {
    return overlay->route;
}

const struct wrn_dht *wrn_overlay_dht(const struct wrn_overlay *overlay) {
    return overlay->dht;
}

const struct wrn_relay *wrn_overlay_relay(const struct wrn_overlay *overlay) {
    return overlay->relay;
}

const struct wrn_paths *wrn_overlay_paths(const struct wrn_overlay *overlay) {
    return overlay->paths;
}
