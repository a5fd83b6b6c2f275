/* SPDX-License-Identifier: Apache-2.0 */
/* JSON-RPC 2.0, one text a line: reads what a line asks for, checks it against a table of methods,
 * calls them, and makes lines of what they answer, now or later. Knows no socket and no method by
 * name. Source: https://www.jsonrpc.org/specification (2.0, 2013-01-04). */
#pragma once
#include "base/base.h"

typedef struct json_t json_t;
struct wrn_rpc_call;
struct wrn_rpc_session;

enum {
    WRN_RPC_LINE_MAX = 64 << 10, /* bytes of a line that asks, without its end */
    WRN_RPC_CALLS_MAX = 16,      /* calls under way of a session */
    WRN_RPC_BATCH_MAX = 64,      /* requests in one line */
    WRN_RPC_ID_MAX = 256,        /* bytes of a request's id, if it is a text */
};

/* Error codes: those of JSON-RPC, and ours, which never change their meaning. */
enum wrn_rpc_code {
    WRN_RPC_PARSE = -32700,
    WRN_RPC_INVALID = -32600,
    WRN_RPC_NO_METHOD = -32601,
    WRN_RPC_PARAMS = -32602,
    WRN_RPC_INTERNAL = -32603,
    WRN_RPC_BUSY = -32000, /* too many calls are under way */
    WRN_RPC_REFUSED = 1,   /* it was not done, data.reason says why */
    WRN_RPC_NOT_FOUND = 2, /* what was named is not there */
    WRN_RPC_AMBIGUOUS = 3, /* it can be more than one thing */
    WRN_RPC_TIMEOUT = 4,   /* it did not happen in time */
    WRN_RPC_NOT_READY = 5, /* it cannot be done yet */
    WRN_RPC_SYSTEM = 6,    /* the system failed: no memory, a disk, an interface */
    WRN_RPC_DENIED = 7,    /* whoever asks may not */
    WRN_RPC_MISSING = 8,   /* this version cannot do it */
};

/* What a method does to the daemon, and what a session may do: less, or all. */
enum wrn_rpc_level { WRN_RPC_READ, WRN_RPC_ADMIN };

enum wrn_rpc_kind {
    WRN_RPC_TEXT,   /* 'least' to 'most' bytes; most 0: 255 */
    WRN_RPC_NUMBER, /* a whole one, 'least' to 'most' */
    WRN_RPC_FLAG,
    WRN_RPC_TEXTS, /* a list of 'least' to 'most' texts of 1 to 255 bytes */
};

struct wrn_rpc_param {
    const char *name;
    enum wrn_rpc_kind kind;
    bool is_needed;
    int64_t least, most;
};

struct wrn_rpc_method {
    const char *name;
    enum wrn_rpc_level level;
    const struct wrn_rpc_param *params;
    size_t param_count;
    /* Is called with what fits the table; ends the call by wrn_rpc_reply or wrn_rpc_fail, at once
     * or later, once. */
    void (*run)(void *ctx, struct wrn_rpc_call *call);
};

/* What sessions have in common. */
struct wrn_rpc_host {
    const struct wrn_rpc_method *methods;
    size_t method_count;
    void *ctx;           /* of the methods */
    uint32_t calls;      /* under way, also for sessions that have ended; zero at the start */
    uint32_t calls_most; /* more are refused as busy */
    uint32_t calls_kept; /* of these, for sessions that may do all */
    /* Called when a call ends: with its result, or with NULL and why it failed. All is borrowed,
     * and the call still there. NULL: nobody wants to know. */
    void (*on_end)(void *ctx, const struct wrn_rpc_call *call, const json_t *result,
                   const char *why);
};

/* Begins a session. 'send' gets whole lines with their ends, valid during the call; it must not end
 * the session. 'host' outlives all of its calls. NULL for want of memory. */
struct wrn_rpc_session *
wrn_rpc_session_create(struct wrn_rpc_host *host, enum wrn_rpc_level level,
                       void (*send)(void *ctx, const char *line, size_t size), void *send_ctx);

/* Says who is at the other end: user and process; at first the user -1, who is nobody. */
void wrn_rpc_session_caller(struct wrn_rpc_session *session, uint32_t uid, int32_t pid);

/* Ends it. Its calls go on, and what they answer goes nowhere. NULL is fine. */
void wrn_rpc_session_destroy(struct wrn_rpc_session *session);

/* Does what a line asks for. A blank one is passed over; all others are answered, but for
 * notifications. */
void wrn_rpc_line(struct wrn_rpc_session *session, wrn_span line);

/* Answers that a line was too long to be read. */
void wrn_rpc_too_long(struct wrn_rpc_session *session);

/* Tells something that was not asked for; gives the reference to 'params' up (NULL: no memory, and
 * nothing is sent). */
void wrn_rpc_notify(struct wrn_rpc_session *session, const char *method, json_t *params);

/* Calls of the session that are under way. */
uint32_t wrn_rpc_calls(const struct wrn_rpc_session *session);

/* ---- for methods ---- */

/* The session that asks; NULL if it has ended. */
struct wrn_rpc_session *wrn_rpc_call_session(const struct wrn_rpc_call *call);

/* Fails a call that its session may not make, because of what it asks for. */
void wrn_rpc_deny(struct wrn_rpc_call *call);

/* Whether the session that asked may do all; and the method's name. */
bool wrn_rpc_is_admin(const struct wrn_rpc_call *call);
const char *wrn_rpc_call_name(const struct wrn_rpc_call *call);

/* Who asked, also if the session has ended; and all parameters, borrowed. */
void wrn_rpc_caller(const struct wrn_rpc_call *call, uint32_t *ret_uid, int32_t *ret_pid);
const json_t *wrn_rpc_params(const struct wrn_rpc_call *call);

/* A parameter of the call, valid until the call ends; its name must be in the method's table. What
 * was not given: NULL, 'otherwise', false, 0. wrn_rpc_texts writes at most 'capacity' texts and
 * returns how many there are, which the table bounds. */
const char *wrn_rpc_text(const struct wrn_rpc_call *call, const char *name);
int64_t wrn_rpc_number(const struct wrn_rpc_call *call, const char *name, int64_t otherwise);
bool wrn_rpc_flag(const struct wrn_rpc_call *call, const char *name);
size_t wrn_rpc_texts(const struct wrn_rpc_call *call, const char *name, const char **ret_texts,
                     size_t capacity);
bool wrn_rpc_has(const struct wrn_rpc_call *call, const char *name);

/* End a call: with a result, whose reference is given up (NULL: no memory is left, which is
 * answered), or with an error, the message being a sentence that names cause and next step.
 * 'reason', which may be NULL, is a stable word for programs (data.reason). */
void wrn_rpc_reply(struct wrn_rpc_call *call, json_t *result);
void wrn_rpc_fail(struct wrn_rpc_call *call, enum wrn_rpc_code code, const char *reason,
                  const char *format, ...) WRN_PRINTF(4, 5);

/* Makes a JSON text; bytes that are no UTF-8 become question marks. NULL makes null. NULL for want
 * of memory. */
json_t *wrn_rpc_json_text(const char *text);
