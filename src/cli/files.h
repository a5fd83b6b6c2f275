/* SPDX-License-Identifier: Apache-2.0 */
/* Files: objects read in any form, results written so that a reader finds the old or the new one,
 * never a half. Knows nothing of what the objects mean but that private keys are to be guarded. */
#pragma once
#include "cli/cli.h"
#include "sexp/sexp.h"

enum { WRN_FILES_SIZE_MAX = 64 << 20 }; /* bytes of one file that is read */

/* An expression and where it stood. */
struct wrn_object {
    struct wrn_sexp sexp;
    const char *file;  /* as it was named */
    const char *where; /* for messages: "FILE, line N" */
};

struct wrn_objects {
    struct wrn_object *list;
    size_t count;
    size_t capacity;
};

/* Reads all expressions of the file 'path', in any of the three forms, "-" being standard input,
 * and appends them to 'objects', in memory of the run. A file with a private key in it must not be
 * open to others. Returns WRN_CLI_DONE, or what wrn_cli_fail returned. */
WRN_NODISCARD int wrn_files_read(struct wrn_cli *cli, const char *path,
                                 struct wrn_objects *objects);

/* Appends an object. */
void wrn_objects_add(struct wrn_cli *cli, struct wrn_objects *objects, struct wrn_object object);

/* Appends the elements of sequences and ACLs, and what stands alone, to 'ret_flat'. Returns
 * WRN_CLI_DONE, or what wrn_cli_fail returned. */
WRN_NODISCARD int wrn_objects_flatten(struct wrn_cli *cli, const struct wrn_objects *objects,
                                      struct wrn_objects *ret_flat);

/* Reads the one expression of a command line's argument. 'what' names the argument in messages,
 * such as "--tag". The text itself is not repeated there if it is a private key. Returns as
 * above. */
WRN_NODISCARD int wrn_files_read_argument(struct wrn_cli *cli, const char *what, const char *text,
                                          struct wrn_sexp *ret_sexp);

/* The name of a file for a message: as it is if it can be copied from there, else quoted. In memory
 * of the run, or 'path' itself. */
const char *wrn_files_name(struct wrn_cli *cli, const char *path);

/* Prints an expression in a form and a final newline where the form is text; canonical form, which
 * is bytes, has none. In memory of the run. */
wrn_span wrn_files_print(struct wrn_cli *cli, enum wrn_sexp_form form, struct wrn_sexp sexp);

/* The same as one line of text without a newline. */
const char *wrn_files_line(struct wrn_cli *cli, enum wrn_sexp_form form, struct wrn_sexp sexp);

/* Reads the name of a form: advanced, canonical or transport; NULL gives 'otherwise'. Returns
 * WRN_CLI_DONE, or what wrn_cli_fail returned. */
WRN_NODISCARD int wrn_files_form(struct wrn_cli *cli, const char *name,
                                 enum wrn_sexp_form otherwise, enum wrn_sexp_form *ret_form);

/* Whether a file that exists may be replaced. */
enum wrn_files_replace { WRN_FILES_KEEP, WRN_FILES_REPLACE };

/* Writes a file: under a temporary name, to the disk, then renamed in one step. 'mode' is 0600 for
 * what is secret; wider ones are narrowed by the umask. Returns WRN_CLI_DONE, or what wrn_cli_fail
 * returned; then nothing has changed. */
WRN_NODISCARD int wrn_files_write(struct wrn_cli *cli, const char *path, wrn_span bytes,
                                  unsigned mode, enum wrn_files_replace replace);

/* Writes a result to the file 'path', or to 'out' if that is NULL. Returns as above. */
WRN_NODISCARD int wrn_files_put(struct wrn_cli *cli, const char *path, wrn_span bytes,
                                enum wrn_files_replace replace);
