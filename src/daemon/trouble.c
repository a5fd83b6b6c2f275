/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences for people. Knows no state of its own. */
#include "daemon/trouble.h"

#include <stdio.h>

static void rejoin(const char *name, struct wrn_trouble *trouble);

void wrn_trouble_find(const struct wrn_node_network_info *info, struct wrn_trouble *ret_trouble) {
    const char *why = info->trouble != NULL ? info->trouble : "";
    const char *beginning = "";
    *ret_trouble = (struct wrn_trouble){.is_out = info->is_spent};
    if (info->standing != WRN_REASON_NONE) {
        beginning =
            info->ended_s > 0                       ? "this network is over: "
            : info->standing == WRN_REASON_EXCLUDED ? "this machine was thrown out of the network: "
            : info->standing == WRN_REASON_EXPIRED  ? "this machine's membership has ended: "
                                                    : "this machine is no member of the network: ";
        ret_trouble->is_out = true;
    }
    size_t size = strlen(why);
    size -= size > 0 && why[size - 1] == '.';
    (void)snprintf(ret_trouble->text, sizeof ret_trouble->text, "%s%.*s", beginning, (int)size,
                   why);
    if (info->ended_s > 0) {
        (void)snprintf(ret_trouble->fix, sizeof ret_trouble->fix,
                       "forget it: warren network leave %s", info->descriptor->name);
    } else if (ret_trouble->is_out) {
        rejoin(info->descriptor->name, ret_trouble);
    }
}

static void rejoin(const char *name, struct wrn_trouble *trouble) {
    (void)snprintf(
        trouble->fix, sizeof trouble->fix,
        "ask who may invite for an invitation; then: warren network leave %s, and warren "
        "join INVITATION",
        name);
}
