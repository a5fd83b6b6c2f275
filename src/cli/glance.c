/* SPDX-License-Identifier: Apache-2.0 */
/* The first lines of `warren status`: connected or not, to whom, how, and if not, why and what to
 * do. Knows no more than the daemon says. */
#include "cli/paint.h"
#include "cli/remote.h"

/* Peers by how they are reached. */
struct reached {
    json_int_t direct, relayed, stream, not_yet;
};

static const char *of_network(struct wrn_cli *cli, const json_t *network, json_int_t now_s);
static const char *next_step(const char *trouble);
static const char *of_peers(struct wrn_cli *cli, const struct reached *reached);
static const char *without_peers(struct wrn_cli *cli, const json_t *network);
static struct reached count_peers(struct wrn_cli *cli, const json_t *peers);
static const char *date(struct wrn_cli *cli, json_int_t s);
static bool is_text(const char *text, const char *wanted);

void wrn_status_print_glance(struct wrn_cli *cli, const json_t *status) {
    const json_t *networks = json_object_get(status, "networks");
    const json_t *unserved = json_object_get(status, "unserved");
    json_int_t now_s = json_integer_value(json_object_get(status, "now_s"));
    for (size_t i = 0; i < json_array_size(networks); i++) {
        const json_t *network = json_array_get(networks, i);
        (void)fprintf(cli->out, "%s\n", wrn_status_glance(cli, network, now_s));
    }
    for (size_t i = 0; i < json_array_size(unserved); i++) {
        const json_t *network = json_array_get(unserved, i);
        (void)fprintf(cli->out, "%.16s: %s: %s\n", wrn_call_text(cli, network, "id"),
                      wrn_paint(cli, WRN_PAINT_BAD, "NOT served"),
                      wrn_call_text(cli, network, "trouble"));
    }
    if (json_array_size(networks) + json_array_size(unserved) == 0) {
        (void)fputs("in no network; make one: warren network create NAME, or join one: warren "
                    "join INVITATION\n",
                    cli->out);
    }
}

const char *wrn_status_glance(struct wrn_cli *cli, const json_t *network, json_int_t now_s) {
    return wrn_cli_text(cli, "%s: %s", wrn_call_text(cli, network, "name"),
                        of_network(cli, network, now_s));
}

static const char *of_network(struct wrn_cli *cli, const json_t *network, json_int_t now_s) {
    const char *trouble = wrn_call_text(cli, network, "trouble");
    json_int_t created_s = json_integer_value(json_object_get(network, "created_s"));
    struct reached reached = count_peers(cli, json_object_get(network, "peers"));
    if (now_s != 0 && now_s < created_s) {
        return wrn_cli_text(cli,
                            "%s: the clock of this machine shows %s, before the network was "
                            "made; set it: timedatectl set-ntp true",
                            wrn_paint(cli, WRN_PAINT_BAD, "NOT connected"), date(cli, now_s));
    }
    if (reached.direct + reached.relayed + reached.stream > 0) {
        return wrn_cli_text(cli, "%s%s%s",
                            wrn_paint(cli, trouble != NULL ? WRN_PAINT_DOUBTFUL : WRN_PAINT_GOOD,
                                      of_peers(cli, &reached)),
                            trouble != NULL ? "; but " : "", trouble != NULL ? trouble : "");
    }
    if (trouble != NULL) {
        return wrn_cli_text(cli, "%s: %s%s", wrn_paint(cli, WRN_PAINT_BAD, "NOT connected"),
                            trouble, next_step(trouble));
    }
    return without_peers(cli, network);
}

/* Some troubles name it themselves; those that ask are questions about the network. */
static const char *next_step(const char *trouble) {
    size_t size = strlen(trouble);
    bool has_one = strstr(trouble, "warren ") != NULL || strstr(trouble, "ask ") != NULL;
    return has_one                                ? ""
           : size > 0 && trouble[size - 1] == '?' ? " look: warren netcheck"
                                                  : "; look: warren doctor";
}

static const char *of_peers(struct wrn_cli *cli, const struct reached *reached) {
    const struct {
        json_int_t count;
        const char *how;
    } ways[] = {
        {reached->direct, "directly"}, {reached->stream, "by TCP"}, {reached->relayed, "by relay"}};
    json_int_t total = reached->direct + reached->relayed + reached->stream;
    const char *text = "";
    for (size_t i = 0; i < WRN_COUNT(ways); i++) {
        if (ways[i].count > 0 && ways[i].count < total) {
            text = wrn_cli_text(cli, "%s, %lld %s", text, (long long)ways[i].count, ways[i].how);
        } else if (ways[i].count > 0) {
            text = wrn_cli_text(cli, ", %s", ways[i].how);
        }
    }
    return wrn_cli_text(cli, "connected to %lld machine%s%s", (long long)total,
                        total == 1 ? "" : "s", text);
}

static const char *without_peers(struct wrn_cli *cli, const json_t *network) {
    const char *state = wrn_call_text(cli, network, "state");
    const char *name = wrn_call_text(cli, network, "name");
    json_int_t nodes = json_integer_value(json_object_get(network, "nodes"));
    if (is_text(state, "joining")) {
        return wrn_cli_text(cli,
                            "%s: it looks for the other machines; wait for it: warren wait "
                            "ready %s",
                            wrn_paint(cli, WRN_PAINT_DOUBTFUL, "connecting"), name);
    }
    if (nodes > 1) {
        return wrn_cli_text(cli,
                            "%s: %lld machines are in it now, and none is reached; look: "
                            "warren netcheck",
                            wrn_paint(cli, WRN_PAINT_DOUBTFUL, "no peers"), (long long)nodes);
    }
    return wrn_cli_text(cli, "%s: nobody else is in it now; invite somebody: warren invite %s",
                        wrn_paint(cli, WRN_PAINT_DOUBTFUL, "alone"), name);
}

static struct reached count_peers(struct wrn_cli *cli, const json_t *peers) {
    struct reached reached = {0};
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const char *path = wrn_call_text(cli, json_array_get(peers, i), "path");
        json_int_t *count = is_text(path, "direct")    ? &reached.direct
                            : is_text(path, "relayed") ? &reached.relayed
                            : is_text(path, "stream")  ? &reached.stream
                                                       : &reached.not_yet;
        (*count)++;
    }
    return reached;
}

static const char *date(struct wrn_cli *cli, json_int_t s) {
    json_t *json = json_integer(s);
    const char *text = wrn_call_time(cli, json);
    json_decref(json);
    return text;
}

static bool is_text(const char *text, const char *wanted) {
    return text != NULL && strcmp(text, wanted) == 0;
}
