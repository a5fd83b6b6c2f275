/* SPDX-License-Identifier: Apache-2.0 */
/* Each asking has a thread of its own: it blocks for as long as it pleases the router, and at the
 * end nobody waits for it longer than is decent. Two sides share its memory; the last one frees. */
#define _GNU_SOURCE
#include "daemon/portmap.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include "io/privileges.h"

enum {
    SETTLE_MS = 2000, /* addresses change several at a time */
    RETRY_FIRST_S = 60,
    RETRY_LAST_S = 3600,
    RENEW_LEAST_S = 5, /* also at routers that give for less than twice that */
    CHECK_S = 1800,    /* of a mapping without an end: the router may have started anew */
    RELEASE_S = 2,
};

enum side { LOOP = 1, THREAD = 2 };

/* One call of a router. */
struct work {
    pthread_mutex_t lock;
    pthread_cond_t done;
    unsigned sides; /* enum side: who still uses it */
    bool is_done, is_release;
    uint16_t port;
    struct wrn_portmap_mapping before, result;
    uint8_t nonce[WRN_PORTMAP_NONCE_SIZE];
    uv_async_t *wake; /* NULL: nobody is to be woken */
};

struct wrn_portmap {
    struct wrn_portmap_options options;
    struct handles *handles;
    struct work *work; /* under way; NULL: none */
    struct wrn_portmap_mapping mapping;
    uint16_t port;
    bool is_needed;
    bool is_stale;       /* the host may be elsewhere: ask again, and do not trust what there is */
    uint64_t expires_ms; /* of the loop's clock: when the mapping ends unless it is renewed */
    uint32_t retry_s;
};

/* They outlive us by a round of the loop. */
struct handles {
    uv_timer_t timer;
    uv_async_t wake;
    unsigned open;
};

static void ask(struct wrn_portmap *portmap);
static struct work *start(struct wrn_portmap *portmap, bool is_release);
static void *run(void *ctx);
static void leave(struct work *work, enum side side);
static void on_timer(uv_timer_t *timer);
static void on_wake(uv_async_t *wake);
static void take(struct wrn_portmap *portmap, const struct wrn_portmap_mapping *result);
static void forget(struct wrn_portmap *portmap);
static void set_timer(struct wrn_portmap *portmap, uint64_t ms);
static void release(struct wrn_portmap *portmap);
static void on_closed(uv_handle_t *handle);

int wrn_portmap_create(const struct wrn_portmap_options *options,
                       struct wrn_portmap **ret_portmap) {
    struct wrn_portmap *portmap = calloc(1, sizeof *portmap);
    struct handles *handles = calloc(1, sizeof *handles);
    if (portmap == NULL || handles == NULL) {
        free(portmap);
        free(handles);
        return -ENOMEM;
    }
    int error = uv_async_init(options->loop, &handles->wake, on_wake);
    if (error != 0) {
        free(portmap);
        free(handles);
        return error;
    }
    error = uv_timer_init(options->loop, &handles->timer);
    WRN_ASSERT(error == 0); /* it cannot fail */
    handles->open = 2;
    handles->wake.data = portmap;
    handles->timer.data = portmap;
    *portmap = (struct wrn_portmap){.options = *options,
                                    .handles = handles,
                                    .port = options->port,
                                    .is_needed = options->is_needed,
                                    .retry_s = RETRY_FIRST_S};
    ask(portmap);
    *ret_portmap = portmap;
    return 0;
}

void wrn_portmap_destroy(struct wrn_portmap *portmap) {
    if (portmap == NULL) {
        return;
    }
    struct handles *handles = portmap->handles;
    if (portmap->work != NULL) {
        struct work *work = portmap->work;
        (void)pthread_mutex_lock(&work->lock);
        work->wake = NULL;
        (void)pthread_mutex_unlock(&work->lock);
        leave(work, LOOP);
    }
    release(portmap);
    handles->timer.data = handles;
    handles->wake.data = handles;
    uv_close((uv_handle_t *)&handles->timer, on_closed);
    uv_close((uv_handle_t *)&handles->wake, on_closed);
    free(portmap);
}

void wrn_portmap_again(struct wrn_portmap *portmap, uint16_t port, bool is_needed) {
    portmap->port = port;
    portmap->is_needed = is_needed;
    portmap->retry_s = RETRY_FIRST_S;
    portmap->is_stale = true;
    if (portmap->work == NULL) {
        set_timer(portmap, SETTLE_MS);
    }
}

const struct wrn_portmap_mapping *wrn_portmap_mapping(const struct wrn_portmap *portmap) {
    return &portmap->mapping;
}

json_t *wrn_portmap_status(const struct wrn_portmap *portmap) {
    char external[WRN_ENDPOINT_TEXT_SIZE] = "";
    const struct wrn_portmap_mapping *mapping = &portmap->mapping;
    if (mapping->way != WRN_PORTMAP_NONE) {
        (void)wrn_endpoint_print(&mapping->external, external);
        return json_pack("{sssssssIsIss}", "state", "mapped", "by",
                         wrn_portmap_way_name(mapping->way), "external", external, "port",
                         (json_int_t)mapping->port, "lifetime_s", (json_int_t)mapping->lifetime_s,
                         "text", mapping->text);
    }
    if (!portmap->is_needed || portmap->port == 0) {
        return json_pack("{ssss}", "state", "not needed", "text",
                         "this host has a public address: no router has to be asked");
    }
    return json_pack("{ssss}", "state", portmap->work != NULL ? "asking" : "none", "text",
                     mapping->text);
}

static void ask(struct wrn_portmap *portmap) {
    bool was_stale = portmap->is_stale;
    portmap->is_stale = false;
    if (!portmap->is_needed || portmap->port == 0) {
        forget(portmap);
        return;
    }
    portmap->expires_ms = was_stale ? 0 : portmap->expires_ms;
    portmap->work = start(portmap, false);
    if (portmap->work == NULL) {
        set_timer(portmap, (uint64_t)RETRY_FIRST_S * 1000);
    }
}

/* NULL: no memory, or no thread. */
static struct work *start(struct wrn_portmap *portmap, bool is_release) {
    struct work *work = calloc(1, sizeof *work);
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, old;
    if (work == NULL) {
        return NULL;
    }
    pthread_condattr_t clock; /* setting one of these up cannot fail on Linux */
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&work->done, &clock);
    (void)pthread_condattr_destroy(&clock);
    (void)pthread_mutex_init(&work->lock, NULL);
    work->sides = LOOP | THREAD;
    work->is_release = is_release;
    work->port = portmap->port;
    work->before = portmap->mapping;
    work->wake = is_release ? NULL : &portmap->handles->wake;
    wrn_rand_fill(portmap->options.rand, work->nonce, sizeof work->nonce);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the loop's */
    int error = pthread_create(&thread, &attributes, run, work);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)pthread_attr_destroy(&attributes);
    if (error != 0) {
        work->sides = LOOP;
        leave(work, LOOP);
        return NULL;
    }
    return work;
}

/* The thread. */
static void *run(void *ctx) {
    struct work *work = ctx;
    wrn_privileges_give_up_thread();
    if (work->is_release) {
        wrn_portmap_release(&work->before);
    } else {
        bool is_same = work->before.way != WRN_PORTMAP_NONE && work->before.port == work->port;
        wrn_portmap_ask(work->port, is_same ? &work->before : NULL, work->nonce, &work->result);
    }
    (void)pthread_mutex_lock(&work->lock);
    work->is_done = true;
    if (work->wake != NULL) {
        (void)uv_async_send(work->wake);
    }
    (void)pthread_cond_signal(&work->done);
    (void)pthread_mutex_unlock(&work->lock);
    leave(work, THREAD);
    return NULL;
}

static void leave(struct work *work, enum side side) {
    (void)pthread_mutex_lock(&work->lock);
    work->sides &= ~(unsigned)side;
    bool is_last = work->sides == 0;
    (void)pthread_mutex_unlock(&work->lock);
    if (is_last) {
        (void)pthread_cond_destroy(&work->done);
        (void)pthread_mutex_destroy(&work->lock);
        free(work);
    }
}

static void on_timer(uv_timer_t *timer) {
    struct wrn_portmap *portmap = timer->data;
    if (portmap->work == NULL) {
        ask(portmap);
    }
}

static void on_wake(uv_async_t *wake) {
    struct wrn_portmap *portmap = wake->data;
    struct work *work = portmap->work;
    if (work == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&work->lock);
    bool is_done = work->is_done;
    work->wake = is_done ? NULL : work->wake;
    (void)pthread_mutex_unlock(&work->lock);
    if (is_done) {
        portmap->work = NULL;
        take(portmap, &work->result);
        leave(work, LOOP);
    }
}

/* A mapping that could not be renewed is good until it ends. */
static void take(struct wrn_portmap *portmap, const struct wrn_portmap_mapping *result) {
    bool was_mapped = portmap->mapping.way != WRN_PORTMAP_NONE;
    bool is_mapped = result->way != WRN_PORTMAP_NONE;
    uint64_t now_ms = uv_now(portmap->options.loop);
    if (is_mapped) {
        bool is_new =
            !was_mapped || !wrn_endpoint_equal(&result->external, &portmap->mapping.external);
        uint64_t life_s = result->lifetime_s != 0 ? result->lifetime_s : 2 * CHECK_S;
        uint64_t renew_s = life_s / 2 < RENEW_LEAST_S ? RENEW_LEAST_S : life_s / 2;
        portmap->mapping = *result;
        portmap->retry_s = RETRY_FIRST_S;
        portmap->expires_ms = now_ms + life_s * 1000;
        set_timer(portmap, portmap->is_stale ? SETTLE_MS : renew_s * 1000);
        if (is_new) {
            wrn_log_write(portmap->options.log, WRN_LOG_INFO, "port mapping: %s", result->text);
            portmap->options.on_change(portmap->options.ctx, &result->external);
        }
        return;
    }
    if (now_ms >= portmap->expires_ms) {
        forget(portmap);
        portmap->mapping = *result;
    }
    set_timer(portmap, portmap->is_stale ? SETTLE_MS : (uint64_t)portmap->retry_s * 1000);
    portmap->retry_s *= 2;
    portmap->retry_s = portmap->retry_s > RETRY_LAST_S ? RETRY_LAST_S : portmap->retry_s;
}

static void forget(struct wrn_portmap *portmap) {
    if (portmap->mapping.way != WRN_PORTMAP_NONE) {
        portmap->mapping = (struct wrn_portmap_mapping){.port = portmap->port};
        wrn_log_write(portmap->options.log, WRN_LOG_INFO, "port mapping: there is none any more");
        portmap->options.on_change(portmap->options.ctx, NULL);
    }
}

static void set_timer(struct wrn_portmap *portmap, uint64_t ms) {
    (void)uv_timer_start(&portmap->handles->timer, on_timer, ms, 0);
}

/* At the end. Who does not answer in time keeps the mapping until its life is over. */
static void release(struct wrn_portmap *portmap) {
    struct timespec end;
    if (portmap->mapping.way == WRN_PORTMAP_NONE) {
        return;
    }
    struct work *work = start(portmap, true);
    if (work == NULL) {
        return;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += RELEASE_S;
    (void)pthread_mutex_lock(&work->lock);
    while (!work->is_done && pthread_cond_timedwait(&work->done, &work->lock, &end) == 0) {
    }
    (void)pthread_mutex_unlock(&work->lock);
    leave(work, LOOP);
}

static void on_closed(uv_handle_t *handle) {
    struct handles *handles = handle->data;
    if (--handles->open == 0) {
        free(handles);
    }
}
