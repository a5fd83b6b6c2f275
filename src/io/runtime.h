/* SPDX-License-Identifier: Apache-2.0 */
/* WRN_HAS_RUNTIME: whether a sanitizer's runtime is in the process, which makes system calls of its
 * own (it starts threads that trace us, for one) and maps all of the address space. */
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WRN_HAS_RUNTIME 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define WRN_HAS_RUNTIME 1
#endif
#endif
#ifndef WRN_HAS_RUNTIME
#define WRN_HAS_RUNTIME 0
#endif
