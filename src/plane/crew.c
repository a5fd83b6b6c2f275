/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs only become more: one that is no longer needed goes to another worker, because closing a
 * queue of a TUN device would lose what it holds. No flow is led there any more. */
#include "plane/crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "io/cleanup.h"
#include "io/memory.h"
#include "wg/uapi.h"

enum {
    NOBODY = UINT8_MAX,
    UDP_SHIFT = 4,
};

/* Offloads of the TUN device and of the sockets in one word. */
#define TUN_OFFLOADS ((uint32_t)WRN_TUN_OFFLOADS_ALL)
static_assert((int)WRN_UAPI_OFFLOAD_CSUM == (int)WRN_TUN_CHECKSUM &&
                  (int)WRN_UAPI_OFFLOAD_TSO4 == (int)WRN_TUN_TSO4 &&
                  (int)WRN_UAPI_OFFLOAD_TSO6 == (int)WRN_TUN_TSO6 &&
                  (int)WRN_UAPI_OFFLOAD_USO == (int)WRN_TUN_USO,
              "bits of the TUN device");
static_assert((int)WRN_UAPI_OFFLOAD_GSO == (int)WRN_UDP_GSO << UDP_SHIFT &&
                  (int)WRN_UAPI_OFFLOAD_GRO == (int)WRN_UDP_GRO << UDP_SHIFT,
              "bits of the sockets");

struct machine {
    struct wrn_wg *wg;           /* NULL: the place is free */
    struct wrn_switch *sw;       /* NULL: a routed one */
    struct wrn_bridged *bridged; /* of what is injected and sent by us, with 'sw' */
    _Atomic uint32_t next_id;    /* of frames in pieces, of all workers */
    uint64_t frame_counts[WRN_PIECES_REFUSAL_COUNT]; /* of workers that have ended */
    uint32_t tag;
    uint32_t generation; /* counts who was at this place */
    uint32_t joinable;   /* WRN_COALESCE_*, for what is injected */
};

struct wrn_crew {
    struct wrn_crew_options options;
    struct machine machines[WRN_CREW_MACHINES_MAX];
    uint64_t deleted; /* machines whose interface is no more, and nobody has asked: a bit each */
    struct wrn_delivery *delivery;    /* of what is injected; NULL: nothing was so far */
    struct wrn_udp_scratch *scratch;  /* for what may not be fragmented; NULL: nothing so far */
    struct wrn_reports *reports;      /* of what is injected into layer-2 machines; NULL: none */
    uint64_t strays[WRN_STRAY_COUNT]; /* of workers that have ended */
    struct wrn_pair pairs[WRN_CREW_WORKERS_MAX];
    uint8_t owners[WRN_CREW_WORKERS_MAX]; /* of pairs: index of a worker, or NOBODY */
    uint32_t pair_count;
    uint32_t led; /* pairs over which flows are spread: the first so many */
    struct wrn_steering steering;
    struct wrn_worker *workers[WRN_CREW_WORKERS_MAX];
    uint32_t made;   /* workers that there are */
    uint32_t count;  /* those that run */
    uint32_t wanted; /* offloads */
    uint32_t lost;   /* those that the kernel has refused in mid-stream */
    uint32_t active;
    int event_fd;
};

static int find_place(const struct wrn_crew *crew, uint32_t tag, uint32_t *ret_place);
static int prepare_bridged(struct wrn_crew *crew, uint32_t place, struct wrn_switch *sw);
static void forget_bridged(struct machine *machine);
static int send_whole(struct wrn_crew *crew, const struct machine *machine, struct wrn_now now,
                      const wrn_handle *peers, uint32_t count, wrn_span frame,
                      struct wrn_wg_out *out);
static bool seal_own(struct wrn_wg *wg, struct wrn_now now, wrn_handle peer, wrn_span bytes,
                     uint8_t room[WRN_BRIDGED_SEALED_MAX], struct wrn_udp_sending *ret_sending);
static struct wrn_worker_machine describe(struct wrn_crew *crew, uint32_t place);
static int add_queues(struct wrn_crew *crew, uint32_t place, struct wrn_tun first);
static void close_queues(struct wrn_crew *crew, uint32_t place);
static int add_to_workers(struct wrn_crew *crew, uint32_t place);
static void remove_from_workers(struct wrn_crew *crew, uint32_t place);
static wrn_handle handle_of(const struct wrn_crew *crew, uint32_t place);
static bool is_there(const struct wrn_crew *crew, wrn_handle handle);
static void take_deleted(struct wrn_crew *crew);
static int make_workers(struct wrn_crew *crew, uint32_t count);
static int make_pairs(struct wrn_crew *crew, uint32_t count);
static void open_pair(struct wrn_pair *pair);
static void close_pair(struct wrn_pair *pair);
static int deal(struct wrn_crew *crew, uint32_t count);
static void start_to_lead(struct wrn_crew *crew);
static void lead(struct wrn_crew *crew, uint32_t count);
static void drain(struct wrn_crew *crew, uint64_t pairs);
static uint64_t first_pairs(uint32_t count);
static void park(struct wrn_crew *crew);
static void wait_for_all(const struct wrn_crew *crew);
static void resume(struct wrn_crew *crew);
static int open_all(const struct wrn_crew *crew, uint16_t port, uint32_t mark,
                    struct wrn_udp *ret_sockets);
static int replace_sockets(struct wrn_crew *crew, const struct wrn_udp *sockets);
static void detach_sockets(struct wrn_crew *crew);
static void set_tun_offloads(struct wrn_crew *crew);
static void set_active(struct wrn_crew *crew);
static void set_udp_offloads(struct wrn_crew *crew);
static bool is_bound(const struct wrn_crew *crew);

int wrn_crew_create(const struct wrn_crew_options *options, struct wrn_crew **ret_crew) {
    struct wrn_crew *crew = calloc(1, sizeof *crew);
    if (crew == NULL) {
        return -ENOMEM;
    }
    crew->options = *options;
    open_pair(&crew->pairs[0]);
    crew->pair_count = 1;
    crew->led = 1;
    crew->steering = WRN_STEERING_NONE;
    memset(crew->owners, NOBODY, sizeof crew->owners);
    crew->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = crew->event_fd < 0 ? -errno : make_workers(crew, 1);
    error = error != 0 ? error : deal(crew, 1);
    if (error != 0) {
        wrn_crew_destroy(crew);
        return error;
    }
    resume(crew);
    *ret_crew = crew;
    return 0;
}

void wrn_crew_destroy(struct wrn_crew *crew) {
    if (crew == NULL) {
        return;
    }
    park(crew);
    for (uint32_t i = 0; i < crew->made; i++) {
        wrn_worker_destroy(crew->workers[i]);
    }
    for (uint32_t i = 0; i < crew->pair_count; i++) {
        close_pair(&crew->pairs[i]);
    }
    for (uint32_t i = 0; i < WRN_CREW_MACHINES_MAX; i++) {
        forget_bridged(&crew->machines[i]);
    }
    if (crew->reports != NULL) {
        wrn_reports_finish(crew->reports);
        free(crew->reports);
    }
    wrn_steering_close(&crew->steering);
    wrn_close_fd(&crew->event_fd);
    free(crew->delivery);
    free(crew->scratch);
    free(crew);
}

int wrn_crew_add(struct wrn_crew *crew, struct wrn_wg *wg, uint32_t tag, struct wrn_switch *sw,
                 struct wrn_tun tun, wrn_handle *ret_machine) {
    uint32_t place;
    int error = find_place(crew, tag, &place);
    error = error != 0 || sw == NULL ? error : prepare_bridged(crew, place, sw);
    if (error != 0) {
        wrn_tun_close(&tun);
        return error;
    }
    struct machine *machine = &crew->machines[place];
    error = add_queues(crew, place, tun);
    if (error != 0) {
        forget_bridged(machine);
        return error;
    }
    machine->wg = wg;
    machine->tag = tag;
    machine->generation++;
    park(crew);
    error = add_to_workers(crew, place);
    set_tun_offloads(crew);
    resume(crew);
    if (error != 0) {
        wrn_crew_remove(crew, handle_of(crew, place));
        return error;
    }
    *ret_machine = handle_of(crew, place);
    return 0;
}

void wrn_crew_remove(struct wrn_crew *crew, wrn_handle handle) {
    if (!is_there(crew, handle)) {
        return;
    }
    WRN_ASSERT(crew->options.tag_bits > 0 || !is_bound(crew));
    park(crew);
    remove_from_workers(crew, handle.index);
    crew->machines[handle.index].wg = NULL;
    forget_bridged(&crew->machines[handle.index]);
    take_deleted(crew); /* so that nothing is said of whoever comes to this place next */
    crew->deleted &= ~(UINT64_C(1) << handle.index);
    resume(crew);
    close_queues(crew, handle.index);
    set_active(crew);
}

struct wrn_wg *wrn_crew_machine(const struct wrn_crew *crew, wrn_handle handle) {
    return is_there(crew, handle) ? crew->machines[handle.index].wg : NULL;
}

const struct wrn_tun *wrn_crew_tun(const struct wrn_crew *crew, wrn_handle handle) {
    return is_there(crew, handle) ? &crew->pairs[0].tuns[handle.index] : NULL;
}

wrn_handle wrn_crew_next_deleted(struct wrn_crew *crew) {
    take_deleted(crew);
    while (crew->deleted != 0) {
        uint32_t place = (uint32_t)__builtin_ctzll(crew->deleted);
        crew->deleted &= crew->deleted - 1;
        if (crew->machines[place].wg != NULL) {
            return handle_of(crew, place);
        }
    }
    return WRN_HANDLE_NONE;
}

int wrn_crew_inject(struct wrn_crew *crew, struct wrn_now now, wrn_handle handle,
                    struct wrn_wg_datagram *batch, size_t count, struct wrn_wg_out *out) {
    struct wrn_delivered delivered;
    if (!is_there(crew, handle)) {
        return WRN_ERR_NOT_FOUND;
    }
    struct machine *machine = &crew->machines[handle.index];
    if (crew->delivery == NULL) {
        crew->delivery = calloc(1, sizeof *crew->delivery);
        if (crew->delivery == NULL) {
            return -ENOMEM;
        }
    }
    wrn_wg_on_datagrams(machine->wg, now, batch, count, out);
    const struct wrn_tun *tun = &crew->pairs[0].tuns[handle.index];
    int error;
    if (machine->bridged != NULL) {
        struct wrn_bridged_host host = {crew->delivery, tun,    &machine->joinable,
                                        crew->reports,  handle, NULL};
        error = wrn_bridged_deliver(machine->bridged, &host, now.mono, batch, count, &delivered);
        wrn_reports_flush(crew->reports);
    } else {
        error = wrn_deliver(crew->delivery, tun, &machine->joinable, batch, count, &delivered);
    }
    if (delivered.refused > 0) {
        wrn_wg_count_drop(machine->wg, WRN_DROP_TUN_REFUSED, delivered.refused);
    }
    if (delivered.lost != 0) {
        (void)wrn_crew_lose_offloads(crew, delivered.lost);
    }
    return error;
}

int wrn_crew_send_frame(struct wrn_crew *crew, struct wrn_now now, wrn_handle handle, bool to_host,
                        bool is_whole, const wrn_handle *peers, uint32_t count, wrn_span frame,
                        struct wrn_wg_out *out) {
    if (!is_there(crew, handle) || (crew->machines[handle.index].sw == NULL && !is_whole)) {
        return WRN_ERR_NOT_FOUND;
    }
    if (frame.size < WRN_SWITCH_FRAME_MIN || frame.size > WRN_PAYLOAD_FRAME_MAX) {
        return -EMSGSIZE;
    }
    struct machine *machine = &crew->machines[handle.index];
    if (is_whole) {
        return send_whole(crew, machine, now, peers, count, frame, out);
    }
    for (uint32_t i = 0; i < count; i++) {
        wrn_bridged_queue(machine->bridged, machine->wg, now, peers[i], frame, out);
    }
    if (!to_host) {
        return 0;
    }
    struct iovec parts[] = {{NULL, 0}, {(void *)(uintptr_t)frame.data, frame.size}};
    int error = wrn_tun_write(&crew->pairs[0].tuns[handle.index], parts, WRN_COUNT(parts), NULL);
    if (error != 0 && error != -ENODEV) {
        wrn_wg_count_drop(machine->wg, WRN_DROP_TUN_REFUSED, 1);
    }
    return error == -ENODEV ? error : 0;
}

void wrn_crew_frame_counts(const struct wrn_crew *crew, wrn_handle handle,
                           uint64_t ret_counts[WRN_PIECES_REFUSAL_COUNT]) {
    memset(ret_counts, 0, WRN_PIECES_REFUSAL_COUNT * sizeof *ret_counts);
    if (!is_there(crew, handle) || crew->machines[handle.index].bridged == NULL) {
        return;
    }
    const struct machine *machine = &crew->machines[handle.index];
    memcpy(ret_counts, machine->frame_counts, sizeof machine->frame_counts);
    wrn_bridged_add_counts(machine->bridged, ret_counts);
    for (uint32_t i = 0; i < crew->made; i++) {
        wrn_worker_add_frame_counts(crew->workers[i], handle.index, ret_counts);
    }
}

int wrn_crew_set_workers(struct wrn_crew *crew, uint32_t count) {
    WRN_ASSERT(count >= 1 && count <= WRN_CREW_WORKERS_MAX);
    if (count == crew->count) {
        return 0;
    }
    for (uint32_t i = 0; i < WRN_CREW_MACHINES_MAX && count > crew->pair_count; i++) {
        if (crew->machines[i].wg != NULL && !crew->pairs[0].tuns[i].multi_queue) {
            return -EOPNOTSUPP;
        }
    }
    int error = make_workers(crew, count);
    error = error != 0 ? error : make_pairs(crew, count);
    park(crew);
    int error_deal = deal(crew, error == 0 ? count : crew->count);
    error = error != 0 ? error : error_deal;
    lead(crew, error == 0 ? count : crew->led);
    resume(crew);
    (void)eventfd_write(crew->event_fd, 1); /* some may be dismissed */
    return error;
}

uint32_t wrn_crew_workers(const struct wrn_crew *crew) {
    return crew->count;
}

void wrn_crew_dismiss(struct wrn_crew *crew) {
    uint32_t before = crew->made;
    while (crew->made > crew->count) {
        uint32_t last = crew->made - 1;
        if (memchr(crew->owners, (int)last, crew->pair_count) != NULL ||
            !wrn_reports_are_empty(wrn_worker_reports(crew->workers[last]))) {
            break;
        }
        wrn_worker_add_strays(crew->workers[last], crew->strays);
        for (uint32_t i = 0; i < WRN_CREW_MACHINES_MAX; i++) {
            wrn_worker_add_frame_counts(crew->workers[last], i, crew->machines[i].frame_counts);
        }
        wrn_worker_destroy(crew->workers[last]);
        crew->workers[last] = NULL;
        crew->made = last;
    }
    if (crew->made < before) {
        wrn_memory_give_back();
    }
}

void wrn_crew_set_offloads(struct wrn_crew *crew, uint32_t wanted) {
    park(crew);
    crew->wanted = wanted;
    crew->lost = 0;
    set_udp_offloads(crew);
    set_tun_offloads(crew);
    resume(crew);
}

uint32_t wrn_crew_offloads(const struct wrn_crew *crew) {
    return crew->active;
}

uint32_t wrn_crew_lose_offloads(struct wrn_crew *crew, uint32_t lost) {
    uint32_t were_active = crew->active & lost;
    if (were_active != 0) {
        park(crew);
        crew->lost |= lost;
        set_udp_offloads(crew);
        set_tun_offloads(crew);
        resume(crew);
    }
    return were_active;
}

int wrn_crew_open_sockets(struct wrn_crew *crew, uint16_t port, uint32_t mark) {
    struct wrn_udp sockets[WRN_CREW_WORKERS_MAX];
    WRN_ASSERT(crew->options.tag_bits > 0 || crew->machines[0].wg != NULL);
    int error = open_all(crew, port, mark, sockets);
    if (error != 0) {
        return error;
    }
    park(crew);
    drain(crew, first_pairs(crew->pair_count)); /* the old ones */
    error = replace_sockets(crew, sockets);
    set_udp_offloads(crew);
    resume(crew);
    return error;
}

void wrn_crew_close_sockets(struct wrn_crew *crew) {
    if (is_bound(crew)) {
        park(crew);
        detach_sockets(crew);
        set_udp_offloads(crew);
        resume(crew);
    }
}

int wrn_crew_set_mark(struct wrn_crew *crew, uint32_t mark) {
    int error = 0;
    park(crew);
    for (uint32_t i = 0; i < crew->pair_count && error == 0; i++) {
        error = wrn_udp_set_mark(&crew->pairs[i].udp, mark);
    }
    resume(crew);
    return error; /* the first pair refuses if any does: all ask for the same privilege */
}

const struct wrn_udp *wrn_crew_sockets(const struct wrn_crew *crew) {
    return &crew->pairs[0].udp;
}

int wrn_crew_event_fd(const struct wrn_crew *crew) {
    return crew->event_fd;
}

struct wrn_reports *wrn_crew_reports(const struct wrn_crew *crew, uint32_t index) {
    if (index < crew->made) {
        return wrn_worker_reports(crew->workers[index]);
    }
    return index == crew->made ? crew->reports : NULL;
}

void wrn_crew_strays(const struct wrn_crew *crew, uint64_t ret_counts[WRN_STRAY_COUNT]) {
    memcpy(ret_counts, crew->strays, sizeof crew->strays);
    for (uint32_t i = 0; i < crew->made; i++) {
        wrn_worker_add_strays(crew->workers[i], ret_counts);
    }
}

/* Finds a free place for a machine with this tag. Without tag bits there is one. */
static int find_place(const struct wrn_crew *crew, uint32_t tag, uint32_t *ret_place) {
    uint32_t places = crew->options.tag_bits == 0 ? 1 : WRN_CREW_MACHINES_MAX;
    uint32_t place = places;
    WRN_ASSERT(tag >> crew->options.tag_bits == 0);
    for (uint32_t i = places; i-- > 0;) {
        if (crew->machines[i].wg == NULL) {
            place = i;
        } else if (crew->options.tag_bits > 0 && crew->machines[i].tag == tag) {
            return -EEXIST;
        }
    }
    *ret_place = place;
    return place < places ? 0 : WRN_ERR_FULL;
}

/* Gets what a layer-2 machine needs beside its workers' parts. */
static int prepare_bridged(struct wrn_crew *crew, uint32_t place, struct wrn_switch *sw) {
    struct machine *machine = &crew->machines[place];
    int error = 0;
    if (crew->reports == NULL) {
        crew->reports = calloc(1, sizeof *crew->reports);
        error =
            crew->reports == NULL ? -ENOMEM : wrn_reports_init(crew->reports, true, crew->event_fd);
        if (error != 0) {
            free(crew->reports);
            crew->reports = NULL;
            return error;
        }
    }
    machine->next_id = 0;
    memset(machine->frame_counts, 0, sizeof machine->frame_counts);
    error = wrn_bridged_create(sw, &machine->next_id, &machine->bridged);
    machine->sw = error == 0 ? sw : NULL;
    return error;
}

static void forget_bridged(struct machine *machine) {
    wrn_bridged_destroy(machine->bridged);
    machine->bridged = NULL;
    machine->sw = NULL;
}

/* Sends a frame to peers in datagrams that may not be fragmented. */
static int send_whole(struct wrn_crew *crew, const struct machine *machine, struct wrn_now now,
                      const wrn_handle *peers, uint32_t count, wrn_span frame,
                      struct wrn_wg_out *out) {
    /* The workers' sockets without their offloads, so that the port is the same. */
    struct wrn_udp udp = crew->pairs[0].udp;
    udp.offloads = 0;
    if (crew->scratch == NULL) {
        int error = wrn_udp_scratch_create(&crew->scratch);
        if (error != 0) {
            return error;
        }
    }
    for (uint32_t i = 0; i < count && is_bound(crew); i++) {
        uint8_t room[WRN_BRIDGED_SEALED_MAX];
        struct wrn_udp_sending sending;
        bool is_sealed =
            machine->bridged == NULL
                ? seal_own(machine->wg, now, peers[i], frame, room, &sending)
                : wrn_bridged_seal(machine->wg, now, peers[i], frame, room, &sending, out);
        if (is_sealed) {
            wrn_udp_set_whole(&udp, true);
            wrn_udp_send(&udp, crew->scratch, &sending, 1);
            wrn_udp_set_whole(&udp, false);
        } else if (machine->bridged != NULL) {
            /* its beginning waits for a session, and means nothing there: the next one goes */
            wrn_bridged_queue(machine->bridged, machine->wg, now, peers[i],
                              (wrn_span){frame.data, WRN_SWITCH_FRAME_MIN}, out);
        }
    }
    return 0;
}

/* Seals what the owner of a routed machine says. */
static bool seal_own(struct wrn_wg *wg, struct wrn_now now, wrn_handle peer, wrn_span bytes,
                     uint8_t room[WRN_BRIDGED_SEALED_MAX], struct wrn_udp_sending *ret_sending) {
    struct wrn_wg_packet packet = {.bytes = room + WRN_WG_HEADROOM, .size = bytes.size};
    memcpy(packet.bytes, bytes.data, bytes.size);
    if (!wrn_wg_seal_own(wg, now, peer, &packet)) {
        return false;
    }
    *ret_sending = (struct wrn_udp_sending){
        .bytes = packet.datagram,
        .size = packet.datagram_size,
        .path = packet.path,
    };
    return true;
}

/* Describes a machine for workers. */
static struct wrn_worker_machine describe(struct wrn_crew *crew, uint32_t place) {
    struct machine *machine = &crew->machines[place];
    return (struct wrn_worker_machine){
        .wg = machine->wg,
        .sw = machine->sw,
        .next_id = &machine->next_id,
        .handle = handle_of(crew, place),
        .tag = machine->tag,
    };
}

/* Opens a queue for each pair of sockets, all of which nobody serves yet. */
static int add_queues(struct wrn_crew *crew, uint32_t place, struct wrn_tun first) {
    crew->pairs[0].tuns[place] = first;
    int error = crew->pair_count > 1 && !first.multi_queue ? -EOPNOTSUPP : 0;
    if (crew->steering.table_fd >= 0 && error == 0) {
        /* If the kernel does not let us, it spreads by itself over queues that are all served. */
        int refused = wrn_steering_lead_device(&crew->steering, first.fd);
        (void)refused;
    }
    for (uint32_t i = 1; i < crew->pair_count && error == 0; i++) {
        error = wrn_tun_add_queue(&first, &crew->pairs[i].tuns[place]);
    }
    if (error != 0) {
        close_queues(crew, place);
    }
    return error;
}

static void close_queues(struct wrn_crew *crew, uint32_t place) {
    for (uint32_t i = 0; i < crew->pair_count; i++) {
        wrn_tun_close(&crew->pairs[i].tuns[place]);
        crew->pairs[i].tuns[place] = WRN_TUN_NONE;
    }
}

/* Tells all workers of a machine and has the owners of the pairs serve its queues; all stand
 * still. */
static int add_to_workers(struct wrn_crew *crew, uint32_t place) {
    const struct wrn_worker_machine machine = describe(crew, place);
    int error = 0;
    for (uint32_t i = 0; i < crew->made && error == 0; i++) {
        error = wrn_worker_add(crew->workers[i], place, &machine);
    }
    for (uint32_t i = 0; i < crew->pair_count && error == 0; i++) {
        error = wrn_worker_attach_queue(crew->workers[crew->owners[i]], i, place);
    }
    return error;
}

static void remove_from_workers(struct wrn_crew *crew, uint32_t place) {
    for (uint32_t i = 0; i < crew->pair_count; i++) {
        wrn_worker_detach_queue(crew->workers[crew->owners[i]], i, place);
    }
    for (uint32_t i = 0; i < crew->made; i++) {
        wrn_worker_remove(crew->workers[i], place);
    }
}

static wrn_handle handle_of(const struct wrn_crew *crew, uint32_t place) {
    return (wrn_handle){.index = place, .generation = crew->machines[place].generation};
}

static bool is_there(const struct wrn_crew *crew, wrn_handle handle) {
    return handle.index < WRN_CREW_MACHINES_MAX && crew->machines[handle.index].wg != NULL &&
           crew->machines[handle.index].generation == handle.generation;
}

/* Notes what workers have stated about deleted interfaces. */
static void take_deleted(struct wrn_crew *crew) {
    for (uint32_t i = 0; i < crew->made; i++) {
        crew->deleted |= wrn_reports_take_deleted(wrn_worker_reports(crew->workers[i]));
    }
}

/* Makes workers until there are 'count', parked. */
static int make_workers(struct wrn_crew *crew, uint32_t count) {
    struct wrn_worker_options options = {
        .tag_bits = crew->options.tag_bits,
        .provider = crew->options.provider,
        .pairs = crew->pairs,
        .event_fd = crew->event_fd,
        .tells_refusals = crew->options.tells_refusals,
    };
    while (crew->made < count) {
        struct wrn_worker *worker;
        char name[16];
        (void)snprintf(name, sizeof name, "worker %u", crew->made % 100u);
        int error = wrn_worker_create(&options, name, &worker);
        for (uint32_t i = 0; i < WRN_CREW_MACHINES_MAX && error == 0; i++) {
            const struct wrn_worker_machine machine = describe(crew, i);
            if (machine.wg != NULL) {
                error = wrn_worker_add(worker, i, &machine);
                if (error != 0) {
                    wrn_worker_destroy(worker);
                }
            }
        }
        if (error != 0) {
            return error;
        }
        crew->workers[crew->made++] = worker;
    }
    return 0;
}

/* Makes pairs until there are 'count'. What was made before a failure stays: where flows cannot be
 * led, somebody has to serve a queue that the kernel fills. */
static int make_pairs(struct wrn_crew *crew, uint32_t count) {
    if (count > 1 && crew->pair_count == 1) {
        start_to_lead(crew);
    }
    while (crew->pair_count < count) {
        struct wrn_pair *pair = &crew->pairs[crew->pair_count];
        open_pair(pair);
        int error = is_bound(crew) ? wrn_udp_join(&crew->pairs[0].udp, &pair->udp) : 0;
        for (uint32_t i = 0; i < WRN_CREW_MACHINES_MAX && error == 0; i++) {
            if (crew->machines[i].wg != NULL) {
                error = wrn_tun_add_queue(&crew->pairs[0].tuns[i], &pair->tuns[i]);
            }
        }
        if (error != 0) {
            close_pair(pair);
            return error;
        }
        crew->pair_count++;
    }
    return 0;
}

/* Takes the choice of queues and sockets from the kernel. If it does not let us, it chooses itself
 * among all that there are. */
static void start_to_lead(struct wrn_crew *crew) {
    wrn_steering_close(&crew->steering);
    int error = wrn_steering_open(&crew->steering);
    for (uint32_t i = 0; i < WRN_CREW_MACHINES_MAX && error == 0; i++) {
        if (crew->machines[i].wg != NULL) {
            error = wrn_steering_lead_device(&crew->steering, crew->pairs[0].tuns[i].fd);
        }
    }
    if (error != 0) {
        wrn_steering_close(&crew->steering);
    }
}

/* Spreads flows over the first 'count' pairs; all workers stand still, and do so again then. What
 * the pairs hold that flows were taken from goes on its way before anything behind it. */
static void lead(struct wrn_crew *crew, uint32_t count) {
    uint64_t left = first_pairs(crew->led);
    if (count < crew->led) {
        left &= ~first_pairs(count);
    }
    if (crew->steering.table_fd < 0) {
        count = crew->pair_count; /* the kernel has begun to spread by itself, if there are more */
    } else if (wrn_steering_spread(&crew->steering, count) != 0) {
        return;
    }
    if (count != crew->led) {
        crew->led = count;
        if (is_bound(crew)) {
            wrn_udp_spread(&crew->pairs[0].udp, &crew->steering);
        }
        drain(crew, left);
    }
}

/* Has the workers carry on what 'pairs' hold. All stand still, and do so again then. */
static void drain(struct wrn_crew *crew, uint64_t pairs) {
    for (uint32_t i = 0; i < crew->made; i++) {
        uint64_t own = 0;
        for (uint32_t k = 0; k < crew->pair_count; k++) {
            own |= crew->owners[k] == i ? UINT64_C(1) << k & pairs : 0;
        }
        if (own != 0) {
            wrn_worker_drain(crew->workers[i], own);
        }
    }
    wait_for_all(crew);
}

static uint64_t first_pairs(uint32_t count) {
    return count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

/* One whose sockets are closed and that has no queues. */
static void open_pair(struct wrn_pair *pair) {
    pair->udp = WRN_UDP_NONE;
    for (uint32_t i = 0; i < WRN_CREW_MACHINES_MAX; i++) {
        pair->tuns[i] = WRN_TUN_NONE;
    }
}

static void close_pair(struct wrn_pair *pair) {
    for (uint32_t i = 0; i < WRN_CREW_MACHINES_MAX; i++) {
        wrn_tun_close(&pair->tuns[i]);
    }
    wrn_udp_close(&pair->udp);
}

/* Deals the pairs out to 'count' workers, all parked. A pair that cannot be given away stays where
 * it is; a new one that nobody can take is closed again. */
static int deal(struct wrn_crew *crew, uint32_t count) {
    int first_error = 0;
    for (uint32_t i = 0; i < crew->pair_count; i++) {
        uint8_t before = crew->owners[i];
        uint8_t owner = (uint8_t)(i % count);
        if (owner == before) {
            continue;
        }
        int error = wrn_worker_attach(crew->workers[owner], i);
        if (error == 0) {
            crew->owners[i] = owner;
            if (before != NOBODY) {
                wrn_worker_detach(crew->workers[before], i);
            }
            continue;
        }
        first_error = first_error != 0 ? first_error : error;
        while (before == NOBODY && crew->pair_count > i) {
            close_pair(&crew->pairs[--crew->pair_count]);
        }
    }
    if (first_error == 0) {
        crew->count = count;
    }
    set_tun_offloads(crew);
    set_udp_offloads(crew);
    return first_error;
}

static void park(struct wrn_crew *crew) {
    for (uint32_t i = 0; i < crew->made; i++) {
        wrn_worker_park(crew->workers[i]);
    }
    wait_for_all(crew);
}

static void wait_for_all(const struct wrn_crew *crew) {
    for (uint32_t i = 0; i < crew->made; i++) {
        wrn_worker_wait(crew->workers[i]);
    }
}

/* Lets all go on that serve something, which may be more than are wanted where dealing failed. */
static void resume(struct wrn_crew *crew) {
    for (uint32_t i = 0; i < crew->made; i++) {
        if (memchr(crew->owners, (int)i, crew->pair_count) != NULL) {
            wrn_worker_resume(crew->workers[i]);
        }
    }
}

/* Opens a new pair of sockets for each pair. */
static int open_all(const struct wrn_crew *crew, uint16_t port, uint32_t mark,
                    struct wrn_udp *ret_sockets) {
    int error = wrn_udp_open(port, mark, &ret_sockets[0]);
    for (uint32_t i = 1; i < crew->pair_count && error == 0; i++) {
        error = wrn_udp_join(&ret_sockets[0], &ret_sockets[i]);
        for (uint32_t k = 0; k < i && error != 0; k++) {
            wrn_udp_close(&ret_sockets[k]);
        }
    }
    if (error == 0 && crew->pair_count > 1) {
        wrn_udp_spread(&ret_sockets[0], &crew->steering);
    }
    return error;
}

/* Puts 'sockets', which belong to the crew from here on, in the place of those in use. */
static int replace_sockets(struct wrn_crew *crew, const struct wrn_udp *sockets) {
    int error = 0;
    detach_sockets(crew);
    for (uint32_t i = 0; i < crew->pair_count; i++) {
        crew->pairs[i].udp = sockets[i];
        if (error == 0) {
            error = wrn_worker_attach_sockets(crew->workers[crew->owners[i]], i);
        }
    }
    if (error != 0) {
        detach_sockets(crew);
    }
    return error;
}

static void detach_sockets(struct wrn_crew *crew) {
    for (uint32_t i = 0; i < crew->pair_count; i++) {
        wrn_worker_detach_sockets(crew->workers[crew->owners[i]], i);
        wrn_udp_close(&crew->pairs[i].udp);
    }
}

/* Tells the devices, all queues of which share their offloads, and the workers what is wanted.
 * Where the host did not take our large packets, it may go on to hand over its own. */
static void set_tun_offloads(struct wrn_crew *crew) {
    for (uint32_t i = 0; i < WRN_CREW_MACHINES_MAX; i++) {
        struct machine *machine = &crew->machines[i];
        if (machine->wg == NULL) {
            continue;
        }
        uint32_t active =
            wrn_tun_set_offloads(&crew->pairs[0].tuns[i], crew->wanted & TUN_OFFLOADS) &
            ~crew->lost;
        machine->joinable = (active & WRN_TUN_TSO4 ? WRN_COALESCE_TCP4 : 0) |
                            (active & WRN_TUN_TSO6 ? WRN_COALESCE_TCP6 : 0) |
                            (active & WRN_TUN_USO ? WRN_COALESCE_UDP : 0);
        for (uint32_t k = 0; k < crew->made; k++) {
            wrn_worker_set_joinable(crew->workers[k], i, machine->joinable);
        }
    }
    set_active(crew);
}

/* Finds out which offloads all devices have in use. */
static void set_active(struct wrn_crew *crew) {
    uint32_t active = TUN_OFFLOADS & ~crew->lost;
    bool any = false;
    for (uint32_t i = 0; i < WRN_CREW_MACHINES_MAX; i++) {
        if (crew->machines[i].wg != NULL) {
            active &= crew->pairs[0].tuns[i].offloads;
            any = true;
        }
    }
    crew->active = (crew->active & ~TUN_OFFLOADS) | (any ? active : 0);
}

/* Sockets that are closed have no offloads. */
static void set_udp_offloads(struct wrn_crew *crew) {
    uint32_t active = is_bound(crew) ? WRN_UDP_OFFLOADS_ALL : 0;
    for (uint32_t i = 0; i < crew->pair_count && is_bound(crew); i++) {
        active &=
            wrn_udp_set_offloads(&crew->pairs[i].udp, (crew->wanted & ~crew->lost) >> UDP_SHIFT);
    }
    crew->active = (crew->active & TUN_OFFLOADS) | active << UDP_SHIFT;
}

static bool is_bound(const struct wrn_crew *crew) {
    return crew->pairs[0].udp.fd4 >= 0 || crew->pairs[0].udp.fd6 >= 0;
}
