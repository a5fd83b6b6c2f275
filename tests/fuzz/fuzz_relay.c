/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no message and no frame of peers, in no order, breaks a relay machine, makes it send more
 * than it is sent, or want to be called again at once. Method: the input is a program for a small
 * world of them: links come and go, searches, messages with slots that exist, time. */
#include "fuzz.h"

#include "unit/overlay/relay_world.h"

enum { STEPS_MAX = 200, SLOTS = 8 };

struct input {
    const uint8_t *next;
    size_t left;
};

static struct rworld w;

static uint8_t byte(struct input *in);
static void step(struct input *in);
static void inject(struct input *in, uint8_t from, uint8_t to, uint8_t what);
static uint64_t pick_slot(struct input *in);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    uint8_t first = byte(&in);
    struct wrn_relay_options options = {
        .relays = (first & 1) == 0,
        .forwards_max = 1 + (first >> 1 & 3),
        .uses_max = 1 + (first >> 3 & 3),
        .bytes_per_s = (first & 32) != 0 ? 2000 : 0,
    };
    rworld_init(&w, first, &options);
    for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++) {
        step(&in);
        rworld_run(&w, WRN_MS(50));
    }
    rworld_run(&w, WRN_S(400));
    return 0;
}

static uint8_t byte(struct input *in) {
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->next++;
}

static void step(struct input *in) {
    uint8_t what = byte(in), pair = byte(in);
    uint8_t a = pair % WORLD_NODES, b = pair / WORLD_NODES % WORLD_NODES;
    struct rworld_node *node = &w.nodes[a];
    const wrn_id relays[] = {w.nodes[2].id, w.nodes[3].id, w.nodes[4].id, w.nodes[5].id};
    if (a == b) {
        rworld_run(&w, WRN_MS(10) * (1 + byte(in) * UINT64_C(40)));
        return;
    }
    switch (what % 8) {
    case 0:
        rworld_link(&w, a, b, (enum rworld_link)(what / 8 % 3), 1 + what / 8u);
        break;
    case 1:
        node->is_peer[b] = true;
        (void)wrn_relay_search(node->relay, w.now, rworld_peer(b), w.nodes[b].id, NULL, 0);
        break;
    case 2:
        if (a > 5 && b > 5) {
            rworld_link(&w, a, (uint8_t)(2 + what / 8 % 4), WORLD_DIRECT, 20);
            rworld_link(&w, b, (uint8_t)(2 + what / 8 % 4), WORLD_DIRECT, 20);
        }
        node->is_peer[b] = w.nodes[b].is_peer[a] = true;
        (void)wrn_relay_search(node->relay, w.now, rworld_peer(b), w.nodes[b].id, relays,
                               WRN_COUNT(relays));
        break;
    case 3:
        wrn_relay_forget(node->relay, w.now, rworld_peer(b));
        break;
    case 4:
        wrn_relay_on_bad(node->relay, w.now, rworld_peer(b), &node->told[b].way);
        break;
    case 5:
        if (node->want_count > 0) {
            wrn_relay_on_want_done(
                node->relay, w.now, node->wants[(node->want_count - 1) % WORLD_WANTS].tag,
                rworld_peer(b),
                what / 8 % 2 == 0 && node->is_peer[b] ? WRN_REASON_NONE : WRN_REASON_TIMEOUT);
        }
        break;
    default:
        if (wrn_links_of(&node->links, rworld_peer(b)) != NULL) {
            inject(in, b, a, what / 8);
        }
        break;
    }
}

/* A message as a hostile peer would make it, or a frame. */
static void inject(struct input *in, uint8_t from, uint8_t to, uint8_t what) {
    static const uint8_t sizes[] = {30, 18, 22, 14, 7, 11, 10, 10};
    uint8_t bytes[64] = {0}, op = what % 8;
    uint32_t before = 0, after = 0;
    bool is_frame = what / 8 % 2 != 0;
    size_t size = is_frame ? 12u + byte(in) % 40 : sizes[op];
    for (size_t i = 0; i < size; i++) {
        bytes[i] = byte(in);
    }
    if (is_frame) {
        wrn_relayed_write(pick_slot(in), bytes);
    } else {
        bytes[0] = WRN_MESSAGE_RELAY;
        bytes[1] = op;
        if (op == 2 || op >= 5) {
            wrn_store_be64(bytes + 2, pick_slot(in));
        }
        if (op <= 2 && size >= 18) {
            wrn_id_store(w.nodes[byte(in) % WORLD_NODES].id, bytes + size - WRN_ID_SIZE);
        }
        if (op == 3) {
            wrn_store_be64(bytes + 6, pick_slot(in));
        }
    }
    for (unsigned i = 0; i < WRN_COUNT(w.nodes[to].sent_messages); i++) {
        before += w.nodes[to].sent_messages[i];
    }
    rworld_inject(&w, from, to, is_frame, (wrn_span){bytes, size});
    for (unsigned i = 0; i < WRN_COUNT(w.nodes[to].sent_messages); i++) {
        after += w.nodes[to].sent_messages[i];
    }
    WRN_ASSERT(after - before <= 3);
}

/* One that somebody has, or a small one. */
static uint64_t pick_slot(struct input *in) {
    uint8_t which = byte(in), pair = byte(in);
    const struct rworld_told *told = &w.nodes[pair % WORLD_NODES].told[pair / WORLD_NODES % 10];
    return which % SLOTS == 0 ? which : which % 2 == 0 ? told->gone.slot : told->way.slot;
}
