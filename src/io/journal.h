/* SPDX-License-Identifier: Apache-2.0 */
/* Entries with fields for systemd's journal, by its own protocol: one datagram an entry. Source:
 * https://systemd.io/JOURNAL_NATIVE_PROTOCOL/. */
#pragma once
#include "base/base.h"

enum { WRN_JOURNAL_ENTRY_MAX = 4096 }; /* bytes of an entry; fields beyond that are left out */

/* An entry that is being made. Zeroed: empty. */
struct wrn_journal_entry {
    size_t size;
    uint8_t bytes[WRN_JOURNAL_ENTRY_MAX];
};

/* Appends a field. 'name' consists of A-Z, 0-9 and '_' and begins with a letter; 'value' is any
 * text, NULL: there is no such field. What does not fit is left out whole. */
void wrn_journal_put(struct wrn_journal_entry *entry, const char *name, const char *value);

/* Connects with the journal if standard error leads to it, as the environment's JOURNAL_STREAM
 * says. Returns a descriptor that the caller closes, or -errno: -ENOENT, it does not lead there. */
int wrn_journal_open(void);

/* Hands an entry over, without ever waiting. Returns 0 or -errno. */
WRN_NODISCARD int wrn_journal_send(int fd, const struct wrn_journal_entry *entry);
