/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows, and a table of sines. */
#include "sim/svg.h"

#include <stdarg.h>
#include <stdio.h>

#include "sim/memory.h"

enum { QUARTER_STEPS = 64, SINE_ONE = 32768, PRINT_SIZE = 400 };

static int32_t sine(uint32_t turn);
static int32_t scale(int32_t radius, int32_t sine);

/* sin(i * pi / 128) * 2^15, rounded. */
static const uint16_t quarter[QUARTER_STEPS + 1] = {
    0,     804,   1608,  2411,  3212,  4011,  4808,  5602,  6393,  7180,  7962,  8740,  9512,
    10279, 11039, 11793, 12540, 13279, 14010, 14733, 15447, 16151, 16846, 17531, 18205, 18868,
    19520, 20160, 20788, 21403, 22006, 22595, 23170, 23732, 24279, 24812, 25330, 25833, 26320,
    26791, 27246, 27684, 28106, 28511, 28899, 29269, 29622, 29957, 30274, 30572, 30853, 31114,
    31357, 31581, 31786, 31972, 32138, 32286, 32413, 32522, 32610, 32679, 32729, 32758, 32768,
};

void sim_svg_add(struct sim_svg *svg, const char *text) {
    for (; *text != '\0'; text++) {
        sim_svg_char(svg, *text);
    }
}

void sim_svg_char(struct sim_svg *svg, char c) {
    if (svg->size + 1 >= svg->capacity) {
        svg->text = sim_grow(svg->text, svg->capacity, &svg->capacity, 1);
    }
    svg->text[svg->size++] = c;
    svg->text[svg->size] = '\0';
}

void sim_svg_length(struct sim_svg *svg, int32_t hundredths) {
    char text[16];
    uint32_t value = hundredths < 0 ? -(uint32_t)hundredths : (uint32_t)hundredths;
    const char *sign = hundredths < 0 ? "-" : "";
    uint32_t whole = value / SVG_UNIT, part = value % SVG_UNIT;
    if (part == 0) {
        (void)snprintf(text, sizeof text, "%s%u", sign, whole);
    } else if (part % 10 == 0) {
        (void)snprintf(text, sizeof text, "%s%u.%u", sign, whole, part / 10);
    } else {
        (void)snprintf(text, sizeof text, "%s%u.%02u", sign, whole, part);
    }
    sim_svg_add(svg, text);
}

void sim_svg_count(struct sim_svg *svg, uint64_t count) {
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0) {
            sim_svg_char(svg, ',');
        }
        sim_svg_char(svg, digits[i]);
    }
}

/* What XML cannot hold at all becomes a question mark. */
void sim_svg_escaped(struct sim_svg *svg, const char *text) {
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            sim_svg_add(svg, "&lt;");
            break;
        case '>':
            sim_svg_add(svg, "&gt;");
            break;
        case '&':
            sim_svg_add(svg, "&amp;");
            break;
        case '"':
            sim_svg_add(svg, "&quot;");
            break;
        default:
            sim_svg_char(svg, *text >= ' ' && *text <= '~' ? *text : '?');
            break;
        }
    }
}

void sim_svg_print(struct sim_svg *svg, const char *format, ...) {
    char text[PRINT_SIZE];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    WRN_ASSERT(size >= 0 && (size_t)size < sizeof text);
    sim_svg_add(svg, text);
}

void sim_svg_attribute(struct sim_svg *svg, const char *name, int32_t hundredths) {
    sim_svg_print(svg, " %s=\"", name);
    sim_svg_length(svg, hundredths);
    sim_svg_char(svg, '"');
}

void sim_svg_text(struct sim_svg *svg, const char *class, int32_t x, int32_t y) {
    sim_svg_print(svg, "<text class=\"%s\"", class);
    sim_svg_attribute(svg, "x", x);
    sim_svg_attribute(svg, "y", y);
    sim_svg_add(svg, ">");
}

struct sim_svg_point sim_svg_on_circle(struct sim_svg_point centre, int32_t radius, uint32_t turn) {
    return (struct sim_svg_point){
        .x = centre.x + scale(radius, sine(turn)),
        .y = centre.y - scale(radius, sine(turn + (UINT32_C(1) << 30))),
    };
}

/* Between two steps of the table it is a straight line. */
static int32_t sine(uint32_t turn) {
    uint32_t in_quarter = turn & ((UINT32_C(1) << 30) - 1);
    bool is_falling = (turn >> 30 & 1) != 0;
    if (is_falling) {
        in_quarter = (UINT32_C(1) << 30) - in_quarter;
    }
    uint32_t step = in_quarter >> 24, rest = in_quarter & ((UINT32_C(1) << 24) - 1);
    int32_t value = quarter[step];
    if (rest > 0) { /* so step is below the last one */
        uint32_t rise = (uint32_t)quarter[step + 1] - quarter[step];
        value += (int32_t)(((uint64_t)rise * rest + (UINT32_C(1) << 23)) >> 24);
    }
    return (turn >> 31) != 0 ? -value : value;
}

static int32_t scale(int32_t radius, int32_t by_sine) {
    int64_t product = (int64_t)radius * by_sine;
    product += product < 0 ? -(SINE_ONE / 2) : SINE_ONE / 2;
    return (int32_t)(product / SINE_ONE);
}
