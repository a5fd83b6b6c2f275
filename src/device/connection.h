/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to the UAPI socket: its two buffers and the request that it is at. Does the work
 * of requests in slices; decides nothing about other connections. */
#pragma once
#include "device/apply.h"
#include "device/device.h"

enum {
    WRN_CONNECTION_INPUT_MAX = 64 << 20, /* bytes of one request */
    WRN_CONNECTION_OUTPUT = 256 << 10,   /* bytes of an answer that wait for their reader at most */
};

enum wrn_connection_state {
    WRN_CONNECTION_READING, /* no whole request is there */
    WRN_CONNECTION_WAITING, /* one is there; nobody works on it yet */
    WRN_CONNECTION_GETTING,
    WRN_CONNECTION_CHECKING, /* first pass over a `set`: is each line well-formed? */
    WRN_CONNECTION_APPLYING, /* second pass: obey */
    WRN_CONNECTION_CLOSING,  /* nothing more is read; closed when the answer is out */
};

struct wrn_buffer {
    uint8_t *bytes;
    size_t size;     /* in use */
    size_t capacity; /* allocated */
};

struct wrn_connection {
    int fd;
    enum wrn_connection_state state;
    bool at_end; /* the peer has finished sending */
    struct wrn_buffer input;
    size_t scanned; /* bytes of the input known to hold no end of a request */
    size_t request_size;
    struct wrn_buffer output;
    size_t sent; /* bytes of the output */
    /* the request being worked on */
    enum wrn_uapi_request request;
    wrn_span body; /* of the request, in the input */
    wrn_span rest; /* of the body, in this pass */
    uint32_t line;
    struct wrn_uapi_reader reader;
    struct wrn_uapi_writer writer;
    struct wrn_apply apply;
};

/* What the work on a request needs. */
struct wrn_connection_host {
    struct wrn_device *device;
    struct wrn_log *log;
    struct wrn_apply_host apply;
};

/* Starts a connection on 'fd', which it owns. */
void wrn_connection_init(struct wrn_connection *connection, int fd);

/* Closes it; wipes and frees its buffers. A `set` that was being applied ends where it is. */
void wrn_connection_finish(struct wrn_connection *connection,
                           const struct wrn_connection_host *host);

/* Reads what has come, as far as one request needs it, and finds out whether it is whole. Returns
 * 0, or
 * -errno: the connection is of no use any more. */
WRN_NODISCARD int wrn_connection_read(struct wrn_connection *connection);

/* Writes what the peer takes of the answer. Returns 0, or -errno as above. */
WRN_NODISCARD int wrn_connection_write(struct wrn_connection *connection);

/* Works on the request for one slice, about a millisecond. Returns 0, or -ENOMEM: close it. The
 * request is done when the state is WRN_CONNECTION_READING, _WAITING (the next one is there) or
 * _CLOSING again. */
WRN_NODISCARD int wrn_connection_work(struct wrn_connection *connection,
                                      const struct wrn_connection_host *host);

/* Tells whether an answer waits to be read by the peer. */
bool wrn_connection_has_output(const struct wrn_connection *connection);

/* Tells whether a request is being worked on. */
bool wrn_connection_is_busy(const struct wrn_connection *connection);

/* Tells whether the peer has asked for nothing, or not even begun to, and waits for nothing. */
bool wrn_connection_is_idle(const struct wrn_connection *connection);
