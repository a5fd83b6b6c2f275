/* SPDX-License-Identifier: Apache-2.0 */
/* Help texts, made from the table of commands so that they cannot say anything else than it. */
#pragma once
#include "cli/command.h"

/* Prints the commands that there are, by group. */
void wrn_help_program(FILE *out, const struct wrn_command_table *table);

/* Prints the commands of a group. */
void wrn_help_group(FILE *out, const struct wrn_command_table *table,
                    const struct wrn_command_group *group);

/* Prints how a command is used: a line of usage, its options, what to know, an example. */
void wrn_help_command(FILE *out, const struct wrn_command *command);

/* Prints the program's version. */
void wrn_help_version(struct wrn_cli *cli, const struct wrn_command_table *table);
