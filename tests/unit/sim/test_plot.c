/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the picture is XML that any viewer takes, nodes are where their places are, and a large
 * ring is thinned out and says so. Method: a small checker of well-formedness; the numbers of the
 * drawing are read back. */
#include "sim/plot.h"
#include "base/rand.h"
#include "sim/sort.h"
#include "sim/svg.h"
#include "unit/base/check.h"

enum { DEPTH_MAX = 8, CENTRE_X = 47000, CENTRE_Y = 48000, RADIUS = 38500 };

static const struct sim_plot_title title = {"test", 7};

/* ---- well-formed? ---- */

static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

/* Passes over attributes up to the end of the tag. NULL: they are not well-formed. */
static const char *skip_attributes(const char *at) {
    while (*at == ' ') {
        at++;
        const char *name = at;
        while (is_name(*at)) {
            at++;
        }
        if (at == name || at[0] != '=' || at[1] != '"') {
            return NULL;
        }
        for (at += 2; *at != '"'; at++) {
            if (*at == '\0' || *at == '<') {
                return NULL;
            }
        }
        at++;
    }
    return at;
}

/* Returns what is wrong with the document, NULL: nothing. Knows elements, attributes, text and the
 * entities that a drawing needs. */
static const char *what_is_wrong(const char *at) {
    char open[DEPTH_MAX][16];
    unsigned depth = 0, roots = 0;
    while (*at != '\0') {
        if (*at == '&') {
            if (strncmp(at, "&lt;", 4) != 0 && strncmp(at, "&gt;", 4) != 0 &&
                strncmp(at, "&amp;", 5) != 0 && strncmp(at, "&quot;", 6) != 0) {
                return "an unknown entity";
            }
        }
        if (*at != '<') {
            if (depth == 0 && *at != '\n') {
                return "text outside of the root";
            }
            at++;
            continue;
        }
        bool is_end = at[1] == '/';
        const char *name = at + (is_end ? 2 : 1);
        size_t size = 0;
        while (is_name(name[size])) {
            size++;
        }
        if (size == 0 || size >= sizeof open[0]) {
            return "a tag without a name";
        }
        at = is_end ? name + size : skip_attributes(name + size);
        if (at == NULL) {
            return "attributes";
        }
        bool is_empty = *at == '/';
        at += is_empty ? 1 : 0;
        if (*at != '>') {
            return "a tag without an end";
        }
        at++;
        if (is_end) {
            if (depth == 0 || strncmp(open[depth - 1], name, size) != 0 ||
                open[depth - 1][size] != '\0') {
                return "an end without a beginning";
            }
            depth--;
        } else if (!is_empty) {
            roots += depth == 0 ? 1 : 0;
            if (depth == DEPTH_MAX) {
                return "too deep";
            }
            memcpy(open[depth], name, size);
            open[depth][size] = '\0';
            depth++;
        }
    }
    return depth != 0 ? "an element without an end" : roots != 1 ? "not one root" : NULL;
}

static void checker_sees_faults(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",         "<a>",          "</a>",           "<a></b>",       "<a><b></a></b>",
        "<a x=1/>", "<a x=\"1/>",   "<a>&</a>",       "<a>&nbsp;</a>", "<a/><b/>x",
        "<a><</a>", "<a x=\"<\"/>", "<a></a><b></b>", "<a y></a>",
    };
    for (size_t i = 0; i < WRN_COUNT(bad); i++) {
        CHECK(what_is_wrong(bad[i]) != NULL, "%s: ", bad[i]);
    }
    assert_null(what_is_wrong("<a b=\"1\" c=\"&lt;\"><d/>x &amp; y</a>\n"));
}

/* ---- pictures ---- */

/* A ring of nodes evenly spread, with near links told from both ends, and some shortcuts. */
static void fill(struct sim_plot *plot, uint32_t nodes) {
    uint64_t step = UINT64_MAX / (nodes + 1);
    sim_plot_begin(plot, UINT64_C(3723) * 1000000000);
    for (uint32_t i = 0; i < nodes; i++) {
        wrn_id id = {step * i, i};
        enum sim_plot_state node_state = i % 97 == 96   ? SIM_PLOT_HOSTILE
                                         : i % 53 == 52 ? SIM_PLOT_DOWN
                                                        : SIM_PLOT_CONNECTED;
        sim_plot_add_node(plot, id, node_state);
        for (uint32_t k = 1; k <= 3 && nodes > 1; k++) {
            uint32_t next = (i + k) % nodes;
            wrn_id other = {step * next, next};
            sim_plot_add_link(plot, id, other, SIM_PLOT_LINK_NEAR, i % 10 == 0);
            sim_plot_add_link(plot, other, id, SIM_PLOT_LINK_NEAR, false);
        }
        uint32_t far = (i + nodes / 2 + i % 7) % nodes;
        sim_plot_add_link(plot, id, (wrn_id){step * far, far}, SIM_PLOT_LINK_SHORTCUT, false);
    }
}

static void check_text(const char *text) {
    const char *wrong = what_is_wrong(text);
    CHECK(wrong == NULL, "%s: ", wrong);
}

static void every_size_is_well_formed(void **state) {
    (void)state;
    static const uint32_t sizes[] = {0, 1, 2, 3, 10, 33, 64, 65, 601, 10000};
    for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
        struct sim_plot plot = {0}, other = {0};
        fill(&plot, sizes[i]);
        fill(&other, sizes[i]);
        for (uint32_t k = 0; k < 5 * sizes[i]; k++) {
            sim_plot_add_lookup(&plot, k % 9, 1000 * (k % 300));
            sim_plot_add_lookup(&other, k % 9, 1000 * (k % 300));
        }
        char *text = sim_plot_draw(&plot, &title), *same = sim_plot_draw(&other, &title);
        char *again = sim_plot_draw(&plot, &title);
        check_text(text);
        assert_string_equal(text, same);
        assert_string_equal(text, again);
        assert_true(strlen(text) < 250000);
        assert_non_null(strstr(text, "seed 7, after 1 h 2 min 3 s"));
        assert_int_equal(strstr(text, "no lookups were measured") != NULL, sizes[i] == 0);
        free(text);
        free(same);
        free(again);
        sim_plot_finish(&plot);
        sim_plot_finish(&other);
    }
    sim_plot_finish(NULL);
}

static void large_rings_are_thinned_out_and_say_so(void **state) {
    (void)state;
    struct sim_plot plot = {0};
    fill(&plot, 10000);
    char *text = sim_plot_draw(&plot, &title);
    assert_non_null(strstr(text, ">connected: 3,000 shown of 9,"));
    assert_non_null(strstr(text, ">down or asleep: 187<"));
    assert_non_null(strstr(text, ">near: 1,200 shown of 27,000<"));
    assert_non_null(strstr(text, ">relayed, near: 1,200 shown of 3,000<"));
    assert_non_null(strstr(text, ">shortcut: 350 shown of "));
    assert_null(strstr(text, "on demand: "));
    const char *path = strstr(text, "class=\"link near\"");
    const char *end = strchr(strstr(path, " d=\"") + 4, '"');
    uint32_t drawn = 0;
    for (const char *at = strstr(path, " d=\"") + 4; at < end; at++) {
        drawn += *at == 'M' ? 1 : 0;
    }
    assert_int_equal(drawn, 1200); /* as many as it says */
    free(text);
    sim_plot_finish(&plot);
}

/* Reads a number of the drawing, in hundredths. */
static int32_t read_length(const char **at) {
    char *end;
    bool is_negative = **at == '-';
    long value = strtol(*at, &end, 10) * 100;
    if (*end == '.') {
        const char *digits = end + 1;
        long part = strtol(digits, &end, 10);
        part *= end - digits == 1 ? 10 : 1;
        value += is_negative ? -part : part;
    }
    assert_true(end != *at);
    *at = end;
    return (int32_t)value;
}

static void nodes_lie_where_their_places_are(void **state) {
    (void)state;
    struct sim_plot plot = {0};
    enum { NODES = 1000 };
    for (uint32_t i = 0; i < NODES; i++) {
        wrn_id id = {UINT64_MAX / NODES * i, 0};
        sim_plot_add_node(&plot, id, SIM_PLOT_CONNECTED);
    }
    char *text = sim_plot_draw(&plot, &title);
    const char *at = strstr(strstr(text, "class=\"node connected\""), " d=\"") + 4;
    int32_t last_x = 0, last_y = 0;
    for (uint32_t i = 0; i < NODES; i++) {
        assert_int_equal(*at++, 'M');
        int32_t x = read_length(&at) - CENTRE_X;
        at++;
        int32_t y = read_length(&at) - CENTRE_Y;
        assert_true(strncmp(at, "h0", 2) == 0);
        at += 2;
        int64_t off = (int64_t)x * x + (int64_t)y * y - (int64_t)RADIUS * RADIUS;
        assert_true(llabs(off) < 2 * (int64_t)RADIUS * 10); /* a tenth of a unit */
        /* clockwise: the area between the last one, the centre and this one has one sign, and the
         * same size, to one in twenty */
        int64_t area = (int64_t)last_x * y - (int64_t)last_y * x;
        int64_t wanted = (int64_t)RADIUS * RADIUS / 1000 * 6283 / 1000;
        CHECK(i == 0 || llabs(area * NODES / 1000 - wanted) < wanted / 20, "node %u: ", i);
        if (i == 0 || i == NODES / 4 || i == NODES / 2 || i == NODES * 3 / 4) {
            uint32_t quarter = i * 4 / NODES;
            assert_in_range(x + RADIUS,
                            (quarter == 1   ? 2
                             : quarter == 3 ? 0
                                            : 1) *
                                    RADIUS -
                                0,
                            (quarter == 1   ? 2
                             : quarter == 3 ? 0
                                            : 1) *
                                    RADIUS +
                                1);
        }
        last_x = x;
        last_y = y;
    }
    free(text);
    sim_plot_finish(&plot);
}

static void links_of_both_ends_are_one(void **state) {
    (void)state;
    struct sim_plot plot = {0};
    wrn_id a = {UINT64_C(1) << 60, 1}, b = {UINT64_C(3) << 60, 2};
    sim_plot_add_node(&plot, a, SIM_PLOT_CONNECTED);
    sim_plot_add_node(&plot, b, SIM_PLOT_JOINING);
    sim_plot_add_link(&plot, a, b, SIM_PLOT_LINK_OTHER, false);
    sim_plot_add_link(&plot, b, a, SIM_PLOT_LINK_ON_DEMAND, true);
    sim_plot_add_link(&plot, a, b, SIM_PLOT_LINK_ON_DEMAND, false);
    char *text = sim_plot_draw(&plot, &title);
    assert_int_equal(plot.edge_count, 1);
    assert_non_null(strstr(text, ">relayed, on demand: 1<"));
    assert_null(strstr(text, "leaf or overlap:"));
    assert_non_null(strstr(text, ">1000</text>")); /* names, in a small ring */
    assert_non_null(strstr(text, ">3000</text>"));
    free(text);
    sim_plot_begin(&plot, 0); /* drawn anew: what was is gone */
    text = sim_plot_draw(&plot, &title);
    assert_non_null(strstr(text, "there is no node"));
    free(text);
    sim_plot_finish(&plot);
}

static void histograms_mark_mean_and_percentiles(void **state) {
    (void)state;
    struct sim_plot plot = {0};
    for (uint32_t i = 1; i <= 1000; i++) { /* 1..10 hops alike; 1..1000 ms, and one of a minute */
        sim_plot_add_lookup(&plot, (i + 9) % 10 + 1, i == 1000 ? 60000000 : i * 1000);
    }
    char *text = sim_plot_draw(&plot, &title);
    check_text(text);
    assert_non_null(strstr(text, "1,000 lookups, in hops: mean 5.5, p50 5, p95 10, greatest 10<"));
    assert_non_null(
        strstr(text, "1,000 lookups, in ms: mean 560, p50 500, p95 950, greatest 60,000<"));
    assert_non_null(strstr(text, "last bar: 1,000 ms and more"));
    assert_null(strstr(text, "hops and more"));
    free(text);
    sim_plot_finish(&plot);
    for (uint32_t i = 0; i < 3; i++) { /* all the same, the extremes */
        uint32_t value = i == 0 ? 0 : i == 1 ? 7 : UINT32_MAX;
        for (uint32_t k = 0; k < 200; k++) {
            sim_plot_add_lookup(&plot, value, value);
        }
        text = sim_plot_draw(&plot, &title);
        check_text(text);
        free(text);
    }
    sim_plot_finish(&plot);
}

static void words_are_escaped(void **state) {
    (void)state;
    struct sim_plot plot = {0};
    struct sim_plot_title odd = {"a<b> & \"c\" \001\xc3\xa4", UINT64_MAX};
    char *text = sim_plot_draw(&plot, &odd);
    check_text(text);
    assert_non_null(strstr(text, "a&lt;b&gt; &amp; &quot;c&quot; ???, seed 18446744073709551615,"));
    free(text);
}

static void lengths_are_exact(void **state) {
    (void)state;
    static const struct {
        int32_t hundredths;
        const char *text;
    } cases[] = {{0, "0"},   {5, "0.05"},    {50, "0.5"},       {-5, "-0.05"},
                 {100, "1"}, {-150, "-1.5"}, {12345, "123.45"}, {INT32_MIN, "-21474836.48"}};
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct sim_svg svg = {0};
        sim_svg_length(&svg, cases[i].hundredths);
        assert_string_equal(svg.text, cases[i].text);
        free(svg.text);
    }
    struct sim_svg svg = {0};
    sim_svg_count(&svg, 0);
    sim_svg_char(&svg, ' ');
    sim_svg_count(&svg, 999);
    sim_svg_char(&svg, ' ');
    sim_svg_count(&svg, UINT64_MAX);
    assert_string_equal(svg.text, "0 999 18,446,744,073,709,551,615");
    free(svg.text);
}

static int by_first_byte(const void *a, const void *b) {
    return (int)*(const uint8_t *)a - (int)*(const uint8_t *)b;
}

static void sorts_as_the_library_does(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (uint32_t round = 0; round < 300; round++) {
        uint8_t ours[100][3], theirs[100][3];
        uint32_t count = wrn_rand_below(rand, 101);
        for (uint32_t i = 0; i < 100; i++) { /* equal ones are the same all over */
            memset(ours[i], (int)wrn_rand_below(rand, 1 + round), sizeof ours[i]);
        }
        memcpy(theirs, ours, sizeof ours);
        sim_sort(ours, count, sizeof ours[0], by_first_byte);
        qsort(theirs, count, sizeof theirs[0], by_first_byte);
        assert_memory_equal(ours, theirs, sizeof ours); /* what lies behind is not touched */
    }
    sim_sort(NULL, 0, 1, by_first_byte);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checker_sees_faults),
        cmocka_unit_test(every_size_is_well_formed),
        cmocka_unit_test(large_rings_are_thinned_out_and_say_so),
        cmocka_unit_test(nodes_lie_where_their_places_are),
        cmocka_unit_test(links_of_both_ends_are_one),
        cmocka_unit_test(histograms_mark_mean_and_percentiles),
        cmocka_unit_test(words_are_escaped),
        cmocka_unit_test(lengths_are_exact),
        cmocka_unit_test(sorts_as_the_library_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
