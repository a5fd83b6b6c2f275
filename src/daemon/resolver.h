/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the host's resolver who answers for a network's names: systemd-resolved or resolvconf, each
 * by its own program. Where neither is in charge nothing is touched, and a sentence says what can
 * be done by hand. Writes no file but its own note. */
#pragma once
#include "daemon/dns.h"
#include "io/log.h"

typedef struct uv_loop_s uv_loop_t;
struct wrn_resolver;

enum {
    WRN_RESOLVER_TEXT_SIZE = 512,
    WRN_RESOLVER_NOTE_MAX = 8192, /* bytes of the note: names of records that we have added */
};

enum wrn_resolver_kind {
    WRN_RESOLVER_NONE,       /* nobody is in charge, or who is cannot be told */
    WRN_RESOLVER_RESOLVED,   /* systemd-resolved */
    WRN_RESOLVER_RESOLVCONF, /* Debian's, or openresolv */
};

/* Where things are; all may be changed for tests. */
struct wrn_resolver_places {
    const char *resolved_socket; /* is there while systemd-resolved runs */
    const char *resolvectl, *resolvconf;
    const char *resolv_conf; /* read only */
};

/* Where they are on a real host. */
extern const struct wrn_resolver_places wrn_resolver_places;

/* Which zones, at which address, through which interface. */
struct wrn_resolver_entry {
    char interface[16];
    struct wrn_dns_zone zone;
};

/* Starts with nothing told, and takes away what a run before, which did not end in good order, has
 * left: 'folder_fd' has the note of that. Programs are run in the loop, one at a time. With
 * 'may_tell' false nobody is ever told anything. Returns 0 or -ENOMEM. */
WRN_NODISCARD int wrn_resolver_create(uv_loop_t *loop, struct wrn_log *log, int folder_fd,
                                      const struct wrn_resolver_places *places, bool may_tell,
                                      struct wrn_resolver **ret_resolver);

/* Takes everything back (each program may take a second) and ends. The loop must run once more.
 * NULL is fine. */
void wrn_resolver_destroy(struct wrn_resolver *resolver);

/* Tells of an entry, also one that has changed; takes that of an interface back. */
void wrn_resolver_tell(struct wrn_resolver *resolver, const struct wrn_resolver_entry *entry);
void wrn_resolver_untell(struct wrn_resolver *resolver, const char *interface);

/* Who is in charge of the host's names now. Reads files; asks nobody. */
enum wrn_resolver_kind wrn_resolver_find(const struct wrn_resolver_places *places);

/* Tells whether the host asks us for an entry's names, and in a sentence how, or what to do about
 * it. */
bool wrn_resolver_describe(const struct wrn_resolver *resolver,
                           const struct wrn_resolver_entry *entry,
                           char ret_text[WRN_RESOLVER_TEXT_SIZE]);

/* Writes the names of the zones of an entry, each with 'prefix' before it ("~" for routing only)
 * and a space between: NETWORK.warren, and those of the addresses if these are 16 zones at most.
 * Returns the size; what does not fit is left out as a whole. */
size_t wrn_resolver_domains(const struct wrn_dns_zone *zone, const char *prefix, char *ret_text,
                            size_t size);
