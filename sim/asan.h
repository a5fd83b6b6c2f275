/* SPDX-License-Identifier: Apache-2.0 */
/* Tells whether AddressSanitizer is built in, as HAS_ASAN, and then has its interface. */
#pragma once

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#endif
