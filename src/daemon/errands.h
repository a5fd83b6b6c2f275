/* SPDX-License-Identifier: Apache-2.0 */
/* The closed list of what the daemon may have the steward run (io/steward.h): three commands of the
 * host's resolver and firewall in the forms that the daemon uses, and the hooks of one folder. A
 * daemon that somebody has taken over gets nothing else run, and nothing of its own with root's
 * rights. Judges texts and files; runs nothing. */
#pragma once
#include "base/base.h"
#include "io/steward.h"

enum { WRN_ERRANDS_INPUT_MAX = 128 }; /* bytes of the input of one that runs as root */

/* A wrn_steward_judge; 'ctx' is the path of the hooks' folder, a string. */
enum wrn_steward_verdict wrn_errands_judge(void *ctx, const char *const *args, wrn_span input);

/* Tells whether a file, or a folder, belongs to root or to the user we are and nobody else may
 * write there: what is run from it was put there by whom the host belongs to. */
bool wrn_errands_is_trusted(const char *path, bool is_folder);

/* Tells whether it can be the name of a hook: as run-parts(8) has it, and dots; what editors and
 * packages leave behind is none. */
bool wrn_errands_is_hook_name(const char *name);
