/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps a network from working as it should, as far as the node knows, in words: cause and
 * next step. Changes nothing. */
#pragma once
#include "daemon/daemon.h"

enum { WRN_TROUBLE_SIZE = 640 };

struct wrn_trouble {
    char text[WRN_TROUBLE_SIZE]; /* a sentence without a full stop; "": there is none */
    char fix[WRN_TROUBLE_SIZE];  /* what to do; "": the text says it, or it passes by itself */
    bool is_out;                 /* this machine is no member, or nobody lets it send */
};

/* Finds it in what the node says of a network. */
void wrn_trouble_find(const struct wrn_node_network_info *info, struct wrn_trouble *ret_trouble);
