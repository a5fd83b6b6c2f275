/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for machines: large, zeroed, resident only where touched, never in a core dump, and, if
 * the system lets us, never in swap space. */
#pragma once
#include "base/base.h"

/* Maps 'size' zeroed bytes, aligned to a page. Returns 0 and sets 'ret_memory' (give it to
 * wrn_memory_unmap with the same size), or -errno, -ENOMEM where the system does not overcommit. */
WRN_NODISCARD int wrn_memory_map(size_t size, void **ret_memory);

/* Returns how many bytes of all that was mapped the system would not lock (no CAP_IPC_LOCK, and
 * RLIMIT_MEMLOCK is too low): they may be written to swap space. */
size_t wrn_memory_unlocked(void);

/* Locks all of the process's memory, heap and stacks too (libcrypto keeps expanded keys there),
 * each page once it is touched. Does so only where nothing limits how much may be locked, as for
 * who has CAP_IPC_LOCK, which all threads have to keep then: at a limit they could map nothing any
 * more. Returns 0; -EPERM, where there is a limit: then the blocks above are locked as far as it
 * goes; or -EOPNOTSUPP in a build with a sanitizer, whose shadow is all of the address space. */
WRN_NODISCARD int wrn_memory_lock_all(void);

/* Tells whether wrn_memory_lock_all did so. */
bool wrn_memory_is_all_locked(void);

/* Gives the memory back. NULL is fine. The caller has wiped what was secret. */
void wrn_memory_unmap(void *memory, size_t size);

/* Gives the pages of a part of it back (whole pages), which is zero from then on. */
void wrn_memory_discard(void *memory, size_t size);

/* Forbids core dumps of this process and its children: they would hold keys. */
void wrn_memory_forbid_core_dumps(void);

/* Gives back free memory, what the first thread's stack does not use now, and the resident pages of
 * program and libraries that nothing changes. Start-up needs many that never come into use again;
 * those that do are mapped again from the page cache. To be called when start-up is over, after
 * threads have ended, and some time after much was done; costs about a millisecond. */
void wrn_memory_give_back(void);
