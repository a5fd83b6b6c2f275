/* SPDX-License-Identifier: Apache-2.0 */
/* Populations, and the oracle. */
#include "sim/population.h"

#include <stdio.h>

#include "sim/memory.h"
#include "sim/share.h"

/* Boxes that people have at home, and those that make trouble. */
static const char *const easy[] = {"fc", "rc", "pr", "lx", "lx", "cc"};
static const char *const hard[] = {"am", "sn", "sr", "so", "cr", "ls"};

static sim_segment add_home(struct sim_nodes *nodes, const struct sim_home_class *class,
                            uint32_t ipv6_number);
static struct sim_link line_of(struct sim_nodes *nodes, uint32_t number,
                               const struct sim_mixture *mixture);
static const struct sim_home_class *draw_class(struct wrn_rand rand, uint32_t hard_ppm);
static bool is_hit(struct wrn_rand rand, uint32_t ppm);
static bool is_counted(const struct sim_node *node, uint32_t group);
static struct sim_node *neighbour(const struct sim_nodes *nodes, uint32_t group, uint32_t at,
                                  bool is_right);
static bool is_linked(const struct sim_node *node, const struct sim_node *to, bool is_right);
static bool is_in_place(const struct sim_nodes *nodes, uint32_t group, uint32_t at);
static void complain(struct sim_nodes *nodes, uint32_t group, uint64_t limit_ns, const char *after);
static enum sim_plot_state plot_state(const struct sim_node *node);
static enum sim_plot_link plot_link(uint32_t kinds);

struct sim_mixture sim_mixture_usual(void) {
    return (struct sim_mixture){
        .bootstraps = 3,
        .natted_ppm = 500000,
        .shared_ppm = 100000,
        .share_size = 3,
        .ipv6_ppm = 200000,
        .delay_min_ns = WRN_MS(5),
        .delay_max_ns = WRN_MS(60),
    };
}

struct sim_mixture sim_mixture_public(uint64_t delay_ns) {
    return (struct sim_mixture){
        .bootstraps = 3,
        .delay_min_ns = delay_ns,
        .delay_max_ns = delay_ns,
    };
}

struct sim_nodes *sim_populate(struct sim_run *run, uint32_t count,
                               const struct sim_mixture *mixture) {
    struct sim_nodes *nodes = sim_nodes_create(run);
    struct wrn_rand rand = sim_rand(run->world, SIM_STREAM_WORLD, 1000);
    sim_segment shared = 0;
    uint32_t room = 0; /* in the shared home */
    uint32_t bootstraps = mixture->bootstraps < count ? mixture->bootstraps : count;
    for (uint32_t i = 0; i < count; i++) {
        struct sim_link line = line_of(nodes, i, mixture);
        sim_segment segment = SIM_SEGMENT_INTERNET;
        uint32_t ipv6 = is_hit(rand, mixture->ipv6_ppm) ? i + 1 : 0;
        const struct sim_home_class *class = draw_class(rand, mixture->hard_ppm);
        uint32_t kind = wrn_rand_below(rand, SIM_PPM);
        if (i < bootstraps) {
            kind = SIM_PPM;
        }
        if (kind < mixture->natted_ppm) {
            segment = add_home(nodes, class, ipv6);
        } else if (kind < mixture->natted_ppm + mixture->shared_ppm) {
            if (room == 0) {
                shared = add_home(nodes, class, ipv6);
                room = mixture->share_size;
            }
            segment = shared;
            room--;
        }
        struct sim_node *node = sim_node_add(nodes, segment, &line, &line);
        if (i < bootstraps) {
            sim_node_make_bootstrap(node);
        }
    }
    return nodes;
}

void sim_start_all(struct sim_nodes *nodes, uint32_t first, uint64_t within_ns) {
    struct wrn_rand rand = sim_rand(nodes->run->world, SIM_STREAM_WORLD, 1001);
    wrn_mono now = sim_now(nodes->run->world).mono;
    for (uint32_t i = first; i < nodes->count; i++) {
        uint64_t wait = within_ns / 1000000 * wrn_rand_below(rand, 1000000);
        sim_node_plan(nodes->all[i], wrn_mono_add(now, i == first ? 0 : wait), SIM_TURN_START,
                      SIM_SAME_STATE);
    }
}

void sim_calm_links(struct sim_nodes *nodes, const struct sim_mixture *mixture) {
    struct sim_mixture calm = *mixture;
    calm.link = (struct sim_link){0};
    for (uint32_t i = 0; i < nodes->count; i++) {
        struct sim_link line = line_of(nodes, i, &calm);
        sim_host_set_link(nodes->net, nodes->all[i]->host, &line, &line);
    }
}

struct sim_view sim_look(const struct sim_nodes *nodes, uint32_t group) {
    struct sim_view view = {0};
    for (uint32_t i = 0; i < nodes->sorted_count; i++) {
        const struct sim_node *node = nodes->sorted[i];
        if (is_counted(node, group) && !node->is_liar) {
            const struct wrn_links *links = wrn_overlay_links(node->overlay);
            view.live++;
            view.connected += wrn_overlay_state(node->overlay) == WRN_RING_STATE_CONNECTED;
            view.consistent += is_in_place(nodes, group, i);
            view.links += links->count;
            view.links_max = links->count > view.links_max ? links->count : view.links_max;
            for (uint32_t k = 0; k < links->count; k++) {
                view.relayed_links += links->links[k].is_relayed;
            }
        }
    }
    return view;
}

bool sim_is_consistent(const struct sim_nodes *nodes, uint32_t group) {
    bool is_good = true;
    for (uint32_t i = 0; i < nodes->sorted_count && is_good; i++) {
        is_good = !is_counted(nodes->sorted[i], group) || nodes->sorted[i]->is_liar ||
                  is_in_place(nodes, group, i);
    }
    return is_good;
}

uint64_t sim_settle(struct sim_nodes *nodes, uint32_t group, uint64_t limit_ns) {
    for (uint64_t passed = 0; passed <= limit_ns; passed += WRN_S(1)) {
        if (sim_is_consistent(nodes, group)) {
            return passed;
        }
        sim_pass(nodes, WRN_S(1));
    }
    return UINT64_MAX;
}

uint64_t sim_expect_settled(struct sim_nodes *nodes, uint32_t group, uint64_t limit_ns,
                            const char *after) {
    uint64_t took = sim_settle(nodes, group, limit_ns);
    if (took == UINT64_MAX) {
        complain(nodes, group, limit_ns, after);
        took = limit_ns;
    }
    return took / WRN_MS(1);
}

struct sim_node *sim_nearest(const struct sim_nodes *nodes, uint32_t group, wrn_id place) {
    struct sim_node *nearest;
    return sim_nearest_some(nodes, group, place, 1, &nearest) == 1 ? nearest : NULL;
}

/* From the place outwards on both sides at once: the nearer of the two next ones comes next. */
size_t sim_nearest_some(const struct sim_nodes *nodes, uint32_t group, wrn_id place, size_t wanted,
                        struct sim_node **ret_nodes) {
    uint32_t count = nodes->sorted_count;
    uint32_t right = sim_nodes_first_from(nodes, place); /* counts up, modulo 'count' */
    uint32_t left = right + count; /* counts down; the one before it is next */
    uint32_t seen = 0;
    size_t found = 0;
    while (seen < count && found < wanted) {
        struct sim_node *above = nodes->sorted[right % count];
        struct sim_node *below = nodes->sorted[(left - 1) % count];
        struct sim_node *next = above;
        if (!wrn_id_is_nearer(place, above->id, below->id) && above != below) {
            next = below;
            left--;
        } else {
            right++;
        }
        seen++;
        if (is_counted(next, group)) {
            ret_nodes[found++] = next;
        }
    }
    return found;
}

struct sim_node *sim_node_of(const struct sim_nodes *nodes, wrn_id id) {
    uint32_t at = sim_nodes_first_from(nodes, id);
    return at < nodes->sorted_count && wrn_id_equal(nodes->sorted[at]->id, id) ? nodes->sorted[at]
                                                                               : NULL;
}

struct sim_node *sim_draw_live(const struct sim_nodes *nodes, uint32_t group,
                               struct wrn_rand rand) {
    uint32_t first = wrn_rand_below(rand, nodes->count);
    for (uint32_t i = 0; i < nodes->count; i++) {
        struct sim_node *node = nodes->all[(first + i) % nodes->count];
        if (is_counted(node, group)) {
            return node;
        }
    }
    return NULL;
}

uint64_t sim_draw_gap(struct wrn_rand rand, uint64_t mean_ns) {
    return mean_ns / 1000 * wrn_rand_below(rand, 2000);
}

void sim_pass(struct sim_nodes *nodes, uint64_t ns) {
    struct sim_world *world = nodes->run->world;
    sim_run(world, wrn_mono_add(sim_now(world).mono, ns));
}

void sim_report_nodes(struct sim_nodes *nodes, uint32_t group) {
    struct sim_report *report = &nodes->run->report;
    struct sim_view view = sim_look(nodes, group);
    struct wrn_overlay_options usual, options = nodes->defaults;
    wrn_overlay_defaults(&usual);
    options.dht = usual.dht; /* a node's own records: scenarios keep several */
    uint64_t memory = wrn_overlay_memory_size(&options);
    sim_report_figure(report, "live_nodes", view.live);
    sim_report_figure(report, "consistent_nodes", view.consistent);
    sim_report_figure(report, "mean_links_milli",
                      view.live > 0 ? view.links * 1000 / view.live : 0);
    sim_report_figure(report, "max_links", view.links_max);
    sim_report_figure(report, "relayed_links_ppm", sim_ppm(view.relayed_links, view.links));
    sim_report_figure(report, "node_memory_bytes", memory);
    sim_report_figure(report, "sent_datagrams", sim_net_count(nodes->net, SIM_COUNT_SENT));
}

void sim_draw_nodes(struct sim_nodes *nodes) {
    struct sim_plot *plot = nodes->run->options.plot;
    if (plot == NULL) {
        return;
    }
    sim_plot_begin(plot, sim_now(nodes->run->world).mono.ns - WRN_S(1000));
    for (uint32_t i = 0; i < nodes->sorted_count; i++) {
        const struct sim_node *node = nodes->sorted[i];
        sim_plot_add_node(plot, node->id, plot_state(node));
        const struct wrn_links *links =
            sim_node_is_live(node) ? wrn_overlay_links(node->overlay) : NULL;
        for (uint32_t k = 0; links != NULL && k < links->count; k++) {
            const struct wrn_link *link = &links->links[k];
            sim_plot_add_link(plot, node->id, link->id, plot_link(link->mine | link->theirs),
                              link->is_relayed);
        }
    }
}

static sim_segment add_home(struct sim_nodes *nodes, const struct sim_home_class *class,
                            uint32_t ipv6_number) {
    struct sim_home home = sim_home_add(nodes->net, class, ipv6_number, NULL, NULL);
    nodes->nats = sim_grow(nodes->nats, nodes->nat_count, &nodes->nat_capacity, sizeof(sim_nat));
    nodes->nats[nodes->nat_count++] = home.nat;
    return home.segment;
}

/* The delay is the host's own, drawn once whatever else changes. */
static struct sim_link line_of(struct sim_nodes *nodes, uint32_t number,
                               const struct sim_mixture *mixture) {
    struct wrn_prng prng;
    struct sim_link line = mixture->link;
    sim_prng_init(nodes->run->world, SIM_STREAM_HOST, number, &prng);
    uint64_t span_us = (mixture->delay_max_ns - mixture->delay_min_ns) / 1000;
    uint64_t drawn_us = wrn_rand_below(wrn_prng_rand(&prng), (uint32_t)span_us + 1);
    line.delay_ns = mixture->delay_min_ns + drawn_us * 1000;
    return line;
}

static const struct sim_home_class *draw_class(struct wrn_rand rand, uint32_t hard_ppm) {
    bool is_hard = is_hit(rand, hard_ppm);
    uint32_t drawn = wrn_rand_below(rand, WRN_COUNT(easy) * WRN_COUNT(hard));
    return sim_home_class(is_hard ? hard[drawn % WRN_COUNT(hard)] : easy[drawn % WRN_COUNT(easy)]);
}

static bool is_hit(struct wrn_rand rand, uint32_t ppm) {
    return wrn_rand_below(rand, SIM_PPM) < ppm;
}

static bool is_counted(const struct sim_node *node, uint32_t group) {
    return !node->is_stranger && (group == SIM_ALL || node->group == group) &&
           sim_node_is_live(node);
}

/* The next one in the order of the ring that counts; the node itself if there is no other. */
static struct sim_node *neighbour(const struct sim_nodes *nodes, uint32_t group, uint32_t at,
                                  bool is_right) {
    uint32_t count = nodes->sorted_count;
    uint32_t step = is_right ? 1 : count - 1;
    uint32_t next = (at + step) % count;
    while (!is_counted(nodes->sorted[next], group)) {
        next = (next + step) % count;
    }
    return nodes->sorted[next];
}

static bool is_linked(const struct sim_node *node, const struct sim_node *to, bool is_right) {
    const struct wrn_links *links = wrn_overlay_links(node->overlay);
    const struct wrn_link *link = is_right ? wrn_links_right(links, 0) : wrn_links_left(links, 0);
    return link != NULL && wrn_id_equal(link->id, to->id);
}

/* A node that is alone on its ring need not be connected. */
static bool is_in_place(const struct sim_nodes *nodes, uint32_t group, uint32_t at) {
    const struct sim_node *node = nodes->sorted[at];
    const struct sim_node *right = neighbour(nodes, group, at, true);
    const struct sim_node *left = neighbour(nodes, group, at, false);
    return right == node || (wrn_overlay_state(node->overlay) == WRN_RING_STATE_CONNECTED &&
                             is_linked(node, right, true) && is_linked(node, left, false));
}

static void complain(struct sim_nodes *nodes, uint32_t group, uint64_t limit_ns,
                     const char *after) {
    struct sim_view view = sim_look(nodes, group);
    char wrong[120] = "";
    size_t length = 0;
    for (uint32_t i = 0; i < nodes->sorted_count && length < sizeof wrong - 40; i++) {
        struct sim_node *node = nodes->sorted[i];
        if (is_counted(node, group) && !node->is_liar && !is_in_place(nodes, group, i)) {
            bool is_right = is_linked(node, neighbour(nodes, group, i, true), true);
            bool is_left = is_linked(node, neighbour(nodes, group, i, false), false);
            length += (size_t)snprintf(wrong + length, sizeof wrong - length, " %u(state %d%s%s)",
                                       node->number, (int)wrn_overlay_state(node->overlay),
                                       is_left ? "" : " left", is_right ? "" : " right");
        }
    }
    sim_report_expect(&nodes->run->report, false,
                      "%s: after %llu s %u of %u nodes are connected, %u have their neighbours;"
                      " not so:%s",
                      after, (unsigned long long)(limit_ns / WRN_S(1)), view.connected, view.live,
                      view.consistent, wrong);
}

static enum sim_plot_state plot_state(const struct sim_node *node) {
    enum sim_plot_state state = SIM_PLOT_DOWN;
    if (node->is_stranger) {
        state = SIM_PLOT_HOSTILE;
    } else if (sim_node_is_live(node)) {
        enum wrn_ring_state ring = wrn_overlay_state(node->overlay);
        state = ring == WRN_RING_STATE_CONNECTED ? SIM_PLOT_CONNECTED
                : ring == WRN_RING_STATE_JOINING ? SIM_PLOT_JOINING
                                                 : SIM_PLOT_ALONE;
    }
    return state;
}

static enum sim_plot_link plot_link(uint32_t kinds) {
    return (kinds & WRN_LINK_NEAR) != 0        ? SIM_PLOT_LINK_NEAR
           : (kinds & WRN_LINK_SHORTCUT) != 0  ? SIM_PLOT_LINK_SHORTCUT
           : (kinds & WRN_LINK_ON_DEMAND) != 0 ? SIM_PLOT_LINK_ON_DEMAND
                                               : SIM_PLOT_LINK_OTHER;
}
