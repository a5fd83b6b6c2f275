/* SPDX-License-Identifier: Apache-2.0 */
/* warren-sim: plays a scenario and prints what it found. What it prints to standard output depends
 * on its arguments alone; how fast it was goes to standard error. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/args.h"

#ifndef WRN_VERSION
#define WRN_VERSION "0.1.0"
#endif

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };
enum { COMMAND_SIZE = 300 };

/* A part of the run that is being measured. */
struct phase {
    const char *name; /* NULL: none */
    wrn_mono began;
    uint64_t began_ns; /* of processor time */
};

static int play(const char *program, const struct sim_args *args);
static int play_range(const char *program, const struct sim_args *args);
static int write_plot(FILE *file, const struct sim_args *args, struct sim_plot *plot);
static void write_command(char command[COMMAND_SIZE], const char *program,
                          const struct sim_args *args, const struct sim_outcome *outcome);
static void print_text(const struct sim_outcome *outcome, const char *command);
static void print_json(const struct sim_args *args, const struct sim_outcome *outcome,
                       const char *command);
static json_t *json_texts(char *const *texts, uint32_t count);
static void print_options(const struct sim_args *args);
static void print_record(void *ctx, wrn_mono now, const char *what, const uint64_t numbers[3],
                         wrn_span bytes);
static void print_list(void);
static void print_usage(FILE *out);
static void on_phase(void *ctx, const char *name, wrn_mono now);
static uint64_t read_clock_ns(void);

int main(int argc, char **argv) {
    struct sim_args args;
    char why[SIM_ARGS_WHY_SIZE];
    int code = EXIT_DONE;
    if (sim_args_parse(argc, argv, &args, why) != 0) {
        (void)fprintf(stderr, "warren-sim: %s\n", why);
        return EXIT_USAGE;
    }
    switch (args.action) {
    case SIM_ACTION_PLAY:
        code = args.is_range ? play_range(argv[0], &args) : play(argv[0], &args);
        break;
    case SIM_ACTION_LIST:
        print_list();
        break;
    case SIM_ACTION_HELP:
        print_usage(stdout);
        break;
    case SIM_ACTION_VERSION:
        (void)printf("warren-sim %s\n", WRN_VERSION);
        break;
    }
    bool is_lost = ferror(stdout) != 0;
    if (fclose(stdout) != 0 || is_lost) { /* a full disk must not look like success */
        (void)fputs("warren-sim: the report could not be written to standard output\n", stderr);
        return EXIT_FAILED;
    }
    return code;
}

static int play(const char *program, const struct sim_args *args) {
    struct sim_outcome outcome;
    struct sim_plot plot = {0};
    struct sim_options options = args->options;
    char command[COMMAND_SIZE];
    FILE *file = NULL;
    if (args->plot_path != NULL) { /* opened first: not after an hour of playing */
        file = fopen(args->plot_path, "we");
        options.plot = &plot;
        if (file == NULL) {
            (void)fprintf(stderr, "warren-sim: --plot: %s cannot be written: %s\n", args->plot_path,
                          strerror(errno));
            return EXIT_USAGE;
        }
    }
    if (!args->is_json) {
        print_options(args);
    }
    struct phase phase = {0};
    options.on_phase = on_phase;
    options.phase_ctx = &phase;
    uint64_t began_ns = read_clock_ns();
    sim_play(args->scenario, options, args->shows_trace ? print_record : NULL, NULL, &outcome);
    uint64_t took_ns = read_clock_ns() - began_ns;
    write_command(command, program, args, &outcome);
    if (args->is_json) {
        print_json(args, &outcome, command);
    } else {
        print_text(&outcome, command);
    }
    uint64_t took_ms = took_ns / WRN_MS(1) > 0 ? took_ns / WRN_MS(1) : 1;
    (void)fprintf(stderr,
                  "%" PRIu64 " events in %" PRIu64 " ms of processor time, %" PRIu64
                  " a second; %" PRIu64 " times as fast as real time\n",
                  outcome.events, took_ms, outcome.events * 1000 / took_ms,
                  outcome.passed_ns / WRN_MS(1) / took_ms);
    int code = outcome.report.failure_count == 0 ? EXIT_DONE : EXIT_FAILED;
    if (file != NULL && write_plot(file, args, &plot) != 0) {
        code = EXIT_FAILED;
    }
    sim_report_finish(&outcome.report);
    return code;
}

/* Closes the file. 0 or -1; says why. */
static int write_plot(FILE *file, const struct sim_args *args, struct sim_plot *plot) {
    struct sim_plot_title title = {args->scenario->name, args->options.seed};
    char *text = sim_plot_draw(plot, &title);
    bool is_lost = fputs(text, file) < 0;
    is_lost = fclose(file) != 0 || is_lost;
    free(text);
    sim_plot_finish(plot);
    if (is_lost) {
        (void)fprintf(stderr, "warren-sim: --plot: %s could not be written\n", args->plot_path);
    }
    return is_lost ? -1 : 0;
}

/* One seed after the other; says something only of those that failed, and how many those are. */
static int play_range(const char *program, const struct sim_args *args) {
    struct sim_options options = args->options;
    uint64_t failed = 0;
    for (;; options.seed++) {
        struct sim_outcome outcome;
        sim_play(args->scenario, options, NULL, NULL, &outcome);
        if (outcome.report.failure_count > 0) {
            char command[COMMAND_SIZE];
            write_command(command, program, args, &outcome);
            (void)printf("seed %" PRIu64 " failed: %s\nreplay: %s\n", options.seed,
                         outcome.report.failures[0], command);
            (void)fflush(stdout);
            failed++;
        }
        sim_report_finish(&outcome.report);
        if (options.seed == args->last_seed) {
            break;
        }
    }
    (void)printf("%s: %" PRIu64 " of %" PRIu64 " seeds failed\n", args->scenario->name, failed,
                 args->last_seed - args->options.seed + 1);
    return failed == 0 ? EXIT_DONE : EXIT_FAILED;
}

static void write_command(char command[COMMAND_SIZE], const char *program,
                          const struct sim_args *args, const struct sim_outcome *outcome) {
    const struct sim_options *options = &outcome->options;
    (void)snprintf(command, COMMAND_SIZE,
                   "%s --scenario %s --seed %" PRIu64 " --nodes %" PRIu32 " --minutes %" PRIu32
                   "%s",
                   program, args->scenario->name, options->seed, options->nodes, options->minutes,
                   options->is_cheap ? " --cheap" : "");
}

static void print_text(const struct sim_outcome *outcome, const char *command) {
    const struct sim_report *report = &outcome->report;
    for (uint32_t i = 0; i < report->line_count; i++) {
        (void)printf("%s\n", report->lines[i]);
    }
    for (uint32_t i = 0; i < report->figure_count; i++) {
        (void)printf("%s %" PRIu64 "\n", report->figures[i].name, report->figures[i].value);
    }
    for (uint32_t i = 0; i < report->failure_count; i++) {
        (void)printf("failed: %s\n", report->failures[i]);
    }
    if (report->failure_count > 0) {
        (void)printf("replay: %s\n", command);
    }
    (void)printf("trace %016" PRIx64 ", %" PRIu64 " events, %" PRIu64 " s\n", outcome->hash,
                 outcome->events, outcome->passed_ns / WRN_S(1));
}

static void print_json(const struct sim_args *args, const struct sim_outcome *outcome,
                       const char *command) {
    const struct sim_report *report = &outcome->report;
    char hash[20];
    json_t *figures = json_object();
    for (uint32_t i = 0; i < report->figure_count; i++) {
        (void)json_object_set_new(figures, report->figures[i].name,
                                  json_integer((json_int_t)report->figures[i].value));
    }
    (void)snprintf(hash, sizeof hash, "%016" PRIx64, outcome->hash);
    char seed[24]; /* as text: JSON's readers do not keep 64 bits */
    (void)snprintf(seed, sizeof seed, "%" PRIu64, outcome->options.seed);
    json_t *root = json_object();
    (void)json_object_set_new(root, "scenario", json_string(args->scenario->name));
    (void)json_object_set_new(root, "seed", json_string(seed));
    (void)json_object_set_new(root, "nodes", json_integer(outcome->options.nodes));
    (void)json_object_set_new(root, "minutes", json_integer(outcome->options.minutes));
    (void)json_object_set_new(root, "figures", figures);
    (void)json_object_set_new(root, "lines", json_texts(report->lines, report->line_count));
    (void)json_object_set_new(root, "failures",
                              json_texts(report->failures, report->failure_count));
    (void)json_object_set_new(root, "replay", json_string(command));
    (void)json_object_set_new(root, "events", json_integer((json_int_t)outcome->events));
    (void)json_object_set_new(root, "virtual_s",
                              json_integer((json_int_t)(outcome->passed_ns / WRN_S(1))));
    (void)json_object_set_new(root, "trace", json_string(hash));
    (void)json_dumpf(root, stdout, JSON_INDENT(2));
    (void)putchar('\n');
    json_decref(root);
}

static json_t *json_texts(char *const *texts, uint32_t count) {
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++) {
        (void)json_array_append_new(array, json_string(texts[i]));
    }
    return array;
}

/* Before anything happens, so that a run that hangs or dies can be repeated too. */
static void print_options(const struct sim_args *args) {
    const struct sim_options *given = &args->options;
    const struct sim_scenario *scenario = args->scenario;
    (void)printf("warren-sim %s, scenario %s, seed %" PRIu64 ", ", WRN_VERSION, scenario->name,
                 given->seed);
    if (given->nodes != 0 || scenario->nodes != 0) {
        (void)printf("nodes %" PRIu32 ", ", given->nodes != 0 ? given->nodes : scenario->nodes);
    }
    (void)printf("minutes %" PRIu32 "%s\n",
                 given->minutes != 0 ? given->minutes : scenario->minutes,
                 given->is_cheap ? ", cheap" : "");
    (void)fflush(stdout);
}

static void print_record(void *ctx, wrn_mono now, const char *what, const uint64_t numbers[3],
                         wrn_span bytes) {
    (void)ctx;
    (void)bytes;
    (void)printf("%" PRIu64 ".%09" PRIu64 " %s %" PRIx64 " %" PRIx64 " %" PRIx64 "\n",
                 now.ns / WRN_S(1), now.ns % WRN_S(1), what, numbers[0], numbers[1], numbers[2]);
}

static void print_list(void) {
    for (const struct sim_scenario *const *s = sim_scenarios; *s != NULL; s++) {
        (void)printf("%-14s %s\n", (*s)->name, (*s)->sentence);
    }
}

static void print_usage(FILE *out) {
    (void)fprintf(out,
                  "usage: warren-sim --scenario NAME [OPTION]...\n"
                  "       warren-sim --list | --version | --help\n"
                  "\n"
                  "  --seed S       what everything is drawn from (1)\n"
                  "  --seeds A..B   play each of these seeds; print those that fail\n"
                  "  --nodes N      how many; what they are is the scenario's matter\n"
                  "  --minutes M    of virtual time\n"
                  "  --cheap        without real cryptography, for very many nodes\n"
                  "  --plot FILE    draw the ring and how lookups went, as SVG\n"
                  "  --json         print the report for programs\n"
                  "  --trace        print every record of the trace, numbers in hexadecimal\n"
                  "\n"
                  "The same options give the same output, and the same trace hash with every\n"
                  "compiler. A run that fails prints the command that repeats it and ends with 1.\n"
                  "\n"
                  "Example: warren-sim --scenario links --seed 7\n");
}

/* To standard error, as it differs from run to run. */
static void on_phase(void *ctx, const char *name, wrn_mono now) {
    struct phase *phase = ctx;
    uint64_t clock_ns = read_clock_ns();
    if (name == NULL && phase->name != NULL) {
        uint64_t took_ms = (clock_ns - phase->began_ns) / WRN_MS(1);
        uint64_t passed_ms = wrn_mono_since(now, phase->began) / WRN_MS(1);
        (void)fprintf(stderr,
                      "%s: %" PRIu64 " s in %" PRIu64 " ms of processor time; %" PRIu64
                      " times as fast as real time\n",
                      phase->name, passed_ms / 1000, took_ms,
                      passed_ms / (took_ms > 0 ? took_ms : 1));
    }
    *phase = (struct phase){.name = name, .began = now, .began_ns = clock_ns};
}

/* Processor time: others may use the machine too. */
static uint64_t read_clock_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * WRN_S(1) + (uint64_t)now.tv_nsec;
}
