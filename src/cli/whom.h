/* SPDX-License-Identifier: Apache-2.0 */
/* Who is meant: keys as people name them, made into subjects of certificates. A HIT or fingerprint
 * never stands in a certificate for a key: its 96 bits are to find one, not to be signed. */
#pragma once
#include "cli/files.h"
#include "spki/cert.h"

/* Where keys stand that may be named by HIT or fingerprint. */
struct wrn_keyring {
    struct wrn_objects objects;
};

/* Adds every Ed25519 key that stands anywhere in the objects. They are looked at when one is
 * searched: others choose how many there are. */
void wrn_keyring_add(struct wrn_cli *cli, struct wrn_keyring *ring,
                     const struct wrn_objects *objects);

/* Reads the files and adds their keys. Returns WRN_CLI_DONE, or what wrn_cli_fail returned. */
WRN_NODISCARD int wrn_keyring_read(struct wrn_cli *cli, const char *const *paths, size_t count,
                                   struct wrn_keyring *ring);

/* Reads who is meant by 'text', the value of the argument 'what' ("--to"): an S-expression in any
 * form (a key, a hash, a name, a threshold; "(subject …)" around it is left out), 32 bytes in hex
 * or base64, the text of a QR code ("WARREN:…"), a HIT or a fingerprint of a key in 'ring', or
 * else the name of a file with one identity or public key, or with certificates for one subject.
 * Returns WRN_CLI_DONE and the subject, which wrn_spki_read_subject accepts in 'mode', or what
 * wrn_cli_fail returned. */
WRN_NODISCARD int wrn_whom_read(struct wrn_cli *cli, const char *what, const char *text,
                                const struct wrn_keyring *ring, enum wrn_spki_mode mode,
                                struct wrn_sexp *ret_subject);

/* Finds whom a file is about, as above. 'path' may be "-". */
WRN_NODISCARD int wrn_whom_of_file(struct wrn_cli *cli, const char *path,
                                   struct wrn_sexp *ret_subject);

/* Tells whether a principal is this key, or its sha256 hash. */
bool wrn_whom_is_key(const struct wrn_spki_principal *principal,
                     const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE]);
