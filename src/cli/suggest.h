/* SPDX-License-Identifier: Apache-2.0 */
/* Names that the daemon knows: for what was probably meant, and for what a shell may complete.
 * Complains about nothing. */
#pragma once
#include <jansson.h>

#include "cli/cli.h"

/* So long is waited for the daemon: it is there, as it has just answered, or somebody who pressed
 * the tab key believes so; a loaded machine needs more than a blink for the second question. */
enum { WRN_SUGGEST_MS = 3000 };

/* Finds the name that is nearest to one of those in 'params' ("to", "member", "peer", "name":
 * machines; "network"), which were not found; NULL: none is near. In memory of the run. */
const char *wrn_suggest(struct wrn_cli *cli, const char *path, const json_t *params);

/* Called with each name; 'what' is a word or two about it. */
typedef void (*wrn_suggest_fn)(void *ctx, const char *name, const char *what);

/* Walks the networks that the machine is in, or the machines that it knows, itself included. */
void wrn_suggest_networks(struct wrn_cli *cli, const char *path, wrn_suggest_fn on_name, void *ctx);
void wrn_suggest_members(struct wrn_cli *cli, const char *path, wrn_suggest_fn on_name, void *ctx);

/* Walks the invitations that can be used, and the kinds of events. */
void wrn_suggest_invitations(struct wrn_cli *cli, const char *path, wrn_suggest_fn on_name,
                             void *ctx);
void wrn_suggest_events(struct wrn_cli *cli, const char *path, wrn_suggest_fn on_name, void *ctx);
