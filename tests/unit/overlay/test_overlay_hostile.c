/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a node lets in whom it may, and nothing that others send makes it do more than a little
 * work. Method: a mesh with a rule of admission; strangers, floods, broken frames, and members that
 * say anything. */
#include "overlay/overlay_internal.h"
#include "overlay/route_internal.h"
#include "unit/base/check.h"
#include "unit/overlay/mesh.h"

static uint64_t seed;

/* The rule: a credential is "member" and the second until when. */
struct rule {
    uint8_t excluded[WRN_SIGN_PUBLIC_SIZE];
    bool has_excluded;
    uint32_t asked;
};

enum {
    CREDENTIAL_SIZE = 14,
    WALL_S = 1800000000 + 1000,
    MEMBER_S = 1000000, /* longer than any test runs */
};

static enum wrn_reason admit(void *ctx, wrn_wall now,
                             const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], wrn_span credential,
                             wrn_wall *ret_until) {
    struct rule *rule = ctx;
    (void)now;
    rule->asked++;
    if (rule->has_excluded && memcmp(rule->excluded, public_key, WRN_SIGN_PUBLIC_SIZE) == 0) {
        return WRN_REASON_EXCLUDED;
    }
    if (credential.size != CREDENTIAL_SIZE || memcmp(credential.data, "member", 6) != 0) {
        return WRN_REASON_NOT_ADMITTED;
    }
    *ret_until = (wrn_wall){.s = (int64_t)wrn_load_be64(credential.data + 6)};
    return WRN_REASON_NONE;
}

static wrn_span credential(uint8_t out[CREDENTIAL_SIZE], int64_t for_s) {
    static const uint8_t word[6] = {'m', 'e', 'm', 'b', 'e', 'r'};
    memcpy(out, word, sizeof(word));
    wrn_store_be64(out + 6, (uint64_t)(WALL_S + for_s));
    return (wrn_span){out, CREDENTIAL_SIZE};
}

/* Adds and starts a node whose credential ends 'for_s' after the mesh began; 0: it has none. */
static uint32_t add(struct mesh *mesh, struct rule *rule, int64_t for_s) {
    uint8_t bytes[CREDENTIAL_SIZE];
    struct wrn_overlay_options options = mesh_options(mesh);
    options.admit = admit;
    options.admit_ctx = rule;
    options.credential = for_s ? credential(bytes, for_s) : (wrn_span){0};
    uint32_t node = mesh_add(mesh, &options);
    mesh_start(mesh, node, node == 0 ? UINT32_MAX : 0);
    mesh_run(mesh, 200);
    return node;
}

/* Makes a ring of members. */
static void form(struct mesh *mesh, struct rule *rule, uint32_t members) {
    for (uint32_t i = 0; i < members; i++) {
        add(mesh, rule, MEMBER_S);
    }
    assert_true(mesh_run_until(mesh, mesh_is_ring, 20000));
}

static uint64_t refused(struct mesh *mesh, uint32_t node, enum wrn_reason reason) {
    return wrn_overlay_refused(mesh_node(mesh, node)->overlay, reason);
}

static void members_only(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    form(mesh, &rule, 4);
    uint32_t outsider = add(mesh, &rule, 0);
    mesh_run(mesh, 40000);
    assert_int_equal(mesh_node(mesh, outsider)->ups, 0);
    assert_int_equal(refused(mesh, 0, WRN_REASON_NOT_ADMITTED), 1); /* and not asked again soon */
    assert_int_equal(wrn_overlay_links(mesh_node(mesh, outsider)->overlay)->count, 0);
    mesh_destroy(mesh);
}

/* Gives questions the mark of the ring that they are not of. */
static bool mark_questions(void *ctx, struct mesh *mesh, uint32_t from,
                           const struct wrn_endpoint *to, uint8_t *bytes, size_t size) {
    (void)ctx;
    (void)from;
    (void)to;
    if (bytes[0] == WRN_FRAME_WHO && size == WRN_WHO_SIZE) {
        uint64_t nonce = wrn_load_be64(bytes + 4);
        wrn_who_write(mesh_primitives(mesh), (const uint8_t *)"our ring", nonce, bytes);
    }
    return true;
}

/* Its questions are not answered; and if it knows the name, it finds none of its ring there. */
static void another_ring(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    uint8_t frame[WRN_WHO_SIZE];
    struct wrn_overlay_options options = mesh_options(mesh);
    mesh_start(mesh, mesh_add(mesh, &options), UINT32_MAX);
    options = mesh_options(mesh);
    memcpy(options.ring, "not ours", sizeof(options.ring));
    mesh_start(mesh, mesh_add(mesh, &options), 0);
    mesh_run(mesh, 20000);
    assert_int_equal(mesh_node(mesh, 0)->ups + mesh_node(mesh, 1)->ups, 0);
    assert_true(mesh_unowned(mesh, WRN_FRAME_WHO) > 0);
    assert_int_equal(refused(mesh, 1, WRN_REASON_BAD_SIGNATURE), 0);
    uint64_t sent = mesh_node(mesh, 0)->sent;
    wrn_who_write(mesh_primitives(mesh), options.ring, 1, frame);
    mesh_inject(mesh, 0, &mesh_node(mesh, 1)->at, frame, sizeof(frame));
    assert_int_equal(refused(mesh, 0, WRN_REASON_OTHER_RING), 1);
    assert_int_equal(mesh_node(mesh, 0)->sent, sent);
    mesh_set_filter(mesh, mark_questions, NULL);
    mesh_run(mesh, 100000);
    assert_int_equal(mesh_node(mesh, 0)->ups + mesh_node(mesh, 1)->ups, 0);
    assert_true(refused(mesh, 1, WRN_REASON_BAD_SIGNATURE) > 0); /* a locator for our ring */
    mesh_destroy(mesh);
}

/* The link lasts as long as the admission, and longer if it is renewed in time. */
static void admission_ends(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    uint8_t bytes[CREDENTIAL_SIZE];
    add(mesh, &rule, MEMBER_S);
    uint32_t kept = add(mesh, &rule, 60);
    uint32_t lost = add(mesh, &rule, 60);
    assert_true(mesh_run_until(mesh, mesh_is_ring, 20000));
    wrn_overlay_set_credential(mesh_node(mesh, kept)->overlay, credential(bytes, 100000));
    mesh_run(mesh, 90000);
    assert_true(mesh_has_link(mesh, 0, kept) && mesh_has_link(mesh, kept, 0));
    assert_int_equal(mesh_node(mesh, kept)->ups, 2); /* to both, once */
    assert_false(mesh_has_link(mesh, 0, lost) || mesh_has_link(mesh, lost, 0));
    assert_int_equal(mesh_node(mesh, lost)->down_reason, WRN_REASON_EXPIRED);
    mesh_destroy(mesh);
}

/* The rules change: one is cut at once, the others stay. */
static void exclusion_cuts_at_once(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    form(mesh, &rule, 4);
    struct wrn_overlay_peer_info info;
    struct wrn_overlay *overlay = mesh_node(mesh, 0)->overlay;
    wrn_handle peer = wrn_overlay_find(overlay, mesh_node(mesh, 2)->id);
    assert_true(wrn_overlay_peer_info(overlay, peer, &info));
    memcpy(rule.excluded, info.public_key, sizeof(rule.excluded));
    rule.has_excluded = true;
    for (uint32_t i = 0; i < 4; i++) {
        wrn_overlay_admit_again(mesh_node(mesh, i)->overlay, mesh_now(mesh, i), mesh_out(mesh));
        mesh_perform(mesh, i);
        assert_true(i == 2 || !mesh_has_link(mesh, i, 2));
    }
    mesh_run(mesh, 15000);
    assert_int_equal(wrn_overlay_links(mesh_node(mesh, 2)->overlay)->count, 0);
    assert_int_equal(mesh_node(mesh, 2)->down_reason, WRN_REASON_EXCLUDED);
    mesh_crash(mesh, 2);
    assert_true(mesh_run_until(mesh, mesh_is_ring, 20000));
    assert_true(mesh_has_link(mesh, 0, 1) && mesh_has_link(mesh, 0, 3));
    mesh_destroy(mesh);
}

/* The rules change while a member is asleep: the others ask it for its credential, and cut it off
 * when no answer comes. What they say then is in its socket when it wakes up, and does not keep it
 * from coming back at once: nobody judged it. */
static void a_sleeper_is_not_shunned(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    form(mesh, &rule, 4);
    mesh_sleep(mesh, 2, 14000);
    for (uint32_t i = 0; i < 4; i++) {
        if (i != 2) {
            wrn_overlay_admit_again(mesh_node(mesh, i)->overlay, mesh_now(mesh, i), mesh_out(mesh));
            mesh_perform(mesh, i);
        }
    }
    mesh_run(mesh, 13000);
    assert_false(mesh_has_link(mesh, 0, 2));
    assert_int_equal(mesh_node(mesh, 0)->down_reason, WRN_REASON_EXPIRED);
    mesh_run(mesh, 6000);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(i == 2 || (mesh_has_link(mesh, i, 2) && mesh_has_link(mesh, 2, i)), "node %u: ", i);
    }
    mesh_destroy(mesh);
}

/* An endpoint that no node of the mesh has. */
static struct wrn_endpoint stranger_at(uint16_t port) {
    return (struct wrn_endpoint){.ip = {{12}, WRN_FAMILY_IPV4}, .port = port};
}

/* Anybody may ask WHO: answers a second are limited, and never larger than the question. */
static void flood_of_questions(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    uint8_t frame[WRN_DATAGRAM_MAX] = {0};
    add(mesh, &rule, MEMBER_S);
    uint64_t sent = mesh_node(mesh, 0)->sent;
    uint64_t bytes = mesh_node(mesh, 0)->sent_bytes;
    for (uint32_t i = 0; i < 5000; i++) {
        struct wrn_endpoint from = stranger_at((uint16_t)(1 + i % 60000));
        size_t size =
            wrn_who_write(mesh_primitives(mesh), (const uint8_t *)"our ring", i + 1, frame);
        mesh_inject(mesh, 0, &from, frame, size);
    }
    sent = mesh_node(mesh, 0)->sent - sent;
    bytes = mesh_node(mesh, 0)->sent_bytes - bytes;
    assert_in_range(sent, 1, 400);
    assert_true(bytes <= sent * WRN_WHO_SIZE);
    assert_int_equal(refused(mesh, 0, WRN_REASON_RATE), 5000 - sent);
    assert_int_equal(mesh_node(mesh, 0)->actions_lost, 0);
    mesh_destroy(mesh);
}

/* Without the cookie of its address a stranger is not even looked at. */
static void flood_of_strangers(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    uint8_t frame[WRN_DATAGRAM_MAX];
    struct wrn_endpoint from = stranger_at(9);
    add(mesh, &rule, MEMBER_S);
    check_pattern(frame, sizeof(frame), 7);
    memset(frame, 0, 4);
    frame[0] = WRN_FRAME_STRANGER;
    frame[1] = 1; /* version */
    for (uint32_t i = 0; i < 2000; i++) {
        wrn_store_be32(frame + 40, i);
        mesh_inject(mesh, 0, &from, frame, 600);
    }
    assert_int_equal(refused(mesh, 0, WRN_REASON_COOKIE), 2000);
    assert_int_equal(rule.asked, 0);
    mesh_destroy(mesh);
}

/* Catches the first frame of a kind that one node sends. */
struct caught {
    uint32_t from;
    uint8_t kind;
    uint8_t frame[WRN_DATAGRAM_MAX];
    size_t size;
};

static bool catch_first(void *ctx, struct mesh *mesh, uint32_t from, const struct wrn_endpoint *to,
                        uint8_t *bytes, size_t size) {
    struct caught *caught = ctx;
    (void)mesh;
    (void)to;
    if (from == caught->from && bytes[0] == caught->kind && caught->size == 0) {
        memcpy(caught->frame, bytes, size);
        caught->size = size;
    }
    return true;
}

/* A stranger's HELLO is taken once, whoever sends it again, also when the stranger has become a
 * peer, has left, or was never let in: no key is computed, nothing answered, nobody remembered. */
static void a_strangers_hello_is_taken_once(void **state) {
    (void)state;
    for (uint32_t turn = 0; turn < 3; turn++) {
        struct mesh *mesh = mesh_create(seed);
        struct rule rule = {0};
        struct caught caught = {.from = 1, .kind = WRN_FRAME_STRANGER};
        add(mesh, &rule, 1000000);
        mesh_set_filter(mesh, catch_first, &caught);
        add(mesh, &rule, turn == 2 ? 0 : 1000000); /* the last one is no member */
        mesh_run(mesh, 3000);
        assert_true(caught.size > 0);
        if (turn == 1) {
            mesh_stop(mesh, 1);
            mesh_run(mesh, 1000);
        }
        const struct wrn_endpoint *at = &mesh_node(mesh, 1)->at;
        uint64_t sent = mesh_node(mesh, 0)->sent;
        uint32_t asked = rule.asked;
        for (uint32_t i = 0; i < 100; i++) {
            mesh_inject(mesh, 0, at, caught.frame, caught.size);
        }
        CHECK(refused(mesh, 0, WRN_REASON_REPLAYED) == 100, "turn %u: ", turn);
        assert_int_equal(mesh_node(mesh, 0)->sent, sent);
        assert_int_equal(rule.asked, asked);
        mesh_destroy(mesh);
    }
}

/* When so many others came that a frame is forgotten, it does no harm either: the link of who said
 * it once stays, and each costs one HELLO at most. */
static void a_forgotten_hello_cuts_nothing(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    struct caught caught = {.from = 1, .kind = WRN_FRAME_STRANGER};
    add(mesh, &rule, 1000000);
    mesh_set_filter(mesh, catch_first, &caught);
    add(mesh, &rule, 1000000);
    assert_true(mesh_run_until(mesh, mesh_is_ring, 20000));
    memset(mesh_node(mesh, 0)->overlay->join.heard, 0,
           sizeof(mesh_node(mesh, 0)->overlay->join.heard));
    uint32_t downs = mesh_node(mesh, 0)->downs;
    uint64_t sent = mesh_node(mesh, 0)->sent;
    mesh_inject(mesh, 0, &mesh_node(mesh, 1)->at, caught.frame, caught.size);
    assert_in_range(mesh_node(mesh, 0)->sent - sent, 0, 2);
    mesh_inject(mesh, 0, &mesh_node(mesh, 1)->at, caught.frame, caught.size);
    assert_in_range(mesh_node(mesh, 0)->sent - sent, 0, 2);
    mesh_run(mesh, 60000);
    assert_int_equal(mesh_node(mesh, 0)->downs, downs);
    assert_true(mesh_has_link(mesh, 0, 1) && mesh_is_ring(mesh));
    mesh_destroy(mesh);
}

static enum wrn_reason admit_any(void *ctx, wrn_wall now,
                                 const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], wrn_span shown,
                                 wrn_wall *ret_until) {
    (void)public_key;
    *(size_t *)ctx = shown.size > *(size_t *)ctx ? shown.size : *(size_t *)ctx;
    *ret_until = (wrn_wall){.s = now.s + 100000};
    return shown.size > 0 ? WRN_REASON_NONE : WRN_REASON_NOT_ADMITTED;
}

/* The largest credential beside the largest locator: a stranger's HELLO has no room for both, so
 * the credential follows when it is asked for. One byte more is refused where it is set. */
static void the_largest_credential_gets_in(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    static uint8_t large[WRN_CREDENTIAL_MAX + 1];
    size_t seen = 0;
    for (uint32_t i = 0; i < 4; i++) {
        struct wrn_overlay_options options = mesh_options(mesh);
        options.admit = admit_any;
        options.admit_ctx = &seen;
        options.credential = (wrn_span){large, WRN_CREDENTIAL_MAX};
        uint32_t node = mesh_add(mesh, &options);
        struct wrn_locator_endpoint local[WRN_ENDPOINTS_MAX] = {0};
        for (uint8_t j = 0; j < WRN_ENDPOINTS_MAX; j++) {
            local[j].at.ip.family = WRN_FAMILY_IPV6;
            memset(local[j].at.ip.bytes, 0x20 + j, sizeof(local[j].at.ip.bytes));
            local[j].at.port = 60000;
        }
        local[0].at = mesh_node(mesh, node)->at;
        mesh_start(mesh, node, node == 0 ? UINT32_MAX : 0);
        wrn_overlay_set_local(mesh_node(mesh, node)->overlay, mesh_now(mesh, node), local,
                              WRN_ENDPOINTS_MAX, mesh_out(mesh));
        mesh_perform(mesh, node);
        mesh_run(mesh, 300);
    }
    assert_true(mesh_run_until(mesh, mesh_is_ring, 30000));
    assert_int_equal(seen, WRN_CREDENTIAL_MAX);
    struct wrn_overlay *overlay = mesh_node(mesh, 0)->overlay;
    assert_int_equal(wrn_overlay_set_credential(overlay, (wrn_span){large, sizeof(large)}),
                     WRN_REASON_TOO_LARGE);
    mesh_destroy(mesh);
}

static bool mutate(void *ctx, struct mesh *mesh, uint32_t from, const struct wrn_endpoint *to,
                   uint8_t *bytes, size_t size) {
    struct wrn_prng *prng = ctx;
    uint64_t draw = wrn_prng_next(prng);
    (void)mesh;
    (void)from;
    (void)to;
    if (draw % 10 == 0) {
        bytes[(draw >> 8) % size] ^= (uint8_t)(1 + (draw >> 40) % 255);
    }
    return true;
}

/* A tenth of all datagrams comes changed: each is refused for a reason, and the ring forms. */
static void changed_datagrams(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    struct wrn_prng prng;
    wrn_prng_init(&prng, seed, 77);
    mesh_set_filter(mesh, mutate, &prng);
    for (uint32_t i = 0; i < 10; i++) {
        add(mesh, &rule, MEMBER_S);
    }
    assert_true(mesh_run_until(mesh, mesh_is_ring, 180000));
    uint64_t seals = 0;
    for (uint32_t i = 0; i < 10; i++) {
        seals += refused(mesh, i, WRN_REASON_BAD_SEAL);
    }
    assert_true(seals > 0);
    mesh_destroy(mesh);
}

/* Frames of every kind, from an address that nobody knows. */
static void noise_from_outside(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    struct wrn_prng prng;
    struct wrn_endpoint from = mesh_node(mesh, 1)->at;
    uint8_t frame[WRN_DATAGRAM_MAX];
    add(mesh, &rule, MEMBER_S);
    add(mesh, &rule, MEMBER_S);
    assert_true(mesh_run_until(mesh, mesh_is_ring, 20000));
    wrn_prng_init(&prng, seed, 78);
    from = mesh_node(mesh, 1)->at;
    for (uint32_t i = 0; i < 20000; i++) {
        size_t size = 1 + wrn_prng_next(&prng) % sizeof(frame);
        wrn_rand_fill(wrn_prng_rand(&prng), frame, size < 100 ? size : 100);
        frame[0] = (uint8_t)(0x20 + i % 16);
        frame[1] = (uint8_t)(i % 3 != 0);
        if (size > 3 && i % 2 == 0) {
            frame[2] = frame[3] = 0;
        }
        from.port = i % 4 == 0 ? MESH_PORT : (uint16_t)(i + 1);
        mesh_inject(mesh, 0, &from, frame, size);
    }
    assert_true(refused(mesh, 0, WRN_REASON_MALFORMED) > 0);
    assert_true(refused(mesh, 0, WRN_REASON_WRONG_VERSION) > 0);
    assert_true(refused(mesh, 0, WRN_REASON_UNKNOWN_SENDER) > 0);
    assert_true(mesh_has_link(mesh, 0, 1));
    mesh_destroy(mesh);
}

/* Has a member say 'message' to another one, sealed as it should be. */
static void say(struct mesh *mesh, uint32_t from, uint32_t to, wrn_span message) {
    struct wrn_overlay *overlay = mesh_node(mesh, from)->overlay;
    wrn_overlay_begin(overlay, mesh_now(mesh, from), mesh_out(mesh));
    struct wrn_overlay_peer *peer = wrn_peers_at(overlay, mesh_node(mesh, to)->id);
    if (peer && peer->state == WRN_PEER_STATE_UP) {
        wrn_overlay_send_message(overlay, peer, message);
    }
    wrn_overlay_end(overlay);
    mesh_perform(mesh, from);
}

/* A member that was let in says anything: noise behind every first byte, and routed noise. Nothing
 * breaks, and nobody sends much because of it. */
static void noise_from_inside(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    struct wrn_prng prng;
    uint8_t message[WRN_MESSAGE_MAX];
    form(mesh, &rule, 6);
    wrn_prng_init(&prng, seed, 79);
    uint64_t sent = mesh_node(mesh, 0)->sent;
    for (uint32_t i = 0; i < 20000; i++) {
        size_t size = 1 + wrn_prng_next(&prng) % 120;
        wrn_rand_fill(wrn_prng_rand(&prng), message, size);
        message[0] = (uint8_t)(i % 0x40);
        if (message[0] == WRN_MESSAGE_BYE) {
            continue;
        }
        if (size > 2 && i % 3 != 0) { /* plausible verbs */
            message[1] %= 8;
        }
        say(mesh, 1, 0, (wrn_span){message, size});
        mesh_run(mesh, i % 8 == 0 ? 50 : 0);
    }
    sent = mesh_node(mesh, 0)->sent - sent;
    assert_true(sent < 60000);
    assert_true(refused(mesh, 0, WRN_REASON_MALFORMED) > 0);
    assert_int_equal(mesh_node(mesh, 0)->actions_lost, 0);
    mesh_crash(mesh, 1);
    assert_true(mesh_run_until(mesh, mesh_is_ring, 240000));
    mesh_destroy(mesh);
}

/* Whoever shows a credential beyond the limit is told that it is too large, and does not come
 * back at once. */
static void a_credential_too_large_is_refused_by_name(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    uint8_t message[WRN_MESSAGE_MAX] = {0};
    enum { SIZE = WRN_CREDENTIAL_MAX + 1 };
    for (uint32_t i = 0; i < 2; i++) {
        add(mesh, &rule, 1000000);
    }
    assert_true(mesh_run_until(mesh, mesh_is_ring, 20000));
    struct wrn_writer writer = wrn_writer(message, sizeof(message));
    wrn_write_u32(&writer, (uint32_t)WRN_MESSAGE_HELLO << 24 | 2u << 16); /* shows it */
    wrn_write_u64(&writer, 1);
    wrn_write_bytes(&writer, "our ring", 8);
    wrn_write_u64(&writer, 99);
    wrn_write_u64(&writer, 1);
    wrn_write_u16(&writer, 0);
    wrn_write_u16(&writer, SIZE);
    say(mesh, 1, 0, (wrn_span){message, writer.size + SIZE});
    mesh_run(mesh, 1000);
    assert_int_equal(refused(mesh, 0, WRN_REASON_TOO_LARGE), 1);
    assert_int_equal(mesh_node(mesh, 0)->down_reason, WRN_REASON_TOO_LARGE);
    assert_int_equal(mesh_node(mesh, 1)->down_reason, WRN_REASON_TOO_LARGE);
    mesh_run(mesh, 30000);
    assert_false(mesh_has_link(mesh, 0, 1));
    mesh_destroy(mesh);
}

/* Hands node 0 a request to link, as if the router had delivered it. */
static void deliver(struct mesh *mesh, const struct wrn_route_header *header, wrn_span payload) {
    struct wrn_overlay *overlay = mesh_node(mesh, 0)->overlay;
    wrn_overlay_begin(overlay, mesh_now(mesh, 0), mesh_out(mesh));
    wrn_linker_on_payload(overlay, header, payload);
    wrn_overlay_end(overlay);
    mesh_perform(mesh, 0);
}

/* CONNECT payloads of every verb with noise behind, delivered to a node. */
static void noise_in_requests(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    struct wrn_prng prng;
    uint8_t payload[200];
    form(mesh, &rule, 3);
    wrn_prng_init(&prng, seed, 80);
    for (uint32_t i = 0; i < 5000; i++) {
        struct wrn_route_header header = {.source = mesh_node(mesh, 1 + i % 2)->id,
                                          .target = mesh_node(mesh, 0)->id};
        size_t size = 2 + wrn_prng_next(&prng) % (sizeof(payload) - 2);
        wrn_rand_fill(wrn_prng_rand(&prng), payload, size);
        payload[0] = WRN_PAYLOAD_CONNECT;
        payload[1] = (uint8_t)(i % 8);
        if (size > 3) {
            payload[2] = (uint8_t)(1u << i % 5);
            payload[3] = 0;
        }
        deliver(mesh, &header, (wrn_span){payload, size});
        mesh_run(mesh, 10);
    }
    assert_true(refused(mesh, 0, WRN_REASON_MALFORMED) > 0);
    assert_true(mesh_run_until(mesh, mesh_is_ring, 60000));
    mesh_destroy(mesh);
}

/* A forged request in the name of a peer that lives does not cut its link. */
static void forged_restart(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    uint8_t payload[WRN_PAYLOAD_MAX];
    form(mesh, &rule, 3);
    mesh_run(mesh, 20000);
    uint32_t downs = mesh_node(mesh, 0)->downs;
    struct wrn_route_header header = {.source = mesh_node(mesh, 1)->id,
                                      .target = mesh_node(mesh, 0)->id};
    struct wrn_writer writer = wrn_writer(payload, sizeof(payload));
    wrn_write_u8(&writer, WRN_PAYLOAD_CONNECT);
    wrn_write_u8(&writer, 1);
    wrn_write_u8(&writer, WRN_LINK_NEAR);
    wrn_write_u8(&writer, 0);
    wrn_write_u64(&writer, 0x1234567812345678);
    writer.size += wrn_overlay_locator(mesh_node(mesh, 1)->overlay, mesh_now(mesh, 1),
                                       payload + writer.size, sizeof(payload) - writer.size);
    deliver(mesh, &header, wrn_written(&writer));
    mesh_run(mesh, 60000);
    assert_int_equal(mesh_node(mesh, 0)->downs, downs);
    assert_true(mesh_has_link(mesh, 0, 1) && mesh_is_ring(mesh));
    mesh_destroy(mesh);
}

/* Finds the header of the message to 'target' that waits for its acknowledgement. */
static bool waiting_header(const struct wrn_overlay *overlay, wrn_id target,
                           struct wrn_route_header *ret_header) {
    const struct wrn_route_watches *watches = &overlay->route->watches;
    for (uint32_t i = 0; i < watches->capacity; i++) {
        uint8_t message[sizeof(watches->watches[i].head.bytes) + 1] = {0};
        struct wrn_routed routed;
        size_t size = watches->watches[i].head.size;
        memcpy(message, watches->watches[i].head.bytes, size);
        if (watches->watches[i].number != 0 && message[0] == WRN_MESSAGE_ROUTED &&
            wrn_routed_read((wrn_span){message, size + 1}, &routed) &&
            wrn_id_equal(routed.header.target, target)) {
            *ret_header = routed.header;
            return true;
        }
    }
    return false;
}

/* A node that does not run, but for its locator. */
static uint32_t add_cut(struct mesh *mesh) {
    uint8_t bytes[CREDENTIAL_SIZE];
    struct wrn_overlay_options options = mesh_options(mesh);
    options.credential = credential(bytes, 1000);
    uint32_t joiner = mesh_add(mesh, &options);
    mesh_start(mesh, joiner, UINT32_MAX);
    mesh_node(mesh, joiner)->is_cut = true;
    return joiner;
}

/* It asks node 0 for a link; 'via': by whom it is reached. */
static void ask_by(struct mesh *mesh, uint32_t joiner, uint64_t number, const wrn_id *via) {
    struct wrn_overlay *overlay = mesh_node(mesh, 0)->overlay;
    uint8_t payload[WRN_PAYLOAD_MAX];
    struct wrn_route_header header = {.source = mesh_node(mesh, joiner)->id,
                                      .target = overlay->id,
                                      .has_via = via != NULL,
                                      .via = via ? *via : (wrn_id){0}};
    struct wrn_writer writer = wrn_writer(payload, sizeof(payload));
    wrn_write_u32(&writer,
                  (uint32_t)WRN_PAYLOAD_CONNECT << 24 | 1u << 16 | (uint32_t)WRN_LINK_NEAR << 8);
    wrn_write_u64(&writer, number);
    writer.size += wrn_overlay_locator(mesh_node(mesh, joiner)->overlay, mesh_now(mesh, joiner),
                                       payload + writer.size, sizeof(payload) - writer.size);
    wrn_overlay_begin(overlay, mesh_now(mesh, 0), mesh_out(mesh));
    wrn_linker_on_payload(overlay, &header, wrn_written(&writer));
    wrn_overlay_end(overlay);
    mesh_perform(mesh, 0);
}

/* Node 0 calls it over the ring. False: the call does not wait for an acknowledgement. */
static bool call(struct mesh *mesh, uint32_t joiner, struct wrn_route_header *ret_header) {
    static const uint8_t message[10] = {WRN_MESSAGE_CALL};
    struct wrn_overlay *overlay = mesh_node(mesh, 0)->overlay;
    struct wrn_overlay_peer *peer = wrn_peers_at(overlay, mesh_node(mesh, joiner)->id);
    assert_non_null(peer);
    wrn_overlay_begin(overlay, mesh_now(mesh, 0), mesh_out(mesh));
    wrn_linker_call(overlay, peer, (wrn_span){message, sizeof(message)});
    bool is_found = waiting_header(overlay, peer->id, ret_header);
    wrn_overlay_end(overlay);
    mesh_perform(mesh, 0);
    return is_found;
}

/* Who is not on the ring yet is called by the node that its request named, as it is answered; once
 * it asks without, the ring leads there. */
static void calls_go_by_the_via_of_a_request(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    for (uint32_t i = 0; i < 4; i++) {
        add(mesh, &rule, 1000000);
    }
    assert_true(mesh_run_until(mesh, mesh_is_ring, 20000));
    uint32_t joiner = add_cut(mesh);
    wrn_id via = mesh_node(mesh, 0)->overlay->links.links[1].id;
    for (uint32_t turn = 0; turn < 2; turn++) {
        struct wrn_route_header sent = {0};
        ask_by(mesh, joiner, 77 + turn, turn == 0 ? &via : NULL);
        mesh_run(mesh, 3000); /* what was sent before is acknowledged, or given up */
        bool is_found = call(mesh, joiner, &sent);
        assert_true(is_found || turn == 1);
        assert_int_equal(sent.to_via, turn == 0);
        assert_true(turn == 1 || wrn_id_equal(sent.via, via));
    }
    mesh_destroy(mesh);
}

/* Some join at the same time: each is called by its own via, not by that of the last one. */
static void each_who_joins_has_its_via(void **state) {
    (void)state;
    enum { JOINERS = WRN_LINKER_VIAS };
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    uint32_t joiners[JOINERS];
    wrn_id vias[JOINERS];
    for (uint32_t i = 0; i < 5; i++) {
        add(mesh, &rule, 1000000);
    }
    assert_true(mesh_run_until(mesh, mesh_is_ring, 20000));
    mesh_run(mesh, 20000);
    for (uint32_t i = 0; i < JOINERS; i++) {
        joiners[i] = add_cut(mesh);
        vias[i] = mesh_node(mesh, 0)->overlay->links.links[i].id;
    }
    for (uint32_t i = 0; i < JOINERS; i++) {
        ask_by(mesh, joiners[i], 77 + i, &vias[i]);
    }
    mesh_run(mesh, 3000);
    for (uint32_t i = 0; i < JOINERS; i++) {
        struct wrn_route_header sent = {0};
        CHECK(call(mesh, joiners[i], &sent), "joiner %u: ", i);
        assert_true(sent.to_via && wrn_id_equal(sent.via, vias[i]));
    }
    mesh_destroy(mesh);
}

/* Small pools: who finds no room is told FULL, and the ring forms nevertheless. */
static void full_pools(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    for (uint32_t i = 0; i < 40; i++) {
        struct wrn_overlay_options options = mesh_options(mesh);
        options.peers_max = 16;
        mesh_start(mesh, mesh_add(mesh, &options), i == 0 ? UINT32_MAX : 0);
        mesh_run(mesh, 50);
    }
    assert_true(mesh_run_until(mesh, mesh_is_ring, 600000));
    uint64_t full = 0;
    for (uint32_t i = 0; i < 40; i++) {
        full += refused(mesh, i, WRN_REASON_FULL);
        assert_true(wrn_overlay_links(mesh_node(mesh, i)->overlay)->count <= 16);
    }
    assert_true(full > 0);
    mesh_destroy(mesh);
}

static void wrong_calls(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    uint8_t bytes[WRN_MESSAGE_MAX + 1] = {1};
    add(mesh, &rule, MEMBER_S);
    struct wrn_overlay *overlay = mesh_node(mesh, 0)->overlay;
    struct wrn_now now = mesh_now(mesh, 0);
    wrn_handle dead = {3, 7};
    wrn_id id = {1, 2};
    assert_int_equal(wrn_overlay_send(overlay, now, dead, (wrn_span){bytes, 1}, mesh_out(mesh)),
                     WRN_REASON_UNREACHABLE);
    assert_int_equal(wrn_overlay_carry(overlay, now, dead, (wrn_span){bytes, 1}, mesh_out(mesh)),
                     WRN_REASON_UNREACHABLE);
    assert_int_equal(wrn_overlay_carry(overlay, now, dead, (wrn_span){0}, mesh_out(mesh)),
                     WRN_REASON_TOO_LARGE);
    assert_int_equal(
        wrn_overlay_send(overlay, now, dead, (wrn_span){bytes, sizeof(bytes)}, mesh_out(mesh)),
        WRN_REASON_TOO_LARGE);
    assert_int_equal(wrn_overlay_route(overlay, now, WRN_ROUTE_EXACT, id,
                                       (wrn_span){bytes, sizeof(bytes)}, mesh_out(mesh)),
                     WRN_REASON_TOO_LARGE);
    assert_int_equal(wrn_overlay_crawl(overlay, now, 1, 5, mesh_out(mesh)),
                     WRN_REASON_NOT_CONNECTED);
    assert_int_equal(wrn_overlay_add_cached(overlay, (wrn_span){bytes, 30}), WRN_REASON_MALFORMED);
    for (uint32_t i = 0; i <= WRN_BOOTSTRAPS_MAX; i++) {
        struct wrn_endpoint endpoint = {.port = (uint16_t)(i + 1)};
        assert_int_equal(wrn_overlay_add_bootstrap(overlay, &endpoint),
                         i < WRN_BOOTSTRAPS_MAX ? WRN_REASON_NONE : WRN_REASON_FULL);
    }
    assert_int_equal(wrn_overlay_refused(overlay, WRN_REASON_COUNT), 0);
    mesh_perform(mesh, 0);
    mesh_destroy(mesh);
}

/* Nodes 1 and 2 do not hear one another; a frame from 'from' to 1 is caught. */
struct mixing {
    bool is_on;
    uint32_t from;
    uint8_t frame[WRN_RELAYED_OVERHEAD + WRN_DATAGRAM_MAX];
    size_t size;
};

static bool keep_two_apart(void *ctx, struct mesh *mesh, uint32_t from,
                           const struct wrn_endpoint *to, uint8_t *bytes, size_t size) {
    struct mixing *mixing = ctx;
    if (mixing->is_on && from == mixing->from && bytes[0] == WRN_FRAME_SEALED &&
        wrn_endpoint_equal(to, &mesh_node(mesh, 1)->at)) {
        memcpy(mixing->frame + WRN_RELAYED_OVERHEAD, bytes, size);
        mixing->size = size;
        return false;
    }
    return !(from == 1 && wrn_endpoint_equal(to, &mesh_node(mesh, 2)->at)) &&
           !(from == 2 && wrn_endpoint_equal(to, &mesh_node(mesh, 1)->at));
}

static bool are_two_relayed(struct mesh *mesh) {
    struct wrn_overlay_peer_info info;
    struct wrn_overlay *overlay = mesh_node(mesh, 1)->overlay;
    wrn_handle peer = wrn_overlay_find(overlay, mesh_node(mesh, 2)->id);
    return mesh_is_ring(mesh) && wrn_overlay_peer_info(overlay, peer, &info) &&
           info.way.kind == WRN_WAY_RELAY;
}

/* A relay puts what a third node sealed for us into the slot of the peer that it relays: it is not
 * taken, the way is not credited to the third, and is used no longer: there are others. (The peer
 * may have asked the same relay, for another slot.) */
static void a_relay_that_mixes_peers_is_left(void **state) {
    (void)state;
    static const wrn_span text = {(const uint8_t *)"third", 5};
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    struct mixing mixing = {0};
    struct wrn_overlay_peer_info info;
    struct wrn_overlay_peer_info relay;
    mesh_set_filter(mesh, keep_two_apart, &mixing);
    for (uint32_t i = 0; i < 7; i++) { /* all have links to all */
        add(mesh, &rule, MEMBER_S);
    }
    assert_true(mesh_run_until(mesh, are_two_relayed, 60000));
    mesh_run(mesh, 20000);
    struct mesh_node *node = mesh_node(mesh, 1);
    wrn_handle two = wrn_overlay_find(node->overlay, mesh_node(mesh, 2)->id);
    assert_true(wrn_overlay_peer_info(node->overlay, two, &info));
    assert_true(wrn_overlay_peer_info(node->overlay, info.way.relay, &relay));
    uint32_t relay_number = 0;
    while (!wrn_id_equal(mesh_node(mesh, relay_number)->id, relay.id)) {
        relay_number++;
    }
    mixing.from = relay_number == 3 ? 4 : 3;
    struct mesh_node *third = mesh_node(mesh, mixing.from);
    wrn_handle one = wrn_overlay_find(third->overlay, node->id);
    mixing.is_on = true;
    assert_int_equal(
        wrn_overlay_send(third->overlay, mesh_now(mesh, mixing.from), one, text, mesh_out(mesh)),
        WRN_REASON_NONE);
    mesh_perform(mesh, mixing.from);
    mixing.is_on = false;
    assert_true(mixing.size > 0);
    uint32_t messages = node->messages;
    wrn_relayed_write(info.way.slot, mixing.frame);
    uint8_t mixed[sizeof(mixing.frame)];
    memcpy(mixed, mixing.frame, sizeof(mixed));
    mesh_inject(mesh, 1, &mesh_node(mesh, relay_number)->at, mixed,
                WRN_RELAYED_OVERHEAD + mixing.size);
    assert_int_equal(refused(mesh, 1, WRN_REASON_RELAY_MIXED), 1);
    assert_int_equal(node->messages, messages);
    mesh_run(mesh, 5000);
    struct wrn_overlay_peer_info after;
    two = wrn_overlay_find(node->overlay, mesh_node(mesh, 2)->id);
    assert_true(wrn_overlay_peer_info(node->overlay, two, &after));
    assert_true(after.way.kind == WRN_WAY_RELAY);
    assert_true(after.way.slot != info.way.slot);
    /* It was the third's all the same, and new. */
    mesh_inject(mesh, 1, &third->at, mixing.frame + WRN_RELAYED_OVERHEAD, mixing.size);
    assert_int_equal(node->messages, messages + 1);
    mesh_destroy(mesh);
}

/* Writes a request for a link in the name of a node that did not send it; its locator is public. */
static size_t forge_request(struct mesh *mesh, uint32_t whose, uint32_t origin,
                            uint8_t out[WRN_MESSAGE_MAX]) {
    struct wrn_routed routed = {.header = {.source = mesh_node(mesh, whose)->id,
                                           .target = mesh_node(mesh, 0)->id,
                                           .mode = WRN_ROUTE_EXACT,
                                           .hops = 5,
                                           .hop_limit = 40},
                                .origin = origin};
    struct wrn_route_head head = wrn_routed_write(&routed);
    struct wrn_writer writer = wrn_writer(out, WRN_MESSAGE_MAX);
    wrn_write_bytes(&writer, head.bytes, head.size);
    wrn_write_u8(&writer, WRN_PAYLOAD_CONNECT);
    wrn_write_u8(&writer, 1); /* a request */
    wrn_write_u8(&writer, WRN_LINK_NEAR);
    wrn_write_u8(&writer, 0);
    wrn_write_u64(&writer, UINT64_C(0x1234567812345678));
    return writer.size + wrn_overlay_locator(mesh_node(mesh, whose)->overlay, mesh_now(mesh, whose),
                                             out + writer.size, WRN_MESSAGE_MAX - writer.size);
}

/* A member asks for links in the name of all others, as if they came by the ring: what it is linked
 * to does not seem worse than the member itself. */
static void nobody_talks_links_down(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct rule rule = {0};
    uint8_t message[WRN_MESSAGE_MAX];
    uint32_t member = 1, asked = 0, suspect = 0;
    form(mesh, &rule, 12);
    mesh_run(mesh, 120000);
    const struct wrn_links *links = wrn_overlay_links(mesh_node(mesh, 0)->overlay);
    while (!mesh_has_link(mesh, 0, member)) {
        member++;
    }
    for (uint32_t round = 0; round < 40; round++) {
        for (uint32_t other = 1; other < 12; other++) {
            if (other != member && mesh_has_link(mesh, 0, other)) {
                size_t size = forge_request(mesh, other, 100 * round + other, message);
                say(mesh, member, 0, (wrn_span){message, size});
                asked++;
            }
        }
        mesh_run(mesh, 100);
        for (uint32_t i = 0; i < links->count; i++) {
            suspect += links->links[i].is_suspect;
        }
        mesh_run(mesh, 400);
    }
    CHECK(asked > 100 && suspect == 0, "%u links were suspect after %u: ", suspect, asked);
    mesh_destroy(mesh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_only),
        cmocka_unit_test(another_ring),
        cmocka_unit_test(admission_ends),
        cmocka_unit_test(exclusion_cuts_at_once),
        cmocka_unit_test(a_sleeper_is_not_shunned),
        cmocka_unit_test(flood_of_questions),
        cmocka_unit_test(flood_of_strangers),
        cmocka_unit_test(a_strangers_hello_is_taken_once),
        cmocka_unit_test(a_forgotten_hello_cuts_nothing),
        cmocka_unit_test(the_largest_credential_gets_in),
        cmocka_unit_test(changed_datagrams),
        cmocka_unit_test(noise_from_outside),
        cmocka_unit_test(noise_from_inside),
        cmocka_unit_test(a_credential_too_large_is_refused_by_name),
        cmocka_unit_test(noise_in_requests),
        cmocka_unit_test(forged_restart),
        cmocka_unit_test(calls_go_by_the_via_of_a_request),
        cmocka_unit_test(each_who_joins_has_its_via),
        cmocka_unit_test(full_pools),
        cmocka_unit_test(wrong_calls),
        cmocka_unit_test(a_relay_that_mixes_peers_is_left),
        cmocka_unit_test(nobody_talks_links_down),
    };
    seed = check_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
