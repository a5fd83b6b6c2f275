/* SPDX-License-Identifier: Apache-2.0 */
/* liburcu's memb flavour: readers without memory barriers, which membarrier(2) makes up for when
 * somebody waits. Keeps no state of its own. */
#include "io/rcu.h"

#include <urcu/urcu-memb.h>

#if defined(__SANITIZE_THREAD__)
#define SEES_THREADS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SEES_THREADS 1
#endif
#endif

#ifdef SEES_THREADS
/* liburcu is not instrumented, so the sanitizer has to be told: what readers did before they left
 * happened before the end of the wait. */
void __tsan_acquire(void *address);
void __tsan_release(void *address);
static char left;
#define READER_LEAVES() __tsan_release(&left)
#define WAIT_ENDS()     __tsan_acquire(&left)
#else
#define READER_LEAVES() ((void)0)
#define WAIT_ENDS()     ((void)0)
#endif

void wrn_rcu_join(void) {
    urcu_memb_register_thread();
}

void wrn_rcu_leave(void) {
    urcu_memb_unregister_thread();
}

void wrn_rcu_enter(void) {
    urcu_memb_read_lock();
}

void wrn_rcu_exit(void) {
    READER_LEAVES();
    urcu_memb_read_unlock();
}

void wrn_rcu_wait(void) {
    urcu_memb_synchronize_rcu();
    WAIT_ENDS();
}
