/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates from files, put together for the prover (src/spki/prove.h), with messages for people
 * about what cannot be. */
#pragma once
#include "cli/files.h"
#include "spki/prove.h"

/* What a heap is made of. */
struct wrn_heap_parts {
    struct wrn_objects trusted; /* the verifier's own: ACLs are taken from here only */
    struct wrn_objects foreign; /* what the subject brings */
    bool assume_signed;         /* for studying chains, never for deciding */
};

/* Makes the heap, in memory of the run. Returns WRN_CLI_DONE, or what wrn_cli_fail returned. */
WRN_NODISCARD int wrn_heap_make(struct wrn_cli *cli, const struct wrn_heap_parts *parts,
                                struct wrn_spki **ret_heap);

/* Counts the lists with this name, at any depth, in all objects. */
size_t wrn_heap_count(const struct wrn_objects *objects, const char *name);

/* Reads the tag of an option: "(tag …)" around it is left out. Returns as above. */
WRN_NODISCARD int wrn_heap_read_tag(struct wrn_cli *cli, const char *what, const char *text,
                                    struct wrn_sexp *ret_tag);
