/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a stream look like TLS to what stands between two hosts. It proves and hides nothing: the
 * certificate is made up at the start and nobody checks it, since all that is inside is sealed
 * already. Only for ways on which nothing else gets through. */
#pragma once
#include "base/base.h"

struct wrn_tls_maker; /* what all such streams of a host share */
struct wrn_tls;       /* one of them; does not own its socket */

/* Makes it, with a key and a certificate of its own. Returns 0 or -ENOMEM (or what else the library
 * lacks). Takes a millisecond. */
WRN_NODISCARD int wrn_tls_maker_create(struct wrn_tls_maker **ret_maker);
void wrn_tls_maker_destroy(struct wrn_tls_maker *maker); /* NULL is fine */

/* Begins TLS on a connected socket that does not block. Returns 0 or -ENOMEM. */
WRN_NODISCARD int wrn_tls_create(struct wrn_tls_maker *maker, int fd, bool is_server,
                                 struct wrn_tls **ret_tls);
void wrn_tls_destroy(struct wrn_tls *tls); /* says goodbye if it can; NULL is fine */

/* Each goes on with its work as far as the socket lets it. Returns bytes (0 for the handshake: it
 * is complete); -EAGAIN: again when the socket is readable, or writable if '*ret_wants_write';
 * -EPIPE: the other end has closed; -EPROTO: it does not speak TLS, or not well. */
WRN_NODISCARD int wrn_tls_shake(struct wrn_tls *tls, bool *ret_wants_write);
WRN_NODISCARD int wrn_tls_read(struct wrn_tls *tls, uint8_t *out, size_t capacity,
                               bool *ret_wants_write);
WRN_NODISCARD int wrn_tls_write(struct wrn_tls *tls, const uint8_t *bytes, size_t size,
                                bool *ret_wants_write);
