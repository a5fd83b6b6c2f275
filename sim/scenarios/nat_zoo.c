/* SPDX-License-Identifier: Apache-2.0 */
/* All pairs of NAT classes on one ring with three public nodes: each pair is asked to connect. Who
 * must get through directly, who by guessing ports, and who stays at a relay follows from RFC 4787;
 * nobody who can send UDP at all may be left with nothing. */
#include "sim/memory.h"
#include "sim/scenarios/scenarios.h"
#include "sim/share.h"
#include "sim/stage.h"

enum { PUBLIC_NODES = 3, CROWD_S = 60, LIMIT_S = 240, GAP_MS = 250, LINE_MS = 20 };
enum { CLASSES = SIM_HOME_CLASSES, PAIRS = CLASSES * (CLASSES + 1) / 2 };
/* There is one pair in which both count in steps: of so many a share can be told. */
enum { STEPS_PAIRS = 20, ROUND = PAIRS + STEPS_PAIRS - 1 };
enum { UP_MS_MAX = 10000, BIRTHDAY_MS_MAX = 20000, BIRTHDAY_PROBES_MAX = 1500 };
enum { BIRTHDAY_PPM_MIN = 900000, PREDICTED_PPM_MIN = 950000 };
enum { NEVER = UINT32_MAX };

/* What is known of a pair beforehand. */
enum hope {
    HOPE_DIRECT,   /* probes at once suffice */
    HOPE_STEPS,    /* both ports can be predicted */
    HOPE_BIRTHDAY, /* one side's port is guessed, and the other's is steady */
    HOPE_ANY,      /* direct or by relay */
    HOPE_NOTHING,  /* no UDP */
    HOPES
};

struct pair {
    const struct sim_home_class *classes[2];
    struct sim_node *ends[2];
    wrn_mono asked;
    uint32_t up_ms, direct_ms; /* after it was asked for; NEVER: not yet */
    uint64_t probes;           /* of the end that sent more, until it was direct */
    enum wrn_reason reason;    /* why it is relayed, or failed */
};

struct zoo {
    struct sim_stage stage;
    struct pair *pairs;
    uint32_t count;
    uint32_t rounds;
    bool is_sample; /* of 'sample' pairs, drawn: too few for all */
    uint32_t sample;
    uint64_t hoped[HOPES], direct[HOPES];
    uint64_t relayed, nothing;
    struct sim_sample up_ms, direct_ms, probes;
};

static void play(struct sim_run *run);
static void populate(struct zoo *zoo, struct sim_nodes *nodes);
static void add_pair(struct zoo *zoo, struct sim_nodes *nodes, uint32_t a, uint32_t b);
static void ask_all(struct zoo *zoo);
static void on_event(struct sim_stage *stage, struct sim_node *node,
                     const struct wrn_overlay_action *action);
static void look(struct zoo *zoo, struct pair *pair);
static enum hope hope_of(const struct sim_home_class *a, const struct sim_home_class *b);
static void judge(struct zoo *zoo);
static char judge_pairs(void *ctx, uint32_t number, uint32_t a, uint32_t b);
static void explain(struct zoo *zoo, const struct pair *pair, enum hope hope);
static void report_figures(struct zoo *zoo);
static void expect_all(struct zoo *zoo);
static void print_table(struct zoo *zoo);

const struct sim_scenario sim_nat_zoo = {
    .name = "nat-zoo",
    .sentence = "all pairs of NAT classes connect over one ring: directly, by guesses, or by relay",
    .nodes_are = "hosts, two a pair; fewer than all pairs: drawn; more: all repeated",
    .nodes = 0,
    .nodes_max = 20000,
    .minutes = 2,
    .play = play,
};

static const struct sim_link uplink = {.delay_ns = WRN_MS(LINE_MS)};

static void play(struct sim_run *run) {
    struct zoo zoo = {0};
    static const struct sim_mixture mixture = {
        .bootstraps = PUBLIC_NODES,
        .delay_min_ns = WRN_MS(LINE_MS),
        .delay_max_ns = WRN_MS(LINE_MS),
    };
    if (run->options.nodes == 0) {
        run->options.nodes = 2 * ROUND;
    }
    zoo.rounds = run->options.nodes / (2 * ROUND) > 0 ? run->options.nodes / (2 * ROUND) : 1;
    zoo.is_sample = run->options.nodes < 2 * ROUND;
    zoo.sample = run->options.nodes / 2 > 0 ? run->options.nodes / 2 : 1;
    run->options.nodes = zoo.is_sample ? 2 * zoo.sample : 2 * ROUND * zoo.rounds;
    zoo.pairs = sim_take(run->options.nodes / 2, sizeof *zoo.pairs);
    struct sim_nodes *nodes = sim_nodes_create(run);
    sim_nodes_give_room(nodes);
    populate(&zoo, nodes);
    sim_stage_begin_with(&zoo.stage, run, nodes, &mixture);
    zoo.stage.on_event = on_event;
    zoo.stage.ctx = &zoo;
    sim_start_all(nodes, 0, WRN_S(CROWD_S));
    sim_pass(nodes, WRN_S(CROWD_S));
    (void)sim_expect_settled(nodes, 0, WRN_S(LIMIT_S), "after the last start");
    ask_all(&zoo);
    sim_pass(nodes, run->options.minutes * WRN_S(60));
    judge(&zoo);
    sim_report_nodes(nodes, 0);
    sim_sample_finish(&zoo.up_ms);
    sim_sample_finish(&zoo.direct_ms);
    sim_sample_finish(&zoo.probes);
    free(zoo.pairs);
    sim_stage_end(&zoo.stage);
}

/* Those whose UDP is blocked are in a group of their own: they are on no ring. */
static void populate(struct zoo *zoo, struct sim_nodes *nodes) {
    for (uint32_t i = 0; i < PUBLIC_NODES; i++) {
        sim_node_make_bootstrap(sim_node_add(nodes, SIM_SEGMENT_INTERNET, &uplink, &uplink));
    }
    if (zoo->is_sample) {
        struct wrn_rand rand = sim_rand(nodes->run->world, SIM_STREAM_WORLD, 4000);
        for (uint32_t i = 0; i < zoo->sample; i++) {
            uint32_t a = wrn_rand_below(rand, CLASSES);
            add_pair(zoo, nodes, a, wrn_rand_below(rand, CLASSES));
        }
        return;
    }
    for (uint32_t round = 0; round < zoo->rounds; round++) {
        for (uint32_t a = 0; a < CLASSES; a++) {
            for (uint32_t b = a; b < CLASSES; b++) {
                bool is_steps = sim_home_classes[a].outside == SIM_OUTSIDE_STEPS && a == b;
                for (uint32_t i = 0; i < (is_steps ? STEPS_PAIRS : 1); i++) {
                    add_pair(zoo, nodes, a, b);
                }
            }
        }
    }
}

/* Each end in a home of its own. */
static void add_pair(struct zoo *zoo, struct sim_nodes *nodes, uint32_t a, uint32_t b) {
    struct pair *pair = &zoo->pairs[zoo->count++];
    *pair = (struct pair){.up_ms = NEVER, .direct_ms = NEVER};
    for (size_t i = 0; i < 2; i++) {
        const struct sim_home_class *class = &sim_home_classes[i == 0 ? a : b];
        sim_segment segment = sim_home_add(nodes->net, class, 0, NULL, NULL).segment;
        pair->classes[i] = class;
        pair->ends[i] = sim_node_add(nodes, segment, &uplink, &uplink);
        pair->ends[i]->number_of = zoo->count;
        pair->ends[i]->group = class->outside == SIM_OUTSIDE_BLOCKED;
    }
}

static void ask_all(struct zoo *zoo) {
    for (uint32_t i = 0; i < zoo->count; i++) {
        struct pair *pair = &zoo->pairs[i];
        pair->asked = sim_now(zoo->stage.run->world).mono;
        if (hope_of(pair->classes[0], pair->classes[1]) != HOPE_NOTHING) {
            sim_ask_connect(pair->ends[0], pair->ends[1]->id);
            sim_pass(zoo->stage.nodes, WRN_MS(GAP_MS));
        }
    }
}

static void on_event(struct sim_stage *stage, struct sim_node *node,
                     const struct wrn_overlay_action *action) {
    struct zoo *zoo = stage->ctx;
    if (node->number_of == 0) {
        return;
    }
    struct pair *pair = &zoo->pairs[node->number_of - 1];
    if (action->kind == WRN_OVERLAY_PEER_UP || action->kind == WRN_OVERLAY_PEER_WAY) {
        look(zoo, pair);
    } else if (action->kind == WRN_OVERLAY_CONNECT_FAILED && node == pair->ends[0]) {
        pair->reason = action->reason;
    }
}

/* It is direct when both ends say so. */
static void look(struct zoo *zoo, struct pair *pair) {
    struct wrn_overlay_peer_info infos[2];
    uint64_t probes = 0;
    if (pair->asked.ns == 0) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        struct wrn_overlay *overlay = pair->ends[i]->overlay;
        wrn_handle peer = wrn_overlay_find(overlay, pair->ends[1 - i]->id);
        if (!wrn_overlay_peer_info(overlay, peer, &infos[i])) {
            return;
        }
        uint64_t sent = wrn_paths_probes_sent(wrn_overlay_paths(overlay), peer);
        probes = sent > probes ? sent : probes;
    }
    uint64_t passed_ms =
        wrn_mono_since(sim_now(zoo->stage.run->world).mono, pair->asked) / WRN_MS(1);
    if (pair->up_ms == NEVER && infos[0].way.kind != WRN_WAY_NONE &&
        infos[1].way.kind != WRN_WAY_NONE) {
        pair->up_ms = (uint32_t)passed_ms;
    }
    if (pair->direct_ms == NEVER && infos[0].way.kind == WRN_WAY_DIRECT &&
        infos[1].way.kind == WRN_WAY_DIRECT) {
        pair->direct_ms = (uint32_t)passed_ms;
        pair->probes = probes;
    }
    pair->reason = infos[0].why_relayed;
}

/* Symmetric in the two. 'Random' is who has another port for each destination that nobody can
 * predict; whoever filters by port must be told the port that its peer will have. */
static enum hope hope_of(const struct sim_home_class *one, const struct sim_home_class *other) {
    bool is_turned = one->outside > other->outside;
    const struct sim_home_class *a = is_turned ? other : one; /* the steadier one */
    const struct sim_home_class *b = is_turned ? one : other;
    bool is_picky = a->filtering == SIM_ADDRESS_AND_PORT;
    if (b->outside == SIM_OUTSIDE_BLOCKED) {
        return HOPE_NOTHING;
    }
    if (b->outside == SIM_OUTSIDE_STEADY) {
        return a->is_race || b->is_race ? HOPE_ANY : HOPE_DIRECT;
    }
    if (a->outside == SIM_OUTSIDE_STEADY) {
        bool is_guess = is_picky && b->outside != SIM_OUTSIDE_STEPS;
        return a->is_race ? HOPE_ANY : is_guess ? HOPE_BIRTHDAY : HOPE_DIRECT;
    }
    return a->outside == SIM_OUTSIDE_STEPS && b->outside == SIM_OUTSIDE_STEPS ? HOPE_STEPS
                                                                              : HOPE_ANY;
}

static void judge(struct zoo *zoo) {
    for (uint32_t i = 0; i < zoo->count; i++) {
        struct pair *pair = &zoo->pairs[i];
        enum hope hope = hope_of(pair->classes[0], pair->classes[1]);
        look(zoo, pair);
        bool is_birthday = hope == HOPE_BIRTHDAY && pair->direct_ms > BIRTHDAY_MS_MAX;
        zoo->hoped[hope]++;
        zoo->direct[hope] += pair->direct_ms != NEVER && !is_birthday;
        zoo->relayed += pair->up_ms != NEVER && pair->direct_ms == NEVER;
        zoo->nothing += pair->up_ms == NEVER && hope != HOPE_NOTHING;
        if (pair->up_ms != NEVER) {
            sim_sample_add(&zoo->up_ms, pair->up_ms);
        }
        if (pair->direct_ms != NEVER) {
            sim_sample_add(&zoo->direct_ms, pair->direct_ms);
            sim_sample_add(&zoo->probes, pair->probes);
        }
        explain(zoo, pair, hope);
    }
    if (!zoo->is_sample) {
        print_table(zoo);
    }
    report_figures(zoo);
    expect_all(zoo);
}

/* Says of a pair that fell short of what was hoped for what is known of it. */
static void explain(struct zoo *zoo, const struct pair *pair, enum hope hope) {
    uint32_t limit_ms = hope == HOPE_BIRTHDAY ? BIRTHDAY_MS_MAX : NEVER - 1;
    bool is_late = pair->up_ms > UP_MS_MAX;
    bool is_short = hope != HOPE_ANY && pair->direct_ms > limit_ms;
    if (hope == HOPE_NOTHING || (!is_late && !is_short)) {
        return;
    }
    const char *classes[2];
    for (size_t i = 0; i < 2; i++) {
        enum wrn_nat_class nat_class =
            wrn_paths_nat_class(wrn_overlay_paths(pair->ends[i]->overlay));
        classes[i] = wrn_nat_class_text(nat_class);
    }
    sim_report_line(zoo->stage.report,
                    "nodes %u and %u, %s-%s: up after %d ms, direct after %d ms; their NATs: %s, "
                    "%s; %s",
                    pair->ends[0]->number, pair->ends[1]->number, pair->classes[0]->sign,
                    pair->classes[1]->sign, (int)pair->up_ms, (int)pair->direct_ms, classes[0],
                    classes[1], wrn_reason_text(pair->reason));
}

static void report_figures(struct zoo *zoo) {
    struct sim_report *report = zoo->stage.report;
    sim_report_figure(report, "pairs", zoo->count);
    sim_report_figure(report, "relayed_pairs", zoo->relayed);
    sim_report_figure(report, "pairs_left_with_nothing", zoo->nothing);
    sim_report_figure(report, "easy_direct_ppm",
                      sim_ppm(zoo->direct[HOPE_DIRECT], zoo->hoped[HOPE_DIRECT]));
    sim_report_figure(report, "predictable_direct_ppm",
                      sim_ppm(zoo->direct[HOPE_STEPS], zoo->hoped[HOPE_STEPS]));
    sim_report_figure(report, "birthday_direct_ppm",
                      sim_ppm(zoo->direct[HOPE_BIRTHDAY], zoo->hoped[HOPE_BIRTHDAY]));
    sim_report_figure(report, "other_direct_ppm",
                      sim_ppm(zoo->direct[HOPE_ANY], zoo->hoped[HOPE_ANY]));
    sim_report_figure(report, "up_p50_ms", sim_sample_percentile(&zoo->up_ms, 50));
    sim_report_figure(report, "up_max_ms", sim_sample_percentile(&zoo->up_ms, 100));
    sim_report_figure(report, "direct_p50_ms", sim_sample_percentile(&zoo->direct_ms, 50));
    sim_report_figure(report, "direct_p95_ms", sim_sample_percentile(&zoo->direct_ms, 95));
    sim_report_figure(report, "probes_p50", sim_sample_percentile(&zoo->probes, 50));
    sim_report_figure(report, "probes_max", sim_sample_percentile(&zoo->probes, 100));
}

/* Of few pairs a share says little. */
static void expect_all(struct zoo *zoo) {
    struct sim_report *report = zoo->stage.report;
    sim_report_expect(report, zoo->nothing == 0, "%llu pairs are left with nothing",
                      (unsigned long long)zoo->nothing);
    sim_report_expect(report, zoo->direct[HOPE_DIRECT] == zoo->hoped[HOPE_DIRECT],
                      "%llu of %llu pairs are direct that need no guesses",
                      (unsigned long long)zoo->direct[HOPE_DIRECT],
                      (unsigned long long)zoo->hoped[HOPE_DIRECT]);
    sim_report_expect(report,
                      zoo->is_sample || sim_ppm(zoo->direct[HOPE_STEPS], zoo->hoped[HOPE_STEPS]) >=
                                            PREDICTED_PPM_MIN,
                      "%llu of %llu predictable pairs are direct",
                      (unsigned long long)zoo->direct[HOPE_STEPS],
                      (unsigned long long)zoo->hoped[HOPE_STEPS]);
    sim_report_expect(report,
                      zoo->is_sample || sim_ppm(zoo->direct[HOPE_BIRTHDAY],
                                                zoo->hoped[HOPE_BIRTHDAY]) >= BIRTHDAY_PPM_MIN,
                      "%llu of %llu pairs are direct within %d s that need guesses",
                      (unsigned long long)zoo->direct[HOPE_BIRTHDAY],
                      (unsigned long long)zoo->hoped[HOPE_BIRTHDAY], BIRTHDAY_MS_MAX / 1000);
    sim_report_expect(report, sim_sample_percentile(&zoo->probes, 100) <= BIRTHDAY_PROBES_MAX,
                      "an end sent %u probes", sim_sample_percentile(&zoo->probes, 100));
    sim_report_expect(report, sim_sample_percentile(&zoo->up_ms, 100) <= UP_MS_MAX,
                      "a pair could talk only after %u ms",
                      sim_sample_percentile(&zoo->up_ms, 100));
}

static void print_table(struct zoo *zoo) {
    struct sim_report *report = zoo->stage.report;
    sim_home_report_pairs(report, judge_pairs, zoo);
    sim_report_line(report, "+ direct, ~ sometimes, r by relay, - nothing");
}

/* Looks at all pairs of these classes; returns the sign for the table. */
static char judge_pairs(void *ctx, uint32_t number, uint32_t a, uint32_t b) {
    const struct zoo *zoo = ctx;
    uint32_t all = 0, up = 0, direct = 0;
    (void)number;
    for (uint32_t i = 0; i < zoo->count; i++) {
        const struct pair *pair = &zoo->pairs[i];
        if (pair->classes[0] == &sim_home_classes[a] && pair->classes[1] == &sim_home_classes[b]) {
            all++;
            up += pair->up_ms != NEVER;
            direct += pair->direct_ms != NEVER;
        }
    }
    return direct == all ? '+' : direct > 0 ? '~' : up == all ? 'r' : '-';
}
