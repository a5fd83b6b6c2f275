/* SPDX-License-Identifier: Apache-2.0 */
/* Prints help from the table of commands. */
#include "cli/help.h"

#include <jansson.h>

enum { COLUMNS = 79, INDENT = 8, OPTION_COLUMN = 24, SHOWN_MAX = 80 };

static void print_usage(FILE *out, const struct wrn_command *command);
static size_t print_piece(FILE *out, size_t column, const char *piece);
static void print_option(FILE *out, const char *left, const char *help);
static void describe_option(const struct wrn_option *option, char shown[SHOWN_MAX]);
static void print_commands(FILE *out, const struct wrn_command_table *table, const char *group);

void wrn_help_program(FILE *out, const struct wrn_command_table *table) {
    (void)fprintf(out, "warren %s: %s\n\nusage: warren COMMAND [OPTION]... [--json]\n\n",
                  table->version, table->about);
    if (table->singles != NULL) {
        (void)fprintf(out, "%s\n", table->singles);
        for (size_t i = 0; i < table->command_count; i++) {
            if (strchr(table->commands[i]->name, ' ') == NULL) {
                print_option(out, table->commands[i]->name, table->commands[i]->summary);
            }
        }
        (void)fputc('\n', out);
    }
    for (size_t i = 0; i < table->group_count; i++) {
        (void)fprintf(out, "%s\n", table->groups[i].summary);
        print_commands(out, table, table->groups[i].name);
        (void)fputc('\n', out);
    }
    (void)fputs("Every command has --help with an example, and --json for scripts.\n"
                "Exit codes: 0 done or granted, 1 refused, 2 wrong usage, 3 no daemon.\n\n"
                "Example: warren up && warren network create home && warren invite home\n",
                out);
}

void wrn_help_group(FILE *out, const struct wrn_command_table *table,
                    const struct wrn_command_group *group) {
    const struct wrn_command *first = NULL;
    (void)fprintf(out, "usage: warren %s COMMAND [OPTION]...\n\n%s\n", group->name, group->summary);
    print_commands(out, table, group->name);
    for (size_t i = 0; i < table->command_count && first == NULL; i++) {
        const char *name = table->commands[i]->name;
        size_t length = strlen(group->name);
        if (strncmp(name, group->name, length) == 0 && name[length] == ' ') {
            first = table->commands[i];
        }
    }
    (void)fprintf(out, "\nMore: warren %s COMMAND --help\n", group->name);
    if (first != NULL) {
        (void)fprintf(out, "\nExample:\n%s", first->example);
    }
}

void wrn_help_command(FILE *out, const struct wrn_command *command) {
    char shown[SHOWN_MAX];
    print_usage(out, command);
    (void)fprintf(out, "\n%s\n\n", command->summary);
    for (size_t i = 0; i < command->option_count; i++) {
        describe_option(&command->options[i], shown);
        print_option(out, shown, command->options[i].help);
    }
    print_option(out, "--json", "answer in JSON");
    (void)fprintf(out, "\n%s\nExample:\n%s", command->details, command->example);
}

void wrn_help_version(struct wrn_cli *cli, const struct wrn_command_table *table) {
    if (cli->json) {
        json_t *json = wrn_cli_json_object(cli);
        wrn_cli_json_set(cli, json, "version", wrn_cli_json_text(cli, table->version));
        wrn_cli_print_json(cli, json);
        return;
    }
    (void)fprintf(cli->out, "warren %s\n", table->version);
}

static void print_usage(FILE *out, const struct wrn_command *command) {
    char shown[SHOWN_MAX];
    char piece[SHOWN_MAX + 8];
    size_t column = (size_t)fprintf(out, "usage: warren %s", command->name);
    for (size_t i = 0; i < command->option_count; i++) {
        const struct wrn_option *option = &command->options[i];
        bool is_needed =
            option->rule == WRN_OPTION_NEEDED || option->rule == WRN_OPTION_NEEDED_REPEATS;
        bool repeats =
            option->rule == WRN_OPTION_REPEATS || option->rule == WRN_OPTION_NEEDED_REPEATS;
        describe_option(option, shown);
        (void)snprintf(piece, sizeof piece, is_needed ? "%s%s" : "[%s]%s", shown,
                       repeats ? "..." : "");
        column = print_piece(out, column, piece);
    }
    if (command->operand != NULL) {
        bool is_list = strchr(command->operand, ' ') != NULL; /* names each */
        (void)snprintf(piece, sizeof piece, command->operands_min > 0 ? "%s%s" : "[%s]%s",
                       command->operand, command->operands_max > 1 && !is_list ? "..." : "");
        (void)print_piece(out, column, piece);
    }
    (void)fputc('\n', out);
}

/* Prints a piece of the usage behind 'column', on a new line if it does not fit. Returns the new
 * column. */
static size_t print_piece(FILE *out, size_t column, const char *piece) {
    size_t length = strlen(piece);
    if (column + 1 + length > COLUMNS) {
        (void)fprintf(out, "\n%*s%s", INDENT, "", piece);
        return INDENT + length;
    }
    (void)fprintf(out, " %s", piece);
    return column + 1 + length;
}

/* Prints a line of a list of two columns; the right one goes on below itself. */
static void print_option(FILE *out, const char *left, const char *help) {
    size_t width = strlen(left);
    (void)fprintf(out, "  %s", left);
    if (width + 3 > OPTION_COLUMN) {
        (void)fputc('\n', out);
        (void)fprintf(out, "%*s", OPTION_COLUMN, "");
    } else {
        (void)fprintf(out, "%*s", (int)(OPTION_COLUMN - width - 2), "");
    }
    size_t column = OPTION_COLUMN;
    while (*help != '\0') {
        size_t length = strcspn(help, " ");
        if (column > OPTION_COLUMN && column + length > COLUMNS) {
            (void)fprintf(out, "\n%*s", OPTION_COLUMN, "");
            column = OPTION_COLUMN;
        }
        (void)fprintf(out, "%s%.*s", column > OPTION_COLUMN ? " " : "", (int)length, help);
        column += length + 1;
        help += length + strspn(help + length, " ");
    }
    (void)fputc('\n', out);
}

static void describe_option(const struct wrn_option *option, char shown[SHOWN_MAX]) {
    if (option->kind == WRN_OPTION_FLAG) {
        (void)snprintf(shown, SHOWN_MAX, "--%s", option->name);
    } else if (option->kind == WRN_OPTION_VALUE) {
        (void)snprintf(shown, SHOWN_MAX, "--%s %s", option->name, option->value);
    } else {
        (void)snprintf(shown, SHOWN_MAX, "--%s[=%s]", option->name, option->value);
    }
}

static void print_commands(FILE *out, const struct wrn_command_table *table, const char *group) {
    size_t length = strlen(group);
    for (size_t i = 0; i < table->command_count; i++) {
        const struct wrn_command *command = table->commands[i];
        if (strncmp(command->name, group, length) == 0 &&
            (command->name[length] == ' ' || command->name[length] == '\0')) {
            print_option(out, command->name, command->summary);
        }
    }
}
