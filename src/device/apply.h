/* SPDX-License-Identifier: Apache-2.0 */
/* Obeys the operations of one UAPI `set` in order. Makes no system call: port, mark and interface
 * indices are the host's business, handed in as functions. */
#pragma once
#include "wg/uapi.h"

/* What the operations act on. The functions return 0 or -errno. */
struct wrn_apply_host {
    struct wrn_wg *wg;
    struct wrn_wg_out *out; /* messages and events gather here; see wrn_apply_op */
    void *ctx;
    int (*set_listen_port)(void *ctx, uint16_t port);
    int (*set_fwmark)(void *ctx, uint32_t mark);
    int (*set_workers)(void *ctx, uint32_t count);
    int (*set_offloads)(void *ctx, uint32_t offloads);
    int (*find_interface)(void *ctx, const char *name, uint32_t *ret_index);
};

enum wrn_apply_peer {
    WRN_APPLY_NO_PEER,
    WRN_APPLY_NEW, /* named, not there yet: made by the first line that needs it */
    WRN_APPLY_LIVE,
    WRN_APPLY_SKIPPED, /* its lines change nothing: removed, our own key, or only to update */
};

/* Where a `set` stands. */
struct wrn_apply {
    const struct wrn_apply_host *host;
    enum wrn_apply_peer state;
    bool made_here; /* by this request */
    bool keepalive_given;
    uint16_t keepalive_s; /* takes effect behind the peer's last line: an endpoint may follow it */
    wrn_handle peer;
    uint8_t key[WRN_WG_KEY_SIZE];
};

/* Starts a `set`. 'host' must outlive it. */
void wrn_apply_begin(struct wrn_apply *apply, const struct wrn_apply_host *host);

/* Obeys one operation. Appends at most 8 messages and 16 events to the host's 'out', which the
 * caller empties in time. Returns 0, or the negative error with which the request fails, with a
 * sentence in
 * 'reterr_why' (static); what came before stays done. */
WRN_NODISCARD int wrn_apply_op(struct wrn_apply *apply, struct wrn_now now,
                               const struct wrn_uapi_op *op, const char **reterr_why);

/* Ends the `set`, also one that failed: the last peer's packets may go now. Returns like
 * wrn_apply_op. */
WRN_NODISCARD int wrn_apply_end(struct wrn_apply *apply, struct wrn_now now,
                                const char **reterr_why);
