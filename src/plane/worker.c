/* SPDX-License-Identifier: Apache-2.0 */
/* RUNNING --park: after the batch in hand--> PARKED --resume--> RUNNING
 *                                            | ^ `--destroy--> the thread ends
 *                                     drain--' `--when all of it is empty, or has been */
#define _GNU_SOURCE /* pthread_setname_np */
#include "plane/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "crypto/crypto.h"
#include "plane/ask.h"
#include "io/cleanup.h"
#include "io/clock.h"
#include "io/memory.h"
#include "io/privileges.h"
#include "io/rcu.h"

enum {
    STACK_SIZE = 512 << 10, /* only what is touched costs memory */
    EVENTS_MAX = 32,        /* descriptors served between two looks at what is ready */
    BATCHES_PER_TURN = 4,   /* of one descriptor, before the others get their turn */
};

enum source { SOURCE_WAKE, SOURCE_ROUTE, SOURCE_TUN, SOURCE_UDP4, SOURCE_UDP6 };

enum order { ORDER_PARK, ORDER_DRAIN, ORDER_RUN, ORDER_END };

/* What is left to drain: pairs, a bit each. */
struct wrn_drain {
    uint64_t udp4;
    uint64_t udp6;
    uint64_t queues[WRN_PUMP_MACHINES_MAX];
};

struct wrn_worker {
    /* the thread's, and the control thread's while it is parked */
    struct wrn_pair *pairs;
    struct wrn_crypto *crypto;
    struct wrn_reports reports;
    struct wrn_pump pump;
    struct wrn_drain drain;
    int epoll_fd;
    uint64_t attached; /* a bit each pair */
    uint64_t machines; /* a bit each */
    uint64_t deleted;  /* of these the queues are watched no more, a bit each machine */
    /* between the two */
    int wake_fd;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    _Atomic enum order order; /* changed under the lock */
    uint64_t to_drain;        /* a bit each pair */
    bool is_parked;
    bool has_thread;
    char name[16];
    pthread_t thread;
};

static int prepare(struct wrn_worker *worker, const struct wrn_worker_options *options);
static int start_thread(struct wrn_worker *worker, const char *name);
static void *run(void *arg);
static enum order obey(struct wrn_worker *worker);
static void run_until_called(struct wrn_worker *worker);
static void drain(struct wrn_worker *worker);
static bool drain_once(struct wrn_worker *worker, enum source source, uint32_t place,
                       uint64_t *pairs);
static bool serve(struct wrn_worker *worker, uint64_t source);
static void on_deleted(struct wrn_worker *worker);
static uint64_t source_of(enum source source, uint32_t pair, uint32_t place);
static int watch(struct wrn_worker *worker, int fd, uint64_t source);
static void unwatch(struct wrn_worker *worker, int fd);

int wrn_worker_create(const struct wrn_worker_options *options, const char *name,
                      struct wrn_worker **ret_worker) {
    void *memory = NULL;
    int error = wrn_memory_map(sizeof(struct wrn_worker), &memory);
    if (error != 0) {
        return error;
    }
    struct wrn_worker *worker = memory;
    worker->pairs = options->pairs;
    worker->epoll_fd = -1;
    worker->wake_fd = -1;
    error = prepare(worker, options);
    error = error != 0 ? error : start_thread(worker, name);
    if (error != 0) {
        wrn_worker_destroy(worker);
        return error;
    }
    *ret_worker = worker;
    return 0;
}

void wrn_worker_destroy(struct wrn_worker *worker) {
    if (worker == NULL) {
        return;
    }
    if (worker->has_thread) {
        (void)pthread_mutex_lock(&worker->lock);
        worker->order = ORDER_END;
        (void)pthread_cond_broadcast(&worker->changed);
        (void)pthread_mutex_unlock(&worker->lock);
        (void)pthread_join(worker->thread, NULL);
        (void)pthread_cond_destroy(&worker->changed);
        (void)pthread_mutex_destroy(&worker->lock);
    }
    for (uint64_t left = worker->machines; left != 0; left &= left - 1) {
        wrn_worker_remove(worker, (uint32_t)__builtin_ctzll(left));
    }
    wrn_pump_finish(&worker->pump);
    wrn_reports_finish(&worker->reports);
    wrn_crypto_destroy(worker->crypto);
    wrn_close_fd(&worker->epoll_fd);
    wrn_close_fd(&worker->wake_fd);
    wrn_memory_unmap(worker, sizeof *worker);
}

void wrn_worker_park(struct wrn_worker *worker) {
    (void)pthread_mutex_lock(&worker->lock);
    if (worker->order == ORDER_RUN) {
        worker->order = ORDER_PARK;
        worker->is_parked = false;
        (void)eventfd_write(worker->wake_fd, 1);
        (void)pthread_cond_broadcast(&worker->changed);
    }
    (void)pthread_mutex_unlock(&worker->lock);
}

void wrn_worker_drain(struct wrn_worker *worker, uint64_t pairs) {
    (void)pthread_mutex_lock(&worker->lock);
    WRN_ASSERT(worker->is_parked && worker->order == ORDER_PARK);
    worker->order = ORDER_DRAIN;
    worker->is_parked = false;
    worker->to_drain = pairs;
    (void)pthread_cond_broadcast(&worker->changed);
    (void)pthread_mutex_unlock(&worker->lock);
}

void wrn_worker_wait(struct wrn_worker *worker) {
    (void)pthread_mutex_lock(&worker->lock);
    while (!worker->is_parked) {
        (void)pthread_cond_wait(&worker->changed, &worker->lock);
    }
    (void)pthread_mutex_unlock(&worker->lock);
}

void wrn_worker_resume(struct wrn_worker *worker) {
    (void)pthread_mutex_lock(&worker->lock);
    worker->order = ORDER_RUN;
    (void)pthread_cond_broadcast(&worker->changed);
    (void)pthread_mutex_unlock(&worker->lock);
}

int wrn_worker_add(struct wrn_worker *worker, uint32_t place,
                   const struct wrn_worker_machine *machine) {
    struct wrn_bridged *bridged = NULL;
    void *memory = NULL;
    int error =
        machine->sw == NULL ? 0 : wrn_bridged_create(machine->sw, machine->next_id, &bridged);
    error = error != 0 ? error : wrn_memory_map(wrn_wg_lane_size(), &memory);
    if (error != 0) {
        wrn_bridged_destroy(bridged);
        return error;
    }
    worker->pump.machines[place] = (struct wrn_pump_machine){
        .lane = wrn_wg_lane_init(memory, machine->wg, worker->crypto),
        .wg = machine->wg,
        .bridged = bridged,
        .handle = machine->handle,
    };
    worker->pump.by_tag[machine->tag] = (uint8_t)place;
    worker->machines |= UINT64_C(1) << place;
    return 0;
}

void wrn_worker_remove(struct wrn_worker *worker, uint32_t place) {
    struct wrn_pump_machine *machine = &worker->pump.machines[place];
    uint64_t bit = UINT64_C(1) << place;
    if ((worker->machines & bit) == 0) {
        return;
    }
    for (size_t tag = 0; tag < WRN_COUNT(worker->pump.by_tag); tag++) {
        if (worker->pump.by_tag[tag] == place) {
            worker->pump.by_tag[tag] = WRN_PUMP_NOBODY;
        }
    }
    wrn_wg_lane_finish(machine->lane);
    wrn_memory_unmap(machine->lane, wrn_wg_lane_size()); /* it begins where its memory does */
    wrn_bridged_destroy(machine->bridged);
    *machine = (struct wrn_pump_machine){0};
    worker->machines &= ~bit;
    worker->deleted &= ~bit;
    worker->pump.deleted &= ~bit;
}

int wrn_worker_attach(struct wrn_worker *worker, uint32_t pair) {
    int error = 0;
    for (uint64_t left = worker->machines; left != 0 && error == 0; left &= left - 1) {
        error = wrn_worker_attach_queue(worker, pair, (uint32_t)__builtin_ctzll(left));
    }
    error = error != 0 ? error : wrn_worker_attach_sockets(worker, pair);
    if (error != 0) {
        wrn_worker_detach(worker, pair);
        return error;
    }
    worker->attached |= UINT64_C(1) << pair;
    return 0;
}

int wrn_worker_attach_sockets(struct wrn_worker *worker, uint32_t pair) {
    const struct wrn_udp *udp = &worker->pairs[pair].udp;
    int error = watch(worker, udp->fd4, source_of(SOURCE_UDP4, pair, 0));
    error = error != 0 ? error : watch(worker, udp->fd6, source_of(SOURCE_UDP6, pair, 0));
    if (error != 0) {
        wrn_worker_detach_sockets(worker, pair);
    }
    return error;
}

int wrn_worker_attach_queue(struct wrn_worker *worker, uint32_t pair, uint32_t place) {
    return watch(worker, worker->pairs[pair].tuns[place].fd, source_of(SOURCE_TUN, pair, place));
}

void wrn_worker_detach(struct wrn_worker *worker, uint32_t pair) {
    for (uint64_t left = worker->machines; left != 0; left &= left - 1) {
        wrn_worker_detach_queue(worker, pair, (uint32_t)__builtin_ctzll(left));
    }
    wrn_worker_detach_sockets(worker, pair);
    worker->attached &= ~(UINT64_C(1) << pair);
}

void wrn_worker_detach_sockets(struct wrn_worker *worker, uint32_t pair) {
    unwatch(worker, worker->pairs[pair].udp.fd4);
    unwatch(worker, worker->pairs[pair].udp.fd6);
}

void wrn_worker_detach_queue(struct wrn_worker *worker, uint32_t pair, uint32_t place) {
    unwatch(worker, worker->pairs[pair].tuns[place].fd);
}

void wrn_worker_set_joinable(struct wrn_worker *worker, uint32_t place, uint32_t joinable) {
    worker->pump.machines[place].joinable = joinable;
}

void wrn_worker_add_strays(const struct wrn_worker *worker, uint64_t counts[WRN_STRAY_COUNT]) {
    for (size_t i = 0; i < WRN_STRAY_COUNT; i++) {
        counts[i] += atomic_load_explicit(&worker->pump.strays[i], memory_order_relaxed);
    }
}

void wrn_worker_add_frame_counts(const struct wrn_worker *worker, uint32_t place,
                                 uint64_t counts[WRN_PIECES_REFUSAL_COUNT]) {
    if (worker->pump.machines[place].bridged != NULL) {
        wrn_bridged_add_counts(worker->pump.machines[place].bridged, counts);
    }
}

struct wrn_reports *wrn_worker_reports(struct wrn_worker *worker) {
    return &worker->reports;
}

/* Gets everything but the thread. */
static int prepare(struct wrn_worker *worker, const struct wrn_worker_options *options) {
    int error = wrn_crypto_create(options->provider, &worker->crypto);
    error = error != 0
                ? error
                : wrn_reports_init(&worker->reports, options->tag_bits > 0, options->event_fd);
    error = error != 0 ? error
                       : wrn_pump_init(&worker->pump, options->tag_bits, worker->crypto,
                                       &worker->reports, options->tells_refusals);
    if (error != 0) {
        return error;
    }
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->epoll_fd < 0 || worker->wake_fd < 0) {
        return -errno;
    }
    error = watch(worker, worker->wake_fd, source_of(SOURCE_WAKE, 0, 0));
    return error != 0 ? error
                      : watch(worker, wrn_route_fd(worker->pump.sender.route),
                              source_of(SOURCE_ROUTE, 0, 0));
}

/* The thread inherits a mask that blocks every signal: they are the control thread's. */
static int start_thread(struct wrn_worker *worker, const char *name) {
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    (void)pthread_mutex_init(&worker->lock, NULL); /* neither can fail on Linux */
    (void)pthread_cond_init(&worker->changed, NULL);
    int error = pthread_attr_init(&attributes);
    if (error != 0) {
        return -error;
    }
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    (void)snprintf(worker->name, sizeof worker->name, "%s", name);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&worker->thread, &attributes, run, worker);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    if (error != 0) {
        return -error;
    }
    worker->has_thread = true;
    return 0;
}

static void *run(void *arg) {
    struct wrn_worker *worker = arg;
    enum order order;
    (void)pthread_setname_np(pthread_self(), worker->name);
    wrn_privileges_give_up_thread(); /* what it handles comes from others */
    wrn_rcu_join();
    while ((order = obey(worker)) != ORDER_END) {
        if (order == ORDER_DRAIN) {
            drain(worker);
        } else {
            run_until_called(worker);
        }
    }
    wrn_rcu_leave();
    return NULL;
}

/* Stands still while that is the order. Returns another one. */
static enum order obey(struct wrn_worker *worker) {
    (void)pthread_mutex_lock(&worker->lock);
    while (worker->order == ORDER_PARK) {
        worker->is_parked = true;
        (void)pthread_cond_broadcast(&worker->changed);
        (void)pthread_cond_wait(&worker->changed, &worker->lock);
    }
    enum order order = worker->order;
    (void)pthread_mutex_unlock(&worker->lock);
    return order;
}

static void run_until_called(struct wrn_worker *worker) {
    struct epoll_event events[EVENTS_MAX];
    while (worker->order == ORDER_RUN) {
        int count = epoll_wait(worker->epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            bool more = true;
            for (int k = 0; more && k < BATCHES_PER_TURN && worker->order == ORDER_RUN; k++) {
                more = serve(worker, events[i].data.u64);
            }
        }
    }
}

/* Serves descriptors in turn until each has been empty once. Then parks. */
static void drain(struct wrn_worker *worker) {
    struct wrn_drain *todo = &worker->drain;
    wrn_mono end = wrn_mono_add(wrn_clock_read().mono, WRN_MS(WRN_WORKER_DRAIN_MS));
    bool any = true;
    memset(todo, 0, sizeof *todo);
    todo->udp4 = worker->to_drain;
    todo->udp6 = worker->to_drain;
    for (uint64_t left = worker->machines; left != 0; left &= left - 1) {
        todo->queues[__builtin_ctzll(left)] = worker->to_drain;
    }
    while (any && wrn_mono_before(wrn_clock_read().mono, end)) {
        any = drain_once(worker, SOURCE_UDP4, 0, &todo->udp4);
        any |= drain_once(worker, SOURCE_UDP6, 0, &todo->udp6);
        for (uint64_t left = worker->machines; left != 0; left &= left - 1) {
            uint32_t place = (uint32_t)__builtin_ctzll(left);
            any |= drain_once(worker, SOURCE_TUN, place, &todo->queues[place]);
        }
    }
    (void)pthread_mutex_lock(&worker->lock);
    if (worker->order == ORDER_DRAIN) {
        worker->order = ORDER_PARK;
    }
    (void)pthread_mutex_unlock(&worker->lock);
}

/* Carries on one batch from a descriptor of each of 'pairs', and takes those that are empty out.
 * Returns whether some are left. */
static bool drain_once(struct wrn_worker *worker, enum source source, uint32_t place,
                       uint64_t *pairs) {
    for (uint64_t left = *pairs; left != 0; left &= left - 1) {
        uint32_t pair = (uint32_t)__builtin_ctzll(left);
        if (!serve(worker, source_of(source, pair, place))) {
            *pairs &= ~(UINT64_C(1) << pair);
        }
    }
    return *pairs != 0;
}

/* Carries on one batch from a descriptor. Returns whether it may hold more. */
static bool serve(struct wrn_worker *worker, uint64_t source) {
    struct wrn_pair *pair = &worker->pairs[(uint16_t)source];
    uint32_t place = (uint16_t)(source >> 16);
    bool more = false;
    int fd;
    eventfd_t count;
    switch ((enum source)(source >> 32)) {
    case SOURCE_WAKE:
        (void)eventfd_read(worker->wake_fd, &count);
        break;
    case SOURCE_ROUTE:
        wrn_route_read_events(worker->pump.sender.route);
        break;
    case SOURCE_TUN:
        more = wrn_pump_outbound(&worker->pump, pair, place);
        break;
    case SOURCE_UDP4:
    case SOURCE_UDP6:
        fd = source >> 32 == SOURCE_UDP4 ? pair->udp.fd4 : pair->udp.fd6;
        more = fd >= 0 && wrn_pump_inbound(&worker->pump, pair, fd);
        break;
    }
    if (worker->pump.deleted != worker->deleted) {
        on_deleted(worker);
    }
    return more;
}

/* An interface is gone, and all its queues with it. Their descriptors would stay ready for ever. */
static void on_deleted(struct wrn_worker *worker) {
    uint64_t news = worker->pump.deleted & ~worker->deleted;
    worker->deleted = worker->pump.deleted;
    for (; news != 0; news &= news - 1) {
        for (uint64_t left = worker->attached; left != 0; left &= left - 1) {
            wrn_worker_detach_queue(worker, (uint32_t)__builtin_ctzll(left),
                                    (uint32_t)__builtin_ctzll(news));
        }
    }
}

static uint64_t source_of(enum source source, uint32_t pair, uint32_t place) {
    return (uint64_t)source << 32 | place << 16 | pair;
}

static int watch(struct wrn_worker *worker, int fd, uint64_t source) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = source};
    if (fd < 0) {
        return 0;
    }
    return epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void unwatch(struct wrn_worker *worker, int fd) {
    if (fd >= 0) {
        (void)epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* not watched: fine */
    }
}
