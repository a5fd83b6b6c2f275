/* SPDX-License-Identifier: Apache-2.0 */
/* READING --whole request--> WAITING --its turn--> GETTING ----------------------> READING, WAITING
 *    |                                        \--> CHECKING --all well--> APPLYING --> or CLOSING
 *    `--no request, too large, end of stream--> CLOSING   (what is wrong is answered first) */
#define _GNU_SOURCE /* memmem */
#include "device/connection.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "io/clock.h"

enum {
    READ_PIECE = 64 << 10,
    READS_PER_WAKE = 16,
    FIRST_LINE_MAX = 64, /* "stats=1" is the longest that makes sense */
    ANSWER_MAX = 4096,   /* of what is written in one piece */
    CHECKS_PER_SLICE = 4096,
    OPERATIONS_PER_LOOK = 16, /* at the clock */
};
#define SLICE_NS WRN_MS(1)

static void find_request(struct wrn_connection *c);
static bool lines_are_fit(struct wrn_connection *c);
static void refuse_input(struct wrn_connection *c, int error);
static int get(struct wrn_connection *c, const struct wrn_connection_host *host);
static void check(struct wrn_connection *c, const struct wrn_connection_host *host);
static void apply(struct wrn_connection *c, const struct wrn_connection_host *host);
static int apply_line(struct wrn_connection *c, struct wrn_now now, wrn_span line,
                      const char **reterr_why);
static void finish_request(struct wrn_connection *c);
static void answer(struct wrn_connection *c, int error);
static void log_refused(struct wrn_connection *c, const struct wrn_connection_host *host,
                        const char *why);
static int reserve(struct wrn_buffer *buffer, size_t room);
static void release(struct wrn_buffer *buffer);

void wrn_connection_init(struct wrn_connection *c, int fd) {
    *c = (struct wrn_connection){.fd = fd, .state = WRN_CONNECTION_READING};
}

void wrn_connection_finish(struct wrn_connection *c, const struct wrn_connection_host *host) {
    if (c->state == WRN_CONNECTION_APPLYING) {
        const char *why = NULL;
        struct wrn_now now = wrn_clock_read();
        int error = wrn_apply_end(&c->apply, now, &why);
        (void)error; /* nobody is left to be told */
        wrn_device_settle(host->device, now);
    }
    (void)close(c->fd);
    release(&c->input);
    release(&c->output);
    wrn_wipe(c, sizeof *c);
}

int wrn_connection_read(struct wrn_connection *c) {
    for (int i = 0; i < READS_PER_WAKE && c->state == WRN_CONNECTION_READING; i++) {
        int error = reserve(&c->input, READ_PIECE);
        if (error != 0) {
            return error;
        }
        ssize_t got = recv(c->fd, c->input.bytes + c->input.size, READ_PIECE, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return errno == EAGAIN ? 0 : -errno;
        }
        if (got == 0) {
            c->at_end = true;
            /* What a client leaves unfinished is not obeyed: it may have died in the middle of it.
             * */
            refuse_input(c, c->input.size > 0 ? -EPROTO : 0);
            return 0;
        }
        c->input.size += (size_t)got;
        find_request(c);
    }
    return 0;
}

int wrn_connection_write(struct wrn_connection *c) {
    while (wrn_connection_has_output(c)) {
        ssize_t put = send(c->fd, c->output.bytes + c->sent, c->output.size - c->sent,
                           MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return errno == EAGAIN ? 0 : -errno;
        }
        c->sent += (size_t)put;
    }
    release(&c->output);
    c->sent = 0;
    return 0;
}

int wrn_connection_work(struct wrn_connection *c, const struct wrn_connection_host *host) {
    WRN_ASSERT(!wrn_connection_has_output(c));
    int error = reserve(&c->output, WRN_CONNECTION_OUTPUT);
    if (error != 0) {
        return error;
    }
    if (c->state == WRN_CONNECTION_WAITING) {
        c->rest = c->body;
        c->line = 1;
        c->reader = (struct wrn_uapi_reader){0};
        if (!lines_are_fit(c)) {
            answer(c, -EPROTO);
            finish_request(c);
            return 0;
        }
        c->state = c->request == WRN_UAPI_SET ? WRN_CONNECTION_CHECKING : WRN_CONNECTION_GETTING;
    }
    switch (c->state) {
    case WRN_CONNECTION_GETTING:
        return get(c, host);
    case WRN_CONNECTION_CHECKING:
        check(c, host);
        return 0;
    case WRN_CONNECTION_APPLYING:
        apply(c, host);
        return 0;
    default:
        return 0;
    }
}

bool wrn_connection_has_output(const struct wrn_connection *c) {
    return c->sent < c->output.size;
}

bool wrn_connection_is_busy(const struct wrn_connection *c) {
    return c->state == WRN_CONNECTION_GETTING || c->state == WRN_CONNECTION_CHECKING ||
           c->state == WRN_CONNECTION_APPLYING;
}

bool wrn_connection_is_idle(const struct wrn_connection *c) {
    return c->state == WRN_CONNECTION_READING && c->input.size == 0 &&
           !wrn_connection_has_output(c);
}

/* Looks whether the input begins with a whole request. Each byte is looked at a bounded number of
 * times, however small the pieces are in which it comes. */
static void find_request(struct wrn_connection *c) {
    size_t from = c->scanned > 0 ? c->scanned - 1 : 0; /* an end may lie across two pieces */
    const uint8_t *end = c->input.size > from
                             ? memmem(c->input.bytes + from, c->input.size - from, "\n\n", 2)
                             : NULL;
    bool is_young = c->scanned < FIRST_LINE_MAX;
    bool has_line = memchr(c->input.bytes, '\n',
                           c->input.size < FIRST_LINE_MAX ? c->input.size : FIRST_LINE_MAX) != NULL;
    c->scanned = c->input.size;
    if (end != NULL || (is_young && has_line)) {
        c->request = wrn_uapi_next_request((wrn_span){c->input.bytes, c->input.size}, &c->body,
                                           &c->request_size);
        if (c->request == WRN_UAPI_BAD) {
            refuse_input(c, -EPROTO);
            return;
        }
        if (c->request != WRN_UAPI_INCOMPLETE) {
            c->state = WRN_CONNECTION_WAITING;
            return;
        }
    }
    if (!has_line && c->input.size >= FIRST_LINE_MAX) {
        refuse_input(c, -EPROTO);
    } else if (c->input.size > WRN_CONNECTION_INPUT_MAX) {
        refuse_input(c, -EMSGSIZE);
    }
}

/* Reads no more. 'error' is told to the peer; 0: there is nothing to tell. */
static void refuse_input(struct wrn_connection *c, int error) {
    release(&c->input);
    c->state = WRN_CONNECTION_CLOSING;
    if (error != 0 && reserve(&c->output, ANSWER_MAX) == 0) {
        answer(c, error);
    }
}

/* Tells whether the request may have its lines, as far as that shows before they are read one by
 * one. Prepares a `get`. */
static bool lines_are_fit(struct wrn_connection *c) {
    switch (c->request) {
    case WRN_UAPI_GET:
        return wrn_uapi_begin_get(&c->writer, c->body) == 0;
    case WRN_UAPI_STATS:
        return c->body.size == 0;
    default:
        return true;
    }
}

/* Prints as much of an answer as there is room for. The rest follows once that has been read. */
static int get(struct wrn_connection *c, const struct wrn_connection_host *host) {
    if (c->request == WRN_UAPI_STATS) {
        c->output.size += wrn_uapi_write_stats(wrn_device_wg(host->device), (char *)c->output.bytes,
                                               c->output.capacity);
        finish_request(c);
        return 0;
    }
    struct wrn_uapi_interface interface = wrn_device_interface(host->device);
    while (c->output.capacity - c->output.size >= WRN_UAPI_PIECE_MAX) {
        size_t printed = wrn_uapi_write_get(&c->writer, wrn_device_wg(host->device), &interface,
                                            (char *)c->output.bytes + c->output.size,
                                            c->output.capacity - c->output.size);
        if (printed == 0) {
            finish_request(c);
            return 0;
        }
        c->output.size += printed;
    }
    return 0;
}

/* First pass: a `set` with a line that makes no sense changes nothing at all. */
static void check(struct wrn_connection *c, const struct wrn_connection_host *host) {
    wrn_span line;
    for (int i = 0; i < CHECKS_PER_SLICE; i++, c->line++) {
        if (!wrn_uapi_next_line(&c->rest, &line)) {
            c->rest = c->body;
            c->line = 1;
            c->reader = (struct wrn_uapi_reader){0};
            wrn_apply_begin(&c->apply, &host->apply);
            c->state = WRN_CONNECTION_APPLYING;
            return;
        }
        struct wrn_uapi_op op;
        const char *why = NULL;
        int error = wrn_uapi_read_line(&c->reader, line, &op, &why);
        wrn_wipe(&op, sizeof op);
        if (error != 0) {
            log_refused(c, host, why);
            answer(c, error);
            finish_request(c);
            return;
        }
    }
}

/* Second pass, until the slice is over. */
static void apply(struct wrn_connection *c, const struct wrn_connection_host *host) {
    struct wrn_now now = wrn_clock_read();
    wrn_mono slice_end = wrn_mono_add(now.mono, SLICE_NS);
    const char *why = NULL;
    int error = 0;
    bool more = true;
    while (error == 0 && more && !wrn_mono_reached(now.mono, slice_end)) {
        for (int i = 0; error == 0 && more && i < OPERATIONS_PER_LOOK; i++) {
            wrn_span line;
            more = wrn_uapi_next_line(&c->rest, &line);
            if (more) {
                error = apply_line(c, now, line, &why);
                c->line += error == 0;
            }
        }
        wrn_device_settle(host->device, now);
        now = wrn_clock_read();
    }
    if (error == 0 && more) {
        return;
    }
    const char *why_end = NULL;
    int error_end = wrn_apply_end(&c->apply, now, &why_end);
    wrn_device_settle(host->device, now);
    if (error == 0) {
        error = error_end;
        why = why_end;
    }
    if (error != 0) {
        log_refused(c, host, why);
    }
    answer(c, error);
    finish_request(c);
}

static int apply_line(struct wrn_connection *c, struct wrn_now now, wrn_span line,
                      const char **reterr_why) {
    struct wrn_uapi_op op;
    int error = wrn_uapi_read_line(&c->reader, line, &op, reterr_why);
    if (error == 0) { /* always: the first pass has seen it */
        error = wrn_apply_op(&c->apply, now, &op, reterr_why);
    }
    wrn_wipe(&op, sizeof op);
    return error;
}

/* Takes the request off the input, wiping it, and looks for the next one. */
static void finish_request(struct wrn_connection *c) {
    size_t left = c->input.size - c->request_size;
    memmove(c->input.bytes, c->input.bytes + c->request_size, left);
    wrn_wipe(c->input.bytes + left, c->request_size);
    c->input.size = left;
    c->scanned = 0;
    c->state = WRN_CONNECTION_READING;
    if (left == 0) {
        release(&c->input);
    } else {
        find_request(c);
    }
}

/* Appends "errno=…" to the output, which has room: at least ANSWER_MAX when work begins. */
static void answer(struct wrn_connection *c, int error) {
    c->output.size += wrn_uapi_write_errno(error, (char *)c->output.bytes + c->output.size,
                                           c->output.capacity - c->output.size);
}

static void log_refused(struct wrn_connection *c, const struct wrn_connection_host *host,
                        const char *why) {
    wrn_log_write(host->log, WRN_LOG_ERROR, "set refused at line %u: %s", c->line,
                  why != NULL ? why : "unknown reason");
}

/* Makes room for 'room' more bytes. What moves leaves no copy behind: it may be keys. */
static int reserve(struct wrn_buffer *buffer, size_t room) {
    if (buffer->capacity - buffer->size >= room) {
        return 0;
    }
    size_t capacity = buffer->capacity * 2;
    if (capacity < buffer->size + room) {
        capacity = buffer->size + room;
    }
    uint8_t *bytes = malloc(capacity);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    size_t size = buffer->size;
    if (size > 0) {
        memcpy(bytes, buffer->bytes, size);
    }
    release(buffer);
    *buffer = (struct wrn_buffer){.bytes = bytes, .size = size, .capacity = capacity};
    return 0;
}

static void release(struct wrn_buffer *buffer) {
    if (buffer->bytes != NULL) {
        wrn_wipe(buffer->bytes, buffer->size);
        free(buffer->bytes);
    }
    *buffer = (struct wrn_buffer){0};
}
