/* SPDX-License-Identifier: Apache-2.0 */
/* Asks a running daemon through its socket, for the commands that print or change something and
 * end. */
#pragma once
#include "base/base.h"

/* Sends 'request', with its empty line, to whoever serves 'interface' and reads the whole answer.
 * Returns 0, with the answer as terminated text (may hold keys; to be given to wrn_client_free), or
 * -ENOENT (nobody serves it), -EACCES or -EPERM (not allowed), -EPROTO (closed without an answer:
 * another program, which does not know such a request), -ETIMEDOUT, -EMSGSIZE (an answer beyond
 * reason), -ENOMEM or another -errno. */
WRN_NODISCARD int wrn_client_ask(const char *interface, const char *request, char **ret_answer);

/* Wipes and frees an answer. NULL is fine. For WRN_CLEANUP. */
void wrn_client_free(char **answer);

/* Finds the errno of an answer: 0 or negative; -EPROTO if there is none. */
int wrn_client_errno(const char *answer);

/* Takes the next "key=value" line off '*answer', cut apart: 'ret_value' is terminated too. Changes
 * the text. Returns the key, or NULL at the end. */
const char *wrn_client_next_line(char **answer, const char **ret_value);

/* Prints to standard error why asking about 'interface' failed, and what to do. */
void wrn_client_complain(const char *interface, int error);
