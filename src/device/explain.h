/* SPDX-License-Identifier: Apache-2.0 */
/* Turns the errors of a start into one sentence each that names the cause and what to do. Pure. */
#pragma once
#include "base/base.h"

/* What failed. */
enum wrn_start_step {
    WRN_START_TUN_CREATE,
    WRN_START_TUN_ADOPT,
    WRN_START_SOCKET_OPEN,
    WRN_START_SOCKET_ADOPT,
    WRN_START_AEAD, /* the engine with an AEAD library that was asked for */
    WRN_START_ENGINE,
    WRN_START_WATCH,
};

enum { WRN_EXPLAIN_SIZE = 320 }; /* with the terminating zero */

/* Writes the sentence for 'error' (negative) of 'step' of the start of 'interface'. */
void wrn_explain_start(enum wrn_start_step step, int error, const char *interface,
                       char ret_text[WRN_EXPLAIN_SIZE]);
