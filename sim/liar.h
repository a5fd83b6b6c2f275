/* SPDX-License-Identifier: Apache-2.0 */
/* Members that lie: nodes whose messages are changed before they are sealed, so that peers believe
 * who says it. Also forgers and repeaters of frames. */
#pragma once
#include "sim/node.h"

/* X(NAME, name): what a liar does. */
#define SIM_LIE_LIST(X)                                                                            \
    X(NEIGHBOURS, neighbours) /* names neighbours that do not exist */                             \
    X(ROUTED, routed)         /* changes what it forwards */                                       \
    X(DHT, table)             /* answers for keys as it likes, and says anything */                \
    X(REPLAY, replay)         /* sends what it sent before, again and again */                     \
    X(FORGE, forge)           /* turns bits of its frames, and sends noise */                      \
    X(THIEF, thief)           /* copies claims of its own to others' keys, dated long ago */

enum sim_lie {
#define X(upper, lower) SIM_LIE_##upper,
    SIM_LIE_LIST(X)
#undef X
        SIM_LIES
};

enum { SIM_LIE_LONG_AGO_S = 5 }; /* since 1970: since when thieves claim keys */

struct sim_liar; /* owned by its node's scenario */

/* Makes a node a liar before it starts. The caller frees it after the nodes are destroyed. */
struct sim_liar *sim_liar_create(struct sim_node *node, enum sim_lie lie);

/* Lets a thief be honest for a while, or no more. */
void sim_liar_be_quiet(struct sim_liar *liar, bool is_quiet);

/* Frees it. NULL is fine. */
void sim_liar_destroy(struct sim_liar *liar);

/* Returns how many lies it told. */
uint64_t sim_liar_count(const struct sim_liar *liar);
