/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, messages and JSON of one run of `warren`. Reads no file and no argument. */
#include "cli/cli.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>

#include "crypto/crypto.h"
#include "io/log.h"
#include "io/memory.h"

/* A piece of the run's memory. What the caller gets follows the header. */
struct wrn_cli_block {
    struct wrn_cli_block *next;
    size_t size;
    _Alignas(max_align_t) uint8_t bytes[];
};

/* Memory by the page. */
struct wrn_cli_mapping {
    struct wrn_cli_mapping *next;
    void *memory;
    size_t size;
};

enum { REAL_DIGITS = 9 };

static const char *make_text(struct wrn_cli *cli, const char *format, va_list arguments)
    WRN_PRINTF(2, 0);
static void without_memory(struct wrn_cli *cli) __attribute__((noreturn));

void wrn_cli_init(struct wrn_cli *cli, FILE *out, FILE *err, int64_t now_s) {
    *cli = (struct wrn_cli){.out = out, .err = err, .now_s = now_s};
}

void wrn_cli_finish(struct wrn_cli *cli) {
    for (; cli->mappings != NULL; cli->mappings = cli->mappings->next) {
        wrn_memory_unmap(cli->mappings->memory, cli->mappings->size);
    }
    struct wrn_cli_block *block = cli->blocks;
    cli->blocks = NULL;
    while (block != NULL) {
        struct wrn_cli_block *next = block->next;
        wrn_wipe(block->bytes, block->size);
        free(block);
        block = next;
    }
}

void *wrn_cli_take(struct wrn_cli *cli, size_t count, size_t size) {
    struct wrn_cli_block *block = NULL;
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        bytes > SIZE_MAX - sizeof(struct wrn_cli_block)) {
        without_memory(cli);
    }
    block = calloc(1, sizeof *block + bytes);
    if (block == NULL) {
        without_memory(cli);
    }
    block->size = bytes;
    block->next = cli->blocks;
    cli->blocks = block;
    return block->bytes;
}

void *wrn_cli_map(struct wrn_cli *cli, size_t size) {
    struct wrn_cli_mapping *mapping = wrn_cli_take(cli, 1, sizeof *mapping);
    if (wrn_memory_map(size, &mapping->memory) != 0) {
        without_memory(cli);
    }
    mapping->size = size;
    mapping->next = cli->mappings;
    cli->mappings = mapping;
    return mapping->memory;
}

const char *wrn_cli_text(struct wrn_cli *cli, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const char *text = make_text(cli, format, arguments);
    va_end(arguments);
    return text;
}

const char *wrn_cli_quote(struct wrn_cli *cli, const char *text) {
    size_t size = strlen(text) * 4 + 8; /* each byte as \xNN, the quotes, the zero */
    char *quoted = wrn_cli_take(cli, size, 1);
    wrn_log_quote(text, quoted, size);
    return quoted;
}

int wrn_cli_fail(struct wrn_cli *cli, enum wrn_cli_code code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const char *text = make_text(cli, format, arguments);
    va_end(arguments);
    (void)fprintf(cli->err, "warren: %s\n", text);
    if (cli->json) {
        json_t *error = wrn_cli_json_object(cli);
        wrn_cli_json_set(cli, error, "error", wrn_cli_json_text(cli, text));
        wrn_cli_print_json(cli, error);
    }
    return (int)code;
}

void wrn_cli_warn(struct wrn_cli *cli, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(cli->err, "warren: %s\n", make_text(cli, format, arguments));
    va_end(arguments);
}

void wrn_cli_print_json(struct wrn_cli *cli, json_t *json) {
    (void)json_dumpf(json, cli->out,
                     JSON_INDENT(2) |
                         JSON_REAL_PRECISION(REAL_DIGITS)); /* the program's end looks at 'out' */
    (void)fputc('\n', cli->out);
    json_decref(json);
}

json_t *wrn_cli_json_text(struct wrn_cli *cli, const char *text) {
    if (text == NULL) {
        return json_null();
    }
    json_t *json = json_string(text);
    if (json == NULL) { /* not UTF-8, or no memory */
        size_t size = strlen(text) + 1;
        char *copy = wrn_cli_take(cli, size, 1);
        for (size_t i = 0; i < size; i++) {
            copy[i] = (char)((unsigned char)text[i] < 0x80 ? text[i] : '?');
        }
        json = json_string(copy);
    }
    if (json == NULL) {
        without_memory(cli);
    }
    return json;
}

void wrn_cli_json_set(struct wrn_cli *cli, json_t *object, const char *name, json_t *value) {
    if (json_object_set_new(object, name, value) != 0) {
        without_memory(cli);
    }
}

void wrn_cli_json_append(struct wrn_cli *cli, json_t *list, json_t *value) {
    if (json_array_append_new(list, value) != 0) {
        without_memory(cli);
    }
}

json_t *wrn_cli_json_object(struct wrn_cli *cli) {
    json_t *object = json_object();
    if (object == NULL) {
        without_memory(cli);
    }
    return object;
}

json_t *wrn_cli_json_list(struct wrn_cli *cli) {
    json_t *list = json_array();
    if (list == NULL) {
        without_memory(cli);
    }
    return list;
}

static const char *make_text(struct wrn_cli *cli, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    size_t size = length < 0 ? 1 : (size_t)length + 1;
    char *text = wrn_cli_take(cli, size, 1);
    if (length > 0) {
        (void)vsnprintf(text, size, format, again);
    }
    va_end(again);
    return text;
}

/* A program that answers one question has nothing to save: it ends, and the system frees all. What
 * is being written exists under a temporary name only (files.c). */
static void without_memory(struct wrn_cli *cli) {
    (void)fputs("warren: no memory is left; end other programs and try again\n", cli->err);
    wrn_cli_finish(cli);
    exit(WRN_CLI_REFUSED);
}
