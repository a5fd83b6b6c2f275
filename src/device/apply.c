/* SPDX-License-Identifier: Apache-2.0 */
/* Operations to commands of the machine. Source: wireguard.com/xplatform. */
#include "device/apply.h"

#include "crypto/crypto.h"

static int apply_interface(struct wrn_apply *apply, struct wrn_now now,
                           const struct wrn_uapi_op *op, const char **reterr_why);
static int apply_peer(struct wrn_apply *apply, struct wrn_now now, const struct wrn_uapi_op *op,
                      const char **reterr_why);
static int set_endpoint(struct wrn_apply *apply, const struct wrn_uapi_op *op,
                        const char **reterr_why);
static int begin_peer(struct wrn_apply *apply, struct wrn_now now, const struct wrn_uapi_op *op,
                      const char **reterr_why);
static int make_peer(struct wrn_apply *apply, struct wrn_now now, const char **reterr_why);
static int finish_peer(struct wrn_apply *apply, struct wrn_now now, const char **reterr_why);
static void remove_all(struct wrn_wg *wg);

void wrn_apply_begin(struct wrn_apply *apply, const struct wrn_apply_host *host) {
    *apply = (struct wrn_apply){.host = host, .state = WRN_APPLY_NO_PEER};
}

int wrn_apply_op(struct wrn_apply *apply, struct wrn_now now, const struct wrn_uapi_op *op,
                 const char **reterr_why) {
    switch (op->kind) {
    case WRN_UAPI_PRIVATE_KEY:
    case WRN_UAPI_LISTEN_PORT:
    case WRN_UAPI_FWMARK:
    case WRN_UAPI_REPLACE_PEERS:
    case WRN_UAPI_WORKERS:
    case WRN_UAPI_OFFLOADS:
        return apply_interface(apply, now, op, reterr_why);
    case WRN_UAPI_PEER:
        return begin_peer(apply, now, op, reterr_why);
    case WRN_UAPI_PEER_REMOVE:
        if (apply->state == WRN_APPLY_LIVE) {
            wrn_wg_peer_remove(apply->host->wg, apply->peer);
        }
        apply->state = WRN_APPLY_SKIPPED;
        return 0;
    case WRN_UAPI_PEER_UPDATE_ONLY:
        if (apply->state == WRN_APPLY_LIVE && apply->made_here) { /* said too late: undo */
            wrn_wg_peer_remove(apply->host->wg, apply->peer);
        }
        if (apply->state == WRN_APPLY_NEW || apply->made_here) {
            apply->state = WRN_APPLY_SKIPPED;
        }
        return 0;
    default:
        return apply_peer(apply, now, op, reterr_why);
    }
}

int wrn_apply_end(struct wrn_apply *apply, struct wrn_now now, const char **reterr_why) {
    int error = finish_peer(apply, now, reterr_why);
    wrn_wipe(apply, sizeof *apply);
    return error;
}

static int apply_interface(struct wrn_apply *apply, struct wrn_now now,
                           const struct wrn_uapi_op *op, const char **reterr_why) {
    const struct wrn_apply_host *host = apply->host;
    int error = 0;
    switch (op->kind) {
    case WRN_UAPI_PRIVATE_KEY:
        error = wrn_wg_set_private_key(host->wg, now, op->key);
        *reterr_why = "not enough memory for the private key";
        return error;
    case WRN_UAPI_LISTEN_PORT:
        error = host->set_listen_port(host->ctx, (uint16_t)op->number);
        *reterr_why = error == -EADDRINUSE
                          ? "another program uses the port: choose another one, or 0 for any"
                          : "the listen port could not be opened";
        return error;
    case WRN_UAPI_FWMARK:
        error = host->set_fwmark(host->ctx, op->number);
        *reterr_why = "the firewall mark could not be set: it needs CAP_NET_ADMIN";
        return error;
    case WRN_UAPI_WORKERS:
        error = host->set_workers(host->ctx, op->number);
        *reterr_why =
            error == -EOPNOTSUPP
                ? "the TUN device has a single queue, which only one worker can serve: make "
                  "it with IFF_MULTI_QUEUE"
                : "the workers could not be started: memory, threads or descriptors are "
                  "short (ulimit -u, ulimit -n)";
        return error;
    case WRN_UAPI_OFFLOADS:
        error = host->set_offloads(host->ctx, op->number);
        *reterr_why = "the offloads could not be changed";
        return error;
    default:
        remove_all(host->wg);
        return 0;
    }
}

static int apply_peer(struct wrn_apply *apply, struct wrn_now now, const struct wrn_uapi_op *op,
                      const char **reterr_why) {
    struct wrn_wg *wg = apply->host->wg;
    int error = make_peer(apply, now, reterr_why);
    if (error != 0 || apply->state != WRN_APPLY_LIVE) {
        return error;
    }
    switch (op->kind) {
    case WRN_UAPI_PEER_PSK:
        wrn_wg_peer_set_psk(wg, apply->peer, op->key);
        return 0;
    case WRN_UAPI_PEER_CIPHER:
        wrn_wg_peer_set_cipher(wg, now, apply->peer, (enum wrn_cipher)op->number, apply->host->out);
        return 0;
    case WRN_UAPI_PEER_ENDPOINT:
        return set_endpoint(apply, op, reterr_why);
    case WRN_UAPI_PEER_KEEPALIVE:
        apply->keepalive_given = true;
        apply->keepalive_s = (uint16_t)op->number;
        return 0;
    case WRN_UAPI_PEER_REPLACE_ALLOWED:
        wrn_wg_peer_disallow_all(wg, apply->peer);
        return 0;
    case WRN_UAPI_PEER_ALLOW:
        *reterr_why = "there is no room for more allowed IPs";
        return wrn_wg_peer_allow(wg, apply->peer, &op->prefix);
    case WRN_UAPI_PEER_DISALLOW:
        wrn_wg_peer_disallow(wg, apply->peer, &op->prefix);
        return 0;
    default: /* protocol_version: there is only one */
        return 0;
    }
}

static int set_endpoint(struct wrn_apply *apply, const struct wrn_uapi_op *op,
                        const char **reterr_why) {
    const struct wrn_apply_host *host = apply->host;
    struct wrn_endpoint endpoint = op->endpoint;
    if (op->scope_name[0] != '\0') {
        int error = host->find_interface(host->ctx, op->scope_name, &endpoint.scope_id);
        if (error != 0) {
            *reterr_why = "the endpoint names an interface that does not exist";
            return error;
        }
    }
    wrn_wg_peer_set_endpoint(host->wg, apply->peer, &endpoint);
    return 0;
}

static int begin_peer(struct wrn_apply *apply, struct wrn_now now, const struct wrn_uapi_op *op,
                      const char **reterr_why) {
    int error = finish_peer(apply, now, reterr_why);
    if (error != 0) {
        return error;
    }
    memcpy(apply->key, op->key, sizeof apply->key);
    apply->made_here = false;
    apply->keepalive_given = false;
    apply->peer = wrn_wg_peer_find(apply->host->wg, op->key);
    apply->state = wrn_handle_equal(apply->peer, WRN_HANDLE_NONE) ? WRN_APPLY_NEW : WRN_APPLY_LIVE;
    return 0;
}

/* Makes the peer if it was named and is not there. That waits for the line behind public_key:
 * before "remove" and "update_only" there is nothing to make. */
static int make_peer(struct wrn_apply *apply, struct wrn_now now, const char **reterr_why) {
    if (apply->state != WRN_APPLY_NEW) {
        return 0;
    }
    int error = wrn_wg_peer_add(apply->host->wg, now, apply->key, &apply->peer);
    if (error == -EINVAL) { /* our own key: passed over in silence, one file may serve all ends */
        apply->state = WRN_APPLY_SKIPPED;
        return 0;
    }
    if (error != 0) {
        *reterr_why = "there is no room for more peers";
        return error;
    }
    apply->state = WRN_APPLY_LIVE;
    apply->made_here = true;
    return 0;
}

/* Does what waits for a peer's last line. */
static int finish_peer(struct wrn_apply *apply, struct wrn_now now, const char **reterr_why) {
    const struct wrn_apply_host *host = apply->host;
    int error = make_peer(apply, now, reterr_why);
    if (error == 0 && apply->state == WRN_APPLY_LIVE) {
        if (apply->keepalive_given) {
            wrn_wg_peer_set_keepalive(host->wg, now, apply->peer, apply->keepalive_s);
        }
        wrn_wg_peer_kick(host->wg, now, apply->peer, host->out);
    }
    apply->state = WRN_APPLY_NO_PEER;
    return error;
}

static void remove_all(struct wrn_wg *wg) {
    uint32_t cursor = 0;
    wrn_handle peer = wrn_wg_peer_next(wg, &cursor);
    while (!wrn_handle_equal(peer, WRN_HANDLE_NONE)) {
        wrn_wg_peer_remove(wg, peer);
        peer = wrn_wg_peer_next(wg, &cursor);
    }
}
