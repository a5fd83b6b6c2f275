/* SPDX-License-Identifier: Apache-2.0 */
/* One histogram of a picture: bars, mean and percentiles. */
#pragma once
#include "sim/sample.h"
#include "sim/svg.h"

struct sim_histogram {
    const char *title;
    const char *unit;            /* "hops", "ms" */
    const char *of;              /* what was counted */
    uint32_t per_unit;           /* values in one unit: 1, or 1000 for microseconds shown as ms */
    uint32_t width_least;        /* of a bar, in values */
    int32_t x, y, width, height; /* of the plane of the bars */
};

/* Draws it. The axis ends where one value in a hundred lies beyond; these are in a last bar. */
void sim_histogram_draw(struct sim_svg *svg, const struct sim_histogram *histogram,
                        struct sim_sample *sample);
