/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates in words and in JSON, so that both say the same. All texts are in memory of the run
 * and harmless to a terminal, whatever stands in the certificate. */
#pragma once
#include "cli/cli.h"
#include "spki/cert.h"

/* A key by its HIT, else what there is of it. */
const char *wrn_describe_principal(struct wrn_cli *cli, const struct wrn_spki_principal *principal);

/* A subject: a principal, a name ("the name "x" of …"), a threshold ("any 2 of …"). */
const char *wrn_describe_subject(struct wrn_cli *cli, const struct wrn_spki_subject *subject);

/* A date as RFC 3339; NULL for the empty one. */
const char *wrn_describe_date(struct wrn_cli *cli, wrn_spki_date date);

/* A validity as an adverb: "until …", "from … until …", "from … on", "for ever". */
const char *wrn_describe_validity(struct wrn_cli *cli, const struct wrn_spki_validity *validity);

/* A certificate or an entry of an ACL as one sentence. */
const char *wrn_describe_cert(struct wrn_cli *cli, const struct wrn_spki_cert *cert);

/* A list of revoked certificates as one sentence. */
const char *wrn_describe_crl(struct wrn_cli *cli, const struct wrn_spki_crl *crl);

/* Bytes as lower-case hex. */
const char *wrn_describe_hex(struct wrn_cli *cli, const uint8_t *bytes, size_t size);

/* The same things as members of a JSON object. */
json_t *wrn_describe_principal_json(struct wrn_cli *cli,
                                    const struct wrn_spki_principal *principal);
json_t *wrn_describe_cert_json(struct wrn_cli *cli, const struct wrn_spki_cert *cert);
json_t *wrn_describe_crl_json(struct wrn_cli *cli, const struct wrn_spki_crl *crl);
