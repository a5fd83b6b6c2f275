/* SPDX-License-Identifier: Apache-2.0 */
/* Going into the background, such that the caller's shell gets the prompt back when all is ready,
 * or the exit code of what went wrong. */
#pragma once
#include "base/base.h"

/* Forks. The parent never returns: it waits for the child's wrn_background_ready and ends with 0,
 * or with the child's exit code if that ends first. The child returns 0, in a session of its own,
 * with stdin from /dev/null, every descriptor above stderr closed except the 'count' ones in 'keep'
 * (-1: none), and 'ret_ready_fd'. Returns -errno, in the only process, if it cannot fork. */
WRN_NODISCARD int wrn_background_start(const int *keep, size_t count, int *ret_ready_fd);

/* Lets the parent go, and leaves its terminal: stdout, and stderr unless 'keep_stderr', go to
 * /dev/null from here on, the working directory is the root. */
void wrn_background_ready(int ready_fd, bool keep_stderr);

/* Whoever starts us with standard input, output or error closed would otherwise see one of our own
 * descriptors in their place, and our messages written into it. To be called first of all. */
void wrn_background_occupy(void);
