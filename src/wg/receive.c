/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread's part of receiving: a machine that runs alone, and what lanes ask for. */
#include "wg/machine.h"

#include "base/bytes.h"

static bool is_data(const struct wrn_wg_datagram *datagram);
static void open_run(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_datagram *batch,
                     size_t count, struct wrn_wg_out *out);
static void renew_receiving(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                            struct wrn_wg_out *out);

/* A handshake message in between is handled in its turn, so that packets right behind the response
 * that gave them keys find those. */
void wrn_wg_on_datagrams(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_datagram *batch,
                         size_t count, struct wrn_wg_out *out) {
    WRN_ASSERT(count <= WRN_WG_BATCH_MAX);
    for (size_t begin = 0, end; begin < count; begin = end) {
        end = begin + 1;
        if (is_data(&batch[begin])) {
            while (end < count && is_data(&batch[end])) {
                end++;
            }
        }
        open_run(wg, now, batch + begin, end - begin, out);
    }
    wrn_wg_settle(wg);
}

enum wrn_drop wrn_wg_take_datagram(struct wrn_wg *wg, struct wrn_now now,
                                   const struct wrn_wg_datagram *datagram, struct wrn_wg_out *out) {
    return wg->up ? wrn_wg_on_handshake(wg, now, datagram, out)
                  : wrn_wg_drop(wg, WRN_DROP_INTERFACE_DOWN);
}

void wrn_wg_take_ask(struct wrn_wg *wg, struct wrn_now now, const struct wrn_wg_ask *ask,
                     struct wrn_wg_out *out) {
    struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, ask->peer);
    if (peer == NULL) {
        return; /* removed since */
    }
    switch (ask->kind) {
    case WRN_WG_ASK_ROAMED:
        wrn_wg_push_event(out, WRN_WG_EVENT_ROAMED, peer->self, 0);
        break;
    case WRN_WG_ASK_CONFIRMED:
        wrn_wg_take_confirmed(wg, now, peer, out);
        break;
    case WRN_WG_ASK_RENEW:
        wrn_wg_renew_sending(wg, now, peer, out);
        break;
    case WRN_WG_ASK_RENEW_RECEIVING:
        renew_receiving(wg, now, peer, out);
        break;
    case WRN_WG_ASK_TIMER:
        wrn_wg_plan(wg, peer);
        break;
    case WRN_WG_ASK_KEEPALIVE:
        wrn_wg_push_event(out, WRN_WG_EVENT_KEEPALIVE_RECEIVED, peer->self, 0);
        break;
    case WRN_WG_ASK_OWN:
        break; /* of a machine that runs alone nobody asks for it */
    case WRN_WG_ASK_PACKET:
    case WRN_WG_ASK_DATAGRAM:
        WRN_ASSERT(false); /* have functions of their own */
    }
}

void wrn_wg_take_confirmed(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                           struct wrn_wg_out *out) {
    if (wrn_session_set_settle(&wg->sessions, &peer->sessions, now.mono)) {
        wrn_wg_session_confirmed(wg, now, peer, out);
    }
}

void wrn_wg_session_confirmed(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                              struct wrn_wg_out *out) {
    wrn_wg_handshake_complete(wg, now, peer, out);
    wrn_wg_release_staged(wg, now, peer, out);
}

static bool is_data(const struct wrn_wg_datagram *datagram) {
    return datagram->size >= 4 && wrn_load_le32(datagram->bytes) == WRN_WG_TYPE_DATA;
}

static void open_run(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_datagram *batch,
                     size_t count, struct wrn_wg_out *out) {
    wrn_wg_lane_datagrams(&wg->own_lane, now.mono, batch, count, &wg->asks);
    for (uint32_t i = 0; i < wg->asks.count; i++) {
        const struct wrn_wg_ask *ask = &wg->asks.items[i];
        struct wrn_wg_datagram *datagram = &batch[ask->index];
        if (ask->kind == WRN_WG_ASK_DATAGRAM) {
            datagram->drop = wrn_wg_take_datagram(wg, now, datagram, out);
        } else {
            wrn_wg_take_ask(wg, now, ask, out);
        }
    }
}

static void renew_receiving(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_peer *peer,
                            struct wrn_wg_out *out) {
    wrn_wg_take_confirmed(wg, now, peer, out);
    const struct wrn_session *current =
        wrn_session_get(&wg->sessions, peer->sessions.at[WRN_SESSION_CURRENT]);
    if (!peer->last_minute_sent && current != NULL &&
        wrn_wg_is_receiving_renewal_due(current, now.mono)) {
        peer->last_minute_sent = true;
        wrn_wg_initiate(wg, now, peer, false, out);
    }
}
