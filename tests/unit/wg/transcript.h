/* SPDX-License-Identifier: Apache-2.0 */
/* Reads tests/vectors/handshake.txt: sections of "field = hex" lines. For tests. */
#pragma once
#include "base/base.h"

enum { TRANSCRIPT_FIELD_MAX = 512 };

/* Loads one field of one section into 'ret_bytes'. Fails the running test if the file, the section
 * or the field is missing. Returns its size in bytes. */
size_t transcript_get(const char *section, const char *field,
                      uint8_t ret_bytes[TRANSCRIPT_FIELD_MAX]);
