/* SPDX-License-Identifier: Apache-2.0 */
/* A frame of `warren top`: summary, networks, peers by traffic, what was refused. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/paint.h"
#include "cli/remote.h"
#include "cli/top.h"

enum {
    WIDE_FROM = 80,
    NETWORK_WIDTH = 10, /* at most; in less than 80 columns the half */
    PEER_WIDTH = 15,
    RATE_WIDTH = 10,
    RTT_WIDTH = 8,
    LOSS_WIDTH = 5,
    LINE_ROOM = 1024,
    REASONS_ROOM = 512,
};

/* A line of the table. */
struct row {
    const char *network;
    const json_t *peer;
    const struct wrn_top_peer *noted;
};

/* Where lines go. */
struct frame {
    struct wrn_cli *cli;
    uint32_t columns, rows_left;
    const char *end;
    bool has_colours; /* of whole lines: what stands in them is counted */
};

static size_t gather(const struct wrn_top *top, struct wrn_cli *cli, const json_t *status,
                     struct row **ret_rows);
static int by_traffic(const void *a, const void *b);
static void put(struct frame *frame, enum wrn_paint paint, const char *text);
static void put_summary(struct frame *frame, const json_t *status, const struct row *rows,
                        size_t count);
static void put_row(struct frame *frame, const struct row *row, int narrower);
static void put_reasons(struct frame *frame, const struct wrn_top *top);
static const char *rate(struct wrn_cli *cli, double per_s);
static const char *loss(struct wrn_cli *cli, const struct wrn_top_peer *noted);
static double traffic(const struct row *row);
static const char *cut(struct wrn_cli *cli, const char *text, size_t width);

void wrn_top_show(const struct wrn_top *top, struct wrn_cli *cli, const json_t *status,
                  uint32_t columns, uint32_t rows, const char *end) {
    struct frame frame = {cli, columns, rows, end, cli->has_colours};
    const json_t *networks = json_object_get(status, "networks");
    struct row *all = NULL;
    size_t count = gather(top, cli, status, &all);
    int narrower = columns >= WIDE_FROM ? 1 : 2;
    cli->has_colours = false;
    put_summary(&frame, status, all, count);
    for (size_t i = 0; i < json_array_size(networks); i++) {
        put(&frame, WRN_PAINT_PLAIN, wrn_status_glance(cli, json_array_get(networks, i), 0));
    }
    if (json_array_size(networks) == 0) {
        put(&frame, WRN_PAINT_PLAIN, "in no network; make one: warren network create NAME");
    }
    put_reasons(&frame, top);
    put(&frame, WRN_PAINT_PLAIN, "");
    put(&frame, WRN_PAINT_DIM,
        wrn_cli_text(cli, "%-*s %-*s %*s %*s %*s %*s  %s", NETWORK_WIDTH / narrower, "network",
                     PEER_WIDTH / narrower, "peer", RATE_WIDTH, "in/s", RATE_WIDTH, "out/s",
                     RTT_WIDTH, "rtt", LOSS_WIDTH, "loss", "path"));
    for (size_t i = 0; i < count; i++) {
        if (frame.rows_left == 1 && i + 1 < count) {
            put(&frame, WRN_PAINT_DIM, wrn_cli_text(cli, "... and %zu more", count - i));
            return;
        }
        put_row(&frame, &all[i], narrower);
    }
}

json_t *wrn_top_json(const struct wrn_top *top, struct wrn_cli *cli, const json_t *status) {
    json_t *json = wrn_cli_json_object(cli);
    json_t *peers = wrn_cli_json_list(cli);
    json_t *drops = wrn_cli_json_list(cli);
    struct row *rows = NULL;
    size_t count = gather(top, cli, status, &rows);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        const struct wrn_top_peer *noted = row->noted;
        json_t *peer = wrn_cli_json_object(cli);
        static const char *const kept[] = {"hit",    "name", "ipv4",     "path",
                                           "rtt_ms", "mtu",  "tx_bytes", "rx_bytes"};
        wrn_cli_json_set(cli, peer, "network", wrn_cli_json_text(cli, row->network));
        for (size_t k = 0; k < WRN_COUNT(kept); k++) {
            wrn_cli_json_set(cli, peer, kept[k], json_incref(json_object_get(row->peer, kept[k])));
        }
        wrn_cli_json_set(cli, peer, "rx_bytes_per_s",
                         noted->rx_per_s < 0 ? json_null() : json_real(noted->rx_per_s));
        wrn_cli_json_set(cli, peer, "tx_bytes_per_s",
                         noted->tx_per_s < 0 ? json_null() : json_real(noted->tx_per_s));
        wrn_cli_json_set(
            cli, peer, "loss",
            noted->probe_count == 0
                ? json_null()
                : json_real((double)__builtin_popcount(noted->probes) / noted->probe_count));
        wrn_cli_json_append(cli, peers, peer);
    }
    for (size_t i = 0; i < top->count_count; i++) {
        const struct wrn_top_count *noted = &top->counts[i];
        const char *space = strchr(noted->key, ' ');
        json_t *drop = wrn_cli_json_object(cli);
        wrn_cli_json_set(cli, drop, "network",
                         wrn_cli_json_text(cli, wrn_cli_text(cli, "%.*s", (int)(space - noted->key),
                                                             noted->key)));
        wrn_cli_json_set(cli, drop, "reason", wrn_cli_json_text(cli, space + 1));
        wrn_cli_json_set(cli, drop, "count", json_integer((json_int_t)noted->count));
        wrn_cli_json_set(cli, drop, "per_s", json_real(noted->per_s));
        wrn_cli_json_append(cli, drops, drop);
    }
    wrn_cli_json_set(cli, json, "time_s", json_incref(json_object_get(status, "now_s")));
    wrn_cli_json_set(cli, json, "peers", peers);
    wrn_cli_json_set(cli, json, "drops", drops);
    return json;
}

/* The peers of all networks, those with most traffic first. Memory of the run. */
static size_t gather(const struct wrn_top *top, struct wrn_cli *cli, const json_t *status,
                     struct row **ret_rows) {
    const json_t *networks = json_object_get(status, "networks");
    struct row *rows = wrn_cli_take(cli, top->peer_count + 1, sizeof *rows);
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(networks); i++) {
        const json_t *network = json_array_get(networks, i);
        const json_t *peers = json_object_get(network, "peers");
        const char *name = wrn_call_text(cli, network, "name");
        for (size_t k = 0; k < json_array_size(peers); k++) {
            const json_t *peer = json_array_get(peers, k);
            const char *hit = wrn_call_text(cli, peer, "hit");
            const char *key = wrn_cli_text(cli, "%s %s", name, hit);
            for (size_t n = 0; n < top->peer_count; n++) {
                if (strcmp(top->peers[n].key, key) == 0 && count < top->peer_count) {
                    rows[count++] = (struct row){name, peer, &top->peers[n]};
                    break;
                }
            }
        }
    }
    qsort(rows, count, sizeof *rows, by_traffic);
    *ret_rows = rows;
    return count;
}

/* Rows of equal traffic stay in one order: they must not dance. */
static int by_traffic(const void *a, const void *b) {
    const struct row *one = a;
    const struct row *other = b;
    double difference = traffic(other) - traffic(one);
    return difference > 0 ? 1 : difference < 0 ? -1 : strcmp(one->noted->key, other->noted->key);
}

static double traffic(const struct row *row) {
    return (row->noted->rx_per_s > 0 ? row->noted->rx_per_s : 0) +
           (row->noted->tx_per_s > 0 ? row->noted->tx_per_s : 0);
}

static void put(struct frame *frame, enum wrn_paint paint, const char *text) {
    if (frame->rows_left == 0) {
        return;
    }
    frame->rows_left--;
    frame->cli->has_colours = frame->has_colours;
    (void)fprintf(frame->cli->out, "%s%s",
                  wrn_paint(frame->cli, paint, cut(frame->cli, text, frame->columns)), frame->end);
    frame->cli->has_colours = false;
}

static void put_summary(struct frame *frame, const json_t *status, const struct row *rows,
                        size_t count) {
    struct wrn_cli *cli = frame->cli;
    double rx = 0;
    double tx = 0;
    for (size_t i = 0; i < count; i++) {
        rx += rows[i].noted->rx_per_s > 0 ? rows[i].noted->rx_per_s : 0;
        tx += rows[i].noted->tx_per_s > 0 ? rows[i].noted->tx_per_s : 0;
    }
    const char *when = wrn_call_time(cli, json_object_get(status, "now_s"));
    put(frame, WRN_PAINT_PLAIN,
        wrn_cli_text(cli, "warren  %s  up %s  %zu peer%s  in %s/s  out %s/s", when,
                     wrn_call_span(cli, json_integer_value(json_object_get(status, "uptime_s"))),
                     count, count == 1 ? "" : "s", rate(cli, rx), rate(cli, tx)));
}

static void put_row(struct frame *frame, const struct row *row, int narrower) {
    struct wrn_cli *cli = frame->cli;
    const json_t *rtt = json_object_get(row->peer, "rtt_ms");
    const char *path = wrn_call_text(cli, row->peer, "path");
    bool is_direct = path != NULL && strcmp(path, "direct") == 0;
    bool is_gone = path != NULL && (strcmp(path, "lost") == 0 || strcmp(path, "searching") == 0);
    put(frame,
        is_gone     ? WRN_PAINT_BAD
        : is_direct ? WRN_PAINT_PLAIN
                    : WRN_PAINT_DOUBTFUL,
        wrn_cli_text(
            cli, "%-*s %-*s %*s %*s %*s %*s  %s", NETWORK_WIDTH / narrower,
            cut(cli, row->network, NETWORK_WIDTH / (size_t)narrower), PEER_WIDTH / narrower,
            cut(cli, wrn_status_who(cli, row->peer), PEER_WIDTH / (size_t)narrower), RATE_WIDTH,
            rate(cli, row->noted->rx_per_s), RATE_WIDTH, rate(cli, row->noted->tx_per_s), RTT_WIDTH,
            json_is_real(rtt) ? wrn_cli_text(cli, "%.1f ms", json_real_value(rtt)) : "-",
            LOSS_WIDTH, loss(cli, row->noted), wrn_status_path(cli, row->peer)));
}

/* What was refused in the last interval; nothing if nothing was. */
static void put_reasons(struct frame *frame, const struct wrn_top *top) {
    char text[REASONS_ROOM] = "";
    size_t size = 0;
    for (size_t i = 0; i < top->count_count && size < sizeof text; i++) {
        if (top->counts[i].per_s > 0) {
            size += (size_t)snprintf(text + size, sizeof text - size, "%s%s %.1f/s",
                                     size > 0 ? ", " : "dropped: ", top->counts[i].key,
                                     top->counts[i].per_s);
        }
    }
    if (size > 0) {
        put(frame, WRN_PAINT_DOUBTFUL, text);
    }
}

static const char *rate(struct wrn_cli *cli, double per_s) {
    return per_s < 0 ? "-" : wrn_call_bytes(cli, (json_int_t)per_s);
}

static const char *loss(struct wrn_cli *cli, const struct wrn_top_peer *noted) {
    return noted->probe_count == 0 ? "-"
                                   : wrn_cli_text(cli, "%u %%",
                                                  (unsigned)__builtin_popcount(noted->probes) *
                                                      100 / noted->probe_count);
}

/* At most 'width' characters; what is cut ends with '~'. */
static const char *cut(struct wrn_cli *cli, const char *text, size_t width) {
    size_t at = 0;
    if (wrn_text_width(text) <= width) {
        return text;
    }
    for (size_t shown = 0; text[at] != '\0' && shown + 1 < width; shown++) {
        at++;
        while (((unsigned char)text[at] & 0xc0) == 0x80) {
            at++;
        }
    }
    return wrn_cli_text(cli, "%.*s~", (int)at, text);
}
