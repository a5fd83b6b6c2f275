/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the log. */
#include "device/journal.h"

#include <inttypes.h>

#include "device/peer_name.h"

void wrn_journal_event(struct wrn_log *log, const struct wrn_wg *wg,
                       const struct wrn_wg_event *event) {
    enum wrn_log_level level = wrn_wg_event_is_fault(event->kind) ? WRN_LOG_ERROR : WRN_LOG_VERBOSE;
    char name[WRN_PEER_NAME_SIZE];
    if (log->level < level) {
        return;
    }
    wrn_peer_name(wg, event->peer, name);
    const struct wrn_log_field fields[] = {{"WARREN_PEER", name}, {NULL, NULL}};
    if (event->kind == WRN_WG_EVENT_INITIATION_SENT || event->kind == WRN_WG_EVENT_STATE) {
        wrn_log_write_with(log, WRN_LOG_VERBOSE, fields, "%s - %s (%" PRIu32 ")", name,
                           wrn_wg_event_text(event->kind), event->detail);
    } else {
        wrn_log_write_with(log, level, fields, "%s - %s", name, wrn_wg_event_text(event->kind));
    }
}

void wrn_journal_refusal(struct wrn_log *log, const struct wrn_path *path, int error) {
    if (log->level >= WRN_LOG_VERBOSE) {
        char to[WRN_ENDPOINT_TEXT_SIZE];
        (void)wrn_endpoint_print(&path->remote, to);
        wrn_log_write(log, WRN_LOG_VERBOSE, "sending to %s was refused: %s", to, strerror(-error));
    }
}
