/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of text. */
#include "daemon/metrics_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROOM_FIRST = 16 << 10, MICRO = 1000000 };

static void put(struct wrn_metrics_text *text, const char *format, ...) WRN_PRINTF(2, 3);
static void put_labels(struct wrn_metrics_text *text, const struct wrn_metrics_label *labels);
static void put_escaped(struct wrn_metrics_text *text, const char *value);
static bool make_room(struct wrn_metrics_text *text, size_t size);

void wrn_metrics_family(struct wrn_metrics_text *text, const char *name, const char *type,
                        const char *help) {
    put(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void wrn_metrics_sample(struct wrn_metrics_text *text, const char *name,
                        const struct wrn_metrics_label *labels, uint64_t value) {
    put(text, "%s", name);
    put_labels(text, labels);
    put(text, " %" PRIu64 "\n", value);
}

void wrn_metrics_sample_micro(struct wrn_metrics_text *text, const char *name,
                              const struct wrn_metrics_label *labels, uint64_t micro) {
    put(text, "%s", name);
    put_labels(text, labels);
    put(text, " %" PRIu64 ".%06u\n", micro / MICRO, (unsigned)(micro % MICRO));
}

static void put(struct wrn_metrics_text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || !make_room(text, (size_t)length + 1)) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text->bytes + text->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->size += (size_t)length;
}

static void put_labels(struct wrn_metrics_text *text, const struct wrn_metrics_label *labels) {
    for (size_t i = 0; labels != NULL && labels[i].name != NULL; i++) {
        put(text, "%s%s=\"", i == 0 ? "{" : ",", labels[i].name);
        put_escaped(text, labels[i].value);
        put(text, "\"%s", labels[i + 1].name == NULL ? "}" : "");
    }
}

/* Bytes that are no ASCII become question marks: they might be no UTF-8, and none of our names has
 * them. */
static void put_escaped(struct wrn_metrics_text *text, const char *value) {
    size_t length = strlen(value);
    if (!make_room(text, 2 * length + 1)) {
        return;
    }
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c == '\\' || c == '"' || c == '\n') {
            text->bytes[text->size++] = '\\';
            c = c == '\n' ? 'n' : c;
        }
        text->bytes[text->size++] = (char)(c < 0x20 || c >= 0x7f ? '?' : c);
    }
    text->bytes[text->size] = '\0';
}

static bool make_room(struct wrn_metrics_text *text, size_t size) {
    if (text->is_lost || size > WRN_METRICS_SIZE_MAX - text->size) {
        text->is_lost = true;
        return false;
    }
    if (text->size + size <= text->room) {
        return true;
    }
    size_t room = text->room == 0 ? (size_t)ROOM_FIRST : text->room;
    while (room < text->size + size) {
        room *= 2;
    }
    char *larger = realloc(text->bytes, room);
    if (larger == NULL) {
        text->is_lost = true;
        return false;
    }
    text->bytes = larger;
    text->room = room;
    return true;
}
