/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of scrapers: one request each, read until its head is whole, answered, closed. */
#define _GNU_SOURCE /* accept4 */
#include "daemon/metrics.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "daemon/control_socket.h"
#include "daemon/metrics_collect.h"
#include "daemon/metrics_http.h"
#include "io/cleanup.h"
#include "io/clock.h"
#include "io/watch.h"

#define UNIX_PREFIX "unix:"

enum { TICK_MS = 1000, BACKLOG = 16, DRAIN_SIZE = 4096, WHY_SIZE = 256 };

enum step {
    READING, /* the request */
    WRITING, /* the answer */
    ENDING,  /* it is said, and the other end has not closed yet */
};

struct scraper {
    struct wrn_metrics *metrics; /* NULL: the place is free */
    int fd;
    struct wrn_watch *watch;
    enum step step;
    wrn_mono began;
    char *head; /* WRN_HTTP_HEAD_MAX bytes */
    size_t head_size;
    char *answer;
    size_t answer_size, answer_sent;
};

struct wrn_metrics {
    struct wrn_daemon *daemon;
    const char *place;
    struct wrn_daemon_listener listener;
    struct wrn_control_socket unix_socket; /* fd -1: it is not one */
    int fd;                                /* listening; -1: it could not be */
    char why[WHY_SIZE];                    /* ... for this reason, with the next step */
    struct wrn_watch *watch;
    bool is_deaf; /* no descriptor was left for a connection */
    uv_timer_t *tick;
    struct wrn_metrics_counts counts;
    struct wrn_metrics_text text; /* as it was last given out */
    wrn_mono text_from;
    struct scraper scrapers[WRN_METRICS_CONNECTIONS_MAX];
};

static int listen_at(struct wrn_metrics *metrics);
static int listen_at_address(struct wrn_metrics *metrics);
static void complain(struct wrn_metrics *metrics, int error);
static void on_event(void *ctx, wrn_handle network, const struct wrn_node_event *event);
static void on_connection(void *ctx, int fd, int events);
static struct scraper *free_place(struct wrn_metrics *metrics);
static void drop(struct scraper *scraper);
static void on_scraper(void *ctx, int fd, int events);
static bool take_input(struct scraper *scraper);
static bool answer(struct scraper *scraper, enum wrn_http_verdict verdict, bool is_head);
static const struct wrn_metrics_text *fresh_text(struct wrn_metrics *metrics);
static bool put_output(struct scraper *scraper);
static bool drain(struct scraper *scraper);
static void count(struct wrn_metrics *metrics, enum wrn_http_verdict verdict);
static void on_tick(uv_timer_t *handle);
static void on_tick_closed(uv_handle_t *handle);

bool wrn_metrics_is_place(const char *place) {
    struct wrn_endpoint endpoint;
    size_t prefix = sizeof UNIX_PREFIX - 1;
    if (strncmp(place, UNIX_PREFIX, prefix) == 0) {
        return place[prefix] == '/' && strlen(place + prefix) < WRN_CONTROL_PATH_MAX;
    }
    return wrn_endpoint_parse((wrn_span){(const uint8_t *)place, strlen(place)}, &endpoint) == 0 &&
           endpoint.port != 0;
}

void wrn_metrics_prepare(const char *place, uid_t uid) {
    gid_t group = WRN_CONTROL_NOBODY;
    if (strncmp(place, UNIX_PREFIX, sizeof UNIX_PREFIX - 1) == 0) {
        wrn_control_socket_prepare(place + sizeof UNIX_PREFIX - 1, WRN_CONTROL_NOBODY, uid, &group);
    }
}

int wrn_metrics_create(struct wrn_daemon *daemon, const char *place,
                       struct wrn_metrics **ret_metrics) {
    struct wrn_metrics *metrics = calloc(1, sizeof *metrics);
    uv_timer_t *tick = calloc(1, sizeof *tick);
    if (metrics == NULL || tick == NULL) {
        free(metrics);
        free(tick);
        return -ENOMEM;
    }
    metrics->daemon = daemon;
    metrics->place = place;
    metrics->fd = metrics->unix_socket.fd = metrics->unix_socket.lock = -1;
    metrics->tick = tick;
    (void)uv_timer_init(wrn_daemon_loop(daemon), tick); /* cannot fail */
    tick->data = metrics;
    int error = listen_at(metrics);
    error = error != 0 ? error
                       : wrn_watch_open(wrn_daemon_loop(daemon), metrics->fd, WRN_WATCH_READ,
                                        on_connection, metrics, &metrics->watch);
    if (error != 0) {
        complain(metrics, error);
    } else {
        (void)uv_timer_start(tick, on_tick, TICK_MS, TICK_MS);
        uv_unref((uv_handle_t *)tick);
        wrn_log_write(wrn_daemon_log(daemon), WRN_LOG_INFO, "metrics are served at %s", place);
    }
    metrics->listener = (struct wrn_daemon_listener){.ctx = metrics, .on_event = on_event};
    wrn_daemon_listen(daemon, &metrics->listener);
    *ret_metrics = metrics;
    return 0;
}

void wrn_metrics_destroy(struct wrn_metrics *metrics) {
    if (metrics == NULL) {
        return;
    }
    wrn_daemon_unlisten(metrics->daemon, &metrics->listener);
    for (size_t i = 0; i < WRN_COUNT(metrics->scrapers); i++) {
        if (metrics->scrapers[i].metrics != NULL) {
            drop(&metrics->scrapers[i]);
        }
    }
    wrn_watch_close(metrics->watch);
    if (metrics->unix_socket.fd >= 0) {
        wrn_control_socket_close(&metrics->unix_socket);
    } else {
        wrn_close_fd(&metrics->fd);
    }
    uv_close((uv_handle_t *)metrics->tick, on_tick_closed);
    free(metrics->text.bytes);
    free(metrics);
}

const char *wrn_metrics_why(const struct wrn_metrics *metrics) {
    return metrics->fd >= 0 ? NULL : metrics->why;
}

json_t *wrn_metrics_describe(const struct wrn_metrics *metrics) {
    json_int_t requests = 0;
    for (size_t i = 0; i < WRN_COUNT(metrics->counts.requests); i++) {
        requests += (json_int_t)metrics->counts.requests[i];
    }
    return json_pack("{s:s, s:b, s:s, s:I}", "at", metrics->place, "serves", metrics->fd >= 0,
                     "text", metrics->fd >= 0 ? "metrics are served" : metrics->why, "requests",
                     requests);
}

static int listen_at(struct wrn_metrics *metrics) {
    const char *path = metrics->place + sizeof UNIX_PREFIX - 1;
    if (strncmp(metrics->place, UNIX_PREFIX, sizeof UNIX_PREFIX - 1) != 0) {
        return listen_at_address(metrics);
    }
    int error = wrn_control_socket_open(path, WRN_CONTROL_NOBODY, &metrics->unix_socket);
    metrics->fd = error == 0 ? metrics->unix_socket.fd : -1;
    return error;
}

static int listen_at_address(struct wrn_metrics *metrics) {
    const char *place = metrics->place;
    struct wrn_endpoint at;
    struct sockaddr_in small = {.sin_family = AF_INET};
    struct sockaddr_in6 large = {.sin6_family = AF_INET6};
    const int yes = 1;
    if (wrn_endpoint_parse((wrn_span){(const uint8_t *)place, strlen(place)}, &at) != 0) {
        return -EINVAL;
    }
    bool is_ipv4 = at.ip.family == WRN_FAMILY_IPV4;
    small.sin_port = large.sin6_port = htons(at.port);
    memcpy(&small.sin_addr, at.ip.bytes, sizeof small.sin_addr);
    memcpy(&large.sin6_addr, at.ip.bytes, sizeof large.sin6_addr);
    const struct sockaddr *address =
        is_ipv4 ? (const struct sockaddr *)&small : (const struct sockaddr *)&large;
    WRN_CLEANUP(wrn_close_fd)
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        (!is_ipv4 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) != 0) ||
        bind(fd, address, is_ipv4 ? sizeof small : sizeof large) != 0 || listen(fd, BACKLOG) != 0) {
        return -errno;
    }
    metrics->fd = wrn_take_fd(&fd);
    return 0;
}

static void complain(struct wrn_metrics *metrics, int error) {
    const char *next = error == -EADDRINUSE ? "something else serves it: choose another place with "
                                              "--metrics"
                       : error == -EADDRNOTAVAIL ? "it is no address of this host: see ip address"
                       : error == -EACCES || error == -EPERM
                           ? "warrend may not: choose a port from 1024 on, or a path that it may "
                             "write to"
                           : "choose another place with --metrics";
    wrn_close_fd(&metrics->fd);
    metrics->unix_socket.fd = -1;
    (void)snprintf(metrics->why, sizeof metrics->why, "cannot serve metrics at %.100s: %s; %s",
                   metrics->place, strerror(-error), next);
    wrn_log_write(wrn_daemon_log(metrics->daemon), WRN_LOG_ERROR, "%s", metrics->why);
}

static void on_event(void *ctx, wrn_handle network, const struct wrn_node_event *event) {
    struct wrn_metrics *metrics = ctx;
    (void)network;
    metrics->counts.events[event->kind]++;
}

static void on_connection(void *ctx, int fd, int events) {
    struct wrn_metrics *metrics = ctx;
    (void)events;
    int scraper_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (scraper_fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            wrn_watch_set(metrics->watch, 0); /* it stays readable: do not spin; see on_tick */
            metrics->is_deaf = true;
        }
        return;
    }
    struct scraper *scraper = free_place(metrics);
    *scraper =
        (struct scraper){.metrics = metrics, .fd = scraper_fd, .began = wrn_clock_read().mono};
    scraper->head = malloc(WRN_HTTP_HEAD_MAX);
    if (scraper->head == NULL ||
        wrn_watch_open(wrn_daemon_loop(metrics->daemon), scraper_fd, WRN_WATCH_READ, on_scraper,
                       scraper, &scraper->watch) != 0) {
        drop(scraper);
    }
}

/* The oldest one gives way if there is none: who connects and does not go on locks nobody out. */
static struct scraper *free_place(struct wrn_metrics *metrics) {
    struct scraper *oldest = &metrics->scrapers[0];
    for (size_t i = 0; i < WRN_COUNT(metrics->scrapers); i++) {
        struct scraper *scraper = &metrics->scrapers[i];
        if (scraper->metrics == NULL) {
            return scraper;
        }
        if (wrn_mono_before(scraper->began, oldest->began)) {
            oldest = scraper;
        }
    }
    metrics->counts.cut++;
    drop(oldest);
    return oldest;
}

static void drop(struct scraper *scraper) {
    wrn_watch_close(scraper->watch);
    (void)close(scraper->fd);
    free(scraper->head);
    free(scraper->answer);
    *scraper = (struct scraper){0};
}

static void on_scraper(void *ctx, int fd, int events) {
    struct scraper *scraper = ctx;
    (void)fd;
    (void)events;
    bool is_good = scraper->step == READING   ? take_input(scraper)
                   : scraper->step == WRITING ? put_output(scraper)
                                              : drain(scraper);
    if (!is_good) {
        drop(scraper);
    }
}

/* Reads once. False: the connection is of no use any more. */
static bool take_input(struct scraper *scraper) {
    bool is_head = false;
    ssize_t got = recv(scraper->fd, scraper->head + scraper->head_size,
                       WRN_HTTP_HEAD_MAX - scraper->head_size, 0);
    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    }
    scraper->head_size += (size_t)got;
    enum wrn_http_verdict verdict =
        wrn_http_read((wrn_span){(const uint8_t *)scraper->head, scraper->head_size}, &is_head);
    return verdict == WRN_HTTP_MORE || answer(scraper, verdict, is_head);
}

static bool answer(struct scraper *scraper, enum wrn_http_verdict verdict, bool is_head) {
    char head[WRN_HTTP_ANSWER_MAX];
    const struct wrn_metrics_text *text =
        verdict == WRN_HTTP_OK ? fresh_text(scraper->metrics) : NULL;
    verdict = verdict == WRN_HTTP_OK && text == NULL ? WRN_HTTP_UNAVAILABLE : verdict;
    const char *content = text != NULL ? text->bytes : wrn_http_text(verdict);
    size_t size = text != NULL ? text->size : strlen(content);
    size_t head_size = wrn_http_answer(verdict, size, head);
    size_t shown = is_head ? 0 : size;
    scraper->answer = malloc(head_size + shown);
    if (scraper->answer == NULL) {
        return false;
    }
    memcpy(scraper->answer, head, head_size);
    memcpy(scraper->answer + head_size, content, shown);
    scraper->answer_size = head_size + shown;
    scraper->step = WRITING;
    count(scraper->metrics, verdict);
    wrn_watch_set(scraper->watch, WRN_WATCH_WRITE);
    return put_output(scraper);
}

/* Many who ask at once cost what one costs. NULL: there is no memory. */
static const struct wrn_metrics_text *fresh_text(struct wrn_metrics *metrics) {
    wrn_mono now = wrn_clock_read().mono;
    if (metrics->text.size > 0 &&
        wrn_mono_since(now, metrics->text_from) < WRN_MS(WRN_METRICS_FRESH_MS)) {
        return &metrics->text;
    }
    metrics->text.size = 0;
    metrics->text.is_lost = false;
    wrn_metrics_collect(metrics->daemon, &metrics->counts, &metrics->text);
    metrics->text_from = now;
    if (metrics->text.is_lost) {
        metrics->text.size = 0;
        return NULL;
    }
    return &metrics->text;
}

static bool put_output(struct scraper *scraper) {
    while (scraper->answer_sent < scraper->answer_size) {
        ssize_t put = send(scraper->fd, scraper->answer + scraper->answer_sent,
                           scraper->answer_size - scraper->answer_sent, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return errno == EAGAIN;
        }
        scraper->answer_sent += (size_t)put;
    }
    scraper->step = ENDING;
    wrn_watch_set(scraper->watch, WRN_WATCH_READ);
    return shutdown(scraper->fd, SHUT_WR) == 0;
}

/* To close with bytes unread would reset the connection, and the answer might be lost. */
static bool drain(struct scraper *scraper) {
    char bytes[DRAIN_SIZE];
    ssize_t got = recv(scraper->fd, bytes, sizeof bytes, 0);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static void count(struct wrn_metrics *metrics, enum wrn_http_verdict verdict) {
    for (size_t i = 0; wrn_metrics_status(i) != 0; i++) {
        metrics->counts.requests[i] += wrn_metrics_status(i) == (uint32_t)verdict;
    }
}

/* Once a second: cuts those who take their time, listens again, and lets an old text go. */
static void on_tick(uv_timer_t *handle) {
    struct wrn_metrics *metrics = handle->data;
    wrn_mono now = wrn_clock_read().mono;
    for (size_t i = 0; i < WRN_COUNT(metrics->scrapers); i++) {
        struct scraper *scraper = &metrics->scrapers[i];
        uint64_t limit_s = scraper->step == READING ? WRN_METRICS_HEAD_S : WRN_METRICS_WHOLE_S;
        if (scraper->metrics != NULL && wrn_mono_since(now, scraper->began) > WRN_S(limit_s)) {
            metrics->counts.cut++;
            drop(scraper);
        }
    }
    if (metrics->is_deaf) {
        metrics->is_deaf = false;
        wrn_watch_set(metrics->watch, WRN_WATCH_READ);
    }
    if (metrics->text.bytes != NULL && wrn_mono_since(now, metrics->text_from) > WRN_S(1)) {
        free(metrics->text.bytes);
        metrics->text = (struct wrn_metrics_text){0};
    }
}

static void on_tick_closed(uv_handle_t *handle) {
    free(handle);
}
