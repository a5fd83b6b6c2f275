/* SPDX-License-Identifier: Apache-2.0 */
/* The socket file of control: made, found to be dead, removed, and who may open it. Reads no
 * request. */
#pragma once
#include <sys/socket.h>
#include <sys/types.h>
#include "base/base.h"

enum { WRN_CONTROL_PATH_MAX = 108 }; /* with the terminating zero: the room in a Unix address */

/* Members of this group may open the socket. */
#define WRN_CONTROL_GROUP  "warren"

/* No group. */
#define WRN_CONTROL_NOBODY ((gid_t)-1)

struct wrn_control_socket {
    int fd;   /* listening, non-blocking, close-on-exec; -1: not there */
    int lock; /* PATH.lock, held as long: one process at a time serves the path */
    char path[WRN_CONTROL_PATH_MAX];
    dev_t device; /* which file it is: another process may put its own at the path */
    ino_t inode;
};

/* Makes the socket, mode 0660 of the group `warren` or, if there is no such, of 'admins', and the
 * last folder of its path if that is missing (0755). A file that a dead process left behind is
 * replaced. Waits up to three seconds for one that is about to end. Returns 0, -EADDRINUSE (a live
 * process serves it), -ENAMETOOLONG, -EEXIST (something else stands there) or another -errno. */
WRN_NODISCARD int wrn_control_socket_open(const char *path, gid_t admins,
                                          struct wrn_control_socket *ret_socket);

/* Makes its folder if that is missing, for a user who will make the socket there, and gives what an
 * earlier process left there to him. To be called as root; 'ret_group' becomes the group that the
 * socket will be of, WRN_CONTROL_NOBODY: none. What cannot be done is told when the socket is made.
 */
void wrn_control_socket_prepare(const char *path, gid_t admins, uid_t uid, gid_t *ret_group);

/* Closes it and removes its file if it is still ours. One that is not there is fine. */
void wrn_control_socket_close(struct wrn_control_socket *socket);

/* Finds a group by its name, or by its number, which need not have a name. False: there is none. */
bool wrn_control_socket_group(const char *text, gid_t *ret_group);

/* Tells whether the process at the other end of a connection was root, one of our own user, or in
 * 'admins', when it connected. */
bool wrn_control_socket_is_admin(int fd, gid_t admins);

/* Who was at the other end of a connection when it was made; the user -1: that cannot be found. */
struct ucred wrn_control_socket_peer(int fd);

/* Tells whether a process listens at 'path' now. */
bool wrn_control_socket_is_served(const char *path);
