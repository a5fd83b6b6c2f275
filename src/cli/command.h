/* SPDX-License-Identifier: Apache-2.0 */
/* Commands as a table: what can be typed, read from argv against it, its help and what was probably
 * meant by a typing error. Pure but for the printing of help. */
#pragma once
#include "cli/cli.h"

struct wrn_args;

enum wrn_option_kind {
    WRN_OPTION_FLAG,     /* --name */
    WRN_OPTION_VALUE,    /* --name VALUE or --name=VALUE */
    WRN_OPTION_OPTIONAL, /* the same, or --name alone */
};

enum wrn_option_rule {
    WRN_OPTION_ONCE,
    WRN_OPTION_NEEDED, /* must be there, once */
    WRN_OPTION_REPEATS,
    WRN_OPTION_NEEDED_REPEATS,
};

struct wrn_option {
    const char *name; /* without the hyphens */
    enum wrn_option_kind kind;
    enum wrn_option_rule rule;
    const char *value; /* its name in the help; NULL for a flag */
    const char *help;
};

struct wrn_command {
    const char *name; /* one word, or two: "cert issue" */
    const char *summary;
    const char *operand; /* the name of what stands without an option, or the names of all of them:
                          * "[NETWORK] MEMBER"; NULL: nothing may */
    size_t operands_min;
    size_t operands_max;
    const struct wrn_option *options; /* --json and --help are everybody's, and not among them */
    size_t option_count;
    const char *details; /* paragraphs for the help */
    const char *example;
    int (*run)(struct wrn_cli *cli, const struct wrn_args *args); /* returns an exit code */
};

/* A group of commands: the first of two words. */
struct wrn_command_group {
    const char *name;
    const char *summary;
};

struct wrn_command_table {
    const struct wrn_command *const *commands;
    size_t command_count;
    const struct wrn_command_group *groups;
    size_t group_count;
    const char *singles; /* what the commands of one word are about; NULL: they are not shown */
    const char *about;   /* first line of the help */
    const char *version;
};

/* A command line that was read. Values are those of argv. */
struct wrn_args {
    const struct wrn_command *command;
    const char **values;  /* of all options, grouped by option; "" for one without value */
    const size_t *firsts; /* option i has values[firsts[i]] up to values[firsts[i + 1]] */
    const char **operands;
    size_t operand_count;
};

/* Reads 'argv' against the table, prints help or the version if that is asked for, or runs the
 * command. Returns the exit code. */
int wrn_command_main(struct wrn_cli *cli, const struct wrn_command_table *table, int argc,
                     char *const *argv);

/* Tells whether an option of the command was given; its name must be in the command's table. */
bool wrn_args_has(const struct wrn_args *args, const char *name);

/* The value of an option, the last one if it repeats; NULL if it was not given. */
const char *wrn_args_value(const struct wrn_args *args, const char *name);

/* All values of an option that repeats; returns their number. */
size_t wrn_args_values(const struct wrn_args *args, const char *name,
                       const char *const **ret_values);

/* The number of changes (a letter more, less, another, two swapped) from one word to another. Words
 * longer than 32 bytes are infinitely far from all: UINT32_MAX. */
uint32_t wrn_command_distance(const char *a, const char *b);
