/* SPDX-License-Identifier: Apache-2.0 */
/* Writes metrics in Prometheus's text form, version 0.0.4. Pure but for the memory of the text;
 * knows no metric. */
#pragma once
#include "base/base.h"

enum { WRN_METRICS_SIZE_MAX = 16 << 20 }; /* bytes of a whole text */

/* A text that grows. Zeroed: empty. */
struct wrn_metrics_text {
    char *bytes; /* the caller frees it */
    size_t size, room;
    bool is_lost; /* there was no memory, or it grew too large: the text is of no use */
};

/* A label; 'value' is escaped where it has to be. */
struct wrn_metrics_label {
    const char *name, *value;
};

/* Begins a family: 'type' is "counter" or "gauge", 'help' one line without backslashes. All of its
 * samples follow, before the next one begins. */
void wrn_metrics_family(struct wrn_metrics_text *text, const char *name, const char *type,
                        const char *help);

/* Write a sample: a whole number, or 'micro' millionths. Labels end with one that has no name. */
void wrn_metrics_sample(struct wrn_metrics_text *text, const char *name,
                        const struct wrn_metrics_label *labels, uint64_t value);
void wrn_metrics_sample_micro(struct wrn_metrics_text *text, const char *name,
                              const struct wrn_metrics_label *labels, uint64_t micro);
