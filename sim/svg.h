/* SPDX-License-Identifier: Apache-2.0 */
/* SVG as growing text: numbers, escaped words, points on a circle. Integers only. */
#pragma once
#include "base/base.h"

/* A document under way. Zeroed: empty. */
struct sim_svg {
    char *text; /* terminated, once there is something */
    uint32_t size, capacity;
};

/* Coordinates and lengths are hundredths of a unit of the drawing. */
enum { SVG_UNIT = 100 };

/* Appends text as it is; a character; a number with two decimals at most; a whole number with a
 * comma every three digits; a word of somebody else's, escaped. */
void sim_svg_add(struct sim_svg *svg, const char *text);
void sim_svg_char(struct sim_svg *svg, char c);
void sim_svg_length(struct sim_svg *svg, int32_t hundredths);
void sim_svg_count(struct sim_svg *svg, uint64_t count);
void sim_svg_escaped(struct sim_svg *svg, const char *text);

/* Appends by format. */
WRN_PRINTF(2, 3) void sim_svg_print(struct sim_svg *svg, const char *format, ...);

/* Appends an attribute, with the space before it, whose value is a length. */
void sim_svg_attribute(struct sim_svg *svg, const char *name, int32_t hundredths);

/* Begins a text of this CSS class at a place; closed by "</text>\n". */
void sim_svg_text(struct sim_svg *svg, const char *class, int32_t x, int32_t y);

/* A point at 'radius' from the centre, 'turn' / 2^32 of the circle clockwise of the top. Exact to
 * 1/5000 of the radius. */
struct sim_svg_point {
    int32_t x, y;
};
struct sim_svg_point sim_svg_on_circle(struct sim_svg_point centre, int32_t radius, uint32_t turn);
