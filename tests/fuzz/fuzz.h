/* SPDX-License-Identifier: Apache-2.0 */
/* What a fuzz target defines; called by libFuzzer, or by replay_main.c on each file of its
 * corpus. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Feeds 'size' bytes to the code under test. Returns 0; a fault shows as a crash or a report. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
