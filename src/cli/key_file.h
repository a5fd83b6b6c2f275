/* SPDX-License-Identifier: Apache-2.0 */
/* The file of an identity: a readable S-expression with the private key in it,
 *
 *     (warren-identity (version "1") (private-key (ed25519 SEED)) (public-key (ed25519 KEY)))
 *
 * SEED being the 32 bytes of RFC 8032 and KEY the public key that follows from them, so that damage
 * is noticed. The only code that reads or writes private keys; none of it prints them. */
#pragma once
#include "cli/files.h"
#include "crypto/identity.h"

/* A key pair, in memory of the run, which is wiped at its end. */
struct wrn_key_pair {
    uint8_t seed[WRN_SEED_SIZE];
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
};

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

/* Reads an identity from its expression. Returns NULL, or a clause that says what is wrong with
 * it (static text). */
const char *wrn_key_file_parse(struct wrn_sexp sexp, struct wrn_key_pair *ret_pair);
