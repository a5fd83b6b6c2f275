/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines against a table of commands: what is read, what is refused, what is suggested. */
#include <stdlib.h>

#include "cli/command.h"
#include "unit/base/check.h"

enum { ARGUMENTS_MAX = 12, CODE = 7 };

static char *ran; /* what the command saw */

/* Writes down all that a command can see of its arguments. */
static int note(struct wrn_cli *cli, const struct wrn_args *args) {
    size_t size = 0;
    FILE *out = open_memstream(&ran, &size);
    (void)fprintf(out, "%s%s", args->command->name, cli->json ? " json" : "");
    for (size_t i = 0; i < args->command->option_count; i++) {
        const char *name = args->command->options[i].name;
        const char *const *values = NULL;
        size_t count = wrn_args_values(args, name, &values);
        assert_true(wrn_args_has(args, name) == (count > 0));
        for (size_t k = 0; k < count; k++) {
            (void)fprintf(out, " %s=%s", name, values[k]);
        }
        if (count > 0) {
            assert_string_equal(wrn_args_value(args, name), values[count - 1]);
        } else {
            assert_null(wrn_args_value(args, name));
        }
    }
    for (size_t i = 0; i < args->operand_count; i++) {
        (void)fprintf(out, " [%s]", args->operands[i]);
    }
    assert_int_equal(fclose(out), 0);
    return CODE;
}

static const struct wrn_option make_options[] = {
    {"flag", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL, "a flag"},
    {"size", WRN_OPTION_VALUE, WRN_OPTION_NEEDED, "N", "its size"},
    {"part", WRN_OPTION_VALUE, WRN_OPTION_REPEATS, "P", "a part"},
    {"picture", WRN_OPTION_OPTIONAL, WRN_OPTION_ONCE, "FILE", "show it"},
};
static const struct wrn_command make = {
    .name = "thing make",
    .summary = "make a thing",
    .operand = "FILE",
    .operands_max = 2,
    .options = make_options,
    .option_count = WRN_COUNT(make_options),
    .details = "It is a thing.\n",
    .example = "  warren thing make --size 3\n",
    .run = note,
};
static const struct wrn_command look = {
    .name = "thing look",
    .summary = "look at a thing",
    .operand = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .details = "",
    .example = "  warren thing look F\n",
    .run = note,
};
static const struct wrn_command up = {
    .name = "up", .summary = "begin", .details = "", .example = "  warren up\n", .run = note};
static const struct wrn_command *const commands[] = {&make, &look, &up};
static const struct wrn_command_group groups[] = {{"thing", "Things"}};
static const struct wrn_command_table table = {
    .commands = commands,
    .command_count = WRN_COUNT(commands),
    .groups = groups,
    .group_count = WRN_COUNT(groups),
    .about = "a test",
    .version = "1.2.3",
};

static const struct {
    const char *argv[ARGUMENTS_MAX]; /* without the program's name */
    int code;
    const char *ran;   /* what the command saw; NULL: none ran */
    const char *shown; /* something that is printed on either stream; NULL: nothing is */
} cases[] = {
    {{"up"}, CODE, "up", NULL},
    {{"thing", "make", "--size", "3"}, CODE, "thing make size=3", NULL},
    {{"thing", "make", "--size=3", "--flag"}, CODE, "thing make flag= size=3", NULL},
    {{"thing", "make", "a", "--size", "-1", "b"}, CODE, "thing make size=-1 [a] [b]", NULL},
    {{"thing", "make", "--part", "x", "--size", "3", "--part=y"},
     CODE,
     "thing make size=3 part=x part=y",
     NULL},
    {{"thing", "make", "--size", "3", "--picture", "f"}, CODE, "thing make size=3 picture=f", NULL},
    {{"thing", "make", "--picture", "--size", "3"}, CODE, "thing make size=3 picture=", NULL},
    {{"thing", "make", "--size", "", "--json"}, CODE, "thing make json size=", NULL},
    {{"--json", "up"}, CODE, "up json", NULL},
    {{"thing", "look", "-"}, CODE, "thing look [-]", NULL},
    {{"thing", "look", "--", "--json"}, CODE, "thing look [--json]", NULL},
    {{"thing", "make", "--size=a=b"}, CODE, "thing make size=a=b", NULL},

    {{NULL}, WRN_CLI_USAGE, NULL, "usage: warren COMMAND"},
    {{"--help"}, 0, NULL, "usage: warren COMMAND"},
    {{"help"}, 0, NULL, "usage: warren COMMAND"},
    {{"--version"}, 0, NULL, "warren 1.2.3\n"},
    {{"-V", "--json"}, 0, NULL, "\"version\": \"1.2.3\""},
    {{"thing"}, WRN_CLI_USAGE, NULL, "usage: warren thing COMMAND"},
    {{"thing", "--help"}, 0, NULL, "usage: warren thing COMMAND"},
    {{"thing", "make", "--help"}, 0, NULL, "Example:\n  warren thing make --size 3"},
    {{"thing", "make", "--no-such", "--help"}, WRN_CLI_USAGE, NULL, "no option \"--no-such\""},
    {{"help", "thing", "make"}, 0, NULL, "[--picture[=FILE]]"},
    {{"help", "thing"}, 0, NULL, "make a thing"},
    {{"thing", "mkae"}, WRN_CLI_USAGE, NULL, "did you mean: warren thing make"},
    {{"thong", "make"}, WRN_CLI_USAGE, NULL, "did you mean: warren thing"},
    {{"nothing"}, WRN_CLI_USAGE, NULL, "did you mean: warren thing"},
    {{"frobnicate"}, WRN_CLI_USAGE, NULL, "no command \"frobnicate\"; see: warren --help"},
    {{"ups"}, WRN_CLI_USAGE, NULL, "did you mean: warren up"},
    {{"thing", "xxxxxxxx"}, WRN_CLI_USAGE, NULL, "see: warren thing --help"},
    {{"thing", "make", "--szie", "3"}, WRN_CLI_USAGE, NULL, "did you mean: --size"},
    {{"thing", "make", "-s", "3"}, WRN_CLI_USAGE, NULL, "no option"},
    {{"thing", "make", "--size"}, WRN_CLI_USAGE, NULL, "the N behind --size is missing"},
    {{"thing", "make", "--flag=1", "--size=3"}, WRN_CLI_USAGE, NULL, "--flag takes no value"},
    {{"thing", "make"}, WRN_CLI_USAGE, NULL, "--size N is missing"},
    {{"thing", "make", "--size=1", "--size=2"}, WRN_CLI_USAGE, NULL, "once only"},
    {{"thing", "make", "--size=1", "a", "b", "c"}, WRN_CLI_USAGE, NULL, "from \"c\" on"},
    {{"thing", "look"}, WRN_CLI_USAGE, NULL, "FILE is missing"},
    {{"thing", "look", "--json"}, WRN_CLI_USAGE, NULL, "\"error\": \"thing look: FILE is missing"},
    {{"\033[2J"}, WRN_CLI_USAGE, NULL, "\\x1b[2J"},
};

static void check_case(size_t index) {
    char *argv[ARGUMENTS_MAX + 2] = {(char[]){"warren"}};
    int argc = 1;
    char *text = NULL;
    size_t size = 0;
    struct wrn_cli cli;
    for (size_t i = 0; i < ARGUMENTS_MAX && cases[index].argv[i] != NULL; i++) {
        argv[argc++] = (char *)(uintptr_t)cases[index].argv[i];
    }
    FILE *out = open_memstream(&text, &size);
    wrn_cli_init(&cli, out, out, 0);
    ran = NULL;
    int code = wrn_command_main(&cli, &table, argc, argv);
    wrn_cli_finish(&cli);
    assert_int_equal(fclose(out), 0);
    CHECK(code == cases[index].code, "case %zu: %d, %s: ", index, code, text);
    CHECK((ran == NULL) == (cases[index].ran == NULL), "case %zu: %s: ", index, text);
    if (ran != NULL) {
        assert_string_equal(ran, cases[index].ran);
    }
    if (cases[index].shown == NULL) {
        assert_string_equal(text, "");
    } else {
        assert_non_null(strstr(text, cases[index].shown));
    }
    free(ran);
    free(text);
}

static void lines_are_read_or_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        check_case(i);
    }
}

/* The slow, obviously right way to count changes between short words. */
static uint32_t naive(const char *a, const char *b, uint32_t bound) {
    if (*a == '\0' || *b == '\0') {
        return (uint32_t)(strlen(a) + strlen(b));
    }
    if (bound == 0) {
        return *a == *b ? naive(a + 1, b + 1, 0) : 1;
    }
    if (*a == *b) {
        return naive(a + 1, b + 1, bound);
    }
    uint32_t least = naive(a + 1, b + 1, bound - 1);
    uint32_t other = naive(a + 1, b, bound - 1);
    least = other < least ? other : least;
    other = naive(a, b + 1, bound - 1);
    least = other < least ? other : least;
    if (a[1] == b[0] && a[0] == b[1]) {
        other = naive(a + 2, b + 2, bound - 1);
        least = other < least ? other : least;
    }
    return least + 1;
}

static void distance_counts_changes(void **state) {
    static const char *const words[] = {"",       "a",      "id",    "di",   "show",
                                        "shwo",   "sho",    "issue", "isue", "verify",
                                        "vreify", "reduce", "revoke"};
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(words); i++) {
        for (size_t k = 0; k < WRN_COUNT(words); k++) {
            assert_int_equal(wrn_command_distance(words[i], words[k]),
                             naive(words[i], words[k], 8));
        }
    }
    assert_int_equal(wrn_command_distance("0123456789012345678901234567890123", "a"), UINT32_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_or_refused),
        cmocka_unit_test(distance_counts_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
