/* SPDX-License-Identifier: Apache-2.0 */
/* What `warren top` knows from one look to the next, and how it shows that. Does no I/O but to
 * print into a stream. */
#pragma once
#include <jansson.h>

#include "cli/cli.h"

enum { WRN_TOP_PROBES_MAX = 20 }; /* the last so many make the loss */

/* A peer, from look to look. */
struct wrn_top_peer {
    char key[128]; /* network, and HIT */
    uint64_t tx, rx;
    double tx_per_s, rx_per_s; /* < 0: not known yet */
    uint64_t seen;             /* the number of the look that it was in last */
    uint32_t probes;           /* a bit each, the last one lowest: 1 is lost */
    uint32_t probe_count;
};

/* What is counted of a network: drops and blocks by reason. */
struct wrn_top_count {
    char key[128]; /* network, and reason */
    uint64_t count;
    double per_s;
    uint64_t seen;
};

struct wrn_top {
    uint64_t look;
    uint64_t looked_ns; /* when, on the monotonic clock; 0: not yet */
    struct wrn_top_peer *peers;
    size_t peer_count;
    struct wrn_top_count *counts;
    size_t count_count;
};

/* Takes note of a result of `status` that came at 'now_ns'. False: no memory is left. */
bool wrn_top_note(struct wrn_top *top, struct wrn_cli *cli, const json_t *status, uint64_t now_ns);

/* Takes note of a probe of a peer. One that is not known is passed over. */
void wrn_top_probe(struct wrn_top *top, const char *network, const char *hit, bool is_lost);

/* Gives the memory back. */
void wrn_top_finish(struct wrn_top *top);

/* Prints a frame of at most 'rows' lines of at most 'columns' characters, each ended by 'end'. */
void wrn_top_show(const struct wrn_top *top, struct wrn_cli *cli, const json_t *status,
                  uint32_t columns, uint32_t rows, const char *end);

/* The same as JSON, a new object. */
json_t *wrn_top_json(const struct wrn_top *top, struct wrn_cli *cli, const json_t *status);
