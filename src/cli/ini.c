/* SPDX-License-Identifier: Apache-2.0 */
/* One pass, a line at a time. */
#include "cli/ini.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "io/cleanup.h"

enum { MESSAGE_SIZE = 400 };

static int read_line(struct wrn_cli *cli, char *text, struct wrn_ini_line *line);
static int read_title(struct wrn_cli *cli, char *text, struct wrn_ini_line *line);
static int expand(struct wrn_cli *cli, const struct wrn_ini_line *line,
                  const struct wrn_ini_variable *variables, size_t count, const char **value);
static char *trim(char *text);
static bool is_word(const char *text);

int wrn_ini_read(struct wrn_cli *cli, const char *file, wrn_span text,
                 const struct wrn_ini_variable *variables, size_t variable_count,
                 wrn_ini_fn on_line, void *ctx) {
    struct wrn_ini_line line = {.file = file};
    size_t at = 0;
    int code = WRN_CLI_DONE;
    while (at < text.size && code == WRN_CLI_DONE) {
        const uint8_t *end = memchr(text.data + at, '\n', text.size - at);
        size_t size = end == NULL ? text.size - at : (size_t)(end - (text.data + at));
        char *copy = wrn_cli_take(cli, size + 1, 1);
        memcpy(copy, text.data + at, size);
        at += size + 1;
        line.number++;
        if (memchr(copy, '\0', size) != NULL) {
            return wrn_ini_fail(cli, &line, "there is a zero byte in it: this is no text");
        }
        char *rest = trim(copy);
        if (*rest == '\0' || *rest == '#' || *rest == ';') {
            continue;
        }
        line.key = line.value = NULL;
        code = *rest == '[' ? read_title(cli, rest, &line) : read_line(cli, rest, &line);
        if (code == WRN_CLI_DONE && variables != NULL) {
            code = expand(cli, &line, variables, variable_count,
                          line.key != NULL ? &line.value : &line.name);
        }
        code = code != WRN_CLI_DONE ? code : on_line(cli, ctx, &line);
    }
    return code;
}

int wrn_ini_load(struct wrn_cli *cli, const char *file, size_t max, wrn_span *ret_text) {
    bool is_input = strcmp(file, "-") == 0;
    uint8_t *text = wrn_cli_take(cli, max + 1, 1);
    size_t used = 0;
    ssize_t got = 1;
    WRN_CLEANUP(wrn_close_fd) int fd = is_input ? -1 : open(file, O_RDONLY | O_CLOEXEC);
    if (!is_input && fd < 0) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED, "cannot read %s: %s", wrn_cli_quote(cli, file),
                            strerror(errno));
    }
    while (got > 0 && used <= max) {
        got = read(is_input ? STDIN_FILENO : fd, text + used, max + 1 - used);
        used += got > 0 ? (size_t)got : 0;
    }
    if (got != 0) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED, "cannot read %s: %s", wrn_cli_quote(cli, file),
                            got < 0 ? strerror(errno) : "it is too large to be such a file");
    }
    *ret_text = (wrn_span){text, used};
    return WRN_CLI_DONE;
}

int wrn_ini_fail(struct wrn_cli *cli, const struct wrn_ini_line *line, const char *format, ...) {
    char message[MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return wrn_cli_fail(cli, WRN_CLI_REFUSED, "%s, line %zu: %s",
                        strcmp(line->file, "-") == 0 ? "standard input" : line->file, line->number,
                        message);
}

static int read_line(struct wrn_cli *cli, char *text, struct wrn_ini_line *line) {
    char *equals = strchr(text, '=');
    if (equals == NULL) {
        return wrn_ini_fail(cli, line, "%s is neither [a section], nor a setting = with a value",
                            wrn_cli_quote(cli, text));
    }
    if (line->kind == NULL) {
        return wrn_ini_fail(cli, line, "a setting has to stand in a section: begin with one");
    }
    *equals = '\0';
    line->key = trim(text);
    line->value = trim(equals + 1);
    if (!is_word(line->key)) {
        return wrn_ini_fail(cli, line, "before the = stands the name of a setting, not %s",
                            wrn_cli_quote(cli, line->key));
    }
    return WRN_CLI_DONE;
}

static int read_title(struct wrn_cli *cli, char *text, struct wrn_ini_line *line) {
    size_t size = strlen(text);
    if (text[size - 1] != ']') {
        return wrn_ini_fail(cli, line, "a section's title ends with ]");
    }
    text[size - 1] = '\0';
    char *kind = trim(text + 1);
    char *name = kind;
    while (*name != '\0' && !isspace((unsigned char)*name)) {
        name++;
    }
    if (*name != '\0') {
        *name++ = '\0';
    }
    line->kind = kind;
    line->name = trim(name);
    return is_word(kind) ? WRN_CLI_DONE
                         : wrn_ini_fail(cli, line, "a section is [kind] or [kind name]");
}

static int expand(struct wrn_cli *cli, const struct wrn_ini_line *line,
                  const struct wrn_ini_variable *variables, size_t count, const char **value) {
    const char *text = *value != NULL ? *value : "";
    const char *made = "";
    const char *begin;
    while ((begin = strstr(text, "${")) != NULL) {
        const char *end = strchr(begin, '}');
        const char *found = NULL;
        if (end == NULL) {
            return wrn_ini_fail(cli, line, "a variable ends with }");
        }
        const char *name = wrn_cli_text(cli, "%.*s", (int)(end - begin - 2), begin + 2);
        for (size_t i = 0; i < count; i++) {
            found = strcmp(variables[i].name, name) == 0 ? variables[i].value : found;
        }
        if (found == NULL) {
            return wrn_ini_fail(cli, line, "nobody has said what ${...} is: %s",
                                wrn_cli_quote(cli, name));
        }
        made = wrn_cli_text(cli, "%s%.*s%s", made, (int)(begin - text), text, found);
        text = end + 1;
    }
    *value = wrn_cli_text(cli, "%s%s", made, text);
    return WRN_CLI_DONE;
}

static char *trim(char *text) {
    size_t size = strlen(text);
    while (size > 0 && isspace((unsigned char)text[size - 1])) {
        text[--size] = '\0';
    }
    while (isspace((unsigned char)*text)) {
        text++;
    }
    return text;
}

static bool is_word(const char *text) {
    const char *at = text;
    while (isalnum((unsigned char)*at) || *at == '-' || *at == '_') {
        at++;
    }
    return at != text && *at == '\0';
}
