/* SPDX-License-Identifier: Apache-2.0 */
/* The files of identities (spki/key_pair.h says what is in them), as commands use them: key pairs
 * are in memory of the run, which is wiped at its end. None of it prints private keys. */
#pragma once
#include "cli/files.h"
#include "spki/key_pair.h"

/* Where an identity is without --file: $WARREN_IDENTITY, else warren/identity in $XDG_CONFIG_HOME
 * or ~/.config. NULL if there is neither of them nor a home. In memory of the run. */
const char *wrn_key_file_default(struct wrn_cli *cli);

/* Makes the folder of the default place for its owner alone (0700), if it is not there. Returns
 * WRN_CLI_DONE, or what wrn_cli_fail returned. */
WRN_NODISCARD int wrn_key_file_prepare(struct wrn_cli *cli, const char *path);

/* Reads the one identity in the file 'path', which must not be open to others. Returns
 * WRN_CLI_DONE, or what wrn_cli_fail returned. */
WRN_NODISCARD int wrn_key_file_read(struct wrn_cli *cli, const char *path,
                                    const struct wrn_key_pair **ret_pair);

/* Writes an identity, mode 0600. Returns as above. */
WRN_NODISCARD int wrn_key_file_write(struct wrn_cli *cli, const char *path,
                                     const struct wrn_key_pair *pair,
                                     enum wrn_files_replace replace);
