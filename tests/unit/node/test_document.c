/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: docs/network/vectors.md and docs/ring/numbers.md show nothing that is not so. Method: the
 * worked example was made by a second implementation; each of its blocks is made, or read, by our
 * own code. The numbers are looked up in the tables of the page. */
#include <stdio.h>

#include "network/invitation.h"
#include "network/revoked.h"
#include "overlay/locator.h"
#include "overlay/pair.h"
#include "overlay/record.h"
#include "unit/base/check.h"
#include "unit/overlay/real_primitives.h"

enum { DOCUMENT_MAX = 1 << 16, BLOCKS = 64, NOW_S = 1795000060, HELLO_FIXED = 38 };

static char example[DOCUMENT_MAX], numbers[DOCUMENT_MAX];
static uint8_t blocks[BLOCKS][2048];
static uint32_t block_count;
static struct wrn_crypto *crypto;

static void load(const char *name, char *out) {
    char path[4096];
    const char *root = getenv("WARREN_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/docs/%s", root != NULL ? root : ".", name);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL, "%s: ", path);
    size_t size = fread(out, 1, DOCUMENT_MAX - 1, file);
    CHECK(size > 0 && size < DOCUMENT_MAX - 1, "%s: ", path);
    out[size] = '\0';
    fclose(file);
}

static int set_up(void **state) {
    load("network/vectors.md", example);
    load("ring/numbers.md", numbers);
    int error = real_primitives_set_up(state);
    return error != 0 ? error : wrn_crypto_create(WRN_CRYPTO_AUTO, &crypto);
}

static int tear_down(void **state) {
    wrn_crypto_destroy(crypto);
    return real_primitives_tear_down(state);
}

/* The text of a block: the lines with eight spaces below its name, put together. */
static size_t text_of(const char *name, char out[DOCUMENT_MAX]) {
    char head[128];
    size_t size = 0;
    int length = snprintf(head, sizeof head, "\n    %s", name);
    const char *at = example;
    while ((at = strstr(at, head)) != NULL && at[length] != '\n' && at[length] != ' ') {
        at++;
    }
    CHECK(at != NULL, "no block %s: ", name);
    at = strchr(at + 1, '\n');
    while (at != NULL && strncmp(at, "\n        ", 9) == 0) {
        size_t line = strcspn(at + 9, "\n");
        memcpy(out + size, at + 9, line);
        size += line;
        at = strchr(at + 9, '\n');
    }
    CHECK(size > 0, "block %s: ", name);
    return size;
}

/* The bytes of a block, good until the end of the test. */
static wrn_span block(const char *name) {
    static char text[DOCUMENT_MAX];
    size_t size = text_of(name, text) / 2;
    assert_true(block_count < BLOCKS && size <= sizeof blocks[0]);
    uint8_t *bytes = blocks[block_count++];
    for (size_t i = 0; i < size; i++) {
        unsigned value = 0;
        CHECK(sscanf(text + 2 * i, "%2x", &value) == 1, "%s: ", name);
        bytes[i] = (uint8_t)value;
    }
    return (wrn_span){bytes, size};
}

static uint64_t number(const char *name) {
    wrn_span bytes = block(name);
    uint64_t value = 0;
    assert_int_equal(bytes.size, 8);
    for (size_t i = 0; i < bytes.size; i++) {
        value = value << 8 | bytes.data[i];
    }
    return value;
}

static void check_block(const char *name, const void *bytes, size_t size) {
    wrn_span expected = block(name);
    CHECK(expected.size == size && memcmp(expected.data, bytes, size) == 0, "%s: ", name);
}

static void check_sha256(const char *of, const char *name) {
    uint8_t hash[WRN_SHA256_SIZE];
    wrn_sha256(block(of), (wrn_span){0}, hash);
    check_block(name, hash, sizeof hash);
}

static void tunnel_of(const char *seed, uint8_t ret_private[WRN_KEY_SIZE],
                      uint8_t ret_public[WRN_KEY_SIZE]) {
    wrn_tunnel_key(crypto, block(seed).data, block("network_id"), ret_private);
    assert_true(wrn_x25519_public(crypto, ret_private, ret_public));
}

static void read_line(struct wrn_invitation *ret_invitation) {
    char text[DOCUMENT_MAX];
    size_t size = text_of("invitation_line", text);
    assert_int_equal(wrn_invitation_read((wrn_span){(uint8_t *)text, size}, ret_invitation),
                     WRN_INVITATION_OK);
}

static void keys_are_those_of_their_seeds(void **state) {
    (void)state;
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], hit[WRN_HIT_SIZE], place[WRN_ID_SIZE];
    uint8_t keys[2][WRN_KEY_SIZE];
    block_count = 0;
    assert_true(wrn_sign_public(block("owner_seed").data, public_key));
    check_block("owner_public", public_key, sizeof public_key);
    assert_true(wrn_sign_public(block("invitation_seed").data, public_key));
    check_block("invitation_public", public_key, sizeof public_key);
    assert_true(wrn_sign_public(block("host_seed").data, public_key));
    check_block("host_public", public_key, sizeof public_key);
    wrn_hit(public_key, hit);
    check_block("host_hit", hit, sizeof hit);
    wrn_id_store(wrn_id_of_hit(hit), place);
    check_block("host_place", place, sizeof place);
    tunnel_of("host_seed", keys[0], keys[1]);
    check_block("host_tunnel_private", keys[0], WRN_KEY_SIZE);
    check_block("host_tunnel_public", keys[1], WRN_KEY_SIZE);
    tunnel_of("owner_seed", keys[0], keys[1]);
    check_block("owner_tunnel_public", keys[1], WRN_KEY_SIZE);
}

static void invitation_is_read_and_accepted(void **state) {
    (void)state;
    struct wrn_invitation invitation;
    uint8_t chain[1024];
    char line[WRN_INVITATION_LINE_MAX], expected[DOCUMENT_MAX];
    size_t size = 0;
    block_count = 0;
    read_line(&invitation);
    check_block("network_id", invitation.descriptor.id, sizeof invitation.descriptor.id);
    check_block("ring", invitation.descriptor.id, WRN_RING_SIZE);
    check_block("owner_public", invitation.descriptor.owner, WRN_SIGN_PUBLIC_SIZE);
    check_block("descriptor_signature", invitation.signature, sizeof invitation.signature);
    check_block("invitation_chain", invitation.chain, invitation.chain_size);
    check_block("invitation_seed", invitation.seed, sizeof invitation.seed);
    check_sha256("descriptor", "network_id");
    check_sha256("invitation_certificate", "invitation_certificate_hash");
    assert_int_equal(wrn_invitation_print_line(&invitation, line, sizeof line),
                     text_of("invitation_line", expected));
    assert_memory_equal(line, expected, strlen(line));
    assert_int_equal(wrn_invitation_accept(&invitation, block("host_public").data, NOW_S, INT64_MAX,
                                           chain, sizeof chain, &size),
                     WRN_INVITATION_OK);
    check_block("member_chain", chain, size);
    wrn_invitation_finish(&invitation);
}

static void frames_are_made_and_opened(void **state) {
    (void)state;
    struct wrn_pair host, owner;
    uint8_t keys[2][WRN_KEY_SIZE], others[2][WRN_KEY_SIZE], frame[WRN_DATAGRAM_MAX];
    uint64_t incarnation;
    bool is_fresh;
    wrn_span message;
    block_count = 0;
    assert_int_equal(
        wrn_who_write(&primitives, block("ring").data, UINT64_C(0x1122334455667788), frame),
        WRN_WHO_SIZE);
    check_block("who", frame, 20);
    tunnel_of("host_seed", keys[0], keys[1]);
    tunnel_of("owner_seed", others[0], others[1]);
    assert_true(
        wrn_pair_init(&host, &primitives, keys[0], keys[1], others[1], 1, number("incarnation")));
    assert_true(wrn_pair_init(&owner, &primitives, others[0], others[1], keys[1],
                              UINT64_C(0xc1c2c3c4c5c6c7c8), 2));
    check_block("pair_key", host.key, sizeof host.key);
    check_block("pair_key", owner.key, sizeof owner.key);
    host.their_receiver = UINT64_C(0xc1c2c3c4c5c6c7c8);
    size_t size =
        wrn_stranger_seal(&host, &primitives, keys[1], block("cookie").data, block("hello"), frame);
    check_block("stranger", frame, size);
    assert_int_equal(wrn_stranger_open(&owner, &primitives, frame, size, &message, &incarnation),
                     0);
    check_block("hello", message.data, message.size);
    size = wrn_pair_seal(&host, &primitives, block("ping"), frame);
    check_block("sealed", frame, size);
    assert_int_equal(
        wrn_pair_open(&owner, &primitives, frame, size, &message, &incarnation, &is_fresh), 0);
    check_block("ping", message.data, message.size);
    assert_true(incarnation == number("incarnation"));
}

static void hello_has_locator_and_chain(void **state) {
    (void)state;
    struct wrn_locator locator;
    block_count = 0;
    wrn_span hello = block("hello"), signed_locator = block("locator"),
             chain = block("member_chain");
    assert_int_equal(wrn_locator_read(signed_locator, &primitives, block("ring").data, &locator),
                     WRN_REASON_NONE);
    check_block("host_public", locator.public_key, sizeof locator.public_key);
    check_block("host_tunnel_public", locator.tunnel_key, sizeof locator.tunnel_key);
    assert_int_equal(locator.sequence, (uint64_t)NOW_S * 1000);
    assert_int_equal(locator.endpoint_count, 1);
    assert_int_equal(hello.size, HELLO_FIXED + signed_locator.size + 2 + chain.size);
    assert_memory_equal(hello.data + HELLO_FIXED, signed_locator.data, signed_locator.size);
    assert_memory_equal(hello.data + hello.size - chain.size, chain.data, chain.size);
    assert_memory_equal(hello.data + 12, block("ring").data, WRN_RING_SIZE);
}

static void lease_is_a_record(void **state) {
    (void)state;
    struct wrn_record record;
    uint8_t place[WRN_ID_SIZE];
    block_count = 0;
    wrn_span bytes = block("record"), shown = block("addresses"), chain = block("member_chain");
    assert_int_equal(wrn_record_read(bytes, &primitives, &record), WRN_REASON_NONE);
    assert_int_equal(wrn_record_verify(bytes, &primitives), WRN_REASON_NONE);
    assert_memory_equal(record.key.data, "addr/10.77.0.5", record.key.size);
    assert_true(record.proof.size == chain.size &&
                memcmp(record.proof.data, chain.data, chain.size) == 0);
    wrn_id_store(wrn_record_place(record.key, &primitives), place);
    check_block("record_place", place, sizeof place);
    assert_true(shown.size > bytes.size);
    assert_memory_equal(shown.data + shown.size - bytes.size, bytes.data, bytes.size);
}

static void list_throws_the_member_out(void **state) {
    (void)state;
    struct wrn_invitation invitation;
    const struct wrn_revoked_options options = {.lists_max = 8, .bytes_max = 1 << 20};
    const uint64_t seed[2] = {1, 2};
    uint8_t digest[WRN_SHA256_SIZE], hash[WRN_SHA256_SIZE];
    uint8_t by[WRN_SIGN_PUBLIC_SIZE], offer[256];
    struct wrn_revoked *revoked = NULL;
    struct wrn_arena arena;
    void *memory = NULL;
    size_t size = 0;
    uint32_t cursor = 0;
    bool is_new = false;
    block_count = 0;
    read_line(&invitation);
    struct wrn_pack_frame frame = wrn_descriptor_frame(&invitation.descriptor);
    for (int pass = 0; pass < 2; pass++) {
        wrn_arena_init(&arena, memory, size);
        revoked = wrn_revoked_init(&arena, &options, wrn_judge_init(&arena, &frame, seed));
        if (pass == 0) {
            size = wrn_align_up(arena.used, 64);
            memory = aligned_alloc(64, size);
            assert_non_null(memory);
            memset(memory, 0, size);
        }
    }
    assert_int_equal(wrn_revoked_add(revoked, NOW_S + 60, block("list"), &is_new), 0);
    assert_true(is_new);
    wrn_revoked_digest(revoked, digest);
    check_block("digest", digest, sizeof digest);
    wrn_sha256(block("member_certificate"), (wrn_span){0}, hash);
    assert_true(wrn_revoked_has(revoked, hash, block("invitation_public").data, by));
    check_block("owner_public", by, sizeof by);
    size = wrn_revoked_offer(revoked, &cursor, offer, sizeof offer);
    assert_int_equal(size, 1 + 16 + 16 + 32);
    check_block("list_head", offer + 33, 32);
    wrn_invitation_finish(&invitation);
    free(memory);
}

/* How a table writes its numbers. */
enum column { BYTE, BIT, REASON, WORD };

/* Whether the page has a row that begins so. */
static void check_row(enum column column, unsigned value, const char *name) {
    char row[128];
    switch (column) {
    case BYTE:
        snprintf(row, sizeof row, "\n| 0x%02x | %s |", value, name);
        break;
    case BIT:
        snprintf(row, sizeof row, "\n| %u | %s |", value, name);
        break;
    case REASON:
        snprintf(row, sizeof row, "\n| %u | `%s` |", value, name);
        break;
    default:
        snprintf(row, sizeof row, "%u %s", value, name);
        break;
    }
    CHECK(strstr(numbers, row) != NULL, "docs/ring/numbers.md lacks \"%s\": ", row);
}

static void numbers_are_those_of_the_code(void **state) {
    (void)state;
    static const struct {
        enum column column;
        const char *name;
        unsigned value;
    } rows[] = {
        {BYTE, "PING", WRN_MESSAGE_PING},
        {BYTE, "PONG", WRN_MESSAGE_PONG},
        {BYTE, "CALL", WRN_MESSAGE_CALL},
        {BYTE, "HELLO", WRN_MESSAGE_HELLO},
        {BYTE, "WELCOME", WRN_MESSAGE_WELCOME},
        {BYTE, "KINDS", WRN_MESSAGE_KINDS},
        {BYTE, "BYE", WRN_MESSAGE_BYE},
        {BYTE, "ROUTED", WRN_MESSAGE_ROUTED},
        {BYTE, "HOP_ACK", WRN_MESSAGE_HOP_ACK},
        {BYTE, "BROADCAST", WRN_MESSAGE_BROADCAST},
        {BYTE, "SUM", WRN_MESSAGE_SUM},
        {BYTE, "STATUS", WRN_MESSAGE_STATUS},
        {BYTE, "STATUS_ASK", WRN_MESSAGE_STATUS_ASK},
        {BYTE, "RELAY", WRN_MESSAGE_RELAY},
        {BYTE, "USER", WRN_MESSAGE_USER},
        {BYTE, "DHT", WRN_MESSAGE_DHT},
        {BYTE, "CONNECT", WRN_PAYLOAD_CONNECT},
        {BYTE, "FIND", WRN_PAYLOAD_FIND},
        {BYTE, "DHT", WRN_PAYLOAD_DHT},
        {BYTE, "USER", WRN_PAYLOAD_USER},
        {BIT, "NEAR", WRN_LINK_NEAR},
        {BIT, "SHORTCUT", WRN_LINK_SHORTCUT},
        {BIT, "LEAF", WRN_LINK_LEAF},
        {BIT, "ON_DEMAND", WRN_LINK_ON_DEMAND},
        {BIT, "OVERLAP", WRN_LINK_OVERLAP},
        {WORD, "unknown", WRN_NAT_CLASS_UNKNOWN},
        {WORD, "port-random", WRN_NAT_CLASS_PORT_RANDOM},
        {WORD, "blocked |", WRN_NAT_CLASS_BLOCKED},
        {WORD, "local, 1 seen, 2 mapped", WRN_ENDPOINT_LOCAL},
    };
    for (size_t i = 0; i < WRN_COUNT(rows); i++) {
        check_row(rows[i].column, rows[i].value, rows[i].name);
    }
    for (unsigned reason = 0; reason < WRN_REASON_COUNT; reason++) {
        check_row(REASON, reason, wrn_reason_name((enum wrn_reason)reason));
        CHECK(strstr(numbers, wrn_reason_text((enum wrn_reason)reason)) != NULL, "%u: ", reason);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_those_of_their_seeds),
        cmocka_unit_test(invitation_is_read_and_accepted),
        cmocka_unit_test(frames_are_made_and_opened),
        cmocka_unit_test(hello_has_locator_and_chain),
        cmocka_unit_test(lease_is_a_record),
        cmocka_unit_test(list_throws_the_member_out),
        cmocka_unit_test(numbers_are_those_of_the_code),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
