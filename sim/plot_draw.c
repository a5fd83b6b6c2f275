/* SPDX-License-Identifier: Apache-2.0 */
/* Draws the picture of a ring: the circle of places with the top as place 0, links inside of it, a
 * legend, two histograms. Large rings are thinned out, and it says so. */
#include "sim/histogram.h"
#include "sim/plot.h"
#include "sim/sort.h"
#include "sim/svg.h"

enum {
    WIDTH = 150000, /* in hundredths */
    HEIGHT = 100000,
    CENTRE_X = 47000,
    CENTRE_Y = 48000,
    RADIUS = 38500,
    RIGHT_X = 98000,
    RIGHT_WIDTH = 48000,
    RIGHT_HEIGHT = 23500,
    HOPS_Y = 18000,
    LATENCIES_Y = 58500,
    LEGEND_X = 3000,
    LEGEND_Y = 92000,
    LEGEND_STEP_X = 36000,
    LEGEND_STEP_Y = 2300,
    LEGEND_COLUMNS = 4,
    LABELS_MAX = 32,    /* nodes that are named */
    NODES_SHOWN = 3000, /* of each state */
    SMALL = 64,         /* rings up to this get thick lines */
    MEDIUM = 600,       /* ... and up to this lines of one unit */
};

/* The palette of Okabe and Ito, "Color Universal Design" (2002), which people with any common kind
 * of colour blindness can tell apart. */
static const char style[] =
    "<style>\n"
    "text{font-family:sans-serif;fill:#222}\n"
    ".title{font-size:24px;font-weight:bold}.head{font-size:18px;font-weight:bold}\n"
    ".note{font-size:14px}.tick{font-size:12px}.name{font-size:13px}\n"
    ".end{text-anchor:end}.middle{text-anchor:middle}\n"
    ".axis{stroke:#222;stroke-width:1.5}.grid{stroke:#ccc;stroke-width:1}\n"
    ".bar{fill:#56b4e9}.rest{fill:#e69f00}\n"
    ".mark{stroke-width:2}.mean text{fill:#d55e00}.mean .mark{stroke:#d55e00}\n"
    ".p50 text{fill:#0072b2}.p50 .mark{stroke:#0072b2;stroke-dasharray:7 4}\n"
    ".p95 text{fill:#222}.p95 .mark{stroke:#222;stroke-dasharray:2 3}\n"
    ".circle{fill:none;stroke:#ddd;stroke-width:1}\n"
    ".link{fill:none;stroke-linejoin:round}.relayed{stroke-dasharray:6 5}\n"
    ".near{stroke:#555}.shortcut{stroke:#56b4e9}.on_demand{stroke:#009e73}.other{stroke:#cc79a7}\n"
    ".node{fill:none;stroke-linecap:round}\n"
    ".connected{stroke:#0072b2}.joining{stroke:#e69f00}.alone{stroke:#f0e442}\n"
    ".down{stroke:#999}.hostile{stroke:#d55e00}\n"
    "</style>\n";

static const char *const link_classes[SIM_PLOT_LINKS] = {"near", "shortcut", "on_demand", "other"};
static const char *const link_names[SIM_PLOT_LINKS] = {
#define X(name, text) text,
    SIM_PLOT_LINK_LIST(X)
#undef X
};
static const char *const state_classes[SIM_PLOT_STATES] = {"connected", "joining", "alone", "down",
                                                           "hostile"};
static const char *const state_names[SIM_PLOT_STATES] = {
#define X(name, text) text,
    SIM_PLOT_STATE_LIST(X)
#undef X
};

/* How many are drawn of each kind, direct and relayed apart: what crosses the circle hides what is
 * below. */
static const uint32_t links_shown[SIM_PLOT_LINKS] = {1200, 350, 150, 100};

/* How many there are of a class, and how many are drawn. */
struct share {
    uint32_t all;
    uint32_t shown;
};

static int by_place(const void *a, const void *b);
static int by_ends(const void *a, const void *b);
static int compare_ids(wrn_id a, wrn_id b);
static void unite_edges(struct sim_plot *plot);
static void draw_title(struct sim_svg *svg, const struct sim_plot *plot,
                       const struct sim_plot_title *title);
static void draw_edges(struct sim_svg *svg, const struct sim_plot *plot, uint32_t kind,
                       bool is_relayed, struct share *ret_share);
static void add_edge(struct sim_svg *svg, const struct sim_plot_edge *edge);
static void draw_nodes(struct sim_svg *svg, const struct sim_plot *plot, uint32_t state,
                       struct share *ret_share);
static void draw_names(struct sim_svg *svg, const struct sim_plot *plot);
static void draw_legend(struct sim_svg *svg, const struct share links[SIM_PLOT_LINKS][2],
                        const struct share nodes[SIM_PLOT_STATES]);
static void draw_histograms(struct sim_svg *svg, struct sim_plot *plot);
static struct sim_svg_point legend_place(uint32_t entry);
static void add_share(struct sim_svg *svg, const char *name, const struct share *share);
static void add_line_attributes(struct sim_svg *svg, const struct sim_plot *plot, uint32_t kind,
                                bool is_relayed);
static int32_t dot_size(const struct sim_plot *plot, uint32_t state);
static struct sim_svg_point place_of(wrn_id id, int32_t radius);
static void add_point(struct sim_svg *svg, char command, struct sim_svg_point point);
static bool is_shown(uint32_t number, uint32_t all, uint32_t shown);

char *sim_plot_draw(struct sim_plot *plot, const struct sim_plot_title *title) {
    struct sim_svg svg = {0};
    struct share links[SIM_PLOT_LINKS][2], nodes[SIM_PLOT_STATES];
    sim_sort(plot->nodes, plot->node_count, sizeof *plot->nodes, by_place);
    unite_edges(plot);
    sim_svg_print(&svg,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
                  "height=\"%d\">\n",
                  WIDTH / SVG_UNIT, HEIGHT / SVG_UNIT, WIDTH / SVG_UNIT, HEIGHT / SVG_UNIT);
    sim_svg_add(&svg, style);
    sim_svg_add(&svg, "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
    draw_title(&svg, plot, title);
    sim_svg_print(&svg, "<circle class=\"circle\" cx=\"%d\" cy=\"%d\" r=\"%d\"/>\n",
                  CENTRE_X / SVG_UNIT, CENTRE_Y / SVG_UNIT, RADIUS / SVG_UNIT);
    static const uint8_t order[] = {SIM_PLOT_LINK_SHORTCUT, SIM_PLOT_LINK_OTHER,
                                    SIM_PLOT_LINK_ON_DEMAND, SIM_PLOT_LINK_NEAR};
    for (uint32_t i = 0; i < 2 * WRN_COUNT(order); i++) { /* the relayed ones lie above */
        uint32_t kind = order[i % WRN_COUNT(order)], relayed = i / WRN_COUNT(order);
        draw_edges(&svg, plot, kind, relayed != 0, &links[kind][relayed]);
    }
    for (uint32_t state = 0; state < SIM_PLOT_STATES; state++) { /* the odd ones lie above */
        draw_nodes(&svg, plot, state, &nodes[state]);
    }
    draw_names(&svg, plot);
    draw_legend(&svg, links, nodes);
    draw_histograms(&svg, plot);
    sim_svg_add(&svg, "</svg>\n");
    return svg.text;
}

static int by_place(const void *a, const void *b) {
    const struct sim_plot_node *x = a, *y = b;
    int order = compare_ids(x->id, y->id);
    return order != 0 ? order : (int)x->state - (int)y->state;
}

static int by_ends(const void *a, const void *b) {
    const struct sim_plot_edge *x = a, *y = b;
    int order = compare_ids(x->a, y->a);
    order = order != 0 ? order : compare_ids(x->b, y->b);
    order = order != 0 ? order : (int)x->kind - (int)y->kind;
    return order != 0 ? order : (int)x->is_relayed - (int)y->is_relayed;
}

static int compare_ids(wrn_id a, wrn_id b) {
    return wrn_id_equal(a, b) ? 0 : wrn_id_less(a, b) ? -1 : 1;
}

/* Both ends tell of a link: it is drawn once, as what counts first, relayed if either says so. */
static void unite_edges(struct sim_plot *plot) {
    uint32_t kept = 0;
    if (plot->edge_count == 0) {
        return;
    }
    sim_sort(plot->edges, plot->edge_count, sizeof *plot->edges, by_ends);
    for (uint32_t i = 1; i < plot->edge_count; i++) {
        const struct sim_plot_edge *edge = &plot->edges[i];
        struct sim_plot_edge *last = &plot->edges[kept];
        if (wrn_id_equal(edge->a, last->a) && wrn_id_equal(edge->b, last->b)) {
            last->is_relayed = last->is_relayed || edge->is_relayed;
        } else {
            kept++;
            plot->edges[kept] = *edge;
        }
    }
    plot->edge_count = kept + 1;
}

static void draw_title(struct sim_svg *svg, const struct sim_plot *plot,
                       const struct sim_plot_title *title) {
    uint64_t passed_s = plot->passed_ns / UINT64_C(1000000000);
    sim_svg_text(svg, "title", 3000, 4200);
    sim_svg_add(svg, "Warren, ");
    sim_svg_escaped(svg, title->scenario);
    sim_svg_print(svg, ", seed %llu, after %llu h %llu min %llu s</text>\n",
                  (unsigned long long)title->seed, (unsigned long long)(passed_s / 3600),
                  (unsigned long long)(passed_s / 60 % 60), (unsigned long long)(passed_s % 60));
}

static void draw_edges(struct sim_svg *svg, const struct sim_plot *plot, uint32_t kind,
                       bool is_relayed, struct share *ret_share) {
    uint32_t number = 0, limit = links_shown[kind];
    struct share share = {0};
    for (uint32_t i = 0; i < plot->edge_count; i++) {
        bool is_it = plot->edges[i].kind == kind && plot->edges[i].is_relayed == is_relayed;
        share.all += is_it ? 1 : 0;
    }
    share.shown = share.all < limit ? share.all : limit;
    *ret_share = share;
    if (share.shown == 0) {
        return;
    }
    sim_svg_add(svg, "<path");
    add_line_attributes(svg, plot, kind, is_relayed);
    sim_svg_add(svg, " d=\"");
    for (uint32_t i = 0; i < plot->edge_count; i++) {
        const struct sim_plot_edge *edge = &plot->edges[i];
        if (edge->kind == kind && edge->is_relayed == is_relayed) {
            if (is_shown(number, share.all, share.shown)) {
                add_edge(svg, edge);
            }
            number++;
        }
    }
    sim_svg_add(svg, "\"/>\n");
}

/* Near links are straight; others bend towards the centre, so that they can be told apart. */
static void add_edge(struct sim_svg *svg, const struct sim_plot_edge *edge) {
    struct sim_svg_point a = place_of(edge->a, RADIUS), b = place_of(edge->b, RADIUS);
    add_point(svg, 'M', a);
    if (edge->kind == SIM_PLOT_LINK_NEAR) {
        add_point(svg, 'L', b);
        return;
    }
    struct sim_svg_point bend = {
        ((a.x + b.x) / 2 + CENTRE_X) / 2,
        ((a.y + b.y) / 2 + CENTRE_Y) / 2,
    };
    add_point(svg, 'Q', bend);
    add_point(svg, ' ', b);
}

/* Dots are lines without length that have round ends: short to write. */
static void draw_nodes(struct sim_svg *svg, const struct sim_plot *plot, uint32_t state,
                       struct share *ret_share) {
    struct share share = {0};
    uint32_t number = 0;
    for (uint32_t i = 0; i < plot->node_count; i++) {
        share.all += plot->nodes[i].state == state ? 1 : 0;
    }
    share.shown = share.all < NODES_SHOWN ? share.all : NODES_SHOWN;
    *ret_share = share;
    if (share.shown == 0) {
        return;
    }
    sim_svg_print(svg, "<path class=\"node %s\"", state_classes[state]);
    sim_svg_attribute(svg, "stroke-width", dot_size(plot, state));
    sim_svg_add(svg, " d=\"");
    for (uint32_t i = 0; i < plot->node_count; i++) {
        if (plot->nodes[i].state == state) {
            if (is_shown(number, share.all, share.shown)) {
                add_point(svg, 'M', place_of(plot->nodes[i].id, RADIUS));
                sim_svg_add(svg, "h0");
            }
            number++;
        }
    }
    sim_svg_add(svg, "\"/>\n");
}

/* The first 16 bits of their places, where there is room. */
static void draw_names(struct sim_svg *svg, const struct sim_plot *plot) {
    for (uint32_t i = 0; plot->node_count <= LABELS_MAX && i < plot->node_count; i++) {
        wrn_id id = plot->nodes[i].id;
        struct sim_svg_point at = place_of(id, RADIUS + 2600);
        sim_svg_text(svg, "name middle", at.x, at.y + 450);
        sim_svg_print(svg, "%04x</text>\n", (unsigned)(id.high >> 48));
    }
}

static void draw_legend(struct sim_svg *svg, const struct share links[SIM_PLOT_LINKS][2],
                        const struct share nodes[SIM_PLOT_STATES]) {
    uint32_t entries = 0;
    for (uint32_t state = 0; state < SIM_PLOT_STATES; state++) {
        if (nodes[state].all > 0) {
            struct sim_svg_point at = legend_place(entries++);
            sim_svg_print(svg, "<path class=\"node %s\" stroke-width=\"11\" d=\"",
                          state_classes[state]);
            add_point(svg, 'M', (struct sim_svg_point){at.x + 1400, at.y - 500});
            sim_svg_add(svg, "h0\"/>\n");
            sim_svg_text(svg, "note", at.x + 3600, at.y);
            add_share(svg, state_names[state], &nodes[state]);
        }
    }
    if (entries == 0) {
        sim_svg_text(svg, "note", LEGEND_X, LEGEND_Y);
        sim_svg_add(svg, "there is no node</text>\n");
    }
    entries = (entries + LEGEND_COLUMNS - 1) / LEGEND_COLUMNS * LEGEND_COLUMNS;
    for (uint32_t i = 0; i < 2 * SIM_PLOT_LINKS; i++) {
        uint32_t kind = i / 2, relayed = i % 2;
        if (links[kind][relayed].all > 0) {
            struct sim_svg_point at = legend_place(entries++);
            sim_svg_print(svg, "<path class=\"link %s%s\" stroke-width=\"3\" d=\"",
                          link_classes[kind], relayed != 0 ? " relayed" : "");
            add_point(svg, 'M', (struct sim_svg_point){at.x, at.y - 450});
            sim_svg_add(svg, "h28\"/>\n");
            sim_svg_text(svg, "note", at.x + 3600, at.y);
            sim_svg_add(svg, relayed != 0 ? "relayed, " : "");
            add_share(svg, link_names[kind], &links[kind][relayed]);
        }
    }
}

/* Below one another, right of the ring. */
static void draw_histograms(struct sim_svg *svg, struct sim_plot *plot) {
    struct sim_histogram histogram = {
        .title = "Links that lookups took",
        .unit = "hops",
        .of = "lookups",
        .per_unit = 1,
        .width_least = 1,
        .x = RIGHT_X,
        .y = HOPS_Y,
        .width = RIGHT_WIDTH,
        .height = RIGHT_HEIGHT,
    };
    sim_histogram_draw(svg, &histogram, &plot->hops);
    histogram.title = "Time that lookups took";
    histogram.unit = "ms";
    histogram.per_unit = histogram.width_least = 1000; /* of microseconds */
    histogram.y = LATENCIES_Y;
    sim_histogram_draw(svg, &histogram, &plot->latencies_us);
}

static struct sim_svg_point legend_place(uint32_t entry) {
    return (struct sim_svg_point){
        .x = LEGEND_X + (int32_t)(entry % LEGEND_COLUMNS) * LEGEND_STEP_X,
        .y = LEGEND_Y + (int32_t)(entry / LEGEND_COLUMNS) * LEGEND_STEP_Y,
    };
}

static void add_share(struct sim_svg *svg, const char *name, const struct share *share) {
    sim_svg_print(svg, "%s: ", name);
    if (share->shown < share->all) {
        sim_svg_count(svg, share->shown);
        sim_svg_add(svg, " shown of ");
    }
    sim_svg_count(svg, share->all);
    sim_svg_add(svg, "</text>\n");
}

static void add_line_attributes(struct sim_svg *svg, const struct sim_plot *plot, uint32_t kind,
                                bool is_relayed) {
    bool is_near = kind == SIM_PLOT_LINK_NEAR;
    int32_t width = plot->node_count <= SMALL ? 200 : plot->node_count <= MEDIUM ? 100 : 70;
    if (is_relayed || kind == SIM_PLOT_LINK_ON_DEMAND) {
        width += width / 2; /* few, and of interest */
    }
    sim_svg_print(svg, " class=\"link %s%s\"", link_classes[kind], is_relayed ? " relayed" : "");
    sim_svg_attribute(svg, "stroke-width", width);
    sim_svg_print(svg, " stroke-opacity=\"%s\"", is_near || is_relayed ? "0.9" : "0.7");
}

/* Nodes that are not as they should be are larger. */
static int32_t dot_size(const struct sim_plot *plot, uint32_t state) {
    int32_t size = plot->node_count <= SMALL ? 1300 : plot->node_count <= MEDIUM ? 600 : 350;
    return state == SIM_PLOT_CONNECTED ? size : size + size / 3;
}

static struct sim_svg_point place_of(wrn_id id, int32_t radius) {
    struct sim_svg_point centre = {CENTRE_X, CENTRE_Y};
    return sim_svg_on_circle(centre, radius, (uint32_t)(id.high >> 32));
}

static void add_point(struct sim_svg *svg, char command, struct sim_svg_point point) {
    sim_svg_char(svg, command);
    sim_svg_length(svg, point.x);
    sim_svg_char(svg, ' ');
    sim_svg_length(svg, point.y);
}

/* Evenly spread: 'shown' of 'all'. */
static bool is_shown(uint32_t number, uint32_t all, uint32_t shown) {
    return (uint64_t)(number + 1) * shown / all > (uint64_t)number * shown / all;
}
