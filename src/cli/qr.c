/* SPDX-License-Identifier: Apache-2.0 */
/* Draws QR codes. Source: ISO/IEC 18004 (border of four modules), by libqrencode. */
#include "cli/qr.h"

#include <qrencode.h>

enum { BORDER = 4, SVG_HEAD_SIZE = 256, SVG_MODULE_SIZE = 24, SVG_SCALE = 6 };

static QRcode *encode(const char *text);
static bool is_dark(const QRcode *code, int x, int y);

void wrn_qr_print(struct wrn_cli *cli, const char *text, bool colours) {
    static const char *const blocks[] = {" ", "▄", "▀", "█"}; /* bit 1: upper is light; 0: lower */
    QRcode *code = encode(text);
    for (int y = -BORDER; y < code->width + BORDER; y += 2) {
        (void)fputs(colours ? "\033[97;40m" : "", cli->out);
        for (int x = -BORDER; x < code->width + BORDER; x++) {
            unsigned upper = is_dark(code, x, y) ? 0 : 2;
            unsigned lower = is_dark(code, x, y + 1) ? 0 : 1;
            (void)fputs(blocks[upper | lower], cli->out);
        }
        (void)fputs(colours ? "\033[0m\n" : "\n", cli->out);
    }
    QRcode_free(code);
}

wrn_span wrn_qr_svg(struct wrn_cli *cli, const char *text) {
    QRcode *code = encode(text);
    int side = code->width + 2 * BORDER;
    size_t capacity = SVG_HEAD_SIZE + (size_t)code->width * (size_t)code->width * SVG_MODULE_SIZE;
    char *svg = wrn_cli_take(cli, capacity, 1);
    size_t size = (size_t)snprintf(
        svg, capacity,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
        "viewBox=\"0 0 %d %d\"><path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/><path d=\"",
        side * SVG_SCALE, side * SVG_SCALE, side, side, side, side);
    for (int y = 0; y < code->width; y++) {
        for (int x = 0; x < code->width; x++) {
            if (is_dark(code, x, y)) {
                size += (size_t)snprintf(svg + size, capacity - size, "M%d %dh1v1h-1z", x + BORDER,
                                         y + BORDER);
            }
        }
    }
    size += (size_t)snprintf(svg + size, capacity - size, "\"/></svg>\n");
    QRcode_free(code);
    WRN_ASSERT(size < capacity);
    return (wrn_span){(const uint8_t *)svg, size};
}

static QRcode *encode(const char *text) {
    QRcode *code = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
    WRN_ASSERT(code != NULL); /* our texts are far shorter than what a code holds */
    return code;
}

/* Outside of the code all is light. */
static bool is_dark(const QRcode *code, int x, int y) {
    bool is_inside = x >= 0 && y >= 0 && x < code->width && y < code->width;
    return is_inside && (code->data[y * code->width + x] & 1) != 0;
}
