/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded queue of records of any size from one thread to one other, without locks. Wakes nobody:
 * whoever publishes learns whether the other side has to be woken, and does it. */
#pragma once
#include "base/base.h"

struct wrn_ring;

/* Makes a ring of 'size' bytes, a power of two from 2^10 to 2^30; resident is what is
 * on its way, and some 64 KiB of what was. Returns 0 or -ENOMEM. */
WRN_NODISCARD int wrn_ring_create(size_t size, struct wrn_ring **ret_ring);

/* Frees it, when neither side uses it any more. NULL is fine. */
void wrn_ring_destroy(struct wrn_ring *ring);

/* Writing side: returns room for a record of 'size' bytes, aligned to 8, to be filled before
 * wrn_ring_publish; NULL while there is none. A record larger than a quarter of the ring never
 * fits. */
WRN_NODISCARD void *wrn_ring_reserve(struct wrn_ring *ring, size_t size);

/* Writing side: shows all reserved records to the reading side. Returns whether that has seen the
 * ring empty, or is about to: wake it then. */
WRN_NODISCARD bool wrn_ring_publish(struct wrn_ring *ring);

/* Reading side: finds the oldest record, which stays in place until wrn_ring_release. The reader
 * may write to it. Returns NULL if there is none: whoever publishes next is told to wake us. */
void *wrn_ring_first(struct wrn_ring *ring, size_t *ret_size);

/* Reading side: gives the room of the record that wrn_ring_first found back. */
void wrn_ring_release(struct wrn_ring *ring);
