/* SPDX-License-Identifier: Apache-2.0 */
/* One JSON text a line. What people do is synced; what others bring about is not, and only so much
 * of it a second is written: strangers must not wear the disk. */
#include "daemon/audit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "crypto/identity.h"
#include "daemon/methods_internal.h"
#include "io/cleanup.h"
#include "io/clock.h"

#define FILE_NAME "audit"
#define OLD_NAME  "audit.1"

enum { BURST = 200, PER_S = 10, TIME_SIZE = 32, TAIL_MAX = 1 << 20, COMPLAIN_S = 60 };

struct wrn_audit {
    struct wrn_daemon *daemon;
    struct wrn_daemon_listener listener;
    int fd; /* -1: it could not be opened */
    uint64_t size;
    uint32_t tokens; /* entries about others that may be written now */
    wrn_mono refilled;
    uint64_t left_out;   /* since the last one that was written */
    wrn_mono complained; /* about the disk; zero: never */
};

static void on_event(void *ctx, wrn_handle network, const struct wrn_node_event *event);
static bool is_about_membership(enum wrn_node_event_kind kind);
static void set_network(const struct wrn_audit *audit, json_t *entry, wrn_handle network);
static void set_certificate(const struct wrn_audit *audit, json_t *entry, wrn_handle network,
                            const uint8_t hit[WRN_HIT_SIZE]);
static bool is_decision(const char *method);
static wrn_handle network_of(const struct wrn_audit *audit, const json_t *params);
static json_t *who_was_meant(const json_t *params, const json_t *result);
static json_t *details_of(const json_t *params);
static bool take_token(struct wrn_audit *audit);
static void write_entry(struct wrn_audit *audit, json_t *entry, bool is_synced);
static int open_file(struct wrn_audit *audit);
static int append(struct wrn_audit *audit, const char *line, size_t size, bool is_synced);
static void complain(struct wrn_audit *audit, int error);
static void read_tail(const struct wrn_audit *audit, const char *name, const char *network_id,
                      json_t *list);

int wrn_audit_create(struct wrn_daemon *daemon, struct wrn_audit **ret_audit) {
    struct wrn_audit *audit = calloc(1, sizeof *audit);
    if (audit == NULL) {
        return -ENOMEM;
    }
    *audit = (struct wrn_audit){.daemon = daemon, .fd = -1, .tokens = BURST};
    int error = open_file(audit);
    if (error != 0) {
        complain(audit, error);
    }
    audit->listener = (struct wrn_daemon_listener){.ctx = audit, .on_event = on_event};
    wrn_daemon_listen(daemon, &audit->listener);
    *ret_audit = audit;
    return 0;
}

void wrn_audit_destroy(struct wrn_audit *audit) {
    if (audit == NULL) {
        return;
    }
    wrn_daemon_unlisten(audit->daemon, &audit->listener);
    wrn_close_fd(&audit->fd);
    free(audit);
}

void wrn_audit_call(struct wrn_audit *audit, const char *method,
                    const struct wrn_audit_caller *caller, const json_t *params,
                    const json_t *result, const char *why) {
    if (!is_decision(method)) {
        return;
    }
    json_t *entry = json_object();
    const json_t *id = json_object_get(result, "id");
    bool is_invitation = strncmp(method, "invit", 5) == 0;
    wrn_json_set(entry, "what", json_string(method));
    if (strncmp(method, "network.", 8) == 0 || strcmp(method, "join") == 0) {
        const char *name = json_string_value(json_object_get(params, "network"));
        name = name != NULL ? name : json_string_value(json_object_get(params, "name"));
        name = name != NULL ? name : json_string_value(json_object_get(result, "name"));
        wrn_json_set(entry, "network", wrn_rpc_json_text(name));
        wrn_json_set(entry, "network_id",
                     !is_invitation && json_is_string(id) ? json_copy((json_t *)(uintptr_t)id)
                                                          : json_null());
    } else {
        set_network(audit, entry, network_of(audit, params));
    }
    wrn_json_set(entry, "who", who_was_meant(params, result));
    wrn_json_set(
        entry, "by",
        json_pack("{s:I, s:I}", "uid", (json_int_t)caller->uid, "pid", (json_int_t)caller->pid));
    const json_t *issued = is_invitation ? id : json_object_get(result, "certificate");
    if (json_is_string(issued)) {
        wrn_json_set(entry, "certificate", json_pack("{s:s}", "hash", json_string_value(issued)));
    }
    const json_t *revoked = json_object_get(result, "revoked");
    if (!is_invitation && json_is_integer(revoked)) {
        wrn_json_set(entry, "revoked", json_integer(json_integer_value(revoked)));
    }
    wrn_json_set(entry, "done", json_boolean(why == NULL));
    wrn_json_set(entry, "why", wrn_rpc_json_text(why));
    wrn_json_set(entry, "details", details_of(params));
    write_entry(audit, entry, true);
}

json_t *wrn_audit_read(const struct wrn_audit *audit, const char *network_id, size_t count) {
    json_t *list = json_array();
    read_tail(audit, OLD_NAME, network_id, list);
    read_tail(audit, FILE_NAME, network_id, list);
    while (json_array_size(list) > count) {
        size_t surplus = json_array_size(list) - count;
        json_t *kept = json_array();
        for (size_t i = surplus; i < json_array_size(list); i++) {
            (void)json_array_append(kept, json_array_get(list, i));
        }
        json_decref(list);
        list = kept;
    }
    return list;
}

/* ---- what happens ---- */

static void on_event(void *ctx, wrn_handle network, const struct wrn_node_event *event) {
    struct wrn_audit *audit = ctx;
    if (!is_about_membership(event->kind)) {
        return;
    }
    if (!take_token(audit)) {
        audit->left_out++;
        return;
    }
    json_t *entry = json_object();
    wrn_json_set(entry, "what", json_string(wrn_node_event_name(event->kind)));
    set_network(audit, entry, network);
    json_t *hit = wrn_json_hit(event->hit);
    json_t *by = wrn_json_hit(event->by);
    wrn_json_set(
        entry, "who",
        json_is_null(hit)
            ? json_null()
            : json_pack("{s:O, s:o}", "hit", hit, "name",
                        event->label[0] != '\0' ? wrn_rpc_json_text(event->label) : json_null()));
    wrn_json_set(entry, "by", json_is_null(by) ? json_null() : json_pack("{s:O}", "hit", by));
    json_decref(hit);
    json_decref(by);
    set_certificate(audit, entry, network, event->hit);
    bool is_refusal = event->kind == WRN_NODE_EVENT_PEER_REFUSED_KIND;
    wrn_json_set(entry, "done", json_boolean(!is_refusal));
    wrn_json_set(entry, "why",
                 event->reason == WRN_REASON_NONE ? json_null()
                                                  : json_string(wrn_reason_name(event->reason)));
    wrn_json_set(entry, "until_s", wrn_json_time(event->until_s));
    wrn_json_set(entry, "text", wrn_rpc_json_text(event->text));
    write_entry(audit, entry, false);
}

static bool is_about_membership(enum wrn_node_event_kind kind) {
    switch ((int)kind) {
    case WRN_NODE_EVENT_PEER_UP_KIND:
    case WRN_NODE_EVENT_PEER_REFUSED_KIND:
    case WRN_NODE_EVENT_REVOKED_KIND:
    case WRN_NODE_EVENT_SELF_REVOKED_KIND:
    case WRN_NODE_EVENT_ENDED_KIND:
    case WRN_NODE_EVENT_RENEWED_KIND:
    case WRN_NODE_EVENT_EXPIRED_KIND:
    case WRN_NODE_EVENT_GRANTED_KIND:
    case WRN_NODE_EVENT_INVITATION_SPENT_KIND:
        return true;
    default:
        return false;
    }
}

static void set_network(const struct wrn_audit *audit, json_t *entry, wrn_handle network) {
    const struct wrn_descriptor *descriptor =
        wrn_node_descriptor(wrn_daemon_node(audit->daemon), network);
    wrn_json_set(entry, "network",
                 descriptor != NULL ? json_string(descriptor->name) : json_null());
    wrn_json_set(entry, "network_id",
                 descriptor != NULL ? wrn_json_hex(descriptor->id, sizeof descriptor->id)
                                    : json_null());
}

/* By which a peer is a member: the last one of its chain, and the key that issued it. */
static void set_certificate(const struct wrn_audit *audit, json_t *entry, wrn_handle network,
                            const uint8_t hit[WRN_HIT_SIZE]) {
    static const uint8_t none[WRN_SHA256_SIZE];
    struct wrn_node_peer_info peer;
    uint32_t cursor = 0;
    while (wrn_node_next_peer(wrn_daemon_node(audit->daemon), network, &cursor, &peer)) {
        if (memcmp(peer.hit, hit, sizeof peer.hit) != 0) {
            continue;
        }
        uint8_t issuer[WRN_HIT_SIZE];
        if (memcmp(peer.cert.hash, none, sizeof none) == 0) {
            return; /* the owner needs none */
        }
        wrn_hit(peer.cert.issuer, issuer);
        wrn_json_set(entry, "certificate",
                     json_pack("{s:o, s:o}", "hash",
                               wrn_json_hex(peer.cert.hash, sizeof peer.cert.hash), "issuer",
                               wrn_json_hit(issuer)));
        return;
    }
}

/* ---- calls ---- */

static bool is_decision(const char *method) {
    static const char *const methods[] = {
        "network.create",    "network.leave", "network.delete", "invite",        "invitation.show",
        "invitation.revoke", "join",          "member.promote", "member.demote", "member.revoke"};
    for (size_t i = 0; i < WRN_COUNT(methods); i++) {
        if (strcmp(methods[i], method) == 0) {
            return true;
        }
    }
    return false;
}

/* The one that is named, or the only one. */
static wrn_handle network_of(const struct wrn_audit *audit, const json_t *params) {
    const struct wrn_node *node = wrn_daemon_node(audit->daemon);
    const char *name = json_string_value(json_object_get(params, "network"));
    uint32_t cursor = 0;
    bool is_many = false;
    if (name != NULL) {
        return wrn_node_find(node, (wrn_span){(const uint8_t *)name, strlen(name)}, &is_many);
    }
    wrn_handle first = wrn_node_next(node, &cursor);
    wrn_handle second = first.generation != 0 ? wrn_node_next(node, &cursor) : first;
    return second.generation == 0 ? first : WRN_HANDLE_NONE;
}

/* As the result says, which has found out who it is; else as the caller called him. */
static json_t *who_was_meant(const json_t *params, const json_t *result) {
    const json_t *hit = json_object_get(result, "hit");
    const json_t *name = json_object_get(result, "name");
    const json_t *member = json_object_get(params, "member");
    if (member == NULL) {
        return json_null();
    }
    return json_is_string(hit) && name != NULL ? json_pack("{s:O, s:O}", "hit", hit, "name", name)
                                               : json_pack("{s:n, s:O}", "hit", "name", member);
}

/* What the caller wanted, by names that hold no secret. */
static json_t *details_of(const json_t *params) {
    static const char *const kept[] = {
        "rights", "until_s", "may_delegate", "uses",      "may_invite", "no_relay", "addresses",
        "allow",  "id",      "kind",         "host_name", "open",       "ipv4",     "ipv6"};
    json_t *details = json_object();
    for (size_t i = 0; i < WRN_COUNT(kept); i++) {
        json_t *value = json_object_get(params, kept[i]);
        if (value != NULL) {
            wrn_json_set(details, kept[i], json_incref(value));
        }
    }
    return details;
}

/* ---- the file ---- */

static bool take_token(struct wrn_audit *audit) {
    wrn_mono now = wrn_clock_read().mono;
    uint64_t earned = wrn_mono_since(now, audit->refilled) / (WRN_S(1) / PER_S);
    if (earned > 0) {
        audit->tokens = earned + audit->tokens > BURST ? BURST : (uint32_t)earned + audit->tokens;
        audit->refilled = now;
    }
    if (audit->tokens == 0) {
        return false;
    }
    audit->tokens--;
    return true;
}

/* Gives 'entry' up. */
static void write_entry(struct wrn_audit *audit, json_t *entry, bool is_synced) {
    char stamp[TIME_SIZE] = "";
    struct tm utc;
    int64_t now_s = wrn_clock_read().wall.s;
    time_t s = (time_t)now_s;
    if (gmtime_r(&s, &utc) != NULL) {
        (void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    wrn_json_set(entry, "time", json_string(stamp));
    wrn_json_set(entry, "time_s", json_integer(now_s));
    if (audit->left_out > 0) {
        wrn_json_set(entry, "left_out", json_integer((json_int_t)audit->left_out));
    }
    char *line = entry != NULL ? json_dumps(entry, JSON_COMPACT) : NULL;
    json_decref(entry);
    size_t size = line != NULL ? strlen(line) : 0;
    if (line != NULL) {
        line[size] = '\n'; /* instead of the zero byte */
    }
    int error = line == NULL ? -ENOMEM : append(audit, line, size + 1, is_synced);
    if (error != 0) {
        complain(audit, error);
    } else {
        audit->left_out = 0;
    }
    free(line);
}

/* A line that a crash has cut is ended, so that the next one is one of its own. */
static int open_file(struct wrn_audit *audit) {
    struct stat status;
    char last = '\n';
    audit->fd = openat(wrn_daemon_folder(audit->daemon), FILE_NAME,
                       O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (audit->fd < 0 || fstat(audit->fd, &status) != 0) {
        return -errno;
    }
    audit->size = (uint64_t)status.st_size;
    if (status.st_size > 0 && pread(audit->fd, &last, 1, status.st_size - 1) != 1) {
        return -errno;
    }
    if (last != '\n') {
        if (write(audit->fd, "\n", 1) != 1) {
            return -errno;
        }
        audit->size++;
    }
    return 0;
}

/* One write, so that a line is there as a whole; what a full disk has cut is taken back. */
static int append(struct wrn_audit *audit, const char *line, size_t size, bool is_synced) {
    int folder = wrn_daemon_folder(audit->daemon);
    if (audit->fd >= 0 && audit->size + size > WRN_AUDIT_FILE_MAX) {
        wrn_close_fd(&audit->fd);
        audit->fd = -1;
        if (renameat(folder, FILE_NAME, folder, OLD_NAME) != 0) {
            return -errno;
        }
    }
    int error = audit->fd < 0 ? open_file(audit) : 0;
    if (error != 0) {
        return error;
    }
    ssize_t put = write(audit->fd, line, size);
    if (put != (ssize_t)size) {
        error = put < 0 ? -errno : -ENOSPC;
        return put > 0 && ftruncate(audit->fd, (off_t)audit->size) != 0 ? -errno : error;
    }
    audit->size += size;
    return is_synced && fdatasync(audit->fd) != 0 ? -errno : 0;
}

/* Once a minute at most. */
static void complain(struct wrn_audit *audit, int error) {
    wrn_mono now = wrn_clock_read().mono;
    audit->left_out++;
    if (audit->complained.ns == 0 || wrn_mono_since(now, audit->complained) > WRN_S(COMPLAIN_S)) {
        audit->complained = now;
        wrn_log_write(wrn_daemon_log(audit->daemon), WRN_LOG_ERROR,
                      "cannot write to %s/" FILE_NAME ", decisions are not written down: %s; make "
                      "room there",
                      wrn_daemon_options(audit->daemon)->state, strerror(-error));
    }
}

/* Appends the entries of the last bytes of a file. A line that is none is passed over. */
static void read_tail(const struct wrn_audit *audit, const char *name, const char *network_id,
                      json_t *list) {
    struct stat status;
    WRN_CLEANUP(wrn_close_fd)
    int fd = openat(wrn_daemon_folder(audit->daemon), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return;
    }
    off_t from = status.st_size > TAIL_MAX ? status.st_size - TAIL_MAX : 0;
    size_t room = (size_t)(status.st_size - from);
    char *bytes = room > 0 ? malloc(room) : NULL;
    ssize_t got = bytes != NULL ? pread(fd, bytes, room, from) : 0;
    const char *at = bytes;
    const char *last = bytes + (got > 0 ? got : 0);
    const char *end;
    if (from > 0 && at < last) { /* it begins within a line */
        end = memchr(at, '\n', (size_t)(last - at));
        at = end != NULL ? end + 1 : last;
    }
    while (at < last && (end = memchr(at, '\n', (size_t)(last - at))) != NULL) {
        json_t *entry = json_loadb(at, (size_t)(end - at), 0, NULL);
        const char *id = json_string_value(json_object_get(entry, "network_id"));
        if (json_is_object(entry) &&
            (network_id == NULL || (id != NULL && strcmp(id, network_id) == 0))) {
            (void)json_array_append(list, entry);
        }
        json_decref(entry);
        at = end + 1;
    }
    free(bytes);
}
