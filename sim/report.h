/* SPDX-License-Identifier: Apache-2.0 */
/* What a scenario found out: lines to read, figures by name, and what should not have been.
 * Collects text; prints nothing. */
#pragma once
#include "base/base.h"

enum { SIM_REPORT_LINE_SIZE = 400 };

struct sim_figure {
    const char *name; /* lives as long as the program; ends with the unit */
    uint64_t value;
};

/* Zeroed: empty. */
struct sim_report {
    char **lines;
    uint32_t line_count, line_capacity;
    struct sim_figure *figures;
    uint32_t figure_count, figure_capacity;
    char **failures;
    uint32_t failure_count, failure_capacity;
};

/* Adds a line; what does not fit into SIM_REPORT_LINE_SIZE is cut off. */
WRN_PRINTF(2, 3) void sim_report_line(struct sim_report *report, const char *format, ...);

/* Adds a figure. */
void sim_report_figure(struct sim_report *report, const char *name, uint64_t value);

/* Adds a failure unless 'holds': the text says what was expected and what was found. */
WRN_PRINTF(3, 4)
void sim_report_expect(struct sim_report *report, bool holds, const char *format, ...);

/* Frees what was added; the report is empty then. */
void sim_report_finish(struct sim_report *report);
