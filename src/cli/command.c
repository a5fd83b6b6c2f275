/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a command line against the table of commands. Knows no command by name. */
#include "cli/command.h"

#include "cli/help.h"

enum { WORD_MAX = 32 };

/* The reading of one command's arguments. */
struct reading {
    struct wrn_cli *cli;
    const struct wrn_command *command;
    int argc;
    char *const *argv;
    int next;
    size_t *firsts;
    const char **found; /* by option: all values in the order of argv, 'argc' places each */
    size_t *counts;
    const char **operands;
    size_t operand_count;
    bool options_end;
    bool wants_help;
};

static int show_group(struct wrn_cli *cli, const struct wrn_command_table *table, const char *name,
                      const char *word, bool is_help);
static int run_command(struct wrn_cli *cli, const struct wrn_command *command, int argc,
                       char *const *argv, int next);
static int read_all(struct reading *r);
static int take_option(struct reading *r, const char *argument);
static int take_value(struct reading *r, size_t index, const char *argument);
static int check(const struct reading *r);
static const char *missing_operands(const struct reading *r);
static void collect(const struct reading *r, struct wrn_args *ret_args);
static int unknown_command(struct wrn_cli *cli, const struct wrn_command_table *table,
                           const char *group, const char *word);
static int unknown_option(struct reading *r, const char *argument, const char *name, size_t length);
static const struct wrn_command *find_command(const struct wrn_command_table *table,
                                              const char *first, const char *second);
static const struct wrn_command_group *find_group(const struct wrn_command_table *table,
                                                  const char *name);
static size_t option_index(const struct wrn_args *args, const char *name);
static bool asks_for_help(const char *word);
static bool asks_for_json(int argc, char *const *argv);

int wrn_command_main(struct wrn_cli *cli, const struct wrn_command_table *table, int argc,
                     char *const *argv) {
    int next = 1;
    cli->json = asks_for_json(argc, argv);
    while (next < argc && strcmp(argv[next], "--json") == 0) {
        next++;
    }
    const char *first = next < argc ? argv[next] : NULL;
    if (first != NULL && (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0)) {
        wrn_help_version(cli, table);
        return WRN_CLI_DONE;
    }
    bool is_help = first != NULL && asks_for_help(first);
    if (is_help) { /* "warren help cert issue" too */
        first = ++next < argc ? argv[next] : NULL;
    }
    if (first == NULL && !is_help && cli->json) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "a command is missing; see: warren --help");
    }
    if (first == NULL) {
        wrn_help_program(is_help ? cli->out : cli->err, table);
        return is_help ? WRN_CLI_DONE : WRN_CLI_USAGE;
    }
    const char *second = next + 1 < argc ? argv[next + 1] : NULL;
    const struct wrn_command *command = find_command(table, first, second);
    if (command == NULL) {
        return show_group(cli, table, first, second, is_help);
    }
    if (is_help) {
        wrn_help_command(cli->out, command);
        return WRN_CLI_DONE;
    }
    next += strchr(command->name, ' ') != NULL ? 2 : 1;
    return run_command(cli, command, argc, argv, next);
}

bool wrn_args_has(const struct wrn_args *args, const char *name) {
    size_t i = option_index(args, name);
    return args->firsts[i] != args->firsts[i + 1];
}

const char *wrn_args_value(const struct wrn_args *args, const char *name) {
    size_t i = option_index(args, name);
    return args->firsts[i] == args->firsts[i + 1] ? NULL : args->values[args->firsts[i + 1] - 1];
}

size_t wrn_args_values(const struct wrn_args *args, const char *name,
                       const char *const **ret_values) {
    size_t i = option_index(args, name);
    *ret_values = (const char *const *)args->values + args->firsts[i];
    return args->firsts[i + 1] - args->firsts[i];
}

/* Source: the "optimal string alignment" distance, with three rows of the table at a time. */
uint32_t wrn_command_distance(const char *a, const char *b) {
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    uint32_t rows[3][WORD_MAX + 1] = {{0}};
    if (a_size > WORD_MAX || b_size > WORD_MAX) {
        return UINT32_MAX;
    }
    for (size_t j = 0; j <= b_size; j++) {
        rows[0][j] = (uint32_t)j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        uint32_t *row = rows[i % 3];
        const uint32_t *above = rows[(i + 2) % 3];
        const uint32_t *two_above = rows[(i + 1) % 3];
        row[0] = (uint32_t)i;
        for (size_t j = 1; j <= b_size; j++) {
            uint32_t least = above[j - 1] + (a[i - 1] != b[j - 1] ? 1 : 0);
            least = above[j] + 1 < least ? above[j] + 1 : least;
            least = row[j - 1] + 1 < least ? row[j - 1] + 1 : least;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                two_above[j - 2] + 1 < least) {
                least = two_above[j - 2] + 1;
            }
            row[j] = least;
        }
    }
    return rows[a_size % 3][b_size];
}

/* What is no command may be a group of them, to be shown for help or for want of a second word. */
static int show_group(struct wrn_cli *cli, const struct wrn_command_table *table, const char *name,
                      const char *word, bool is_help) {
    const struct wrn_command_group *group = find_group(table, name);
    if (group == NULL) {
        return unknown_command(cli, table, NULL, name);
    }
    if (word != NULL && !asks_for_help(word) && strcmp(word, "--json") != 0) {
        return unknown_command(cli, table, name, word);
    }
    is_help = is_help || (word != NULL && asks_for_help(word));
    if (!is_help && cli->json) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "%s: a command is missing; see: warren %s --help",
                            name, name);
    }
    wrn_help_group(is_help ? cli->out : cli->err, table, group);
    return is_help ? WRN_CLI_DONE : WRN_CLI_USAGE;
}

static int run_command(struct wrn_cli *cli, const struct wrn_command *command, int argc,
                       char *const *argv, int next) {
    size_t places = (size_t)argc + 1;
    struct reading r = {
        .cli = cli,
        .command = command,
        .argc = argc,
        .argv = argv,
        .next = next,
        .firsts = wrn_cli_take(cli, command->option_count + 1, sizeof(size_t)),
        .found = wrn_cli_take(cli, (command->option_count + 1) * places, sizeof(char *)),
        .counts = wrn_cli_take(cli, command->option_count + 1, sizeof(size_t)),
        .operands = wrn_cli_take(cli, places, sizeof(char *)),
    };
    int code = read_all(&r);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    if (r.wants_help) {
        wrn_help_command(cli->out, command);
        return WRN_CLI_DONE;
    }
    code = check(&r);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    struct wrn_args args;
    collect(&r, &args);
    return command->run(cli, &args);
}

static int read_all(struct reading *r) {
    while (r->next < r->argc && !r->wants_help) {
        const char *argument = r->argv[r->next++];
        if (r->options_end || argument[0] != '-' || argument[1] == '\0') {
            r->operands[r->operand_count++] = argument; /* "-" alone is standard input */
        } else if (strcmp(argument, "--") == 0) {
            r->options_end = true;
        } else {
            int code = take_option(r, argument);
            if (code != WRN_CLI_DONE) {
                return code;
            }
        }
    }
    return WRN_CLI_DONE;
}

static int take_option(struct reading *r, const char *argument) {
    if (strcmp(argument, "--json") == 0) {
        return WRN_CLI_DONE; /* was seen before all else */
    }
    if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
        r->wants_help = true;
        return WRN_CLI_DONE;
    }
    argument = strcmp(argument, "-f") == 0 ? "--file" : argument; /* as everybody has it */
    size_t hyphens = strspn(argument, "-");
    const char *name = argument + (hyphens < 2 ? hyphens : 2);
    size_t length = strcspn(name, "=");
    for (size_t i = 0; hyphens == 2 && i < r->command->option_count; i++) {
        const char *wanted = r->command->options[i].name;
        if (strlen(wanted) == length && memcmp(wanted, name, length) == 0) {
            return take_value(r, i, argument);
        }
    }
    return unknown_option(r, argument, name, length);
}

/* Takes the value of the option 'index', which stands behind '=' or is the next argument. */
static int take_value(struct reading *r, size_t index, const char *argument) {
    const struct wrn_option *option = &r->command->options[index];
    const char *given = strchr(argument, '=');
    const char *value = given != NULL ? given + 1 : "";
    if (option->kind == WRN_OPTION_FLAG && given != NULL) {
        return wrn_cli_fail(r->cli, WRN_CLI_USAGE, "%s: --%s takes no value", r->command->name,
                            option->name);
    }
    if (option->kind == WRN_OPTION_VALUE && given == NULL) {
        if (r->next >= r->argc) {
            return wrn_cli_fail(r->cli, WRN_CLI_USAGE,
                                "%s: the %s behind --%s is missing; see: warren %s --help",
                                r->command->name, option->value, option->name, r->command->name);
        }
        value = r->argv[r->next++];
    }
    if (option->kind == WRN_OPTION_OPTIONAL && given == NULL && r->next < r->argc &&
        r->argv[r->next][0] != '-') {
        value = r->argv[r->next++];
    }
    bool repeats = option->rule == WRN_OPTION_REPEATS || option->rule == WRN_OPTION_NEEDED_REPEATS;
    if (r->counts[index] > 0 && !repeats) {
        return wrn_cli_fail(r->cli, WRN_CLI_USAGE, "%s: --%s can be given once only",
                            r->command->name, option->name);
    }
    r->found[index * ((size_t)r->argc + 1) + r->counts[index]++] = value;
    return WRN_CLI_DONE;
}

/* Looks whether all is there that has to be, and no more. */
static int check(const struct reading *r) {
    const struct wrn_command *command = r->command;
    for (size_t i = 0; i < command->option_count; i++) {
        const struct wrn_option *option = &command->options[i];
        bool is_needed =
            option->rule == WRN_OPTION_NEEDED || option->rule == WRN_OPTION_NEEDED_REPEATS;
        if (is_needed && r->counts[i] == 0) {
            return wrn_cli_fail(r->cli, WRN_CLI_USAGE,
                                "%s: --%s %s is missing; see: warren %s --help", command->name,
                                option->name, option->value, command->name);
        }
    }
    if (r->operand_count > command->operands_max) {
        return wrn_cli_fail(
            r->cli, WRN_CLI_USAGE, "%s: too many arguments, from %s on; see: warren %s --help",
            command->name, wrn_cli_quote(r->cli, r->operands[command->operands_max]),
            command->name);
    }
    if (r->operand_count < command->operands_min) {
        return wrn_cli_fail(r->cli, WRN_CLI_USAGE, "%s: %s is missing; see: warren %s --help",
                            command->name, missing_operands(r), command->name);
    }
    return WRN_CLI_DONE;
}

/* Of "[NETWORK] MEMBER" the words without brackets, but for as many as were given. */
static const char *missing_operands(const struct reading *r) {
    const char *missing = "";
    size_t given = r->operand_count;
    for (const char *word = r->command->operand; *word != '\0'; word += strspn(word, " ")) {
        size_t length = strcspn(word, " ");
        if (*word != '[' && given == 0) {
            missing = wrn_cli_text(r->cli, "%s%s%.*s", missing, *missing != '\0' ? " " : "",
                                   (int)length, word);
        } else if (*word != '[') {
            given--;
        }
        word += length;
    }
    return *missing != '\0' ? missing : r->command->operand;
}

static void collect(const struct reading *r, struct wrn_args *ret_args) {
    size_t total = 0;
    const char **values = wrn_cli_take(r->cli, (size_t)r->argc + 1, sizeof(char *));
    for (size_t i = 0; i < r->command->option_count; i++) {
        r->firsts[i] = total;
        for (size_t k = 0; k < r->counts[i]; k++) {
            values[total++] = r->found[i * ((size_t)r->argc + 1) + k];
        }
    }
    r->firsts[r->command->option_count] = total;
    *ret_args = (struct wrn_args){
        .command = r->command,
        .values = values,
        .firsts = r->firsts,
        .operands = r->operands,
        .operand_count = r->operand_count,
    };
}

/* The commands whose second word it is: "warren network leave" for "leave"; "": there are none. */
static const char *with_second_word(struct wrn_cli *cli, const struct wrn_command_table *table,
                                    const char *word) {
    const char *found = "";
    for (size_t i = 0; i < table->command_count; i++) {
        const char *space = strchr(table->commands[i]->name, ' ');
        if (space != NULL && strcmp(space + 1, word) == 0) {
            found = wrn_cli_text(cli, "%s%swarren %s", found, *found != '\0' ? ", " : "",
                                 table->commands[i]->name);
        }
    }
    return found;
}

static int unknown_command(struct wrn_cli *cli, const struct wrn_command_table *table,
                           const char *group, const char *word) {
    const char *best = NULL;
    uint32_t least = UINT32_MAX;
    size_t skipped = group == NULL ? 0 : strlen(group) + 1;
    for (size_t i = 0; i < table->command_count + table->group_count; i++) {
        const char *name = i < table->command_count ? table->commands[i]->name
                                                    : table->groups[i - table->command_count].name;
        bool is_of_group = group != NULL && i < table->command_count && strlen(name) > skipped &&
                           strncmp(name, group, skipped - 1) == 0 && name[skipped - 1] == ' ';
        bool is_first_word = group == NULL && strchr(name, ' ') == NULL;
        if (!is_of_group && !is_first_word) {
            continue;
        }
        uint32_t distance = wrn_command_distance(word, name + skipped);
        if (distance < least) {
            least = distance;
            best = name;
        }
    }
    const char *about = group == NULL ? "" : wrn_cli_text(cli, "%s ", group);
    const char *seconds = group == NULL ? with_second_word(cli, table, word) : "";
    if (*seconds != '\0') {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "there is no command %s; did you mean: %s",
                            wrn_cli_quote(cli, word), seconds);
    }
    if (best != NULL && least <= 1 + strlen(word) / 3) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "there is no command %s%s; did you mean: warren %s",
                            about, wrn_cli_quote(cli, word), best);
    }
    return wrn_cli_fail(cli, WRN_CLI_USAGE, "there is no command %s%s; see: warren %s--help", about,
                        wrn_cli_quote(cli, word), about);
}

/* 'name' stands in 'argument', behind the hyphens that were typed. */
static int unknown_option(struct reading *r, const char *argument, const char *name,
                          size_t length) {
    const char *word = wrn_cli_text(r->cli, "%.*s", (int)length, name);
    const char *best = NULL;
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < r->command->option_count; i++) {
        uint32_t distance = wrn_command_distance(word, r->command->options[i].name);
        if (distance < least) {
            least = distance;
            best = r->command->options[i].name;
        }
    }
    const char *shown = wrn_cli_quote(
        r->cli, wrn_cli_text(r->cli, "%.*s%s", (int)(name - argument), argument, word));
    if (best != NULL && least <= 1 + length / 3) {
        return wrn_cli_fail(r->cli, WRN_CLI_USAGE, "%s: there is no option %s; did you mean: --%s",
                            r->command->name, shown, best);
    }
    return wrn_cli_fail(r->cli, WRN_CLI_USAGE, "%s: there is no option %s; see: warren %s --help",
                        r->command->name, shown, r->command->name);
}

static const struct wrn_command *find_command(const struct wrn_command_table *table,
                                              const char *first, const char *second) {
    size_t length = strlen(first);
    for (size_t i = 0; i < table->command_count; i++) {
        const char *name = table->commands[i]->name;
        if (strncmp(name, first, length) != 0) {
            continue;
        }
        bool is_one_word = name[length] == '\0';
        bool is_both =
            name[length] == ' ' && second != NULL && strcmp(name + length + 1, second) == 0;
        if (is_one_word || is_both) {
            return table->commands[i];
        }
    }
    return NULL;
}

static const struct wrn_command_group *find_group(const struct wrn_command_table *table,
                                                  const char *name) {
    for (size_t i = 0; i < table->group_count; i++) {
        if (strcmp(table->groups[i].name, name) == 0) {
            return &table->groups[i];
        }
    }
    return NULL;
}

static size_t option_index(const struct wrn_args *args, const char *name) {
    size_t i = 0;
    while (i < args->command->option_count && strcmp(args->command->options[i].name, name) != 0) {
        i++;
    }
    WRN_ASSERT(i < args->command->option_count); /* a command asks for its own options only */
    return i;
}

static bool asks_for_help(const char *word) {
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

/* Looked for before all else: an error in the line is said in JSON too. */
static bool asks_for_json(int argc, char *const *argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            return true;
        }
    }
    return false;
}
