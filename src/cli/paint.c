/* SPDX-License-Identifier: Apache-2.0 */
/* Escape sequences and spaces. */
#include "cli/paint.h"

#include <stdlib.h>
#include <unistd.h>

enum { ROWS_FIRST = 16, GAP = 2 };

bool wrn_paint_is_wanted(FILE *stream) {
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return (no_color == NULL || *no_color == '\0') && isatty(fileno(stream)) == 1 && term != NULL &&
           *term != '\0' && strcmp(term, "dumb") != 0;
}

const char *wrn_paint(struct wrn_cli *cli, enum wrn_paint paint, const char *text) {
    static const char *const codes[] = {[WRN_PAINT_GOOD] = "32",
                                        [WRN_PAINT_DOUBTFUL] = "33",
                                        [WRN_PAINT_BAD] = "1;31",
                                        [WRN_PAINT_DIM] = "2"};
    return !cli->has_colours || paint == WRN_PAINT_PLAIN
               ? text
               : wrn_cli_text(cli, "\033[%sm%s\033[0m", codes[paint], text);
}

void wrn_columns_init(struct wrn_columns *columns, struct wrn_cli *cli, size_t column_count) {
    WRN_ASSERT(column_count >= 1 && column_count <= WRN_COLUMNS_MAX);
    *columns = (struct wrn_columns){.cli = cli, .column_count = column_count};
}

void wrn_columns_add(struct wrn_columns *columns, const struct wrn_cell *cells) {
    size_t row_size = columns->column_count * sizeof *cells;
    if (columns->row_count == columns->row_room) {
        size_t room = columns->row_room == 0 ? (size_t)ROWS_FIRST : 2 * columns->row_room;
        struct wrn_cell *larger = wrn_cli_take(columns->cli, room, row_size);
        if (columns->row_count > 0) {
            memcpy(larger, columns->cells, columns->row_count * row_size);
        }
        columns->cells = larger;
        columns->row_room = room;
    }
    memcpy(columns->cells + columns->row_count++ * columns->column_count, cells, row_size);
}

void wrn_columns_print(const struct wrn_columns *columns) {
    size_t widths[WRN_COLUMNS_MAX] = {0};
    FILE *out = columns->cli->out;
    for (size_t i = 0; i < columns->row_count * columns->column_count; i++) {
        const char *text = columns->cells[i].text;
        size_t width = text == NULL ? 1 : wrn_text_width(text);
        size_t *widest = &widths[i % columns->column_count];
        *widest = width > *widest ? width : *widest;
    }
    for (size_t i = 0; i < columns->row_count * columns->column_count; i++) {
        const struct wrn_cell *cell = &columns->cells[i];
        size_t column = i % columns->column_count;
        bool is_last = column + 1 == columns->column_count;
        const char *text = cell->text == NULL ? "-" : cell->text;
        int missing = (int)(widths[column] - wrn_text_width(text));
        (void)fprintf(out, "%*s%s%*s%s", cell->is_right ? missing : 0, "",
                      wrn_paint(columns->cli, cell->paint, text),
                      is_last          ? 0
                      : cell->is_right ? GAP
                                       : missing + GAP,
                      "", is_last ? "\n" : "");
    }
}

size_t wrn_text_width(const char *text) {
    size_t width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}
