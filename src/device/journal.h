/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine's events and the kernel's refusals look like in the log. */
#pragma once
#include "io/log.h"
#include "wg/wg.h"

/* Writes an event of 'wg', if the log wants it. */
void wrn_journal_event(struct wrn_log *log, const struct wrn_wg *wg,
                       const struct wrn_wg_event *event);

/* Writes that a datagram was refused with 'error' (-errno), if the log wants it. */
void wrn_journal_refusal(struct wrn_log *log, const struct wrn_path *path, int error);
