/* SPDX-License-Identifier: Apache-2.0 */
/* Maps anonymous memory. Keeps no state. */
#include "io/memory.h"

#include <sys/mman.h>
#include <sys/resource.h>

int wrn_memory_map(size_t size, void **ret_memory) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    /* Tables are touched here and there: with huge pages each touch would cost 2 MiB. */
    (void)madvise(memory, size, MADV_NOHUGEPAGE);
    (void)madvise(memory, size, MADV_DONTDUMP);
    *ret_memory = memory;
    return 0;
}

void wrn_memory_unmap(void *memory, size_t size) {
    if (memory != NULL) {
        (void)munmap(memory, size);
    }
}

void wrn_memory_forbid_core_dumps(void) {
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none); /* lowering a limit needs no privilege */
}
