/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of texts and figures. */
#include "sim/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "sim/memory.h"

WRN_PRINTF(1, 0) static char *text_of(const char *format, va_list args);
static void forget(char **texts, uint32_t count);

void sim_report_line(struct sim_report *report, const char *format, ...) {
    va_list args;
    report->lines =
        sim_grow(report->lines, report->line_count, &report->line_capacity, sizeof(char *));
    va_start(args, format);
    report->lines[report->line_count++] = text_of(format, args);
    va_end(args);
}

void sim_report_figure(struct sim_report *report, const char *name, uint64_t value) {
    report->figures = sim_grow(report->figures, report->figure_count, &report->figure_capacity,
                               sizeof *report->figures);
    report->figures[report->figure_count++] = (struct sim_figure){name, value};
}

void sim_report_expect(struct sim_report *report, bool holds, const char *format, ...) {
    va_list args;
    if (holds) {
        return;
    }
    report->failures = sim_grow(report->failures, report->failure_count, &report->failure_capacity,
                                sizeof(char *));
    va_start(args, format);
    report->failures[report->failure_count++] = text_of(format, args);
    va_end(args);
}

void sim_report_finish(struct sim_report *report) {
    forget(report->lines, report->line_count);
    forget(report->failures, report->failure_count);
    free(report->figures);
    *report = (struct sim_report){0};
}

static char *text_of(const char *format, va_list args) {
    char text[SIM_REPORT_LINE_SIZE];
    (void)vsnprintf(text, sizeof text, format, args);
    size_t size = strlen(text) + 1;
    char *copy = sim_take(1, size);
    memcpy(copy, text, size);
    return copy;
}

static void forget(char **texts, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        free(texts[i]);
    }
    free(texts);
}
