/* SPDX-License-Identifier: Apache-2.0 */
/* Who was let in, given rights or thrown out, by whom and by which certificate: a file in the state
 * folder that is only appended to. docs/audit.md has its form. Never holds a secret: no invitation,
 * no key but public ones. */
#pragma once
#include <jansson.h>

#include "daemon/daemon.h"

struct wrn_audit;

enum {
    WRN_AUDIT_FILE_MAX =
        4 << 20,               /* bytes; then it becomes audit.1, in the place of the one before */
    WRN_AUDIT_READ_MAX = 1000, /* entries of one answer */
};

/* Who made a call. */
struct wrn_audit_caller {
    uint32_t uid;
    int32_t pid;
};

/* Begins to write down what happens to the daemon's networks. Returns 0 or -ENOMEM; a file that
 * cannot be written to is said in the log, and tried again with each entry. */
WRN_NODISCARD int wrn_audit_create(struct wrn_daemon *daemon, struct wrn_audit **ret_audit);

/* Ends it. NULL is fine. */
void wrn_audit_destroy(struct wrn_audit *audit);

/* A call of the control socket has ended: it is written down, and on the disk when this returns, if
 * it decides about somebody's membership or rights. 'params' and 'result' (NULL: it failed, and
 * 'why' says it) are borrowed. */
void wrn_audit_call(struct wrn_audit *audit, const char *method,
                    const struct wrn_audit_caller *caller, const json_t *params,
                    const json_t *result, const char *why);

/* Reads the last entries, the oldest first: at most 'count', of one network if 'network_id' is not
 * NULL (64 digits). A new list; NULL: no memory is left. */
json_t *wrn_audit_read(const struct wrn_audit *audit, const char *network_id, size_t count);
