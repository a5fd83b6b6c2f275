/* SPDX-License-Identifier: Apache-2.0 */
/* Maps anonymous memory. Keeps no state. */
#define _GNU_SOURCE /* dl_iterate_phdr, gettid */
#include "io/memory.h"

#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/runtime.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* Linux 5.18 */
#endif

enum { FRAME_ROOM = 16 << 10, STACK_ROOM = 256 << 10 };

/* Bytes of all that was mapped since the start that are not locked: a process has one memory. */
static _Atomic size_t unlocked_size;

static bool is_all_locked;

static bool may_lock_anything(void);
static int lock_now_and_later(void);
static void forget_stack(void);
static int forget_object(struct dl_phdr_info *object, size_t size, void *unused);

int wrn_memory_map(size_t size, void **ret_memory) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    /* Tables are touched here and there: with huge pages each touch would cost 2 MiB. */
    (void)madvise(memory, size, MADV_NOHUGEPAGE);
    (void)madvise(memory, size, MADV_DONTDUMP);
    /* Each page once it is touched; the limit counts the whole block. */
    if (mlock2(memory, size, MLOCK_ONFAULT) != 0) {
        atomic_fetch_add(&unlocked_size, size);
    }
    *ret_memory = memory;
    return 0;
}

void wrn_memory_unmap(void *memory, size_t size) {
    if (memory != NULL) {
        (void)munmap(memory, size);
    }
}

size_t wrn_memory_unlocked(void) {
    return atomic_load(&unlocked_size);
}

void wrn_memory_discard(void *memory, size_t size) {
    if (madvise(memory, size, MADV_DONTNEED_LOCKED) != 0 &&
        madvise(memory, size, MADV_DONTNEED) != 0) {
        memset(memory, 0, size); /* locked, and the kernel is an old one */
    }
}

void wrn_memory_forbid_core_dumps(void) {
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none); /* lowering a limit needs no privilege */
}

int wrn_memory_lock_all(void) {
    if (WRN_HAS_RUNTIME) {
        return -EOPNOTSUPP;
    }
    int error = may_lock_anything() ? lock_now_and_later() : -EPERM;
    is_all_locked = error == 0;
    return error;
}

bool wrn_memory_is_all_locked(void) {
    return is_all_locked;
}

/* The C library cannot give back what is locked, so nothing is for that millisecond. */
void wrn_memory_give_back(void) {
    if (is_all_locked) {
        (void)munlockall();
    }
    (void)malloc_trim(0);
    forget_stack();
    (void)dl_iterate_phdr(forget_object, NULL);
    if (is_all_locked) {
        is_all_locked = lock_now_and_later() == 0;
    }
}

/* Tried: a capability that a container shows may be none to the kernel. */
static bool may_lock_anything(void) {
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    if (limit.rlim_cur == RLIM_INFINITY) {
        return true;
    }
    size_t size = (size_t)limit.rlim_cur + (size_t)sysconf(_SC_PAGESIZE);
    void *more = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool may = more != MAP_FAILED && mlock2(more, size, MLOCK_ONFAULT) == 0;
    if (more != MAP_FAILED) {
        (void)munmap(more, size);
    }
    return may;
}

static int lock_now_and_later(void) {
    return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0 ? 0 : -errno;
}

/* What deeper calls of the first thread left below our own frame is nobody's, and nothing else lies
 * there: the kernel keeps 1 MiB free below a stack that grows. */
static void forget_stack(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (gettid() != getpid()) {
        return;
    }
    uintptr_t end = ((uintptr_t)__builtin_frame_address(0) & ~(page - 1)) - FRAME_ROOM;
    (void)madvise((void *)(end - STACK_ROOM), STACK_ROOM,
                  MADV_DONTNEED); /* partly unmapped: fine */
}

/* Segments that the file forbids to write are copies of the page cache. (What the linker changed
 * before it forbade writing lies in segments that the file allows to write.) */
static int forget_object(struct dl_phdr_info *object, size_t size, void *unused) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    (void)size;
    (void)unused;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0) {
            continue;
        }
        uintptr_t begin = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = object->dlpi_addr + segment->p_vaddr + segment->p_memsz;
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED); /* refused for the vDSO */
    }
    return 0;
}
