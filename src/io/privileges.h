/* SPDX-License-Identifier: Apache-2.0 */
/* What a daemon may do once it runs: who it is, with which capabilities, which system calls, and
 * what of its memory others may see. docs/service.md tells it to administrators. */
#pragma once
#include <sys/types.h>
#include "base/base.h"

enum {
    WRN_PRIVILEGES_WHY_SIZE = 512,
    WRN_PRIVILEGES_TEXT_SIZE = 256,
};

/* The user that daemons become where it exists. */
#define WRN_PRIVILEGES_USER "warren"

/* Who a daemon becomes. */
struct wrn_privileges {
    bool is_root;    /* it was started as root */
    bool is_missing; /* there is no such user: it stays who it is */
    uid_t uid;
    gid_t gid;
};

/* What holds for this process, as the kernel tells it. */
struct wrn_privileges_state {
    uid_t uid;
    uint64_t capabilities; /* effective, a bit each */
    bool gains_none;       /* no_new_privs */
    bool is_filtered;      /* seccomp */
};

/* Finds the user that the daemon is to become: a name or a number; "": WRN_PRIVILEGES_USER, if
 * there is such a user. Who was not started as root stays who he is. Returns 0, or -ENOENT or
 * -EPERM with a sentence that names the next step. */
WRN_NODISCARD int wrn_privileges_find(const char *user, struct wrn_privileges *ret_who,
                                      char reterr_why[WRN_PRIVILEGES_WHY_SIZE]);

/* Becomes that user, for good, and keeps those of 'needed' (capabilities' numbers) that are there.
 * 'group' is kept as a supplementary group, (gid_t)-1: none. No program that is run gets more, and
 * no process of the same user may look into this one. To be called before the first thread is made.
 * Returns 0, or -errno with a sentence. */
WRN_NODISCARD int wrn_privileges_drop(const struct wrn_privileges *who, gid_t group,
                                      const unsigned *needed, size_t count,
                                      char reterr_why[WRN_PRIVILEGES_WHY_SIZE]);

/* Gives up all capabilities of the calling thread alone, but the one to lock memory, which all of
 * it is (wrn_memory_lock_all): for one that carries packets. */
void wrn_privileges_give_up_thread(void);

/* Has the kernel kill the process, with all its threads, at a system call that the daemons do not
 * make (src/io/syscalls.h). Programs cannot be started from then on, but by the steward. Returns 0,
 * -EOPNOTSUPP (this build has a sanitizer's runtime in it, or the kernel has no filters) or another
 * -errno. */
WRN_NODISCARD int wrn_privileges_filter(void);

/* Tells what holds now. */
void wrn_privileges_look(struct wrn_privileges_state *ret_state);

/* Writes it as words: "user warren, capabilities net_admin net_raw, …". */
void wrn_privileges_print(const struct wrn_privileges_state *state,
                          char ret_text[WRN_PRIVILEGES_TEXT_SIZE]);
