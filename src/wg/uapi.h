/* SPDX-License-Identifier: Apache-2.0 */
/* The text of the cross-platform userspace API as pure functions: lines to operations, and a
 * machine's state to lines. Opens no socket, changes no machine.
 * Source: wireguard.com/xplatform; docs/uapi.md is its reference. */
#pragma once
#include "base/address.h"
#include "wg/wg.h"

/* Work that is handed to the kernel, or taken from it, in large pieces: names of `offloads`.
 * Bits. */
enum {
    WRN_UAPI_OFFLOAD_CSUM = 1 << 0, /* checksums left to whoever needs them */
    WRN_UAPI_OFFLOAD_TSO4 = 1 << 1, /* large TCP packets from and to the host */
    WRN_UAPI_OFFLOAD_TSO6 = 1 << 2,
    WRN_UAPI_OFFLOAD_USO = 1 << 3, /* trains of UDP packets from and to the host */
    WRN_UAPI_OFFLOAD_GSO = 1 << 4, /* trains of datagrams to the network */
    WRN_UAPI_OFFLOAD_GRO = 1 << 5, /* and from it */
    WRN_UAPI_OFFLOADS_ALL = 63,
};

enum {
    WRN_UAPI_WORKERS_MAX = 64,
    WRN_UAPI_OFFLOADS_SIZE = 32 /* bytes of their names, with zero */
};

/* Reads "all", "none", or names with commas between them. Returns whether it makes sense. */
bool wrn_uapi_read_offloads(wrn_span text, uint32_t *ret_offloads);

/* Prints names with commas between them, "none" for none, terminated. */
void wrn_uapi_write_offloads(uint32_t offloads, char ret_text[WRN_UAPI_OFFLOADS_SIZE]);

/* Reads the number of workers: decimal digits, 1..WRN_UAPI_WORKERS_MAX. Returns whether it is
 * one. */
bool wrn_uapi_read_workers(wrn_span text, uint32_t *ret_count);

/* One line of a `set`, understood. Keys are in the operation that follows them on the wire. */
enum wrn_uapi_op_kind {
    WRN_UAPI_PRIVATE_KEY, /* key; all zero removes it */
    WRN_UAPI_LISTEN_PORT, /* number 0..65535 */
    WRN_UAPI_FWMARK,      /* number 0..2^32-1, 0 removes it */
    WRN_UAPI_REPLACE_PEERS,
    WRN_UAPI_WORKERS,  /* number 1..WRN_UAPI_WORKERS_MAX; ours */
    WRN_UAPI_OFFLOADS, /* number: WRN_UAPI_OFFLOAD_*; ours */
    WRN_UAPI_PEER,     /* key: the peer that the lines below belong to */
    WRN_UAPI_PEER_REMOVE,
    WRN_UAPI_PEER_UPDATE_ONLY,
    WRN_UAPI_PEER_PSK,       /* key; all zero removes it */
    WRN_UAPI_PEER_ENDPOINT,  /* endpoint */
    WRN_UAPI_PEER_KEEPALIVE, /* number 0..65535, seconds */
    WRN_UAPI_PEER_REPLACE_ALLOWED,
    WRN_UAPI_PEER_ALLOW,    /* prefix */
    WRN_UAPI_PEER_DISALLOW, /* prefix, written "allowed_ip=-…" */
    WRN_UAPI_PEER_PROTOCOL, /* number: 1 */
    WRN_UAPI_PEER_CIPHER,   /* number: enum wrn_cipher. Ours: wg(8) does not know it */
};

enum { WRN_UAPI_SCOPE_SIZE = 16 }; /* bytes of an interface's name with its zero */

struct wrn_uapi_op {
    enum wrn_uapi_op_kind kind;
    uint32_t number;
    uint8_t key[WRN_WG_KEY_SIZE]; /* may be secret: wipe the operation after use */
    struct wrn_endpoint endpoint;
    struct wrn_prefix prefix;
    /* Not empty when the endpoint names an interface, "[fe80::1%eth0]:1", as wg(8) does for
     * link-local addresses: the caller looks its index up and sets 'endpoint.scope_id'. */
    char scope_name[WRN_UAPI_SCOPE_SIZE];
};

/* Where a `set` stands; zero-initialise it before the first line. */
struct wrn_uapi_reader {
    bool in_peer;
};

/* Reads one line "key=value" (without its newline) of a `set` and moves the reader on.
 * Returns 0, or a negative errno as the protocol reports it, with *reterr_why (static text, names
 * the cause): -EPROTO for a line that is no key=value or a key in the wrong place or unknown,
 * -EINVAL for a value that does not fit its key. Never reads beyond 'line'. */
WRN_NODISCARD int wrn_uapi_read_line(struct wrn_uapi_reader *reader, wrn_span line,
                                     struct wrn_uapi_op *ret_op, const char **reterr_why);

/* The operations of one request. STATS is ours: drop counters by name. */
enum wrn_uapi_request {
    WRN_UAPI_INCOMPLETE,
    WRN_UAPI_GET,
    WRN_UAPI_SET,
    WRN_UAPI_STATS,
    WRN_UAPI_BAD
};

/* Finds the first request in what a connection has received so far. A request is its first line
 * ("get=1", "set=1", "stats=1"), further lines (none belong to a get or stats), and an empty line.
 * 'ret_body'  the lines between, each with its newline; 'ret_size' bytes of the whole request.
 * Returns INCOMPLETE while the empty line is missing (and BAD at once when the first line is
 * complete and no known operation; then 'ret_size' is that line).
 * Cost: O(bytes received) a call; a caller that waits for a long request calls it again only once
 * an empty line has come in. */
enum wrn_uapi_request wrn_uapi_next_request(wrn_span received, wrn_span *ret_body,
                                            size_t *ret_size);

/* Takes the next line off 'body' (without newline). Returns false when none is left. */
bool wrn_uapi_next_line(wrn_span *body, wrn_span *ret_line);

/* What the machine does not know about its interface. */
struct wrn_uapi_interface {
    uint16_t listen_port;
    uint32_t fwmark;
    /* ours, printed with `stats=1` */
    uint32_t workers;
    uint32_t offloads; /* WRN_UAPI_OFFLOAD_*, in use */
    const char *aead;  /* name, at most 64 characters; NULL: none is printed */
};

/* Prints the answer of a `get`, piece by piece, so that any number of peers fits any buffer. */
struct wrn_uapi_writer {
    int phase; /* private, like the rest */
    bool with_stats;
    uint32_t peer_cursor;
    wrn_handle peer;
    uint64_t allowed_cursor;
};

/* Prepares the answer to a `get` with these lines: none, or "stats=1" for the lines that are ours
 * and that no client has to expect. Returns 0, or -EPROTO for any other. */
WRN_NODISCARD int wrn_uapi_begin_get(struct wrn_uapi_writer *writer, wrn_span body);

enum { WRN_UAPI_PIECE_MAX = 1024 }; /* bytes that one piece needs at most */

/* Prints further pieces into 'text' until the next might not fit ('size' ≥ WRN_UAPI_PIECE_MAX).
 * Returns the bytes printed; 0: the answer, with its final "errno=0" and empty line, is complete.
 * The machine must not change in between. The text holds keys: wipe it. */
size_t wrn_uapi_write_get(struct wrn_uapi_writer *writer, const struct wrn_wg *wg,
                          const struct wrn_uapi_interface *interface, char *text, size_t size);

/* Prints the answer of `stats`: one "drop_<reason>=<count>" a line in the order of WRN_DROP_LIST,
 * without NONE, then errno. 'size' ≥ 4096. Returns the bytes printed. */
size_t wrn_uapi_write_stats(const struct wrn_wg *wg, char *text, size_t size);

/* Prints "errno=<error>" and the empty line. 'error' is 0 or negative and keeps its sign, as wg(8)
 * wants it; errors of enum wrn_err become the nearest of errno.h. 'size' ≥ 32.
 * Returns the bytes printed. */
size_t wrn_uapi_write_errno(int error, char *text, size_t size);
