/* SPDX-License-Identifier: Apache-2.0 */
/* The socket file through which an interface is configured: made, found, removed. Reads no request.
 * */
#pragma once
#include <sys/types.h>
#include "base/base.h"

enum { WRN_UAPI_PATH_MAX = 108 }; /* with the terminating zero: the room in a Unix address */

struct wrn_uapi_socket {
    int fd;                       /* listening, non-blocking, close-on-exec */
    char path[WRN_UAPI_PATH_MAX]; /* empty: it has no file */
    dev_t device; /* which file it is: another process may put its own at the path */
    ino_t inode;
    int file; /* that file, only to be named by it (O_PATH): its folder may be closed to us later */
};

/* A socket that is not there. */
#define WRN_UAPI_SOCKET_NONE ((struct wrn_uapi_socket){.fd = -1, .file = -1})

/* Writes the path of the socket of interface 'name' (at most 15 bytes). */
void wrn_uapi_socket_path(const char *name, char ret_path[WRN_UAPI_PATH_MAX]);

/* Makes the socket of interface 'name', mode 0600, and its folder if it is missing, mode 0700. A
 * file that a dead process left behind is replaced. Returns 0, or -EADDRINUSE (a live process
 * serves it), or
 * -errno. */
WRN_NODISCARD int wrn_uapi_socket_open(const char *name, struct wrn_uapi_socket *ret_socket);

/* Takes over a listening Unix socket, which belongs to us from here on, also if this fails. Returns
 * 0, or
 * -ENOTSOCK, -EINVAL (not listening, not Unix), or -errno. */
WRN_NODISCARD int wrn_uapi_socket_adopt(int fd, struct wrn_uapi_socket *ret_socket);

/* Gives the socket's file to the user that we are about to become. What cannot be done shows when
 * it is watched. */
void wrn_uapi_socket_give(const struct wrn_uapi_socket *socket, uid_t uid);

/* Writes a path by which the file can be watched, also if its folder is closed to us. */
void wrn_uapi_socket_watched_path(const struct wrn_uapi_socket *socket,
                                  char ret_path[WRN_UAPI_PATH_MAX]);

/* Tells whether the socket's file is still there and still ours. True if it never had one. */
bool wrn_uapi_socket_is_there(const struct wrn_uapi_socket *socket);

/* Closes the socket and removes its file if it is still ours. One without descriptor is fine. */
void wrn_uapi_socket_close(struct wrn_uapi_socket *socket);

/* Connects to the socket of interface 'name'. Returns 0 and sets 'ret_fd' (blocking, the caller
 * closes it), or -ENOENT, -ECONNREFUSED, -EACCES or another -errno. */
WRN_NODISCARD int wrn_uapi_socket_connect(const char *name, int *ret_fd);
