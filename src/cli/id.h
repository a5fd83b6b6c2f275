/* SPDX-License-Identifier: Apache-2.0 */
/* The commands `warren id …`: identities, made and shown. */
#pragma once
#include "cli/command.h"

extern const struct wrn_command wrn_id_new;
extern const struct wrn_command wrn_id_show;
