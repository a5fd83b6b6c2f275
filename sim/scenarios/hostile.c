/* SPDX-License-Identifier: Apache-2.0 */
/* Members that lie, a fifth of all: about their neighbours, in what they forward, about records;
 * they repeat and forge. Others may lose messages by them, and must believe nothing false; when the
 * liars are gone all is well. */
#include "overlay/dht_internal.h"
#include "sim/liar.h"
#include "sim/memory.h"
#include "sim/scenarios/scenarios.h"
#include "sim/share.h"
#include "sim/stage.h"

enum {
    CROWD_S = 30,
    HEAL_LIMIT_S = 240,
    TTL_S = 240,
    LIAR_EVERY = 5,
    THIEF_EVERY = 15,
    TICK_S = 2,
    STORED_S = 30
};

static void play(struct sim_run *run);
static void play_thieves(struct sim_run *run);
static void play_with(struct sim_run *run, uint32_t liar_every, bool are_thieves);
static uint32_t expect_kept(struct sim_stage *stage);
static uint32_t count_stolen(const struct sim_stage *stage, uint32_t number, uint32_t *ret_thieves);
static bool has_stolen(const struct sim_nodes *nodes, const struct sim_node *node, wrn_id place);
static void expect_well(struct sim_stage *stage, uint32_t gone);

const struct sim_scenario sim_hostile = {
    .name = "hostile",
    .sentence = "a fifth of the members lie about neighbours and records, repeat and forge",
    .nodes_are = "nodes, every fifth one a liar",
    .nodes = 30,
    .nodes_max = 5000,
    .minutes = 5,
    .draws = true,
    .play = play,
};

/* So many that many keys have one of them near, so few that hardly any has three; they do not know
 * one another: none vouches for another's claim. */
const struct sim_scenario sim_thieves = {
    .name = "thieves",
    .sentence = "members near others' keys copy claims of their own there, dated long ago",
    .nodes_are = "nodes, every fifteenth one a thief",
    .nodes = 30,
    .nodes_max = 5000,
    .minutes = 10,
    .play = play_thieves,
};

static void play(struct sim_run *run) {
    play_with(run, LIAR_EVERY, false);
}

static void play_thieves(struct sim_run *run) {
    play_with(run, THIEF_EVERY, true);
}

static void play_with(struct sim_run *run, uint32_t liar_every, bool are_thieves) {
    struct sim_mixture mixture = sim_mixture_usual();
    struct sim_stage stage;
    struct sim_liar **liars = sim_take(run->options.nodes, sizeof(struct sim_liar *));
    uint64_t lies = 0;
    sim_stage_begin(&stage, run, run->options.nodes, &mixture);
    stage.probes.has_liars = true;
    for (uint32_t i = liar_every - 1; i < stage.nodes->count; i += liar_every) {
        enum sim_lie lie =
            are_thieves ? SIM_LIE_THIEF : (enum sim_lie)(i / liar_every % SIM_LIE_THIEF);
        liars[i] = sim_liar_create(stage.nodes->all[i], lie);
        sim_liar_be_quiet(liars[i], are_thieves); /* until there is something to take */
    }
    sim_start_all(stage.nodes, 0, WRN_S(CROWD_S));
    sim_pass(stage.nodes, WRN_S(CROWD_S + 60));
    for (uint32_t i = 0; i < stage.nodes->count; i++) {
        if (!stage.nodes->all[i]->is_liar) {
            (void)sim_records_store(&stage.records, stage.nodes->all[i], WRN_RECORD_CREATE, TTL_S,
                                    true);
        }
    }
    if (are_thieves) {
        sim_pass(stage.nodes, WRN_S(STORED_S));
        for (uint32_t i = liar_every - 1; i < stage.nodes->count; i += liar_every) {
            sim_liar_be_quiet(liars[i], false);
        }
    }
    for (uint32_t s = 0; s < run->options.minutes * 60; s += TICK_S) {
        sim_probes_send(&stage.probes, SIM_ALL, (s / TICK_S & 1) != 0);
        sim_records_get_drawn(&stage.records, SIM_ALL);
        sim_pass(stage.nodes, WRN_S(TICK_S));
    }
    sim_draw_nodes(stage.nodes);
    struct sim_view view = sim_look(stage.nodes, SIM_ALL);
    sim_report_figure(stage.report, "consistent_among_liars_ppm",
                      sim_ppm(view.consistent, view.live - view.live / liar_every));
    sim_pass(stage.nodes, WRN_S(SIM_GET_TIMEOUT_S));
    sim_probes_judge(&stage.probes);
    sim_records_judge(&stage.records);
    uint64_t all = stage.probes.right + stage.probes.wrong + stage.probes.late;
    sim_report_figure(stage.report, "routed_right_among_liars_ppm",
                      sim_ppm(stage.probes.right, all));
    sim_report_expect(stage.report, stage.records.wrong == 0 || are_thieves,
                      "%llu gets brought a false record", (unsigned long long)stage.records.wrong);
    uint32_t gone = are_thieves ? expect_kept(&stage) : 0;
    for (uint32_t i = liar_every - 1; i < stage.nodes->count; i += liar_every) {
        lies += sim_liar_count(liars[i]);
        sim_node_crash(stage.nodes->all[i]);
    }
    expect_well(&stage, gone);
    sim_report_figure(stage.report, "lies", lies);
    sim_stage_end(&stage);
    for (uint32_t i = 0; i < run->options.nodes; i++) {
        sim_liar_destroy(liars[i]);
    }
    free(liars);
}

/* No owner gave its key up, and no honest holder has anything else, where one thief is near the
 * key. (A thief itself may show what it likes.) Two of the eight nearest may keep an owner's
 * renewals from the others until what those have ends; such keys are counted. Returns how many. */
static uint32_t expect_kept(struct sim_stage *stage) {
    uint32_t lost = 0, held = 0, beside_two = 0;
    for (uint32_t i = 0; i < stage->records.count; i++) {
        uint32_t thieves = 0, stolen = count_stolen(stage, i, &thieves);
        bool is_lost = stage->records.all[i].is_lost;
        if (thieves > 1) {
            beside_two += is_lost || stolen > 0;
        } else {
            lost += is_lost;
            held += stolen;
        }
    }
    sim_report_figure(stage->report, "lost_beside_two_thieves", beside_two);
    sim_report_expect(stage->report, lost + held == 0,
                      "%u of %u owners lost their key to a thief, honest holders have %u of theirs",
                      lost, stage->records.count, held);
    return beside_two;
}

/* Honest ones of the four holders that have a thief's record under a key; and how many thieves are
 * among the eight that may vouch for it. */
static uint32_t count_stolen(const struct sim_stage *stage, uint32_t number,
                             uint32_t *ret_thieves) {
    const struct sim_nodes *nodes = stage->nodes;
    wrn_id place = sim_records_place(&stage->records, number);
    uint32_t stolen = 0;
    for (uint32_t i = 0; i < nodes->count; i++) {
        const struct sim_node *node = nodes->all[i];
        uint32_t nearer = 0;
        for (uint32_t j = 0; j < nodes->count; j++) {
            nearer += wrn_id_is_nearer(place, nodes->all[j]->id, node->id);
        }
        *ret_thieves += node->is_liar && nearer < WRN_DHT_HOLDERS_MAX;
        stolen += !node->is_liar && nearer < WRN_DHT_COPIES && has_stolen(nodes, node, place);
    }
    return stolen;
}

static bool has_stolen(const struct sim_nodes *nodes, const struct sim_node *node, wrn_id place) {
    bool found = false;
    uint32_t cursor = 0;
    wrn_span held;
    while (sim_node_is_live(node) &&
           (held = wrn_dht_next_held(wrn_overlay_dht(node->overlay), &cursor)).size > 0) {
        struct wrn_record record;
        found =
            found || (wrn_record_read(held, &nodes->primitives, &record) == WRN_REASON_NONE &&
                      record.claimed_s <= SIM_LIE_LONG_AGO_S && record.kind == WRN_RECORD_CREATE &&
                      wrn_id_equal(wrn_record_place(record.key, &nodes->primitives), place));
    }
    return found;
}

/* 'gone': keys that nobody has any more. */
static void expect_well(struct sim_stage *stage, uint32_t gone) {
    struct sim_probes *probes = &stage->probes;
    struct sim_records *records = &stage->records;
    uint64_t took_ms =
        sim_expect_settled(stage->nodes, SIM_ALL, WRN_S(HEAL_LIMIT_S), "after the liars are gone");
    sim_report_figure(stage->report, "mended_after_ms", took_ms);
    sim_pass(stage->nodes, WRN_S(TTL_S));
    sim_probes_reset(probes);
    sim_records_reset(records);
    probes->has_liars = false;
    sim_probes_send_many(probes, SIM_ALL, 50, WRN_MS(100));
    sim_records_get_all(records, SIM_ALL, false, WRN_MS(100));
    sim_report_expect(stage->report, probes->wrong + probes->late + probes->refused == 0,
                      "then %llu messages came to the wrong node, %llu not at all",
                      (unsigned long long)probes->wrong, (unsigned long long)probes->late);
    sim_report_expect(stage->report,
                      records->wrong + records->timeouts + records->unanswered == 0 &&
                          records->missed <= gone,
                      "then %llu gets found nothing, %llu timed out, %llu were wrong",
                      (unsigned long long)records->missed,
                      (unsigned long long)records->timeouts + records->unanswered,
                      (unsigned long long)records->wrong);
    sim_report_nodes(stage->nodes, SIM_ALL);
    sim_probes_report(probes);
    sim_records_report(records);
}
