/* SPDX-License-Identifier: Apache-2.0 */
/* What a shell may complete, from the table of commands: packaging/completions asks this. So there
 * is one source of it, and names of networks and machines are those of the moment. */
#include <net/if.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/remote.h"
#include "cli/suggest.h"

enum { WORDS_MOST = 256, WORD_MAX = 64 };

/* What is being completed. */
struct completion {
    struct wrn_cli *cli;
    const char *const *words; /* those before the one that is typed now, the program left out */
    size_t count;
    const char *typed;
    const char *path; /* of the control socket */
};

/* Operands and values by the names that the help has for them. */
struct kind {
    const char *name;
    const char *words; /* what it may be, with spaces between */
    void (*walk)(struct wrn_cli *cli, const char *path, wrn_suggest_fn on_name, void *ctx);
};

static int run_complete(struct wrn_cli *cli, const struct wrn_args *args);
static void complete(struct completion *c);
static void offer_commands(struct completion *c);
static void offer_seconds(struct completion *c, const char *group);
static void complete_command(struct completion *c, const struct wrn_command *command, size_t first);
static void offer_options(struct completion *c, const struct wrn_command *command, size_t first);
static void offer_operand(struct completion *c, const struct wrn_command *command, size_t index,
                          const char *before);
static void offer_kind(struct completion *c, const char *name, size_t length);
static void offer_interfaces(struct completion *c);
static const struct wrn_option *find_option(const struct wrn_command *command, const char *word);
static bool is_option(const struct wrn_command *command, const char *word);
static const struct wrn_command *find_command(const char *first, const char *second);
static bool is_group(const char *word);
static void offer(void *ctx, const char *word, const char *what);

const struct wrn_command wrn_complete = {
    .name = "complete",
    .summary = "say how a command line may go on; for the completion of shells",
    .operand = "WORD",
    .operands_max = WORDS_MOST,
    .details = "The WORDs are what was typed behind `warren`, the last one (which may be empty)\n"
               "what is to be completed. Each line is a word that may stand there, a tab, and\n"
               "what it is; :files and :folders stand for names of files. Names of networks\n"
               "and members are asked of the daemon, for 0.3 s.\n",
    .example = "  warren complete -- network sh\n",
    .run = run_complete,
};

static const struct kind kinds[] = {
    {"NETWORK", NULL, wrn_suggest_networks},
    {"OPEN", NULL, wrn_suggest_networks},
    {"MEMBER", NULL, wrn_suggest_members},
    {"KIND", NULL, wrn_suggest_events},
    {"ID", NULL, wrn_suggest_invitations},
    {"LEVEL", "silent error info verbose", NULL},
    {"WHAT", "ready connected address name members peer direct", NULL},
    {"ROLE", "inviter admin relay", NULL},
    {"RIGHT", "member invite admin relay gateway all address: route: name: allow:", NULL},
    {"FORM", "advanced canonical transport", NULL},
    {"RULE", "any/any tcp/ udp/ icmp", NULL},
    {"KEY", "addr/ name/ node/ crl/ svc/", NULL},
    {"SETTING=VALUE...",
     "dhcp=allow dhcp=deny arp=on arp=off loop-guard=on loop-guard=off storm= age=", NULL},
};

static int run_complete(struct wrn_cli *cli, const struct wrn_args *args) {
    const char *path = getenv("WARREN_SOCKET");
    struct completion c = {
        .cli = cli,
        .words = args->operands,
        .count = args->operand_count > 0 ? args->operand_count - 1 : 0,
        .typed = args->operand_count > 0 ? args->operands[args->operand_count - 1] : ""};
    while (c.count > 0 && strcmp(c.words[0], "--json") == 0) {
        c.words++;
        c.count--;
    }
    for (size_t i = 0; i + 1 < c.count; i++) {
        path = strcmp(c.words[i], "--socket") == 0 ? c.words[i + 1] : path;
    }
    c.path = path != NULL && *path != '\0' ? path : WRN_CALL_SOCKET_PATH;
    if (cli->json) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "complete: this is for shells: there is no JSON");
    }
    complete(&c);
    return WRN_CLI_DONE;
}

static void complete(struct completion *c) {
    if (c->count > 0 && strcmp(c->words[0], "help") == 0) {
        c->words++;
        c->count--;
    }
    if (c->count == 0) {
        offer_commands(c);
        return;
    }
    const struct wrn_command *command =
        find_command(c->words[0], c->count > 1 ? c->words[1] : NULL);
    if (command != NULL) {
        complete_command(c, command, strchr(command->name, ' ') != NULL ? 2 : 1);
    } else if (c->count == 1 && is_group(c->words[0])) {
        offer_seconds(c, c->words[0]);
    }
}

static void offer_commands(struct completion *c) {
    const struct wrn_command_table *table = &wrn_commands;
    for (size_t i = 0; i < table->command_count; i++) {
        if (strchr(table->commands[i]->name, ' ') == NULL) {
            offer(c, table->commands[i]->name, table->commands[i]->summary);
        }
    }
    for (size_t i = 0; i < table->group_count; i++) {
        offer(c, table->groups[i].name, table->groups[i].summary);
    }
    offer(c, "help", "what there is to be typed");
    if (*c->typed == '-') {
        offer(c, "--help", "what there is to be typed");
        offer(c, "--json", "answer in JSON");
        offer(c, "--version", "which version this is");
    }
}

static void offer_seconds(struct completion *c, const char *group) {
    size_t length = strlen(group);
    for (size_t i = 0; i < wrn_commands.command_count; i++) {
        const struct wrn_command *command = wrn_commands.commands[i];
        if (strncmp(command->name, group, length) == 0 && command->name[length] == ' ') {
            offer(c, command->name + length + 1, command->summary);
        }
    }
}

/* Behind the command's words, which are 'first' words. */
static void complete_command(struct completion *c, const struct wrn_command *command,
                             size_t first) {
    const char *before = NULL; /* the last operand */
    size_t operands = 0;
    bool options_end = false;
    const struct wrn_option *open = NULL; /* whose value comes next */
    for (size_t i = first; i < c->count; i++) {
        const char *word = c->words[i];
        if (open != NULL) {
            open = NULL;
        } else if (options_end || word[0] != '-' || word[1] == '\0') {
            before = word;
            operands++;
        } else {
            options_end = strcmp(word, "--") == 0;
            open = find_option(command, word);
            if (!options_end && !is_option(command, word)) {
                return; /* a typing error: what comes behind it nobody knows */
            }
        }
    }
    if (open != NULL) {
        offer_kind(c, open->value, strlen(open->value));
    } else if (c->typed[0] == '-' && !options_end) {
        offer_options(c, command, first);
    } else if (operands < command->operands_max) {
        offer_operand(c, command, operands, before);
    }
}

/* Those that can be given (once more). */
static void offer_options(struct completion *c, const struct wrn_command *command, size_t first) {
    for (size_t i = 0; i < command->option_count; i++) {
        const struct wrn_option *option = &command->options[i];
        const char *word = wrn_cli_text(c->cli, "--%s", option->name);
        bool repeats =
            option->rule == WRN_OPTION_REPEATS || option->rule == WRN_OPTION_NEEDED_REPEATS;
        bool is_given = false;
        for (size_t k = first; k < c->count && !repeats; k++) {
            is_given = is_given || strcmp(c->words[k], word) == 0;
        }
        if (!is_given) {
            offer(c, word, option->help);
        }
    }
    offer(c, "--json", "answer in JSON");
    offer(c, "--help", "what there is to be typed, and an example");
}

/* The 'index'th operand (from 0). "[NETWORK] MEMBER" may begin with either; of words that are more
 * than there are names, each is of the last kind. */
static void offer_operand(struct completion *c, const struct wrn_command *command, size_t index,
                          const char *before) {
    const char *names = command->operand != NULL ? command->operand : "";
    bool is_goal = before != NULL && strcmp(names, "WHAT") == 0;
    if (is_goal && strcmp(before, "members") == 0) {
        return;
    }
    if (is_goal) {
        bool is_of_member = strcmp(before, "peer") == 0 || strcmp(before, "direct") == 0;
        names = is_of_member ? "MEMBER" : "NETWORK";
    } else if (strcmp(command->name, "network create") == 0 || strcmp(command->name, "join") == 0) {
        names = strcmp(command->name, "join") == 0 ? "FILE" : ""; /* a name that is not there */
    } else if (strcmp(command->name, "resolve") == 0) {
        names = "MEMBER";
    }
    for (size_t i = 0; *names != '\0'; i++) {
        size_t length = strcspn(names, " ");
        const char *next = names + length + strspn(names + length, " ");
        bool is_optional = *names == '[';
        if (i >= index || *next == '\0') {
            offer_kind(c, names + is_optional, length - 2 * (size_t)is_optional);
            if (!is_optional || i > index) {
                return;
            }
        }
        names = next;
    }
}

static void offer_kind(struct completion *c, const char *name, size_t length) {
    char word[WORD_MAX];
    for (size_t i = 0; i < WRN_COUNT(kinds); i++) {
        if (strlen(kinds[i].name) != length || memcmp(kinds[i].name, name, length) != 0) {
            continue;
        }
        if (kinds[i].walk != NULL) {
            kinds[i].walk(c->cli, c->path, offer, c);
        }
        for (const char *at = kinds[i].words; at != NULL && *at != '\0'; at += strspn(at, " ")) {
            size_t size = strcspn(at, " ");
            (void)snprintf(word, sizeof word, "%.*s", (int)size, at);
            offer(c, word, "");
            at += size;
        }
        return;
    }
    if (length == 9 && memcmp(name, "INTERFACE", 9) == 0) {
        offer_interfaces(c);
    } else if (length == 3 && memcmp(name, "DIR", 3) == 0) {
        (void)fputs(":folders\n", c->cli->out);
    } else if ((length >= 4 && memcmp(name, "FILE", 4) == 0) ||
               (length == 4 && (memcmp(name, "PATH", 4) == 0 || memcmp(name, "SITE", 4) == 0 ||
                                memcmp(name, "WHOM", 4) == 0)) ||
               (length == 5 && memcmp(name, "HOSTS", 5) == 0)) {
        (void)fputs(":files\n", c->cli->out);
    }
}

static void offer_interfaces(struct completion *c) {
    struct if_nameindex *all = if_nameindex();
    for (size_t i = 0; all != NULL && all[i].if_index != 0; i++) {
        offer(c, all[i].if_name, "interface");
    }
    if (all != NULL) {
        if_freenameindex(all);
    }
}

/* The option that a word is, if its value is the word behind; else NULL. */
static const struct wrn_option *find_option(const struct wrn_command *command, const char *word) {
    for (size_t i = 0; i < command->option_count; i++) {
        const struct wrn_option *option = &command->options[i];
        bool is_it = strncmp(word, "--", 2) == 0 && strcmp(word + 2, option->name) == 0;
        is_it = is_it || (strcmp(word, "-f") == 0 && strcmp(option->name, "file") == 0);
        if (is_it && option->kind == WRN_OPTION_VALUE) {
            return option;
        }
    }
    return NULL;
}

static bool is_option(const struct wrn_command *command, const char *word) {
    const char *name = word + strspn(word, "-");
    size_t length = strcspn(name, "=");
    bool is_there = strcmp(word, "--json") == 0 || strcmp(word, "--help") == 0 ||
                    strcmp(word, "-h") == 0 || strcmp(word, "-f") == 0;
    for (size_t i = 0; i < command->option_count && !is_there; i++) {
        const char *wanted = command->options[i].name;
        is_there = strncmp(word, "--", 2) == 0 && strlen(wanted) == length &&
                   memcmp(wanted, name, length) == 0;
    }
    return is_there;
}

static const struct wrn_command *find_command(const char *first, const char *second) {
    size_t length = first != NULL ? strlen(first) : 0;
    for (size_t i = 0; i < wrn_commands.command_count; i++) {
        const char *name = wrn_commands.commands[i]->name;
        if (first != NULL && strncmp(name, first, length) == 0 &&
            (name[length] == '\0' ||
             (name[length] == ' ' && second != NULL && strcmp(name + length + 1, second) == 0))) {
            return wrn_commands.commands[i];
        }
    }
    return NULL;
}

static bool is_group(const char *word) {
    for (size_t i = 0; i < wrn_commands.group_count; i++) {
        if (strcmp(wrn_commands.groups[i].name, word) == 0) {
            return true;
        }
    }
    return false;
}

/* Prints a word if it begins as what is typed. */
static void offer(void *ctx, const char *word, const char *what) {
    const struct completion *c = ctx;
    if (strncmp(word, c->typed, strlen(c->typed)) == 0) {
        (void)fprintf(c->cli->out, "%s\t%s\n", word, what);
    }
}
