/* SPDX-License-Identifier: Apache-2.0 */
/* The commands `warren cert …`: capabilities, offline. Each has a file of its own. */
#pragma once
#include "cli/command.h"
#include "cli/files.h"
#include "cli/whom.h"

struct wrn_key_pair;

extern const struct wrn_command wrn_cert_issue;
extern const struct wrn_command wrn_cert_show;
extern const struct wrn_command wrn_cert_verify;
extern const struct wrn_command wrn_cert_reduce;
extern const struct wrn_command wrn_cert_revoke;

/* Reads the options --not-before, --until and --for, where the command has them. 'otherwise_s'
 * seconds from now is the end if none is given; 0: there is none then. The dates are in memory of
 * the run. Returns WRN_CLI_DONE, or what wrn_cli_fail returned. */
WRN_NODISCARD int wrn_cert_read_validity(struct wrn_cli *cli, const struct wrn_args *args,
                                         int64_t otherwise_s,
                                         struct wrn_spki_validity *ret_validity);

/* Reads a point in time that an option gave, or 'otherwise_s' if it is NULL. Returns as above. */
WRN_NODISCARD int wrn_cert_read_time(struct wrn_cli *cli, const char *what, const char *text,
                                     int64_t otherwise_s, int64_t *ret_s);

/* A date for a certificate, in memory of the run. 's' is within the years 0000 to 9999. */
wrn_spki_date wrn_cert_date(struct wrn_cli *cli, int64_t s);

/* Reads the values of a repeating option as subjects. Returns as above. */
WRN_NODISCARD int wrn_cert_read_whoms(struct wrn_cli *cli, const struct wrn_args *args,
                                      const char *option, const struct wrn_keyring *ring,
                                      enum wrn_spki_mode mode, struct wrn_sexp **ret_list,
                                      size_t *ret_count);

/* Signs an object and returns (sequence OBJECT SIGNATURE), in memory of the run. */
WRN_NODISCARD int wrn_cert_sign(struct wrn_cli *cli, struct wrn_sexp object, const uint8_t *seed,
                                struct wrn_sexp *ret_sequence);

/* Reads the key of the option --key, or the default identity. Returns as above. */
WRN_NODISCARD int wrn_cert_read_key(struct wrn_cli *cli, const struct wrn_args *args,
                                    const struct wrn_key_pair **ret_pair);

/* Writes a made object where --out says, in the form --format says (transport). With --json, what
 * goes to 'out' is 'json' with the object as its member 'name' in transport form; else, with --out,
 * the sentence. Gives the reference to 'json' up. Returns as above. */
WRN_NODISCARD int wrn_cert_put(struct wrn_cli *cli, const struct wrn_args *args,
                               struct wrn_sexp object, const char *name, json_t *json,
                               const char *sentence, enum wrn_files_replace replace);
