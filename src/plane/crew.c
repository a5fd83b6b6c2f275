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

struct wrn_crew {
    struct wrn_crew_options options;
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

static int make_workers(struct wrn_crew *crew, uint32_t count);
static int make_pairs(struct wrn_crew *crew, uint32_t count);
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
static void set_udp_offloads(struct wrn_crew *crew);
static bool is_bound(const struct wrn_crew *crew);

int wrn_crew_create(const struct wrn_crew_options *options, struct wrn_tun tun,
                    struct wrn_crew **ret_crew) {
    struct wrn_crew *crew = calloc(1, sizeof *crew);
    if (crew == NULL) {
        wrn_tun_close(&tun);
        return -ENOMEM;
    }
    crew->options = *options;
    crew->pairs[0] = (struct wrn_pair){.tun = tun, .udp = WRN_UDP_NONE};
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
    wrn_steering_close(&crew->steering);
    wrn_close_fd(&crew->event_fd);
    free(crew);
}

int wrn_crew_set_workers(struct wrn_crew *crew, uint32_t count) {
    WRN_ASSERT(count >= 1 && count <= WRN_CREW_WORKERS_MAX);
    if (count == crew->count) {
        return 0;
    }
    if (count > crew->pair_count && !crew->pairs[0].tun.multi_queue) {
        return -EOPNOTSUPP;
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

const struct wrn_pair *wrn_crew_pair(const struct wrn_crew *crew) {
    return &crew->pairs[0];
}

int wrn_crew_event_fd(const struct wrn_crew *crew) {
    return crew->event_fd;
}

struct wrn_reports *wrn_crew_reports(const struct wrn_crew *crew, uint32_t index) {
    return index < crew->made ? wrn_worker_reports(crew->workers[index]) : NULL;
}

/* Makes workers until there are 'count', parked. */
static int make_workers(struct wrn_crew *crew, uint32_t count) {
    struct wrn_worker_options options = {
        .wg = crew->options.wg,
        .provider = crew->options.provider,
        .pairs = crew->pairs,
        .event_fd = crew->event_fd,
        .tells_refusals = crew->options.tells_refusals,
    };
    while (crew->made < count) {
        char name[16];
        (void)snprintf(name, sizeof name, "worker %u", crew->made % 100u);
        int error = wrn_worker_create(&options, name, &crew->workers[crew->made]);
        if (error != 0) {
            return error;
        }
        crew->made++;
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
        *pair = (struct wrn_pair){.tun = WRN_TUN_NONE, .udp = WRN_UDP_NONE};
        int error = is_bound(crew) ? wrn_udp_join(&crew->pairs[0].udp, &pair->udp) : 0;
        error = error != 0 ? error : wrn_tun_add_queue(&crew->pairs[0].tun, &pair->tun);
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
    if (wrn_steering_open(&crew->steering) != 0 ||
        wrn_steering_lead_device(&crew->steering, crew->pairs[0].tun.fd) != 0) {
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

static void close_pair(struct wrn_pair *pair) {
    wrn_tun_close(&pair->tun);
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

/* Tells the device, all queues of which share its offloads, and the workers what is wanted. Where
 * the host did not take our large packets, it may go on to hand over its own. */
static void set_tun_offloads(struct wrn_crew *crew) {
    uint32_t active = wrn_tun_set_offloads(&crew->pairs[0].tun, crew->wanted & TUN_OFFLOADS);
    active &= ~crew->lost;
    uint32_t joinable = (active & WRN_TUN_TSO4 ? WRN_COALESCE_TCP4 : 0) |
                        (active & WRN_TUN_TSO6 ? WRN_COALESCE_TCP6 : 0) |
                        (active & WRN_TUN_USO ? WRN_COALESCE_UDP : 0);
    for (uint32_t i = 0; i < crew->made; i++) {
        wrn_worker_set_joinable(crew->workers[i], joinable);
    }
    crew->active = (crew->active & ~TUN_OFFLOADS) | active;
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
