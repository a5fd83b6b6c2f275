/* SPDX-License-Identifier: Apache-2.0 */
/* Colours, for a terminal alone, and tables whose columns are as wide as what stands in them. */
#pragma once
#include "cli/cli.h"

enum wrn_paint {
    WRN_PAINT_PLAIN,
    WRN_PAINT_GOOD,
    WRN_PAINT_DOUBTFUL,
    WRN_PAINT_BAD,
    WRN_PAINT_DIM
};

/* Tells whether colours are wanted where 'stream' goes: it is a terminal that has them, and the
 * environment has no NO_COLOR (https://no-color.org). */
bool wrn_paint_is_wanted(FILE *stream);

/* Returns 'text' in a colour, or as it is if none are wanted (cli->has_colours). In memory of the
 * run. */
const char *wrn_paint(struct wrn_cli *cli, enum wrn_paint paint, const char *text);

/* A cell: its text and where it stands in its column. */
struct wrn_cell {
    const char *text; /* NULL: "-" */
    enum wrn_paint paint;
    bool is_right; /* numbers */
};

/* A table that is being filled, row by row. Memory of the run. */
struct wrn_columns {
    struct wrn_cli *cli;
    size_t column_count;
    size_t row_count, row_room;
    struct wrn_cell *cells;
};

enum { WRN_COLUMNS_MAX = 8 };

/* Begins a table of 'column_count' columns, 1..WRN_COLUMNS_MAX. */
void wrn_columns_init(struct wrn_columns *columns, struct wrn_cli *cli, size_t column_count);

/* Appends a row: as many cells as there are columns. */
void wrn_columns_add(struct wrn_columns *columns, const struct wrn_cell *cells);

/* Prints all rows: every column but the last is as wide as its widest cell. */
void wrn_columns_print(const struct wrn_columns *columns);

/* The places that a text takes on a terminal: one for each character of UTF-8. */
size_t wrn_text_width(const char *text);
