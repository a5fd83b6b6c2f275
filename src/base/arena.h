/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts one block of memory that the caller owns into the fixed tables of a machine. The core's only
 * source of memory: after init nothing is added to it. */
#pragma once
#include "base/base.h"

struct wrn_arena {
    uint8_t *next; /* NULL while measuring */
    size_t used;   /* bytes taken so far, alignment included */
    size_t size;   /* bytes available; SIZE_MAX while measuring */
    size_t alignment;
};

/* Starts an arena over 'size' bytes at 'memory', aligned to at least 64 bytes and zeroed, which the
 * caller keeps until the machine is finished. With 'memory' NULL it only measures: takes return
 * NULL and 'used' tells how much room the same sequence of takes needs. */
void wrn_arena_init(struct wrn_arena *arena, void *memory, size_t size);

/* From now on pieces are aligned to 8 bytes, not to 64: for machines that one thread alone uses,
 * and that should be small. The measuring arena must be packed, too. */
void wrn_arena_pack(struct wrn_arena *arena);

/* Takes 'count' zeroed elements of 'size' bytes, aligned to 64 bytes, or to 8 if packed. The
 * arena must have room: init functions measure first. Returns NULL while measuring. */
void *wrn_arena_take(struct wrn_arena *arena, size_t count, size_t size);
