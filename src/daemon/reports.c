/* SPDX-License-Identifier: Apache-2.0 */
/* What workers report, and what comes out of machines while they are settled. The latter is kept
 * until it is the node's turn: inputs of the node do not nest in those of a machine. */
#include <sys/eventfd.h>

#include "daemon/daemon_internal.h"
#include "io/clock.h"
#include "wg/lane.h"
#include "wg/uapi.h"

enum { REPORTS_PER_WAKE = 256 }; /* of a kind and worker, before the others get their turn */

static bool read_reports(struct wrn_daemon *daemon, struct wrn_ring *ring);
static void hear(struct wrn_daemon *daemon, struct wrn_report *report, size_t size);
static void obey_facts(struct wrn_daemon *daemon, uint32_t facts);
static struct wrn_daemon_waiting *keep(struct wrn_daemon *daemon, const struct wrn_wg *wg,
                                       const struct wrn_path *path, wrn_span bytes);

/* Messages of all come before packets: a session that they lead to lets the packets go. Copies of
 * frames come last: who floods a switch holds up nobody else. */
void wrn_daemon_on_reports(void *ctx, int fd, int events) {
    struct wrn_daemon *daemon = ctx;
    struct wrn_reports *reports;
    bool more = false;
    eventfd_t count;
    (void)events;
    (void)eventfd_read(fd, &count);
    for (uint32_t i = 0; (reports = wrn_crew_reports(daemon->crew, i)) != NULL; i++) {
        obey_facts(daemon, wrn_reports_take_facts(reports));
        more |= read_reports(daemon, reports->messages);
        more |= read_reports(daemon, reports->frames);
    }
    for (uint32_t i = 0; (reports = wrn_crew_reports(daemon->crew, i)) != NULL; i++) {
        more |= read_reports(daemon, reports->packets);
    }
    for (uint32_t i = 0; (reports = wrn_crew_reports(daemon->crew, i)) != NULL; i++) {
        more |= reports->told != NULL && read_reports(daemon, reports->told);
    }
    wrn_crew_dismiss(daemon->crew);
    if (more) { /* the others of the loop get their turn first */
        (void)eventfd_write(fd, 1);
    }
    wrn_daemon_follow_up(daemon);
}

void wrn_daemon_on_wg_event(void *ctx, const struct wrn_wg *wg, const struct wrn_wg_event *event) {
    struct wrn_daemon *daemon = ctx;
    struct wrn_log *log = daemon->log;
    /* Members have agreed on the cipher: who does not answer has gone, which the ring will say. */
    bool is_silent = event->kind == WRN_WG_EVENT_INITIATION_UNANSWERED;
    enum wrn_log_level level =
        wrn_wg_event_is_fault(event->kind) && !is_silent ? WRN_LOG_ERROR : WRN_LOG_VERBOSE;
    struct wrn_daemon_network *network = wrn_daemon_find_wg(daemon, wg);
    if (network != NULL) {
        network->events[event->kind]++;
    }
    if (log->level >= level && network != NULL) {
        memcpy(log->interface, network->interface, sizeof log->interface);
        wrn_log_write(log, level, "tunnel to peer %u: %s", event->peer.index,
                      is_silent ? "no answer to handshakes" : wrn_wg_event_text(event->kind));
        log->interface[0] = '\0';
    }
}

void wrn_daemon_on_refused(void *ctx, const struct wrn_path *path, int error) {
    struct wrn_daemon *daemon = ctx;
    if (daemon->log->level >= WRN_LOG_VERBOSE) {
        char to[WRN_ENDPOINT_TEXT_SIZE];
        (void)wrn_endpoint_print(&path->remote, to);
        wrn_log_write(daemon->log, WRN_LOG_VERBOSE, "sending to %s was refused: %s", to,
                      strerror(-error));
    }
}

void wrn_daemon_on_carry(void *ctx, const struct wrn_wg *wg, wrn_handle peer,
                         const struct wrn_path *path, uint8_t ds, wrn_span datagram) {
    (void)peer; /* the path says who, in the ring's words */
    (void)ds;
    (void)keep(ctx, wg, path, datagram);
}

void wrn_daemon_on_unrouted(void *ctx, const struct wrn_wg *wg, wrn_span packet) {
    static const struct wrn_path nowhere = {0};
    (void)keep(ctx, wg, &nowhere, packet);
}

void wrn_daemon_on_told(void *ctx, const struct wrn_wg *wg, wrn_handle peer, wrn_span frame) {
    static const struct wrn_path nowhere = {0};
    struct wrn_daemon_waiting *waiting = keep(ctx, wg, &nowhere, frame);
    if (waiting != NULL) {
        waiting->is_frame = true;
        waiting->peer = peer;
    }
}

/* Reads what a ring of reports holds, within bounds. Returns whether something is left. */
static bool read_reports(struct wrn_daemon *daemon, struct wrn_ring *ring) {
    struct wrn_wg *wg = NULL; /* whose input is not settled yet */
    struct wrn_report *report = NULL;
    size_t size;
    int count = 0;
    for (; count < REPORTS_PER_WAKE; count++) {
        report = wrn_report_first(ring, &size);
        struct wrn_wg *whose = NULL;
        if (report != NULL && report->kind != WRN_REPORT_FRAME) {
            whose = wrn_crew_machine(daemon->crew, report->machine); /* NULL: it has gone */
        }
        if (wg != NULL && (wg != whose || count % WRN_SETTLE_REPORTS_MAX == 0)) {
            wrn_settle_run(&daemon->settle, wg, wrn_clock_read());
            wg = NULL;
        }
        if (report == NULL) {
            return false;
        }
        if (report->kind == WRN_REPORT_FRAME) {
            hear(daemon, report, size);
        } else if (whose != NULL) {
            wg = whose;
            wrn_settle_report(&daemon->settle, wg, wrn_clock_read(), report, size);
        }
        wrn_ring_release(ring);
    }
    if (wg != NULL) {
        wrn_settle_run(&daemon->settle, wg, wrn_clock_read());
    }
    return true;
}

/* A tunnel must not run through itself: what came by the interface of a network of ours is no way
 * to anybody. Whoever asks that way gets no answer, and takes another. */
static void hear(struct wrn_daemon *daemon, struct wrn_report *report, size_t size) {
    if (wrn_daemon_is_inside(daemon, report->path.interface)) {
        daemon->inside++;
        return;
    }
    wrn_daemon_hear(daemon, WRN_HANDLE_NONE, 0, &report->path.remote, report->bytes, size);
}

static void obey_facts(struct wrn_daemon *daemon, uint32_t facts) {
    char names[WRN_UAPI_OFFLOADS_SIZE];
    if ((facts & WRN_FACT_ASKS_LOST) != 0) {
        for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
            if (daemon->networks[i].wg != NULL) {
                wrn_wg_asks_lost(daemon->networks[i].wg, wrn_clock_read());
            }
        }
    }
    if ((facts & WRN_FACT_DELETED) != 0) {
        wrn_handle machine;
        while (!wrn_handle_equal(machine = wrn_crew_next_deleted(daemon->crew), WRN_HANDLE_NONE)) {
            wrn_daemon_interface_deleted(daemon, machine);
        }
    }
    uint32_t lost = facts & ~(WRN_FACT_ASKS_LOST | WRN_FACT_DELETED);
    lost = lost != 0 ? wrn_crew_lose_offloads(daemon->crew, lost) : 0;
    if (lost != 0) { /* the first worker that has seen it */
        wrn_uapi_write_offloads(lost, names);
        wrn_log_write(daemon->log, WRN_LOG_ERROR,
                      "the kernel has refused an offload in mid-stream, it is off from now on: %s",
                      names);
    }
}

/* Keeps what is for the node; without room it is lost, as on any wire that is full: NULL. */
static struct wrn_daemon_waiting *keep(struct wrn_daemon *daemon, const struct wrn_wg *wg,
                                       const struct wrn_path *path, wrn_span bytes) {
    const struct wrn_daemon_network *network = wrn_daemon_find_wg(daemon, wg);
    size_t needed = wrn_daemon_waiting_size(bytes.size);
    if (network == NULL || daemon->waiting_size + needed > WRN_DAEMON_WAITING_BYTES) {
        daemon->waiting_lost++;
        return NULL;
    }
    struct wrn_daemon_waiting *waiting =
        (struct wrn_daemon_waiting *)(void *)(daemon->waiting + daemon->waiting_size);
    *waiting =
        (struct wrn_daemon_waiting){.network = network->handle, .path = *path, .size = bytes.size};
    memcpy(waiting->bytes, bytes.data, bytes.size);
    daemon->waiting_size += needed;
    return waiting;
}
