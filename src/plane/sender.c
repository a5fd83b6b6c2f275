/* SPDX-License-Identifier: Apache-2.0 */
/* Routes are looked at once for each run of datagrams with the same path. */
#include "plane/sender.h"

#include <stdlib.h>

#include "wg/path_cell.h"

static void give_up_sources(struct wrn_sender *sender, wrn_mono now, uint32_t mark);

int wrn_sender_init(struct wrn_sender *sender) {
    *sender = (struct wrn_sender){0};
    int error = wrn_route_create(&sender->route);
    error = error != 0 ? error : wrn_udp_scratch_create(&sender->scratch);
    if (error != 0) {
        wrn_sender_finish(sender);
    }
    return error;
}

void wrn_sender_finish(struct wrn_sender *sender) {
    wrn_route_destroy(sender->route);
    free(sender->scratch);
    *sender = (struct wrn_sender){0};
}

void wrn_sender_send(struct wrn_sender *sender, wrn_mono now, struct wrn_udp *udp) {
    if (sender->count == 0) {
        return;
    }
    give_up_sources(sender, now, udp->mark);
    wrn_udp_send(udp, sender->scratch, sender->batch, sender->count);
    for (size_t i = 0; i < sender->count; i++) {
        sender->batch[i].source_refused |= sender->moved[i];
    }
}

/* Lets the kernel choose the source where the way to the peer has moved to another interface. */
static void give_up_sources(struct wrn_sender *sender, wrn_mono now, uint32_t mark) {
    struct wrn_path looked_at = {0};
    bool holds = true;
    bool known = false;
    for (size_t i = 0; i < sender->count; i++) {
        struct wrn_path *path = &sender->batch[i].path;
        sender->moved[i] = false;
        if (wrn_handle_equal(sender->receivers[i], WRN_HANDLE_NONE)) {
            continue; /* answers to strangers, who may be many: no look-up is worth it */
        }
        if (!known || !wrn_path_equal(path, &looked_at)) {
            looked_at = *path;
            holds = wrn_route_holds(sender->route, now, path, mark);
            known = true;
        }
        if (!holds) {
            *path = (struct wrn_path){.remote = path->remote};
            sender->moved[i] = true;
        }
    }
}
