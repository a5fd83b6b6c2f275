/* SPDX-License-Identifier: Apache-2.0 */
/* The program `warren`. All that it does is in commands. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/paint.h"
#include "io/clock.h"

int main(int argc, char **argv) {
    struct wrn_cli cli;
    wrn_cli_init(&cli, stdout, stderr, wrn_clock_read().wall.s);
    cli.has_colours = wrn_paint_is_wanted(stdout);
    int code = wrn_command_main(&cli, &wrn_commands, argc, argv);
    wrn_cli_finish(&cli);
    bool is_lost = ferror(stdout) != 0;
    if (fclose(stdout) != 0 || is_lost) { /* a full disk must not look like success */
        (void)fputs("warren: the answer could not be written to standard output\n", stderr);
        return code == WRN_CLI_DONE ? WRN_CLI_REFUSED : code;
    }
    return code;
}
