/* SPDX-License-Identifier: Apache-2.0 */
/* The list of commands, in the order of the help. Does nothing itself. */
#include "cli/commands.h"

#include "cli/cert.h"
#include "cli/id.h"

#ifndef WRN_VERSION
#define WRN_VERSION "0.1.0"
#endif

static const struct wrn_command *const commands[] = {
    &wrn_id_new,      &wrn_id_show,     &wrn_cert_issue,  &wrn_cert_show,
    &wrn_cert_verify, &wrn_cert_reduce, &wrn_cert_revoke,
};

static const struct wrn_command_group groups[] = {
    {"id", "Who you are: a key pair, its HIT and fingerprint"},
    {"cert", "Who may do what: certificates, offline"},
};

const struct wrn_command_table wrn_commands = {
    .commands = commands,
    .command_count = WRN_COUNT(commands),
    .groups = groups,
    .group_count = WRN_COUNT(groups),
    .about = "identities and capabilities",
    .version = WRN_VERSION,
};
