/* SPDX-License-Identifier: Apache-2.0 */
/* Small files that must be whole at every moment: written beside and moved into place, so that who
 * reads, or starts after a crash, finds the old bytes or the new ones. Knows no contents. */
#pragma once
#include <fcntl.h>
#include <sys/types.h>
#include "base/base.h"

/* Functions take the folder as an open descriptor, or AT_FDCWD, and a path from there. */

enum { WRN_FILE_NAME_MAX = 200 }; /* bytes of a file's name: the one beside it has some more */

/* Writes 'bytes' to a file, durably when this returns 0: to a file beside it (".NAME.new", which a
 * crash may leave and the next write takes over), made with 'mode' whatever the umask is, synced,
 * and renamed; then the folder is synced. Nothing of an error remains: the old file is as it was.
 * Not for two writers of one file at once. Returns 0, -ENAMETOOLONG, -ENOSPC, -EROFS, -EACCES or
 * another -errno. If only the last sync fails (-EIO), the new file may be in place. */
WRN_NODISCARD int wrn_file_write(int folder, const char *path, mode_t mode, wrn_span bytes);

/* Reads a whole regular file of at most 'capacity' bytes. Returns 0 and its size, -EFBIG if it is
 * larger, -EINVAL if it is no regular file, -ENOENT or another -errno. What was read of a file that
 * is too large is wiped. */
WRN_NODISCARD int wrn_file_read(int folder, const char *path, uint8_t *buffer, size_t capacity,
                                size_t *ret_size);

/* Removes a file, durably. One that is not there is fine. Returns 0 or -errno. */
WRN_NODISCARD int wrn_file_remove(int folder, const char *path);

/* Makes sure that a folder is there, made with 'mode' if it was not, and opens it. Folders above it
 * must be there. Returns 0 or -errno. */
WRN_NODISCARD int wrn_file_open_folder(int folder, const char *path, mode_t mode, int *ret_folder);

/* Takes the lock of a file, which is made (0600) if it is not there, for as long as 'ret_lock' is
 * open. Returns 0, -EWOULDBLOCK if another program has it, or another -errno. */
WRN_NODISCARD int wrn_file_lock(int folder, const char *path, int *ret_lock);
