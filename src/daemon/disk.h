/* SPDX-License-Identifier: Apache-2.0 */
/* The state folder: the identity, the port, and a folder for each network with its state. Each file
 * is the old or the new one at any moment, and on the disk when a function returns. Knows nothing
 * of a running node.
 *
 *     identity               as `warren id new` writes it, 0600
 *     port                   the UDP port of last time
 *     networks/<id>/state    advanced form of the state's expression (node/state.h), 0600
 *     networks/<id>/ports    what an l2 network's bridge is connected with (attach_disk.c) */
#pragma once
#include <sys/types.h>
#include "base/base.h"
#include "base/rand.h"
#include "node/state.h"
#include "spki/key_pair.h"

enum {
    WRN_DISK_WHY_SIZE = 512,
    WRN_DISK_ID_TEXT_SIZE = 2 * WRN_NETWORK_ID_SIZE + 1, /* hexadecimal, with its zero byte */
};

/* Makes the folder 'path' (0700, and those above it 0755) if it is not there, opens it and locks
 * it for this process alone. Sets 'ret_fd' (the caller closes it, which lets go of the lock).
 * Returns 0; -EWOULDBLOCK: another process has it; -EPERM: others may write there; or another
 * -errno; with a sentence. */
WRN_NODISCARD int wrn_disk_open(const char *path, int *ret_fd, char reterr_why[WRN_DISK_WHY_SIZE]);

/* Gives the folder and all files in it to a user: those that are root's, or of somebody who served
 * it before. To be called as root. What is no file or folder, or has another name elsewhere, is
 * left alone. Returns 0 or -errno, with a sentence. */
WRN_NODISCARD int wrn_disk_give(int folder, const char *path, uid_t uid, gid_t gid,
                                char reterr_why[WRN_DISK_WHY_SIZE]);

/* Reads the identity, or makes one if there is none (-ENOENT elsewhere never is success). 'path'
 * names the folder for messages. 'ret_pair' is the caller's to wipe. Returns 0, or -errno with a
 * sentence. */
WRN_NODISCARD int wrn_disk_identity(int folder, const char *path, struct wrn_rand rand,
                                    struct wrn_key_pair *ret_pair, bool *ret_is_new,
                                    char reterr_why[WRN_DISK_WHY_SIZE]);

/* Reads or notes the port; 0: none is noted. What cannot be written is no matter. */
uint16_t wrn_disk_port(int folder);
void wrn_disk_note_port(int folder, uint16_t port);

/* Writes the text form of a network's id. */
void wrn_disk_id(const uint8_t id[WRN_NETWORK_ID_SIZE], char ret_text[WRN_DISK_ID_TEXT_SIZE]);

/* Calls 'on_network' for each network's folder, in the order of their names, until it returns
 * false. Folders without a state (what a crash left of making or removing one) are removed instead.
 * Returns 0 or -errno. */
WRN_NODISCARD int wrn_disk_walk(int folder, bool (*on_network)(void *ctx, const char *id),
                                void *ctx);

/* Reads a network's state. Sets 'ret_canonical' (to be given to wrn_disk_free with its capacity,
 * for it holds secrets) and its expression. Returns 0; -ENOENT; -EUCLEAN: it is no such state, or
 * of another network than the folder says; or another -errno; with a sentence that names the file
 * and the next step. 'path' as above. */
WRN_NODISCARD int wrn_disk_read_state(int folder, const char *path, const char *id,
                                      uint8_t **ret_canonical, size_t *ret_capacity,
                                      wrn_span *ret_state, char reterr_why[WRN_DISK_WHY_SIZE]);

/* Writes it, from its canonical form; makes the network's folder. Returns 0 or -errno, then the old
 * state is still there. */
WRN_NODISCARD int wrn_disk_write_state(int folder, const char *id, wrn_span canonical);

/* Removes a network. One that is not there is fine. Returns 0 or -errno. */
WRN_NODISCARD int wrn_disk_remove(int folder, const char *id);

/* Wipes and frees. NULL is fine. */
void wrn_disk_free(uint8_t *bytes, size_t capacity);
