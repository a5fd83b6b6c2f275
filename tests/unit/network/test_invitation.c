/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what an invitation says arrives whole, in each of its forms; what was cut or mistyped is
 * told apart from what is wrong; who joins gets what was given to the invitation and no more.
 * Method: invitations as owners make them, each changed in all ways that a hand can. */
#include "network/invitation.h"

#include <stdio.h>

#include "network/judge.h"
#include "spki/tag.h"
#include "unit/base/check.h"

enum { NOW_S = 1795000000, DAY_S = 86400, ROOM = 1 << 15 };

static uint8_t chain_room[ROOM];

static void seed_of(char letter, uint8_t ret_seed[WRN_SEED_SIZE]) {
    memset(ret_seed, letter, WRN_SEED_SIZE);
}

static void public_of(char letter, uint8_t ret_public[WRN_SIGN_PUBLIC_SIZE]) {
    uint8_t seed[WRN_SEED_SIZE];
    seed_of(letter, seed);
    assert_true(wrn_sign_public(seed, ret_public));
}

/* One certificate of a chain: who gives what to whom. */
struct given {
    char issuer, subject;
    const char *element;
    bool may_pass_on;
    int64_t until_s; /* 0: no limit */
};

static void add_cert(struct wrn_sexp_writer *out, const uint8_t *network,
                     const struct given *given) {
    uint8_t keys[2][WRN_SPKI_KEY_SEXP_SIZE], public_key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t seed[WRN_SEED_SIZE], tag_room[1024], element_room[1024];
    char date[WRN_SPKI_DATE_SIZE];
    struct wrn_spki_issue issue = {.delegation = given->may_pass_on ? WRN_SPKI_DELEGABLE
                                                                    : WRN_SPKI_NOT_DELEGABLE};
    struct wrn_sexp_writer tag = wrn_sexp_writer(tag_room, sizeof tag_room);
    struct wrn_sexp element, cert;
    wrn_span text = {(const uint8_t *)given->element, strlen(given->element)};
    assert_int_equal(wrn_sexp_read(WRN_SEXP_ADVANCED, text, element_room, sizeof element_room,
                                   &element, NULL, NULL),
                     0);
    wrn_sexp_open(&tag, "warren");
    wrn_sexp_put_bytes(&tag, (wrn_span){network, WRN_NETWORK_ID_SIZE});
    wrn_sexp_put(&tag, element);
    wrn_sexp_close(&tag);
    assert_int_equal(wrn_sexp_finish(&tag, &issue.tag), 0);
    public_of(given->issuer, public_key);
    issue.issuer = wrn_spki_key_sexp(public_key, keys[0]);
    public_of(given->subject, public_key);
    issue.subject = wrn_spki_key_sexp(public_key, keys[1]);
    if (given->until_s != 0) {
        assert_true(wrn_spki_date_write(given->until_s - 1, date));
        issue.validity.not_after = (wrn_spki_date){(uint8_t *)date, WRN_SPKI_DATE_SIZE};
    }
    size_t begin = out->size;
    wrn_spki_write_cert(out, &issue, false);
    assert_int_equal(wrn_sexp_check((wrn_span){out->out + begin, out->size - begin}, &cert, NULL),
                     0);
    seed_of(given->issuer, seed);
    assert_true(wrn_spki_sign(out, cert, seed));
}

/* Makes an invitation of the network of 'o' with the key 'i'. */
static struct wrn_invitation invite(const struct given *given, size_t count, unsigned endpoints) {
    struct wrn_invitation invitation = {.endpoint_count = (uint8_t)endpoints};
    struct wrn_descriptor *descriptor = &invitation.descriptor;
    uint8_t seed[WRN_SEED_SIZE], room[WRN_DESCRIPTOR_MAX];
    struct wrn_sexp sequence, body;
    struct wrn_sexp_cursor cursor, inner, value;
    wrn_span signature;
    enum wrn_pack_fault fault;
    size_t size;
    memcpy(descriptor->name, "lab", 3);
    descriptor->created_s = NOW_S;
    descriptor->vni = 77;
    descriptor->ipv4 = (struct wrn_prefix){{.family = WRN_FAMILY_IPV4, .bytes = {10, 77}}, 16};
    descriptor->ipv6 =
        (struct wrn_prefix){{.family = WRN_FAMILY_IPV6, .bytes = {0xfd, 1, 2, 3, 4, 5, 6, 7}}, 64};
    seed_of('o', seed);
    assert_int_equal(wrn_descriptor_write(descriptor, seed, room, sizeof room, &sequence), 0);
    assert_true(
        wrn_sexp_enter_named(sequence, "sequence", &cursor) && wrn_sexp_take_any(&cursor, &body) &&
        wrn_sexp_take_named(&cursor, "signature", &inner) &&
        wrn_sexp_take_named(&inner, "ed25519", &value) && wrn_sexp_take_atom(&value, &signature));
    memcpy(invitation.signature, signature.data, sizeof invitation.signature);
    seed_of('i', invitation.seed);
    struct wrn_pack_frame frame = wrn_descriptor_frame(descriptor);
    struct wrn_sexp_writer writer = wrn_sexp_writer(chain_room, sizeof chain_room);
    wrn_sexp_open(&writer, "sequence");
    for (size_t i = 0; i < count; i++) {
        add_cert(&writer, descriptor->id, &given[i]);
    }
    wrn_sexp_close(&writer);
    assert_int_equal(wrn_sexp_finish(&writer, &sequence), 0);
    assert_int_equal(
        wrn_pack(&frame, sequence, invitation.chain, sizeof invitation.chain, &size, &fault), 0);
    invitation.chain_size = (uint16_t)size;
    for (unsigned i = 0; i < endpoints; i++) {
        invitation.endpoints[i] = (struct wrn_endpoint){
            .ip = {.family = WRN_FAMILY_IPV4, .bytes = {192, 0, 2, (uint8_t)(i + 1)}},
            .port = (uint16_t)(51820 + i)};
        if (i % 4 == 3) {
            invitation.endpoints[i].ip = (struct wrn_ip){
                .family = WRN_FAMILY_IPV6, .bytes = {0x20, 1, 0xd, 0xb8, [15] = (uint8_t)i}};
        }
    }
    return invitation;
}

#define USES "(* set (member) (invite (* range numeric (le \"5\"))))"

static const struct given one[] = {{'o', 'i', USES, true, NOW_S + 7 * DAY_S}};
static const struct given two[] = {
    {'o', 'a', "(* set (admin) (invite) (member))", true, 0},
    {'a', 'i', USES, true, NOW_S + 7 * DAY_S},
};

static enum wrn_invitation_fault read_text(const char *text, size_t size,
                                           struct wrn_invitation *ret_invitation) {
    uint8_t *copy = malloc(size + 1); /* of its own size, so that reading on is noticed */
    assert_non_null(copy);
    memcpy(copy, text, size);
    enum wrn_invitation_fault fault = wrn_invitation_read((wrn_span){copy, size}, ret_invitation);
    free(copy);
    return fault;
}

static void assert_same(const struct wrn_invitation *a, const struct wrn_invitation *b) {
    assert_memory_equal(a->descriptor.id, b->descriptor.id, sizeof a->descriptor.id);
    assert_string_equal(a->descriptor.name, b->descriptor.name);
    assert_memory_equal(a->signature, b->signature, sizeof a->signature);
    assert_memory_equal(a->seed, b->seed, sizeof a->seed);
    assert_int_equal(a->members_may_invite, b->members_may_invite);
    assert_int_equal(a->chain_size, b->chain_size);
    assert_memory_equal(a->chain, b->chain, a->chain_size);
    assert_int_equal(a->endpoint_count, b->endpoint_count);
    for (unsigned i = 0; i < a->endpoint_count; i++) {
        assert_true(wrn_endpoint_equal(&a->endpoints[i], &b->endpoints[i]));
    }
}

typedef size_t print_form(const struct wrn_invitation *invitation, char *out, size_t capacity);

static print_form *const forms[] = {wrn_invitation_print_line, wrn_invitation_print_qr,
                                    wrn_invitation_print_file};

static void every_form_comes_back(void **state) {
    (void)state;
    for (unsigned endpoints = 0; endpoints <= WRN_INVITATION_ENDPOINTS_MAX; endpoints++) {
        struct wrn_invitation first =
            endpoints % 2 == 0 ? invite(one, 1, endpoints) : invite(two, 2, endpoints);
        first.members_may_invite = endpoints % 3 == 0;
        for (size_t form = 0; form < WRN_COUNT(forms); form++) {
            char text[WRN_INVITATION_FILE_MAX], again[WRN_INVITATION_FILE_MAX];
            struct wrn_invitation second;
            size_t size = forms[form](&first, text, sizeof text);
            assert_int_equal(size, strlen(text));
            assert_int_equal(read_text(text, size, &second), WRN_INVITATION_OK);
            assert_same(&first, &second);
            assert_int_equal(forms[form](&second, again, sizeof again), size);
            assert_string_equal(text, again);
            assert_int_equal(forms[form](&first, again, size), 0); /* no room for the zero byte */
        }
    }
}

/* docs/network/invitation.md has these figures. */
static void lines_have_the_length_that_is_written(void **state) {
    (void)state;
    struct wrn_invitation first = invite(one, 1, 2), second = invite(two, 2, 2);
    char text[WRN_INVITATION_FILE_MAX];
    size_t sizes[] = {
        wrn_invitation_print_line(&first, text, sizeof text),
        wrn_invitation_print_qr(&first, text, sizeof text),
        wrn_invitation_print_file(&first, text, sizeof text),
        wrn_invitation_print_line(&second, text, sizeof text),
        wrn_invitation_print_qr(&second, text, sizeof text),
        wrn_invitation_print_file(&second, text, sizeof text),
    };
    static const size_t expected[] = {499, 597, 875, 684, 819, 1059};
    for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
        CHECK(sizes[i] == expected[i], "%zu is %zu: ", i, sizes[i]);
    }
    /* bits of the data in a QR code: 11 for two characters, 8 for one (ISO/IEC 18004, 7.4) */
    assert_true(sizes[1] * 11 / 2 < sizes[0] * 8);
    assert_true(sizes[4] * 11 / 2 < sizes[3] * 8);
    /* the largest one fits its bounds */
    struct wrn_invitation largest = invite(two, 2, 8);
    for (unsigned i = 0; i < 8; i++) {
        largest.endpoints[i] = largest.endpoints[3];
    }
    memset(largest.descriptor.name, 'a', WRN_LABEL_SIZE - 1);
    largest.chain_size = WRN_INVITATION_CHAIN_MAX;
    assert_in_range(wrn_invitation_print_line(&largest, text, WRN_INVITATION_LINE_MAX), 1700, 2559);
    assert_in_range(wrn_invitation_print_qr(&largest, text, WRN_INVITATION_LINE_MAX), 2000, 2559);
    assert_in_range(wrn_invitation_print_file(&largest, text, WRN_INVITATION_FILE_MAX), 2000, 3071);
}

static void mailers_may_break_lines(void **state) {
    (void)state;
    struct wrn_invitation first = invite(one, 1, 2), second;
    char text[WRN_INVITATION_LINE_MAX], broken[2 * WRN_INVITATION_LINE_MAX];
    size_t size = wrn_invitation_print_line(&first, text, sizeof text), at = 0;
    at += (size_t)snprintf(broken, sizeof broken, " \r\n");
    for (size_t i = 0; i < size; i++) {
        broken[at++] = text[i];
        if (i % 72 == 71) {
            broken[at++] = '\r';
            broken[at++] = '\n';
        }
    }
    broken[at++] = '\n';
    assert_int_equal(read_text(broken, at, &second), WRN_INVITATION_OK);
    assert_same(&first, &second);
}

static void what_is_cut_is_said_to_be_cut(void **state) {
    (void)state;
    struct wrn_invitation first = invite(one, 1, 2), second;
    for (size_t form = 0; form < WRN_COUNT(forms); form++) {
        char text[WRN_INVITATION_FILE_MAX];
        size_t size = forms[form](&first, text, sizeof text);
        size_t end = form == 2 ? size - 2 : size; /* a file's last characters are "}\n" */
        for (size_t cut = 9; cut < end; cut++) {
            enum wrn_invitation_fault fault = read_text(text, cut, &second);
            CHECK(fault == WRN_INVITATION_CUT || (form == 2 && fault != WRN_INVITATION_OK),
                  "form %zu cut at %zu of %zu is %d: ", form, cut, size, (int)fault);
            assert_true(wrn_is_zero_secret(&second, sizeof second));
        }
    }
    assert_int_equal(read_text("warr", 4, &second), WRN_INVITATION_CUT);
    assert_int_equal(read_text("warren:1", 8, &second), WRN_INVITATION_CUT);
}

static void what_is_mistyped_is_told_apart(void **state) {
    (void)state;
    struct wrn_invitation first = invite(one, 1, 2), second;
    for (size_t form = 0; form < 2; form++) {
        char text[WRN_INVITATION_FILE_MAX + 8];
        size_t size = forms[form](&first, text, sizeof text);
        for (size_t i = 9; i < size; i++) {
            char was = text[i];
            text[i] = was == 'A' ? 'B' : 'A';
            enum wrn_invitation_fault fault = read_text(text, size, &second);
            bool is_length = i < 13; /* the digits of the length: too long or too short then */
            CHECK(
                fault == WRN_INVITATION_MISTYPED ||
                    (is_length && (fault == WRN_INVITATION_CUT || fault == WRN_INVITATION_LONGER)),
                "form %zu at %zu of %zu is %d: ", form, i, size, (int)fault);
            text[i] = '!';
            assert_int_equal(read_text(text, size, &second), WRN_INVITATION_BAD_CHARACTER);
            text[i] = was;
        }
        memcpy(text + size, "AAAA", 5);
        assert_int_equal(read_text(text, size + 4, &second), WRN_INVITATION_LONGER);
    }
}

static void strangers_are_named(void **state) {
    static const struct {
        const char *text;
        enum wrn_invitation_fault fault;
    } cases[] = {
        {"", WRN_INVITATION_NOT_INVITATION},
        {"hello", WRN_INVITATION_NOT_INVITATION},
        {"Warren:1:AAAA", WRN_INVITATION_NOT_INVITATION},
        {"WARREN:01234567890123456789012345678901/", WRN_INVITATION_NOT_INVITATION},
        {"warren:2:AAAA", WRN_INVITATION_VERSION},
        {"warren:x:AAAA", WRN_INVITATION_NOT_INVITATION},
        {"warren:1:", WRN_INVITATION_CUT},
        {"warren:1:AAAA", WRN_INVITATION_MISTYPED},
        {"warren:1:____", WRN_INVITATION_MISTYPED},
        {"(warren-network)", WRN_INVITATION_NOT_INVITATION},
        {"(warren-invitation (version \"2\"))", WRN_INVITATION_VERSION},
        {"(warren-invitation (version \"1\"))", WRN_INVITATION_NOT_INVITATION},
        {"(warren-invitation", WRN_INVITATION_CUT},
        {"{", WRN_INVITATION_CUT},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_invitation invitation;
        enum wrn_invitation_fault fault =
            read_text(cases[i].text, strlen(cases[i].text), &invitation);
        CHECK(fault == cases[i].fault, "'%s' is %d: ", cases[i].text, (int)fault);
        assert_non_null(strstr(wrn_invitation_fault_text(fault), ": "));
    }
}

static enum wrn_invitation_fault fault_of(const struct wrn_invitation *invitation) {
    char text[WRN_INVITATION_LINE_MAX];
    struct wrn_invitation second;
    size_t size = wrn_invitation_print_line(invitation, text, sizeof text);
    return read_text(text, size, &second);
}

/* The checksum is right: these were made wrong. */
static void wrong_ones_are_named(void **state) {
    static const struct given other_key[] = {{'o', 'x', USES, true, 0}};
    static const struct given kept[] = {{'o', 'i', USES, false, 0}};
    static const struct given kept_before[] = {{'o', 'a', USES, false, 0},
                                               {'a', 'i', USES, true, 0}};
    (void)state;
    struct wrn_invitation good = invite(one, 1, 2), bad = invite(other_key, 1, 1);
    assert_int_equal(fault_of(&good), WRN_INVITATION_OK);
    assert_int_equal(fault_of(&bad), WRN_INVITATION_KEY);
    bad = invite(kept, 1, 1);
    assert_int_equal(fault_of(&bad), WRN_INVITATION_NOT_DELEGABLE);
    bad = invite(kept_before, 2, 1);
    assert_int_equal(fault_of(&bad), WRN_INVITATION_NOT_DELEGABLE);
    bad = good;
    bad.descriptor.vni++;
    assert_int_equal(fault_of(&bad), WRN_INVITATION_DESCRIPTOR);
    bad = good;
    bad.signature[9] ^= 1;
    assert_int_equal(fault_of(&bad), WRN_INVITATION_DESCRIPTOR);
    bad = good;
    bad.chain[bad.chain_size - 1U] ^= 1;
    assert_int_equal(fault_of(&bad), WRN_INVITATION_CHAIN_SIGNATURE);
    bad = good;
    bad.chain_size--;
    assert_int_equal(fault_of(&bad), WRN_INVITATION_CHAIN);
    bad = good;
    bad.endpoints[0].port = 0;
    assert_int_equal(fault_of(&bad), WRN_INVITATION_ENDPOINT);
    bad = good;
    bad.endpoints[1].ip =
        (struct wrn_ip){.family = WRN_FAMILY_IPV6, .bytes = {0xfe, 0x80, [15] = 1}};
    assert_int_equal(fault_of(&bad), WRN_INVITATION_ENDPOINT);
    bad = good;
    bad.seed[0] ^= 1;
    assert_int_equal(fault_of(&bad), WRN_INVITATION_KEY);
}

static void dates_are_those_of_the_chain(void **state) {
    static const struct given narrowed[] = {
        {'o', 'a', USES, true, NOW_S + DAY_S},
        {'a', 'i', USES, true, NOW_S + 7 * DAY_S},
    };
    (void)state;
    struct wrn_invitation invitation = invite(narrowed, 2, 1);
    int64_t from_s, until_s;
    assert_int_equal(wrn_invitation_check(&invitation, NOW_S, &from_s, &until_s),
                     WRN_INVITATION_OK);
    assert_int_equal(from_s, 0);
    assert_int_equal(until_s, NOW_S + DAY_S);
    assert_int_equal(wrn_invitation_check(&invitation, NOW_S + DAY_S - 1, &from_s, &until_s),
                     WRN_INVITATION_OK);
    assert_int_equal(wrn_invitation_check(&invitation, NOW_S + DAY_S, &from_s, &until_s),
                     WRN_INVITATION_EXPIRED);
    assert_int_equal(wrn_invitation_check(&invitation, -1, &from_s, &until_s),
                     WRN_INVITATION_NOT_YET);
}

/* What a judge makes of the chain that a member shows. */
static struct wrn_rights judged(const struct wrn_invitation *invitation, wrn_span chain,
                                struct wrn_judge_verdict *ret_verdict) {
    static uint8_t memory[1 << 19] __attribute__((aligned(64)));
    struct wrn_pack_frame frame = wrn_descriptor_frame(&invitation->descriptor);
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    struct wrn_rights rights;
    struct wrn_arena arena;
    memset(memory, 0, sizeof memory);
    public_of('m', public_key);
    wrn_arena_init(&arena, memory, sizeof memory);
    struct wrn_judge *judge = wrn_judge_init(&arena, &frame, (uint64_t[2]){1, 2});
    wrn_judge(
        judge,
        &(struct wrn_judge_question){.chain = chain, .public_key = public_key, .now_s = NOW_S},
        &rights, ret_verdict);
    return rights;
}

static void who_joins_is_a_member_and_no_more(void **state) {
    static const struct {
        const char *element;
        bool may_invite;
        uint8_t flags;
    } cases[] = {
        {USES, false, WRN_RIGHT_MEMBER},
        {USES, true, WRN_RIGHT_MEMBER}, /* what is counted invites nobody, whatever is asked */
        {"(* set (member) (invite))", true, WRN_RIGHT_MEMBER | WRN_RIGHT_INVITE},
        {"(*)", false, WRN_RIGHT_MEMBER | WRN_RIGHT_RELAY | WRN_RIGHT_GATEWAY},
        {"(* set (member) (relay) (admin) (invite))", false, WRN_RIGHT_MEMBER | WRN_RIGHT_RELAY},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct given given = {'o', 'i', cases[i].element, true, NOW_S + 7 * DAY_S};
        struct wrn_invitation invitation = invite(&given, 1, 1);
        uint8_t member[WRN_SIGN_PUBLIC_SIZE], out[1100];
        struct wrn_judge_verdict verdict;
        size_t size = 0;
        invitation.members_may_invite = cases[i].may_invite;
        public_of('m', member);
        assert_int_equal(wrn_invitation_accept(&invitation, member, NOW_S, NOW_S + 30 * DAY_S, out,
                                               sizeof out, &size),
                         WRN_INVITATION_OK);
        struct wrn_rights rights = judged(&invitation, (wrn_span){out, size}, &verdict);
        CHECK(verdict.reason == WRN_REASON_NONE, "case %zu: %s: ", i, verdict.why);
        CHECK(rights.flags == cases[i].flags, "case %zu: %x: ", i, (unsigned)rights.flags);
        assert_int_equal(rights.until_s, NOW_S + 7 * DAY_S); /* the chain's end comes first */
        assert_true(rights.any_address && rights.any_name);
        assert_int_equal(wrn_invitation_accept(&invitation, member, NOW_S, NOW_S + DAY_S, out,
                                               sizeof out, &size),
                         WRN_INVITATION_OK);
        assert_int_equal(judged(&invitation, (wrn_span){out, size}, &verdict).until_s,
                         NOW_S + DAY_S);
    }
}

static void joining_fails_by_name(void **state) {
    static const struct given nothing[] = {{'o', 'i', "(admin)", true, 0}};
    (void)state;
    struct wrn_invitation invitation = invite(one, 1, 1);
    uint8_t member[WRN_SIGN_PUBLIC_SIZE], out[1100];
    size_t size;
    public_of('m', member);
    assert_int_equal(wrn_invitation_accept(&invitation, member, NOW_S + 7 * DAY_S, NOW_S * 2L, out,
                                           sizeof out, &size),
                     WRN_INVITATION_EXPIRED);
    assert_int_equal(
        wrn_invitation_accept(&invitation, member, NOW_S, NOW_S, out, sizeof out, &size),
        WRN_INVITATION_EXPIRED);
    assert_int_equal(wrn_invitation_accept(&invitation, member, NOW_S, NOW_S + 9, out, 100, &size),
                     WRN_INVITATION_TOO_LARGE);
    invitation = invite(nothing, 1, 1);
    assert_int_equal(
        wrn_invitation_accept(&invitation, member, NOW_S, NOW_S + 9, out, sizeof out, &size),
        WRN_INVITATION_NOT_DELEGABLE);
    wrn_invitation_finish(&invitation);
    assert_true(wrn_is_zero_secret(&invitation, sizeof invitation));
}

/* Whoever's clock is wrong can see it, and by how much. */
static void clocks_are_said(void **state) {
    (void)state;
    struct wrn_invitation invitation = invite(one, 1, 1);
    char why[WRN_INVITATION_WHY_SIZE], date[WRN_SPKI_DATE_SIZE + 1] = "";
    const int64_t late_s = NOW_S + 8 * DAY_S;
    wrn_invitation_explain(&invitation, WRN_INVITATION_EXPIRED, late_s, why);
    assert_true(wrn_spki_date_write(late_s, date));
    CHECK(strstr(why, "valid until ") && strstr(why, "this host's clock says ") &&
              strstr(why, date) && strstr(why, "ask for another one"),
          "%s: ", why);
    wrn_invitation_explain(&invitation, WRN_INVITATION_NO_MEMORY, NOW_S, why);
    assert_string_equal(why, wrn_invitation_fault_text(WRN_INVITATION_NO_MEMORY));
    wrn_invitation_finish(&invitation);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_are_said),
        cmocka_unit_test(every_form_comes_back),
        cmocka_unit_test(lines_have_the_length_that_is_written),
        cmocka_unit_test(mailers_may_break_lines),
        cmocka_unit_test(what_is_cut_is_said_to_be_cut),
        cmocka_unit_test(what_is_mistyped_is_told_apart),
        cmocka_unit_test(strangers_are_named),
        cmocka_unit_test(wrong_ones_are_named),
        cmocka_unit_test(dates_are_those_of_the_chain),
        cmocka_unit_test(who_joins_is_a_member_and_no_more),
        cmocka_unit_test(joining_fails_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
