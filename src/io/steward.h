/* SPDX-License-Identifier: Apache-2.0 */
/* The steward: a process of ours that keeps the rights which the daemon gives up at its start, and
 * does a few small things with them: when it is asked it starts programs of a closed list, opens
 * /dev/net/tun, and looks after one socket's file; when we were killed it takes back what we had
 * changed. There is one a process; it ends when we end, however that is. It reads nothing that came
 * from the network. docs/decisions/0021 has the reasons. */
#pragma once
#include <sys/types.h>
#include "base/base.h"

enum {
    WRN_STEWARD_ARGS_MAX = 32,   /* of a program, with its name */
    WRN_STEWARD_TEXT_MAX = 8192, /* bytes of all arguments, with their zeros */
    WRN_STEWARD_INPUT_MAX = 128, /* bytes of the input of a program that is run as root */
    WRN_STEWARD_PATH_SIZE = 256,
    WRN_STEWARD_DEBTS_MAX = 512,
    WRN_STEWARD_DEBT_SIZE = 192,  /* of the text of one, with its zero */
    WRN_STEWARD_SIGNAL_BASE = 128 /* status of a program that a signal ended: this and its number */
};

/* With whose rights a program is run. */
enum wrn_steward_verdict { WRN_STEWARD_REFUSED, WRN_STEWARD_AS_USER, WRN_STEWARD_AS_ROOT };

/* Judges a wish, in the steward: 'args' end with NULL; 'input' is the whole input, if it is short
 * enough for a program that is run as root, and else a longer one's first bytes. */
typedef enum wrn_steward_verdict (*wrn_steward_judge)(void *ctx, const char *const *args,
                                                      wrn_span input);

/* Takes back one thing that was owed, in the steward, when who owed it has been killed. */
typedef void (*wrn_steward_take_back)(void *ctx, const char *debt);

struct wrn_steward_options {
    wrn_steward_judge judge;         /* NULL: no program is run */
    void *ctx;                       /* of both */
    wrn_steward_take_back take_back; /* NULL: nothing is ever owed */
    /* A folder that whoever succeeds us locks (flock): within 'grace_ms' of our death that takes
     * over what we owe. Only looked at while the steward is started; stays the caller's. */
    int lock_folder;
    uint32_t grace_ms;
    /* Who the others are run as, without any capability. Supplementary groups are taken away. */
    uid_t uid;
    gid_t gid;
    /* Whether it may go to other network namespaces to open /dev/net/tun there. */
    bool enters_namespaces;
    /* The file of a socket that it may look at and remove; "": there is none. */
    char socket[108];
    dev_t socket_device;
    ino_t socket_inode;
};

/* Starts it. To be called before the first thread and the event loop are made, and before rights
 * are given up. Returns 0, or -errno. */
WRN_NODISCARD int wrn_steward_start(const struct wrn_steward_options *options);

/* Ends it, and waits for that: whoever sees us end sees all of us end. None is fine. */
void wrn_steward_stop(void);

/* Notes that something has to be taken back, by 'take_back', if we end without having settled it:
 * were killed, say. 'debt' is a text for 'take_back'; one that is owed already is owed once.
 * Without a steward, or when there are too many, or too long ones, nothing is noted. */
void wrn_steward_owe(const char *debt);

/* It has been taken back. One that is not owed is fine. */
void wrn_steward_settle(const char *debt);

/* Starts a program: 'args' are its path, or a name that is looked for in the standard folders, and
 * its arguments, then NULL. It gets an environment of its own, 'input' as its standard input and
 * 'output' as the two others (-1: /dev/null); both stay the caller's. Sets 'ret_channel', which is
 * the caller's: an int32_t can be read from it when the program has ended, its exit code,
 * WRN_STEWARD_SIGNAL_BASE and the signal that ended it, or -errno if it could not be run. If the
 * channel is closed before, the program and all of its session are killed; a byte written there
 * kills them at any time, also what a program that has ended left behind. Without a steward any
 * program is run, with our own rights. Returns 0, -E2BIG, -EPERM (it is not on the list), or
 * another -errno of starting. */
WRN_NODISCARD int wrn_steward_run(const char *const *args, int input, int output, int *ret_channel);

/* Opens /dev/net/tun, in the network namespace of the descriptor 'name_space' if that is not -1: by
 * ourselves if we may, else by the steward. Sets 'ret_fd', which is non-blocking and the caller's.
 * Returns 0 or -errno. */
WRN_NODISCARD int wrn_steward_open_tun(int name_space, int *ret_fd);

/* Tells whether the socket's file is still the one of the options; and removes it if it is. False,
 * without a steward: that is not known, and nothing is done. */
bool wrn_steward_has_socket(bool *ret_is_there);
bool wrn_steward_remove_socket(void);

/* Finds a program in the standard folders (the search path of root), or at its path. */
bool wrn_steward_find(const char *name, char ret_path[WRN_STEWARD_PATH_SIZE]);
