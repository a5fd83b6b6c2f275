/* SPDX-License-Identifier: Apache-2.0 */
/* QR codes of short texts, for a terminal and as a picture. Thin over libqrencode, which only this
 * file calls. */
#pragma once
#include "cli/cli.h"

/* Prints the code of a text in block characters, two rows a line. With 'colours' it is black on
 * white whatever the terminal's colours are; else light where the terminal's text is. */
void wrn_qr_print(struct wrn_cli *cli, const char *text, bool colours);

/* Draws it as an SVG picture, with the white border that scanners want. */
wrn_span wrn_qr_svg(struct wrn_cli *cli, const char *text);
