/* SPDX-License-Identifier: Apache-2.0 */
/* Bars of equal width; widths are round numbers. */
#include "sim/histogram.h"

enum {
    BARS_MAX = 40,
    BARS_WISHED = 32,
    LABELS_MAX = 8,
    GAP = 100,
    LABEL_Y = 1900,
    MARKS = 3,
    NAME_WIDTH = 8000
};

/* The bars, before they are drawn. */
struct bars {
    uint64_t counts[BARS_MAX + 1]; /* the last one: all that lies beyond */
    uint32_t count;
    uint32_t width; /* in values */
    bool has_rest;
    uint64_t most;
};

static void count_bars(struct bars *bars, const struct sim_histogram *h, struct sim_sample *sample);
static uint32_t round_width(uint32_t least);
static uint32_t bars_shown(const struct bars *bars);
static void draw_axes(struct sim_svg *svg, const struct sim_histogram *h, const struct bars *bars);
static void draw_bars(struct sim_svg *svg, const struct sim_histogram *h, const struct bars *bars);
static void draw_marks(struct sim_svg *svg, const struct sim_histogram *h, const struct bars *bars,
                       struct sim_sample *sample);
static void draw_summary(struct sim_svg *svg, const struct sim_histogram *h,
                         struct sim_sample *sample);
static void add_value(struct sim_svg *svg, const struct sim_histogram *h, uint64_t value_milli);
static int32_t bar_x(const struct sim_histogram *h, const struct bars *bars, uint32_t bar);
static int32_t value_x(const struct sim_histogram *h, const struct bars *bars,
                       uint64_t value_milli);
static void rectangle(struct sim_svg *svg, const char *class, int32_t x, int32_t y, int32_t width,
                      int32_t height);
static void line(struct sim_svg *svg, const char *class, int32_t x1, int32_t y1, int32_t x2,
                 int32_t y2);

void sim_histogram_draw(struct sim_svg *svg, const struct sim_histogram *h,
                        struct sim_sample *sample) {
    struct bars bars = {0};
    sim_svg_text(svg, "head", h->x, h->y - 6200);
    sim_svg_escaped(svg, h->title);
    sim_svg_add(svg, "</text>\n");
    if (sample->count == 0) {
        line(svg, "axis", h->x, h->y + h->height, h->x + h->width, h->y + h->height);
        sim_svg_text(svg, "note", h->x, h->y - 4000);
        sim_svg_print(svg, "no %s were measured</text>\n", h->of);
        return;
    }
    count_bars(&bars, h, sample);
    WRN_ASSERT(bars.width > 0 && bars.most > 0);
    draw_summary(svg, h, sample);
    draw_axes(svg, h, &bars);
    draw_bars(svg, h, &bars);
    draw_marks(svg, h, &bars, sample);
}

static void count_bars(struct bars *bars, const struct sim_histogram *h,
                       struct sim_sample *sample) {
    uint32_t end = sim_sample_percentile(sample, 99);
    uint32_t most = sim_sample_percentile(sample, 100);
    uint32_t wished = end / BARS_WISHED + 1;
    bars->width = round_width(wished > h->width_least ? wished : h->width_least);
    bars->count = end / bars->width + 1;
    bars->has_rest = most / bars->width >= bars->count;
    WRN_ASSERT(bars->count <= BARS_MAX);
    for (uint32_t i = 0; i < sample->count; i++) {
        uint32_t bar = sample->values[i] / bars->width;
        bars->counts[bar < bars->count ? bar : bars->count]++;
    }
    for (uint32_t i = 0; i <= bars->count; i++) {
        bars->most = bars->counts[i] > bars->most ? bars->counts[i] : bars->most;
    }
}

/* 1, 2 or 5 times a power of ten. */
static uint32_t round_width(uint32_t least) {
    uint64_t width = 1;
    for (uint32_t i = 0; width < least; i++) {
        width = i % 3 == 1 ? width / 2 * 5 : width * 2;
    }
    return (uint32_t)width;
}

static uint32_t bars_shown(const struct bars *bars) {
    uint32_t shown = bars->count + (bars->has_rest ? 1 : 0);
    WRN_ASSERT(shown > 0);
    return shown;
}

static void draw_axes(struct sim_svg *svg, const struct sim_histogram *h, const struct bars *bars) {
    uint32_t shown = bars_shown(bars);
    uint32_t every = shown / LABELS_MAX + 1;
    int32_t floor = h->y + h->height;
    for (uint32_t i = 1; i <= 2; i++) { /* all and half of the greatest */
        int32_t y = floor - h->height / (int32_t)i;
        line(svg, "grid", h->x, y, h->x + h->width, y);
        sim_svg_text(svg, "tick end", h->x - 600, y + 400);
        sim_svg_count(svg, bars->most / i);
        sim_svg_add(svg, "</text>\n");
    }
    line(svg, "axis", h->x, floor, h->x + h->width, floor);
    for (uint32_t i = 0; i < bars->count; i += every) {
        /* A bar of one value is named in its middle, else where it begins. */
        bool is_single = bars->width == 1;
        int32_t x = bar_x(h, bars, i) + (is_single ? h->width / (int32_t)shown / 2 : 0);
        sim_svg_text(svg, "tick middle", x, floor + LABEL_Y);
        add_value(svg, h, (uint64_t)i * bars->width * 1000);
        sim_svg_add(svg, "</text>\n");
    }
    if (bars->has_rest) {
        sim_svg_text(svg, "tick end", h->x + h->width, floor + 2 * LABEL_Y);
        sim_svg_add(svg, "last bar: ");
        add_value(svg, h, (uint64_t)bars->count * bars->width * 1000);
        sim_svg_print(svg, " %s and more</text>\n", h->unit);
    }
    sim_svg_text(svg, "tick", h->x, floor + 2 * LABEL_Y);
    sim_svg_print(svg, "%s</text>\n", h->unit);
}

static void draw_bars(struct sim_svg *svg, const struct sim_histogram *h, const struct bars *bars) {
    uint32_t shown = bars_shown(bars);
    for (uint32_t i = 0; i < shown; i++) {
        int32_t x = bar_x(h, bars, i), width = bar_x(h, bars, i + 1) - x;
        int32_t height = (int32_t)(bars->counts[i] * (uint64_t)(uint32_t)h->height / bars->most);
        if (bars->counts[i] > 0 && height < 50) {
            height = 50; /* seen, however few */
        }
        if (height > 0) {
            rectangle(svg, i < bars->count ? "bar" : "rest", x + GAP / 2, h->y + h->height - height,
                      width - GAP, height);
        }
    }
}

/* Lines at the mean and the percentiles, each with its name at its own height; those of mean and
 * median, which often lie close together, point away from one another. */
static void draw_marks(struct sim_svg *svg, const struct sim_histogram *h, const struct bars *bars,
                       struct sim_sample *sample) {
    static const char *const names[MARKS] = {"mean", "p50", "p95"};
    const uint64_t values_milli[MARKS] = {
        sim_sample_mean_milli(sample),
        sim_sample_percentile(sample, 50) * UINT64_C(1000),
        sim_sample_percentile(sample, 95) * UINT64_C(1000),
    };
    bool is_mean_first = values_milli[0] < values_milli[1];
    for (int32_t i = 0; i < MARKS; i++) {
        int32_t x = value_x(h, bars, values_milli[i]), top = h->y - 2600 + 1100 * i;
        bool is_left = i == 2 ? x > h->x + h->width * 4 / 5
                              : is_mean_first == (i == 0) && x > h->x + NAME_WIDTH;
        sim_svg_print(svg, "<g class=\"%s\">", names[i]);
        line(svg, "mark", x, top, x, h->y + h->height);
        sim_svg_text(svg, is_left ? "tick end" : "tick", is_left ? x - 400 : x + 400, top + 800);
        sim_svg_print(svg, "%s ", names[i]);
        add_value(svg, h, values_milli[i]);
        sim_svg_add(svg, "</text></g>\n");
    }
}

static void draw_summary(struct sim_svg *svg, const struct sim_histogram *h,
                         struct sim_sample *sample) {
    sim_svg_text(svg, "note", h->x, h->y - 4000);
    sim_svg_count(svg, sample->count);
    sim_svg_print(svg, " %s, in %s: mean ", h->of, h->unit);
    add_value(svg, h, sim_sample_mean_milli(sample));
    static const struct {
        const char *name;
        uint32_t percent;
    } shown[] = {{", p50 ", 50}, {", p95 ", 95}, {", greatest ", 100}};
    for (size_t i = 0; i < WRN_COUNT(shown); i++) {
        sim_svg_add(svg, shown[i].name);
        add_value(svg, h, sim_sample_percentile(sample, shown[i].percent) * UINT64_C(1000));
    }
    sim_svg_add(svg, "</text>\n");
}

/* A value, in its unit: two decimals below ten, one below a hundred, else none. */
static void add_value(struct sim_svg *svg, const struct sim_histogram *h, uint64_t value_milli) {
    uint64_t hundredths = (value_milli / 10 + h->per_unit / 2) / h->per_unit;
    if (hundredths >= 10000) {
        sim_svg_count(svg, (hundredths + 50) / 100);
        return;
    }
    if (hundredths >= 1000) {
        hundredths = (hundredths + 5) / 10 * 10;
    }
    sim_svg_length(svg, (int32_t)hundredths);
}

static int32_t bar_x(const struct sim_histogram *h, const struct bars *bars, uint32_t bar) {
    uint32_t shown = bars_shown(bars);
    return h->x + (int32_t)((uint64_t)(uint32_t)h->width * bar / shown);
}

/* In the middle of the bar for bars of one value. Beyond the axis: its end. */
static int32_t value_x(const struct sim_histogram *h, const struct bars *bars,
                       uint64_t value_milli) {
    uint64_t shown = bars_shown(bars);
    uint64_t at = value_milli + (bars->width == 1 ? 500 : 0);
    uint64_t x = (uint64_t)(uint32_t)h->width * at / (shown * bars->width * 1000);
    return h->x + (x > (uint64_t)(uint32_t)h->width ? h->width : (int32_t)x);
}

static void rectangle(struct sim_svg *svg, const char *class, int32_t x, int32_t y, int32_t width,
                      int32_t height) {
    sim_svg_print(svg, "<rect class=\"%s\"", class);
    sim_svg_attribute(svg, "x", x);
    sim_svg_attribute(svg, "y", y);
    sim_svg_attribute(svg, "width", width);
    sim_svg_attribute(svg, "height", height);
    sim_svg_add(svg, "/>\n");
}

static void line(struct sim_svg *svg, const char *class, int32_t x1, int32_t y1, int32_t x2,
                 int32_t y2) {
    sim_svg_print(svg, "<line class=\"%s\"", class);
    sim_svg_attribute(svg, "x1", x1);
    sim_svg_attribute(svg, "y1", y1);
    sim_svg_attribute(svg, "x2", x2);
    sim_svg_attribute(svg, "y2", y2);
    sim_svg_add(svg, "/>\n");
}
