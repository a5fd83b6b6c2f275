/* SPDX-License-Identifier: Apache-2.0 */
/* Performs the node's actions, in order. Datagrams of the port are gathered, up to the next action
 * of another kind. */
#include <stdlib.h>

#include "daemon/daemon_internal.h"
#include "io/clock.h"

static void act(struct wrn_daemon *daemon, struct wrn_node_out *out,
                const struct wrn_node_action *action);
static void send_datagram(struct wrn_daemon *daemon, const struct wrn_node_action *action);
static void flush(struct wrn_daemon *daemon);
static void set_sockets(struct wrn_daemon *daemon, const struct wrn_node_action *action);
static void inject(struct wrn_daemon *daemon, const struct wrn_daemon_network *network,
                   const struct wrn_node_action *action);
static void hand_to_host(struct wrn_daemon *daemon, const struct wrn_daemon_network *network,
                         wrn_span bytes);
static void send_frame(struct wrn_daemon *daemon, const struct wrn_daemon_network *network,
                       const struct wrn_node_action *action);
static void tell(struct wrn_daemon *daemon, const struct wrn_daemon_network *network,
                 const struct wrn_node_action *action);
static void answer(struct wrn_daemon *daemon, const struct wrn_node_answer *answer);

void wrn_daemon_act(struct wrn_daemon *daemon, struct wrn_node_out *out) {
    for (uint32_t i = 0; i < out->count; i++) {
        const struct wrn_node_action *action = &out->actions[i];
        if (action->kind == WRN_NODE_DATAGRAM && action->socket == 0) {
            send_datagram(daemon, action);
        } else {
            flush(daemon);
            act(daemon, out, action);
        }
    }
    flush(daemon);
}

/* All but datagrams of the port. */
static void act(struct wrn_daemon *daemon, struct wrn_node_out *out,
                const struct wrn_node_action *action) {
    struct wrn_daemon_network *network = wrn_daemon_find(daemon, action->network);
    int error;
    (void)out;
    if (network == NULL && action->kind != WRN_NODE_ANSWER) {
        return; /* it has gone meanwhile */
    }
    switch (action->kind) {
    case WRN_NODE_DATAGRAM:
        if (wrn_socket_is_stream(action->socket)) {
            wrn_daemon_send_stream(daemon, action);
            break;
        }
        error = wrn_extra_send(daemon->extra, network->handle.index, action->socket, &action->to,
                               action->bytes);
        (void)error; /* as if it had been lost on its way */
        break;
    case WRN_NODE_MULTICAST:
        (void)wrn_multicast_send(&daemon->multicast, action->bytes);
        break;
    case WRN_NODE_SOCKETS:
        set_sockets(daemon, action);
        break;
    case WRN_NODE_INJECT:
        inject(daemon, network, action);
        break;
    case WRN_NODE_TO_HOST:
        hand_to_host(daemon, network, action->bytes);
        break;
    case WRN_NODE_FRAME:
        send_frame(daemon, network, action);
        break;
    case WRN_NODE_ADDRESS:
    case WRN_NODE_ROUTE:
        wrn_daemon_set_prefix(daemon, network, &action->prefix, action->kind == WRN_NODE_ROUTE,
                              action->is_open);
        break;
    case WRN_NODE_SAVE:
        wrn_daemon_note_save(daemon, network, action->is_urgent);
        break;
    case WRN_NODE_EVENT:
        if (action->event.kind == WRN_NODE_EVENT_PEER_UP_KIND) {
            wrn_daemon_follow_overlaps(daemon);
        }
        tell(daemon, network, action);
        break;
    case WRN_NODE_ANSWER:
        answer(daemon, &action->answer);
        break;
    case WRN_NODE_GONE:
        wrn_daemon_network_gone(daemon, network);
        break;
    }
}

static void send_datagram(struct wrn_daemon *daemon, const struct wrn_node_action *action) {
    daemon->batch[daemon->batch_count++] = (struct wrn_udp_sending){
        .bytes = action->bytes.data,
        .size = action->bytes.size,
        .path = {.remote = action->to},
    };
    if (daemon->batch_count == WRN_DAEMON_BATCH) {
        flush(daemon);
    }
}

/* What the kernel refuses is as good as lost on its way: the ring deals with that. */
static void flush(struct wrn_daemon *daemon) {
    if (daemon->batch_count > 0) {
        wrn_udp_send(&daemon->settle.udp, daemon->scratch, daemon->batch, daemon->batch_count);
        for (size_t i = 0; i < daemon->batch_count; i++) {
            if (daemon->batch[i].error != 0) {
                wrn_daemon_on_refused(daemon, &daemon->batch[i].path, daemon->batch[i].error);
            }
        }
        daemon->batch_count = 0;
    }
}

static void set_sockets(struct wrn_daemon *daemon, const struct wrn_node_action *action) {
    uint32_t network = action->network.index;
    if (!action->is_open) {
        wrn_extra_close(daemon->extra, network, action->socket, action->count);
        return;
    }
    int error = wrn_extra_open(daemon->extra, network, action->socket, action->count);
    if (error != 0) {
        wrn_log_write(daemon->log, WRN_LOG_ERROR,
                      "cannot open %u more UDP sockets, some peers behind hard NATs stay relayed: "
                      "%s%s",
                      action->count, strerror(-error),
                      error == -EMFILE ? "; raise the limit of open files (LimitNOFILE=4096)" : "");
    }
}

static void inject(struct wrn_daemon *daemon, const struct wrn_daemon_network *network,
                   const struct wrn_node_action *action) {
    if (network->wg == NULL || action->bytes.size > WRN_WG_PACKET_MAX) {
        return;
    }
    struct wrn_now now = wrn_clock_read();
    memcpy(daemon->room, action->bytes.data, action->bytes.size); /* it is opened in place */
    struct wrn_wg_datagram datagram = {
        .bytes = daemon->room, .size = action->bytes.size, .path = action->path};
    int error =
        wrn_crew_inject(daemon->crew, now, network->machine, &datagram, 1, daemon->settle.out);
    (void)error; /* lost, as the interface is just being made anew */
    wrn_settle_run(&daemon->settle, network->wg, now);
}

static void hand_to_host(struct wrn_daemon *daemon, const struct wrn_daemon_network *network,
                         wrn_span bytes) {
    const struct wrn_tun *tun = wrn_crew_tun(daemon->crew, network->machine);
    struct iovec parts[2] = {{0}, {.iov_base = daemon->room, .iov_len = bytes.size}};
    if (tun == NULL || network->is_bridged || bytes.size > WRN_WG_PACKET_MAX) {
        return; /* a bridge has no packets */
    }
    memcpy(daemon->room, bytes.data, bytes.size);
    if (wrn_tun_write(tun, parts, WRN_COUNT(parts), NULL) != 0) {
        wrn_wg_count_drop(network->wg, WRN_DROP_TUN_REFUSED, 1);
    }
}

/* What the switch itself has to say, or answers. */
static void send_frame(struct wrn_daemon *daemon, const struct wrn_daemon_network *network,
                       const struct wrn_node_action *action) {
    wrn_handle peers[WRN_SWITCH_PORTS_MAX];
    size_t count = action->members.size / sizeof peers[0];
    struct wrn_now now = wrn_clock_read();
    if (network->wg == NULL || count > WRN_SWITCH_PORTS_MAX) {
        return;
    }
    if (count > 0) { /* none: it is for this host alone */
        memcpy(peers, action->members.data, count * sizeof peers[0]);
    }
    int error =
        wrn_crew_send_frame(daemon->crew, now, network->machine, action->is_open, action->is_whole,
                            peers, (uint32_t)count, action->bytes, daemon->settle.out);
    (void)error; /* lost, as the interface is just being made anew */
    wrn_settle_run(&daemon->settle, network->wg, now);
}

/* A line for people; for the journal also what it is about, each by itself. */
static void write_event(struct wrn_log *log, const struct wrn_daemon_network *network,
                        const struct wrn_node_event *event) {
    static const uint8_t nobody[WRN_HIT_SIZE];
    char hit[WRN_HIT_TEXT_SIZE];
    char by[WRN_HIT_TEXT_SIZE];
    char ip[WRN_PREFIX_TEXT_SIZE];
    struct wrn_prefix prefix = {event->ip, event->ip.family == WRN_FAMILY_IPV4 ? 32 : 128};
    bool has_ip = event->ip.family != WRN_FAMILY_NONE;
    wrn_hit_print(event->hit, hit);
    wrn_hit_print(event->by, by);
    if (has_ip) {
        (void)wrn_prefix_print(&prefix, ip);
        ip[strcspn(ip, "/")] = '\0';
    }
    const char *name = wrn_node_event_name(event->kind);
    const struct wrn_log_field fields[] = {
        {"WARREN_EVENT", name},
        {"WARREN_NETWORK", network->name},
        {"WARREN_NETWORK_ID", network->id},
        {"WARREN_HIT", memcmp(event->hit, nobody, sizeof nobody) != 0 ? hit : NULL},
        {"WARREN_BY", memcmp(event->by, nobody, sizeof nobody) != 0 ? by : NULL},
        {"WARREN_NAME", event->label[0] != '\0' ? event->label : NULL},
        {"WARREN_IP", has_ip ? ip : NULL},
        {"WARREN_REASON", event->reason != WRN_REASON_NONE ? wrn_reason_name(event->reason) : NULL},
        {NULL, NULL},
    };
    wrn_log_write_with(log, WRN_LOG_INFO, fields, "%s: %s", name, event->text);
}

static void tell(struct wrn_daemon *daemon, const struct wrn_daemon_network *network,
                 const struct wrn_node_action *action) {
    struct wrn_log *log = daemon->log;
    memcpy(log->interface, network->interface, sizeof log->interface);
    write_event(log, network, &action->event);
    log->interface[0] = '\0';
    wrn_daemon_tell_event(daemon, action->network, &action->event);
}

static void answer(struct wrn_daemon *daemon, const struct wrn_node_answer *answer) {
    struct wrn_daemon_asker *asker = &daemon->askers[answer->tag % WRN_DAEMON_TAGS_MAX];
    if (answer->tag == 0 || asker->tag != answer->tag) {
        return; /* who asked has gone */
    }
    struct wrn_daemon_asker who = *asker;
    if (answer->is_last) {
        *asker = (struct wrn_daemon_asker){0};
    }
    who.on_answer(who.ctx, answer);
}
