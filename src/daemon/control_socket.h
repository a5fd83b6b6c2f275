/* SPDX-License-Identifier: Apache-2.0 */
/* The socket file of control: made, found to be dead, removed, and who may open it. Reads no
 * request. */
#pragma once
#include <sys/types.h>
#include "base/base.h"

enum { WRN_CONTROL_PATH_MAX = 108 }; /* with the terminating zero: the room in a Unix address */

#define WRN_CONTROL_GROUP "warren"

struct wrn_control_socket {
    int fd;   /* listening, non-blocking, close-on-exec; -1: not there */
    int lock; /* PATH.lock, held as long: one process at a time serves the path */
    char path[WRN_CONTROL_PATH_MAX];
    dev_t device; /* which file it is: another process may put its own at the path */
    ino_t inode;
};

/* Makes the socket, mode 0660 of the group `warren` if there is one, and the last folder of its
 * path if that is missing (0755). A file that a dead process left behind is replaced. Waits up to
 * three seconds for one that is about to end. Returns 0,
 * -EADDRINUSE (a live process serves it), -ENAMETOOLONG, -EEXIST (something else stands there) or
 * another -errno. */
WRN_NODISCARD int wrn_control_socket_open(const char *path, struct wrn_control_socket *ret_socket);

/* Closes it and removes its file if it is still ours. One that is not there is fine. */
void wrn_control_socket_close(struct wrn_control_socket *socket);

/* Tells whether a process listens at 'path' now. */
bool wrn_control_socket_is_served(const char *path);
