/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the list of ports, for attach*.c. Nobody else includes it. */
#pragma once
#include "daemon/attach.h"
#include "daemon/disk.h"
#include "io/addresses.h"
#include "io/bridge.h"
#include "io/watch.h"

enum { WRN_ATTACH_TEXT_MAX = 128 << 10 }; /* of a network's ports in a file */

/* One port. */
struct wrn_attach_entry {
    struct wrn_attach_port port;
    bool is_used;
    bool was_down; /* the interface, when it was attached: so it is given back */
    uint32_t
        lower; /* index of the interface that 'was_down' is about; 0: as it was before we began,
                     * or none */
    struct wrn_vtep *vtep;
};

struct wrn_attach {
    struct wrn_daemon *daemon;
    struct wrn_daemon_listener listener;
    struct wrn_addresses addresses; /* whose events tell of links, too */
    struct wrn_watch *watch;
    struct wrn_attach_entry entries[WRN_ATTACH_PORTS_MAX];
};

/* The id of a network in hexadecimal. False: it is not there. */
bool wrn_attach_id(const struct wrn_attach *attach, wrn_handle network,
                   char ret_id[WRN_DISK_ID_TEXT_SIZE]);

/* Whether an entry is what is wished for; 'network' NONE: of any. */
bool wrn_attach_is(const struct wrn_attach_entry *entry, wrn_handle network,
                   const struct wrn_attach_wish *wish);

/* ---- attach_check.c ---- */

/* Whether it can and should be attached. 'link' is the interface; NULL: it is not there, or a VTEP
 * is meant. */
bool wrn_attach_check(struct wrn_attach *attach, wrn_handle network,
                      const struct wrn_attach_wish *wish, const struct wrn_bridge_link *link,
                      struct wrn_attach_refusal *ret_refusal);

/* Writes a refusal; returns false. */
bool wrn_attach_refuse(struct wrn_attach_refusal *refusal, enum wrn_rpc_code code,
                       const char *reason, const char *format, ...) WRN_PRINTF(4, 5);

/* ---- attach_disk.c ---- */

/* Writes the ports of a network down, durably. Returns 0 or -errno. */
WRN_NODISCARD int wrn_attach_save(const struct wrn_attach *attach, wrn_handle network);

/* Writes them as they stand in the file. Returns 0 and the size, or -errno. */
WRN_NODISCARD int wrn_attach_write(const struct wrn_attach *attach, wrn_handle network,
                                   char ret_text[WRN_ATTACH_TEXT_MAX], size_t *ret_size);

/* Adds those of a file. Returns NULL, or what is wrong; what stands before that is there. */
const char *wrn_attach_read(struct wrn_attach *attach, wrn_handle network, wrn_span text);

/* Adds those that are written down. What is wrong with the file goes to the log. */
void wrn_attach_load(struct wrn_attach *attach, wrn_handle network);

/* A free entry, not yet used; NULL: all are. */
struct wrn_attach_entry *wrn_attach_free_entry(struct wrn_attach *attach);
