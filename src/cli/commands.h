/* SPDX-License-Identifier: Apache-2.0 */
/* All commands of `warren`. A new one is a struct wrn_command in a file of its own and a line in
 * commands.c. */
#pragma once
#include "cli/command.h"

extern const struct wrn_command_table wrn_commands;
