/* SPDX-License-Identifier: Apache-2.0 */
/* A datagram socket and a few bytes around each text: no library is needed for that. */
#include "io/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/cleanup.h"

#define SOCKET_PATH "/run/systemd/journal/socket"

static bool leads_to_journal(void);
static void put(struct wrn_journal_entry *entry, const void *bytes, size_t size);

/* NAME=VALUE and a line's end; if the value has such in it, NAME, a line's end, the value's size in
 * 8 bytes, least first, the value and a line's end. */
void wrn_journal_put(struct wrn_journal_entry *entry, const char *name, const char *value) {
    if (value == NULL) {
        return;
    }
    size_t size = strlen(value);
    size_t name_size = strlen(name);
    bool is_one_line = strchr(value, '\n') == NULL;
    if (name_size + size + 10 > sizeof entry->bytes - entry->size) {
        return;
    }
    put(entry, name, name_size);
    if (is_one_line) {
        put(entry, "=", 1);
    } else {
        uint8_t count[8];
        for (size_t i = 0; i < sizeof count; i++) {
            count[i] = (uint8_t)((uint64_t)size >> (8 * i));
        }
        put(entry, "\n", 1);
        put(entry, count, sizeof count);
    }
    put(entry, value, size);
    put(entry, "\n", 1);
}

int wrn_journal_open(void) {
    static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET_PATH};
    if (!leads_to_journal()) {
        return -ENOENT;
    }
    WRN_CLEANUP(wrn_close_fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        return -errno;
    }
    return wrn_take_fd(&fd);
}

int wrn_journal_send(int fd, const struct wrn_journal_entry *entry) {
    ssize_t put = send(fd, entry->bytes, entry->size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return put < 0 ? -errno : 0;
}

/* "DEVICE:INODE" of what the service manager connected with the journal: a child of ours whose
 * standard error is something else has the same environment. */
static bool leads_to_journal(void) {
    char text[64];
    struct stat status;
    const char *stream = getenv("JOURNAL_STREAM");
    if (stream == NULL || fstat(STDERR_FILENO, &status) != 0) {
        return false;
    }
    (void)snprintf(text, sizeof text, "%" PRIuMAX ":%" PRIuMAX, (uintmax_t)status.st_dev,
                   (uintmax_t)status.st_ino);
    return strcmp(stream, text) == 0;
}

static void put(struct wrn_journal_entry *entry, const void *bytes, size_t size) {
    memcpy(entry->bytes + entry->size, bytes, size);
    entry->size += size;
}
