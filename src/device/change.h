/* SPDX-License-Identifier: Apache-2.0 */
/* `warren-wg --set`: changes what wg(8) does not know about. Prints what is wrong, with the next
 * step. */
#pragma once
#include "base/base.h"

enum { WRN_CHANGE_WHY_SIZE = 320 };

/* Asks the daemon of 'interface' to obey 'changes', texts KEY=VALUE, in order. A key is one of a
 * `set` of the configuration socket, or "peer", whose value is the base64 of a peer that is there:
 * the keys behind it are its own. Returns 0, or -errno with a message on standard error; then
 * what stands before the change that failed is done, and nothing if a text makes no sense. */
WRN_NODISCARD int wrn_change(const char *interface, char *const *changes, size_t count);

/* Makes the request out of 'changes'. Returns 0 and sets 'ret_request' (to be freed), or -EINVAL
 * or -ENOMEM with 'reterr_why', a sentence. */
WRN_NODISCARD int wrn_change_request(char *const *changes, size_t count, char **ret_request,
                                     char reterr_why[WRN_CHANGE_WHY_SIZE]);
