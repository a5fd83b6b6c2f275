/* SPDX-License-Identifier: Apache-2.0 */
/* Client of the `set` operation. Each line is checked here as the daemon will check it, because the
 * daemon's answer is a bare number. */
#include "device/change.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/crypto.h"
#include "device/client.h"
#include "device/key_text.h"
#include "io/cleanup.h"
#include "io/log.h"
#include "wg/uapi.h"

enum { LINE_MAX_BYTES = 256 };

#define BEGIN  "set=1\n"
#define PEER   "peer="
#define UPDATE "\nupdate_only=true"

static int make_line(const char *change, char line[LINE_MAX_BYTES]);
static int check_line(struct wrn_uapi_reader *reader, const char *line, const char **reterr_why);
static int find_peers(const char *interface, char *const *changes, size_t count);
static bool has_peer(const char *answer, const char *base64);
static const char *explain(int error);
static void free_request(char **request);

int wrn_change(const char *interface, char *const *changes, size_t count) {
    WRN_CLEANUP(free_request) char *request = NULL;
    WRN_CLEANUP(wrn_client_free) char *answer = NULL;
    char why[WRN_CHANGE_WHY_SIZE];
    int error = wrn_change_request(changes, count, &request, why);
    if (error != 0) {
        (void)fprintf(stderr, "warren-wg: %s\n", why);
        return error;
    }
    error = find_peers(interface, changes, count);
    if (error != 0) {
        return error;
    }
    error = wrn_client_ask(interface, request, &answer);
    if (error != 0) {
        wrn_client_complain(interface, error);
        return error;
    }
    error = wrn_client_errno(answer);
    if (error != 0) {
        (void)fprintf(stderr, "warren-wg: interface %s refuses the change: %s\n", interface,
                      explain(error));
    }
    return error;
}

int wrn_change_request(char *const *changes, size_t count, char **ret_request,
                       char reterr_why[WRN_CHANGE_WHY_SIZE]) {
    struct wrn_uapi_reader reader = {0};
    size_t room = strlen(BEGIN) + count * LINE_MAX_BYTES + sizeof "\n";
    WRN_CLEANUP(free_request) char *request = calloc(1, room);
    if (request == NULL) {
        (void)snprintf(reterr_why, WRN_CHANGE_WHY_SIZE, "not enough memory");
        return -ENOMEM;
    }
    size_t used = (size_t)snprintf(request, room, BEGIN);
    for (size_t i = 0; i < count; i++) {
        char line[LINE_MAX_BYTES];
        const char *why = "a peer is named by its public key in base64, as `wg show` prints it";
        int error = make_line(changes[i], line);
        error = error != 0 ? error : check_line(&reader, line, &why);
        if (error != 0) {
            char quoted[64];
            wrn_log_quote(changes[i], quoted, sizeof quoted);
            (void)snprintf(reterr_why, WRN_CHANGE_WHY_SIZE, "cannot set %s: %s", quoted, why);
            return -EINVAL;
        }
        used += (size_t)snprintf(request + used, room - used, "%s\n", line);
    }
    (void)snprintf(request + used, room - used, "\n");
    *ret_request = request;
    request = NULL;
    return 0;
}

/* Writes the lines of a `set` that stand for a change: without newline at the end. */
static int make_line(const char *change, char line[LINE_MAX_BYTES]) {
    uint8_t key[WRN_BASE64_KEY_BYTES];
    char hex[WRN_HEX_KEY_SIZE];
    if (strncmp(change, PEER, strlen(PEER)) != 0) {
        /* One too long, or of more than one line, is cut, which the check refuses. */
        (void)snprintf(line, LINE_MAX_BYTES, "%.*s", (int)strcspn(change, "\n"), change);
        return change[strcspn(change, "\n")] == '\0' && strlen(change) < LINE_MAX_BYTES - 1
                   ? 0
                   : -EINVAL;
    }
    if (!wrn_base64_read_key(change + strlen(PEER), key)) {
        return -EINVAL;
    }
    wrn_hex_write_key(key, hex);
    (void)snprintf(line, LINE_MAX_BYTES, "public_key=%s" UPDATE, hex);
    return 0;
}

/* Looks at the lines with the daemon's own eyes. */
static int check_line(struct wrn_uapi_reader *reader, const char *line, const char **reterr_why) {
    wrn_span rest = {(const uint8_t *)line, strlen(line)};
    wrn_span one;
    while (wrn_uapi_next_line(&rest, &one)) {
        struct wrn_uapi_op op;
        int error = wrn_uapi_read_line(reader, one, &op, reterr_why);
        wrn_wipe(&op, sizeof op);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

/* A peer that is not there would be passed over in silence. */
static int find_peers(const char *interface, char *const *changes, size_t count) {
    WRN_CLEANUP(wrn_client_free) char *answer = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(changes[i], PEER, strlen(PEER)) != 0) {
            continue;
        }
        int error = answer == NULL ? wrn_client_ask(interface, "get=1\n\n", &answer) : 0;
        if (error != 0) {
            wrn_client_complain(interface, error);
            return error;
        }
        if (!has_peer(answer, changes[i] + strlen(PEER))) {
            (void)fprintf(stderr,
                          "warren-wg: interface %s has no peer %s; `wg show %s peers` lists them\n",
                          interface, changes[i] + strlen(PEER), interface);
            return -ENOENT;
        }
    }
    return 0;
}

static bool has_peer(const char *answer, const char *base64) {
    uint8_t key[WRN_BASE64_KEY_BYTES];
    char hex[WRN_HEX_KEY_SIZE];
    char line[LINE_MAX_BYTES];
    if (!wrn_base64_read_key(base64, key)) {
        return false;
    }
    wrn_hex_write_key(key, hex);
    (void)snprintf(line, sizeof line, "public_key=%s\n", hex);
    return strstr(answer, line) != NULL;
}

static const char *explain(int error) {
    switch (error) {
    case -EOPNOTSUPP:
        return "its TUN device has a single queue, which only one worker can serve; make it with "
               "IFF_MULTI_QUEUE";
    case -EAGAIN:
        return "no more threads may be started; raise `ulimit -u` of the daemon, or use fewer "
               "workers";
    case -EMFILE:
        return "the daemon has no descriptor left; raise its `ulimit -n`, or use fewer workers";
    case -E2BIG:
        return "the kernel gives the device no more queues; use fewer workers";
    case -EADDRINUSE:
        return "another program uses the port; choose another one, or 0 for any";
    case -EPROTO:
        return "the program behind it is not warren-wg, or an older one that does not know the key";
    default:
        return strerror(-error);
    }
}

static void free_request(char **request) {
    if (*request != NULL) {
        wrn_wipe(*request, strlen(*request));
        free(*request);
        *request = NULL;
    }
}
