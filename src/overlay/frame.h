/* SPDX-License-Identifier: Apache-2.0 */
/* What all frames begin with: kind, version, two bytes that are zero. Internal to pair.c and
 * frame.c. */
#pragma once
#include "base/wire.h"
#include "overlay/limits.h"
#include "overlay/reason.h"

enum { WRN_FRAME_VERSION = 1 };

/* Writes the four bytes. */
void wrn_frame_head_write(struct wrn_writer *writer, enum wrn_frame_kind kind);

/* Reads kind and version. NONE, MALFORMED (another kind, or the end), WRONG_VERSION. */
enum wrn_reason wrn_frame_kind_read(struct wrn_reader *reader, enum wrn_frame_kind kind);

/* Reads all four bytes. MALFORMED also if the last two are not zero. */
enum wrn_reason wrn_frame_head_read(struct wrn_reader *reader, enum wrn_frame_kind kind);
